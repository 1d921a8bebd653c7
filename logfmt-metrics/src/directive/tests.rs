use super::word::{Before, Word, fast_word, word_before};
use super::*;
use crate::error::Refusal;
use proptest::prelude::*;

#[test]
fn fast_words_are_those_words() {
    for text in [b"count#ab", b"measure#", b"sample#a", b"tag#abcd", b"source=a"] {
        let (before, behind) = text.split_at(text.iter().position(|byte| b"#=".contains(byte)).expect("one"));
        assert!(fast_word(*text).is_some());
        assert_eq!(fast_word(*text), Word::of(text).map(|(word, ..)| word));
        assert_eq!(word_before(before, behind[0]), Some(Before::Alone(0)));
    }
    for text in [b"Count#ab", b"countab#", b"tag=abcd", b"source#a", b"sample=a", b"        "] {
        assert_eq!(fast_word(*text), None);
    }
}

/// The first directive, if the fast reader reads it, and how many bytes it takes.
fn fast(line: &str) -> Option<(Directive<'_>, usize)> {
    let mut walk = directives(line.as_bytes());
    walk.fast_directive(0).map(|found| (found, walk.at))
}

/// The plain reader reads these too, only slower: nothing else would show that the fast one is never used.
#[test]
fn what_most_lines_have_is_read_fast() {
    let name = "n".repeat(31);
    for directive in [
        "count#signups=1",
        "measure#db.query=1.25ms",
        "sample#memory_rss=40.91MB",
        "tag#plan=pro",
        "tag#p=\u{e4}\u{f6}",
        "source=web.1",
        "source=\u{e4}bc",
        &alloc::format!("count#{name}=1"),
        &alloc::format!("tag#{name}=v"),
        &alloc::format!("source={}", "v".repeat(MAX_TAG_VALUE)),
    ] {
        for behind in ["", " ", " count#more=2"] {
            let line = alloc::format!("{directive}{behind}");
            let (found, len) = fast(&line).expect(&line);
            assert_eq!(len, directive.len(), "{line}");
            let mut walk = Directives::without_fast(line.as_bytes());
            assert_eq!((walk.next(), walk.at), (Some(Ok(found)), len), "{line}");
        }
    }
}

#[test]
fn what_may_be_refused_is_not_read_fast() {
    for line in [
        "count#heroku.a=1",
        "count#Heroku.a=1",
        "count#=1",
        "count#a b=1",
        "count#a,b=1",
        "count#a=-1",
        "count#a=\"1\"",
        "count#a=1\n",
        "count#a",
        "tag#=v",
        "tag#k",
        "tag#k=",
        "tag#k v",
        "tag#k=\"v\"",
        "tag#\u{e4}=v",
        "tag#k=v,",
        "tag#k=v#",
        "source=v?count#a=1",
        "source= ",
        "source=\"v\"",
        "unique#a=1",
        &alloc::format!("source={}", "v".repeat(MAX_TAG_VALUE + 1)),
    ] {
        assert_eq!(fast(line), None, "{line}");
    }
}

#[test]
fn words_are_whole_and_in_lower_case() {
    for (before, byte, is_word) in [
        ("count", b'#', true),
        ("measure", b'#', true),
        ("sample", b'#', true),
        ("tag", b'#', true),
        ("source", b'=', true),
        ("source", b'#', false),
        ("count", b'=', false),
        ("tag", b'=', false),
        ("Count", b'#', false),
        ("discount", b'#', false),
        ("resource", b'=', false),
        ("dis_count", b'#', false),
        ("unique", b'#', false),
        ("ount", b'#', false),
        ("", b'#', false),
        (" ", b'=', false),
    ] {
        let at = |start| is_word.then_some(Before::Alone(start));
        assert_eq!(word_before(before.as_bytes(), byte), at(0), "{before}");
        let behind = alloc::format!("a\t{before}");
        assert_eq!(word_before(behind.as_bytes(), byte), at(2), "{behind}");
        let behind = alloc::format!("a({before}");
        assert_eq!(word_before(behind.as_bytes(), byte), is_word.then_some(Before::Behind), "{behind}");
        if let Some((word, len, end)) = Word::of(before.as_bytes()).filter(|_| is_word) {
            assert_eq!((len, end), (before.len(), byte));
            assert_eq!(word.len(), if word == Word::Source { before.len() } else { before.len() + 1 }, "{before}");
        }
    }
}

/// What the grammar turns on.
const PIECES: &[&str] = &[
    "\"",
    "=\"",
    "'",
    "\", ",
    " ",
    " ",
    "count#",
    "count#a=1",
    " measure#",
    " sample#a=1ms",
    " tag#k=v",
    " tag#",
    " source=",
    "source=eu",
    "heroku.",
    "heroku.dyno.x=1",
    "a",
    "=",
    "(",
    "[",
    "{",
    "<",
    ",",
    ";",
    "|",
    ")",
    "]",
    "}",
    ">",
    ".",
    ":",
    "!",
    "?",
    "/",
    "-",
    "_",
    "#",
    "\\",
    "\\u0023",
    "-1.5",
    "1e999",
    "7",
    "kB",
    "\u{b5}s",
    "\n",
    "é",
    "%",
    "HTTP/",
];

fn all<'a>(walk: Directives<'a>) -> alloc::vec::Vec<Result<Directive<'a>, Refusal>> {
    walk.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// The fast reader and the walk find the same.
    #[test]
    fn fast_is_plain(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..30)) {
        let line = pieces.concat();
        prop_assert_eq!(all(directives(line.as_bytes())), all(Directives::without_fast(line.as_bytes())), "{}", line);
    }

    #[test]
    fn fast_is_plain_of_any_bytes(line in proptest::collection::vec(any::<u8>(), 0..60)) {
        prop_assert_eq!(all(directives(&line)), all(Directives::without_fast(&line)));
    }
}
