/* What the entries of the config will do, seen with the files they choose. */
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "base/text.h"
#include "builder/build/lint_internal.h"
#include "builder/config/glob.h"

/* --- revisions ---------------------------------------------------------------------------- */

static bool is_commit(const char *revision)
{
	return strlen(revision) == 40 && strspn(revision, "0123456789abcdef") == 40;
}

static void check_revision(struct wb_lint *l, const struct wb_source *s)
{
	if (s->uri.scheme != WB_SCHEME_HF || is_commit(s->uri.revision))
		return;
	const char *revision = *s->uri.revision ? s->uri.revision : "main";

	wb_findings_add(l->out, WB_SEV_WARNING, "unpinned-revision", s->pos,
		"name a commit (40 digits), or keep wbuild.lock beside the config",
		"%s: \"%s\" can change: a later build may hold other weights", s->uri.text,
		revision);
}

/* --- patterns ----------------------------------------------------------------------------- */

/* Does the dialect alone decide about this path? */
static bool by_dialect(const char *pattern, const char *path)
{
	return strchr(path, '/') && wb_glob_match(WB_GLOB_FNMATCH, pattern, path) &&
	       !wb_glob_match(WB_GLOB_WEIGHTS, pattern, path);
}

static void check_crossing(struct wb_lint *l, unsigned source, const struct wb_source *s)
{
	wb_vec_foreach (p, &s->allow.list) {
		size_t n = 0;
		const char *example = NULL;

		for (size_t i = 0; i < l->plan->files.n; i++) {
			const struct wb_plan_file *f = l->by_path[i];
			const char *path = wb_lint_source_path(l, f);

			if (f->source != source || !by_dialect(p->text, path))
				continue;
			n++;
			example = path;
		}
		if (n)
			wb_findings_add(l->out, WB_SEV_NOTE, "pattern-crosses-directories", p->pos,
				"that is how model_cache reads patterns; in weights it would take "
				"the top level only",
				"\"%s\" takes %zu %s in folders too, as \"%s\"", p->text, n,
				n == 1 ? "file" : "files", example);
	}
}

static void check_top_level(
	struct wb_lint *l, const struct wb_plan_source *source, const struct wb_source *s)
{
	wb_vec_foreach (p, &s->allow.list) {
		size_t n = 0;
		const char *example = NULL;

		wb_vec_foreach (path, &source->filtered) {
			if (!by_dialect(p->text, *path))
				continue;
			n++;
			example = *path;
		}
		wb_autofree char *hint = wb_asprintf("\"**/%s\" takes those too", p->text);

		if (n)
			wb_findings_add(l->out, WB_SEV_WARNING, "pattern-top-level", p->pos, hint,
				"\"%s\" takes the top level only: %zu %s in folders stay out, as "
				"\"%s\"",
				p->text, n, n == 1 ? "file" : "files", example);
	}
}

static void check_unmatched(
	struct wb_lint *l, const struct wb_plan_source *source, const struct wb_source *s)
{
	for (size_t i = 0; source->hits && i < s->allow.list.n + s->ignore.list.n; i++) {
		bool allow = i < s->allow.list.n;
		const struct wb_pattern *p = allow ? &s->allow.list.items[i]
		                                   : &s->ignore.list.items[i - s->allow.list.n];

		const char *better = source->listing ? source->listing->better[i] : NULL;
		wb_autofree char *hint = better ? wb_asprintf("\"%s\" would match", better) : NULL;

		if (!source->hits[i])
			wb_findings_add(l->out, WB_SEV_WARNING, "pattern-unmatched", p->pos, hint,
				"%s \"%s\" matches nothing in %s",
				allow ? "allow_patterns" : "ignore_patterns", p->text, s->uri.text);
	}
}

/* Weights without the small files that say what they are. */
static void check_filtered(struct wb_lint *l, unsigned index, const struct wb_plan_source *source)
{
	struct wb_buf names;
	bool weights = false;
	size_t n = 0;

	for (size_t i = 0; i < l->plan->files.n; i++)
		weights |= l->by_path[i]->source == index &&
		           wb_file_kind_of(l->by_path[i]->path) == WB_FILE_WEIGHTS;
	wb_buf_init(&names, 4096, "names");
	wb_vec_foreach (path, &source->filtered)
		if (wb_file_kind_needed(*path) && n++ < 5)
			wb_buf_must(&names, "%s%.100s", names.len ? ", " : "", *path);
	if (n && weights)
		wb_findings_add(l->out, WB_SEV_WARNING, "filtered-config", source->config->pos,
			"most loaders need them: add them to allow_patterns",
			"%s: the patterns leave out %s%s", source->label, names.data,
			n > 5 ? " and others" : "");
	wb_buf_release(&names);
}

/* --- the image ---------------------------------------------------------------------------- */

static const char *variable(const struct wb_config *c, const char *name)
{
	const char *value = NULL;

	wb_vec_foreach (v, &c->environment)
		if (!strcmp(v->name, name))
			value = v->value ? v->value : "";
	return value;
}

static void check_cache(struct wb_lint *l, const struct wb_source *s)
{
	const struct wb_config *c = l->plan->config;

	if (c->run_as_user > 0 && wb_path_within(c->hf_cache_dir, "/root"))
		wb_findings_add(l->out, WB_SEV_WARNING, "other-user", s->pos,
			"set HF_HUB_CACHE in environment_variables to a folder outside /root",
			"the hub cache lies below /root, and user %lld cannot look there",
			(long long)c->run_as_user);
	if (!variable(c, "HF_HUB_OFFLINE"))
		wb_findings_add(l->out, WB_SEV_WARNING, "hub-offline", s->pos,
			"set HF_HUB_OFFLINE: \"1\" in environment_variables",
			"the hub cache is in the image, but the library still asks the hub at "
			"each start");
}

int wb_lint_sources(struct wb_lint *l, struct wb_err *err)
{
	wb_autofree char *lock = wb_path_join(l->plan->dir, "wbuild.lock");
	bool locked = !access(lock, F_OK), cache_seen = false;

	for (size_t i = 0; i < l->plan->sources.n; i++) {
		const struct wb_plan_source *source = &l->plan->sources.items[i];
		const struct wb_source *s = source->config;

		if (!s)
			continue;
		if (!locked)
			check_revision(l, s);
		if (source->unlisted)
			wb_findings_add(l->out, WB_SEV_WARNING, "unlisted-source", s->pos,
				"sizes and files are without it", "%s", source->unlisted);
		if (source->skipped)
			continue;
		if (s->layout == WB_LAYOUT_HF_CACHE && !cache_seen)
			check_cache(l, s);
		cache_seen |= s->layout == WB_LAYOUT_HF_CACHE;
		if (source->unlisted)
			continue;
		if (s->dialect == WB_GLOB_FNMATCH)
			check_crossing(l, (unsigned)i, s);
		else
			check_top_level(l, source, s);
		check_unmatched(l, source, s);
		check_filtered(l, (unsigned)i, source);
	}
	(void)err;
	return 0;
}
