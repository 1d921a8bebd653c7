//! Metric directives of any line: within their limits, inside the line, and read back when printed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logfmt_metrics::{Directive, MAX_NAME, MAX_TAG_KEY, MAX_TAG_VALUE, MAX_TAGS, directives, maybe_metrics};
use metric_model::Kind;

fuzz_target!(|line: &[u8]| {
    let (mut tags, mut metrics, mut last) = (0, 0, 0);
    for found in directives(line) {
        match found {
            Ok(Directive::Metric(metric)) => {
                assert!(metric.offset() >= last && metric.offset() < line.len());
                last = metric.offset();
                metrics += 1;
                let (name, value) = (metric.name(), metric.value());
                assert!((1..=MAX_NAME).contains(&name.len()));
                assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:/-".contains(&b)), "{name}");
                let families = ["router.", "postgres.", "dyno.", "errors.", "redis.", "pgbouncer.", "release."];
                if let Some(behind) = name.to_ascii_lowercase().strip_prefix("heroku.") {
                    assert!(behind != "release" && !families.iter().any(|family| behind.starts_with(family)), "{name}");
                }
                assert!(value.number().is_finite() && value.regular().number().is_finite());
                assert!(metric.kind() != Kind::Count || value.number() >= 0.0);

                let word = match metric.kind() {
                    Kind::Count => "count",
                    Kind::Measure => "measure",
                    Kind::Sample => "sample",
                };
                let printed = format!("{word}#{name}={}{}", value.number(), value.unit().as_str());
                match directives(printed.as_bytes()).collect::<Vec<_>>()[..] {
                    [Ok(Directive::Metric(again))] => {
                        assert_eq!((again.kind(), again.name(), again.value()), (metric.kind(), name, value));
                    }
                    ref other => panic!("{printed}: {other:?}"),
                }
            }
            Ok(Directive::Tag(tag)) => {
                assert!(tag.offset() >= last && tag.offset() < line.len());
                last = tag.offset();
                tags += 1;
                let value = tag.value();
                assert!((1..=MAX_TAG_KEY).contains(&tag.key().len()));
                assert!((1..=MAX_TAG_VALUE).contains(&value.len()));
                assert!(!tag.key().chars().any(char::is_control));
            }
            Ok(other) => unreachable!("{other:?}"),
            Err(refusal) => {
                assert!(refusal.offset() >= last && !refusal.range().is_empty());
                assert_eq!(refusal.range().end, refusal.range().end);
                assert!(refusal.range().end <= line.len());
                assert!(refusal.to_string().contains(&refusal.offset().to_string()));
                last = refusal.offset();
            }
        }
    }
    assert!(tags <= MAX_TAGS);
    assert!(metrics == 0 || maybe_metrics(line), "the short cut must not lose a metric");
});
