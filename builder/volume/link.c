#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "base/text.h"
#include "builder/volume/start.h"

#define BLOBS "blobs/sha256/"

/* What the link at path says for blob: both lie below base, so it may be moved with it. */
static char *relative(const char *path, const char *blob, const char *base)
{
	WB_AUTO(wb_buf_release) struct wb_buf b = WB_BUF_INIT;
	size_t skip = strlen(base) + 1;

	wb_buf_init(&b, PATH_MAX, "link");
	for (const char *p = path + skip; (p = strchr(p, '/')); p++)
		wb_buf_must(&b, "../");
	wb_buf_must(&b, "%s", blob + skip);
	return wb_buf_steal(&b);
}

/* A link that an earlier start made: to some blob of a store. */
static bool is_ours(const char *target)
{
	const char *name = strstr(target, BLOBS);

	return name && strlen(name) == strlen(BLOBS) + 64 &&
	       strspn(name + strlen(BLOBS), "0123456789abcdef") == 64;
}

static bool says(char there[PATH_MAX], int dir, const char *name, const char *target)
{
	ssize_t n = readlinkat(dir, name, there, PATH_MAX - 1);

	there[n > 0 ? n : 0] = '\0';
	return !strcmp(there, target);
}

static int not_made(const char *path, int errnum, struct wb_err *err)
{
	return wb_err_sys(err, errnum, "cannot make the link \"%s\"", path);
}

/* Its own name may be as long as a name can be, so the temporary has another. Processes of two
 * containers may have one id: then the one that was quicker made the link for both. */
static int replace(int dir, const char *path, const char *target, struct wb_err *err)
{
	const char *name = wb_path_basename(path);
	wb_autofree char *temp = wb_asprintf(".wbtmp.%d", (int)getpid());
	char there[PATH_MAX];

	unlinkat(dir, temp, 0); /* of a start that was killed: process ids come again */
	if (!symlinkat(target, dir, temp) && !renameat(dir, temp, dir, name))
		return 0;
	int errnum = errno;

	unlinkat(dir, temp, 0);
	return says(there, dir, name, target) ? 0 : not_made(path, errnum, err);
}

/* Something is at path. */
static int settle(int dir, const char *path, const char *target, struct wb_err *err)
{
	char there[PATH_MAX];

	if (says(there, dir, wb_path_basename(path), target))
		return 0;
	if (is_ours(there))
		return replace(dir, path, target, err);
	wb_err_set(err, WB_ERR_IO, "\"%s\" is there already, and not from here", path);
	return wb_err_hint(err, "remove it, or give the source another volume_folder");
}

/* The folder that path is to be in, made where it is missing. */
static int open_parent(const char *folder, const char *path, struct wb_err *err)
{
	const char *rel = path + strlen(folder);

	if (wb_mkdirs(folder, 0755, err))
		return -1;
	wb_autoclose int top = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (top < 0)
		return wb_err_sys(err, errno, "cannot open \"%s\"", folder);
	rel += strspn(rel, "/");
	return wb_open_below(top, folder, rel, strlen(rel) - strlen(wb_path_basename(rel)), err);
}

static int link_in(int dir, const char *path, const char *target, struct wb_err *err)
{
	if (!symlinkat(target, dir, wb_path_basename(path)))
		return 0;
	return errno == EEXIST ? settle(dir, path, target, err) : not_made(path, errno, err);
}

int wb_volume_link(const char *folder, const char *path, const char *blob, const char *relative_to,
	struct wb_err *err)
{
	wb_autofree char *target = relative_to && wb_path_within(path, relative_to) &&
	                                           wb_path_within(blob, relative_to)
	                                   ? relative(path, blob, relative_to)
	                                   : wb_strdup(blob);
	wb_autoclose int dir = open_parent(folder, path, err);

	if (dir >= 0 && !link_in(dir, path, target, err))
		return 0;
	wb_autofree char *parent = wb_path_dirname(path);

	return err->hint[0]
	               ? -1
	               : wb_err_hint(err, "mount a volume that this user may write to at \"%s\"",
				 parent);
}
