//! Reads all of a segment, and names what is wrong with it.

use super::trigrams::Entries;
use super::{Columns, Damage, DamageKind, Scratch, Segment, signatures};
use std::path::Path;

/// What reading all of a segment found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Report {
    lines: u64,
    damage: Vec<Damage>,
}

impl Report {
    /// Lines that can be read.
    pub(crate) const fn lines(&self) -> u64 {
        self.lines
    }

    /// Everything that is wrong; nothing if the file is as it was written.
    pub(crate) fn damage(&self) -> &[Damage] {
        &self.damage
    }
}

/// Reads all of a file: each block, each page of trigrams, each row of signatures.
pub(crate) fn check(path: &Path) -> Report {
    let mut report = Report::default();
    match Segment::open(path) {
        Ok(segment) => {
            blocks(&segment, &mut report);
            pages(&segment, &mut report);
        }
        Err(damage) => report.damage.push(damage),
    }
    report
}

fn blocks(segment: &Segment, report: &mut Report) {
    let mut scratch = match Scratch::new() {
        Ok(scratch) => scratch,
        Err(error) => return report.damage.push(Damage::read(segment.path(), &error, "a block")),
    };
    let (mut columns, mut text) = (Columns::default(), Vec::new());
    for (at, block) in segment.blocks().iter().enumerate() {
        let read = segment
            .columns(at, &mut scratch, &mut columns)
            .and_then(|()| segment.text(at, &mut scratch, &mut text))
            .and_then(|()| {
                // A message's end is where its length says; the byte there is 0, or the two were not written together.
                let ends = columns.ends().iter().all(|&end| text.get(end as usize) == Some(&0));
                let times = columns.generated().iter();
                let range = (times.clone().min().copied(), times.max().copied());
                let fits = ends && range == (Some(block.min_generated()), Some(block.max_generated()));
                let damage = Damage::new(segment.path(), DamageKind::Content, "the columns").in_block(at);
                if fits { Ok(()) } else { Err(damage) }
            });
        match read {
            Ok(()) => report.lines += u64::from(block.lines()),
            Err(damage) => report.damage.push(damage),
        }
    }
}

fn pages(segment: &Segment, report: &mut Report) {
    let (opened, path, mut bytes) = (&*segment.0, segment.path(), Vec::new());
    let mut last = None;
    for page in 0..opened.trigrams.pages() {
        match opened.trigrams.read_page(page, &opened.file, path, &mut bytes) {
            Ok(first) => {
                let mut entries = Entries::new(&bytes, first, opened.blocks.len());
                let fits = loop {
                    match entries.next(|_| {}, |_| true) {
                        Some(Some(trigram)) if last < Some(trigram) => last = Some(trigram),
                        Some(None) => break true,
                        _ => break false,
                    }
                };
                if !fits {
                    report.damage.push(Damage::new(path, DamageKind::Content, "a page of trigrams"));
                }
            }
            Err(damage) => report.damage.push(damage),
        }
    }
    for band in &opened.signatures.bands {
        for page in 0..(1 << band.log2) / band.rows_a_page() {
            if let Err(damage) = signatures::read_page(band, page, &opened.file, path, &mut bytes) {
                report.damage.push(damage);
            }
        }
    }
}
