//! Random queries over random lines: what `matches` says is what the slow oracle says, which shares no code with it.

use log_query::{Fields, Node, Query, Term, fold_into};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use testkit::query::{Line, fits};

const QUERY: &[&str] = &[
    "a",
    "b",
    "ab",
    "aB",
    "A",
    "é",
    "É",
    "ß",
    "ẞ",
    "σ",
    "ς",
    "K",
    "\u{212a}",
    "1",
    "10.",
    "0",
    " ",
    " ",
    " ",
    "  ",
    "\u{a0}",
    "\n",
    "(",
    "(",
    ")",
    ")",
    "\"",
    "\"",
    "'",
    "“",
    "”",
    "’",
    "\\",
    "-",
    "-",
    "*",
    ":",
    ": ",
    "OR",
    " OR ",
    "AND",
    " AND ",
    "NOT",
    " NOT ",
    "or",
    "program:",
    "sender:",
    "host:",
    "message:",
    "severity:",
    "facility:",
    "ip:",
    "error",
    "crit",
    "3",
    "cron",
    "::",
    "x:",
    "\u{1b}[1m",
    "\u{1b}",
    "\0",
    ",",
    "=",
];

const TEXT: &[&[u8]] = &[
    b"a",
    b"b",
    b"ab",
    b"A",
    b"B",
    b"AB",
    "é".as_bytes(),
    "É".as_bytes(),
    "ß".as_bytes(),
    "ẞ".as_bytes(),
    "ς".as_bytes(),
    "Σ".as_bytes(),
    "\u{212a}".as_bytes(),
    b"k",
    b"1",
    b"10.",
    b" ",
    b": ",
    b":",
    b"(",
    b"\"",
    b"-",
    b"*",
    b"\x1b[1m",
    b"\x1b[0;38m",
    b"\x1b[",
    b"\x1b",
    b"m",
    b"\xc3",
    b"\xa9",
    b"\xff",
    b"\0",
    b"\n",
    b"\\",
    b"x:",
    b"or",
    b"=",
];

fn query() -> impl Strategy<Value = String> {
    vec(select(QUERY), 0..14).prop_map(|pieces| pieces.concat())
}

/// Queries that are as they should be, so that trees are deep and wide.
fn tidy() -> impl Strategy<Value = String> {
    let word = select(
        &[
            "a",
            "ab",
            "É",
            "\"b: a\"",
            "\": \"",
            "program:b",
            "message:a",
            "host:(a b -1)",
            "severity:3",
            "facility:cron",
            "ip:10.",
            "ip:::1",
            "'a b'",
        ][..],
    );
    word.prop_map(String::from).prop_recursive(6, 24, 4, |inner| {
        (
            select(&["", "-", "NOT "][..]),
            vec(inner, 1..4),
            select(&[" ", " OR ", " AND "][..]),
            select(&["", "program:", "message:"][..]),
        )
            .prop_map(|(not, inner, with, key)| format!("{not}{key}({})", inner.join(with)))
    })
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    vec(select(TEXT), 0..10).prop_map(|pieces| pieces.concat())
}

fn line() -> impl Strategy<Value = Line> {
    let addresses =
        select(&[None, Some("10.0.0.1"), Some("::1"), Some("::ffff:10.9.0.1"), Some("2001:db8::10.0.0.1")][..]);
    (text(), text(), text(), select(&[None, Some(3), Some(2)][..]), select(&[None, Some(9)][..]), addresses).prop_map(
        |(system, program, message, severity, facility, address)| {
            let mut line = Line::new(&system, &program, &message);
            (line.severity, line.facility) = (severity, facility);
            line.source_ip = address.map(|address| address.parse().expect("an address"));
            line
        },
    )
}

fn fields(line: &Line) -> Fields<'_> {
    let mut fields = Fields::new(&line.system, &line.program, &line.message);
    if let Some(severity) = line.severity {
        fields = fields.with_severity(severity);
    }
    if let Some(facility) = line.facility {
        fields = fields.with_facility(facility);
    }
    if let Some(address) = line.source_ip {
        fields = fields.with_source_ip(address);
    }
    fields
}

fn judge(text: &str, lines: &[Line]) {
    let parsed = Query::parse(text);
    let query = parsed.query();
    for line in lines {
        assert_eq!(query.matches(&fields(line)), fits(text, line), "{text:?}, read as {query}, on {line:?}");
    }
    let printed = query.to_string();
    let again = Query::parse(&printed);
    assert_eq!(again.query(), query, "{text:?} is printed as {printed:?}");
    for note in parsed.notes() {
        assert!(text.get(note.range()).is_some_and(|noted| !noted.is_empty()), "{note:?} of {text:?}");
    }
    let required = query.required();
    for line in lines {
        let texts =
            [&line.system[..], &line.program, &line.message, &[&line.program[..], b": ", &line.message].concat()];
        let folded = texts.map(folded);
        let looks_in = |term: &Term| [term.in_system(), term.in_program(), term.in_message(), term.in_joined()];
        let holds = |term: &Term| {
            assert!(!term.anchor().is_empty());
            let mut texts = folded.iter().zip(looks_in(term)).filter(|(_, looks)| *looks);
            texts.any(|(text, _)| text.windows(term.anchor().len()).any(|window| window == term.anchor()))
        };
        assert!(required.allows(holds) || !fits(text, line), "{text:?} on {line:?}");
    }
    assert!(!query.explain().contains(char::is_control), "{text:?}");
    for term in terms(query) {
        assert_eq!(folded(term.text().as_bytes()), term.folded());
    }
}

fn folded(text: &[u8]) -> Vec<u8> {
    let mut folded = Vec::new();
    fold_into(text, &mut folded);
    folded
}

fn terms(query: &Query) -> Vec<&Term> {
    fn gather<'q>(node: Node<'q>, terms: &mut Vec<&'q Term>) {
        match node {
            Node::All(nodes) | Node::Any(nodes) => nodes.for_each(|node| gather(node, terms)),
            Node::Not(negated) => gather(negated.node(), terms),
            Node::Term(term) => terms.push(term),
            _ => {}
        }
    }
    let mut terms = Vec::new();
    gather(query.root(), &mut terms);
    terms
}

/// The long form is run by hand: see docs/testing.md.
fn cases() -> u32 {
    if std::env::var_os("HEROKU_METRICS_LONG").is_some() { 100_000 } else { 4_000 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn wild_queries(text in query(), lines in vec(line(), 1..5)) {
        judge(&text, &lines);
    }

    #[test]
    fn tidy_queries(text in tidy(), lines in vec(line(), 1..5)) {
        judge(&text, &lines);
    }

    /// A term alone: blocks of folded text are searched by what a term says of itself.
    #[test]
    fn terms_say_what_they_are(text in text(), needle in text()) {
        let needle = String::from_utf8_lossy(&needle).into_owned();
        let escaped: String = needle.chars().flat_map(|letter| [Some('\\').filter(|_| "\"\\".contains(letter)), Some(letter)]).flatten().collect();
        let parsed = Query::parse(&format!("message:\"{escaped}\""));
        let folded = folded(&text);
        for term in terms(parsed.query()) {
            let found = fits(&format!("message:\"{escaped}\""), &Line::new(b"", b"", &text));
            assert_eq!(term.found_in(&folded), found);
            let holds = |piece: &[u8]| piece.is_empty() || folded.windows(piece.len()).any(|window| window == piece);
            assert!(!found || holds(term.anchor()));
            assert!(!term.is_exact() || found == holds(term.folded()));
        }
    }
}
