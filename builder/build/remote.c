#include "builder/build/remote.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/path.h"
#include "base/sha256.h"
#include "base/text.h"
#include "builder/build/remote_layout.h"
#include "builder/build/remote_shown.h"

int wb_remotes_init(struct wb_remotes *out, struct wb_store *store, const char *dir,
	const char *data_dir, const char *config_file, const struct wb_remote_plan_opts *opts,
	struct wb_err *err)
{
	const struct wb_http_opts http = {
		.connections_per_host = opts->connections,
		.rate_limit = opts->rate_limit,
		.insecure_http = opts->insecure,
		.ca_file = opts->ca_file,
	};
	wb_autofree char *data = wb_path_normalize(dir, data_dir);

	*out = (struct wb_remotes){.opts = *opts, .store = store, .config_file = config_file};
	out->secrets = wb_secrets_new(data);
	out->lock_path =
		opts->lock_path ? wb_strdup(opts->lock_path) : wb_path_join(dir, WB_LOCK_NAME);
	for (size_t i = 0; opts->secrets && opts->secrets[i]; i++)
		if (wb_secrets_add(out->secrets, opts->secrets[i], err))
			return -1;
	out->http = wb_http_new(&http, err);
	if (!out->http)
		return -1;
	return wb_lockfile_load(&out->lock, &out->lock_found, out->lock_path, err);
}

void wb_remotes_release(struct wb_remotes *r)
{
	wb_vec_foreach (it, &r->sources) {
		struct wb_remote_source *s = *it;

		wb_vec_free(&s->items);
		wb_listing_release(&s->listing);
		wb_remote_free(s->remote);
		free(s);
	}
	wb_vec_free(&r->sources);
	wb_lockfile_release(&r->lock);
	wb_http_free(r->http);
	wb_secrets_free(r->secrets);
	free(r->lock_path);
	*r = WB_REMOTES_INIT;
}

/* --- resolving ---------------------------------------------------------------------------- */

/* Files of a bt source are at addresses that only a listing hands out. */
static bool is_pinned(const struct wb_remotes *r, const struct wb_uri *uri)
{
	if (r->opts.pinned)
		return uri->scheme != WB_SCHEME_BT;
	return uri->scheme == WB_SCHEME_HF && strlen(uri->revision) == 40 &&
	       strspn(uri->revision, "0123456789abcdef") == 40;
}

static int by_path(const void *a, const void *b)
{
	return wb_path_cmp(
		((const struct wb_lock_file *)a)->path, ((const struct wb_lock_file *)b)->path);
}

/* A file that is at its source what it was when it was locked has the digest that was locked. */
static void learn_from_lock(struct wb_listing *listing, const struct wb_lock_source *locked)
{
	wb_vec_foreach (f, &listing->files) {
		struct wb_lock_file key = {.path = f->path};
		const struct wb_lock_file *was =
			locked->files.n ? bsearch(&key, locked->files.items, locked->files.n,
						  sizeof(key), by_path)
					: NULL;

		if (!was || !*was->etag || f->known.has_sha256 || f->size != was->size ||
			strcmp(f->etag, was->etag) || strcmp(f->version, was->version))
			continue;
		f->known.has_sha256 = true;
		f->known.sha256 = was->sha256;
	}
}

static int not_locked(const struct wb_remotes *r, const struct wb_source *src, struct wb_err *err)
{
	wb_err_at(err, r->config_file, src->pos.line, src->pos.column,
		"%s is not in %s%s, and %s asks no source", src->uri.text, WB_LOCK_NAME,
		r->lock_found ? " as it is written now" : "",
		r->opts.frozen ? "--frozen" : "--offline");
	return wb_err_hint(err, "run \"wbuild lock\" with the network, and commit the file");
}

static int list(struct wb_remote_source *s, struct wb_remotes *r, struct wb_err *err)
{
	const struct wb_source *src = s->config;
	const struct wb_lock_source *locked = wb_lockfile_find(&r->lock, src);
	bool silent = r->opts.offline || r->opts.frozen;
	const struct wb_remote_opts opts = {.http = r->http,
		.secrets = r->secrets,
		.config_file = r->config_file,
		.insecure = r->opts.insecure,
		.quiet_patterns = r->opts.quiet_patterns};

	if (silent && !locked)
		return not_locked(r, src, err);
	if (!silent && !(s->remote = wb_remote_open(src, &opts, err)))
		return -1;
	if (locked && (silent || is_pinned(r, &src->uri))) {
		wb_lock_listing(&s->listing, locked);
		if (s->remote)
			wb_remote_pin(s->remote, locked->revision, locked->root);
		return 0;
	}
	if (wb_remote_list(&s->listing, s->remote, err))
		return -1;
	if (locked)
		learn_from_lock(&s->listing, locked);
	return 0;
}

/* What progress says of a listed source: how much there is, and how much of it is here. */
static void say_listed(struct wb_step *step, const struct wb_remote_source *s)
{
	size_t there = 0;
	uint64_t bytes = 0;

	wb_vec_foreach (item, &s->items) {
		there += item->done;
		bytes += item->file->size == WB_SIZE_UNKNOWN ? 0 : item->file->size;
	}
	wb_autofree char *here = there == s->items.n ? wb_strdup(", all there")
	                         : there             ? wb_asprintf(", %zu there", there)
	                                             : wb_strdup("");

	wb_step_detail(step, "%zu %s, %s%s", s->items.n, s->items.n == 1 ? "file" : "files",
		wb_size_text(bytes).s, here);
}

static void make_items(struct wb_remote_source *s)
{
	wb_vec_foreach (f, &s->listing.files)
		*wb_vec_push(&s->items) = (struct wb_fetch_item){
			.remote = s->remote, .file = f, .label = s->config->uri.text, .owner = s};
}

static void settle(struct wb_remote_source *s, struct wb_store *store)
{
	wb_fetch_find(s->items.items, s->items.n, store);
	wb_vec_foreach (item, &s->items) {
		if (item->done) {
			item->file->known.has_sha256 = true;
			item->file->known.sha256 = item->digest;
		}
	}
}

int wb_remotes_resolve(struct wb_remote_source **out, struct wb_remotes *r,
	const struct wb_source *src, unsigned group, struct wb_err *err)
{
	struct wb_remote_source *s = wb_zalloc(sizeof(*s));
	struct wb_step *step = wb_step_begin(r->opts.progress, "resolve %s", src->uri.text);

	*wb_vec_push(&r->sources) = s;
	s->config = src;
	s->group = group;
	int rc = list(s, r, err);

	if (!rc) {
		make_items(s);
		settle(s, r->store);
		say_listed(step, s);
		*out = s;
	}
	return wb_step_end(step, rc, err);
}

/* --- fetching ----------------------------------------------------------------------------- */

/* Who wants to hear of a fetch while it runs. */
struct listener {
	int (*arrived)(void *arg, const struct wb_fetch_item *item, struct wb_err *err);
	int (*goes_on)(void *arg, struct wb_err *err);
	void (*grows)(void *arg, const struct wb_fetch_item *item, struct wb_growing *g);
	void *arg;
};

static int pass_on(const struct wb_fetch_item *item, void *arg, struct wb_err *err)
{
	const struct listener *l = arg;

	return l->arrived(l->arg, item, err);
}

static int ask(void *arg, struct wb_err *err)
{
	const struct listener *l = arg;

	return l->goes_on(l->arg, err);
}

static void pass_on_growing(void *arg, const struct wb_fetch_item *item, struct wb_growing *g)
{
	const struct listener *l = arg;

	l->grows(l->arg, item, g);
}

typedef WB_VEC(struct wb_fetch_item) item_list;

static void add_total(struct wb_fetch_total *sum, const struct wb_fetch_total *t)
{
	sum->fetched += t->fetched;
	sum->cached += t->cached;
	sum->fetched_bytes += t->fetched_bytes;
	sum->cached_bytes += t->cached_bytes;
	sum->transferred += t->transferred;
}

static int fetch(
	struct wb_remotes *r, item_list *items, const struct listener *listener, struct wb_err *err)
{
	const struct wb_fetch_opts opts = {.http = r->http,
		.store = r->store,
		.connections = r->opts.connections,
		.jobs = r->opts.jobs,
		.offline = r->opts.offline || r->opts.frozen,
		.moved = r->opts.progress ? wb_remote_shown_moved : NULL,
		.arrived = listener ? pass_on : NULL,
		.goes_on = listener ? ask : NULL,
		.grows = listener && listener->grows ? pass_on_growing : NULL,
		.arg = (void *)(uintptr_t)listener};
	struct wb_fetch_total total = {0};

	if (!items->n)
		return 0;
	int rc = wb_fetch(items->items, items->n, &opts, &total, err);

	add_total(&r->total, &total);
	return rc;
}

static int larger_first(const void *a, const void *b)
{
	const struct wb_fetch_item *x = *(struct wb_fetch_item *const *)a;
	const struct wb_fetch_item *y = *(struct wb_fetch_item *const *)b;

	return (x->file->size < y->file->size) - (x->file->size > y->file->size);
}

/* Runs wb_fetch over the items that choose picks, and gives them their results. */
static int fetch_chosen(struct wb_remotes *r, bool (*choose)(void *arg, struct wb_fetch_item *item),
	void *arg, const struct listener *listener, struct wb_err *err)
{
	WB_VEC(struct wb_fetch_item *) chosen = {0};
	item_list copies = {0};

	wb_vec_foreach (s, &r->sources)
		wb_vec_foreach (item, &(*s)->items)
			if (!item->done && choose(arg, item)) {
				*wb_vec_push(&chosen) = item;
				wb_remote_shown_begin(*s, r->opts.progress);
			}
	/* What arrives last still has to be packed and sent: better something small. */
	if (chosen.n)
		qsort(chosen.items, chosen.n, sizeof(*chosen.items), larger_first);
	wb_vec_foreach (item, &chosen)
		*wb_vec_push(&copies) = **item;
	wb_autofree struct wb_remote_moving *moving = wb_calloc(copies.n + 1, sizeof(*moving));

	for (size_t i = 0; i < copies.n; i++) {
		moving[i].source = chosen.items[i]->owner;
		copies.items[i].owner = &moving[i];
	}
	int rc = fetch(r, &copies, listener, err);

	for (size_t i = 0; i < chosen.n; i++) {
		wb_item_end(moving[i].item);
		copies.items[i].owner = moving[i].source;
		*chosen.items[i] = copies.items[i];
	}
	wb_vec_foreach (s, &r->sources)
		wb_remote_shown_end(*s, rc, err);
	wb_vec_free(&chosen);
	wb_vec_free(&copies);
	return rc;
}

static bool is_unknown(void *arg, struct wb_fetch_item *item)
{
	return !item->file->known.has_sha256;
}

static bool is_any(void *arg, struct wb_fetch_item *item)
{
	return true;
}

int wb_remotes_fetch_all(struct wb_remotes *r, struct wb_err *err)
{
	return fetch_chosen(r, is_any, NULL, NULL, err);
}

/* --- into the tree ------------------------------------------------------------------------ */

/* After the unknown ones were fetched, every digest is known; sizes too. */
static void take_digests(struct wb_remote_source *s)
{
	wb_vec_foreach (item, &s->items) {
		if (item->done) {
			item->file->size = item->size;
		} else {
			item->digest = item->file->known.sha256;
			item->size = item->file->size;
		}
	}
}

int wb_remotes_add_to(struct wb_tree *t, struct wb_remotes *r, struct wb_err *err)
{
	if (fetch_chosen(r, is_unknown, NULL, NULL, err))
		return -1;
	wb_vec_foreach (s, &r->sources)
		take_digests(*s);
	if (r->opts.locked || r->opts.frozen) {
		WB_AUTO(wb_lockfile_release) struct wb_lockfile now = WB_LOCKFILE_INIT;

		wb_remotes_lock(&now, r);
		if (r->sources.n && wb_lockfile_same(&r->lock, &now, err))
			return -1;
	}
	wb_vec_foreach (s, &r->sources)
		if (wb_remote_layout_add(t, *s, r->store, err))
			return -1;
	return 0;
}

int wb_remotes_preview(struct wb_tree *t, struct wb_remotes *r, struct wb_err *err)
{
	wb_vec_foreach (it, &r->sources) {
		struct wb_remote_source *s = *it;

		take_digests(s);
		wb_vec_foreach (item, &s->items) {
			const struct wb_remote_file *f = item->file;

			if (f->size == WB_SIZE_UNKNOWN)
				item->size = 0;
			if (f->known.has_sha256)
				continue;
			wb_autofree char *name =
				f->identity ? wb_strdup(f->identity)
					    : wb_asprintf("%s\n%s", item->label, f->path);

			wb_sha256_once(&item->digest, name, strlen(name));
		}
		if (wb_remote_layout_add(t, s, r->store, err))
			return -1;
	}
	return 0;
}

/* --- supplying the packer ----------------------------------------------------------------- */

struct wanted {
	struct wb_node *node;
	bool chosen; /* of equal ones the first: one source of these bytes is enough */
};

struct supplying {
	struct wb_remotes *r;
	WB_VEC(struct wanted) wanted;    /* by digest */
	const struct wb_pack_wait *wait; /* or NULL */
};

static int digest_order(const struct wb_digest *a, const struct wb_digest *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static int by_digest(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	return digest_order(&x->node->content.digest, &y->node->content.digest);
}

/* The first that is not below d. */
static size_t wanted_from(const struct supplying *s, const struct wb_digest *d)
{
	size_t low = 0, high = s->wanted.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct wb_node *node = s->wanted.items[middle].node;

		if (digest_order(&node->content.digest, d) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_of(const struct supplying *s, size_t i, const struct wb_digest *d)
{
	return i < s->wanted.n && wb_digest_equal(&s->wanted.items[i].node->content.digest, d);
}

static void supplying_release(struct supplying *s)
{
	wb_vec_free(&s->wanted);
}

static bool is_wanted(void *arg, struct wb_fetch_item *item)
{
	struct supplying *s = arg;
	size_t first = wanted_from(s, &item->digest);

	if (!is_of(s, first, &item->digest) || s->wanted.items[first].chosen)
		return false;
	return s->wanted.items[first].chosen = true;
}

static int landed(struct supplying *s, struct wb_node *node, struct wb_err *err)
{
	node->content.path = wb_store_blob_path(s->r->store, &node->content.digest);
	return s->wait ? s->wait->arrived(s->wait->arg, node, err) : 0;
}

static int item_arrived(void *arg, const struct wb_fetch_item *item, struct wb_err *err)
{
	struct supplying *s = arg;

	for (size_t i = wanted_from(s, &item->digest); is_of(s, i, &item->digest); i++)
		if (landed(s, s->wanted.items[i].node, err))
			return -1;
	return 0;
}

static void item_grows(void *arg, const struct wb_fetch_item *item, struct wb_growing *g)
{
	struct supplying *s = arg;

	for (size_t i = wanted_from(s, &item->digest); is_of(s, i, &item->digest); i++)
		s->wait->grows(s->wait->arg, s->wanted.items[i].node, g);
}

static int is_waited_for(void *arg, struct wb_err *err)
{
	const struct supplying *s = arg;

	return s->wait ? s->wait->goes_on(s->wait->arg, err) : 0;
}

/* What the fetch did not bring was there when it looked: another build had fetched it since we did.
 * Whoever waits must hear of each, or would wait for ever. */
static int settle_rest(struct supplying *s, struct wb_err *err)
{
	wb_vec_foreach (w, &s->wanted) {
		const struct wb_content *c = &w->node->content;

		if (c->path)
			continue;
		if (!wb_store_has(s->r->store, &c->digest, c->size)) {
			wb_err_set(err, WB_ERR_IO, "\"%s\": %s is no longer in the content store",
				w->node->path, wb_digest_text(&c->digest).s);
			return wb_err_hint(err, "let nothing remove files from the store while a "
						"build runs, then run again");
		}
		if (landed(s, w->node, err))
			return -1;
	}
	return 0;
}

int wb_remotes_supply(void *arg, struct wb_node *const *nodes, size_t n,
	const struct wb_pack_wait *wait, struct wb_err *err)
{
	WB_AUTO(supplying_release) struct supplying s = {.r = arg, .wait = wait};
	const struct listener listener = {.arrived = item_arrived,
		.goes_on = is_waited_for,
		.grows = wait ? item_grows : NULL,
		.arg = &s};

	for (size_t i = 0; i < n; i++) {
		if (!wb_store_has(s.r->store, &nodes[i]->content.digest, nodes[i]->content.size))
			*wb_vec_push(&s.wanted) = (struct wanted){.node = nodes[i]};
		else if (landed(&s, nodes[i], err))
			return -1;
	}
	if (!s.wanted.n)
		return 0;
	qsort(s.wanted.items, s.wanted.n, sizeof(*s.wanted.items), by_digest);
	if (fetch_chosen(s.r, is_wanted, &s, &listener, err))
		return -1;
	return settle_rest(&s, err);
}

void wb_remotes_lock(struct wb_lockfile *out, const struct wb_remotes *r)
{
	*out = WB_LOCKFILE_INIT;
	wb_vec_foreach (it, &r->sources) {
		const struct wb_remote_source *s = *it;
		wb_autofree struct wb_digest *digests = wb_calloc(s->items.n, sizeof(*digests));

		for (size_t i = 0; i < s->items.n; i++)
			digests[i] = s->items.items[i].digest;
		wb_lockfile_add(out, s->config, &s->listing, digests);
	}
}
