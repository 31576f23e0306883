#include "builder/buildkit/dockerfile.h"

#include <string.h>

#include "base/json.h"
#include "base/path.h"
#include "base/text.h"
#include "layers/manifest.h"

#define TEXT_MAX (16u << 20)
#define RUN_BREAK " \\\n    "

/* Credentials that sources find by these names when the config names no secret. */
static const char *const common[] = {"HF_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
	"AWS_SESSION_TOKEN", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_KEY",
	"AZURE_STORAGE_SAS_TOKEN", "BASETEN_API_KEY", NULL};

/* A word of ENV and LABEL: in double quotes, where "\", `"` and "$" mean something, and which end
 * with the line. */
static void put_quoted(struct wb_buf *b, const char *s)
{
	wb_buf_must(b, "\"");
	for (; *s; s++)
		wb_buf_must(b, strchr("\\\"$", *s) ? "\\%c" : "%c", *s);
	wb_buf_must(b, "\"");
}

/* A path in the words of a --mount, which commas and blanks end. */
static int check_path(const char *path, struct wb_err *err)
{
	if (!strpbrk(path, " ,\"\t\n\r"))
		return 0;
	return wb_err_set(err, WB_ERR_UNSUPPORTED,
		"\"%s\" has characters that a Dockerfile's --mount cannot have", path);
}

/* Text of a RUN or a bare word that Docker would take apart at a line's end. */
static int check_line(const char *what, const char *text, struct wb_err *err)
{
	if (!strpbrk(text, "\n\r"))
		return 0;
	return wb_err_set(err, WB_ERR_UNSUPPORTED,
		"%s has several lines, which a Dockerfile cannot have there", what);
}

static char *json_words(const char *const *words)
{
	wb_autojson json_t *list = json_array();

	for (; *words; words++)
		wb_json_append(list, wb_json_text(*words));
	return wb_json_dump(list);
}

/* --- stages ------------------------------------------------------------------------------- */

static int put_base(struct wb_buf *b, const struct wb_config *c, const struct wb_dockerfile_opts *o,
	struct wb_err *err)
{
	wb_buf_must(b, "FROM %s AS base\n", o->base_name ? o->base_name : "scratch");
	if (c->build_commands.n && !o->base_name)
		return wb_err_set(err, WB_ERR_CONFIG, "build_commands need a base_image to run in");
	wb_vec_foreach (command, &c->build_commands) {
		const char *const words[] = {"/bin/sh", "-c", *command, NULL};
		wb_autofree char *json = json_words(words);

		wb_buf_must(b, "RUN ");
		wb_vec_foreach (s, &c->secret_paths)
			wb_buf_must(b, "--mount=type=secret,id=%s,target=%s" RUN_BREAK, s->name,
				s->value);
		wb_buf_must(b, "%s\n", json);
	}
	return 0;
}

static void put_bind(struct wb_buf *b, const char *path)
{
	wb_autofree char *clean = wb_path_normalize("/", path);

	wb_buf_must(b, "--mount=type=bind,source=%s,target=/context/%s" RUN_BREAK,
		clean[1] ? clean + 1 : ".", clean + 1);
}

static void put_secrets(struct wb_buf *b, const struct wb_config *c)
{
	wb_vec_foreach (s, &c->sources) {
		bool seen = s->auth.secret_name == NULL;

		for (const struct wb_source *before = c->sources.items; !seen && before < s;
			before++)
			seen = before->auth.secret_name &&
			       !strcmp(before->auth.secret_name, s->auth.secret_name);
		if (!seen)
			wb_buf_must(b, "--mount=type=secret,id=%s" RUN_BREAK, s->auth.secret_name);
	}
	for (const char *const *name = common; *name; name++)
		wb_buf_must(b, "--mount=type=secret,id=%s,env=%s" RUN_BREAK, *name, *name);
}

/* Only what the bundle is made of is mounted, so that code does not make it again. */
static int put_bundle(struct wb_buf *b, const struct wb_config *c,
	const struct wb_dockerfile_opts *o, struct wb_err *err)
{
	if (check_path(o->config_name, err) || check_path(c->data_dir, err))
		return -1;
	wb_buf_must(b, "\nFROM ${WBUILD} AS bundle\n");
	wb_buf_must(b, "ARG HF_ENDPOINT\nARG AWS_ENDPOINT_URL\nARG AWS_REGION\nARG "
		       "SOURCE_DATE_EPOCH\n");
	wb_buf_must(b, "RUN --mount=type=cache,id=wbuild,target=/cache" RUN_BREAK);
	put_bind(b, o->config_name);
	if (o->has_lock)
		put_bind(b, "wbuild.lock");
	if (o->has_ignore)
		put_bind(b, ".truss_ignore");
	if (o->has_data)
		put_bind(b, c->data_dir);
	wb_vec_foreach (s, &c->sources) {
		if (s->uri.scheme != WB_SCHEME_FILE)
			continue;
		wb_autofree char *clean = wb_path_normalize("/context", s->uri.path);

		if (!wb_path_within(clean, "/context"))
			return wb_err_at(err, c->file, s->pos.line, s->pos.column,
				"\"%s\" is outside of the build context", s->uri.text);
		if (check_path(clean, err))
			return -1;
		put_bind(b, s->uri.path);
	}
	put_secrets(b, c);
	wb_autofree char *file = wb_asprintf("/context/%s", o->config_name);
	const char *const words[] = {"/usr/bin/wbuild", "build", "--cache-dir", "/cache", "--base",
		"scratch", "--file", file, "--output", "type=local,dest=/bundle", "/context", NULL};
	wb_autofree char *json = json_words(words);

	wb_buf_must(b, "%s\n", json);
	return 0;
}

static void put_copy(struct wb_buf *b, const char *place)
{
	wb_autofree char *from = wb_asprintf("/bundle%s", place);
	const char *const words[] = {from, place, NULL};
	wb_autofree char *json = json_words(words);

	wb_buf_must(b, "COPY --link --from=bundle %s\n", json);
}

/* One COPY for each place, so that each is a layer. --link: it is one whatever the base is, as
 * wbuild's own layers are. A place inside another one comes with it. */
static void put_copies(
	struct wb_buf *b, const struct wb_config *c, const struct wb_dockerfile_opts *o)
{
	WB_VEC(const char *) places = {0};

	if (o->has_data)
		*wb_vec_push(&places) = "/app/data";
	wb_vec_foreach (s, &c->sources)
		if (!s->use_volume)
			*wb_vec_push(&places) = s->mount;
	for (size_t i = 0; i < places.n; i++) {
		bool inside = false;

		for (size_t k = 0; k < places.n; k++)
			inside |= k != i && wb_path_within(places.items[i], places.items[k]) &&
			          (strcmp(places.items[i], places.items[k]) || k < i);
		if (!inside)
			put_copy(b, places.items[i]);
	}
	wb_vec_free(&places);
}

static void put_settings(struct wb_buf *b, const struct wb_config *c)
{
	wb_vec_foreach (e, &c->environment) {
		wb_buf_must(b, "ENV %s=", e->name);
		put_quoted(b, e->value ? e->value : "");
		wb_buf_must(b, "\n");
	}
	if (c->model_name) {
		wb_buf_must(b, "LABEL org.opencontainers.image.title=");
		put_quoted(b, c->model_name);
		wb_buf_must(b, "\n");
	}
	wb_buf_must(b, "LABEL dev.wbuild.manifest=\"/%s\"\n", WB_MANIFEST_PATH);
}

static void put_command(
	struct wb_buf *b, const struct wb_config *c, const struct wb_dockerfile_opts *o)
{
	wb_autojson json_t *entry = json_pack("[s, s]", "/" WB_INIT_PATH, "--");
	const json_t *own = o->base ? wb_image_args(o->base, WB_IMAGE_ENTRYPOINT) : NULL;
	const json_t *args = o->base ? wb_image_args(o->base, WB_IMAGE_CMD) : NULL;

	if (c->start_command) {
		const char *const words[] = {"/bin/sh", "-c", c->start_command, NULL};
		wb_autofree char *json = json_words(words);
		wb_autofree char *first = wb_json_dump(entry);

		wb_buf_must(b, "ENTRYPOINT %s\nCMD %s\n", first, json);
		return;
	}
	for (size_t i = 0; i < json_array_size(own); i++)
		wb_json_append(entry, json_incref(json_array_get(own, i)));
	wb_autofree char *first = wb_json_dump(entry);

	wb_buf_must(b, "ENTRYPOINT %s\n", first);
	if (args) {
		wb_autofree char *json = wb_json_dump(args);

		wb_buf_must(b, "CMD %s\n", json);
	}
}

static int check_texts(const struct wb_config *c, struct wb_err *err)
{
	wb_vec_foreach (e, &c->environment)
		if (check_line(e->name, e->value ? e->value : "", err))
			return -1;
	if (c->model_name && check_line("model_name", c->model_name, err))
		return -1;
	wb_vec_foreach (s, &c->sources)
		if (s->use_volume) {
			wb_err_at(err, c->file, s->pos.line, s->pos.column,
				"%s is fetched at start, which a Dockerfile cannot set up",
				s->uri.text);
			return wb_err_hint(err, "bake it (use_volume: false), or build the config "
						"itself (docs/buildkit.md)");
		}
	return 0;
}

int wb_dockerfile_make(char **out, const struct wb_config *c, const struct wb_dockerfile_opts *opts,
	struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf b;

	wb_buf_init(&b, TEXT_MAX, "a Dockerfile");
	if (check_texts(c, err))
		return -1;
	wb_buf_must(&b, "# Made by \"wbuild dockerfile\". WBUILD is an image with wbuild in it "
			"(docs/buildkit.md).\n"
			"ARG WBUILD=" WB_DOCKERFILE_IMAGE "\n\n");
	if (put_base(&b, c, opts, err) || put_bundle(&b, c, opts, err))
		return -1;
	wb_buf_must(&b, "\nFROM ${WBUILD} AS wbuild\n\nFROM base\nARG TARGETARCH\n"
			"COPY --link --from=wbuild "
			"/usr/libexec/wbuild/init-${TARGETARCH} /" WB_INIT_PATH "\n");
	put_copies(&b, c, opts);
	wb_buf_must(&b,
		"COPY --link --from=bundle /bundle/" WB_MANIFEST_PATH " /" WB_MANIFEST_PATH "\n");
	put_settings(&b, c);
	put_command(&b, c, opts);
	*out = wb_buf_steal(&b);
	return 0;
}
