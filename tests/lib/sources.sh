# shellcheck shell=bash
# Real object stores and the hub stand-in, filled with a small model each.
#
#	sources_start s3|gcs|azure|hub|sts…	starts them; t_missing where one cannot be had
#	$S3_URL $GCS_URL $AZURE_URL $HUB_URL $STS_URL, $S3_KEY $S3_SECRET, $AZURE_KEY

S3_KEY=wbuildtestkey S3_SECRET=wbuild-test-secret-31415
AZURE_ACCOUNT=wbuildtest
AZURE_KEY=$(printf 'wbuild azure test key, 32 bytes.' | base64)

# Waits until the address answers anything at all.
sources_wait() {
	t_wait 60 curl -s -o /dev/null --max-time 5 "$1"
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
	local gw moto port

	gw=$(t_peer versitygw) && moto=$(t_peer moto) || return
	port=$(t_port)
	S3_URL=http://127.0.0.1:$port
	mkdir -p "$T_TMP/s3data" "$T_TMP/s3meta"
	t_bg versitygw env ROOT_ACCESS_KEY=$S3_KEY ROOT_SECRET_KEY=$S3_SECRET \
		"$gw" --port "127.0.0.1:$port" posix --sidecar "$T_TMP/s3meta" "$T_TMP/s3data"
	sources_wait "$S3_URL" || return
	sources_files "$T_TMP/files-s3" s3
	"$moto/bin/python" "$T_SRC/tests/servers/fill_s3.py" "$S3_URL" $S3_KEY $S3_SECRET \
		"$T_TMP/files-s3"
}

sources_gcs() {
	local gcs port

	gcs=$(t_peer fake-gcs-server) || return
	port=$(t_port)
	GCS_URL=http://127.0.0.1:$port
	sources_files "$T_TMP/files-gcs/bucket" gcs
	t_bg gcs "$gcs" -scheme http -host 127.0.0.1 -port "$port" -data "$T_TMP/files-gcs" \
		-backend memory -public-host "127.0.0.1:$port"
	sources_wait "$GCS_URL/storage/v1/b"
}

sources_azure() {
	local azurite port

	azurite=$(t_peer azurite) || return
	port=$(t_port)
	AZURE_URL=http://127.0.0.1:$port/$AZURE_ACCOUNT
	t_bg azurite env "AZURITE_ACCOUNTS=$AZURE_ACCOUNT:$AZURE_KEY" "$azurite" --silent \
		--blobHost 127.0.0.1 --blobPort "$port" --location "$T_TMP/azurite" \
		--skipApiVersionCheck --disableTelemetry
	sources_wait "http://127.0.0.1:$port/" || return
	sources_files "$T_TMP/files-azure" azure
	python3 "$T_SRC/tests/servers/fill_azure.py" "$AZURE_URL" $AZURE_ACCOUNT "$AZURE_KEY" \
		"$T_TMP/files-azure"
}

sources_hub() {
	t_bg hub python3 "$T_SRC/tests/servers/hubstub.py"
	t_wait 20 grep -q '^cdn' "$T_TMP/hub.log" || return
	HUB_URL=$(sed -n 's/^hub //p' "$T_TMP/hub.log")
	export HF_ENDPOINT=$HUB_URL
}

# STS and S3 in one: moto.
sources_sts() {
	local moto port

	moto=$(t_peer moto) || return
	port=$(t_port)
	STS_URL=http://127.0.0.1:$port
	t_bg moto "$moto/bin/moto_server" -H 127.0.0.1 -p "$port"
	sources_wait "$STS_URL"
}

hub_tell() {
	curl -sSf --max-time 20 "$HUB_URL/-/$1" -d "$2"
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
