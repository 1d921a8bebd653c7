//! One drain: its deliveries in the order in which they leave, what was lost on the way, and the truth about the rest.

use crate::batch::Batch;
use crate::clock::Clock;
use crate::error::Error;
use crate::frame::{Dialect, Origin, Precision, stamp};
use crate::lines::Lines;
use crate::scenario::{Habits, MessageCount, Scenarios};
use crate::streams::{self, Observed};
use crate::text;
use crate::traffic::Traffic;
use crate::truth::{Truth, WriteRow};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use testkit::random::Random;

/// How a drain is set up.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) token: String,
    pub(crate) app: Option<String>,
    pub(crate) dialect: Dialect,
    /// Event time of the first line and how far the others are spread, in microseconds.
    pub(crate) start: i64,
    pub(crate) span: i64,
    pub(crate) lines: u64,
    /// The most lines of one delivery.
    pub(crate) batch: u64,
    pub(crate) scenarios: Scenarios,
    pub(crate) with_truth: bool,
}

/// A batch with its name, the same on every try.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) habits: Habits,
    /// The number of the last line in it, counted from 1.
    pub(crate) last_line: u64,
    batch: Batch,
    /// What an L10 frame in front tells.
    loss: Option<Loss>,
}

/// Messages that were lost, and since when (microseconds since 1970).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Loss {
    pub(crate) messages: u64,
    since: i64,
}

/// A delivery that is to leave.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) delivery: Arc<Delivery>,
    /// It was acknowledged before, and must not count again.
    pub(crate) again: bool,
}

/// The sending end.
#[derive(Debug)]
pub(crate) struct Drain {
    settings: Settings,
    traffic: Traffic,
    /// Apart from that of the traffic: scenarios do not change what the lines say.
    random: Random,
    /// Ids differ from run to run as event times do, or a receiver would take the second run for retries of the first.
    ids: Random,
    made: u64,
    sequence: u64,
    lost: Option<Loss>,
    /// What leaves when so many deliveries have been made.
    later: BTreeMap<(u64, u64), Job>,
    truth: Option<Truth>,
}

impl Delivery {
    /// Messages without an L10 frame in front.
    pub(crate) fn messages(&self) -> u64 {
        self.batch.messages
    }

    pub(crate) fn loss(&self) -> Option<Loss> {
        self.loss
    }

    /// More messages were lost before the next try.
    pub(crate) fn with_more_lost(&self, messages: u64) -> Loss {
        let since = self.loss.map_or(self.batch.first, |loss| loss.since);
        Loss { messages: messages + self.loss.map_or(0, |loss| loss.messages), since }
    }

    /// What `Logplex-Msg-Count` says about a body with or without an L10 frame.
    pub(crate) fn message_count(&self, loss: Option<Loss>) -> Option<String> {
        let frames = self.batch.messages + u64::from(loss.is_some());
        match self.habits.count {
            MessageCount::Right => Some(frames.to_string()),
            MessageCount::Off(by) => Some((frames + by).to_string()),
            MessageCount::Short => Some((frames - 1).to_string()),
            MessageCount::Words => Some("many".to_owned()),
            MessageCount::Absent => None,
        }
    }
}

impl Drain {
    pub(crate) fn new(settings: Settings) -> Self {
        let clock = Clock::new(settings.start, settings.span, settings.lines);
        let lines = Lines::new(settings.seed, settings.app.as_deref(), settings.dialect, &settings.token, clock);
        Self {
            traffic: Traffic::new(lines),
            random: Random::new(settings.seed.rotate_left(17)),
            ids: Random::new(settings.seed ^ settings.start.cast_unsigned().rotate_left(32)),
            made: 0,
            sequence: 0,
            lost: None,
            later: BTreeMap::new(),
            truth: settings.with_truth.then(Truth::default),
            settings,
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What leaves next; `None` when there is nothing left to do.
    pub(crate) fn next(&mut self) -> Option<Job> {
        loop {
            let over = self.made == self.settings.lines;
            if let Some(entry) = self.later.first_entry().filter(|entry| over || entry.key().0 <= self.sequence) {
                return Some(entry.remove());
            }
            if over {
                return None;
            }
            let job = Job { delivery: Arc::new(self.make()), again: false };
            match job.delivery.habits.held_for {
                0 => return Some(job),
                held => self.hold(job, held),
            }
        }
    }

    /// Makes no more lines; what was held back still leaves.
    pub(crate) fn stop(&mut self) {
        self.settings.lines = self.made;
    }

    fn hold(&mut self, job: Job, deliveries: u64) {
        let due = self.sequence + deliveries;
        let turn = self.later.range((due, 0)..=(due, u64::MAX)).next_back().map_or(0, |((_, turn), _)| turn + 1);
        self.later.insert((due, turn), job);
    }

    fn make(&mut self) -> Delivery {
        let habits = self.settings.scenarios.draw(&mut self.random, self.settings.seed, self.sequence);
        let most = self.settings.batch.min(self.settings.lines - self.made);
        let mut loss = self.lost.take();
        if habits.invented_loss > 0 {
            let earlier = loss.unwrap_or(Loss { messages: 0, since: self.traffic.lines.now() - 5_000_000 });
            loss = Some(Loss { messages: earlier.messages + habits.invented_loss, ..earlier });
        }
        let batch = self.traffic.batch(most, habits.oddities);
        self.made += batch.messages;
        self.sequence += 1;
        Delivery { id: text::frame_id(&mut self.ids), habits, last_line: self.made, batch, loss }
    }

    /// The body of a delivery; an L10 frame goes in front when messages were lost.
    pub(crate) fn body(&mut self, delivery: &Delivery, loss: Option<Loss>) -> Vec<u8> {
        let mut body = Vec::with_capacity(delivery.batch.frames.len() + 256);
        if let Some(loss) = loss {
            let since = stamp(loss.since.div_euclid(1_000_000));
            let message =
                format!("Error L10 (output buffer overflow): {} messages dropped since {since}+00:00.", loss.messages);
            let origin = Origin { pri: 172, app_name: "heroku", proc_id: b"logplex" };
            let framer = self.traffic.lines.framer();
            framer.write(&mut body, origin, delivery.batch.first, Precision::Seconds, message.as_bytes(), false);
        }
        body.extend_from_slice(&delivery.batch.frames);
        body
    }

    /// The delivery counts, with this L10 frame in front.
    pub(crate) fn taken(&mut self, job: &Job, loss: Option<Loss>) {
        let delivery = &job.delivery;
        if !job.again {
            for copy in 0..delivery.habits.copies {
                let held = self.ids.between(0, 8) + copy;
                self.hold(Job { delivery: Arc::clone(delivery), again: true }, held);
            }
            if let Some(truth) = &mut self.truth {
                truth.add(&delivery.batch.observed);
                if let Some(loss) = loss {
                    let tags = [("code", "L10"), ("code_description", "output buffer overflow")];
                    let stream = self.traffic.lines.streams.open(streams::LOGGING_ERRORS, &tags);
                    let time = delivery.batch.first.div_euclid(1_000_000) * 1_000_000;
                    truth.add(&[Observed { stream, value: loss.messages as f64, time }]);
                }
            }
        }
    }

    /// The delivery is lost, and with it what it told of earlier losses. The next one will tell.
    pub(crate) fn dropped(&mut self, delivery: &Delivery) {
        let lost = delivery.with_more_lost(delivery.messages());
        self.lost = Some(match self.lost {
            None => lost,
            Some(known) => Loss { messages: known.messages + lost.messages, since: known.since.min(lost.since) },
        });
    }

    /// Messages whose loss no delivery has told yet.
    pub(crate) fn untold(&self) -> u64 {
        self.lost.map_or(0, |loss| loss.messages)
    }

    /// Writes the truth, if it was kept.
    pub(crate) fn write_truth(&mut self, out: &mut dyn Write, write_row: &WriteRow<'_>) -> Result<(), Error> {
        match self.truth.take() {
            Some(truth) => truth.write(self.traffic.lines.streams.keys(), out, write_row),
            None => Ok(()),
        }
    }
}
