//! What leaves in one delivery: frames, and what a right reader observes in them.

use crate::streams::Observed;

/// Frames that leave together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    pub(crate) frames: Vec<u8>,
    pub(crate) messages: u64,
    pub(crate) observed: Vec<Observed>,
    /// Event time of the first frame, microseconds since 1970.
    pub(crate) first: i64,
}

/// What is odd about the frames of a batch.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Oddities {
    /// Some messages end without LF, so that the next length follows at once.
    pub(crate) glued: bool,
    /// One frame is beyond any usual limit.
    pub(crate) oversize: bool,
    /// Some messages are not UTF-8.
    pub(crate) invalid: bool,
}
