//! Sample lines: the fast reader hands out what the plain one does, octet for octet, and its numbers are those of the
//! standard library.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logfmt_metrics::{SampleToken, number, pairs, samples};

fuzz_target!(|line: &[u8]| {
    let mut plain = pairs(line);
    for token in samples(line) {
        let pair = plain.next().expect("no more tokens than pairs");
        match token {
            SampleToken::Pair(other) => {
                assert_eq!(other, pair);
                assert!(!other.key().starts_with(b"sample#"));
            }
            SampleToken::Sample(sample) => {
                assert_eq!(pair.key().strip_prefix(b"sample#"), Some(sample.name()), "{pair:?}");
                let value = pair.value().unwrap_or_default();
                match (sample.value(), number(value)) {
                    (Ok(fast), Ok(slow)) => {
                        assert_eq!(fast.number().to_bits(), slow.number().to_bits(), "{pair:?}");
                        assert_eq!(fast.unit(), slow.unit(), "{pair:?}");
                    }
                    (Err(fast), Err(slow)) => assert_eq!(fast.kind(), slow.kind(), "{pair:?}"),
                    (fast, slow) => panic!("{pair:?}: {fast:?}, {slow:?}"),
                }
            }
            other => unreachable!("{other:?}"),
        }
    }
    assert!(plain.next().is_none(), "no fewer tokens than pairs");
});
