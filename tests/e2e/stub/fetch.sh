#!/bin/bash
# timeout: 1200
# use_volume: an image names what its containers fetch when they start, into a cache that the
# replicas of a node share. Each file travels once, whoever is killed; nothing unverified is used.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use roots
t_use sources

t_case 'what the test needs is there'
why=$(podman_why_not)
if [ -n "$why" ]; then
	t_skip "$why"
	exit
fi
if [ ! -e "${INIT%/*}/fetch-$(dpkg --print-architecture)" ]; then
	t_missing 'the static libraries that the fetching program is linked from'
	exit
fi
sources_start hub || exit
t_at_end podman_end

model=$T_TMP/model
mkdir -p "$model/sub"
seeded weights 30000000 >"$model/model.safetensors"
seeded part 9000000 >"$model/sub/part.bin"
seeded vocabulary 300000 >"$model/vocab.txt"
echo '{"model_type": "bert"}' >"$model/config.json"
bytes=$(cat "$model"/{model.safetensors,vocab.txt,config.json} "$model/sub/part.bin" | wc -c)
commit=$(hub_commit org/model "$model")
mkdir -p "$T_TMP/truss/data"
echo baked >"$T_TMP/truss/data/baked.txt"
cat >"$T_TMP/truss/config.yaml" <<END
base_image: {image: "oci:$T_TMP/base:1"}
model_cache:
- {repo_id: org/model, revision: main, use_volume: true, volume_folder: m}
END
mkbase "$T_TMP/base" 1

# ---- the image ----

t_case 'the image names files, sizes and digests, and has the program that fetches them'
t_run "$WBUILD" build -t model:1 -o "type=oci,tar=false,dest=$T_TMP/image" "$T_TMP/truss"
t_rc 0
t_ok "$WBUILD" verify "oci:$T_TMP/image:1"
t_match "$("$WBUILD" inspect "oci:$T_TMP/image:1")" 'data/baked.txt'
t_ok podman_ pull -q "oci:$T_TMP/image:1"
id=$(podman_ images -q | head -n 1)
list=$T_TMP/fetch.json
podman_run --entrypoint /bin/cat "$id" /.wbuild/fetch.json >"$list"
t_eq "$(jq -r '.sources[] | .source, .mount, .revision' "$list")" \
	"hf://org/model@main"$'\n'"/app/model_cache/m"$'\n'"$commit"
t_eq "$(jq -r '.sources[0].files[] | .path, .size, .sha256' "$list" | grep -A 2 safetensors)" \
	"model.safetensors"$'\n'30000000$'\n'"$(sha256sum <"$model/model.safetensors" | cut -d ' ' -f 1)"
t_run podman_run --entrypoint /bin/sh "$id" -c 'cd /.wbuild && ls *; ls /app'
t_eq "$out" $'fetch\nfetch.json\ninit\nlazy_data_resolver.py\nmanifest.json\ndata'
t_match "$(skopeo inspect --config "oci:$T_TMP/image:1" | jq -r '.config.Env[]')" '^WBUILD_FETCH=1$'

t_case 'the same wbuild gives the same image'
before=$(layout_sums "$T_TMP/image" | grep -v index.json)
rm -rf "$T_TMP/image" "$T_TMP/cache"
t_run "$WBUILD" build -t model:1 -o "type=oci,tar=false,dest=$T_TMP/image" "$T_TMP/truss"
t_eq "$(layout_sums "$T_TMP/image" | grep -v index.json)" "$before"

# ---- its containers ----

files='cd /app/model_cache/m && sha256sum model.safetensors sub/part.bin vocab.txt config.json'
want=$(cd "$model" && sha256sum model.safetensors sub/part.bin vocab.txt config.json)
cache=$T_TMP/node
mkdir "$cache"

# replica OPTION... -- COMMAND...: a container of the image; hub and cache are those of $cache.
replica() {
	local opts=()

	while [ "$1" != -- ]; do
		opts+=("$1")
		shift
	done
	shift
	podman_ run --rm --network host --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 \
		-e HF_ENDPOINT="$HUB_URL" ${cache:+-v "$cache:/cache" -e WBUILD_CACHE_DIR=/cache} \
		"${opts[@]}" "$id" "$@"
}
sent() {
	curl -sS "$HUB_URL/-/sent" | jq .bytes
}
sent_at_least() {
	[ "$(sent)" -ge "$1" ]
}
running() {
	[ "$(podman_ ps -q | wc -l)" = "$1" ]
}
# The hub sends so many bytes and no more, until it is told otherwise (null).
hold() {
	hub_tell set "{\"hold\": $1}" >/dev/null
}
fresh() {
	hub_tell clear '{}' >/dev/null
	hub_tell set '{"rate": 0, "hold": null}' >/dev/null
	rm -rf "$T_TMP/node"
	mkdir "$T_TMP/node"
}
# $n replicas at once, each with its own output; at_once N [OPTION...]
at_once() {
	local n=$1 i

	shift
	pids=()
	for ((i = 0; i < n; i++)); do
		replica "$@" -- /bin/sh -c "$files" >"$T_TMP/r$i" 2>"$T_TMP/e$i" </dev/null &
		pids+=($!)
	done
}
all_up() {
	local i

	for i in "$@"; do
		wait "${pids[i]}" || t_fail "replica $i: status $?" "$(tail -n 3 "$T_TMP/e$i")"
		t_eq "$(<"$T_TMP/r$i")" "$want" "replica $i"
	done
}

t_case 'ten replicas at once over one cache: each file travels once, all come up'
fresh
at_once 10
all_up {0..9}
t_eq "$(sent)" "$bytes" 'bytes that the hub sent'
t_eq "$(sed -n 's/^wbuild: fetched \([0-9]*\) files.*/\1/p' "$T_TMP"/e? | paste -sd+ | bc)" 4 \
	'files that any of them fetched'

t_case 'a replica that starts later fetches nothing, nor one of another user that may only read'
hub_tell clear '{}' >/dev/null
t_run replica -- /bin/sh -c "$files"
t_rc 0
t_match "$err" 'fetched 0 files, 0 B; 4 files, 39\.3 MB, were there'
cache="" t_run replica --user 60000 -v "$T_TMP/node:/cache:ro" \
	-e WBUILD_CACHE_DIR=/cache --tmpfs /app/model_cache:mode=1777 -- /bin/sh -c "$files"
t_rc 0
t_eq "$out" "$want"
t_eq "$(sent)" 0 'bytes that the hub sent'

t_case 'one that is killed half-way harms nobody: the others go on where it was'
fresh
hold 12000000
at_once 1 --name early
t_ok t_wait 120 sent_at_least 12000000
killed=${pids[0]}
mv "$T_TMP/e0" "$T_TMP/early"
at_once 5
t_ok t_wait 120 running 6
sleep 1
t_ok podman_ kill -s KILL early
wait "$killed"
t_eq $? 137 'status of the killed one'
hold null
t_no_match "$(<"$T_TMP/early")" 'fetched'
all_up {0..4}
t_le "$(sent)" $((bytes + 8000000)) 'bytes that the hub sent'
t_eq "$(find "$cache/blobs" -type f | wc -l)" 4 'files in the cache'
t_eq "$(find "$cache/parts" -type f)" '' 'what the killed one left'

t_case 'the example for Kubernetes: not root, read-only root, no capability, a shared volume'
fresh
mkdir -m 777 "$T_TMP/run" "$T_TMP/links"
mkdir "$T_TMP/secrets"
chmod 777 "$cache"
readarray -t flags < <(python3 "$T_SRC/tests/lib/podflags.py" \
	"$T_SRC/examples/kubernetes/node-cache.yaml" server cache="$cache" run="$T_TMP/run" \
	links="$T_TMP/links" secrets="$T_TMP/secrets" | sed '/^$/d')
cache='' t_run replica "${flags[@]}" -- /bin/sh -c "$files && /.wbuild/init wait --timeout 1 && echo ready"
t_rc 0
t_eq "$out" "$want"$'\nready'
t_match "$err" 'fetched 4 files'

# ---- what can go wrong ----

t_case 'a damaged file of the cache is found and fetched again, with --verify full'
fresh
t_run replica -- /bin/sh -c "$files"
t_rc 0
blob=$(readlink -f "$cache/blobs/sha256/$(sha256sum <"$model/model.safetensors" | cut -d ' ' -f 1)")
touch -r "$blob" "$T_TMP/time"
printf '\1\2\3' | dd of="$blob" bs=1 seek=7000000 conv=notrunc status=none
touch -r "$T_TMP/time" "$blob"
t_run replica -- /bin/sh -c "$files"
t_not test "$out" = "$want"
t_run replica -e WBUILD_VERIFY=full -- /bin/sh -c "$files"
t_rc 0
t_eq "$out" "$want"
t_match "$err" 'warning: "model.safetensors" of hf://org/model@main is damaged in the cache'

t_case 'files that nobody used for 14 days are removed, others stay'
old=$(seeded old 5000 | sha256sum | cut -d ' ' -f 1)
seeded old 5000 >"$cache/blobs/sha256/$old"
touch -d '15 days ago' "$cache/blobs/sha256/$old"
t_run replica -- /bin/true
t_match "$err" 'removed 1 files, 5\.0 kB, that nobody used for 14 days'
t_eq "$(find "$cache/blobs" -type f | wc -l)" 4 'files in the cache'

t_case 'without a cache, and with one that cannot be written, it works all the same'
cache='' t_run replica -- /bin/sh -c "$files; readlink model.safetensors; ls -A /app/model_cache"
t_rc 0
t_eq "$out" "$want"$'\n'"../.wbuild/${blob##"$T_TMP/node/"}"$'\n.wbuild\nm'
t_run replica -e WBUILD_CACHE_DIR=/proc/cache -- /bin/sh -c "$files"
t_rc 0
t_eq "$out" "$want"
t_match "$err" 'warning: content store "/proc/cache": .*; fetching without a shared cache'

t_case 'a read-only root says what is missing, and works with a volume there'
t_run replica --read-only -- /bin/true
t_rc 1
t_match "$err" 'error: .*"/app/model_cache'
t_match "$err" 'hint: mount a volume that this user may write to at "/app/model_cache'
t_run replica --read-only --cap-drop all --user 60000 --tmpfs /app/model_cache:mode=1777 \
	-e WBUILD_CACHE_DIR=/nowhere -- /bin/sh -c "$files"
t_rc 0
t_eq "$out" "$want"

t_case 'bytes that are not those of the list are never used: status 3'
fresh
hub_tell fault '{"match": ".", "on": "cdn", "kind": "corrupt", "after": 100, "times": 100}' >/dev/null
t_run replica -- /bin/sh -c 'echo ran'
t_rc 3
t_eq "$out" ''
t_match "$err" 'error: hf://org/model@main: "(model.safetensors|sub/part.bin)": .*sha256'
t_eq "$(find "$cache/blobs" -size +1M)" ''

t_case 'a hub that is not there is an error, a deadline ends the wait, SIGTERM too'
fresh
hub_tell fault '{"match": "model.safetensors", "on": "hub", "kind": "status", "status": 404, "times": 9}' \
	>/dev/null
t_run replica -- /bin/sh -c 'echo ran'
t_rc 1
t_match "$err" 'error: hf://org/model@main: '
fresh
hold 200000 # no replica would ever come up
t_run replica -e WBUILD_DEADLINE=1 -- /bin/sh -c 'echo ran'
t_rc 1
t_match "$err" 'fetching passed its deadline of 1 s'
fresh
hold 200000
replica --name slow -- /bin/sh -c 'echo ran' >"$T_TMP/slow" 2>&1 </dev/null &
t_ok t_wait 120 sent_at_least 200000
podman_ stop -t 60 slow >/dev/null # seconds, and then SIGKILL, whose status is 137
wait $!
t_eq $? 143 'status after SIGTERM'

t_case 'a private model: its token comes from a secret, and is in no message'
hub_tell set '{"hold": null, "tokens": {"hf_start_secret": {"gated": true}}}' >/dev/null
hub_commit org/model "$model" '"private": true' >/dev/null
rm -rf "$cache"
mkdir "$cache"
t_run replica -- /bin/true
t_rc 1
t_match "$err" 'private or gated'
echo hf_start_secret >"$T_TMP/secrets/hf_access_token"
t_run replica -v "$T_TMP/secrets:/secrets:ro" -- /bin/sh -c "$files"
t_rc 0
t_eq "$out" "$want"
t_no_match "$err" hf_start_secret
hub_commit org/model "$model" >/dev/null

# ---- beside the command ----

t_case 'in the background: the command starts at once, and learns when the files are there'
fresh
hold 1000000
replica -e WBUILD_BACKGROUND=1 -e WBUILD_READY_FILE=/run/ready -e WBUILD_FAILED_FILE=/run/failed \
	--tmpfs /run -- /bin/sh -c "ls /app/model_cache/m/model.safetensors; echo started
		/.wbuild/init wait --timeout 300 && $files && cat /run/ready" >"$T_TMP/background" 2>/dev/null </dev/null &
t_ok t_wait 120 grep -q '^started$' "$T_TMP/background"
hold null
wait $!
t_eq $? 0 'exit status'
out=$(<"$T_TMP/background")
t_eq "$(head -n 1 <<<"$out")" started
t_eq "$(sed -n 2,5p <<<"$out")" "$want"
t_eq "$(tail -n 1 <<<"$out" | jq -c '.ok, .fetched.files, .fetched.transferredBytes' | paste -sd ' ')" \
	"true 4 $bytes"

t_case 'in the background: a failure is in the failed file, and the command goes on'
fresh
hub_tell fault '{"match": "vocab", "on": "hub", "kind": "status", "status": 404, "times": 9}' >/dev/null
t_run replica -e WBUILD_BACKGROUND=1 -e WBUILD_READY_FILE=/run/ready -e WBUILD_FAILED_FILE=/run/failed \
	--tmpfs /run -- /bin/sh -c '/.wbuild/init wait --timeout 300; echo $?; cat /run/failed'
t_rc 0
t_eq "$(head -n 1 <<<"$out")" 3
t_match "$(jq -r .error <<<"$(tail -n 1 <<<"$out")")" 'vocab.txt'

# ---- Truss's own manifest ----

t_case "the manifest of a Truss image is read, and what has a digest is checked by it"
fresh
sha=$(sha256sum <"$model/model.safetensors" | cut -d ' ' -f 1)
mkdir "$T_TMP/bptr"
cat >"$T_TMP/bptr/static-bptr-manifest.json" <<END
{"pointers": [{"resolution": {"resolution_type": "http", "expiration_timestamp": 4044816725,
  "url": "https://huggingface.co/org/model/resolve/$commit/model.safetensors"},
  "uid": "org/model:main:model.safetensors", "file_name": "/app/model_cache/t/model.safetensors",
  "hashtype": "etag", "hash": "$sha", "size": 30000000, "runtime_secret_name": "hf_access_token"}],
 "models": [{"repo_id": "org/model", "revision": "$commit", "volume_folder": "jit",
  "allow_patterns": ["*.txt"], "ignore_patterns": [], "runtime_secret_name": "hf_access_token",
  "kind": "hf"}]}
END
t_run replica -v "$T_TMP/bptr:/static-bptr:ro" -- \
	/bin/sh -c 'cd /app/model_cache && sha256sum t/model.safetensors jit/vocab.txt; ls jit'
t_rc 0
t_eq "$(cut -d ' ' -f 1 <<<"$out")" \
	"$sha"$'\n'"$(sha256sum <"$model/vocab.txt" | cut -d ' ' -f 1)"$'\nvocab.txt'
t_eq "$(sent)" "$bytes" 'bytes that the hub sent: one file under two names travels once'
sed -i "s/$sha/${sha//[0-9]/f}/" "$T_TMP/bptr/static-bptr-manifest.json"
t_run replica -v "$T_TMP/bptr:/static-bptr:ro" -- /bin/true
t_rc 3
t_match "$err" 'model.safetensors'

# ---- any image, any network ----

t_case 'from scratch: names are looked up without the image, whatever its nsswitch.conf asks for'
fresh
t_run "$WBUILD" build --base scratch -t bare:1 -o "type=oci,tar=false,dest=$T_TMP/bare" "$T_TMP/truss"
t_rc 0
t_ok podman_ pull -q "oci:$T_TMP/bare:1"
echo 'hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns' >"$T_TMP/nsswitch.conf"
id=$(podman_ images -q | grep -v "$id" | head -n 1) t_run replica -e HF_ENDPOINT="${HUB_URL/127.0.0.1/localhost}" \
	-v "$T_TMP/nsswitch.conf:/etc/nsswitch.conf:ro" --
t_rc 0
t_match "$err" 'fetched 4 files, 39\.3 MB'

t_case 'https: with the certificates of the image, and not without'
hub_commit org/small "$T_TMP/truss/data" >/dev/null
cat >"$T_TMP/truss/config.yaml" <<END
base_image: {image: "oci:$T_TMP/base:1"}
model_cache:
- {repo_id: org/small, revision: main, use_volume: true, volume_folder: s}
END
t_run "$WBUILD" build -t small:1 -o "type=oci,tar=false,dest=$T_TMP/small" "$T_TMP/truss"
t_rc 0
before=$(podman_ images -q)
t_ok podman_ pull -q "oci:$T_TMP/small:1"
id=$(podman_ images -q | grep -vF "$before")
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T_TMP/key.pem" -out "$T_TMP/cert.pem" -days 2 \
	-subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
tls=$(t_port)
t_bg tls python3 "$T_SRC/tests/servers/tlsproxy.py" "$tls" "$T_TMP/cert.pem" "$T_TMP/key.pem" \
	"${HUB_URL##*:}"
t_wait_port "$tls"
cache='' t_run replica -e HF_ENDPOINT="https://localhost:$tls" \
	-v "$T_TMP/cert.pem:/etc/pki/tls/certs/ca-bundle.crt:ro" -- /bin/cat /app/model_cache/s/baked.txt
t_rc 0
t_eq "$out" baked
cache='' t_run replica -e HF_ENDPOINT="https://localhost:$tls" -- /bin/true
t_rc 1
t_match "$err" 'error: .*certificate'

t_case 'a build that may ask no source says so, and can bake instead'
t_run "$WBUILD" build --offline -o "type=oci,tar=false,dest=$T_TMP/none" "$T_TMP/truss"
t_rc 2
t_match "$err" 'config.yaml:3:3: hf://org/small@main is fetched at start.*--offline'
t_match "$err" 'hint: .*--bundle-volumes'
t_run "$WBUILD" build --bundle-volumes --base scratch -o "type=local,dest=$T_TMP/baked" "$T_TMP/truss"
t_rc 0
t_eq "$(<"$T_TMP/baked/app/model_cache/s/baked.txt")" baked
t_not test -e "$T_TMP/baked/.wbuild/fetch"
