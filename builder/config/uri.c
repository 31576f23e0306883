#include "builder/config/uri.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/path.h"
#include "base/text.h"

#define URI_MAX 4096
#define SCHEMES "azure://, bt://, cw://, file://, gs://, hf://, https://, r2://, s3://"

const char *wb_scheme_name(enum wb_scheme s)
{
	switch (s) {
	case WB_SCHEME_HF: return "hf";
	case WB_SCHEME_S3: return "s3";
	case WB_SCHEME_GS: return "gs";
	case WB_SCHEME_R2: return "r2";
	case WB_SCHEME_AZURE: return "azure";
	case WB_SCHEME_CW: return "cw";
	case WB_SCHEME_BT: return "bt";
	case WB_SCHEME_HTTP: return "https";
	case WB_SCHEME_FILE: return "file";
	}
	return "?";
}

void wb_uri_release(struct wb_uri *u)
{
	free(u->text);
	free(u->repo);
	free(u->revision);
	free(u->account);
	free(u->bucket);
	free(u->path);
	free(u->url);
	*u = (struct wb_uri){0};
}

static size_t host_len(const char *rest)
{
	return strcspn(rest, "/?#");
}

bool wb_uri_has_userinfo(const char *text)
{
	const char *rest = strstr(text, "://");

	return rest && memchr(rest + 3, '@', host_len(rest + 3));
}

bool wb_uri_is_signed(const char *text)
{
	static const char *const names[] = {
		"sig=", "signature=", "x-amz-signature=", "x-goog-signature=", "token=",
		"access_token=", "key=", "apikey=", "api_key=", NULL};
	const char *q = strchr(text, '?');

	for (; q && *q; q = strchr(q, '&')) {
		q++;
		for (size_t i = 0; names[i]; i++)
			if (!strncasecmp(q, names[i], strlen(names[i])))
				return true;
	}
	return false;
}

/* The URL without user name, password, query values and fragment: fit to print. */
static char *printable_url(const char *url)
{
	const char *rest = strstr(url, "://");

	rest = rest ? rest + 3 : url;
	size_t host = host_len(rest), skip = 0;

	for (size_t i = 0; i < host; i++)
		if (rest[i] == '@')
			skip = i + 1;
	size_t plain = strcspn(rest, "?#");

	return wb_asprintf("%.*s%.*s%s", (int)(rest - url), url, (int)(plain - skip), rest + skip,
		rest[plain] == '?' ? "?…" : "");
}

/* One component of a repository id: what the hub accepts, and safe as a folder name. */
static bool hub_name(const char *s, size_t n)
{
	if (n == 0 || n > 96 || s[0] == '.' || s[0] == '-' || s[n - 1] == '.' || s[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)s[i]) && !strchr("._-", s[i]))
			return false;
		if (i && (s[i] == '.' || s[i] == '-') && s[i - 1] == s[i])
			return false;
	}
	return true;
}

/* git-check-ref-format(1), as far as it matters below refs/ and in a URL. NULL: fine. */
static const char *bad_revision(const char *s)
{
	size_t n = strlen(s);

	if (n == 1)
		return "revision must be empty or at least 2 characters";
	if (strpbrk(s, " ~^:?*[\\") || strstr(s, "..") || strstr(s, "@{") || strstr(s, "//") ||
		strstr(s, "/.") || s[0] == '/' || s[0] == '-' || s[0] == '.' || n > 255 ||
		s[n - 1] == '/' || s[n - 1] == '.' || wb_str_ends(s, ".lock"))
		return "the revision is no name that a branch, tag or commit can have";
	return NULL;
}

static int bad_hf(struct wb_err *err, const char *text)
{
	return wb_err_set(err, WB_ERR_CONFIG,
		"Invalid HuggingFace URI format: '%s'. Expected format: hf://owner/repo", text);
}

static int parse_hf(struct wb_uri *u, const char *rest, struct wb_err *err)
{
	static const struct {
		const char *prefix;
		enum wb_hf_kind kind;
	} kinds[] = {
		{"datasets/", WB_HF_DATASET}, {"spaces/", WB_HF_SPACE}, {"models/", WB_HF_MODEL}};

	for (size_t i = 0; i < WB_ARRAY_LEN(kinds); i++) {
		if (!wb_str_starts(rest, kinds[i].prefix))
			continue;
		u->hf_kind = kinds[i].kind;
		rest += strlen(kinds[i].prefix);
		break;
	}
	size_t n = strcspn(rest, "@");
	const char *slash = memchr(rest, '/', n);
	size_t owner = slash ? (size_t)(slash - rest) : 0;

	if (slash ? !hub_name(rest, owner) || !hub_name(slash + 1, n - owner - 1)
		  : !hub_name(rest, n))
		return bad_hf(err, u->text);
	u->repo = wb_strndup(rest, n);
	u->revision = wb_strdup(rest[n] ? rest + n + 1 : "");
	if (rest[n] && !*u->revision) {
		bad_hf(err, u->text);
		return wb_err_hint(err, "a revision follows the @, or leave the @ out");
	}
	const char *why = *u->revision ? bad_revision(u->revision) : NULL;

	if (why)
		return wb_err_set(err, WB_ERR_CONFIG, "%s: '%s'", why, u->text);
	return 0;
}

static bool bucket_name(const char *s, size_t n)
{
	if (n == 0 || n > 255 || s[0] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("._-$", s[i]))
			return false;
	return true;
}

static const char *upper_name(char *out, size_t size, enum wb_scheme scheme)
{
	const char *s = wb_scheme_name(scheme);
	size_t i = 0;

	for (; s[i] && i + 1 < size; i++)
		out[i] = (char)toupper((unsigned char)s[i]);
	out[i] = '\0';
	return out;
}

static int bad_bucket(struct wb_err *err, const struct wb_uri *u, const char *form)
{
	char name[8];

	return wb_err_set(err, WB_ERR_CONFIG,
		"Invalid %s URI format: '%s'. Expected format: %s://%s",
		upper_name(name, sizeof(name), u->scheme), u->text, wb_scheme_name(u->scheme),
		form);
}

/* "%40" in a key stands for "@", which addresses keep for revisions. */
static char *key_text(const char *s)
{
	char *copy = wb_strdup(s), *out = copy;

	for (const char *p = copy; *p; p++) {
		bool at = p[0] == '%' && p[1] == '4' && p[2] == '0';

		*out++ = at ? '@' : *p;
		p += at ? 2 : 0;
	}
	*out = '\0';
	return copy;
}

static int parse_bucket(struct wb_uri *u, const char *rest, struct wb_err *err)
{
	const char *form = u->scheme == WB_SCHEME_R2 ? "account_id.bucket/path" : "bucket/path";
	size_t n = strcspn(rest, "/");
	char name[8];

	if (strchr(rest, '@')) {
		wb_err_set(err, WB_ERR_CONFIG,
			"The @ revision syntax is only valid for HuggingFace sources (hf://). "
			"Source "
			"'%s' uses %s which does not support revisions.",
			u->text, upper_name(name, sizeof(name), u->scheme));
		return wb_err_hint(err, "an @ that belongs to an object's name is written %%40");
	}
	if (u->scheme == WB_SCHEME_R2) {
		size_t account = strcspn(rest, "./");

		if (rest[account] != '.' || !bucket_name(rest, account))
			return bad_bucket(err, u, form);
		u->account = wb_strndup(rest, account);
		rest += account + 1;
		n -= account + 1;
	}
	if (!bucket_name(rest, n) || (rest[n] && rest[n + 1] == '/'))
		return bad_bucket(err, u, form);
	u->bucket = wb_strndup(rest, n);
	u->path = key_text(rest[n] ? rest + n + 1 : "");
	return 0;
}

static bool azure_account(const char *s, size_t n)
{
	if (n < 3 || n > 24)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!islower((unsigned char)s[i]) && !isdigit((unsigned char)s[i]))
			return false;
	return true;
}

/* azure://account/container/path. The documentation of model_cache writes az://container/path: a
 * first part that cannot be an account name is taken as the container then. */
static int parse_azure(struct wb_uri *u, const char *rest, struct wb_err *err)
{
	size_t n = strcspn(rest, "/");
	bool short_form = wb_str_starts(u->text, "az://");

	if (n == 0)
		return bad_bucket(err, u, "account/container/path");
	if (strchr(rest, '@'))
		return parse_bucket(u, rest, err);
	if (azure_account(rest, n) && rest[n] && rest[n + 1]) {
		u->account = wb_strndup(rest, n);
		rest += n + 1;
		n = strcspn(rest, "/");
	} else if (short_form) {
		u->account = wb_strdup("");
	} else {
		return bad_bucket(err, u, "account/container/path");
	}
	if (!bucket_name(rest, n) || (rest[n] && rest[n + 1] == '/'))
		return bad_bucket(err, u, "account/container/path");
	u->bucket = wb_strndup(rest, n);
	u->path = key_text(rest[n] ? rest + n + 1 : "");
	return 0;
}

bool wb_uri_from_blob_url(char **out, const char *text)
{
	static const char tail[] = ".blob.core.windows.net/";

	if (!wb_str_starts(text, "https://") || strpbrk(text, "?#"))
		return false;
	const char *host = text + 8, *end = strstr(host, tail);

	if (!end || !azure_account(host, (size_t)(end - host)))
		return false;
	*out = wb_asprintf("azure://%.*s/%s", (int)(end - host), host, end + sizeof(tail) - 1);
	return true;
}

/* bt://project[@job][/checkpoint] */
static int parse_bt(struct wb_uri *u, const char *rest, struct wb_err *err)
{
	size_t n = strcspn(rest, "@/");
	const char *after = rest + n;
	const char *checkpoint = strchr(rest, '/');

	if (n == 0)
		goto bad;
	u->repo = wb_strndup(rest, n);
	u->revision = wb_strdup("");
	if (*after == '@') {
		size_t len = strcspn(after + 1, "/");

		if (!len || memchr(after + 1, '@', len))
			goto bad;
		if (len != 6 || memcmp(after + 1, "latest", 6)) {
			free(u->revision);
			u->revision = wb_strndup(after + 1, len);
		}
	}
	u->path = wb_strdup(checkpoint ? checkpoint + 1 : "");
	if (checkpoint && (wb_path_unsafe(u->path, strlen(u->path)) || strchr(u->path, '@')))
		goto bad;
	return 0;
bad:
	return wb_err_set(err, WB_ERR_CONFIG,
		"Invalid BT URI format: '%s'. Expected format: bt://project[@job][/checkpoint]",
		u->text);
}

static int hex_value(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* The last component of the URL's path, decoded; "" when it cannot be a file name. */
static char *url_file_name(const char *rest)
{
	const char *path = rest + host_len(rest);
	wb_autofree char *name = wb_strndup(path, strcspn(path, "?#"));
	char *slash = strrchr(name, '/'), *out = name;

	for (const char *p = slash ? slash + 1 : name + strlen(name); *p; p++) {
		bool coded = p[0] == '%' && isxdigit((unsigned char)p[1]) &&
		             isxdigit((unsigned char)p[2]);

		*out++ = coded ? (char)(hex_value(p[1]) * 16 + hex_value(p[2])) : *p;
		p += coded ? 2 : 0;
	}
	size_t n = (size_t)(out - name);

	if (wb_path_unsafe(name, n) || memchr(name, '/', n))
		return wb_strdup("");
	return wb_strndup(name, n);
}

static int parse_http(struct wb_uri *u, const char *rest, const char *whole, struct wb_err *err)
{
	bool plain = wb_str_starts(whole, "http://");

	if (!host_len(rest) || strpbrk(rest, " \"<>\\^`{|}"))
		return wb_err_set(err, WB_ERR_CONFIG,
			"Invalid %s URL format: '%s'. Expected format: %s://hostname/path",
			plain ? "HTTP" : "HTTPS", u->text, plain ? "http" : "https");
	if (wb_uri_has_userinfo(whole)) {
		wb_err_set(err, WB_ERR_CONFIG, "the URL '%s' has a user name or password in it",
			u->text);
		return wb_err_hint(err, "take it out: the config becomes part of the image");
	}
	u->url = wb_strndup(whole, strcspn(whole, "#"));
	u->path = url_file_name(rest);
	return 0;
}

/* Taken as written, without percent-decoding. */
static int parse_file(struct wb_uri *u, const char *path, struct wb_err *err)
{
	if (wb_str_starts(path, "localhost/"))
		path += strlen("localhost");
	if (!*path)
		return wb_err_set(
			err, WB_ERR_CONFIG, "the source '%s' names no file or folder", u->text);
	u->path = wb_strdup(path);
	return 0;
}

static int parse_scheme(struct wb_uri *u, const char *text, size_t n, struct wb_err *err)
{
	static const struct {
		const char *name;
		enum wb_scheme scheme;
	} known[] = {{"hf", WB_SCHEME_HF}, {"s3", WB_SCHEME_S3}, {"gs", WB_SCHEME_GS},
		{"r2", WB_SCHEME_R2}, {"azure", WB_SCHEME_AZURE}, {"az", WB_SCHEME_AZURE},
		{"cw", WB_SCHEME_CW}, {"bt", WB_SCHEME_BT}, {"https", WB_SCHEME_HTTP},
		{"http", WB_SCHEME_HTTP}, {"file", WB_SCHEME_FILE}};
	size_t i = 0;

	while (i < WB_ARRAY_LEN(known) &&
		(strlen(known[i].name) != n || memcmp(known[i].name, text, n) != 0))
		i++;
	if (i == WB_ARRAY_LEN(known))
		return wb_err_set(err, WB_ERR_CONFIG,
			"Unsupported source scheme '%.*s://'. Supported schemes: " SCHEMES,
			(int)(n < 40 ? n : 40), text);
	const char *rest = text + n + 3;

	u->scheme = known[i].scheme;
	switch (u->scheme) {
	case WB_SCHEME_HF: return parse_hf(u, rest, err);
	case WB_SCHEME_S3:
	case WB_SCHEME_GS:
	case WB_SCHEME_R2:
	case WB_SCHEME_CW: return parse_bucket(u, rest, err);
	case WB_SCHEME_AZURE: return parse_azure(u, rest, err);
	case WB_SCHEME_BT: return parse_bt(u, rest, err);
	case WB_SCHEME_HTTP: return parse_http(u, rest, text, err);
	case WB_SCHEME_FILE: return parse_file(u, rest, err);
	}
	return -1;
}

static int parse(struct wb_uri *u, const char *text, bool allow_path, struct wb_err *err)
{
	const char *sep = strstr(text, "://");

	if (strlen(text) > URI_MAX)
		return wb_err_set(
			err, WB_ERR_CONFIG, "the source is longer than %d bytes", URI_MAX);
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return wb_err_set(
				err, WB_ERR_CONFIG, "the source has a control character in it");
	u->text = wb_str_starts(text, "http") ? printable_url(text) : wb_strdup(text);
	if (sep)
		return parse_scheme(u, text, (size_t)(sep - text), err);
	if (!allow_path)
		return wb_err_set(err, WB_ERR_CONFIG,
			"Source '%s' is missing a URI scheme. Supported schemes: " SCHEMES,
			u->text);
	u->scheme = WB_SCHEME_FILE;
	return parse_file(u, text, err);
}

int wb_uri_parse(struct wb_uri *out, const char *text, bool allow_path, struct wb_err *err)
{
	struct wb_uri u = {0};

	if (parse(&u, text, allow_path, err)) {
		wb_uri_release(&u);
		return -1;
	}
	*out = u;
	return 0;
}

bool wb_uri_is_hub_page(const char *url)
{
	const char *host = strstr(url, "://");

	host = host ? host + 3 : url;
	return (wb_str_starts(host, "huggingface.co/") || wb_str_starts(host, "hf.co/")) &&
	       !strstr(host, "/resolve/") && !strstr(host, "/raw/");
}

static const char *extension(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && dot != name && dot[1] ? dot : NULL;
}

bool wb_uri_mount_is_file(const struct wb_uri *u, const char *mount)
{
	const char *want = extension(u->path), *got = extension(wb_path_basename(mount));

	return u->scheme == WB_SCHEME_HTTP && want && got && !strcmp(want, got);
}

static bool same(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

bool wb_uri_equal(const struct wb_uri *a, const struct wb_uri *b)
{
	return a->scheme == b->scheme && a->hf_kind == b->hf_kind && same(a->repo, b->repo) &&
	       same(a->revision, b->revision) && same(a->account, b->account) &&
	       same(a->bucket, b->bucket) && same(a->path, b->path) && same(a->url, b->url);
}
