#include "wbtest.h"

#include <endian.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/path.h"
#include "builder/fetch/part.h"

#define SIZE 1000000
#define HEADER (18 + 32) /* magic and digest; the boot's record follows */
#define RECORD 24

struct world {
	char *dir;
	struct wb_store *store;
};

static int make_world(void **state)
{
	struct world *w = wb_zalloc(sizeof(*w));
	struct wb_err err = WB_ERR_INIT;

	w->dir = wbtest_dir();
	w->store = wb_store_open(w->dir, &err);
	assert_non_null(w->store);
	*state = w;
	return 0;
}

static int drop_world(void **state)
{
	struct world *w = *state;

	wb_store_close(w->store);
	wbtest_rmdir(w->dir);
	free(w);
	return 0;
}

static char *log_of(const struct world *w)
{
	wb_autofree char *part = wb_store_part_path(w->store, "key");

	return wb_asprintf("%s.log", part);
}

/* Bytes of the whole file, of which [start, end) are noted. */
static void write_some(struct world *w, uint64_t start, uint64_t end, bool killed)
{
	WB_AUTO(wb_part_release) struct wb_part p = WB_PART_INIT;
	WB_AUTO(wb_ranges_release) struct wb_ranges have = {0};
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_part_open(&p, &have, w->store, "key", "v1", SIZE, &err), &err);
	assert_int_equal(pwrite(p.fd, "x", 1, SIZE - 1), 1);
	assert_ok(wb_part_note(&p, start, end, &err), &err);
	if (killed)
		p.unsynced = 0; /* nobody comes to say what is on the disk */
}

static uint64_t total(struct world *w, const char *validator)
{
	WB_AUTO(wb_part_release) struct wb_part p = WB_PART_INIT;
	WB_AUTO(wb_ranges_release) struct wb_ranges have = {0};
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_part_open(&p, &have, w->store, "key", validator, SIZE, &err), &err);
	return wb_ranges_total(&have);
}

/* As if the machine had been started since: the boot of the nth record is another one. */
static void reboot(struct world *w, unsigned nth)
{
	wb_autofree char *path = log_of(w);
	uint64_t other[3] = {htole64(UINT64_MAX), htole64(12345)};
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	other[2] = htole64((UINT64_MAX * 0x9e3779b97f4a7c15u ^ 12345) * 0xc2b2ae3d27d4eb4fu + 1);
	assert_int_equal(pwrite(fd, other, sizeof(other), HEADER + RECORD * nth), sizeof(other));
	close(fd);
}

static void believes_all_of_this_boot(void **state)
{
	struct world *w = *state;

	write_some(w, 0, 1000, true);
	write_some(w, 5000, 6000, true);
	assert_int_equal(total(w, "v1"), 2000);
	assert_int_equal(total(w, "v2"), 0);
	assert_int_equal(total(w, "v1"), 0);
}

static void believes_of_another_boot_what_was_synced(void **state)
{
	struct world *w = *state;

	write_some(w, 0, 1000, false); /* records: boot, range, synced */
	write_some(w, 5000, 6000, true);
	assert_int_equal(total(w, "v1"), 2000);
	reboot(w, 0);
	assert_int_equal(total(w, "v1"), 1000);
	/* what is written after that counts, what was lost does not come back */
	write_some(w, 7000, 7500, true);
	assert_int_equal(total(w, "v1"), 1500);
	reboot(w, 4);
	assert_int_equal(total(w, "v1"), 1000);
}

static void goes_on_behind_half_a_record(void **state)
{
	struct world *w = *state;
	wb_autofree char *path = log_of(w);

	write_some(w, 0, 1000, true);
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_int_equal(write(fd, "half", 4), 4);
	close(fd);
	write_some(w, 1000, 3000, true);
	assert_int_equal(total(w, "v1"), 3000);
}

static void believes_no_more_than_the_part_is_long(void **state)
{
	struct world *w = *state;
	wb_autofree char *path = wb_store_part_path(w->store, "key");

	write_some(w, 0, 1000, false);
	assert_int_equal(truncate(path, 300), 0);
	assert_int_equal(total(w, "v1"), 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(believes_all_of_this_boot, make_world, drop_world),
		cmocka_unit_test_setup_teardown(
			believes_of_another_boot_what_was_synced, make_world, drop_world),
		cmocka_unit_test_setup_teardown(
			goes_on_behind_half_a_record, make_world, drop_world),
		cmocka_unit_test_setup_teardown(
			believes_no_more_than_the_part_is_long, make_world, drop_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
