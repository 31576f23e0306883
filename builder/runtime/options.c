#include "builder/runtime/options.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"

struct option {
	const char *name;  /* without the dashes */
	const char *value; /* what it takes, for the help; NULL for a switch */
	const char *env;
	const char *help;
	int (*set)(struct wb_stub_options *o, const char *value, struct wb_err *err);
};

static int choose(size_t *out, const char *value, const char *const *words, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf list = WB_BUF_INIT;

	for (size_t i = 0; words[i]; i++)
		if (!strcmp(value, words[i])) {
			*out = i;
			return 0;
		}
	wb_buf_init(&list, 256, "list of words");
	for (size_t i = 0; words[i]; i++)
		wb_buf_must(&list, "%s%s", i ? ", " : "", words[i]);
	return wb_err_set(err, WB_ERR_USAGE, "\"%.40s\" is not one of %s", value, list.data);
}

/* A plain decimal number above zero, "30" or "0.5"; no exponent, no sign, no locale. */
static int positive(double *out, const char *value, struct wb_err *err)
{
	double v = 0, unit = 1;
	const char *p = value;

	for (bool point = false; *p && p - value < 16; p++) {
		if (*p == '.' && !point) {
			point = true;
		} else if (*p >= '0' && *p <= '9') {
			v = v * 10 + (*p - '0');
			unit = point ? unit * 10 : unit;
		} else {
			break;
		}
	}
	if (*p || v <= 0)
		return wb_err_set(err, WB_ERR_USAGE, "\"%.40s\" is not a number above 0", value);
	*out = v / unit;
	return 0;
}

static int set_verify(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	return wb_verify_mode_parse(&o->verify.mode, value, err);
}

static int set_sample(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	double percent = 0;

	if (positive(&percent, value, err))
		return -1;
	if (percent > 100)
		return wb_err_set(err, WB_ERR_USAGE, "\"%.40s\" is more than 100 percent", value);
	o->verify.share = percent / 100;
	return 0;
}

static int set_seed(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	if (!wb_parse_u64(&o->verify.seed, value))
		return wb_err_set(err, WB_ERR_USAGE, "\"%.40s\" is not a whole number", value);
	return 0;
}

static int set_jobs(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	uint64_t n;

	if (!wb_parse_u64(&n, value) || n == 0 || n > 1024)
		return wb_err_set(
			err, WB_ERR_USAGE, "\"%.40s\" is not a number from 1 to 1024", value);
	o->verify.threads = (unsigned)n;
	return 0;
}

static int set_deadline(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	return positive(&o->verify.deadline, value, err);
}

static int set_timeout(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	return positive(&o->timeout, value, err);
}

static int set_extra(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	static const char *const words[] = {"fail", "warn", "ignore", NULL};
	size_t i;

	if (choose(&i, value, words, err))
		return -1;
	o->extra = (enum wb_extra_mode)(i + WB_EXTRA_FAIL);
	o->verify.extra = o->extra != WB_EXTRA_IGNORE;
	return 0;
}

static int set_mount(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	static const char *const words[] = {"none", "link", "bind", NULL};
	size_t i;

	if (choose(&i, value, words, err))
		return -1;
	o->place = (enum wb_place_mode)i;
	o->place_set = true;
	return 0;
}

static int set_absolute(const char **out, const char *value, struct wb_err *err)
{
	if (*value != '/')
		return wb_err_set(err, WB_ERR_USAGE, "\"%.200s\" is not an absolute path", value);
	*out = value;
	return 0;
}

static int set_from(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	return set_absolute(&o->from, value, err);
}

static int set_manifest(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	return set_absolute(&o->manifest, value, err);
}

static int set_ready_file(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	return set_absolute(&o->ready_file, value, err);
}

static int set_failed_file(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	return set_absolute(&o->failed_file, value, err);
}

static int set_format(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	static const char *const words[] = {"text", "json", NULL};
	size_t i;

	if (choose(&i, value, words, err))
		return -1;
	o->json = i == 1;
	return 0;
}

/* A switch's value is "1" from the command line, and a word from the environment. */
static int read_switch(bool *out, const char *value, struct wb_err *err)
{
	static const char *const words[] = {
		"0", "false", "no", "off", "1", "true", "yes", "on", NULL};
	size_t i;

	if (choose(&i, value, words, err))
		return -1;
	*out = i >= 4;
	return 0;
}

static int set_fetch(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	return read_switch(&o->fetch, value, err);
}

static int set_background(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	return read_switch(&o->background, value, err);
}

static int set_cache_dir(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	return set_absolute(&o->cache_dir, value, err);
}

static int set_modes(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	return read_switch(&o->verify.modes, value, err);
}

static int set_quiet(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	return read_switch(&o->quiet, value, err);
}

static int set_help(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	o->action = WB_STUB_HELP;
	return 0;
}

static int set_version(struct wb_stub_options *o, const char *value, struct wb_err *err)
{
	o->action = WB_STUB_VERSION;
	return 0;
}

static const struct option options[] = {
	{"verify", "off|size|sample|full", "WBUILD_VERIFY",
		"how much to check before the command starts (default size)", set_verify},
	{"sample", "PERCENT", "WBUILD_SAMPLE", "share of the chunks that sample hashes (default 5)",
		set_sample},
	{"seed", "N", "WBUILD_SEED", "which chunks sample takes (default: others at each start)",
		set_seed},
	{"extra", "fail|warn|ignore", "WBUILD_EXTRA",
		"files that nobody packed (default warn with size, else fail)", set_extra},
	{"check-modes", NULL, "WBUILD_CHECK_MODES", "permission bits must match too", set_modes},
	{"deadline", "SECONDS", "WBUILD_DEADLINE", "fail when checking or fetching takes longer",
		set_deadline},
	{"jobs", "N", "WBUILD_JOBS", "threads (default: one for each core)", set_jobs},
	{"from", "DIR", "WBUILD_FROM", "the bundle lies below DIR, an image volume or a cache",
		set_from},
	{"mount", "link|bind|none", "WBUILD_MOUNT",
		"how to put it at its paths (default link, with --from)", set_mount},
	{"fetch", NULL, "WBUILD_FETCH", "download what the image names but does not hold",
		set_fetch},
	{"cache-dir", "DIR", "WBUILD_CACHE_DIR",
		"where downloads are kept, for all replicas of a node (default: beside the files)",
		set_cache_dir},
	{"background", NULL, "WBUILD_BACKGROUND",
		"start the command at once and fetch beside it; the marker files say when",
		set_background},
	{"manifest", "FILE", "WBUILD_MANIFEST",
		"the bundle manifest (default /.wbuild/manifest.json, below --from)", set_manifest},
	{"ready-file", "FILE", "WBUILD_READY_FILE", "written when all is well", set_ready_file},
	{"failed-file", "FILE", "WBUILD_FAILED_FILE", "written when it is not", set_failed_file},
	{"timeout", "SECONDS", "WBUILD_TIMEOUT", "of wait: give up after", set_timeout},
	{"format", "text|json", "WBUILD_FORMAT", "of the report on stderr (default text)",
		set_format},
	{"quiet", NULL, "WBUILD_QUIET", "say nothing when all is well", set_quiet},
	{"help", NULL, NULL, "print this and exit", set_help},
	{"version", NULL, NULL, "print the version and exit", set_version},
};

static const struct option *find(const char *name, size_t n)
{
	for (size_t i = 0; i < WB_ARRAY_LEN(options); i++)
		if (!strncmp(options[i].name, name, n) && !options[i].name[n])
			return &options[i];
	return NULL;
}

static int unknown(const char *arg, size_t n, struct wb_err *err)
{
	const char *names[WB_ARRAY_LEN(options) + 1] = {0};
	wb_autofree char *word = wb_strndup(arg, n);
	const char *near;

	for (size_t i = 0; i < WB_ARRAY_LEN(options); i++)
		names[i] = options[i].name;
	near = n > 2 ? wb_text_nearest(word + 2, names) : NULL;
	wb_err_set(err, WB_ERR_USAGE, "unknown option \"%.60s\"", word);
	return near ? wb_err_hint(err, "did you mean --%s?", near)
	            : wb_err_hint(err, "put -- before a command that begins with a dash");
}

static int from_environment(struct wb_stub_options *o, struct wb_err *err)
{
	for (size_t i = 0; i < WB_ARRAY_LEN(options); i++) {
		const char *value = options[i].env ? wb_env(options[i].env) : NULL;

		if (value && options[i].set(o, value, err))
			return wb_err_wrap(err, "%s", options[i].env);
	}
	return 0;
}

/* Takes the option at argv[*i] and its value, "--name=value" or "--name value". */
static int take_option(struct wb_stub_options *o, int *i, int argc, char **argv, struct wb_err *err)
{
	const char *arg = argv[*i], *value = "1";
	size_t n = strcspn(arg, "=");
	const struct option *opt = n > 2 && arg[1] == '-' ? find(arg + 2, n - 2) : NULL;

	if (!opt && (!strcmp(arg, "-h") || !strcmp(arg, "-q")))
		opt = find(arg[1] == 'h' ? "help" : "quiet", arg[1] == 'h' ? 4 : 5);
	if (!opt)
		return unknown(arg, n, err);
	if (!opt->value && arg[n])
		return wb_err_set(err, WB_ERR_USAGE, "--%s takes no value", opt->name);
	if (opt->value) {
		value = arg[n] ? arg + n + 1 : *i + 1 < argc ? argv[++*i] : NULL;
		if (!value || !*value)
			return wb_err_set(
				err, WB_ERR_USAGE, "--%s needs %s", opt->name, opt->value);
	}
	return opt->set(o, value, err) ? wb_err_wrap(err, "--%s", opt->name) : 0;
}

/* Another start looks at other chunks, so that a fleet of replicas sees all of them in time. */
static uint64_t any_seed(void)
{
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
		seed = (uint64_t)getpid() << 32 ^ (uint64_t)time(NULL);
	return seed;
}

/* Baseten's nodes have a cache, and say so as Truss's own program expects it. */
static const char *baseten_cache(void)
{
	return wb_env_true("BASETEN_FS_ENABLED") ? "/cache/org/artifacts/wbuild" : NULL;
}

/* copy has one operand and places nothing. */
static int take_directory(struct wb_stub_options *o, struct wb_err *err)
{
	if (!o->command[0] || o->command[1])
		return wb_err_set(err, WB_ERR_USAGE, "copy needs one directory");
	o->place = WB_PLACE_NONE;
	o->place_set = true;
	return set_absolute(&o->copy_to, o->command[0], err) ? wb_err_wrap(err, "copy") : 0;
}

int wb_stub_options_parse(struct wb_stub_options *out, int argc, char **argv, struct wb_err *err)
{
	struct wb_stub_options o = {.verify = WB_VERIFY_OPTIONS_INIT};
	int i = 1;

	o.verify.mode = WB_VERIFY_SIZE;
	o.verify.seed = any_seed();
	if (from_environment(&o, err))
		return -1;
	if (i < argc && !strcmp(argv[i], "wait"))
		o.action = WB_STUB_WAIT;
	else if (i < argc && !strcmp(argv[i], "copy"))
		o.action = WB_STUB_COPY;
	i += o.action != WB_STUB_RUN;
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		if (take_option(&o, &i, argc, argv, err))
			return -1;
	}
	o.command = argv + (i < argc ? i : argc);
	if (o.action == WB_STUB_WAIT && o.command[0])
		return wb_err_set(
			err, WB_ERR_USAGE, "wait takes no argument: \"%.100s\"", o.command[0]);
	if (o.action == WB_STUB_COPY && take_directory(&o, err))
		return -1;
	if (o.extra == WB_EXTRA_AUTO)
		o.extra = o.verify.mode == WB_VERIFY_SIZE ? WB_EXTRA_WARN : WB_EXTRA_FAIL;
	if (!o.place_set)
		o.place = o.from ? WB_PLACE_LINK : WB_PLACE_NONE;
	if (o.place != WB_PLACE_NONE && !o.from)
		return wb_err_set(
			err, WB_ERR_USAGE, "--mount needs --from: where does the bundle lie?");
	if (o.background && o.fetch && (!o.ready_file || !o.failed_file))
		return wb_err_set(err, WB_ERR_USAGE,
			"--background needs --ready-file and --failed-file: nothing else says "
			"when the files are there");
	if (!o.cache_dir)
		o.cache_dir = baseten_cache();
	*out = o;
	return 0;
}

char *wb_stub_help(void)
{
	WB_AUTO(wb_buf_release) struct wb_buf b;

	wb_buf_init(&b, 1 << 16, "help");
	wb_buf_must(&b, "usage: init [OPTION...] [--] COMMAND [ARGUMENT...]\n"
			"       init copy [OPTION...] DIR\n"
			"       init wait [--ready-file FILE] [--failed-file FILE] "
			"[--timeout SECONDS]\n\n"
			"Checks the files that wbuild packed, puts them where they belong, and "
			"becomes COMMAND.\n\n");
	for (size_t i = 0; i < WB_ARRAY_LEN(options); i++) {
		wb_autofree char *left = wb_asprintf("--%s%s%s", options[i].name,
			options[i].value ? " " : "", options[i].value ? options[i].value : "");

		wb_buf_must(&b, "  %-30s %s\n", left, options[i].help);
		if (options[i].env)
			wb_buf_must(&b, "  %-30s   [%s]\n", "", options[i].env);
	}
	wb_buf_must(&b, "\nExit status: that of COMMAND; 3 when a check failed, 2 for bad usage, 1 "
			"for other\nerrors, 126 when COMMAND cannot be run, 127 when it is not "
			"there.\n");
	return wb_buf_steal(&b);
}
