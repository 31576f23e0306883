/* hf://: the Hugging Face Hub (specs: docs/hub API, huggingface_hub's client). A revision becomes a
 * commit first, and everything after names that commit, so that a branch which moves meanwhile
 * changes nothing. One call lists a thousand files with sizes and digests; bytes come through
 * /resolve/, which redirects to a CDN with an address that needs no token. */
#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/text.h"
#include "builder/source/kind.h"

struct hf {
	char *endpoint;     /* without a slash at its end */
	const char *prefix; /* "", "datasets/", "spaces/" before the repository in page addresses */
	const char *api;    /* "models", "datasets", "spaces" */
	struct wb_secret *token; /* "Bearer …", or NULL */
	bool named_secret_missing;
};

static struct wb_secret *bearer(const struct wb_secret *token)
{
	char *line = wb_asprintf("Bearer %s", wb_secret_reveal(token));
	struct wb_secret *s =
		wb_secret_new_session(wb_secret_name(token), line, strlen(line), true);

	wb_wipe(line, strlen(line));
	free(line);
	return s;
}

static char *token_path(void)
{
	const char *home = wb_env("HF_HOME"), *cache = wb_env("XDG_CACHE_HOME");

	if (wb_env("HF_TOKEN_PATH"))
		return wb_strdup(wb_env("HF_TOKEN_PATH"));
	if (home)
		return wb_path_join(home, "token");
	if (cache)
		return wb_path_join(cache, "huggingface/token");
	return wb_env("HOME") ? wb_path_join(wb_env("HOME"), ".cache/huggingface/token") : NULL;
}

/* The config's secret, then what the hub's own client would use. */
static struct wb_secret *find_token(struct hf *s, const struct wb_remote *r, struct wb_err *err)
{
	const char *name = r->src->auth.secret_name;
	struct wb_secret *token = name ? wb_secrets_find(r->o.secrets, name, err) : NULL;

	if (token || err->code != WB_OK)
		return token;
	s->named_secret_missing = name && r->src->auth.secret_explicit;
	token = wb_secrets_env("HF_TOKEN");
	if (!token)
		token = wb_secrets_env("HUGGING_FACE_HUB_TOKEN");
	if (token || wb_env_true("HF_HUB_DISABLE_IMPLICIT_TOKEN"))
		return token;
	wb_autofree char *path = token_path();

	return path ? wb_secrets_file("hf token", path, err) : NULL;
}

static int hf_open(struct wb_remote *r, struct wb_err *err)
{
	struct hf *s = wb_zalloc(sizeof(*s));
	const char *endpoint = wb_env("HF_ENDPOINT");

	r->state = s;
	s->endpoint =
		wb_endpoint(endpoint ? endpoint : "https://huggingface.co", "HF_ENDPOINT", err);
	if (!s->endpoint)
		return -1;
	switch (r->src->uri.hf_kind) {
	case WB_HF_MODEL:
		s->prefix = "";
		s->api = "models";
		break;
	case WB_HF_DATASET:
		s->prefix = "datasets/";
		s->api = "datasets";
		break;
	case WB_HF_SPACE:
		s->prefix = "spaces/";
		s->api = "spaces";
		break;
	}
	wb_err_clear(err);
	WB_AUTO(wb_secret_unrefp) struct wb_secret *token = find_token(s, r, err);

	if (err->code != WB_OK)
		return -1;
	s->token = token ? bearer(token) : NULL;
	return 0;
}

static void hf_free(void *state)
{
	struct hf *s = state;

	free(s->endpoint);
	wb_secret_unref(s->token);
	free(s);
}

bool wb_hf_is_commit(const char *revision)
{
	size_t n = strspn(revision, "0123456789abcdef");

	return n == 40 && revision[n] == '\0';
}

static int make_plain(
	struct wb_remote_request *rq, struct wb_remote *r, void *arg, struct wb_err *err)
{
	struct hf *s = r->state;

	rq->url = wb_strdup(arg);
	rq->authorization = s->token ? wb_secret_ref(s->token) : NULL;
	return 0;
}

static char *api_url(const struct wb_remote *r, const char *call, const char *revision)
{
	const struct hf *s = r->state;
	wb_autofree char *repo = wb_url_encode(r->src->uri.repo, strlen(r->src->uri.repo), "/");
	wb_autofree char *rev = wb_url_encode(revision, strlen(revision), NULL);

	return wb_asprintf("%s/api/%s/%s/%s/%s", s->endpoint, s->api, repo, call, rev);
}

static int resolve(char **commit, struct wb_remote *r, struct wb_err *err)
{
	const char *revision = *r->src->uri.revision ? r->src->uri.revision : "main";
	WB_AUTO(wb_http_result_release) struct wb_http_result res = WB_HTTP_RESULT_INIT;
	const char *sha;

	if (wb_hf_is_commit(revision)) {
		*commit = wb_strdup(revision);
		return 0;
	}
	wb_autofree char *url = api_url(r, "revision", revision);

	if (wb_remote_get(&res, r, make_plain, url, WB_PAGE_MAX, err))
		return -1;
	wb_autojson json_t *j = wb_json_parse(
		res.response.body.data, res.response.body.len, "repository info", err);

	if (!j || wb_json_str(&sha, j, "sha", "repository info", err))
		return -1;
	if (!wb_hf_is_commit(sha))
		return wb_err_set(
			err, WB_ERR_FORMAT, "the hub gave no commit for \"%s\"", revision);
	*commit = wb_strdup(sha);
	return 0;
}

static int add_file(struct wb_listing *l, const json_t *item, struct wb_err *err)
{
	static const char what[] = "file listing";
	const json_t *lfs = json_object_get(item, "lfs");
	const char *path, *oid;
	uint64_t size;

	if (wb_json_str(&path, item, "path", what, err) ||
		wb_json_u64(&size, lfs ? lfs : item, "size", what, err) ||
		wb_json_str(&oid, lfs ? lfs : item, "oid", what, err))
		return -1;
	struct wb_remote_file *f = wb_listing_add(l, path, size, err);

	if (!f)
		return -1;
	if (wb_str_starts(oid, "sha256:"))
		oid += 7;
	if (lfs)
		f->known.has_sha256 = wb_digest_parse_hex(&f->known.sha256, oid, strlen(oid));
	else
		f->known.has_git_sha1 =
			strlen(oid) == 40 && wb_unhex(f->known.git_sha1, oid, 20, false);
	if (!f->known.has_sha256 && !f->known.has_git_sha1)
		return wb_err_set(
			err, WB_ERR_FORMAT, "the hub gave no usable digest for \"%s\"", path);
	free(f->etag);
	f->etag = wb_strdup(oid);
	f->identity = wb_known_identity(&f->known, size, oid);
	return 0;
}

int wb_hf_tree_parse(struct wb_listing *l, const char *p, size_t n, struct wb_err *err)
{
	wb_autojson json_t *j = wb_json_parse(p, n, "file listing", err);
	size_t i;
	json_t *item;

	if (!j)
		return -1;
	if (!json_is_array(j))
		return wb_err_set(err, WB_ERR_FORMAT, "file listing is not a list");
	json_array_foreach (j, i, item) {
		const char *type = wb_json_str_opt(item, "type");

		if (type && strcmp(type, "file") == 0 && add_file(l, item, err))
			return -1;
	}
	return 0;
}

/* Link: <https://…>; rel="next" (RFC 8288); the address may be relative. NULL when there is none.
 */
char *wb_link_next(const char *value)
{
	for (const char *p = value; p && (p = strchr(p, '<'));) {
		const char *end = strchr(p, '>');

		if (!end)
			return NULL;
		const char *params = end + 1;
		size_t n = strcspn(params, ",<");
		wb_autofree char *text = wb_strndup(params, n);

		if (strstr(text, "rel=\"next\"") || strstr(text, "rel=next"))
			return wb_strndup(p + 1, (size_t)(end - p) - 1);
		p = params + n;
	}
	return NULL;
}

/* Credentials go to the hub and nobody else, so a page elsewhere is no page. */
static char *next_page(const struct wb_http_result *res, const char *url, struct wb_err *err)
{
	wb_autofree char *link = wb_link_next(wb_http_result_header(res, "Link"));
	wb_autofree char *next = link ? wb_url_resolve(url, link, err) : NULL;

	if (next && !wb_url_same_origin(url, next)) {
		wb_err_set(err, WB_ERR_FORMAT, "the next page of the listing is on another host");
		return NULL;
	}
	return wb_steal(next);
}

static int hf_list(struct wb_listing *out, struct wb_remote *r, struct wb_err *err)
{
	if (wb_env_true("HF_HUB_OFFLINE"))
		return wb_err_set(
			err, WB_ERR_UNSUPPORTED, "HF_HUB_OFFLINE is set: the hub is not asked");
	if (resolve(&out->revision, r, err))
		return -1;
	wb_autofree char *tree = api_url(r, "tree", out->revision);
	wb_autofree char *url = wb_asprintf("%s?recursive=true&expand=false", tree);
	WB_AUTO(wb_pages_release) struct wb_pages pages = {0};

	while (url) {
		WB_AUTO(wb_http_result_release) struct wb_http_result res = WB_HTTP_RESULT_INIT;

		if (wb_remote_get(&res, r, make_plain, url, WB_PAGE_MAX, err) ||
			wb_hf_tree_parse(out, res.response.body.data, res.response.body.len, err))
			return -1;
		wb_err_clear(err);
		char *next = next_page(&res, url, err);

		free(url);
		url = next;
		if (err->code != WB_OK || (url && wb_pages_turn(&pages, url, out->files.n, err)))
			return -1;
	}
	return 0;
}

static int hf_request(struct wb_remote_request *out, struct wb_remote *r,
	const struct wb_remote_file *f, const struct wb_remote_want *want, struct wb_err *err)
{
	const struct hf *s = r->state;
	wb_autofree char *repo = wb_url_encode(r->src->uri.repo, strlen(r->src->uri.repo), "/");
	wb_autofree char *path = wb_url_encode(f->path, strlen(f->path), "/");

	out->url = wb_asprintf(
		"%s/%s%s/resolve/%s/%s", s->endpoint, s->prefix, repo, r->revision, path);
	out->authorization = s->token ? wb_secret_ref(s->token) : NULL;
	return 0;
}

static void explain_private(struct wb_err *err, const struct wb_remote *r, bool gated)
{
	const struct hf *s = r->state;
	const char *repo = r->src->uri.repo, *name = r->src->auth.secret_name;

	wb_err_set(err, gated ? WB_ERR_AUTH : err->code,
		gated ? "the repository \"%s\" is gated: access has to be granted first"
		      : "the repository \"%s\" does not exist, or is private or gated%s",
		repo, s->token ? " and this token may not read it" : "");
	if (s->named_secret_missing)
		wb_err_hint(err,
			"the secret \"%s\" that the config names was not found: give it with "
			"--secret "
			"id=%s,src=FILE, in WBUILD_SECRET_%s, as /run/secrets/%s, or set HF_TOKEN",
			name, name, name, name);
	else if (gated && s->token)
		wb_err_hint(err,
			"ask for access at %s/%s%s with the account that the token belongs to; the "
			"token needs the right to read gated repositories",
			s->endpoint, s->prefix, repo);
	else if (!s->token)
		wb_err_hint(err,
			"give a token: set HF_TOKEN, or name a secret in \"auth\" and give it with "
			"--secret id=%s,src=FILE",
			name ? name : "hf_access_token");
	else
		wb_err_hint(err, "check the name, and that the token has the right to read it");
}

static void hf_refused(
	struct wb_err *err, struct wb_remote *r, const char *path, const struct wb_refusal *refusal)
{
	const char *code = refusal->code ? refusal->code : "";
	const char *message = refusal->message ? refusal->message : "";
	wb_autofree char *shown = wb_text_quote(message, 300);
	int status = err->http_status;
	const char *revision = *r->revision ? r->revision : r->src->uri.revision;
	const struct hf *s = r->state;

	if (!wb_url_same_origin(s->endpoint, refusal->response->effective_url))
		return; /* the CDN's answer says nothing about the repository */
	if (!strcmp(code, "GatedRepo")) {
		explain_private(err, r, true);
	} else if (!strcmp(code, "RevisionNotFound")) {
		wb_err_set(err, WB_ERR_NOT_FOUND, "the repository \"%s\" has no revision \"%s\"",
			r->src->uri.repo, *revision ? revision : "main");
		wb_err_hint(err, "name a branch, a tag, refs/pr/N or a full commit after the @");
	} else if (!strcmp(code, "EntryNotFound")) {
		wb_err_set(err, WB_ERR_NOT_FOUND, "\"%s\" is not in \"%s\" at %s", path ? path : "",
			r->src->uri.repo, revision);
	} else if (strstr(message, "Invalid credentials") || strstr(message, "expired")) {
		wb_err_set(err, WB_ERR_AUTH, "the hub does not accept the token (%s)", shown);
		wb_err_hint(err, "it may have expired or been revoked: make a new one");
	} else if (strstr(message, "is disabled")) {
		wb_err_set(err, WB_ERR_AUTH, "the repository \"%s\" is disabled (%s)",
			r->src->uri.repo, shown);
	} else if (!strcmp(code, "RepoNotFound") || status == 401 || status == 403) {
		explain_private(err, r, false);
	} else if (status == 429) {
		wb_err_hint(err, "the hub limits requests for each address and account: a token "
				 "raises the limit; or lower --connections");
	}
	err->http_status = status;
}

const struct wb_kind wb_kind_hf = {
	.open = hf_open,
	.list = hf_list,
	.request = hf_request,
	.refused = hf_refused,
	.free = hf_free,
};
