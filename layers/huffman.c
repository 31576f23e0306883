#include "layers/huffman.h"

#include <stdlib.h>
#include <string.h>

enum {
	SYMBOLS = 256,
	BITS_MAX = WB_HUFFMAN_BITS_MAX,
	WEIGHTS = BITS_MAX + 1, /* values a weight may have */
	STATE_LOG = 6,          /* 4.2.1.2: Accuracy_Log of the weights' table is 6 at most */
	STATES = 1 << STATE_LOG,
	DIRECT_MAX = 128, /* weights that 4 bits each may describe */
};

/* --- lengths ------------------------------------------------------------------------------ */

struct leaf {
	uint32_t count;
	unsigned symbol;
};

static int by_count(const void *a, const void *b)
{
	const struct leaf *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? -1 : 1;
	return x->symbol < y->symbol ? -1 : x->symbol > y->symbol;
}

static size_t sorted_leaves(struct leaf *leaves, const uint32_t counts[SYMBOLS])
{
	size_t n = 0;

	for (unsigned i = 0; i < SYMBOLS; i++)
		if (counts[i])
			leaves[n++] = (struct leaf){counts[i], i};
	qsort(leaves, n, sizeof(*leaves), by_count);
	return n;
}

/* One level of package-merge: pairs of the level below, merged with the leaves. -> its length. */
static size_t merge_level(uint64_t *out, bool *is_leaf, const uint64_t *below, size_t below_n,
	const struct leaf *leaves, size_t n)
{
	size_t pair = 0, leaf = 0, k = 0;

	while (leaf < n || pair + 1 < below_n) {
		bool pairs = pair + 1 < below_n;
		uint64_t sum = pairs ? below[pair] + below[pair + 1] : 0;

		is_leaf[k] = leaf < n && (!pairs || leaves[leaf].count <= sum);
		out[k] = is_leaf[k] ? leaves[leaf].count : sum;
		if (is_leaf[k++])
			leaf++;
		else
			pair += 2;
	}
	return k;
}

/* The package-merge algorithm of Larmore and Hirschberg: optimal lengths under a limit. Level l
 * offers each symbol a bit more of length; the cheapest 2n - 2 of the last are taken, and with each
 * package the two below that it is of. */
static void lengths_of(uint8_t lens[SYMBOLS], const struct leaf *leaves, size_t n)
{
	uint64_t costs[2][2 * SYMBOLS];
	bool is_leaf[BITS_MAX][2 * SYMBOLS];
	size_t size = 0, take = 2 * n - 2;

	for (unsigned l = 0; l < BITS_MAX; l++)
		size = merge_level(costs[l % 2], is_leaf[l], costs[(l + 1) % 2], size, leaves, n);
	memset(lens, 0, SYMBOLS);
	for (unsigned l = BITS_MAX; l-- && take;) {
		size_t taken = 0;

		for (size_t i = 0; i < take; i++)
			taken += is_leaf[l][i];
		for (size_t i = 0; i < taken; i++)
			lens[leaves[i].symbol]++;
		take = 2 * (take - taken);
	}
}

/* 4.2.1.3: the longest codes first, from 0 on; of one length in the order of their symbols. */
static unsigned codes_of(struct wb_huffman_code codes[SYMBOLS], const uint8_t lens[SYMBOLS])
{
	uint32_t next = 0;
	unsigned longest = 0;

	for (unsigned i = 0; i < SYMBOLS; i++)
		codes[i] = (struct wb_huffman_code){0, WB_HUFFMAN_MISSING};
	for (unsigned len = BITS_MAX; len; len--, next >>= 1)
		for (unsigned i = 0; i < SYMBOLS; i++)
			if (lens[i] == len) {
				codes[i] = (struct wb_huffman_code){next++, len};
				longest = longest ? longest : len;
			}
	return longest;
}

/* --- description -------------------------------------------------------------------------- */

/* Bits, the first lowest. */
struct bits {
	uint8_t *out;
	size_t n, room; /* bytes: complete, and there is space for */
	uint32_t acc;
	unsigned pos; /* bits in acc, less than 8 after each put */
	bool full;
};

static void put_bits(struct bits *b, uint32_t value, unsigned n)
{
	b->acc |= value << b->pos;
	for (b->pos += n; b->pos >= 8; b->pos -= 8, b->acc >>= 8) {
		b->full |= b->n == b->room;
		if (!b->full)
			b->out[b->n++] = (uint8_t)b->acc;
	}
}

static void put_end(struct bits *b)
{
	if (b->pos)
		put_bits(b, 0, 8 - b->pos);
}

/* Shares of STATES in proportion to how often each weight occurs, one at least for each that does.
 * -> the number of different weights */
static unsigned shares_of(unsigned shares[WEIGHTS], const uint8_t *weights, size_t n)
{
	size_t counts[WEIGHTS] = {0};
	unsigned sum = 0, kinds = 0, most = 0;

	for (size_t i = 0; i < n; i++)
		counts[weights[i]]++;
	for (unsigned w = 0; w < WEIGHTS; w++) {
		shares[w] = (unsigned)(counts[w] * STATES / n);
		if (counts[w] && !shares[w])
			shares[w] = 1;
		sum += shares[w];
		kinds += counts[w] != 0;
		if (shares[w] > shares[most])
			most = w;
	}
	/* WEIGHTS are few: what rounding took or gave is far less than the largest share */
	shares[most] += STATES - sum;
	return kinds;
}

/* 4.1.1: FSE table description */
static void put_shares(struct bits *b, const unsigned shares[WEIGHTS])
{
	unsigned left = STATES + 1, size = STATES, width = STATE_LOG + 1;

	put_bits(b, STATE_LOG - 5, 4);
	for (unsigned w = 0; w < WEIGHTS && left > 1;) {
		/* values below `low` take a bit less; those from `size` on make room for them */
		unsigned value = shares[w] + 1, low = 2 * size - 1 - left;

		left -= shares[w];
		if (value >= size)
			value += low;
		put_bits(b, value, value < low ? width - 1 : width);
		for (; left < size; size >>= 1)
			width--;
		if (shares[w++])
			continue;
		unsigned more = 0;

		while (w + more < WEIGHTS && !shares[w + more])
			more++;
		w += more;
		for (; more >= 3; more -= 3)
			put_bits(b, 3, 2);
		put_bits(b, more, 2);
	}
	put_end(b);
}

/* Which states stand for a weight, in ascending order (4.1.1, the spreading of symbols). */
struct states {
	uint8_t first[WEIGHTS];
	uint8_t of[STATES]; /* those of weight w from first[w] on, as many as its share */
};

static void spread(struct states *s, const unsigned shares[WEIGHTS])
{
	uint8_t weight_at[STATES], next[WEIGHTS];
	unsigned at = 0, before = 0;

	for (unsigned w = 0; w < WEIGHTS; w++) {
		s->first[w] = next[w] = (uint8_t)before;
		before += shares[w];
		for (unsigned k = 0; k < shares[w]; k++) {
			weight_at[at] = (uint8_t)w;
			at = (at + STATES / 2 + STATES / 8 + 3) % STATES;
		}
	}
	for (unsigned i = 0; i < STATES; i++)
		s->of[next[weight_at[i]]++] = (uint8_t)i;
}

/* The state from which a decoder gets weight w and goes on to state `after`; writes the bits that
 * tell it so. */
static unsigned step_back(
	struct bits *b, const struct states *s, unsigned share, unsigned w, unsigned after)
{
	unsigned n = 0, x = after + STATES;

	while (x >> n >= 2 * share)
		n++;
	put_bits(b, x & ((1u << n) - 1), n);
	return s->of[s->first[w] + (x >> n) - share];
}

/* 4.2.1.2: two states in turn, read from the end, so written from the last weight on. Of its states
 * the lowest ends a stream: it asks for bits, and there are none left. */
static void put_weights(
	struct bits *b, const uint8_t *weights, size_t n, const unsigned shares[WEIGHTS])
{
	struct states s;
	unsigned state[2];

	spread(&s, shares);
	for (size_t i = n; i-- > n - 2;)
		state[i % 2] = s.of[s.first[weights[i]]];
	for (size_t i = n - 2; i--;)
		state[i % 2] = step_back(b, &s, shares[weights[i]], weights[i], state[i % 2]);
	put_bits(b, state[1], STATE_LOG);
	put_bits(b, state[0], STATE_LOG);
	put_bits(b, 1, 1);
	put_end(b);
}

static size_t describe_coded(uint8_t *out, const uint8_t *weights, size_t n)
{
	struct bits b = {.out = out + 1, .room = WB_HUFFMAN_HEAD_MAX - 1};
	unsigned shares[WEIGHTS];

	if (n < 2 || shares_of(shares, weights, n) < 2)
		return 0;
	put_shares(&b, shares);
	put_weights(&b, weights, n, shares);
	out[0] = (uint8_t)b.n;
	return b.full ? 0 : 1 + b.n;
}

/* 4.2.1.1 */
static size_t describe_direct(uint8_t *out, const uint8_t *weights, size_t n)
{
	if (n > DIRECT_MAX)
		return 0;
	out[0] = (uint8_t)(127 + n);
	for (size_t i = 0; i < n; i += 2)
		out[1 + i / 2] = (uint8_t)(weights[i] << 4 | (i + 1 < n ? weights[i + 1] : 0));
	return 1 + (n + 1) / 2;
}

/* The last byte's weight goes without saying. */
static size_t describe(
	uint8_t out[WB_HUFFMAN_HEAD_MAX], const uint8_t lens[SYMBOLS], unsigned longest)
{
	uint8_t weights[SYMBOLS], direct[WB_HUFFMAN_HEAD_MAX];
	size_t last = 0;

	for (size_t i = 0; i < SYMBOLS; i++) {
		weights[i] = lens[i] ? (uint8_t)(longest + 1 - lens[i]) : 0;
		if (lens[i])
			last = i;
	}
	size_t n = describe_coded(out, weights, last),
	       plain = describe_direct(direct, weights, last);

	if (!plain || (n && n <= plain))
		return n;
	memcpy(out, direct, plain);
	return plain;
}

bool wb_huffman_build(struct wb_huffman *h, const uint32_t counts[SYMBOLS])
{
	struct leaf leaves[SYMBOLS];
	uint8_t lens[SYMBOLS];
	size_t n = sorted_leaves(leaves, counts);

	if (n < 2)
		return false;
	lengths_of(lens, leaves, n);
	h->head_n = describe(h->head, lens, codes_of(h->codes, lens));
	return h->head_n != 0;
}

uint64_t wb_huffman_cost(const struct wb_huffman *h, const uint32_t counts[SYMBOLS])
{
	uint64_t bits = 0;

	for (size_t i = 0; i < SYMBOLS; i++)
		bits += (uint64_t)counts[i] * h->codes[i].len;
	return bits;
}
