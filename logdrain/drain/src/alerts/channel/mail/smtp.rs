//! What speaks SMTP.

use super::super::Outcome;
use super::{Mail, Smtp, SmtpTls};
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{AsyncSmtpTransport, Error};
use lettre::{Address, AsyncTransport as _, Message, Tokio1Executor};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// Of one answer of the server, and of a whole mail.
const ANSWER: Duration = Duration::from_secs(10);
const DELIVERY: Duration = Duration::from_secs(20);
/// What servers answer to a name and password that they do not take: the operator's matter, who may change it.
const SIGN_IN: [u16; 5] = [454, 530, 534, 535, 538];

pub(super) struct Transport {
    smtp: Smtp,
    /// Made with the first mail: the machine's certificates are read for it.
    made: OnceCell<Result<AsyncSmtpTransport<Tokio1Executor>, String>>,
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
            Ok(transport) => match timeout(DELIVERY, transport.send(message)).await {
                Ok(Ok(_)) => Outcome::Sent,
                Ok(Err(error)) => outcome(&error),
                Err(_) => Outcome::Later("the mail server is too slow".to_owned()),
            },
            Err(why) => {
                tracing::error!(%why, "no mail can be sent");
                Outcome::Later("the mail server of this logdrain cannot be used".to_owned())
            }
        }
    }
}

fn make(smtp: &Smtp) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let tls = || TlsParameters::new_rustls(smtp.host.clone()).map_err(|error| error.to_string());
    let tls = match smtp.tls {
        SmtpTls::StartTls => Tls::Required(tls()?),
        SmtpTls::Implicit => Tls::Wrapper(tls()?),
        SmtpTls::None => Tls::None,
    };
    let own = smtp.from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)
        .port(smtp.port)
        .tls(tls)
        .timeout(Some(ANSWER))
        .hello_name(ClientId::Domain(own.to_owned()));
    if let Some((user, password)) = &smtp.user {
        builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
    }
    Ok(builder.build())
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
    tracing::warn!(%error, "the mail server cannot be used");
    Outcome::Later("the mail server of this logdrain does not take it now".to_owned())
}

fn short(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(200).collect()
}
