/* Before the digest is known. */
#include "oci/uploadworld.h"

/* Sends what there is of upto bytes; then the blob as src and d say it is. */
static int push_early(struct world *w, struct wb_put_result *r, const uint64_t *upto,
	struct wb_err *early_err, struct wb_err *err)
{
	struct wb_blob_source src = {.path = w->file, .whole_file = true, .trusted = true};
	struct wb_transport *t = open_registry(w);
	int fd = open(w->file, O_RDONLY | O_CLOEXEC), rc = 0;
	struct wb_early *e = wb_early_new(t, fd, NULL);
	const struct wb_put_opts opts = {.early = e};

	close(fd);
	for (; *upto && !rc; upto++)
		rc = wb_early_send(e, *upto, early_err);
	rc = wb_transport_put_blob(r, t, &w->d, &src, &opts, err);
	wb_early_free(e);
	wb_transport_free(t);
	fake_settle(&w->f);
	return rc;
}

static void sent_while_it_grows(void **state)
{
	static const uint64_t upto[] = {100, CHUNK, CHUNK + 1, 2 * CHUNK + 100, 0};
	struct world *w = *state;
	struct wb_err early = WB_ERR_INIT, err = WB_ERR_INIT;
	struct wb_put_result r;

	assert_ok(push_early(w, &r, upto, &early, &err), &err);
	assert_there(w);
	assert_int_equal(early.code, WB_OK);
	assert_int_equal(r.sent, SIZE); /* nothing twice */
	assert_int_equal(w->f.posts, 1);
	assert_int_equal(w->f.patches, 4);
	assert_int_equal(w->f.deletes, 0);
}

static void sent_in_vain_when_it_is_there(void **state)
{
	static const uint64_t upto[] = {2 * CHUNK, 0};
	struct world *w = *state;
	struct wb_err early = WB_ERR_INIT, err = WB_ERR_INIT;
	struct wb_put_result r;

	PUSH_OK(w, &r);
	assert_ok(push_early(w, &r, upto, &early, &err), &err);
	assert_int_equal(r.how, WB_PUT_PRESENT);
	assert_int_equal(w->f.deletes, 1); /* the session is given up */
	assert_true(w->f.uploads.items[w->f.uploads.n - 1].gone);
}

static void growing_over_a_cut(void **state)
{
	static const uint64_t upto[] = {CHUNK, 3 * CHUNK, 0};
	struct world *w = *state;
	struct wb_err early = WB_ERR_INIT, err = WB_ERR_INIT;
	struct wb_put_result r;

	w->f.cut_at = 2;
	assert_ok(push_early(w, &r, upto, &early, &err), &err);
	assert_there(w);
	assert_true(r.sent < SIZE + CHUNK);
}

static void growing_where_chunks_are_refused(void **state)
{
	static const uint64_t upto[] = {CHUNK, 2 * CHUNK, 0};
	struct world *w = *state;
	struct wb_err early = WB_ERR_INIT, err = WB_ERR_INIT;
	struct wb_put_result r;

	w->f.patch_405 = true;
	assert_ok(push_early(w, &r, upto, &early, &err), &err);
	assert_there(w);
	assert_int_equal(early.code, WB_ERR_UNSUPPORTED);
	assert_int_equal(w->f.patches, 1);
	assert_int_equal(w->f.puts, 1);
}

/* What was sent is not what it turns out to be: the registry's own check of the digest refuses it,
 * and it is sent again. */
static void growing_into_something_else(void **state)
{
	static const uint64_t upto[] = {2 * CHUNK, 0};
	struct world *w = *state;
	struct wb_err early = WB_ERR_INIT, err = WB_ERR_INIT;
	struct wb_blob_source src = {.whole_file = true, .trusted = true};
	wb_autofree char *other = wb_asprintf("%s/other", w->dir);
	struct wb_transport *t = open_registry(w);
	struct wb_put_result r;
	char data[SIZE] = {0};

	assert_ok(wb_file_put(other, data, SIZE, 0644, 0, &err), &err);
	int fd = open(other, O_RDONLY | O_CLOEXEC);
	struct wb_early *e = wb_early_new(t, fd, NULL);
	const struct wb_put_opts opts = {.early = e};

	close(fd);
	assert_ok(wb_early_send(e, upto[0], &early), &early);
	src.path = w->file;
	assert_ok(wb_transport_put_blob(&r, t, &w->d, &src, &opts, &err), &err);
	wb_early_free(e);
	wb_transport_free(t);
	fake_settle(&w->f);
	assert_there(w);
	assert_int_equal(w->f.blobs.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(sent_while_it_grows),
		T(sent_in_vain_when_it_is_there),
		T(growing_over_a_cut),
		T(growing_where_chunks_are_refused),
		T(growing_into_something_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
