//! Text from logs is hostile on a terminal: control characters could move the cursor or rename the window, others turn
//! the order of what stands around them, or cannot be seen at all.
//!
//! What is shown to people ([`Escaped`]) and what is written as JSON ([`crate::json`]) ask the same questions here.

use std::fmt::{self, Write as _};
use std::io;
use unicode_width::UnicodeWidthChar as _;

/// Characters that a terminal obeys or does not show: all but the ASCII ones of Cc, all of Cf, the line and paragraph
/// separators, and the block of tags and selectors that nothing draws. Sorted; after Unicode 16.
const HIDDEN: &[(char, char)] = &[
    ('\u{7f}', '\u{9f}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Blanks that are no blank, letters without ink, and selectors that change the width of what is before them: on a screen
/// two texts that differ by them alone look the same.
const UNSEEN: &[(char, char)] = &[
    ('\u{a0}', '\u{a0}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{2000}', '\u{200a}'),
    ('\u{202f}', '\u{202f}'),
    ('\u{205f}', '\u{205f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3000}', '\u{3000}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fff8}'),
];

/// Marks that may stand on one letter; more of them reach into the rows above and below.
const MARKS: u32 = 3;

fn is_in(ranges: &[(char, char)], c: char) -> bool {
    ranges
        .binary_search_by(|(first, last)| {
            if *last < c {
                std::cmp::Ordering::Less
            } else if *first > c {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        })
        .is_ok()
}

/// Finds what must not go out as it is, character by character.
#[derive(Default)]
pub struct Watch {
    marks: u32,
}

impl Watch {
    /// Whether a terminal would obey `c`, hide it, or pile it on a letter that has enough of its kind. The control
    /// characters of ASCII are left to the caller, but for DEL.
    pub fn is_hostile(&mut self, c: char) -> bool {
        if c < '\u{7f}' {
            self.marks = 0;
            return false;
        }
        if is_in(HIDDEN, c) {
            return true;
        }
        if c.width() == Some(0) {
            self.marks += 1;
            return self.marks > MARKS;
        }
        self.marks = 0;
        false
    }

    /// Whether `c` is shown by its number: what is hostile, all other control characters, and what looks like another
    /// character or like none.
    pub fn is_named(&mut self, c: char) -> bool {
        self.is_hostile(c) || c.is_control() || (c > '~' && is_in(UNSEEN, c))
    }
}

/// Shows text with everything that a terminal obeys, hides or piles up as `\u{1b}`-like escapes. No two texts look the
/// same: a backslash that would read as such an escape is written as one itself.
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut watch = Watch::default();
        for (at, c) in self.0.char_indices() {
            let reads_as_escape = c == '\\' && self.0[at..].starts_with("\\u{");
            // A mark at the start would stand on what is printed before this text.
            let stands_alone = at == 0 && c.width() == Some(0);
            if watch.is_named(c) || reads_as_escape || stands_alone {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// Writes a line of a log, as it may be read on a terminal: colour codes are left out, tabs stay, and what else a terminal
/// obeys, hides or piles up is written as [`Escaped`] does. What is no UTF-8 is a replacement character.
///
/// # Errors
/// Those of `out`.
pub fn write_line(out: &mut impl io::Write, line: &[u8]) -> io::Result<()> {
    let mut rest = line;
    let mut watch = Watch::default();
    loop {
        // Nearly every line is plain to its end.
        let plain = rest.iter().position(|byte| !matches!(byte, b' '..=b'~' | b'\t')).unwrap_or(rest.len());
        if plain > 0 {
            out.write_all(&rest[..plain])?;
            watch = Watch::default();
        }
        rest = &rest[plain..];
        if rest.is_empty() {
            return Ok(());
        }
        if let Some(len) = colour_code(rest) {
            rest = &rest[len..];
            continue;
        }
        let end = rest.iter().position(|byte| matches!(byte, b' '..=b'~' | b'\t' | 0x1b)).unwrap_or(rest.len()).max(1);
        for c in String::from_utf8_lossy(&rest[..end]).chars() {
            if watch.is_hostile(c) || c.is_control() {
                write!(out, "{}", c.escape_unicode())?;
            } else {
                out.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
        }
        rest = &rest[end..];
    }
}

/// The length of `ESC [ … m` at the start.
fn colour_code(text: &[u8]) -> Option<usize> {
    let parameters = text.strip_prefix(b"\x1b[")?;
    let len = parameters.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'))?;
    (parameters[len] == b'm').then_some(2 + len + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        let shown = Escaped("ok \u{1b}]0;owned\u{7} \u{9b}31m \u{202e}abc é").to_string();
        assert_eq!(shown, "ok \\u{1b}]0;owned\\u{7} \\u{9b}31m \\u{202e}abc é");
        assert_eq!(Escaped("a\tb\nc\u{7f}").to_string(), "a\\u{9}b\\u{a}c\\u{7f}");
    }

    #[test]
    fn nothing_invisible_gets_through() {
        for c in "\u{ad}\u{61c}\u{180e}\u{200b}\u{200d}\u{2028}\u{2029}\u{2060}\u{2066}\u{feff}\u{fffb}\u{e0001}\u{e0041}\u{e007f}\
                  \u{1d173}\u{a0}\u{3000}\u{3164}\u{fe0f}\u{e0100}"
            .chars()
        {
            let shown = Escaped(&format!("a{c}b")).to_string();
            assert_eq!(shown, format!("a\\u{{{:x}}}b", u32::from(c)));
        }
    }

    #[test]
    fn the_ranges_are_sorted_and_apart() {
        for ranges in [HIDDEN, UNSEEN] {
            assert!(ranges.iter().all(|(first, last)| first <= last));
            assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }

    fn line(text: &[u8]) -> String {
        let mut out = Vec::new();
        write_line(&mut out, text).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_of_a_log_stays_readable_and_moves_no_cursor() {
        for (text, shown) in [
            (&b"\tat com.example.Main(Main.java:7)"[..], "\tat com.example.Main(Main.java:7)"),
            (b"\x1b[1;36mINFO\x1b[0m GET /caf\xc3\xa9", "INFO GET /caf\u{e9}"),
            (b"\x1b[38:5:1mred\x1b[m", "red"),
            (b"\x1b]0;owned\x07\x1b[2J\x1b[6n\x1b", "\\u{1b}]0;owned\\u{7}\\u{1b}[2J\\u{1b}[6n\\u{1b}"),
            (b"two\nlines\r\n", "two\\u{a}lines\\u{d}\\u{a}"),
            (b"caf\xe9 \x00", "caf\u{fffd} \\u{0}"),
            ("\u{9b}31m \u{202e}abc \u{feff}".as_bytes(), "\\u{9b}31m \\u{202e}abc \\u{feff}"),
            (b"\x1b[31", "\\u{1b}[31"),
            ("日本 🚀".as_bytes(), "日本 🚀"),
        ] {
            assert_eq!(line(text), shown, "{}", text.escape_ascii());
        }
        assert_eq!(line(format!("a{}", "\u{301}".repeat(9)).as_bytes()).matches("\\u{301}").count(), 6);
        for first in 0..=u8::MAX {
            for second in [b'a', b'[', b'm', 0x1b, 0x80, 0xc2, 0x9b, 0xff] {
                let shown = line(&[first, second, b'x']);
                assert!(shown.chars().all(|c| c == '\t' || !c.is_control()), "{shown:?}");
            }
        }
    }

    #[test]
    fn marks_do_not_pile_up() {
        let pile = format!("a{}b", "\u{301}".repeat(40));
        let shown = Escaped(&pile).to_string();
        assert_eq!(shown.matches('\u{301}').count(), 3);
        assert_eq!(shown.matches("\\u{301}").count(), 37);
        assert_eq!(Escaped("e\u{302}\u{301} หน้าที่").to_string(), "e\u{302}\u{301} หน้าที่", "letters of real words stay");
        assert_eq!(Escaped("\u{301}a").to_string(), "\\u{301}a", "a mark does not reach out of its text");
    }

    #[test]
    fn no_two_texts_look_the_same() {
        assert_ne!(Escaped("\u{1b}").to_string(), Escaped("\\u{1b}").to_string());
        assert_ne!(Escaped("\\u{1b}").to_string(), Escaped("\\u{5c}u{1b}").to_string());
        assert_eq!(Escaped("C:\\users\\me").to_string(), "C:\\users\\me", "other backslashes stay");
    }
}
