//! The readers of the crate, brought into the shape of the oracle.
#![allow(dead_code)] // each test takes what it needs

use heroku_syslog::{FrameReader, Frames, FramingError, Limits, RawFrame, Recovery};
use testkit::deframe::{Item, Rules, Walk, walk};

/// Limits and recovery of one reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) max_frame: usize,
    pub(crate) max_skip: usize,
    pub(crate) recovery: Recovery,
}

impl Setting {
    pub(crate) const RESYNC: Self = Self { max_frame: 65_536, max_skip: 1_048_576, recovery: Recovery::Resync };
    pub(crate) const STOP: Self = Self { recovery: Recovery::Stop, ..Self::RESYNC };

    fn limits(self) -> Limits {
        Limits::new().with_max_frame(self.max_frame).with_max_skip(self.max_skip)
    }
}

fn item(item: Result<RawFrame<'_>, FramingError>) -> Item {
    match item {
        Ok(raw) => {
            assert_eq!(raw.message_offset() + raw.bytes().len() as u64, raw.offset() + raw.wire_len());
            Item::Frame {
                offset: raw.offset(),
                wire_len: raw.wire_len(),
                bytes: raw.bytes().to_vec(),
                repaired: raw.is_repaired(),
            }
        }
        Err(error) => Item::Error {
            kind: error.kind().as_str(),
            start: error.start(),
            offset: error.offset(),
            skipped: error.skipped(),
        },
    }
}

pub(crate) fn oracle(body: &[u8], setting: Setting) -> Walk {
    let resync = setting.recovery == Recovery::Resync;
    walk(body, Rules { max_frame: setting.max_frame as u64, max_skip: setting.max_skip as u64, resync })
}

pub(crate) fn whole(body: &[u8], setting: Setting) -> Walk {
    let mut frames = Frames::new(body).with_limits(setting.limits()).with_recovery(setting.recovery);
    let items = frames.by_ref().map(item).collect();
    assert_eq!(frames.offset(), body.len() as u64);
    Walk { items, separators: frames.separators(), skipped: frames.skipped() }
}

pub(crate) fn in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, setting: Setting) -> Walk {
    let mut reader = FrameReader::new(setting.limits(), setting.recovery);
    let mut items = Vec::new();
    for piece in pieces {
        reader.push(piece);
        while let Some(next) = reader.next_frame() {
            items.push(item(next));
        }
    }
    reader.finish();
    while let Some(next) = reader.next_frame() {
        items.push(item(next));
    }
    assert_eq!((reader.buffered(), reader.pending_error()), (0, None));
    Walk { items, separators: reader.separators(), skipped: reader.skipped() }
}

/// Every byte is of a frame, a separator, or skipped.
pub(crate) fn bytes(walk: &Walk) -> u64 {
    let frames: u64 =
        walk.items.iter().map(|item| if let Item::Frame { wire_len, .. } = item { *wire_len } else { 0 }).sum();
    let skipped: u64 =
        walk.items.iter().map(|item| if let Item::Error { skipped, .. } = item { *skipped } else { 0 }).sum();
    assert_eq!(skipped, walk.skipped);
    frames + walk.separators + walk.skipped
}

/// Whole, byte by byte, and cut in two at every offset (of long inputs: at every offset near the ends, and at a spread
/// of others), all against the oracle.
pub(crate) fn all_agree(name: &str, body: &[u8], setting: Setting) {
    let expected = oracle(body, setting);
    assert_eq!(bytes(&expected), body.len() as u64, "{name}");
    assert_eq!(whole(body, setting), expected, "{name}, whole");
    assert_eq!(in_pieces(body.chunks(1), setting), expected, "{name}, byte by byte");
    // All cuts of a long body take minutes: HEROKU_METRICS_LONG=1. The inputs of a megabyte are one frame or one count.
    let long = if std::env::var_os("HEROKU_METRICS_LONG").is_some() { 200_000 } else { 4_096 };
    let all = body.len() <= long;
    let every = if all { 1 } else { body.len() / 512 + 1 };
    for cut in (0..=body.len()).filter(|cut| cut % every == 0 || *cut < 128 || body.len() - cut < 128) {
        let (front, back) = body.split_at(cut);
        assert_eq!(in_pieces([front, back], setting), expected, "{name}, cut at {cut}");
    }
}
