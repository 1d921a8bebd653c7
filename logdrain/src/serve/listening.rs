//! What is listened on: bound at the start, before anything else can fail late, and said.

use crate::serve::config::{self, Config};
use logdrain_drain::intake::port::{Port, Protocol};
use logdrain_drain::limits::SLOW_THREADS;
use logdrain_terms::failure::Failure;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Runtime;

/// Open files besides connections: the store with its log and index, rows, snapshots, what the runtime needs.
const OWN_FILES: usize = 40;
/// With fewer it would say that it listens, and serve nobody.
const FEWEST_CONNECTIONS: usize = 8;

/// The addresses that are listened on, and the runtime that does it.
pub(super) struct Listening {
    pub(super) runtime: Runtime,
    pub(super) http: TcpListener,
    pub(super) syslog: Option<TcpListener>,
    /// With port 0 the system chooses.
    pub(super) listen: SocketAddr,
    pub(super) syslog_listen: Option<SocketAddr>,
    pub(super) ports: Vec<(Arc<Port>, Socket)>,
}

/// What a plain syslog port listens with.
pub(super) enum Socket {
    Stream(TcpListener),
    Datagrams(UdpSocket),
}

impl Listening {
    pub(super) fn start(config: &Config) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .max_blocking_threads(SLOW_THREADS)
            .build()
            .map_err(|error| Failure::Config(format!("no threads could be started: {error}")))?;
        let bind = |address| {
            let bound = runtime.block_on(TcpListener::bind(address));
            bound.map_err(|error| Failure::Config(format!("{address} cannot be listened on: {error}")))
        };
        let http = bind(config.listen)?;
        let syslog = config.syslog.map(bind).transpose()?;
        let listen = http.local_addr().unwrap_or(config.listen);
        let syslog_listen = syslog.as_ref().and_then(|listener| listener.local_addr().ok());
        if let Some(listen) = syslog_listen {
            tracing::info!(syslog = %listen, "syslog drains are taken, too");
        }
        let ports = config.ports.iter().map(|port| Ok((port.clone(), bind_port(&runtime, port)?)));
        let ports = ports.collect::<Result<_, Failure>>()?;
        Ok(Self { runtime, http, syslog, listen, syslog_listen, ports })
    }

    pub(super) fn say(&self, config: &Config) {
        let listen = self.listen;
        tracing::info!(
            %listen, store = %config.store.display(), out = %config.out.as_deref().unwrap_or(Path::new("-")).display(),
            open = config.access.is_open(), tls = config.tls.is_some(), max_memory_mb = config.max_memory() >> 20, "listening: POST /logs"
        );
        if config.keeping.is_on() {
            let (hours, gigabytes) =
                (config.keeping.retention.as_secs() / 3_600, config.keeping.limit as f64 / f64::from(1 << 30));
            tracing::info!(
                "lines are kept for {} or up to {gigabytes:.1} GB of files, whichever comes first (logs_retention, logs_limit)",
                if hours >= 48 { format!("{} days", hours / 24) } else { format!("{hours} hours") }
            );
        }
    }
}

fn bind_port(runtime: &Runtime, port: &Port) -> Result<Socket, Failure> {
    let address = port.settings.listen;
    let bound = match port.settings.protocol {
        Protocol::Udp => runtime.block_on(UdpSocket::bind(address)).map(Socket::Datagrams),
        Protocol::Tcp | Protocol::Tls => runtime.block_on(TcpListener::bind(address)).map(Socket::Stream),
    };
    let bound = bound.map_err(|error| Failure::Config(format!("{address} cannot be listened on: {error}")))?;
    let own = match &bound {
        Socket::Stream(listener) => listener.local_addr(),
        Socket::Datagrams(socket) => socket.local_addr(),
    };
    let (name, protocol) = (&port.settings.name, port.settings.protocol);
    tracing::info!(port = %name, at = %own.unwrap_or(address), ?protocol, "plain syslog is taken, too");
    Ok(bound)
}

/// How many connections there may be: as configured, as far as the system has open files for them, and for those by which
/// requests are `passed` on.
pub(super) fn connections(wanted: usize, passed: usize) -> Result<usize, Failure> {
    let own_files = OWN_FILES + passed;
    let files = (wanted + own_files) as u64;
    let Some(allowed) = config::open_files(files).filter(|allowed| *allowed < files) else { return Ok(wanted) };
    let possible = usize::try_from(allowed).unwrap_or(0).saturating_sub(own_files);
    if possible < FEWEST_CONNECTIONS {
        return Err(Failure::Config(format!(
            "the system allows {allowed} open files (ulimit -n), and {} is the least with which anybody could be \
             served: raise it",
            own_files + FEWEST_CONNECTIONS
        )));
    }
    tracing::warn!(
        "the system allows {allowed} open files (ulimit -n, LimitNOFILE), which is too few for max_connections = \
         {wanted}: there will be {possible} connections at most"
    );
    Ok(possible)
}
