use alloc::{borrow::Cow, vec::Vec};
use byte_words::{below, every, find};
use core::{fmt, iter::FusedIterator, ops::Range};
use memchr::{memchr, memchr2};

/// Walks the pairs of a line, in order. Never fails, never copies.
///
/// `line` is any bytes, untrusted. Bytes up to SP (0x20: SP, TAB, LF, CR, NUL and their like) stand between pairs and
/// in quoted values; every other byte belongs to exactly one pair. A repeated key comes out each time: the first
/// stands, by this family's rule, and a caller that looks for one key takes the first it meets.
///
/// ```text
/// line  = *( 1*SEP / pair )
/// pair  = key [ "=" value ]             ; the value follows at once
/// key   = *<any byte but SEP and "=">  ; empty only in front of "="
/// value = DQUOTE *( <any byte but DQUOTE and "\"> / "\" <any byte> ) ( DQUOTE / end-of-line )
///       / *<any byte but SEP>          ; that does not begin with DQUOTE
/// SEP   = %x00-20
/// ```
///
/// ```
/// use logfmt_metrics::pairs;
///
/// let line = br#"at=info path="/search?q=a b" dyno= retry fwd="10.0.0.1"#;
/// let seen: Vec<_> = pairs(line).map(|pair| (pair.key(), pair.value())).collect();
/// assert_eq!(seen, [
///     (&b"at"[..], Some(&b"info"[..])),
///     (b"path", Some(b"/search?q=a b")),
///     (b"dyno", Some(b"")),
///     (b"retry", None),
///     (b"fwd", Some(b"10.0.0.1")),
/// ]);
/// assert!(pairs(line).any(|pair| !pair.is_terminated()), "the last quote is open");
/// ```
#[must_use]
pub fn pairs(line: &[u8]) -> Pairs<'_> {
    Pairs { line, at: 0 }
}

/// The iterator that [`pairs`] returns.
///
/// ```
/// let mut walk = logfmt_metrics::pairs(b"at=info");
/// let again = walk.clone();
/// assert_eq!((walk.by_ref().count(), walk.count(), again.count()), (1, 0, 1));
/// ```
#[derive(Clone)]
pub struct Pairs<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        let start = skip_separators(self.line, self.at);
        if start >= self.line.len() {
            self.at = start;
            return None;
        }
        let (pair, end) = pair(self.line, start);
        self.at = end;
        Some(pair)
    }
}

impl FusedIterator for Pairs<'_> {}

impl fmt::Debug for Pairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pairs").field("len", &self.line.len()).field("at", &self.at).finish()
    }
}

/// One `key=value`, or a bare `key`: slices of the line, as they stand in it.
///
/// ```
/// let pair = logfmt_metrics::pairs(br#"  desc="say \"no\"""#).next().expect("a pair");
/// assert_eq!(pair.key(), b"desc");
/// assert_eq!(pair.value(), Some(&br#"say \"no\""#[..]));
/// assert_eq!(pair.unescaped().as_deref(), Some(&br#"say "no""#[..]));
/// assert_eq!((pair.offset(), pair.value_offset(), pair.range()), (2, 8, 2..19));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pair<'a> {
    key: &'a [u8],
    value: &'a [u8],
    offset: usize,
    form: Form,
}

/// How the value stands in the line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// There is no `=`.
    Absent,
    Bare,
    Quoted,
    /// A quote without its partner.
    Open,
}

impl<'a> Pair<'a> {
    /// The bytes before the `=`, or the whole word when there is none. Empty for `=value`.
    #[inline]
    #[must_use]
    pub const fn key(&self) -> &'a [u8] {
        self.key
    }

    /// The value as it stands: without its quotes, with its escapes. `None` for a bare key, empty for `k=` and `k=""`.
    #[inline]
    #[must_use]
    pub const fn value(&self) -> Option<&'a [u8]> {
        match self.form {
            Form::Absent => None,
            _ => Some(self.value),
        }
    }

    /// The value with its escapes undone, borrowed when there are none.
    ///
    /// In quotes `\n`, `\t`, `\r`, `\"`, `\\` and `\/` mean one byte; every other backslash stands for itself, and so
    /// do all outside of quotes (`path=C:\new` holds no newline). Linear in the value; one allocation at most.
    ///
    /// ```
    /// use std::borrow::Cow;
    ///
    /// let line = br#"a="1\t2" b="caf\u00e9" c=C:\new"#;
    /// let values: Vec<_> = logfmt_metrics::pairs(line).filter_map(|pair| pair.unescaped()).collect();
    /// assert_eq!(values, [&b"1\t2"[..], br"caf\u00e9", br"C:\new"]);
    /// assert!(matches!(values[1], Cow::Borrowed(_)), "nothing to undo");
    /// ```
    #[must_use]
    pub fn unescaped(&self) -> Option<Cow<'a, [u8]>> {
        self.value().map(|value| unescape(value, self.is_quoted()))
    }

    /// Whether the value stands in quotes, an open one included.
    #[must_use]
    pub const fn is_quoted(&self) -> bool {
        matches!(self.form, Form::Quoted | Form::Open)
    }

    /// `false` when the value's quote is open and so runs to the end of the line; only the last pair can be so.
    #[must_use]
    pub const fn is_terminated(&self) -> bool {
        !matches!(self.form, Form::Open)
    }

    /// Where the key begins: bytes from the start of the line.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Where the value begins, behind its opening quote; for a bare key, where the key ends.
    #[must_use]
    pub const fn value_offset(&self) -> usize {
        let before = match self.form {
            Form::Absent => 0,
            Form::Bare => 1,
            Form::Quoted | Form::Open => 2,
        };
        self.offset + self.key.len() + before
    }

    /// The bytes of the line that the pair takes, quotes included.
    #[must_use]
    pub const fn range(&self) -> Range<usize> {
        let closing = matches!(self.form, Form::Quoted) as usize;
        self.offset..self.value_offset() + self.value.len() + closing
    }

    /// A pair whose value stands without quotes.
    pub(crate) const fn bare(key: &'a [u8], value: &'a [u8], offset: usize) -> Self {
        Self { key, value, offset, form: Form::Bare }
    }

    pub(crate) const fn form(&self) -> Form {
        self.form
    }
}

impl fmt::Debug for Pair<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pair(\"{}\"", self.key.escape_ascii())?;
        if let Some(value) = self.value() {
            write!(f, " = \"{}\"", value.escape_ascii())?;
        }
        if !self.is_terminated() {
            f.write_str(", open quote")?;
        }
        write!(f, " at {})", self.offset)
    }
}

/// pair = key [ "=" value ]; also where it ends.
#[inline]
pub(crate) fn pair(line: &[u8], offset: usize) -> (Pair<'_>, usize) {
    let key_end = key_end(line, offset);
    let key = &line[offset..key_end];
    if line.get(key_end) != Some(&b'=') {
        return (Pair { key, value: b"", offset, form: Form::Absent }, key_end);
    }
    let from = key_end + 1;
    if line.get(from) == Some(&b'"') {
        let (value, form, end) = quoted(line, from + 1);
        return (Pair { key, value, offset, form }, end);
    }
    let end = value_end(line, from);
    (Pair { key, value: &line[from..end], offset, form: Form::Bare }, end)
}

/// What follows an opening quote: *( byte / "\" byte ) ( DQUOTE / end-of-line ).
fn quoted(line: &[u8], from: usize) -> (&[u8], Form, usize) {
    let mut at = from;
    while let Some(found) = memchr2(b'"', b'\\', &line[at..]) {
        let mark = at + found;
        if line[mark] == b'"' {
            return (&line[from..mark], Form::Quoted, mark + 1);
        }
        // Whatever stands behind a backslash, it closes nothing.
        at = (mark + 2).min(line.len());
    }
    (&line[from..], Form::Open, line.len())
}

/// A value as it stands in a line, its escapes undone; borrowed when there are none, and when it does not stand in quotes.
///
/// For values whose end logfmt does not know, as those of fields that other rules cut: else there is [`Pair::unescaped`],
/// where the escapes are listed. Linear in the value; one allocation at most.
///
/// ```
/// use logfmt_metrics::unescape;
/// assert_eq!(unescape(br#"say \"no\""#, true), &br#"say "no""#[..]);
/// assert_eq!(unescape(br"C:\new", false), &br"C:\new"[..]);
/// ```
#[must_use]
pub fn unescape(value: &[u8], is_quoted: bool) -> Cow<'_, [u8]> {
    if is_quoted { undone(value) } else { Cow::Borrowed(value) }
}

fn undone(raw: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Vec::new();
    let mut copied = 0; // how much of `raw` is in `out`; 0 as long as no escape was undone
    for (slash, byte) in escapes(raw) {
        if out.is_empty() {
            out.reserve_exact(raw.len());
        }
        out.extend_from_slice(&raw[copied..slash]);
        out.push(byte);
        copied = slash + 2;
    }
    if copied == 0 {
        return Cow::Borrowed(raw);
    }
    out.extend_from_slice(&raw[copied..]);
    Cow::Owned(out)
}

/// How long a quoted value is once its escapes are undone.
pub(crate) fn unescaped_len(raw: &[u8]) -> usize {
    raw.len() - escapes(raw).count()
}

/// The escapes that mean one byte: where the backslash is, and the byte.
fn escapes(raw: &[u8]) -> Escapes<'_> {
    Escapes { raw, at: 0 }
}

struct Escapes<'a> {
    raw: &'a [u8],
    at: usize,
}

impl Iterator for Escapes<'_> {
    type Item = (usize, u8);

    fn next(&mut self) -> Option<(usize, u8)> {
        while let Some(found) = memchr(b'\\', &self.raw[self.at..]) {
            let slash = self.at + found;
            // The byte behind a backslash, itself one perhaps, opens no escape of its own.
            self.at = (slash + 2).min(self.raw.len());
            let meant = match self.raw.get(slash + 1) {
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'r') => b'\r',
                Some(&same @ (b'"' | b'\\' | b'/')) => same,
                _ => continue,
            };
            return Some((slash, meant));
        }
        None
    }
}

const SEPARATORS: u8 = 0x21; // the first byte that is no separator

#[inline]
pub(crate) fn skip_separators(line: &[u8], from: usize) -> usize {
    let mut at = from;
    while line.get(at).is_some_and(|&byte| byte < SEPARATORS) {
        at += 1;
    }
    at
}

/// The first `=` or separator.
#[inline]
pub(crate) fn key_end(line: &[u8], from: usize) -> usize {
    find(line, from, |word| below(word, SEPARATORS) | below(word ^ every(b'='), 1))
}

/// The first separator.
#[inline]
pub(crate) fn value_end(line: &[u8], from: usize) -> usize {
    find(line, from, |word| below(word, SEPARATORS))
}

/// The first separator or `#`.
#[inline]
pub(crate) fn value_or_hash_end(line: &[u8], from: usize) -> usize {
    find(line, from, |word| below(word, SEPARATORS) | below(word ^ every(b'#'), 1))
}

/// The first `=` or `#`.
#[inline]
pub(crate) fn equals_or_hash(line: &[u8], from: usize) -> usize {
    find(line, from, |word| below(word ^ every(b'='), 1) | below(word ^ every(b'#'), 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_eight_agree_with_byte_by_byte() {
        for len in 0..20 {
            for index in 0..=len {
                for byte in 0..=255_u8 {
                    let mut line = alloc::vec![b'x'; len];
                    if let Some(slot) = line.get_mut(index) {
                        *slot = byte;
                    }
                    let plain = |stop: fn(u8) -> bool| line.iter().position(|&o| stop(o)).unwrap_or(len);
                    assert_eq!(value_end(&line, 0), plain(|o| o <= b' '), "{line:?}");
                    assert_eq!(key_end(&line, 0), plain(|o| o <= b' ' || o == b'='), "{line:?}");
                    assert_eq!(value_or_hash_end(&line, 0), plain(|o| o <= b' ' || o == b'#'), "{line:?}");
                    assert_eq!(equals_or_hash(&line, 0), plain(|o| o == b'=' || o == b'#'), "{line:?}");
                }
            }
        }
    }

    #[test]
    fn a_mark_above_a_true_one_does_not_hide_it() {
        // 0x21 above a separator borrows; 0x20 below it must still be the first.
        assert_eq!(value_end(b"ab \x21\x21\x21\x21\x21", 0), 2);
        assert_eq!(key_end(b"ab=>>>>>", 0), 2);
        assert_eq!(key_end(b"\xa0\x80\xff\xbd= ab", 0), 4);
    }

    #[test]
    fn escapes_are_undone_once() {
        for (raw, plain) in [
            (&br"a\nb"[..], &b"a\nb"[..]),
            (br"\\n", br"\n"),
            (br#"\"\"\/"#, br#"""/"#),
            (br"\t\r", b"\t\r"),
            (br"\q\u0041\'", br"\q\u0041\'"),
            (br"end\", br"end\"),
            (b"", b""),
        ] {
            let undone = unescape(raw, true);
            assert_eq!(undone, plain);
            assert_eq!(unescaped_len(raw), plain.len());
            assert_eq!(unescape(raw, false), raw);
            assert_eq!(matches!(undone, Cow::Borrowed(_)), raw == plain);
        }
    }
}
