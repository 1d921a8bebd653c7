//! Connections: as many as configured. When another comes, the one that has been idle longest goes, so that idle ones
//! keep no healthy sender out.

use super::{Intake, Stream, syslog};
use crate::serve::config::HEAD_LIMIT;
use crate::serve::counters::Counters;
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

const MAX_HEADERS: usize = 64;
/// How long an encrypted connection may take to come about.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// After an error of `accept`.
const AGAIN: Duration = Duration::from_millis(20);

/// The connections that are open.
#[derive(Debug)]
pub(crate) struct Connections {
    most: usize,
    began: Instant,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<Peer>>>,
}

/// What is known of one connection.
#[derive(Debug, Default)]
struct Peer {
    /// Requests at hand.
    requests: AtomicU32,
    /// When it last became idle, in milliseconds.
    idle_since: AtomicU64,
    go: Notify,
}

impl Connections {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, began: Instant::now(), next: AtomicU64::new(0), open: Mutex::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Enters a new connection; `None` when there is no room, and none of the others is idle.
    fn enter(&self, counters: &Counters) -> Option<(u64, Arc<Peer>)> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= self.most && !evict(&mut open, counters) {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let peer = Arc::new(Peer { idle_since: AtomicU64::new(self.now()), ..Peer::default() });
        open.insert(number, peer.clone());
        Some((number, peer))
    }

    /// Closes the connection that is idle longest.
    fn make_room(&self, counters: &Counters) {
        evict(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner), counters);
    }

    fn leave(&self, number: u64) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }
}

fn evict(open: &mut HashMap<u64, Arc<Peer>>, counters: &Counters) -> bool {
    let idle = open.iter().filter(|(_, peer)| peer.requests.load(Ordering::Acquire) == 0);
    let oldest = idle.min_by_key(|(_, peer)| peer.idle_since.load(Ordering::Acquire)).map(|(number, _)| *number);
    let Some(peer) = oldest.and_then(|oldest| open.remove(&oldest)) else { return false };
    peer.go.notify_one();
    counters.evicted.add(1);
    true
}

/// What is spoken on a listener.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    Http(Router),
    Syslog,
}

/// Accepts connections until `stop` says so, and then waits for those that have a request at hand.
pub(crate) async fn accept(listener: TcpListener, way: Way, intake: Arc<Intake>, mut stop: watch::Receiver<bool>) {
    let tasks = Tasks::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // The system allows fewer open files than there are connections allowed, mostly.
                tracing::warn!(%error, "a connection could not be accepted; the one that is idle longest is closed");
                intake.connections.make_room(&intake.counters);
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        intake.counters.connections.add(1);
        let Some((number, peer)) = intake.connections.enter(&intake.counters) else { continue };
        let (way, intake, stop, task) = (way.clone(), intake.clone(), stop.clone(), tasks.enter());
        tokio::spawn(async move {
            connection(stream, way, &intake, &peer, stop).await;
            intake.connections.leave(number);
            drop(task);
        });
    }
    drop(listener);
    tasks.all_done().await;
}

async fn connection(stream: TcpStream, way: Way, intake: &Arc<Intake>, peer: &Peer, stop: watch::Receiver<bool>) {
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    let Some(tls) = intake.tls() else { return speak(stream, way, intake, peer, stop).await };
    match tokio::time::timeout(HANDSHAKE, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => speak(stream, way, intake, peer, stop).await,
        _ => intake.counters.handshakes_failed.add(1),
    }
}

async fn speak(stream: impl Stream, way: Way, intake: &Arc<Intake>, peer: &Peer, stop: watch::Receiver<bool>) {
    match way {
        Way::Http(router) => requests(stream, router, intake, peer, stop).await,
        Way::Syslog => {
            let heard = || peer.idle_since.store(intake.connections.now(), Ordering::Release);
            tokio::select! {
                () = syslog::connection(stream, intake, heard, stop) => (),
                () = peer.go.notified() => (),
            }
        }
    }
}

/// Serves one connection: until it ends, is idle for too long, has to go, or the server stops.
async fn requests(stream: impl Stream, router: Router, intake: &Intake, peer: &Peer, mut stop: watch::Receiver<bool>) {
    let (connections, idle) = (&intake.connections, intake.limits.idle);
    let service = TowerToHyperService::new(router);
    let service = service_fn(|request: Request<Incoming>| {
        peer.requests.fetch_add(1, Ordering::AcqRel);
        let answer = service.call(request);
        async {
            let answer = answer.await;
            peer.idle_since.store(connections.now(), Ordering::Release);
            peer.requests.fetch_sub(1, Ordering::AcqRel);
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
