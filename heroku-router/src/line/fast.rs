//! The fast reader, of lines as routers write them today. All others are the plain reader's.

use crate::code::Code;
use crate::line::layout::{Quote, Zone};
use crate::line::name::Name;
use crate::line::words::{is_vchars, last_bare, last_digits, text_end, vchars_end, word_end};
use crate::value::{flag, number};
use logfmt_metrics::{Pair, pairs};
use memchr::{memchr, memchr2, memmem, memrchr};

/// What a line says whose two ends are as routers write them today:
///
/// ```text
/// front   = [ "sock=" word SP ] "at=" word SP [ "code=" code SP desc SP [ cause SP ] ] "method=" word SP "path=" DQUOTE
/// desc    = "desc=" DQUOTE text DQUOTE      ; no DQUOTE or "\" in it
/// cause   = "cause=" DQUOTE text DQUOTE
/// numbers = SP "dyno=" word SP "connect=" [ ms ] SP "service=" [ ms ] SP "status=" [ 3DIGIT ] SP "bytes=" *DIGIT [ tail ]
/// word    = *<any byte above DQUOTE but "=">
/// ms      = 1*8DIGIT "ms"
/// tail    = SP "protocol=http" word [ SP "tls=false" / SP "tls=true" SP "tls_version=" word ]
///         / SP "tls_version=" word SP "protocol=" word
/// ```
///
/// The line is read from its end, back to the quote that closes `fwd`, which is therefore the last one; and the front from the
/// start. What lies between is the client's and is not looked at: [`Layout`] shows that nothing in it can change the ends or
/// add to them when both are whole. So of 224 bytes some 110 are read, in two chains that do not wait for each other, and
/// no branch depends on how many digits a number has.
///
/// [`Layout`]: crate::line::layout::Layout
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fast {
    /// Or `NO_BYTES`.
    bytes: u64,
    /// Milliseconds, or `NONE`.
    connect: u32,
    service: u32,
    /// Or 0.
    status: u16,
    pub(crate) code: Option<Code>,
    desc: u32,
    method: u32,
    /// Behind the opening quote of the path.
    path: u32,
    /// The last quote of the line.
    quote: u32,
    dyno_end: u32,
    /// Behind `bytes`.
    tail: u32,
    tail_kind: Tail,
}

/// What stands behind the numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tail {
    /// ` protocol=https`
    Https,
    /// ` protocol=http2.0 tls=true tls_version=tls1.3`, whatever the versions are.
    Versions,
    /// Any other of [`Fast`]'s.
    Other,
}

/// No number: it has nine digits and more.
const NONE: u32 = u32::MAX;
/// Lines that say this are the plain reader's.
const NO_BYTES: u64 = u64::MAX;

impl Fast {
    /// `line` is shorter than 4 GiB.
    #[inline]
    pub(crate) fn of(line: &[u8]) -> Option<Self> {
        // From the end: each step answers what stands before it, so the line is not searched.
        let (before_tail, tail_kind) = strip_tail(line)?;
        let (bytes, rest) = strip_bytes(before_tail)?;
        let (status, rest) = strip_status(rest)?;
        let (service, rest) = strip_ms(rest, b" service= status=", b"ms status=", b" service=")?;
        let (connect, rest) = strip_ms(rest, b" connect=", b"ms", b" connect=")?;
        let before_dyno = strip_dyno(rest)?;
        let [before_quote @ .., b'"'] = before_dyno else { return None };

        // From the start. This chain does not wait for the one above, and the processor runs both at once.
        let front = Front::of(line)?;
        // Of a method in quotes this is nothing, and then no path follows.
        let method_end = vchars_end(line, front.method);
        let path = behind(line, method_end, b" path=\"")?;
        // A quote behind "=" opens a value. Here that would be one that the end of the line cuts off.
        if before_quote.len() < path || before_quote.last() == Some(&b'=') {
            return None;
        }
        Some(Self {
            bytes,
            connect,
            service,
            status,
            code: front.code,
            desc: front.desc as u32,
            method: front.method as u32,
            path: path as u32,
            quote: before_quote.len() as u32,
            dyno_end: rest.len() as u32,
            tail: before_tail.len() as u32,
            tail_kind,
        })
    }

    /// Whether the line reads the same without colour codes: whether there are none outside of what the client said and of
    /// the error in words. One that ends in front of the last quote could hide that it opens something.
    #[inline]
    pub(crate) fn is_free_of_colour(&self, line: &[u8]) -> bool {
        let before_quote = line.get((self.quote as usize).wrapping_sub(1));
        self.code.is_none() && !matches!(before_quote, Some(b'm' | b'K'))
    }

    #[inline]
    fn method<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        line.get(self.method as usize..self.front_end()).filter(|method| !method.is_empty())
    }

    /// Where what stands before the path ends, without the space.
    #[inline]
    fn front_end(&self) -> usize {
        self.path as usize - b" path=\"".len()
    }

    #[inline]
    fn dyno<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        let start = self.quote as usize + b"\" dyno=".len();
        line.get(start..self.dyno_end as usize).filter(|dyno| !dyno.is_empty())
    }

    #[inline]
    pub(crate) fn connect_ms(&self) -> Option<f64> {
        (self.connect != NONE).then(|| f64::from(self.connect))
    }

    #[inline]
    pub(crate) fn service_ms(&self) -> Option<f64> {
        (self.service != NONE).then(|| f64::from(self.service))
    }

    #[inline]
    pub(crate) fn status(&self) -> Option<u16> {
        (self.status != 0).then_some(self.status)
    }

    #[inline]
    pub(crate) fn bytes(&self) -> Option<u64> {
        (self.bytes != NO_BYTES).then_some(self.bytes)
    }

    /// As it stands: it has three bytes, and `desc` follows it.
    #[inline]
    fn code_text<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        self.code?;
        let end = self.desc as usize - b" desc=\"".len();
        line.get(end - 3..end)
    }

    #[inline]
    fn desc<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        self.code?;
        let text = line.get(self.desc as usize..)?;
        text.get(..memchr(b'"', text)?).filter(|desc| !desc.is_empty())
    }

    /// What the client said, where it reads in one way only.
    #[inline]
    pub(crate) fn middle(&self, line: &[u8]) -> Option<Middle> {
        Middle::of(line, self.path as usize, self.quote as usize)
    }

    /// Where all values end, where the line has no code and its fields are in today's order up to `bytes`.
    pub(crate) fn ends(&self, line: &[u8]) -> Option<Ends> {
        let at_end = self.method as usize - b" method=".len();
        if self.code.is_some() || !line.starts_with(b"at=") {
            return None;
        }
        let middle = self.middle(line)?;
        let connect_end = word_end(line, self.dyno_end as usize + b" connect=".len());
        let service_end = word_end(line, connect_end + b" service=".len());
        let status_end = word_end(line, service_end + b" status=".len());
        let ends = [at_end, self.front_end(), connect_end, service_end, status_end].map(|end| end as u32);
        let [at_end, method_end, connect_end, service_end, status_end] = ends;
        let mut ends = Ends { count: 11, ..Ends::NONE };
        let [known @ .., protocol, tls, tls_version] = &mut ends.ends;
        *known = [
            at_end,
            method_end,
            middle.path_end,
            middle.host_end,
            middle.request_id_end,
            middle.quote,
            self.dyno_end,
            connect_end,
            service_end,
            status_end,
            self.tail,
        ];
        let next = |end: u32, name: &[u8]| {
            let value = line.get(end as usize..)?.starts_with(name).then_some(end as usize + name.len())?;
            Some(word_end(line, value) as u32)
        };
        if let Some(end) = next(self.tail, b" protocol=") {
            (*protocol, ends.count) = (end, 12);
            if let Some(end) = next(end, b" tls=") {
                (*tls, ends.count) = (end, 13);
                if let Some(end) = next(end, b" tls_version=") {
                    (*tls_version, ends.count) = (end, 14);
                }
            }
        }
        Some(ends)
    }

    /// The value of any field but the client's. A line has no others than [`Fast`] shows.
    ///
    /// `name` is a constant where this is called, so that one arm is left.
    #[inline(always)]
    pub(crate) fn value<'a>(&self, line: &'a [u8], name: Name) -> Option<&'a [u8]> {
        match name {
            Name::At => self.at(line).or_else(|| self.searched(line, name)),
            Name::Code => self.code_text(line),
            Name::Desc => self.desc(line),
            Name::Method => self.method(line),
            Name::Dyno => self.dyno(line),
            Name::Protocol => self.protocol(line).or_else(|| self.searched(line, name)),
            Name::TlsVersion => self.tls_version(line),
            _ => self.searched(line, name),
        }
    }

    pub(crate) fn tls(&self, line: &[u8]) -> Option<bool> {
        self.searched(line, Name::Tls).and_then(|value| flag(value).ok())
    }

    fn searched<'a>(&self, line: &'a [u8], name: Name) -> Option<&'a [u8]> {
        self.pair(line, name).and_then(|pair| pair.value()).filter(|value| !value.is_empty())
    }

    pub(crate) fn is_present(&self, line: &[u8], name: Name) -> bool {
        self.pair(line, name).is_some()
    }

    fn pair<'a>(&self, line: &'a [u8], name: Name) -> Option<Pair<'a>> {
        let part = match name.zone() {
            Zone::Front => line.get(..self.front_end()),
            Zone::Middle => None,
            Zone::Numbers => line.get(self.quote as usize + 1..),
        };
        pairs(part?).find(|pair| pair.key() == name.as_str().as_bytes() && pair.value().is_some())
    }

    /// `at`, where nothing stands before it. What follows it is known, and so where it ends.
    #[inline]
    fn at<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        // Whatever its four bytes are: a line with more in front of the method is longer there.
        if self.method as usize == b"at=info method=".len() {
            return line.get(3..7);
        }
        let end = match self.code {
            Some(_) => self.desc as usize - b" code=H00 desc=\"".len(),
            None => self.method as usize - b" method=".len(),
        };
        line.get(behind(line, 0, b"at=")?..end)
    }

    /// `protocol`, where it stands behind the numbers at once.
    #[inline]
    fn protocol<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        let tail = line.get(self.tail as usize..)?;
        match self.tail_kind {
            Tail::Https => tail.last_chunk().map(|protocol: &[u8; 5]| &protocol[..]),
            Tail::Versions => tail.get(b" protocol=".len()..b" protocol=http2.0".len()),
            Tail::Other => self.other_protocol(line),
        }
    }

    #[inline(never)]
    fn other_protocol<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        let start = behind(line, self.tail as usize, b" protocol=")?;
        line.get(start..word_end(line, start)).filter(|value| !value.is_empty())
    }

    /// `tls_version`, behind the protocol's own or, in Private Spaces, before it.
    #[inline]
    fn tls_version<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        match self.tail_kind {
            Tail::Https => None,
            Tail::Versions => line.last_chunk().map(|version: &[u8; 6]| &version[..]),
            Tail::Other => self.other_tls_version(line),
        }
    }

    #[inline(never)]
    fn other_tls_version<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        let tail = self.tail as usize;
        let start = match behind(line, tail, b" protocol=") {
            Some(protocol) => behind(line, word_end(line, protocol), b" tls=true tls_version="),
            None => behind(line, tail, b" tls_version="),
        }?;
        line.get(start..word_end(line, start)).filter(|value| !value.is_empty())
    }
}

/// What stands before the tail, and what that is; what is in none of the usual tails could be a field of any name.
#[inline]
fn strip_tail(line: &[u8]) -> Option<(&[u8], Tail)> {
    if let Some(rest) = line.strip_suffix(b" protocol=https") {
        // Private Spaces had the version of TLS before it, as `tls1.2`.
        let is_private = rest.last_chunk::<19>().is_some_and(|tail| tail.starts_with(b" tls_version="));
        return if is_private { Some((strip_other_tail(line)?, Tail::Other)) } else { Some((rest, Tail::Https)) };
    }
    if let Some((rest, tail)) = line.split_last_chunk::<45>()
        && tail[..14] == *b" protocol=http"
        && tail[17..39] == *b" tls=true tls_version="
        && let (Some(http), Some(tls)) = (tail[9..].first_chunk(), tail[37..].first_chunk())
        && is_vchars(http)
        && is_vchars(tls)
    {
        return Some((rest, Tail::Versions));
    }
    Some((strip_other_tail(line)?, Tail::Other))
}

#[inline(never)]
fn strip_other_tail(line: &[u8]) -> Option<&[u8]> {
    if let Some(rest) =
        line.strip_suffix(b" protocol=http").or_else(|| line.strip_suffix(b" protocol=http1.1 tls=false"))
    {
        return Some(rest);
    }
    let bytes = memmem::rfind(line, b" bytes=")? + b" bytes=".len();
    let tail = bytes + line.get(bytes..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    is_tail(line, tail).then(|| line.get(..tail)).flatten()
}

/// Whether the rest of the line is a tail as [`Fast`] has it.
fn is_tail(line: &[u8], tail: usize) -> bool {
    let word_behind = |at: usize, name: &[u8]| {
        let value = line.get(at..)?.starts_with(name).then_some(at + name.len())?;
        Some(vchars_end(line, value))
    };
    let is_end = |at: Option<usize>| at == Some(line.len());
    if tail == line.len() {
        return true;
    }
    if let Some(at) = word_behind(tail, b" tls_version=") {
        return is_end(word_behind(at, b" protocol="));
    }
    let Some(at) = word_behind(tail, b" protocol=") else { return false };
    let is_tls = || is_end(behind(line, at, b" tls=true").and_then(|at| word_behind(at, b" tls_version=")));
    at == line.len() || is_end(behind(line, at, b" tls=false")) || is_tls()
}

/// Where the values of a line end whose fields are all in today's order: what [`Fields`] hands out without a walk.
///
/// [`Fields`]: crate::Fields
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    ends: [u32; Ends::NAMES.len()],
    /// How many of the names the line has: some of the last may be missing.
    count: u8,
}

impl Ends {
    /// No line.
    pub(crate) const NONE: Self = Self { ends: [0; Self::NAMES.len()], count: 0 };

    const NAMES: [(&'static [u8], Name, Quote); 14] = [
        (b"at", Name::At, Quote::None),
        (b"method", Name::Method, Quote::None),
        (b"path", Name::Path, Quote::Closed),
        (b"host", Name::Host, Quote::None),
        (b"request_id", Name::RequestId, Quote::None),
        (b"fwd", Name::Fwd, Quote::Closed),
        (b"dyno", Name::Dyno, Quote::None),
        (b"connect", Name::Connect, Quote::None),
        (b"service", Name::Service, Quote::None),
        (b"status", Name::Status, Quote::None),
        (b"bytes", Name::Bytes, Quote::None),
        (b"protocol", Name::Protocol, Quote::None),
        (b"tls", Name::Tls, Quote::None),
        (b"tls_version", Name::TlsVersion, Quote::None),
    ];

    /// The nth name, where it stands, how its value is quoted, and where that ends.
    #[inline]
    pub(crate) fn get(&self, nth: u8) -> Option<(&'static [u8], Zone, Quote, usize)> {
        let (name, known, quote) = Self::NAMES.get(usize::from(nth)).filter(|_| nth < self.count)?;
        Some((name, known.zone(), *quote, *self.ends.get(usize::from(nth))? as usize))
    }
}

/// Where the client's words stand in the middle, in today's order:
///
/// ```text
/// middle = text DQUOTE SP "host=" *VCHAR SP "request_id=" *VCHAR SP "fwd=" DQUOTE text DQUOTE
/// text   = *<any byte but DQUOTE and "\">
/// VCHAR  = <any byte above DQUOTE>
/// ```
///
/// There is no quote but the three, so nobody plays with them. Since `fwd` does not begin with a space, its
/// own quote and what follows do not look like the end of the path, `" host=`.
#[derive(Clone, Copy)]
pub(crate) struct Middle {
    path: u32,
    path_end: u32,
    host_end: u32,
    request_id_end: u32,
    quote: u32,
}

impl Middle {
    #[inline]
    fn of(line: &[u8], path: usize, quote: usize) -> Option<Self> {
        let path_end = text_end(line, path);
        let host_end = vchars_end(line, behind(line, path_end, b"\" host=")?);
        let request_id_end = id_end(line, behind(line, host_end, b" request_id=")?);
        let fwd = behind(line, request_id_end, b" fwd=\"")?;
        if text_end(line, fwd) != quote || line.get(fwd) == Some(&b' ') {
            return None;
        }
        let [path, path_end, host_end, request_id_end, quote] =
            [path, path_end, host_end, request_id_end, quote].map(|end| end as u32);
        Some(Self { path, path_end, host_end, request_id_end, quote })
    }

    #[inline]
    pub(crate) fn value<'a>(&self, line: &'a [u8], name: Name) -> Option<&'a [u8]> {
        let (start, end) = match name {
            Name::Path => (self.path as usize, self.path_end),
            Name::Host => (self.path_end as usize + b"\" host=".len(), self.host_end),
            Name::RequestId => (self.host_end as usize + b" request_id=".len(), self.request_id_end),
            Name::Fwd => (self.request_id_end as usize + b" fwd=\"".len(), self.quote),
            _ => return None,
        };
        line.get(start..end as usize).filter(|value| !value.is_empty())
    }
}

/// Where a request id ends, which is one of 36 bytes unless the client chose it.
#[inline]
fn id_end(line: &[u8], at: usize) -> usize {
    match line.get(at..).and_then(<[u8]>::first_chunk::<37>) {
        Some([id @ .., b' ']) if id.iter().fold(true, |good, &byte| good & (byte > b'"')) => at + 36,
        _ => vchars_end(line, at),
    }
}

/// What stands before the path.
struct Front {
    code: Option<Code>,
    desc: usize,
    method: usize,
}

impl Front {
    #[inline]
    fn of(line: &[u8]) -> Option<Self> {
        match behind(line, 0, b"at=info method=") {
            Some(method) => Some(Self { code: None, desc: 0, method }),
            None => Self::of_error(line),
        }
    }

    #[inline(never)]
    fn of_error(line: &[u8]) -> Option<Self> {
        let at = behind(line, 0, b"sock=").map_or(Some(0), |sock| behind(line, bare_end(line, sock)?, b" "))?;
        let at = bare_end(line, behind(line, at, b"at=")?)?;
        let (mut code, mut desc, mut at) = (None, 0, at);
        if let Some(from) = behind(line, at, b" code=") {
            code = Some(Code::parse(line.get(from..from + 3)?).filter(|&code| code != Code::MISDIRECTED)?);
            desc = behind(line, from + 3, b" desc=\"")?;
            at = quoted_end(line, desc)?;
            if let Some(cause) = behind(line, at, b" cause=\"") {
                at = quoted_end(line, cause)?;
            }
        }
        Some(Self { code, desc, method: behind(line, at, b" method=")? })
    }
}

/// Where the literal ends that stands at `at`.
#[inline]
fn behind<const N: usize>(line: &[u8], at: usize, literal: &[u8; N]) -> Option<usize> {
    // As slices: arrays of an odd length are compared piece by piece.
    let head = line.get(at..)?.first_chunk::<N>()?;
    (head[..] == literal[..]).then_some(at + N)
}

/// Where a bare value ends that is not empty.
fn bare_end(line: &[u8], from: usize) -> Option<usize> {
    let end = word_end(line, from);
    (end > from && line.get(from) != Some(&b'"')).then_some(end)
}

/// Behind the quote that closes the text.
fn quoted_end(line: &[u8], from: usize) -> Option<usize> {
    let at = from + memchr2(b'"', b'\\', line.get(from..)?)?;
    (line.get(at) == Some(&b'"')).then_some(at + 1)
}

/// What stands before the literal at the end.
#[inline]
fn strip<'a, const N: usize>(text: &'a [u8], literal: &[u8; N]) -> Option<&'a [u8]> {
    let (rest, end) = text.split_last_chunk::<N>()?;
    (end[..] == literal[..]).then_some(rest)
}

/// `*8DIGIT` at the end: their number, and what stands before them; `None` if there is no digit.
#[inline]
fn strip_digits(text: &[u8]) -> Option<(u32, &[u8])> {
    let (number, count) = last_digits(u64::from_le_bytes(*text.last_chunk()?));
    if count == 0 { None } else { Some((number, &text[..text.len() - count])) }
}

/// `SP "bytes=" *DIGIT`
#[inline]
fn strip_bytes(text: &[u8]) -> Option<(u64, &[u8])> {
    match strip_digits(text) {
        None => Some((NO_BYTES, strip(text, b" bytes=")?)),
        Some((number, rest)) => match strip(rest, b" bytes=") {
            Some(rest) => Some((u64::from(number), rest)),
            None => strip_many_bytes(text),
        },
    }
}

#[cold]
#[inline(never)]
fn strip_many_bytes(text: &[u8]) -> Option<(u64, &[u8])> {
    let (rest, digits) = text.split_at(memrchr(b'=', text)? + 1);
    let number = number(digits).ok().filter(|&number| number != NO_BYTES)?;
    Some((number, strip(rest, b" bytes=")?))
}

/// `[ 3DIGIT ]`, from 100; what stands before it ends in `status=`.
#[inline]
fn strip_status(text: &[u8]) -> Option<(u16, &[u8])> {
    let (rest, &[hundreds, tens, ones]) = text.split_last_chunk::<3>()?;
    let [hundreds, tens, ones] = [hundreds, tens, ones].map(|byte| u32::from(byte ^ b'0'));
    if hundreds.wrapping_sub(1) < 9 && tens < 10 && ones < 10 {
        return Some(((hundreds * 100 + tens * 10 + ones) as u16, rest));
    }
    Some((0, text))
}

/// `name [ 1*8DIGIT "ms" ]` and what follows that.
#[inline]
fn strip_ms<'a, const N: usize, const M: usize, const K: usize>(
    text: &'a [u8],
    without: &[u8; N],
    behind_digits: &[u8; M],
    name: &[u8; K],
) -> Option<(u32, &'a [u8])> {
    let Some(rest) = strip(text, behind_digits) else { return Some((NONE, strip(text, without)?)) };
    let (number, rest) = strip_digits(rest)?;
    Some((number, strip(rest, name)?))
}

/// `DQUOTE SP "dyno=" *VCHAR`: up to the quote.
#[inline]
fn strip_dyno(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    while let Some((before, bytes)) = rest.split_last_chunk::<8>() {
        // Most often `o=web.12`: the value, and the `=` before it.
        let count = last_bare(u64::from_le_bytes(*bytes));
        if count < 8 {
            return strip(&rest[..rest.len() - count], b" dyno=");
        }
        rest = before;
    }
    None
}
