//! The traffic of one app: batches of frames, each with the observations that a right reader makes of it.
//!
//! Of a thousand lines 700 are router lines, 100 dyno samples, 30 Postgres samples, 20 errors, and 150 come from the
//! application, 50 of these with metrics of its own. Dynos, paths, statuses and customers follow Zipf's law.

use super::frame::{Dialect, Framer, Origin, Precision};
use super::lines::{self, Tables};
use super::streams::{Observed, Stream, Streams};
use testkit::random::Random;
use testkit::traffic::Zipf;

/// Frames that leave together.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    pub(super) frames: Vec<u8>,
    pub(super) messages: u64,
    pub(super) observed: Vec<Observed>,
    /// Event time of the first frame, microseconds since 1970.
    pub(super) first: i64,
}

/// What is odd about the frames of a batch.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Oddities {
    /// Some messages end without LF, so that the next length follows at once.
    pub(super) glued: bool,
    /// One frame is beyond any usual limit.
    pub(super) oversize: bool,
    /// Some messages are not UTF-8.
    pub(super) invalid: bool,
}

/// A body is as long as Logplex makes it...
const TARGET: usize = 102_400;
/// ...and no ordinary frame is longer than this.
const LONGEST: usize = 2_048;

/// The number of web dynos, and of what else there is.
const DYNOS: u64 = 10;
const PATHS: u64 = 200;
const CUSTOMERS: u64 = 100;

/// Generates lines.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) random: Random,
    pub(super) streams: Streams,
    pub(super) tables: Tables,
    pub(super) dynos: Zipf,
    pub(super) paths: Zipf,
    pub(super) customers: Zipf,
    pub(super) statuses: Zipf,
    framer: Framer,
    clock: Clock,
    /// The text of the line at hand.
    pub(super) message: Vec<u8>,
    batch: Batch,
    oddities: Oddities,
}

impl Traffic {
    pub(super) fn new(seed: u64, app: Option<&str>, dialect: Dialect, token: &str, clock: Clock) -> Self {
        let mut random = Random::new(seed);
        Self {
            streams: Streams::new(app),
            tables: Tables::new(DYNOS, &mut random),
            dynos: Zipf::new(DYNOS),
            paths: Zipf::new(PATHS),
            customers: Zipf::new(CUSTOMERS),
            statuses: Zipf::new(lines::STATUSES.len() as u64),
            framer: Framer::new(dialect, token),
            clock,
            message: Vec::with_capacity(LONGEST),
            batch: Batch::default(),
            oddities: Oddities::default(),
            random,
        }
    }

    /// The next frames: at most so many, and no more than fill a body.
    pub(super) fn batch(&mut self, most: u64, oddities: Oddities) -> Batch {
        self.oddities = oddities;
        self.batch = Batch {
            frames: Vec::with_capacity(TARGET.min(most as usize * LONGEST)),
            observed: Vec::with_capacity(most.min(400) as usize * 4),
            first: self.clock.now,
            messages: 0,
        };
        let oversize = if oddities.oversize { self.random.below(most.min(300)) } else { u64::MAX };
        while self.batch.messages < most && self.batch.frames.len() + LONGEST <= TARGET {
            if self.batch.messages == oversize {
                self.oversize();
            } else if oddities.invalid && self.random.chance(60) {
                self.invalid();
            } else {
                self.line();
            }
            self.clock.tick();
        }
        // The body outgrew the target before the place of the long frame was reached.
        if oversize != u64::MAX && self.batch.messages <= oversize {
            self.oversize();
            self.clock.tick();
        }
        std::mem::take(&mut self.batch)
    }

    fn line(&mut self) {
        match self.random.below(1_000) {
            0..700 => self.router(),
            700..800 => self.runtime(),
            800..830 => self.postgres(),
            830..840 => self.router_error(),
            840..846 => self.runtime_error(),
            846..850 => self.logging_error(),
            850..900 => self.custom(),
            _ => self.text(),
        }
    }

    /// Notes what the line at hand is worth.
    pub(super) fn observe(&mut self, stream: Stream, value: f64) {
        self.batch.observed.push(Observed { stream, value, time: self.clock.now });
    }

    /// Puts the message that was written into a frame.
    pub(super) fn frame(&mut self, pri: u64, app_name: &'static str, proc_id: &[u8]) {
        let line_end = !(self.oddities.glued && self.random.chance(250));
        let origin = Origin { pri, app_name, proc_id };
        let (body, time) = (&mut self.batch.frames, self.clock.now);
        self.framer.write(body, origin, time, Precision::Micros, &self.message, line_end);
        self.batch.messages += 1;
        self.message.clear();
    }

    pub(super) fn framer(&mut self) -> &mut Framer {
        &mut self.framer
    }

    /// The event time of the next line.
    pub(super) fn now(&self) -> i64 {
        self.clock.now
    }
}

/// Event time: so many lines spread evenly over a span. No two lines have the same time, so that which value is the
/// last does not depend on the order of deliveries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    now: i64,
    step: i64,
    rest: i64,
    owed: i64,
    lines: i64,
}

impl Clock {
    /// Microseconds; a span of less than one for each line is made longer.
    pub(super) fn new(start: i64, span: i64, lines: u64) -> Self {
        let lines = i64::try_from(lines).unwrap_or(i64::MAX).max(1);
        let span = span.max(lines);
        Self { now: start, step: span / lines, rest: span % lines, owed: 0, lines }
    }

    fn tick(&mut self) {
        self.now = self.now.saturating_add(self.step);
        self.owed += self.rest;
        if self.owed >= self.lines {
            self.owed -= self.lines;
            self.now = self.now.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic() -> Traffic {
        Traffic::new(1, None, Dialect::Logplex, "d.x", Clock::new(0, 60_000_000, 70_000))
    }

    #[test]
    fn a_body_is_about_as_long_as_logplex_makes_it() {
        let mut traffic = traffic();
        let (mut lines, mut last) = (0, -1);
        for _ in 0..20 {
            let batch = traffic.batch(1_000, Oddities::default());
            assert!((TARGET - LONGEST..=TARGET).contains(&batch.frames.len()), "{}", batch.frames.len());
            assert!(batch.first > last);
            last = batch.observed.iter().map(|seen| seen.time).max().unwrap();
            lines += batch.messages;
        }
        assert!((5_000..10_000).contains(&lines), "{lines}");
        assert_eq!(traffic.batch(7, Oddities::default()).messages, 7);
    }

    #[test]
    fn a_stream_has_one_value_an_instant() {
        let mut traffic = traffic();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..20 {
            let odd = Oddities { glued: true, oversize: true, invalid: true };
            for value in traffic.batch(1_000, odd).observed {
                assert!(seen.insert((value.stream, value.time)), "{:?}", traffic.streams.keys()[value.stream as usize]);
            }
        }
    }

    #[test]
    fn the_clock_ends_where_the_span_ends() {
        for (span, lines) in [(60_000_000, 7), (100, 100), (5, 10), (1_000_003, 999)] {
            let mut clock = Clock::new(0, span, lines);
            for _ in 0..lines {
                let before = clock.now;
                clock.tick();
                assert!(clock.now > before);
            }
            assert_eq!(clock.now, span.max(lines as i64));
        }
    }
}
