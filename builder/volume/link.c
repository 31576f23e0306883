#include <errno.h>
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

static int replace(const char *path, const char *target, struct wb_err *err)
{
	wb_autofree char *temp = wb_asprintf("%s.wbtmp.%d", path, (int)getpid());

	unlink(temp); /* of a start that was killed: process ids come again */
	if (!symlink(target, temp) && !rename(temp, path))
		return 0;
	int errnum = errno;

	unlink(temp);
	return wb_err_sys(err, errnum, "cannot make the link \"%s\"", path);
}

/* Something is at path. */
static int settle(const char *path, const char *target, struct wb_err *err)
{
	char there[PATH_MAX];
	ssize_t n = readlink(path, there, sizeof(there) - 1);

	if (n > 0) {
		there[n] = '\0';
		if (!strcmp(there, target))
			return 0;
		if (is_ours(there))
			return replace(path, target, err);
	}
	wb_err_set(err, WB_ERR_IO, "\"%s\" is there already, and not from here", path);
	return wb_err_hint(err, "remove it, or give the source another volume_folder");
}

int wb_volume_link(const char *path, const char *blob, const char *relative_to, struct wb_err *err)
{
	wb_autofree char *parent = wb_path_dirname(path);
	wb_autofree char *target = relative_to && wb_path_within(path, relative_to) &&
	                                           wb_path_within(blob, relative_to)
	                                   ? relative(path, blob, relative_to)
	                                   : wb_strdup(blob);

	if (!wb_mkdirs(parent, 0755, err)) {
		if (!symlink(target, path))
			return 0;
		if (errno == EEXIST)
			return settle(path, target, err);
		wb_err_sys(err, errno, "cannot make the link \"%s\"", path);
	}
	return wb_err_hint(err, "mount a volume that this user may write to at \"%s\"", parent);
}
