//! Lines of a connection: by length or by line, as each begins (RFC 6587).
//!
//! ```text
//! line = MSG-LEN SP "<" ... / *any LF          ; NUL is as good as LF: some senders end lines by it
//! ```
//!
//! A line has [`LONGEST`] bytes at most. What is longer is cut there, and its rest is passed over.

use std::ops::Range;

/// The longest line.
pub(super) const LONGEST: usize = 64 << 10;
/// A length beyond this is none.
const LONGEST_LENGTH: u64 = 16 << 20;
/// The digits of such a length.
const DIGITS: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Framing {
    buf: Vec<u8>,
    at: usize,
    /// Where the end of a line is looked for next: no byte is looked at twice.
    searched: usize,
    rest: Rest,
}

/// What is still to come of a line that was cut.
#[derive(Clone, Copy, Debug, Default)]
enum Rest {
    #[default]
    None,
    Bytes(u64),
    ToLineEnd,
}

/// A line in the buffer.
#[derive(Debug)]
pub(super) struct Piece {
    range: Range<usize>,
    pub(super) is_cut: bool,
}

enum Head {
    /// So many bytes of length, and so long a line behind them.
    Length(usize, usize),
    Line,
    /// It cannot be told yet.
    Open,
}

impl Framing {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The bytes that it holds.
    pub(super) const fn len(&self) -> usize {
        self.buf.len() - self.at
    }

    /// Whether all that came has been handed out.
    pub(super) const fn is_empty(&self) -> bool {
        self.len() == 0 && matches!(self.rest, Rest::None)
    }

    /// Puts bytes behind those that are there, in a buffer of so many.
    pub(super) fn push(&mut self, bytes: &[u8], room: usize) {
        if self.at > 0 {
            self.buf.drain(..self.at);
            self.searched = self.searched.saturating_sub(self.at);
            self.at = 0;
        }
        self.buf.reserve_exact(room.saturating_sub(self.buf.len()));
        self.buf.extend_from_slice(bytes);
    }

    pub(super) fn bytes(&self, piece: &Piece) -> &[u8] {
        &self.buf[piece.range.clone()]
    }

    /// The next line that is there as a whole. When it `is_over`, what is left is a line, too.
    pub(super) fn next(&mut self, is_over: bool) -> Option<Piece> {
        self.pass_over();
        // Between lines there may be line ends.
        while matches!(self.rest, Rest::None) && matches!(self.buf.get(self.at), Some(b'\n' | b'\r' | 0)) {
            self.take(1);
        }
        if self.buf.len() <= self.at {
            return None;
        }
        match self.head(is_over) {
            Head::Open => None,
            Head::Length(head, len) => self.counted(head, len, is_over),
            Head::Line => self.line(is_over),
        }
    }

    fn pass_over(&mut self) {
        match self.rest {
            Rest::None => {}
            Rest::Bytes(left) => {
                let here = left.min(self.len() as u64);
                self.take(usize::try_from(here).unwrap_or(0));
                self.rest = if here < left { Rest::Bytes(left - here) } else { Rest::None };
            }
            Rest::ToLineEnd => match self.buf[self.at..].iter().position(is_end) {
                Some(len) => {
                    self.take(len + 1);
                    self.rest = Rest::None;
                }
                None => self.take(self.len()),
            },
        }
    }

    fn head(&self, is_over: bool) -> Head {
        let text = &self.buf[self.at..];
        if !matches!(text.first(), Some(b'1'..=b'9')) {
            return Head::Line;
        }
        let digits = text.iter().take(DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
        match &text[digits..] {
            _ if digits > DIGITS => Head::Line,
            [b' ', b'<', ..] => {
                let len = text[..digits].iter().fold(0, |len, digit| len * 10 + u64::from(digit - b'0'));
                match usize::try_from(len) {
                    Ok(len) if len as u64 <= LONGEST_LENGTH => Head::Length(digits + 1, len),
                    _ => Head::Line,
                }
            }
            [] | [b' '] if !is_over => Head::Open,
            _ => Head::Line,
        }
    }

    fn counted(&mut self, head: usize, len: usize, is_over: bool) -> Option<Piece> {
        let here = self.len() - head;
        let kept = len.min(LONGEST);
        if here < kept && !is_over {
            return None;
        }
        let kept = kept.min(here);
        let start = self.at + head;
        self.take(head + kept);
        self.rest = if kept < len && !is_over { Rest::Bytes((len - kept) as u64) } else { Rest::None };
        Some(self.piece(start..start + kept, kept < len))
    }

    fn line(&mut self, is_over: bool) -> Option<Piece> {
        let (start, from) = (self.at, self.searched.max(self.at));
        let window = self.buf.len().min(start + LONGEST + 1);
        if let Some(len) = self.buf.get(from..window).unwrap_or_default().iter().position(is_end) {
            let end = from + len;
            self.take(end + 1 - start);
            return Some(self.piece(start..end, false));
        }
        if self.len() > LONGEST {
            self.take(LONGEST);
            self.rest = Rest::ToLineEnd;
            return Some(self.piece(start..start + LONGEST, true));
        }
        self.searched = self.buf.len();
        if !is_over {
            return None;
        }
        self.take(self.len());
        Some(self.piece(start..self.buf.len(), false))
    }

    fn take(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Without the line end.
    fn piece(&self, range: Range<usize>, is_cut: bool) -> Piece {
        let bytes = &self.buf[range.clone()];
        let ends = bytes.iter().rev().take_while(|byte| matches!(byte, b'\n' | b'\r' | 0)).count();
        Piece { range: range.start..range.end - ends, is_cut }
    }
}

fn is_end(byte: &u8) -> bool {
    matches!(byte, b'\n' | 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a stream that comes in pieces of this size, and whether each was cut.
    fn lines(bytes: &[u8], size: usize) -> Vec<(String, bool)> {
        let (mut framing, mut all) = (Framing::new(), Vec::new());
        let mut take = |framing: &mut Framing, is_over| {
            while let Some(piece) = framing.next(is_over) {
                all.push((String::from_utf8_lossy(framing.bytes(&piece)).into_owned(), piece.is_cut));
            }
        };
        for chunk in bytes.chunks(size.max(1)) {
            framing.push(chunk, 0);
            take(&mut framing, false);
            assert!(framing.len() <= LONGEST + size + 16);
        }
        take(&mut framing, true);
        all
    }

    fn whole(lines: &[&str]) -> Vec<(String, bool)> {
        lines.iter().map(|line| ((*line).to_owned(), false)).collect()
    }

    #[test]
    fn lines_come_by_length_and_by_line_and_mixed() {
        for (stream, said) in [
            (&b"<13>a\n<13>b\n"[..], whole(&["<13>a", "<13>b"])),
            (b"<13>a\r\n\r\n\n<13>b", whole(&["<13>a", "<13>b"])),
            (b"<13>a\0<13>b\0", whole(&["<13>a", "<13>b"])),
            (b"5 <13>a5 <13>b", whole(&["<13>a", "<13>b"])),
            (b"6 <13>a\n5 <13>b\n7 <13>c\nd", whole(&["<13>a", "<13>b", "<13>c\nd"])),
            (b"5 <13>a<13>b\n5 <13>c", whole(&["<13>a", "<13>b", "<13>c"])),
            // Lines that begin with a number, and none of them a length.
            (
                b"2026 was a year\n12\n12 \n123456789 <13>a\n",
                whole(&["2026 was a year", "12", "12 ", "123456789 <13>a"]),
            ),
            (b"0 <13>a\n", whole(&["0 <13>a"])),
            (b"99999999 <13>a\n", whole(&["99999999 <13>a"])),
            (b"\xff\xfe\n", whole(&["\u{fffd}\u{fffd}"])),
            (b"", vec![]),
            (b"\n\0\r", vec![]),
            (b"9 <13>a", vec![("<13>a".to_owned(), true)]),
        ] {
            for size in 1..=stream.len().max(1) {
                assert_eq!(lines(stream, size), said, "{} by {size}", stream.escape_ascii());
            }
        }
    }

    #[test]
    fn what_is_longer_than_a_line_may_be_is_cut_and_passed_over() {
        let long = "x".repeat(3 * LONGEST);
        let counted = format!("{} <13>{long}5 <13>b", long.len() + 4);
        let by_line = format!("<13>{long}\n<13>b\n");
        for stream in [counted, by_line] {
            for size in [1_000, 16 << 10, 64 << 10, stream.len()] {
                let lines = lines(stream.as_bytes(), size);
                assert_eq!(lines.len(), 2);
                assert!(lines[0].1 && lines[0].0.len() == LONGEST && lines[0].0.starts_with("<13>xxx"));
                assert_eq!(lines[1], ("<13>b".to_owned(), false));
            }
        }
        let exact = format!("{}\n", "y".repeat(LONGEST));
        assert_eq!(lines(exact.as_bytes(), 1_000), [("y".repeat(LONGEST), false)]);
    }

    /// No byte is looked at again for each one that comes.
    #[test]
    fn a_byte_at_a_time_costs_no_more_than_it_is() {
        let began = std::time::Instant::now();
        let stream = "z".repeat(4 * LONGEST);
        assert_eq!(lines(stream.as_bytes(), 1).len(), 1);
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    }
}
