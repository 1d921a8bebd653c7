//! Where a node is: its address as it is written, and as a network knows it.

use logdrain_terms::client::Base;
use rustls::pki_types::ServerName;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// A name leads to the same addresses for so long.
const KNOWN_FOR: Duration = Duration::from_secs(10);

/// How a node is reached: `https://10.0.0.11:8514`, or `http://` on this machine alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url {
    base: Base,
    text: Arc<str>,
}

impl Url {
    /// `None` if it is no such address.
    pub fn parse(text: &str) -> Option<Self> {
        let has_scheme = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
        let base = Base::parse(text).ok()?;
        let is_fine = has_scheme && base.path("").is_empty() && (base.is_encrypted() || base.is_this_machine());
        let text = base.to_string().into();
        is_fine.then_some(Self { base, text })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) const fn is_encrypted(&self) -> bool {
        self.base.is_encrypted()
    }

    /// The name that its certificate is for.
    pub(super) fn server_name(&self) -> Result<ServerName<'static>, String> {
        let host = self.base.host();
        ServerName::try_from(host.to_owned()).map_err(|_| format!("{host} can have no certificate"))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a name leads to. It is looked up once at a time, however many wait: threads for that are few.
#[derive(Debug, Default)]
pub(super) struct Place(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    known: Option<(Instant, Vec<SocketAddr>)>,
    looking: Option<JoinHandle<io::Result<Vec<SocketAddr>>>>,
}

impl Place {
    pub(super) async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, String> {
        let (host, port) = (url.base.host().to_owned(), url.base.port());
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::from((ip, port))]);
        }
        let mut found = self.0.lock().await;
        if let Some((_, known)) = found.known.as_ref().filter(|(since, _)| since.elapsed() < KNOWN_FOR) {
            return Ok(known.clone());
        }
        let looking = found.looking.get_or_insert_with(|| {
            let look = move || (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
            tokio::task::spawn_blocking(look)
        });
        // Who is not waited for any more goes on, and is found again.
        let looked = looking.await;
        found.looking = None;
        let mut all = looked.ok().and_then(Result::ok).unwrap_or_default();
        if !url.is_encrypted() {
            all.retain(|address| address.ip().is_loopback());
        }
        if all.is_empty() {
            return Err("its name has no address".to_owned());
        }
        found.known = Some((Instant::now(), all.clone()));
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_encrypted_stays_on_this_machine() {
        for (text, wanted) in [
            ("https://10.0.0.11:8514", Some("https://10.0.0.11:8514")),
            ("https://Node-1.example.com", Some("https://node-1.example.com")),
            ("http://127.0.0.1:8514", Some("http://127.0.0.1:8514")),
            ("http://[::1]:8514/", Some("http://[::1]:8514")),
            ("http://localhost:8514", Some("http://localhost:8514")),
            ("http://10.0.0.11:8514", None),
            ("http://node-1.example.com", None),
            ("10.0.0.11:8514", None),
            ("https://10.0.0.11/logs", None),
            ("https://user:password@10.0.0.11", None),
            ("ftp://10.0.0.11", None),
            ("", None),
        ] {
            assert_eq!(Url::parse(text).as_ref().map(Url::as_str), wanted, "{text}");
        }
    }
}
