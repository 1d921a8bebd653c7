//! A query that something is added to: a click on a value searches for it, or leaves it out.

use log_query::{Node, Query};

/// The query as the front of a longer one: nothing that follows becomes part of a quote or a side of an `OR`.
pub(super) fn front(text: &str) -> String {
    let parsed = Query::parse(text);
    let query = parsed.query();
    if query.is_empty() {
        return String::new();
    }
    // What was closed at its end is closed here.
    let text = if parsed.notes().is_empty() { text.trim().to_owned() } else { query.to_string() };
    if matches!(query.root(), Node::Any(_)) { format!("({text})") } else { text }
}

/// What finds lines with this text.
pub(super) fn term(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.=/@".contains(&byte);
    let is_word = text.bytes().all(|byte| is_plain(byte) || byte == b'-') && text.bytes().next().is_some_and(is_plain);
    if is_word && !["AND", "OR", "NOT"].contains(&text) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The query, and this term with it or without it.
pub(super) fn added(front: &str, term: &str, is_without: bool) -> String {
    let dash = if is_without { "-" } else { "" };
    if front.is_empty() { format!("{dash}{term}") } else { format!("{front} {dash}{term}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log_query::Fields;

    fn finds(query: &str, message: &str) -> bool {
        Query::parse(query).query().matches(&Fields::new(b"shop", b"app/web.1", message.as_bytes()))
    }

    #[test]
    fn what_is_added_narrows_what_was_asked() {
        for (text, expected) in [
            ("", ""),
            ("  ", ""),
            ("*", ""),
            ("a b", "a b"),
            ("a OR b", "(a OR b)"),
            ("\"a b", "\"a b\""),
            ("(a OR b", "(a OR b)"),
            ("a OR b c", "(a OR b c)"),
        ] {
            let front = front(text);
            assert_eq!(front, expected, "{text}");
            for message in ["a b", "b", "c"] {
                let old = finds(text, message);
                assert_eq!(finds(&added(&front, "code=H12", false), &format!("{message} code=H12")), old);
                assert_eq!(finds(&added(&front, "code=H12", true), message), old, "{text}: {message}");
                assert!(!finds(&added(&front, "code=H12", true), &format!("{message} code=H12")));
            }
        }
    }

    #[test]
    fn a_text_is_found_whatever_is_in_it() {
        for text in [
            "H12",
            "a b",
            "-x",
            "a\"b",
            "a\\",
            "\\\"",
            "OR",
            "(",
            ")",
            "severity:error",
            "a: b",
            "'",
            "“x”",
            "*",
            "é ü",
            "path=\"/a b\"",
        ] {
            let term = term(text);
            assert!(finds(&term, &format!("before {text} after")), "{text}: {term}");
            assert!(!finds(&term, "nothing of it") && Query::parse(&term).notes().is_empty(), "{text}: {term}");
            assert!(!finds(&added("", &term, true), &format!("before {text} after")));
        }
        assert_eq!((term("code=H12"), term("a b"), term("-x")), ("code=H12".into(), "\"a b\"".into(), "\"-x\"".into()));
    }
}
