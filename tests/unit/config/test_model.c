#include "wbtest.h"

#include "builder/config/config.h"

/* A parse and its findings as text, one line each: "E 3:5 id". */
struct parsed {
	struct wb_config c;
	struct wb_err err;
	char *list;
	int rc;
};

static struct parsed parse(const char *text)
{
	struct parsed p = {0};
	struct wb_buf b WB_AUTO(wb_buf_release) = WB_BUF_INIT;

	wb_buf_init(&b, 1 << 20, "findings");
	p.rc = wb_config_parse(&p.c, text, strlen(text), NULL, "config.yaml", &p.err);
	wb_vec_foreach (f, &p.c.findings.list)
		wb_buf_must(&b, "%c %u:%u %s\n", "EWN"[f->severity], f -> pos.line, f->pos.column,
			f->id);
	p.list = wb_buf_steal(&b);
	assert_int_equal(p.rc, p.c.findings.errors ? -1 : 0);
	return p;
}

static void done(struct parsed *p)
{
	wb_config_release(&p->c);
	free(p->list);
}

static void finds(const char *text, const char *list)
{
	struct parsed p = parse(text);

	if (strcmp(p.list, list) != 0)
		fail_msg("%s\ngives\n%snot\n%s", text, p.list, list);
	done(&p);
}

/* The first error has this text, word for word. */
static void says(const char *text, const char *want)
{
	struct parsed p = parse(text);

	assert_int_equal(p.rc, -1);
	assert_int_equal(p.err.code, WB_ERR_CONFIG);
	assert_string_equal(p.err.file, "config.yaml");
	assert_int_not_equal(p.err.line, 0);
	assert_string_equal(p.err.text, want);
	done(&p);
}

#define W(mount) "weights:\n- source: hf://o/r\n  mount_location: " mount "\n"

static void test_defaults(void **state)
{
	struct parsed p = parse("");

	assert_int_equal(p.rc, 0);
	assert_string_equal(p.list, "");
	assert_string_equal(p.c.data_dir, "data");
	assert_string_equal(p.c.model_module_dir, "model");
	assert_string_equal(p.c.bundled_packages_dir, "packages");
	assert_string_equal(p.c.hf_cache_dir, "/root/.cache/huggingface/hub");
	assert_null(p.c.model_name);
	assert_null(p.c.base_image);
	assert_int_equal(p.c.run_as_user, -1);
	assert_int_equal(p.c.sources.n, 0);
	done(&p);
}

static void test_everything_at_once(void **state)
{
	struct parsed p = parse(
		"model_name: My model\n"
		"data_dir: ./files/\n"
		"external_package_dirs: [../shared, /opt/x]\n"
		"environment_variables: {A: 1, B: yes, C: 1.50, D: 'x', HF_HOME: /models/hf/}\n"
		"secrets: {hf_access_token: null, other: ''}\n"
		"base_image: {image: 'python:3.11', python_executable_path: /usr/bin/python3}\n"
		"docker_server:\n"
		"  start_command: serve --port 8000\n"
		"  server_port: '8000'\n"
		"  predict_endpoint: /p\n"
		"  readiness_endpoint: /r\n"
		"  liveness_endpoint: /l\n"
		"  run_as_user_id: 1000\n"
		"build_commands: [echo 1, echo 2]\n"
		"build:\n"
		"  secret_to_path_mapping: {hf-token: /root/.hf, DOCKER_REGISTRY_x/y: /a}\n"
		"runtime: {predict_concurency: 3}\n");

	assert_string_equal(p.list, "");
	assert_string_equal(p.c.model_name, "My model");
	assert_string_equal(p.c.data_dir, "files");
	assert_int_equal(p.c.external_package_dirs.n, 2);
	assert_string_equal(p.c.external_package_dirs.items[0], "../shared");
	assert_int_equal(p.c.environment.n, 5);
	assert_string_equal(p.c.environment.items[0].value, "1");
	assert_string_equal(p.c.environment.items[1].value, "true");
	assert_string_equal(p.c.environment.items[2].value, "1.5");
	assert_string_equal(p.c.hf_cache_dir, "/models/hf/hub");
	assert_int_equal(p.c.secrets.n, 2);
	assert_string_equal(p.c.secrets.items[0].name, "hf_access_token");
	assert_null(p.c.secrets.items[1].value);
	assert_string_equal(p.c.base_image, "python:3.11");
	assert_true(p.c.has_docker_server);
	assert_string_equal(p.c.start_command, "serve --port 8000");
	assert_int_equal(p.c.run_as_user, 1000);
	assert_int_equal(p.c.build_commands.n, 2);
	assert_int_equal(p.c.secret_paths.n, 2);
	assert_string_equal(p.c.secret_paths.items[0].value, "/root/.hf");
	done(&p);
}

static void test_weights(void **state)
{
	struct parsed p = parse("weights:\n"
				"  - source: hf://o/r@main\n"
				"    mount_location: /models//a/\n"
				"    auth: {auth_method: custom_secret, auth_secret_name: tok}\n"
				"    allow_patterns: ['*.json', '**/*.bin']\n"
				"  - source: s3://b/k\n"
				"    mount_location: /models/b\n"
				"    auth_secret_name: aws\n"
				"    ignore_patterns: []\n"
				"  - source: ./local\n"
				"    mount_location: /models/c\n"
				"  - source: https://h/d/model.bin\n"
				"    mount_location: /app/data/model.bin\n"
				"  - source: https://h/d/model.bin\n"
				"    mount_location: /models/d\n");
	const struct wb_source *s = p.c.sources.items;

	assert_string_equal(p.list, "");
	assert_int_equal(p.c.sources.n, 5);
	assert_string_equal(s[0].mount, "/models/a");
	assert_int_equal(s[0].auth.method, WB_AUTH_CUSTOM_SECRET);
	assert_string_equal(s[0].auth.secret_name, "tok");
	assert_true(s[0].auth.secret_explicit);
	assert_int_equal(s[0].dialect, WB_GLOB_WEIGHTS);
	assert_int_equal(s[0].allow.list.n, 2);
	assert_false(s[0].ignore.set);
	assert_int_equal(s[0].pos.line, 2);
	assert_string_equal(s[1].auth.secret_name, "aws");
	assert_true(s[1].ignore.set);
	assert_int_equal(s[2].uri.scheme, WB_SCHEME_FILE);
	assert_int_equal(s[3].layout, WB_LAYOUT_FILE);
	assert_int_equal(s[4].layout, WB_LAYOUT_PLAIN);
	assert_int_equal(s[4].auth.method, WB_AUTH_NONE);
	done(&p);
}

static void test_model_cache(void **state)
{
	struct parsed p =
		parse("environment_variables: {HF_HUB_CACHE: '~/hub'}\n"
		      "model_cache:\n"
		      "  - {repo_id: o/r, use_volume: false, revision: main}\n"
		      "  - {repo_id: gs://bkt/pre/fix/, use_volume: false}\n"
		      "  - {repo_id: bkt2/k, kind: s3, use_volume: false, allow_patterns: '*.x'}\n"
		      "  - {repo_id: o/r2, revision: refs/pr/1, use_volume: true, "
		      "volume_folder: v/w, runtime_secret_name: tok}\n"
		      "  - {repo_id: az://cont-ainer/p, kind: azure, use_volume: true, "
		      "volume_folder: az}\n"
		      "  - {repo_id: acc.bkt/p, kind: r2}\n"
		      "  - {repo_id: 'https://acct.blob.core.windows.net/c/p', use_volume: no}\n");
	const struct wb_source *s = p.c.sources.items;

	assert_string_equal(p.list, "N 5:68 pattern-string\n"
				    "N 6:5 mixed-use-volume\n"
				    "N 8:5 use-volume-left-out\n");
	assert_int_equal(p.c.sources.n, 7);
	assert_int_equal(s[0].layout, WB_LAYOUT_HF_CACHE);
	assert_string_equal(s[0].mount, "/root/hub");
	assert_string_equal(s[0].uri.text, "hf://o/r@main");
	assert_string_equal(s[0].auth.secret_name, "hf_access_token");
	assert_false(s[0].auth.secret_explicit);
	assert_int_equal(s[0].dialect, WB_GLOB_FNMATCH);
	assert_int_equal(s[1].layout, WB_LAYOUT_BUCKET);
	assert_string_equal(s[1].mount, "/app/model_cache/bkt");
	assert_string_equal(s[1].uri.path, "pre/fix/");
	assert_null(s[1].auth.secret_name);
	assert_int_equal(s[2].uri.scheme, WB_SCHEME_S3);
	assert_string_equal(s[2].uri.bucket, "bkt2");
	assert_int_equal(s[2].allow.list.n, 1);
	assert_int_equal(s[3].layout, WB_LAYOUT_PLAIN);
	assert_true(s[3].use_volume);
	assert_string_equal(s[3].mount, "/app/model_cache/v/w");
	assert_string_equal(s[3].uri.revision, "refs/pr/1");
	assert_int_equal(s[3].auth.method, WB_AUTH_CUSTOM_SECRET);
	assert_string_equal(s[4].uri.account, "");
	assert_string_equal(s[4].uri.bucket, "cont-ainer");
	assert_string_equal(s[5].uri.account, "acc");
	assert_string_equal(s[6].uri.account, "acct");
	assert_int_equal(s[6].uri.scheme, WB_SCHEME_AZURE);
	done(&p);
}

static void test_old_name(void **state)
{
	struct parsed p = parse("hf_cache:\n- {repo_id: o/r, use_volume: false}\n");

	assert_string_equal(p.list, "N 1:1 hf-cache\n");
	assert_int_equal(p.c.sources.n, 1);
	done(&p);
	finds("hf_cache:\n", "N 1:1 hf-cache\n");
	p = parse("hf_cache:\n- {repo_id: o/r}\nmodel_cache: []\n");
	assert_string_equal(p.list, "W 1:1 hf-cache\n");
	assert_int_equal(p.c.sources.n, 0);
	done(&p);
}

static void test_external_data(void **state)
{
	struct parsed p = parse("external_data:\n"
				"  - {url: 'https://h/a?id=1', local_data_path: x/../y/a.bin}\n"
				"  - {url: 'https://h/', local_data_path: ./b}\n");

	assert_string_equal(p.list, "");
	assert_string_equal(p.c.sources.items[0].mount, "/app/data/y/a.bin");
	assert_int_equal(p.c.sources.items[0].layout, WB_LAYOUT_FILE);
	assert_string_equal(p.c.sources.items[1].mount, "/app/data/b");
	done(&p);
	says("external_data:\n- {url: https://h/a, local_data_path: ../a}\n",
		"Local data path of external data cannot point to outside data directory");
	finds("external_data:\n- {url: https://h/a, local_data_path: /etc/passwd}\n",
		"E 2:39 outside-data\n");
	finds("external_data:\n- {url: https://h/a, local_data_path: .}\n",
		"E 2:39 outside-data\n");
	finds("external_data:\n- {url: s3://b/a, local_data_path: a}\n", "E 2:9 bad-source\n");
	finds("external_data:\n- {url: https://h/a, local_data_path: a}\n"
	      "- {url: https://h/b, local_data_path: ./a}\n",
		"E 3:3 duplicate-mount\n");
	finds("external_data:\n- {url: https://h/a, local_data_path: a}\n"
	      "- {url: https://h/b, local_data_path: a/b}\n",
		"E 3:3 nested-mounts\n");
}

static void test_training_checkpoints(void **state)
{
	struct parsed p = parse("training_checkpoints:\n"
				"  artifact_references:\n"
				"  - training_job_id: job1\n"
				"    paths: [rank-0/checkpoint-1/]\n");

	assert_string_equal(p.list, "");
	assert_string_equal(p.c.sources.items[0].mount, "/tmp/training_checkpoints/job1");
	assert_string_equal(p.c.sources.items[0].uri.revision, "job1");
	assert_string_equal(p.c.sources.items[0].allow.list.items[0].text, "rank-0/checkpoint-1/");
	done(&p);
	p = parse("training_checkpoints: {download_folder: /ck, loops_checkpoint_ids: [a1]}\n");
	assert_string_equal(p.list, "");
	assert_string_equal(p.c.sources.items[0].uri.repo, "loops:a1");
	assert_string_equal(p.c.sources.items[0].mount, "/ck/a1");
	done(&p);
	finds("training_checkpoints:\n  artifact_references: [{training_job_id: ../x}]\n",
		"E 2:25 bad-source\n");
	finds("training_checkpoints:\n  artifact_references: [{training_job_id: x}]\n"
	      "  loops_checkpoint_ids: [y]\n",
		"E 3:25 training-both\n");
}

/* All of a file's errors come in one run, in the order of the file. */
static void test_all_findings_in_one_run(void **state)
{
	finds("model_nam: x\n"
	      "weights:\n"
	      "- source: nope://x\n"
	      "  mount_location: models\n"
	      "- mount_location: 5\n"
	      "- text\n"
	      "base_image: python\n"
	      "secrets: {k: hunter2}\n"
	      "secrets: {}\n"
	      "docker_server: {start_comand: x}\n",
		"W 1:1 unknown-key\n"
		"E 3:11 bad-source\n"
		"E 4:19 mount-path\n"
		"E 5:3 missing-key\n"
		"E 5:19 wrong-type\n"
		"E 6:3 wrong-type\n"
		"E 7:13 wrong-type\n"
		"E 9:1 duplicate-key\n"
		"E 10:16 missing-key\n"
		"W 10:16 truss-refuses\n"
		"W 10:16 truss-refuses\n"
		"W 10:16 truss-refuses\n"
		"W 10:16 truss-refuses\n"
		"W 10:17 unknown-key\n");
}

static void test_texts_that_users_know(void **state)
{
	says(W("models/llama"),
		"mount_location must be an absolute path (start with /), got: models/llama");
	says(W("/m") "- source: hf://o/r2\n  mount_location: /m/\n",
		"Duplicate mount_location '/m' - each weights source must have a unique mount "
		"path.");
	says("weights: [{source: 's3:///x', mount_location: /m}]\n",
		"Invalid S3 URI format: 's3:///x'. Expected format: s3://bucket/path");
	says("model_cache: [{repo_id: o/r, use_volume: false}]\n" W("/m"),
		"Please ensure that only one of `model_cache` and `weights` is specified");
	says("model_cache: [{repo_id: o/r, use_volume: true, volume_folder: v}]\n",
		"Revision '' is insufficient for repo 'o/r'. Please a suitable commit sha under "
		"this "
		"`[link](https://huggingface.co/o/r/commits/main)`");
	says("model_cache: [{repo_id: o/r, use_volume: true, revision: main}]\n",
		"the key `volume_folder: str` is required for `use_volume=True` repos.");
	says("model_cache: [{repo_id: o/r, use_volume: false, revision: x}]\n",
		"revision must be empty or at least 2 characters: 'hf://o/r@x'");
	says("build: {no_cache: true}\n", "no_cache cannot be specified in config.yaml. Use the "
					  "--no-cache CLI flag instead.");
	says("docker_server: {server_port: 1, predict_endpoint: a, readiness_endpoint: b, "
	     "liveness_endpoint: c}\n",
		"start_command is required when no_build is not true");
	says("docker_server: {start_command: a, run_as_user_id: 60000, server_port: 1, "
	     "predict_endpoint: a, readiness_endpoint: b, liveness_endpoint: c}\n",
		"run_as_user_id cannot be 60000. Use a different user ID.");
	says("build: {secret_to_path_mapping: {'a b': /x}}\n",
		"Secrets used in builds must follow Kubernetes object naming conventions. Name a b "
		"is "
		"not valid.");
	says("base_image: {image: x, python_executable_path: bin/python}\n",
		"Invalid relative python executable path bin/python");
}

#define A(fields) "weights: [{source: 's3://b/k', mount_location: /m, auth: {" fields "}}]\n"

static void test_auth(void **state)
{
	struct parsed p =
		parse(A("auth_method: AWS_OIDC, aws_oidc_role_arn: arn, aws_oidc_region: r"));

	assert_string_equal(p.list, "");
	assert_int_equal(p.c.sources.items[0].auth.method, WB_AUTH_AWS_OIDC);
	assert_string_equal(p.c.sources.items[0].auth.aws_role_arn, "arn");
	assert_string_equal(p.c.sources.items[0].auth.aws_region, "r");
	done(&p);
	says(A("auth_method: AWS_OIDC"),
		"aws_oidc_role_arn, aws_oidc_region must be provided when auth_method is AWS_OIDC");
	says(A("auth_method: CUSTOM_SECRET, auth_secret_name: x, aws_oidc_region: r"),
		"aws_oidc_region cannot be specified when auth_method is CUSTOM_SECRET");
	says("weights: [{source: 's3://b/k', mount_location: /m, auth_secret_name: y, "
	     "auth: {auth_method: CUSTOM_SECRET, auth_secret_name: x}}]\n",
		"auth_secret_name cannot be specified both at the top level and in auth section. "
		"Please use only one location.");
	says(A("auth_method: GCP_OIDC, gcp_oidc_service_account: a, "
	       "gcp_oidc_workload_id_provider: b"),
		"auth_method GCP_OIDC works for gs:// sources only, not for s3://");
	finds(A("auth_method: MAGIC"), "E 1:72 auth-method\n");
	finds(A("auth_method: AWS_ASSUME_ROLE"), "E 1:72 auth-method\n");
	finds(A("auth_secret_name: x"), "W 1:58 auth-method\n");
	finds(A(""), "E 1:58 missing-key\n");
}

static void test_mounts(void **state)
{
	const char *const refused[] = {"/", "//", "/.", "/a/../b", "/..", "/.wbuild", "/.wbuild/x",
		"/proc", "/sys/fs", "/dev/shm", "'/a\\b'", "/x/.wh.y"};

	for (size_t i = 0; i < WB_ARRAY_LEN(refused); i++) {
		wb_autofree char *text = wb_asprintf(W("%s"), refused[i]);
		struct parsed p = parse(text);

		if (strcmp(p.list, "E 3:19 mount-path\n") != 0)
			fail_msg("%s: %s", refused[i], p.list);
		done(&p);
	}
	finds(W("/process"), "");
	finds(W("/models") "- {source: hf://o/r, mount_location: /models/a}\n"
			   "- {source: hf://o/r, mount_location: /models-b}\n",
		"W 4:3 nested-mounts\n");
}

static void test_volume_folders(void **state)
{
#define V(folder) "- {repo_id: o/r, revision: main, use_volume: true, volume_folder: " folder "}\n"
	finds("model_cache:\n" V("../x"), "E 2:67 bad-folder\n");
	finds("model_cache:\n" V("/abs"), "E 2:67 bad-folder\n");
	finds("model_cache:\n" V("a") V("a/"), "W 3:3 shared-mount\n");
	finds("model_cache: [{repo_id: o/r, use_volume: false, volume_folder: x}]\n",
		"N 1:64 volume-folder-unused\n");
}

static void test_addresses_of_model_cache(void **state)
{
	finds("model_cache: [{repo_id: 'https://h/x', use_volume: false}]\n",
		"E 1:25 bad-source\n");
	finds("model_cache: [{repo_id: 'https://huggingface.co/o/r', use_volume: false}]\n",
		"E 1:25 bad-source\n");
	finds("model_cache: [{repo_id: gs://b, kind: s3, use_volume: false}]\n",
		"E 1:39 bad-kind\n");
	finds("model_cache: [{repo_id: gs://b, kind: hf, use_volume: false}]\n", "");
	finds("model_cache: [{repo_id: x, kind: ftp, use_volume: false}]\n", "E 1:34 bad-kind\n");
	finds("model_cache: [{repo_id: s3://b, revision: main, use_volume: false}]\n",
		"W 1:43 revision-unused\n");
	finds("model_cache: {repo_id: x}\n", "E 1:14 wrong-type\n");
	finds("model_cache:\n", "");
}

static void test_bare_sources(void **state)
{
	const char text[] = "weights: [{source: models/x, mount_location: /m}]\n";
	char *dir = wbtest_dir();
	wb_autofree char *sub = wb_asprintf("%s/models/x", dir);
	struct wb_err err = WB_ERR_INIT;
	struct wb_config c;

	assert_int_equal(wb_config_parse(&c, text, strlen(text), dir, "c", &err), -1);
	assert_contains(err.text, "Source 'models/x' is missing a URI scheme");
	assert_contains(err.hint, "hf://models/x");
	wb_config_release(&c);
	assert_ok(wb_mkdirs(sub, 0755, &err), &err);
	assert_ok(wb_config_parse(&c, text, strlen(text), dir, "c", &err), &err);
	assert_string_equal(c.sources.items[0].uri.path, "models/x");
	wb_config_release(&c);
	wbtest_rmdir(dir);
}

static void test_https_sources(void **state)
{
	finds("weights: [{source: 'https://h/dir/', mount_location: /m}]\n", "E 1:20 bad-source\n");
	finds("weights: [{source: 'https://huggingface.co/o/r', mount_location: /m}]\n",
		"E 1:20 hf-page\n");
	finds("weights: [{source: 'https://huggingface.co/o/r/resolve/main/x.bin', "
	      "mount_location: /m}]\n",
		"");
	finds("weights: [{source: 'https://h/x?token=abc', mount_location: /m}]\n",
		"W 1:20 signed-url\n");
	finds("weights: [{source: 'https://u:p@h/x', mount_location: /m}]\n",
		"E 1:20 bad-source\n");
}

static void test_patterns(void **state)
{
#define P(patterns) \
	"weights: [{source: 'hf://o/r', mount_location: /m, allow_patterns: " patterns "}]\n"
	finds(P("[]"), "W 1:68 empty-allow-list\n");
	finds(P("null"), "");
	finds(P("['']"), "W 1:69 pattern-matches-nothing\n");
	finds(P("[/x, ./y]"), "W 1:69 pattern-matches-nothing\nW 1:73 pattern-matches-nothing\n");
	finds(P("['*.{a,b}']"), "W 1:69 pattern-braces\n");
	finds(P("[1]"), "E 1:69 wrong-type\n");
	finds(P("{a: b}"), "E 1:68 wrong-type\n");
	finds(P("'*.x'"), "N 1:68 pattern-string\n");
}

static void test_environment(void **state)
{
	finds("environment_variables: {PORT: 1, HOSTNAME: x}\n",
		"W 1:25 reserved-variable\nW 1:34 reserved-variable\n");
	finds("environment_variables: {a=b: 1}\n", "E 1:25 bad-variable\n");
	finds("environment_variables: {a: [1]}\n", "E 1:28 wrong-type\n");
	finds("environment_variables: {a: \"x\\0\"}\n", "E 1:28 wrong-type\n");
	finds("environment_variables: {a: null}\n", "W 1:28 null-variable\n");
	finds("environment_variables: {HF_TOKEN: hf_abcdefghijklmnopqrst}\n",
		"W 1:35 secret-in-environment\n");
	finds("environment_variables: {BAD_TOKEN_ID_SEQ_CHECK_ENABLED: 1, X_TOKEN: 1}\n", "");
	finds("environment_variables: {HF_HOME: relative}\n", "E 1:34 mount-path\n");
	finds("environment_variables: []\n", "E 1:24 wrong-type\n");
}

/* The value of a secret in the file shows up nowhere. */
static void test_secrets_stay_out(void **state)
{
	struct parsed p = parse("secrets: {a: hunter2, b: 12345678, c: [hunter2], d: null}\n");

	assert_string_equal(p.list, "W 1:14 secret-in-config\nW 1:26 secret-in-config\n"
				    "E 1:39 wrong-type\n");
	wb_vec_foreach (f, &p.c.findings.list) {
		assert_null(strstr(f->text, "hunter2"));
		assert_null(strstr(f->text, "12345678"));
		assert_null(strstr(f->hint, "hunter2"));
		assert_null(strstr(f->hint, "12345678"));
	}
	assert_int_equal(p.c.secrets.n, 4);
	wb_vec_foreach (s, &p.c.secrets)
		assert_null(s->value);
	done(&p);
}

static void test_folders(void **state)
{
	finds("data_dir: ../x\nmodel_module_dir: /abs\n", "E 1:11 bad-folder\nE 2:19 bad-folder\n");
	finds("data_dir: 5\n", "E 1:11 wrong-type\n");
	finds("external_package_dirs: x\n", "E 1:24 wrong-type\n");
}

static void test_unknown_keys(void **state)
{
	struct parsed p = parse("my_own_setting: 1\nweight: []\n");

	assert_string_equal(p.list, "W 2:1 unknown-key\n");
	assert_string_equal(p.c.findings.list.items[0].hint, "did you mean \"weights\"?");
	done(&p);
	finds("weights:\n- {source: hf://o/r, mount_locaton: /m}\n",
		"E 2:3 missing-key\nW 2:22 unknown-key\n");
}

static void test_merged_keys_count(void **state)
{
	finds("x: &d {use_volume: false}\nmodel_cache:\n- {<<: *d, repo_id: o/r}\n", "");
}

static void test_root_must_be_a_mapping(void **state)
{
	finds("- a\n", "E 1:1 wrong-type\n");
	finds("text\n", "E 1:1 wrong-type\n");
}

static void test_errors_are_kept_among_many_warnings(void **state)
{
	struct wb_buf b WB_AUTO(wb_buf_release) = WB_BUF_INIT;
	struct parsed p;

	wb_buf_init(&b, 1 << 20, "text");
	wb_buf_must(&b, "secrets:\n");
	for (int i = 0; i < 2000; i++)
		wb_buf_must(&b, " k%d: v\n", i);
	wb_buf_must(&b, "weights: 3\n");
	p = parse(b.data);
	assert_int_equal(p.c.findings.warnings, 2000);
	assert_int_equal(p.c.findings.list.n, WB_FINDINGS_MAX + 1);
	assert_int_equal(p.err.line, 2002);
	done(&p);
}

static void test_loading(void **state)
{
	char *dir = wbtest_dir();
	wb_autofree char *yml = wb_asprintf("%s/config.yml", dir);
	wb_autofree char *yaml = wb_asprintf("%s/config.yaml", dir);
	struct wb_err err = WB_ERR_INIT;
	struct wb_config c;

	assert_err(wb_config_load(&c, dir, NULL, &err), &err, WB_ERR_CONFIG);
	assert_contains(err.text, "Expected a truss configuration file at ");
	assert_int_equal(c.findings.errors, 1);
	wb_config_release(&c);
	assert_ok(wb_file_put(yml, "", 0, 0644, 0, &err), &err);
	assert_err(wb_config_load(&c, dir, NULL, &err), &err, WB_ERR_CONFIG);
	assert_string_equal(err.text, "No truss configuration file ending in .yaml but found one "
				      "ending in .yml. Did you mean to rename it?");
	wb_config_release(&c);
	assert_ok(wb_file_put(yaml, "model_name: x\n", 14, 0644, 0, &err), &err);
	assert_ok(wb_config_load(&c, dir, NULL, &err), &err);
	assert_string_equal(c.model_name, "x");
	assert_string_equal(c.file, yaml);
	assert_string_equal(c.dir, dir);
	wb_config_release(&c);
	assert_err(wb_config_load(&c, dir, dir, &err), &err, WB_ERR_CONFIG);
	wb_config_release(&c);
	assert_err(wb_config_load(&c, dir, "/dev/zero", &err), &err, WB_ERR_CONFIG);
	assert_contains(err.text, "8 MiB");
	wb_config_release(&c);
	wbtest_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_everything_at_once),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_model_cache),
		cmocka_unit_test(test_old_name),
		cmocka_unit_test(test_external_data),
		cmocka_unit_test(test_training_checkpoints),
		cmocka_unit_test(test_all_findings_in_one_run),
		cmocka_unit_test(test_texts_that_users_know),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_volume_folders),
		cmocka_unit_test(test_addresses_of_model_cache),
		cmocka_unit_test(test_bare_sources),
		cmocka_unit_test(test_https_sources),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_secrets_stay_out),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_unknown_keys),
		cmocka_unit_test(test_merged_keys_count),
		cmocka_unit_test(test_root_must_be_a_mapping),
		cmocka_unit_test(test_errors_are_kept_among_many_warnings),
		cmocka_unit_test(test_loading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
