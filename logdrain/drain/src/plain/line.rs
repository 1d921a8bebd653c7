//! One line: who says it, which program, when, how bad, and what.

use super::{Plain, time};
use heroku_metrics::syslog::Timestamp;
use std::net::IpAddr;

/// What a line without a PRI is: user-level, notice; RFC 3164, 4.3.3.
const NO_PRI: (u8, u8) = (1, 5);
/// No TAG and no pid is longer.
const LONGEST_TAG: usize = 128;
const LONGEST_HOST: usize = 255;
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What a line says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlainLine<'a> {
    /// HOSTNAME; `None` when it names nobody.
    pub host: Option<&'a str>,
    /// TAG or APP-NAME, without the pid; empty when there is none.
    pub program: &'a str,
    /// Microseconds since 1970.
    pub generated: Option<i64>,
    pub severity: u8,
    pub facility: u8,
    /// What is kept of it: with STRUCTURED-DATA in front, where that says more than how good the clock is.
    pub message: &'a [u8],
    /// STRUCTURED-DATA, which is empty where there is none.
    pub data: &'a [u8],
    /// The message alone.
    pub text: &'a [u8],
}

/// Reads a line that came at this time, without its line end.
pub fn read(line: &[u8], received: i64, plain: Plain) -> PlainLine<'_> {
    let ((facility, severity), rest) = pri(line).unwrap_or((NO_PRI, line));
    let read = PlainLine {
        host: None,
        program: "",
        generated: None,
        severity,
        facility,
        message: rest,
        data: b"",
        text: rest,
    };
    modern(rest, read).unwrap_or_else(|| old(rest, received, plain, read))
}

/// PRI = "<" 1*3DIGIT ">"                                       ; up to 191
fn pri(line: &[u8]) -> Option<((u8, u8), &[u8])> {
    let rest = line.strip_prefix(b"<")?;
    let len = rest.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
    let value =
        rest.get(..len).filter(|_| len > 0)?.iter().fold(0_u16, |value, digit| value * 10 + u16::from(digit - b'0'));
    let value = u8::try_from(value).ok().filter(|value| *value <= 191)?;
    Some(((value / 8, value % 8), rest[len..].strip_prefix(b">")?))
}

/// RFC 5424 as senders write it: fields may be longer than it allows, and what is behind the last good one is the message.
///
/// ```text
/// rest = "1" SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP STRUCTURED-DATA [SP MSG]
/// ```
fn modern<'a>(rest: &'a [u8], read: PlainLine<'a>) -> Option<PlainLine<'a>> {
    let (time, rest) = field(rest.strip_prefix(b"1 ")?)?;
    let generated = match time {
        b"-" => None,
        time => Some(Timestamp::parse(time).ok()?.unix_micros()),
    };
    let (host, rest) = field(rest)?;
    let (app, rest) = field(rest)?;
    let (_, rest) = field(rest)?;
    let (_, rest) = field(rest)?;
    let whole = rest;
    let (data, rest) = structured(whole);
    let text = rest.strip_prefix(b" ").unwrap_or(rest);
    let text = text.strip_prefix(MARK).unwrap_or(text);
    let message = if says_something(data) { whole } else { text };
    Some(PlainLine { host: name(host), program: word(app), generated, message, data, text, ..read })
}

/// A field up to SP, and what is behind that.
fn field(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = input.iter().take(LONGEST_HOST + 1).position(|byte| *byte == b' ').unwrap_or(input.len());
    let field = input.get(..len).filter(|field| (1..=LONGEST_HOST).contains(&field.len()))?;
    Some((field, input.get(len + 1..).unwrap_or_default()))
}

/// STRUCTURED-DATA = NILVALUE / 1*SD-ELEMENT. What is none is a message, and nothing is lost.
fn structured(input: &[u8]) -> (&[u8], &[u8]) {
    if let [b'-'] | [b'-', b' ', ..] = input {
        return (b"", &input[1..]);
    }
    let mut end = 0;
    while input.get(end) == Some(&b'[') {
        let Some(len) = element(&input[end..]) else { break };
        end += len;
    }
    match input.get(end) {
        None | Some(b' ') if end > 0 => input.split_at(end),
        _ => (b"", input),
    }
}

/// The length of an SD-ELEMENT: up to the bracket that stands in no value.
pub(crate) fn element(input: &[u8]) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (index, byte) in input.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b']' if !is_quoted => return Some(index + 1),
            _ => {}
        }
    }
    None
}

/// Whether an element stands there besides those of RFC 5424, 7, which tell of the sender's clock and software.
fn says_something(data: &[u8]) -> bool {
    let mut rest = data;
    while let Some(len) = element(rest) {
        let id = rest[1..len].split(|byte| matches!(byte, b' ' | b']')).next().unwrap_or_default();
        if ![&b"timeQuality"[..], b"origin", b"meta"].contains(&id) {
            return true;
        }
        rest = &rest[len..];
    }
    false
}

/// RFC 3164, and what is left of it where senders leave something out.
///
/// ```text
/// rest    = [time SP [HOSTNAME SP]] [TAG] CONTENT
/// TAG     = word "[" pid "]" [":"] / word ":"
/// ```
fn old<'a>(rest: &'a [u8], received: i64, plain: Plain, read: PlainLine<'a>) -> PlainLine<'a> {
    // Cisco numbers its lines.
    let digits = rest.iter().take(LONGEST_TAG).take_while(|byte| byte.is_ascii_digit()).count();
    let unnumbered = rest[digits..].strip_prefix(b": ").filter(|_| digits > 0).unwrap_or(rest);
    let (generated, behind) = match time::at_start(unnumbered, received, plain) {
        Some((time, behind)) => (Some(time), behind),
        None => return tagged(rest, read),
    };
    // Some devices put a colon behind the time.
    let behind = behind.strip_prefix(b":").unwrap_or(behind);
    let behind = behind.strip_prefix(b" ").unwrap_or(behind);
    let read = PlainLine { generated, message: behind, text: behind, ..read };
    // The first word is the program, where it looks like one: a sender that leaves HOSTNAME out.
    if let Some((host, rest)) = field(behind)
        && let Some(host) = name(host)
        && (host.parse::<IpAddr>().is_ok() || !(host.ends_with(':') || host.ends_with(']')))
    {
        return tagged(rest, PlainLine { host: Some(host), message: rest, text: rest, ..read });
    }
    tagged(behind, read)
}

/// TAG and CONTENT.
fn tagged<'a>(rest: &'a [u8], read: PlainLine<'a>) -> PlainLine<'a> {
    let rest = rest.trim_ascii_start();
    let as_it_is = PlainLine { message: rest, text: rest, ..read };
    let len = rest.iter().take(LONGEST_TAG + 1).take_while(|byte| !matches!(byte, b' ' | b'\t' | b'[' | b':')).count();
    let Some(tag) = rest.get(..len).filter(|tag| (1..=LONGEST_TAG).contains(&tag.len())) else { return as_it_is };
    let behind = match &rest[len..] {
        [b'[', pid @ ..] => {
            let Some(end) = pid.iter().take(LONGEST_TAG).position(|byte| *byte == b']') else { return as_it_is };
            match &pid[end + 1..] {
                [b':', behind @ ..] => behind,
                [] => &[],
                [b' ', ..] => &pid[end + 1..],
                _ => return as_it_is,
            }
        }
        // Names of C++ and of addresses are no tags.
        [b':', b':', ..] => return as_it_is,
        [b':', behind @ ..] => behind,
        _ => return as_it_is,
    };
    let program = word(tag);
    if program.is_empty() {
        return as_it_is;
    }
    let text = behind.strip_prefix(b" ").unwrap_or(behind);
    PlainLine { program, message: text, text, ..read }
}

/// A host that can be shown: text without control characters, and not the mark of none.
fn name(host: &[u8]) -> Option<&str> {
    Some(word(host)).filter(|host| !host.is_empty())
}

/// A word that can be shown, or nothing.
fn word(word: &[u8]) -> &str {
    let text = std::str::from_utf8(word).unwrap_or_default();
    if text == "-" || text.chars().any(|letter| letter.is_control() || letter.is_whitespace()) { "" } else { text }
}
