//! Finding the next frame when a length cannot be used.
//!
//! A *start* is MSG-LEN SP `<`PRIVAL`>` VERSION SP. Reading goes on at the first start whose declared length (within the
//! limit) ends at the end of input or at another start; one LF or CRLF may lie between. Digits of a
//! message may run into those of a length (`...=1234595 <10>1`), so that each suffix of the digits is tried, the
//! longest first but for those whose shorter ones lead to another start. A start right behind LF that goes on with a date
//! and time is clear, and taken whatever its length says.
//!
//! The work is linear in the input whatever it holds, also where every few bytes look like a start: each `<` is met
//! once, at most 20 digits in front of it are tried, and of those only the few that are within the limit are followed,
//! to a single spot of which at most 34 bytes are looked at. What is decided is never looked at again.

use crate::boundary::{begins_with_time, is_merged_start};
use crate::deframe::{Limits, MsgLen, msg_len};
use crate::mark::{Verdict, mark};

/// Where a search ended. Everything in front of the offset is lost in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Search {
    Found(usize),
    /// More bytes are needed to tell whether a frame begins here.
    Undecided(usize),
    /// No frame begins in the rest, and the input has ended.
    Nowhere,
}

/// The most digits a length of 64 bits has.
const DIGITS: usize = 20;

/// Looks for the next frame in `buf`; `after_line` tells that LF stands in front of it, `ended` that nothing comes behind.
pub(crate) fn search(buf: &[u8], after_line: bool, limits: Limits, ended: bool) -> Search {
    let mut from = 0;
    while let Some(bracket) = memchr::memchr(b'<', &buf[from..]).map(|at| from + at) {
        let first = length_in_front(&buf[from..bracket]).map(|len| bracket - len);
        if let Some(first) = first {
            match mark(&buf[bracket..]) {
                // The mark itself may go on in the next bytes.
                Err(Verdict::Open) if !ended => return Search::Undecided(first),
                // A `<` of the text: on to the next one.
                Err(_) => {}
                Ok(_) => {
                    if first.checked_sub(1).map_or(after_line, |at| buf[at] == b'\n') {
                        match is_clear_start(buf, first, bracket, limits) {
                            Verdict::Yes => return Search::Found(first),
                            Verdict::Open if !ended => return Search::Undecided(first),
                            Verdict::Open | Verdict::No => {}
                        }
                    }
                    // Digits of the message may stand in front of those of the length, so each suffix of them is tried. The
                    // first that may still turn out to fit holds back all behind it: the longest wins.
                    for start in first..bracket - 1 {
                        match fits(buf, start, limits, ended) {
                            Verdict::Yes => return Search::Found(start),
                            Verdict::Open => return Search::Undecided(start),
                            Verdict::No => {}
                        }
                    }
                }
            }
        }
        // What is decided is never looked at again, which keeps the search linear.
        from = bracket + 1;
    }
    if ended { Search::Nowhere } else { Search::Undecided(from + unfinished(&buf[from..])) }
}

/// The bytes of the digits and the SP at the end of `text`, at most 20 digits; `None` without either.
fn length_in_front(text: &[u8]) -> Option<usize> {
    let digits = text.strip_suffix(b" ")?;
    let count = digits.iter().rev().take(DIGITS).take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then_some(count + 1)
}

/// Where in `text`, which has no `<`, a length may have begun that goes on in the next bytes.
fn unfinished(text: &[u8]) -> usize {
    let digits = text.strip_suffix(b" ").unwrap_or(text);
    let count = digits.iter().rev().take(DIGITS).take_while(|byte| byte.is_ascii_digit()).count();
    if count > 0 { digits.len() - count } else { text.len() }
}

/// Whether the start at `start` goes on with a date and time, and has a length within the limit, be it right or not.
fn is_clear_start(buf: &[u8], start: usize, bracket: usize, limits: Limits) -> Verdict {
    match msg_len(&buf[start..]) {
        Ok(MsgLen::Read { len, .. }) if len <= limits.max_frame() as u64 => begins_with_time(&buf[bracket..]),
        _ => Verdict::No,
    }
}

/// Whether the length at `start` is one, is within the limit, and ends where a frame may end.
fn fits(buf: &[u8], start: usize, limits: Limits, ended: bool) -> Verdict {
    let Ok(MsgLen::Read { len, used }) = msg_len(&buf[start..]) else { return Verdict::No };
    let Some(len) = usize::try_from(len).ok().filter(|len| *len <= limits.max_frame()) else { return Verdict::No };
    let end = (start + used).saturating_add(len);
    let verdict = match buf.get(end..) {
        None | Some([]) if !ended => Verdict::Open,
        None => Verdict::No,
        Some([]) => Verdict::Yes,
        Some([b'\r']) => Verdict::Open,
        Some([b'\n'] | [b'\r', b'\n']) if !ended => Verdict::Open,
        Some([b'\n'] | [b'\r', b'\n']) => Verdict::Yes,
        Some([b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] | rest) => is_start(rest),
    };
    match verdict {
        // What the end of input leaves open is not a start.
        Verdict::Open if ended => Verdict::No,
        Verdict::Yes if is_merged_start(buf, start, limits) => Verdict::No,
        verdict => verdict,
    }
}

/// MSG-LEN SP PRI VERSION SP
fn is_start(input: &[u8]) -> Verdict {
    match msg_len(input) {
        Ok(MsgLen::Read { used, .. }) => mark(&input[used..]).map_or_else(|verdict| verdict, |_| Verdict::Yes),
        Ok(MsgLen::Open) => Verdict::Open,
        Err(_) => Verdict::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(text: &str) -> Search {
        search(text.as_bytes(), false, Limits::new(), true)
    }

    fn open(text: &str) -> Search {
        search(text.as_bytes(), false, Limits::new(), false)
    }

    #[test]
    fn a_start_must_end_at_the_end_or_at_a_start() {
        assert_eq!(ended("xx7 <13>1 a"), Search::Found(2));
        assert_eq!(ended("xx7 <13>1 a\n"), Search::Found(2));
        assert_eq!(ended("xx7 <13>1 a\r\n"), Search::Found(2));
        assert_eq!(ended("xx7 <13>1 a9 <13>1 "), Search::Found(2), "whatever becomes of the second");
        assert_eq!(ended("xx7 <13>1 a\n9 <13>1 "), Search::Found(2));
        assert_eq!(ended("xx7 <13>1 a\n\n9 <13>1 "), Search::Nowhere);
        assert_eq!(ended("xx7 <13>1 a\r"), Search::Nowhere);
        assert_eq!(ended("xx8 <13>1 a"), Search::Nowhere);
        assert_eq!(ended("xx6 <13>1 a"), Search::Nowhere);
        assert_eq!(ended("xx7 <13>1 a9 <13>"), Search::Nowhere, "a start cut short is none");
        assert_eq!(ended("xx7 <13>0 a"), Search::Nowhere);
        assert_eq!(ended("xx8 <192>1 a"), Search::Nowhere);
        assert_eq!(ended("xx07 <13>1 a"), Search::Found(3));
    }

    #[test]
    fn digits_of_the_message_may_stand_in_front() {
        assert_eq!(ended("error=12347 <13>1 a"), Search::Found(10));
        assert_eq!(ended("99999999999999999999999999997 <13>1 a"), Search::Found(28));
    }

    #[test]
    fn without_the_end_more_is_asked_for() {
        assert_eq!(open(""), Search::Undecided(0));
        assert_eq!(open("xx7 <13>1 a"), Search::Undecided(2));
        assert_eq!(open("xx7 <13>1 a\r"), Search::Undecided(2));
        assert_eq!(open("xx7 <13>1 a9 <1"), Search::Undecided(2));
        assert_eq!(open("xx7 <13>1 a9 <x"), Search::Undecided(15));
        assert_eq!(open("xx7 <13"), Search::Undecided(2));
        assert_eq!(open("xx7 "), Search::Undecided(2));
        assert_eq!(open("xx7"), Search::Undecided(2));
        assert_eq!(open("xx7  "), Search::Undecided(5));
        assert_eq!(open("123456789012345678901234 "), Search::Undecided(4));
    }
}
