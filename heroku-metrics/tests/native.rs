//! Every native metric of the add-on's page, with its tags, comes out of a line in `testdata/`.

use heroku_metrics::model::{DataPointBuf, Kind};
use heroku_metrics::syslog::Delivery;
use heroku_metrics::syslog::Dialect;
use heroku_metrics::{DynoIdentity, ExtractorConfig, Families, NativeSet, Pipeline, PipelineConfig, native};
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
        .with_dialect(Dialect::ByHostname)
        .with_extractor(ExtractorConfig::new().with_app_name("shop").with_native_set(set));
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
        .filter(|metric| !metric.is_extended() && !metric.is_opt_in())
        .map(native::Native::name)
        .collect();
    assert_eq!(page, standard);
    for family in native::families() {
        for metric in family.metrics().iter().filter(|metric| !metric.is_extended() && !metric.is_opt_in()) {
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

/// An app may use names under `heroku.` that are no native ones; those of the tables it may not, whatever is collected.
#[test]
fn no_native_name_can_be_written_by_an_app() {
    for metric in native::families().iter().flat_map(native::Family::metrics) {
        for name in [metric.name().to_owned(), metric.name().to_uppercase()] {
            let line = format!("<190>1 2026-03-14T09:26:53Z host app web.1 - count#{name}=1");
            let mut pipeline = Pipeline::new(PipelineConfig::new()).unwrap();
            let receipt = pipeline.ingest(&Delivery::new(format!("{} {line}", line.len()).as_bytes()));
            assert_eq!((receipt.observed(), receipt.refused_values()), (0, 1), "{name}");
        }
    }
}

/// Lines of two dynos of one type, for each family that is collected on request, read as one asks for it alone.
#[test]
fn each_family_on_request_gives_its_metric_and_nothing_else_does() {
    let lines = [
        "heroku web.1 - State changed from starting to up",
        "heroku web.2 - Process exited with status 143",
        "app api - Release v12 created by ann@example.com",
        "heroku web.1 - Error R14 (Memory quota exceeded)",
        "heroku web.1 - source=web.1 sample#memory_total=128MB sample#memory_quota=512MB",
        "heroku web.2 - source=web.2 sample#memory_total=384MB sample#memory_quota=512MB",
        "heroku web.2 - Process running mem=600M(117.2%)",
        "heroku run.4821 - Process exited with status 1",
        "heroku run.4821 - Error R14 (Memory quota exceeded)",
    ];
    let body: String = lines
        .map(|line| format!("<45>1 2026-03-14T09:26:53Z host {line}"))
        .map(|line| format!("{} {line}", line.len()))
        .concat();
    let read = |families, config: ExtractorConfig| {
        let config = PipelineConfig::new().with_extractor(config.with_families(families));
        let mut pipeline = Pipeline::new(config).unwrap();
        assert!(pipeline.ingest(&Delivery::new(body.as_bytes())).balances());
        let mut points: Vec<DataPointBuf> = Vec::new();
        pipeline.finish(&mut points).unwrap();
        assert!(pipeline.ledger().balances());
        (points, pipeline.ledger().to_string())
    };
    let names = |points: &[DataPointBuf]| {
        points.iter().map(|point| point.as_point().name().to_owned()).collect::<BTreeSet<_>>()
    };
    let (always, _) = read(Families::NONE, ExtractorConfig::new());
    let always = names(&always);
    for name in Families::ALL.names() {
        let (points, _) = read(Families::named(name).unwrap(), ExtractorConfig::new());
        let more: Vec<_> = names(&points).difference(&always).cloned().collect();
        assert_eq!(more, [format!("heroku.{name}")]);
    }
    let config = ExtractorConfig::new().with_dyno_identity(DynoIdentity::Type).with_one_off_dynos(false);
    let (points, books) = read(Families::ALL, config);
    let point = |name: &str| {
        let mut found = points.iter().map(DataPointBuf::as_point).filter(|point| point.name() == name);
        let point = found.next().unwrap();
        assert!(found.next().is_none(), "{name}: dynos of a type share a stream");
        point
    };
    assert_eq!(point("heroku.dyno.mem.share").stats().mean(), Some(0.5));
    assert_eq!(point("heroku.dyno.mem.share").tags().to_string(), "dyno=web,source=web");
    assert_eq!(point("heroku.dyno.exit").stats().sum(), 1.0);
    assert_eq!(point("heroku.errors.runtime").stats().sum(), 1.0);
    assert!(books.contains("frames       9 in, 7 native, 2 one off\n"), "{books}");
}

#[test]
fn the_table_of_the_docs_is_current() {
    let page = std::fs::read_to_string(testkit::testdata().join("../docs/metrics.md")).unwrap();
    let start = "<!-- native metrics: printed by heroku_metrics::native::markdown() -->\n\n";
    let (_, rest) = page.split_once(start).expect("the marker before the table");
    let (table, _) = rest.split_once("<!-- end of native metrics -->").expect("the marker behind the table");
    assert_eq!(table, native::markdown(), "print the table with: cargo run -p examples --bin metric_table");
}
