#include "builder/runtime/report.h"

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
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

static json_t *problem_json(const struct wb_problem *p)
{
	wb_autofree char *path = wb_text_quote(p->path, 4096);
	wb_autofree char *full = wb_asprintf("/%s", path);
	json_t *o = json_object();

	wb_json_set_str(o, "path", full);
	wb_json_set_str(o, "kind", wb_problem_kind_name(p->kind));
	if (p->detail)
		wb_json_set_str(o, "detail", p->detail);
	if (p->chunks) {
		wb_json_set_u64(o, "offset", p->offset);
		wb_json_set_u64(o, "chunks", p->chunks);
	}
	return o;
}

char *wb_report_json(
	const struct wb_stub_options *o, const struct wb_verify_report *r, const struct wb_err *err)
{
	wb_autojson json_t *j = json_object();
	json_t *problems = json_array();

	wb_json_set(j, "ok", json_boolean(err->code == WB_OK));
	wb_json_set_str(j, "verify", wb_verify_mode_name(o->verify.mode));
	if (err->code != WB_OK)
		wb_json_set_str(j, "error", err->text);
	wb_json_set_u64(j, "files", r->files);
	wb_json_set_u64(j, "links", r->links);
	wb_json_set_u64(j, "bytes", r->bytes);
	wb_json_set_u64(j, "hashedBytes", r->hashed);
	wb_json_set_u64(j, "hashedChunks", r->chunks);
	wb_json_set_u64(j, "milliseconds", (uint64_t)(r->seconds * 1000));
	wb_json_set_u64(j, "bytesPerSecond", rate(r));
	if (o->verify.mode == WB_VERIFY_SAMPLE) {
		wb_autofree char *seed = wb_asprintf("%llu", (unsigned long long)o->verify.seed);

		wb_json_set_str(j, "seed", seed); /* more digits than a JSON number keeps */
	}
	for (size_t i = 0; i < r->problems.n; i++)
		wb_json_append(problems, problem_json(&r->problems.items[i]));
	wb_json_set(j, "problems", problems);
	return wb_json_dump(j);
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

void wb_report_print(
	const struct wb_stub_options *o, const struct wb_verify_report *r, const struct wb_err *err)
{
	if (o->json) {
		wb_autofree char *line = wb_report_json(o, r, err);

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
}

void wb_markers_clear(const struct wb_stub_options *o)
{
	if (o->ready_file)
		unlink(o->ready_file);
	if (o->failed_file)
		unlink(o->failed_file);
}

void wb_markers_write(const struct wb_stub_options *o, const struct wb_verify_report *r,
	const struct wb_err *outcome)
{
	const char *path = outcome->code == WB_OK ? o->ready_file : o->failed_file;
	struct wb_err err = WB_ERR_INIT;

	if (!path)
		return;
	wb_autofree char *json = wb_report_json(o, r, outcome);
	wb_autofree char *line = wb_asprintf("%s\n", json);

	if (wb_file_put(path, line, strlen(line), 0644, WB_FILE_REPLACE | WB_FILE_NOSYNC, &err))
		say("warning: ", err.text);
}
