#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/text.h"
#include "builder/build/build.h"
#include "builder/build/code.h"
#include "builder/build/findings.h"
#include "builder/cli/command.h"
#include "builder/config/migrate.h"

#define BACKUPS_MAX 1000

struct migrating {
	char *path; /* the config as the user names it */
	char *real; /* and where it is: the file is replaced, not a link to it */
	const char *dir;
	struct wb_buf text;
	struct wb_migration result;
};

static void migrating_release(struct migrating *m)
{
	free(m->path);
	free(m->real);
	if (m->text.data)
		wb_buf_release(&m->text);
	wb_migration_release(&m->result);
}

static int open_config(struct migrating *m, const struct wb_args *args, struct wb_err *err)
{
	const char *file = wb_args_last(args, OPT_FILE);

	m->dir = args->operands.n ? args->operands.items[0] : ".";
	m->path = file ? wb_strdup(file) : wb_path_join(m->dir, "config.yaml");
	m->real = realpath(m->path, NULL);
	if (!m->real) {
		wb_err_sys(err, errno, "cannot read \"%s\"", m->path);
		err->code = WB_ERR_CONFIG;
		return -1;
	}
	wb_buf_init(&m->text, WB_CONFIG_BYTES_MAX, "config");
	if (wb_file_read(&m->text, m->real, err))
		return -1;
	return wb_migrate(&m->result, m->text.data, m->text.len, m->dir, m->path, err);
}

/* --- what is shown ------------------------------------------------------------------------ */

static void print_diff(const struct migrating *m)
{
	wb_autofree char *diff = wb_diff_unified(
		m->path, m->text.data, m->text.len, m->path, m->result.text, m->result.n);
	bool coloured = isatty(STDOUT_FILENO) && !wb_env("NO_COLOR");

	for (const char *line = diff; *line;) {
		size_t n = strcspn(line, "\n");
		n += line[n] == '\n';
		const char *colour = wb_str_starts(line, "+++") || wb_str_starts(line, "---") ? "1"
		                     : *line == '+'                                           ? "32"
		                     : *line == '-'                                           ? "31"
		                     : *line == '@'                                           ? "36"
		                                    : NULL;

		if (coloured && colour)
			printf("\x1b[%sm%.*s\x1b[0m", colour, (int)n, line);
		else
			printf("%.*s", (int)n, line);
		line += n;
	}
	fflush(stdout);
}

/* name as a Python string. */
static bool quotes(const char *text, const char *name)
{
	wb_autofree char *two = wb_asprintf("\"%s\"", name);
	wb_autofree char *one = wb_asprintf("'%s'", name);

	return strstr(text, two) || strstr(text, one);
}

static void warn_line(void *arg, const char *path, unsigned number, const char *text)
{
	const struct migrating *m = arg;
	struct wb_err line = WB_ERR_INIT;

	wb_vec_foreach (move, &m->result.moves) {
		if (!quotes(text, move->repo))
			continue;
		wb_err_at(&line, path, number, 1,
			"\"%s\" is found through the hub cache here; its files are at %s now",
			move->repo, move->mount);
		wb_err_hint(&line, "load them from \"%s\"", move->mount);
		wb_log_err_as(WB_LOG_WARNING, &line);
	}
	if (strstr(text, "block_until_download_complete")) {
		wb_err_clear(&line);
		wb_err_at(&line, path, number, 1,
			"weights are in place before the model starts: this wait is no longer "
			"needed");
		wb_log_err_as(WB_LOG_WARNING, &line);
	}
}

static int warn_of_code(struct migrating *m, struct wb_err *err)
{
	static const char *const folders[] = {"model", "packages"};

	for (size_t i = 0; i < WB_ARRAY_LEN(folders); i++)
		if (wb_code_scan(m->dir, folders[i], warn_line, m, err))
			return -1;
	return 0;
}

/* --- what is done ------------------------------------------------------------------------- */

/* true: go ahead. No answer at all is an error, so that a script does not take it for done. */
static int ask(bool *yes, const char *path, struct wb_err *err)
{
	char answer[64];

	fprintf(stderr, "Apply this to %s? [y/N] ", path);
	if (!fgets(answer, sizeof(answer), stdin)) {
		fputc('\n', stderr);
		wb_err_set(err, WB_ERR_USAGE, "migrate: there is nobody to ask");
		return wb_err_hint(err, "give --yes to apply, or --dry-run to look");
	}
	answer[strcspn(answer, "\n")] = '\0';
	*yes = !strcmp(answer, "y") || !strcmp(answer, "Y") || !strcmp(answer, "yes");
	return 0;
}

/* A name that is free, and the old text under it. */
static int back_up(char **name, const struct migrating *m, mode_t mode, struct wb_err *err)
{
	for (unsigned i = 0; i < BACKUPS_MAX; i++) {
		wb_autofree char *path =
			i ? wb_asprintf("%s.bak.%u", m->real, i) : wb_asprintf("%s.bak", m->real);
		WB_AUTO(wb_file_release) struct wb_file f = WB_FILE_INIT;
		bool existed = false;

		if (!access(path, F_OK))
			continue;
		if (wb_file_create(&f, path, mode, 0, err))
			return -1;
		wb_file_write(&f, m->text.data, m->text.len);
		if (wb_file_commit(&f, &existed, err))
			return -1;
		if (existed)
			continue;
		*name = wb_steal(path);
		return 0;
	}
	return wb_err_set(
		err, WB_ERR_IO, "\"%s.bak\": there are %u backups already", m->path, BACKUPS_MAX);
}

static int apply(const struct migrating *m, struct wb_err *err)
{
	wb_autofree char *backup = NULL;
	struct stat st;

	if (stat(m->real, &st))
		return wb_err_sys(err, errno, "cannot read \"%s\"", m->path);
	if (back_up(&backup, m, st.st_mode & 0777, err) ||
		wb_file_put(m->real, m->result.text, m->result.n, st.st_mode & 0777,
			WB_FILE_REPLACE, err))
		return -1;
	wb_note("%s migrated; the old one is beside it as %s", m->path, wb_path_basename(backup));
	wb_note("next: wbuild validate %s", m->dir);
	return 0;
}

static int run(const struct wb_args *args, struct wb_err *err)
{
	WB_AUTO(migrating_release) struct migrating m = {.result = WB_MIGRATION_INIT};
	bool yes = wb_args_has(args, OPT_YES);

	if (open_config(&m, args, err))
		return -1;
	if (!m.result.text) {
		wb_note("%s: nothing to migrate", m.path);
		return 0;
	}
	print_diff(&m);
	wb_vec_foreach (f, &m.result.notes.list)
		wb_finding_show(&m.result.notes, f);
	if (warn_of_code(&m, err))
		return -1;
	if (wb_args_has(args, OPT_DRY_RUN))
		return 0;
	if (!yes && ask(&yes, m.path, err))
		return -1;
	if (yes)
		return apply(&m, err);
	wb_note("%s stays as it was", m.path);
	return 0;
}

static const enum wb_opt options[] = {
	OPT_FILE, OPT_YES, OPT_DRY_RUN, OPT_QUIET, OPT_VERBOSE, OPT_END};

const struct wb_command wb_cmd_migrate = {
	.name = "migrate",
	.operands = "[DIR]",
	.summary = "model_cache to weights in config.yaml; comments and order stay",
	.about = "Shows what would change as a diff, asks, keeps the old file as config.yaml.bak "
		 "(never over\n"
		 "another one), and warns about lines of the model's code that name what moved.\n"
		 "Migrating a second time changes nothing.",
	.max_operands = 1,
	.options = options,
	.run = run,
};
