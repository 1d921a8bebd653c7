pub(crate) mod client;
mod fast;
pub(crate) mod fields;
mod layout;
mod name;
mod plain;
#[cfg(test)]
mod tests;
mod words;

use crate::code::Code;
use crate::error::{FieldRefusal, FieldRefusalKind};
use crate::line::client::Client;
use crate::line::fast::Fast;
use crate::line::fields::{Field, Fields};
use crate::line::layout::{Layout, Zone};
use crate::line::name::Name;
use crate::line::plain::{Plain, Table};
use crate::value::{code, flag, milliseconds, number, status};
use core::fmt;

/// A line of the router: one request, finished or failed.
///
/// Borrows the line. Of a line as routers write them today, the two ends are read at once, which is what metrics are made
/// of; what the client said between them is looked for when it is asked for. Every accessor answers `None` for a field that
/// is not there, one that is empty (`dyno=`), and one that is [refused](Self::refusals);
/// [`is_present`](Self::is_present) tells the first from the others. Bytes are as they stand between the quotes, any
/// bytes: nothing here is checked for UTF-8, and what the client wrote ([`client`](Self::client), [`agent`](Self::agent))
/// is to be escaped where it is shown.
///
/// ```
/// use heroku_router::RouterLine;
///
/// let line = br#"at=info method=GET path="/cart?item=7" host=shop.example.com request_id=0c1f7b52-6a4e-4f3c-9b1d-2f6f0e9d4a11 fwd="192.0.2.7" dyno=web.3 connect=1ms service=18ms status=200 bytes=5120 protocol=https"#;
/// let line = RouterLine::parse(line).ok_or("no router line")?;
/// assert_eq!(line.method(), Some(&b"GET"[..]));
/// assert_eq!(line.client().path(), Some(&b"/cart?item=7"[..]));
/// assert_eq!(line.dyno(), Some(&b"web.3"[..]));
/// assert_eq!((line.connect_ms(), line.service_ms()), (Some(1.0), Some(18.0)));
/// assert_eq!((line.status(), line.bytes()), (Some(200), Some(5120)));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy)]
pub struct RouterLine<'a> {
    line: &'a [u8],
    shape: Shape,
}

/// By which reader the line was read.
#[derive(Clone, Copy)]
enum Shape {
    Fast(Fast),
    Plain(Plain),
}

impl<'a> RouterLine<'a> {
    /// Reads a line of APP-NAME `heroku`, PROCID `router`. Never panics, allocates nothing, linear in the line.
    ///
    /// It is a router line when at least one of `code`, `method`, `path` and `status` has a value, outside of quoted
    /// values, or when it has the form of before October 2012, `Error H12 (Request timeout) -> GET host/path …`. So
    /// `at=info` alone is no router line, nor is the nginx line of 2010, nor a line of 4 GiB.
    ///
    /// An application can print the same text: match APP-NAME and PROCID before. The command line of Heroku colours each field
    /// of such a line: take the codes out before, as `logfmt_metrics::colour::Uncoloured` does.
    ///
    /// ```
    /// use heroku_router::RouterLine;
    /// assert!(RouterLine::parse(b"method=GET path=/ status=200").is_some());
    /// for text in [&b"foo bar baz"[..], b"at=info", b"=", b"", b"State changed from starting to up"] {
    ///     assert!(RouterLine::parse(text).is_none());
    /// }
    /// ```
    #[inline]
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        // One less, so that `u32::MAX` is no offset.
        if line.len() >= u32::MAX as usize {
            return None;
        }
        let shape = match Fast::of(line) {
            Some(fast) => Shape::Fast(fast),
            None => Shape::Plain(Plain::of(line)?),
        };
        Some(Self { line, shape })
    }

    /// As [`parse`](Self::parse), without the fast reader.
    #[cfg(test)]
    pub(crate) fn parse_plainly(line: &'a [u8]) -> Option<Self> {
        Some(Self { line, shape: Shape::Plain(Plain::of(line)?) })
    }

    #[cfg(test)]
    pub(crate) fn is_fast(&self) -> bool {
        matches!(self.shape, Shape::Fast(_))
    }

    /// `info`, `warning` or `error`. Not the sign of an error, which is [`code`](Self::code): H80 to H82 are `info`.
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
    #[inline]
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
    #[inline]
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.read(Name::Code, |fast| fast.code, code)
    }

    /// The error in words, as the router puts them.
    #[inline]
    #[must_use]
    pub fn desc(&self) -> Option<&'a [u8]> {
        self.value(Name::Desc)
    }

    /// Why, on H26: `bad chunk`, `bad header`, `unsupported expect header value`.
    #[must_use]
    pub fn cause(&self) -> Option<&'a [u8]> {
        self.value(Name::Cause)
    }

    /// Whose socket broke, on H18 and H27: `client` or `backend`.
    #[must_use]
    pub fn sock(&self) -> Option<&'a [u8]> {
        self.value(Name::Sock)
    }

    /// The HTTP method: any token, at most 127 bytes by Heroku's rule.
    #[inline]
    #[must_use]
    pub fn method(&self) -> Option<&'a [u8]> {
        self.value(Name::Method)
    }

    /// The dyno that answered, by its logical name, `web.1`; `None` when the request reached none.
    ///
    /// Some lines before October 2012 say `web=` for it.
    #[inline]
    #[must_use]
    pub fn dyno(&self) -> Option<&'a [u8]> {
        self.value(Name::Dyno)
    }

    /// `http` or `https` on lines of the legacy router (the scheme of the URL), `http1.1` or `http2.0` on those of
    /// Router 2.0 (the version of HTTP). Not on lines before 2016.
    #[must_use]
    pub fn protocol(&self) -> Option<&'a [u8]> {
        self.value(Name::Protocol)
    }

    /// `tls1.2`, `tls1.3`, `unknown` and older: with Router 2.0, and in Private Spaces before.
    #[inline]
    #[must_use]
    pub fn tls_version(&self) -> Option<&'a [u8]> {
        self.value(Name::TlsVersion)
    }

    /// The User-Agent of the client, on H31.
    #[must_use]
    pub fn agent(&self) -> Option<&'a [u8]> {
        self.value(Name::Agent)
    }

    /// Whether the client spoke TLS, with Router 2.0.
    #[must_use]
    pub fn tls(&self) -> Option<bool> {
        self.read(Name::Tls, |fast| fast.tls(self.line), flag)
    }

    /// Milliseconds until the dyno took the connection; 5,000 at most by Heroku's rule. Written `1ms`, `1` or `2s`.
    #[inline]
    #[must_use]
    pub fn connect_ms(&self) -> Option<f64> {
        self.read(Name::Connect, Fast::connect_ms, milliseconds)
    }

    /// Milliseconds from the connection to the last byte of the answer; of a WebSocket (status 101), its whole life.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// assert_eq!(RouterLine::parse(b"method=GET service=2s").and_then(|line| line.service_ms()), Some(2_000.0));
    /// assert_eq!(RouterLine::parse(b"method=GET service=").and_then(|line| line.service_ms()), None);
    /// ```
    #[inline]
    #[must_use]
    pub fn service_ms(&self) -> Option<f64> {
        self.read(Name::Service, Fast::service_ms, milliseconds)
    }

    /// Milliseconds in the router's queue, until March 2013.
    #[must_use]
    pub fn wait_ms(&self) -> Option<f64> {
        self.read(Name::Wait, |_| None, milliseconds)
    }

    /// Requests in the router's queue, until March 2013.
    #[must_use]
    pub fn queue(&self) -> Option<u64> {
        self.read(Name::Queue, |_| None, number)
    }

    /// The HTTP status, 100..=999; 499 when the client went away. Empty on H24. An H18 can say 200: the dyno had
    /// sent its headers.
    #[inline]
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.read(Name::Status, Fast::status, status)
    }

    /// Bytes of the answer; on errors, those of the platform's error page.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.read(Name::Bytes, Fast::bytes, number)
    }

    /// What the client sent: hostile text, found in one go.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(br#"method=GET path="/" host=shop.example.com fwd="192.0.2.7""#).ok_or("no router line")?;
    /// let client = line.client();
    /// assert_eq!((client.path(), client.host()), (Some(&b"/"[..]), Some(&b"shop.example.com"[..])));
    /// assert_eq!((client.request_id(), client.fwd()), (None, Some(&b"192.0.2.7"[..])));
    /// # Ok::<(), &str>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn client(&self) -> Client<'a> {
        let line = self.line;
        let middle = match &self.shape {
            Shape::Fast(fast) => fast.middle(line),
            Shape::Plain(_) => None,
        };
        match middle {
            Some(middle) => Client::new(|name| middle.value(line, name)),
            None => {
                let table = Table::of(line);
                Client::new(|name| table.value(line, name))
            }
        }
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
    #[inline]
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + Clone + use<'a> {
        self.all_fields()
    }

    #[inline]
    fn all_fields(&self) -> Fields<'a> {
        let ends = match &self.shape {
            Shape::Fast(fast) => fast.ends(self.line),
            Shape::Plain(_) => None,
        };
        match ends {
            Some(ends) => Fields::known(self.line, ends),
            None => Fields::new(self.line, Layout::of(self.line)),
        }
    }

    /// Whether it is seen at once that colour codes, should there be some, change none of the numbers and none of `method` and
    /// `dyno`: of most lines without a code. `false` is no judgement.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = br#"at=info method=GET path="/" host=h fwd="192.0.2.7" dyno=web.1 connect=0ms service=1ms status=200 bytes=9"#;
    /// assert!(RouterLine::parse(line).is_some_and(|line| line.is_free_of_colour()));
    /// ```
    #[inline]
    #[must_use]
    pub fn is_free_of_colour(&self) -> bool {
        match &self.shape {
            Shape::Fast(fast) => fast.is_free_of_colour(self.line),
            Shape::Plain(_) => false,
        }
    }

    /// Whether the line ends before its time: without a `status`, in the middle of one, or in the digits of `connect` or
    /// `service`. What it tells may be a part of what was, and its tags are not all of those of the request.
    ///
    /// A line of before October 2012 need have no status: it is cut when it has no `bytes`. That a line ends in the digits of
    /// `bytes` is no sign: until 2016 all did.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let is_cut = |line: &str| RouterLine::parse(line.as_bytes()).is_some_and(|line| line.is_cut());
    /// assert!(is_cut("at=info method=GET dyno=web.1 connect=1ms service=51"), "of 5123ms, perhaps");
    /// assert!(is_cut("at=info method=GET connect=1ms service=51ms status=20"));
    /// assert!(!is_cut("at=info method=GET connect=1ms service=51ms status=200 b"));
    /// ```
    #[inline]
    #[must_use]
    pub fn is_cut(&self) -> bool {
        match &self.shape {
            // It ends behind `bytes`.
            Shape::Fast(_) => false,
            Shape::Plain(plain) => plain.is_cut,
        }
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
        match (Name::of(name, false), &self.shape) {
            (None, _) => self.fields().any(|field| field.name() == name && field.value().is_some()),
            (Some(name), Shape::Fast(fast)) if name.zone() != Zone::Middle => fast.is_present(self.line, name),
            (Some(name), _) => Table::of(self.line).is_present(name),
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
    #[inline]
    pub fn refusals(&self) -> impl Iterator<Item = FieldRefusal> + Clone + use<'a> {
        let has_refusals = match &self.shape {
            // Each of its fields was read.
            Shape::Fast(_) => false,
            Shape::Plain(plain) => plain.has_refusals,
        };
        Refusals { line: self.line, nth: if has_refusals { 0 } else { Refusals::END } }
    }

    /// The value of a field but the client's; an empty one is absent.
    #[inline(always)]
    fn value(&self, name: Name) -> Option<&'a [u8]> {
        match &self.shape {
            Shape::Fast(fast) => fast.value(self.line, name),
            Shape::Plain(plain) => plain.value(self.line, name),
        }
    }

    /// What the fast reader has read, or what `rule` makes of the value.
    #[inline(always)]
    fn read<T>(
        &self,
        name: Name,
        fast: impl FnOnce(&Fast) -> Option<T>,
        rule: fn(&[u8]) -> Result<T, FieldRefusalKind>,
    ) -> Option<T> {
        match &self.shape {
            Shape::Fast(line) => fast(line),
            Shape::Plain(plain) => plain.read(self.line, name, rule),
        }
    }
}

/// Looks at one name after another. Refusals are rare, so nothing is kept from one to the next.
#[derive(Clone)]
struct Refusals<'a> {
    line: &'a [u8],
    nth: usize,
}

impl Iterator for Refusals<'_> {
    type Item = FieldRefusal;

    #[inline]
    fn next(&mut self) -> Option<FieldRefusal> {
        if self.nth == Self::END { None } else { self.find() }
    }
}

impl Refusals<'_> {
    /// Behind the last name come the fields of unknown names.
    const END: usize = Name::COUNT + 1;

    #[cold]
    fn find(&mut self) -> Option<FieldRefusal> {
        let table = Table::of(self.line);
        let found = (self.nth..Self::END).find_map(|nth| {
            let refusal = table.refusal(self.line, Name::ALL.get(nth).copied())?;
            Some((nth + 1, refusal))
        });
        self.nth = found.map_or(Self::END, |(nth, _)| nth);
        found.map(|(_, refusal)| refusal)
    }
}

impl fmt::Debug for RouterLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RouterLine({:?})", self.all_fields())
    }
}
