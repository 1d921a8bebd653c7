# docker build -t logdrain .
#
# With a configuration, which has credentials and TLS, and `listen = "0.0.0.0:8514"`, as an address of the container's own:
#   docker run -v logdrain:/data -v ./logdrain.toml:/etc/logdrain/logdrain.toml:ro -p 443:8514 logdrain
# Without one it does not start. To try it, open to everybody who reaches the port, which is this machine alone (pages are
# for a member or a token then: `docker exec CONTAINER logdrain account token add --store /data/store`):
#   docker run -v logdrain:/data -p 127.0.0.1:8514:8514 logdrain serve --listen 0.0.0.0:8514 --store /data/store --insecure
#
# The bases are named by tag, so that a build gets their fixes. Where a build must give the same image again, name them by
# digest (rust:1.88-slim@sha256:..., from `docker buildx imagetools inspect`) and raise the digests like dependencies.
FROM rust:1.88-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --profile dist --locked -p logdrain

FROM debian:bookworm-slim
RUN useradd --system --uid 10514 --create-home --home-dir /data logdrain
# What nodes share (deploy/compose.yaml): a volume there is writable, as it is in the image.
RUN install -d -o logdrain -g logdrain -m 0700 /shared
COPY --from=build /src/target/dist/logdrain /usr/local/bin/logdrain
USER logdrain
WORKDIR /data
VOLUME /data
EXPOSE 8514
STOPSIGNAL SIGTERM
# Asks /readyz, by the same configuration, or where the trial above listens.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD \
    if [ -e /etc/logdrain/logdrain.toml ]; then exec logdrain health --config /etc/logdrain/logdrain.toml; \
    else exec logdrain health; fi
ENTRYPOINT ["logdrain"]
CMD ["serve", "--config", "/etc/logdrain/logdrain.toml", "--store", "/data/store"]
