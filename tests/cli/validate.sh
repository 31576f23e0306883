#!/bin/bash
# wbuild validate: each lint finds its fault and not the sound neighbour, can be silenced, and is
# told as text, JSON and GitHub annotations.
. "$(dirname "$0")/../lib.sh"

d=$T_TMP/m

fresh() {
	rm -rf "$d"
	mkdir -p "$d/data"
	echo 'model_name: m' >"$d/config.yaml"
}

# ids [OPTION...]: of what is found, one a line.
ids() {
	"$WBUILD" validate --format json "$@" "$d" 2>/dev/null | jq -r '.findings[].id' | sort -u
}

found() {
	t_match "$(ids)" "^$1\$"
}

clean() {
	t_eq "$(ids)" '' "findings ($1)"
}

# A safetensors file of one F32 tensor with N elements; CUT bytes too short.
safetensors() {
	python3 - "$1" "${2:-16}" "${3:-0}" <<'END'
import json, struct, sys
path, n, cut = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
h = json.dumps({"w": {"dtype": "F32", "shape": [n], "data_offsets": [0, 4 * n]}}).encode()
b = struct.pack("<Q", len(h)) + h + b"\1" * (4 * n)
open(path, "wb").write(b[:len(b) - cut])
END
}

gguf() {
	python3 - "$1" "${2:-0}" <<'END'
import struct, sys
s = lambda t: struct.pack("<Q", len(t)) + t
b = b"GGUF" + struct.pack("<IQQ", 3, 1, 2)
b += s(b"general.name") + struct.pack("<I", 8) + s(b"x")
b += s(b"tokens") + struct.pack("<IIQ", 9, 8, 2) + s(b"a") + s(b"bc")
b += s(b"w") + struct.pack("<IQQIQ", 2, 64, 2, 8, 0)
b += b"\0" * (-len(b) % 32) + b"\1" * (128 // 32 * 34)
cut = int(sys.argv[2])
open(sys.argv[1], "wb").write(b[:len(b) - cut])
END
}

pickle() {
	python3 - "$@" <<'END'
import collections, os, pickle, sys, zipfile
kind, path = sys.argv[1:3]
class Bad:
    def __reduce__(self): return (os.system, ("true",))
class Odd:
    def __reduce__(self): return (__import__("string").Template, ("x",))
value = {"bad": Bad(), "odd": Odd(), "plain": collections.OrderedDict(a=1)}[kind.split("-")[0]]
protocol = int(kind.split("-")[1])
data = pickle.dumps(value, protocol)
if kind.endswith("-zip"):
    with zipfile.ZipFile(path, "w", int(kind.endswith("-deflated-zip")) * 8) as z:
        z.writestr("m/data/0", b"\x80\x02" + b"\0" * 1000)
        z.writestr("m/data.pkl", data)
else:
    open(path, "wb").write(data)
END
}

t_case 'a sound folder has no findings'
fresh
echo '{}' >"$d/data/config.json"
safetensors "$d/data/model.safetensors"
gguf "$d/data/model.gguf"
clean 'sound'
t_run "$WBUILD" validate "$d"
t_rc 0
t_match "$out" 'config.yaml is valid: 3 files'

t_case 'weights that are cut off'
safetensors "$d/data/model.safetensors" 16 1
found truncated-weights
t_run "$WBUILD" validate "$d"
t_rc 2
t_match "$err" 'error: .*"/app/data/model.safetensors" is cut off.*\[truncated-weights\]'
safetensors "$d/data/model.safetensors"
gguf "$d/data/model.gguf" 1
found truncated-weights
gguf "$d/data/model.gguf" 150
found truncated-weights

t_case 'weights that are something else'
fresh
echo '<html>not found</html>' >"$d/data/model.safetensors"
found damaged-weights
echo '<html>not found</html>' >"$d/data/model.gguf"
t_eq "$("$WBUILD" validate --format json "$d" 2>/dev/null | jq '.findings | length')" 2 count

t_case 'Git LFS pointers'
fresh
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 4900000000\n' 0 \
	>"$d/data/model.safetensors"
found lfs-pointer
t_match "$("$WBUILD" validate "$d" 2>&1)" 'stands for|4\.9 GB'

t_case 'missing shards, by number and by index'
fresh
safetensors "$d/data/model-00001-of-00003.safetensors"
safetensors "$d/data/model-00003-of-00003.safetensors"
found missing-shard
t_match "$("$WBUILD" validate "$d" 2>&1)" 'model-00002-of-00003.safetensors" is missing'
safetensors "$d/data/model-00002-of-00003.safetensors"
clean 'all there'
echo '{"weight_map": {"a": "part_a.safetensors"}}' >"$d/data/x.index.json"
found missing-shard
safetensors "$d/data/part_a.safetensors"
clean 'index too'

t_case 'a second format beside safetensors'
fresh
safetensors "$d/data/model.safetensors"
head -c 4096 /dev/zero >"$d/data/pytorch_model.bin"
found duplicate-format
mkdir "$d/data/other"
mv "$d/data/pytorch_model.bin" "$d/data/other/"
clean 'in another folder'

t_case 'pickles, by content and in zips, with what they import'
for protocol in 0 2 4; do
	for zip in '' -zip; do
		fresh
		pickle "bad-$protocol$zip" "$d/data/weights.dat"
		found pickle-unsafe
		t_match "$("$WBUILD" validate "$d" 2>&1)" '(posix|os)\.system'
		pickle "odd-$protocol$zip" "$d/data/weights.dat"
		t_eq "$(ids)" pickle "odd $protocol$zip"
		t_match "$("$WBUILD" validate "$d" 2>&1)" 'warning: .*string\.Template'
		pickle "plain-$protocol$zip" "$d/data/weights.dat"
		t_no_match "$("$WBUILD" validate "$d" 2>&1)" 'warning|error'
	done
done
fresh
pickle bad-2-deflated-zip "$d/data/x.bin"
t_match "$("$WBUILD" validate "$d" 2>&1)" 'warning: .*a compressed member'
fresh
head -c 100000 /dev/zero >"$d/data/random.bin"
clean 'zeros'

t_case 'credentials by name'
fresh
echo x=1 >"$d/data/.env"
found secret-file
mv "$d/data/.env" "$d/data/.env.example"
clean 'an example'

t_case 'credentials by content, which is not shown'
fresh
token=hf_$(printf 'abcDEF%.0s' 1 2 3 4 5 6)
printf 'one\ntoken = "%s"\n' "$token" >"$d/data/notes.txt"
found secret-content
t_run "$WBUILD" validate "$d"
t_rc 2
t_match "$err" 'a Hugging Face token, in line 2'
t_no_match "$out$err" "$token"
echo "id AKIA$(printf 'ABCD%.0s' 1 2 3 4)" >"$d/data/notes.txt"
found secret-content
printf -- '-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAabcdefgh\n' >"$d/data/notes.txt"
found secret-content
echo 'hf_hub AKIAshort -----BEGIN PRIVATE KEY----- is how a key begins' >"$d/data/notes.txt"
clean 'words alone'

t_case 'sizes: over the limit with what could go, and quickly'
fresh
truncate -s 2G "$d/data/model.bin"
truncate -s 1M "$d/data/optimizer.pt"
for _ in {1..10}; do # one of them is held up by nothing else
	t_time "$WBUILD" validate "$d"
	t_rc 0
	[ "$ms" -gt 1000 ] || break
done
t_le "$ms" 1000 'milliseconds'
t_match "$err" 'warning: .*the bundle is 2\.1 GB.*17s.*\[bundle-size\]'
t_match "$err" '1\.0 MB of training state'
t_match "$err" '2\.1 GB  /app/data/model.bin  \(weights, data\)'
t_match "$("$WBUILD" validate --bandwidth 10MB "$d" 2>&1)" '3m 3'
t_run "$WBUILD" validate --max-size 1GB "$d"
t_rc 2
t_run "$WBUILD" validate --warn-size 3GB "$d"
t_no_match "$err" bundle-size

# No machine reads a terabyte in that time; one that does not is done in a hundredth of a second.
t_case 'a large file is looked into at a few places, and not read'
truncate -s 1T "$d/data/model.bin"
t_run timeout 20 "$WBUILD" validate --max-size 2TB "$d"
t_rc 0
t_match "$err" 'the bundle is 1\.1 TB'

t_case 'patterns that match nothing, or stop at a folder, and what they leave out'
fresh
mkdir -p "$d/w/sub"
safetensors "$d/w/a.safetensors"
safetensors "$d/w/sub/b.safetensors"
echo '{}' >"$d/w/config.json"
cat >"$d/config.yaml" <<'END'
weights:
  - source: ./w
    mount_location: /models/w
    allow_patterns:
      - "*.safetensors"
      - "*.gguf"
END
t_eq "$(ids)" "$(printf 'filtered-config\npattern-top-level\npattern-unmatched')" ids
t_match "$("$WBUILD" validate "$d" 2>&1)" 'config.yaml:6:9: .*"\*\.gguf" matches nothing'
sed -i 's/"\*.safetensors"/"**"/; /gguf/d' "$d/config.yaml"
clean 'all files'

t_case 'revisions that can change'
cat >"$d/config.yaml" <<'END'
model_cache:
  - repo_id: org/name
    revision: main
    use_volume: true
    volume_folder: x
END
found unpinned-revision
sed -i "s/revision: main/revision: \"$(printf '%040d' 1)\"/" "$d/config.yaml"
clean 'a commit'

t_case 'findings are silenced by option, by a comment on the line, by one for the file'
fresh
safetensors "$d/data/a.safetensors"
head -c 5000 /dev/zero >"$d/data/a.bin"
found duplicate-format
t_eq "$(ids --ignore duplicate-format)" '' option
t_eq "$(ids --ignore other)" duplicate-format 'another id'
echo '# wbuild: ignore[pickle, duplicate-format]' >>"$d/config.yaml"
clean 'comment'
cat >"$d/config.yaml" <<'END'
model_cache:
  - repo_id: org/name # wbuild: ignore[unpinned-revision]
    revision: main
    use_volume: true
    volume_folder: x
  - repo_id: org/other
    revision: main
    use_volume: true
    volume_folder: y
END
rm "$d/data/a.bin"
t_eq "$("$WBUILD" validate --format json "$d" | jq -r '.findings[].line')" 6 'the other line'

t_case '--strict makes warnings errors'
t_run "$WBUILD" validate "$d"
t_rc 0
t_match "$out" '1 warning'
t_run "$WBUILD" validate --strict "$d"
t_rc 2

t_case 'GitHub annotations'
t_run "$WBUILD" validate --format github "$d"
t_rc 0
t_match "$out" "^::warning file=$d/config.yaml,line=6,col=5,title=unpinned-revision::hf://org/other"
echo 'weights: [' >>"$d/config.yaml"
t_run "$WBUILD" validate --format github "$d"
t_rc 2
t_match "$out" "^::error file=.*,line=[0-9]+,col=[0-9]+,title=yaml-syntax::"

t_case 'JSON says what text says'
t_run "$WBUILD" validate --format json "$d"
t_rc 2
t_eq "$(jq -r '.valid' <<<"$out")" false valid

t_case 'every lint has a page, and every page a lint'
want=$(sed -n '/wb_lint_ids\[\] = {/,/NULL/s/^\t"\(.*\)",$/\1/p' "$T_SRC/builder/build/lint.c")
t_eq "$(cd "$T_SRC/docs/lints" && printf "%s\n" [!R]*.md | sed "s/\\.md$//" | sort)" "$(sort <<<"$want")" pages

t_case 'a hub repository of 10,000 files takes 30 requests at most'
. "$T_SRC/tests/lib/sources.sh"
sources_hub
fresh
python3 - "$HUB_URL" <<'END'
import json, sys, urllib.request
files = {f"part-{i // 100}/m-{i:05}.txt": {"text": ""} for i in range(9980)}
files |= {f"x{i}.json": {"text": "{}"} for i in range(19)} | {"README.md": {"text": "left out"}}
body = json.dumps({"id": "org/many", "files": files}).encode()
urllib.request.urlopen(urllib.request.Request(sys.argv[1] + "/-/commit", body)).read()
END
cat >"$d/config.yaml" <<'END'
weights:
  - source: hf://org/many@main
    mount_location: /models/many
    allow_patterns:
      - "**/*.txt"
      - "*.json"
      - "*.md/"
END
t_run "$WBUILD" validate --format json "$d"
t_rc 0
t_eq "$(jq -r '.files' <<<"$out")" 9999 'files'
t_le "$(curl -s "$HUB_URL/-/log" | jq length)" 30 'requests'
t_eq "$(jq -r '.findings[] | .id + " " + (.line | tostring)' <<<"$out" | grep pattern)" \
	'pattern-unmatched 7' 'a remote pattern that matches nothing'

t_case 'remote weights are looked into by range: cut off, pointers, pickles; nothing is downloaded'
fresh
r=$T_TMP/remote
mkdir "$r"
safetensors "$r/whole.safetensors" 2000000
safetensors "$r/cut.safetensors" 2000000 9
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 4900000000\n' 0 \
	>"$r/pointer.safetensors"
gguf "$r/whole.gguf"
gguf "$r/cut.gguf" 1
pickle bad-2-zip "$r/head.bin"
python3 - "$r" <<'END'
import sys, zipfile
r = sys.argv[1]
with zipfile.ZipFile(r + "/pytorch_model.bin", "w") as z:  # its directory is far from its head
    z.writestr("m/data.pkl", zipfile.ZipFile(r + "/head.bin").read("m/data.pkl"))
    z.writestr("m/data/0", bytes(3000000))
END
rm "$r/head.bin"
pickle plain-4 "$r/plain.pt"
(cd "$r" && for f in *; do
	printf '"%s": {"file": "%s", "lfs": %s}\n' "$f" "$r/$f" "$([ "$f" = pointer.safetensors ] &&
		echo false || echo true)"
done | paste -sd, | sed 's/^/{"id": "org\/odd", "files": {/; s/$/}}/' |
	curl -s -o /dev/null -X POST "$HUB_URL/-/commit" -d @-)
curl -s -o /dev/null -X POST "$HUB_URL/-/clear"
cat >"$d/config.yaml" <<'END'
weights:
  - {source: "hf://org/odd@main", mount_location: /m}
END
t_run "$WBUILD" validate --format json "$d"
t_rc 2
t_eq "$(jq -r '.findings[] | select(.id != "unpinned-revision" and .id != "duplicate-format") |
	.id + " " + (.text | split("\"")[1])' <<<"$out" | sort)" 'lfs-pointer /m/pointer.safetensors
pickle /m/plain.pt
pickle-unsafe /m/pytorch_model.bin
truncated-weights /m/cut.gguf
truncated-weights /m/cut.safetensors' 'findings'
t_match "$(jq -r '.findings[].text' <<<"$out")" '(posix|os)\.system'
t_le "$(curl -s "$HUB_URL/-/log" | jq length)" 30 'requests'
t_le "$(curl -s "$HUB_URL/-/sent" | jq .bytes)" 3000000 \
	'bytes that went out, of 19 MB'

t_case 'plan: what is there and what is to fetch, what each pattern took, how long it takes'
printf '    allow_patterns: ["*.pt", "plain*", "*.gguf"]\n' >"$T_TMP/patterns"
printf 'weights:\n  - source: hf://org/odd@main\n    mount_location: /m\n' >"$d/config.yaml"
cat "$T_TMP/patterns" >>"$d/config.yaml"
bytes=$(cat "$r"/*.pt "$r"/*.gguf | wc -c)
t_run "$WBUILD" plan --bandwidth 10 --format json "$d"
t_rc 0
t_eq "$(jq -c '[.fetchBytes, .pushBytes, .fetchSeconds, .bandwidth]' <<<"$out")" \
	"[$bytes,$bytes,$((bytes / 10)),10]" 'costs'
t_eq "$(jq -c '.sources[1].patterns | map(.files)' <<<"$out")" '[1,1,2]' 'files of each pattern'
t_match "$("$WBUILD" plan "$d" 2>/dev/null)" '^At 125\.0 MB/s: 0\.0s to fetch [0-9.]+ k?B, 0\.0s to push'
t_ok "$WBUILD" fetch "$d"
t_run "$WBUILD" plan --format json "$d"
t_eq "$(jq -c '[.fetchBytes, .sources[1].fetchBytes]' <<<"$out")" '[0,0]' 'once it is there'

t_case 'plan --diff: what changed since the lockfile was written'
rm -rf "$T_TMP/moving"
mkdir "$T_TMP/moving"
echo one >"$T_TMP/moving/one.json"
echo two >"$T_TMP/moving/two.json"
echo same >"$T_TMP/moving/same.json"
hub_commit org/moving "$T_TMP/moving" >/dev/null
fresh
printf 'weights:\n  - source: hf://org/moving@main\n    mount_location: /m\n' >"$d/config.yaml"
t_run "$WBUILD" plan --diff "$d"
t_rc 0
t_match "$out" '^There is no wbuild.lock'
t_match "$out" '^  [+] one.json  4 B$'
t_ok "$WBUILD" lock "$d"
t_run "$WBUILD" plan --diff "$d"
t_eq "$out" 'wbuild.lock says the same as the sources.' 'nothing changed'
mkdir "$T_TMP/moved"
echo 1ne >"$T_TMP/moved/one.json"
echo same >"$T_TMP/moved/same.json"
echo three >"$T_TMP/moved/three.json"
hub_commit org/moving "$T_TMP/moved" >/dev/null
t_run "$WBUILD" plan --diff "$d"
t_rc 0
t_match "$out" '^hf://org/moving@main: changed$'
t_match "$out" '^  revision [0-9a-f]{12} -> [0-9a-f]{12}$'
t_eq "$(grep '^  [-+~]' <<<"$out")" '  ~ one.json  4 B, other content
  + three.json  6 B
  - two.json  4 B' 'files'
t_run "$WBUILD" plan --diff --format json "$d"
t_eq "$(jq -c '[.found, .changed, (.sources[0].files | map([.path, .change]))]' <<<"$out")" \
	'[true,true,[["one.json","changed"],["three.json","added"],["two.json","removed"]]]' json
sed -i 's,org/moving,org/odd,' "$d/config.yaml"
t_run "$WBUILD" plan --diff "$d"
t_match "$out" '^hf://org/odd@main: not in the lockfile$'
t_match "$out" '^hf://org/moving@main: in the lockfile, and not in the config$'

t_case 'every shared config: no error beyond those that Truss has too'
n=0
for config in "$T_SRC"/../shared/configs/*.yaml; do
	[ -e "$config" ] || continue
	n=$((n + 1))
	fresh
	cp "$config" "$d/config.yaml"
	t_run "$WBUILD" validate --offline --format json --ignore unlisted-source "$d"
	jq -r --arg f "$(basename "$config" .yaml)" \
		'.findings[] | $f + " " + .id + " " + .severity + " " + (.line | tostring)' <<<"$out"
done >"$T_TMP/findings"
if [ "$(wc -l <"$T_TMP/findings")" = 0 ]; then
	t_skip 'no shared configs here'
else
	t_ok diff -u "$T_SRC/tests/cli/validate.findings" "$T_TMP/findings"
fi
