#!/bin/bash
# Every kind of source in one config, against real servers; wrong credentials and their messages.
. "$(dirname "$0")/../lib.sh"
t_use images
t_use trees
t_use sources

unset "${!AWS_@}" "${!AZURE_STORAGE_@}" "${!GOOGLE_@}" STORAGE_EMULATOR_HOST
export AWS_EC2_METADATA_DISABLED=true HF_TOKEN_PATH=/nonexistent

t_case 'the servers start'
sources_start s3 gcs azure hub || exit 0
sources_files "$T_TMP/files-hub" hub
commit=$(hub_commit acme/tiny "$T_TMP/files-hub/m")
echo hello >"$T_TMP/files-hub/plain.txt"
mkdir "$T_TMP/www"
cp "$T_TMP/files-hub/m/model.safetensors" "$T_TMP/www/one.bin"
www=$(t_port)
t_bg www python3 -m http.server --bind 127.0.0.1 --directory "$T_TMP/www" "$www"
sources_wait "http://127.0.0.1:$www/" || t_fail 'no web server'

export AWS_ENDPOINT_URL_S3=$S3_URL R2_ENDPOINT_URL=$S3_URL STORAGE_EMULATOR_HOST=$GCS_URL
export AZURE_STORAGE_CONNECTION_STRING="AccountName=$AZURE_ACCOUNT;BlobEndpoint=$AZURE_URL"
printf '{"aws_access_key_id": "%s", "aws_secret_access_key": "%s"}' "$S3_KEY" "$S3_SECRET" \
	>"$T_TMP/s3.json"
printf '{"account_key": "%s"}' "$AZURE_KEY" >"$T_TMP/azure.json"

m=$T_TMP/truss
mkdir -p "$m"
cat >"$m/config.yaml" <<END
weights:
  - source: hf://acme/tiny@main
    mount_location: /models/hf
  - source: s3://bucket/m
    mount_location: /models/s3
    auth: { auth_method: CUSTOM_SECRET, auth_secret_name: s3_json }
  - source: s3://bucket/m/config.json
    mount_location: /models/object
    auth_secret_name: s3_json
  - source: r2://account.bucket/m/sub
    mount_location: /models/r2
    auth: { auth_method: CUSTOM_SECRET, auth_secret_name: s3_json }
  - source: cw://bucket/m/
    mount_location: /models/cw
    allow_patterns: ["**/*.txt"]
    auth_secret_name: s3_json
  - source: gs://bucket/m
    mount_location: /models/gs
  - source: azure://$AZURE_ACCOUNT/container/m
    mount_location: /models/azure
    auth: { auth_method: CUSTOM_SECRET, auth_secret_name: azure_json }
  - source: http://127.0.0.1:$www/one.bin
    mount_location: /models/web
END
secrets=(--secret "id=s3_json,src=$T_TMP/s3.json" --secret "id=azure_json,src=$T_TMP/azure.json")

t_case 'one config with every kind of source builds'
t_run "$WBUILD" build -vv "${secrets[@]}" -o "type=local,dest=$T_TMP/out" "$m"
t_rc 0
for kind in hf s3 gs azure; do
	from=$kind
	[ $kind = hf ] && from=hub
	[ $kind = gs ] && from=gcs/bucket
	t_ok diff -r "$T_TMP/files-$from/m" "$T_TMP/out/models/$kind"
done
t_ok diff -r "$T_TMP/files-s3/m/sub" "$T_TMP/out/models/r2"
t_ok cmp "$T_TMP/files-s3/m/config.json" "$T_TMP/out/models/object/config.json"
t_ok cmp "$T_TMP/files-s3/m/sub/deep/a b+c ü.txt" "$T_TMP/out/models/cw/sub/deep/a b+c ü.txt"
t_ok cmp "$T_TMP/www/one.bin" "$T_TMP/out/models/web/one.bin"
t_match "$(<"$m/wbuild.lock")" "\"$commit\""

t_case 'no secret is in what was printed, locked or built'
for secret in $S3_SECRET "$AZURE_KEY"; do
	t_not grep -rqF "$secret" "$m" "$T_TMP/out" "$T_TMP/.out" "$T_TMP/.err"
done

t_case 'a second build sends no request for a file'
hub_tell clear '{}' >/dev/null
t_run "$WBUILD" build "${secrets[@]}" -o "type=local,dest=$T_TMP/out2" "$m"
t_rc 0
t_eq "$(curl -s "$HUB_URL/-/log" | jq '[.[] | select(.path | test("resolve|Signature"))] | length')" 0

t_case 'a changed mount_location or auth downloads nothing'
sed -i 's,/models/hf,/models/elsewhere,; s/s3_json/other_name/' "$m/config.yaml"
t_run "$WBUILD" fetch --secret "id=other_name,src=$T_TMP/s3.json" "${secrets[@]}" --offline "$m"
t_rc 0

# refused ENTRY-LINES MESSAGE CODE [OPTION...]: a config with one source fails so
refused() {
	local entry=$1 want=$2 code=$3

	shift 3
	rm -rf "$T_TMP/one"
	mkdir "$T_TMP/one"
	printf 'weights:\n  - %s\n    mount_location: /models/x\n' "$entry" >"$T_TMP/one/config.yaml"
	t_run timeout 60 "$WBUILD" fetch -vv "$@" "$T_TMP/one"
	t_rc "$code"
	t_match "$err" "$want"
	t_no_match "$err" "wrong-secret-27182"
}
auth='
    auth: { auth_method: CUSTOM_SECRET, auth_secret_name: it }'
given=(--secret "id=it,src=$T_TMP/it")

t_case 'S3: no auth block'
refused 'source: s3://bucket/m' 'secret_id is required' 1
t_case 'S3: a secret that is nowhere'
refused "source: s3://bucket/m$auth" 'the secret "it" was not found' 1
t_case 'S3: a key under another name works with a note, a missing one is named'
printf '{"access_key_id": "%s", "secret_access_key": "%s"}' $S3_KEY $S3_SECRET >"$T_TMP/it"
refused "source: s3://bucket/m$auth" 'leaves "aws_" out' 0 "${given[@]}"
printf '{"aws_access_key_id": "x"}' >"$T_TMP/it"
refused "source: s3://bucket/m$auth" 'aws_access_key_id and aws_secret_access_key are required in S3 credentials.*no "aws_secret_access_key"' 1 "${given[@]}"
t_case 'S3: a wrong key, a wrong secret, no such bucket, an empty prefix'
printf '{"aws_access_key_id": "nobody", "aws_secret_access_key": "wrong-secret-27182"}' >"$T_TMP/it"
refused "source: s3://bucket/m$auth" 'check aws_access_key_id' 1 "${given[@]}"
printf '{"aws_access_key_id": "%s", "aws_secret_access_key": "wrong-secret-27182"}' $S3_KEY >"$T_TMP/it"
refused "source: s3://bucket/m$auth" 'check aws_secret_access_key' 1 "${given[@]}"
refused "source: s3://nowhere/m$auth" 'NoSuchBucket' 1 --secret "id=it,src=$T_TMP/s3.json"
refused "source: s3://bucket/nothing$auth" 'no files found' 1 --secret "id=it,src=$T_TMP/s3.json"

t_case 'Azure: no credentials, a wrong key, a key that is none'
refused "source: azure://$AZURE_ACCOUNT/container/m" 'no credentials for the storage account' 1
printf '{"account_key": "%s"}' "$(printf wrong-secret-27182 | base64)" >"$T_TMP/it"
refused "source: azure://$AZURE_ACCOUNT/container/m$auth" 'check the account_key' 1 "${given[@]}"
printf '{"account_key": "wrong-secret-27182!"}' >"$T_TMP/it"
refused "source: azure://$AZURE_ACCOUNT/container/m$auth" 'is not base64' 1 "${given[@]}"

t_case 'GCS: a secret that is no key file, no such bucket'
echo 'wrong-secret-27182' >"$T_TMP/it"
refused "source: gs://bucket/m$auth" 'is not the JSON key file of a service account' 1 "${given[@]}"
refused 'source: gs://nowhere/m' '404|no files found' 1

t_case 'https: a file that is not there'
refused "source: http://127.0.0.1:$www/none.bin" '404' 1
