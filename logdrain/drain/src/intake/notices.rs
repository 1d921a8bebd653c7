//! What happens too often for a line of log each time: one line a minute with the number, and who it was mostly.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);
/// Addresses that are told apart within a minute.
const ADDRESSES: usize = 1_024;

/// Things of one kind.
#[derive(Debug)]
pub(super) struct Notice {
    what: &'static str,
    since: Mutex<Since>,
}

#[derive(Debug, Default)]
struct Since {
    told: Option<Instant>,
    count: u64,
    by: HashMap<IpAddr, u64>,
    last: Option<String>,
}

impl Notice {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, since: Mutex::default() }
    }

    /// It happened: with this address, and for this reason, as far as they are known. The first time is told at once.
    pub(super) fn add(&self, peer: Option<IpAddr>, why: Option<String>) {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.count += 1;
        if let Some(peer) = peer
            && (since.by.len() < ADDRESSES || since.by.contains_key(&peer))
        {
            *since.by.entry(peer).or_default() += 1;
        }
        if why.is_some() {
            since.last = why;
        }
        self.tell_when_due(&mut since);
    }

    /// Tells what has gathered, when a minute is over.
    pub(super) fn look(&self) {
        self.tell_when_due(&mut self.since.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn tell_when_due(&self, since: &mut Since) {
        if since.count == 0 || since.told.is_some_and(|told| told.elapsed() < MINUTE) {
            return;
        }
        let Since { count, by, last, .. } =
            std::mem::replace(since, Since { told: Some(Instant::now()), ..Since::default() });
        let peer = by.iter().max_by_key(|(_, count)| **count).map(|(peer, _)| peer.to_string());
        tracing::warn!(count, peer, addresses = by.len(), last, "{}; told once a minute", self.what);
    }
}
