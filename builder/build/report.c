#include "builder/build/report.h"

#include <string.h>

#include "base/text.h"
#include "builder/build/filekind.h"

#define BANDWIDTH UINT64_C(125000000) /* bytes a second: 1 Gbit/s */

/* Of a source, what a build would still have to fetch. Equal files of two sources count twice. */
static uint64_t to_fetch(const struct wb_plan *p, unsigned group)
{
	uint64_t bytes = 0;

	wb_vec_foreach (it, &p->remotes.sources) {
		const struct wb_remote_source *s = *it;

		for (size_t i = 0; s->group == group && i < s->items.n; i++) {
			const struct wb_fetch_item *item = &s->items.items[i];

			if (!item->done && item->file->size != WB_SIZE_UNKNOWN)
				bytes += item->file->size;
		}
	}
	return bytes;
}

static uint64_t all_to_fetch(const struct wb_plan *p)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < p->sources.n; i++)
		bytes += to_fetch(p, i);
	return bytes;
}

/* Before compression: what a registry that has none of it takes at most. */
static uint64_t to_push(const struct wb_layer_plan *layers)
{
	uint64_t bytes = 0;

	wb_vec_foreach (l, &layers->layers)
		bytes += l->bytes;
	return bytes;
}

static const struct wb_pattern *pattern_at(const struct wb_source *s, size_t i, const char **key)
{
	bool allow = i < s->allow.list.n;

	*key = allow ? "allow" : "ignore";
	return allow ? &s->allow.list.items[i] : &s->ignore.list.items[i - s->allow.list.n];
}

static size_t n_patterns(const struct wb_plan_source *s)
{
	return s->hits ? s->config->allow.list.n + s->config->ignore.list.n : 0;
}

static json_t *patterns_json(const struct wb_plan_source *s)
{
	json_t *out = json_array();
	const char *key;

	for (size_t i = 0; i < n_patterns(s); i++) {
		const struct wb_pattern *pattern = pattern_at(s->config, i, &key);
		json_t *o = json_object();

		wb_json_set_str(o, "kind", key);
		wb_json_set_text(o, "pattern", pattern->text);
		wb_json_set_u64(o, "files", s->hits[i]);
		wb_json_append(out, o);
	}
	return out;
}

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
		wb_json_set_u64(o, "fetchBytes", to_fetch(p, (unsigned)(s - p->sources.items)));
		wb_json_set(o, "patterns", patterns_json(s));
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

json_t *wb_report_plan(const struct wb_plan *p, const struct wb_report_opts *opts)
{
	json_t *out = json_object();
	uint64_t bandwidth = opts->bandwidth ? opts->bandwidth : BANDWIDTH;
	uint64_t fetch = all_to_fetch(p);

	wb_json_set_u64(out, "files", p->files.n);
	wb_json_set_u64(out, "bytes", p->bytes);
	wb_json_set_u64(out, "bandwidth", bandwidth);
	wb_json_set_u64(out, "fetchBytes", fetch);
	wb_json_set_u64(out, "fetchSeconds", fetch / bandwidth);
	if (opts->layers) {
		wb_json_set_u64(out, "pushBytes", to_push(opts->layers));
		wb_json_set_u64(out, "pushSeconds", to_push(opts->layers) / bandwidth);
	}
	wb_json_set(out, "sources", sources_json(p));
	wb_json_set(out, opts->all ? "allFiles" : "largestFiles", files_json(p, opts->all));
	if (opts->layers)
		wb_json_set(out, "layers", layers_json(p, opts->layers));
	return out;
}

static void pattern_lines(FILE *out, const struct wb_plan_source *s)
{
	const char *key;

	for (size_t i = 0; i < n_patterns(s); i++) {
		const struct wb_pattern *pattern = pattern_at(s->config, i, &key);
		wb_autofree char *text = wb_text_quote(pattern->text, 200);

		fprintf(out, "  %10s  %7zu  %10s  %s \"%s\"\n", "", s->hits[i], "", key, text);
	}
}

static void source_line(FILE *out, const struct wb_plan_source *s, uint64_t fetch)
{
	if (s->skipped) {
		fprintf(out, "  %10s  %7s  %10s  %s  (%s, fetched at start)\n", "-", "-", "-",
			s->mount, s->label);
		return;
	}
	fprintf(out, "  %10s  %7zu  %10s  %s  (%s%s%s)\n", wb_size_text(s->bytes).s, s->files,
		fetch ? wb_size_text(fetch).s : "-", s->mount, s->label, s->revision ? " at " : "",
		s->revision ? s->revision : "");
	pattern_lines(out, s);
}

static void file_line(FILE *out, const struct wb_plan *p, size_t index)
{
	const struct wb_plan_file *f = &p->files.items[index];
	wb_autofree char *path = wb_text_quote(f->path, 4096);

	fprintf(out, "  %10s  /%s\n", wb_size_text(f->size).s, path);
}

static void cost_line(FILE *out, const struct wb_plan *p, const struct wb_report_opts *opts)
{
	uint64_t bandwidth = opts->bandwidth ? opts->bandwidth : BANDWIDTH;
	uint64_t fetch = all_to_fetch(p), push = to_push(opts->layers);

	fprintf(out, "\nAt %s/s: ", wb_size_text(bandwidth).s);
	if (fetch)
		fprintf(out, "%s to fetch %s, ",
			wb_duration_text((double)fetch / (double)bandwidth).s,
			wb_size_text(fetch).s);
	fprintf(out, "%s to push %s to a registry that has none of it\n",
		wb_duration_text((double)push / (double)bandwidth).s, wb_size_text(push).s);
}

void wb_report_plan_text(FILE *out, const struct wb_plan *p, const struct wb_report_opts *opts)
{
	const struct wb_layer_plan *layers = opts->layers;
	uint64_t fetch = all_to_fetch(p);
	size_t n;
	wb_autofree size_t *largest = wb_sizes_largest(&n, p, opts->all ? 0 : WB_LARGEST_SHOWN);

	fprintf(out, "Sources\n  %10s  %7s  %10s\n", "size", "files", "to fetch");
	for (unsigned i = 0; i < p->sources.n; i++)
		source_line(out, &p->sources.items[i], to_fetch(p, i));
	fprintf(out, "  %10s  %7zu  %10s  in all\n", wb_size_text(p->bytes).s, p->files.n,
		fetch ? wb_size_text(fetch).s : "-");
	fprintf(out, "\n%s\n", opts->all ? "Files" : "Largest files");
	for (size_t i = 0; i < (opts->all ? p->files.n : n); i++)
		file_line(out, p, opts->all ? i : largest[i]);
	if (!layers)
		return;
	fprintf(out, "\nLayers\n  %10s  %7s\n", "size", "files");
	wb_vec_foreach (l, &layers->layers)
		fprintf(out, "  %10s  %7zu  %s\n", wb_size_text(l->bytes).s, l->files,
			p->sources.items[l->group].label);
	cost_line(out, p, opts);
}
