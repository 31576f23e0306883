/* Checks an unpacked root against its bundle manifest, with every core, in an order and in sizes
 * that also warm the page cache for whoever loads the files next.
 *
 *   off     nothing
 *   size    every path is there, of the right type, size and link text; no extra files
 *   sample  as size, and a share of the chunks is hashed, chosen by a seed
 *   full    as size, and every chunk is hashed (content that hard links share, once)
 *
 * Chunks are hashed two or three at a time on each core (base/sha256.h), from state to state as
 * the manifest has them (states.h); no link leads out of the root (layers/root.h); nothing is
 * written. */
#ifndef WB_LAYERS_VERIFY_H
#define WB_LAYERS_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/err.h"
#include "layers/manifest.h"

enum wb_verify_mode { WB_VERIFY_OFF, WB_VERIFY_SIZE, WB_VERIFY_SAMPLE, WB_VERIFY_FULL };

/* "off", "size", "sample", "full"; -1 WB_ERR_USAGE lists them. */
int wb_verify_mode_parse(enum wb_verify_mode *out, const char *text, struct wb_err *err);
const char *wb_verify_mode_name(enum wb_verify_mode mode);

enum wb_problem_kind {
	WB_PROBLEM_MISSING,
	WB_PROBLEM_TRUNCATED,
	WB_PROBLEM_LONGER,
	WB_PROBLEM_CHANGED,
	WB_PROBLEM_NOT_A_FILE,
	WB_PROBLEM_NOT_A_LINK,
	WB_PROBLEM_NOT_A_DIRECTORY,
	WB_PROBLEM_WRONG_TARGET,
	WB_PROBLEM_WRONG_MODE,
	WB_PROBLEM_EXTRA,
	WB_PROBLEM_UNREADABLE,
};

/* "missing", "truncated", "longer", "changed", "not-a-file", … */
const char *wb_problem_kind_name(enum wb_problem_kind kind);

struct wb_problem {
	enum wb_problem_kind kind;
	char *path;      /* relative to the root */
	char *detail;    /* a phrase: "has 5 bytes instead of 6" */
	uint64_t offset; /* changed: of the first bad chunk */
	size_t chunks;   /* changed: how many */
};

struct wb_verify_options {
	enum wb_verify_mode mode;
	unsigned threads; /* 0: one for each core */
	double share;     /* sample: of the chunks to hash, 0 < share <= 1 */
	uint64_t seed;    /* sample: which ones */
	double deadline;  /* seconds from the call, 0: none */
	bool modes;       /* permission bits must match too */
	bool extra;       /* look for files that the manifest does not name */
};

#define WB_VERIFY_SHARE 0.05
#define WB_VERIFY_OPTIONS_INIT       \
	((struct wb_verify_options){ \
		.mode = WB_VERIFY_FULL, .share = WB_VERIFY_SHARE, .extra = true})

struct wb_verify_report {
	WB_VEC(struct wb_problem) problems; /* sorted by path */
	uint64_t files, links, dirs;        /* looked at */
	uint64_t bytes;                     /* of all files, by the manifest */
	uint64_t hashed;                    /* bytes read and hashed */
	uint64_t chunks;                    /* hashed */
	double seconds;
};

#define WB_VERIFY_REPORT_INIT ((struct wb_verify_report){0})

/* 0 when the check ran to its end, whatever it found: the verdict is out->problems.n.
 * -1: it did not (the root cannot be opened; WB_ERR_LIMIT, the deadline passed;
 * WB_ERR_CANCELLED), and out is filled with what was found until then. Either way the caller
 * releases it. */
int wb_verify_root(struct wb_verify_report *out, const char *root,
	const struct wb_bundle_manifest *m, const struct wb_verify_options *o, struct wb_err *err);
void wb_verify_report_release(struct wb_verify_report *r);

/* "app/data/x: truncated: has 5 bytes instead of 6", fit for a message; the caller frees. */
char *wb_problem_text(const struct wb_problem *p);
/* "3 of 20 files are not what was packed; first: …" as WB_ERR_INTEGRITY, or 0 when all is well. */
int wb_verify_verdict(const struct wb_verify_report *r, struct wb_err *err);

#endif
