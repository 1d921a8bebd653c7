//! What became of each object, as it is printed.

use super::notes::Notes;
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::Failure;
use std::io::{self, Write};

/// What became of something that could be carried over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Made,
    /// In place of one that was different.
    Replaced,
    There,
    /// One is there, and different.
    Left,
}

/// Prints as it goes, and counts.
#[derive(Debug)]
pub(super) struct Told {
    is_dry: bool,
    counts: [usize; 4],
    lost: usize,
    changed: usize,
}

impl Told {
    pub(super) const fn new(is_dry: bool) -> Self {
        Self { is_dry, counts: [0; 4], lost: 0, changed: 0 }
    }

    pub(super) fn fate(&mut self, kind: &str, name: &str, fate: Fate) -> Result<(), Failure> {
        self.counts[fate as usize] += 1;
        let what = match (fate, self.is_dry) {
            (Fate::Made, false) => "made",
            (Fate::Made, true) => "would be made",
            (Fate::Replaced, false) => "put in place of the one that was there",
            (Fate::Replaced, true) => "would be put in place of the one that is there",
            (Fate::There, _) => "is there already",
            (Fate::Left, _) => "is there, and different: left as it is (--replace puts this one in its place)",
        };
        line(kind, name, what)
    }

    pub(super) fn lost(&mut self, kind: &str, name: &str, why: &str) -> Result<(), Failure> {
        self.lost += 1;
        line(kind, name, &format!("not carried over: {why}"))
    }

    /// Prints what was not carried over as it was, and how much of all there is. Whether anything was lost.
    pub(super) fn end(mut self, notes: &Notes, others: impl Iterator<Item = (String, usize)>) -> Result<bool, Failure> {
        for note in &notes.all {
            if note.is_lost {
                self.lost(note.kind, &note.name, &note.why)?;
            } else {
                self.changed += 1;
                line(note.kind, &note.name, &note.why)?;
            }
        }
        let mut out = io::stdout().lock();
        for said in notes.keys() {
            writeln!(out, "{}", Escaped(&said)).map_err(Failure::Write)?;
        }
        for (name, count) in others {
            writeln!(out, "{}: {count} in the export, and nothing here is like them", Escaped(&name))
                .map_err(Failure::Write)?;
        }
        let [made, replaced, there, left] = self.counts;
        let would = if self.is_dry { "would be " } else { "" };
        let (lost, changed) = (self.lost, self.changed);
        let counts = [
            (made, format!("{would}made")),
            (replaced, format!("{would}replaced")),
            (there, "there already".to_owned()),
            (left, "different, and left".to_owned()),
            (lost, "not carried over".to_owned()),
            (changed, "to be looked at".to_owned()),
        ];
        let counts: Vec<_> =
            counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        let said = if counts.is_empty() { "nothing to do".to_owned() } else { counts.join(", ") };
        writeln!(out, "{said}").map_err(Failure::Write)?;
        Ok(lost > 0)
    }
}

fn line(kind: &str, name: &str, what: &str) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{kind:<9}  {}: {}", Escaped(name), Escaped(what)).map_err(Failure::Write)
}
