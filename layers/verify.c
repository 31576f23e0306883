#include "layers/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/path.h"
#include "base/pool.h"
#include "base/text.h"
#include "layers/verify_impl.h"

/* Entries in one job of the first look: enough to make the directory cache worth it. */
#define NAMES_PER_JOB 256

static const char *const mode_names[] = {
	[WB_VERIFY_OFF] = "off",
	[WB_VERIFY_SIZE] = "size",
	[WB_VERIFY_SAMPLE] = "sample",
	[WB_VERIFY_FULL] = "full",
};

static const char *const kind_names[] = {
	[WB_PROBLEM_MISSING] = "missing",
	[WB_PROBLEM_TRUNCATED] = "truncated",
	[WB_PROBLEM_LONGER] = "longer",
	[WB_PROBLEM_CHANGED] = "changed",
	[WB_PROBLEM_NOT_A_FILE] = "not-a-file",
	[WB_PROBLEM_NOT_A_LINK] = "not-a-link",
	[WB_PROBLEM_NOT_A_DIRECTORY] = "not-a-directory",
	[WB_PROBLEM_WRONG_TARGET] = "wrong-target",
	[WB_PROBLEM_WRONG_MODE] = "wrong-mode",
	[WB_PROBLEM_EXTRA] = "extra",
	[WB_PROBLEM_UNREADABLE] = "unreadable",
};

int wb_verify_mode_parse(enum wb_verify_mode *out, const char *text, struct wb_err *err)
{
	for (size_t i = 0; i < WB_ARRAY_LEN(mode_names); i++)
		if (!strcmp(text, mode_names[i])) {
			*out = (enum wb_verify_mode)i;
			return 0;
		}
	return wb_err_set(err, WB_ERR_USAGE,
		"\"%.40s\" is not a way to verify (off, size, sample or full)", text);
}

const char *wb_verify_mode_name(enum wb_verify_mode mode)
{
	return mode_names[mode];
}

const char *wb_problem_kind_name(enum wb_problem_kind kind)
{
	return kind_names[kind];
}

double verify_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int verify_go_on(const struct verify *v, struct wb_err *err)
{
	if (v->deadline > 0 && verify_now() > v->deadline)
		return wb_err_set(err, WB_ERR_LIMIT,
			"verification passed its deadline of %g s with %s read", v->o->deadline,
			wb_size_text(atomic_load(&v->hashed)).s);
	return wb_cancel_check(err);
}

void verify_add(struct verify *v, struct wb_problem p)
{
	pthread_mutex_lock(&v->lock);
	*wb_vec_push(&v->problems) = p;
	pthread_mutex_unlock(&v->lock);
}

void verify_problem(struct verify *v, enum wb_problem_kind kind, const char *path, char *detail)
{
	verify_add(v, (struct wb_problem){.kind = kind, .path = wb_strdup(path), .detail = detail});
}

void verify_problem_errno(struct verify *v, const char *path, int errnum)
{
	if (errnum == ENOENT || errnum == ENOTDIR)
		verify_problem(v, WB_PROBLEM_MISSING, path, NULL);
	else
		verify_problem(v, WB_PROBLEM_UNREADABLE, path, wb_strdup(strerror(errnum)));
}

/* ---- the first look: names, types, sizes, link texts ---- */

static const char *type_text(mode_t mode)
{
	if (S_ISREG(mode))
		return "is a regular file";
	if (S_ISDIR(mode))
		return "is a directory";
	return S_ISLNK(mode) ? "is a symbolic link" : "is a device, pipe or socket";
}

static bool look_at_file(struct verify *v, size_t index, const struct stat *st)
{
	const struct wb_bundle_entry *e = &v->m->entries.items[index];
	uint64_t size = (uint64_t)st->st_size;

	if (!S_ISREG(st->st_mode)) {
		verify_problem(
			v, WB_PROBLEM_NOT_A_FILE, e->path, wb_strdup(type_text(st->st_mode)));
		return false;
	}
	if (size != e->size) {
		verify_problem(v, size < e->size ? WB_PROBLEM_TRUNCATED : WB_PROBLEM_LONGER,
			e->path,
			wb_asprintf("has %llu bytes instead of %llu", (unsigned long long)size,
				(unsigned long long)e->size));
		return false;
	}
	v->nodes[index] = (struct verify_node){
		.sound = true, .dev = st->st_dev, .ino = st->st_ino, .links = st->st_nlink};
	return true;
}

static bool look_at_link(
	struct verify *v, const struct wb_bundle_entry *e, int dir, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n < 0) {
		verify_problem_errno(v, e->path, errno);
		return false;
	}
	target[n] = '\0';
	if (!strcmp(target, e->target))
		return true;
	wb_autofree char *is = wb_text_quote(target, 200), *was = wb_text_quote(e->target, 200);

	verify_problem(v, WB_PROBLEM_WRONG_TARGET, e->path,
		wb_asprintf("points to \"%s\" instead of \"%s\"", is, was));
	return false;
}

static bool look_at_type(
	struct verify *v, size_t index, int dir, const char *name, const struct stat *st)
{
	const struct wb_bundle_entry *e = &v->m->entries.items[index];
	bool right = true;

	switch (e->type) {
	case WB_BUNDLE_FILE: return look_at_file(v, index, st);
	case WB_BUNDLE_SYMLINK:
		right = S_ISLNK(st->st_mode);
		if (right)
			return look_at_link(v, e, dir, name);
		break;
	case WB_BUNDLE_DIR: right = S_ISDIR(st->st_mode); break;
	}
	if (!right)
		verify_problem(v,
			e->type == WB_BUNDLE_DIR ? WB_PROBLEM_NOT_A_DIRECTORY
						 : WB_PROBLEM_NOT_A_LINK,
			e->path, wb_strdup(type_text(st->st_mode)));
	return right;
}

static void look_at(struct verify *v, size_t index, struct wb_root_dir *cache)
{
	const struct wb_bundle_entry *e = &v->m->entries.items[index];
	const char *name;
	struct stat st;
	int dir = wb_root_parent(cache, &v->root, e->path, &name);

	if (dir < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW)) {
		verify_problem_errno(v, e->path, errno);
		return;
	}
	if (look_at_type(v, index, dir, name, &st) && v->o->modes && e->type != WB_BUNDLE_SYMLINK &&
		(st.st_mode & 07777) != e->mode)
		verify_problem(v, WB_PROBLEM_WRONG_MODE, e->path,
			wb_asprintf("has mode %04o instead of %04o", st.st_mode & 07777, e->mode));
}

static int look_job(void *arg, size_t index, struct wb_err *err)
{
	struct verify *v = arg;
	WB_AUTO(wb_root_dir_release) struct wb_root_dir cache = WB_ROOT_DIR_INIT;
	size_t end = (index + 1) * NAMES_PER_JOB;

	for (size_t i = index * NAMES_PER_JOB; i < end && i < v->m->entries.n; i++)
		look_at(v, i, &cache);
	return verify_go_on(v, err);
}

/* ---- what to read ---- */

/* splitmix64: spreads a seed and a counter over all bits. */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static bool chosen(const struct verify *v, const struct verify_piece *p)
{
	if (v->o->mode == WB_VERIFY_FULL)
		return true;
	uint64_t x = mix(mix(v->o->seed ^ p->entry) ^ p->chunk);

	return (double)(x >> 11) * 0x1p-53 < v->o->share;
}

uint64_t verify_piece_size(const struct verify *v, const struct verify_piece *p)
{
	uint64_t left = v->m->entries.items[p->entry].size - (uint64_t)p->chunk * WB_CHUNK_SIZE;

	return left < WB_CHUNK_SIZE ? left : WB_CHUNK_SIZE;
}

struct inode {
	dev_t dev;
	ino_t ino;
	uint32_t entry;
};

static int by_inode(const void *a, const void *b)
{
	const struct inode *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return (x->entry > y->entry) - (x->entry < y->entry);
}

/* Names of one inode that must have one digest are read once, under the first of them. */
static void drop_hard_links(struct verify *v)
{
	const struct wb_bundle_entry *entries = v->m->entries.items;
	WB_VEC(struct inode) linked = {0};

	for (size_t i = 0; i < v->m->entries.n; i++) {
		const struct verify_node *n = &v->nodes[i];

		if (n->sound && n->links > 1)
			*wb_vec_push(&linked) = (struct inode){n->dev, n->ino, (uint32_t)i};
	}
	if (linked.n)
		qsort(linked.items, linked.n, sizeof(*linked.items), by_inode);
	for (size_t i = 1, first = 0; i < linked.n; i++) {
		const struct inode *a = &linked.items[first], *b = &linked.items[i];

		if (a->dev != b->dev || a->ino != b->ino)
			first = i;
		else if (wb_digest_equal(&entries[a->entry].digest, &entries[b->entry].digest))
			v->nodes[b->entry].sound = false;
	}
	wb_vec_free(&linked);
}

/* One pass over all chunks: those chosen, or only the one with the number `only`. Returns how many
 * chunks there are. */
static uint64_t plan_pass(struct verify *v, uint64_t only)
{
	uint64_t count = 0;

	for (size_t i = 0; i < v->m->entries.n; i++) {
		const struct wb_bundle_entry *e = &v->m->entries.items[i];
		size_t n = e->size ? wb_states_count(e->size) + 1 : 0;

		for (size_t c = 0; v->nodes[i].sound && c < n; c++, count++) {
			struct verify_piece piece = {(uint32_t)i, (uint32_t)c};

			if (only == UINT64_MAX ? chosen(v, &piece) : count == only)
				*wb_vec_push(&v->pieces) = piece;
		}
	}
	return count;
}

static void plan_pieces(struct verify *v)
{
	drop_hard_links(v);
	uint64_t count = plan_pass(v, UINT64_MAX);

	/* the smallest sample is one chunk, not none */
	if (count && !v->pieces.n)
		plan_pass(v, mix(v->o->seed) % count);
}

/* ---- the result ---- */

static int by_path(const void *a, const void *b)
{
	const struct wb_problem *x = a, *y = b;
	int order = wb_path_cmp(x->path, y->path);

	if (order)
		return order;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

static void problem_release(struct wb_problem *p)
{
	free(p->path);
	free(p->detail);
}

/* A file with many bad chunks, or one that two workers found truncated, is one problem. */
static void merge_problems(struct verify *v)
{
	struct wb_problem *items = v->problems.items;
	size_t kept = 0;

	if (!v->problems.n)
		return;
	qsort(items, v->problems.n, sizeof(*items), by_path);
	for (size_t i = 1; i < v->problems.n; i++) {
		struct wb_problem *last = &items[kept];

		if (last->kind == items[i].kind && !strcmp(last->path, items[i].path)) {
			last->chunks += items[i].chunks;
			problem_release(&items[i]);
		} else {
			items[++kept] = items[i];
		}
	}
	v->problems.n = kept + 1;
}

static void count_entries(struct wb_verify_report *r, const struct wb_bundle_manifest *m)
{
	wb_vec_foreach (e, &m->entries) {
		switch (e->type) {
		case WB_BUNDLE_FILE: r->files++; break;
		case WB_BUNDLE_SYMLINK: r->links++; break;
		case WB_BUNDLE_DIR: r->dirs++; break;
		}
		r->bytes += e->size;
	}
}

static void verify_release(struct verify *v)
{
	wb_vec_free(&v->pieces);
	free(v->nodes);
	wb_root_release(&v->root);
	pthread_mutex_destroy(&v->lock);
}

static int run(struct verify *v, struct wb_err *err)
{
	size_t jobs = (v->m->entries.n + NAMES_PER_JOB - 1) / NAMES_PER_JOB;

	if (wb_pool_run(v->o->threads, jobs, look_job, v, err))
		return -1;
	if (v->o->extra && verify_extra(v, err))
		return -1;
	if (v->o->mode == WB_VERIFY_SIZE)
		return 0;
	plan_pieces(v);
	return verify_hash(v, err);
}

int wb_verify_root(struct wb_verify_report *out, const char *root,
	const struct wb_bundle_manifest *m, const struct wb_verify_options *o, struct wb_err *err)
{
	struct verify v = {.m = m, .o = o, .root = WB_ROOT_INIT, .start = verify_now()};
	int rc = 0;

	*out = WB_VERIFY_REPORT_INIT;
	if (o->mode == WB_VERIFY_OFF)
		return 0;
	if (wb_root_init(&v.root, root, err))
		return -1;
	pthread_mutex_init(&v.lock, NULL);
	v.deadline = o->deadline > 0 ? v.start + o->deadline : 0;
	v.nodes = wb_calloc(m->entries.n, sizeof(*v.nodes));
	rc = run(&v, err);
	merge_problems(&v);
	count_entries(out, m);
	out->problems.items = v.problems.items;
	out->problems.n = v.problems.n;
	out->problems.cap = v.problems.cap;
	out->hashed = atomic_load(&v.hashed);
	out->chunks = atomic_load(&v.chunks);
	out->seconds = verify_now() - v.start;
	verify_release(&v);
	return rc;
}

void wb_verify_report_release(struct wb_verify_report *r)
{
	wb_vec_foreach (p, &r->problems)
		problem_release(p);
	wb_vec_free(&r->problems);
	*r = WB_VERIFY_REPORT_INIT;
}

char *wb_problem_text(const struct wb_problem *p)
{
	wb_autofree char *path = wb_text_quote(p->path, PATH_MAX);

	return wb_asprintf("\"/%s\": %s%s%s", path, kind_names[p->kind], p->detail ? ": " : "",
		p->detail ? p->detail : "");
}

int wb_verify_verdict(const struct wb_verify_report *r, struct wb_err *err)
{
	if (!r->problems.n)
		return 0;
	wb_autofree char *first = wb_problem_text(&r->problems.items[0]);

	wb_err_set(err, WB_ERR_INTEGRITY, "%s", first);
	if (r->problems.n > 1)
		wb_err_wrap(err, "%zu files are not what was packed, the first", r->problems.n);
	return -1;
}
