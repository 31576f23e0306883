#include "wbtest.h"

#include "builder/config/migrate.h"

/* Migrates, checks that the result loads and that a second run changes nothing. */
static struct wb_migration migrate(const char *text)
{
	struct wb_migration m, again;
	struct wb_err err = WB_ERR_INIT;

	if (wb_migrate(&m, text, strlen(text), NULL, "config.yaml", &err))
		fail_msg("%u:%u: %s", err.line, err.column, err.text);
	if (m.text) {
		assert_int_equal(m.n, strlen(m.text));
		assert_ok(wb_migrate(&again, m.text, m.n, NULL, "config.yaml", &err), &err);
		assert_null(again.text);
		wb_migration_release(&again);
	}
	return m;
}

static void gives(const char *text, const char *want)
{
	struct wb_migration m = migrate(text);

	if (!m.text || strcmp(m.text, want) != 0)
		fail_msg("%s\ngives\n%s\nnot\n%s", text, m.text ? m.text : "(nothing)", want);
	wb_migration_release(&m);
}

static void unchanged(const char *text, const char *id)
{
	struct wb_migration m = migrate(text);

	assert_null(m.text);
	assert_int_equal(m.notes.list.n, 1);
	assert_string_equal(m.notes.list.items[0].id, id);
	wb_migration_release(&m);
}

static void refused(const char *text, const char *part)
{
	struct wb_migration m;
	struct wb_err err = WB_ERR_INIT;

	assert_int_equal(wb_migrate(&m, text, strlen(text), NULL, "config.yaml", &err), -1);
	assert_contains(err.text, part);
}

static bool has_note(const struct wb_migration *m, const char *id)
{
	wb_vec_foreach (f, &m->notes.list)
		if (!strcmp(f->id, id))
			return true;
	return false;
}

static void test_block_entry(void **state)
{
	gives("# top\n"
	      "model_name: x   # name\n"
	      "model_cache: # ours\n"
	      "  # the big one\n"
	      "  - repo_id: \"o/r\" # where\n"
	      "    revision: main # pinned?\n"
	      "    use_volume: true\n"
	      "    volume_folder: big # folder\n"
	      "    allow_patterns:\n"
	      "      - '*.json' # meta\n"
	      "      - config.json\n"
	      "    runtime_secret_name: tok # mine\n"
	      "\n"
	      "# tail\n"
	      "secrets: {tok: null}\n",
		"# top\n"
		"model_name: x   # name\n"
		"weights: # ours\n"
		"  # the big one\n"
		"  - source: \"hf://o/r@main\" # where\n"
		"    # pinned?\n"
		"    mount_location: /app/model_cache/big # folder\n"
		"    allow_patterns:\n"
		"      - '**/*.json' # meta\n"
		"      - config.json\n"
		"    auth:\n"
		"      auth_method: CUSTOM_SECRET\n"
		"      auth_secret_name: tok # mine\n"
		"\n"
		"# tail\n"
		"secrets: {tok: null}\n");
}

static void test_keys_in_any_order(void **state)
{
	gives("model_cache:\n"
	      "- kind: hf\n"
	      "  use_volume: true\n"
	      "  volume_folder: v\n"
	      "  revision: refs/pr/35\n"
	      "  repo_id: o/r\n"
	      "- use_volume: false # baked\n"
	      "  # and more\n"
	      "  repo_id: o/r2\n",
		"weights:\n"
		"- mount_location: /app/model_cache/v\n"
		"  source: hf://o/r@refs/pr/35\n"
		"- # baked\n"
		"  # and more\n"
		"  source: hf://o/r2\n"
		"  mount_location: /app/model_cache/o_r2\n");
}

static void test_line_endings_and_last_line(void **state)
{
	gives("model_cache:\r\n- repo_id: o/r\r\n  use_volume: false\r\nsecrets: {}\r\n",
		"weights:\r\n- source: hf://o/r\r\n  mount_location: /app/model_cache/o_r\r\n"
		"secrets: {}\r\n");
	gives("model_cache:\n- use_volume: false\n  repo_id: o/r",
		"weights:\n- source: hf://o/r\n  mount_location: /app/model_cache/o_r");
	gives("model_cache:\n- repo_id: o/r\n  use_volume: false",
		"weights:\n- source: hf://o/r\n  mount_location: /app/model_cache/o_r");
	gives("\xef\xbb\xbfmodel_cache:\n- {repo_id: o/r, use_volume: false}\n",
		"\xef\xbb\xbfweights:\n- {source: hf://o/r, mount_location: "
		"/app/model_cache/o_r}\n");
}

static void test_flow_entries(void **state)
{
	gives("model_cache: [{use_volume: false, repo_id: o/r, kind: hf}]\n",
		"weights: [{source: hf://o/r, mount_location: /app/model_cache/o_r}]\n");
	gives("model_cache:\n"
	      "- {repo_id: 'o/r', revision: main, use_volume: true, volume_folder: 'v',\n"
	      "   allow_patterns: ['*.bin', \"tok*\"], runtime_secret_name: s}\n",
		"weights:\n"
		"- {source: 'hf://o/r@main', mount_location: '/app/model_cache/v',\n"
		"   allow_patterns: ['**/*.bin', \"tok*\", \"tok*/**\"], "
		"auth: {auth_method: CUSTOM_SECRET, auth_secret_name: s}}\n");
}

static void test_every_kind(void **state)
{
	gives("model_cache:\n- {repo_id: gs://bkt, use_volume: false}\n",
		"weights:\n- {source: gs://bkt, mount_location: /app/model_cache/bkt}\n");
	gives("model_cache:\n- {repo_id: s3://b/p/q/, use_volume: false}\n",
		"weights:\n- {source: s3://b/p/q/, mount_location: /app/model_cache/b/p/q}\n");
	gives("model_cache:\n- {repo_id: b/p, kind: s3, use_volume: false}\n",
		"weights:\n- {source: s3://b/p, mount_location: /app/model_cache/b/p}\n");
	gives("model_cache:\n- {repo_id: acc.b/p, kind: r2, use_volume: true, volume_folder: v}\n",
		"weights:\n- {source: r2://acc.b/p, mount_location: /app/model_cache/v}\n");
	gives("model_cache:\n- {repo_id: az://acct/c/p, kind: azure, use_volume: false}\n",
		"weights:\n- {source: azure://acct/c/p, mount_location: /app/model_cache/c/p}\n");
	gives("model_cache:\n- {repo_id: 'https://acct.blob.core.windows.net/c/p', "
	      "use_volume: false}\n",
		"weights:\n- {source: 'azure://acct/c/p', mount_location: "
		"'/app/model_cache/c/p'}\n");
	gives("hf_cache:\n- repo_id: o/r\n",
		"weights:\n- source: hf://o/r\n  mount_location: /app/model_cache/o_r\n");
}

static void test_azure_without_account(void **state)
{
	struct wb_migration m =
		migrate("model_cache:\n- {repo_id: 'az://con-tainer/p', kind: azure, "
			"use_volume: true, volume_folder: v}\n");

	assert_true(has_note(&m, "azure-account"));
	assert_contains(m.text, "source: 'az://con-tainer/p'");
	wb_migration_release(&m);
}

/* Patterns of a baked bucket saw the whole key, weights see what is below the prefix. */
static void test_bucket_patterns(void **state)
{
	gives("model_cache:\n"
	      "- repo_id: gs://b/pre\n"
	      "  use_volume: false\n"
	      "  allow_patterns: ['pre/*.json', '*.bin', 'pre/x.txt']\n"
	      "  ignore_patterns: \"*.md\"\n",
		"weights:\n"
		"- source: gs://b/pre\n"
		"  mount_location: /app/model_cache/b/pre\n"
		"  allow_patterns: ['**/*.json', '**/*.bin', 'x.txt']\n"
		"  ignore_patterns: [\"**/*.md\"]\n");
	struct wb_migration m = migrate("model_cache:\n- {repo_id: gs://b/pre, use_volume: false, "
					"allow_patterns: [other/x]}\n");

	assert_true(has_note(&m, "pattern-matches-nothing"));
	wb_migration_release(&m);
}

static void test_default_secret(void **state)
{
	struct wb_migration m;

	gives("model_cache:\n- repo_id: o/r\n  use_volume: false\nsecrets:\n  hf_access_token: "
	      "null\n",
		"weights:\n- source: hf://o/r\n  mount_location: /app/model_cache/o_r\n  auth:\n"
		"    auth_method: CUSTOM_SECRET\n    auth_secret_name: hf_access_token\n"
		"secrets:\n  hf_access_token: null\n");
	m = migrate("model_cache:\n- {repo_id: gs://b, use_volume: false}\n"
		    "secrets: {hf_access_token: null}\n");
	assert_null(strstr(m.text, "auth"));
	wb_migration_release(&m);
	gives("model_cache:\n- repo_id: o/r\n  runtime_secret_name: ''\n  use_volume: false\n",
		"weights:\n- source: hf://o/r\n  mount_location: /app/model_cache/o_r\n");
}

static void test_moves_are_told(void **state)
{
	struct wb_migration m = migrate("model_cache:\n- {repo_id: o/r, use_volume: false}\n"
					"- {repo_id: o/r, use_volume: false, revision: dev}\n");

	assert_true(has_note(&m, "hf-path-moved"));
	assert_true(has_note(&m, "mount-moved"));
	assert_int_equal(m.moves.n, 2);
	assert_string_equal(m.moves.items[0].repo, "o/r");
	assert_string_equal(m.moves.items[0].mount, "/app/model_cache/o_r");
	assert_string_equal(m.moves.items[1].mount, "/app/model_cache/o_r_2");
	wb_migration_release(&m);
}

static void test_external_data(void **state)
{
	gives("external_data: # ext\n"
	      "- url: https://h/a.bin # u\n"
	      "  local_data_path: \"x/a.bin\"\n"
	      "  backend: http_public\n"
	      "  name: n\n",
		"weights: # ext\n"
		"- source: https://h/a.bin # u\n"
		"  mount_location: \"/app/data/x/a.bin\"\n");
	gives("model_cache:\n"
	      "  - repo_id: o/r\n"
	      "    use_volume: false\n"
	      "# data\n"
	      "external_data: # ext\n"
	      "  # one\n"
	      "  - url: https://h/a.bin # u\n"
	      "    local_data_path: a.bin\n"
	      "resources: {}\n",
		"weights:\n"
		"  - source: hf://o/r\n"
		"    mount_location: /app/model_cache/o_r\n"
		"  # one\n"
		"  # u\n"
		"  - source: https://h/a.bin\n"
		"    mount_location: /app/data/a.bin\n"
		"# data\n"
		"# ext\n"
		"resources: {}\n");
	gives("external_data: [{url: 'https://h/a.x', local_data_path: a.x}]\n"
	      "model_cache: [{repo_id: o/r, use_volume: false}]\n",
		"weights: [{source: hf://o/r, mount_location: /app/model_cache/o_r}, "
		"{source: 'https://h/a.x', mount_location: /app/data/a.x}]\n");
}

static void test_external_data_that_stays(void **state)
{
	struct wb_migration m;

	unchanged("external_data:\n- {url: http://h/a.bin, local_data_path: a.bin}\n",
		"external-data-kept");
	unchanged("external_data:\n- {url: https://h/a.bin, local_data_path: model}\n",
		"external-data-kept");
	m = migrate("model_cache:\n- {repo_id: o/r, use_volume: false}\n"
		    "external_data:\n- {url: https://h/download, local_data_path: a.bin}\n");
	assert_true(has_note(&m, "external-data-kept"));
	assert_contains(m.text, "\nexternal_data:\n- {url: https://h/download, ");
	wb_migration_release(&m);
}

#define CACHE "model_cache:\n- {repo_id: o/r, use_volume: false}\n"
#define WEIGHTS "weights:\n- {source: hf://o/r, mount_location: /app/model_cache/o_r}\n"

static void command(const char *old, const char *new)
{
	wb_autofree char *a = wb_asprintf(CACHE "docker_server:\n  start_command: %s\n", old);
	wb_autofree char *b = wb_asprintf(WEIGHTS "docker_server:\n  start_command: %s\n", new);

	gives(a, b);
}

static void test_start_command(void **state)
{
	command("bash -c \"truss-transfer-cli && serve --port 1\n    --x 2\"",
		"bash -c \"serve --port 1\n    --x 2\"");
	command("sh -c 'cd /app && /usr/local/bin/truss-transfer-cli /app/model_cache ; serve'",
		"sh -c 'cd /app && serve'");
	command("sh -c \"serve --prepare && truss-transfer-cli\"", "sh -c \"serve --prepare\"");
	command("|\n    truss-transfer-cli\n    serve\n", "|\n    serve\n");
	command("|\n    truss-transfer-cli && \\\n    serve\n", "|\n    serve\n");
	command(">\n    sh -c \"truss-transfer-cli &&\n    serve\"\n", ">\n    sh -c \"serve\"\n");
	command("bash -c \"truss-transfer-cli\n    && serve\"", "bash -c \"serve\"");
	command("serve", "serve");
}

static void test_start_command_by_hand(void **state)
{
	const char *const odd[] = {"truss-transfer-cli", "sh -c \"truss-transfer-cli || exit 1\"",
		"sh -c \"truss-transfer-cli & serve\"",
		"sh -c \"cd /app && truss-transfer-cli || serve\"",
		"sh -c \"truss-transfer-cli && \"", "sh -c \"truss-transfer-cli\" && serve"};

	for (size_t i = 0; i < WB_ARRAY_LEN(odd); i++) {
		wb_autofree char *text =
			wb_asprintf(CACHE "docker_server:\n  start_command: %s\n", odd[i]);
		struct wb_migration m = migrate(text);

		if (!has_note(&m, "transfer-cli"))
			fail_msg("%s: no note", odd[i]);
		assert_contains(m.text, odd[i]);
		wb_migration_release(&m);
	}
}

static void test_nothing_to_do(void **state)
{
	unchanged("", "nothing-to-migrate");
	unchanged("model_name: x\n", "nothing-to-migrate");
	unchanged("model_cache: []\nexternal_data: null\n", "nothing-to-migrate");
	unchanged("weights: [{source: hf://o/r, mount_location: /m}]\n", "nothing-to-migrate");
	gives("weights: []\nmodel_cache:\n- {repo_id: o/r, use_volume: false}\n", WEIGHTS);
	gives("model_cache:\n- {repo_id: o/r, use_volume: false}\nweights: # later\nx: 1\n",
		WEIGHTS "# later\nx: 1\n");
}

static void test_what_is_not_edited(void **state)
{
	refused("model_cache:\n- &a {repo_id: o/r, use_volume: false}\n", "not edited safely");
	refused("x: &a {repo_id: o/r, use_volume: false}\nmodel_cache: [*a]\n",
		"not edited safely");
	refused("x: &a {use_volume: false}\nmodel_cache:\n- {repo_id: o/r, <<: *a}\n",
		"not edited safely");
	refused("model_cache:\n- {repo_id: o/r, # why\n   use_volume: false}\n",
		"not edited safely");
	refused("{model_cache: [{repo_id: o/r, use_volume: false}]}\n", "not edited safely");
	refused("model_cache:\n- {repo_id: o/r, use_volume: true}\n",
		"Revision '' is insufficient");
	refused(CACHE WEIGHTS, "only one of `model_cache` and `weights`");
}

static void test_odd_spellings(void **state)
{
	gives("model_cache:\n  -\n    repo_id: >-\n      o/r\n    use_volume:\n      false\n",
		"weights:\n  -\n    source: hf://o/r\n    mount_location: /app/model_cache/o_r\n");
	gives("\"model_cache\" :\n-   repo_id :  o/r\n    \"use_volume\": false\n",
		"weights :\n-   source :  hf://o/r\n    mount_location: /app/model_cache/o_r\n");
	gives("r: &r o/r\nmodel_cache:\n- repo_id: *r\n  use_volume: false\n",
		"r: &r o/r\nweights:\n- source: hf://o/r\n  mount_location: "
		"/app/model_cache/o_r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block_entry),
		cmocka_unit_test(test_keys_in_any_order),
		cmocka_unit_test(test_line_endings_and_last_line),
		cmocka_unit_test(test_flow_entries),
		cmocka_unit_test(test_every_kind),
		cmocka_unit_test(test_azure_without_account),
		cmocka_unit_test(test_bucket_patterns),
		cmocka_unit_test(test_default_secret),
		cmocka_unit_test(test_moves_are_told),
		cmocka_unit_test(test_external_data),
		cmocka_unit_test(test_external_data_that_stays),
		cmocka_unit_test(test_start_command),
		cmocka_unit_test(test_start_command_by_hand),
		cmocka_unit_test(test_nothing_to_do),
		cmocka_unit_test(test_what_is_not_edited),
		cmocka_unit_test(test_odd_spellings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
