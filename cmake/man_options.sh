#!/bin/sh
# man_options.sh WBUILD COMMAND <PAGE.scd: the page with its line "@OPTIONS@" replaced by the options
# of COMMAND, from the program's own help.
set -eu
options=$("$1" help "$2" | awk '
	function plain(s) {
		gsub(/\\/, "\\\\", s); gsub(/\*/, "\\*", s); gsub(/_/, "\\_", s)
		return s
	}
	function flush_option() {
		if (head == "")
			return
		n = split(head, word, " ")
		line = ""
		for (i = 1; i <= n; i++) {
			comma = sub(/,$/, "", word[i])
			mark = word[i] ~ /^-/ || word[i] ~ /\|/ ? "*" : "_"
			line = line (i > 1 ? " " : "") mark plain(word[i]) mark (comma ? "," : "")
		}
		print line "\n\t" plain(text) ".\n"
		head = ""
	}
	/^Options:/ { on = 1; next }
	on && /^  (-.,|   ) --/ {
		flush_option()
		head = $0; text = ""
		if (match($0, /[^ ]  +[^ -]/)) {
			at = RSTART + RLENGTH - 1
			if (at > 30) { text = substr($0, at); head = substr($0, 1, RSTART) }
		}
		sub(/^ +/, "", head)
		next
	}
	on && /^                    / { sub(/^ +/, ""); text = text (text == "" ? "" : " ") $0 }
	END { flush_option() }')
while IFS= read -r line; do
	if [ "$line" = @OPTIONS@ ]; then
		printf '%s\n' "$options"
	else
		printf '%s\n' "$line"
	fi
done
