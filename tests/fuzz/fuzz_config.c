/* config.yaml as a whole: YAML, model, addresses, checks. */
#include "fuzz.h"
#include "base/path.h"
#include "builder/config/config.h"

static void check_finding(const struct wb_finding *f)
{
	MUST(f->id && *f->id);
	MUST(f->text && *f->text);
	for (const char *p = f->text; *p; p++)
		MUST((unsigned char)*p >= 0x20);
}

/* Whatever the text was, what comes out can be used without a second look. */
static void check_source(const struct wb_source *s)
{
	MUST(s->uri.text);
	MUST(s->mount && s->mount[0] == '/');
	MUST(!wb_path_unsafe(s->mount + 1, strlen(s->mount) - 1));
	MUST(!wb_path_within(s->mount, "/.wbuild"));
	MUST(s->auth.method != WB_AUTH_CUSTOM_SECRET || s->auth.secret_name);
	MUST((s->uri.scheme == WB_SCHEME_HTTP) == (s->uri.url != NULL));
	wb_vec_foreach (p, &s->allow.list)
		MUST(p->text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_config c;
	int rc = wb_config_parse(&c, (const char *)data, size, NULL, "fuzz", &err);

	MUST((rc != 0) == (c.findings.errors != 0));
	if (rc)
		must_be_error(&err);
	wb_vec_foreach (f, &c.findings.list)
		check_finding(f);
	wb_vec_foreach (s, &c.sources)
		check_source(s);
	wb_vec_foreach (p, &c.secrets)
		MUST(!p->value);
	wb_config_release(&c);
	return 0;
}
