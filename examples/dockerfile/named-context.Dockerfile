# As from-weights.Dockerfile, with the weights in a folder of this machine and no registry.
#
#   wbuild build --base scratch -o type=oci,tar=false,dest=weights-image .
#   docker buildx build -f named-context.Dockerfile \
#       --build-context weights=oci-layout://$PWD/weights-image .
ARG BASE=registry.example/base:v1

FROM ${BASE} AS base

FROM weights
COPY --link --from=base / /
COPY --link model /app/model
ENTRYPOINT ["/.wbuild/init", "--"]
CMD ["/bin/sh", "-c", "cat /models/example/labels.txt"]
