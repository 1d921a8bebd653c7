/// Which of two header layouts a drain writes. It is an argument, never a guess.
///
/// The same octets mean different things: `... web.1 - [GIN] 200` is a message that begins with `[GIN]` in one
/// dialect, and structured data with the message `200` in the other.
///
/// ```
/// use heroku_syslog::{Dialect, Frame};
///
/// let line = b"<190>1 2024-02-03T04:05:06.789012+00:00 host app web.1 - [GIN] 200";
/// assert_eq!(Frame::parse(line, Dialect::Logplex)?.message(), b"[GIN] 200");
/// assert_eq!(Frame::parse(line, Dialect::Rfc5424)?.message(), b"200");
/// # Ok::<(), heroku_syslog::FrameError>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Dialect {
    /// HTTPS drains: RFC 5424 without STRUCTURED-DATA. One space behind MSGID, everything after it is the message.
    Logplex,
    /// Syslog (TCP, TLS) drains and log-shuttle: RFC 5424 as it stands, STRUCTURED-DATA or its NILVALUE present.
    Rfc5424,
}

impl Dialect {
    /// The one safe inference from a HOSTNAME, for files of mixed origin.
    ///
    /// `host` is what HTTPS drains write. `shuttle` is what log-shuttle writes, and a drain token, `d.` and a UUID, is
    /// what syslog drains write. Of a token only its shape is looked at: `d.` and then letters, digits and hyphens.
    /// `…@heroku.com` (`runtime.12345@heroku.com`) is written on the way into Logplex, where messages are RFC 5424.
    /// Any other HOSTNAME says nothing: `None`.
    ///
    /// ```
    /// use heroku_syslog::Dialect;
    ///
    /// assert_eq!(Dialect::for_hostname(b"host"), Some(Dialect::Logplex));
    /// assert_eq!(Dialect::for_hostname(b"d.5ca1ab1e-0000-4000-8000-00000000beef"), Some(Dialect::Rfc5424));
    /// assert_eq!(Dialect::for_hostname(b"shop.example.com"), None);
    /// ```
    #[must_use]
    #[inline]
    pub fn for_hostname(hostname: &[u8]) -> Option<Self> {
        match hostname {
            b"host" => Some(Self::Logplex),
            b"shuttle" => Some(Self::Rfc5424),
            _ if hostname.ends_with(b"@heroku.com") => Some(Self::Rfc5424),
            [b'd', b'.', token @ ..] if is_token(token) => Some(Self::Rfc5424),
            _ => None,
        }
    }
}

fn is_token(token: &[u8]) -> bool {
    !token.is_empty() && token.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_shapes_tell_the_dialect() {
        for hostname in ["", "Host", "host.", "d", "d.", "d.a.b", "d.example.com", "d.a_b", "shuttle1", "heroku", "-"] {
            assert_eq!(Dialect::for_hostname(hostname.as_bytes()), None, "{hostname}");
        }
        assert_eq!(Dialect::for_hostname(b"d.0"), Some(Dialect::Rfc5424));
        assert_eq!(Dialect::for_hostname(b"node.7@heroku.com"), Some(Dialect::Rfc5424));
    }
}
