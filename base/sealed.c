#include "base/sealed.h"

#include <fnmatch.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"

enum {
	REGION = 64 << 10,
	SIZE_MIN = 64,
	SIZES = 8, /* 64 bytes to 8 KiB, each twice the one before; larger ones are mapped alone */
};

/* A piece that is free. */
struct spare {
	struct spare *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct spare *spares[SIZES];
static char *region;
static size_t region_left;

static void *map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		wb_out_of_memory();
	/* both make it better; a limit or an old kernel that forbids one is no reason to stop */
	(void)madvise(p, n, MADV_DONTDUMP);
	(void)mlock(p, n);
	return p;
}

static size_t class_of(size_t n)
{
	size_t c = 0;

	while (c < SIZES && n > (size_t)SIZE_MIN << c)
		c++;
	return c;
}

/* Lock held. */
static void *take(size_t c)
{
	size_t n = (size_t)SIZE_MIN << c;
	struct spare *s = spares[c];

	if (s) {
		spares[c] = s->next;
		s->next = NULL;
		return s;
	}
	if (region_left < n) {
		region = map(REGION); /* what is left of the last one stays unused */
		region_left = REGION;
	}
	void *p = region;

	region += n;
	region_left -= n;
	return p;
}

void *wb_sealed_alloc(size_t n)
{
	size_t c = class_of(n);

	if (c == SIZES)
		return map(n);
	pthread_mutex_lock(&lock);
	void *p = take(c);

	pthread_mutex_unlock(&lock);
	return p;
}

void wb_sealed_free(void *p, size_t n)
{
	size_t c = class_of(n);

	if (!p)
		return;
	explicit_bzero(p, n);
	if (c == SIZES) {
		munmap(p, n);
		return;
	}
	struct spare *s = p;

	pthread_mutex_lock(&lock);
	s->next = spares[c];
	spares[c] = s;
	pthread_mutex_unlock(&lock);
}

/* --- the process -------------------------------------------------------------------------- */

/* Of use to wbuild alone. */
static const char *const ours[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "BASETEN_API_KEY",
	"DOCKER_AUTH_CONFIG", "WBUILD_SECRET_*"};
/* A registry's credential helper may ask its cloud with them. */
static const char *const clouds[] = {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN",
	"AZURE_CLIENT_SECRET", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "GITHUB_TOKEN", "GH_TOKEN",
	"CI_JOB_TOKEN"};
/* They may have a password in them. */
static const char *const proxies[] = {"*_PROXY", "*_proxy"};

static bool named(const char *const *patterns, size_t n, const char *entry)
{
	wb_autofree char *name = wb_strndup(entry, strcspn(entry, "="));

	for (size_t i = 0; i < n; i++)
		if (!fnmatch(patterns[i], name, 0))
			return true;
	return false;
}

bool wb_sealed_names_secret(const char *entry)
{
	return named(ours, WB_ARRAY_LEN(ours), entry) || named(clouds, WB_ARRAY_LEN(clouds), entry);
}

/* The block lies where the kernel put it, and stays what /proc shows whatever environ says. */
static void move(char **entry)
{
	size_t n = strlen(*entry);
	char *copy = wb_sealed_alloc(n + 1), *old = *entry;

	memcpy(copy, old, n);
	*entry = copy;
	explicit_bzero(old, n);
}

void wb_sealed_variable(const char *name)
{
	size_t n = strlen(name);

	for (char **e = environ; e && *e; e++)
		if (!strncmp(*e, name, n) && (*e)[n] == '=')
			move(e);
}

void wb_sealed_process(void)
{
	const struct rlimit no_core = {0, 0};

	if (!wb_env_true("WBUILD_COREDUMP")) {
		(void)setrlimit(RLIMIT_CORE, &no_core);
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	}
	for (char **e = environ; e && *e; e++)
		if (wb_sealed_names_secret(*e) ||
			(strchr(*e, '@') && named(proxies, WB_ARRAY_LEN(proxies), *e)))
			move(e);
}

char **wb_sealed_environment(void)
{
	size_t n = 0, kept = 0;

	while (environ && environ[n])
		n++;
	char **out = wb_calloc(n + 1, sizeof(*out));

	for (size_t i = 0; i < n; i++)
		if (!named(ours, WB_ARRAY_LEN(ours), environ[i]))
			out[kept++] = environ[i];
	return out;
}
