//! Where what a line says goes, and what it has in common.

use super::visitor::LineVisitor;
use crate::refusal::{LineRefusal, Part, Why};
use logfmt_metrics::colour::Uncoloured;
use metric_model::{Metric, Record, TagSet, Timestamp};

/// Where the records and refusals of one line go, and what they have in common.
pub(super) struct Out<'o, V> {
    pub(super) line: &'o [u8],
    pub(super) time: Option<Timestamp>,
    /// Whether the line is a piece of a longer one.
    pub(super) is_piece: bool,
    /// Where the line had colour codes.
    pub(super) codes: Option<&'o Uncoloured>,
    pub(super) visitor: &'o mut V,
}

impl<V: LineVisitor> Out<'_, V> {
    /// What the line as a whole says: one record.
    #[inline]
    pub(super) fn record(&mut self, metrics: &[Metric<'_>], values: &[Option<f64>], tags: &TagSet) {
        if let Some(time) = self.time {
            return self.visitor.record(&Record::new(metrics, values, tags, time));
        }
        for _ in values.iter().flatten() {
            self.refuse_undated((0, self.line.len()));
        }
    }

    /// Its only value.
    pub(super) fn single(&mut self, metric: &Metric<'_>, number: f64, tags: &TagSet) {
        self.record(std::slice::from_ref(metric), &[Some(number)], tags);
    }

    /// A value without a time. Not a guess at "now": it belongs to a minute that nobody knows.
    pub(super) fn refuse_undated(&mut self, at: (usize, usize)) {
        self.refuse(Why::NoTimestamp, Part::Value, at);
    }

    #[cold]
    #[inline(never)]
    pub(super) fn refuse(&mut self, reason: Why, part: Part, (offset, len): (usize, usize)) {
        // As it stands in the message.
        let (offset, len) = match self.codes {
            Some(codes) => {
                let range = codes.original(offset..offset + len);
                (range.start, range.len())
            }
            None => (offset, len),
        };
        self.visitor.refusal(&LineRefusal::new(reason, part, offset, len));
    }

    /// The text of a tag, which is a part of the line; what is no text is refused.
    #[inline]
    pub(super) fn text<'v>(&mut self, value: Option<&'v [u8]>) -> Option<&'v str> {
        let value = value?;
        let text = std::str::from_utf8(value).ok();
        if text.is_none() {
            let offset = (value.as_ptr() as usize).saturating_sub(self.line.as_ptr() as usize);
            self.refuse(Why::NotUtf8, Part::Tag, (offset, value.len()));
        }
        text
    }
}
