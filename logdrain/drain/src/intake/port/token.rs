//! The token of a port: where a line has it, and the line without it. What is kept of a line holds no secret.
//!
//! ```text
//! <13>1 TIME HOST APP PROC ID [TOKEN@41058 tag="web"] MSG      ; the name of an SD-ELEMENT, whatever its number is
//! <13>Nov 21 14:14:58 HOST TAG: TOKEN MSG                      ; the first word of the message
//! ```

use crate::plain::{self, Plain};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq as _;

/// A port's token, as its digest.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// A line, by what it had of a token.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Stripped {
    /// It had the right one, and has none now.
    Right(Vec<u8>),
    Missing,
}

impl Token {
    pub fn new(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Whether it can stand in both places: it must end there where it ends.
    pub fn is_one(text: &str) -> bool {
        text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    }

    fn is(&self, word: &[u8]) -> bool {
        let digest: [u8; 32] = Sha256::digest(word).into();
        self.0.ct_eq(&digest).into()
    }

    /// Both places are looked at; the time it takes says nothing of the token.
    pub(super) fn strip(&self, line: &[u8]) -> Stripped {
        let read = plain::read(line, 0, Plain::default());
        let text = word(read.text);
        let rest = line.len() - read.text.len();
        let is_first = self.is(text);
        let id = name(read.data);
        if self.is(id) {
            // The element goes, and with the last one the field is empty.
            let end = plain::element(read.data).unwrap_or(read.data.len());
            let start = head(line, read.data, read.text);
            let mut stripped = line[..start].to_vec();
            if end == read.data.len() {
                stripped.push(b'-');
            }
            stripped.extend_from_slice(&line[start + end..]);
            return Stripped::Right(stripped);
        }
        if is_first {
            let behind = &read.text[text.len()..];
            let mut stripped = line[..rest].to_vec();
            stripped.extend_from_slice(behind.strip_prefix(b" ").unwrap_or(behind));
            return Stripped::Right(stripped);
        }
        Stripped::Missing
    }
}

/// The first word.
fn word(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == b' ').next().unwrap_or_default()
}

/// The name of the first element, without its number.
fn name(data: &[u8]) -> &[u8] {
    let data = data.strip_prefix(b"[").unwrap_or_default();
    data.split(|byte| matches!(byte, b'@' | b' ' | b']')).next().unwrap_or_default()
}

/// Where the structured data begin: between them and the text there may be a space and a mark of UTF-8.
fn head(line: &[u8], data: &[u8], text: &[u8]) -> usize {
    let before = line.len() - text.len();
    (0..=4)
        .filter_map(|gap| before.checked_sub(data.len() + gap))
        .find(|at| line[*at..].starts_with(data))
        .unwrap_or(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789-abcdef";

    #[test]
    fn a_line_is_kept_without_its_token() {
        let token = Token::new(TOKEN);
        for (line, said) in [
            ("<13>1 - h a - - [TOKEN@41058] up", Some("<13>1 - h a - - - up")),
            ("<13>1 - h a - - [TOKEN@41058 tag=\"x\"][b@1 c=\"d\"] up", Some("<13>1 - h a - - [b@1 c=\"d\"] up")),
            // A bracket in a value ends no element.
            ("<13>1 - h a - - [TOKEN@41058 a=\"1\\]\" b=\"]\"] up", Some("<13>1 - h a - - - up")),
            ("<13>1 - h a - - [TOKEN@41058 a=\"]\"][b@1 c=\"d\"] up", Some("<13>1 - h a - - [b@1 c=\"d\"] up")),
            ("<13>1 - h a - - [TOKEN] \u{feff}up", Some("<13>1 - h a - - - \u{feff}up")),
            ("<13>1 - h a - - [TOKEN]", Some("<13>1 - h a - - -")),
            ("<13>1 - h a - - - TOKEN up", Some("<13>1 - h a - - - up")),
            ("<13>Nov 21 14:14:58 h a[1]: TOKEN up", Some("<13>Nov 21 14:14:58 h a[1]: up")),
            ("<13>Nov 21 14:14:58 h a: TOKEN", Some("<13>Nov 21 14:14:58 h a: ")),
            ("TOKEN up", Some("up")),
            ("<13>1 - h a - - [x@1 y=\"TOKEN\"] up", None),
            ("<13>1 - h a - - - up TOKEN", None),
            ("<13>Nov 21 14:14:58 h a: TOKENx up", None),
            ("<13>Nov 21 14:14:58 TOKEN a: up", None),
            ("", None),
        ] {
            let stripped = token.strip(line.replace("TOKEN", TOKEN).as_bytes());
            let said = said.map_or(Stripped::Missing, |said| Stripped::Right(said.as_bytes().to_vec()));
            assert_eq!(stripped, said, "{line}");
        }
        assert_eq!(format!("{token:?}"), "Token");
        assert!(Token::is_one(TOKEN) && !Token::is_one("short") && !Token::is_one("0123456789 abcdef]"));
    }
}
