//! Names, values and tags of the directives that the walk finds.

use super::word::{Word, is_of_number, metric_name, tag_key};
use super::{Directive, Directives, Escapes, MAX_TAG_VALUE, MAX_TAGS, Metric, Tag, escape, unquoted};
use crate::error::{Refusal, RefusalKind};
use crate::number::number;
use crate::pairs::unescaped_len;
use core::str;
use metric_model::{Kind, Unit, Value};

/// What may stand behind a value and be no part of it.
const fn is_trailing(byte: u8) -> bool {
    matches!(byte, b',' | b'.' | b';' | b':' | b'!' | b'?' | b'|' | b')' | b']' | b'}' | b'>' | b'\'' | b'"' | b'`')
}

/// A value without quotes.
struct Bare {
    /// Where it ends, without what is no part of it.
    end: usize,
    /// Where the word ends that it stands in.
    word_end: usize,
    has_quote: bool,
}

impl<'a> Directives<'a> {
    /// The directive that begins at `at`, and whose word and `#` or `=` end at `behind`; `None` where it is text all the same.
    pub(super) fn directive(&mut self, word: Word, at: usize, behind: usize) -> Option<Result<Directive<'a>, Refusal>> {
        let (name, value) = match word {
            Word::Source => (&b"source"[..], Some(behind)),
            _ => self.key(behind),
        };
        let Some(value) = value else {
            if name.is_empty() {
                return None;
            }
            self.at = behind + name.len();
            self.state.pass_token(false);
            return Some(Err(Refusal::new(RefusalKind::NoValue, at..self.at)));
        };
        match self.unit(value) {
            Some(unit) if unit.byte == b'"' => self.quoted(word, name, at, unit.next),
            Some(unit) if unit.byte > b' ' => Some(self.bare(word, name, at, value)),
            _ if word == Word::Source => None,
            _ => {
                self.at = value;
                self.state.pass_token(false);
                let kind = match word {
                    Word::Metric(_) => metric_name(name).err().unwrap_or(RefusalKind::NoValue),
                    _ => tag_key(name).err().unwrap_or(RefusalKind::BadTagValue),
                };
                Some(Err(Refusal::new(kind, at..value)))
            }
        }
    }

    /// The name that begins at `from`, and where its value does.
    fn key(&self, from: usize) -> (&'a [u8], Option<usize>) {
        let line = self.line;
        let mut at = from;
        loop {
            let unit = self.unit(at);
            match unit {
                Some(unit) if unit.byte > b' ' && unit.byte != b'=' => at = unit.next,
                _ => {
                    let end = unit.map_or(self.end(), |unit| unit.at);
                    let value = unit.filter(|unit| unit.byte == b'=').map(|unit| unit.next);
                    return (line.get(from..end).unwrap_or_default(), value);
                }
            }
        }
    }

    /// A value in quotes; it begins at `from`, behind the first of them.
    fn quoted(&mut self, word: Word, name: &'a [u8], at: usize, from: usize) -> Option<Result<Directive<'a>, Refusal>> {
        let line = self.line;
        let Some(close) = self.closing(b'"', from) else {
            let end = self.end();
            let kind = match word {
                Word::Metric(_) => metric_name(name).err(),
                _ => tag_key(name).err(),
            };
            self.shut(from, end, end, RefusalKind::UnterminatedQuote);
            return Some(Err(Refusal::new(kind.unwrap_or(RefusalKind::UnterminatedQuote), at..end)));
        };
        let raw = line.get(from..close.at).unwrap_or_default();
        let has_escapes = self.has_escapes();
        let found = match word {
            Word::Metric(kind) => metric(kind, name, raw, at).map(Directive::Metric),
            Word::Source if raw.is_empty() => {
                self.at = close.next;
                self.state.pass_token(true);
                return None;
            }
            _ => self.tag(name, raw, Escapes::of(escape::has_escapes(raw), has_escapes), at).map(Directive::Tag),
        };
        self.shut(from, close.at, close.next, RefusalKind::Quoted);
        Some(found.map_err(|kind| Refusal::new(kind, at..close.next)))
    }

    /// A value without; it begins at `from` and is not empty.
    fn bare(&mut self, word: Word, name: &'a [u8], at: usize, from: usize) -> Result<Directive<'a>, Refusal> {
        let line = self.line;
        let (found, end) = if let Word::Metric(kind) = word {
            let (end, is_whole) = self.number_end(from);
            let found = metric(kind, name, line.get(from..end).unwrap_or_default(), at);
            (
                found.and_then(|found| if is_whole { Ok(Directive::Metric(found)) } else { Err(RefusalKind::BadUnit) }),
                end,
            )
        } else {
            let bare = self.text(from);
            let raw = line.get(from..bare.end).unwrap_or_default();
            let found = match (bare.has_quote, tag_key(name)) {
                (true, Ok(_)) => Err(RefusalKind::BadTagValue),
                _ => self.tag(name, raw, Escapes::of(false, self.has_escapes()), at).map(Directive::Tag),
            };
            (found, bare.word_end)
        };
        match found {
            Ok(found) => {
                self.pass_value(from, end);
                Ok(found)
            }
            Err(kind) => {
                let end = if matches!(word, Word::Metric(_)) { self.text(from).word_end } else { end };
                self.pass_value(from, end);
                Err(Refusal::new(kind, at..end))
            }
        }
    }

    /// Goes on behind a value, once it was looked through for metrics in it.
    fn pass_value(&mut self, from: usize, end: usize) {
        self.shut(from, end, end, RefusalKind::Misplaced);
    }

    /// Where the number and unit at `from` end, and whether what follows is no part of them: nothing but trailing marks up to
    /// the next separator.
    fn number_end(&self, from: usize) -> (usize, bool) {
        let mut end = from;
        let mut unit = self.unit(from);
        while let Some(part) = unit.filter(|unit| is_of_number(unit.byte)) {
            if part.byte != b'.' {
                end = part.next;
            }
            unit = self.unit(part.next);
        }
        while let Some(mark) = unit.filter(|unit| unit.byte > b' ') {
            if !is_trailing(mark.byte) {
                return (end, false);
            }
            unit = self.unit(mark.next);
        }
        (end, true)
    }

    /// Where the text of a tag that begins at `from` ends: in front of a separator, and of a double quote in a string; without
    /// marks behind it, and brackets and single quotes that close what it did not open.
    fn text(&self, from: usize) -> Bare {
        const BRACKETS: [(u8, u8); 4] = [(b'(', b')'), (b'[', b']'), (b'{', b'}'), (b'<', b'>')];
        let mut open = [0_u32; 4];
        let (mut is_quoted, mut has_quote, mut is_behind_quote) = (false, false, false);
        let (mut at, mut end) = (from, from);
        while let Some(unit) = self.unit(at).filter(|unit| unit.byte > b' ') {
            if unit.byte == b'"' && self.string.is_some() {
                break;
            }
            at = unit.next;
            let opens =
                BRACKETS.iter().position(|(opening, _)| *opening == unit.byte).and_then(|nth| open.get_mut(nth));
            let closes = BRACKETS.iter().position(|(_, closing)| *closing == unit.byte);
            let is_part = match (unit.byte, opens, closes) {
                (_, Some(open), _) => {
                    *open += 1;
                    true
                }
                (_, _, Some(nth)) => open.get_mut(nth).is_some_and(|open| {
                    let is_own = *open > 0;
                    *open = open.saturating_sub(1);
                    is_own
                }),
                (b'\'', ..) => {
                    is_quoted = !is_quoted;
                    !is_quoted
                }
                (b'"', ..) => {
                    is_behind_quote = true;
                    false
                }
                (byte, ..) => !is_trailing(byte),
            };
            if is_part {
                end = at;
                has_quote |= is_behind_quote;
            }
        }
        Bare { end, word_end: at, has_quote }
    }

    /// tag = "tag#" key "=" text / "source=" text
    fn tag(&mut self, key: &'a [u8], raw: &'a [u8], escapes: Escapes, offset: usize) -> Result<Tag<'a>, RefusalKind> {
        let key = tag_key(key)?;
        let raw = tag_value(raw, escapes)?;
        if self.tags >= MAX_TAGS {
            return Err(RefusalKind::TooManyTags);
        }
        self.tags += 1;
        Ok(Tag { key, raw, escapes, offset })
    }
}

/// metric = ( "count" / "measure" / "sample" ) "#" name "=" value
fn metric<'a>(kind: Kind, name: &'a [u8], value: &'a [u8], offset: usize) -> Result<Metric<'a>, RefusalKind> {
    let name = metric_name(name)?;
    let value = value_of(value)?;
    // No unit's factor reaches 2^60, so a smaller number need not be made regular to see that it stays finite.
    if value.number().abs() > f64::MAX / (1_u64 << 60) as f64 && !value.regular().number().is_finite() {
        return Err(RefusalKind::NotFinite);
    }
    if kind == Kind::Count && value.number() < 0.0 {
        return Err(RefusalKind::NegativeCount);
    }
    Ok(Metric { kind, name, value, offset })
}

/// A number with its unit; JSON in ASCII writes the micro sign as an escape.
fn value_of(text: &[u8]) -> Result<Value<'_>, RefusalKind> {
    let value = number(text).map_err(|error| RefusalKind::of_number(error.kind()));
    let micro = [&br"\u00b5s"[..], br"\u00B5s", br"\u03bcs", br"\u03BCs"].into_iter();
    match micro.filter_map(|micro| text.strip_suffix(micro)).next() {
        Some(digits) if value.is_err() => match number(digits) {
            Ok(value) if value.unit() == Unit::NONE => Ok(Value::new(value.number(), Unit::new("\u{b5}s"))),
            _ => value,
        },
        _ => value,
    }
}

/// 1 to 255 bytes of UTF-8, once the escapes are undone.
fn tag_value(raw: &[u8], escapes: Escapes) -> Result<&str, RefusalKind> {
    let text = str::from_utf8(raw);
    let is_long = raw.len() > MAX_TAG_VALUE;
    let len = match (escapes, text) {
        (Escapes::String, _) => escape::undone_len(raw),
        (Escapes::Quotes, _) if is_long => unescaped_len(raw),
        // Of its own escapes two bytes make one, so that what is twice as long is too long, and need not be copied.
        (Escapes::Both, Ok(text)) => match escape::undone_len(raw) {
            len if len > 2 * MAX_TAG_VALUE => len,
            _ => unquoted(escape::undone(text)).len(),
        },
        _ => raw.len(),
    };
    match len {
        0 => Err(RefusalKind::BadTagValue),
        _ if len > MAX_TAG_VALUE => Err(RefusalKind::TagValueTooLong),
        _ => text.map_err(|_| RefusalKind::NotUtf8),
    }
}
