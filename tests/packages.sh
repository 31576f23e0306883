#!/bin/bash
# The Debian 12 packages that wbuild needs, in one place, and how they get installed.
#
#   tests/packages.sh GROUP...      installs what is missing of these groups
#   . tests/packages.sh             gives packages_need GROUP... and packages_missing GROUP...
#
# Groups: build (compile wbuild), test (run its tests), peers (the foreign tools it is tested
# against), bench (benchmarks), quickstart (the model that examples/quickstart.sh packs), lint
# (static checks, fuzzing, coverage).
# Only apt is assumed. A run with nothing to do asks dpkg and changes nothing.

packages_of() {
	case $1 in
	build)
		echo gcc libc6-dev cmake ninja-build pkg-config libcurl4-openssl-dev libarchive-dev \
			libjansson-dev libssl-dev libzstd-dev zlib1g-dev libyaml-dev libexpat1-dev uthash-dev scdoc \
			libnghttp2-dev libbrotli-dev \
			gcc-aarch64-linux-gnu libc6-dev-arm64-cross
		;;
	test)
		echo libcmocka-dev python3 python3-yaml jq curl ca-certificates openssl time zstd \
			procps util-linux file binutils dpkg-dev skopeo man-db tmux bash-completion zsh fish \
			locales-all iproute2 strace
		;;
	peers)
		echo podman buildah runc umoci busybox-static fuse-overlayfs containerd netavark \
			docker.io golang-go python3-venv nodejs npm git qemu-user-static \
			chromium-headless-shell
		;;
	bench)
		echo python3-numpy valgrind aria2 rclone nginx-light isal
		;;
	quickstart)
		echo tesseract-ocr-eng
		;;
	lint)
		echo clang clang-format clang-tidy libclang-rt-14-dev shellcheck \
			checksec python3-venv gcovr
		;;
	*)
		echo "packages: no group named \"$1\"" >&2
		return 2
		;;
	esac
}

# A package whose program is there from elsewhere (a language's own installer) is not wanted twice.
packages_stands_in() {
	case $1 in
	golang-go) command -v go ;;
	nodejs) command -v node ;;
	npm) command -v npm ;;
	*) return 1 ;;
	esac >/dev/null 2>&1
}

packages_missing() {
	local group pkg installed list=()

	for group in "$@"; do
		# shellcheck disable=SC2207
		list+=($(packages_of "$group")) || return
	done
	installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${list[@]}" 2>/dev/null |
		sed -n 's/^installed //p')
	for pkg in "${list[@]}"; do
		grep -qx -- "$pkg" <<<"$installed" || packages_stands_in "$pkg" || echo "$pkg"
	done
}

packages_need() {
	local missing said as_root=()

	missing=$(packages_missing "$@") || return
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" != 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "packages: install these as root first: ${missing//$'\n'/ }" >&2
			return 1
		fi
		as_root=(sudo)
	fi
	echo "packages: installing ${missing//$'\n'/ }" >&2
	# shellcheck disable=SC2086
	if ! said=$({
		"${as_root[@]}" apt-get -qq update &&
			"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
				apt-get -qq install -y --no-install-recommends $missing
	} 2>&1 </dev/null); then
		printf '%s\npackages: apt-get could not install them\n' "$said" >&2
		return 1
	fi
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	[ $# -gt 0 ] || set -- build test
	packages_need "$@"
fi
