//! One message in both dialects: the parts printed again are the octets read, and the owned partner says the same.
#![no_main]

use heroku_syslog::{Dialect, Frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    for dialect in [Dialect::Logplex, Dialect::Rfc5424] {
        match Frame::parse(message, dialect) {
            Ok(frame) => {
                same_octets(message, &frame);
                owned(&frame);
            }
            Err(error) => {
                assert!(error.offset() <= message.len() as u64, "{error}");
                assert!(error.to_string().ends_with(&format!("at byte {}", error.offset())), "{error}");
            }
        }
    }
    // The HOSTNAME chooses among the dialects, and adds none.
    let chosen = Frame::parse(message, Dialect::ByHostname);
    let dialects = [Dialect::Logplex, Dialect::Rfc5424, Dialect::Moved];
    assert!(dialects.iter().any(|&dialect| Frame::parse(message, dialect) == chosen));
});

fn same_octets(input: &[u8], frame: &Frame<'_>) {
    assert_eq!(frame.bytes(), input);
    let from = frame.message_offset();
    assert_eq!(&input[from..from + frame.message().len()], frame.message());
    assert!(matches!(&input[from + frame.message().len()..], b"" | b"\n" | b"\r\n"));

    let nil = |field: Option<&'_ str>| field.unwrap_or("-").to_owned();
    let pri = frame.pri().expect("a frame has a PRI").value();
    let mut printed = format!(
        "{} {} {} {} {} {}",
        frame.version().expect("a frame has a VERSION"),
        nil(frame.timestamp_text()),
        nil(frame.hostname()),
        nil(frame.app_name()),
        nil(frame.proc_id()),
        nil(frame.msg_id()),
    );
    if let Some(data) = frame.structured_data() {
        printed.push(' ');
        printed.push_str(data.as_str());
        let elements: String = data
            .elements()
            .map(|element| {
                let params: String = element
                    .params()
                    .map(|param| {
                        assert!(param.unescaped().len() <= param.value().len());
                        format!(" {}=\"{}\"", param.name(), param.value())
                    })
                    .collect();
                format!("[{}{params}]", element.id())
            })
            .collect();
        assert_eq!(elements, data.as_str());
    }
    // PRIVAL may have leading zeros, so it is compared as a number.
    let close = input.iter().position(|&octet| octet == b'>').expect("a closing bracket");
    let digits = core::str::from_utf8(&input[1..close]).expect("digits");
    assert_eq!(digits.parse(), Ok(pri));
    assert!(input[close + 1..].starts_with(printed.as_bytes()), "{printed}");
}

fn owned(frame: &Frame<'_>) {
    let buffer = frame.to_frame_buf();
    let again = buffer.as_frame();
    assert_eq!(again.bytes(), frame.bytes());
    assert_eq!(again.message(), frame.message());
    assert_eq!(again.pri(), frame.pri());
    assert_eq!(again.timestamp(), frame.timestamp());
    assert_eq!(
        (again.hostname(), again.app_name(), again.proc_id(), again.msg_id()),
        (frame.hostname(), frame.app_name(), frame.proc_id(), frame.msg_id())
    );
    assert_eq!(again.structured_data().map(|data| data.as_str()), frame.structured_data().map(|data| data.as_str()));
}
