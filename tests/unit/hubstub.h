/* Starts tests/servers/hubstub.py as a child and talks to its control addresses. */
#ifndef WB_TESTS_UNIT_HUBSTUB_H
#define WB_TESTS_UNIT_HUBSTUB_H

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/http.h"
#include "wbtest.h"

struct hubstub {
	pid_t pid;
	char hub[64], cdn[64];
	struct wb_http *control;
};

static inline void hubstub_start(struct hubstub *s)
{
	static const char script[] = WB_SOURCE_DIR "/tests/servers/hubstub.py";
	struct wb_http_opts o = WB_HTTP_OPTS_INIT;
	struct wb_err err = WB_ERR_INIT;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	s->pid = fork();
	if (s->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that dies leaves nothing behind */
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		execlp("python3", "python3", script, NULL);
		_exit(127);
	}
	close(fds[1]);
	FILE *f = fdopen(fds[0], "r");

	if (fscanf(f, "hub %63s cdn %63s", s->hub, s->cdn) != 2)
		fail_msg("hubstub did not start");
	fclose(f);
	s->control = wb_http_new(&o, &err);
	assert_non_null(s->control);
	setenv("HF_ENDPOINT", s->hub, 1);
}

static inline void hubstub_stop(struct hubstub *s)
{
	wb_http_free(s->control);
	kill(s->pid, SIGTERM);
	waitpid(s->pid, NULL, 0);
}

/* POST (or GET when body is NULL) of a control address -> the answer, freed by the caller. */
static inline char *hubstub_ask(struct hubstub *s, const char *what, const char *body)
{
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *url = wb_asprintf("%s/-/%s", s->hub, what);

	p.url = url;
	p.method = body ? WB_HTTP_POST : WB_HTTP_GET;
	p.body = body;
	p.body_len = body ? strlen(body) : 0;
	p.body_limit = 64u << 20;
	assert_ok(wb_http_perform(&r, s->control, &p, &err), &err);
	assert_int_equal(r.response.status, 200);
	return wb_buf_steal(&r.response.body);
}

static inline void hubstub_tell(struct hubstub *s, const char *what, const char *body)
{
	free(hubstub_ask(s, what, body));
}

/* How many requests of the log have this text in their row. */
static inline size_t hubstub_count(struct hubstub *s, const char *text)
{
	wb_autofree char *log = hubstub_ask(s, "log", NULL);
	size_t n = 0;

	for (char *rest = log, *row; (row = strsep(&rest, "}"));)
		n += strstr(row, text) != NULL;
	return n;
}

#endif
