/* Numbered lines for logs, as buildx's plain progress writes them. */
#include <stdio.h>
#include <string.h>

#include "base/progress_internal.h"

#define EVERY 5.0              /* seconds between two lines of one step */
#define ITEM_WORTH (64u << 20) /* bytes from which the end of an item is a line */

static void say(struct wb_progress *p, const char *fmt, ...) WB_PRINTF(2, 3);
static void say(struct wb_progress *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	wb_autofree char *text = wb_vasprintf(fmt, ap);
	va_end(ap);
	wb_progress_write(p, text, strlen(text));
}

static void begin(struct wb_step *s)
{
	s->shown_at = s->began;
	say(s->progress, "#%zu %s\n", s->number, s->name);
}

static void end(struct wb_step *s)
{
	uint64_t done = wb_step_done(s);
	struct wb_size_text seconds = wb_duration_text(s->ended - s->began);

	switch (s->state) {
	case WB_STEP_CACHED:
		say(s->progress, "#%zu CACHED%s%s%s\n\n", s->number, s->detail ? " (" : "",
			s->detail ? s->detail : "", s->detail ? ")" : "");
		break;
	case WB_STEP_FAILED:
		say(s->progress, "#%zu ERROR: %s\n\n", s->number, s->error ? s->error : "given up");
		break;
	case WB_STEP_DONE:
	case WB_STEP_RUNNING:
		if (s->detail)
			say(s->progress, "#%zu %s\n", s->number, s->detail);
		if (done)
			say(s->progress, "#%zu %s in %s\n", s->number, wb_size_text(done).s,
				seconds.s);
		say(s->progress, "#%zu DONE %s\n\n", s->number, seconds.s);
		break;
	}
}

static void item_end(struct wb_item *i)
{
	uint64_t done = atomic_load(&i->done);

	if (done >= ITEM_WORTH)
		say(i->step->progress, "#%zu %s %s %s done\n", i->step->number, i->name,
			wb_size_text(done).s, wb_duration_text(wb_progress_now() - i->began).s);
}

static void progress_line(struct wb_step *s, double now)
{
	uint64_t done = wb_step_done(s), total = atomic_load(&s->total);
	wb_autofree char *amount = wb_progress_amount(done, total);
	double rate = wb_step_rate(s);
	wb_autofree char *eta =
		rate > 0 && total > done
			? wb_asprintf(", eta %s", wb_duration_text((double)(total - done) / rate).s)
			: wb_strdup("");

	say(s->progress, "#%zu %s%s%s%s%s%s %s\n", s->number, amount, *amount ? ", " : "",
		rate > 0 ? wb_size_text((uint64_t)rate).s : "working", rate > 0 ? "/s" : "", eta,
		s->detail ? "," : "", wb_duration_text(now - s->began).s);
	if (s->detail)
		say(s->progress, "#%zu %s\n", s->number, s->detail);
	s->shown = done;
	s->shown_at = now;
}

static void tick(struct wb_progress *p)
{
	double now = wb_progress_now();

	wb_vec_foreach (it, &p->steps)
		if ((*it)->state == WB_STEP_RUNNING && now - (*it)->shown_at >= EVERY)
			progress_line(*it, now);
}

static void close_nothing(struct wb_progress *p)
{
	(void)p;
}

const struct wb_display wb_display_plain = {
	.every = 0.5,
	.begin = begin,
	.end = end,
	.item_end = item_end,
	.tick = tick,
	.close = close_nothing,
};
