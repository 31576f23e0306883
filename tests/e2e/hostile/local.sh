#!/bin/bash
# timeout: 3000
# Local trees, configs, destinations and bundles that somebody prepared for a fall.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use roots
t_use hostile

m=$T_TMP/models
mkdir -p "$m" "$T_TMP/traps"
# tree NAME: a model whose data is filled by the program on stdin, which runs in data/.
tree() {
	mkdir -p "$m/$1/data"
	echo 'model_name: hostile' >"$m/$1/config.yaml"
	echo '{}' >"$m/$1/data/settings.json"
	(cd "$m/$1/data" && python3 -) || t_fail "tree $1 cannot be made"
}

# packing NAME RC REGEX: into a layout and into a folder.
packing() {
	try "pack $1" "$2" "$3" "$WBUILD" build -q --base scratch --no-stub \
		-o "type=oci,tar=false,dest={}/dest" "$m/$1"
	try "export $1" "$2" "$3" "$WBUILD" build -q --base scratch --no-stub \
		-o "type=local,dest={}/dest" "$m/$1"
	[ ! "$H_FULL" ] || try "validate $1" "0 ${2#0 }" '.|^$' "$WBUILD" validate "$m/$1"
}

t_case 'trees are made'
tree honest <<<'import os; os.symlink("settings.json", "link"); os.link("settings.json", "hard")'
tree names <<<'
for n in ("a b", "-rf", "x" * 255, "ü", "*?[]", "$(id)"): open(n, "w").close()'
tree newline <<<'open("a\nb", "w").close()'
tree escape <<<'open("a\x1b[2Jb", "w").close()'
tree backslash <<<'open("a\\b", "w").close()'
tree whiteout <<<'open(".wh.x", "w").close()'
tree bytes <<<'open(b"a\xff\xfe", "w").close()'
tree fifo <<<'import os; os.mkfifo("pipe")'
tree socket <<<'
import socket
s = socket.socket(socket.AF_UNIX); s.bind("socket")'
tree device <<<'
import os, stat
if os.getuid() == 0: os.mknod("null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))'
tree loop <<<'import os; os.symlink("b", "a"); os.symlink("a", "b"); os.symlink(".", "here")'
tree link-absolute <<<'import os; os.symlink("/etc/passwd", "x")'
tree link-out <<<'import os; os.symlink("../../../../../etc/passwd", "x")'
tree link-folder-out <<<'import os; os.symlink("/etc", "x")'
tree link-proc <<<'import os; os.symlink("/proc/self/environ", "x")'
tree deep <<<'
import os
for _ in range(30): os.mkdir("d" * 200); os.chdir("d" * 200)
open("x", "w").close()'
tree deep-honest <<<'
import os
for _ in range(15): os.mkdir("d" * 200); os.chdir("d" * 200)
open("x", "w").close()'
tree sparse <<<'import os; open("huge", "w").close(); os.truncate("huge", 1 << 42)'
tree many-folders <<<'
import os
for i in range(5000): os.mkdir("d%d" % i)'
tree credentials <<<'import os; os.symlink("/etc/hostname", "service_account.json")'
for one in data-link data-pipe; do
	mkdir "$m/$one"
	echo 'model_name: x' >"$m/$one/config.yaml"
done
ln -s /etc/alternatives "$m/data-link/data"
mkfifo "$m/data-pipe/data"

for one in honest names many-folders credentials loop; do packing "$one" 0 '.|^$'; done
packing deep-honest '0 1' '.|^$' # in a folder that is deep itself
for one in newline escape backslash whiteout; do packing "$one" '1 2' 'error: '; done
for one in bytes data-link; do packing "$one" '0 1 2' '.|^$'; done
for one in fifo socket; do packing "$one" 2 'cannot be packed'; done
[ ! -c "$m/device/data/null" ] || packing device 2 'cannot be packed'
for one in link-absolute link-out link-folder-out link-proc; do packing "$one" 2 'leads out'; done
packing deep '1 2' 'nested too deep'
packing sparse 2 'more than the limit'
packing data-pipe '1 2' 'error: '
hostile_run 'local trees'

# A file that is another one each time it is looked at.
cat >"$T_TMP/restless.py" <<'END'
import os, sys, time
path, how = sys.argv[1:]
other, n = path + ".new", 0
while True:
    n += 1
    if how == "grows":
        with open(path, "ab") as f:
            f.write(b"x" * 100000)
        if n % 500 == 0:
            os.truncate(path, 30000000)
    elif how == "shrinks":
        os.truncate(path, 30000000 - n * 1000 % 29000000)
    elif how == "changes":
        with open(path, "r+b") as f:
            f.seek(n * 1000 % 20000000)
            f.write(b"%d" % n)
    else:
        if how == "link":
            os.symlink("/etc/passwd", other)
        elif how == "pipe":
            os.mkfifo(other)
        else:
            with open(other, "wb") as f:
                f.write(b"x" * 1000)
        os.rename(other, path)
        time.sleep(0.002)
        with open(other, "wb") as f:
            f.write(b"y" * 3000000)
        os.rename(other, path)
    time.sleep(0.002)
END
for how in grows shrinks changes replaced link pipe; do
	tree "restless-$how" <<<'open("big", "wb").write(b"z" * 30000000)'
	t_bg "restless-$how" python3 "$T_TMP/restless.py" "$m/restless-$how/data/big" "$how"
	packing "restless-$how" '0 1 2 3' '.|^$'
done
hostile_run 'files that change while they are packed'
for pid in "${t_pids[@]}"; do kill "$pid" 2>/dev/null; done
t_pids=()

# config NAME RC REGEX: a config from the program on stdin.
config() {
	mkdir -p "$m/config-$1"
	(cd "$m/config-$1" && python3 - >config.yaml)
	try "config $1" "$2" "$3" "$WBUILD" validate "$m/config-$1"
	try "build $1" "$2" "$3" "$WBUILD" build -q --base scratch --no-stub \
		-o "type=local,dest={}/dest" "$m/config-$1"
}

config honest 0 '.|^$' <<<'print("model_name: x")'
config laughs '1 2' 'error: ' <<<'
print("a0: &a0 [x]")
for i in range(1, 30): print("a%d: &a%d [%s]" % (i, i, ("*a%d, " % (i - 1)) * 10))'
config deep '1 2' 'error: ' <<<'print("a: " + "[" * 100000)'
config deep-map '1 2' 'error: ' <<<'
for i in range(5000): print(" " * i + "a:")'
config large '1 2' 'error: ' <<<'print("a: " + "x" * 50000000)'
config nul '1 2' 'error: ' <<<'print("model_name: \0")'
config utf8 '1 2' 'error: ' <<<'import sys; sys.stdout.buffer.write(b"model_name: \xff\xfe\n")'
config twice '1 2' 'error: ' <<<'print("model_name: a\nmodel_name: b")'
config cycle '1 2' 'error: ' <<<'print("a: &a [*a]")'
one_source() {
	config "$1" '1 2' 'error: ' <<<"print('weights: [{source: \"$2\", mount_location: \"$3\"}]')"
}
one_source mount-parent file://data /../../x
one_source mount-relative file://data x
one_source source-missing file://../../../../nothing /x
one_source scheme ftp://h/x /x
one_source scheme-none x /x
hostile_run 'configs'

# trap_at FOLDER WORDS...: runs the words where the destination has a link to the canary.
trap_at() {
	local where=$1 name

	shift
	name=$T_TMP/traps/$(tr / _ <<<"$where.${1##*/}").sh
	printf 'mkdir -p "$1/dest/%s"\nln -s "$1/canary/%s" "$1/dest/%s"\nexec %s\n' \
		"$(dirname "$where")" \
		"$(case $where in *.json | *.bin) echo file ;; *lock) echo new ;; *) echo sub ;; esac)" \
		"$where" "$*" >"$name"
	try "${1##*/} over a link at $where" '0 1 2 3' '.|^$' bash "$name" {}
}

for where in app app/data app/data/settings.json .wbuild .wbuild/manifest.json; do
	trap_at "$where" "$WBUILD" build -q --base scratch --no-stub -o 'type=local,dest="$1/dest"' \
		"$m/honest"
done

# The stub: bundles whose manifest says more than it may, and destinations of copy.
root=$T_TMP/root
root_bundle "$root" >/dev/null
t_case 'the bundle is sound'
t_run "$INIT" --from "$root" --mount none --verify full
t_rc 0
manifest=$root/.wbuild/manifest.json
# bundle NAME JQ RC: the bundle with another manifest.
bundle() {
	mkdir -p "$T_TMP/b/$1/.wbuild"
	cp -a "$root/app" "$root/models" "$T_TMP/b/$1/"
	jq -c "$2" "$manifest" >"$T_TMP/b/$1/.wbuild/manifest.json"
	try "stub $1" "$3" '.|^$' "$INIT" --from "$T_TMP/b/$1" --mount none --verify full
	try "stub copy $1" "$3" '.|^$' "$INIT" copy --from "$T_TMP/b/$1" --verify full "{}/dest"
}

bundle honest . 0
n=0
for path in ../x /etc/passwd a//b ./x .. . '' 'a\nb' .wh.x; do
	n=$((n + 1))
	bundle "path-$n" ".files[0].path = \"$path\"" '1 2 3'
done
bundle mount-out '.sources[0].mount = "/../../x"' '1 2 3'
bundle mount-relative '.sources[0].mount = "x"' '1 2 3'
bundle below-a-link '.files |= (.[0:1] + [.[0] | .path += "/x"] + .[1:])' '1 2 3'
file='(.files[] | select(.path | endswith("small.bin")))'
bundle size-huge "$file.size = 4611686018427387904" '1 2 3'
bundle size-negative "$file.size = -5" '1 2 3'
bundle digest-other "$file.sha256 = (\"0\" * 64)" '1 2 3'
bundle state-other '(.files[] | select(.states)).states[0] = ("0" * 64)' '1 2 3'
bundle no-files '.files = 7' '1 2 3'
bundle deep '.x = (reduce range(200) as $i (1; [.]))' '1 2 3'
for where in app app/data models .wbuild .wbuild/lock app/data/weights.bin; do
	trap_at "$where" "$INIT" copy --from "$root" --verify full '"$1/dest"'
done
hostile_run 'bundles, and destinations with links'
hostile_end
