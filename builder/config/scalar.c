/* What plain scalars mean under YAML 1.1, by the resolution table that PyYAML's SafeLoader uses. */
#include "builder/config/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static bool one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(s, *words))
			return true;
	return false;
}

static const char *const true_words[] = {
	"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", NULL};
static const char *const false_words[] = {
	"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", NULL};
static const char *const null_words[] = {"", "~", "null", "Null", "NULL", NULL};
static const char *const inf_words[] = {".inf", ".Inf", ".INF", NULL};
static const char *const nan_words[] = {".nan", ".NaN", ".NAN", NULL};

static const char *skip_sign(const char *s)
{
	return *s == '+' || *s == '-' ? s + 1 : s;
}

/* The rest after a run of these characters. */
static const char *skip_set(const char *s, const char *set)
{
	return s + strspn(s, set);
}

#define DIGITS_ "0123456789_"

/* (":" [0-5]? [0-9])+, the tail of a base-60 number; NULL when there is none. */
static const char *skip_sexagesimal(const char *s)
{
	if (*s != ':')
		return NULL;
	while (*s == ':') {
		s++;
		if (*s >= '0' && *s <= '5' && isdigit((unsigned char)s[1]))
			s += 2;
		else if (isdigit((unsigned char)*s))
			s++;
		else
			return NULL;
	}
	return s;
}

static bool is_int(const char *text)
{
	const char *s = skip_sign(text), *rest;

	if (!isdigit((unsigned char)*s))
		return false;
	if (*s == '0') {
		if (s[1] == 'b')
			return s[2] && !*skip_set(s + 2, "01_");
		if (s[1] == 'x')
			return s[2] && !*skip_set(s + 2, "0123456789abcdefABCDEF_");
		return !*skip_set(s + 1, "01234567_");
	}
	rest = skip_set(s, DIGITS_);
	if (!*rest)
		return true;
	rest = skip_sexagesimal(rest);
	return rest && !*rest;
}

static bool is_float(const char *text)
{
	const char *s = skip_sign(text), *rest;

	if (one_of(s, inf_words) || one_of(text, nan_words))
		return true;
	if (*s == '.') {
		if (!isdigit((unsigned char)s[1]) || s != text)
			return false;
		rest = skip_set(s + 1, DIGITS_);
	} else {
		if (!isdigit((unsigned char)*s))
			return false;
		rest = skip_set(s, DIGITS_);
		if (*rest == ':') {
			rest = skip_sexagesimal(rest);
			return rest && *rest == '.' && !*skip_set(rest + 1, DIGITS_);
		}
		if (*rest != '.')
			return false;
		rest = skip_set(rest + 1, DIGITS_);
	}
	if ((*rest == 'e' || *rest == 'E') && (rest[1] == '+' || rest[1] == '-') &&
		isdigit((unsigned char)rest[2]))
		rest = skip_set(rest + 2, "0123456789");
	return !*rest;
}

/* A date, or a date and time: enough of the pattern to tell it from words and versions. */
static bool is_time(const char *s)
{
	static const char date[] = "dddd-dd-dd";
	size_t i = 0;

	for (; date[i]; i++)
		if (date[i] == 'd' ? !isdigit((unsigned char)s[i]) : s[i] != date[i])
			return false;
	if (!s[i])
		return true;
	if (s[i] != 'T' && s[i] != 't' && s[i] != ' ' && s[i] != '\t')
		return false;
	s = skip_set(s + i + 1, " \t");
	return isdigit((unsigned char)*s) && !*skip_set(s, "0123456789:.+- \tZ") && strchr(s, ':');
}

enum wb_yaml_type wb_yaml_type(const struct wb_yaml_node *n)
{
	if (!n->plain || strlen(n->text) != n->len)
		return WB_YAML_STRING;
	if (one_of(n->text, null_words))
		return WB_YAML_NULL;
	if (one_of(n->text, true_words) || one_of(n->text, false_words))
		return WB_YAML_BOOL;
	if (is_int(n->text))
		return WB_YAML_INT;
	if (is_float(n->text))
		return WB_YAML_FLOAT;
	return is_time(n->text) ? WB_YAML_TIME : WB_YAML_STRING;
}

const char *wb_yaml_type_name(const struct wb_yaml_node *n)
{
	if (n->kind == WB_YAML_SEQUENCE)
		return "a list";
	if (n->kind == WB_YAML_MAPPING)
		return "a mapping";
	switch (wb_yaml_type(n)) {
	case WB_YAML_NULL: return "null";
	case WB_YAML_BOOL: return "a boolean";
	case WB_YAML_INT:
	case WB_YAML_FLOAT: return "a number";
	case WB_YAML_TIME: return "a date";
	case WB_YAML_STRING: break;
	}
	return "a string";
}

bool wb_yaml_is_null(const struct wb_yaml_node *n)
{
	return n->kind == WB_YAML_SCALAR && wb_yaml_type(n) == WB_YAML_NULL;
}

bool wb_yaml_bool(const struct wb_yaml_node *n)
{
	return one_of(n->text, true_words);
}

static char *without_underscores(const char *s)
{
	char *copy = wb_strdup(s), *out = copy;

	for (const char *p = copy; *p; p++)
		if (*p != '_')
			*out++ = *p;
	*out = '\0';
	return copy;
}

/* Base 60: "1:30" is 90. */
static bool sexagesimal(uint64_t *out, const char *s)
{
	uint64_t v = 0;

	for (char *end; *s; s = end + (*end == ':')) {
		errno = 0;
		uint64_t part = strtoull(s, &end, 10);

		if (errno || !wb_mul_u64(&v, v, 60) || !wb_add_u64(&v, v, part))
			return false;
	}
	*out = v;
	return true;
}

bool wb_yaml_int(int64_t *out, const struct wb_yaml_node *n)
{
	if (wb_yaml_type(n) != WB_YAML_INT)
		return false; /* what follows relies on its form */
	wb_autofree char *clean = without_underscores(n->text);
	const char *s = skip_sign(clean);
	bool negative = *clean == '-';
	uint64_t v = 0;

	errno = 0;
	if (strchr(s, ':')) {
		if (!sexagesimal(&v, s))
			return false;
	} else if (s[0] == '0' && s[1] == 'b') {
		v = strtoull(s + 2, NULL, 2);
	} else if (s[0] == '0' && s[1] == 'x') {
		v = strtoull(s + 2, NULL, 16);
	} else {
		v = strtoull(s, NULL, *s == '0' ? 8 : 10);
	}
	if (errno || v > INT64_MAX)
		return false;
	*out = negative ? -(int64_t)v : (int64_t)v;
	return true;
}

static double float_value(const char *text)
{
	wb_autofree char *clean = without_underscores(text);
	const char *s = skip_sign(clean);
	double sign = *clean == '-' ? -1 : 1, v = 0;

	if (one_of(s, inf_words))
		return sign * INFINITY;
	if (one_of(s, nan_words))
		return NAN;
	for (char *end; strchr(s, ':'); s = end + 1)
		v = (v + (double)strtoull(s, &end, 10)) * 60;
	return sign * (v + strtod(s, NULL));
}

/* As Python's repr(): the shortest digits that give the value back, an exponent below 1e-4 and
 * from 1e16. */
static char *python_float(double v)
{
	char digits[40];
	int precision = 0;

	if (isnan(v))
		return wb_strdup("nan");
	if (isinf(v))
		return wb_strdup(v < 0 ? "-inf" : "inf");
	do
		snprintf(digits, sizeof(digits), "%.*e", precision, v);
	while (strtod(digits, NULL) != v && ++precision < 17);
	int exponent = (int)strtol(strchr(digits, 'e') + 1, NULL, 10);

	if (exponent >= -4 && exponent < 16) {
		int decimals = precision - exponent;

		return wb_asprintf("%.*f", decimals > 1 ? decimals : 1, v);
	}
	return wb_strdup(digits);
}

char *wb_yaml_python_str(const struct wb_yaml_node *n)
{
	enum wb_yaml_type type = wb_yaml_type(n);
	int64_t v;

	if (type == WB_YAML_NULL)
		return wb_strdup("None");
	if (type == WB_YAML_BOOL)
		return wb_strdup(wb_yaml_bool(n) ? "true" : "false");
	if (type == WB_YAML_INT && wb_yaml_int(&v, n))
		return wb_asprintf("%lld", (long long)v);
	if (type == WB_YAML_FLOAT)
		return python_float(float_value(n->text));
	return wb_strdup(n->text);
}
