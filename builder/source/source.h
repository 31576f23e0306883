/* A place that files come from, whichever kind it is: opened with its credentials, listed at one
 * resolved revision, and asked for each file's bytes. One file per kind behind one interface
 * (kind.h); local folders are no remotes, builder/build walks them.
 *
 * What a listing holds is checked: names are safe (wb_path_unsafe), no name twice, no file that is
 * also a directory, sorted by wb_path_cmp, filtered by the source's patterns in their dialect. A
 * remote is bound to its HTTP engine and to that engine's thread.
 *
 * Errors carry the position of the config entry, name the source without credentials, and say
 * what to do (docs/sources.md lists them). */
#ifndef WB_BUILDER_SOURCE_SOURCE_H
#define WB_BUILDER_SOURCE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/hash.h"
#include "base/http.h"
#include "base/secret.h"
#include "builder/config/config.h"
#include "builder/source/secrets.h"

#define WB_LISTING_FILES_MAX 1000000
#define WB_LISTING_NAMES_MAX (256u << 20) /* bytes of all paths */
#define WB_LISTING_FILTERED_MAX 1000
#define WB_LISTING_PAGES_MAX 20000
#define WB_LISTING_EMPTY_MAX 1000 /* pages in a row without a file */

/* What a source says about a file's content. git_sha1 is that of the blob: "blob <size>\0" and the
 * bytes. */
struct wb_known {
	bool has_sha256, has_git_sha1;
	bool has[WB_HASH_KINDS];
	struct wb_digest sha256;
	uint8_t git_sha1[20];
	uint8_t value[WB_HASH_KINDS][WB_HASH_SIZE_MAX];
};

/* 32 hex digits: an MD5 in an S3-like etag. */
bool wb_known_md5_hex(struct wb_known *k, const char *etag);
/* The best name for the bytes: by digest, else `fallback` (copied), which may be NULL. */
char *wb_known_identity(const struct wb_known *k, uint64_t size, const char *fallback);

#define WB_SIZE_UNKNOWN UINT64_MAX

struct wb_remote_file {
	char *path;     /* below the source's root */
	uint64_t size;  /* WB_SIZE_UNKNOWN when only the transfer will tell */
	char *etag;     /* the source's own, without W/ and quotes; "" when it has none */
	char *version;  /* object version or generation; "" when it has none */
	char *url;      /* kinds that hand out addresses; else NULL */
	char *identity; /* equal text means equal bytes, wherever it comes from; NULL: none known */
	struct wb_known known;
	bool encoded; /* stored with a Content-Encoding that must be asked for */
};

struct wb_listing {
	char *revision; /* resolved commit or job; "" when the kind has none */
	char *root;     /* object key prefix that paths are relative to: "" or ends in "/" */
	WB_VEC(struct wb_remote_file) files;
	size_t names;  /* bytes of their paths, before the filters */
	size_t seen;   /* before the filters */
	size_t *hits;  /* per pattern, allow then ignore: paths it matched */
	char **better; /* per pattern that matched nothing: a spelling that would; else NULL */
	size_t n_hits;
	WB_VEC(char *) filtered; /* left out, at most WB_LISTING_FILTERED_MAX */
};
#define WB_LISTING_INIT ((struct wb_listing){0})
void wb_listing_release(struct wb_listing *l);

struct wb_remote_opts {
	struct wb_http *http;
	const struct wb_secrets *secrets; /* or NULL */
	const char *config_file;          /* for positions in errors, or NULL */
	bool insecure;                    /* plain http sources to any host */
	bool quiet_patterns;              /* what matches nothing is only in the listing */
};

struct wb_remote;

/* src must outlive the remote. No network is touched yet. */
struct wb_remote *wb_remote_open(
	const struct wb_source *src, const struct wb_remote_opts *o, struct wb_err *err);
void wb_remote_free(struct wb_remote *r);
/* Resolves and lists. Warns (wb_warn) about patterns that match nothing and names that differ in
 * case only. Nothing left after the filters: WB_ERR_NOT_FOUND. */
int wb_remote_list(struct wb_listing *out, struct wb_remote *r, struct wb_err *err);
/* For files that are known from a lockfile and not from a listing of this remote: where they are.
 */
void wb_remote_pin(struct wb_remote *r, const char *revision, const char *root);

/* How to ask for a file's bytes, or with HEAD for what is known of it. Signed for now: made afresh
 * for every request, may perform requests of its own (tokens). */
struct wb_remote_want {
	int64_t start, end; /* -1, -1: all of it; end inclusive */
	bool head;
};
struct wb_remote_request {
	char *url;
	WB_VEC(char *) headers;
	struct wb_secret *authorization;
	WB_VEC(struct wb_secret *) secret_headers;
};
int wb_remote_request(struct wb_remote_request *out, struct wb_remote *r,
	const struct wb_remote_file *f, const struct wb_remote_want *want, struct wb_err *err);
/* Into params that already have callbacks and so on; *rq must stay until submitted. */
void wb_remote_request_fill(struct wb_http_params *p, const struct wb_remote_request *rq,
	const struct wb_remote_want *want);
void wb_remote_request_release(struct wb_remote_request *rq);
#define WB_REMOTE_REQUEST_INIT ((struct wb_remote_request){0})

/* Takes the digests that a response's headers tell of the whole file, and drops what they show to
 * be none. */
void wb_remote_learn(struct wb_remote_file *f, const struct wb_http_req *req);
/* Listings of this kind leave digests out that a HEAD would tell: worth one for a large file. */
bool wb_remote_head_helps(const struct wb_remote *r, const struct wb_remote_file *f);

/* After a response of 400 or more to such a request, or while listing: fills err with what it
 * means for this kind of source. -> -1 */
struct wb_refusal {
	const struct wb_http_response *response;
	const char *code, *message; /* X-Error-Code, X-Error-Message; or NULL */
	const char *region;         /* x-amz-bucket-region, or NULL */
};
struct wb_refusal wb_refusal_of(const struct wb_http_req *req);
int wb_remote_refused(struct wb_err *err, struct wb_remote *r, const char *path,
	const struct wb_refusal *refusal);
/* Learns from a refusal (a token that ran out, a bucket of another region), so that the next
 * request may do better. False when that cannot help. */
bool wb_remote_refresh(struct wb_remote *r, const struct wb_refusal *refusal);

const struct wb_source *wb_remote_source(const struct wb_remote *r);

/* Text that changes exactly when a source's files have to be resolved again: scheme, address,
 * revision and patterns, and not credentials or mount_location. For the lockfile. */
char *wb_source_key(const struct wb_source *src);

static inline void wb_remote_freep(struct wb_remote **r)
{
	wb_remote_free(*r);
}

#endif
