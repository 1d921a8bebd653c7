//! The incremental reader, driven as nobody would: any cuts, any limits, frames taken or left lying, questions at any
//! moment. It finds what the slice iterator finds, at any moment the octets add up, and it holds no more than it says.
#![no_main]

use family_fuzz::Draw;
use heroku_syslog::{FrameReader, Frames, FramingError, Limits, RawFrame, Recovery};
use libfuzzer_sys::fuzz_target;

type Item = Result<(u64, u64, Vec<u8>, bool), FramingError>;

fuzz_target!(|input: &[u8]| {
    let mut draw = Draw::new(input);
    let recovery = draw.pick(&[Recovery::Stop, Recovery::Resync]);
    let max_frame = draw.pick(&[0, 1, 12, 64, 300, 65_536]);
    let limits = Limits::new().with_max_frame(max_frame).with_max_skip(draw.pick(&[0, 40, 200, 1_048_576]));
    let (tidy, cuts) = (draw.flag(), draw.below(64));
    let cuts = draw.octets(cuts);
    let body = draw.rest();

    let mut reader = FrameReader::new(limits, recovery);
    let mut found = Vec::new();
    let mut wire = 0;
    let (mut at, mut cut) = (0, 0);
    while at < body.len() {
        // The two upper bits say how many frames are taken behind the piece, the others how long it is.
        let choice = cuts.get(cut).copied().unwrap_or(0xFF);
        cut += 1;
        let piece = &body[at..body.len().min(at + 1 + usize::from(choice & 0x3F))];
        reader.push(piece);
        at += piece.len();
        let mut left = if tidy { usize::MAX } else { [0, 1, 4, usize::MAX][usize::from(choice >> 6)] };
        while left > 0 && take(&mut reader, &mut found, &mut wire) {
            left -= 1;
        }
        assert_eq!(wire + reader.separators() + reader.skipped() + reader.buffered() as u64, at as u64);
        if left > 0 {
            // Everything was taken: what is held is a frame that is not whole, its length, and a look behind it. To tell
            // whether it stands, two more may be held.
            let most = 3 * (max_frame + 20) + 512 + piece.len();
            assert!(reader.buffered() <= most, "{} octets held of {most}", reader.buffered());
        }
        if let Some(error) = reader.pending_error() {
            assert!(error.offset() <= at as u64 && error.start() + error.skipped() <= at as u64, "{error}");
        }
    }
    reader.finish();
    reader.push(b"16 <1>1 - - - - - -");
    while take(&mut reader, &mut found, &mut wire) {}
    assert_eq!((reader.buffered(), reader.pending_error()), (0, None));
    assert_eq!(wire + reader.separators() + reader.skipped(), body.len() as u64);

    let mut frames = Frames::new(body).with_limits(limits).with_recovery(recovery);
    let whole: Vec<Item> = frames.by_ref().map(item).collect();
    assert_eq!(found, whole);
    assert_eq!((reader.separators(), reader.skipped()), (frames.separators(), frames.skipped()));
});

fn take(reader: &mut FrameReader, found: &mut Vec<Item>, wire: &mut u64) -> bool {
    let Some(next) = reader.next_frame() else { return false };
    let next = item(next);
    *wire += next.as_ref().map_or(0, |(_, wire_len, ..)| *wire_len);
    found.push(next);
    true
}

fn item(item: Result<RawFrame<'_>, FramingError>) -> Item {
    item.map(|raw| (raw.offset(), raw.wire_len(), raw.bytes().to_vec(), raw.is_repaired()))
}
