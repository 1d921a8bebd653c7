//! Connections: as many as configured. When another comes, the one that has been idle longest goes, so that idle ones
//! keep no healthy sender out.

use super::Intake;
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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

const MAX_HEADERS: usize = 64;
/// After an error of `accept`: too many open files, mostly.
const AGAIN: Duration = Duration::from_millis(100);

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
        if open.len() >= self.most {
            let idle = open.iter().filter(|(_, peer)| peer.requests.load(Ordering::Acquire) == 0);
            let (oldest, _) = idle.min_by_key(|(_, peer)| peer.idle_since.load(Ordering::Acquire))?;
            let oldest = *oldest;
            if let Some(peer) = open.remove(&oldest) {
                peer.go.notify_one();
                counters.evicted.add(1);
            }
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let peer = Arc::new(Peer { idle_since: AtomicU64::new(self.now()), ..Peer::default() });
        open.insert(number, peer.clone());
        Some((number, peer))
    }

    fn leave(&self, number: u64) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }
}

/// Accepts connections until `stop` says so, and then waits for those that have a request at hand.
pub(crate) async fn accept(
    listener: TcpListener,
    router: Router,
    intake: Arc<Intake>,
    mut stop: watch::Receiver<bool>,
) {
    let (connections, counters, idle) = (&intake.connections, &intake.counters, intake.limits.idle);
    let tasks = Tasks::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        counters.connections.add(1);
        let Some((number, peer)) = connections.enter(counters) else { continue };
        let (router, connections, stop, task) = (router.clone(), connections.clone(), stop.clone(), tasks.enter());
        tokio::spawn(async move {
            plain(stream, router, &connections, &peer, idle, stop).await;
            connections.leave(number);
            drop(task);
        });
    }
    drop(listener);
    tasks.all_done().await;
}

async fn plain(
    stream: TcpStream,
    router: Router,
    connections: &Arc<Connections>,
    peer: &Arc<Peer>,
    idle: Duration,
    stop: watch::Receiver<bool>,
) {
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    requests(stream, router, connections, peer, idle, stop).await;
}

/// Serves one connection: until it ends, is idle for too long, has to go, or the server stops.
async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    connections: &Arc<Connections>,
    peer: &Arc<Peer>,
    idle: Duration,
    mut stop: watch::Receiver<bool>,
) {
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
