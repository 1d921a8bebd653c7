//! Text from logs is hostile on a terminal: control octets could move the cursor or rename the window.

use std::fmt;

/// Shows text with control characters as `\x1b`-like escapes.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            // Besides control characters, those that reorder the line around them (bidirectional overrides).
            if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        let shown = Escaped("ok \u{1b}]0;owned\u{7} \u{9b}31m \u{202e}abc é").to_string();
        assert_eq!(shown, "ok \\u{1b}]0;owned\\u{7} \\u{9b}31m \\u{202e}abc é");
    }
}
