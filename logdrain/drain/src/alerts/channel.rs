//! Where alerts go: a webhook, Slack, PagerDuty, or people's mail. Each has its words for them, and none keeps anything.
//!
//! ```text
//! classic    a form with one field `payload`, as Papertrail and AppOptics send it
//! plain      JSON of our own
//! slack, pagerduty, mail                text, or what these take
//! ```
//!
//! What is asked over HTTP goes through the one [door](crate::door). What a channel was told to be (URLs, keys) is a secret of the
//! account: it is sealed in `settings.db`, and only its [head](Settings::shown) is shown.

mod classic;
mod http;
mod mail;
mod pagerduty;
mod plain;
pub mod sending;
mod slack;
mod words;

#[cfg(test)]
mod tests;

pub use mail::{Mailer, Smtp, SmtpTls};
pub use words::Links;

use crate::door::Outbound;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest name of a channel, and the longest secret of one.
const NAME: usize = 100;
const SECRET: usize = 200;
/// People of one channel.
pub const RECIPIENTS: usize = 20;

/// What a channel is, with its secrets. It is sealed as JSON.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Settings {
    /// A form in the shapes of Papertrail and AppOptics.
    Webhook {
        url: String,
        /// What requests are signed with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
    },
    /// JSON of our own.
    Json {
        url: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
    },
    Slack {
        url: String,
        /// Only how many lines there were, and a link to them.
        #[serde(default)]
        hides_lines: bool,
    },
    PagerDuty {
        routing_key: String,
        /// Of a server that speaks Events v2 as PagerDuty does, or its own one of Europe.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
    Mail {
        to: Vec<String>,
    },
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple(self.kind()).finish()
    }
}

impl Settings {
    /// What it is, in a word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Json { .. } => "json",
            Self::Slack { .. } => "slack",
            Self::PagerDuty { .. } => "pagerduty",
            Self::Mail { .. } => "mail",
        }
    }

    /// What may be shown of it: where it leads, without what lets somebody in there.
    pub fn shown(&self) -> String {
        match self {
            Self::Webhook { url, .. } | Self::Json { url, .. } | Self::Slack { url, .. } => host(url),
            Self::PagerDuty { routing_key, .. } => {
                let end: String = routing_key.chars().rev().take(4).collect();
                format!("key ...{}", end.chars().rev().collect::<String>())
            }
            Self::Mail { to } => to.join(", "),
        }
    }

    /// Whether it may be one, as far as that can be told without asking it.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn check(&self, name: &str, outbound: &Outbound) -> Result<(), String> {
        if name.trim().is_empty() || name.chars().count() > NAME || name.chars().any(char::is_control) {
            return Err(format!("name: a channel has a name of at most {NAME} characters"));
        }
        let check_url = |url: &str| {
            let (url, _) = http::split_user(url);
            outbound.check(&url).map_err(|shut| format!("url: {shut}"))
        };
        match self {
            Self::Webhook { url, secret } | Self::Json { url, secret } => {
                check_url(url)?;
                if secret.as_ref().is_some_and(|secret| secret.is_empty() || secret.len() > SECRET) {
                    return Err(format!("secret: it has 1 to {SECRET} characters, or is left out"));
                }
                Ok(())
            }
            Self::Slack { url, .. } => check_url(url),
            Self::PagerDuty { routing_key, url } => {
                if !(8..=64).contains(&routing_key.len())
                    || !routing_key.bytes().all(|byte| byte.is_ascii_alphanumeric())
                {
                    return Err("routing_key: the integration key of a service, of 32 letters and digits".to_owned());
                }
                url.as_deref().map_or(Ok(()), check_url)
            }
            Self::Mail { to } => {
                if !mail::IS_THERE {
                    return Err(mail::LEFT_OUT.to_owned());
                }
                if to.is_empty() || to.len() > RECIPIENTS {
                    return Err(format!("to: 1 to {RECIPIENTS} addresses"));
                }
                to.iter().try_for_each(|address| mail::check_address(address).map_err(|why| format!("to: {why}")))
            }
        }
    }
}

/// Scheme, host and port of a URL.
fn host(url: &str) -> String {
    let (url, _) = http::split_user(url);
    match url.split_once("://") {
        Some((scheme, rest)) => {
            format!("{scheme}://{}", rest.split(['/', '?', '#']).next().unwrap_or_default())
        }
        None => String::new(),
    }
}

/// What came of one try.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Sent,
    /// It is tried again, and why.
    Later(String),
    /// It is tried again, nothing is sent there before so long, and why.
    NotFor(Duration, String),
    /// It is of no use to try again, and why.
    Refused(String),
}
