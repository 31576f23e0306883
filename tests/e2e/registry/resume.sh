#!/bin/bash
# timeout: 900
# A push that survives: killed processes, cut connections, registries that lie.
. "$(dirname "$0")/../../lib.sh"
t_use registries

size=${WBUILD_TEST_LAYER:-268435456}
img=$T_TMP/img
t_case 'a layer to push'
t_ok image_of "$img" big "$size"
digest=$(jq -r '.manifests[0].digest' "$img/index.json")

if ! registry_start reg; then
	t_case distribution
	t_missing registry
	exit
fi
proxy_start "$reg_port"

# A fresh proxy (its counts at 0) and a store that has learned nothing.
again() {
	kill "$t_bg_pid"
	wait "$t_bg_pid" 2>/dev/null
	rm -rf "$WBUILD_CACHE_DIR" "$T_TMP/stats.json"
	proxy_start "$reg_port"
}

# In units of a thousandth of the layer.
share_sent() {
	echo $(($(sent_bytes) * 1000 / size))
}

push() {
	t_run "$WBUILD" push "oci:$img" "127.0.0.1:$proxy_port/$1:t"
}

arrived() {
	t_rc 0
	t_eq "$out" "$digest"
	t_run "$WBUILD" verify "docker://127.0.0.1:$reg_port/$1:t"
	t_rc 0
}

t_case 'without faults everything goes out once'
push plain
arrived plain
t_le "$(share_sent)" 1005 'sent, in thousandths of the layer'

t_case 'killed again and again, it sends less than 1.3 times the layer'
again
kills=0
RANDOM=7
while :; do
	before=$(sent_bytes)
	# killed once some 4 % to 20 % of the layer have gone out; never much later, because the proxy
	# holds back what follows
	want=$((before + size / 100 * (4 + RANDOM % 17)))
	faults "{\"hold\": $((want + size / 32))}"
	# slow enough for the kills to hit it in the middle, on a fast machine too
	"$WBUILD" push --jobs 1 --limit-rate 60MB "oci:$img" "127.0.0.1:$proxy_port/killed:t" \
		>"$T_TMP/.out" 2>"$T_TMP/.err" &
	pid=$!
	while kill -0 "$pid" 2>/dev/null && [ "$(sent_bytes)" -lt "$want" ]; do
		sleep 0.02
	done
	if kill -KILL "$pid" 2>/dev/null; then
		kills=$((kills + 1))
	fi
	if wait "$pid" 2>/dev/null; then
		break
	fi
	[ $kills -lt 60 ] || break
done
rc=0 out=$(<"$T_TMP/.out") err=$(<"$T_TMP/.err") t_cmd='push, killed'
t_note "$kills kills, $(share_sent) thousandths of the layer sent"
[ $kills -ge 3 ] || t_fail "only $kills kills"
arrived killed
t_le "$(share_sent)" 1300 'sent, in thousandths of the layer'

t_case 'connections that are cut again and again'
again
faults "{\"cut_after\": $((size / 7))}"
push cut
arrived cut
t_le "$(share_sent)" 1300 'sent, in thousandths of the layer'
[ "$(stat_of cuts)" -ge 4 ] || t_fail "only $(stat_of cuts) cuts"

t_case 'connections that are cut after a time'
again
faults '{"cut_seconds": 0.3, "cut_times": 4}'
push slow
arrived slow
t_le "$(share_sent)" 1400 'sent, in thousandths of the layer'

t_case 'a registry that names the wrong Range'
again
faults '{"lie_range": true}'
push lies
arrived lies
t_le "$(share_sent)" 1005 'sent, in thousandths of the layer'

t_case 'a registry that names the wrong Range, and a cut'
again
faults "{\"lie_range\": true, \"cut_after\": $((size / 8)), \"cut_times\": 1}"
push lies-cut
arrived lies-cut
t_le "$(share_sent)" 2100 'sent, in thousandths of the layer'

t_case 'a registry without PATCH'
again
faults '{"refuse": ["PATCH", 405]}'
push nopatch
arrived nopatch
t_le "$(share_sent)" 1300 'sent, in thousandths of the layer'
t_eq "$(stat_of refused)" 1 'chunks tried'

t_case 'what was learned is remembered by the next process'
push nopatch2
t_rc 0
t_eq "$(stat_of refused)" 1 'chunks tried'

t_case 'a registry that takes small chunks only (416), as GHCR'
again
faults '{"patch_max": 4194304}'
push small
arrived small

t_case 'a proxy before the registry that limits bodies (413)'
again
faults '{"body_max": 20000000}'
push limited
arrived limited

t_case 'a registry that answers 201 to the first chunk, as ECR'
again
faults '{"early_201": true}'
push early
arrived early
t_le "$(share_sent)" 1300 'sent, in thousandths of the layer'

t_case 'a registry that answers 201 in the middle of a PUT'
again
faults '{"early_put": 2, "refuse": ["PATCH", 405]}'
push early-put
arrived early-put
t_eq "$(stat_of early)" 2 'early answers'
t_le "$(share_sent)" 2100 'sent, in thousandths of the layer'

t_case 'one that never does otherwise ends with one line'
again
faults '{"early_put": 1000, "refuse": ["PATCH", 405]}'
t_ok image_of "$T_TMP/medium" medium 40000000
t_run "$WBUILD" push "oci:$T_TMP/medium" "127.0.0.1:$proxy_port/early-always:t"
t_rc 1
one_line_error "$err" || t_fail "not one error line: $err"
t_match "$err" 'error: .*answered 201 when .* were sent, and does not have the blob'
t_le "$(stat_of 'requests PUT')" 10 'tries'

t_case 'a registry that loses the session when it is cut'
again
faults "{\"cut_after\": $((size / 16)), \"cut_times\": 1, \"lose_session\": true}"
push lost
arrived lost
t_le "$(share_sent)" 1200 'sent, in thousandths of the layer'

t_case 'a whole PUT that is always cut ends with one line that says so'
again
faults '{"refuse": ["PATCH", 405], "cut_seconds": 1.5}'
t_run "$WBUILD" push --limit-rate 160MB "oci:$img" "127.0.0.1:$proxy_port/never:t"
t_rc 1
one_line_error "$err" || t_fail "not one error line: $err"
t_match "$err" 'error: .*(connection|reset|broke|Send|Recv)'
t_match "$err" 'hint: requests were cut off after'
t_le "$(stat_of 'requests PUT')" 8 'tries'

t_case 'reading goes on where it broke off'
again
faults "{\"cut_down\": $((size / 5)), \"cut_times\": 4}"
t_run "$WBUILD" pull "127.0.0.1:$proxy_port/plain:t" "oci:$T_TMP/pulled:t"
t_rc 0
t_eq "$out" "$digest"
t_le "$(($(stat_of 'bytes down') * 1000 / size))" 1300 'received, in thousandths of the layer'
