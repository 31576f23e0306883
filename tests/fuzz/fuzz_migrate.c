/* The migration edits any config that loads, or says why not; what it gives loads too, and needs
 * no second migration. */
#include "fuzz.h"
#include "builder/config/migrate.h"

static void check_result(const char *text, size_t n, const struct wb_migration *m)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_migration again;
	struct wb_config c;

	MUST(!wb_config_parse(&c, m->text, m->n, NULL, "fuzz", &err));
	wb_config_release(&c);
	MUST(!wb_migrate(&again, m->text, m->n, NULL, "fuzz", &err));
	MUST(!again.text);
	wb_migration_release(&again);
	wb_autofree char *diff = wb_diff_unified("a", text, n, "b", m->text, m->n);

	MUST(!strncmp(diff, "--- a\n+++ b\n@@ -", 16));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_migration m;

	if (wb_migrate(&m, (const char *)data, size, NULL, "fuzz", &err)) {
		must_be_error(&err);
		return 0;
	}
	if (m.text)
		check_result((const char *)data, size, &m);
	wb_migration_release(&m);
	return 0;
}
