/* Where a layer's table of contents is, as a lockfile or a record says: what is believed can be
 * said in one way only, and lies inside the blob. */
#include "fuzz.h"
#include "layers/chunked.h"

/* The first four bytes are the blob's size, the rest is the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_chunked c = {0};
	uint32_t blob_size;

	if (size < sizeof(blob_size))
		return 0;
	memcpy(&blob_size, data, sizeof(blob_size));
	wb_autofree char *text = wb_strndup((const char *)data + 4, size - 4);

	if (!wb_chunked_parse(&c, text, blob_size)) {
		MUST(!c.table.n);
		return 0;
	}
	wb_autofree char *again = wb_chunked_text(&c);

	MUST(again && !strcmp(again, text));
	MUST(c.table.at < c.split.at && c.split.at + c.split.n < blob_size);
	return 0;
}
