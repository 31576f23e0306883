#include "builder/source/hf_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"

static bool is_hex(const char *s, size_t n)
{
	return strlen(s) == n && strspn(s, "0123456789abcdef") == n;
}

/* "models--OWNER--NAME" */
static char *repo_folder(enum wb_hf_kind kind, const char *repo)
{
	static const char *const prefix[] = {
		[WB_HF_MODEL] = "models", [WB_HF_DATASET] = "datasets", [WB_HF_SPACE] = "spaces"};
	wb_autofree char *owner = wb_strndup(repo, strcspn(repo, "/"));
	const char *name = strchr(repo, '/');

	return name ? wb_asprintf("%s--%s--%s", prefix[kind], owner, name + 1)
	            : wb_asprintf("%s--%s", prefix[kind], owner);
}

static void add(
	struct wb_hf_layout *l, enum wb_hf_entry_type type, char *path, size_t file, char *text)
{
	*wb_vec_push(&l->entries) =
		(struct wb_hf_entry){.path = path, .type = type, .file = file, .text = text};
}

/* snapshots/COMMIT/a/b.json -> ../../../blobs/ETAG */
static void add_link(
	struct wb_hf_layout *l, const char *folder, const char *commit, const struct wb_hf_file *f)
{
	wb_autofree char *up = wb_strdup("../../");

	for (const char *p = f->path; (p = strchr(p, '/')); p++) {
		wb_autofree char *before = wb_steal(up);

		up = wb_asprintf("../%s", before);
	}
	add(l, WB_HF_LINK, wb_asprintf("%s/snapshots/%s/%s", folder, commit, f->path), 0,
		wb_asprintf("%sblobs/%s", up, f->etag));
}

struct by_etag {
	const struct wb_hf_file *file;
	size_t index;
};

static int compare_etags(const void *a, const void *b)
{
	const struct by_etag *x = a, *y = b;
	int c = strcmp(x->file->etag, y->file->etag);

	return c ? c : x->index < y->index ? -1 : x->index > y->index;
}

/* One blob for each etag: files of a repository that are equal share theirs. */
static void add_blobs(
	struct wb_hf_layout *l, const char *folder, const struct wb_hf_file *files, size_t n)
{
	wb_autofree struct by_etag *sorted = wb_calloc(n, sizeof(*sorted));

	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct by_etag){&files[i], i};
	if (n)
		qsort(sorted, n, sizeof(*sorted), compare_etags);
	for (size_t i = 0; i < n; i++)
		if (!i || strcmp(sorted[i].file->etag, sorted[i - 1].file->etag))
			add(l, WB_HF_BLOB, wb_asprintf("%s/blobs/%s", folder, sorted[i].file->etag),
				sorted[i].index, NULL);
}

int wb_hf_layout_make(struct wb_hf_layout *out, enum wb_hf_kind kind, const char *repo,
	const char *revision, const char *commit, const struct wb_hf_file *files, size_t n,
	struct wb_err *err)
{
	wb_autofree char *folder = repo_folder(kind, repo);
	const char *ref = *revision ? revision : "main";

	*out = WB_HF_LAYOUT_INIT;
	if (!is_hex(commit, 40))
		return wb_err_set(
			err, WB_ERR_FORMAT, "%s: \"%.60s\" is not a commit", repo, commit);
	for (size_t i = 0; i < n; i++)
		if (!is_hex(files[i].etag, 40) && !is_hex(files[i].etag, 64))
			return wb_err_set(err, WB_ERR_FORMAT,
				"%s: the etag \"%.80s\" of \"%s\" is neither a SHA-256 nor a git "
				"blob's SHA-1",
				repo, files[i].etag, files[i].path);
	add_blobs(out, folder, files, n);
	for (size_t i = 0; i < n; i++)
		add_link(out, folder, commit, &files[i]);
	if (strcmp(ref, commit))
		add(out, WB_HF_TEXT, wb_asprintf("%s/refs/%s", folder, ref), 0, wb_strdup(commit));
	add(out, WB_HF_TEXT, wb_strdup("version.txt"), 0, wb_strdup("1"));
	return 0;
}

void wb_hf_layout_release(struct wb_hf_layout *l)
{
	wb_vec_foreach (e, &l->entries) {
		free(e->path);
		free(e->text);
	}
	wb_vec_free(&l->entries);
}
