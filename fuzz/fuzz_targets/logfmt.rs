//! Pairs of any line: they cover everything but separators, in order, and print back; numbers agree with the standard
//! library.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logfmt_metrics::{number, pairs};

fuzz_target!(|line: &[u8]| {
    let mut last = 0;
    for pair in pairs(line) {
        let range = pair.range();
        assert!(range.start >= last && range.end <= line.len() && !range.is_empty(), "{pair:?}");
        assert!(line[last..range.start].iter().all(|&octet| octet <= b' '), "only separators lie between pairs");
        last = range.end;

        assert_eq!(&line[pair.offset()..pair.offset() + pair.key().len()], pair.key());
        assert!(pair.key().iter().all(|&octet| octet > b' '));
        let value = pair.value().unwrap_or_default();
        assert_eq!(&line[pair.value_offset()..pair.value_offset() + value.len()], value);
        assert_eq!(pair.value().is_none(), pair.unescaped().is_none());
        assert!(pair.unescaped().unwrap_or_default().len() <= value.len());
        assert!(pair.is_terminated() || range.end == line.len(), "an open quote takes the rest of the line");

        let mut printed = pair.key().to_vec();
        match (pair.value(), pair.is_quoted()) {
            (None, _) => {}
            (Some(value), false) => printed = [&printed, &b"="[..], value].concat(),
            (Some(value), true) => printed = [&printed, &b"=\""[..], value].concat(),
        }
        if pair.is_quoted() && pair.is_terminated() {
            printed.push(b'"');
        }
        assert_eq!(&line[range], printed);
    }
    assert!(line[last..].iter().all(|&octet| octet <= b' '));

    if let Ok(value) = number(line) {
        assert!(value.number().is_finite());
        let unit = value.unit().as_str();
        assert!(unit.chars().count() <= logfmt_metrics::MAX_UNIT);
        let text = core::str::from_utf8(line).expect("a number and its unit are text");
        let digits = text.strip_suffix(unit).expect("the unit stands at the end");
        let nearest: f64 = digits.parse().expect("what is left is a number");
        assert_eq!(value.number().to_bits(), (nearest + 0.0).to_bits(), "{digits}");
    }
});
