//! What the operator said: the command line over the TOML file over the defaults, checked once.

mod addon;
mod cluster;
mod drains;
mod file;
mod journal;
mod limits;
mod machine;
mod memory;
mod ports;
mod secrets;
mod smtp;

pub(crate) use cluster::Cluster;
pub(crate) use file::{is_cut, is_empty};
pub(crate) use machine::open_files;

use crate::args::ServeArgs;
use file::{File, Span};
use logdrain_drain::alerts::channel::Smtp;
use logdrain_drain::door::Allowed;
use logdrain_drain::drain_name;
use logdrain_drain::intake::port::Port;
use logdrain_drain::intake::{Access, Tls};
use logdrain_drain::journal::Address;
use logdrain_drain::limits::Habits;
use logdrain_drain::limits::{Archives, IntakeLimits, MetricsLimits};
use logdrain_drain::logs::Keeping;
use logdrain_drain::outlets::otlp::Endpoint;
use logdrain_drain::settings::{DrainLimits, Settings};
use logdrain_terms::failure::Failure;
use logdrain_terms::reading::Reading;
use logdrain_web::addon::AddonSettings;
use logdrain_web::{answers, bodies, events, places, v1, v2};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
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
    /// Where the journal is, if it is not in the store's folder.
    pub(crate) journal: Option<Address>,
    /// Where others share it.
    pub(crate) cluster: Option<Cluster>,
    /// The most bytes of the journal's file.
    pub(crate) journal_limit: Option<usize>,
    /// The most bytes of the file in which deliveries wait while the database is away; 0 without it.
    pub(crate) spool_limit: u64,
    /// How the lines are kept.
    pub(crate) keeping: Keeping,
    /// Which lines are archived.
    pub(crate) archives: Archives,
    /// The most bytes of the file of minutes.
    pub(crate) minutes_limit: u64,
    pub(crate) limits: IntakeLimits,
    /// Addresses that others reach are fine without credentials or TLS.
    pub(crate) insecure: bool,
    /// Whoever reaches this server may read, as long as nobody has to sign in.
    pub(crate) open_reading: bool,
    /// What absolute links begin with.
    pub(crate) url: Option<String>,
    /// How `/api/v1` answers where its clients differ.
    pub(crate) v1: Habits,
    pub(crate) access: Access,
    /// Where plain syslog is taken.
    pub(crate) ports: Vec<Arc<Port>>,
    /// The key that secrets are sealed with; `None` where there is no configuration that it lies beside.
    pub(crate) key_file: Option<PathBuf>,
    /// What accounts may name besides what is outside.
    pub(crate) outbound: Vec<Allowed>,
    /// Heroku may make and remove resources here.
    pub(crate) addon: Option<AddonSettings>,
    /// The mail server that alerts are sent by.
    pub(crate) smtp: Option<Smtp>,
    pub(crate) settings: Settings,
    pub(crate) metrics: MetricsLimits,
    /// What is allowed and hardly meant.
    pub(crate) warnings: Vec<String>,
}

/// The key that secrets are sealed with, when the file does not say where.
const KEY_FILE: &str = "logdrain.key";
const DAY: Duration = Duration::from_secs(86_400);

impl Config {
    /// The text of the file; none without one.
    pub(crate) fn text(args: &ServeArgs) -> Result<String, Failure> {
        match &args.config {
            Some(path) => secrets::text(path).map_err(|error| Failure::configuration(path, &error)),
            None => Ok(String::new()),
        }
    }

    /// Reads a text, and lays the command line over it.
    pub(crate) fn from_text(args: &ServeArgs, text: &str) -> Result<Self, Failure> {
        let beside = args.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        let name = args.config.as_deref().unwrap_or(Path::new("-")).display();
        let file = file::parse(text).map_err(|why| Failure::Config(format!("{name}: {why}")))?;
        let holds_passwords = file.holds_passwords();
        let mut config = Self::from_file(args, file, beside).map_err(|why| Failure::Config(why.0))?;
        if holds_passwords && args.config.as_deref().is_some_and(machine::is_read_by_all) {
            config.warnings.push(format!("{name}: {}", machine::READ_BY_ALL));
        }
        Ok(config)
    }

    /// Paths in the file are from the folder `beside`.
    fn from_file(args: &ServeArgs, file: File, beside: &Path) -> Result<Self, Wrong> {
        let mut warnings = Vec::new();
        let insecure = args.insecure || file.insecure;
        let listen =
            args.listen.or(file.listen.map(|address| address.0)).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8514)));
        let out = args.out.clone().or_else(|| file.out.clone()).filter(|path| path.as_os_str() != "-");
        let mut limits = limits::of_file(&file, &mut warnings)?;
        let mut keeping = limits::keeping(&file)?;
        let archives = limits::archives(&file)?;
        let minutes_limit = limits::minutes(file.minutes_limit)?;
        let others = cluster::Others {
            has_journal: file.journal.is_some(),
            has_addon: file.addon.is_some(),
            keeps_lines: file.logs_limit.is_some_and(|limit| limit.0 > 0),
        };
        let cluster = cluster::of_file(
            file.cluster,
            &others,
            (listen, file.tls.is_some()),
            beside,
            &|name| std::env::var(name).ok().filter(|value| !value.is_empty()),
            &mut warnings,
        )?;
        if cluster.is_some() && !others.keeps_lines {
            keeping.limit = 0;
        }
        let (drains, access) = drains::of_file(file.drain, beside, &mut warnings)?;
        limits.drains = limits::places(file.max_drains, limits.drains, &drains)?;
        let metrics = limits::metrics(file.metrics_rows, file.metrics_limit)?;
        limits.answers = answers::most(metrics, limits.bodies) + WEB;
        let alerts = limits::alerts(file.alert_memory)?;
        let settings = Settings {
            accounts: BTreeMap::new(),
            next_id: 0,
            window_ms: millis(span(args.window, file.window, 60)),
            lateness_ms: millis(span(args.lateness, file.lateness, 60)),
            horizon_ms: millis(span(None, file.horizon, 3_600)),
            extended: args.extended || file.extended,
            websockets: file.websockets.unwrap_or(true),
            reading: args.reading.over(Reading {
                families: file.families,
                dyno_identity: file.dyno_identity,
                one_off: file.one_off.unwrap_or(true),
                custom_from: file.custom_from,
            }),
            limits: DrainLimits::within(limits.drain)
                .ok_or(Wrong::new("drain_memory is too little for a pipeline; 32MB is a small one"))?
                .with_alerts(cluster.as_ref().map_or(alerts, |cluster| cluster.alerts(alerts))),
            drains,
            apps: BTreeMap::new(),
        };
        if settings.window().is_zero() || !DAY.as_millis().is_multiple_of(settings.window().as_millis()) {
            return Err(Wrong::new("--window: the length of a window divides a day"));
        }
        let watcher = file.watcher.map(|watcher| secrets::watcher(watcher, beside, &mut warnings)).transpose()?;
        let mut access =
            Access::new(access, watcher.as_ref().map(|(user, password)| (user.as_str(), password.as_str())));
        let tls = file.tls.map(|files| {
            Tls::read(&secrets::located(beside, &files.certificate), &secrets::located(beside, &files.key))
        });
        let tls = tls.transpose().map_err(|why| Wrong(format!("[tls], {why}")))?;
        let ports = ports::of_file(file.port, tls.is_some(), beside, &mut warnings)?;
        let otlp = file.otlp.as_deref().map(Endpoint::parse).transpose();
        let otlp = otlp.map_err(|why| Wrong(format!("otlp: {why}")))?;
        let url = file.url.as_deref().map(limits::base).transpose()?;
        let store = args.store.clone().or(file.store).unwrap_or_else(|| PathBuf::from("logdrain-data"));
        let outbound = limits::outbound(&file.outbound_allow)?;
        let journal_limit = limits::journal(file.journal_limit.as_ref(), limits.body, &mut warnings)?;
        let (said, password) = (file.journal, file.journal_password_file);
        let journal = journal::of_file(said, password, file.journal_limit.as_ref(), beside, &mut warnings)?;
        let parts = cluster.as_ref().map_or(1, |cluster| cluster.parts.count());
        let spool_limit = journal::spool(file.spool, file.spool_limit, journal.is_some(), parts)?;
        // It was the add-on's alone once.
        let key_file = file.key_file.or_else(|| file.addon.as_ref().and_then(|addon| addon.key_file.clone()));
        let usual = || (args.config.is_some() || file.addon.is_some()).then(|| PathBuf::from(KEY_FILE));
        let key_file = key_file.or_else(usual).map(|path| secrets::located(beside, &path));
        let addon = addon::of_file(file.addon, url.as_deref(), &store, beside, &mut warnings)?;
        if addon.is_some() {
            access.close();
        }
        let smtp = smtp::of_file(file.smtp, url.as_deref(), beside, &mut warnings)?;
        let config = Self {
            listen,
            syslog: file.syslog.map(|address| address.0),
            tls,
            otlp,
            store,
            out,
            retention: span(None, file.retention, 0),
            snapshot_every: span(None, file.snapshot_every, 30),
            journal,
            cluster,
            journal_limit,
            spool_limit,
            keeping,
            archives,
            minutes_limit,
            limits,
            insecure,
            open_reading: file.open_reading,
            url,
            v1: Habits { max_id_overlap: file.v1.max_id_overlap.unwrap_or(true), null_program: file.v1.null_program },
            access,
            ports,
            key_file,
            outbound,
            addon,
            smtp,
            settings,
            metrics,
            warnings,
        };
        config.fits(machine::memory())
    }

    /// Whether its own addresses may be listened on.
    ///
    /// # Errors
    /// As [`is_safe_with`](Self::is_safe_with).
    pub(crate) fn may_start(&self) -> Result<(), String> {
        self.is_safe_with(self.tls.is_some(), [Some(self.listen), self.syslog].into_iter().flatten())
    }

    /// Whether these addresses may be listened on.
    ///
    /// # Errors
    /// When others reach one of them, and credentials or TLS are missing.
    pub(crate) fn is_safe_with(
        &self,
        is_encrypted: bool,
        addresses: impl IntoIterator<Item = SocketAddr>,
    ) -> Result<(), String> {
        let public = addresses.into_iter().find(|address| !address.ip().is_loopback());
        let missing = match (self.access.is_open(), !is_encrypted) {
            (true, true) => Some("credentials ([[drain]]) and TLS ([tls]) are"),
            (true, false) => Some("credentials ([[drain]]) are"),
            (false, true) => Some("TLS ([tls]) is"),
            (false, false) => None,
        };
        match (public, missing) {
            (Some(address), Some(missing)) if !self.insecure => Err(format!(
                "{address} can be reached from outside, and {missing} missing in the configuration. If something in \
                 front of it looks after that: --insecure"
            )),
            _ => Ok(()),
        }
    }

    /// The keys that say something else there, and hold from the next start on.
    pub(crate) fn differs_at_start(&self, other: &Self) -> Vec<&'static str> {
        let (own, others) = (&self.settings, &other.settings);
        let all = [
            ("listen", self.listen != other.listen),
            ("syslog", self.syslog != other.syslog),
            ("tls", self.tls.is_some() != other.tls.is_some()),
            ("otlp", self.otlp != other.otlp),
            ("store", self.store != other.store),
            ("out", self.out != other.out),
            ("window", own.window_ms != others.window_ms),
            ("lateness", own.lateness_ms != others.lateness_ms),
            ("horizon", own.horizon_ms != others.horizon_ms),
            ("extended", own.extended != others.extended),
            ("websockets", own.websockets != others.websockets),
            ("families, dyno_identity, one_off or custom_from", own.reading != others.reading),
            ("retention", self.retention != other.retention),
            ("snapshot_every", self.snapshot_every != other.snapshot_every),
            ("journal", self.journal != other.journal),
            ("cluster", self.cluster != other.cluster),
            ("journal_limit", self.journal_limit != other.journal_limit),
            ("spool or spool_limit", self.spool_limit != other.spool_limit),
            ("logs_retention", self.keeping.retention != other.keeping.retention),
            ("logs_limit", self.keeping.limit != other.keeping.limit),
            ("minutes_limit", self.minutes_limit != other.minutes_limit),
            ("archives", self.archives.without_plan != other.archives.without_plan),
            ("archives_retention", self.archives.kept_for != other.archives.kept_for),
            ("journal_ahead", self.keeping.ahead != other.keeping.ahead),
            ("body_limit", self.limits.body != other.limits.body),
            ("memory", self.limits.bodies != other.limits.bodies),
            ("drain_memory", self.limits.drain != other.limits.drain),
            ("alert_memory", own.limits.alert_bytes != others.limits.alert_bytes),
            ("max_connections", self.limits.connections != other.limits.connections),
            ("max_drains", self.limits.drains != other.limits.drains),
            ("metrics_rows", self.metrics.rows != other.metrics.rows),
            ("metrics_limit", self.metrics.bytes != other.metrics.bytes),
            ("answer_within", self.limits.answer_within != other.limits.answer_within),
            ("idle_timeout", self.limits.idle != other.limits.idle),
            ("insecure", self.insecure != other.insecure),
            ("open_reading", self.open_reading != other.open_reading),
            ("url", self.url != other.url),
            ("addon", self.addon != other.addon),
            ("smtp", self.smtp != other.smtp),
            ("key_file", self.key_file != other.key_file),
            ("outbound_allow", self.outbound != other.outbound),
            ("v1", self.v1 != other.v1),
            ("port", !self.ports.iter().map(|port| &port.settings).eq(other.ports.iter().map(|port| &port.settings))),
        ];
        all.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }
}

/// Where a server with these arguments listens for deliveries, and whether that is encrypted.
pub(crate) fn listens_on(args: &ServeArgs) -> Result<(SocketAddr, bool), Failure> {
    let config = Config::from_text(args, &Config::text(args)?)?;
    Ok((config.listen, config.tls.is_some()))
}

/// What pages and APIs take at the most, but for `/metrics`.
const WEB: usize = bodies::MOST + events::MOST + places::MOST + v1::MOST + v2::MOST;

/// What is wrong with the configuration.
#[derive(Debug)]
struct Wrong(String);

impl Wrong {
    fn new(why: &str) -> Self {
        Self(why.to_owned())
    }
}

/// The account that a drain's lines are kept for: `None` is the one that is there without any configuration. Its name is a
/// folder of the store.
fn account(name: Option<String>, section: &str) -> Result<Option<String>, Wrong> {
    let Some(name) = name else { return Ok(None) };
    if !log_store::is_account_name(&name) {
        return Err(Wrong(format!(
            "{section}, account: 1 to 63 of a-z, 0-9 and -, as in account = \"shop\", and not \"shared\""
        )));
    }
    Ok((name != drain_name::DEFAULT_ACCOUNT).then_some(name))
}

fn span(argument: Option<Duration>, file: Option<Span>, default: u64) -> Duration {
    argument.or(file.map(|span| span.0)).unwrap_or(Duration::from_secs(default))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../logdrain.toml");

    fn load(text: &str) -> Result<Config, Failure> {
        let config = Config::from_text(&ServeArgs::default(), text)?;
        config.may_start().map_err(Failure::Config)?;
        Ok(config)
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
                && file.journal_limit.is_some()
                && file.smtp.is_some()
        );
    }

    #[test]
    fn what_is_read_beyond_the_defaults_is_of_the_settings() {
        let text = "families = [\"dyno.state\", \"release\"]\ndyno_identity = \"type\"\none_off = false\ncustom_from = \"any\"";
        let settings = load(text).unwrap().settings;
        let told = serde_json::to_string(&settings.reading).unwrap();
        let wanted =
            r#"{"families":["dyno.state","release"],"dyno_identity":"type","one_off":false,"custom_from":"any"}"#;
        assert_eq!(told, wanted);
        assert_eq!(load("").unwrap().settings.reading, Reading::default());
    }

    #[test]
    fn contradictions_are_told_and_secrets_are_not() {
        let drain = |name: &str, rest: &str| format!("[[drain]]\nname = \"{name}\"\nuser = \"u\"\n{rest}\n");
        let long = "password = \"s3cret-and-long\"";
        const BASE: &str = "url = \"https://logs.example.com\"\n";
        let smtp = |base: &str, rest: &str| {
            format!("{base}[smtp]\nhost = \"mail.example.com\"\nfrom = \"alerts@example.com\"\n{rest}\n")
        };
        for (text, said) in [
            ("window = \"7s\"".to_owned(), "divides a day"),
            ("memory = \"8MB\"".to_owned(), "four times body_limit"),
            ("drain_memory = \"1MB\"".to_owned(), "too little"),
            ("alert_memory = \"15MB\"".to_owned(), "alert_memory must be at least 16MB"),
            ("max_drains = 0".to_owned(), "at least 1"),
            ("journal_limit = \"1\"".to_owned(), "journal_limit must be at least 1MB"),
            ("logs_limit = \"1\"".to_owned(), "logs_limit must be at least 128kB, or 0"),
            ("max_drains = 4000000000".to_owned(), "max_drains at most"),
            ("max_connections = 4000000000".to_owned(), "max_connections must be at most"),
            ("body_limit = \"1\"".to_owned(), "body_limit is below 16kB"),
            ("body_limit = \"32kB\"\nsyslog = \"127.0.0.1:1\"".to_owned(), "at least 128kB with syslog"),
            ("idle_timeout = \"0s\"".to_owned(), "idle_timeout is too short"),
            ("answer_within = \"0s\"".to_owned(), "answer_within is too short"),
            (
                drain("a/s3cret", "password = \"s3cret\""),
                "[[drain]] 1: a drain's name is unique, not empty and has no slash",
            ),
            (drain("measurements", "password = \"s3cret\""), "[[drain]] 1: no drain is called measurements"),
            (drain("a", ""), "[[drain]] 1: give one of password and password_file"),
            (drain("a", "password = \"s3cret\"\npassword_file = \"s3cret\""), "give one of"),
            (drain("a", "password_file = \"s3cret\""), "[[drain]] 1, password_file: cannot be read: entity not found"),
            (drain("a", "password = \"s3cret\"\nplan = \"s3cret\""), "[[drain]] 1, plan: neither"),
            (drain("a", "password = \"x\"\ntokens = [\"s3cret token\"]"), "[[drain]] 1, tokens: a token has 64 bytes"),
            (drain("a", long) + &drain("b", long), "[[drain]] 2 has the user and the password of [[drain]] 1"),
            (
                drain("a", "password = \"x\"\ntokens = [\"d.s3cret\"]")
                    + &drain("b", "password = \"y\"\ntokens = [\"d.s3cret\"]"),
                "[[drain]] 2, tokens: one of them stands there already",
            ),
            (
                "[watcher]\nuser = \"u\"\npassword_file = \"s3cret\"".to_owned(),
                "[watcher], password_file: cannot be read",
            ),
            (
                "[tls]\ncertificate = \"s3cret.pem\"\nkey = \"no.key\"".to_owned(),
                "[tls], certificate: no certificate can be read",
            ),
            ("otlp = \"https://user:s3cret@collector.example.com\"".to_owned(), "otlp: expected http://"),
            ("otlp = \"http://user:s3cret@collector.example.com\"".to_owned(), "otlp: "),
            ("otlp = \"s3cret\"".to_owned(), "otlp: expected http://"),
            ("otlp = \"http://s3cret s3cret\"".to_owned(), "otlp: "),
            ("url = \"https://s3cret:s3cret@logs.example.com\"".to_owned(), "url: expected"),
            ("url = \"https://logs.example.com/s3cret\"".to_owned(), "url: expected"),
            ("url = \"ftp://s3cret\"".to_owned(), "url: expected"),
            (smtp("", ""), "[smtp]: url is missing"),
            (smtp(BASE, "password = \"s3cret\""), "[smtp]: user is missing"),
            (smtp(BASE, "user = \"u\""), "[smtp]: give one of password and password_file"),
            (smtp(BASE, "user = \"u\"\npassword = \"s3cret\"\ntls = \"none\""), "[smtp], tls: none would send"),
            (smtp(BASE, "").replace("mail.example", "s3cret@mail.example"), "[smtp], host: the name"),
            (smtp(BASE, "").replace("alerts@", "s3cret "), "[smtp], from: an e-mail address"),
            ("listen = \"0.0.0.0:1\"".to_owned(), "credentials ([[drain]]) and TLS ([tls]) are missing"),
            ("syslog = \"0.0.0.0:1\"".to_owned(), "can be reached from outside"),
        ] {
            let error = load(&text).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(said) && !error.contains("s3cret"), "{text}: {error}");
        }
        assert!(load("listen = \"0.0.0.0:1\"\ninsecure = true").is_ok());
    }

    #[test]
    fn a_mail_server_is_taken_where_the_program_sends_mail() {
        let text =
            "url = \"https://logs.example.com\"\n[smtp]\nhost = \"mail.example.com\"\nfrom = \"Alerts@example.com\"\n";
        match load(text) {
            Ok(config) => {
                let smtp = config.smtp.unwrap();
                assert_eq!((smtp.port, smtp.from.as_str(), smtp.user), (587, "alerts@example.com", None));
                let other = load(&format!("{text}tls = \"implicit\"")).unwrap();
                assert_eq!(other.smtp.as_ref().map(|smtp| smtp.port), Some(465));
                assert_eq!(load(text).unwrap().differs_at_start(&other), ["smtp"]);
            }
            Err(error) => assert!(error.to_string().contains("without the feature mail"), "{error}"),
        }
    }

    #[test]
    fn the_journals_limit_is_read_under_its_older_name() {
        for key in ["journal_limit", "store_limit"] {
            assert_eq!(load(&format!("{key} = \"2GB\"")).unwrap().journal_limit, Some(2 << 30), "{key}");
        }
        let both = load("journal_limit = \"1GB\"\nstore_limit = \"2GB\"").unwrap_err().to_string();
        assert!(both.contains("journal_limit: "), "{both}");
    }

    #[test]
    fn an_account_has_a_name_that_can_be_a_folder() {
        let load = |account: &str| {
            load(&format!("[[drain]]\nname = \"a\"\nuser = \"u\"\npassword = \"p\"\naccount = \"{account}\""))
        };
        let long = "a".repeat(63);
        for (name, kept) in [("shop-2", Some("shop-2")), ("default", None), ("0", Some("0")), (&long, Some(&*long))] {
            assert_eq!(load(name).unwrap().settings.drains["a"].account.as_deref(), kept, "{name}");
        }
        for name in ["", ".", "..", "a/b", "Shop", "a_b", "s3cret s3cret", "\u{e9}", &"a".repeat(64)] {
            let error = load(name).unwrap_err().to_string();
            assert!(error.contains("[[drain]] 1, account: ") && !error.contains("s3cret"), "{name}: {error}");
        }
    }

    #[test]
    fn what_is_hardly_meant_is_warned_of() {
        let drain = |password: &str| format!("[[drain]]\nname = \"a\"\nuser = \"u\"\npassword = \"{password}\"\n");
        assert!(load(&drain("twelve-chars")).unwrap().warnings.iter().all(|warning| !warning.contains("password")));
        let warned = load(&drain("p")).unwrap().warnings.join("\n");
        assert!(warned.contains("[[drain]] 1: the password has fewer than 12 characters"), "{warned}");
        let warned = load("journal_limit = \"8MB\"").unwrap().warnings.join("\n");
        assert!(warned.contains("journal_limit is below twice body_limit"), "{warned}");
        assert!(
            load("answer_within = \"6s\"").unwrap().warnings.join("\n").contains("Logplex does not wait that long")
        );
    }

    #[test]
    fn what_the_machine_does_not_have_is_refused_or_warned_of() {
        let fits = |text: &str, machine| load(text).unwrap().fits(Some(machine));
        assert!(fits("memory = \"100MB\"", 64 << 20).unwrap_err().0.contains("memory is more than this machine has"));
        assert!(fits("", 128 << 20).unwrap_err().0.contains("drain_memory is more than this machine has"));
        assert!(fits("", 1 << 30).unwrap().warnings.join("\n").contains("the bound on memory is"));
        assert!(fits("", 64 << 30).unwrap().warnings.join("\n").is_empty() || cfg!(not(target_os = "linux")));
        let absurd = load("drain_memory = \"102400GB\"").map(|config| config.fits(machine::memory()));
        assert!(absurd.is_err() || machine::memory().is_none());
    }

    #[test]
    #[cfg(feature = "postgres")]
    fn a_node_says_how_the_work_is_parted_and_keeps_minutes_beside_the_journal() {
        let with = |text: &str| load(&format!("journal = \"postgres://a@localhost/b\"\n{text}"));
        let least = "[cluster]\nsnapshots = \"/srv/shared\"\n";
        let config = with(least).unwrap();
        let cluster = config.cluster.as_ref().unwrap();
        assert_eq!(
            (cluster.parts.count(), cluster.lease, cluster.snapshots.to_string().as_str()),
            (8, Duration::from_secs(2), "/srv/shared")
        );
        assert_eq!((config.keeping.is_on(), config.spool_limit), (false, 1 << 30));
        assert_eq!(with(&format!("minutes_limit = \"2GB\"\n{least}")).unwrap().minutes_limit, 2 << 30);
        // A place of each drain is in one partition, and they are not spread evenly.
        assert_eq!((cluster.drains(10), cluster.drains(800)), (10, 158));
        let one = with("").unwrap();
        assert!(config.max_memory() > one.max_memory() && with("").unwrap().cluster.is_none());
        assert_eq!(config.differs_at_start(&with(&format!("{least}lease = \"5s\"")).unwrap()), ["cluster"]);
        for (text, said) in [
            ("[cluster]\nsnapshots = \"shared\"", "[cluster], snapshots: is the absolute path"),
            ("[cluster]\nsnapshots = \"/srv/shared\"\npartitions = 0", "[cluster], partitions: is from 1 to 256"),
            ("[cluster]\nsnapshots = \"/srv/shared\"\npartitions = 257", "[cluster], partitions: is from 1 to 256"),
            ("[cluster]\nsnapshots = \"/srv/shared\"\nlease = \"200ms\"", "[cluster], lease: is from 1s to 60s"),
            ("spool_limit = \"7MB\"\n[cluster]\nsnapshots = \"/srv/shared\"", "8MB is the least"),
        ] {
            let error = with(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        let error = load(least).unwrap_err().to_string();
        assert!(error.contains("[cluster]: nodes share a journal"), "{error}");
        // An account's lines have one order.
        let error = with(&format!("logs_limit = \"1GB\"\n{least}")).unwrap_err().to_string();
        assert!(error.contains("[cluster], secret_file: is missing"), "{error}");
        let secret = std::env::temp_dir().join(format!("logdrain-lines-{}.secret", std::process::id()));
        std::fs::write(&secret, "s3cret".repeat(10)).unwrap();
        let kept = with(&format!("logs_limit = \"1GB\"\n{least}secret_file = {secret:?}\n")).unwrap();
        std::fs::remove_file(secret).unwrap();
        assert!(
            kept.keeping.is_on()
                && kept.cluster.is_some_and(|cluster| cluster.split == logdrain_drain::parts::Split::ByAccount)
        );
        assert!(config.cluster.is_some_and(|cluster| cluster.split == logdrain_drain::parts::Split::ByDrain));
    }

    #[test]
    #[cfg(feature = "postgres")]
    fn nodes_that_pass_requests_on_know_each_other_by_a_secret_and_are_reached_encrypted() {
        let secret = std::env::temp_dir().join(format!("logdrain-nodes-{}.secret", std::process::id()));
        let with = |length: usize, first: &str, text: &str| {
            std::fs::write(&secret, format!("{}\n", "s3cret".repeat(10).get(..length).unwrap())).unwrap();
            let section = "[cluster]\nsnapshots = \"/srv/shared\"";
            load(&format!(
                "journal = \"postgres://a@localhost/b\"\n{first}\n{section}\nsecret_file = {secret:?}\n{text}"
            ))
        };
        let config = with(32, "", "").unwrap();
        let cluster = config.cluster.as_ref().unwrap();
        let own = cluster.url_at(SocketAddr::from(([127, 0, 0, 1], 8_514))).unwrap();
        assert_eq!(own.as_str(), "http://127.0.0.1:8514");
        assert!(!format!("{config:?}").contains("s3cret"));
        let one = load("journal = \"postgres://a@localhost/b\"\n[cluster]\nsnapshots = \"/srv/shared\"").unwrap();
        assert!(config.max_memory() > one.max_memory() && one.cluster.unwrap().url_at(config.listen).is_none());
        let there = with(32, "listen = \"10.0.0.1:8514\"\ninsecure = true", "url = \"https://10.0.0.1:8514\"").unwrap();
        assert_eq!(there.cluster.unwrap().url_at(there.listen).unwrap().as_str(), "https://10.0.0.1:8514");
        for (length, first, text, said) in [
            (31, "", "", "[cluster], secret_file: a secret of nodes has 32 bytes at least"),
            (32, "listen = \"10.0.0.1:8514\"\ninsecure = true", "", "[cluster], url: is missing"),
            (32, "", "url = \"http://s3cret:8514\"", "[cluster], url: expected https://HOST:PORT"),
            (32, "", "url = \"https://a:s3cret@b\"", "[cluster], url: expected https://HOST:PORT"),
        ] {
            let error = with(length, first, text).unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("s3cret"), "{error}");
        }
        std::fs::remove_file(secret).unwrap();
        let error = load(
            "journal = \"postgres://a@localhost/b\"\n[cluster]\nsnapshots = \"/srv/shared\"\nurl = \"https://10.0.0.1\"",
        );
        assert!(error.unwrap_err().to_string().contains("[cluster], secret_file: is missing"));
    }

    #[test]
    fn a_spool_is_of_a_journal_in_a_database() {
        for (text, wanted) in [
            ("spool = true", "spool: is for a journal in a database"),
            ("spool_limit = \"2GB\"", "spool_limit: is for a journal in a database"),
        ] {
            let error = load(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        if cfg!(feature = "postgres") {
            let with = |text: &str| load(&format!("journal = \"postgres://a@localhost/b\"\n{text}"));
            assert_eq!(with("").unwrap().spool_limit, 1 << 30);
            assert_eq!(with("spool_limit = \"2GB\"").unwrap().spool_limit, 2 << 30);
            assert_eq!(with("spool = false").unwrap().spool_limit, 0);
            let error = with("spool_limit = \"10kB\"").unwrap_err().to_string();
            assert!(error.contains("1MB is the least"), "{error}");
            let error = with("spool = false\nspool_limit = \"2GB\"").unwrap_err().to_string();
            assert!(error.contains("there is no spool"), "{error}");
        }
    }
}
