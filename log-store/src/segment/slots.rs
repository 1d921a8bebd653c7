//! Where a gram's bit is in a signature, and how a signature is made shorter.

/// A signature has two to this many bits at least.
pub(super) const LEAST_LOG2: u32 = 8;
/// And at most.
pub(super) const MOST_LOG2: u32 = 17;
/// Words of the longest signature.
pub(super) const BITS_WORDS: usize = (1 << MOST_LOG2) / 64;
/// What a gram is multiplied with: the high bits of the product are its slot. 2^40 over the golden ratio, and 24 bits of zero: what
/// stands above the 40 bits of a gram leaves the product, and need not be taken off before.
pub(super) const MULTIPLIER: u64 = 0x9e37_79b9_7f00_0000;
/// The slot of a gram: of the five lowest bytes of the word.
#[inline]
pub(super) const fn slot(word: u64) -> usize {
    (word.wrapping_mul(MULTIPLIER) >> (64 - MOST_LOG2)) as usize
}

/// A signature, as short as may be. Its slots are the high bits of the longer one's: neighbours fall together.
pub(super) fn shortened(bits: &[u64]) -> Box<[u64]> {
    let mut bits = bits.to_vec();
    while bits.len() * 64 > 1 << LEAST_LOG2 {
        let half: Vec<u64> = bits
            .chunks_exact(2)
            .map(|pair| match *pair {
                [low, high] => squeezed(low | low >> 1) | squeezed(high | high >> 1) << 32,
                _ => 0,
            })
            .collect();
        let set: usize = half.iter().map(|word| word.count_ones() as usize).sum();
        if set * 5 > half.len() * 64 * 2 {
            break;
        }
        bits = half;
    }
    bits.into()
}

/// Every second bit of a word, lowest first, together in the lower half.
const fn squeezed(word: u64) -> u64 {
    let mut word = word & 0x5555_5555_5555_5555;
    word = (word | word >> 1) & 0x3333_3333_3333_3333;
    word = (word | word >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    word = (word | word >> 4) & 0x00ff_00ff_00ff_00ff;
    word = (word | word >> 8) & 0x0000_ffff_0000_ffff;
    (word | word >> 16) & 0xffff_ffff
}
