#include "builder/build/findings.h"

#include <string.h>

#include "base/log.h"
#include "base/secret.h"

const char *wb_severity_word(enum wb_severity s)
{
	switch (s) {
	case WB_SEV_ERROR: return "error";
	case WB_SEV_WARNING: return "warning";
	case WB_SEV_NOTE: return "note";
	}
	return "";
}

void wb_finding_show(const struct wb_findings *f, const struct wb_finding *finding)
{
	static const enum wb_level levels[] = {
		[WB_SEV_ERROR] = WB_LOG_ERROR,
		[WB_SEV_WARNING] = WB_LOG_WARNING,
		[WB_SEV_NOTE] = WB_LOG_NOTE,
	};
	struct wb_err line = WB_ERR_INIT;

	wb_err_at(&line, f->file, finding->pos.line, finding->pos.column, "%s [%s]", finding->text,
		finding->id);
	if (finding->hint)
		wb_err_hint(&line, "%s", finding->hint);
	wb_log_err_as(levels[finding->severity], &line);
}

json_t *wb_findings_json(const struct wb_findings *f)
{
	json_t *out = json_array();

	wb_vec_foreach (finding, &f->list) {
		json_t *o = json_object();

		wb_json_set_str(o, "severity", wb_severity_word(finding->severity));
		wb_json_set_str(o, "id", finding->id);
		wb_json_set_text(o, "file", f->file);
		if (finding->pos.line) {
			wb_json_set_u64(o, "line", finding->pos.line);
			wb_json_set_u64(o, "column", finding->pos.column);
		}
		wb_json_set_text(o, "text", finding->text);
		if (finding->hint)
			wb_json_set_str(o, "hint", finding->hint);
		wb_json_append(out, o);
	}
	return out;
}

/* property: a value in front of the "::", where "," and ":" have a meaning too. */
static void escaped(FILE *out, const char *text, bool property)
{
	wb_autofree char *clean = wb_redact(text);

	for (const char *p = clean; *p; p++) {
		if (*p == '%' || *p == '\n' || *p == '\r' || (property && (*p == ':' || *p == ',')))
			fprintf(out, "%%%02X", (unsigned char)*p);
		else
			fputc(*p, out);
	}
}

void wb_findings_github(FILE *out, const struct wb_findings *f)
{
	static const char *const words[] = {
		[WB_SEV_ERROR] = "error",
		[WB_SEV_WARNING] = "warning",
		[WB_SEV_NOTE] = "notice",
	};

	wb_vec_foreach (finding, &f->list) {
		fprintf(out, "::%s file=", words[finding->severity]);
		escaped(out, f->file, true);
		if (finding->pos.line)
			fprintf(out, ",line=%u,col=%u", finding->pos.line, finding->pos.column);
		fprintf(out, ",title=%s::", finding->id);
		escaped(out, finding->text, false);
		if (finding->hint) {
			fputs("%0A", out);
			escaped(out, finding->hint, false);
		}
		fputc('\n', out);
	}
}
