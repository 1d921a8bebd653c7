//! Queries and lines that are meant to do harm: no panic, no deep stack, time linear in what they are long.

use log_query::{Fields, NoteKind, Query};
use std::thread;
use std::time::{Duration, Instant};

const LEN: usize = 8 << 10;

fn repeated(piece: &str) -> String {
    piece.repeat(LEN / piece.len())
}

/// All that can be done with a query, on a stack as small as a thread may have.
fn all_of_it(text: &str) {
    let text = text.to_owned();
    let work = move || {
        let line = Fields::new(b"web01", b"heroku/router", b"a b \x1b[1mc\x1b[0m (-)").with_severity(3);
        let parsed = Query::parse(&text);
        let copy = parsed.clone();
        assert_eq!(copy, parsed);
        let printed = parsed.query().to_string();
        let again = Query::parse(&printed);
        assert_eq!(again.query(), parsed.query());
        assert_eq!(again.query().matches(&line), parsed.query().matches(&line));
        assert!(parsed.notes().iter().all(|note| text.get(note.range()).is_some() && !note.to_string().is_empty()));
        assert!(!format!("{parsed:?}").is_empty() && !copy.query().explain().is_empty());
        let required = parsed.query().required();
        assert!(required.allows(|_| true) && required.groups().len() <= text.len());
    };
    thread::Builder::new().stack_size(64 << 10).spawn(work).expect("a thread").join().expect("no panic");
}

#[test]
fn nothing_but_punctuation() {
    for piece in [
        "(",
        ")",
        "()",
        "((",
        "-",
        "-(",
        "--",
        "- ",
        "\"",
        "'",
        "\"\"",
        "\"(",
        "“",
        "\\",
        "\"\\",
        "*",
        "* ",
        "-*",
        "OR ",
        "AND ",
        "NOT ",
        "OR(",
        "NOT(",
        "a(",
        "a(b",
        "a(b)",
        "a(b(",
        "-a(",
        "f(x ",
        ":",
        "a:",
        "ip:",
        "ip:(",
        "program:",
        "program:(",
        "program:-",
        "program:-(",
        "severity:(",
        "severity:x ",
        "host:\"",
        "\0",
        "\u{1b}[",
        "\u{1b}[1m",
        "\u{a0}",
        "é",
        "\u{301}",
        "( ) ",
        "a OR ",
        "a b OR c -(",
        "program:(a b -c OR d AND ",
        "-program:(a b -c OR d AND ",
        "a OR -(b ",
        "(a) OR (b) ",
    ] {
        all_of_it(&repeated(piece));
        all_of_it(&format!("{}{}", repeated(piece), ")".repeat(LEN)));
        all_of_it(&format!("a {}x", piece.repeat(512)));
    }
}

#[test]
fn depth() {
    let nested = |depth: usize| format!("{}x{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Query::parse(&nested(512)).notes().is_empty());
    let parsed = Query::parse(&nested(513));
    assert_eq!(parsed.query().to_string(), "\"(x)\"");
    assert_eq!((parsed.notes()[0].kind(), parsed.notes()[0].range()), (NoteKind::DepthText, 512..515));
    assert_eq!(parsed.notes()[0].to_string(), "bracket at byte 512 read as text: it is deeper than 512 brackets");
    // What is text is text up to the bracket that closes it; what is behind that is as deep as before.
    let text = format!("{}x (y z) w{} v", "(".repeat(512), ")".repeat(512));
    let parsed = Query::parse(&text);
    assert_eq!(parsed.query().to_string(), "x \"(y\" \"z)\" w v");
    assert_eq!(parsed.notes().len(), 1);
    // An attribute's brackets count twice, for so many it may take to print them.
    let of_attribute = |depth: usize| format!("{}x{}", "host:(".repeat(depth), ")".repeat(depth));
    assert!(Query::parse(&of_attribute(256)).notes().is_empty());
    assert_eq!(Query::parse(&of_attribute(257)).notes()[0].kind(), NoteKind::DepthText);
}

/// The fastest of three, for other tests run beside.
fn time(mut work: impl FnMut()) -> Duration {
    let once = |_| {
        let from = Instant::now();
        work();
        from.elapsed()
    };
    (0..3).map(once).min().unwrap_or_default()
}

/// What is quadratic would take minutes at this length: a quarter million times itself.
#[test]
fn reading_is_linear() {
    for piece in [
        "(",
        "a(",
        "a(b ",
        "f(x",
        "-(",
        "\"a\" ",
        "program:(a ",
        "program:(a -b ",
        "a OR ",
        "(a b OR ",
        "a:",
        "é",
        "\\",
        "NOT ",
    ] {
        let text = piece.repeat((1 << 18) / piece.len());
        let taken = time(|| {
            let parsed = Query::parse(&text);
            let _ = (parsed.query().to_string(), parsed.query().explain(), parsed.query().required());
        });
        assert!(taken < Duration::from_secs(10), "{piece}: {taken:?}");
    }
}

/// 64 KiB of what nearly fits a needle of 8 KiB: half a billion comparisons if each byte were a new beginning, some
/// hundred thousand as it is.
#[test]
fn searching_is_linear() {
    let half = "a".repeat(LEN / 2);
    let needles = [
        format!("{half}b{half}"),
        format!("b{half}{half}"),
        format!("{half}{half}b"),
        format!("{half}é{half}"),
        format!("{}é", "ab".repeat(LEN / 2)),
        format!("\"{}b\"", ": ".repeat(LEN / 2)),
        format!("\"{}\u{1b}[b\"", "\u{1b}".repeat(LEN / 2)),
        format!("{}z", "q".repeat(LEN)),
        "é".repeat(LEN / 2) + "è",
    ];
    let texts = [
        "a".repeat(64 << 10),
        "A".repeat(64 << 10),
        format!("{}B", "a".repeat(LEN / 2 - 1)).repeat(16),
        "É".repeat(32 << 10),
        "aB".repeat(32 << 10),
        ": ".repeat(32 << 10),
        "qQ".repeat(32 << 10),
        "\u{1b}[".repeat(32 << 10),
        format!("\u{1b}[{}", "1;".repeat(32 << 10)),
        "a\u{1b}[1m".repeat(13 << 10),
    ];
    for needle in &needles {
        let query = Query::parse(needle).into_query();
        for text in &texts {
            let line = Fields::new(text.as_bytes(), text.as_bytes(), text.as_bytes());
            // Four passes of an automaton over 64 KiB, unoptimised and with neighbours.
            let taken = time(|| assert!(!query.matches(&line)));
            assert!(
                taken < Duration::from_millis(200),
                "{:.20} in {:.20}: {taken:?}",
                needle,
                text.escape_debug().to_string()
            );
        }
    }
}

#[test]
fn any_bytes_in_a_line() {
    let all: Vec<u8> = (0..=255).collect();
    let line = Fields::new(&all, &all, &all);
    for text in ["\0", "\u{7f}", "\"\u{1b}\u{1c}\"", "xyz", "\"\0\u{1}\u{2}\"", "[\\]", "-é -\u{80} -\u{ff}"] {
        assert!(Query::parse(text).query().matches(&line), "{text:?}");
    }
}
