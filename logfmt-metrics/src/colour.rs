//! Colour codes, which loggers and command lines write into the lines that they show.
//!
//! ```text
//! code   = ESC "[" *( DIGIT / ";" / ":" ) ( "m" / "K" )      ; ESC is %x1B
//! ```
//!
//! They are no part of a name, a value, a tag or a key. [`directives`](crate::directives()), [`samples`](crate::samples())
//! and [`pairs`](crate::pairs()) take the bytes as they stand, and there ESC is a separator and `[32mcount#a` a word:
//! whose lines may be coloured reads them through [`Uncoloured`], and maps offsets back.
//!
//! ```
//! use logfmt_metrics::{Directive, colour::{self, Uncoloured}, directives};
//!
//! let mut uncoloured = Uncoloured::new();
//! let line = b"paid \x1b[32mcount#orders=1\x1b[0m";
//! // Escape bytes are rare: one pass of memchr sees that a line has none, and can be read as it stands.
//! let text = if colour::maybe(line) { uncoloured.read(line) } else { line };
//! let Some(Ok(Directive::Metric(orders))) = directives(text).next() else { panic!("a metric") };
//! assert_eq!((orders.name(), orders.offset()), ("orders", 5));
//! assert_eq!(uncoloured.original(5..19), 10..24);
//! ```

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use memchr::memchr;

const ESC: u8 = 0x1b;

/// Whether there may be colour codes in the line: whether there is an escape byte. One pass of memchr.
///
/// ```
/// use logfmt_metrics::colour;
/// assert!(colour::maybe(b"\x1b[1mcount#a=1\x1b[0m"));
/// assert!(!colour::maybe(b"count#a=1"));
/// ```
#[inline]
#[must_use]
pub fn maybe(line: &[u8]) -> bool {
    memchr(ESC, line).is_some()
}

/// A line without its colour codes, in memory that is used again for the next one.
///
/// ```
/// let mut uncoloured = logfmt_metrics::colour::Uncoloured::new();
/// assert_eq!(uncoloured.read(b"\x1b[2mat=\x1b[22minfo \x1b[Kmethod=GET"), b"at=info method=GET");
/// assert_eq!(uncoloured.read(b"\x1b[31"), b"\x1b[31", "a code that is cut off is none");
/// ```
#[derive(Clone, Default)]
pub struct Uncoloured {
    text: Vec<u8>,
    /// Behind how much of the text a code stood, and how many bytes of codes there are up to it.
    codes: Vec<(usize, usize)>,
}

impl Uncoloured {
    /// Nothing yet.
    ///
    /// ```
    /// assert!(logfmt_metrics::colour::Uncoloured::new().text().is_empty());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { text: Vec::new(), codes: Vec::new() }
    }

    /// Copies the line but for its colour codes. Linear in it; allocates only for a line longer, or with more codes, than
    /// all before.
    ///
    /// ```
    /// let mut uncoloured = logfmt_metrics::colour::Uncoloured::new();
    /// assert_eq!(uncoloured.read(b"tag#browser=\x1b[22mChrome\x1b[0m"), b"tag#browser=Chrome");
    /// ```
    pub fn read(&mut self, line: &[u8]) -> &[u8] {
        self.text.clear();
        self.codes.clear();
        let (mut rest, mut removed) = (line, 0);
        while let Some(at) = memchr(ESC, rest) {
            let (before, code) = rest.split_at(at);
            self.text.extend_from_slice(before);
            match behind_escape(code, 1) {
                Some(behind) => {
                    removed += behind;
                    self.codes.push((self.text.len(), removed));
                    rest = code.get(behind..).unwrap_or_default();
                }
                None => {
                    self.text.push(ESC);
                    rest = code.get(1..).unwrap_or_default();
                }
            }
        }
        self.text.extend_from_slice(rest);
        &self.text
    }

    /// What the last line was without its codes.
    ///
    /// ```
    /// let mut uncoloured = logfmt_metrics::colour::Uncoloured::new();
    /// uncoloured.read(b"\x1b[1mbold\x1b[0m");
    /// assert_eq!(uncoloured.text(), b"bold");
    /// ```
    #[inline]
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where a part of [`text`](Self::text) stands in the line it was read from: from its first byte to behind its last, the
    /// codes between them included.
    ///
    /// ```
    /// let mut uncoloured = logfmt_metrics::colour::Uncoloured::new();
    /// let line = b"\x1b[1ma\x1b[0m=\x1b[32m1\x1b[0m";
    /// assert_eq!(uncoloured.read(line), b"a=1");
    /// assert_eq!(&line[uncoloured.original(0..3)], b"a\x1b[0m=\x1b[32m1");
    /// ```
    #[must_use]
    pub fn original(&self, part: Range<usize>) -> Range<usize> {
        let start = part.start + self.removed(part.start);
        let end = if part.end > part.start { part.end + self.removed(part.end - 1) } else { start };
        start..end
    }

    /// How many bytes of codes stand before this byte of the text.
    fn removed(&self, offset: usize) -> usize {
        let codes = self.codes.partition_point(|&(at, _)| at <= offset);
        codes.checked_sub(1).and_then(|last| self.codes.get(last)).map_or(0, |&(_, removed)| removed)
    }
}

impl fmt::Debug for Uncoloured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uncoloured(\"{}\")", self.text.escape_ascii())
    }
}

/// What is behind a code whose ESC ends at `at`.
pub(crate) fn behind_escape(text: &[u8], at: usize) -> Option<usize> {
    let params = text.get(at..)?.strip_prefix(b"[")?;
    let len = params.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'))?;
    matches!(params.get(len), Some(b'm' | b'K')).then_some(at + len + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_colours_and_nothing_else() {
        let mut uncoloured = Uncoloured::new();
        for (line, text) in [
            (&b"\x1b[m\x1b[0;1;38:5:12mx\x1b[K\x1b[0K"[..], &b"x"[..]),
            (b"\x1b[2Jx", b"\x1b[2Jx"),
            (b"\x1b\x1b[0mx", b"\x1bx"),
            (b"\x1b[1\x1b[0mx", b"\x1b[1x"),
            (b"\x1b", b"\x1b"),
            (b"\x1b[", b"\x1b["),
            (b"", b""),
            (b"\xff\x1b[0m\x00", b"\xff\x00"),
        ] {
            assert_eq!(uncoloured.read(line), text, "{}", line.escape_ascii());
            assert_eq!(uncoloured.text(), text);
        }
    }

    #[test]
    fn walks_know_as_well_whether_there_may_be_codes() {
        let long = [b"count#a=1 sample#b=2 \"q\" ".as_slice(), &[b'x'; 40]].concat();
        for index in 0..=long.len() {
            for byte in [b"\x1b".as_slice(), b"\t", b"\xff", b"", b"x"] {
                let line = [&long[..index], byte, &long[index..]].concat();
                for line in [&line[..], &line[index..], byte] {
                    assert_eq!(crate::directives(line).may_be_coloured(), maybe(line), "{}", line.escape_ascii());
                    assert_eq!(crate::samples(line).may_be_coloured(), maybe(line), "{}", line.escape_ascii());
                }
            }
        }
    }

    /// Each byte of the text is found again in the line.
    #[test]
    fn offsets_lead_back() {
        let line = b"\x1b[1ma\x1b[0m\x1b[2mbc\x1b[0md\x1b[K";
        let mut uncoloured = Uncoloured::new();
        let text = uncoloured.read(line).to_vec();
        for (at, byte) in text.iter().enumerate() {
            let range = uncoloured.original(at..at + 1);
            assert_eq!(line.get(range), Some(&[*byte][..]), "{at}");
        }
        assert_eq!(uncoloured.original(0..text.len()), 4..line.len() - 3);
        assert_eq!(uncoloured.original(4..4), line.len()..line.len());
    }
}
