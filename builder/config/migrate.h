/* `model_cache` (with its old name `hf_cache`) and `external_data` rewritten as `weights`.
 *
 * The text is edited at the parser's marks, never dumped anew: comments, order, quoting, line
 * endings and everything else in the file stay byte for byte. What is written selects the same
 * files as before (the two keys have different pattern languages) and puts them where they were,
 * where weights can express that; the rest is said in notes. The result is parsed and compared
 * with the plan before it is handed out, and migrating it again changes nothing. */
#ifndef WB_BUILDER_CONFIG_MIGRATE_H
#define WB_BUILDER_CONFIG_MIGRATE_H

#include "builder/config/config.h"

/* Something the model's code may name and that is elsewhere now. */
struct wb_migration_move {
	char *repo;  /* repository that was found through the hub cache by this name */
	char *mount; /* where its files are now */
};

struct wb_migration {
	char *text; /* the new file, NULL when there is nothing to migrate */
	size_t n;
	struct wb_findings notes; /* at positions of the old text */
	WB_VEC(struct wb_migration_move) moves;
};

#define WB_MIGRATION_INIT ((struct wb_migration){0})

/* text is the file (name, in folder dir) as it is. -1: the file has errors (the first is in err),
 * or has YAML that is not edited safely (anchors inside the migrated keys). */
int wb_migrate(struct wb_migration *out, const char *text, size_t n, const char *dir,
	const char *name, struct wb_err *err);
void wb_migration_release(struct wb_migration *m);

/* Unified diff with three lines of context, "" when the texts are equal; freed by the caller. */
char *wb_diff_unified(const char *old_name, const char *old_text, size_t old_n,
	const char *new_name, const char *new_text, size_t new_n);

#endif
