#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* dst is none of the arguments: an error may well be made from its own text. */
static void put(char *dst, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(dst, size, fmt, ap);

	if (n >= 0 && (size_t)n >= size)
		memcpy(dst + size - 4, "...", 4);
	for (char *p = dst; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
}

int wb_err_set(struct wb_err *err, enum wb_code code, const char *fmt, ...)
{
	struct wb_err new = {.code = code};
	va_list ap;

	va_start(ap, fmt);
	put(new.text, sizeof(new.text), fmt, ap);
	va_end(ap);
	*err = new;
	return -1;
}

int wb_err_sys(struct wb_err *err, int errnum, const char *fmt, ...)
{
	va_list ap;
	char what[WB_ERR_TEXT_MAX];

	va_start(ap, fmt);
	put(what, sizeof(what), fmt, ap);
	va_end(ap);
	wb_err_set(err, errnum == ENOENT ? WB_ERR_NOT_FOUND : WB_ERR_IO, "%s: %s", what,
		strerror(errnum));
	err->errnum = errnum;
	if (errnum == ENOSPC || errnum == EDQUOT)
		wb_err_hint(err,
			"free some space, or choose another --cache-dir; what is finished is "
			"kept and the next run continues");
	return -1;
}

int wb_err_at(
	struct wb_err *err, const char *file, unsigned line, unsigned column, const char *fmt, ...)
{
	struct wb_err new = {.code = WB_ERR_CONFIG, .line = line, .column = column};
	va_list ap;

	snprintf(new.file, sizeof(new.file), "%s", file ? file : "");
	va_start(ap, fmt);
	put(new.text, sizeof(new.text), fmt, ap);
	va_end(ap);
	*err = new;
	return -1;
}

int wb_err_wrap(struct wb_err *err, const char *fmt, ...)
{
	va_list ap;
	char prefix[WB_ERR_TEXT_MAX], all[2 * WB_ERR_TEXT_MAX + 4];

	va_start(ap, fmt);
	put(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	int n = snprintf(all, sizeof(all), "%s: %s", prefix, err->text);

	if (n >= WB_ERR_TEXT_MAX)
		memcpy(all + WB_ERR_TEXT_MAX - 4, "...", 4);
	memcpy(err->text, all, strlen(all) + 1);
	return -1;
}

int wb_err_hint(struct wb_err *err, const char *fmt, ...)
{
	char hint[WB_ERR_HINT_MAX];
	va_list ap;

	va_start(ap, fmt);
	put(hint, sizeof(hint), fmt, ap);
	va_end(ap);
	memcpy(err->hint, hint, strlen(hint) + 1);
	return -1;
}

void wb_err_clear(struct wb_err *err)
{
	*err = WB_ERR_INIT;
}

int wb_err_exit_code(const struct wb_err *err)
{
	switch (err->code) {
	case WB_OK: return 0;
	case WB_ERR_USAGE:
	case WB_ERR_CONFIG: return 2;
	case WB_ERR_INTEGRITY: return 3;
	case WB_ERR_CANCELLED: return 130;
	case WB_ERR_IO:
	case WB_ERR_NET:
	case WB_ERR_AUTH:
	case WB_ERR_NOT_FOUND:
	case WB_ERR_FORMAT:
	case WB_ERR_LIMIT:
	case WB_ERR_UNSUPPORTED: return 1;
	}
	return 1;
}
