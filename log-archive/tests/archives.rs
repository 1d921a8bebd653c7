//! The cases of `testdata/archives.toml`: read whole and byte by byte, written, and read again.

use log_archive::{Counts, ReadErrorKind, Reader, Writer};
use serde::Deserialize;
use std::io::{BufRead, BufReader};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// Minutes, for the reader.
    offset: Option<i16>,
    /// Of the last row.
    message: Option<String>,
    written: Option<Vec<String>>,
    #[serde(default)]
    errors: Vec<String>,
    counts: String,
}

struct Read {
    written: Vec<u8>,
    message: Vec<u8>,
    errors: Vec<String>,
    counts: Counts,
}

fn read(input: impl BufRead, offset: Option<i16>) -> Read {
    read_with(Reader::new(input), offset)
}

fn read_with(mut reader: Reader<impl BufRead>, offset: Option<i16>) -> Read {
    if let Some(offset) = offset {
        reader = reader.with_offset_minutes(offset);
    }
    let (mut writer, mut message, mut errors) = (Writer::new(Vec::new()), Vec::new(), Vec::new());
    loop {
        match reader.read() {
            Ok(Some(row)) => {
                message = row.message().to_vec();
                writer.write(&row).expect("memory takes it");
            }
            Ok(None) => break,
            Err(error) => {
                assert_ne!(error.kind(), ReadErrorKind::Input);
                errors.push(error.to_string());
            }
        }
    }
    let counts = reader.counts();
    assert_eq!((writer.rows(), errors.len() as u64), (counts.rows(), counts.refused()));
    let bytes = writer.bytes();
    let written = writer.into_inner();
    assert_eq!(bytes, written.len() as u64);
    Read { written, message, errors, counts }
}

fn tabs(text: &str) -> String {
    text.replace('~', "\t")
}

#[test]
fn cases() {
    for case in testkit::cases("archives") {
        let expect: Expect = case.expect();
        let name = &case.name;
        let input: Vec<u8> = case.input.iter().map(|byte| if *byte == b'~' { b'\t' } else { *byte }).collect();
        let whole = read(&input[..], expect.offset);
        assert_eq!(whole.errors, expect.errors, "{name}");
        assert_eq!(whole.counts.to_string(), expect.counts, "{name}");
        assert_eq!(whole.counts.bytes(), input.len() as u64, "{name}");
        if let Some(message) = &expect.message {
            assert_eq!(String::from_utf8_lossy(&whole.message), tabs(message), "{name}");
        }
        if let Some(rows) = &expect.written {
            let rows: String = rows.iter().map(|row| tabs(row) + "\n").collect();
            assert_eq!(String::from_utf8_lossy(&whole.written), rows, "{name}");
        }
        // However it comes, it is the same.
        for capacity in [1, 2, 7, 64] {
            let piecewise = read(BufReader::with_capacity(capacity, &input[..]), expect.offset);
            assert!(piecewise.written == whole.written, "{name}, by {capacity}");
            assert_eq!(
                (piecewise.errors, piecewise.counts),
                (whole.errors.clone(), whole.counts),
                "{name}, by {capacity}"
            );
        }
        // What was written is read as the same, without the setting. A row may be longer than it was: times have all they can.
        let again = read_with(Reader::new(&whole.written[..]).with_max_row_len(2 << 20), None);
        assert!(again.written == whole.written, "{name}, again");
        assert_eq!(
            (again.counts.rows(), again.counts.lines()),
            (whole.counts.rows(), whole.counts.rows()),
            "{name}, again"
        );
    }
}

/// Cut anywhere: all rows in front of the cut are there, none is made up, and the cut is told.
#[test]
fn cut_at_every_byte() {
    let mut archive = Vec::new();
    for case in testkit::cases("archives").iter().filter(|case| case.input.len() < 1_000) {
        archive.extend(case.input.iter().map(|byte| if *byte == b'~' { b'\t' } else { *byte }));
        archive.push(b'\n');
    }
    let whole = read(&archive[..], None);
    for cut in 0..archive.len() {
        let part = read(&archive[..cut], None);
        let full_lines = archive[..cut].iter().filter(|byte| **byte == b'\n').count() as u64;
        let ends = cut == 0 || archive[cut - 1] == b'\n';
        assert_eq!(part.counts.lines(), full_lines + u64::from(!ends), "cut at {cut}");
        assert_eq!(part.counts.is_cut(), !ends, "cut at {cut}");
        // The last row may be a part of one.
        let last = part.written[..part.written.len().saturating_sub(1)].iter().rposition(|byte| *byte == b'\n');
        let sure = if ends { part.written.len() } else { last.map_or(0, |last| last + 1) };
        assert!(whole.written.starts_with(&part.written[..sure]), "cut at {cut}");
    }
}
