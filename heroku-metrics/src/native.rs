//! The native metrics: names, units and tags as the add-on's page lists them, one table for each family.
//!
//! The tables are the single source: the extractor reads lines by them, the tables of `docs/metrics.md` are printed from them
//! ([`markdown`]), and tests walk them.

mod columns;
mod errors;
pub(crate) mod families;
mod life;
mod pgbouncer;
mod postgres;
mod redis;
mod router;
mod runtime;
pub(crate) mod set;

use metric_model::{Kind, Unit};
use std::fmt::Write as _;

/// One native metric.
///
/// ```
/// use heroku_metrics::native;
///
/// let rss = native::families().iter().flat_map(|family| family.metrics()).find(|m| m.field() == "memory_rss").unwrap();
/// assert_eq!(rss.name(), "heroku.dyno.mem.rss");
/// assert_eq!(rss.unit().as_str(), "bytes");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Native {
    field: &'static str,
    name: &'static str,
    kind: Kind,
    unit: Unit<'static>,
    written: Unit<'static>,
    /// By how much the number as it is written is multiplied; nothing where its digits move instead.
    times: Option<f64>,
    percentiles: bool,
    extended: bool,
    opt_in: bool,
}

/// A sample whose plain number is in `unit`.
const fn sample(field: &'static str, name: &'static str, unit: Unit<'static>) -> Native {
    Native {
        field,
        name,
        kind: Kind::Sample,
        unit,
        written: unit,
        times: Some(1.0),
        percentiles: false,
        extended: false,
        opt_in: false,
    }
}

/// A sample that the add-on's page does not list.
const fn extended(field: &'static str, name: &'static str, unit: Unit<'static>) -> Native {
    Native { extended: true, ..sample(field, name, unit) }
}

const fn measure(field: &'static str, name: &'static str, unit: Unit<'static>) -> Native {
    Native { kind: Kind::Measure, percentiles: true, ..sample(field, name, unit) }
}

const fn count(field: &'static str, name: &'static str) -> Native {
    Native { kind: Kind::Count, ..sample(field, name, Unit::NONE) }
}

/// A metric of one of the [`Families`].
const fn opt_in(metric: Native) -> Native {
    Native { opt_in: true, ..metric }
}

impl Native {
    /// What a plain number on the line is in, where that is not the regular unit.
    const fn written_in(self, written: Unit<'static>) -> Self {
        let times = match written.as_str().as_bytes() {
            b"kB" => Some(1024.0),
            b"MB" => Some(1024.0 * 1024.0),
            _ => None,
        };
        Self { written, times, ..self }
    }

    const fn without_percentiles(self) -> Self {
        Self { percentiles: false, ..self }
    }

    /// The field of the line it is read from, without `sample#`.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// The metric's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Count, measure or sample.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The regular unit its values are in.
    #[must_use]
    pub const fn unit(&self) -> Unit<'static> {
        self.unit
    }

    /// The unit of a number that stands on the line without one.
    pub(crate) const fn written(&self) -> Unit<'static> {
        self.written
    }

    /// What leads from the number in the unit that is written to the one in the metric's own, where it is a factor.
    #[inline]
    pub(crate) const fn times(&self) -> Option<f64> {
        self.times
    }

    /// Whether it has `.p50 .p95 .p99 .p999` streams.
    pub(crate) const fn has_percentiles(&self) -> bool {
        self.percentiles
    }

    /// Whether only [`NativeSet::Extended`](crate::NativeSet::Extended) has it.
    #[must_use]
    pub const fn is_extended(&self) -> bool {
        self.extended
    }

    /// Whether only a set of [`Families`](crate::Families) has it.
    #[must_use]
    pub const fn is_opt_in(&self) -> bool {
        self.opt_in
    }
}

/// Metrics that come from one kind of line and carry the same tags.
///
/// ```
/// use heroku_metrics::native;
///
/// let router = &native::families()[0];
/// assert_eq!(router.title(), "Router");
/// assert_eq!(router.tags(), ["app_name", "dyno", "method", "source", "status_category", "status_code"]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Family {
    title: &'static str,
    prefix: &'static str,
    tags: &'static [&'static str],
    metrics: &'static [Native],
    note: &'static str,
}

impl Family {
    /// What it is about.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        self.title
    }

    /// What the names of its metrics begin with, up to a dot: `heroku.router.`
    #[must_use]
    pub const fn prefix(&self) -> &'static str {
        self.prefix
    }

    /// The tags its streams may carry; one is absent where the line or the host has no value for it.
    #[must_use]
    pub const fn tags(&self) -> &'static [&'static str] {
        self.tags
    }

    /// Its metrics.
    #[must_use]
    pub const fn metrics(&self) -> &'static [Native] {
        self.metrics
    }

    /// The metric that is read from this field, with its index. `guess` is looked at first, and those behind it next: a line goes
    /// through the table in its order.
    #[inline]
    pub(crate) fn find(&self, field: &[u8], guess: usize) -> Option<(usize, &'static Native)> {
        match self.metrics.get(guess) {
            Some(metric) if is_same(metric.field.as_bytes(), field) => Some((guess, metric)),
            _ => self.find_from(field, guess),
        }
    }

    #[inline(never)]
    fn find_from(&self, field: &[u8], guess: usize) -> Option<(usize, &'static Native)> {
        let is_it = |metric: &Native| is_same(metric.field.as_bytes(), field);
        let (before, from) = self.metrics.split_at(guess.min(self.metrics.len()));
        let found = from.iter().position(is_it).map(|nth| before.len() + nth);
        let index = found.or_else(|| before.iter().position(is_it))?;
        Some((index, self.metrics.get(index)?))
    }
}

/// Up to sixteen bytes in place, as their first and last eight: nearly all fields are so short that a call takes longer.
#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let ends = |text: &[u8]| Some([*text.first_chunk()?, *text.last_chunk()?].map(u64::from_ne_bytes));
    if one.len() != other.len() {
        return false;
    }
    match (ends(one), ends(other)) {
        (Some([first, last]), Some([other_first, other_last])) if one.len() <= 16 => {
            (first ^ other_first) | (last ^ other_last) == 0
        }
        _ => one == other,
    }
}

pub(crate) use columns::{
    COLUMNS, Columns, PGBOUNCER_COLUMNS, POSTGRES_COLUMNS, REDIS_COLUMNS, ROUTER_COLUMNS, RUNTIME_COLUMNS,
    SHARE_COLUMN, all as all_columns,
};
pub(crate) use errors::{HTTP, LOGGING, RUNTIME_ERRORS};
pub(crate) use life::{DYNO_CODES, EXITS, PROCESS, RELEASES, STATE_CHANGES};
pub(crate) use pgbouncer::PGBOUNCER;
pub(crate) use postgres::POSTGRES;
pub(crate) use redis::REDIS;
use router::ROUTER;
pub(crate) use runtime::RUNTIME;

const FAMILIES: &[Family] = &[
    ROUTER,
    POSTGRES,
    RUNTIME,
    errors::HTTP_ERRORS,
    errors::LOGGING_ERRORS,
    errors::DYNO_ERRORS,
    REDIS,
    PGBOUNCER,
    life::STATE,
    life::EXIT,
    life::RELEASE,
    life::CODES,
    life::MEM_SHARE,
    life::MEM_PROCESS,
];

/// All families: those of the add-on's page, then the extended ones, then those that are collected on request.
#[must_use]
pub const fn families() -> &'static [Family] {
    FAMILIES
}

/// The tables as Markdown, as `docs/metrics.md` shows them.
///
/// ```
/// let table = heroku_metrics::native::markdown();
/// assert!(table.contains("| `heroku.dyno.mem.rss` | sample | bytes |"));
/// ```
#[must_use]
pub fn markdown() -> String {
    let mut out = String::new();
    let tags = |family: &Family| family.tags.iter().map(|tag| format!("`{tag}`")).collect::<Vec<_>>().join(", ");
    let unit = |metric: &Native| if metric.unit == Unit::NONE { "–" } else { metric.unit.as_str() };
    let is_always = |family: &&Family| family.note.is_empty();
    // Writing to a String does not fail.
    for family in FAMILIES.iter().filter(is_always) {
        let _ = writeln!(out, "**{}**, tags {}\n", family.title, tags(family));
        out.push_str("| metric | kind | unit | from the field | streams |\n|---|---|---|---|---|\n");
        for metric in family.metrics {
            let streams = if metric.percentiles { "5: itself, `.p50 .p95 .p99 .p999`" } else { "1" };
            let extended = if metric.extended { " (extended)" } else { "" };
            let Native { name, kind, field, .. } = metric;
            let _ = writeln!(out, "| `{name}` | {kind} | {} | `{field}` | {streams}{extended} |", unit(metric));
        }
        out.push('\n');
    }
    out.push_str("**On request**, family by family (`Families`, `--families`)\n\n");
    out.push_str("| metric | kind | unit | from the line | tags | streams |\n|---|---|---|---|---|---|\n");
    for family in FAMILIES.iter().filter(|family| !is_always(family)) {
        for metric in family.metrics {
            let Native { name, kind, field, .. } = metric;
            let note = family.note;
            let _ = writeln!(out, "| `{name}` | {kind} | {} | `{field}` | {} | {note} |", unit(metric), tags(family));
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use metric_model::Value;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_in_their_family() {
        let mut seen = BTreeSet::new();
        for family in FAMILIES {
            for metric in family.metrics {
                assert!(metric.name.starts_with(family.prefix), "{}", metric.name);
                assert!(seen.insert(metric.name), "{} stands twice", metric.name);
            }
        }
    }

    /// The short way to a metric's unit is the long one, and multiplies by powers of two alone, so that it rounds as that does.
    #[test]
    fn factors_lead_to_the_unit_that_the_value_itself_leads_to() {
        for metric in FAMILIES.iter().flat_map(|family| family.metrics) {
            let regular = Value::new(1.0, metric.written).regular();
            assert_eq!(regular.unit(), metric.unit, "{}", metric.name);
            match metric.times {
                Some(times) => {
                    assert_eq!(regular.number().to_bits(), times.to_bits(), "{}", metric.name);
                    assert!((times as u64).is_power_of_two(), "{}", metric.name);
                }
                None => assert!(metric.written.decimal_shift().is_some(), "{}", metric.name),
            }
        }
    }

    #[test]
    fn tags_are_sorted_as_streams_print_them() {
        for family in FAMILIES.iter().filter(|family| family.title != "Postgres") {
            assert!(family.tags.is_sorted() || family.title.contains("errors"), "{}", family.title);
        }
    }
}
