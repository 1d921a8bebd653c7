//! The conformance corpus, where a checkout has one beside it: what it says of router and error lines holds.

use heroku_router::{PlatformError, RouterLine};
use serde_json::{Value, json};

fn records(file: &str) -> Option<Vec<Value>> {
    let path = testkit::corpus()?.join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// The text of a record: `msg`, else `raw` without a syslog header, else its parts or its bytes in base 64.
fn message(record: &Value) -> Vec<u8> {
    if let Some(text) = record["msg"].as_str() {
        return text.as_bytes().to_vec();
    }
    if let Some(text) = record["raw_b64"].as_str() {
        return base64(text);
    }
    if let Some(parts) = record["raw_parts"].as_array() {
        let part = |part: &Value| part[0].as_str().unwrap().repeat(part[1].as_u64().unwrap() as usize);
        return parts.iter().map(part).collect::<String>().into_bytes();
    }
    let raw = record["raw"].as_str().unwrap();
    // PRI VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID and the text.
    let text = if raw.starts_with('<') { raw.splitn(7, ' ').last().unwrap() } else { raw };
    text.as_bytes().to_vec()
}

fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'=').map(value).collect();
    let bits =
        |chunk: &[u8]| chunk.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit)) << (6 * (4 - chunk.len()));
    digits.chunks(4).flat_map(|chunk| bits(chunk).to_be_bytes()[1..chunk.len()].to_vec()).collect()
}

/// Why the line is not read as the record says; an empty text when it is.
fn router_differs(want: &Value, line: Option<&RouterLine<'_>>) -> String {
    let Some(want) = want.as_object() else {
        return line.map_or(String::new(), |line| format!("a router line where there is none: {line:?}"));
    };
    let Some(line) = line else { return "no router line".to_owned() };
    for (key, want) in want {
        let text = |bytes: Option<&[u8]>| json!(bytes.map(String::from_utf8_lossy));
        let got = match key.as_str() {
            "sock" => text(line.sock()),
            "at" => text(line.at()),
            "code" => text(line.code_text()),
            "desc" => text(line.desc()),
            "cause" => text(line.cause()),
            "method" => text(line.method()),
            "path" => text(line.client().path()),
            "host" => text(line.client().host()),
            "request_id" => text(line.client().request_id()),
            "fwd" => text(line.client().fwd()),
            "fwd_list" => json!(line.client().fwd_list().map(String::from_utf8_lossy).collect::<Vec<_>>()),
            "dyno" => text(line.dyno()),
            "protocol" => text(line.protocol()),
            "tls_version" => text(line.tls_version()),
            "agent" => text(line.agent()),
            "tls" => json!(line.tls()),
            "queue" => json!(line.queue()),
            "status" => json!(line.status()),
            "bytes" => json!(line.bytes()),
            "wait_ms" => json!(line.wait_ms().map(|time| time as u64)),
            "connect_ms" => json!(line.connect_ms().map(|time| time as u64)),
            "service_ms" => json!(line.service_ms().map(|time| time as u64)),
            _ => return format!("the test does not know {key}"),
        };
        // An empty value is absent here, whether the record calls it null or "".
        let want = if want == "" { &Value::Null } else { want };
        if got != *want {
            return format!("{key}: got {got}, want {want}");
        }
        let name = key.trim_end_matches("_ms");
        if name != "fwd_list" && !line.is_present(name) {
            return format!("{name} is not present");
        }
    }
    String::new()
}

fn error_differs(want: &Value, error: Option<&PlatformError<'_>>) -> String {
    let Some(want) = want.as_object() else {
        return error.map_or(String::new(), |error| format!("an error line where there is none: {error:?}"));
    };
    let Some(error) = error else { return "no error line".to_owned() };
    for (key, want) in want {
        let got = match key.as_str() {
            "code" => json!(error.code().as_str()),
            "desc" => json!(error.description()),
            "detail" => json!(error.detail()),
            "count" => json!(error.count()),
            "since" => json!(error.since()),
            "drain" => json!(error.drain()),
            "since_us" => continue,
            _ => return format!("the test does not know {key}"),
        };
        if got != *want {
            return format!("{key}: got {got}, want {want}");
        }
    }
    String::new()
}

/// Why `expect` does not hold; of `any_of`, one must.
fn differs(expect: &Value, differs_from: &dyn Fn(&Value) -> String) -> String {
    match expect["any_of"].as_array() {
        None => differs_from(expect),
        Some(choices) => {
            let reasons: Vec<String> = choices.iter().map(differs_from).collect();
            if reasons.iter().any(String::is_empty) { String::new() } else { reasons.join(" | ") }
        }
    }
}

#[test]
fn router_lines() {
    let (Some(lines), Some(hostile)) = (records("router.jsonl"), records("hostile.jsonl")) else {
        println!("no corpus beside this checkout: nothing compared");
        return;
    };
    let hostile = hostile.into_iter().filter(|record| record["kind"] == "hostile_router");
    let mut compared = 0;
    for record in lines.into_iter().chain(hostile) {
        let message = message(&record);
        let line = RouterLine::parse(&message);
        let reason = differs(&record["expect"], &|expect| match expect.get("router") {
            Some(want) => router_differs(want, line.as_ref()),
            None if expect.get("error").is_some() => match &line {
                Some(line) if line.refusals().next().is_none() => "a refusal is due".to_owned(),
                _ => String::new(),
            },
            None => "the test does not know what is expected".to_owned(),
        });
        assert_eq!(
            reason,
            "",
            "{}: {}",
            record["id"],
            message.escape_ascii().to_string().chars().take(600).collect::<String>()
        );
        compared += 1;
    }
    assert!(compared > 100, "{compared} records");
}

#[test]
fn error_lines() {
    let (Some(lines), Some(hostile)) = (records("events.jsonl"), records("hostile.jsonl")) else {
        println!("no corpus beside this checkout: nothing compared");
        return;
    };
    let mut compared = 0;
    for record in lines.into_iter().chain(hostile) {
        let expect = &record["expect"];
        let tells = |expect: &Value| expect.get("error_event").is_some();
        if !tells(expect) && !expect["any_of"].as_array().is_some_and(|choices| choices.iter().any(tells)) {
            continue;
        }
        let message = message(&record);
        let error = PlatformError::parse(&message);
        let reason = differs(expect, &|expect| error_differs(&expect["error_event"], error.as_ref()));
        assert_eq!(reason, "", "{}: {}", record["id"], message.escape_ascii());
        compared += 1;
    }
    assert!(compared > 20, "{compared} records");
}
