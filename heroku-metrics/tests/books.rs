//! Every message there is, from every sender, read in every way: the books balance, and nobody makes what is another's.

use heroku_metrics::aggregator::Outcome;
use heroku_metrics::model::Observation;
use heroku_metrics::syslog::{Delivery, Dialect, Frames};
use heroku_metrics::{
    CustomFrom, DynoIdentity, ExtractorConfig, Families, Line, NativeSet, Pipeline, PipelineConfig, Tap, native,
};
use std::collections::BTreeSet;

const SENDERS: [(&str, &str); 17] = [
    ("heroku", "router"),
    ("heroku", "web.1"),
    ("heroku", "run.4821"),
    ("heroku", "scheduler.17"),
    ("heroku", "logplex"),
    ("heroku", "api"),
    ("heroku", "-"),
    ("app", "api"),
    ("app", "web.1"),
    ("app", "run.4821"),
    ("app", "postgres.7"),
    ("app", "heroku-postgres"),
    ("app", "heroku-redis"),
    ("app", "heroku-pgbouncer"),
    ("t.1234", "web.1"),
    ("t.1234", "log-shuttle"),
    ("-", "-"),
];

const SENTENCES: [&str; 14] = [
    "State changed from starting to up",
    "State changed from ",
    "Process exited with status 143",
    "Process exited with status 99999",
    "Process exited in a hurry",
    "Process running mem=1038M(202.8%)",
    "Process running mem=1e999M(1%)",
    "Process running mem=",
    "Release v12 created by ann@example.com",
    "Release v created by",
    "Error ",
    "Error R14",
    "source=web.1 measure=memory_total val=766.50 units=MB",
    "source= dyno= sample#memory_total=0MB sample#memory_quota=0MB",
];

fn messages() -> BTreeSet<Vec<u8>> {
    let demo = std::fs::read(testkit::testdata().join("demo.logplex")).unwrap();
    let of_demo = Frames::new(&demo).filter_map(|raw| {
        let frame = raw.ok()?.parse(Dialect::Logplex).ok()?;
        Some(frame.message().to_vec())
    });
    of_demo.chain(SENTENCES.map(|text| text.as_bytes().to_vec())).collect()
}

/// What the pipeline made of one frame.
#[derive(Default)]
struct Seen {
    class: &'static str,
    names: Vec<String>,
}

impl Tap for Seen {
    fn line(&mut self, _: &heroku_metrics::syslog::Frame<'_>, line: &Line<'_>) {
        self.class = line.class().as_str();
    }

    fn observation(&mut self, observation: &Observation<'_>, _: Outcome) {
        self.names.push(observation.name().to_owned());
    }
}

#[test]
fn books_balance_and_nobody_makes_what_is_anothers() {
    let messages = messages();
    assert!(messages.len() > 300);
    let metrics = || native::families().iter().flat_map(native::Family::metrics);
    let natives: BTreeSet<_> = metrics().map(native::Native::name).collect();
    let on_request: BTreeSet<_> = metrics().filter(|metric| metric.is_opt_in()).map(native::Native::name).collect();
    let plain = ExtractorConfig::new;
    let configs = [
        (plain(), false, CustomFrom::App, Families::NONE),
        (plain().with_families(Families::ALL), false, CustomFrom::App, Families::ALL),
        (
            plain().with_one_off_dynos(false).with_custom_from(CustomFrom::AnyApp),
            true,
            CustomFrom::AnyApp,
            Families::NONE,
        ),
        (
            plain()
                .with_families(Families::ALL)
                .with_one_off_dynos(false)
                .with_native_set(NativeSet::Extended)
                .with_dyno_identity(DynoIdentity::Type),
            true,
            CustomFrom::App,
            Families::ALL,
        ),
    ];
    for (config, no_one_off, from, families) in configs {
        let config = PipelineConfig::new().with_extractor(config).with_dialect(Dialect::Logplex);
        let mut pipeline = Pipeline::new(config).unwrap();
        for (app, process) in SENDERS {
            for message in &messages {
                let head = format!("<190>1 2026-03-14T09:26:53Z host {app} {process} - ");
                let length = format!("{} ", head.len() + message.len());
                let body = [length.as_bytes(), head.as_bytes(), message].concat();
                let mut seen = Seen::default();
                let receipt = pipeline.ingest_with(&Delivery::new(&body), &mut seen);
                let told = || format!("{app} {process} {}: {}", message.escape_ascii(), seen.class);
                assert!(receipt.balances() && receipt.frames() == 1, "{}", told());
                assert_eq!(receipt.observed(), seen.names.len() as u64, "{}", told());
                let is_unread = receipt.unread_lines() == 1;
                assert_eq!(is_unread, seen.class.starts_with("unread_"), "{}", told());
                if is_unread || ["passed_over", "one_off", "text"].contains(&seen.class) {
                    assert!(seen.names.is_empty(), "{}", told());
                }
                let are_native = seen.names.iter().all(|name| natives.contains(name.as_str()));
                let is_service = process.starts_with("heroku-") || process == "log-shuttle" || process == "api";
                if app == "heroku" || is_service {
                    assert!(are_native, "{}: {:?}", told(), seen.names);
                } else {
                    assert!(seen.names.iter().all(|name| !natives.contains(name.as_str())), "{}", told());
                }
                if families == Families::NONE {
                    assert!(seen.names.iter().all(|name| !on_request.contains(name.as_str())), "{}", told());
                }
                if app == "heroku" && no_one_off && ["run.4821", "scheduler.17"].contains(&process) {
                    assert!(seen.names.is_empty(), "{}", told());
                }
                if !["app", "heroku"].contains(&app) && process != "log-shuttle" && from == CustomFrom::App {
                    assert!(seen.names.is_empty(), "{}", told());
                }
            }
        }
        let ledger = pipeline.ledger();
        assert!(ledger.balances());
        assert_eq!(ledger.total().frames(), (SENDERS.len() * messages.len()) as u64);
        let count = |name: &str| ledger.entries().find(|entry| entry.name() == name).unwrap().count();
        for kind in ["router", "runtime", "database", "error"] {
            assert!(count(&format!("unread: {kind}")) > 0, "{kind}");
        }
        assert_eq!(count("passed over") > 0, from == CustomFrom::App);
        assert_eq!(count("one off") > 0, no_one_off);
    }
}
