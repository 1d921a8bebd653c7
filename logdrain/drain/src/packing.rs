//! Texts of log lines as they lie in the journal: zstd at its lowest level, which makes a fifth of them faster than the
//! disk would write the rest.
//!
//! Each thread that packs or unpacks keeps one context of zstd for it, as making one takes longer than packing a small
//! delivery.

use std::cell::RefCell;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe;

/// What a thread that packs takes for it, at most: tables for the level and one block of each kind.
pub const MEMORY: usize = 3 << 19;

const LEVEL: i32 = 1;
/// Shorter texts do not become so much shorter that it would be worth anything.
const SHORTEST: usize = 128;
/// No text of ours is longer: nothing is allocated on the word of damage.
const LONGEST: u64 = 1 << 30;

thread_local! {
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The most bytes that a text of this length is packed in. One that needs more is kept as it is.
pub const fn room(text: usize) -> usize {
    text - text / 8
}

/// Packs a text; `None` when it would hardly become shorter. While it works it takes [`room`] bytes.
pub fn pack(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() < SHORTEST || text.len() as u64 > LONGEST {
        return None;
    }
    PACKER.with_borrow_mut(|packer| {
        if packer.is_none() {
            *packer = Compressor::new(LEVEL).ok();
        }
        let mut packed = Vec::with_capacity(room(text.len()));
        // What does not fit is an error: such a text is random, or packed already.
        packer.as_mut()?.compress_to_buffer(text, &mut packed).ok()?;
        packed.shrink_to_fit();
        Some(packed)
    })
}

/// Unpacks a text of which it is known how long it is.
///
/// # Errors
/// When it is not what was packed. Nothing is allocated before both lengths agree.
pub fn unpack(packed: &[u8], len: u64) -> Result<Vec<u8>, String> {
    let damaged = || "its text cannot be unpacked".to_owned();
    let said = zstd_safe::get_frame_content_size(packed).ok().flatten();
    if len > LONGEST || said != Some(len) {
        return Err(damaged());
    }
    let len = usize::try_from(len).map_err(|_| damaged())?;
    UNPACKER.with_borrow_mut(|unpacker| {
        if unpacker.is_none() {
            *unpacker = Decompressor::new().ok();
        }
        let text = unpacker.as_mut().ok_or_else(damaged)?.decompress(packed, len);
        text.ok().filter(|text| text.len() == len).ok_or_else(damaged)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> Vec<u8> {
        (0..count)
            .flat_map(|n| format!("<190>1 2026-03-14T09:26:53Z host app web.{n} - line {n}\n").into_bytes())
            .collect()
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut seed = 7_u64;
        let next = |_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 56) as u8
        };
        (0..len).map(next).collect()
    }

    #[test]
    fn what_is_packed_is_unpacked_and_what_gains_nothing_is_not_packed() {
        for count in [3, 10, 1_000, 50_000] {
            let text = lines(count);
            let packed = pack(&text).unwrap();
            assert!(packed.len() < text.len() && packed.capacity() <= room(text.len()));
            assert_eq!(unpack(&packed, text.len() as u64).unwrap(), text);
        }
        assert_eq!(pack(b""), None);
        assert_eq!(pack(b"short"), None);
        assert_eq!(pack(&noise(100_000)), None);
    }

    #[test]
    fn damage_is_told_and_takes_no_memory() {
        let text = lines(100);
        let packed = pack(&text).unwrap();
        let len = text.len() as u64;
        for wrong in [0, len - 1, len + 1, LONGEST + 1, u64::MAX] {
            assert!(unpack(&packed, wrong).is_err(), "{wrong}");
        }
        for end in 0..packed.len() {
            assert!(unpack(&packed[..end], len).is_err(), "{end}");
        }
        for at in 0..packed.len() {
            let mut flipped = packed.clone();
            flipped[at] ^= 0x10;
            // Without a checksum of its own, zstd may read something else: the journal's checksum is over it.
            assert!(
                unpack(&flipped, len).is_ok_and(|other| other.len() as u64 == len) || unpack(&flipped, len).is_err()
            );
        }
        // A frame that says of itself that it holds much more.
        assert!(unpack(&[0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0], 1 << 40).is_err());
    }
}
