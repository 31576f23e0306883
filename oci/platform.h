/* Platforms of an image (image-spec image-index.md "platform"; normalised as containerd does it,
 * so that "x86_64" is amd64, "aarch64" is arm64, arm64's v8 is its default and arm without a
 * variant is v7). Plain values; any thread. */
#ifndef WB_OCI_PLATFORM_H
#define WB_OCI_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"

struct wb_platform {
	char os[32], arch[32], variant[32];
	char os_version[64]; /* Windows; compared only when both have one */
};

#define WB_PLATFORM_INIT ((struct wb_platform){0})

struct wb_platform_text {
	char s[104]; /* "linux/arm64/v8" */
};

/* "linux/amd64", "linux/arm/v7"; one word alone ("arm64") is an architecture of linux. -1:
 * WB_ERR_USAGE. The result is normalised. */
int wb_platform_parse(struct wb_platform *out, const char *text, struct wb_err *err);
/* From the members of a config or of a descriptor's platform; -1: WB_ERR_FORMAT. Not normalised:
 * what is written stays as written. */
int wb_platform_from_json(
	struct wb_platform *out, const json_t *o, const char *what, struct wb_err *err);
/* architecture, os and, where set, os.version and variant. -> new reference */
json_t *wb_platform_to_json(const struct wb_platform *p);
struct wb_platform wb_platform_normal(const struct wb_platform *p);
/* Equal once normalised. */
bool wb_platform_equal(const struct wb_platform *a, const struct wb_platform *b);
/* Does an image for `have` serve a wish for `want`? Equal, or want names no variant and have's is
 * any. */
bool wb_platform_match(const struct wb_platform *have, const struct wb_platform *want);
/* "unknown/unknown": attestations and other things that do not run. */
bool wb_platform_unknown(const struct wb_platform *p);
struct wb_platform_text wb_platform_text(const struct wb_platform *p);

#endif
