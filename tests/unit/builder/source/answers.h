/* A server in this process that gives the answers it was told to give, for the tests of sources:
 * what is asked is kept as text, so that a test can look for what was and was not sent. */
#ifndef WB_TESTS_UNIT_SOURCE_ANSWERS_H
#define WB_TESTS_UNIT_SOURCE_ANSWERS_H

#include "builder/source/kind.h"
#include "httpd.h"
#include "source_util.h"

#define ANSWERS_MAX 16

struct answer {
	const char *match; /* part of "METHOD TARGET#" */
	int status;
	const char *headers, *body; /* NULL: none */
	unsigned times;             /* 0: for ever */
};

struct answers {
	struct httpd s;
	char url[64];
	pthread_mutex_t lock;
	struct answer list[ANSWERS_MAX];
	size_t n;
	char asked[256 << 10]; /* "METHOD TARGET\nheaders\nbody\n" of each request */
	struct wb_http *http;
	struct wb_secrets *secrets;
	struct source_log log;
};

static inline bool answers_handle(int fd, const struct httpd_request *r, void *arg)
{
	struct answers *a = arg;
	wb_autofree char *line = wb_asprintf("%s %s#", r->method, r->target);
	struct answer found = {.status = 404, .body = "nothing here"};

	pthread_mutex_lock(&a->lock);
	size_t at = strlen(a->asked);

	snprintf(a->asked + at, sizeof(a->asked) - at, "%s\n%s\n%s\n", line, r->head,
		r->body_len ? r->body : "");
	for (size_t i = 0; i < a->n; i++) {
		struct answer *it = &a->list[i];

		if (!it->match || !strstr(line, it->match))
			continue;
		found = *it;
		if (it->times && --it->times == 0)
			it->match = NULL;
		break;
	}
	/* Copied, because the test may be done with its texts before send() is with them. */
	wb_autofree char *headers = wb_strdup(found.headers);
	wb_autofree char *body = wb_strdup(found.body ? found.body : "");

	pthread_mutex_unlock(&a->lock);
	httpd_reply(fd, found.status, headers, body, strcmp(r->method, "HEAD") ? strlen(body) : 0);
	return true;
}

/* Those asked first are tried first. The texts must stay. */
static inline void answers_add(struct answers *a, struct answer it)
{
	assert_true(a->n < ANSWERS_MAX);
	pthread_mutex_lock(&a->lock);
	a->list[a->n++] = it;
	pthread_mutex_unlock(&a->lock);
}

/* Forgets answers and requests. */
static inline void answers_clear(struct answers *a)
{
	pthread_mutex_lock(&a->lock);
	a->n = 0;
	a->asked[0] = a->log.text[0] = '\0';
	pthread_mutex_unlock(&a->lock);
}

/* How many requests had this in their text. */
static inline unsigned answers_count(struct answers *a, const char *text)
{
	unsigned n = 0;

	pthread_mutex_lock(&a->lock);
	for (const char *p = a->asked; (p = strstr(p, text)); p += strlen(text))
		n++;
	pthread_mutex_unlock(&a->lock);
	return n;
}

static inline int answers_setup(void **state)
{
	/* What the machine has of its own must not be found. */
	static const char *const unset[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
		"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
		"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ENDPOINT_URL",
		"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS", "R2_ENDPOINT_URL", "CW_ENDPOINT_URL",
		"STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS",
		"CLOUDSDK_API_ENDPOINT_OVERRIDES_STS",
		"CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", "AZURE_STORAGE_CONNECTION_STRING",
		"AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_SAS_TOKEN",
		"BASETEN_API_URL", "BASETEN_API_KEY", "HF_TOKEN", "HF_ENDPOINT",
		"ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"};
	struct answers *a = wb_zalloc(sizeof(*a));
	struct wb_http_opts o = {.backoff_unit_s = 0.01, .retries = 2};
	struct wb_err err = WB_ERR_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(unset); i++)
		unsetenv(unset[i]);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent", 1);
	setenv("AWS_CONFIG_FILE", "/nonexistent", 1);
	setenv("HOME", "/nonexistent", 1);
	pthread_mutex_init(&a->lock, NULL);
	httpd_start(&a->s, answers_handle, a);
	snprintf(a->url, sizeof(a->url), "http://127.0.0.1:%u", a->s.port);
	a->http = wb_http_new(&o, &err);
	a->secrets = wb_secrets_new(NULL);
	wb_log_set_sink(source_sink, &a->log);
	*state = a;
	return a->http ? 0 : -1;
}

static inline int answers_teardown(void **state)
{
	struct answers *a = *state;

	wb_log_set_sink(NULL, NULL);
	wb_secrets_free(a->secrets);
	wb_http_free(a->http);
	httpd_stop(&a->s);
	pthread_mutex_destroy(&a->lock);
	free(a);
	return 0;
}

static inline struct wb_remote *answers_open(
	struct answers *a, const struct wb_source *src, struct wb_err *err)
{
	const struct wb_remote_opts o = {
		.http = a->http, .secrets = a->secrets, .config_file = "config.yaml"};

	return wb_remote_open(src, &o, err);
}

/* Opens and lists. */
static inline int answers_list(
	struct wb_listing *out, struct answers *a, const struct wb_source *src, struct wb_err *err)
{
	WB_AUTO(wb_remote_freep) struct wb_remote *r = answers_open(a, src, err);

	wb_listing_release(out);
	return r ? wb_remote_list(out, r, err) : -1;
}

/* A listing of this address fails like that, and says so. */
static inline void answers_refuse(struct answers *a, const char *uri, const char *secret,
	enum wb_code code, const char *text, const char *hint)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;

	source_make(&src, uri, secret);
	assert_err(answers_list(&l, a, &src, &err), &err, code);
	assert_contains(err.text, text);
	assert_contains(err.hint, hint);
	assert_int_equal(err.line, 3); /* of the config */
}

/* Asks for the bytes of a file; the refusal, or the body, as a caller of the remote sees it. */
static inline int answers_get(char **body, struct answers *a, struct wb_remote *r,
	const struct wb_remote_file *f, struct wb_err *err)
{
	const struct wb_remote_want want = {.start = -1, .end = -1};
	WB_AUTO(wb_remote_request_release) struct wb_remote_request rq = WB_REMOTE_REQUEST_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result res = WB_HTTP_RESULT_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;

	if (wb_remote_request(&rq, r, f, &want, err))
		return -1;
	wb_remote_request_fill(&p, &rq, &want);
	if (wb_http_perform(&res, a->http, &p, err))
		return -1;
	if (res.response.status < 300) {
		*body = wb_buf_steal(&res.response.body);
		return 0;
	}
	struct wb_refusal refusal = wb_refusal_of_result(&res);

	return wb_remote_refused(err, r, f->path, &refusal);
}

#endif
