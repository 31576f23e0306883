#!/bin/bash
# What the documents say holds: links lead somewhere, commands and options exist, the config example
# is a good one.
. "$(dirname "$0")/../lib.sh"

cd "$T_SRC" || exit
documents=$(git ls-files -co --exclude-standard '*.md')

t_case 'links between documents lead to files'
for doc in $documents; do
	for link in $(grep -oE '\]\([^)#]+' "$doc" | sed 's/^](//' | grep -v '^[a-z]*:'); do
		[ -e "$(dirname "$doc")/$link" ] || t_fail "$doc: \"$link\" is not there"
	done
done

t_case 'every command that a document shows exists'
commands=$("$WBUILD" help | sed -n 's/^  \([a-z]\{1,\}\)  .*/\1/p')
for doc in README.md CONTRIBUTING.md examples/*/README.md; do
	[ -e "$doc" ] || continue
	shown=$(grep -oE '`wbuild [a-z]+' "$doc"
		sed -n '/^```/,/^```$/p' "$doc" | grep -oE '^(sudo )?wbuild [a-z]+')
	for command in $(sed 's/.* //' <<<"$shown" | sort -u); do
		grep -qx "$command" <<<"$commands" || t_fail "$doc: no command \"wbuild $command\""
	done
done

t_case 'every option of a command line in the README exists'
while read -r command option; do
	"$WBUILD" help "$command" | grep -q -- "$option" ||
		t_fail "README.md: wbuild $command has no \"$option\""
done < <(grep -E '^wbuild [a-z]+' README.md | sed 's/#.*//' |
	awk '{ for (i = 3; i <= NF; i++) if ($i ~ /^-/) print $2, $i }')

t_case "the README's config is right but for what only the network knows"
mkdir -p "$T_TMP/m/weights"
echo x >"$T_TMP/m/weights/a"
sed -n '/^```yaml/,/^```$/p' README.md | grep -v '^```' >"$T_TMP/m/config.yaml"
t_run "$WBUILD" validate --offline "$T_TMP/m"
t_rc 0
t_match "$out" 'is valid'
t_eq "$(grep '^wbuild: warning: ' <<<"$err" | grep -vE '\[(unlisted-source|unpinned-revision)\]$')" '' \
	'warnings'

t_case 'the commands of the README are there to be run'
for script in examples/quickstart.sh tests/run.sh tests/bench/run.sh; do
	[ -x "$script" ] || t_fail "$script cannot be run"
done
