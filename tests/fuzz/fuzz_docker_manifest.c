/* manifest.json of a docker archive. */
#include "fuzz.h"
#include "oci/docker_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_docker_manifest_release) struct wb_docker_manifest m = WB_DOCKER_MANIFEST_INIT;
	WB_AUTO(wb_docker_manifest_release)
	struct wb_docker_manifest again = WB_DOCKER_MANIFEST_INIT;

	if (wb_docker_manifest_parse(&m, (const char *)data, size, "fuzz", &err)) {
		must_be_error(&err);
		return 0;
	}
	if (!wb_docker_manifest_find(&m, "debian", "fuzz", &err))
		must_be_error(&err);
	wb_autofree char *text = wb_docker_manifest_dump(&m);

	MUST(!wb_docker_manifest_parse(&again, text, strlen(text), "fuzz", &err));
	MUST(again.items.n == m.items.n);
	return 0;
}
