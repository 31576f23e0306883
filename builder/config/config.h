/* The config as written: a checked model of config.yaml with positions.
 *
 * wb_config_load() reads the file (bounded: WB_CONFIG_BYTES_MAX, depth, aliases), builds the model,
 * and collects every finding of the file in one run, errors and warnings with file:line:column.
 * It succeeds only when there is no error. Keys that have no bearing on bundling are accepted and
 * left alone. Semantics: docs of config.yaml (Truss 0.18) with the deviations listed in
 * docs/config.md. A loaded config is read-only and may be shared between threads. */
#ifndef WB_BUILDER_CONFIG_CONFIG_H
#define WB_BUILDER_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/err.h"

#define WB_CONFIG_BYTES_MAX (8u << 20) /* of YAML text */
#define WB_CONFIG_DEPTH_MAX 64
#define WB_CONFIG_NODES_MAX 1000000 /* after alias expansion */
#define WB_FINDINGS_MAX 500         /* errors kept in the list, and others; the counters go on */

struct wb_pos {
	unsigned line, column; /* 1-based; 0 when unknown */
};

enum wb_severity { WB_SEV_ERROR, WB_SEV_WARNING, WB_SEV_NOTE };

struct wb_finding {
	enum wb_severity severity;
	const char *id; /* a literal, stable: "unknown-key", "duplicate-key", … */
	struct wb_pos pos;
	char *text;
	char *hint; /* or NULL */
};

struct wb_findings {
	char *file; /* as the user named it, for messages */
	WB_VEC(struct wb_finding) list;
	size_t errors, warnings;
};

enum wb_scheme {
	WB_SCHEME_HF,
	WB_SCHEME_S3,
	WB_SCHEME_GS,
	WB_SCHEME_R2,
	WB_SCHEME_AZURE,
	WB_SCHEME_CW,
	WB_SCHEME_BT,
	WB_SCHEME_HTTP, /* https:// and, where allowed, http:// */
	WB_SCHEME_FILE, /* file:// or a path relative to the config's folder */
};
const char *wb_scheme_name(enum wb_scheme s); /* "hf", "s3", …, "https", "file" */

enum wb_hf_kind { WB_HF_MODEL, WB_HF_DATASET, WB_HF_SPACE };

/* A source address, parsed. Only the fields of its scheme are set. */
struct wb_uri {
	enum wb_scheme scheme;
	char *text;              /* as written, without credentials */
	enum wb_hf_kind hf_kind; /* hf */
	char *repo;              /* hf: "owner/name" or "name"; bt: project, "" when the job alone
	                          * names it, "loops:ID" for a loops checkpoint */
	char *revision;          /* hf: branch, tag, refs/pr/N or SHA ("" = main); bt: job ("" =
	                          * latest) */
	char *account;           /* azure: account ("" when az://CONTAINER leaves it to the
	                          * credential); r2: account id */
	char *bucket;            /* s3, gs, r2, cw: bucket; azure: container */
	char *path;              /* object key or prefix, no leading slash, a trailing one kept as
	                          * written; bt: checkpoint; file: path as written; https: the name
	                          * that the URL's path ends in; "" when none */
	char *url;               /* https, http: the whole URL; its query may be a signature: print
	                          * text instead */
};

enum wb_auth_method { WB_AUTH_NONE, WB_AUTH_CUSTOM_SECRET, WB_AUTH_AWS_OIDC, WB_AUTH_GCP_OIDC };

struct wb_auth {
	enum wb_auth_method method;
	char *secret_name; /* CUSTOM_SECRET, or model_cache's runtime_secret_name; NULL when none */
	bool secret_explicit; /* written in the config, not a default */
	char *aws_role_arn, *aws_region;
	char *gcp_service_account, *gcp_provider;
	struct wb_pos pos;
};

/* Filter dialects (docs/config.md, "Patterns"). */
enum wb_glob_dialect {
	WB_GLOB_WEIGHTS, /* `*` stays in a directory, a double star any depth including none */
	WB_GLOB_FNMATCH, /* Python's fnmatch over the whole path; trailing "/" means the folder */
};

struct wb_pattern {
	char *text;
	struct wb_pos pos;
};

struct wb_patterns {
	bool set; /* the key is there and not null: an empty allow list keeps nothing */
	WB_VEC(struct wb_pattern) list;
};

enum wb_entry_kind {
	WB_ENTRY_WEIGHTS,
	WB_ENTRY_MODEL_CACHE,
	WB_ENTRY_EXTERNAL_DATA,
	WB_ENTRY_TRAINING, /* training_checkpoints */
};

enum wb_layout_kind {
	WB_LAYOUT_PLAIN,    /* files below mount, path relative to the source's prefix; a single
	                     * object lands under its own name. Patterns see that path */
	WB_LAYOUT_BUCKET,   /* files below mount by their whole object key, prefix included, and
	                     * patterns see the whole key (model_cache of a bucket, baked) */
	WB_LAYOUT_HF_CACHE, /* the hub's cache layout; mount is the cache directory */
	WB_LAYOUT_FILE,     /* mount names the one file itself */
};

/* One thing to bundle, whichever key it came from. */
struct wb_source {
	enum wb_entry_kind kind;
	struct wb_pos pos; /* of the entry */
	struct wb_uri uri;
	char *mount; /* absolute, normalised */
	enum wb_layout_kind layout;
	bool use_volume;     /* fetched at start, not baked, unless --bundle-volumes */
	char *volume_folder; /* or NULL */
	struct wb_auth auth;
	enum wb_glob_dialect dialect;
	struct wb_patterns allow, ignore;
};

struct wb_pair {
	char *name, *value; /* value NULL: YAML null */
	struct wb_pos pos;
};

struct wb_config {
	char *file; /* path of the YAML */
	char *dir;  /* its folder: what relative paths are taken from */
	char *model_name;
	char *data_dir;             /* default "data" */
	char *model_module_dir;     /* default "model" */
	char *bundled_packages_dir; /* default "packages" */
	WB_VEC(char *) external_package_dirs;
	WB_VEC(struct wb_source)
	sources;                        /* in file order: weights, model_cache, external_data,
	                                 * training_checkpoints */
	WB_VEC(struct wb_pair) secrets; /* names; values in the file are findings, never used */
	WB_VEC(struct wb_pair) environment;
	WB_VEC(char *) build_commands;
	WB_VEC(struct wb_pair) secret_paths; /* build.secret_to_path_mapping */
	char *base_image;                    /* NULL when none */
	bool has_docker_server;
	char *start_command; /* NULL when none */
	bool docker_no_build;
	int64_t run_as_user; /* -1 when not given */
	char *hf_cache_dir;  /* where the hub cache lies in the image: HF_HUB_CACHE,
	                      * HUGGINGFACE_HUB_CACHE, HF_HOME/hub of environment, or default */
	struct wb_findings findings;
};

#define WB_CONFIG_INIT ((struct wb_config){0})

/* dir is the Truss folder; file overrides DIR/config.yaml when not NULL. -1: err is the first
 * error, and findings (filled either way) hold all of them. */
int wb_config_load(struct wb_config *out, const char *dir, const char *file, struct wb_err *err);
/* The same from memory; name is for messages. */
int wb_config_parse(struct wb_config *out, const char *text, size_t n, const char *dir,
	const char *name, struct wb_err *err);
void wb_config_release(struct wb_config *c);

/* A source address on its own ("hf://owner/repo@rev"); bare paths are WB_SCHEME_FILE when
 * allow_path. Used by the config and by commands that take a source. -1: WB_ERR_CONFIG, with a
 * text that holds no credentials. */
int wb_uri_parse(struct wb_uri *out, const char *text, bool allow_path, struct wb_err *err);
void wb_uri_release(struct wb_uri *u);

/* Past WB_FINDINGS_MAX only the counters grow. The text is made one printable line and cut at 700
 * bytes; it must hold no secret. */
void wb_findings_add(struct wb_findings *f, enum wb_severity sev, const char *id, struct wb_pos pos,
	const char *hint, const char *fmt, ...) WB_PRINTF(6, 7);
void wb_findings_release(struct wb_findings *f);

#endif
