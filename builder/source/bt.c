/* bt://: checkpoints of Baseten Training. A project's name, a job and a checkpoint become a list of
 * files with addresses that are signed for a short time; they are asked for again when they run
 * out. The platform tells sizes and no digests. */
#include <assert.h>
#include <string.h>
#include <uthash.h>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "builder/source/kind.h"

#define PAGE_SIZE 1000

struct address {
	char *path, *url;
	UT_hash_handle hh;
};

struct bt {
	char *base;
	struct wb_secret *authorization;
	struct address *addresses; /* by path; those of the last listing */
};

static int bt_open(struct wb_remote *r, struct wb_err *err)
{
	struct bt *s = wb_zalloc(sizeof(*s));
	const char *base = wb_env("BASETEN_API_URL"), *name = r->src->auth.secret_name;

	r->state = s;
	s->base = wb_endpoint(base ? base : "https://api.baseten.co", "BASETEN_API_URL", err);
	if (!s->base)
		return -1;
	wb_err_clear(err);
	WB_AUTO(wb_secret_unrefp)
	struct wb_secret *key = name ? wb_secrets_find(r->o.secrets, name, err) : NULL;

	if (err->code != WB_OK)
		return -1;
	if (!key)
		key = wb_secrets_env("BASETEN_API_KEY");
	if (!key) {
		wb_err_set(err, WB_ERR_AUTH, "bt:// sources need an API key");
		return wb_err_hint(err, "set BASETEN_API_KEY");
	}
	char *line = wb_asprintf("Api-Key %s", wb_secret_reveal(key));

	s->authorization = wb_secret_new_session("BASETEN_API_KEY", line, strlen(line), true);
	wb_wipe(line, strlen(line));
	free(line);
	return 0;
}

static void addresses_clear(struct bt *s)
{
	struct address *a, *next;

	HASH_ITER (hh, s->addresses, a, next) {
		HASH_DEL(s->addresses, a);
		free(a->path);
		free(a->url);
		free(a);
	}
}

static void bt_free(void *state)
{
	struct bt *s = state;

	addresses_clear(s);
	wb_secret_unref(s->authorization);
	free(s->base);
	free(s);
}

static int make_get(
	struct wb_remote_request *rq, struct wb_remote *r, void *arg, struct wb_err *err)
{
	const struct bt *s = r->state;

	rq->url = wb_asprintf("%s/%s", s->base, (const char *)arg);
	rq->authorization = wb_secret_ref(s->authorization);
	return 0;
}

/* GET of a path below the API -> parsed object. */
static json_t *api_get(struct wb_remote *r, const char *path, struct wb_err *err)
{
	WB_AUTO(wb_http_result_release) struct wb_http_result res = WB_HTTP_RESULT_INIT;

	if (wb_remote_get(&res, r, make_get, (void *)path, WB_PAGE_MAX, err))
		return NULL;
	return wb_json_parse(res.response.body.data, res.response.body.len, path, err);
}

static char *encoded(const char *s)
{
	assert(s);
	return wb_url_encode(s, strlen(s), NULL);
}

static int find_project(char **id, struct wb_remote *r, struct wb_err *err)
{
	wb_autojson json_t *j = api_get(r, "v1/training_projects", err);
	const char *wanted = r->src->uri.repo;
	json_t *item;
	size_t i;

	if (!j)
		return -1;
	json_array_foreach (json_object_get(j, "training_projects"), i, item) {
		const char *name = wb_json_str_opt(item, "name"),
			   *own = wb_json_str_opt(item, "id");

		if (own && ((name && !strcmp(name, wanted)) || !strcmp(own, wanted))) {
			*id = wb_strdup(own);
			return 0;
		}
	}
	wb_err_set(err, WB_ERR_NOT_FOUND, "there is no training project \"%s\"", wanted);
	return wb_err_hint(err, "the API key sees %zu projects; check the name and the key's team",
		json_array_size(json_object_get(j, "training_projects")));
}

/* The item with the greatest created_at (ISO 8601 in UTC sorts as text). */
static const json_t *newest(const json_t *list)
{
	const json_t *best = NULL;
	const char *when = "";
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *at = wb_json_str_opt(item, "created_at");

		if (!best || (at && strcmp(at, when) > 0)) {
			best = item;
			when = at ? at : "";
		}
	}
	return best;
}

static int find_job(char **job, const char *project, struct wb_remote *r, struct wb_err *err)
{
	if (*r->src->uri.revision) {
		*job = wb_strdup(r->src->uri.revision);
		return 0;
	}
	wb_autofree char *p = encoded(project);
	wb_autofree char *path = wb_asprintf("v1/training_projects/%s/jobs", p);
	wb_autojson json_t *j = api_get(r, path, err);
	const char *id =
		j ? wb_json_str_opt(newest(json_object_get(j, "training_jobs")), "id") : NULL;

	if (!j)
		return -1;
	if (!id)
		return wb_err_set(err, WB_ERR_NOT_FOUND, "the training project \"%s\" has no job",
			r->src->uri.repo);
	*job = wb_strdup(id);
	return 0;
}

static int find_checkpoint(
	char **name, const char *project, const char *job, struct wb_remote *r, struct wb_err *err)
{
	if (*r->src->uri.path) {
		*name = wb_strdup(r->src->uri.path);
		return 0;
	}
	wb_autofree char *p = encoded(project), *jid = encoded(job);
	wb_autofree char *path = wb_asprintf("v1/training_projects/%s/jobs/%s/checkpoints", p, jid);
	wb_autojson json_t *j = api_get(r, path, err);
	const char *id =
		j ? wb_json_str_opt(newest(json_object_get(j, "checkpoints")), "checkpoint_id")
		  : NULL;

	if (!j)
		return -1;
	if (!id)
		return wb_err_set(
			err, WB_ERR_NOT_FOUND, "the training job \"%s\" has no checkpoint", job);
	*name = wb_strdup(id);
	return 0;
}

/* A job's id alone: the platform is asked which project it belongs to. */
static int project_of_job(char **id, struct wb_remote *r, const char *job, struct wb_err *err)
{
	const struct bt *s = r->state;
	WB_AUTO(wb_http_result_release) struct wb_http_result res = WB_HTTP_RESULT_INIT;
	static const char *const headers[] = {"Content-Type: application/json", NULL};
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	wb_autojson json_t *ask = json_object();

	wb_json_set_str(ask, "job_id", job);
	wb_autofree char *body = wb_json_dump(ask);
	wb_autofree char *url = wb_asprintf("%s/v1/training_jobs/search", s->base);

	p.method = WB_HTTP_POST;
	p.url = url;
	p.headers = headers;
	p.authorization = s->authorization;
	p.body = body;
	p.body_len = strlen(body);
	p.idempotent = true;
	if (wb_http_perform(&res, r->o.http, &p, err))
		return -1;
	struct wb_refusal refusal = wb_refusal_of_result(&res);

	if (res.response.status >= 300)
		return wb_remote_refused(err, r, NULL, &refusal);
	wb_autojson json_t *j =
		wb_json_parse(res.response.body.data, res.response.body.len, "job search", err);

	if (!j)
		return -1;
	const json_t *first = json_array_get(json_object_get(j, "training_jobs"), 0);
	const char *project = wb_json_str_opt(json_object_get(first, "training_project"), "id");

	if (!project)
		return wb_err_set(err, WB_ERR_NOT_FOUND, "there is no training job \"%s\"", job);
	*id = wb_strdup(project);
	return 0;
}

struct files {
	struct wb_listing *l;
	struct bt *s;
	const char *job, *checkpoint; /* checkpoint NULL: everything, below "rank-<node>/" */
	size_t other_nodes;
	bool insecure;
};

static void remember(struct bt *s, const char *path, const char *url)
{
	struct address *a;

	HASH_FIND_STR(s->addresses, path, a);
	if (!a) {
		a = wb_zalloc(sizeof(*a));
		a->path = wb_strdup(path);
		HASH_ADD_KEYPTR(hh, s->addresses, a->path, strlen(a->path), a);
	}
	free(a->url);
	a->url = wb_strdup(url);
}

static int add_file(struct files *fs, const json_t *item, struct wb_err *err)
{
	const char *url, *name, *when = wb_json_str_opt(item, "last_modified");
	uint64_t node = wb_json_u64_opt(item, "node_rank", 0), size;
	size_t skip = fs->checkpoint ? strlen(fs->checkpoint) : 0;

	if (wb_json_str(&url, item, "url", "checkpoint files", err) ||
		wb_json_str(&name, item, "relative_file_name", "checkpoint files", err) ||
		wb_json_u64(&size, item, "size_bytes", "checkpoint files", err))
		return -1;
	if (wb_url_check_named(fs->s->base, url, fs->insecure, "a file's address", err))
		return -1;
	if (fs->checkpoint && (strncmp(name, fs->checkpoint, skip) != 0 || name[skip] != '/'))
		return 0;
	if (fs->checkpoint && node > 0) { /* every node writes the same names */
		fs->other_nodes++;
		return 0;
	}
	wb_autofree char *path =
		fs->checkpoint ? wb_strdup(name + skip + 1)
			       : wb_asprintf("rank-%llu/%s", (unsigned long long)node, name);
	struct wb_remote_file *f = wb_listing_add(fs->l, path, size, err);

	if (!f)
		return -1;
	remember(fs->s, path, url);
	free(f->etag);
	f->etag = wb_etag_text(when);
	f->identity = wb_asprintf("bt:%s:%llu:%s:%s:%llu", fs->job, (unsigned long long)node, name,
		f->etag, (unsigned long long)size);
	return 0;
}

static int list_files(struct files *fs, struct wb_remote *r, const char *path, struct wb_err *err)
{
	WB_AUTO(wb_pages_release) struct wb_pages pages = {0};
	wb_autofree char *token = NULL;

	for (;;) {
		wb_autofree char *t = token ? encoded(token) : NULL;
		wb_autofree char *full = wb_asprintf("%s?page_size=%d%s%s", path, PAGE_SIZE,
			t ? "&page_token=" : "", t ? t : "");
		wb_autojson json_t *j = api_get(r, full, err);
		const char *next = j ? wb_json_str_opt(j, "next_page_token") : NULL;
		json_t *item;
		size_t i;

		if (!j)
			return -1;
		json_array_foreach (json_object_get(j, "presigned_urls"), i, item)
			if (add_file(fs, item, err))
				return -1;
		if (!next || !*next)
			return 0;
		if (wb_pages_turn(&pages, next, fs->l->files.n, err))
			return -1;
		free(token);
		token = wb_strdup(next);
	}
}

static int list_loops(struct wb_listing *out, struct wb_remote *r, struct wb_err *err)
{
	const char *id = r->src->uri.repo + strlen("loops:");
	wb_autofree char *safe = encoded(id);
	wb_autofree char *path = wb_asprintf("v1/loops/checkpoints/%s/files", safe);
	struct files fs = {.l = out, .s = r->state, .job = id, .insecure = r->o.insecure};

	out->revision = wb_strdup(id);
	return list_files(&fs, r, path, err);
}

/* The job and checkpoint of an earlier listing ("job/checkpoint"), when the remote is pinned to
 * one. */
static void pinned(char **job, char **checkpoint, const struct wb_remote *r)
{
	const char *slash = strchr(r->revision, '/');

	if (!*r->revision)
		return;
	*job = wb_strndup(r->revision, slash ? (size_t)(slash - r->revision) : strlen(r->revision));
	*checkpoint = slash ? wb_strdup(slash + 1) : NULL;
}

static int bt_list(struct wb_listing *out, struct wb_remote *r, struct wb_err *err)
{
	const struct wb_uri *u = &r->src->uri;
	wb_autofree char *project = NULL, *job = NULL, *checkpoint = NULL;
	bool whole_job = !*u->repo;

	addresses_clear(r->state);
	if (wb_str_starts(u->repo, "loops:"))
		return list_loops(out, r, err);
	if (whole_job ? project_of_job(&project, r, u->revision, err)
		      : find_project(&project, r, err))
		return -1;
	pinned(&job, &checkpoint, r);
	if ((!job && find_job(&job, project, r, err)) ||
		(!whole_job && !checkpoint && find_checkpoint(&checkpoint, project, job, r, err)))
		return -1;
	wb_autofree char *p = encoded(project), *jid = encoded(job);
	wb_autofree char *path =
		wb_asprintf("v1/training_projects/%s/jobs/%s/checkpoint_files", p, jid);
	struct files fs = {.l = out,
		.s = r->state,
		.job = job,
		.checkpoint = checkpoint,
		.insecure = r->o.insecure};

	if (list_files(&fs, r, path, err))
		return -1;
	if (fs.other_nodes)
		wb_warn("%s: %zu files of nodes other than the first are left out", u->text,
			fs.other_nodes);
	out->revision = checkpoint ? wb_asprintf("%s/%s", job, checkpoint) : wb_strdup(job);
	return 0;
}

static int bt_request(struct wb_remote_request *out, struct wb_remote *r,
	const struct wb_remote_file *f, const struct wb_remote_want *want, struct wb_err *err)
{
	struct bt *s = r->state;
	struct address *a;

	if (!s->addresses) { /* never listed (a lockfile), or they ran out */
		WB_AUTO(wb_listing_release) struct wb_listing again = WB_LISTING_INIT;

		if (bt_list(&again, r, err))
			return -1;
	}
	HASH_FIND_STR(s->addresses, f->path, a);
	if (!a)
		return wb_err_set(
			err, WB_ERR_NOT_FOUND, "\"%s\" is not in the checkpoint any more", f->path);
	out->url = wb_strdup(a->url);
	return 0;
}

static void bt_refused(
	struct wb_err *err, struct wb_remote *r, const char *path, const struct wb_refusal *refusal)
{
	if (!path && (err->http_status == 401 || err->http_status == 403))
		wb_err_hint(err, "check BASETEN_API_KEY");
}

static bool bt_refresh(struct wb_remote *r, const struct wb_refusal *refusal)
{
	struct bt *s = r->state;
	int status = refusal->response->status;

	if (!s->addresses || (status != 400 && status != 401 && status != 403))
		return false;
	addresses_clear(s);
	return true;
}

const struct wb_kind wb_kind_bt = {
	.open = bt_open,
	.list = bt_list,
	.request = bt_request,
	.refused = bt_refused,
	.refresh = bt_refresh,
	.free = bt_free,
};
