//! Directives: the cases of `testdata/directives.toml`, the texts of the refusals, and properties.

use logfmt_metrics::{Directive, MAX_TAG_VALUE, MAX_TAGS, Refusal, RefusalKind, directives, maybe_metrics, pairs};
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
            let unit = if unit == Unit::NONE { String::new() } else { format!("{unit} ") };
            format!("{} {} {number} {unit}@{}", metric.kind(), metric.name(), metric.offset())
        }
        Ok(Directive::Tag(tag)) => format!("tag {}={} @{}", tag.key(), tag.value(), tag.offset()),
        Ok(other) => panic!("a new directive: {other:?}"),
        Err(refusal) => {
            format!("{} {}..{}", refusal.kind().as_str(), refusal.offset(), refusal.range().end)
        }
    }
}

#[test]
fn cases() {
    let mut wrong = Vec::new();
    for case in testkit::cases("directives") {
        let expect: Expect = case.expect();
        let found: Vec<_> = directives(&case.input).collect();
        if let Some(wanted) = expect.found {
            let found: Vec<_> = found.iter().map(shown).collect();
            if found != wanted {
                wrong.push(format!("{}: {found:?} and not {wanted:?}", case.name));
            }
            continue;
        }
        let (mut metrics, mut tags, mut refused) = (0, 0, BTreeMap::<String, usize>::new());
        for found in found {
            match found {
                Ok(Directive::Metric(_)) => metrics += 1,
                Ok(Directive::Tag(_)) => tags += 1,
                Ok(other) => panic!("a new directive: {other:?}"),
                Err(refusal) => *refused.entry(refusal.kind().as_str().to_owned()).or_default() += 1,
            }
        }
        if (metrics, tags, &refused) != (expect.metrics, expect.tags, &expect.refused) {
            wrong.push(format!("{}: {metrics} metrics, {tags} tags, {refused:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_refusal_says_what_which_part_and_where() {
    let long = |before: &str, byte: &str, times, behind: &str| format!("{before}{}{behind}", byte.repeat(times));
    let lines: [(RefusalKind, Vec<u8>, &str); 17] = [
        (RefusalKind::NoValue, b"ok count#a".to_vec(), "no value in metric or tag at byte 3"),
        (RefusalKind::NotANumber, b"count#a=x".to_vec(), "no number in metric value at byte 0"),
        (RefusalKind::NotFinite, b"sample#a=1e999".to_vec(), "beyond the largest double in metric value at byte 0"),
        (RefusalKind::NegativeCount, b"  count#a=-1".to_vec(), "negative number in count value at byte 2"),
        (RefusalKind::BadUnit, b"count#a=1,5".to_vec(), "not 1 to 16 letters or % in unit of metric value at byte 0"),
        (RefusalKind::BadName, b"count#a,b=1".to_vec(), "empty, or not of A-Za-z0-9_.:/-, in metric name at byte 0"),
        (
            RefusalKind::NameTooLong,
            long("count#", "n", 256, "=1").into_bytes(),
            "more than 255 bytes in metric name at byte 0",
        ),
        (
            RefusalKind::ReservedName,
            b"count#heroku.dyno.a=1".to_vec(),
            "a family of the platform in metric name at byte 0",
        ),
        (RefusalKind::BadTagKey, b"tag#=v".to_vec(), "empty, or a control character, in tag key at byte 0"),
        (
            RefusalKind::TagKeyTooLong,
            long("tag#", "k", 65, "=v").into_bytes(),
            "more than 64 bytes in tag key at byte 0",
        ),
        (RefusalKind::BadTagValue, b"tag#k=".to_vec(), "no text, or a double quote, in tag value at byte 0"),
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
        (RefusalKind::Quoted, b"q=\"count#a=1\"".to_vec(), "metric in a quoted value at byte 3"),
        (RefusalKind::Misplaced, b"/?count#a=1".to_vec(), "metric that is not at the start of a word at byte 2"),
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
    assert!(walk.next().is_some());
    assert!(walk.next().is_none() && walk.next().is_none());
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
    b"-1.5",
    b"1e999",
    b"7",
    b"kB",
    b"\xc2\xb5s",
    b"\xff",
    b"\n",
    b"\"",
    b"=\"",
    b"\\",
    b"\\\"",
    b"'",
    b"='",
    b"{",
    b"}",
    b"[",
    b"(",
    b",",
    b":",
    b": ",
    b"\"msg\":\"",
    b"{\"msg\":\"",
    b" msg=\"",
    b"\",\"a\":\"",
    b"\\n",
    b"\\u0023",
    b"\\u001b[1m",
    b"HTTP/",
    b"/x?",
];

/// Those of them that neither quote nor end a value.
const PLAIN: usize = 18;

/// Lines made of the first `pieces`.
fn line_of(pieces: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(proptest::sample::select(&PIECES[..pieces]), 0..40).prop_map(|pieces| pieces.concat())
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![3 => line_of(PIECES.len()), 1 => proptest::collection::vec(any::<u8>(), 0..80)]
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where a metric's word stands with a name behind it, that is no end of another word.
fn metric_words(line: &[u8]) -> Vec<usize> {
    let is_word = |at: &usize| {
        let rest = &line[*at..];
        let word = [&b"count#"[..], b"measure#", b"sample#"].into_iter().find(|word| rest.starts_with(word));
        let name = word.and_then(|word| rest.get(word.len()));
        let is_named = name.is_some_and(|&byte| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte));
        is_named && !at.checked_sub(1).is_some_and(|before| is_of_word(line[before]))
    };
    (0..line.len()).filter(is_word).collect()
}

fn offset(found: &Result<Directive<'_>, Refusal>) -> usize {
    match found {
        Ok(Directive::Metric(metric)) => metric.offset(),
        Ok(Directive::Tag(tag)) => tag.offset(),
        Ok(other) => panic!("a new directive: {other:?}"),
        Err(refusal) => refusal.offset(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn every_metric_word_is_counted_or_refused(line in line()) {
        let found: Vec<_> = directives(&line).collect();
        for at in metric_words(&line) {
            let is_told = found.iter().any(|found| match found {
                Ok(Directive::Metric(metric)) => metric.offset() == at,
                Err(refusal) => refusal.range().contains(&at),
                _ => false,
            });
            prop_assert!(is_told, "{} of {}: {found:?}", at, line.escape_ascii());
        }
    }

    #[test]
    fn items_stand_in_order_within_the_line_and_keep_their_limits(line in line()) {
        let (mut tags, mut last) = (0, 0);
        for found in directives(&line) {
            prop_assert!(offset(&found) >= last, "{}", line.escape_ascii());
            last = offset(&found);
            match found {
                Ok(Directive::Metric(metric)) => {
                    prop_assert!(metric.value().regular().number().is_finite());
                    prop_assert!(metric.kind() != Kind::Count || metric.value().number() >= 0.0);
                    prop_assert!(!metric.name().is_empty() && !metric.name().to_ascii_lowercase().starts_with("heroku.dyno."));
                }
                Ok(Directive::Tag(tag)) => {
                    tags += 1;
                    prop_assert!((1..=MAX_TAG_VALUE).contains(&tag.value().len()) && !tag.key().is_empty());
                }
                Ok(other) => panic!("a new directive: {other:?}"),
                Err(refusal) => prop_assert!(!refusal.range().is_empty() && refusal.range().end <= line.len()),
            }
        }
        prop_assert!(tags <= MAX_TAGS);
    }

    /// Where nothing quotes and nothing stands behind a value, directives are pairs of the line with such a key.
    #[test]
    fn items_of_plain_lines_are_pairs(line in line_of(PLAIN)) {
        let mut all = pairs(&line);
        for found in directives(&line) {
            if matches!(found, Err(refusal) if refusal.kind() == RefusalKind::Misplaced) {
                continue;
            }
            let at = offset(&found);
            let pair = all.find(|pair| pair.offset() == at).expect("a pair further on");
            match found {
                Ok(Directive::Metric(metric)) => {
                    let key = format!("{}#{}", metric.kind(), metric.name());
                    prop_assert_eq!(key.as_bytes(), pair.key());
                    let value = pair.value().unwrap_or_default();
                    let dots = value.iter().rev().take_while(|&&byte| byte == b'.').count();
                    prop_assert_eq!(logfmt_metrics::number(&value[..value.len() - dots]), Ok(metric.value()));
                }
                Ok(Directive::Tag(tag)) => {
                    let (value, unescaped) = (tag.value(), pair.unescaped());
                    let text = unescaped.as_deref().and_then(|text| str::from_utf8(text).ok());
                    prop_assert_eq!(Some(&*value), text.map(|text| text.trim_end_matches('.')));
                }
                Ok(other) => panic!("a new directive: {other:?}"),
                Err(refusal) => prop_assert_eq!(refusal.range(), pair.range()),
            }
        }
    }

    /// What stands in the strings of a line of JSON is escaped there, so that it stays in them: nothing of it is counted.
    #[test]
    fn a_client_does_not_leave_its_string(text in "[ -~]{0,40}", pieces in line_of(PIECES.len()), single in any::<bool>()) {
        let text = format!("{text}{} count#forged=1 ", String::from_utf8_lossy(&pieces));
        let quote = if single { '\'' } else { '"' };
        let escaped = text.replace('\\', "\\\\").replace(quote, &format!("\\{quote}"));
        for line in [
            format!("{{\"ip\":1,{quote}ua{quote}:{quote}{escaped}{quote},\"msg\":\"count#own=1\"}}"),
            format!("ua={quote}{escaped}{quote} msg=\"count#own=1\""),
            format!("\"GET / HTTP/1.1\" {quote}{escaped}{quote} count#own=1"),
        ] {
            // A single quote in front of a letter is an apostrophe, and a backslash before a quote is none of Python's.
            let counted: Vec<_> = directives(line.as_bytes()).filter_map(|found| match found {
                Ok(Directive::Metric(metric)) => Some(metric.name().to_owned()),
                _ => None,
            }).collect();
            prop_assert_eq!(counted, ["own"], "{}", line);
        }
    }

    #[test]
    fn no_hash_sign_means_nothing_but_source(line in line()) {
        if !maybe_metrics(&line) {
            for found in directives(&line) {
                prop_assert!(!matches!(found, Ok(Directive::Metric(_))));
                prop_assert!(line[offset(&found)..].starts_with(b"source"));
            }
        }
    }

    #[test]
    fn what_is_printed_reads_the_same(
        kind in prop_oneof![Just(Kind::Count), Just(Kind::Measure), Just(Kind::Sample)],
        name in "[A-Za-z0-9_.:/-]{1,40}".prop_filter("reserved", |name| !name.to_lowercase().starts_with("heroku.")),
        value in 0.0..1e15,
        unit in "[A-Za-z]{0,16}|%",
        key in "[A-Za-zä._-]{1,20}",
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
