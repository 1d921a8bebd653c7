use crate::error::{Fault, FrameErrorKind, Part, unexpected};
use crate::header::invalid_text;
use crate::parsed::Parsed;
use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_while1};
use nom::combinator::{cut, recognize};
use nom::multi::{many0_count, many1_count};
use nom::sequence::{delimited, preceded, separated_pair};
use nom::{IResult, Parser};

/// The STRUCTURED-DATA of a frame: one or more elements in brackets. The NILVALUE is no structured data.
///
/// ```
/// use heroku_syslog::{Dialect, Frame};
///
/// let line = br#"<13>1 2024-02-03T04:05:06Z shuttle app web.1 - [origin ip="192.0.2.7"][note text="a \"b\""] hello"#;
/// let frame = Frame::parse(line, Dialect::Rfc5424)?;
/// let data = frame.structured_data().unwrap();
/// assert_eq!(data.as_str(), r#"[origin ip="192.0.2.7"][note text="a \"b\""]"#);
/// let note = data.elements().nth(1).unwrap();
/// assert_eq!(note.id(), "note");
/// assert_eq!(note.params().next().unwrap().unescaped(), r#"a "b""#);
/// # Ok::<(), heroku_syslog::FrameError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StructuredData<'a> {
    text: &'a str,
}

impl<'a> StructuredData<'a> {
    pub(crate) const fn from_checked(text: &'a str) -> Self {
        Self { text }
    }

    /// All of it as it stands, brackets and escapes included.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// The elements, in order; at least one.
    pub fn elements(&self) -> impl Iterator<Item = SdElement<'a>> + Clone + use<'a> {
        let mut rest = self.text.as_bytes();
        core::iter::from_fn(move || {
            // The text was read by the same rule before, so an error means that nothing is left.
            let (behind, (id, params)) = element(rest).ok()?;
            rest = behind;
            Some(SdElement { id: text(id), params })
        })
    }
}

impl fmt::Debug for StructuredData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.text, f)
    }
}

/// One element, `[SD-ID NAME="VALUE" ...]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SdElement<'a> {
    id: &'a str,
    params: &'a [u8],
}

impl<'a> SdElement<'a> {
    /// SD-ID, such as `origin` or `meta@32473`.
    #[must_use]
    pub const fn id(&self) -> &'a str {
        self.id
    }

    /// The parameters, in order; a name may repeat (RFC 5424, 6.3.3).
    pub fn params(&self) -> impl Iterator<Item = SdParam<'a>> + Clone + use<'a> {
        let mut rest = self.params;
        core::iter::from_fn(move || {
            let (behind, (name, value)) = param(rest).ok()?;
            rest = behind;
            Some(SdParam { name: text(name), value: text(value) })
        })
    }
}

/// One parameter, `NAME="VALUE"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SdParam<'a> {
    name: &'a str,
    value: &'a str,
}

impl<'a> SdParam<'a> {
    /// PARAM-NAME.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// PARAM-VALUE as it stands between the quotes, escapes included.
    #[must_use]
    pub const fn value(&self) -> &'a str {
        self.value
    }

    /// The value with `\"`, `\\` and `\]` undone; borrowed when there is nothing to undo. A backslash in front of
    /// anything else is a backslash (RFC 5424, 6.3.3).
    ///
    /// ```
    /// # use heroku_syslog::{Dialect, Frame};
    /// # let frame = Frame::parse(br#"<13>1 - - - - - [m n="\]\n"]"#, Dialect::Rfc5424)?;
    /// # let param = frame.structured_data().unwrap().elements().next().unwrap().params().next().unwrap();
    /// assert_eq!(param.unescaped(), r"]\n");
    /// # Ok::<(), heroku_syslog::FrameError>(())
    /// ```
    #[must_use]
    pub fn unescaped(&self) -> Cow<'a, str> {
        if !self.value.contains('\\') {
            return Cow::Borrowed(self.value);
        }
        let mut plain = String::with_capacity(self.value.len());
        let mut chars = self.value.chars();
        while let Some(char) = chars.next() {
            let behind = chars.as_str().chars().next();
            match (char, behind) {
                ('\\', Some(escaped @ ('"' | '\\' | ']'))) => {
                    plain.push(escaped);
                    chars.next();
                }
                _ => plain.push(char),
            }
        }
        Cow::Owned(plain)
    }
}

/// STRUCTURED-DATA = NILVALUE / 1*SD-ELEMENT                   ; RFC 5424, 6.3; then SP or the end of input
pub(crate) fn structured_data(input: &[u8]) -> Result<Parsed<'_, Option<StructuredData<'_>>>, Fault> {
    let bad = |rest| unexpected(FrameErrorKind::BadStructuredData, Part::StructuredData, rest);
    let rest = match input {
        [b'-', rest @ ..] => rest,
        _ => match many1_count(element).parse(input) {
            Ok((rest, _)) => rest,
            Err(nom::Err::Error(error) | nom::Err::Failure(error)) => return Err(bad(error.input)),
            Err(nom::Err::Incomplete(_)) => return Err(bad(&input[input.len()..])),
        },
    };
    if !matches!(rest, [] | [b' ', ..]) {
        return Err(bad(rest));
    }
    let read = &input[..input.len() - rest.len()];
    match core::str::from_utf8(read) {
        Ok("-") => Ok(Parsed { value: None, rest }),
        Ok(text) => Ok(Parsed { value: Some(StructuredData { text }), rest }),
        Err(error) => Err(invalid_text(Part::StructuredData, &input[error.valid_up_to()..])),
    }
}

/// SD-ELEMENT = "[" SD-ID *(SP SD-PARAM) "]"
///
/// Behind the bracket every fault is final, so that it points at its byte.
fn element(input: &[u8]) -> IResult<&[u8], (&[u8], &[u8])> {
    delimited(tag("["), cut((name, recognize(many0_count(param)))), cut(tag("]"))).parse(input)
}

/// SP SD-PARAM; SD-PARAM = PARAM-NAME "=" %d34 PARAM-VALUE %d34
fn param(input: &[u8]) -> IResult<&[u8], (&[u8], &[u8])> {
    preceded(tag(" "), cut(separated_pair(name, tag("="), delimited(tag("\""), value, tag("\""))))).parse(input)
}

/// SD-NAME = 1*32PRINTUSASCII                                  ; except '=', SP, ']', %d34 (")
fn name(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while1(|byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'=' | b']' | b'"')).parse(input)
}

/// PARAM-VALUE = UTF-8-STRING                                  ; characters '"', '\' and ']' MUST be escaped
fn value(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let plain = take_while1(|byte: u8| !matches!(byte, b'"' | b'\\' | b']'));
    let escaped = preceded(tag("\\"), take(1_usize));
    recognize(many0_count(alt((plain, escaped)))).parse(input)
}

/// The text of a piece that was cut at ASCII bytes out of a checked `str`, so that it cannot fail.
fn text(piece: &[u8]) -> &str {
    core::str::from_utf8(piece).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str) -> Result<(Option<&str>, &[u8]), u64> {
        match structured_data(input.as_bytes()) {
            Ok(Parsed { value, rest }) => Ok((value.map(|data| data.as_str()), rest)),
            Err(fault) => {
                let error = fault.in_input_of(input.len());
                assert_eq!(error.kind(), FrameErrorKind::BadStructuredData);
                Err(error.offset())
            }
        }
    }

    #[test]
    fn elements_and_nil() {
        assert_eq!(read("-"), Ok((None, &b""[..])));
        assert_eq!(read("- x"), Ok((None, &b" x"[..])));
        assert_eq!(read("[a] [b]"), Ok((Some("[a]"), &b" [b]"[..])));
        assert_eq!(read(r#"[a b=""]"#), Ok((Some(r#"[a b=""]"#), &b""[..])));
        assert_eq!(read(r#"[a b="\]\"\\\x"]"#), Ok((Some(r#"[a b="\]\"\\\x"]"#), &b""[..])));
    }

    #[test]
    fn faults_point_at_the_byte() {
        for (input, at) in [
            ("", 0),
            ("x", 0),
            ("--", 1),
            ("[", 1),
            ("[]", 1),
            ("[a", 2),
            ("[a=]", 2),
            ("[a]x", 3),
            ("[a][", 4),
            ("[a ]", 3),
            ("[a b]", 4),
            ("[a b=1]", 5),
            ("[a b=\"1]", 7),
            ("[a b=\"1\\", 7),
            ("[a b= \"1\"]", 5),
            ("[a b=\"1\"c=\"2\"]", 8),
            ("[\u{e9}]", 1),
            ("[\u{1}]", 1),
        ] {
            assert_eq!(read(input), Err(at), "{input}");
        }
    }

    #[test]
    fn text_must_be_utf8() {
        let input = b"[a b=\"\xff\"] x";
        let error = structured_data(input).unwrap_err().in_input_of(input.len());
        assert_eq!((error.kind(), error.part(), error.offset()), (FrameErrorKind::NotUtf8, "STRUCTURED-DATA", 6));
    }

    #[test]
    fn many_elements_cost_no_stack() {
        let input = "[a b=\"\\\\\"]".repeat(100_000);
        let parsed = structured_data(input.as_bytes()).unwrap();
        assert_eq!(parsed.value.unwrap().elements().count(), 100_000);
    }
}
