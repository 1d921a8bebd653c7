//! `/metrics`: a text that is built off the threads that answer deliveries, one at a time, in memory that is counted.
//!
//! A text is no longer than its limit, and what it takes is leased from memory of its own until the last byte of it is
//! sent: `/metrics` is there also when bodies take all that they may. There are only so many at a time, so
//! that watchers who ask and do not read take no memory from deliveries.
//! Whoever waits while `/metrics` is built gets what is built next, together with all others who wait. Building takes no
//! more than a part of one core's time.

use crate::metrics;
use crate::pieces::Held;
use crate::status::House;
use hyper::body::Bytes;
use logdrain_drain::counting::board::Board;
use logdrain_drain::intake::Intake;
use logdrain_drain::limits::MetricsLimits;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Semaphore};

/// Texts that are in memory at a time.
const AT_A_TIME: usize = 4;
/// How long a watcher waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);
/// Building takes one part in so many of the time.
const SHARE: u32 = 5;
/// The most bytes of a text: one part in so many of what bodies have.
const OF_MEMORY: usize = 8;
/// And so much at least.
const LEAST: usize = 128 << 10;

/// What watchers are answered.
#[derive(Debug)]
pub struct Answers {
    board: Board,
    house: Arc<House>,
    limits: MetricsLimits,
    metrics: Builder,
}

/// Builds it.
#[derive(Debug)]
struct Builder {
    turn: Mutex<Last>,
    /// Those who wait for their turn.
    waiting: AtomicU32,
    alive: Arc<Semaphore>,
}

/// The last text, kept while somebody waits who may share it.
#[derive(Debug, Default)]
struct Last {
    /// When building it began, and how long it took.
    time: Option<(Instant, Duration)>,
    text: Option<Bytes>,
}

impl Answers {
    pub fn new(board: Board, house: House, limits: MetricsLimits) -> Arc<Self> {
        Arc::new(Self { board, house: Arc::new(house), limits, metrics: Builder::new() })
    }

    /// The text of `/metrics`; `None` when it cannot be had now.
    pub async fn metrics(&self, intake: &Arc<Intake>) -> Option<Bytes> {
        let limit = self.limits.bytes.min(share_of(intake.limits.bodies));
        let (board, house, with_rows) = (self.board.clone(), self.house.clone(), self.limits.rows);
        let build = move |intake: &Intake| {
            metrics::text(
                intake,
                &board.copy(),
                (&house.logs, &house.archives, house.minutes.counts(), &house.outbox),
                limit,
                with_rows,
            )
        };
        self.metrics.build(intake, limit, build).await
    }

    /// What the operator's page is made of.
    pub fn parts(&self) -> (Board, Arc<House>) {
        (self.board.clone(), self.house.clone())
    }
}

fn share_of(bodies: usize) -> usize {
    (bodies / OF_MEMORY).max(LEAST)
}

/// The most bytes that all texts take at a time, where bodies may take so many.
pub fn most(limits: MetricsLimits, bodies: usize) -> usize {
    let share = share_of(bodies);
    AT_A_TIME * limits.bytes.min(share).next_multiple_of(logdrain_drain::intake::UNIT)
}

impl Builder {
    fn new() -> Self {
        Self { turn: Mutex::default(), waiting: AtomicU32::new(0), alive: Arc::new(Semaphore::new(AT_A_TIME)) }
    }

    /// Waits for its turn and builds, or shares what was begun since it came.
    async fn build(
        &self,
        intake: &Arc<Intake>,
        limit: usize,
        work: impl FnOnce(&Intake) -> String + Send + 'static,
    ) -> Option<Bytes> {
        let came = Instant::now();
        let waiting = Waiting::enter(&self.waiting);
        let built = tokio::time::timeout(PATIENCE, async {
            let mut last = self.turn.lock().await;
            let is_new = last.time.is_some_and(|(began, _)| began >= came);
            if let (true, Some(text)) = (is_new, &last.text) {
                return Some(text.clone());
            }
            last.text = None;
            if let Some((began, took)) = last.time {
                tokio::time::sleep_until((began + took * SHARE).into()).await;
            }
            let place = self.alive.clone().acquire_owned().await.ok()?;
            let mut memory = intake.lease(limit)?;
            let began = Instant::now();
            let intake = intake.clone();
            let building = tokio::task::spawn_blocking(move || {
                let mut text = work(&intake).into_bytes();
                text.shrink_to_fit();
                // What it did not become is given back.
                let unused = limit.saturating_sub(text.len()) / logdrain_drain::intake::UNIT;
                drop(memory.split(unused));
                Held::bytes(text, (memory, place))
            });
            let text = building.await.ok()?;
            last.time = Some((began, began.elapsed()));
            last.text = Some(text.clone());
            Some(text)
        })
        .await;
        drop(waiting);
        // Nobody is left who could share it.
        if self.waiting.load(Ordering::Acquire) == 0
            && let Ok(mut last) = self.turn.try_lock()
        {
            last.text = None;
        }
        built.ok().flatten()
    }
}

/// Counts one who waits, however the wait ends.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
