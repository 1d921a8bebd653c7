//! Rows of several streams of one metric, as they lie on the disk.
//!
//! ```text
//! piece  = zstd (block), with its checksum
//! block  = *stream
//! stream = length key length rows states             ; lengths in bytes, all numbers in LEB128
//! key    = kind unit *(key value)                    ; each text with its length in front
//! rows   = *(gap length)                             ; windows that are passed over, bytes of the state
//! states = *state                                    ; see `RowState::pack`
//! ```
//!
//! A block has what it needs to be read: no table of streams outlives them, and what is deleted is gone with its names.

use heroku_metrics::model::{Kind, TagSet, Unit};
use std::cell::RefCell;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{self, CParameter};

/// Windows of the aggregator are packed soon and often; higher levels take long and give little.
const LEVEL: i32 = 3;
/// No block of ours is longer: nothing is allocated on the word of damage.
pub(super) const LONGEST: usize = 32 << 20;
/// A block that is longer is begun again, with the next stream.
pub(super) const FULL: usize = 128 << 10;

thread_local! {
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The bytes on disk of a block.
pub(super) fn pack(block: &[u8]) -> Option<Vec<u8>> {
    PACKER.with_borrow_mut(|packer| {
        if packer.is_none() {
            let mut made = Compressor::new(LEVEL).ok()?;
            made.set_parameter(CParameter::ChecksumFlag(true)).ok()?;
            *packer = Some(made);
        }
        packer.as_mut()?.compress(block).ok()
    })
}

/// The block again; `None` when it is damaged.
pub(super) fn unpack(piece: &[u8]) -> Option<Vec<u8>> {
    let len = zstd_safe::get_frame_content_size(piece).ok().flatten()?;
    let len = usize::try_from(len).ok().filter(|len| *len <= LONGEST)?;
    UNPACKER.with_borrow_mut(|unpacker| {
        if unpacker.is_none() {
            *unpacker = Decompressor::new().ok();
        }
        let block = unpacker.as_mut()?.decompress(piece, len).ok();
        block.filter(|block| block.len() == len)
    })
}

/// Puts a number behind others, in as many bytes as it needs.
pub(super) fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Takes things off the front; `None` where they are not there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    #[inline]
    pub(super) fn number(&mut self) -> Option<u64> {
        // Most are small.
        if let [byte @ ..0x80, rest @ ..] = self.0 {
            self.0 = rest;
            return Some(u64::from(*byte));
        }
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            if shift > 63 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(value);
            }
            shift += 7;
        }
    }

    #[inline]
    pub(super) fn bytes(&mut self, len: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(len).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn part(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?;
        self.bytes(len)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.part()?).ok()
    }
}

const KINDS: [Kind; 3] = [Kind::Count, Kind::Measure, Kind::Sample];

/// What a stream is called, besides the metric's name, as bytes: equal for equal streams.
pub(super) fn key(kind: Kind, unit: Unit<'_>, tags: &TagSet) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + unit.as_str().len() + tags.text_len() + 2 * tags.len());
    let byte = KINDS.iter().position(|known| *known == kind).unwrap_or_default();
    out.push(byte as u8);
    text(&mut out, unit.as_str());
    for (key, value) in tags.iter() {
        text(&mut out, key);
        text(&mut out, value);
    }
    out
}

/// A key, read.
#[derive(Clone, Debug)]
pub(super) struct Key<'a> {
    pub(super) kind: Kind,
    pub(super) unit: &'a str,
    /// Sorted, as they were in the tag set.
    pub(super) tags: Vec<(&'a str, &'a str)>,
}

impl<'a> Key<'a> {
    pub(super) const NONE: Self = Self { kind: Kind::Count, unit: "", tags: Vec::new() };

    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let mut key = Self::NONE;
        key.read(bytes).map(|()| key)
    }

    /// Becomes the key that these bytes say, in the same memory; when they say none, it is nothing to go by.
    pub(super) fn read(&mut self, bytes: &'a [u8]) -> Option<()> {
        let (kind, rest) = bytes.split_first()?;
        self.kind = *KINDS.get(usize::from(*kind))?;
        if std::str::from_utf8(rest).is_ok_and(|texts| self.read_short(texts).is_some()) {
            return Some(());
        }
        self.tags.clear();
        let mut rest = Cursor(rest);
        self.unit = rest.text()?;
        while !rest.0.is_empty() {
            self.tags.push((rest.text()?, rest.text()?));
        }
        Some(())
    }

    /// With lengths below 128, all behind the kind is one text, which is looked at once; `None` when it is not that.
    fn read_short(&mut self, texts: &'a str) -> Option<()> {
        let mut rest = texts;
        let mut text = || {
            let len = rest.as_bytes().first().filter(|len| **len < 0x80)?;
            let (text, behind) = rest.get(1..)?.split_at_checked(usize::from(*len))?;
            rest = behind;
            Some((text, behind.is_empty()))
        };
        let (unit, mut is_end) = text()?;
        self.unit = unit;
        self.tags.clear();
        while !is_end {
            let key = text()?.0;
            let (value, is_last) = text()?;
            self.tags.push((key, value));
            is_end = is_last;
        }
        Some(())
    }

    pub(super) fn tag(&self, key: &str) -> Option<&'a str> {
        self.tags.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
    }
}

/// One stream of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream<'a> {
    pub(super) key: &'a [u8],
    rows: &'a [u8],
    states: &'a [u8],
}

/// The streams of a block, until its end or to where it makes no sense.
pub(super) fn streams(block: &[u8]) -> impl Iterator<Item = Stream<'_>> {
    let mut rest = Cursor(block);
    std::iter::from_fn(move || {
        let (key, rows) = (rest.part()?, rest.part()?);
        let len = rest.number()?;
        Some(Stream { key, rows, states: rest.bytes(len)? })
    })
}

/// Some of the streams of a block, the same ones of every block: one part of so many.
pub(super) fn part(block: &[u8], part: u64, parts: u64) -> Vec<u8> {
    let mut some = Vec::new();
    for stream in streams(block).filter(|stream| u64::from(crc32fast::hash(stream.key)) % parts == part) {
        for bytes in [stream.key, stream.rows, stream.states] {
            number(&mut some, bytes.len() as u64);
            some.extend_from_slice(bytes);
        }
    }
    some
}

impl<'a> Stream<'a> {
    /// The rows: the index of each window in its block, and its state.
    #[inline]
    pub(super) fn rows(&self) -> impl Iterator<Item = (u32, &'a [u8])> {
        let (mut rows, mut states) = (Cursor(self.rows), Cursor(self.states));
        let mut next = 0_u32;
        std::iter::from_fn(move || {
            // Most of both are small.
            let (gap, len) = if let [gap @ ..0x80, len @ ..0x80, rest @ ..] = rows.0 {
                rows.0 = rest;
                (u32::from(*gap), u64::from(*len))
            } else {
                (u32::try_from(rows.number()?).ok()?, rows.number()?)
            };
            let index = next.checked_add(gap)?;
            // Behind the last of all numbers there is no other.
            next = index.saturating_add(1);
            Some((index, states.bytes(len)?))
        })
    }
}

/// Puts a block together, stream by stream.
#[derive(Default, Debug)]
pub(super) struct Builder {
    block: Vec<u8>,
    rows: Vec<u8>,
    states: Vec<u8>,
    /// The index that would leave no gap.
    next: u32,
}

impl Builder {
    pub(super) fn len(&self) -> usize {
        self.block.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.block.is_empty()
    }

    /// Rows of a stream come in ascending order.
    pub(super) fn row(&mut self, index: u32, state: &[u8]) {
        number(&mut self.rows, u64::from(index.saturating_sub(self.next)));
        number(&mut self.rows, state.len() as u64);
        self.states.extend_from_slice(state);
        self.next = index + 1;
    }

    /// The rows so far are of this stream.
    pub(super) fn stream(&mut self, key: &[u8]) {
        if !self.rows.is_empty() {
            for part in [key, &self.rows, &self.states] {
                number(&mut self.block, part.len() as u64);
                self.block.extend_from_slice(part);
            }
        }
        self.rows.clear();
        self.states.clear();
        self.next = 0;
    }

    /// What stands there, and begins again.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_however_long_its_texts_are() {
        for len in [0, 1, 100, 127, 128, 129, 255, 300, 16_452, 20_000] {
            for text in ["x", "ü", "€"] {
                let long = text.repeat(len / text.len());
                let tags = TagSet::from_iter([("a", &*long), ("ü", "1"), ("z", "")]);
                for unit in [Unit::NONE, Unit::MILLISECONDS] {
                    let bytes = key(Kind::Sample, unit, &tags);
                    let read = Key::of(&bytes).unwrap();
                    assert_eq!((read.kind, read.unit), (Kind::Sample, unit.as_str()));
                    assert_eq!(read.tags, tags.iter().collect::<Vec<_>>(), "{len} of {text}");
                    for cut in 0..bytes.len().min(200) {
                        let cut = Key::of(&bytes[..cut]);
                        assert!(cut.is_none_or(|cut| read.tags.starts_with(&cut.tags)));
                    }
                }
            }
        }
        // What is no text, and half of a letter.
        assert!(Key::of(&[0, 0, 1, b'a', 1, 0xFF]).is_none() && Key::of(&[0, 1, 0xC3, 0xBC]).is_none());
        assert!(Key::of(&[9, 0]).is_none() && Key::of(&[]).is_none());
    }

    #[test]
    fn a_block_is_read_as_it_was_written_and_no_cut_or_change_goes_by() {
        let mut builder = Builder::default();
        let tags = TagSet::from_iter([("dyno", "web.1"), ("code", "H12")]);
        let keys = [key(Kind::Count, Unit::NONE, &tags), key(Kind::Measure, Unit::MILLISECONDS, &TagSet::new())];
        for (key, indexes) in keys.iter().zip([[0, 1, 59], [7, 300, 70_000]]) {
            for index in indexes {
                builder.row(index, &[index as u8, 1, 2]);
            }
            builder.stream(key);
        }
        builder.stream(b"of no rows");
        let block = builder.take();
        let read: Vec<_> = streams(&block).map(|stream| (stream.key, stream.rows().collect::<Vec<_>>())).collect();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0], (&*keys[0], vec![(0, &[0, 1, 2][..]), (1, &[1, 1, 2]), (59, &[59, 1, 2])]));
        assert_eq!(read[1].1.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [7, 300, 70_000]);
        let known = Key::of(read[0].0).unwrap();
        assert_eq!(
            (known.kind, known.unit, known.tag("code"), known.tag("none")),
            (Kind::Count, "", Some("H12"), None)
        );
        let piece = pack(&block).unwrap();
        assert_eq!(unpack(&piece).as_deref(), Some(&*block));
        for at in 0..piece.len() {
            assert_ne!(unpack(&piece[..at]).as_deref(), Some(&*block), "cut at {at}");
            let mut other = piece.clone();
            other[at] ^= 0x55;
            assert!(unpack(&other).is_none_or(|read| read == block), "changed at {at}");
            let _ = streams(&piece[at..]).flat_map(|stream| stream.rows().collect::<Vec<_>>()).count();
        }
    }
}
