#include "builder/buildkit/frontend.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "builder/buildkit/frontend_internal.h"

static void front_release(struct wb_front *f)
{
	wb_vec_foreach (l, &f->layers) {
		free(l->label);
		free(l->spec);
		json_decref(l->local);
		json_decref(l->folders);
	}
	wb_vec_free(&f->layers);
	wb_vec_free(&f->lines);
	wb_buf_release(&f->config_text);
	wb_buf_release(&f->lock);
	wb_buf_release(&f->ignore);
	wb_config_release(&f->config);
	free(f->chosen);
	free(f->lock_text);
	free(f->fetch_list);
	free(f->config_name);
	free(f->program);
	wb_llb_release(&f->llb);
	wb_frontend_opts_release(&f->opts);
	wb_gateway_free(f->g);
}

/* The steps run in the same image. */
static int find_self(struct wb_front *f, const char *definition, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf bytes;
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return wb_err_set(err, WB_ERR_IO, "cannot tell where this program is");
	f->program = wb_strndup(path, (size_t)n);
	wb_buf_init(&bytes, WB_WIRE_MAX, definition);
	if (wb_file_read(&bytes, definition, err))
		return -1;
	return wb_llb_import(&f->self, &f->llb,
		(struct wb_wire_view){(const uint8_t *)bytes.data, bytes.len}, err);
}

static int check_daemon(const struct wb_front *f, struct wb_err *err)
{
	static const char *const needed[] = {"mergeop", "file.base", "exec.mount.cache",
		"exec.mount.secret", "readfile", "statfile"};

	for (size_t i = 0; i < WB_ARRAY_LEN(needed); i++) {
		if (wb_gateway_can(f->g, needed[i]))
			continue;
		wb_err_set(err, WB_ERR_UNSUPPORTED, "this buildkit is too old: it cannot do \"%s\"",
			needed[i]);
		return wb_err_hint(err, "0.10 or newer is needed");
	}
	return 0;
}

static int show_config_warnings(struct wb_front *f, struct wb_err *err)
{
	wb_vec_foreach (it, &f->config.findings.list) {
		wb_autofree char *text = wb_asprintf("%s [%s]", it->text, it->id);

		if (it->severity == WB_SEV_WARNING &&
			wb_gateway_warn(f->g, &f->llb, f->config_ref, it->pos.line, text, it->hint,
				NULL, err))
			return -1;
	}
	return 0;
}

static int build_with(struct wb_front *f, struct wb_front_base *bases, size_t n, struct wb_err *err)
{
	if (wb_front_has_context(f, "weights"))
		return show_config_warnings(f, err) || wb_front_result(f, bases, n, err) ? -1 : 0;
	if (wb_front_plan(f, err) || wb_front_layers(f, bases[0].state, err))
		return -1;
	return wb_front_result(f, bases, n, err);
}

static int build(struct wb_front *f, const char *definition, struct wb_err *err)
{
	struct wb_front_base *bases;
	size_t n;

	const char *caches = wb_frontend_opt(&f->opts, "cache-imports");

	if (caches && *caches && wb_gateway_import_caches(f->g, caches, err))
		return -1;
	if (check_daemon(f, err) || find_self(f, definition, err) || wb_front_read(f, err) ||
		wb_front_choose(f, err) || wb_front_bases(&bases, &n, f, err))
		return -1;
	int rc = build_with(f, bases, n, err);

	wb_front_bases_free(bases, n);
	return rc;
}

int wb_frontend_run(
	int in, int out, char *const *environment, const char *definition, struct wb_err *err)
{
	WB_AUTO(front_release) struct wb_front f = {0};

	if (wb_frontend_opts_read(&f.opts, environment, err))
		return -1;
	f.g = wb_gateway_new(in, out, err);
	if (!f.g || wb_gateway_ping(f.g, err))
		return -1;
	if (!build(&f, definition, err))
		return 0;
	wb_front_why(&f, err);
	struct wb_err what = *err;

	wb_err_clear(err);
	return wb_gateway_return_error(f.g, &f.llb, &what, f.lines.items, f.lines.n, err);
}
