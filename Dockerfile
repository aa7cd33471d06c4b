# One static binary and nothing else: no shell, no libraries, no root.
FROM rust:1.95-alpine AS build
WORKDIR /source
COPY . .
# On Alpine, Rust links statically on its own.
RUN cargo build --release --locked --bin ems-exporter \
    && mkdir -p /out/state \
    && cp target/release/ems-exporter /out/

FROM scratch
LABEL org.opencontainers.image.title="ems-exporter" \
      org.opencontainers.image.description="Prometheus exporter for EvoStream Media Server" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/ems-exporter /ems-exporter
# A place for --storage.path: a new volume mounted here belongs to the user below.
COPY --from=build --chown=65532:65532 /out/state /var/lib/ems-exporter
USER 65532:65532
# 127.0.0.1 would be the container's own; what may reach the port is decided where it is published. So the exporter is
# told to start although it listens beyond loopback. Publish the port on 127.0.0.1, or give it a secret
# (EMS_EXPORTER_INGEST_SECRET), without which whoever reaches the port can post events.
ENV EMS_EXPORTER_WEB_LISTEN_ADDRESS=0.0.0.0:10777 \
    EMS_EXPORTER_WEB_INSECURE=true
EXPOSE 10777
HEALTHCHECK --interval=5s --timeout=5s --retries=3 CMD ["/ems-exporter", "healthcheck"]
ENTRYPOINT ["/ems-exporter"]
