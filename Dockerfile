# The image that the manifests run: one static program, and nothing else. No shell, no package manager, no
# user database; what it needs at run time (policies, a token, the API server's CA) is mounted.
#
#   digest=$(docker buildx imagetools inspect rust:1-bookworm --format '{{.Manifest.Digest}}')
#   docker build --build-arg BUILDER_DIGEST=$digest -t podgate:dev .
#
# `.ci/release` passes the rest. A tag can move, a digest cannot, so there is no default.
ARG BUILDER_DIGEST
FROM rust:1-bookworm@${BUILDER_DIGEST} AS build
WORKDIR /build
COPY .ci/tools .ci/
RUN .ci/tools cargo-auditable
COPY . .
RUN .ci/build /podgate
# Fails unless it runs with nothing else in the image.
RUN mkdir /empty && cp /podgate /empty && chroot /empty /podgate --version

FROM scratch
ARG VERSION=unreleased
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
