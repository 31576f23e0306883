/* One page of a listing, as the hub, S3, GCS and Azure write it, and STS's answer; the first byte
 * says whose. */
#include "builder/source/aws_creds.h"
#include "builder/source/kind.h"
#include "fuzz.h"

typedef int page_parser(struct wb_page *page, const char *p, size_t n, struct wb_err *err);

static void must_be_files(const struct wb_listing *l)
{
	wb_vec_foreach (f, &l->files) {
		MUST(f->path && f->etag && f->version);
		MUST(!f->identity || *f->identity); /* NULL: none known */
	}
}

static void hub(const char *p, size_t n)
{
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	struct wb_err err = WB_ERR_INIT;

	if (wb_hf_tree_parse(&l, p, n, &err))
		must_be_error(&err);
	else
		must_be_files(&l);
}

static void page(page_parser *parse, const char *p, size_t n, bool exact)
{
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	const struct wb_prefix prefix = {.prefix = exact ? "m/a" : "m/", .skip = 2, .exact = exact};
	struct wb_page pg = {.l = &l, .prefix = &prefix, .scope = "fuzz"};
	struct wb_err err = WB_ERR_INIT;

	if (parse(&pg, p, n, &err))
		must_be_error(&err);
	else
		must_be_files(&l);
	MUST(!pg.next || *pg.next);
	free(pg.next);
}

static void sts(const char *p, size_t n)
{
	WB_AUTO(wb_aws_creds_release) struct wb_aws_creds c = WB_AWS_CREDS_INIT;
	struct wb_err err = WB_ERR_INIT;

	if (wb_sts_parse(&c, p, n, &err))
		must_be_error(&err);
	else
		MUST(c.key_id && *c.key_id && c.key && c.token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	const char *p = (const char *)data + 1;
	size_t n = size - 1;

	switch (data[0]) {
	case 'h': hub(p, n); break;
	case 's': page(wb_s3_page_parse, p, n, false); break;
	case 'S': page(wb_s3_page_parse, p, n, true); break;
	case 'g': page(wb_gcs_page_parse, p, n, false); break;
	case 'a': page(wb_azure_page_parse, p, n, false); break;
	case 't': sts(p, n); break;
	}
	return 0;
}
