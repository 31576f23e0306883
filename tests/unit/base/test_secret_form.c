#include "wbtest.h"

#include "base/base64.h"
#include "base/secret_form.h"

#define MIXED "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ5kL7nP9rS1uV3xY5zA7cD9fG1iK3m"

/* Tokens are put together here, so that no tool takes this file for one that leaks some. */
static void check(const char *want, bool sure, const char *a, const char *b)
{
	wb_autofree char *text = wb_asprintf("first line\nkey = \"%s%s\"\nlast\n", a, b);
	struct wb_secret_form form = {0};

	if (!wb_secret_form_find(&form, text, strlen(text), 0))
		fail_msg("nothing found in: %s", text);
	assert_string_equal(form.what, want);
	assert_int_equal(form.sure, sure);
	assert_int_equal(wb_secret_form_sure(&form, text, strlen(text)), sure);
}

static void nothing(const char *a, const char *b)
{
	wb_autofree char *text = wb_asprintf("first line\nkey = \"%s%s\"\nlast\n", a, b);
	struct wb_secret_form form = {0};

	if (wb_secret_form_find(&form, text, strlen(text), 0))
		fail_msg("found %s in: %s", form.what, text);
}

static void tokens_by_their_marks(void **state)
{
	check("a Hugging Face token", true, "hf", "_aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH");
	check("a GitHub token", true, "gh", "p_aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ5");
	check("a GitHub token", true, "github", "_pat_" MIXED);
	check("a GitLab token", true, "glpat", "-aB3dE5gH7jK9mN1pQ3sT");
	check("a Slack token", true, "xox", "b-123456789012-aB3dE5gH7jK9");
	check("an OpenAI key", true, "sk-", "proj-" MIXED);
	check("an OpenAI key", true, "sk-", "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ5kL7nP9rS1uV3");
	check("an Anthropic key", true, "sk-", "ant-api03-" MIXED);
	check("an NVIDIA key", true, "nv", "api-" MIXED);
	check("a Docker Hub token", true, "dckr", "_pat_aB3dE5gH7jK9mN1pQ3sT5vW7yZ9");
	check("a Google API key", false, "AI", "zaaB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ");
	check("a Google access token", true, "ya", "29." MIXED);
}

static void what_only_looks_like_a_token(void **state)
{
	nothing("hf", "_hub_download_and_load_the_model_please_now");
	nothing("hf", "_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	nothing("hf", "_short");
	nothing("half_", "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgHi");
	nothing("xhf", "_aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH");
	nothing("task-", "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ5kL7nP9rS1uV3");
	nothing("AKIA", "IOSFODNN7EXAMPLE");
	nothing("AKIA", "abcdefghijklmnop");
	nothing("", MIXED MIXED);
	nothing("a ", "");
}

static void an_access_key_counts_with_its_secret(void **state)
{
	static const char id[] = "IABCDEFGHIJKLMNO";
	static const char secret[] = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ5/+7n";
	wb_autofree char *pair = wb_asprintf("%s\naws_secret_access_key = %s", id, secret);
	wb_autofree char *before = wb_asprintf("%s, AK", secret);
	wb_autofree char *hash =
		wb_asprintf("%s\nsha1 = 0123456789abcdef0123456789abcdef01234567", id);

	check("the id of an AWS access key", false, "AKIA", id);
	check("an AWS access key and its secret", true, "AKIA", pair);
	check("an AWS access key and its secret", true, before, "IAIABCDEFGHIJKLMNO");
	check("the id of an AWS access key", false, "ASIA", hash);
}

static void private_keys_with_a_body(void **state)
{
	check("a private key", true, "-----BEGIN RSA PRIVATE", " KEY-----\nMIIEowIBAAKCAQEAabcd");
	check("a private key", true, "-----BEGIN PRIVATE", " KEY-----\\nMIIEvQIBADANBgkqhkiG");
	check("a private key", true, "-----BEGIN OPENSSH PRIVATE",
		" KEY-----\r\nb3BlbnNzaC1rZXktdjEA");
	check("a private key", true, "-----BEGIN PGP PRIVATE",
		" KEY BLOCK-----\n\nlQOYBGNqabcdefghij");
	nothing("-----BEGIN PRIVATE", " KEY----- is how a key begins");
	nothing("-----BEGIN PUBLIC", " KEY-----\nMIIEowIBAAKCAQEAabcd");
	nothing("PRIVATE", " KEY-----\nMIIEowIBAAKCAQEAabcd");
}

static void azure_and_registries(void **state)
{
	static const char emulator[] =
		"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"
		"K1SZFPTOtr/KBHBeksoGMGw==";
	wb_autofree char *key = wb_asprintf("%.86s==", MIXED MIXED);
	wb_autofree char *login = wb_base64_encode("someone:passw0rd!", 17);
	wb_autofree char *config =
		wb_asprintf("{\"auths\": {\"registry.example\": {\"auth\": \"%s\"}}}", login);

	check("the key of an Azure storage account", true, "AccountName=a;AccountKey=", key);
	nothing("AccountName=a;AccountKey=", emulator);
	nothing("AccountKey=", "<your key>");
	check("a shared access signature", true,
		"https://a.blob.core.windows.net/"
		"c?sv=2022-11-02&se=2030-01-01T00%3A00Z&sr=c&sp=r&sig=",
		"aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ5kL7nP9r%3D");
	nothing("?sig=", "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ5kL7nP9r%3D");
	check("the login of a registry", true, config, "");
	nothing("{\"auths\": {\"registry.example\": {}}}", "");
	nothing("{\"auths\": {\"registry.example\": {\"auth\": \"bm90IGEgbG9naW4=\"}}}", "");
}

static void all_of_a_text_one_after_the_other(void **state)
{
	static const char text[] = "a: hf"
				   "_aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH\n"
				   "b: AKIA"
				   "ABCDEFGHIJKLMNOP\n"
				   "c: gh"
				   "p_aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ5\n";
	struct wb_secret_form form;
	size_t from = 0, n = 0;

	for (; wb_secret_form_find(&form, text, sizeof(text) - 1, from); from = form.at + 1)
		n++;
	assert_int_equal(n, 3);
	assert_string_equal(form.what, "a GitHub token");
}

/* The end of the text cuts each form short at every place: nothing behind it is read. */
static void no_look_behind_the_end(void **state)
{
	static const char *const texts[] = {"hf"
					    "_aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH",
		"AKIA"
		"ABCDEFGHIJKLMNOP aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ5/+7n",
		"-----BEGIN PGP PRIVATE"
		" KEY BLOCK-----\nMIIEowIBAAKCAQEAabcd",
		"AccountKey=" MIXED "aB3dE5gH7jK9mN1pQ3sT5v==",
		"?sv=2022&se=2030&sig=aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ5kL7nP9r%3D",
		"\"auths\": {\"r\": {\"auth\": \"c29tZW9uZTpwYXNzdzByZA==\"}}"};

	for (size_t i = 0; i < WB_ARRAY_LEN(texts); i++) {
		for (size_t n = 0; n <= strlen(texts[i]); n++) {
			wb_autofree char *exact = wb_alloc(n);
			struct wb_secret_form form;
			bool found;

			memcpy(exact, texts[i], n);
			found = wb_secret_form_find(&form, exact, n, 0);
			if (n == strlen(texts[i]) && !found)
				fail_msg("not found: %s", texts[i]);
			if (n < 20)
				assert_false(found);
		}
	}
}

/* Weights are random bytes, and vocabularies are lists of words and of base64: neither may be taken
 * for a secret. WBUILD_TEST_FULL looks at 1 GiB and more of each. */
static void chance_makes_no_secret(void **state)
{
	static const char base64[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *full = getenv("WBUILD_TEST_FULL");
	const unsigned rounds = full && *full ? 1024 : 24;
	const size_t n = 1 << 20;
	wb_autofree char *data = wb_alloc(n);
	struct wb_secret_form form;
	uint64_t x = 88172645463325252ull;
	unsigned found = 0;

	for (unsigned round = 0; round < rounds; round++) {
		for (size_t i = 0; i < n; i += 8) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			memcpy(data + i, &x, 8);
		}
		found += wb_secret_form_find(&form, data, n, 0);
		/* a vocabulary of the tiktoken kind: base64 and a number in each line */
		for (size_t i = 0; i < n; i++)
			data[i] = (unsigned char)data[i] % 29 == 0
			                  ? "\n =\""[(unsigned char)data[i] / 29 % 4]
			                  : base64[(unsigned char)data[i] % 64];
		found += wb_secret_form_find(&form, data, n, 0);
	}
	assert_int_equal(found, 0);
	printf("# %u MiB of random bytes, %u MiB of random base64: %u found\n", rounds, rounds,
		found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_by_their_marks),
		cmocka_unit_test(what_only_looks_like_a_token),
		cmocka_unit_test(an_access_key_counts_with_its_secret),
		cmocka_unit_test(private_keys_with_a_body),
		cmocka_unit_test(azure_and_registries),
		cmocka_unit_test(all_of_a_text_one_after_the_other),
		cmocka_unit_test(no_look_behind_the_end),
		cmocka_unit_test(chance_makes_no_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
