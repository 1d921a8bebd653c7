use crate::line::name::Name;
use core::fmt;

/// What the client of a request sent: [`RouterLine::client`](crate::RouterLine::client). Any bytes, to be escaped where
/// they are shown.
///
/// ```
/// use heroku_router::RouterLine;
///
/// let line = br#"at=info method=GET path="/cart" host=shop.example.com request_id=r-1 fwd="192.0.2.7" dyno=web.3 status=200"#;
/// let client = RouterLine::parse(line).ok_or("no router line")?.client();
/// assert_eq!((client.path(), client.request_id()), (Some(&b"/cart"[..]), Some(&b"r-1"[..])));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Client<'a> {
    path: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
    request_id: Option<&'a [u8]>,
    fwd: Option<&'a [u8]>,
}

impl<'a> Client<'a> {
    #[inline]
    pub(crate) fn new(value: impl Fn(Name) -> Option<&'a [u8]>) -> Self {
        let [path, host, request_id, fwd] = [Name::Path, Name::Host, Name::RequestId, Name::Fwd].map(value);
        Self { path, host, request_id, fwd }
    }

    /// The path with its query: percent-decoded by Router 2.0, as the client sent it before; about 8 KiB at most.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = br#"method=GET path="/a "quoted" name" host=shop.example.com fwd="192.0.2.7" dyno=web.1"#;
    /// assert_eq!(RouterLine::parse(line).and_then(|line| line.client().path()), Some(&br#"/a "quoted" name"#[..]));
    /// ```
    #[inline]
    #[must_use]
    pub const fn path(&self) -> Option<&'a [u8]> {
        self.path
    }

    /// The Host header.
    #[inline]
    #[must_use]
    pub const fn host(&self) -> Option<&'a [u8]> {
        self.host
    }

    /// The id of the request: the router's, or 20 to 200 characters of the client's. Not on lines before 2013.
    #[inline]
    #[must_use]
    pub const fn request_id(&self) -> Option<&'a [u8]> {
        self.request_id
    }

    /// The X-Forwarded-For header, the address that connected to Heroku last; see [`fwd_list`](Self::fwd_list).
    #[inline]
    #[must_use]
    pub const fn fwd(&self) -> Option<&'a [u8]> {
        self.fwd
    }

    /// `fwd` at its commas, without the spaces around them and without empty parts.
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let line = RouterLine::parse(br#"method=GET fwd="198.51.100.4, 192.0.2.7""#).ok_or("no router line")?;
    /// assert_eq!(line.client().fwd_list().last(), Some(&b"192.0.2.7"[..]));
    /// # Ok::<(), &str>(())
    /// ```
    pub fn fwd_list(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let parts = self.fwd.unwrap_or_default().split(|&byte| byte == b',');
        parts.map(<[u8]>::trim_ascii).filter(|part| !part.is_empty())
    }
}

impl fmt::Debug for Client<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client(")?;
        let fields = [("path", self.path), ("host", self.host), ("request_id", self.request_id), ("fwd", self.fwd)];
        for (nth, (name, value)) in fields.into_iter().filter_map(|(name, value)| Some((name, value?))).enumerate() {
            write!(f, "{}{name}={}", if nth == 0 { "" } else { " " }, value.escape_ascii())?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use crate::line::RouterLine;

    #[test]
    fn debug_shows_what_is_there() {
        let client = RouterLine::parse(br#"method=GET path="/\xe9" fwd="192.0.2.7""#).unwrap().client();
        assert_eq!(format!("{client:?}"), r"Client(path=/\\xe9 fwd=192.0.2.7)");
        assert_eq!(format!("{:?}", RouterLine::parse(b"method=GET").unwrap().client()), "Client()");
    }
}
