//! Texts of more digits than a double holds.

use core::fmt::{self, Write as _};
use core::str;

/// The double nearest to the number that `text` is, its point moved by `shift` to the right; `text` is
/// `[ sign ] 1*DIGIT-and-dot [ exponent ]`. Linear in it, on the stack.
#[cold]
pub(super) fn shifted(text: &[u8], shift: i32) -> f64 {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let end = text.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(text.len());
    let (exponent, _) = super::exponent(text, end);
    let mut digits = Digits { bytes: [0; ROOM], len: 0, exponent: exponent + i64::from(shift), is_fraction: false };
    for byte in text.get(..end).unwrap_or_default() {
        digits.push(*byte);
    }
    super::signed(digits.number(), negative)
}

/// No more digits than these can decide to which side a double is rounded; of others it only matters whether all are zero.
const MOST: usize = 780;
/// One more digit and an exponent.
const ROOM: usize = MOST + 32;

struct Digits {
    bytes: [u8; ROOM],
    len: usize,
    /// Of the last digit.
    exponent: i64,
    is_fraction: bool,
}

impl Digits {
    fn push(&mut self, byte: u8) {
        if byte == b'.' {
            self.is_fraction = true;
            return;
        }
        let is_kept = self.len < MOST && (self.len > 0 || byte != b'0');
        if is_kept {
            self.put(byte);
        } else if self.len == MOST && byte != b'0' {
            // The number lies above what is kept, and that is all there is to know: one digit says so.
            self.put(b'1');
            self.exponent -= 1;
        }
        match (self.is_fraction, is_kept) {
            (true, true) => self.exponent -= 1,
            (false, false) if self.len > 0 => self.exponent += 1,
            (true, false) if self.len == 0 => self.exponent -= 1,
            _ => {}
        }
    }

    fn put(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = byte;
            self.len += 1;
        }
    }

    fn number(mut self) -> f64 {
        if self.len == 0 {
            return 0.0;
        }
        let exponent = self.exponent;
        let text = write!(self, "e{exponent}").ok().and_then(|()| str::from_utf8(self.bytes.get(..self.len)?).ok());
        text.and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
    }
}

impl fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.put(byte));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_beyond_all_doubles_count_by_being_there() {
        // Half way between 1 and its neighbour, and a little more a thousand digits on.
        let half = "1.00000000000000011102230246251565404236316680908203125";
        let above = std::format!("{half}{}1", "0".repeat(1_000));
        for text in [half, &above, &std::format!("{half}{}", "0".repeat(1_000))] {
            for shift in [3, -3, -6] {
                let wanted: f64 = std::format!("{text}e{shift}").parse().unwrap();
                assert_eq!(shifted(text.as_bytes(), shift), wanted, "{text} by {shift}");
            }
        }
        assert_eq!(shifted(half.as_bytes(), 0), 1.0);
        assert!(shifted(above.as_bytes(), 0) > 1.0);
    }

    #[test]
    fn zeros_in_front_and_behind_count() {
        for text in ["0", "0.000", "00012", "0.00012", "12000", "1.2e5", "-7", "+0.5E-3", ".5", "5."] {
            for shift in [3, -3, -6] {
                let exponent = text.find(['e', 'E']);
                let (digits, exponent) = text.split_at(exponent.unwrap_or(text.len()));
                let exponent: i32 = exponent.get(1..).unwrap_or("0").parse().unwrap_or_default();
                let wanted: f64 = std::format!("{digits}e{}", exponent + shift).parse().unwrap();
                assert_eq!(shifted(text.as_bytes(), shift), wanted, "{text} by {shift}");
            }
        }
        let long = std::format!("{}1{}", "0".repeat(900), "0".repeat(900));
        assert!(shifted(long.as_bytes(), 3).is_infinite());
        let long = std::format!("0.{}1", "0".repeat(300));
        assert_eq!(shifted(long.as_bytes(), 3), 1e-298);
    }
}
