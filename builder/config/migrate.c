#include "builder/config/migrate.h"

#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "builder/config/migrate_entry.h"
#include "builder/config/uri.h"

struct job {
	const struct wb_config *c;
	const struct wb_yaml_node *root;
	struct wb_edits e;
	struct wb_migration *m;
	WB_VEC(struct wb_migrate_entry) entries; /* in the order of the new list */
	size_t from_cache;                       /* the first of them come from model_cache */
};

static void note(struct job *j, enum wb_severity sev, const char *id, struct wb_pos pos,
	const char *hint, const char *text)
{
	wb_findings_add(&j->m->notes, sev, id, pos, hint, "%s", text);
}

void wb_migration_release(struct wb_migration *m)
{
	free(m->text);
	wb_findings_release(&m->notes);
	wb_vec_foreach (it, &m->moves) {
		free(it->repo);
		free(it->mount);
	}
	wb_vec_free(&m->moves);
	*m = WB_MIGRATION_INIT;
}

static void entries_release(struct job *j)
{
	wb_vec_foreach (it, &j->entries) {
		free(it->source);
		free(it->mount);
		free((char *)(uintptr_t)it->key_prefix);
	}
	wb_vec_free(&j->entries);
}

/* --- where entries go --- */

static bool mount_taken(const struct job *j, const char *mount)
{
	for (size_t i = 0; i < j->entries.n; i++)
		if (!strcmp(j->entries.items[i].mount, mount))
			return true;
	return false;
}

static char *baked_mount(const struct wb_source *s)
{
	if (s->layout == WB_LAYOUT_BUCKET) {
		/* files were below the bucket by their whole key, and stay there */
		wb_autofree char *path = wb_path_join(s->mount, s->uri.path);

		return wb_path_normalize("/", path);
	}
	char *mount = wb_asprintf("/app/model_cache/%s", s->uri.repo);

	for (char *p = mount + strlen("/app/model_cache/"); *p; p++)
		if (*p == '/')
			*p = '_';
	return mount;
}

static char *cache_mount(struct job *j, const struct wb_source *s)
{
	wb_autofree char *mount = s->use_volume ? wb_strdup(s->mount) : baked_mount(s);
	wb_autofree char *unique = wb_strdup(mount);

	for (unsigned i = 2; mount_taken(j, unique); i++) {
		free(unique);
		unique = wb_asprintf("%s_%u", mount, i);
	}
	if (strcmp(mount, unique) != 0) {
		wb_findings_add(&j->m->notes, WB_SEV_WARNING, "mount-moved", s->pos,
			"each weights source has a folder of its own",
			"another entry has \"%s\" already; these files go to \"%s\"", mount,
			unique);
	}
	return wb_steal(unique);
}

static char *cache_source(struct job *j, const struct wb_source *s)
{
	const struct wb_uri *u = &s->uri;

	if (u->scheme != WB_SCHEME_AZURE || !wb_str_starts(u->text, "az://"))
		return wb_strdup(u->text);
	if (*u->account)
		return wb_asprintf("azure://%s", u->text + strlen("az://"));
	wb_findings_add(&j->m->notes, WB_SEV_WARNING, "azure-account", s->pos,
		"write azure://ACCOUNT/CONTAINER/PATH",
		"the source \"%s\" names no storage account, which weights need", u->text);
	return wb_strdup(u->text);
}

static bool secret_declared(const struct job *j, const char *name)
{
	wb_vec_foreach (it, &j->c->secrets)
		if (!strcmp(it->name, name))
			return true;
	return false;
}

/* model_cache reads the hub's token under a default name, weights only under a given one: the
 * default is written out where the file declares that secret. */
static void choose_secret(struct job *j, struct wb_migrate_entry *x)
{
	const struct wb_auth *a = &x->old->auth;

	x->secret_written = a->secret_explicit;
	if (!a->secret_name || (!a->secret_explicit && !secret_declared(j, a->secret_name)))
		return;
	x->secret = a->secret_name;
	if (!a->secret_explicit)
		wb_findings_add(&j->m->notes, WB_SEV_NOTE, "default-secret", x->old->pos,
			"remove the auth block if the repository is public",
			"the default secret \"%s\" is declared under secrets, and is now named in "
			"an "
			"auth block",
			a->secret_name);
}

static char *old_key_prefix(const struct wb_source *s)
{
	size_t n = s->layout == WB_LAYOUT_BUCKET ? strlen(s->uri.path) : 0;
	bool slash = n && s->uri.path[n - 1] != '/';

	return wb_asprintf("%s%s", n ? s->uri.path : "", slash ? "/" : "");
}

static void say_what_changes(struct job *j, const struct wb_migrate_entry *x)
{
	const struct wb_source *s = x->old;

	if (s->layout != WB_LAYOUT_HF_CACHE) {
		if (s->use_volume)
			note(j, WB_SEV_NOTE, "volume-to-weights", s->pos, NULL,
				"wbuild packs weights into the image; with use_volume: true they "
				"were "
				"fetched at start");
		return;
	}
	*wb_vec_push(&j->m->moves) = (struct wb_migration_move){
		.repo = wb_strdup(s->uri.repo), .mount = wb_strdup(x->mount)};
	wb_findings_add(&j->m->notes, WB_SEV_WARNING, "hf-path-moved", s->pos,
		"load the model by its path instead of its repository's name",
		"v1 HuggingFace repo '%s' migrated. You may need to update model.py to use the new "
		"mount path: %s",
		s->uri.repo, x->mount);
}

static void plan_cache(struct job *j, const struct wb_yaml_node *list)
{
	size_t i = 0;

	wb_vec_foreach (s, &j->c->sources) {
		if (s->kind != WB_ENTRY_MODEL_CACHE)
			continue;
		struct wb_migrate_entry x = {.map = list->items[i++], .old = s};

		x.source = cache_source(j, s);
		x.mount = cache_mount(j, s);
		x.key_prefix = old_key_prefix(s);
		choose_secret(j, &x);
		say_what_changes(j, &x);
		*wb_vec_push(&j->entries) = x;
	}
	j->from_cache = j->entries.n;
}

/* --- external_data --- */

/* Why an entry must stay under external_data, or NULL. */
static const char *must_stay(const struct job *j, const struct wb_source *s)
{
	if (!wb_str_starts(s->uri.url, "https://"))
		return "its URL is not https";
	if (wb_uri_is_hub_page(s->uri.url))
		return "its URL is a page";
	if (!wb_uri_mount_is_file(&s->uri, s->mount))
		return "the file gets another kind of name than its URL has";
	return mount_taken(j, s->mount) ? "its place is taken" : NULL;
}

/* All entries or none: a list that is split in two helps nobody. */
static bool plan_external(struct job *j, const struct wb_yaml_node *list)
{
	size_t i = 0;

	wb_vec_foreach (s, &j->c->sources) {
		const char *why = s->kind == WB_ENTRY_EXTERNAL_DATA ? must_stay(j, s) : NULL;

		if (!why)
			continue;
		wb_findings_add(&j->m->notes, WB_SEV_NOTE, "external-data-kept", s->pos,
			"external_data keeps working beside weights",
			"external_data stays as it is: \"%s\" cannot move to weights, %s", s->mount,
			why);
		return false;
	}
	wb_vec_foreach (s, &j->c->sources) {
		if (s->kind != WB_ENTRY_EXTERNAL_DATA)
			continue;
		*wb_vec_push(&j->entries) = (struct wb_migrate_entry){
			.map = list->items[i++],
			.old = s,
			.source = wb_strdup(s->uri.url),
			.mount = wb_strdup(s->mount),
			.key_prefix = wb_strdup(""),
		};
	}
	return true;
}

/* Moves the planned external_data entries to the end of the list that model_cache is in, each with
 * the comments above it. A flow list has no place for comments: they stay behind. */
static void append_external(struct job *j, const struct wb_yaml_node *list,
	const struct wb_yaml_node *key, const struct wb_yaml_node *old)
{
	struct wb_edits *e = &j->e;
	size_t last_end = wb_node_end(e, list->items[list->n - 1]);
	size_t at = list->flow ? last_end : wb_line_end(e, last_end);
	size_t indent = list->pos.column - 1, from = wb_line_end(e, key->end);
	wb_autofree char *stay = NULL;

	if (from < old->items[0]->start)
		wb_edit_comments(e, &stay, key->end, from, key->pos.column - 1);
	for (size_t i = 0; i < old->n; i++) {
		wb_autofree char *entry = wb_migrate_entry_text(
			e, &j->entries.items[j->from_cache + i], indent, list->flow);
		wb_autofree char *above = NULL;

		if (from < old->items[i]->start)
			wb_edit_comments(e, list->flow ? &stay : &above, from, old->items[i]->start,
				list->flow ? key->pos.column - 1 : indent);
		wb_autofree char *text =
			wb_asprintf("%s%s%s", above ? above : "", list->flow ? ", " : "", entry);

		wb_edit_replace(e, at, at, text);
		from = wb_line_end(e, wb_node_end(e, old->items[i]));
	}
	wb_edit_lines(e, key->start, wb_node_end(e, old), stay ? stay : "");
}

/* --- the whole --- */

static int unsafe(struct job *j, struct wb_pos pos, struct wb_err *err)
{
	wb_err_at(err, j->c->findings.file, pos.line, pos.column,
		"anchors, merged mappings and comments inside {} are not edited safely");
	return wb_err_hint(err, "write this entry out in plain YAML, then migrate");
}

static int edit_entries(struct job *j, size_t n, struct wb_err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct wb_pos where;

		if (wb_migrate_entry(&j->e, &j->entries.items[i], &j->m->notes, &where))
			return unsafe(j, where, err);
	}
	return 0;
}

static void drop_empty_weights(struct job *j)
{
	const struct wb_yaml_node *key = wb_yaml_get_key(j->root, "weights");

	if (key)
		wb_migrate_drop_pair(&j->e, key, wb_yaml_get(j->root, "weights"));
}

/* A key of the file and the list under it. */
struct section {
	const struct wb_yaml_node *key, *list;
};

/* false: it is not there, or empty. */
static bool find_section(struct section *out, const struct job *j, const char *name)
{
	out->key = wb_yaml_get_key(j->root, name);
	out->list = wb_yaml_get(j->root, name);
	return out->key && out->list && out->list->kind == WB_YAML_SEQUENCE && out->list->n;
}

/* An alias or an anchor in place of a plain list. */
static bool list_shared(const struct job *j, const struct section *s)
{
	return s->list->alias || strchr("&!", j->e.src[s->list->start]);
}

static void rename_key(struct job *j, const struct section *s)
{
	drop_empty_weights(j);
	wb_edit_replace(&j->e, s->key->start, s->key->end, "weights");
}

static int edit_cache(struct job *j, const struct section *cache, struct wb_err *err)
{
	struct section external;
	bool more = find_section(&external, j, "external_data");

	if (list_shared(j, cache))
		return unsafe(j, cache->list->pos, err);
	plan_cache(j, cache->list);
	more = more && plan_external(j, external.list);
	if (more && list_shared(j, &external))
		return unsafe(j, external.list->pos, err);
	if (edit_entries(j, j->from_cache, err))
		return -1;
	if (more)
		append_external(j, cache->list, external.key, external.list);
	rename_key(j, cache);
	wb_migrate_start_command(&j->e, j->root, &j->m->notes);
	return 0;
}

static int edit_external(struct job *j, const struct section *external, struct wb_err *err)
{
	if (list_shared(j, external))
		return unsafe(j, external->list->pos, err);
	if (!plan_external(j, external->list))
		return 0;
	if (edit_entries(j, j->entries.n, err))
		return -1;
	rename_key(j, external);
	return 0;
}

/* Plans and makes the edits; none where there is nothing to migrate. */
static int edit(struct job *j, struct wb_err *err)
{
	bool old_name = !wb_yaml_get(j->root, "model_cache");
	struct section s, weights;
	bool has_cache = find_section(&s, j, old_name ? "hf_cache" : "model_cache");

	if (find_section(&weights, j, "weights")) {
		note(j, WB_SEV_NOTE, "nothing-to-migrate", (struct wb_pos){0}, NULL,
			"Config already uses the weights API. Nothing to migrate.");
		return 0;
	}
	if (!has_cache && !find_section(&s, j, "external_data")) {
		note(j, WB_SEV_NOTE, "nothing-to-migrate", (struct wb_pos){0}, NULL,
			"No model_cache or external_data found. Nothing to migrate.");
		return 0;
	}
	if (j->root->flow)
		return unsafe(j, j->root->pos, err);
	return has_cache ? edit_cache(j, &s, err) : edit_external(j, &s, err);
}

/* --- the result --- */

static bool as_planned(const struct job *j, const struct wb_config *c)
{
	size_t i = 0;

	wb_vec_foreach (s, &c->sources) {
		if (s->kind != WB_ENTRY_WEIGHTS)
			continue;
		const struct wb_migrate_entry *x = i < j->entries.n ? &j->entries.items[i] : NULL;

		i++;
		if (!x || strcmp(s->mount, x->mount) != 0 || !wb_uri_equal(&s->uri, &x->old->uri))
			return false;
		if ((s->auth.secret_name == NULL) != (x->secret == NULL) ||
			(x->secret && strcmp(s->auth.secret_name, x->secret) != 0))
			return false;
	}
	return i == j->entries.n;
}

static int not_editable(const char *name, struct wb_err *err)
{
	wb_err_set(err, WB_ERR_UNSUPPORTED,
		"the entries of \"%s\" are written in a form that is not edited safely", name);
	return wb_err_hint(err, "write them as plain block YAML, one key a line, then migrate");
}

/* The new text must mean what was planned: nobody should have to find out at the next build. */
static int verify(struct job *j, const char *dir, const char *name, struct wb_err *err)
{
	struct wb_config c;
	struct wb_err why = WB_ERR_INIT;
	int rc = wb_config_parse(&c, j->m->text, j->m->n, dir, name, &why);

	if (rc)
		rc = wb_err_set(err, WB_ERR_UNSUPPORTED,
			"the migrated text would not be valid (line %u: %s)", why.line, why.text);
	else if (!as_planned(j, &c))
		rc = not_editable(name, err);
	wb_config_release(&c);
	return rc;
}

static int migrate(struct job *j, const char *dir, const char *name, struct wb_err *err)
{
	if (edit(j, err))
		return -1;
	if (!j->entries.n)
		return 0;
	j->m->text = wb_edits_apply(&j->e, &j->m->n);
	return j->m->text ? verify(j, dir, name, err) : not_editable(name, err);
}

int wb_migrate(struct wb_migration *out, const char *text, size_t n, const char *dir,
	const char *name, struct wb_err *err)
{
	static const struct wb_yaml_node nothing = {.kind = WB_YAML_MAPPING};
	struct wb_migration m = WB_MIGRATION_INIT;
	struct wb_config c;
	struct wb_yaml y = WB_YAML_INIT;
	struct wb_findings ignored = {0};
	struct job j = {.c = &c, .m = &m};
	int rc = wb_config_parse(&c, text, n, dir, name, err);

	m.notes.file = wb_strdup(name);
	wb_edits_init(&j.e, text, n);
	if (rc == 0 && (rc = wb_yaml_parse(&y, text, n, &ignored)) == 0) {
		j.root = y.root && y.root->kind == WB_YAML_MAPPING ? y.root : &nothing;
		rc = migrate(&j, dir, name, err);
	}
	entries_release(&j);
	wb_edits_release(&j.e);
	wb_findings_release(&ignored);
	wb_yaml_release(&y);
	wb_config_release(&c);
	if (rc)
		wb_migration_release(&m);
	else
		*out = m;
	return rc;
}
