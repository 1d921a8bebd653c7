//! A port for plain syslog: what machines, switches and services send that know nothing of drains.
//!
//! Such lines have no ids and no answers. HOSTNAME is whatever the sender says, so that a port is of one account, and lets
//! in who is in its networks, or shows its token. Lines are gathered for a moment and kept as a delivery; what a
//! connection held when either side fails is lost, or sent twice, as the protocol has it.
//!
//! Memory is bounded as for drains: a line that is still coming counts against the part of the budget that is for frames,
//! and lines that were gathered against the rest. Systems are bounded, too: beyond [`MOST_HOSTS`] names since the start a
//! line is of the address that it came from.

mod datagrams;
mod framing;
mod token;

pub use crate::networks::Network;
pub use datagrams::receive;
pub use token::Token;

use super::connections::Peer;
use super::syslog::{CHUNK, ENOUGH, GATHERED, Held, Sender, gather, make_room};
use super::{Intake, Stream, UNIT};
use crate::counters::Refused;
use crate::drain_name;
use crate::event::Layout;
use crate::journal;
use crate::plain::{self, Plain};
use framing::Framing;
use jiff::tz::TimeZone;
use serde::Deserialize;
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

/// Names of systems that a port believes.
const MOST_HOSTS: usize = 1_000;

/// What is spoken at a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Tls,
    Udp,
}

/// What the configuration says of a port.
#[derive(Clone, PartialEq, Debug)]
pub struct PortSettings {
    pub name: String,
    pub listen: SocketAddr,
    pub protocol: Protocol,
    pub account: String,
    /// Of times that name none.
    pub zone: TimeZone,
    /// Who may send; everybody when there are none.
    pub allow: Vec<Network>,
    pub token: Option<Token>,
    /// A connection that sends nothing is closed after this.
    pub idle: Duration,
}

#[derive(Debug)]
pub struct Port {
    pub settings: PortSettings,
    /// What the journal calls it.
    key: Arc<str>,
    /// Systems that were named here since the start.
    hosts: Mutex<HashSet<Box<str>>>,
}

impl Port {
    pub fn new(settings: PortSettings) -> Self {
        let key = drain_name::port_key(&settings.account, &settings.name).into();
        Self { settings, key, hosts: Mutex::default() }
    }

    /// Whether somebody there may send.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        let allow = &self.settings.allow;
        allow.is_empty() || allow.iter().any(|network| network.holds(address))
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.settings.protocol == Protocol::Tls
    }

    /// How a line that comes now is to be read.
    fn layout(&self, line: &[u8], intake: &Intake) -> Layout {
        let now = journal::now().unix_micros();
        let plain = Plain::now(&self.settings.zone, now);
        let is_known = plain::read(line, now, plain).host.is_none_or(|host| self.knows(host));
        if !is_known {
            intake.counters.port_unnamed.add(1);
        }
        Layout::Plain(plain.with_address(!is_known))
    }

    fn knows(&self, host: &str) -> bool {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.contains(host) || (hosts.len() < MOST_HOSTS && hosts.insert(host.into()))
    }
}

/// Who has come so far on a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing has been read.
    New,
    /// It has shown the token, where there is one.
    Known,
}

/// Reads one connection to its end.
pub(super) async fn connection(
    stream: impl Stream,
    port: &Port,
    intake: &Arc<Intake>,
    peer: &Peer,
    mut stop: watch::Receiver<bool>,
) {
    let mut sender = Sender::new(stream, intake, peer, stop.clone());
    let (mut framing, mut lease, mut stage) = (Framing::new(), None, Stage::New);
    // Since when the end of a line has been waited for.
    let mut since: Option<Instant> = None;
    let mut chunk = [0; CHUNK];
    let mut held: Option<Held> = None;
    loop {
        let gathered = held.as_ref().map(|held| held.since + GATHERED);
        let late = since.map(|since| since + intake.limits.answer_within);
        let due = gathered.into_iter().chain(late).min().unwrap_or_else(|| Instant::now() + port.settings.idle);
        let read = tokio::select! {
            read = timeout_at(due, tokio::io::AsyncReadExt::read(&mut sender.stream, &mut chunk)) => read,
            _ = stop.wait_for(|stop| *stop) => Ok(Ok(0)),
        };
        let came = Instant::now();
        let is_late = since.is_some_and(|since| came.duration_since(since) >= intake.limits.answer_within);
        match read {
            Ok(Ok(len)) if len > 0 => {
                intake.connections.heard(peer);
                // Who sends a beginning takes what that has, and no more.
                let needed = (framing.len() + len).next_power_of_two().max(UNIT);
                if !make_room(&mut lease, needed, &mut held, &mut sender).await {
                    return intake.counters.refuse(Refused::Memory);
                }
                framing.push(&chunk[..len], needed);
            }
            Err(_) if held.is_none() && since.is_none() => return,
            _ => {}
        }
        let is_over = is_late || matches!(read, Ok(Ok(0) | Err(_)));
        while let Some(piece) = framing.next(is_over) {
            since = None;
            intake.counters.port_cut.add(piece.is_cut.into());
            let line = framing.bytes(&piece);
            if stage == Stage::New && is_request(line) {
                intake.from_browser.add(Some(peer.address), None);
                return intake.counters.refuse(Refused::Browser);
            }
            if !enter(port, line, &mut stage, &mut held, &mut sender).await {
                if let Some(full) = held.take() {
                    full.keep(&mut sender).await;
                }
                return;
            }
        }
        if framing.is_empty() {
            (framing, lease, since) = (Framing::new(), None, None);
        } else {
            since.get_or_insert(came);
        }
        let is_due = |held: &Held| is_over || held.room.len() >= ENOUGH || held.since.elapsed() >= GATHERED;
        if let Some(full) = held.take_if(|held| is_due(held)) {
            full.keep(&mut sender).await;
        }
        if is_late {
            intake.counters.refuse(Refused::SlowBody);
        }
        if is_over {
            return;
        }
        // So long nothing was read: the rest of a line may be there since.
        since = since.map(|since| since + came.elapsed());
    }
}

/// Takes a line; `false` when the connection is to end.
async fn enter<S: Stream>(
    port: &Port,
    line: &[u8],
    stage: &mut Stage,
    held: &mut Option<Held>,
    sender: &mut Sender<'_, S>,
) -> bool {
    let intake = sender.intake;
    let stripped = port.settings.token.as_ref().map(|token| token.strip(line));
    let line = match &stripped {
        None => line,
        Some(token::Stripped::Right(line)) => line,
        // Lines of a stack trace that follow the first one have none.
        Some(token::Stripped::Missing) if *stage == Stage::Known => line,
        Some(_) => {
            refuse(intake, sender.peer.address).await;
            return false;
        }
    };
    *stage = Stage::Known;
    let layout = port.layout(line, intake);
    match gather(line, &port.key, layout, held, sender).await {
        Ok(()) => {
            intake.counters.port_lines.add(1);
            true
        }
        Err(_) => {
            intake.counters.refuse(Refused::Memory);
            false
        }
    }
}

/// Who goes on guessing waits, longer and longer.
async fn refuse(intake: &Intake, address: IpAddr) {
    if !intake.guesses.may_try(address, &[0; 16]) {
        return intake.counters.refuse(Refused::Guessing);
    }
    intake.refuse_credentials(address);
    let wait = intake.guesses.wrong(address, None);
    sleep(wait.time).await;
}

/// Whether a line is the first of an HTTP request: any page in a browser may send one to this machine.
fn is_request(line: &[u8]) -> bool {
    let is_http = line.len() > 9 && line[..line.len() - 1].ends_with(b" HTTP/1.");
    is_http && line[0].is_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn port(allow: &[&str], token: Option<&str>) -> Port {
        Port::new(PortSettings {
            name: "office".to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            protocol: Protocol::Tcp,
            account: "default".to_owned(),
            zone: TimeZone::UTC,
            allow: allow.iter().map(|text| Network::parse(text).unwrap()).collect(),
            token: token.map(Token::new),
            idle: Duration::from_secs(1),
        })
    }

    #[test]
    fn a_port_believes_so_many_names_and_no_more() {
        let port = port(&[], None);
        assert!((0..MOST_HOSTS).all(|number| port.knows(&format!("host-{number}"))));
        assert!(!port.knows("one-more") && port.knows("host-7"));
    }

    #[test]
    fn who_is_in_no_network_of_a_port_is_not_let_in() {
        let port = port(&["192.0.2.0/24", "2001:db8::/32", "127.0.0.1"], None);
        for (address, may) in [
            ("192.0.2.9", true),
            ("::ffff:192.0.2.9", true),
            ("192.0.3.9", false),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("2001:db8:7::1", true),
            ("2001:db9::1", false),
            ("::c000:209", false),
        ] {
            assert_eq!(port.allows(address.parse().unwrap()), may, "{address}");
        }
    }

    #[test]
    fn requests_are_no_lines() {
        for (line, is) in [
            (&b"POST / HTTP/1.1"[..], true),
            (b"GET /x HTTP/1.0", true),
            (b"<13>1 - web1 nginx - - - GET / HTTP/1.1", false),
            (b" HTTP/1.1", false),
            (b"", false),
        ] {
            assert_eq!(is_request(line), is, "{}", line.escape_ascii());
        }
    }
}
