#include "builder/build/code.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/path.h"
#include "base/text.h"

struct scan {
	void (*line)(void *arg, const char *path, unsigned number, const char *text);
	void *arg;
	size_t files;
};

static void scan_text(struct scan *s, const char *path, char *text)
{
	unsigned number = 1;

	for (char *next; text; text = next, number++) {
		next = strchr(text, '\n');
		if (next)
			*next++ = '\0';
		s->line(s->arg, path, number, text);
	}
}

static int scan_file(struct scan *s, const char *path, const struct stat *st, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf text;

	if (st->st_size > WB_CODE_FILE_MAX || ++s->files > WB_CODE_FILES_MAX)
		return 0;
	wb_buf_init(&text, WB_CODE_FILE_MAX + 1, "Python file");
	if (wb_file_read(&text, path, err))
		return -1;
	scan_text(s, path, text.data);
	return 0;
}

static int visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int scan_dir(struct scan *s, const char *path, unsigned depth, struct wb_err *err)
{
	struct dirent **list;
	int n = scandir(path, &list, visible, alphasort), rc = 0;

	if (n < 0)
		return errno == ENOENT || errno == ENOTDIR
		               ? 0
		               : wb_err_sys(err, errno, "cannot read \"%s\"", path);
	for (int i = 0; i < n; i++) {
		wb_autofree struct dirent *e = list[i];
		wb_autofree char *child = wb_path_join(path, e->d_name);
		struct stat st;

		if (rc || lstat(child, &st))
			continue;
		if (S_ISDIR(st.st_mode) && depth < WB_CODE_DEPTH_MAX)
			rc = scan_dir(s, child, depth + 1, err);
		else if (S_ISREG(st.st_mode) && wb_str_ends(child, ".py"))
			rc = scan_file(s, child, &st, err);
	}
	free(list);
	return rc;
}

int wb_code_scan(const char *dir, const char *folder,
	void (*line)(void *arg, const char *path, unsigned number, const char *text), void *arg,
	struct wb_err *err)
{
	struct scan s = {.line = line, .arg = arg};
	wb_autofree char *path = wb_path_join(dir, folder);

	return scan_dir(&s, path, 0, err);
}
