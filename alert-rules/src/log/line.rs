//! One line as it is looked at by all rules: folded once, what was found of it, and what was asked besides.
//!
//! Letters beyond ASCII keep their case when a line is folded, and a term finds both. So there is a second text, in which they
//! have one, and in which such terms are looked for.

use log_query::{Fields, Node, Query, Term, fold_into};
use std::borrow::Cow;

/// Of an anchor so many bytes are looked for; they are in the line if all of it is.
pub(super) const LONGEST: usize = 32;
/// A term of no more bytes is looked for as a whole, so that it is known without a search whether a line has it.
const WHOLE: usize = 128;
const SYSTEM: u8 = 1;
const PROGRAM: u8 = 2;
const MESSAGE: u8 = 4;
/// Across program and message.
const JOINED: u8 = 8;

/// What a leaf of a query asks of a line.
#[derive(Clone, Copy)]
pub(super) enum Leaf {
    /// Whether a needle was found in one of these places.
    Found(usize, u8),
    /// What has to be asked by itself, once of a line, if its needle was found or it has none.
    Asked(usize, Option<usize>),
}

/// What no needle tells.
pub(super) enum Question {
    /// A term that is longer than its needle.
    Term(Box<Term>),
    /// Of severity, facility or address: a query of that alone.
    Attribute(Box<Query>),
}

pub(super) struct Asked {
    question: Question,
    line: u64,
    fits: bool,
}

/// The line that was taken last.
#[derive(Default)]
pub(super) struct Line {
    pub(super) folded: Text,
    /// The same with all letters in one case, if that is another.
    pub(super) cased: Text,
    pub(super) number: u64,
    /// Of each needle, the line in which it was seen last, and where.
    pub(super) seen: Vec<(u64, u8)>,
    pub(super) asked: Vec<Asked>,
}

/// `system LF program: message`.
#[derive(Default)]
pub(super) struct Text {
    pub(super) bytes: Vec<u8>,
    pub(super) ends: Ends,
}

/// Where the texts of a folded line end.
#[derive(Clone, Copy, Default)]
pub(super) struct Ends {
    system: usize,
    program: usize,
    has_program: bool,
}

impl Ends {
    const fn message(self) -> usize {
        self.program + 2
    }

    /// In which text a piece lies: in none, if it is across the end of one that does not go on.
    pub(super) const fn place(self, start: usize, end: usize) -> u8 {
        if end <= self.system {
            SYSTEM
        } else if start <= self.system {
            0
        } else if end <= self.program {
            PROGRAM
        } else if start >= self.message() {
            MESSAGE
        } else if self.has_program {
            JOINED
        } else {
            0
        }
    }
}

impl Text {
    fn take(&mut self, texts: [&[u8]; 3], has_program: bool, into: impl Fn(&[u8], &mut Vec<u8>)) {
        let [system, program, message] = texts;
        self.bytes.clear();
        into(system, &mut self.bytes);
        let system = self.bytes.len();
        self.bytes.push(b'\n');
        into(program, &mut self.bytes);
        self.ends = Ends { system, program: self.bytes.len(), has_program };
        self.bytes.extend_from_slice(b": ");
        into(message, &mut self.bytes);
    }

    /// System, program and message.
    fn texts(&self) -> [&[u8]; 3] {
        let Ends { system, program, .. } = self.ends;
        [0..system, system + 1..program, self.ends.message()..self.bytes.len()]
            .map(|range| self.bytes.get(range).unwrap_or_default())
    }
}

impl Line {
    /// Takes the next line, also `in_one_case` if somebody looks there.
    pub(super) fn take(&mut self, fields: &Fields<'_>, in_one_case: bool) {
        self.number += 1;
        let has_program = !fields.program().is_empty();
        let folded = |text: &[u8], out: &mut Vec<u8>| {
            fold_into(text, out);
        };
        self.folded.take([fields.system(), fields.program(), fields.message()], has_program, folded);
        if in_one_case && !self.folded.bytes.is_ascii() {
            self.cased.take(self.folded.texts(), has_program, in_one_case_into);
        } else {
            self.cased.bytes.clear();
        }
    }

    /// Whether a leaf fits.
    pub(super) fn fits(&mut self, leaf: Leaf, fields: &Fields<'_>) -> bool {
        match leaf {
            Leaf::Found(needle, places) => self.places(needle) & places != 0,
            Leaf::Asked(_, Some(needle)) if self.places(needle) == 0 => false,
            Leaf::Asked(question, _) => {
                let Some(asked) = self.asked.get_mut(question) else { return false };
                if asked.line != self.number {
                    asked.line = self.number;
                    asked.fits = match &asked.question {
                        Question::Attribute(query) => query.matches(fields),
                        Question::Term(term) => is_in(term, &self.folded, fields),
                    };
                }
                asked.fits
            }
        }
    }

    /// Where a needle was found, if anywhere.
    fn places(&self, needle: usize) -> u8 {
        self.seen.get(needle).filter(|(line, _)| *line == self.number).map_or(0, |(_, places)| *places)
    }
}

impl Asked {
    pub(super) const fn new(question: Question) -> Self {
        Self { question, line: 0, fits: false }
    }
}

fn is_in(term: &Term, folded: &Text, fields: &Fields<'_>) -> bool {
    let [system, program, message] = folded.texts();
    (term.in_message() && term.found_in(message))
        || (term.in_program() && term.found_in(program))
        || (term.in_system() && term.found_in(system))
        || term.spans(fields.program(), fields.message())
}

/// What is looked for of a term.
#[derive(Default)]
pub(super) struct Needle<'q> {
    /// Empty if it is no term.
    pub(super) bytes: Cow<'q, [u8]>,
    /// It is all of the term.
    pub(super) is_whole: bool,
    /// It is looked for where letters have one case.
    pub(super) is_cased: bool,
}

impl<'q> Needle<'q> {
    pub(super) fn of(leaf: Node<'q>) -> Self {
        let Node::Term(term) = leaf else { return Self::default() };
        let mut bytes = Cow::Borrowed(term.folded());
        if !term.is_exact() {
            let mut cased = Vec::new();
            in_one_case_into(term.folded(), &mut cased);
            bytes = Cow::Owned(cased);
        }
        let is_whole = bytes.len() <= WHOLE;
        if !is_whole {
            bytes = match bytes {
                Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(..LONGEST).unwrap_or(bytes)),
                Cow::Owned(mut bytes) => {
                    bytes.truncate(LONGEST);
                    Cow::Owned(bytes)
                }
            };
        }
        Self { bytes, is_whole, is_cased: !term.is_exact() }
    }
}

/// Stands for bytes that are no character; in no needle.
const INVALID: u8 = 0xff;

/// Appends a folded text, its letters beyond ASCII in one case.
fn in_one_case_into(folded: &[u8], out: &mut Vec<u8>) {
    for chunk in folded.utf8_chunks() {
        for letter in chunk.valid().chars() {
            out.extend_from_slice(one_case(letter).encode_utf8(&mut [0; 4]).as_bytes());
        }
        if !chunk.invalid().is_empty() {
            out.push(INVALID);
        }
    }
}

/// As terms take letters for the same: the lower case of the upper case, where each is a single letter beyond ASCII.
fn one_case(letter: char) -> char {
    if letter.is_ascii() {
        return letter;
    }
    let upper = single(letter.to_uppercase()).unwrap_or(letter);
    single(upper.to_lowercase()).unwrap_or(upper)
}

fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    match (letters.next(), letters.next()) {
        (Some(letter), None) if !letter.is_ascii() => Some(letter),
        _ => None,
    }
}

/// Where a term looks.
pub(super) fn places(term: &Term) -> u8 {
    let is = |place, is| if is { place } else { 0 };
    is(SYSTEM, term.in_system())
        | is(PROGRAM, term.in_program())
        | is(MESSAGE, term.in_message())
        | is(JOINED, term.in_joined())
}

/// What a leaf has to ask, with a name of its own; `None` of kinds that are not known.
pub(super) fn question(leaf: Node<'_>) -> Option<(String, Question)> {
    let name = match leaf {
        // No attribute begins with a digit.
        Node::Term(term) => {
            return Some((format!("{}{}", places(term), term.text()), Question::Term(Box::new(term.clone()))));
        }
        Node::Severity(severity) => format!("severity:{severity}"),
        Node::Facility(facility) => format!("facility:{facility}"),
        Node::SourceIp(prefix) => format!("ip:\"{}\"", prefix.as_str()),
        _ => return None,
    };
    let query = Query::parse(&name).into_query();
    let is_same = match (query.root(), leaf) {
        (Node::Severity(one), Node::Severity(other)) | (Node::Facility(one), Node::Facility(other)) => one == other,
        (Node::SourceIp(one), Node::SourceIp(other)) => one == other,
        _ => false,
    };
    is_same.then(|| (name, Question::Attribute(Box::new(query))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each letter with those that may be the same, and with its neighbours.
    #[test]
    fn letters_are_the_same_as_terms_take_them() {
        let mut same = 0;
        for letter in (char::MIN..=char::MAX).filter(|letter| !letter.is_ascii()) {
            let variants = letter.to_lowercase().chain(letter.to_uppercase()).collect::<Vec<_>>();
            if variants.iter().all(|variant| *variant == letter) {
                assert_eq!(one_case(letter), letter);
                continue;
            }
            let query = Query::parse(&format!("\"x{letter}\"")).into_query();
            let Node::Term(term) = query.root() else { panic!("a term of {letter}") };
            let near = [-1, 1].into_iter().filter_map(|by| char::from_u32(u32::from(letter).wrapping_add_signed(by)));
            let others = variants.iter().flat_map(|variant| [*variant].into_iter().chain(variant.to_lowercase()));
            for other in others.chain(near) {
                let is_same = one_case(other) == one_case(letter);
                let found = term.found_in(format!("x{other}").to_ascii_lowercase().as_bytes());
                assert_eq!(found, is_same, "{letter} and {other}");
                same += usize::from(is_same);
            }
        }
        assert!(same > 2_000, "{same}");
    }
}
