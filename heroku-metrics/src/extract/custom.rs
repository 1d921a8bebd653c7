//! Lines of an app with `count# measure# sample# tag#`: one record, whose columns are made for the line.

use super::Reader;
use super::config::UnitPolicy;
use super::cut::Piece;
use super::out::Out;
use super::visitor::LineVisitor;
use crate::classify::Class;
use crate::line::Line;
use crate::native::COLUMNS;
use crate::refusal::{Part, Why};
use logfmt_metrics::{Directive, Directives, Metric as Found, RefusalKind};
use metric_model::{Metric, Record, TagSet};
use smallvec::SmallVec;

impl Reader {
    pub(super) fn any_custom<'a, V: LineVisitor>(&mut self, line: &'a [u8], out: &mut Out<'_, V>) -> Line<'a> {
        if !logfmt_metrics::maybe_metrics(line) {
            return Line::of(Class::Text);
        }
        self.custom(line, logfmt_metrics::directives(line), out)
    }

    pub(super) fn custom<'a, V: LineVisitor>(
        &mut self,
        line: &'a [u8],
        mut directives: Directives<'a>,
        out: &mut Out<'_, V>,
    ) -> Line<'a> {
        // Tags hold for all metrics of the line, before and behind them, so that metrics wait until its end.
        self.tags.clear();
        let piece = Piece::of(line, out.is_piece);
        let mut metrics = u32::from(out.is_piece && out.refuse_torn_word(line));
        let mut row = Row::new(self.config.units);
        // By reference: the walk is large.
        for directive in directives.by_ref() {
            match directive {
                Ok(Directive::Metric(metric)) => {
                    metrics += 1;
                    if piece.is_torn(metric.offset()) {
                        out.refuse(Why::Cut, Part::Value, (metric.offset(), line.len() - metric.offset()));
                    } else {
                        row.push(&metric);
                    }
                }
                Ok(Directive::Tag(tag)) if piece.is_torn(tag.offset()) => {
                    out.refuse(Why::Cut, Part::Tag, (tag.offset(), line.len() - tag.offset()));
                }
                Ok(Directive::Tag(tag)) => {
                    self.tags.insert(tag.key(), &tag.value());
                }
                Ok(_) => {}
                Err(refusal) => {
                    let part = if is_tag(refusal.kind(), line, refusal.offset()) { Part::Tag } else { Part::Value };
                    metrics += u32::from(part == Part::Value);
                    let is_torn = piece.is_torn(refusal.offset());
                    let reason = if is_torn { Why::Cut } else { Why::of_metric(refusal.kind()) };
                    out.refuse(reason, part, (refusal.offset(), refusal.range().len()));
                }
            }
        }
        if metrics == 0 {
            return Line::of(Class::Text);
        }
        let beyond = row.beyond;
        row.write(&self.tags, out);
        if beyond > 0 {
            self.more_custom(line, &piece, out);
        }
        Line::of(Class::Custom)
    }

    /// The metrics of a long line that the first row had no room for.
    #[cold]
    fn more_custom<V: LineVisitor>(&self, line: &[u8], piece: &Piece, out: &mut Out<'_, V>) {
        let mut row = Row::new(self.config.units);
        let is_metric = |directive| match directive {
            Ok(Directive::Metric(metric)) => Some(metric).filter(|metric| !piece.is_torn(metric.offset())),
            _ => None,
        };
        for metric in logfmt_metrics::directives(line).filter_map(is_metric).skip(COLUMNS) {
            if row.metrics.len() == COLUMNS {
                row.write(&self.tags, out);
            }
            row.push(&metric);
        }
        row.write(&self.tags, out);
    }
}

/// As many metrics of one line as are a record, in memory that costs nothing while it is empty.
struct Row<'a> {
    units: UnitPolicy,
    metrics: SmallVec<[Metric<'a>; COLUMNS]>,
    values: SmallVec<[Option<f64>; COLUMNS]>,
    /// Where each stands on the line.
    at: SmallVec<[(usize, usize); COLUMNS]>,
    /// How many found no room.
    beyond: u32,
}

impl<'a> Row<'a> {
    fn new(units: UnitPolicy) -> Self {
        Self { units, metrics: SmallVec::new(), values: SmallVec::new(), at: SmallVec::new(), beyond: 0 }
    }

    /// The lists never grow beyond what they have in place, so that no line costs a heap call.
    #[inline]
    fn push(&mut self, found: &Found<'a>) {
        if self.metrics.len() == COLUMNS {
            self.beyond += 1;
            return;
        }
        let value = match self.units {
            UnitPolicy::Regular => found.value().regular(),
            UnitPolicy::AsWritten => found.value(),
        };
        self.metrics.push(Metric::new(found.kind(), found.name(), value.unit()));
        self.values.push(Some(value.number()));
        self.at.push((found.offset(), found.kind().as_str().len() + 1 + found.name().len()));
    }

    /// Hands the row on, where there is something in it, and empties it.
    fn write<V: LineVisitor>(&mut self, tags: &TagSet, out: &mut Out<'_, V>) {
        match out.time {
            Some(time) if !self.metrics.is_empty() => {
                out.visitor.record(&Record::new(&self.metrics, &self.values, tags, time));
            }
            Some(_) => {}
            None => self.at.iter().for_each(|at| out.refuse_undated(*at)),
        }
        self.metrics.clear();
        self.values.clear();
        self.at.clear();
    }
}

/// A line of somebody who is not the app.
pub(super) fn sender(line: &[u8]) -> Line<'_> {
    Line::of(if holds_metrics(line) { Class::PassedOver } else { Class::Text })
}

/// Whether there is a `count#`, `measure#` or `sample#` on the line, good or refused.
fn holds_metrics(line: &[u8]) -> bool {
    logfmt_metrics::maybe_metrics(line)
        && logfmt_metrics::directives(line).any(|directive| match directive {
            Ok(directive) => matches!(directive, Directive::Metric(_)),
            Err(refusal) => !is_tag(refusal.kind(), line, refusal.offset()),
        })
}

/// Whether a refused token was a tag's.
fn is_tag(kind: RefusalKind, line: &[u8], offset: usize) -> bool {
    matches!(
        kind,
        RefusalKind::BadTagKey
            | RefusalKind::TagKeyTooLong
            | RefusalKind::BadTagValue
            | RefusalKind::TagValueTooLong
            | RefusalKind::TooManyTags
    ) || line.get(offset..).is_some_and(|token| token.starts_with(b"tag#") || token.starts_with(b"source="))
}
