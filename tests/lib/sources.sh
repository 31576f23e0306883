# shellcheck shell=bash
# Real object stores and the hub stand-in, filled with a small model each.
#
#	sources_start s3|gcs|azure|hub|idp|aws|google|bt|web…
#
# starts them; t_missing where one cannot be had. $S3_URL $GCS_URL $AZURE_URL $HUB_URL $STS_URL
# $GOOGLE_URL $BT_URL $WEB_URL say where, the variables below with what. Needs t_use trees, and
# t_use registries for web.

# Nothing of the machine's own is to be found, nor asked for on a network that is not there.
unset "${!AWS_@}" "${!AZURE_STORAGE_@}" "${!GOOGLE_@}" "${!ACTIONS_@}" STORAGE_EMULATOR_HOST
export AWS_EC2_METADATA_DISABLED=true HF_TOKEN_PATH=/nonexistent

# Never the same twice, so that another run's leave no trace in this one's.
sources_random=${T_TMP##*.}
S3_KEY=wbuildtestkey S3_SECRET=s3-secret-$sources_random
AZURE_ACCOUNT=wbuildtest
AZURE_KEY=$(printf 'azure key of 32 bytes %.10s' "$sources_random" | base64)
BT_KEY=bt-key-$sources_random WEB_TOKEN=web-token-$sources_random
JOB_TOKEN=job-token-$sources_random
GOOGLE_PROVIDER=projects/42/locations/global/workloadIdentityPools/ci/providers/github
GOOGLE_READER=reader@acme.example AWS_ROLE=arn:aws:iam::123456789012:role/reader

# Waits until the address answers anything at all.
sources_wait() {
	t_wait 120 curl -s -o /dev/null --max-time 5 "$1"
}

sources_files() {
	mkdir -p "$1/m/sub/deep"
	[ -e "$1/m/model.safetensors" ] && return
	seeded "$2" 3000000 >"$1/m/model.safetensors"
	seeded "$2-part" 20000000 >"$1/m/sub/large.bin"
	echo '{}' >"$1/m/config.json"
	echo "$2" >"$1/m/sub/deep/a b+c ü.txt"
	: >"$1/m/empty"
}

sources_s3() {
	local gw moto

	gw=$(t_peer versitygw) && moto=$(t_peer moto) || return
	S3_PORT=$(t_port)
	S3_URL=http://127.0.0.1:$S3_PORT
	mkdir -p "$T_TMP/s3data" "$T_TMP/s3meta"
	t_bg versitygw env ROOT_ACCESS_KEY=$S3_KEY "ROOT_SECRET_KEY=$S3_SECRET" \
		"$gw" --port "127.0.0.1:$S3_PORT" posix --sidecar "$T_TMP/s3meta" "$T_TMP/s3data"
	sources_wait "$S3_URL" || return
	sources_files "$T_TMP/files-s3" s3
	STUB_SECRET=$S3_SECRET "$moto/bin/python" "$T_SRC/tests/servers/fill_s3.py" "$S3_URL" \
		$S3_KEY "$T_TMP/files-s3"
}

# s3_put BUCKET KEY TEXT: replaces an object.
s3_put() {
	S3_SECRET=$S3_SECRET "$(t_peer moto)/bin/python" - "$S3_URL" "$S3_KEY" "$@" <<-'END'
		import os, sys, boto3
		url, key, bucket, name, text = sys.argv[1:]
		boto3.client("s3", endpoint_url=url, aws_access_key_id=key, region_name="us-east-1",
		             aws_secret_access_key=os.environ["S3_SECRET"]).put_object(
		    Bucket=bucket, Key=name, Body=text.encode())
	END
}

# The bucket of the folder "bucket" is public where a gate (sources_google) stands before it.
sources_gcs() {
	local gcs

	gcs=$(t_peer fake-gcs-server) || return
	GCS_PORT=$(t_port)
	GCS_URL=http://127.0.0.1:$GCS_PORT
	sources_files "$T_TMP/files-gcs/bucket" gcs
	mkdir -p "$T_TMP/files-gcs/private/m" "$T_TMP/files-gcs/private-too/m"
	seeded gcs-private 1000000 >"$T_TMP/files-gcs/private/m/secret.bin"
	seeded gcs-private-too 1200000 >"$T_TMP/files-gcs/private-too/m/other.bin"
	t_bg gcs "$gcs" -scheme http -host 127.0.0.1 -port "$GCS_PORT" -data "$T_TMP/files-gcs" \
		-backend memory -public-host "127.0.0.1:$GCS_PORT"
	sources_wait "$GCS_URL/storage/v1/b"
}

sources_azure() {
	local azurite

	azurite=$(t_peer azurite) || return
	AZURE_PORT=$(t_port)
	AZURE_URL=http://127.0.0.1:$AZURE_PORT/$AZURE_ACCOUNT
	t_bg azurite env "AZURITE_ACCOUNTS=$AZURE_ACCOUNT:$AZURE_KEY" "$azurite" --silent \
		--blobHost 127.0.0.1 --blobPort "$AZURE_PORT" --location "$T_TMP/azurite" \
		--skipApiVersionCheck --disableTelemetry
	sources_wait "http://127.0.0.1:$AZURE_PORT/" || return
	sources_files "$T_TMP/files-azure" azure
	mkdir -p "$T_TMP/sas"
	STUB_SECRET=$AZURE_KEY python3 "$T_SRC/tests/servers/fill_azure.py" "$AZURE_URL" \
		$AZURE_ACCOUNT "$T_TMP/files-azure" "$T_TMP/sas"
}

# sources_stub NAME VARIABLE SECRET ARGUMENT...: a stand-in that says "NAME URL" when it is ready; the
# secret goes by its environment. What deals with tokens needs a Python module that moto brings.
sources_stub() {
	local name=$1 variable=$2 secret=$3 python=python3 moto

	shift 3
	case $name in
	idp | awsstub | googlestub)
		moto=$(t_peer moto) || return
		python=$moto/bin/python
		;;
	esac
	STUB_SECRET=$secret t_bg "$name" "$python" "$T_SRC/tests/servers/$name.py" "$@"
	t_wait 120 grep -q "^\(${name%stub}\|job\|ready\)" "$T_TMP/$name.log" || {
		tail -n 3 "$T_TMP/$name.log"
		return 1
	}
	printf -v "$variable" %s "$(sed -n 's/^[a-z]* \(http\)/\1/p' "$T_TMP/$name.log")"
}

# Web identities: $JOB_URL, and tokens in $T_TMP/idp.
sources_idp() {
	mkdir -p "$T_TMP/idp"
	sources_stub idp JOB_URL "$JOB_TOKEN" "$T_TMP/idp"
}

# STS, and S3 for the bucket "oidc" (files of sources_files aws), after sources_idp.
sources_aws() {
	AWS_PORT=$(t_port)
	STS_URL=http://127.0.0.1:$AWS_PORT
	sources_files "$T_TMP/files-aws" aws
	sources_stub awsstub _ '' "$AWS_PORT" "$T_TMP/idp" "$T_TMP/files-aws"
}

# What signs in to Google, before sources_gcs: $GOOGLE_URL is the storage too.
sources_google() {
	GOOGLE_PORT=$(t_port)
	GOOGLE_URL=http://127.0.0.1:$GOOGLE_PORT
	sources_stub googlestub _ '' "$GOOGLE_PORT" "$GCS_PORT" "$T_TMP/idp"
}

sources_bt() {
	sources_files "$T_TMP/files-bt" bt
	sources_stub btstub BT_URL "$BT_KEY" "$T_TMP/files-bt/m"
}

# https with a private authority ($T_TMP/tls/ca.pem); its private/ takes $WEB_TOKEN.
sources_web() {
	mkdir -p "$T_TMP/www/private"
	seeded web 2000000 >"$T_TMP/www/one.bin"
	seeded web-private 1000000 >"$T_TMP/www/private/two.bin"
	certificates "$T_TMP/tls"
	sources_stub webstub WEB_URL "$WEB_TOKEN" "$T_TMP/www" "$T_TMP/tls"
}

# front_start NAME=PORT…: see frontproxy.py; $FRONT_<NAME> has the new port of each.
front_start() {
	local name port

	t_bg front python3 "$T_SRC/tests/servers/frontproxy.py" "$T_TMP/front.jsonl" "$@"
	t_wait 120 grep -q '^ready' "$T_TMP/front.log" || return
	while read -r name port; do
		printf -v "FRONT_$name" %s "$port"
	done <"$T_TMP/front.log"
}

sources_hub() {
	t_bg hub python3 "$T_SRC/tests/servers/hubstub.py"
	t_wait 120 grep -q '^cdn' "$T_TMP/hub.log" || return
	HUB_URL=$(sed -n 's/^hub //p' "$T_TMP/hub.log")
	export HF_ENDPOINT=$HUB_URL
}

hub_tell() {
	curl -sSf --max-time 120 "$HUB_URL/-/$1" -d "$2"
}

# hub_commit ID FOLDER [MORE-JSON-MEMBERS]: every file of the folder -> the commit
hub_commit() {
	python3 - "$1" "$2" "${3:-}" <<-'END' | hub_tell commit @- | jq -r .commit
		import json, os, sys
		name, folder, more = sys.argv[1:]
		files = {}
		for d, _, fs in os.walk(folder):
		    for f in fs:
		        path = os.path.join(d, f)
		        files[os.path.relpath(path, folder)] = {"file": os.path.abspath(path)}
		print(json.dumps({"id": name, "files": files, **json.loads("{" + more + "}")}))
	END
}

sources_start() {
	local one

	for one in "$@"; do
		"sources_$one" >>"$T_TMP/sources.log" 2>&1 || {
			t_note "$(tail -n 3 "$T_TMP/sources.log")"
			t_missing "the server for $one"
			return 1
		}
	done
}
