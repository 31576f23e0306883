/* Rules that involve more than one entry of the file. */
#include "builder/config/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

static bool nonempty_list(const struct wb_read *r, const char *key)
{
	const struct wb_yaml_node *n = wb_read_node(r, key);

	return n && n->kind == WB_YAML_SEQUENCE && n->n;
}

static void check_mixed_volumes(struct wb_model *m)
{
	const struct wb_source *first = NULL;

	wb_vec_foreach (s, &m->c->sources) {
		if (s->kind != WB_ENTRY_MODEL_CACHE)
			continue;
		if (!first)
			first = s;
		if (s->use_volume == first->use_volume)
			continue;
		wb_read_note(&m->top, "mixed-use-volume", s->pos,
			"wbuild takes both kinds side by side, truss push does not",
			"All models in the `model_cache` must either use `use_volume=True` or "
			"`use_volume=False`.");
		return;
	}
}

struct place {
	const struct wb_source *s;
	size_t order;
};

static int by_path(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int c = wb_path_cmp(x->s->mount, y->s->mount);

	return c ? c : (x->order > y->order) - (x->order < y->order);
}

static void report_same(const struct wb_read *r, const struct wb_source *s)
{
	switch (s->kind) {
	case WB_ENTRY_WEIGHTS:
		wb_read_error(r, "duplicate-mount", s->pos, NULL,
			"Duplicate mount_location '%s' - each weights source must have a unique "
			"mount "
			"path.",
			s->mount);
		return;
	case WB_ENTRY_EXTERNAL_DATA:
		wb_read_error(r, "duplicate-mount", s->pos, NULL,
			"two entries of external_data are downloaded to \"%s\"", s->mount);
		return;
	case WB_ENTRY_MODEL_CACHE:
	case WB_ENTRY_TRAINING:
		wb_read_warn(r, "shared-mount", s->pos, NULL,
			"another entry puts its files below \"%s\" too; equal paths will be "
			"refused",
			s->mount);
		return;
	}
}

/* In path order a folder comes right before what lies below it, so one pass over the sorted
 * places finds all that are equal or nested. */
static void check_places(struct wb_model *m)
{
	struct wb_config *c = m->c;
	wb_autofree struct place *v = wb_calloc(c->sources.n, sizeof(*v));
	size_t n = 0, above = 0;

	for (size_t i = 0; i < c->sources.n; i++) {
		const struct wb_source *s = &c->sources.items[i];

		/* these share their folder by design */
		if (s->layout != WB_LAYOUT_HF_CACHE && s->layout != WB_LAYOUT_BUCKET)
			v[n++] = (struct place){s, i};
	}
	qsort(v, n, sizeof(*v), by_path);
	for (size_t i = 1; i < n; i++) {
		const struct wb_source *s = v[i].s, *outer = v[above].s;

		if (!strcmp(s->mount, v[i - 1].s->mount) && s->kind == v[i - 1].s->kind)
			report_same(&m->top, s);
		else if (!wb_path_within(s->mount, outer->mount))
			above = i;
		else if (outer->layout == WB_LAYOUT_FILE)
			wb_read_error(&m->top, "nested-mounts", s->pos, NULL,
				"\"%s\" cannot lie below \"%s\", which is a file", s->mount,
				outer->mount);
		else
			wb_read_warn(&m->top, "nested-mounts", s->pos,
				"give each source a folder of its own",
				"\"%s\" lies inside \"%s\" of another source", s->mount,
				outer->mount);
	}
}

void wb_model_checks(struct wb_model *m)
{
	if (nonempty_list(&m->top, "model_cache") && nonempty_list(&m->top, "weights"))
		wb_read_error(&m->top, "cache-and-weights", wb_read_pos(&m->top, "weights"),
			"move the entries of model_cache to weights",
			"Please ensure that only one of `model_cache` and `weights` is specified");
	check_mixed_volumes(m);
	check_places(m);
}
