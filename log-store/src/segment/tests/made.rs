//! Lines, folders and segments for tests.

use super::super::*;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A sender whose name no one knows.
pub(in super::super) const UNKNOWN: u32 = 1 << 20;

/// An empty folder, gone in the end.
pub(in super::super) struct Folder(PathBuf);

impl Folder {
    pub(in super::super) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("log-store-segment-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(in super::super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in super::super) struct Line {
    pub(in super::super) id: u64,
    pub(in super::super) generated: i64,
    pub(in super::super) sender: u32,
    pub(in super::super) source: Option<IpAddr>,
    pub(in super::super) text: Vec<u8>,
}

pub(in super::super) fn line(id: u64, text: &str) -> Line {
    Line { id, generated: id as i64 / 2, text: text.into(), ..Line::default() }
}

/// Lines as columns.
#[derive(Default)]
pub(in super::super) struct Lines {
    ids: Vec<u64>,
    generated: Vec<i64>,
    senders: Vec<u32>,
    sources: Vec<Option<IpAddr>>,
    lengths: Vec<u32>,
    text: Vec<u8>,
}

impl Lines {
    pub(in super::super) fn of(lines: &[Line]) -> Self {
        let mut all = Self::default();
        for line in lines {
            all.ids.push(line.id);
            all.generated.push(line.generated);
            all.senders.push(line.sender);
            all.sources.push(line.source);
            all.lengths.push(line.text.len() as u32);
            all.text.extend_from_slice(&line.text);
            all.text.push(0);
        }
        all
    }

    pub(in super::super) fn view(&self) -> BlockLines<'_> {
        BlockLines {
            ids: &self.ids,
            generated: &self.generated,
            senders: &self.senders,
            sources: &self.sources,
            lengths: &self.lengths,
            text: &self.text,
        }
    }
}

/// The name of a sender: systems and programs of numbers.
pub(in super::super) fn name(number: u32) -> Option<SenderName<'static>> {
    static NAMES: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    let names = NAMES.get_or_init(|| (0..100_000).map(|number| format!("App/web.{number}")).collect());
    let program = names.get(number as usize)?.as_bytes();
    Some(SenderName { system: b"shop", program, severity: (number % 9) as u8, facility: 16 })
}

/// How lines become blocks.
pub(in super::super) fn blocks(lines: &[Line]) -> Vec<&[Line]> {
    let (mut blocks, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (at, line) in lines.iter().enumerate() {
        let length = line.text.len() + 1;
        let full = bytes + length > BLOCK_TEXT || at - start == MAX_BLOCK_LINES || line.text.len() > LONG_MESSAGE;
        if at > start && (full || bytes > LONG_MESSAGE && at - start == 1) {
            blocks.push(&lines[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += length;
    }
    blocks.push(&lines[start..]);
    blocks
}

pub(in super::super) fn write(folder: &Folder, accounts: &[(&str, Vec<Line>)]) -> Segment {
    let mut writer = SegmentWriter::create(folder.path()).unwrap();
    for (account, lines) in accounts {
        for block in blocks(lines) {
            writer.push_block(account, &Lines::of(block).view(), name).unwrap();
        }
    }
    writer.finish().unwrap()
}

/// Merged, as a file of a folder.
pub(in super::super) fn merge(
    parts: &[Segment],
    keep: impl Fn(&Segment, usize) -> bool,
    folder: &Path,
) -> Result<Option<Segment>, Unmerged> {
    Ok(super::super::merge(parts, keep, folder)?.map(|whole| whole.rename().unwrap()))
}

/// All lines of all accounts, their senders numbered again as `name` does.
pub(in super::super) fn lines_of(segment: &Segment) -> Vec<(String, Vec<Line>)> {
    let mut scratch = Scratch::new().unwrap();
    let (mut columns, mut text) = (Columns::default(), Vec::new());
    let mut all = Vec::new();
    for account in segment.accounts() {
        let mut lines = Vec::new();
        for block in account.blocks() {
            segment.columns(block, &mut scratch, &mut columns).unwrap();
            segment.text(block, &mut scratch, &mut text).unwrap();
            for at in 0..columns.lines() {
                let range = columns.message(at);
                let line_at = |offset| columns.ends().partition_point(|&end| (end as usize) < offset);
                assert!((range.start..=range.end).all(|offset| line_at(offset) == at));
                let sender = &segment.senders()[columns.senders()[at] as usize];
                let number = std::str::from_utf8(sender.program()).unwrap().rsplit_once('.').unwrap().1;
                assert_eq!(sender.name(), name(number.parse().unwrap()).unwrap());
                lines.push(Line {
                    id: columns.ids()[at],
                    generated: columns.generated()[at],
                    sender: number.parse().unwrap(),
                    source: columns.source(at),
                    text: text[range].to_vec(),
                });
            }
        }
        all.push((account.name().to_owned(), lines));
    }
    all
}
