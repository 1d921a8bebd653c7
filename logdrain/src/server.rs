//! A server of ours that a command asks: which one, with what token, and its answers.

mod heroku;

use crate::args::server::{Secret, ServerArgs};
use crate::interrupt;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::Serializer;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use logdrain_terms::client::{Answer, Ask, Base, Client, ClientError};
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::{Failure, say};
use std::time::Duration;
use tokio::runtime::Runtime;

/// The most bytes of an answer that is held as a whole.
const ANSWER: usize = 64 << 20;
/// How soon a signal is heard.
const TICK: Duration = Duration::from_millis(100);

/// The names of the environment, of an app's config vars too.
const URL: &str = "LOGDRAIN_URL";
const TOKENS: [&str; 2] = ["LOGDRAIN_TOKEN", "PAPERTRAIL_API_TOKEN"];

/// A server and a connection to it.
#[derive(Debug)]
pub(crate) struct Server {
    client: Client,
    runtime: Runtime,
    /// Whose lines are meant, where whoever asks has a choice.
    account: Option<String>,
    has_token: bool,
}

/// The server that was named, or that the environment names; `None` if there is none.
///
/// # Errors
/// When what was named is no server, or no certificate can be checked.
pub(crate) fn known(args: &ServerArgs, account: Option<&str>) -> Result<Option<Server>, Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let app = match &args.heroku_app {
        Some(app) => Some(heroku::config(app)?),
        None => None,
    };
    let of_app = |name: &str| app.as_ref().and_then(|vars| vars.get(name)).filter(|value| !value.trim().is_empty());
    let url = match (&args.server, &app) {
        (Some(url), _) => url.clone(),
        (None, Some(_)) => of_app(URL).cloned().ok_or_else(|| {
            let app = args.heroku_app.as_deref().unwrap_or_default();
            Failure::Config(format!(
                "the app {} has no config var {URL}; is the add-on there, or is it another app? --server names a server",
                Escaped(app)
            ))
        })?,
        (None, None) => match variable(URL) {
            Some(url) => url,
            None => return Ok(None),
        },
    };
    let base = Base::parse(&url).map_err(|why| Failure::Config(format!("server: {why}")))?;
    let token = args.token.clone().or_else(|| {
        let token = TOKENS.into_iter().find_map(|name| of_app(name).cloned());
        token.or_else(|| TOKENS.into_iter().find_map(variable)).map(Secret)
    });
    Server::new(base, token.as_ref(), account).map(Some)
}

/// The server, which there must be.
///
/// # Errors
/// As [`known`], and when none is named.
pub(crate) fn needed(args: &ServerArgs, account: Option<&str>) -> Result<Server, Failure> {
    known(args, account)?.ok_or_else(|| {
        Failure::Config(format!(
            "no server is named: --server URL, or {URL}; or --heroku-app NAME, whose config vars say it"
        ))
    })
}

impl Server {
    fn new(base: Base, token: Option<&Secret>, account: Option<&str>) -> Result<Self, Failure> {
        if token.is_some() && !base.is_encrypted() && !base.is_this_machine() {
            say(format_args!(
                "logdrain: {base}: is not encrypted, and the token goes over the network as it is; has it no https://?"
            ));
        }
        let mut client = Client::new(base).map_err(|error| Failure::Config(error.to_string()))?;
        if let Some(Secret(token)) = token {
            let (name, value) = match token.split_once(':') {
                Some(_) => (AUTHORIZATION, format!("Basic {}", STANDARD.encode(token))),
                None => (HeaderName::from_static("x-papertrail-token"), token.clone()),
            };
            let value = HeaderValue::try_from(value)
                .map_err(|_| Failure::Config("the token holds characters that none has; copy it again".to_owned()))?;
            client = client.with_secret(name, value);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Config(format!("the network cannot be used: {error}")))?;
        let (account, has_token) = (account.map(str::to_owned), token.is_some());
        Ok(Self { client, runtime, account, has_token })
    }

    pub(crate) const fn base(&self) -> &Base {
        self.client.base()
    }

    /// Asks, and gives the answer to `then`, until a signal ends it.
    ///
    /// # Errors
    /// Those of the client, and of `then`.
    pub(crate) fn ask<T>(
        &self,
        ask: &Ask,
        then: impl AsyncFnOnce(Answer) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                answer = async { then(self.client.ask(ask).await?).await } => answer,
                () = interrupted() => Err(self.client.interrupted()),
            }
        })
    }

    /// The JSON at a path of the API, below which these parameters are.
    ///
    /// # Errors
    /// Those of the client.
    pub(crate) fn get<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        self.ask(&Ask::get(self.path(path, parameters)), async |answer| answer.json(ANSWER).await)
    }

    /// A path with its parameters, and the account if one was named; parameters without a value are left out.
    pub(crate) fn path(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let mut query = Serializer::new(String::new());
        let account = self.account.as_deref().map(|account| ("account", account));
        for (name, value) in parameters.iter().copied().chain(account) {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }

    /// Waits, unless a signal comes.
    pub(crate) fn wait(&self, time: Duration) {
        self.runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(time) => {}
                () = interrupted() => {}
            }
        });
    }

    /// Why a command cannot go on, and what to do.
    pub(crate) fn failure(&self, error: &ClientError) -> Failure {
        let hint = match error.status() {
            Some(StatusCode::UNAUTHORIZED) if self.has_token => "; the token is none of this server, or not any more",
            Some(StatusCode::UNAUTHORIZED) => "; it wants a token: LOGDRAIN_TOKEN, or --token",
            Some(StatusCode::FORBIDDEN) => "; the token has no right to that",
            _ => "",
        };
        Failure::Config(format!("{error}{hint}"))
    }
}

async fn interrupted() {
    while !interrupt::is_asked() {
        tokio::time::sleep(TICK).await;
    }
}
