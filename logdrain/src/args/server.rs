//! Which server is asked, and by whom.

use clap::Args as ClapArgs;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct ServerArgs {
    /// The server that is asked, as `https://logs.example.com` [default: LOGDRAIN_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The token that it wants, or NAME:PASSWORD; others on this machine can read it here, but not in the environment
    /// [default: LOGDRAIN_TOKEN, else PAPERTRAIL_API_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<Secret>,
    /// Take server and token from the config vars of this app, which the `heroku` command is asked for
    #[arg(long, value_name = "NAME")]
    pub(crate) heroku_app: Option<String>,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl ServerArgs {
    /// Whether a server was named here.
    pub(crate) const fn names_one(&self) -> bool {
        self.server.is_some() || self.heroku_app.is_some()
    }
}
