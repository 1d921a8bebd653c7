//! Headers: the cases of `testdata/header.toml`.

use heroku_syslog::{Dialect, Frame, Frames};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    dialect: Option<String>,
    pri: Option<u8>,
    facility: Option<u8>,
    severity: Option<u8>,
    version: Option<u16>,
    timestamp: Option<String>,
    unix_us: Option<i64>,
    hostname: Option<String>,
    app_name: Option<String>,
    proc_id: Option<String>,
    msg_id: Option<String>,
    structured_data: Option<String>,
    message: Option<String>,
    message_hex: Option<String>,
    error: Option<(String, String, u64)>,
    text: Option<String>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(frame: Frame<'_>, expect: &Expect, name: &str) {
    assert_eq!(frame.pri().map(|pri| pri.value()), expect.pri, "{name}");
    assert_eq!(frame.pri().map(|pri| pri.facility()), expect.facility, "{name}");
    assert_eq!(frame.pri().map(|pri| pri.severity()), expect.severity, "{name}");
    assert_eq!(frame.version(), expect.version, "{name}");
    assert_eq!(frame.timestamp_text(), expect.timestamp.as_deref(), "{name}");
    assert_eq!(frame.timestamp().map(|time| time.unix_micros()), expect.unix_us, "{name}");
    assert_eq!(frame.hostname(), expect.hostname.as_deref(), "{name}");
    assert_eq!(frame.app_name(), expect.app_name.as_deref(), "{name}");
    assert_eq!(frame.proc_id(), expect.proc_id.as_deref(), "{name}");
    assert_eq!(frame.msg_id(), expect.msg_id.as_deref(), "{name}");
    assert_eq!(frame.structured_data().map(|data| data.as_str()), expect.structured_data.as_deref(), "{name}");
    match (&expect.message, &expect.message_hex) {
        (Some(text), None) => {
            assert_eq!(frame.message().escape_ascii().to_string(), text.as_bytes().escape_ascii().to_string(), "{name}")
        }
        (None, Some(digits)) => assert_eq!(hex(frame.message()), *digits, "{name}"),
        _ => panic!("case {name:?} wants one of message, message_hex"),
    }
    assert!(frame.bytes()[frame.message_offset()..].starts_with(frame.message()), "{name}");
}

#[test]
fn cases() {
    for case in testkit::cases("header") {
        let expect: Expect = case.expect();
        let name = &case.name;
        let dialect = match expect.dialect.as_deref() {
            None => Dialect::Logplex,
            Some("rfc5424") => Dialect::Rfc5424,
            Some(other) => panic!("case {name:?}: no dialect {other}"),
        };
        match (Frame::parse(&case.input, dialect), &expect.error) {
            (Ok(frame), None) => {
                check(frame, &expect, name);
                let kept = frame.to_frame_buf();
                check(kept.as_frame(), &expect, name);
                assert_eq!(kept.as_frame(), frame, "{name}");
                assert_eq!(kept.into_bytes(), case.input, "{name}");
            }
            (Err(error), Some((kind, part, offset))) => {
                let got = (error.kind().as_str(), error.part().as_str(), error.offset());
                assert_eq!(got, (kind.as_str(), part.as_str(), *offset), "{name}");
                if let Some(text) = &expect.text {
                    assert_eq!(error.to_string(), *text, "{name}");
                }
            }
            (got, _) => panic!("case {name:?}: {got:?}"),
        }
    }
}

/// The same errors, counted from the start of a body.
#[test]
fn errors_in_a_body_count_from_its_start() {
    for case in testkit::cases("header") {
        let Expect { dialect, error: Some((kind, _, offset)), .. } = case.expect() else { continue };
        if case.input.is_empty() {
            continue; // no count says so
        }
        let dialect = if dialect.is_some() { Dialect::Rfc5424 } else { Dialect::Logplex };
        let front = format!("16 <1>1 - - - - - -\n{} ", case.input.len());
        let body = [front.as_bytes(), &case.input].concat();
        let raw = Frames::new(&body).nth(1).expect("a frame").expect("which is framed well");
        let error = raw.parse(dialect).expect_err("and bad");
        assert_eq!(
            (error.kind().as_str(), error.offset()),
            (kind.as_str(), front.len() as u64 + offset),
            "{}",
            case.name
        );
        assert!(Frames::new(&body).next().expect("a frame").expect("good").parse(Dialect::Logplex).is_ok());
    }
}

#[test]
fn the_dialect_is_asked_for_with_the_hostname() {
    let mut asked = Vec::new();
    for (line, message) in [
        (&b"<13>1 - host app web.1 - - x"[..], &b"- x"[..]),
        (b"<13>1 - d.5ca1ab1e app web.1 - - x", b"x"),
        (b"<13>1 - - app web.1 - - x", b"- x"),
    ] {
        let frame = Frame::parse_by(line, |hostname| {
            asked.push(hostname);
            hostname.and_then(|name| Dialect::for_hostname(name.as_bytes())).unwrap_or(Dialect::Logplex)
        });
        assert_eq!(frame.expect("all are good").message(), message);
    }
    assert_eq!(asked, [Some("host"), Some("d.5ca1ab1e"), None]);
}

#[test]
fn structured_data_is_read_to_its_parameters() {
    let line = br#"<13>1 - - - - - [a][b@1 x="1" y="\]\\" x="a\nb\""] -"#;
    let frame = Frame::parse(line, Dialect::Rfc5424).expect("it is good");
    let data = frame.structured_data().expect("it is there");
    let read: Vec<_> = data
        .elements()
        .map(|element| {
            (element.id(), element.params().map(|p| (p.name(), p.value(), p.unescaped())).collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(read[0], ("a", vec![]));
    assert_eq!(
        read[1],
        ("b@1", vec![("x", "1", "1".into()), ("y", r"\]\\", r"]\".into()), ("x", r#"a\nb\""#, r#"a\nb""#.into())])
    );
    assert_eq!(read.len(), 2);
}

#[test]
fn debug_escapes_what_a_terminal_would_act_on() {
    let frame = Frame::parse(b"<13>1 - a\x1b[2J - - - \x1b[31m\xff", Dialect::Logplex).expect("it is good");
    let shown = format!("{frame:?}");
    assert!(shown.is_ascii() && !shown.contains('\u{1b}'), "{shown}");
    assert!(shown.contains(r#"message: "\x1b[31m\xff""#), "{shown}");
}
