#include "builder/build/remote_layout.h"

#include <string.h>

#include "base/path.h"
#include "builder/source/hf_cache.h"
#include "layers/content.h"

/* The store's blob, or, while the bytes are elsewhere, a content without a path. */
static void item_content(
	struct wb_content *out, const struct wb_fetch_item *item, struct wb_store *store)
{
	*out = (struct wb_content){.immutable = true,
		.digest_known = true,
		.digest = item->digest,
		.size = item->size};
	if (item->done)
		out->path = wb_store_blob_path(store, &item->digest);
}

static int add_file(struct wb_tree *t, const struct wb_remote_source *s, const char *path,
	const struct wb_fetch_item *item, struct wb_store *store, struct wb_err *err)
{
	WB_AUTO(wb_content_release) struct wb_content content;

	item_content(&content, item, store);
	return wb_tree_add_file(t, s->group, path, 0644, &content, err);
}

static char *below(const char *mount, const char *path)
{
	wb_autofree char *whole = wb_path_join(mount, path);

	return wb_strdup(whole + 1);
}

char *wb_remotes_image_path(const struct wb_remote_source *s, const struct wb_remote_file *f)
{
	const struct wb_source *c = s->config;

	switch (c->layout) {
	case WB_LAYOUT_FILE: return wb_strdup(c->mount + 1);
	case WB_LAYOUT_PLAIN:
	case WB_LAYOUT_BUCKET: return below(c->mount, f->path);
	case WB_LAYOUT_HF_CACHE: {
		wb_autofree char *path = wb_asprintf("%s@%s/%s", c->uri.repo,
			s->listing.revision ? s->listing.revision : "", f->path);

		return below(c->mount, path);
	}
	}
	return NULL;
}

static int add_text(struct wb_tree *t, const struct wb_remote_source *s, const char *path,
	const char *text, struct wb_store *store, struct wb_err *err)
{
	WB_AUTO(wb_content_release)
	struct wb_content content = {.immutable = true, .digest_known = true, .size = strlen(text)};

	if (wb_store_put(store, text, content.size, &content.digest, err))
		return -1;
	content.path = wb_store_blob_path(store, &content.digest);
	return wb_tree_add_file(t, s->group, path, 0644, &content, err);
}

static int add_hf_entry(struct wb_tree *t, const struct wb_remote_source *s,
	const struct wb_hf_entry *e, struct wb_store *store, struct wb_err *err)
{
	wb_autofree char *path = below(s->config->mount, e->path);

	switch (e->type) {
	case WB_HF_BLOB: return add_file(t, s, path, &s->items.items[e->file], store, err);
	case WB_HF_LINK: return wb_tree_add_symlink(t, s->group, path, e->text, err);
	case WB_HF_TEXT: return add_text(t, s, path, e->text, store, err);
	}
	return 0;
}

static int add_hf_cache(struct wb_tree *t, const struct wb_remote_source *s, struct wb_store *store,
	struct wb_err *err)
{
	const struct wb_uri *uri = &s->config->uri;
	size_t n = s->listing.files.n;
	wb_autofree struct wb_hf_file *files = wb_calloc(n, sizeof(*files));
	WB_AUTO(wb_hf_layout_release) struct wb_hf_layout layout = WB_HF_LAYOUT_INIT;

	for (size_t i = 0; i < n; i++)
		files[i] = (struct wb_hf_file){
			s->listing.files.items[i].path, s->listing.files.items[i].etag};
	if (wb_hf_layout_make(&layout, uri->hf_kind, uri->repo, uri->revision,
		    s->listing.revision ? s->listing.revision : "", files, n, err))
		return -1;
	wb_vec_foreach (e, &layout.entries)
		if (add_hf_entry(t, s, e, store, err))
			return -1;
	return 0;
}

int wb_remote_layout_add(
	struct wb_tree *t, struct wb_remote_source *s, struct wb_store *store, struct wb_err *err)
{
	if (s->config->layout == WB_LAYOUT_HF_CACHE)
		return add_hf_cache(t, s, store, err);
	for (size_t i = 0; i < s->items.n; i++) {
		wb_autofree char *path = wb_remotes_image_path(s, &s->listing.files.items[i]);

		if (add_file(t, s, path, &s->items.items[i], store, err))
			return -1;
	}
	return 0;
}
