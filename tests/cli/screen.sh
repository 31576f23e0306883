#!/bin/bash
# The live view on a real terminal (tmux), at 80 and 200 columns and while the window changes: what
# stands on the screen is one frame, whole, and nothing is left behind of those before it.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../lib/sources.sh"

command -v tmux >/dev/null || {
	t_case 'a terminal'
	t_missing tmux
	exit
}
sources_hub || {
	t_case 'a hub'
	t_fail 'the hub stand-in does not start'
	exit
}
servers=0
export TERM=xterm-256color

# repository NAME BYTES: two weights files of that size in all, and two small ones.
repository() {
	yes "$1" | head -c $(($2 / 2)) >"$T_TMP/$1.1"
	yes "$1 too" | head -c $(($2 / 2)) >"$T_TMP/$1.2"
	curl -s -o /dev/null -X POST "$HUB_URL/-/commit" -d @- <<-END
		{"id": "org/$1", "files": {"config.json": {"text": "{\"name\": \"$1\"}"},
		"README.md": {"text": "$1"}, "model-00001-of-00002.safetensors": {"file": "$T_TMP/$1.1"},
		"a-name-that-is-longer-than-a-window-is-wide/and-then-some-more/$1.safetensors":
		{"file": "$T_TMP/$1.2"}}}
	END
}

# start COLUMNS ROWS [VARIABLE=VALUE...] -- COMMAND...: in a fresh terminal, between two marks.
start() {
	local columns=$1 rows=$2 variables=()

	shift 2
	while [ "$1" != -- ]; do
		variables+=("$1")
		shift
	done
	shift
	servers=$((servers + 1))
	T=(tmux -L "wbuild-screen-$$-$servers" -f /dev/null)
	t_at_end "${T[*]} kill-server 2>/dev/null"
	"${T[@]}" new-session -d -x "$columns" -y "$rows" -s s "cd '$T_TMP/m'; echo mark one;
		env -u CI HF_ENDPOINT=$HUB_URL ${variables[*]} $*; echo status \$?; exec sleep 1000"
}

# What is on the screen now, in $screen; the same with wrapped lines joined, in $joined.
look() {
	both=$("${T[@]}" capture-pane -p -t s \; display-message -p -t s joined: \; \
		capture-pane -p -J -t s | sed 's/ *$//')
	screen=$(sed '/^joined:$/,$d' <<<"$both")
	joined=$(sed '1,/^joined:$/d' <<<"$both")
}

# sees REGEX...: each of them in some line.
sees() {
	local one

	look
	for one in "$@"; do
		grep -Eq -- "$one" <<<"$screen" || return 1
	done
}

# hold BYTES: so much of the files comes in all, from now on; and so a build is not over before the
# test is.
hold() {
	curl -sSf --max-time 120 -o /dev/null "$HUB_URL/-/clear" -d '{}'
	curl -sSf --max-time 120 -o /dev/null "$HUB_URL/-/set" -d "{\"hold\": $1}"
}

widest() {
	awk '{ if (length > n) n = length } END { print n + 0 }' <<<"$1"
}

# What is wrong with the screen: it should hold the first mark and one frame, as wide as the window at
# most.
faults() {
	look
	[ "$joined" = "$screen" ] || echo "a wrapped line at $1 columns"
	[ "$(widest "$screen")" -le "$1" ] || echo "a line of more than $1 columns"
	grep -v '^$' <<<"$screen" | awk '
		NR == 1 && $0 != "mark one" { print "first line" }
		NR == 2 && !/^\[\+\] Building [0-9.m ]+s \([0-9]+\/[0-9]+\)$/ { print "second line" }
		NR > 2 && /^([^ ]| [^=])/ { print "a line of no frame" }
		/^ => resolve hf/ { resolved++ }
		/^ => fetch hf/ { fetched++ }
		/^ => pack/ { packed++ }
		END { if (resolved != 3 || fetched != 3 || packed != 1)
			print "sources resolved, fetched, pack lines: " resolved " " fetched " " packed }'
}

is_whole() {
	[ -z "$(faults "$1")" ]
}

# whole COLUMNS: a frame is drawn anew ten times a second, but a machine may take its time; what a
# frame leaves behind stays.
whole() {
	t_wait 60 is_whole "$1" && return
	look
	t_fail "$(faults "$1")" "$screen"
}

headline() {
	look
	grep -m 1 '^\[+\] Building' <<<"$screen"
}

differs() {
	[ "$(headline)" != "$1" ]
}

# resize COLUMNS ROWS: and the frame in it is drawn anew, and once more.
resize() {
	"${T[@]}" resize-window -t s -x "$1" -y "$2"
	for _ in 1 2; do
		t_wait 60 differs "$(headline)" || t_fail 'no other frame'
	done
	whole "$1"
}

mkdir "$T_TMP/m"
for name in one two three; do
	repository $name 2000000
done
cat >"$T_TMP/m/config.yaml" <<'END'
weights:
  - {source: "hf://org/one@main", mount_location: /models/one}
  - {source: "hf://org/two@main", mount_location: /models/two}
  - {source: "hf://org/three@main", mount_location: /models/three}
END
build=("$WBUILD" build --base scratch --limit-rate 1MB)

t_case 'three sources at 200 columns: bytes, rate and time left of each'
hold 5000000
start 200 40 -- "${build[@]}"
t_wait 120 sees '^ => resolve hf://org/one@main  4 files, 2\.0 MB  .* [0-9.]+s$' \
	'^ => => [0-9] of 4 files  [0-9.]+ [kM]B / [0-9.]+ MB  [0-9.]+ [kM]B/s  eta [0-9.]+s$' ||
	t_fail 'no estimate is shown' "$screen"
whole 200

t_case 'a window that shrinks to 80 columns, and grows again'
resize 80 40
resize 200 40
resize 80 24
resize 200 50

t_case 'the finished screen: one frame, the summary, what to type next'
hold null
t_wait 120 sees '^status' || t_fail 'not finished' "$screen"
all=$("${T[@]}" capture-pane -p -S - -t s | sed 's/ *$//' | grep -v '^$')
t_match "$screen" '^status 0$'
t_eq "$(grep -c '^\[+\] Building' <<<"$all")" 1 'frames'
t_match "$all" '^\[\+\] Building .* FINISHED$'
for name in one two three; do
	t_match "$all" "^ => fetch hf://org/$name@main  4 of 4 files +2\.0 MB +[0-9.]+s\$"
done
t_no_match "$all" '^ => =>|\? '
t_match "$all" '^wbuild: bundle: 12 files'
t_match "$all" '^wbuild: next: wbuild push oci:wbuild-image:latest REGISTRY/NAME:TAG$'
t_match "$all" '^sha256:[0-9a-f]{64}$'
t_le "$(widest "$all")" 80 'columns'

t_case 'a quick run draws nothing'
# Frames begin after half a second; on a busy machine not every run takes less.
for _ in {1..10}; do
	start 80 24 -- "$WBUILD" build --base scratch
	t_wait 120 sees '^status 0' || t_fail 'not finished' "$screen"
	took=$(sed -n 's/^wbuild: done in \(.*\)s$/\1/p' <<<"$screen")
	[ -n "$took" ] || t_fail 'it does not say how long it took' "$screen"
	sees '^\[\+\]' || break
	t_eq "$(awk -v t="$took" 'BEGIN { print t < 0.5 }')" 0 "a frame is drawn in $took s"
done
! sees '^\[\+\]' || t_skip 'no run is quick here'

t_case 'colours'
rm -rf "$WBUILD_CACHE_DIR" "$T_TMP/m/wbuild.lock"
hold 5000000
start 80 30 -- "${build[@]}" --limit-rate 3MB
t_wait 120 sees '^ => resolve hf://org/three' || t_fail 'no frame' "$screen"
t_match "$("${T[@]}" capture-pane -p -e -t s)" $'\e\\[34m'

t_case 'Ctrl-C stops it and says how to go on, below a frame that stays whole'
"${T[@]}" send-keys -t s C-c
t_wait 120 sees '^status' || t_fail 'it does not stop' "$screen"
t_match "$screen" '^status (1|130)$'
t_eq "$(grep -c '^\[+\] Building' <<<"$screen")" 1 'frames'
t_match "$screen" 'wbuild: .*(again|continue)'

t_eq "$(grep -v '^$' <<<"$screen" | sed -n 1,2p)" "$(printf 'mark one\nwbuild: stopping; a second signal ends it at once')" top

t_case 'NO_COLOR, in a window that is narrow from the start'
rm -rf "$WBUILD_CACHE_DIR" "$T_TMP/m/wbuild.lock"
hold 5000000
start 40 30 NO_COLOR=1 -- "${build[@]}"
t_wait 120 sees '^ => pack' || t_fail 'no frame' "$screen"
whole 40
t_no_match "$("${T[@]}" capture-pane -p -e -t s)" $'\e\\[[0-9]'
