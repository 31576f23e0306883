#include "layers/tar.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { NAME_LEN = 100 };

/* Offsets of the header's fields. */
enum {
	F_NAME = 0,
	F_MODE = 100,
	F_UID = 108,
	F_GID = 116,
	F_SIZE = 124,
	F_MTIME = 136,
	F_SUM = 148,
	F_TYPE = 156,
	F_LINK = 157,
	F_MAGIC = 257
};

/* A number in a field of `width` bytes: octal when it fits, else base 256 with the first bit set.
 */
static void put_number(uint8_t *field, size_t width, uint64_t v)
{
	if (v < 1ull << (3 * (width - 1))) {
		char text[24];

		snprintf(text, sizeof(text), "%0*llo", (int)width - 1, (unsigned long long)v);
		memcpy(field, text, width);
		return;
	}
	for (size_t i = width; i-- > 0; v >>= 8)
		field[i] = (uint8_t)v;
	field[0] |= 0x80;
}

static void put_header(uint8_t *h, const struct wb_tar_entry *e, char type, const char *name,
	const char *link, uint64_t size)
{
	unsigned sum = 0;

	memset(h, 0, WB_TAR_BLOCK);
	memcpy(h + F_NAME, name, strnlen(name, NAME_LEN));
	put_number(h + F_MODE, 8, e->mode);
	put_number(h + F_UID, 8, e->uid);
	put_number(h + F_GID, 8, e->gid);
	put_number(h + F_SIZE, 12, size);
	put_number(h + F_MTIME, 12, e->mtime);
	h[F_TYPE] = (uint8_t)type;
	if (link)
		memcpy(h + F_LINK, link, strnlen(link, NAME_LEN));
	memcpy(h + F_MAGIC, "ustar  ", 8);
	memset(h + F_SUM, ' ', 8);
	for (size_t i = 0; i < WB_TAR_BLOCK; i++)
		sum += h[i];
	snprintf((char *)h + F_SUM, 8, "%06o", sum);
	h[F_SUM + 7] = ' ';
}

/* A member that holds a long name: type 'L' for the name, 'K' for the link. */
static size_t put_long(uint8_t *out, char type, const char *text)
{
	static const struct wb_tar_entry plain = {.mode = 0644};
	size_t n = strlen(text) + 1, padded = n + wb_tar_padding(n);

	put_header(out, &plain, type, "././@LongLink", NULL, n);
	memset(out + WB_TAR_BLOCK, 0, padded);
	memcpy(out + WB_TAR_BLOCK, text, n);
	return WB_TAR_BLOCK + padded;
}

size_t wb_tar_header(uint8_t *out, const struct wb_tar_entry *e)
{
	size_t n = 0;
	char name[4100];
	int len = snprintf(name, sizeof(name), "%s%s", e->name, e->type == WB_TAR_DIR ? "/" : "");

	assert(len > 0 && (size_t)len < sizeof(name) && (!e->link || strlen(e->link) < 4100));
	if (e->link && strlen(e->link) > NAME_LEN)
		n += put_long(out + n, 'K', e->link);
	if (len > NAME_LEN)
		n += put_long(out + n, 'L', name);
	put_header(out + n, e, (char)e->type, name, e->link, e->type == WB_TAR_FILE ? e->size : 0);
	return n + WB_TAR_BLOCK;
}
