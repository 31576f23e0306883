/* Sources for tests, made from an address as the config makes them. */
#ifndef WB_TESTS_UNIT_SOURCE_UTIL_H
#define WB_TESTS_UNIT_SOURCE_UTIL_H

#include "base/log.h"
#include "builder/source/source.h"
#include "wbtest.h"

static inline void source_make(struct wb_source *src, const char *uri, const char *secret)
{
	struct wb_err err = WB_ERR_INIT;

	*src = (struct wb_source){.dialect = WB_GLOB_WEIGHTS, .layout = WB_LAYOUT_PLAIN};
	assert_ok(wb_uri_parse(&src->uri, uri, false, &err), &err);
	src->mount = wb_strdup("/models/x");
	src->pos = (struct wb_pos){.line = 3, .column = 5};
	if (secret) {
		src->auth.method = WB_AUTH_CUSTOM_SECRET;
		src->auth.secret_name = wb_strdup(secret);
		src->auth.secret_explicit = true;
	}
}

static inline void source_pattern(struct wb_patterns *p, const char *text)
{
	p->set = true;
	if (text)
		*wb_vec_push(&p->list) = (struct wb_pattern){.text = wb_strdup(text)};
}

static inline void source_clear(struct wb_source *src)
{
	wb_uri_release(&src->uri);
	free(src->mount);
	free(src->auth.secret_name);
	free(src->auth.aws_role_arn);
	free(src->auth.aws_region);
	free(src->auth.gcp_service_account);
	free(src->auth.gcp_provider);
	wb_vec_foreach (p, &src->allow.list)
		free(p->text);
	wb_vec_foreach (p, &src->ignore.list)
		free(p->text);
	wb_vec_free(&src->allow.list);
	wb_vec_free(&src->ignore.list);
}

/* Warnings since the last call, one text. */
struct source_log {
	char text[8192];
};

static inline void source_sink(void *arg, enum wb_level level, const char *line)
{
	struct source_log *l = arg;
	size_t n = strlen(l->text);

	snprintf(l->text + n, sizeof(l->text) - n, "%s\n", line);
}

#endif
