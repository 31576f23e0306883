#include "builder/config/config.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "base/text.h"
#include "builder/config/model.h"
#include "builder/config/yaml.h"

static void pairs_free(struct wb_pair *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(items[i].name);
		free(items[i].value);
	}
	free(items);
}

static void strings_free(char **items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(items[i]);
	free(items);
}

static void patterns_free(struct wb_patterns *p)
{
	wb_vec_foreach (it, &p->list)
		free(it->text);
	wb_vec_free(&p->list);
}

void wb_source_release(struct wb_source *s)
{
	wb_uri_release(&s->uri);
	free(s->mount);
	free(s->volume_folder);
	free(s->auth.secret_name);
	free(s->auth.aws_role_arn);
	free(s->auth.aws_region);
	free(s->auth.gcp_service_account);
	free(s->auth.gcp_provider);
	patterns_free(&s->allow);
	patterns_free(&s->ignore);
	*s = (struct wb_source){0};
}

void wb_config_release(struct wb_config *c)
{
	free(c->file);
	free(c->dir);
	free(c->model_name);
	free(c->data_dir);
	free(c->model_module_dir);
	free(c->bundled_packages_dir);
	strings_free(c->external_package_dirs.items, c->external_package_dirs.n);
	wb_vec_foreach (it, &c->sources)
		wb_source_release(it);
	wb_vec_free(&c->sources);
	pairs_free(c->secrets.items, c->secrets.n);
	pairs_free(c->environment.items, c->environment.n);
	strings_free(c->build_commands.items, c->build_commands.n);
	pairs_free(c->secret_paths.items, c->secret_paths.n);
	free(c->base_image);
	free(c->start_command);
	free(c->hf_cache_dir);
	wb_findings_release(&c->findings);
	*c = WB_CONFIG_INIT;
}

static void build_model(struct wb_config *c, const struct wb_yaml *y, const char *dir)
{
	static const struct wb_yaml_node nothing = {.kind = WB_YAML_MAPPING};
	const struct wb_yaml_node *root = y->root && !wb_yaml_is_null(y->root) ? y->root : &nothing;
	struct wb_model m = {.c = c, .dir = dir};

	if (root->kind != WB_YAML_MAPPING) {
		wb_findings_add(&c->findings, WB_SEV_ERROR, "wrong-type", root->pos, NULL,
			"a config is a mapping of keys to values, not %s", wb_yaml_type_name(root));
		return;
	}
	m.top = (struct wb_read){.findings = &c->findings, .map = root};
	wb_model_keys(&m);
	wb_model_folders(&m);
	wb_model_environment(&m);
	wb_model_secrets(&m);
	wb_model_base_image(&m);
	wb_model_docker_server(&m);
	wb_model_build(&m);
	wb_model_weights(&m);
	wb_model_cache(&m);
	wb_model_external_data(&m);
	wb_model_training(&m);
	wb_model_checks(&m);
}

static int by_position(const void *a, const void *b)
{
	const struct wb_finding *x = a, *y = b;

	if (x->pos.line != y->pos.line)
		return x->pos.line < y->pos.line ? -1 : 1;
	if (x->pos.column != y->pos.column)
		return x->pos.column < y->pos.column ? -1 : 1;
	if (x->severity != y->severity)
		return x->severity < y->severity ? -1 : 1;
	return strcmp(x->text, y->text);
}

/* Sorts the findings, and gives the first error as the error of the call. */
static int conclude(struct wb_config *c, struct wb_err *err)
{
	struct wb_findings *f = &c->findings;

	if (f->list.n)
		qsort(f->list.items, f->list.n, sizeof(*f->list.items), by_position);
	wb_vec_foreach (it, &f->list) {
		if (it->severity != WB_SEV_ERROR)
			continue;
		wb_err_at(err, f->file, it->pos.line, it->pos.column, "%s", it->text);
		if (it->hint)
			wb_err_hint(err, "%s", it->hint);
		return -1;
	}
	return 0;
}

int wb_config_parse(struct wb_config *out, const char *text, size_t n, const char *dir,
	const char *name, struct wb_err *err)
{
	struct wb_yaml y = WB_YAML_INIT;

	*out = WB_CONFIG_INIT;
	out->file = wb_strdup(name);
	out->dir = wb_strdup(dir ? dir : ".");
	out->run_as_user = -1;
	out->findings.file = wb_strdup(name);
	if (wb_yaml_parse(&y, text, n, &out->findings) == 0)
		build_model(out, &y, dir);
	wb_yaml_release(&y);
	return conclude(out, err);
}

/* A config that is not there, or that cannot be read, is a finding of its own without a line. */
static int unreadable(struct wb_config *out, const char *path, struct wb_err *err)
{
	wb_autofree char *stem =
		wb_str_ends(path, ".yaml") ? wb_strndup(path, strlen(path) - 5) : NULL;
	wb_autofree char *yml = stem ? wb_asprintf("%s.yml", stem) : NULL;
	struct wb_pos none = {0};

	*out = WB_CONFIG_INIT;
	out->file = wb_strdup(path);
	out->run_as_user = -1;
	out->findings.file = wb_strdup(path);
	if (err->code == WB_ERR_NOT_FOUND && yml && !access(yml, F_OK))
		wb_findings_add(&out->findings, WB_SEV_ERROR, "no-config", none, NULL,
			"No truss configuration file ending in .yaml but found one ending in .yml. "
			"Did "
			"you mean to rename it?");
	else if (err->code == WB_ERR_NOT_FOUND)
		wb_findings_add(&out->findings, WB_SEV_ERROR, "no-config", none,
			"name the folder that holds config.yaml, or the file with --file",
			"Expected a truss configuration file at %s", path);
	else if (err->code == WB_ERR_LIMIT)
		wb_findings_add(&out->findings, WB_SEV_ERROR, "too-large", none, NULL,
			"the file is larger than 8 MiB, which no config is");
	else
		wb_findings_add(
			&out->findings, WB_SEV_ERROR, "unreadable", none, NULL, "%s", err->text);
	return conclude(out, err);
}

int wb_config_load(struct wb_config *out, const char *dir, const char *file, struct wb_err *err)
{
	wb_autofree char *path = file ? wb_strdup(file) : wb_path_join(dir, "config.yaml");
	struct wb_buf text WB_AUTO(wb_buf_release) = WB_BUF_INIT;

	wb_buf_init(&text, WB_CONFIG_BYTES_MAX, "config");
	if (wb_file_read(&text, path, err))
		return unreadable(out, path, err);
	return wb_config_parse(out, text.data, text.len, dir, path, err);
}
