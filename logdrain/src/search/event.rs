//! One line, as it is searched and printed.

use heroku_metrics::syslog::Frame;
use log_archive::{Row, facility_number, severity_number};
use logdrain_drain::drain_name::DrainName;
use std::net::IpAddr;

/// A kept line, or one of a file. Texts may hold any byte; what there is not is empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    /// Its number in a store.
    pub(crate) id: Option<u64>,
    /// When it came, in microseconds since 1970; known in a store alone.
    pub(crate) received: Option<i64>,
    /// When it was written, as it says.
    pub(crate) generated: Option<i64>,
    pub(crate) source_ip: Option<IpAddr>,
    pub(crate) system: &'a [u8],
    pub(crate) program: &'a [u8],
    pub(crate) severity: Option<u8>,
    pub(crate) facility: Option<u8>,
    /// Without its line end.
    pub(crate) message: &'a [u8],
}

/// The program of what could not be read as a line.
const UNREAD: &[u8] = b"logdrain/unread";
/// Its severity: a warning.
const WARNING: u8 = 4;
/// How much of such a thing is a message.
const UNREAD_BYTES: usize = 64 * 1024;

/// What a system is called, and programs, put together from what stands on lines. One line at a time.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Of lines that name none.
    system: Vec<u8>,
    /// The last token that stood as HOSTNAME, and what is shown in its stead.
    token: Vec<u8>,
    shown: Vec<u8>,
    program: Vec<u8>,
}

impl Names {
    pub(crate) fn new(system: Option<&str>) -> Self {
        Self { system: system.unwrap_or_default().as_bytes().to_vec(), ..Self::default() }
    }

    /// The event of a frame, or of a line that was read as one.
    pub(crate) fn event<'a>(&'a mut self, frame: &Frame<'a>) -> Event<'a> {
        self.program.clear();
        let parts = [frame.app_name_bytes(), frame.proc_id_bytes()];
        for part in parts.into_iter().flatten() {
            if !self.program.is_empty() {
                self.program.push(b'/');
            }
            self.program.extend_from_slice(part);
        }
        let pri = frame.pri();
        let hostname = frame.hostname();
        self.see(hostname);
        let system = self.system(hostname).unwrap_or_else(|| hostname.unwrap_or_default().as_bytes());
        Event {
            id: None,
            received: None,
            generated: frame.timestamp().map(|time| time.unix_micros()),
            source_ip: None,
            system,
            program: &self.program,
            severity: pri.map(|pri| pri.severity()),
            facility: pri.map(|pri| pri.facility()),
            message: without_end(frame.message()),
        }
    }

    /// The event of a row of an archive, or of a line of Papertrail's text, which has no number.
    pub(crate) fn row<'a>(&'a mut self, row: &Row<'a>) -> Event<'a> {
        let is_kept = row.id() > 0;
        // `-` stands for none where people read.
        let named = |name: &'a [u8]| if !is_kept && name == b"-" { &[][..] } else { name };
        let name = named(row.source_name());
        let hostname = std::str::from_utf8(name).ok().filter(|name| !name.is_empty());
        self.see(hostname);
        let system = if name.is_empty() || hostname.is_some() { self.system(hostname) } else { None };
        Event {
            id: is_kept.then_some(row.id()),
            received: is_kept.then_some(row.received_at()),
            generated: Some(row.generated_at()),
            source_ip: std::str::from_utf8(row.source_ip()).ok().and_then(|ip| ip.parse().ok()),
            system: system.unwrap_or(name),
            program: named(row.program()),
            severity: severity_number(row.severity_name()),
            facility: facility_number(row.facility_name()),
            message: row.message(),
        }
    }

    /// Remembers what is shown for a token.
    fn see(&mut self, hostname: Option<&str>) {
        if let Some(token) = hostname.filter(|name| is_token(name))
            && self.token != token.as_bytes()
        {
            self.token = token.as_bytes().to_vec();
            self.shown = DrainName::of(token).shown().to_string().into_bytes();
        }
    }

    /// What is shown instead of the name on the line, which was seen.
    fn system(&self, hostname: Option<&str>) -> Option<&[u8]> {
        match hostname {
            // What every HTTPS drain writes names nobody.
            None | Some("host") if !self.system.is_empty() => Some(&self.system),
            // A drain's token is a password.
            Some(name) if is_token(name) => Some(&self.shown),
            _ => None,
        }
    }

    /// The event of bytes that could not be read.
    pub(crate) fn unread<'a>(&'a self, bytes: &'a [u8]) -> Event<'a> {
        Event {
            id: None,
            received: None,
            generated: None,
            source_ip: None,
            system: &self.system,
            program: UNREAD,
            severity: Some(WARNING),
            facility: None,
            message: without_end(&bytes[..bytes.len().min(UNREAD_BYTES)]),
        }
    }
}

/// Logplex writes the token of the drain as HOSTNAME to some drains: `d.` and a UUID.
fn is_token(hostname: &str) -> bool {
    hostname.len() == 38 && hostname.starts_with("d.") && hostname.bytes().filter(|byte| *byte == b'-').count() == 4
}

fn without_end(message: &[u8]) -> &[u8] {
    let message = message.strip_suffix(b"\n").unwrap_or(message);
    message.strip_suffix(b"\r").unwrap_or(message)
}

const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"];
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// As a query names it.
pub(crate) fn severity_name(severity: u8) -> Option<&'static str> {
    SEVERITIES.get(usize::from(severity)).copied()
}

/// As a query names it.
pub(crate) fn facility_name(facility: u8) -> Option<&'static str> {
    FACILITIES.get(usize::from(facility)).copied()
}
