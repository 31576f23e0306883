#include "builder/cli/options.h"

#include <getopt.h>
#include <string.h>

#include "base/text.h"

const struct wb_option wb_options[OPT_COUNT] = {
	[OPT_FILE] = {"file", 'f', "FILE", NULL, false, "the config (default DIR/config.yaml)"},
	[OPT_TAG] = {"tag", 't', "REF", NULL, true, "name of the result"},
	[OPT_OUTPUT] = {"output", 'o', "SPEC", NULL, true,
		"where the result goes: type=oci,dest=FILE; type=oci,tar=false,dest=DIR; "
		"type=docker,dest=FILE; type=registry; type=local,dest=DIR; type=tar,dest=FILE"},
	[OPT_PUSH] = {"push", 0, NULL, NULL, false, "short for --output type=registry"},
	[OPT_BASE] = {"base", 0, "REF", NULL, false,
		"the image to append to, or scratch (default: the config's base_image)"},
	[OPT_PLATFORM] = {"platform", 0, "LIST", NULL, false,
		"platforms of the base to append to (default: all that it has)"},
	[OPT_COMPRESSION] = {"compression", 0, "KIND", "auto|zstd|gzip|none", false,
		"how layers are compressed (default auto: zstd, raw where it does not pay)"},
	[OPT_COMPRESSION_LEVEL] = {"compression-level", 0, "N", NULL, false,
		"level of the compressor (default 0: chosen by content)"},
	[OPT_COMPAT] = {"compat", 0, "KIND", "oci|docker|kserve", false,
		"the consumer to please where it cannot take zstd layers"},
	[OPT_SECRET] = {"secret", 0, "SPEC", NULL, true, "id=NAME[,src=FILE|,env=VAR]"},
	[OPT_ALLOW_SECRET] = {"allow-secret", 0, "PATH", NULL, true,
		"pack this path of the image though it holds a secret (a pattern)"},
	[OPT_LOCKED] = {"locked", 0, NULL, NULL, false, "fail if wbuild.lock would change"},
	[OPT_FROZEN] = {"frozen", 0, NULL, NULL, false,
		"as --locked, and touch no network for sources"},
	[OPT_OFFLINE] = {"offline", 0, NULL, NULL, false,
		"use the content store only; a missing file is an error"},
	[OPT_BUNDLE_VOLUMES] = {"bundle-volumes", 0, NULL, NULL, false,
		"bake use_volume: true entries too"},
	[OPT_NO_STUB] = {"no-stub", 0, NULL, NULL, false,
		"leave the runtime stub out of the image"},
	[OPT_VERIFY] = {"verify", 0, "MODE", "off|size|sample|full", false,
		"what the stub checks at start by default"},
	[OPT_MAX_SIZE] = {"max-size", 0, "SIZE", NULL, false,
		"refuse larger bundles (default 50GB)"},
	[OPT_WARN_SIZE] = {"warn-size", 0, "SIZE", NULL, false,
		"warn above this size (default 1GB)"},
	[OPT_JOBS] = {"jobs", 'j', "N", NULL, false,
		"workers for hashing and packing (default: cores)"},
	[OPT_CONNECTIONS] = {"connections", 0, "N", NULL, false, "connections to one host at most"},
	[OPT_LIMIT_RATE] = {"limit-rate", 0, "RATE", NULL, false,
		"bytes per second at most, as 10MB"},
	[OPT_PROGRESS] = {"progress", 0, "KIND", "auto|tty|plain|rawjson|quiet", false,
		"how progress is shown on stderr"},
	[OPT_QUIET] = {"quiet", 'q', NULL, NULL, false, "results only"},
	[OPT_VERBOSE] = {"verbose", 'v', NULL, NULL, true, "say more (twice: requests too)"},
	[OPT_METADATA_FILE] = {"metadata-file", 0, "FILE", NULL, false,
		"write the result's metadata as JSON"},
	[OPT_IIDFILE] = {"iidfile", 0, "FILE", NULL, false, "write the image ID"},
	[OPT_FORMAT] = {"format", 0, "FORMAT", "text|json|github", false,
		"how the report is written (github: validate only)"},
	[OPT_HTML] = {"html", 0, "FILE", NULL, false,
		"write the report as one page of HTML instead"},
	[OPT_CACHE_DIR] = {"cache-dir", 0, "DIR", NULL, false,
		"the content store (default $WBUILD_CACHE_DIR, ~/.cache/wbuild)"},
	[OPT_LABEL] = {"label", 0, "KEY=VALUE", NULL, true, "set a label of the image"},
	[OPT_ANNOTATION] = {"annotation", 0, "KEY=VALUE", NULL, true,
		"set an annotation of the manifest"},
	[OPT_ENV] = {"env", 0, "KEY=VALUE", NULL, true, "set an environment variable of the image"},
	[OPT_INSECURE] = {"insecure", 0, NULL, NULL, false, "allow plain http:// sources"},
	[OPT_PLAIN_HTTP] = {"plain-http", 0, NULL, NULL, false, "speak http to the registry"},
	[OPT_TLS_VERIFY] = {"tls-verify", 0, "BOOL", "true|false", false,
		"false: take any certificate of the registry (default true)"},
	[OPT_CA_FILE] = {"ca-file", 0, "FILE", NULL, false, "trust these certificates too (PEM)"},
	[OPT_MOUNT_FROM] = {"mount-from", 0, "REPOSITORY", NULL, true,
		"repository of the same registry to take layers from"},
	[OPT_REGISTRY_LIMITS] = {"registry-limits", 0, "WHAT", "refuse|off", false,
		"images past the registry's known limits: refuse them (default), or try"},
	[OPT_ROOT] = {"root", 0, "DIR", NULL, false, "an unpacked image to check"},
	[OPT_FIX] = {"fix", 0, NULL, NULL, false, "remove what is damaged"},
	[OPT_KEEP_BYTES] = {"keep-bytes", 0, "SIZE", NULL, false, "leave at most this much"},
	[OPT_OLDER_THAN] = {"older-than", 0, "DAYS", NULL, false,
		"remove what was not used for so many days (default 30)"},
	[OPT_DRY_RUN] = {"dry-run", 0, NULL, NULL, false, "say what would be done"},
	[OPT_YES] = {"yes", 'y', NULL, NULL, false, "do not ask"},
	[OPT_STRICT] = {"strict", 0, NULL, NULL, false, "warnings are errors"},
	[OPT_IGNORE] = {"ignore", 0, "ID", NULL, true, "leave this kind of finding out"},
	[OPT_BANDWIDTH] = {"bandwidth", 0, "RATE", NULL, false,
		"bytes per second that times are estimated with (default 125MB: 1 Gbit/s)"},
	[OPT_ALL] = {"all", 0, NULL, NULL, false, "list every file"},
	[OPT_DIFF] = {"diff", 0, NULL, NULL, false,
		"show what changed at the sources since the lockfile was written"},
	[OPT_HELP] = {"help", 'h', NULL, NULL, false, "show this help"},
};

/* getopt's tables for the options that are taken. val is the option's number. */
struct tables {
	struct option longs[OPT_COUNT + 1];
	char shorts[3 * OPT_COUNT + 3];
};

static void fill_tables(struct tables *t, const enum wb_opt *taken)
{
	char *p = t->shorts;
	size_t n = 0;

	*p++ = ':';
	for (size_t i = 0;; i++) {
		enum wb_opt opt = taken[i] == OPT_END ? OPT_HELP : taken[i];
		const struct wb_option *o = &wb_options[opt];

		t->longs[n++] = (struct option){
			o->name, o->arg ? required_argument : no_argument, NULL, 256 + (int)opt};
		if (o->short_name)
			*p++ = o->short_name;
		if (o->short_name && o->arg)
			*p++ = ':';
		if (opt == OPT_HELP)
			break;
	}
	*p = '\0';
	t->longs[n] = (struct option){0};
}

static enum wb_opt by_short(int c)
{
	for (int i = OPT_END + 1; i < OPT_COUNT; i++)
		if (wb_options[i].short_name == c)
			return (enum wb_opt)i;
	return OPT_END;
}

static int unknown_option(
	const char *command, const char *word, const enum wb_opt *taken, struct wb_err *err)
{
	const char *names[OPT_COUNT + 1];
	size_t n = 0;

	for (; taken[n] != OPT_END; n++)
		names[n] = wb_options[taken[n]].name;
	names[n] = NULL;
	wb_autofree char *name = wb_strndup(word, strcspn(word, "="));
	const char *near = wb_text_nearest(name + strspn(name, "-"), names);

	wb_err_set(err, WB_ERR_USAGE, "%s: unknown option \"%s\"", command, name);
	return near ? wb_err_hint(err, "did you mean --%s?", near)
	            : wb_err_hint(err, "\"wbuild help %s\" lists the options", command);
}

int wb_args_parse(
	struct wb_args *out, int argc, char **argv, const enum wb_opt *taken, struct wb_err *err)
{
	struct tables t;

	fill_tables(&t, taken);
	optind = 0; /* glibc: start anew */
	opterr = 0;
	for (int c; (c = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1;) {
		const char *word = argv[optind - 1];

		if (c == ':')
			return wb_err_set(
				err, WB_ERR_USAGE, "%s: \"%s\" needs a value", argv[0], word);
		if (c == '?')
			return unknown_option(argv[0], word, taken, err);
		enum wb_opt opt = c >= 256 ? (enum wb_opt)(c - 256) : by_short(c);

		*wb_vec_push(&out->values[opt]) = wb_strdup(optarg ? optarg : "");
	}
	for (int i = optind; i < argc; i++)
		*wb_vec_push(&out->operands) = wb_strdup(argv[i]);
	return 0;
}

void wb_args_release(struct wb_args *a)
{
	for (size_t i = 0; i < OPT_COUNT; i++) {
		wb_vec_foreach (v, &a->values[i])
			free(*v);
		wb_vec_free(&a->values[i]);
	}
	wb_vec_foreach (v, &a->operands)
		free(*v);
	wb_vec_free(&a->operands);
}

bool wb_args_has(const struct wb_args *a, enum wb_opt opt)
{
	return a->values[opt].n != 0;
}

const char *wb_args_last(const struct wb_args *a, enum wb_opt opt)
{
	size_t n = a->values[opt].n;

	return n ? a->values[opt].items[n - 1] : NULL;
}

int wb_args_number(
	unsigned *out, const struct wb_args *a, enum wb_opt opt, unsigned max, struct wb_err *err)
{
	const char *text = wb_args_last(a, opt);
	uint64_t v;

	if (!text)
		return 0;
	if (!wb_parse_u64(&v, text) || v > max)
		return wb_err_set(err, WB_ERR_USAGE, "--%s: \"%s\" is not a number from 0 to %u",
			wb_options[opt].name, text, max);
	*out = (unsigned)v;
	return 0;
}

int wb_args_size(uint64_t *out, const struct wb_args *a, enum wb_opt opt, struct wb_err *err)
{
	const char *text = wb_args_last(a, opt);

	if (!text || !wb_size_parse(out, text, err))
		return 0;
	return wb_err_wrap(err, "--%s", wb_options[opt].name);
}
