//! Merging and splitting: the same lines, and the same answers.

use super::super::*;
use super::made::{Folder, Line, Lines, lines_of, merge, name, write};

fn made(count: u64, first: u64, word: &str) -> Vec<Line> {
    (0..count)
        .map(|at| Line {
            id: first + at * 256,
            generated: at as i64,
            sender: (at % 5 + first % 7) as u32,
            source: (at % 3 == 0).then(|| [10, 0, 0, at as u8].into()),
            text: format!("{word} request {:x} took {}ms", (first + at).wrapping_mul(0x9e37_79b9_7f4a_7c15), at % 97)
                .into(),
        })
        .collect()
}

/// Segments of the same store, each written by blocks of its own size.
fn parts(folder: &Folder) -> Vec<Segment> {
    let mut parts = Vec::new();
    for part in 0..9_u64 {
        let mut writer = SegmentWriter::create(folder.path()).unwrap();
        for (number, account) in ["loud", "quiet", "third"].into_iter().enumerate() {
            if part % 3 == number as u64 && part != 0 {
                continue;
            }
            let size = [3_000, 40, 1][number];
            for block in 0..[4, 1, 2][number] {
                let first = part * 100_000_000 + block * 10_000_000 + number as u64;
                let lines = made(size, first, &format!("{account}{part}{block}"));
                writer.push_block(account, &Lines::of(&lines).view(), name).unwrap();
            }
        }
        parts.push(writer.finish().unwrap());
    }
    parts
}

fn holding(segments: &[Segment], needle: &[u8], account: Option<&str>) -> Vec<u64> {
    let mut ids = Vec::new();
    for segment in segments {
        let mut within = Bitmap::all(segment.blocks().len());
        segment.candidates(needle, &mut within).unwrap();
        ids.extend(within.iter().map(|block| &segment.blocks()[block]).filter_map(|block| {
            let name = segment.accounts()[block.account as usize].name();
            account.is_none_or(|account| account == name).then_some(block.first_id())
        }));
    }
    ids.sort_unstable();
    ids
}

const NEEDLES: [&[u8]; 9] =
    [b"loud", b"loud30", b"quiet", b"quiet80 request", b"third", b"req", b"took 9", b"zebra", b"loud83 request 1"];

#[test]
fn a_merge_has_all_lines_and_skips_as_its_parts_do() {
    let (folder, target) = (Folder::new(), Folder::new());
    let parts = parts(&folder);
    let merged = merge(&parts, |_, _| true, target.path()).unwrap().unwrap();
    assert_eq!(check(merged.path()).damage(), []);
    assert_eq!(merged.accounts().iter().map(AccountEntry::name).collect::<Vec<_>>(), ["loud", "quiet", "third"]);
    let lines = lines_of(&merged);
    for (account, lines) in &lines {
        let of_parts: Vec<Line> =
            parts.iter().flat_map(lines_of).filter(|(name, _)| name == account).flat_map(|(_, lines)| lines).collect();
        assert_eq!(lines, &of_parts, "{account}");
    }
    for needle in NEEDLES {
        assert_eq!(holding(std::slice::from_ref(&merged), needle, None), holding(&parts, needle, None), "{needle:?}");
    }
    // Merged again, with itself alone, it is the same file.
    let again = Folder::new();
    let same = merge(std::slice::from_ref(&merged), |_, _| true, again.path()).unwrap().unwrap();
    assert_eq!(std::fs::read(same.path()).unwrap(), std::fs::read(merged.path()).unwrap());
}

#[test]
fn a_shared_segment_is_split_by_account() {
    let (folder, target) = (Folder::new(), Folder::new());
    let parts = parts(&folder);
    for account in ["loud", "quiet", "third"] {
        let of_account = |segment: &Segment, block: usize| {
            segment.accounts()[segment.blocks()[block].account as usize].name() == account
        };
        let split = merge(&parts, of_account, target.path()).unwrap().unwrap();
        assert_eq!(check(split.path()).damage(), []);
        assert!(split.accounts().len() == 1 && split.accounts()[0].name() == account);
        assert!(split.senders().iter().all(|sender| sender.account() == 0));
        for needle in NEEDLES {
            let of_parts = holding(&parts, needle, Some(account));
            assert_eq!(holding(std::slice::from_ref(&split), needle, None), of_parts, "{account} {needle:?}");
        }
    }
    assert!(merge(&parts, |_, _| false, target.path()).unwrap().is_none());
}

#[test]
fn parts_that_overlap_or_are_too_many_are_no_segment() {
    let (folder, other, target) = (Folder::new(), Folder::new(), Folder::new());
    let one = write(&folder, &[("a", made(10, 0, "one"))]);
    let two = write(&other, &[("a", made(10, 128, "two"))]);
    assert!(merge(&[one, two], |_, _| true, target.path()).is_err());
    assert_eq!(std::fs::read_dir(target.path()).unwrap().count(), 0);
}

#[test]
fn a_merge_of_damaged_parts_loses_no_line_that_can_be_read() {
    let (folder, target) = (Folder::new(), Folder::new());
    let lines = made(20, 0, "zebra");
    let one = write(&folder, &[("a", lines.clone())]);
    let two = write(&folder, &[("a", made(20, 1 << 30, "other"))]);
    let bytes = std::fs::read(one.path()).unwrap();
    for at in (0..bytes.len()).step_by(3) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        std::fs::write(one.path(), &flipped).unwrap();
        let Ok(damaged) = Segment::open(one.path()) else { continue };
        let merged = merge(&[damaged, two.clone()], |_, _| true, target.path()).unwrap().unwrap();
        let mut within = Bitmap::all(2);
        merged.candidates(b"zebra", &mut within).unwrap();
        merged.candidates(b"zeb", &mut within).unwrap();
        assert!(within.get(0), "byte {at}");
        let (mut scratch, mut columns, mut text) = (Scratch::new().unwrap(), Columns::default(), Vec::new());
        let read = merged.columns(0, &mut scratch, &mut columns).and_then(|()| merged.text(0, &mut scratch, &mut text));
        match read {
            Ok(()) => assert_eq!(text[columns.message(19)], lines[19].text[..], "byte {at}"),
            Err(damage) => assert_eq!(check(merged.path()).damage(), [damage], "byte {at}"),
        }
        std::fs::remove_file(merged.path()).unwrap();
    }
}
