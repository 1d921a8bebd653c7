//! How queries are read: what they print as, and what is noted.

use log_query::{NoteKind, Query};

fn printed(text: &str) -> String {
    let parsed = Query::parse(text);
    let printed = parsed.query().to_string();
    let again = Query::parse(&printed);
    assert_eq!(again.query(), parsed.query(), "{text} is printed as {printed}");
    printed
}

#[test]
fn printed_as() {
    for (text, expect) in [
        ("", ""),
        ("*", ""),
        ("\"\"", ""),
        ("a  b\tc", "a b c"),
        ("a AND b OR c", "a b OR c"),
        ("(a OR b) c", "(a OR b) c"),
        ("((a b)) (c OR (d OR e))", "a b (c OR d OR e)"),
        ("-CROND", "-CROND"),
        ("NOT NOT a NOT b", "a -b"),
        ("-(-(a))", "a"),
        ("-(a b)", "-(a b)"),
        ("-(a OR -b)", "-(a OR -b)"),
        ("program:(a b -c)", "(program:a OR program:b) -program:c"),
        ("program:(a AND b c)", "program:a program:b OR program:c"),
        ("program:(-cron)", "-program:cron"),
        ("program:-cron", "-program:cron"),
        ("severity:-info", "-severity:info"),
        ("severity:(err CRIT 0)", "severity:error OR severity:crit OR severity:emerg"),
        ("severity:fatal", "\"severity:fatal\""),
        ("facility:Local3 HOST:x", "facility:local3 sender:x"),
        ("ip:10.1.2 ip:::1", "ip:10.1.2 ip:::1"),
        ("program: sshd", "\"program:\" sshd"),
        ("count(x) (count(x))", "\"count(x)\" \"count(x)\""),
        ("f(a b)", "f a b"),
        ("\"ab\"\"cd\"ef", "ab cd ef"),
        ("'a\\'b\\\\' \"a\\\"b\\n\"", "\"a'b\\\\\" \"a\\\"b\\\\n\""),
        ("“curly one” ‘two ”’", "\"curly one\" \"two ”\""),
        ("it's 5\"", "\"it's\" \"5\\\"\""),
        ("a\u{a0}b", "a b"),
        ("--flag -* - -5", "\"--flag\" \"-*\" \"-\" -5"),
        ("plum OR", "plum"),
        ("OR OR", ""),
        ("a OR OR b AND", "a OR b"),
        ("a OR(b c)", "a OR b c"),
        ("() -\"\" * NOT", ""),
        ("a ) b", "a b"),
        ("((a b", "a b"),
        ("\"a b", "\"a b\""),
        ("or", "\"or\""),
        ("-OR \"AND\"", "-\"OR\" \"AND\""),
    ] {
        assert_eq!(printed(text), expect, "{text}");
    }
}

#[test]
fn each_note_is_a_sentence() {
    for (text, range, expect) in [
        ("a \"b c", 2..6, "quote at byte 2 closed at the end: no quote like it follows"),
        ("a (b", 2..4, "bracket at byte 2 closed at the end: no bracket closes it"),
        ("a )b", 2..3, "bracket at byte 2 dropped: it closes nothing; text with a bracket needs quotes"),
        ("OR a", 0..2, "operator at byte 0 dropped: it has nothing on one side"),
        ("a ( )", 2..5, "term at byte 2 dropped: it is empty"),
        ("é *", 3..4, "* at byte 3 dropped: beside other terms it changes nothing; as text it needs quotes"),
        (
            "a --b c",
            2..5,
            "dash at byte 2 read as text: to exclude, put one - directly before a word, quote or bracket",
        ),
        (
            "a system:b",
            2..9,
            "word at byte 2 read as text: there is no attribute of this name, but sender, host, program, message, severity, facility, ip",
        ),
        ("ip: b", 0..3, "word at byte 0 read as text: an attribute's value stands directly behind the colon"),
        ("-severity:bad", 0..13, "attribute at byte 0 read as text: it has no such value"),
        ("a and", 2..5, "word at byte 2 read as text: operators are in upper case"),
        (
            " a b OR c ",
            1..9,
            "operators at byte 1 read so: AND, also unwritten, binds tighter than OR; brackets change that",
        ),
    ] {
        let parsed = Query::parse(text);
        let [note] = parsed.notes() else { panic!("{text}: {:?}", parsed.notes()) };
        assert_eq!((note.to_string().as_str(), note.range()), (expect, range), "{text}");
    }
}

#[test]
fn notes_stand_in_the_order_of_the_text() {
    let parsed = Query::parse("((a OR) b OR \"c");
    let at: Vec<_> = parsed.notes().iter().map(|note| (note.range(), note.kind())).collect();
    use NoteKind::{BracketClosed, OperatorDropped, Precedence, QuoteClosed};
    assert_eq!(
        at,
        [(0..15, BracketClosed), (1..15, Precedence), (4..6, OperatorDropped), (13..15, QuoteClosed)],
        "which is how a page marks them"
    );
}

#[test]
fn explained() {
    for (text, expect) in [
        ("", "all lines"),
        ("a", "lines with \"a\""),
        ("-a", "lines without \"a\""),
        ("a b OR c", "lines (with \"a\" and with \"b\") or with \"c\""),
        ("-(a OR -b)", "lines not (with \"a\" or without \"b\")"),
        ("(a OR b) (c OR d)", "lines (with \"a\" or with \"b\") and (with \"c\" or with \"d\")"),
        (
            "host:a -program:b message:\"c\\\"\u{1b}\"",
            r#"lines with "a" in the sender and without "b" in the program and with "c\"\u{1b}" in the message"#,
        ),
        (
            "-severity:3 -facility:3 -ip:3",
            "lines not of severity error and not of facility daemon and not from an address that begins with 3",
        ),
    ] {
        assert_eq!(Query::parse(text).query().explain(), expect, "{text}");
    }
}

#[test]
fn required() {
    let required = |text: &str| -> Vec<Vec<String>> {
        let parsed = Query::parse(text);
        let required = parsed.query().required();
        let text = |term: &&log_query::Term| term.text().to_owned();
        let mut groups: Vec<Vec<String>> = required.groups().map(|group| group.iter().map(text).collect()).collect();
        groups.sort();
        groups
    };
    assert!(
        ["", "-a", "severity:error", "é", "a OR -b", "a OR ip:10.", "a OR é"]
            .into_iter()
            .all(|text| required(text).is_empty())
    );
    assert_eq!(required("a b -c severity:error"), [["a"], ["b"]]);
    assert_eq!(required("a (b OR c)"), [vec!["a"], vec!["b", "c"]]);
    assert_eq!(required("a bcd OR ef g"), [["bcd", "ef"]], "of each alternative, the term that tells most");
}
