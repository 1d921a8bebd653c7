//! Router lines: every answer is borrowed from the line, and what a client sends cannot forge what the router measured.
#![no_main]

use heroku_router::RouterLine;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Some(line) = RouterLine::parse(input) {
        borrowed(input, &line);
    }
    let (first, second) = input.split_at(input.len() / 2);
    from_a_client(input, b"192.0.2.7");
    from_a_client(b"products", input);
    from_a_client(first, second);
});

fn borrowed(input: &[u8], line: &RouterLine<'_>) {
    let texts = [
        line.at(),
        line.code_text(),
        line.desc(),
        line.cause(),
        line.sock(),
        line.method(),
        line.client().path(),
        line.client().host(),
        line.client().request_id(),
        line.client().fwd(),
        line.dyno(),
        line.protocol(),
        line.tls_version(),
        line.agent(),
    ];
    for text in texts.into_iter().flatten() {
        assert!(inside(input, text) && !text.is_empty());
    }
    for address in line.client().fwd_list() {
        assert!(inside(input, address));
    }
    let mut last = 0;
    for field in line.fields() {
        assert!(field.offset() >= last);
        // Lines before October 2012 give values without names; these five are what the names would be.
        let unnamed = [&b"code"[..], b"desc", b"method", b"host", b"path"].contains(&field.name());
        assert!(unnamed || inside(input, field.name()));
        last = field.offset();
        assert!(field.value().is_none_or(|value| inside(input, value)));
        assert!(field.unescaped().unwrap_or_default().len() <= field.value().unwrap_or_default().len());
    }
    for number in [line.connect_ms(), line.service_ms(), line.wait_ms()].into_iter().flatten() {
        assert!(number.is_finite() && number >= 0.0);
    }
    assert!(line.status().is_none_or(|status| (100..=999).contains(&status)));
    for refusal in line.refusals() {
        assert!(refusal.offset() + refusal.len() <= input.len());
        assert!(!refusal.to_string().is_empty());
    }
    if let Some(code) = line.code() {
        assert!(line.code_text().is_some_and(|text| text == code.as_str().as_bytes() || text == b"blank-app"));
    }
}

/// A path is whatever a client sent, decoded by the router; so are the addresses it claims to be from.
fn from_a_client(path: &[u8], fwd: &[u8]) {
    let text = [
        &b"at=info method=GET path=\"/"[..],
        path,
        b"\" host=shop.example.com request_id=5c1e fwd=\"",
        fwd,
        b"\" dyno=web.1 connect=1ms service=18ms status=200 bytes=13 protocol=https",
    ]
    .concat();
    let line = RouterLine::parse(&text).expect("a router line");
    assert_eq!(line.method(), Some(&b"GET"[..]));
    assert_eq!(line.code(), None);
    assert_eq!(line.dyno(), Some(&b"web.1"[..]));
    assert_eq!((line.connect_ms(), line.service_ms()), (Some(1.0), Some(18.0)));
    assert_eq!((line.status(), line.bytes()), (Some(200), Some(13)));
    borrowed(&text, &line);
}

/// Whether `part` is borrowed from `whole`, not only equal to some of it.
fn inside(whole: &[u8], part: &[u8]) -> bool {
    let (whole, part) = (whole.as_ptr_range(), part.as_ptr_range());
    whole.start <= part.start && part.end <= whole.end
}
