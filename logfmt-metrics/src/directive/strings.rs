//! Strings: whose text is the application's own and read, and whose may be a client's and is only looked through.

use super::escape::{self, Unit};
use super::state::{State, is_opening};
use super::{Directives, maybe_metrics};
use crate::error::RefusalKind;
use memchr::{memchr, memchr2, memmem};

/// A string whose text is read.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) end: usize,
    /// What is behind its closing quote.
    behind: usize,
    pub(super) has_escapes: bool,
    /// What is restored behind it.
    state: State,
    is_alone: [bool; 2],
}

/// A text that is looked through for metrics to refuse.
#[derive(Clone, Debug)]
pub(super) struct Shut {
    pub(super) end: usize,
    pub(super) behind: usize,
    pub(super) has_escapes: bool,
    pub(super) kind: RefusalKind,
    /// Whether a directive may begin behind it at once.
    pub(super) is_fresh: bool,
}

/// Whose string is the message of the line.
const MESSAGE_KEYS: [&[u8]; 3] = [b"msg", b"message", b"event"];

impl Directives<'_> {
    /// What a quote opens, if it opens something.
    pub(super) fn quote(&mut self, quote: u8, unit: Unit) {
        let state = self.state;
        let is_value = matches!(state.solid, [b':' | b'=', _] | [b'>', b'=']);
        self.at = unit.next;
        if !state.is_fresh && !state.is_opened && !is_value && !is_opening(state.before) {
            // As in `don't` and `5"`.
            self.state.pass(quote);
            (self.state.is_fresh, self.state.is_opened, self.state.is_prose) = (false, false, false);
            return;
        }
        // Quotes without a key hold the application's own words, but on an access log, which quotes those of clients.
        let is_bare = !is_value && !self.is_access_log();
        // Within a message such quotes open nothing: the text is read already.
        if is_bare && self.string.is_some() {
            return self.state.pass(quote);
        }
        let Some(close) = self.closing(quote, unit.next) else {
            // A single quote may be an apostrophe.
            if is_bare || (quote == b'\'' && state.before != b'=') {
                return self.state.pass(quote);
            }
            return self.shut(unit.next, self.end(), self.end(), RefusalKind::UnterminatedQuote);
        };
        let is_message = is_value && self.string.is_none() && self.is_message(unit.at);
        let is_own = is_bare && (state.is_fresh || state.is_opened) && state.braces == 0 && state.brackets == 0;
        // All other strings may hold a client's text: they are looked through, and what is found is refused.
        if !is_message && !is_own {
            return self.shut(unit.next, close.at, close.next, RefusalKind::Quoted);
        }
        // The text starts as a line does. What was known in front of it waits in `Text` until it ends.
        let has_escapes = escape::has_escapes(self.line.get(unit.next..close.at).unwrap_or_default());
        let (end, behind, is_alone) = (close.at, close.next, self.is_alone);
        self.string = Some(Text { end, behind, has_escapes, state, is_alone });
        (self.state, self.is_alone) = (State::START, [false; 2]);
        // In quotes without a key the quote stands in front of the first word as any punctuation does.
        (self.state.is_fresh, self.state.is_opened) = (is_message, !is_message);
    }

    /// Looks through a text, or passes it when there can be nothing in it.
    pub(super) fn shut(&mut self, from: usize, end: usize, behind: usize, kind: RefusalKind) {
        let text = self.line.get(from..end).unwrap_or_default();
        let is_fresh = kind != RefusalKind::Misplaced;
        if !maybe_metrics(text) {
            self.at = behind;
            return self.state.pass_token(is_fresh);
        }
        let has_escapes = self.has_escapes() || (is_fresh && escape::has_escapes(text));
        self.shut = Some(Shut { end, behind, has_escapes, kind, is_fresh });
        self.at = from;
        self.state.is_in_word = false;
    }

    /// Goes on behind the string or text that ends here; `false` at the end of the line.
    pub(super) fn leave(&mut self) -> bool {
        if let Some(shut) = self.shut.take() {
            self.at = shut.behind;
            self.state.pass_token(shut.is_fresh);
            return true;
        }
        let Some(string) = self.string.take() else { return false };
        (self.at, self.state, self.is_alone) = (string.behind, string.state, string.is_alone);
        self.state.pass_token(true);
        true
    }

    /// The quote that closes what opened before `from`: the next one without a backslash before it. A single quote in front
    /// of a letter or digit is an apostrophe.
    pub(super) fn closing(&mut self, quote: u8, from: usize) -> Option<Unit> {
        let is_single = usize::from(quote == b'\'');
        if self.is_alone.get(is_single) == Some(&true) {
            return None;
        }
        let mut at = from;
        loop {
            if !self.has_escapes() {
                // Nothing else matters, so that it can be jumped to.
                let rest = self.line.get(at..self.end()).unwrap_or_default();
                at += memchr2(quote, b'\\', rest).unwrap_or(rest.len());
            }
            let Some(unit) = self.unit(at) else {
                if let Some(is_alone) = self.is_alone.get_mut(is_single) {
                    *is_alone = true;
                }
                return None;
            };
            let behind = self.unit(unit.next);
            if unit.byte == quote && (quote == b'"' || behind.is_none_or(|behind| !behind.byte.is_ascii_alphanumeric()))
            {
                return Some(unit);
            }
            at = match behind {
                Some(behind) if unit.byte == b'\\' => behind.next,
                _ => unit.next,
            };
        }
    }

    /// Whether the quote at `at` opens the string of a message: `msg="`, at the start of a word, or `"msg":"`, in the
    /// outermost object or none.
    fn is_message(&self, at: usize) -> bool {
        let state = &self.state;
        let is_outermost = state.braces == 0 || (state.braces == 1 && state.is_object);
        let before = self.line.get(..at).unwrap_or_default();
        let strip = |text: &[u8], key: &[u8]| text.strip_suffix(key).map(<[u8]>::len);
        let start_of_key = |text: &[u8]| MESSAGE_KEYS.iter().find_map(|key| strip(text, key));
        let is_word_start = |text: &[u8]| text.last().is_none_or(|&byte| byte <= b' ');
        if let Some(key) = before.strip_suffix(b"=") {
            let Some(text) = start_of_key(key).and_then(|start| key.get(..start)) else { return false };
            let text = text.strip_suffix(b"{").or(text.strip_suffix(b"(")).unwrap_or(text);
            return is_outermost && is_word_start(text);
        }
        let Some(key) = trim(before).strip_suffix(b":").map(trim) else { return false };
        let [key @ .., quote @ (b'"' | b'\'')] = key else { return false };
        let Some([text @ .., opening]) = start_of_key(key).and_then(|start| key.get(..start)) else { return false };
        let is_first = state.braces == 1 && matches!(text.last(), Some(b'{' | b','));
        opening == quote && is_outermost && (is_first || is_word_start(text))
    }

    /// Whether the line shows a request: then its strings are a client's, but for those of a message.
    fn is_access_log(&mut self) -> bool {
        let line = self.line;
        *self.is_access_log.get_or_insert_with(|| memmem::find(line, b"HTTP/").is_some())
    }

    /// A line may be the rest of one that was cut in a string: the first quote closes what opened before. What stands before
    /// it could be a client's. (Behind a single quote the double one may be a part of what that opens.)
    #[inline(never)]
    pub(super) fn shut_end_of_string(&mut self) {
        let mut at = 0;
        let single = memchr(b'\'', self.line).unwrap_or(self.line.len());
        while let Some(found) = self.line.get(at..single).and_then(|rest| memchr(b'"', rest)) {
            let (before, behind) = self.line.split_at(at + found);
            let behind = behind.get(1..).unwrap_or_default();
            let Some(last) = before.last() else { return };
            if *last != b'\\' {
                let opens = *last <= b' ' || is_opening(*last) || matches!(last, b'=' | b':' | b'>');
                let closes = behind.first().is_none_or(|byte| *byte <= b' ' || b",}]).;:!?".contains(byte));
                if closes && !opens {
                    self.shut(0, before.len(), before.len() + 1, RefusalKind::Quoted);
                }
                return;
            }
            at = before.len() + 1;
        }
    }
}

/// Without separators at the end.
fn trim(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&byte| byte > b' ').map_or(0, |last| last + 1);
    text.get(..end).unwrap_or_default()
}
