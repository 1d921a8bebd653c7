use crate::error::NumberError;
use crate::lanes::{equals_or_space, has_control, space};
use crate::number::fast_number;
use crate::number::number;
use crate::pairs::Pair;
use crate::pairs::{Form, pair, skip_separators};
use core::{fmt, iter::FusedIterator, ops::Range};
use metric_model::Value;

/// Walks a line of samples, as the platform writes them for dynos and databases. Never fails, never copies.
///
/// It hands out the same pairs as [`pairs`](crate::pairs()), those whose key begins with `sample#` as a [`Sample`]. It is
/// the faster one on lines that consist of them, and right on all.
///
/// Unlike [`directives`](crate::directives()) it judges nothing: a sample's name is any bytes, perhaps none, and whether
/// its value can be used is for [`Sample::value`] to say. So it suits callers that know the names, as a reader of lines whose
/// names are in a table does. The line is taken as it stands: where it may hold colour codes, read it through
/// [`Uncoloured`](crate::colour::Uncoloured).
///
/// ```
/// use logfmt_metrics::{SampleToken, samples};
///
/// let line = b"source=DATABASE addon=postgresql-lucid-40213 sample#db_size=4469950648bytes sample#tables=61";
/// let (mut source, mut sizes) = (None, Vec::new());
/// for token in samples(line) {
///     match token {
///         SampleToken::Sample(sample) => sizes.push((sample.name(), sample.value()?.number())),
///         SampleToken::Pair(pair) if pair.key() == b"source" => source = pair.value(),
///         _ => {}
///     }
/// }
/// assert_eq!(source, Some(&b"DATABASE"[..]));
/// assert_eq!(sizes, [(&b"db_size"[..], 4_469_950_648.0), (b"tables", 61.0)]);
/// # Ok::<(), logfmt_metrics::NumberError>(())
/// ```
#[inline]
#[must_use]
pub fn samples(line: &[u8]) -> Samples<'_> {
    Samples { line, rest: line, has_control: has_control(line) }
}

/// The iterator that [`samples`] returns.
///
/// ```
/// let mut walk = logfmt_metrics::samples(b"sample#load_avg_1m=0.50");
/// assert_eq!((walk.by_ref().count(), walk.count()), (1, 0));
/// ```
#[derive(Clone)]
pub struct Samples<'a> {
    line: &'a [u8],
    /// What is left of it.
    rest: &'a [u8],
    /// Whether it holds a control character: else SP is its only separator.
    has_control: bool,
}

impl Samples<'_> {
    /// Whether there may be [colour codes](crate::colour) in the line. The same as [`colour::maybe`](crate::colour::maybe), but
    /// at no cost where the walk has seen already that the line holds no control character.
    ///
    /// ```
    /// use logfmt_metrics::samples;
    /// assert!(samples(b"\x1b[1msample#load_avg_1m=0.50\x1b[0m").may_be_coloured());
    /// assert!(!samples(b"sample#load_avg_1m=0.50\tsample#load_avg_5m=0.50").may_be_coloured());
    /// ```
    #[inline]
    #[must_use]
    pub fn may_be_coloured(&self) -> bool {
        self.has_control && crate::colour::maybe(self.line)
    }
}

/// What stands on a line of samples.
///
/// ```
/// use logfmt_metrics::{SampleToken, samples};
/// let is_sample = |token| matches!(token, SampleToken::Sample(_));
/// assert_eq!(samples(b"source=web.1 sample#load_avg_1m=0.50 up").map(is_sample).collect::<Vec<_>>(), [false, true, false]);
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum SampleToken<'a> {
    /// A pair whose key begins with `sample#`.
    Sample(Sample<'a>),
    /// Any other.
    Pair(Pair<'a>),
}

/// A `sample#name=value`.
///
/// ```
/// use logfmt_metrics::{SampleToken, samples};
/// use metric_model::{Unit, Value};
///
/// let Some(SampleToken::Sample(sample)) = samples(b"sample#memory_rss=40.91MB").next() else { panic!("a sample") };
/// assert_eq!((sample.name(), sample.value()), (&b"memory_rss"[..], Ok(Value::new(40.91, Unit::new("MB")))));
/// assert_eq!(sample.range(), 0..25);
/// ```
#[derive(Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    line: &'a [u8],
    name: &'a [u8],
    /// From the value on to the end of the line; from the end of the word on when there is no value.
    rest: &'a [u8],
    /// What is behind the value.
    behind: &'a [u8],
    form: Form,
    value: Result<Value<'a>, NumberError>,
}

const SAMPLE: &[u8; 7] = b"sample#";

impl<'a> Sample<'a> {
    /// What stands behind `sample#`, up to the `=`: any bytes, perhaps none.
    #[inline]
    #[must_use]
    pub const fn name(&self) -> &'a [u8] {
        self.name
    }

    /// The value as it stands, without its quotes; `None` when there is no `=`.
    #[inline]
    #[must_use]
    pub fn text(&self) -> Option<&'a [u8]> {
        if self.form == Form::Absent { None } else { self.rest.get(..self.len()) }
    }

    /// The value, as [`number`](crate::number()) reads it; without a `=` it is empty.
    ///
    /// # Errors
    ///
    /// A [`NumberError`], whose offset counts from the start of the value.
    #[inline]
    pub const fn value(&self) -> Result<Value<'a>, NumberError> {
        self.value
    }

    /// Where the sample begins: bytes from the start of the line.
    #[inline]
    const fn offset(&self) -> usize {
        let before_value = match self.form {
            Form::Absent => 0,
            Form::Bare => 1,
            Form::Quoted | Form::Open => 2,
        };
        self.value_offset() - before_value - self.name.len() - SAMPLE.len()
    }

    const fn len(&self) -> usize {
        self.rest.len() - self.behind.len() - matches!(self.form, Form::Quoted) as usize
    }

    /// Where the value begins; without a `=`, where the word ends.
    const fn value_offset(&self) -> usize {
        self.line.len() - self.rest.len()
    }

    /// The bytes of the line that the sample takes, quotes included.
    #[inline]
    #[must_use]
    pub const fn range(&self) -> Range<usize> {
        self.offset()..self.line.len() - self.behind.len()
    }

    /// A pair whose key, behind `sample#`, is `name`.
    fn of(line: &'a [u8], pair: &Pair<'a>, name: &'a [u8]) -> Self {
        let rest = line.get(pair.value_offset()..).unwrap_or_default();
        let behind = line.get(pair.range().end..).unwrap_or_default();
        Self { line, name, rest, behind, form: pair.form(), value: number(pair.value().unwrap_or_default()) }
    }
}

impl fmt::Debug for Sample<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sample(\"{}\"", self.name().escape_ascii())?;
        if let Some(text) = self.text() {
            write!(f, " = \"{}\"", text.escape_ascii())?;
        }
        write!(f, " at {})", self.offset())
    }
}

impl<'a> Iterator for Samples<'a> {
    type Item = SampleToken<'a>;

    /// The next pair. The fast reader takes a space, a sample, and a value without quotes. Always inlined, so that nothing of a
    /// sample is written to memory which its reader does not ask for.
    #[inline(always)]
    fn next(&mut self) -> Option<SampleToken<'a>> {
        let line = self.line;
        if !self.has_control {
            if let Some((word, text)) = self.rest.split_first_chunk::<8>()
                && u64::from_ne_bytes(*word) == const { u64::from_ne_bytes(*b" sample#") }
                && let Some(len) = equals_or_space(text)
                && let Some((name, [b'=', rest @ ..])) = text.split_at_checked(len)
                && let Some((value, behind)) = fast_number(line, rest)
            {
                self.rest = behind;
                return Some(SampleToken::Sample(Sample {
                    line,
                    name,
                    rest,
                    behind,
                    form: Form::Bare,
                    value: Ok(value),
                }));
            }
            let text = self.rest.strip_prefix(b" ").unwrap_or(self.rest);
            if !text.starts_with(SAMPLE)
                && let Some(len) = equals_or_space(text)
                && let Some((key, [b'=', rest @ ..])) = text.split_at_checked(len)
                && rest.first() != Some(&b'"')
                && let Some((value, behind)) = rest.split_at_checked(space(rest))
            {
                self.rest = behind;
                return Some(SampleToken::Pair(Pair::bare(key, value, line.len() - text.len())));
            }
        }
        if self.rest.is_empty() {
            return None;
        }
        // Taken apart and put together again, so that what the fast reader hands out need not lie in memory.
        let (pair, behind) = plain_pair(line, self.rest)?;
        self.rest = behind;
        Some(match pair.key().strip_prefix(SAMPLE) {
            Some(name) => SampleToken::Sample(Sample::of(line, &pair, name)),
            None => SampleToken::Pair(pair),
        })
    }
}

/// The next pair by the plain reader, whatever it is, and what is behind it. `rest` is an end of `line`.
#[inline(never)]
fn plain_pair<'a>(line: &'a [u8], rest: &[u8]) -> Option<(Pair<'a>, &'a [u8])> {
    let offset = skip_separators(line, line.len() - rest.len());
    if offset >= line.len() {
        return None;
    }
    let (pair, end) = pair(line, offset);
    Some((pair, line.get(end..).unwrap_or_default()))
}

impl FusedIterator for Samples<'_> {}

impl fmt::Debug for Samples<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Samples")
            .field("len", &self.line.len())
            .field("at", &(self.line.len() - self.rest.len()))
            .finish()
    }
}
