//! Where in a router line the platform speaks, and where the client.

use crate::code::Code;
use core::ops::Range;
use logfmt_metrics::{Pair, pairs};
use memchr::{memchr, memmem, memrchr};

/// Where in a line the client's words begin and end.
///
/// A router writes, in this order, what it knows (`at code desc method`), what the client said (`path host request_id
/// fwd`), and what it measured (`dyno connect service status bytes`, then names and flags). The client's part is
/// written as it came, and Router 2.0 decodes paths, so it can hold quotes, spaces and whole fields:
///
/// ```text
/// at=info method=GET path="/" fwd="" dyno=web.9 status=500 " host=shop.example.com fwd="192.0.2.1" dyno=web.1 connect=
/// |---- front ------|------------------------------ middle --------------------------------------|---- numbers -------
/// ```
///
/// No quoting tells where such a path ends. But nothing of the client's stands before `path=`, and nothing of it stands
/// behind the quote that closes `fwd=`, the last one of the line. So the line is read from both ends. Within the
/// middle, the path ends at the last `" host=` and `fwd` at the last quote. Where that is not how the quotes read by
/// themselves, someone plays with them, and nothing that belongs into front or numbers is taken from the middle: a
/// client garbles its own words only. Where it is, fields may stand in any order, but one among the numbers beats one
/// in the middle. And where both ends are whole, as today's routers write them, the line has said all that the platform
/// had to say: nothing of it is taken from the middle, however that reads, and nothing there is refused.
///
/// The exception is H31, which writes the client's User-Agent behind the numbers. They are always the same on
/// it (no dyno was asked, the status is 421), so the last text that says just that is taken for them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    /// Where `path=` starts, else the end of the line.
    front: u32,
    /// Where the numbers start, else the end of the line.
    pub(crate) numbers: u32,
    /// Whether `method` stands in the front, as routers write it.
    front_stands: bool,
    /// Whether the middle reads in more than one way.
    is_garbled: bool,
    /// Whether front and numbers are whole: the middle is then the client's alone.
    is_whole: bool,
    /// `path`, `fwd` and `agent`, where they are quoted.
    spans: [Option<Span>; 3],
    pub(crate) old: Option<Old>,
}

/// Who wrote a part of the line: see [`Layout`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Zone {
    /// Before the path: the platform.
    Front,
    /// The client, or it cannot be told.
    Middle,
    /// Behind the last quote: the platform.
    Numbers,
}

/// How a value stands in the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Quote {
    None,
    Closed,
    Open,
}

/// A quoted value of the client's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    /// Behind the opening quote.
    start: u32,
    /// The closing quote, or the end of the line.
    pub(crate) end: u32,
    pub(crate) is_open: bool,
}

impl Layout {
    /// `line` is shorter than 4 GiB, as the caller has checked. Linear in it.
    pub(crate) fn of(line: &[u8]) -> Self {
        let end = line.len() as u32;
        let mut layout = Self {
            front: end,
            numbers: end,
            front_stands: false,
            is_garbled: false,
            is_whole: false,
            spans: [None; 3],
            old: None,
        };
        if let Some(old) = Old::parse(line) {
            return Self { front: old.host.0, numbers: old.end, front_stands: true, old: Some(old), ..layout };
        }
        let (mut code, mut path) = (None, None);
        for pair in pairs(line) {
            match (pair.key(), pair.value()) {
                (b"code", Some(value)) if code.is_none() => code = Some(value),
                (b"method", Some(_)) => layout.front_stands = true,
                (b"path", Some(_)) => {
                    path = Some(pair);
                    break;
                }
                _ => {}
            }
        }
        let Some(path) = path else { return layout };
        layout.front = path.offset() as u32;

        let is_misdirected = code.and_then(Code::parse) == Some(Code::MISDIRECTED);
        let middle = ClientPart::of(line, if is_misdirected { misdirected_numbers(line) } else { None });
        let path_span = path.is_quoted().then(|| middle.path(&path, &mut layout.is_garbled));
        let behind_path = path_span.map_or(path.range().end, |span| span.behind());
        let fwd_span = middle.fwd(behind_path, &mut layout.is_garbled);
        let agent_span = if is_misdirected { agent_span(line, middle.numbers) } else { None };
        layout.spans = [path_span, fwd_span, agent_span];
        // Of a line that was cut within the client's words, nothing behind them is the platform's.
        if !layout.spans.iter().flatten().any(|span| span.is_open && span.end == end) {
            layout.numbers = middle.numbers as u32;
        }
        let (front, numbers) = (line.get(..path.offset()), line.get(layout.numbers as usize..));
        layout.is_whole = front.is_some_and(is_whole_front) && numbers.is_some_and(are_whole_numbers);
        layout
    }

    /// Whether what stands in `zone` is the client's, and no field or fault of it the platform's.
    pub(crate) fn is_of_client(&self, zone: Zone) -> bool {
        self.is_whole && zone == Zone::Middle
    }

    /// Whether a name that routers write in `home` cannot be told, in `zone`, from what a client wrote.
    pub(crate) fn is_misplaced(&self, home: Zone, zone: Zone, line: &[u8]) -> bool {
        let stands_elsewhere = match home {
            Zone::Front => self.front_stands,
            Zone::Middle => false,
            Zone::Numbers => (self.numbers as usize) < line.len(),
        };
        let is_of_platform = home != Zone::Middle;
        zone == Zone::Middle && is_of_platform && (self.is_whole || (self.is_garbled && stands_elsewhere))
    }

    pub(crate) const fn is_old(&self) -> bool {
        self.old.is_some()
    }

    pub(crate) fn zone(&self, offset: usize) -> Zone {
        if offset < self.front as usize {
            Zone::Front
        } else if offset < self.numbers as usize {
            Zone::Middle
        } else {
            Zone::Numbers
        }
    }

    pub(crate) fn span_at(&self, value_offset: usize) -> Option<Span> {
        self.spans.iter().flatten().find(|span| span.start as usize == value_offset).copied()
    }
}

/// `[ "sock" ] "at" *name "method"`, then the path: how every router since 2012 begins a line.
fn is_whole_front(front: &[u8]) -> bool {
    let is =
        |pair: Option<Pair<'_>>, name: &[u8]| pair.is_some_and(|pair| pair.key() == name && pair.value().is_some());
    is(pairs(front).find(|pair| pair.key() != b"sock"), b"at") && is(pairs(front).last(), b"method")
}

/// `"dyno" "connect" "service" "status" "bytes"`: how every router since 2013 begins the numbers.
fn are_whole_numbers(numbers: &[u8]) -> bool {
    let names: [&[u8]; 5] = [b"dyno", b"connect", b"service", b"status", b"bytes"];
    let mut pairs = pairs(numbers);
    names.into_iter().all(|name| pairs.next().is_some_and(|pair| pair.key() == name && pair.value().is_some()))
}

/// Where the numbers of an H31 start: the last text that says what they always are.
fn misdirected_numbers(line: &[u8]) -> Option<usize> {
    // The second is how Router 2.0 writes a request that reached no dyno; the size of its error page is left open.
    memmem::rfind(line, b" dyno= connect= service= status=421 bytes= ")
        .or_else(|| memmem::rfind(line, b" dyno= connect=0ms service=0ms status=421 bytes="))
}

/// What the spans of the client's words are found by.
struct ClientPart<'a> {
    line: &'a [u8],
    /// The last quote before the numbers.
    last_quote: Option<usize>,
    /// Where a value ends whose quote is open.
    end: usize,
    /// Where the numbers start, else the end of the line.
    numbers: usize,
}

impl<'a> ClientPart<'a> {
    fn of(line: &'a [u8], misdirected: Option<usize>) -> Self {
        let end = misdirected.unwrap_or(line.len());
        let last_quote = memrchr(b'"', &line[..end]);
        let start = misdirected.unwrap_or_else(|| last_quote.map_or(0, |quote| word_end(line, quote + 1)));
        let numbers = if has_dyno(&line[start..]) { start } else { line.len() };
        Self { line, last_quote, end, numbers }
    }

    /// A quoted path ends at the last `" host=` of the client's part. If there is none, it ends at the first quote,
    /// as logfmt has it, and where that makes no sense at the last one.
    fn path(&self, path: &Pair<'_>, is_garbled: &mut bool) -> Span {
        const HOST: &[u8] = b"\" host=";
        let (line, start) = (self.line, path.value_offset());
        let Some(last_quote) = self.last_quote.filter(|&quote| quote >= start) else { return self.open(start) };
        let searched = start..line.len().min(last_quote + HOST.len());
        let at_host = memmem::rfind(&line[searched], HOST).map(|at| start + at);
        let at_first = (path.is_terminated() && is_word_end(line, path.range().end)).then(|| path.range().end - 1);
        let at_host = at_host.filter(|&host| !at_first.is_some_and(|first| self.is_fwd_before_host(first, host)));
        // Read on from the quote as logfmt reads, the line must come to close its last quote, or to open `fwd`: else the quote
        // is the client's.
        let makes_sense = |quote: usize| quote == last_quote || reads_to(line, quote + 1, last_quote);
        let end = at_host.filter(|&quote| makes_sense(quote));
        let end = end.or_else(|| at_first.filter(|&quote| quote <= last_quote && makes_sense(quote)));
        let span = Span::closed(start, end.unwrap_or(last_quote));
        // Somebody plays with quotes if logfmt would end the path elsewhere, or if a ` host=` had to be passed over.
        *is_garbled = span.differs_from(path, 0) || (at_host.is_some() && at_host != end);
        span
    }

    /// Whether the line has `fwd`, its only one, before `host`, so that ` host=` does not follow the path.
    ///
    /// A path that holds a `fwd` looks the same, but then the router's own follows.
    fn is_fwd_before_host(&self, path_end: usize, host: usize) -> bool {
        let is_fwd = |pair: &Pair<'_>| pair.key() == b"fwd" && pair.value().is_some();
        let (between, behind) = (self.line.get(path_end + 1..=host), self.line.get(host + 1..));
        let last = pairs(between.unwrap_or_default()).last();
        last.is_some_and(|pair| is_fwd(&pair) && pair.is_quoted() && pair.is_terminated())
            && pairs(between.unwrap_or_default()).filter(is_fwd).count() == 1
            && !pairs(behind.unwrap_or_default()).any(|pair| is_fwd(&pair))
    }

    /// A quoted `fwd` ends at the last quote of the line when the numbers follow that, else at the last `" dyno=`, else
    /// as logfmt has it.
    ///
    /// Host and request id have no quotes. One there may be the client's, and pair up with those of its neighbours.
    fn fwd(&self, from: usize, is_garbled: &mut bool) -> Option<Span> {
        let rest = self.line.get(from..self.numbers.max(from)).unwrap_or_default();
        for pair in pairs(rest).filter(Pair::is_quoted) {
            if pair.key() != b"fwd" {
                // No router quotes another field here: look on, but trust nothing between the ends.
                *is_garbled = true;
                continue;
            }
            let start = from + pair.value_offset();
            let span = match self.last_quote {
                Some(quote) if quote >= start && self.numbers < self.line.len() => Span::closed(start, quote),
                Some(quote) if quote >= start => {
                    let at = memmem::rfind(&self.line[start..], b"\" dyno=")?;
                    Span::closed(start, start + at)
                }
                // The router's numbers stand right behind the last quote, so it closes the `fwd`: what looks like an
                // opening here is the client's text.
                Some(quote) if quote + 1 == start && self.line[start..].starts_with(b" dyno=") => {
                    *is_garbled = true;
                    return None;
                }
                Some(quote) if quote + 1 == start => self.open(start),
                _ => return None,
            };
            *is_garbled |= span.differs_from(&pair, from);
            return Some(span);
        }
        None
    }

    fn open(&self, start: usize) -> Span {
        Span { start: start as u32, end: self.end.max(start) as u32, is_open: true }
    }
}

impl Span {
    // Offsets fit 32 bits: see `Layout::of`.
    fn closed(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32, is_open: false }
    }

    /// The first byte that is not of the field.
    pub(crate) fn behind(&self) -> usize {
        self.end as usize + usize::from(!self.is_open)
    }

    /// Whether logfmt ends the value elsewhere. The pair's offsets count from `base`.
    fn differs_from(&self, pair: &Pair<'_>, base: usize) -> bool {
        self.behind() != base + pair.range().end
    }
}

/// Whether `dyno=` stands in this rest of a line, outside of quoted values: every router of today writes it.
fn has_dyno(rest: &[u8]) -> bool {
    rest.starts_with(b" dyno=") || pairs(rest).any(|pair| pair.key() == b"dyno" && pair.value().is_some())
}

/// Whether, read from here, the quote at `last` closes a value, or `fwd` opens one that it then closes.
fn reads_to(line: &[u8], from: usize, last: usize) -> bool {
    let mut ends_quoted = false;
    for pair in pairs(line.get(from..=last).unwrap_or_default()) {
        if pair.key() == b"fwd" && pair.is_quoted() {
            return true;
        }
        ends_quoted = pair.is_quoted() && pair.is_terminated();
    }
    ends_quoted
}

/// The User-Agent of an H31 is the last field: it ends at the last quote of the line when nothing follows that.
fn agent_span(line: &[u8], from: usize) -> Option<Span> {
    let agent = pairs(line.get(from..)?).find(|pair| pair.key() == b"agent" && pair.is_quoted())?;
    let start = from + agent.value_offset();
    let end = line.trim_ascii_end().len().checked_sub(1)?;
    (end >= start && line.get(end) == Some(&b'"')).then(|| Span::closed(start, end))
}

fn is_word_end(line: &[u8], at: usize) -> bool {
    line.get(at).is_none_or(|&byte| byte <= b' ')
}

fn word_end(line: &[u8], from: usize) -> usize {
    let rest = line.get(from..).unwrap_or_default();
    rest.iter().position(|&byte| byte <= b' ').map_or(line.len(), |at| from + at)
}

/// The head of a line before October 2012, without names:
///
/// ```text
/// "Error" SP code SP "(" desc ")" SP "->" SP method SP host path *( SP name "=" value )
/// ```
///
/// The path starts with the first slash. No part but `desc` has a space in it, so the client cannot reach the rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Old {
    code: (u32, u32),
    desc: (u32, u32),
    method: (u32, u32),
    host: (u32, u32),
    path: (u32, u32),
    pub(crate) end: u32,
}

impl Old {
    fn parse(line: &[u8]) -> Option<Self> {
        // An R or L code here belongs to `PlatformError`.
        let from = b"Error ".len();
        let rest = line.strip_prefix(b"Error ").filter(|rest| rest.starts_with(b"H"))?;
        let code = from..from + memmem::find(rest, b" (")?;
        if line.get(code.clone())?.contains(&b' ') {
            return None;
        }
        let from = code.end + b" (".len();
        let desc = from..from + memmem::find(line.get(from..)?, b") -> ")?;
        let from = desc.end + b") -> ".len();
        let method = from..word_end(line, from);
        let from = line.len().min(method.end + 1);
        let word = from..word_end(line, from);
        let slash = memchr(b'/', line.get(word.clone())?).map_or(word.end, |at| word.start + at);
        let pack = |range: Range<usize>| (range.start as u32, range.end as u32);
        Some(Self {
            code: pack(code),
            desc: pack(desc),
            method: pack(method),
            host: pack(word.start..slash),
            path: pack(slash..word.end),
            end: word.end as u32,
        })
    }

    pub(crate) fn fields(&self) -> [(&'static [u8], Range<usize>, Zone); 5] {
        let range = |(start, end): (u32, u32)| start as usize..end as usize;
        [
            (b"code", range(self.code), Zone::Front),
            (b"desc", range(self.desc), Zone::Front),
            (b"method", range(self.method), Zone::Front),
            (b"host", range(self.host), Zone::Middle),
            (b"path", range(self.path), Zone::Middle),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::fields::Fields;

    /// Name and value of each field.
    fn read(line: &str) -> Vec<(String, Option<String>)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fields = Fields::new(line.as_bytes(), Layout::of(line.as_bytes()));
        fields.map(|field| (text(field.name()), field.value().map(text))).collect()
    }

    fn value(line: &str, name: &str) -> Option<String> {
        read(line).into_iter().find(|(found, _)| found == name).and_then(|(_, value)| value)
    }

    #[test]
    fn a_path_ends_at_the_last_host_that_can_be_one() {
        for (line, path) in [
            (r#"path="/" host=h fwd="f" dyno="#, "/"),
            (r#"path="" host=h fwd="f" dyno="#, ""),
            (r#"path="/a" b" host=h fwd="f" dyno="#, r#"/a" b"#),
            (r#"path="/" host=x" host=h fwd="f" dyno="#, r#"/" host=x"#),
            (r#"path="/\" host=h fwd="f" dyno="#, r"/\"),
            (r#"path="/"  host=h  fwd="f"  dyno="#, "/"),
            (r#"path="/" host=h fwd=f dyno="#, "/"),
            (r#"path="/" x" host=h fwd=f dyno="#, r#"/" x"#),
            (r#"path="/" dyno="#, "/"),
            (r#"path="/" host=x" dyno="#, r#"/" host=x"#),
            (r#"path="/" fwd="f" dyno="#, "/"),
            (r#"path="/" new="n" dyno="#, "/"),
            (r#"path="/a"b" dyno="#, r#"/a"b"#),
            (r#"path="/ host=h fwd="f" dyno="#, r#"/ host=h fwd="f"#),
            (r#"path="/" host=h"#, "/"),
            (r#"path="/"#, "/"),
            (r#"path="/ host=h"#, "/ host=h"),
            (r#"path="/" fwd="f" host=h dyno="#, "/"),
            (r#"path="/" fwd="f" host=h fwd="g" dyno="#, r#"/" fwd="f"#),
            (r#"path="/" fwd="f" fwd="g" host=h dyno="#, r#"/" fwd="f" fwd="g"#),
            (r#"path="/" fwd="f" pop=x" host=h dyno="#, r#"/" fwd="f" pop=x"#),
            (r#"path="/" pop="p" host=h dyno="#, r#"/" pop="p"#),
            (r#"path=""#, ""),
            (r#"path=/a"b host=h fwd="f" dyno="#, r#"/a"b"#),
        ] {
            assert_eq!(value(line, "path").as_deref(), Some(path), "{line}");
        }
    }

    #[test]
    fn a_fwd_ends_where_the_numbers_begin() {
        for (line, fwd) in [
            (r#"path="/" host=h fwd="f" dyno="#, "f"),
            (r#"path="/" host=h fwd="" dyno="#, ""),
            (r#"path="/" host=h fwd="f" status=500" dyno="#, r#"f" status=500"#),
            (r#"path="/" host=h fwd="f" dyno=web.9" dyno="#, r#"f" dyno=web.9"#),
            (r#"path="/" host=h fwd="f\" dyno="#, r"f\"),
            (r#"path="/" host=h fwd="f" dyno= new="n""#, "f"),
            (r#"path="/" host=h fwd="f" x" dyno= new="n""#, r#"f" x"#),
            (r#"path="/" host=h fwd="f" new="n""#, "f"),
            (r#"fwd="f" path="/" host=h dyno="#, "f"),
            (r#"path="/" host=h fwd="f"#, "f"),
            (r#"path="/" host=h fwd="f dyno="#, "f dyno="),
            (r#"path=/ host=h fwd="f" dyno="#, "f"),
            ("path=/ host=h fwd=f dyno=", "f"),
        ] {
            assert_eq!(value(line, "fwd").as_deref(), Some(fwd), "{line}");
        }
    }

    #[test]
    fn numbers_are_told_by_their_dyno() {
        for (line, numbers) in [
            (r#"method=GET path="/" host=h fwd="f" dyno=web.1 status=200"#, Some(" dyno=web.1 status=200")),
            (r#"method=GET path="/" host=h fwd="f" status=200 dyno=web.1"#, Some(" status=200 dyno=web.1")),
            (r#"method=GET path="/" host=h status=1 fwd="f" status=200"#, None),
            (r#"method=GET path="/" host=h fwd="f" dyno status=200"#, None),
        ] {
            let start = line.len() - numbers.map_or(0, str::len);
            assert_eq!(Layout::of(line.as_bytes()).numbers as usize, start, "{line}");
        }
        let line = crate::RouterLine::parse(br#"method=GET path="/" host=h status=201 fwd="f" status=200"#);
        assert_eq!(
            line.and_then(|line| line.status()),
            Some(201),
            "no telling which is the router's: the first stands"
        );
    }

    #[test]
    fn every_byte_of_the_client_is_in_one_field() {
        let line = r#"method=GET path="/" dyno=web.9 " host=h request_id=r fwd="a" status=1 b" dyno=web.1 tls=true"#;
        let names: Vec<String> = read(line).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["method", "path", "host", "request_id", "fwd", "dyno", "tls"]);
    }

    #[test]
    fn an_agent_is_the_last_field() {
        let front = r#"code=H31 method=GET path="/" host=h fwd="f" dyno= connect= service= status=421 bytes= "#;
        let line = &format!(r#"{front}protocol=http agent="a" dyno=web.9 b""#);
        assert_eq!(value(line, "agent").as_deref(), Some(r#"a" dyno=web.9 b"#));
        assert_eq!(value(line, "dyno").as_deref(), Some(""));
        assert_eq!(value(line, "fwd").as_deref(), Some("f"));
    }

    #[test]
    fn old_heads() {
        let line = "Error H12 (Request timeout) -> POST h/p/q?r=s dyno=web.1 queue=";
        let expected = [
            ("code", "H12"),
            ("desc", "Request timeout"),
            ("method", "POST"),
            ("host", "h"),
            ("path", "/p/q?r=s"),
            ("dyno", "web.1"),
            ("queue", ""),
        ];
        assert_eq!(read(line), expected.map(|(name, value)| (name.to_owned(), Some(value.to_owned()))));
        for line in
            ["Error R12 (Exit timeout) -> a b", "Error H12", "Error H12 (a", "Error H12 (a) b", "Error H1 2 (a) -> b"]
        {
            assert_eq!(Old::parse(line.as_bytes()), None, "{line}");
        }
        assert_eq!(read("Error H1 (a) -> ").len(), 2);
        assert_eq!(read("Error H1 (a) -> GET").len(), 3);
        assert_eq!(read("Error H1 (a) -> GET h").len(), 4);
    }
}
