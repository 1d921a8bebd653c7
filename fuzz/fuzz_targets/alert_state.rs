//! A state of rules from anywhere: refused with a reason, or rules that work, whose own state comes back as itself.
//!
//! The checksum is made right, so that what is tested is the decoder and not the checksum.
#![no_main]

use alert_rules::{LogRules, MetricRules, StateErrorKind, Tick, Verdict};
use family_fuzz::alerts::{MINUTE, log_rules, metric_rules, sealed};
use libfuzzer_sys::fuzz_target;
use log_query::Fields;
use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};

fuzz_target!(|content: &[u8]| {
    for refused in
        [LogRules::restore(content, log_rules()).err(), MetricRules::restore(MINUTE, content, metric_rules()).err()]
    {
        assert!(refused.is_none_or(|error| error.offset() <= content.len()));
    }
    match LogRules::restore(&sealed(b"ALERTL", 1, content), log_rules()) {
        Ok(rules) => log_works(rules),
        Err(error) => assert_eq!(error.kind(), StateErrorKind::Content, "{error}"),
    }
    for version in [1, 2] {
        match MetricRules::restore(MINUTE, &sealed(b"ALERTM", version, content), metric_rules()) {
            Ok(rules) => metric_works(rules),
            Err(error) => assert_eq!(error.kind(), StateErrorKind::Content, "{error}"),
        }
    }
});

fn log_works(mut rules: LogRules) {
    // A forged state may have been written in a way in which we would not; our own comes back as it is.
    let state = rules.state();
    let mut again = LogRules::restore(&state, log_rules()).expect("our own state");
    assert!(again.state() == state, "what was restored is what was written");
    let work = |rules: &mut LogRules| {
        let mut told = Vec::new();
        for step in 0..70_u64 {
            let id = rules.last_id().saturating_add(1);
            let time = Timestamp::from_unix_seconds(60 * step as i64);
            rules.event(id, time, &Fields::new(b"shop", b"app", if step % 3 == 0 { b"boom" } else { b"a" }));
            told.extend(rules.tick(Tick::new(id.saturating_add(1), time)));
        }
        for alert in told.iter().cloned().filter_map(Verdict::alert) {
            assert!(alert.ids().is_sorted() && alert.after() <= alert.until(), "{alert}");
        }
        told
    };
    assert_eq!(work(&mut rules), work(&mut again));
}

fn metric_works(mut rules: MetricRules) {
    let state = rules.state();
    let mut again = MetricRules::restore(MINUTE, &state, metric_rules()).expect("our own state");
    assert!(again.state() == state, "what was restored is what was written");
    let work = |rules: &mut MetricRules| {
        let mut told = Vec::new();
        for step in 0..12_u64 {
            let window = Window::containing(Timestamp::from_unix_seconds(60 * step as i64), MINUTE);
            let tags = TagSet::from_iter([("dyno", "web.1")]);
            let stats = Stats::sample(1, 2.0, 2.0, 2.0, 2.0);
            rules.point("shop", &DataPoint::new(window, Kind::Sample, "load", Unit::NONE, &tags, stats));
            rules.point("shop", &DataPoint::new(window, Kind::Count, "count", Unit::NONE, &tags, Stats::count(1, 1.0)));
            let id = rules.last_id().unwrap_or_default().saturating_add(1);
            told.extend(rules.tick(Tick::new(id, window.end()), window.end()));
        }
        told.iter().for_each(|verdict| drop(format!("{verdict:?}")));
        told.iter().cloned().filter_map(Verdict::alert).for_each(|alert| assert!(!alert.to_string().is_empty()));
        told.len()
    };
    assert_eq!(work(&mut rules), work(&mut again));
}
