//! Places of pages that are being built, and of those that are on their way.

use super::turns::Turns;
use crate::serve::intake::UNIT;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What building a page takes: what it is made of, its text while that grows, and its compressed form.
pub(crate) const ROOM: usize = 6 << 20;
/// What all pages take at a time.
pub(crate) const MOST: usize = 4 * ROOM;

/// Who may build a page now, and the memory of those that are on their way.
#[derive(Debug)]
pub(crate) struct Pages {
    pub(super) turns: Turns,
    pub(super) memory: Arc<Semaphore>,
}

impl Pages {
    pub(crate) fn new() -> Self {
        Self { turns: Turns::new(), memory: Arc::new(Semaphore::new(MOST / UNIT)) }
    }
}
