#include "layers/same.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "layers/content.h"

/* Below this a digest is as cheap as a comparison, and is of use later. */
#define COMPARE_MIN (1u << 20)

/* Files of one size and mode, in path order: items[first .. first + n). */
struct size_class {
	size_t first, n;
};

/* Two large files that all their samples say are equal. */
struct pair {
	struct wb_node *first, *second;
};

struct search {
	WB_VEC(struct wb_node *) files;
	WB_VEC(struct size_class) classes;
	pthread_mutex_t lock; /* of pairs */
	WB_VEC(struct pair) pairs;
};

static void search_release(struct search *s)
{
	wb_vec_free(&s->files);
	wb_vec_free(&s->classes);
	wb_vec_free(&s->pairs);
	pthread_mutex_destroy(&s->lock);
}

static int by_size(const void *a, const void *b)
{
	const struct wb_node *x = *(struct wb_node *const *)a, *y = *(struct wb_node *const *)b;

	if (x->content.size != y->content.size)
		return x->content.size < y->content.size ? -1 : 1;
	if (x->mode != y->mode)
		return x->mode < y->mode ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int by_content(const void *a, const void *b)
{
	const struct wb_node *x = *(struct wb_node *const *)a, *y = *(struct wb_node *const *)b;
	int c = memcmp(x->content.digest.bytes, y->content.digest.bytes, 32);

	return c ? c : x->order < y->order ? -1 : x->order > y->order;
}

static int compare_pair(struct wb_node *a, struct wb_node *b, unsigned jobs, struct wb_err *err)
{
	bool equal = false;

	if (a->content.digest_known && b->content.digest_known)
		equal = wb_digest_equal(&a->content.digest, &b->content.digest);
	else if (wb_content_equal(&equal, &a->content, &b->content, jobs, err))
		return -1;
	if (!equal)
		return 0;
	b->same = a;
	if (!a->content.digest_known && b->content.digest_known) {
		a->content.digest = b->content.digest;
		a->content.digest_known = true;
	}
	return 0;
}

static int settle_by_digest(struct wb_node **files, size_t n, struct wb_err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct wb_content *content = &files[i]->content;

		if (!content->digest_known && wb_content_hash(&content->digest, NULL, content, err))
			return -1;
		content->digest_known = true;
	}
	qsort(files, n, sizeof(*files), by_content);
	for (size_t i = 1; i < n; i++) {
		struct wb_node *before = files[i - 1];

		if (wb_digest_equal(&files[i]->content.digest, &before->content.digest))
			files[i]->same = before->same ? before->same : before;
	}
	return 0;
}

struct sampled {
	struct wb_digest sample;
	struct wb_node *node;
};

static int by_sample(const void *a, const void *b)
{
	const struct sampled *x = a, *y = b;
	int c = memcmp(x->sample.bytes, y->sample.bytes, 32);

	return c ? c : x->node->order < y->node->order ? -1 : x->node->order > y->node->order;
}

static int settle_by_sample(struct search *s, struct wb_node **files, size_t n, struct wb_err *err)
{
	wb_autofree struct sampled *list = wb_calloc(n, sizeof(*list));

	for (size_t i = 0; i < n; i++) {
		list[i].node = files[i];
		if (wb_content_sample(&list[i].sample, &files[i]->content, err))
			return -1;
	}
	qsort(list, n, sizeof(*list), by_sample);
	for (size_t i = 0; i < n; i++)
		files[i] = list[i].node;
	for (size_t i = 0, k; i < n; i += k) {
		for (k = 1; i + k < n; k++)
			if (!wb_digest_equal(&list[i].sample, &list[i + k].sample))
				break;
		if (k == 2) {
			pthread_mutex_lock(&s->lock);
			*wb_vec_push(&s->pairs) = (struct pair){files[i], files[i + 1]};
			pthread_mutex_unlock(&s->lock);
		}
		if (k > 2 && settle_by_digest(files + i, k, err))
			return -1;
	}
	return 0;
}

static int settle_class(void *arg, size_t index, struct wb_err *err)
{
	struct search *s = arg;
	const struct size_class *c = &s->classes.items[index];
	struct wb_node **files = s->files.items + c->first;
	bool read = files[0]->content.size >= COMPARE_MIN, known = true;

	for (size_t i = 0; i < c->n; i++) {
		known &= files[i]->content.digest_known;
		read &= files[i]->content.path != NULL;
	}
	return known || !read ? settle_by_digest(files, c->n, err)
	                      : settle_by_sample(s, files, c->n, err);
}

static void cut_classes(struct search *s)
{
	for (size_t i = 0, n; i < s->files.n; i += n) {
		const struct wb_node *first = s->files.items[i];

		for (n = 1; i + n < s->files.n; n++) {
			const struct wb_node *next = s->files.items[i + n];

			if (next->content.size != first->content.size || next->mode != first->mode)
				break;
		}
		if (n > 1)
			*wb_vec_push(&s->classes) = (struct size_class){i, n};
	}
}

int wb_same_find(struct wb_tree *t, unsigned jobs, struct wb_err *err)
{
	WB_AUTO(search_release) struct search s = {.lock = PTHREAD_MUTEX_INITIALIZER};

	for (size_t i = 0; i < t->nodes.n; i++) {
		struct wb_node *node = t->nodes.items[i];

		node->order = i;
		node->same = NULL;
		if (node->type == WB_NODE_FILE && node->content.size)
			*wb_vec_push(&s.files) = node;
	}
	if (s.files.n)
		qsort(s.files.items, s.files.n, sizeof(*s.files.items), by_size);
	cut_classes(&s);
	if (wb_pool_run(jobs, s.classes.n, settle_class, &s, err))
		return -1;
	/* a pair after the other, each by all cores: there are few, and one may be most of the
	 * bytes */
	wb_vec_foreach (p, &s.pairs)
		if (compare_pair(p->first, p->second, jobs, err))
			return -1;
	return 0;
}
