#!/bin/bash
# timeout: 1800
# cmake --install puts everything where a packager expects it, and the .deb names what it needs.
. "$(dirname "$0")/../lib.sh"

build=$T_SRC/build/release
cd "$T_SRC" || exit

t_case 'a release build installs below DESTDIR, and nowhere else'
t_ok cmake --preset release -DCMAKE_INSTALL_PREFIX=/usr
t_ok cmake --build --preset release
t_ok env DESTDIR="$T_TMP/root" cmake --install "$build"
root=$T_TMP/root
for f in usr/bin/wbuild usr/share/man/man1/wbuild.1 usr/share/doc/wbuild/copyright \
	usr/share/bash-completion/completions/wbuild usr/share/zsh/vendor-completions/_wbuild \
	usr/share/fish/vendor_completions.d/wbuild.fish "usr/libexec/wbuild/init-$(dpkg --print-architecture)"; do
	[ -s "$root/$f" ] || t_fail "\"$f\" is not installed"
done
t_eq "$(ls -A "$root")" usr 'what is below DESTDIR'

t_case 'the installed program runs, and finds its stub beside it'
t_run "$root/usr/bin/wbuild" version
t_rc 0
t_match "$out" '^wbuild [0-9]+\.[0-9]+'
mkdir -p "$T_TMP/model/data"
echo 1 >"$T_TMP/model/data/one"
echo 'model_name: m' >"$T_TMP/model/config.yaml"
t_run "$root/usr/bin/wbuild" build -t m:v1 -o "type=oci,tar=false,dest=$T_TMP/m" "$T_TMP/model"
t_rc 0
paths=$(for blob in "$T_TMP/m/blobs/sha256"/*; do zstdcat "$blob" 2>/dev/null | tar -tf - 2>/dev/null; done)
t_match "$paths" '^\.wbuild/init$'

t_case 'man pages have no mistake that man finds'
for page in "$root"/usr/share/man/man*/*; do
	t_run env MANWIDTH=80 man --warnings=all -l "$page"
	t_rc 0
	t_eq "$err" '' "$page"
done

t_case 'completions load in their shells'
t_ok bash -n "$root/usr/share/bash-completion/completions/wbuild"
if command -v zsh >/dev/null; then
	t_ok zsh -n "$root/usr/share/zsh/vendor-completions/_wbuild"
	t_ok fish --no-execute "$root/usr/share/fish/vendor_completions.d/wbuild.fish"
fi

t_case 'the binary is hardened: PIE, full RELRO, no executable stack, no RPATH'
t_run readelf -hldW "$root/usr/bin/wbuild"
t_match "$out" 'Type: +DYN'
t_match "$out" 'GNU_RELRO'
t_match "$out" 'FLAGS.*BIND_NOW|FLAGS_1.*NOW'
t_no_match "$out" 'GNU_STACK.*E '
t_no_match "$out" 'RPATH|RUNPATH'
t_run readelf --dyn-syms -W "$root/usr/bin/wbuild"
t_match "$out" '__stack_chk_fail'
t_match "$out" '_chk@'

t_case 'cpack makes a .deb that declares its dependencies'
t_ok cpack --config "$build/CPackConfig.cmake" -B "$T_TMP/pkg"
deb=$(echo "$T_TMP"/pkg/*.deb)
t_run dpkg-deb -I "$deb"
t_rc 0
t_match "$out" '^ Package: wbuild$'
for lib in libarchive13 libcurl4 libjansson4 libssl3 libyaml-0-2 libzstd1 libc6; do
	t_match "$out" "^ Depends: .*$lib"
done
t_run dpkg-deb -c "$deb"
t_match "$out" 'root/root .*\./usr/bin/wbuild$'
t_no_match "$out" '\./usr/(include|lib)/|\.a$'

t_case 'dpkg accepts it'
if [ "$(id -u)" = 0 ]; then
	t_run dpkg --dry-run -i "$deb"
	t_rc 0
else
	t_skip 'needs root'
fi
