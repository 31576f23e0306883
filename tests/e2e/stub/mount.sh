#!/bin/bash
# A bundle that lies elsewhere, as a Kubernetes image volume is mounted: the stub of the volume itself
# puts it at the paths that the model expects.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use roots

podman_or_skip 'containers can be run'

hub=/root/.cache/huggingface/hub
commit=0123456789abcdef0123456789abcdef01234567

# The volume: a weights-only image's root, with a hub cache in it.
vol=$T_TMP/volume
root_make scratch "$vol"
root_bundle "$vol"
repo=$vol$hub/models--org--name
mkdir -p "$repo"/{blobs,refs} "$repo/snapshots/$commit/sub"
echo '{"model_type": "bert"}' >"$repo/blobs/aaa"
seeded tensors 6000000 >"$repo/blobs/bbb"
ln -s ../../blobs/aaa "$repo/snapshots/$commit/config.json"
ln -s ../../../blobs/bbb "$repo/snapshots/$commit/sub/model.safetensors"
printf %s $commit >"$repo/refs/main"
python3 "$T_SRC/tests/lib/mkbundle.py" "$vol" /app/data /models/m $hub --hf-cache $hub
chmod 755 "$vol"

root_make busybox "$T_TMP/box"
chmod 755 "$T_TMP/box"
digests='cd / && sha256sum app/data/weights.bin app/data/sub/small.bin app/data/latest models/m/tokenizer.bin'
want=$(cd "$vol" && sha256sum app/data/weights.bin app/data/sub/small.bin app/data/latest models/m/tokenizer.bin)

# mounted OPTIONS ARGUMENT...: the container with the volume, its command being the volume's stub.
mounted() {
	box_opts="-v $vol:/weights:ro $1"
	shift
	rm -rf "$T_TMP/root"
	cp -a "$T_TMP/box" "$T_TMP/root"
	t_run box "$T_TMP/root" /weights/.wbuild/init --from /weights "$@"
}

t_case 'link: files are at their paths, for root and for the hub'
# shellcheck disable=SC2016
mounted '' --verify full -- /bin/sh -c "$digests; cat /root/.cache/huggingface/hub/models--org--name/snapshots/*/config.json; echo \"hub=\$HF_HUB_CACHE\""
t_rc 0
t_eq "$out" "$want"$'\n{"model_type": "bert"}\nhub=' # not set: the default is right
t_match "$err" 'verified 15\.1 MB'

t_case 'link: an image with other things beside them keeps them'
mkdir -p "$T_TMP/box/app/data/sub" "$T_TMP/box/models/other"
echo mine >"$T_TMP/box/app/data/sub/mine.txt"
mounted '' -- /bin/sh -c "$digests; cat /app/data/sub/mine.txt; ls /models"
t_rc 0
t_eq "$out" "$want"$'\nmine\nm\nother'

t_case 'link: what stands in the way is never covered'
echo other >"$T_TMP/box/app/data/weights.bin"
mounted '' -- /bin/sh -c "$digests"
t_rc 1
t_eq "$out" ''
t_match "$err" '"/app/data/weights.bin" is there already'
t_match "$err" '^wbuild: hint: '
rm -rf "$T_TMP/box/app" "$T_TMP/box/models"

t_case 'link: a read-only root says what to do'
mounted '--read-only --read-only-tmpfs=false' -- /bin/true
t_rc 1
t_match "$err" 'Read-only file system'
t_match "$err" 'hint: .*(empty volume|subPath).*--mount bind'

t_case 'link: a read-only root with empty volumes where links go'
mkdir -p "$T_TMP/box/app" "$T_TMP/box/models" "$T_TMP/box/root"
mkdir -m 777 "$T_TMP/empty1" "$T_TMP/empty2"
mounted "--read-only -v $T_TMP/empty1:/app -v $T_TMP/empty2:/models --user 60000" -- \
	/bin/sh -c "$digests; echo \$HF_HUB_CACHE"
t_rc 0
t_eq "$out" "$want"$'\n'"/weights$hub"
rm -rf "$T_TMP/box/app" "$T_TMP/box/models" "$T_TMP/box/root"

t_case 'link: a second start of the same container finds its links'
# shellcheck disable=SC2086
id=$(podman_ create --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
	-v "$vol:/weights:ro" --rootfs "$T_TMP/root" /weights/.wbuild/init --from /weights \
	--verify full -- /bin/sh -c "$digests")
for _ in 1 2; do
	t_run podman_ start -a "$id"
	t_rc 0
	t_eq "$out" "$want"
done
podman_ rm -f "$id" >/dev/null

t_case 'bind: needs the capability, and says so'
mounted '' --mount bind -- /bin/true
t_rc 1
t_match "$err" 'cannot bind "/weights/app/data" to "/app/data": Operation not permitted'
t_match "$err" 'CAP_SYS_ADMIN'

t_case 'bind: with it, files are at their paths and cannot be written'
mounted '--cap-add SYS_ADMIN --security-opt apparmor=unconfined --security-opt seccomp=unconfined' \
	--mount bind -- /bin/sh -c \
	"$digests; echo x >/app/data/weights.bin; test -L /app/data || echo no link"
t_rc 0
t_eq "$out" "$want"$'\nno link'
t_match "$err" 'Read-only file system'

t_case 'none: nothing is placed, the hub is told where its cache is'
# shellcheck disable=SC2016
mounted '--read-only' --mount none -- /bin/sh -c 'ls / | grep -c -e app -e models; echo $HF_HUB_CACHE'
t_rc 0
t_eq "$out" $'0\n'"/weights$hub"

t_case "the hub's cache of someone's own is left alone"
# shellcheck disable=SC2016
mounted '-e HF_HUB_CACHE=/mine' --mount none -- /bin/sh -c 'echo $HF_HUB_CACHE'
t_eq "$out" /mine

t_case 'the same by environment alone, as a pod would'
box_opts="-v $vol:/weights:ro -e WBUILD_FROM=/weights -e WBUILD_VERIFY=sample -e WBUILD_READY_FILE=/tmp/ready"
rm -rf "$T_TMP/root"
cp -a "$T_TMP/box" "$T_TMP/root"
t_run box "$T_TMP/root" /weights/.wbuild/init /bin/sh -c "$digests; test -s /tmp/ready && echo ready"
t_rc 0
t_eq "$out" "$want"$'\nready'

t_case 'a volume that is damaged stops the container'
printf '\1\2\3' | dd of="$repo/blobs/bbb" bs=1 seek=5000000 conv=notrunc status=none
mounted '' --verify full -- /bin/true
t_rc 3
t_match "$err" "\"$hub/models--org--name/blobs/bbb\": changed: bytes from 4194304 on"

t_case 'no volume at the place is an error that says so'
box_opts=
t_run box "$T_TMP/root" /.wbuild/init --from /nowhere -- /bin/true
t_rc 1
t_match "$err" 'hint: is the volume mounted at "/nowhere"'
