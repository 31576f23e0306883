#!/bin/bash
# timeout: 1800
# Fetching, packing and pushing a model: each step alone, then one build that does them all, from
# the stand-in hub to a local registry, everything empty before. Steps take turns.
#
#   tests/bench/overlap.sh [--runs N] [--rate RATE] [--model DIR]
#
# RATE is what the network brings, each way ("1gbit", the default; as root, in a network of its
# own), or "none": then all share the cores of this machine, and the sum of their processor time
# bounds the whole. Without DIR (out/bench/model-1 is that of run.sh), five files of random and of
# even bytes, 400 MB. Fails when a limited build takes more than 1.3 times its slowest step.
runs=3 rate=1gbit model=
while [ $# -gt 1 ]; do
	case $1 in
	--runs) runs=$2 ;;
	--rate) rate=$2 ;;
	--model) model=$(realpath "$2") ;;
	*) break ;;
	esac
	shift 2
done
[ $# = 0 ] || { sed -n 's/^#   //p' "$0" >&2; exit 2; }
if [ "$rate" != none ] && [ "${1:-}${WBUILD_OVERLAP_NET:-}" != own ]; then
	WBUILD_OVERLAP_NET=own exec unshare -n "$0" --runs "$runs" --rate "$rate" \
		${model:+--model "$model"}
fi
. "$(dirname "$0")/../lib.sh"
t_use registries
t_use sources

# limit FIELD PORT CLASS: packets to (dport) or from (sport) the port have $rate to themselves.
limit() {
	[ "$rate" = none ] || tc filter add dev lo parent 1: protocol ip prio 1 u32 \
		match ip "$1" "$2" 0xffff flowid "1:$3"
}

if [ "$rate" != none ]; then
	ip link set lo up
	tc qdisc add dev lo root handle 1: htb default 1 &&
		tc class add dev lo parent 1: classid 1:1 htb rate 100gbit burst 1m cburst 1m &&
		tc class add dev lo parent 1: classid 1:10 htb rate "$rate" burst 256k cburst 256k &&
		tc class add dev lo parent 1: classid 1:20 htb rate "$rate" burst 256k cburst 256k ||
		exit
fi
t_case 'a model on the hub'
sources_start hub
limit sport "$(sed -n 's/^cdn .*:\([0-9]*\)$/\1/p' "$T_TMP/hub.log")" 10
if [ -z "$model" ]; then
	model=$T_TMP/model
	mkdir "$model"
	for i in 1 2; do seeded "$i" 100000000 >"$model/part-$i.safetensors"; done
	for i in 3 4; do seeded "$i" 75000000 | base64 -w0 >"$model/part-$i.bin"; done
	seeded text 8000000 | base64 >"$model/vocab.json"
fi
t_ok hub_commit o/n "$model"
mkdir "$T_TMP/truss"
printf 'weights:\n  - source: hf://o/n\n    mount_location: /models\n' >"$T_TMP/truss/config.yaml"

# How long the cores have been at work, for everybody (hub and registry, too), in milliseconds.
busy() {
	awk '/^cpu / { print int(($2 + $3 + $4 + $7 + $8) * 10) }' /proc/stat
}

# step NAME COMMAND...: its wall and processor time, and everybody's, in milliseconds, to the files
# of that name.
step() {
	local name=$1 cpu before

	shift
	sync
	before=$(busy)
	t_time time -f %U:%S -o "$T_TMP/cpu" "$@"
	t_cmd="$name: $*" t_rc 0
	cpu=$(awk -F: '{ print int(($1 + $2) * 1000) }' "$T_TMP/cpu")
	echo "$ms" >>"$T_TMP/$name.ms"
	echo "$cpu" >>"$T_TMP/$name.cpu"
	echo $(($(busy) - before)) >>"$T_TMP/$name.busy"
}
median() {
	sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
empty_registry() {
	registry_start "registry$1" && limit dport "$reg_port" 20
}
registry_ends() {
	kill "$reg_pid"
	wait "$reg_pid" 2>/dev/null
	rm -rf "$T_TMP/registry$1"
}

t_case 'every step'
for ((i = 0; i < runs; i++)); do
	rm -rf "$WBUILD_CACHE_DIR" "$T_TMP/image" "$T_TMP/truss/wbuild.lock"
	step fetch "$WBUILD" fetch -q "$T_TMP/truss"
	step pack "$WBUILD" build -q --no-stub --base scratch -t m:v1 \
		-o "type=oci,tar=false,dest=$T_TMP/image" "$T_TMP/truss"
	empty_registry "$i" || break
	rm -rf "$WBUILD_CACHE_DIR" "$T_TMP/truss/wbuild.lock"
	step push "$WBUILD" push -q "oci:$T_TMP/image:v1" "127.0.0.1:$reg_port/o/n:v1"
	registry_ends "$i"
	empty_registry "$i" || break
	rm -rf "$WBUILD_CACHE_DIR" "$T_TMP/image"
	step all "$WBUILD" build -q --no-stub --base scratch --push -t "127.0.0.1:$reg_port/o/n:v1" \
		"$T_TMP/truss"
	registry_ends "$i"
done

slowest=0
for name in fetch pack push all; do
	ms=$(median "$T_TMP/$name.ms")
	t_note "$(printf "%-5s median %6d ms, %6d ms of processor time, %6d with the servers'; all: %s" \
		$name "$ms" "$(median "$T_TMP/$name.cpu")" "$(median "$T_TMP/$name.busy")" \
		"$(tr '\n' ' ' <"$T_TMP/$name.ms")")"
	[ $name = all ] || [ "$ms" -lt "$slowest" ] || slowest=$ms
done
t_case "all of it at $rate, beside the slowest step"
t_note "$(awk -v a="$ms" -v s="$slowest" 'BEGIN { printf "%.2f times the slowest step", a / s }')"
[ "$rate" = none ] || t_le "$ms" $((slowest * 13 / 10)) 'milliseconds, at most 1.3 times its'
