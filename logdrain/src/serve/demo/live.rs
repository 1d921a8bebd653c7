//! The present: each second the lines that would have been written by then, through the same queue as any delivery.

use super::fill::{Filled, delivery};
use crate::demo::{APPS, Stamp, Story};
use logdrain_drain::intake::Intake;
use logdrain_drain::journal::{self, Answer, Message};
use logdrain_drain::logs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60;
/// How long it looks for something to do.
const LOOK_AROUND: Duration = Duration::from_millis(100);
/// Between two deliveries.
const EVERY: Duration = Duration::from_secs(1);
/// After a pause (the machine slept) nobody needs what would have been.
const MISSED: i64 = 15 * 60 * SECOND;

/// Goes on where the past ends.
#[derive(Debug)]
pub(crate) struct Live {
    story: Story,
    /// Up to here lines were sent, in microseconds since 1970.
    sent: i64,
    filled: Filled,
    began: Instant,
}

impl Live {
    /// `began` is when the past was begun with.
    pub(super) const fn new(story: Story, sent: i64, filled: Filled, began: Instant) -> Self {
        Self { story, sent, filled, began }
    }

    /// Says when everything of the past can be looked at, and sends until the server stops.
    pub(crate) fn run(mut self, intake: &Arc<Intake>, logs: &logs::Board, base: &str, stop: &AtomicBool) {
        while !(intake.is_ready() && logs.shown().position >= self.filled.position) {
            if stop.load(Ordering::Acquire) {
                return;
            }
            std::thread::sleep(LOOK_AROUND);
        }
        println!("{}", welcome(base, self.filled.lines, self.began.elapsed()));
        let mut stamp = Stamp::default();
        let mut next = Instant::now();
        while !stop.load(Ordering::Acquire) {
            if next > Instant::now() {
                std::thread::sleep(LOOK_AROUND);
                continue;
            }
            next = Instant::now() + EVERY;
            let now = journal::now().unix_micros();
            self.sent = self.sent.max(now - MISSED);
            self.send(intake, now, &mut stamp);
            self.sent = now;
        }
    }
}

impl Live {
    /// Sends what was written since it was sent last. What the journal does not take now is not sent again: nobody misses
    /// it.
    fn send(&self, intake: &Arc<Intake>, now: i64, stamp: &mut Stamp) {
        for app in APPS {
            let minutes = self.sent.div_euclid(MINUTE * SECOND)..=now.div_euclid(MINUTE * SECOND);
            let lines = minutes.flat_map(|minute| self.story.lines(app, minute * MINUTE));
            let lines: Vec<_> = lines.filter(|line| self.sent < line.at && line.at <= now).collect();
            if lines.is_empty() {
                continue;
            }
            let record = Box::new(delivery(app.token, now, &lines, stamp));
            let bytes = record.body.bytes().len() as u64;
            let (answer, answered) = oneshot::channel();
            let Some(queue) = intake.queue() else { return };
            if queue.try_send(Message::Delivery { key: None, record, answer }).is_err() {
                continue;
            }
            drop(queue);
            if matches!(answered.blocking_recv(), Ok(Answer::Kept)) {
                intake.counters.kept.add(1);
                intake.counters.octets.add(bytes);
            }
        }
    }
}

/// Where there is something to be seen.
fn welcome(base: &str, lines: u64, took: Duration) -> String {
    let pages = [
        ("/dashboards/overview", "five dashboards: requests, errors, status codes, databases, dynos"),
        ("/explore", "every metric: by name, by tag"),
        ("/events", "every line: find, follow, read around it"),
        ("/status", "what comes in, and what it costs"),
        ("/metrics", "the last minute of each metric, for Prometheus"),
    ];
    let seconds = took.as_secs_f64();
    let mut text = format!("{lines} lines of shop, depot and blog are there, after {seconds:.1} s. Look at\n");
    for (path, what) in pages {
        text.push_str(&format!("  {:<44} {what}\n", format!("{base}{path}")));
    }
    text.push_str("New lines go on coming. Ctrl-C ends it.");
    text
}
