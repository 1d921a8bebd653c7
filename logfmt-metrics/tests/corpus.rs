//! The conformance corpus, where a checkout has one beside it: pairs of its logfmt lines, directives of its custom ones.

use logfmt_metrics::{Directive, directives, pairs};
use serde_json::Value;
use std::collections::BTreeMap;

/// The records of a file that are of one of these kinds.
fn records(file: &str, kinds: &[&str]) -> Option<Vec<Value>> {
    let Some(folder) = testkit::corpus() else {
        println!("no corpus beside this checkout: nothing compared");
        return None;
    };
    let text = std::fs::read_to_string(folder.join(file)).expect("a file of the corpus");
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record"));
    let exceptions =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/corpus-exceptions.toml"));
    let exceptions = exceptions.expect("the records that the design decides otherwise");
    let is_decided_otherwise = |record: &Value| exceptions.contains(&format!("id = {}\n", record["id"]));
    let chosen: Vec<_> = all
        .filter(|record| kinds.iter().any(|kind| record["kind"] == *kind) && !is_decided_otherwise(record))
        .collect();
    assert!(!chosen.is_empty(), "{file}: no {kinds:?}");
    Some(chosen)
}

/// The text of the line: `msg`, or the input itself; `None` for inputs in base 64, which the case tables cover.
fn line(record: &Value) -> Option<Vec<u8>> {
    if let Some(text) = record.get("msg").or_else(|| record.get("raw")) {
        return text.as_str().map(|text| text.as_bytes().to_vec());
    }
    let parts = record.get("raw_parts")?.as_array()?;
    Some(
        parts
            .iter()
            .flat_map(|part| {
                let times = part[1].as_u64().and_then(|times| usize::try_from(times).ok()).expect("a number of times");
                part[0].as_str().expect("a text").repeat(times).into_bytes()
            })
            .collect(),
    )
}

/// The expectation with each of its alternatives, or alone.
fn alternatives(expect: &Value) -> Vec<Value> {
    let Some(any_of) = expect.get("any_of").and_then(Value::as_array) else { return vec![expect.clone()] };
    any_of
        .iter()
        .map(|one| {
            let mut all = expect.as_object().cloned().unwrap_or_default();
            all.extend(one.as_object().cloned().unwrap_or_default());
            Value::Object(all)
        })
        .collect()
}

fn judge(record: &Value, check: impl Fn(&Value) -> Result<(), String>) -> bool {
    let misses: Vec<_> = alternatives(&record["expect"]).iter().filter_map(|expect| check(expect).err()).collect();
    assert!(misses.len() < alternatives(&record["expect"]).len(), "{}: {misses:?}", record["id"]);
    true
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: found {found:?}, wanted {wanted:?}")) }
}

#[test]
fn pairs_of_logfmt_lines() {
    let Some(records) = records("logfmt.jsonl", &["logfmt"]) else { return };
    let mut judged = 0;
    for record in &records {
        let line = line(record).expect("text");
        let found: Vec<Value> = pairs(&line)
            .map(|pair| {
                let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes));
                Value::from(vec![text(pair.key()), pair.unescaped().map_or(Value::Null, |value| text(&value))])
            })
            .collect();
        let open = pairs(&line).any(|pair| !pair.is_terminated());
        judged += usize::from(judge(record, |expect| {
            if let Some(wanted) = expect.get("kv").and_then(Value::as_array) {
                same("pairs", &found, wanted)?;
            }
            if let Some(class) = expect.get("error").and_then(|error| error["class"].as_str()) {
                same("open quote", open, class == "unterminated_quote")?;
            }
            Ok(())
        }));
    }
    println!("{judged} records");
}

#[test]
fn directives_of_custom_lines() {
    let Some(mut all) = records("custom.jsonl", &["custom"]) else { return };
    all.extend(records("hostile.jsonl", &["hostile_metric"]).unwrap_or_default());
    let mut judged = 0;
    for record in &all {
        let Some(line) = line(record) else { continue };
        let (mut metrics, mut tags, mut refused) = (Vec::new(), BTreeMap::new(), 0);
        for found in directives(&line) {
            match found {
                Ok(Directive::Metric(metric)) => metrics.push(metric),
                Ok(Directive::Tag(tag)) => {
                    tags.entry(tag.key()).or_insert_with(|| tag.value().into_owned());
                }
                Ok(other) => panic!("a new directive: {other:?}"),
                Err(_) => refused += 1,
            }
        }
        judged += usize::from(judge(record, |expect| {
            if let Some(wanted) = expect.get("metrics").and_then(Value::as_array) {
                same("number of metrics", metrics.len(), wanted.len())?;
                for (metric, wanted) in metrics.iter().zip(wanted) {
                    same("kind", Some(metric.kind().as_str()), wanted["kind"].as_str())?;
                    same("name", Some(metric.name()), wanted["name"].as_str())?;
                    let regular = ["ms", "bytes"].iter().find_map(|unit| wanted.get(*unit)?.as_f64());
                    match regular {
                        Some(number) => same("regular value", metric.value().regular().number(), number)?,
                        None => same("value", Some(metric.value().number()), wanted["value"].as_f64())?,
                    }
                    if let Some(unit) = wanted.get("unit").and_then(Value::as_str) {
                        same("unit", metric.value().unit().as_str(), unit)?;
                    }
                }
            }
            let count = |name: &str| expect.get(name).and_then(Value::as_u64);
            if let Some(wanted) = count("metrics_count") {
                same("number of metrics", metrics.len() as u64, wanted)?;
            }
            if let Some(wanted) = count("tags_count") {
                same("number of tags", tags.len() as u64, wanted)?;
            }
            if let Some(wanted) = expect.get("tags").and_then(Value::as_object) {
                let wanted: BTreeMap<_, _> =
                    wanted.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?.to_owned()))).collect();
                same("tags", &tags, &wanted)?;
            }
            let bad = expect.get("bad_metrics").and_then(Value::as_array).map_or(0, Vec::len);
            if refused < bad { Err(format!("{refused} refusals, wanted {bad}")) } else { Ok(()) }
        }));
    }
    println!("{judged} records");
}

#[test]
fn no_metric_in_text() {
    let Some(records) = records("text.jsonl", &["app", "json"]) else { return };
    for record in &records {
        let metrics =
            directives(&line(record).expect("text")).filter(|found| matches!(found, Ok(Directive::Metric(_)))).count();
        assert_eq!(metrics, 0, "{}", record["id"]);
    }
}

#[test]
fn samples_of_platform_lines_are_all_read() {
    let Some(records) = records("metrics.jsonl", &["runtime", "postgres", "redis", "pgbouncer"]) else { return };
    for record in &records {
        let line = line(record).expect("text");
        let wanted = record["expect"]["metrics"].as_array().map_or(0, Vec::len);
        let found: Vec<_> = directives(&line).collect();
        let metrics = found.iter().filter(|found| matches!(found, Ok(Directive::Metric(_)))).count();
        assert_eq!(metrics, wanted, "{}: {found:?}", record["id"]);
    }
}
