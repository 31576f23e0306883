#!/bin/bash
# wbuild migrate: shows, asks, keeps the old file, and does its work once.
. "$(dirname "$0")/../lib.sh"

fresh() {
	rm -rf "$T_TMP/m"
	mkdir -p "$T_TMP/m/model" "$T_TMP/m/packages/deep"
	cat >"$T_TMP/m/config.yaml" <<'END'
# what we serve
model_name: m   # short
model_cache:
  # the small one
  - repo_id: "org/small"
    revision: main
    use_volume: false
    allow_patterns: ['*.json']
END
	cat >"$T_TMP/m/model/model.py" <<'END'
import x
m = load("org/small")  # by name
END
	echo "    other('org/small'); self.r.block_until_download_complete()" >"$T_TMP/m/packages/deep/a.py"
	cp "$T_TMP/m/config.yaml" "$T_TMP/old.yaml"
}

t_case '--dry-run shows a diff on stdout and changes nothing'
fresh
t_run "$WBUILD" migrate --dry-run "$T_TMP/m"
t_rc 0
t_match "$out" '^-model_cache:$'
t_match "$out" '^\+weights:$'
t_match "$out" '^   # the small one$'
t_ok cmp "$T_TMP/old.yaml" "$T_TMP/m/config.yaml"
t_eq "$(ls "$T_TMP/m")" "$(printf 'config.yaml\nmodel\npackages')" 'files'

t_case 'the diff is one that patch(1) takes'
if command -v patch >/dev/null; then
	cp "$T_TMP/old.yaml" "$T_TMP/patched.yaml"
	t_ok patch -s "$T_TMP/patched.yaml" <<<"$out"
	t_ok grep -q '^weights:' "$T_TMP/patched.yaml"
else
	t_skip 'patch is not there'
fi

t_case 'code that names what moved is pointed out by file and line'
t_match "$err" 'm/model/model.py:2:1: "org/small"'
t_match "$err" 'm/packages/deep/a.py:1:1: "org/small"'
t_match "$err" 'a.py:1:1: .*no longer needed'

t_case 'nobody to ask is an error, not a yes'
t_run "$WBUILD" migrate "$T_TMP/m"
t_rc 2
t_match "$err" 'hint: give --yes'
t_ok cmp "$T_TMP/old.yaml" "$T_TMP/m/config.yaml"

t_case 'an answer other than yes leaves everything'
t_ok sh -c 'echo n | "$1" migrate "$2"' sh "$WBUILD" "$T_TMP/m"
t_ok cmp "$T_TMP/old.yaml" "$T_TMP/m/config.yaml"

t_case 'yes applies it and keeps the old file'
chmod 640 "$T_TMP/m/config.yaml"
t_ok sh -c 'echo y | "$1" migrate "$2"' sh "$WBUILD" "$T_TMP/m"
t_ok grep -q '^weights:' "$T_TMP/m/config.yaml"
t_ok grep -q '# short' "$T_TMP/m/config.yaml"
t_ok cmp "$T_TMP/old.yaml" "$T_TMP/m/config.yaml.bak"
t_eq "$(stat -c %a "$T_TMP/m/config.yaml")" 640 mode

t_case 'a second run changes nothing'
cp "$T_TMP/m/config.yaml" "$T_TMP/new.yaml"
t_run "$WBUILD" migrate --yes "$T_TMP/m"
t_rc 0
t_eq "$out" '' stdout
t_match "$err" 'nothing to migrate'
t_ok cmp "$T_TMP/new.yaml" "$T_TMP/m/config.yaml"
t_not test -e "$T_TMP/m/config.yaml.bak.1"

t_case 'a backup is never written over'
cp "$T_TMP/old.yaml" "$T_TMP/m/config.yaml"
echo precious >"$T_TMP/m/config.yaml.bak"
t_ok "$WBUILD" migrate --yes "$T_TMP/m"
t_eq "$(cat "$T_TMP/m/config.yaml.bak")" precious 'first backup'
t_ok cmp "$T_TMP/old.yaml" "$T_TMP/m/config.yaml.bak.1"

t_case 'a link to the config stays a link'
fresh
mv "$T_TMP/m/config.yaml" "$T_TMP/m/real.yaml"
ln -s real.yaml "$T_TMP/m/config.yaml"
t_ok "$WBUILD" migrate --yes "$T_TMP/m"
t_eq "$(readlink "$T_TMP/m/config.yaml")" real.yaml link
t_ok grep -q '^weights:' "$T_TMP/m/real.yaml"

t_case 'what cannot be read, or has errors, is exit status 2'
t_run "$WBUILD" migrate --yes "$T_TMP/nowhere"
t_rc 2
echo 'model_cache: {' >"$T_TMP/m/real.yaml"
t_run "$WBUILD" migrate --yes "$T_TMP/m"
t_rc 2
t_match "$err" 'config.yaml:[0-9]+:[0-9]+: '

t_case 'every shared config with model_cache becomes what is written beside it, validates, and stays'
# What changes in each, as diff(1) says it, and what is said of it: FILE, the changed lines, the notes.
golden=$T_SRC/tests/golden/config/shared_migrations.diff
comments() { grep -oE '(^|[[:space:]])#.*' "$1" | sed 's/^[[:space:]]*//' | sort; }
n=0
for config in "$T_SRC"/../shared/configs/*.yaml; do
	grep -q '^model_cache:' "$config" || continue
	n=$((n + 1))
	rm -rf "$T_TMP/s"
	mkdir "$T_TMP/s"
	install -m 644 "$config" "$T_TMP/s/config.yaml"
	t_run "$WBUILD" migrate --yes "$T_TMP/s"
	t_rc 0
	t_eq "$(comments "$T_TMP/s/config.yaml")" "$(comments "$config")" "comments of $config"
	t_no_match "$(cat "$T_TMP/s/config.yaml")" '^model_cache:|truss-transfer-cli'
	t_ok cmp "$config" "$T_TMP/s/config.yaml.bak"
	{
		echo "== $(basename "$config" __config.yaml)"
		diff -U0 "$config" "$T_TMP/s/config.yaml" | sed '1,2d'
		sed -n 's/^wbuild: .*config.yaml:\([0-9]*:[0-9]*\): .*\[\([a-z-]*\)\]$/   \1 \2/p' <<<"$err"
	} >>"$T_TMP/migrations"
	cp "$T_TMP/s/config.yaml" "$T_TMP/once.yaml"
	t_run "$WBUILD" migrate --yes "$T_TMP/s"
	t_rc 0
	t_ok cmp "$T_TMP/once.yaml" "$T_TMP/s/config.yaml"
	t_run "$WBUILD" validate --offline --format json "$T_TMP/s"
	t_rc 0
	t_eq "$(jq -r '.findings[] | select(.severity == "error") | .text' <<<"$out")" '' \
		"errors in what became of $config"
done
if [ -d "$T_SRC/../shared/configs" ]; then
	t_eq "$n" 25 'configs with model_cache'
	t_ok diff -u "$golden" "$T_TMP/migrations"
else
	t_skip 'no shared configs here'
fi
