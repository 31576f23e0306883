#!/bin/bash
# timeout: 900
# Tools that know nothing of wbuild read its images: skopeo inspects and copies them with every
# digest unchanged, podman runs them, umoci unpacks the gzip form, Python's tarfile agrees.
. "$(dirname "$0")/../lib.sh"
t_use images
t_use trees

m=$T_TMP/model
model_small "$m"
bf16 weights 3000001 >"$m/weights/bf16.safetensors"
names_hard "$m/weights"
names_hard "$m/data"
mkbase "$T_TMP/base" v1 >/dev/null

# What the bundled files must look like in the image: mode, type, size, digest or target, path
# below ROOT/app/data and ROOT/app/models/small.
listing() {
	(
		cd "$1" && find . -mindepth 1 ! -type d -printf '%y %s %p\0' | sort -z |
			while IFS= read -r -d '' line; do
				path=${line#* * }
				case $line in
				l*) printf 'link %s -> %s\n' "$path" "$(readlink "$path")" ;;
				*)
					[ -x "$path" ] && x=x || x=-
					printf 'file %s %s %s\n' "$x" "$(sha256sum <"$path")" "$path"
					;;
				esac
			done
	)
}

same_files() {
	t_eq "$(listing "$1/app/data")" "$(listing "$m/data")" "$2: /app/data"
	t_eq "$(listing "$1/app/models/small")" "$(listing "$m/weights")" "$2: mount location"
}

t_case 'it builds onto a base, as zstd and as gzip'
t_run "$WBUILD" build --base "oci:$T_TMP/base:v1" -t small:v1 \
	-o "type=oci,tar=false,dest=$T_TMP/image" "$m"
t_rc 0
t_run "$WBUILD" build --base "oci:$T_TMP/base:v1" -t small:v1 --compression gzip \
	-o "type=oci,tar=false,dest=$T_TMP/gzip" "$m"
t_rc 0
t_ok blobs_true "$T_TMP/image"
t_ok blobs_true "$T_TMP/gzip"

t_case 'skopeo inspects it'
t_run skopeo inspect --raw "oci:$T_TMP/image:v1"
t_rc 0
manifest=$out
t_eq "$(jq -r .schemaVersion <<<"$manifest")" 2 schemaVersion
t_match "$manifest" 'tar\+zstd'
t_run skopeo inspect "oci:$T_TMP/image:v1"
t_rc 0
t_run skopeo inspect --config "oci:$T_TMP/image:v1"
t_rc 0
t_eq "$(jq '.rootfs.diff_ids | length' <<<"$out")" "$(jq '.layers | length' <<<"$manifest")" \
	'layers in config and manifest'

t_case 'skopeo copies it with every digest unchanged'
t_run skopeo --insecure-policy copy --preserve-digests "oci:$T_TMP/image:v1" "oci:$T_TMP/copy:v1"
t_rc 0
t_eq "$(ls "$T_TMP/copy/blobs/sha256")" "$(ls "$T_TMP/image/blobs/sha256")" 'blobs'
t_run skopeo --insecure-policy copy --preserve-digests "oci:$T_TMP/image:v1" \
	"oci-archive:$T_TMP/copy.tar:v1"
t_rc 0

t_case 'diff_ids are those of the unpacked layers'
ids=$(for l in $(jq -r '.layers[].digest' <<<"$manifest"); do
	f=$T_TMP/image/blobs/sha256/${l#sha256:}
	case $(head -c 2 "$f" | od -An -tx1) in
	*1f*8b*) zcat "$f" ;;
	*28*b5*) zstdcat "$f" ;;
	*) cat "$f" ;;
	esac | sha256sum | sed 's/ .*//; s/^/sha256:/'
done)
t_eq "$ids" "$(skopeo inspect --config "oci:$T_TMP/image:v1" | jq -r '.rootfs.diff_ids[]')" diff_ids

t_case "Python's tarfile and GNU tar read the layers alike, and no path is in two of them"
mkdir "$T_TMP/root"
: >"$T_TMP/paths"
for l in $(jq -r '.layers[1:][].digest' <<<"$manifest"); do
	zstdcat "$T_TMP/image/blobs/sha256/${l#sha256:}" >"$T_TMP/layer.tar"
	t_ok tar -C "$T_TMP/root" -xf "$T_TMP/layer.tar"
	t_run python3 -c '
import sys, tarfile
for m in tarfile.open(sys.argv[1]):
    assert (m.uid, m.gid, m.mtime) == (0, 0, 0), m
    assert not m.uname and not m.gname or m.uname == m.gname == "root", m
    print(ascii(m.name)) if not m.isdir() else None' "$T_TMP/layer.tar"
	t_rc 0
	echo "$out" >>"$T_TMP/paths"
done
t_eq "$(sort "$T_TMP/paths" | uniq -d)" '' 'paths in two layers'
same_files "$T_TMP/root" 'GNU tar'

t_case 'equal files are one inode or at least one copy of the bytes'
sizes=$(jq '[.layers[1:][].size] | add' <<<"$manifest")
t_le "$sizes" 8500000 'bytes in the layers, of 5 MB random and 3 MB bf16 content stored once'

t_case 'umoci unpacks the gzip form'
if [ "$(id -u)" = 0 ]; then
	t_run umoci unpack --image "$T_TMP/gzip:v1" "$T_TMP/bundle"
	t_rc 0
	same_files "$T_TMP/bundle/rootfs" umoci
	t_eq "$(stat -c %a "$T_TMP/bundle/rootfs/tmp")" 1777 'mode of /tmp of the base'
	t_eq "$(stat -c %a "$T_TMP/bundle/rootfs/root")" 700 'mode of /root of the base'
else
	t_skip 'umoci unpack needs root here'
fi

t_case 'podman runs it: files at /app/data and at the mount location'
why=$(podman_why_not)
if [ -n "$why" ]; then
	t_missing "$why"
else
	t_at_end podman_end
	t_run podman_ pull -q "oci:$T_TMP/image:v1"
	t_rc 0
	image=$(tail -n 1 <<<"$out")
	t_run podman_run "$image" sh -c \
		'cat /app/data/settings.json; wc -c </app/models/small/model.safetensors
		cat "/app/models/small/with space/a b  c.txt"; echo "$GREETING $BASE"'
	t_rc 0
	t_eq "$out" $'{"a": 1}\n5000000\n1\nhello there yes' 'what the container saw'
	t_run podman_run "$image"
	t_rc 0
	t_eq "$out" started 'the start command said'

	mnt=$(podman_ image mount "$image")
	same_files "$mnt" podman
	podman_ image umount "$image" >/dev/null
fi

t_case 'podman runs it as another user, on a read-only root, with no capability'
if [ -z "$why" ]; then
	podman_opts='--user 60000:60000 --read-only --cap-drop all'
	t_run podman_run "$image" sh -c 'id -u; cat /app/data/settings.json'
	t_rc 0
	t_eq "$out" $'60000\n{"a": 1}' 'what the container saw'
	podman_opts=
else
	t_missing "$why"
fi
