#include "builder/fetch/check.h"

#include <stdio.h>
#include <string.h>

void wb_check_init(struct wb_check *c, const struct wb_known *want, uint64_t size)
{
	char head[40];

	*c = (struct wb_check){.want = *want, .size = size};
	wb_sha256_init(&c->sha256);
	if (want->has_sha256)
		return;
	for (int kind = 0; kind < WB_HASH_KINDS; kind++)
		if (want->has[kind])
			c->other[kind] = wb_hash_new((enum wb_hash_kind)kind);
	if (!want->has_git_sha1)
		return;
	int n = snprintf(head, sizeof(head), "blob %llu", (unsigned long long)size);

	c->git = wb_hash_new(WB_HASH_SHA1);
	wb_hash_update(c->git, head, (size_t)n + 1);
}

/* All but SHA-256. */
static void update_others(struct wb_check *c, const void *p, size_t n)
{
	c->seen += n;
	if (c->git)
		wb_hash_update(c->git, p, n);
	for (int kind = 0; kind < WB_HASH_KINDS; kind++)
		if (c->other[kind])
			wb_hash_update(c->other[kind], p, n);
}

/* How much of n bytes belongs to the chunk that the digest is in. */
static size_t of_chunk(const struct wb_check *c, size_t n)
{
	size_t left = WB_CHUNK_SIZE - (size_t)(c->sha256.total % WB_CHUNK_SIZE);

	return n < left ? n : left;
}

static void note_state(struct wb_check *c)
{
	if (c->sha256.total % WB_CHUNK_SIZE == 0)
		wb_sha256_chaining(&c->sha256, wb_vec_push(&c->states));
}

static void update_sha256(struct wb_check *c, const uint8_t *p, size_t n)
{
	for (size_t step; n; p += step, n -= step) {
		step = of_chunk(c, n);
		wb_sha256_update(&c->sha256, p, step);
		note_state(c);
	}
}

void wb_check_update(struct wb_check *c, const void *p, size_t n)
{
	update_sha256(c, p, n);
	update_others(c, p, n);
}

/* As long as there are bytes of both, they are taken in step: alone, each would cost as much as
 * both do. */
void wb_check_update_two(
	struct wb_check *a, const void *p, size_t n, struct wb_check *b, const void *q, size_t m)
{
	const uint8_t *x = p, *y = q;

	update_others(a, p, n);
	update_others(b, q, m);
	while (n && m) {
		size_t s = of_chunk(a, n), t = of_chunk(b, m), step = s < t ? s : t;

		wb_sha256_pair(&a->sha256, x, step, &b->sha256, y, step);
		note_state(a);
		note_state(b);
		x += step;
		y += step;
		n -= step;
		m -= step;
	}
	update_sha256(a, x, n);
	update_sha256(b, y, m);
}

static int differs(
	struct wb_err *err, const char *name, const uint8_t *got, const uint8_t *want, size_t n)
{
	char a[65], b[65];

	if (memcmp(got, want, n) == 0)
		return 0;
	wb_hex(a, got, n);
	wb_hex(b, want, n);
	return wb_err_set(err, WB_ERR_INTEGRITY, "%s is %s, but the source says %s", name, a, b);
}

int wb_check_finish(struct wb_digest *digest, struct wb_check *c, struct wb_err *err)
{
	uint8_t out[WB_HASH_SIZE_MAX];
	struct wb_digest d;

	wb_sha256_final(&c->sha256, &d);
	if (c->size != WB_SIZE_UNKNOWN && c->seen != c->size)
		return wb_err_set(err, WB_ERR_INTEGRITY, "size is %llu, but the source says %llu",
			(unsigned long long)c->seen, (unsigned long long)c->size);
	if (c->want.has_sha256 && differs(err, "sha256", d.bytes, c->want.sha256.bytes, 32))
		return -1;
	if (c->git) {
		wb_hash_final(c->git, out);
		if (differs(err, "git blob sha1", out, c->want.git_sha1, 20))
			return -1;
	}
	for (int kind = 0; kind < WB_HASH_KINDS; kind++) {
		enum wb_hash_kind k = (enum wb_hash_kind)kind;

		if (!c->other[kind])
			continue;
		wb_hash_final(c->other[kind], out);
		if (differs(err, wb_hash_name(k), out, c->want.value[kind], wb_hash_size(k)))
			return -1;
	}
	*digest = d;
	return 0;
}

void wb_check_release(struct wb_check *c)
{
	wb_hash_free(c->git);
	for (int kind = 0; kind < WB_HASH_KINDS; kind++)
		wb_hash_free(c->other[kind]);
	wb_vec_free(&c->states);
	*c = WB_CHECK_INIT;
}
