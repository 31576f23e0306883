#include "builder/source/azure_sign.h"

#include <string.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "builder/source/secrets.h"

/* Azurite's and the old emulator's account; the key is the same everywhere and printed in
 * Microsoft's documentation. */
#define EMULATOR_ACCOUNT "devstoreaccount1"
#define EMULATOR_KEY \
	"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
#define EMULATOR_ENDPOINT "http://127.0.0.1:10000/" EMULATOR_ACCOUNT

void wb_azure_creds_release(struct wb_azure_creds *c)
{
	free(c->account);
	wb_secret_unref(c->key);
	wb_secret_unref(c->sas);
	free(c->endpoint);
	*c = WB_AZURE_CREDS_INIT;
}

static void set_secret(struct wb_secret **to, const char *name, const char *value)
{
	wb_secret_unref(*to);
	*to = wb_secret_new(name, value, strlen(value), true);
}

static void set_text(char **to, const char *value)
{
	free(*to);
	*to = wb_strdup(value);
}

static void set_emulator(struct wb_azure_creds *c)
{
	set_text(&c->account, EMULATOR_ACCOUNT);
	set_text(&c->endpoint, EMULATOR_ENDPOINT);
	if (!c->key)
		set_secret(&c->key, "account_key", EMULATOR_KEY);
}

static void set_sas(struct wb_azure_creds *c, const char *sas)
{
	set_secret(&c->sas, "sas_token", *sas == '?' ? sas + 1 : sas);
}

/* "Name=value;…": names as in Microsoft's documentation, order free. */
static int parse_connection(struct wb_azure_creds *c, const char *text, struct wb_err *err)
{
	char *copy = wb_strdup(text), *protocol = NULL, *suffix = NULL;
	bool emulator = false;

	for (char *rest = copy, *item; (item = strsep(&rest, ";"));) {
		char *value = strchr(item, '=');

		if (!value)
			continue;
		*value++ = '\0';
		if (!strcmp(item, "AccountName"))
			set_text(&c->account, value);
		else if (!strcmp(item, "AccountKey"))
			set_secret(&c->key, "account_key", value);
		else if (!strcmp(item, "SharedAccessSignature"))
			set_sas(c, value);
		else if (!strcmp(item, "BlobEndpoint"))
			set_text(&c->endpoint, value);
		else if (!strcmp(item, "DefaultEndpointsProtocol"))
			set_text(&protocol, value);
		else if (!strcmp(item, "EndpointSuffix"))
			set_text(&suffix, value);
		else if (!strcmp(item, "UseDevelopmentStorage"))
			emulator = !strcmp(value, "true");
	}
	if (emulator)
		set_emulator(c);
	if (!c->endpoint && c->account && (protocol || suffix))
		c->endpoint = wb_asprintf("%s://%s.blob.%s", protocol ? protocol : "https",
			c->account, suffix ? suffix : "core.windows.net");
	wb_wipe(copy, strlen(text));
	free(copy);
	free(protocol);
	free(suffix);
	if (!c->account && !c->endpoint)
		return wb_err_set(err, WB_ERR_AUTH,
			"the Azure connection string has neither AccountName nor BlobEndpoint");
	return 0;
}

static int parse_json(
	struct wb_azure_creds *c, const json_t *j, const char *name, struct wb_err *err)
{
	const char *connection = wb_json_str_opt(j, "connection_string");
	const char *key = wb_json_str_opt(j, "account_key"), *sas = wb_json_str_opt(j, "sas_token");
	const char *account = wb_json_str_opt(j, "account_name");

	if (connection)
		return parse_connection(c, connection, err);
	if (account)
		set_text(&c->account, account);
	if (key)
		set_secret(&c->key, "account_key", key);
	if (sas)
		set_sas(c, sas);
	if (json_is_true(json_object_get(j, "use_emulator")))
		set_emulator(c);
	if (c->key || c->sas)
		return 0;
	wb_err_set(err, WB_ERR_AUTH, "the secret \"%s\" has no \"account_key\"", name);
	return wb_err_hint(err, "it is a JSON object with account_key, sas_token or "
				"connection_string");
}

int wb_azure_creds_parse(
	struct wb_azure_creds *out, const struct wb_secret *secret, struct wb_err *err)
{
	WB_AUTO(wb_azure_creds_release) struct wb_azure_creds c = WB_AZURE_CREDS_INIT;
	struct wb_err syntax = WB_ERR_INIT;
	const char *text = wb_secret_reveal(secret), *name = wb_secret_name(secret);
	int rc = 0;

	text += strspn(text, " \t\r\n");
	if (*text == '{') {
		wb_autojson json_t *j = wb_json_parse(text, strlen(text), name, &syntax);

		rc = j ? parse_json(&c, j, name, err)
		       : wb_err_set(err, WB_ERR_AUTH, "the secret \"%s\" is not valid JSON", name);
	} else if (strstr(text, "AccountName=") || strstr(text, "BlobEndpoint=") ||
		   strstr(text, "UseDevelopmentStorage=")) {
		rc = parse_connection(&c, text, err);
	} else if (strstr(text, "sig=")) {
		set_sas(&c, text);
	} else {
		set_secret(&c.key, "account_key", text);
	}
	if (rc)
		return -1;
	*out = c;
	c = WB_AZURE_CREDS_INIT;
	return 0;
}

int wb_azure_creds_environment(struct wb_azure_creds *out, struct wb_err *err)
{
	WB_AUTO(wb_secret_unrefp)
	struct wb_secret *connection = wb_secrets_env("AZURE_STORAGE_CONNECTION_STRING");
	WB_AUTO(wb_secret_unrefp) struct wb_secret *key = wb_secrets_env("AZURE_STORAGE_KEY");
	WB_AUTO(wb_secret_unrefp) struct wb_secret *sas = wb_secrets_env("AZURE_STORAGE_SAS_TOKEN");
	WB_AUTO(wb_azure_creds_release) struct wb_azure_creds c = WB_AZURE_CREDS_INIT;

	if (connection && parse_connection(&c, wb_secret_reveal(connection), err))
		return -1;
	if (!c.account)
		c.account = wb_strdup(wb_env("AZURE_STORAGE_ACCOUNT"));
	if (!c.key && !c.sas && key)
		set_secret(&c.key, "account_key", wb_secret_reveal(key));
	else if (!c.key && !c.sas && sas)
		set_sas(&c, wb_secret_reveal(sas));
	*out = c;
	c = WB_AZURE_CREDS_INIT;
	return 0;
}

struct wb_secret *wb_azure_sign(
	const struct wb_azure_creds *c, const struct wb_azure_sign *s, struct wb_err *err)
{
	size_t n = 0;
	wb_autofree uint8_t *key = wb_base64_decode(&n, wb_secret_reveal(c->key), WB_SECRET_MAX);
	uint8_t mac[32];

	if (!key) {
		wb_err_set(err, WB_ERR_AUTH, "the account key of \"%s\" is not base64", c->account);
		return NULL;
	}
	/* Method, eleven standard headers of which only two are ever sent, then ours, then the
	 * resource: the account again before the path, even where the path begins with it. */
	wb_autofree char *text = wb_asprintf("%s\n\n\n\n\n\n\n\n%s\n\n\n%s\n"
					     "x-ms-date:%s\nx-ms-version:" WB_AZURE_VERSION "\n"
					     "/%s%s%s",
		s->method, s->if_match, s->range, s->date, c->account, s->path, s->params);

	wb_hmac_sha256(mac, key, n, text, strlen(text));
	wb_wipe(key, n);
	wb_autofree char *signature = wb_base64_encode(mac, sizeof(mac));
	wb_autofree char *value = wb_asprintf("SharedKey %s:%s", c->account, signature);

	return wb_secret_new_brief("signature", value, strlen(value));
}
