#!/bin/bash
# timeout: 2400
# A build is killed with SIGKILL at random moments, many times over: no store and no output that it
# leaves is trusted wrongly by a later run. KILLS=N sets how often (50); SEED=N repeats a run.
. "$(dirname "$0")/../lib.sh"
t_use images
t_use trees

kills=${KILLS:-50}
RANDOM=${SEED:-$$}
echo "# seed ${SEED:-$$}"

m=$T_TMP/model
model_small "$m"
for i in 1 2 3; do seeded "kill$i" 25000000 >"$m/weights/part-$i.bin"; done
mkdir "$m/data/many"
for i in {1..300}; do echo "file $i" >"$m/data/many/$i"; done

build=("$WBUILD" build -q -t small:v1 --cache-dir "$T_TMP/cache"
	-o "type=oci,tar=false,dest=$T_TMP/image" "$m")

t_case 'what an undisturbed build gives'
t_time "${build[@]}"
t_rc 0
want=$(layout_sums "$T_TMP/image")
took=$ms
echo "# undisturbed: $took ms"

# Starts a build and kills it and all its children some time before it would have ended. Builds are
# faster once the disk has them, or slower when the machine is busy; $took learns of that.
kill_one() {
	local pid us=$(((RANDOM * 32768 + RANDOM) % (took * 1000 + 1)))

	setsid "${build[@]}" >"$T_TMP/killed.log" 2>&1 </dev/null &
	pid=$!
	sleep "$(printf '%d.%06d' $((us / 1000000)) $((us % 1000000)))"
	until [ ! -e "/proc/$pid" ] || kill -9 -- "-$pid"; do sleep 0.01; done # it may be no group yet
	wait "$pid"
	if [ $? = 137 ]; then
		killed=$((killed + 1)) took=$((took + took / 50))
	else
		ended=$((ended + 1)) took=$((took - took / 10))
	fi
} 2>/dev/null

t_case "$kills kills: every later run gives the right bytes from a store that is whole"
ended=0 killed=0
for ((i = 0; killed < kills && i < kills * 4; i++)); do
	# Now from nothing, now over what the last runs left, now killed twice.
	case $((RANDOM % 3)) in
	0) rm -rf "$T_TMP/cache" "$T_TMP/image" ;;
	1) rm -rf "$T_TMP/image" ;;
	2)
		rm -rf "$T_TMP/cache" "$T_TMP/image"
		kill_one
		;;
	esac
	kill_one
	if [ -e "$T_TMP/image/index.json" ] && jq -e '.manifests | length > 0' \
		"$T_TMP/image/index.json" >/dev/null; then
		t_run "$WBUILD" verify "oci:$T_TMP/image:v1"
		t_rc 0
	fi
	if [ -e "$T_TMP/cache" ]; then
		t_run "$WBUILD" cache verify --cache-dir "$T_TMP/cache"
		t_rc 0
	fi
	t_run "${build[@]}"
	t_rc 0
	t_ok blobs_true "$T_TMP/image"
	got=$(layout_sums "$T_TMP/image" | grep -Ff <(cut -d ' ' -f 3 <<<"$want"))
	t_eq "$got" "$want" "layout after kill $i"
	[ -z "$t_failed" ] || break
done
echo "# $killed builds were killed, $ended had ended before"
t_le "$kills" "$killed" 'kills wanted'

t_case 'nothing unfinished stays in the output'
left=$(cd "$T_TMP/image" && find . -type f | sort)
t_eq "$left" "$(sed 's/^[^ ]*  //' <<<"$want" | sort)" 'files in the layout'
t_eq "$(find "$T_TMP" -maxdepth 1 -name '.*' ! -name '.out' ! -name '.err' ! -name '.')" '' \
	'files beside the layout'

t_case 'prune removes what the killed runs left in the store'
t_run "$WBUILD" cache prune --cache-dir "$T_TMP/cache" --older-than 0
t_rc 0
t_eq "$(find "$T_TMP/cache/blobs" "$T_TMP/cache/parts" -type f 2>/dev/null)" '' 'files left'
