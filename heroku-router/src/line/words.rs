//! Eight octets at a time: fields are a dozen octets, too short for a call of memchr to pay, too long for one by one.

const fn every(octet: u8) -> u64 {
    u64::from_ne_bytes([octet; 8])
}

/// The word at `at`, less than eight octets before the end: of the last eight, those that are not before it.
#[cold]
#[inline(never)]
fn last_word(text: &[u8], at: usize) -> u64 {
    match text.last_chunk() {
        Some(octets) if at < text.len() => u64::from_le_bytes(*octets) >> (8 * (at + 8 - text.len())),
        _ => text.iter().skip(at).rfold(0, |word, &octet| word << 8 | u64::from(octet)),
    }
}

/// The first octet up to SP from `at` on, or the end of the text.
#[inline]
pub(crate) fn word_end(text: &[u8], at: usize) -> usize {
    find(text, at, |octets| below(octets, b' ' + 1))
}

/// Marks (0x80) the octets below `n`, which is 128 at most; exact up to and including the lowest mark.
///
/// x - n borrows into the high bit of every octet below n, and `!x` drops those that had that bit already. A borrow may
/// also mark octets above a true one, never below it, and only the lowest mark is read.
const fn below(octets: u64, n: u8) -> u64 {
    octets.wrapping_sub(every(n)) & !octets & every(0x80)
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
/// Sixteen octets at once: of an array of that length, nothing is left of the searcher but the comparison.
#[inline]
pub(crate) fn text_end(text: &[u8], at: usize) -> usize {
    let marks = |octets: u64| below(octets ^ every(b'"'), 1) | below(octets ^ every(b'\\'), 1);
    let Some(searcher) = quote_or_backslash() else { return find(text, at, marks) };
    let (chunks, _) = text.get(at..).unwrap_or_default().as_chunks::<16>();
    for (nth, octets) in chunks.iter().enumerate() {
        if let Some(found) = searcher.find(octets) {
            return at + 16 * nth + found;
        }
    }
    find(text, at + 16 * chunks.len(), marks)
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn quote_or_backslash() -> Option<memchr::arch::x86_64::sse2::memchr::Two> {
    memchr::arch::x86_64::sse2::memchr::Two::new(b'"', b'\\')
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn quote_or_backslash() -> Option<memchr::arch::all::memchr::Two> {
    Some(memchr::arch::all::memchr::Two::new(b'"', b'\\'))
}

/// The first octet from `at` on that `marks` marks, or the end of the text.
#[inline]
fn find(text: &[u8], mut at: usize, marks: impl Fn(u64) -> u64) -> usize {
    while let Some(octets) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let found = marks(u64::from_le_bytes(*octets));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    // Marked or not, what stands behind the end is cut off: no mark at all counts as eight octets.
    let found = marks(last_word(text, at));
    text.len().min(at + (found.trailing_zeros() / 8) as usize)
}

/// `*8DIGIT` at the end of a word: their number, and how many there are. Of none, the number is any.
///
/// Digits less `0` are below 10. Zeros take the place of what stands before them, and they are added up in pairs, pairs of
/// pairs, and halves. No branch depends on how many there are.
#[inline]
pub(crate) const fn last_digits(octets: u64) -> (u32, usize) {
    let ones = octets ^ every(b'0');
    let bits = marks(ones, 0x76).leading_zeros() & !7;
    let before = 64_u32.wrapping_sub(bits);
    let ones = ones.wrapping_shr(before).wrapping_shl(before);
    let tens = ones.wrapping_mul(10).wrapping_add(ones >> 8);
    let even = (tens & 0xff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
    let odd = (tens >> 16 & 0xff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
    ((even.wrapping_add(odd) >> 32) as u32, (bits / 8) as usize)
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
