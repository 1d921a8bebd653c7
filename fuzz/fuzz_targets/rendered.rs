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
    let mut lines = Lines::new(text).with_form(form);
    let (mut octets, mut last) = (0, 0);
    while let Some(item) = lines.next() {
        let (offset, len) = match &item {
            Ok(line) => (line.offset(), line.len()),
            Err(error) => (error.offset(), error.len()),
        };
        assert!(offset >= last && offset + len <= text.len() as u64);
        let octets_of_line = &text[offset as usize..(offset + len) as usize];
        assert!(
            octets_of_line.iter().rposition(|&octet| octet == b'\n').is_none_or(|at| at + 1 == octets_of_line.len())
        );
        match item {
            Ok(line) => {
                let frame = line.frame();
                assert_eq!(parse_line(octets_of_line, form), Ok(frame));
                assert!(frame.pri().is_none() && frame.hostname().is_none());
                assert!(!frame.message().contains(&b'\n'));
                assert!(
                    octets_of_line.windows(frame.message().len().max(1)).any(|part| part == frame.message())
                        || frame.message().is_empty()
                );
            }
            Err(error) => {
                let within = error.error().offset() - offset;
                assert!(within <= len, "{error}");
                assert_eq!(parse_line(octets_of_line, form).map_err(|error| error.kind()), Err(error.error().kind()));
            }
        }
        octets += len;
        last = offset + len;
        assert_eq!(lines.offset(), last);
    }
    assert_eq!(octets + lines.separators(), text.len() as u64);
}
