#!/bin/bash
# Local files as they come: links, special files, folders that are not there or empty.
. "$(dirname "$0")/../lib.sh"

m=$T_TMP/model
fresh() {
	rm -rf "$m"
	mkdir -p "$m/data/sub"
	echo 'model_name: m' >"$m/config.yaml"
	echo a >"$m/data/a"
}
# shellcheck disable=SC2120
build() {
	t_run "$WBUILD" build --base scratch --no-stub -o "type=local,dest=$T_TMP/out" "$@" "$m"
}

for target in /etc/passwd ../../x ../.. ../../../../../../../../.. sub/../../../x; do
	t_case "a link that leads out: $target"
	fresh
	ln -s "$target" "$m/data/link"
	build
	t_rc 2
	t_match "$err" 'link "'"$m"'/data/link" leads out of its folder'
	t_match "$err" 'hint: '
done

t_case 'a link inside is kept as a link'
fresh
ln -s ../a "$m/data/sub/up"
build
t_rc 0
t_eq "$(readlink "$T_TMP/out/app/data/sub/up")" ../a

t_case 'a link to nothing is kept, with a warning'
fresh
ln -s nothing "$m/data/link"
build
t_rc 0
t_match "$err" 'points to nothing'

t_case 'a named pipe'
fresh
mkfifo "$m/data/pipe"
build
t_rc 2
t_match "$err" 'pipe" is a named pipe and cannot be packed'

t_case 'a socket'
fresh
python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$m/data/sock"
build
t_rc 2
t_match "$err" 'sock" is a socket and cannot be packed'

t_case 'what is ignored may be anything'
echo 'data/sock' >"$m/.truss_ignore"
build
t_rc 0
t_match "$err" '\.truss_ignore leaves out 1 entry'

t_case 'hard links and equal files are stored once'
fresh
head -c 3000000 /dev/urandom >"$m/data/one"
ln "$m/data/one" "$m/data/two"
cp "$m/data/one" "$m/data/three"
t_run "$WBUILD" build --base scratch --no-stub --compression none \
	-o "type=oci,tar=false,dest=$T_TMP/image" "$m"
t_rc 0
t_le "$(du -s --apparent-size --block-size=1 "$T_TMP/image" | cut -f1)" 3100000 'bytes of the image'

t_case 'an empty data folder'
fresh
rm -r "$m/data/a" "$m/data/sub"
build
t_rc 0

t_case 'a data_dir that is not there'
fresh
echo 'data_dir: weights' >>"$m/config.yaml"
build
t_rc 2
t_match "$err" 'data_dir: cannot look at the folder "weights": No such file'

t_case 'weights that are one file'
fresh
printf 'weights:\n  - source: ./data/a\n    mount_location: /w\n' >>"$m/config.yaml"
build
t_rc 0
t_eq "$(cat "$T_TMP/out/w/a")" a

t_case 'weights that are not there, with their place in the config'
fresh
printf 'weights:\n  - source: ./none\n    mount_location: /w\n' >>"$m/config.yaml"
build
t_rc 2
t_match "$err" 'config.yaml:3:[0-9]+: .*none'

t_case 'one path from two sources'
fresh
mkdir "$m/w"
echo other >"$m/w/a"
printf 'weights:\n  - source: ./w\n    mount_location: /app/data\n' >>"$m/config.yaml"
build
t_rc 2
t_match "$err" '"/app/data/a" is written twice: by data and by'
