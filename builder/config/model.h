/* From the node tree to struct wb_config, one function for each part of the file. All report to
 * the findings and leave out what they cannot use. Internal to builder/config. */
#ifndef WB_BUILDER_CONFIG_MODEL_H
#define WB_BUILDER_CONFIG_MODEL_H

#include "builder/config/read.h"

struct wb_model {
	struct wb_config *c;
	struct wb_read top; /* the file's mapping */
	const char *dir;    /* where relative sources are looked for; NULL: nowhere */
};

void wb_model_keys(struct wb_model *m);        /* unknown and retired top-level keys */
void wb_model_folders(struct wb_model *m);     /* data_dir and its like, model_name */
void wb_model_environment(struct wb_model *m); /* before wb_model_cache(): hf_cache_dir */
void wb_model_secrets(struct wb_model *m);
void wb_model_base_image(struct wb_model *m);
void wb_model_docker_server(struct wb_model *m);
void wb_model_build(struct wb_model *m); /* build, build_commands */
void wb_model_weights(struct wb_model *m);
void wb_model_cache(struct wb_model *m);
void wb_model_external_data(struct wb_model *m);
void wb_model_training(struct wb_model *m);
void wb_model_checks(struct wb_model *m); /* what involves more than one entry */

/* Shared by the parts: */

/* allow_patterns or ignore_patterns: a list, or one string. */
void wb_model_patterns(struct wb_patterns *out, const struct wb_read *r, const char *key);
/* The normalised form of a folder in the image, or NULL (reported) when nothing may go there. */
char *wb_model_mount(const struct wb_read *r, const char *key, const char *value);
/* Parses an address; failures are reported at the position of key. */
bool wb_model_uri(struct wb_uri *out, const struct wb_read *r, const char *key, const char *text,
	bool allow_path);
void wb_source_release(struct wb_source *s);

#endif
