#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "builder/cli/report_args.h"
#include "layers/store.h"

static int print_entry(const struct wb_store_entry *e, void *arg)
{
	json_t *list = arg;
	struct wb_digest_text digest = wb_digest_text(&e->digest);
	time_t t = (time_t)e->last_used;
	struct tm tm;
	char used[32];

	gmtime_r(&t, &tm);
	strftime(used, sizeof(used), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (!list) {
		printf("%s  %10s  %-5s  %s\n", digest.s, wb_size_text(e->size).s, e->kind, used);
		return 0;
	}
	json_t *o = json_object();

	wb_json_set_str(o, "digest", digest.s);
	wb_json_set_u64(o, "size", e->size);
	wb_json_set_str(o, "kind", e->kind);
	wb_json_set_str(o, "lastUsed", used);
	wb_json_append(list, o);
	return 0;
}

static int list(struct wb_store *s, const struct wb_args *args, struct wb_err *err)
{
	struct wb_store_stats stats;
	bool json;

	if (wb_format_is_json(&json, args, err))
		return -1;
	json_t *blobs = json ? json_array() : NULL;

	if (wb_store_list(s, print_entry, blobs, &stats, err)) {
		json_decref(blobs);
		return -1;
	}
	if (!json) {
		printf("%" PRIu64 " blobs, %s; %" PRIu64 " unfinished downloads, %s (%s)\n",
			stats.blobs, wb_size_text(stats.bytes).s, stats.parts,
			wb_size_text(stats.part_bytes).s, wb_store_path(s));
		return 0;
	}
	json_t *report = json_object();

	wb_json_set_text(report, "path", wb_store_path(s));
	wb_json_set_u64(report, "bytes", stats.bytes);
	wb_json_set_u64(report, "partBytes", stats.part_bytes);
	wb_json_set(report, "blobs", blobs);
	wb_print_json(report);
	return 0;
}

static int prune(struct wb_store *s, const struct wb_args *args, struct wb_err *err)
{
	unsigned days = 30;
	uint64_t keep = UINT64_MAX;
	struct wb_store_stats removed;
	bool dry = wb_args_has(args, OPT_DRY_RUN);

	if (wb_args_number(&days, args, OPT_OLDER_THAN, 36500, err) ||
		wb_args_size(&keep, args, OPT_KEEP_BYTES, err))
		return -1;
	if (wb_args_has(args, OPT_ALL))
		days = 0;
	/* --all: whatever was used up to this very second */
	int64_t before = (int64_t)time(NULL) - (int64_t)days * 86400 + (days == 0);

	if (wb_store_prune(s, before, keep, dry, &removed, err))
		return -1;
	printf("%s %" PRIu64 " blobs, %s, and %" PRIu64 " leftovers\n",
		dry ? "would remove" : "removed", removed.blobs, wb_size_text(removed.bytes).s,
		removed.temps);
	return 0;
}

static void print_bad(const struct wb_digest *d, const char *why, void *arg)
{
	printf("%s: %s\n", wb_digest_text(d).s, why);
}

static int verify(struct wb_store *s, const struct wb_args *args, struct wb_err *err)
{
	struct wb_store_stats stats;
	unsigned jobs = 0;

	if (wb_args_number(&jobs, args, OPT_JOBS, 1024, err) ||
		wb_store_verify(s, jobs, wb_args_has(args, OPT_FIX), print_bad, NULL, &stats, err))
		return -1;
	printf("%" PRIu64 " blobs, %s: all whole\n", stats.blobs, wb_size_text(stats.bytes).s);
	return 0;
}

static int run(const struct wb_args *args, struct wb_err *err)
{
	static const struct {
		const char *name;
		int (*run)(struct wb_store *, const struct wb_args *, struct wb_err *);
	} actions[] = {{"ls", list}, {"prune", prune}, {"verify", verify}};
	const char *action = args->operands.items[0];

	for (size_t i = 0; i < WB_ARRAY_LEN(actions); i++) {
		if (strcmp(action, actions[i].name))
			continue;
		struct wb_store *s = wb_store_open(wb_args_last(args, OPT_CACHE_DIR), err);
		int rc = s ? actions[i].run(s, args, err) : -1;

		wb_store_close(s);
		return rc;
	}
	return wb_err_set(err, WB_ERR_USAGE, "cache: \"%s\" is not ls, prune or verify", action);
}

static const enum wb_opt options[] = {OPT_CACHE_DIR, OPT_FORMAT, OPT_JOBS, OPT_OLDER_THAN,
	OPT_KEEP_BYTES, OPT_ALL, OPT_DRY_RUN, OPT_FIX, OPTS_COMMON, OPT_END};

const struct wb_command wb_cmd_cache = {
	.name = "cache",
	.operands = "ls|prune|verify",
	.summary = "look after the local content store",
	.about = "ls lists the blobs, least recently used first; prune removes what was not used "
		 "for "
		 "--older-than\ndays (all of it with --all) and what is above --keep-bytes; verify "
		 "re-hashes every blob.",
	.min_operands = 1,
	.max_operands = 1,
	.options = options,
	.run = run,
};
