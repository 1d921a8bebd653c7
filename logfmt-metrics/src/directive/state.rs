//! What the walk knows of what it has passed: whether a directive may begin here.

use super::word::is_of_word;

/// What stands in front of where the walk is.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    /// Whether a directive may begin here.
    pub(super) is_fresh: bool,
    /// Whether punctuation that begins a word is all that keeps one from beginning here.
    pub(super) is_opened: bool,
    /// Whether all bytes of this word up to here are such that what opens in it opens a word: in `/x?a=b,(c` nothing does.
    pub(super) is_prose: bool,
    /// Whether the byte before is a letter, digit or `_`.
    pub(super) is_in_word: bool,
    /// The byte before.
    pub(super) before: u8,
    /// The last byte that is no separator, and the one before that.
    pub(super) solid: [u8; 2],
    /// How many braces and brackets are open.
    pub(super) braces: u32,
    pub(super) brackets: u32,
    /// Whether the outermost brace is the first of the line: then the line is the application's object, and no text with a
    /// client's in it.
    pub(super) is_object: bool,
}

impl State {
    /// The start of a text, `line`'s or a string's.
    pub(super) const START: Self = Self {
        is_fresh: true,
        is_opened: false,
        is_prose: true,
        is_in_word: false,
        before: b' ',
        solid: [0; 2],
        braces: 0,
        brackets: 0,
        is_object: false,
    };

    /// Behind this unit.
    pub(super) fn pass(&mut self, byte: u8) {
        self.before = byte;
        self.is_in_word = is_of_word(byte);
        if byte <= b' ' {
            (self.is_fresh, self.is_prose, self.is_opened) = (true, true, false);
            return;
        }
        let is_first = self.solid == [0; 2];
        self.solid = [byte, self.solid[0]];
        (self.is_fresh, self.is_opened) = (false, is_opening(byte) && self.is_prose);
        match byte {
            b'{' => {
                self.is_object |= is_first;
                self.braces = self.braces.saturating_add(1);
            }
            b'}' => {
                self.braces = self.braces.saturating_sub(1);
                self.is_object &= self.braces > 0;
            }
            b'[' => self.brackets = self.brackets.saturating_add(1),
            b']' => self.brackets = self.brackets.saturating_sub(1),
            b'_' | b'-' | b'.' | b'!' | b')' | b'>' | 0x80.. => {}
            _ => self.is_prose &= is_opening(byte) || byte.is_ascii_alphanumeric(),
        }
    }

    /// Behind something that is read as a whole; what follows at once belongs to another word, or to none.
    pub(super) fn pass_token(&mut self, is_fresh: bool) {
        (self.before, self.solid) = (b'a', [b'a', 0]);
        (self.is_fresh, self.is_prose, self.is_in_word) = (is_fresh, true, !is_fresh);
        self.is_opened = false;
    }
}

/// Behind these a word of prose begins, but no directive.
pub(super) const fn is_opening(byte: u8) -> bool {
    matches!(byte, b'(' | b'[' | b'{' | b'<' | b'\'' | b'"' | b'`' | b',' | b';' | b'|')
}
