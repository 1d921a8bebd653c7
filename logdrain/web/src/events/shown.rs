//! What was found, as the page shows it.

use super::address::{Ask, At};
use super::bars::Counts;
use super::fields::Fields;
use super::line::Line;
use log_store::EventId;
use std::ops::Range;

/// What stands above the first line or below the last one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Edge {
    /// Nothing: there is no line beyond.
    End,
    /// Lines that were not asked for, as far as anybody looked.
    More(At),
    /// The time was over: from here on nobody has looked.
    Stopped(At, EventId),
    /// The range that was asked for begins or ends there.
    Border(EventId),
}

/// Something that was assumed when the query was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Note {
    /// The bytes of the query that it is about.
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

impl Note {
    /// People count characters, from one.
    pub(super) fn new(query: &str, note: &log_query::Note) -> Self {
        let range = note.range();
        let character = query.get(..range.start).map_or(0, |before| before.chars().count()) + 1;
        let text =
            note.to_string().replacen(&format!("at byte {}", range.start), &format!("at character {character}"), 1);
        Self { range, text }
    }
}

/// All that the page shows of lines.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) ask: Ask,
    pub(super) notes: Vec<Note>,
    /// The query in words.
    pub(super) explained: String,
    pub(super) lines: Vec<Line>,
    /// What the line in the middle says.
    pub(super) fields: Option<Fields>,
    pub(super) counts: Option<Counts>,
    pub(super) above: Edge,
    pub(super) below: Edge,
    /// What follows these lines comes behind this id, if they end with the newest.
    pub(super) live: Option<EventId>,
    /// Blocks that are damaged, so that nobody could look into them.
    pub(super) damaged: u64,
    /// Whether there is no line at all, of any text.
    pub(super) is_empty: bool,
}
