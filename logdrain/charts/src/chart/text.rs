//! Text on its way into SVG: markup is escaped, and what would act or cannot be seen is shown by its number.

use logdrain_terms::escape::Escaped;
use std::fmt::Write as _;

/// Characters of a name that are shown.
pub(super) const LONGEST: usize = 80;

/// Text of an element or in the quotes of an attribute. XML has no place at all for most control characters: these, too, are
/// shown by their numbers.
pub(super) fn escaped(text: &str) -> String {
    markup(&shown(text, LONGEST))
}

/// Text that is written here, or was [`shown`] before.
pub(super) fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// A name as people may read it, at most `longest` characters and an ellipsis.
pub(super) fn shown(text: &str, longest: usize) -> String {
    let end = text.char_indices().nth(longest).map_or(text.len(), |(at, _)| at);
    let mut shown = String::with_capacity(end);
    // Writing to memory cannot fail.
    let _ = write!(shown, "{}", Escaped(&text[..end]));
    // No characters of XML, and no control characters either.
    if shown.contains(['\u{fffe}', '\u{ffff}']) {
        shown = shown.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
    }
    if end < text.len() {
        shown.push('…');
    }
    shown
}

/// What may stand in an id: letters, digits, `-` and `_`.
pub(super) fn id(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).take(64).collect()
}
