#!/bin/bash
# The same input gives the same bytes: whole layouts are compared file by file between builds that
# share nothing but the content of the model's directory.
. "$(dirname "$0")/../lib.sh"
t_use images
t_use trees

model_small "$T_TMP/first"
bf16 weights 3000001 >"$T_TMP/first/weights/bf16.safetensors"
names_hard "$T_TMP/first/data"

# build_in DIR JOBS [PREFIX-COMMAND...]: builds DIR with a cache of its own; sums in $sums.
n=0
base_opts=()
build_in() {
	local dir=$1 jobs=$2

	shift 2
	n=$((n + 1))
	mkdir -p "$T_TMP/out$n"
	t_run "$@" "$WBUILD" build -j "$jobs" -t small:v1 --cache-dir "$T_TMP/out$n/cache" \
		"${base_opts[@]}" -o "type=oci,tar=false,dest=$T_TMP/out$n/image" "$dir"
	t_rc 0
	sums=$(layout_sums "$T_TMP/out$n/image")
}

t_case 'one job'
build_in "$T_TMP/first" 1
want=$sums
t_match "$want" 'index.json$'
t_ok blobs_true "$T_TMP/out1/image"

t_case 'eight jobs'
build_in "$T_TMP/first" 8
t_eq "$sums" "$want" 'layout'

t_case 'again and again with many jobs'
for i in 1 2 3 4 5; do
	build_in "$T_TMP/first" $((i + 2))
	t_eq "$sums" "$want" 'layout'
done

t_case 'another directory, other mtimes, files written in another order'
mkdir -p "$T_TMP/an other/place"
(cd "$T_TMP/first" && find . | sort -r | tar --no-recursion -T - -cf -) |
	tar -C "$T_TMP/an other/place" -xf -
find "$T_TMP/an other/place" -exec touch -h -d '2001-02-03 04:05:06' {} +
build_in "$T_TMP/an other/place" 2
t_eq "$sums" "$want" 'layout'

t_case 'run from inside the directory'
cd "$T_TMP/first" || exit
build_in . 2
cd / || exit
t_eq "$sums" "$want" 'layout'

t_case 'umask 077 and umask 0'
build_in "$T_TMP/first" 2 sh -c 'umask 077; exec "$@"' sh
t_eq "$sums" "$want" 'layout'
build_in "$T_TMP/first" 2 sh -c 'umask 0; exec "$@"' sh
t_eq "$sums" "$want" 'layout'

t_case 'other locales'
for locale in C de_DE.UTF-8 tr_TR.UTF-8 ja_JP.EUC-JP; do
	build_in "$T_TMP/first" 2 env LC_ALL=$locale LANG=$locale
	t_eq "$sums" "$want" "layout in $locale"
done

t_case 'other time zones'
build_in "$T_TMP/first" 2 env TZ=Asia/Kolkata
t_eq "$sums" "$want" 'layout'
build_in "$T_TMP/first" 2 env TZ=America/St_Johns
t_eq "$sums" "$want" 'layout'

t_case 'another user, who owns the files'
if [ "$(id -u)" = 0 ]; then
	cp -r "$T_TMP/first" "$T_TMP/theirs"
	mkdir "$T_TMP/out$((n + 1))"
	chown -R 60000:60000 "$T_TMP/theirs" "$T_TMP/out$((n + 1))"
	chmod 711 "$T_TMP"
	# The tree may be where they cannot look.
	mkdir "$T_TMP/bin"
	cp -r "$WBUILD" "$(dirname "$WBUILD")/stub" "$T_TMP/bin/"
	WBUILD=$T_TMP/bin/wbuild
	build_in "$T_TMP/theirs" 2 setpriv --reuid 60000 --regid 60000 --clear-groups \
		env HOME="$T_TMP/out$((n + 1))"
	t_eq "$sums" "$want" 'layout'
else
	t_skip 'needs root to become another user'
fi

t_case 'a directory whose set-group-id bit or group-write bits are on'
cp -a "$T_TMP/first" "$T_TMP/shared"
find "$T_TMP/shared" -type d -exec chmod 2775 {} +
find "$T_TMP/shared" -type f -exec chmod g+w {} +
build_in "$T_TMP/shared" 2
t_eq "$sums" "$want" 'layout'

t_case 'hard links or copies make no difference'
cp -r "$T_TMP/first" "$T_TMP/copied"
rm "$T_TMP/copied/weights/deep/er/hard.txt"
cp "$T_TMP/copied/weights/vocab.txt" "$T_TMP/copied/weights/deep/er/hard.txt"
build_in "$T_TMP/copied" 2
t_eq "$sums" "$want" 'layout'

t_case 'a base in another folder, or in an archive'
mkbase "$T_TMP/base one" v1 >/dev/null
mkdir "$T_TMP/elsewhere"
cp -r "$T_TMP/base one" "$T_TMP/elsewhere/base"
t_ok skopeo --insecure-policy copy -q --preserve-digests "oci:$T_TMP/elsewhere/base:v1" \
	"oci-archive:$T_TMP/elsewhere/base.tar:v1"
base_opts=(--base "oci:$T_TMP/base one:v1")
build_in "$T_TMP/first" 1
on_base=$sums
base_opts=(--base "oci:$T_TMP/elsewhere/base:v1")
build_in "$T_TMP/first" 2
t_eq "$sums" "$on_base" 'layout'
base_opts=(--base "oci-archive:$T_TMP/elsewhere/base.tar:v1")
build_in "$T_TMP/first" 2
t_eq "$sums" "$on_base" 'layout'
base_opts=()

t_case 'SOURCE_DATE_EPOCH changes the dates in the image, and nothing else in the layers'
build_in "$T_TMP/first" 2 env SOURCE_DATE_EPOCH=1700000000
[ "$sums" != "$want" ] || t_fail 'the layout is the same'
one=$sums
build_in "$T_TMP/first" 1 env SOURCE_DATE_EPOCH=1700000000
t_eq "$sums" "$one" 'layout with the same date'

t_case 'one changed byte changes the digest'
cp -r "$T_TMP/first" "$T_TMP/changed"
printf '{"a": 2}\n' >"$T_TMP/changed/data/settings.json"
build_in "$T_TMP/changed" 2
[ "$sums" != "$want" ] || t_fail 'the layout is the same'
