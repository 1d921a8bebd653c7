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
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Semaphore};

/// Texts that are in memory at a time.
const AT_A_TIME: usize = 4;
/// How long a watcher waits for its turn, besides the rest that is due before it.
const PATIENCE: Duration = Duration::from_secs(2);
/// Building takes one part in so many of the time.
const SHARE: u32 = 5;
/// The longest rest that is waited for.
const LONGEST_REST: Duration = Duration::from_secs(10);
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
    /// How long it may be from the beginning of the last one to the end of the next one, in milliseconds: where other programs
    /// take the machine, building takes long by the clock.
    rest: AtomicU64,
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
        Self {
            turn: Mutex::default(),
            waiting: AtomicU32::new(0),
            alive: Arc::new(Semaphore::new(AT_A_TIME)),
            rest: AtomicU64::new(0),
        }
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
        let patience = PATIENCE + Duration::from_millis(self.rest.load(Ordering::Relaxed)).min(LONGEST_REST);
        let built = tokio::time::timeout(patience, async {
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
            let took = began.elapsed();
            let rest = took * (SHARE + 1);
            self.rest.store(u64::try_from(rest.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
            last.time = Some((began, took));
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

#[cfg(test)]
mod tests {
    use super::*;
    use logdrain_drain::intake::Access;
    use logdrain_drain::limits::IntakeLimits;

    /// Where other programs take the machine, building takes long, and the rest behind it is longer than anybody waits
    /// for his turn.
    #[tokio::test]
    async fn who_asks_again_at_once_is_answered_however_long_the_last_answer_took() {
        let settings = r#"{"window_ms":60000,"lateness_ms":60000,"horizon_ms":3600000,"extended":false,"websockets":true,
            "limits":{"streams":1000,"key_bytes":100000,"window_bytes":4000000},"drains":{}}"#;
        let limits = IntakeLimits {
            body: 1 << 20,
            bodies: 4 << 20,
            frames: 1 << 20,
            answers: 1 << 20,
            connections: 10,
            drains: 10,
            drain: 1 << 20,
            answer_within: Duration::from_secs(5),
            idle: Duration::from_secs(5),
        };
        let (access, settings) = (Access::new([], None), serde_json::from_str(settings).unwrap());
        let intake =
            Arc::new(Intake::new(limits, access, None, settings, Arc::default(), Arc::default(), Arc::default()));
        let builder = Builder::new();
        let slow = Duration::from_millis(450);
        assert!(slow * SHARE > PATIENCE);
        for _ in 0..2 {
            let text = builder.build(&intake, 1 << 10, move |_: &Intake| {
                std::thread::sleep(slow);
                "text".to_owned()
            });
            assert_eq!(text.await.as_deref(), Some(&b"text"[..]));
        }
    }
}
