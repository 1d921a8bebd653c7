//! The lines that tell a metric, as a query.

use logdrain_charts::series::Selector;

/// The longest query that is made; a longer one would find as much without its last words.
const LONGEST: usize = 250;

/// Metrics that the platform tells, and what finds their lines. The tags that stand in those lines under their own names follow.
const TOLD: [(&str, &str, &[&str]); 7] = [
    ("heroku.router.", "program:heroku/router", &["dyno", "method"]),
    ("heroku.errors.http", "program:heroku/router at=error", &["code", "dyno", "method"]),
    ("heroku.errors.runtime", "program:heroku \"Error R\"", &[]),
    ("heroku.errors.logging", "\"Error L\"", &[]),
    ("heroku.dyno.mem.", "program:heroku \"sample#memory\"", &["source"]),
    ("heroku.dyno.load.", "program:heroku \"sample#load_avg\"", &["source"]),
    ("heroku.postgres.", "program:heroku-postgres", &["addon"]),
];

/// What finds the lines of a metric, of the streams that are chosen as far as their lines say so.
pub(super) fn query(name: &str, selectors: &[Selector]) -> String {
    let known = TOLD.iter().find(|(start, ..)| name.starts_with(start));
    let mut query = match known {
        Some((_, query, _)) => (*query).to_owned(),
        // `count#shop.orders=1`
        None => phrase(&format!("#{name}=")),
    };
    for selector in selectors {
        let [value] = selector.values.as_slice() else { continue };
        let is_told = known.is_none_or(|(.., tags)| tags.contains(&selector.key.as_str()));
        // An app's lines are those of its system.
        let is_word = is_told && selector.key != "app_name" && !value.contains('*') && !value.is_empty();
        let sign = if selector.is_negated { "-" } else { "" };
        let more = format!(" {sign}{}", phrase(&format!("{}={value}", selector.key)));
        if is_word && query.len() + more.len() <= LONGEST {
            query.push_str(&more);
        }
    }
    query
}

/// A text as one word of a query, or as a phrase.
fn phrase(text: &str) -> String {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'=');
    if text.bytes().all(is_word) { text.to_owned() } else { format!("\"{}\"", text.replace(['"', '\\'], " ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_leads_to_the_lines_that_tell_it() {
        let one = |text: &str| logdrain_charts::dashboard::selector(text).unwrap();
        for (name, selectors, expected) in [
            ("heroku.router.http.requests", vec![], "program:heroku/router"),
            (
                "heroku.router.bytes",
                vec![one("dyno=web.1"), one("method!=GET"), one("status_category=5xx")],
                "program:heroku/router dyno=web.1 -method=GET",
            ),
            ("heroku.errors.http", vec![one("code=H12")], "program:heroku/router at=error code=H12"),
            (
                "heroku.dyno.mem.rss",
                vec![one("source=web.*"), one("app_name=shop")],
                "program:heroku \"sample#memory\"",
            ),
            ("shop.orders", vec![one("market=de"), one("plan=a|b")], "\"#shop.orders=\" market=de"),
            ("a \"b\\", vec![one("k=x OR y")], "\"#a  b =\" \"k=x OR y\""),
        ] {
            assert_eq!(query(name, &selectors), expected);
            assert!(log_store::Query::parse(&query(name, &selectors)).notes().is_empty(), "{expected}");
        }
        let long: Vec<_> = (0..20).map(|nth| one(&format!("k{nth}={}", "v".repeat(60)))).collect();
        assert!(query("m", &long).len() <= LONGEST);
    }
}
