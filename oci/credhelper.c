#include "oci/credhelper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/file.h"
#include "base/sealed.h"
#include "base/text.h"

struct child {
	pid_t pid;
	int in, out; /* our ends of its stdin and stdout */
};

static void child_release(struct child *c)
{
	wb_closep(&c->in);
	wb_closep(&c->out);
	if (c->pid > 0) { /* still there: it ran too long, or we were cancelled */
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
}

static bool suffix_ok(const char *s)
{
	return *s && strlen(s) <= 64 &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
	               strlen(s);
}

/* A write to a helper that has gone must not end us, whoever calls and whatever its handlers:
 * SIGPIPE is blocked in this thread, and a pending one taken away. */
static int write_quietly(int fd, const char *p, size_t n)
{
	sigset_t pipe_only, before;
	struct timespec now = {0};
	int rc = 0;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
	while (n && !rc) {
		ssize_t w = write(fd, p, n);

		if (w > 0) {
			p += w;
			n -= (size_t)w;
		} else if (w < 0 && errno != EINTR) {
			rc = -1;
		}
	}
	if (rc && errno == EPIPE)
		sigtimedwait(&pipe_only, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static int spawn(struct child *c, const char *program, struct wb_err *err)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1};
	char *argv[] = {(char *)program, (char *)"get", NULL};
	posix_spawn_file_actions_t fa;

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) {
		wb_err_sys(err, errno, "a pipe to \"%s\"", program);
		wb_closep(&in[0]);
		wb_closep(&in[1]);
		return -1;
	}
	c->in = in[1];
	c->out = out[0];
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&fa, out[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&fa, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	wb_autofree char **env = wb_sealed_environment();
	int rc = posix_spawnp(&c->pid, program, &fa, NULL, argv, env);

	posix_spawn_file_actions_destroy(&fa);
	wb_closep(&in[0]);
	wb_closep(&out[1]);
	if (!rc)
		return 0;
	c->pid = 0;
	wb_err_sys(err, rc, "cannot run the credential helper \"%s\"", program);
	return wb_err_hint(err, "install it, or take it out of docker's config.json "
				"(credsStore, credHelpers) and log in again");
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Everything it prints, until it closes its stdout. */
static int collect(
	struct wb_buf *reply, const struct child *c, const char *program, struct wb_err *err)
{
	int64_t end = now_ms() + WB_CREDHELPER_TIMEOUT_S * 1000;
	char block[4096];

	for (;;) {
		struct pollfd p = {.fd = c->out, .events = POLLIN};
		int ready = poll(&p, 1, 200);

		if (wb_cancel_check(err))
			return -1;
		if (ready < 0 && errno != EINTR)
			return wb_err_sys(err, errno, "waiting for \"%s\"", program);
		if (ready <= 0) {
			if (now_ms() < end)
				continue;
			return wb_err_set(err, WB_ERR_AUTH,
				"the credential helper \"%s\" did not answer within %d seconds",
				program, WB_CREDHELPER_TIMEOUT_S);
		}
		ssize_t n = read(c->out, block, sizeof(block));

		if (n < 0 && errno != EINTR)
			return wb_err_sys(err, errno, "reading from \"%s\"", program);
		if (n == 0)
			return 0;
		int rc = n > 0 ? wb_buf_add(reply, block, (size_t)n, err) : 0;

		explicit_bzero(block, n > 0 ? (size_t)n : 0);
		if (rc)
			return -1;
	}
}

static int64_t reap(struct child *c)
{
	int status = 0;

	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *required(const json_t *o, const char *lower, const char *upper)
{
	const char *v = wb_json_str_opt(o, upper);

	return v ? v : wb_json_str_opt(o, lower);
}

int wb_credhelper_parse(struct wb_credential *out, const char *reply, size_t n, const char *program,
	struct wb_err *err)
{
	struct wb_err why = WB_ERR_INIT; /* not shown: it may quote the secret */
	wb_autojson json_t *root = wb_json_parse(reply, n, program, &why);
	const char *user = root ? required(root, "username", "Username") : NULL;
	const char *secret = root ? required(root, "secret", "Secret") : NULL;

	if (!user || !secret)
		return wb_err_set(err, WB_ERR_FORMAT,
			"the credential helper \"%s\" did not answer with Username and Secret",
			program);
	*out = (struct wb_credential){.origin = wb_strdup(program)};
	if (!*secret)
		return 0;
	out->secret = wb_secret_new_session("registry password", secret, strlen(secret), false);
	out->kind = strcmp(user, "<token>") ? WB_CREDENTIAL_BASIC : WB_CREDENTIAL_IDENTITY;
	if (out->kind == WB_CREDENTIAL_BASIC)
		out->username = wb_strdup(user);
	return 0;
}

/* The helpers' own words for "none", of all versions. */
static bool says_none(const char *text)
{
	return strstr(text, "credentials not found") || strstr(text, "no credentials server URL") ||
	       strstr(text, "not found in native");
}

static int failed(struct wb_credential *out, const char *reply, int64_t status, const char *program,
	const char *server, struct wb_err *err)
{
	wb_autofree char *cut = wb_strndup(reply, strcspn(reply, "\r\n"));
	wb_autofree char *clean = wb_redact(cut);
	wb_autofree char *shown = wb_text_quote(clean, 200);

	if (says_none(reply)) {
		*out = (struct wb_credential){
			.origin = wb_asprintf("%s has none for \"%s\"", program, server)};
		return 0;
	}
	return wb_err_set(err, WB_ERR_AUTH,
		"the credential helper \"%s\" failed (exit status %lld)%s%s", program,
		(long long)status, *shown ? ": " : "", shown);
}

int wb_credhelper_get(
	struct wb_credential *out, const char *suffix, const char *server, struct wb_err *err)
{
	WB_AUTO(child_release) struct child c = {.in = -1, .out = -1};
	WB_AUTO(wb_buf_release) struct wb_buf reply = WB_BUF_INIT;

	if (!suffix_ok(suffix)) {
		wb_autofree char *shown = wb_text_quote(suffix, 80);

		return wb_err_set(
			err, WB_ERR_FORMAT, "\"%s\" is not a name of a credential helper", shown);
	}
	wb_autofree char *program = wb_asprintf("docker-credential-%s", suffix);

	wb_buf_init(&reply, WB_CREDHELPER_REPLY_MAX, "a credential helper's answer");
	if (spawn(&c, program, err))
		return -1;
	/* A helper that ends without reading has its reason on stdout. */
	write_quietly(c.in, server, strlen(server));
	wb_closep(&c.in);
	int rc = collect(&reply, &c, program, err);

	if (!rc) {
		int64_t status = reap(&c);

		rc = status ? failed(out, reply.data, status, program, server, err)
		            : wb_credhelper_parse(out, reply.data, reply.len, program, err);
	}
	wb_wipe(reply.data, reply.len);
	return rc;
}
