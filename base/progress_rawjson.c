/* JSON lines in the shape that buildx's --progress=rawjson writes (a SolveStatus of the BuildKit
 * client each): vertexes are steps, statuses are their byte counts and items, warnings and logs
 * are log lines. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/progress_internal.h"
#include "base/sha256.h"

#define EVERY 0.5 /* seconds between two statuses of one step or item */
#define STDERR_STREAM 2

static void put(struct wb_progress *p, json_t *status)
{
	wb_autojson json_t *owned = status;
	wb_autofree char *text = wb_json_dump(owned);
	wb_autofree char *row = wb_asprintf("%s\n", text);

	wb_progress_write(p, row, strlen(row));
}

/* A monotonic time as the wall clock's RFC 3339 text. */
static void set_time(json_t *o, const char *key, double at)
{
	struct timespec t;
	struct tm tm;
	char date[32];

	clock_gettime(CLOCK_REALTIME, &t);
	double wall = (double)t.tv_sec + (double)t.tv_nsec / 1e9 - (wb_progress_now() - at);
	time_t seconds = (time_t)wall;

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	wb_autofree char *text =
		wb_asprintf("%s.%06uZ", date, (unsigned)((wall - (double)seconds) * 1e6));

	wb_json_set_str(o, key, text);
}

/* What names a vertex in every later line: a digest, as BuildKit's are. */
static void set_vertex(json_t *o, const char *key, const struct wb_step *s)
{
	wb_autofree char *text = wb_asprintf("%zu %s", s->number, s->name);
	struct wb_digest d;

	wb_sha256_once(&d, text, strlen(text));
	wb_json_set_str(o, key, wb_digest_text(&d).s);
}

static json_t *list_of(json_t *one)
{
	json_t *a = json_array();

	wb_json_append(a, one);
	return a;
}

static json_t *step_status(const struct wb_step *s)
{
	json_t *o = json_object();
	uint64_t total = atomic_load(&s->total);

	wb_json_set_str(o, "id", s->detail ? s->detail : s->name);
	set_vertex(o, "vertex", s);
	if (total)
		wb_json_set_u64(o, "total", total);
	wb_json_set_u64(o, "current", wb_step_done(s));
	set_time(o, "timestamp", wb_progress_now());
	set_time(o, "started", s->began);
	if (s->ended > 0)
		set_time(o, "completed", s->ended);
	return o;
}

static json_t *item_status(const struct wb_item *i, bool completed)
{
	json_t *o = json_object();

	wb_json_set_str(o, "id", i->name);
	set_vertex(o, "vertex", i->step);
	if (i->total)
		wb_json_set_u64(o, "total", i->total);
	wb_json_set_u64(o, "current", atomic_load(&i->done));
	set_time(o, "timestamp", wb_progress_now());
	set_time(o, "started", i->began);
	if (completed)
		set_time(o, "completed", wb_progress_now());
	return o;
}

static void put_vertex(const struct wb_step *s)
{
	json_t *line = json_object(), *o = json_object();

	set_vertex(o, "digest", s);
	wb_json_set_str(o, "name", s->name);
	set_time(o, "started", s->began);
	if (s->ended > 0)
		set_time(o, "completed", s->ended);
	if (s->state == WB_STEP_CACHED)
		wb_json_set(o, "cached", json_true());
	if (s->state == WB_STEP_FAILED)
		wb_json_set_str(o, "error", s->error ? s->error : "given up");
	wb_json_set(line, "vertexes", list_of(o));
	if (s->ended > 0 && wb_step_done(s))
		wb_json_set(line, "statuses", list_of(step_status(s)));
	put(s->progress, line);
}

static void begin(struct wb_step *s)
{
	put_vertex(s);
}

static void end(struct wb_step *s)
{
	put_vertex(s);
}

static void item_end(struct wb_item *i)
{
	json_t *line = json_object();

	wb_json_set(line, "statuses", list_of(item_status(i, true)));
	put(i->step->progress, line);
}

static void add_statuses(json_t *statuses, struct wb_step *s, double now)
{
	uint64_t done = wb_step_done(s);

	if (s->state != WB_STEP_RUNNING || now - s->shown_at < EVERY)
		return;
	if (done != s->shown)
		wb_json_append(statuses, step_status(s));
	for (struct wb_item *i = s->items; i; i = i->next) {
		uint64_t moved = atomic_load(&i->done);

		if (moved != i->shown || !i->announced)
			wb_json_append(statuses, item_status(i, false));
		i->shown = moved;
		i->announced = true;
	}
	s->shown = done;
	s->shown_at = now;
}

static void tick(struct wb_progress *p)
{
	json_t *statuses = json_array();
	double now = wb_progress_now();

	wb_vec_foreach (s, &p->steps)
		add_statuses(statuses, *s, now);
	if (!json_array_size(statuses)) {
		json_decref(statuses);
		return;
	}
	json_t *line = json_object();

	wb_json_set(line, "statuses", statuses);
	put(p, line);
}

/* Lines of the log belong to the step that began last. */
static json_t *warning_of(const struct wb_progress *p, const char *base64)
{
	json_t *o = json_object();

	if (p->steps.n)
		set_vertex(o, "vertex", p->steps.items[p->steps.n - 1]);
	wb_json_set_u64(o, "level", 1);
	wb_json_set_str(o, "short", base64);
	return o;
}

static json_t *log_of(const struct wb_progress *p, const char *base64)
{
	json_t *o = json_object();

	if (p->steps.n)
		set_vertex(o, "vertex", p->steps.items[p->steps.n - 1]);
	wb_json_set_u64(o, "stream", STDERR_STREAM);
	wb_json_set_str(o, "data", base64);
	set_time(o, "timestamp", wb_progress_now());
	return o;
}

void wb_rawjson_log(void *progress, enum wb_level level, const char *text)
{
	struct wb_progress *p = progress;
	bool warning = level <= WB_LOG_WARNING;
	wb_autofree char *row = wb_asprintf("%s%s", text, warning ? "" : "\n");
	wb_autofree char *base64 = wb_base64_encode(row, strlen(row));
	json_t *line = json_object();

	pthread_mutex_lock(&p->lock);
	if (warning)
		wb_json_set(line, "warnings", list_of(warning_of(p, base64)));
	else
		wb_json_set(line, "logs", list_of(log_of(p, base64)));
	put(p, line);
	pthread_mutex_unlock(&p->lock);
}

static void close_nothing(struct wb_progress *p)
{
	(void)p;
}

const struct wb_display wb_display_rawjson = {
	.every = 0.25,
	.begin = begin,
	.end = end,
	.item_end = item_end,
	.tick = tick,
	.close = close_nothing,
};
