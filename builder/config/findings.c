#include "builder/config/config.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define TEXT_MAX 700

static char *one_line(const char *fmt, va_list ap)
{
	wb_autofree char *s = wb_vasprintf(fmt, ap);

	return wb_text_quote(s, TEXT_MAX);
}

void wb_findings_add(struct wb_findings *f, enum wb_severity sev, const char *id, struct wb_pos pos,
	const char *hint, const char *fmt, ...)
{
	va_list ap;

	f->errors += sev == WB_SEV_ERROR;
	f->warnings += sev == WB_SEV_WARNING;
	/* errors have a share of their own, so that warnings cannot hide them */
	size_t kept_errors = f->errors < WB_FINDINGS_MAX ? f->errors : WB_FINDINGS_MAX;

	if (sev == WB_SEV_ERROR ? f->errors > WB_FINDINGS_MAX
				: f->list.n - kept_errors >= WB_FINDINGS_MAX)
		return;
	struct wb_finding *it = wb_vec_push(&f->list);

	va_start(ap, fmt);
	*it = (struct wb_finding){
		.severity = sev,
		.id = id,
		.pos = pos,
		.text = one_line(fmt, ap),
		.hint = hint ? wb_text_quote(hint, TEXT_MAX) : NULL,
	};
	va_end(ap);
}

void wb_findings_release(struct wb_findings *f)
{
	wb_vec_foreach (it, &f->list) {
		free(it->text);
		free(it->hint);
	}
	wb_vec_free(&f->list);
	free(f->file);
	*f = (struct wb_findings){0};
}
