//! Lines and what they say: `testdata/lines.toml`.

use heroku_metrics::model::Observation;
use heroku_metrics::syslog::{Dialect, Frame};
use heroku_metrics::{DynoIdentity, Extractor, ExtractorConfig, LineRefusal, NativeSet, Part, UnitPolicy};
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
    ignored: u32,
    #[serde(default)]
    extended: bool,
    #[serde(default)]
    logical: bool,
    #[serde(default)]
    as_written: bool,
    app: Option<String>,
    dialect: Option<String>,
}

fn config(expect: &Expect) -> ExtractorConfig {
    let mut config = ExtractorConfig::new();
    if expect.extended {
        config = config.native_set(NativeSet::Extended);
    }
    if expect.logical {
        config = config.dyno_identity(DynoIdentity::Logical);
    }
    if expect.as_written {
        config = config.units(UnitPolicy::AsWritten);
    }
    expect.app.iter().fold(config, |config, name| config.app_name(name.as_str()))
}

#[test]
fn lines_say_what_the_cases_say() {
    for case in testkit::cases("lines") {
        let expect: Expect = case.expect();
        let dialect = if expect.dialect.is_some() { Dialect::Rfc5424 } else { Dialect::Logplex };
        let frame = Frame::parse(&case.input, dialect).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let (mut observations, mut refused) = (Vec::new(), Vec::new());
        let mut visitor = (
            |seen: &Observation<'_>| {
                let value = seen.value();
                observations.push(format!(
                    "{} {} {} {} {}",
                    seen.kind(),
                    seen.name(),
                    value.number(),
                    value.unit(),
                    seen.tags()
                ));
            },
            |refusal: &LineRefusal| {
                let part = match refusal.part() {
                    Part::Value => "value",
                    Part::Tag => "tag",
                    _ => "field",
                };
                refused.push(format!("{} {part}", refusal.reason()));
            },
        );
        let line = Extractor::new(config(&expect)).read(&frame, &mut visitor);
        assert_eq!(line.class().as_str(), expect.class, "{}", case.name);
        assert_eq!(observations, expect.observations, "{}", case.name);
        assert_eq!(refused, expect.refused, "{}", case.name);
        assert_eq!(line.ignored_samples(), expect.ignored, "{}", case.name);
    }
}

#[test]
fn websocket_latency_can_be_asked_for() {
    let line = b"<158>1 2026-03-14T09:26:53Z host heroku router - at=info method=GET path=\"/\" service=9ms status=101 bytes=1";
    let frame = Frame::parse(line, Dialect::Logplex).unwrap();
    let mut names = Vec::new();
    let mut visitor = (|seen: &Observation<'_>| names.push(seen.name().to_owned()), |_: &LineRefusal| ());
    Extractor::new(ExtractorConfig::new().websocket_latency(true)).read(&frame, &mut visitor);
    assert_eq!(names, ["heroku.router.http.requests", "heroku.router.service.response_time", "heroku.router.bytes"]);
}
