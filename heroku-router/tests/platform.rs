//! Error lines of the platform through the public API: the cases of `testdata/platform.toml`.

use heroku_router::{Code, CodeClass, MemoryHint, PlatformError, Severity};
use serde_json::{Map, Value, json};

#[test]
fn every_case_of_the_table() {
    for case in testkit::cases("platform") {
        let expect: Map<String, Value> = case.expect();
        let name = &case.name;
        let memory = MemoryHint::parse(&case.input);
        let wanted = |key: &str| expect.get(key).cloned().unwrap_or(Value::Null);
        assert_eq!(json!(memory.map(|memory| memory.megabytes())), wanted("megabytes"), "{name}");
        assert_eq!(json!(memory.map(|memory| memory.percent())), wanted("percent"), "{name}");

        let error = PlatformError::parse(&case.input);
        if expect.get("none") == Some(&json!(true)) {
            assert!(error.is_none(), "{name}: {error:?}");
            continue;
        }
        let error = error.unwrap_or_else(|| panic!("{name}: no error line"));
        assert_eq!(json!(error.code().as_str()), wanted("code"), "{name}: code");
        assert_eq!(json!(error.description()), wanted("description"), "{name}: description");
        assert_eq!(json!(error.detail()), wanted("detail"), "{name}: detail");
        assert_eq!(json!(error.count()), wanted("count"), "{name}: count");
        assert_eq!(json!(error.since()), wanted("since"), "{name}: since");
        assert_eq!(json!(error.drain()), wanted("drain"), "{name}: drain");
        assert_eq!(json!(error.refusal().map(|refusal| refusal.to_string())), wanted("refused"), "{name}: refused");
        if let Some(refusal) = error.refusal() {
            let refused = &case.input[refusal.offset()..refusal.offset() + refusal.len()];
            assert!(refused.iter().all(u8::is_ascii_digit), "{name}: {refusal}");
        }
        match (expect.get("text"), expect.get("text_hex"), expect.get("text_len"), error.detail()) {
            (Some(text), ..) => assert_eq!(&json!(String::from_utf8_lossy(error.text())), text, "{name}: text"),
            (_, Some(hex), ..) => {
                let bytes: String = error.text().iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(&json!(bytes), hex, "{name}: text");
            }
            (_, _, Some(len), _) => assert_eq!(&json!(error.text().len()), len, "{name}: text"),
            (.., Some(detail)) => assert_eq!(error.text(), detail.as_bytes(), "{name}: text"),
            (.., None) => assert_eq!(error.text(), b"", "{name}: text"),
        }
    }
}

#[test]
fn every_known_code_reads_from_its_own_line() {
    let codes =
        ["H", "R", "L"].into_iter().flat_map(|letter| (0..100).map(move |number| format!("{letter}{number:02}")));
    let codes = codes.filter_map(|code| Code::parse(code.as_bytes()));
    let titled: Vec<_> = codes.filter_map(|code| Some((code, code.title()?))).collect();
    assert_eq!(titled.len(), 27 + 9 + 7);
    for (code, title) in titled {
        let line = format!("Error {code} ({title})");
        let error = PlatformError::parse(line.as_bytes());
        match code.class() {
            CodeClass::Http => assert_eq!(error, None, "{line}"),
            _ => assert_eq!(error.map(|error| (error.code(), error.description())), Some((code, Some(title)))),
        }
    }
}

#[test]
fn titles_and_severities() {
    for (code, title, severity) in [
        ("H10", Some("App crashed"), Some(Severity::Critical)),
        ("H14", Some("No web dynos running"), Some(Severity::Critical)),
        ("H16", Some("Redirect to herokuapp.com"), Some(Severity::Warning)),
        ("H27", Some("Client Request Interrupted"), Some(Severity::Info)),
        ("H32", Some("TLS Certificate Mismatch"), None),
        ("H82", Some("You've used up your dyno hour pool"), Some(Severity::Info)),
        ("H98", None, None),
        ("R11", Some("Bad bind"), None),
        ("R12", Some("Exit timeout"), Some(Severity::Warning)),
        ("R14", Some("Memory quota exceeded"), Some(Severity::Critical)),
        ("R18", None, None),
        ("L10", Some("Drain buffer overflow"), Some(Severity::Warning)),
        ("L13", Some("Local delivery error"), Some(Severity::Critical)),
        ("L20", Some("Tail sessions forbidden"), None),
        ("L99", None, None),
    ] {
        let code = Code::parse(code.as_bytes()).unwrap();
        assert_eq!((code.title(), code.severity()), (title, severity), "{code}");
    }
}
