use heroku_router::FieldRefusalKind;
use logfmt_metrics::{NumberErrorKind, RefusalKind};
use std::fmt;

/// Why a value or a tag of a line was not taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Why {
    /// A metric without a value: `count#a`, `count#a=`.
    NoValue,
    /// The value does not begin with a number.
    NotANumber,
    /// Too large for a double, as written or in its regular unit.
    NotFinite,
    /// Too large for the field, or a number the field cannot hold.
    OutOfRange,
    /// A count below zero.
    NegativeCount,
    /// A unit of a shape that is not known, or not the unit of this native metric.
    BadUnit,
    /// A metric name outside `A-Za-z0-9_.:/-`, or empty.
    BadName,
    /// A metric name over 255 bytes.
    NameTooLong,
    /// A name under `heroku.`, which an app may not use.
    ReservedName,
    /// An empty tag key, or one with control characters.
    BadTagKey,
    /// A tag key over 64 bytes.
    TagKeyTooLong,
    /// An empty tag value.
    BadTagValue,
    /// A tag value over 255 bytes.
    TagValueTooLong,
    /// More than 50 tags in a line.
    TooManyTags,
    /// Not UTF-8 where text is needed.
    NotUtf8,
    /// A quote that the end of the line closes.
    UnterminatedQuote,
    /// A `status` that is not three digits.
    BadStatus,
    /// The frame has no timestamp (NILVALUE), so the value belongs to no window.
    NoTimestamp,
    /// The line ends in the middle of it: what there is may be a part of the value.
    Cut,
    /// It stands in a quoted text, which may be a client's.
    Quoted,
    /// It stands in the middle of a word or of another notation.
    Misplaced,
    /// A reason of a newer version of the reading crates, which this one has no name for.
    Other,
}

impl Why {
    /// All reasons, in the order of the ledger. Snapshots keep their numbers in this order: new ones go to the end.
    pub(crate) const ALL: [Self; 22] = [
        Self::NoValue,
        Self::NotANumber,
        Self::NotFinite,
        Self::OutOfRange,
        Self::NegativeCount,
        Self::BadUnit,
        Self::BadName,
        Self::NameTooLong,
        Self::ReservedName,
        Self::BadTagKey,
        Self::TagKeyTooLong,
        Self::BadTagValue,
        Self::TagValueTooLong,
        Self::TooManyTags,
        Self::NotUtf8,
        Self::UnterminatedQuote,
        Self::BadStatus,
        Self::NoTimestamp,
        Self::Cut,
        Self::Quoted,
        Self::Misplaced,
        Self::Other,
    ];

    /// The name in snake_case, as `logdrain` prints it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::NoValue => "no_value",
            Self::NotANumber => "not_a_number",
            Self::NotFinite => "not_finite",
            Self::OutOfRange => "out_of_range",
            Self::NegativeCount => "negative_count",
            Self::BadUnit => "bad_unit",
            Self::BadName => "bad_name",
            Self::NameTooLong => "name_too_long",
            Self::ReservedName => "reserved_name",
            Self::BadTagKey => "bad_tag_key",
            Self::TagKeyTooLong => "tag_key_too_long",
            Self::BadTagValue => "bad_tag_value",
            Self::TagValueTooLong => "tag_value_too_long",
            Self::TooManyTags => "too_many_tags",
            Self::NotUtf8 => "not_utf8",
            Self::UnterminatedQuote => "unterminated_quote",
            Self::BadStatus => "bad_status",
            Self::NoTimestamp => "no_timestamp",
            Self::Cut => "cut",
            Self::Quoted => "quoted",
            Self::Misplaced => "misplaced",
            Self::Other => "other",
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// The reason of this name. The crates that read call theirs the same, so that one which is new there is found here
    /// without a list to keep, and one that is missing here is told apart from all others.
    fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name).unwrap_or(Self::Other)
    }

    #[cold]
    pub(crate) fn of_metric(kind: RefusalKind) -> Self {
        Self::named(kind.as_str())
    }

    #[cold]
    pub(crate) fn of_number(kind: NumberErrorKind) -> Self {
        match kind {
            NumberErrorKind::Empty => Self::NoValue,
            kind => Self::named(kind.as_str()),
        }
    }

    #[cold]
    pub(crate) fn of_field(kind: FieldRefusalKind) -> Self {
        match kind {
            // Fields that no metric needs: what stands there is not what is written there.
            FieldRefusalKind::BadCode | FieldRefusalKind::BadFlag => Self::NotANumber,
            kind => Self::named(kind.as_str()),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoValue => "no value",
            Self::NotANumber => "not a number",
            Self::NotFinite => "beyond the largest double",
            Self::OutOfRange => "number out of range",
            Self::NegativeCount => "count below zero",
            Self::BadUnit => "unit that is not known",
            Self::BadName => "metric name empty or not of A-Za-z0-9_.:/-",
            Self::NameTooLong => "metric name over 255 bytes",
            Self::ReservedName => "metric name of the platform",
            Self::BadTagKey => "tag key empty or with control characters",
            Self::TagKeyTooLong => "tag key over 64 bytes",
            Self::BadTagValue => "tag value empty or with a double quote",
            Self::TagValueTooLong => "tag value over 255 bytes",
            Self::TooManyTags => "more than 50 tags",
            Self::NotUtf8 => "not UTF-8",
            Self::UnterminatedQuote => "closing quote missing",
            Self::BadStatus => "not a status of three digits",
            Self::NoTimestamp => "frame without a timestamp",
            Self::Cut => "line ends in the middle of it",
            Self::Quoted => "in a quoted text",
            Self::Misplaced => "in the middle of a word",
            Self::Other => "refused for a reason without a name here",
        })
    }
}

/// Why a value or a tag of a line was not taken: a name and a text, the names those of the [books](crate::Ledger::entries).
///
/// | name | why |
/// |---|---|
/// | `no_value` | A metric without a value: `count#a`, `count#a=` |
/// | `not_a_number` | The value does not begin with a number |
/// | `not_finite` | Too large for a double, as written or in its regular unit |
/// | `out_of_range` | Too large for the field, or a number the field cannot hold |
/// | `negative_count` | A count below zero |
/// | `bad_unit` | A unit of a shape that is not known, or not the unit of this native metric |
/// | `bad_name` | A metric name outside `A-Za-z0-9_.:/-`, or empty |
/// | `name_too_long` | A metric name over 255 bytes |
/// | `reserved_name` | A name under `heroku.`, which an app may not use |
/// | `bad_tag_key` | An empty tag key, or one with control characters |
/// | `tag_key_too_long` | A tag key over 64 bytes |
/// | `bad_tag_value` | An empty tag value |
/// | `tag_value_too_long` | A tag value over 255 bytes |
/// | `too_many_tags` | More than 50 tags in a line |
/// | `not_utf8` | Not UTF-8 where text is needed |
/// | `unterminated_quote` | A quote that the end of the line closes |
/// | `bad_status` | A `status` that is not three digits |
/// | `no_timestamp` | The frame has no timestamp (NILVALUE), so the value belongs to no window |
/// | `cut` | The line ends in the middle of it: what there is may be a part of the value |
/// | `quoted` | It stands in a quoted text, which may be a client's |
/// | `misplaced` | It stands in the middle of a word or of another notation |
/// | `other` | A reason of a newer version of the reading crates, which this one has no name for |
///
/// ```
/// use heroku_metrics::Reason;
/// assert!(Reason::ALL.iter().any(|reason| reason.as_str() == "not_a_number"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Reason(Why);

impl Reason {
    /// All reasons, in the order of the ledger.
    pub const ALL: [Self; Why::ALL.len()] = {
        let (mut all, mut at) = ([Self(Why::Other); Why::ALL.len()], 0);
        while at < all.len() {
            all[at] = Self(Why::ALL[at]);
            at += 1;
        }
        all
    };

    /// The name in snake_case, as `logdrain` prints it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0.as_str()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a refusal cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// One value: an observation that was not made.
    Value,
    /// One tag: the observations of the line stand without it.
    Tag,
    /// A field of a router line that no metric needs.
    Field,
}

impl Part {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Tag => "tag",
            Self::Field => "field",
        }
    }
}

/// One value, tag or field that was not taken; the rest of its line was.
///
/// ```
/// use heroku_metrics::{Extractor, ExtractorConfig, LineRefusal, model::Record};
/// use heroku_metrics::syslog::{Dialect, Frame};
///
/// let frame = Frame::parse(b"<190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1 measure#b=x", Dialect::Logplex)?;
/// let mut refused = Vec::new();
/// Extractor::new(ExtractorConfig::new()).read(&frame, &mut (|_: &Record<'_>| (), |refusal: &LineRefusal| refused.push(*refusal)));
/// assert_eq!(refused[0].reason().as_str(), "not_a_number");
/// assert_eq!(refused[0].text(frame.message()), b"measure#b=x");
/// # Ok::<(), heroku_metrics::syslog::FrameError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineRefusal {
    why: Why,
    part: Part,
    offset: usize,
    len: usize,
}

impl LineRefusal {
    pub(crate) const fn new(why: Why, part: Part, offset: usize, len: usize) -> Self {
        Self { why, part, offset, len }
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        Reason(self.why)
    }

    pub(crate) const fn why(&self) -> (Why, Part) {
        (self.why, self.part)
    }

    /// What it cost: a `value`, an observation that was not made; a `tag`, without which the observations of the line stand; or
    /// a `field` of a router line that no metric needs.
    #[must_use]
    pub const fn part(&self) -> &'static str {
        self.part.as_str()
    }

    /// Where the refused text begins, in bytes from the start of MSG.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The refused text, cut out of the MSG it was found in.
    ///
    /// ```
    /// # use heroku_metrics::{Extractor, ExtractorConfig, LineRefusal, model::Record, syslog::{Dialect, Frame}};
    /// let frame = Frame::parse(b"<190>1 2026-03-14T09:26:53Z host app web.1 - count#a=x", Dialect::Logplex)?;
    /// Extractor::new(ExtractorConfig::new())
    ///     .read(&frame, &mut (|_: &Record<'_>| (), |refusal: &LineRefusal| assert_eq!(refusal.text(frame.message()), b"count#a=x")));
    /// # Ok::<(), heroku_metrics::syslog::FrameError>(())
    /// ```
    #[must_use]
    pub fn text<'a>(&self, message: &'a [u8]) -> &'a [u8] {
        message.get(self.offset..self.offset.saturating_add(self.len)).unwrap_or_default()
    }
}

impl fmt::Display for LineRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} refused at byte {} of the line: {}", self.part.as_str(), self.offset, self.why.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_the_reading_crates_has_a_reason() {
        for kind in RefusalKind::ALL {
            assert_eq!(Why::of_metric(*kind).as_str(), kind.as_str());
        }
        for kind in
            [NumberErrorKind::Empty, NumberErrorKind::NotANumber, NumberErrorKind::NotFinite, NumberErrorKind::BadUnit]
        {
            assert_ne!(Why::of_number(kind), Why::Other, "{kind:?}");
        }
        for kind in [
            FieldRefusalKind::NotANumber,
            FieldRefusalKind::OutOfRange,
            FieldRefusalKind::BadUnit,
            FieldRefusalKind::BadStatus,
            FieldRefusalKind::BadCode,
            FieldRefusalKind::BadFlag,
            FieldRefusalKind::UnterminatedQuote,
        ] {
            assert_ne!(Why::of_field(kind), Why::Other, "{kind:?}");
        }
    }

    #[test]
    fn names_are_unique_and_indexes_are_those_of_the_list() {
        for (index, reason) in Why::ALL.into_iter().enumerate() {
            assert_eq!((reason.index(), Why::named(reason.as_str())), (index, reason));
        }
    }
}
