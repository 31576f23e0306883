#include "oci/layout_prune.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <uthash.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "oci/blobio.h"
#include "oci/manifest.h"
#include "oci/mediatype.h"

#define DEPTH_MAX 4 /* indexes within indexes */

struct reached {
	struct wb_digest digest;
	UT_hash_handle hh;
};

static void reached_release(struct reached **set)
{
	struct reached *r, *next;

	HASH_ITER (hh, *set, r, next) {
		HASH_DELETE(hh, *set, r);
		free(r);
	}
}

static bool has(struct reached *set, const struct wb_digest *d)
{
	struct reached *r;

	HASH_FIND(hh, set, d, sizeof(*d), r);
	return r != NULL;
}

static void add(struct reached **set, const struct wb_digest *d)
{
	if (has(*set, d))
		return;
	struct reached *r = wb_zalloc(sizeof(*r));

	r->digest = *d;
	HASH_ADD(hh, *set, digest, sizeof(r->digest), r);
}

static int reach(struct reached **set, struct wb_layout_base *l, const struct wb_descriptor *d,
	unsigned depth);

static int reach_manifest(
	struct reached **set, const struct wb_document *doc, const char *what, struct wb_err *err)
{
	WB_AUTO(wb_manifest_release) struct wb_manifest m = WB_MANIFEST_INIT;

	if (wb_manifest_parse(&m, doc, what, err))
		return -1;
	add(set, &m.config.digest);
	wb_vec_foreach (layer, &m.layers)
		add(set, &layer->digest);
	return 0;
}

static int reach_index(struct reached **set, struct wb_layout_base *l,
	const struct wb_document *doc, unsigned depth, struct wb_err *err)
{
	WB_AUTO(wb_index_release) struct wb_index index = WB_INDEX_INIT;

	if (wb_index_parse(&index, doc, l->base.label, err))
		return -1;
	wb_vec_foreach (child, &index.children)
		if (reach(set, l, child, depth + 1))
			return -1;
	return 0;
}

/* -1: there may be more than was found. */
static int reach(struct reached **set, struct wb_layout_base *l, const struct wb_descriptor *d,
	unsigned depth)
{
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;
	struct wb_err err = WB_ERR_INIT;

	if (depth > DEPTH_MAX)
		return -1;
	add(set, &d->digest);
	if (wb_transport_get_manifest(&doc, &l->base, d, &err))
		/* a child that is not there, as in a copy of some platforms only, reaches nothing
		 */
		return err.code == WB_ERR_NOT_FOUND ? 0 : -1;
	enum wb_media_kind kind = wb_media_classify(doc.desc.media_type).kind;

	if (kind == WB_MEDIA_INDEX)
		return reach_index(set, l, &doc, depth, &err);
	if (kind == WB_MEDIA_MANIFEST)
		return reach_manifest(set, &doc, l->base.label, &err);
	return -1; /* of a kind that may name others in a way not known here */
}

static void drop_blob(const struct wb_layout_base *l, const struct wb_digest *d)
{
	wb_autofree char *path = wb_asprintf("%s/blobs/sha256/%s", l->path, wb_digest_hex(d).s);

	if (!unlink(path))
		wb_debug("%s: %s is in no image any more", l->base.label, wb_digest_text(d).s);
}

static void drop_temporaries(const char *folder)
{
	DIR *dir = opendir(folder);

	if (!dir)
		return;
	for (const struct dirent *e; (e = readdir(dir));)
		if (wb_str_starts(e->d_name, ".wbtmp."))
			unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
}

int wb_layout_use(const char *dir)
{
	wb_autofree char *path = wb_asprintf("%s/blobs", dir);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_SH))
		wb_closep(&fd);
	return fd;
}

static bool is_own(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_mtim.tv_sec == WB_LAYOUT_MTIME &&
	       !st->st_mtim.tv_nsec;
}

bool wb_layout_has(const struct wb_layout_base *l, const struct wb_descriptor *d)
{
	wb_autofree char *path =
		wb_asprintf("%s/blobs/sha256/%s", l->path, wb_digest_hex(&d->digest).s);
	struct wb_err err = WB_ERR_INIT;
	struct stat st;

	if (lstat(path, &st) || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != d->size)
		return false;
	if (is_own(&st))
		return true;
	wb_autoclose int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || wb_blob_check(fd, 0, d, path, &err))
		return false;
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = WB_LAYOUT_MTIME}};

	(void)futimens(fd, times); /* somebody else's may not be ours to touch */
	return true;
}

/* Blobs of wbuild's own, whichever image they were of. */
static void add_own(struct reached **set, const char *folder)
{
	DIR *dir = opendir(folder);
	struct wb_digest d;
	struct stat st;

	if (!dir)
		return;
	for (const struct dirent *e; (e = readdir(dir));)
		if (wb_digest_parse_hex(&d, e->d_name, strlen(e->d_name)) &&
			!fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) && is_own(&st))
			add(set, &d);
	closedir(dir);
}

static void drop_unreached(struct wb_layout_base *l, const wb_descriptors *gone, const char *blobs)
{
	WB_AUTO(reached_release) struct reached *before = NULL;
	WB_AUTO(reached_release) struct reached *now = NULL;
	struct reached *r, *next;

	for (size_t i = 0; i < gone->n; i++)
		if (reach(&before, l, &gone->items[i], 0))
			return;
	add_own(&before, blobs);
	for (size_t i = 0; before && i < l->index.entries.n; i++)
		if (reach(&now, l, &l->index.entries.items[i], 0))
			return;
	HASH_ITER (hh, before, r, next)
		if (!has(now, &r->digest))
			drop_blob(l, &r->digest);
}

void wb_layout_prune(struct wb_layout_base *l, const wb_descriptors *gone, int use)
{
	wb_autofree char *blobs = wb_asprintf("%s/blobs/sha256", l->path);

	if (use < 0)
		return;
	if (!flock(use, LOCK_EX | LOCK_NB)) {
		drop_temporaries(blobs);
		drop_temporaries(l->path);
		drop_unreached(l, gone, blobs);
	}
	flock(use, LOCK_SH | LOCK_NB); /* not to keep others waiting while l stays open */
}
