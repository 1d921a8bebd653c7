//! Router lines through the public API: the cases of `testdata/router.toml`.

use heroku_router::RouterLine;
use serde_json::{Map, Value, json};

/// Names of fields that carry bytes, with their accessors.
type Accessor = for<'a> fn(&RouterLine<'a>) -> Option<&'a [u8]>;
const BYTES: &[(&str, Accessor)] = &[
    ("sock", |line| line.sock()),
    ("at", |line| line.at()),
    ("desc", |line| line.desc()),
    ("cause", |line| line.cause()),
    ("method", |line| line.method()),
    ("path", |line| line.client().path()),
    ("host", |line| line.client().host()),
    ("request_id", |line| line.client().request_id()),
    ("fwd", |line| line.client().fwd()),
    ("dyno", |line| line.dyno()),
    ("protocol", |line| line.protocol()),
    ("tls_version", |line| line.tls_version()),
    ("agent", |line| line.agent()),
];

const NAMES: &[&str] = &[
    "sock",
    "at",
    "code",
    "desc",
    "cause",
    "method",
    "path",
    "host",
    "request_id",
    "fwd",
    "dyno",
    "queue",
    "wait",
    "connect",
    "service",
    "status",
    "bytes",
    "protocol",
    "tls",
    "tls_version",
    "agent",
];

/// Everything that the accessors answer.
fn seen(line: &RouterLine<'_>) -> Map<String, Value> {
    let mut seen = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            seen.insert(name.to_owned(), value);
        }
    };
    for (name, accessor) in BYTES {
        put(name, accessor(line).map(|value| text(value).into()));
    }
    put("code", line.code().map(|code| code.as_str().into()));
    let code_text = line.code_text().map(text).filter(|text| Some(text.as_str()) != line.code().map(|c| c.as_str()));
    put("code_text", code_text.map(Value::from));
    put("tls", line.tls().map(Value::from));
    put("queue", line.queue().map(Value::from));
    put("status", line.status().map(Value::from));
    put("bytes", line.bytes().map(Value::from));
    put("wait_ms", line.wait_ms().map(Value::from));
    put("connect_ms", line.connect_ms().map(Value::from));
    put("service_ms", line.service_ms().map(Value::from));
    seen
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A time is a float here and an integer in the table.
fn same(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    let same = |a: &Value, b: &Value| a == b || (a.is_f64() && b.is_u64() && a.as_f64() == b.as_f64());
    a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
}

#[test]
fn every_case_of_the_table() {
    for case in testkit::cases("router") {
        let expect: Map<String, Value> = case.expect();
        let name = &case.name;
        let line = RouterLine::parse(&case.input);
        if expect.get("none") == Some(&json!(true)) {
            assert!(line.is_none(), "{name}: {line:?}");
            continue;
        }
        let line = line.unwrap_or_else(|| panic!("{name}: no router line"));
        let mut seen = seen(&line);
        let mut check = |key: &str, of: &str, value: Value| {
            if let Some(expected) = expect.get(key) {
                assert_eq!(&value, expected, "{name}: {key}");
                seen.remove(of);
            }
        };
        let path = line.client().path().unwrap_or_default();
        check("path_len", "path", path.len().into());
        check("path_hex", "path", path.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into());
        check("bytes_text", "bytes", line.bytes().map_or(Value::Null, |bytes| bytes.to_string().into()));
        let mut router = expect.get("router").and_then(Value::as_object).cloned().unwrap_or_default();
        if expect.contains_key("path_hex") || expect.contains_key("path_len") {
            router.remove("path");
        }
        assert!(same(&seen, &router), "{name}:\n got {seen:?}\nwant {router:?}");

        let strings = |key: &str| -> Vec<String> {
            let list = expect.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
            list.iter().map(|value| value.as_str().unwrap_or_default().to_owned()).collect()
        };
        let refusals: Vec<_> = line.refusals().collect();
        let refused: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        assert_eq!(refused, strings("refused"), "{name}: refused");
        for refusal in &refusals {
            let at = &case.input[refusal.offset()..refusal.offset() + refusal.len()];
            let of_head = case.input.starts_with(b"Error ");
            assert!(of_head || refusal.field() == "unknown" || at.starts_with(refusal.field().as_bytes()), "{name}");
        }

        let empty = strings("empty");
        for known in NAMES {
            let keys = [(*known).to_owned(), format!("{known}_ms"), format!("{known}_text")];
            let is_read = keys.iter().any(|key| router.contains_key(key));
            let is_read =
                is_read || (*known == "path" && !path.is_empty()) || (*known == "bytes" && line.bytes().is_some());
            let is_refused = refusals.iter().any(|refusal| refusal.field() == *known);
            let is_empty = empty.iter().any(|name| name == known);
            assert_eq!(line.is_present(known), is_read || is_refused || is_empty, "{name}: is {known} present");
        }
        if let Some(list) = expect.get("fwd_list") {
            let parts: Vec<String> = line.client().fwd_list().map(text).collect();
            assert_eq!(&json!(parts), list, "{name}: fwd_list");
        }
        if let Some(list) = expect.get("fields") {
            let fields: Vec<[String; 2]> =
                line.fields().map(|field| [text(field.name()), text(field.value().unwrap_or_default())]).collect();
            assert_eq!(&json!(fields), list, "{name}: fields");
        }
        if let Some(count) = expect.get("fields_count") {
            assert_eq!(&json!(line.fields().count()), count, "{name}: fields_count");
        }
    }
}

#[test]
fn a_refusal_covers_its_field() {
    for (line, refused) in [
        ("method=GET status=20x bytes=1", "status=20x"),
        ("method=GET bytes=1 status=20x", "status=20x"),
        (r#"method=GET status="20x" bytes=1"#, r#"status="20x""#),
        (r#"method=GET bytes=1 desc="App cra"#, r#"desc="App cra"#),
        (r#"method=GET bytes=1 colour="blue and"#, r#"colour="blue and"#),
        ("Error H12 (Request timeout) -> GET h/ dyno=web.1 service=x status=503", "service=x"),
    ] {
        let refusals: Vec<_> = RouterLine::parse(line.as_bytes()).expect(line).refusals().collect();
        let [refusal] = &refusals[..] else { panic!("{line}: {refusals:?}") };
        assert_eq!(&line[refusal.offset()..refusal.offset() + refusal.len()], refused);
    }
}

#[test]
fn the_table_is_large_enough_to_mean_something() {
    assert!(testkit::cases("router").len() >= 150);
}

#[test]
fn unknown_and_repeated_fields_are_kept() {
    let line =
        RouterLine::parse(br#"method=GET colour=blue pop="eu\twest" retry status=200 status=503 colour=red"#).unwrap();
    let colours: Vec<_> = line.fields().filter(|field| field.name() == b"colour").filter_map(|f| f.value()).collect();
    assert_eq!(colours, [b"blue", &b"red"[..]]);
    assert!(
        line.is_present("colour") && line.is_present("pop") && !line.is_present("retry") && !line.is_present("size")
    );
    let pop = line.fields().find(|field| field.name() == b"pop").unwrap();
    assert_eq!((pop.value(), pop.unescaped().as_deref()), (Some(&br"eu\twest"[..]), Some(&b"eu\twest"[..])));
    assert_eq!((pop.offset(), pop.value_offset(), pop.is_quoted(), pop.is_terminated()), (23, 28, true, true));
    assert_eq!(line.status(), Some(200));
}

#[test]
fn a_backslash_keeps_no_quote_open() {
    let line = RouterLine::parse(br#"method=GET path="/\" dyno=web.1 status=200"#).unwrap();
    let path = line.fields().find(|field| field.name() == b"path").unwrap();
    assert_eq!((path.value(), path.is_quoted(), path.is_terminated()), (Some(&br"/\"[..]), true, true));
    assert_eq!((line.dyno(), line.status(), line.refusals().count()), (Some(&b"web.1"[..]), Some(200), 0));
}

#[test]
fn a_view_can_be_copied_and_its_parts_outlive_it() {
    fn path(bytes: &[u8]) -> Option<&[u8]> {
        let line = RouterLine::parse(bytes)?;
        let copy = line;
        assert_eq!(copy.at(), line.at());
        copy.fields().find(|field| field.name() == b"path").and_then(|field| field.value())
    }
    assert_eq!(path(b"method=GET path=/a"), Some(&b"/a"[..]));
}

#[test]
fn debug_shows_the_fields() {
    let line = RouterLine::parse(b"method=GET path=/\xff dyno= retry").unwrap();
    assert_eq!(
        format!("{line:?}"),
        r"RouterLine([Field(method=GET at 0), Field(path=/\xff at 11), Field(dyno= at 19), Field(retry at 25)])"
    );
}

#[test]
fn views_can_cross_threads() {
    fn check<T: Send + Sync + Unpin + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    check::<RouterLine<'static>>();
    check::<heroku_router::Field<'static>>();
    check::<heroku_router::PlatformError<'static>>();
    check::<heroku_router::FieldRefusal>();
}
