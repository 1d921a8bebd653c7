//! Directives: the cases of `testdata/directives.toml`, the texts of the refusals, and properties.

use logfmt_metrics::{Directive, MAX_TAGS, Refusal, RefusalKind, directives, maybe_metrics, pairs};
use metric_model::{Kind, Unit, Value};
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    found: Option<Vec<String>>,
    #[serde(default)]
    metrics: usize,
    #[serde(default)]
    tags: usize,
    #[serde(default)]
    refused: BTreeMap<String, usize>,
}

fn shown(found: &Result<Directive<'_>, Refusal>) -> String {
    match found {
        Ok(Directive::Metric(metric)) => {
            let (number, unit) = (metric.value().number(), metric.value().unit());
            let number = if number.abs() < 1e15 { number.to_string() } else { format!("{number:e}") };
            let unit = if unit.is_none() { String::new() } else { format!("{unit} ") };
            format!("{} {} {number} {unit}@{}", metric.kind(), metric.name(), metric.offset())
        }
        Ok(Directive::Tag(tag)) => format!("tag {}={} @{}", tag.key(), tag.value(), tag.offset()),
        Ok(other) => panic!("a new directive: {other:?}"),
        Err(refusal) => {
            format!("{} {}..{}", refusal.kind().as_str(), refusal.offset(), refusal.offset() + refusal.len())
        }
    }
}

#[test]
fn cases() {
    for case in testkit::cases("directives") {
        let expect: Expect = case.expect();
        if let Some(wanted) = expect.found {
            assert_eq!(directives(&case.input).map(|found| shown(&found)).collect::<Vec<_>>(), wanted, "{}", case.name);
            continue;
        }
        let (mut metrics, mut tags, mut refused) = (0, 0, BTreeMap::<String, usize>::new());
        for found in directives(&case.input) {
            match found {
                Ok(Directive::Metric(_)) => metrics += 1,
                Ok(Directive::Tag(_)) => tags += 1,
                Ok(other) => panic!("a new directive: {other:?}"),
                Err(refusal) => *refused.entry(refusal.kind().as_str().to_owned()).or_default() += 1,
            }
        }
        assert_eq!((metrics, tags, refused), (expect.metrics, expect.tags, expect.refused), "{}", case.name);
    }
}

#[test]
fn every_refusal_says_what_which_part_and_where() {
    let long = |before: &str, octet: &str, times, behind: &str| format!("{before}{}{behind}", octet.repeat(times));
    let lines: [(RefusalKind, Vec<u8>, &str); 15] = [
        (RefusalKind::NoValue, b"ok count#a".to_vec(), "no value in metric or tag at byte 3"),
        (RefusalKind::NotANumber, b"count#a=x".to_vec(), "no number in metric value at byte 0"),
        (RefusalKind::NotFinite, b"sample#a=1e999".to_vec(), "beyond the largest double in metric value at byte 0"),
        (RefusalKind::NegativeCount, b"  count#a=-1".to_vec(), "negative number in count value at byte 2"),
        (RefusalKind::BadUnit, b"count#a=1,".to_vec(), "not 1 to 16 letters or % in unit of metric value at byte 0"),
        (RefusalKind::BadName, b"count#a,b=1".to_vec(), "empty, or not of A-Za-z0-9_.:/-, in metric name at byte 0"),
        (
            RefusalKind::NameTooLong,
            long("count#", "n", 256, "=1").into_bytes(),
            "more than 255 bytes in metric name at byte 0",
        ),
        (RefusalKind::ReservedName, b"count#heroku.a=1".to_vec(), "reserved prefix heroku. in metric name at byte 0"),
        (RefusalKind::BadTagKey, b"tag#=v".to_vec(), "empty, or a control character, in tag key at byte 0"),
        (
            RefusalKind::TagKeyTooLong,
            long("tag#", "k", 65, "=v").into_bytes(),
            "more than 64 bytes in tag key at byte 0",
        ),
        (RefusalKind::BadTagValue, b"tag#k=".to_vec(), "no text in tag value at byte 0"),
        (
            RefusalKind::TagValueTooLong,
            long("tag#k=", "v", 256, "").into_bytes(),
            "more than 255 bytes in tag value at byte 0",
        ),
        (
            RefusalKind::TooManyTags,
            "tag#k=v ".repeat(51).into_bytes(),
            "more than 50 tags in line: one more at byte 400",
        ),
        (RefusalKind::NotUtf8, b"count#\xff=1".to_vec(), "not UTF-8 in name, tag key or tag value at byte 0"),
        (RefusalKind::UnterminatedQuote, b"count#a=\"1".to_vec(), "no closing quote in value at byte 0"),
    ];
    assert_eq!(lines.each_ref().map(|line| line.0), RefusalKind::ALL, "one line for each kind");
    for (kind, line, message) in lines {
        let refusal = directives(&line).find_map(Result::err).expect("a refusal");
        assert_eq!((refusal.kind(), refusal.to_string().as_str()), (kind, message));
    }
}

#[test]
fn names_of_refusals_are_unique() {
    let mut names: Vec<_> = RefusalKind::ALL.iter().map(|kind| kind.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), RefusalKind::ALL.len());
}

#[test]
fn the_walk_ends_once() {
    let mut walk = directives(b"count#a=1 b=2");
    assert_eq!(format!("{walk:?}"), "Directives { len: 13, at: 0, tags: 0 }");
    assert_eq!(walk.size_hint(), (0, Some(13)), "octets left, of which none need be a directive's");
    assert!(walk.next().is_some());
    assert_eq!(walk.size_hint(), (0, Some(4)));
    assert!(walk.next().is_none() && walk.next().is_none());
    assert_eq!(walk.size_hint(), (0, Some(0)));
}

/// What the grammar turns on.
const PIECES: &[&[u8]] = &[
    b" ",
    b" ",
    b"count#",
    b" measure#",
    b" sample#a=1ms ",
    b" tag#k=v ",
    b" tag#",
    b" source=",
    b"heroku.",
    b"a",
    b"=",
    b"\"",
    b"=\"",
    b"\\",
    b"-1.5",
    b"1e999",
    b"7",
    b"kB",
    b"\xc2\xb5s",
    b"\xff",
    b"\n",
];

/// Lines made of those.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let piece = proptest::sample::select(PIECES);
    prop_oneof![
        3 => proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat()),
        1 => proptest::collection::vec(any::<u8>(), 0..80),
    ]
}

fn has_word(key: &[u8]) -> bool {
    [&b"count#"[..], b"measure#", b"sample#", b"tag#"].iter().any(|word| key.starts_with(word))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The walk jumps; reading every pair and keeping those that are directives finds the same.
    #[test]
    fn agrees_with_reading_every_pair(line in line()) {
        let found: Vec<_> = directives(&line).map(|found| match found {
            Ok(Directive::Metric(metric)) => metric.offset(),
            Ok(Directive::Tag(tag)) => tag.offset(),
            Ok(other) => panic!("a new directive: {other:?}"),
            Err(refusal) => refusal.offset(),
        }).collect();
        let wanted: Vec<_> = pairs(&line).filter(|pair| {
            if has_word(pair.key()) {
                return pair.value().is_some() || !pair.key().ends_with(b"#") || pair.key().iter().filter(|&&o| o == b'#').count() > 1;
            }
            if pair.key() == b"source" {
                return pair.value().is_some_and(|value| !value.is_empty() || !pair.is_terminated());
            }
            !pair.is_terminated() && pairs(pair.value().unwrap_or_default()).any(|hidden| has_word(hidden.key()))
        }).map(|pair| pair.offset()).collect();
        prop_assert_eq!(found, wanted);
    }

    /// Every item is a pair of the line with such a key, in order; a usable one keeps what it promises.
    #[test]
    fn items_are_pairs(line in line()) {
        let mut all = pairs(&line);
        let mut tags = 0;
        for found in directives(&line) {
            let offset = match &found {
                Ok(Directive::Metric(metric)) => metric.offset(),
                Ok(Directive::Tag(tag)) => tag.offset(),
                Ok(other) => panic!("a new directive: {other:?}"),
                Err(refusal) => refusal.offset(),
            };
            let pair = all.find(|pair| pair.offset() == offset).expect("a pair further on");
            match found {
                Ok(Directive::Metric(metric)) => {
                    let key = format!("{}#{}", metric.kind(), metric.name());
                    prop_assert_eq!(key.as_bytes(), pair.key());
                    prop_assert_eq!(logfmt_metrics::number(pair.value().unwrap_or_default()), Ok(metric.value()));
                    prop_assert!(metric.value().regular().number().is_finite());
                    prop_assert!(metric.kind() != Kind::Count || metric.value().number() >= 0.0);
                }
                Ok(Directive::Tag(tag)) => {
                    tags += 1;
                    let (value, unescaped) = (tag.value(), pair.unescaped());
                    prop_assert_eq!(Some(value.as_bytes()), unescaped.as_deref());
                    prop_assert!(!tag.value().is_empty() && !tag.key().is_empty());
                }
                Ok(other) => panic!("a new directive: {other:?}"),
                Err(refusal) => prop_assert_eq!(refusal.range(), pair.range()),
            }
        }
        prop_assert!(tags <= MAX_TAGS);
    }

    #[test]
    fn no_hash_sign_means_nothing_but_source(line in line()) {
        if !maybe_metrics(&line) {
            for found in directives(&line) {
                let offset = match found {
                    Ok(Directive::Tag(tag)) => tag.offset(),
                    Ok(other) => panic!("not without a hash sign: {other:?}"),
                    Err(refusal) => refusal.offset(),
                };
                prop_assert!(line[offset..].starts_with(b"source="));
            }
        }
    }

    #[test]
    fn what_is_printed_reads_the_same(
        kind in prop_oneof![Just(Kind::Count), Just(Kind::Measure), Just(Kind::Sample)],
        name in "[A-Za-z0-9_.:/-]{1,40}".prop_filter("reserved", |name| !name.to_lowercase().starts_with("heroku.")),
        value in 0.0..1e15,
        unit in "[A-Za-z]{0,16}|%",
        key in "[A-Za-zä#\"._-]{1,20}",
        text in "[ -~äÖ]{1,40}",
        text_before in "[a-z ]{0,20}",
    ) {
        let line = format!("{text_before} {kind}#{name}={value}{unit} tag#{key}=\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let found: Vec<_> = directives(line.as_bytes()).collect::<Result<_, _>>().map_err(|e| TestCaseError::fail(e.to_string()))?;
        let [Directive::Metric(metric), Directive::Tag(tag)] = found[..] else { panic!("{line}: {found:?}") };
        prop_assert_eq!((metric.kind(), metric.name(), metric.value()), (kind, &*name, Value::new(value, Unit::new(&unit))));
        prop_assert_eq!((tag.key(), &*tag.value()), (&*key, &*text));
    }
}
