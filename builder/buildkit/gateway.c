#include "builder/buildkit/gateway.h"

#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/text.h"

#define SERVICE "/moby.buildkit.v1.frontend.LLBBridge/"
#define ANSWER_MAX (WB_WIRE_MAX + 16)
#define READ_AT_ONCE (8u << 20) /* a file goes in parts below the limit of a message */

struct wb_gateway {
	struct wb_h2 *h2;
	WB_VEC(char *) caps;
	struct wb_h2_status refused; /* the last refusal */
	struct wb_wire imports;      /* fields of a SolveRequest */
};

struct wb_gateway *wb_gateway_new(int in, int out, struct wb_err *err)
{
	struct wb_h2 *h2 = wb_h2_new(in, out, err);

	if (!h2)
		return NULL;
	struct wb_gateway *g = wb_zalloc(sizeof(*g));

	g->h2 = h2;
	wb_wire_init(&g->imports);
	return g;
}

void wb_gateway_free(struct wb_gateway *g)
{
	if (!g)
		return;
	wb_h2_free(g->h2);
	wb_vec_foreach (cap, &g->caps)
		free(*cap);
	wb_vec_free(&g->caps);
	wb_h2_status_release(&g->refused);
	wb_wire_release(&g->imports);
	free(g);
}

static enum wb_code code_of(unsigned grpc)
{
	return grpc == WB_GRPC_NOT_FOUND       ? WB_ERR_NOT_FOUND
	       : grpc == WB_GRPC_UNIMPLEMENTED ? WB_ERR_UNSUPPORTED
	       : grpc == WB_GRPC_CANCELLED     ? WB_ERR_CANCELLED
	                                       : WB_ERR_NET;
}

static int call(struct wb_buf *out, struct wb_gateway *g, const char *method,
	const struct wb_wire *request, struct wb_err *err)
{
	wb_autofree char *path = wb_asprintf(SERVICE "%s", method);
	struct wb_h2_status status;

	if (wb_h2_call(&status, out, g->h2, path, request, err))
		return wb_err_wrap(err, "buildkit: %s", method);
	if (!status.code) {
		wb_h2_status_release(&status); /* success may come with a text, too */
		return wb_wire_check(
			(struct wb_wire_view){(uint8_t *)out->data, out->len}, method, err);
	}
	wb_h2_status_release(&g->refused);
	g->refused = status;
	/* what BuildKit says may have several lines; errors have one */
	wb_autofree char *text = wb_strdup(status.message ? status.message : "refused");

	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	return wb_err_set(err, code_of(status.code), "%s", text);
}

static struct wb_wire_view view(const struct wb_buf *b)
{
	return (struct wb_wire_view){(const uint8_t *)b->data, b->len};
}

/* --- what it can do ----------------------------------------------------------------------- */

int wb_gateway_ping(struct wb_gateway *g, struct wb_err *err)
{
	WB_AUTO(wb_wire_release) struct wb_wire request;
	WB_AUTO(wb_buf_release) struct wb_buf answer;
	struct wb_wire_field f;

	wb_wire_init(&request);
	wb_buf_init(&answer, ANSWER_MAX, "an answer of buildkit");
	if (call(&answer, g, "Ping", &request, err))
		return -1;
	for (struct wb_wire_view v = view(&answer); wb_wire_next(&f, &v, err) > 0;) {
		char *id = f.number == 1 || f.number == 2 ? wb_wire_get_str(f.view, 1) : NULL;

		if (id && wb_wire_get_u64(f.view, 2))
			*wb_vec_push(&g->caps) = wb_steal(id);
		free(id);
	}
	return 0;
}

bool wb_gateway_can(const struct wb_gateway *g, const char *cap)
{
	wb_vec_foreach (c, &g->caps)
		if (!strcmp(*c, cap))
			return true;
	return false;
}

/* --- solving ------------------------------------------------------------------------------ */

int wb_gateway_import_caches(struct wb_gateway *g, const char *list, struct wb_err *err)
{
	wb_autojson json_t *caches = wb_json_parse(list, strlen(list), "cache-imports", err);
	size_t i;
	json_t *cache;

	if (!caches)
		return -1;
	json_array_foreach (caches, i, cache) {
		WB_AUTO(wb_wire_release) struct wb_wire entry;
		json_t *attrs = json_object_get(cache, "Attrs"), *value;
		const char *key;

		wb_wire_init(&entry);
		wb_wire_str(&entry, 1, wb_json_str_opt(cache, "Type"));
		json_object_foreach (attrs, key, value)
			if (json_is_string(value))
				wb_wire_pair_str(&entry, 2, key, json_string_value(value));
		wb_wire_msg(&g->imports, 12, &entry);
	}
	return 0;
}

int wb_gateway_solve(char **id, struct wb_gateway *g, const struct wb_llb *l, struct wb_llb_ref ref,
	struct wb_err *err)
{
	WB_AUTO(wb_wire_release) struct wb_wire request, definition;
	WB_AUTO(wb_buf_release) struct wb_buf answer;

	wb_wire_init(&request);
	wb_wire_init(&definition);
	wb_buf_init(&answer, ANSWER_MAX, "an answer of buildkit");
	if (ref.op) {
		wb_llb_definition(&definition, l, ref);
		wb_wire_msg(&request, 1, &definition);
	}
	wb_wire_bool(&request, 5, true); /* allowResultReturn */
	wb_wire_bool(&request, 6, true); /* allowResultArrayRef */
	wb_wire_raw(&request, g->imports.buf.data, g->imports.buf.len);
	wb_wire_bool(&request, 14, true); /* Evaluate: errors now, not when something is read */
	if (call(&answer, g, "Solve", &request, err))
		return -1;
	struct wb_wire_view result = wb_wire_get(view(&answer), 3);
	char *found = wb_wire_get_str(wb_wire_get(result, 3), 1);

	*id = found ? found : wb_strdup("");
	return 0;
}

/* --- files -------------------------------------------------------------------------------- */

/* The daemon tells by its text alone that a file is not there. */
static int not_there(struct wb_err *err)
{
	if (strstr(err->text, "no such file") || strstr(err->text, "not found"))
		err->code = WB_ERR_NOT_FOUND;
	return -1;
}

static int read_part(struct wb_wire_view *data, struct wb_buf *answer, struct wb_gateway *g,
	const char *id, const char *path, uint64_t offset, struct wb_err *err)
{
	WB_AUTO(wb_wire_release) struct wb_wire request, range;

	wb_wire_init(&request);
	wb_wire_init(&range);
	wb_wire_str(&request, 1, id);
	wb_wire_str(&request, 2, path);
	wb_wire_u64(&range, 1, offset);
	wb_wire_u64(&range, 2, READ_AT_ONCE);
	wb_wire_msg(&request, 3, &range);
	if (call(answer, g, "ReadFile", &request, err))
		return not_there(err);
	*data = wb_wire_get(view(answer), 1);
	return 0;
}

int wb_gateway_read(struct wb_buf *out, struct wb_gateway *g, const char *id, const char *path,
	struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf answer;
	struct wb_wire_view data;

	wb_buf_init(&answer, ANSWER_MAX, "an answer of buildkit");
	wb_buf_clear(out);
	do {
		if (read_part(&data, &answer, g, id, path, out->len, err) ||
			wb_buf_add(out, data.p, data.n, err))
			return wb_err_wrap(err, "%s", path);
	} while (data.n == READ_AT_ONCE);
	return 0;
}

/* --- after a failure ---------------------------------------------------------------------- */

/* errdefs.Solve says what the mounts of the failed program are called. The caller frees. */
static char *failed_mount(const struct wb_gateway *g)
{
	struct wb_wire_view rest = {g->refused.details, g->refused.details_len};
	struct wb_err ignored = WB_ERR_INIT;
	struct wb_wire_field f;

	while (wb_wire_next(&f, &rest, &ignored) > 0) {
		wb_autofree char *type = f.number == 3 ? wb_wire_get_str(f.view, 1) : NULL;
		struct wb_wire_view value = wb_wire_get(f.view, 2);

		if (!type || !wb_str_ends(type, "/errdefs.Solve+json"))
			continue;
		wb_autojson json_t *solve =
			wb_json_parse((const char *)value.p, value.n, type, &ignored);
		const char *id =
			json_string_value(json_array_get(json_object_get(solve, "mountIDs"), 0));

		if (id && *id)
			return wb_strdup(id);
	}
	return NULL;
}

static int open_failed(struct wb_gateway *g, const char *name, const char *id, struct wb_err *err)
{
	WB_AUTO(wb_wire_release) struct wb_wire request, mount;
	WB_AUTO(wb_buf_release) struct wb_buf answer;

	wb_wire_init(&request);
	wb_wire_init(&mount);
	wb_buf_init(&answer, ANSWER_MAX, "an answer of buildkit");
	wb_wire_str(&mount, 3, "/");
	wb_wire_str(&mount, 23, id);
	wb_wire_str(&request, 1, name);
	wb_wire_msg(&request, 2, &mount);
	return call(&answer, g, "NewContainer", &request, err);
}

int wb_gateway_read_failed(
	struct wb_buf *out, struct wb_gateway *g, const char *path, struct wb_err *err)
{
	static const char name[] = "failed";
	WB_AUTO(wb_wire_release) struct wb_wire request;
	WB_AUTO(wb_buf_release) struct wb_buf answer;
	wb_autofree char *id = failed_mount(g);

	wb_wire_init(&request);
	wb_buf_init(&answer, ANSWER_MAX, "an answer of buildkit");
	if (!id || !wb_gateway_can(g, "gateway.exec.filesystem"))
		return wb_err_set(err, WB_ERR_NOT_FOUND, "no program failed");
	/* what the refusal carried has to go out again with the error of the build */
	struct wb_h2_status kept = g->refused;

	g->refused = WB_H2_STATUS_INIT;
	wb_wire_str(&request, 1, name);
	wb_wire_str(&request, 2, path);
	int rc = open_failed(g, name, id, err) ||
	                         call(&answer, g, "ReadFileContainer", &request, err)
	                 ? -1
	                 : 0;

	wb_h2_status_release(&g->refused);
	g->refused = kept;
	if (rc)
		return -1;
	struct wb_wire_view data = wb_wire_get(view(&answer), 1);

	wb_buf_clear(out);
	return wb_buf_add(out, data.p ? (const void *)data.p : "", data.n, err);
}

/* Go's os.FileMode: its own bits above the permissions. */
static void from_go_mode(struct wb_gateway_stat *out, uint64_t mode)
{
	out->mode = (unsigned)(mode & 0777);
	out->is_dir = mode >> 31 & 1;
	out->mode |= mode >> 23 & 1 ? 04000 : 0;
	out->mode |= mode >> 22 & 1 ? 02000 : 0;
	out->mode |= mode >> 20 & 1 ? 01000 : 0;
}

int wb_gateway_stat(struct wb_gateway_stat *out, struct wb_gateway *g, const char *id,
	const char *path, struct wb_err *err)
{
	WB_AUTO(wb_wire_release) struct wb_wire request;
	WB_AUTO(wb_buf_release) struct wb_buf answer;

	wb_wire_init(&request);
	wb_buf_init(&answer, ANSWER_MAX, "an answer of buildkit");
	wb_wire_str(&request, 1, id);
	wb_wire_str(&request, 2, path);
	if (call(&answer, g, "StatFile", &request, err))
		return not_there(err);
	struct wb_wire_view st = wb_wire_get(view(&answer), 1);

	from_go_mode(out, wb_wire_get_u64(st, 2));
	out->uid = (unsigned)wb_wire_get_u64(st, 3);
	out->gid = (unsigned)wb_wire_get_u64(st, 4);
	return 0;
}

/* --- images ------------------------------------------------------------------------------- */

void wb_gateway_image_release(struct wb_gateway_image *i)
{
	free(i->digest);
	free(i->config);
}

int wb_gateway_resolve_image(struct wb_gateway_image *out, struct wb_gateway *g,
	const struct wb_gateway_resolve *r, struct wb_err *err)
{
	WB_AUTO(wb_wire_release) struct wb_wire request, platform;
	WB_AUTO(wb_buf_release) struct wb_buf answer;

	wb_wire_init(&request);
	wb_wire_init(&platform);
	wb_buf_init(&answer, ANSWER_MAX, "an answer of buildkit");
	wb_wire_str(&platform, 1, r->platform->arch);
	wb_wire_str(&platform, 2, r->platform->os);
	wb_wire_str(&platform, 3, r->platform->variant);
	wb_wire_str(&request, 1, r->ref);
	wb_wire_msg(&request, 2, &platform);
	wb_wire_str(&request, 3, r->mode);
	wb_wire_str(&request, 4, r->name);
	wb_wire_u64(&request, 5, r->store != NULL);
	wb_wire_str(&request, 6, r->store ? r->session : NULL);
	wb_wire_str(&request, 7, r->store);
	if (call(&answer, g, "ResolveImageConfig", &request, err))
		return -1;
	struct wb_wire_view config = wb_wire_get(view(&answer), 2);

	*out = (struct wb_gateway_image){0};
	out->digest = wb_wire_get_str(view(&answer), 1);
	out->config = wb_strndup(config.p ? (const char *)config.p : "", config.n);
	out->config_len = config.n;
	return 0;
}

/* --- what the user sees ------------------------------------------------------------------- */

static void write_range(struct wb_wire *out, unsigned field, unsigned line)
{
	WB_AUTO(wb_wire_release) struct wb_wire range, position;

	wb_wire_init(&range);
	wb_wire_init(&position);
	wb_wire_u64(&position, 1, line);
	wb_wire_msg(&range, 1, &position);
	wb_wire_msg(&range, 2, &position);
	wb_wire_msg(out, field, &range);
}

int wb_gateway_warn(struct wb_gateway *g, const struct wb_llb *l, struct wb_llb_ref about,
	unsigned line, const char *text, const char *detail, const char *url, struct wb_err *err)
{
	if (!wb_gateway_can(g, "gateway.warnings"))
		return 0;
	WB_AUTO(wb_wire_release) struct wb_wire request, info;
	WB_AUTO(wb_buf_release) struct wb_buf answer;

	wb_wire_init(&request);
	wb_wire_init(&info);
	wb_buf_init(&answer, ANSWER_MAX, "an answer of buildkit");
	wb_wire_str(&request, 1, wb_llb_digest(l, about).s);
	wb_wire_u64(&request, 2, 1);
	wb_wire_str(&request, 3, text);
	wb_wire_str(&request, 4, detail);
	wb_wire_str(&request, 5, url);
	if (line && l->file) {
		wb_llb_source_info(&info, l);
		wb_wire_msg(&request, 6, &info);
		write_range(&request, 7, line);
	}
	return call(&answer, g, "Warn", &request, err);
}

/* --- the end ------------------------------------------------------------------------------ */

static void write_ref(struct wb_wire *out, unsigned field, const char *id)
{
	WB_AUTO(wb_wire_release) struct wb_wire ref;

	wb_wire_init(&ref);
	wb_wire_str(&ref, 1, id);
	wb_wire_msg(out, field, &ref);
}

static void write_refs(struct wb_wire *out, const struct wb_gateway_result *results, size_t n)
{
	WB_AUTO(wb_wire_release) struct wb_wire map;

	wb_wire_init(&map);
	for (size_t i = 0; i < n; i++) {
		WB_AUTO(wb_wire_release) struct wb_wire entry;

		wb_wire_init(&entry);
		wb_wire_str(&entry, 1, results[i].platform);
		write_ref(&entry, 2, results[i].id);
		wb_wire_msg(&map, 1, &entry);
	}
	wb_wire_msg(out, 4, &map);
}

static void write_metadata(struct wb_wire *out, const struct wb_gateway_result *r, bool several)
{
	static const char config[] = "containerimage.config", base[] = "containerimage.base.config";
	const char *sep = several ? "/" : "", *platform = several ? r->platform : "";
	wb_autofree char *config_key = wb_asprintf("%s%s%s", config, sep, platform);
	wb_autofree char *base_key = wb_asprintf("%s%s%s", base, sep, platform);

	wb_wire_pair_str(out, 10, config_key, r->config);
	if (r->base)
		wb_wire_pair_str(out, 10, base_key, r->base);
}

/* platforms: the value of "refs.platforms", or NULL for the only one. */
int wb_gateway_return(struct wb_gateway *g, const struct wb_gateway_result *results, size_t n,
	const char *platforms, struct wb_err *err)
{
	WB_AUTO(wb_wire_release) struct wb_wire request, result;
	WB_AUTO(wb_buf_release) struct wb_buf answer;

	wb_wire_init(&request);
	wb_wire_init(&result);
	wb_buf_init(&answer, ANSWER_MAX, "an answer of buildkit");
	if (platforms)
		write_refs(&result, results, n);
	else
		write_ref(&result, 3, results[0].id);
	for (size_t i = 0; i < n; i++)
		write_metadata(&result, &results[i], platforms != NULL);
	if (platforms)
		wb_wire_pair_str(&result, 10, "refs.platforms", platforms);
	wb_wire_msg(&request, 1, &result);
	return call(&answer, g, "Return", &request, err);
}

/* errdefs.Source as BuildKit's own errors carry it: a google.protobuf.Any of JSON. */
static void write_source_detail(
	struct wb_wire *status, const struct wb_llb *l, const unsigned *lines, size_t n)
{
	WB_AUTO(wb_wire_release) struct wb_wire any;
	wb_autojson json_t *source = json_object();
	json_t *info = json_object(), *ranges = json_array();
	wb_autofree char *data = wb_base64_encode(l->text, strlen(l->text));

	wb_json_set_text(info, "filename", l->file);
	wb_json_set_str(info, "data", data);
	wb_json_set_str(info, "language", "YAML");
	for (size_t i = 0; i < n; i++) {
		json_t *range = json_object();

		for (size_t end = 0; end < 2; end++) {
			json_t *position = json_object();

			wb_json_set_u64(position, "line", lines[i]);
			wb_json_set(range, end ? "end" : "start", position);
		}
		wb_json_append(ranges, range);
	}
	wb_json_set(source, "info", info);
	wb_json_set(source, "ranges", ranges);
	wb_autofree char *text = wb_json_dump(source);

	wb_wire_init(&any);
	wb_wire_str(&any, 1, "github.com/moby/buildkit/errdefs.Source+json");
	wb_wire_str(&any, 2, text);
	wb_wire_msg(status, 3, &any);
}

/* What the last refusal carried: which step failed, and where its log is. */
static void write_refused(struct wb_wire *status, const struct wb_gateway *g)
{
	struct wb_wire_view rest = {g->refused.details, g->refused.details_len};
	struct wb_wire_field f;
	struct wb_err ignored = WB_ERR_INIT;

	while (wb_wire_next(&f, &rest, &ignored) > 0)
		if (f.number == 3 && f.type == 2)
			wb_wire_bytes(status, 3, f.view.p, f.view.n);
}

int wb_gateway_return_error(struct wb_gateway *g, const struct wb_llb *l, const struct wb_err *what,
	const unsigned *lines, size_t n_lines, struct wb_err *err)
{
	WB_AUTO(wb_wire_release) struct wb_wire request, status;
	WB_AUTO(wb_buf_release) struct wb_buf answer;
	wb_autofree char *text = what->hint[0] ? wb_asprintf("%s (%s)", what->text, what->hint)
	                                       : wb_strdup(what->text);

	wb_wire_init(&request);
	wb_wire_init(&status);
	wb_buf_init(&answer, ANSWER_MAX, "an answer of buildkit");
	wb_wire_u64(&status, 1, WB_GRPC_UNKNOWN);
	wb_wire_str(&status, 2, text);
	write_refused(&status, g);
	if (n_lines && l->file)
		write_source_detail(&status, l, lines, n_lines);
	wb_wire_msg(&request, 2, &status);
	return call(&answer, g, "Return", &request, err);
}
