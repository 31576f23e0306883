#include "base/secret.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* Shorter values would redact ordinary words out of every message. */
#define SECRET_MIN 6

struct wb_secret {
	atomic_uint refs;
	size_t len;
	char *name;
	char *value;
};

/* One text that must not appear, with the secret it belongs to. */
struct needle {
	char *text;
	size_t len;
	char *name;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static WB_VEC(struct needle) needles;

void wb_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

/* Takes text over. Called with the lock held. */
static void add_needle(const char *name, char *text, size_t len)
{
	bool known = len < SECRET_MIN;

	wb_vec_foreach (k, &needles)
		known |= k->len == len && !memcmp(k->text, text, len);
	if (known) {
		wb_wipe(text, len);
		free(text);
		return;
	}
	struct needle *k = wb_vec_push(&needles);

	k->text = text;
	k->len = len;
	k->name = wb_strdup(name);
}

/* Base64 (RFC 4648) of the value alone, without padding: how it shows up when a program prints an
 * encoded credential. Only whole triples are certain whatever follows. */
static char *base64_stem(const char *p, size_t n, size_t *out_len)
{
	static const char table[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out = wb_alloc(n / 3 * 4 + 1);
	size_t k = 0;

	for (size_t i = 0; i + 3 <= n; i += 3) {
		unsigned v = (unsigned)(unsigned char)p[i] << 16 |
		             (unsigned)(unsigned char)p[i + 1] << 8 | (unsigned char)p[i + 2];

		for (int shift = 18; shift >= 0; shift -= 6)
			out[k++] = table[v >> shift & 63];
	}
	out[k] = '\0';
	*out_len = k;
	return out;
}

static char *percent_form(const char *p, size_t n, size_t *out_len)
{
	char *out = wb_alloc(3 * n + 1);
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (isalnum(c) || strchr("-._~", c))
			out[k++] = (char)c;
		else
			k += (size_t)snprintf(out + k, 4, "%%%02X", c);
	}
	out[k] = '\0';
	*out_len = k;
	return out;
}

static void register_value(const struct wb_secret *s)
{
	size_t n;

	pthread_mutex_lock(&lock);
	add_needle(s->name, wb_strndup(s->value, s->len), strlen(s->value));
	char *encoded = base64_stem(s->value, s->len, &n);

	add_needle(s->name, encoded, n >= 8 ? n : 0);
	encoded = percent_form(s->value, s->len, &n);
	add_needle(s->name, encoded, n);
	pthread_mutex_unlock(&lock);
}

struct wb_secret *wb_secret_new_brief(const char *name, const char *value, size_t n)
{
	struct wb_secret *s = wb_zalloc(sizeof(*s));

	atomic_init(&s->refs, 1);
	s->name = wb_strdup(name);
	s->value = wb_alloc(n + 1);
	memcpy(s->value, value, n);
	s->value[n] = '\0';
	s->len = n;
	return s;
}

struct wb_secret *wb_secret_new(const char *name, const char *value, size_t n, bool trim)
{
	while (trim && n && isspace((unsigned char)value[n - 1]))
		n--;
	struct wb_secret *s = wb_secret_new_brief(name, value, n);

	register_value(s);
	return s;
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
	wb_wipe(s->value, s->len);
	free(s->value);
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

const char *wb_secret_find(const void *p, size_t n)
{
	const char *found = NULL;

	pthread_mutex_lock(&lock);
	wb_vec_foreach (k, &needles)
		if (!found && memmem(p, n, k->text, k->len))
			found = k->name;
	pthread_mutex_unlock(&lock);
	return found;
}
