//! Which streams are asked for, and which of them are one line.

use super::block::{self, Key};
use logdrain_charts::series::{Grouping, Selector};

/// Whether a pattern fits a text; `*` stands for any text, also none.
pub fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

/// Whether a stream is one of those that are asked for. A tag that it does not have is none of any values.
pub(super) fn is_selected(key: &Key<'_>, selectors: &[Selector]) -> bool {
    selectors.iter().all(|selector| {
        let value = key.tag(&selector.key);
        let is_one = value.is_some_and(|value| selector.values.iter().any(|pattern| fits(pattern, value)));
        is_one != selector.is_negated
    })
}

/// The tags that name the line of a stream.
pub(super) fn line(key: &Key<'_>, grouping: &Grouping) -> Vec<(String, String)> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    match grouping {
        Grouping::Together => Vec::new(),
        Grouping::Apart => key.tags.iter().map(owned).collect(),
        Grouping::By(tags) => key.tags.iter().filter(|(key, _)| tags.iter().any(|tag| tag == key)).map(owned).collect(),
    }
}

/// The same as bytes, in place of what is there: equal for equal lines, and made without a text of its own for each tag.
pub(super) fn put_group(key: &Key<'_>, grouping: &Grouping, out: &mut Vec<u8>) {
    out.clear();
    let is_in = |tag: &str| match grouping {
        Grouping::Together => false,
        Grouping::Apart => true,
        Grouping::By(tags) => tags.iter().any(|known| known == tag),
    };
    for (key, value) in key.tags.iter().filter(|(key, _)| is_in(key)) {
        block::text(out, key);
        block::text(out, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heroku_metrics::model::{Kind, TagSet, Unit};

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, is_fit) in [
            ("web.1", "web.1", true),
            ("web.1", "web.10", false),
            ("*", "", true),
            ("web.*", "web.1", true),
            ("web.*", "worker.1", false),
            ("*.1", "web.1", true),
            ("*.1", "web.11", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("**", "x", true),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(fits(pattern, text), is_fit, "{pattern} {text}");
        }
    }

    #[test]
    fn all_selectors_must_hold() {
        let tags = TagSet::from_iter([("dyno", "web.1"), ("method", "GET")]);
        let bytes = block::key(Kind::Count, Unit::NONE, &tags);
        let key = Key::of(&bytes).unwrap();
        let selector = |key: &str, values: &[&str], is_negated| Selector {
            key: key.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            is_negated,
        };
        for (selectors, is_it) in [
            (vec![], true),
            (vec![selector("dyno", &["web.1"], false)], true),
            (vec![selector("dyno", &["worker.*", "web.*"], false)], true),
            (vec![selector("dyno", &["web.*"], true)], false),
            (vec![selector("dyno", &["web.*"], false), selector("method", &["POST"], false)], false),
            (vec![selector("app_name", &["*"], false)], false),
            (vec![selector("app_name", &["shop"], true)], true),
        ] {
            assert_eq!(is_selected(&key, &selectors), is_it, "{selectors:?}");
        }
        let of = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(line(&key, &Grouping::By(vec!["method".to_owned(), "none".to_owned()])), [of("method", "GET")]);
        assert_eq!(line(&key, &Grouping::Apart), [of("dyno", "web.1"), of("method", "GET")]);
    }
}
