#!/bin/bash
# timeout: 1500
# The same files pulled and unpacked from a registry on loopback, each time into empty storage: as
# wbuild lays them out (zstd, gzip), as one zstd layer (the same compressor, one frame), and as one
# gzip layer (of ISA-L, whose ratio is that of gzip -1). By these engines:
#
#	podman       the machine's podman
#	containerd   the machine's containerd, by its ctr
#	cri          the same, asked as a kubelet asks it
#	containerd2  a current containerd (tests/peers.sh), by its ctr
#	cri2         the same, asked as a kubelet asks it
#	unpacks2     the same as containerd2, set to unpack several layers at once
#	copyimage    the library of current podman, skopeo, buildah and CRI-O (tests/lib/copyimage.go)
#
# A small model as it stands. The full measurement takes a folder, and may be taken in pieces: what
# WBUILD_BENCH_STORE names keeps the registry and all times, and medians are of all of them.
#
#	WBUILD_BENCH_MODEL=out/bench/model-1 WBUILD_BENCH_STORE=out/bench/pull WBUILD_BENCH_RUNS=3 \
#	WBUILD_BENCH_ENGINES='podman cri' tests/bench/pull.sh
. "$(dirname "$0")/../lib.sh"
t_use registries
t_use images
t_use engines

model=${WBUILD_BENCH_MODEL:-} runs=${WBUILD_BENCH_RUNS:-1} store=${WBUILD_BENCH_STORE:-$T_TMP/store}
engines=${WBUILD_BENCH_ENGINES-podman containerd cri containerd2 cri2 unpacks2 copyimage}
forms='wbuild zstd wbuild-gzip gzip'

mkdir -p "$store/reg"
ln -s "$(realpath "$store/reg")" "$T_TMP/reg"
if [ "$(id -u)" != 0 ] || ! crane=$(t_peer crane) || ! registry_start reg; then
	t_case 'podman and containerd'
	t_missing 'root, crane or registry'
	exit
fi
ref=127.0.0.1:$reg_port/models

t_at_end podman_end
t_at_end copyimage_end

build() {
	"$WBUILD" build -q --no-stub --base scratch "$@" --push "$T_TMP/truss"
}

# one_layer FORM COMPRESSOR: all files as one layer.
one_layer() {
	mkdir "$T_TMP/$1"
	[ -e "$T_TMP/l.tar" ] || tar -C "$model" --sort=name --owner=0 --group=0 --mtime=@0 \
		--transform 's,^\./,models/,' -cf "$T_TMP/l.tar" . || return
	"$2" -1 -c "$T_TMP/l.tar" >"$T_TMP/$1/layer" || return
	python3 "$T_SRC/tests/lib/one_layer.py" "$T_TMP/$1" "$T_TMP/l.tar" \
		"application/vnd.oci.image.layer.v1.tar+$1" || return
	"$crane" push --insecure "$T_TMP/$1/image" "$ref/$1:v1" || return
	rm -rf "${T_TMP:?}/$1"
}

make_form() {
	case $1 in
	wbuild) build -t "$ref/wbuild:v1" ;;
	wbuild-gzip) build --compression gzip -t "$ref/wbuild-gzip:v1" ;;
	zstd) one_layer zstd zstd ;;
	gzip) one_layer gzip igzip ;;
	esac
}

# Processor time of a process so far, in 1/100 s.
ticks() {
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}

copyimage_end() {
	umount "$T_TMP/copyimage/root/overlay"
	rm -rf "$T_TMP/copyimage"
} 2>/dev/null

copyimage_pull() {
	local program

	copyimage_end
	program=$(t_peer copyimage) || return
	mkdir -p "$T_TMP/copyimage"
	cat >"$T_TMP/copyimage/conf" <<-END
		[storage]
		driver = "overlay"
		graphroot = "$T_TMP/copyimage/root"
		runroot = "$T_TMP/copyimage/run"
		[storage.options]
		pull_options = {enable_partial_images = "true"}
	END
	sync
	CONTAINERS_STORAGE_CONF=$T_TMP/copyimage/conf timed "$program" "$1" "models:v1"
}

podman_pull() {
	podman_end
	rm -rf "$T_TMP/podman"
	sync
	timed podman --root "$T_TMP/podman" --runroot "$T_TMP/podman-run" --storage-driver overlay \
		pull -q --tls-verify=false "$1"
}

# containerd_pull REFERENCE cri|ctr
containerd_pull() {
	local before

	rm -rf "$T_TMP/containerd"
	containerd_start "$2"
	sync
	before=$(ticks "$t_bg_pid")
	if [ "$2" = cri ]; then
		t_time cri_pull "$1"
		cpu=0
	else
		timed "${ctr_bin:-ctr}" -a "$T_TMP/containerd/sock" images pull --plain-http \
			--snapshotter overlayfs "$1"
	fi
	cpu=$((cpu + $(ticks "$t_bg_pid") - before))
	kill "$t_bg_pid"
	wait "$t_bg_pid" 2>/dev/null
}

# timed COMMAND...: its wall time in $ms, its processor time and that of its children in $cpu.
timed() {
	t_time /usr/bin/time -q -o "$T_TMP/cpu" -f '%U %S' "$@"
	cpu=$(awk '{ print int(($1 + $2) * 100) }' "$T_TMP/cpu")
}

# pull_with ENGINE REFERENCE: in $ms and $cpu
pull_with() {
	local containerd_bin='' ctr_bin='' containerd_unpacks=''

	case $1 in
	*2) containerd_bin=$(t_peer containerd) && ctr_bin=$(t_peer ctr) || return ;;
	esac
	case $1 in
	podman | copyimage) "$1_pull" "$2" ;;
	containerd | containerd2) containerd_pull "$2" ctr ;;
	unpacks2) containerd_unpacks=4 containerd_pull "$2" ctr ;;
	cri | cri2) containerd_pull "$2" cri ;;
	esac
	t_cmd="pull of $2 with $1" t_rc 0
}

# middle FILE COLUMN: the median, and how many there are
middle() {
	cut -d ' ' -f "$2" "$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)], NR }'
}

report() {
	local engine=$1 form ours theirs cpu n

	read -r ours _ <<<"$(middle "$store/$engine-wbuild" 1)"
	for form in $forms; do
		read -r theirs n <<<"$(middle "$store/$engine-$form" 1)"
		read -r cpu _ <<<"$(middle "$store/$engine-$form" 2)"
		t_note "$(awk -v e="$engine" -v f="$form" -v o="$ours" -v t="$theirs" -v c="$cpu" \
			-v n="$n" -v all="$(cut -d ' ' -f 1 "$store/$engine-$form" | tr '\n' ' ')" 'BEGIN {
			printf "%-11s %-11s %6.2f s, CPU %6.2f s; wbuild takes %.2f of it; %d pulls, ms: %s",
				e, f, t / 1000, c / 100, o / t, n, all }')"
	done
}

t_case 'the same files in four forms'
if [ -z "$model" ]; then
	model=$T_TMP/model
	mkdir "$model"
	for i in 1 2 3; do seeded "$i" 80000000 >"$model/part-$i.safetensors"; done
	seeded text 8000000 | base64 >"$model/vocab.json"
fi
mkdir "$T_TMP/truss"
printf 'weights:\n  - source: file://%s\n    mount_location: /models\n' "$(realpath "$model")" \
	>"$T_TMP/truss/config.yaml"
for form in $forms; do
	[ -e "$store/$form.made" ] || t_ok make_form "$form" && touch "$store/$form.made"
done
rm -rf "$T_TMP/l.tar" "$WBUILD_CACHE_DIR"

for engine in $engines; do
	t_case "$engine pulls every form"
	for ((i = 0; i < runs; i++)); do
		for form in $forms; do
			pull_with "$engine" "$ref/$form:v1"
			echo "$ms $cpu" >>"$store/$engine-$form"
		done
	done
	report "$engine"
done
