#!/bin/bash
# Help, man page and completions name the same commands and options, and those are what the program
# takes.
. "$(dirname "$0")/../lib.sh"

man=$T_SRC/docs/man/wbuild.1.scd
commands=$("$WBUILD" help | sed -n 's/^  \([a-z]\{1,\}\)  .*/\1/p')

# options COMMAND: its long options, by its help.
options() {
	"$WBUILD" help "$1" | grep -oE '^  (-.,|   ) --[a-z-]+' | grep -oE -- '--[a-z-]+'
}

t_case 'every command of the help has help of its own'
t_match "$commands" '^build$'
for command in $commands; do
	t_run "$WBUILD" help "$command"
	t_rc 0
	t_match "$out" "^Usage: wbuild $command"
	help=$out
	t_run "$WBUILD" "$command" --help
	t_rc 0
	t_eq "$out" "$help" "$command --help"
done

t_case 'the man page has every command, and no other'
# shellcheck disable=SC2016
listed=$(sed -n '/^# COMMANDS/,/^# OPTIONS/p' "$man" | grep -oE '^\*.*' | grep -oE '[a-z]+')
t_eq "$(sort <<<"$listed")" "$(sort <<<"$commands")" 'commands'

t_case 'the man page has every option, and no other'
all=$(for command in $commands; do options "$command"; done | sort -u)
listed=$(sed -n '/^# OPTIONS/,/^# SECRETS/p' "$man" | grep -E '^\*' | grep -oE -- '--[a-z-]+' | sort -u)
t_eq "$listed" "$all" 'options'

t_case 'every command has a page of its own, with the options it takes and no other'
for command in $commands; do
	case $command in help | version) continue ;; esac
	page=$T_SRC/docs/man/wbuild-$command.1.scd
	if [ ! -e "$page" ]; then
		t_fail "no $page"
		continue
	fi
	out=$(sh "$T_SRC/cmake/man_options.sh" "$WBUILD" "$command" <"$page")
	t_eq "$(sed -n '/^# OPTIONS/,/^# /p' <<<"$out" | grep -E '^\*-' | grep -oE -- '--[a-z-]+' | sort)" \
		"$(options "$command" | sort)" "options of $command"
	# every option has a text, and what prose mentions is an option of some command
	t_no_match "$(sed -n '/^# OPTIONS/,/^# EXIT/p' <<<"$out" | grep -A1 '^\*-')" $'^\t\\.?$'
	if command -v scdoc >/dev/null; then
		t_ok sh -c 'scdoc >/dev/null' <<<"$out"
	fi
done

t_case 'documentation names no option that does not exist'
all=$(for command in $commands; do options "$command"; done | sort -u)
for option in $(cat "$T_SRC"/docs/man/wbuild-*.1.scd "$T_SRC"/docs/lints/*.md "$T_SRC"/docs/*.md |
	grep -oE '(wbuild [a-z]+ [^|`]*)' | grep -oE -- '(^| )--[a-z-]+' | sort -u); do
	t_match "$all" "^$option\$"
done

t_case 'completions have every command and option, for each shell'
for shell in bash zsh fish; do
	t_run "$WBUILD" completion "$shell"
	t_rc 0
	for command in $commands; do
		t_match "$out" "\\b$command\\b"
	done
	for option in $all; do
		t_match "$out" "\\b${option#--}\\b"
	done
done

t_case 'each shell takes its script'
for shell in bash zsh fish; do
	if command -v $shell >/dev/null; then
		"$WBUILD" completion $shell >"$T_TMP/completion"
		t_ok $shell -n "$T_TMP/completion"
	fi
done

t_case 'bash really completes them'
# What bash offers for the words given; the last one is being typed.
complete_bash() {
	bash -c 'source <("$1" completion bash); shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
		COMP_LINE=$* COMP_POINT=${#COMP_LINE}
		_wbuild; printf "%s\n" "${COMPREPLY[@]}"' bash "$WBUILD" "$@"
}
t_match "$(complete_bash wbuild b)" '^build$'
t_eq "$(complete_bash wbuild build --compression g)" gzip 'a value'
for command in $commands; do
	t_eq "$(complete_bash wbuild "$command" -- | sort)" "$(options "$command" | sort)" \
		"options of $command"
done

t_case 'mistakes on the command line exit 2, in two lines at most, on stderr alone'
while read -r line; do
	# shellcheck disable=SC2086
	t_run "$WBUILD" $line
	t_rc 2
	t_eq "$out" '' "stdout of $line"
	t_match "$err" '^wbuild: error: '
	t_no_match "$err" '^wbuild: error: [A-Z]|^wbuild: error: .*\.$'
	t_le "$(wc -l <<<"$err")" 2 'lines'
done <<'END'

nosuch
bild
build --nosuch
build --compression brotli
build a b
build --jobs
build --jobs many
build --output type=nosuch
inspect
help nosuch
completion tcsh
cache nosuch
END

t_case 'version and help go to stdout, with exit status 0'
for line in version --version help --help -h 'version -v'; do
	# shellcheck disable=SC2086
	t_run "$WBUILD" $line
	t_rc 0
	t_eq "$err" '' "stderr of $line"
done

t_case 'a full stdout is an error, not silence'
t_run sh -c '"$1" help >/dev/full' sh "$WBUILD"
t_rc 1
