#include "base/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "base/http_internal.h"
#include "base/text.h"

static void url_cleanup(CURLU **u)
{
	curl_url_cleanup(*u);
}

static void curl_freep(char **p)
{
	curl_free(*p);
}

#define autourl WB_AUTO(url_cleanup) CURLU
#define autocurl WB_AUTO(curl_freep) char

static CURLU *url_parse(const char *url)
{
	CURLU *u = curl_url();

	if (u && curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME)) {
		curl_url_cleanup(u);
		u = NULL;
	}
	return u;
}

static char *url_part(CURLU *u, CURLUPart part, unsigned flags)
{
	char *s = NULL;

	return u && !curl_url_get(u, part, &s, flags) ? s : NULL;
}

static bool unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

char *wb_url_encode(const char *s, size_t n, const char *keep)
{
	static const char digits[] = "0123456789ABCDEF";
	char *out = wb_calloc(n + 1, 3), *o = out;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (unreserved(c) || (c && keep && strchr(keep, c))) {
			*o++ = (char)c;
			continue;
		}
		*o++ = '%';
		*o++ = digits[c >> 4];
		*o++ = digits[c & 15];
	}
	*o = '\0';
	return out;
}

char *wb_url_decode(const char *s, size_t n)
{
	char *out = wb_alloc(n + 1), *o = out;

	for (size_t i = 0; i < n; i++) {
		uint8_t byte;

		if (s[i] == '%' && n - i > 2 && wb_unhex(&byte, s + i + 1, 1, true)) {
			*o++ = (char)byte;
			i += 2;
		} else {
			*o++ = s[i];
		}
	}
	*o = '\0';
	return out;
}

/* Only punctuation decides here, so that even a URL that does not parse is made harmless. */
char *wb_url_redact(const char *url)
{
	size_t len = strlen(url);
	const char *scheme = strstr(url, "://");
	const char *host = scheme ? scheme + 3 : url;
	size_t authority = strcspn(host, "/?#");
	const char *at = memrchr(host, '@', authority);
	const char *end = url + strcspn(url, "#");
	char *out = wb_calloc(len + 1, 4), *o = out;
	bool in_query = false, hide = false;

	if (at) {
		memcpy(o, url, (size_t)(host - url));
		o += host - url;
	}
	for (const char *p = at ? at + 1 : url; p < end; p++) {
		if (in_query && *p == '&')
			hide = false;
		if (hide)
			continue;
		*o++ = *p;
		if (*p == '?')
			in_query = true;
		if (in_query && *p == '=') {
			memcpy(o, "…", sizeof("…") - 1);
			o += sizeof("…") - 1;
			hide = true;
		}
	}
	*o = '\0';
	return out;
}

char *wb_url_resolve(const char *base, const char *ref, struct wb_err *err)
{
	autourl *u = url_parse(base);

	/* A base that parses takes relative references as RFC 3986, 5.2 says. */
	if (!u || curl_url_set(u, CURLUPART_URL, ref, CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE)) {
		wb_autofree char *safe = wb_url_redact(ref);
		wb_autofree char *shown = wb_text_quote(safe, 200);

		wb_err_set(err, WB_ERR_FORMAT, "\"%s\" is not a usable address", shown);
		return NULL;
	}
	autocurl *s = url_part(u, CURLUPART_URL, 0);

	if (!s) {
		wb_err_set(err, WB_ERR_FORMAT, "address without a host");
		return NULL;
	}
	return wb_strdup(s);
}

char *wb_http_url_origin(const char *url)
{
	autourl *u = url_parse(url);
	autocurl *scheme = url_part(u, CURLUPART_SCHEME, 0);
	autocurl *host = url_part(u, CURLUPART_HOST, 0);
	autocurl *port = url_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);

	if (!scheme || !host || !port)
		return NULL;
	char *s = wb_asprintf("%s://%s:%s", scheme, host, port);

	for (char *p = s; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return s;
}

void wb_http_url_strip_user(char **url)
{
	autourl *u = url_parse(*url);

	if (!u || curl_url_set(u, CURLUPART_USER, NULL, 0) ||
		curl_url_set(u, CURLUPART_PASSWORD, NULL, 0))
		return;
	autocurl *s = url_part(u, CURLUPART_URL, 0);

	if (s) {
		free(*url);
		*url = wb_strdup(s);
	}
}

bool wb_url_same_origin(const char *a, const char *b)
{
	wb_autofree char *x = wb_http_url_origin(a);
	wb_autofree char *y = wb_http_url_origin(b);

	return x && y && strcmp(x, y) == 0;
}

static bool v4_loopback(uint32_t a)
{
	return a >> 24 == 127;
}

static bool v4_local(uint32_t a)
{
	return v4_loopback(a) || a >> 16 == 0xa9fe /* 169.254/16 */ || a >> 24 == 0;
}

/* The host as an address: 4 or 6, with the IPv4 part of a mapped address taken out. */
static int host_address(const char *host, uint32_t *v4, struct in6_addr *v6)
{
	struct in_addr a;
	char name[INET6_ADDRSTRLEN + 1];
	size_t len = strlen(host);

	if (inet_pton(AF_INET, host, &a) == 1) {
		*v4 = ntohl(a.s_addr);
		return 4;
	}
	if (len < 3 || len > sizeof(name) || host[0] != '[')
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)(len - 2), host + 1);
	name[strcspn(name, "%")] = '\0';
	if (inet_pton(AF_INET6, name, v6) != 1)
		return 0;
	if (!IN6_IS_ADDR_V4MAPPED(v6))
		return 6;
	memcpy(v4, v6->s6_addr + 12, 4);
	*v4 = ntohl(*v4);
	return 4;
}

static bool name_is_localhost(const char *host)
{
	size_t len = strlen(host);

	if (len && host[len - 1] == '.')
		len--;
	return (len == 9 && strncasecmp(host, "localhost", 9) == 0) ||
	       (len > 10 && strncasecmp(host + len - 10, ".localhost", 10) == 0);
}

bool wb_url_host_is_loopback(const char *url)
{
	autourl *u = url_parse(url);
	autocurl *host = url_part(u, CURLUPART_HOST, 0);
	struct in6_addr v6;
	uint32_t v4;

	if (!host)
		return false;
	switch (host_address(host, &v4, &v6)) {
	case 4: return v4_loopback(v4);
	case 6: return IN6_IS_ADDR_LOOPBACK(&v6);
	default: return name_is_localhost(host);
	}
}

bool wb_http_url_is_local(const char *url)
{
	autourl *u = url_parse(url);
	autocurl *host = url_part(u, CURLUPART_HOST, 0);
	struct in6_addr v6;
	uint32_t v4;

	if (!host)
		return false;
	switch (host_address(host, &v4, &v6)) {
	case 4: return v4_local(v4);
	case 6:
		return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_LINKLOCAL(&v6) ||
		       IN6_IS_ADDR_UNSPECIFIED(&v6);
	default: return name_is_localhost(host);
	}
}

/* Where clouds tell a machine's own credentials, besides 169.254.169.254. */
static bool v4_metadata(uint32_t a)
{
	return a == 0x646464c8 /* 100.100.100.200 */ || a == 0xc00000c0 /* 192.0.0.192 */ ||
	       a == 0xa83f8110 /* 168.63.129.16 */;
}

static bool v6_metadata(const struct in6_addr *a)
{
	static const struct in6_addr aws = {
		{{0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}}};

	return memcmp(a, &aws, sizeof(aws)) == 0;
}

/* Link-local or a metadata service: a place that only this machine itself has business with. */
static bool v4_private(uint32_t a, bool loopback_too)
{
	return a >> 16 == 0xa9fe || v4_metadata(a) || (loopback_too && v4_local(a));
}

static bool v6_private(const struct in6_addr *a, bool loopback_too)
{
	return IN6_IS_ADDR_LINKLOCAL(a) || v6_metadata(a) ||
	       (loopback_too && (IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a)));
}

bool wb_http_address_is_private(const struct sockaddr *a, bool loopback_too)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	uint32_t mapped;

	if (a->sa_family == AF_INET) {
		memcpy(&v4, a, sizeof(v4));
		return v4_private(ntohl(v4.sin_addr.s_addr), loopback_too);
	}
	if (a->sa_family != AF_INET6)
		return true;
	memcpy(&v6, a, sizeof(v6));
	if (!IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
		return v6_private(&v6.sin6_addr, loopback_too);
	memcpy(&mapped, v6.sin6_addr.s6_addr + 12, sizeof(mapped));
	return v4_private(ntohl(mapped), loopback_too);
}

static bool url_is_private(const char *url)
{
	autourl *u = url_parse(url);
	autocurl *host = url_part(u, CURLUPART_HOST, 0);
	struct in6_addr v6;
	uint32_t v4 = 0;

	switch (host ? host_address(host, &v4, &v6) : 0) {
	case 4: return v4_private(v4, false);
	case 6: return v6_private(&v6, false);
	default: return false;
	}
}

const char *wb_http_url_astray(const char *from, const char *to)
{
	if (strncasecmp(from, "https:", 6) == 0 && strncasecmp(to, "https:", 6) != 0)
		return "it leaves https";
	if (!wb_http_url_is_local(from) && wb_http_url_is_local(to))
		return "a public host points at this machine's own addresses";
	if (url_is_private(to) && !url_is_private(from))
		return "nothing but this machine itself has business there";
	return NULL;
}

int wb_url_check_named(
	const char *from, const char *to, bool insecure, const char *what, struct wb_err *err)
{
	struct wb_err reason = WB_ERR_INIT;
	const char *why = NULL;

	if (wb_http_url_check(to, insecure, &reason))
		why = reason.text;
	else
		why = wb_http_url_astray(from, to);
	if (!why)
		return 0;
	wb_autofree char *safe = wb_url_redact(to);
	wb_autofree char *shown = wb_text_quote(safe, 200);
	wb_autofree char *origin = wb_http_url_origin(from);

	return wb_err_set(err, WB_ERR_NET, "%s names \"%s\" as %s: refused, %s",
		origin ? origin : "the server", shown, what, why);
}

int wb_http_url_check(const char *url, bool insecure, struct wb_err *err)
{
	wb_autofree char *safe = wb_url_redact(url);
	wb_autofree char *shown = wb_text_quote(safe, 200);
	wb_autofree char *origin = wb_http_url_origin(url);

	if (strpbrk(url, "\r\n") || !origin)
		return wb_err_set(err, WB_ERR_USAGE, "\"%s\" is not a usable address", shown);
	if (wb_str_starts(origin, "https://"))
		return 0;
	if (!wb_str_starts(origin, "http://"))
		return wb_err_set(err, WB_ERR_USAGE, "\"%s\" is neither https nor http", shown);
	if (insecure || wb_url_host_is_loopback(url))
		return 0;
	wb_err_set(err, WB_ERR_USAGE, "refusing plain http to \"%s\"", shown);
	return wb_err_hint(err, "use https, or --insecure to allow plain http to any host");
}
