#!/bin/bash
# timeout: 2400
# The work that a build does, counted: bytes read and written, bytes hashed, allocations,
# instructions. Counts do not depend on how busy the machine is, so CI can fail on them. The limits
# are what the program needed when they were written, and a tenth.
. "$(dirname "$0")/../lib.sh"
t_use images
t_use trees

m=$T_TMP/model
model_small "$m"
for i in 1 2 3 4; do seeded "bench$i" 12000000 >"$m/weights/part-$i.safetensors"; done
for i in 1 2; do seeded "text$i" 3000000 | base64 -w 100 >"$m/weights/vocab-$i.json"; done
cp "$m/weights/part-1.safetensors" "$m/weights/part-1-again.safetensors"
mkdir "$m/data/many"
for i in {1..1000}; do echo "{\"file\": $i}" >"$m/data/many/$i.json"; done
unique=$(find "$m" -type f ! -name '*again*' ! -name 'copy*' ! -name 'hard*' -printf '%s\n' |
	awk '{ n += $1 } END { print n }')

# counted COMMAND...: runs it; $read and $written are the bytes that went through its calls.
counted() {
	t_run python3 -c '
import subprocess, sys
before = dict(l.split(": ") for l in open("/proc/self/io").read().splitlines())
rc = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
after = dict(l.split(": ") for l in open("/proc/self/io").read().splitlines())
print(rc, int(after["rchar"]) - int(before["rchar"]), int(after["wchar"]) - int(before["wchar"]))
' "$@"
	read -r rc read written <<<"$out"
	t_rc 0
}

build=("$WBUILD" build -q --no-stub --cache-dir "$T_TMP/cache" -t m:v1
	-o "type=oci,tar=false,dest=$T_TMP/image" "$m")

# at_most PERCENT OF WHAT-IT-IS NUMBER
at_most() {
	t_le "$4" $(($2 * $1 / 100)) "$3 (limit: $1 % of $2)"
}

t_case 'packing reads each byte once, and equal files to compare them'
counted "${build[@]}"
size=$(du -sb "$T_TMP/image" | cut -f 1)
echo "# unique input $unique, image $size; read $read, written $written"
at_most 180 "$unique" 'bytes read' "$read"

t_case 'packing writes each byte of the result once'
at_most 110 "$size" 'bytes written' "$written"

t_case 'an unchanged rebuild reads and writes next to nothing'
counted "${build[@]}"
echo "# read $read, written $written"
t_le "$read" 2000000 'bytes read'
t_le "$written" 100000 'bytes written'

t_case 'a changed small file costs its own layer'
echo changed >"$m/data/settings.json"
counted "${build[@]}"
echo "# read $read, written $written"
t_le "$read" 4000000 'bytes read'
t_le "$written" 1000000 'bytes written'

# instructions COMMAND...: how many the command executes, in $instructions.
instructions() {
	t_run valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@"
	t_rc 0
	instructions=$(sed -n 's/^.*Collected : \([0-9]*\)$/\1/p' <<<"$err")
	instructions=${instructions:-999999999999}
}

# A tree of N small files.
many() {
	mkdir -p "$1/data"
	echo 'model_name: many' >"$1/config.yaml"
	seq "$2" | (cd "$1/data" && split -l 1 -a 5 - item-)
}

t_case 'planning small files takes time linear in their number'
many "$T_TMP/many1" 500
many "$T_TMP/many4" 2000
instructions "$WBUILD" plan --cache-dir "$T_TMP/cache-many" "$T_TMP/many1"
one=$instructions
instructions "$WBUILD" plan --cache-dir "$T_TMP/cache-many" "$T_TMP/many4"
echo "# instructions: $one for 500 files, $instructions for 2000"
t_le "$instructions" $((one * 45 / 10)) 'instructions for four times the files'

t_case 'packing small files takes time linear in their number'
instructions "$WBUILD" build -q --no-stub -j 1 --cache-dir "$T_TMP/cache-many1" \
	-o "type=oci,tar=false,dest=$T_TMP/image-many1" "$T_TMP/many1"
one=$instructions
instructions "$WBUILD" build -q --no-stub -j 1 --cache-dir "$T_TMP/cache-many4" \
	-o "type=oci,tar=false,dest=$T_TMP/image-many4" "$T_TMP/many4"
echo "# instructions: $one for 500 files, $instructions for 2000"
t_le "$instructions" $((one * 45 / 10)) 'instructions for four times the files'

# A tree of one file of N MB that nothing makes smaller.
noise() {
	mkdir -p "$1/data"
	echo 'model_name: noise' >"$1/config.yaml"
	seeded noise "${2}000000" >"$1/data/model.bin"
}

# valgrind hides the processor's SHA instructions, so OpenSSL does the work in both programs and
# the instructions for eight more megabytes are passes of SHA-256, whatever the machine.
t_case 'a byte is hashed three times: its file, the layer plain and compressed'
noise "$T_TMP/noise8" 8
noise "$T_TMP/noise16" 16
for mb in 8 16; do
	instructions openssl dgst -sha256 "$T_TMP/noise$mb/data/model.bin"
	declare "pass$mb=$instructions"
	instructions "$WBUILD" build -q --no-stub -j 1 --cache-dir "$T_TMP/cache-noise$mb" \
		-o "type=oci,tar=false,dest=$T_TMP/image-noise$mb" "$T_TMP/noise$mb"
	declare "build$mb=$instructions"
done
passes=$(((build16 - build8) * 100 / (pass16 - pass8)))
echo "# $passes hundredths of a pass of SHA-256"
t_le "$passes" 320 'hundredths of a pass over each byte'

# allocations COMMAND...: how many blocks the command asked of the heap, in $allocations.
allocations() {
	t_run valgrind --leak-check=no "$@"
	t_rc 0
	allocations=$(sed -n 's/^.*total heap usage: \([0-9,]*\) allocs.*$/\1/p' <<<"$err" | tr -d ,)
	allocations=${allocations:-999999999999}
}

t_case 'packing a file more takes a bounded number of allocations'
allocations "$WBUILD" build -q --no-stub -j 1 --cache-dir "$T_TMP/cache-heap1" \
	-o "type=oci,tar=false,dest=$T_TMP/image-heap1" "$T_TMP/many1"
one=$allocations
allocations "$WBUILD" build -q --no-stub -j 1 --cache-dir "$T_TMP/cache-heap4" \
	-o "type=oci,tar=false,dest=$T_TMP/image-heap4" "$T_TMP/many4"
echo "# allocations: $one for 500 files, $allocations for 2000"
t_le $(((allocations - one) / 1500)) 22 'allocations for each file'

t_case 'starting up is cheap'
instructions "$WBUILD" version
echo "# instructions: $instructions"
t_le "$instructions" 25000000 'instructions of wbuild version'
