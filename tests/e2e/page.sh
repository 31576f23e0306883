#!/bin/bash
# timeout: 900
# The page of wbuild inspect --html: the numbers of the JSON, nothing from elsewhere, and no fault
# that an accessibility checker (axe-core, in headless Chromium) finds, in light and in dark, wide
# and narrow.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../lib/images.sh"

m=$T_TMP/m
mkdir -p "$m/data" "$m/w/deep" "$m/same"
for i in 1 2 3; do
	seeded "w$i" $((i * 700000)) >"$m/w/model-0000$i-of-00003.safetensors"
done
seeded t 90000 >"$m/w/tokenizer.json"
seeded o 60000 >"$m/w/optimizer.pt"
echo '{}' >"$m/w/config.json"
echo x >"$m/w/deep/<script>alert(1) & 'b' \"q\" ü.txt"
: >"$m/w/empty"
cp "$m/w/tokenizer.json" "$m/same/"
ln -s tokenizer.json "$m/same/link.json"
for i in $(seq 60); do
	seeded "d$i" $((i * 300)) >"$m/data/part-$i.bin"
done
cat >"$m/config.yaml" <<'END'
weights:
  - source: ./w
    mount_location: /models/w
  - source: ./same
    mount_location: /models/same
END
t_case 'an image for two platforms, as JSON and as a page'
mkbase "$T_TMP/base" b --arch amd64,arm64 --empty --file /etc/base=here >"$T_TMP/base.digest"
t_ok "$WBUILD" build -q --base "oci:$T_TMP/base:b" -o "type=oci,tar=false,dest=$T_TMP/image" "$m"
"$WBUILD" inspect --format json "oci:$T_TMP/image" >"$T_TMP/report.json"
t_run "$WBUILD" inspect --html "$T_TMP/page.html" "oci:$T_TMP/image"
t_rc 0
t_eq "$out" '' stdout
t_match "$err" "wrote .*page.html"

t_case 'the numbers of the page are those of the JSON, and it is whole by itself'
t_run python3 "$T_SRC/tests/lib/pagenumbers.py" "$T_TMP/page.html"
t_rc 0
t_eq "$out" "$(python3 "$T_SRC/tests/lib/pagenumbers.py" --report "$T_TMP/report.json")" numbers
t_eq "$(jq '[.[].files | length] | add' <<<"$out")" 140 'files and links of both platforms'
t_eq "$(jq -c '.images[0].totals | [.files, .links, .bytes - .uniqueBytes]' "$T_TMP/report.json")" \
	'[69,1,90000]' 'files, links, and bytes that are there twice'
t_eq "$(jq -c '[.images[0].layers[] | .holds]' "$T_TMP/report.json" | tr -d '"')" \
	"$(jq -c '[.images[1].layers[] | .holds]' "$T_TMP/report.json" | tr -d '"')" 'layers of both'
t_match "$(jq -r '.images[0].layers[] | .holds + " " + (.platforms | tostring)' "$T_TMP/report.json")" \
	'^base 2$'
t_ok grep -q "Content-Security-Policy\" content=\"default-src 'none'" "$T_TMP/page.html"

t_case 'an image that wbuild did not make has a page too'
t_ok "$WBUILD" inspect --html "$T_TMP/base.html" "oci:$T_TMP/base:b"
t_ok python3 "$T_SRC/tests/lib/pagenumbers.py" "$T_TMP/base.html"

t_case 'a page that cannot be written is an error'
t_run "$WBUILD" inspect --html "$T_TMP/no/where.html" "oci:$T_TMP/image"
t_rc 1
t_match "$err" 'error: --html: '

axe=$(t_peer axe-core) && chromium=$(command -v chromium-headless-shell || command -v chromium) || {
	t_case 'accessibility'
	t_missing 'axe-core or Chromium'
	exit
}

# The page with the checker in it; its findings become the document's title. Links of the map are
# to take the focus and lead to a line, and nothing is to stick out at the side.
{
	sed -e '/Content-Security-Policy/d' -e '/<\/body>/,$d' "$T_TMP/page.html"
	printf '<script>'
	cat "$axe"
	cat <<'END'
</script><script>
axe.run().then(r => {
	const stuck = [...document.querySelectorAll('.map a')].filter(a => {
		a.focus();
		return document.activeElement !== a || !document.querySelector(a.getAttribute('href'));
	});
	document.title = JSON.stringify({
		violations: r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 90))[0]),
		unsure: r.incomplete.map(v => v.id),
		passes: r.passes.map(v => v.id),
		links: document.querySelectorAll('.map a').length, stuck: stuck.length,
		sticksOut: document.documentElement.scrollWidth - window.innerWidth,
		back: getComputedStyle(document.body).backgroundColor});
});
</script></body></html>
END
} >"$T_TMP/checked.html"

# check WIDTH SCHEME: the findings, as JSON. (SCHEME is Blink's: 0 dark, 1 light.)
check() {
	timeout 280 "$chromium" --no-sandbox --disable-gpu --hide-scrollbars \
		--window-size="$1,900" --blink-settings=preferredColorScheme="$2" \
		--virtual-time-budget=60000 --dump-dom "file://$T_TMP/checked.html" 2>/dev/null |
		sed -n 's/.*<title>\({.*}\)<\/title>.*/\1/p' |
		sed 's/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g'
}

while read -r width scheme name back; do
	t_case "no accessibility fault: $name, $width pixels wide"
	found=$(check "$width" "$scheme")
	t_eq "$(jq -r '.violations[]' <<<"$found")" '' violations
	t_match "$(jq -r '.passes[]' <<<"$found")" '^color-contrast$'
	t_eq "$(jq -r .back <<<"$found")" "$back" 'background'
	t_eq "$(jq -c '[.links, .stuck]' <<<"$found")" '[80,0]' 'links of the maps, and dead ones'
	t_le "$(jq .sticksOut <<<"$found")" 0 'pixels that stick out'
done <<'END'
1200 1 light rgb(255, 255, 255)
1200 0 dark rgb(20, 22, 26)
500 1 light rgb(255, 255, 255)
END
