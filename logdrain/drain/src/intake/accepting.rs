//! Connections from their first byte to their last.

use super::connections::Peer;
use super::paced::{self, Paced};
use super::port::{self, Port};
use super::{Intake, Stream, syslog};
use crate::limits::HEAD_LIMIT;
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const MAX_HEADERS: usize = 64;
/// How long an encrypted connection may take to come about.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// After an error of `accept`.
const AGAIN: Duration = Duration::from_millis(20);

/// What is spoken on a listener.
#[derive(Clone, Debug)]
pub enum Way {
    Http(Router),
    Syslog,
    Port(Arc<Port>),
}

/// Accepts connections until `stop` says so, and then waits for those that have a request at hand.
pub async fn accept(listener: TcpListener, way: Way, intake: Arc<Intake>, mut stop: watch::Receiver<bool>) {
    let tasks = Tasks::default();
    let is_local = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // The system allows fewer open files than there are connections allowed, mostly.
                intake.not_accepted.add(None, Some(error.to_string()));
                intake.connections.make_room(&intake.counters);
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        if let Way::Port(port) = &way
            && !port.allows(address.ip())
        {
            intake.counters.port_refused.add(1);
            continue;
        }
        intake.counters.connections.add(1);
        let Some(peer) = intake.connections.enter(address.ip(), is_local, &intake.counters) else { continue };
        let (way, intake, stop, task) = (way.clone(), intake.clone(), stop.clone(), tasks.enter());
        tokio::spawn(async move {
            connection(stream, way, &intake, &peer, stop).await;
            intake.connections.leave(&peer);
            drop(task);
        });
    }
    drop(listener);
    tasks.all_done().await;
}

async fn connection(stream: TcpStream, way: Way, intake: &Arc<Intake>, peer: &Arc<Peer>, stop: watch::Receiver<bool>) {
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    let stream = Paced::new(stream, paced::PATIENCE.min(intake.limits.idle));
    // A port says for itself whether it is encrypted.
    let is_encrypted = !matches!(&way, Way::Port(port) if !port.is_encrypted());
    let Some(tls) = intake.tls().filter(|_| is_encrypted) else { return speak(stream, way, intake, peer, stop).await };
    let handshake = tokio::select! {
        handshake = tokio::time::timeout(HANDSHAKE, tls.acceptor().accept(stream)) => handshake,
        () = peer.go.notified() => return,
    };
    match handshake {
        Ok(Ok(stream)) => speak(stream, way, intake, peer, stop).await,
        _ => intake.counters.handshakes_failed.add(1),
    }
}

async fn speak(stream: impl Stream, way: Way, intake: &Arc<Intake>, peer: &Arc<Peer>, stop: watch::Receiver<bool>) {
    match way {
        Way::Http(router) => requests(stream, router, intake, peer, stop).await,
        Way::Port(own) => tokio::select! {
            () = port::connection(stream, &own, intake, peer, stop) => (),
            () = peer.go.notified() => (),
        },
        Way::Syslog => tokio::select! {
            () = syslog::connection(stream, intake, peer, stop) => (),
            () = peer.go.notified() => (),
        },
    }
}

/// Serves one connection: until it ends, is idle for too long, has to go, or the server stops.
async fn requests(
    stream: impl Stream,
    router: Router,
    intake: &Intake,
    peer: &Arc<Peer>,
    mut stop: watch::Receiver<bool>,
) {
    let (connections, idle) = (&intake.connections, intake.limits.idle);
    let service = TowerToHyperService::new(router);
    let service = service_fn(|mut request: Request<Incoming>| {
        connections.begin(peer);
        request.extensions_mut().insert(peer.clone());
        let answer = service.call(request);
        async {
            let answer = answer.await;
            connections.end(peer);
            answer
        }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(idle).max_headers(MAX_HEADERS).max_buf_size(HEAD_LIMIT);
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // A connection that breaks is the sender's affair: it sends again.
        _ = connection.as_mut() => return,
        () = peer.go.notified() => return,
        _ = stop.wait_for(|stop| *stop) => (),
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Counts what runs, and tells when the last one is done.
#[derive(Default)]
struct Tasks {
    running: Arc<watch::Sender<()>>,
}

struct Task(#[allow(dead_code, reason = "held for its end")] watch::Receiver<()>);

impl Tasks {
    fn enter(&self) -> Task {
        Task(self.running.subscribe())
    }

    async fn all_done(&self) {
        self.running.closed().await;
    }
}
