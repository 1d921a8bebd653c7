use crate::lanes::{are_of_name, equals_or_space, has_control, space};
use crate::number::short_number;
use crate::pairs::{equals_or_hash, pair, unescape, unescaped_len, value_end};
use crate::{Pair, Refusal, RefusalKind, number, pairs};
use alloc::{borrow::Cow, string::String};
use core::{fmt, iter::FusedIterator, str};
use memchr::memchr;
use metric_model::{Kind, Value};

/// The most bytes of a metric's name: the limit of the Librato and AppOptics measurement API, the only one published.
///
/// ```
/// use logfmt_metrics::{MAX_NAME, directives};
/// let line = format!("count#{}=1 count#{}=1", "a".repeat(MAX_NAME), "a".repeat(MAX_NAME + 1));
/// assert_eq!(directives(line.as_bytes()).map(|found| found.is_ok()).collect::<Vec<_>>(), [true, false]);
/// ```
pub const MAX_NAME: usize = 255;

/// The most bytes of a tag's key; same source as [`MAX_NAME`].
///
/// ```
/// use logfmt_metrics::{MAX_TAG_KEY, directives};
/// let line = format!("tag#{}=1 tag#{}=1", "k".repeat(MAX_TAG_KEY), "k".repeat(MAX_TAG_KEY + 1));
/// assert_eq!(directives(line.as_bytes()).map(|found| found.is_ok()).collect::<Vec<_>>(), [true, false]);
/// ```
pub const MAX_TAG_KEY: usize = 64;

/// The most bytes of a tag's value, escapes undone; same source as [`MAX_NAME`].
///
/// ```
/// use logfmt_metrics::{MAX_TAG_VALUE, directives};
/// let line = format!("tag#a={} tag#b={}", "v".repeat(MAX_TAG_VALUE), "v".repeat(MAX_TAG_VALUE + 1));
/// assert_eq!(directives(line.as_bytes()).map(|found| found.is_ok()).collect::<Vec<_>>(), [true, false]);
/// ```
pub const MAX_TAG_VALUE: usize = 255;

/// The most tags of a line, repeated keys included; same source as [`MAX_NAME`]. Refused ones do not count.
///
/// ```
/// use logfmt_metrics::{MAX_TAGS, directives};
/// let line = "tag#k=v ".repeat(MAX_TAGS + 2);
/// assert_eq!(directives(line.as_bytes()).filter(Result::is_ok).count(), MAX_TAGS);
/// ```
pub const MAX_TAGS: usize = 50;

/// Whether the line can hold a metric: whether there is a `#` in it. One pass of memchr.
///
/// `false` means that [`directives`] would find neither a metric nor anything to refuse but a `source=`, so that the line
/// need not be read further.
///
/// ```
/// use logfmt_metrics::maybe_metrics;
/// assert!(maybe_metrics(b"count#signups=1"));
/// assert!(maybe_metrics(b"fixed #17"), "a maybe");
/// assert!(!maybe_metrics(b"source=web.1 Started GET /"));
/// ```
#[inline]
#[must_use]
pub fn maybe_metrics(line: &[u8]) -> bool {
    memchr(b'#', line).is_some()
}

/// Finds the metric directives of a line, in order. Never fails, never copies.
///
/// A directive is a [pair](pairs) whose key is `source` or begins with `count#`, `measure#`, `sample#` or `tag#`, in lower
/// case. So it stands at the start of a word, in any text, and outside of quoted values: `[count#a=1]`,
/// `/search?count#a=1` and `q="count#a=1"` are text.
///
/// ```text
/// metric = ( "count" / "measure" / "sample" ) "#" name "=" value  ; of `number`, in quotes or not
/// name   = 1*255( ALPHA / DIGIT / "_" / "." / ":" / "/" / "-" )   ; not below "heroku."
/// tag    = "tag#" key "=" text / "source=" text                   ; key 1 to 64, text 1 to 255 bytes of UTF-8
/// ```
///
/// Each item is a directive that can be used or the [`Refusal`] of one that cannot. Words that only look similar are text,
/// not refusals: a lone `count#` or `tag#`, an empty `source=` (the platform writes those), `unique#a=1`, `measure.a=1`.
/// A quote that is never closed hides the rest of the line; it is refused when there seems to be a directive in it.
///
/// ```
/// use logfmt_metrics::{Directive, directives};
///
/// let line = br#"request="GET /?q=count#a=1" count#orders=1 tag#plan="pro plus""#;
/// let found: Vec<_> = directives(line).collect::<Result<_, _>>()?;
/// assert!(matches!(found[0], Directive::Metric(metric) if metric.name() == "orders" && metric.offset() == 28));
/// assert!(matches!(found[1], Directive::Tag(tag) if tag.key() == "plan" && tag.value() == "pro plus"));
/// assert_eq!(found.len(), 2);
/// # Ok::<(), logfmt_metrics::Refusal>(())
/// ```
#[must_use]
pub fn directives(line: &[u8]) -> Directives<'_> {
    // Checked once, so that the parts of it need not be. On other lines nothing is usual.
    let text = if has_control(line) { "" } else { str::from_utf8(line).unwrap_or_default() };
    Directives { line, text, at: 0, tags: 0 }
}

/// The iterator that [`directives`] returns.
///
/// ```
/// let mut walk = logfmt_metrics::directives(b"count#signups=1");
/// assert!(walk.next().is_some_and(|found| found.is_ok()));
/// assert!(walk.next().is_none());
/// ```
#[derive(Clone)]
pub struct Directives<'a> {
    line: &'a [u8],
    /// The line, where it is UTF-8 without control characters; else nothing.
    text: &'a str,
    at: usize,
    tags: usize,
}

impl<'a> Iterator for Directives<'a> {
    type Item = Result<Directive<'a>, Refusal>;

    /// The next pair of the line that is a directive, without reading the pairs between.
    ///
    /// A directive has a `#` or is `source=`, so the walk goes from one `=` or `#` to the next and looks back at the word
    /// before it. Words without either are never looked at; values are skipped whole, so that each `=` met is the first
    /// of its pair and tells, as in [`pairs`], whether a quote opens.
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let line = self.line;
        // One directive often follows another. Any other is tried once its word was found.
        let mut tried = self.at + usize::from(line.get(self.at) == Some(&b' '));
        loop {
            if let Some(found) = self.usual(tried) {
                return Some(Ok(found));
            }
            let (word, at) = match self.find()? {
                Ok(found) => found,
                Err(refusal) => return Some(Err(refusal)),
            };
            if at != tried {
                (self.at, tried) = (at, at);
                continue;
            }
            let (pair, end) = pair(line, at);
            self.at = end;
            if let Some(found) = self.read(word, pair) {
                return Some(found.map_err(|kind| Refusal::new(kind, pair.range())));
            }
            tried = self.at;
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.line.len() - self.at))
    }
}

impl FusedIterator for Directives<'_> {}

impl fmt::Debug for Directives<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directives")
            .field("len", &self.line.len())
            .field("at", &self.at)
            .field("tags", &self.tags)
            .finish()
    }
}

/// One directive: a metric, or a tag for all metrics of the line.
///
/// ```
/// use logfmt_metrics::{Directive, directives};
/// let metrics = directives(b"tag#user_id=2 count#clicks=3").filter(|found| matches!(found, Ok(Directive::Metric(_))));
/// assert_eq!(metrics.count(), 1);
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Directive<'a> {
    /// `count#`, `measure#` or `sample#`.
    Metric(Metric<'a>),
    /// `tag#` or `source=`.
    Tag(Tag<'a>),
}

/// A metric's kind, name and value.
///
/// ```
/// use logfmt_metrics::{Directive, directives};
/// use metric_model::{Kind, Unit, Value};
///
/// let Some(Ok(Directive::Metric(size))) = directives(b"sample#cache.size=40.9MB").next() else { panic!("a metric") };
/// assert_eq!((size.kind(), size.name(), size.offset()), (Kind::Sample, "cache.size", 0));
/// assert_eq!(size.value(), Value::new(40.9, Unit::new("MB")));
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Metric<'a> {
    kind: Kind,
    name: &'a str,
    value: Value<'a>,
    offset: usize,
}

impl<'a> Metric<'a> {
    /// The word before the `#`.
    ///
    /// ```
    /// # use logfmt_metrics::{Directive, directives};
    /// # let Some(Ok(Directive::Metric(metric))) = directives(b"count#signups=1").next() else { panic!() };
    /// assert_eq!(metric.kind(), metric_model::Kind::Count);
    /// ```
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The name, 1 to [`MAX_NAME`] bytes of `A-Za-z0-9_.:/-`.
    ///
    /// ```
    /// # use logfmt_metrics::{Directive, directives};
    /// # let Some(Ok(Directive::Metric(metric))) = directives(b"count#signups=1").next() else { panic!() };
    /// assert_eq!(metric.name(), "signups");
    /// ```
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The value in the unit it is written in; finite, also after [`Value::regular`], and not negative for a count.
    ///
    /// ```
    /// # use logfmt_metrics::{Directive, directives};
    /// # use metric_model::Value;
    /// # let Some(Ok(Directive::Metric(metric))) = directives(b"count#signups=1").next() else { panic!() };
    /// assert_eq!(metric.value(), Value::plain(1.0));
    /// ```
    #[must_use]
    pub const fn value(&self) -> Value<'a> {
        self.value
    }

    /// Where the directive begins: bytes from the start of the line.
    ///
    /// ```
    /// # use logfmt_metrics::{Directive, directives};
    /// # let Some(Ok(Directive::Metric(metric))) = directives(b"ok count#signups=1").next() else { panic!() };
    /// assert_eq!(metric.offset(), 3);
    /// ```
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

/// A tag's key and value.
///
/// ```
/// use logfmt_metrics::{Directive, directives};
///
/// let Some(Ok(Directive::Tag(tag))) = directives(b"source=web.1 count#signups=1").next() else { panic!("a tag") };
/// assert_eq!((tag.key(), &*tag.value(), tag.offset()), ("source", "web.1", 0));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag<'a> {
    key: &'a str,
    raw: &'a str,
    escapes: bool,
    offset: usize,
}

impl<'a> Tag<'a> {
    /// The key, 1 to [`MAX_TAG_KEY`] bytes without control characters; `source` for `source=`.
    ///
    /// ```
    /// # use logfmt_metrics::{Directive, directives};
    /// # let Some(Ok(Directive::Tag(tag))) = directives(b"tag#user_id=2").next() else { panic!() };
    /// assert_eq!(tag.key(), "user_id");
    /// ```
    #[must_use]
    pub const fn key(&self) -> &'a str {
        self.key
    }

    /// The value, 1 to [`MAX_TAG_VALUE`] bytes; without its quotes, its escapes undone. Borrowed when there are none.
    ///
    /// ```
    /// # use logfmt_metrics::{Directive, directives};
    /// # let Some(Ok(Directive::Tag(tag))) = directives(br#"tag#title="say \"hi\"""#).next() else { panic!() };
    /// assert_eq!(tag.value(), r#"say "hi""#);
    /// ```
    #[must_use]
    pub fn value(&self) -> Cow<'a, str> {
        if !self.escapes {
            return Cow::Borrowed(self.raw);
        }
        match unescape(self.raw.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(self.raw),
            // An escape is ASCII and so is what it means, so UTF-8 stays UTF-8 and the second arm is never taken.
            Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            }),
        }
    }

    /// Where the directive begins: bytes from the start of the line.
    ///
    /// ```
    /// # use logfmt_metrics::{Directive, directives};
    /// # let Some(Ok(Directive::Tag(tag))) = directives(b"ok tag#user_id=2").next() else { panic!() };
    /// assert_eq!(tag.offset(), 3);
    /// ```
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Word {
    Metric(Kind),
    Tag,
    Source,
}

impl Word {
    /// How many octets of the key it takes, `#` included.
    const fn len(self) -> usize {
        match self {
            Self::Metric(Kind::Count) | Self::Source => 6,
            Self::Metric(Kind::Measure) => 8,
            Self::Metric(Kind::Sample) => 7,
            Self::Tag => 4,
        }
    }
}

/// The word that these octets begin with, each with what ends it.
#[inline]
const fn usual_word(octets: [u8; 8]) -> Option<Word> {
    const fn octets_of<const N: usize>(text: &[u8; N]) -> u64 {
        let (mut octets, mut nth) = (0, N);
        while nth > 0 {
            nth -= 1;
            octets = octets << 8 | text[nth] as u64;
        }
        octets
    }
    const SAMPLE: u64 = octets_of(b"sample#");
    const MEASURE: u64 = octets_of(b"measure#");
    const COUNT: u64 = octets_of(b"count#");
    const TAG: u64 = octets_of(b"tag#");
    const SOURCE: u64 = octets_of(b"source=");

    let octets = u64::from_le_bytes(octets);
    Some(match octets & u64::MAX >> 8 {
        SAMPLE => Word::Metric(Kind::Sample),
        SOURCE => Word::Source,
        _ if octets == MEASURE => Word::Metric(Kind::Measure),
        _ if octets & u64::MAX >> 16 == COUNT => Word::Metric(Kind::Count),
        _ if octets & u64::MAX >> 32 == TAG => Word::Tag,
        _ => return None,
    })
}

/// The directive's word that `before` ends in, given the octet behind it, and where it begins.
///
/// `before` begins at a pair or between two, so a word starts there or behind a separator.
#[inline]
fn word_before(before: &[u8], octet: u8) -> Option<(Word, usize)> {
    let (word, text): (_, &[u8]) = match (octet, before.last()?) {
        (b'=', b'e') => (Word::Source, b"source"),
        (b'#', b't') => (Word::Metric(Kind::Count), b"count"),
        (b'#', b'g') => (Word::Tag, b"tag"),
        (b'#', b'e') if before.ends_with(b"sample") => (Word::Metric(Kind::Sample), b"sample"),
        (b'#', b'e') => (Word::Metric(Kind::Measure), b"measure"),
        _ => return None,
    };
    let rest = before.strip_suffix(text)?;
    rest.last().is_none_or(|&octet| octet <= b' ').then_some((word, rest.len()))
}

/// Where the last word of `before` starts.
fn word_start(before: &[u8]) -> usize {
    before.iter().rposition(|&octet| octet <= b' ').map_or(0, |separator| separator + 1)
}

/// What an open quote swallows is read once more, up to the first metric or tag; a line has one such pair at most.
#[cold]
fn hides_directive(pair: Pair<'_>) -> bool {
    let hidden = pair.value().unwrap_or_default();
    pairs(hidden).any(|pair| {
        let hash = memchr(b'#', pair.key());
        hash.and_then(|hash| word_before(&pair.key()[..hash], b'#')).is_some()
    })
}

/// The value of a directive that needs one; `None` where a lone `count#` is text.
fn needed<'a>(pair: Pair<'a>, name: &[u8]) -> Option<Result<&'a [u8], RefusalKind>> {
    match pair.value() {
        Some(value) => Some(Ok(value)),
        None if name.is_empty() => None,
        None => Some(Err(RefusalKind::NoValue)),
    }
}

/// metric = ( "count" / "measure" / "sample" ) "#" name "=" value
#[inline]
fn metric<'a>(pair: Pair<'a>, kind: Kind, name: &'a [u8]) -> Option<Result<Metric<'a>, RefusalKind>> {
    let read = |value: &'a [u8]| {
        let name = metric_name(name)?;
        if !pair.is_terminated() {
            return Err(RefusalKind::UnterminatedQuote);
        }
        let value = number(value).map_err(|error| RefusalKind::from(error.kind()))?;
        // No unit's factor reaches 2^60, so a smaller number need not be made regular to see that it stays finite.
        if value.number().abs() > f64::MAX / (1_u64 << 60) as f64 && !value.regular().number().is_finite() {
            return Err(RefusalKind::NotFinite);
        }
        if kind == Kind::Count && value.number() < 0.0 {
            return Err(RefusalKind::NegativeCount);
        }
        Ok(Metric { kind, name, value, offset: pair.offset() })
    };
    needed(pair, name).map(|value| value.and_then(read))
}

/// name = 1*255( ALPHA / DIGIT / "_" / "." / ":" / "/" / "-" )
#[inline]
fn metric_name(name: &[u8]) -> Result<&str, RefusalKind> {
    if name.len() > MAX_NAME {
        return Err(RefusalKind::NameTooLong);
    }
    let text = str::from_utf8(name).map_err(|_| RefusalKind::NotUtf8)?;
    if name.is_empty() || !are_of_name(name) {
        return Err(RefusalKind::BadName);
    }
    if name.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED)) {
        return Err(RefusalKind::ReservedName);
    }
    Ok(text)
}

/// The namespace of native metrics.
const RESERVED: &[u8] = b"heroku.";

impl<'a> Directives<'a> {
    /// The word of the next directive and where it begins, or the open quote that may hide one.
    #[inline(never)]
    fn find(&mut self) -> Option<Result<(Word, usize), Refusal>> {
        let line = self.line;
        let mut from = self.at;
        loop {
            let place = equals_or_hash(line, from);
            let Some(&octet) = line.get(place) else {
                self.at = line.len();
                return None;
            };
            if let Some((word, start)) = word_before(&line[self.at..place], octet) {
                return Some(Ok((word, self.at + start)));
            } else if octet == b'#' {
                from = place + 1;
            } else if line.get(place + 1) == Some(&b'"') {
                // The pair from its `=` on: what is quoted is the same, and most keys need not be known.
                let (quoted, end) = pair(line, place);
                if !quoted.is_terminated() && hides_directive(quoted) {
                    let start = word_start(&line[self.at..place]);
                    let token = self.at + start..line.len();
                    self.at = end;
                    return Some(Err(Refusal::new(RefusalKind::UnterminatedQuote, token)));
                }
                self.at = end;
                from = end;
            } else {
                self.at = value_end(line, place + 1);
                from = self.at;
            }
        }
    }

    /// The directive that begins at `at`, the start of a word, if it is as most are: a name of up to 31 octets, a bare value,
    /// nothing to refuse. `None` is no judgement.
    #[inline(always)]
    fn usual(&mut self, at: usize) -> Option<Directive<'a>> {
        let rest = self.text.get(at..)?;
        let word = usual_word(*rest.as_bytes().first_chunk()?)?;
        match word {
            Word::Metric(kind) => self.usual_metric(kind, rest, word.len()),
            Word::Source => self.usual_tag("source", rest, word.len() + 1),
            Word::Tag => {
                let behind = rest.get(word.len()..)?;
                let key = behind.get(..equals_or_space(behind.as_bytes())?)?;
                if !are_of_name(key.as_bytes()) || key.is_empty() {
                    return None;
                }
                self.usual_tag(key, rest, word.len() + key.len() + 1)
            }
        }
    }

    /// `rest` begins with the directive; its name begins at `start`.
    #[inline(always)]
    fn usual_metric(&mut self, kind: Kind, rest: &'a str, start: usize) -> Option<Directive<'a>> {
        let offset = self.line.len() - rest.len();
        let behind = rest.get(start..)?;
        let (name, behind) = behind.split_at_checked(equals_or_space(behind.as_bytes())?)?;
        let value = behind.as_bytes().strip_prefix(b"=")?;
        // None below "heroku." either.
        if !are_of_name(name.as_bytes()) || matches!(name.as_bytes(), [] | [b'h' | b'H', ..]) {
            return None;
        }
        let (value, behind) = short_number(self.line, value)?;
        self.at = self.line.len() - behind.len();
        Some(Directive::Metric(Metric { kind, name, value, offset }))
    }

    /// `rest` begins with the directive; its value begins at `start`, behind a `=` if it has one.
    #[inline]
    fn usual_tag(&mut self, key: &'a str, rest: &'a str, start: usize) -> Option<Directive<'a>> {
        let offset = self.line.len() - rest.len();
        let value = rest.get(start..)?;
        let value = value.get(..space(value.as_bytes()))?;
        let is_usual = rest.as_bytes().get(start - 1) == Some(&b'=')
            && !value.starts_with('"')
            && (1..=MAX_TAG_VALUE).contains(&value.len())
            && self.tags < MAX_TAGS;
        if !is_usual {
            return None;
        }
        self.tags += 1;
        self.at = offset + start + value.len();
        Some(Directive::Tag(Tag { key, raw: value, escapes: false, offset }))
    }

    /// A pair that begins with a directive's word; `None` where it is text all the same.
    #[inline]
    fn read(&mut self, word: Word, pair: Pair<'a>) -> Option<Result<Directive<'a>, RefusalKind>> {
        match word {
            Word::Metric(kind) => {
                metric(pair, kind, &pair.key()[word.len()..]).map(|found| found.map(Directive::Metric))
            }
            Word::Tag => self.tag(pair, &pair.key()[word.len()..]).map(|found| found.map(Directive::Tag)),
            Word::Source => self.source(pair).map(|found| found.map(Directive::Tag)),
        }
    }

    /// tag = "tag#" key "=" text
    #[inline]
    fn tag(&mut self, pair: Pair<'a>, key: &'a [u8]) -> Option<Result<Tag<'a>, RefusalKind>> {
        let read = |raw| tag_key(key).and_then(|key| self.admit(pair, key, raw));
        needed(pair, key).map(|raw| raw.and_then(read))
    }

    /// "source=" text; without text it is no tag, and nothing to refuse.
    fn source(&mut self, pair: Pair<'a>) -> Option<Result<Tag<'a>, RefusalKind>> {
        let raw = pair.value()?;
        if raw.is_empty() && pair.is_terminated() {
            return None;
        }
        Some(self.admit(pair, "source", raw))
    }

    fn admit(&mut self, pair: Pair<'a>, key: &'a str, raw: &'a [u8]) -> Result<Tag<'a>, RefusalKind> {
        if !pair.is_terminated() {
            return Err(RefusalKind::UnterminatedQuote);
        }
        let escapes = pair.has_escapes();
        let raw = tag_value(raw, escapes)?;
        if self.tags >= MAX_TAGS {
            return Err(RefusalKind::TooManyTags);
        }
        self.tags += 1;
        Ok(Tag { key, raw, escapes, offset: pair.offset() })
    }
}

/// 1 to 64 bytes of UTF-8 without control characters; what ends a key, a separator or "=", cannot be in it.
#[inline]
fn tag_key(key: &[u8]) -> Result<&str, RefusalKind> {
    if key.len() > MAX_TAG_KEY {
        return Err(RefusalKind::TagKeyTooLong);
    }
    let text = str::from_utf8(key).map_err(|_| RefusalKind::NotUtf8)?;
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(RefusalKind::BadTagKey);
    }
    Ok(text)
}

/// 1 to 255 bytes of UTF-8, once the escapes are undone.
#[inline]
fn tag_value(raw: &[u8], escapes: bool) -> Result<&str, RefusalKind> {
    if raw.is_empty() {
        return Err(RefusalKind::BadTagValue);
    }
    if raw.len() > MAX_TAG_VALUE && (!escapes || unescaped_len(raw) > MAX_TAG_VALUE) {
        return Err(RefusalKind::TagValueTooLong);
    }
    str::from_utf8(raw).map_err(|_| RefusalKind::NotUtf8)
}

#[cfg(test)]
mod tests;
