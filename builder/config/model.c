#include "builder/config/model.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/path.h"
#include "base/text.h"

/* Truss 0.18's top-level keys, those that wbuild has no use for included: a near miss of any of
 * them is judged well, and everything else is left alone. */
static const char *const top_keys[] = {"apply_library_patches", "base_image", "bdn", "bis_llm",
	"build", "build_commands", "bundled_packages_dir", "cache_internal", "data_dir",
	"description", "docker_server", "environment_variables", "examples_filename",
	"external_data", "external_package_dirs", "hf_cache", "input_type", "live_reload",
	"model_cache", "model_class_filename", "model_class_name", "model_framework",
	"model_metadata", "model_module_dir", "model_name", "model_type", "python_version",
	"requirements", "requirements_file", "resources", "runtime", "secrets", "spec_version",
	"system_packages", "train", "training_checkpoints", "trt_llm", "use_local_src", "weights",
	"<<", NULL};

void wb_model_keys(struct wb_model *m)
{
	const struct wb_read *r = &m->top;
	const struct wb_yaml_node *old = wb_yaml_get_key(r->map, "hf_cache");

	wb_read_unknown(r, top_keys);
	if (old && wb_yaml_get(r->map, "model_cache"))
		wb_read_warn(r, "hf-cache", old->pos, "remove it",
			"hf_cache is ignored, because model_cache is there as well");
	else if (old)
		wb_read_note(r, "hf-cache", old->pos, "rename the key; \"wbuild migrate\" does it",
			"hf_cache is deprecated in favor of model_cache");
	if (wb_read_node(r, "requirements_file") && wb_read_node(r, "requirements") &&
		wb_read_node(r, "requirements")->n)
		wb_read_warn(r, "truss-refuses", wb_read_pos(r, "requirements_file"), NULL,
			"Please ensure that only one of requirements and requirements_file is "
			"specified");
}

/* A folder inside the Truss; its default when absent or unusable. */
static char *inner_dir(const struct wb_read *r, const char *key, const char *dflt)
{
	const char *s = wb_read_str(r, key);
	wb_autofree char *dir = s && *s ? wb_path_join(s, "") : wb_strdup(dflt);
	const char *why = wb_path_unsafe(dir, strlen(dir));

	if (!why)
		return wb_steal(dir);
	wb_read_error(r, "bad-folder", wb_read_pos(r, key), "name a folder beside the config",
		"\"%s\" must be a folder inside the Truss, but \"%s\" %s", key, s, why);
	return wb_strdup(dflt);
}

static void read_strings(char ***items, size_t *n, const struct wb_read *r, const char *key)
{
	const struct wb_yaml_node *list = wb_read_list(r, key);
	WB_VEC(char *) v = {0};

	for (size_t i = 0; list && i < list->n; i++) {
		char name[96];

		snprintf(name, sizeof(name), "%.70s[%zu]", wb_read_name(r, key).s, i);
		const char *s = wb_read_text(r, list->items[i], name);

		if (s)
			*wb_vec_push(&v) = wb_strdup(s);
	}
	*items = v.items;
	*n = v.n;
}

void wb_model_folders(struct wb_model *m)
{
	const struct wb_read *r = &m->top;
	struct wb_config *c = m->c;

	c->model_name = wb_strdup(wb_read_str(r, "model_name"));
	c->data_dir = inner_dir(r, "data_dir", "data");
	c->model_module_dir = inner_dir(r, "model_module_dir", "model");
	c->bundled_packages_dir = inner_dir(r, "bundled_packages_dir", "packages");
	read_strings(&c->external_package_dirs.items, &c->external_package_dirs.n, r,
		"external_package_dirs");
}

static struct wb_pair *add_pair(struct wb_config *c, bool secret, const struct wb_yaml_node *key)
{
	struct wb_pair *p = secret ? wb_vec_push(&c->secrets) : wb_vec_push(&c->environment);

	p->name = wb_strdup(key->text);
	p->pos = key->pos;
	return p;
}

static const char *env_value(const struct wb_config *c, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < c->environment.n; i++)
		if (!strcmp(c->environment.items[i].name, name))
			value = c->environment.items[i].value;
	return value && *value ? value : NULL;
}

/* "~" of the image: HOME when the config sets it, root's otherwise. */
static char *expand_home(const struct wb_config *c, const char *path)
{
	const char *home = env_value(c, "HOME");

	if (path[0] != '~' || (path[1] && path[1] != '/'))
		return wb_strdup(path);
	return wb_asprintf("%s%s", home ? home : "/root", path + 1);
}

/* The hub's own precedence (huggingface_hub, constants). */
static void find_hf_cache(struct wb_model *m, const struct wb_read *env)
{
	static const struct {
		const char *name, *below;
	} vars[] = {{"HF_HUB_CACHE", ""}, {"HUGGINGFACE_HUB_CACHE", ""}, {"HF_HOME", "hub"},
		{"XDG_CACHE_HOME", "huggingface/hub"}};
	struct wb_config *c = m->c;

	for (size_t i = 0; i < WB_ARRAY_LEN(vars) && !c->hf_cache_dir; i++) {
		const char *value = env_value(c, vars[i].name);

		if (!value)
			continue;
		wb_autofree char *path = expand_home(c, value);
		wb_autofree char *dir = wb_path_join(path, vars[i].below);

		c->hf_cache_dir = wb_model_mount(env, vars[i].name, dir);
	}
	if (!c->hf_cache_dir) {
		wb_autofree char *dflt = expand_home(c, "~/.cache/huggingface/hub");

		c->hf_cache_dir = *dflt == '/' ? wb_path_normalize("/", dflt)
		                               : wb_strdup("/root/.cache/huggingface/hub");
	}
}

/* Names that hold credentials by habit, and values that are some by their form. */
static bool looks_secret(const char *name, const char *value)
{
	static const char *const ends[] = {
		"_TOKEN", "_SECRET", "_PASSWORD", "_API_KEY", "_ACCESS_KEY", "_SECRET_KEY", NULL};
	static const char *const starts[] = {
		"hf_", "sk-", "AKIA", "ASIA", "ghp_", "github_pat_", "-----BEGIN", NULL};
	size_t n = strlen(name), len = strlen(value);

	if (len < 16)
		return false;
	for (size_t i = 0; ends[i]; i++) {
		size_t k = strlen(ends[i]);

		if (n > k && !strcasecmp(name + n - k, ends[i]) && !strchr(value, ' '))
			return true;
	}
	for (size_t i = 0; starts[i]; i++)
		if (wb_str_starts(value, starts[i]) && !strchr(value, '/'))
			return true;
	return false;
}

static void read_variable(struct wb_model *m, const struct wb_read *r,
	const struct wb_yaml_node *key, const struct wb_yaml_node *value)
{
	struct wb_key_text name = wb_read_name(r, key->text);

	if (!*key->text || strchr(key->text, '=')) {
		wb_read_error(r, "bad-variable", key->pos, NULL,
			"\"%.80s\" cannot be the name of an environment variable", key->text);
		return;
	}
	if (value->kind != WB_YAML_SCALAR || strlen(value->text) != value->len) {
		wb_read_error(r, "wrong-type", value->pos, NULL,
			"\"%s\" should be a string, not %s", name.s,
			value->kind == WB_YAML_SCALAR ? "one with a NUL byte"
						      : wb_yaml_type_name(value));
		return;
	}
	struct wb_pair *p = add_pair(m->c, false, key);

	p->value = wb_yaml_python_str(value);
	if (wb_yaml_is_null(value))
		wb_read_warn(r, "null-variable", value->pos, "give it a value, or remove it",
			"\"%s\" is null, which Truss passes on as the text \"None\"", name.s);
	else if (looks_secret(p->name, p->value))
		wb_read_warn(r, "secret-in-environment", value->pos,
			"declare it under \"secrets\" and read it from /secrets at run time",
			"\"%s\" looks like a credential, and environment_variables become part of "
			"the "
			"image",
			name.s);
}

void wb_model_environment(struct wb_model *m)
{
	static const char *const reserved[] = {"PORT", "HOSTNAME"};
	struct wb_read r = {.findings = m->top.findings, .map = m->top.map};

	if (!wb_read_enter(&r, &m->top, "environment_variables")) {
		find_hf_cache(m, &m->top);
		return;
	}
	for (size_t i = 0; i < r.map->n; i++)
		if (strcmp(r.map->items[2 * i]->text, "<<") != 0)
			read_variable(m, &r, r.map->items[2 * i], r.map->items[2 * i + 1]);
	for (size_t i = 0; i < WB_ARRAY_LEN(reserved); i++) {
		const struct wb_yaml_node *key = wb_yaml_get_key(r.map, reserved[i]);

		if (key)
			wb_read_warn(&r, "reserved-variable", key->pos, NULL,
				"the following environment variables are reserved by the platform "
				"and "
				"will be overwritten at runtime: %s",
				reserved[i]);
	}
	find_hf_cache(m, &r);
}

void wb_model_secrets(struct wb_model *m)
{
	struct wb_read r;

	if (!wb_read_enter(&r, &m->top, "secrets"))
		return;
	for (size_t i = 0; i < r.map->n; i++) {
		const struct wb_yaml_node *key = r.map->items[2 * i];
		const struct wb_yaml_node *value = r.map->items[2 * i + 1];

		if (!strcmp(key->text, "<<"))
			continue;
		add_pair(m->c, true, key);
		/* the value goes nowhere: not into the model, not into the message */
		if (value->kind != WB_YAML_SCALAR)
			wb_read_error(&r, "wrong-type", value->pos,
				"write null: values come from the platform",
				"\"%s\" should be null or a string, not %s",
				wb_read_name(&r, key->text).s, wb_yaml_type_name(value));
		else if (!wb_yaml_is_null(value) && value->len)
			wb_read_warn(&r, "secret-in-config", value->pos,
				"write null here, and revoke the secret if it is a real one",
				"\"%s\" has its value in the file; wbuild does not use it, but "
				"whoever "
				"gets the config has it",
				wb_read_name(&r, key->text).s);
	}
}

void wb_model_base_image(struct wb_model *m)
{
	static const char *const keys[] = {
		"image", "python_executable_path", "docker_auth", "<<", NULL};
	const struct wb_yaml_node *n = wb_read_node(&m->top, "base_image");
	struct wb_read r;

	if (n && n->kind == WB_YAML_SCALAR) {
		wb_read_error(&m->top, "wrong-type", n->pos, "write \"base_image: {image: NAME}\"",
			"\"base_image\" should be a mapping with the key \"image\", not %s",
			wb_yaml_type_name(n));
		return;
	}
	if (!wb_read_enter(&r, &m->top, "base_image"))
		return;
	const char *image = wb_read_str(&r, "image");
	const char *python = wb_read_str(&r, "python_executable_path");

	wb_read_unknown(&r, keys);
	if (image && *image) {
		if (strpbrk(image, " \t\n\r\"'"))
			wb_read_error(&r, "bad-image", wb_read_pos(&r, "image"), NULL,
				"\"base_image.image\" is no image reference: \"%.200s\"", image);
		else
			m->c->base_image = wb_strdup(image);
	}
	if (python && *python && *python != '/')
		wb_read_error(&r, "bad-python-path", wb_read_pos(&r, "python_executable_path"),
			NULL, "Invalid relative python executable path %s", python);
}

static void check_user(struct wb_model *m, const struct wb_read *r)
{
	int64_t uid;

	if (!wb_read_int(&uid, r, "run_as_user_id"))
		return;
	if (uid == 0 || uid == 60000)
		wb_read_error(r, "bad-user", wb_read_pos(r, "run_as_user_id"), NULL,
			"run_as_user_id cannot be %lld. Use a different user ID.", (long long)uid);
	else if (uid < 0 || uid > UINT32_MAX - 1)
		wb_read_error(r, "bad-user", wb_read_pos(r, "run_as_user_id"), NULL,
			"\"docker_server.run_as_user_id\" is no user id: %lld", (long long)uid);
	else
		m->c->run_as_user = uid;
}

static void check_port(const struct wb_read *r)
{
	int64_t port;

	if (!wb_read_int(&port, r, "server_port"))
		return;
	if (port < 1 || port > 65535)
		wb_read_error(r, "bad-port", wb_read_pos(r, "server_port"), NULL,
			"\"docker_server.server_port\" should be between 1 and 65535, not %lld",
			(long long)port);
	else if (port == 8080)
		wb_read_warn(r, "reserved-port", wb_read_pos(r, "server_port"), NULL,
			"port 8080 is reserved by the platform's proxy");
}

void wb_model_docker_server(struct wb_model *m)
{
	static const char *const keys[] = {"start_command", "server_port", "predict_endpoint",
		"readiness_endpoint", "liveness_endpoint", "run_as_user_id", "no_build", "<<",
		NULL};
	static const char *const needed[] = {
		"server_port", "predict_endpoint", "readiness_endpoint", "liveness_endpoint"};
	struct wb_read r;

	if (!wb_read_enter(&r, &m->top, "docker_server"))
		return;
	m->c->has_docker_server = true;
	wb_read_unknown(&r, keys);
	const char *command = wb_read_str(&r, "start_command");

	m->c->docker_no_build = wb_read_bool(&r, "no_build") == 1;
	if (command && *command)
		m->c->start_command = wb_strdup(command);
	else if (!m->c->docker_no_build && !wb_read_node(&r, "start_command"))
		wb_read_error(&r, "missing-key", r.map->pos, NULL,
			"start_command is required when no_build is not true");
	for (size_t i = 0; i < WB_ARRAY_LEN(needed); i++) {
		if (!wb_read_node(&r, needed[i]))
			wb_read_warn(&r, "truss-refuses", r.map->pos, NULL,
				"\"docker_server.%s\" is missing; wbuild needs none, but truss "
				"push "
				"refuses the config",
				needed[i]);
		else if (i > 0)
			wb_read_str(&r, needed[i]);
	}
	check_port(&r);
	check_user(m, &r);
}

/* Kubernetes object names, as Truss checks them. */
static bool secret_name_ok(const struct wb_read *r, const struct wb_yaml_node *key)
{
	const char *name = key->text, *p = name;

	if (wb_str_starts(name, "DOCKER_REGISTRY_"))
		return true;
	if (strlen(name) > 253) {
		wb_read_error(r, "bad-secret-name", key->pos, NULL,
			"Secret name %.80s... must be shorter than 253.", name);
		return false;
	}
	while (isalnum((unsigned char)*p) || (*p && strchr("-._", *p)))
		p++;
	if (!*name || !strcmp(name, ".") || !strcmp(name, "..")) {
		wb_read_error(r, "bad-secret-name", key->pos, NULL, "Invalid secret name %s", name);
		return false;
	}
	if (*p)
		wb_read_error(r, "bad-secret-name", key->pos,
			"use letters, digits, \"-\", \".\", \"_\"",
			"Secrets used in builds must follow Kubernetes object naming conventions. "
			"Name "
			"%s is not valid.",
			name);
	return !*p;
}

void wb_model_build(struct wb_model *m)
{
	static const char *const keys[] = {
		"model_server", "arguments", "secret_to_path_mapping", "no_cache", "<<", NULL};
	struct wb_config *c = m->c;
	struct wb_read r, map;

	read_strings(&c->build_commands.items, &c->build_commands.n, &m->top, "build_commands");
	if (!wb_read_enter(&r, &m->top, "build"))
		return;
	wb_read_unknown(&r, keys);
	if (wb_read_bool(&r, "no_cache") == 1)
		wb_read_error(&r, "no-cache", wb_read_pos(&r, "no_cache"), NULL,
			"no_cache cannot be specified in config.yaml. Use the --no-cache CLI flag "
			"instead.");
	if (!wb_read_enter(&map, &r, "secret_to_path_mapping"))
		return;
	for (size_t i = 0; i < map.map->n; i++) {
		const struct wb_yaml_node *key = map.map->items[2 * i];
		const char *path = wb_read_text(
			&map, map.map->items[2 * i + 1], wb_read_name(&map, key->text).s);

		if (!path || !strcmp(key->text, "<<") || !secret_name_ok(&map, key))
			continue;
		*wb_vec_push(&c->secret_paths) = (struct wb_pair){
			.name = wb_strdup(key->text), .value = wb_strdup(path), .pos = key->pos};
	}
}
