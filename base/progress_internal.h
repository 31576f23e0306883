/* What progress.c and the displays share. Everything but the atomic counters is guarded by
 * wb_progress.lock, which is held whenever a display's function is called. */
#ifndef WB_BASE_PROGRESS_INTERNAL_H
#define WB_BASE_PROGRESS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/text.h"

#define WB_RATE_SAMPLES 8 /* of WB_RATE_EVERY seconds: the window that a rate is taken over */
#define WB_RATE_EVERY 0.5

enum wb_step_state { WB_STEP_RUNNING, WB_STEP_DONE, WB_STEP_CACHED, WB_STEP_FAILED };

struct wb_item {
	struct wb_step *step;
	struct wb_item *next; /* of the step, in the order begun */
	char *name;
	uint64_t total;
	_Atomic uint64_t done;
	double began;
	bool announced;
	uint64_t shown; /* what the display said last */
};

struct wb_step {
	struct wb_progress *progress;
	size_t number; /* from 1 */
	char *name, *detail, *error;
	enum wb_step_state state;
	_Atomic uint64_t done, total;
	double began, ended;
	struct wb_item *items; /* that run now */
	size_t n_items;
	bool announced;
	uint64_t shown;
	double shown_at;
	struct {
		double at;
		uint64_t done;
	} samples[WB_RATE_SAMPLES]; /* the oldest at n_samples % WB_RATE_SAMPLES once it is full */
	size_t n_samples;
};

struct wb_display {
	double every; /* seconds between ticks */
	void (*begin)(struct wb_step *s);
	void (*end)(struct wb_step *s);
	void (*item_end)(struct wb_item *i);
	void (*tick)(struct wb_progress *p);
	void (*close)(struct wb_progress *p);
};
extern const struct wb_display wb_display_tty, wb_display_plain, wb_display_rawjson;

/* What the live view last drew. */
struct wb_screen {
	bool drawn;
	unsigned columns, rows; /* of the window then */
	size_t *widths;         /* of the lines */
	size_t n, cap;
	size_t lost;    /* rows that a lower window pushed out at the top */
	bool stop_said; /* that a signal came */
	bool colour;
};

struct wb_progress {
	const struct wb_display *display;
	int fd;
	char *title;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool closing;
	double began;
	WB_VEC(struct wb_step *) steps;
	struct wb_screen screen;
};

double wb_progress_now(void); /* monotonic seconds */
/* Bytes a second over the last samples, 0 when not known yet. */
double wb_step_rate(const struct wb_step *s);
uint64_t wb_step_done(const struct wb_step *s); /* never above a known total */
/* "1.2 GB / 15.0 GB", "1.2 GB", or "" before anything moved. The caller frees. */
char *wb_progress_amount(uint64_t done, uint64_t total);
/* One write(2), continued when interrupted; a display that cannot be written to is not a fault. */
void wb_progress_write(struct wb_progress *p, const char *text, size_t n);

/* For the log while a live view is on: erase and hold; draw again and let go. */
void wb_screen_before_log(void *progress);
void wb_screen_after_log(void *progress);
void wb_rawjson_log(void *progress, enum wb_level level, const char *line);

#endif
