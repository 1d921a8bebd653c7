use crate::decimal::shift;
use core::fmt;
use core::hash::{Hash, Hasher};

/// The unit of a value, as written on the line: `ms`, `kB`, `pages`, or nothing.
///
/// A unit is its text; two values have the same unit when the texts are equal. [`Value::regular`] turns the many ways
/// of writing a time or an amount of data into one.
///
/// ```
/// use metric_model::Unit;
///
/// assert_eq!(Unit::new("ms"), Unit::MILLISECONDS);
/// assert_eq!(Unit::new("bottles").as_str(), "bottles");
/// assert_eq!(Unit::NONE, Unit::new(""));
/// ```
#[derive(Clone, Copy, Eq, PartialOrd, Ord, Default)]
pub struct Unit<'a>(&'a str);

impl<'a> Unit<'a> {
    /// No unit at all: a plain number.
    pub const NONE: Unit<'static> = Unit("");
    /// `ms`, the regular unit of time.
    pub const MILLISECONDS: Unit<'static> = Unit("ms");
    /// `bytes`, the regular unit of data.
    pub const BYTES: Unit<'static> = Unit("bytes");
    /// `pages`, as the dyno runtime writes page-in and page-out counters.
    pub const PAGES: Unit<'static> = Unit("pages");

    /// A unit of this text. Any text is taken; a parser decides which shapes it accepts.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The text of the unit; empty for a plain number.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The regular unit and what leads to it.
    ///
    /// Data counts by 1024, as Heroku's own quotas do (`memory_quota=512.00MB` is 536,870,912 bytes). `m` and `h` stay
    /// as written: they mean minutes, metres, hours and more.
    #[inline]
    const fn factor(self) -> (Unit<'a>, Factor) {
        const K: f64 = 1024.0;
        // As bytes and not as text: the compiler tells them apart by length first, and calls nothing to compare.
        match self.0.as_bytes() {
            b"ns" => (Unit::MILLISECONDS, Factor::Shift(-6)),
            b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => (Unit::MILLISECONDS, Factor::Shift(-3)),
            b"ms" => (Unit::MILLISECONDS, Factor::Times(1.0)),
            b"s" => (Unit::MILLISECONDS, Factor::Shift(3)),
            b"B" | b"bytes" => (Unit::BYTES, Factor::Times(1.0)),
            b"kB" | b"KB" | b"KiB" => (Unit::BYTES, Factor::Times(K)),
            b"MB" | b"MiB" => (Unit::BYTES, Factor::Times(K * K)),
            b"GB" | b"GiB" => (Unit::BYTES, Factor::Times(K * K * K)),
            b"TB" | b"TiB" => (Unit::BYTES, Factor::Times(K * K * K * K)),
            _ => (self, Factor::Times(1.0)),
        }
    }

    /// By how many digits the decimal point moves on the way to the regular unit: 3 for `s`, -3 for `us`, -6 for `ns`.
    /// `None` if it does not move. The factors of data are powers of two, which do not move it.
    ///
    /// ```
    /// use metric_model::Unit;
    /// assert_eq!(Unit::new("s").decimal_shift(), Some(3));
    /// assert_eq!((Unit::MILLISECONDS.decimal_shift(), Unit::new("kB").decimal_shift()), (None, None));
    /// ```
    #[must_use]
    pub const fn decimal_shift(self) -> Option<i32> {
        match self.factor() {
            (_, Factor::Shift(digits)) => Some(digits),
            _ => None,
        }
    }
}

/// What leads to the regular unit.
#[derive(Clone, Copy)]
enum Factor {
    /// A power of two: the product is exact.
    Times(f64),
    /// A power of ten, by which digits move.
    Shift(i32),
}

impl PartialEq for Unit<'_> {
    /// Most values of a log have no unit, and comparing two empty strings is slow where `memcmp` uses masked loads: the
    /// address of an empty string need not be mapped, and each such load costs hundreds of cycles. Most other units are one
    /// constant, which has one address.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && (self.0.is_empty() || core::ptr::eq(self.0, other.0) || self.0 == other.0)
    }
}

impl Hash for Unit<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for Unit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unit({:?})", self.0)
    }
}

impl fmt::Display for Unit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A number with its unit.
///
/// ```
/// use metric_model::{Unit, Value};
///
/// let size = Value::new(40.9, Unit::new("MB"));
/// assert_eq!(size.regular(), Value::new(42_886_758.4, Unit::BYTES));
/// assert_eq!(Value::new(3.0, Unit::new("h")).regular().unit().as_str(), "h");
/// ```
#[derive(Clone, Copy)]
pub struct Value<'a> {
    number: f64,
    unit: Unit<'a>,
    /// The number in the regular unit, if a text had more digits than `number` holds; else NaN.
    regular: f64,
}

impl PartialEq for Value<'_> {
    /// Number and unit.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number && self.unit == other.unit
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("number", &self.number).field("unit", &self.unit).finish()
    }
}

impl<'a> Value<'a> {
    /// A number in a unit.
    #[inline]
    #[must_use]
    pub const fn new(number: f64, unit: Unit<'a>) -> Self {
        Self { number, unit, regular: f64::NAN }
    }

    /// The same value, when its text has more digits than a double holds: in the regular unit it is `regular`.
    ///
    /// For readers of text. The double nearest to `1.00500000000000001` seconds and the one nearest to as many milliseconds
    /// are rounded separately; a reader that has the digits rounds each only once.
    ///
    /// ```
    /// use metric_model::{Unit, Value};
    /// let value = Value::new(1.005, Unit::new("s")).with_regular(1005.0);
    /// assert_eq!(value.regular(), Value::new(1005.0, Unit::MILLISECONDS));
    /// ```
    #[must_use]
    pub const fn with_regular(self, regular: f64) -> Self {
        Self { regular, ..self }
    }

    /// A plain number.
    #[must_use]
    pub const fn plain(number: f64) -> Self {
        Self::new(number, Unit::NONE)
    }

    /// The number, in [`unit`](Self::unit).
    #[must_use]
    pub const fn number(self) -> f64 {
        self.number
    }

    /// The unit.
    #[must_use]
    pub const fn unit(self) -> Unit<'a> {
        self.unit
    }

    /// The same value in the regular unit: time in `ms`, data in `bytes`, anything else unchanged.
    ///
    /// Time: `ns us µs ms s`. Data, by 1024: `B bytes kB KB KiB MB MiB GB GiB TB TiB`. A finite value stays finite
    /// unless it is within a factor 2^40 of the largest double; callers that refuse infinities test the result.
    ///
    /// Of a time the decimal digits move, so that `1.005s`, `1005ms` and `1005000us` are one number. The digits are the
    /// fewest that tell the number from its neighbours: those of any text of up to 15 digits.
    ///
    /// ```
    /// use metric_model::{Unit, Value};
    ///
    /// assert_eq!(Value::new(1005.0, Unit::new("ms")).regular(), Value::new(1.005, Unit::new("s")).regular());
    /// assert_eq!(Value::new(1.0, Unit::new("us")).regular().number(), 0.001);
    /// ```
    #[inline]
    #[must_use]
    pub fn regular(self) -> Self {
        let (unit, factor) = self.unit.factor();
        let number = match factor {
            Factor::Times(factor) => self.number * factor,
            Factor::Shift(_) if !self.regular.is_nan() => self.regular,
            Factor::Shift(digits) => shift(self.number, digits),
        };
        Self::new(number, unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_regular_unit() {
        for (text, number, unit) in [
            ("ns", 1e-6, "ms"),
            ("us", 1e-3, "ms"),
            ("\u{b5}s", 1e-3, "ms"),
            ("\u{3bc}s", 1e-3, "ms"),
            ("ms", 1.0, "ms"),
            ("s", 1000.0, "ms"),
            ("B", 1.0, "bytes"),
            ("bytes", 1.0, "bytes"),
            ("kB", 1024.0, "bytes"),
            ("KB", 1024.0, "bytes"),
            ("KiB", 1024.0, "bytes"),
            ("MB", 1_048_576.0, "bytes"),
            ("GB", 1_073_741_824.0, "bytes"),
            ("TB", 1_099_511_627_776.0, "bytes"),
            ("m", 1.0, "m"),
            ("h", 1.0, "h"),
            ("Ms", 1.0, "Ms"),
            ("", 1.0, ""),
        ] {
            assert_eq!(Value::new(1.0, Unit::new(text)).regular(), Value::new(number, Unit::new(unit)), "{text}");
        }
    }
}
