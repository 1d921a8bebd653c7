//! The walk over a line, byte by byte: what is at the start of a word, in a string, or somewhere else.
//!
//! Lines without quotes are begun by the fast reader, [`fast`](super::fast).

use super::escape::{self, Unit};
use super::state::State;
use super::word::{Word, is_of_name, is_of_number, is_of_word};
use super::{Directive, Directives};
use crate::error::{Refusal, RefusalKind};
use crate::lanes::has_control_or_quote;
use core::{fmt, iter::FusedIterator, str};

impl<'a> Directives<'a> {
    #[inline]
    pub(super) fn new(line: &'a [u8]) -> Self {
        // Checked once, so that the parts of it need not be. Other lines have no fast directive.
        let (has_control, has_quote) = has_control_or_quote(line);
        let text = if has_control { "" } else { str::from_utf8(line).unwrap_or_default() };
        let mut walk = Self {
            line,
            text,
            at: 0,
            tags: 0,
            is_fast: true,
            state: State::START,
            string: None,
            shut: None,
            is_alone: [false; 2],
            is_access_log: None,
        };
        // What quotes open must be known, and what a first one closes.
        if has_quote {
            walk.leave_fast(0);
        }
        walk
    }

    /// The fast reader ends, and the walk goes on from `at`, the start of a word or a separator.
    #[cold]
    pub(super) fn leave_fast(&mut self, at: usize) {
        (self.is_fast, self.at, self.state) = (false, at, State::START);
        if at == 0 {
            self.shut_end_of_string();
        }
    }

    /// The walk without the fast reader.
    #[cfg(test)]
    pub(super) fn without_fast(line: &'a [u8]) -> Self {
        let mut walk = Self::new(line);
        walk.leave_fast(0);
        walk
    }

    /// Where the text ends that is read now.
    pub(super) fn end(&self) -> usize {
        match (&self.shut, &self.string) {
            (Some(shut), _) => shut.end,
            (None, Some(string)) => string.end,
            (None, None) => self.line.len(),
        }
    }

    pub(super) fn has_escapes(&self) -> bool {
        match (&self.shut, &self.string) {
            (Some(shut), _) => shut.has_escapes,
            (None, Some(string)) => string.has_escapes,
            (None, None) => false,
        }
    }

    /// The unit at `at` of the text that is read now.
    #[inline]
    pub(super) fn unit(&self, at: usize) -> Option<Unit> {
        let text = self.line.get(..self.end())?;
        if self.has_escapes() { escape::escaped(text, at) } else { escape::literal(text, at) }
    }

    /// The next item of the rest of the line, by the plain reader.
    #[inline(never)]
    pub(super) fn plain(&mut self) -> Option<Result<Directive<'a>, Refusal>> {
        loop {
            let Some(unit) = self.unit(self.at) else {
                if self.leave() {
                    continue;
                }
                self.at = self.line.len();
                return None;
            };
            if !self.state.is_in_word
                && matches!(unit.byte, b'c' | b'm' | b's' | b't')
                && let Some((word, behind)) = self.word(unit.at)
            {
                match self.word_at(word, unit.at, behind) {
                    Some(item) => return Some(item),
                    None => continue,
                }
            }
            self.step(unit);
        }
    }

    /// The directive's word at `at`, and what is behind its `#` or `=`.
    fn word(&self, at: usize) -> Option<(Word, usize)> {
        let (word, len, sign) = Word::of(self.line.get(at..self.end())?)?;
        let end = self.unit(at + len)?;
        (end.byte == sign).then_some((word, end.next))
    }

    /// What is to be said of the word at `at`; if nothing, the walk is behind it.
    fn word_at(&mut self, word: Word, at: usize, behind: usize) -> Option<Result<Directive<'a>, Refusal>> {
        if self.state.is_fresh
            && self.shut.is_none()
            && let Some(item) = self.directive(word, at, behind)
        {
            return Some(item);
        }
        let is_named = || self.unit(behind).is_some_and(|unit| is_of_name(unit.byte));
        let refused = match (word, &self.shut) {
            (Word::Metric(_), Some(shut)) if is_named() => Some(shut.kind),
            (Word::Metric(_), None) if !self.state.is_fresh && is_named() => Some(RefusalKind::Misplaced),
            // Without its tag the metric beside it would be counted in another stream.
            (Word::Tag, None) if self.state.is_opened && is_named() => Some(RefusalKind::Misplaced),
            _ => None,
        };
        let token = at..if refused.is_some() { self.loose_end(behind) } else { behind };
        self.at = behind;
        self.pass(if word == Word::Source { b'=' } else { b'#' });
        refused.map(|kind| Err(Refusal::new(kind, token)))
    }

    /// Where the name that begins at `at` ends, and its value if it has one that looks so: what is shown of a metric that is
    /// not read.
    fn loose_end(&self, at: usize) -> usize {
        let behind = |mut at: usize, is_part: fn(u8) -> bool| {
            while let Some(unit) = self.unit(at).filter(|unit| is_part(unit.byte)) {
                at = unit.next;
            }
            at
        };
        let name = behind(at, is_of_name);
        match self.unit(name) {
            Some(unit) if unit.byte == b'=' => behind(unit.next, is_of_number),
            _ => name,
        }
    }

    /// Behind a unit that begins no directive's word.
    fn step(&mut self, unit: Unit) {
        if self.shut.is_none() {
            match unit.byte {
                quote @ (b'"' | b'\'') => return self.quote(quote, unit),
                // What it stands before is no quote.
                b'\\' => {
                    let behind = self.unit(unit.next).filter(|behind| matches!(behind.byte, b'"' | b'\'' | b'\\'));
                    self.state.pass(b'\\');
                    self.at = behind.map_or(unit.next, |behind| behind.next);
                    return;
                }
                _ => {}
            }
        }
        self.pass(unit.byte);
        self.at = unit.next;
    }

    /// Behind this byte. What is only looked through opens no braces.
    fn pass(&mut self, byte: u8) {
        match self.shut {
            Some(_) => self.state.is_in_word = is_of_word(byte),
            None => self.state.pass(byte),
        }
    }
}

impl<'a> Iterator for Directives<'a> {
    type Item = Result<Directive<'a>, Refusal>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.is_fast {
            let found = self.fast();
            if found.is_some() || self.is_fast {
                return found.map(Ok);
            }
        }
        self.plain()
    }
}

impl FusedIterator for Directives<'_> {}

impl fmt::Debug for Directives<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directives")
            .field("len", &self.line.len())
            .field("at", &self.at)
            .field("tags", &self.tags)
            .finish()
    }
}
