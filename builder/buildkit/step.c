#include "builder/buildkit/step.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/secret.h"
#include "builder/buildkit/step_internal.h"
#include "builder/config/model.h"
#include "builder/config/source_json.h"

/* When a step's fault may be kept as its result: never for `list`, whose result is never kept, so
 * that all of them may be told there; for `cut` those that its input alone decides. */
enum faults { FAULTS_FAIL, FAULTS_OF_INPUT, FAULTS_TELL };

static const struct step {
	const char *name;
	int (*run)(struct wb_run *r, struct wb_err *err);
	enum faults faults;
} steps[] = {
	{"list", wb_step_run_list, FAULTS_TELL},
	{"lock", wb_step_run_lock, FAULTS_FAIL},
	{"cut", wb_step_run_cut, FAULTS_OF_INPUT},
	{"layer", wb_step_run_layer, FAULTS_FAIL},
	{"manifest", wb_step_run_manifest, FAULTS_FAIL},
};

const char *const wb_frontend_steps[] = {"list", "lock", "cut", "layer", "manifest", NULL};

/* --- files -------------------------------------------------------------------------------- */

char *wb_run_path(const struct wb_run *r, const char *path)
{
	return wb_asprintf("%s%s", r->root, path);
}

bool wb_run_has(const struct wb_run *r, const char *path)
{
	wb_autofree char *whole = wb_run_path(r, path);

	return !access(whole, F_OK);
}

int wb_run_read(struct wb_buf *text, const struct wb_run *r, const char *path, struct wb_err *err)
{
	wb_autofree char *whole = wb_run_path(r, path);

	wb_buf_init(text, WB_STEP_FILE_MAX, "a step's input");
	return wb_file_read(text, whole, err);
}

json_t *wb_run_read_json(const struct wb_run *r, const char *path, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf text;

	if (wb_run_read(&text, r, path, err))
		return NULL;
	return wb_json_parse(text.data, text.len, path, err);
}

int wb_run_write(const struct wb_run *r, const char *path, const char *text, struct wb_err *err)
{
	wb_autofree char *whole = wb_run_path(r, path);
	wb_autofree char *dir = wb_path_dirname(whole);

	if (wb_mkdirs(dir, 0755, err))
		return -1;
	return wb_file_put(whole, text, strlen(text), 0644, WB_FILE_REPLACE | WB_FILE_NOSYNC, err);
}

int wb_run_write_json(const struct wb_run *r, const char *path, const json_t *j, struct wb_err *err)
{
	wb_autofree char *text = wb_json_dump(j);

	return wb_run_write(r, path, text, err);
}

uint64_t wb_run_number(const struct wb_run *r, const char *name)
{
	return wb_json_u64_opt(r->params, name, 0);
}

/* --- what they work on -------------------------------------------------------------------- */

static bool is_chosen(const json_t *only, size_t index)
{
	size_t i;
	json_t *item;

	json_array_foreach (only, i, item)
		if ((size_t)json_integer_value(item) == index)
			return true;
	return !only;
}

static void choose_sources(struct wb_config *c, const json_t *only)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->sources.n; i++) {
		if (is_chosen(only, i))
			c->sources.items[kept++] = c->sources.items[i];
		else
			wb_source_release(&c->sources.items[i]);
	}
	c->sources.n = kept;
}

int wb_run_load_config(struct wb_run *r, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf text = WB_BUF_INIT;
	wb_autofree char *context = wb_run_path(r, "/context");
	const char *name = wb_json_str_opt(r->params, "file");

	if (wb_mkdirs(context, 0755, err) || wb_run_read(&text, r, "/in/config.yaml", err) ||
		wb_config_parse(
			&r->config, text.data, text.len, context, name ? name : "config.yaml", err))
		return -1;
	choose_sources(&r->config, json_object_get(r->params, "only"));
	return 0;
}

int wb_run_load_sources(struct wb_run *r, const json_t *sources, struct wb_err *err)
{
	struct wb_config *c = &r->config;
	size_t i;
	json_t *item;

	c->file = wb_strdup("config.yaml");
	c->dir = wb_run_path(r, "/in");
	c->data_dir = wb_strdup("data");
	json_array_foreach (sources, i, item) {
		struct wb_source s;

		if (wb_source_from_json(&s, item, err))
			return -1;
		*wb_vec_push(&c->sources) = s;
	}
	return 0;
}

int wb_run_open_store(struct wb_run *r, struct wb_err *err)
{
	wb_autofree char *path = wb_run_path(r, "/cache");

	r->store = wb_store_open(path, err);
	return r->store ? 0 : -1;
}

/* --- faults ------------------------------------------------------------------------------- */

static json_t *fault_json(const struct wb_err *err)
{
	json_t *o = json_object();
	wb_autofree char *text = wb_redact(err->text);
	wb_autofree char *hint = wb_redact(err->hint);

	wb_json_set_u64(o, "code", err->code);
	wb_json_set_text(o, "text", text);
	wb_json_set_text(o, "hint", hint);
	wb_json_set_u64(o, "line", err->line);
	return o;
}

#define FAULT "/fault/error.json"

/* The fault may be that the disk is full, so its place is taken before. */
static void reserve_fault(const struct wb_run *r)
{
	wb_autofree char *blank = wb_asprintf("%4095s\n", "");
	struct wb_err ignored = WB_ERR_INIT;

	(void)wb_run_write(r, FAULT, blank, &ignored);
}

static void keep_fault(const struct wb_run *r, const struct wb_err *err)
{
	wb_autofree char *path = wb_run_path(r, FAULT);
	wb_autojson json_t *fault = fault_json(err);
	wb_autofree char *text = wb_json_dump(fault);
	FILE *f = fopen(path, "r+e");

	/* in place: nothing new is allocated */
	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

static bool decided_by_input(const struct wb_err *err)
{
	return err->code == WB_ERR_CONFIG || err->code == WB_ERR_USAGE ||
	       err->code == WB_ERR_UNSUPPORTED || err->code == WB_ERR_LIMIT;
}

/* --- running one -------------------------------------------------------------------------- */

static void run_release(struct wb_run *r)
{
	wb_progress_free(r->progress);
	wb_store_close(r->store);
	wb_config_release(&r->config);
	json_decref(r->params);
}

static int run_step(const struct step *step, struct wb_run *r, struct wb_err *err)
{
	if (!(r->params = wb_run_read_json(r, "/in/params.json", err)))
		return -1;
	r->progress = wb_progress_new(WB_PROGRESS_PLAIN, STDERR_FILENO, "Step");
	reserve_fault(r);
	if (!step->run(r, err))
		return 0;
	if (step->faults == FAULTS_TELL ||
		(step->faults == FAULTS_OF_INPUT && decided_by_input(err))) {
		wb_autojson json_t *fault = fault_json(err);

		wb_log_err(err);
		wb_err_clear(err);
		return wb_run_write_json(r, "/out/error.json", fault, err);
	}
	keep_fault(r, err);
	return -1;
}

int wb_frontend_step(const char *name, const char *root, struct wb_err *err)
{
	WB_AUTO(run_release) struct wb_run r = {.root = root};

	for (size_t i = 0; i < WB_ARRAY_LEN(steps); i++)
		if (!strcmp(steps[i].name, name))
			return run_step(&steps[i], &r, err);
	return wb_err_set(err, WB_ERR_USAGE, "frontend: no step named \"%s\"", name);
}
