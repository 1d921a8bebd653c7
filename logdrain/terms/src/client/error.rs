//! Why a server could not be asked. No message holds a token, nor a query.

use crate::client::base::Base;
use crate::escape::Escaped;
use hyper::StatusCode;
use std::fmt;
use std::io;
use std::time::Duration;

/// What went wrong, with which server, and what to do.
#[derive(Debug)]
pub struct ClientError {
    server: String,
    kind: Kind,
}

#[derive(Debug)]
pub enum Kind {
    /// The name leads to no address.
    Name(io::Error),
    /// Nobody answers at the address.
    Connect(io::Error),
    /// The connection could not be encrypted.
    Tls(io::Error),
    /// What did not come within this time.
    Late(&'static str, Duration),
    /// The connection broke, or what came is no HTTP.
    Broken(hyper::Error),
    /// An answer that ended too early.
    Cut,
    /// An answer that is none of success.
    Refused { status: StatusCode, message: Option<String> },
    /// An answer of more than this many bytes.
    TooLong(usize),
    /// An answer that is none of the API: why.
    Unexpected(String),
    /// The certificates that this machine trusts cannot be had: why.
    Roots(String),
    /// The program was asked to end.
    Interrupted,
}

impl ClientError {
    pub fn new(base: &Base, kind: Kind) -> Self {
        Self { server: base.to_string(), kind }
    }

    /// What the server answered, when it did.
    pub const fn status(&self) -> Option<StatusCode> {
        match self.kind {
            Kind::Refused { status, .. } => Some(status),
            _ => None,
        }
    }

    /// Whether the same request may well go through a little later: the network failed, or the server is busy or down.
    pub fn may_pass(&self) -> bool {
        match &self.kind {
            Kind::Name(_) | Kind::Connect(_) | Kind::Late(..) | Kind::Broken(_) | Kind::Cut => true,
            Kind::Tls(error) => certificate_error(error).is_none(),
            Kind::Refused { status, .. } => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Kind::TooLong(_) | Kind::Unexpected(_) | Kind::Roots(_) | Kind::Interrupted => false,
        }
    }

    pub const fn is_interrupted(&self) -> bool {
        matches!(self.kind, Kind::Interrupted)
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.server)?;
        match &self.kind {
            Kind::Name(error) => {
                write!(f, "the name leads nowhere ({error}); is it written right, and is there a network?")
            }
            Kind::Connect(error) => {
                write!(f, "cannot be reached: {error}; does the server run, and is the address right?")
            }
            Kind::Tls(error) => tls(error, f),
            Kind::Late(what, limit) => {
                write!(f, "{what} took longer than {} s; is the network slow, or the server busy?", limit.as_secs())
            }
            Kind::Broken(error) if error.is_parse() => f.write_str(
                "answers something that is no HTTP; does it want https:// instead of http://, or another port?",
            ),
            Kind::Broken(error) => {
                let mut cause: &dyn std::error::Error = error;
                while let Some(source) = cause.source() {
                    cause = source;
                }
                write!(f, "the connection broke: {}; try again", Escaped(&cause.to_string()))
            }
            Kind::Cut => f.write_str("the answer ended too early; try again"),
            Kind::Refused { status, message } => {
                write!(f, "answers {}", status.as_u16())?;
                match message {
                    Some(message) => write!(f, ": {}", Escaped(message)),
                    None => write!(f, " ({})", status.canonical_reason().unwrap_or("an unknown status")),
                }
            }
            Kind::TooLong(most) => write!(f, "the answer has more than {most} bytes, and is not read"),
            Kind::Unexpected(why) => {
                write!(f, "{why}; is this the address of a logdrain, or of a server with its API?")
            }
            Kind::Roots(why) => write!(f, "no certificate can be checked: {why}"),
            Kind::Interrupted => f.write_str("ended by a signal"),
        }
    }
}

impl std::error::Error for ClientError {}

/// What is wrong with the server's certificate, if it is that.
fn certificate_error(error: &io::Error) -> Option<&rustls::CertificateError> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(why) => Some(why),
        _ => None,
    }
}

/// What is wrong with a peer's certificate, and what to do about it; `None` when something else is wrong.
pub fn certificate_trouble(error: &io::Error) -> Option<String> {
    use rustls::CertificateError as Bad;
    let said = match certificate_error(error)? {
        Bad::UnknownIssuer | Bad::BadSignature => {
            "nobody whom this machine trusts vouches for its certificate; to trust an authority of your own, name its \
             certificate: SSL_CERT_FILE=ca.pem"
        }
        Bad::Expired | Bad::ExpiredContext { .. } => "its certificate has expired; it must be renewed there",
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
            "its certificate is not valid yet; is the clock of this machine right?"
        }
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
            "its certificate is for another name; use a name that it is for"
        }
        other => return Some(format!("its certificate is not taken: {other}")),
    };
    Some(said.to_owned())
}

fn tls(error: &io::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match certificate_trouble(error) {
        Some(said) => f.write_str(&said),
        None => {
            let is_other = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            if matches!(is_other, Some(rustls::Error::InvalidMessage(_))) {
                return f.write_str("does not speak TLS; does it want http:// instead of https://, or another port?");
            }
            write!(f, "the connection cannot be encrypted: {error}")
        }
    }
}
