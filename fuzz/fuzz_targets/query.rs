//! A query is read, printed and read again as the same; notes lie within it; lines fit as the slow oracle says, and so say
//! the terms, searched in folded text, and what the query requires.
#![no_main]

use family_fuzz::Draw;
use libfuzzer_sys::fuzz_target;
use log_query::{Fields, Node, Query, fold_into};
use testkit::query::{Line, fits};

/// As a store evaluates it: on folded texts, by the tree.
fn holds(node: Node<'_>, line: &Line, [system, program, message]: &[Vec<u8>; 3]) -> bool {
    let texts = &[system.clone(), program.clone(), message.clone()];
    match node {
        Node::All(mut nodes) => nodes.all(|node| holds(node, line, texts)),
        Node::Any(mut nodes) => nodes.any(|node| holds(node, line, texts)),
        Node::Not(negated) => !holds(negated.node(), line, texts),
        Node::Severity(severity) => line.severity == Some(severity),
        Node::Facility(facility) => line.facility == Some(facility),
        Node::SourceIp(prefix) => line.source_ip.is_some_and(|address| prefix.fits(address)),
        Node::Term(term) => {
            let found = (term.in_system() && term.found_in(system))
                || (term.in_program() && term.found_in(program))
                || (term.in_message() && term.found_in(message));
            found || (term.in_joined() && term.spans(&line.program, &line.message))
        }
        _ => unreachable!("all kinds of nodes are above"),
    }
}

fuzz_target!(|input: &[u8]| {
    let mut draw = Draw::new(input);
    let (severity, facility, address) = (draw.below(16) as u8, draw.below(32) as u8, draw.below(4));
    let lengths = [draw.below(32), draw.below(32), draw.below(256)];
    let [system, program, message] = lengths.map(|most| draw.octets(most));
    let text = String::from_utf8_lossy(draw.rest());

    let parsed = Query::parse(&text);
    let query = parsed.query();
    let mut last = 0;
    for note in parsed.notes() {
        let range = note.range();
        assert!(text.get(range.clone()).is_some_and(|noted| !noted.is_empty()), "{note:?}");
        assert!(range.start >= last, "notes stand in the order of the text");
        last = range.start;
    }
    let printed = query.to_string();
    let again = Query::parse(&printed);
    assert_eq!(again.query(), query, "printed as {printed:?}");
    assert!(!query.explain().contains(char::is_control));

    let mut line = Line::new(system, program, message);
    line.severity = (severity < 8).then_some(severity);
    line.facility = (facility < 24).then_some(facility);
    line.source_ip = ["10.0.0.1", "::1", "2001:db8::10"].get(address).and_then(|address| address.parse().ok());
    let mut fields = Fields::new(system, program, message);
    if let Some(severity) = line.severity {
        fields = fields.with_severity(severity);
    }
    if let Some(facility) = line.facility {
        fields = fields.with_facility(facility);
    }
    if let Some(address) = line.source_ip {
        fields = fields.with_source_ip(address);
    }
    let matches = query.matches(&fields);
    // The oracle takes its time.
    if text.len() <= 1_000 {
        assert_eq!(matches, fits(&text, &line), "{text:?}, read as {query}, on {line:?}");
    }
    let folded = [system, program, message].map(|text| {
        let mut folded = Vec::new();
        fold_into(text, &mut folded);
        folded
    });
    assert_eq!(matches, holds(query.root(), &line, &folded), "{text:?}, read as {query}, on {line:?}");
    if matches {
        let [system, program, message] = &folded;
        let all = [&system[..], b"\n", program, b": ", message].concat();
        assert!(query.required().allows(|term| all.windows(term.anchor().len()).any(|piece| piece == term.anchor())));
    }
});
