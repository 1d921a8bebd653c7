//! Eight octets at a time: fields are a dozen octets, too short for a call of memchr to pay, too long for one by one.

use byte_words::{Two, below, every, find, number_of_digits};

/// The first octet up to SP from `at` on, or the end of the text.
#[inline]
pub(crate) fn word_end(text: &[u8], at: usize) -> usize {
    find(text, at, |octets| below(octets, b' ' + 1))
}

/// The first octet up to DQUOTE from `at` on, or the end of the text.
#[inline]
pub(crate) fn vchars_end(text: &[u8], at: usize) -> usize {
    find(text, at, |octets| below(octets, b'"' + 1))
}

/// Whether all octets are above DQUOTE.
#[inline]
pub(crate) const fn is_vchars(octets: &[u8; 8]) -> bool {
    below(u64::from_le_bytes(*octets), b'"' + 1) == 0
}

/// The first DQUOTE or backslash from `at` on, or the end of the text.
///
/// Sixteen octets at once, as long as there are so many.
#[inline]
pub(crate) fn text_end(text: &[u8], at: usize) -> usize {
    let marks = |octets: u64| below(octets ^ every(b'"'), 1) | below(octets ^ every(b'\\'), 1);
    let searcher = Two::new(b'"', b'\\');
    let (chunks, _) = text.get(at..).unwrap_or_default().as_chunks::<16>();
    for (nth, octets) in chunks.iter().enumerate() {
        if let Some(found) = searcher.find(octets) {
            return at + 16 * nth + found;
        }
    }
    find(text, at + 16 * chunks.len(), marks)
}

/// `*8DIGIT` at the end of a word: their number, and how many there are. Of none, the number is any.
///
/// Digits less `0` are below 10. What stands before them is made zeros. No branch depends on how many there are.
#[inline]
pub(crate) const fn last_digits(octets: u64) -> (u32, usize) {
    let ones = octets ^ every(b'0');
    let bits = marks(ones, 0x76).leading_zeros() & !7;
    let before = 64_u32.wrapping_sub(bits);
    let ones = ones.wrapping_shr(before).wrapping_shl(before);
    (number_of_digits(ones), (bits / 8) as usize)
}

/// How many octets at the end of a word are above DQUOTE and no `=`.
#[inline]
pub(crate) const fn last_bare(octets: u64) -> usize {
    let others = !marks(octets, 0x7f - b'"') | !marks(octets ^ every(b'='), 0x7f);
    ((others & every(0x80)).leading_zeros() / 8) as usize
}

/// Marks (0x80) the octets that are 0x80 - `gap` and above, all of them and no others.
const fn marks(octets: u64, gap: u8) -> u64 {
    (((octets & every(0x7f)) + every(gap)) | octets) & every(0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_one_by_one() {
        for text in ["", "0", "7", "07", "12", "123", "9999", "30001", "123456", "9876543", "99999999", "00000010"] {
            for before in ["=", " ", "\0", "/", ":", "m", "\u{7f}"] {
                let line = format!("{}{before}{text}", "9".repeat(8));
                let octets = u64::from_le_bytes(*line.as_bytes().last_chunk().unwrap());
                let (number, count) = last_digits(octets);
                assert_eq!(count, text.len(), "{line:?}");
                assert!(count == 0 || text.parse() == Ok(number), "{line:?}");
            }
        }
        for octet in 0..=255_u8 {
            let (_, count) = last_digits(u64::from_le_bytes([b'1', b'2', b'3', b'4', octet, b'5', b'6', b'7']));
            assert_eq!(count, if octet.is_ascii_digit() { 8 } else { 3 }, "{octet:#x}");
        }
    }

    #[test]
    fn bare_octets_at_the_end() {
        for octet in 0..=255_u8 {
            for place in 0..8 {
                let mut octets = *b"=web\x801.1";
                octets[0] = b'x';
                octets[place] = octet;
                let expected = if octet <= b'"' || octet == b'=' { 7 - place } else { 8 };
                assert_eq!(last_bare(u64::from_le_bytes(octets)), expected, "{octet:#x} at {place}");
            }
        }
    }

    #[test]
    fn ends_are_the_first_octet_of_a_class() {
        for octet in 0..=255_u8 {
            for (place, len) in
                [(0, 1), (3, 4), (7, 9), (8, 20), (19, 20), (20, 70), (63, 70), (64, 70), (69, 70), (140, 150)]
            {
                let mut text = vec![b'x'; len];
                text[place] = octet;
                let end = |is: bool| if is { place } else { len };
                assert_eq!(word_end(&text, 0), end(octet <= b' '), "{octet:#x} at {place}");
                assert_eq!(vchars_end(&text, 0), end(octet <= b'"'), "{octet:#x} at {place}");
                assert_eq!(text_end(&text, 0), end(octet == b'"' || octet == b'\\'), "{octet:#x} at {place}");
            }
        }
        assert_eq!((word_end(b"", 0), text_end(b"", 0), word_end(b"ab \x21\x21", 0)), (0, 0, 2));
        assert_eq!((vchars_end(b"ab\"\x23\x23", 0), text_end(b"\\\"", 0), text_end(b"\\\"", 1)), (2, 0, 1));
        assert_eq!((word_end(b" a", 1), word_end(b" a", 2), word_end(b" a", 3)), (2, 2, 2));
    }
}
