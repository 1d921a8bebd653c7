//! Error lines of dynos and of Logplex: what is answered stands on the line.
#![no_main]

use heroku_router::{Code, CodeClass, MemoryHint, PlatformError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    if let Some(error) = PlatformError::parse(line) {
        let code = error.code();
        assert_ne!(code.class(), CodeClass::Http, "H codes are router lines");
        assert_eq!(Code::parse(code.as_str().as_bytes()), Some(code));
        assert!(line.windows(3).any(|window| window == code.as_str().as_bytes()));
        for text in [error.description(), error.detail(), error.since(), error.drain()].into_iter().flatten() {
            assert!(inside(line, text.as_bytes()), "{text}");
        }
        if let Some(count) = error.count() {
            assert_eq!(code.class(), CodeClass::Logging);
            // Leading zeros may stand before the number, never after it.
            assert!(line.windows(count.to_string().len()).any(|window| window == count.to_string().as_bytes()));
        }
        if let Some(refusal) = error.refusal() {
            assert!(refusal.offset() + refusal.len() <= line.len());
            assert!(!refusal.to_string().is_empty());
        }
    }
    if let Some(code) = Code::parse(line) {
        assert_eq!(line, code.as_str().as_bytes());
        assert!(code.number() <= 99);
    }
    if let Some(hint) = MemoryHint::parse(line) {
        assert!(hint.percent().is_finite() && hint.percent() >= 0.0);
        assert!(line.starts_with(b"Process running mem="));
    }
});

/// Whether `part` is borrowed from `whole`, not only equal to some of it.
fn inside(whole: &[u8], part: &[u8]) -> bool {
    let (whole, part) = (whole.as_ptr_range(), part.as_ptr_range());
    whole.start <= part.start && part.end <= whole.end
}
