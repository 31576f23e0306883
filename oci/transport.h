/* Where images are: one interface to read and write them in a registry, an OCI layout, an OCI
 * archive or a docker archive.
 *
 * The wb_transport_*() functions are what the rest of the program calls. They check what an
 * implementation gives them: bytes of manifests against their descriptor, blobs by a reader that
 * hashes on the way and refuses a wrong end. Implementations fill `struct wb_transport_ops` and
 * embed `struct wb_transport` as their first member.
 *
 * Threads: open_blob, has_blob, check_image and put_blob of one transport may be called from
 * several threads at once; everything else from one thread at a time, and not while blob calls run.
 * A reader belongs to the thread that opened it.
 *
 * Order of writing: blobs, then manifests with children before parents, then commit. Freed before
 * commit, a transport leaves nothing that a reader of the place would take for an image. */
#ifndef WB_OCI_TRANSPORT_H
#define WB_OCI_TRANSPORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "oci/descriptor.h"
#include "oci/reference.h"

#define WB_OCI_MANIFEST_MAX (4u << 20) /* bytes of one manifest or index (distribution-spec) */
#define WB_OCI_CONFIG_MAX (8u << 20)   /* bytes of one image config */

/* Manifest or index as bytes, never re-serialised. */
struct wb_document {
	struct wb_descriptor desc;
	char *bytes; /* desc.size of them, and a NUL */
};

#define WB_DOCUMENT_INIT ((struct wb_document){0})
void wb_document_release(struct wb_document *d);
/* Takes bytes (heap); computes digest and size. out was INIT. */
void wb_document_set(struct wb_document *out, const char *media_type, char *bytes, size_t n);

/* Bytes of one blob, in order. */
struct wb_reader {
	/* At least one byte, or *got = 0 at the end; again 0 after it. */
	int (*read)(struct wb_reader *r, void *p, size_t n, size_t *got, struct wb_err *err);
	void (*close)(struct wb_reader *r); /* frees r */
};
int wb_reader_read(struct wb_reader *r, void *p, size_t n, size_t *got, struct wb_err *err);
void wb_reader_close(struct wb_reader *r); /* NULL is fine */
/* All size bytes and the end after them, into the heap with a NUL behind; what names them. */
int wb_reader_all(char **out, struct wb_reader *r, uint64_t size, size_t limit, const char *what,
	struct wb_err *err);
static inline void wb_reader_closep(struct wb_reader **r)
{
	wb_reader_close(*r);
}

/* Part of a plain file, as a reader; the descriptor stays the caller's unless own_fd. */
struct wb_reader *wb_reader_file(
	int fd, bool own_fd, uint64_t offset, uint64_t size, const char *name);
/* Passes r through and, at its end, fails with WB_ERR_INTEGRITY when size or digest of what went
 * by differ from d. Bytes past d->size fail at once. Nothing read counts before *got = 0 was
 * returned. Takes r. */
struct wb_reader *wb_reader_verify(
	struct wb_reader *r, const struct wb_descriptor *d, const char *name);

/* Where put_blob takes bytes from: a part of a plain file when path is set, else a stream that open
 * makes, as often as the writer asks (a retry, or after a restart from an offset). */
struct wb_blob_source {
	const char *path;
	/* Of the blob in path; a layout's or store's blob is the whole file, at 0. */
	uint64_t offset;
	bool whole_file; /* the blob is all of path: it may be cloned */
	bool allow_link; /* and even hard-linked: path is never written to again */
	bool trusted;    /* verified before (our store): need not be hashed again */
	int (*open)(struct wb_reader **out, void *arg, uint64_t offset, struct wb_err *err);
	void *arg;
};

#define WB_BLOB_SOURCE_INIT ((struct wb_blob_source){0})

struct wb_early; /* oci/registry.h */

struct wb_put_opts {
	/* Or NULL: what was sent of this blob to this registry while it was written. Used up, or
	 * passed over; freeing it stays the caller's. */
	struct wb_early *early;
	/* Repository of the same registry that may hold the blob, or NULL. */
	const char *mount_from;
	/* Bytes that are in place so far; may go back on a retry. From the putting thread. */
	void (*progress)(void *arg, uint64_t done);
	void *progress_arg;
	/* Or NULL. Set, an upload to a registry that is under way ends with WB_ERR_CANCELLED; what
	 * arrived of it serves the next attempt. */
	const atomic_bool *stop;
};

enum wb_put_how {
	WB_PUT_SENT,    /* bytes moved */
	WB_PUT_PRESENT, /* was there */
	WB_PUT_MOUNTED, /* the registry took it from another repository */
	WB_PUT_CLONED,  /* hard link or reflink */
};

struct wb_put_result {
	enum wb_put_how how;
	uint64_t sent; /* bytes that went over the wire or were written, retries included */
};

/* How a manifest is entered. */
struct wb_manifest_put {
	/* An image of its own; else only a child that an index names by digest. */
	bool root;
	/* For a root: its tag; NULL: the one of the place's own name, or none. */
	const char *tag;
	/* For a root in a layout or archive: the full reference it is known by
	 * (io.containerd.image.name, docker's RepoTags); or NULL. */
	const char *name;
};

struct wb_transport;

/* A place that is only written to has no resolve, get_manifest and open_blob; one that is only read
 * from has no put_blob and put_manifest. */
struct wb_transport_ops {
	const char *name; /* "oci", "oci-archive", "docker-archive", "docker" */
	/* ref is a tag or "sha256:…" digest; NULL: what the place's name says, else the only image
	 * there. WB_ERR_NOT_FOUND when there is none. out->desc.size is the number of bytes; its
	 * digest and media type are what the place states of them, or zero and NULL. */
	int (*resolve)(struct wb_document *out, struct wb_transport *t, const char *ref,
		struct wb_err *err);
	/* By digest; d's media type and size are hints where the place does not know better. */
	int (*get_manifest)(struct wb_document *out, struct wb_transport *t,
		const struct wb_descriptor *d, struct wb_err *err);
	/* From offset on (0 <= offset <= size). Unverified: wb_transport_open_blob() wraps it. */
	int (*open_blob)(struct wb_reader **out, struct wb_transport *t,
		const struct wb_descriptor *d, uint64_t offset, struct wb_err *err);
	/* Optional: a plain file that holds the blob at *offset, which stays while t is open. NULL
	 * without err when there is none (not there, or not plain). The caller frees. */
	char *(*blob_path)(struct wb_transport *t, const struct wb_descriptor *d, uint64_t *offset);
	int (*has_blob)(bool *out, struct wb_transport *t, const struct wb_descriptor *d,
		struct wb_err *err);
	/* Optional: is this manifest there (by digest)? Saves sending children of a known index. */
	int (*has_manifest)(bool *out, struct wb_transport *t, const struct wb_descriptor *d,
		struct wb_err *err);
	/* Optional: everything that put_blob will bring, in the order it is to lie in an archive.
	 * Called at most once, before the first put_blob; blobs not announced still work. */
	int (*announce)(struct wb_transport *t, const struct wb_descriptor *blobs, size_t n,
		struct wb_err *err);
	/* Optional: would an image of these layers be taken? Asked before the first put_blob. */
	int (*check_image)(struct wb_transport *t, const struct wb_descriptor *layers, size_t n,
		struct wb_err *err);
	int (*put_blob)(struct wb_put_result *out, struct wb_transport *t,
		const struct wb_descriptor *d, const struct wb_blob_source *src,
		const struct wb_put_opts *opts, struct wb_err *err);
	int (*put_manifest)(struct wb_transport *t, const struct wb_document *m,
		const struct wb_manifest_put *how, struct wb_err *err);
	int (*commit)(struct wb_transport *t, struct wb_err *err); /* optional */
	void (*free)(struct wb_transport *t);
};

struct wb_transport {
	const struct wb_transport_ops *ops;
	char *label;            /* the place's name, for messages; freed by wb_transport_free() */
	const char *host;       /* registries: "ghcr.io"; else NULL. The implementation's memory */
	const char *repository; /* registries: "owner/name"; else NULL */
	bool single;            /* writing: holds one image of one platform (docker-archive) */
	bool plain_layers;      /* writing: layers are re-encoded, so manifest digests change */
};

int wb_transport_resolve(
	struct wb_document *out, struct wb_transport *t, const char *ref, struct wb_err *err);
int wb_transport_get_manifest(struct wb_document *out, struct wb_transport *t,
	const struct wb_descriptor *d, struct wb_err *err);
int wb_transport_open_blob(struct wb_reader **out, struct wb_transport *t,
	const struct wb_descriptor *d, struct wb_err *err);
/* A whole small blob (a config), verified; the result has a NUL after d->size bytes. */
int wb_transport_read_blob(char **out, struct wb_transport *t, const struct wb_descriptor *d,
	size_t limit, const char *what, struct wb_err *err);
int wb_transport_has_blob(
	bool *out, struct wb_transport *t, const struct wb_descriptor *d, struct wb_err *err);
/* false when the transport cannot tell. */
int wb_transport_has_manifest(
	bool *out, struct wb_transport *t, const struct wb_descriptor *d, struct wb_err *err);
int wb_transport_announce(
	struct wb_transport *t, const struct wb_descriptor *blobs, size_t n, struct wb_err *err);
int wb_transport_check_image(
	struct wb_transport *t, const struct wb_descriptor *layers, size_t n, struct wb_err *err);
int wb_transport_put_blob(struct wb_put_result *out, struct wb_transport *t,
	const struct wb_descriptor *d, const struct wb_blob_source *src,
	const struct wb_put_opts *opts, struct wb_err *err); /* out, opts may be NULL */
int wb_transport_put_bytes(struct wb_transport *t, const struct wb_descriptor *d, const char *bytes,
	struct wb_err *err);
int wb_transport_put_manifest(struct wb_transport *t, const struct wb_document *m,
	const struct wb_manifest_put *how, struct wb_err *err);
int wb_transport_commit(struct wb_transport *t, struct wb_err *err);
void wb_transport_free(struct wb_transport *t); /* NULL is fine */
static inline void wb_transport_freep(struct wb_transport **t)
{
	wb_transport_free(*t);
}

/* The implementations of this folder besides the registry's (oci/registry.h). */
enum wb_transport_mode { WB_TRANSPORT_READ, WB_TRANSPORT_WRITE };
struct wb_transport *wb_layout_open(
	const struct wb_place *p, enum wb_transport_mode mode, struct wb_err *err);
struct wb_transport *wb_archive_open(
	const struct wb_place *p, enum wb_transport_mode mode, struct wb_err *err);
struct wb_transport *wb_docker_archive_open(
	const struct wb_place *p, enum wb_transport_mode mode, struct wb_err *err);

#endif
