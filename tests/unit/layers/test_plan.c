#include "wbtest.h"

#include "base/sha256.h"
#include "layers/plan.h"

/* --- trees without files on disk ----------------------------------------------------------- */

/* content: what the file holds, for its digest; NULL: what no other file does. */
static void add(
	struct wb_tree *t, unsigned group, const char *path, uint64_t size, const char *content)
{
	struct wb_content c = {.digest_known = true, .immutable = true, .size = size};
	struct wb_err err = WB_ERR_INIT;

	content = content ? content : path;
	wb_sha256_once(&c.digest, content, strlen(content));
	assert_ok(wb_tree_add_file(t, group, path, 0644, &c, &err), &err);
}

static void finish(struct wb_tree *t)
{
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_tree_finish(t, 1, &err), &err);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* --- what must hold of every plan ---------------------------------------------------------- */

static void check_whole(const struct wb_layer_plan *p, const struct wb_tree *t)
{
	wb_autofree size_t *seen = wb_calloc(t->nodes.n, sizeof(*seen));
	wb_autofree size_t *where = wb_calloc(t->nodes.n, sizeof(*where));
	uint64_t bytes = 0;

	wb_vec_foreach (l, &p->layers) {
		assert_true(l->nodes.n > 0);
		for (size_t i = 0; i < l->nodes.n; i++) {
			const struct wb_node *node = l->nodes.items[i];

			seen[node->order]++;
			where[node->order] = (size_t)(l - p->layers.items);
			if (i)
				assert_true(l->nodes.items[i - 1]->order < node->order);
		}
		bytes += l->bytes;
	}
	assert_true(bytes == t->bytes);
	for (size_t i = 0; i < t->nodes.n; i++) {
		const struct wb_node *node = t->nodes.items[i];

		if (node->type != WB_NODE_DIR)
			assert_int_equal(seen[i], 1);
		if (node->same)
			assert_int_equal(where[i], where[node->same->order]);
	}
}

static void large_files_have_a_layer_of_their_own(void **state)
{
	WB_AUTO(wb_tree_release) struct wb_tree t = WB_TREE_INIT;
	WB_AUTO(wb_layer_plan_release) struct wb_layer_plan p = WB_LAYER_PLAN_INIT;
	unsigned g = wb_tree_group(&t, "data", "/app/data");

	add(&t, g, "app/data/a.txt", 10, NULL);
	add(&t, g, "app/data/model-1", 64 << 20, NULL);
	add(&t, g, "app/data/model-2", (64 << 20) - 1, NULL);
	add(&t, g, "app/data/z.txt", 10, NULL);
	finish(&t);
	wb_layer_plan_make(&p, &t, &(struct wb_layer_limits){0});
	check_whole(&p, &t);
	assert_int_equal(p.layers.n, 2);
	/* small files stay together although a large one lies between them */
	assert_int_equal(p.layers.items[0].files, 3);
	assert_int_equal(p.layers.items[1].files, 1);
}

static void sources_do_not_share_bundles(void **state)
{
	WB_AUTO(wb_tree_release) struct wb_tree t = WB_TREE_INIT;
	WB_AUTO(wb_layer_plan_release) struct wb_layer_plan p = WB_LAYER_PLAN_INIT;
	unsigned a = wb_tree_group(&t, "a", "/a"), b = wb_tree_group(&t, "b", "/b");

	add(&t, a, "app/x/1", 10, NULL);
	add(&t, b, "app/x/2", 10, NULL);
	add(&t, a, "app/x/3", 10, NULL);
	finish(&t);
	wb_layer_plan_make(&p, &t, &(struct wb_layer_limits){0});
	check_whole(&p, &t);
	assert_int_equal(p.layers.n, 2);
	assert_int_equal(p.layers.items[0].group, a);
	assert_int_equal(p.layers.items[0].files, 2);
	assert_int_equal(p.layers.items[1].group, b);
}

static void equal_files_lie_with_the_first_of_them(void **state)
{
	WB_AUTO(wb_tree_release) struct wb_tree t = WB_TREE_INIT;
	WB_AUTO(wb_layer_plan_release) struct wb_layer_plan p = WB_LAYER_PLAN_INIT;
	unsigned a = wb_tree_group(&t, "a", "/a"), b = wb_tree_group(&t, "b", "/b");

	add(&t, a, "a/big", 100 << 20, "weights");
	add(&t, a, "a/small", 10, NULL);
	add(&t, b, "b/again", 100 << 20, "weights");
	finish(&t);
	wb_layer_plan_make(&p, &t, &(struct wb_layer_limits){0});
	check_whole(&p, &t);
	assert_int_equal(p.layers.n, 2);
	assert_int_equal(p.layers.items[1].files, 2);
	assert_true(p.layers.items[1].bytes == 100 << 20);
}

static void only_empty_folders_are_entries(void **state)
{
	WB_AUTO(wb_tree_release) struct wb_tree t = WB_TREE_INIT;
	WB_AUTO(wb_layer_plan_release) struct wb_layer_plan p = WB_LAYER_PLAN_INIT;
	unsigned g = wb_tree_group(&t, "data", "/app/data");
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_tree_add_dir(&t, g, "app/data/empty", &err), &err);
	assert_ok(wb_tree_add_dir(&t, g, "app/data/full", &err), &err);
	add(&t, g, "app/data/full/x", 1, NULL);
	finish(&t);
	wb_layer_plan_make(&p, &t, &(struct wb_layer_limits){0});
	assert_int_equal(p.layers.n, 1);
	assert_int_equal(p.layers.items[0].nodes.n, 2);
	assert_string_equal(p.layers.items[0].nodes.items[0]->path, "app/data/empty");
	assert_int_equal(p.layers.items[0].files, 1);
}

static void nothing_is_no_layer(void **state)
{
	WB_AUTO(wb_tree_release) struct wb_tree t = WB_TREE_INIT;
	WB_AUTO(wb_layer_plan_release) struct wb_layer_plan p = WB_LAYER_PLAN_INIT;

	wb_tree_group(&t, "data", "/app/data");
	finish(&t);
	wb_layer_plan_make(&p, &t, &(struct wb_layer_limits){0});
	assert_int_equal(p.layers.n, 0);
}

/* --- the layer budget ----------------------------------------------------------------------- */

static void check_budget(size_t n_large, size_t budget)
{
	WB_AUTO(wb_tree_release) struct wb_tree t = WB_TREE_INIT;
	WB_AUTO(wb_layer_plan_release) struct wb_layer_plan p = WB_LAYER_PLAN_INIT;
	unsigned groups[3];

	for (size_t i = 0; i < WB_ARRAY_LEN(groups); i++)
		groups[i] = wb_tree_group(&t, "source", "/m");
	for (size_t i = 0; i < n_large; i++) {
		wb_autofree char *path = wb_asprintf("m/shard-%05zu", i);

		add(&t, groups[i % 3], path, (64u << 20) + i, NULL);
	}
	finish(&t);
	wb_layer_plan_make(&p, &t, &(struct wb_layer_limits){.max_layers = budget});
	check_whole(&p, &t);
	assert_int_equal(p.layers.n, n_large < budget ? n_large : budget);
	assert_int_equal(p.merged, n_large - p.layers.n);
}

static void more_layers_than_the_budget_are_merged(void **state)
{
	check_budget(10, 10);
	check_budget(11, 10);
	check_budget(300, 125);
	check_budget(5, 1);
	check_budget(0, 1);
}

/* A source that is small next to the others must not be merged with half of the model. */
static void merging_keeps_layers_even(void **state)
{
	WB_AUTO(wb_tree_release) struct wb_tree t = WB_TREE_INIT;
	WB_AUTO(wb_layer_plan_release) struct wb_layer_plan p = WB_LAYER_PLAN_INIT;
	unsigned g = wb_tree_group(&t, "source", "/m");
	uint64_t most = 0;

	for (size_t i = 0; i < 160; i++) {
		wb_autofree char *path = wb_asprintf("m/shard-%05zu", i);

		add(&t, g, path, UINT64_C(4300000000) + i * 1000, NULL);
	}
	finish(&t);
	wb_layer_plan_make(&p, &t, &(struct wb_layer_limits){.max_layers = 100});
	check_whole(&p, &t);
	wb_vec_foreach (l, &p.layers)
		most = l->bytes > most ? l->bytes : most;
	assert_int_equal(p.layers.n, 100);
	assert_true(most < UINT64_C(9000000000));
}

/* --- stability ------------------------------------------------------------------------------ */

enum { FILES = 5000 };

struct change {
	size_t index; /* the file that changes, SIZE_MAX none */
	enum { ADD, REMOVE, GROW, REWRITE } kind;
};

static void fill(struct wb_tree *t, uint32_t seed, const struct change *c)
{
	unsigned g = wb_tree_group(t, "data", "/app/data");

	for (size_t i = 0; i < FILES; i++) {
		wb_autofree char *path = wb_asprintf("app/data/%02zu/file-%04zu.bin", i / 100, i);
		uint64_t size = next_random(&seed) % 200000;
		const char *content = path;

		if (i == c->index && c->kind == REMOVE)
			continue;
		if (i == c->index && c->kind == GROW)
			size += 150000;
		if (i == c->index && c->kind == REWRITE)
			content = "rewritten";
		add(t, g, path, size, content);
		if (i != c->index || c->kind != ADD)
			continue;
		wb_autofree char *more = wb_asprintf("%s.new", path);

		add(t, g, more, 100000, NULL);
	}
	finish(t);
}

static void digest_layer(struct wb_digest *out, const struct wb_planned_layer *l)
{
	struct wb_sha256 s;

	wb_sha256_init(&s);
	wb_vec_foreach (node, &l->nodes) {
		wb_sha256_update(&s, (*node)->path, strlen((*node)->path) + 1);
		wb_sha256_update(&s, &(*node)->content.size, sizeof(uint64_t));
		wb_sha256_update(&s, (*node)->content.digest.bytes, 32);
	}
	wb_sha256_final(&s, out);
}

/* Layers of b that a does not have. */
static size_t count_new(const struct wb_layer_plan *a, const struct wb_layer_plan *b)
{
	wb_autofree struct wb_digest *have = wb_calloc(a->layers.n, sizeof(*have));
	size_t n = 0;

	for (size_t i = 0; i < a->layers.n; i++)
		digest_layer(&have[i], &a->layers.items[i]);
	wb_vec_foreach (y, &b->layers) {
		struct wb_digest want;
		bool found = false;

		digest_layer(&want, y);
		for (size_t i = 0; i < a->layers.n; i++)
			found |= wb_digest_equal(&want, &have[i]);
		n += !found;
	}
	return n;
}

static size_t layers_changed(uint32_t seed, const struct change *c, const struct wb_layer_limits *l)
{
	WB_AUTO(wb_tree_release) struct wb_tree before = WB_TREE_INIT, after = WB_TREE_INIT;
	WB_AUTO(wb_layer_plan_release)
	struct wb_layer_plan p = WB_LAYER_PLAN_INIT, q = WB_LAYER_PLAN_INIT;

	fill(&before, seed, &(struct change){.index = SIZE_MAX});
	fill(&after, seed, c);
	wb_layer_plan_make(&p, &before, l);
	wb_layer_plan_make(&q, &after, l);
	check_whole(&q, &after);
	assert_true(p.layers.n > 20);
	return count_new(&p, &q);
}

/* -> worst over all changes; *sum of all. */
static size_t try_changes(size_t *sum, const struct wb_layer_limits *limits)
{
	uint32_t seed = 7;
	size_t worst = 0;

	*sum = 0;
	for (uint32_t round = 0; round < 60; round++) {
		struct change c = {.index = next_random(&seed) % FILES, .kind = round % 4};
		size_t n = layers_changed(round / 10, &c, limits);

		if (getenv("WBTEST_VERBOSE"))
			fprintf(stderr, "%zu ", n);
		worst = n > worst ? n : worst;
		*sum += n;
	}
	return worst;
}

/* Half a gigabyte in 5,000 files: about forty bundles. */
static void a_change_stays_in_its_bundle(void **state)
{
	size_t sum, worst = try_changes(&sum, &(struct wb_layer_limits){.bundle = 16 << 20});

	if (worst > 2 || sum > 60 + 60 / 10)
		fail_msg("%zu layers changed at worst, %zu in 60 changes", worst, sum);
}

/* The same with a budget that takes half of the layers away. */
static void merging_keeps_changes_near(void **state)
{
	const struct wb_layer_limits limits = {.bundle = 12 << 20, .max_layers = 30};
	size_t sum, worst = try_changes(&sum, &limits);

	if (worst > 4 || sum > 60 + 60 / 4)
		fail_msg("%zu layers changed at worst, %zu in 60 changes", worst, sum);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_files_have_a_layer_of_their_own),
		cmocka_unit_test(sources_do_not_share_bundles),
		cmocka_unit_test(equal_files_lie_with_the_first_of_them),
		cmocka_unit_test(only_empty_folders_are_entries),
		cmocka_unit_test(nothing_is_no_layer),
		cmocka_unit_test(more_layers_than_the_budget_are_merged),
		cmocka_unit_test(merging_keeps_layers_even),
		cmocka_unit_test(a_change_stays_in_its_bundle),
		cmocka_unit_test(merging_keeps_changes_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
