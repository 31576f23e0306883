# wbuild inside of the build: fetched with a secret into a cache mount that later builds share, then
# laid out for COPY. Only what the bundle is made of is mounted, so code does not make it again.
#
#   docker buildx build -f fetch.Dockerfile --secret id=hf_access_token,env=HF_TOKEN .
ARG WBUILD=registry.example/wbuild:latest
ARG BASE=registry.example/base:v1

FROM ${WBUILD} AS weights
ENV HF_TOKEN_PATH=/run/secrets/hf_access_token
RUN --mount=type=cache,id=wbuild,target=/cache \
    --mount=type=secret,id=hf_access_token \
    --mount=type=bind,source=config.yaml,target=/context/config.yaml \
    --mount=type=bind,source=weights,target=/context/weights \
    ["/usr/bin/wbuild", "fetch", "--cache-dir", "/cache", "/context"]
RUN --mount=type=cache,id=wbuild,target=/cache \
    --mount=type=secret,id=hf_access_token \
    --mount=type=bind,source=config.yaml,target=/context/config.yaml \
    --mount=type=bind,source=weights,target=/context/weights \
    ["/usr/bin/wbuild", "build", "--cache-dir", "/cache", "--base", "scratch", \
     "--output", "type=local,dest=/bundle", "/context"]

FROM ${BASE}
COPY --link --from=weights /bundle/ /
COPY --link model /app/model
CMD ["/bin/sh", "-c", "cat /models/example/labels.txt"]
