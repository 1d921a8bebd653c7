//! The fields of a router line, one after another.

use crate::line::fast::Ends;
use crate::line::layout::{Layout, Quote, Zone};
use alloc::borrow::Cow;
use core::{fmt, iter::FusedIterator};
use logfmt_metrics::{Pair, Pairs, pairs, unescape};

/// One `name=value` of a router line, or a bare word.
///
/// ```
/// use heroku_router::RouterLine;
///
/// let line = br#"method=GET path="/a b" host=shop.example.com retry dyno="#;
/// let line = RouterLine::parse(line).ok_or("no router line")?;
/// let fields: Vec<_> = line.fields().map(|field| (field.name(), field.value())).collect();
/// assert_eq!(fields[1], (&b"path"[..], Some(&b"/a b"[..])));
/// assert_eq!(fields[3], (&b"retry"[..], None));
/// assert_eq!(fields[4], (&b"dyno"[..], Some(&b""[..])));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    name: &'a [u8],
    value: Option<&'a [u8]>,
    quote: Quote,
    zone: Zone,
    offset: usize,
    value_offset: usize,
}

impl<'a> Field<'a> {
    /// The name as written, any bytes but `=` and those up to SP; empty for a stray `=x`.
    #[must_use]
    pub const fn name(&self) -> &'a [u8] {
        self.name
    }

    /// The value as written, without its quotes: `None` for a bare word, empty for `dyno=`.
    #[must_use]
    pub const fn value(&self) -> Option<&'a [u8]> {
        self.value
    }

    /// The value with the escapes `\n \t \r \" \\ \/` of a quoted one undone; borrowed when there are none.
    ///
    /// Whether routers escape anything is not documented, so the accessors of [`RouterLine`](crate::RouterLine) leave
    /// values as written.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(br#"path="/say/\"hi\"" status=200"#);
    /// let path = line.and_then(|line| line.fields().next()).and_then(|field| field.unescaped());
    /// assert_eq!(path.as_deref(), Some(&br#"/say/"hi""#[..]));
    /// ```
    #[must_use]
    pub fn unescaped(&self) -> Option<Cow<'a, [u8]>> {
        self.value.map(|value| unescape(value, self.is_quoted()))
    }

    /// Whether the value stood in quotes.
    #[must_use]
    pub const fn is_quoted(&self) -> bool {
        matches!(self.quote, Quote::Closed | Quote::Open)
    }

    /// Whether the value is whole: not a quoted one that the end of the line cut off.
    #[must_use]
    pub const fn is_terminated(&self) -> bool {
        !matches!(self.quote, Quote::Open)
    }

    /// Where in the line the field starts, in bytes. A field of a line before October 2012 that has no name there
    /// starts with its value.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Where in the line the value starts, behind its opening quote; for a bare word, where the word ends.
    #[must_use]
    pub const fn value_offset(&self) -> usize {
        self.value_offset
    }

    pub(crate) const fn quote(&self) -> Quote {
        self.quote
    }

    pub(crate) const fn zone(&self) -> Zone {
        self.zone
    }
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({}", self.name.escape_ascii())?;
        if let Some(value) = self.value {
            write!(f, "={}", value.escape_ascii())?;
        }
        write!(f, " at {})", self.offset)
    }
}

/// The fields of a line, in its order.
#[derive(Clone)]
pub(crate) struct Fields<'a> {
    line: &'a [u8],
    /// Of a line whose fields stand in today's order, where they end; how many are out, and where the next one starts.
    ends: Ends,
    nth: u8,
    at: usize,
    rest: Rest<'a>,
}

/// What is not in `ends`.
#[derive(Clone)]
enum Rest<'a> {
    /// What stands behind those.
    Tail,
    /// Pairs of the tail, whose offsets count from the number.
    Pairs(Pairs<'a>, usize),
    /// All of the line.
    Walk(Walk<'a>),
}

impl<'a> Fields<'a> {
    pub(crate) fn new(line: &'a [u8], layout: Layout) -> Self {
        Self { line, ends: Ends::NONE, nth: 0, at: 0, rest: Rest::Walk(Walk::new(line, layout)) }
    }

    #[inline]
    pub(crate) const fn known(line: &'a [u8], ends: Ends) -> Self {
        Self { line, ends, nth: 0, at: 0, rest: Rest::Tail }
    }

    #[inline(never)]
    fn next_of_rest(&mut self) -> Option<Field<'a>> {
        if self.at > self.line.len() {
            return None;
        }
        if matches!(self.rest, Rest::Tail) {
            // Behind the last value stood the space that `at` skipped, or the line ended.
            let base = self.at.min(self.line.len());
            self.rest = Rest::Pairs(pairs(self.line.get(base..).unwrap_or_default()), base);
        }
        match &mut self.rest {
            Rest::Tail => None,
            Rest::Pairs(pairs, base) => pairs.next().map(|pair| Field::of(&pair, *base, Zone::Numbers)),
            Rest::Walk(walk) => walk.next(),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        let Some((name, zone, quote, end)) = self.ends.get(self.nth) else { return self.next_of_rest() };
        let (offset, quotes) = (self.at, usize::from(quote == Quote::Closed));
        let value_offset = offset + name.len() + 1 + quotes;
        (self.nth, self.at) = (self.nth + 1, end + quotes + 1);
        let name = self.line.get(offset..offset + name.len()).unwrap_or_default();
        Some(Field { name, value: self.line.get(value_offset..end), quote, zone, offset, value_offset })
    }
}

impl FusedIterator for Fields<'_> {}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'a> Field<'a> {
    /// A field that logfmt and routers agree on; the pair's offsets count from `base`.
    fn of(pair: &Pair<'a>, base: usize, zone: Zone) -> Self {
        let quote = match (pair.is_quoted(), pair.is_terminated()) {
            (false, _) => Quote::None,
            (true, true) => Quote::Closed,
            (true, false) => Quote::Open,
        };
        let (offset, value_offset) = (base + pair.offset(), base + pair.value_offset());
        Self { name: pair.key(), value: pair.value(), quote, zone, offset, value_offset }
    }
}

/// The plain walk, of lines of every generation. What [`Ends`] tell is tested against it.
#[derive(Clone)]
struct Walk<'a> {
    line: &'a [u8],
    layout: Layout,
    /// How many fields of the layout's old head are out.
    head: usize,
    pairs: Pairs<'a>,
    /// Where in the line `pairs` counts from, and where it ends.
    base: usize,
    end: usize,
}

impl<'a> Walk<'a> {
    fn new(line: &'a [u8], layout: Layout) -> Self {
        let base = layout.old.map_or(0, |old| old.end as usize);
        let mut fields = Self { line, layout, head: 0, pairs: pairs(&[]), base, end: base };
        fields.go_on(base);
        fields
    }

    /// Walks on from here, up to the numbers when they are ahead: a quote that a client opens must not reach them.
    fn go_on(&mut self, base: usize) {
        let (numbers, end) = (self.layout.numbers as usize, self.line.len());
        self.base = base.min(end);
        self.end = if self.base < numbers { numbers } else { end };
        self.pairs = pairs(self.line.get(self.base..self.end).unwrap_or_default());
    }

    fn next_pair(&mut self) -> Option<Pair<'a>> {
        loop {
            let pair = self.pairs.next();
            if pair.is_some() || self.end == self.line.len() {
                return pair;
            }
            self.go_on(self.end);
        }
    }

    /// The next of the fields that a line before October 2012 writes without names.
    fn next_of_head(&mut self) -> Option<Field<'a>> {
        let old = self.layout.old?;
        while let Some((name, range, zone)) = old.fields().get(self.head) {
            self.head += 1;
            let value = self.line.get(range.clone()).unwrap_or_default();
            if !value.is_empty() {
                let (quote, offset) = (Quote::None, range.start);
                return Some(Field { name, value: Some(value), quote, zone: *zone, offset, value_offset: offset });
            }
        }
        None
    }

    fn next(&mut self) -> Option<Field<'a>> {
        if let Some(field) = self.next_of_head() {
            return Some(field);
        }
        let pair = self.next_pair()?;
        let field = Field::of(&pair, self.base, self.layout.zone(self.base + pair.offset()));
        let Some(span) = self.layout.span_at(field.value_offset) else { return Some(field) };
        let value = self.line.get(field.value_offset..span.end as usize);
        self.go_on(span.behind());
        Some(Field { value, quote: if span.is_open { Quote::Open } else { Quote::Closed }, ..field })
    }
}
