//! A drain body: every octet is accounted for, offsets point at what they say, and the incremental reader finds
//! the same in any pieces.
#![no_main]

use heroku_syslog::{FrameReader, Frames, FramingError, Limits, RawFrame, Recovery};
use libfuzzer_sys::fuzz_target;

#[derive(PartialEq, Debug)]
enum Item {
    Frame { offset: u64, wire_len: u64, message_offset: u64, bytes: Vec<u8>, repaired: bool },
    Error(FramingError),
}

#[derive(PartialEq, Debug)]
struct Walk {
    items: Vec<Item>,
    separators: u64,
    skipped: u64,
}

fuzz_target!(|body: &[u8]| {
    for limits in [Limits::new(), Limits::new().with_max_frame(96).with_max_skip(160)] {
        for recovery in [Recovery::Stop, Recovery::Resync] {
            let whole = whole(body, limits, recovery);
            accounted(body, &whole);
            if body.len() <= 512 {
                assert_eq!(pieces(body, limits, recovery, || 1), whole, "octet by octet");
            }
            let mut state =
                body.iter().fold(0x9e37_79b9_u32, |state, &octet| (state ^ u32::from(octet)).wrapping_mul(0x0100_0193));
            let random = pieces(body, limits, recovery, || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                1 + (state >> 24) as usize % 61
            });
            assert_eq!(random, whole, "in pieces");
        }
    }
});

fn item(item: Result<RawFrame<'_>, FramingError>) -> Item {
    match item {
        Ok(raw) => Item::Frame {
            offset: raw.offset(),
            wire_len: raw.wire_len(),
            message_offset: raw.message_offset(),
            bytes: raw.bytes().to_vec(),
            repaired: raw.is_repaired(),
        },
        Err(error) => Item::Error(error),
    }
}

fn whole(body: &[u8], limits: Limits, recovery: Recovery) -> Walk {
    let mut frames = Frames::new(body).with_limits(limits).with_recovery(recovery);
    let mut items = Vec::new();
    while let Some(found) = frames.next() {
        items.push(item(found));
        assert!(frames.offset() <= body.len() as u64);
    }
    assert!(frames.next().is_none(), "the end is the end");
    Walk { items, separators: frames.separators(), skipped: frames.skipped() }
}

fn pieces(body: &[u8], limits: Limits, recovery: Recovery, mut next: impl FnMut() -> usize) -> Walk {
    let mut reader = FrameReader::new(limits, recovery);
    let mut items = Vec::new();
    let mut at = 0;
    while at < body.len() {
        let end = body.len().min(at + next());
        reader.push(&body[at..end]);
        at = end;
        while let Some(found) = reader.next_frame() {
            items.push(item(found));
        }
    }
    reader.finish();
    while let Some(found) = reader.next_frame() {
        items.push(item(found));
    }
    Walk { items, separators: reader.separators(), skipped: reader.skipped() }
}

/// octets in = frames on the wire + separators + skipped
fn accounted(body: &[u8], walk: &Walk) {
    let len = body.len() as u64;
    let (mut frames, mut skipped, mut last) = (0, 0, 0);
    for item in &walk.items {
        match item {
            Item::Frame { offset, wire_len, message_offset, bytes, repaired } => {
                assert!(*offset >= last && offset + wire_len <= len);
                assert_eq!(message_offset + bytes.len() as u64, offset + wire_len);
                assert_eq!(&body[*message_offset as usize..][..bytes.len()], bytes);
                assert!(body[*offset as usize].is_ascii_digit());
                let begins_line = *offset == 0 || body[*offset as usize - 1] == b'\n';
                assert!(
                    !repaired || (begins_line && !bytes[..bytes.len() - 1].contains(&b'\n')),
                    "a line, if repaired"
                );
                frames += wire_len;
                last = offset + wire_len;
            }
            Item::Error(error) => {
                assert!(error.start() >= last && error.offset() >= error.start() && error.offset() <= len);
                assert!(error.start() + error.skipped() <= len);
                assert!(!error.to_string().is_empty());
                skipped += error.skipped();
                last = error.start() + error.skipped();
            }
        }
    }
    assert_eq!(skipped, walk.skipped);
    assert_eq!(frames + walk.separators + walk.skipped, len);
}
