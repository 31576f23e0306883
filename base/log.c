#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"

/* The redactor's sibling: what a person reads is one stream for the whole process. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum wb_level most = WB_LOG_NOTE;
static void (*before_hook)(void *), (*after_hook)(void *);
static void *hook_arg;
static void (*line_sink)(void *, enum wb_level, const char *);
static void *sink_arg;

void wb_log_set_level(enum wb_level level)
{
	most = level;
}

bool wb_log_enabled(enum wb_level level)
{
	return level <= most;
}

void wb_log_set_hooks(void (*before)(void *), void (*after)(void *), void *arg)
{
	pthread_mutex_lock(&lock);
	before_hook = before;
	after_hook = after;
	hook_arg = arg;
	pthread_mutex_unlock(&lock);
}

void wb_log_set_sink(void (*sink)(void *, enum wb_level, const char *), void *arg)
{
	pthread_mutex_lock(&lock);
	line_sink = sink;
	sink_arg = arg;
	pthread_mutex_unlock(&lock);
}

static const char *level_word(enum wb_level level)
{
	switch (level) {
	case WB_LOG_ERROR: return "error: ";
	case WB_LOG_WARNING: return "warning: ";
	case WB_LOG_NOTE: return "";
	case WB_LOG_DEBUG: return "debug: ";
	case WB_LOG_TRACE: return "trace: ";
	}
	return "";
}

static void emit(enum wb_level level, const char *word, const char *text)
{
	wb_autofree char *clean = wb_redact(text);
	wb_autofree char *line = wb_asprintf("wbuild: %s%s", word, clean);

	pthread_mutex_lock(&lock);
	if (line_sink) {
		line_sink(sink_arg, level, line);
	} else {
		if (before_hook)
			before_hook(hook_arg);
		fprintf(stderr, "%s\n", line);
		fflush(stderr);
		if (after_hook)
			after_hook(hook_arg);
	}
	pthread_mutex_unlock(&lock);
}

void wb_log(enum wb_level level, const char *fmt, ...)
{
	va_list ap;

	if (!wb_log_enabled(level))
		return;
	va_start(ap, fmt);
	wb_autofree char *text = wb_vasprintf(fmt, ap);
	va_end(ap);
	emit(level, level_word(level), text);
}

void wb_log_err_as(enum wb_level level, const struct wb_err *err)
{
	if (!wb_log_enabled(level))
		return;
	wb_autofree char *text = !err->file[0] ? wb_strdup(err->text)
	                         : err->line   ? wb_asprintf("%s:%u:%u: %s", err->file, err->line,
							 err->column, err->text)
	                                       : wb_asprintf("%s: %s", err->file, err->text);

	emit(level, level_word(level), text);
	if (err->hint[0])
		emit(level, "hint: ", err->hint);
}

void wb_log_err(const struct wb_err *err)
{
	wb_log_err_as(WB_LOG_ERROR, err);
}
