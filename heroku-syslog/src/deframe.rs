use crate::error::{Cause, FramingError};

/// How large a frame may be, and how far a reader follows a length that is larger.
///
/// Nothing is allocated on the say-so of a length: these limits bound what [`FrameReader`](crate::FrameReader) holds,
/// and what one lying length can swallow.
///
/// ```
/// use heroku_syslog::{Frames, Limits};
///
/// let strict = Limits::new().with_max_frame(10_240); // what Logplex itself takes
/// assert!(Frames::new(b"10241 <13>1").with_limits(strict).next().unwrap().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Limits {
    max_frame: usize,
    max_skip: usize,
}

impl Limits {
    /// Frames of at most 65,536 bytes; longer ones are passed over up to 1,048,576 bytes.
    ///
    /// Logplex takes 10,240 bytes a frame; other senders write more.
    #[must_use]
    pub const fn new() -> Self {
        Self { max_frame: 65_536, max_skip: 1_048_576 }
    }

    /// The largest MSG-LEN, in bytes, that is read as a frame.
    #[must_use]
    pub const fn with_max_frame(mut self, bytes: usize) -> Self {
        self.max_frame = bytes;
        self
    }

    /// The largest MSG-LEN, in bytes, that is believed: a frame over [`max_frame`](Self::with_max_frame) but not over this
    /// is passed over to its end. A length beyond it counts as damage, and the reader looks for the next frame instead.
    ///
    /// ```
    /// use heroku_syslog::{Frames, Limits};
    ///
    /// let body = b"20 12345678901234567890\n16 <1>1 - - - - - -";
    /// let passed = Frames::new(body).with_limits(Limits::new().with_max_frame(16)).next().unwrap().unwrap_err();
    /// assert_eq!(passed.skipped(), 23);
    /// let searched = Frames::new(body).with_limits(Limits::new().with_max_frame(16).with_max_skip(16)).next().unwrap().unwrap_err();
    /// assert_eq!(searched.skipped(), 24);
    /// ```
    #[must_use]
    pub const fn with_max_skip(mut self, bytes: usize) -> Self {
        self.max_skip = bytes;
        self
    }

    /// The largest MSG-LEN, in bytes, that is read as a frame.
    pub(crate) const fn max_frame(self) -> usize {
        self.max_frame
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

/// What stands at the start of a buffer. See [`deframe`].
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deframed<'a> {
    /// Not enough bytes to tell. Call again with the same bytes first and more behind them.
    NeedMore {
        /// How long the buffer must be at least, counted from its start.
        at_least: usize,
    },
    /// A LF or CRLF between frames.
    Separator {
        /// Its bytes: 1 or 2.
        used: usize,
    },
    /// One frame.
    Message {
        /// SYSLOG-MSG: as many bytes as MSG-LEN declared.
        bytes: &'a [u8],
        /// The bytes of the whole frame, MSG-LEN and SP included.
        used: usize,
    },
}

/// Reads what stands at the start of `buf`: the grammar that both readers share, for hosts with a loop of their own.
///
/// ```text
/// frame     = MSG-LEN SP SYSLOG-MSG                           ; RFC 6587, 3.4.1
/// MSG-LEN   = NONZERO-DIGIT *DIGIT                            ; bytes of SYSLOG-MSG
/// separator = LF / CR LF                                      ; not of the RFC: some senders write it between frames
/// ```
///
/// At most 21 bytes of `buf` are looked at, whatever it holds. The three endings: more bytes are needed, which is
/// no error; a frame, whose content may still be bad; an unusable length, after which no later boundary is certain.
///
/// # Errors
/// `BadLength` or `TooLong`; offsets count from the start of `buf`.
///
/// ```
/// use heroku_syslog::{Deframed, Limits, deframe};
///
/// let mut buf = &b"16 <1>1 - - - - - -\n16 <1>1 - -"[..];
/// assert!(matches!(deframe(buf, Limits::new())?, Deframed::Message { bytes: b"<1>1 - - - - - -", used: 19 }));
/// buf = &buf[19..];
/// assert_eq!(deframe(buf, Limits::new())?, Deframed::Separator { used: 1 });
/// buf = &buf[1..];
/// assert_eq!(deframe(buf, Limits::new())?, Deframed::NeedMore { at_least: 19 });
/// # Ok::<(), heroku_syslog::FramingError>(())
/// ```
#[inline]
pub fn deframe(buf: &[u8], limits: Limits) -> Result<Deframed<'_>, FramingError> {
    match fast_frame(buf, limits) {
        Some((bytes, used)) => Ok(Deframed::Message { bytes, used }),
        None => plain_frame(buf, limits),
    }
}

/// The fast reader: a frame with a MSG-LEN of two to four digits, which almost all have, and the bytes of all of it.
#[inline(always)]
fn fast_frame(buf: &[u8], limits: Limits) -> Option<(&[u8], usize)> {
    let (len, digits) = match three_digits(*buf.first_chunk()?) {
        Some(len) => (len as usize, 3),
        None => two_or_four_digits(buf)?,
    };
    let used = digits + 1 + len;
    if len > limits.max_frame {
        return None;
    }
    Some((buf.get(digits + 1..used)?, used))
}

/// A frame with such a MSG-LEN that ends in LF and has a digit behind it (or one of `:;<=>?`, which are as good: LF alone
/// tells that the message is whole), and what is behind the frame.
///
/// The offset of each frame follows from the length of the one in front, so a walk takes as long as these steps do one
/// after the other. That the number of digits is guessed by the processor makes them few.
#[inline(always)]
pub(crate) fn fast_line(buf: &[u8], limits: Limits) -> Option<(&[u8], &[u8])> {
    let (head, rest) = buf.split_first_chunk()?;
    match three_digits(*head) {
        Some(len) => line(rest, len as usize, limits),
        None => line_of_two_or_four_digits(buf, limits),
    }
}

/// Kept out of line, so that the number of digits is a constant in what is in line.
#[inline(never)]
fn line_of_two_or_four_digits(buf: &[u8], limits: Limits) -> Option<(&[u8], &[u8])> {
    let (len, digits) = two_or_four_digits(buf)?;
    line(&buf[digits + 1..], len, limits)
}

/// The message of the first `len` bytes, and what is behind it, where it ends as [`fast_line`] says.
#[inline(always)]
fn line(buf: &[u8], len: usize, limits: Limits) -> Option<(&[u8], &[u8])> {
    // No length here is 0.
    let ends = u16::from_le_bytes(*buf.get(len.wrapping_sub(1)..len + 1)?.first_chunk()?);
    // Both are compared at once.
    (len <= limits.max_frame && ends & 0xf0ff == 0x300a).then(|| buf.split_at(len))
}

/// Three digits and a SP as a number from 100 on.
#[inline(always)]
fn three_digits(text: [u8; 4]) -> Option<u32> {
    // Of a digit its number is left, of the first one less, and of the SP nothing. What is too small shows in the upper
    // four bits, and what is added shows what is beyond 9 there. Only a byte that is wrong takes from the next one, or
    // carries into it.
    let digits = u32::from_le_bytes(text).wrapping_sub(u32::from_le_bytes(*b"100 "));
    let fine = (digits | digits.wrapping_add(0x0006_0607)) & 0xfff0_f0f0 == 0;
    let [hundreds, tens, ..] = digits.to_le_bytes().map(u32::from);
    fine.then_some(hundreds * 100 + tens * 10 + (digits >> 16) + 100)
}

/// The same of two or four digits, and how many they are.
#[inline]
fn two_or_four_digits(buf: &[u8]) -> Option<(usize, usize)> {
    let digit = |byte: u8| usize::from(byte & 15);
    match *buf {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', b' ', ..] => Some((digit(a) * 10 + digit(b), 2)),
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', d @ b'0'..=b'9', b' ', ..] => {
            Some((digit(a) * 1_000 + digit(b) * 100 + digit(c) * 10 + digit(d), 4))
        }
        _ => None,
    }
}

/// [`deframe`] by the plain reader, as the grammar has it.
#[cold]
#[inline(never)]
fn plain_frame(buf: &[u8], limits: Limits) -> Result<Deframed<'_>, FramingError> {
    let (len, used) = match msg_len(buf) {
        Ok(MsgLen::Read { len, used }) => (len, used),
        Ok(MsgLen::Open) => return Ok(Deframed::NeedMore { at_least: buf.len().saturating_add(1) }),
        Err((cause, at)) => return separator(buf, cause, at),
    };
    let len = match usize::try_from(len) {
        Ok(len) if len <= limits.max_frame => len,
        _ => return Err(too_long(len, limits)),
    };
    let end = used.saturating_add(len);
    Ok(match buf.get(used..end) {
        Some(bytes) => Deframed::Message { bytes, used: end },
        None => Deframed::NeedMore { at_least: end },
    })
}

/// The error of a frame that does not stand: it takes `used` bytes, the last `len` of them are its message.
#[cold]
pub(crate) const fn length_off(len: usize, used: usize) -> FramingError {
    FramingError::new(Cause::LengthOff { need: len as u64 }, used as u64)
}

pub(crate) enum MsgLen {
    /// The number, and the bytes of it with the SP.
    Read { len: u64, used: usize },
    /// The input ends before the SP.
    Open,
}

/// MSG-LEN = NONZERO-DIGIT *DIGIT, and the SP behind it        ; at most 64 bits
///
/// An error tells the byte that is wrong. A number of 64 bits has at most 20 digits, so that no more than 21
/// bytes are ever read.
#[inline]
pub(crate) fn msg_len(input: &[u8]) -> Result<MsgLen, (Cause, usize)> {
    let mut len = match input {
        [] => return Ok(MsgLen::Open),
        [digit @ b'1'..=b'9', ..] => u64::from(digit - b'0'),
        [b'0', ..] => return Err((Cause::LeadingZero, 0)),
        _ => return Err((Cause::NoDigit, 0)),
    };
    for (at, byte) in input.iter().enumerate().skip(1) {
        let digit = match byte {
            b' ' => return Ok(MsgLen::Read { len, used: at + 1 }),
            b'0'..=b'9' => u64::from(byte - b'0'),
            _ => return Err((Cause::NoSpace, at)),
        };
        len = match len.checked_mul(10).and_then(|len| len.checked_add(digit)) {
            Some(len) => len,
            None => return Err((Cause::Overflow, at)),
        };
    }
    Ok(MsgLen::Open)
}

/// LF or CRLF where a length was looked for; anything else is the error that was found there.
#[cold]
fn separator(buf: &[u8], cause: Cause, at: usize) -> Result<Deframed<'_>, FramingError> {
    match buf {
        [b'\n', ..] => Ok(Deframed::Separator { used: 1 }),
        [b'\r', b'\n', ..] => Ok(Deframed::Separator { used: 2 }),
        [b'\r'] => Ok(Deframed::NeedMore { at_least: 2 }),
        _ => Err(FramingError::new(cause, at as u64)),
    }
}

#[cold]
fn too_long(need: u64, limits: Limits) -> FramingError {
    FramingError::new(Cause::TooLong { need, limit: limits.max_frame as u64 }, 0)
}

/// The error of an input that ends in `rest`, behind which [`deframe`] wanted more.
///
/// A length without its SP is a bad length, wrong at the end; a CR without LF is no separator.
#[cold]
pub(crate) fn cut_short(rest: &[u8]) -> FramingError {
    match msg_len(rest) {
        Ok(MsgLen::Read { len, used }) => {
            FramingError::new(Cause::Truncated { need: len, have: (rest.len() - used) as u64 }, 0)
        }
        Ok(MsgLen::Open) => FramingError::new(Cause::NoSpace, rest.len() as u64),
        Err((cause, at)) => FramingError::new(cause, at as u64),
    }
}

/// How a reader goes on behind a framing error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Resume {
    /// Pass over exactly this many bytes, from the frame's first on.
    Pass(u64),
    /// Look for a frame from here on, counted from the frame's first byte.
    Search(usize),
}

/// Where to go on behind the frame that `rest` starts with.
///
/// A length that was read is not cut into a smaller one: behind `164 ` no frame of `64 ` is looked for.
#[cold]
pub(crate) fn resume(rest: &[u8], limits: Limits) -> Resume {
    let Ok(MsgLen::Read { len, used }) = msg_len(rest) else { return Resume::Search(rest.len().min(1)) };
    let over = usize::try_from(len).map_or(true, |len| len > limits.max_frame);
    if over && len <= limits.max_skip as u64 {
        Resume::Pass(len.saturating_add(used as u64))
    } else {
        Resume::Search(used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fast reader and the plain one read the same number.
    #[test]
    fn every_number_of_digits() {
        for len in [0, 1, 9, 10, 11, 98, 99, 100, 999, 1_000, 1_001, 1_234, 4_321, 9_999, 10_000, 65_536] {
            let mut body = alloc::format!("{len} ").into_bytes();
            let head = body.len();
            body.resize(head + len + 7, b'x');
            match deframe(&body, Limits::new()) {
                Ok(Deframed::Message { bytes, used }) => assert_eq!((bytes.len(), used), (len, head + len)),
                other => assert_eq!((len, other.is_err()), (0, true), "an empty frame is none: {other:?}"),
            }
        }
    }

    #[test]
    fn lengths_of_64_bits() {
        let unlimited = Limits::new().with_max_frame(usize::MAX);
        assert_eq!(
            deframe(b"18446744073709551615 ", unlimited),
            Ok(Deframed::NeedMore { at_least: usize::MAX }),
            "no addition overflows"
        );
        let error = deframe(b"18446744073709551616 ", unlimited).unwrap_err();
        assert_eq!(error.offset(), 19);
    }

    #[test]
    fn fast_is_plain() {
        let bytes = *b"0159 /:a\n\x10\xb0";
        let mut fast = 0;
        for number in 0..bytes.len().pow(5) {
            let mut start = [b'x'; 160];
            for (index, byte) in start[..5].iter_mut().enumerate() {
                *byte = bytes[number / bytes.len().pow(index as u32) % bytes.len()];
            }
            for limits in [Limits::new(), Limits::new().with_max_frame(110)] {
                for len in [1, 2, 3, 4, 5, 6, 160] {
                    let buf = &start[..len];
                    let read = fast_frame(buf, limits).map(|(bytes, used)| Deframed::Message { bytes, used });
                    fast += usize::from(read.is_some());
                    assert!(read.is_none() || Ok(read) == plain_frame(buf, limits).map(Some), "{}", buf.escape_ascii());
                }
            }
        }
        assert!(fast > 3_000, "{fast}");
    }

    /// Each byte with each other one beside it, since one may take from the next.
    #[test]
    fn fast_is_plain_of_three_digits() {
        for good in [*b"100 ", *b"159 ", *b"999 "] {
            for swapped in [(0, 1), (1, 2), (2, 3), (0, 2), (0, 3), (1, 3)] {
                for (one, other) in (0..=255).flat_map(|one| (0..=255).map(move |other| (one, other))) {
                    let mut text = good;
                    (text[swapped.0], text[swapped.1]) = (one, other);
                    let by_grammar = match msg_len(&text) {
                        Ok(MsgLen::Read { len, used: 4 }) => Some(len),
                        _ => None,
                    };
                    assert_eq!(three_digits(text).map(u64::from), by_grammar, "{}", text.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn fast_lines_are_fast_frames_that_end_in_lf_in_front_of_a_digit() {
        for len in [10, 11, 99, 100, 101, 999, 1_000, 1_001] {
            let mut body = alloc::format!("{len} ").into_bytes();
            let end = body.len() + len;
            body.resize(end + 2, b'x');
            for (last, behind) in (0..=255).flat_map(|last| (0..=255).map(move |behind| (last, behind))) {
                if last != b'\n' && behind % 16 != 0 {
                    continue;
                }
                (body[end - 1], body[end]) = (last, behind);
                for (limit, most) in [(len - 1, end + 2), (len, end - 1), (len, end), (len, end + 1), (len, end + 2)] {
                    let (buf, limits) = (&body[..most], Limits::new().with_max_frame(limit));
                    let ends_well = last == b'\n' && most > end && matches!(behind, b'0'..=b'?');
                    let frame = fast_frame(buf, limits).filter(|_| ends_well);
                    assert_eq!(frame.is_some(), ends_well && limit == len, "{len}");
                    let line = fast_line(buf, limits).map(|(bytes, behind)| (bytes, buf.len() - behind.len()));
                    assert_eq!(line, frame, "{len} {last} {behind} {limit} {most}");
                }
            }
        }
    }

    #[test]
    fn a_frame_may_be_as_long_as_the_limit() {
        let limits = Limits::new().with_max_frame(3).with_max_skip(4);
        assert!(deframe(b"3 abc", limits).is_ok());
        assert_eq!(deframe(b"4 ", limits).unwrap_err().kind(), crate::FramingErrorKind::TooLong);
        assert_eq!(resume(b"4 ", limits), Resume::Pass(6));
        assert_eq!(resume(b"5 ", limits), Resume::Search(2));
        assert_eq!(resume(b"3 ", limits), Resume::Search(2), "truncated");
        assert_eq!(resume(b"x", limits), Resume::Search(1));
    }
}
