#!/bin/bash
# timeout: 1500
# The same files pulled and unpacked by podman and containerd from a registry on loopback: as wbuild
# lays them out, as one zstd layer (the same compressor, one frame), and as one gzip layer (of ISA-L,
# whose ratio is that of gzip -1). Each pull goes into empty storage. A small model as it stands; the
# full measurement takes a folder, and one engine or both:
#
#   WBUILD_BENCH_MODEL=out/bench/model-1 WBUILD_BENCH_RUNS=3 WBUILD_BENCH_ENGINES=podman \
#	tests/bench/pull.sh
. "$(dirname "$0")/../lib.sh"
t_use registries
t_use images
t_use engines

model=${WBUILD_BENCH_MODEL:-} runs=${WBUILD_BENCH_RUNS:-1}

if [ "$(id -u)" != 0 ] || ! crane=$(t_peer crane) || ! registry_start reg; then
	t_case 'podman and containerd'
	t_missing 'root, crane or registry'
	exit
fi
ref=127.0.0.1:$reg_port/models

t_at_end podman_end

t_case 'the same files in three forms'
if [ -z "$model" ]; then
	model=$T_TMP/model
	mkdir "$model"
	for i in 1 2 3; do seeded "$i" 80000000 >"$model/part-$i.safetensors"; done
	seeded text 8000000 | base64 >"$model/vocab.json"
fi
mkdir "$T_TMP/truss"
printf 'weights:\n  - source: file://%s\n    mount_location: /models\n' "$(realpath "$model")" \
	>"$T_TMP/truss/config.yaml"
t_ok "$WBUILD" build -q --no-stub --base scratch --push -t "$ref/wbuild:v1" "$T_TMP/truss"
t_ok "$WBUILD" build -q --no-stub --base scratch --compression gzip --push -t "$ref/wbuild-gzip:v1" \
	"$T_TMP/truss"
tar -C "$model" --sort=name --owner=0 --group=0 --mtime=@0 --transform 's,^\./,models/,' \
	-cf "$T_TMP/l.tar" .
one_layer() {
	mkdir "$T_TMP/$1"
	"$2" "$3" -c "$T_TMP/l.tar" >"$T_TMP/$1/layer"
	python3 "$T_SRC/tests/lib/one_layer.py" "$T_TMP/$1" "$T_TMP/l.tar" "$4"
	"$crane" push --insecure "$T_TMP/$1/image" "$ref/$1:v1" || return
	rm -rf "${T_TMP:?}/$1"
}
t_ok one_layer zstd zstd -1 application/vnd.oci.image.layer.v1.tar+zstd
t_ok one_layer gzip igzip -1 application/vnd.oci.image.layer.v1.tar+gzip
rm "$T_TMP/l.tar"

# pull_with ENGINE FORM: in $ms
pull_with() {
	rm -rf "$WBUILD_CACHE_DIR"
	case $1 in
	podman)
		podman_end
		rm -rf "$T_TMP/podman"
		sync
		t_time podman_ pull -q --tls-verify=false "$ref/$2:v1"
		;;
	containerd)
		rm -rf "$T_TMP/containerd"
		containerd_start
		sync
		t_time ctr_ images pull --plain-http --snapshotter overlayfs "$ref/$2:v1"
		kill "$t_bg_pid"
		wait "$t_bg_pid" 2>/dev/null
		;;
	esac
	t_cmd="pull with $1" t_rc 0
}

median() {
	sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

forms='wbuild wbuild-gzip zstd gzip'
for engine in ${WBUILD_BENCH_ENGINES:-podman containerd}; do
	t_case "$engine pulls every form"
	for ((i = 0; i < runs; i++)); do
		for form in $forms; do
			pull_with $engine $form
			echo "$ms" >>"$T_TMP/$engine-$form.ms"
		done
	done
	ours=$(median "$T_TMP/$engine-wbuild.ms")
	for form in $forms; do
		theirs=$(median "$T_TMP/$engine-$form.ms")
		t_note "$(printf '%-10s %-11s %6d ms; wbuild takes %3d %% of it; all: %s' $engine $form \
			"$theirs" $((ours * 100 / theirs)) "$(tr '\n' ' ' <"$T_TMP/$engine-$form.ms")")"
	done
done
