#include "base/progress.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/progress_internal.h"
#include "base/secret.h"

#define NAME_MAX_BYTES 400

int wb_progress_mode_parse(enum wb_progress_mode *out, const char *text, struct wb_err *err)
{
	static const struct {
		const char *word;
		enum wb_progress_mode mode;
	} modes[] = {
		{"auto", WB_PROGRESS_AUTO},
		{"tty", WB_PROGRESS_TTY},
		{"plain", WB_PROGRESS_PLAIN},
		{"rawjson", WB_PROGRESS_RAWJSON},
		{"quiet", WB_PROGRESS_QUIET},
		{"none", WB_PROGRESS_QUIET},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(modes); i++) {
		if (strcmp(text, modes[i].word))
			continue;
		*out = modes[i].mode;
		return 0;
	}
	return wb_err_set(err, WB_ERR_USAGE,
		"--progress: \"%.40s\" is not auto, tty, plain, rawjson or quiet", text);
}

double wb_progress_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

uint64_t wb_step_done(const struct wb_step *s)
{
	uint64_t done = atomic_load(&s->done), total = atomic_load(&s->total);

	return total && done > total ? total : done;
}

char *wb_progress_amount(uint64_t done, uint64_t total)
{
	if (total)
		return wb_asprintf("%s / %s", wb_size_text(done).s, wb_size_text(total).s);
	return done ? wb_strdup(wb_size_text(done).s) : wb_strdup("");
}

void wb_progress_write(struct wb_progress *p, const char *text, size_t n)
{
	while (n) {
		ssize_t k = write(p->fd, text, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return;
		text += k;
		n -= (size_t)k;
	}
}

/* --- rates -------------------------------------------------------------------------------- */

static void sample(struct wb_step *s, double now)
{
	size_t last = (s->n_samples + WB_RATE_SAMPLES - 1) % WB_RATE_SAMPLES;

	/* the wait for the first byte is no part of the rate */
	if (s->state != WB_STEP_RUNNING || !wb_step_done(s) ||
		(s->n_samples && now - s->samples[last].at < WB_RATE_EVERY))
		return;
	s->samples[s->n_samples % WB_RATE_SAMPLES].at = now;
	s->samples[s->n_samples % WB_RATE_SAMPLES].done = wb_step_done(s);
	s->n_samples++;
}

double wb_step_rate(const struct wb_step *s)
{
	size_t oldest = s->n_samples > WB_RATE_SAMPLES ? s->n_samples % WB_RATE_SAMPLES : 0;
	uint64_t done = wb_step_done(s);

	if (!s->n_samples || done <= s->samples[oldest].done)
		return 0;
	double seconds = wb_progress_now() - s->samples[oldest].at;

	return seconds > 0.2 ? (double)(done - s->samples[oldest].done) / seconds : 0;
}

/* --- the display's thread ----------------------------------------------------------------- */

static void *run(void *arg)
{
	struct wb_progress *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->closing) {
		struct timespec t;

		clock_gettime(CLOCK_MONOTONIC, &t);
		long ns = t.tv_nsec + (long)(p->display->every * 1e9);

		t.tv_sec += ns / 1000000000;
		t.tv_nsec = ns % 1000000000;
		pthread_cond_timedwait(&p->wake, &p->lock, &t);
		if (p->closing)
			break;
		double now = wb_progress_now();

		wb_vec_foreach (s, &p->steps)
			sample(*s, now);
		p->display->tick(p);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Signals are for the threads that work. */
static int start_thread(struct wb_progress *p)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&p->thread, NULL, run, p);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static void init_sync(struct wb_progress *p)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->wake, &attr);
	pthread_condattr_destroy(&attr);
}

static const struct wb_display *choose(enum wb_progress_mode mode, int fd)
{
	const char *term = wb_env("TERM");
	bool drawable = isatty(fd) && term && strcmp(term, "dumb") != 0 && !wb_env("CI");

	switch (mode) {
	case WB_PROGRESS_AUTO: return drawable ? &wb_display_tty : &wb_display_plain;
	case WB_PROGRESS_TTY: return &wb_display_tty;
	case WB_PROGRESS_PLAIN: return &wb_display_plain;
	case WB_PROGRESS_RAWJSON: return &wb_display_rawjson;
	case WB_PROGRESS_QUIET: return NULL;
	}
	return NULL;
}

static void free_items(struct wb_step *s)
{
	while (s->items) {
		struct wb_item *i = s->items;

		s->items = i->next;
		free(i->name);
		free(i);
	}
}

static void release(struct wb_progress *p)
{
	wb_vec_foreach (it, &p->steps) {
		struct wb_step *s = *it;

		free_items(s);
		free(s->name);
		free(s->detail);
		free(s->error);
		free(s);
	}
	wb_vec_free(&p->steps);
	free(p->screen.widths);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p->title);
	free(p);
}

struct wb_progress *wb_progress_new(enum wb_progress_mode mode, int fd, const char *title)
{
	const struct wb_display *display = choose(mode, fd);

	if (!display)
		return NULL;
	struct wb_progress *p = wb_zalloc(sizeof(*p));

	p->display = display;
	p->fd = fd;
	p->title = wb_strdup(title);
	p->began = wb_progress_now();
	p->screen.colour = !wb_env("NO_COLOR");
	init_sync(p);
	if (start_thread(p)) {
		release(p); /* no thread to spare: work without a display */
		return NULL;
	}
	if (display == &wb_display_tty) {
		wb_log_set_hooks(wb_screen_before_log, wb_screen_after_log, p);
		wb_cancel_set_silent(true);
	}
	if (display == &wb_display_rawjson)
		wb_log_set_sink(wb_rawjson_log, p);
	return p;
}

void wb_progress_free(struct wb_progress *p)
{
	if (!p)
		return;
	wb_log_set_hooks(NULL, NULL, NULL);
	wb_log_set_sink(NULL, NULL);
	wb_cancel_set_silent(false);
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	wb_vec_foreach (s, &p->steps)
		wb_step_end(*s, -1, NULL);
	pthread_mutex_lock(&p->lock);
	p->display->close(p);
	pthread_mutex_unlock(&p->lock);
	release(p);
}

/* --- steps -------------------------------------------------------------------------------- */

/* Free of secrets and of control characters, which a terminal would obey. */
static char *printable(const char *fmt, va_list ap)
{
	wb_autofree char *text = wb_vasprintf(fmt, ap);
	wb_autofree char *clean = wb_redact(text);

	return wb_text_quote(clean, NAME_MAX_BYTES);
}

struct wb_step *wb_step_begin(struct wb_progress *p, const char *fmt, ...)
{
	va_list ap;

	if (!p)
		return NULL;
	struct wb_step *s = wb_zalloc(sizeof(*s));

	va_start(ap, fmt);
	s->name = printable(fmt, ap);
	va_end(ap);
	s->progress = p;
	s->began = wb_progress_now();
	pthread_mutex_lock(&p->lock);
	*wb_vec_push(&p->steps) = s;
	s->number = p->steps.n;
	p->display->begin(s);
	pthread_mutex_unlock(&p->lock);
	return s;
}

void wb_step_total(struct wb_step *s, uint64_t bytes)
{
	if (s)
		atomic_store(&s->total, bytes);
}

void wb_step_add(struct wb_step *s, uint64_t bytes)
{
	if (s)
		atomic_fetch_add(&s->done, bytes);
}

void wb_step_add_to(void *step, uint64_t bytes)
{
	wb_step_add(step, bytes);
}

void wb_step_detail(struct wb_step *s, const char *fmt, ...)
{
	va_list ap;

	if (!s)
		return;
	va_start(ap, fmt);
	char *text = printable(fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&s->progress->lock);
	free(s->detail);
	s->detail = text;
	pthread_mutex_unlock(&s->progress->lock);
}

void wb_step_cached(struct wb_step *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->progress->lock);
	if (s->state == WB_STEP_RUNNING)
		s->state = WB_STEP_CACHED;
	pthread_mutex_unlock(&s->progress->lock);
}

int wb_step_end(struct wb_step *s, int rc, const struct wb_err *err)
{
	if (!s)
		return rc;
	struct wb_progress *p = s->progress;

	pthread_mutex_lock(&p->lock);
	if (s->ended <= 0) {
		s->ended = wb_progress_now();
		if (rc)
			s->state = WB_STEP_FAILED;
		else if (s->state == WB_STEP_RUNNING)
			s->state = WB_STEP_DONE;
		if (rc && err && err->text[0]) {
			wb_autofree char *clean = wb_redact(err->text);

			s->error = wb_text_quote(clean, NAME_MAX_BYTES);
		}
		p->display->end(s);
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}

/* --- items -------------------------------------------------------------------------------- */

struct wb_item *wb_item_begin(struct wb_step *s, uint64_t total, const char *fmt, ...)
{
	va_list ap;

	if (!s)
		return NULL;
	struct wb_item *i = wb_zalloc(sizeof(*i));
	struct wb_item **at = &s->items;

	va_start(ap, fmt);
	i->name = printable(fmt, ap);
	va_end(ap);
	i->step = s;
	i->total = total;
	i->began = wb_progress_now();
	pthread_mutex_lock(&s->progress->lock);
	while (*at)
		at = &(*at)->next;
	*at = i;
	s->n_items++;
	pthread_mutex_unlock(&s->progress->lock);
	return i;
}

void wb_item_set(struct wb_item *i, uint64_t done)
{
	if (!i)
		return;
	uint64_t before = atomic_exchange(&i->done, done);

	/* unsigned: going back takes away what was counted too much */
	atomic_fetch_add(&i->step->done, done - before);
}

void wb_item_set_to(void *item, uint64_t done)
{
	wb_item_set(item, done);
}

void wb_item_end(struct wb_item *i)
{
	if (!i)
		return;
	struct wb_step *s = i->step;
	struct wb_item **at = &s->items;

	pthread_mutex_lock(&s->progress->lock);
	while (*at != i)
		at = &(*at)->next;
	*at = i->next;
	s->n_items--;
	s->progress->display->item_end(i);
	pthread_mutex_unlock(&s->progress->lock);
	free(i->name);
	free(i);
}
