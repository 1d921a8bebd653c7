//! Every native metric of the add-on's page, with its tags, comes out of a line in `testdata/`.

use heroku_metrics::model::{DataPointBuf, Kind};
use heroku_metrics::syslog::Delivery;
use heroku_metrics::{DialectPolicy, ExtractorConfig, NativeSet, Pipeline, PipelineConfig, native};
use std::collections::BTreeSet;

const ROUTER: &[&str] = &["app_name", "dyno", "method", "source", "status_category", "status_code"];
const POSTGRES: &[&str] = &["addon", "app_name", "database"];
const DYNO: &[&str] = &["app_name", "dyno", "source"];
const HTTP: &[&str] =
    &["app_name", "code", "code_description", "dyno", "method", "source", "status_category", "status_code"];
const CODE: &[&str] = &["app_name", "code", "code_description"];
const P: &[&str] = &["", ".p50", ".p95", ".p99", ".p999"];

/// Name, suffixes of its streams, kind, unit, tags.
type Entry = (&'static str, &'static [&'static str], Kind, &'static str, &'static [&'static str]);

/// The list of the page, word for word.
const PAGE: &[Entry] = &[
    ("heroku.router.http.requests", &[""], Kind::Count, "", ROUTER),
    ("heroku.router.service.response_time", P, Kind::Measure, "ms", ROUTER),
    ("heroku.router.connect.latency", P, Kind::Measure, "ms", ROUTER),
    ("heroku.router.bytes", &[""], Kind::Measure, "bytes", ROUTER),
    ("heroku.postgres.load.load1", &[""], Kind::Sample, "", POSTGRES),
    ("heroku.postgres.load.load5", &[""], Kind::Sample, "", POSTGRES),
    ("heroku.postgres.load.load15", &[""], Kind::Sample, "", POSTGRES),
    ("heroku.postgres.mem.total", &[""], Kind::Sample, "bytes", POSTGRES),
    ("heroku.postgres.mem.free", &[""], Kind::Sample, "bytes", POSTGRES),
    ("heroku.postgres.mem.cache", &[""], Kind::Sample, "bytes", POSTGRES),
    ("heroku.postgres.mem.postgres", &[""], Kind::Sample, "bytes", POSTGRES),
    ("heroku.postgres.mem.used", &[""], Kind::Sample, "", POSTGRES),
    ("heroku.postgres.db.size", &[""], Kind::Sample, "bytes", POSTGRES),
    ("heroku.postgres.db.size_used", &[""], Kind::Sample, "", POSTGRES),
    ("heroku.postgres.db.tables", &[""], Kind::Sample, "", POSTGRES),
    ("heroku.postgres.db.connections_active", &[""], Kind::Sample, "", POSTGRES),
    ("heroku.postgres.db.connections_waiting", &[""], Kind::Sample, "", POSTGRES),
    ("heroku.postgres.db.current_transaction", &[""], Kind::Sample, "", POSTGRES),
    ("heroku.postgres.db.index_cache_hit_rate", &[""], Kind::Sample, "", POSTGRES),
    ("heroku.postgres.db.table_cache_hit_rate", &[""], Kind::Sample, "", POSTGRES),
    ("heroku.postgres.db.read_iops", &[""], Kind::Sample, "", POSTGRES),
    ("heroku.postgres.db.write_iops", &[""], Kind::Sample, "", POSTGRES),
    ("heroku.dyno.load.load1", &[""], Kind::Sample, "", DYNO),
    ("heroku.dyno.load.load5", &[""], Kind::Sample, "", DYNO),
    ("heroku.dyno.load.load15", &[""], Kind::Sample, "", DYNO),
    ("heroku.dyno.mem.rss", &[""], Kind::Sample, "bytes", DYNO),
    ("heroku.dyno.mem.swap", &[""], Kind::Sample, "bytes", DYNO),
    ("heroku.dyno.mem.cache", &[""], Kind::Sample, "bytes", DYNO),
    ("heroku.dyno.mem.total", &[""], Kind::Sample, "bytes", DYNO),
    ("heroku.dyno.mem.pgout", &[""], Kind::Sample, "pages", DYNO),
    ("heroku.dyno.mem.pgin", &[""], Kind::Sample, "pages", DYNO),
    ("heroku.dyno.mem.quota", &[""], Kind::Sample, "bytes", DYNO),
    ("heroku.errors.http", &[""], Kind::Count, "", HTTP),
    ("heroku.errors.logging", &[""], Kind::Count, "", CODE),
    ("heroku.errors.runtime", &[""], Kind::Count, "", CODE),
];

fn demo(set: NativeSet) -> Vec<DataPointBuf> {
    let body = std::fs::read(testkit::testdata().join("demo.logplex")).unwrap();
    let config = PipelineConfig::new()
        .dialect(DialectPolicy::ByHostname)
        .extractor(ExtractorConfig::new().app_name("shop").native_set(set));
    let mut pipeline = Pipeline::new(config).unwrap();
    let receipt = pipeline.ingest(&Delivery::new(&body));
    assert!(receipt.balances());
    let mut points: Vec<DataPointBuf> = Vec::new();
    pipeline.finish(&mut points).unwrap();
    assert!(pipeline.ledger().balances());
    points
}

#[test]
fn every_metric_of_the_page_comes_out_of_the_demo() {
    let points = demo(NativeSet::Standard);
    for (name, suffixes, kind, unit, tags) in PAGE {
        let found: Vec<_> = points.iter().map(DataPointBuf::as_point).filter(|point| point.name() == *name).collect();
        assert!(!found.is_empty(), "{name} comes out of no line");
        for point in &found {
            assert_eq!((point.kind(), point.unit().as_str()), (*kind, *unit), "{name}");
            let streams: Vec<_> = point.streams().map(|(stream, _)| stream.to_string()).collect();
            let expected: Vec<_> = suffixes.iter().map(|suffix| format!("{name}{suffix}")).collect();
            assert_eq!(streams, expected);
            let keys = || point.tags().iter().map(|(key, _)| key);
            assert!(keys().all(|key| tags.contains(&key)), "{name} has a tag beyond {tags:?}: {:?}", point.tags());
        }
        let whole = found.iter().any(|point| point.tags().iter().map(|(key, _)| key).eq(tags.iter().copied()));
        assert!(whole, "{name} never has all of {tags:?}");
    }
    let names: BTreeSet<_> = PAGE.iter().map(|entry| entry.0).collect();
    for point in points.iter().map(DataPointBuf::as_point).filter(|point| point.name().starts_with("heroku.")) {
        assert!(names.contains(point.name()), "{} is not on the page", point.name());
    }
}

#[test]
fn the_tables_hold_the_page_and_nothing_else_unless_extended() {
    let page: BTreeSet<_> = PAGE.iter().map(|entry| entry.0).collect();
    let standard: BTreeSet<_> = native::families()
        .iter()
        .flat_map(native::Family::metrics)
        .filter(|metric| !metric.is_extended())
        .map(native::Native::name)
        .collect();
    assert_eq!(page, standard);
    for family in native::families() {
        for metric in family.metrics().iter().filter(|metric| !metric.is_extended()) {
            let (.., kind, unit, tags) = PAGE.iter().find(|entry| entry.0 == metric.name()).unwrap();
            assert_eq!((metric.kind(), metric.unit().as_str()), (*kind, *unit));
            let mut sorted = family.tags().to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, *tags, "{}", metric.name());
        }
    }
}

#[test]
fn the_extended_set_comes_out_of_the_demo_too() {
    let points = demo(NativeSet::Extended);
    for prefix in ["heroku.redis.", "heroku.pgbouncer.", "heroku.postgres.disk."] {
        assert!(points.iter().any(|point| point.as_point().name().starts_with(prefix)), "{prefix}");
    }
}

#[test]
fn the_table_in_the_readme_is_current() {
    let readme = std::fs::read_to_string(testkit::testdata().join("../README.md")).unwrap();
    let start = "<!-- native metrics: printed by heroku_metrics::native::markdown() -->\n\n";
    let (_, rest) = readme.split_once(start).expect("the marker before the table");
    let (table, _) = rest.split_once("<!-- end of native metrics -->").expect("the marker behind the table");
    assert_eq!(table, native::markdown(), "print the table with: cargo run -p embed --bin metric_table");
}
