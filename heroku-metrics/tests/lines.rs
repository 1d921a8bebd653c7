//! Lines and what they say: `testdata/lines.toml`.

use heroku_metrics::model::Record;
use heroku_metrics::syslog::{Dialect, Frame};
use heroku_metrics::{
    CustomFrom, DynoIdentity, Extractor, ExtractorConfig, Families, LineRefusal, NativeSet, Pipeline, PipelineConfig,
    Reason, UnitPolicy, native,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    class: String,
    #[serde(default)]
    observations: Vec<String>,
    #[serde(default)]
    refused: Vec<String>,
    #[serde(default)]
    ignored: u64,
    #[serde(default)]
    extended: bool,
    #[serde(default)]
    logical: bool,
    #[serde(default)]
    as_written: bool,
    #[serde(default)]
    any_app: bool,
    #[serde(default, rename = "type")]
    by_type: bool,
    #[serde(default)]
    no_one_off: bool,
    #[serde(default)]
    families: Vec<String>,
    app: Option<String>,
    dialect: Option<String>,
}

fn config(expect: &Expect) -> ExtractorConfig {
    let mut config = ExtractorConfig::new();
    if expect.extended {
        config = config.with_native_set(NativeSet::Extended);
    }
    if expect.logical {
        config = config.with_dyno_identity(DynoIdentity::Logical);
    }
    if expect.as_written {
        config = config.with_units(UnitPolicy::AsWritten);
    }
    if expect.any_app {
        config = config.with_custom_from(CustomFrom::AnyApp);
    }
    if expect.by_type {
        config = config.with_dyno_identity(DynoIdentity::Type);
    }
    let families = expect.families.iter().map(|name| Families::named(name).unwrap());
    config = config.with_one_off_dynos(!expect.no_one_off).with_families(families.fold(Families::NONE, Families::with));
    expect.app.iter().fold(config, |config, name| config.with_app_name(name.as_str()))
}

#[test]
fn lines_say_what_the_cases_say() {
    for case in testkit::cases("lines") {
        let expect: Expect = case.expect();
        let dialect = if expect.dialect.is_some() { Dialect::Rfc5424 } else { Dialect::Logplex };
        let frame = Frame::parse(&case.input, dialect).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let (mut observations, mut refused) = (Vec::new(), Vec::new());
        let mut visitor = (
            |record: &Record<'_>| {
                observations.extend(record.observations().map(|seen| {
                    let value = seen.value();
                    format!("{} {} {} {} {}", seen.kind(), seen.name(), value.number(), value.unit(), seen.tags())
                }));
            },
            |refusal: &LineRefusal| {
                let part = refusal.part();
                refused.push(format!("{} {part}", refusal.reason().as_str()));
            },
        );
        let mut extractor = Extractor::new(config(&expect));
        let line = extractor.read(&frame, &mut visitor);
        assert_eq!(line.class().as_str(), expect.class, "{}", case.name);
        assert_eq!(observations, expect.observations, "{}", case.name);
        assert_eq!(refused, expect.refused, "{}", case.name);
        let mut pipeline = Pipeline::new(PipelineConfig::new().with_extractor(config(&expect))).unwrap();
        pipeline.ingest_line(Ok(frame), frame.bytes(), frame.bytes().len() as u64, &mut ());
        let ignored = pipeline.ledger().entries().find(|entry| entry.name() == "ignored samples");
        assert_eq!(ignored.map(|entry| entry.count()), Some(expect.ignored), "{}", case.name);
    }
}

#[test]
fn websocket_latency_can_be_asked_for() {
    let line = b"<158>1 2026-03-14T09:26:53Z host heroku router - at=info method=GET path=\"/\" service=9ms status=101 bytes=1";
    let frame = Frame::parse(line, Dialect::Logplex).unwrap();
    let mut names = Vec::new();
    let named = |record: &Record<'_>| names.extend(record.observations().map(|seen| seen.name().to_owned()));
    let mut visitor = (named, |_: &LineRefusal| ());
    Extractor::new(ExtractorConfig::new().with_websocket_latency(true)).read(&frame, &mut visitor);
    assert_eq!(names, ["heroku.router.http.requests", "heroku.router.service.response_time", "heroku.router.bytes"]);
}

/// What of the frame is refused, and why.
fn refused(frame: &[u8]) -> Vec<(&'static str, &'static str)> {
    let frame = Frame::parse(frame, Dialect::Logplex).unwrap();
    let mut refused = Vec::new();
    let mut visitor =
        (|_: &Record<'_>| (), |refusal: &LineRefusal| refused.push((refusal.reason().as_str(), refusal.part())));
    Extractor::new(ExtractorConfig::new()).read(&frame, &mut visitor);
    refused
}

#[test]
fn every_reason_is_told_of_the_part_that_it_is_about() {
    const APP: &str = "<190>1 2026-03-14T09:26:53Z host app web.1 - ";
    const DYNO: &str = "<190>1 2026-03-14T09:26:53Z host heroku web.1 - source=web.1 ";
    const ROUTER: &str = "<158>1 2026-03-14T09:26:53Z host heroku router - at=info method=GET path=/ status=200 ";
    const NO_STATUS: &str = "<158>1 2026-03-14T09:26:53Z host heroku router - at=info method=GET path=/ ";
    let long = |before: &str, times| format!("{before}{}=1", "n".repeat(times));
    let mut met: Vec<&str> = Vec::new();
    for (head, line, reason, part) in [
        (APP, "count#a".as_bytes(), "no_value", "value"),
        (APP, b"count#a=", "no_value", "value"),
        (APP, b"tag#k count#a=1", "no_value", "tag"),
        (APP, b"count#a=x", "not_a_number", "value"),
        (APP, b"sample#a=1e999", "not_finite", "value"),
        (APP, b"count#a=-1", "negative_count", "value"),
        (APP, b"count#a=1,5", "bad_unit", "value"),
        (APP, b"count#a,b=1", "bad_name", "value"),
        (APP, long("count#", 256).as_bytes(), "name_too_long", "value"),
        (APP, b"count#heroku.dyno.a=1", "reserved_name", "value"),
        (APP, b"tag#=v count#a=1", "bad_tag_key", "tag"),
        (APP, long("count#a=1 tag#", 65).as_bytes(), "tag_key_too_long", "tag"),
        (APP, b"tag#k= count#a=1", "bad_tag_value", "tag"),
        (APP, long("count#a=1 tag#k=", 256).as_bytes(), "tag_value_too_long", "tag"),
        (APP, format!("count#a=1{}", " tag#k=v".repeat(51)).as_bytes(), "too_many_tags", "tag"),
        (APP, b"count#\xff=1", "not_utf8", "value"),
        (APP, b"source=\xff count#a=1", "not_utf8", "tag"),
        (APP, b"count#a=\"1", "unterminated_quote", "value"),
        (APP, b"count#a=1 tag#k=\"v", "unterminated_quote", "tag"),
        (APP, b"count#a=1 tag#k=v\"w", "bad_tag_value", "tag"),
        (APP, b"q=\"count#a=1\"", "quoted", "value"),
        (APP, b"GET /x?count#a=1", "misplaced", "value"),
        (DYNO, b"sample#memory_rss ", "no_value", "value"),
        (DYNO, b"sample#memory_rss= ", "no_value", "value"),
        (DYNO, b"sample#memory_rss=1", "cut", "value"),
        (NO_STATUS, b"dyno=web.1 service=51", "cut", "value"),
        (DYNO, b"sample#memory_rss=x", "not_a_number", "value"),
        (DYNO, b"sample#memory_rss=1e999MB", "not_finite", "value"),
        (DYNO, b"sample#memory_rss=1e308MB", "not_finite", "value"),
        (DYNO, b"sample#memory_rss=1ms", "bad_unit", "value"),
        (DYNO, b"sample#memory_rss=1MB,", "bad_unit", "value"),
        (DYNO, b"dyno=\xff sample#memory_rss=1MB", "not_utf8", "tag"),
        (ROUTER, b"service=x", "not_a_number", "value"),
        (ROUTER, b"connect=1kB", "bad_unit", "value"),
        (ROUTER, b"bytes=99999999999999999999", "out_of_range", "value"),
        (NO_STATUS, b"status=20x bytes=1", "bad_status", "tag"),
        (ROUTER, b"queue=x", "not_a_number", "field"),
        (ROUTER, b"colour=\"blue", "unterminated_quote", "field"),
        ("<190>1 - host app web.1 - ", b"count#a=1", "no_timestamp", "value"),
    ] {
        let frame = [head.as_bytes(), line].concat();
        assert_eq!(refused(&frame), [(reason, part)], "{}", frame.escape_ascii());
        met.push(reason);
    }
    met.sort_unstable();
    met.dedup();
    // Of those of newer crates there can be none.
    let missing: Vec<_> = Reason::ALL.into_iter().map(Reason::as_str).filter(|reason| !met.contains(reason)).collect();
    assert_eq!(missing, ["other"], "a line for each");
}

/// What the platform says in plain words is text, not a format that changed.
#[test]
fn sentences_of_the_platform_are_text() {
    for line in [
        "State changed from starting to up",
        "Starting process with command `bundle exec puma -C config/puma.rb`",
        "Starting process with command: `rake x=1`",
        "Process exited with status 143",
        "Process exited",
        "Stopping all processes with SIGTERM",
        "Stopping process with SIGKILL",
        "Process running mem=1038M(202.8%)",
        "Idling",
        "Idling because quota is exhausted",
        "Unidling",
        "Restarting",
        "Cycling",
        "Awaiting client",
        "Client connection closed. Sending SIGHUP to all processes",
        "Relocating dyno to a new server",
        "Build succeeded",
        "",
    ] {
        let text = format!("<45>1 2026-03-14T09:26:53Z host heroku web.1 - {line}");
        let frame = Frame::parse(text.as_bytes(), Dialect::Logplex).unwrap();
        let mut extractor = Extractor::new(ExtractorConfig::new());
        let read = extractor.read(&frame, &mut ());
        assert_eq!(read.class().as_str(), "text", "{line}");
    }
}

#[test]
fn a_line_hands_on_what_was_read() {
    let read = |text: &str, check: &dyn Fn(heroku_metrics::Line<'_>)| {
        let frame = Frame::parse(text.as_bytes(), Dialect::Logplex).unwrap();
        check(Extractor::new(ExtractorConfig::new()).read(&frame, &mut ()));
    };
    for line in
        ["at=info method=GET path=/ status=200", "at=\x1b[2minfo\x1b[0m method=GET path=/ \x1b[1mstatus=20\x1b[22m0"]
    {
        read(&format!("<158>1 2026-03-14T09:26:53Z host heroku router - {line}"), &|line| {
            assert_eq!(line.router().and_then(|router| router.status()), Some(200));
            assert!(line.error().is_none());
        });
    }
    for (text, code) in [
        ("<40>1 2026-03-14T09:26:53Z host heroku web.1 - Error R14 (Memory quota exceeded)", "R14"),
        (
            "<172>1 2026-03-14T09:26:53Z host heroku logplex - Error L10 (output buffer overflow): 7 messages dropped",
            "L10",
        ),
    ] {
        read(text, &|line| {
            assert_eq!(line.error().map(|error| error.code().as_str()), Some(code), "{text}");
            assert!(line.router().is_none());
        });
    }
    read("<190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1", &|line| {
        assert!(line.router().is_none() && line.error().is_none());
    });
}

#[test]
fn a_refusal_shows_what_it_is_about() {
    for (frame, text) in [
        ("<190>1 - host app web.1 - ok count#signups=1 more", "count#signups"),
        ("<190>1 - host app web.1 - ok measure#a=1ms more", "measure#a"),
        ("<190>1 2026-03-14T09:26:53Z host app web.1 - ok count#a=1,5 more", "count#a=1,5"),
        ("<190>1 2026-03-14T09:26:53Z host app web.1 - q=\"x count#a=1 y\" more", "count#a=1"),
        ("<190>1 2026-03-14T09:26:53Z host app web.1 - ok /x?measure#a=1ms&b", "measure#a=1ms"),
        (
            "<190>1 2026-03-14T09:26:53Z host app web.1 - \x1b[1mok\x1b[0m \x1b[2mcount#\x1b[3ma=x\x1b[0m more",
            "count#\x1b[3ma=x",
        ),
        ("<190>1 - host heroku web.1 - source=web.1 sample#memory_rss=1MB", "sample#memory_rss=1MB"),
        ("<190>1 2026-03-14T09:26:53Z host heroku web.1 - sample#memory_rss=1ms", "sample#memory_rss=1ms"),
        ("<158>1 2026-03-14T09:26:53Z host heroku router - at=info method=GET status=20x bytes=1", "status=20x"),
        ("<158>1 - host heroku router - at=info status=200", "at=info status=200"),
        ("<158>1 - host heroku router - at=info method=GET service=1", "at=info method=GET service=1"),
    ] {
        let frame = Frame::parse(frame.as_bytes(), Dialect::Logplex).unwrap();
        let mut shown = Vec::new();
        let mut visitor = (
            |_: &Record<'_>| (),
            |refusal: &LineRefusal| shown.push(String::from_utf8_lossy(refusal.text(frame.message())).into_owned()),
        );
        Extractor::new(ExtractorConfig::new()).read(&frame, &mut visitor);
        assert_eq!(shown, [text]);
    }
}

/// What the line says, record by record.
fn records(head: &str, line: &str) -> Vec<Vec<String>> {
    let frame = format!("<190>1 2026-03-14T09:26:53Z host {head} - {line}");
    let frame = Frame::parse(frame.as_bytes(), Dialect::Logplex).unwrap();
    let mut records = Vec::new();
    let said = |record: &Record<'_>| {
        assert!(record.metrics().len() <= 16 && record.values().len() == record.metrics().len());
        let values = record.observations().map(|seen| format!("{} {}", seen.name(), seen.value().number()));
        records.push(values.collect::<Vec<_>>());
    };
    let config = ExtractorConfig::new().with_native_set(NativeSet::Extended).with_families(Families::ALL);
    Extractor::new(config).read(&frame, &mut (said, |_: &LineRefusal| ()));
    records
}

/// A line in the platform's order is one record; in another it is as many as it takes to tell its values in the order in
/// which they stand there, with those that stand there twice.
#[test]
fn values_come_in_the_order_of_the_line() {
    const QUOTA: f64 = 512.0 * 1024.0 * 1024.0;
    let said = records("heroku web.1", "source=web.1 sample#memory_total=128MB sample#memory_quota=512MB");
    let mem = |name: &str, value: f64| format!("heroku.dyno.mem.{name} {value}");
    assert_eq!(said, [[mem("total", QUOTA / 4.0), mem("quota", QUOTA), mem("share", 0.25)]]);
    let said = records(
        "heroku web.1",
        "source=web.1 sample#memory_quota=512MB sample#memory_total=128MB sample#memory_total=256MB sample#load_avg_1m=0.25",
    );
    let first = vec![mem("quota", QUOTA)];
    let second = vec![mem("total", QUOTA / 4.0)];
    let third = vec![mem("total", QUOTA / 2.0)];
    let fourth = vec!["heroku.dyno.load.load1 0.25".to_owned(), mem("share", 0.25)];
    assert_eq!(said, [first, second, third, fourth]);
    // A database tells more than fit in one record.
    let fields = native::families()[1].metrics().iter().map(|metric| format!("sample#{}=1", metric.field()));
    let said = records("app heroku-postgres", &format!("source=DATABASE {}", fields.collect::<Vec<_>>().join(" ")));
    assert_eq!(said.iter().map(Vec::len).collect::<Vec<_>>(), [16, 11]);
    let names: Vec<_> = native::families()[1].metrics().iter().map(native::Native::name).collect();
    assert!(said.concat().iter().zip(&names).all(|(said, name)| said.starts_with(name)));
}

#[test]
fn a_line_of_many_metrics_is_several_records() {
    for metrics in [1, 15, 16, 17, 32, 33, 100] {
        let words: Vec<_> =
            (0..metrics).map(|nth| format!("count#m{nth}={nth} count#bad{nth}=x tag#t{nth}=v")).collect();
        let said = records("app web.1", &words.join(" "));
        assert_eq!(said.len(), (metrics as usize).div_ceil(16));
        assert_eq!(said.concat(), (0..metrics).map(|nth| format!("m{nth} {nth}")).collect::<Vec<_>>());
    }
}
