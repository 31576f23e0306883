/* File operations of LLB: pb.FileOp. */
#include <string.h>

#include "base/path.h"
#include "builder/buildkit/llb_internal.h"

#define NANOSECONDS 1000000000 /* of a second */

enum { OP_FILE = 4, ACTION = 2, ACTION_COPY = 4, ACTION_MKFILE = 5, ACTION_MKDIR = 6 };

/* Wraps an action: what it works on, what it takes from, whether it is the last. */
static void add_action(struct wb_wire *file, int64_t input, int64_t second, bool last,
	unsigned kind, const struct wb_wire *body)
{
	WB_AUTO(wb_wire_release) struct wb_wire action;

	wb_wire_init(&action);
	wb_wire_i64(&action, 1, input);
	wb_wire_i64(&action, 2, second);
	wb_wire_i64(&action, 3, last ? 0 : -1);
	wb_wire_msg(&action, kind, body);
	wb_wire_msg(file, ACTION, &action);
}

static void mkdir_action(struct wb_wire *file, const char *path, int64_t input, int64_t time)
{
	WB_AUTO(wb_wire_release) struct wb_wire mkdir;

	wb_wire_init(&mkdir);
	wb_wire_str(&mkdir, 1, path);
	wb_wire_u64(&mkdir, 2, 0755);
	wb_wire_bool(&mkdir, 3, true);
	wb_wire_i64(&mkdir, 5, time * NANOSECONDS);
	add_action(file, input, -1, false, ACTION_MKDIR, &mkdir);
}

struct wb_llb_ref wb_llb_files(struct wb_llb *l, const struct wb_llb_file *files, size_t n,
	int64_t time, const struct wb_llb_note *note)
{
	static const char *const caps[] = {"file.base", NULL};
	WB_AUTO(wb_wire_release) struct wb_wire op, file;
	int64_t input = -1, next = 0; /* there are no inputs: action k makes input k */

	wb_wire_init(&op);
	wb_wire_init(&file);
	for (size_t i = 0; i < n; i++) {
		WB_AUTO(wb_wire_release) struct wb_wire mkfile;
		wb_autofree char *dir = wb_path_dirname(files[i].path);

		if (strcmp(dir, "/")) {
			mkdir_action(&file, dir, input, time);
			input = next++;
		}
		wb_wire_init(&mkfile);
		wb_wire_str(&mkfile, 1, files[i].path);
		wb_wire_u64(&mkfile, 2, 0644);
		if (files[i].n)
			wb_wire_bytes(&mkfile, 3, files[i].data, files[i].n);
		wb_wire_i64(&mkfile, 5, time * NANOSECONDS);
		add_action(&file, input, -1, i + 1 == n, ACTION_MKFILE, &mkfile);
		input = next++;
	}
	wb_llb_platform_(&op, NULL);
	wb_wire_msg(&op, OP_FILE, &file);
	return wb_llb_add_(l, &op, NULL, 0, caps, note);
}

static void copy_action(
	struct wb_wire *file, const struct wb_llb_copied *f, int64_t input, bool last, int64_t time)
{
	WB_AUTO(wb_wire_release) struct wb_wire copy;

	wb_wire_init(&copy);
	wb_wire_str(&copy, 1, f->src);
	wb_wire_str(&copy, 2, f->dest);
	wb_wire_i64(&copy, 4, f->mode);
	wb_wire_bool(&copy, 5, true);
	wb_wire_bool(&copy, 8, true);
	wb_wire_i64(&copy, 11, time * NANOSECONDS);
	add_action(file, input, 0, last, ACTION_COPY, &copy);
}

struct wb_llb_ref wb_llb_copy(struct wb_llb *l, struct wb_llb_ref from,
	const struct wb_llb_copied *files, size_t n, int64_t time, const struct wb_llb_note *note)
{
	static const char *const caps[] = {"file.base", NULL};
	WB_AUTO(wb_wire_release) struct wb_wire op, file;

	wb_wire_init(&op);
	wb_wire_init(&file);
	wb_llb_input_(&op, l, from);
	/* the tree copied from is input 0, so action k makes input k + 1 */
	for (size_t i = 0; i < n; i++)
		copy_action(&file, &files[i], i ? (int64_t)i : -1, i + 1 == n, time);
	wb_llb_platform_(&op, NULL);
	wb_wire_msg(&op, OP_FILE, &file);
	return wb_llb_add_(l, &op, &from.op, 1, caps, note);
}
