use crate::error::{Fault, FrameErrorKind, Part, out_of_range, unexpected};
use crate::parsed::Parsed;

/// PRI: facility and severity in one number, `facility * 8 + severity`, 0 to 191 (RFC 5424, 6.2.1).
///
/// It is kept for whoever wants to show it. Line kinds moved between values over the years, so nothing in the family
/// classifies by it.
///
/// ```
/// use heroku_syslog::{Dialect, Frame};
///
/// let frame = Frame::parse(b"<158>1 2024-02-03T04:05:06+00:00 host heroku router - at=info", Dialect::Logplex)?;
/// let pri = frame.pri().unwrap();
/// assert_eq!((pri.value(), pri.facility(), pri.severity()), (158, 19, 6));
/// # Ok::<(), heroku_syslog::FrameError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pri(u8);

impl Pri {
    /// From its number; `None` above 191.
    pub(crate) const fn new(value: u8) -> Option<Self> {
        if value <= 191 { Some(Self(value)) } else { None }
    }

    /// From three digits, as numbers.
    #[inline(always)]
    pub(crate) fn of_digits(hundreds: u8, tens: u8, ones: u8) -> Option<Self> {
        let number = u32::from(hundreds) * 100 + u32::from(tens) * 10 + u32::from(ones);
        (number <= 191).then_some(Self(number as u8))
    }

    /// The number, 0 to 191.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0
    }

    /// The facility, 0 to 23; 16 to 23 are local0 to local7.
    #[must_use]
    pub const fn facility(self) -> u8 {
        self.0 / 8
    }

    /// The severity, 0 (emergency) to 7 (debug).
    #[must_use]
    pub const fn severity(self) -> u8 {
        self.0 % 8
    }
}

/// PRI = "<" PRIVAL ">"                                        ; RFC 5424, 6
pub(crate) fn pri(input: &[u8]) -> Result<Parsed<'_, Pri>, Fault> {
    let [b'<', rest @ ..] = input else { return Err(unexpected(FrameErrorKind::BadPri, Part::Pri, input)) };
    let Parsed { value, rest } = prival(rest)?;
    let [b'>', rest @ ..] = rest else { return Err(unexpected(FrameErrorKind::BadPri, Part::Pri, rest)) };
    Ok(Parsed { value, rest })
}

/// PRIVAL = 1*3DIGIT                                           ; range 0 .. 191
fn prival(input: &[u8]) -> Result<Parsed<'_, Pri>, Fault> {
    let mut value = 0_u16;
    let mut rest = input;
    while let ([digit @ b'0'..=b'9', behind @ ..], true) = (rest, input.len() - rest.len() < 3) {
        value = value * 10 + u16::from(digit - b'0');
        rest = behind;
    }
    if rest.len() == input.len() {
        return Err(unexpected(FrameErrorKind::BadPri, Part::Pri, input));
    }
    match u8::try_from(value).ok().and_then(Pri::new) {
        Some(value) => Ok(Parsed { value, rest }),
        None => Err(out_of_range(FrameErrorKind::BadPri, Part::Pri, input)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_one_to_three_digits() {
        for number in 0..=999_u16 {
            let text = alloc::format!("<{number}>1");
            match pri(text.as_bytes()) {
                Ok(Parsed { value, rest }) => assert_eq!((u16::from(value.value()), rest), (number, &b"1"[..])),
                Err(fault) => {
                    assert!(number > 191);
                    assert_eq!(fault.in_input_of(text.len()).offset(), 1);
                }
            }
        }
    }

    #[test]
    fn faults_point_at_the_byte() {
        for (text, at) in [
            ("", 0),
            ("13>1", 0),
            ("<", 1),
            ("<>", 1),
            ("<a>", 1),
            ("<1 3>", 2),
            ("<13", 3),
            ("<1000>", 4),
            ("<-1>", 1),
        ] {
            let error = pri(text.as_bytes()).unwrap_err().in_input_of(text.len());
            assert_eq!((error.kind(), error.offset()), (FrameErrorKind::BadPri, at), "{text}");
        }
    }

    #[test]
    fn leading_zeros_are_within_the_grammar() {
        assert_eq!(pri(b"<007>").unwrap().value, Pri(7));
        assert_eq!(pri(b"<00>").unwrap().value, Pri(0));
    }
}
