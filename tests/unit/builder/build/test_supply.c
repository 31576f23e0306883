/* What packing waits for comes, or is an error: also when another build works on the same store. */
#include "wbtest.h"

#include "base/sha256.h"
#include "builder/build/remote.h"

static const char ours[] = "a file that this build has", theirs[] = "one that another fetches";

struct fixture {
	char *dir;
	struct wb_store *store;
	struct wb_remotes remotes;
	struct wb_node here, absent;
	bool another;     /* build fetches the absent file as soon as we have looked for it */
	unsigned arrived; /* of the absent file */
};

static void make_node(struct wb_node *node, const char *path, const char *text)
{
	*node = (struct wb_node){.path = wb_strdup(path), .type = WB_NODE_FILE, .mode = 0644};
	node->content.size = strlen(text);
	node->content.digest_known = true;
	wb_sha256_once(&node->content.digest, text, strlen(text));
}

static void add_source(struct fixture *f)
{
	struct wb_remote_source *s = wb_zalloc(sizeof(*s));
	struct wb_remote_file *file = wb_vec_push(&s->listing.files);

	*file = (struct wb_remote_file){.path = wb_strdup("absent"),
		.size = f->absent.content.size,
		.etag = wb_strdup(""),
		.version = wb_strdup("")};
	file->known.has_sha256 = true;
	file->known.sha256 = f->absent.content.digest;
	*wb_vec_push(&s->items) = (struct wb_fetch_item){.file = file,
		.label = "https://example.com",
		.owner = s,
		.digest = f->absent.content.digest};
	*wb_vec_push(&f->remotes.sources) = s;
}

static int setup(void **state)
{
	struct fixture *f = wb_zalloc(sizeof(*f));
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest d;

	f->dir = wbtest_dir();
	f->store = wb_store_open(f->dir, &err);
	assert_non_null(f->store);
	make_node(&f->here, "here", ours);
	make_node(&f->absent, "absent", theirs);
	assert_ok(wb_store_put(f->store, ours, strlen(ours), &d, &err), &err);
	f->remotes.store = f->store;
	f->remotes.http = wb_http_new(&(struct wb_http_opts){0}, &err);
	assert_non_null(f->remotes.http);
	add_source(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	wb_remotes_release(&f->remotes);
	free(f->here.path);
	free(f->here.content.path);
	free(f->absent.path);
	free(f->absent.content.path);
	wb_store_close(f->store);
	wbtest_rmdir(f->dir);
	free(f);
	return 0;
}

static int arrived(void *arg, struct wb_node *node, struct wb_err *err)
{
	struct fixture *f = arg;
	struct wb_digest d;

	assert_non_null(node->content.path);
	if (node == &f->absent)
		f->arrived++;
	else if (f->another)
		return wb_store_put(f->store, theirs, strlen(theirs), &d, err);
	return 0;
}

static void grows(void *arg, struct wb_node *node, struct wb_growing *g)
{
	fail_msg("nothing is transferred");
}

static int goes_on(void *arg, struct wb_err *err)
{
	return 0;
}

/* The store is asked for the absent file first, then says that it has the other. */
static int supply(struct fixture *f, struct wb_err *err)
{
	const struct wb_pack_wait wait = {
		.arrived = arrived, .grows = grows, .goes_on = goes_on, .arg = f};
	struct wb_node *nodes[] = {&f->absent, &f->here};

	return wb_remotes_supply(&f->remotes, nodes, 2, &wait, err);
}

static void what_another_build_fetched_meanwhile_arrives(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;

	f->another = true;
	assert_ok(supply(f, &err), &err);
	assert_int_equal(f->arrived, 1);
}

static void what_was_there_and_is_gone_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;

	f->remotes.sources.items[0]->items.items[0].done = true;
	assert_int_equal(supply(f, &err), -1);
	assert_int_equal(err.code, WB_ERR_IO);
	assert_non_null(strstr(err.text, "\"absent\""));
	assert_int_equal(f->arrived, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_another_build_fetched_meanwhile_arrives, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_was_there_and_is_gone_is_an_error, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
