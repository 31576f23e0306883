#!/bin/bash
# The shape of the source tree: who may include whom, which functions are banned, how long things
# are. Each check is first shown a small tree with the fault in it, so that it is known to fail.
. "$(dirname "$0")/../lib.sh"

check=$T_SRC/tests/static/check_tree.py

# A planted fault: plant FILE <text; the check named must find it there.
plant() {
	mkdir -p "$T_TMP/bad/$(dirname "$1")"
	cat >"$T_TMP/bad/$1"
}

finds() {
	t_run python3 "$check" "$1" "$T_TMP/bad"
	t_rc 1
	t_match "$out" "$2"
	rm -rf "$T_TMP/bad"
}

holds() {
	t_run python3 "$check" "$@"
	t_rc 0
}

t_case 'folders include only what the table of docs/architecture.md gives them'
mkdir -p "$T_TMP/bad/docs"
cp "$T_SRC/docs/architecture.md" "$T_TMP/bad/docs/"
plant oci/x.h <<<''
plant base/x.c <<<'#include "oci/x.h"'
finds includes '^base/x.c:1: .*nothing of oci/'
mkdir -p "$T_TMP/bad/docs"
cp "$T_SRC/docs/architecture.md" "$T_TMP/bad/docs/"
plant oci/image.h <<<''
plant layers/x.c <<<'#include "oci/image.h"'
finds includes '^layers/x.c:1: .*only descriptor'
holds includes "$T_SRC"

t_case "a library's header is included by two files at most"
for f in base/a.c base/b.c oci/c.c; do plant $f <<<'#include <curl/curl.h>'; done
finds libraries 'curl/curl.h: included by 3 files'
holds libraries "$T_SRC"

t_case 'no function that bounds nothing, is not thread safe or starts a shell'
plant base/x.c <<<$'/* strcpy( in a comment */\nint f(void) { return system("sprintf("); }'
finds banned '^base/x.c:2: calls system'
plant base/x.c <<<'void f(void) { const char *t = wb_digest_text(d).s; }'
finds banned '^base/x.c:1: points into'
holds banned "$T_SRC"

t_case 'memory comes from base/alloc.c alone'
plant oci/x.c <<<'void *f(void) { return malloc(1); }'
finds allocation '^oci/x.c:1: calls malloc'
holds allocation "$T_SRC"

t_case 'no file over 800 lines, no function over 100'
plant base/x.c < <(echo 'void f(void)' && echo '{' && yes '' | head -n 101 && echo '}')
finds length '^base/x.c:2: a function of 101 lines'
holds length "$T_SRC"

t_case 'no unfinished marks, no paths of one machine, no stray white space'
plant base/x.c <<<"/* $(echo FIX)ME */"
finds text '^base/x.c:1: has'
plant 'a$b' <<<''
finds text 'not plain'
holds text "$T_SRC"

t_case 'no variable at file scope outside builder/cli'
mkdir -p "$T_TMP/build/CMakeFiles/x.dir/base"
echo 'static int n; static const char *const t[] = {"a"}; int f(int i); int f(int i) { return t[i][0] + n++; }' \
	>"$T_TMP/x.c"
t_ok gcc -fPIC -c "$T_TMP/x.c" -o "$T_TMP/build/CMakeFiles/x.dir/base/x.c.o"
t_run python3 "$check" state "$T_SRC" "$T_TMP/build"
t_rc 1
t_eq "$out" 'base/x.c: has a variable at file scope: "n"'
holds state "$T_SRC" "$T_SRC/build/dev"

t_case 'clang-format finds nothing to change'
t_run bash -c "cd '$T_SRC' && git ls-files -co --exclude-standard '*.[ch]' |
	xargs clang-format --dry-run -Werror"
t_rc 0

t_case 'shell scripts parse, and shellcheck is content'
cd "$T_SRC" || exit
scripts=$(git ls-files -co --exclude-standard '*.sh' .ci/run)
for f in $scripts; do t_ok bash -n "$f"; done
# shellcheck disable=SC2086
t_ok shellcheck -S warning -e SC1090,SC1091,SC2034,SC2154,SC2086,SC2046 $scripts

t_case 'Python files compile'
t_ok python3 -c 'import ast, sys
for p in sys.argv[1:]: ast.parse(open(p).read(), p)' $(git ls-files -co --exclude-standard '*.py')
