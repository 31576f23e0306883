#include "oci/journal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/sha256.h"
#include "base/text.h"

#define LOCK_TRIES 4

void wb_upload_state_release(struct wb_upload_state *s)
{
	free(s->location);
	*s = WB_UPLOAD_STATE_INIT;
}

static char *file_path(const char *dir, const struct wb_journal *j)
{
	wb_autofree char *key =
		wb_asprintf("%s\n%s\n%s", j->host, j->repository, wb_digest_text(&j->digest).s);
	struct wb_digest name;

	wb_sha256_once(&name, key, strlen(key));
	return wb_asprintf("%s/%.40s.json", dir, wb_digest_hex(&name).s);
}

/* The lock file goes with the journal; one that was removed between opening and locking guards
 * nothing any more. */
static bool hold(struct wb_journal *j, const char *lock_path)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		struct stat held, named;

		if (!wb_lock_try(&j->lock, lock_path, true))
			return false;
		if (!fstat(j->lock.fd, &held) && !stat(lock_path, &named) &&
			held.st_ino == named.st_ino && held.st_dev == named.st_dev)
			return true;
		wb_lock_release(&j->lock);
	}
	return false;
}

void wb_journal_open(struct wb_journal *j, const char *dir, const char *host,
	const char *repository, const struct wb_digest *digest)
{
	struct wb_err err = WB_ERR_INIT;

	*j = WB_JOURNAL_INIT;
	j->host = wb_strdup(host);
	j->repository = wb_strdup(repository);
	j->digest = *digest;
	if (!dir)
		return;
	if (wb_mkdirs(dir, 0700, &err)) {
		wb_debug("uploads are not journalled: %s", err.text);
		return;
	}
	wb_autofree char *path = file_path(dir, j);
	wb_autofree char *lock_path = wb_asprintf("%s.lock", path);

	if (hold(j, lock_path))
		j->path = wb_steal(path);
	else
		wb_debug("another process uploads %s to \"%s/%s\"", wb_digest_text(digest).s, host,
			repository);
}

void wb_journal_release(struct wb_journal *j)
{
	wb_lock_release(&j->lock);
	free(j->path);
	free(j->host);
	free(j->repository);
	*j = WB_JOURNAL_INIT;
}

static bool location_ok(const char *s)
{
	if (!wb_str_starts(s, "https://") && !wb_str_starts(s, "http://"))
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= 0x20 || *s == 0x7f)
			return false;
	return true;
}

int wb_upload_state_parse(struct wb_upload_state *out, const char *p, size_t n,
	const struct wb_journal *j, uint64_t now, struct wb_err *err)
{
	const char *what = "upload journal";
	wb_autojson json_t *o = wb_json_parse(p, n, what, err);
	const char *host, *repository, *digest, *location;
	struct wb_upload_state s = WB_UPLOAD_STATE_INIT;
	uint64_t version;

	if (!o || wb_json_u64(&version, o, "version", what, err) ||
		wb_json_str(&host, o, "host", what, err) ||
		wb_json_str(&repository, o, "repository", what, err) ||
		wb_json_str(&digest, o, "digest", what, err) ||
		wb_json_str(&location, o, "location", what, err) ||
		wb_json_u64(&s.acked, o, "acked", what, err) ||
		wb_json_u64(&s.size, o, "size", what, err) ||
		wb_json_u64(&s.started, o, "started", what, err))
		return -1;
	if (version != 1)
		return wb_err_set(err, WB_ERR_UNSUPPORTED, "%s: version is not 1", what);
	if (strcmp(host, j->host) || strcmp(repository, j->repository) ||
		strcmp(digest, wb_digest_text(&j->digest).s))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: it is of another upload", what);
	if (!location_ok(location) || s.acked > s.size)
		return wb_err_set(err, WB_ERR_FORMAT, "%s: it contradicts itself", what);
	if (s.started > now || now - s.started > WB_JOURNAL_DAYS * UINT64_C(86400))
		return wb_err_set(err, WB_ERR_NOT_FOUND, "%s: it is too old", what);
	s.location = wb_strdup(location);
	*out = s;
	return 0;
}

bool wb_journal_read(struct wb_upload_state *out, const struct wb_journal *j)
{
	WB_AUTO(wb_buf_release) struct wb_buf b = WB_BUF_INIT;
	struct wb_err err = WB_ERR_INIT;

	if (!j->path || access(j->path, F_OK))
		return false;
	wb_buf_init(&b, WB_JOURNAL_MAX, "upload journal");
	if (!wb_file_read(&b, j->path, &err) &&
		!wb_upload_state_parse(out, b.data, b.len, j, (uint64_t)time(NULL), &err))
		return true;
	wb_debug("%s: %s", j->path, err.text);
	return false;
}

void wb_journal_write(const struct wb_journal *j, const struct wb_upload_state *s)
{
	struct wb_err err = WB_ERR_INIT;

	if (!j->path || !wb_utf8_valid(s->location, strlen(s->location)))
		return;
	wb_autojson json_t *o = json_object();

	wb_json_set_u64(o, "version", 1);
	wb_json_set_str(o, "host", j->host);
	wb_json_set_str(o, "repository", j->repository);
	wb_json_set_str(o, "digest", wb_digest_text(&j->digest).s);
	wb_json_set_u64(o, "size", s->size);
	wb_json_set_u64(o, "acked", s->acked);
	wb_json_set_u64(o, "started", s->started);
	wb_json_set_str(o, "location", s->location);
	wb_autofree char *text = wb_json_dump_indent(o);

	if (wb_secret_find(text, strlen(text))) {
		wb_debug("the upload is not journalled: its address holds a secret");
		return;
	}
	/* Not synced: it is to outlive the process, and the registry knows better anyway. */
	if (wb_file_put(j->path, text, strlen(text), 0600, WB_FILE_REPLACE | WB_FILE_NOSYNC, &err))
		wb_debug("the upload is not journalled: %s", err.text);
}

void wb_journal_drop(const struct wb_journal *j)
{
	if (!j->path)
		return;
	wb_autofree char *lock_path = wb_asprintf("%s.lock", j->path);

	unlink(j->path);
	unlink(lock_path);
}
