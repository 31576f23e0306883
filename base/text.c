#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

struct wb_size_text wb_size_text(uint64_t bytes)
{
	static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
	struct wb_size_text t;
	double v = (double)bytes;
	size_t unit = 0;

	if (bytes < 1000) {
		snprintf(t.s, sizeof(t.s), "%u B", (unsigned)bytes);
		return t;
	}
	for (v /= 1000; v >= 999.95 && unit + 1 < WB_ARRAY_LEN(units); v /= 1000)
		unit++;
	snprintf(t.s, sizeof(t.s), "%.1f %s", v, units[unit]);
	return t;
}

/* The factor that a unit stands for, 0 for an unknown one. */
static uint64_t unit_factor(const char *unit)
{
	static const char letters[] = "kmgtpe";
	uint64_t factor = 1;

	if (!*unit || !strcasecmp(unit, "b"))
		return 1;
	const char *at = strchr(letters, tolower((unsigned char)*unit));

	if (!at)
		return 0;
	bool binary = !strcasecmp(unit + 1, "ib") || !strcasecmp(unit + 1, "i");

	if (!binary && unit[1] && strcasecmp(unit + 1, "b"))
		return 0;
	for (const char *p = letters; p <= at; p++)
		factor *= binary ? 1024 : 1000;
	return factor;
}

/* Digits with at most one point, as a number and thousandths (more digits are dropped): a double
 * would not hold large integers exactly. */
static bool read_decimal(uint64_t *whole, uint64_t *thousandths, const char **text)
{
	const char *p = *text;
	uint64_t scale = 100;

	*whole = *thousandths = 0;
	if (!isdigit((unsigned char)*p))
		return false;
	for (; isdigit((unsigned char)*p); p++)
		if (!wb_mul_u64(whole, *whole, 10) ||
			!wb_add_u64(whole, *whole, (uint64_t)(*p - '0')))
			return false;
	if (*p == '.' && isdigit((unsigned char)p[1]))
		for (p++; isdigit((unsigned char)*p); p++, scale /= 10)
			*thousandths += (uint64_t)(*p - '0') * scale;
	*text = p;
	return true;
}

int wb_size_parse(uint64_t *out, const char *text, struct wb_err *err)
{
	const char *p = text;
	uint64_t whole, thousandths, bytes;
	bool ok = read_decimal(&whole, &thousandths, &p);

	while (*p == ' ')
		p++;
	uint64_t factor = unit_factor(p);

	if (ok && factor && wb_mul_u64(&bytes, whole, factor) &&
		wb_add_u64(&bytes, bytes,
			factor / 1000 * thousandths + factor % 1000 * thousandths / 1000)) {
		*out = bytes;
		return 0;
	}
	return wb_err_set(err, WB_ERR_USAGE,
		"\"%.40s\" is not a size (examples: 500MB, 1.5GB, 10GiB, 1048576)", text);
}

struct wb_size_text wb_duration_text(double seconds)
{
	struct wb_size_text t;

	if (seconds < 9.95)
		snprintf(t.s, sizeof(t.s), "%.1fs", seconds);
	else if (seconds < 60)
		snprintf(t.s, sizeof(t.s), "%.0fs", seconds);
	else if (seconds < 3600)
		snprintf(t.s, sizeof(t.s), "%dm %02ds", (int)seconds / 60, (int)seconds % 60);
	else
		snprintf(t.s, sizeof(t.s), "%ldh %02ldm", (long)seconds / 3600,
			(long)seconds / 60 % 60);
	return t;
}

/* Length of the valid UTF-8 sequence at p (n bytes left), 0 when there is none (RFC 3629). */
static size_t utf8_len(const unsigned char *p, size_t n)
{
	static const struct {
		unsigned char lo, hi, second_lo, second_hi;
		size_t len;
	} forms[] = {
		{0x00, 0x7f, 0, 0, 1},
		{0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t f = 0; f < WB_ARRAY_LEN(forms); f++) {
		if (p[0] < forms[f].lo || p[0] > forms[f].hi)
			continue;
		if (forms[f].len > n)
			return 0;
		if (forms[f].len > 1 && (p[1] < forms[f].second_lo || p[1] > forms[f].second_hi))
			return 0;
		for (size_t i = 2; i < forms[f].len; i++)
			if ((p[i] & 0xc0) != 0x80)
				return 0;
		return forms[f].len;
	}
	return 0;
}

bool wb_utf8_valid(const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t k = utf8_len((const unsigned char *)s + i, n - i);

		if (!k)
			return false;
		i += k;
	}
	return true;
}

char *wb_text_quote(const char *s, size_t max)
{
	size_t n = strlen(s), out = 0;
	char *t = wb_alloc(max + 8);

	for (size_t i = 0; i < n;) {
		size_t k = utf8_len((const unsigned char *)s + i, n - i);
		unsigned char c = (unsigned char)s[i];
		bool plain = k > 1 || (k == 1 && c >= 0x20 && c != 0x7f);
		size_t need = plain ? k : 4;

		if (out + need > max) {
			memcpy(t + out, "...", 3);
			out += 3;
			break;
		}
		if (plain)
			memcpy(t + out, s + i, k);
		else
			snprintf(t + out, 5, "\\x%02x", c);
		out += need;
		i += plain ? k : 1;
	}
	t[out] = '\0';
	return t;
}

static size_t edit_distance(const char *a, const char *b)
{
	enum { MAX = 64 };
	size_t row[MAX + 1], n = strlen(a), m = strlen(b);

	if (n > MAX || m > MAX)
		return MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t replace = diagonal + (tolower((unsigned char)a[i - 1]) !=
							    tolower((unsigned char)b[j - 1]));
			size_t other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = replace < other ? replace : other;
		}
	}
	return row[m];
}

const char *wb_text_nearest(const char *word, const char *const *candidates)
{
	const char *best = NULL;
	size_t best_distance = 3;

	for (; *candidates; candidates++) {
		size_t d = edit_distance(word, *candidates);

		if (d < best_distance && d * 2 < strlen(word)) {
			best = *candidates;
			best_distance = d;
		}
	}
	return best;
}

bool wb_str_starts(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool wb_str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && !memcmp(s + n - m, suffix, m);
}

bool wb_parse_u64(uint64_t *out, const char *s)
{
	uint64_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		if (!wb_mul_u64(&v, v, 10) || !wb_add_u64(&v, v, (uint64_t)(*s - '0')))
			return false;
	}
	*out = v;
	return true;
}

const char *wb_env(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? v : NULL;
}

bool wb_env_true(const char *name)
{
	const char *v = wb_env(name);

	return v && (!strcmp(v, "1") || !strcasecmp(v, "true") || !strcasecmp(v, "yes") ||
			    !strcasecmp(v, "on"));
}
