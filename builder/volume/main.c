/* /.wbuild/fetch, which the runtime stub starts in images that have something to fetch. What it
 * did is one line on stdout, for the stub: "FETCHED BYTES FOUND BYTES TRANSFERRED", or what went
 * wrong: "error TEXT" and "hint TEXT". */
#include <locale.h>
#include <nss.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/log.h"
#include "base/sealed.h"
#include "base/secret.h"
#include "base/sha256_openssl.h"
#include "base/text.h"
#include "builder/volume/start.h"
#include "wbuild_version.h"

static int read_number(unsigned *out, const char *option, const char *value, struct wb_err *err)
{
	uint64_t n;

	if (!wb_parse_u64(&n, value) || n > 1024)
		return wb_err_set(
			err, WB_ERR_USAGE, "%s: \"%.40s\" is not a number to 1024", option, value);
	*out = (unsigned)n;
	return 0;
}

static int read_args(struct wb_volume_opts *o, int argc, char **argv, struct wb_err *err)
{
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(arg, "--full")) {
			o->full = true;
			continue;
		}
		if (!strcmp(arg, "--quiet")) {
			wb_log_set_level(WB_LOG_WARNING);
			continue;
		}
		i++;
		if (value && !strcmp(arg, "--list"))
			o->list = value;
		else if (value && !strcmp(arg, "--cache-dir"))
			o->cache_dir = value;
		else if (value && !strcmp(arg, "--root"))
			o->root = value;
		else if (value && !strcmp(arg, "--jobs") && !read_number(&o->jobs, arg, value, err))
			continue;
		else
			return err->code ? -1
			                 : wb_err_set(err, WB_ERR_USAGE,
						   "\"%.60s\" is not an option, or lacks its value",
						   arg);
	}
	return 0;
}

/* Where distributions keep their certificates: libcurl knows the place of one. */
static void find_certificates(void)
{
	static const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem"};

	if (wb_env("SSL_CERT_FILE") || wb_env("REQUESTS_CA_BUNDLE") || wb_env("CURL_CA_BUNDLE"))
		return;
	for (size_t i = 0; i < WB_ARRAY_LEN(places); i++)
		if (!access(places[i], R_OK)) {
			setenv("SSL_CERT_FILE", places[i], 1);
			return;
		}
}

/* This program is static, and nothing of the image may be loaded into it: no NSS module, no
 * OpenSSL provider. */
static void close_doors(void)
{

	setlocale(LC_ALL, "C");
	umask(022);
	wb_sealed_process();
	wb_secret_learn_environment();
	setenv("OPENSSL_CONF", "/dev/null", 1);
	__nss_configure_lookup("hosts", "files dns");
}

static void say(const char *word, const char *text)
{
	wb_autofree char *clean = wb_redact(text);

	if (*clean)
		printf("%s %s\n", word, clean);
}

int main(int argc, char **argv)
{
	struct wb_volume_opts o = {.root = "/", .insecure = wb_env_true("WBUILD_INSECURE")};
	struct wb_fetch_total t = {0};
	struct wb_err err = WB_ERR_INIT;

	close_doors();
	find_certificates();
	wb_cancel_install();
	wb_sha256_use_openssl();
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		printf("wbuild-fetch %s\n", WBUILD_VERSION);
		return 0;
	}
	if (read_args(&o, argc, argv, &err) || wb_volumes_start(&t, &o, &err)) {
		say("error", err.text);
		say("hint", err.hint);
		return wb_err_exit_code(&err);
	}
	printf("%zu %llu %zu %llu %llu\n", t.fetched, (unsigned long long)t.fetched_bytes, t.cached,
		(unsigned long long)t.cached_bytes, (unsigned long long)t.transferred);
	return 0;
}
