//! The configuration file: its keys, and what is said of a file that cannot be read.
//!
//! No message repeats anything of the file but its known keys. A password may stand in the place of a value, of a key or
//! of a path, and messages end up in the system's log.

use logdrain_drain::alerts::channel::SmtpTls;
use logdrain_drain::intake::port::Protocol;
use logdrain_drain::journal;
use logdrain_terms::address::{Address, NO_ADDRESS};
use logdrain_terms::reading::{CustomFrom, DynoIdentity, Families, NO_FAMILY};
use logdrain_terms::units;
use serde::{Deserialize, Deserializer};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

/// The file. Every key may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) listen: Option<Address>,
    pub(super) syslog: Option<Address>,
    pub(super) tls: Option<TlsFiles>,
    pub(super) otlp: Option<String>,
    pub(super) store: Option<PathBuf>,
    pub(super) out: Option<PathBuf>,
    pub(super) window: Option<Span>,
    pub(super) lateness: Option<Span>,
    pub(super) horizon: Option<Span>,
    pub(super) retention: Option<Span>,
    pub(super) snapshot_every: Option<Span>,
    /// It was called `store_limit` before the store held more than the journal.
    #[serde(alias = "store_limit")]
    pub(super) journal_limit: Option<Size>,
    /// Where the journal is, if not in the folder.
    pub(super) journal: Option<Secret>,
    pub(super) journal_password_file: Option<PathBuf>,
    /// With others on it.
    pub(super) cluster: Option<Cluster>,
    pub(super) spool: Option<bool>,
    pub(super) spool_limit: Option<Size>,
    pub(super) journal_ahead: Option<Size>,
    pub(super) logs_retention: Option<Span>,
    pub(super) logs_limit: Option<Size>,
    pub(super) minutes_limit: Option<Size>,
    pub(super) archives: bool,
    pub(super) archives_retention: Option<Span>,
    pub(super) extended: bool,
    pub(super) families: Families,
    pub(super) dyno_identity: DynoIdentity,
    pub(super) one_off: Option<bool>,
    pub(super) custom_from: CustomFrom,
    pub(super) websockets: Option<bool>,
    pub(super) body_limit: Option<Size>,
    pub(super) memory: Option<Size>,
    pub(super) drain_memory: Option<Size>,
    pub(super) alert_memory: Option<Size>,
    pub(super) max_connections: Option<usize>,
    pub(super) max_drains: Option<usize>,
    pub(super) metrics_rows: Option<bool>,
    pub(super) metrics_limit: Option<Size>,
    pub(super) answer_within: Option<Span>,
    pub(super) idle_timeout: Option<Span>,
    pub(super) insecure: bool,
    pub(super) open_reading: bool,
    /// What secrets are sealed with that have to go out again.
    pub(super) key_file: Option<PathBuf>,
    /// What accounts may name though it is inside.
    pub(super) outbound_allow: Vec<String>,
    /// What absolute links begin with.
    pub(super) url: Option<String>,
    /// Habits of the API that clients of Papertrail know.
    pub(super) v1: V1,
    pub(super) drain: Vec<Drain>,
    pub(super) port: Vec<Port>,
    pub(super) addon: Option<Addon>,
    /// By which alerts are sent as mail.
    pub(super) smtp: Option<Smtp>,
    /// Who may look at the page and at `/metrics`.
    pub(super) watcher: Option<Watcher>,
}

/// Nodes that share the journal.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cluster {
    pub(super) partitions: Option<u16>,
    pub(super) snapshots: String,
    /// What a node keeps on its own disk of lines and archives that lie in a bucket.
    pub(super) cache: Option<Size>,
    pub(super) lease: Option<Span>,
    /// How other nodes reach this one, and what they know it by.
    pub(super) url: Option<String>,
    pub(super) secret_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct V1 {
    pub(super) max_id_overlap: Option<bool>,
    pub(super) null_program: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsFiles {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Watcher {
    pub(super) user: String,
    pub(super) password: Option<Secret>,
    pub(super) password_file: Option<PathBuf>,
}

/// A sender, by the credentials in the drain's URL.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Drain {
    pub(super) name: String,
    pub(super) user: String,
    pub(super) password: Option<Secret>,
    pub(super) password_file: Option<PathBuf>,
    /// The drain tokens that may come with these credentials; any when left out.
    #[serde(default)]
    pub(super) tokens: Vec<String>,
    /// How many drains it may be at a time, each with a token of its own.
    pub(super) max_tokens: Option<u32>,
    pub(super) app: Option<String>,
    /// Whose lines these are, where they are kept.
    pub(super) account: Option<String>,
    /// `development`, `gold`, or a file.
    pub(super) plan: Option<String>,
}

/// The add-on provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Addon {
    pub(super) id: String,
    pub(super) password: Option<Secret>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) sso_salt: Option<Secret>,
    pub(super) sso_salt_file: Option<PathBuf>,
    pub(super) client_secret: Option<Secret>,
    pub(super) client_secret_file: Option<PathBuf>,
    pub(super) plans: Vec<String>,
    pub(super) config_vars_prefix: Option<String>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) deprovision_grace: Option<Span>,
    pub(super) api: Option<String>,
    pub(super) identity: Option<String>,
    pub(super) sso: Option<String>,
}

/// A mail server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Smtp {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) tls: Option<SmtpTls>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) from: String,
}

/// A port for plain syslog.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) listen: Address,
    pub(super) protocol: Option<Protocol>,
    pub(super) account: Option<String>,
    pub(super) zone: Option<String>,
    #[serde(default)]
    pub(super) allow: Vec<String>,
    pub(super) token: Option<Secret>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) idle_timeout: Option<Span>,
    #[serde(default)]
    pub(super) insecure: bool,
}

/// `60s`, `5m`, `1h`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span(pub(super) Duration);

/// `8MB`, `1GB`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size(pub(super) usize);

/// A password.
pub(super) struct Secret(pub(super) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

const NO_TEXT: &str = "a password is text in quotes";
const NO_SIZE: &str = "too large";

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(source) {
            Ok(toml::Value::String(text)) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom(NO_TEXT)),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        units::duration(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        let bytes = units::bytes(&text).map_err(serde::de::Error::custom)?;
        usize::try_from(bytes).map(Self).map_err(|_| serde::de::Error::custom(NO_SIZE))
    }
}

/// Messages that hold nothing of the file: our own ones, and those of addresses and paths.
const OWN: [&str; 8] = [
    NO_FAMILY,
    NO_TEXT,
    NO_SIZE,
    "too long",
    "expected a duration such as 60s, 5m or 500ms",
    "expected a size such as 512MB or 1GB",
    NO_ADDRESS,
    "path contains invalid UTF-8 characters",
];

/// Keys that a message may name.
const KEYS: &[&str] = &[
    "listen",
    "syslog",
    "tls",
    "otlp",
    "store",
    "out",
    "window",
    "lateness",
    "horizon",
    "retention",
    "snapshot_every",
    "journal",
    "journal_password_file",
    "spool",
    "spool_limit",
    "journal_limit",
    "store_limit",
    "journal_ahead",
    "logs_retention",
    "logs_limit",
    "minutes_limit",
    "archives",
    "archives_retention",
    "extended",
    "families",
    "dyno_identity",
    "one_off",
    "custom_from",
    "websockets",
    "body_limit",
    "memory",
    "drain_memory",
    "alert_memory",
    "max_connections",
    "max_drains",
    "metrics_rows",
    "metrics_limit",
    "answer_within",
    "idle_timeout",
    "insecure",
    "open_reading",
    "url",
    "v1",
    "max_id_overlap",
    "null_program",
    "drain",
    "watcher",
    "certificate",
    "key",
    "user",
    "password",
    "password_file",
    "tokens",
    "max_tokens",
    "account",
    "port",
    "protocol",
    "zone",
    "allow",
    "token",
    "token_file",
    "addon",
    "id",
    "sso_salt",
    "sso_salt_file",
    "client_secret",
    "client_secret_file",
    "plans",
    "config_vars_prefix",
    "key_file",
    "api",
    "identity",
    "sso",
    "smtp",
    "host",
    "from",
    "cluster",
    "partitions",
    "snapshots",
    "cache",
    "lease",
    "secret_file",
];

impl File {
    /// Whether there is a password in the file itself.
    pub(super) fn holds_passwords(&self) -> bool {
        self.drain.iter().any(|drain| drain.password.is_some())
            || self.port.iter().any(|port| port.token.is_some())
            || self.smtp.as_ref().is_some_and(|smtp| smtp.password.is_some())
            || self.addon.as_ref().is_some_and(|addon| {
                [&addon.password, &addon.sso_salt, &addon.client_secret].into_iter().any(Option::is_some)
            })
            || self.watcher.as_ref().is_some_and(|watcher| watcher.password.is_some())
            || self.journal.as_ref().is_some_and(|said| {
                journal::Address::parse(&said.0, None).is_ok_and(|address| address.holds_password())
            })
    }
}

/// Reads the text of a file.
///
/// # Errors
/// The line, the key where it is a known one, and what is wrong with it.
pub(super) fn parse(text: &str) -> Result<File, String> {
    // What the parser says of a file that is no TOML is made of its own words alone.
    if let Err(error) = toml::de::DeTable::parse(text) {
        return Err(format!("line {}: {}", line(text, error.span()), error.message()));
    }
    toml::from_str(text).map_err(|error| {
        let span = error.span();
        format!("line {}: {}{}", line(text, span.clone()), key(text, span), told(error.message()))
    })
}

/// Whether a text says nothing at all, as an empty file does, or one of comments.
pub(crate) fn is_empty(text: &str) -> bool {
    text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
}

/// Whether a text looks like what is left of another one that was being written when the disk was full: its beginning,
/// which ends inside a line, or inside a section.
pub(crate) fn is_cut(text: &str, whole: &str) -> bool {
    match whole.strip_prefix(text) {
        Some(rest) if !rest.trim().is_empty() => {
            !text.is_empty() && (!text.ends_with('\n') || !rest.trim_start().starts_with(['[', '#']))
        }
        _ => false,
    }
}

fn line(text: &str, span: Option<Range<usize>>) -> usize {
    before(text, span).matches('\n').count() + 1
}

fn before(text: &str, span: Option<Range<usize>>) -> &str {
    let start = span.map_or(0, |span| span.start);
    text.get(..start).unwrap_or(text)
}

/// The section and the key that a place in the file is of, as far as both are known ones; with what parts it from a
/// message.
fn key(text: &str, span: Option<Range<usize>>) -> String {
    let before = before(text, span);
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let mut section = String::new();
    let (mut drains, mut ports) = (0, 0);
    for line in before.lines().chain([line]) {
        match line.trim().split('#').next().unwrap_or_default().trim_end() {
            "[[drain]]" => {
                drains += 1;
                section = format!("[[drain]] {drains}, ");
            }
            "[[port]]" => {
                ports += 1;
                section = format!("[[port]] {ports}, ");
            }
            known @ ("[tls]" | "[addon]" | "[smtp]" | "[watcher]") => section = format!("{known}, "),
            _ => {}
        }
    }
    let key = line.split('=').next().unwrap_or_default().trim();
    match KEYS.iter().find(|known| **known == key) {
        Some(known) => format!("{section}{known}: "),
        None => match section.strip_suffix(", ") {
            Some(section) => format!("{section}: "),
            None => String::new(),
        },
    }
}

/// A message of the reader, without anything of the file.
fn told(message: &str) -> String {
    // Behind the last "expected" there are names of types and keys.
    let expected = message.rfind("expected ").map_or("", |at| &message[at..]);
    if OWN.contains(&message) || message.starts_with("missing field `") {
        message.to_owned()
    } else if message.starts_with("unknown field `") {
        format!("a key that is not known here, {expected}")
    } else if ["invalid ", "unknown variant `"].iter().any(|start| message.starts_with(start)) && !expected.is_empty() {
        format!("not what belongs here, {expected}")
    } else {
        "cannot be read as what belongs here".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_file_is_repeated_when_it_cannot_be_read() {
        for text in [
            "watcher = \"ops:S3CRET\"",
            "watcher = [\"S3CRET\"]",
            "drain = [\"shop:S3CRET\"]",
            "drain = [\n  \"S3CRET\",\n]",
            "drain = \"S3CRET\"",
            "drain = \"S3CRET, expected S3CRET\"",
            "S3CRET = 1",
            "\"S3CRET`, expected one of `S3CRET\" = 1",
            "S3CRET",
            "S3CRET = ",
            "a = S3CRET",
            "a = \"S3CRET",
            "a = '''S3CRET",
            "a = \"\\S3CRET\"",
            "[S3CRET]\na = 1",
            "[S3CRET",
            "[[S3CRET]]",
            "S3CRET = 1\nS3CRET = 2",
            "a.S3CRET = 1\na = 2",
            "a = 1\na.S3CRET = 2",
            "window = \"S3CRET\"",
            "memory = \"S3CRET\"",
            "listen = \"S3CRET\"",
            "listen = [\"S3CRET\"]",
            "max_drains = \"S3CRET\"",
            "max_drains = -4711",
            "extended = \"S3CRET\"",
            "families = [\"S3CRET\"]",
            "families = \"S3CRET\"",
            "dyno_identity = \"S3CRET\"",
            "custom_from = \"S3CRET\"",
            "metrics_rows = \"S3CRET\"",
            "families = \"S3CRET\"",
            "families = [\"S3CRET\"]",
            "families = [[\"S3CRET\"]]",
            "dyno_identity = \"S3CRET\"",
            "dyno_identity = \"S3CRET`, expected S3CRET\"",
            "dyno_identity = { S3CRET = 1 }",
            "one_off = \"S3CRET\"",
            "custom_from = [\"S3CRET\"]",
            "[tls]\nS3CRET = \"x\"",
            "[tls]\ncertificate = [\"S3CRET\"]",
            "[watcher]\nuser = \"ops\"\npasword = \"S3CRET\"",
            "[watcher]\nuser = [\"S3CRET\"]",
            "[watcher]\nuser = \"ops\"\npassword = 4711",
            "[watcher]\nuser = \"ops\"\npassword = [\"S3CRET\"]",
            "[watcher]\nuser = \"ops\"\npassword = { S3CRET = \"S3CRET\" }",
            "[watcher]\nuser = \"ops\"\npassword = 2026-03-14",
            "[watcher]\nuser = \"ops\"\npassword.S3CRET = 4711.5",
            "[[drain]]\nname = \"a\"\nuser = \"u\"\ntokens = \"S3CRET\"",
            "[[drain]]\nname = \"a\"\nuser = \"u\"\ntokens = [4711]",
            "[[drain]]\nname = \"a\"\nuser = \"u\"\naccount = [\"S3CRET\"]",
            "[[drain]]\nname = \"a\"\nuser = \"u\"\npassword_file = [\"S3CRET\"]",
            "[[drain]]\nS3CRET = \"S3CRET\"",
            "[smtp]\nhost = \"h\"\nfrom = \"f\"\npassword = 4711",
            "[smtp]\nhost = \"h\"\nfrom = \"f\"\ntls = \"S3CRET\"",
            "[smtp]\nhost = [\"S3CRET\"]",
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.starts_with("line "), "{said}");
            assert!(!said.contains("S3CRET") && !said.contains("4711"), "{text:?}: {said}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, said) in [
            (
                "\n[watcher]\nuser = \"ops\"\npassword = 4711",
                "line 4: [watcher], password: a password is text in quotes",
            ),
            ("window = \"7x\"", "line 1: window: expected a duration such as 60s, 5m or 500ms"),
            ("# a\nwatcher = \"ops:pw\"", "line 2: watcher: not what belongs here, expected struct Watcher"),
            ("listen = \"here\"", "line 1: listen: expected an address such as 127.0.0.1:8514, or localhost:8514"),
            (
                "families = [\"dyno.moods\"]",
                "line 1: families: expected a list of dyno.state, dyno.exit, release, dyno.errors, dyno.mem.share, dyno.mem.process, or all",
            ),
            ("custom_from = \"me\"", "line 1: custom_from: not what belongs here, expected `app` or `any`"),
            (
                "[[drain]]\nname = \"a\"\nuser = \"u\"\n[[drain]] # two\nname = 1",
                "line 5: [[drain]] 2: not what belongs here, expected a string",
            ),
            ("[tls]\ncert = 1", "line 2: [tls]: a key that is not known here, expected `certificate` or `key`"),
            ("[tls]\nkey = \"k\"", "line 1: [tls]: missing field `certificate`"),
        ] {
            assert_eq!(parse(text).unwrap_err(), said);
        }
    }

    #[test]
    fn what_is_left_of_a_file_is_told_from_one_that_was_shortened() {
        let whole = "a = 1\nb = 2\n\n[[drain]]\nname = \"a\"\nuser = \"u\"\n\n# the other\n[[drain]]\nname = \"b\"\n";
        for end in 1..whole.len() {
            let at_a_section = ["[[drain]]\nname = \"a\"", "# the other", "[[drain]]\nname = \"b\"", "\n[[", "\n# "]
                .iter()
                .any(|next| whole[end..].starts_with(next));
            let is_whole = whole[end..].trim().is_empty();
            let at_a_line = whole[..end].ends_with('\n');
            assert_eq!(is_cut(&whole[..end], whole), !(is_whole || at_a_section && at_a_line), "{end}");
        }
        assert!(!is_cut("a = 1\nb = 3\n", whole) && !is_cut(whole, whole));
        assert!(is_empty("") && is_empty(" \n# nothing\n") && !is_empty("# a\nb = 1\n"));
    }
}
