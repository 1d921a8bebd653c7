//! The words that directives begin with, and what may stand in names, keys and values.

use super::{MAX_NAME, MAX_TAG_KEY};
use crate::error::RefusalKind;
use crate::lanes::are_of_name;
use core::str;
use metric_model::Kind;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Word {
    Metric(Kind),
    Tag,
    Source,
}

impl Word {
    /// How many bytes of the key it takes, `#` included.
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Metric(Kind::Count) | Self::Source => 6,
            Self::Metric(Kind::Measure) => 8,
            Self::Metric(Kind::Sample) => 7,
            Self::Tag => 4,
        }
    }

    /// The word that a text begins with, without what ends it, and what that must be.
    #[inline]
    pub(super) fn of(text: &[u8]) -> Option<(Self, usize, u8)> {
        let (word, end) = match text.first()? {
            b'c' if text.starts_with(b"count") => (Self::Metric(Kind::Count), b'#'),
            b'm' if text.starts_with(b"measure") => (Self::Metric(Kind::Measure), b'#'),
            b's' if text.starts_with(b"sample") => (Self::Metric(Kind::Sample), b'#'),
            b's' if text.starts_with(b"source") => (Self::Source, b'='),
            b't' if text.starts_with(b"tag") => (Self::Tag, b'#'),
            _ => return None,
        };
        let len = if word == Self::Source { word.len() } else { word.len() - 1 };
        Some((word, len, end))
    }
}

/// The word that these bytes begin with, each with what ends it.
#[inline]
pub(super) const fn fast_word(bytes: [u8; 8]) -> Option<Word> {
    const fn bytes_of<const N: usize>(text: &[u8; N]) -> u64 {
        let (mut bytes, mut nth) = (0, N);
        while nth > 0 {
            nth -= 1;
            bytes = bytes << 8 | text[nth] as u64;
        }
        bytes
    }
    const SAMPLE: u64 = bytes_of(b"sample#");
    const MEASURE: u64 = bytes_of(b"measure#");
    const COUNT: u64 = bytes_of(b"count#");
    const TAG: u64 = bytes_of(b"tag#");
    const SOURCE: u64 = bytes_of(b"source=");

    let bytes = u64::from_le_bytes(bytes);
    Some(match bytes & u64::MAX >> 8 {
        SAMPLE => Word::Metric(Kind::Sample),
        SOURCE => Word::Source,
        _ if bytes == MEASURE => Word::Metric(Kind::Measure),
        _ if bytes & u64::MAX >> 16 == COUNT => Word::Metric(Kind::Count),
        _ if bytes & u64::MAX >> 32 == TAG => Word::Tag,
        _ => return None,
    })
}

/// How a directive's word stands that a text ends in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Before {
    /// Behind a separator, or at the start.
    Alone(usize),
    /// Behind something else that is no part of a word.
    Behind,
}

/// The directive's word that `before` ends in, given the byte behind it.
#[inline]
pub(super) fn word_before(before: &[u8], byte: u8) -> Option<Before> {
    let text: &[u8] = match (byte, before.last()?) {
        (b'=', b'e') => b"source",
        (b'#', b't') => b"count",
        (b'#', b'g') => b"tag",
        (b'#', b'e') if before.ends_with(b"sample") => b"sample",
        (b'#', b'e') => b"measure",
        _ => return None,
    };
    let rest = before.strip_suffix(text)?;
    match rest.last() {
        None | Some(0..=b' ') => Some(Before::Alone(rest.len())),
        Some(&byte) if is_of_word(byte) => None,
        Some(_) => Some(Before::Behind),
    }
}

/// What a metric's word may not stand behind: with it, it is another word.
pub(super) const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// An byte of a metric's name.
pub(super) fn is_of_name(byte: u8) -> bool {
    are_of_name(&[byte])
}

/// The bytes that numbers and units are made of.
pub(super) fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-' | b'%' | 0x80..)
}

/// name = 1*255( ALPHA / DIGIT / "_" / "." / ":" / "/" / "-" )
#[inline]
pub(super) fn metric_name(name: &[u8]) -> Result<&str, RefusalKind> {
    if name.len() > MAX_NAME {
        return Err(RefusalKind::NameTooLong);
    }
    let text = str::from_utf8(name).map_err(|_| RefusalKind::NotUtf8)?;
    if name.is_empty() || !are_of_name(name) {
        return Err(RefusalKind::BadName);
    }
    if is_reserved(name) { Err(RefusalKind::ReservedName) } else { Ok(text) }
}

/// Whether a name is one of the platform's own metrics, in any case of its letters.
fn is_reserved(name: &[u8]) -> bool {
    const FAMILIES: [&[u8]; 7] =
        [b"router.", b"postgres.", b"dyno.", b"errors.", b"redis.", b"pgbouncer.", b"release."];
    let starts =
        |text: &[u8], with: &[u8]| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    let Some(behind) = name.get(b"heroku.".len()..).filter(|_| starts(name, b"heroku.")) else { return false };
    behind.eq_ignore_ascii_case(b"release") || FAMILIES.iter().any(|family| starts(behind, family))
}

/// 1 to 64 bytes of UTF-8 without control characters or a metric's word; what ends a key, a separator or "=", cannot be in it.
#[inline]
pub(super) fn tag_key(key: &[u8]) -> Result<&str, RefusalKind> {
    if key.len() > MAX_TAG_KEY {
        return Err(RefusalKind::TagKeyTooLong);
    }
    let text = str::from_utf8(key).map_err(|_| RefusalKind::NotUtf8)?;
    // A metric's word in it would be one that is neither counted nor refused.
    let is_word = |text: &str| ["count", "measure", "sample"].iter().any(|word| text.ends_with(word));
    let holds_word = text.split('#').rev().skip(1).any(is_word);
    if text.is_empty() || holds_word || text.chars().any(char::is_control) {
        return Err(RefusalKind::BadTagKey);
    }
    Ok(text)
}
