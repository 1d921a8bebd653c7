//! How queries are read: what they print as, and what is noted.

use log_query::{Fields, Note, Query};

fn printed(text: &str) -> String {
    let parsed = Query::parse(text);
    let printed = parsed.query().to_string();
    let again = Query::parse(&printed);
    assert_eq!(again.query(), parsed.query(), "{text} is printed as {printed}");
    printed
}

fn notes(text: &str) -> Vec<String> {
    Query::parse(text).notes().iter().map(Note::to_string).collect()
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
fn deep() {
    let text = format!("{}x{}", "(".repeat(512), ")".repeat(512));
    assert_eq!((printed(&text), notes(&text).len()), ("x".into(), 0));
    let text = format!("{}x{}", "(".repeat(513), ")".repeat(513));
    assert_eq!(printed(&text), "\"(x)\"");
    assert_eq!(notes(&text), ["bracket at byte 512 read as text: it is deeper than 512 brackets"]);
    // All, Any and Not at each depth.
    for piece in ["a b OR c -(", "program:(a b -c OR d AND ", "-program:(a b -c OR d AND "] {
        let text = format!("{}x{}", piece.repeat(512), ")".repeat(512));
        let printed = printed(&text);
        let query = Query::parse(&printed).into_query();
        let copy = query.clone();
        assert!(
            copy == query
                && query.matches(&Fields::new(b"", b"abcd", b"abc"))
                    == copy.matches(&Fields::new(b"", b"abcd", b"abc"))
        );
    }
}
