#include "oci/tarfile.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cancel.h"
#include "base/file.h"

#define EXTENSION_MAX (1u << 20) /* bytes of one PAX record block or GNU long name */
#define LINKS_MAX 16             /* symlinks followed to find a member */

/* Field offsets of a header (POSIX ustar; GNU tar's differ only where noted). */
enum {
	AT_NAME = 0,
	AT_MODE = 100,
	AT_UID = 108,
	AT_GID = 116,
	AT_SIZE = 124,
	AT_MTIME = 136,
	AT_SUM = 148,
	AT_TYPE = 156,
	AT_LINK = 157,
	AT_MAGIC = 257,
	AT_PREFIX = 345,
};

struct scan {
	int fd;
	const char *name;  /* of the file, for messages */
	uint64_t size, at; /* of the file; where the next header is */
	char *path, *link; /* from the last extension header, for the next member; or NULL */
	bool has_size;
	uint64_t next_size;
	struct wb_tarfile_index *out;
};

static int bad(const struct scan *s, struct wb_err *err, const char *why)
{
	return wb_err_set(err, WB_ERR_FORMAT, "\"%s\" is not a sound tar file: %s (at byte %llu)",
		s->name, why, (unsigned long long)s->at);
}

static bool octal(uint64_t *out, const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	size_t i = 0;

	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
		if (v >> 61)
			return false;
		v = v << 3 | (uint64_t)(p[i] - '0');
	}
	for (; i < n; i++)
		if (p[i] != ' ' && p[i] != '\0')
			return false;
	*out = v;
	return true;
}

/* Octal, or GNU's base-256 with the top bit set. */
static bool number(uint64_t *out, const uint8_t *p, size_t n)
{
	uint64_t v = p[0] & 0x7f;

	if (!(p[0] & 0x80))
		return octal(out, p, n);
	for (size_t i = 1; i < n; i++) {
		if (v >> 55)
			return false;
		v = v << 8 | p[i];
	}
	*out = v;
	return true;
}

static bool sum_ok(const uint8_t *h)
{
	uint64_t want;
	unsigned sum = 0;

	for (size_t i = 0; i < WB_TARFILE_BLOCK; i++)
		sum += i >= AT_SUM && i < AT_SUM + 8 ? ' ' : h[i];
	return octal(&want, h + AT_SUM, 8) && want == sum;
}

static bool all_zero(const uint8_t *h)
{
	for (size_t i = 0; i < WB_TARFILE_BLOCK; i++)
		if (h[i])
			return false;
	return true;
}

/* "./a//b/" to "a//b": image archives are looked up by the names that their own JSON uses. */
static char *clean(const char *name)
{
	size_t n;

	while (name[0] == '/' || (name[0] == '.' && (name[1] == '/' || !name[1])))
		name++;
	n = strlen(name);
	while (n && name[n - 1] == '/')
		n--;
	return wb_strndup(name, n);
}

static char *header_name(const uint8_t *h)
{
	char name[100 + 1 + 155 + 1];
	size_t n = 0;

	if (!memcmp(h + AT_MAGIC, "ustar", 6) && h[AT_PREFIX]) {
		n = strnlen((const char *)h + AT_PREFIX, 155);
		memcpy(name, h + AT_PREFIX, n);
		name[n++] = '/';
	}
	size_t k = strnlen((const char *)h + AT_NAME, 100);

	memcpy(name + n, h + AT_NAME, k);
	name[n + k] = '\0';
	return wb_strdup(name);
}

/* A symlink is relative to its folder, a hard link to the root. */
static char *link_target(const char *name, const char *target, bool symlink)
{
	wb_autofree char *dir = wb_strdup(name);
	char *slash = strrchr(dir, '/');

	if (!symlink || target[0] == '/')
		return clean(target);
	if (slash)
		*slash = '\0';
	else
		dir[0] = '\0';
	while (target[0] == '.' && target[1] == '.' && target[2] == '/') {
		slash = strrchr(dir, '/');
		dir[slash ? slash - dir : 0] = '\0';
		target += 3;
	}
	wb_autofree char *joined = wb_asprintf("%s/%s", dir, target);

	return clean(joined);
}

static void forget_extension(struct scan *s)
{
	free(wb_steal(s->path));
	free(wb_steal(s->link));
	s->has_size = false;
}

/* One "LEN KEY=VALUE\n" record. */
static int pax_record(struct scan *s, const char *key, size_t nkey, const char *value, size_t n,
	struct wb_err *err)
{
	uint64_t size = 0;

	if (nkey >= 10 && !memcmp(key, "GNU.sparse", 10))
		return wb_err_set(err, WB_ERR_UNSUPPORTED, "\"%s\" has a sparse member", s->name);
	if (nkey == 4 && !memcmp(key, "path", 4)) {
		free(s->path);
		s->path = wb_strndup(value, n);
	} else if (nkey == 8 && !memcmp(key, "linkpath", 8)) {
		free(s->link);
		s->link = wb_strndup(value, n);
	} else if (nkey == 4 && !memcmp(key, "size", 4)) {
		for (size_t i = 0; i < n; i++) {
			if (value[i] < '0' || value[i] > '9' || !wb_mul_u64(&size, size, 10) ||
				!wb_add_u64(&size, size, (uint64_t)(value[i] - '0')))
				return bad(s, err, "a PAX size is no number");
		}
		s->has_size = true;
		s->next_size = size;
	}
	return 0;
}

static int pax(struct scan *s, const char *p, size_t n, struct wb_err *err)
{
	while (n) {
		size_t len = 0, i = 0;

		for (; i < n && i < 8 && p[i] >= '0' && p[i] <= '9'; i++)
			len = len * 10 + (size_t)(p[i] - '0');
		if (!i || i >= n || p[i] != ' ' || len > n || len < i + 3 || p[len - 1] != '\n')
			return bad(s, err, "a PAX record is damaged");
		const char *key = p + i + 1;
		const char *eq = memchr(key, '=', len - i - 2);

		if (!eq)
			return bad(s, err, "a PAX record has no \"=\"");
		if (pax_record(s, key, (size_t)(eq - key), eq + 1, (size_t)(p + len - 1 - eq - 1),
			    err))
			return -1;
		p += len;
		n -= len;
	}
	return 0;
}

/* Headers that speak of the next member: PAX 'x', GNU 'L' and 'K'. */
static int extension(struct scan *s, char type, uint64_t size, struct wb_err *err)
{
	if (size > EXTENSION_MAX)
		return bad(s, err, "an extension header is too large");
	wb_autofree char *p = wb_alloc((size_t)size + 1);

	if (wb_file_read_full(
		    s->fd, p, (size_t)size, (int64_t)(s->at + WB_TARFILE_BLOCK), s->name, err))
		return -1;
	p[size] = '\0';
	if (type == 'x')
		return pax(s, p, (size_t)size, err);
	char **slot = type == 'L' ? &s->path : &s->link;

	free(*slot);
	*slot = wb_strndup(p, (size_t)size);
	return 0;
}

static enum wb_tarfile_type member_type(char flag)
{
	switch (flag) {
	case '0':
	case '\0':
	case '7': return WB_TARFILE_FILE;
	case '5': return WB_TARFILE_DIR;
	case '1':
	case '2': return WB_TARFILE_LINK;
	default: return WB_TARFILE_OTHER;
	}
}

static int member(struct scan *s, const uint8_t *h, uint64_t size, struct wb_err *err)
{
	char flag = (char)h[AT_TYPE];

	if (s->out->members.n >= WB_TARFILE_MEMBERS_MAX)
		return wb_err_set(err, WB_ERR_LIMIT, "\"%s\" has more than %d members", s->name,
			WB_TARFILE_MEMBERS_MAX);
	wb_autofree char *raw = s->path ? wb_strdup(s->path) : header_name(h);

	if (strlen(raw) > WB_TARFILE_NAME_MAX)
		return bad(s, err, "a name is too long");
	struct wb_tarfile_member *m = wb_vec_push(&s->out->members);

	m->name = clean(raw);
	m->type = member_type(flag);
	m->offset = s->at + WB_TARFILE_BLOCK;
	m->size = size;
	if (m->type == WB_TARFILE_LINK) {
		wb_autofree char *target =
			s->link ? wb_strdup(s->link) : wb_strndup((const char *)h + AT_LINK, 100);

		m->link = link_target(m->name, target, flag == '2');
	}
	forget_extension(s);
	return 0;
}

/* The header at s->at; moves past it and its data. */
static int step(struct scan *s, const uint8_t *h, struct wb_err *err)
{
	char flag = (char)h[AT_TYPE];
	uint64_t size, next;

	if (!sum_ok(h))
		return bad(s, err, "a header's checksum is wrong");
	if (!number(&size, h + AT_SIZE, 12))
		return bad(s, err, "a size is no number");
	if (flag == 'S')
		return wb_err_set(err, WB_ERR_UNSUPPORTED, "\"%s\" has a sparse member", s->name);
	bool extends = strchr("xLK", flag) && flag;

	if (!extends && flag != 'g' && s->has_size)
		size = s->next_size;
	if (flag == '1' || flag == '2' || flag == '5')
		size = 0; /* some writers put a size here and no data */
	if (!wb_add_u64(&next, size, wb_tarfile_padding(size)) ||
		!wb_add_u64(&next, next, s->at + WB_TARFILE_BLOCK) ||
		size > s->size - (s->at + WB_TARFILE_BLOCK))
		return wb_err_set(err, WB_ERR_INTEGRITY,
			"\"%s\" ended early: a member of %llu bytes starts at byte %llu of %llu",
			s->name, (unsigned long long)size, (unsigned long long)s->at,
			(unsigned long long)s->size);
	if (extends ? extension(s, flag, size, err) : flag != 'g' && member(s, h, size, err))
		return -1;
	s->at = next;
	return 0;
}

static int refuse_compressed(const struct scan *s, const uint8_t *h, struct wb_err *err)
{
	static const struct {
		const char *magic, *word;
		size_t n;
	} known[] = {{"\x1f\x8b", "gzip", 2}, {"\x28\xb5\x2f\xfd", "zstd", 4}, {"BZh", "bzip2", 3},
		{"\xfd"
		 "7zXZ",
			"xz", 5}};

	for (size_t i = 0; i < WB_ARRAY_LEN(known); i++) {
		if (memcmp(h, known[i].magic, known[i].n))
			continue;
		wb_err_set(err, WB_ERR_UNSUPPORTED, "\"%s\" is compressed with %s", s->name,
			known[i].word);
		return wb_err_hint(err, "decompress it first");
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct wb_tarfile_member *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c ? c : (x->offset > y->offset) - (x->offset < y->offset);
}

static int check_unique(const struct scan *s, struct wb_err *err)
{
	for (size_t i = 1; i < s->out->members.n; i++) {
		const struct wb_tarfile_member *a = &s->out->members.items[i - 1], *b = a + 1;

		if (!strcmp(a->name, b->name) &&
			(a->type != WB_TARFILE_DIR || b->type != WB_TARFILE_DIR))
			return wb_err_set(err, WB_ERR_FORMAT, "\"%s\" holds \"%.100s\" twice",
				s->name, a->name);
	}
	return 0;
}

static int scan_all(struct scan *s, struct wb_err *err)
{
	uint8_t h[WB_TARFILE_BLOCK];

	while (s->size - s->at >= WB_TARFILE_BLOCK) {
		if (wb_cancel_check(err) ||
			wb_file_read_full(s->fd, h, sizeof(h), (int64_t)s->at, s->name, err))
			return -1;
		if (all_zero(h))
			return 0;
		if (s->at == 0 && refuse_compressed(s, h, err))
			return -1;
		if (step(s, h, err))
			return -1;
		/* The last member's padding may be missing; what is read from it is not. */
		if (s->at > s->size)
			return 0;
	}
	return s->at ? 0 : bad(s, err, "it is too short");
}

int wb_tarfile_index_read(
	struct wb_tarfile_index *out, int fd, const char *name, struct wb_err *err)
{
	WB_AUTO(wb_tarfile_index_release) struct wb_tarfile_index x = WB_TARFILE_INDEX_INIT;
	WB_AUTO(forget_extension) struct scan s = {.fd = fd, .name = name, .out = &x};
	struct stat st;

	if (fstat(fd, &st))
		return wb_err_sys(err, errno, "cannot read \"%s\"", name);
	if (!S_ISREG(st.st_mode)) {
		wb_err_set(err, WB_ERR_UNSUPPORTED, "\"%s\" is not a regular file", name);
		return wb_err_hint(err, "an archive is read at any place: give it as a file");
	}
	s.size = (uint64_t)st.st_size;
	if (scan_all(&s, err))
		return -1;
	if (x.members.n)
		qsort(x.members.items, x.members.n, sizeof(x.members.items[0]), by_name);
	if (check_unique(&s, err))
		return -1;
	*out = x;
	x = WB_TARFILE_INDEX_INIT;
	return 0;
}

void wb_tarfile_index_release(struct wb_tarfile_index *x)
{
	wb_vec_foreach (m, &x->members) {
		free(m->name);
		free(m->link);
	}
	wb_vec_free(&x->members);
}

static int name_cmp(const void *key, const void *m)
{
	return strcmp(key, ((const struct wb_tarfile_member *)m)->name);
}

const struct wb_tarfile_member *wb_tarfile_find(const struct wb_tarfile_index *x, const char *name)
{
	wb_autofree char *key = clean(name);
	const char *at = key;

	for (int i = 0; i < LINKS_MAX; i++) {
		const struct wb_tarfile_member *m =
			x->members.n
				? bsearch(at, x->members.items, x->members.n, sizeof(*m), name_cmp)
				: NULL;

		if (!m || m->type == WB_TARFILE_FILE)
			return m;
		if (m->type != WB_TARFILE_LINK)
			return NULL;
		at = m->link;
	}
	return NULL;
}

void wb_tarfile_header(uint8_t out[WB_TARFILE_BLOCK], const char *name, bool dir, uint64_t size)
{
	bool large = size >> 33;
	unsigned sum = 0;

	assert(strlen(name) <= 100);
	memset(out, 0, WB_TARFILE_BLOCK);
	memcpy(out + AT_NAME, name, strlen(name));
	memcpy(out + AT_MODE, dir ? "0000755" : "0000644", 8);
	memcpy(out + AT_UID, "0000000", 8);
	memcpy(out + AT_GID, "0000000", 8);
	memcpy(out + AT_MTIME, "00000000000", 12);
	out[AT_TYPE] = dir ? '5' : '0';
	if (large) {
		out[AT_SIZE] = 0x80;
		for (int i = 0; i < 8; i++)
			out[AT_SIZE + 4 + i] = (uint8_t)(size >> (56 - 8 * i));
	} else {
		char text[16];

		snprintf(text, sizeof(text), "%011llo", (unsigned long long)size);
		memcpy(out + AT_SIZE, text, 12);
	}
	memcpy(out + AT_MAGIC,
		large ? "ustar  \0"
		      : "ustar\0"
			"00",
		8);
	memset(out + AT_SUM, ' ', 8);
	for (size_t i = 0; i < WB_TARFILE_BLOCK; i++)
		sum += out[i];
	snprintf((char *)out + AT_SUM, 8, "%06o", sum);
	out[AT_SUM + 7] = ' ';
}
