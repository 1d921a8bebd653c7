//! Why somebody is not let in, and how that is said.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use logdrain_drain::counters::Refused;
use logdrain_drain::intake::http::{refusal, unavailable};

/// Why somebody is not let in. Each API says it in its own shape: see [`status`](Self::status) and [`why`](Self::why).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Denied {
    /// No credentials came.
    Missing,
    /// They are wrong.
    Wrong,
    /// Too many wrong ones are on their way from there.
    Guessing,
    /// Without credentials, by a name that is not this machine's.
    Host,
    /// Without credentials, from another machine.
    NotHere,
    /// A page of another server asks.
    Elsewhere,
    /// A change without the token of our form.
    Form,
    /// The operator alone may.
    NotOperator,
    /// Not of this account.
    OtherAccount,
    /// The member or token has not the right to.
    Forbidden,
    /// Who comes in cannot be told now.
    Closed,
    /// Too many passwords are being checked.
    Busy,
}

impl Denied {
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Missing | Self::Wrong => StatusCode::UNAUTHORIZED,
            Self::Guessing => StatusCode::TOO_MANY_REQUESTS,
            Self::Host
            | Self::NotHere
            | Self::Elsewhere
            | Self::Form
            | Self::NotOperator
            | Self::OtherAccount
            | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Closed | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// In words.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Missing => "credentials are missing: send a token, or an e-mail address and its password",
            Self::Wrong => "wrong credentials",
            Self::Guessing => "too many wrong credentials come from that address",
            Self::Host => "without credentials this server is asked by a loopback name",
            Self::NotHere => {
                "without credentials it is shown only to this machine, at a loopback address: name a [watcher] in the \
                 configuration, and look with its user and password, or say open_reading = true"
            }
            Self::Elsewhere => "pages of other servers are not answered",
            Self::Form => "the form is too old, or not of this page: load it again",
            Self::NotOperator => "this is for the operator of the server alone",
            Self::OtherAccount => "it is of another account",
            Self::Forbidden => "this member or token has not the right to do that",
            Self::Closed => "members and tokens cannot be read now, so that nobody but the operator comes in",
            Self::Busy => "too many passwords are being checked: come again",
        }
    }

    /// As plain text.
    pub fn text(self) -> Response {
        match self {
            Self::Missing | Self::Wrong => refusal(Refused::Credentials),
            Self::Guessing => refusal(Refused::Guessing),
            Self::Host => refusal(Refused::Browser),
            Self::Closed => unavailable("members and tokens cannot be read now: nobody but the operator comes in\n"),
            Self::Busy => unavailable("too many passwords are being checked: come again\n"),
            _ => (self.status(), format!("{}\n", self.why())).into_response(),
        }
    }
}
