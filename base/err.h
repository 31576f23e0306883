/* Errors are values on the caller's stack.
 *
 * A function that can fail returns int (0, or -1 with *err filled) or a pointer (NULL with *err
 * filled), and takes `struct wb_err *err` last. err is never NULL. It is filled once, where the
 * fault is seen; callers add context on the way up with wb_err_wrap(). Texts follow the house
 * style: one line, lower case, no full stop, names in double quotes. Never put a secret into a
 * text: URLs go through wb_url_redact() first.
 *
 * A wb_err owns no memory. Each thread uses its own. */
#ifndef WB_BASE_ERR_H
#define WB_BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

#include "base/alloc.h"

enum wb_code {
	WB_OK = 0,
	WB_ERR_USAGE,       /* bad command line: exit 2 */
	WB_ERR_CONFIG,      /* bad config.yaml or lockfile: exit 2 */
	WB_ERR_IO,          /* disk, permission, missing local file: exit 1 */
	WB_ERR_NET,         /* connection, timeout, TLS, HTTP status: exit 1 */
	WB_ERR_AUTH,        /* 401, 403, missing or refused credentials: exit 1 */
	WB_ERR_NOT_FOUND,   /* the remote or local thing does not exist: exit 1 */
	WB_ERR_FORMAT,      /* bytes from outside that do not parse: exit 1 */
	WB_ERR_LIMIT,       /* a named limit was passed: exit 1 */
	WB_ERR_UNSUPPORTED, /* understood, but not possible with these inputs: exit 1 */
	WB_ERR_INTEGRITY,   /* a digest or size does not match: exit 3 */
	WB_ERR_CANCELLED,   /* SIGINT, SIGTERM: exit 130 */
};

#define WB_ERR_TEXT_MAX 1024
#define WB_ERR_HINT_MAX 512
#define WB_ERR_FILE_MAX 256

struct wb_err {
	enum wb_code code;
	int errnum;                 /* errno, or 0 */
	int http_status;            /* last HTTP status, or 0 */
	unsigned line, column;      /* 1-based position in file, or 0 */
	char file[WB_ERR_FILE_MAX]; /* config or lockfile the position is in, or "" */
	char text[WB_ERR_TEXT_MAX];
	char hint[WB_ERR_HINT_MAX]; /* what to do next, or "" */
};

#define WB_ERR_INIT ((struct wb_err){0})

/* All return -1, so that `return wb_err_set(err, …);` reads well. */
int wb_err_set(struct wb_err *err, enum wb_code code, const char *fmt, ...) WB_PRINTF(3, 4);
/* From errno: text is followed by ": " and the system's message; ENOSPC and EDQUOT add a hint. */
int wb_err_sys(struct wb_err *err, int errnum, const char *fmt, ...) WB_PRINTF(3, 4);
int wb_err_at(struct wb_err *err, const char *file, unsigned line, unsigned column, const char *fmt,
	...) WB_PRINTF(5, 6); /* code WB_ERR_CONFIG */
/* Prefixes "fmt: " to the text; code and hint stay. */
int wb_err_wrap(struct wb_err *err, const char *fmt, ...) WB_PRINTF(2, 3);
int wb_err_hint(struct wb_err *err, const char *fmt, ...) WB_PRINTF(2, 3);
void wb_err_clear(struct wb_err *err);

/* The process exit code for an error: 1, 2, 3 or 130 (see docs, "Exit codes"). */
int wb_err_exit_code(const struct wb_err *err);

#endif
