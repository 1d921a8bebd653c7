use crate::line::name::Name;
use core::fmt;

/// What the client of a request sent: [`RouterLine::client`](crate::RouterLine::client). Any octets, to be escaped where
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

    /// As [`RouterLine::path`](crate::RouterLine::path).
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let client = RouterLine::parse(br#"method=GET path="/cart""#).map(|line| line.client());
    /// assert_eq!(client.and_then(|client| client.path()), Some(&b"/cart"[..]));
    /// ```
    #[inline]
    #[must_use]
    pub const fn path(&self) -> Option<&'a [u8]> {
        self.path
    }

    /// As [`RouterLine::host`](crate::RouterLine::host).
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let client = RouterLine::parse(b"method=GET host=shop.example.com").map(|line| line.client());
    /// assert_eq!(client.and_then(|client| client.host()), Some(&b"shop.example.com"[..]));
    /// ```
    #[inline]
    #[must_use]
    pub const fn host(&self) -> Option<&'a [u8]> {
        self.host
    }

    /// As [`RouterLine::request_id`](crate::RouterLine::request_id).
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let client = RouterLine::parse(b"method=GET request_id=r-1").map(|line| line.client());
    /// assert_eq!(client.and_then(|client| client.request_id()), Some(&b"r-1"[..]));
    /// ```
    #[inline]
    #[must_use]
    pub const fn request_id(&self) -> Option<&'a [u8]> {
        self.request_id
    }

    /// As [`RouterLine::fwd`](crate::RouterLine::fwd).
    ///
    /// ```
    /// # use heroku_router::RouterLine;
    /// let client = RouterLine::parse(br#"method=GET fwd="192.0.2.7""#).map(|line| line.client());
    /// assert_eq!(client.and_then(|client| client.fwd()), Some(&b"192.0.2.7"[..]));
    /// ```
    #[inline]
    #[must_use]
    pub const fn fwd(&self) -> Option<&'a [u8]> {
        self.fwd
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
