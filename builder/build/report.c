#include "builder/build/report.h"

#include <string.h>

#include "base/text.h"
#include "builder/build/filekind.h"

static json_t *sources_json(const struct wb_plan *p)
{
	json_t *out = json_array();

	wb_vec_foreach (s, &p->sources) {
		json_t *o = json_object();

		wb_json_set_str(o, "source", s->label);
		if (s->revision)
			wb_json_set_str(o, "revision", s->revision);
		wb_json_set_str(o, "mount", s->mount);
		wb_json_set(o, "baked", json_boolean(!s->skipped));
		wb_json_set_u64(o, "files", s->files);
		wb_json_set_u64(o, "bytes", s->bytes);
		wb_json_append(out, o);
	}
	return out;
}

static void append_file(json_t *list, const struct wb_plan *p, size_t index)
{
	const struct wb_plan_file *f = &p->files.items[index];
	json_t *o = json_object();
	wb_autofree char *path = wb_asprintf("/%s", f->path);

	if (wb_utf8_valid(path, strlen(path))) {
		wb_json_set_str(o, "path", path);
	} else {
		wb_autofree char *quoted = wb_text_quote(path, 4 * strlen(path));

		wb_json_set_str(o, "path", quoted);
	}
	wb_json_set_u64(o, "size", f->size);
	wb_json_set_str(o, "kind", wb_file_kind_word(wb_file_kind_of(f->path)));
	wb_json_set_str(o, "source", p->sources.items[f->source].label);
	wb_json_append(list, o);
}

static json_t *files_json(const struct wb_plan *p, bool all)
{
	json_t *out = json_array();
	size_t n;
	wb_autofree size_t *largest = wb_sizes_largest(&n, p, all ? 0 : WB_LARGEST_SHOWN);

	for (size_t i = 0; i < (all ? p->files.n : n); i++)
		append_file(out, p, all ? i : largest[i]);
	return out;
}

static json_t *layers_json(const struct wb_plan *p, const struct wb_layer_plan *layers)
{
	json_t *out = json_array();

	wb_vec_foreach (l, &layers->layers) {
		json_t *o = json_object();

		wb_json_set_str(o, "source", p->sources.items[l->group].label);
		wb_json_set_u64(o, "files", l->files);
		wb_json_set_u64(o, "bytes", l->bytes);
		wb_json_append(out, o);
	}
	return out;
}

json_t *wb_report_plan(const struct wb_plan *p, const struct wb_layer_plan *layers, bool all)
{
	json_t *out = json_object();

	wb_json_set_u64(out, "files", p->files.n);
	wb_json_set_u64(out, "bytes", p->bytes);
	wb_json_set(out, "sources", sources_json(p));
	wb_json_set(out, all ? "allFiles" : "largestFiles", files_json(p, all));
	if (layers)
		wb_json_set(out, "layers", layers_json(p, layers));
	return out;
}

static void source_line(FILE *out, const struct wb_plan_source *s)
{
	if (s->skipped) {
		fprintf(out, "  %10s  %7s  %s  (%s, fetched at start)\n", "-", "-", s->mount,
			s->label);
		return;
	}
	fprintf(out, "  %10s  %7zu  %s  (%s%s%s)\n", wb_size_text(s->bytes).s, s->files, s->mount,
		s->label, s->revision ? " at " : "", s->revision ? s->revision : "");
}

static void file_line(FILE *out, const struct wb_plan *p, size_t index)
{
	const struct wb_plan_file *f = &p->files.items[index];
	wb_autofree char *path = wb_text_quote(f->path, 4096);

	fprintf(out, "  %10s  /%s\n", wb_size_text(f->size).s, path);
}

void wb_report_plan_text(
	FILE *out, const struct wb_plan *p, const struct wb_layer_plan *layers, bool all)
{
	size_t n;
	wb_autofree size_t *largest = wb_sizes_largest(&n, p, all ? 0 : WB_LARGEST_SHOWN);

	fprintf(out, "Sources\n  %10s  %7s\n", "size", "files");
	wb_vec_foreach (s, &p->sources)
		source_line(out, s);
	fprintf(out, "  %10s  %7zu  in all\n", wb_size_text(p->bytes).s, p->files.n);
	fprintf(out, "\n%s\n", all ? "Files" : "Largest files");
	for (size_t i = 0; i < (all ? p->files.n : n); i++)
		file_line(out, p, all ? i : largest[i]);
	if (!layers)
		return;
	fprintf(out, "\nLayers\n  %10s  %7s\n", "size", "files");
	wb_vec_foreach (l, &layers->layers)
		fprintf(out, "  %10s  %7zu  %s\n", wb_size_text(l->bytes).s, l->files,
			p->sources.items[l->group].label);
}
