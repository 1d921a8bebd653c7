//! What a client sent, quoted by its application: nothing of it is counted, and of any line each metric is counted or refused.
#![no_main]

use family_fuzz::{Draw, metric_words};
use libfuzzer_sys::fuzz_target;
use logfmt_metrics::{Directive, directives};

/// As loggers escape: a backslash before the quote and before itself, and control characters of JSON.
fn escaped(text: &[u8], quote: u8) -> Vec<u8> {
    let mut out = Vec::new();
    for &octet in text {
        match octet {
            b'\n' => out.extend_from_slice(b"\\n"),
            0..0x20 => out.extend_from_slice(format!("\\u{octet:04x}").as_bytes()),
            _ if octet == quote || octet == b'\\' => out.extend_from_slice(&[b'\\', octet]),
            _ => out.push(octet),
        }
    }
    out
}

fuzz_target!(|input: &[u8]| {
    let mut draw = Draw::new(input);
    let shape = draw.below(6);
    let client = draw.rest();

    let found: Vec<_> = directives(client).collect();
    for at in metric_words(client) {
        let is_told = found.iter().any(|found| match found {
            Ok(Directive::Metric(metric)) => metric.offset() == at,
            Err(refusal) => refusal.range().contains(&at),
            _ => false,
        });
        assert!(is_told, "{at} of {}: {found:?}", client.escape_ascii());
    }

    let quote = if shape % 2 == 0 { b'"' } else { b'\'' };
    let text = [&[quote][..], &escaped(client, quote), &[quote]].concat();
    let line = match shape {
        0 => [br#"{"ip":"192.0.2.7","ua":"#, &text[..], br#","list":["#, &text, br#"],"msg":"count#own=1"}"#].concat(),
        1 => [br#"{'ua': "#, &text[..], br#", 'msg': 'count#own=1'}"#].concat(),
        2 => [b"ua=", &text[..], br#" msg="count#own=1""#].concat(),
        3 => [b"ua=", &text[..], b" count#own=1"].concat(),
        4 => [br#""GET / HTTP/1.1" 200 "#, &text[..], b" count#own=1"].concat(),
        _ => [&br#"{"a":{"msg":""#[..], &escaped(client, b'"'), br#""},"msg":"count#own=1"}"#].concat(),
    };
    let counted: Vec<_> = directives(&line)
        .filter_map(|found| match found {
            Ok(Directive::Metric(metric)) => Some(metric.name()),
            _ => None,
        })
        .collect();
    assert_eq!(counted, ["own"], "{}", line.escape_ascii());
});
