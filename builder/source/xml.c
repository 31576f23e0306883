#include "builder/source/xml.h"

#include <expat.h>
#include <string.h>

#include "base/buf.h"

struct reader {
	XML_Parser parser;
	wb_xml_end *end;
	void *arg;
	struct wb_err err;
	struct wb_buf path;
	struct wb_buf text[WB_XML_DEPTH_MAX];
	size_t depth;
};

static void stop(struct reader *r)
{
	XML_StopParser(r->parser, XML_FALSE);
}

static void start_cb(void *arg, const char *name, const char **attributes)
{
	struct reader *r = arg;
	const char *colon = strrchr(name, ':');

	if (r->depth == WB_XML_DEPTH_MAX) {
		wb_err_set(
			&r->err, WB_ERR_LIMIT, "elements nested deeper than %d", WB_XML_DEPTH_MAX);
		stop(r);
		return;
	}
	wb_buf_clear(&r->text[r->depth++]);
	if ((r->path.len && wb_buf_puts(&r->path, "/", &r->err)) ||
		wb_buf_puts(&r->path, colon ? colon + 1 : name, &r->err))
		stop(r);
}

static void text_cb(void *arg, const char *p, int n)
{
	struct reader *r = arg;

	if (r->err.code == WB_OK && r->depth &&
		wb_buf_add(&r->text[r->depth - 1], p, (size_t)n, &r->err))
		stop(r);
}

static void end_cb(void *arg, const char *name)
{
	struct reader *r = arg;
	const char *slash = strrchr(r->path.data, '/');

	if (r->err.code !=
		WB_OK) /* stopped, but an empty element has its end called all the same */
		return;
	if (r->end(r->path.data, r->text[--r->depth].data, r->arg, &r->err)) {
		stop(r);
		return;
	}
	r->path.len = slash ? (size_t)(slash - r->path.data) : 0;
	r->path.data[r->path.len] = '\0';
}

static void doctype_cb(
	void *arg, const char *name, const char *system, const char *public, int internal)
{
	struct reader *r = arg;

	wb_err_set(&r->err, WB_ERR_FORMAT, "a document type is not accepted");
	stop(r);
}

static int read_all(struct reader *r, const char *p, size_t n, const char *what, struct wb_err *err)
{
	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, start_cb, end_cb);
	XML_SetCharacterDataHandler(r->parser, text_cb);
	XML_SetStartDoctypeDeclHandler(r->parser, doctype_cb);
	if (XML_Parse(r->parser, p, (int)n, XML_TRUE) == XML_STATUS_OK)
		return 0;
	if (r->err.code != WB_OK) {
		*err = r->err;
		return wb_err_wrap(err, "%s", what);
	}
	return wb_err_set(err, WB_ERR_FORMAT, "%s: line %lu: %s", what,
		(unsigned long)XML_GetCurrentLineNumber(r->parser),
		XML_ErrorString(XML_GetErrorCode(r->parser)));
}

int wb_xml_parse(
	const char *p, size_t n, const char *what, wb_xml_end *end, void *arg, struct wb_err *err)
{
	struct reader r = {.end = end, .arg = arg};

	if (n > WB_XML_BYTES_MAX)
		return wb_err_set(
			err, WB_ERR_LIMIT, "%s is larger than %u bytes", what, WB_XML_BYTES_MAX);
	r.parser = XML_ParserCreate(NULL);
	if (!r.parser)
		return wb_err_set(err, WB_ERR_LIMIT, "%s: no memory for the parser", what);
	wb_buf_init(&r.path, 4096, "element path");
	for (size_t i = 0; i < WB_XML_DEPTH_MAX; i++)
		wb_buf_init(&r.text[i], WB_XML_TEXT_MAX, "element text");
	int rc = read_all(&r, p, n, what, err);

	for (size_t i = 0; i < WB_XML_DEPTH_MAX; i++)
		wb_buf_release(&r.text[i]);
	wb_buf_release(&r.path);
	XML_ParserFree(r.parser);
	return rc;
}
