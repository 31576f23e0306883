/* The live view. A frame is put together in memory and written at once: up to the first line of
 * the last frame, each line with the rest of its row cleared, then everything below cleared.
 *
 * Windows change size under it, and most terminals then wrap anew what is on the screen, and push
 * out at the top what has no room, out of reach. Four habits keep the view whole: no line is wider
 * than COLUMNS_MAX, however wide the window, so that one that shrinks seldom wraps any; lines are
 * written with wrapping off, for a multiplexer has a new size some time before it tells; a frame in
 * a new size clears the old rows first, because terminals remember which row continues which and
 * would join them again; and rows that a lower window pushed out are counted, for a higher one
 * shows them again. */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cancel.h"
#include "base/progress_internal.h"

#define FRAME_MAX (1u << 20)
#define COLUMNS_MIN 20
#define COLUMNS_MAX 80 /* wider lines are hard to follow from name to time, too */
#define NAME_BESIDE 24 /* columns that a name and its detail have beside the counters */
#define DETAIL_WIDE 16 /* columns that a detail is taken to need, so that nothing jumps */
#define ITEMS_SHOWN 4  /* of one step */

/* Mode 2026: show nothing until the end. Terminals that do not know it pass over it. */
#define FRAME_BEGIN "\x1b[?2026h\x1b[?7l"
#define FRAME_END "\x1b[?7h\x1b[?2026l"

enum { BLUE = 34, RED = 31, FAINT = 2 };

struct frame {
	struct wb_progress *p;
	struct wb_buf text;
	unsigned rows, columns; /* of the window, but columns within the limits above */
	size_t lines;
};

/* --- widths ------------------------------------------------------------------------------- */

/* Columns that a character takes: East Asian wide ones and emoji take two, combining ones none
 * (Unicode TR 11, in the large). wcwidth() would need the user's locale. */
static unsigned char_columns(uint32_t c)
{
	static const struct {
		uint32_t first, last;
		unsigned columns;
	} ranges[] = {
		{0x0300, 0x036f, 0},
		{0x200b, 0x200f, 0},
		{0xfe00, 0xfe0f, 0},
		{0x1100, 0x115f, 2},
		{0x2e80, 0xa4cf, 2},
		{0xac00, 0xd7a3, 2},
		{0xf900, 0xfaff, 2},
		{0xfe30, 0xfe6f, 2},
		{0xff00, 0xff60, 2},
		{0xffe0, 0xffe6, 2},
		{0x1f300, 0x1faff, 2},
		{0x20000, 0x3fffd, 2},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(ranges); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return ranges[i].columns;
	return 1;
}

/* The next character of valid UTF-8; moves *s on. */
static uint32_t next_char(const char **s)
{
	const unsigned char *p = (const unsigned char *)*s;
	unsigned n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));

	for (unsigned i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3f);
	*s += n;
	return c;
}

static unsigned text_columns(const char *s)
{
	unsigned n = 0;

	while (*s)
		n += char_columns(next_char(&s));
	return n;
}

/* A name in so many columns: its middle gives way to "..", for both ends tell names apart. */
static char *fit(const char *name, unsigned columns)
{
	unsigned all = text_columns(name);

	if (all <= columns)
		return wb_strdup(name);
	if (columns < 8)
		columns = 8;
	unsigned head = (columns - 2) / 2, tail = columns - 2 - head, at = 0;
	const char *p = name, *cut = name, *rest;

	while (at < head) {
		cut = p;
		at += char_columns(next_char(&p));
		cut = at <= head ? p : cut;
	}
	for (rest = cut, at = text_columns(cut); at > tail;)
		at -= char_columns(next_char(&rest));
	return wb_asprintf("%.*s..%s", (int)(cut - name), name, rest);
}

/* --- lines -------------------------------------------------------------------------------- */

static void end_line(struct frame *f, unsigned width)
{
	struct wb_screen *screen = &f->p->screen;

	if (width > screen->columns)
		width = screen->columns; /* it was cut, not wrapped */

	wb_buf_must(&f->text, "\x1b[K\n");
	if (f->lines == screen->cap)
		screen->widths = wb_vec_grow_(
			screen->widths, &screen->cap, f->lines, sizeof(*screen->widths));
	screen->widths[f->lines++] = width;
}

/* "PREFIX NAME ........ RIGHT", cut to the window. colour 0: the terminal's own. */
static void line(
	struct frame *f, const char *prefix, const char *name, const char *right, int colour)
{
	unsigned used = text_columns(prefix) + text_columns(right) + 1;
	unsigned room = f->columns > used + 1 ? f->columns - used - 1 : 0;
	wb_autofree char *shown = fit(name, room);
	unsigned name_columns = text_columns(shown);
	unsigned gap = room > name_columns ? room - name_columns : 0;
	bool coloured = colour && f->p->screen.colour;

	if (!*right)
		gap = 0;
	if (coloured)
		wb_buf_must(&f->text, "\x1b[%dm", colour);
	wb_buf_must(&f->text, "%s%s%*s %s", prefix, shown, (int)gap, "", right);
	if (coloured)
		wb_buf_must(&f->text, "\x1b[0m");
	end_line(f, used + name_columns + gap);
}

static char *amount_text(uint64_t done, uint64_t total, unsigned columns)
{
	if (columns < 60 && total)
		return wb_asprintf("%u%%", (unsigned)((double)done * 100 / (double)total));
	return wb_progress_amount(done, total);
}

static char *counters(const struct wb_step *s, unsigned columns)
{
	uint64_t done = wb_step_done(s), total = atomic_load(&s->total);
	wb_autofree char *amount = amount_text(done, total, columns);
	double rate = s->state == WB_STEP_RUNNING ? wb_step_rate(s) : 0;

	if (!*amount || (total && s->state == WB_STEP_CACHED))
		return wb_strdup(total ? wb_size_text(total).s : "");
	if (total && s->state == WB_STEP_DONE)
		return wb_strdup(wb_size_text(total).s);
	if (rate <= 0 || columns < 72)
		return wb_steal(amount);
	if (!total || done >= total)
		return wb_asprintf("%s  %s/s", amount, wb_size_text((uint64_t)rate).s);
	return wb_asprintf("%s  %s/s  eta %s", amount, wb_size_text((uint64_t)rate).s,
		wb_duration_text((double)(total - done) / rate).s);
}

static void item_line(struct frame *f, const struct wb_item *i, double now)
{
	uint64_t done = atomic_load(&i->done);
	wb_autofree char *amount = amount_text(done, i->total, f->columns);
	wb_autofree char *right =
		wb_asprintf("%s  %7s", amount, wb_duration_text(now - i->began).s);

	line(f, " => => ", i->name, right, 0);
}

/* A name that leaves little room gets a second line for what is counted. */
static bool has_counter_line(const struct wb_step *s)
{
	unsigned wide = text_columns(s->name) + (s->detail ? DETAIL_WIDE : 0);

	return s->state == WB_STEP_RUNNING && atomic_load(&s->total) && wide > NAME_BESIDE;
}

static void counter_line(struct frame *f, const struct wb_step *s)
{
	wb_autofree char *count = counters(s, f->columns);
	wb_autofree char *text = wb_asprintf(
		"%s%s%s", s->detail ? s->detail : "", s->detail && *count ? "  " : "", count);

	line(f, " => => ", text, "", 0);
}

static void step_line(struct frame *f, const struct wb_step *s, double now)
{
	static const char *const prefixes[] = {
		[WB_STEP_RUNNING] = " => ",
		[WB_STEP_DONE] = " => ",
		[WB_STEP_CACHED] = " => CACHED ",
		[WB_STEP_FAILED] = " => ERROR ",
	};
	static const int colours[] = {
		[WB_STEP_DONE] = BLUE,
		[WB_STEP_CACHED] = BLUE,
		[WB_STEP_FAILED] = RED,
	};
	bool below = has_counter_line(s);
	wb_autofree char *name = s->detail && !below ? wb_asprintf("%s  %s", s->name, s->detail)
	                                             : wb_strdup(s->name);
	wb_autofree char *count = below ? wb_strdup("") : counters(s, f->columns);
	wb_autofree char *right = wb_asprintf(
		"%s  %7s", count, wb_duration_text((s->ended > 0 ? s->ended : now) - s->began).s);

	line(f, prefixes[s->state], name, right, colours[s->state]);
	if (below)
		counter_line(f, s);
}

static void step_items(struct frame *f, const struct wb_step *s, double now)
{
	size_t shown = 0;

	if (s->state != WB_STEP_RUNNING)
		return;
	for (const struct wb_item *i = s->items; i && shown < ITEMS_SHOWN; i = i->next, shown++)
		item_line(f, i, now);
	if (s->n_items > shown) {
		wb_autofree char *more = wb_asprintf("and %zu more", s->n_items - shown);

		line(f, " => => ", more, "", FAINT);
	}
}

static size_t step_rows(const struct wb_step *s)
{
	if (s->state != WB_STEP_RUNNING)
		return 1;
	return 1 + has_counter_line(s) + (s->n_items > ITEMS_SHOWN ? ITEMS_SHOWN + 1 : s->n_items);
}

/* --- frames ------------------------------------------------------------------------------- */

static void window(struct frame *f)
{
	struct winsize w = {0};

	if (ioctl(f->p->fd, TIOCGWINSZ, &w) || !w.ws_col || !w.ws_row)
		w = (struct winsize){.ws_row = 24, .ws_col = 80};
	f->rows = w.ws_row;
	f->columns = w.ws_col;
}

/* Rows that the last frame takes in a window of so many columns: a narrower one wraps its lines. */
static size_t rows_drawn(const struct wb_screen *screen, unsigned columns)
{
	size_t rows = 0;

	for (size_t i = 0; screen->drawn && i < screen->n; i++)
		rows += screen->widths[i] > columns ? (screen->widths[i] + columns - 1) / columns
		                                    : 1;
	return rows;
}

/* Rows up to the first line of the last frame, as far as it is on the screen. */
static size_t rows_up(struct wb_screen *screen, const struct frame *f)
{
	size_t rows = rows_drawn(screen, f->columns), most = f->rows > 1 ? f->rows - 1 : 1;
	size_t grown = f->rows > screen->rows ? f->rows - screen->rows : 0;
	size_t back = grown < screen->lost ? grown : screen->lost;

	if (rows > most) {
		screen->lost += rows - most;
		return most;
	}
	screen->lost -= back;
	return rows + back < most ? rows + back : most;
}

static void to_first_line(struct frame *f)
{
	struct wb_screen *screen = &f->p->screen;

	size_t rows = rows_up(screen, f);

	wb_buf_must(&f->text, FRAME_BEGIN "\r");
	if (rows)
		wb_buf_must(&f->text, "\x1b[%zuA", rows);
	if (screen->drawn && (f->columns != screen->columns || f->rows != screen->rows))
		wb_buf_must(&f->text, "\x1b[J");
	if (wb_cancelled() && !screen->stop_said) {
		screen->stop_said = true;
		screen->lost = 0;
		wb_buf_must(&f->text, WB_CANCEL_LINE "\x1b[K\n");
	}
	screen->columns = f->columns;
	screen->rows = f->rows;
}

static void frame_init(struct frame *f, struct wb_progress *p)
{
	*f = (struct frame){.p = p};
	wb_buf_init(&f->text, FRAME_MAX, "frame");
	window(f);
	to_first_line(f);
	if (f->columns < COLUMNS_MIN)
		f->columns = COLUMNS_MIN;
	if (f->columns > COLUMNS_MAX)
		f->columns = COLUMNS_MAX;
}

static void frame_show(struct frame *f)
{
	wb_buf_must(&f->text, "\x1b[J" FRAME_END);
	wb_progress_write(f->p, f->text.data, f->text.len);
	wb_buf_release(&f->text);
	f->p->screen.n = f->lines;
	f->p->screen.drawn = f->lines != 0;
}

static void headline(struct frame *f, double now, bool last)
{
	const struct wb_progress *p = f->p;
	size_t done = 0;

	wb_vec_foreach (s, &p->steps)
		done += (*s)->state != WB_STEP_RUNNING && (*s)->state != WB_STEP_FAILED;
	wb_autofree char *text =
		wb_asprintf("[+] %s %s (%zu/%zu)%s", p->title, wb_duration_text(now - p->began).s,
			done, p->steps.n, last && done == p->steps.n ? " FINISHED" : "");
	unsigned width = text_columns(text);

	wb_buf_must(&f->text, "%.*s", (int)f->columns - 1, text);
	end_line(f, width < f->columns ? width : f->columns - 1);
}

static void draw(struct wb_progress *p, bool last)
{
	struct frame f;
	double now = wb_progress_now();
	size_t wanted = 1;

	frame_init(&f, p);
	headline(&f, now, last);
	wb_vec_foreach (s, &p->steps)
		wanted += step_rows(*s);
	wb_vec_foreach (s, &p->steps) {
		/* too long for the window: what ended first goes, then what does not fit */
		if (wanted >= f.rows && (*s)->state != WB_STEP_RUNNING && !last) {
			wanted--;
			continue;
		}
		if (f.lines + step_rows(*s) >= f.rows && !last)
			break;
		step_line(&f, *s, now);
		if (!last)
			step_items(&f, *s, now);
	}
	frame_show(&f);
}

static void tick(struct wb_progress *p)
{
	if (wb_progress_now() - p->began >= WB_PROGRESS_DELAY || wb_cancelled())
		draw(p, false);
}

static void close_view(struct wb_progress *p)
{
	if (p->screen.drawn)
		draw(p, true);
}

void wb_screen_before_log(void *progress)
{
	struct wb_progress *p = progress;
	struct frame f;

	pthread_mutex_lock(&p->lock);
	if (!p->screen.drawn)
		return;
	frame_init(&f, p);
	frame_show(&f);
	p->screen.drawn = true; /* to be drawn again below the line */
	p->screen.n = 0;
	p->screen.lost = 0; /* the line comes between */
}

void wb_screen_after_log(void *progress)
{
	struct wb_progress *p = progress;

	if (p->screen.drawn)
		draw(p, false);
	pthread_mutex_unlock(&p->lock);
}

static void step_nothing(struct wb_step *s)
{
	(void)s;
}

static void item_nothing(struct wb_item *i)
{
	(void)i;
}

const struct wb_display wb_display_tty = {
	.every = 0.1,
	.begin = step_nothing,
	.end = step_nothing,
	.item_end = item_nothing,
	.tick = tick,
	.close = close_view,
};
