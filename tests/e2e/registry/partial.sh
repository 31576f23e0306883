#!/bin/bash
# The table of contents of zstd layers: the library of podman, skopeo and CRI-O pulls their files one
# by one, finds them in what it has, and gives the same tar out again; who does not know of it sees
# the layers that were always there.
. "$(dirname "$0")/../../lib.sh"
t_use registries
t_use images
t_use trees

m=$T_TMP/m
long=$(printf 'd%.0s' {1..120})
mkdir -p "$m/data/deep/$long"
printf 'model_name: partial\n' >"$m/config.yaml"
seeded weights 3000001 >"$m/data/model.safetensors"
bf16 weights 2200000 >"$m/data/deep/bf16.safetensors"
seeded run 300000 >"$m/data/deep/$long/run.bin"
chmod 755 "$m/data/deep/$long/run.bin"
cp "$m/data/model.safetensors" "$m/data/same.safetensors"
ln -s deep/bf16.safetensors "$m/data/link ä"
: >"$m/data/empty"
mkbase "$T_TMP/base" v1 >/dev/null
img=$T_TMP/img

t_case 'a layer of large files has a table of contents, and its descriptor says where'
t_run "$WBUILD" build --no-stub --base "oci:$T_TMP/base:v1" -t m:v1 -o "type=oci,tar=false,dest=$img" \
	"$m"
t_rc 0
manifest=$(skopeo inspect --raw "oci:$img:v1")
notes=io.github.containers.zstd-chunked
layer=$(jq -r "[.layers[] | select(.annotations)][0].digest" <<<"$manifest")
position=$(jq -r "[.layers[].annotations // empty][0].\"$notes.manifest-position\"" <<<"$manifest")
blob=$img/blobs/sha256/${layer#*:}
t_eq "$(jq "[.layers[].annotations // empty | keys[] | select(startswith(\"$notes.\"))] | length" \
	<<<"$manifest")" 3 'annotations of one layer'
IFS=: read -r at size raw kind <<<"$position"
tail -c +$((at + 1)) "$blob" | head -c "$size" >"$T_TMP/table.zst"
t_eq "$(zstdcat "$T_TMP/table.zst" | wc -c) $kind" "$raw 1" 'the table'
t_eq "sha256:$(sha256sum <"$T_TMP/table.zst" | cut -d ' ' -f 1)" \
	"$(jq -r ".layers[].annotations // empty | .\"$notes.manifest-checksum\"" <<<"$manifest")"
t_eq "$(zstdcat "$T_TMP/table.zst" | jq -r '.entries[].name')" \
	"$(zstdcat "$blob" | tar --quoting-style=literal -t)" 'names in the table and in the tar'

t_case 'wbuild reads its own layer, and says in inspect that it has one'
t_ok "$WBUILD" verify "oci:$img:v1"
t_run "$WBUILD" inspect "oci:$img:v1"
t_rc 0
t_match "$out" 'table of contents'

t_case 'a rebuild from the cache says the same'
t_run "$WBUILD" build --no-stub --base "oci:$T_TMP/base:v1" -t m:v1 -o "type=oci,tar=false,dest=$img.2" \
	"$m"
t_rc 0
t_eq "$(skopeo inspect --raw "oci:$img.2:v1")" "$manifest"

t_case 'who knows nothing of it reads the same tar'
mkdir "$T_TMP/root"
t_ok zstd -qt "$blob"
t_ok tar -C "$T_TMP/root" --zstd -xf "$blob"
t_ok diff -r --no-dereference "$m/data" "$T_TMP/root/app/data"
t_ok skopeo --insecure-policy copy -q --dest-decompress "oci:$img:v1" "dir:$T_TMP/plain"
ids=$(skopeo inspect --config "oci:$img:v1" | jq -r '.rootfs.diff_ids[]')
for id in $ids; do
	t_eq "$(sha256sum <"$T_TMP/plain/${id#*:}")" "${id#*:}  -" 'a layer that skopeo decompressed'
done
if umoci=$(t_peer umoci) && [ "$(id -u)" = 0 ]; then
	t_ok "$umoci" unpack --image "$img:v1" "$T_TMP/bundle"
	t_ok diff -r --no-dereference "$m/data" "$T_TMP/bundle/rootfs/app/data"
else
	t_missing 'umoci, or root'
fi

t_case 'a copy keeps the annotations'
registry_start reg || t_missing registry
t_ok "$WBUILD" push "oci:$img:v1" "127.0.0.1:$reg_port/m:v1"
t_eq "$(skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$reg_port/m:v1")" "$manifest"

# attributes DIR: of everything below it; times of files alone, for containers/image sets no others
attributes() {
	(cd "$1" && find . -printf '%p %y %m %U:%G %l ' \( -type f -printf %T@ , -printf '\n' \) | sort)
}

storage_end() {
	umount "$T_TMP/storage/overlay"
	rm -rf "$T_TMP/storage"
} 2>/dev/null

copyimage() {
	COPYIMAGE_DEBUG=1 CONTAINERS_STORAGE_CONF=$T_TMP/storage.conf "$program" "$@"
}

t_case 'containers/image takes the layer by its table'
if [ "$(id -u)" != 0 ] || ! program=$(t_peer copyimage); then
	t_missing 'copyimage, or root'
	exit
fi
t_at_end storage_end
cat >"$T_TMP/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$T_TMP/storage"
runroot = "$T_TMP/storage-run"
[storage.options]
pull_options = {enable_partial_images = "true"}
END
t_run copyimage "127.0.0.1:$reg_port/m:v1" m:v1
t_rc 0
t_match "$err" "Retrieved partial blob $layer"
t_match "$err" 'Missing 5500001 bytes out of 5500001 '
files=$(echo "$T_TMP"/storage/overlay/*/diff/app/data)
t_ok diff -r --no-dereference "$m/data" "$files"
mkdir "$T_TMP/as-tar"
tar --zstd -C "$T_TMP/as-tar" -xf "$blob"
t_eq "$(attributes "$files")" "$(attributes "$T_TMP/as-tar/app/data")" 'attributes'

t_case 'what it puts together from its files is the tar that the image names'
mkdir "$T_TMP/out"
t_run copyimage m:v1 "dir:$T_TMP/out"
t_rc 0
for id in $ids; do
	t_eq "$(sha256sum <"$T_TMP/out/${id#*:}")" "${id#*:}  -" 'a layer that came back'
done

t_case 'of a new version it fetches the files that are new'
seeded other 1000000 >"$m/data/new.bin"
t_ok "$WBUILD" build -q --no-stub --base "oci:$T_TMP/base:v1" -t "127.0.0.1:$reg_port/m:v2" --push "$m"
t_run copyimage "127.0.0.1:$reg_port/m:v2" m:v2
t_rc 0
t_match "$err" 'Missing 1000000 bytes out of 6500001 '
