# shellcheck shell=bash
# For tests of what strangers send: t_use hostile
#
#	hostile_start                            the servers of hostile.py; $H_MAIN $H_OTHER $H_TLS
#	hostile_opts KEY=JSON...                 for the tries that follow (seconds, mib, env)
#	try NAME 'RC...' REGEX COMMAND...        an input, tried by a command that is to end so
#	hostile_run WHAT                         runs what was tried since, as one case
#	hostile_end                              looks for leaks, prints the counts

H_FULL=${WBUILD_TEST_FULL:-}
H_SECRETS=()
h_list=$T_TMP/tries.jsonl
h_opts='{}' h_inputs=0 h_refused=0 h_accepted=0 h_wrong=0

hostile_start() {
	certificates "$T_TMP/tls"
	t_bg hostile python3 "$T_SRC/tests/servers/hostile.py" "$T_TMP/requests.jsonl" \
		"$T_TMP/tls/tls.pem" "$T_TMP/tls/tls.key"
	t_wait 120 grep -q '^ready' "$T_TMP/hostile.log" || { t_fail 'no server'; exit 0; }
	H_MAIN=$(sed -n 's/^main //p' "$T_TMP/hostile.log")
	H_OTHER=$(sed -n 's/^other //p' "$T_TMP/hostile.log")
	H_TLS=$(sed -n 's/^tls //p' "$T_TMP/hostile.log")
}

hostile_opts() {
	local pair

	h_opts='{}'
	for pair in "$@"; do
		h_opts=$(jq -c --arg k "${pair%%=*}" --argjson v "${pair#*=}" '.[$k] = $v' <<<"$h_opts")
	done
}

h_quote() {
	local s=$1

	s=${s//\\/\\\\}
	s=${s//\"/\\\"}
	h_quoted=\"$s\"
}

try() {
	local name=$1 rc=$2 match=$3 word argv=

	shift 3
	for word in "$@"; do
		h_quote "$word"
		argv+=${argv:+,}$h_quoted
	done
	h_quote "$match"
	match=$h_quoted
	h_quote "$name"
	printf '{"name":%s,"rc":[%s],"match":%s,"argv":[%s]%s}\n' "$h_quoted" "${rc// /,}" "$match" \
		"$argv" "$([ "$h_opts" = '{}' ] || printf ',%s' "${h_opts:1:-1}")" >>"$h_list"
}

hostile_run() {
	local line n=0 jobs=${H_JOBS:-4}

	[ -s "$h_list" ] || return 0
	t_case "$1 ($(wc -l <"$h_list") inputs)"
	while IFS= read -r line; do
		case $line in
		'ok 0 '*) n=$((n + 1)) h_accepted=$((h_accepted + 1)) ;;
		'ok '*) n=$((n + 1)) h_refused=$((h_refused + 1)) ;;
		'not ok '*)
			n=$((n + 1)) h_wrong=$((h_wrong + 1))
			t_fail "${line#not ok }"
			;;
		*) echo "$line" ;;
		esac
	done < <(python3 "$T_SRC/tests/lib/hostile_run.py" "$h_list" "$T_TMP/w" "$jobs" \
		"${H_SECRETS[@]}" 2>&1)
	t_eq "$n" "$(wc -l <"$h_list")" 'inputs that were tried'
	h_inputs=$((h_inputs + n))
	rm -f "$h_list"
}

hostile_end() {
	if [ -e "$T_TMP/requests.jsonl" ]; then
		t_case 'no credential reached another host'
		t_eq "$(jq -c 'select(.on == "other" and ((.secret | length) > 0 or .signed or
			(.body | test("pw-of-me|refresh_token"))) and
			(.path | startswith("/token/good") | not)) | [.method, .path]' \
			"$T_TMP/requests.jsonl")" ''
		# else there was nothing to leak
		t_match "$(jq -c 'select(.on != "other") | .secret' "$T_TMP/requests.jsonl" | sort -u)" \
			'"Authorization"'
	fi
	t_close_case
	echo "# counts hostile: $h_inputs inputs, $h_refused refused," \
		"$h_accepted harmless or honest and accepted, $h_wrong wrong"
}
