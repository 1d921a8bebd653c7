//! What the operator said: the command line over the TOML file over the defaults, checked once.

use super::intake::{Access, Tls};
use super::settings::{DrainLimits, DrainSettings, Settings};
use super::sinks::otlp::Endpoint;
use crate::args::{self, ServeArgs};
use crate::failure::Failure;
use crate::plan;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything `serve` is told.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) syslog: Option<SocketAddr>,
    pub(crate) tls: Option<Tls>,
    /// The collector that rows go to, too.
    pub(crate) otlp: Option<Endpoint>,
    pub(crate) store: PathBuf,
    /// `None` is standard output.
    pub(crate) out: Option<PathBuf>,
    /// How long raw deliveries are kept after they have been counted.
    pub(crate) retention: Duration,
    pub(crate) snapshot_every: Duration,
    /// The most octets of the journal's file.
    pub(crate) store_limit: Option<usize>,
    pub(crate) limits: IntakeLimits,
    pub(crate) access: Access,
    pub(crate) settings: Settings,
}

/// What intake may take: of memory, of connections, of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IntakeLimits {
    /// The longest body, as it comes and after gzip.
    pub(crate) body: usize,
    /// All bodies that are in memory at a time, on their way in or to the pipelines.
    pub(crate) bodies: usize,
    pub(crate) connections: usize,
    pub(crate) drains: usize,
    /// What each drain's pipeline may take.
    pub(crate) drain: usize,
    /// From the head of a request to its answer. Logplex waits for five seconds.
    pub(crate) answer_within: Duration,
    /// A connection without a request is closed after this; Logplex keeps one for 144 to 159 seconds.
    pub(crate) idle: Duration,
}

/// The file. Every key may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    listen: Option<SocketAddr>,
    syslog: Option<SocketAddr>,
    tls: Option<TlsFiles>,
    otlp: Option<String>,
    store: Option<PathBuf>,
    out: Option<PathBuf>,
    window: Option<Span>,
    lateness: Option<Span>,
    horizon: Option<Span>,
    retention: Option<Span>,
    snapshot_every: Option<Span>,
    store_limit: Option<Size>,
    extended: bool,
    websockets: Option<bool>,
    body_limit: Option<Size>,
    memory: Option<Size>,
    drain_memory: Option<Size>,
    max_connections: Option<usize>,
    max_drains: Option<usize>,
    answer_within: Option<Span>,
    idle_timeout: Option<Span>,
    insecure: bool,
    drain: Vec<Drain>,
    /// Who may look at the page and at `/metrics`.
    watcher: Option<Watcher>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Watcher {
    user: String,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
}

/// A sender, by the credentials in the drain's URL.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Drain {
    name: String,
    user: String,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
    /// The drain tokens that may come with these credentials; any when left out.
    #[serde(default)]
    tokens: Vec<String>,
    app: Option<String>,
    /// `development`, `gold`, or a file.
    plan: Option<String>,
}

/// `60s`, `5m`, `1h`.
#[derive(Debug, Clone, Copy)]
struct Span(Duration);

/// `8MB`, `1GB`.
#[derive(Debug, Clone, Copy)]
struct Size(usize);

/// A password. What is no text is refused without being quoted, as the reader of the file would do.
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(source) {
            Ok(toml::Value::String(text)) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("a password is text in quotes")),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        args::duration(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        let octets = args::bytes(&text).map_err(serde::de::Error::custom)?;
        usize::try_from(octets).map(Self).map_err(serde::de::Error::custom)
    }
}

const DAY: Duration = Duration::from_secs(86_400);

impl Config {
    /// Reads the file, if one is named, and lays the command line over it.
    pub(crate) fn load(args: &ServeArgs) -> Result<Self, Failure> {
        let file = match &args.config {
            Some(path) => read(path)?,
            None => File::default(),
        };
        Self::from_file(args, file, args.config.as_deref().and_then(Path::parent).unwrap_or(Path::new("")))
    }

    /// Paths in the file are from the folder `beside`.
    fn from_file(args: &ServeArgs, file: File, beside: &Path) -> Result<Self, Failure> {
        let insecure = args.insecure || file.insecure;
        let listen = args.listen.or(file.listen).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8514)));
        let out = args.out.clone().or(file.out).filter(|path| path.as_os_str() != "-");
        let span = |argument: Option<Duration>, file: Option<Span>, default: u64| {
            argument.or(file.map(|span| span.0)).unwrap_or(Duration::from_secs(default))
        };
        let limits = IntakeLimits {
            body: file.body_limit.map_or(8 << 20, |size| size.0),
            bodies: file.memory.map_or(64 << 20, |size| size.0),
            connections: file.max_connections.unwrap_or(4_096),
            drains: file.max_drains.unwrap_or(16),
            drain: file.drain_memory.map_or(256 << 20, |size| size.0),
            answer_within: span(None, file.answer_within, 0),
            idle: span(None, file.idle_timeout, 200),
        };
        let answer_within =
            if limits.answer_within.is_zero() { Duration::from_millis(4_500) } else { limits.answer_within };
        let limits = IntakeLimits { answer_within, ..limits };
        if limits.body == 0 || limits.bodies < limits.body.saturating_mul(4) {
            return Err(Failure::Config(
                "memory must be at least four times body_limit: a body may be compressed, and several come at once"
                    .to_owned(),
            ));
        }
        if limits.connections == 0 || limits.drains == 0 {
            return Err(Failure::Config("max_connections and max_drains must be at least 1".to_owned()));
        }
        let drain_limits = DrainLimits::within(limits.drain).ok_or_else(|| {
            Failure::Config("drain_memory is too little for a pipeline; 32MB is a small one".to_owned())
        })?;
        let mut drains = BTreeMap::new();
        let mut access = Vec::new();
        for drain in file.drain {
            let own = drain.settings()?;
            if drain.name.is_empty() || drain.name.contains(['/', '\n']) || drains.contains_key(&drain.name) {
                return Err(Failure::Config(format!(
                    "drain {:?}: a drain's name is unique, not empty and has no slash",
                    drain.name
                )));
            }
            let password = password(drain.password, drain.password_file, beside, &drain.name)?;
            access.push((drain.name.clone(), drain.user, password, drain.tokens));
            drains.insert(drain.name, own);
        }
        let settings = Settings {
            window_ms: millis(span(args.window, file.window, 60)),
            lateness_ms: millis(span(args.lateness, file.lateness, 60)),
            horizon_ms: millis(span(None, file.horizon, 3_600)),
            extended: args.extended || file.extended,
            websockets: file.websockets.unwrap_or(true),
            limits: drain_limits,
            drains,
        };
        if settings.window().is_zero() || !DAY.as_millis().is_multiple_of(settings.window().as_millis()) {
            return Err(Failure::Config("--window: the length of a window divides a day".to_owned()));
        }
        let watcher = match file.watcher {
            Some(Watcher { user, password: text, password_file }) => {
                Some((user, password(text, password_file, beside, "watcher")?))
            }
            None => None,
        };
        let access = Access::new(access, watcher.as_ref().map(|(user, password)| (user.as_str(), password.as_str())));
        let tls = file.tls.map(|files| Tls::read(&beside.join(files.certificate), &beside.join(files.key)));
        let tls = tls.transpose().map_err(|why| Failure::Config(format!("[tls]: {why}")))?;
        let otlp = file.otlp.as_deref().map(Endpoint::parse).transpose();
        let otlp = otlp.map_err(|why| Failure::Config(format!("otlp: {why}")))?;
        let public = [Some(listen), file.syslog].into_iter().flatten().find(|address| !address.ip().is_loopback());
        let missing = match (access.is_open(), tls.is_none()) {
            (true, true) => Some("credentials ([[drain]]) and TLS ([tls]) are"),
            (true, false) => Some("credentials ([[drain]]) are"),
            (false, true) => Some("TLS ([tls]) is"),
            (false, false) => None,
        };
        if let (Some(address), Some(missing), false) = (public, missing, insecure) {
            return Err(Failure::Config(format!(
                "{address} can be reached from outside, and {missing} missing in the configuration. If something in \
                 front of it looks after that: --insecure"
            )));
        }
        Ok(Self {
            listen,
            syslog: file.syslog,
            tls,
            otlp,
            store: args.store.clone().or(file.store).unwrap_or_else(|| PathBuf::from("logdrain-data")),
            out,
            retention: span(None, file.retention, 0),
            snapshot_every: span(None, file.snapshot_every, 30),
            store_limit: file.store_limit.map(|size| size.0),
            limits,
            access,
            settings,
        })
    }

    /// The most octets that the process takes besides its program, SQLite's cache and the buffers of the system.
    pub(crate) fn max_memory(&self) -> usize {
        /// What hyper reads of a head at most, and the connection's own state.
        const CONNECTION: usize = HEAD_LIMIT + 8 * 1024;
        let pipelines = self.limits.drain.saturating_mul(self.limits.drains);
        // A snapshot is written one drain at a time, and is no larger than the state it is of.
        let snapshot = self.limits.drain;
        pipelines
            .saturating_add(snapshot)
            .saturating_add(self.limits.bodies)
            .saturating_add(CONNECTION.saturating_mul(self.limits.connections))
    }
}

/// The most octets of a request's head.
pub(crate) const HEAD_LIMIT: usize = 16 * 1024;

fn read(path: &Path) -> Result<File, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::open(path, error))?;
    // The parser's own message would print the line, and with it perhaps a password.
    toml::from_str(&text).map_err(|error: toml::de::Error| {
        let line = error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        Failure::Config(format!("{}: line {line}: {}", path.display(), error.message()))
    })
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl Drain {
    fn settings(&self) -> Result<DrainSettings, Failure> {
        let plan = self.plan.as_deref().map(plan::load).transpose()?;
        Ok(DrainSettings { app: self.app.clone(), plan })
    }
}

/// A password, as it stands there or in a file of its own.
fn password(text: Option<Secret>, file: Option<PathBuf>, beside: &Path, whose: &str) -> Result<String, Failure> {
    match (text, file) {
        (Some(Secret(password)), None) if !password.is_empty() => Ok(password),
        (None, Some(path)) => {
            let path = beside.join(path);
            let text = std::fs::read_to_string(&path).map_err(|error| Failure::open(&path, error))?;
            let password = text.trim_end_matches(['\r', '\n']);
            if password.is_empty() {
                return Err(Failure::Config(format!("{}: holds no password", path.display())));
            }
            Ok(password.to_owned())
        }
        _ => Err(Failure::Config(format!("{whose:?}: give one of password and password_file"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../logdrain.toml");

    fn load(text: &str) -> Result<Config, Failure> {
        Config::from_file(&ServeArgs::default(), toml::from_str(text).unwrap(), Path::new(""))
    }

    #[test]
    fn the_documented_example_says_the_defaults() {
        let (example, default) = (load(EXAMPLE).unwrap(), load("").unwrap());
        assert_eq!(format!("{example:?}"), format!("{default:?}"));
    }

    #[test]
    fn what_is_commented_out_in_the_example_can_be_used() {
        let mut all = String::new();
        for line in EXAMPLE.lines() {
            let inner = line.strip_prefix("# ").unwrap_or(line);
            let is_key = inner
                .split_once(" = ")
                .is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            if is_key || inner.starts_with('[') {
                all.push_str(inner);
                all.push('\n');
            }
        }
        let file: File = toml::from_str(&all).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(file.drain.len(), 1);
        assert!(
            file.watcher.is_some()
                && file.tls.is_some()
                && file.syslog.is_some()
                && file.otlp.is_some()
                && file.store_limit.is_some()
        );
    }

    #[test]
    fn a_password_of_the_wrong_kind_is_not_quoted() {
        for value in ["4711", "[\"4711\"]", "4711.5", "{ a = \"4711\" }"] {
            let text = format!("[watcher]\nuser = \"ops\"\npassword = {value}\n");
            let error = toml::from_str::<File>(&text).unwrap_err();
            assert!(error.message().contains("text in quotes") && !error.message().contains("4711"), "{error}");
        }
    }

    #[test]
    fn contradictions_are_told_and_secrets_are_not() {
        for (text, said) in [
            ("window = \"7s\"", "divides a day"),
            ("memory = \"8MB\"", "four times body_limit"),
            ("drain_memory = \"1MB\"", "too little"),
            ("max_drains = 0", "at least 1"),
            ("[[drain]]\nname = \"a/b\"\nuser = \"u\"\npassword = \"s3cret\"", "no slash"),
            ("[[drain]]\nname = \"a\"\nuser = \"u\"", "one of password and password_file"),
            ("[tls]\ncertificate = \"no.pem\"\nkey = \"no.key\"", "no certificate can be read"),
            ("listen = \"0.0.0.0:1\"", "credentials ([[drain]]) and TLS ([tls]) are missing"),
            ("syslog = \"0.0.0.0:1\"", "can be reached from outside"),
        ] {
            let error = load(text).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(said) && !error.contains("s3cret"), "{text}: {error}");
        }
        assert!(load("listen = \"0.0.0.0:1\"\ninsecure = true").is_ok());
    }
}
