# shellcheck shell=bash
# Truss-style directories for tests: t_use trees (after t_use images)

# bf16 NAME BYTES: like seeded, but as weights are: every other byte is one of few
bf16() {
	seeded "$1" "$2" | python3 -c '
import sys
b = bytearray(sys.stdin.buffer.read())
b[1::2] = b[1::2].translate(bytes(0x3c - min((256 - i & -(256 - i)).bit_length(), 7) for i in range(256)))
sys.stdout.buffer.write(b)'
}

# model_small DIR: data/ and a local weights source; a few kinds of content, about 9 MB.
model_small() {
	mkdir -p "$1/data/sub dir" "$1/weights/deep/er"
	cat >"$1/config.yaml" <<-'END'
		model_name: small
		environment_variables:
		  GREETING: hello there
		weights:
		  - source: file://weights
		    mount_location: /app/models/small
		docker_server:
		  start_command: sh -c "echo started"
		  server_port: 8000
		  predict_endpoint: /
		  readiness_endpoint: /
		  liveness_endpoint: /
	END
	seeded small-random 5000000 >"$1/weights/model.safetensors"
	cp "$1/weights/model.safetensors" "$1/weights/deep/copy.safetensors"
	yes 'the same words again' | head -c 3000000 >"$1/weights/vocab.txt"
	: >"$1/weights/empty"
	printf '{"a": 1}\n' >"$1/data/settings.json"
	printf '#!/bin/sh\necho run\n' >"$1/data/sub dir/run.sh"
	chmod 755 "$1/data/sub dir/run.sh"
	ln -s ../settings.json "$1/data/sub dir/link.json"
	ln "$1/weights/vocab.txt" "$1/weights/deep/er/hard.txt"
}

# names_hard DIR: names that trip tar readers, packers and shells up. Prints nothing.
names_hard() {
	local d=$1 long

	long=$(printf 'x%.0s' {1..255})
	mkdir -p "$d/with space" "$d/$long" "$d/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w"
	echo 1 >"$d/with space/a b  c.txt"
	echo 2 >"$d/$long/$long"
	echo 3 >"$d/"$'\u00fcml\u00e4ut-\u6a21\u578b-\U1f600.bin'
	echo 4 >"$d/"$'nfd-e\u0301.bin'
	echo 5 >"$d/#hash"
	echo 6 >"$d/100%"
	echo 7 >"$d/semi;colon&amp'quote\"double"
	echo 8 >"$d/-dash"
	echo 9 >"$d/~tilde"
	echo 10 >"$d/.hidden"
	echo 11 >"$d/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/$(printf 'y%.0s' {1..120})"
	echo 12 >"$d/[brackets]*?"
	: >"$d/zero"
	printf 'x' >"$d/one-byte"
	head -c 512 /dev/zero >"$d/one-block"
	head -c 513 /dev/zero >"$d/one-block-and-a-byte"
	ln -s "with space/a b  c.txt" "$d/link to space"
	ln -s "$long/$long" "$d/long-link"
	echo exec >"$d/exec"
	chmod 755 "$d/exec"
	echo private >"$d/private"
	chmod 600 "$d/private"
}
