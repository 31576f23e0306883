/* How large the bundle is, what that costs, and what would bring it down. */
#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "builder/build/lint_internal.h"

struct saving {
	size_t files;
	uint64_t bytes;
};

static bool same_folder(const char *a, const char *b)
{
	size_t n = (size_t)(wb_path_basename(a) - a);

	return n == (size_t)(wb_path_basename(b) - b) && !strncmp(a, b, n);
}

/* by_path keeps a folder's files near each other, but folders below it in between: files of one
 * folder are found by scanning from its first name on. */
static bool has_safetensors(const struct wb_lint *l, size_t index)
{
	const char *path = l->by_path[index]->path;
	size_t n = (size_t)(wb_path_basename(path) - path);

	for (size_t i = index; i-- > 0 && !strncmp(l->by_path[i]->path, path, n);)
		if (same_folder(l->by_path[i]->path, path) &&
			wb_file_is_safetensors(l->by_path[i]->path))
			return true;
	for (size_t i = index + 1; i < l->plan->files.n && !strncmp(l->by_path[i]->path, path, n);
		i++)
		if (same_folder(l->by_path[i]->path, path) &&
			wb_file_is_safetensors(l->by_path[i]->path))
			return true;
	return false;
}

static struct saving duplicates(struct wb_lint *l)
{
	struct saving s = {0};

	for (size_t i = 0; i < l->plan->files.n; i++) {
		const struct wb_plan_file *f = l->by_path[i];

		if (!wb_file_is_old_format(f->path) || !has_safetensors(l, i))
			continue;
		s.files++;
		s.bytes += f->size;
		if (s.files > 1)
			continue; /* one finding, at the first */
		wb_findings_add(l->out, WB_SEV_WARNING, "duplicate-format", wb_lint_pos(l, f),
			"keep one format: ignore_patterns: [\"*.bin\", \"*.pt\", \"*.h5\", …]",
			"\"/%s\" lies beside safetensors: probably the same weights a second time",
			f->path);
	}
	return s;
}

static struct saving of_kind(const struct wb_lint *l, enum wb_file_kind kind)
{
	struct saving s = {0};

	for (size_t i = 0; i < l->plan->files.n; i++) {
		bool is = wb_file_kind_of(l->by_path[i]->path) == kind;

		s.files += is;
		s.bytes += is ? l->by_path[i]->size : 0;
	}
	return s;
}

static void add_saving(struct wb_buf *b, struct saving s, const char *what)
{
	if (s.bytes)
		wb_buf_must(b, "%s%s of %s", b->len ? ", " : "", wb_size_text(s.bytes).s, what);
}

/* What could go, as one sentence; "" when nothing stands out. */
static char *advice(struct wb_lint *l, struct saving again)
{
	WB_AUTO(wb_buf_release) struct wb_buf b;

	wb_buf_init(&b, 4096, "advice");
	add_saving(&b, again, "weights in a second format");
	add_saving(&b, of_kind(l, WB_FILE_OPTIMIZER), "training state");
	add_saving(&b, of_kind(l, WB_FILE_GIT), ".git");
	add_saving(&b, of_kind(l, WB_FILE_CACHE), "caches");
	return wb_buf_steal(&b);
}

int wb_lint_sizes(struct wb_lint *l, struct wb_err *err)
{
	uint64_t warn = l->opts->sizes.warn ? l->opts->sizes.warn : WB_WARN_SIZE;
	uint64_t rate = l->opts->bandwidth ? l->opts->bandwidth : WB_LINT_BANDWIDTH;
	struct saving again = duplicates(l);
	wb_autofree char *could_go = advice(l, again);

	if (l->plan->bytes <= warn)
		return 0;
	wb_autofree char *hint =
		*could_go
			? wb_asprintf("it holds %s that could stay out", could_go)
			: wb_strdup(
				  "choose files with allow_patterns, or let large ones be fetched "
				  "at start with use_volume: true");
	struct wb_size_text seconds = wb_duration_text((double)l->plan->bytes / (double)rate);

	wb_findings_add(l->out, WB_SEV_WARNING, "bundle-size", (struct wb_pos){0}, hint,
		"the bundle is %s, more than %s: about %s for the push, and for the pull at each "
		"cold start, at %s/s",
		wb_size_text(l->plan->bytes).s, wb_size_text(warn).s, seconds.s,
		wb_size_text(rate).s);
	(void)err;
	return 0;
}
