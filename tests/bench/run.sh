#!/bin/bash
# Measures wbuild and its peers side by side, and writes a table and a plot to out/bench.
#
#   tests/bench/run.sh [--scale F] [--runs N] [--only NAME,...]
#
# Makes the model first (tests/bench/gen_model.py; --scale 1, the default, is 1.57 GB; 10 is 16 GB)
# and gets the peers (tests/peers.sh). docs/performance.md holds the last full run.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/packages.sh

scale=1
[ "${1:-}" = --scale ] && { scale=$2; shift 2; }

packages_need build test peers bench
cmake --preset release >/dev/null
cmake --build --preset release >/dev/null
WBUILD=$PWD/build/release/wbuild
export WBUILD
cmake --preset release -B build/bench -D WBUILD_TESTS=ON >/dev/null
cmake --build build/bench --target bench_pack >/dev/null
export BENCH_PACK=$PWD/build/bench/tests/bench_pack
for peer in crane oras modctl buildkitd buildctl; do
	name=PEER_${peer^^}
	export "$name=$(tests/peers.sh "$peer" || true)"
done

out=$PWD/out/bench
model=$out/model-$scale
mkdir -p "$out"
if [ ! -e "$model/config.json" ]; then
	echo "making the model at $model" >&2
	/usr/bin/python3 tests/bench/gen_model.py "$model" --scale "$scale"
fi
exec /usr/bin/python3 tests/bench/bench.py "$model" "$out" "$@"
