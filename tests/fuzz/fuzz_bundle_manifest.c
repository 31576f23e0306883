/* The bundle manifest, which lies in an image that anyone may have changed: what is taken obeys the
 * rules of docs/formats.md, and is written and read again as the same. */
#include "base/path.h"
#include "fuzz.h"
#include "layers/manifest.h"

static void check_entry(const struct wb_bundle_manifest *m, size_t i)
{
	const struct wb_bundle_entry *e = &m->entries.items[i];

	MUST(!wb_path_unsafe(e->path, strlen(e->path)));
	MUST(i == 0 || wb_path_cmp(m->entries.items[i - 1].path, e->path) < 0);
	MUST(e->source < m->sources.n);
	MUST(e->mode <= 07777);
	MUST((e->type == WB_BUNDLE_SYMLINK) == (e->target != NULL));
	MUST((e->size > WB_CHUNK_SIZE) == (e->states != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_bundle_manifest_release) struct wb_bundle_manifest m = WB_BUNDLE_MANIFEST_INIT;
	WB_AUTO(wb_bundle_manifest_release)
	struct wb_bundle_manifest again = WB_BUNDLE_MANIFEST_INIT;

	if (wb_bundle_manifest_parse(&m, (const char *)data, size, &err)) {
		must_be_error(&err);
		return 0;
	}
	for (size_t i = 0; i < m.entries.n; i++)
		check_entry(&m, i);
	wb_autofree char *text = wb_bundle_manifest_dump(&m);

	MUST(!wb_bundle_manifest_parse(&again, text, strlen(text), &err));
	wb_autofree char *text2 = wb_bundle_manifest_dump(&again);

	MUST(!strcmp(text, text2));
	return 0;
}
