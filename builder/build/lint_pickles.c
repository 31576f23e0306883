/* Files that run code when they are loaded, found by content. */
#include <string.h>

#include "base/text.h"
#include "builder/build/lint_internal.h"
#include "builder/build/pickle.h"

#define SHOWN 4

/* The worst imports first, as "a, b, c and 3 more". */
static char *imports(const struct wb_pickle *p, enum wb_import_kind from)
{
	WB_AUTO(wb_buf_release) struct wb_buf b;
	size_t n = 0;

	wb_buf_init(&b, 8192, "imports");
	wb_vec_foreach (i, &p->imports) {
		if (i->kind < from)
			continue;
		if (n++ < SHOWN)
			wb_buf_must(&b, "%s%.80s", b.len ? ", " : "", i->name);
	}
	if (n > SHOWN)
		wb_buf_must(&b, " and %zu more", n - SHOWN);
	return wb_buf_steal(&b);
}

void wb_lint_tell_pickle(struct wb_lint *l, const struct wb_plan_file *f, const struct wb_pickle *p)
{
	enum wb_import_kind worst = wb_pickle_worst(p);
	wb_autofree char *list = imports(p, worst);
	struct wb_pos pos = wb_lint_pos(l, f);

	if (worst == WB_IMPORT_UNSAFE)
		wb_findings_add(l->out, WB_SEV_ERROR, "pickle-unsafe", pos,
			"do not load it unless you know who made it and why",
			"\"/%s\" is a pickle that calls %s", f->path, list);
	else if (worst == WB_IMPORT_UNKNOWN)
		wb_findings_add(l->out, WB_SEV_WARNING, "pickle", pos,
			"loading it runs code; prefer safetensors",
			"\"/%s\" is a pickle that imports %s", f->path, list);
	else
		wb_findings_add(l->out, WB_SEV_NOTE, "pickle", pos,
			"loading it runs code; prefer safetensors",
			"\"/%s\" is a pickle, with imports that weights need", f->path);
}

/* Formats that cannot be one are not opened. */
bool wb_lint_may_be_pickle(const struct wb_plan_file *f)
{
	static const char *const never[] = {".safetensors", ".gguf", ".json", ".txt", ".md", ".py",
		".yaml", ".onnx", ".png", ".jpg", ".traineddata"};

	for (size_t i = 0; i < WB_ARRAY_LEN(never); i++)
		if (wb_str_ends(f->path, never[i]))
			return false;
	return f->size > 2;
}

int wb_lint_pickles(struct wb_lint *l, struct wb_err *err)
{
	for (size_t i = 0; i < l->plan->files.n; i++) {
		const struct wb_plan_file *f = l->by_path[i];
		const char *disk = wb_lint_disk_path(l, f);
		WB_AUTO(wb_pickle_release) struct wb_pickle p = WB_PICKLE_INIT;

		if (!disk || !wb_lint_may_be_pickle(f))
			continue;
		if (wb_pickle_scan_file(&p, disk, err))
			return -1;
		if (p.found)
			wb_lint_tell_pickle(l, f, &p);
	}
	return 0;
}
