use crate::dialect::{Dialect, Layout, is_moved};
use crate::error::{Fault, FrameError, Part};
use crate::header::fast::{self, minute_start};
use crate::header::{Fields, Span, header, header_without_msg_id, missing, not_utf8};
use crate::parsed::Parsed;
use crate::pri::Pri;
use crate::structured_data::{StructuredData, structured_data};
use crate::timestamp::Timestamp;
use alloc::vec::Vec;
use core::fmt;

/// One syslog message, read: a `Copy` view into the bytes it was read from.
///
/// The header is text (UTF-8, as a rule ASCII), the message is bytes and nothing has looked at it. What accessors hand
/// out lives as long as the input, so it outlives the view.
///
/// ```
/// use heroku_syslog::{Dialect, Frame};
///
/// let line = b"<40>1 2024-02-03T04:05:06+00:00 host app web.3 - State changed from starting to up\n";
/// let frame = Frame::parse(line, Dialect::Logplex)?;
/// assert_eq!(frame.timestamp().unwrap().unix_micros(), 1_706_933_106_000_000);
/// assert_eq!((frame.app_name(), frame.proc_id(), frame.msg_id()), (Some("app"), Some("web.3"), None));
/// assert_eq!(frame.message(), b"State changed from starting to up");
/// # Ok::<(), heroku_syslog::FrameError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    bytes: &'a [u8],
    /// Where in `bytes` they are. The header was found to be text when it was read. Safe code cannot carry that over, so
    /// accessors look again, at what they hand out alone.
    fields: Fields,
    structured_data: Option<StructuredData<'a>>,
    message: &'a [u8],
    message_offset: usize,
}

impl<'a> Frame<'a> {
    /// Reads one SYSLOG-MSG, without its octet count. Never panics; linear in the length of the header.
    /// [`FrameParser`](crate::FrameParser) reads the same, and faster where frames follow one another.
    ///
    /// `bytes` are all of one frame; a LF or CRLF at the end belongs to it and not to [`message`](Self::message).
    /// What the dialects make of the same bytes is told at [`Dialect`]. Header fields may be as long as RFC 5424
    /// says: HOSTNAME 255 bytes, APP-NAME 48, PROCID 128, MSGID 32.
    ///
    /// # Errors
    /// The first thing that is wrong, with its offset in `bytes`. Text of the header is looked at last, so that
    /// `not_utf8` is only told of headers that are complete.
    ///
    /// ```
    /// use heroku_syslog::{Dialect, Frame};
    ///
    /// let error = Frame::parse(b"<192>1 2024-02-03T04:05:06+00:00 host app web.1 - hi", Dialect::Logplex).unwrap_err();
    /// assert_eq!(error.to_string(), "value out of range in PRI at byte 1");
    /// ```
    #[inline(always)]
    pub fn parse(bytes: &'a [u8], dialect: Dialect) -> Result<Self, FrameError> {
        syslog_message(bytes, minute_start, dialect).map_err(|fault| in_frame(fault, bytes))
    }

    /// A view made by the reader of rendered lines; `message` is a part of `bytes`.
    pub(crate) fn from_rendered(bytes: &'a [u8], fields: Fields, message: &'a [u8]) -> Self {
        // The message ends where the line's end begins.
        let message_offset = without_line_end(bytes).len() - message.len();
        Self { bytes, fields, structured_data: None, message, message_offset }
    }

    /// PRI; `None` only for [rendered](crate::rendered) lines, which have none.
    #[must_use]
    pub const fn pri(&self) -> Option<Pri> {
        self.fields.pri
    }

    /// VERSION, 1 to 999; `None` for rendered lines.
    #[must_use]
    pub const fn version(&self) -> Option<u16> {
        if self.fields.version == 0 { None } else { Some(self.fields.version) }
    }

    /// TIMESTAMP as an instant; `None` for the NILVALUE.
    #[must_use]
    pub const fn timestamp(&self) -> Option<Timestamp> {
        self.fields.timestamp
    }

    /// TIMESTAMP as it is written; `None` for the NILVALUE.
    #[must_use]
    #[inline]
    pub fn timestamp_text(&self) -> Option<&'a str> {
        self.fields.timestamp_text.of(self.bytes)
    }

    /// HOSTNAME: `host` on HTTPS drains, the drain token on syslog drains. `None` for the NILVALUE and rendered lines.
    #[must_use]
    #[inline]
    pub fn hostname(&self) -> Option<&'a str> {
        self.fields.hostname.of(self.bytes)
    }

    /// APP-NAME: `app` or `heroku`, who wrote the line. `None` for the NILVALUE.
    #[must_use]
    #[inline]
    pub fn app_name(&self) -> Option<&'a str> {
        if self.fields.router { Some("heroku") } else { self.fields.app_name.of(self.bytes) }
    }

    /// APP-NAME, as [`app_name`](Self::app_name), without the check that it is text: to be compared with, at less cost.
    #[must_use]
    #[inline]
    pub fn app_name_bytes(&self) -> Option<&'a [u8]> {
        self.fields.app_name.bytes_of(self.bytes)
    }

    /// PROCID: `router`, `web.1`, `heroku-postgres`. `None` for the NILVALUE.
    #[must_use]
    #[inline]
    pub fn proc_id(&self) -> Option<&'a str> {
        if self.fields.router { Some("router") } else { self.fields.proc_id.of(self.bytes) }
    }

    /// PROCID, as [`proc_id`](Self::proc_id), without the check that it is text: to be compared with, at less cost.
    #[must_use]
    #[inline]
    pub fn proc_id_bytes(&self) -> Option<&'a [u8]> {
        self.fields.proc_id.bytes_of(self.bytes)
    }

    /// Whether APP-NAME and PROCID are `heroku` and `router`, as on two of three lines of a drain: known without comparing.
    #[must_use]
    pub const fn is_router(&self) -> bool {
        self.fields.router
    }

    /// MSGID; `None` for the NILVALUE, which Logplex always writes, and for rendered lines.
    #[must_use]
    #[inline]
    pub fn msg_id(&self) -> Option<&'a str> {
        self.fields.msg_id.of(self.bytes)
    }

    /// STRUCTURED-DATA; `None` for the NILVALUE, and always in [`Dialect::Logplex`].
    #[must_use]
    pub const fn structured_data(&self) -> Option<StructuredData<'a>> {
        self.structured_data
    }

    /// MSG: any bytes, without the LF or CRLF at the end of the frame. A byte order mark in front of it stays.
    ///
    /// ```
    /// # use heroku_syslog::{Dialect, Frame};
    /// let frame = Frame::parse(b"<190>1 - host app web.1 - \xff\r\n", Dialect::Logplex)?;
    /// assert_eq!(frame.message(), b"\xff");
    /// # Ok::<(), heroku_syslog::FrameError>(())
    /// ```
    #[must_use]
    pub const fn message(&self) -> &'a [u8] {
        self.message
    }

    /// Where [`message`](Self::message) starts in [`bytes`](Self::bytes).
    #[must_use]
    pub const fn message_offset(&self) -> usize {
        self.message_offset
    }

    /// All the bytes it was read from.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The owned partner: one copy of the bytes.
    #[must_use]
    pub fn to_frame_buf(&self) -> FrameBuf {
        let structured_data = self.structured_data.map_or(0, |data| data.as_str().len());
        FrameBuf {
            bytes: self.bytes.to_vec(),
            fields: self.fields,
            structured_data,
            message: (self.message_offset, self.message_offset + self.message.len()),
        }
    }
}

/// Shows the fields by name, and the message with everything but printable ASCII escaped.
impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("pri", &self.pri())
            .field("version", &self.version())
            .field("timestamp", &self.timestamp_text())
            .field("hostname", &self.hostname())
            .field("app_name", &self.app_name())
            .field("proc_id", &self.proc_id())
            .field("msg_id", &self.msg_id())
            .field("structured_data", &self.structured_data())
            .field("message", &format_args!("\"{}\"", self.message.escape_ascii()))
            .finish()
    }
}

/// A frame that owns its bytes: one buffer, and where the parts lie in it.
///
/// ```
/// use heroku_syslog::{Dialect, Frame, FrameBuf};
///
/// let kept: Vec<FrameBuf> = [&b"<190>1 - host app web.1 - one"[..], b"<190>1 - host app web.2 - two"]
///     .iter()
///     .filter_map(|line| Frame::parse(line, Dialect::Logplex).ok())
///     .map(|frame| frame.to_frame_buf())
///     .collect();
/// assert_eq!(kept[1].as_frame().message(), b"two");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct FrameBuf {
    bytes: Vec<u8>,
    fields: Fields,
    /// How long STRUCTURED-DATA is; 0 without one. It stands one SP behind MSGID.
    structured_data: usize,
    message: (usize, usize),
}

impl FrameBuf {
    /// The view of it. Nothing is parsed; structured data is checked to be text once more, which safe code cannot carry
    /// over.
    #[must_use]
    pub fn as_frame(&self) -> Frame<'_> {
        let start = self.fields.msg_id.end() + 1;
        let data = self.bytes.get(start..start + self.structured_data).filter(|data| !data.is_empty());
        Frame {
            bytes: &self.bytes,
            fields: self.fields,
            structured_data: data.and_then(|data| core::str::from_utf8(data).ok()).map(StructuredData::from_checked),
            message: self.bytes.get(self.message.0..self.message.1).unwrap_or_default(),
            message_offset: self.message.0,
        }
    }
}

impl fmt::Debug for FrameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_frame().fmt(f)
    }
}

/// SYSLOG-MSG = HEADER SP STRUCTURED-DATA [SP MSG]             ; RFC 5424, 6
///
/// In the logplex dialect: HEADER [SP MSG]. Faults are told by what is left of the frame without its line end.
#[inline(always)]
pub(crate) fn syslog_message<'a>(
    bytes: &'a [u8],
    minute: impl FnOnce(&[u8; 16]) -> Option<i64>,
    dialect: Dialect,
) -> Result<Frame<'a>, Fault> {
    // Two copies of all that follows, so that where the dialect is fixed nothing is left of the choice.
    match dialect.layout() {
        Some(layout) => in_layout(bytes, minute, |_, _| layout),
        None => in_layout(bytes, minute, |bytes, hostname| Layout::of_hostname(hostname.bytes_of(bytes))),
    }
}

/// The same in the layout that is answered once HOSTNAME is known.
#[inline(always)]
fn in_layout<'a>(
    bytes: &'a [u8],
    minute: impl FnOnce(&[u8; 16]) -> Option<i64>,
    layout: impl FnOnce(&'a [u8], Span) -> Layout,
) -> Result<Frame<'a>, Fault> {
    // The header that the fast reader knows ends in front of a SP, so that a line end behind it makes no difference.
    let (fields, structured_data, len) = match fast::header(bytes, minute) {
        Some((fields, len)) => behind_header(bytes, fields, len, layout)?,
        None => plain_message(bytes, layout)?,
    };
    // Behind MSGID or STRUCTURED-DATA stands a SP, or nothing.
    let input = without_line_end(bytes);
    let message_offset = input.len().min(len + 1);
    Ok(Frame { bytes, fields, structured_data, message: &input[message_offset..], message_offset })
}

/// What is in front of the message: the fields, STRUCTURED-DATA, and how many bytes they take.
type Front<'a> = (Fields, Option<StructuredData<'a>>, usize);

/// All that is in front of the message, behind a header of `len` bytes.
#[inline(always)]
fn behind_header<'a>(
    bytes: &'a [u8],
    fields: Fields,
    len: usize,
    layout: impl FnOnce(&'a [u8], Span) -> Layout,
) -> Result<Front<'a>, Fault> {
    match layout(bytes, fields.hostname) {
        Layout::Logplex => Ok((fields, None, len)),
        Layout::Rfc5424 => {
            let input = without_line_end(bytes);
            let (structured_data, len) = match input.get(len..) {
                Some([b' ', b'-', b' ', ..]) => (None, len + 2),
                _ => data_or_message(input, len)?,
            };
            Ok((fields, structured_data, len))
        }
        Layout::Moved => Ok(moved(bytes, fields).unwrap_or((fields, None, len))),
    }
}

/// The same by the plain reader, of a header in any shape.
#[cold]
#[inline(never)]
fn plain_message<'a>(bytes: &'a [u8], layout: impl FnOnce(&'a [u8], Span) -> Layout) -> Result<Front<'a>, Fault> {
    let input = without_line_end(bytes);
    let fault = match plain_header(input) {
        Ok((fields, len)) => return behind_header(bytes, fields, len, layout),
        Err(fault) => fault,
    };
    // If MSGID alone is wrong, the header may still be a moved one: a message, or nothing, then stands where MSGID would.
    if fault.part == Part::MsgId
        && let Ok(fields) = header_without_msg_id(input)
        && layout(bytes, fields.hostname) == Layout::Moved
    {
        return moved(bytes, fields).ok_or(fault);
    }
    Err(fault)
}

/// A header that is moved by one field; what was read as MSGID is the first word of the message, or the NILVALUE of
/// STRUCTURED-DATA or of MSGID.
#[cold]
#[inline(never)]
fn moved(bytes: &[u8], fields: Fields) -> Option<Front<'_>> {
    let input = without_line_end(bytes);
    let [hostname, app_name, proc_id] =
        [fields.hostname, fields.app_name, fields.proc_id].map(|field| field.bytes_of(input));
    if !is_moved(hostname, app_name, proc_id) {
        return None;
    }
    let behind = fields.proc_id.end();
    let len = match input.get(behind..) {
        Some(b" -" | [b' ', b'-', b' ', ..]) => behind + 2,
        _ => behind,
    };
    let router = (hostname, app_name) == (Some(b"heroku"), Some(b"router"));
    let fields = Fields {
        hostname: Span::default(),
        app_name: fields.hostname,
        proc_id: fields.app_name,
        msg_id: Span::default(),
        router,
        ..fields
    };
    Some((fields, None, len))
}

/// STRUCTURED-DATA, if it is there, behind the header of `len` bytes, and how long they are together.
#[inline(never)]
fn data_or_message(input: &[u8], len: usize) -> Result<(Option<StructuredData<'_>>, usize), Fault> {
    match &input[len..] {
        [b' ', rest @ ..] if matches!(rest, [b'-' | b'[', ..]) => {
            let Parsed { value, rest } = structured_data(rest)?;
            Ok((value, input.len() - rest.len()))
        }
        // Some senders of this dialect leave the field out: what cannot be structured data is the message, and nothing is lost.
        [b' ', _, ..] => Ok((None, len)),
        [b' ', rest @ ..] | rest => Err(missing(Part::StructuredData, rest)),
    }
}

/// The header in any shape by the plain reader, and how long it is.
#[cold]
#[inline(never)]
fn plain_header(input: &[u8]) -> Result<(Fields, usize), Fault> {
    let Parsed { value: fields, rest } = header(input)?;
    let len = input.len() - rest.len();
    match core::str::from_utf8(&input[..len]) {
        Ok(_) => Ok((fields, len)),
        Err(error) => Err(not_utf8(&fields, input, error.valid_up_to())),
    }
}

#[cold]
#[inline(never)]
pub(crate) fn in_frame(fault: Fault, bytes: &[u8]) -> FrameError {
    fault.in_input_of(without_line_end(bytes).len())
}

/// A LF or CRLF at the end belongs to the frame and not to its message.
#[inline]
pub(crate) const fn without_line_end(bytes: &[u8]) -> &[u8] {
    match bytes {
        [line @ .., b'\n'] => match line {
            [line @ .., b'\r'] => line,
            _ => line,
        },
        _ => bytes,
    }
}
