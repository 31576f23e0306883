/* `model_cache` (and its old name `hf_cache`): repositories and buckets to bake or to fetch at
 * start. */
#include "builder/config/model.h"

#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "builder/config/cache_entry.h"
#include "builder/config/uri.h"

static const struct {
	const char *name;
	enum wb_scheme scheme;
} kinds[] = {{"hf", WB_SCHEME_HF}, {"gcs", WB_SCHEME_GS}, {"s3", WB_SCHEME_S3},
	{"azure", WB_SCHEME_AZURE}, {"r2", WB_SCHEME_R2}};

/* The scheme that `kind` stands for; hf when it is left out. */
static bool read_kind(enum wb_scheme *out, const struct wb_read *r)
{
	const char *kind = wb_read_str(r, "kind");

	*out = WB_SCHEME_HF;
	if (!kind)
		return true;
	for (size_t i = 0; i < WB_ARRAY_LEN(kinds); i++) {
		if (strcmp(kind, kinds[i].name) != 0)
			continue;
		*out = kinds[i].scheme;
		return true;
	}
	wb_read_error(r, "bad-kind", wb_read_pos(r, "kind"), NULL,
		"\"%s\" is \"%s\", but Input should be 'hf', 'gcs', 's3', 'azure' or 'r2'",
		wb_read_name(r, "kind").s, kind);
	return false;
}

/* An @ in a key is part of it here, where revisions have a key of their own. */
static char *quote_at(const char *repo)
{
	char *out = wb_alloc(3 * strlen(repo) + 1), *end = out;

	for (; *repo; repo++) {
		if (*repo == '@')
			end = mempcpy(end, "%40", 3);
		else
			*end++ = *repo;
	}
	*end = '\0';
	return out;
}

char *wb_cache_address(enum wb_scheme kind, const char *repo, const char *revision)
{
	char *blob = NULL;

	if (wb_uri_from_blob_url(&blob, repo))
		return blob;
	bool hf = strstr(repo, "://") ? wb_str_starts(repo, "hf://") : kind == WB_SCHEME_HF;
	const char *scheme = strstr(repo, "://") ? "" : wb_scheme_name(kind);
	wb_autofree char *key = hf ? wb_strdup(repo) : quote_at(repo);

	return wb_asprintf("%s%s%s%s%s", scheme, *scheme ? "://" : "", key,
		hf && *revision ? "@" : "", hf ? revision : "");
}

static bool check_scheme(const struct wb_read *r, enum wb_scheme kind, enum wb_scheme scheme)
{
	if (scheme == WB_SCHEME_BT || scheme == WB_SCHEME_HTTP || scheme == WB_SCHEME_FILE) {
		wb_read_error(r, "bad-source", wb_read_pos(r, "repo_id"),
			"put other sources under \"weights\"",
			"\"%s\" takes Hugging Face repositories and buckets, not %s://",
			wb_read_name(r, "repo_id").s, wb_scheme_name(scheme));
		return false;
	}
	if (kind == WB_SCHEME_HF || kind == scheme)
		return true;
	wb_read_error(r, "bad-kind", wb_read_pos(r, "kind"), NULL,
		"\"%s\" does not fit the %s:// address in repo_id", wb_read_name(r, "kind").s,
		wb_scheme_name(scheme));
	return false;
}

static bool read_address(struct wb_source *s, const struct wb_read *r)
{
	const char *repo = wb_read_str_required(r, "repo_id");
	const char *revision = wb_read_str(r, "revision");
	enum wb_scheme kind;

	if (!read_kind(&kind, r) || !repo)
		return false;
	wb_autofree char *address = wb_cache_address(kind, repo, revision ? revision : "");

	if (wb_str_starts(repo, "https://huggingface.co/")) {
		wb_autofree char *hint = wb_asprintf(
			"write \"repo_id: %s\"", repo + strlen("https://huggingface.co/"));

		wb_read_error(r, "bad-source", wb_read_pos(r, "repo_id"), hint,
			"\"%s\" is a page's URL, not a repository's name",
			wb_read_name(r, "repo_id").s);
		return false;
	}
	if (!wb_model_uri(&s->uri, r, "repo_id", address, false) ||
		!check_scheme(r, kind, s->uri.scheme))
		return false;
	if (revision && *revision && s->uri.scheme != WB_SCHEME_HF)
		wb_read_warn(r, "revision-unused", wb_read_pos(r, "revision"), "remove it",
			"\"%s\" has no meaning for %s:// sources", wb_read_name(r, "revision").s,
			wb_scheme_name(s->uri.scheme));
	return true;
}

static bool place_volume(struct wb_source *s, const struct wb_read *r)
{
	const char *folder = wb_read_str(r, "volume_folder");

	if (s->uri.scheme == WB_SCHEME_HF && !*s->uri.revision) {
		wb_read_error(r, "revision-missing", wb_read_pos(r, "revision"),
			"add \"revision: main\", or better a commit",
			"Revision '' is insufficient for repo '%s'. Please a suitable commit sha "
			"under "
			"this `[link](https://huggingface.co/%s/commits/main)`",
			s->uri.repo, s->uri.repo);
		return false;
	}
	if (!folder || !*folder) {
		wb_read_error(r, "missing-key", wb_read_pos(r, "volume_folder"), NULL,
			"the key `volume_folder: str` is required for `use_volume=True` repos.");
		return false;
	}
	wb_autofree char *plain = wb_path_join(folder, "");
	const char *why = wb_path_unsafe(plain, strlen(plain));

	if (why) {
		wb_read_error(r, "bad-folder", wb_read_pos(r, "volume_folder"), NULL,
			"\"%s\" must be a folder name, but \"%s\" %s",
			wb_read_name(r, "volume_folder").s, folder, why);
		return false;
	}
	s->volume_folder = wb_steal(plain);
	s->mount = wb_asprintf("/app/model_cache/%s", s->volume_folder);
	s->layout = WB_LAYOUT_PLAIN;
	return true;
}

static bool place_baked(const struct wb_model *m, struct wb_source *s, const struct wb_read *r)
{
	const struct wb_yaml_node *folder = wb_read_node(r, "volume_folder");

	if (folder)
		wb_read_note(r, "volume-folder-unused", folder->pos, NULL,
			"\"%s\" has no effect with use_volume: false",
			wb_read_name(r, "volume_folder").s);
	if (s->uri.scheme == WB_SCHEME_HF) {
		s->layout = WB_LAYOUT_HF_CACHE;
		s->mount = wb_strdup(m->c->hf_cache_dir);
	} else {
		s->layout = WB_LAYOUT_BUCKET;
		s->mount = wb_asprintf("/app/model_cache/%s", s->uri.bucket);
	}
	return true;
}

static void read_secret(struct wb_source *s, const struct wb_read *r)
{
	const char *name = wb_read_str(r, "runtime_secret_name");

	s->auth.pos = wb_read_pos(r, "runtime_secret_name");
	if (name && *name) {
		s->auth.method = WB_AUTH_CUSTOM_SECRET;
		s->auth.secret_name = wb_strdup(name);
		s->auth.secret_explicit = true;
	} else if (s->uri.scheme == WB_SCHEME_HF) {
		/* Truss's default; a bucket's credentials are never found under that name */
		s->auth.secret_name = wb_strdup("hf_access_token");
	}
}

static bool read_entry(const struct wb_model *m, struct wb_source *s, const struct wb_read *r)
{
	static const char *const keys[] = {"repo_id", "revision", "allow_patterns",
		"ignore_patterns", "volume_folder", "use_volume", "kind", "runtime_secret_name",
		"<<", NULL};
	int use_volume = wb_read_bool(r, "use_volume");

	wb_read_unknown(r, keys);
	wb_model_patterns(&s->allow, r, "allow_patterns");
	wb_model_patterns(&s->ignore, r, "ignore_patterns");
	s->use_volume = use_volume == 1;
	if (!wb_read_node(r, "use_volume"))
		wb_read_note(r, "use-volume-left-out", r->map->pos,
			"add \"use_volume: false\": truss push requires the key",
			"\"%s\" is left out, taken as false: the files are baked into the image",
			wb_read_name(r, "use_volume").s);
	if (!read_address(s, r))
		return false;
	read_secret(s, r);
	return s->use_volume ? place_volume(s, r) : place_baked(m, s, r);
}

void wb_model_cache(struct wb_model *m)
{
	const char *key = wb_yaml_get(m->top.map, "model_cache") ? "model_cache" : "hf_cache";
	const struct wb_yaml_node *list = wb_read_list(&m->top, key);

	for (size_t i = 0; list && i < list->n; i++) {
		struct wb_source s = {.kind = WB_ENTRY_MODEL_CACHE, .dialect = WB_GLOB_FNMATCH};
		struct wb_read r;

		if (!wb_read_enter_item(&r, &m->top, key, list, i))
			continue;
		s.pos = r.map->pos;
		if (read_entry(m, &s, &r))
			*wb_vec_push(&m->c->sources) = s;
		else
			wb_source_release(&s);
	}
}
