#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "builder/build/loaded_page.h"
#include "builder/build/loaded_report.h"
#include "builder/cli/report_args.h"
#include "builder/cli/transfer.h"
#include "layers/chunked.h"

#define SHOWN 10

/* --- the page ----------------------------------------------------------------------------- */

static int write_page(const json_t *report, const char *name, const char *file, struct wb_err *err)
{
	wb_autofree char *page = wb_loaded_page(report, name);

	if (wb_secret_guard(file, page, strlen(page), err) ||
		wb_file_put(file, page, strlen(page), 0644, WB_FILE_REPLACE, err))
		return wb_err_wrap(err, "--html");
	wb_note("wrote %s", file);
	return 0;
}

/* --- text --------------------------------------------------------------------------------- */

static void print_args(const struct wb_image *img, enum wb_image_args which, const char *title)
{
	const json_t *args = wb_image_args(img, which);
	size_t i;
	json_t *word;

	if (!args)
		return;
	printf("%-10s ", title);
	json_array_foreach (args, i, word)
		printf(" %s", json_string_value(word));
	putchar('\n');
}

static int by_size(const void *a, const void *b)
{
	const struct wb_bundle_entry *x = *(const struct wb_bundle_entry *const *)a;
	const struct wb_bundle_entry *y = *(const struct wb_bundle_entry *const *)b;

	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	return strcmp(x->path, y->path);
}

static void print_entry(const struct wb_bundle_entry *e)
{
	wb_autofree char *path = wb_text_quote(e->path, 4096);

	switch (e->type) {
	case WB_BUNDLE_FILE: printf("  %10s  /%s\n", wb_size_text(e->size).s, path); break;
	case WB_BUNDLE_SYMLINK: printf("  %10s  /%s -> %s\n", "link", path, e->target); break;
	case WB_BUNDLE_DIR: printf("  %10s  /%s/\n", "folder", path); break;
	}
}

static void print_files(const struct wb_bundle_manifest *m, bool all)
{
	wb_autofree const struct wb_bundle_entry **list = wb_calloc(m->entries.n, sizeof(*list));

	for (size_t i = 0; i < m->entries.n; i++)
		list[i] = &m->entries.items[i];
	if (!all && m->entries.n)
		qsort(list, m->entries.n, sizeof(*list), by_size);
	printf("\nFiles\n");
	for (size_t i = 0; i < m->entries.n && (all || i < SHOWN); i++)
		print_entry(list[i]);
	if (!all && m->entries.n > SHOWN)
		printf("  ... and %zu more (--all lists them)\n", m->entries.n - SHOWN);
}

static void print_sources(const struct wb_bundle_manifest *m)
{
	printf("\nSources\n");
	wb_vec_foreach (s, &m->sources) {
		size_t files = 0;
		uint64_t bytes = 0;

		wb_vec_foreach (e, &m->entries) {
			bool here = &m->sources.items[e->source] == s;

			files += here && e->type == WB_BUNDLE_FILE;
			bytes += here ? e->size : 0;
		}
		printf("  %10s  %7zu files  %s  (%s%s%s)\n", wb_size_text(bytes).s, files, s->mount,
			s->label, s->revision ? " at " : "", s->revision ? s->revision : "");
	}
}

static void print_image(const struct wb_loaded_image *img, bool all)
{
	printf("\nPlatform    %s\nManifest    %s\nConfig      %s\n",
		wb_platform_text(&img->image.platform).s, wb_digest_text(&img->manifest.digest).s,
		wb_digest_text(&img->config.digest).s);
	print_args(&img->image, WB_IMAGE_ENTRYPOINT, "Entrypoint");
	print_args(&img->image, WB_IMAGE_CMD, "Command");
	printf("\nLayers\n");
	for (size_t i = 0; i < img->image.layers.n; i++) {
		const struct wb_descriptor *d = &img->image.layers.items[i];
		const char *by = wb_loaded_created_by(img, i);
		wb_autofree char *text = wb_text_quote(by ? by : "", 60);

		printf("  %10s  %.19s  %s%s\n", wb_size_text(d->size).s,
			wb_digest_text(&d->digest).s, text,
			wb_descriptor_annotation(d, WB_CHUNKED_POSITION)
				? ", with a table of contents"
				: "");
	}
	if (!img->has_bundle)
		return;
	print_sources(&img->bundle);
	print_files(&img->bundle, all);
}

static int run(const struct wb_args *args, struct wb_err *err)
{
	WB_AUTO(wb_loaded_release) struct wb_loaded loaded = WB_LOADED_INIT;
	struct wb_place_opts opts = {0};
	const char *page = wb_args_last(args, OPT_HTML);
	bool json;

	if (wb_format_is_json(&json, args, err) || wb_place_args_reach(&opts, args, err) ||
		wb_loaded_open(&loaded, args->operands.items[0], &opts, err))
		return -1;
	wb_autojson json_t *report = json || page ? wb_loaded_report(&loaded) : NULL;

	if (page && write_page(report, args->operands.items[0], page, err))
		return -1;
	if (json)
		wb_print_json(json_incref(report));
	if (json || page)
		return 0;
	printf("Digest      %s\nType        %s\n", wb_digest_text(&loaded.root.digest).s,
		loaded.root.media_type);
	wb_vec_foreach (img, &loaded.images)
		print_image(img, wb_args_has(args, OPT_ALL));
	return 0;
}

static const enum wb_opt options[] = {
	OPT_FORMAT, OPT_HTML, OPT_ALL, OPTS_REACH, OPTS_COMMON, OPT_END};

const struct wb_command wb_cmd_inspect = {
	.name = "inspect",
	.operands = "IMAGE",
	.summary = "what is in an image: layers, files, sizes, sources",
	.min_operands = 1,
	.max_operands = 1,
	.options = options,
	.run = run,
};
