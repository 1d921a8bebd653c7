//! How full the blocks of a file are: what it comes to when it is merged with others.

use super::{BLOCK_TEXT, BlockEntry, MAX_BLOCKS};

/// A full block, in the parts that are counted.
const FULL: u64 = 1 << 10;
/// Lines and senders at which a block counts as full, whatever their text.
const FULL_LINES: u64 = 1 << 14;
const FULL_SENDERS: u64 = 1 << 10;

/// How full the blocks of a file are.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Fill {
    blocks: u64,
    /// What they hold, in 1,024ths of a full block.
    held: u64,
}

impl Fill {
    pub(super) fn of(blocks: &[BlockEntry]) -> Self {
        let mut fill = Self { blocks: blocks.len() as u64, held: 0 };
        for block in blocks {
            let text = u64::from(block.text.length) * FULL / BLOCK_TEXT as u64;
            let lines = u64::from(block.lines) * FULL / FULL_LINES;
            let senders = block.senders.len() as u64 * FULL / FULL_SENDERS;
            let held = text.max(lines).max(senders).min(FULL);
            // From a quarter on it may hold one long message, and go with no other.
            fill.held += if held >= FULL / 4 { FULL } else { held };
        }
        fill
    }

    /// Blocks, and what they hold, for a note.
    pub(super) const fn parts(self) -> (u64, u64) {
        (self.blocks, self.held)
    }

    /// The same back; `None` if no file can be so.
    pub(super) fn from_parts(blocks: u64, held: u64) -> Option<Self> {
        (blocks <= MAX_BLOCKS as u64 && held <= FULL * blocks).then_some(Self { blocks, held })
    }

    /// Nothing is won by cutting them anew.
    pub(crate) const fn is_full(self) -> bool {
        2 * self.held >= FULL * self.blocks
    }

    /// Blocks that its lines come to in a file with others, about; one that each account has anyhow is not counted.
    pub(crate) fn merged(self) -> u64 {
        // Cut anew, any two neighbours are more than full.
        self.blocks.min(3 * self.held / FULL)
    }
}
