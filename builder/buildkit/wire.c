#include "builder/buildkit/wire.h"

#include <string.h>

#define TYPE_VARINT 0u
#define TYPE_64 1u
#define TYPE_BYTES 2u
#define TYPE_32 5u

#define FIELD_MAX 0x1fffffffu /* protobuf.dev: field numbers have 29 bits */

void wb_wire_init(struct wb_wire *w)
{
	wb_buf_init(&w->buf, WB_WIRE_MAX, "a message for buildkit");
	w->error = WB_ERR_INIT;
}

void wb_wire_release(struct wb_wire *w)
{
	wb_buf_release(&w->buf);
}

void wb_wire_raw(struct wb_wire *w, const void *p, size_t n)
{
	if (!w->error.code && n)
		wb_buf_add(&w->buf, p, n, &w->error);
}

static void varint(struct wb_wire *w, uint64_t v)
{
	uint8_t bytes[10];
	size_t n = 0;

	do {
		bytes[n++] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
		v >>= 7;
	} while (v);
	wb_wire_raw(w, bytes, n);
}

static void tag(struct wb_wire *w, unsigned field, unsigned type)
{
	varint(w, (uint64_t)field << 3 | type);
}

void wb_wire_u64_always(struct wb_wire *w, unsigned field, uint64_t v)
{
	tag(w, field, TYPE_VARINT);
	varint(w, v);
}

void wb_wire_u64(struct wb_wire *w, unsigned field, uint64_t v)
{
	if (v)
		wb_wire_u64_always(w, field, v);
}

void wb_wire_i64(struct wb_wire *w, unsigned field, int64_t v)
{
	wb_wire_u64(w, field, (uint64_t)v);
}

void wb_wire_bool(struct wb_wire *w, unsigned field, bool v)
{
	wb_wire_u64(w, field, v);
}

void wb_wire_bytes(struct wb_wire *w, unsigned field, const void *p, size_t n)
{
	tag(w, field, TYPE_BYTES);
	varint(w, n);
	wb_wire_raw(w, p, n);
}

void wb_wire_str_always(struct wb_wire *w, unsigned field, const char *s)
{
	wb_wire_bytes(w, field, s ? s : "", s ? strlen(s) : 0);
}

void wb_wire_str(struct wb_wire *w, unsigned field, const char *s)
{
	if (s && *s)
		wb_wire_str_always(w, field, s);
}

void wb_wire_msg(struct wb_wire *w, unsigned field, const struct wb_wire *m)
{
	if (m->error.code && !w->error.code)
		w->error = m->error;
	wb_wire_bytes(w, field, m->buf.data, m->buf.len);
}

void wb_wire_pair(struct wb_wire *w, unsigned field, const char *key, const void *p, size_t n)
{
	WB_AUTO(wb_wire_release) struct wb_wire entry;

	wb_wire_init(&entry);
	wb_wire_str_always(&entry, 1, key);
	wb_wire_bytes(&entry, 2, p, n);
	wb_wire_msg(w, field, &entry);
}

void wb_wire_pair_str(struct wb_wire *w, unsigned field, const char *key, const char *value)
{
	wb_wire_pair(w, field, key, value, strlen(value));
}

/* --- reading ------------------------------------------------------------------------------ */

static bool take_varint(uint64_t *out, struct wb_wire_view *v)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 70 && v->n; shift += 7) {
		uint8_t b = *v->p;

		v->p++;
		v->n--;
		if (shift == 63 && b > 1)
			return false;
		value |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80)) {
			*out = value;
			return true;
		}
	}
	return false;
}

static bool take_fixed(uint64_t *out, struct wb_wire_view *v, size_t n)
{
	uint64_t value = 0;

	if (v->n < n)
		return false;
	for (size_t i = n; i; i--)
		value = value << 8 | v->p[i - 1];
	v->p += n;
	v->n -= n;
	*out = value;
	return true;
}

static bool take_bytes(struct wb_wire_view *out, struct wb_wire_view *v)
{
	uint64_t n;

	if (!take_varint(&n, v) || n > v->n)
		return false;
	*out = (struct wb_wire_view){v->p, (size_t)n};
	v->p += n;
	v->n -= (size_t)n;
	return true;
}

static bool take_field(struct wb_wire_field *out, struct wb_wire_view *v)
{
	uint64_t key;

	if (!take_varint(&key, v) || key >> 3 == 0 || key >> 3 > FIELD_MAX)
		return false;
	*out = (struct wb_wire_field){.number = (unsigned)(key >> 3), .type = key & 7};
	switch (out->type) {
	case TYPE_VARINT: return take_varint(&out->value, v);
	case TYPE_64: return take_fixed(&out->value, v, 8);
	case TYPE_BYTES: return take_bytes(&out->view, v);
	case TYPE_32: return take_fixed(&out->value, v, 4);
	}
	return false; /* groups are of proto2 */
}

int wb_wire_next(struct wb_wire_field *out, struct wb_wire_view *v, struct wb_err *err)
{
	if (!v->n)
		return 0;
	if (take_field(out, v))
		return 1;
	return wb_err_set(err, WB_ERR_FORMAT, "malformed protocol buffer");
}

struct wb_wire_view wb_wire_get(struct wb_wire_view v, unsigned number)
{
	struct wb_wire_view found = {0};
	struct wb_wire_field f;

	while (v.n && take_field(&f, &v))
		if (f.number == number && f.type == TYPE_BYTES)
			found = f.view;
	return found;
}

uint64_t wb_wire_get_u64(struct wb_wire_view v, unsigned number)
{
	uint64_t found = 0;
	struct wb_wire_field f;

	while (v.n && take_field(&f, &v))
		if (f.number == number && f.type == TYPE_VARINT)
			found = f.value;
	return found;
}

char *wb_wire_get_str(struct wb_wire_view v, unsigned number)
{
	struct wb_wire_view found = wb_wire_get(v, number);

	return found.p ? wb_strndup((const char *)found.p, found.n) : NULL;
}

bool wb_wire_is(struct wb_wire_view v, const char *text)
{
	return v.n == strlen(text) && (!v.n || !memcmp(v.p, text, v.n));
}

struct wb_wire_view wb_wire_get_pair(
	struct wb_wire_view v, unsigned number, const char *key, bool *found)
{
	struct wb_wire_field f;

	if (found)
		*found = false;
	while (v.n && take_field(&f, &v)) {
		if (f.number != number || f.type != TYPE_BYTES ||
			!wb_wire_is(wb_wire_get(f.view, 1), key))
			continue;
		if (found)
			*found = true;
		return wb_wire_get(f.view, 2);
	}
	return (struct wb_wire_view){0};
}

int wb_wire_check(struct wb_wire_view v, const char *what, struct wb_err *err)
{
	struct wb_wire_field f;
	int rc;

	while ((rc = wb_wire_next(&f, &v, err)) > 0)
		;
	return rc ? wb_err_wrap(err, "%s", what) : 0;
}
