//! Any lines of any accounts come back as they went in.

use super::super::*;
use super::made::{Folder, Line, lines_of, merge, write};
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A gap to the last id, and a line whose id is set when the line before is known.
fn any_line() -> impl Strategy<Value = (u64, Line)> {
    let gap = prop_oneof![Just(1), 1..300_u64, 1..1_u64 << 40];
    let text = prop_oneof![
        4 => "[a-zA-Z0-9 =:/-]{0,60}".prop_map(String::into_bytes),
        2 => proptest::collection::vec(any::<u8>(), 0..30),
        1 => (any::<u8>(), 0..3_000_usize).prop_map(|(byte, length)| vec![byte; length]),
    ];
    let source = prop_oneof![
        2 => Just(None),
        1 => (0..4_u32).prop_map(|low| Some(Ipv4Addr::from_bits(low).into())),
        1 => any::<u128>().prop_map(|bits| Some(Ipv6Addr::from_bits(bits).into())),
    ];
    let generated = prop_oneof![any::<i64>(), 1_700_000_000_000_000..1_700_000_100_000_000_i64];
    (gap, generated, 0..500_u32, source, text)
        .prop_map(|(gap, generated, sender, source, text)| (gap, Line { generated, sender, source, text, id: 0 }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("HEROKU_METRICS_LONG").is_some() { 5_000 } else { 150 }))]

    #[test]
    fn any_lines_come_back(accounts in proptest::collection::vec((0..1_u64 << 62, proptest::collection::vec(any_line(), 1..40)), 1..6)) {
        let folder = Folder::new();
        let mut expected = Vec::new();
        for (number, (mut id, lines)) in accounts.into_iter().enumerate() {
            let numbered = lines.into_iter().map(|(gap, line)| {
                id += gap;
                Line { id, ..line }
            });
            expected.push((format!("account-{number}"), numbered.collect::<Vec<_>>()));
        }
        let given: Vec<_> = expected.iter().map(|(name, lines)| (name.as_str(), lines.clone())).collect();
        let segment = write(&folder, &given);
        prop_assert_eq!(&lines_of(&segment), &expected);
        let report = check(segment.path());
        prop_assert_eq!(report.damage(), &[]);
        prop_assert_eq!(report.lines(), given.iter().map(|(_, lines)| lines.len() as u64).sum::<u64>());
        // And so it does from the file alone, and from a file that was made of it.
        let opened = Segment::open(segment.path()).unwrap();
        prop_assert_eq!(&lines_of(&opened), &expected);
        let other = Folder::new();
        let merged = merge(&[opened], |_, _| true, other.path()).unwrap().unwrap();
        prop_assert_eq!(&lines_of(&merged), &expected);
    }
}
