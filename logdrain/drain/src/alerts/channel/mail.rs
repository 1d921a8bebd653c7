//! Alerts as mail, by the server that the operator names. What speaks to it is a part of the program that can be left out.
//!
//! Each recipient has a mail of his own. Of an account so many go in an hour; who gets them has said that he wants them, or is a
//! member.

#[cfg(feature = "mail")]
mod bounded;
#[cfg(feature = "mail")]
mod smtp;

#[cfg(feature = "mail")]
use smtp::Transport;

use super::Outcome;
use super::words::{Clock, Links, body, title};
use crate::alerts::told::{Facts, Kind, Told};
use crate::directory::{email, now};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Whether this program sends mail.
pub(super) const IS_THERE: bool = cfg!(feature = "mail");
pub(super) const LEFT_OUT: &str = "this logdrain was built without the feature mail, and sends none";

/// Mails of an account in an hour.
const AN_HOUR: usize = 100;
const HOUR: i64 = 3_600;
/// The most of a text.
const TEXT: usize = 64 << 10;
const SUBJECT: usize = 200;

/// The mail server, as the configuration names it.
#[derive(Clone, PartialEq, Eq)]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    pub user: Option<(String, String)>,
    /// Whom mail is from.
    pub from: String,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// Nothing is said before TLS.
    #[default]
    StartTls,
    /// TLS from the first byte, as on port 465.
    Implicit,
    /// For a server on this machine.
    None,
}

/// One mail.
#[cfg_attr(not(feature = "mail"), expect(dead_code, reason = "what reads it was left out"))]
#[derive(Clone, Debug)]
pub(super) struct Mail {
    pub(super) to: String,
    pub(super) subject: String,
    pub(super) text: String,
    /// What `Message-ID` begins with: the same when it is sent again.
    pub(super) id: String,
    /// Where whoever gets it can end that.
    pub(super) unsubscribe: String,
}

/// Sends mail, and counts it.
pub struct Mailer {
    #[cfg(feature = "mail")]
    transport: Transport,
    /// When those of the last hour were sent, by account.
    sent: Mutex<HashMap<String, VecDeque<i64>>>,
    /// Who has a message already that is tried again for others.
    done: Mutex<HashMap<(String, u32), BTreeSet<String>>>,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mailer")
    }
}

impl Mailer {
    /// # Errors
    /// When this program sends none, or mail cannot be from whom it should.
    #[cfg(feature = "mail")]
    pub fn new(smtp: Smtp) -> Result<Self, String> {
        check_address(&smtp.from)?;
        Ok(Self { transport: Transport::new(smtp), sent: Mutex::default(), done: Mutex::default() })
    }

    /// # Errors
    /// Always: this program sends none.
    #[cfg(not(feature = "mail"))]
    pub fn new(smtp: Smtp) -> Result<Self, String> {
        check_address(&smtp.from)?;
        Err(LEFT_OUT.to_owned())
    }

    /// Sends a message to all of these, each with the link by which he ends that; what failed of it is tried again for those alone
    /// that have not got it. Before each mail it asks whether that may go; `None` if it may not.
    pub(super) async fn send<F: Future<Output = bool> + Send>(
        &self,
        told: &Told,
        channel: u32,
        links: &Links,
        to: &[(String, Option<String>)],
        may_go: impl Fn() -> F + Send + Sync,
    ) -> Option<Outcome> {
        let key = (told.id.clone(), channel);
        let (mut later, mut refused, mut arrived) = (None, None, 0);
        for (address, stop) in to {
            if self.done().get(&key).is_some_and(|done| done.contains(address)) {
                arrived += 1;
                continue;
            }
            if !self.take(&told.account, now()) {
                later = Some(format!("an account sends {AN_HOUR} mails an hour, and these are sent"));
                break;
            }
            if !may_go().await {
                return None;
            }
            match self.mail(&mail(told, links, address, stop.as_deref())).await {
                Outcome::Sent => {
                    arrived += 1;
                    self.done().entry(key.clone()).or_default().insert(address.clone());
                }
                Outcome::Later(why) | Outcome::NotFor(_, why) => later = Some(why),
                Outcome::Refused(why) => refused = Some(format!("{address}: {why}")),
            }
        }
        if let Some(why) = later {
            return Some(Outcome::Later(why));
        }
        self.forget(&told.id, channel);
        Some(match refused {
            // One address that is none does not make the others' mail one that never came.
            Some(why) if arrived == 0 => Outcome::Refused(why),
            Some(why) => {
                tracing::warn!(account = told.account, alert = told.alert, %why, "a mail was refused");
                Outcome::Sent
            }
            None => Outcome::Sent,
        })
    }

    /// Nothing more is tried of a message.
    pub(super) fn forget(&self, id: &str, channel: u32) {
        self.done().remove(&(id.to_owned(), channel));
    }

    /// Asks somebody whether he wants mail of an account.
    pub(super) async fn ask(&self, account: &str, to: &str, link: &str) -> Outcome {
        if !self.take(account, now()) {
            return Outcome::Refused(format!("an account sends {AN_HOUR} mails an hour, and these are sent"));
        }
        let text = format!(
            "Somebody of the account {account} wants its alerts to be sent to this address.\n\nIf you want them, open this \
             page and say so:\n\n    {link}\n\nIf not, there is nothing to do: no other mail comes. The link is good for 7 days.\n"
        );
        let subject = format!("[logdrain] Do you want the alerts of {account}?");
        let id = crate::alerts::told::id(account, 0, &["ask", to, link]);
        self.mail(&Mail { to: to.to_owned(), subject, text, id, unsubscribe: String::new() }).await
    }

    #[cfg(feature = "mail")]
    async fn mail(&self, mail: &Mail) -> Outcome {
        self.transport.send(mail).await
    }

    #[cfg(not(feature = "mail"))]
    #[expect(clippy::unused_async, reason = "the other one waits")]
    async fn mail(&self, _: &Mail) -> Outcome {
        Outcome::Refused(LEFT_OUT.to_owned())
    }

    /// Whether one more may go.
    fn take(&self, account: &str, now: i64) -> bool {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        // An account that sent none for an hour is none to remember.
        sent.retain(|_, times| {
            times.retain(|time| now.saturating_sub(*time) < HOUR);
            !times.is_empty()
        });
        let times = sent.entry(account.to_owned()).or_default();
        if times.len() >= AN_HOUR {
            return false;
        }
        times.push_back(now);
        true
    }

    fn done(&self) -> std::sync::MutexGuard<'_, HashMap<(String, u32), BTreeSet<String>>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// # Errors
/// When it is no address.
pub(super) fn check_address(text: &str) -> Result<(), String> {
    email(text).map(drop).map_err(|error| error.to_string())
}

fn mail(told: &Told, links: &Links, to: &str, stop: Option<&str>) -> Mail {
    let link = match &told.facts {
        Facts::Log(facts) => links.search(told, facts),
        _ => links.alert(told),
    };
    let head = title(told);
    let mut text = format!("{head}\n\n");
    let below = body(told, TEXT);
    if !head.ends_with(&below) {
        text.push_str(&below);
        text.push_str("\n\n");
    }
    text.push_str(&format!("Open: {link}\n"));
    if let Some(runbook) = &told.runbook {
        text.push_str(&format!("Runbook: {runbook}\n"));
    }
    if !told.description.is_empty() {
        text.push_str(&format!("\n{}\n", told.description));
    }
    let unsubscribe = stop.map_or_else(|| links.alert(told), str::to_owned);
    let end = if stop.is_some() { "To get no more of these" } else { "To change or end it" };
    text.push_str(&format!("\nWhy: {}\n{end}: {unsubscribe}\n", told.why));
    let subject = subject(told);
    Mail { to: to.to_owned(), subject, text, id: told.id.clone(), unsubscribe }
}

/// `[logdrain] "errors" alert: 3 matches (at 2026-11-28 21:08)`
fn subject(told: &Told) -> String {
    let subject = match (&told.facts, told.kind) {
        (Facts::Log(facts), Kind::Fired | Kind::Test) => {
            let matches = if facts.count == 1 { "match" } else { "matches" };
            let test = if told.kind == Kind::Test { "Test: " } else { "" };
            let at = Clock::of(told).minute(told.at);
            format!("[logdrain] {test}\"{}\" alert: {} {matches} (at {at})", told.name, facts.count)
        }
        _ => format!("[logdrain] {}", title(told)),
    };
    subject.chars().filter(|letter| !letter.is_control()).take(SUBJECT).collect()
}

#[cfg(all(test, feature = "mail"))]
mod tests {
    use super::*;

    #[test]
    fn an_account_sends_so_many_an_hour_and_others_have_their_own() {
        let smtp = Smtp { host: "localhost".into(), port: 25, tls: SmtpTls::None, user: None, from: "a@b".into() };
        let mailer = Mailer::new(smtp).unwrap();
        let took = (0..150).filter(|number| mailer.take("shop", 1_000 + number)).count();
        assert_eq!(took, AN_HOUR);
        assert!(mailer.take("blog", 1_100));
        assert!(!mailer.take("shop", 1_000 + HOUR - 1));
        assert!(mailer.take("shop", 1_000 + HOUR), "the first is an hour ago");
        assert!(!mailer.take("shop", 1_000 + HOUR));
    }
}
