#!/bin/sh
# Builders in a cluster: pods that share what they made through the registry, so that a layer is fetched
# once, whichever pod a build lands on. NAME is the image; its repository holds the cache too.
set -eu
name=$1
docker buildx inspect weights >/dev/null 2>&1 || docker buildx create --name weights --driver kubernetes \
	--driver-opt replicas=2,loadbalance=random,requests.memory=4Gi,requests.ephemeral-storage=200Gi
exec docker buildx build --builder weights -f config.yaml --push -t "$name" \
	--secret id=hf_access_token,env=HF_TOKEN \
	--cache-from "type=registry,ref=$name-cache" --cache-to "type=registry,ref=$name-cache,mode=max" .
