//! The state as bytes, and the sum of two states.
//!
//! ```text
//! snapshot = "MINAGG" version:u16 length:u64 content checksum:u64      ; little-endian; length of content; CRC-64/XZ
//! content  = window-length position clocks ledger streams windows      ; numbers in LEB128, all lists sorted
//! ```
//!
//! Version 2 has the lines of the books about summaries, and a mark with each distribution. It is written only where there is
//! something of that to say: else the bytes are those of version 1.

use crate::codec::{Reader, Writer, checksum};
use crate::config::AggregatorConfig;
use crate::engine::Aggregator;
use crate::error::ConfigError;
use crate::ledger::ObservationLedger;
use crate::sketch::{Persist, Sketch};
use crate::streams::Streams;
use crate::window::OpenWindow;
use core::fmt;
use metric_model::Timestamp;

const MAGIC: &[u8; 6] = b"MINAGG";
/// Without summaries, and with them.
const VERSION_1: u16 = 1;
const VERSION_2: u16 = 2;
const HEADER: usize = MAGIC.len() + size_of::<u16>() + size_of::<u64>();
const CHECKSUM: usize = size_of::<u64>();

/// Why a snapshot was refused. Nothing was restored.
///
/// ```
/// use minute_aggregator::{Aggregator, AggregatorConfig, RestoreErrorKind};
/// let error = Aggregator::restore(AggregatorConfig::new(), b"hello, world").unwrap_err();
/// assert_eq!(error.kind(), RestoreErrorKind::NotASnapshot);
/// assert_eq!(error.to_string(), "not a snapshot at byte 0");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RestoreError {
    kind: RestoreErrorKind,
    offset: usize,
}

/// What a [`RestoreError`] is about.
///
/// ```
/// use minute_aggregator::{Aggregator, AggregatorConfig, RestoreErrorKind};
/// let mut bytes = Aggregator::new(AggregatorConfig::new())?.snapshot(b"");
/// bytes.pop();
/// let error = Aggregator::restore(AggregatorConfig::new(), &bytes).unwrap_err();
/// assert_eq!(error.kind(), RestoreErrorKind::Truncated);
/// # Ok::<(), minute_aggregator::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RestoreErrorKind {
    /// It does not start like one.
    NotASnapshot,
    /// It was written by a later version.
    Version,
    /// It ends before it should.
    Truncated,
    /// Something stands behind it.
    Trailing,
    /// It was damaged.
    Checksum,
    /// It is whole, but its content makes no sense: no aggregator wrote it.
    Content,
    /// Its windows have another length than the configuration says.
    WindowLength,
    /// The configuration contradicts itself.
    Config(ConfigError),
}

impl RestoreError {
    /// What it is about.
    #[must_use]
    pub const fn kind(self) -> RestoreErrorKind {
        self.kind
    }

    /// The byte of the snapshot at which it was found.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            RestoreErrorKind::NotASnapshot => "not a snapshot",
            RestoreErrorKind::Version => "snapshot of an unknown version",
            RestoreErrorKind::Truncated => "snapshot ends early",
            RestoreErrorKind::Trailing => "something behind the end of the snapshot",
            RestoreErrorKind::Checksum => "checksum of the snapshot does not match",
            RestoreErrorKind::Content => "content of the snapshot makes no sense",
            RestoreErrorKind::WindowLength => "snapshot has windows of another length",
            RestoreErrorKind::Config(error) => return error.fmt(f),
        };
        write!(f, "{what} at byte {}", self.offset)
    }
}

impl std::error::Error for RestoreError {}

/// Why two aggregators cannot be added up. Nothing was changed.
///
/// ```
/// use core::time::Duration;
/// use minute_aggregator::{Aggregator, AggregatorConfig, MergeErrorKind};
///
/// let mut minutes = Aggregator::new(AggregatorConfig::new())?;
/// let hours = Aggregator::new(AggregatorConfig::new().with_window(Duration::from_secs(3_600)))?;
/// let error = minutes.merge(hours).unwrap_err();
/// assert_eq!(error.kind(), MergeErrorKind::WindowLength);
/// assert_eq!(error.to_string(), "windows of different lengths");
/// # Ok::<(), minute_aggregator::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MergeError {
    kind: MergeErrorKind,
}

/// What a [`MergeError`] is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum MergeErrorKind {
    /// Their windows have different lengths.
    WindowLength,
    /// A measure has percentiles in one and none, or others, in the other.
    Precision,
}

impl MergeError {
    pub(crate) const fn new(kind: MergeErrorKind) -> Self {
        Self { kind }
    }

    /// What it is about.
    #[must_use]
    pub const fn kind(self) -> MergeErrorKind {
        self.kind
    }
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            MergeErrorKind::WindowLength => "windows of different lengths",
            MergeErrorKind::Precision => "percentiles of different precision for one metric",
        })
    }
}

impl std::error::Error for MergeError {}

impl<S: Persist> Aggregator<S> {
    /// The whole state as bytes: windows, streams and their places, clocks and ledger, with the caller's `position`,
    /// which is any bytes that must be kept in step (an offset of the input, seen ids).
    ///
    /// Restored, and fed with the input after that position, it writes the same as if it had never stopped. Equal
    /// states of one history give equal bytes.
    ///
    /// ```
    /// use metric_model::{DataPointBuf, Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    ///
    /// let none = TagSet::new();
    /// let signup = Observation::count("signups", Value::plain(1.0), &none, Timestamp::from_unix_seconds(0));
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// let _ = engine.observe(&signup);
    /// let bytes = engine.snapshot(b"line 1");
    /// drop(engine); // a crash
    ///
    /// let (mut engine, position) = Aggregator::restore(AggregatorConfig::new(), &bytes)?;
    /// assert_eq!(position, b"line 1");
    /// let _ = engine.observe(&signup);
    /// let mut points: Vec<DataPointBuf> = Vec::new();
    /// engine.finish(&mut points)?;
    /// assert_eq!(points[0].as_point().stats().sum(), 2.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn snapshot(&mut self, position: &[u8]) -> Vec<u8> {
        self.settle();
        let order = self.streams.in_order();
        let mut out = Writer::default();
        out.raw(MAGIC);
        let marks = self.has_summaries();
        out.raw(&if marks { VERSION_2 } else { VERSION_1 }.to_le_bytes());
        out.raw(&[0; 8]);
        out.signed(self.length());
        out.bytes(position);
        for clock in [self.now, self.latest] {
            out.optional(clock.map(Timestamp::unix_micros));
        }
        out.optional(self.closed_below);
        out.optional(self.gone_below);
        self.ledger.encode(!marks, &mut out);
        self.streams.encode(&order, &mut out);
        out.count(self.windows.len());
        for (number, window) in &self.windows {
            out.signed(*number);
            window.encode(&order, &self.streams, marks, &mut out);
        }
        let mut bytes = out.into_bytes();
        let length = (bytes.len() - HEADER) as u64;
        if let Some(place) = bytes.get_mut(HEADER - size_of::<u64>()..HEADER) {
            place.copy_from_slice(&length.to_le_bytes());
        }
        let sum = checksum(&bytes);
        bytes.extend(sum.to_le_bytes());
        bytes
    }

    /// The state of a [`snapshot`](Self::snapshot), and the caller's position in it.
    ///
    /// The configuration may have changed, but for the length of the windows: places that were given stay given, and a
    /// metric that is known keeps its precision until it is forgotten.
    ///
    /// # Errors
    /// When the bytes are no snapshot, damaged, or of another window length. Damage of any single byte and every
    /// truncation is found. Any bytes are safe to offer; memory is at most a small multiple of their number.
    ///
    /// ```
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    /// let bytes = Aggregator::new(AggregatorConfig::new())?.snapshot(b"here");
    /// let (engine, position) = Aggregator::restore(AggregatorConfig::new(), &bytes)?;
    /// assert_eq!((engine.streams(), position.as_slice()), (0, &b"here"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore_with_sketch(config: AggregatorConfig, bytes: &[u8]) -> Result<(Self, Vec<u8>), RestoreError> {
        let fail = |kind, offset| RestoreError { kind, offset };
        let mut engine = Self::with_sketch(config).map_err(|error| fail(RestoreErrorKind::Config(error), 0))?;
        let (version, content) = content(bytes)?;
        let mut input = Reader::new(content, HEADER);
        if input.signed() != Some(engine.length()) {
            return Err(fail(RestoreErrorKind::WindowLength, HEADER));
        }
        match engine.read(version, &mut input) {
            Some(position) if input.is_empty() => Ok((engine, position)),
            _ => Err(fail(RestoreErrorKind::Content, input.offset())),
        }
    }

    /// Whether there is anything that only version 2 can hold.
    fn has_summaries(&self) -> bool {
        self.ledger.needs_version_2() || self.windows.values().any(OpenWindow::has_summed)
    }

    fn read(&mut self, version: u16, input: &mut Reader<'_>) -> Option<Vec<u8>> {
        let marks = version == VERSION_2;
        let position = input.bytes()?.to_vec();
        self.now = input.optional()?.map(Timestamp::from_unix_micros);
        self.latest = input.optional()?.map(Timestamp::from_unix_micros);
        self.closed_below = input.optional()?;
        self.gone_below = input.optional()?;
        self.ledger = ObservationLedger::decode(!marks, input)?;
        self.streams = Streams::decode(input, &self.config)?;
        let order = self.streams.in_order();
        for _ in 0..input.count()? {
            let number = input.signed()?;
            let window = self.window_of(number)?;
            if self.windows.last_key_value().is_some_and(|(before, _)| *before >= number) {
                return None;
            }
            let serial = self.next_serial();
            self.windows
                .insert(number, OpenWindow::decode(input, (window, number), serial, &order, marks, &mut self.streams)?);
        }
        self.streams.sweep();
        self.window_bytes = self.windows.values().map(OpenWindow::bytes).sum();
        self.forget_recent();
        // One state, one spelling.
        let is_sound = self.gone_below <= self.closed_below && self.has_summaries() == marks;
        is_sound.then_some(position)
    }
}

impl Aggregator {
    /// The state of a [`snapshot`](Self::snapshot), with the default sketch; see
    /// [`restore_with_sketch`](Self::restore_with_sketch).
    ///
    /// # Errors
    /// As there.
    pub fn restore(config: AggregatorConfig, bytes: &[u8]) -> Result<(Self, Vec<u8>), RestoreError> {
        Self::restore_with_sketch(config, bytes)
    }
}

/// The version, and what stands between the header and a checksum that matches.
fn content(bytes: &[u8]) -> Result<(u16, &[u8]), RestoreError> {
    let fail = |kind, offset| RestoreError { kind, offset };
    if !bytes.starts_with(MAGIC) {
        return Err(fail(RestoreErrorKind::NotASnapshot, 0));
    }
    let truncated = fail(RestoreErrorKind::Truncated, bytes.len());
    let mut header = Reader::new(bytes, 0);
    let (Some(_), Some(version)) = (header.raw(MAGIC.len()), header.raw(2)) else { return Err(truncated) };
    let Some(version) = [VERSION_1, VERSION_2].into_iter().find(|known| version == known.to_le_bytes()) else {
        return Err(fail(RestoreErrorKind::Version, MAGIC.len()));
    };
    let length = header.raw(8).and_then(|bytes| bytes.try_into().ok()).ok_or(truncated)?;
    let length = usize::try_from(u64::from_le_bytes(length)).map_err(|_| truncated)?;
    let content = header.raw(length).ok_or(truncated)?;
    let sum_at = header.offset();
    let sum = header.raw(CHECKSUM).ok_or(truncated)?;
    if !header.is_empty() {
        return Err(fail(RestoreErrorKind::Trailing, header.offset()));
    }
    let summed = bytes.get(..sum_at).unwrap_or_default();
    if checksum(summed).to_le_bytes() != sum {
        return Err(fail(RestoreErrorKind::Checksum, sum_at));
    }
    Ok((version, content))
}

impl<S: Sketch> Aggregator<S> {
    /// Adds the state of another aggregator, as of another node or thread, to this one.
    ///
    /// Commutative and associative, and exact: sums, counts, percentiles and ledger are those of one aggregator that
    /// had seen everything. Only which of two samples of one stream at one instant is the last may differ, since each
    /// aggregator counts positions for itself. Who has a place in either has one in both, even beyond the limit. The
    /// watermark is the later one; windows before it that were not written yet are written by the next call that
    /// closes. A point that both had written before is written again, with its next revision. The configuration stays
    /// this one's.
    ///
    /// # Errors
    /// When the windows have different lengths, or a metric's percentiles different precision. `other` is lost then.
    ///
    /// ```
    /// use metric_model::{DataPointBuf, Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    ///
    /// let none = TagSet::new();
    /// let node = |value| {
    ///     let mut engine = Aggregator::new(AggregatorConfig::new())?;
    ///     let _ = engine.observe(&Observation::count("signups", Value::plain(value), &none, Timestamp::from_unix_seconds(0)));
    ///     Ok::<_, minute_aggregator::ConfigError>(engine)
    /// };
    /// let mut all = node(1.0)?;
    /// all.merge(node(2.0)?)?;
    /// let mut points: Vec<DataPointBuf> = Vec::new();
    /// all.finish(&mut points)?;
    /// assert_eq!((points.len(), points[0].as_point().stats().sum()), (1, 3.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merge(&mut self, other: Self) -> Result<(), MergeError> {
        self.add_up(other, 0)
    }

    /// As [`merge`](Self::merge), for an aggregator that saw what follows in the input: exact in everything, the last of
    /// several samples of one stream at one instant included. For several threads that share an input, each with
    /// the part behind that of the one before: append them in that order.
    ///
    /// # Errors
    /// As those of `merge`.
    ///
    /// ```
    /// use metric_model::{DataPointBuf, Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    ///
    /// let none = TagSet::new();
    /// let part = |depths: &[f64]| {
    ///     let mut engine = Aggregator::new(AggregatorConfig::new())?;
    ///     for depth in depths {
    ///         let _ = engine.observe(&Observation::sample("queue", Value::plain(*depth), &none, Timestamp::from_unix_seconds(0)));
    ///     }
    ///     Ok::<_, minute_aggregator::ConfigError>(engine)
    /// };
    /// let mut all = part(&[5.0, 7.0, 9.0])?;
    /// all.append(part(&[4.0])?)?;
    /// let mut points: Vec<DataPointBuf> = Vec::new();
    /// all.finish(&mut points)?;
    /// assert_eq!(points[0].as_point().stats().last(), Some(4.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append(&mut self, other: Self) -> Result<(), MergeError> {
        self.add_up(other, self.ledger.observed())
    }

    /// The positions of the other one are counted on from `after`.
    fn add_up(&mut self, mut other: Self, after: u64) -> Result<(), MergeError> {
        if self.length() != other.length() {
            return Err(MergeError::new(MergeErrorKind::WindowLength));
        }
        if self.streams.contradicts(&other.streams) {
            return Err(MergeError::new(MergeErrorKind::Precision));
        }
        self.settle();
        self.stop_writing();
        other.settle();
        other.stop_writing();
        let ours_of = self.streams.merge(&other.streams, &self.config);
        for (number, theirs) in other.windows {
            let serial = self.next_serial();
            let ours = self.windows.entry(number).or_insert_with(|| OpenWindow::new(theirs.window(), serial));
            ours.merge(theirs, after, number, (&other.streams, &ours_of), &mut self.streams);
        }
        self.streams.sweep();
        self.window_bytes = self.windows.values().map(OpenWindow::bytes).sum();
        self.now = self.now.max(other.now);
        self.latest = self.latest.max(other.latest);
        self.closed_below = self.closed_below.max(other.closed_below);
        self.gone_below = self.gone_below.max(other.gone_below);
        self.forget_recent();
        self.ledger.merge(&other.ledger);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ConfigErrorKind;

    #[test]
    fn every_text() {
        for (kind, text) in [
            (RestoreErrorKind::NotASnapshot, "not a snapshot at byte 7"),
            (RestoreErrorKind::Version, "snapshot of an unknown version at byte 7"),
            (RestoreErrorKind::Truncated, "snapshot ends early at byte 7"),
            (RestoreErrorKind::Trailing, "something behind the end of the snapshot at byte 7"),
            (RestoreErrorKind::Checksum, "checksum of the snapshot does not match at byte 7"),
            (RestoreErrorKind::Content, "content of the snapshot makes no sense at byte 7"),
            (RestoreErrorKind::WindowLength, "snapshot has windows of another length at byte 7"),
            (RestoreErrorKind::Config(ConfigError::new(ConfigErrorKind::NoStreams)), "max_streams is zero"),
        ] {
            assert_eq!(RestoreError { kind, offset: 7 }.to_string(), text);
        }
        assert_eq!(MergeError::new(MergeErrorKind::WindowLength).to_string(), "windows of different lengths");
        assert_eq!(
            MergeError::new(MergeErrorKind::Precision).to_string(),
            "percentiles of different precision for one metric"
        );
    }

    /// A snapshot whose checksum is right, whatever the content.
    fn sealed(content: &[u8]) -> Vec<u8> {
        let mut bytes = [&MAGIC[..], &VERSION_1.to_le_bytes(), &(content.len() as u64).to_le_bytes(), content].concat();
        bytes.extend(checksum(&bytes).to_le_bytes());
        bytes
    }

    #[test]
    fn forged_content_is_refused_without_a_panic() {
        let mut engine = Aggregator::new(AggregatorConfig::new()).unwrap();
        let tags = metric_model::TagSet::from_iter([("a", "1")]);
        for (number, kind) in [metric_model::Kind::Count, metric_model::Kind::Measure, metric_model::Kind::Sample]
            .into_iter()
            .cycle()
            .take(300)
            .enumerate()
        {
            let value = metric_model::Value::plain(number as f64 * 1.1);
            let time = Timestamp::from_unix_seconds(number as i64);
            let _ = engine.observe(&metric_model::Observation::new(kind, "x", value, &tags, time));
        }
        let bytes = engine.snapshot(b"position");
        let content = &bytes[HEADER..bytes.len() - CHECKSUM];
        assert!(Aggregator::restore(AggregatorConfig::new(), &sealed(content)).is_ok());
        let mut refused = 0;
        for at in 0..content.len() {
            for change in [1_u8, 0x80, 0xFF] {
                let mut forged = content.to_vec();
                forged[at] ^= change;
                match Aggregator::restore(AggregatorConfig::new(), &sealed(&forged)) {
                    Ok((mut engine, _)) => {
                        let mut points: Vec<metric_model::DataPointBuf> = Vec::new();
                        engine.finish(&mut points).unwrap();
                        assert!(points.iter().all(|point| point.as_point().stats().sum().is_finite()));
                    }
                    Err(error) => {
                        assert!(matches!(error.kind(), RestoreErrorKind::Content | RestoreErrorKind::WindowLength));
                        refused += 1;
                    }
                }
            }
            let cut = Aggregator::restore(AggregatorConfig::new(), &sealed(&content[..at]));
            assert!(cut.is_err(), "cut at {at}");
        }
        assert!(refused > content.len() / 2, "{refused} of {}", content.len() * 3);
    }

    #[test]
    fn content_that_goes_on_is_refused() {
        let mut engine = Aggregator::new(AggregatorConfig::new()).unwrap();
        let bytes = engine.snapshot(b"position");
        let content = &bytes[HEADER..bytes.len() - CHECKSUM];
        for more in [0, 1, u8::MAX] {
            let longer = sealed(&[content, &[more]].concat());
            let error = Aggregator::restore(AggregatorConfig::new(), &longer).expect_err("one byte more");
            assert_eq!((error.kind(), error.offset()), (RestoreErrorKind::Content, HEADER + content.len()));
        }
    }
}
