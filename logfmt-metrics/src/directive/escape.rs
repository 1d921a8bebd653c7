//! Strings of JSON and of logfmt: what their escapes mean.

use crate::colour;
use alloc::{borrow::Cow, string::String, vec::Vec};
use core::str;

/// One byte of a text, or the escape that stands for one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Unit {
    /// What it means; [`BEYOND`] for a character outside of ASCII.
    pub(super) byte: u8,
    /// Where it begins, and where what is behind it does.
    pub(super) at: usize,
    pub(super) next: usize,
}

/// An byte that no text in UTF-8 has.
const BEYOND: u8 = 0xff;
const ESC: u8 = 0x1b;

/// The unit at `at`, as it stands.
#[inline]
pub(super) fn literal(text: &[u8], at: usize) -> Option<Unit> {
    text.get(at).map(|&byte| Unit { byte, at, next: at + 1 })
}

/// The unit at `at` of a string whose escapes count; colour codes written as escapes are no units.
pub(super) fn escaped(text: &[u8], mut at: usize) -> Option<Unit> {
    loop {
        let (code, next) = code(text, at)?;
        match colour::behind_escape(text, next).filter(|_| code == u32::from(ESC)) {
            Some(behind) => at = behind,
            None => {
                let byte = if code < 0x80 || next == at + 1 { code as u8 } else { BEYOND };
                return Some(Unit { byte, at, next });
            }
        }
    }
}

/// What the byte or the escape at `at` means, as a number of UTF-16 or an byte of UTF-8, and what is behind it.
///
/// Those of JSON, and `\xHH`, `\e` and `\'`, which Ruby, Python and JavaScript write. Another backslash is one.
fn code(text: &[u8], at: usize) -> Option<(u32, usize)> {
    let byte = *text.get(at)?;
    let escape = if byte == b'\\' { text.get(at + 1).copied() } else { None };
    let hex = |len: usize| {
        let digits = text.get(at + 2..at + 2 + len).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok().map(|code| (code, at + 2 + len))
    };
    let one = |byte: u8| Some((u32::from(byte), at + 2));
    let meant = match escape {
        Some(b'n') => one(b'\n'),
        Some(b't') => one(b'\t'),
        Some(b'r') => one(b'\r'),
        Some(b'b') => one(0x08),
        Some(b'f') => one(0x0c),
        Some(b'e') => one(ESC),
        Some(same @ (b'"' | b'\\' | b'/' | b'\'')) => one(same),
        Some(b'u') => hex(4),
        Some(b'x') => hex(2),
        _ => None,
    };
    Some(meant.unwrap_or((u32::from(byte), at + 1)))
}

/// Whether a string has escapes.
pub(super) fn has_escapes(text: &[u8]) -> bool {
    memchr::memchr(b'\\', text).is_some()
}

/// The text that a string stands for, without colour codes, piece by piece.
fn each(raw: &[u8], mut take: impl FnMut(&[u8])) {
    let mut at = 0;
    while let Some(unit) = escaped(raw, at) {
        at = unit.next;
        if unit.next == unit.at + 1 {
            take(raw.get(unit.at..unit.next).unwrap_or_default());
            continue;
        }
        let Some((code, _)) = code(raw, unit.at) else { continue };
        let is_high = (0xd800..0xdc00).contains(&code);
        let low = if is_high { self::code(raw, at).filter(|(low, _)| (0xdc00..0xe000).contains(low)) } else { None };
        let character = match low {
            Some((low, next)) => {
                at = next;
                char::from_u32(0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00))
            }
            None => char::from_u32(code),
        };
        take(character.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// The text that a string of UTF-8 stands for.
pub(super) fn undone(raw: &str) -> Cow<'_, str> {
    if !has_escapes(raw.as_bytes()) {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len());
    each(raw.as_bytes(), |piece| out.extend_from_slice(piece));
    Cow::Owned(String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// How long that is.
pub(super) fn undone_len(raw: &[u8]) -> usize {
    let mut len = 0;
    each(raw, |piece| len += piece.len());
    len
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn escapes_mean_what_json_says() {
        for (raw, text) in [
            ("plain", "plain"),
            (r"a\nb\t\r", "a\nb\t\r"),
            (r#"\"\\\/\'"#, r#""\/'"#),
            (r"K\u00f6ln \u0023", "Köln #"),
            (r"\ud83d\ude00!", "\u{1f600}!"),
            (r"\ud83d!", "\u{fffd}!"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            (r"\u001b[32mgreen\u001b[0m \x1b[1mbold\e[m", "green bold"),
            (r"\u12 \x1 \q \", r"\u12 \x1 \q \"),
            ("K\u{f6}ln\\n", "K\u{f6}ln\n"),
        ] {
            assert_eq!(undone(raw), text, "{raw}");
            assert_eq!(undone_len(raw.as_bytes()), text.len(), "{raw}");
        }
        assert!(matches!(undone("plain"), Cow::Borrowed(_)));
        assert_eq!(undone("x\\").to_string(), "x\\");
    }

    #[test]
    fn units_are_the_bytes_of_the_text() {
        let raw = br"a\u001b[32m\u0023=\n\u00e9";
        let (mut at, mut bytes) = (0, Vec::new());
        while let Some(unit) = escaped(raw, at) {
            bytes.push(unit.byte);
            at = unit.next;
        }
        assert_eq!(bytes, b"a#=\n\xff");
        assert_eq!(at, raw.len());
    }
}
