/* Small real images for the tests of oci/: layers that any reader unpacks, in any coding. */
#ifndef WB_TESTS_UNIT_OCI_OCITEST_H
#define WB_TESTS_UNIT_OCI_OCITEST_H

#include "wbtest.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/image.h"
#include "oci/mediatype.h"
#include "oci/tarfile.h"

struct ocitest_layer {
	struct wb_descriptor desc; /* of the blob, in its coding */
	struct wb_digest diff_id;
	char *bytes;
};

/* Bytes through one of libarchive's compressors; the caller frees. */
static inline char *ocitest_compress(
	const char *p, size_t n, enum wb_media_coding coding, size_t *out_n)
{
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();
	size_t room = n + 65536;
	char *out = wb_alloc(room);

	archive_write_set_format_raw(a);
	if (coding == WB_CODING_GZIP) {
		archive_write_add_filter_gzip(a);
		archive_write_set_options(a, "gzip:!timestamp");
	} else if (coding == WB_CODING_ZSTD) {
		archive_write_add_filter_zstd(a);
	}
	archive_write_set_bytes_in_last_block(a, 1);
	archive_entry_set_filetype(e, AE_IFREG);
	if (archive_write_open_memory(a, out, room, out_n) || archive_write_header(a, e) ||
		archive_write_data(a, p, n) != (ssize_t)n || archive_write_close(a))
		fail_msg("compress: %s", archive_error_string(a));
	archive_entry_free(e);
	archive_write_free(a);
	return out;
}

/* A layer with one file. */
static inline void ocitest_layer(struct ocitest_layer *out, const char *path, const char *content,
	enum wb_media_coding coding)
{
	size_t n = strlen(content);
	size_t size = WB_TARFILE_BLOCK + n + (size_t)wb_tarfile_padding(n) + 2 * WB_TARFILE_BLOCK,
	       packed;
	wb_autofree char *tar = wb_zalloc(size);
	struct wb_descriptor plain = WB_DESCRIPTOR_INIT;

	wb_tarfile_header((uint8_t *)tar, path, false, n);
	memcpy(tar + WB_TARFILE_BLOCK, content, n);
	wb_descriptor_of(&plain, WB_MT_OCI_LAYER, tar, size);
	out->diff_id = plain.digest;
	wb_descriptor_release(&plain);
	out->bytes = ocitest_compress(tar, size, coding, &packed);
	wb_descriptor_of(&out->desc, wb_media_layer(coding, false), out->bytes, packed);
}

static inline void ocitest_layer_release(struct ocitest_layer *l)
{
	wb_descriptor_release(&l->desc);
	free(l->bytes);
}

/* An image of two layers (one plain or gzip, one in coding); its blobs and manifest are put, as a
 * root with this tag, or as a child when tag is "". manifest (may be NULL) keeps the document. */
static inline void ocitest_put_image(struct wb_document *manifest, struct wb_transport *t,
	const char *arch, const char *content, enum wb_media_coding coding,
	const struct wb_manifest_put *how)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_platform platform = {.os = "linux"};
	struct ocitest_layer layer[2];
	WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;
	WB_AUTO(wb_document_release) struct wb_document m = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document config = WB_DOCUMENT_INIT;
	const struct wb_history h = {.created_by = "test"};

	snprintf(platform.arch, sizeof(platform.arch), "%s", arch);
	wb_image_scratch(&img, &platform);
	ocitest_layer(&layer[0], "base.txt", "the base", WB_CODING_GZIP);
	ocitest_layer(&layer[1], "weights.bin", content, coding);
	for (int i = 0; i < 2; i++) {
		assert_ok(wb_image_add_layer(&img, &layer[i].desc, &layer[i].diff_id, &h, &err),
			&err);
		assert_ok(wb_transport_put_bytes(t, &layer[i].desc, layer[i].bytes, &err), &err);
		ocitest_layer_release(&layer[i]);
	}
	assert_ok(wb_image_finish(&m, &config, &img, NULL, false, &err), &err);
	assert_ok(wb_transport_put_bytes(t, &config.desc, config.bytes, &err), &err);
	assert_ok(wb_transport_put_manifest(t, &m, how, &err), &err);
	if (manifest) {
		*manifest = m;
		m = WB_DOCUMENT_INIT;
	}
}

/* Opens a place as a command line names it: "oci:DIR", with DIR below dir. */
static inline struct wb_transport *ocitest_open(
	const char *dir, const char *place, enum wb_transport_mode mode, struct wb_err *err)
{
	WB_AUTO(wb_place_release) struct wb_place p = WB_PLACE_INIT;

	assert_ok(wb_place_parse(&p, place, err), err);
	char *path = wb_asprintf("%s/%s", dir, p.path);

	free(p.path);
	p.path = path;
	switch (p.kind) {
	case WB_PLACE_LAYOUT: return wb_layout_open(&p, mode, err);
	case WB_PLACE_ARCHIVE: return wb_archive_open(&p, mode, err);
	case WB_PLACE_DOCKER_ARCHIVE: return wb_docker_archive_open(&p, mode, err);
	case WB_PLACE_REGISTRY: break;
	}
	fail_msg("no such transport here");
	return NULL;
}

static inline struct wb_transport *ocitest_must_open(
	const char *dir, const char *place, enum wb_transport_mode mode)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_transport *t = ocitest_open(dir, place, mode, &err);

	if (!t)
		fail_msg("%s: %s", place, err.text);
	return t;
}

/* An image of ocitest_put_image() at a place of its own. */
static inline void ocitest_make(const char *dir, const char *place, const char *arch,
	const char *content, const struct wb_manifest_put *how, struct wb_document *manifest)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_transport_freep)
	struct wb_transport *t = ocitest_must_open(dir, place, WB_TRANSPORT_WRITE);

	ocitest_put_image(manifest, t, arch, content, WB_CODING_ZSTD, how);
	assert_ok(wb_transport_commit(t, &err), &err);
}

/* A file's text; the caller frees. */
static inline char *ocitest_read(const char *dir, const char *name)
{
	wb_autofree char *path = wb_asprintf("%s/%s", dir, name);
	struct wb_err err = WB_ERR_INIT;
	struct wb_buf b;

	wb_buf_init(&b, 1 << 20, "test");
	assert_ok(wb_file_read(&b, path, &err), &err);
	return b.data;
}

/* Runs a foreign program; -1 when it is not installed (the caller skips, aloud). */
static inline int ocitest_run(const char *const *argv, const char *out_file)
{
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (out_file && !freopen(out_file, "w", stdout))
			_exit(126);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

/* skopeo copy, whose only judgement is its exit status. Ends the test, as skipped, where there is
 * no skopeo; dir is freed then. */
static inline void ocitest_skopeo_copy(
	char *dir, const char *from, const char *to, bool preserve_digests)
{
	const char *const argv[] = {"skopeo", "--insecure-policy", "copy", "-q",
		preserve_digests ? "--preserve-digests" : from, preserve_digests ? from : to,
		preserve_digests ? to : NULL, NULL};
	int rc = ocitest_run(argv, NULL);

	if (rc < 0) {
		print_message("[  SKIP  ] skopeo is not installed\n");
		wbtest_rmdir(dir);
		skip();
	}
	assert_int_equal(rc, 0);
}

#endif
