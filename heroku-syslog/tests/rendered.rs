//! What `heroku logs` prints: the cases of `testdata/rendered.toml`.

use heroku_syslog::rendered::{Form, Lines, parse_line};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    lines: Vec<(u64, u64, i64, String, String, String)>,
    #[serde(default)]
    errors: Vec<(u64, u64, String, String, u64)>,
    #[serde(default)]
    separators: u64,
    /// `copied` or `exported`; else as printed.
    form: Option<String>,
}

#[test]
fn cases() {
    for case in testkit::cases("rendered") {
        let expect: Expect = case.expect();
        let (mut lines, mut errors, mut bytes) = (Vec::new(), Vec::new(), 0);
        let form = match expect.form.as_deref() {
            None => Form::Printed,
            Some("copied") => Form::Copied,
            Some(_) => Form::Exported,
        };
        let mut reader = Lines::new(&case.input);
        for line in &mut reader {
            let len = line.bytes().len() as u64;
            bytes += len;
            match line.parse(form) {
                Ok(frame) => {
                    lines.push((
                        line.offset(),
                        len,
                        frame.timestamp().expect("a line has one").unix_micros(),
                        frame.app_name().expect("a line has one").to_owned(),
                        frame.proc_id().expect("a line has one").to_owned(),
                        match std::str::from_utf8(frame.message()) {
                            Ok(text) => text.to_owned(),
                            Err(_) => frame.message().escape_ascii().to_string(),
                        },
                    ));
                    assert_eq!(
                        (frame.pri(), frame.version(), frame.hostname(), frame.msg_id(), frame.structured_data()),
                        (None, None, None, None, None)
                    );
                    let start = line.offset() as usize;
                    let bytes = &case.input[start..start + len as usize];
                    assert_eq!(frame.bytes(), bytes, "{}", case.name);
                    assert!(bytes[frame.message_offset()..].starts_with(frame.message()), "{}", case.name);
                    assert_eq!(parse_line(bytes, form), Ok(frame), "{}", case.name);
                    assert_eq!(frame.to_frame_buf().as_frame(), frame, "{}", case.name);
                    let router = (frame.app_name(), frame.proc_id()) == (Some("heroku"), Some("router"));
                    assert_eq!(frame.is_router(), router, "{}", case.name);
                }
                Err(error) => {
                    errors.push((
                        line.offset(),
                        len,
                        error.kind().as_str().to_owned(),
                        error.part().to_owned(),
                        error.offset(),
                    ));
                }
            }
        }
        assert_eq!(lines, expect.lines, "{}", case.name);
        assert_eq!(errors, expect.errors, "{}", case.name);
        assert_eq!(reader.separators(), expect.separators, "{}", case.name);
        assert_eq!(bytes + reader.separators(), case.input.len() as u64, "{}", case.name);
    }
}
