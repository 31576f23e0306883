#include "wbtest.h"

#include "oci/challenge.h"

static void bearer_with_commas(void **state)
{
	wb_challenges c = {0};
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_challenges_parse(&c,
			  "Bearer realm=\"https://auth.example.com/token\",service=\"r.example\","
			  "scope=\"repository:a/b:pull,push\"",
			  &err),
		&err);
	assert_int_equal(c.n, 1);
	assert_int_equal(c.items[0].scheme, WB_AUTH_BEARER);
	assert_string_equal(c.items[0].realm, "https://auth.example.com/token");
	assert_string_equal(c.items[0].service, "r.example");
	assert_string_equal(c.items[0].scope, "repository:a/b:pull,push");
	assert_null(c.items[0].error);
	wb_challenges_release(&c);
}

static void several_in_one_and_two_headers(void **state)
{
	wb_challenges c = {0};
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_challenges_parse(&c,
			  "Negotiate, NTLM TlRMTVNTUAAB==, bEaReR  realm = \"x\" , scope=y:z , "
			  "bAsic realm=\"a \\\"b\\\" \\\\\"",
			  &err),
		&err);
	assert_ok(wb_challenges_parse(&c, "Digest realm=q, nonce=\"n,m\", algorithm=MD5,", &err),
		&err);
	assert_int_equal(c.n, 5);
	assert_int_equal(c.items[0].scheme, WB_AUTH_OTHER);
	assert_string_equal(c.items[1].name, "NTLM");
	assert_null(c.items[1].realm);
	assert_string_equal(wb_challenges_find(&c, WB_AUTH_BEARER)->scope, "y:z");
	assert_string_equal(wb_challenges_find(&c, WB_AUTH_BASIC)->realm, "a \"b\" \\");
	assert_string_equal(c.items[4].name, "Digest");
	assert_string_equal(c.items[4].realm, "q");
	wb_challenges_release(&c);
}

static void first_of_a_name_counts(void **state)
{
	wb_challenges c = {0};
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_challenges_parse(&c, "Bearer realm=a,REALM=b,realm=\"\",error=e", &err), &err);
	assert_string_equal(c.items[0].realm, "a");
	assert_string_equal(c.items[0].error, "e");
	wb_challenges_release(&c);
}

static void empty_is_no_challenge(void **state)
{
	wb_challenges c = {0};
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_challenges_parse(&c, "", &err), &err);
	assert_ok(wb_challenges_parse(&c, " ,, ", &err), &err);
	assert_int_equal(c.n, 0);
	assert_null(wb_challenges_find(&c, WB_AUTH_BASIC));
	wb_challenges_release(&c);
}

static void malformed_leaves_the_list_alone(void **state)
{
	static const char *const bad[] = {"realm=\"x\"", "Bearer realm=\"x", "Bearer realm=\"x\\",
		"Bearer realm=\"x\"y", "Bearer \"x\"", "Bearer realm=\"a\x01z\"", "Bearer realm x",
		"Bearer realm=x y=z", "\x80", "=", "Bearer =x", "Bearer a=b, =c"};
	wb_challenges c = {0};
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_challenges_parse(&c, "Basic realm=kept", &err), &err);
	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		assert_err(wb_challenges_parse(&c, bad[i], &err), &err, WB_ERR_FORMAT);
		assert_int_equal(c.n, 1);
	}
	assert_string_equal(c.items[0].realm, "kept");
	wb_challenges_release(&c);
}

static void limits(void **state)
{
	wb_challenges c = {0};
	struct wb_err err = WB_ERR_INIT;
	char *big = wb_zalloc(WB_CHALLENGE_HEADER_MAX + 2);

	memset(big, 'a', WB_CHALLENGE_HEADER_MAX + 1);
	assert_err(wb_challenges_parse(&c, big, &err), &err, WB_ERR_LIMIT);
	memset(big, 0, 64);
	for (int i = 0; i <= WB_CHALLENGES_MAX; i++)
		memcpy(big + 2 * i, "x,", 3);
	assert_err(wb_challenges_parse(&c, big, &err), &err, WB_ERR_FORMAT);
	assert_contains(err.text, "too many");
	free(big);
	wb_challenges_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bearer_with_commas),
		cmocka_unit_test(several_in_one_and_two_headers),
		cmocka_unit_test(first_of_a_name_counts),
		cmocka_unit_test(empty_is_no_challenge),
		cmocka_unit_test(malformed_leaves_the_list_alone),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
