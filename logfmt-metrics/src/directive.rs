mod escape;
mod fast;
mod state;
mod strings;
mod value;
mod walk;
mod word;

use self::state::State;
use self::strings::{Shut, Text};
use crate::pairs::unescape;
use alloc::{borrow::Cow, string::String};
use memchr::{memchr, memmem};
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

/// Whether the line can hold a metric: whether there is a `#` in it, or the `\u0023` that JSON may write for one. Two
/// passes of memchr at the most.
///
/// `false` means that [`directives`] would find neither a metric nor anything to refuse but a `source=`, so that the line
/// need not be read further.
///
/// ```
/// use logfmt_metrics::maybe_metrics;
/// assert!(maybe_metrics(b"count#signups=1"));
/// assert!(maybe_metrics(br#"{"msg":"count\u0023signups=1"}"#));
/// assert!(maybe_metrics(b"fixed #17"), "a maybe");
/// assert!(!maybe_metrics(b"source=web.1 Started GET /"));
/// ```
#[inline]
#[must_use]
pub fn maybe_metrics(line: &[u8]) -> bool {
    memchr(b'#', line).is_some() || memchr(b'\\', line).is_some_and(|at| has_escaped_hash(line, at))
}

/// Whether there is a `\u0023` from `at` on.
#[cold]
fn has_escaped_hash(line: &[u8], at: usize) -> bool {
    line.get(at..).is_some_and(|rest| memmem::find(rest, br"\u0023").is_some())
}

/// Finds the metric directives of a line, in order. Never fails, never copies.
///
/// A directive is `source=`, or begins with `count#`, `measure#`, `sample#` or `tag#`, in lower case.
///
/// ```text
/// metric = ( "count" / "measure" / "sample" ) "#" name "=" value  ; of `number`, in quotes or not
/// name   = 1*255( ALPHA / DIGIT / "_" / "." / ":" / "/" / "-" )   ; not of a native family
/// tag    = "tag#" key "=" text / "source=" text                   ; key 1 to 64, text 1 to 255 bytes of UTF-8
/// ```
///
/// Each item is a directive that can be used or the [`Refusal`](crate::Refusal) of one that cannot. Every `count#`,
/// `measure#` and `sample#` with a name behind it, that is no end of a longer word (`discount#5`), is one or the other; what
/// stands where a client's text may stand is refused, never counted. The [table](crate#what-is-read-where) says what is read where.
///
/// Words that only look similar are text, not refusals: a lone `count#` or `tag#`, a `tag#` in the middle of a
/// word, an empty `source=` (the platform writes those), `unique#a=1`, `measure.a=1`.
///
/// The line is taken as it stands: where it may hold colour codes, read it through
/// [`Uncoloured`](crate::colour::Uncoloured).
///
/// ```
/// use logfmt_metrics::{Directive, RefusalKind, directives};
///
/// let line = br#"request="GET /?q=count#a=1" count#orders=1, tag#plan="pro plus" measure#q=3ms."#;
/// let found: Vec<_> = directives(line).collect();
/// assert!(matches!(found[0], Err(refusal) if refusal.kind() == RefusalKind::Quoted), "a client wrote it");
/// assert!(matches!(found[1], Ok(Directive::Metric(metric)) if metric.name() == "orders" && metric.offset() == 28));
/// assert!(matches!(found[2], Ok(Directive::Tag(tag)) if tag.key() == "plan" && tag.value() == "pro plus"));
/// assert!(matches!(found[3], Ok(Directive::Metric(metric)) if metric.name() == "q" && metric.value().number() == 3.0));
/// assert_eq!(found.len(), 4);
/// ```
#[inline]
#[must_use]
pub fn directives(line: &[u8]) -> Directives<'_> {
    Directives::new(line)
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
    /// Whether the fast reader reads on.
    is_fast: bool,
    state: State,
    /// The string whose text is read now.
    string: Option<Text>,
    /// What is not read now, only looked through.
    shut: Option<Shut>,
    /// Double and single quotes that have no partner further on are not looked for again.
    is_alone: [bool; 2],
    /// Whether the line shows a request of HTTP, once it is known.
    is_access_log: Option<bool>,
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
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The name, 1 to [`MAX_NAME`] bytes of `A-Za-z0-9_.:/-`.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The value in the unit it is written in; finite, also after [`Value::regular`], and not negative for a count.
    #[must_use]
    pub const fn value(&self) -> Value<'a> {
        self.value
    }

    /// Where the directive begins: bytes from the start of the line.
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
    escapes: Escapes,
    offset: usize,
}

impl<'a> Tag<'a> {
    /// The key, 1 to [`MAX_TAG_KEY`] bytes without control characters; `source` for `source=`.
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
        match self.escapes {
            Escapes::None => Cow::Borrowed(self.raw),
            Escapes::Quotes => unquoted(Cow::Borrowed(self.raw)),
            Escapes::String => escape::undone(self.raw),
            Escapes::Both => unquoted(escape::undone(self.raw)),
        }
    }

    /// Where the directive begins: bytes from the start of the line.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

/// Which escapes of a tag's value are to be undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Escapes {
    None,
    /// Those of its own quotes.
    Quotes,
    /// Those of the string that the tag stands in.
    String,
    Both,
}

impl Escapes {
    /// Those of a value in quotes of its own that has some, in a string that has some.
    const fn of(of_quotes: bool, of_string: bool) -> Self {
        match (of_quotes, of_string) {
            (false, false) => Self::None,
            (true, false) => Self::Quotes,
            (false, true) => Self::String,
            (true, true) => Self::Both,
        }
    }
}

/// A value whose quotes have escapes, those undone.
fn unquoted(raw: Cow<'_, str>) -> Cow<'_, str> {
    match unescape(raw.as_bytes(), true) {
        Cow::Borrowed(_) => raw,
        // An escape is ASCII and so is what it means, so UTF-8 stays UTF-8 and the second arm is never taken.
        Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;
