//! Numbers for machines (JSON) and for people (the table).

use serde_json::Value;

/// A JSON number, whole when it is whole.
pub fn json(number: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    if number % 1.0 == 0.0 && number.abs() <= EXACT { Value::from(number as i64) } else { Value::from(number) }
}

/// A number with its unit, short: `1.24 s`, `512.0 MB`, `3,120`.
pub fn human(number: f64, unit: &str) -> String {
    match unit {
        "ms" if number.abs() >= 60_000.0 => format!("{} s", plain(number / 1_000.0)),
        "ms" => format!("{} ms", plain(number)),
        "bytes" => {
            const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
            let (mut scaled, mut index) = (number, 0);
            while scaled.abs() >= 1024.0 && index + 1 < UNITS.len() {
                scaled /= 1024.0;
                index += 1;
            }
            format!("{} {}", plain(scaled), UNITS[index])
        }
        "" => plain(number),
        "%" => format!("{}%", plain(number)),
        other => format!("{} {}", plain(number), crate::escape::Escaped(other)),
    }
}

/// Four significant digits, thousands apart.
fn plain(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let size = number.abs();
    if !(1e-4..1e15).contains(&size) {
        return format!("{number:.3e}");
    }
    let before = size.log10().floor() as i32 + 1;
    let decimals = (4 - before).clamp(0, 7) as usize;
    let sign = if number < 0.0 { "-" } else { "" };
    format!("{sign}{}", grouped(&format!("{size:.decimals$}"), ','))
}

/// The digits of a number without a sign, thousands apart, and without the noughts that end it behind the point.
pub fn grouped(digits: &str, apart: char) -> String {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut out = String::with_capacity(digits.len() + 8);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(apart);
        }
        out.push(digit);
    }
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_short_numbers() {
        for (number, unit, text) in [
            (200.0, "ms", "200 ms"),
            (0.25, "ms", "0.25 ms"),
            (61_000.0, "ms", "61 s"),
            (42_886_758.4, "bytes", "40.9 MB"),
            (3_120.0, "", "3,120"),
            (1_234_567.0, "", "1,234,567"),
            (-5.5, "", "-5.5"),
            (0.99814, "", "0.9981"),
            (80_522.0, "pages", "80,522 pages"),
            (1e-9, "", "1.000e-9"),
            (0.0, "", "0"),
        ] {
            assert_eq!(human(number, unit), text);
        }
    }

    #[test]
    fn whole_numbers_are_whole_in_json() {
        assert_eq!(json(200.0).to_string(), "200");
        assert_eq!(json(0.5).to_string(), "0.5");
        assert_eq!(json(1e300).to_string(), "1e+300");
    }
}
