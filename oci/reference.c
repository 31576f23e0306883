#include "oci/reference.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"

#define HUB "docker.io"
#define HUB_OFFICIAL "library/"
#define REF_TEXT_MAX 1024

static bool lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool alnum(char c)
{
	return lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static int refuse(struct wb_err *err, const char *text, const char *why)
{
	wb_autofree char *shown = wb_text_quote(text, 120);

	return wb_err_set(err, WB_ERR_USAGE, "\"%s\" is not an image reference: %s", shown, why);
}

/* One component of a name: runs of [a-z0-9] joined by ".", "_", "__" or any number of "-". */
static bool component_ok(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n) {
		if (!lower_alnum(s[i]))
			return false;
		while (i < n && lower_alnum(s[i]))
			i++;
		if (i == n)
			return true;
		if (s[i] == '.')
			i++;
		else if (s[i] == '_')
			i += i + 1 < n && s[i + 1] == '_' ? 2 : 1;
		else
			while (i < n && s[i] == '-')
				i++;
	}
	return false; /* empty, or ended with a separator */
}

static const char *name_fault(const char *name)
{
	for (const char *p = name;;) {
		size_t n = strcspn(p, "/");

		for (size_t i = 0; i < n; i++)
			if (p[i] >= 'A' && p[i] <= 'Z')
				return "the repository name must be lower case";
		if (!n)
			return "the repository name has an empty part";
		if (!component_ok(p, n))
			return "the repository name may only hold a-z, 0-9 and single separators "
			       "between them";
		if (!p[n])
			return NULL;
		p += n + 1;
	}
}

bool wb_tag_valid(const char *tag)
{
	size_t n = strlen(tag);

	if (!n || n > WB_REF_TAG_MAX || !(alnum(tag[0]) || tag[0] == '_'))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!alnum(tag[i]) && !strchr("._-", tag[i]))
			return false;
	return true;
}

bool wb_refname_valid(const char *name)
{
	size_t n = strlen(name), i = 0;

	if (!n || n > WB_REF_NAME_MAX + 1 + WB_REF_TAG_MAX)
		return false;
	while (i < n) {
		if (!alnum(name[i]))
			return false;
		while (i < n && alnum(name[i]))
			i++;
		if (i == n)
			return true;
		if (name[i] == '-' && i + 1 < n && name[i + 1] == '-')
			i += 2;
		else if (strchr("-._:@+/", name[i]))
			i++;
		else
			return false;
	}
	return false;
}

/* "host", "host:port", "[v6]:port" */
static bool host_ok(const char *s, size_t n)
{
	size_t i = 0;

	if (n && s[0] == '[') {
		for (i = 1; i < n && s[i] != ']'; i++)
			if (!isxdigit((unsigned char)s[i]) && s[i] != ':' && s[i] != '.')
				return false;
		if (i < 3 || i == n)
			return false;
		i++;
	} else {
		bool edge = true; /* at the start of a label, where "-" may not be */

		for (; i < n && s[i] != ':'; i++) {
			if (!alnum(s[i]) && (edge || !strchr("-.", s[i])))
				return false;
			if (s[i] == '.' && s[i - 1] == '-')
				return false;
			edge = s[i] == '.';
		}
		if (!i || edge || s[i - 1] == '-')
			return false;
	}
	if (i == n)
		return true;
	size_t digits = n - i - 1;

	if (s[i] != ':' || !digits || digits > 5)
		return false;
	for (i++; i < n; i++)
		if (!isdigit((unsigned char)s[i]))
			return false;
	return true;
}

/* Docker's rule: the first part is a host when it could not be a part of a Docker Hub name. */
static size_t host_length(const char *s)
{
	size_t n = strcspn(s, "/");

	if (s[n] != '/')
		return 0;
	bool host = memchr(s, '.', n) || memchr(s, ':', n) || s[0] == '[' ||
	            (n == 9 && !memcmp(s, "localhost", 9));

	for (size_t i = 0; i < n && !host; i++)
		host = s[i] >= 'A' && s[i] <= 'Z';
	return host ? n : 0;
}

/* Cuts "@sha256:…" off text. */
static int take_digest(struct wb_reference *r, char *text, const char *whole, struct wb_err *err)
{
	char *at = strchr(text, '@');

	if (!at)
		return 0;
	*at = '\0';
	if (wb_digest_parse(&r->digest, at + 1, err)) {
		if (strncmp(at + 1, "sha256:", 7) && strchr(at + 1, ':'))
			return refuse(err, whole, "only sha256 digests are supported");
		return refuse(err, whole,
			"what follows \"@\" must be sha256: and 64 lower-case hex digits");
	}
	r->has_digest = true;
	return 0;
}

static int take_tag(struct wb_reference *r, char *text, const char *whole, struct wb_err *err)
{
	char *slash = strrchr(text, '/');
	char *colon = strchr(slash ? slash : text, ':');

	if (!colon)
		return 0;
	*colon = '\0';
	if (!wb_tag_valid(colon + 1))
		return refuse(err, whole,
			"a tag is 1 to 128 of A-Z, a-z, 0-9, \"_\", \".\" and \"-\", and does not "
			"start "
			"with \".\" or \"-\"");
	r->tag = wb_strdup(colon + 1);
	return 0;
}

static int take_name(
	struct wb_reference *r, const char *text, const char *whole, struct wb_err *err)
{
	size_t n = host_length(text);
	const char *name = n ? text + n + 1 : text;
	const char *why;

	if (n && !host_ok(text, n))
		return refuse(err, whole, "the part before the first \"/\" is not a host");
	if (!*name)
		return refuse(err, whole, "the repository name is empty");
	if ((why = name_fault(name)))
		return refuse(err, whole, why);
	r->host = n ? wb_strndup(text, n) : wb_strdup(HUB);
	if (!strcmp(r->host, "index.docker.io") || !strcmp(r->host, "registry-1.docker.io")) {
		free(r->host);
		r->host = wb_strdup(HUB);
	}
	bool official = !strcmp(r->host, HUB) && !strchr(name, '/');

	r->name = wb_asprintf("%s%s", official ? HUB_OFFICIAL : "", name);
	if (strlen(r->host) + 1 + strlen(r->name) > WB_REF_NAME_MAX)
		return refuse(err, whole, "host and name together are longer than 255 bytes");
	return 0;
}

int wb_reference_parse(struct wb_reference *out, const char *text, struct wb_err *err)
{
	WB_AUTO(wb_reference_release) struct wb_reference r = WB_REFERENCE_INIT;

	if (!*text)
		return refuse(err, text, "it is empty");
	if (strlen(text) > REF_TEXT_MAX)
		return refuse(err, text, "it is too long");
	if (strstr(text, "://")) {
		refuse(err, text, "it has a URL scheme");
		return wb_err_hint(err, "write host/name:tag, or docker://host/name:tag");
	}
	if (strchr("./~", text[0])) {
		refuse(err, text, "it looks like a path");
		return wb_err_hint(err, "for a folder write oci:DIR, for a file oci-archive:FILE");
	}
	wb_autofree char *copy = wb_strdup(text);

	if (take_digest(&r, copy, text, err) || take_tag(&r, copy, text, err) ||
		take_name(&r, copy, text, err))
		return -1;
	*out = r;
	r = WB_REFERENCE_INIT;
	return 0;
}

void wb_reference_release(struct wb_reference *r)
{
	free(r->host);
	free(r->name);
	free(r->tag);
	*r = WB_REFERENCE_INIT;
}

void wb_reference_copy(struct wb_reference *out, const struct wb_reference *r)
{
	struct wb_reference copy = *r;

	copy.host = wb_strdup(r->host);
	copy.name = wb_strdup(r->name);
	copy.tag = wb_strdup(r->tag);
	*out = copy;
}

void wb_reference_default_tag(struct wb_reference *r)
{
	if (!r->tag && !r->has_digest)
		r->tag = wb_strdup("latest");
}

static char *format(const struct wb_reference *r, const char *prefix, const char *name)
{
	return wb_asprintf("%s%s%s%s%s%s", prefix, name, r->tag ? ":" : "", r->tag ? r->tag : "",
		r->has_digest ? "@" : "", r->has_digest ? wb_digest_text(&r->digest).s : "");
}

char *wb_reference_text(const struct wb_reference *r)
{
	wb_autofree char *prefix = wb_asprintf("%s/", r->host);

	return format(r, prefix, r->name);
}

char *wb_reference_familiar(const struct wb_reference *r)
{
	const char *rest = r->name + strlen(HUB_OFFICIAL);

	if (strcmp(r->host, HUB))
		return wb_reference_text(r);
	if (wb_str_starts(r->name, HUB_OFFICIAL) && !strchr(rest, '/'))
		return format(r, "", rest);
	/* "docker.io/a.b/c" without its host would name a host "a.b". */
	return host_length(r->name) ? wb_reference_text(r) : format(r, "", r->name);
}
