//! Which blocks hold a trigram, exactly.
use super::bitmap::Bitmap;
use super::damage::Damage;
use super::file::ReadAt;
use super::index::BlockEntry;
use std::ops::Range;
use std::path::Path;

#[derive(Debug)]
pub(super) struct Trigrams {
    pages: Range<u64>,
}

impl Trigrams {
    pub(super) fn open(_directory: &[u8], pages: Range<u64>, _blocks: &[BlockEntry]) -> Option<Self> {
        Some(Self { pages })
    }

    pub(super) fn memory(&self) -> usize {
        0
    }

    pub(super) fn candidates(
        &self,
        _needle: &[u8],
        _within: &mut Bitmap,
        _file: &ReadAt,
        _path: &Path,
    ) -> Result<(), Damage> {
        Ok(())
    }
}
