//! The words of a query: where each begins and ends.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// The attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    System,
    Program,
    Message,
    Severity,
    Facility,
    SourceIp,
}

const KEYS: [(&str, Key); 7] = [
    ("sender", Key::System),
    ("host", Key::System),
    ("program", Key::Program),
    ("message", Key::Message),
    ("severity", Key::Severity),
    ("facility", Key::Facility),
    ("ip", Key::SourceIp),
];

/// What a word begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word<'t> {
    /// A key, as it was typed, with a value behind its colon.
    Key(Key, &'t str),
    /// What looks like a key, and is none.
    Unknown(Range<usize>),
    /// A key without a value.
    Alone(Range<usize>),
    Plain,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Dash {
    None,
    Excludes,
    Text,
}

pub(super) struct Scan<'t> {
    text: &'t str,
    at: usize,
    /// For each `(` with its `)` in the same run of characters without blanks, where that is; else 0.
    closing: Vec<usize>,
    /// How many brackets are open that were read as text, being too deep.
    deep: usize,
}

impl<'t> Scan<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, closing: closing(text), deep: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_deep(&self) -> bool {
        self.deep > 0
    }

    pub(super) fn skip(&mut self, len: usize) {
        self.at += len;
    }

    pub(super) fn starts_with(&self, letter: char) -> bool {
        self.letter(self.at) == Some(letter)
    }

    /// Passes blanks, and shows what follows.
    pub(super) fn next_letter(&mut self) -> Option<char> {
        let rest = self.rest(self.at);
        self.at += rest.len() - rest.trim_start().len();
        self.letter(self.at)
    }

    /// A range without the blanks at both its ends.
    pub(super) fn without_blanks(&self, range: Range<usize>) -> Range<usize> {
        let text = self.text.get(range.clone()).unwrap_or_default();
        let from = range.start + (text.len() - text.trim_start().len());
        from..from + text.trim().len()
    }

    /// Takes `AND`, `OR` or `NOT`, if it stands for itself or before a bracket.
    pub(super) fn operator(&mut self) -> Option<&'static str> {
        let rest = self.rest(self.at);
        let word = ["AND", "OR", "NOT"].into_iter().find(|word| rest.starts_with(word))?;
        let stands = self.ends(self.at + word.len()) || self.letter(self.at + word.len()) == Some('(');
        stands.then(|| {
            self.at += word.len();
            word
        })
    }

    /// Takes a dash that excludes: directly before a word, a quote or a bracket.
    pub(super) fn dash(&mut self) -> Dash {
        if !self.starts_with('-') {
            return Dash::None;
        }
        let next = self.at + 1;
        match self.letter(next) {
            Some('-') => Dash::Text,
            // What would be excluded is everything.
            Some('*') if self.ends(next + 1) => Dash::Text,
            _ if self.ends(next) => Dash::Text,
            _ => {
                self.at = next;
                Dash::Excludes
            }
        }
    }

    /// Takes a key and its colon, if a value follows.
    pub(super) fn key(&mut self) -> Word<'t> {
        let rest = self.rest(self.at);
        let len = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte)).count();
        let (Some(name), Some(':')) = (rest.get(..len), self.letter(self.at + len)) else { return Word::Plain };
        let behind = self.at + len + 1;
        let range = self.at..behind;
        match KEYS.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)) {
            Some(_) if self.ends(behind) => Word::Alone(range),
            Some(&(_, key)) => {
                self.at = behind;
                Word::Key(key, name)
            }
            // `12:30`, `std::io` and `https://` look like no attribute; `words:` ends a phrase.
            None if self.ends(behind) || matches!(self.letter(behind), Some(':' | '/')) => Word::Plain,
            None if !name.starts_with(|letter: char| letter.is_ascii_alphabetic()) => Word::Plain,
            None => Word::Unknown(range),
        }
    }

    /// Takes a phrase: what it holds, and whether a quote closed it. A quote is closed by one of its kind: double or single,
    /// straight or curly.
    pub(super) fn phrase(&mut self) -> Option<(String, bool)> {
        let mut letters = self.rest(self.at).char_indices();
        let quote = letters.next().and_then(|(_, letter)| Quote::of(letter))?;
        let mut phrase = String::new();
        let mut escaped = false;
        for (at, letter) in letters {
            let is_quote = Quote::of(letter) == Some(quote);
            if escaped {
                // A backslash stands for itself, unless it is before what needs one.
                if !is_quote && letter != '\\' {
                    phrase.push('\\');
                }
                phrase.push(letter);
                escaped = false;
            } else if is_quote {
                self.at += at + letter.len_utf8();
                return Some((phrase, true));
            } else if letter == '\\' {
                escaped = true;
            } else {
                phrase.push(letter);
            }
        }
        if escaped {
            phrase.push('\\');
        }
        self.at = self.text.len();
        Some((phrase, false))
    }

    /// Takes a word: up to a blank, or a bracket that is not closed within it. Brackets are text, too, if no more may be
    /// opened, or if the word begins with one. Whether there were such.
    pub(super) fn word(&mut self, full: bool) -> (&'t str, bool) {
        let from = self.at;
        let mut deepened = false;
        while let Some(letter) = self.letter(self.at) {
            match letter {
                '(' => match self.closing.get(self.at) {
                    Some(&closing) if closing > 0 && self.at > from => self.at = closing,
                    _ if full || self.at == from => {
                        self.deep += 1;
                        deepened = true;
                    }
                    _ => break,
                },
                ')' if self.deep > 0 => self.deep -= 1,
                // Whoever asks for a word has seen what it begins with.
                ')' if self.at > from => break,
                _ if letter.is_whitespace() => break,
                _ => {}
            }
            self.at += letter.len_utf8();
        }
        (self.text.get(from..self.at).unwrap_or_default(), deepened)
    }

    fn rest(&self, from: usize) -> &'t str {
        self.text.get(from..).unwrap_or_default()
    }

    fn letter(&self, at: usize) -> Option<char> {
        self.rest(at).chars().next()
    }

    /// Whether a word that goes up to here ends here.
    fn ends(&self, at: usize) -> bool {
        self.letter(at).is_none_or(|letter| letter.is_whitespace() || letter == ')')
    }
}

/// What kind of quote a character is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    Double,
    Single,
    CurlyDouble,
    CurlySingle,
}

impl Quote {
    fn of(letter: char) -> Option<Self> {
        match letter {
            '"' => Some(Self::Double),
            '\'' => Some(Self::Single),
            '“' | '”' | '„' | '‟' => Some(Self::CurlyDouble),
            '‘' | '’' | '‚' | '‛' => Some(Self::CurlySingle),
            _ => None,
        }
    }
}

/// Which brackets close each other without a blank between them: found once for the whole text, for a word that is cut at
/// a bracket would be read again for each one.
fn closing(text: &str) -> Vec<usize> {
    if !text.contains('(') {
        return Vec::new();
    }
    let mut closing = vec![0; text.len()];
    let mut open = Vec::new();
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => open.push(at),
            ')' => {
                if let Some(closed) = open.pop().and_then(|at: usize| closing.get_mut(at)) {
                    *closed = at;
                }
            }
            _ if letter.is_whitespace() => open.clear(),
            _ => {}
        }
    }
    closing
}
