#!/bin/bash
# timeout: 2400
# Memory stays below 256 MiB while 4 GiB are packed, and does not grow with the model.
. "$(dirname "$0")/../lib.sh"
t_use images

# peak MODEL NAME [OPTION...]: builds it; the peak resident size in KiB is in $peak.
peak() {
	local m=$1 name=$2

	shift 2
	t_run /usr/bin/time -f 'peak=%M' "$WBUILD" build -q "$@" -t big:v1 \
		--cache-dir "$T_TMP/cache-$name" -o "type=oci,tar=false,dest=$T_TMP/image-$name" "$m"
	t_rc 0
	peak=$(sed -n 's/^peak=//p' <<<"$err")
	rm -rf "$T_TMP/cache-$name" "$T_TMP/image-$name"
	echo "# peak of $name: ${peak:-unknown} KiB"
	peak=${peak:-99999999}
}

make() {
	mkdir -p "$1/weights"
	echo 'weights: [{source: "file://weights", mount_location: /w}]' >"$1/config.yaml"
}

t_case '4 GiB in five files that do not shrink'
make "$T_TMP/large"
seeded big $((2 << 30)) >"$T_TMP/large/weights/0.bin"
for i in 1 2 3 4; do
	seeded "big$i" $((512 << 20)) >"$T_TMP/large/weights/$i.bin"
done
peak "$T_TMP/large" large
t_le "$peak" $((256 << 10)) 'KiB of memory'

t_case 'the same with eight jobs'
peak "$T_TMP/large" large -j 8
t_le "$peak" $((256 << 10)) 'KiB of memory'
rm -rf "$T_TMP/large"

t_case '2 GiB that shrink, in one file'
make "$T_TMP/text"
# Half random letters, half repetition: what a real compressor has work with.
seeded text $((512 << 20)) | base64 -w 0 | head -c $((1 << 29)) >"$T_TMP/piece"
for i in 1 2 3 4; do cat "$T_TMP/piece"; done >"$T_TMP/text/weights/model.txt"
peak "$T_TMP/text" text
t_le "$peak" $((256 << 10)) 'KiB of memory'
rm -rf "$T_TMP/text" "$T_TMP/piece"

t_case '20,000 small files'
make "$T_TMP/many"
python3 - "$T_TMP/many/weights" <<'END'
import os, sys
for i in range(20000):
    d = os.path.join(sys.argv[1], f"{i % 100:02d}")
    os.makedirs(d, exist_ok=True)
    with open(os.path.join(d, f"item-{i}.json"), "w") as f:
        f.write('{"id": %d}\n' % i * (i % 50 + 1))
END
peak "$T_TMP/many" many
t_le "$peak" $((256 << 10)) 'KiB of memory'
