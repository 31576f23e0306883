/* The fetch list, which lies in an image that anyone may have changed: what is taken can be fetched
 * and put below its mount, each path once, and is written and read again as the same. */
#include "base/path.h"
#include "builder/volume/list.h"
#include "fuzz.h"

static void check_volume(const struct wb_volume *v)
{
	MUST(v->src == &v->own && !v->unlisted);
	MUST(v->src->mount[0] == '/' &&
		!wb_path_unsafe(v->src->mount + 1, strlen(v->src->mount + 1)));
	MUST(v->src->uri.scheme != WB_SCHEME_FILE);
	for (size_t i = 0; i < v->listing.files.n; i++) {
		const struct wb_remote_file *f = &v->listing.files.items[i];

		MUST(!wb_path_unsafe(f->path, strlen(f->path)));
		MUST(i == 0 || wb_path_cmp(v->listing.files.items[i - 1].path, f->path) < 0);
		MUST(f->etag && f->version && (!f->identity || *f->identity));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_volumes_release) struct wb_volumes v = WB_VOLUMES_INIT;
	WB_AUTO(wb_volumes_release) struct wb_volumes again = WB_VOLUMES_INIT;

	if (wb_volumes_parse(&v, (const char *)data, size, &err)) {
		must_be_error(&err);
		return 0;
	}
	wb_vec_foreach (one, &v.list)
		check_volume(*one);
	wb_autofree char *text = wb_volumes_dump(&v);

	MUST(!wb_volumes_parse(&again, text, strlen(text), &err));
	wb_autofree char *text2 = wb_volumes_dump(&again);

	MUST(!strcmp(text, text2));
	return 0;
}
