//! What a filter looks for in a line: a text, or a regular expression, on `program: message`.
//!
//! A line of any account waits for the filters of all that came before it. So an expression is made into a table in which
//! each byte of a line is one step, whatever the expression is; one whose table would be too large is refused. ASCII is
//! what `\w`, `\d`, `\b` and `(?i)` know: with the tables of all scripts hardly any expression would be small.

use memchr::memmem::Finder;
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};
use std::fmt;

/// The most bytes of the table of one expression,
const TABLE: usize = 256 << 10;
/// of all patterns of an account,
pub const OF_ACCOUNT: usize = 2 << 20;
/// and of what is needed while a table is made.
const MAKING: usize = 1 << 20;
/// About what a text takes besides itself.
const AROUND: usize = 128;

/// A text or an expression, made ready.
#[derive(Clone)]
pub enum Pattern {
    Text(Box<Finder<'static>>),
    Expression(Box<dense::DFA<Vec<u32>>>),
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Expression(_) => "Expression",
        })
    }
}

impl Pattern {
    /// Makes it ready, or says what is wrong with it.
    pub fn new(text: &str, is_regex: bool) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a filter without a text would drop every line".to_owned());
        }
        if !is_regex {
            return Ok(Self::Text(Box::new(Finder::new(text.as_bytes()).into_owned())));
        }
        let table = dense::Builder::new()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(TABLE)))
            .configure(
                dense::Config::new()
                    .start_kind(StartKind::Unanchored)
                    .match_kind(MatchKind::All)
                    .dfa_size_limit(Some(TABLE))
                    .determinize_size_limit(Some(MAKING)),
            )
            .build(text);
        match table {
            Ok(table) => Ok(Self::Expression(Box::new(table))),
            Err(error) if error.is_size_limit_exceeded() => {
                Err("the expression is too large: fewer or smaller counts such as {100}, or several filters".to_owned())
            }
            Err(error) => Err(in_words(&error)),
        }
    }

    /// Whether it is in a line, as [`join`] puts it together.
    pub fn is_in(&self, joined: &[u8]) -> bool {
        match self {
            Self::Text(finder) => finder.find(joined).is_some(),
            // No expression with a state that gives up is made.
            Self::Expression(table) => {
                table.try_search_fwd(&Input::new(joined).earliest(true)).is_ok_and(|found| found.is_some())
            }
        }
    }

    /// Bytes that it takes.
    pub fn memory(&self) -> usize {
        match self {
            Self::Text(finder) => finder.needle().len() + AROUND,
            Self::Expression(table) => table.memory_usage() + AROUND,
        }
    }
}

/// The error says the kind; what is behind it says where.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut said = format!("it is no expression: {error}");
    let mut source = error.source();
    while let Some(error) = source {
        said = format!("it is no expression: {error}");
        source = error.source();
    }
    said
}

/// `program: message`, or the message alone where there is no program.
pub fn join(program: &[u8], message: &[u8], joined: &mut Vec<u8>) {
    joined.clear();
    if !program.is_empty() {
        joined.extend_from_slice(program);
        joined.extend_from_slice(b": ");
    }
    joined.extend_from_slice(message);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn is_in(text: &str, is_regex: bool, line: &[u8]) -> bool {
        Pattern::new(text, is_regex).unwrap().is_in(line)
    }

    #[test]
    fn a_text_is_found_as_it_stands_and_case_counts() {
        let line = b"heroku/router: at=info path=\"/a\" status=200 bytes=17";
        assert!(is_in("status=200 bytes=", false, line));
        assert!(is_in("heroku/router: at=info", false, line));
        assert!(!is_in("STATUS=200", false, line));
        assert!(!is_in("status=2.0", false, line), "it is no expression");
        assert!(is_in("status=2.0", true, line));
    }

    #[test]
    fn expressions_as_they_are_seen_in_the_wild() {
        for (text, line, found) in [
            ("API Success 200.*OPTIONS", "app/web.1: API Success 200 for OPTIONS /x", true),
            ("API Success 200.*OPTIONS", "app/web.1: API Success 500 for OPTIONS /x", false),
            ("heroku/router: .*status=403", "heroku/router: at=info status=403", true),
            ("heroku/router: .*status=403", "app/web.1: heroku/router status=403", false),
            ("^app/worker\\.\\d+: ", "app/worker.12: done", true),
            ("^app/worker\\.\\d+: ", "app/web.12: app/worker.1: done", false),
            ("(?i)debug", "app/web.1: DEBUG x", true),
            ("\\bGET\\b", "app/web.1: \"GET / HTTP\"", true),
            ("\\bGET\\b", "app/web.1: WIDGETS", false),
            ("done$", "app/web.1: all done", true),
            ("gr\u{fc}n", "app/web.1: gr\u{fc}n", true),
        ] {
            assert_eq!(is_in(text, true, line.as_bytes()), found, "{text} in {line}");
        }
        assert!(is_in("a.b", true, b"x: a\xffb"), "a byte that is no text is a byte");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let why = |text: &str| Pattern::new(text, true).unwrap_err();
        assert!(why("a(b").contains("unclosed group"), "{}", why("a(b"));
        assert!(why("\\p{Greek}").contains("no expression"));
        assert!(why("").contains("every line"));
        assert!(Pattern::new("a(b", false).is_ok());
    }

    /// Each is made or refused soon, and what is made takes one step a byte.
    #[test]
    fn no_expression_takes_long() {
        let hostile = [
            "(?:[01]*1[01]{500})".to_owned(),
            "(a+)+$".to_owned(),
            "(?:a?){100}a{100}".to_owned(),
            "(((a{10}){10}){10}){10}".to_owned(),
            "x*".repeat(2_000),
            "(?:a|b|c|d|e)*f{0,200}[a-z]{0,200}z".to_owned(),
            format!("({})", (0..800).map(|n| format!("word{n}")).collect::<Vec<_>>().join("|")),
            "(".repeat(4_000),
        ];
        let line = b"a01".repeat(3_000);
        for text in hostile {
            let began = Instant::now();
            let pattern = Pattern::new(&text, true);
            let (made, began) = (began.elapsed(), Instant::now());
            if let Ok(pattern) = &pattern {
                assert!(pattern.memory() <= TABLE + 4_096, "{}", pattern.memory());
                pattern.is_in(&line);
            }
            let short = &text[..text.len().min(30)];
            assert!(made.as_millis() < 2_000 && began.elapsed().as_millis() < 100, "{short}: {made:?}");
        }
    }
}
