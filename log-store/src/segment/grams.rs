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
/// Words that are remembered as taken, in a power of two.
const TAKEN_LOG2: u32 = 11;
/// Words that wait to be taken.
const WAITING: usize = 1 << 14;

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
/// Text is walked in words of eight bytes, each of which has four grams of five. Lines repeat themselves: about half of these words
/// were met in the block before, and have nothing new. So the words are told apart first, without a branch, and only those that seem
/// new wait to have their grams taken; a word that was forgotten in between is taken twice, which changes nothing.
///
/// The set of trigrams has a bit for each there can be, 2 MiB. That is more than a near cache holds, and yet fast: what text has
/// of them lies in about a thousand lines of it. A second, small set says which of its words to read and to clear again.
pub(super) struct Grams {
    bits: Box<[u64; BITS_WORDS]>,
    seen: Box<[u64; SEEN_WORDS]>,
    touched: Box<[u64; TOUCHED_WORDS]>,
    words: Words,
    folded: Vec<u8>,
}

/// The words of a block.
struct Words {
    /// By a hash, the last one with it.
    taken: Box<[u64; 1 << TAKEN_LOG2]>,
    waiting: Box<[u64; WAITING]>,
    /// How many wait.
    count: usize,
}

impl Words {
    /// Stands for no word. Text may hold it all the same: it is always taken.
    const NONE: u64 = u64::MAX;

    /// Lets a word wait, unless it was met before.
    #[inline(always)]
    fn meet(&mut self, word: u64) {
        let hash = (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - TAKEN_LOG2)) as usize;
        self.waiting[self.count % WAITING] = word;
        self.count += usize::from(self.taken[hash] != word) | usize::from(word == Self::NONE);
        self.taken[hash] = word;
    }
}

impl Grams {
    pub(super) fn new() -> Self {
        let words = Words { taken: zeros(), waiting: zeros(), count: 0 };
        Self { bits: zeros(), seen: zeros(), touched: zeros(), words, folded: Vec::new() }
    }

    /// The grams of a block.
    pub(super) fn take(&mut self, lines: &BlockLines<'_>) -> BlockGrams {
        self.bits.fill(0);
        self.words.taken.fill(Words::NONE);
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
                message(folded.get(from..end + 8).unwrap_or_default(), &mut sets, &mut self.words);
            } else {
                folded.clear();
                fold_into(lines.text.get(from..end).unwrap_or_default(), &mut folded);
                folded.extend_from_slice(&[0; 8]);
                message(&folded, &mut sets, &mut self.words);
            }
        }
        sets.take(&mut self.words);
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
    /// Takes the grams of the words that wait.
    fn take(&mut self, words: &mut Words) {
        for &word in words.waiting.iter().take(words.count) {
            self.gram(word);
            self.gram(word >> 8);
            self.gram(word >> 16);
            self.gram(word >> 24);
        }
        words.count = 0;
    }

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
fn message(padded: &[u8], sets: &mut Sets<'_>, words: &mut Words) {
    let length = padded.len().saturating_sub(8);
    // Four grams of five bytes come from each word of eight, which is two halves.
    let whole = (length + 1).saturating_sub(GRAM) / 4;
    let (halves, _) = padded.as_chunks::<4>();
    let mut at = 0;
    while at < whole {
        let run = (whole - at).min(WAITING / 2);
        if words.count > WAITING / 2 {
            sets.take(words);
        }
        for (low, high) in halves.iter().zip(halves.iter().skip(1)).skip(at).take(run) {
            words.meet(u64::from(u32::from_le_bytes(*high)) << 32 | u64::from(u32::from_le_bytes(*low)));
        }
        at += run;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Messages of words that come again, at all alignments, beside what is met once, what is all ones, and long ones.
    fn messages() -> Vec<Vec<u8>> {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        let mut messages: Vec<Vec<u8>> =
            (0..20).map(|length| b"at=info method"[..].repeat(2)[..length].to_vec()).collect();
        for _ in 0..200 {
            let mut message = Vec::new();
            for _ in 0..next() % 40 {
                match next() % 4 {
                    0 => message.extend_from_slice(b"at=info method=GET path="),
                    1 => message.extend_from_slice(&next().to_le_bytes()),
                    2 => message.extend_from_slice(&[0xff; 13]),
                    _ => message.push(next() as u8),
                }
            }
            messages.push(message);
        }
        messages.push(
            (0..200_000_u32).flat_map(|number| number.wrapping_mul(0x9e37_79b9).to_le_bytes()).take(150_000).collect(),
        );
        messages
    }

    #[test]
    fn what_is_taken_is_what_is_there() {
        let mut grams = Grams::new();
        // The second block is not that of the first, of whose words some are remembered.
        for messages in messages().chunks(100) {
            let text: Vec<u8> = messages.iter().flat_map(|message| [message, &b"\n"[..]].concat()).collect();
            let lengths: Vec<u32> = messages.iter().map(|message| message.len() as u32).collect();
            let zeros = vec![0; lengths.len()];
            let (ids, times) = (vec![0; lengths.len()], vec![0; lengths.len()]);
            let sources = vec![None; lengths.len()];
            let lines = BlockLines {
                ids: &ids,
                generated: &times,
                senders: &zeros,
                sources: &sources,
                lengths: &lengths,
                text: &text,
            };
            let found = grams.take(&lines);
            let mut trigrams = BTreeSet::new();
            let mut bits: Box<[u64; BITS_WORDS]> = super::zeros();
            for message in messages {
                let mut folded = Vec::new();
                fold_into(message, &mut folded);
                trigrams.extend(trigrams_of(&folded));
                slots_of(&folded).for_each(|slot| bits[slot / 64] |= 1 << (slot % 64));
            }
            assert_eq!(found.bits, shortened(&*bits));
            match found.trigrams {
                Some(found) => assert!(found.iter().eq(&trigrams)),
                None => assert!(trigrams.len() > MOST_TRIGRAMS),
            }
        }
    }
}
