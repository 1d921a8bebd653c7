//! Where a server is: `https://logs.example.com`, `http://127.0.0.1:8514`, `localhost:8514`.

use crate::escape::Escaped;
use hyper::Uri;
use std::fmt;
use std::net::IpAddr;

/// The address that every path of a server is below.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Base {
    is_encrypted: bool,
    /// A name or an address; one of IPv6 without its brackets.
    host: String,
    port: u16,
    /// What stands in front of every path, without a slash at its end.
    prefix: String,
}

impl Base {
    /// Reads an address as people write it. Without a scheme it is `http` on this machine and `https` elsewhere.
    ///
    /// # Errors
    /// What is wrong and what to write. The text is not repeated when a password stands in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let no_address = || {
            let shown: String = text.chars().take(80).collect();
            format!("`{}` is no address of a server; write it as https://logs.example.com", Escaped(&shown))
        };
        let (scheme, rest) = text.split_once("://").map_or((None, text), |(scheme, rest)| (Some(scheme), rest));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err("an address with a name or a password in it is not taken; give the address alone".to_owned());
        }
        // `Uri` wants a scheme where there is a path.
        let uri: Uri = format!("http://{rest}").parse().map_err(|_| no_address())?;
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if host.is_empty() || uri.query().is_some() || rest.contains('#') {
            return Err(no_address());
        }
        let is_encrypted = match scheme.map(str::to_ascii_lowercase).as_deref() {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err(no_address()),
            None => !is_this_machine(&host),
        };
        // What is behind the host and is no port would be let go without a word.
        let behind = authority.rsplit_once(']').map_or(authority, |(_, behind)| behind);
        let port = match behind.rsplit_once(':') {
            Some((_, port)) => port.parse().ok().filter(|port| *port > 0).ok_or_else(no_address)?,
            None if is_encrypted => 443,
            None => 80,
        };
        Ok(Self { is_encrypted, host, port, prefix: uri.path().trim_end_matches('/').to_owned() })
    }

    pub const fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether what is said to it stays on this machine.
    pub fn is_this_machine(&self) -> bool {
        is_this_machine(&self.host)
    }

    /// The `Host` of a request.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.is_encrypted, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// A path below it, with its query, as a request line has it.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), Escaped(&self.prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_write_them() {
        for (text, shown, authority) in [
            ("https://logs.example.com", "https://logs.example.com", "logs.example.com"),
            ("https://Logs.Example.com/", "https://logs.example.com", "logs.example.com"),
            ("HTTPS://logs.example.com:8443", "https://logs.example.com:8443", "logs.example.com:8443"),
            ("logs.example.com", "https://logs.example.com", "logs.example.com"),
            ("localhost:8514", "http://localhost:8514", "localhost:8514"),
            ("127.0.0.1:8514", "http://127.0.0.1:8514", "127.0.0.1:8514"),
            ("http://127.0.0.1", "http://127.0.0.1", "127.0.0.1"),
            ("http://[::1]:8514/", "http://[::1]:8514", "[::1]:8514"),
            ("[::1]", "http://[::1]", "[::1]"),
            ("https://example.com/logs/ ", "https://example.com/logs", "example.com"),
        ] {
            let base = Base::parse(text).unwrap();
            assert_eq!((base.to_string(), base.authority()), (shown.to_owned(), authority.to_owned()), "{text}");
        }
        let base = Base::parse("https://example.com/logs/").unwrap();
        assert_eq!(base.path("/api/v1/systems"), "/logs/api/v1/systems");
        assert!(!base.is_this_machine() && Base::parse("http://[::1]:1").unwrap().is_this_machine());
    }

    #[test]
    fn what_is_no_address_is_said() {
        for text in [
            "",
            "https://",
            "ftp://example.com",
            "https://example.com?a=b",
            "https://example.com:0",
            "a b",
            "http://h:99999",
        ] {
            let why = Base::parse(text).unwrap_err();
            assert!(why.contains("is no address of a server; write it as"), "{text}: {why}");
        }
        let why = Base::parse("https://token:secret@example.com").unwrap_err();
        assert!(!why.contains("secret"), "{why}");
    }
}
