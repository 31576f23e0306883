#include "base/secret.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sealed.h"
#include "base/sha256.h"
#include "base/text.h"

enum {
	REDACT_MIN = 6, /* shorter values would redact ordinary words out of every message */
	WORD_MAX = 15,  /* of letters or digits alone: a word, a date or a number */
	MARK_ROUNDS = 1 << 12,
};

struct wb_secret {
	atomic_uint refs;
	size_t len;
	char *name;
	char *value; /* sealed */
};

/* One text that must not appear, with the secret it belongs to. */
struct needle {
	char *text; /* sealed, NUL-terminated */
	size_t len;
	char *name;
	bool sought; /* in data, not only in messages */
	bool marked; /* the value itself, which is given and not of a session */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static WB_VEC(struct needle) needles;

void wb_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

/* --- the registry ------------------------------------------------------------------------- */

static bool is_word(const char *p, size_t n)
{
	size_t letters = 0, digits = 0;

	for (size_t i = 0; i < n; i++) {
		letters += isalpha((unsigned char)p[i]) != 0;
		digits += isdigit((unsigned char)p[i]) != 0;
	}
	return n <= WORD_MAX && (letters == n || digits == n);
}

/* Lock held. */
static void add_needle(const struct needle *like, const char *text, size_t len)
{
	if (len < REDACT_MIN)
		return;
	wb_vec_foreach (k, &needles) {
		if (k->len != len || memcmp(k->text, text, len) != 0)
			continue;
		k->sought |= like->sought;
		return;
	}
	struct needle *k = wb_vec_push(&needles);

	*k = *like;
	k->text = wb_sealed_alloc(len + 1);
	memcpy(k->text, text, len);
	k->len = len;
	k->name = wb_strdup(like->name);
}

/* What base64 (RFC 4648) makes of p when `before` bytes of something else stand in front of it, and
 * anything behind: the characters that hold bits of p alone. */
static size_t base64_form(char *out, const char *p, size_t n, size_t before, bool url)
{
	static const char plain[] = "+/", safe[] = "-_";
	size_t first = (8 * before + 5) / 6, last = 8 * (before + n) / 6, k = 0;

	for (size_t i = first; i < last; i++) {
		size_t bit = 6 * i - 8 * before;
		unsigned two = (unsigned)(unsigned char)p[bit / 8] << 8;

		if (bit / 8 + 1 < n)
			two |= (unsigned char)p[bit / 8 + 1];
		unsigned v = two >> (10 - bit % 8) & 63;

		out[k++] = v < 26   ? (char)('A' + v)
		           : v < 52 ? (char)('a' + v - 26)
		           : v < 62 ? (char)('0' + v - 52)
		                    : (url ? safe : plain)[v - 62];
	}
	return k;
}

static size_t percent_form(char *out, const char *p, size_t n, const char *hex)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (isalnum(c) || (c && strchr("-._~", c))) {
			out[k++] = (char)c;
			continue;
		}
		out[k++] = '%';
		out[k++] = hex[c >> 4];
		out[k++] = hex[c & 15];
	}
	return k;
}

static size_t json_form(char *out, const char *p, size_t n)
{
	static const char from[] = "\"\\\n\r\t", to[] = "\"\\nrt";
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		const char *at = p[i] ? strchr(from, p[i]) : NULL;

		if (at)
			out[k++] = '\\';
		out[k++] = at ? to[at - from] : p[i];
	}
	return k;
}

/* JSON web tokens, and what GitHub and Google hand out for an hour. */
static bool is_brief(const char *value)
{
	return wb_str_starts(value, "eyJ") || wb_str_starts(value, "ghs_") ||
	       wb_str_starts(value, "ya29.");
}

static void register_value(const struct wb_secret *s, bool session)
{
	struct needle like = {
		.name = s->name, .sought = s->len >= WB_FINDER_MIN && !is_word(s->value, s->len)};
	struct needle given = like;
	size_t room = 3 * s->len + 8;
	char *form = wb_sealed_alloc(room);

	given.marked = like.sought && !session && !is_brief(s->value);
	pthread_mutex_lock(&lock);
	add_needle(&given, s->value, s->len);
	add_needle(&like, form, percent_form(form, s->value, s->len, "0123456789ABCDEF"));
	add_needle(&like, form, percent_form(form, s->value, s->len, "0123456789abcdef"));
	add_needle(&like, form, json_form(form, s->value, s->len));
	for (size_t before = 0; before < 3; before++) {
		size_t n = base64_form(form, s->value, s->len, before, false);

		if (n < WB_FINDER_MIN)
			continue;
		add_needle(&like, form, n);
		add_needle(&like, form, base64_form(form, s->value, s->len, before, true));
	}
	pthread_mutex_unlock(&lock);
	wb_sealed_free(form, room);
}

static struct wb_secret *new_trimmed(
	const char *name, const char *value, size_t n, bool trim, bool session)
{
	while (trim && n && isspace((unsigned char)value[n - 1]))
		n--;
	struct wb_secret *s = wb_secret_new_brief(name, value, n);

	register_value(s, session);
	return s;
}

struct wb_secret *wb_secret_new_brief(const char *name, const char *value, size_t n)
{
	struct wb_secret *s = wb_zalloc(sizeof(*s));

	atomic_init(&s->refs, 1);
	s->name = wb_strdup(name);
	s->value = wb_sealed_alloc(n + 1);
	memcpy(s->value, value, n);
	s->len = n;
	return s;
}

struct wb_secret *wb_secret_new(const char *name, const char *value, size_t n, bool trim)
{
	return new_trimmed(name, value, n, trim, false);
}

struct wb_secret *wb_secret_new_session(const char *name, const char *value, size_t n, bool trim)
{
	return new_trimmed(name, value, n, trim, true);
}

/* Made for this job alone: it is another one the next time. */
static bool is_of_job(const char *name)
{
	static const char *const names[] = {
		"GITHUB_TOKEN", "GH_TOKEN", "CI_JOB_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", NULL};

	for (size_t i = 0; names[i]; i++)
		if (!strcmp(names[i], name))
			return true;
	return wb_str_starts(name, "AWS_") && wb_env("AWS_SESSION_TOKEN");
}

void wb_secret_learn_environment(void)
{
	for (char **e = environ; e && *e; e++) {
		size_t n = strcspn(*e, "=");

		if (!wb_sealed_names_secret(*e))
			continue;
		wb_autofree char *name = wb_strndup(*e, n);
		const char *value = *e + n + ((*e)[n] == '=');

		wb_secret_unref(new_trimmed(name, value, strlen(value), true, is_of_job(name)));
	}
}

struct wb_secret *wb_secret_ref(struct wb_secret *s)
{
	if (s)
		atomic_fetch_add(&s->refs, 1);
	return s;
}

void wb_secret_unref(struct wb_secret *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	wb_sealed_free(s->value, s->len + 1);
	free(s->name);
	free(s);
}

const char *wb_secret_name(const struct wb_secret *s)
{
	return s->name;
}

const char *wb_secret_reveal(const struct wb_secret *s)
{
	return s->value;
}

size_t wb_secret_len(const struct wb_secret *s)
{
	return s->len;
}

/* The longest needle that starts at p, or NULL. */
static const struct needle *needle_at(const char *p, size_t n)
{
	const struct needle *best = NULL;

	wb_vec_foreach (k, &needles)
		if (k->len <= n && k->text[0] == *p && !memcmp(k->text, p, k->len) &&
			(!best || k->len > best->len))
			best = k;
	return best;
}

char *wb_redact(const char *text)
{
	size_t n = strlen(text), out = 0;
	char *t = wb_alloc(n + 4);

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n;) {
		const struct needle *k = needle_at(text + i, n - i);

		if (!k) {
			t[out++] = text[i++];
			continue;
		}
		memcpy(t + out, "***", 3);
		out += 3;
		i += k->len;
	}
	pthread_mutex_unlock(&lock);
	t[out] = '\0';
	return t;
}

/* --- looking into data -------------------------------------------------------------------- */

const char *wb_secret_find(const void *p, size_t n)
{
	const char *found = NULL;

	pthread_mutex_lock(&lock);
	wb_vec_foreach (k, &needles)
		if (!found && k->sought && memmem(p, n, k->text, k->len))
			found = k->name;
	pthread_mutex_unlock(&lock);
	return found;
}

int wb_secret_guard(const char *what, const void *p, size_t n, struct wb_err *err)
{
	const char *name = wb_secret_find(p, n);

	return name ? wb_err_set(err, WB_ERR_CONFIG, "%s would hold the value of the secret \"%s\"",
			      what, name)
	            : 0;
}

struct wb_finder *wb_secret_finder(void)
{
	struct wb_finder *f = wb_finder_new();

	pthread_mutex_lock(&lock);
	wb_vec_foreach (k, &needles)
		if (k->sought)
			wb_finder_add(f, k->text, k->len, k->name);
	pthread_mutex_unlock(&lock);
	return f;
}

static uint32_t mark_of(const char *value, size_t n, const char *salt)
{
	struct wb_digest d;
	struct wb_sha256 s;

	wb_sha256_init(&s);
	wb_sha256_update(&s, salt, strlen(salt) + 1);
	wb_sha256_update(&s, value, n);
	wb_sha256_final(&s, &d);
	for (unsigned i = 0; i < MARK_ROUNDS; i++)
		wb_sha256_once(&d, d.bytes, sizeof(d.bytes));
	uint32_t mark;

	memcpy(&mark, d.bytes, sizeof(mark));
	wb_wipe(&d, sizeof(d));
	return mark;
}

void wb_secret_marks(struct wb_secret_marks *out, const char *salt)
{
	pthread_mutex_lock(&lock);
	wb_vec_foreach (k, &needles)
		if (k->marked)
			*wb_vec_push(&out->list) = mark_of(k->text, k->len, salt);
	pthread_mutex_unlock(&lock);
}
