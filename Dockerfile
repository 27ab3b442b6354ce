# The collector and its client, in an image that holds nothing else.
#   docker build -t coap-collector .
#   docker run -p 5683:5683/udp -v coap-events:/data coap-collector
#   docker run -ti coap-collector client -H HOST send temperature 21.5
# The build stage runs on the building machine and compiles for the target: no emulation is needed.
ARG DEBIAN=trixie-slim
FROM --platform=$BUILDPLATFORM debian:${DEBIAN} AS build
ARG TARGETARCH
ENV TARGET_ARCH=${TARGETARCH}
# Where the page's files come from, if not from npm's own registry.
ARG npm_config_registry
WORKDIR /src
COPY scripts/setup scripts/lib.sh scripts/
COPY collector/page/package.json collector/page/package-lock.json collector/page/
RUN scripts/setup build
COPY . .
RUN scripts/image-root /image && mkdir -p /volumes/data

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="coap-collector" \
      org.opencontainers.image.description="Collects IoT events over CoAP; a 2.01 means stored" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="debian:trixie-slim"
COPY --from=build /image/ /
COPY --from=build --chown=65532:65532 /volumes/ /
# Loopback, the collector's own default, would hide /health and /metrics from whoever asks from
# outside the container: Kubernetes' probes, Prometheus, `docker run -p 8080:8080`.
ENV COLLECTOR_HTTP_LISTEN=0.0.0.0:8080 \
    COLLECTOR_SQLITE_PATH=/data/events.db
# By number, because Kubernetes' runAsNonRoot cannot look a name up.
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 5683/udp 5684/udp 8080/tcp
HEALTHCHECK --interval=10s --timeout=7s --start-period=40s CMD ["client", "-S", "healthcheck"]
# A command and no entrypoint: another command (client ...) takes its place.
CMD ["collector"]
