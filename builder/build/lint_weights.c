/* Weights that are not there, or not all there. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "base/text.h"
#include "builder/build/lint_internal.h"
#include "builder/build/weightfile.h"

#define INDEX_MAX (64u << 20) /* bytes of an index.json */
#define SHARDS_MAX 100000

void wb_lint_tell_weights(
	struct wb_lint *l, const struct wb_plan_file *f, const struct wb_weight_file *w)
{
	struct wb_pos pos = wb_lint_pos(l, f);

	switch (w->state) {
	case WB_WEIGHT_OTHER:
	case WB_WEIGHT_WHOLE: break;
	case WB_WEIGHT_POINTER:
		wb_findings_add(l->out, WB_SEV_ERROR, "lfs-pointer", pos,
			"fetch the real files: git lfs pull",
			"\"/%s\" is a Git LFS pointer of %s, not the file of %s that it stands for",
			f->path, wb_size_text(f->size).s, wb_size_text(w->expected).s);
		break;
	case WB_WEIGHT_TRUNCATED:
		wb_findings_add(l->out, WB_SEV_ERROR, "truncated-weights", pos, "download it again",
			"\"/%s\" is cut off: it has %llu bytes%s", f->path,
			(unsigned long long)f->size,
			w->expected ? ", fewer than its header tells of" : " and no whole header");
		break;
	case WB_WEIGHT_DAMAGED:
		wb_findings_add(l->out, WB_SEV_ERROR, "damaged-weights", pos,
			"download it again, or rename it if it is something else",
			"\"/%s\" is no sound %s file: %s", f->path, w->format, w->why);
		break;
	}
}

/* Whole headers of weights; of the rest only what is small enough for a pointer. */
int wb_lint_weights(struct wb_lint *l, struct wb_err *err)
{
	for (size_t i = 0; i < l->plan->files.n; i++) {
		const struct wb_plan_file *f = l->by_path[i];
		const char *disk = wb_lint_disk_path(l, f);
		struct wb_weight_file w;

		if (!disk || (wb_file_kind_of(f->path) != WB_FILE_WEIGHTS && f->size > 1024))
			continue;
		if (wb_weight_file_check(&w, disk, f->path, f->size, err))
			return -1;
		wb_lint_tell_weights(l, f, &w);
	}
	return 0;
}

/* --- shards ------------------------------------------------------------------------------- */

/* "model-00002-of-00007.safetensors": the count, the width of its digits, where they are. */
struct shard {
	size_t at; /* of the first number, in the path */
	unsigned width;
	uint64_t index, count;
};

static bool is_shard(struct shard *out, const char *path)
{
	const char *of = strstr(wb_path_basename(path), "-of-");
	unsigned width = 0;

	if (!of)
		return false;
	while (width < 10 && of - path > (long)width && isdigit((unsigned char)of[-1 - (int)width]))
		width++;
	unsigned count_width = (unsigned)strspn(of + 4, "0123456789");

	if (!width || width != count_width || of[4 + count_width] != '.')
		return false;
	wb_autofree char *index = wb_strndup(of - width, width);
	wb_autofree char *count = wb_strndup(of + 4, count_width);

	out->at = (size_t)(of - path) - width;
	out->width = width;
	return wb_parse_u64(&out->index, index) && wb_parse_u64(&out->count, count) && out->count &&
	       out->count <= SHARDS_MAX;
}

static char *shard_path(const struct wb_plan_file *f, const struct shard *s, uint64_t index)
{
	return wb_asprintf("%.*s%0*llu%s", (int)s->at, f->path, (int)s->width,
		(unsigned long long)index, f->path + s->at + s->width);
}

static bool shard_there(const struct wb_lint *l, const struct wb_plan_file *f,
	const struct shard *s, uint64_t index)
{
	wb_autofree char *path = shard_path(f, s, index);

	return wb_lint_find(l, path) != NULL;
}

/* One finding for each set, told at its first shard that is there. */
static void check_set(struct wb_lint *l, const struct wb_plan_file *f, const struct shard *s)
{
	uint64_t start = shard_there(l, f, s, 0) ? 0 : 1; /* most count from 1 */
	uint64_t first = UINT64_MAX, missing = 0;

	for (uint64_t i = start; i < start + s->count; i++) {
		bool there = shard_there(l, f, s, i);

		if (there && i < s->index)
			return;
		if (!there && first == UINT64_MAX)
			first = i;
		missing += !there;
	}
	if (!missing)
		return;
	wb_autofree char *path = shard_path(f, s, first);

	wb_findings_add(l->out, WB_SEV_ERROR, "missing-shard", wb_lint_pos(l, f),
		"the model cannot be loaded without it; see the patterns of its source",
		"\"/%s\" is missing: %llu of %llu shards are not there", path,
		(unsigned long long)missing, (unsigned long long)s->count);
}

static int check_index(
	struct wb_lint *l, const struct wb_plan_file *f, const char *disk, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf text;
	wb_autofree char *dir = wb_path_dirname(f->path);
	struct wb_err why = WB_ERR_INIT;
	const char *tensor;
	json_t *file;

	wb_buf_init(&text, INDEX_MAX, "index");
	if (wb_file_read(&text, disk, err))
		return -1;
	wb_autojson json_t *index = wb_json_parse(text.data, text.len, "index", &why);

	json_object_foreach (json_object_get(index, "weight_map"), tensor, file) {
		struct shard shard;
		const char *name = json_string_value(file);

		/* shards by number are looked at as a set */
		if (!name || is_shard(&shard, name))
			continue;
		wb_autofree char *path = wb_path_join(dir, name);

		if (wb_lint_find(l, path))
			continue;
		wb_findings_add(l->out, WB_SEV_ERROR, "missing-shard", wb_lint_pos(l, f),
			"the model cannot be loaded without it; see the patterns of its source",
			"\"/%s\" is missing, \"/%s\" names it", path, f->path);
		break;
	}
	return 0;
}

int wb_lint_shards(struct wb_lint *l, struct wb_err *err)
{
	for (size_t i = 0; i < l->plan->files.n; i++) {
		const struct wb_plan_file *f = l->by_path[i];
		const char *disk = wb_lint_disk_path(l, f);
		struct shard s;

		if (wb_file_kind_of(f->path) == WB_FILE_WEIGHTS && is_shard(&s, f->path))
			check_set(l, f, &s);
		if (disk && wb_str_ends(f->path, ".index.json") && f->size <= INDEX_MAX &&
			check_index(l, f, disk, err))
			return -1;
	}
	return 0;
}
