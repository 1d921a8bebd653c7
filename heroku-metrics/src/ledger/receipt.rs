//! What one delivery came to, and how many are added up.

mod kept;

pub(crate) use kept::Misfit;

use super::Entry;
use crate::classify::Class;
use crate::refusal::{Part, Why};
use heroku_syslog::{FrameError, FramingError};
use std::fmt;
use std::ops::Range;

/// What happened to the bytes, frames and values of one delivery, or of many added up.
///
/// ```text
/// deliveries = new + duplicate
/// octets = in frames + separators + skipped (by reason)
/// frames = native + custom + text + unread (by kind) + passed over + one off + filtered + refused (by reason)
/// values = observed + not in the plan + refused (by reason)
/// ```
///
/// *Unread* are lines of the platform in a shape that is not known: a number here says that a format has changed. *Passed
/// over* are lines of other senders than the app with `count# measure# sample#` on them, which
/// [`CustomFrom`](crate::CustomFrom) leaves out. *One off* are native lines of `run.1234` and the like that
/// [`one_off_dynos`](crate::ExtractorConfig::with_one_off_dynos) leaves out. *Repaired* frames, whose length was off by a
/// little, are counted beside: they are in `native`, `custom` and so on as well.
///
/// ```
/// use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
///
/// let mut pipeline = Pipeline::new(PipelineConfig::new())?;
/// let receipt = pipeline.ingest(&Delivery::new(b"55 <190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1\n"));
/// assert_eq!((receipt.bytes(), receipt.frames(), receipt.observed()), (58, 1, 1));
/// assert!(receipt.balances());
/// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Receipt([u64; NUMBERS]);

// Where each number is. Snapshots keep them in this order, group by group (`kept::GROUPS`), so a new number goes to the
// end of its group. First those that ordinary deliveries and frames change.
const DELIVERIES: usize = 0;
const DUPLICATES: usize = 1;
const MISCOUNTED: usize = 2;
const BYTES: usize = 3;
const FRAME_BYTES: usize = 4;
const SEPARATORS: usize = 5;
const FRAMES: usize = 6;
const NATIVE: usize = 7;
const CUSTOM: usize = 8;
const TEXT: usize = 9;
const FILTERED: usize = 10;
const VALUES: usize = 11;
const OBSERVED: usize = 12;
const NOT_IN_PLAN: usize = 13;
const IGNORED_SAMPLES: usize = 14;
const LOST_UPSTREAM: usize = 15;
const ACCEPTED: usize = 16;
const TURNED_AWAY: usize = 17;
// From here on all that seldom is anything but 0. First what was refused, by reason.
const SKIPPED: usize = 18;
const REFUSED_FRAMES: usize = SKIPPED + FRAMING.len();
const REFUSED_VALUES: usize = REFUSED_FRAMES + FRAME.len();
const REFUSED_TAGS: usize = REFUSED_VALUES + REASONS.len();
const REFUSED_FIELDS: usize = REFUSED_TAGS + REASONS.len();
// Frames of few kinds: those that are unread, by kind, and others.
const UNREAD: usize = REFUSED_FIELDS + REASONS.len();
const UNREAD_ROUTER: usize = UNREAD;
const UNREAD_RUNTIME: usize = UNREAD + 1;
const UNREAD_DATABASE: usize = UNREAD + 2;
const UNREAD_ERROR: usize = UNREAD + 3;
const PASSED_OVER: usize = UNREAD + 4;
const ONE_OFF: usize = UNREAD + 5;
/// Of frames that are counted elsewhere too.
const REPAIRED: usize = UNREAD + 6;
const NUMBERS: usize = UNREAD + 7;

/// The lines as they are printed, in runs: the stage, the group, the first number, the names. All numbers but those of
/// what the aggregator answered, which its own books tell.
const LINES: [(&str, &str, usize, &[&str]); 13] = [
    ("deliveries", "", DUPLICATES, &["duplicate", "count header disagrees"]),
    ("octets", "", BYTES, &["in", "in frames", "separators"]),
    ("octets", "skipped", SKIPPED, &FRAMING),
    ("frames", "", FRAMES, &["in", "native", "custom", "text", "filtered"]),
    ("frames", "unread", UNREAD, &["router", "runtime", "database", "error"]),
    ("frames", "", PASSED_OVER, &["passed over", "one off", "repaired"]),
    ("frames", "refused", REFUSED_FRAMES, &FRAME),
    ("upstream", "", LOST_UPSTREAM, &["messages lost before they reached us, by L10 to L13"]),
    ("values", "", VALUES, &["in", "observed", "not in the plan"]),
    ("values", "refused", REFUSED_VALUES, &REASONS),
    ("values", "tag refused", REFUSED_TAGS, &REASONS),
    ("values", "field refused", REFUSED_FIELDS, &REASONS),
    ("values", "", IGNORED_SAMPLES, &["ignored samples"]),
];

/// Why bytes were skipped, by the names of [`FramingErrorKind`](heroku_syslog::FramingErrorKind). `other` is one of a newer
/// version of the crate: nothing is lost from the books on that account.
const FRAMING: [&str; 5] = ["bad_length", "too_long", "truncated", "length_off", OTHER];

/// The same of [`FrameErrorKind`](heroku_syslog::FrameErrorKind).
const FRAME: [&str; 8] = [
    "bad_pri",
    "bad_version",
    "bad_timestamp",
    "missing_field",
    "bad_structured_data",
    "not_utf8",
    "field_too_long",
    OTHER,
];

const OTHER: &str = "other";

/// The names of [`Why`].
const REASONS: [&str; Why::ALL.len()] = {
    let (mut names, mut at) = ([""; Why::ALL.len()], 0);
    while at < names.len() {
        names[at] = Why::ALL[at].as_str();
        at += 1;
    }
    names
};

fn index(names: &[&str], name: &str) -> usize {
    let of = |name| names.iter().position(|known| *known == name);
    of(name).or_else(|| of(OTHER)).unwrap_or_default()
}

impl Default for Receipt {
    fn default() -> Self {
        Self([0; NUMBERS])
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filled = self.entries().filter(|entry| entry.count > 0);
        f.debug_map().entries(filled.map(|entry| (format!("{} {}", entry.stage, entry.name()), entry.count))).finish()
    }
}

impl Receipt {
    pub(crate) fn enter_delivery(&mut self, bytes: u64) {
        self.0[DELIVERIES] += 1;
        self.0[BYTES] += bytes;
    }

    pub(crate) fn enter_duplicate(&mut self) {
        self.0[DELIVERIES] += 1;
        self.0[DUPLICATES] += 1;
    }

    pub(crate) fn enter_miscount(&mut self) {
        self.0[MISCOUNTED] += 1;
    }

    pub(crate) fn enter_bytes(&mut self, bytes: u64) {
        self.0[BYTES] += bytes;
    }

    pub(crate) fn enter_frame_bytes(&mut self, bytes: u64) {
        self.0[FRAME_BYTES] += bytes;
    }

    pub(crate) fn enter_separators(&mut self, bytes: u64) {
        self.0[SEPARATORS] += bytes;
    }

    pub(crate) fn enter_skipped(&mut self, error: &FramingError) {
        self.0[SKIPPED + index(&FRAMING, error.kind().as_str())] += error.skipped();
    }

    pub(crate) fn enter_refused_frame(&mut self, error: &FrameError) {
        self.0[FRAMES] += 1;
        self.0[REFUSED_FRAMES + index(&FRAME, error.kind().as_str())] += 1;
    }

    pub(crate) fn enter_filtered_frame(&mut self) {
        self.0[FRAMES] += 1;
        self.0[FILTERED] += 1;
    }

    pub(crate) fn enter_frame(&mut self, class: Class, ignored_samples: u32) {
        self.0[FRAMES] += 1;
        self.0[IGNORED_SAMPLES] += u64::from(ignored_samples);
        self.0[match class {
            Class::Text => TEXT,
            Class::Custom => CUSTOM,
            Class::Router
            | Class::Runtime
            | Class::Postgres
            | Class::Redis
            | Class::PgBouncer
            | Class::PlatformError
            | Class::LogplexError
            | Class::DynoEvent
            | Class::Release => NATIVE,
            Class::UnreadRouter => UNREAD_ROUTER,
            Class::UnreadRuntime => UNREAD_RUNTIME,
            Class::UnreadDatabase => UNREAD_DATABASE,
            Class::UnreadError => UNREAD_ERROR,
            Class::PassedOver => PASSED_OVER,
            Class::OneOff => ONE_OFF,
        }] += 1;
    }

    /// A frame whose length was off and was put right, which is entered as what it is besides.
    pub(crate) fn enter_repaired(&mut self) {
        self.0[REPAIRED] += 1;
    }

    pub(crate) fn enter_lost_upstream(&mut self, messages: u64) {
        self.0[LOST_UPSTREAM] = self.0[LOST_UPSTREAM].saturating_add(messages);
    }

    /// Values that were observed together, and how many of them were accepted.
    pub(crate) fn enter_observed(&mut self, values: u64, accepted: u64) {
        self.0[VALUES] += values;
        self.0[OBSERVED] += values;
        self.0[ACCEPTED] += accepted;
        self.0[TURNED_AWAY] += values - accepted;
    }

    pub(crate) fn enter_not_in_plan(&mut self) {
        self.0[VALUES] += 1;
        self.0[NOT_IN_PLAN] += 1;
    }

    pub(crate) fn enter_refused(&mut self, reason: Why, part: Part) {
        let first = match part {
            Part::Value => REFUSED_VALUES,
            Part::Tag => REFUSED_TAGS,
            Part::Field => REFUSED_FIELDS,
        };
        self.0[VALUES] += u64::from(part == Part::Value);
        self.0[first + reason.index()] += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        // A receipt of one frame is added for each frame, and mostly nothing was refused: then four fifths of the numbers
        // need not be added.
        let (often, seldom) = other.0.split_at(SKIPPED);
        let is_any = seldom.iter().fold(0, |bits, count| bits | count) != 0;
        let added = if is_any { &other.0[..] } else { often };
        self.0.iter_mut().zip(added).for_each(|(mine, theirs)| *mine = mine.saturating_add(*theirs));
    }

    fn sum(&self, numbers: Range<usize>) -> u64 {
        self.0[numbers].iter().fold(0, |sum, number| sum.saturating_add(*number))
    }

    /// Deliveries that were counted before, and of which nothing was read again.
    #[must_use]
    pub const fn duplicates(&self) -> u64 {
        self.0[DUPLICATES]
    }

    /// Bytes that came in.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.0[BYTES]
    }

    /// Frames found, readable or not.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.0[FRAMES]
    }

    /// Frames whose header could not be read.
    #[must_use]
    pub fn refused_frames(&self) -> u64 {
        self.sum(REFUSED_FRAMES..REFUSED_VALUES)
    }

    /// Lines of the platform in a shape that is not known.
    #[must_use]
    pub fn unread_lines(&self) -> u64 {
        self.sum(UNREAD..PASSED_OVER)
    }

    /// Bytes passed over because the framing was lost or a frame was too long.
    #[must_use]
    pub fn skipped_bytes(&self) -> u64 {
        self.sum(SKIPPED..REFUSED_FRAMES)
    }

    /// Values handed to the aggregator.
    #[must_use]
    pub const fn observed(&self) -> u64 {
        self.0[OBSERVED]
    }

    /// Values that stood on a line and were refused before the aggregator.
    #[must_use]
    pub fn refused_values(&self) -> u64 {
        self.sum(REFUSED_VALUES..REFUSED_TAGS)
    }

    /// Values of metrics that the plan does not have.
    #[must_use]
    pub const fn values_not_in_plan(&self) -> u64 {
        self.0[NOT_IN_PLAN]
    }

    /// Whether the books balance at every stage. They always do; a `false` is a bug worth reporting.
    #[must_use]
    pub fn balances(&self) -> bool {
        let adds_up = |total: usize, parts: &[Range<usize>]| {
            let parts = parts.iter().flat_map(|part| &self.0[part.clone()]);
            u128::from(self.0[total]) == parts.map(|part| u128::from(*part)).sum()
        };
        adds_up(BYTES, &[FRAME_BYTES..FRAMES, SKIPPED..REFUSED_FRAMES])
            // All but the repaired, which are counted as something else as well.
            && adds_up(FRAMES, &[NATIVE..VALUES, REFUSED_FRAMES..REFUSED_VALUES, UNREAD..REPAIRED])
            && adds_up(VALUES, &[OBSERVED..IGNORED_SAMPLES, REFUSED_VALUES..REFUSED_TAGS])
            && adds_up(OBSERVED, &[ACCEPTED..TURNED_AWAY, TURNED_AWAY..SKIPPED])
            && self.0[DUPLICATES] <= self.0[DELIVERIES]
            && self.0[REPAIRED] <= self.0[FRAMES]
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        let numbers = self.0;
        // What is new is kept nowhere: it is the rest.
        let new = numbers[DELIVERIES].saturating_sub(numbers[DUPLICATES]);
        let deliveries = [("in", numbers[DELIVERIES]), ("new", new)];
        let deliveries = deliveries.map(|(name, count)| Entry { stage: "deliveries", group: "", name, count });
        deliveries.into_iter().chain(LINES.into_iter().flat_map(move |(stage, group, first, names)| {
            let counts = numbers.into_iter().skip(first);
            names.iter().zip(counts).map(move |(name, count)| Entry { stage, group, name, count })
        }))
    }
}
