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
                assert_eq!(kept.as_frame().bytes(), case.input, "{name}");
            }
            (Err(error), Some((kind, part, offset))) => {
                let got = (error.kind().as_str(), error.part(), error.offset());
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
fn the_hostname_tells_the_dialect() {
    for (line, dialect, message) in [
        (&b"<13>1 - host app web.1 - - x"[..], Dialect::Logplex, &b"- x"[..]),
        (b"<13>1 - d.5ca1ab1e app web.1 - - x", Dialect::Rfc5424, b"x"),
        (b"<13>1 - shuttle app web.1 - - x", Dialect::Rfc5424, b"x"),
        (b"<13>1 - heroku web.1 - - x", Dialect::Moved, b"x"),
        (b"<13>1 - - app web.1 - - x", Dialect::Logplex, b"- x"),
    ] {
        let frame = Frame::parse(line, Dialect::ByHostname);
        assert_eq!(frame, Frame::parse(line, dialect));
        assert_eq!(frame.expect("all are good").message(), message);
    }
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

/// Headers without HOSTNAME, and those of the drains of 2012: APP-NAME and PROCID are what they are elsewhere.
#[test]
fn headers_that_are_moved_by_one_field() {
    const TOKEN: &str = "d.5ca1ab1e-0000-4000-8000-00000000beef";
    let time = "2012-11-30T06:45:26+00:00";
    for (line, app_name, proc_id, message) in [
        (format!("<158>1 {time} heroku router - - sock=client at=info"), "heroku", "router", "sock=client at=info"),
        (format!("<158>1 {time} heroku router - at=info method=GET"), "heroku", "router", "at=info method=GET"),
        (format!("<45>1 {time} heroku web.1 - - source=web.1\n"), "heroku", "web.1", "source=web.1"),
        (format!("<45>1 {time} heroku web.1 - Idling"), "heroku", "web.1", "Idling"),
        (format!("<45>1 {time} heroku web.1 -"), "heroku", "web.1", ""),
        (format!("<45>1 {time} heroku web.1 - -\r\n"), "heroku", "web.1", ""),
        (format!("<45>1 {time} heroku web.1 - - \n"), "heroku", "web.1", ""),
        (
            format!("<190>1 {time} app web.1 - {{\"a_key_that_is_longer_than_any\":1}}"),
            "app",
            "web.1",
            "{\"a_key_that_is_longer_than_any\":1}",
        ),
        (format!("<134>1 {time} app heroku-postgres - - source=DATABASE"), "app", "heroku-postgres", "source=DATABASE"),
        (format!("<40>1 {time} heroku web.3 {TOKEN} - Starting process"), "heroku", "web.3", "Starting process"),
        (format!("<40>1 {time} app web.3 {TOKEN} - \n"), "app", "web.3", ""),
        (format!("<40>1 {time} heroku router {TOKEN} -"), "heroku", "router", ""),
    ] {
        let frame = Frame::parse(line.as_bytes(), Dialect::Moved).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!((frame.app_name(), frame.proc_id()), (Some(app_name), Some(proc_id)), "{line}");
        assert_eq!((frame.hostname(), frame.msg_id()), (None, None), "the token is a password: {line}");
        assert_eq!(String::from_utf8_lossy(frame.message()), message, "{line}");
        assert_eq!(frame.is_router(), (app_name, proc_id) == ("heroku", "router"), "{line}");
        assert!(!format!("{frame:?}").contains(TOKEN));
        assert_eq!(frame.to_frame_buf().as_frame(), frame);
    }
    // What could be meant as it stands is read as it stands.
    for line in [
        format!("<190>1 {time} heroku app log-shuttle - Error L12"),
        format!("<190>1 {time} host heroku router - at=info"),
        format!("<190>1 {time} heroku web - - hi"),
        format!("<190>1 {time} heroku web.1 web.2 - hi"),
    ] {
        let logplex = Frame::parse(line.as_bytes(), Dialect::Logplex);
        assert_eq!(Frame::parse(line.as_bytes(), Dialect::Moved), logplex, "{line}");
    }
    for line in
        [format!("<190>1 {time} shop web.1 -"), format!("<190>1 {time} heroku"), format!("<190>1 {time} heroku web.1")]
    {
        assert_eq!(
            Frame::parse(line.as_bytes(), Dialect::Moved),
            Frame::parse(line.as_bytes(), Dialect::Logplex),
            "{line}"
        );
    }
}

/// An empty message is written in as many ways as there are ends of a header.
#[test]
fn an_empty_message_in_all_its_forms() {
    let header = "<190>1 2022-12-05T20:26:20.860136+00:00";
    for end in ["", "\n", "\r\n", " ", " \n", " \r\n"] {
        for (line, dialect) in [
            (format!("{header} host app worker.2 -{end}"), Dialect::Logplex),
            (format!("{header} d.5ca1ab1e app worker.2 - -{end}"), Dialect::Rfc5424),
            (format!("{header} app worker.2 - -{end}"), Dialect::Moved),
        ] {
            let frame = Frame::parse(line.as_bytes(), dialect).unwrap_or_else(|error| panic!("{line:?}: {error}"));
            assert_eq!((frame.message(), frame.proc_id()), (&b""[..], Some("worker.2")), "{line:?}");
        }
    }
}
