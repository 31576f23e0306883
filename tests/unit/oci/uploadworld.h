/* What the tests of uploads share: a blob in a file, and a registry in this process. */
#ifndef WB_TESTS_UNIT_OCI_UPLOADWORLD_H
#define WB_TESTS_UNIT_OCI_UPLOADWORLD_H

#include "wbtest.h"

#include <fcntl.h>
#include <unistd.h>

#include "oci/fakeregistry.h"
#include "oci/registry.h"

#define SIZE 10000
#define CHUNK 2500

struct world {
	struct fake f;
	char *dir, *file, *journal;
	char data[SIZE];
	struct wb_descriptor d;
	struct wb_quirks_memory *quirks;
	struct wb_registry_opts o;
	const char *name;
};

static inline int setup(void **state)
{
	struct world *w = wb_zalloc(sizeof(*w));
	struct wb_err err = WB_ERR_INIT;

	unsetenv("REGISTRY_AUTH_FILE");
	setenv("DOCKER_CONFIG", "/nonexistent", 1);
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	fake_start(&w->f);
	w->dir = wbtest_dir();
	w->file = wb_asprintf("%s/blob", w->dir);
	w->journal = wb_asprintf("%s/journal", w->dir);
	for (size_t i = 0; i < SIZE; i++)
		w->data[i] = (char)(i * 7 + i / 256);
	assert_ok(wb_file_put(w->file, w->data, SIZE, 0644, 0, &err), &err);
	wb_descriptor_of(&w->d, "application/octet-stream", w->data, SIZE);
	w->quirks = wb_quirks_memory_new(NULL);
	w->o = (struct wb_registry_opts){.quirks = w->quirks,
		.journal_dir = w->journal,
		.chunk_size = CHUNK,
		.chunk_from = 1000,
		.http = {.backoff_unit_s = 0.01, .retries = 2}};
	w->name = "up";
	*state = w;
	return 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	wb_quirks_memory_free(w->quirks);
	fake_stop(&w->f);
	wb_descriptor_release(&w->d);
	wbtest_rmdir(w->dir);
	free(w->file);
	free(w->journal);
	free(w);
	return 0;
}

static inline struct wb_transport *open_registry(struct world *w)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_place p = WB_PLACE_INIT;
	wb_autofree char *text = wb_asprintf("docker://127.0.0.1:%u/%s:t", w->f.s.port, w->name);

	assert_ok(wb_place_parse(&p, text, &err), &err);
	struct wb_transport *t = wb_registry_open(&p, &w->o, WB_TRANSPORT_WRITE, &err);

	wb_place_release(&p);
	assert_non_null(t);
	return t;
}

static inline int push(struct world *w, struct wb_put_result *r, struct wb_err *err)
{
	struct wb_blob_source src = {.path = w->file, .whole_file = true, .trusted = true};
	struct wb_transport *t = open_registry(w);
	int rc = wb_transport_put_blob(r, t, &w->d, &src, NULL, err);

	wb_transport_free(t);
	fake_settle(&w->f);
	return rc;
}

static inline void assert_there(struct world *w)
{
	wb_autofree char *key = wb_asprintf("%s %s", w->name, wb_digest_text(&w->d.digest).s);
	struct fake_blob *b = fake_find(&w->f, false, key);

	assert_non_null(b);
	assert_int_equal(b->n, SIZE);
	assert_memory_equal(b->data, w->data, SIZE);
}

static inline struct wb_quirks learned(struct world *w)
{
	wb_autofree char *host = wb_asprintf("127.0.0.1:%u", w->f.s.port);
	struct wb_quirks q;

	wb_quirks_get(&q, w->quirks, host);
	return q;
}

#define PUSH_OK(w, r)                                        \
	do {                                                 \
		struct wb_err push_err = WB_ERR_INIT;        \
		assert_ok(push(w, r, &push_err), &push_err); \
		assert_there(w);                             \
	} while (0)

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
