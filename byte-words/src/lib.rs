//! Eight and sixteen bytes of a text at a time, without `unsafe`.
//!
//! A word of a log line is a dozen bytes: too short for a call of memchr to pay, too long for one byte at a time. So eight
//! bytes are taken as one `u64`, the first of them lowest, and what is looked for is *marked*: the high bit (0x80) of its
//! byte is set in the answer.
//!
//! ```
//! use byte_words::{below, every, find};
//!
//! let line = b"status=200 bytes=5120";
//! let end = find(line, 0, |word| below(word, b' ' + 1) | below(word ^ every(b'='), 1));
//! assert_eq!(&line[..end], b"status");
//! ```
//!
//! # Untrusted input
//!
//! Any bytes are taken, none make a panic. Work is linear in the bytes that are passed; nothing is allocated.
#![no_std]

#[cfg(test)]
extern crate std;

#[cfg(not(target_arch = "x86_64"))]
use memchr::arch::all::memchr::Two as Searcher;
#[cfg(target_arch = "x86_64")]
use memchr::arch::x86_64::sse2::memchr::Two as Searcher;

/// Eight times the same byte.
///
/// ```
/// assert_eq!(byte_words::every(b'0'), 0x3030_3030_3030_3030);
/// ```
#[must_use]
#[inline]
pub const fn every(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Marks the bytes of `word` that are below `n`, which is 128 at most. Exact up to and including the lowest mark: of a text,
/// the first byte of the class is marked, and nothing in front of it.
///
/// ```
/// use byte_words::{below, every};
///
/// let word = u64::from_le_bytes(*b"key=a b ");
/// assert_eq!(below(word, b' ' + 1).trailing_zeros() / 8, 5);
/// assert_eq!(below(word ^ every(b'='), 1).trailing_zeros() / 8, 3, "equal to `=`, as what differs by less than 1");
/// ```
#[must_use]
#[inline]
pub const fn below(word: u64, n: u8) -> u64 {
    // x - n borrows into the high bit of every byte below n, and `!x` drops those that had that bit already. A borrow may
    // also mark a byte above a true one, never below it, and only the lowest mark is read.
    word.wrapping_sub(every(n)) & !word & every(0x80)
}

/// The index of the first byte of `text`, from `at` on, that `marks` marks; else the length of the text.
///
/// `marks` gets eight bytes at a time and must be exact up to its lowest mark, as [`below`] is.
///
/// ```
/// use byte_words::{below, find};
/// assert_eq!(find(b"at=info method=GET", 8, |word| below(word, b' ' + 1)), 18);
/// ```
#[must_use]
#[inline]
pub fn find(text: &[u8], mut at: usize, marks: impl Fn(u64) -> u64) -> usize {
    while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let found = marks(u64::from_le_bytes(*bytes));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    // Marked or not, what stands behind the end is cut off: no mark at all counts as eight bytes.
    let found = marks(end_word(text, at));
    text.len().min(at + (found.trailing_zeros() / 8) as usize)
}

/// The word at `at`, which is short. Most texts go on behind what is looked for, so this is kept out of the way.
#[cold]
#[inline(never)]
fn end_word(text: &[u8], at: usize) -> u64 {
    last_word(text, text.get(at..).unwrap_or_default())
}

/// The first eight bytes of `rest`, which is an end of `text`; zeros stand for what is behind the end.
///
/// ```
/// let text = b"bytes=5120";
/// assert_eq!(byte_words::first_word(text, &text[6..]).to_le_bytes(), *b"5120\0\0\0\0");
/// ```
#[must_use]
#[inline(always)]
pub fn first_word(text: &[u8], rest: &[u8]) -> u64 {
    match rest.first_chunk::<8>() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => last_word(text, rest),
    }
}

/// Of less than eight bytes: they are the last of the text's last eight, which one load reads.
#[inline]
fn last_word(text: &[u8], rest: &[u8]) -> u64 {
    match text.last_chunk() {
        Some(bytes) if !rest.is_empty() => u64::from_le_bytes(*bytes) >> (64 - 8 * rest.len()),
        _ => rest.iter().rfold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

/// The number of eight digits, each as its number (0 to 9) and the first one lowest. Other bytes give any number.
///
/// ```
/// use byte_words::{every, number_of_digits};
/// assert_eq!(number_of_digits(u64::from_le_bytes(*b"00030001") ^ every(b'0')), 30_001);
/// ```
#[must_use]
#[inline]
pub const fn number_of_digits(digits: u64) -> u32 {
    // Pairs, then pairs of pairs and halves: two are multiplied and added at once, in the upper half of the word.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let even = (pairs & 0xff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
    let odd = (pairs >> 16 & 0xff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
    (even.wrapping_add(odd) >> 32) as u32
}

/// Two bytes to look for, sixteen bytes at a time.
///
/// ```
/// use byte_words::Two;
///
/// let quote_or_backslash = Two::new(b'"', b'\\');
/// assert_eq!(quote_or_backslash.find(b"/cart?item=7\" ho"), Some(12));
/// assert_eq!(quote_or_backslash.find(b"/cart?item=71234"), None);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Two {
    bytes: [u8; 2],
    searcher: Option<Searcher>,
}

impl Two {
    /// The two; they may be the same.
    #[must_use]
    #[inline]
    pub fn new(first: u8, second: u8) -> Self {
        Self { bytes: [first, second], searcher: searcher(first, second) }
    }

    /// The index of the first of them.
    ///
    /// Of an array of this length nothing is left of memchr's searcher but the comparison of all sixteen at once.
    #[must_use]
    #[inline(always)]
    pub fn find(&self, text: &[u8; 16]) -> Option<usize> {
        match &self.searcher {
            Some(searcher) => searcher.find(text),
            // A processor without vectors of that size, which is none of x86-64.
            None => text.iter().position(|byte| self.bytes.contains(byte)),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn searcher(first: u8, second: u8) -> Option<Searcher> {
    Searcher::new(first, second)
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn searcher(first: u8, second: u8) -> Option<Searcher> {
    Some(Searcher::new(first, second))
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    /// Each length, each index in it, and each byte there.
    #[test]
    fn eight_at_a_time_is_one_at_a_time() {
        type Class = (fn(u64) -> u64, fn(u8) -> bool);
        let classes: [Class; 3] = [
            (|word| below(word, 0x21), |byte| byte <= b' '),
            (|word| below(word, 0x21) | below(word ^ every(b'='), 1), |byte| byte <= b' ' || byte == b'='),
            (|word| below(word, 0x80), |byte| byte < 0x80),
        ];
        for len in 0..20 {
            for index in 0..=len {
                for byte in 0..=u8::MAX {
                    let mut text = std::vec![0xff; len];
                    if let Some(slot) = text.get_mut(index) {
                        *slot = byte;
                    }
                    for (marks, is) in classes {
                        for at in [0, 1, len, len + 1] {
                            let plain = text.iter().skip(at).position(|&byte| is(byte)).map_or(len, |found| at + found);
                            assert_eq!(find(&text, at, marks), plain, "{text:?} from {at}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_mark_above_a_true_one_does_not_hide_it() {
        // 0x21 above a separator borrows; 0x20 below it must still be the first.
        assert_eq!(find(b"ab \x21\x21\x21\x21\x21", 0, |word| below(word, 0x21)), 2);
        assert_eq!(find(b"\xa0\x80\xff\xbd= ab", 0, |word| below(word ^ every(b'='), 1)), 4);
    }

    #[test]
    fn words_end_with_the_text() {
        let text = b"0123456789abcdef";
        for from in 0..=text.len() {
            let rest = &text[from..];
            for before in 0..=from {
                let mut bytes = [0; 8];
                bytes[..rest.len().min(8)].copy_from_slice(&rest[..rest.len().min(8)]);
                assert_eq!(first_word(&text[before..], rest).to_le_bytes(), bytes, "{before} {from}");
            }
        }
    }

    #[test]
    fn digits_are_read_in_order() {
        for number in [0, 1, 10, 12_345_678, 87_654_321, 99_999_999, 90_000_009, 1_020_304] {
            let digits = format!("{number:08}");
            let word = u64::from_le_bytes(*digits.as_bytes().first_chunk().unwrap());
            assert_eq!(number_of_digits(word ^ every(b'0')), number);
        }
        for (index, factor) in (0..8).zip([10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1]) {
            for digit in 0..10 {
                assert_eq!(number_of_digits(u64::from(digit) << (8 * index)), digit * factor);
            }
        }
    }

    #[test]
    fn sixteen_at_a_time_is_one_at_a_time() {
        let two = Two::new(b'"', b'\\');
        let slow = Two { searcher: None, ..two };
        for index in 0..16 {
            for byte in 0..=u8::MAX {
                let mut text = [b'x'; 16];
                (text[index], text[15]) = (byte, if index % 2 == 0 { b'"' } else { text[15] });
                let plain = text.iter().position(|byte| matches!(byte, b'"' | b'\\'));
                assert_eq!((two.find(&text), slow.find(&text)), (plain, plain));
            }
        }
    }
}
