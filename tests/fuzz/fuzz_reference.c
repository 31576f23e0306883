/* Image references, places and platforms as a command line gives them: what is taken can be written
 * and is then taken as the same. */
#include "fuzz.h"
#include "oci/platform.h"
#include "oci/reference.h"

static void reference(const char *text)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_reference_release) struct wb_reference r = WB_REFERENCE_INIT;
	WB_AUTO(wb_reference_release) struct wb_reference again = WB_REFERENCE_INIT;
	WB_AUTO(wb_reference_release) struct wb_reference familiar = WB_REFERENCE_INIT;

	if (wb_reference_parse(&r, text, &err)) {
		must_be_error(&err);
		return;
	}
	wb_autofree char *full = wb_reference_text(&r);
	wb_autofree char *brief = wb_reference_familiar(&r);

	MUST(!wb_reference_parse(&again, full, &err));
	MUST(!wb_reference_parse(&familiar, brief, &err));
	wb_autofree char *full2 = wb_reference_text(&again);
	wb_autofree char *full3 = wb_reference_text(&familiar);

	MUST(!strcmp(full, full2));
	MUST(!strcmp(full, full3));
}

static void place(const char *text)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_place_release) struct wb_place p = WB_PLACE_INIT;
	WB_AUTO(wb_place_release) struct wb_place again = WB_PLACE_INIT;

	if (wb_place_parse(&p, text, &err)) {
		must_be_error(&err);
		return;
	}
	wb_autofree char *name = wb_place_text(&p);

	MUST(!wb_place_parse(&again, name, &err));
	wb_autofree char *name2 = wb_place_text(&again);

	MUST(!strcmp(name, name2));
}

static void platform(const char *text)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_platform p, again;

	if (wb_platform_parse(&p, text, &err)) {
		must_be_error(&err);
		return;
	}
	MUST(!wb_platform_parse(&again, wb_platform_text(&p).s, &err));
	MUST(wb_platform_equal(&p, &again));
	MUST(wb_platform_match(&p, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	wb_autofree char *text = wb_strndup((const char *)data, size);

	reference(text);
	place(text);
	platform(text);
	return 0;
}
