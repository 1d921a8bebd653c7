//! Whether a frame ends where its length says, and where it ends when it does not.
//!
//! A length that is off by a little reads a part of a message, or a message and the head of the next frame: a value that
//! touches the end is then wrong, and nothing in the message shows it. What stands behind the frame does. Under
//! [`Recovery::Resync`](crate::Recovery::Resync) a frame *stands* when behind it there is
//!
//! - the end of input, or LF or CRLF;
//! - a digit (or one of `:;<=>?`), where the frame's last byte is LF: a line was read to its end;
//! - the start of a message, MSG-LEN SP PRI VERSION SP, whose length has room for a header, and which is a line in its turn,
//!   or ends at the end of input, a line end, another start, or one more frame that does. A digit that was taken off a start
//!   leaves one that looks as good, `62 <190>1 ` of `162 <190>1 `, and only its end shows it. Digits of a message that run
//!   into those of a length, `...=12` and `62 <190>1 `, are told by another start near the end of the shorter frame; a start
//!   that the end of input cuts off is not believed when a shorter frame would be all there;
//! - a frame that is no message, whose end is at the end of input, a line end or a start.
//!
//! At most three ends are looked at, of 45 bytes each, and 128 bytes for each digit of the length behind.
//!
//! A frame that does not stand, and one that is longer than the input, may still be plain to see: it begins a line, with
//! MSG-LEN SP PRI VERSION SP and a date and time, and its line is closed by the end of input, an empty line or another
//! start. It is then *repaired*: it is that line, and its length is not believed.

use crate::deframe::{Limits, MsgLen, fast_line, msg_len};
use crate::mark::{Verdict, mark};

/// What comes behind the bytes at hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Behind {
    /// More may come.
    More,
    /// More may come, but not soon: what can be told from what is there, is.
    Quiet,
    /// Nothing.
    Nothing,
}

/// TIMESTAMP, HOSTNAME, APP-NAME, PROCID and MSGID, each of one byte, and the SP between them.
const LEAST_HEADER: u64 = 9;

/// MSG-LEN SP, how long both are, and the number.
#[derive(Clone, Copy)]
struct Length {
    head: usize,
    len: u64,
}

/// What stands where a frame may begin.
enum Start {
    /// MSG-LEN SP PRI VERSION SP, with room for a header: the last three take as many bytes as the number says.
    Message(Length, u64),
    /// MSG-LEN SP and something else; `marked` where it is PRI VERSION SP all the same.
    Other {
        length: Length,
        marked: bool,
    },
    /// The bytes end before it can be told; `begun` where they end behind MSG-LEN SP and one more byte.
    Open {
        begun: bool,
    },
    No,
}

fn start(text: &[u8]) -> Start {
    let length = match msg_len(text) {
        Ok(MsgLen::Read { len, used }) => Length { head: used, len },
        Ok(MsgLen::Open) => return Start::Open { begun: false },
        Err(_) => return Start::No,
    };
    let rest = &text[length.head..];
    match mark(rest) {
        Ok(behind) => match (rest.len() - behind.len()) as u64 {
            marked if marked + LEAST_HEADER <= length.len => Start::Message(length, marked),
            _ => Start::Other { length, marked: true },
        },
        Err(Verdict::Open) => Start::Open { begun: !rest.is_empty() },
        Err(_) => Start::Other { length, marked: false },
    }
}

/// The end of a frame at `at` whose length is within the limit.
fn end_of(at: usize, length: Length, limits: Limits) -> Option<usize> {
    usize::try_from(length.len).ok().filter(|len| *len <= limits.max_frame()).map(|len| at + length.head + len)
}

/// Whether LF ends a frame at `end`, and a digit (or one of `:;<=>?`) stands behind it.
fn is_line(buf: &[u8], end: usize) -> bool {
    matches!(buf.get(end - 1..=end), Some([b'\n', b'0'..=b'?']))
}

/// Whether a frame that ends at `end` of `buf` stands.
#[inline]
pub(crate) fn stands(buf: &[u8], end: usize, limits: Limits, behind: Behind) -> Verdict {
    match &buf[end..] {
        _ if is_line(buf, end) => Verdict::Yes,
        [b'\n', ..] | [b'\r', b'\n', ..] => Verdict::Yes,
        [] if behind == Behind::More => Verdict::Open,
        [] => Verdict::Yes,
        _ => follower(buf, end, limits, behind),
    }
}

/// Whether a frame begins at `at` that shows that the one in front ends there.
#[cold]
fn follower(buf: &[u8], at: usize, limits: Limits, behind: Behind) -> Verdict {
    // What mostly is there, told at less cost.
    if let Some((message, _)) = fast_line(&buf[at..], limits)
        && mark(message).is_ok_and(|rest| rest.len() as u64 >= LEAST_HEADER)
    {
        return Verdict::Yes;
    }
    match start(&buf[at..]) {
        Start::Message(length, marked) => match end_of(at, length, limits) {
            Some(end) if is_line(buf, end) => Verdict::Yes,
            // All of the follower is there. Its digits may be two numbers in one: then it tells nothing, else its own end does.
            Some(end) if end <= buf.len() => {
                if is_merged(buf, at, length, marked, limits) {
                    Verdict::No
                } else {
                    ends(buf, end, Some(limits), behind)
                }
            }
            // What is too long is passed over, not held.
            None if shorter(at, length, marked, limits).all(|end| end + NEAR + LONGEST_MARK <= buf.len()) => {
                if is_merged(buf, at, length, marked, limits) {
                    Verdict::No
                } else {
                    Verdict::Yes
                }
            }
            // It goes on behind `buf`, so it is believed or not by what may still come.
            _ if behind == Behind::More => Verdict::Open,
            // Digits in front may be those of a message.
            _ if shorter(at, length, marked, limits).all(|end| end > buf.len()) => Verdict::Yes,
            // The rest of it may be on its way.
            _ if behind == Behind::Quiet => Verdict::Open,
            _ => Verdict::No,
        },
        Start::Other { length, .. } => other(buf, at, length, limits, behind),
        Start::Open { begun } => match behind {
            Behind::More => Verdict::Open,
            _ if begun => Verdict::Yes,
            Behind::Quiet => Verdict::Open,
            // Digits at the end of input can be the message's as well.
            Behind::Nothing => Verdict::No,
        },
        Start::No if behind != Behind::Nothing && buf[at..] == *b"\r" => Verdict::Open,
        Start::No => Verdict::No,
    }
}

/// Whether a frame that is no message, at `at`, ends well.
fn other(buf: &[u8], at: usize, length: Length, limits: Limits, behind: Behind) -> Verdict {
    match end_of(at, length, limits) {
        Some(end) if end <= buf.len() => ends(buf, end, None, behind),
        Some(_) if behind != Behind::Nothing => Verdict::Open,
        _ => Verdict::No,
    }
}

/// Whether `at` is where a frame may end. Behind a message, which is told by `limits`, a start may be cut off by the end of
/// input, and one more frame that is no message may lie between.
fn ends(buf: &[u8], at: usize, limits: Option<Limits>, behind: Behind) -> Verdict {
    let text = match &buf[at..] {
        [] if behind == Behind::More => return Verdict::Open,
        [] | [b'\n', ..] | [b'\r', b'\n', ..] => return Verdict::Yes,
        [b'\r'] if behind != Behind::Nothing => return Verdict::Open,
        text => text,
    };
    match (start(text), limits) {
        (Start::Message(..), _) => Verdict::Yes,
        (Start::Open { .. }, _) if behind == Behind::More => Verdict::Open,
        (Start::Open { .. }, Some(_)) => Verdict::Yes,
        (Start::Open { .. }, None) if behind == Behind::Quiet => Verdict::Open,
        (Start::Other { length, .. }, Some(limits)) => other(buf, at, length, limits, behind),
        _ => Verdict::No,
    }
}

/// How far from the end of the shorter frame another start is looked for. A first digit is worth a hundred bytes at least,
/// so that all of this lies within the longer frame.
const NEAR: usize = 64;
/// `<191>999 `
const LONGEST_MARK: usize = 9;

/// Where the frames end whose lengths are the last digits of the length at `at`, have room for a header, and are within
/// the limit.
fn shorter(at: usize, length: Length, marked: u64, limits: Limits) -> impl Iterator<Item = usize> {
    let mut tens = 1_u64;
    (1..length.head - 1).filter_map(move |digits| {
        let least = tens;
        tens *= 10; // of 20 digits at most, and the last round is without the first
        let len = length.len % tens;
        // No length begins with a zero.
        if len < least || len < marked + LEAST_HEADER {
            return None;
        }
        end_of(at + length.head - 1 - digits, Length { head: digits + 1, len }, limits)
    })
}

/// Whether the start at `at`, which a search found or not, has first digits that are those of a message.
pub(crate) fn is_merged_start(buf: &[u8], at: usize, limits: Limits) -> bool {
    matches!(start(&buf[at..]), Start::Message(length, marked) if is_merged(buf, at, length, marked, limits))
}

/// Whether the first digits of the length at `at` are those of a message in front of it: then the other digits lead to
/// within some bytes of another start.
fn is_merged(buf: &[u8], at: usize, length: Length, marked: u64, limits: Limits) -> bool {
    let message = at + length.head;
    shorter(at, length, marked, limits).any(|end| {
        let from = end.saturating_sub(NEAR).max(message);
        let to = buf.len().min(end + NEAR);
        memchr::memchr_iter(b'<', buf.get(from..to).unwrap_or_default()).any(|bracket| {
            let bracket = from + bracket;
            matches!(buf[message..bracket], [.., digit, b' '] if digit.is_ascii_digit())
                && mark(&buf[bracket..]).is_ok()
        })
    })
}

/// What becomes of a frame that does not stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Repair {
    /// It ends here: MSG-LEN and SP are `head` bytes, and all of it is `used` bytes.
    Line { head: usize, used: usize },
    /// It cannot be told where it ends.
    No,
    /// More bytes are needed.
    Open,
}

/// Repairs the frame that `rest`, which begins a line, begins with. `searched` is how much of the line was looked at and
/// has no LF; it is kept between calls, so that all of them together look at each byte once.
#[cold]
pub(crate) fn repair(rest: &[u8], searched: &mut usize, limits: Limits, behind: Behind) -> Repair {
    let Ok(MsgLen::Read { len, used: head }) = msg_len(rest) else { return Repair::No };
    let message = &rest[head..];
    let Some(declared) = end_of(0, Length { head, len }, limits) else { return Repair::No };
    match begins_with_time(message) {
        Verdict::Yes => {}
        Verdict::Open if behind != Behind::Nothing => return Repair::Open,
        _ => return Repair::No,
    }
    let most = limits.max_frame();
    let window = &message[..message.len().min(most)];
    let line = match memchr::memchr(b'\n', &window[*searched..]) {
        Some(at) => *searched + at + 1,
        None if message.len() > most => return Repair::No,
        None if behind != Behind::Nothing => {
            *searched = window.len();
            return Repair::Open;
        }
        // Digits behind the declared end may be those of a next length that was cut off.
        None if rest.get(declared).is_none_or(u8::is_ascii_digit) => return Repair::No,
        None => message.len(),
    };
    match closes(&message[line..], behind) {
        Verdict::Yes if !has_start(&message[..line]) => Repair::Line { head, used: head + line },
        Verdict::Open => Repair::Open,
        _ => Repair::No,
    }
}

/// Whether what stands behind a line closes it.
fn closes(text: &[u8], behind: Behind) -> Verdict {
    match text {
        [] if behind == Behind::Nothing => Verdict::Yes,
        [b'\n', ..] | [b'\r', b'\n', ..] => Verdict::Yes,
        [] | [b'\r'] if behind != Behind::Nothing => Verdict::Open,
        _ => match start(text) {
            Start::Message(..) | Start::Other { marked: true, .. } => Verdict::Yes,
            Start::Open { .. } if behind == Behind::Nothing => Verdict::Yes,
            Start::Open { .. } => Verdict::Open,
            Start::Other { .. } | Start::No => Verdict::No,
        },
    }
}

/// Whether digits, SP and `<` stand in a message: what may be another frame's head, which is not to become a part of it.
fn has_start(message: &[u8]) -> bool {
    memchr::memchr_iter(b'<', message).any(|at| matches!(&message[..at], [.., digit, b' '] if digit.is_ascii_digit()))
}

/// PRI VERSION SP FULL-DATE "T" 2DIGIT ":" 2DIGIT ":" 2DIGIT
pub(crate) fn begins_with_time(message: &[u8]) -> Verdict {
    const SHAPE: &[u8; 19] = b"0000-00-00T00:00:00";
    let time = match mark(message) {
        Ok(time) => time,
        Err(verdict) => return verdict,
    };
    let fits = time.iter().zip(SHAPE).all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't'),
        _ => byte == shape,
    });
    match fits {
        true if time.len() >= SHAPE.len() => Verdict::Yes,
        true => Verdict::Open,
        false => Verdict::No,
    }
}
