#!/bin/bash
# Measures downloads side by side, on loopback: wbuild, curl's plain parallel download (no checksum),
# aria2c, and the hub's own client with its default settings and without xet, from the stand-in hub;
# wbuild, rclone and s5cmd from an object store. A peer that cannot be had is left out.
#
#	tests/bench/fetch.sh [--gib N] [--runs N] [--dir DIR] [--source hub|s3|limited]
#		[--tools A,B,...] [--small N]
#
# Prints a line of JSON for each run, and a table; exit status 1 when a target is missed (see
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
S5CMD=$(tests/peers.sh s5cmd || true)
VERSITYGW=$(tests/peers.sh versitygw || true)
export HF S5CMD VERSITYGW
exec python3 tests/bench/fetch.py "$@"
