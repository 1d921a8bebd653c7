/// Which of the header layouts a drain writes. It is an argument, never a guess from the message.
///
/// The same bytes mean different things: `... web.1 - [GIN] 200` is a message that begins with `[GIN]` in one
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
    /// Headers that are moved by one field, as old drains and some senders write them: HOSTNAME is missing
    /// (`<158>1 TIME heroku router - - at=info`), or APP-NAME stands where HOSTNAME should, and the drain token where PROCID should
    /// (`<40>1 TIME heroku web.3 d.5ca1ab1e-… - Starting`, drains of 2012).
    ///
    /// A header is moved when its first name is `heroku` or `app`, its second one a process of Heroku (`router`, `web.1`,
    /// `heroku-postgres`), and its third one the NILVALUE or a drain token. The frame then has no HOSTNAME, and the token,
    /// which is a password, is in none of its fields. Where HOSTNAME is missing, a STRUCTURED-DATA of `-` is passed over.
    /// Any other header is read as [`Logplex`](Self::Logplex) writes it.
    Moved,
    /// The HOSTNAME of each frame decides, for files and stores that hold frames of several origins.
    ///
    /// `host` is what HTTPS drains write. `shuttle` is what log-shuttle writes, and a drain token, `d.` and a UUID, is
    /// what syslog drains write; of a token only its shape is looked at, `d.` and then letters, digits and hyphens.
    /// `…@heroku.com` (`runtime.12345@heroku.com`) is written on the way into Logplex, where messages are RFC 5424.
    /// `heroku` is no host's name: either the header is [`Moved`](Self::Moved), or log-shuttle wrote it about itself. Any
    /// other HOSTNAME says nothing, and the frame is read as [`Logplex`](Self::Logplex) writes it.
    ///
    /// ```
    /// use heroku_syslog::{Dialect, Frame};
    ///
    /// let drained = b"<190>1 2024-02-03T04:05:06Z d.5ca1ab1e-0000-4000-8000-00000000beef app web.1 - - hi";
    /// assert_eq!(Frame::parse(drained, Dialect::ByHostname)?.message(), b"hi");
    /// let posted = b"<190>1 2024-02-03T04:05:06Z host app web.1 - - hi";
    /// assert_eq!(Frame::parse(posted, Dialect::ByHostname)?.message(), b"- hi");
    /// # Ok::<(), heroku_syslog::FrameError>(())
    /// ```
    ByHostname,
}

impl Dialect {
    /// The layout of all headers, unless each HOSTNAME decides.
    #[inline(always)]
    pub(crate) const fn layout(self) -> Option<Layout> {
        match self {
            Self::Logplex => Some(Layout::Logplex),
            Self::Rfc5424 => Some(Layout::Rfc5424),
            Self::Moved => Some(Layout::Moved),
            Self::ByHostname => None,
        }
    }
}

/// The layouts of a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Layout {
    Logplex,
    Rfc5424,
    Moved,
}

impl Layout {
    /// What a HOSTNAME says, as [`Dialect::ByHostname`] has it. `app` says nothing: a host may be called so.
    #[inline]
    pub(crate) fn of_hostname(hostname: Option<&[u8]>) -> Self {
        match hostname {
            // Most are, so that this is asked first.
            None | Some(b"host") => Self::Logplex,
            Some(b"shuttle") => Self::Rfc5424,
            Some(b"heroku") => Self::Moved,
            Some(name) if name.ends_with(b"@heroku.com") => Self::Rfc5424,
            Some([b'd', b'.', token @ ..]) if is_token(token) => Self::Rfc5424,
            Some(_) => Self::Logplex,
        }
    }
}

/// Whether `hostname`, `app_name` and `proc_id` are those of a header that is moved by one field.
pub(crate) fn is_moved(hostname: Option<&[u8]>, app_name: Option<&[u8]>, proc_id: Option<&[u8]>) -> bool {
    matches!(hostname, Some(b"heroku" | b"app"))
        && app_name.is_some_and(is_process)
        && match proc_id {
            None => true,
            Some([b'd', b'.', token @ ..]) => is_token(token),
            Some(_) => false,
        }
}

/// A PROCID that Heroku writes: `router`, `web.1`, `heroku-postgres`, `postgres.1262692`.
fn is_process(name: &[u8]) -> bool {
    match name {
        b"router" | b"api" | b"logplex" | b"heroku-postgres" | b"heroku-redis" | b"heroku-pgbouncer" => true,
        _ => name.iter().rposition(|byte| *byte == b'.').is_some_and(|dot| {
            let (process, number) = (&name[..dot], &name[dot + 1..]);
            !process.is_empty()
                && process.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
                && !number.is_empty()
                && number.iter().all(u8::is_ascii_digit)
        }),
    }
}

fn is_token(token: &[u8]) -> bool {
    !token.is_empty() && token.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_moved_when_nothing_else_can_be_meant() {
        let moved = |host: &str, app: &str, process: &str| {
            let field = |text: &'static str| Some(text.as_bytes()).filter(|text| *text != b"-");
            let [host, app, process] = [host, app, process].map(|text| field(alloc::string::String::from(text).leak()));
            is_moved(host, app, process)
        };
        for (app, process) in [
            ("router", "-"),
            ("web.1", "-"),
            ("web.1", "d.5ca1ab1e-0000-4000-8000-00000000beef"),
            ("heroku-postgres", "-"),
            ("worker_in_seconds.12", "-"),
            ("api", "-"),
        ] {
            assert!(moved("heroku", app, process) && moved("app", app, process), "{app} {process}");
            assert!(!moved("host", app, process) && !moved("shop", app, process));
        }
        for (app, process) in [
            ("app", "web.1"),
            ("token", "log-shuttle"),
            ("web.1", "web.1"),
            ("web", "-"),
            ("web.x", "-"),
            (".1", "-"),
            ("app", "-"),
            ("-", "-"),
            ("web.1", "d."),
        ] {
            assert!(!moved("heroku", app, process), "{app} {process}");
        }
    }

    #[test]
    fn only_known_shapes_tell_the_dialect() {
        for hostname in [
            "",
            "host",
            "Host",
            "host.",
            "d",
            "d.",
            "d.a.b",
            "d.example.com",
            "d.a_b",
            "shuttle1",
            "heroku1",
            "-",
            "app",
        ] {
            assert_eq!(Layout::of_hostname(Some(hostname.as_bytes())), Layout::Logplex, "{hostname}");
        }
        assert_eq!(Layout::of_hostname(Some(b"heroku")), Layout::Moved);
        for hostname in ["shuttle", "d.0", "node.7@heroku.com"] {
            assert_eq!(Layout::of_hostname(Some(hostname.as_bytes())), Layout::Rfc5424, "{hostname}");
        }
    }
}
