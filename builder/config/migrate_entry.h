/* The edits that make one entry of model_cache or external_data an entry of weights. Internal to
 * builder/config (migrate.c). */
#ifndef WB_BUILDER_CONFIG_MIGRATE_ENTRY_H
#define WB_BUILDER_CONFIG_MIGRATE_ENTRY_H

#include "builder/config/edit.h"
#include "builder/config/migrate.h"

/* What an entry becomes. */
struct wb_migrate_entry {
	const struct wb_yaml_node *map; /* as it is in the old text */
	const struct wb_source *old;
	char *source, *mount;
	const char *secret;     /* for an auth block, or NULL */
	bool secret_written;    /* the old entry names it itself */
	const char *key_prefix; /* what old patterns saw before the path that new ones see */
};

/* Adds the edits of the entry; what cannot be said exactly goes to notes. -1: the entry has YAML
 * that is not edited safely, at *where. */
int wb_migrate_entry(struct wb_edits *e, const struct wb_migrate_entry *entry,
	struct wb_findings *notes, struct wb_pos *where);

/* The entry as new text, each line "\n" + indent + line ("- " before the first), with the comments
 * of the old one above it; flow: as "{…}" alone. Freed by the caller. */
char *wb_migrate_entry_text(
	const struct wb_edits *e, const struct wb_migrate_entry *entry, size_t indent, bool flow);

/* Takes a pair out of a block mapping, its lines and all but their comments. */
void wb_migrate_drop_pair(
	struct wb_edits *e, const struct wb_yaml_node *key, const struct wb_yaml_node *value);

/* Takes truss-transfer-cli out of docker_server.start_command; a use that is not understood stays,
 * with a note. */
void wb_migrate_start_command(
	struct wb_edits *e, const struct wb_yaml_node *root, struct wb_findings *notes);

#endif
