//! Places of pages that are being built, and of those that are on their way.

use super::fair::Places;
use super::turns::Turns;
use logdrain_drain::intake::UNIT;

/// What building a page takes: what it is made of, its text while that grows, and its compressed form.
pub const ROOM: usize = 6 << 20;
/// What all pages take at a time.
pub const MOST: usize = 4 * ROOM;

/// Who may build a page now, and the memory of those that are on their way.
#[derive(Debug)]
pub struct Pages {
    pub(super) turns: Turns,
    pub(super) memory: Places,
}

impl Pages {
    pub fn new() -> Self {
        Self { turns: Turns::new(), memory: Places::new(MOST / UNIT, (MOST - ROOM) / UNIT) }
    }
}
