#include "builder/build/remote_shown.h"

#include <string.h>

static void say_files(struct wb_remote_source *s)
{
	wb_step_detail(s->shown.step, "%zu of %zu files", s->shown.done, s->shown.files);
}

static void end(struct wb_remote_source *s, int rc, const struct wb_err *err)
{
	wb_step_end(s->shown.step, rc, err);
	s->shown.step = NULL;
	s->shown.files = s->shown.done = 0;
}

void wb_remote_shown_begin(struct wb_remote_source *s, struct wb_progress *progress)
{
	uint64_t bytes = 0;
	bool known = true;

	if (s->shown.step || !progress)
		return;
	wb_vec_foreach (item, &s->items) {
		if (item->done)
			continue;
		s->shown.files++;
		known &= item->file->size != WB_SIZE_UNKNOWN;
		bytes += known ? item->file->size : 0;
	}
	s->shown.step = wb_step_begin(progress, "fetch %s", s->config->uri.text);
	wb_step_total(s->shown.step, known ? bytes : 0);
	say_files(s);
}

void wb_remote_shown_moved(void *arg, struct wb_fetch_item *item, uint64_t got, bool done)
{
	struct wb_remote_moving *m = item->owner;
	struct wb_remote_source *s = m->source;
	uint64_t size = item->file->size;

	(void)arg;
	if (!m->item)
		m->item = wb_item_begin(
			s->shown.step, size == WB_SIZE_UNKNOWN ? 0 : size, "%s", item->file->path);
	wb_item_set(m->item, got);
	if (!done)
		return;
	wb_item_end(m->item);
	m->item = NULL;
	s->shown.done++;
	say_files(s);
	if (s->shown.done == s->shown.files)
		end(s, 0, NULL);
}

/* The step of the source that is at fault tells the fault; the others were given up. */
static const struct wb_err *fault_of(const struct wb_remote_source *s, const struct wb_err *err)
{
	return strstr(err->text, s->config->uri.text) ? err : NULL;
}

void wb_remote_shown_end(struct wb_remote_source *s, int rc, const struct wb_err *err)
{
	size_t missing = 0, fetched = 0;

	if (!s->shown.step)
		return;
	wb_vec_foreach (item, &s->items) {
		missing += !item->done;
		fetched += item->done && !item->cached;
	}
	s->shown.done = s->shown.files - missing;
	say_files(s);
	if (!rc && missing)
		return;
	if (!rc && !fetched)
		wb_step_cached(s->shown.step);
	end(s, rc, rc ? fault_of(s, err) : NULL);
}

void wb_remotes_shown_enough(struct wb_remotes *r)
{
	wb_vec_foreach (it, &r->sources) {
		struct wb_remote_source *s = *it;

		if (!s->shown.step)
			continue;
		wb_step_total(s->shown.step, 0);
		wb_step_detail(
			s->shown.step, "%zu of %zu files needed", s->shown.done, s->shown.files);
		end(s, 0, NULL);
	}
}
