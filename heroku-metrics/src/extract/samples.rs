//! Lines of `sample#` pairs: those of dynos, databases, stores and pools.

use super::out::Out;
use super::recent::Key;
use super::visitor::LineVisitor;
use super::{Reader, cut};
use crate::classify::Class;
use crate::line::Line;
use crate::native::families::Families;
use crate::native::{self, COLUMNS, Columns, Family, Native, SHARE_COLUMN};
use crate::refusal::{Part, Why};
use logfmt_metrics::{NumberError, Pair, SampleToken, Samples};
use metric_model::{Record, TagSet, Timestamp, Unit, Value};

/// Samples of one line that are read; no family has as many.
pub(super) const SAMPLES: usize = 32;

/// What lines with samples are, and what they tell.
pub(super) struct SampleLines {
    class: Class,
    /// What those are that cannot be read.
    unread: Class,
    family: &'static Family,
    /// The lists that the metrics of the family stand in, one behind the other.
    columns: &'static [Columns],
    /// The tags that are made of the line's own.
    keys: [&'static str; 2],
}

pub(super) static RUNTIME: SampleLines = SampleLines {
    class: Class::Runtime,
    unread: Class::UnreadRuntime,
    family: &native::RUNTIME,
    columns: &native::RUNTIME_COLUMNS,
    keys: ["source", "dyno"],
};
pub(super) static POSTGRES: SampleLines = database(Class::Postgres, &native::POSTGRES, &native::POSTGRES_COLUMNS);
pub(super) static REDIS: SampleLines = database(Class::Redis, &native::REDIS, &native::REDIS_COLUMNS);
pub(super) static PGBOUNCER: SampleLines = database(Class::PgBouncer, &native::PGBOUNCER, &native::PGBOUNCER_COLUMNS);

const fn database(class: Class, family: &'static Family, columns: &'static [Columns]) -> SampleLines {
    SampleLines { class, unread: Class::UnreadDatabase, family, columns, keys: ["database", "addon"] }
}

/// One value of a line: the index of its metric in the family, the number, and where it stands.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Told {
    metric: u8,
    number: f64,
    at: (usize, usize),
}

impl Reader {
    pub(super) fn database<'a, V: LineVisitor>(
        &mut self,
        line: &'a [u8],
        tokens: Samples<'a>,
        lines: &SampleLines,
        out: &mut Out<'_, V>,
    ) -> Line<'a> {
        self.samples(line, tokens, lines, |found| [found.source, found.addon], out)
    }

    /// A line of `sample#` pairs, under the names of the family and the tags that `own` finds among the line's; of the class
    /// of unread lines when none of them can be read.
    pub(super) fn samples<'a, V: LineVisitor>(
        &mut self,
        line: &'a [u8],
        tokens: Samples<'a>,
        lines: &SampleLines,
        own: impl Fn(&SampleTags<'a>) -> [Option<&'a [u8]>; 2],
        out: &mut Out<'_, V>,
    ) -> Line<'a> {
        if !logfmt_metrics::maybe_metrics(line) {
            return Line::of(lines.unread);
        }
        // Tags may stand anywhere in the line, so that values wait until its end.
        let mut found = SampleTags::default();
        let (mut held, mut next, mut ignored, mut known) = (0, 0, 0, false);
        let Self { config, tags, told, recent, .. } = self;
        for token in tokens {
            // It is handed to no other function: what is in registers for most lines would have to lie in memory for all.
            let sample = match token {
                SampleToken::Sample(sample) => sample,
                SampleToken::Pair(pair) => {
                    let range = pair.range();
                    if out.is_piece && range.end == line.len() && SampleTags::has(&pair) {
                        out.refuse(Why::Cut, Part::Tag, (range.start, range.len()));
                        continue;
                    }
                    found.take(&pair);
                    continue;
                }
                _ => continue,
            };
            let found = lines.family.find(sample.name(), next);
            let range = sample.range();
            let at = (range.start, range.len());
            let is_last = range.end == line.len();
            let Some((index, metric)) = found.filter(|(_, metric)| config.native_set.holds(metric)) else {
                if is_last && (out.is_piece || (sample.text().is_none() && found.is_none())) {
                    out.refuse(Why::Cut, Part::Value, at);
                }
                ignored += 1;
                known |= found.is_some();
                continue;
            };
            next = index + 1;
            if is_last && (out.is_piece || cut::is_cut(metric, sample.value(), sample.text())) {
                out.refuse(Why::Cut, Part::Value, at);
                continue;
            }
            match sample_value(metric, sample.value()) {
                Ok(number) if held < SAMPLES => {
                    told[held] = Told { metric: index as u8, number, at };
                    held += 1;
                }
                // More samples on one line than any family has: somebody else wrote it.
                Ok(_) => ignored += 1,
                Err(reason) => out.refuse(reason, Part::Value, at),
            }
        }
        if held == 0 {
            let class = if known { lines.class } else { lines.unread };
            return Line { ignored_samples: ignored, ..Line::of(class) };
        }
        let own = own(&found);
        let key = Key::new(lines.class, 0, own);
        let tags = match key.as_ref().and_then(|key| recent.find(key)) {
            Some(index) => recent.at(index, tags),
            None => {
                let (config, out) = (&*config, &mut *out);
                recent.make(key, tags, move |tags| {
                    config.fill(tags);
                    for (key, value) in lines.keys.into_iter().zip(own) {
                        if let Some(text) = out.text(value) {
                            tags.insert(key, text);
                        }
                    }
                })
            }
        };
        if lines.class == Class::Runtime
            && config.families.holds(Families::MEM_SHARE)
            && let Some(share) = memory_share(lines.family.metrics(), &told[..held])
        {
            told[held] = share;
            held += 1;
        }
        match out.time {
            Some(time) => records(&told[..held], lines.columns, tags, time, out.visitor),
            None => told[..held].iter().for_each(|value| out.refuse_undated(value.at)),
        }
        Line { ignored_samples: ignored, ..Line::of(lines.class) }
    }
}

/// Hands values on in their order, as many at a time as go up through the columns of one list: those of a whole line, where it
/// is as Heroku writes it.
fn records<V: LineVisitor>(told: &[Told], columns: &[Columns], tags: &TagSet, time: Timestamp, visitor: &mut V) {
    let mut hand_on = |values: &[Option<f64>; COLUMNS], list: usize| {
        let metrics = columns.get(list).copied().unwrap_or_default();
        let values = values.get(..metrics.len()).unwrap_or_default();
        visitor.record(&Record::new(metrics, values, tags, time));
    };
    let Some(first) = told.first() else { return };
    let (mut values, mut list, mut from) = ([None; COLUMNS], usize::from(first.metric) / COLUMNS, 0);
    for value in told {
        let metric = usize::from(value.metric);
        if metric < from || metric / COLUMNS != list {
            hand_on(&values, list);
            (values, list) = ([None; COLUMNS], metric / COLUMNS);
        }
        values[metric % COLUMNS] = Some(value.number);
        from = metric + 1;
    }
    hand_on(&values, list);
}

/// `memory_total` over `memory_quota`, where the former stands; `None` unless both are there and it makes sense.
fn memory_share(metrics: &[Native], told: &[Told]) -> Option<Told> {
    let of = |field| {
        let is_it = |value: &&Told| metrics.get(usize::from(value.metric)).is_some_and(|m| m.field() == field);
        told.iter().find(is_it)
    };
    let (total, quota) = (of("memory_total")?, of("memory_quota")?);
    let share = total.number / quota.number;
    let is_one = share.is_finite() && quota.number > 0.0;
    is_one.then_some(Told { metric: SHARE_COLUMN as u8, number: share, at: total.at })
}

/// The number of a native sample, in the metric's regular unit.
///
/// A number without a unit is in the one Heroku writes for the field; any other unit must lead to the metric's own.
#[inline]
fn sample_value(metric: &Native, value: Result<Value<'_>, NumberError>) -> Result<f64, Why> {
    if let Ok(written) = value
        && let Some(times) = metric.times()
        && (written.unit() == metric.written() || written.unit() == Unit::NONE)
    {
        let number = written.number() * times;
        return if number.is_finite() { Ok(number) } else { Err(Why::NotFinite) };
    }
    any_sample_value(metric, value)
}

#[inline(never)]
fn any_sample_value(metric: &Native, value: Result<Value<'_>, NumberError>) -> Result<f64, Why> {
    let written = value.map_err(|error| Why::of_number(error.kind()))?;
    let written = if written.unit() == Unit::NONE { Value::new(written.number(), metric.written()) } else { written };
    let regular = written.regular();
    if regular.unit() != metric.unit() {
        return Err(Why::BadUnit);
    }
    if regular.number().is_finite() { Ok(regular.number()) } else { Err(Why::NotFinite) }
}

/// The tags of a line with samples, as they stand on it; empty values are absent.
#[derive(Default)]
pub(super) struct SampleTags<'a> {
    pub(super) source: Option<&'a [u8]>,
    pub(super) dyno: Option<&'a [u8]>,
    addon: Option<&'a [u8]>,
}

impl<'a> SampleTags<'a> {
    /// Whether a pair is one of them.
    fn has(pair: &Pair<'_>) -> bool {
        matches!(pair.key(), b"source" | b"dyno" | b"addon")
    }

    /// The first of a repeated key stands.
    fn take(&mut self, pair: &Pair<'a>) {
        let place = match pair.key() {
            b"source" => &mut self.source,
            b"dyno" => &mut self.dyno,
            b"addon" => &mut self.addon,
            _ => return,
        };
        *place = place.or(pair.value().filter(|value| !value.is_empty()));
    }
}
