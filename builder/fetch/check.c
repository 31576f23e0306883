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

void wb_check_update(struct wb_check *c, const void *p, size_t n)
{
	wb_sha256_update(&c->sha256, p, n);
	update_others(c, p, n);
}

void wb_check_update_two(
	struct wb_check *a, const void *p, size_t n, struct wb_check *b, const void *q, size_t m)
{
	wb_sha256_pair(&a->sha256, p, n, &b->sha256, q, m);
	update_others(a, p, n);
	update_others(b, q, m);
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
	*c = WB_CHECK_INIT;
}
