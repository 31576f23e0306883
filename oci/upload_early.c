/* Chunks of a blob that is still being written. Its digest, and so whether it is there already, is
 * not known: wb_registry_put_blob() asks that at the end, and goes on with the session or has it
 * given up. */
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "oci/upload_internal.h"

#define MIB (UINT64_C(1) << 20)
#define EARLY_MIN (16 * MIB) /* bytes of a request */

struct wb_early {
	struct wb_upload u;
	struct wb_descriptor d; /* of no digest yet */
	struct wb_blob_source src;
	struct wb_put_opts opts;
};

struct wb_early *wb_early_new(struct wb_transport *t, int fd, const atomic_bool *stop)
{
	struct wb_registry *reg = (struct wb_registry *)t;
	struct wb_early *e = wb_zalloc(sizeof(*e));
	struct wb_upload *u = &e->u;

	e->d.size = UINT64_MAX;
	e->src.path = "a layer that is being packed";
	e->opts.stop = stop;
	*u = (struct wb_upload){.reg = reg,
		.d = &e->d,
		.src = &e->src,
		.opts = &e->opts,
		.journal = WB_JOURNAL_INIT,
		.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
	wb_quirks_get(&u->q, reg->o.quirks, reg->ref.host);
	return e;
}

void wb_early_free(struct wb_early *e)
{
	if (!e)
		return;
	if (e->u.s.location)
		wb_upload_cancel(&e->u);
	wb_upload_release(&e->u);
	free(e);
}

uint64_t wb_early_want(const struct wb_early *e)
{
	uint64_t least = wb_upload_chunk_size(&e->u);

	if (least > EARLY_MIN)
		least = e->u.q.chunk_min > EARLY_MIN ? e->u.q.chunk_min : EARLY_MIN;
	return e->u.s.acked + least;
}

/* Where a blob would not go in chunks either way, or will not be taken. */
static int check(const struct wb_upload *u, uint64_t upto, struct wb_err *err)
{
	if (u->fd < 0 || u->whole || u->q.method != WB_UPLOAD_CHUNKS ||
		u->q.session == WB_SESSION_NONE)
		return wb_err_set(err, WB_ERR_UNSUPPORTED, "\"%s\" takes blobs in one piece only",
			u->reg->ref.host);
	if (u->q.layer_max && upto > u->q.layer_max && !u->reg->o.no_limits)
		return wb_err_set(
			err, WB_ERR_LIMIT, "the layer is too large for \"%s\"", u->reg->ref.host);
	return 0;
}

int wb_early_send(struct wb_early *e, uint64_t upto, struct wb_err *err)
{
	struct wb_upload *u = &e->u;

	if (!u->h && !(u->h = wb_registry_engine(u->reg, err)))
		return -1;
	while (upto >= wb_early_want(e)) {
		if (check(u, upto, err))
			return -1;
		/* some registries want every chunk but the last to be of whole steps */
		int step = u->s.location ? WB_STEP_ON : wb_upload_begin(u, NULL, err);
		uint64_t len = upto - u->s.acked;

		if (step == WB_STEP_ON)
			step = wb_upload_send(u, len > MIB ? len - len % MIB : len, err);
		if (step < 0)
			return -1;
		if (step != WB_STEP_ON)
			return wb_err_set(err, WB_ERR_UNSUPPORTED,
				"\"%s\" ended an upload before its end", u->reg->ref.host);
	}
	return 0;
}

bool wb_early_take(struct wb_upload *u, struct wb_early *e)
{
	struct wb_upload *from = &e->u;

	if (from->reg != u->reg || !from->s.acked || from->s.acked > u->d->size || from->whole)
		return false;
	u->s = from->s;
	from->s = WB_UPLOAD_STATE_INIT;
	u->s.size = u->d->size;
	u->q = from->q;
	u->believed = from->believed;
	u->sent += from->sent;
	return true;
}
