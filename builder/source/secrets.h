/* Where secrets come from (docs/sources.md, "Secrets"). A NAME is looked up in this order:
 * `--secret id=NAME`, /run/secrets/NAME (BuildKit's mount), /secrets/NAME, WBUILD_SECRET_<NAME>;
 * what comes after that (the source's own environment names, the legacy files in data/) is the
 * business of each kind of source. Values are bounded (WB_SECRET_MAX) and known to the redactor
 * from the moment they are read. Adding is not thread safe, finding is. */
#ifndef WB_BUILDER_SOURCE_SECRETS_H
#define WB_BUILDER_SOURCE_SECRETS_H

#include "base/err.h"
#include "base/secret.h"

#define WB_SECRET_MAX (64u << 10)

struct wb_secrets;

/* data_dir: the Truss's data folder, for the legacy files, or NULL. */
struct wb_secrets *wb_secrets_new(const char *data_dir);
void wb_secrets_free(struct wb_secrets *s);
/* One --secret option: id=NAME[,src=FILE|,source=FILE|,env=VAR][,type=file|env]; with neither, the
 * variable NAME, else the file NAME, as buildx does. */
int wb_secrets_add(struct wb_secrets *s, const char *spec, struct wb_err *err);
/* A new reference, or NULL: with err->code WB_OK when there is no such secret anywhere, else with
 * what went wrong while reading it. s may be NULL: nothing was given on the command line. */
struct wb_secret *wb_secrets_find(const struct wb_secrets *s, const char *name, struct wb_err *err);
/* The legacy file of data/ ("service_account.json", "s3_credentials.json"), as above. */
struct wb_secret *wb_secrets_legacy(
	const struct wb_secrets *s, const char *file, struct wb_err *err);
/* An environment variable as a secret; NULL when it is unset or empty. */
struct wb_secret *wb_secrets_env(const char *variable);
/* A file as a secret, white space at its end cut; NULL as wb_secrets_find(). */
struct wb_secret *wb_secrets_file(const char *name, const char *path, struct wb_err *err);
/* A secret that the config names was not found, and how to give it. -> -1 */
int wb_secrets_missing(struct wb_err *err, const char *name);

static inline void wb_secrets_freep(struct wb_secrets **s)
{
	wb_secrets_free(*s);
}

#endif
