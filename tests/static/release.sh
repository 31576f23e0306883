#!/bin/bash
# timeout: 2400
# The release as it is built: hardened, the same bytes wherever and however it is built, and with a
# list of what is in it.
. "$(dirname "$0")/../lib.sh"

cd "$T_SRC" || exit

# copy DIR: the sources alone, as a checkout has them
copy() {
	mkdir -p "$1"
	git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$1"
}

release() {
	cmake --preset release && cmake --build --preset release
}

t_case 'two builds: another folder, umask, language, time zone and number of jobs'
a=$T_TMP/a b=$T_TMP/another/and/longer/folder
copy "$a"
(umask 077 && copy "$b")
t_run env -C "$a" SOURCE_DATE_EPOCH=1700000000 bash -c "$(declare -f release); release"
t_rc 0
t_run env -C "$b" SOURCE_DATE_EPOCH=1700000000 LC_ALL=de_DE.UTF-8 TZ=Asia/Tokyo CMAKE_BUILD_PARALLEL_LEVEL=3 \
	HOME="$T_TMP/elsewhere" bash -c "umask 077; $(declare -f release); release"
t_rc 0
a=$a/build/release b=$b/build/release
built() {
	(cd "$1" && find wbuild wbuild-init wbuild-fetch stub man completions -type f ! -name '*.o' |
		sort | xargs sha256sum)
}
t_eq "$(built "$b")" "$(built "$a")" 'files of the release'
t_le 20 "$(built "$a" | wc -l)" 'files compared'
t_not grep -arl "$T_TMP" "$a/wbuild" "$a/stub" "$a/man"

t_case 'the packages are the same too'
(cd "$a" && SOURCE_DATE_EPOCH=1700000000 cpack) >"$T_TMP/cpack" 2>&1 || t_fail "$(tail -n 5 "$T_TMP/cpack")"
(cd "$b" && SOURCE_DATE_EPOCH=1700000000 TZ=Asia/Tokyo cpack) >"$T_TMP/cpack" 2>&1 ||
	t_fail "$(tail -n 5 "$T_TMP/cpack")"
t_ok cmp "$a"/*.deb "$b"/*.deb

# hardened FILE: what readelf says of it, for any machine
hardened() {
	local head dynamic

	head=$(readelf -hlW "$1") dynamic=$(readelf -dW "$1")
	t_match "$head" '^ *Type: +DYN'
	t_match "$head" '^ *GNU_RELRO '
	t_match "$head" '^ *GNU_STACK .* RW +0x'
	t_no_match "$head" '^ *[A-Z_]+ .* RWE '
	t_match "$dynamic" '\(FLAGS_1\).*NOW.*PIE'
	t_no_match "$dynamic" 'RPATH|RUNPATH|TEXTREL'
	t_match "$(readelf -nW "$1")" 'Build ID: [0-9a-f]{40}'
}

for file in wbuild stub/init-amd64 stub/init-arm64 stub/fetch-amd64 stub/fetch-arm64; do
	[ -e "$a/$file" ] || continue
	t_case "$file is position independent, and neither its tables nor its stack can be turned on it"
	hardened "$a/$file"
done

t_case 'stack protector, checked library calls, and no jump to where none belongs'
t_match "$(readelf -sW --dyn-syms "$a/wbuild")" '__stack_chk_fail'
t_match "$(readelf -sW --dyn-syms "$a/wbuild")" '__(memcpy|snprintf|vsnprintf|read|memmove|strcpy)_chk'
t_match "$(readelf -sW "$a/wbuild-init")" '__stack_chk_fail'
if [ "$(uname -m)" = x86_64 ]; then
	objdump -d --no-show-raw-insn "$a/wbuild-init" >"$T_TMP/code"
	t_match "$(grep -A1 '<main>:' "$T_TMP/code")" endbr64
	t_match "$(<"$a/compile_commands.json")" 'fstack-clash-protection -fcf-protection=full'
fi
t_match "$(<"$a/compile_commands.json")" 'D_FORTIFY_SOURCE=3'

t_case 'checksec agrees'
said=$(checksec --format=json --file="$a/wbuild" | jq -c '.[] |
	[.relro, .canary, .nx, .pie, .rpath, .runpath, .fortify_source]')
t_eq "$said" '["full","yes","yes","yes","no","no","yes"]'
for file in "$a"/stub/init-* "$a"/stub/fetch-*; do
	said=$(checksec --format=json --file="$file" | jq -c '.[] | [.relro, .nx, .pie, .rpath]')
	t_eq "$said" '["full","yes","yes","no"]' "$file"
done

# mapped PID PROGRAM: what it has mapped, once it is that program
mapped() {
	local pid=$1 lines

	t_ok t_wait 60 test "/proc/$pid/exe" -ef "$2"
	sleep 0.3 # and all its libraries are there
	lines=$(cat "/proc/$pid/maps")
	t_match "$lines" ' r-xp '
	t_no_match "$lines" '^[^ ]+ .wx'
}

t_case 'no memory of a running program is writable and executable'
mkdir "$T_TMP/held"
exec 9>"$T_TMP/held/lock"
flock 9
"$a/wbuild" cache prune --cache-dir "$T_TMP/held" 9>&- & # waits for the lock
pid=$!
mapped $pid "$a/wbuild"
kill $pid
wait $pid 2>/dev/null
exec 9>&-
arch=$(dpkg --print-architecture)
"$a/stub/init-$arch" wait --failed-file "$T_TMP/failed" --ready-file "$T_TMP/never" --timeout 60 &
pid=$!
mapped $pid "$a/stub/init-$arch"
kill $pid
wait $pid 2>/dev/null

t_case 'the list of what is in it is valid, and the same for both'
for dir in "$a" "$b"; do
	t_run env SOURCE_DATE_EPOCH=1700000000 python3 "$T_SRC/cmake/sbom.py" "$dir"
	t_rc 0
	cp "$T_TMP/.out" "$dir/sbom.json"
done
t_ok cmp "$a/sbom.json" "$b/sbom.json"
for name in libcurl4 libssl3 libc6 libc6-dev libcurl4-openssl-dev uthash-dev libarchive13; do
	t_match "$(jq -r '.components[].name' "$a/sbom.json")" "^$name$"
done
t_eq "$(jq -r '.components[] | select(.version == null or .version == "" or .purl == null) | .name' \
	"$a/sbom.json")" '' 'components without a version'
if validator=$(t_peer cyclonedx); then
	"$validator/bin/python" -c '
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
text = open(sys.argv[1]).read()
check = lambda t: JsonStrictValidator(SchemaVersion.V1_5).validate_str(t)
assert check(text) is None, check(text)
assert check(text.replace("\"components\"", "\"component\"")) is not None
' "$a/sbom.json" >"$T_TMP/said" 2>&1 || t_fail "$(tail -n 5 "$T_TMP/said")"
else
	t_missing cyclonedx
fi
