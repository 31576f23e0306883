#!/bin/bash
# The runtime stub finds and names what is not as it was packed. No container is needed for that:
# the bundle is checked where it lies, with --from.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use roots

root=$T_TMP/root
mkdir -p "$root/app/data/sub dir" "$root/models/m"
head -c 9000000 /dev/urandom >"$root/app/data/weights.bin"
head -c 4194304 /dev/urandom >"$root/app/data/one-chunk.bin"
: >"$root/app/data/empty"
echo '{}' >"$root/app/data/sub dir/näme #1.json"
ln -s weights.bin "$root/app/data/latest"
seq 1000 >"$root/models/m/tokenizer.txt"
python3 "$T_SRC/tests/lib/mkbundle.py" "$root" /app/data /models/m
cp -a "$root" "$T_TMP/good"

check() {
	t_run "$INIT" --from "$root" --mount none --verify "$@"
}

fresh() {
	rm -rf "$root"
	cp -a "$T_TMP/good" "$root"
}

t_case 'is static, small and without symbols'
t_match "$(file "$INIT")" 'static'
t_le "$(stat -c %s "$INIT")" 2000000 'size of the stub'
t_no_match "$(readelf -d "$INIT")" NEEDED

t_case 'a sound bundle passes each mode, and the command runs'
for mode in off size sample full; do
	check "$mode" -- echo "ran $mode"
	t_rc 0
	t_eq "$out" "ran $mode"
done
t_match "$err" 'verified 13\.2 MB of 13\.2 MB in 5 files'

t_case 'without a command it only checks'
check full
t_rc 0
t_eq "$out" ''

t_case 'a flipped byte in a large file'
fresh
printf '\xff\xfe' | dd of="$root/app/data/weights.bin" bs=1 seek=5000000 conv=notrunc status=none
check full -- echo ran
t_rc 3
t_eq "$out" ''
t_match "$err" '^wbuild: error: "/app/data/weights.bin": changed: bytes from 4194304 on'
check size -- echo ran
t_rc 0

t_case 'a sample of everything finds it too, and names its seed'
check sample --sample 100 --format json -- echo ran
t_rc 3
t_eq "$(jq -r '.problems[0].path, .problems[0].kind, .ok, .verify' <<<"$err" | tr '\n' ' ')" \
	'/app/data/weights.bin changed false sample '
t_match "$(jq -r .seed <<<"$err")" '^[0-9]+$'

t_case 'truncated, longer, missing, extra, replaced: each is named, in every mode'
fresh
truncate -s 4194303 "$root/app/data/one-chunk.bin"
echo >>"$root/app/data/empty"
rm "$root/app/data/sub dir/näme #1.json"
echo x >"$root/models/m/new.bin"
ln -sf one-chunk.bin "$root/app/data/latest"
for mode in size sample full; do
	check "$mode" -- echo ran
	t_rc 3
	t_eq "$out" ''
	t_match "$err" '"/app/data/one-chunk.bin": truncated: has 4194303 bytes instead of 4194304'
	t_match "$err" '"/app/data/empty": longer: has 1 bytes instead of 0'
	t_match "$err" '"/app/data/sub dir/näme #1.json": missing'
	t_match "$err" '"/models/m/new.bin": extra'
	t_match "$err" '"/app/data/latest": wrong-target: points to "one-chunk.bin"'
	t_match "$err" '5 files are not what was packed'
done

t_case 'a link in place of a file, and a file in place of a link'
fresh
ln -sf one-chunk.bin "$root/app/data/weights.bin"
rm "$root/app/data/latest"
echo weights.bin >"$root/app/data/latest"
check size -- echo ran
t_rc 3
t_match "$err" '"/app/data/weights.bin": not-a-file: is a symbolic link'
t_match "$err" '"/app/data/latest": not-a-link: is a regular file'

t_case 'extra files can be warned of or left alone'
fresh
echo x >"$root/app/data/new.bin"
check size -- echo ran
t_rc 0
t_match "$err" '^wbuild: warning: "/app/data/new.bin": extra'
check full -- echo ran
t_rc 3
t_match "$err" '^wbuild: error: "/app/data/new.bin": extra'
t_match "$err" '^wbuild: hint: --extra warn'
check full --extra warn -- echo ran
t_rc 0
t_eq "$out" ran
t_match "$err" '^wbuild: warning: "/app/data/new.bin": extra'
check full --extra ignore -- echo ran
t_rc 0
t_no_match "$err" 'extra'

t_case 'a deadline that passes is a failure'
fresh
check full --deadline 0.0001 -- echo ran
t_rc 1
t_match "$err" 'passed its deadline of 0.0001 s'
t_eq "$out" ''

t_case 'no manifest, a broken one, one of another version'
check full --manifest "$T_TMP/nothing.json" -- echo ran
t_rc 1
t_match "$err" 'nothing.json'
head -c 200 "$root/.wbuild/manifest.json" >"$T_TMP/broken.json"
check full --manifest "$T_TMP/broken.json" -- echo ran
t_rc 1
t_match "$err" 'not valid JSON'
sed 's/"version": 2/"version": 9/' "$root/.wbuild/manifest.json" >"$T_TMP/new.json"
check full --manifest "$T_TMP/new.json" -- echo ran
t_rc 1
t_match "$err" 'version 9'
t_eq "$out" ''

t_case 'marker files tell a probe how it went'
ready=$T_TMP/run/ready failed=$T_TMP/run/failed
mkdir "$T_TMP/run"
echo stale >"$failed"
check full --ready-file "$ready" --failed-file "$failed" -- cat "$ready"
t_rc 0
t_eq "$(jq .ok <<<"$out")" true
t_ok test ! -e "$failed"
rm "$root/app/data/empty"
check full --ready-file "$ready" --failed-file "$failed" -- echo ran
t_rc 3
t_ok test ! -e "$ready"
t_eq "$(jq -r '.ok, .problems[0].kind' "$failed" | tr '\n' ' ')" 'false missing '
fresh
check full --ready-file "$ready" --failed-file "$failed" -- "$T_TMP/no-such-command"
t_rc 127
t_ok test ! -e "$ready"
t_match "$(jq -r .error "$failed")" 'cannot run'
check full --ready-file /proc/no/such/place -- echo ran
t_rc 0
t_match "$err" 'warning: .*/proc/no/such'

t_case 'wait returns when the marker comes, fails with it, and gives up'
rm -f "$ready" "$failed"
(sleep 0.3 && echo '{}' >"$ready") &
t_run "$INIT" wait --ready-file "$ready" --failed-file "$failed" --timeout 20
t_rc 0
wait $!
rm "$ready"
echo '{}' >"$failed"
t_run "$INIT" wait --ready-file "$ready" --failed-file "$failed"
t_rc 3
rm "$failed"
t_run "$INIT" wait --ready-file "$ready" --timeout 0.2
t_rc 1
t_match "$err" 'did not appear within 0.2 s'
t_run "$INIT" wait
t_rc 0

t_case 'copy brings the bundle to another directory, and repairs one'
to=$T_TMP/copy/deep
for _ in first again; do
	t_run "$INIT" copy --from "$root" --verify full "$to"
	t_rc 0
	t_match "$err" 'verified 13\.2 MB of 13\.2 MB'
	t_ok diff -r "$root" "$to" -x init -x lock
done
t_ok cmp "$INIT" "$to/.wbuild/init"
ino=$(stat -c %i "$to/app/data/one-chunk.bin")
printf '\xff\xfe' | dd of="$to/app/data/weights.bin" bs=1 seek=5 conv=notrunc status=none
rm "$to/app/data/sub dir/näme #1.json"
ln -sfn nowhere "$to/app/data/latest"
t_run "$to/.wbuild/init" copy --from "$root" --verify full "$to"
t_rc 0
t_ok diff -r "$root" "$to" -x init -x lock
t_eq "$(stat -c %i "$to/app/data/one-chunk.bin")" "$ino" 'a sound file is left alone'
t_run "$to/.wbuild/init" --from "$to" --mount none --verify full -- echo ran
t_eq "$out" ran

t_case 'copy of a damaged bundle fails and says what is damaged'
printf '\xff\xfe' | dd of="$root/app/data/weights.bin" bs=1 seek=5000000 conv=notrunc status=none
t_run "$INIT" copy --from "$root" --verify full "$T_TMP/copy2"
t_rc 3
t_match "$err" '"/app/data/weights.bin": changed: bytes from 4194304 on'
rm "$root/app/data/one-chunk.bin"
t_run "$INIT" copy --from "$root" --verify off "$T_TMP/copy3"
t_rc 1
t_match "$err" 'cannot open ".*/one-chunk.bin": No such file'
t_run "$INIT" copy --from "$root"
t_rc 2
t_match "$err" 'copy needs one directory'
t_run "$INIT" copy relative
t_rc 2
fresh

t_case 'many copies into one directory at once do each other no harm'
copying() {
	"$INIT" copy --from "$root" --verify full --quiet "$T_TMP/shared" 2>"$T_TMP/copy.$1" &
	pids[$1]=$!
}
stopped_or_gone() {
	local words

	read -ra words 2>/dev/null <"/proc/$1/stat" || return 0
	[[ ${words[2]} = [TZ] ]]
}
# one of them is stopped in the middle of a file, and killed when the others wait for its lock
for i in {1..500}; do
	rm -rf "$T_TMP/shared"
	copying 3
	sleep "$(printf '0.%03d' $((i % 40)))"
	kill -STOP "${pids[3]}"
	t_ok t_wait 20 stopped_or_gone "${pids[3]}"
	unfinished=$(find "$T_TMP/shared/.wbuild" -name '.wbtmp*')
	[ -z "$unfinished" ] || [ -e "$T_TMP/shared/.wbuild/manifest.json" ] || break
	kill -KILL "${pids[3]}"
	wait "${pids[3]}"
done 2>/dev/null
t_ok test -n "$unfinished"
t_ok test ! -e "$T_TMP/shared/.wbuild/manifest.json"
for i in 1 2 4 5 6; do copying $i; done
sleep 0.2
kill -KILL "${pids[3]}"
wait "${pids[3]}" 2>/dev/null
for i in 1 2 4 5 6; do
	wait "${pids[i]}" || t_fail "copy $i: $?" "$(<"$T_TMP/copy.$i")"
done
t_run "$INIT" --from "$T_TMP/shared" --mount none --verify full -- echo ran
t_eq "$out" ran
t_eq "$(ls -A "$T_TMP/shared/.wbuild")" $'init\nlock\nmanifest.json'

t_case 'the environment says it as well, and bad values are named'
t_run env WBUILD_FROM="$root" WBUILD_MOUNT=none WBUILD_VERIFY=full "$INIT" echo ran
t_rc 0
t_eq "$out" ran
t_match "$err" verified
t_run env WBUILD_VERIFY=always "$INIT" echo ran
t_rc 2
t_match "$err" 'WBUILD_VERIFY: "always" is not a way to verify'

t_case 'a manifest cannot lead the check outside of the root'
mkdir -p "$T_TMP/outside"
mv "$root/app/data" "$T_TMP/outside/data"
ln -s "$T_TMP/outside/data" "$root/app/data"
check full -- echo ran
t_rc 3
t_match "$err" '"/app/data/weights.bin": missing'
