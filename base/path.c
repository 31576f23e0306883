#include "base/path.h"

#include <limits.h>
#include <string.h>

#include "base/alloc.h"

static const char *component_unsafe(const char *p, size_t n)
{
	if (n == 0)
		return "has an empty component";
	if (n > NAME_MAX)
		return "has a component longer than 255 bytes";
	if (n == 1 && p[0] == '.')
		return "has a \".\" component";
	if (n == 2 && p[0] == '.' && p[1] == '.')
		return "has a \"..\" component";
	if (n >= 4 && !memcmp(p, ".wh.", 4))
		return "has a component that starts with \".wh.\", which layers reserve for "
		       "whiteouts";
	return NULL;
}

const char *wb_path_unsafe(const char *path, size_t len)
{
	size_t start = 0;

	if (len == 0)
		return "is empty";
	if (len >= PATH_MAX)
		return "is longer than 4095 bytes";
	if (path[0] == '/')
		return "is absolute";
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)path[i];

		if (c == 0)
			return "has a NUL byte";
		if (c < 0x20 || c == 0x7f)
			return "has a control byte";
		if (c == '\\')
			return "has a backslash";
	}
	for (size_t i = 0; i <= len; i++) {
		if (i < len && path[i] != '/')
			continue;
		const char *why = component_unsafe(path + start, i - start);

		if (why)
			return why;
		start = i + 1;
	}
	return NULL;
}

/* Appends the components of p to out ("" or "/a/b" so far). resolve: ".." takes one away. */
static void add_components(char *out, const char *p, bool resolve)
{
	size_t len = strlen(out);

	while (*p) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.' && resolve) {
			while (len && out[--len] != '/')
				;
		} else if (n && !(n == 1 && p[0] == '.')) {
			out[len++] = '/';
			memcpy(out + len, p, n);
			len += n;
		}
		out[len] = '\0';
		p += n;
		p += *p == '/';
	}
}

char *wb_path_join(const char *a, const char *b)
{
	/* components are collected as "/x/y"; a relative result drops the first slash */
	bool relative = *a ? *a != '/' : *b != '/';
	char *out = wb_zalloc(strlen(a) + strlen(b) + 4);

	add_components(out, a, false);
	add_components(out, b, false);
	if (relative && *out)
		memmove(out, out + 1, strlen(out));
	else if (!*out)
		out[0] = relative ? '.' : '/';
	return out;
}

char *wb_path_normalize(const char *base, const char *path)
{
	bool absolute = *path == '/';
	char *out = wb_zalloc((absolute ? 0 : strlen(base)) + strlen(path) + 4);

	if (!absolute)
		add_components(out, base, true);
	add_components(out, path, true);
	if (!*out)
		memcpy(out, "/", 2);
	return out;
}

const char *wb_path_basename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *wb_path_dirname(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return wb_strdup(".");
	return slash == path ? wb_strdup("/") : wb_strndup(path, (size_t)(slash - path));
}

bool wb_path_within(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	while (n && dir[n - 1] == '/')
		n--;
	return !strncmp(path, dir, n) && (path[n] == '\0' || path[n] == '/');
}

int wb_path_cmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	int x = *a == '/' ? 1 : (unsigned char)*a + (*a ? 1 : 0);
	int y = *b == '/' ? 1 : (unsigned char)*b + (*b ? 1 : 0);

	return x - y;
}
