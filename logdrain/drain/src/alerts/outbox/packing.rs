//! Messages as they are kept: packed JSON, not longer than what can be sent.

use super::OutboxError;
use crate::alerts::told::{Facts, Told};

/// The most bytes of a message before it is packed.
const UNPACKED: usize = 6 << 20;

pub(super) fn pack(told: &Told) -> Result<Vec<u8>, OutboxError> {
    let written = |told: &Told| {
        serde_json::to_vec(told).map_err(|error| OutboxError::new(&format!("a message cannot be written: {error}")))
    };
    let mut text = written(told)?;
    if text.len() > UNPACKED {
        let mut shorter = told.clone();
        shorter.shorten();
        text = written(&shorter)?;
        if text.len() > UNPACKED {
            // What is told is told, though nothing of what it is about.
            shorter.facts = Facts::Nothing;
            text = written(&shorter)?;
        }
    }
    zstd::bulk::compress(&text, 1).map_err(|error| OutboxError::new(&format!("a message cannot be packed: {error}")))
}

pub(super) fn unpack(body: &[u8]) -> Option<Told> {
    serde_json::from_slice(&zstd::bulk::decompress(body, UNPACKED).ok()?).ok()
}
