/* The treemap of a page: a field for each source, in it its files. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/path.h"
#include "base/text.h"
#include "builder/build/loaded_page.h"
#include "builder/build/treemap.h"

#define WIDTH 1000.0
#define HEIGHT 460.0
#define TITLE 22.0    /* height of a source's title */
#define FILES_MAX 400 /* of one source that have a field each */
#define LINKS_MAX 40  /* of one image that the keyboard stops at */
#define LETTER 6.6    /* width of one, about, at 12 px */

struct tile {
	const json_t *file; /* NULL: all the smaller ones */
	size_t row, files;
	uint64_t bytes;
};

struct field {
	const json_t *source;
	uint64_t bytes;
	WB_VEC(struct tile) tiles;
};

struct map {
	struct wb_buf *out;
	size_t image, links;
	WB_VEC(struct field) fields;
};

static void map_release(struct map *m)
{
	wb_vec_foreach (f, &m->fields)
		wb_vec_free(&f->tiles);
	wb_vec_free(&m->fields);
}

/* --- what there is to show ---------------------------------------------------------------- */

static int by_bytes(uint64_t a, uint64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

static int tile_order(const void *a, const void *b)
{
	const struct tile *x = a, *y = b;
	int order = by_bytes(x->bytes, y->bytes);

	return order ? order : x->row < y->row ? -1 : 1;
}

static int field_order(const void *a, const void *b)
{
	return by_bytes(((const struct field *)a)->bytes, ((const struct field *)b)->bytes);
}

/* The field of a source; two sources of one name share it, as they do in the files' lines. */
static struct field *find_field(struct map *m, const char *source)
{
	wb_vec_foreach (f, &m->fields)
		if (!strcmp(wb_json_str_opt(f->source, "source"), source))
			return f;
	return NULL;
}

static void shorten(struct field *f)
{
	struct tile rest = {0};

	for (size_t i = FILES_MAX; i < f->tiles.n; i++) {
		rest.bytes += f->tiles.items[i].bytes;
		rest.files++;
	}
	if (!rest.files)
		return;
	f->tiles.n = FILES_MAX;
	*wb_vec_push(&f->tiles) = rest;
	qsort(f->tiles.items, f->tiles.n, sizeof(*f->tiles.items), tile_order);
}

static void collect(struct map *m, const json_t *image)
{
	size_t i;
	json_t *o;

	json_array_foreach (json_object_get(image, "sources"), i, o)
		if (!find_field(m, wb_json_str_opt(o, "source")))
			*wb_vec_push(&m->fields) = (struct field){.source = o};
	json_array_foreach (json_object_get(image, "files"), i, o) {
		struct field *f = find_field(m, wb_json_str_opt(o, "source"));
		uint64_t size = wb_json_u64_opt(o, "size", 0);

		if (!f || !size)
			continue;
		f->bytes += size;
		*wb_vec_push(&f->tiles) = (struct tile){.file = o, .row = i, .bytes = size};
	}
	wb_vec_foreach (f, &m->fields) {
		if (f->tiles.n)
			qsort(f->tiles.items, f->tiles.n, sizeof(*f->tiles.items), tile_order);
		shorten(f);
	}
	if (m->fields.n)
		qsort(m->fields.items, m->fields.n, sizeof(*m->fields.items), field_order);
	while (m->fields.n && !m->fields.items[m->fields.n - 1].bytes)
		m->fields.n--;
}

/* --- drawing ------------------------------------------------------------------------------ */

/* A line of text, where there is room for some of it. */
static void label(struct map *m, const char *class, const char *text, double x, double y, double w)
{
	size_t letters = w > 0 ? (size_t)(w / LETTER) : 0, n = strlen(text);

	if (letters < 4)
		return;
	/* bytes, not letters: long names of other scripts are cut earlier; never within one */
	bool cut = n > letters;
	size_t keep = cut ? letters - 1 : n;

	while (cut && keep && ((unsigned char)text[keep] & 0xc0) == 0x80)
		keep--;
	wb_autofree char *part = wb_strndup(text, keep);
	wb_autofree char *safe = wb_html_text(part);

	wb_buf_must(m->out,
		"<text aria-hidden=\"true\" class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s%s</text>", class,
		x, y, safe, cut ? "…" : "");
}

static void draw_rect(struct map *m, const char *class, const struct wb_rect *r)
{
	wb_buf_must(m->out,
		"<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", class,
		r->x, r->y, r->w, r->h);
}

static void draw_rest(struct map *m, const struct tile *t, const struct wb_rect *r)
{
	wb_autofree char *text = wb_asprintf("%zu smaller files", t->files);

	wb_buf_must(m->out, "<g><title>%s, %s</title>", text, wb_size_text(t->bytes).s);
	draw_rect(m, "doc", r);
	if (r->h > 18)
		label(m, "small", text, r->x + 6, r->y + 15, r->w - 10);
	wb_buf_must(m->out, "</g>\n");
}

static void draw_tile(struct map *m, const struct tile *t, const struct wb_rect *r)
{
	if (!t->file) {
		draw_rest(m, t, r);
		return;
	}
	const char *path = wb_json_str_opt(t->file, "path");
	const char *kind = wb_json_str_opt(t->file, "kind");
	const char *same = wb_json_str_opt(t->file, "sameAs");
	struct wb_size_text size = wb_size_text(t->bytes);
	wb_autofree char *about = wb_asprintf("%s, %s, %s%s%s", path, size.s, kind,
		same ? ", the same as " : "", same ? same : "");
	wb_autofree char *safe = wb_html_text(about);
	wb_autofree char *class =
		wb_asprintf("%s%s", wb_loaded_page_kind(kind), same ? " again" : "");
	bool link = m->links < LINKS_MAX;

	m->links += link;
	if (link)
		wb_buf_must(
			m->out, "<a href=\"#f%zu-%zu\" aria-label=\"%s\">", m->image, t->row, safe);
	else
		wb_buf_must(m->out, "<g>");
	wb_buf_must(m->out, "<title>%s</title>", safe);
	draw_rect(m, class, r);
	wb_buf_must(m->out, link ? "</a>" : "</g>");
	/* beside the link, not in it: its name is whole, what is written is cut to the room */
	if (r->h > 18)
		label(m, "file", wb_path_basename(path), r->x + 6, r->y + 15, r->w - 10);
	if (r->h > 36)
		label(m, "small", size.s, r->x + 6, r->y + 31, r->w - 10);
	wb_buf_must(m->out, "\n");
}

static void draw_field(struct map *m, const struct field *f, struct wb_rect r)
{
	wb_autofree struct wb_rect *rects = wb_calloc(f->tiles.n + 1, sizeof(*rects));
	wb_autofree uint64_t *weights = wb_calloc(f->tiles.n + 1, sizeof(*weights));
	const char *source = wb_json_str_opt(f->source, "source");
	wb_autofree char *title = wb_asprintf("%s  %s", source, wb_size_text(f->bytes).s);

	draw_rect(m, "group", &r);
	if (r.h > 3 * TITLE && r.w > 60) {
		label(m, "name", title, r.x + 6, r.y + 15, r.w - 10);
		r.y += TITLE;
		r.h -= TITLE;
	}
	for (size_t i = 0; i < f->tiles.n; i++)
		weights[i] = f->tiles.items[i].bytes;
	wb_treemap(rects, weights, f->tiles.n, r);
	for (size_t i = 0; i < f->tiles.n; i++)
		draw_tile(m, &f->tiles.items[i], &rects[i]);
}

void wb_loaded_page_treemap(struct wb_buf *out, const json_t *report_image, size_t image)
{
	WB_AUTO(map_release) struct map m = {.out = out, .image = image};

	collect(&m, report_image);
	wb_autofree struct wb_rect *rects = wb_calloc(m.fields.n + 1, sizeof(*rects));
	wb_autofree uint64_t *weights = wb_calloc(m.fields.n + 1, sizeof(*weights));

	for (size_t i = 0; i < m.fields.n; i++)
		weights[i] = m.fields.items[i].bytes;
	wb_treemap(rects, weights, m.fields.n, (struct wb_rect){0, 0, WIDTH, HEIGHT});
	wb_buf_must(out,
		"<svg class=\"map\" viewBox=\"0 0 %.0f %.0f\" role=\"group\" "
		"aria-label=\"Files by size; each leads to its line below\">\n",
		WIDTH, HEIGHT);
	for (size_t i = 0; i < m.fields.n; i++)
		draw_field(&m, &m.fields.items[i], rects[i]);
	wb_buf_must(out, "</svg>\n");
}
