//! Lines of `sample#` pairs: those of dynos, databases, stores and pools.

use super::{LineVisitor, Out, Reader, SAMPLES, cut};
use crate::native::{self, Family, Native};
use crate::remember::Key;
use crate::{Class, Families, Line, Part, Reason};
use logfmt_metrics::{Pair, Sample, SampleToken, Samples};
use metric_model::Value;
use minute_aggregator::StreamMemo;

/// A class of lines with samples, that of those which cannot be read, the family, and where its order is kept.
pub(super) type SampleLines = ([Class; 2], &'static Family, usize);

pub(super) const RUNTIME: SampleLines = ([Class::Runtime, Class::UnreadRuntime], &native::RUNTIME, 0);
pub(super) const POSTGRES: SampleLines = ([Class::Postgres, Class::UnreadDatabase], &native::POSTGRES, 1);
pub(super) const REDIS: SampleLines = ([Class::Redis, Class::UnreadDatabase], &native::REDIS, 2);
pub(super) const PGBOUNCER: SampleLines = ([Class::PgBouncer, Class::UnreadDatabase], &native::PGBOUNCER, 3);

impl Reader {
    pub(super) fn database<'a, V: LineVisitor>(
        &mut self,
        line: &'a [u8],
        tokens: Samples<'a>,
        family: SampleLines,
        out: &mut Out<'_, V>,
    ) -> Line<'a> {
        let place = |found: &SampleTags<'a>| [("database", found.source), ("addon", found.addon)];
        self.samples(line, tokens, family, place, out)
    }

    /// A line of `sample#` pairs, under the names of the family and the tags that `place` makes of the line's own; of the
    /// second class when none of them can be read.
    pub(super) fn samples<'a, V: LineVisitor>(
        &mut self,
        line: &'a [u8],
        tokens: Samples<'a>,
        ([class, unread], family, order): SampleLines,
        place: impl Fn(&SampleTags<'a>) -> [(&'static str, Option<&'a [u8]>); 2],
        out: &mut Out<'_, V>,
    ) -> Line<'a> {
        if !logfmt_metrics::maybe_metrics(line) {
            return Line::of(unread);
        }
        // Tags may stand anywhere in the line, so that values wait until its end.
        let mut found = SampleTags::default();
        let (mut held, mut samples, mut ignored, mut known) = (0, 0_usize, 0, false);
        let Self { config, groups, tags, orders, values, .. } = self;
        let order = &mut orders[order];
        for token in tokens {
            let sample = match token {
                SampleToken::Sample(sample) => sample,
                SampleToken::Pair(pair) => {
                    let range = pair.range();
                    if out.is_piece && range.end == line.len() && SampleTags::has(&pair) {
                        out.refuse(Reason::Cut, Part::Tag, (range.start, range.len()));
                        continue;
                    }
                    found.take(&pair);
                    continue;
                }
                _ => continue,
            };
            let guess = order.get(samples).copied().unwrap_or_default();
            samples += 1;
            let found = family.place(sample.name(), usize::from(guess));
            let range = sample.range();
            let at = (range.start, range.len());
            let is_last = range.end == line.len();
            let Some((number, metric)) = found.filter(|(_, metric)| config.native_set.holds(metric)) else {
                if is_last && (out.is_piece || (sample.text().is_none() && found.is_none())) {
                    out.refuse(Reason::Cut, Part::Value, at);
                }
                ignored += 1;
                known |= found.is_some();
                continue;
            };
            if let Some(guess) = order.get_mut(samples - 1) {
                *guess = number as u8;
            }
            if is_last && (out.is_piece || cut::is_cut(metric, &sample)) {
                out.refuse(Reason::Cut, Part::Value, at);
                continue;
            }
            match sample_value(metric, &sample) {
                Ok(value) if held < SAMPLES => {
                    values[held] = (number as u8, value, at);
                    held += 1;
                }
                // More samples on one line than any family has: somebody else wrote it.
                Ok(_) => ignored += 1,
                Err(reason) => out.refuse(reason, Part::Value, at),
            }
        }
        if held == 0 {
            return Line { ignored_samples: ignored, ..Line::of(if known { class } else { unread }) };
        }
        let own = place(&found);
        let mut make = || {
            let mut tags = config.tags();
            for (key, value) in own {
                if let Some(value) = value {
                    out.tag(&mut tags, key, value);
                }
            }
            tags
        };
        let key = Key::new(class as u8, 0, [own[0].1, own[1].1]);
        let is_clean = || own.iter().all(|(_, value)| value.is_none_or(<[u8]>::is_ascii));
        let metrics = family.metrics();
        let place = key
            .and_then(|key| groups.find(&key).or_else(|| is_clean().then(|| groups.add(&key, make(), metrics.len()))));
        let mut unknown;
        let (tags, memos) = match place {
            Some(place) => groups.at(place),
            None => {
                (*tags, unknown) = (make(), [StreamMemo::new(); SAMPLES]);
                (&*tags, &mut unknown[..])
            }
        };
        for (number, value, at) in &values[..held] {
            let number = usize::from(*number);
            if let (Some(metric), Some(memo)) = (metrics.get(number), memos.get_mut(number)) {
                out.native(metric, *value, tags, memo, *at);
            }
        }
        if class == Class::Runtime
            && config.families.holds(Families::MEM_SHARE)
            && let Some((share, at)) = memory_share(metrics, &values[..held])
        {
            out.value(native::SHARE.kind(), native::SHARE.name(), Value::new(share, native::SHARE.unit()), tags, at);
        }
        Line { ignored_samples: ignored, ..Line::of(class) }
    }
}

/// `memory_total` over `memory_quota`, and where the former stands; `None` unless both are there and it makes sense.
fn memory_share(metrics: &[Native], values: &[(u8, f64, (usize, usize))]) -> Option<(f64, (usize, usize))> {
    let of = |field| {
        let is_it = |value: &&(u8, f64, _)| metrics.get(usize::from(value.0)).is_some_and(|m| m.field() == field);
        values.iter().find(is_it)
    };
    let ((_, total, at), (_, quota, _)) = (of("memory_total")?, of("memory_quota")?);
    let share = total / quota;
    (share.is_finite() && *quota > 0.0).then_some((share, *at))
}

/// The number of a native sample, in the metric's regular unit.
///
/// A number without a unit is in the one Heroku writes for the field; any other unit must lead to the metric's own.
#[inline]
fn sample_value(metric: &Native, sample: &Sample<'_>) -> Result<f64, Reason> {
    if let Ok(written) = sample.value()
        && let Some(times) = metric.times()
        && (written.unit() == metric.written() || written.unit().is_none())
    {
        let number = written.number() * times;
        return if number.is_finite() { Ok(number) } else { Err(Reason::NotFinite) };
    }
    any_sample_value(metric, sample)
}

#[inline(never)]
fn any_sample_value(metric: &Native, sample: &Sample<'_>) -> Result<f64, Reason> {
    let written = sample.value().map_err(|error| Reason::of_number(error.kind()))?;
    let written = if written.unit().is_none() { Value::new(written.number(), metric.written()) } else { written };
    let regular = written.regular();
    if regular.unit() != metric.unit() {
        return Err(Reason::BadUnit);
    }
    if regular.number().is_finite() { Ok(regular.number()) } else { Err(Reason::NotFinite) }
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
