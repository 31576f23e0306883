#include "base/http.h"

#include <stdio.h>
#include <string.h>

#include "base/http_internal.h"
#include "base/json.h"
#include "base/text.h"

#define MESSAGE_MAX 300

const char *wb_http_method_name(enum wb_http_method m)
{
	switch (m) {
	case WB_HTTP_GET: return "GET";
	case WB_HTTP_HEAD: return "HEAD";
	case WB_HTTP_POST: return "POST";
	case WB_HTTP_PUT: return "PUT";
	case WB_HTTP_PATCH: return "PATCH";
	case WB_HTTP_DELETE: return "DELETE";
	}
	return "GET";
}

static bool certificate_fault(CURLcode rc)
{
	return rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_CACERT_BADFILE ||
	       rc == CURLE_SSL_ISSUER_ERROR;
}

int wb_http_transport_err(const struct wb_http_req *req, CURLcode rc, struct wb_err *err)
{
	wb_autofree char *url = wb_url_redact(req->url);
	const char *says = req->errbuf[0] ? req->errbuf : curl_easy_strerror(rc);
	wb_autofree char *detail = wb_text_quote(
		rc == CURLE_SEND_FAIL_REWIND ? "the connection broke off" : says, MESSAGE_MAX);

	wb_err_set(err, WB_ERR_NET, "%s %s: %s", wb_http_method_name(req->p.method), url, detail);
	err->http_status = req->r.status;
	if (certificate_fault(rc))
		wb_err_hint(err,
			"where a private certificate authority is in use, name its bundle in "
			"SSL_CERT_FILE");
	else if (rc == CURLE_COULDNT_RESOLVE_HOST || rc == CURLE_COULDNT_CONNECT)
		wb_err_hint(err,
			"check the address and the network; proxies are taken from HTTPS_PROXY, "
			"HTTP_PROXY and NO_PROXY");
	return -1;
}

/* {"errors":[{"code","message"}]} of registries, {"error":"…"} of hubs, {"error":{"message"}} and
 * {"message"} of clouds. */
static char *message_of_json(const char *body, size_t n)
{
	struct wb_err ignored = WB_ERR_INIT;
	wb_autojson json_t *j = wb_json_parse(body, n, "error", &ignored);
	json_t *first = json_array_get(json_object_get(j, "errors"), 0);
	json_t *inner = json_object_get(j, "error");
	const char *code, *text;

	if (first) {
		code = wb_json_str_opt(first, "code");
		text = wb_json_str_opt(first, "message");
		return code && text && *text ? wb_asprintf("%s: %s", code, text)
		                             : wb_strdup(text && *text ? text : code);
	}
	text = json_is_string(inner) ? json_string_value(inner) : wb_json_str_opt(inner, "message");
	code = wb_json_str_opt(j, "error_description");
	if (text && code)
		return wb_asprintf("%s: %s", text, code);
	return wb_strdup(text ? text : wb_json_str_opt(j, "message"));
}

/* The quotes that servers write as entities; others are rare in messages. */
static void unescape_quotes(char *s)
{
	static const char *const quotes[] = {"&#34;", "&#39;", "&quot;", "&apos;"};
	char *out = s;

	for (const char *p = s; *p;) {
		size_t i = 0;

		while (i < WB_ARRAY_LEN(quotes) && strncmp(p, quotes[i], strlen(quotes[i])) != 0)
			i++;
		*out++ = i < WB_ARRAY_LEN(quotes) ? '"' : *p;
		p += i < WB_ARRAY_LEN(quotes) ? strlen(quotes[i]) : 1;
	}
	*out = '\0';
}

static char *element_text(const char *body, const char *open, const char *close)
{
	const char *p = strstr(body, open);
	const char *end = p ? strstr(p, close) : NULL;

	return end ? wb_strndup(p + strlen(open), (size_t)(end - p) - strlen(open)) : NULL;
}

/* <Error><Code>…</Code><Message>…</Message> of object stores. */
static char *message_of_xml(const char *body)
{
	wb_autofree char *code = element_text(body, "<Code>", "</Code>");
	wb_autofree char *text = element_text(body, "<Message>", "</Message>");

	if (text)
		unescape_quotes(text);
	if (code && text)
		return wb_asprintf("%s: %s", code, text);
	return wb_steal(code);
}

static char *server_message(const struct wb_buf *body)
{
	if (!body->data || body->len == 0)
		return NULL;
	const char *p = body->data + strspn(body->data, " \t\r\n");
	wb_autofree char *text = NULL;

	if (*p == '{')
		text = message_of_json(body->data, body->len);
	else if (*p == '<')
		text = message_of_xml(p);
	else if (body->len <= MESSAGE_MAX && wb_utf8_valid(body->data, body->len))
		text = wb_strdup(p);
	if (!text || !*text)
		return NULL;
	text[strcspn(text, "\r\n")] = '\0';
	return wb_text_quote(text, MESSAGE_MAX);
}

static enum wb_code code_of(int status)
{
	if (status == 401 || status == 403)
		return WB_ERR_AUTH;
	if (status == 404 || status == 410)
		return WB_ERR_NOT_FOUND;
	return WB_ERR_NET;
}

int wb_http_status_err(struct wb_err *err, const struct wb_http_response *r, const char *doing)
{
	wb_autofree char *url = r->effective_url ? wb_url_redact(r->effective_url) : NULL;
	wb_autofree char *message = server_message(&r->body);

	wb_err_set(err, code_of(r->status), "%s: %s answered %d%s%s%s", doing,
		url ? url : "the server", r->status, message ? " (" : "", message ? message : "",
		message ? ")" : "");
	err->http_status = r->status;
	if (r->wait_asked)
		wb_err_hint(err, "it asks not to be called again for %s",
			wb_duration_text((double)r->wait_asked).s);
	return -1;
}
