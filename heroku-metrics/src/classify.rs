//! frames -> lines: who wrote a line, told by APP-NAME and PROCID alone.

use heroku_syslog::Frame;

/// Who writes into this place of the log stream.
///
/// Told by APP-NAME and PROCID, which Heroku sets, never by PRI (the same lines moved from 45 to 134 over the years) and
/// never by text, which an app can print.
///
/// ```
/// use heroku_metrics::Source;
///
/// assert_eq!(Source::of(Some("heroku"), Some("router")), Source::Router);
/// assert_eq!(Source::of(Some("app"), Some("heroku-postgres")), Source::Postgres);
/// assert_eq!(Source::of(Some("app"), Some("web.1")), Source::App);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Source {
    /// `heroku` + `router`: one line for each request.
    Router,
    /// `heroku` + a dyno: state changes, R codes, runtime samples.
    Dyno,
    /// `heroku` + `logplex`: L10, L11, L14.
    Logplex,
    /// Any APP-NAME + `log-shuttle`: L12, L13.
    LogShuttle,
    /// `heroku-postgres`: samples of a database.
    Postgres,
    /// `heroku-redis`: samples of a key-value store.
    Redis,
    /// `heroku-pgbouncer`: samples of a connection pool.
    PgBouncer,
    /// `app` + a process of the app: where custom metrics are read from.
    App,
    /// `api`: what the platform did at somebody's request.
    Api,
    /// Database server logs, which quote SQL: never read.
    Other,
    /// Any other APP-NAME: the token of log-shuttle, other senders. Custom metrics are read from it on request; see
    /// [`CustomFrom`](crate::CustomFrom).
    Sender,
}

impl Source {
    /// The source of a frame with these header fields.
    ///
    /// The data services log as `app`; `heroku` is taken as well, since tools have written it.
    ///
    /// ```
    /// use heroku_metrics::Source;
    /// assert_eq!(Source::of(Some("heroku"), Some("worker.2")), Source::Dyno);
    /// assert_eq!(Source::of(Some("app"), Some("postgres.1234")), Source::Other);
    /// assert_eq!(Source::of(None, None), Source::Sender);
    /// ```
    #[must_use]
    pub fn of(app_name: Option<&str>, proc_id: Option<&str>) -> Self {
        Self::of_bytes(app_name.unwrap_or_default().as_bytes(), proc_id.unwrap_or_default().as_bytes())
    }

    /// The source of a frame: the same, without looking at the names of the router's lines, which most are.
    ///
    /// ```
    /// use heroku_metrics::Source;
    /// use heroku_metrics::syslog::{Dialect, Frame};
    /// let frame = Frame::parse(b"<158>1 - host heroku router - at=info", Dialect::Logplex)?;
    /// assert_eq!(Source::of_frame(&frame), Source::Router);
    /// # Ok::<(), heroku_metrics::syslog::FrameError>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn of_frame(frame: &Frame<'_>) -> Self {
        if frame.is_router() {
            return Self::Router;
        }
        Self::of_bytes(frame.app_name_bytes().unwrap_or_default(), frame.proc_id_bytes().unwrap_or_default())
    }

    #[inline(never)]
    fn of_bytes(app_name: &[u8], proc_id: &[u8]) -> Self {
        match (app_name, proc_id.first()) {
            // Of the names below, none begins as those of dynos mostly do: `web.1`, `worker.2`.
            (b"app", Some(b'w')) => Self::App,
            (b"heroku", Some(b'w')) => Self::Dyno,
            _ => Self::of_any(app_name, proc_id),
        }
    }

    fn of_any(app_name: &[u8], proc_id: &[u8]) -> Self {
        match (app_name, proc_id) {
            (_, b"log-shuttle") => Self::LogShuttle,
            (b"app" | b"heroku", b"heroku-postgres") => Self::Postgres,
            (b"app" | b"heroku", b"heroku-redis") => Self::Redis,
            (b"app" | b"heroku", b"heroku-pgbouncer") => Self::PgBouncer,
            (b"heroku", b"router") => Self::Router,
            (b"heroku", b"logplex") => Self::Logplex,
            (b"heroku" | b"app", b"api") => Self::Api,
            (b"heroku", _) => Self::Dyno,
            // The server log of a database quotes SQL, and SQL may quote anything.
            (b"app", _) if proc_id.starts_with(b"postgres.") => Self::Other,
            (b"app", _) => Self::App,
            _ => Self::Sender,
        }
    }
}

/// What a line turned out to be, once read.
///
/// ```
/// assert_eq!(heroku_metrics::Class::PlatformError.as_str(), "platform_error");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Class {
    /// A router line, with or without an H code.
    Router,
    /// Dyno runtime samples.
    Runtime,
    /// Postgres samples.
    Postgres,
    /// Key-Value Store samples.
    Redis,
    /// Connection pool samples.
    PgBouncer,
    /// An R code.
    PlatformError,
    /// An L code.
    LogplexError,
    /// A line of the app with at least one `count#`, `measure#` or `sample#`, good or refused.
    Custom,
    /// What a dyno went through: [`Families`](crate::Families) reads it on request, else it is text.
    DynoEvent,
    /// A release of the app, read on request; else it is text.
    Release,
    /// Everything else.
    Text,
    /// A line of the router in a shape that is not known.
    UnreadRouter,
    /// Samples of a dyno in a shape that is not known.
    UnreadRuntime,
    /// A line of a data service without a sample that is known.
    UnreadDatabase,
    /// An `Error` of a dyno or of the log system in a shape that is not known.
    UnreadError,
    /// A line of another sender than the app with `count# measure# sample#` on it, of which nothing was read; see
    /// [`CustomFrom`](crate::CustomFrom).
    PassedOver,
    /// A native line of a one-off dyno, left out; see [`one_off_dynos`](crate::ExtractorConfig::with_one_off_dynos).
    OneOff,
}

impl Class {
    /// The name as `logdrain parse` prints it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::Runtime => "runtime",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::PgBouncer => "pgbouncer",
            Self::PlatformError => "platform_error",
            Self::LogplexError => "logplex_error",
            Self::Custom => "custom",
            Self::DynoEvent => "dyno_event",
            Self::Release => "release",
            Self::Text => "text",
            Self::UnreadRouter => "unread_router",
            Self::UnreadRuntime => "unread_runtime",
            Self::UnreadDatabase => "unread_database",
            Self::UnreadError => "unread_error",
            Self::PassedOver => "passed_over",
            Self::OneOff => "one_off",
        }
    }
}
