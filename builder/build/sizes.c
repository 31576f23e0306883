#include "builder/build/sizes.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "builder/build/filekind.h"

/* Worse than b: smaller, or later in path order. */
static bool ranks_below(const struct wb_plan *p, size_t a, size_t b)
{
	const struct wb_plan_file *x = &p->files.items[a], *y = &p->files.items[b];

	return x->size != y->size ? x->size < y->size : strcmp(x->path, y->path) > 0;
}

size_t *wb_sizes_largest(size_t *count, const struct wb_plan *p, size_t n)
{
	size_t *best = wb_calloc(n + 1, sizeof(*best)), have = 0;

	for (size_t i = 0; i < p->files.n; i++) {
		size_t at = have;

		while (at && ranks_below(p, best[at - 1], i))
			at--;
		if (at == n)
			continue;
		memmove(best + at + 1, best + at, (have - at) * sizeof(*best));
		best[at] = i;
		have += have < n;
	}
	*count = have;
	return best;
}

void wb_sizes_show_largest(const struct wb_plan *p)
{
	size_t n;
	wb_autofree size_t *largest = wb_sizes_largest(&n, p, WB_LARGEST_SHOWN);

	for (size_t i = 0; i < n; i++) {
		const struct wb_plan_file *f = &p->files.items[largest[i]];

		wb_note("  %10s  /%s  (%s, %s)", wb_size_text(f->size).s, f->path,
			wb_file_kind_word(wb_file_kind_of(f->path)),
			p->sources.items[f->source].label);
	}
	if (p->files.n > n)
		wb_note("  ... and %zu more", p->files.n - n);
}

int wb_sizes_limit(const struct wb_plan *p, const struct wb_size_limits *limits, struct wb_err *err)
{
	uint64_t max = limits->max ? limits->max : WB_MAX_SIZE;

	if (p->bytes <= max)
		return 0;
	wb_err_set(err, WB_ERR_CONFIG, "the bundle is %s, more than the limit of %s",
		wb_size_text(p->bytes).s, wb_size_text(max).s);
	return wb_err_hint(err, "filter files with allow_patterns or ignore_patterns, use "
				"use_volume: true, or raise --max-size");
}

int wb_sizes_check(const struct wb_plan *p, const struct wb_size_limits *limits, struct wb_err *err)
{
	uint64_t warn = limits->warn ? limits->warn : WB_WARN_SIZE;
	int rc = wb_sizes_limit(p, limits, err);

	if (!rc && p->bytes > warn)
		wb_warn("the bundle is %s, more than %s; largest files first:",
			wb_size_text(p->bytes).s, wb_size_text(warn).s);
	if (rc || p->bytes > warn)
		wb_sizes_show_largest(p);
	return rc;
}
