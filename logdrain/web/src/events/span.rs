//! A range of time that an address asks for: `from=…&to=…`, or `range=6h` for the last six hours.

use form_urlencoded::Serializer;
use std::fmt;

/// Units that a range is written in, the longest first.
const UNITS: [(char, i64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
/// The longest range.
const LONGEST: i64 = 100 * 366 * 86_400;

/// From a second on, and before another one: seconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Span {
    pub(super) from: Option<i64>,
    pub(super) to: Option<i64>,
    /// Instead of these: so much before now.
    pub(super) range: Option<Range>,
}

/// How many seconds before now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Range(i64);

impl Range {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let unit = text.chars().last()?;
        let (_, seconds) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        let digits = text.get(..text.len() - 1)?;
        let count = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<i64>().ok()).flatten()?;
        count.checked_mul(seconds).filter(|all| (1..=LONGEST).contains(all)).map(Self)
    }

    pub(super) const fn seconds(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, seconds) = UNITS.into_iter().find(|(_, seconds)| self.0 % seconds == 0).unwrap_or(('s', 1));
        write!(f, "{}{name}", self.0 / seconds)
    }
}

impl Span {
    pub(super) fn is_all(self) -> bool {
        self == Self::default()
    }

    /// The first second, and the one behind the last, as it is now.
    pub(super) fn bounds(self, now: i64) -> (Option<i64>, Option<i64>) {
        match self.range {
            Some(range) => (Some((now - range.seconds()).max(0)), None),
            None => (self.from, self.to),
        }
    }

    pub(super) fn append(self, parts: &mut Serializer<'_, String>) {
        if let Some(range) = self.range {
            parts.append_pair("range", &range.to_string());
            return;
        }
        for (name, second) in [("from", self.from), ("to", self.to)] {
            if let Some(second) = second {
                parts.append_pair(name, &second.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_and_written_back() {
        for (text, seconds, back) in
            [("6h", 21_600, "6h"), ("90m", 5_400, "90m"), ("24h", 86_400, "1d"), ("7d", 604_800, "1w"), ("1s", 1, "1s")]
        {
            let range = Range::parse(text).unwrap();
            assert_eq!((range.seconds(), range.to_string().as_str()), (seconds, back));
        }
        for text in ["", "h", "0h", "-1h", "1y", "6", "1.5h", "99999999999999999999w", "5é", "+5h"] {
            assert_eq!(Range::parse(text), None, "{text}");
        }
        let span = Span { range: Range::parse("1h"), ..Span::default() };
        assert_eq!((span.bounds(7_200), span.bounds(5)), ((Some(3_600), None), (Some(0), None)));
    }
}
