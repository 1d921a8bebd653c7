//! Lines to a segment and back.

mod candidates;
mod damage;
mod made;
mod merge;
mod returned;

use super::*;
use made::{Folder, Line, Lines, line, lines_of, write};

#[test]
fn what_was_written_is_read() {
    let folder = Folder::new();
    let mut lines = Vec::new();
    for at in 0..5_000_u64 {
        let mut made = line(at * 256, &format!("GET /users/{at} status=200 \u{1b}[31mRED\u{1b}[0m"));
        made.sender = (at % 7) as u32;
        made.generated = 1_700_000_000_000_000 + at as i64 * 137 - (at as i64 % 5) * 1_000_000;
        made.source = [None, Some([10, 0, 0, 1].into()), Some("fe80::1".parse().unwrap())][(at / 100) as usize % 3];
        lines.push(made);
    }
    let segment = write(&folder, &[("default", lines.clone())]);
    assert_eq!(lines_of(&segment), [("default".to_owned(), lines)]);
    let lines: u64 = segment.accounts().iter().map(AccountEntry::lines).sum();
    assert_eq!((segment.0.footer.first_id, segment.last_id(), lines), (0, 4_999 * 256, 5_000));
    assert!(segment.blocks().len() == 1 && segment.senders().len() == 7 && segment.memory() < 10_000);
    assert_eq!(segment.file_len(), std::fs::metadata(segment.path()).unwrap().len());
}

#[test]
fn any_bytes_are_a_message() {
    let folder = Folder::new();
    let texts: [&[u8]; 8] =
        [b"", b"\0", b"\0\0\0", b"\xff\xfe\x80", b"a\nb\r\n", &[b'x'; 65_536], b"", "\u{1f980} \u{e9}".as_bytes()];
    let lines: Vec<Line> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| Line { id: at as u64, text: text.to_vec(), ..Line::default() })
        .collect();
    let segment = write(&folder, &[("a", lines.clone())]);
    assert_eq!(lines_of(&segment), [("a".to_owned(), lines)]);
}

#[test]
fn ids_may_have_63_bits_and_times_64() {
    let folder = Folder::new();
    let ids = [0, 1, 255, 256, 1 << 40, (1 << 62) + 3, i64::MAX as u64 - 1, i64::MAX as u64];
    let times = [i64::MIN, i64::MAX, 0, -1, 1, i64::MAX, i64::MIN, 7];
    let lines: Vec<Line> =
        ids.iter().zip(times).map(|(&id, generated)| Line { id, generated, ..line(id, "x") }).collect();
    let segment = write(&folder, &[("a", lines.clone())]);
    assert_eq!(lines_of(&segment), [("a".to_owned(), lines)]);
    assert_eq!(segment.blocks()[0].min_generated(), i64::MIN);
    assert_eq!(segment.blocks()[0].max_generated(), i64::MAX);
    let minutes = segment.blocks()[0].minutes();
    assert_eq!(minutes.iter().map(|&(_, lines)| lines).sum::<u32>(), 8);
}

#[test]
fn more_senders_than_sixteen_bits() {
    let folder = Folder::new();
    let lines: Vec<Line> = (0..140_000).map(|at| Line { sender: at as u32 / 2, ..line(at * 256, "short") }).collect();
    let segment = write(&folder, &[("a", lines.clone())]);
    assert_eq!(segment.senders().len(), 70_000);
    assert_eq!(lines_of(&segment), [("a".to_owned(), lines)]);
    assert!(segment.blocks().iter().all(|block| block.lines() as usize <= MAX_BLOCK_LINES));
}

#[test]
fn accounts_with_the_same_names_stay_apart() {
    let folder = Folder::new();
    let ours: Vec<Line> = (0..100).map(|at| line(at * 512, "ours")).collect();
    let theirs: Vec<Line> = (0..50).map(|at| line(at * 512 + 256, "theirs")).collect();
    let segment = write(&folder, &[("ours", ours.clone()), ("theirs", theirs.clone())]);
    assert_eq!(segment.senders().len(), 2);
    assert_eq!(segment.senders()[0].system(), segment.senders()[1].system());
    for (number, account) in segment.accounts().iter().enumerate() {
        for block in account.blocks() {
            assert_eq!(segment.blocks()[block].account as usize, number);
            assert!(
                segment.blocks()[block]
                    .senders()
                    .iter()
                    .all(|&sender| { segment.senders()[sender as usize].account() as usize == number })
            );
        }
    }
    assert_eq!(lines_of(&segment), [("ours".to_owned(), ours), ("theirs".to_owned(), theirs)]);
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let folder = Folder::new();
    let mut writer = SegmentWriter::create(folder.path()).unwrap();
    let lines = Lines::of(&[line(1, "lost")]);
    writer.push_block("a", &lines.view(), made::name).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    drop(writer);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(SegmentWriter::create(folder.path()).unwrap().finish().is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_is_no_block_is_refused() {
    let folder = Folder::new();
    let long = "x".repeat(LONGEST_MESSAGE + 1);
    let wrong: [&[(&str, &[Line])]; 7] = [
        &[("a", &[])],
        &[("a", &[line(5, "x"), line(5, "y")])],
        &[("a", &[line(1 << 63, "x")])],
        &[("a", &[Line { sender: made::UNKNOWN, ..line(1, "x") }])],
        &[("a", &[line(1, &long)])],
        &[("a", &[line(5, "x")]), ("a", &[line(5, "x")])],
        &[("a", &[line(5, "x")]), ("b", &[line(1, "x")]), ("a", &[line(9, "x")])],
    ];
    for blocks in wrong {
        let mut writer = SegmentWriter::create(folder.path()).unwrap();
        let mut push = |account: &str, lines: &[Line]| {
            writer.push_block(account, &Lines::of(lines).view(), made::name).map_err(|error| error.kind())
        };
        let (last, before) = blocks.split_last().unwrap();
        before.iter().for_each(|(account, lines)| push(account, lines).unwrap());
        assert_eq!(push(last.0, last.1), Err(std::io::ErrorKind::InvalidInput));
        // Nothing more comes of it.
        assert!(push("c", &[line(1, "x")]).is_err());
        assert!(writer.finish().is_err());
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn names_of_files_say_their_ids() {
    assert_eq!(file_name(1, 0xabc), "0000000000000001-0000000000000abc.seg");
    assert_eq!(parse_file_name(&file_name(7, u64::MAX)), Some((7, u64::MAX)));
    for name in [
        "",
        "1-2.seg",
        "+000000000000001-0000000000000abc.seg",
        "0000000000000001-0000000000000ABC.seg",
        "0000000000000001-0000000000000abc.seg.tmp",
    ] {
        assert_eq!(parse_file_name(name), None, "{name}");
    }
}

#[test]
fn a_number_may_mean_another_sender_in_the_next_block() {
    let folder = Folder::new();
    let mut writer = SegmentWriter::create(folder.path()).unwrap();
    for (account, id, program) in [("a", 1, "one"), ("a", 2, "two"), ("a", 3, "one"), ("b", 4, "one")] {
        let name = SenderName { system: b"", program: program.as_bytes(), severity: 255, facility: 255 };
        writer.push_block(account, &Lines::of(&[line(id, "x")]).view(), |_| Some(name)).unwrap();
    }
    let segment = writer.finish().unwrap();
    let program = |block: &BlockEntry| segment.senders()[block.senders()[0] as usize].program().to_vec();
    assert!(segment.blocks().iter().map(program).eq([b"one", b"two", b"one", b"one"]));
    assert_eq!(segment.senders().len(), 3);
    assert!(segment.blocks().iter().all(|block| block.severities == 1 << 8));
}
