//! What the kept minutes tell of themselves.

use std::sync::atomic::{AtomicBool, AtomicU64};

/// What is counted of them.
#[derive(Default, Debug)]
pub struct Counts {
    /// Rows that were written.
    pub rows: AtomicU64,
    /// Tries to write that failed.
    pub failures: AtomicU64,
    /// What the file takes, or what all of them take in the database of nodes.
    pub bytes: AtomicU64,
    /// They cannot be written now.
    pub is_failing: AtomicBool,
}
