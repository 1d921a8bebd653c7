//! Text of `heroku logs` and copies of it: lines and separators add up to the text, and each line reads the same alone.
#![no_main]

use heroku_syslog::rendered::{Form, Lines, parse_line};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    for form in [Form::Printed, Form::Copied, Form::Exported] {
        read(text, form);
    }
    // A copy is what was printed, or more.
    for line in text.split(|&octet| octet == b'\n') {
        if let Ok(frame) = parse_line(line, Form::Printed) {
            assert_eq!(parse_line(line, Form::Copied), Ok(frame));
        }
    }
});

fn read(text: &[u8], form: Form) {
    let mut lines = Lines::new(text);
    let (mut bytes, mut last) = (0, 0);
    while let Some(line) = lines.next() {
        let (offset, len) = (line.offset(), line.bytes().len() as u64);
        assert!(offset >= last && offset + len <= text.len() as u64);
        assert_eq!(line.bytes(), &text[offset as usize..(offset + len) as usize]);
        assert!(line.bytes().iter().rposition(|&byte| byte == b'\n').is_none_or(|at| at as u64 + 1 == len));
        match line.parse(form) {
            Ok(frame) => {
                assert_eq!(parse_line(line.bytes(), form), Ok(frame));
                assert!(frame.pri().is_none() && frame.hostname().is_none());
                assert!(!frame.message().contains(&b'\n'));
                assert!(
                    line.bytes().windows(frame.message().len().max(1)).any(|part| part == frame.message())
                        || frame.message().is_empty()
                );
            }
            Err(error) => {
                assert!((offset..=offset + len).contains(&error.offset()), "{error}");
                assert_eq!(parse_line(line.bytes(), form).map_err(|error| error.kind()), Err(error.kind()));
            }
        }
        bytes += len;
        last = offset + len;
        assert_eq!(lines.offset(), last);
    }
    assert_eq!(bytes + lines.separators(), text.len() as u64);
}
