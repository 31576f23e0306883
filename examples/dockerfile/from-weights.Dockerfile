# A weights image first, what changes often on top. Its layers are in the result as they are, and no
# change of code or base makes, pushes or pulls them again.
#
#   wbuild build --base scratch -t registry.example/weights:v1 --push .
#   docker buildx build -f from-weights.Dockerfile --build-arg WEIGHTS=registry.example/weights:v1 .
ARG WEIGHTS=registry.example/weights:v1
ARG BASE=registry.example/base:v1

FROM ${BASE} AS base

FROM ${WEIGHTS}
# The other way round, COPY --from of the weights onto the base, would copy them into a new layer.
COPY --link --from=base / /
COPY --link model /app/model
ENTRYPOINT ["/.wbuild/init", "--"]
CMD ["/bin/sh", "-c", "cat /models/example/labels.txt"]
