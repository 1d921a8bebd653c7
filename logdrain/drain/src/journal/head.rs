//! The first hundred bytes of the file, before SQLite goes by them: with some of them changed it refuses the file for good,
//! or reads it by the wrong rules and finds every event damaged.

use super::failure::StoreError;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Whether the head is one that SQLite wrote for us. A file that is not there, or shorter, is for SQLite to judge.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    let mut head = [0; 100];
    if !File::open(path).is_ok_and(|mut file| file.read_exact(&mut head).is_ok()) {
        return Ok(());
    }
    match fault(&head) {
        Some(what) => Err(StoreError::Broken(format!("{what} in the head of its file cannot be right"))),
        None => Ok(()),
    }
}

/// Source: <https://www.sqlite.org/fileformat2.html>, 1.3.
fn fault(head: &[u8; 100]) -> Option<&'static str> {
    let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let size = u16::from_be_bytes([head[16], head[17]]);
    if head[..16] != *b"SQLite format 3\0" {
        return Some("the name of the format");
    }
    if size != 1 && !(size.is_power_of_two() && size >= 512) {
        return Some("the length of pages");
    }
    if !(1..=2).contains(&head[18]) || !(1..=2).contains(&head[19]) {
        return Some("the way of writing");
    }
    if head[20] != 0 || head[21..24] != [64, 32, 32] {
        return Some("the room on pages");
    }
    if word(44) > 4 {
        return Some("the format of tables");
    }
    if word(56) > 1 {
        return Some("the encoding of text");
    }
    None
}
