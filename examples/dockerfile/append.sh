#!/bin/sh
# append.sh BASE NAME: the bundle onto an image that is built and pushed already. Layers and digests are
# wbuild's own, so this is the way to choose when one weights layer should serve many images.
#
#   docker buildx build -t registry.example/server:v1 --push .
#   ./append.sh registry.example/server:v1 registry.example/server:v1-weights
set -eu
cd "$(dirname "$0")"
exec "${WBUILD:-wbuild}" build ${WBUILD_OPTIONS:-} --base "$1" --tag "$2" --push .
