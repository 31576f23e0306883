/* Credentials that would end up in a layer, by name and by content. Their text is never shown. */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "base/secret_form.h"
#include "base/text.h"
#include "builder/build/lint_internal.h"

#define FILE_MAX (1u << 20)  /* bytes of one file that are looked at */
#define ALL_MAX (256u << 20) /* and of all */
#define KINDS_MAX 16

static const char *const file_names[] = {".env", ".env.*", "id_rsa", "id_dsa", "id_ecdsa",
	"id_ed25519", "*.p12", "*.pfx", "*.jks", "*.keystore", ".netrc", "_netrc", ".pgpass",
	".npmrc", ".pypirc", ".git-credentials", ".htpasswd", "kubeconfig", ".dockercfg",
	"service_account*.json", "service-account*.json", "s3_credentials.json",
	"*credentials.json", "client_secret*.json"};

/* Samples hold no secret by convention. */
static const char *const samples[] = {"*.example", "*.sample", "*.template", "*.dist"};

static bool matches_any(const char *const *globs, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!fnmatch(globs[i], name, 0))
			return true;
	return false;
}

static bool secret_name(const char *path)
{
	const char *base = wb_path_basename(path);

	if (matches_any(samples, WB_ARRAY_LEN(samples), base))
		return false;
	return matches_any(file_names, WB_ARRAY_LEN(file_names), base) ||
	       wb_str_ends(path, ".aws/credentials") || wb_str_ends(path, ".docker/config.json") ||
	       wb_str_ends(path, ".kube/config") || wb_str_ends(path, "huggingface/token");
}

/* --- content ------------------------------------------------------------------------------ */

static unsigned line_of(const char *text, const char *at)
{
	unsigned line = 1;

	for (; text < at; text++)
		line += *text == '\n';
	return line;
}

static void tell(struct wb_lint *l, const struct wb_plan_file *f, const struct wb_secret_form *form,
	unsigned line)
{
	wb_findings_add(l->out, form->sure ? WB_SEV_ERROR : WB_SEV_WARNING, "secret-content",
		wb_lint_pos(l, f),
		"whoever pulls the image can read it: give it at run time as a secret, leave the "
		"file out, and revoke it if it was pushed before",
		"\"/%s\" holds %s, in line %u", f->path, form->what, line);
}

/* A file of many is told once for each kind. */
static void check_text(struct wb_lint *l, const struct wb_plan_file *f, const char *text, size_t n)
{
	const char *told[KINDS_MAX];
	struct wb_secret_form form;
	size_t n_told = 0;

	for (size_t from = 0; n_told < KINDS_MAX && wb_secret_form_find(&form, text, n, from);
		from = form.at + 1) {
		bool again = false;

		for (size_t i = 0; i < n_told; i++)
			again |= !strcmp(told[i], form.what);
		if (again)
			continue;
		told[n_told++] = form.what;
		tell(l, f, &form, line_of(text, text + form.at));
	}
}

static int check_content(struct wb_lint *l, const struct wb_plan_file *f, const char *disk,
	char *buf, struct wb_err *err)
{
	wb_autoclose int fd = open(disk, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, FILE_MAX);

	if (n < 0)
		return wb_err_sys(err, errno, "cannot read \"%s\"", disk);
	/* binary content has no lines, and chance would find things in it */
	if (!memchr(buf, '\0', (size_t)n))
		check_text(l, f, buf, (size_t)n);
	return 0;
}

int wb_lint_secrets(struct wb_lint *l, struct wb_err *err)
{
	wb_autofree char *buf = wb_alloc(FILE_MAX);
	uint64_t looked = 0;

	for (size_t i = 0; i < l->plan->files.n; i++) {
		const struct wb_plan_file *f = l->by_path[i];
		const char *disk = wb_lint_disk_path(l, f);

		if (secret_name(f->path))
			wb_findings_add(l->out, WB_SEV_WARNING, "secret-file", wb_lint_pos(l, f),
				"list it in .truss_ignore, or remove it",
				"\"/%s\" is usually a file of credentials", f->path);
		if (!disk || wb_file_kind_of(f->path) == WB_FILE_WEIGHTS || looked > ALL_MAX)
			continue;
		looked += f->size < FILE_MAX ? f->size : FILE_MAX;
		if (check_content(l, f, disk, buf, err))
			return -1;
	}
	return 0;
}
