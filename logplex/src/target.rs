//! Where deliveries go: the URL, who we say we are, and how a connection is made.

use crate::args::SendArgs;
use crate::body::Paced;
use crate::error::Error;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HeaderValue;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// As Logplex has it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The receiving end.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) host: HeaderValue,
    pub(crate) path: Uri,
    pub(crate) authorization: Option<HeaderValue>,
    addresses: Vec<SocketAddr>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Target {
    /// Reads the URL and looks its host up. No error repeats the URL, which may hold a password.
    pub(crate) fn new(url: &str, args: &SendArgs) -> Result<Self, Error> {
        let bad = |why: &str| Error::Config(format!("--to: {why}; expected http://[user:password@]host:port/path"));
        let uri: Uri = url.parse().map_err(|_| bad("this is no URL"))?;
        let authority = uri.authority().ok_or_else(|| bad("there is no host"))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(bad("the scheme is neither http nor https")),
        };
        let (userinfo, host) = match authority.as_str().rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, authority.as_str()),
        };
        let authorization = match userinfo {
            Some(userinfo) => {
                Some(basic(&percent_decoded(userinfo).ok_or_else(|| bad("a %xx in the password is bad"))?))
            }
            None => None,
        };
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let addresses: Vec<SocketAddr> = (name, port)
            .to_socket_addrs()
            .map_err(|error| Error::Config(format!("--to: {name}: no address found: {error}")))?
            .collect();
        if !args.allow_remote && addresses.iter().any(|address| !address.ip().is_loopback()) {
            return Err(Error::Config(format!(
                "--to: {name} is not this machine; add --allow-remote if its owner wants this load"
            )));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            host: HeaderValue::from_str(host).map_err(|_| bad("the host is not text"))?,
            path: path.parse().map_err(|_| bad("the path is no path"))?,
            authorization,
            addresses,
            tls: if secure { Some(tls(args, name)?) } else { None },
        })
    }

    /// A connection that is ready for requests.
    pub(crate) async fn connect(&self) -> io::Result<SendRequest<Paced>> {
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no connection within 3 s");
        timeout(CONNECT_TIMEOUT, async {
            let stream = TcpStream::connect(&self.addresses[..]).await?;
            stream.set_nodelay(true)?;
            match &self.tls {
                None => handshake(stream).await,
                Some((connector, name)) => handshake(connector.connect(name.clone(), stream).await?).await,
            }
        })
        .await
        .map_err(late)?
    }
}

async fn handshake<T>(stream: T) -> io::Result<SendRequest<Paced>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    let (sender, connection) =
        builder.title_case_headers(true).handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // It ends with the sender; what goes wrong on it is seen there.
    tokio::spawn(connection);
    Ok(sender)
}

fn tls(args: &SendArgs, name: &str) -> Result<(TlsConnector, ServerName<'static>), Error> {
    let Some(path) = &args.ca else {
        let why = "--to: https needs --ca FILE, the certificates to trust (the receiver's own, or the system's bundle)";
        return Err(Error::Config(why.to_owned()));
    };
    let bad = |why: String| Error::Config(format!("--ca: {}: {why}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))? {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("there is no certificate in it".to_owned()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name =
        ServerName::try_from(name.to_owned()).map_err(|_| bad(format!("{name} is no name for a certificate")))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

/// `Authorization: Basic`; it never shows in an error or a log.
pub(crate) fn basic(credentials: &[u8]) -> HeaderValue {
    let text = format!("Basic {}", STANDARD.encode(credentials));
    // Base64 is always a header's text.
    let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        if *first == b'%' {
            let (digits, behind) = behind.split_at_checked(2)?;
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            out.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = behind;
        } else {
            out.push(*first);
            rest = behind;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: SendArgs,
    }

    fn target(more: &[&str]) -> Result<Target, String> {
        let Line { args } = Line::parse_from(["send", "--to"].iter().chain(more));
        Target::new(args.to.as_deref().unwrap(), &args).map_err(|error| error.to_string())
    }

    #[test]
    fn urls() {
        let target = target(&["http://heroku:p%40ss@127.0.0.1:8514/logs?x=1"]).ok().unwrap();
        assert_eq!(target.host, "127.0.0.1:8514");
        assert_eq!(target.path, "/logs?x=1");
        assert_eq!(target.authorization.unwrap(), "Basic aGVyb2t1OnBAc3M=");
        assert_eq!(target.addresses, ["127.0.0.1:8514".parse().unwrap()]);
    }

    #[test]
    fn errors_say_what_to_do_and_not_the_password() {
        for (url, part) in [
            ("ftp://u:hunter2@127.0.0.1/", "neither http nor https"),
            ("http://u:hunter2%zz@127.0.0.1/", "%xx"),
            ("http://u:hunter2@192.0.2.1/", "--allow-remote"),
            ("https://u:hunter2@127.0.0.1/", "--ca FILE"),
            ("/hunter2", "there is no host"),
        ] {
            let error = target(&[url]).err().unwrap();
            assert!(error.contains(part) && !error.contains("hunter2"), "{error}");
        }
        assert!(target(&["http://192.0.2.1/", "--allow-remote"]).is_ok());
    }
}
