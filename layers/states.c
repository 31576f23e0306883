#include "layers/states.h"

#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "layers/store.h"

#define KIND "states"

void wb_states_remember(struct wb_store *store, const struct wb_digest *digest, uint64_t size,
	const struct wb_digest *states)
{
	size_t n = wb_states_count(size) * sizeof(*states);
	wb_autofree char *hex = wb_alloc(2 * n + 1);
	struct wb_err ignored = WB_ERR_INIT;

	if (!n)
		return;
	wb_hex(hex, (const uint8_t *)states, n);
	wb_autojson json_t *value = json_string(hex);

	(void)wb_store_index_put(store, KIND, wb_digest_hex(digest).s, value, &ignored);
}

struct wb_digest *wb_states_recall(
	struct wb_store *store, const struct wb_digest *digest, uint64_t size)
{
	size_t n = wb_states_count(size) * sizeof(struct wb_digest);
	wb_autojson json_t *value =
		n ? wb_store_index_get(store, KIND, wb_digest_hex(digest).s) : NULL;
	const char *hex = json_string_value(value);

	if (!hex || strlen(hex) != 2 * n)
		return NULL;
	wb_autofree struct wb_digest *states = wb_states_new(size);

	return wb_unhex((uint8_t *)states, hex, n, false) ? wb_steal(states) : NULL;
}
