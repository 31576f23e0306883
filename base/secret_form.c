#include "base/secret_form.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"

enum { RUN_MIN = 20, NEAR = 200 };

/* --- tokens: a mark, then so many characters of an alphabet -------------------------------- */

enum alphabet {
	ALNUM,
	WORD,  /* and "_" and "-" */
	UPPER, /* A-Z and 0-9 */
};

static const struct token {
	const char *mark, *what;
	size_t least;
	enum alphabet of;
	bool exact; /* no more of the alphabet may follow */
	bool sure;
} tokens[] = {
	{"hf_", "a Hugging Face token", 30, ALNUM, false, true},
	{"api_org_", "a Hugging Face token", 30, ALNUM, false, true},
	{"AIza", "a Google API key", 35, WORD, true, false},
	{"ya29.", "a Google access token", 40, WORD, false, true},
	{"GOCSPX-", "a Google client secret", 28, WORD, false, true},
	{"ghp_", "a GitHub token", 36, ALNUM, false, true},
	{"gho_", "a GitHub token", 36, ALNUM, false, true},
	{"ghu_", "a GitHub token", 36, ALNUM, false, true},
	{"ghs_", "a GitHub token", 36, ALNUM, false, true},
	{"ghr_", "a GitHub token", 36, ALNUM, false, true},
	{"github_pat_", "a GitHub token", 40, WORD, false, true},
	{"glpat-", "a GitLab token", 20, WORD, false, true},
	{"xoxb-", "a Slack token", 20, WORD, false, true},
	{"xoxp-", "a Slack token", 20, WORD, false, true},
	{"xoxa-", "a Slack token", 20, WORD, false, true},
	{"xoxr-", "a Slack token", 20, WORD, false, true},
	{"xoxs-", "a Slack token", 20, WORD, false, true},
	{"sk-proj-", "an OpenAI key", 40, WORD, false, true},
	{"sk-svcacct-", "an OpenAI key", 40, WORD, false, true},
	{"sk-ant-", "an Anthropic key", 40, WORD, false, true},
	{"sk-", "an OpenAI key", 48, ALNUM, true, true},
	{"nvapi-", "an NVIDIA key", 60, WORD, false, true},
	{"npm_", "an npm token", 36, ALNUM, false, true},
	{"pypi-AgE", "a PyPI token", 50, WORD, false, true},
	{"dckr_pat_", "a Docker Hub token", 20, WORD, false, true},
	{"dop_v1_", "a DigitalOcean token", 60, ALNUM, false, true},
};

static bool in_alphabet(char c, enum alphabet of)
{
	unsigned char u = (unsigned char)c;

	switch (of) {
	case ALNUM: return isalnum(u);
	case WORD: return isalnum(u) || c == '_' || c == '-';
	case UPPER: return isupper(u) || isdigit(u);
	}
	return false;
}

static size_t run_length(const char *p, size_t n, enum alphabet of)
{
	size_t k = 0;

	while (k < n && in_alphabet(p[k], of))
		k++;
	return k;
}

/* Made by chance: of two kinds of characters at least, and of more than a few different ones. A
 * placeholder ("xxxx", "your-token-here") is not. */
static bool looks_random(const char *p, size_t n)
{
	bool upper = false, lower = false, digit = false, seen[256] = {false};
	size_t different = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		upper |= isupper(c) != 0;
		lower |= islower(c) != 0;
		digit |= isdigit(c) != 0;
		different += !seen[c];
		seen[c] = true;
	}
	return upper + lower + digit >= 2 && different > 5;
}

static bool is_token(const struct token *t, const char *p, size_t n)
{
	size_t mark = strlen(t->mark);

	if (n < mark + t->least || memcmp(p, t->mark, mark) != 0)
		return false;
	size_t k = run_length(p + mark, n - mark, t->of);

	return (t->exact ? k == t->least : k >= t->least) && looks_random(p + mark, k);
}

/* Forty characters that are an AWS secret key, in p[0..n)? */
static bool holds_aws_secret(const char *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t k = 0;
		bool upper = false, lower = false, digit = false;

		for (; i + k < n &&
			(isalnum((unsigned char)p[i + k]) || p[i + k] == '/' || p[i + k] == '+');
			k++) {
			upper |= isupper((unsigned char)p[i + k]) != 0;
			lower |= islower((unsigned char)p[i + k]) != 0;
			digit |= isdigit((unsigned char)p[i + k]) != 0;
		}
		if (k == 40 && upper && lower && digit)
			return true;
		i += k + 1;
	}
	return false;
}

/* An access key's id is in every signed address; with its secret nearby it opens the account. */
static bool is_aws(struct wb_secret_form *out, const char *text, size_t n, size_t at)
{
	const char *p = text + at;
	size_t left = n - at, first = at < NEAR ? 0 : at - NEAR;

	if (left < 20 || (memcmp(p, "AKIA", 4) != 0 && memcmp(p, "ASIA", 4) != 0) ||
		run_length(p + 4, left - 4, UPPER) != 16 ||
		(left > 20 && in_alphabet(p[20], WORD)) || !memcmp(p + 13, "EXAMPLE", 7))
		return false;
	size_t after = left - 20 < NEAR ? left - 20 : NEAR;
	bool pair = holds_aws_secret(p + 20, after) || holds_aws_secret(text + first, at - first);

	*out = (struct wb_secret_form){
		pair ? "an AWS access key and its secret" : "the id of an AWS access key", pair,
		at};
	return true;
}

static bool token_at(struct wb_secret_form *out, const char *text, size_t n, size_t at)
{
	for (size_t i = 0; i < WB_ARRAY_LEN(tokens); i++) {
		if (text[at] != tokens[i].mark[0] || !is_token(&tokens[i], text + at, n - at))
			continue;
		*out = (struct wb_secret_form){tokens[i].what, tokens[i].sure, at};
		return true;
	}
	return text[at] == 'A' && is_aws(out, text, n, at);
}

/* A token may begin where a word does. */
static bool token_in(
	struct wb_secret_form *out, const char *text, size_t n, size_t begin, size_t end)
{
	for (size_t i = begin; i + RUN_MIN <= end; i++)
		if ((i == 0 || !isalnum((unsigned char)text[i - 1])) && token_at(out, text, n, i))
			return true;
	return false;
}

/* Every token is a run of at least RUN_MIN characters, so it is enough to look at each so many'th
 * and to go back from there: what is no such run is passed over at a few looks. ('.' is one of them
 * for the sake of "ya29.".) */
static bool find_token(struct wb_secret_form *out, const char *text, size_t n, size_t from)
{
	size_t i = from;

	while (i + RUN_MIN <= n) {
		size_t end = i + RUN_MIN, k = end;

		while (k > i && (in_alphabet(text[k - 1], WORD) || text[k - 1] == '.'))
			k--;
		if (k > i) {
			i = k;
			continue;
		}
		while (end < n && (in_alphabet(text[end], WORD) || text[end] == '.'))
			end++;
		if (token_in(out, text, n, i, end))
			return true;
		i = end;
	}
	return false;
}

/* --- keys and logins with a frame of words ------------------------------------------------- */

/* "-----BEGIN RSA PRIVATE KEY-----", and not just the words of a test for it. */
static bool is_key(const char *text, size_t n, const char *at)
{
	static const char begin[] = "-----BEGIN ", block[] = " BLOCK";
	const char *p = at + strlen("PRIVATE KEY"), *end = text + n;
	size_t before = (size_t)(at - text) < 40 ? (size_t)(at - text) : 40;

	if (!memmem(at - before, before, begin, sizeof(begin) - 1))
		return false;
	if (end - p > 6 && !memcmp(p, block, 6))
		p += 6;
	if (end - p < 5 || memcmp(p, "-----", 5) != 0)
		return false;
	for (p += 5; p < end && (isspace((unsigned char)*p) || *p == '\\' || *p == 'n'); p++)
		;
	return run_length(p, (size_t)(end - p), ALNUM) >= 16;
}

static size_t base64_run(const char *p, size_t n)
{
	size_t k = 0;

	while (k < n && (isalnum((unsigned char)p[k]) || p[k] == '+' || p[k] == '/'))
		k++;
	return k;
}

/* AccountKey=86 characters== */
static bool is_azure_key(const char *text, size_t n, const char *at)
{
	static const char emulator[] =
		"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq";
	const char *p = at + strlen("AccountKey=");
	size_t left = (size_t)(text + n - p);

	return base64_run(p, left) == 86 && left >= 88 && !memcmp(p + 86, "==", 2) &&
	       memcmp(p, emulator, sizeof(emulator) - 1) != 0 && looks_random(p, 86);
}

static bool in_query(char c)
{
	return c > ' ' && c < 127 && !strchr("\"'<>\\", c);
}

/* sig=… with a version or an expiry beside it in the same query. */
static bool is_sas(const char *text, size_t n, const char *at)
{
	const char *end = text + n, *first = at, *last = at + 4;
	size_t k = 0;

	if (at == text || !strchr("?&;", at[-1]))
		return false;
	for (; last < end && (isalnum((unsigned char)*last) || strchr("%+/", *last)); last++)
		k++;
	if (k < 43 || !looks_random(at + 4, k))
		return false;
	while (last < end && last - at < 300 && in_query(*last))
		last++;
	while (first > text && at - first < NEAR && in_query(first[-1]))
		first--;
	size_t query = (size_t)(last - first);

	return memmem(first, query, "sv=20", 5) && memmem(first, query, "se=20", 5);
}

/* "auths": {"HOST": {"auth": "base64 of USER:PASSWORD"}} */
static bool is_login(const char *text, size_t n, const char *at)
{
	size_t left = (size_t)(text + n - at), near = left < 400 ? left : 400, got = 0;
	const char *p = memmem(at, near, "\"auth\"", 6);

	if (!p)
		return false;
	for (p += 6; p < text + n && (isspace((unsigned char)*p) || *p == ':'); p++)
		;
	if (p >= text + n || *p++ != '"')
		return false;
	size_t k = base64_run(p, (size_t)(text + n - p));
	size_t padding = 0;

	while (p + k + padding < text + n && p[k + padding] == '=')
		padding++;
	if (k < 8 || k > NEAR)
		return false;
	wb_autofree char *encoded = wb_strndup(p, k + padding);
	wb_autofree uint8_t *login = wb_base64_decode(&got, encoded, NEAR);
	const uint8_t *colon = login ? memchr(login, ':', got) : NULL;

	return colon && colon > login && colon + 1 < login + got;
}

static const struct frame {
	const char *text, *what;
	bool (*is)(const char *text, size_t n, const char *at);
} frames[] = {
	{"PRIVATE KEY", "a private key", is_key},
	{"AccountKey=", "the key of an Azure storage account", is_azure_key},
	{"sig=", "a shared access signature", is_sas},
	{"\"auths\"", "the login of a registry", is_login},
};

static bool find_frame(
	struct wb_secret_form *out, const struct frame *f, const char *text, size_t n, size_t from)
{
	size_t len = strlen(f->text);
	const char *p = text + from;

	for (; (p = memmem(p, n - (size_t)(p - text), f->text, len)); p += len) {
		if (!f->is(text, n, p))
			continue;
		*out = (struct wb_secret_form){f->what, true, (size_t)(p - text)};
		return true;
	}
	return false;
}

bool wb_secret_form_find(struct wb_secret_form *out, const char *text, size_t n, size_t from)
{
	struct wb_secret_form form;
	bool found = find_token(out, text, n, from);

	for (size_t i = 0; i < WB_ARRAY_LEN(frames); i++) {
		if (!find_frame(&form, &frames[i], text, n, from) || (found && form.at > out->at))
			continue;
		*out = form;
		found = true;
	}
	return found;
}

bool wb_secret_form_sure(struct wb_secret_form *out, const char *text, size_t n)
{
	size_t from = 0;

	while (wb_secret_form_find(out, text, n, from)) {
		if (out->sure)
			return true;
		from = out->at + RUN_MIN;
	}
	return false;
}
