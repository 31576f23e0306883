#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/text.h"
#include "oci/upload_internal.h"

#define MIB (UINT64_C(1) << 20)
#define CHUNK_SIZE (64 * MIB)
#define CHUNK_FROM (32 * MIB)
#define SINGLE_POST_MAX (64u << 10)
#define MOUNTS_MAX 5
#define RESTARTS_MAX 4
#define FRESH_S 3600 /* a session that is gone so soon was not purged for its age */

static const char *digest_of(const struct wb_upload *u, struct wb_digest_text *t)
{
	*t = wb_digest_text(&u->d->digest);
	return t->s;
}

/* --- mounting --- */

struct candidates {
	const struct wb_registry *reg;
	char *repositories[MOUNTS_MAX];
	size_t n;
};

static void candidates_release(struct candidates *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->repositories[i]);
}

/* "NAME", or "HOST/NAME" of this host. */
static void add_candidate(void *arg, const char *repository)
{
	struct candidates *c = arg;
	const char *host = c->reg->ref.host;
	size_t n = strlen(host);

	if (!strncmp(repository, host, n) && repository[n] == '/')
		repository += n + 1;
	size_t first = strcspn(repository, "/");
	bool other_host = repository[first] &&
	                  (memchr(repository, '.', first) || memchr(repository, ':', first) ||
				  (first == 9 && !strncmp(repository, "localhost", 9)));

	if (c->n == MOUNTS_MAX || other_host || !*repository ||
		!strcmp(repository, c->reg->ref.name))
		return;
	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->repositories[i], repository))
			return;
	c->repositories[c->n++] = wb_strdup(repository);
}

/* THERE when some repository had it; else ON, perhaps with a session that a refused mount opened.
 */
static int mount(struct wb_upload *u, struct wb_err *err)
{
	const struct wb_registry_opts *o = &u->reg->o;
	WB_AUTO(candidates_release) struct candidates c = {.reg = u->reg};

	if (u->q.no_mount)
		return WB_STEP_ON;
	if (u->opts->mount_from)
		add_candidate(&c, u->opts->mount_from);
	for (size_t i = 0; o->mount_from && o->mount_from[i]; i++)
		add_candidate(&c, o->mount_from[i]);
	if (o->places.recall)
		o->places.recall(o->places.arg, u->reg->ref.host, &u->d->digest, add_candidate, &c);
	for (size_t i = 0; i < c.n; i++) {
		int step = wb_upload_begin(u, c.repositories[i], err);

		if (step < 0 || step == WB_STEP_THERE)
			return step;
		wb_debug("\"%s\" does not give %s to \"%s\"", c.repositories[i],
			wb_digest_text(&u->d->digest).s, u->reg->ref.name);
	}
	return WB_STEP_ON;
}

/* --- where an upload that began before stands --- */

static void learn(struct wb_upload *u, enum wb_lesson lesson, uint64_t value)
{
	wb_quirks_learn(u->reg->o.quirks, u->reg->ref.host, lesson, value);
}

static void drop_session(struct wb_upload *u)
{
	wb_upload_state_release(&u->s);
	wb_journal_drop(&u->journal);
	u->believed = false;
}

/* The registry's word for how much it has against what it acknowledged to us. false: the session
 * cannot be continued. in_flight: bytes after the acknowledged ones may have arrived, or not. */
static bool settle(struct wb_upload *u, uint64_t received, bool in_flight)
{
	/* What is there can be added to by PATCH only. */
	if (received && received < u->d->size && (u->whole || u->q.method == WB_UPLOAD_WHOLE))
		return false;
	switch (u->q.session) {
	case WB_SESSION_NONE: return false;
	case WB_SESSION_COUNTED: return received == u->s.acked || !in_flight;
	case WB_SESSION_UNKNOWN:
		if (received < u->s.acked) { /* as registries do that count only the first chunk */
			learn(u, WB_LESSON_SESSION_LIES, 0);
			u->q.session = WB_SESSION_COUNTED;
			return !in_flight;
		}
		break;
	case WB_SESSION_TRUE: break;
	}
	if (received > u->s.acked)
		u->failures = 0; /* what was cut off did arrive in part */
	u->s.acked = received;
	u->believed = true;
	return true;
}

/* Goes on with what another process left behind, if that is possible. */
static int resume(struct wb_upload *u, struct wb_err *err)
{
	uint64_t now = (uint64_t)time(NULL), received = 0;
	struct wb_err why = WB_ERR_INIT;

	if (!wb_journal_read(&u->s, &u->journal))
		return 0;
	bool usable = u->s.size == u->d->size && u->q.session != WB_SESSION_NONE;
	int step = usable ? wb_upload_status(u, &received, &why) : WB_STEP_LOST;

	if (why.code == WB_ERR_CANCELLED) {
		*err = why;
		return -1;
	}
	if (usable && step == WB_STEP_LOST && now - u->s.started < FRESH_S) {
		learn(u, WB_LESSON_SESSION_LOST, 0);
		u->q.session = WB_SESSION_NONE;
	}
	if (step == WB_STEP_ON && settle(u, received, true)) {
		if (u->s.acked)
			wb_note("the upload of %s goes on at %s of %s",
				wb_digest_text(&u->d->digest).s, wb_size_text(u->s.acked).s,
				wb_size_text(u->d->size).s);
		return 0;
	}
	if (step == WB_STEP_ON)
		wb_upload_cancel(u);
	drop_session(u);
	return 0;
}

/* --- sending --- */

uint64_t wb_upload_chunk_size(const struct wb_upload *u)
{
	uint64_t size = u->reg->o.chunk_size ? u->reg->o.chunk_size : CHUNK_SIZE;

	if (u->q.body_max && size > u->q.body_max)
		size = u->q.body_max;
	return size < u->q.chunk_min ? u->q.chunk_min : size;
}

static bool in_chunks(const struct wb_upload *u)
{
	uint64_t from = u->reg->o.chunk_from ? u->reg->o.chunk_from : CHUNK_FROM;

	if (u->s.acked)
		return u->s.acked < u->d->size;
	if (u->whole)
		return false;
	if (u->q.body_max && u->d->size > u->q.body_max)
		return true;
	return u->q.method == WB_UPLOAD_CHUNKS && u->q.session != WB_SESSION_NONE &&
	       u->d->size >= from;
}

static int give_up(struct wb_upload *u, struct wb_err *err)
{
	struct wb_digest_text t;

	if (u->fault.code != WB_OK)
		*err = u->fault;
	else
		wb_err_set(err, WB_ERR_NET,
			"pushing the blob %s: \"%s\" dropped the upload %u times", digest_of(u, &t),
			u->reg->ref.host, u->restarts);
	if (!err->hint[0] && u->cuts_alike > 1 && 2 * u->cuts_alike > u->cuts)
		wb_err_hint(err,
			"requests were cut off after %s each time: something on the way limits how "
			"long one may last, and this registry cannot continue an upload",
			wb_duration_text(u->cut_after).s);
	return -1;
}

/* From the first byte again. */
static int restart(struct wb_upload *u, struct wb_err *err)
{
	if (++u->restarts > RESTARTS_MAX)
		return give_up(u, err);
	wb_debug("the upload of %s starts again", wb_digest_text(&u->d->digest).s);
	drop_session(u);
	return WB_STEP_ON;
}

static int cancel_and_restart(struct wb_upload *u, struct wb_err *err)
{
	wb_upload_cancel(u);
	return restart(u, err);
}

/* Something broke off: where does the session stand now? */
static int recover(struct wb_upload *u, struct wb_err *err)
{
	bool in_flight = u->body_sent > 0;
	uint64_t received = 0;
	int step = wb_upload_status(u, &received, err);

	if (step < 0)
		return -1;
	if (step == WB_STEP_LOST) {
		if (in_flight) {
			learn(u, WB_LESSON_SESSION_LOST, 0);
			u->q.session = WB_SESSION_NONE;
		}
		return restart(u, err);
	}
	if (!settle(u, received, in_flight))
		return cancel_and_restart(u, err);
	wb_journal_write(&u->journal, &u->s);
	return WB_STEP_ON;
}

static int no_chunks_there(struct wb_upload *u, struct wb_err *err)
{
	learn(u, WB_LESSON_CHUNKS_REFUSED, 0);
	u->whole = true;
	return cancel_and_restart(u, err);
}

static int too_large(struct wb_upload *u, struct wb_err *err)
{
	uint64_t before = u->q.body_max;

	learn(u, WB_LESSON_BODY_MAX, u->body_len);
	u->q.body_max = u->body_len / 2 > MIB ? u->body_len / 2 : MIB;
	if (u->whole || u->body_len <= MIB || (before && u->q.body_max >= before)) {
		*err = u->fault;
		return -1;
	}
	u->body_sent = 0; /* refused by its length, not cut off in the middle */
	return u->s.acked ? recover(u, err) : cancel_and_restart(u, err);
}

/* Is the blob there after all? THERE or ON. */
static int look(struct wb_upload *u, struct wb_err *err)
{
	bool there = false;

	if (wb_registry_probe_blob(&there, u->reg, u->h, u->d, err))
		return -1;
	return there ? WB_STEP_THERE : WB_STEP_ON;
}

/* A chunk was acknowledged; what does the registry say that it has altogether? */
static void weigh(struct wb_upload *u, uint64_t claimed)
{
	u->failures = 0;
	if (claimed == UINT64_MAX || claimed == u->s.acked) {
		wb_journal_write(&u->journal, &u->s);
		return;
	}
	if (u->q.session == WB_SESSION_TRUE && claimed < u->s.acked) {
		u->s.acked = claimed;
		u->failures++;
	} else if (u->q.session == WB_SESSION_UNKNOWN) {
		learn(u, WB_LESSON_SESSION_LIES, 0);
		u->q.session = WB_SESSION_COUNTED;
	}
	wb_journal_write(&u->journal, &u->s);
}

int wb_upload_send(struct wb_upload *u, uint64_t len, struct wb_err *err)
{
	uint64_t size = wb_upload_chunk_size(u), claimed = UINT64_MAX;
	int step = wb_upload_chunk(u, len < size ? len : size, &claimed, err);

	switch ((enum wb_step)step) {
	case WB_STEP_ON: weigh(u, claimed); return WB_STEP_ON;
	case WB_STEP_THERE: /* said before the end: true for none that we know */
		step = look(u, err);
		return step == WB_STEP_ON ? no_chunks_there(u, err) : step;
	case WB_STEP_LOST:
		learn(u, WB_LESSON_SESSION_LOST, 0);
		u->q.session = WB_SESSION_NONE;
		return restart(u, err);
	case WB_STEP_CHECK: return recover(u, err);
	case WB_STEP_TOO_LARGE: return too_large(u, err);
	case WB_STEP_REFUSED:
		/* In the middle it is the offset that it does not like. */
		if (u->s.acked && !u->believed && u->q.session != WB_SESSION_COUNTED) {
			u->body_sent = 0;
			u->believed = true;
			return recover(u, err);
		}
		return no_chunks_there(u, err);
	}
	return step;
}

static int close_session(struct wb_upload *u, struct wb_err *err)
{
	bool empty = u->s.acked == u->d->size;
	int step = wb_upload_close(u, err);

	switch ((enum wb_step)step) {
	case WB_STEP_ON:
	case WB_STEP_THERE: return step;
	case WB_STEP_TOO_LARGE: return too_large(u, err);
	case WB_STEP_REFUSED: /* the digest: bytes are missing, or came twice */
		if (u->believed) {
			learn(u, WB_LESSON_SESSION_LIES, 0);
			u->q.session = WB_SESSION_COUNTED;
		}
		if (++u->refusals > 1) {
			*err = u->fault;
			return -1;
		}
		u->whole = true;
		return cancel_and_restart(u, err);
	case WB_STEP_LOST:
	case WB_STEP_CHECK: break;
	}
	if (step < 0)
		return -1;
	int found = look(u, err);

	if (found != WB_STEP_ON)
		return found;
	if (step == WB_STEP_LOST)
		return restart(u, err);
	if (empty)
		u->body_sent = 0;
	return recover(u, err);
}

static int transfer(struct wb_upload *u, struct wb_err *err)
{
	int step = WB_STEP_ON;

	while (step == WB_STEP_ON) {
		if (!u->s.location) {
			step = wb_upload_begin(u, NULL, err);
			if (step != WB_STEP_ON)
				break;
			wb_journal_write(&u->journal, &u->s);
		}
		step = in_chunks(u) ? wb_upload_send(u, u->d->size - u->s.acked, err)
		                    : close_session(u, err);
	}
	if (step < 0 && !err->hint[0] && u->q.request_secs && u->took > 0.9 * u->q.request_secs)
		wb_err_hint(err,
			"%s ends an upload after %u minutes: this blob needs at least %s "
			"a second",
			u->q.name, u->q.request_secs / 60,
			wb_size_text(u->d->size / u->q.request_secs).s);
	return step;
}

/* A small blob in one request, where the registry knows that. */
static int single(struct wb_upload *u, struct wb_err *err)
{
	struct wb_err why = WB_ERR_INIT;

	if (u->d->size > SINGLE_POST_MAX || u->s.location || in_chunks(u) ||
		__atomic_load_n(&u->reg->no_single_post, __ATOMIC_RELAXED))
		return WB_STEP_ON;
	int step = wb_upload_single(u, &why);

	if (step == WB_STEP_THERE)
		return step;
	if (step < 0 && why.code != WB_ERR_NET) {
		*err = why;
		return -1;
	}
	if (step >= 0)
		__atomic_store_n(&u->reg->no_single_post, true, __ATOMIC_RELAXED);
	return WB_STEP_ON;
}

static int put(struct wb_put_result *out, struct wb_upload *u, struct wb_err *err)
{
	bool there = false;

	if (wb_registry_probe_blob(&there, u->reg, u->h, u->d, err))
		return -1;
	if (there) {
		out->how = WB_PUT_PRESENT;
		return 0;
	}
	wb_journal_open(&u->journal, u->reg->o.journal_dir, u->reg->ref.host, u->reg->ref.name,
		&u->d->digest);
	if (u->opts->early && wb_early_take(u, u->opts->early))
		wb_journal_write(&u->journal, &u->s);
	else if (resume(u, err))
		return -1;
	int step = u->s.location ? WB_STEP_ON : mount(u, err);

	out->how = step == WB_STEP_THERE ? WB_PUT_MOUNTED : WB_PUT_SENT;
	if (step == WB_STEP_ON)
		step = single(u, err);
	if (step == WB_STEP_ON)
		step = transfer(u, err);
	if (step < 0)
		return -1;
	if (u->believed && u->q.session == WB_SESSION_UNKNOWN)
		learn(u, WB_LESSON_SESSION_KEPT, 0);
	wb_journal_drop(&u->journal);
	return 0;
}

int wb_registry_put_blob(struct wb_put_result *out, struct wb_transport *t,
	const struct wb_descriptor *d, const struct wb_blob_source *src,
	const struct wb_put_opts *opts, struct wb_err *err)
{
	struct wb_registry *reg = (struct wb_registry *)t;
	WB_AUTO(wb_upload_release)
	struct wb_upload u = {
		.reg = reg, .d = d, .src = src, .opts = opts, .journal = WB_JOURNAL_INIT, .fd = -1};
	struct wb_put_result result = {0};

	wb_quirks_get(&u.q, reg->o.quirks, reg->ref.host);
	u.h = wb_registry_engine(reg, err);
	if (!u.h || put(&result, &u, err))
		return -1;
	result.sent = u.sent;
	if (opts->progress)
		opts->progress(opts->progress_arg, d->size);
	if (reg->o.places.remember)
		reg->o.places.remember(reg->o.places.arg, reg->ref.host, reg->ref.name, &d->digest);
	*out = result;
	return 0;
}
