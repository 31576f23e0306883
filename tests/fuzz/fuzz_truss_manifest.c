/* Truss's own manifest, in JSON or YAML, from an image or a cluster: what is taken has a plain
 * absolute path that no other has, and an address that can be fetched. */
#include "base/path.h"
#include "builder/volume/bptr.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_volumes_release) struct wb_volumes v = WB_VOLUMES_INIT;

	if (wb_bptr_add(&v, (const char *)data, size, "manifest", &err)) {
		must_be_error(&err);
		return 0;
	}
	wb_vec_foreach (it, &v.list) {
		const struct wb_volume *one = *it;
		const char *mount = one->src->mount;

		MUST(mount[0] == '/' && !wb_path_unsafe(mount + 1, strlen(mount + 1)));
		MUST(one->src->uri.scheme != WB_SCHEME_FILE);
		MUST(one->unlisted == (one->listing.files.n == 0));
		MUST(one->unlisted || one->src->layout == WB_LAYOUT_FILE);
		wb_vec_foreach (f, &one->listing.files)
			MUST(*f->path && f->etag && f->version && f->identity);
		MUST(one->unlisted || !wb_volumes_claim(&v, mount));
	}
	return 0;
}
