#include "builder/build/loaded_page.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

#define PAGE_MAX (1u << 30)
#define DIGEST_SHOWN 12 /* hex digits; the whole is in the title */

struct page {
	struct wb_buf text;
	const json_t *report;
};

/* --- words -------------------------------------------------------------------------------- */

char *wb_html_text(const char *text)
{
	WB_AUTO(wb_buf_release) struct wb_buf b;

	wb_buf_init(&b, PAGE_MAX, "text");
	for (; *text; text++) {
		switch (*text) {
		case '&': wb_buf_must(&b, "&amp;"); break;
		case '<': wb_buf_must(&b, "&lt;"); break;
		case '>': wb_buf_must(&b, "&gt;"); break;
		case '"': wb_buf_must(&b, "&quot;"); break;
		case '\'': wb_buf_must(&b, "&#39;"); break;
		default: wb_buf_must(&b, "%c", *text);
		}
	}
	return wb_buf_steal(&b);
}

static const struct {
	const char *kind, *class, *legend;
} kinds[] = {
	{"weights", "weights", "weights"},
	{"tokenizer", "tokenizer", "tokenizer"},
	{"config", "config", "config"},
	{"training state", "training", "training state"},
	{"git history", "junk", "git history, caches"},
	{"a tool's cache", "junk", NULL},
	{"documentation", "doc", "documentation"},
	{"other", "other", "other"},
};

const char *wb_loaded_page_kind(const char *kind)
{
	for (size_t i = 0; kind && i < WB_ARRAY_LEN(kinds); i++)
		if (!strcmp(kinds[i].kind, kind))
			return kinds[i].class;
	return "other";
}

static void put(struct page *p, const char *text)
{
	wb_autofree char *safe = wb_html_text(text ? text : "");

	wb_buf_must(&p->text, "%s", safe);
}

/* A size to read, and the number behind it. */
static void put_size(struct page *p, uint64_t bytes)
{
	wb_buf_must(&p->text, "<data value=\"%llu\" title=\"%llu bytes\">%s</data>",
		(unsigned long long)bytes, (unsigned long long)bytes, wb_size_text(bytes).s);
}

static void put_digest(struct page *p, const char *digest)
{
	const char *hex = strchr(digest, ':');

	hex = hex ? hex + 1 : digest;
	wb_buf_must(&p->text, "<code title=\"%s\">%.*s</code>", digest, DIGEST_SHOWN, hex);
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? (double)part * 100 / (double)whole : 0;
}

static void put_bar(struct page *p, const char *class, uint64_t part, uint64_t whole)
{
	wb_buf_must(&p->text, "<td class=\"bar\"><i class=\"%s\" style=\"width:%.2f%%\"></i></td>",
		class, percent(part, whole));
}

/* A table that scrolls by itself where it has no room. A head that begins with "#" is of numbers.
 */
static void table_begin(struct page *p, const json_t *image, const char *name, const char *caption,
	const char *const *heads)
{
	wb_buf_must(&p->text,
		"<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s of ", name);
	put(p, wb_json_str_opt(image, "platform"));
	wb_buf_must(&p->text, "\">\n<table>\n");
	if (caption)
		wb_buf_must(&p->text, "<caption>%s</caption>\n", caption);
	wb_buf_must(&p->text, "<thead><tr>");
	for (; *heads; heads++)
		wb_buf_must(&p->text, "<th scope=\"col\"%s>%s</th>",
			**heads == '#' ? " class=\"n\"" : "", *heads + (**heads == '#'));
	wb_buf_must(&p->text, "</tr></thead>\n<tbody>\n");
}

static void table_end(struct page *p)
{
	wb_buf_must(&p->text, "</tbody></table></div>\n");
}

/* --- the figures -------------------------------------------------------------------------- */

static void figure_size(struct page *p, const char *name, const char *title, uint64_t v)
{
	wb_buf_must(&p->text, "<div data-total=\"%s\"><dt>%s</dt><dd>", name, title);
	put_size(p, v);
}

static void figure_count(struct page *p, const char *name, const char *title, uint64_t v)
{
	wb_buf_must(&p->text,
		"<div data-total=\"%s\"><dt>%s</dt><dd><data value=\"%llu\">%llu</data>", name,
		title, (unsigned long long)v, (unsigned long long)v);
}

static void figure_end(struct page *p, const char *note)
{
	if (*note)
		wb_buf_must(&p->text, "<small>%s</small>", note);
	wb_buf_must(&p->text, "</dd></div>\n");
}

static void put_figures(struct page *p, const json_t *image)
{
	const json_t *t = json_object_get(image, "totals");
	uint64_t bytes = wb_json_u64_opt(t, "bytes", 0);
	uint64_t unique = wb_json_u64_opt(t, "uniqueBytes", 0);
	uint64_t links = wb_json_u64_opt(t, "links", 0);

	wb_buf_must(&p->text, "<dl>\n");
	figure_size(p, "layerBytes", "To pull", wb_json_u64_opt(t, "layerBytes", 0));
	figure_end(p, "all layers, compressed");
	figure_count(p, "layers", "Layers", wb_json_u64_opt(t, "layers", 0));
	figure_end(p, "");
	if (json_object_get(t, "files")) {
		wb_autofree char *more =
			links ? wb_asprintf("and %llu links", (unsigned long long)links)
			      : wb_strdup("");
		wb_autofree char *shared =
			wb_asprintf("%s of copies are kept once", wb_size_text(bytes - unique).s);

		figure_count(p, "files", "Bundled files", wb_json_u64_opt(t, "files", 0));
		figure_end(p, more);
		figure_size(p, "bytes", "In files", bytes);
		figure_end(p, "");
		figure_size(p, "uniqueBytes", "Different content", unique);
		figure_end(p, bytes > unique ? shared : "");
	}
	wb_buf_must(&p->text, "</dl>\n");
}

static bool has_kind(const json_t *image, const char *class)
{
	size_t i;
	json_t *file;

	json_array_foreach (json_object_get(image, "files"), i, file) {
		const char *kind = wb_json_str_opt(file, "kind");

		if (kind && !strcmp(wb_loaded_page_kind(kind), class))
			return true;
	}
	return false;
}

static void put_legend(struct page *p, const json_t *image)
{
	const json_t *totals = json_object_get(image, "totals");

	wb_buf_must(&p->text, "<ul class=\"legend\">\n");
	for (size_t i = 0; i < WB_ARRAY_LEN(kinds); i++)
		if (kinds[i].legend && has_kind(image, kinds[i].class))
			wb_buf_must(&p->text, "<li><i class=\"%s\"></i>%s</li>\n", kinds[i].class,
				kinds[i].legend);
	if (wb_json_u64_opt(totals, "bytes", 0) > wb_json_u64_opt(totals, "uniqueBytes", 0))
		wb_buf_must(&p->text, "<li>faded: the same content once more</li>\n");
	wb_buf_must(&p->text, "</ul>\n");
}

/* --- layers ------------------------------------------------------------------------------- */

static const char *layer_class(const json_t *layer)
{
	const char *holds = wb_json_str_opt(layer, "holds");

	return !strcmp(holds, "files") ? "weights" : !strcmp(holds, "base") ? "base" : "own";
}

/* Who else has the layer: registries and nodes keep it once for all of them. */
static void put_reuse(struct page *p, const json_t *layer, size_t images)
{
	static const struct {
		const char *holds, *by;
	} reuse[] = {
		{"base", "every image on this base"},
		{"files", "every image with these files in this place"},
		{"stub", "every image of this version of wbuild"},
		{"manifest", "images with the same bundle"},
	};
	unsigned long long n = wb_json_u64_opt(layer, "platforms", 0);

	wb_buf_must(&p->text, "<td data-platforms=\"%llu\">", n);
	if (images > 1)
		wb_buf_must(&p->text, "%llu of %zu platforms, ", n, images);
	for (size_t i = 0; i < WB_ARRAY_LEN(reuse); i++)
		if (!strcmp(reuse[i].holds, wb_json_str_opt(layer, "holds")))
			wb_buf_must(&p->text, "%s", reuse[i].by);
	wb_buf_must(&p->text, "</td>");
}

static void put_layer(struct page *p, const json_t *layer, uint64_t all)
{
	uint64_t size = wb_json_u64_opt(layer, "size", 0);
	const char *by = wb_json_str_opt(layer, "createdBy");

	wb_buf_must(&p->text, "<tr class=\"layer\"><td class=\"n\">");
	put_size(p, size);
	wb_buf_must(&p->text, "</td>");
	put_bar(p, layer_class(layer), size, all);
	wb_buf_must(&p->text, "<td>");
	put(p, by ? by + (wb_str_starts(by, "wbuild: ") ? strlen("wbuild: ") : 0)
		  : "a layer of the base");
	wb_buf_must(&p->text, "</td>");
	put_reuse(p, layer, json_array_size(json_object_get(p->report, "images")));
	wb_buf_must(&p->text, "<td>");
	put_digest(p, wb_json_str_opt(layer, "digest"));
	wb_buf_must(&p->text, "</td></tr>\n");
}

static void put_layers(struct page *p, const json_t *image)
{
	static const char *const heads[] = {
		"#Size", "Share", "Holds", "Shared with", "Digest", NULL};
	const json_t *layers = json_object_get(image, "layers");
	uint64_t all = wb_json_u64_opt(json_object_get(image, "totals"), "layerBytes", 0);
	size_t i;
	json_t *layer;

	wb_buf_must(&p->text, "<h3>Layers</h3>\n<div class=\"stack\" aria-hidden=\"true\">");
	json_array_foreach (layers, i, layer)
		wb_buf_must(&p->text, "<i class=\"%s\" style=\"flex:%llu\"></i>",
			layer_class(layer), (unsigned long long)wb_json_u64_opt(layer, "size", 0));
	wb_buf_must(&p->text,
		"</div>\n<ul class=\"legend\"><li><i class=\"base\"></i>base</li>"
		"<li><i class=\"weights\"></i>files</li><li><i class=\"own\"></i>runtime "
		"stub, manifest</li></ul>\n");
	table_begin(p, image, "Layers", "In the order in which they are applied", heads);
	json_array_foreach (layers, i, layer)
		put_layer(p, layer, all);
	table_end(p);
}

/* --- sources ------------------------------------------------------------------------------ */

static void put_source(struct page *p, const json_t *s, uint64_t all)
{
	uint64_t bytes = wb_json_u64_opt(s, "bytes", 0);
	const char *revision = wb_json_str_opt(s, "revision");
	unsigned long long files = wb_json_u64_opt(s, "files", 0);

	wb_buf_must(&p->text, "<tr class=\"source\"><td class=\"n\">");
	put_size(p, bytes);
	wb_buf_must(&p->text, "</td>");
	put_bar(p, "weights", bytes, all);
	wb_buf_must(&p->text, "<td class=\"n\"><data value=\"%llu\">%llu</data></td><td><code>",
		files, files);
	put(p, wb_json_str_opt(s, "source"));
	wb_buf_must(&p->text, "</code></td><td><code>");
	put(p, wb_json_str_opt(s, "mount"));
	wb_buf_must(&p->text, "</code></td><td>");
	if (revision) {
		wb_buf_must(&p->text, "<code>");
		put(p, revision);
		wb_buf_must(&p->text, "</code>");
	} else {
		wb_buf_must(&p->text, "–");
	}
	wb_buf_must(&p->text, "</td></tr>\n");
}

static void put_sources(struct page *p, const json_t *image)
{
	static const char *const heads[] = {
		"#Size", "Share", "#Files", "Source", "Placed at", "Revision", NULL};
	uint64_t all = wb_json_u64_opt(json_object_get(image, "totals"), "bytes", 0);
	size_t i;
	json_t *s;

	wb_buf_must(&p->text, "<h3>Sources</h3>\n");
	table_begin(p, image, "Sources", NULL, heads);
	json_array_foreach (json_object_get(image, "sources"), i, s)
		put_source(p, s, all);
	table_end(p);
}

/* --- files -------------------------------------------------------------------------------- */

struct row {
	const json_t *file;
	size_t index;
	uint64_t size;
};

static int row_order(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	return x->index < y->index ? -1 : 1;
}

static void put_path(struct page *p, const json_t *file)
{
	const char *target = wb_json_str_opt(file, "target");
	const char *same = wb_json_str_opt(file, "sameAs");

	wb_buf_must(&p->text, "<td><code>");
	put(p, wb_json_str_opt(file, "path"));
	wb_buf_must(&p->text, "</code>");
	if (target || same) {
		wb_buf_must(&p->text, "<br><span class=\"soft\">%s <code>",
			target ? "link to" : "the same as");
		put(p, target ? target : same);
		wb_buf_must(&p->text, "</code></span>");
	}
	wb_buf_must(&p->text, "</td>");
}

static void put_file(struct page *p, const struct row *r, size_t image, uint64_t all)
{
	const char *kind = wb_json_str_opt(r->file, "kind");
	const char *sha256 = wb_json_str_opt(r->file, "sha256");

	wb_buf_must(
		&p->text, "<tr class=\"file\" id=\"f%zu-%zu\"><td class=\"n\">", image, r->index);
	if (sha256)
		put_size(p, r->size);
	wb_buf_must(&p->text, "</td>");
	put_bar(p, wb_loaded_page_kind(kind), r->size, all);
	put_path(p, r->file);
	wb_buf_must(&p->text, "<td>");
	put(p, kind ? kind : "–");
	wb_buf_must(&p->text, "</td><td><code>");
	put(p, wb_json_str_opt(r->file, "source"));
	wb_buf_must(&p->text, "</code></td><td>");
	if (sha256)
		put_digest(p, sha256);
	wb_buf_must(&p->text, "</td></tr>\n");
}

static void put_files(struct page *p, const json_t *image, size_t number)
{
	static const char *const heads[] = {
		"#Size", "Share", "Path", "Kind", "Source", "SHA-256", NULL};
	const json_t *files = json_object_get(image, "files");
	size_t n = json_array_size(files), i;
	wb_autofree struct row *rows = wb_calloc(n + 1, sizeof(*rows));
	json_t *file;

	json_array_foreach (files, i, file)
		rows[i] = (struct row){file, i, wb_json_u64_opt(file, "size", 0)};
	if (n)
		qsort(rows, n, sizeof(*rows), row_order);
	wb_buf_must(&p->text, "<h3>Files</h3>\n");
	table_begin(p, image, "Files", "The largest first", heads);
	for (i = 0; i < n; i++)
		put_file(p, &rows[i], number,
			wb_json_u64_opt(json_object_get(image, "totals"), "bytes", 0));
	table_end(p);
}

/* --- the page ----------------------------------------------------------------------------- */

static void put_image(struct page *p, const json_t *image, size_t number)
{
	wb_buf_must(&p->text,
		"<section class=\"image\" aria-labelledby=\"image%zu\">\n"
		"<h2 id=\"image%zu\">",
		number, number);
	put(p, wb_json_str_opt(image, "platform"));
	wb_buf_must(&p->text, "</h2>\n<p class=\"soft\">Manifest <code>");
	put(p, wb_json_str_opt(image, "manifest"));
	wb_buf_must(&p->text, "</code></p>\n");
	put_figures(p, image);
	if (json_object_get(image, "files")) {
		wb_buf_must(&p->text,
			"<h3>Files by size</h3>\n<p><a class=\"skip\" href=\"#layers%zu\">"
			"Past the map</a></p>\n",
			number);
		wb_loaded_page_treemap(&p->text, image, number);
		put_legend(p, image);
	}
	wb_buf_must(&p->text, "<div id=\"layers%zu\">\n", number);
	put_layers(p, image);
	wb_buf_must(&p->text, "</div>\n");
	if (json_object_get(image, "files")) {
		put_sources(p, image);
		put_files(p, image, number);
	}
	wb_buf_must(&p->text, "</section>\n");
}

/* Which platform leads where, when there are several. */
static void put_contents(struct page *p, const json_t *images)
{
	size_t i;
	json_t *image;

	if (json_array_size(images) < 2)
		return;
	wb_buf_must(&p->text, "<nav aria-label=\"Platforms\"><ul class=\"legend\">\n");
	json_array_foreach (images, i, image) {
		wb_buf_must(&p->text, "<li><a href=\"#image%zu\">", i);
		put(p, wb_json_str_opt(image, "platform"));
		wb_buf_must(&p->text, "</a></li>\n");
	}
	wb_buf_must(&p->text, "</ul></nav>\n");
}

static void put_head(struct page *p, const char *name)
{
	wb_buf_must(&p->text,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, "
		"initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" "
		"content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>");
	put(p, name);
	wb_buf_must(&p->text, " – what is in it</title>\n<style>\n%s</style>\n</head>\n<body>\n",
		wb_loaded_page_style);
}

char *wb_loaded_page(const json_t *report, const char *name)
{
	struct page p = {.report = report};
	const json_t *images = json_object_get(report, "images");
	size_t i;
	json_t *image;

	wb_buf_init(&p.text, PAGE_MAX, "page");
	put_head(&p, name);
	wb_buf_must(&p.text, "<header>\n<h1>");
	put(&p, name);
	wb_buf_must(&p.text, "</h1>\n<p class=\"soft\"><code data-digest>");
	put(&p, wb_json_str_opt(report, "digest"));
	wb_buf_must(&p.text, "</code></p>\n");
	put_contents(&p, images);
	wb_buf_must(&p.text, "</header>\n<main>\n");
	json_array_foreach (images, i, image)
		put_image(&p, image, i);
	wb_buf_must(&p.text, "</main>\n<footer>Written by wbuild inspect --html; the same as "
			     "wbuild inspect --format json.</footer>\n</body>\n</html>\n");
	return wb_buf_steal(&p.text);
}
