#include "wbtest.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/path.h"
#include "base/sha256.h"
#include "layers/verify.h"

#define BIG (3u * WB_CHUNK_SIZE + 12345u)

/* A root on disk and its manifest. */
struct fixture {
	char *dir;
	struct wb_bundle_manifest m;
	struct wb_verify_options o;
	struct wb_verify_report r;
	struct wb_err err;
};

static char *at(const struct fixture *f, const char *path)
{
	return wb_path_join(f->dir, path);
}

static void put(const struct fixture *f, const char *path, const void *p, size_t n)
{
	wb_autofree char *full = at(f, path), *dir = wb_path_dirname(full);
	struct wb_err err;

	assert_ok(wb_mkdirs(dir, 0755, &err), &err);
	assert_ok(wb_file_put(full, p, n, 0644, WB_FILE_REPLACE | WB_FILE_NOSYNC, &err), &err);
}

static void put_link(const struct fixture *f, const char *path, const char *target)
{
	wb_autofree char *full = at(f, path);

	unlink(full);
	assert_int_equal(symlink(target, full), 0);
}

static struct wb_bundle_entry *entry(struct fixture *f, const char *path)
{
	wb_vec_foreach (e, &f->m.entries)
		if (!strcmp(e->path, path))
			return e;
	fail_msg("no entry %s", path);
	return NULL;
}

static void add_file(struct fixture *f, const char *path, const uint8_t *p, size_t n)
{
	struct wb_bundle_entry *e = wb_vec_push(&f->m.entries);
	struct wb_sha256 sha;

	*e = (struct wb_bundle_entry){.path = wb_strdup(path), .mode = 0644, .size = n};
	wb_sha256_once(&e->digest, p, n);
	e->states = wb_states_new(n);
	wb_sha256_init(&sha);
	for (size_t i = 0; i < wb_states_count(n); i++) {
		wb_sha256_update(&sha, p + i * WB_CHUNK_SIZE, WB_CHUNK_SIZE);
		wb_states_note(e->states, &sha, n);
	}
	put(f, path, p, n);
}

static void add_link(struct fixture *f, const char *path, const char *target)
{
	*wb_vec_push(&f->m.entries) = (struct wb_bundle_entry){
		.path = wb_strdup(path),
		.type = WB_BUNDLE_SYMLINK,
		.mode = 0777,
		.target = wb_strdup(target),
	};
	put_link(f, path, target);
}

static void add_source(struct fixture *f, const char *mount)
{
	*wb_vec_push(&f->m.sources) =
		(struct wb_bundle_source){.label = wb_strdup("x"), .mount = wb_strdup(mount)};
}

static int setup(void **state)
{
	struct fixture *f = wb_zalloc(sizeof(*f));
	wb_autofree uint8_t *p = wb_alloc(BIG);

	for (size_t i = 0; i < BIG; i++)
		p[i] = (uint8_t)(i * 2654435761u >> 11);
	f->dir = wbtest_dir();
	f->o = WB_VERIFY_OPTIONS_INIT;
	add_source(f, "/app/data");
	add_source(f, "/hub/models--o--r");
	f->m.hf_cache = wb_strdup("/hub");
	add_file(f, "app/data/a.bin", p, BIG);
	add_file(f, "app/data/empty", p, 0);
	add_file(f, "app/data/one-chunk", p, WB_CHUNK_SIZE);
	for (int i = 0; i < 300; i++) {
		wb_autofree char *path = wb_asprintf("app/data/small/%03d", i);

		add_file(f, path, p + i, (size_t)i * 37 + 1);
	}
	add_link(f, "app/data/z-link", "a.bin");
	add_file(f, "hub/models--o--r/blobs/b1", p, 1000);
	put(f, "hub/models--o--r/snapshots/abc/.keep", "", 0);
	add_link(f, "hub/models--o--r/snapshots/abc/config.json", "../../blobs/b1");
	wb_autofree char *keep = at(f, "hub/models--o--r/snapshots/abc/.keep");
	unlink(keep);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	wbtest_rmdir(f->dir);
	wb_bundle_manifest_release(&f->m);
	wb_verify_report_release(&f->r);
	free(f);
	return 0;
}

static void verify(struct fixture *f)
{
	wb_verify_report_release(&f->r);
	assert_ok(wb_verify_root(&f->r, f->dir, &f->m, &f->o, &f->err), &f->err);
}

static void assert_problem(struct fixture *f, const char *path, enum wb_problem_kind kind)
{
	verify(f);
	if (f->r.problems.n != 1)
		for (size_t i = 0; i < f->r.problems.n; i++) {
			wb_autofree char *text = wb_problem_text(&f->r.problems.items[i]);
			print_message("problem: %s\n", text);
		}
	assert_int_equal(f->r.problems.n, 1);
	assert_string_equal(f->r.problems.items[0].path, path);
	assert_string_equal(
		wb_problem_kind_name(f->r.problems.items[0].kind), wb_problem_kind_name(kind));
	assert_int_equal(wb_verify_verdict(&f->r, &f->err), -1);
	assert_int_equal(f->err.code, WB_ERR_INTEGRITY);
	assert_contains(f->err.text, path);
}

static void test_sound(void **state)
{
	struct fixture *f = *state;
	uint64_t bytes = 0;

	wb_vec_foreach (e, &f->m.entries)
		bytes += e->size;
	for (unsigned threads = 1; threads <= 5; threads++) {
		f->o.threads = threads;
		verify(f);
		assert_int_equal(f->r.problems.n, 0);
		assert_int_equal(f->r.hashed, bytes);
		assert_int_equal(f->r.chunks, 4 + 1 + 300 + 1);
	}
	assert_int_equal(f->r.bytes, bytes);
	assert_int_equal(f->r.files, 304);
	assert_int_equal(f->r.links, 2);
	assert_ok(wb_verify_verdict(&f->r, &f->err), &f->err);
	f->o.mode = WB_VERIFY_SIZE;
	verify(f);
	assert_int_equal(f->r.hashed, 0);
	f->o.mode = WB_VERIFY_OFF;
	verify(f);
	assert_int_equal(f->r.files, 0);
}

static void flip(const struct fixture *f, const char *path, off_t offset)
{
	wb_autofree char *full = at(f, path);
	wb_autoclose int fd = open(full, O_RDWR);
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, offset), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
}

static void test_flipped_byte(void **state)
{
	struct fixture *f = *state;
	static const off_t offsets[] = {0, WB_CHUNK_SIZE - 1, WB_CHUNK_SIZE, BIG - 1};

	for (size_t i = 0; i < WB_ARRAY_LEN(offsets); i++) {
		flip(f, "app/data/a.bin", offsets[i]);
		assert_problem(f, "app/data/a.bin", WB_PROBLEM_CHANGED);
		assert_int_equal(
			f->r.problems.items[0].offset, offsets[i] / WB_CHUNK_SIZE * WB_CHUNK_SIZE);
		assert_int_equal(f->r.problems.items[0].chunks, 1);
		flip(f, "app/data/a.bin", offsets[i]);
	}
	flip(f, "app/data/small/299", 11000);
	assert_problem(f, "app/data/small/299", WB_PROBLEM_CHANGED);
	flip(f, "app/data/small/299", 11000);
	flip(f, "app/data/a.bin", 5);
	flip(f, "app/data/a.bin", BIG - 5);
	assert_problem(f, "app/data/a.bin", WB_PROBLEM_CHANGED);
	assert_int_equal(f->r.problems.items[0].chunks, 2);
	assert_int_equal(f->r.problems.items[0].offset, 0);
	f->o.mode = WB_VERIFY_SIZE;
	verify(f);
	assert_int_equal(f->r.problems.n, 0);
}

static void test_sizes_and_missing(void **state)
{
	struct fixture *f = *state;
	wb_autofree char *big = at(f, "app/data/a.bin"), *empty = at(f, "app/data/empty");

	f->o.mode = WB_VERIFY_SIZE;
	assert_int_equal(truncate(big, BIG - 1), 0);
	assert_problem(f, "app/data/a.bin", WB_PROBLEM_TRUNCATED);
	assert_contains(f->err.text, "12595256 bytes instead of 12595257");
	assert_int_equal(truncate(big, BIG + 1), 0);
	assert_problem(f, "app/data/a.bin", WB_PROBLEM_LONGER);
	f->o.mode = WB_VERIFY_FULL;
	assert_problem(f, "app/data/a.bin", WB_PROBLEM_LONGER);
	assert_int_equal(truncate(big, BIG), 0);
	assert_problem(f, "app/data/a.bin", WB_PROBLEM_CHANGED);
	flip(f, "app/data/a.bin", BIG - 1);
	unlink(big);
	assert_problem(f, "app/data/a.bin", WB_PROBLEM_MISSING);
	put_link(f, "app/data/a.bin", "one-chunk");
	assert_problem(f, "app/data/a.bin", WB_PROBLEM_NOT_A_FILE);
	unlink(big);
	assert_int_equal(mkfifo(big, 0644), 0);
	assert_problem(f, "app/data/a.bin", WB_PROBLEM_NOT_A_FILE);
	unlink(big);
	unlink(empty);
	verify(f);
	assert_int_equal(f->r.problems.n, 2);
	assert_int_equal(wb_verify_verdict(&f->r, &f->err), -1);
	assert_contains(f->err.text, "2 files are not what was packed");
}

static void test_missing_directory(void **state)
{
	struct fixture *f = *state;
	wb_autofree char *small = at(f, "app/data/small");
	struct wb_err err;

	assert_ok(wb_remove_tree(small, &err), &err);
	verify(f);
	assert_int_equal(f->r.problems.n, 300);
	assert_string_equal(f->r.problems.items[0].path, "app/data/small/000");
	assert_string_equal(f->r.problems.items[299].path, "app/data/small/299");
}

static void test_links(void **state)
{
	struct fixture *f = *state;
	wb_autofree char *full = at(f, "app/data/z-link");

	put_link(f, "app/data/z-link", "one-chunk");
	assert_problem(f, "app/data/z-link", WB_PROBLEM_WRONG_TARGET);
	assert_contains(f->err.text, "points to \"one-chunk\" instead of \"a.bin\"");
	unlink(full);
	put(f, "app/data/z-link", "x", 1);
	assert_problem(f, "app/data/z-link", WB_PROBLEM_NOT_A_LINK);
	unlink(full);
	assert_problem(f, "app/data/z-link", WB_PROBLEM_MISSING);
}

static void test_extra(void **state)
{
	struct fixture *f = *state;
	wb_autofree char *extra = at(f, "app/data/small/extra.bin");

	put(f, "app/data/small/extra.bin", "x", 1);
	assert_problem(f, "app/data/small/extra.bin", WB_PROBLEM_EXTRA);
	f->o.extra = false;
	verify(f);
	assert_int_equal(f->r.problems.n, 0);
	f->o.extra = true;
	f->m.sources.items[0].shared = true;
	verify(f);
	assert_int_equal(f->r.problems.n, 0);
	f->m.sources.items[0].shared = false;
	unlink(extra);
	/* a whole directory is one problem */
	put(f, "app/data/new/deep/er/x", "x", 1);
	assert_problem(f, "app/data/new", WB_PROBLEM_EXTRA);
	/* beside the mounts nothing is looked at */
	wb_autofree char *dir = at(f, "app/data/new");
	struct wb_err err;
	assert_ok(wb_remove_tree(dir, &err), &err);
	put(f, "app/model.py", "x", 1);
	put(f, "app/database/x", "x", 1);
	verify(f);
	assert_int_equal(f->r.problems.n, 0);
}

static void test_extra_in_hub_cache(void **state)
{
	struct fixture *f = *state;

	put(f, "hub/.locks/models--o--r/b1.lock", "", 0);
	put(f, "hub/models--o--r/refs/main", "abc", 3);
	put(f, "hub/models--o--r/.no_exist/abc/adapter.json", "", 0);
	put(f, "hub/models--other--m/blobs/x", "x", 1);
	verify(f);
	assert_int_equal(f->r.problems.n, 0);
	put(f, "hub/models--o--r/snapshots/abc/more.safetensors", "x", 1);
	assert_problem(f, "hub/models--o--r/snapshots/abc/more.safetensors", WB_PROBLEM_EXTRA);
}

static void test_nested_mounts(void **state)
{
	struct fixture *f = *state;

	add_source(f, "/app/data/small");
	add_source(f, "/app/data");
	put(f, "app/data/small/extra.bin", "x", 1);
	assert_problem(f, "app/data/small/extra.bin", WB_PROBLEM_EXTRA);
}

static void test_modes(void **state)
{
	struct fixture *f = *state;
	wb_autofree char *full = at(f, "app/data/empty");

	assert_int_equal(chmod(full, 0600), 0);
	verify(f);
	assert_int_equal(f->r.problems.n, 0);
	f->o.modes = true;
	assert_problem(f, "app/data/empty", WB_PROBLEM_WRONG_MODE);
	assert_contains(f->err.text, "0600 instead of 0644");
}

static void test_sample(void **state)
{
	struct fixture *f = *state;
	uint64_t hashed = 0;
	bool found = false;

	f->o.mode = WB_VERIFY_SAMPLE;
	f->o.share = 0.2;
	verify(f);
	assert_int_equal(f->r.problems.n, 0);
	assert_in_range(f->r.chunks, 20, 120);
	hashed = f->r.hashed;
	verify(f);
	assert_int_equal(f->r.hashed, hashed); /* the same seed, the same chunks */
	flip(f, "app/data/a.bin", 0);
	for (f->o.seed = 0; f->o.seed < 100; f->o.seed++) {
		verify(f);
		found |= f->r.problems.n == 1;
	}
	assert_true(found);
	flip(f, "app/data/a.bin", 0);
	f->o.share = 1e-9;
	verify(f);
	assert_int_equal(f->r.chunks, 1);
	f->o.share = 1;
	verify(f);
	assert_int_equal(f->r.chunks, 306);
}

static void test_hard_links_read_once(void **state)
{
	struct fixture *f = *state;
	wb_autofree char *from = at(f, "app/data/a.bin"), *to = at(f, "app/data/b.bin");
	const struct wb_bundle_entry *a = entry(f, "app/data/a.bin");
	struct wb_bundle_entry b = *a;

	b.path = wb_strdup("app/data/b.bin");
	b.states = wb_states_new(b.size);
	memcpy(b.states, a->states, wb_states_count(b.size) * sizeof(*b.states));
	assert_int_equal(link(from, to), 0);
	/* keeps the order: right after a.bin */
	wb_vec_push(&f->m.entries);
	memmove(f->m.entries.items + 2, f->m.entries.items + 1, (f->m.entries.n - 2) * sizeof(b));
	f->m.entries.items[1] = b;
	verify(f);
	assert_int_equal(f->r.problems.n, 0);
	assert_int_equal(f->r.chunks, 306);
	/* linked, but they should differ: both are read */
	f->m.entries.items[1].digest.bytes[0] ^= 1;
	f->m.entries.items[1].states[0].bytes[0] ^= 1;
	assert_problem(f, "app/data/b.bin", WB_PROBLEM_CHANGED);
}

static void test_links_do_not_lead_out(void **state)
{
	struct fixture *f = *state;
	wb_autofree char *small = at(f, "app/data/small"), *moved = at(f, "moved");
	wb_autofree char *outside = wbtest_dir(), *target = wb_asprintf("%s/small", outside);

	/* out of the root by an absolute link: the same content there must not count */
	assert_int_equal(rename(small, target), 0);
	put_link(f, "app/data/small", target);
	verify(f);
	assert_int_equal(f->r.problems.n, 300);
	assert_int_equal(f->r.problems.items[0].kind, WB_PROBLEM_MISSING);
	/* inside the root, absolute: as a container would follow it */
	assert_int_equal(rename(target, moved), 0);
	put_link(f, "app/data/small", "/moved");
	verify(f);
	assert_int_equal(f->r.problems.n, 0);
	rmdir(outside);
}

static void test_deadline_and_cancel(void **state)
{
	struct fixture *f = *state;

	f->o.deadline = 1e-9;
	assert_err(wb_verify_root(&f->r, f->dir, &f->m, &f->o, &f->err), &f->err, WB_ERR_LIMIT);
	assert_contains(f->err.text, "deadline");
	wb_verify_report_release(&f->r);
	f->o.deadline = 1000;
	verify(f);
	assert_int_equal(f->r.problems.n, 0);
	wb_cancel_request(15);
	assert_err(wb_verify_root(&f->r, f->dir, &f->m, &f->o, &f->err), &f->err, WB_ERR_CANCELLED);
	wb_cancel_request(0);
}

static void test_no_root(void **state)
{
	struct fixture *f = *state;

	assert_err(wb_verify_root(&f->r, "/does/not/exist", &f->m, &f->o, &f->err), &f->err,
		WB_ERR_NOT_FOUND);
}

static void test_unreadable(void **state)
{
	struct fixture *f = *state;
	wb_autofree char *full = at(f, "app/data/empty"), *dir = at(f, "app/data");

	if (geteuid() == 0 && seteuid(60000))
		skip();
	/* a file without bytes is not opened, but its directory must be */
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(chmod(full, 0), 0);
	flip(f, "app/data/one-chunk", 0);
	flip(f, "app/data/one-chunk", 0);
	wb_autofree char *one = at(f, "app/data/one-chunk");
	assert_int_equal(chmod(one, 0), 0);
	assert_int_equal(seteuid(60000), 0);
	verify(f);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(f->r.problems.n, 1);
	assert_int_equal(f->r.problems.items[0].kind, WB_PROBLEM_UNREADABLE);
	assert_string_equal(f->r.problems.items[0].path, "app/data/one-chunk");
	(void)dir;
}

static void *truncate_soon(void *arg)
{
	const struct timespec soon = {.tv_nsec = 1500000};

	nanosleep(&soon, NULL);
	assert_int_equal(truncate(arg, 100), 0);
	return NULL;
}

/* Bytes that are looked at in place and vanish meanwhile are a finding, not the end. A busy machine
 * does not always let them vanish in time. */
static void test_truncated_while_read(void **state)
{
	struct fixture *f = *state;
	const size_t size = 16u * WB_CHUNK_SIZE;
	uint8_t *zeros = wb_zalloc(size);
	wb_autofree char *path = at(f, "app/data/zeros");
	unsigned found = 0;

	wb_bundle_manifest_release(&f->m);
	add_source(f, "/app/data");
	add_file(f, "app/data/zeros", zeros, size);
	f->o.extra = false;
	for (int i = 0; i < 4 || (!found && i < 100); i++) {
		pthread_t thread;

		put(f, "app/data/zeros", zeros, size);
		pthread_create(&thread, NULL, truncate_soon, path);
		wb_verify_report_release(&f->r);
		assert_ok(wb_verify_root(&f->r, f->dir, &f->m, &f->o, &f->err), &f->err);
		pthread_join(thread, NULL);
		assert_true(f->r.problems.n <= 1);
		if (f->r.problems.n)
			assert_int_equal(f->r.problems.items[0].kind, WB_PROBLEM_TRUNCATED);
		found += f->r.problems.n > 0;
	}
	assert_true(found > 0);
	free(zeros);
}

static void test_mode_names(void **state)
{
	static const char *const names[] = {"off", "size", "sample", "full"};
	enum wb_verify_mode mode;
	struct wb_err err;

	for (size_t i = 0; i < WB_ARRAY_LEN(names); i++) {
		assert_ok(wb_verify_mode_parse(&mode, names[i], &err), &err);
		assert_int_equal(mode, i);
		assert_string_equal(wb_verify_mode_name(mode), names[i]);
	}
	assert_err(wb_verify_mode_parse(&mode, "Full", &err), &err, WB_ERR_USAGE);
	assert_contains(err.text, "\"Full\"");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_sound),
		CASE(test_flipped_byte),
		CASE(test_sizes_and_missing),
		CASE(test_missing_directory),
		CASE(test_links),
		CASE(test_extra),
		CASE(test_extra_in_hub_cache),
		CASE(test_nested_mounts),
		CASE(test_modes),
		CASE(test_sample),
		CASE(test_hard_links_read_once),
		CASE(test_links_do_not_lead_out),
		CASE(test_deadline_and_cancel),
		CASE(test_no_root),
		CASE(test_unreadable),
		CASE(test_truncated_while_read),
		cmocka_unit_test(test_mode_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
