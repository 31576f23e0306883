/* What lies in remote weights, by the few bytes that tell: the head of a file, and the directory at
 * the end of a zip, asked for by range. What came is written to the same places of an empty file in
 * memory, and that is looked at like any other. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "builder/build/lint_internal.h"

#define REQUESTS_MAX 16 /* redirects count: a listing of 10,000 files and these stay below 30 */
#define HEAD_BYTES (256u << 10)
#define HEAD_MAX (16u << 20) /* headers that need more are not looked at */
#define TAIL_BYTES (66u << 10)
#define POINTER_MAX 1024

struct peek {
	struct wb_lint *lint;
	const struct wb_plan_file *file;
	const struct wb_remote_source *source;
	const struct wb_remote_file *remote;
	struct wb_http *http;
	unsigned *left; /* requests */
	int fd;
	uint64_t head; /* bytes from the start that are there */
};

static void peek_release(struct peek *p)
{
	wb_closep(&p->fd);
}

/* The bytes from start on, at most n. False when they cannot be had: nothing is known then. */
static bool get(struct peek *p, uint64_t start, uint64_t n)
{
	WB_AUTO(wb_remote_request_release)
	struct wb_remote_request rq = WB_REMOTE_REQUEST_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result got = WB_HTTP_RESULT_INIT;
	struct wb_http_params params = WB_HTTP_PARAMS_INIT;
	const struct wb_remote_want want = {
		.start = (int64_t)start, .end = (int64_t)(start + n) - 1};
	struct wb_err err = WB_ERR_INIT;

	if (!*p->left || wb_remote_request(&rq, p->source->remote, p->remote, &want, &err))
		return false;
	wb_remote_request_fill(&params, &rq, &want);
	params.body_limit = n;
	params.retries = 1;
	if (wb_http_perform(&got, p->http, &params, &err)) {
		wb_debug("\"%s\" is not looked into: %s", p->remote->path, err.text);
		*p->left = 0;
		return false;
	}
	unsigned cost = got.response.redirected ? 2 : 1;
	bool whole = got.response.status == 200 && start == 0;

	*p->left -= cost < *p->left ? cost : *p->left;
	if (got.response.status != 206 && !whole)
		return false;
	return pwrite(p->fd, got.response.body.data, got.response.body.len, (off_t)start) ==
	               (ssize_t)got.response.body.len &&
	       got.response.body.len == n;
}

static bool get_head(struct peek *p, uint64_t n)
{
	uint64_t want = n < p->file->size ? n : p->file->size;

	if (want <= p->head)
		return true;
	if (!get(p, p->head, want - p->head))
		return false;
	p->head = want;
	return true;
}

/* The file ends where what was fetched ends, so that a reader that needs more says so. */
static int look_at_weights(struct peek *p, const char *path, struct wb_err *err)
{
	struct wb_weight_file w;
	bool more = true;

	for (uint64_t n = HEAD_BYTES; more && n <= HEAD_MAX; n *= 8) {
		if (!get_head(p, n) || ftruncate(p->fd, (off_t)p->head))
			return 0;
		int rc = wb_weight_file_check(&w, path, p->file->path, p->file->size, err);

		more = p->head < p->file->size &&
		       (rc || (w.state == WB_WEIGHT_TRUNCATED && !w.expected));
		if (rc && !more)
			return -1;
		wb_err_clear(err);
	}
	if (!more)
		wb_lint_tell_weights(p->lint, p->file, &w);
	return 0;
}

static int look_at_pickle(struct peek *p, const char *path, struct wb_err *err)
{
	WB_AUTO(wb_pickle_release) struct wb_pickle found = WB_PICKLE_INIT;
	uint64_t tail = p->file->size > TAIL_BYTES ? p->file->size - TAIL_BYTES : 0;
	char magic[4] = {0};

	if (pread(p->fd, magic, sizeof(magic), 0) < 0)
		return 0;
	tail = tail > p->head ? tail : p->head;
	if (!memcmp(magic, "PK\3\4", 4) && tail < p->file->size &&
		!get(p, tail, p->file->size - tail))
		return 0;
	if (wb_pickle_scan_file(&found, path, err))
		return -1;
	if (found.found)
		wb_lint_tell_pickle(p->lint, p->file, &found);
	return 0;
}

static int look(struct peek *p, struct wb_err *err)
{
	p->fd = memfd_create("remote weights", MFD_CLOEXEC);
	if (p->fd < 0)
		return 0; /* nothing is known then */
	wb_autofree char *path = wb_asprintf("/proc/self/fd/%d", p->fd);

	if (!get_head(p, HEAD_BYTES))
		return 0;
	if (look_at_weights(p, path, err) || ftruncate(p->fd, (off_t)p->file->size))
		return err->code ? -1 : 0;
	return wb_lint_may_be_pickle(p->file) ? look_at_pickle(p, path, err) : 0;
}

/* Formats that may run code first, then what may be a pointer, then the rest. */
static int rank(const struct wb_plan_file *f)
{
	if (wb_file_is_old_format(f->path) || wb_str_ends(f->path, ".pkl"))
		return 0;
	if (wb_file_kind_of(f->path) != WB_FILE_WEIGHTS)
		return 3;
	return f->size <= POINTER_MAX ? 1 : 2;
}

static int look_at_source(struct wb_lint *l, struct wb_remote_source *s, int which, unsigned *left,
	struct wb_err *err)
{
	for (size_t i = 0; i < s->listing.files.n && *left; i++) {
		const struct wb_remote_file *f = &s->listing.files.items[i];
		wb_autofree char *path = wb_remotes_image_path(s, f);
		WB_AUTO(peek_release)
		struct peek p = {.lint = l,
			.file = wb_lint_find(l, path),
			.source = s,
			.remote = f,
			.http = l->plan->remotes.http,
			.left = left,
			.fd = -1};

		if (!p.file || !p.file->size || wb_lint_disk_path(l, p.file) ||
			rank(p.file) != which)
			continue;
		if (look(&p, err))
			return -1;
	}
	return 0;
}

int wb_lint_remote(struct wb_lint *l, struct wb_err *err)
{
	unsigned left = REQUESTS_MAX;

	for (int which = 0; which < 3; which++)
		wb_vec_foreach (s, &l->plan->remotes.sources)
			if ((*s)->remote && look_at_source(l, *s, which, &left, err))
				return -1;
	return 0;
}
