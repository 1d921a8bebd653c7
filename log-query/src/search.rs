//! Whether a text holds a needle, in time linear in both, whatever they are.

use crate::fold::{Folded, Letters, may_be_coloured};
use alloc::boxed::Box;
use alloc::vec::Vec;
use memchr::memmem::Finder;
use memchr::{memchr, memchr2};

/// A needle, made ready once for many texts.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    /// The automaton of Knuth, Morris and Pratt: takes one unit at a time, never goes back in the text, and so works where
    /// a text is folded, decoded and put together on the way.
    units: Box<[u32]>,
    /// For each beginning of the needle, how long its longest border is.
    borders: Box<[u32]>,
    /// Units are characters in one case, and not bytes.
    letters: bool,
    /// Of the bytes of the needle that every text with it holds in one piece, folded: all of them, unless there are letters
    /// with variants.
    anchor: Finder<'static>,
    /// The anchor holds an ASCII letter, so that a text that is not folded may hold it in several ways.
    cased: bool,
    /// The byte of the anchor that is the rarest in log lines, in both its cases, and where it stands.
    rare: (u8, u8, usize),
}

impl Needle {
    /// `needle` is folded, and not empty. `anchor` is what of it stands for itself alone. It is all of the needle, unless
    /// `letters` says that characters have variants.
    pub(crate) fn new(needle: &[u8], anchor: &[u8], letters: bool) -> Self {
        let units: Box<[u32]> = if letters {
            Letters::new(needle.iter().copied()).collect()
        } else {
            needle.iter().copied().map(u32::from).collect()
        };
        let rarest = anchor.iter().enumerate().min_by_key(|&(_, &byte)| commonness(byte));
        let rare = rarest.map_or((0, 0, 0), |(at, &byte)| (byte, byte.to_ascii_uppercase(), at));
        Self {
            borders: borders(&units),
            units,
            letters,
            cased: anchor.iter().any(u8::is_ascii_lowercase),
            anchor: Finder::new(anchor).into_owned(),
            rare,
        }
    }

    /// How many units it has.
    pub(crate) fn len(&self) -> usize {
        self.units.len()
    }

    /// Whether a text as it came holds the needle.
    #[inline]
    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        self.is_in_plain(text, may_be_coloured(text))
    }

    /// The same, where it is known whether there is an escape byte.
    #[inline]
    pub(crate) fn is_in_plain(&self, text: &[u8], coloured: bool) -> bool {
        if coloured {
            return self.is_in_bytes(Folded::new(text));
        }
        // Without codes, what is searched is the text itself but for case.
        let holds_anchor = if self.cased { self.holds_anchor(text) } else { self.anchor.find(text).is_some() };
        holds_anchor && (!self.letters || self.is_in_bytes(Folded::new(text)))
    }

    /// Whether a text that is folded holds the needle.
    #[inline]
    pub(crate) fn is_in_folded(&self, folded: &[u8]) -> bool {
        self.anchor.find(folded).is_some() && (!self.letters || self.is_in_bytes(folded.iter().copied()))
    }

    /// Whether these bytes, folded, hold the needle.
    #[inline]
    pub(crate) fn is_in_bytes(&self, bytes: impl Iterator<Item = u8>) -> bool {
        if self.letters { self.is_in_units(Letters::new(bytes)) } else { self.is_in_units(bytes.map(u32::from)) }
    }

    fn is_in_units(&self, units: impl Iterator<Item = u32>) -> bool {
        let mut found = 0;
        for unit in units {
            while found > 0 && self.units.get(found) != Some(&unit) {
                found = self.borders.get(found - 1).map_or(0, |&border| border as usize);
            }
            found += usize::from(self.units.get(found) == Some(&unit));
            if found == self.units.len() {
                return true;
            }
        }
        false
    }

    /// Whether the anchor is in the text, ASCII case aside: each of its rarest bytes is a candidate.
    ///
    /// A text of rare bytes makes each byte a candidate, and a needle that is nearly right makes each of them cost its
    /// length. So what candidates cost is counted, and when it is more than a share of what was passed over, the automaton
    /// reads the rest.
    fn holds_anchor(&self, text: &[u8]) -> bool {
        let anchor = self.anchor.needle();
        let (lower, upper, before) = self.rare;
        let Some(last) = text.len().checked_sub(anchor.len()) else { return false };
        let mut spent = 0;
        let mut start = 0;
        while start <= last {
            let Some(places) = text.get(start + before..=last + before) else { return false };
            let found = if lower == upper { memchr(lower, places) } else { memchr2(lower, upper, places) };
            let Some(skipped) = found else { return false };
            start += skipped;
            let candidate = text.get(start..start + anchor.len()).unwrap_or_default();
            let same =
                candidate.iter().zip(anchor).take_while(|(byte, needle)| byte.to_ascii_lowercase() == **needle).count();
            if same == anchor.len() {
                return true;
            }
            start += 1;
            spent += same + 8;
            if spent > 2 * start + 1024 {
                let rest = text.get(start..).unwrap_or_default();
                // With letters, the automaton is that of the whole needle, and `true` makes it read all of the text.
                return self.letters || self.is_in_bytes(Folded::new(rest));
            }
        }
        false
    }
}

/// For each beginning of the needle, the length of the longest piece that it both begins and ends with.
fn borders(units: &[u32]) -> Box<[u32]> {
    let mut borders: Vec<u32> = Vec::with_capacity(units.len());
    let mut border = 0_usize;
    for (at, unit) in units.iter().enumerate() {
        while border > 0 && units.get(border) != Some(unit) {
            border = borders.get(border - 1).map_or(0, |&shorter| shorter as usize);
        }
        // The first unit has nothing in front of it to be like.
        border += usize::from(at > 0 && units.get(border) == Some(unit));
        borders.push(u32::try_from(border).unwrap_or(u32::MAX));
    }
    borders.into_boxed_slice()
}

/// How often a byte comes in log lines, roughly, both cases of a letter together; only the order counts.
fn commonness(byte: u8) -> u8 {
    match byte {
        b' ' => 255,
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 200,
        b'0'..=b'9' => 180,
        b'l' | b'd' | b'c' | b'u' | b'm' | b'p' | b'h' => 150,
        b'=' | b'.' | b'/' | b':' | b'-' | b'"' | b',' => 140,
        b'f' | b'g' | b'w' | b'y' | b'b' | b'v' | b'k' => 110,
        b'_' | b'x' | b'j' | b'q' | b'z' | b'[' | b']' | b'(' | b')' | b'{' | b'}' | b'\'' => 60,
        0x80.. => 30,
        _ => 40,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_of_a_needle() {
        let units: Vec<u32> = b"ababac".iter().copied().map(u32::from).collect();
        assert_eq!(*borders(&units), [0, 0, 1, 2, 3, 0]);
        assert!(borders(&[]).is_empty());
    }

    /// All ways to search agree with windows compared one by one, on small alphabets, where needles nearly fit.
    #[test]
    fn all_ways_agree() {
        let mut random = 7_u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for _ in 0..20_000 {
            let text: Vec<u8> = (0..next(60)).map(|_| b"aAbBzZ.\x1b[m"[next(7) as usize]).collect();
            let needle: Vec<u8> = (0..=next(6)).map(|_| b"abz."[next(4) as usize]).collect();
            let lower = text.to_ascii_lowercase();
            let expect = lower.windows(needle.len()).any(|window| window == needle);
            let ready = Needle::new(&needle, &needle, false);
            assert_eq!(ready.is_in(&text), expect);
            assert_eq!(ready.is_in_folded(&lower), expect);
            assert_eq!(ready.is_in_bytes(Folded::new(&text)), expect);
        }
    }

    /// Far beyond what candidates may spend.
    #[test]
    fn what_nearly_fits_is_found_in_the_end() {
        let needle = [&b"q".repeat(4_000)[..], b"z"].concat();
        let ready = Needle::new(&needle, &needle, false);
        let mut text = b"Q".repeat(60_000);
        assert!(!ready.is_in(&text));
        text.push(b'Z');
        assert!(ready.is_in(&text));
        text.push(b'q');
        assert!(ready.is_in(&text));
    }
}
