//! An archive of any bytes: each line is one of five, however the bytes come; what was read is written in one form and read
//! as the same. Periods, keys and the text of events take any text.
#![no_main]

use family_fuzz::Draw;
use libfuzzer_sys::fuzz_target;
use log_archive::{Counts, Keys, Period, Reader, Row, Writer, read_event_text};
use std::io::{BufRead, BufReader};

/// What a writer makes of all rows, and the counts.
fn rewritten<R: BufRead>(mut reader: Reader<R>) -> (Vec<u8>, Counts) {
    let mut writer = Writer::new(Vec::new());
    let mut refused = 0;
    loop {
        match reader.read() {
            Ok(Some(row)) => writer.write(&row).expect("memory takes it"),
            Ok(None) => break,
            Err(error) => {
                refused += 1;
                assert_eq!(error.row(), reader.counts().lines());
                assert!(!error.to_string().contains(char::is_control));
            }
        }
    }
    let counts = reader.counts();
    assert_eq!((counts.rows(), counts.refused()), (writer.rows(), refused));
    (writer.into_inner(), counts)
}

fuzz_target!(|input: &[u8]| {
    let mut draw = Draw::new(input);
    let capacity = 1 + draw.below(64);
    let most = if draw.flag() { usize::MAX } else { 64 * draw.below(256) };
    let offset = draw.flag().then(|| draw.short());
    let (name, ip) = (draw.below(16), draw.below(8));
    let [name, ip] = [name, ip].map(|most| draw.octets(most));
    let (id, year) = (draw.short() as u64, draw.short() as u16);
    let text = draw.rest();

    let set = |input| {
        let reader = Reader::new(BufReader::with_capacity(capacity, input)).with_max_row_len(most);
        if let Some(offset) = offset { reader.with_offset_minutes(offset) } else { reader }
    };
    let (written, counts) = rewritten(set(text));
    let whole = Reader::new(text).with_max_row_len(most);
    let whole = if let Some(offset) = offset { whole.with_offset_minutes(offset) } else { whole };
    assert_eq!(rewritten(whole), (written.clone(), counts), "a buffer of another size");
    assert_eq!(counts.bytes(), text.len() as u64);
    let ends = text.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert_eq!(counts.lines(), ends + u64::from(counts.is_cut()));
    assert_eq!(counts.is_cut(), text.last().is_some_and(|byte| *byte != b'\n'));

    let (again, counts) = rewritten(Reader::new(&written[..]));
    assert_eq!(again, written, "what was written is read as the same");
    assert_eq!((counts.rows(), counts.is_cut()), (counts.lines(), false));

    let time = i64::from_le_bytes(std::array::from_fn(|index| text.get(index).copied().unwrap_or(0)));
    let row =
        Row::new(id, time, text).with_generated_at(time, offset.unwrap_or(0)).with_source_name(name).with_source_ip(ip);
    let mut writer = Writer::new(Vec::new());
    writer.write(&row).expect("memory takes it");
    let archive = writer.into_inner();
    let mut reader = Reader::new(&archive[..]);
    let read = reader.read().expect("what was written is read").expect("one row");
    let blank = |text: &[u8]| {
        text.iter().map(|byte| if matches!(byte, b'\t' | b'\r' | b'\n') { b' ' } else { *byte }).collect::<Vec<u8>>()
    };
    assert_eq!((read.id(), read.received_at(), read.generated_at()), (row.id(), row.received_at(), row.generated_at()));
    assert_eq!((read.offset_minutes(), read.source_id()), (row.offset_minutes(), row.source_id()));
    assert_eq!([read.source_name(), read.source_ip(), read.message()], [&blank(name)[..], &blank(ip), &blank(text)]);

    for line in text.split(|byte| *byte == b'\n') {
        if let Some(row) = read_event_text(line, year, offset.unwrap_or(0)) {
            assert!(line.ends_with(row.message()) || line.ends_with(b"\r"));
        }
    }
    let hour = Period::hour_of(time);
    let text = String::from_utf8_lossy(text);
    if let Ok(period) = text.parse::<Period>() {
        assert_eq!(period.to_string(), text);
    }
    if let Ok(keys) = Keys::new(&text, &String::from_utf8_lossy(name)) {
        assert_eq!((keys.period(&keys.key(hour)), keys.period(&keys.key(hour.day()))), (Some(hour), Some(hour.day())));
        assert!(!keys.key(hour).split('/').any(|part| matches!(part, "" | "." | "..")));
    }
});
