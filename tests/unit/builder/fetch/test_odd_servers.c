/* Downloads from servers that do not do what they should, or do it in their own way. */
#include "fetch_world.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/hash.h"
#include "httpd.h"

#define BIG_SIZE (24u << 20) /* fetched in ranges */
#define MID_SIZE (9u << 20)  /* in one piece, and worth a HEAD */
#define LOW_SIZE (3u << 20)  /* in one piece, and not worth one */
#define TINY_SIZE 5000u      /* stays in memory */

enum odd {
	FINE,
	NO_RANGES,    /* 200 and everything, whatever is asked for */
	OTHER_RANGE,  /* the part before the one that was asked for */
	MORE,         /* a byte more than was asked for */
	LONGER,       /* announces a byte more than was listed */
	NO_LENGTH,    /* until the connection ends */
	CUT,          /* in the middle, without a length */
	REFUSED,      /* 403 */
	GONE,         /* 404 */
	BUSY,         /* 429, three times */
	HEAD_REFUSED, /* 403 to HEAD, fine otherwise */
	HEAD_TELLS,   /* the SHA-256 of the whole */
	HEAD_LIES,    /* another's */
	GET_TELLS,    /* its CRC-32C */
	GET_LIES,     /* another's */
	GET_KMS,      /* that the etag is no MD5 */
};

struct place {
	struct httpd s;
	char *dir, *bytes;
	struct wb_digest big, mid; /* of the first so many bytes */
	atomic_int odd, heads, left;
	struct wb_http *http;
	struct wb_store *store;
	struct source_log log;
	/* What the callbacks saw. */
	unsigned told, moved, arrived;
	uint64_t most;
	unsigned ends_after;
};

/* What the answer to a GET tells of the whole file. */
static char *told(const struct place *p, enum odd odd, uint64_t size)
{
	uint8_t crc[WB_HASH_SIZE_MAX];
	struct wb_hash *h = wb_hash_new(WB_HASH_CRC32C);

	wb_hash_update(h, p->bytes, size);
	wb_hash_final(h, crc);
	wb_hash_free(h);
	crc[0] ^= odd == GET_LIES;
	wb_autofree char *text = wb_base64_encode(crc, wb_hash_size(WB_HASH_CRC32C));

	if (odd == GET_TELLS || odd == GET_LIES)
		return wb_asprintf("x-amz-checksum-crc32c: %s\r\n", text);
	return wb_strdup(odd == GET_KMS ? "x-amz-server-side-encryption: aws:kms\r\n" : "");
}

static void send_part(int fd, struct place *p, int status, uint64_t from, uint64_t to,
	uint64_t size, uint64_t announced)
{
	wb_autofree char *more = told(p, (enum odd)atomic_load(&p->odd), size);
	wb_autofree char *head =
		wb_asprintf("HTTP/1.1 %d X\r\nContent-Length: %llu\r\n%s"
			    "Content-Range: bytes %llu-%llu/%llu\r\nETag: \"e\"\r\n\r\n",
			status, (unsigned long long)announced, more, (unsigned long long)from,
			(unsigned long long)to - 1, (unsigned long long)size);

	httpd_write(fd, head, strlen(head));
	httpd_write(fd, p->bytes + from, (size_t)announced);
}

static bool without_length(int fd, struct place *p, uint64_t size)
{
	static const char head[] = "HTTP/1.1 200 X\r\nConnection: close\r\nETag: \"e\"\r\n\r\n";

	httpd_write(fd, head, strlen(head));
	httpd_write(fd, p->bytes, (size_t)size);
	return false;
}

static void head_reply(int fd, struct place *p, enum odd odd, uint64_t size)
{
	struct wb_digest d = size == BIG_SIZE ? p->big : p->mid;

	p->heads++;
	if (odd == HEAD_REFUSED) {
		httpd_reply(fd, 403, NULL, "", 0);
		return;
	}
	if (odd == HEAD_LIES)
		d.bytes[0] ^= 1;
	wb_autofree char *sha = wb_base64_encode(d.bytes, sizeof(d.bytes));
	wb_autofree char *head = wb_asprintf(
		"HTTP/1.1 200 X\r\nContent-Length: %llu\r\n%s%s\r\n\r\n", (unsigned long long)size,
		odd == FINE ? "X-Nothing: 1" : "x-amz-checksum-sha256: ", odd == FINE ? "" : sha);

	httpd_write(fd, head, strlen(head));
}

static bool handle(int fd, const struct httpd_request *r, void *arg)
{
	struct place *p = arg;
	enum odd odd = (enum odd)atomic_load(&p->odd);
	uint64_t size = strstr(r->target, "big")    ? BIG_SIZE
	                : strstr(r->target, "low")  ? LOW_SIZE
	                : strstr(r->target, "tiny") ? TINY_SIZE
	                                            : MID_SIZE;
	unsigned long long from = 0, to = size - 1;
	char value[64];
	const char *range = httpd_header(r, "Range", value, sizeof(value));

	if (!strcmp(r->method, "HEAD")) {
		head_reply(fd, p, odd, size);
		return true;
	}
	if (range && sscanf(range, "bytes=%llu-%llu", &from, &to) != 2)
		return false;
	to++;
	switch (odd) {
	case NO_RANGES:
		from = 0;
		to = size;
		range = NULL;
		break;
	case OTHER_RANGE:
		if (from >= 4096) {
			from -= 4096;
			to -= 4096;
		}
		break;
	case NO_LENGTH: return without_length(fd, p, size);
	case CUT:
		if (atomic_fetch_sub(&p->left, 1) > 0)
			return without_length(fd, p, size / 2);
		return without_length(fd, p, size);
	case REFUSED: httpd_reply(fd, 403, NULL, "no", 2); return true;
	case GONE: httpd_reply(fd, 404, NULL, "no", 2); return true;
	case BUSY:
		if (atomic_fetch_sub(&p->left, 1) > 0) {
			httpd_reply(fd, 429, "Retry-After: 0\r\n", "", 0);
			return true;
		}
		break;
	case FINE:
	case MORE:
	case LONGER:
	case HEAD_REFUSED:
	case HEAD_TELLS:
	case HEAD_LIES:
	case GET_TELLS:
	case GET_LIES:
	case GET_KMS: break;
	}
	bool more = (odd == MORE && range) || (odd == LONGER && !range);

	send_part(fd, p, range ? 206 : 200, from, to, size, to - from + more);
	return true;
}

static int setup(void **state)
{
	struct place *p = wb_zalloc(sizeof(*p));
	struct wb_http_opts o = {.backoff_unit_s = 0.01, .retries = 4};
	struct wb_err err = WB_ERR_INIT;
	uint32_t x = 1;

	p->dir = wbtest_dir();
	p->bytes = wb_alloc(BIG_SIZE + 1);
	for (size_t i = 0; i < BIG_SIZE / 4; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		memcpy(p->bytes + 4 * i, &x, 4);
	}
	wb_sha256_once(&p->big, p->bytes, BIG_SIZE);
	wb_sha256_once(&p->mid, p->bytes, MID_SIZE);
	httpd_start(&p->s, handle, p);
	p->http = wb_http_new(&o, &err);
	wb_autofree char *store = wb_asprintf("%s/store", p->dir);

	p->store = wb_store_open(store, &err);
	wb_log_set_sink(source_sink, &p->log);
	*state = p;
	return p->http && p->store ? 0 : -1;
}

static int teardown(void **state)
{
	struct place *p = *state;

	wb_log_set_sink(NULL, NULL);
	wb_http_free(p->http);
	httpd_stop(&p->s);
	wb_store_close(p->store);
	wbtest_rmdir(p->dir);
	free(p->bytes);
	free(p);
	return 0;
}

static void on_progress(const struct wb_fetch_progress *progress, void *arg)
{
	struct place *p = arg;

	p->told++;
	p->most = progress->bytes_done > p->most ? progress->bytes_done : p->most;
	assert_true(progress->files_done <= progress->files);
}

static void on_moved(void *arg, struct wb_fetch_item *item, uint64_t got, bool done)
{
	struct place *p = arg;

	p->moved++;
}

static int on_arrived(const struct wb_fetch_item *item, void *arg, struct wb_err *err)
{
	struct place *p = arg;

	p->arrived++;
	return 0;
}

static int on_goes_on(void *arg, struct wb_err *err)
{
	struct place *p = arg;

	if (!p->ends_after || --p->ends_after)
		return 0;
	return wb_err_set(err, WB_ERR_CANCELLED, "enough");
}

/* Fetches one file of the server as a source of this scheme ("s3" or "http") has it. */
static int get(struct place *p, const char *scheme, const char *name, struct wb_remote_file *f,
	enum odd odd, struct wb_err *err)
{
	wb_autofree char *base = wb_asprintf("http://127.0.0.1:%u", p->s.port);
	wb_autofree char *uri =
		!strcmp(scheme, "s3") ? wb_strdup("s3://bucket") : wb_asprintf("%s/%s", base, name);
	WB_AUTO(source_clear) struct wb_source src;
	const struct wb_remote_opts ro = {.http = p->http};
	const struct wb_fetch_opts o = {.http = p->http,
		.store = p->store,
		.connections = 2,
		.progress = on_progress,
		.moved = on_moved,
		.arrived = on_arrived,
		.goes_on = on_goes_on,
		.arg = p};

	setenv("AWS_ENDPOINT_URL_S3", base, 1);
	atomic_store(&p->odd, odd);
	atomic_store(&p->left, 3);
	p->log.text[0] = '\0';
	p->told = p->moved = p->arrived = 0;
	p->most = 0;
	source_make(&src, uri, NULL);
	WB_AUTO(wb_remote_freep) struct wb_remote *r = wb_remote_open(&src, &ro, err);

	assert_non_null(r);
	f->path = (char *)name;
	f->etag = f->version = (char *)"";
	struct wb_fetch_item it = {.remote = r, .file = f, .label = uri};
	int rc = wb_fetch(&it, 1, &o, NULL, err);

	if (!rc)
		assert_true(it.done && wb_store_has(p->store, &it.digest, it.size));
	return rc;
}

/* The blob is what its name says; gone again for the next case. */
static void check_and_drop(struct place *p, const struct wb_digest *d, uint64_t size)
{
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *path = wb_store_blob_path(p->store, d);
	WB_AUTO(wb_buf_release) struct wb_buf b = WB_BUF_INIT;

	wb_buf_init(&b, BIG_SIZE + 1, "blob");
	assert_ok(wb_file_read(&b, path, &err), &err);
	assert_int_equal(b.len, size);
	assert_memory_equal(b.data, p->bytes, size);
	unlink(path);
}

static struct wb_remote_file sized(uint64_t size)
{
	return (struct wb_remote_file){.size = size};
}

static void no_ranges(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_remote_file f = sized(BIG_SIZE);

	/* Asked for a part, it sends everything: then everything is asked for, once. */
	assert_ok(get(p, "http", "big.bin", &f, NO_RANGES, &err), &err);
	check_and_drop(p, &p->big, BIG_SIZE);
	assert_int_equal(p->arrived, 1);
	assert_true(p->moved > 0 && p->told > 0);
	assert_int_equal(p->most, BIG_SIZE);
}

static void lies_about_parts(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_remote_file f = sized(BIG_SIZE);

	assert_err(get(p, "http", "big.bin", &f, OTHER_RANGE, &err), &err, WB_ERR_NET);
	assert_contains(err.text, "\"big.bin\" changed while it was fetched");
	assert_contains(err.hint, "run it again");
	assert_err(get(p, "http", "big.bin", &f, MORE, &err), &err, WB_ERR_NET);
	assert_contains(err.text, "\"big.bin\"");
	f = sized(MID_SIZE);
	assert_err(get(p, "http", "mid.bin", &f, LONGER, &err), &err, WB_ERR_NET);
	assert_contains(err.text, "announces 9437185 bytes where 9437184 were listed");
	assert_false(wb_store_has(p->store, &p->big, BIG_SIZE));
	assert_false(wb_store_has(p->store, &p->mid, MID_SIZE));
}

static void unknown_sizes(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_remote_file f = sized(WB_SIZE_UNKNOWN);

	assert_ok(get(p, "http", "mid.bin", &f, NO_LENGTH, &err), &err);
	assert_int_equal(f.size, MID_SIZE); /* it was learned */
	check_and_drop(p, &p->mid, MID_SIZE);
	/* With a length that only the answer tells. */
	f = sized(WB_SIZE_UNKNOWN);
	assert_ok(get(p, "http", "mid.bin", &f, FINE, &err), &err);
	check_and_drop(p, &p->mid, MID_SIZE);
	/* Known beforehand, a connection that ends early is no end of the file. */
	f = sized(MID_SIZE);
	assert_ok(get(p, "http", "mid.bin", &f, CUT, &err), &err);
	check_and_drop(p, &p->mid, MID_SIZE);
}

static void refusals(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_remote_file f = sized(BIG_SIZE);

	assert_err(get(p, "http", "big.bin", &f, REFUSED, &err), &err, WB_ERR_AUTH);
	assert_contains(err.hint, "a signed address may have expired");
	assert_err(get(p, "http", "big.bin", &f, GONE, &err), &err, WB_ERR_NOT_FOUND);
	assert_contains(err.text, "\"big.bin\"");
	assert_ok(get(p, "http", "big.bin", &f, BUSY, &err), &err);
	check_and_drop(p, &p->big, BIG_SIZE);
}

/* Whatever the source vouches for is checked, SHA-256 or not. */
static void other_digests(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	static const enum wb_hash_kind kinds[] = {
		WB_HASH_MD5, WB_HASH_SHA1, WB_HASH_CRC32, WB_HASH_CRC32C, WB_HASH_CRC64NVME};

	for (size_t i = 0; i < WB_ARRAY_LEN(kinds); i++) {
		enum wb_hash_kind k = kinds[i];
		struct wb_remote_file f = sized(MID_SIZE);
		struct wb_hash *h = wb_hash_new(k);

		wb_hash_update(h, p->bytes, MID_SIZE);
		wb_hash_final(h, f.known.value[k]);
		wb_hash_free(h);
		f.known.has[k] = true;
		assert_ok(get(p, "http", "mid.bin", &f, FINE, &err), &err);
		check_and_drop(p, &p->mid, MID_SIZE);
		f.known.value[k][0] ^= 1;
		assert_err(get(p, "http", "mid.bin", &f, FINE, &err), &err, WB_ERR_INTEGRITY);
		assert_contains(err.text, wb_hash_name(k));
		assert_contains(p->log.text, "fetching it again");
		assert_false(wb_store_has(p->store, &p->mid, MID_SIZE));
	}
}

/* S3 tells SHA-256 when it is asked with HEAD, which is a luxury. */
static void heads(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	static const enum odd good[] = {FINE, HEAD_REFUSED, HEAD_TELLS};

	for (size_t i = 0; i < WB_ARRAY_LEN(good); i++) {
		struct wb_remote_file f = sized(MID_SIZE);

		p->heads = 0;
		assert_ok(get(p, "s3", "mid.bin", &f, good[i], &err), &err);
		assert_int_equal(p->heads, 1);
		assert_int_equal(f.known.has_sha256, good[i] == HEAD_TELLS);
		check_and_drop(p, &p->mid, MID_SIZE);
	}
	struct wb_remote_file f = sized(BIG_SIZE);

	assert_err(get(p, "s3", "big.bin", &f, HEAD_LIES, &err), &err, WB_ERR_INTEGRITY);
	assert_contains(err.text, "sha256 is");
	assert_false(wb_store_has(p->store, &p->big, BIG_SIZE));
}

/* The answer to a GET of all of a file tells as much, just before the first byte. */
static void gets(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	static const char *const names[] = {"low.bin", "tiny.bin"};
	static const uint64_t sizes[] = {LOW_SIZE, TINY_SIZE};

	for (size_t i = 0; i < WB_ARRAY_LEN(names); i++) {
		struct wb_remote_file f = sized(sizes[i]);
		struct wb_digest d;

		wb_sha256_once(&d, p->bytes, sizes[i]);
		p->heads = 0;
		assert_ok(get(p, "s3", names[i], &f, GET_TELLS, &err), &err);
		assert_true(f.known.has[WB_HASH_CRC32C]);
		check_and_drop(p, &d, sizes[i]);
		assert_int_equal(p->heads, 0);

		f = sized(sizes[i]);
		assert_err(get(p, "s3", names[i], &f, GET_LIES, &err), &err, WB_ERR_INTEGRITY);
		assert_contains(err.text, "crc32c is");
		assert_false(wb_store_has(p->store, &d, sizes[i]));

		f = sized(sizes[i]);
		assert_true(wb_known_md5_hex(&f.known, "0123456789abcdef0123456789abcdef"));
		assert_ok(get(p, "s3", names[i], &f, GET_KMS, &err), &err);
		assert_false(f.known.has[WB_HASH_MD5]);
		assert_null(strstr(p->log.text, "fetching it again"));
		check_and_drop(p, &d, sizes[i]);
	}
}

static void ends_when_told(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_remote_file f = sized(BIG_SIZE);

	p->ends_after = 1;
	assert_err(get(p, "http", "big.bin", &f, FINE, &err), &err, WB_ERR_CANCELLED);
	assert_string_equal(err.text, "enough");
	/* What was there is still there. */
	assert_ok(get(p, "http", "big.bin", &f, FINE, &err), &err);
	check_and_drop(p, &p->big, BIG_SIZE);
}

/* A limit on file sizes stands for a disk that is full: the error names the file, and once there is
 * room again the same call succeeds. */
static void no_room(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	struct rlimit before, small;
	struct wb_remote_file f = sized(BIG_SIZE);

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 6 << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int rc = get(p, "http", "big.bin", &f, FINE, &err);

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(rc, -1);
	assert_int_equal(err.code, WB_ERR_IO);
	assert_contains(err.text, "cannot ");
	assert_ok(get(p, "http", "big.bin", &f, FINE, &err), &err);
	check_and_drop(p, &p->big, BIG_SIZE);
}

/* Somebody put a link, or a folder, where a part is to be written. */
static void parts_are_not_followed(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *victim = wb_asprintf("%s/victim", p->dir);
	wb_autofree char *label = wb_asprintf("http://127.0.0.1:%u/big.bin\nbig.bin", p->s.port);
	wb_autofree char *part = wb_store_part_path(p->store, label);
	wb_autofree char *log = wb_asprintf("%s.log", part);
	struct wb_remote_file f = sized(BIG_SIZE);

	assert_ok(wb_file_put(victim, "precious", 8, 0600, 0, &err), &err);
	const char *const places[] = {part, log};

	for (size_t i = 0; i < WB_ARRAY_LEN(places); i++) {
		unlink(places[i]);
		assert_int_equal(symlink(victim, places[i]), 0);
		assert_err(get(p, "http", "big.bin", &f, FINE, &err), &err, WB_ERR_IO);
		assert_contains(err.text, "cannot open");
		unlink(places[i]);
	}
	WB_AUTO(wb_buf_release) struct wb_buf b = WB_BUF_INIT;

	wb_buf_init(&b, 100, "victim");
	assert_ok(wb_file_read(&b, victim, &err), &err);
	assert_string_equal(b.data, "precious");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_ranges),
		cmocka_unit_test(lies_about_parts),
		cmocka_unit_test(unknown_sizes),
		cmocka_unit_test(refusals),
		cmocka_unit_test(other_digests),
		cmocka_unit_test(heads),
		cmocka_unit_test(gets),
		cmocka_unit_test(ends_when_told),
		cmocka_unit_test(no_room),
		cmocka_unit_test(parts_are_not_followed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
