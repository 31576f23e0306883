# shellcheck shell=bash
# What tests/fault/{inject,power_loss}.sh share: t_use images, trees, sources; t_use faults

FAULTS=${WBUILD%/*}/tests/faults
export FAULTS WBUILD INIT INJECT_DIR=$T_TMP/inject

# Can system calls be traced here? A case of its own.
faults_here() {
	t_case 'system calls can be traced here'
	if [ "$(uname -m)" != x86_64 ]; then
		t_skip 'the tracer knows the registers of x86-64 only'
		return 1
	fi
	t_run env LC_ALL=C "$FAULTS" fail read 1 EIO 120 "$T_TMP/report" cat /dev/null
	t_rc 1
	t_match "$(<"$T_TMP/report")" '^hit read EIO /dev/null$'
	[ -z "$t_failed" ]
}

# faults_model DIR: a file of more than one piece, a copy of it, one that shrinks, small ones.
faults_model() {
	mkdir -p "$1/data/sub"
	seeded inject 1300000 >"$1/data/big.bin"
	cp "$1/data/big.bin" "$1/data/sub/copy.bin"
	yes 'the same words again' | head -c 300000 >"$1/data/words.txt"
	printf '{"a": 1}\n' >"$1/data/sub/settings.json"
	ln -s sub/settings.json "$1/data/link.json"
	: >"$1/data/empty"
	echo 'model_name: small' >"$1/config.yaml"
}

# The hub with a model of two large files that are the same and two small ones; $HUB is a folder
# with a config that names it.
faults_hub() {
	sources_start hub || t_missing 'the hub'
	mkdir -p "$T_TMP/repo" "$T_TMP/hub"
	seeded part 1500000 >"$T_TMP/repo/model.safetensors"
	cp "$T_TMP/repo/model.safetensors" "$T_TMP/repo/again.safetensors"
	seeded small 40000 >"$T_TMP/repo/vocab.txt"
	echo '{}' >"$T_TMP/repo/config.json"
	t_ok hub_commit org/model "$T_TMP/repo"
	printf '%s\n' 'model_name: hub' 'weights:' '  - source: hf://org/model@main' \
		'    mount_location: /app/models/m' >"$T_TMP/hub/config.yaml"
	export HUB=$T_TMP/hub
}

# faults_run PROGRAM NAME...: a case for each of the program's scenarios ($SCENARIOS: for these);
# the sums of what it counts under these names are in $counts.
faults_run() {
	local program=$T_SRC/tests/fault/$1 scenario i

	shift
	counts=()
	for scenario in ${SCENARIOS:-$(python3 "$program" --list)}; do
		t_case "$scenario"
		t_run python3 "$program" "$scenario"
		if [[ $err = SKIP* ]]; then
			t_skip "${err#SKIP }"
			continue
		fi
		[ "$rc" = 0 ] || t_fail "$(head -c 20000 <<<"$out")" "$err"
		out=$(tail -n 1 <<<"$out" | grep '^{' || echo '{}')
		echo "# $scenario: $out"
		for ((i = 1; i <= $#; i++)); do
			counts[i - 1]=$((counts[i - 1] + $(jq --arg n "${!i}" '.[$n] // 0' <<<"$out")))
		done
	done
}
