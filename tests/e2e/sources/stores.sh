#!/bin/bash
# Every kind of source in one config, private and public, against real servers where there are any:
# what is fetched, what is not fetched again, and that no secret shows anywhere.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use trees
t_use registries
t_use sources

t_case 'the servers start'
sources_start s3 gcs azure hub idp aws google bt web || exit 0
front_start "s3=$S3_PORT,/oidc=$AWS_PORT" "google=$GOOGLE_PORT" "azure=$AZURE_PORT" ||
	t_fail 'no front'
sources_files "$T_TMP/files-hub" hub
commit=$(hub_commit acme/tiny "$T_TMP/files-hub/m")
mkdir "$T_TMP/files-closed"
seeded closed 1500000 >"$T_TMP/files-closed/closed.safetensors"
hub_commit acme/closed "$T_TMP/files-closed" '"private": true' >/dev/null
hub_commit acme/rows "$T_TMP/files-hub/m/sub/deep" '"type": "datasets"' >/dev/null
hf_token=hf-token-$sources_random
hub_tell set "{\"tokens\": {\"$hf_token\": {}}}" >/dev/null

export AWS_ENDPOINT_URL_S3=http://127.0.0.1:$FRONT_s3 R2_ENDPOINT_URL=http://127.0.0.1:$FRONT_s3
export AWS_ENDPOINT_URL_STS=$STS_URL STORAGE_EMULATOR_HOST=http://127.0.0.1:$FRONT_google
export CLOUDSDK_API_ENDPOINT_OVERRIDES_STS=$GOOGLE_URL/
export CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS=$GOOGLE_URL/
export ACTIONS_ID_TOKEN_REQUEST_URL=$JOB_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN=$JOB_TOKEN
azure_url=http://127.0.0.1:$FRONT_azure/$AZURE_ACCOUNT
export AZURE_STORAGE_CONNECTION_STRING="AccountName=$AZURE_ACCOUNT;BlobEndpoint=$azure_url"
export BASETEN_API_URL=$BT_URL BASETEN_API_KEY=$BT_KEY SSL_CERT_FILE=$T_TMP/tls/ca.pem

s=$T_TMP/secrets
mkdir "$s"
printf '{"aws_access_key_id": "%s", "aws_secret_access_key": "%s"}' "$S3_KEY" "$S3_SECRET" >"$s/s3"
printf '{"account_key": "%s"}' "$AZURE_KEY" >"$s/azure"
printf '{"sas_token": "%s"}' "$(<"$T_TMP/sas/good")" >"$s/sas"
printf 'DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=%s' \
	"$AZURE_ACCOUNT" "$AZURE_KEY" "$azure_url" >"$s/connection"
echo "$hf_token" >"$s/hf"
echo "$WEB_TOKEN" >"$s/web"
cp "$T_TMP/idp/reader.json" "$s/gcp"
cp "$T_TMP/idp/session.json" "$s/session"
given=()
for one in "$s"/*; do given+=(--secret "id=${one##*/},src=$one"); done

m=$T_TMP/truss
mkdir -p "$m/local"
seeded local 100000 >"$m/local/here.bin"
# weight MOUNT SOURCE [SECRET] [LINE...]: an entry of the config.
weight() {
	printf '  - source: %s\n    mount_location: /models/%s\n' "$2" "$1"
	[ -z "${3:-}" ] ||
		printf '    auth: { auth_method: CUSTOM_SECRET, auth_secret_name: %s }\n' "$3"
	shift 3 2>/dev/null || return 0
	printf '    %s\n' "$@"
}
{
	echo 'weights:'
	weight hf hf://acme/tiny@main
	weight closed hf://acme/closed hf
	weight rows hf://datasets/acme/rows
	weight s3 s3://bucket/m s3
	weight object s3://bucket/m/config.json s3
	weight s3-public s3://public/m/sub
	weight s3-session s3://oidc/m/sub/deep session
	weight s3-oidc s3://oidc/m '' "auth: { auth_method: AWS_OIDC, aws_oidc_role_arn: $AWS_ROLE, aws_oidc_region: us-east-1 }"
	weight r2 r2://account.bucket/m/sub s3
	weight cw cw://bucket/m/ s3 'allow_patterns: ["**/*.txt"]'
	weight gs gs://bucket/m
	weight gs-private gs://private/m gcp
	weight gs-oidc gs://private-too/m '' "auth: { auth_method: GCP_OIDC, gcp_oidc_service_account: $GOOGLE_READER, gcp_oidc_workload_id_provider: $GOOGLE_PROVIDER }"
	weight azure azure://$AZURE_ACCOUNT/container/m azure
	weight azure-sas azure://$AZURE_ACCOUNT/container/m/sub sas
	weight azure-public azure://$AZURE_ACCOUNT/open/m/config.json
	weight az az://$AZURE_ACCOUNT/container/m/sub/deep connection
	weight bt bt://my-project@j2/step-200
	weight bt-latest bt://my-project
	weight web "$WEB_URL/one.bin"
	weight web-private "$WEB_URL/private/two.bin" web
	weight web-moved "$WEB_URL/moved/one.bin" web
	weight local file://local
	printf 'external_data:\n  - { url: "%s", local_data_path: %s }\n' "$WEB_URL/one.bin" ext/one
} >"$m/config.yaml"

# What is kept from everybody: the secrets, and what was issued for them.
kept() {
	printf '%s\n' "$S3_SECRET" "$AZURE_KEY" "$hf_token" "$WEB_TOKEN" "$BT_KEY" "$JOB_TOKEN"
	jq -r '.private_key' "$s/gcp" | sed -n '2,4p'
	jq -r '.aws_secret_access_key, .aws_session_token' "$s/session"
	sed -n 's/.*&sig=\(.*\)/\1/p' "$T_TMP/sas/good"
	cat "$T_TMP/idp/issued"
}

t_case 'one config with every kind of source builds'
t_bg argv python3 "$T_SRC/tests/lib/watch_argv.py" "$T_TMP/argv"
argv_pid=$t_bg_pid
t_ok t_wait 120 test -s "$T_TMP/argv"
t_run "$WBUILD" build -vv "${given[@]}" -o "type=local,dest=$T_TMP/out" \
	-o "type=oci,tar=false,dest=$T_TMP/image" "$m"
t_rc 0
kill "$argv_pid"
[ "$rc" = 0 ] || exit 0
cp "$T_TMP/.out" "$T_TMP/said.out"
cp "$T_TMP/.err" "$T_TMP/said.err"
for pair in hf=hub/m closed=closed rows=hub/m/sub/deep s3=s3/m s3-public=s3/m/sub \
	s3-session=aws/m/sub/deep s3-oidc=aws/m r2=s3/m/sub gs=gcs/bucket/m gs-private=gcs/private/m \
	gs-oidc=gcs/private-too/m azure=azure/m azure-sas=azure/m/sub az=azure/m/sub/deep bt=bt/m \
	bt-latest=bt/m; do
	t_ok diff -r "$T_TMP/files-${pair#*=}" "$T_TMP/out/models/${pair%%=*}"
done
t_ok cmp "$T_TMP/files-s3/m/config.json" "$T_TMP/out/models/object/config.json"
t_ok cmp "$T_TMP/files-s3/m/sub/deep/a b+c ü.txt" "$T_TMP/out/models/cw/sub/deep/a b+c ü.txt"
t_eq "$(find "$T_TMP/out/models/cw" -type f | wc -l)" 1 'files that the pattern left'
t_ok cmp "$T_TMP/files-azure/m/config.json" "$T_TMP/out/models/azure-public/config.json"
for one in web/one.bin web-moved/one.bin; do
	t_ok cmp "$T_TMP/www/one.bin" "$T_TMP/out/models/$one"
done
t_ok cmp "$T_TMP/www/private/two.bin" "$T_TMP/out/models/web-private/two.bin"
t_ok cmp "$T_TMP/www/one.bin" "$T_TMP/out/app/data/ext/one"
t_ok cmp "$m/local/here.bin" "$T_TMP/out/models/local/here.bin"
t_match "$(<"$m/wbuild.lock")" "\"$commit\""

t_case 'no secret is in what was printed, locked, kept, built or in an argument list'
kept >"$T_TMP/kept"
t_eq "$(awk 'length($0) < 16' "$T_TMP/kept")" '' 'secrets too short to look for'
t_le 15 "$(wc -l <"$T_TMP/kept")" 'secrets to look for'
t_match "$(<"$T_TMP/said.err")" 'STS|sts|AssumeRole|POST '
for layer in $(jq -r '.layers[].digest' < <(skopeo inspect --raw "oci:$T_TMP/image")); do
	zstdcat "$T_TMP/image/blobs/sha256/${layer#sha256:}"
done >"$T_TMP/layers" 2>/dev/null
t_le 60000000 "$(stat -c %s "$T_TMP/layers")" 'bytes of layers'
t_not grep -raF -f "$T_TMP/kept" "$m" "$T_TMP/out" "$T_TMP/said.out" "$T_TMP/said.err" \
	"$T_TMP/image" "$T_TMP/layers" "$WBUILD_CACHE_DIR"
t_not grep -aE '(Signature|sig)=[0-9A-Za-z%]{8}' "$T_TMP/said.out" "$T_TMP/said.err" "$m/wbuild.lock"
t_match "$(<"$T_TMP/argv")" 'wbuild build -vv --secret'
t_not grep -aF -f "$T_TMP/kept" "$T_TMP/argv"
rm "$T_TMP/layers"

# asked: the requests for files since forget, one a line; listings and the first byte that tells of
# an https file are none.
asked() {
	jq -r 'select((.path | test("list-type=2|comp=list")) | not) |
		select(.name != "google" or (.path | test("alt=media"))) |
		select(.method == "GET") | "\(.name) \(.path)"' "$T_TMP/front.jsonl"
	curl -s "$HUB_URL/-/log" | jq -r '.[] | select(.path | test("resolve|Signature")) |
		select(.method == "GET") | "hub \(.path | sub("[?].*"; ""))"'
	curl -s "$BT_URL/-/log" | jq -r '.[] | select(.path | startswith("/store/")) | "bt \(.path)"' |
		tail -n "+$((bt_before + 1))"
	curl -s --cacert "$SSL_CERT_FILE" "$WEB_URL/-/log" |
		jq -r '.[] | select(.range != "bytes=0-0") |
			"\(if .first then "web" else "moved" end) \(.path)"' |
		tail -n "+$((web_before + 1))"
}

forget() {
	: >"$T_TMP/front.jsonl"
	hub_tell clear '{}' >/dev/null
	bt_before=0 web_before=0
	bt_before=$(asked | grep -c '^bt ') web_before=$(asked | grep -cE '^(web|moved) ')
}

t_case 'equal bytes came once, whatever they are called and wherever they are'
bt_before=0 web_before=0
asked >"$T_TMP/asked"
for path in /one.bin /store/step-200/config.json; do
	t_eq "$(grep -cE "^(web|bt) $path$" "$T_TMP/asked")" 1 "requests for $path, which two entries want"
done
t_eq "$(grep -cE '^(s3|google|azure) .*(%20b|empty)' "$T_TMP/asked")" 4 \
	'requests for the files of the same text, at six places, and for the empty one'

t_case 'a second build sends no request for a file'
forget
t_run "$WBUILD" build "${given[@]}" -o "type=local,dest=$T_TMP/out2" "$m"
t_rc 0
t_eq "$(asked)" '' 'requests for files'
t_ok diff -r "$T_TMP/out/models" "$T_TMP/out2/models"
t_le 5 "$(wc -l <"$T_TMP/front.jsonl")" 'listings that were counted'

t_case 'a changed mount_location or auth downloads nothing'
cp "$s/azure" "$s/other"
sed -i 's,/models/hf$,/models/elsewhere,; s/auth_secret_name: azure /auth_secret_name: other /' \
	"$m/config.yaml"
t_run "$WBUILD" build "${given[@]}" --secret "id=other,src=$s/other" \
	-o "type=local,dest=$T_TMP/out3" "$m"
t_rc 0
t_eq "$(asked)" '' 'requests for files'
t_ok diff -r "$T_TMP/files-hub/m" "$T_TMP/out3/models/elsewhere"

t_case 'one changed file downloads that file and no other'
seeded changed 3000000 >"$T_TMP/files-hub/m/model.safetensors"
hub_commit acme/tiny "$T_TMP/files-hub/m" >/dev/null
t_run "$WBUILD" fetch "${given[@]}" --secret "id=other,src=$s/other" "$m"
t_rc 0
t_eq "$(asked | sed 's,/resolve/[0-9a-f]*/,/resolve/,; s,hub /[0-9a-f]\{64\}$,hub (its content),' | sort)" \
	$'hub (its content)\nhub /acme/tiny/resolve/model.safetensors' 'requests for files'
forget
t_ok s3_put bucket m/config.json '{"changed": true}'
printf changed >"$T_TMP/www/private/two.bin"
t_run "$WBUILD" build "${given[@]}" --secret "id=other,src=$s/other" \
	-o "type=local,dest=$T_TMP/out4" "$m"
t_rc 0
t_eq "$(asked | sort -u)" "$(printf 's3 %s\nweb %s' /bucket/m/config.json /private/two.bin)" 'requests for files'
t_eq "$(cat "$T_TMP/out4/models/web-private/two.bin")" changed 'the changed file'

t_case 'of a file without etag or date nothing is believed the next time'
mkdir "$T_TMP/bare"
cat >"$T_TMP/bare/config.yaml" <<END
model_name: bare
weights:
- source: $WEB_URL/bare/one.bin
  mount_location: /models/bare
END
t_run "$WBUILD" plan --format json "$T_TMP/bare"
t_rc 0
t_eq "$(jq '.sources[0].files' <<<"$out")" 1 'files of the plan'
for text in before -after; do
	printf %s "$text" >"$T_TMP/www/one.bin"
	t_run "$WBUILD" build --base scratch -o "type=local,dest=$T_TMP/bare-$text" "$T_TMP/bare"
	t_rc 0
	t_eq "$(cat "$T_TMP/bare-$text/models/bare/one.bin")" "$text" 'the file of the same size'
done
