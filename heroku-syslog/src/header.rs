pub(crate) mod fast;

use crate::error::{Fault, FrameErrorKind, Part, Problem, out_of_range, unexpected};
use crate::parsed::Parsed;
use crate::pri::{Pri, pri};
use crate::timestamp::{Timestamp, timestamp};

/// A piece of the header text, as offsets. An empty one is a field that the layout does not have.
///
/// Sixteen bits do: the fields have maxima, and everything between them is bounded too.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Span {
    start: u16,
    end: u16,
}

impl Span {
    /// From one offset to another. Both are far below the maximum, as headers are.
    #[inline]
    pub(crate) const fn new(start: usize, end: usize) -> Self {
        Self { start: start as u16, end: end as u16 }
    }

    /// Offsets in `whole` of what lies between two points, each told by what is left behind it.
    pub(crate) fn between(whole: &[u8], from: &[u8], to: &[u8]) -> Self {
        let offset = |rest: &[u8]| u16::try_from(whole.len() - rest.len()).unwrap_or(u16::MAX);
        Self { start: offset(from), end: offset(to) }
    }

    /// The bytes of it; NILVALUE `-`, and a field that is not there, are `None`.
    #[inline]
    pub(crate) fn bytes_of(self, whole: &[u8]) -> Option<&[u8]> {
        match whole.get(usize::from(self.start)..usize::from(self.end)) {
            None | Some(b"" | b"-") => None,
            field => field,
        }
    }

    /// The text of it, out of a header that is known to be text.
    #[inline]
    pub(crate) fn of(self, whole: &[u8]) -> Option<&str> {
        match self.bytes_of(whole)? {
            // What most fields are. Comparing is the cheaper check, and the same text is handed out.
            b"host" => Some("host"),
            b"app" => Some("app"),
            b"heroku" => Some("heroku"),
            b"router" => Some("router"),
            field => core::str::from_utf8(field).ok(),
        }
    }

    pub(crate) const fn end(self) -> usize {
        self.end as usize
    }

    fn contains(self, offset: usize) -> bool {
        (usize::from(self.start)..usize::from(self.end)).contains(&offset)
    }
}

/// Everything in front of STRUCTURED-DATA and MSG, apart from the text it stands in.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Fields {
    pub(crate) pri: Option<Pri>,
    /// 0 if the layout has none.
    pub(crate) version: u16,
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) timestamp_text: Span,
    pub(crate) hostname: Span,
    pub(crate) app_name: Span,
    pub(crate) proc_id: Span,
    pub(crate) msg_id: Span,
    /// Whether APP-NAME and PROCID are `heroku` and `router`.
    pub(crate) router: bool,
}

/// HEADER = PRI VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID ; RFC 5424, 6
///
/// Leaves nothing, or what begins with the SP behind MSGID.
pub(crate) fn header(input: &[u8]) -> Result<Parsed<'_, Fields>, Fault> {
    let Parsed { value: pri, rest } = pri(input)?;
    let Parsed { value: version, rest: time } = version(rest)?;
    if time.is_empty() {
        return Err(missing(Part::Timestamp, time));
    }
    let Parsed { value: timestamp, rest: behind_time } = timestamp(time)?;
    let (host, behind_host) = field(behind_time, Part::Hostname)?;
    let (app, behind_app) = field(behind_host, Part::AppName)?;
    let (process, behind_process) = field(behind_app, Part::ProcId)?;
    let (msg_id, rest) = field(behind_process, Part::MsgId)?;
    let value = Fields {
        pri: Some(pri),
        version,
        timestamp,
        timestamp_text: Span::between(input, time, behind_time),
        hostname: Span::between(input, host, behind_host),
        app_name: Span::between(input, app, behind_app),
        proc_id: Span::between(input, process, behind_process),
        msg_id: Span::between(input, msg_id, rest),
        router: app.starts_with(b"heroku router") && behind_process.len() + 13 == app.len(),
    };
    Ok(Parsed { value, rest })
}

/// The same for a header whose MSGID cannot be read: all in front of it, which must be text.
pub(crate) fn header_without_msg_id(input: &[u8]) -> Result<Fields, Fault> {
    let Parsed { value: pri, rest } = pri(input)?;
    let Parsed { value: version, rest: time } = version(rest)?;
    let Parsed { value: timestamp, rest: behind_time } = timestamp(time)?;
    let (host, behind_host) = field(behind_time, Part::Hostname)?;
    let (app, behind_app) = field(behind_host, Part::AppName)?;
    let (process, behind_process) = field(behind_app, Part::ProcId)?;
    let fields = Fields {
        pri: Some(pri),
        version,
        timestamp,
        timestamp_text: Span::between(input, time, behind_time),
        hostname: Span::between(input, host, behind_host),
        app_name: Span::between(input, app, behind_app),
        proc_id: Span::between(input, process, behind_process),
        ..Fields::default()
    };
    match core::str::from_utf8(&input[..input.len() - behind_process.len()]) {
        Ok(_) => Ok(fields),
        Err(error) => Err(not_utf8(&fields, input, error.valid_up_to())),
    }
}

/// VERSION = NONZERO-DIGIT 0*2DIGIT, and the SP behind it      ; RFC 5424, 6
pub(crate) fn version(input: &[u8]) -> Result<Parsed<'_, u16>, Fault> {
    let bad = |rest| unexpected(FrameErrorKind::BadVersion, Part::Version, rest);
    let mut value = 0;
    let mut rest = input;
    while let ([digit @ b'0'..=b'9', behind @ ..], true) = (rest, input.len() - rest.len() < 3) {
        value = value * 10 + u16::from(digit - b'0');
        rest = behind;
    }
    match (input, rest) {
        ([b'0', ..], _) => Err(out_of_range(FrameErrorKind::BadVersion, Part::Version, input)),
        (_, [b' ', behind @ ..]) if value > 0 => Ok(Parsed { value, rest: behind }),
        _ => Err(bad(rest)),
    }
}

/// SP ( NILVALUE / 1*max OCTET )                               ; an OCTET is not SP
///
/// Answers where the field starts and what is behind it. Bytes beyond PRINTUSASCII are left to the UTF-8 check.
pub(crate) fn field(input: &[u8], part: Part) -> Result<(&[u8], &[u8]), Fault> {
    let [b' ', start @ ..] = input else { return Err(missing(part, input)) };
    let max = maximum(part);
    // One byte further than the maximum, so that a field of just that length finds its SP.
    let window = &start[..start.len().min(usize::from(max) + 1)];
    let len = window.iter().position(|byte| *byte == b' ').unwrap_or(window.len());
    match len {
        0 => Err(missing(part, start)),
        len if len > usize::from(max) => Err(too_long(part, &start[usize::from(max)..])),
        len => Ok((start, &start[len..])),
    }
}

/// HOSTNAME = 1*255, APP-NAME = 1*48, PROCID = 1*128, MSGID = 1*32 ; RFC 5424, 6
pub(crate) const fn maximum(part: Part) -> u16 {
    match part {
        Part::Hostname => 255,
        Part::AppName => 48,
        Part::ProcId => 128,
        _ => 32,
    }
}

/// The field in which the text of a header stops being UTF-8.
#[cold]
pub(crate) fn not_utf8(fields: &Fields, input: &[u8], offset: usize) -> Fault {
    let spans = [
        (fields.hostname, Part::Hostname),
        (fields.app_name, Part::AppName),
        (fields.proc_id, Part::ProcId),
        (fields.msg_id, Part::MsgId),
    ];
    // All bytes outside of these four are ASCII, as their rules read them.
    let part = spans.iter().find(|(span, _)| span.contains(offset)).map_or(Part::MsgId, |(_, part)| *part);
    invalid_text(part, &input[offset.min(input.len())..])
}

#[cold]
pub(crate) fn invalid_text(part: Part, rest: &[u8]) -> Fault {
    Fault { kind: FrameErrorKind::NotUtf8, problem: Problem::NotUtf8, part, left: rest.len() }
}

#[cold]
pub(crate) fn missing(part: Part, rest: &[u8]) -> Fault {
    Fault { kind: FrameErrorKind::MissingField, problem: Problem::Empty, part, left: rest.len() }
}

#[cold]
pub(crate) fn too_long(part: Part, rest: &[u8]) -> Fault {
    let problem = Problem::LongerThan(maximum(part));
    Fault { kind: FrameErrorKind::FieldTooLong, problem, part, left: rest.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (text, read) in [("1 x", 1), ("12 ", 12), ("999 x", 999)] {
            assert_eq!(version(text.as_bytes()).unwrap().value, read);
        }
        for (text, at) in
            [("", 0), (" 1", 0), ("x ", 0), ("0 ", 0), ("01 ", 0), ("1", 1), ("1000 ", 3), ("1x", 1), (">1 ", 0)]
        {
            let error = version(text.as_bytes()).unwrap_err().in_input_of(text.len());
            assert_eq!((error.kind(), error.offset()), (FrameErrorKind::BadVersion, at), "{text}");
        }
    }

    #[test]
    fn fields_end_at_a_space_or_the_end() {
        assert_eq!(field(b" app web", Part::AppName), Ok((&b"app web"[..], &b" web"[..])));
        assert_eq!(field(b" app", Part::AppName), Ok((&b"app"[..], &b""[..])));
        for text in [&b""[..], b" ", b"  app"] {
            assert_eq!(field(text, Part::AppName).unwrap_err().kind, FrameErrorKind::MissingField);
        }
    }

    #[test]
    fn maxima_are_inclusive() {
        for part in [Part::Hostname, Part::AppName, Part::ProcId, Part::MsgId] {
            let max = usize::from(maximum(part));
            let text = [b" ".to_vec(), alloc::vec![b'x'; max + 1]].concat();
            assert!(field(&text[..=max], part).is_ok());
            assert!(field(&[&text[..=max], b" -"].concat(), part).is_ok());
            let error = field(&text, part).unwrap_err().in_input_of(text.len());
            assert_eq!((error.kind(), error.offset()), (FrameErrorKind::FieldTooLong, max as u64 + 1));
        }
    }
}
