//! What clients send, and what nobody should.

use super::*;

const NOW: i64 = 1_800_000_000;
const TIMES: Times = Times { now: NOW * 1_000_000, horizon: 3_600_000_000 };
const FORM: &str = "application/x-www-form-urlencoded";

fn json(text: &str) -> Result<Given, Unfit> {
    read("application/json", text.as_bytes(), TIMES)
}

fn form(text: &str) -> Result<Given, Unfit> {
    read(FORM, text.as_bytes(), TIMES)
}

/// Name, time, tags and numbers of each, in a line.
fn lines(given: Result<Given, Unfit>) -> Vec<String> {
    let line = |measured: Measured| {
        let tags: Vec<String> = measured.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let numbers = match measured.numbers {
            Numbers::One { value } => format!("{value}"),
            Numbers::Summary { count, sum, min, max, last } => format!("{count}:{sum} {min}..{max} {last}"),
        };
        let time = measured.time.map_or("now".to_owned(), |time| (time / 1_000_000 - NOW).to_string());
        format!("{} {time} {{{}}} {numbers}", measured.name, tags.join(","))
    };
    given.unwrap().all.into_iter().map(line).collect()
}

/// The parameters that are complained of.
fn wrong(given: Result<Given, Unfit>) -> Vec<String> {
    match given {
        Err(Unfit::Parameters(Value::Object(by))) => by.keys().cloned().collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn measurements_have_the_tags_and_the_time_of_the_body_or_their_own() {
    let text = format!(
        r#"{{"tags":{{"region":"us"}},"time":{NOW},"period":60,"measurements":[
            {{"name":"cpu","value":4.5}},
            {{"name":"rq","sum":10.0,"count":4,"min":1,"max":5,"last":2,"stddev":1.5,
              "tags":{{"app_name":"demo"}},"attributes":{{"aggregate":true}}}},
            {{"name":"queued","sum":3,"count":1,"time":{}.25}}]}}"#,
        NOW - 60
    );
    let given = json(&text).unwrap();
    assert!(given.is_timed);
    assert_eq!(
        lines(Ok(given)),
        ["cpu 0 {region=us} 4.5", "rq 0 {app_name=demo} 4:10 1..5 2", "queued -60 {region=us} 1:3 3..3 3"]
    );
    let untimed = json(r#"{"measurements":[{"name":"a","value":"7"}]}"#).unwrap();
    assert!(!untimed.is_timed, "two that say the same may be two");
    assert_eq!(lines(Ok(untimed)), ["a now {} 7"]);
}

#[test]
fn what_was_sent_before_there_were_tags_is_read() {
    let text = format!(
        r#"{{"source":"web.1","measure_time":{NOW},
            "gauges":[{{"name":"a","value":1,"source":null}},{{"name":"b","value":2,"source":"web.2"}},
                      {{"name":"c","count":2,"sum":4.0,"max":3.0,"sum_squares":10}}],
            "counters":[{{"name":"d","value":100,"measure_time":{}}}]}}"#,
        NOW - 1
    );
    let expected =
        ["a 0 {source=web.1} 1", "b 0 {source=web.2} 2", "c 0 {source=web.1} 2:4 2..3 2", "d -1 {source=web.1} 100"];
    assert_eq!(lines(json(&text)), expected);
    assert_eq!(
        lines(json(r#"{"gauges":{"login-delay":{"value":3.5,"source":"f"}}}"#)),
        ["login-delay now {source=f} 3.5"]
    );
}

#[test]
fn a_form_says_the_same() {
    for text in [
        "gauges[0][name]=a&gauges[0][value]=1.5&gauges[1][name]=b&gauges[1][value]=2&gauges[1][source]=w&source=s",
        "gauges%5B0%5D%5Bname%5D=a&gauges%5B0%5D%5Bvalue%5D=1.5&gauges[1][name]=b&gauges[1][value]=2&gauges[1][source]=w&source=s",
        "gauges[a][value]=1.5&source=s&gauges[b][value]=2&gauges[b][source]=w",
        "gauges[][name]=a&gauges[][value]=1.5&gauges[][name]=b&gauges[][value]=2&gauges[][source]=w&source=s",
    ] {
        assert_eq!(lines(form(text)), ["a now {source=s} 1.5", "b now {source=w} 2"], "{text}");
    }
    let tagged =
        "measurements[0][name]=a&measurements[0][value]=1&measurements[0][tags][region]=us&tags[x]=y&unknown=1";
    assert_eq!(lines(form(tagged)), ["a now {region=us} 1"]);
    // Who sends JSON and says what curl says.
    assert_eq!(lines(form(r#"{"gauges":[{"name":"a","value":1}]}"#)), ["a now {} 1"]);
    assert!(matches!(form("gauges=1"), Err(Unfit::Shape(_))));
}

#[test]
fn what_is_wrong_is_told_by_its_parameter() {
    let one = |inside: &str| wrong(json(&format!(r#"{{"measurements":[{{{inside}}}]}}"#)));
    for (inside, what) in [
        (r#""value":1"#, vec!["name"]),
        (r#""name":"","value":1"#, vec!["name"]),
        (r#""name":"two words","value":1"#, vec!["name"]),
        (r#""name":"\u0000","value":1"#, vec!["name"]),
        (r#""name":"a""#, vec!["value"]),
        (r#""name":"a","value":null"#, vec!["value"]),
        (r#""name":"a","value":"high""#, vec!["value"]),
        (r#""name":"a","value":"NaN""#, vec!["value"]),
        (r#""name":"a","value":[1]"#, vec!["value"]),
        (r#""name":"a","value":1e127"#, vec!["value"]),
        (r#""name":"a","value":1,"count":1"#, vec!["value"]),
        (r#""name":"a","count":1"#, vec!["value"]),
        (r#""name":"a","sum":1"#, vec!["value"]),
        (r#""name":"a","count":0,"sum":0"#, vec!["count"]),
        (r#""name":"a","count":1.5,"sum":1"#, vec!["count"]),
        (r#""name":"a","count":-1,"sum":1"#, vec!["count"]),
        (r#""name":"a","count":2,"sum":1,"min":3,"max":2"#, vec!["min"]),
        (r#""name":"a","count":2,"sum":5,"min":1,"max":4,"last":5"#, vec!["last"]),
        (r#""name":"a","value":1,"time":"noon""#, vec!["time"]),
        (r#""name":"a","value":1,"time":1799996399"#, vec!["time"]),
        (r#""name":"a","value":1,"time":1800000301"#, vec!["time"]),
        (r#""name":"a","value":1,"time":1800000000000"#, vec!["time"]),
        (r#""name":"a","value":1,"tags":{"":"b"}"#, vec!["tags"]),
        (r#""name":"a","value":1,"tags":{"b c":"d"}"#, vec!["tags"]),
        (r#""name":"a","value":1,"tags":{"b":""}"#, vec!["tags"]),
        (r#""name":"a","value":1,"tags":{"b":["c"]}"#, vec!["tags"]),
        (r#""name":"a b","tags":{"b":null}"#, vec!["name", "tags", "value"]),
    ] {
        assert_eq!(one(inside), what, "{inside}");
    }
    assert_eq!(wrong(json("{}")), ["measurements"]);
    assert_eq!(wrong(json(r#"{"gauges":[],"counters":[]}"#)), ["measurements"]);
    let tags: Vec<String> = (0..51).map(|tag| format!(r#""t{tag}":"x""#)).collect();
    assert_eq!(one(&format!(r#""name":"a","value":1,"tags":{{{}}}"#, tags.join(","))), ["tags"]);
    assert_eq!(one(&format!(r#""name":"a","value":1,"tags":{{"a":"{}"}}"#, "x".repeat(256))), ["tags"]);
    // At the edges it fits.
    for inside in [
        r#""name":"a","value":1,"time":1799996400"#,
        r#""name":"a","value":1,"time":1800000300"#,
        r#""name":"a","value":1e20"#,
        r#""name":"a","value":18446744073709551615"#,
        r#""name":"a","count":2,"sum":1,"min":0,"max":0.5,"last":0.5"#,
        r#""name":"a","value":1,"tags":{"b":"d e/f?\\","c":7,"d":true}"#,
    ] {
        assert!(json(&format!(r#"{{"measurements":[{{{inside}}}]}}"#)).is_ok(), "{inside}");
    }
    assert_eq!(lines(json(r#"{"measurements":[{"name":"a","value":1e-131}]}"#)), ["a now {} 0"]);
}

#[test]
fn what_makes_no_sense_is_refused_as_a_whole_and_with_little_memory() {
    for text in ["", "[]", "[1]", "7", "nothing", "{", r#"{"measurements":7}"#, r#"{"measurements":[7]}"#, "\u{0}"] {
        assert!(matches!(json(text), Err(Unfit::Shape(_))), "{text}");
    }
    let deep = format!(r#"{{"x":{}}}"#, "[".repeat(500_000));
    assert!(matches!(json(&deep), Err(Unfit::Shape(_))));
    let items = vec![r#"{"name":"a","value":1}"#; 1_001].join(",");
    assert_eq!(wrong(json(&format!(r#"{{"measurements":[{items}]}}"#))), ["measurements"]);
    let pairs: String = (0..2_000).map(|index| format!("gauges[{index}][value]=1&")).collect();
    assert_eq!(wrong(form(&pairs)), ["measurements"]);
    // Of a thousand complaints ten are told.
    let Err(Unfit::Parameters(what)) = json(&format!(r#"{{"measurements":[{}]}}"#, vec!["{}"; 1_000].join(","))) else {
        panic!("taken");
    };
    assert_eq!(what.as_object().unwrap().values().map(|list| list.as_array().unwrap().len()).sum::<usize>(), 10);
}

#[test]
fn metrics_of_opentelemetry_are_known_by_what_they_say() {
    assert_eq!(json(r#"{"resourceMetrics":[{"scopeMetrics":[]}]}"#), Err(Unfit::Otlp));
}
