/* What a container fetches when it starts: the sources of an image's `use_volume: true` entries,
 * pinned when the image was built, in /.wbuild/fetch.json (docs/formats.md). Addresses, names,
 * sizes and digests; the names of secrets and never their values.
 *
 *   { "version": 1,
 *     "sources": [ { "source": "hf://owner/repo@main", "mount": "/app/model_cache/m",
 *                    "revision": "…", "root": "…", "secret": NAME,
 *                    "files": [ { "path", "size", "sha256", "etag", "version", "identity" } ] } ] }
 *
 * The reader is strict: what it returns can be fetched and put below its mount. A list may be added
 * to from Truss's own manifest (bptr.h). Not thread safe. */
#ifndef WB_BUILDER_VOLUME_LIST_H
#define WB_BUILDER_VOLUME_LIST_H

#include "builder/source/source.h"

#define WB_VOLUME_LIST_PATH ".wbuild/fetch.json"
#define WB_VOLUME_LIST_VERSION 1
#define WB_VOLUME_LIST_BYTES_MAX (256u << 20)

struct wb_volume {
	struct wb_source own;        /* what src points to, unless it is a config's */
	const struct wb_source *src; /* address, mount, layout (WB_LAYOUT_FILE: the mount is the
	                              * file's own name), auth's secret */
	struct wb_listing listing;
	bool unlisted; /* its files are to be asked for at start, by its patterns */
};

struct wb_volumes {
	WB_VEC(struct wb_volume *) list; /* each stays where it is */
	WB_VEC(struct wb_config *) configs;
	struct wb_volume_name *names; /* paths of the listed files */
};

#define WB_VOLUMES_INIT ((struct wb_volumes){0})
void wb_volumes_release(struct wb_volumes *v);

/* A volume of that address: WB_ERR_CONFIG when it is none that can be fetched. */
struct wb_volume *wb_volumes_add(
	struct wb_volumes *v, const char *address, const char *mount, struct wb_err *err);
/* The secret that a volume's source is opened with; explicit: it must be there. */
void wb_volume_set_secret(struct wb_volume *v, const char *name, bool explicit);

/* A listed file's path; false when another has it. */
bool wb_volumes_claim(struct wb_volumes *v, const char *path);

/* out is filled also on failure, for the caller to release. WB_ERR_FORMAT names the source and the
 * file that is wrong. */
int wb_volumes_parse(struct wb_volumes *out, const char *text, size_t n, struct wb_err *err);
/* Equal lists give equal bytes. The caller frees. */
char *wb_volumes_dump(const struct wb_volumes *v);
/* Where a listed file belongs, absolute. The caller frees. */
char *wb_volume_path(const struct wb_volume *v, const struct wb_remote_file *f);

#endif
