#include "oci/uploadwire.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/http.h"
#include "base/text.h"

/* Digits up to a byte of `ends`; moves *p past them. */
static bool number(uint64_t *out, const char **p, const char *ends)
{
	size_t n = strspn(*p, "0123456789");
	wb_autofree char *digits = wb_strndup(*p, n);

	if (!n || !wb_parse_u64(out, digits))
		return false;
	*p += n;
	return !**p || strchr(ends, **p);
}

bool wb_upload_range_parse(uint64_t *received, const char *value)
{
	uint64_t start, end;

	if (wb_str_starts(value, "bytes=") || wb_str_starts(value, "bytes "))
		value += 6;
	if (!number(&start, &value, "-") || *value++ != '-' || start)
		return false;
	if (!number(&end, &value, "") || end == UINT64_MAX)
		return false;
	*received = end ? end + 1 : 0;
	return true;
}

bool wb_content_range_parse(uint64_t *start, uint64_t *end, uint64_t *total, const char *value)
{
	uint64_t a, b, all = UINT64_MAX;

	if (!wb_str_starts(value, "bytes "))
		return false;
	value += 6;
	if (!number(&a, &value, "-") || *value++ != '-')
		return false;
	if (!number(&b, &value, "/") || *value++ != '/')
		return false;
	if (strcmp(value, "*") && (!number(&all, &value, "") || b >= all))
		return false;
	if (a > b)
		return false;
	*start = a;
	*end = b;
	*total = all;
	return true;
}

/* https://host[:port]/ of the request against http://host[:port]/ of the answer. */
static bool only_lost_tls(const char *request_url, const char *resolved)
{
	if (!wb_str_starts(request_url, "https://") || !wb_str_starts(resolved, "http://"))
		return false;
	const char *a = request_url + 8, *b = resolved + 7;
	size_t n = strcspn(a, "/?#");

	return strcspn(b, "/?#") == n && !strncasecmp(a, b, n);
}

char *wb_upload_location(const char *request_url, const char *location, struct wb_err *err)
{
	bool bad = !*location || strlen(location) > WB_LOCATION_MAX;

	for (const char *p = location; *p && !bad; p++)
		bad = (unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f;
	if (bad) {
		wb_err_set(err, WB_ERR_FORMAT, "the registry answered with an unusable Location");
		return NULL;
	}
	wb_autofree char *url = wb_url_resolve(request_url, location, err);

	if (!url)
		return NULL;
	if (only_lost_tls(request_url, url))
		return wb_asprintf("https://%s", url + 7);
	return wb_steal(url);
}

char *wb_upload_close_url(const char *location, const struct wb_digest *digest)
{
	size_t n = strcspn(location, "#");
	char last = n ? location[n - 1] : '\0';
	const char *join = "?";

	if (memchr(location, '?', n))
		join = last == '?' || last == '&' ? "" : "&";
	return wb_asprintf("%.*s%sdigest=%s", (int)n, location, join, wb_digest_text(digest).s);
}
