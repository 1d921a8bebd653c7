//! What one delivery came to, and how many are added up.

mod kept;

pub(crate) use kept::Misfit;

use super::Entry;
use crate::{Class, Part, Reason};
use heroku_syslog::{FrameError, FramingError};
use minute_aggregator::Outcome;

/// What happened to the octets, frames and values of one delivery, or of many added up.
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
/// [`CustomFrom`](crate::CustomFrom) leaves out. *One off* are native lines of
/// `run.1234` and the like that [`one_off_dynos`](crate::ExtractorConfig::one_off_dynos) leaves out. *Repaired* frames, whose length was off by a little, are counted
/// beside: they are in `native`, `custom` and so on as well.
///
/// ```
/// use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
///
/// let mut pipeline = Pipeline::new(PipelineConfig::new())?;
/// let receipt = pipeline.ingest(&Delivery::new(b"55 <190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1\n"));
/// assert_eq!((receipt.octets(), receipt.frames(), receipt.observed()), (58, 1, 1));
/// assert!(receipt.balances());
/// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Receipt {
    deliveries: u64,
    duplicates: u64,
    miscounted: u64,
    octets: u64,
    frame_octets: u64,
    separators: u64,
    skipped: [u64; FRAMING.len()],
    frames: u64,
    native: u64,
    custom: u64,
    text: u64,
    filtered: u64,
    refused_frames: [u64; FRAME.len()],
    values: u64,
    observed: u64,
    not_in_plan: u64,
    refused_values: [u64; Reason::ALL.len()],
    refused_tags: [u64; Reason::ALL.len()],
    refused_fields: [u64; Reason::ALL.len()],
    ignored_samples: u64,
    lost_upstream: u64,
    accepted: u64,
    turned_away: u64,
    seldom: [u64; SELDOM.len()],
}

/// Why bytes were skipped, by the names of [`FramingErrorKind`](heroku_syslog::FramingErrorKind). `other` is one of a newer
/// version of the crate: nothing is lost from the books on that account. Snapshots keep the order: new ones go to the end.
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

/// What seldom happens to a frame: group and name. Snapshots keep the order: new ones go to the end.
const SELDOM: [(&str, &str); 7] = [
    ("unread", "router"),
    ("unread", "runtime"),
    ("unread", "database"),
    ("unread", "error"),
    ("", "passed over"),
    ("", "one off"),
    ("", "repaired"),
];
const UNREAD_ROUTER: usize = 0;
const UNREAD_RUNTIME: usize = 1;
const UNREAD_DATABASE: usize = 2;
const UNREAD_ERROR: usize = 3;
const PASSED_OVER: usize = 4;
const ONE_OFF: usize = 5;
/// Of frames that are counted elsewhere too.
const REPAIRED: usize = 6;

fn place(names: &[&str], name: &str) -> usize {
    let of = |name| names.iter().position(|known| *known == name);
    of(name).or_else(|| of(OTHER)).unwrap_or_default()
}

impl Receipt {
    pub(crate) fn enter_delivery(&mut self, octets: u64) {
        self.deliveries += 1;
        self.octets += octets;
    }

    pub(crate) fn enter_duplicate(&mut self) {
        self.deliveries += 1;
        self.duplicates += 1;
    }

    pub(crate) fn enter_miscount(&mut self) {
        self.miscounted += 1;
    }

    pub(crate) fn enter_octets(&mut self, octets: u64) {
        self.octets += octets;
    }

    pub(crate) fn enter_frame_octets(&mut self, octets: u64) {
        self.frame_octets += octets;
    }

    pub(crate) fn enter_separators(&mut self, octets: u64) {
        self.separators += octets;
    }

    pub(crate) fn enter_skipped(&mut self, error: &FramingError) {
        self.skipped[place(&FRAMING, error.kind().as_str())] += error.skipped();
    }

    pub(crate) fn enter_refused_frame(&mut self, error: &FrameError) {
        self.frames += 1;
        self.refused_frames[place(&FRAME, error.kind().as_str())] += 1;
    }

    pub(crate) fn enter_filtered_frame(&mut self) {
        self.frames += 1;
        self.filtered += 1;
    }

    pub(crate) fn enter_frame(&mut self, class: Class, ignored_samples: u32) {
        self.frames += 1;
        self.ignored_samples += u64::from(ignored_samples);
        let place = match class {
            Class::Text => return self.text += 1,
            Class::Custom => return self.custom += 1,
            Class::Router
            | Class::Runtime
            | Class::Postgres
            | Class::Redis
            | Class::PgBouncer
            | Class::PlatformError
            | Class::LogplexError
            | Class::DynoEvent
            | Class::Release => return self.native += 1,
            Class::UnreadRouter => UNREAD_ROUTER,
            Class::UnreadRuntime => UNREAD_RUNTIME,
            Class::UnreadDatabase => UNREAD_DATABASE,
            Class::UnreadError => UNREAD_ERROR,
            Class::PassedOver => PASSED_OVER,
            Class::OneOff => ONE_OFF,
        };
        self.seldom[place] += 1;
    }

    /// A frame whose length was off and was put right, which is entered as what it is besides.
    pub(crate) fn enter_repaired(&mut self) {
        self.seldom[REPAIRED] += 1;
    }

    pub(crate) fn enter_lost_upstream(&mut self, messages: u64) {
        self.lost_upstream = self.lost_upstream.saturating_add(messages);
    }

    pub(crate) fn enter_observed(&mut self, outcome: Outcome) {
        self.enter_all_observed(1, u64::from(outcome == Outcome::Accepted));
    }

    /// So many values, of which so many were accepted.
    pub(crate) fn enter_all_observed(&mut self, values: u64, accepted: u64) {
        self.values += values;
        self.observed += values;
        self.accepted += accepted;
        self.turned_away += values - accepted;
    }

    pub(crate) fn enter_not_in_plan(&mut self) {
        self.values += 1;
        self.not_in_plan += 1;
    }

    pub(crate) fn enter_refused(&mut self, reason: Reason, part: Part) {
        match part {
            Part::Value => {
                self.values += 1;
                self.refused_values[reason.place()] += 1;
            }
            Part::Tag => self.refused_tags[reason.place()] += 1,
            Part::Field => self.refused_fields[reason.place()] += 1,
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let Self { skipped, refused_frames, refused_values, refused_tags, refused_fields, seldom, .. } = other;
        // A receipt of one frame is added for each frame: where nothing was refused, as mostly, four fifths of the numbers
        // need not be gone through.
        let any = |counts: &[u64]| counts.iter().fold(0, |bits, count| bits | count) != 0;
        if any(skipped)
            || any(refused_frames)
            || any(refused_values)
            || any(refused_tags)
            || any(refused_fields)
            || any(seldom)
        {
            self.add_seldom(other);
        }
        let sum = |mine: u64, theirs: u64| mine.saturating_add(theirs);
        *self = Self {
            deliveries: sum(self.deliveries, other.deliveries),
            duplicates: sum(self.duplicates, other.duplicates),
            miscounted: sum(self.miscounted, other.miscounted),
            octets: sum(self.octets, other.octets),
            frame_octets: sum(self.frame_octets, other.frame_octets),
            separators: sum(self.separators, other.separators),
            skipped: self.skipped,
            frames: sum(self.frames, other.frames),
            native: sum(self.native, other.native),
            custom: sum(self.custom, other.custom),
            text: sum(self.text, other.text),
            filtered: sum(self.filtered, other.filtered),
            refused_frames: self.refused_frames,
            values: sum(self.values, other.values),
            observed: sum(self.observed, other.observed),
            not_in_plan: sum(self.not_in_plan, other.not_in_plan),
            refused_values: self.refused_values,
            refused_tags: self.refused_tags,
            refused_fields: self.refused_fields,
            ignored_samples: sum(self.ignored_samples, other.ignored_samples),
            lost_upstream: sum(self.lost_upstream, other.lost_upstream),
            accepted: sum(self.accepted, other.accepted),
            turned_away: sum(self.turned_away, other.turned_away),
            seldom: self.seldom,
        };
    }

    /// Adds what is nearly always nothing.
    #[cold]
    fn add_seldom(&mut self, other: &Self) {
        let add = |mine: &mut [u64], theirs: &[u64]| {
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine = mine.saturating_add(*theirs));
        };
        add(&mut self.skipped, &other.skipped);
        add(&mut self.refused_frames, &other.refused_frames);
        add(&mut self.refused_values, &other.refused_values);
        add(&mut self.refused_tags, &other.refused_tags);
        add(&mut self.refused_fields, &other.refused_fields);
        add(&mut self.seldom, &other.seldom);
    }

    /// Deliveries that were counted before, and of which nothing was read again.
    ///
    /// ```
    /// # use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
    /// # let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// let delivery = Delivery::new(b"4 junk").with_frame_id("9C2F");
    /// assert_eq!((pipeline.ingest(&delivery).duplicates(), pipeline.ingest(&delivery).duplicates()), (0, 1));
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Octets that came in.
    ///
    /// ```
    /// # use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
    /// # let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// assert_eq!(pipeline.ingest(&Delivery::new(b"junk")).octets(), 4);
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn octets(&self) -> u64 {
        self.octets
    }

    /// Frames found, readable or not.
    ///
    /// ```
    /// # use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
    /// # let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// assert_eq!(pipeline.ingest(&Delivery::new(b"4 junk")).frames(), 1);
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Frames whose header could not be read.
    ///
    /// ```
    /// # use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
    /// # let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// assert_eq!(pipeline.ingest(&Delivery::new(b"4 junk")).refused_frames(), 1);
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub fn refused_frames(&self) -> u64 {
        self.refused_frames.iter().sum()
    }

    /// Lines of the platform in a shape that is not known.
    ///
    /// ```
    /// # use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
    /// # let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// # let line = "<158>1 2026-03-14T09:26:53Z host heroku router - a new kind of line";
    /// let receipt = pipeline.ingest(&Delivery::new(format!("{} {line}", line.len()).as_bytes()));
    /// assert_eq!(receipt.unread_lines(), 1);
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub fn unread_lines(&self) -> u64 {
        self.seldom[UNREAD_ROUTER..=UNREAD_ERROR].iter().sum()
    }

    /// Lines of other senders than the app that hold `count# measure# sample#`, of which nothing was read; see
    /// [`CustomFrom`](crate::CustomFrom).
    ///
    /// ```
    /// # use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
    /// # let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// # let line = "<190>1 2026-03-14T09:26:53Z host t.1234 web.1 - count#a=1";
    /// let receipt = pipeline.ingest(&Delivery::new(format!("{} {line}", line.len()).as_bytes()));
    /// assert_eq!((receipt.passed_over_lines(), receipt.observed()), (1, 0));
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn passed_over_lines(&self) -> u64 {
        self.seldom[PASSED_OVER]
    }

    /// Frames whose length was off by a little, and was put right.
    ///
    /// ```
    /// # use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
    /// # let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// assert_eq!(pipeline.ingest(&Delivery::new(b"4 junk")).repaired_frames(), 0);
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn repaired_frames(&self) -> u64 {
        self.seldom[REPAIRED]
    }

    /// Octets passed over because the framing was lost or a frame was too long.
    ///
    /// ```
    /// # use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
    /// # let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// assert_eq!(pipeline.ingest(&Delivery::new(b"junk")).skipped_octets(), 4);
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub fn skipped_octets(&self) -> u64 {
        self.skipped.iter().sum()
    }

    /// Values handed to the aggregator.
    ///
    /// ```
    /// # use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
    /// # let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// assert_eq!(pipeline.ingest(&Delivery::new(b"")).observed(), 0);
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn observed(&self) -> u64 {
        self.observed
    }

    /// Values that stood on a line and were refused before the aggregator.
    ///
    /// ```
    /// # use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
    /// # let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// let receipt = pipeline.ingest(&Delivery::new(b"55 <190>1 2026-03-14T09:26:53Z host app web.1 - count#a=x\n"));
    /// assert_eq!(receipt.refused_values(), 1);
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub fn refused_values(&self) -> u64 {
        self.refused_values.iter().sum()
    }

    /// Values of metrics that the plan does not have.
    ///
    /// ```
    /// # use heroku_metrics::{Pipeline, PipelineConfig, Plan, syslog::Delivery};
    /// # let mut pipeline = Pipeline::new(PipelineConfig::new().with_plan(Plan::development()))?;
    /// let receipt = pipeline.ingest(&Delivery::new(b"55 <190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1\n"));
    /// assert_eq!((receipt.values_not_in_plan(), receipt.observed()), (1, 0));
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn values_not_in_plan(&self) -> u64 {
        self.not_in_plan
    }

    /// Log messages lost before they reached us: the sum of what L10 to L13 say.
    ///
    /// ```
    /// # use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
    /// # let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// # let line = "<172>1 2026-03-14T09:26:53Z host heroku logplex - Error L10 (output buffer overflow): 7 messages dropped since 2026-03-14T09:20:00+00:00.";
    /// let receipt = pipeline.ingest(&Delivery::new(format!("{} {line}", line.len()).as_bytes()));
    /// assert_eq!(receipt.lost_upstream(), 7);
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn lost_upstream(&self) -> u64 {
        self.lost_upstream
    }

    /// Deliveries whose `Logplex-Msg-Count` disagrees with the frames found.
    ///
    /// ```
    /// # use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
    /// # let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// assert_eq!(pipeline.ingest(&Delivery::new(b"4 junk").with_msg_count(2)).miscounted_deliveries(), 1);
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn miscounted_deliveries(&self) -> u64 {
        self.miscounted
    }

    /// Whether the books balance at every stage. They always do; a `false` is a bug worth reporting.
    ///
    /// ```
    /// # use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
    /// # let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// assert!(pipeline.ingest(&Delivery::new(b"4 junk\njunk 4 junk")).balances());
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub fn balances(&self) -> bool {
        let adds_up = |total: u64, parts: &[u64], more: &[u64]| {
            u128::from(total) == parts.iter().chain(more).map(|part| u128::from(*part)).sum()
        };
        // All but the repaired, which are counted as something else as well.
        let seldom = self.seldom[..REPAIRED].iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
        adds_up(self.octets, &[self.frame_octets, self.separators], &self.skipped)
            && adds_up(self.frames, &[self.native, self.custom, self.text, self.filtered, seldom], &self.refused_frames)
            && adds_up(self.values, &[self.observed, self.not_in_plan], &self.refused_values)
            && adds_up(self.observed, &[self.accepted, self.turned_away], &[])
            && self.duplicates <= self.deliveries
            && self.seldom[REPAIRED] <= self.frames
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        let one = |stage, name, count| Entry { stage, group: "", name, count };
        let reasons = |group, counts: [u64; Reason::ALL.len()]| {
            Reason::ALL.into_iter().zip(counts).map(move |(reason, count)| Entry {
                stage: "values",
                group,
                name: reason.as_str(),
                count,
            })
        };
        [
            one("deliveries", "in", self.deliveries),
            one("deliveries", "new", self.deliveries - self.duplicates),
            one("deliveries", "duplicate", self.duplicates),
            one("deliveries", "count header disagrees", self.miscounted),
            one("octets", "in", self.octets),
            one("octets", "in frames", self.frame_octets),
            one("octets", "separators", self.separators),
        ]
        .into_iter()
        .chain(FRAMING.into_iter().zip(self.skipped).map(|(name, count)| Entry {
            stage: "octets",
            group: "skipped",
            name,
            count,
        }))
        .chain([
            one("frames", "in", self.frames),
            one("frames", "native", self.native),
            one("frames", "custom", self.custom),
            one("frames", "text", self.text),
            one("frames", "filtered", self.filtered),
        ])
        .chain(SELDOM.into_iter().zip(self.seldom).map(|((group, name), count)| Entry {
            stage: "frames",
            group,
            name,
            count,
        }))
        .chain(FRAME.into_iter().zip(self.refused_frames).map(|(name, count)| Entry {
            stage: "frames",
            group: "refused",
            name,
            count,
        }))
        .chain([
            one("upstream", "messages lost before they reached us, by L10 to L13", self.lost_upstream),
            one("values", "in", self.values),
            one("values", "observed", self.observed),
            one("values", "not in the plan", self.not_in_plan),
        ])
        .chain(reasons("refused", self.refused_values))
        .chain(reasons("tag refused", self.refused_tags))
        .chain(reasons("field refused", self.refused_fields))
        .chain([one("values", "ignored samples", self.ignored_samples)])
    }
}
