#include "builder/cli/transfer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/text.h"
#include "builder/build/watch.h"
#include "builder/cli/progress_args.h"

#define TOLD_FROM (UINT64_C(10) << 20) /* blobs of this size get a line of their own */

static int read_limits(bool *no_limits, const struct wb_args *args, struct wb_err *err)
{
	const char *text = wb_args_last(args, OPT_REGISTRY_LIMITS);

	if (text && strcmp(text, "refuse") && strcmp(text, "off"))
		return wb_err_set(
			err, WB_ERR_USAGE, "--registry-limits: \"%s\" is not refuse or off", text);
	*no_limits = text && !strcmp(text, "off");
	return 0;
}

int wb_place_args_reach(struct wb_place_opts *out, const struct wb_args *args, struct wb_err *err)
{
	const char *tls = wb_args_last(args, OPT_TLS_VERIFY);

	if (tls && strcmp(tls, "true") && strcmp(tls, "false"))
		return wb_err_set(
			err, WB_ERR_USAGE, "--tls-verify: \"%s\" is not true or false", tls);
	out->tls_insecure = tls && !strcmp(tls, "false");
	out->plain_http = wb_args_has(args, OPT_PLAIN_HTTP);
	out->ca_file = wb_args_last(args, OPT_CA_FILE);
	return 0;
}

int wb_place_args_read(struct wb_place_opts *out, const char ***mounts, const struct wb_args *args,
	struct wb_err *err)
{
	size_t n = args->values[OPT_MOUNT_FROM].n;
	uint64_t rate = 0;

	if (wb_place_args_reach(out, args, err) || read_limits(&out->no_limits, args, err) ||
		wb_args_size(&rate, args, OPT_LIMIT_RATE, err))
		return -1;
	out->rate = wb_http_rate_new(rate);
	*mounts = wb_calloc(n + 1, sizeof(**mounts));
	for (size_t i = 0; i < n; i++)
		(*mounts)[i] = args->values[OPT_MOUNT_FROM].items[i];
	out->mount_from = *mounts;
	return 0;
}

int wb_transfer_place(
	struct wb_place *out, const char *text, bool registry_only, struct wb_err *err)
{
	if (wb_place_parse(out, text, err))
		return -1;
	if (registry_only && out->kind != WB_PLACE_REGISTRY)
		return wb_err_set(err, WB_ERR_USAGE,
			"\"%s\" is not a name in a registry (HOST/NAME:TAG)", text);
	if (out->kind == WB_PLACE_REGISTRY)
		wb_reference_default_tag(&out->reference);
	return 0;
}

/* Everything that one transfer holds. */
struct transfer {
	struct wb_place_opts opts;
	const char **mounts;
	struct wb_store *store;
	struct wb_transport *from, *to;
	WB_VEC(struct wb_platform) platforms;
	struct wb_copy_result result;
};

static void transfer_release(struct transfer *t)
{
	wb_transport_free(t->from);
	wb_transport_free(t->to);
	wb_place_memory_free(t->opts.memory);
	wb_store_close(t->store);
	wb_vec_free(&t->platforms);
	wb_copy_result_release(&t->result);
	wb_http_rate_free(t->opts.rate);
	free(t->mounts);
}

/* Without a store (a home that cannot be written to) only the remembering is lost. */
static void open_memory(struct transfer *t, const struct wb_args *args)
{
	struct wb_err why = WB_ERR_INIT;

	t->store = wb_store_open(wb_args_last(args, OPT_CACHE_DIR), &why);
	if (t->store)
		t->opts.memory = wb_place_memory_new(t->store);
	else
		wb_debug("an interrupted transfer will start anew: %s", why.text);
}

static int read_platforms(struct transfer *t, const struct wb_args *args, struct wb_err *err)
{
	const char *list = wb_args_last(args, OPT_PLATFORM);

	while (list && *list) {
		size_t n = strcspn(list, ",");
		wb_autofree char *word = wb_strndup(list, n);

		if (wb_platform_parse(wb_vec_push(&t->platforms), word, err))
			return wb_err_wrap(err, "--platform");
		list += n + (list[n] == ',');
	}
	return 0;
}

static void tell_blob(const struct wb_descriptor *d, const struct wb_put_result *how)
{
	static const char *const words[] = {[WB_PUT_SENT] = "sent",
		[WB_PUT_PRESENT] = "already there",
		[WB_PUT_MOUNTED] = "mounted",
		[WB_PUT_CLONED] = "linked"};

	if (d->size >= TOLD_FROM)
		wb_note("%.19s  %10s  %s", wb_digest_text(&d->digest).s, wb_size_text(d->size).s,
			words[how->how]);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void tell(const struct transfer *t, double seconds)
{
	const struct wb_copy_stats *s = &t->result.stats;
	uint64_t rest = s->present + s->mounted + s->cloned;

	wb_note("%s: %llu blobs, %s; %s moved in %s, %llu blobs did not have to", t->to->label,
		(unsigned long long)s->blobs, wb_size_text(s->bytes).s, wb_size_text(s->sent).s,
		wb_duration_text(seconds).s, (unsigned long long)rest);
}

static int move_shown(struct transfer *t, struct wb_copy_opts *copy, const struct wb_args *args,
	struct wb_err *err)
{
	WB_AUTO(wb_progress_freep) struct wb_progress *progress = NULL;
	WB_AUTO(wb_watch_release) struct wb_watch watch;

	wb_watch_init(&watch, NULL);
	if (wb_progress_open(&progress, args, "Copying", err))
		return -1;
	watch.step = wb_step_begin(progress, "copy %s to %s", t->from->label, t->to->label);
	watch.told = tell_blob;
	copy->watch = &watch.calls;
	int rc = wb_copy_image(&t->result, t->to, t->from, copy, err);

	if (!rc)
		rc = wb_transport_commit(t->to, err);
	copy->watch = NULL;
	return wb_step_end(watch.step, rc, err);
}

int wb_transfer(const struct wb_place *src, const struct wb_place *dst, const struct wb_args *args,
	struct wb_err *err)
{
	WB_AUTO(transfer_release) struct transfer t = {0};
	struct wb_copy_opts copy = {.jobs = 0};
	double start = now();

	if (wb_place_args_read(&t.opts, &t.mounts, args, err) || read_platforms(&t, args, err) ||
		wb_args_number(&copy.jobs, args, OPT_JOBS, 64, err))
		return -1;
	if (src->kind == WB_PLACE_REGISTRY || dst->kind == WB_PLACE_REGISTRY)
		open_memory(&t, args);
	copy.platforms = t.platforms.items;
	copy.n_platforms = t.platforms.n;
	t.from = wb_place_open(src, WB_TRANSPORT_READ, &t.opts, err);
	if (!t.from)
		return -1;
	t.to = wb_place_open(dst, WB_TRANSPORT_WRITE, &t.opts, err);
	if (!t.to || move_shown(&t, &copy, args, err))
		return -1;
	tell(&t, now() - start);
	printf("%s\n", wb_digest_text(&t.result.root.desc.digest).s);
	return 0;
}
