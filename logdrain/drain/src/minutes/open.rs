//! Rows of windows that are not closed, as they were a moment ago: of each partition that is counted here.

use super::block;
use crate::outlets::Owner;
use heroku_metrics::aggregator::Row;
use logdrain_charts::series::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What all of them take at most; drains beyond are shown when their windows close.
pub(super) const MOST_BYTES: usize = 8 << 20;
/// What a row takes besides its texts.
const ONE: usize = 160;

#[derive(Clone, Debug)]
pub(super) struct OpenRow {
    pub(super) drain: Arc<str>,
    pub(super) key: Box<[u8]>,
    /// In milliseconds.
    pub(super) start: i64,
    pub(super) len: i64,
    pub(super) state: Box<[u8]>,
}

/// By account, then by metric.
#[derive(Default, Debug)]
pub struct OpenRows {
    rows: BTreeMap<Arc<str>, BTreeMap<Box<str>, Vec<OpenRow>>>,
    bytes: usize,
}

impl OpenRows {
    /// Takes a row; `false` when there is no room for more.
    pub fn take(&mut self, owner: Owner<'_>, row: &Row<'_>) -> bool {
        let window = row.window();
        let start = window.start().unix_micros();
        let mut state = Vec::new();
        row.to_state().pack(window.start(), &mut state);
        let key = block::key(row.kind(), row.unit(), row.tags());
        self.bytes += ONE + state.len() + key.len();
        if self.bytes > MOST_BYTES {
            return false;
        }
        let (drain, account) = (Arc::from(owner.drain), Arc::from(owner.account));
        let len = window.end().unix_micros().saturating_sub(start) / 1_000;
        let (key, state) = (key.into_boxed_slice(), state.into_boxed_slice());
        let row_open = OpenRow { drain, key, start: start.div_euclid(1_000), len: len.max(1), state };
        self.rows.entry(account).or_default().entry(row.name().into()).or_default().push(row_open);
        true
    }

    /// Those of a metric, of the drains that may be seen.
    fn of(&self, account: &str, name: &str, drains: Option<&[String]>) -> Vec<&OpenRow> {
        let rows = self.rows.get(account).and_then(|names| names.get(name)).map(Vec::as_slice).unwrap_or_default();
        let is_seen = |row: &&OpenRow| drains.is_none_or(|drains| drains.iter().any(|drain| **drain == *row.drain));
        rows.iter().filter(is_seen).collect()
    }

    /// The metrics of an account.
    fn names(&self, account: &str, drains: Option<&[String]>) -> Vec<&str> {
        let names = self.rows.get(account).into_iter().flatten();
        let seen = names.filter(|(name, _)| !self.of(account, name, drains).is_empty());
        seen.map(|(name, _)| &**name).collect()
    }

    /// From the start of the oldest to the end of the newest.
    fn span(&self, account: &str) -> Option<Span> {
        let rows = || self.rows.get(account).into_iter().flat_map(|names| names.values()).flatten();
        let start = rows().map(|row| row.start).min()?;
        let end = rows().map(|row| row.start + row.len).max()?;
        Some(Span { start: start.div_euclid(1_000), end: (end + 999).div_euclid(1_000) })
    }

    fn drains(&self, account: &str) -> Vec<&str> {
        let rows = self.rows.get(account).into_iter().flat_map(|names| names.values()).flatten();
        let mut drains: Vec<&str> = rows.map(|row| &*row.drain).collect();
        drains.sort_unstable();
        drains.dedup();
        drains
    }
}

/// What is open of all partitions that are counted here.
#[derive(Clone, Default, Debug)]
pub(super) struct Opened(pub(super) Vec<Arc<OpenRows>>);

impl Opened {
    /// Those of a metric, of the drains that may be seen.
    pub(super) fn of(&self, account: &str, name: &str, drains: Option<&[String]>) -> Vec<&OpenRow> {
        self.0.iter().flat_map(|rows| rows.of(account, name, drains)).collect()
    }

    /// The metrics of an account.
    pub(super) fn names(&self, account: &str, drains: Option<&[String]>) -> Vec<&str> {
        self.0.iter().flat_map(|rows| rows.names(account, drains)).collect()
    }

    /// From the start of the oldest to the end of the newest.
    pub(super) fn span(&self, account: &str) -> Option<Span> {
        let spans = self.0.iter().filter_map(|rows| rows.span(account));
        spans.reduce(|one, other| Span { start: one.start.min(other.start), end: one.end.max(other.end) })
    }

    pub(super) fn drains(&self, account: &str) -> Vec<&str> {
        self.0.iter().flat_map(|rows| rows.drains(account)).collect()
    }
}
