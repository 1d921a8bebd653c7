//! What is in a block, by its grams: which runs of three bytes (exactly), and which of five (by a hash of 17 bits).
//!
//! Grams are taken from each message alone, folded as search folds it, so that none joins two messages, and none is missing that
//! a text within one message has. All of a block's are taken in one pass over its bytes.

use super::columns::BlockLines;
use super::slots::{BITS_WORDS, shortened, slot};
use log_query::fold_into;
use memchr::memchr;

/// A block with more trigrams than this is left out of the table, and may hold any: random bytes would make the table longer than
/// the text.
const MOST_TRIGRAMS: usize = 1 << 14;
/// Words of a set of all trigrams.
const SEEN_WORDS: usize = 1 << 18;
/// Words of the set of its words in which something is.
const TOUCHED_WORDS: usize = SEEN_WORDS / 64;
/// The length of the grams of signatures.
pub(super) const GRAM: usize = 5;

/// The grams of one block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct BlockGrams {
    /// Rising; `None` if they are too many.
    pub(super) trigrams: Option<Box<[u32]>>,
    /// Two to a power of bits.
    pub(super) bits: Box<[u64]>,
}

impl BlockGrams {
    pub(super) fn rows_log2(&self) -> u8 {
        (self.bits.len() * 64).trailing_zeros() as u8
    }
}

/// Takes grams, block by block, in memory of its own.
///
/// The set of trigrams has a bit for each there can be, 2 MiB. That is more than a near cache holds, and yet fast: what text has
/// of them lies in about a thousand lines of it. A second, small set says which of its words to read and to clear again.
pub(super) struct Grams {
    bits: Box<[u64; BITS_WORDS]>,
    seen: Box<[u64; SEEN_WORDS]>,
    touched: Box<[u64; TOUCHED_WORDS]>,
    folded: Vec<u8>,
}

impl Grams {
    pub(super) fn new() -> Self {
        Self { bits: zeros(), seen: zeros(), touched: zeros(), folded: Vec::new() }
    }

    /// The grams of a block.
    pub(super) fn take(&mut self, lines: &BlockLines<'_>) -> BlockGrams {
        self.bits.fill(0);
        let mut folded = std::mem::take(&mut self.folded);
        folded.clear();
        // A block without colours is folded at once, in the letters' case alone; then its messages are where they were.
        let plain = memchr(0x1b, lines.text).is_none();
        if plain {
            folded.extend_from_slice(lines.text);
            folded.make_ascii_lowercase();
            folded.extend_from_slice(&[0; 8]);
        }
        let mut sets = Sets { bits: &mut self.bits, seen: &mut self.seen, touched: &mut self.touched };
        let mut start = 0;
        for &length in lines.lengths {
            let (from, end) = (start, start + length as usize);
            start = end + 1;
            if plain {
                message(folded.get(from..end + 8).unwrap_or_default(), &mut sets);
            } else {
                folded.clear();
                fold_into(lines.text.get(from..end).unwrap_or_default(), &mut folded);
                folded.extend_from_slice(&[0; 8]);
                message(&folded, &mut sets);
            }
        }
        self.folded = folded;
        BlockGrams { trigrams: self.trigrams(), bits: shortened(&*self.bits) }
    }

    /// The trigrams that were taken, rising. Takes them out of the set.
    fn trigrams(&mut self) -> Option<Box<[u32]>> {
        let mut found = Vec::with_capacity(MOST_TRIGRAMS);
        let mut dense = false;
        for (high, touched) in self.touched.iter_mut().enumerate().filter(|(_, word)| **word != 0) {
            for at in ones(std::mem::take(touched)).map(|low| high * 64 + low) {
                let Some(word) = self.seen.get_mut(at).map(std::mem::take) else { continue };
                dense |= found.len() + word.count_ones() as usize > MOST_TRIGRAMS;
                if !dense {
                    found.extend(ones(word).map(|bit| (at * 64 + bit) as u32));
                }
            }
        }
        (!dense).then(|| found.into())
    }
}

/// The sets, each behind one pointer that stays in a register.
struct Sets<'a> {
    bits: &'a mut [u64; BITS_WORDS],
    seen: &'a mut [u64; SEEN_WORDS],
    touched: &'a mut [u64; TOUCHED_WORDS],
}

impl Sets<'_> {
    /// Takes the five lowest bytes of a word, and the three lowest.
    #[inline(always)]
    fn gram(&mut self, word: u64) {
        let slot = slot(word);
        self.bits[slot / 64 % BITS_WORDS] |= 1 << (slot % 64);
        self.trigram(word);
    }

    #[inline(always)]
    fn trigram(&mut self, word: u64) {
        let trigram = word as usize & 0xff_ffff;
        if self.seen[trigram / 64] >> (trigram % 64) & 1 == 0 {
            self.new_trigram(trigram);
        }
    }

    /// Seldom: a block of 260,000 trigrams has 9,000 different ones. Apart, so that nothing of it is prepared in vain.
    #[cold]
    #[inline(never)]
    fn new_trigram(&mut self, trigram: usize) {
        let at = trigram / 64 % SEEN_WORDS;
        self.seen[at] |= 1 << (trigram % 64);
        self.touched[at / 64] |= 1 << (at % 64);
    }
}

/// Takes the grams of a folded message. Eight more bytes stand behind it, so that a word can be read from each of its bytes on;
/// what reaches into them is not taken.
fn message(padded: &[u8], sets: &mut Sets<'_>) {
    let length = padded.len().saturating_sub(8);
    // Four grams of five bytes come from each word of eight, which is two halves.
    let whole = (length + 1).saturating_sub(GRAM) / 4;
    let (halves, _) = padded.as_chunks::<4>();
    for (low, high) in halves.iter().zip(halves.iter().skip(1)).take(whole) {
        let word = u64::from(u32::from_le_bytes(*high)) << 32 | u64::from(u32::from_le_bytes(*low));
        sets.gram(word);
        sets.gram(word >> 8);
        sets.gram(word >> 16);
        sets.gram(word >> 24);
    }
    let rest = padded.get(whole * 4..).unwrap_or_default();
    for (window, left) in rest.windows(8).zip((3..=length - whole * 4).rev()) {
        let word = word(window);
        if left >= GRAM {
            sets.gram(word);
        } else {
            sets.trigram(word);
        }
    }
}

/// The bits of a word that are set, rising.
pub(super) fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros() as usize;
        (word != 0).then(|| {
            word &= word - 1;
            bit
        })
    })
}

/// The trigrams of a text, as numbers.
pub(super) fn trigrams_of(text: &[u8]) -> impl Iterator<Item = u32> + '_ {
    text.windows(3).filter_map(|window| match *window {
        [first, second, third] => Some(u32::from_le_bytes([first, second, third, 0])),
        _ => None,
    })
}

/// The places in a signature of the grams of five bytes of a text.
pub(super) fn slots_of(text: &[u8]) -> impl ExactSizeIterator<Item = usize> + '_ {
    text.windows(GRAM).map(|window| {
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(window).for_each(|(to, &from)| *to = from);
        slot(u64::from_le_bytes(bytes))
    })
}

#[inline]
fn word(window: &[u8]) -> u64 {
    window.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn zeros<const N: usize>() -> Box<[u64; N]> {
    // Not an array on the stack that is then moved: 2 MiB would not fit on every thread's.
    vec![0; N].into_boxed_slice().try_into().unwrap_or_else(|_| Box::new([0; N]))
}
