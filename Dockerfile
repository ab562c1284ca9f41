# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The caches are outside the image: the binary has to be copied out in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin eci-cache-gateway \
    && cp target/release/eci-cache-gateway /usr/local/bin/

FROM debian:bookworm-slim
# The cloud, the JWK set and webhook receivers are reached by TLS, checked against the system's roots.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 gateway \
    && useradd --system --uid 10001 --gid gateway --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gateway
COPY --from=build /usr/local/bin/eci-cache-gateway /usr/local/bin/eci-cache-gateway
USER 10001:10001
# 127.0.0.1, the default, would be closed to everybody outside the container.
ENV ECG_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["eci-cache-gateway", "healthcheck"]
ENTRYPOINT ["eci-cache-gateway"]
CMD ["serve"]
