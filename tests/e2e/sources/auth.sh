#!/bin/bash
# Every way to sign in, and each wrong credential with a message of its own; nothing that was wrong
# or right is printed, with -vv either.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use trees
t_use registries
t_use sources

t_case 'the servers start'
sources_start s3 gcs azure hub idp aws google bt web || exit 0
sources_files "$T_TMP/files-hub" hub
hub_commit acme/tiny "$T_TMP/files-hub/m" >/dev/null
hub_commit acme/closed "$T_TMP/files-hub/m" '"private": true' >/dev/null
hub_commit acme/gated "$T_TMP/files-hub/m" '"gated": true' >/dev/null
hf_token=hf-token-$sources_random
hub_tell set "{\"tokens\": {\"$hf_token\": {}}}" >/dev/null

export AWS_ENDPOINT_URL_S3=$S3_URL AWS_ENDPOINT_URL_STS=$STS_URL STORAGE_EMULATOR_HOST=$GOOGLE_URL
export CLOUDSDK_API_ENDPOINT_OVERRIDES_STS=$GOOGLE_URL/
export CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS=$GOOGLE_URL/
export AZURE_STORAGE_CONNECTION_STRING="AccountName=$AZURE_ACCOUNT;BlobEndpoint=$AZURE_URL"
export BASETEN_API_URL=$BT_URL SSL_CERT_FILE=$T_TMP/tls/ca.pem

s=$T_TMP/secrets
mkdir "$s"
wrong="wrong-secret-27182"
printf '{"aws_access_key_id": "%s", "aws_secret_access_key": "%s"}' "$S3_KEY" "$S3_SECRET" >"$s/s3"
{
	printf '%s\n' "$S3_SECRET" "$AZURE_KEY" "$hf_token" "$WEB_TOKEN" "$BT_KEY" "$JOB_TOKEN" "$wrong"
	jq -r '.aws_secret_access_key, .aws_session_token' "$T_TMP"/idp/{session,outdated}.json
	cat "$T_TMP"/idp/*.jwt
} >"$T_TMP/kept"

# fetch CODE MESSAGE SOURCE [AUTH]: a config with this one entry ends so, in at most one error and
# one hint, and with nothing secret in what is said. $given are more options.
given=()
fetch() {
	rm -rf "$T_TMP/one" "$WBUILD_CACHE_DIR"
	mkdir "$T_TMP/one"
	printf 'weights:\n  - source: %s\n    mount_location: /models/x\n' "$3" >"$T_TMP/one/config.yaml"
	[ -z "${4:-}" ] || printf '    auth: { %s }\n' "$4" >>"$T_TMP/one/config.yaml"
	t_run timeout 300 "$WBUILD" fetch -vv "${given[@]}" "$T_TMP/one"
	t_rc "$1"
	[ -z "$2" ] || t_match "$(grep -v '^wbuild: debug' "$T_TMP/.err" | tr '\n' ' ')" "$2"
	t_le "$(grep -cE '^wbuild: (error|hint):' "$T_TMP/.err")" 2 'lines of error and hint'
	[ "$1" = 0 ] || t_match "$err" '^wbuild: error: .*config.yaml:[24]:'
	t_not grep -aF -f "$T_TMP/kept" -f "$T_TMP/idp/issued" "$T_TMP/.err" "$T_TMP/.out"
}
touch "$T_TMP/idp/issued"

# secret TEXT: what the secret "it" is from now on; auth names it.
secret() {
	printf '%s' "$1" >"$s/it"
	given=(--secret "id=it,src=$s/it")
}
auth='auth_method: CUSTOM_SECRET, auth_secret_name: it'
as_role="auth_method: AWS_OIDC, aws_oidc_region: us-east-1, aws_oidc_role_arn: $AWS_ROLE"
as_reader="auth_method: GCP_OIDC, gcp_oidc_service_account: $GOOGLE_READER, gcp_oidc_workload_id_provider: $GOOGLE_PROVIDER"
small=m/sub/deep

t_case 'S3: no auth block'
fetch 1 'secret_id is required: .* hint: add auth:' s3://bucket/$small
t_case 'S3: a secret that is nowhere'
fetch 1 'the secret "it" was not found.* hint: give it with --secret id=it' s3://bucket/$small "$auth"
t_case 'S3: a key under another name works with a note, a missing one is named'
secret "{\"access_key_id\": \"$S3_KEY\", \"secret_access_key\": \"$S3_SECRET\"}"
fetch 0 'leaves "aws_" out' s3://bucket/$small "$auth"
secret '{"aws_access_key_id": "x"}'
fetch 1 'aws_access_key_id and aws_secret_access_key are required in S3 credentials.*no "aws_secret_access_key"' \
	s3://bucket/$small "$auth"
secret '{"aws_secret_access_key": "wrong-secret-27182"}'
fetch 1 'has no "aws_access_key_id"' s3://bucket/$small "$auth"
secret "$wrong"
fetch 1 'is not a JSON object' s3://bucket/$small "$auth"
t_case 'S3: a wrong key, a wrong secret, no such bucket, an empty prefix'
secret "{\"aws_access_key_id\": \"nobody\", \"aws_secret_access_key\": \"$wrong\"}"
fetch 1 'hint: check aws_access_key_id' s3://bucket/$small "$auth"
secret "{\"aws_access_key_id\": \"$S3_KEY\", \"aws_secret_access_key\": \"$wrong\"}"
fetch 1 'SignatureDoesNotMatch.* hint: check aws_secret_access_key' s3://bucket/$small "$auth"
secret "$(<"$s/s3")"
fetch 1 'NoSuchBucket' s3://nowhere/m "$auth"
fetch 1 'no files found' s3://bucket/nothing "$auth"
fetch 2 'auth_method GCP_OIDC works for gs:// sources only' s3://bucket/$small "$as_reader"

t_case 'S3: keys of the environment, and profiles'
given=()
AWS_ACCESS_KEY_ID=$S3_KEY AWS_SECRET_ACCESS_KEY=$S3_SECRET fetch 0 '' s3://bucket/$small
AWS_ACCESS_KEY_ID=$S3_KEY fetch 1 'AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not' \
	s3://bucket/$small
printf '[other]\naws_access_key_id = x\n\n[ci]\naws_access_key_id = %s\naws_secret_access_key=%s\n' \
	"$S3_KEY" "$S3_SECRET" >"$s/profiles"
export AWS_SHARED_CREDENTIALS_FILE=$s/profiles
AWS_PROFILE=ci fetch 0 '' s3://bucket/$small
AWS_PROFILE="cd" fetch 1 'there is no profile "cd"' s3://bucket/$small
printf '[profile robot]\nrole_arn = %s\nweb_identity_token_file = %s\nregion = us-east-1\n' \
	"$AWS_ROLE" "$T_TMP/idp/good.jwt" >"$s/aws-config"
export AWS_CONFIG_FILE=$s/aws-config
AWS_ENDPOINT_URL_S3=$STS_URL AWS_PROFILE=robot fetch 0 '' s3://oidc/$small
unset AWS_SHARED_CREDENTIALS_FILE AWS_CONFIG_FILE

t_case 'S3: session tokens'
export AWS_ENDPOINT_URL_S3=$STS_URL
secret "$(<"$T_TMP/idp/session.json")"
fetch 0 '' s3://oidc/$small "$auth"
fetch 1 'AccessDenied.* hint: the credentials are valid, but need s3:ListBucket' s3://other/m "$auth"
secret "$(<"$T_TMP/idp/outdated.json")"
fetch 1 'ExpiredToken.* hint: the session token has expired: get new credentials' \
	s3://oidc/$small "$auth"
secret "$(jq ".aws_session_token = \"$wrong\"" "$T_TMP/idp/session.json")"
fetch 1 'InvalidToken.* hint: check aws_session_token' s3://oidc/$small "$auth"

t_case 'AWS_OIDC: a token from a file, and from a job'
given=()
AWS_WEB_IDENTITY_TOKEN_FILE=$T_TMP/idp/good.jwt fetch 0 '' s3://oidc/$small "$as_role"
AWS_ROLE_ARN=$AWS_ROLE AWS_WEB_IDENTITY_TOKEN_FILE=$T_TMP/idp/good.jwt fetch 0 '' s3://oidc/$small
export ACTIONS_ID_TOKEN_REQUEST_URL=$JOB_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN=$JOB_TOKEN
fetch 0 '' s3://oidc/$small "$as_role"

t_case 'AWS_OIDC: a job without the permission, no token, one that is old or not trusted, another role'
ACTIONS_ID_TOKEN_REQUEST_TOKEN=$wrong fetch 1 "asking the job's token endpoint.*401" \
	s3://oidc/$small "$as_role"
unset "${!ACTIONS_@}"
fetch 1 'there is no OIDC token to sign in with.* hint: set AWS_WEB_IDENTITY_TOKEN_FILE' \
	s3://oidc/$small "$as_role"
AWS_WEB_IDENTITY_TOKEN_FILE=/nonexistent fetch 1 'token file "/nonexistent" does not exist' \
	s3://oidc/$small "$as_role"
AWS_WEB_IDENTITY_TOKEN_FILE=$T_TMP/idp/expired.jwt fetch 1 \
	'ExpiredTokenException.* hint: the web identity token has expired' s3://oidc/$small "$as_role"
AWS_WEB_IDENTITY_TOKEN_FILE=$T_TMP/idp/elsewhere.jwt fetch 1 \
	'Incorrect token audience.* hint: check that .* trusts the token' s3://oidc/$small "$as_role"
AWS_WEB_IDENTITY_TOKEN_FILE=$T_TMP/idp/foreign.jwt fetch 1 \
	'InvalidIdentityToken.* hint: check that .* trusts the token' s3://oidc/$small "$as_role"
AWS_WEB_IDENTITY_TOKEN_FILE=$T_TMP/idp/good.jwt fetch 1 \
	'AccessDenied.* hint: check that ".*/writer" trusts the token' \
	s3://oidc/$small "${as_role/reader/writer}"

t_case 'GCS: a service account, by secret and by environment'
secret "$(<"$T_TMP/idp/reader.json")"
fetch 0 '' gs://private/m "$auth"
given=()
GOOGLE_APPLICATION_CREDENTIALS=$T_TMP/idp/reader.json fetch 0 '' gs://private/m
t_case 'GCS: a secret that is no key file or lacks the key, a deleted key, another account, none'
secret "$wrong"
fetch 1 'is not the JSON key file of a service account' gs://private/m "$auth"
secret "$(jq 'del(.private_key)' "$T_TMP/idp/reader.json")"
fetch 1 'the secret "it" has no "private_key"' gs://private/m "$auth"
secret "$(jq '.private_key = "wrong-secret-27182"' "$T_TMP/idp/reader.json")"
fetch 1 'private.key|RSA' gs://private/m "$auth"
secret "$(<"$T_TMP/idp/deleted.json")"
fetch 1 'Invalid JWT Signature.* hint: the service account .* or its key may be deleted' \
	gs://private/m "$auth"
secret "$(<"$T_TMP/idp/stranger.json")"
fetch 1 '403.* hint: stranger@acme.example needs roles/storage.objectViewer' gs://private/m "$auth"
given=()
fetch 1 'no credentials configured: need either OIDC config or secret_id' gs://private/m
fetch 1 '404|no files found' gs://nowhere/m
GOOGLE_APPLICATION_CREDENTIALS=/nonexistent fetch 1 'names "/nonexistent", which does not exist' \
	gs://private/m

t_case "GCP_OIDC: a token from a job, and from an external account's file"
ACTIONS_ID_TOKEN_REQUEST_URL=$JOB_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN=$JOB_TOKEN \
	fetch 0 '' gs://private/m "$as_reader"
export GOOGLE_APPLICATION_CREDENTIALS=$T_TMP/idp/external.json
fetch 0 '' gs://private/m
fetch 0 '' gs://private/m "$as_reader"
t_case 'GCP_OIDC: an untrusted token, another provider, an account that may not be impersonated, none'
cp "$T_TMP/idp/google.jwt" "$T_TMP/idp/kept.jwt"
cp "$T_TMP/idp/foreign.jwt" "$T_TMP/idp/google.jwt"
fetch 1 'workload identity exchange.*signature.* hint: check that the provider' gs://private/m \
	"$as_reader"
cp "$T_TMP/idp/expired.jwt" "$T_TMP/idp/google.jwt"
fetch 1 'stale to sign-in.* hint: check that the provider .* has not expired' gs://private/m \
	"$as_reader"
cp "$T_TMP/idp/kept.jwt" "$T_TMP/idp/google.jwt"
fetch 1 'Invalid value for .audience.' gs://private/m "${as_reader/github/gitlab}"
unset GOOGLE_APPLICATION_CREDENTIALS
ACTIONS_ID_TOKEN_REQUEST_URL=$JOB_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN=$JOB_TOKEN \
	fetch 1 'impersonation.* hint: the identity needs roles/iam.workloadIdentityUser' gs://private/m \
	"${as_reader/reader@/owner@}"
fetch 1 'there is no OIDC token to sign in with.* hint: .*GOOGLE_APPLICATION_CREDENTIALS' \
	gs://private/m "$as_reader"

here=azure://$AZURE_ACCOUNT/container
t_case 'Azure: the key, a SAS and connection strings, by secret and by environment'
connection="DefaultEndpointsProtocol=http;AccountName=$AZURE_ACCOUNT;BlobEndpoint=$AZURE_URL"
for text in "$AZURE_KEY" "{\"account_key\": \"$AZURE_KEY\"}" "$(<"$T_TMP/sas/good")" \
	"?$(<"$T_TMP/sas/good")" "$connection;AccountKey=$AZURE_KEY" \
	"$connection;SharedAccessSignature=$(<"$T_TMP/sas/good")"; do
	secret "$text"
	fetch 0 '' $here/$small "$auth"
done
given=()
AZURE_STORAGE_KEY=$AZURE_KEY fetch 0 '' $here/$small
AZURE_STORAGE_SAS_TOKEN=$(<"$T_TMP/sas/good") fetch 0 '' $here/$small
t_case 'Azure: no credentials, a wrong key, one that is none, a SAS that is old or wrong, no container'
fetch 1 'no credentials for the storage account' $here/m
secret "{\"account_key\": \"$(printf %s "$wrong" | base64)\"}"
fetch 1 'hint: check the account_key' $here/$small "$auth"
secret "{\"account_key\": \"$wrong!\"}"
fetch 1 'is not base64' $here/$small "$auth"
secret '{"key": "wrong-secret-27182"}'
fetch 1 'has no "account_key"' $here/$small "$auth"
secret "$(<"$T_TMP/sas/expired")"
fetch 1 'hint: the SAS token of .* may have expired' $here/$small "$auth"
secret "$(sed 's/sig=..../sig=AAAA/' "$T_TMP/sas/good")"
fetch 1 'hint: the SAS token of' $here/$small "$auth"
secret "{\"account_key\": \"$AZURE_KEY\"}"
fetch 1 'ContainerNotFound|container.* does not exist' ${here}s/$small "$auth"

t_case 'hf: no token, a wrong one, a gated repository, no such revision'
given=()
fetch 1 '"acme/closed" does not exist, or is private or gated.* hint: give a token' hf://acme/closed
HF_TOKEN=$hf_token fetch 0 '' hf://acme/closed
HF_TOKEN=$wrong fetch 1 'the hub does not accept the token.* hint: it may have expired' \
	hf://acme/closed
fetch 1 'the repository "acme/gated" is gated.* hint: give a token' hf://acme/gated
HF_TOKEN=$hf_token fetch 1 'the repository "acme/gated" is gated.* hint: ask for access' \
	hf://acme/gated
fetch 1 '"acme/tiny" has no revision "v9".* hint: name a branch, a tag' hf://acme/tiny@v9

t_case 'bt: the key, none, a wrong one, no such project or checkpoint'
fetch 1 'bt:// sources need an API key.* hint: set BASETEN_API_KEY' bt://my-project
BASETEN_API_KEY=$wrong fetch 1 '403.* hint: check BASETEN_API_KEY' bt://my-project
export BASETEN_API_KEY=$BT_KEY
fetch 0 '' bt://my-project
fetch 1 'there is no training project "none"' bt://none
fetch 1 'no files found' bt://my-project@j2/step-9
fetch 1 '404' bt://my-project@j9/step-9
t_case 'bt: addresses that ran out since the lock are asked for again'
fetch 0 '' bt://my-project
rm -rf "$WBUILD_CACHE_DIR"
curl -sSf -d '' "$BT_URL/-/expire" >/dev/null
t_run "$WBUILD" fetch "$T_TMP/one"
t_rc 0

t_case 'https: no token, a wrong one, no such file, an authority that is not trusted'
secret "$WEB_TOKEN"
fetch 0 '' "$WEB_URL/private/two.bin" "$auth"
secret "Bearer $WEB_TOKEN"
fetch 0 '' "$WEB_URL/private/two.bin" "$auth"
secret "$wrong"
fetch 1 '401.* hint: the secret "it" is not accepted there' "$WEB_URL/private/two.bin" "$auth"
given=()
fetch 1 '401.* hint: .* for a token, name a secret' "$WEB_URL/private/two.bin"
fetch 1 '404' "$WEB_URL/none.bin"
SSL_CERT_FILE='' fetch 1 'certificate.* hint: .*SSL_CERT_FILE' "$WEB_URL/one.bin"
