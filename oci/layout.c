#include "oci/layout_base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "oci/blobio.h"
#include "oci/layout_prune.h"
#include "oci/manifest.h"

#define LAYOUT_FILE_MAX 4096

/* A root that waits for commit. */
struct pending {
	struct wb_descriptor desc;
	char *tag, *name;
};

struct layout {
	struct wb_layout_base l;
	WB_VEC(struct pending) pending;
	int use; /* while it is open (layout_prune.h) */
};

static char *blob_name(const struct wb_layout_base *l, const struct wb_digest *d)
{
	return wb_asprintf("%s/blobs/sha256/%s", l->path, wb_digest_hex(d).s);
}

static int locate(struct wb_located *out, struct wb_layout_base *l, const struct wb_digest *d,
	struct wb_err *err)
{
	wb_autofree char *path = blob_name(l, d);
	/* Non-blocking: a pipe somebody put there must not hang us. */
	wb_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0 || fstat(fd, &st))
		return wb_err_sys(err, errno, "cannot open \"%s\"", path);
	if (!S_ISREG(st.st_mode))
		return wb_err_set(err, WB_ERR_FORMAT, "\"%s\" is not a regular file", path);
	*out = (struct wb_located){.fd = fd, .own_fd = true, .size = (uint64_t)st.st_size};
	fd = -1;
	return 0;
}

static char *blob_path(struct wb_transport *t, const struct wb_descriptor *d, uint64_t *offset)
{
	wb_autofree char *path = blob_name((struct wb_layout_base *)t, &d->digest);
	struct stat st;

	if (stat(path, &st) || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != d->size)
		return NULL;
	*offset = 0;
	return wb_steal(path);
}

/* Takes the whole file as it is: hard link or reflink. 1: not possible here. */
static int take_file(struct wb_put_result *out, struct wb_file *f, const struct wb_descriptor *d,
	const struct wb_blob_source *src, struct wb_err *err)
{
	wb_autoclose int in = open(src->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (in < 0 || fstat(in, &st))
		return wb_err_sys(err, errno, "cannot open \"%s\"", src->path);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != d->size)
		return 1;
	bool linked = src->allow_link && src->trusted && !link(src->path, f->path);

	if (!linked && ioctl(f->fd, FICLONE, in))
		return 1;
	if (!src->trusted && wb_blob_check(f->fd, 0, d, src->path, err))
		return -1;
	f->size = d->size;
	*out = (struct wb_put_result){.how = WB_PUT_CLONED};
	if (linked)
		wb_file_release(f);
	return 0;
}

static int put_blob(struct wb_put_result *out, struct wb_transport *t,
	const struct wb_descriptor *d, const struct wb_blob_source *src,
	const struct wb_put_opts *opts, struct wb_err *err)
{
	WB_AUTO(wb_file_release) struct wb_file f = WB_FILE_INIT;
	wb_autofree char *path = blob_name((struct wb_layout_base *)t, &d->digest);
	int rc = 1;

	if (wb_layout_has((struct wb_layout_base *)t, d)) {
		*out = (struct wb_put_result){.how = WB_PUT_PRESENT};
		return 0;
	}
	if (wb_file_create(&f, path, 0644, WB_FILE_REPLACE, err))
		return -1;
	f.mtime = WB_LAYOUT_MTIME;
	if (src->path && src->whole_file)
		rc = take_file(out, &f, d, src, err);
	if (rc < 0)
		return -1;
	if (rc > 0) {
		if (wb_blob_write(f.fd, 0, path, d, src, opts, err))
			return -1;
		f.size = d->size;
		*out = (struct wb_put_result){.how = WB_PUT_SENT, .sent = d->size};
	}
	if (opts->progress)
		opts->progress(opts->progress_arg, d->size);
	return f.fd < 0 ? 0 : wb_file_commit(&f, NULL, err);
}

/* For what is written next: a blob that only looks like the one that is wanted is written anew. */
static int has_blob(
	bool *out, struct wb_transport *t, const struct wb_descriptor *d, struct wb_err *err)
{
	*out = wb_layout_has((struct wb_layout_base *)t, d);
	return 0;
}

static int put_manifest(struct wb_transport *t, const struct wb_document *m,
	const struct wb_manifest_put *how, struct wb_err *err)
{
	struct layout *l = (struct layout *)t;

	if (wb_transport_put_bytes(t, &m->desc, m->bytes, err))
		return -1;
	if (!how->root)
		return 0;
	struct pending *p = wb_vec_push(&l->pending);

	wb_descriptor_copy(&p->desc, &m->desc);
	p->tag = wb_strdup(how->tag ? how->tag : l->l.tag);
	p->name = wb_strdup(how->name);
	return 0;
}

static int read_index(struct wb_layout_base *l, bool may_miss, struct wb_err *err)
{
	wb_autofree char *path = wb_asprintf("%s/index.json", l->path);
	WB_AUTO(wb_buf_release) struct wb_buf b = WB_BUF_INIT;

	wb_buf_init(&b, WB_OCI_MANIFEST_MAX, "index.json");
	if (wb_file_read_regular(&b, path, err)) {
		/* only one that is not there: the images of one that cannot be read would be lost
		 */
		if (may_miss && err->code == WB_ERR_NOT_FOUND) {
			wb_err_clear(err);
			wb_layout_index_empty(&l->index);
			return 0;
		}
		if (err->code == WB_ERR_NOT_FOUND)
			wb_err_hint(
				err, "\"%s\" is not an OCI layout, or was not finished", l->path);
		return -1;
	}
	return wb_layout_index_parse(&l->index, b.data, b.len, l->base.label, err);
}

/* Entries that the pending ones took the place of. */
static void enter_pending(wb_descriptors *gone, struct layout *l)
{
	wb_descriptors before = {0};

	wb_vec_foreach (d, &l->l.index.entries)
		wb_descriptor_copy(wb_vec_push(&before), d);
	wb_vec_foreach (p, &l->pending)
		wb_layout_index_put(&l->l.index, &p->desc, p->tag, p->name);
	wb_vec_foreach (d, &before)
		if (!wb_layout_index_find_digest(&l->l.index, &d->digest))
			wb_descriptor_copy(wb_vec_push(gone), d);
	wb_descriptors_release(&before);
}

static int commit(struct wb_transport *t, struct wb_err *err)
{
	struct layout *l = (struct layout *)t;
	WB_AUTO(wb_lock_release) struct wb_lock lock = WB_LOCK_INIT;
	wb_autofree char *mark = wb_asprintf("%s/oci-layout", l->l.path);
	wb_autofree char *path = wb_asprintf("%s/index.json", l->l.path);
	wb_autofree char *blobs = wb_asprintf("%s/blobs/sha256", l->l.path);
	WB_AUTO(wb_descriptors_release) wb_descriptors gone = {0};

	/* Names of blobs reach the disk before the index that speaks of them. */
	if (wb_fsync_dir(blobs, err))
		return -1;
	/* Two builds may write to one folder: what the other entered meanwhile stays. */
	if (wb_lock_acquire(&lock, mark, true, err))
		return -1;
	wb_layout_index_release(&l->l.index);
	if (read_index(&l->l, true, err))
		return -1;
	enter_pending(&gone, l);
	wb_autofree char *text = wb_layout_index_dump(&l->l.index);

	if (wb_file_put(path, text, strlen(text), 0644, WB_FILE_REPLACE, err))
		return -1;
	wb_layout_prune(&l->l, &gone, l->use);
	return 0;
}

static void free_layout(struct wb_transport *t)
{
	struct layout *l = (struct layout *)t;

	wb_vec_foreach (p, &l->pending) {
		wb_descriptor_release(&p->desc);
		free(p->tag);
		free(p->name);
	}
	wb_vec_free(&l->pending);
	wb_layout_base_release(&l->l);
	wb_closep(&l->use);
	free(l);
}

static const struct wb_transport_ops layout_ops = {
	.name = "oci",
	.resolve = wb_layout_base_resolve,
	.get_manifest = wb_layout_base_get_manifest,
	.open_blob = wb_layout_base_open_blob,
	.blob_path = blob_path,
	.has_blob = has_blob,
	.has_manifest = wb_layout_base_has_blob,
	.put_blob = put_blob,
	.put_manifest = put_manifest,
	.commit = commit,
	.free = free_layout,
};

static int check_mark(const struct wb_layout_base *l, struct wb_err *err)
{
	wb_autofree char *path = wb_asprintf("%s/oci-layout", l->path);
	WB_AUTO(wb_buf_release) struct wb_buf b = WB_BUF_INIT;

	wb_buf_init(&b, LAYOUT_FILE_MAX, "oci-layout");
	if (wb_file_read_regular(&b, path, err)) {
		if (err->code == WB_ERR_NOT_FOUND)
			wb_err_hint(err, "\"%s\" is not an OCI layout", l->path);
		return -1;
	}
	return wb_layout_file_check(b.data, b.len, l->base.label, err);
}

/* May this folder become a layout? Only when nothing but an unfinished layout is in it: a typing
 * error must not spread blobs over somebody's home. */
static int check_free(const char *path, struct wb_err *err)
{
	DIR *dir = opendir(path);
	int rc = 0;

	if (!dir)
		return wb_err_sys(err, errno, "cannot open the folder \"%s\"", path);
	for (struct dirent *e; !rc && (e = wb_readdir(dir));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
			!strcmp(e->d_name, "blobs") || wb_str_starts(e->d_name, ".wbtmp."))
			continue;
		rc = wb_err_set(err, WB_ERR_USAGE,
			"\"%s\" is not empty and not an OCI layout: \"%.80s\" is in it", path,
			e->d_name);
		wb_err_hint(err, "choose another folder, or empty it");
	}
	if (!rc && errno)
		rc = wb_err_sys(err, errno, "cannot read the folder \"%s\"", path);
	closedir(dir);
	return rc;
}

static int prepare(struct wb_layout_base *l, struct wb_err *err)
{
	wb_autofree char *mark = wb_asprintf("%s/oci-layout", l->path);
	wb_autofree char *blobs = wb_asprintf("%s/blobs/sha256", l->path);

	if (wb_mkdirs_durable(l->path, 0755, err))
		return -1;
	if (!access(mark, F_OK)) {
		if (check_mark(l, err))
			return -1;
	} else if (errno != ENOENT) {
		return wb_err_sys(err, errno, "cannot look at \"%s\"", mark);
	} else if (check_free(l->path, err) ||
		   wb_file_put(mark, WB_LAYOUT_FILE, strlen(WB_LAYOUT_FILE), 0644, 0, err)) {
		return -1;
	}
	return wb_mkdirs_durable(blobs, 0755, err);
}

struct wb_transport *wb_layout_open(
	const struct wb_place *p, enum wb_transport_mode mode, struct wb_err *err)
{
	struct layout *l = wb_zalloc(sizeof(*l));
	bool write = mode == WB_TRANSPORT_WRITE;

	l->use = -1;
	l->l.base.ops = &layout_ops;
	l->l.locate = locate;
	wb_layout_base_init(&l->l, p);
	int rc = write ? prepare(&l->l, err) : check_mark(&l->l, err);

	if (!rc) {
		l->use = wb_layout_use(p->path);
		rc = read_index(&l->l, write, err);
	}
	if (rc) {
		wb_transport_free(&l->l.base);
		return NULL;
	}
	return &l->l.base;
}
