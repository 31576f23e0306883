#include "builder/runtime/report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_text.h"
#include "base/text.h"

/* A bundle of 100,000 files may be missing as a whole; the log of a pod is not the place for it. */
#define PROBLEMS_PRINTED 50

static void say(const char *word, const char *text)
{
	wb_autofree char *line = wb_asprintf("wbuild: %s%s\n", word, text);
	struct wb_err err;

	/* nowhere to tell that stderr is gone */
	(void)wb_file_write_full(STDERR_FILENO, line, strlen(line), "stderr", &err);
}

void wb_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	wb_autofree char *text = wb_vasprintf(fmt, ap);
	va_end(ap);
	say("", text);
}

void wb_say_err(const struct wb_err *err)
{
	say("error: ", err->text);
	if (err->hint[0])
		say("hint: ", err->hint);
}

static uint64_t rate(const struct wb_verify_report *r)
{
	return r->seconds > 0 ? (uint64_t)((double)r->hashed / r->seconds) : 0;
}

static void add_text(struct wb_buf *b, const char *name, const char *value)
{
	wb_autofree char *clean = wb_text_quote(value, 4096);

	wb_buf_must(b, "\"%s\":", name);
	wb_json_text_quote(b, clean);
}

static void add_number(struct wb_buf *b, const char *name, uint64_t value)
{
	wb_buf_must(b, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void add_problem(struct wb_buf *b, const struct wb_problem *p)
{
	wb_autofree char *path = wb_asprintf("/%s", p->path);

	wb_buf_must(b, "{");
	add_text(b, "path", path);
	wb_buf_must(b, ",\"kind\":\"%s\"", wb_problem_kind_name(p->kind));
	if (p->detail) {
		wb_buf_must(b, ",");
		add_text(b, "detail", p->detail);
	}
	if (p->chunks) {
		add_number(b, "offset", p->offset);
		add_number(b, "chunks", p->chunks);
	}
	wb_buf_must(b, "}");
}

static void add_fetched(struct wb_buf *b, const struct wb_fetched *f)
{
	wb_buf_must(b, ",\"fetched\":{\"files\":%llu", (unsigned long long)f->files);
	add_number(b, "bytes", f->bytes);
	add_number(b, "foundFiles", f->found_files);
	add_number(b, "foundBytes", f->found_bytes);
	add_number(b, "transferredBytes", f->transferred);
	wb_buf_must(b, "}");
}

char *wb_report_json(const struct wb_stub_options *o, const struct wb_outcome *how)
{
	const struct wb_verify_report *r = &how->checked;
	const struct wb_err *err = &how->err;
	WB_AUTO(wb_buf_release) struct wb_buf b;

	wb_buf_init(&b, SIZE_MAX / 2, "report");
	wb_buf_must(&b, "{\"ok\":%s,\"verify\":\"%s\"", err->code == WB_OK ? "true" : "false",
		wb_verify_mode_name(o->verify.mode));
	if (err->code != WB_OK) {
		wb_buf_must(&b, ",");
		add_text(&b, "error", err->text);
	}
	add_number(&b, "files", r->files);
	add_number(&b, "links", r->links);
	add_number(&b, "bytes", r->bytes);
	add_number(&b, "hashedBytes", r->hashed);
	add_number(&b, "hashedChunks", r->chunks);
	add_number(&b, "milliseconds", (uint64_t)(r->seconds * 1000));
	add_number(&b, "bytesPerSecond", rate(r));
	if (how->fetched.done)
		add_fetched(&b, &how->fetched);
	/* as text: it has more digits than a JSON number keeps */
	if (o->verify.mode == WB_VERIFY_SAMPLE)
		wb_buf_must(&b, ",\"seed\":\"%llu\"", (unsigned long long)o->verify.seed);
	wb_buf_must(&b, ",\"problems\":[");
	for (size_t i = 0; i < r->problems.n; i++) {
		wb_buf_must(&b, i ? "," : "");
		add_problem(&b, &r->problems.items[i]);
	}
	wb_buf_must(&b, "]}");
	return wb_buf_steal(&b);
}

static void print_problems(const struct wb_stub_options *o, const struct wb_verify_report *r)
{
	for (size_t i = 0; i < r->problems.n && i < PROBLEMS_PRINTED; i++) {
		const struct wb_problem *p = &r->problems.items[i];
		wb_autofree char *text = wb_problem_text(p);
		bool warn = p->kind == WB_PROBLEM_EXTRA && o->extra == WB_EXTRA_WARN;

		say(warn ? "warning: " : "error: ", text);
	}
	if (r->problems.n > PROBLEMS_PRINTED)
		wb_say("and %zu more", r->problems.n - PROBLEMS_PRINTED);
}

void wb_report_print(const struct wb_stub_options *o, const struct wb_outcome *how)
{
	const struct wb_verify_report *r = &how->checked;
	const struct wb_err *err = &how->err;
	const struct wb_fetched *f = &how->fetched;

	if (o->json) {
		wb_autofree char *line = wb_report_json(o, how);

		if (err->code != WB_OK || !o->quiet)
			fprintf(stderr, "%s\n", line);
		return;
	}
	print_problems(o, r);
	/* one bad file has had its line; several get a sum, other errors have had none */
	if (err->code != WB_OK && (err->code != WB_ERR_INTEGRITY || r->problems.n != 1))
		wb_say_err(err);
	else if (err->hint[0])
		say("hint: ", err->hint);
	if (err->code == WB_OK && !o->quiet && r->hashed)
		wb_say("verified %s of %s in %llu files in %s (%s/s)", wb_size_text(r->hashed).s,
			wb_size_text(r->bytes).s, (unsigned long long)r->files,
			wb_duration_text(r->seconds).s, wb_size_text(rate(r)).s);
	if (err->code == WB_OK && !o->quiet && f->done)
		wb_say("fetched %llu files, %s; %llu files, %s, were there",
			(unsigned long long)f->files, wb_size_text(f->bytes).s,
			(unsigned long long)f->found_files, wb_size_text(f->found_bytes).s);
}

void wb_markers_clear(const struct wb_stub_options *o)
{
	if (o->ready_file)
		unlink(o->ready_file);
	if (o->failed_file)
		unlink(o->failed_file);
}

void wb_markers_write(const struct wb_stub_options *o, const struct wb_outcome *how)
{
	const char *path = how->err.code == WB_OK ? o->ready_file : o->failed_file;
	struct wb_err err = WB_ERR_INIT;

	if (!path)
		return;
	wb_autofree char *json = wb_report_json(o, how);
	wb_autofree char *line = wb_asprintf("%s\n", json);

	if (wb_file_put(path, line, strlen(line), 0644, WB_FILE_REPLACE | WB_FILE_NOSYNC, &err))
		say("warning: ", err.text);
}
