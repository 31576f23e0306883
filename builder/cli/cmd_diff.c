#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "builder/build/loaded.h"
#include "builder/cli/report_args.h"
#include "builder/cli/transfer.h"

#define SHOWN 20

enum change { ADDED, REMOVED, CHANGED };

struct file_change {
	enum change kind;
	const struct wb_bundle_entry *from, *to; /* NULL where there is none */
};

struct comparison {
	const struct wb_loaded_image *from, *to;
	size_t shared, same_files;
	uint64_t shared_bytes, pull_bytes; /* of layers */
	WB_VEC(const struct wb_descriptor *) new_layers;
	WB_VEC(const struct wb_descriptor *) gone_layers;
	WB_VEC(struct file_change) files;
};

static void comparison_release(struct comparison *c)
{
	wb_vec_free(&c->new_layers);
	wb_vec_free(&c->gone_layers);
	wb_vec_free(&c->files);
}

/* --- comparing ---------------------------------------------------------------------------- */

static bool has_layer(const struct wb_loaded_image *img, const struct wb_digest *d)
{
	wb_vec_foreach (l, &img->image.layers)
		if (wb_digest_equal(&l->digest, d))
			return true;
	return false;
}

static void compare_layers(struct comparison *c)
{
	wb_vec_foreach (l, &c->to->image.layers) {
		if (has_layer(c->from, &l->digest)) {
			c->shared++;
			c->shared_bytes += l->size;
			continue;
		}
		c->pull_bytes += l->size;
		*wb_vec_push(&c->new_layers) = l;
	}
	wb_vec_foreach (l, &c->from->image.layers)
		if (!has_layer(c->to, &l->digest))
			*wb_vec_push(&c->gone_layers) = l;
}

static bool same_entry(const struct wb_bundle_entry *a, const struct wb_bundle_entry *b)
{
	if (a->type != b->type || a->mode != b->mode)
		return false;
	if (a->type == WB_BUNDLE_SYMLINK)
		return !strcmp(a->target, b->target);
	return a->type == WB_BUNDLE_DIR || wb_digest_equal(&a->digest, &b->digest);
}

/* Both manifests are sorted by wb_path_cmp: one walk along both. */
static void compare_files(struct comparison *c)
{
	const struct wb_bundle_manifest *a = &c->from->bundle, *b = &c->to->bundle;

	for (size_t i = 0, k = 0; i < a->entries.n || k < b->entries.n;) {
		const struct wb_bundle_entry *x = i < a->entries.n ? &a->entries.items[i] : NULL;
		const struct wb_bundle_entry *y = k < b->entries.n ? &b->entries.items[k] : NULL;
		int order = !x ? 1 : !y ? -1 : wb_path_cmp(x->path, y->path);

		i += order <= 0;
		k += order >= 0;
		if (order < 0)
			*wb_vec_push(&c->files) = (struct file_change){REMOVED, x, NULL};
		else if (order > 0)
			*wb_vec_push(&c->files) = (struct file_change){ADDED, NULL, y};
		else if (!same_entry(x, y))
			*wb_vec_push(&c->files) = (struct file_change){CHANGED, x, y};
		else
			c->same_files++;
	}
}

/* The image in l of the same platform, or NULL. */
static const struct wb_loaded_image *counterpart(
	const struct wb_loaded *l, const struct wb_loaded_image *to)
{
	struct wb_platform_text want = wb_platform_text(&to->image.platform);

	wb_vec_foreach (img, &l->images)
		if (!strcmp(wb_platform_text(&img->image.platform).s, want.s))
			return img;
	return NULL;
}

/* --- telling ------------------------------------------------------------------------------ */

static const char *const words[] = {
	[ADDED] = "added", [REMOVED] = "removed", [CHANGED] = "changed"};

static json_t *layer_list(const struct wb_descriptor *const *layers, size_t n)
{
	json_t *out = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		wb_json_set_str(o, "digest", wb_digest_text(&layers[i]->digest).s);
		wb_json_set_u64(o, "size", layers[i]->size);
		wb_json_append(out, o);
	}
	return out;
}

static json_t *comparison_json(const struct comparison *c)
{
	json_t *o = json_object(), *files = json_array();

	wb_json_set_str(o, "platform", wb_platform_text(&c->to->image.platform).s);
	wb_json_set_u64(o, "sharedLayers", c->shared);
	wb_json_set_u64(o, "sharedBytes", c->shared_bytes);
	wb_json_set_u64(o, "pullBytes", c->pull_bytes);
	wb_json_set(o, "newLayers", layer_list(c->new_layers.items, c->new_layers.n));
	wb_json_set(o, "goneLayers", layer_list(c->gone_layers.items, c->gone_layers.n));
	wb_json_set_u64(o, "sameFiles", c->same_files);
	wb_vec_foreach (f, &c->files) {
		json_t *entry = json_object();
		wb_autofree char *path = wb_text_quote((f->to ? f->to : f->from)->path, 16384);
		wb_autofree char *absolute = wb_asprintf("/%s", path);

		wb_json_set_text(entry, "path", absolute);
		wb_json_set_str(entry, "change", words[f->kind]);
		if (f->from)
			wb_json_set_u64(entry, "oldSize", f->from->size);
		if (f->to)
			wb_json_set_u64(entry, "size", f->to->size);
		wb_json_append(files, entry);
	}
	wb_json_set(o, "files", files);
	return o;
}

static void print_comparison(const struct comparison *c, bool all)
{
	printf("Platform    %s\n\nLayers\n", wb_platform_text(&c->to->image.platform).s);
	printf("  %10s  %zu shared\n", wb_size_text(c->shared_bytes).s, c->shared);
	printf("  %10s  %zu to pull\n", wb_size_text(c->pull_bytes).s, c->new_layers.n);
	wb_vec_foreach (l, &c->new_layers)
		printf("  %10s  + %.19s\n", wb_size_text((*l)->size).s,
			wb_digest_text(&(*l)->digest).s);
	wb_vec_foreach (l, &c->gone_layers)
		printf("  %10s  - %.19s\n", wb_size_text((*l)->size).s,
			wb_digest_text(&(*l)->digest).s);
	printf("\nFiles\n  %10s  %zu the same\n", "", c->same_files);
	for (size_t i = 0; i < c->files.n && (all || i < SHOWN); i++) {
		const struct file_change *f = &c->files.items[i];
		const struct wb_bundle_entry *e = f->to ? f->to : f->from;
		wb_autofree char *path = wb_text_quote(e->path, 4096);

		printf("  %10s  %c /%s\n", wb_size_text(e->size).s, "+-~"[f->kind], path);
	}
	if (!all && c->files.n > SHOWN)
		printf("  %10s  ... and %zu more (--all lists them)\n", "", c->files.n - SHOWN);
}

static int run(const struct wb_args *args, struct wb_err *err)
{
	WB_AUTO(wb_loaded_release) struct wb_loaded from = WB_LOADED_INIT;
	WB_AUTO(wb_loaded_release) struct wb_loaded to = WB_LOADED_INIT;
	struct wb_place_opts opts = {0};
	size_t compared = 0;
	bool json;

	if (wb_format_is_json(&json, args, err) || wb_place_args_reach(&opts, args, err) ||
		wb_loaded_open(&from, args->operands.items[0], &opts, err) ||
		wb_loaded_open(&to, args->operands.items[1], &opts, err))
		return -1;
	wb_autojson json_t *list = json_array();

	wb_vec_foreach (img, &to.images) {
		WB_AUTO(comparison_release)
		struct comparison c = {.from = counterpart(&from, img), .to = img};

		if (!c.from)
			continue;
		compare_layers(&c);
		compare_files(&c);
		if (json)
			wb_json_append(list, comparison_json(&c));
		else
			print_comparison(&c, wb_args_has(args, OPT_ALL));
		compared++;
	}
	if (!compared)
		return wb_err_set(
			err, WB_ERR_UNSUPPORTED, "the two images have no platform in common");
	if (json)
		wb_print_json(json_incref(list));
	return 0;
}

static const enum wb_opt options[] = {OPT_FORMAT, OPT_ALL, OPTS_REACH, OPTS_COMMON, OPT_END};

const struct wb_command wb_cmd_diff = {
	.name = "diff",
	.operands = "IMAGE IMAGE",
	.summary = "what changed between two images, by layer and by file",
	.about = "Compares the second image with the first, platform by platform: which layers "
		 "someone "
		 "who has\nthe first must pull, how many bytes they share, and which files were "
		 "added, "
		 "removed or changed.\nNo weights are read.",
	.min_operands = 2,
	.max_operands = 2,
	.options = options,
	.run = run,
};
