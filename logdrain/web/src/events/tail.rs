//! Those who follow the newest lines, by server-sent events.
//!
//! ```text
//! place in the answer -> step -> at most so many bytes -> the connection's own pace
//! ```
//!
//! Each has a task that makes nothing before there is room for it, so that at most two pieces are in memory: one that is
//! being sent, and the next. One thread looks for all of them, a short step at a time; whose step was too short, because he
//! is far behind or his query takes long, takes turns with the searches, one of them at a time, and no other waits for him.

use super::Events;
use super::address::Follow;
use super::following::{AT_A_TIME, Following, Step};
use crate::fair::{Seat, Seats};
use crate::turns::Budget;
use axum::body::Body;
use hyper::body::{Body as HttpBody, Bytes, Frame};
use log_store::{EventId, Reader};
use logdrain_drain::intake::{Intake, UNIT};
use logdrain_drain::logs::Boards;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, mpsc as threads};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

/// How many may follow at a time.
const TAILS: usize = 32;
/// What each may take: the piece that is sent, the next one, and itself with its query.
const TAIL: usize = (2 * AT_A_TIME + (64 << 10)).next_multiple_of(UNIT);
/// What steps hold while they search: one on the thread for all, one in a turn.
const STEPS: usize = 2 * (9 << 20);
/// The most bytes that all of them take.
pub(super) const MOST: usize = TAILS * TAIL + STEPS;

/// A word is heard after so long, whatever happens.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// What came within this time is sent together.
const TOGETHER: Duration = Duration::from_millis(50);
/// Between two looks at lines that cannot be read just now.
const STUCK: Duration = Duration::from_secs(1);
/// Between two words that there are new lines.
const APART: Duration = Duration::from_millis(10);
/// How long a step may take on the thread for all, and in a turn.
const LIVE: Duration = Duration::from_millis(20);
const BEHIND: Duration = Duration::from_millis(250);
/// Whoever is behind waits for its turn as long as it takes.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// Between two looks whether the server stops.
const LOOK: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

/// Which reader there is, and how far it may see.
type Seen = (u64, EventId);

/// All who follow.
#[derive(Debug)]
pub(super) struct Tails {
    /// They may stay for ever, so that nobody is sure of one.
    seats: Arc<Seats>,
    /// The one of those behind whose turn it is.
    behind: Semaphore,
    /// The way to the thread that looks for those who have caught up.
    jobs: Mutex<Option<threads::Sender<Job>>>,
    /// How far readers of each partition may see, where somebody follows.
    seen: Mutex<HashMap<u8, watch::Sender<Seen>>>,
    stop: watch::Receiver<bool>,
}

impl Tails {
    pub(super) fn new(stop: watch::Receiver<bool>) -> Self {
        Self {
            seats: Seats::new(TAILS, TAILS, None),
            behind: Semaphore::new(1),
            jobs: Mutex::default(),
            seen: Mutex::default(),
            stop,
        }
    }

    /// Starts the threads when the first one follows: one that looks for lines, and one for each partition that waits for
    /// them. Answers what is told of the account's.
    fn start(&self, logs: &Boards, account: &str) -> io::Result<watch::Receiver<Seen>> {
        let running = &mut *self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_none() {
            let (jobs, to_do) = threads::channel::<Job>();
            thread::Builder::new().name("tails".to_owned()).spawn(move || to_do.into_iter().for_each(|job| job()))?;
            *running = Some(jobs);
        }
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let part = logs.part(account).number();
        if let Some(seen) = all.get(&part) {
            return Ok(seen.subscribe());
        }
        let seen = watch::Sender::new((0, EventId::MIN));
        let (told, stop, logs, account) = (seen.clone(), self.stop.clone(), logs.clone(), account.to_owned());
        let wait = move || {
            let mut last = EventId::MIN;
            while !*stop.borrow() {
                let (number, reader) = logs.numbered_reader(&account);
                match reader {
                    Some(reader) => last = reader.wait(last, LOOK),
                    None => thread::sleep(LOOK),
                }
                // Who commits a thousand times a second wakes nobody so often.
                thread::sleep(APART);
                told.send_if_modified(|seen| {
                    let now = (number, last.max(seen.1));
                    std::mem::replace(seen, now) != now
                });
            }
        };
        thread::Builder::new().name("new lines".to_owned()).spawn(wait)?;
        let heard = seen.subscribe();
        all.insert(part, seen);
        Ok(heard)
    }

    /// Lets a step be taken on the thread for all.
    async fn live(&self, mut following: Following) -> Option<(Following, Step)> {
        let (done, taken) = oneshot::channel();
        let job = move || {
            let until = Instant::now() + LIVE;
            // Nobody waits for it any more.
            let step = following.step(&mut || Instant::now() < until && !done.is_closed());
            let _ = done.send((following, step));
        };
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.send(Box::new(job)).ok()?;
        taken.await.ok()
    }

    /// Lets a step be taken in a turn.
    async fn behind(&self, events: &Events, mut following: Following) -> Option<(Following, Step)> {
        let _one = self.behind.acquire().await.ok()?;
        let step = move |budget: &Budget| {
            let step = following.step(&mut || budget.goes_on());
            (following, step)
        };
        events.turns.search(PATIENCE, BEHIND, step).await.ok()
    }
}

/// Whether who follows may still see what he was let see.
pub(super) type Still = Box<dyn Fn() -> bool + Send + Sync>;

/// Lets one of an account follow; `None` when as many do as may, and no account has more than this one.
pub(super) async fn begin(
    intake: &Arc<Intake>,
    (events, account): (&Arc<Events>, &str),
    reader: Reader,
    follow: Follow,
    still: Still,
) -> Option<Body> {
    let seat = events.tails.seats.take(account).await?;
    let memory = intake.lease(TAIL)?;
    let seen = events.tails.start(&events.logs, &follow.ask.account).ok()?;
    let held = Arc::new((memory, seat));
    // One piece: the next is made when this one is on its way.
    let (pieces, sent) = mpsc::channel(1);
    tokio::spawn(feed((still, seen), events.clone(), Following::new(&reader, follow), pieces, held.clone()));
    Some(Body::new(Pieces { sent, _held: held }))
}

/// Makes one piece after another, for as long as somebody takes them.
async fn feed(
    (still, mut seen): (Still, watch::Receiver<Seen>),
    events: Arc<Events>,
    following: Following,
    pieces: mpsc::Sender<Bytes>,
    held: Arc<Held>,
) {
    let tails = &events.tails;
    let mut stop = tails.stop.clone();
    let ends = async {
        tokio::select! {
            () = pieces.closed() => (),
            () = held.1.has_to_go() => (),
            _ = stop.wait_for(|stop| *stop) => (),
        }
    };
    let makes = async {
        let mut following = following;
        let mut is_slow = false;
        // The place first: whoever comes again misses nothing that came since.
        let alive = following.alive();
        pieces.send([&b"retry: 1000\n\n"[..], &alive].concat().into()).await.ok()?;
        loop {
            let room = pieces.reserve().await.ok()?;
            // Who may see lines was changed: whoever still may comes again.
            if !still() {
                return None;
            }
            let last = *seen.borrow_and_update();
            let (next, step) =
                if is_slow { tails.behind(&events, following).await? } else { tails.live(following).await? };
            following = next;
            is_slow = step.is_slow;
            if step.is_stuck {
                room.send(following.alive());
                tokio::time::sleep(STUCK).await;
            } else if !step.bytes.is_empty() {
                room.send(step.bytes.into());
            } else if !step.is_more {
                let is_more = async { seen.wait_for(|seen| *seen != last).await.map(drop) };
                match tokio::time::timeout(HEARTBEAT, is_more).await {
                    Ok(Ok(())) => tokio::time::sleep(TOGETHER).await,
                    Ok(Err(_)) => return None,
                    Err(_) => room.send(following.alive()),
                }
            }
        }
    };
    let _: Option<std::convert::Infallible> = tokio::select! {
        () = ends => None,
        ended = makes => ended,
    };
}

/// Its memory is there again before its seat is.
type Held = (OwnedSemaphorePermit, Seat);

/// What one is sent. Its place is free when this is gone and nothing is made for it any more.
struct Pieces {
    sent: mpsc::Receiver<Bytes>,
    _held: Arc<Held>,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.sent.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
