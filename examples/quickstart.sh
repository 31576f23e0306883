#!/bin/bash
# From a fresh clone to an OCI image with a real model in it: the LSTM weights that Debian ships
# for Tesseract. Needs nothing but apt; installs what is missing (as root, or through sudo), builds
# wbuild, packs the model, shows and verifies the image, and packs it again to show that nothing is
# done twice. The result is out/quickstart/image, an OCI layout.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/packages.sh

show() {
	printf '\n$ %s\n' "$*"
	"$@"
}

packages_need build quickstart

if [ ! -x build/release/wbuild ]; then
	echo 'building wbuild (preset release)'
fi
mkdir -p build
if ! { cmake --preset release && cmake --build --preset release; } >build/quickstart.log 2>&1; then
	tail -n 40 build/quickstart.log
	exit 1
fi
PATH=$PWD/build/release:$PATH

# A Truss-style directory: config.yaml, data/ and, as one of its sources, weights/.
work=out/quickstart
model=$work/tesseract-eng
mkdir -p "$model/weights"
cp -r examples/quickstart/. "$model/"
cp /usr/share/tesseract-ocr/5/tessdata/eng.traineddata "$model/weights/"

show wbuild build -t tesseract-eng:quickstart -o "type=oci,tar=false,dest=$work/image" \
	--metadata-file "$work/metadata.json" "$model"
show wbuild inspect "oci:$work/image:quickstart"
show wbuild verify "oci:$work/image:quickstart"

printf '\nonce more, nothing changed:\n'
time show wbuild build -t tesseract-eng:quickstart -o "type=oci,tar=false,dest=$work/image" "$model"

printf '\nimage digest: %s\n' \
	"$(sed -n 's/.*"containerimage.digest": *"\([^"]*\)".*/\1/p' "$work/metadata.json" | head -n 1)"
