//! `docs/accuracy.md` says what is so: its table and its picture are those that the program makes.

use family_benches::accuracy::{picture, table, told};
use std::path::Path;

fn docs(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_page_has_this_table_and_this_picture() {
    let write = "write them again: cargo run -p family-benches --bin accuracy";
    assert!(docs("accuracy.md").contains(&table()), "{write}\n{}", table());
    assert!(docs("accuracy.svg") == picture(), "{write}");
}

#[test]
fn what_the_page_says_in_words_holds() {
    let all = told();
    assert_eq!(all.len(), 8);
    let off = |answer: fn(&family_benches::accuracy::Told) -> f64| {
        let errors = all.iter().flat_map(|(_, of)| of.iter().map(move |told| told.error(answer(told)).abs()));
        errors.collect::<Vec<_>>()
    };
    // Merged: never further off than the bound of the sketch, which the page names.
    let bound = minute_aggregator::Precision::TwoDigits.relative_error();
    assert!(bound < 0.0051, "{bound}");
    assert!(off(|told| told.merged).iter().all(|error| *error <= bound));
    // By a half or more, at one percentile at least: the average in six shapes of eight, weighted in four, the highest in six.
    let halves = |answer: fn(&family_benches::accuracy::Told) -> f64| {
        off(answer).chunks(3).filter(|errors| errors.iter().any(|error| *error >= 0.5)).count()
    };
    assert_eq!((halves(|told| told.averaged), halves(|told| told.weighted), halves(|told| told.highest)), (6, 4, 6));
}
