#include "builder/build/place.h"

struct wb_transport *wb_place_open(const struct wb_place *p, enum wb_transport_mode mode,
	const struct wb_place_opts *opts, struct wb_err *err)
{
	switch (p->kind) {
	case WB_PLACE_LAYOUT: return wb_layout_open(p, mode, err);
	case WB_PLACE_ARCHIVE: return wb_archive_open(p, mode, err);
	case WB_PLACE_DOCKER_ARCHIVE:
	case WB_PLACE_REGISTRY: break;
	}
	wb_err_set(err, WB_ERR_UNSUPPORTED, "this build of wbuild knows layouts and archives only");
	return NULL;
}
