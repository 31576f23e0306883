#include "oci/reference.h"

#include <string.h>

#include "base/text.h"

static const struct transport_name {
	const char *prefix;
	enum wb_place_kind kind;
} transports[] = {
	{"docker://", WB_PLACE_REGISTRY},
	{"oci:", WB_PLACE_LAYOUT},
	{"oci-archive:", WB_PLACE_ARCHIVE},
	{"docker-archive:", WB_PLACE_DOCKER_ARCHIVE},
};

/* Transports that people may know from skopeo and that we do not speak: a clear word instead of
 * taking "dir" for a host name. */
static const char *const foreign[] = {"dir:", "containers-storage:", "docker-daemon:", "sif:",
	"ostree:", "tarball:", "oci-layout:", "oci-layout://", "file:", "file://", NULL};

static int refuse(struct wb_err *err, const char *text, const char *why)
{
	wb_autofree char *shown = wb_text_quote(text, 200);

	return wb_err_set(err, WB_ERR_USAGE, "\"%s\" does not name an image: %s", shown, why);
}

/* DIR@sha256:… : a digest can only stand at the end. */
static int cut_digest(struct wb_place *p, char *rest, const char *text, struct wb_err *err)
{
	char *at = strstr(rest, "@sha256:");

	if (!at)
		return 0;
	if (wb_digest_parse(&p->digest, at + 1, err))
		return refuse(err, text, "what follows \"@\" is not a digest");
	p->has_digest = true;
	*at = '\0';
	return 0;
}

static int take_suffix(struct wb_place *p, const char *suffix, const char *text, struct wb_err *err)
{
	if (p->kind == WB_PLACE_DOCKER_ARCHIVE) {
		if (wb_reference_parse(&p->reference, suffix, err))
			return -1;
		p->has_reference = true;
		wb_reference_default_tag(&p->reference);
		if (p->reference.has_digest)
			return refuse(err, text, "a docker archive names images by tag only");
		return 0;
	}
	if (!wb_refname_valid(suffix)) {
		refuse(err, text, "what follows the second \":\" is not a tag");
		return wb_err_hint(err,
			"a path with \":\" in it cannot be written here; use another "
			"name for the folder or file");
	}
	p->tag = wb_strdup(suffix);
	return 0;
}

static int take_path(struct wb_place *p, const char *text, const char *after, struct wb_err *err)
{
	wb_autofree char *rest = wb_strdup(after);

	if (p->kind != WB_PLACE_DOCKER_ARCHIVE && cut_digest(p, rest, text, err))
		return -1;
	char *colon = strchr(rest, ':');

	if (colon)
		*colon = '\0';
	if (!*rest)
		return refuse(err, text, "the path is empty");
	p->path = wb_strdup(rest);
	/* "oci:dir:" is what a script with an empty $TAG writes: no tag. */
	if (!colon || !colon[1])
		return 0;
	if (p->has_digest)
		return refuse(err, text, "it has both a tag and a digest");
	return take_suffix(p, colon + 1, text, err);
}

static int take_reference(struct wb_place *p, const char *text, struct wb_err *err)
{
	if (wb_reference_parse(&p->reference, text, err))
		return -1;
	wb_reference_default_tag(&p->reference);
	p->has_reference = true;
	return 0;
}

static int parse(struct wb_place *p, const char *text, struct wb_err *err)
{
	for (size_t i = 0; i < WB_ARRAY_LEN(transports); i++) {
		if (!wb_str_starts(text, transports[i].prefix))
			continue;
		const char *after = text + strlen(transports[i].prefix);

		p->kind = transports[i].kind;
		return p->kind == WB_PLACE_REGISTRY ? take_reference(p, after, err)
		                                    : take_path(p, text, after, err);
	}
	for (size_t i = 0; foreign[i]; i++) {
		if (!wb_str_starts(text, foreign[i]) ||
			(foreign[i][strlen(foreign[i]) - 1] == ':' &&
				strspn(text + strlen(foreign[i]), "0123456789") > 0))
			continue; /* "dir:5000/name" is a host with a port */
		refuse(err, text, "this transport is not supported");
		return wb_err_hint(err, "use oci:DIR, oci-archive:FILE, docker-archive:FILE or "
					"docker://HOST/NAME");
	}
	return take_reference(p, text, err);
}

int wb_place_parse(struct wb_place *out, const char *text, struct wb_err *err)
{
	WB_AUTO(wb_place_release) struct wb_place p = WB_PLACE_INIT;

	if (parse(&p, text, err))
		return -1;
	*out = p;
	p = WB_PLACE_INIT;
	return 0;
}

void wb_place_release(struct wb_place *p)
{
	free(p->path);
	free(p->tag);
	wb_reference_release(&p->reference);
	*p = WB_PLACE_INIT;
}

char *wb_place_text(const struct wb_place *p)
{
	const char *prefix = "";

	for (size_t i = 0; i < WB_ARRAY_LEN(transports); i++)
		if (transports[i].kind == p->kind)
			prefix = transports[i].prefix;
	wb_autofree char *ref = p->has_reference ? wb_reference_text(&p->reference) : NULL;

	if (p->kind == WB_PLACE_REGISTRY)
		return wb_asprintf("%s%s", prefix, ref);
	if (p->has_digest)
		return wb_asprintf("%s%s@%s", prefix, p->path, wb_digest_text(&p->digest).s);
	const char *name = ref ? ref : p->tag;

	return wb_asprintf("%s%s%s%s", prefix, p->path, name ? ":" : "", name ? name : "");
}
