#include "builder/build/local.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "builder/config/glob.h"
#include "layers/content.h"

struct walk {
	struct wb_local_result *out;
	struct wb_tree *tree;
	unsigned group;
	const char *root;
	const struct wb_local_opts *opts;
};

struct names {
	WB_VEC(char *) list;
};

static void names_release(struct names *n)
{
	wb_vec_foreach (name, &n->list)
		free(*name);
	wb_vec_free(&n->list);
}

void wb_local_result_release(struct wb_local_result *r)
{
	wb_vec_foreach (name, &r->left_out)
		free(*name);
	wb_vec_free(&r->left_out);
	wb_vec_foreach (path, &r->own)
		free(*path);
	wb_vec_free(&r->own);
	wb_vec_foreach (name, &r->filtered_names)
		free(*name);
	wb_vec_free(&r->filtered_names);
}

/* The path in the image, without leading slash, of something at rel ("" is the folder itself). */
static char *image_path(const struct walk *w, const char *rel)
{
	wb_autofree char *path = wb_path_join(w->opts->dest, rel);

	return wb_strdup(path + 1);
}

static bool is_ignored(const struct walk *w, const char *rel, bool is_dir)
{
	if (!w->opts->ignore)
		return false;
	wb_autofree char *path = wb_path_join(w->opts->ignore_prefix, rel);

	return wb_ignore_match(w->opts->ignore, path, is_dir);
}

static bool is_filtered(const struct walk *w, const char *rel)
{
	const struct wb_source *f = w->opts->filter;

	if (!f || wb_glob_keeps(f->dialect, &f->allow, &f->ignore, rel, w->opts->hits))
		return false;
	if (w->out->filtered++ < WB_FILTERED_KEPT)
		*wb_vec_push(&w->out->filtered_names) = wb_strdup(rel);
	return true;
}

static bool never_packed(const struct walk *w, const char *rel)
{
	for (size_t i = 0; w->opts->never && w->opts->never[i]; i++)
		if (!strcmp(w->opts->never[i], rel))
			return true;
	return false;
}

/* An image that an earlier build left here must not become a part of the next one. */
static bool is_own(struct walk *w, const char *path)
{
	for (size_t i = 0; i < w->opts->n_own; i++) {
		if (strcmp(w->opts->own[i], path))
			continue;
		*wb_vec_push(&w->out->own) = wb_strdup(path);
		return true;
	}
	return false;
}

static int add_file(struct walk *w, const char *path, const char *rel, const struct stat *st,
	struct wb_err *err)
{
	wb_autofree char *dest = image_path(w, rel);
	WB_AUTO(wb_content_release) struct wb_content content;

	wb_content_from_stat(&content, path, st);
	if (w->opts->cache)
		wb_statcache_lookup(w->opts->cache, &content);
	w->out->files++;
	return wb_tree_add_file(w->tree, w->group, dest, st->st_mode, &content, err);
}

static int leads_out(const char *path, const char *target, struct wb_err *err)
{
	wb_err_set(err, WB_ERR_CONFIG,
		"the symbolic link \"%s\" leads out of its folder, to \"%s\"", path, target);
	return wb_err_hint(err, "copy what it points to into the folder, make it a relative link "
				"inside the folder, or list it in .truss_ignore");
}

static int add_link(struct walk *w, const char *path, const char *rel, struct wb_err *err)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	struct stat st;

	if (n < 0)
		return wb_err_sys(err, errno, "cannot read the link \"%s\"", path);
	target[n] = '\0';
	wb_autofree char *dir = wb_path_dirname(path);
	wb_autofree char *end = wb_path_normalize(dir, target);

	if (target[0] == '/' || !wb_path_within(end, w->root))
		return leads_out(path, target, err);
	if (stat(path, &st) && errno == ENOENT)
		wb_warn("the symbolic link \"%s\" points to nothing: \"%s\"", path, target);
	wb_autofree char *dest = image_path(w, rel);

	w->out->links++;
	return wb_tree_add_symlink(w->tree, w->group, dest, target, err);
}

static int read_names(struct names *out, const char *path, struct wb_err *err)
{
	DIR *d = opendir(path);

	if (!d)
		return wb_err_sys(err, errno, "cannot read the folder \"%s\"", path);
	for (struct dirent *e; (e = wb_readdir(d));)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			*wb_vec_push(&out->list) = wb_strdup(e->d_name);
	int failed = errno;

	closedir(d);
	return failed ? wb_err_sys(err, failed, "cannot read the folder \"%s\"", path) : 0;
}

static int walk_dir(struct walk *w, const char *path, const char *rel, struct wb_err *err);

static const char *special_word(mode_t mode)
{
	return S_ISSOCK(mode) ? "a socket" : S_ISFIFO(mode) ? "a named pipe" : "a device";
}

static int walk_entry(struct walk *w, const char *path, const char *rel, struct wb_err *err)
{
	struct stat st;

	if (lstat(path, &st))
		return wb_err_sys(err, errno, "cannot look at \"%s\"", path);
	if (is_own(w, path))
		return 0;
	if (never_packed(w, rel)) {
		*wb_vec_push(&w->out->left_out) = wb_strdup(rel);
		return 0;
	}
	if (is_ignored(w, rel, S_ISDIR(st.st_mode))) {
		w->out->ignored++;
		return 0;
	}
	if (S_ISDIR(st.st_mode))
		return walk_dir(w, path, rel, err);
	if (is_filtered(w, rel))
		return 0;
	if (S_ISREG(st.st_mode))
		return add_file(w, path, rel, &st, err);
	if (S_ISLNK(st.st_mode))
		return add_link(w, path, rel, err);
	wb_err_set(err, WB_ERR_CONFIG, "\"%s\" is %s and cannot be packed", path,
		special_word(st.st_mode));
	return wb_err_hint(err, "remove it, or list it in .truss_ignore");
}

static int walk_dir(struct walk *w, const char *path, const char *rel, struct wb_err *err)
{
	WB_AUTO(names_release) struct names names = {0};

	if (wb_cancel_check(err) || read_names(&names, path, err))
		return -1;
	/* Patterns choose files; a folder none of whose files they chose is not wanted either. */
	if (*rel && !w->opts->filter) {
		wb_autofree char *dest = image_path(w, rel);

		if (wb_tree_add_dir(w->tree, w->group, dest, err))
			return -1;
	}
	wb_vec_foreach (name, &names.list) {
		wb_autofree char *child = wb_asprintf("%s/%s", path, *name);
		wb_autofree char *child_rel =
			*rel ? wb_asprintf("%s/%s", rel, *name) : wb_strdup(*name);

		if (strlen(child) >= PATH_MAX)
			return wb_err_set(
				err, WB_ERR_CONFIG, "\"%.200s...\" is nested too deep", child);
		if (walk_entry(w, child, child_rel, err))
			return -1;
	}
	return 0;
}

int wb_local_add(struct wb_local_result *out, struct wb_tree *t, unsigned group, const char *path,
	const struct wb_local_opts *opts, struct wb_err *err)
{
	struct walk w = {.out = out, .tree = t, .group = group, .root = path, .opts = opts};
	wb_autofree char *real = realpath(path, NULL);
	struct stat st;

	*out = (struct wb_local_result){0};
	if (!real || stat(real, &st))
		return wb_err_sys(err, errno, "cannot read \"%s\"", path);
	w.root = real;
	if (S_ISDIR(st.st_mode))
		return walk_dir(&w, real, "", err);
	if (!S_ISREG(st.st_mode))
		return wb_err_set(err, WB_ERR_CONFIG, "\"%s\" is %s and cannot be packed", path,
			special_word(st.st_mode));
	const char *name = wb_path_basename(path);

	if (is_filtered(&w, name))
		return 0;
	return add_file(&w, real, name, &st, err);
}
