/* LLB, what BuildKit builds: a graph of operations, each named by the digest of its bytes
 * (moby/buildkit, solver/pb/ops.proto). A graph only grows; equal operations are one. The same
 * arguments give the same bytes, which is what BuildKit's cache goes by. Not thread safe. */
#ifndef WB_BUILDER_BUILDKIT_LLB_H
#define WB_BUILDER_BUILDKIT_LLB_H

#include "base/digest.h"
#include "builder/buildkit/wire.h"

/* One output of an operation; op 0 is nothing at all (scratch). */
struct wb_llb_ref {
	size_t op; /* its number, from 1 */
	unsigned output;
};
#define WB_LLB_SCRATCH ((struct wb_llb_ref){0, 0})

struct wb_llb_op {
	struct wb_digest digest;
	struct wb_buf bytes;
	struct wb_wire metadata;
	WB_VEC(size_t) inputs; /* numbers of operations, each smaller than its own */
	unsigned line;         /* of the source file that it stands for, or 0 */
};

struct wb_llb {
	WB_VEC(struct wb_llb_op) ops;
	char *file, *text; /* the source file, for messages; or NULL */
};
#define WB_LLB_INIT ((struct wb_llb){0})
void wb_llb_release(struct wb_llb *l);
/* What the lines of operations are lines of. */
void wb_llb_set_source(struct wb_llb *l, const char *file, const char *text);

struct wb_llb_platform {
	char *os, *arch, *variant; /* variant may be NULL */
};

/* What does not change an operation's digest. */
struct wb_llb_note {
	const char *name; /* shown in the progress, or NULL */
	bool no_cache;    /* run it even when its result is known */
	unsigned line;
};

/* attrs: key, value, … NULL; keys in ascending order. cap: the capability that the kind of source
 * needs. */
struct wb_llb_ref wb_llb_source(struct wb_llb *l, const char *identifier, const char *const *attrs,
	const char *cap, const struct wb_llb_platform *platform, const struct wb_llb_note *note);
/* Scratch parts are left out; of one part it is that part, of none scratch. */
struct wb_llb_ref wb_llb_merge(
	struct wb_llb *l, const struct wb_llb_ref *parts, size_t n, const struct wb_llb_note *note);

struct wb_llb_file {
	const char *path; /* absolute */
	const void *data;
	size_t n;
};
/* A tree of nothing but these files, all 0644 and of that time (seconds). */
struct wb_llb_ref wb_llb_files(struct wb_llb *l, const struct wb_llb_file *files, size_t n,
	int64_t time, const struct wb_llb_note *note);
struct wb_llb_copied {
	const char *src, *dest; /* absolute */
	unsigned mode;
};
/* Files of another tree, in a tree of their own with the folders on the way; n is at least 1. */
struct wb_llb_ref wb_llb_copy(struct wb_llb *l, struct wb_llb_ref from,
	const struct wb_llb_copied *files, size_t n, int64_t time, const struct wb_llb_note *note);

enum wb_llb_mount_kind {
	WB_LLB_TREE,   /* another operation's output, or scratch */
	WB_LLB_CACHE,  /* kept between builds by its name */
	WB_LLB_SECRET, /* a file; left out when the session has none */
};

#define WB_LLB_NO_OUTPUT (-1)

struct wb_llb_mount {
	enum wb_llb_mount_kind kind;
	const char *dest;
	struct wb_llb_ref tree;
	const char *selector; /* the part of the tree, or NULL */
	bool readonly;
	int output;     /* index of what the tree is afterwards, or WB_LLB_NO_OUTPUT */
	const char *id; /* of a cache or secret */
	bool required;  /* secret */
};

struct wb_llb_proxy {
	const char *http, *https, *ftp, *no, *all; /* or NULL */
};

struct wb_llb_exec {
	const char *const *args, *const *env; /* NULL at the end; env "KEY=VALUE" or NULL */
	const char *cwd, *user;               /* user may be NULL */
	const struct wb_llb_mount *mounts;    /* one of them at "/" */
	size_t n_mounts;
	const char *const *secret_env; /* "ID=VARIABLE", later ones win; or NULL */
	struct wb_llb_proxy proxy;
	int network; /* 0 the daemon's choice, 1 the host's, 2 none */
	const struct wb_llb_platform *platform;
};
/* The ref's output is 0; the others are at the same op. */
struct wb_llb_ref wb_llb_exec(
	struct wb_llb *l, const struct wb_llb_exec *e, const struct wb_llb_note *note);

/* Takes in another graph (a marshalled pb.Definition) and gives what it ends in. */
int wb_llb_import(struct wb_llb_ref *out, struct wb_llb *l, struct wb_wire_view definition,
	struct wb_err *err);
/* The part of the graph that ref needs, as a pb.Definition. */
void wb_llb_definition(struct wb_wire *out, const struct wb_llb *l, struct wb_llb_ref ref);
/* A pb.SourceInfo of the source file; nothing when there is none. */
void wb_llb_source_info(struct wb_wire *out, const struct wb_llb *l);
/* Name of an operation, as BuildKit knows it. */
struct wb_digest_text wb_llb_digest(const struct wb_llb *l, struct wb_llb_ref ref);

#endif
