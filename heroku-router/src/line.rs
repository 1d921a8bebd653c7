use crate::fields::Quote;
use crate::layout::{Layout, Zone};
use crate::name::Name;
use crate::{Code, Field, FieldRefusal, FieldRefusalKind, Fields, platform};
use core::fmt;
use logfmt_metrics::{NumberErrorKind, number};

/// A line of the router: one request, finished or failed.
///
/// Borrows the line and keeps offsets; numbers are read when asked for. Every accessor answers `None` for a field that
/// is not there, one that is empty (`dyno=`), and one that is [refused](Self::refusals);
/// [`is_present`](Self::is_present) tells the first from the others. Bytes are as they stand between the quotes, any
/// octets: nothing here is checked for UTF-8, and what the client wrote (`path`, `host`, `request_id`, `fwd`, `agent`)
/// is to be escaped where it is shown.
///
/// ```
/// use heroku_router::RouterLine;
///
/// let line = br#"at=info method=GET path="/cart?item=7" host=shop.example.com request_id=0c1f7b52-6a4e-4f3c-9b1d-2f6f0e9d4a11 fwd="192.0.2.7" dyno=web.3 connect=1ms service=18ms status=200 bytes=5120 protocol=https"#;
/// let line = RouterLine::parse(line).ok_or("no router line")?;
/// assert_eq!(line.method(), Some(&b"GET"[..]));
/// assert_eq!(line.path(), Some(&b"/cart?item=7"[..]));
/// assert_eq!(line.dyno(), Some(&b"web.3"[..]));
/// assert_eq!((line.connect_ms(), line.service_ms()), (Some(1.0), Some(18.0)));
/// assert_eq!((line.status(), line.bytes()), (Some(200), Some(5120)));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy)]
pub struct RouterLine<'a> {
    line: &'a [u8],
    layout: Layout,
    slots: [Slot; Name::COUNT],
    /// The first field of another name whose quote is open: where it starts.
    open: Option<u32>,
}

/// Where a field stands.
#[derive(Clone, Copy)]
struct Slot {
    offset: u32,
    value: u32,
    len: u32,
    quote: Quote,
    zone: Zone,
}

impl Slot {
    /// No field starts here: the line is shorter.
    const ABSENT: Self = Self { offset: u32::MAX, value: u32::MAX, len: 0, quote: Quote::None, zone: Zone::Middle };

    const fn is_present(self) -> bool {
        self.offset != u32::MAX
    }
}

impl<'a> RouterLine<'a> {
    /// Reads a line of APP-NAME `heroku`, PROCID `router`. Never panics, allocates nothing, linear in the line.
    ///
    /// It is a router line when at least one of `code`, `method`, `path` and `status` has a value, outside of quoted
    /// values, or when it has the form of before October 2012, `Error H12 (Request timeout) -> GET host/path …`. So
    /// `at=info` alone is none, nor is the nginx line of 2010; neither is a line of 4 GiB.
    ///
    /// An application can print the same text: match APP-NAME and PROCID before.
    ///
    /// ```
    /// use heroku_router::RouterLine;
    /// assert!(RouterLine::parse(b"method=GET path=/ status=200").is_some());
    /// for text in [&b"foo bar baz"[..], b"at=info", b"=", b"", b"State changed from starting to up"] {
    ///     assert!(RouterLine::parse(text).is_none());
    /// }
    /// ```
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        // One less, so that `u32::MAX` is no offset.
        if line.len() >= u32::MAX as usize {
            return None;
        }
        let layout = Layout::of(line);
        let mut parsed = Self { line, layout, slots: [Slot::ABSENT; Name::COUNT], open: None };
        for field in Fields::new(line, layout) {
            parsed.take(&field);
        }
        let tells = [Name::Code, Name::Method, Name::Path, Name::Status];
        tells.into_iter().any(|name| parsed.value(name).is_some()).then_some(parsed)
    }

    /// The first field of a name stands, but for what a client may have written: see [`Layout`].
    fn take(&mut self, field: &Field<'_>) {
        let Some(value) = field.value() else { return };
        let Some(name) = Name::of(field.name(), self.layout.is_old()) else {
            if field.quote() == Quote::Open && self.open.is_none() {
                self.open = Some(field.offset() as u32);
            }
            return;
        };
        let (place, zone) = (name.place(), field.zone());
        let Some(slot) = self.slots.get_mut(name as usize) else { return };
        let is_better = place == Zone::Numbers && zone == Zone::Numbers && slot.zone == Zone::Middle;
        if (slot.is_present() && !is_better) || self.layout.is_misplaced(place, zone, self.line) {
            return;
        }
        *slot = Slot {
            offset: field.offset() as u32,
            value: field.value_offset() as u32,
            len: value.len() as u32,
            quote: field.quote(),
            zone,
        };
    }

    /// The line that was read.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// assert_eq!(RouterLine::parse(b"status=200").map(|line| line.as_bytes()), Some(&b"status=200"[..]));
    /// ```
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.line
    }

    /// `info`, `warning` or `error`. Not the sign of an error, which is [`code`](Self::code): H80 to H82 are `info`.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(b"at=warning code=H28 method=GET");
    /// assert_eq!(line.and_then(|line| line.at()), Some(&b"warning"[..]));
    /// ```
    #[must_use]
    pub fn at(&self) -> Option<&'a [u8]> {
        self.value(Name::At)
    }

    /// The error code as written: also one that is no code, such as `H999`.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(b"at=error code=H999 method=GET").ok_or("no router line")?;
    /// assert_eq!((line.code_text(), line.code()), (Some(&b"H999"[..]), None));
    /// # Ok::<(), &str>(())
    /// ```
    #[must_use]
    pub fn code_text(&self) -> Option<&'a [u8]> {
        self.value(Name::Code)
    }

    /// The error code; the `blank-app` of 2013 is H81.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(br#"at=info code=blank-app desc="Blank app" method=GET"#);
    /// assert_eq!(line.and_then(|line| line.code()).map(|code| code.as_str()), Some("H81"));
    /// ```
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.code_text().and_then(code)
    }

    /// The error in words, as the router puts them.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(br#"at=error code=H14 desc="No web processes running" method=GET"#);
    /// assert_eq!(line.and_then(|line| line.desc()), Some(&b"No web processes running"[..]));
    /// ```
    #[must_use]
    pub fn desc(&self) -> Option<&'a [u8]> {
        self.value(Name::Desc)
    }

    /// Why, on H26: `bad chunk`, `bad header`, `unsupported expect header value`.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(br#"at=error code=H26 desc="Request Error" cause="bad chunk" method=GET"#);
    /// assert_eq!(line.and_then(|line| line.cause()), Some(&b"bad chunk"[..]));
    /// ```
    #[must_use]
    pub fn cause(&self) -> Option<&'a [u8]> {
        self.value(Name::Cause)
    }

    /// Whose socket broke, on H18 and H27: `client` or `backend`.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(b"sock=backend at=error code=H18 method=GET");
    /// assert_eq!(line.and_then(|line| line.sock()), Some(&b"backend"[..]));
    /// ```
    #[must_use]
    pub fn sock(&self) -> Option<&'a [u8]> {
        self.value(Name::Sock)
    }

    /// The HTTP method: any token, at most 127 octets by Heroku's rule.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// assert_eq!(RouterLine::parse(b"method=PURGE").and_then(|line| line.method()), Some(&b"PURGE"[..]));
    /// ```
    #[must_use]
    pub fn method(&self) -> Option<&'a [u8]> {
        self.value(Name::Method)
    }

    /// The path with its query: percent-decoded by Router 2.0, as the client sent it before; about 8 KiB at most.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = br#"method=GET path="/a "quoted" name" host=shop.example.com fwd="192.0.2.7" dyno=web.1"#;
    /// assert_eq!(RouterLine::parse(line).and_then(|line| line.path()), Some(&br#"/a "quoted" name"#[..]));
    /// ```
    #[must_use]
    pub fn path(&self) -> Option<&'a [u8]> {
        self.value(Name::Path)
    }

    /// The Host header.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(br#"method=GET path="/" host=shop.example.com"#);
    /// assert_eq!(line.and_then(|line| line.host()), Some(&b"shop.example.com"[..]));
    /// ```
    #[must_use]
    pub fn host(&self) -> Option<&'a [u8]> {
        self.value(Name::Host)
    }

    /// The id of the request: the router's, or 20 to 200 characters of the client's. Not on lines before 2013.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(b"method=GET request_id=0c1f7b52-6a4e-4f3c-9b1d-2f6f0e9d4a11");
    /// assert_eq!(line.and_then(|line| line.request_id()), Some(&b"0c1f7b52-6a4e-4f3c-9b1d-2f6f0e9d4a11"[..]));
    /// ```
    #[must_use]
    pub fn request_id(&self) -> Option<&'a [u8]> {
        self.value(Name::RequestId)
    }

    /// The X-Forwarded-For header, the address that connected to Heroku last; see [`fwd_list`](Self::fwd_list).
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(br#"method=GET fwd="198.51.100.4, 192.0.2.7""#);
    /// assert_eq!(line.and_then(|line| line.fwd()), Some(&b"198.51.100.4, 192.0.2.7"[..]));
    /// ```
    #[must_use]
    pub fn fwd(&self) -> Option<&'a [u8]> {
        self.value(Name::Fwd)
    }

    /// `fwd` at its commas, without the spaces around them and without empty parts.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(br#"method=GET fwd="198.51.100.4, 192.0.2.7""#).ok_or("no router line")?;
    /// assert_eq!(line.fwd_list().last(), Some(&b"192.0.2.7"[..]));
    /// # Ok::<(), &str>(())
    /// ```
    pub fn fwd_list(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let parts = self.fwd().unwrap_or_default().split(|&octet| octet == b',');
        parts.map(<[u8]>::trim_ascii).filter(|part| !part.is_empty())
    }

    /// The dyno that answered, by its logical name, `web.1`; `None` when the request reached none.
    ///
    /// Some lines before October 2012 say `web=` for it.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// assert_eq!(RouterLine::parse(b"method=GET dyno=web.1").and_then(|line| line.dyno()), Some(&b"web.1"[..]));
    /// assert_eq!(RouterLine::parse(b"method=GET dyno= status=503").and_then(|line| line.dyno()), None);
    /// ```
    #[must_use]
    pub fn dyno(&self) -> Option<&'a [u8]> {
        self.value(Name::Dyno)
    }

    /// `http` or `https` on lines of the legacy router (the scheme of the URL), `http1.1` or `http2.0` on those of
    /// Router 2.0 (the version of HTTP). Not on lines before 2016.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(b"method=GET protocol=http2.0 tls=true tls_version=tls1.3");
    /// assert_eq!(line.and_then(|line| line.protocol()), Some(&b"http2.0"[..]));
    /// ```
    #[must_use]
    pub fn protocol(&self) -> Option<&'a [u8]> {
        self.value(Name::Protocol)
    }

    /// `tls1.2`, `tls1.3`, `unknown` and older: with Router 2.0, and in Private Spaces before.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(b"method=GET protocol=http2.0 tls=true tls_version=tls1.3");
    /// assert_eq!(line.and_then(|line| line.tls_version()), Some(&b"tls1.3"[..]));
    /// ```
    #[must_use]
    pub fn tls_version(&self) -> Option<&'a [u8]> {
        self.value(Name::TlsVersion)
    }

    /// The User-Agent of the client, on H31.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(br#"code=H31 method=GET status=421 agent="curl/8.5.0""#);
    /// assert_eq!(line.and_then(|line| line.agent()), Some(&b"curl/8.5.0"[..]));
    /// ```
    #[must_use]
    pub fn agent(&self) -> Option<&'a [u8]> {
        self.value(Name::Agent)
    }

    /// Whether the client spoke TLS, with Router 2.0.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(b"method=GET protocol=http1.1 tls=false");
    /// assert_eq!(line.and_then(|line| line.tls()), Some(false));
    /// ```
    #[must_use]
    pub fn tls(&self) -> Option<bool> {
        self.read(Name::Tls, flag)
    }

    /// Milliseconds until the dyno took the connection; 5,000 at most by Heroku's rule. Written `1ms`, `1` or `2s`.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// assert_eq!(RouterLine::parse(b"method=GET connect=1ms").and_then(|line| line.connect_ms()), Some(1.0));
    /// ```
    #[must_use]
    pub fn connect_ms(&self) -> Option<f64> {
        self.read(Name::Connect, milliseconds)
    }

    /// Milliseconds from the connection to the last octet of the answer; of a WebSocket (status 101), its whole life.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// assert_eq!(RouterLine::parse(b"method=GET service=2s").and_then(|line| line.service_ms()), Some(2_000.0));
    /// assert_eq!(RouterLine::parse(b"method=GET service=").and_then(|line| line.service_ms()), None);
    /// ```
    #[must_use]
    pub fn service_ms(&self) -> Option<f64> {
        self.read(Name::Service, milliseconds)
    }

    /// Milliseconds in the router's queue, until March 2013.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// assert_eq!(RouterLine::parse(b"method=GET queue=0 wait=0ms").and_then(|line| line.wait_ms()), Some(0.0));
    /// ```
    #[must_use]
    pub fn wait_ms(&self) -> Option<f64> {
        self.read(Name::Wait, milliseconds)
    }

    /// Requests in the router's queue, until March 2013.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// assert_eq!(RouterLine::parse(b"method=GET queue=4 wait=0ms").and_then(|line| line.queue()), Some(4));
    /// ```
    #[must_use]
    pub fn queue(&self) -> Option<u64> {
        self.read(Name::Queue, platform::number)
    }

    /// The HTTP status, 100..=999; 499 when the client went away. Empty on H24. An H18 can say 200: the dyno had
    /// sent its headers.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// assert_eq!(RouterLine::parse(b"method=GET status=503").and_then(|line| line.status()), Some(503));
    /// ```
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.read(Name::Status, status)
    }

    /// Octets of the answer; on errors, those of the platform's error page.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// assert_eq!(RouterLine::parse(b"method=GET bytes=567").and_then(|line| line.bytes()), Some(567));
    /// ```
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.read(Name::Bytes, platform::number)
    }

    /// All fields in the order of the line: unknown and repeated ones and bare words too.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(b"method=GET status=200 colour=blue").ok_or("no router line")?;
    /// let colour = line.fields().find(|field| field.name() == b"colour").and_then(|field| field.value());
    /// assert_eq!(colour, Some(&b"blue"[..]));
    /// # Ok::<(), &str>(())
    /// ```
    #[must_use]
    pub fn fields(&self) -> Fields<'a> {
        Fields::new(self.line, self.layout)
    }

    /// Whether the field stood there with a `=`, even an empty one, even one that is refused.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(b"method=GET dyno= status=503").ok_or("no router line")?;
    /// assert!(line.is_present("dyno") && !line.is_present("service"));
    /// # Ok::<(), &str>(())
    /// ```
    #[must_use]
    pub fn is_present(&self, name: impl AsRef<[u8]>) -> bool {
        let name = name.as_ref();
        match Name::of(name, false) {
            Some(name) => self.slot(name).is_present(),
            None => self.fields().any(|field| field.name() == name && field.value().is_some()),
        }
    }

    /// The fields that could not be read. The request counts all the same; each of these has no value, but for one with
    /// an open quote, whose text is what there is of it.
    ///
    /// An open quote of a field that this crate does not know is told of the field `unknown`.
    ///
    /// ```
    /// # use heroku_router::{FieldRefusalKind, RouterLine};
    /// let line = RouterLine::parse(b"method=GET service=1h status=20.0").ok_or("no router line")?;
    /// let refused: Vec<_> = line.refusals().map(|refusal| (refusal.field(), refusal.kind())).collect();
    /// assert_eq!(refused, [("service", FieldRefusalKind::BadUnit), ("status", FieldRefusalKind::BadStatus)]);
    /// # Ok::<(), &str>(())
    /// ```
    pub fn refusals(&self) -> impl Iterator<Item = FieldRefusal> + Clone + use<'a> {
        let line = *self;
        let len = |offset: u32| line.line.len() as u32 - offset;
        let unknown = self
            .open
            .map(|offset| FieldRefusal::new(FieldRefusalKind::UnterminatedQuote, "unknown", offset, len(offset)));
        Name::ALL.into_iter().filter_map(move |name| line.refusal(name)).chain(unknown)
    }

    fn refusal(&self, name: Name) -> Option<FieldRefusal> {
        let slot = self.slot(name);
        let value = self.value(name)?;
        let kind = if slot.quote == Quote::Open {
            Some(FieldRefusalKind::UnterminatedQuote)
        } else {
            match name {
                Name::Connect | Name::Service | Name::Wait => milliseconds(value).err(),
                Name::Queue | Name::Bytes => platform::number(value).err(),
                Name::Status => status(value).err(),
                Name::Tls => flag(value).err(),
                Name::Code => code(value).is_none().then_some(FieldRefusalKind::BadCode),
                _ => None,
            }
        };
        let end = slot.value + slot.len + u32::from(slot.quote == Quote::Closed);
        kind.map(|kind| FieldRefusal::new(kind, name.as_str(), slot.offset, end - slot.offset))
    }

    fn slot(&self, name: Name) -> Slot {
        self.slots.get(name as usize).copied().unwrap_or(Slot::ABSENT)
    }

    /// The value of a field; an empty one is absent.
    fn value(&self, name: Name) -> Option<&'a [u8]> {
        let slot = self.slot(name);
        let start = slot.value as usize;
        self.line.get(start..start + slot.len as usize).filter(|value| !value.is_empty())
    }

    fn read<T>(&self, name: Name, rule: fn(&[u8]) -> Result<T, FieldRefusalKind>) -> Option<T> {
        if self.slot(name).quote == Quote::Open { None } else { self.value(name).and_then(|value| rule(value).ok()) }
    }
}

impl fmt::Debug for RouterLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RouterLine({:?})", self.fields())
    }
}

fn code(value: &[u8]) -> Option<Code> {
    if value == b"blank-app" { Some(Code::BLANK_APP) } else { Code::parse(value) }
}

/// `"true" / "false"`
fn flag(value: &[u8]) -> Result<bool, FieldRefusalKind> {
    match value {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(FieldRefusalKind::BadFlag),
    }
}

/// `3DIGIT`, from 100: RFC 9110, 15.
fn status(value: &[u8]) -> Result<u16, FieldRefusalKind> {
    match *value {
        [hundreds @ b'1'..=b'9', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
            Ok(u16::from(hundreds - b'0') * 100 + u16::from(tens - b'0') * 10 + u16::from(ones - b'0'))
        }
        _ => Err(FieldRefusalKind::BadStatus),
    }
}

/// `1*DIGIT ["ms"]` is what routers write; any number with `ms`, `s` or no unit is read, from 0 to 64 bits.
fn milliseconds(value: &[u8]) -> Result<f64, FieldRefusalKind> {
    const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
    let time = number(value).map_err(|error| match error.kind() {
        NumberErrorKind::NotFinite => FieldRefusalKind::OutOfRange,
        NumberErrorKind::BadUnit => FieldRefusalKind::BadUnit,
        _ => FieldRefusalKind::NotANumber,
    })?;
    let scale = match time.unit().as_str() {
        "" | "ms" => 1.0,
        "s" => 1_000.0,
        _ => return Err(FieldRefusalKind::BadUnit),
    };
    let time = time.number() * scale;
    if (0.0..TWO_TO_64).contains(&time) { Ok(time) } else { Err(FieldRefusalKind::OutOfRange) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds() {
        use FieldRefusalKind::{BadUnit, NotANumber, OutOfRange};
        for (text, time) in [
            ("0", Ok(0.0)),
            ("30ms", Ok(30.0)),
            ("30", Ok(30.0)),
            ("2s", Ok(2_000.0)),
            ("1.5ms", Ok(1.5)),
            ("0.0005s", Ok(0.5)),
            ("30001ms", Ok(30_001.0)),
            ("18446744073709549568ms", Ok(18_446_744_073_709_549_568.0)),
            ("18446744073709551616ms", Err(OutOfRange)),
            ("99999999999999999999ms", Err(OutOfRange)),
            ("18446744073709552s", Err(OutOfRange)),
            ("1e999", Err(OutOfRange)),
            ("-1ms", Err(OutOfRange)),
            ("-0", Ok(0.0)),
            ("1us", Err(BadUnit)),
            ("1sm", Err(BadUnit)),
            ("1m", Err(BadUnit)),
            ("1MS", Err(BadUnit)),
            ("1ms,", Err(BadUnit)),
            ("0x1ms", Err(BadUnit)),
            ("abc", Err(NotANumber)),
            ("ms", Err(NotANumber)),
            ("NaN", Err(NotANumber)),
            ("inf", Err(NotANumber)),
            ("-", Err(NotANumber)),
        ] {
            assert_eq!(milliseconds(text.as_bytes()), time, "{text}");
        }
    }

    #[test]
    fn statuses_have_three_digits() {
        for number in 100..=999 {
            assert_eq!(status(number.to_string().as_bytes()), Ok(number));
        }
        for text in ["0", "20", "099", "000", "1000", "2000", "20x", "+20", "-20", "2 0", "200.0", "2e2"] {
            assert_eq!(status(text.as_bytes()), Err(FieldRefusalKind::BadStatus), "{text}");
        }
    }

    #[test]
    fn a_view_is_small_enough_to_pass_around() {
        assert!(size_of::<RouterLine<'_>>() <= 512, "{}", size_of::<RouterLine<'_>>());
    }
}
