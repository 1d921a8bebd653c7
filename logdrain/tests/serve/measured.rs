//! What programs measure themselves and send as they sent it to Librato: taken, counted once, in the rows and the minutes.

use crate::crash::{Dice, kills};
use crate::harness::{Answer, PATIENCE, Server, now_micros, request, scratch, wait_until, written};
use crate::rights::{House, basic};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// As the Python client says who it is.
const AGENT: (&str, &str) = ("User-Agent", "python-librato/3.1.0 (python; 3.11)");
const JSON: (&str, &str) = ("Content-Type", "application/json");

fn send(address: SocketAddr, path: &str, more: &[(&str, &str)], body: &str) -> Answer {
    request(address, "POST", path, &[&[JSON, AGENT], more].concat(), body.as_bytes()).unwrap()
}

fn errors(answer: &Answer) -> Value {
    serde_json::from_str::<Value>(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))["errors"].clone()
}

/// Number and sum by name, tags and second, as the rows of the measurements say.
fn rows(dir: &Path) -> BTreeMap<(String, String, i64), (u64, f64)> {
    let mut sums = BTreeMap::new();
    for ((drain, _), row) in written(&dir.join("rows.jsonl")) {
        // Without its revision, it lacks the end.
        let row: Value = serde_json::from_str(&format!("{row}}}")).unwrap_or_else(|error| panic!("{error}: {row}"));
        if drain != "measurements/default" {
            continue;
        }
        let key =
            (row["name"].as_str().unwrap().to_owned(), row["tags"].to_string(), row["window_unix"].as_i64().unwrap());
        sums.insert(key, (row["count"].as_u64().unwrap(), row["sum"].as_f64().unwrap()));
    }
    sums
}

#[test]
fn what_programs_send_is_in_the_rows_and_is_read_back() {
    let dir = scratch("measured");
    let server = Server::start(&dir, &[]);
    let second = now_micros() / 1_000_000;
    let body = json!({
        "tags": { "region": "us" },
        "time": second,
        "measurements": [
            { "name": "cpu", "value": 4.5 },
            { "name": "cpu", "value": 1.5 },
            { "name": "rq", "count": 4, "sum": 10.0, "min": 1, "max": 5, "last": 2, "tags": { "app_name": "demo" } },
        ],
    });
    let answer = send(server.address, "/v1/measurements", &[], &body.to_string());
    assert_eq!(answer.status, 202, "{answer:?}");
    let said = r#"{"measurements":{"summary":{"total":3,"accepted":3,"failed":0,"filtered":0}}}"#;
    assert_eq!(answer.body, said);
    let old = format!(r#"{{"source":"web.1","measure_time":{second},"gauges":[{{"name":"old","value":7}}]}}"#);
    let answer = send(server.address, "/v1/metrics", &[], &old);
    assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
    // As a shell script sends it, at the time that it comes.
    let kind = [("Content-Type", "application/x-www-form-urlencoded"), ("User-Agent", "curl/8.5.0")];
    let form = b"gauges[0][name]=shell&gauges[0][value]=3&source=box";
    assert_eq!(request(server.address, "POST", "/v1/metrics", &kind, form).unwrap().status, 200);
    let rows = wait_until("rows", || {
        let rows = rows(&dir);
        (rows.len() >= 4).then_some(rows)
    });
    let at = i64::try_from(second).unwrap();
    let of = |name: &str, tags: Value| rows.get(&(name.to_owned(), tags.to_string(), at)).copied();
    assert_eq!(of("cpu", json!({ "region": "us" })), Some((2, 6.0)), "{rows:?}");
    assert_eq!(of("rq", json!({ "app_name": "demo" })), Some((4, 10.0)), "its own tags stand instead of the body's");
    assert_eq!(of("old", json!({ "source": "web.1" })), Some((1, 7.0)), "a source is a tag");
    assert!(rows.keys().any(|(name, tags, _)| name == "shell" && tags.contains("box")), "{rows:?}");
    for (path, expected) in [
        ("rq?tags[app_name]=demo&summary_function=sum", 10.0),
        ("rq?summary_function=max", 5.0),
        ("rq?summary_function=min", 1.0),
        ("rq?summary_function=count", 4.0),
        ("rq?summary_function=last", 2.0),
        ("cpu?x=", 3.0),
        ("old?tags[source]=web.1", 7.0),
    ] {
        let path = format!("/v1/measurements/{path}&duration=600&resolution=60");
        let found: f64 = wait_until(&path, || {
            let found: Value = serde_json::from_str(&server.get(&path).body).ok()?;
            found["series"][0]["measurements"][0]["value"].as_f64()
        });
        assert_eq!(found, expected, "{path}");
    }
    // The books say what came of them.
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("\nlogdrain_measurements_total 5\n"), "{metrics}");
    let accepted = "logdrain_ledger_total{drain=\"measurements/default\",stage=\"values\",entry=\"accepted\"}";
    assert!(metrics.contains("drain=\"measurements/default\""), "no {accepted}: {metrics}");
}

#[test]
fn what_is_sent_again_counts_once_where_that_can_be_told() {
    let dir = scratch("measured-again");
    let server = Server::start(&dir, &[]);
    let second = now_micros() / 1_000_000;
    let body = |name: &str, time: &str| format!(r#"{{"measurements":[{{"name":"{name}","value":1{time}}}]}}"#);
    let timed = format!(r#","time":{second}"#);
    for _ in 0..3 {
        for (name, time, headers) in [
            ("timed", timed.as_str(), &[][..]),
            ("by-id", "", &[("Idempotency-Key", "7b2e")]),
            ("by-request", "", &[("X-Request-Id", "a-request")]),
            ("each", "", &[]),
        ] {
            assert_eq!(send(server.address, "/v1/measurements", headers, &body(name, time)).status, 202);
        }
    }
    let counts = |rows: BTreeMap<(String, String, i64), (u64, f64)>| {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        rows.into_iter().for_each(|((name, ..), (count, _))| *counts.entry(name).or_default() += count);
        counts
    };
    let expected = [("by-id", 1), ("by-request", 1), ("each", 3), ("timed", 1)];
    let expected: BTreeMap<String, u64> = expected.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    let began = Instant::now();
    while counts(rows(&dir)) != expected {
        assert!(began.elapsed() < PATIENCE, "{:?}", counts(rows(&dir)));
        std::thread::sleep(Duration::from_millis(50));
    }
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("\nlogdrain_measurements_repeated_total 6\n"), "{metrics}");
}

#[test]
fn measurements_survive_kills_and_are_counted_once() {
    let dir = scratch("measured-kills");
    let config = dir.join("config.toml");
    std::fs::write(&config, "snapshot_every = \"150ms\"\n").unwrap();
    let arguments = ["--config", config.to_str().unwrap()];
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut expected: BTreeMap<(String, String, i64), (u64, f64)> = BTreeMap::new();
    let mut server = Server::start(&dir, &arguments);
    let mut number = 0_u64;
    for _ in 0..kills(4) {
        for _ in 0..10 + dice.below(30) {
            number += 1;
            let (second, source) = (now_micros() / 1_000_000, format!("web.{}", number % 3));
            // Its number in its value, so that no two bodies are the same.
            let body = format!(
                r#"{{"time":{second},"tags":{{"source":"{source}"}},"measurements":[{{"name":"n","value":{number}}},
                    {{"name":"s","count":2,"sum":{number},"min":0,"max":{number},"last":0}}]}}"#
            );
            assert_eq!(send(server.address, "/v1/measurements", &[], &body).status, 202);
            // The client did not hear of it.
            if dice.below(4) == 0 {
                assert_eq!(send(server.address, "/v1/measurements", &[], &body).status, 202);
            }
            for (name, count) in [("n", 1), ("s", 2)] {
                let at = i64::try_from(second).unwrap();
                let key = (name.to_owned(), json!({ "source": source }).to_string(), at);
                let entry = expected.entry(key).or_default();
                *entry = (entry.0 + count, entry.1 + number as f64);
            }
        }
        server.kill();
        server = Server::start(&dir, &arguments);
    }
    let began = Instant::now();
    while rows(&dir) != expected {
        assert!(began.elapsed() < PATIENCE, "{:?}\nand not\n{expected:?}", rows(&dir));
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn who_may_not_send_is_told_as_librato_told_it() {
    let house = House::new("measured-rights");
    let address = house.server.address;
    let body = r#"{"measurements":[{"name":"a","value":1,"tags":{"b":"c"}}]}"#;
    let tokens = ["record", "admin", "read"].map(|kind| house.token(&["--account", "shop", "--kind", kind]));
    let of = |pair: String| send(address, "/v1/measurements", &[("Authorization", &basic(&pair))], body);
    for answer in [send(address, "/v1/measurements", &[], body), of("token:wrong".to_owned()), of(":".to_owned())] {
        assert_eq!((answer.status, errors(&answer)), (401, json!({ "request": ["Authorization Required"] })));
    }
    let [record, admin, read] = &tokens;
    // By AppOptics' clients, by Terraform's, and by Librato's.
    for token in [record, admin] {
        for pair in [format!("{token}:"), format!("token:{token}"), format!("me@example.com:{token}")] {
            assert_eq!(of(pair).status, 202);
        }
    }
    let refused = of(format!("{read}:"));
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(errors(&refused)["request"][0].as_str().unwrap().contains("may record"));
    // What a recorder's token records is of its account, and it reads nothing of it.
    let ask = |token: &str| {
        let headers = [("Authorization", basic(&format!("{token}:")))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        house.ask("GET", "/v1/measurements/a?duration=600", &headers)
    };
    wait_until("the measurements", || (ask(read).status == 200).then_some(()));
    assert_eq!(ask(record).status, 403);
    let other = house.token(&["--account", "blog", "--kind", "read"]);
    assert_eq!(ask(&other).status, 404, "of another account");
}

/// What is answered stands in docs/errors.md, with what to do about it.
fn is_in_the_docs(status: u16, said: &str) {
    let docs = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md")).unwrap();
    let (_, table) = docs.split_once("<!-- measurements").unwrap();
    let mut rows = table.lines().filter(|line| line.starts_with(&format!("| {status} |")));
    assert!(rows.any(|row| row.contains(&format!("| {said} |"))), "{status} {said} is not in docs/errors.md");
}

#[test]
fn what_cannot_be_taken_is_told_as_clients_read_it() {
    let dir = scratch("measured-wrong");
    let server = Server::start(&dir, &[]);
    let now = now_micros() / 1_000_000;
    let at = |time: u64| format!(r#"{{"measurements":[{{"name":"a","value":1,"time":{time}}}]}}"#);
    for (body, status, parameter) in [
        (r#"{"measurements":[{"name":"a b","value":1}]}"#.to_owned(), 422, "name"),
        (r#"{"gauges":[{"name":"a","value":"x"}]}"#.to_owned(), 422, "value"),
        (at(now - 90_000), 422, "time"),
        (at(now + 3_600), 422, "time"),
        (at(now * 1_000), 422, "time"),
        (r#"{"gauges":[],"counters":[]}"#.to_owned(), 422, "measurements"),
        (r#"{"measurements":[{"value":1}]}"#.to_owned(), 422, "name"),
        (r#"{"measurements":[{"name":"a"}]}"#.to_owned(), 422, "value"),
        (r#"{"measurements":[{"name":"a","value":1,"sum":2}]}"#.to_owned(), 422, "value"),
        (r#"{"measurements":[{"name":"a","sum":1,"count":0}]}"#.to_owned(), 422, "count"),
        (r#"{"measurements":[{"name":"a","sum":1,"count":1,"min":2,"max":1}]}"#.to_owned(), 422, "min"),
        (r#"{"measurements":[{"name":"a","value":1,"tags":{"a b":"c"}}]}"#.to_owned(), 422, "tags"),
        (r#"{"measurements":[{"name":"a","value":1,"tags":{"a":""}}]}"#.to_owned(), 422, "tags"),
        (format!(r#"{{"measurements":[{}]}}"#, vec!["{}"; 1_001].join(",")), 422, "measurements"),
    ] {
        let answer = send(server.address, "/v1/measurements", &[], &body);
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        let errors = errors(&answer);
        let said = errors["params"][parameter][0].as_str().unwrap_or_else(|| panic!("{body}: {answer:?}"));
        is_in_the_docs(status, said);
    }
    let answer = send(server.address, "/v1/metrics", &[], "no json");
    assert_eq!(answer.status, 400);
    let errors = errors(&answer);
    assert!(errors["request"][0].as_str().unwrap().contains("line 1"), "{answer:?}");
    is_in_the_docs(400, errors["request"][0].as_str().unwrap());
    let long = format!(r#"{{"measurements":[{{"name":"a","value":1,"x":"{}"}}]}}"#, "x".repeat(1 << 20));
    let answer = send(server.address, "/v1/measurements", &[], &long);
    assert_eq!(answer.status, 413);
    is_in_the_docs(413, self::errors(&answer)["request"][0].as_str().unwrap());
    assert_eq!(server.get("/v1/metrics").status, 405);
    // A page elsewhere, which a browser would let send a form.
    let kind = [("Content-Type", "application/x-www-form-urlencoded"), ("User-Agent", "Mozilla/5.0")];
    let form = b"gauges[0][name]=a&gauges[0][value]=3";
    assert_eq!(request(server.address, "POST", "/v1/metrics", &kind, form).unwrap().status, 403);
    // Exporters of OpenTelemetry believe this path to be theirs.
    let kind = [("Content-Type", "application/x-protobuf"), ("User-Agent", "OTel-OTLP-Exporter-Python/1.30.0")];
    let answer = request(server.address, "POST", "/v1/metrics", &kind, b"\x0a\x00").unwrap();
    assert_eq!(answer.status, 415);
    assert!(answer.body.starts_with("\x08\x0c\x12") && answer.body.contains("OpenTelemetry"), "{answer:?}");
    let answer = send(server.address, "/v1/metrics", &[], r#"{"resourceMetrics":[]}"#);
    assert_eq!(answer.status, 415);
    let said: Value = serde_json::from_str(&answer.body).unwrap();
    let message = said["message"].as_str().unwrap();
    assert!(said["code"] == 12 && message.contains("OTEL_METRICS_EXPORTER"), "{said}");
    is_in_the_docs(415, message.split_inclusive('.').next().unwrap());
    assert!(rows(&dir).is_empty());
}
