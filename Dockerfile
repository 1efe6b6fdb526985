# The image that the manifests run: one static program, and nothing beside it. No shell, no package manager, no
# user database; what it needs at run time (policies, a token, the API server's CA) is mounted.
#
#   docker build -t podgate:0.1.0 .
#   docker buildx build --platform linux/amd64,linux/arm64 -t REGISTRY/podgate:0.1.0 --push .
FROM rust:1-bookworm AS build
WORKDIR /build
COPY . .
# The C library is linked in, too. A target must be named, even the machine's own: without one the flag would
# hold for build scripts and procedural macros as well, and those cannot be static.
RUN set -eu; \
    host=$(rustc -vV | sed -n 's/^host: //p'); \
    RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --locked --bin podgate --target "$host"; \
    cp "target/$host/release/podgate" /podgate
# Fails unless it runs with nothing around it.
RUN mkdir /empty && cp /podgate /empty && chroot /empty /podgate --version

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="podgate" \
      org.opencontainers.image.description="The admission gate for ML namespaces on Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/podgate/podgate" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /podgate /podgate
# By number, since there is no user database to look a name up in.
USER 65532:65532
EXPOSE 8443 8080
ENTRYPOINT ["/podgate"]
CMD ["serve"]
