/* https://: what the first byte of a file tells about it, from servers of all kinds. */
#include "answers.h"

static int list(struct wb_listing *l, struct answers *a, const char *path, const char *secret,
	struct answer it, struct wb_err *err)
{
	wb_autofree char *uri = wb_asprintf("%s%s", a->url, path);
	WB_AUTO(source_clear) struct wb_source src;

	it.match = "GET /";
	answers_clear(a);
	answers_add(a, it);
	source_make(&src, uri, secret);
	return answers_list(l, a, &src, err);
}

static void sizes_and_marks(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	static const struct {
		struct answer answer;
		uint64_t size;
		const char *etag;
		bool identity;
	} cases[] = {
		{{.status = 206,
			 .headers = "Content-Range: bytes 0-0/12345\r\nETag: \"e1\"\r\n",
			 .body = "x"},
			12345, "e1", true},
		/* A weak one says nothing of the bytes; the date does. */
		{{.status = 206,
			 .headers = "Content-Range: bytes 0-0/5\r\nETag: W/\"e\"\r\nLast-Modified: "
				    "Mon\r\n",
			 .body = "x"},
			5, "", true},
		{{.status = 206,
			 .headers = "Content-Range: bytes 0-0/*\r\nETag: \"e\"\r\n",
			 .body = "x"},
			WB_SIZE_UNKNOWN, "e", false},
		{{.status = 206, .headers = "Content-Range: bytes 0-0/-5\r\n", .body = "x"},
			WB_SIZE_UNKNOWN, "", false},
		{{.status = 206, .body = "x"}, WB_SIZE_UNKNOWN, "", false},
		/* Knows no ranges. */
		{{.status = 200, .headers = "ETag: \"e\"\r\n", .body = "hello"}, 5, "e", true},
		{{.status = 200, .body = "hello"}, 5, "", false},
		/* Bytes that are no text are no mark: they could not stand in a lockfile. */
		{{.status = 200,
			 .headers = "ETag: \"\xff\xfe\"\r\nLast-Modified: \xff\r\n",
			 .body = "hello"},
			5, "", false},
		{{.status = 200,
			 .headers = "ETag: \"\xff\"\r\nLast-Modified: Mon\r\n",
			 .body = "hello"},
			5, "", true},
		/* An empty file has no first byte. */
		{{.status = 416, .headers = "Content-Range: bytes */0\r\n"}, 0, "", false},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++) {
		assert_ok(
			list(&l, a, "/d/model.bin?sig=secret1", NULL, cases[i].answer, &err), &err);
		assert_int_equal(l.files.n, 1);
		const struct wb_remote_file *f = &l.files.items[0];

		assert_string_equal(f->path, "model.bin");
		assert_int_equal(f->size, cases[i].size);
		assert_string_equal(f->etag, cases[i].etag);
		assert_int_equal(f->identity != NULL, cases[i].identity);
		assert_int_equal(answers_count(a, "Range: bytes=0-0"), 1);
	}
	/* A page for people in place of the file. */
	assert_ok(list(&l, a, "/model.bin", NULL,
			  (struct answer){.status = 200,
				  .headers = "Content-Type: text/html\r\n",
				  .body = "<html>"},
			  &err),
		&err);
	assert_contains(a->log.text, "answers with a web page, which is hardly \"model.bin\"");
	assert_ok(list(&l, a, "/x.html", NULL,
			  (struct answer){.status = 200,
				  .headers = "Content-Type: text/html\r\n",
				  .body = "<html>"},
			  &err),
		&err);
	assert_string_equal(a->log.text, "");
}

static void refusals(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;

	assert_err(list(&l, a, "/x?sig=s3cr3t", NULL, (struct answer){.status = 404}, &err), &err,
		WB_ERR_NOT_FOUND);
	assert_null(strstr(err.text, "s3cr3t"));
	assert_err(
		list(&l, a, "/x", NULL, (struct answer){.status = 403}, &err), &err, WB_ERR_AUTH);
	assert_contains(err.hint, "a signed address may have expired");
	/* 416 of a file that is not empty is no answer to a request for its first byte. */
	assert_int_equal(
		list(&l, a, "/x", NULL,
			(struct answer){.status = 416, .headers = "Content-Range: bytes */5\r\n"},
			&err),
		-1);
	assert_int_equal(list(&l, a, "/x", NULL,
				 (struct answer){.status = 302,
					 .headers = "Location: file:///etc/passwd\r\n"},
				 &err),
		-1);
	assert_err(
		list(&l, a, "/x", "web", (struct answer){.status = 200}, &err), &err, WB_ERR_AUTH);
	assert_contains(err.text, "the secret \"web\" was not found");
	setenv("WBUILD_SECRET_WEB", "t0ken", 1);
	assert_err(
		list(&l, a, "/x", "web", (struct answer){.status = 401}, &err), &err, WB_ERR_AUTH);
	assert_contains(err.hint, "\"web\" is not accepted");
	assert_int_equal(answers_count(a, "Authorization: Bearer t0ken"), 1);
	setenv("WBUILD_SECRET_WEB", "Basic dTpw", 1);
	assert_ok(
		list(&l, a, "/x", "web", (struct answer){.status = 200, .body = "1"}, &err), &err);
	assert_int_equal(answers_count(a, "Authorization: Basic dTpw"), 1);
	unsetenv("WBUILD_SECRET_WEB");
	assert_err(
		list(&l, a, "/x", "..", (struct answer){.status = 200}, &err), &err, WB_ERR_CONFIG);
}

/* Nobody there: the engine's own words, and where in the config. */
static void no_server(void **state)
{
	struct answers *a = *state;

	answers_refuse(a, "http://127.0.0.1:1/x", NULL, WB_ERR_NET, "127.0.0.1:1", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_and_marks),
		cmocka_unit_test(refusals),
		cmocka_unit_test(no_server),
	};

	return cmocka_run_group_tests(tests, answers_setup, answers_teardown);
}
