//! Pairs: the cases of `testdata/logfmt.toml`, a naive oracle, and properties.

use logfmt_metrics::{Pair, pairs};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    pairs: Vec<Vec<String>>,
    raw: Option<Vec<String>>,
    offsets: Option<Vec<(usize, usize)>>,
    #[serde(default)]
    open: bool,
    #[serde(default)]
    hex: bool,
}

#[test]
fn cases() {
    for case in testkit::cases("logfmt") {
        let expect: Expect = case.expect();
        let name = &case.name;
        let text = |bytes: &[u8]| {
            if expect.hex { bytes.escape_ascii().to_string() } else { String::from_utf8_lossy(bytes).into_owned() }
        };
        let all: Vec<Pair<'_>> = pairs(&case.input).collect();
        let found: Vec<Vec<String>> = all
            .iter()
            .map(|pair| {
                [Some(text(pair.key())), pair.unescaped().map(|value| text(&value))].into_iter().flatten().collect()
            })
            .collect();
        assert_eq!(found, expect.pairs, "{name}");
        assert_eq!(all.iter().any(|pair| !pair.is_terminated()), expect.open, "{name}");
        if let Some(offsets) = expect.offsets {
            let found: Vec<_> = all.iter().map(|pair| (pair.offset(), pair.value_offset())).collect();
            assert_eq!(found, offsets, "{name}");
        }
        if let Some(raw) = expect.raw {
            let found: Vec<_> = all.iter().filter_map(|pair| pair.value()).map(text).collect();
            assert_eq!(found, raw, "{name}");
        }
    }
}

#[test]
fn debug_shows_what_stands_there() {
    let shown: Vec<_> = pairs(b"a=1 b c=\"\xff").map(|pair| format!("{pair:?}")).collect();
    assert_eq!(shown, [r#"Pair("a" = "1" at 0)"#, r#"Pair("b" at 4)"#, r#"Pair("c" = "\xff", open quote at 6)"#]);
    assert_eq!(format!("{:?}", pairs(b"a=1")), "Pairs { len: 3, at: 0 }");
}

#[test]
fn the_walk_ends_once() {
    let mut walk = pairs(b"a=1 bc ");
    assert!(walk.next().is_some());
    assert!(walk.next().is_some() && walk.next().is_none() && walk.next().is_none());
}

#[test]
fn hostile_lines_cost_what_their_length_says() {
    const MEGABYTE: usize = 1 << 20;
    for (unit, count) in [
        ("=", 1),
        ("\"", 1),
        ("=\"", 1),
        ("=\" ", 1),
        ("a=\"b\"", MEGABYTE / 5),
        ("a=\"\\", 1),
        ("\\", 1),
        (" ", 0),
        ("a ", MEGABYTE / 2),
        ("= ", MEGABYTE / 2),
        ("\0\n=", MEGABYTE / 3),
    ] {
        let line = unit.repeat(MEGABYTE / unit.len());
        let found = pairs(line.as_bytes()).count();
        if count > 1 {
            assert_eq!(found, count, "{unit:?}");
        } else {
            assert!(found <= MEGABYTE, "{unit:?}");
        }
    }
}

/// A pair as the oracle sees it: key, value, in quotes, quote closed, offset of the key.
type Seen = (Vec<u8>, Option<Vec<u8>>, bool, bool, usize);

/// The grammar byte by byte, for nothing but being plain.
fn oracle(line: &[u8]) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut at = 0;
    while at < line.len() {
        if line[at] <= b' ' {
            at += 1;
            continue;
        }
        let offset = at;
        let mut key = Vec::new();
        while at < line.len() && line[at] > b' ' && line[at] != b'=' {
            key.push(line[at]);
            at += 1;
        }
        if at == line.len() || line[at] != b'=' {
            seen.push((key, None, false, true, offset));
            continue;
        }
        at += 1;
        let mut value = Vec::new();
        if at < line.len() && line[at] == b'"' {
            at += 1;
            let mut closed = false;
            while at < line.len() {
                match line[at] {
                    b'"' => {
                        closed = true;
                        at += 1;
                        break;
                    }
                    b'\\' => {
                        value.push(b'\\');
                        at += 1;
                        if at < line.len() {
                            value.push(line[at]);
                            at += 1;
                        }
                    }
                    byte => {
                        value.push(byte);
                        at += 1;
                    }
                }
            }
            seen.push((key, Some(value), true, closed, offset));
        } else {
            while at < line.len() && line[at] > b' ' {
                value.push(line[at]);
                at += 1;
            }
            seen.push((key, Some(value), false, true, offset));
        }
    }
    seen
}

fn seen(line: &[u8]) -> Vec<Seen> {
    pairs(line)
        .map(|pair| {
            let value = pair.value().map(<[u8]>::to_vec);
            (pair.key().to_vec(), value, pair.is_quoted(), pair.is_terminated(), pair.offset())
        })
        .collect()
}

/// What the grammar turns on.
const PIECES: &[&[u8]] = &[
    b" ",
    b"=",
    b"\"",
    b"=\"",
    b"\" ",
    b"\\",
    b"\\\"",
    b"\0",
    b"\n",
    b"a",
    b"key",
    b"longer_than_eight",
    b"\xff\x80",
    b"\x7f!",
];

/// Lines made of those.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let piece = proptest::sample::select(PIECES);
    prop_oneof![
        proptest::collection::vec(piece, 0..40).prop_map(|p| p.concat()),
        proptest::collection::vec(any::<u8>(), 0..80)
    ]
}

/// What a careful logger would write.
fn quoted(value: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for &byte in value {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\t' => out.extend(b"\\t"),
            b'\r' => out.extend(b"\\r"),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn agrees_with_the_oracle(line in line()) {
        prop_assert_eq!(seen(&line), oracle(&line));
    }

    #[test]
    fn every_word_byte_belongs_to_one_pair_in_order(line in line()) {
        let mut end = 0;
        for pair in pairs(&line) {
            let range = pair.range();
            prop_assert!(end <= range.start && range.start < range.end && range.end <= line.len());
            prop_assert!(line[end..range.start].iter().all(|&byte| byte <= b' '));
            prop_assert_eq!(&line[pair.offset()..][..pair.key().len()], pair.key());
            prop_assert_eq!(&line[pair.value_offset()..][..pair.value().unwrap_or_default().len()], pair.value().unwrap_or_default());
            prop_assert!(pair.is_terminated() || range.end == line.len());
            end = range.end;
        }
        prop_assert!(line[end..].iter().all(|&byte| byte <= b' '));
    }

    #[test]
    fn what_is_printed_reads_the_same(
        printed in proptest::collection::vec(
            (proptest::collection::vec((0x21_u8..=0xff).prop_filter("no key", |&o| o != b'='), 1..12),
             proptest::option::of(proptest::collection::vec(any::<u8>(), 0..24))),
            0..8,
        )
    ) {
        let mut line = Vec::new();
        for (key, value) in &printed {
            line.extend(key);
            if let Some(value) = value {
                line.push(b'=');
                line.extend(quoted(value));
            }
            line.push(b' ');
        }
        let read: Vec<_> = pairs(&line).map(|pair| (pair.key().to_vec(), pair.unescaped().map(|value| value.into_owned()))).collect();
        prop_assert_eq!(read, printed);
    }
}
