//! The cases of `testdata/queries.toml`: by `matches`, and by the slow oracle.

use log_query::{Fields, Node, Note, Query};
use serde::Deserialize;
use testkit::query::{Line, fits};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    read: String,
    fits: Vec<Vec<String>>,
    misses: Vec<Vec<String>>,
    #[serde(default)]
    notes: Vec<String>,
}

fn number(key: &str, name: &str) -> Option<u8> {
    match Query::parse(&format!("{key}:{name}")).query().root() {
        Node::Severity(number) | Node::Facility(number) => Some(number),
        _ => None,
    }
}

#[test]
fn cases() {
    let cases = testkit::cases("queries");
    assert!(cases.iter().filter(|case| case.name.starts_with(|letter: char| letter.is_ascii_digit())).count() == 28);
    for case in cases {
        let expect: Expect = case.expect();
        let text = String::from_utf8(case.input).expect("a query is text");
        let name = format!("{}: {text}", case.name);
        let parsed = Query::parse(&text);
        assert_eq!(parsed.query().to_string(), expect.read, "{name}");
        assert_eq!(Query::parse(&expect.read).query(), parsed.query(), "{name}, printed");
        let notes: Vec<String> = parsed.notes().iter().map(Note::to_string).collect();
        assert_eq!(notes.len(), expect.notes.len(), "{name}: {notes:?}");
        for (note, begins) in notes.iter().zip(&expect.notes) {
            assert!(note.starts_with(begins), "{name}: {note}");
        }
        assert!(!expect.fits.is_empty() && (!expect.misses.is_empty() || expect.read.is_empty()), "{name}");
        for (lines, fit) in [(&expect.fits, true), (&expect.misses, false)] {
            for parts in lines {
                let part = |index: usize| parts.get(index).filter(|part| !part.is_empty());
                let bytes = |index: usize| part(index).map(|part| part.as_bytes()).unwrap_or_default();
                let mut line = Line::new(bytes(0), bytes(1), bytes(2));
                line.severity = part(3).map(|name| number("severity", name).expect("a severity"));
                line.facility = part(4).map(|name| number("facility", name).expect("a facility"));
                line.source_ip = part(5).map(|address| address.parse().expect("an address"));
                let mut fields = Fields::new(bytes(0), bytes(1), bytes(2));
                fields = line.severity.map_or(fields, |severity| fields.with_severity(severity));
                fields = line.facility.map_or(fields, |facility| fields.with_facility(facility));
                fields = line.source_ip.map_or(fields, |address| fields.with_source_ip(address));
                assert_eq!(parsed.query().matches(&fields), fit, "{name}, on {parts:?}");
                assert_eq!(fits(&text, &line), fit, "{name}, on {parts:?}, by the oracle");
            }
        }
    }
}
