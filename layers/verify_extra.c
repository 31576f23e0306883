/* Files that nobody packed: a loader that reads whatever lies in a directory would load them too.
 *
 * Looked for below each source's mount. Not in "/", and not in a source that the manifest calls
 * shared, where others have files by right. A hub cache is written to by the hub's client itself
 * (locks, refs, markers of absent files, other models), so there only the snapshots that were
 * packed are looked at: that is what a loader lists. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "base/text.h"
#include "layers/verify_impl.h"

/* Bounds the recursion; PATH_MAX / 2 components do not fit into any path that was packed. */
#define DEPTH_MAX 512

/* The first entry that does not sort before path. */
static size_t lower_bound(const struct wb_bundle_manifest *m, const char *path)
{
	size_t low = 0, high = m->entries.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (wb_path_cmp(m->entries.items[mid].path, path) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

enum known { UNKNOWN, NAMED, PARENT };

/* Is path an entry, or a directory that some entry lies in? */
static enum known known(const struct wb_bundle_manifest *m, const char *path)
{
	size_t i = lower_bound(m, path), n = strlen(path);
	const char *found;

	if (i == m->entries.n)
		return UNKNOWN;
	found = m->entries.items[i].path;
	if (strncmp(found, path, n))
		return UNKNOWN;
	if (found[n] == '/')
		return PARENT;
	return found[n] ? UNKNOWN : NAMED;
}

static bool descend(const struct wb_bundle_manifest *m, const char *path, enum known what)
{
	return what == PARENT ||
	       (what == NAMED && m->entries.items[lower_bound(m, path)].type == WB_BUNDLE_DIR);
}

static int walk(struct verify *v, int fd, const char *path, unsigned depth, struct wb_err *err);

static int visit(struct verify *v, int dir, const char *parent, const char *name, unsigned depth,
	struct wb_err *err)
{
	wb_autofree char *path = *parent ? wb_asprintf("%s/%s", parent, name) : wb_strdup(name);
	enum known what = known(v->m, path);

	if (what == UNKNOWN) {
		verify_problem(v, WB_PROBLEM_EXTRA, path, NULL);
		return 0;
	}
	if (!descend(v->m, path, what) || depth == DEPTH_MAX)
		return 0;
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0)
		return walk(v, fd, path, depth + 1, err);
	/* not there, or no directory: the first look has said so */
	if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		verify_problem_errno(v, path, errno);
	return 0;
}

/* Takes fd over. */
static int walk(struct verify *v, int fd, const char *path, unsigned depth, struct wb_err *err)
{
	DIR *d = fdopendir(fd);
	const struct dirent *entry;
	int rc = 0;

	if (!d) {
		verify_problem_errno(v, path, errno);
		close(fd);
		return 0;
	}
	while (!rc && (entry = wb_readdir(d)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			rc = visit(v, dirfd(d), path, entry->d_name, depth, err);
	if (!rc && errno)
		verify_problem_errno(v, path, errno);
	closedir(d);
	return rc ? rc : verify_go_on(v, err);
}

static int walk_path(struct verify *v, const char *path, struct wb_err *err)
{
	int fd = wb_root_open_dir(&v->root, path);

	if (fd >= 0)
		return walk(v, fd, path, 0, err);
	if (errno != ENOENT && errno != ENOTDIR)
		verify_problem_errno(v, path, errno);
	return 0;
}

static bool below_hub_cache(const struct wb_bundle_manifest *m, const char *mount)
{
	return m->hf_cache && wb_path_within(mount, m->hf_cache);
}

/* "…/models--o--r/snapshots/<revision>" of a path below it, or 0: its length. */
static size_t snapshot_length(const char *path)
{
	static const char word[] = "/snapshots/";
	const char *at = strstr(path, word), *end;

	if (!at)
		return 0;
	end = strchr(at + strlen(word), '/');
	return end ? (size_t)(end - path) : 0;
}

static int check_snapshots(struct verify *v, struct wb_err *err)
{
	wb_autofree char *last = NULL;
	const char *cache = v->m->hf_cache + 1;

	wb_vec_foreach (e, &v->m->entries) {
		size_t n = wb_path_within(e->path, cache) ? snapshot_length(e->path) : 0;

		if (!n || (last && strlen(last) == n && !strncmp(last, e->path, n)))
			continue;
		free(last);
		last = wb_strndup(e->path, n);
		if (walk_path(v, last, err))
			return -1;
	}
	return 0;
}

/* Two sources may share a mount, or one lie in another: each directory is walked once. */
static bool walked_by_another(const struct wb_bundle_manifest *m, size_t index)
{
	const char *mount = m->sources.items[index].mount;

	for (size_t i = 0; i < m->sources.n; i++) {
		const struct wb_bundle_source *s = &m->sources.items[i];

		if (i == index || s->shared || !s->mount[1] || !wb_path_within(mount, s->mount))
			continue;
		if (strcmp(mount, s->mount) || i < index)
			return true;
	}
	return false;
}

int verify_extra(struct verify *v, struct wb_err *err)
{
	for (size_t i = 0; i < v->m->sources.n; i++) {
		const struct wb_bundle_source *s = &v->m->sources.items[i];

		if (s->shared || !s->mount[1] || below_hub_cache(v->m, s->mount) ||
			walked_by_another(v->m, i))
			continue;
		if (walk_path(v, s->mount + 1, err))
			return -1;
	}
	return v->m->hf_cache ? check_snapshots(v, err) : 0;
}
