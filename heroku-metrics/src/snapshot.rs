//! The pipeline's state as bytes: what the aggregator keeps, the books, and the deliveries that were counted.
//!
//! ```text
//! snapshot = the aggregator's, whose position is:
//! state    = "HMPIPE" version:u8 books drains:u32 *(token ids) position    ; little-endian
//! books    = groups:u8 *(numbers:u16 *u64)        ; version 1: numbers:u16 *u64
//! token    = length:u32 bytes          ids = count:u32 *u128, oldest first
//! ```
//!
//! The books say how many numbers of each group they hold: a line that is added to them later needs no new version. What
//! an older snapshot lacks is 0; what a newer one has more is refused, for it would be lost.
//!
//! The aggregator's checksum covers it all.

use crate::deliveries::SeenDeliveries;
use crate::ledger::{Misfit, Receipt};
use crate::pipeline::{Pipeline, PipelineConfig};
use minute_aggregator::{MergeError, Persist, RestoreErrorKind, Sketch};
use std::fmt;

const MAGIC: &[u8] = b"HMPIPE";
const VERSION: u8 = 2;

/// Why a snapshot was refused. Nothing was restored.
///
/// ```
/// use heroku_metrics::{Pipeline, PipelineConfig};
///
/// let error = Pipeline::restore(PipelineConfig::new(), b"hello").unwrap_err();
/// assert_eq!(error.to_string(), "not a snapshot at byte 0");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RestoreError(Cause);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cause {
    Aggregator(minute_aggregator::RestoreError),
    NotOurs,
    Version(u8),
    Newer,
    State,
}

impl From<Misfit> for Cause {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::Newer => Self::Newer,
            Misfit::Senseless => Self::State,
        }
    }
}

impl RestoreError {
    /// What it is about, in the words of the aggregator: the state of a pipeline is of another version, or makes no sense,
    /// as its own may. `NotASnapshot` is also one that an aggregator alone wrote.
    ///
    /// ```
    /// use heroku_metrics::aggregator::RestoreErrorKind;
    /// use heroku_metrics::{Pipeline, PipelineConfig};
    ///
    /// let mut bytes = Pipeline::new(PipelineConfig::new())?.snapshot(b"");
    /// bytes.pop();
    /// let error = Pipeline::restore(PipelineConfig::new(), &bytes).unwrap_err();
    /// assert_eq!(error.kind(), RestoreErrorKind::Truncated);
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn kind(self) -> RestoreErrorKind {
        match self.0 {
            Cause::Aggregator(error) => error.kind(),
            Cause::NotOurs => RestoreErrorKind::NotASnapshot,
            Cause::Version(_) | Cause::Newer => RestoreErrorKind::Version,
            Cause::State => RestoreErrorKind::Content,
        }
    }
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Cause::Aggregator(error) => error.fmt(f),
            Cause::NotOurs => f.write_str("snapshot of an aggregator, not of a pipeline"),
            Cause::Version(version) => write!(f, "pipeline state of version {version}, this is {VERSION}"),
            Cause::Newer => f.write_str("pipeline state of a newer program, whose books have more lines"),
            Cause::State => f.write_str("pipeline state of the snapshot makes no sense"),
        }
    }
}

impl std::error::Error for RestoreError {}

impl<S: Persist> Pipeline<S> {
    /// All of the state, as bytes with a version and a checksum: open windows, streams and their places, the deliveries
    /// that were counted, the books, and the caller's own `position` in its input.
    ///
    /// The restored pipeline and the input behind `position` give the bytes of an uninterrupted run.
    ///
    /// ```
    /// use heroku_metrics::{Pipeline, PipelineConfig, model::DataPointBuf, syslog::Delivery};
    ///
    /// let deliveries = [
    ///     Delivery::new(b"55 <190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1\n").with_header("Logplex-Frame-Id", b"9C2F"),
    ///     Delivery::new(b"55 <190>1 2026-03-14T09:26:54Z host app web.1 - count#a=2\n").with_header("Logplex-Frame-Id", b"9C30"),
    /// ];
    /// let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// pipeline.ingest(&deliveries[0]);
    /// let bytes = pipeline.snapshot(b"1 delivery");
    ///
    /// let (mut resumed, position) = Pipeline::restore(PipelineConfig::new(), &bytes)?;
    /// assert_eq!(position, b"1 delivery");
    /// for delivery in &deliveries {
    ///     resumed.ingest(delivery); // the first is known, and counts once
    /// }
    /// let mut points: Vec<DataPointBuf> = Vec::new();
    /// resumed.finish(&mut points)?;
    /// assert_eq!(points[0].as_point().stats().sum(), 3.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn snapshot(&mut self, position: &[u8]) -> Vec<u8> {
        let mut state = MAGIC.to_vec();
        state.push(VERSION);
        let groups = self.total.groups();
        state.push(groups.len() as u8);
        for numbers in groups {
            state.extend((numbers.len() as u16).to_le_bytes());
            numbers.iter().for_each(|number| state.extend(number.to_le_bytes()));
        }
        let drains = self.seen.drains();
        state.extend((drains.len() as u32).to_le_bytes());
        for (token, ids) in drains {
            state.extend((token.len() as u32).to_le_bytes());
            state.extend(token.as_bytes());
            state.extend((ids.len() as u32).to_le_bytes());
            ids.iter().for_each(|id| state.extend(id.to_le_bytes()));
        }
        state.extend(position);
        self.aggregator.snapshot(&state)
    }

    /// A pipeline from a snapshot of one with the same configuration, and the caller's position.
    ///
    /// # Errors
    /// A [`RestoreError`] names what is wrong; any damage to the bytes is told.
    ///
    /// ```
    /// use heroku_metrics::aggregator::MinuteSketch;
    /// use heroku_metrics::{Pipeline, PipelineConfig};
    ///
    /// let bytes = Pipeline::new(PipelineConfig::new())?.snapshot(b"here");
    /// let (_, position) = Pipeline::<MinuteSketch>::restore_with_sketch(PipelineConfig::new(), &bytes)?;
    /// assert_eq!(position, b"here");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore_with_sketch(config: PipelineConfig, bytes: &[u8]) -> Result<(Self, Vec<u8>), RestoreError> {
        let (mut pipeline, state) =
            Self::make(config, |config| minute_aggregator::Aggregator::restore_with_sketch(config, bytes))
                .map_err(|error| RestoreError(Cause::Aggregator(error)))?;
        let state = state.strip_prefix(MAGIC).ok_or(RestoreError(Cause::NotOurs))?;
        match state.split_first() {
            Some((version @ (1 | &VERSION), state)) => {
                let position = pipeline.read(*version, state).map_err(RestoreError)?.to_vec();
                Ok((pipeline, position))
            }
            Some((version, _)) => Err(RestoreError(Cause::Version(*version))),
            None => Err(RestoreError(Cause::State)),
        }
    }

    /// Reads what stands behind the version.
    fn read<'a>(&mut self, version: u8, state: &'a [u8]) -> Result<&'a [u8], Cause> {
        let mut rest = state;
        self.total = if version == 1 {
            Receipt::from_version_1(&numbers(&mut rest).ok_or(Cause::State)?)?
        } else {
            let [groups] = take(&mut rest).ok_or(Cause::State)?;
            let groups: Option<Vec<_>> = (0..groups).map(|_| numbers(&mut rest)).collect();
            Receipt::from_groups(&groups.ok_or(Cause::State)?)?
        };
        self.read_deliveries(rest).ok_or(Cause::State)
    }

    fn read_deliveries<'a>(&mut self, mut rest: &'a [u8]) -> Option<&'a [u8]> {
        for _ in 0..u32::from_le_bytes(take(&mut rest)?) {
            let len = u32::from_le_bytes(take(&mut rest)?) as usize;
            let token;
            (token, rest) = rest.split_at_checked(len)?;
            let token = std::str::from_utf8(token).ok()?;
            for _ in 0..u32::from_le_bytes(take(&mut rest)?) {
                self.seen.restore(token, u128::from_le_bytes(take(&mut rest)?));
            }
        }
        Some(rest)
    }
}

/// `numbers:u16 *u64`
fn numbers(rest: &mut &[u8]) -> Option<Vec<u64>> {
    (0..u16::from_le_bytes(take(rest)?)).map(|_| take(rest).map(u64::from_le_bytes)).collect()
}

impl Pipeline {
    /// A pipeline with the aggregator's sketch from a snapshot, and the caller's position.
    ///
    /// # Errors
    /// A [`RestoreError`] names what is wrong; any damage to the bytes is told.
    ///
    /// ```
    /// use heroku_metrics::{Pipeline, PipelineConfig};
    ///
    /// let bytes = Pipeline::new(PipelineConfig::new())?.snapshot(b"here");
    /// assert_eq!(Pipeline::restore(PipelineConfig::new(), &bytes)?.1, b"here");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore(config: PipelineConfig, bytes: &[u8]) -> Result<(Self, Vec<u8>), RestoreError> {
        Self::restore_with_sketch(config, bytes)
    }
}

impl<S: Sketch> Pipeline<S> {
    /// Adds what another pipeline of the same configuration saw: another node's part of the same minutes.
    ///
    /// Commutative and associative in everything but which of two samples of one instant is the last.
    ///
    /// # Errors
    /// A [`MergeError`] when the windows or the sketches do not go together; nothing was changed.
    ///
    /// ```
    /// use heroku_metrics::{Pipeline, PipelineConfig, model::DataPointBuf, syslog::Delivery};
    ///
    /// let mut here = Pipeline::new(PipelineConfig::new())?;
    /// here.ingest(&Delivery::new(b"55 <190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1\n"));
    /// let mut there = Pipeline::new(PipelineConfig::new())?;
    /// there.ingest(&Delivery::new(b"55 <190>1 2026-03-14T09:26:54Z host app web.1 - count#a=2\n"));
    /// here.merge(there)?;
    /// let mut points: Vec<DataPointBuf> = Vec::new();
    /// here.finish(&mut points)?;
    /// assert_eq!(points[0].as_point().stats().sum(), 3.0);
    /// assert!(here.ledger().balances());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merge(&mut self, other: Self) -> Result<(), MergeError> {
        self.aggregator.merge(other.aggregator)?;
        self.add_up(&other.total, &other.seen);
        Ok(())
    }

    /// As [`merge`](Self::merge), for a pipeline that read what follows in the input: exact in everything. With several
    /// threads, each gets one run of the input, and they are appended in the order of the runs.
    ///
    /// # Errors
    /// As those of `merge`.
    ///
    /// ```
    /// use heroku_metrics::{Pipeline, PipelineConfig, model::DataPointBuf, syslog::Delivery};
    ///
    /// let mut first = Pipeline::new(PipelineConfig::new())?;
    /// first.ingest(&Delivery::new(b"56 <190>1 2026-03-14T09:26:53Z host app web.1 - sample#a=1\n"));
    /// let mut second = Pipeline::new(PipelineConfig::new())?;
    /// second.ingest(&Delivery::new(b"56 <190>1 2026-03-14T09:26:53Z host app web.1 - sample#a=2\n"));
    /// first.append(second)?;
    /// let mut points: Vec<DataPointBuf> = Vec::new();
    /// first.finish(&mut points)?;
    /// assert_eq!(points[0].as_point().stats().last(), Some(2.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append(&mut self, other: Self) -> Result<(), MergeError> {
        self.aggregator.append(other.aggregator)?;
        self.add_up(&other.total, &other.seen);
        Ok(())
    }

    fn add_up(&mut self, total: &Receipt, seen: &SeenDeliveries) {
        self.total.add(total);
        for (token, ids) in seen.drains() {
            ids.iter().for_each(|id| self.seen.restore(token, *id));
        }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}
