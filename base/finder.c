#include "base/finder.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

enum {
	GRAM = 4, /* bytes that are looked at together */
	HASH_BITS = 16,
	HEADS = 1 << 10,
};

/* Texts are put into one of three tables, so that a short one does not slow the search for long
 * ones. The last takes what is left. */
static const size_t strides[] = {32, 16, 15};

struct text {
	const char *p, *name;
	size_t n;
};

/* Four bytes of a text, at one of the first offsets of it. */
struct gram {
	uint32_t value;
	uint32_t text, offset;
	uint32_t next; /* 1 + its index, 0: the last of the chain */
};

/* Texts that share a stride. */
struct table {
	WB_VEC(struct text) texts;
	WB_VEC(struct gram) grams;
	size_t stride;
	uint32_t filled;                    /* texts whose grams are in */
	uint32_t heads[HEADS];              /* 1 + index of a chain's first gram */
	uint8_t bits[(1 << HASH_BITS) / 8]; /* is there a gram with this hash? */
};

struct wb_finder {
	struct table *tables[WB_ARRAY_LEN(strides)]; /* NULL: no such text yet */
};

struct wb_finder *wb_finder_new(void)
{
	return wb_zalloc(sizeof(struct wb_finder));
}

static void table_free(struct table *t)
{
	if (!t)
		return;
	wb_vec_free(&t->texts);
	wb_vec_free(&t->grams);
	free(t);
}

void wb_finder_free(struct wb_finder *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < WB_ARRAY_LEN(f->tables); i++)
		table_free(f->tables[i]);
	free(f);
}

static inline uint32_t gram_at(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t hash(uint32_t gram)
{
	return gram * 2654435761u >> (32 - HASH_BITS);
}

static void add_gram(struct table *t, uint32_t text, uint32_t offset)
{
	uint32_t value = gram_at(t->texts.items[text].p + offset), h = hash(value);
	uint32_t *head = &t->heads[h % HEADS];

	*wb_vec_push(&t->grams) = (struct gram){value, text, offset, *head};
	*head = (uint32_t)t->grams.n;
	t->bits[h / 8] |= (uint8_t)(1u << h % 8);
}

/* Every text of the table has stride + GRAM - 1 bytes at least. */
static void table_add(struct table **to, const struct text *text, size_t stride)
{
	struct table *t = *to ? *to : (*to = wb_zalloc(sizeof(*t)));

	if (!t->stride || stride < t->stride) {
		t->stride = stride;
		t->grams.n = 0;
		memset(t->heads, 0, sizeof(t->heads));
		memset(t->bits, 0, sizeof(t->bits));
		t->filled = 0;
	}
	*wb_vec_push(&t->texts) = *text;
	for (; t->filled < t->texts.n; t->filled++)
		for (uint32_t k = 0; k < t->stride; k++)
			add_gram(t, t->filled, k);
}

void wb_finder_add(struct wb_finder *f, const char *text, size_t n, const char *name)
{
	struct text t = {text, name, n};

	if (n < WB_FINDER_MIN)
		return;
	if (n > WB_FINDER_MAX) {
		t.p += (n - WB_FINDER_MAX) / 2;
		t.n = WB_FINDER_MAX;
	}
	size_t fits = t.n - GRAM + 1, i = 0;

	while (i + 1 < WB_ARRAY_LEN(strides) && fits < strides[i])
		i++;
	table_add(&f->tables[i], &t, fits < strides[i] ? fits : strides[i]);
}

/* --- looking ------------------------------------------------------------------------------ */

/* A bit said that there may be a text around p[pos]. */
static const struct text *confirm(
	size_t *at, const struct table *t, const char *p, size_t n, size_t pos)
{
	uint32_t value = gram_at(p + pos);

	for (uint32_t i = t->heads[hash(value) % HEADS]; i; i = t->grams.items[i - 1].next) {
		const struct gram *g = &t->grams.items[i - 1];
		const struct text *text = &t->texts.items[g->text];

		if (g->value != value || g->offset > pos || text->n > n - (pos - g->offset) ||
			memcmp(p + pos - g->offset, text->p, text->n) != 0)
			continue;
		*at = pos - g->offset;
		return text;
	}
	return NULL;
}

static inline unsigned may_be(const struct table *t, const char *p)
{
	uint32_t h = hash(gram_at(p));

	return t->bits[h / 8] >> h % 8 & 1u;
}

static const struct text *look(size_t *at, const struct table *t, const char *p, size_t n)
{
	const size_t step = t->stride;
	size_t pos = 0;

	/* four looks that do not wait for one another, one branch */
	for (; n >= GRAM + 3 * step && pos <= n - GRAM - 3 * step; pos += 4 * step) {
		const char *q = p + pos;

		if (!(may_be(t, q) | may_be(t, q + step) | may_be(t, q + 2 * step) |
			    may_be(t, q + 3 * step)))
			continue;
		for (size_t k = 0; k < 4; k++) {
			const struct text *found = confirm(at, t, p, n, pos + k * step);

			if (found)
				return found;
		}
	}
	for (; n >= GRAM && pos <= n - GRAM; pos += step) {
		const struct text *found = may_be(t, p + pos) ? confirm(at, t, p, n, pos) : NULL;

		if (found)
			return found;
	}
	return NULL;
}

bool wb_finder_scan(
	size_t *at, const char **name, const struct wb_finder *f, const void *p, size_t n)
{
	for (size_t i = 0; i < WB_ARRAY_LEN(f->tables); i++) {
		const struct text *found = f->tables[i] ? look(at, f->tables[i], p, n) : NULL;

		if (!found)
			continue;
		*name = found->name;
		return true;
	}
	return false;
}
