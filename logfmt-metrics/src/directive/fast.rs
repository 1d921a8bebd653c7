//! The fast reader of lines without quotes: it jumps from one `=` or `#` to the next, and takes directives of the common
//! shape. At the first one of another shape it leaves the rest of the line to the plain walk.

use super::word::{Before, Word, fast_word, word_before};
use super::{Directive, Directives, Escapes, MAX_TAG_VALUE, MAX_TAGS, Metric, Tag};
use crate::lanes::{are_of_name, equals_or_space, space_before_hash};
use crate::number::fast_number;
use crate::pairs::{equals_or_hash, value_or_hash_end};
use metric_model::Kind;

impl<'a> Directives<'a> {
    /// Whether there may be [colour codes](crate::colour) in the line. The same as [`colour::maybe`](crate::colour::maybe), but
    /// at no cost where the walk has seen already that the line holds no control character.
    ///
    /// ```
    /// use logfmt_metrics::directives;
    /// assert!(directives(b"paid \x1b[32mcount#orders=1\x1b[0m").may_be_coloured());
    /// assert!(!directives(b"paid\tcount#orders=1").may_be_coloured());
    /// ```
    #[inline]
    #[must_use]
    pub fn may_be_coloured(&self) -> bool {
        // What has text holds no control character.
        self.text.is_empty() && crate::colour::maybe(self.line)
    }

    /// The next directive; `None` when the line has none further on, or when [`plain`](Self::plain) is to go on from
    /// where the walk is then.
    #[inline]
    pub(super) fn fast(&mut self) -> Option<Directive<'a>> {
        // One directive often follows another. Any other is tried once its word was found.
        let tried = self.at + usize::from(self.line.get(self.at) == Some(&b' '));
        if let Some(found) = self.fast_directive(tried) {
            return Some(found);
        }
        self.at = self.find()?;
        let found = self.fast_directive(self.at);
        if found.is_none() {
            self.leave_fast(self.at);
        }
        found
    }

    /// Where the next directive begins.
    #[inline(never)]
    fn find(&mut self) -> Option<usize> {
        let line = self.line;
        if self.at >= line.len() {
            return None;
        }
        let mut from = self.at;
        loop {
            let sign = equals_or_hash(line, from);
            let Some(&byte) = line.get(sign) else {
                self.at = line.len();
                return None;
            };
            let before = &line[self.at..sign];
            match word_before(before, byte) {
                Some(Before::Alone(start)) => return Some(self.at + start),
                Some(Before::Behind) => {
                    self.leave_fast(self.at + word_start(before));
                    return None;
                }
                // A `#` of some other word, such as `#17`.
                None if byte == b'#' => from = sign + 1,
                None => {
                    // The value: no directive can be used that is in it, but each is to be refused.
                    let end = value_or_hash_end(line, sign + 1);
                    if line.get(end) == Some(&b'#') {
                        self.leave_fast(self.at + word_start(before));
                        return None;
                    }
                    (self.at, from) = (end, end);
                }
            }
        }
    }

    /// The directive that begins at `at`, the start of a word, if it has the common shape: a name of up to 31 bytes, a bare
    /// value, nothing to refuse. `None` is no judgement.
    #[inline(always)]
    pub(super) fn fast_directive(&mut self, at: usize) -> Option<Directive<'a>> {
        let rest = self.text.get(at..)?;
        let word = fast_word(*rest.as_bytes().first_chunk()?)?;
        match word {
            Word::Metric(kind) => self.fast_metric(kind, rest, word.len()),
            Word::Source => self.fast_tag("source", rest, word.len() + 1),
            Word::Tag => {
                let behind = rest.get(word.len()..)?;
                let key = behind.get(..equals_or_space(behind.as_bytes())?)?;
                if !are_of_name(key.as_bytes()) || key.is_empty() {
                    return None;
                }
                self.fast_tag(key, rest, word.len() + key.len() + 1)
            }
        }
    }

    /// `rest` begins with the directive; its name begins at `start`.
    #[inline(always)]
    fn fast_metric(&mut self, kind: Kind, rest: &'a str, start: usize) -> Option<Directive<'a>> {
        let offset = self.line.len() - rest.len();
        let behind = rest.get(start..)?;
        let (name, behind) = behind.split_at_checked(equals_or_space(behind.as_bytes())?)?;
        let value = behind.as_bytes().strip_prefix(b"=")?;
        // None of a native family either.
        if !are_of_name(name.as_bytes()) || matches!(name.as_bytes(), [] | [b'h' | b'H', ..]) {
            return None;
        }
        let (value, behind) = fast_number(self.line, value)?;
        self.at = self.line.len() - behind.len();
        Some(Directive::Metric(Metric { kind, name, value, offset }))
    }

    /// `rest` begins with the directive; its value begins at `start`, behind a `=` if it has one.
    #[inline]
    fn fast_tag(&mut self, key: &'a str, rest: &'a str, start: usize) -> Option<Directive<'a>> {
        let offset = self.line.len() - rest.len();
        let value = rest.get(start..)?;
        let value = value.get(..space_before_hash(value.as_bytes())?)?;
        // Behind a letter or digit there is nothing that could stand behind the value and be no part of it.
        let is_common = rest.as_bytes().get(start - 1) == Some(&b'=')
            && (1..=MAX_TAG_VALUE).contains(&value.len())
            && value.as_bytes().last().is_some_and(|last| last.is_ascii_alphanumeric() || *last >= 0x80)
            && self.tags < MAX_TAGS;
        if !is_common {
            return None;
        }
        self.tags += 1;
        self.at = offset + start + value.len();
        Some(Directive::Tag(Tag { key, raw: value, escapes: Escapes::None, offset }))
    }
}

/// Where the last word of `before` starts.
fn word_start(before: &[u8]) -> usize {
    before.iter().rposition(|&byte| byte <= b' ').map_or(0, |separator| separator + 1)
}
