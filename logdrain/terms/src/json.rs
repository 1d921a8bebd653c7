//! JSON as all commands write it: compact, and safe to print on a terminal.
//!
//! What a terminal would obey or hide is written as `\u0085`, with surrogates above U+FFFF. It reads back as the same
//! text; nothing else differs from what `serde_json` writes, byte by byte.

use crate::escape::Watch;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use std::io;

/// Writes `value`.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut (impl io::Write + ?Sized), value: &(impl Serialize + ?Sized)) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Visible)).map_err(io::Error::from)
}

/// Writes `value` and a line end.
///
/// # Errors
/// Those of `out`.
pub fn line(out: &mut (impl io::Write + ?Sized), value: &(impl Serialize + ?Sized)) -> io::Result<()> {
    write(out, value)?;
    out.write_all(b"\n")
}

/// Writes a text, quoted: as [`write()`] does, and at once where it is ASCII without controls. Bytes that are no text are
/// written as U+FFFD.
pub fn string(out: &mut Vec<u8>, text: &[u8]) {
    /// Bytes that are looked at at a time, without a way out of the loop.
    const CHUNK: usize = 64;
    let are_usual = |bytes: &[u8]| bytes.iter().fold(true, |usual, byte| usual & (b' '..0x7f).contains(byte));
    if !text.chunks(CHUNK).all(are_usual) {
        // Memory does not fail to be written to.
        let _ = write(out, &String::from_utf8_lossy(text));
        return;
    }
    out.push(b'"');
    let mut rest = text;
    while let Some((before, [escaped, behind @ ..])) =
        memchr::memchr2(b'"', b'\\', rest).and_then(|at| rest.split_at_checked(at))
    {
        out.extend_from_slice(before);
        out.extend_from_slice(&[b'\\', *escaped]);
        rest = behind;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// The text of a value, if it has no more than `most` bytes.
///
/// # Errors
/// When it is longer: no more than that is held meanwhile.
pub fn bounded(value: &impl Serialize, most: usize) -> io::Result<Vec<u8>> {
    let mut text = Bounded { text: Vec::new(), most };
    write(&mut text, value)?;
    Ok(text.text)
}

/// A text that does not grow beyond its limit.
struct Bounded {
    text: Vec<u8>,
    most: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Visible;

// All else is compact by itself.
impl Formatter for Visible {
    // The serializer escapes quotes, backslashes and ASCII controls itself; what is between them comes here.
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        // Without a way out of the loop, so that it looks at many bytes at a time.
        let is_plain = !fragment.bytes().fold(false, |found, byte| found | (byte >= 0x7f));
        if is_plain {
            return out.write_all(fragment.as_bytes());
        }
        let mut watch = Watch::default();
        let mut written = 0;
        for (at, c) in fragment.char_indices() {
            if watch.is_hostile(c) {
                out.write_all(&fragment.as_bytes()[written..at])?;
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
                written = at + c.len_utf8();
            }
        }
        out.write_all(&fragment.as_bytes()[written..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &impl Serialize) -> String {
        let mut out = Vec::new();
        write(&mut out, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_a_terminal_obeys_or_hides_is_escaped_and_reads_back() {
        let hostile = "\u{7f}\u{80}\u{9b}31m\u{85}\u{ad}\u{61c}\u{200b}\u{200d}\u{2028}\u{2029}\u{202e}\u{2066}\u{feff}\u{e0041}\
                       \u{e007f}\u{1d173} \"q\" \\ \n é 日本 🚀";
        let written = text(&hostile);
        assert_eq!(
            written,
            "\"\\u007f\\u0080\\u009b31m\\u0085\\u00ad\\u061c\\u200b\\u200d\\u2028\\u2029\\u202e\\u2066\\ufeff\\udb40\\udc41\
             \\udb40\\udc7f\\ud834\\udd73 \\\"q\\\" \\\\ \\n é 日本 🚀\""
        );
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), hostile);
        let keys = std::collections::BTreeMap::from([(hostile, 1)]);
        assert_eq!(text(&keys), format!("{{{written}:1}}"), "keys, too");
    }

    #[test]
    fn every_character_reads_back_and_other_text_is_written_as_ever() {
        for c in ('\0'..=char::MAX).filter(|c| *c < '\u{3000}' || u32::from(*c) % 61 == 0 || *c > '\u{e0000}') {
            let written = text(&c);
            assert_eq!(serde_json::from_str::<char>(&written).unwrap(), c);
            let usual = serde_json::to_string(&c).unwrap();
            assert!(written == usual || (written.is_ascii() && !usual.is_ascii()) || c == '\u{7f}', "{written}");
        }
    }

    #[test]
    fn a_string_is_what_any_value_of_text_is() {
        let long = "x".repeat(63);
        let quotes = "\"a\\\"\"\\b=\"c\"\\";
        for text in
            ["", "plain", "a \"quote\"", "back\\slash", quotes, "tab\t", "del\u{7f}", "é", "\u{202e}", "\0", &long]
        {
            for text in [text.to_owned(), format!("{long}{text}"), format!("{text}{long}{long}")] {
                let mut out = Vec::new();
                string(&mut out, text.as_bytes());
                assert_eq!(String::from_utf8(out).unwrap(), self::text(&text));
            }
        }
        let mut out = Vec::new();
        string(&mut out, b"a\xff\"");
        assert_eq!(String::from_utf8(out).unwrap(), "\"a\u{fffd}\\\"\"");
    }

    #[test]
    fn a_bounded_text_is_whole_or_an_error() {
        assert_eq!(bounded(&"abc", 5).unwrap(), b"\"abc\"");
        assert_eq!(bounded(&"abc", 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn piles_of_marks_are_written_as_escapes_from_the_fourth_on() {
        let pile = format!("a{}", "\u{301}".repeat(6));
        assert_eq!(text(&pile), format!("\"a{}{}\"", "\u{301}".repeat(3), "\\u0301".repeat(3)));
    }

    #[test]
    fn numbers_and_nesting_are_those_of_serde_json() {
        let value = serde_json::json!({"a": [1, 2.5, null, true, {}], "b": {"c": []}, "d": -0.001, "e": 1e300});
        assert_eq!(text(&value), value.to_string());
    }
}
