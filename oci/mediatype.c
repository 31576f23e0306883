#include "oci/mediatype.h"

#include <stddef.h>
#include <string.h>

#include "base/alloc.h"

static const struct known {
	const char *type;
	const char *oci; /* the OCI type of the same meaning */
	struct wb_media media;
} known[] = {
	{WB_MT_OCI_INDEX, WB_MT_OCI_INDEX, {.kind = WB_MEDIA_INDEX}},
	{WB_MT_OCI_MANIFEST, WB_MT_OCI_MANIFEST, {.kind = WB_MEDIA_MANIFEST}},
	{WB_MT_OCI_CONFIG, WB_MT_OCI_CONFIG, {.kind = WB_MEDIA_CONFIG}},
	{WB_MT_OCI_LAYER, WB_MT_OCI_LAYER, {.kind = WB_MEDIA_LAYER}},
	{WB_MT_OCI_LAYER_GZIP, WB_MT_OCI_LAYER_GZIP,
		{.kind = WB_MEDIA_LAYER, .coding = WB_CODING_GZIP}},
	{WB_MT_OCI_LAYER_ZSTD, WB_MT_OCI_LAYER_ZSTD,
		{.kind = WB_MEDIA_LAYER, .coding = WB_CODING_ZSTD}},
	{WB_MT_DOCKER_LIST, WB_MT_OCI_INDEX, {.kind = WB_MEDIA_INDEX, .docker = true}},
	{WB_MT_DOCKER_MANIFEST, WB_MT_OCI_MANIFEST, {.kind = WB_MEDIA_MANIFEST, .docker = true}},
	{WB_MT_DOCKER_CONFIG, WB_MT_OCI_CONFIG, {.kind = WB_MEDIA_CONFIG, .docker = true}},
	{WB_MT_DOCKER_LAYER, WB_MT_OCI_LAYER, {.kind = WB_MEDIA_LAYER, .docker = true}},
	{WB_MT_DOCKER_LAYER_GZIP, WB_MT_OCI_LAYER_GZIP,
		{.kind = WB_MEDIA_LAYER, .docker = true, .coding = WB_CODING_GZIP}},
	{WB_MT_DOCKER_LAYER_ZSTD, WB_MT_OCI_LAYER_ZSTD,
		{.kind = WB_MEDIA_LAYER, .docker = true, .coding = WB_CODING_ZSTD}},
	/* Deprecated, but bases made years ago still carry them. They keep their OCI spelling, so
         * that a reader knows not to look for them in the registry. */
	{"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		{.kind = WB_MEDIA_LAYER, .foreign = true}},
	{"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		{.kind = WB_MEDIA_LAYER, .foreign = true, .coding = WB_CODING_GZIP}},
	{"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
		{.kind = WB_MEDIA_LAYER, .foreign = true, .coding = WB_CODING_ZSTD}},
	{"application/vnd.docker.image.rootfs.foreign.diff.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		{.kind = WB_MEDIA_LAYER, .docker = true, .foreign = true}},
	{"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		{.kind = WB_MEDIA_LAYER,
			.docker = true,
			.foreign = true,
			.coding = WB_CODING_GZIP}},
};

/* Length of the type itself, without parameters. */
static size_t bare(const char *type)
{
	return strcspn(type, "; \t");
}

static const struct known *find(const char *type)
{
	size_t n = type ? bare(type) : 0;

	for (size_t i = 0; i < WB_ARRAY_LEN(known); i++)
		if (n == strlen(known[i].type) && !strncasecmp(type, known[i].type, n))
			return &known[i];
	return NULL;
}

struct wb_media wb_media_classify(const char *type)
{
	const struct known *k = find(type);

	return k ? k->media : (struct wb_media){.kind = WB_MEDIA_OTHER};
}

const char *wb_media_to_oci(const char *type)
{
	const struct known *k = find(type);

	return k ? k->oci : type;
}

const char *wb_media_layer(enum wb_media_coding coding, bool docker)
{
	switch (coding) {
	case WB_CODING_NONE: return docker ? WB_MT_DOCKER_LAYER : WB_MT_OCI_LAYER;
	case WB_CODING_GZIP: return docker ? WB_MT_DOCKER_LAYER_GZIP : WB_MT_OCI_LAYER_GZIP;
	case WB_CODING_ZSTD: return docker ? WB_MT_DOCKER_LAYER_ZSTD : WB_MT_OCI_LAYER_ZSTD;
	}
	return NULL;
}

bool wb_media_same(const char *a, const char *b)
{
	size_t n = bare(a);

	return n == bare(b) && !strncasecmp(a, b, n);
}
