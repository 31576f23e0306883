#include "oci/platform.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

/* Other words for the same thing, as containerd's platforms package folds them. */
static const struct alias {
	const char *word, *arch, *variant;
} aliases[] = {
	{"x86_64", "amd64", ""},
	{"x86-64", "amd64", ""},
	{"i386", "386", ""},
	{"aarch64", "arm64", ""},
	{"armhf", "arm", "v7"},
	{"armel", "arm", "v6"},
};

/* Every field that takes a word of the tables here has this size; the words are shorter. */
#define FIELD_SIZE 32

static void put(char field[FIELD_SIZE], const char *word)
{
	snprintf(field, FIELD_SIZE, "%s", word);
}

static void lower(char *s)
{
	for (; *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

struct wb_platform wb_platform_normal(const struct wb_platform *p)
{
	struct wb_platform n = *p;

	lower(n.os);
	lower(n.arch);
	lower(n.variant);
	if (!strcmp(n.os, "macos"))
		put(n.os, "darwin");
	for (size_t i = 0; i < WB_ARRAY_LEN(aliases); i++) {
		if (strcmp(n.arch, aliases[i].word))
			continue;
		put(n.arch, aliases[i].arch);
		if (!n.variant[0])
			put(n.variant, aliases[i].variant);
		break;
	}
	if (!strcmp(n.arch, "arm64") && (!strcmp(n.variant, "v8") || !strcmp(n.variant, "8")))
		n.variant[0] = '\0';
	if (!strcmp(n.arch, "amd64") && !strcmp(n.variant, "v1"))
		n.variant[0] = '\0';
	if (!strcmp(n.arch, "arm")) {
		if (!n.variant[0])
			put(n.variant, "v7");
		else if (isdigit((unsigned char)n.variant[0]) && !n.variant[1])
			snprintf(n.variant, sizeof(n.variant), "v%c", p->variant[0]);
	}
	return n;
}

static bool is_arch(const char *word)
{
	static const char *const known[] = {"386", "amd64", "arm", "arm64", "loong64", "mips64le",
		"ppc64le", "riscv64", "s390x"};

	for (size_t i = 0; i < WB_ARRAY_LEN(known); i++)
		if (!strcasecmp(word, known[i]))
			return true;
	for (size_t i = 0; i < WB_ARRAY_LEN(aliases); i++)
		if (!strcasecmp(word, aliases[i].word))
			return true;
	return false;
}

static bool word_ok(const char *s)
{
	size_t n = strlen(s);

	return n && n < sizeof(((struct wb_platform *)0)->arch) &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == n;
}

int wb_platform_parse(struct wb_platform *out, const char *text, struct wb_err *err)
{
	struct wb_platform p = WB_PLATFORM_INIT;
	wb_autofree char *copy = wb_strdup(text);
	const char *word[3] = {NULL, NULL, NULL};
	size_t n = 0;
	bool ok = true;

	for (char *rest = copy, *w; ok && (w = strsep(&rest, "/"));) {
		ok = n < 3 && word_ok(w);
		if (ok)
			word[n++] = w;
	}
	if (ok && n == 1) {
		ok = is_arch(word[0]);
		word[1] = word[0];
		word[0] = "linux";
	}
	if (!ok) {
		wb_err_set(err, WB_ERR_USAGE, "\"%.80s\" is not a platform", text);
		return wb_err_hint(err, "write it as os/architecture or os/architecture/variant, "
					"for example linux/amd64 or linux/arm64");
	}
	snprintf(p.os, sizeof(p.os), "%s", word[0]);
	snprintf(p.arch, sizeof(p.arch), "%s", word[1]);
	snprintf(p.variant, sizeof(p.variant), "%s", word[2] ? word[2] : "");
	*out = wb_platform_normal(&p);
	return 0;
}

/* A string member into a fixed field; absent leaves "". */
static int take(char *dst, size_t size, const json_t *o, const char *key, const char *what,
	struct wb_err *err)
{
	const json_t *v = json_object_get(o, key);

	if (!v || json_is_null(v))
		return 0;
	if (!json_is_string(v))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"%s\" is not a string", what, key);
	size_t n = json_string_length(v);

	if (n >= size || strlen(json_string_value(v)) != n)
		return wb_err_set(err, WB_ERR_LIMIT, "%s: \"%s\" is longer than %zu bytes", what,
			key, size - 1);
	if (n && !word_ok(json_string_value(v)))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"%s\" is not a word", what, key);
	memcpy(dst, json_string_value(v), n + 1);
	return 0;
}

int wb_platform_from_json(
	struct wb_platform *out, const json_t *o, const char *what, struct wb_err *err)
{
	struct wb_platform p = WB_PLATFORM_INIT;

	if (!json_is_object(o))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: the platform is not an object", what);
	if (take(p.os, sizeof(p.os), o, "os", what, err) ||
		take(p.arch, sizeof(p.arch), o, "architecture", what, err) ||
		take(p.variant, sizeof(p.variant), o, "variant", what, err) ||
		take(p.os_version, sizeof(p.os_version), o, "os.version", what, err))
		return -1;
	*out = p;
	return 0;
}

json_t *wb_platform_to_json(const struct wb_platform *p)
{
	json_t *o = json_object();

	wb_json_set_str(o, "architecture", p->arch);
	wb_json_set_str(o, "os", p->os);
	if (p->os_version[0])
		wb_json_set_str(o, "os.version", p->os_version);
	if (p->variant[0])
		wb_json_set_str(o, "variant", p->variant);
	return o;
}

static bool same_but_variant(const struct wb_platform *a, const struct wb_platform *b)
{
	return !strcmp(a->os, b->os) && !strcmp(a->arch, b->arch) &&
	       (!a->os_version[0] || !b->os_version[0] || !strcmp(a->os_version, b->os_version));
}

bool wb_platform_equal(const struct wb_platform *a, const struct wb_platform *b)
{
	struct wb_platform x = wb_platform_normal(a), y = wb_platform_normal(b);

	return same_but_variant(&x, &y) && !strcmp(x.variant, y.variant);
}

bool wb_platform_match(const struct wb_platform *have, const struct wb_platform *want)
{
	struct wb_platform x = wb_platform_normal(have), y = wb_platform_normal(want);

	return same_but_variant(&x, &y) && (!strcmp(x.variant, y.variant) || !want->variant[0]);
}

bool wb_platform_unknown(const struct wb_platform *p)
{
	return !strcmp(p->os, "unknown") || !strcmp(p->arch, "unknown");
}

struct wb_platform_text wb_platform_text(const struct wb_platform *p)
{
	struct wb_platform_text t;

	snprintf(t.s, sizeof(t.s), "%s/%s%s%s", p->os, p->arch, p->variant[0] ? "/" : "",
		p->variant);
	return t;
}
