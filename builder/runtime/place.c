#include "builder/runtime/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "base/text.h"

#define DEPTH_MAX 64

static int in_the_way(const char *path, const char *what, struct wb_err *err)
{
	wb_err_set(
		err, WB_ERR_UNSUPPORTED, "\"%s\" %s: the bundle cannot be put there", path, what);
	return wb_err_hint(err,
		"mount the volume at \"%s\" itself, or start from an image that has "
		"nothing there",
		path);
}

static int not_writable(const char *path, int errnum, struct wb_err *err)
{
	wb_err_sys(err, errnum, "cannot make a link at \"%s\"", path);
	if (errnum == EROFS || errnum == EACCES || errnum == EPERM)
		wb_err_hint(err, "mount an empty volume at its parent, mount the bundle there with "
				 "subPath, or use --mount bind (needs CAP_SYS_ADMIN)");
	return -1;
}

static int link_at(const char *target, const char *path, struct wb_err *err);

/* Both are directories: what is absent in path becomes a link, directories are joined. */
static int link_children(const char *target, const char *path, unsigned depth, struct wb_err *err)
{
	DIR *d = opendir(target);
	const struct dirent *entry;
	int rc = 0;

	if (!d)
		return wb_err_sys(err, errno, "cannot read \"%s\"", target);
	while (!rc && (entry = wb_readdir(d))) {
		struct stat st;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		wb_autofree char *from = wb_path_join(target, entry->d_name);
		wb_autofree char *to = wb_path_join(path, entry->d_name);
		bool joined = !lstat(to, &st) && S_ISDIR(st.st_mode) && !lstat(from, &st) &&
		              S_ISDIR(st.st_mode);

		if (joined && depth < DEPTH_MAX)
			rc = link_children(from, to, depth + 1, err);
		else
			rc = link_at(from, to, err);
	}
	if (!rc && errno)
		rc = wb_err_sys(err, errno, "cannot read \"%s\"", target);
	closedir(d);
	return rc;
}

static bool is_link_to(const char *path, const char *target)
{
	char text[PATH_MAX];
	ssize_t n = readlink(path, text, sizeof(text) - 1);

	if (n < 0)
		return false;
	text[n] = '\0';
	return !strcmp(text, target);
}

static int link_at(const char *target, const char *path, struct wb_err *err)
{
	struct stat st;

	if (!symlink(target, path))
		return 0;
	int errnum = errno;

	if (is_link_to(path, target))
		return 0;
	/* some file systems say "read-only" before "exists" */
	if (errnum != EEXIST && lstat(path, &st))
		return not_writable(path, errnum, err);
	return in_the_way(path, "is there already", err);
}

static int place_link(const char *target, const char *path, struct wb_err *err)
{
	wb_autofree char *parent = wb_path_dirname(path);
	struct stat st;

	if (is_link_to(path, target))
		return 0;
	if (lstat(path, &st)) {
		if (wb_mkdirs(parent, 0755, err))
			return not_writable(path, err->errnum, err);
		return link_at(target, path, err);
	}
	if (!S_ISDIR(st.st_mode))
		return in_the_way(path, "is there already", err);
	if (!rmdir(path)) /* only an empty directory goes, and comes back when the link fails */
		return symlink(target, path) ? not_writable(path, errno, err) : 0;
	return link_children(target, path, 0, err);
}

static int place_bind(const char *target, const char *path, struct wb_err *err)
{
	struct stat a, b;

	if (!stat(target, &a) && !stat(path, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		return 0;
	if (wb_mkdirs(path, 0755, err)) {
		wb_err_wrap(err, "cannot make the mount point \"%s\"", path);
		return wb_err_hint(err, "the image needs an empty directory there");
	}
	if (mount(target, path, NULL, MS_BIND | MS_REC, NULL)) {
		wb_err_sys(err, errno, "cannot bind \"%s\" to \"%s\"", target, path);
		return wb_err_hint(err,
			"--mount bind needs CAP_SYS_ADMIN in the container; without "
			"it use --mount link, or mount the volume at the path itself");
	}
	if (mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL)) {
		wb_err_sys(err, errno, "cannot make \"%s\" read-only", path);
		umount2(path, MNT_DETACH);
		return -1;
	}
	return 0;
}

/* A mount inside another one comes with it. */
static bool inside_another(const struct wb_bundle_manifest *m, size_t index)
{
	const char *mount = m->sources.items[index].mount;

	for (size_t i = 0; i < m->sources.n; i++) {
		const char *other = m->sources.items[i].mount;

		if (i != index && wb_path_within(mount, other) &&
			(strcmp(mount, other) || i < index))
			return true;
	}
	return false;
}

static bool is_hub(const struct wb_bundle_manifest *m, const char *mount)
{
	return m->hf_cache && wb_path_within(mount, m->hf_cache);
}

/* In a hub cache nothing needs to be at its path: the client can be told. */
static bool can_move(const struct wb_err *err)
{
	return err->errnum == EROFS || err->errnum == EACCES || err->errnum == EPERM;
}

int wb_place(char **hf_moved, const struct wb_bundle_manifest *m, const char *from,
	enum wb_place_mode mode, const char *root, struct wb_err *err)
{
	bool moved = m->hf_cache && mode == WB_PLACE_NONE;

	for (size_t i = 0; i < m->sources.n && mode != WB_PLACE_NONE; i++) {
		const char *mount = m->sources.items[i].mount;
		wb_autofree char *target = wb_path_join(from, mount + 1);
		wb_autofree char *path = wb_path_join(root, mount + 1);
		struct stat st;

		if (inside_another(m, i))
			continue;
		if (stat(target, &st)) {
			if (errno == ENOENT)
				continue; /* it has no file, or verification names them */
			return wb_err_sys(err, errno, "cannot look at \"%s\"", target);
		}
		if (!(mode == WB_PLACE_BIND ? place_bind : place_link)(target, path, err))
			continue;
		if (!is_hub(m, mount) || !can_move(err))
			return -1;
		wb_err_clear(err);
		moved = true;
	}
	*hf_moved = moved ? wb_path_join(from, m->hf_cache + 1) : NULL;
	return 0;
}

/* Where the hub's client looks by the environment alone; NULL when nothing says so. */
static char *hub_cache_by_environment(void)
{
	const char *dir = wb_env("HF_HUB_CACHE"), *home = wb_env("HF_HOME");

	if (!dir)
		dir = wb_env("HUGGINGFACE_HUB_CACHE");
	if (dir)
		return wb_strdup(dir);
	return home ? wb_path_join(home, "hub") : NULL;
}

static char *hub_cache_by_default(void)
{
	const char *cache = wb_env("XDG_CACHE_HOME"), *home = wb_env("HOME");

	if (cache)
		return wb_path_join(cache, "huggingface/hub");
	return wb_path_join(home ? home : "/", ".cache/huggingface/hub");
}

void wb_hub_point_to(const char *packed, const char *at)
{
	wb_autofree char *set = hub_cache_by_environment();
	wb_autofree char *looks = set ? wb_strdup(set) : hub_cache_by_default();

	if (strcmp(looks, at) && (!set || !strcmp(set, packed)))
		setenv("HF_HUB_CACHE", at, 1);
}
