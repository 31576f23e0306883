/* What the frontend reads of the client's files, and what of it is to be built. */
#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "builder/buildkit/frontend_internal.h"

#define IGNORE_MAX (1u << 20)

static const char *input_name(const struct wb_front *f, const char *opt, const char *dflt)
{
	const char *name = wb_frontend_opt(&f->opts, opt);

	return name && *name ? name : dflt;
}

static char *json_list(const char *const *texts)
{
	wb_autojson json_t *list = json_array();

	for (; *texts; texts++)
		wb_json_append(list, json_string(*texts));
	return wb_json_dump(list);
}

/* Files of one of the client's folders, by name. */
static struct wb_llb_ref local_files(
	struct wb_front *f, const char *input, const char *const *names, const char *shown)
{
	wb_autofree char *identifier = wb_asprintf("local://%s", input);
	wb_autofree char *opt = wb_asprintf("local-sessionid:%s", input);
	wb_autofree char *paths = json_list(names);
	const char *session = wb_frontend_opt(&f->opts, opt);
	const char *const attrs[] = {"local.differ", "none", "local.followpaths", paths,
		"local.session", session ? session : f->opts.session, "local.sharedkeyhint",
		names[0], NULL};
	const struct wb_llb_note note = {.name = shown};

	/* with its platform, so that BuildKit, which would add it, keeps the name that warnings use
	 */
	return wb_llb_source(&f->llb, identifier, attrs, "source.local", &f->opts.native, &note);
}

/* *found false when it is not there. */
static int read_optional(struct wb_buf *out, bool *found, struct wb_front *f, const char *id,
	const char *path, struct wb_err *err)
{
	int rc = wb_gateway_read(out, f->g, id, path, err);

	*found = !rc;
	if (rc && err->code != WB_ERR_NOT_FOUND)
		return -1;
	wb_err_clear(err);
	return 0;
}

static int read_config(struct wb_front *f, struct wb_err *err)
{
	const char *input = input_name(f, "dockerfilekey", "dockerfile");
	wb_autofree char *ignore = wb_asprintf("%s.dockerignore", f->config_name);
	const char *const names[] = {f->config_name, ignore, WB_LOCK_NAME, NULL};
	wb_autofree char *shown = wb_asprintf("[wbuild] load %s", f->config_name);
	wb_autofree char *dir = wb_path_dirname(f->config_name);
	wb_autofree char *lock = wb_path_join(dir, WB_LOCK_NAME);
	wb_autofree char *id = NULL;
	bool found;

	f->config_ref = local_files(f, input, names, shown);
	if (wb_gateway_solve(&id, f->g, &f->llb, f->config_ref, err) ||
		read_optional(&f->config_text, &found, f, id, f->config_name, err))
		return -1;
	if (!found) {
		wb_err_set(err, WB_ERR_CONFIG, "the build context has no \"%s\"", f->config_name);
		return wb_err_hint(
			err, "name the config with -f FILE (buildctl: --opt filename=FILE)");
	}
	if (read_optional(&f->lock, &f->has_lock, f, id, lock, err))
		return -1;
	return read_optional(&f->ignore, &found, f, id, ignore, err);
}

static int read_ignore(struct wb_front *f, struct wb_err *err)
{
	static const char *const names[] = {".dockerignore", NULL};
	const char *input = input_name(f, "contextkey", "context");
	struct wb_llb_ref ref = local_files(f, input, names, "[wbuild] load .dockerignore");
	wb_autofree char *id = NULL;
	bool found;

	if (f->ignore.len)
		return 0; /* the config's own comes first, as for a Dockerfile */
	if (wb_gateway_solve(&id, f->g, &f->llb, ref, err))
		return -1;
	return read_optional(&f->ignore, &found, f, id, names[0], err);
}

/* All errors' lines are shown with the first one's text. */
static int parse_config(struct wb_front *f, struct wb_err *err)
{
	int rc = wb_config_parse(
		&f->config, f->config_text.data, f->config_text.len, NULL, f->config_name, err);

	wb_vec_foreach (it, &f->config.findings.list)
		if (rc && it->severity == WB_SEV_ERROR && it->pos.line)
			*wb_vec_push(&f->lines) = it->pos.line;
	return rc;
}

int wb_front_read(struct wb_front *f, struct wb_err *err)
{
	const char *name = wb_frontend_opt(&f->opts, "filename");

	f->config_name = wb_strdup(name && *name ? name : "config.yaml");
	wb_buf_init(&f->config_text, WB_CONFIG_BYTES_MAX, "the config");
	wb_buf_init(&f->lock, WB_LOCK_BYTES_MAX, WB_LOCK_NAME);
	wb_buf_init(&f->ignore, IGNORE_MAX, ".dockerignore");
	if (read_config(f, err) || read_ignore(f, err))
		return -1;
	wb_llb_set_source(&f->llb, f->config_name, f->config_text.data);
	return parse_config(f, err);
}

/* --- what is built ------------------------------------------------------------------------ */

static bool is_target(const struct wb_source *s, const char *target)
{
	return !strcmp(s->uri.text, target) || !strcmp(s->mount, target);
}

static int no_target(const struct wb_front *f, const char *target, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf names;

	wb_buf_init(&names, 1u << 20, "targets");
	wb_buf_must(&names, "weights, %s", f->config.data_dir);
	wb_vec_foreach (s, &f->config.sources)
		wb_buf_must(&names, ", %s", s->uri.text);
	wb_err_set(err, WB_ERR_USAGE, "no target named \"%.200s\"", target);
	return wb_err_hint(err, "there are: %.400s", names.data);
}

static int choose_target(struct wb_front *f, struct wb_err *err)
{
	const char *target = wb_frontend_opt(&f->opts, "target");
	bool all = !target || !*target || !strcmp(target, "weights");
	bool any = all;

	f->data = all || !strcmp(target, f->config.data_dir);
	f->scratch = target && *target;
	any |= f->data;
	for (size_t i = 0; i < f->config.sources.n; i++) {
		f->chosen[i] = all || is_target(&f->config.sources.items[i], target);
		any |= f->chosen[i];
	}
	return any ? 0 : no_target(f, target, err);
}

static bool is_outside(const char *path)
{
	wb_autofree char *clean = wb_path_normalize("/context", path);

	return !wb_path_within(clean, "/context");
}

static int check_local(struct wb_front *f, struct wb_err *err)
{
	const struct wb_config *c = &f->config;

	if (f->data && is_outside(c->data_dir))
		return wb_err_set(err, WB_ERR_CONFIG,
			"data_dir \"%s\" is outside of the build context", c->data_dir);
	for (size_t i = 0; i < c->sources.n; i++) {
		const struct wb_source *s = &c->sources.items[i];

		if (!f->chosen[i] || s->uri.scheme != WB_SCHEME_FILE || !is_outside(s->uri.path))
			continue;
		*wb_vec_push(&f->lines) = s->pos.line;
		wb_err_at(err, c->file, s->pos.line, s->pos.column,
			"\"%s\" is outside of the build context", s->uri.text);
		return wb_err_hint(err, "use a folder above both as the context");
	}
	return 0;
}

int wb_front_choose(struct wb_front *f, struct wb_err *err)
{
	const char *epoch = wb_frontend_arg(&f->opts, "SOURCE_DATE_EPOCH");
	const char *stub = wb_frontend_arg(&f->opts, "WBUILD_STUB");
	uint64_t v = 0;

	if (epoch && (!wb_parse_u64(&v, epoch) || v > 253402300799u)) /* the year 9999 */
		return wb_err_set(err, WB_ERR_USAGE,
			"SOURCE_DATE_EPOCH: \"%.40s\" is not a number of seconds", epoch);
	f->epoch = (int64_t)v;
	f->no_cache = wb_frontend_opt(&f->opts, "no-cache") != NULL;
	f->stub = !stub || wb_frontend_arg_true(&f->opts, "WBUILD_STUB");
	f->chosen = wb_calloc(f->config.sources.n + 1, sizeof(*f->chosen));
	return choose_target(f, err) || check_local(f, err) ? -1 : 0;
}

/* --- local files -------------------------------------------------------------------------- */

/* .dockerignore's lines as BuildKit's patterns: comments and blanks out, paths without the slash
 * in front (docs.docker.com, ".dockerignore files"). */
static char *ignore_patterns(const struct wb_front *f)
{
	wb_autojson json_t *list = json_array();
	wb_autofree char *text = wb_strndup(f->ignore.data, f->ignore.len);
	char *rest = text;

	for (char *line; (line = strsep(&rest, "\n"));) {
		line += strspn(line, " \t\r");
		line[strcspn(line, "\r")] = '\0';
		for (size_t n = strlen(line); n && strchr(" \t", line[n - 1]); n--)
			line[n - 1] = '\0';
		if (!*line || *line == '#' || !wb_utf8_valid(line, strlen(line)))
			continue;
		bool keep = *line == '!';

		line += keep;
		line += strspn(line, " \t");
		line += strspn(line, "/");
		wb_autofree char *pattern = wb_asprintf("%s%s", keep ? "!" : "", line);

		if (*line)
			wb_json_append(list, json_string(pattern));
	}
	return wb_json_dump(list);
}

static void add_pattern(json_t *list, const char *path)
{
	wb_autofree char *clean = wb_path_normalize("/", path);

	/* all of the context is no pattern at all */
	if (clean[1])
		wb_json_append(list, json_string(clean + 1));
	else
		wb_json_append(list, json_string("**"));
}

void wb_front_local(struct wb_front *f)
{
	const char *input = input_name(f, "contextkey", "context");
	wb_autofree char *identifier = wb_asprintf("local://%s", input);
	wb_autofree char *opt = wb_asprintf("local-sessionid:%s", input);
	wb_autofree char *exclude = ignore_patterns(f);
	wb_autojson json_t *list = json_array();
	const char *session = wb_frontend_opt(&f->opts, opt);
	const struct wb_llb_note note = {.name = "[wbuild] load local files"};

	if (f->data)
		add_pattern(list, f->config.data_dir);
	for (size_t i = 0; i < f->config.sources.n; i++)
		if (f->chosen[i] && f->config.sources.items[i].uri.scheme == WB_SCHEME_FILE)
			add_pattern(list, f->config.sources.items[i].uri.path);
	if (!json_array_size(list))
		return;
	wb_json_append(list, json_string(".truss_ignore"));
	wb_autofree char *include = wb_json_dump(list);
	const char *const attrs[] = {"local.excludepatterns", exclude, "local.includepattern",
		include, "local.session", session ? session : f->opts.session,
		"local.sharedkeyhint", "wbuild-context", NULL};

	f->context = wb_llb_source(&f->llb, identifier, attrs, "source.local", NULL, &note);
}
