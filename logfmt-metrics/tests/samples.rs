//! Lines of samples: what [`samples`] hands out is what [`pairs`] and [`number`] find.

use logfmt_metrics::{NumberError, Pair, SampleToken, number, pairs, samples};
use proptest::prelude::*;
use std::ops::Range;
use testkit::traffic::Traffic;

#[derive(PartialEq, Debug)]
enum Found<'a> {
    Sample { name: &'a [u8], text: Option<&'a [u8]>, value: Read<'a>, offset: usize, range: Range<usize> },
    Pair(Pair<'a>),
}

/// A number by its bits, since `-0.0` equals `0.0`, and its unit.
type Read<'a> = Result<(u64, &'a str), NumberError>;

fn by_pairs(line: &[u8]) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    for pair in pairs(line) {
        found.push(match pair.key().strip_prefix(b"sample#") {
            None => Found::Pair(pair),
            Some(name) => {
                let value = number(pair.value().unwrap_or_default());
                let value = value.map(|value| (value.number().to_bits(), value.unit().as_str()));
                Found::Sample { name, text: pair.value(), value, offset: pair.offset(), range: pair.range() }
            }
        });
    }
    found
}

fn by_samples(line: &[u8]) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    for token in samples(line) {
        found.push(match token {
            SampleToken::Pair(pair) => Found::Pair(pair),
            SampleToken::Sample(sample) => {
                let value = sample.value().map(|value| (value.number().to_bits(), value.unit().as_str()));
                let range = sample.range();
                let offset = range.start;
                Found::Sample { name: sample.name(), text: sample.text(), value, offset, range }
            }
            other => panic!("a new token: {other:?}"),
        });
    }
    found
}

fn agree(line: &[u8]) {
    assert_eq!(by_samples(line), by_pairs(line), "{}", line.escape_ascii());
}

const LINES: [&str; 4] = [
    "source=web.1 dyno=heroku.310774421.0c1f7b52-6a4e-4f3c-9b1d-2f6f0e9d4a11 sample#load_avg_1m=0.50 sample#load_avg_5m=12.07 sample#load_avg_15m=0.00",
    "source=web.1 dyno=heroku.310774421.0c1f7b52-6a4e-4f3c-9b1d-2f6f0e9d4a11 sample#memory_total=212.50MB sample#memory_pgpgin=348836pages sample#memory_quota=512.00MB",
    "source=DATABASE addon=postgresql-lucid-40213 sample#current_transaction=819 sample#db_size=4469950648bytes sample#tables=61 sample#index-cache-hit-rate=0.99912 sample#tmp-disk-available=72435191808 sample#memory-total=7948312kB sample#wal-percentage-used=0.06427131234",
    "sample#a=1",
];

/// What the readers turn on.
const PIECES: &[&str] = &[
    " ",
    "  ",
    "=",
    "\"",
    "\\",
    "\t",
    "\n",
    "\0",
    "#",
    ".",
    "-",
    "+",
    "e",
    "0",
    "9",
    "12345678",
    "123456789012345",
    "MB",
    "kB",
    "pages",
    "bytes",
    "ms",
    "s",
    "%",
    "µs",
    "é",
    " sample#",
    "sample#",
    " sample#a",
    " sample#a=",
    " sample#a=1",
    " sample#a=\"1 2\" ",
    "=\"",
    "\" ",
    " source=web.1",
    " dyno=",
    " key",
    "a_name_of_more_than_sixteen",
    ".5",
    "1.",
    "1.5",
    "0.00000000000001",
    "1e3",
    "1e999",
    "\u{7f}",
];

#[test]
fn lines_of_the_platform() {
    for line in LINES {
        agree(line.as_bytes());
        for at in 0..line.len() {
            agree(&line.as_bytes()[..at]);
            agree(&line.as_bytes()[at..]);
            for byte in *b" =\"\t.\0#0M" {
                let mut changed = line.as_bytes().to_vec();
                changed[at] = byte;
                agree(&changed);
            }
        }
    }
}

#[test]
fn generated_traffic() {
    let haystack = Traffic::new(7).bytes(300_000).generate();
    let (mut body, mut found) = (haystack.body(), 0);
    while let Some(space) = body.iter().position(|&byte| byte == b' ') {
        let len: usize = std::str::from_utf8(&body[..space]).unwrap().parse().unwrap();
        let (frame, behind) = body[space + 1..].split_at(len);
        body = behind;
        agree(frame);
        let is_custom =
            frame.windows(10).any(|part| part == b" host app ") && !frame.windows(8).any(|part| part == b"postgres");
        if !is_custom {
            found += samples(frame).filter(|token| matches!(token, SampleToken::Sample(_))).count() as u64;
        }
    }
    assert_eq!(found, haystack.truth().runtime_samples + haystack.truth().postgres_samples);
}

#[test]
fn the_walk_ends_once_and_shows_itself() {
    let mut walk = samples(b"sample#a=1 b");
    assert_eq!(format!("{walk:?}"), "Samples { len: 12, at: 0 }");
    assert_eq!(format!("{:?}", walk.next()), r#"Some(Sample(Sample("a" = "1" at 0)))"#);
    assert!(walk.next().is_some() && walk.next().is_none() && walk.next().is_none());
    assert_eq!(format!("{:?}", samples(b" sample#a").next()), r#"Some(Sample(Sample("a" at 1)))"#);
}

#[test]
fn a_value_says_what_is_wrong_with_it() {
    let error = |line: &str| match samples(line.as_bytes()).next() {
        Some(SampleToken::Sample(sample)) => sample.value().map_err(|error| error.to_string()).unwrap_err(),
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(error("sample#a"), "no text in number at byte 0");
    assert_eq!(error("sample#a="), error("sample#a"));
    assert_eq!(error("sample#a=x"), "no digit in number at byte 0");
    assert_eq!(error(" sample#a=1.5,"), "not 1 to 16 letters or % in unit at byte 3");
}

fn is_long() -> bool {
    std::env::var_os("HEROKU_METRICS_LONG").is_some()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if is_long() { 500_000 } else { 5_000 }))]

    #[test]
    fn fast_is_plain(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        agree(pieces.concat().as_bytes());
    }

    #[test]
    fn fast_is_plain_of_any_bytes(line in prop::collection::vec(any::<u8>(), 0..100)) {
        agree(&line);
    }

    #[test]
    fn samples_with_something_between(
        parts in prop::collection::vec(
            (prop::sample::select(PIECES), "[a-z_-]{0,24}", "[0-9]{0,17}(\\.[0-9]{0,17})?", prop::sample::select(PIECES)),
            0..12,
        ),
    ) {
        let line: String = parts.iter().map(|(before, name, value, behind)| format!("{before} sample#{name}={value}{behind}")).collect();
        agree(line.as_bytes());
    }
}
