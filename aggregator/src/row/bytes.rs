//! A row as bytes.
//!
//! ```text
//! row     = "MR" version:u8 length content checksum:u64        ; length of the content in LEB128; CRC-64/XZ, little-endian
//! content = shape revision window name unit tags state
//! window  = start length                                       ; in microseconds
//! state   = count sum                                          ; of a count
//!         / count min max last time position sum [sketch]      ; the sketch takes what is left
//! ```
//!
//! There are many rows, and most of what they hold is small and whole, so numbers take as few bytes as they need
//! ([`crate::codec`]). One row has one spelling.

use super::state::Held;
use super::{RowBuf, RowError, RowErrorKind};
use crate::codec::{Reader, Writer, checksum};
use crate::config::Precision;
use crate::gauge::{Gauge, Term, Total};
use crate::sketch::Persist;
use crate::sketch::own::{Keeps, Packs};
use crate::stream_key::{Form, Key};
use crate::sum::Sum;
use metric_model::{Kind, Timestamp, Unit, Window};

const MAGIC: &[u8; 2] = b"MR";
const VERSION: u8 = 1;
const CHECKSUM: usize = size_of::<u64>();

/// What a row is of, by its first byte: kind, form, and whether others had summed a part of it.
const SHAPES: [(Kind, Form, bool); 7] = [
    (Kind::Count, Form::Total, false),
    (Kind::Sample, Form::Gauge, false),
    (Kind::Measure, Form::Gauge, false),
    (Kind::Measure, Form::Distribution(Precision::TwoDigits), false),
    (Kind::Measure, Form::Distribution(Precision::ThreeDigits), false),
    (Kind::Measure, Form::Distribution(Precision::TwoDigits), true),
    (Kind::Measure, Form::Distribution(Precision::ThreeDigits), true),
];

impl<S: Persist> RowBuf<S> {
    /// The row as bytes, with a version and a checksum. Equal rows give equal bytes.
    ///
    /// Besides window, name, unit and tags, a count or a sample takes some 20 to 40 bytes, a measure of 100 values 100 to
    /// 250.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut content = Writer::default();
        let shape = (self.kind, self.form, matches!(self.held, Held::Summed(_)));
        let shape = SHAPES.iter().position(|known| *known == shape).unwrap_or(SHAPES.len());
        content.byte(shape as u8);
        content.number(u64::from(self.revision));
        let (start, end) = (self.window.start().unix_micros(), self.window.end().unix_micros());
        content.signed(start);
        content.number(end.wrapping_sub(start) as u64);
        content.text(&self.name);
        content.text(&self.unit);
        content.tags(&self.tags);
        match &self.held {
            Held::Total(total) => {
                content.number(total.count);
                content.sum(total.sum, None);
            }
            Held::Gauge(gauge) | Held::Summed(gauge) => write_gauge(gauge, start, &mut content),
            Held::Distribution(gauge, sketch) => {
                write_gauge(gauge, start, &mut content);
                let mut bytes = Vec::new();
                sketch.pack(&mut bytes);
                content.raw(&bytes);
            }
        }
        let mut out = Writer::default();
        out.raw(MAGIC);
        out.byte(VERSION);
        out.bytes(&content.into_bytes());
        let mut bytes = out.into_bytes();
        bytes.extend(checksum(&bytes).to_le_bytes());
        bytes
    }

    /// The row that [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// When the bytes are no row, or not one alone, or damaged: every truncation and damage of any single byte is found. Any
    /// bytes are safe to offer; a forged sketch takes at most some hundred times as many in memory.
    ///
    /// ```
    /// use minute_aggregator::{MinuteSketch, RowBuf, RowErrorKind};
    /// let error = RowBuf::<MinuteSketch>::from_bytes(b"MR\x01").unwrap_err();
    /// assert_eq!(error.kind(), RowErrorKind::Truncated);
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RowError> {
        let (content, at) = content(bytes)?;
        let mut input = Reader::new(content, at);
        read(&mut input).ok_or(RowError::new(RowErrorKind::Content, input.offset()))
    }
}

/// What stands between the header and a checksum that matches, and where it begins.
fn content(bytes: &[u8]) -> Result<(&[u8], usize), RowError> {
    let mut input = Reader::new(bytes, 0);
    if input.raw(MAGIC.len()) != Some(MAGIC) {
        return Err(RowError::new(RowErrorKind::NotARow, 0));
    }
    let truncated = RowError::new(RowErrorKind::Truncated, bytes.len());
    if input.byte().ok_or(truncated)? != VERSION {
        return Err(RowError::new(RowErrorKind::Version, MAGIC.len()));
    }
    // A length in another spelling than the shortest is no truncation, but no one writes it.
    let length = input.number().and_then(|length| usize::try_from(length).ok()).ok_or(truncated)?;
    let at = input.offset();
    let content = input.raw(length).ok_or(truncated)?;
    let sum_at = input.offset();
    let sum = input.raw(CHECKSUM).ok_or(truncated)?;
    if !input.is_empty() {
        return Err(RowError::new(RowErrorKind::Trailing, input.offset()));
    }
    if checksum(bytes.get(..sum_at).unwrap_or_default()).to_le_bytes() != sum {
        return Err(RowError::new(RowErrorKind::Checksum, sum_at));
    }
    Ok((content, at))
}

fn read<S: Persist>(input: &mut Reader<'_>) -> Option<RowBuf<S>> {
    let (kind, form, summed) = *SHAPES.get(usize::from(input.byte()?))?;
    let revision = u32::try_from(input.number()?).ok()?;
    let start = input.signed()?;
    let end = start.checked_add_unsigned(input.number()?)?;
    let [start, end] = [start, end].map(Timestamp::from_unix_micros);
    let window = Window::between(start, end)?;
    let name = input.text()?;
    let unit = Unit::new(input.text()?);
    let tags = input.tags()?;
    let held = match form {
        Form::Total => {
            let count = input.number().filter(|count| *count > 0)?;
            Held::Total(Total { count, sum: input.sum(None)? })
        }
        Form::Gauge => Held::Gauge(read_gauge(window, input)?),
        Form::Distribution(_) if summed => Held::Summed(read_gauge(window, input)?),
        Form::Distribution(precision) => {
            let gauge = read_gauge(window, input)?;
            let sketch = S::unpack(input.rest()).filter(|sketch| is_sound(sketch, &gauge, precision))?;
            Held::Distribution(gauge, sketch)
        }
    };
    let key = Key { name, kind, unit, tags: &tags };
    input.is_empty().then(|| RowBuf::new(window, key, form, revision, held))
}

/// Whether the gauge can be that of the values of the sketch: exactly, as long as those are there.
fn is_sound<S: Persist>(sketch: &S, gauge: &Gauge, precision: Precision) -> bool {
    let is_exact = |values: &[f64]| {
        let sum = Gauge::of(values.iter().copied(), None).total.sum;
        sum == gauge.total.sum && values.contains(&gauge.last.value)
    };
    sketch.is_of(precision, &gauge.stats()) && sketch.kept().is_none_or(is_exact)
}

fn write_gauge(gauge: &Gauge, start: i64, out: &mut Writer) {
    let Gauge { total: Total { sum, count }, min, max, last } = *gauge;
    out.number(count);
    out.short(min, &[]);
    out.short(max, &[min]);
    out.short(last.value, &[min, max]);
    out.number(last.time.wrapping_sub(start) as u64);
    out.number(last.position);
    // That of one value is that value, as a rule.
    out.sum(sum, (count == 1).then_some(min));
}

fn read_gauge(window: Window, input: &mut Reader<'_>) -> Option<Gauge> {
    let count = input.number().filter(|count| *count > 0)?;
    let min = input.short(&[])?;
    let max = input.short(&[min])?;
    let value = input.short(&[min, max])?;
    let time = window.start().unix_micros().checked_add_unsigned(input.number()?)?;
    let last = Term { value, time, position: input.number()? };
    let sum: Sum = input.sum((count == 1).then_some(min))?;
    let gauge = Gauge { total: Total { sum, count }, min, max, last };
    (min <= value && value <= max && gauge.ends_in(window)).then_some(gauge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AggregatorConfig;
    use crate::engine::Aggregator;
    use crate::row::{EachRow, Row};
    use crate::sketch::minute::MinuteSketch;
    use core::convert::Infallible;
    use metric_model::{Observation, TagSet, Value};

    /// A row whose checksum is right, whatever the content.
    fn sealed(content: &[u8]) -> Vec<u8> {
        let mut out = Writer::default();
        out.raw(MAGIC);
        out.byte(VERSION);
        out.bytes(content);
        let mut bytes = out.into_bytes();
        bytes.extend(checksum(&bytes).to_le_bytes());
        bytes
    }

    #[test]
    fn forged_content_is_refused_or_is_a_row_in_its_one_spelling() {
        let tags = TagSet::from_iter([("a", "1")]);
        let mut rows: Vec<RowBuf> = Vec::new();
        for count in [1, 5, 100] {
            let mut engine = Aggregator::new(AggregatorConfig::new()).unwrap();
            for (kind, n) in [Kind::Count, Kind::Sample, Kind::Measure].into_iter().cycle().zip(0..3 * count) {
                let time = Timestamp::from_unix_seconds(i64::from(n % 60));
                let value = Value::plain(f64::from(n) * 1.1);
                let _ = engine.observe(&Observation::new(kind, "x", value, &tags, time));
            }
            let mut keep = EachRow(|row: &Row<'_>| {
                rows.push(row.to_row_buf());
                Ok::<(), Infallible>(())
            });
            engine.finish(&mut keep).unwrap();
        }
        let (mut refused, mut taken) = (0, 0);
        for bytes in rows.iter().map(RowBuf::to_bytes) {
            let (content, _) = content(&bytes).unwrap();
            for at in 0..content.len() {
                for change in [1_u8, 0x80, 0xFF] {
                    let mut forged = content.to_vec();
                    forged[at] ^= change;
                    let forged = sealed(&forged);
                    match RowBuf::<MinuteSketch>::from_bytes(&forged) {
                        Ok(row) => {
                            assert_eq!(row.to_bytes(), forged);
                            let mut twice = row.clone();
                            twice.merge(&row).unwrap();
                            assert!(twice.point().stats().sum().is_finite());
                            taken += 1;
                        }
                        Err(error) => {
                            assert_eq!(error.kind(), RowErrorKind::Content);
                            refused += 1;
                        }
                    }
                }
                assert!(RowBuf::<MinuteSketch>::from_bytes(&sealed(&content[..at])).is_err(), "cut at {at}");
            }
            for more in [0, 1, u8::MAX] {
                let longer = sealed(&[content, &[more]].concat());
                assert!(RowBuf::<MinuteSketch>::from_bytes(&longer).is_err(), "goes on with {more}");
            }
        }
        assert!(refused > taken, "{refused} refused, {taken} taken");
    }
}
