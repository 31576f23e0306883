/* `external_data` and `training_checkpoints`. */
#include "builder/config/model.h"

#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"

#define DATA_DIR "/app/data"

/* Where local_data_path lies, resolved as the download would; NULL when outside /app/data. */
static char *data_path(const struct wb_read *r, const char *local)
{
	wb_autofree char *path = wb_path_normalize(DATA_DIR, local);
	const char *why = wb_path_unsafe(path + 1, strlen(path + 1));

	if (!wb_path_within(path, DATA_DIR) || !strcmp(path, DATA_DIR)) {
		wb_read_error(r, "outside-data", wb_read_pos(r, "local_data_path"),
			"give a path relative to the data folder",
			"Local data path of external data cannot point to outside data directory");
		return NULL;
	}
	if (!why)
		return wb_steal(path);
	wb_read_error(r, "bad-path", wb_read_pos(r, "local_data_path"), NULL, "\"%s\" %s",
		wb_read_name(r, "local_data_path").s, why);
	return NULL;
}

static bool read_external(struct wb_source *s, const struct wb_read *r)
{
	static const char *const keys[] = {"url", "local_data_path", "backend", "name", "<<", NULL};
	const char *url = wb_read_str_required(r, "url");
	const char *local = wb_read_str_required(r, "local_data_path");

	wb_read_unknown(r, keys);
	s->mount = local ? data_path(r, local) : NULL;
	if (!url || !wb_model_uri(&s->uri, r, "url", url, false))
		return false;
	if (s->uri.scheme != WB_SCHEME_HTTP) {
		wb_read_error(r, "bad-source", wb_read_pos(r, "url"),
			"other sources go under \"weights\"",
			"\"%s\" takes an https URL, not %s://", wb_read_name(r, "url").s,
			wb_scheme_name(s->uri.scheme));
		return false;
	}
	return s->mount;
}

void wb_model_external_data(struct wb_model *m)
{
	const struct wb_yaml_node *list = wb_read_list(&m->top, "external_data");

	for (size_t i = 0; list && i < list->n; i++) {
		struct wb_source s = {.kind = WB_ENTRY_EXTERNAL_DATA,
			.layout = WB_LAYOUT_FILE,
			.dialect = WB_GLOB_WEIGHTS};
		struct wb_read r;

		if (!wb_read_enter_item(&r, &m->top, "external_data", list, i))
			continue;
		s.pos = r.map->pos;
		if (read_external(&s, &r))
			*wb_vec_push(&m->c->sources) = s;
		else
			wb_source_release(&s);
	}
}

/* One source for each job: its files below FOLDER/JOB as "rank-0/checkpoint-1/…", which is what
 * `paths` selects from. id is a job's or a loops checkpoint's. */
static void add_training(struct wb_model *m, const struct wb_read *r, const char *folder,
	const char *id, bool loops, struct wb_pos pos)
{
	struct wb_source s = {.kind = WB_ENTRY_TRAINING,
		.dialect = WB_GLOB_FNMATCH,
		.layout = WB_LAYOUT_PLAIN,
		.pos = pos};

	if (wb_path_unsafe(id, strlen(id)) || strpbrk(id, "/@:")) {
		wb_read_error(r, "bad-source", pos, NULL, "\"%s\" has no usable id: \"%s\"",
			r->where, id);
		return;
	}
	s.uri.scheme = WB_SCHEME_BT;
	s.uri.text = wb_asprintf(loops ? "bt://loops:%s" : "bt://@%s", id);
	s.uri.repo = loops ? wb_asprintf("loops:%s", id) : wb_strdup("");
	s.uri.revision = wb_strdup(loops ? "" : id);
	s.uri.path = wb_strdup("");
	s.mount = wb_path_join(folder, id);
	if (!loops)
		wb_model_patterns(&s.allow, r, "paths");
	*wb_vec_push(&m->c->sources) = s;
}

static void read_references(struct wb_model *m, const struct wb_read *r, const char *folder,
	const struct wb_yaml_node *list)
{
	static const char *const keys[] = {"training_job_id", "paths", "<<", NULL};

	for (size_t i = 0; list && i < list->n; i++) {
		struct wb_read item;

		if (!wb_read_enter_item(&item, r, "artifact_references", list, i))
			continue;
		wb_read_unknown(&item, keys);
		const char *job = wb_read_str_required(&item, "training_job_id");

		if (job)
			add_training(m, &item, folder, job, false, item.map->pos);
	}
}

void wb_model_training(struct wb_model *m)
{
	static const char *const keys[] = {
		"download_folder", "artifact_references", "loops_checkpoint_ids", "<<", NULL};
	struct wb_read r;

	if (!wb_read_enter(&r, &m->top, "training_checkpoints"))
		return;
	wb_read_unknown(&r, keys);
	const char *folder = wb_read_str(&r, "download_folder");
	wb_autofree char *mount = wb_model_mount(
		&r, "download_folder", folder ? folder : "/tmp/training_checkpoints");
	const struct wb_yaml_node *jobs = wb_read_list(&r, "artifact_references");
	const struct wb_yaml_node *loops = wb_read_list(&r, "loops_checkpoint_ids");

	if (jobs && jobs->n && loops && loops->n)
		wb_read_error(&r, "training-both", loops->pos, NULL,
			"only one of artifact_references and loops_checkpoint_ids can be "
			"specified");
	if (!mount)
		return;
	read_references(m, &r, mount, jobs);
	for (size_t i = 0; loops && i < loops->n; i++) {
		const char *id = wb_read_text(&r, loops->items[i], "loops_checkpoint_ids");

		if (id)
			add_training(m, &r, mount, id, true, loops->items[i]->pos);
	}
}
