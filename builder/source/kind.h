/* What a kind of source implements. Included by the kinds, source.c and listing.c only. */
#ifndef WB_BUILDER_SOURCE_KIND_H
#define WB_BUILDER_SOURCE_KIND_H

#include "base/buf.h"
#include "builder/source/source.h"

#define WB_PAGE_MAX (64u << 20) /* bytes of one page of a listing */

struct wb_kind {
	/* Finds endpoint and credentials; r->state is the kind's own. */
	int (*open)(struct wb_remote *r, struct wb_err *err);
	/* Everything there is, unfiltered, in any order; names as they come. */
	int (*list)(struct wb_listing *out, struct wb_remote *r, struct wb_err *err);
	int (*request)(struct wb_remote_request *out, struct wb_remote *r,
		const struct wb_remote_file *f, const struct wb_remote_want *want,
		struct wb_err *err);
	/* What a refusal means; err is already filled from the status. May be NULL. */
	void (*refused)(struct wb_err *err, struct wb_remote *r, const char *path,
		const struct wb_refusal *refusal);
	bool (*refresh)(struct wb_remote *r, const struct wb_refusal *refusal); /* or NULL */
	void (*free)(void *state);
	bool head_helps;
};

struct wb_remote {
	const struct wb_kind *kind;
	const struct wb_source *src;
	struct wb_remote_opts o;
	char *config_file;
	char *revision, *root; /* as listed or pinned */
	void *state;
};

extern const struct wb_kind wb_kind_hf, wb_kind_s3, wb_kind_gcs, wb_kind_azure, wb_kind_bt,
	wb_kind_https;

/* For the kinds. Adding a file: size and path are as the source says; the rest is filled in by the
 * caller. NULL when the limit is passed. */
struct wb_remote_file *wb_listing_add(
	struct wb_listing *l, const char *path, uint64_t size, struct wb_err *err);
/* A GET, to its end, with a body of at most limit; -1 also for statuses of 300 and more, with the
 * kind's explanation in err. Makes the request again when a refresh may help. */
typedef int wb_remote_make(
	struct wb_remote_request *out, struct wb_remote *r, void *arg, struct wb_err *err);
int wb_remote_get(struct wb_http_result *out, struct wb_remote *r, wb_remote_make *make, void *arg,
	uint64_t limit, struct wb_err *err);
struct wb_refusal wb_refusal_of_result(const struct wb_http_result *res);
void wb_remote_header(struct wb_remote_request *rq, const char *fmt, ...) WB_PRINTF(2, 3);
void wb_remote_secret_header(struct wb_remote_request *rq, struct wb_secret *steal);
/* The address of a service without slashes at its end, or NULL when it is none of http or https.
 * what: where it is written, for the error. */
char *wb_endpoint(const char *text, const char *what, struct wb_err *err);
/* An etag without W/ and quotes. A header may hold any bytes: what is no text, and so could not
 * stand in a lockfile, is none; nor is what is longer than anybody's. */
char *wb_etag_text(const char *value);
/* Base64 of exactly the kind's size, as cloud APIs write digests; false otherwise. */
bool wb_known_base64(struct wb_known *k, enum wb_hash_kind kind, const char *text);
/* A listing by prefix: keys below it, with the root cut off. */
struct wb_prefix {
	const char *prefix; /* "" or ends in "/" */
	size_t skip;        /* bytes of each key that are the root */
	bool exact;         /* only the key itself counts */
};
/* How an object store lists: a request for a page (its arg is a struct wb_list_call), and what its
 * answer says. */
struct wb_page;
typedef int wb_page_parse(struct wb_page *page, const char *p, size_t n, struct wb_err *err);
struct wb_lister {
	wb_remote_make *make;
	wb_page_parse *parse;
	const char *scope; /* see struct wb_page */
};
struct wb_list_call {
	const struct wb_prefix *prefix;
	const char *token; /* where to go on, or NULL */
};
/* Turns to the next page of a listing, with so many files so far: an error after too many pages,
 * and where they go in a circle or lead on without any file. Zeroed at first. */
struct wb_pages {
	unsigned n, empty;
	size_t files;
	char *earlier; /* a page that was passed */
};
int wb_pages_turn(struct wb_pages *p, const char *next, size_t files, struct wb_err *err);
void wb_pages_release(struct wb_pages *p);
/* Lists all pages of "path/", then, when nothing is there, the object `path` itself. */
int wb_list_prefix(struct wb_listing *out, struct wb_remote *r, const char *path,
	const struct wb_lister *how, struct wb_err *err);
/* key as the listing has it -> the path to add, or NULL to leave it out (a folder's marker, a
 * neighbour of an exact key). Borrowed from key. */
const char *wb_prefix_path(const struct wb_prefix *p, const char *key, uint64_t size);

/* Parsers of outside bytes, for the fuzz targets. Each adds what one page lists. */
struct wb_page { /* of an object store's listing */
	struct wb_listing *l;
	const struct wb_prefix *prefix;
	char *next;        /* continuation token, or NULL */
	const char *scope; /* makes identities of this place's own etags unique */
};
wb_page_parse wb_s3_page_parse, wb_gcs_page_parse, wb_azure_page_parse;
int wb_hf_tree_parse(struct wb_listing *l, const char *p, size_t n, struct wb_err *err);
char *wb_link_next(const char *value);
bool wb_hf_is_commit(const char *revision);

/* listing.c: checks, filter, order. */
int wb_listing_finish(struct wb_listing *l, struct wb_remote *r, struct wb_err *err);

#endif
