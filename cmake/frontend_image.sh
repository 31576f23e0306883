#!/bin/sh
# frontend_image.sh WBUILD DEST [ROOT]: the image that "# syntax=" names, as an OCI layout in DEST.
#
# wbuild makes it itself: FROM scratch, with WBUILD, the loader and libraries that it needs, the
# runtime stubs beside it and the machine's certificates. ROOT is where another machine's libraries
# lie (a Debian multiarch or debootstrap root), for an image of that machine's architecture; the
# image is for what WBUILD was compiled for.
set -eu
wbuild=$(readlink -f "$1")
dest=$2
root=${3:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/rootfs

# Interpreter and libraries, followed through DT_NEEDED: ldd would run a foreign program.
needed() {
	readelf -lW "$1" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p'
	readelf -dW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}

machine=$(readelf -hW "$wbuild" | sed -n 's/^ *Machine: *//p')
case $machine in
*X86-64*) arch=amd64 triplet=x86_64-linux-gnu ;;
AArch64) arch=arm64 triplet=aarch64-linux-gnu ;;
*)
	echo "frontend_image.sh: no image for $machine" >&2
	exit 1
	;;
esac

find_library() {
	for dir in "/usr/lib/$triplet" "/lib/$triplet" "/usr/$triplet/lib" /lib64 /lib; do
		if [ -e "$root$dir/$1" ]; then
			echo "$root$dir/$1"
			return
		fi
	done
	echo "frontend_image.sh: no library \"$1\" for $arch" >&2
	return 1
}

add_needs() {
	for name in $(needed "$1"); do
		case $name in
		/*)
			to=$tree$name
			from=$(find_library "${name##*/}")
			;;
		*)
			to=$tree/usr/lib/$triplet/$name
			from=$(find_library "$name")
			;;
		esac
		[ ! -e "$to" ] || continue
		mkdir -p "${to%/*}"
		cp -L "$from" "$to"
		chmod 755 "$to"
		add_needs "$to"
	done
}

mkdir -p "$tree/usr/bin" "$tree/usr/libexec/wbuild" "$tree/etc/ssl/certs"
cp "$wbuild" "$tree/usr/bin/wbuild"
strip="$([ "$arch" = "$(dpkg --print-architecture)" ] || echo "$triplet-")strip"
"$strip" "$tree/usr/bin/wbuild"
for dir in "${wbuild%/*}/stub" "${wbuild%/*}/../libexec/wbuild"; do
	for file in "$dir"/init-* "$dir"/fetch-* "$dir"/lazy_data_resolver.py; do
		[ ! -f "$file" ] || cp "$file" "$tree/usr/libexec/wbuild/"
	done
done
add_needs "$wbuild"
cp -L /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/"

# An image with nothing but a command, to append to.
blob() {
	digest=$(sha256sum "$1" | cut -d ' ' -f 1)
	size=$(wc -c <"$1")
	mv "$1" "$work/base/blobs/sha256/$digest"
}
mkdir -p "$work/base/blobs/sha256"
printf '{"imageLayoutVersion":"1.0.0"}' >"$work/base/oci-layout"
printf '{"architecture":"%s","os":"linux","config":{"Entrypoint":["/usr/bin/wbuild","frontend"],"Env":["PATH=/usr/bin"],"WorkingDir":"/","Labels":{"moby.buildkit.frontend.caps":"moby.buildkit.frontend.contexts"}},"rootfs":{"type":"layers","diff_ids":[]}}' "$arch" >"$work/config"
blob "$work/config"
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[]}' "$digest" "$size" >"$work/manifest"
blob "$work/manifest"
printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s,"platform":{"architecture":"%s","os":"linux"}}]}' "$digest" "$size" "$arch" >"$work/base/index.json"

{
	echo 'model_name: wbuild'
	echo 'weights:'
	for dir in "$tree"/*; do
		printf '  - source: ./rootfs/%s\n    mount_location: /%s\n' "${dir##*/}" "${dir##*/}"
	done
} >"$work/config.yaml"
rm -rf "$dest"
WBUILD_CACHE_DIR=$work/cache "${WBUILD_HOST:-$wbuild}" build -q --no-stub \
	--base "oci:$work/base" -o "type=oci,tar=false,dest=$dest" "$work"
