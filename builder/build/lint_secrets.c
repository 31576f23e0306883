/* Credentials that would end up in a layer, by name and by content. Their text is never shown. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "base/text.h"
#include "builder/build/lint_internal.h"

#define FILE_MAX (1u << 20)  /* bytes of one file that are looked at */
#define ALL_MAX (256u << 20) /* and of all */

static const char *const file_names[] = {".env", ".env.*", "id_rsa", "id_dsa", "id_ecdsa",
	"id_ed25519", "*.p12", "*.pfx", "*.jks", "*.keystore", ".netrc", "_netrc", ".pgpass",
	".npmrc", ".pypirc", ".git-credentials", ".htpasswd", "kubeconfig", ".dockercfg",
	"service_account*.json", "service-account*.json", "s3_credentials.json",
	"*credentials.json", "client_secret*.json"};

/* Samples hold no secret by convention. */
static const char *const samples[] = {"*.example", "*.sample", "*.template", "*.dist"};

/* A token: a prefix that is its own mark, then so many characters of an alphabet. */
static const struct token {
	const char *prefix, *what;
	size_t least;
	bool upper; /* A-Z and 0-9 only */
} tokens[] = {
	{"hf_", "a Hugging Face token", 30, false},
	{"AKIA", "an AWS access key", 16, true},
	{"ASIA", "an AWS access key", 16, true},
	{"AIza", "a Google API key", 35, false},
	{"ghp_", "a GitHub token", 36, false},
	{"gho_", "a GitHub token", 36, false},
	{"ghs_", "a GitHub token", 36, false},
	{"github_pat_", "a GitHub token", 40, false},
	{"glpat-", "a GitLab token", 20, false},
	{"xoxb-", "a Slack token", 20, false},
	{"xoxp-", "a Slack token", 20, false},
	{"sk-proj-", "an OpenAI key", 40, false},
	{"sk-ant-", "an Anthropic key", 40, false},
	{"npm_", "an npm token", 36, false},
	{"dckr_pat_", "a Docker Hub token", 20, false},
	{"dop_v1_", "a DigitalOcean token", 60, false},
};

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

static bool in_token(char c, bool upper)
{
	unsigned char u = (unsigned char)c;

	return upper ? isupper(u) || isdigit(u) : isalnum(u) || c == '_' || c == '-';
}

static const char *find_token(const char *text, size_t n, const struct token *t)
{
	size_t prefix = strlen(t->prefix);

	for (const char *p = text; (p = memmem(p, n - (size_t)(p - text), t->prefix, prefix));
		p++) {
		size_t rest = n - (size_t)(p - text) - prefix, k = 0;
		const char *body = p + prefix;

		while (k < rest && in_token(body[k], t->upper))
			k++;
		bool starts = p == text || !isalnum((unsigned char)p[-1]);
		bool ends = !t->upper || k == rest || !isalnum((unsigned char)body[k]);

		/* an access key has exactly that length */
		if (starts && ends && (t->upper ? k == t->least : k >= t->least))
			return p;
	}
	return NULL;
}

/* "-----BEGIN RSA PRIVATE KEY-----", and not just the words of a test for it. */
static const char *find_key(const char *text, size_t n)
{
	static const char begin[] = "-----BEGIN ", end[] = "PRIVATE KEY-----";

	for (const char *p = text;
		(p = memmem(p, n - (size_t)(p - text), begin, sizeof(begin) - 1)); p++) {
		size_t rest = n - (size_t)(p - text);
		const char *at = memmem(p, rest < 80 ? rest : 80, end, sizeof(end) - 1);
		const char *body = at ? at + sizeof(end) - 1 : NULL;

		while (body && body < text + n &&
			(isspace((unsigned char)*body) || *body == '\\' || *body == 'n'))
			body++;
		size_t k = 0;

		while (body && body + k < text + n && isalnum((unsigned char)body[k]))
			k++;
		if (k >= 16)
			return p;
	}
	return NULL;
}

static unsigned line_of(const char *text, const char *at)
{
	unsigned line = 1;

	for (; text < at; text++)
		line += *text == '\n';
	return line;
}

static void tell(struct wb_lint *l, const struct wb_plan_file *f, const char *what, unsigned line)
{
	wb_findings_add(l->out, WB_SEV_ERROR, "secret-content", wb_lint_pos(l, f),
		"whoever pulls the image can read it: give it at run time as a secret, leave the "
		"file out, and revoke it if it was pushed before",
		"\"/%s\" holds %s, in line %u", f->path, what, line);
}

static void check_text(struct wb_lint *l, const struct wb_plan_file *f, const char *text, size_t n)
{
	const char *at = find_key(text, n);

	if (at)
		tell(l, f, "a private key", line_of(text, at));
	for (size_t i = 0; i < WB_ARRAY_LEN(tokens); i++) {
		at = find_token(text, n, &tokens[i]);
		if (at)
			tell(l, f, tokens[i].what, line_of(text, at));
	}
}

static int check_content(struct wb_lint *l, const struct wb_plan_file *f, const char *disk,
	char *buf, struct wb_err *err)
{
	wb_autoclose int fd = open(disk, O_RDONLY | O_CLOEXEC);
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
