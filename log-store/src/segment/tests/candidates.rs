//! A block that holds a text is never left out; and those that do not mostly are.

use super::super::*;
use super::made::{Folder, Line, Lines, line, name, write};
use log_query::fold_into;
use proptest::prelude::*;

/// The texts of blocks, folded, message by message.
fn folded(blocks: &[Vec<Line>]) -> Vec<Vec<Vec<u8>>> {
    let fold = |line: &Line| {
        let mut out = Vec::new();
        fold_into(&line.text, &mut out);
        out
    };
    blocks.iter().map(|lines| lines.iter().map(fold).collect()).collect()
}

fn segment(folder: &Folder, blocks: &[Vec<Line>]) -> Segment {
    let mut writer = SegmentWriter::create(folder.path()).unwrap();
    for lines in blocks {
        writer.push_block("a", &Lines::of(lines).view(), name).unwrap();
    }
    writer.finish().unwrap()
}

fn numbered(blocks: Vec<Vec<Vec<u8>>>) -> Vec<Vec<Line>> {
    let mut id = 0;
    let mut numbered = |text| {
        id += 256;
        Line { id, text, ..Line::default() }
    };
    blocks.into_iter().map(|lines| lines.into_iter().map(&mut numbered).collect()).collect()
}

fn holds(block: &[Vec<u8>], needle: &[u8]) -> bool {
    block.iter().any(|text| memchr::memmem::find(text, needle).is_some())
}

/// Texts of words in either case, colours, numbers, and bytes of any kind.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[a-zA-Z]{1,8}[ =./]".prop_map(String::into_bytes),
        2 => "[0-9a-f]{8}-[0-9]{1,4}".prop_map(String::into_bytes),
        1 => "\u{1b}\\[[0-9;]{0,4}m?".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_block_that_holds_the_needle_is_left_out(
        blocks in proptest::collection::vec(proptest::collection::vec(message(), 1..8), 1..80),
        picks in proptest::collection::vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), 0..40_usize), 20),
        random in proptest::collection::vec(any::<u8>(), 0..8),
    ) {
        let folder = Folder::new();
        let blocks = numbered(blocks);
        let segment = segment(&folder, &blocks);
        let texts = folded(&blocks);
        let all: Vec<&Vec<u8>> = texts.iter().flatten().collect();
        let cut = |(text, start, length): &(proptest::sample::Index, proptest::sample::Index, usize)| {
            let text = text.get(&all);
            let start = if text.is_empty() { 0 } else { start.index(text.len()) };
            text[start..(start + length).min(text.len())].to_vec()
        };
        for needle in picks.iter().map(cut).chain([random]) {
            let mut within = Bitmap::all(blocks.len());
            prop_assert_eq!(segment.candidates(&needle, &mut within), Ok(()));
            for (at, block) in texts.iter().enumerate() {
                let truth = holds(block, &needle);
                prop_assert!(within.get(at) || !truth, "{:?} in block {at}", needle);
                // Three bytes are decided, unless a block has too many trigrams, which these have not.
                prop_assert!(needle.len() != 3 || within.get(at) == truth, "{:?} in block {at}", needle);
            }
            // What was out stays out.
            let mut none = Bitmap::none(blocks.len());
            prop_assert_eq!(segment.candidates(&needle, &mut none), Ok(()));
            prop_assert!(none.is_empty());
        }
    }
}

#[test]
fn a_needle_over_two_messages_is_in_none() {
    let folder = Folder::new();
    let segment = write(&folder, &[("a", vec![line(1, "one tw"), line(2, "o three"), line(3, "")])]);
    for needle in [&b"two"[..], b"one two", b"w\0o", b"tw\0o th", b"\0"] {
        let mut within = Bitmap::all(1);
        segment.candidates(needle, &mut within).unwrap();
        assert_eq!(within.is_empty(), needle.len() > 2, "{needle:?}");
    }
    for needle in [&b""[..], b"o", b"o three", b"one tw", b"three"] {
        let mut within = Bitmap::all(1);
        segment.candidates(needle, &mut within).unwrap();
        assert!(within.get(0), "{needle:?}");
    }
}

#[test]
fn colours_and_capitals_are_no_obstacle() {
    let folder = Folder::new();
    let segment = write(&folder, &[("a", vec![line(1, "\u{1b}[1;31mERR\u{1b}[0mOR: \u{c4}ther \u{1b}[9 x")])]);
    for needle in ["error", "error: ", "rror: \u{c4}ther", "\u{1b}[9 x"] {
        let mut within = Bitmap::all(1);
        segment.candidates(needle.as_bytes(), &mut within).unwrap();
        assert!(within.get(0), "{needle}");
    }
    for needle in ["err\u{1b}[0mor", "[0m", "ERR"] {
        let mut within = Bitmap::all(1);
        segment.candidates(needle.as_bytes(), &mut within).unwrap();
        assert!(!within.get(0), "{needle}");
    }
}

#[test]
fn random_bytes_make_no_table() {
    let folder = Folder::new();
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    let mut blocks = vec![vec![line(1, "needle in the first block")]];
    for id in 2..5 {
        blocks.push(vec![Line { id, text: (0..200_000).map(|_| noise()).collect(), ..Line::default() }]);
    }
    blocks.push(vec![line(9, "nothing")]);
    let segment = segment(&folder, &blocks);
    assert!(segment.file_len() < 3 * 200_000 + (1 << 17) / 2 + 5_000, "{}", segment.file_len());
    // The dense ones may hold any three bytes; the others are decided.
    for (needle, expected) in [("nee", vec![0, 1, 2, 3]), ("xyz", vec![1, 2, 3]), ("ing", vec![1, 2, 3, 4])] {
        let mut within = Bitmap::all(5);
        segment.candidates(needle.as_bytes(), &mut within).unwrap();
        assert!(within.iter().eq(expected), "{needle}");
    }
}

#[test]
fn a_segment_of_all_blocks_there_may_be() {
    let folder = Folder::new();
    let blocks: Vec<Vec<Line>> = (0..MAX_BLOCKS as u64)
        .map(|at| vec![line(at + 1, &format!("request {at:05} took {}ms", at * 7 % 100))])
        .collect();
    let segment = segment(&folder, &blocks);
    for at in [0, 1, 63, 64, 1_000, 4_095] {
        let mut within = Bitmap::all(MAX_BLOCKS);
        segment.candidates(format!("request {at:05} took").as_bytes(), &mut within).unwrap();
        assert!(within.get(at) && within.count() < 40, "{at}: {}", within.count());
    }
    let mut within = Bitmap::all(MAX_BLOCKS);
    segment.candidates(b"req", &mut within).unwrap();
    assert_eq!(within.count(), MAX_BLOCKS);
    assert_eq!(check(segment.path()).damage(), []);
    // One more is one too many.
    let mut writer = SegmentWriter::create(folder.path()).unwrap();
    for lines in &blocks {
        writer.push_block("a", &Lines::of(lines).view(), name).unwrap();
    }
    assert!(writer.push_block("a", &Lines::of(&[line(9_999, "x")]).view(), name).is_err());
}
