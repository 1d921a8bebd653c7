//! The conformance corpus, where a checkout has one beside it: frames, headers, and the facts expected of them.

mod walks;

use heroku_syslog::{Dialect, Frame, FrameErrorKind, Frames, Recovery};
use serde_json::Value;
use std::path::Path;
use testkit::deframe::Item;
use walks::{Setting, all_agree, in_pieces, whole};

fn records(folder: &Path, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join(file)).expect("the corpus has the file");
    text.lines().map(|line| serde_json::from_str(line).expect("a record is JSON")).collect()
}

fn bytes(record: &Value) -> Vec<u8> {
    if let Some(text) = record["raw_b64"].as_str() {
        return base64(text);
    }
    if let Some(parts) = record["raw_parts"].as_array() {
        let part = |part: &Value| part[0].as_str().unwrap_or_default().repeat(part[1].as_u64().unwrap_or(0) as usize);
        return parts.iter().map(part).collect::<String>().into_bytes();
    }
    record["raw"].as_str().expect("a record has an input").as_bytes().to_vec()
}

fn base64(text: &str) -> Vec<u8> {
    let sextets = text.bytes().filter_map(|byte| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    });
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for sextet in sextets {
        held = held << 6 | u32::from(sextet);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    bytes
}

/// The kinds that may stand for a class of the corpus.
fn kinds(class: &str) -> &'static [&'static str] {
    match class {
        "bad_count" | "count_no_space" => &["bad_length"],
        "count_overflow" => &["bad_length", "too_long"],
        "too_long" | "truncated" => &["too_long", "truncated"],
        "bad_pri" => &["bad_pri"],
        "bad_version" => &["bad_version"],
        "bad_timestamp" => &["bad_timestamp"],
        "missing_field" | "truncated_header" => &["missing_field", "bad_pri", "bad_version", "bad_timestamp"],
        "bad_structured_data" => &["bad_structured_data"],
        "not_utf8" => &["not_utf8"],
        other => panic!("class {other} is not known"),
    }
}

/// The alternatives of a record, each with the facts that hold in any case.
fn alternatives(expect: &Value) -> Vec<Value> {
    let Some(list) = expect["any_of"].as_array() else { return vec![expect.clone()] };
    list.iter()
        .map(|one| {
            let mut facts = expect.as_object().expect("facts").clone();
            facts.remove("any_of");
            facts.extend(one.as_object().expect("facts").clone());
            Value::Object(facts)
        })
        .collect()
}

fn body_holds(body: &[u8], facts: &Value) -> Result<(), String> {
    // Line ends between frames are skipped, so that an error may stand behind those the corpus begins it with.
    let near = |wanted: u64, found: u64| {
        body.get(wanted as usize..found as usize)
            .is_some_and(|between| between.iter().all(|byte| b"\r\n".contains(byte)))
    };
    let walk = whole(body, Setting::STOP);
    let lens: Vec<u64> = walk
        .items
        .iter()
        .filter_map(|item| if let Item::Frame { bytes, .. } = item { Some(bytes.len() as u64) } else { None })
        .collect();
    if let Some(count) = facts["frames"].as_u64().filter(|count| *count != lens.len() as u64) {
        return Err(format!("{count} frames wanted, {} found", lens.len()));
    }
    if let Some(wanted) = facts["frame_lens"].as_array() {
        let wanted: Vec<_> = wanted.iter().filter_map(Value::as_u64).collect();
        if wanted != lens {
            return Err(format!("lengths {wanted:?} wanted, {lens:?} found"));
        }
    }
    let error = walk.items.iter().find_map(|item| match item {
        Item::Error { kind, start, offset, .. } => Some((*kind, *start, *offset)),
        Item::Frame { .. } => None,
    });
    match (facts["error"].as_object(), error) {
        (Some(wanted), Some((kind, start, offset))) => {
            let class = wanted["class"].as_str().unwrap_or_default();
            let at = wanted.get("offset").and_then(Value::as_u64);
            if !kinds(class).contains(&kind) || at.is_some_and(|at| !near(at, offset) && !near(at, start)) {
                return Err(format!("{class} at {at:?} wanted, {kind} at {offset} found"));
            }
        }
        (None, None) => {}
        (wanted, found) => return Err(format!("{wanted:?} wanted, {found:?} found")),
    }
    let refused: Vec<_> = Frames::new(body)
        .with_recovery(Recovery::Stop)
        .flatten()
        .enumerate()
        .filter_map(|(index, raw)| {
            raw.parse(Dialect::ByHostname).err().map(|error| (index as u64, error.kind().as_str()))
        })
        .collect();
    for wanted in facts["message_errors"].as_array().into_iter().flatten() {
        let class = wanted["class"].as_str().unwrap_or_default();
        let frame = wanted["frame"].as_u64().unwrap_or(u64::MAX);
        if !refused.iter().any(|(index, kind)| *index == frame && kinds(class).contains(kind)) {
            return Err(format!("{class} of frame {frame} wanted, {refused:?} found"));
        }
    }
    Ok(())
}

fn header_holds(line: &[u8], dialect: Dialect, facts: &Value) -> Result<(), String> {
    let frame = match (Frame::parse(line, dialect), facts["error"]["class"].as_str()) {
        (Err(error), Some(class)) => {
            let at = facts["error"]["pos"].as_u64();
            let fits = kinds(class).contains(&error.kind().as_str()) && at.is_none_or(|at| at == error.offset());
            return if fits { Ok(()) } else { Err(format!("{class} at {at:?} wanted, {error}")) };
        }
        (Ok(_), Some(class)) => return Err(format!("{class} wanted, none found")),
        (Err(error), None) => return Err(error.to_string()),
        (Ok(frame), None) => frame,
    };
    let nil = |text: Option<&str>| text.unwrap_or("-").to_owned();
    for (name, wanted) in facts["envelope"].as_object().into_iter().flatten() {
        let found = match name.as_str() {
            "pri" => frame.pri().map_or(Value::Null, |pri| pri.value().into()),
            "facility" => frame.pri().map_or(Value::Null, |pri| pri.facility().into()),
            "severity" => frame.pri().map_or(Value::Null, |pri| pri.severity().into()),
            "version" => frame.version().map_or(Value::Null, Value::from),
            "ts_us" => frame.timestamp().map_or(Value::Null, |time| time.unix_micros().into()),
            "timestamp" => nil(frame.timestamp_text()).into(),
            "hostname" => nil(frame.hostname()).into(),
            "app" => nil(frame.app_name()).into(),
            "proc" => nil(frame.proc_id()).into(),
            "msgid" => nil(frame.msg_id()).into(),
            "sd" => nil(frame.structured_data().map(|data| data.as_str())).into(),
            _ => continue,
        };
        let wanted = if wanted.is_null() || wanted == "" { Value::from("-") } else { wanted.clone() };
        if found != wanted {
            return Err(format!("{name}: {wanted} wanted, {found} found"));
        }
    }
    match facts["msg"].as_str() {
        Some(text) if text.as_bytes() != frame.message() => {
            Err(format!("{text:?} wanted, {} found", frame.message().escape_ascii()))
        }
        _ => Ok(()),
    }
}

fn corpus() -> Option<std::path::PathBuf> {
    let folder = testkit::corpus();
    if folder.is_none() {
        println!("no corpus beside this checkout: nothing compared");
    }
    folder
}

fn some_alternative(facts: &Value, holds: impl Fn(&Value) -> Result<(), String>) -> Result<(), String> {
    let misses: Vec<_> = alternatives(facts).iter().map_while(|one| holds(one).err()).collect();
    if misses.len() < alternatives(facts).len() { Ok(()) } else { Err(misses.join(" | ")) }
}

#[test]
fn bodies_hold_what_is_expected() {
    let Some(folder) = corpus() else { return };
    let mut misses = Vec::new();
    for file in ["frames.jsonl", "hostile.jsonl"] {
        for record in records(&folder, file) {
            if !matches!(record["kind"].as_str(), Some("frame" | "hostile_frame")) {
                continue;
            }
            let body = bytes(&record);
            if let Err(miss) = some_alternative(&record["expect"], |facts| body_holds(&body, facts)) {
                misses.push(format!("{}: {miss}", record["id"]));
            }
        }
    }
    assert!(misses.is_empty(), "{misses:#?}");
}

#[test]
fn headers_hold_what_is_expected() {
    let Some(folder) = corpus() else { return };
    let mut misses = Vec::new();
    for (file, kind) in [("syslog.jsonl", "syslog"), ("hostile.jsonl", "hostile_header")] {
        for record in records(&folder, file).iter().filter(|record| record["kind"] == kind) {
            let line = bytes(record);
            let mut facts = record["expect"].clone();
            if let (Some(facts), Some(text)) = (facts.as_object_mut(), record.get("msg")) {
                facts.entry("msg").or_insert(text.clone());
            }
            // Records of no certain layout: that of the drains with structured data, or that without.
            let dialects: &[Option<Dialect>] =
                if kind == "syslog" { &[Some(Dialect::Rfc5424), Some(Dialect::Logplex)] } else { &[None] };
            let tried: Vec<_> = dialects
                .iter()
                .map(|dialect| {
                    let dialect = dialect.unwrap_or(Dialect::ByHostname);
                    some_alternative(&facts, |facts| header_holds(&line, dialect, facts))
                })
                .collect();
            if tried.iter().all(Result::is_err) {
                misses.push(format!("{}: {tried:?}", record["id"]));
            }
        }
    }
    assert!(misses.is_empty(), "{misses:#?}");
}

#[test]
fn bodies_however_they_are_cut() {
    let Some(folder) = corpus() else { return };
    for file in ["frames.jsonl", "hostile.jsonl"] {
        for record in records(&folder, file) {
            if !matches!(record["kind"].as_str(), Some("frame" | "hostile_frame")) {
                continue;
            }
            let body = bytes(&record);
            let name = record["id"].to_string();
            for setting in [Setting::RESYNC, Setting::STOP] {
                if body.len() < 100_000 {
                    all_agree(&name, &body, setting);
                } else {
                    assert_eq!(in_pieces(body.chunks(1), setting), whole(&body, setting), "{name}");
                }
                let cuts = record["split_at"].as_array().into_iter().flatten().filter_map(Value::as_u64);
                let cuts: Vec<_> = [0].into_iter().chain(cuts).chain([body.len() as u64]).collect();
                let pieces = cuts.windows(2).map(|cut| &body[cut[0] as usize..cut[1] as usize]);
                assert_eq!(in_pieces(pieces, setting), whole(&body, setting), "{name}, cut as told");
            }
        }
    }
}

#[test]
fn long_bodies_are_read_to_their_end() {
    let Some(folder) = corpus() else { return };
    let mut read = 0;
    for entry in std::fs::read_dir(folder.join("bodies")).expect("the corpus has bodies") {
        let path = entry.expect("it can be listed").path();
        if path.extension().is_none_or(|extension| extension != "logplex") {
            continue;
        }
        let body = std::fs::read(&path).expect("it can be read");
        let facts = std::fs::read(path.with_extension("expect.json")).expect("facts stand beside it");
        let facts: Value = serde_json::from_slice(&facts).expect("facts are JSON");
        let name = path.display().to_string();
        assert_eq!(body_holds(&body, &facts), Ok(()), "{name}");
        all_agree(&name, &body, Setting::RESYNC);
        all_agree(&name, &body, Setting::STOP);
        if facts["error"].is_null() {
            let bad = Frames::new(&body).flatten().find_map(|raw| raw.parse(Dialect::Logplex).err());
            assert_eq!(bad.map(|error| error.kind()), None::<FrameErrorKind>, "{name}");
        }
        read += 1;
    }
    assert!(read > 0, "the corpus has bodies");
}
