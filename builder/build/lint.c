#include "builder/build/lint.h"

#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/text.h"
#include "builder/build/lint_internal.h"

#define COMMENT "# wbuild: ignore["

const char *const wb_lint_ids[] = {
	"bundle-size",
	"damaged-weights",
	"duplicate-format",
	"filtered-config",
	"hub-offline",
	"lfs-pointer",
	"missing-shard",
	"other-user",
	"pattern-crosses-directories",
	"pattern-top-level",
	"pattern-unmatched",
	"pickle",
	"pickle-unsafe",
	"secret-content",
	"secret-file",
	"truncated-weights",
	"unlisted-source",
	"unpinned-revision",
	NULL,
};

/* --- what the lints ask ------------------------------------------------------------------- */

const char *wb_lint_disk_path(const struct wb_lint *l, const struct wb_plan_file *f)
{
	struct wb_node *node;

	HASH_FIND_STR(l->plan->tree.by_path, f->path, node);
	return node && node->type == WB_NODE_FILE ? node->content.path : NULL;
}

static int by_path(const void *a, const void *b)
{
	const struct wb_plan_file *x = *(const struct wb_plan_file *const *)a;
	const struct wb_plan_file *y = *(const struct wb_plan_file *const *)b;

	return strcmp(x->path, y->path);
}

const struct wb_plan_file *wb_lint_find(const struct wb_lint *l, const char *path)
{
	const struct wb_plan_file key = {.path = (char *)(uintptr_t)path}, *k = &key;
	const struct wb_plan_file **at =
		bsearch(&k, l->by_path, l->plan->files.n, sizeof(*l->by_path), by_path);

	return at ? *at : NULL;
}

const char *wb_lint_source_path(const struct wb_lint *l, const struct wb_plan_file *f)
{
	const struct wb_plan_source *s = &l->plan->sources.items[f->source];
	const char *path = f->path;
	size_t n = strlen(s->mount + 1);

	if (s->config && s->config->layout == WB_LAYOUT_HF_CACHE) {
		const char *at = strstr(path, "/snapshots/");
		const char *rest = at ? strchr(at + strlen("/snapshots/"), '/') : NULL;

		return rest ? rest + 1 : path;
	}
	if (!strncmp(path, s->mount + 1, n) && path[n] == '/')
		path += n + 1;
	return path;
}

struct wb_pos wb_lint_pos(const struct wb_lint *l, const struct wb_plan_file *f)
{
	const struct wb_source *s = l->plan->sources.items[f->source].config;

	return s ? s->pos : (struct wb_pos){0};
}

/* --- silencing ---------------------------------------------------------------------------- */

/* Does the list between the brackets, up to "]", hold id? */
static bool names(const char *list, const char *id)
{
	size_t n = strlen(id);

	while (*list && *list != ']' && *list != '\n') {
		list += strspn(list, " ,");
		size_t word = strcspn(list, " ,]\n");

		if (word == n && !strncmp(list, id, n))
			return true;
		list += word;
	}
	return false;
}

bool wb_lint_silenced(const char *text, const char *id, struct wb_pos pos)
{
	unsigned line = 1;

	for (const char *p = text; p; line++) {
		const char *end = strchr(p, '\n');
		const char *comment = strstr(p, COMMENT);

		if (!comment)
			return false;
		if (!end || comment < end) {
			bool own_line = p + strspn(p, " \t") == comment;

			if ((own_line || line == pos.line) && names(comment + strlen(COMMENT), id))
				return true;
		}
		p = end ? end + 1 : NULL;
	}
	return false;
}

static bool listed(const char *const *ignore, const char *id)
{
	for (size_t i = 0; ignore && ignore[i]; i++)
		if (!strcmp(ignore[i], id))
			return true;
	return false;
}

void wb_lint_silence(struct wb_findings *f, const char *text, const char *const *ignore)
{
	size_t kept = 0;

	wb_vec_foreach (it, &f->list) {
		bool lint = listed(wb_lint_ids, it->id);

		/* an error of the config itself is one: the build would fail */
		if ((it->severity == WB_SEV_ERROR && !lint) ||
			!(listed(ignore, it->id) || wb_lint_silenced(text, it->id, it->pos))) {
			f->list.items[kept++] = *it;
			continue;
		}
		f->errors -= it->severity == WB_SEV_ERROR;
		f->warnings -= it->severity == WB_SEV_WARNING;
		free(it->text);
		free(it->hint);
	}
	f->list.n = kept;
}

/* --- all of them -------------------------------------------------------------------------- */

int wb_lint(struct wb_findings *out, const struct wb_plan *p, const struct wb_lint_opts *opts,
	struct wb_err *err)
{
	static int (*const lints[])(struct wb_lint *, struct wb_err *) = {wb_lint_sizes,
		wb_lint_sources, wb_lint_weights, wb_lint_shards, wb_lint_pickles, wb_lint_remote,
		wb_lint_secrets};
	wb_autofree const struct wb_plan_file **sorted = wb_calloc(p->files.n + 1, sizeof(*sorted));
	struct wb_lint l = {.out = out, .plan = p, .opts = opts, .by_path = sorted};

	for (size_t i = 0; i < p->files.n; i++)
		sorted[i] = &p->files.items[i];
	if (p->files.n)
		qsort(sorted, p->files.n, sizeof(*sorted), by_path);
	for (size_t i = 0; i < WB_ARRAY_LEN(lints); i++)
		if (wb_cancel_check(err) || lints[i](&l, err))
			return -1;
	return 0;
}
