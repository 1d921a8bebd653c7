//! Lines that end before their time: what there is of the last value may be a part of it.

use super::out::Out;
use super::visitor::LineVisitor;
use crate::native::Native;
use crate::refusal::{Part, Why};
use heroku_router::RouterLine;
use logfmt_metrics::{Directive, NumberError, Refusal, RefusalKind};
use metric_model::{Unit, Value};
use std::ops::Range;

/// A message of exactly this length is a piece of a longer one: Logplex splits there, and marks neither end.
const PIECE: usize = 10_000;

/// Whether a message is a piece that goes on in another frame.
#[inline]
pub(super) const fn is_piece(message: &[u8]) -> bool {
    message.len() == PIECE
}

/// The last word of a line, when it touches the end.
pub(super) fn last_word(line: &[u8]) -> Range<usize> {
    let start = line.iter().rposition(|byte| *byte <= b' ').map_or(0, |separator| separator + 1);
    start..line.len()
}

/// Whether a piece's router line says the same without its last word and with it.
///
/// A quote or a number in that word can show that the words before it were the client's: where the client's words end is
/// read from the end of the line. Of numbers the word may add one, and take none away.
#[cold]
pub(super) fn is_same_request(without: &RouterLine<'_>, line: &[u8]) -> bool {
    fn words<'a>(of: &RouterLine<'a>) -> [Option<&'a [u8]>; 3] {
        [of.dyno(), of.method(), of.desc()]
    }
    let numbers = |of: &RouterLine<'_>| [of.service_ms(), of.connect_ms(), of.bytes().map(|size| size as f64)];
    RouterLine::parse(line).is_some_and(|with| {
        let are_kept =
            numbers(without).into_iter().zip(numbers(&with)).all(|(one, other)| one.is_none() || one == other);
        let has_same_tags = (without.status(), without.code()) == (with.status(), with.code());
        !with.is_cut() && are_kept && has_same_tags && words(without) == words(&with)
    })
}

/// The fields of the platform's samples that have a unit on all lines.
fn has_unit(metric: &Native) -> bool {
    matches!(metric.written().as_str(), "MB" | "kB" | "pages") || matches!(metric.field(), "db_size" | "memory-redis")
}

/// The fields without a unit that whole lines end in.
fn is_last(metric: &Native) -> bool {
    matches!(
        metric.field(),
        "load_avg_1m"
            | "load_avg_5m"
            | "load_avg_15m"
            | "wal-percentage-used"
            | "memory-percentage-used"
            | "follower-lag-commits"
            | "hit-rate"
            | "evicted-keys"
            | "avg_sent"
    )
}

/// Whether the sample that a platform line ends in, of this value and text, was cut: it has no unit though its field always has one, no two decimals
/// though it always has them, or it is of a field that no whole line ends in.
#[inline]
pub(super) fn is_cut(metric: &Native, value: Result<Value<'_>, NumberError>, text: Option<&[u8]>) -> bool {
    let text = text.unwrap_or_default();
    // Mostly there is a unit, and the whole of it.
    let is_whole = metric.written() != Unit::NONE && value.is_ok_and(|value| value.unit() == metric.written());
    // Or the two decimals that the load has.
    let is_load = || metric.field().starts_with("load_avg_") && has_two_decimals(text);
    !(is_whole || is_load()) && is_cut_by_text(metric, text)
}

#[inline]
const fn has_two_decimals(text: &[u8]) -> bool {
    matches!(text, [.., b'.', b'0'..=b'9', b'0'..=b'9'])
}

#[inline(never)]
fn is_cut_by_text(metric: &Native, text: &[u8]) -> bool {
    let unit = metric.written().as_str().as_bytes();
    if has_unit(metric) {
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        let written = text.get(digits..).unwrap_or_default();
        return written.len() < unit.len() && unit.starts_with(written);
    }
    if metric.field().starts_with("load_avg_") {
        let decimals = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let is_begun = text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
        return is_begun && (decimals < 2 || !text.contains(&b'.'));
    }
    // One that has a unit of its own is of another hand.
    let is_number = text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    is_number && (text.is_empty() || text.ends_with(b".") || !is_last(metric))
}

/// What is left of a piece's directives: nothing of its last word that goes on.
pub(super) struct Piece {
    last_word: Range<usize>,
    /// Where the item begins that touches the end; the line's end if there is no such item.
    torn: usize,
}

impl Piece {
    /// Of a line, or of one that is whole.
    #[inline]
    pub(super) fn of(line: &[u8], is_piece: bool) -> Self {
        let end = line.len();
        if is_piece { Self::of_piece(line) } else { Self { last_word: end..end, torn: end } }
    }

    #[cold]
    fn of_piece(line: &[u8]) -> Self {
        let end = line.len();
        let mut piece = Self { last_word: last_word(line), torn: end };
        for found in logfmt_metrics::directives(line) {
            let at = match &found {
                Ok(Directive::Metric(metric)) => metric.offset(),
                Ok(Directive::Tag(tag)) => tag.offset(),
                Ok(_) => continue,
                Err(refusal) => refusal.offset(),
            };
            if piece.is_torn_at(line, at, &found) {
                piece.torn = piece.torn.min(at);
            }
        }
        piece
    }

    fn is_torn_at(&self, line: &[u8], at: usize, found: &Result<Directive<'_>, Refusal>) -> bool {
        let rest = line.get(at..).unwrap_or_default();
        let goes_on = |is_part: fn(u8) -> bool| rest.iter().all(|byte| is_part(*byte));
        match found {
            Ok(Directive::Metric(metric)) => {
                let name = metric.kind().as_str().len() + 1 + metric.name().len();
                at >= self.last_word.start
                    && rest.get(name..).is_some_and(|rest| rest.iter().all(|byte| is_of_value(*byte)))
            }
            // What could stand behind a tag could be a part of it, but for the quote that ends the string.
            Ok(Directive::Tag(_)) => at >= self.last_word.start && goes_on(|byte| byte != b'"'),
            Err(refusal) => match refusal.kind() {
                RefusalKind::UnterminatedQuote => true,
                RefusalKind::Quoted | RefusalKind::Misplaced => false,
                _ => refusal.range().end == line.len(),
            },
            Ok(_) => false,
        }
    }

    /// Whether the item that begins here is one that may go on.
    pub(super) const fn is_torn(&self, at: usize) -> bool {
        at >= self.torn
    }
}

/// What a value may go on with, and so may be the end of.
fn is_of_value(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b'"' | b'.' | b'+' | b'-' | b'%' | 0x80..)
}

impl<V: LineVisitor> Out<'_, V> {
    /// Refuses a metric's word that a piece ends in: its name and value are in the next one.
    pub(super) fn refuse_torn_word(&mut self, line: &[u8]) -> bool {
        let words: [&[u8]; 3] = [b"count#", b"measure#", b"sample#"];
        let Some(word) = words.into_iter().find(|word| line.ends_with(word)) else { return false };
        let start = line.len() - word.len();
        let is_whole = start.checked_sub(1).and_then(|before| line.get(before));
        if is_whole.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            return false;
        }
        self.refuse(Why::Cut, Part::Value, (start, word.len()));
        true
    }
}
