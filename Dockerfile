# Needs BuildKit (the default since engine 23; before, DOCKER_BUILDKIT=1). docs/compose.md tells of the arguments.

# Images from elsewhere: a mirror, a digest (rust@sha256:…), debian:bookworm-slim to have a shell in the image.
ARG BUILD=rust:1.95-bookworm
ARG RUNTIME=gcr.io/distroless/cc-debian12
# Where the binary and the roots of trust are taken from: the stage below, or an image that has both.
ARG BINARY=build

FROM --platform=$BUILDPLATFORM ${BUILD} AS build
ARG PROFILE=release
# `dev`: with `dev`, `sim` and `receive`, which no deployment needs.
ARG FEATURES=
ARG BUILDARCH
ARG TARGETARCH
ENV CARGO_PROFILE_RELEASE_STRIP=symbols \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=x86_64-linux-gnu-gcc
WORKDIR /src
# For another processor: compiled across, not emulated.
RUN set -eu; \
    case "$TARGETARCH" in amd64) cpu=x86_64 ;; arm64) cpu=aarch64 ;; *) echo "no such processor: $TARGETARCH" >&2; exit 1 ;; esac; \
    echo "$cpu-unknown-linux-gnu" > /target; \
    if [ "$TARGETARCH" != "$BUILDARCH" ]; then \
        apt-get update; \
        apt-get install --yes --no-install-recommends "gcc-$(echo $cpu | tr _ -)-linux-gnu" "libc6-dev-$TARGETARCH-cross"; \
        rm -rf /var/lib/apt/lists/*; \
        rustup target add "$(cat /target)"; \
    fi
# The dependencies, in a layer of their own: built again only when Cargo.lock says so.
COPY Cargo.toml Cargo.lock ./
RUN --mount=type=cache,id=eci-cache-gateway-registry,target=/usr/local/cargo/registry,sharing=locked \
    mkdir src && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
    && cargo build --locked --no-default-features --features "$FEATURES" --profile "$PROFILE" --target "$(cat /target)" --bin eci-cache-gateway \
    && rm -r src
COPY . .
# Cargo goes by times: the sources must be newer than what stood in for them.
RUN --mount=type=cache,id=eci-cache-gateway-registry,target=/usr/local/cargo/registry,sharing=locked \
    touch build.rs src/lib.rs src/main.rs \
    && cargo build --locked --no-default-features --features "$FEATURES" --profile "$PROFILE" --target "$(cat /target)" --bin eci-cache-gateway \
    && cp target/"$(cat /target)"/*/eci-cache-gateway /usr/local/bin/

FROM ${BINARY} AS binary

FROM ${RUNTIME}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="eci-cache-gateway" \
      org.opencontainers.image.description="An HTTP gateway between a company's teams and Alibaba Cloud's ECI image caches" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
# The cloud, the JWK set and webhook receivers are reached by TLS, checked against these roots.
COPY --from=binary /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=binary /usr/local/bin/eci-cache-gateway /usr/local/bin/eci-cache-gateway
# A number that is nobody's: there need be no such user in the image.
USER 10001:10001
# 127.0.0.1, the default, would be closed to everybody outside the container.
ENV ECG_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=10s --start-period=10s --retries=3 CMD ["/usr/local/bin/eci-cache-gateway", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/eci-cache-gateway"]
CMD ["serve"]
