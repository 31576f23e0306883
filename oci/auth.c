#include "oci/auth.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/text.h"
#include "oci/token.h"

struct grant {
	char *scopes;
	struct wb_secret *header;
	int64_t until;        /* CLOCK_MONOTONIC seconds */
	struct wb_err denied; /* the token server said no: it is not asked again */
};

struct wb_auth {
	char *host, *repository;
	struct wb_credentials *credentials;
	pthread_mutex_t lock; /* held while a token is got: the others want the same one */
	bool looked_up;
	struct wb_credential credential;
	struct wb_challenge challenge; /* Bearer's, or none */
	struct wb_secret *basic;       /* once Basic was asked for */
	WB_VEC(struct grant) grants;
};

struct wb_auth *wb_auth_new(struct wb_credentials *c, const char *host, const char *repository)
{
	struct wb_auth *a = wb_zalloc(sizeof(*a));

	a->host = wb_strdup(host);
	a->repository = wb_strdup(repository);
	a->credentials = wb_credentials_ref(c);
	pthread_mutex_init(&a->lock, NULL);
	return a;
}

static void challenge_release(struct wb_challenge *c)
{
	free(c->name);
	free(c->realm);
	free(c->service);
	free(c->scope);
	free(c->error);
	*c = (struct wb_challenge){0};
}

void wb_auth_free(struct wb_auth *a)
{
	if (!a)
		return;
	wb_vec_foreach (g, &a->grants) {
		free(g->scopes);
		wb_secret_unref(g->header);
	}
	wb_vec_free(&a->grants);
	wb_secret_unref(a->basic);
	challenge_release(&a->challenge);
	wb_credential_release(&a->credential);
	wb_credentials_unref(a->credentials);
	pthread_mutex_destroy(&a->lock);
	free(a->host);
	free(a->repository);
	free(a);
}

static int64_t now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static int look_up(struct wb_auth *a, struct wb_err *err)
{
	if (a->looked_up)
		return 0;
	if (wb_credentials_get(&a->credential, a->credentials, a->host, a->repository, err))
		return -1;
	a->looked_up = true;
	return 0;
}

static struct grant *find_grant(struct wb_auth *a, const char *scopes)
{
	wb_vec_foreach (g, &a->grants)
		if (!strcmp(g->scopes, scopes))
			return g;
	return NULL;
}

/* Is the scope s (n bytes) one of those in the list? */
static bool listed(const char *list, const char *s, size_t n)
{
	for (const char *p = list; *p; p += strcspn(p, " ")) {
		p += strspn(p, " ");
		if (strcspn(p, " ") == n && !strncmp(p, s, n))
			return true;
	}
	return false;
}

/* Ours, and what the registry asked for besides: some name their own resource. */
static char *all_scopes(const char *ours, const char *asked)
{
	wb_autofree char *all = wb_strdup(ours);

	for (const char *p = asked ? asked : ""; *p;) {
		p += strspn(p, " ");
		size_t n = strcspn(p, " ");

		if (n && !listed(all, p, n)) {
			char *more = wb_asprintf("%s%s%.*s", all, *all ? " " : "", (int)n, p);

			free(all);
			all = more;
		}
		p += n;
	}
	return wb_steal(all);
}

static int renew(struct wb_auth *a, struct wb_http *h, const char *scopes, struct wb_err *err)
{
	struct grant *g = find_grant(a, scopes);
	WB_AUTO(wb_token_release) struct wb_token t = WB_TOKEN_INIT;
	wb_autofree char *all = all_scopes(scopes, a->challenge.scope);

	if (!g) {
		g = wb_vec_push(&a->grants);
		g->scopes = wb_strdup(scopes);
	}
	/* Other workers that come for the same would only try the same password again. */
	if (g->denied.code == WB_OK &&
		wb_token_fetch(&t, h, &a->challenge, &a->credential, all, a->host, err)) {
		if (err->code == WB_ERR_AUTH)
			g->denied = *err;
		return -1;
	}
	if (g->denied.code != WB_OK) {
		*err = g->denied;
		return -1;
	}
	wb_secret_unref(g->header);
	g->header = wb_steal(t.header);
	/* Not used to its very end: the registry's clock is another one. */
	uint64_t margin = t.lifetime_s / 5 < 10 ? t.lifetime_s / 5 : 10;

	g->until = now_s() + (int64_t)(t.lifetime_s - margin);
	return 0;
}

int wb_auth_header(struct wb_secret **out, struct wb_auth *a, struct wb_http *h, const char *scopes,
	struct wb_err *err)
{
	struct wb_secret *header = NULL;
	int rc = 0;

	pthread_mutex_lock(&a->lock);
	if (a->basic) {
		header = a->basic;
	} else if (a->challenge.realm) {
		struct grant *g = find_grant(a, scopes);

		if (!g || !g->header || g->until <= now_s())
			rc = renew(a, h, scopes, err);
		if (!rc) {
			g = find_grant(a, scopes);
			assert(g);
			header = g->header;
		}
	}
	if (!rc)
		*out = header ? wb_secret_ref(header) : NULL;
	pthread_mutex_unlock(&a->lock);
	return rc;
}

static int no_login(const struct wb_auth *a, struct wb_err *err)
{
	const char *why = a->credential.origin;

	wb_err_set(err, WB_ERR_AUTH, "\"%s\" wants a login, and there is none for it", a->host);
	return wb_err_hint(err, "%s%slog in with docker login, podman login or skopeo login",
		why ? why : "", why ? "; " : "");
}

/* RFC 6750, 3.1: the token itself is what is wrong, though it was got a moment ago. */
static int wrong_token(
	const struct wb_auth *a, const struct wb_challenge *bearer, struct wb_err *err)
{
	wb_autofree char *realm = wb_text_quote(bearer->realm, 200);

	wb_err_set(err, WB_ERR_AUTH, "\"%s\" does not accept the token that \"%s\" just gave",
		a->host, realm);
	wb_err_hint(err, "the clocks of the two may differ, or the registry does not know its key");
	err->http_status = 401;
	return -1;
}

/* token_given: the login was good for a token, but the token was not good for the request. */
static int wrong_login(const struct wb_auth *a, const struct wb_http_response *r, bool token_given,
	struct wb_err *err)
{
	struct wb_err said = WB_ERR_INIT;
	const char *from = a->credential.origin ? a->credential.origin : "the configuration";
	wb_autofree char *as =
		wb_text_quote(a->credential.username ? a->credential.username : "a token", 100);

	wb_http_status_err(&said, r, "the registry");
	if (token_given) {
		wb_err_set(err, WB_ERR_AUTH, "\"%s\" does not allow this to \"%s\" (%s)", a->host,
			as, said.text);
		wb_err_hint(err, "the login from %s is valid but lacks the permission", from);
	} else {
		wb_err_set(err, WB_ERR_AUTH, "\"%s\" refused the login of \"%s\" (%s)", a->host, as,
			said.text);
		wb_err_hint(err, "the login comes from %s: log in again", from);
	}
	err->http_status = r->status;
	return -1;
}

static void adopt_bearer(struct wb_auth *a, const struct wb_challenge *c)
{
	struct wb_challenge copy = {.scheme = c->scheme,
		.realm = wb_strdup(c->realm),
		.service = wb_strdup(c->service),
		.scope = wb_strdup(c->scope)};

	challenge_release(&a->challenge);
	a->challenge = copy;
}

/* The token that was refused is not used again; another that came meanwhile stays. */
static void drop_token(struct wb_auth *a, const struct wb_secret *sent)
{
	wb_vec_foreach (g, &a->grants) {
		if (g->header && g->header == sent) {
			wb_secret_unref(g->header);
			g->header = NULL;
		}
	}
}

/* A token of the user's own goes to the registry as it is. */
static void use_own_token(struct wb_auth *a)
{
	char *value = wb_asprintf("Bearer %s", wb_secret_reveal(a->credential.secret));

	a->basic = wb_secret_new_session("registry token", value, strlen(value), false);
	wb_wipe(value, strlen(value));
	free(value);
}

static int refused(struct wb_auth *a, const wb_challenges *challenges, const struct wb_secret *sent,
	bool again, const struct wb_http_response *r, struct wb_err *err)
{
	const struct wb_challenge *bearer = wb_challenges_find(challenges, WB_AUTH_BEARER);
	const struct wb_challenge *basic = wb_challenges_find(challenges, WB_AUTH_BASIC);

	if (look_up(a, err))
		return -1;
	if (a->basic)
		return sent == a->basic ? wrong_login(a, r, false, err) : 0;
	if (a->credential.kind == WB_CREDENTIAL_BEARER && (bearer || basic)) {
		use_own_token(a);
		return 0;
	}
	if (bearer && bearer->realm) {
		if (again && a->credential.kind == WB_CREDENTIAL_NONE)
			return no_login(a, err);
		if (again && bearer->error && !strcmp(bearer->error, "invalid_token"))
			return wrong_token(a, bearer, err);
		if (again)
			return wrong_login(a, r, true, err);
		if (wb_url_check_named(
			    r->effective_url, bearer->realm, true, "the place to get a token", err))
			return -1;
		drop_token(a, sent);
		adopt_bearer(a, bearer);
		return 0;
	}
	if (basic && a->credential.kind == WB_CREDENTIAL_BASIC) {
		a->basic = wb_basic_header(a->credential.username, a->credential.secret);
		return 0;
	}
	if (basic || !challenges->n)
		return no_login(a, err);
	wb_autofree char *name = wb_text_quote(challenges->items[0].name, 40);

	return wb_err_set(err, WB_ERR_UNSUPPORTED,
		"\"%s\" wants a login of the kind \"%s\", which is not known", a->host, name);
}

int wb_auth_refused(struct wb_auth *a, const wb_challenges *challenges,
	const struct wb_secret *sent, bool again, const struct wb_http_response *r,
	struct wb_err *err)
{
	pthread_mutex_lock(&a->lock);
	int rc = refused(a, challenges, sent, again, r, err);

	pthread_mutex_unlock(&a->lock);
	return rc;
}

void wb_auth_explain(struct wb_auth *a, struct wb_err *err)
{
	pthread_mutex_lock(&a->lock);
	const struct wb_credential *c = &a->credential;

	if (c->kind == WB_CREDENTIAL_NONE)
		wb_err_hint(err, "%s%slog in with docker login, podman login or skopeo login",
			c->origin ? c->origin : "the request was sent without a login",
			c->origin ? "; " : ": ");
	else
		wb_err_hint(err, "the login%s%s%s comes from %s: it may lack the permission",
			c->username ? " of \"" : "", c->username ? c->username : "",
			c->username ? "\"" : "", c->origin ? c->origin : "the configuration");
	pthread_mutex_unlock(&a->lock);
}
