#!/bin/bash
# timeout: 900
# What the documents say holds: links lead somewhere, commands and options exist, the config examples
# are good ones, and the README can be followed from its first command to its last.
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

# yaml_block N: of the README
yaml_block() {
	awk -v n="$1" '/^```/ { inside = !inside && $0 == "```yaml" && ++k == n; next } inside' README.md
}

t_case "the README's sources are right but for what only the network knows"
mkdir -p "$T_TMP/m/weights" "$T_TMP/minilm"
echo x >"$T_TMP/m/weights/a"
yaml_block 1 >"$T_TMP/minilm/config.yaml"
yaml_block 2 >"$T_TMP/m/config.yaml"
t_match "$(cat "$T_TMP/m/config.yaml")" 'azure://'
t_run "$WBUILD" validate --offline "$T_TMP/m"
t_rc 0
t_match "$out" 'is valid'
t_eq "$(grep '^wbuild: warning: ' <<<"$err" | grep -vE '\[(unlisted-source|unpinned-revision)\]$')" '' \
	'warnings'

# As a new user would: every command of the README in its order, one after another, with a fresh
# home and the programs that it installs. Stand-ins: the hub and the registry are on loopback, and
# what is installed goes below DESTDIR, without sudo.
. "$T_SRC/tests/lib/sources.sh"
. "$T_SRC/tests/lib/registries.sh"
sources_hub && registry_start reg || {
	t_case 'servers'
	t_missing 'the hub stand-in or a registry'
	exit
}
curl -s -o /dev/null -X POST "$HUB_URL/-/commit" -d '{"id": "sentence-transformers/all-MiniLM-L6-v2",
	"files": {"config.json": {"text": "{}"}, "vocab.txt": {"text": "a"}, "README.md": {"text": "x"},
	"model.safetensors": {"base64": "AgAAAAAAAAB7fQ=="}, "onnx/model.onnx": {"zeros": 1000}}}'
# shellcheck disable=SC2016
printf '#!/bin/sh\nexec "$@"\n' >"$T_TMP/sudo"
chmod +x "$T_TMP/sudo"

t_case 'every command of the README works as it is printed, in that order'
n=0
while read -r command; do
	case $command in
	wbuild*) dir=$T_TMP/minilm ;;
	tests/run.sh*) continue ;; # that is what runs this
	*) dir=$T_SRC ;;
	esac
	n=$((n + 1))
	# shellcheck disable=SC2016
	t_run env -i -C "$dir" HOME="$HOME" HF_ENDPOINT="$HUB_URL" DESTDIR="$T_TMP/root" \
		PATH="$T_TMP/root/usr/local/bin:$T_TMP/root/usr/bin:$T_TMP:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
		bash -c "${command//registry.example.com/127.0.0.1:$reg_port}"
	t_rc 0
	t_no_match "$err" 'wbuild: (warning|error):.*(unknown|deprecated)|Traceback'
done < <(awk '/^```/ { inside = !inside && $0 == "```sh"; next } inside && NF && !/^#/' README.md)
t_eq "$n" "11" 'commands'
t_ok skopeo inspect --tls-verify=false "docker://127.0.0.1:$reg_port/me/model:v1"
t_ok test -s "$T_TMP/minilm/model.html"
t_eq "$(jq -r '.sources[0].files | map(.path) | join(" ")' "$T_TMP/minilm/wbuild.lock")" \
	'config.json model.safetensors vocab.txt' 'files in the lockfile'

t_case 'the commands of the README are there to be run'
for script in examples/quickstart.sh tests/run.sh tests/bench/run.sh; do
	[ -x "$script" ] || t_fail "$script cannot be run"
done
