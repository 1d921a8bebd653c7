//! What speaks SMTP.

use super::super::Outcome;
use super::bounded::Bounded;
use super::{Mail, Smtp, SmtpTls};
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};
use logdrain_terms::client;
use rustls::pki_types::ServerName;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Of a whole mail, and of the farewell behind it.
const DELIVERY: Duration = Duration::from_secs(20);
const FAREWELL: Duration = Duration::from_secs(1);
/// What servers answer to a name and password that they do not take: the operator's matter, who may change it.
const SIGN_IN: [u16; 5] = [454, 530, 534, 535, 538];

pub(super) struct Transport {
    smtp: Smtp,
    /// Made with the first mail: the machine's certificates are read for it.
    made: OnceCell<Result<Encryption, String>>,
}

/// How what is said is encrypted.
enum Encryption {
    StartTls(TlsParameters),
    Implicit(TlsConnector, ServerName<'static>),
    None,
}

/// Why a mail did not go.
enum Failed {
    /// What the server said, or that it is no mail server.
    Smtp(Error),
    /// It could not be reached, or broke off.
    Io(io::Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Smtp(error)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Transport {
    pub(super) fn new(smtp: Smtp) -> Self {
        Self { smtp, made: OnceCell::new() }
    }

    pub(super) async fn send(&self, mail: &Mail) -> Outcome {
        let message = match message(&self.smtp.from, mail) {
            Ok(message) => message,
            Err(why) => return Outcome::Refused(why),
        };
        let smtp = self.smtp.clone();
        let make = async || {
            let made = tokio::task::spawn_blocking(move || make(&smtp)).await;
            made.unwrap_or_else(|_| Err("a thread ended".to_owned()))
        };
        match self.made.get_or_init(make).await {
            Ok(encryption) => match timeout(DELIVERY, self.deliver(encryption, &message)).await {
                Ok(Ok(mut connection)) => {
                    // It is taken, however that ends.
                    let _ = timeout(FAREWELL, connection.abort()).await;
                    Outcome::Sent
                }
                Ok(Err(Failed::Smtp(error))) => outcome(&error),
                Ok(Err(Failed::Io(error))) => unusable(&error),
                Err(_) => Outcome::Later("the mail server is too slow".to_owned()),
            },
            Err(why) => {
                tracing::error!(%why, "no mail can be sent");
                Outcome::Later("the mail server of this logdrain cannot be used".to_owned())
            }
        }
    }

    /// Has the server take a mail. Whoever reads its answers reads a line to its end, so the way to it is bounded.
    async fn deliver(&self, encryption: &Encryption, message: &Message) -> Result<AsyncSmtpConnection, Failed> {
        let Smtp { host, port, user, from, .. } = &self.smtp;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        let peer = stream.peer_addr()?;
        let stream = Bounded::new(stream, peer);
        let stream: Box<dyn AsyncTokioStream> = match encryption {
            Encryption::Implicit(tls, name) => Box::new(Bounded::new(tls.connect(name.clone(), stream).await?, peer)),
            Encryption::StartTls(_) | Encryption::None => Box::new(stream),
        };
        let own = ClientId::Domain(from.rsplit_once('@').map_or("localhost", |(_, domain)| domain).to_owned());
        let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &own).await?;
        if let Encryption::StartTls(tls) = encryption {
            connection.starttls(tls.clone(), &own).await?;
        }
        if let Some((user, password)) = user {
            connection.auth(DEFAULT_MECHANISMS, &Credentials::new(user.clone(), password.clone())).await?;
        }
        connection.send(message.envelope(), &message.formatted()).await?;
        Ok(connection)
    }
}

fn make(smtp: &Smtp) -> Result<Encryption, String> {
    let host = smtp.host.clone();
    match smtp.tls {
        SmtpTls::StartTls => {
            TlsParameters::new_rustls(host).map(Encryption::StartTls).map_err(|error| error.to_string())
        }
        SmtpTls::Implicit => {
            let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
            Ok(Encryption::Implicit(client::trusted()?, name))
        }
        SmtpTls::None => Ok(Encryption::None),
    }
}

fn message(from: &str, mail: &Mail) -> Result<Message, String> {
    let mailbox = |address: &str| {
        let address: Address = address.parse().map_err(|_| "that is no e-mail address".to_owned())?;
        Ok::<_, String>(Mailbox::new(None, address))
    };
    let domain = from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let header = |name: &'static str, value: String| HeaderValue::new(HeaderName::new_from_ascii_str(name), value);
    let mut builder = Message::builder()
        .from(mailbox(from)?)
        .to(mailbox(&mail.to)?)
        .subject(&mail.subject)
        .date_now()
        .message_id(Some(format!("<{}@{domain}>", mail.id)))
        .raw_header(header("Auto-Submitted", "auto-generated".to_owned()))
        .header(ContentType::TEXT_PLAIN);
    if mail.unsubscribe.starts_with("http") {
        builder = builder.raw_header(header("List-Unsubscribe", format!("<{}>", mail.unsubscribe)));
        if mail.unsubscribe.contains("/recipients/stop/") {
            builder = builder.raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
        }
    }
    builder.body(mail.text.clone()).map_err(|error| error.to_string())
}

/// What the server says of a mail is told; what is wrong between it and us is the operator's matter.
fn outcome(error: &Error) -> Outcome {
    let status = error.status().map(u16::from);
    let is_sign_in = status.is_some_and(|status| SIGN_IN.contains(&status));
    if error.is_permanent() && !is_sign_in {
        return Outcome::Refused(short(&error.to_string()));
    }
    if error.is_transient() && !is_sign_in {
        return Outcome::Later(short(&error.to_string()));
    }
    unusable(error)
}

fn unusable(error: &(dyn std::error::Error + 'static)) -> Outcome {
    // What is behind it says more.
    let inner = error.source().map(|inner| format!(": {inner}")).unwrap_or_default();
    tracing::warn!(error = %short(&format!("{error}{inner}")), "the mail server cannot be used");
    Outcome::Later("the mail server of this logdrain does not take it now".to_owned())
}

fn short(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(200).collect()
}
