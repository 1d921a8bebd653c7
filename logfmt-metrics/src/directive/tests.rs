use super::*;

#[test]
fn usual_words_are_those_words() {
    for text in [b"count#ab", b"measure#", b"sample#a", b"tag#abcd", b"source=a"] {
        let (before, behind) = text.split_at(text.iter().position(|octet| b"#=".contains(octet)).expect("one"));
        assert!(usual_word(*text).is_some());
        assert_eq!(usual_word(*text), word_before(before, behind[0]).map(|(word, _)| word));
    }
    for text in [b"Count#ab", b"countab#", b"tag=abcd", b"source#a", b"sample=a", b"        "] {
        assert_eq!(usual_word(*text), None);
    }
}

/// The first directive, if it is a usual one, and how many octets it takes.
fn usual(line: &str) -> Option<(Directive<'_>, usize)> {
    let mut walk = directives(line.as_bytes());
    walk.usual(0).map(|found| (found, walk.at))
}

/// The plain way reads these too, only slower: nothing else would show that the short way is never taken.
#[test]
fn what_most_lines_have_is_usual() {
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
            let (found, len) = usual(&line).expect(&line);
            assert_eq!(len, directive.len(), "{line}");
            let (pair, end) = pair(line.as_bytes(), 0);
            let mut walk = directives(line.as_bytes());
            let (word, _) = walk.find().expect("a directive").expect("a word");
            assert_eq!((walk.read(word, pair), end), (Some(Ok(found)), len), "{line}");
        }
    }
}

#[test]
fn what_may_be_refused_is_not_usual() {
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
        "source= ",
        "source=\"v\"",
        "unique#a=1",
        &alloc::format!("source={}", "v".repeat(MAX_TAG_VALUE + 1)),
    ] {
        assert_eq!(usual(line), None, "{line}");
    }
}

#[test]
fn words_are_whole_and_in_lower_case() {
    for (before, octet, word) in [
        ("count", b'#', Some(Word::Metric(Kind::Count))),
        ("measure", b'#', Some(Word::Metric(Kind::Measure))),
        ("sample", b'#', Some(Word::Metric(Kind::Sample))),
        ("tag", b'#', Some(Word::Tag)),
        ("source", b'=', Some(Word::Source)),
        ("source", b'#', None),
        ("count", b'=', None),
        ("tag", b'=', None),
        ("Count", b'#', None),
        ("discount", b'#', None),
        ("resource", b'=', None),
        ("unique", b'#', None),
        ("ount", b'#', None),
        ("", b'#', None),
        (" ", b'=', None),
    ] {
        let start = word.map(|word| (word, 0));
        assert_eq!(word_before(before.as_bytes(), octet), start, "{before}");
        let behind = alloc::format!("a\t{before}");
        assert_eq!(word_before(behind.as_bytes(), octet), word.map(|word| (word, 2)), "{behind}");
        let length = word.map(|word| if word == Word::Source { before.len() } else { before.len() + 1 });
        assert_eq!(word.map(Word::len), length, "{before}");
    }
}
