#!/bin/bash
# Measures downloads side by side: wbuild, curl's plain parallel download (no checksum), and the
# hub's own client with its default settings, all from the stand-in hub on loopback.
#
#	tests/bench/fetch.sh [--gib N] [--runs N] [--dir DIR]
#
# Prints a line of JSON for each run and each median; exit status 1 when a target is missed (see
# fetch.py). DIR (/dev/shm) needs room for two copies.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/packages.sh

packages_need build test bench
if [ -z "${WBUILD:-}" ]; then
	cmake --preset release >/dev/null
	cmake --build --preset release >/dev/null
	WBUILD=$PWD/build/release/wbuild
fi
export WBUILD
HF=$(tests/peers.sh huggingface_hub)/bin/hf
export HF
exec python3 tests/bench/fetch.py "$@"
