#include "builder/build/guard.h"

#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "builder/build/lint.h"
#include "oci/layer_scan.h"

#define RECORDS "guard" /* in the store's index */
#define SALT_KEY "salt"
#define MARKS_MAX 256 /* of one layer; more are of values that nobody has any more */

/* --- what is let through ------------------------------------------------------------------ */

static bool named(const char *const *allow, const char *path)
{
	for (; allow && *allow; allow++)
		if (wb_guard_listed(*allow, path))
			return true;
	return false;
}

/* Where the config names the source of a file; line 0 for data/ and what is wbuild's own. */
static struct wb_pos source_pos(const struct wb_plan *p, const char *path)
{
	if (!p)
		return (struct wb_pos){0};
	wb_vec_foreach (f, &p->files) {
		const struct wb_source *s = p->sources.items[f->source].config;

		if (s && !strcmp(f->path, path))
			return s->pos;
	}
	return (struct wb_pos){0};
}

static bool allowed(void *arg, const char *path, bool form)
{
	struct wb_build_guard *g = arg;
	bool by_name = named(g->allow, path);

	if (!by_name && !(form && wb_lint_silenced(g->config_text, "secret-content",
					  source_pos(g->plan, path))))
		return false;
	if (by_name)
		wb_warn("\"%s\" holds a secret, and --allow-secret lets it be", path);
	atomic_store(&g->let_through, true);
	return true;
}

/* --- records of layers that were searched --------------------------------------------------- */

/* Of this store, so that marks of two stores have nothing in common. */
static char *find_salt(struct wb_store *store)
{
	wb_autojson json_t *known = wb_store_index_get(store, RECORDS, SALT_KEY);
	struct wb_err ignored = WB_ERR_INIT;
	uint8_t random[16];
	char hex[2 * sizeof(random) + 1];

	if (json_is_string(known))
		return wb_strdup(json_string_value(known));
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return NULL;
	wb_hex(hex, random, sizeof(random));
	wb_autojson json_t *fresh = json_string(hex);

	/* without it the next build searches again */
	(void)wb_store_index_put(store, RECORDS, SALT_KEY, fresh, &ignored);
	return wb_strdup(hex);
}

static bool has_mark(const json_t *list, uint32_t mark)
{
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item)
		if (json_integer_value(item) == (json_int_t)mark)
			return true;
	return false;
}

static bool was_searched(const struct wb_build_guard *g, const json_t *record)
{
	const json_t *list = json_object_get(record, "marks");

	if (wb_json_u64_opt(record, "forms", 0) != WB_SECRET_FORMS_VERSION)
		return false;
	wb_vec_foreach (mark, &g->marks.list)
		if (!has_mark(list, *mark))
			return false;
	return true;
}

static void note_searched(
	const struct wb_build_guard *g, const struct wb_digest *layer, const json_t *before)
{
	wb_autojson json_t *record = json_object();
	json_t *list = json_array(), *item;
	const json_t *old = json_object_get(before, "marks");
	struct wb_err ignored = WB_ERR_INIT; /* it only saves time */
	size_t i;

	wb_vec_foreach (mark, &g->marks.list)
		wb_json_append(list, json_integer((json_int_t)*mark));
	json_array_foreach (old, i, item)
		if (json_array_size(list) < MARKS_MAX &&
			!has_mark(list, (uint32_t)json_integer_value(item)))
			wb_json_append(list, json_incref(item));
	wb_json_set(record, "marks", list);
	wb_json_set_u64(record, "forms", WB_SECRET_FORMS_VERSION);
	(void)wb_store_index_put(g->store, RECORDS, wb_digest_text(layer).s, record, &ignored);
}

/* --- a layer that was found ready ----------------------------------------------------------- */

struct reading {
	const struct wb_guard *guard;
	char *path;
	struct wb_guard_tail seen;
};

static int begin_entry(void *arg, const struct wb_layer_entry *e, struct wb_err *err)
{
	struct reading *r = arg;

	free(r->path);
	r->path = wb_strdup(e->path);
	r->seen = (struct wb_guard_tail){0};
	return wb_guard_names(
		r->guard, e->path, e->type == WB_LAYER_ENTRY_SYMLINK ? e->link : NULL, err);
}

static int pass_data(void *arg, const void *p, size_t n, struct wb_err *err)
{
	struct reading *r = arg;

	return wb_guard_bytes(r->guard, &r->seen, r->path, p, n, err);
}

static int search_blob(const struct wb_build_guard *g, const struct wb_layer *l, struct wb_err *err)
{
	struct reading reading = {.guard = &g->guard};
	const struct wb_layer_visitor visitor = {
		.entry = begin_entry, .data = pass_data, .arg = &reading};
	wb_autofree char *path = wb_store_blob_path(g->store, &l->digest);
	uint64_t size = 0;
	int fd = wb_store_open_blob(g->store, &l->digest, &size, err);

	if (fd < 0)
		return -1;
	WB_AUTO(wb_reader_closep) struct wb_reader *r = wb_reader_file(fd, true, 0, size, path);
	int rc = wb_layer_scan(r, path, UINT64_MAX, &visitor, err);

	free(reading.path);
	return rc;
}

int wb_build_guard_layer(struct wb_build_guard *g, const struct wb_layer *l, struct wb_err *err)
{
	wb_autojson json_t *record =
		wb_store_index_get(g->store, RECORDS, wb_digest_text(&l->digest).s);

	if (was_searched(g, record))
		return 0;
	if (l->cached) {
		wb_debug("looking for secrets in layer %s", wb_digest_text(&l->digest).s);
		if (search_blob(g, l, err))
			return -1;
	}
	/* what was let through now may have to be found the next time */
	if (!atomic_load(&g->let_through))
		note_searched(g, &l->digest, record);
	return 0;
}

/* --- documents ---------------------------------------------------------------------------- */

static int check_string(
	struct wb_build_guard *g, const char *place, const char *text, struct wb_err *err)
{
	const char *name = wb_secret_find(text, strlen(text));
	struct wb_secret_form form;
	bool known = !name && wb_secret_form_sure(&form, text, strlen(text));

	if ((!name && !known) || allowed(g, place, known))
		return 0;
	if (name)
		wb_err_set(err, WB_ERR_CONFIG,
			"the image's %s would hold the value of the secret \"%s\"", place, name);
	else
		wb_err_set(err, WB_ERR_CONFIG, "the image's %s would hold %s", place, form.what);
	return wb_err_hint(err,
		"whoever pulls the image can read it: give it at run time; --allow-secret \"%s\" "
		"lets it be",
		place);
}

static int check_value(
	struct wb_build_guard *g, const char *place, const json_t *value, struct wb_err *err)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_string(value))
		return check_string(g, place, json_string_value(value), err);
	json_object_foreach ((json_t *)(uintptr_t)value, key, item) {
		wb_autofree char *inner = wb_asprintf("%s.%s", place, key);

		if (check_string(g, place, key, err) || check_value(g, inner, item, err))
			return -1;
	}
	json_array_foreach (value, i, item) {
		wb_autofree char *inner = wb_asprintf("%s.%zu", place, i);

		if (check_value(g, inner, item, err))
			return -1;
	}
	return 0;
}

int wb_build_guard_document(struct wb_build_guard *g, const char *what,
	const struct wb_document *doc, struct wb_err *err)
{
	wb_autojson json_t *root = wb_json_parse(doc->bytes, doc->desc.size, what, err);

	return root ? check_value(g, what, root, err) : -1;
}

/* ------------------------------------------------------------------------------------------ */

static char *read_config(const char *file)
{
	WB_AUTO(wb_buf_release) struct wb_buf text;
	struct wb_err ignored = WB_ERR_INIT;

	wb_buf_init(&text, WB_CONFIG_BYTES_MAX, "config");
	/* a config that cannot be read was an error before */
	if (!file || wb_file_read(&text, file, &ignored))
		return wb_strdup("");
	return wb_buf_steal(&text);
}

void wb_build_guard_init(struct wb_build_guard *g, const struct wb_plan *plan,
	struct wb_store *store, const char *const *allow)
{
	wb_autofree char *salt = find_salt(store);

	*g = (struct wb_build_guard){.allow = allow, .plan = plan, .store = store};
	atomic_init(&g->let_through, false);
	g->values = wb_secret_finder();
	if (salt)
		wb_secret_marks(&g->marks, salt);
	g->config_text = read_config(plan->config->file);
	g->guard = (struct wb_guard){.values = g->values, .allowed = allowed, .arg = g};
}

void wb_build_guard_release(struct wb_build_guard *g)
{
	wb_finder_free(g->values);
	wb_vec_free(&g->marks.list);
	free(g->config_text);
	*g = (struct wb_build_guard){0};
}
