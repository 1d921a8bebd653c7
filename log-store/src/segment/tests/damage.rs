//! A file that is not as it was written is refused, or what is wrong with it is named. It never gives other lines, and never
//! hides one.

use super::super::*;
use super::made::{Folder, Line, Lines, line, merge, name};
use std::path::Path;

/// Two accounts, three blocks, a colour, an address, and its bytes.
fn small(folder: &Folder) -> (Vec<Vec<Line>>, Vec<u8>, String) {
    let blocks = vec![
        vec![line(256, "GET /cart \u{1b}[31mstatus=500\u{1b}[0m"), line(512, "")],
        vec![Line { source: Some([10, 1, 2, 3].into()), sender: 3, ..line(768, "zebra crossing") }],
        vec![line(300, "another account's lines"), Line { sender: 1, ..line(400, "zebra again") }],
    ];
    let mut writer = SegmentWriter::create(folder.path()).unwrap();
    for (account, lines) in ["a", "a", "b"].into_iter().zip(&blocks) {
        writer.push_block(account, &Lines::of(lines).view(), name).unwrap();
    }
    let segment = writer.finish().unwrap();
    assert_eq!(check(segment.path()), check(segment.path()));
    assert!(check(segment.path()).damage().is_empty() && check(segment.path()).lines() == 5);
    let bytes = std::fs::read(segment.path()).unwrap();
    let name = segment.path().file_name().unwrap().to_str().unwrap().to_owned();
    (blocks, bytes, name)
}

/// Reads everything there is to read, and holds it against what was written. Whether all of it was read.
fn is_never_wrong(path: &Path, blocks: &[Vec<Line>], what: &str) -> bool {
    let report = check(path);
    let Ok(segment) = Segment::open(path) else {
        assert_eq!(report.damage().len(), 1, "{what}");
        return false;
    };
    let mut scratch = Scratch::new().unwrap();
    let (mut columns, mut text) = (Columns::default(), Vec::new());
    assert_eq!(segment.blocks().len(), blocks.len(), "{what}");
    let mut whole = true;
    for (at, lines) in blocks.iter().enumerate() {
        let read = segment.columns(at, &mut scratch, &mut columns);
        let read = read.and_then(|()| segment.text(at, &mut scratch, &mut text));
        if let Err(damage) = read {
            assert_eq!((damage.block(), damage.file()), (Some(at as u32), path), "{what}");
            assert!(report.damage().contains(&damage), "{what}: {damage}");
            whole = false;
            continue;
        }
        assert_eq!(columns.lines(), lines.len(), "{what}");
        for (at, line) in lines.iter().enumerate() {
            let sender = &segment.senders()[columns.senders()[at] as usize];
            assert_eq!(text[columns.message(at)], line.text[..], "{what}");
            assert_eq!((columns.ids()[at], columns.generated()[at]), (line.id, line.generated), "{what}");
            assert_eq!((columns.source(at), sender.name()), (line.source, name(line.sender).unwrap()), "{what}");
        }
    }
    for (needle, held) in
        [(&b"zebra"[..], [1, 2]), (b"status=500", [0, 0]), (b"zeb", [1, 2]), (b"another account", [2, 2])]
    {
        let mut within = Bitmap::all(blocks.len());
        whole &= segment.candidates(needle, &mut within).is_ok();
        assert!(held.iter().all(|&block| within.get(block)), "{what}");
    }
    assert!(whole || !report.damage().is_empty(), "{what}");
    whole
}

#[test]
fn a_flip_of_every_byte_is_named_and_nothing_is_wrong() {
    let folder = Folder::new();
    let (blocks, bytes, file) = small(&folder);
    let path = folder.path().join(file);
    assert!(is_never_wrong(&path, &blocks, "as written"));
    for at in 0..bytes.len() {
        for pattern in [0xff, 1, 0x80] {
            let mut flipped = bytes.clone();
            flipped[at] ^= pattern;
            std::fs::write(&path, &flipped).unwrap();
            let what = format!("byte {at} of {}, {pattern:#x}", bytes.len());
            is_never_wrong(&path, &blocks, &what);
            assert!(!check(&path).damage().is_empty(), "{what}");
        }
    }
}

#[test]
fn truncation_at_every_byte_is_refused() {
    let folder = Folder::new();
    let (_, bytes, file) = small(&folder);
    let path = folder.path().join(file);
    for length in 0..bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert!(Segment::open(&path).is_err(), "{length}");
        assert_eq!(check(&path).damage().len(), 1);
    }
    let longer = [&bytes[..], b"\0"].concat();
    std::fs::write(&path, longer).unwrap();
    assert_eq!(Segment::open(&path).unwrap_err().kind(), DamageKind::Length);
}

#[test]
fn a_file_that_shrinks_under_a_reader_is_named() {
    let folder = Folder::new();
    let (blocks, bytes, file) = small(&folder);
    let path = folder.path().join(file);
    let segment = Segment::open(&path).unwrap();
    std::fs::write(&path, &bytes[..9]).unwrap();
    let (mut scratch, mut columns) = (Scratch::new().unwrap(), Columns::default());
    for block in 0..blocks.len() {
        let damage = segment.columns(block, &mut scratch, &mut columns).unwrap_err();
        assert_eq!((damage.block(), damage.kind()), (Some(block as u32), DamageKind::Length));
    }
    let mut within = Bitmap::all(3);
    assert!(segment.candidates(b"zebra", &mut within).is_err());
    assert_eq!(within.count(), 3);
}

#[test]
fn another_name_and_another_version_are_refused_by_name() {
    let folder = Folder::new();
    let (_, bytes, file) = small(&folder);
    let wrong = folder.path().join(file_name(1, 2));
    std::fs::write(&wrong, &bytes).unwrap();
    let damage = Segment::open(&wrong).unwrap_err();
    assert_eq!(damage.kind(), DamageKind::Name);
    assert!(damage.to_string().ends_with("the range of ids does not fit the file's name"), "{damage}");

    let path = folder.path().join(file);
    let mut newer = bytes.clone();
    newer[7] = 2;
    std::fs::write(&path, newer).unwrap();
    let damage = Segment::open(&path).unwrap_err();
    assert_eq!(damage.kind(), DamageKind::Unknown(2));
    assert!(damage.to_string().ends_with("the version 2 is not known; a newer version wrote it"), "{damage}");

    let missing = Segment::open(&folder.path().join(file_name(5, 6))).unwrap_err();
    assert_eq!(missing.kind(), DamageKind::Read(std::io::ErrorKind::NotFound));
}

/// A file whose parts were changed, with checksums that fit: what only someone who wants to can write.
fn forged(bytes: &[u8], at: usize, to: u8) -> Option<Vec<u8>> {
    let length = u32::from_le_bytes(*bytes[bytes.len() - 16..].first_chunk()?) as usize;
    let footer_at = bytes.len() - 16 - length;
    let mut forged = bytes.to_vec();
    forged[at] = to;
    let number = |offset: usize| u64::from_le_bytes(*forged[footer_at + offset..].first_chunk().unwrap()) as usize;
    let from = |start: usize, length: usize| start..start.saturating_add(length);
    let dictionary = from(number(16), number(24));
    let index = from(dictionary.end, number(36));
    let list = from(from(index.end, number(60)).end, number(48));
    for (part, crc_at) in [(dictionary, 32), (index, 44), (list, 56)] {
        let crc = crc32fast::hash(forged.get(part)?);
        forged[footer_at + crc_at..footer_at + crc_at + 4].copy_from_slice(&crc.to_le_bytes());
    }
    let mut crc = crc32fast::Hasher::new();
    crc.update(&forged[footer_at..footer_at + length]);
    crc.update(&(length as u32).to_le_bytes());
    let end = forged.len() - 12;
    forged[end..end + 4].copy_from_slice(&crc.finalize().to_le_bytes());
    Some(forged)
}

#[test]
fn a_block_of_another_kind_is_refused_by_name_and_costs_itself_alone() {
    let folder = Folder::new();
    let (blocks, bytes, file) = small(&folder);
    let path = folder.path().join(file);
    let index = Segment::open(&path).unwrap().0.footer.index.offset as usize;
    assert_eq!(bytes[index], index::KIND_TEXT);
    for kind in [1, 7, 255] {
        std::fs::write(&path, forged(&bytes, index, kind).unwrap()).unwrap();
        assert!(!is_never_wrong(&path, &blocks, "another kind"));
        let report = check(&path);
        let [damage] = report.damage() else { panic!("{:?}", report.damage()) };
        assert_eq!((damage.kind(), damage.block()), (DamageKind::Unknown(kind), Some(0)));
        let says = format!("block 0: the kind {kind} is not known; a newer version wrote it");
        assert!(damage.to_string().ends_with(&says), "{damage}");
        assert_eq!(report.lines(), 3, "those of the other two blocks");
        // A merge does not drop what it does not understand without a word.
        let segment = Segment::open(&path).unwrap();
        let target = Folder::new();
        let merged = merge(&[segment], |_, _| true, target.path()).unwrap().unwrap();
        assert_eq!(check(merged.path()).damage().first().map(Damage::kind), Some(DamageKind::Unknown(kind)));
    }
}

#[test]
fn checksums_that_fit_do_not_make_a_reader_panic_or_take_memory() {
    let folder = Folder::new();
    let (blocks, bytes, file) = small(&folder);
    let path = folder.path().join(file);
    let segment = Segment::open(&path).unwrap();
    let parts = segment.0.footer.dictionary.offset as usize;
    let (mut scratch, mut columns, mut text) = (Scratch::new().unwrap(), Columns::default(), Vec::new());
    for at in parts..bytes.len() - 16 {
        for to in [0, 1, 0x7f, 0x80, 0xff, bytes[at] ^ 1, bytes[at].wrapping_add(1)] {
            let Some(forged) = forged(&bytes, at, to) else { continue };
            std::fs::write(&path, &forged).unwrap();
            let Ok(segment) = Segment::open(&path) else { continue };
            assert!(segment.blocks().len() <= blocks.len() && segment.memory() < 100_000, "byte {at}: {to}");
            for block in 0..segment.blocks().len() {
                let read = segment.columns(block, &mut scratch, &mut columns);
                if read.and_then(|()| segment.text(block, &mut scratch, &mut text)).is_ok() {
                    assert!((0..columns.lines()).all(|line| text.get(columns.message(line)).is_some()));
                    assert!(columns.senders().iter().all(|&sender| segment.senders().get(sender as usize).is_some()));
                }
            }
            for needle in [&b"zebra"[..], b"zeb", b"status=500"] {
                let _ = segment.candidates(needle, &mut Bitmap::all(segment.blocks().len()));
            }
            let _ = check(&path);
        }
    }
    assert!(text.capacity() <= 1 << 20 && columns.memory() < 1 << 20);
}
