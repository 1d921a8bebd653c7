//! What is searched: a text in lower case, without its colour codes.
//!
//! ```text
//! code   = ESC "[" *( DIGIT / ";" / ":" ) "m"                 ; ESC is %x1B
//! ```

use alloc::vec::Vec;
use memchr::memchr;

const ESC: u8 = 0x1b;

/// Appends to `out` what is searched of `text`: without colour codes (`ESC [ … m`), and with the ASCII letters in lower
/// case. Answers whether there were codes.
///
/// A [`Term`](crate::Term) looks for [`folded`](crate::Term::folded) bytes in such a text. Linear in `text`. What is taken
/// out is taken out once: a code that comes to be by that is text.
///
/// ```
/// let mut folded = Vec::new();
/// assert!(log_query::fold_into(b"\x1b[31mERROR\x1b[0m: \x1b[31 \xff", &mut folded));
/// assert_eq!(folded, b"error: \x1b[31 \xff");
/// ```
pub fn fold_into(text: &[u8], out: &mut Vec<u8>) -> bool {
    let from = out.len();
    let (mut rest, mut coloured) = (text, false);
    while let Some(at) = memchr(ESC, rest) {
        let (before, code) = rest.split_at(at);
        out.extend_from_slice(before);
        let behind = match code_len(code) {
            Some(len) => {
                coloured = true;
                len
            }
            None => {
                out.push(ESC);
                1
            }
        };
        rest = code.get(behind..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    if let Some(new) = out.get_mut(from..) {
        new.make_ascii_lowercase();
    }
    coloured
}

/// Whether there may be a code: one pass of memchr.
#[inline]
pub(crate) fn may_be_coloured(text: &[u8]) -> bool {
    memchr(ESC, text).is_some()
}

/// How long the code is that `text` begins with. No parameter is an ESC, so the parameters of codes that end nowhere are
/// not read twice.
fn code_len(text: &[u8]) -> Option<usize> {
    let parameters = text.strip_prefix(b"\x1b[")?;
    let len = parameters.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'))?;
    (parameters.get(len) == Some(&b'm')).then_some(len + 3)
}

/// The bytes that [`fold_into`] appends, one at a time.
#[derive(Clone, Debug)]
pub(crate) struct Folded<'a>(&'a [u8]);

impl<'a> Folded<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self(text)
    }
}

impl Iterator for Folded<'_> {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        loop {
            let (&first, rest) = self.0.split_first()?;
            if first == ESC
                && let Some(len) = code_len(self.0)
            {
                self.0 = self.0.get(len..).unwrap_or_default();
                continue;
            }
            self.0 = rest;
            return Some(first.to_ascii_lowercase());
        }
    }
}

/// What stands for bytes that are no character: equal to no letter of a term.
const INVALID: u32 = u32::MAX;

/// The characters of folded bytes, each as the one letter that stands for all its case variants. Bytes that are no UTF-8
/// are characters that no term holds.
#[derive(Clone, Debug)]
pub(crate) struct Letters<I> {
    bytes: I,
    /// A byte that was taken and belongs to the next character.
    next: Option<u8>,
}

impl<I: Iterator<Item = u8>> Letters<I> {
    pub(crate) fn new(bytes: I) -> Self {
        Self { bytes, next: None }
    }
}

impl<I: Iterator<Item = u8>> Iterator for Letters<I> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let first = self.next.take().or_else(|| self.bytes.next())?;
        // The table of well-formed UTF-8 (Unicode 3.9): how many bytes follow, and what the first of them may be.
        let (follow, mut low, mut high) = match first {
            0..=0x7f => return Some(u32::from(first)),
            0xc2..=0xdf => (1, 0x80, 0xbf),
            0xe0 => (2, 0xa0, 0xbf),
            0xed => (2, 0x80, 0x9f),
            0xe1..=0xef => (2, 0x80, 0xbf),
            0xf0 => (3, 0x90, 0xbf),
            0xf1..=0xf3 => (3, 0x80, 0xbf),
            0xf4 => (3, 0x80, 0x8f),
            _ => return Some(INVALID),
        };
        let mut code = u32::from(first) & (0x3f >> follow);
        for _ in 0..follow {
            match self.bytes.next() {
                Some(byte) if (low..=high).contains(&byte) => code = code << 6 | u32::from(byte & 0x3f),
                other => {
                    self.next = other;
                    return Some(INVALID);
                }
            }
            (low, high) = (0x80, 0xbf);
        }
        Some(char::from_u32(code).map_or(INVALID, |letter| u32::from(one_case(letter))))
    }
}

/// One letter for all the simple case variants of a letter that is not ASCII: the lower case of its upper case, where each
/// is a single character, and not ASCII: the Kelvin sign is no `k` here, so what is ASCII in a term is ASCII in what it finds.
pub(crate) fn one_case(letter: char) -> char {
    if letter.is_ascii() {
        return letter.to_ascii_lowercase();
    }
    let upper = single(letter.to_uppercase()).unwrap_or(letter);
    single(upper.to_lowercase()).unwrap_or(upper)
}

/// Whether there may be other letters that [`one_case`] makes the same as this one.
pub(crate) fn has_variants(letter: char) -> bool {
    !letter.is_ascii() && (!letter.to_uppercase().eq([letter]) || !letter.to_lowercase().eq([letter]))
}

fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    match (letters.next(), letters.next()) {
        (Some(letter), None) if !letter.is_ascii() => Some(letter),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn folded(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        fold_into(text, &mut out);
        assert_eq!(Folded::new(text).collect::<Vec<_>>(), out, "one at a time");
        out
    }

    #[test]
    fn codes_are_taken_out_once() {
        assert_eq!(folded(b"a\x1b[1mB\x1b[38;5;12mc\x1b[m\x1b[0m"), b"abc");
        assert_eq!(folded(b"\x1b[3\x1b[0m1mX"), b"\x1b[31mx", "what comes to be is text");
        for kept in [&b"\x1b"[..], b"\x1b[", b"\x1b[31", b"\x1b[31k", b"\x1b[3 1m", b"\x1b\x1b", b"\x1b]0;m"] {
            assert_eq!(folded(kept), kept);
        }
        let mut out = Vec::from(*b"Kept");
        assert!(!fold_into(b"ABC", &mut out));
        assert_eq!(out, b"Keptabc");
    }

    #[test]
    fn letters_are_those_of_the_standard_library() {
        let mut random = 1_u64;
        for _ in 0..20_000 {
            let mut text = Vec::new();
            for _ in 0..8 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let byte = (random >> 33) as u8;
                text.push(if byte.is_multiple_of(3) {
                    byte
                } else {
                    [0xc3, 0xa9, 0xe2, 0x82, 0xed, 0xf0, 0xf4, 0x9f][usize::from(byte % 8)]
                });
            }
            let expect: Vec<u32> = text
                .utf8_chunks()
                .flat_map(|chunk| {
                    let valid: Vec<u32> =
                        chunk.valid().chars().map(|c| u32::from(if c.is_ascii() { c } else { one_case(c) })).collect();
                    valid.into_iter().chain((!chunk.invalid().is_empty()).then_some(INVALID))
                })
                .collect();
            assert_eq!(Letters::new(text.iter().copied()).collect::<Vec<_>>(), expect, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn variants_are_known_to_have_variants() {
        for letter in (char::MIN..=char::MAX).filter(|letter| !letter.is_ascii()) {
            let one = one_case(letter);
            assert!(!one.is_ascii() && one_case(one) == one, "{letter}");
            assert!(one == letter || (has_variants(letter) && has_variants(one)), "{letter} and {one}");
        }
        let same: String = "äÄ σςΣ Ω\u{2126} ßẞ ǅǄǆ ÿŸ µΜμ".chars().map(one_case).collect();
        assert_eq!(same, "ää σσσ ωω ßß ǆǆǆ ÿÿ μμμ");
        // Their variants are ASCII, or two letters: the Kelvin sign, long s, dotted and dotless i.
        assert!(['\u{212a}', 'ſ', 'İ', 'ı'].into_iter().all(|letter| one_case(letter) == letter));
    }
}
