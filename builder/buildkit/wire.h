/* The wire format of protocol buffers (protobuf.dev, "Encoding"): what a message of BuildKit is
 * made of, written and read field by field. No schemas: the callers know their field numbers.
 *
 * Writing is deterministic when the caller writes fields in ascending order and maps sorted by
 * key. As in proto3, numbers that are 0 and texts that are empty are left out, unless the function
 * says otherwise. Reading is bounded by the message: every length is checked before it is used.
 * Not thread safe. */
#ifndef WB_BUILDER_BUILDKIT_WIRE_H
#define WB_BUILDER_BUILDKIT_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* A message of a gateway is at most this long in either direction. */
#define WB_WIRE_MAX (16u << 20)

struct wb_wire {
	struct wb_buf buf;
	struct wb_err error; /* sticky: the limit was passed */
};

void wb_wire_init(struct wb_wire *w);
void wb_wire_release(struct wb_wire *w);

void wb_wire_u64(struct wb_wire *w, unsigned field, uint64_t v);
void wb_wire_i64(struct wb_wire *w, unsigned field, int64_t v); /* int64, int32, enum */
/* Also when 0: members of a oneof, and of repeated fields. */
void wb_wire_u64_always(struct wb_wire *w, unsigned field, uint64_t v);
void wb_wire_bool(struct wb_wire *w, unsigned field, bool v);
void wb_wire_str(struct wb_wire *w, unsigned field, const char *s); /* NULL: as empty */
void wb_wire_str_always(struct wb_wire *w, unsigned field, const char *s);
void wb_wire_bytes(struct wb_wire *w, unsigned field, const void *p, size_t n);
/* A sub-message, also when it is empty. Takes over the error of m. */
void wb_wire_msg(struct wb_wire *w, unsigned field, const struct wb_wire *m);
/* An entry of a map<string, string> or map<string, bytes>. */
void wb_wire_pair(struct wb_wire *w, unsigned field, const char *key, const void *p, size_t n);
void wb_wire_pair_str(struct wb_wire *w, unsigned field, const char *key, const char *value);
/* Bytes that are a whole message already, or fields of one. */
void wb_wire_raw(struct wb_wire *w, const void *p, size_t n);

/* A message being read; borrows the bytes. */
struct wb_wire_view {
	const uint8_t *p;
	size_t n;
};

struct wb_wire_field {
	unsigned number;
	unsigned type;            /* 0 varint, 1 64 bits, 2 bytes, 5 32 bits */
	uint64_t value;           /* of types 0, 1 and 5 */
	struct wb_wire_view view; /* of type 2 */
};

/* 1: the next field; 0: the end; -1: bytes that are no message (WB_ERR_FORMAT). */
int wb_wire_next(struct wb_wire_field *out, struct wb_wire_view *v, struct wb_err *err);
/* The last field of that number and type 2, or an empty view. Malformed rests are passed over:
 * read a message with wb_wire_check() first. */
struct wb_wire_view wb_wire_get(struct wb_wire_view v, unsigned number);
uint64_t wb_wire_get_u64(struct wb_wire_view v, unsigned number);
/* As text; the caller frees. NULL when the field is not there. */
char *wb_wire_get_str(struct wb_wire_view v, unsigned number);
/* The value of a map's entry, or an empty view; *found (may be NULL) tells. */
struct wb_wire_view wb_wire_get_pair(
	struct wb_wire_view v, unsigned number, const char *key, bool *found);
/* Is it a message at all, on its top level? */
int wb_wire_check(struct wb_wire_view v, const char *what, struct wb_err *err);
/* Is a field of type 2 exactly this text? */
bool wb_wire_is(struct wb_wire_view v, const char *text);

#endif
