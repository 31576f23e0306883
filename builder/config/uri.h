/* What the config's own files share of source addresses beyond wb_uri_parse(). */
#ifndef WB_BUILDER_CONFIG_URI_H
#define WB_BUILDER_CONFIG_URI_H

#include <stdbool.h>

#include "builder/config/config.h"

/* Azure's own URL form, https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH; false when text is
 * none. *out is azure://ACCOUNT/CONTAINER/PATH, freed by the caller. */
bool wb_uri_from_blob_url(char **out, const char *text);

/* Has this URL a user name or password in it? */
bool wb_uri_has_userinfo(const char *text);
/* Has this URL a query that carries a signature or token? */
bool wb_uri_is_signed(const char *text);

/* Is this an address of the Hugging Face site that answers with a page instead of a file? */
bool wb_uri_is_hub_page(const char *url);
/* Does mount name the file that an https address gives (same extension), not its folder? */
bool wb_uri_mount_is_file(const struct wb_uri *u, const char *mount);
/* The same thing at the same place, whatever the spelling. */
bool wb_uri_equal(const struct wb_uri *a, const struct wb_uri *b);

#endif
