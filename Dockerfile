# docker build -t logdrain .
# docker run -v logdrain:/data -p 127.0.0.1:8514:8514 logdrain
FROM rust:1.88-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p logdrain

FROM debian:bookworm-slim
RUN useradd --system --uid 10514 --create-home --home-dir /data logdrain
COPY --from=build /src/target/release/logdrain /usr/local/bin/logdrain
USER logdrain
WORKDIR /data
VOLUME /data
EXPOSE 8514
STOPSIGNAL SIGTERM
# Inside a container the address is the container's own; publish it to loopback, or give credentials and TLS by --config.
ENTRYPOINT ["logdrain"]
CMD ["serve", "--listen", "0.0.0.0:8514", "--store", "/data/store", "--insecure"]
