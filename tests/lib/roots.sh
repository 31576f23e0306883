# shellcheck shell=bash
# Container roots as plain directories, for tests of the runtime stub: t_use images; t_use roots
#
#   scratch  the stub and the bundle, nothing else
#   busybox  a static busybox with its applets (what Alpine is made of)
#   debian   bash and coreutils of this machine with the shared libraries they need

INIT=${WBUILD%/*}/stub/init-$(dpkg --print-architecture)

# root_make KIND DIR: an empty root of that kind, with the stub in it.
root_make() {
	mkdir -p "$2"/{proc,sys,dev,tmp,.wbuild}
	chmod 1777 "$2/tmp"
	cp "$INIT" "$2/.wbuild/init"
	case $1 in
	busybox)
		mkdir "$2/bin" "$2/etc"
		cp "$(command -v busybox)" "$2/bin/busybox"
		"$2/bin/busybox" --install -s "$2/bin"
		# its links name the path that they were made at
		find "$2/bin" -type l -exec ln -sf busybox {} \;
		echo root:x:0:0:root:/root:/bin/sh >"$2/etc/passwd"
		;;
	debian)
		mkdir "$2/bin" "$2/etc"
		ln -s bash "$2/bin/sh"
		echo root:x:0:0:root:/root:/bin/sh >"$2/etc/passwd"
		root_programs "$2" bash cat sleep env id ls mkdir touch sort stat tr grep
		;;
	esac
}

# Copies programs and what the dynamic linker would load for them.
root_programs() {
	local root=$1 program file

	shift
	for program in "$@"; do
		cp "$(command -v "$program")" "$root/bin/"
		ldd "$(command -v "$program")" | grep -o '/[^ ]*' | while read -r file; do
			[ -e "$root$file" ] || install -D "$file" "$root$file"
		done
	done
}

# root_bundle DIR: a small bundle at /app/data and /models/m, with its manifest.
root_bundle() {
	mkdir -p "$1/app/data/sub" "$1/models/m"
	seeded data 9000000 >"$1/app/data/weights.bin"
	seeded small 5000 >"$1/app/data/sub/small.bin"
	ln -s weights.bin "$1/app/data/latest"
	seeded tokens 70000 >"$1/models/m/tokenizer.bin"
	python3 "$T_SRC/tests/lib/mkbundle.py" "$1" /app/data /models/m
}

# box DIR ARGUMENT...: a container in that root; options for podman run before it in $box_opts.
box() {
	# shellcheck disable=SC2086
	podman_ run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
		${box_opts:-} --rootfs "$@"
}
