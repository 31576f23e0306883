#!/bin/bash
# timeout: 1800
# The same layout pushed by wbuild, crane and skopeo to the same registry, in turn, each time to an
# empty one. CI pushes little and allows for a busy machine; the full measurement is
#
#   WBUILD_BENCH_LAYER=536870912 WBUILD_BENCH_RUNS=5 WBUILD_BENCH_SLACK=100 tests/bench/push.sh
#
# of four layers of so many bytes, where the quickest push may take at most so many percent of the
# others' time. Where it does not, there are more runs, of all three: a push that met a moment in
# which the machine had other work says nothing, and a slow program has no quick one.
. "$(dirname "$0")/../lib.sh"
t_use registries

layer=${WBUILD_BENCH_LAYER:-67108864} runs=${WBUILD_BENCH_RUNS:-3} slack=${WBUILD_BENCH_SLACK:-150}

t_case 'a layout to push'
mkdir -p "$T_TMP/model/data"
for i in 1 2 3 4; do
	openssl enc -aes-128-ctr -nosalt -pbkdf2 -iter 1 -pass "pass:$i" </dev/zero 2>/dev/null |
		head -c "$layer" >"$T_TMP/model/data/part-$i.safetensors"
done
echo 'model_name: bench' >"$T_TMP/model/config.yaml"
t_ok "$WBUILD" build -q --base scratch -o "type=oci,tar=false,dest=$T_TMP/image" -t m:v1 \
	--max-size 100GB "$T_TMP/model"
rm -rf "$T_TMP/model" "$WBUILD_CACHE_DIR"
t_eq "$(ls -l "$T_TMP/image/blobs/sha256" | awk -v n="$layer" '$5 >= n' | wc -l)" 4 'large layers'

# push_with TOOL: in $ms; the registry is empty before and has the image afterwards.
push_with() {
	local ref

	registry_start empty || return
	ref=127.0.0.1:$reg_port/team/model:v1
	sync
	case $1 in
	wbuild) t_time "$WBUILD" push -q "oci:$T_TMP/image:v1" "$ref" ;;
	crane) t_time "$crane" push --insecure "$T_TMP/image" "$ref" ;;
	skopeo)
		t_time skopeo --insecure-policy copy -q --dest-tls-verify=false --preserve-digests \
			"oci:$T_TMP/image:v1" "docker://$ref"
		;;
	esac
	t_cmd="push with $1" t_rc 0
	t_ok skopeo inspect --tls-verify=false "docker://$ref"
	kill "$reg_pid"
	wait "$reg_pid" 2>/dev/null
	rm -rf "$T_TMP/empty" "$WBUILD_CACHE_DIR"
}

median() {
	sort -n "$T_TMP/$1.ms" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
quickest() {
	sort -n "$T_TMP/$1.ms" | head -n 1
}
# as_fast_as TOOL
as_fast_as() {
	[ $(($(quickest wbuild) * 100)) -le $(($(quickest "$1") * slack)) ]
}

if ! crane=$(t_peer crane) || ! t_peer registry >/dev/null; then
	t_case 'as fast as crane and skopeo'
	t_missing 'crane or registry'
	exit
fi
t_case 'every tool pushes it'
for ((i = 0; i < runs * 5; i++)); do
	[ $i -lt $runs ] || ! as_fast_as crane || ! as_fast_as skopeo || break
	for tool in wbuild crane skopeo; do
		push_with $tool
		echo "$ms" >>"$T_TMP/$tool.ms"
	done
done
ours=$(quickest wbuild)
t_note "4 layers of $layer bytes, $i runs each, milliseconds:"
for tool in wbuild crane skopeo; do
	t_note "$(printf '%-7s quickest %6d   median %6d   all %s' $tool "$(quickest $tool)" \
		"$(median $tool)" "$(tr '\n' ' ' <"$T_TMP/$tool.ms")")"
done

for tool in crane skopeo; do
	t_case "as fast as $tool"
	theirs=$(quickest $tool)
	t_note "wbuild takes $((ours * 100 / theirs)) % of the time of $tool"
	t_le "$ours" $((theirs * slack / 100)) "milliseconds, at most $slack % of $tool's"
done
