//! Traffic of a large application in any amount, with the true counts: what the benches read.
//!
//! Of a thousand lines 700 are router lines, 100 dyno samples, 30 Postgres samples, 20 errors (half of them router lines with
//! an H code, the rest R and L codes), and 150 come from the application, 50 of these with metrics. Dynos, paths,
//! statuses and customers follow Zipf's law: the second is met half as often as the first, the third a third as often.

mod lines;

use crate::random::Random;
use std::collections::HashSet;
use std::io::Write as _;

/// What to generate. The same value generates the same bytes.
///
/// ```
/// let haystack = testkit::traffic::Traffic::new(1).bytes(100_000).generate();
/// assert!(haystack.body().len() <= 100_000);
/// assert!(haystack.truth().router_lines > 150);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Traffic {
    seed: u64,
    bytes: usize,
    scale: u64,
    lines_per_second: u64,
}

/// A drain body and the truth about it.
#[derive(Clone, Debug)]
pub struct Haystack {
    body: Vec<u8>,
    truth: Truth,
}

/// What a correct reader finds in a [`Haystack`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Truth {
    /// Frames, all of them good.
    pub lines: u64,
    /// Lines from `heroku` `router`, those with an H code included.
    pub router_lines: u64,
    /// Router lines with an H code.
    pub router_errors: u64,
    /// The sum of `service=`, in milliseconds, where there is a value.
    pub router_service_ms: u64,
    /// The sum of `bytes=`, where there is a value.
    pub router_bytes: u64,
    /// Different combinations of dyno, method and status.
    pub router_groups: u64,
    /// Load and memory lines of dynos.
    pub runtime_lines: u64,
    /// `sample#` tokens on these.
    pub runtime_samples: u64,
    /// Lines of databases.
    pub postgres_lines: u64,
    /// `sample#` tokens on these.
    pub postgres_samples: u64,
    /// Lines with an R code.
    pub runtime_errors: u64,
    /// Lines with an L code.
    pub logging_errors: u64,
    /// The messages that the L lines say were lost.
    pub messages_lost: u64,
    /// Lines from `app` dynos with at least one metric.
    pub custom_lines: u64,
    /// `count#`, `measure#` and `sample#` tokens on these.
    pub custom_observations: u64,
    /// Different combinations of name and tags among these.
    pub custom_groups: u64,
    /// Lines from `app` dynos without a metric.
    pub text_lines: u64,
}

impl Traffic {
    /// A mebibyte of the traffic of ten web dynos, 5,000 lines a second.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, bytes: 1 << 20, scale: 1, lines_per_second: 5_000 }
    }

    /// At most this many bytes, whole frames only, short of it by less than 2 KiB.
    #[must_use]
    pub const fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Ten web dynos, a hundred customers and two hundred paths for each step of the scale; at least one.
    #[must_use]
    pub const fn scale(mut self, scale: u64) -> Self {
        self.scale = if scale == 0 { 1 } else { scale };
        self
    }

    /// How fast the time of the lines goes on: 1 to 1,000,000 of them a second. It begins at 2026-03-14T09:00:00Z.
    #[must_use]
    pub const fn lines_per_second(mut self, lines: u64) -> Self {
        self.lines_per_second = match lines {
            0 => 1,
            1..=1_000_000 => lines,
            _ => 1_000_000,
        };
        self
    }

    /// Generates the body.
    #[must_use]
    pub fn generate(self) -> Haystack {
        let mut writer = Writer::new(self);
        while writer.body.len() < self.bytes {
            let (length, truth) = (writer.body.len(), writer.truth);
            writer.line();
            if writer.body.len() > self.bytes {
                writer.body.truncate(length);
                writer.truth = truth;
                break;
            }
        }
        let mut truth = writer.truth;
        truth.router_groups = writer.router_groups.len() as u64;
        truth.custom_groups = writer.custom_groups.len() as u64;
        Haystack { body: writer.body, truth }
    }
}

impl Haystack {
    /// The frames, as an HTTPS drain writes them.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// What is in it.
    #[must_use]
    pub const fn truth(&self) -> &Truth {
        &self.truth
    }
}

/// Ranks by Zipf's law, exponent 1, over integer weights: the second is met half as often as the first.
///
/// ```
/// use testkit::{random::Random, traffic::Zipf};
/// let (zipf, mut random) = (Zipf::new(10), Random::new(1));
/// let firsts = (0..1_000).filter(|_| zipf.rank(&mut random) == 0).count();
/// assert!((300..400).contains(&firsts));
/// ```
#[derive(Clone, Debug)]
pub struct Zipf {
    sums: Vec<u64>,
}

impl Zipf {
    /// Of `count` ranks, at least one.
    #[must_use]
    pub fn new(count: u64) -> Self {
        let sums = (1..=count.max(1))
            .scan(0, |sum, rank| {
                *sum += (1 << 32) / rank;
                Some(*sum)
            })
            .collect();
        Self { sums }
    }

    /// One of them, counted from 0.
    pub fn rank(&self, random: &mut Random) -> usize {
        let at = random.below(self.sums.last().copied().unwrap_or_default());
        self.sums.partition_point(|&sum| sum <= at)
    }
}

struct Writer {
    traffic: Traffic,
    random: Random,
    dynos: Zipf,
    paths: Zipf,
    customers: Zipf,
    statuses: Zipf,
    /// The stable half of the ids of the dynos, by number.
    seed_of_ids: u64,
    body: Vec<u8>,
    header: Vec<u8>,
    message: Vec<u8>,
    truth: Truth,
    router_groups: HashSet<(usize, usize, u16)>,
    custom_groups: HashSet<(u8, usize)>,
}

impl Writer {
    fn new(traffic: Traffic) -> Self {
        Self {
            traffic,
            random: Random::new(traffic.seed),
            dynos: Zipf::new(traffic.scale.saturating_mul(10)),
            paths: Zipf::new(traffic.scale.saturating_mul(200)),
            customers: Zipf::new(traffic.scale.saturating_mul(100)),
            statuses: Zipf::new(lines::STATUSES.len() as u64),
            seed_of_ids: traffic.seed ^ 0xd1_2e5,
            body: Vec::with_capacity(traffic.bytes),
            header: Vec::with_capacity(128),
            message: Vec::with_capacity(1_024),
            truth: Truth::default(),
            router_groups: HashSet::new(),
            custom_groups: HashSet::new(),
        }
    }

    fn line(&mut self) {
        self.truth.lines += 1;
        match self.random.below(1_000) {
            0..700 => self.router(),
            700..800 => self.runtime(),
            800..830 => self.postgres(),
            830..840 => self.router_error(),
            840..845 => self.runtime_error(),
            845..850 => self.logging_error(),
            850..900 => self.custom(),
            _ => self.text(),
        }
    }

    /// Puts the message that was written into a frame.
    fn frame(&mut self, pri: u8, app_name: &str, proc_id: &str, end: &str) {
        let micros = (self.truth.lines - 1) * (1_000_000 / self.traffic.lines_per_second);
        let second = micros / 1_000_000 + 9 * 3_600;
        let (hour, minute, second, micros) = (second / 3_600 % 24, second / 60 % 60, second % 60, micros % 1_000_000);
        self.header.clear();
        // Writing to a `Vec` cannot fail.
        let _ = write!(
            self.header,
            "<{pri}>1 2026-03-14T{hour:02}:{minute:02}:{second:02}.{micros:06}+00:00 host {app_name} {proc_id} - "
        );
        let length = self.header.len() + self.message.len() + end.len();
        self.body.extend_from_slice(length.to_string().as_bytes());
        self.body.push(b' ');
        self.body.extend_from_slice(&self.header);
        self.body.extend_from_slice(&self.message);
        self.body.extend_from_slice(end.as_bytes());
        self.message.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_generates_the_same_bytes() {
        let traffic = Traffic::new(7).bytes(200_000);
        assert_eq!(traffic.generate().body(), traffic.generate().body());
        assert_ne!(traffic.generate().body(), Traffic::new(8).bytes(200_000).generate().body());
    }

    #[test]
    fn the_counts_are_those_of_a_plain_search() {
        let haystack = Traffic::new(3).bytes(2_000_000).scale(3).generate();
        let truth = haystack.truth();
        let (mut lines, mut router, mut service, mut bytes, mut samples, mut custom) = (0, 0, 0, 0, 0, 0);
        let mut body = haystack.body();
        while !body.is_empty() {
            let space = body.iter().position(|&b| b == b' ').expect("a count");
            let length: usize = core::str::from_utf8(&body[..space]).expect("digits").parse().expect("a number");
            let frame = core::str::from_utf8(&body[space + 1..space + 1 + length]).expect("text");
            body = &body[space + 1 + length..];
            lines += 1;
            if frame.contains(" heroku router - ") {
                router += 1;
                service += value(frame, " service=").trim_end_matches("ms").parse().unwrap_or(0);
                bytes += value(frame, " bytes=").parse().unwrap_or(0);
            } else if frame.contains(" app web.") || frame.contains(" app worker.") {
                custom += ["count#", "measure#", "sample#"]
                    .map(|kind| frame.matches(kind).count() as u64)
                    .iter()
                    .sum::<u64>();
            } else {
                samples += frame.matches("sample#").count() as u64;
            }
        }
        assert_eq!(lines, truth.lines);
        assert_eq!(router, truth.router_lines);
        assert_eq!(service, truth.router_service_ms);
        assert_eq!(bytes, truth.router_bytes);
        assert_eq!(samples, truth.runtime_samples + truth.postgres_samples);
        assert_eq!(custom, truth.custom_observations);
        let parts = truth.router_lines + truth.runtime_lines + truth.postgres_lines + truth.runtime_errors;
        assert_eq!(parts + truth.logging_errors + truth.custom_lines + truth.text_lines, truth.lines);
    }

    #[test]
    fn the_mixture_is_the_one_promised() {
        let truth = *Traffic::new(11).bytes(4_000_000).generate().truth();
        let per_mille = |part: u64| part * 1_000 / truth.lines;
        assert!((690..=730).contains(&per_mille(truth.router_lines)), "{truth:?}");
        assert!((90..=110).contains(&per_mille(truth.runtime_lines)), "{truth:?}");
        assert!((25..=35).contains(&per_mille(truth.postgres_lines)), "{truth:?}");
        assert!((44..=56).contains(&per_mille(truth.custom_lines)), "{truth:?}");
        assert!((92..=108).contains(&per_mille(truth.text_lines)), "{truth:?}");
        assert!(truth.router_errors > 0 && truth.runtime_errors > 0 && truth.messages_lost > 0);
    }

    #[test]
    fn the_scale_opens_more_groups() {
        let groups = |scale| Traffic::new(5).bytes(2_000_000).scale(scale).generate().truth().router_groups;
        assert!(groups(20) > 2 * groups(1), "{} {}", groups(20), groups(1));
    }

    fn value<'a>(frame: &'a str, key: &str) -> &'a str {
        frame.rsplit_once(key).and_then(|(_, rest)| rest.split([' ', '\n']).next()).unwrap_or_default()
    }
}
