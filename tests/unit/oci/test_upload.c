#include "oci/uploadworld.h"

static void chunks_then_present(void **state)
{
	struct world *w = *state;
	struct wb_put_result r;

	PUSH_OK(w, &r);
	assert_int_equal(r.how, WB_PUT_SENT);
	assert_int_equal(r.sent, SIZE);
	assert_int_equal(w->f.patches, 4);
	assert_int_equal(w->f.puts, 1);
	PUSH_OK(w, &r);
	assert_int_equal(r.how, WB_PUT_PRESENT);
	assert_int_equal(r.sent, 0);
	assert_int_equal(w->f.posts, 1);
}

static void small_in_one_put(void **state)
{
	struct world *w = *state;
	struct wb_put_result r;

	w->o.chunk_from = SIZE + 1;
	w->f.other_location = true; /* whose query has to be kept */
	PUSH_OK(w, &r);
	assert_int_equal(w->f.patches, 0);
	assert_int_equal(w->f.puts, 1);
}

static void small_in_one_post(void **state)
{
	struct world *w = *state;
	struct wb_put_result r;

	w->f.single_post = true;
	w->o.chunk_from = SIZE + 1;
	PUSH_OK(w, &r);
	assert_int_equal(w->f.posts, 1);
	assert_int_equal(w->f.puts + w->f.patches, 0);
}

static int from_memory(struct wb_reader **out, void *arg, uint64_t offset, struct wb_err *err);

struct memory_reader {
	struct wb_reader r;
	const char *p;
	size_t n;
};

static int memory_read(struct wb_reader *r, void *p, size_t n, size_t *got, struct wb_err *err)
{
	struct memory_reader *m = (struct memory_reader *)r;

	*got = n < m->n ? n : m->n;
	*got = *got > 700 ? 700 : *got;
	memcpy(p, m->p, *got);
	m->p += *got;
	m->n -= *got;
	return 0;
}

static void memory_close(struct wb_reader *r)
{
	free(r);
}

static int from_memory(struct wb_reader **out, void *arg, uint64_t offset, struct wb_err *err)
{
	struct memory_reader *m = wb_zalloc(sizeof(*m));

	m->r.read = memory_read;
	m->r.close = memory_close;
	m->p = (const char *)arg + offset;
	m->n = SIZE - (size_t)offset;
	*out = &m->r;
	return 0;
}

static void from_a_stream_over_a_cut(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_put_result r;
	struct wb_blob_source src = {.open = from_memory, .arg = w->data};
	struct wb_transport *t = open_registry(w);

	w->f.cut_at = 2;
	assert_ok(wb_transport_put_blob(&r, t, &w->d, &src, NULL, &err), &err);
	assert_there(w);
	assert_int_equal(r.sent, SIZE + CHUNK / 2); /* half of the chunk had arrived */
	wb_transport_free(t);
}

static void empty_blob(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_put_result r;

	wb_descriptor_release(&w->d);
	wb_descriptor_of(&w->d, "application/octet-stream", "", 0);
	assert_ok(push(w, &r, &err), &err);
	assert_int_equal(r.sent, 0);
	wb_autofree char *key = wb_asprintf("up %s", wb_digest_text(&w->d.digest).s);

	assert_non_null(fake_find(&w->f, false, key));
}

static void a_cut_chunk_goes_on(void **state)
{
	struct world *w = *state;
	struct wb_put_result r;

	w->f.cut_at = 3;
	PUSH_OK(w, &r);
	assert_int_equal(r.sent, SIZE + CHUNK / 2); /* half of that chunk had arrived */
	assert_int_equal(learned(w).session, WB_SESSION_TRUE);
}

static void another_process_goes_on(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_put_result r;
	struct wb_quirks_memory *fresh = wb_quirks_memory_new(NULL);
	struct wb_blob_source whole = {.open = from_memory, .arg = w->data};

	/* A client that stops in its second chunk: its file ends early. The session stays. */
	w->o.chunk_size = 4000;
	assert_int_equal(truncate(w->file, 6000), 0);
	assert_err(push(w, &r, &err), &err, WB_ERR_IO);
	assert_int_equal(w->f.bytes_in, 4000);

	/* Another one knows only the journal: it asks, and sends the rest. */
	w->o.quirks = fresh;
	struct wb_transport *t = open_registry(w);

	assert_ok(wb_transport_put_blob(&r, t, &w->d, &whole, NULL, &err), &err);
	wb_transport_free(t);
	assert_there(w);
	assert_int_equal(r.sent, SIZE - 4000);
	assert_int_equal(w->f.bytes_in, SIZE);
	assert_int_equal(w->f.posts, 1);
	wb_quirks_memory_free(fresh);
}

static void refused_chunks_become_one_put(void **state)
{
	struct world *w = *state;
	struct wb_put_result r;

	w->f.patch_405 = true;
	PUSH_OK(w, &r);
	assert_int_equal(w->f.patches, 1);
	assert_int_equal(learned(w).method, WB_UPLOAD_WHOLE);
	w->f.patches = 0;
	w->name = "up2";
	struct wb_err err = WB_ERR_INIT;

	assert_ok(push(w, &r, &err), &err); /* and is not tried again */
	assert_int_equal(w->f.patches, 0);
}

static void chunk_refused_by_416(void **state)
{
	struct world *w = *state;
	struct wb_put_result r;

	w->f.patch_416 = true;
	PUSH_OK(w, &r);
	assert_int_equal(w->f.puts, 1);
}

static void early_201_is_not_believed(void **state)
{
	struct world *w = *state;
	struct wb_put_result r;

	w->f.early_201 = true;
	PUSH_OK(w, &r);
	assert_int_equal(w->f.patches, 1);
	assert_int_equal(w->f.puts, 1);
	assert_int_equal(learned(w).method, WB_UPLOAD_WHOLE);
}

static void lying_range_is_not_followed(void **state)
{
	struct world *w = *state;
	struct wb_put_result r;

	w->f.range_stays = true;
	PUSH_OK(w, &r);
	assert_int_equal(r.sent, SIZE);
	assert_int_equal(learned(w).session, WB_SESSION_COUNTED);
}

static void lying_range_and_a_cut(void **state)
{
	struct world *w = *state;
	struct wb_put_result r;

	w->f.range_stays = true;
	w->f.cut_at = 3;
	PUSH_OK(w, &r); /* no way to know where it stands: from the start */
	assert_true(r.sent <= SIZE + 3 * CHUNK);
}

static void inflated_status_ends_in_a_restart(void **state)
{
	struct world *w = *state;
	struct wb_put_result r;

	w->f.status_inflated = true;
	w->f.cut_at = 2;
	PUSH_OK(w, &r);
	assert_int_not_equal(learned(w).session, WB_SESSION_TRUE);
}

static void lost_session_restarts_that_blob(void **state)
{
	struct world *w = *state;
	struct wb_put_result r;

	w->f.loses_sessions = true;
	w->f.cut_at = 4;
	PUSH_OK(w, &r);
	assert_int_equal(learned(w).session, WB_SESSION_NONE);
	assert_int_equal(w->f.puts, 1); /* chunks are of no use there */
}

static void every_request_cut_gives_up(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_put_result r;

	w->f.cut_every = true;
	w->f.loses_sessions = true;
	assert_err(push(w, &r, &err), &err, WB_ERR_NET);
	assert_contains(err.text, "sha256:");
	assert_true(w->f.puts + w->f.patches <= 8); /* no storm */
}

static void every_request_cut_still_moves_on(void **state)
{
	struct world *w = *state;
	struct wb_put_result r;

	w->f.cut_every = true; /* after half of each body: half remains each time */
	w->o.chunk_size = SIZE;
	struct wb_err err = WB_ERR_INIT;

	/* The last byte's half is none: it never ends, but every try brings something. */
	assert_err(push(w, &r, &err), &err, WB_ERR_NET);
	assert_true(w->f.uploads.items[0].n >= SIZE - 2);
	w->f.cut_every = false;
	PUSH_OK(w, &r);
	assert_true(r.sent <= 2);
}

static void too_large_bodies_shrink(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_put_result r;
	size_t n = 5 << 20;
	char *big = wb_zalloc(n);

	/* Chunks of a MiB are the smallest that are tried. */
	assert_ok(wb_file_put(w->file, big, n, 0644, WB_FILE_REPLACE, &err), &err);
	wb_descriptor_release(&w->d);
	wb_descriptor_of(&w->d, "application/octet-stream", big, n);
	w->f.body_max = 3 << 19;
	w->o.chunk_size = 0;
	w->o.chunk_from = n + 1; /* one PUT, as it is not large */
	assert_ok(push(w, &r, &err), &err);
	assert_true(learned(w).body_max <= w->f.body_max);
	assert_int_equal(w->f.uploads.items[w->f.uploads.n - 1].n, n);
	w->f.body_max = 1000;
	w->name = "up2";
	assert_err(push(w, &r, &err), &err, WB_ERR_LIMIT);
	assert_contains(err.text, "413");
	assert_contains(err.hint, "limits the size of a request");
	free(big);
}

static void a_few_refusals_are_waited_out(void **state)
{
	struct world *w = *state;
	struct wb_put_result r;

	w->f.fail_status = 429;
	w->f.fail_headers = "Retry-After: 0\r\n";
	w->f.fail_times = 3;
	PUSH_OK(w, &r);
}

static void patience_ends(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_put_result r;

	w->f.fail_status = 429;
	w->f.fail_headers = "Retry-After: 0\r\n";
	w->f.fail_body = "{\"errors\":[{\"code\":\"TOOMANYREQUESTS\",\"message\":\"slow down\"}]}";
	w->f.fail_times = 1000;
	assert_err(push(w, &r, &err), &err, WB_ERR_NET);
	assert_contains(err.text, "TOOMANYREQUESTS: slow down");
	assert_contains(err.hint, "again later");
	assert_true(w->f.fail_times >= 990);
}

static void final_words(void **state)
{
	static const struct {
		int status;
		enum wb_code code;
		const char *body, *text, *hint;
	} t[] = {
		{403, WB_ERR_AUTH, "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no write\"}]}",
			"403 (DENIED: no write)", "log in"},
		{500, WB_ERR_NET,
			"{\"errors\":[{\"code\":\"UNKNOWN\",\"message\":\"unknown error\","
			"\"detail\":{\"Op\":\"write\",\"Err\":28}}]}",
			"disk of \"127.0.0.1", "free some space on the registry"},
		{507, WB_ERR_NET, "", "is full", "free some space"},
		{412, WB_ERR_LIMIT,
			"{\"errors\":[{\"code\":\"DENIED\",\"message\":\"adding 1 GiB will exceed "
			"the configured upper limit of 2 GiB\"}]}",
			"upper limit of", "quota"},
	};
	struct world *w = *state;

	for (size_t i = 0; i < WB_ARRAY_LEN(t); i++) {
		struct wb_err err = WB_ERR_INIT;
		struct wb_put_result r;

		w->f.fail_status = t[i].status;
		w->f.fail_body = t[i].body;
		w->f.fail_times = 100;
		w->o.chunk_from = i % 2 ? 1 : SIZE + 1;
		assert_err(push(w, &r, &err), &err, t[i].code);
		assert_contains(err.text, t[i].text);
		assert_contains(err.hint, t[i].hint);
		assert_int_equal(w->f.fail_times, 99); /* at once */
	}
}

/* A session that is gone between two chunks, or at the end, is another one from the start. */
static void sessions_that_vanish(void **state)
{
	struct world *w = *state;
	struct wb_put_result r;

	for (int whole = 0; whole < 2; whole++) {
		struct wb_err err = WB_ERR_INIT;
		wb_autofree char *name = wb_asprintf("gone%d", whole);

		w->name = name;
		w->f.posts = 0;
		w->o.chunk_from = whole ? SIZE + 1 : 1000;
		w->f.fail_status = 404;
		w->f.fail_times = 1;
		assert_ok(push(w, &r, &err), &err);
		assert_true(w->f.posts >= 2);
	}
	/* It always is: no storm, and the reason. */
	struct wb_err err = WB_ERR_INIT;

	w->name = "never";
	w->f.fail_times = 1000;
	w->f.posts = 0;
	assert_err(push(w, &r, &err), &err, WB_ERR_NET);
	assert_contains(err.text, "dropped the upload");
	assert_true(w->f.posts < 10);
}

/* The closing request says that the digest is another's: once more, whole; then it is final. */
static void digest_refused_twice(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_put_result r;

	w->o.chunk_from = SIZE + 1;
	w->f.fail_status = 400;
	w->f.fail_body = "{\"errors\":[{\"code\":\"DIGEST_INVALID\"}]}";
	w->f.fail_times = 1;
	PUSH_OK(w, &r);
	w->name = "other";
	w->f.fail_times = 1000;
	assert_err(push(w, &r, &err), &err, WB_ERR_NET);
	assert_contains(err.text, "DIGEST_INVALID");
	assert_int_equal(w->f.fail_times, 998);
}

static void sessions_without_a_place(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_put_result r;
	static const char *const bad[] = {"ftp://127.0.0.1/x", "http://", "file:///etc/passwd"};

	w->f.no_location = true;
	assert_err(push(w, &r, &err), &err, WB_ERR_FORMAT);
	assert_contains(err.text, "opened an upload but does not say where");
	w->f.no_location = false;
	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		w->f.bad_location = bad[i];
		wb_err_clear(&err);
		assert_int_equal(push(w, &r, &err), -1);
		assert_int_equal(w->f.bytes_in, 0); /* nothing went anywhere */
	}
}

static void single_posts_are_refused(void **state)
{
	struct world *w = *state;
	struct wb_put_result r;

	w->f.post_status = 400;
	w->o.chunk_from = SIZE + 1;
	PUSH_OK(w, &r);
	assert_int_equal(w->f.posts, 2); /* with the blob, then for a session */
	assert_int_equal(w->f.puts, 1);
}

static void count_progress(void *arg, uint64_t done)
{
	*(uint64_t *)arg = done;
}

static void told_and_stopped(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_put_result r;
	struct wb_blob_source src = {.path = w->file, .whole_file = true, .trusted = true};
	uint64_t done = 0;
	atomic_bool stop = true;
	struct wb_put_opts opts = {
		.progress = count_progress, .progress_arg = &done, .stop = &stop};
	struct wb_transport *t = open_registry(w);

	assert_err(wb_transport_put_blob(&r, t, &w->d, &src, &opts, &err), &err, WB_ERR_CANCELLED);
	fake_settle(&w->f);
	stop = false;
	assert_ok(wb_transport_put_blob(&r, t, &w->d, &src, &opts, &err), &err);
	assert_int_equal(done, SIZE);
	assert_there(w);
	wb_transport_free(t);
}

/* The bytes on this side end before the descriptor says: no fault of the registry's. */
static int short_memory(struct wb_reader **out, void *arg, uint64_t offset, struct wb_err *err)
{
	if (from_memory(out, arg, offset, err))
		return -1;
	((struct memory_reader *)*out)->n -= 1234;
	return 0;
}

static void sources_that_end_early(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_put_result r;
	struct wb_blob_source src = {.open = short_memory, .arg = w->data};
	struct wb_blob_source gone = {
		.path = "/nonexistent/blob", .whole_file = true, .trusted = true};
	struct wb_transport *t = open_registry(w);

	assert_err(wb_transport_put_blob(&r, t, &w->d, &src, NULL, &err), &err, WB_ERR_INTEGRITY);
	assert_contains(err.text, "ends after 8766 of 10000 bytes");
	assert_int_equal(wb_transport_put_blob(&r, t, &w->d, &gone, NULL, &err), -1);
	assert_contains(err.text, "/nonexistent/blob");
	fake_settle(&w->f);
	wb_transport_free(t);
}

/* What another run left behind is of no use where sessions do not outlive an interruption. */
static void a_left_session_is_given_up(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_put_result r;
	wb_autofree char *host = wb_asprintf("127.0.0.1:%u", w->f.s.port);

	w->f.single_post = true;
	for (int lost = 0; lost < 2; lost++) {
		wb_autofree char *name = wb_asprintf("left%d", lost);

		w->name = name;
		assert_ok(wb_file_put(w->file, w->data, SIZE, 0644, WB_FILE_REPLACE, &err), &err);
		assert_int_equal(truncate(w->file, 6000), 0);
		assert_err(push(w, &r, &err), &err, WB_ERR_IO);
		assert_ok(wb_file_put(w->file, w->data, SIZE, 0644, WB_FILE_REPLACE, &err), &err);
		if (lost) /* the registry restarted */
			for (size_t i = 0; i < w->f.uploads.n; i++)
				w->f.uploads.items[i].gone = true;
		else
			wb_quirks_learn(w->quirks, host, WB_LESSON_SESSION_LOST, 0);
		assert_ok(push(w, &r, &err), &err);
		assert_int_equal(r.sent, SIZE);
		assert_int_equal(learned(w).session, WB_SESSION_NONE);
		wb_quirks_memory_free(w->quirks);
		w->quirks = w->o.quirks = wb_quirks_memory_new(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(chunks_then_present),
		T(small_in_one_put),
		T(small_in_one_post),
		T(from_a_stream_over_a_cut),
		T(empty_blob),
		T(a_cut_chunk_goes_on),
		T(another_process_goes_on),
		T(refused_chunks_become_one_put),
		T(chunk_refused_by_416),
		T(early_201_is_not_believed),
		T(lying_range_is_not_followed),
		T(lying_range_and_a_cut),
		T(inflated_status_ends_in_a_restart),
		T(lost_session_restarts_that_blob),
		T(every_request_cut_gives_up),
		T(every_request_cut_still_moves_on),
		T(too_large_bodies_shrink),
		T(a_few_refusals_are_waited_out),
		T(patience_ends),
		T(final_words),
		T(sessions_that_vanish),
		T(digest_refused_twice),
		T(sessions_without_a_place),
		T(single_posts_are_refused),
		T(told_and_stopped),
		T(sources_that_end_early),
		T(a_left_session_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
