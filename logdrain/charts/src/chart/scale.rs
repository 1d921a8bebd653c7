//! The axis of values: one unit for all of it, and ticks at round numbers of that unit.

use logdrain_terms::number::grouped;

/// How the values of one chart are written.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scale<'a> {
    /// A value divided by this is a number of the unit that is shown.
    pub divisor: f64,
    /// What stands behind a number, with its blank: ` ms`, ` MB/min`; nothing for counts.
    unit: &'a str,
    word: &'a str,
    rate: &'a str,
    is_binary: bool,
}

const TIMES: [(f64, &str); 5] = [(1e-3, "µs"), (1.0, "ms"), (1e3, "s"), (6e4, "min"), (3.6e6, "h")];
const BYTES: [(f64, &str); 5] =
    [(1.0, "B"), (1024.0, "kB"), (1_048_576.0, "MB"), (1_073_741_824.0, "GB"), (1_099_511_627_776.0, "TB")];
const COUNTS: [(f64, &str); 4] = [(1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G")];

impl<'a> Scale<'a> {
    /// For values of `unit` up to `top`.
    pub fn new(unit: &'a str, top: f64) -> Self {
        let top = top.abs();
        let (base, rate) = unit.strip_suffix("/min").map_or((unit, ""), |base| (base, "/min"));
        // The largest unit of which there are enough.
        let largest = |units: &[(f64, &'static str)], enough: fn(&str) -> f64| {
            units.iter().rev().find(|(divisor, name)| top >= divisor * enough(name)).or(units.first()).copied()
        };
        let (divisor, word, is_binary) = match base {
            "ms" => {
                let enough = |name: &str| {
                    if matches!(name, "min" | "h") {
                        10.0
                    } else if name == "ms" {
                        0.1
                    } else {
                        2.0
                    }
                };
                let found = if top == 0.0 { None } else { largest(&TIMES, enough) };
                found.map_or((1.0, "ms", false), |(divisor, word)| (divisor, word, false))
            }
            "bytes" => largest(&BYTES, |_| 4.0).map_or((1.0, "B", true), |(divisor, word)| (divisor, word, true)),
            "%" => (1.0, "%", false),
            _ => {
                let enough = |name: &str| if name == "k" { 20.0 } else { 2.0 };
                let (divisor, word) = largest(&COUNTS, enough).unwrap_or((1.0, ""));
                // A word of somebody else's is written behind the number.
                return Self { divisor, word, unit: base, rate, is_binary: false };
            }
        };
        Self { divisor, word, unit: "", rate, is_binary }
    }

    /// The distance of ticks, in the unit shown, for about `count` of them over `span`: 1, 2, 2.5 or 5 times a power of ten,
    /// or a power of two.
    fn tick(self, span: f64, count: f64) -> f64 {
        let rough = span / self.divisor / count;
        if self.is_binary && rough > 1.0 {
            return 2_f64.powf(rough.log2().ceil());
        }
        let power = 10_f64.powf(rough.log10().floor());
        let found = [1.0, 2.0, 2.5, 5.0].into_iter().map(|digit| digit * power).find(|step| *step >= rough * 0.999);
        found.unwrap_or(10.0 * power)
    }

    /// The number alone, three digits of it, or all before the point.
    pub fn number(self, value: f64) -> String {
        number(value / self.divisor)
    }

    /// What stands behind a number.
    pub fn suffix(self) -> String {
        let word = [self.word, self.unit].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        match (word.is_empty(), self.rate) {
            (true, "") => String::new(),
            (_, rate) => format!(" {word}{rate}"),
        }
    }

    /// A number as it stands beside an axis: with its unit if that is a short one, and with no rate.
    pub(super) fn label(self, value: f64) -> String {
        let blank = if self.word.is_empty() { "" } else { " " };
        format!("{}{blank}{}", self.number(value), self.word)
    }

    /// A number with its unit: `1.24 s`, `512 MB`, `3 120`.
    pub fn amount(self, value: f64) -> String {
        format!("{}{}", self.number(value), super::text::shown(&self.suffix(), 24))
    }
}

/// One value by itself, in the unit that suits it.
pub fn amount(value: f64, unit: &str) -> String {
    Scale::new(unit, value).amount(value)
}

/// Three digits, or all before the point, thousands apart by thin blanks that do not break.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || !size.is_finite() {
        return "0".to_owned();
    }
    if !(1e-6..1e15).contains(&size) {
        return format!("{value:.2e}").replace('-', "\u{2212}");
    }
    // Shares near the whole are told apart by what is missing.
    let digits = if size > 99.0 && size < 100.0 { 3 } else { 2 };
    let places = (digits - size.log10().floor() as i32).clamp(0, 8) as usize;
    let sign = if value < 0.0 { "\u{2212}" } else { "" };
    format!("{sign}{}", grouped(&format!("{size:.places$}"), '\u{202f}'))
}

/// From where to where the values of a chart go, and its ticks.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<f64>,
}

impl Range {
    /// Round ends around all from `low` to `high`, with about `count` ticks; of values that are `whole`, no tick is a part.
    pub(super) fn around(low: f64, high: f64, axis: super::Axis, (unit, whole): (&str, bool), count: f64) -> Self {
        // Halves of the largest numbers, so that no difference is infinite.
        const LARGEST: f64 = f64::MAX / 8.0;
        let clamped = |value: f64| value.clamp(-LARGEST, LARGEST);
        let least = axis.min.filter(|min| min.is_finite()).map_or(low.min(0.0), |min| min.min(low));
        let greatest = axis.max.filter(|max| max.is_finite()).map_or(high, |max| max.max(high));
        let (low, mut high) = (clamped(least), clamped(greatest));
        // Where all is the same, or too near to be told apart.
        let floor = (low.abs().max(high.abs()) * 1e-9).max(1e-9);
        if high - low < floor {
            high = low + if low == 0.0 && high == 0.0 { 1.0 } else { floor };
        }
        let scale = Scale::new(unit, high.abs().max(low.abs()));
        let step = scale.tick(high - low, count) * scale.divisor;
        let step = [1.0, 2.0, 5.0].into_iter().find(|part| whole && *part >= step).unwrap_or(step);
        let is_fixed = |bound: Option<f64>, end: f64| bound == Some(end);
        let down = if is_fixed(axis.min, low) { low } else { (low / step + 1e-9).floor() * step };
        let up = if is_fixed(axis.max, high) { high } else { (high / step - 1e-9).ceil() * step };
        let (down, up) = (down.min(low), up.max(high));
        let first = (down / step - 1e-9).ceil();
        let ticks = (0..16).map(|index| (first + f64::from(index)) * step).take_while(|tick| *tick <= up + step * 1e-6);
        // -0 is written as 0.
        Self { low: down, high: up, ticks: ticks.map(|tick| tick + 0.0).collect() }
    }

    /// How far from the top a value stands, in tenths of pixels of `height`.
    pub(super) fn tenths(&self, value: f64, height: u32) -> i64 {
        let share = (value - self.low) / (self.high - self.low);
        ((1.0 - share).clamp(0.0, 1.0) * f64::from(height) * 10.0).round() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::Axis;

    fn labels(unit: &str, low: f64, high: f64) -> Vec<String> {
        let range = Range::around(low, high, Axis::default(), (unit, false), if unit == "bytes" { 5.5 } else { 4.0 });
        let scale = Scale::new(unit, range.high);
        range.ticks.iter().map(|tick| scale.label(*tick)).collect()
    }

    #[test]
    fn an_axis_speaks_one_unit_at_round_numbers() {
        for (unit, high, expected) in [
            ("ms", 634.0, "0 ms|200 ms|400 ms|600 ms|800 ms"),
            ("ms", 12_400.0, "0 s|5 s|10 s|15 s"),
            ("ms", 0.03, "0 µs|10 µs|20 µs|30 µs"),
            ("ms", 1_900_000.0, "0 min|10 min|20 min|30 min|40 min"),
            ("bytes", 600.0 * 1_048_576.0, "0 MB|128 MB|256 MB|384 MB|512 MB|640 MB"),
            ("bytes", 3.7 * 1_073_741_824.0, "0 GB|1 GB|2 GB|3 GB|4 GB"),
            ("bytes", 40.0 * 1_073_741_824.0, "0 GB|8 GB|16 GB|24 GB|32 GB|40 GB"),
            ("bytes", 1.0, "0 B|0.2 B|0.4 B|0.6 B|0.8 B|1 B"),
            ("", 1_240.0, "0|500|1\u{202f}000|1\u{202f}500"),
            ("", 86_000.0, "0 k|25 k|50 k|75 k|100 k"),
            ("", 3_100_000.0, "0 M|1 M|2 M|3 M|4 M"),
            ("/min", 900.0, "0|250|500|750|1\u{202f}000"),
            ("%", 100.0, "0 %|25 %|50 %|75 %|100 %"),
            ("pages", 30_000.0, "0 k|10 k|20 k|30 k"),
            ("", 0.0, "0|0.25|0.5|0.75|1"),
            ("", 0.83, "0|0.25|0.5|0.75|1"),
        ] {
            assert_eq!(labels(unit, 0.0, high).join("|"), expected, "{unit} {high}");
        }
        for (high, ticks) in [(1.0, vec![0.0, 1.0]), (3.0, vec![0.0, 1.0, 2.0, 3.0]), (9.0, vec![0.0, 5.0, 10.0])] {
            assert_eq!(Range::around(0.0, high, Axis::default(), ("", true), 4.0).ticks, ticks);
        }
        assert_eq!(labels("", -30.0, 55.0).join("|"), "\u{2212}50|\u{2212}25|0|25|50|75");
    }

    #[test]
    fn an_axis_of_its_own_begins_where_it_is_told_or_lower() {
        let axis = Axis { min: Some(90.0), max: Some(100.0) };
        let range = Range::around(91.4, 100.0, axis, ("%", false), 4.0);
        assert_eq!((range.low, range.high, range.ticks), (90.0, 100.0, vec![90.0, 92.5, 95.0, 97.5, 100.0]));
        let range = Range::around(61.4, 100.0, axis, ("%", false), 4.0);
        assert_eq!((range.low, range.high), (60.0, 100.0));
    }

    #[test]
    fn no_value_breaks_an_axis() {
        let values = [0.0, -0.0, 5e-324, 1e-300, 1e-9, 1.0, 99.99, 1e15, 1e300, f64::MAX];
        for unit in ["", "ms", "bytes", "%", "/min", "bytes/min", "x"] {
            for high in values {
                for low in values.into_iter().chain(values.map(|value| -value)) {
                    let (low, high) = (low.min(high), high.max(low));
                    let range = Range::around(low, high, Axis::default(), (unit, false), 4.0);
                    assert!(range.low.is_finite() && range.high.is_finite() && range.low < range.high, "{low} {high}");
                    assert!((1..=16).contains(&range.ticks.len()), "{unit} {low} {high}: {range:?}");
                    for value in [low, high, range.low, range.high] {
                        assert!((0..=1680).contains(&range.tenths(value, 168)), "{unit} {low} {high} {value}");
                    }
                }
            }
        }
    }

    #[test]
    fn people_read_three_digits() {
        for (value, text) in [
            (39.44, "39.4"),
            (186.2, "186"),
            (1_872.0, "1\u{202f}872"),
            (0.583, "0.583"),
            (99.384, "99.38"),
            (0.003, "0.003"),
            (-5.5, "\u{2212}5.5"),
            (1_234_567.0, "1\u{202f}234\u{202f}567"),
            (1e-9, "1.00e\u{2212}9"),
            (f64::NAN, "0"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(amount(2_480.0, "ms"), "2.48 s");
        assert_eq!(amount(536_870_912.0, "bytes"), "512 MB");
        assert_eq!(amount(f64::MIN_POSITIVE, "ms"), "2.23e\u{2212}305 µs");
    }
}
