#!/bin/bash
# The examples in docs/ that are marked with "<!-- run -->" print what they say.
. "$(dirname "$0")/../lib.sh"

mkdir -p "$T_TMP/bin"
ln -s "$WBUILD" "$T_TMP/bin/wbuild"
export PATH=$T_TMP/bin:$PATH

# Runs the blocks of a page in one folder; prints what differs. "..." as a line stands for any
# lines, within a line for any text; a line's leading spaces do not count.
run_page() {
	python3 - "$1" <<'END'
import re, subprocess, sys
page = open(sys.argv[1], encoding="utf-8").read()
blocks = re.findall(r"<!-- run -->\n```console\n(.*?)```", page, re.S)
commands, bad = [], 0
for block in blocks:
    for line in block.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        else:
            commands[-1][1].append(line)
for command, want in commands:
    p = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True,
                       text=True, timeout=120)
    if p.returncode:
        print(f"$ {command}\nexit status {p.returncode}\n{p.stderr}")
        sys.exit(1)
    pattern = "".join(r"(?:.*\n)*?" if w.strip() == "..." else
                      r"[ \t]*" + r".*".join(re.escape(x) for x in w.strip().split("...")) + r"\n"
                      for w in want)
    if not re.fullmatch(pattern, p.stdout):
        bad = 1
        print(f"$ {command}\n--- wanted\n" + "\n".join(want) + f"\n--- got\n{p.stdout}")
print(f"{len(commands)} commands", file=sys.stderr)
sys.exit(bad or not commands)
END
}

for page in $(grep -l '^<!-- run -->$' "$T_SRC"/docs/*.md); do
	t_case "the examples of ${page#"$T_SRC/"}"
	rm -rf "$T_TMP/w"
	mkdir "$T_TMP/w"
	cd "$T_TMP/w" || exit
	t_run run_page "$page"
	t_rc 0
done

t_case 'links between pages lead somewhere'
cd "$T_SRC/docs" || exit
for page in *.md lints/*.md; do
	for link in $(grep -oE '\]\([^)#]+' "$page" | cut -c3- | grep -v '://'); do
		[ -e "$(dirname "$page")/$link" ] || t_fail "$page: $link is not there"
	done
done

t_case 'error messages in troubleshooting.md are in the source'
sed -n 's/^### `\(.*\)`$/\1/p' troubleshooting.md >"$T_TMP/messages"
t_ok test -s "$T_TMP/messages"
while read -r message; do
	# the longest part without a placeholder
	part=$(sed 's/\.\.\./\n/g' <<<"$message" | awk '{ if (length($0) > length(b)) b = $0 } END { print b }' |
		sed 's/^ *//; s/ *$//')
	find "$T_SRC"/base "$T_SRC"/oci "$T_SRC"/layers "$T_SRC"/builder -name '*.c' -print0 |
		xargs -0 cat | tr -d '\n' | sed 's/"[[:space:]]*"//g; s/\\"/"/g' | grep -qF -- "$part" ||
		t_fail "no source has \"$part\""
done <"$T_TMP/messages"
