/* What the stub was asked to do: options before the command, and for each of them an environment
 * variable, which a pod can set without knowing the image's entrypoint. An option wins over its
 * variable. One table says it all (options.c); the man page is checked against it. */
#ifndef WB_RUNTIME_OPTIONS_H
#define WB_RUNTIME_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "layers/verify.h"

enum wb_place_mode { WB_PLACE_NONE, WB_PLACE_LINK, WB_PLACE_BIND };

/* AUTO is left only until parsing ends: a base image, or a container that is started again, may
 * have files of its own beside the bundle's, so they fail a check only where one was asked for that
 * looks closely. */
enum wb_extra_mode { WB_EXTRA_AUTO, WB_EXTRA_FAIL, WB_EXTRA_WARN, WB_EXTRA_IGNORE };

enum wb_stub_action { WB_STUB_RUN, WB_STUB_COPY, WB_STUB_WAIT, WB_STUB_HELP, WB_STUB_VERSION };

/* Texts are borrowed from argv and the environment. */
struct wb_stub_options {
	enum wb_stub_action action;
	struct wb_verify_options verify;
	enum wb_extra_mode extra;
	enum wb_place_mode place;
	bool place_set;          /* --mount was given: without it, --from means link */
	const char *from;        /* where the bundle lies, or NULL: at its own paths */
	const char *copy_to;     /* of copy */
	const char *manifest;    /* or NULL: FROM/.wbuild/manifest.json */
	const char *ready_file;  /* or NULL */
	const char *failed_file; /* or NULL */
	const char *cache_dir;   /* of what is fetched, or NULL */
	bool fetch;
	bool background; /* beside the command */
	bool json;
	bool quiet;
	double timeout; /* of wait, seconds; 0: none */
	char **command; /* NULL-terminated; command[0] NULL when there is none */
};

/* argv and env as main() gets them. -1: WB_ERR_USAGE. */
int wb_stub_options_parse(struct wb_stub_options *out, int argc, char **argv, struct wb_err *err);
/* The help text; the caller frees. */
char *wb_stub_help(void);

#endif
