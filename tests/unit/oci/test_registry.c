/* Reading from a registry, manifests and referrers; uploads are in test_upload.c. */
#include "wbtest.h"

#include "base/json.h"
#include "base/log.h"
#include "oci/fakeregistry.h"
#include "oci/mediatype.h"
#include "oci/registry.h"

#define SIZE (3u << 20)

#define INDEX "{\"schemaVersion\":2,\"mediaType\":\"" WB_MT_OCI_INDEX "\",\"manifests\":[]}"

struct world {
	struct fake f;
	char *data;
	struct wb_descriptor d;
	struct wb_registry_opts o;
	struct wb_transport *t;
	unsigned warnings;
};

static int setup(void **state)
{
	struct world *w = wb_zalloc(sizeof(*w));
	struct wb_err err = WB_ERR_INIT;
	struct wb_place p = WB_PLACE_INIT;

	setenv("DOCKER_CONFIG", "/nonexistent", 1);
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	unsetenv("REGISTRY_AUTH_FILE");
	fake_start(&w->f);
	w->data = wb_alloc(SIZE);
	for (size_t i = 0; i < SIZE; i++)
		w->data[i] = (char)(i * 7 + i / 256);
	wb_descriptor_of(&w->d, "application/octet-stream", w->data, SIZE);
	fake_add(&w->f, false, "a/b", wb_digest_text(&w->d.digest).s, NULL, w->data, SIZE);
	fake_add(&w->f, true, "a/b", "t", WB_MT_OCI_INDEX, INDEX, strlen(INDEX));
	w->o.http = (struct wb_http_opts){.backoff_unit_s = 0.01, .retries = 2};
	wb_autofree char *text = wb_asprintf("docker://127.0.0.1:%u/a/b:t", w->f.s.port);

	assert_ok(wb_place_parse(&p, text, &err), &err);
	w->t = wb_registry_open(&p, &w->o, WB_TRANSPORT_READ, &err);
	wb_place_release(&p);
	*state = w;
	return w->t ? 0 : -1;
}

static int teardown(void **state)
{
	struct world *w = *state;

	wb_transport_free(w->t);
	fake_stop(&w->f);
	wb_descriptor_release(&w->d);
	free(w->data);
	free(w);
	return 0;
}

/* Reads the whole blob in pieces of the given size and compares it. */
static int read_all(struct world *w, size_t piece, struct wb_err *err)
{
	WB_AUTO(wb_reader_closep) struct wb_reader *r = NULL;
	wb_autofree char *buf = wb_alloc(piece);
	size_t got = 1, n = 0;

	if (wb_transport_open_blob(&r, w->t, &w->d, err))
		return -1;
	while (got) {
		if (wb_reader_read(r, buf, piece, &got, err))
			return -1;
		assert_true(n + got <= SIZE);
		assert_memory_equal(buf, w->data + n, got);
		n += got;
	}
	assert_int_equal(n, SIZE);
	return 0;
}

static void blobs(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_descriptor other = WB_DESCRIPTOR_INIT;
	bool there;

	assert_ok(read_all(w, 1 << 16, &err), &err);
	assert_ok(read_all(w, 7001, &err), &err);
	assert_ok(wb_transport_has_blob(&there, w->t, &w->d, &err), &err);
	assert_true(there);
	wb_descriptor_of(&other, "application/octet-stream", "x", 1);
	assert_ok(wb_transport_has_blob(&there, w->t, &other, &err), &err);
	assert_false(there);
	/* The connection is used again, not one for each. */
	assert_true(atomic_load(&w->f.s.connections) <= 2);
	wb_descriptor_release(&other);
}

static void broken_responses_go_on(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	w->f.short_blobs = true; /* half of what was asked for, each time */
	assert_ok(read_all(w, 1 << 16, &err), &err);
	assert_true(w->f.gets > 5 && w->f.gets < 20);
}

static void range_ignored(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	/* Every answer begins at 0 and breaks off in the middle: it cannot end, and does not try
	 * for ever. */
	w->f.short_blobs = w->f.ignore_range = true;
	assert_err(read_all(w, 1 << 16, &err), &err, WB_ERR_NET);
	assert_true(w->f.gets <= 8);
}

static void from_an_offset(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	char buf[1000];
	size_t got;

	for (int i = 0; i < 2; i++) {
		struct wb_reader *r = NULL;

		w->f.ignore_range = i;
		assert_ok(w->t->ops->open_blob(&r, w->t, &w->d, 12345, &err), &err);
		assert_ok(wb_reader_read(r, buf, sizeof(buf), &got, &err), &err);
		assert_memory_equal(buf, w->data + 12345, got);
		wb_reader_close(r);
	}
}

static void wrong_bytes(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_reader_closep) struct wb_reader *r = NULL;
	struct wb_descriptor small = WB_DESCRIPTOR_INIT;
	char *out = NULL;

	wb_descriptor_of(&small, "application/octet-stream", "hello", 5);
	fake_add(&w->f, false, "a/b", wb_digest_text(&small.digest).s, NULL, "hello", 5);
	w->f.wrong_bytes = "jello";
	assert_err(
		wb_transport_read_blob(&out, w->t, &small, 100, "x", &err), &err, WB_ERR_INTEGRITY);
	w->f.wrong_bytes = "hello world"; /* more than there should be */
	assert_err(
		wb_transport_read_blob(&out, w->t, &small, 100, "x", &err), &err, WB_ERR_INTEGRITY);
	w->f.wrong_bytes = "hell";
	assert_err(
		wb_transport_read_blob(&out, w->t, &small, 100, "x", &err), &err, WB_ERR_INTEGRITY);
	assert_contains(err.text, "ends after 4 of 5");
	w->f.wrong_bytes = NULL;
	assert_ok(wb_transport_read_blob(&out, w->t, &small, 100, "x", &err), &err);
	assert_string_equal(out, "hello");
	free(out);
	wb_descriptor_release(&small);
}

static void missing_blob(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_descriptor d = WB_DESCRIPTOR_INIT;
	char *out = NULL;

	wb_descriptor_of(&d, "application/octet-stream", "x", 1);
	assert_err(wb_transport_read_blob(&out, w->t, &d, 100, "x", &err), &err, WB_ERR_NOT_FOUND);
	assert_contains(err.text, "BLOB_UNKNOWN: no such blob");
	wb_descriptor_release(&d);
}

static void tags_and_digests(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_document doc = WB_DOCUMENT_INIT, again = WB_DOCUMENT_INIT;

	assert_ok(wb_transport_resolve(&doc, w->t, NULL, &err), &err);
	assert_string_equal(doc.bytes, INDEX);
	assert_string_equal(doc.desc.media_type, WB_MT_OCI_INDEX);
	fake_add(&w->f, true, "a/b", wb_digest_text(&doc.desc.digest).s, WB_MT_OCI_INDEX, INDEX,
		strlen(INDEX));
	assert_ok(wb_transport_get_manifest(&again, w->t, &doc.desc, &err), &err);
	assert_true(wb_digest_equal(&again.desc.digest, &doc.desc.digest));
	bool there = false;

	assert_ok(wb_transport_has_manifest(&there, w->t, &doc.desc, &err), &err);
	assert_true(there);
	wb_document_release(&again);
	assert_err(wb_transport_resolve(&again, w->t, "nope", &err), &err, WB_ERR_NOT_FOUND);
	assert_contains(err.text, "MANIFEST_UNKNOWN");
	assert_err(wb_transport_resolve(&again, w->t, "no/tag", &err), &err, WB_ERR_USAGE);
	/* Under a digest that its bytes do not have. */
	char other[] = "sha256:"
		       "0102030000000000000000000000000000000000000000000000000000000000";

	fake_add(&w->f, true, "a/b", other, WB_MT_OCI_INDEX, INDEX, strlen(INDEX));
	assert_err(wb_transport_resolve(&again, w->t, other, &err), &err, WB_ERR_INTEGRITY);
	wb_document_release(&doc);
}

static void type_confusion(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_document doc = WB_DOCUMENT_INIT;

	w->f.wrong_type = WB_MT_OCI_MANIFEST;
	assert_err(wb_transport_resolve(&doc, w->t, NULL, &err), &err, WB_ERR_FORMAT);
	assert_contains(err.text, "states the type");
	w->f.wrong_type = WB_MT_OCI_INDEX "; charset=utf-8";
	assert_ok(wb_transport_resolve(&doc, w->t, NULL, &err), &err);
	wb_document_release(&doc);
	w->f.wrong_type = "text/plain"; /* says nothing: the document's own counts */
	assert_ok(wb_transport_resolve(&doc, w->t, NULL, &err), &err);
	assert_string_equal(doc.desc.media_type, WB_MT_OCI_INDEX);
	wb_document_release(&doc);
}

static void count_warning(void *arg, enum wb_level level, const char *line)
{
	struct world *w = arg;

	w->warnings += level == WB_LOG_WARNING && strstr(line, "says: moved to \"new\"");
}

static void warnings_are_shown_once(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_document doc = WB_DOCUMENT_INIT;

	w->f.warning = "Warning: 299 - \"moved to \"new\"\"\r\n";
	wb_log_set_sink(count_warning, w);
	for (int i = 0; i < 3; i++) {
		assert_ok(wb_transport_resolve(&doc, w->t, NULL, &err), &err);
		wb_document_release(&doc);
	}
	wb_log_set_sink(NULL, NULL);
	assert_int_equal(w->warnings, 1);
}

static void login(struct world *w, const char *dir, const char *entry)
{
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *path = wb_asprintf("%s/auth.json", dir);
	wb_autofree char *json =
		wb_asprintf("{\"auths\":{\"127.0.0.1:%u\":{%s}}}", w->f.s.port, entry);
	struct wb_place p = WB_PLACE_INIT;
	wb_autofree char *text = wb_asprintf("docker://127.0.0.1:%u/a/b:t", w->f.s.port);

	assert_ok(wb_file_put(path, json, strlen(json), 0600, WB_FILE_REPLACE, &err), &err);
	setenv("REGISTRY_AUTH_FILE", path, 1);
	wb_transport_free(w->t);
	assert_ok(wb_place_parse(&p, text, &err), &err);
	w->t = wb_registry_open(&p, &w->o, WB_TRANSPORT_READ, &err);
	wb_place_release(&p);
	unsetenv("REGISTRY_AUTH_FILE");
	assert_non_null(w->t);
}

/* A blob may outlive the token that its first request had. */
static void blobs_behind_a_login(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	char *dir = wbtest_dir();

	login(w, dir, "\"auth\":\"bWU6cHc=\"");
	w->f.auth = "bearer";
	w->f.token_uses = 1;
	w->f.short_blobs = true;
	assert_ok(read_all(w, 1 << 16, &err), &err);
	assert_true(w->f.tokens > 3);
	/* One that is never good enough ends it. */
	w->f.never_in = true;
	w->f.tokens = 0;
	assert_err(read_all(w, 1 << 16, &err), &err, WB_ERR_AUTH);
	assert_contains(err.text, "does not allow this to \"me\"");
	assert_true(w->f.tokens <= 2);
	login(w, dir, "\"auth\":\"bWU6bm8=\"");
	w->f.tokens = 0;
	for (int i = 0; i < 2; i++) {
		assert_err(read_all(w, 1 << 16, &err), &err, WB_ERR_AUTH);
		assert_contains(err.text, "refused the login of \"me\"");
	}
	assert_int_equal(w->f.tokens, 1); /* a wrong password is sent once: accounts get locked */
	wbtest_rmdir(dir);
}

static void refusals_of_all_kinds(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_document doc = WB_DOCUMENT_INIT;
	char *dir = wbtest_dir();
	wb_autofree char *bearer =
		wb_asprintf("WWW-Authenticate: Bearer realm=\"http://127.0.0.1:%u/token\","
			    "scope=\"repository:a/b:pull registry:catalog:*\"\r\n",
			w->f.s.port);
	wb_autofree char *invalid =
		wb_asprintf("WWW-Authenticate: Bearer realm=\"http://127.0.0.1:%u/token\","
			    "error=\"invalid_token\"\r\n",
			w->f.s.port);
	const struct {
		const char *entry, *challenges;
		enum wb_code code;
		const char *text;
	} cases[] = {
		{"", "WWW-Authenticate: Negotiate\r\n", WB_ERR_UNSUPPORTED,
			"a login of the kind \"Negotiate\""},
		{"", "", WB_ERR_AUTH, "wants a login, and there is none"},
		{"", "WWW-Authenticate: Basic realm=\"x\"\r\n", WB_ERR_AUTH,
			"wants a login, and there is none"},
		{"", "WWW-Authenticate: Bearer service=\"x\"\r\n", WB_ERR_UNSUPPORTED,
			"\"Bearer\""},
		{"\"auth\":\"bWU6cHc=\"", bearer, WB_ERR_AUTH, "does not allow this to \"me\""},
		{"\"auth\":\"bWU6cHc=\"", invalid, WB_ERR_AUTH, "does not accept the token that"},
		{"\"auth\":\"bWU6cHc=\"", "WWW-Authenticate: Basic realm=\"x\"\r\n", WB_ERR_AUTH,
			"refused the login of \"me\""},
		{"\"auth\":\"bWU6cHc=\"", "WWW-Authenticate: =\r\n", WB_ERR_FORMAT, ""},
	};

	w->f.auth = "bearer";
	w->f.never_in = true;
	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++) {
		login(w, dir, cases[i].entry);
		w->f.challenges = cases[i].challenges;
		assert_err(wb_transport_resolve(&doc, w->t, NULL, &err), &err, cases[i].code);
		assert_contains(err.text, cases[i].text);
	}
	/* What the registry asks for besides is asked for, and nothing twice. */
	login(w, dir, "\"auth\":\"bWU6cHc=\"");
	w->f.challenges = bearer;
	assert_err(wb_transport_resolve(&doc, w->t, NULL, &err), &err, WB_ERR_AUTH);
	assert_contains(w->f.token_query,
		"scope=repository%3Aa%2Fb%3Apull&scope=registry%3Acatalog%3A%2A&");
	wbtest_rmdir(dir);
}

static void heads_of_all_kinds(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	static const int quiet[] = {400, 403, 404, 405};
	bool there = true;

	for (size_t i = 0; i < WB_ARRAY_LEN(quiet); i++) {
		w->f.head_status = quiet[i];
		assert_ok(wb_transport_has_blob(&there, w->t, &w->d, &err), &err);
		assert_false(there);
	}
	w->f.head_status = 500;
	assert_err(wb_transport_has_blob(&there, w->t, &w->d, &err), &err, WB_ERR_NET);
	assert_contains(err.text, "asking for the blob sha256:");
	w->f.head_status = 0;
	assert_ok(wb_transport_announce(w->t, &w->d, 1, &err), &err);
	assert_ok(wb_transport_announce(w->t, NULL, 0, &err), &err);
}

static void another_part_is_not_taken(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	w->f.short_blobs = w->f.wrong_range = true;
	assert_err(read_all(w, 1 << 16, &err), &err, WB_ERR_FORMAT);
	assert_contains(err.text, "with another part");
}

static void places_that_do_not_fit(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	static const char *const bad[] = {"oci:dir",
		"docker://127.0.0.1:1/a:t@sha256:"
		"0102030000000000000000000000000000000000000000000000000000000000"};

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		WB_AUTO(wb_place_release) struct wb_place p = WB_PLACE_INIT;

		assert_ok(wb_place_parse(&p, bad[i], &err), &err);
		wb_err_clear(&err);
		assert_null(wb_registry_open(&p, NULL, WB_TRANSPORT_WRITE, &err));
		assert_int_equal(err.code, WB_ERR_USAGE);
	}
	/* Nobody there at all. */
	WB_AUTO(wb_place_release) struct wb_place p = WB_PLACE_INIT;
	struct wb_registry_opts o = {
		.http = {.backoff_unit_s = 0.01, .retries = 1, .tls_insecure = true}};
	struct wb_descriptor layer = {.size = UINT64_C(11) << 30};
	struct wb_document doc = WB_DOCUMENT_INIT;
	bool there;

	assert_ok(wb_place_parse(&p, "docker://127.0.0.1:1/a:t", &err), &err);
	struct wb_transport *t = wb_registry_open(&p, &o, WB_TRANSPORT_WRITE, &err);

	assert_err(wb_transport_resolve(&doc, t, NULL, &err), &err, WB_ERR_NET);
	assert_err(wb_transport_has_blob(&there, t, &layer, &err), &err, WB_ERR_NET);
	assert_err(wb_transport_has_manifest(&there, t, &layer, &err), &err, WB_ERR_NET);
	wb_transport_free(t);
	/* A layer that the registry is known not to take is refused before anything is sent. */
	wb_place_release(&p);
	assert_ok(wb_place_parse(&p, "docker://ghcr.io/a/b:t", &err), &err);
	t = wb_registry_open(&p, &o, WB_TRANSPORT_WRITE, &err);
	assert_err(wb_transport_check_image(t, &layer, 1, &err), &err, WB_ERR_LIMIT);
	wb_transport_free(t);
	o.no_limits = true;
	t = wb_registry_open(&p, &o, WB_TRANSPORT_WRITE, &err);
	assert_ok(wb_transport_check_image(t, &layer, 1, &err), &err);
	wb_transport_free(t);
}

static void put_doc(struct world *w, const char *text, bool root, const char *tag)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_document doc = WB_DOCUMENT_INIT;

	wb_document_set(&doc, WB_MT_OCI_MANIFEST, wb_strdup(text), strlen(text));
	assert_ok(wb_transport_put_manifest(
			  w->t, &doc, &(struct wb_manifest_put){.root = root, .tag = tag}, &err),
		&err);
	wb_document_release(&doc);
}

static void manifests_by_tag_and_digest(void **state)
{
	struct world *w = *state;
	const char *text = "{\"schemaVersion\":2,\"layers\":[]}";
	wb_autofree char *digest = fake_digest(text, strlen(text));
	wb_autofree char *key = wb_asprintf("a/b %s", digest);

	put_doc(w, text, false, NULL); /* a child: by digest alone */
	assert_non_null(fake_find(&w->f, true, key));
	assert_string_equal(fake_find(&w->f, true, key)->type, WB_MT_OCI_MANIFEST);
	assert_string_equal(fake_find(&w->f, true, "a/b t")->data, INDEX);
	put_doc(w, text, true, NULL); /* the place's own tag */
	assert_string_equal(fake_find(&w->f, true, "a/b t")->data, text);
	put_doc(w, text, true, "other");
	assert_non_null(fake_find(&w->f, true, "a/b other"));
}

static void referrers_without_an_api(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest subject = {{0xab, 0xcd}};
	wb_autofree char *tag = wb_asprintf("sha256-%s", wb_digest_hex(&subject).s);
	wb_autofree char *key = wb_asprintf("a/b %s", tag);
	wb_autofree char *one = wb_asprintf("{\"schemaVersion\":2,\"artifactType\":\"x/sig\","
					    "\"config\":{\"mediaType\":\"c/c\"},\"layers\":[],"
					    "\"subject\":{\"digest\":\"%s\"},"
					    "\"annotations\":{\"k\":\"v\"}}",
		wb_digest_text(&subject).s);
	wb_autofree char *two = wb_asprintf("{\"schemaVersion\":2,\"config\":{\"mediaType\":"
					    "\"x/sbom\"},\"layers\":[],"
					    "\"subject\":{\"digest\":\"%s\"}}",
		wb_digest_text(&subject).s);

	w->f.no_referrers = true;
	put_doc(w, one, false, NULL);
	put_doc(w, two, false, NULL);
	put_doc(w, one, false, NULL); /* no second entry */
	const struct fake_blob *index = fake_find(&w->f, true, key);

	assert_non_null(index);
	wb_autojson json_t *list = wb_json_parse(index->data, index->n, "referrers", &err);
	json_t *entries = json_object_get(list, "manifests");

	assert_int_equal(json_array_size(entries), 2);
	assert_string_equal(wb_json_str_opt(json_array_get(entries, 0), "artifactType"), "x/sig");
	assert_non_null(json_object_get(json_array_get(entries, 0), "annotations"));
	assert_string_equal(wb_json_str_opt(json_array_get(entries, 1), "artifactType"), "x/sbom");
}

/* What stands under the tag is the registry's word: it is not added to when it is no list. */
static void referrers_tag_is_something_else(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest subject = {{0xab, 0xcd}};
	wb_autofree char *tag = wb_asprintf("sha256-%s", wb_digest_hex(&subject).s);
	wb_autofree char *text =
		wb_asprintf("{\"schemaVersion\":2,\"layers\":[],\"subject\":{\"digest\":\"%s\"}}",
			wb_digest_text(&subject).s);
	static const char *const under_tag[] = {"{\"manifests\":{}}", "{", "[]"};

	w->f.no_referrers = true;
	for (size_t i = 0; i < WB_ARRAY_LEN(under_tag); i++) {
		WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;

		fake_settle(&w->f);
		fake_add(&w->f, true, "a/b", tag, WB_MT_OCI_INDEX, under_tag[i],
			strlen(under_tag[i]));
		wb_document_set(&doc, WB_MT_OCI_MANIFEST, wb_strdup(text), strlen(text));
		assert_err(
			wb_transport_put_manifest(w->t, &doc, &(struct wb_manifest_put){0}, &err),
			&err, WB_ERR_FORMAT);
	}
}

static void referrers_with_an_api(void **state)
{
	struct world *w = *state;
	struct wb_digest subject = {{0xab, 0xcd}};
	wb_autofree char *key = wb_asprintf("a/b sha256-%s", wb_digest_hex(&subject).s);
	wb_autofree char *one =
		wb_asprintf("{\"schemaVersion\":2,\"layers\":[],\"subject\":{\"digest\":\"%s\"}}",
			wb_digest_text(&subject).s);

	put_doc(w, one, false, NULL);
	assert_null(fake_find(&w->f, true, key)); /* the registry keeps the list itself */
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(blobs),
		T(broken_responses_go_on),
		T(range_ignored),
		T(from_an_offset),
		T(wrong_bytes),
		T(missing_blob),
		T(tags_and_digests),
		T(type_confusion),
		T(blobs_behind_a_login),
		T(refusals_of_all_kinds),
		T(heads_of_all_kinds),
		T(another_part_is_not_taken),
		T(places_that_do_not_fit),
		T(warnings_are_shown_once),
		T(manifests_by_tag_and_digest),
		T(referrers_without_an_api),
		T(referrers_tag_is_something_else),
		T(referrers_with_an_api),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
