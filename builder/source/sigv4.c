#include "builder/source/sigv4.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/hash.h"
#include "base/sha256.h"

#define CANONICAL_MAX (1u << 20)

void wb_sigv4_date(char out[17], time_t now)
{
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(out, 17, "%Y%m%dT%H%M%SZ", &tm);
}

static void header_line(struct wb_buf *b, struct wb_buf *names, const char *line, size_t n)
{
	wb_buf_must(b, "%.*s", (int)n, line);
	wb_buf_must(names, "%s%.*s", names->len ? ";" : "", (int)strcspn(line, ":"), line);
}

/* Our own headers and those given, merged in the order of their names. */
static void canonical_headers(struct wb_buf *b, struct wb_buf *names, const struct wb_sigv4 *s,
	const char *date, const struct wb_secret *token)
{
	const char *more = s->headers ? s->headers : "";
	char *lines[] = {
		wb_asprintf("host:%s\n", s->host),
		wb_asprintf("x-amz-content-sha256:" WB_SIGV4_EMPTY "\n"),
		wb_asprintf("x-amz-date:%s\n", date),
		token ? wb_asprintf("x-amz-security-token:%s\n", wb_secret_reveal(token))
		      : wb_strdup(""),
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(lines); i++) {
		for (size_t n; *more && strcmp(more, lines[i]) < 0; more += n) {
			n = strcspn(more, "\n") + 1;
			header_line(b, names, more, n);
		}
		if (*lines[i])
			header_line(b, names, lines[i], strlen(lines[i]));
		wb_wipe(lines[i], strlen(lines[i]));
		free(lines[i]);
	}
	for (size_t n; *more; more += n) {
		n = strcspn(more, "\n") + 1;
		header_line(b, names, more, n);
	}
}

static void signing_key(
	uint8_t out[32], const struct wb_sigv4 *s, const char *day, const struct wb_secret *key)
{
	const char *const steps[] = {s->region, s->service, "aws4_request"};
	char *first = wb_asprintf("AWS4%s", wb_secret_reveal(key));

	wb_hmac_sha256(out, first, strlen(first), day, strlen(day));
	for (size_t i = 0; i < WB_ARRAY_LEN(steps); i++)
		wb_hmac_sha256(out, out, 32, steps[i], strlen(steps[i]));
	wb_wipe(first, strlen(first));
	free(first);
}

struct wb_secret *wb_sigv4_sign(const struct wb_sigv4 *s, const char *key_id,
	const struct wb_secret *key, const struct wb_secret *token)
{
	WB_AUTO(wb_buf_release) struct wb_buf request = WB_BUF_INIT;
	WB_AUTO(wb_buf_release) struct wb_buf names = WB_BUF_INIT;
	char date[17], day[9], hex[65];
	uint8_t signature[32];
	struct wb_digest d;

	wb_sigv4_date(date, s->now);
	snprintf(day, sizeof(day), "%.8s", date);
	wb_buf_init(&request, CANONICAL_MAX, "canonical request");
	wb_buf_init(&names, CANONICAL_MAX, "signed headers");
	wb_buf_must(&request, "%s\n%s\n%s\n", s->method, s->path, s->query);
	canonical_headers(&request, &names, s, date, token);
	wb_buf_must(&request, "\n%s\n" WB_SIGV4_EMPTY, names.data);
	wb_sha256_once(&d, request.data, request.len);
	wb_wipe(request.data, request.len);

	wb_autofree char *scope = wb_asprintf("%s/%s/%s/aws4_request", day, s->region, s->service);
	wb_autofree char *text =
		wb_asprintf("AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope, wb_digest_hex(&d).s);

	signing_key(signature, s, day, key);
	wb_hmac_sha256(signature, signature, 32, text, strlen(text));
	wb_hex(hex, signature, 32);
	wb_wipe(signature, sizeof(signature));
	wb_autofree char *value =
		wb_asprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
			key_id, scope, names.data, hex);

	return wb_secret_new_brief("signature", value, strlen(value));
}
