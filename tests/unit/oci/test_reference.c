#include "wbtest.h"

#include "oci/reference.h"

#define HEX "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define DIGEST "sha256:" HEX

static void test_parse(void **state)
{
	static const struct {
		const char *text, *host, *name, *tag, *familiar;
		bool digest;
	} cases[] = {
		{"debian", "docker.io", "library/debian", NULL, "debian", false},
		{"debian:12", "docker.io", "library/debian", "12", "debian:12", false},
		{"vllm/vllm-openai:v0.9", "docker.io", "vllm/vllm-openai", "v0.9",
			"vllm/vllm-openai:v0.9", false},
		{"index.docker.io/library/debian", "docker.io", "library/debian", NULL, "debian",
			false},
		{"docker.io/debian@" DIGEST, "docker.io", "library/debian", NULL, "debian@" DIGEST,
			true},
		{"debian:12@" DIGEST, "docker.io", "library/debian", "12", "debian:12@" DIGEST,
			true},
		{"localhost/a/b", "localhost", "a/b", NULL, "localhost/a/b", false},
		{"localhost:5000/a", "localhost:5000", "a", NULL, "localhost:5000/a", false},
		{"localhost:5000", "docker.io", "library/localhost", "5000", "localhost:5000",
			false},
		{"[::1]:5000/a:t", "[::1]:5000", "a", "t", "[::1]:5000/a:t", false},
		{"ghcr.io/o/n.x_y__z-----w:T_.-1", "ghcr.io", "o/n.x_y__z-----w", "T_.-1",
			"ghcr.io/o/n.x_y__z-----w:T_.-1", false},
		{"HOST/name", "HOST", "name", NULL, "HOST/name", false},
		{"127.0.0.1:65535/x/y/z", "127.0.0.1:65535", "x/y/z", NULL, "127.0.0.1:65535/x/y/z",
			false},
	};
	struct wb_err err = WB_ERR_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++) {
		WB_AUTO(wb_reference_release) struct wb_reference r = WB_REFERENCE_INIT;
		WB_AUTO(wb_reference_release) struct wb_reference again = WB_REFERENCE_INIT;

		assert_ok(wb_reference_parse(&r, cases[i].text, &err), &err);
		assert_string_equal(r.host, cases[i].host);
		assert_string_equal(r.name, cases[i].name);
		assert_int_equal(r.has_digest, cases[i].digest);
		if (cases[i].tag)
			assert_string_equal(r.tag, cases[i].tag);
		else
			assert_null(r.tag);
		wb_autofree char *familiar = wb_reference_familiar(&r);
		wb_autofree char *text = wb_reference_text(&r);

		assert_string_equal(familiar, cases[i].familiar);
		assert_ok(wb_reference_parse(&again, text, &err), &err);
		wb_autofree char *same = wb_reference_text(&again);

		assert_string_equal(text, same);
	}
}

static void test_default_tag(void **state)
{
	WB_AUTO(wb_reference_release) struct wb_reference r = WB_REFERENCE_INIT;
	WB_AUTO(wb_reference_release) struct wb_reference pinned = WB_REFERENCE_INIT;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_reference_parse(&r, "a/b", &err), &err);
	wb_reference_default_tag(&r);
	assert_string_equal(r.tag, "latest");
	assert_ok(wb_reference_parse(&pinned, "a/b@" DIGEST, &err), &err);
	wb_reference_default_tag(&pinned);
	assert_null(pinned.tag);
}

static void test_refuses(void **state)
{
	static const char *const bad[] = {"", ":", "@", "a:", "a@", "a//b", "/a", "a/", "a b", "A",
		"a/B", "a:t:u", "a@sha256:00", "a@" DIGEST "0", "a@sha512:" HEX, "https://h/a",
		"./dir", "../dir", "~/dir", "-a", "a-", "a_", "a___b", "a..b", "a._b", "a:.t",
		"a:-t", "h..x/a", "-h.x/a", "h.x-/a", "h-.x/a", "h.x:/a", "h.x:123456/a",
		"h.x:1x/a", "[::1/a", "[]:1/a", "[g]/a", "h.x/", "a\n", "\x1b[31m", "a/\xc3\xa9",
		"a:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	struct wb_err err = WB_ERR_INIT;
	struct wb_reference r = WB_REFERENCE_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		wb_err_clear(&err);
		if (!wb_reference_parse(&r, bad[i], &err))
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(err.code, WB_ERR_USAGE);
		assert_null(strchr(err.text, '\x1b'));
	}
	wb_autofree char *longest = wb_zalloc(300);

	memset(longest, 'a', 245);
	assert_err(wb_reference_parse(&r, longest, &err), &err, WB_ERR_USAGE); /* + library/ */
	memcpy(longest, "h.x/", 4);
	assert_ok(wb_reference_parse(&r, longest, &err), &err);
	wb_reference_release(&r);
	assert_null(r.host);
}

static void test_place(void **state)
{
	static const struct {
		const char *text;
		enum wb_place_kind kind;
		const char *path, *again;
	} cases[] = {
		{"oci:dir", WB_PLACE_LAYOUT, "dir", "oci:dir"},
		{"oci:./a dir/x:v1", WB_PLACE_LAYOUT, "./a dir/x", "oci:./a dir/x:v1"},
		{"oci:dir:", WB_PLACE_LAYOUT, "dir", "oci:dir"},
		{"oci:/x:docker.io/library/a:b", WB_PLACE_LAYOUT, "/x",
			"oci:/x:docker.io/library/a:b"},
		{"oci:dir@" DIGEST, WB_PLACE_LAYOUT, "dir", "oci:dir@" DIGEST},
		{"oci-archive:a.tar:t", WB_PLACE_ARCHIVE, "a.tar", "oci-archive:a.tar:t"},
		{"docker-archive:a.tar", WB_PLACE_DOCKER_ARCHIVE, "a.tar", "docker-archive:a.tar"},
		{"docker-archive:a.tar:x/y", WB_PLACE_DOCKER_ARCHIVE, "a.tar",
			"docker-archive:a.tar:docker.io/x/y:latest"},
		{"docker://debian", WB_PLACE_REGISTRY, NULL,
			"docker://docker.io/library/debian:latest"},
		{"ghcr.io/a/b@" DIGEST, WB_PLACE_REGISTRY, NULL, "docker://ghcr.io/a/b@" DIGEST},
		{"dir:5000/a", WB_PLACE_REGISTRY, NULL, "docker://dir:5000/a:latest"},
	};
	static const char *const bad[] = {"", "oci:", "oci::t", "oci-archive:", "docker://",
		"docker-archive::x", "oci:d:-t", "oci:d:a b", "oci:d:t@" DIGEST, "oci:d@sha256:00",
		"docker-archive:f:A", "dir:/tmp/x", "containers-storage:x", "docker-daemon:x:y",
		"docker-archive:f:a@" DIGEST, "oci-layout://x", "./dir", "file:///x"};
	struct wb_err err = WB_ERR_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++) {
		WB_AUTO(wb_place_release) struct wb_place p = WB_PLACE_INIT;

		assert_ok(wb_place_parse(&p, cases[i].text, &err), &err);
		assert_int_equal(p.kind, cases[i].kind);
		if (cases[i].path)
			assert_string_equal(p.path, cases[i].path);
		wb_autofree char *text = wb_place_text(&p);

		assert_string_equal(text, cases[i].again);
	}
	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		struct wb_place p = WB_PLACE_INIT;

		wb_err_clear(&err);
		if (!wb_place_parse(&p, bad[i], &err))
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(err.code, WB_ERR_USAGE);
	}
}

static void test_refname(void **state)
{
	static const char *const good[] = {"v1", "latest", "a/b:c@d", "1.0--x", "docker.io/a/b:c"};
	static const char *const bad[] = {"", "-a", "a-", "a---b", "a/", "/a", "a b", "a//b"};

	for (size_t i = 0; i < WB_ARRAY_LEN(good); i++)
		assert_true(wb_refname_valid(good[i]));
	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++)
		assert_false(wb_refname_valid(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_default_tag),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_refname),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
