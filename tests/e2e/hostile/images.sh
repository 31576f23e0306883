#!/bin/bash
# timeout: 3000
# Base images, layouts and archives that lie, against the commands that read them.
. "$(dirname "$0")/../../lib.sh"
t_use registries
t_use hostile

m=$T_TMP/model
mkdir -p "$m/data"
echo '{}' >"$m/data/settings.json"
echo 'model_name: hostile' >"$m/config.yaml"

t_case 'the images are made'
t_run python3 "$T_SRC/tests/lib/hostile_images.py" "$T_TMP/images" ${H_FULL:+full}
t_rc 0
list=$out
mkdir -p "$T_TMP/images"
cksum <"$T_TMP/images/outside" >"$T_TMP/outside"

# twins first: what is left to try then is known to be refused for what it is
hostile_opts plain=true
for pass in good rest; do
	while read -r name transport path; do
		case $name in
		good-*) rc=0 weak=0 kind=good ;;
		bad-*) rc='1 3' weak='0 1 3' kind=rest ;;
		*) rc='0 1 3' weak=$rc kind=rest ;;
		esac
		read=$rc verify=$weak
		[ "$name" != odd-diff-id ] || read=3 verify=3
		[ $kind = $pass ] || continue
		try "base $name" "$read" '.|^$' "$WBUILD" build -q --no-stub --base "$transport:$path" \
			-o "type=oci,tar=false,dest={}/dest" "$m"
		try "copy $name" "$weak" '.|^$' "$WBUILD" copy -q "$transport:$path" "docker-archive:{}/dest"
		try "layout $name" "$weak" '.|^$' "$WBUILD" copy -q "$transport:$path" "oci:{}/dest"
		[ "$transport" != oci ] ||
			try "verify $name" "$verify" '.|^$' "$WBUILD" verify "$transport:$path"
		[ ! "$H_FULL" ] || {
			try "inspect $name" "$weak" '.|^$' "$WBUILD" inspect "$transport:$path"
			try "archive $name" "$weak" '.|^$' "$WBUILD" copy -q "$transport:$path" "oci-archive:{}/dest"
		}
	done <<<"$list"
	hostile_run "images: $pass"
done

t_case 'what a link of a layout led to is as it was'
t_eq "$(cksum <"$T_TMP/images/outside")" "$(<"$T_TMP/outside")"
hostile_end
