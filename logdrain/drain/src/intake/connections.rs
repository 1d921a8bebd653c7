//! Connections: as many as configured. When another comes and there is no place, one has to go, and which one is what
//! keeps healthy senders in:
//!
//! 1. one that never had a good request, or whose request has not come along for a second: the oldest of the drain or
//!    address that has most of those;
//! 2. else one of the drain or address that has most connections: the longest idle, or the one at work longest;
//! 3. where nobody has more than the others, the longest idle of all. One at work does not go for an equal.

use super::guesses::network;
use crate::counters::Counters;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

/// A request that has been at hand for so many milliseconds does not come along.
const STUCK: u64 = 1_000;

/// The connections that are open.
#[derive(Debug)]
pub struct Connections {
    most: usize,
    began: Instant,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<Peer>>>,
}

/// What is known of one connection.
#[derive(Debug)]
pub struct Peer {
    pub(super) address: IpAddr,
    /// It came to an address that nobody else reaches.
    pub(super) is_local: bool,
    number: u64,
    /// When it came, when its request came, and when it last became idle: in milliseconds.
    since: u64,
    request_since: AtomicU64,
    idle_since: AtomicU64,
    /// Requests at hand.
    requests: AtomicU32,
    /// It has sent something that was kept, or was shown something.
    is_good: AtomicBool,
    group: Mutex<Group>,
    pub(super) go: Notify,
}

/// Who shares places: a drain with credentials, wherever it comes from; else who comes from one address.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Group {
    Address(IpAddr),
    Drain(Arc<str>),
}

impl Peer {
    /// Something good came of it.
    pub fn was_good(&self) {
        self.is_good.store(true, Ordering::Release);
    }

    /// Whether it came to an address that nobody else reaches.
    pub const fn is_local(&self) -> bool {
        self.is_local
    }

    /// Where it comes from.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Whoever sent a request that another node passed on by this connection. What comes of it is that node's.
    #[must_use]
    pub fn on_behalf_of(&self, sender: IpAddr) -> Self {
        self.was_good();
        let group = Group::Address(network(sender));
        *self.group.lock().unwrap_or_else(PoisonError::into_inner) = group.clone();
        Self {
            address: sender,
            is_local: self.is_local && sender.is_loopback(),
            number: self.number,
            since: self.since,
            request_since: AtomicU64::new(self.request_since.load(Ordering::Acquire)),
            idle_since: AtomicU64::new(self.idle_since.load(Ordering::Acquire)),
            requests: AtomicU32::new(self.requests.load(Ordering::Acquire)),
            is_good: AtomicBool::new(true),
            group: Mutex::new(group),
            go: Notify::new(),
        }
    }

    /// It has shown that it is of this drain.
    pub(super) fn is_of(&self, drain: &str) {
        let mut group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(&*group, Group::Drain(own) if **own == *drain) {
            *group = Group::Drain(drain.into());
        }
    }

    fn group(&self) -> Group {
        self.group.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How soon it may go, and since when it deserves to.
    fn rank(&self, now: u64) -> (Rank, u64) {
        let has_request = self.requests.load(Ordering::Acquire) > 0;
        let request_since = self.request_since.load(Ordering::Acquire);
        match (self.is_good.load(Ordering::Acquire), has_request) {
            (false, _) => (Rank::First, self.since),
            (true, true) if now.saturating_sub(request_since) > STUCK => (Rank::First, request_since),
            (true, true) => (Rank::Last, request_since),
            (true, false) => (Rank::Idle, self.idle_since.load(Ordering::Acquire)),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Rank {
    First,
    Idle,
    Last,
}

impl Connections {
    pub fn new(most: usize) -> Self {
        Self { most, began: Instant::now(), next: AtomicU64::new(0), open: Mutex::default() }
    }

    pub fn count(&self) -> usize {
        self.open().len()
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Peer>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Enters a new connection; `None` when there is no room for it.
    pub(super) fn enter(&self, address: IpAddr, is_local: bool, counters: &Counters) -> Option<Arc<Peer>> {
        self.enter_at(self.now(), address, is_local, counters)
    }

    fn enter_at(&self, now: u64, address: IpAddr, is_local: bool, counters: &Counters) -> Option<Arc<Peer>> {
        let group = Group::Address(network(address));
        let mut open = self.open();
        if open.len() >= self.most && !evict(&mut open, now, Some(&group), counters) {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let peer = Arc::new(Peer {
            address,
            is_local,
            number,
            since: now,
            request_since: AtomicU64::new(now),
            idle_since: AtomicU64::new(now),
            requests: AtomicU32::new(0),
            is_good: AtomicBool::new(false),
            group: Mutex::new(group),
            go: Notify::new(),
        });
        open.insert(number, peer.clone());
        Some(peer)
    }

    /// Closes the connection that has to go first.
    pub(super) fn make_room(&self, counters: &Counters) {
        let now = self.now();
        evict(&mut self.open(), now, None, counters);
    }

    pub(super) fn leave(&self, peer: &Peer) {
        self.open().remove(&peer.number);
    }

    /// A request has come.
    pub(super) fn begin(&self, peer: &Peer) {
        peer.request_since.store(self.now(), Ordering::Release);
        peer.requests.fetch_add(1, Ordering::AcqRel);
    }

    /// It was answered.
    pub(super) fn end(&self, peer: &Peer) {
        peer.idle_since.store(self.now(), Ordering::Release);
        peer.requests.fetch_sub(1, Ordering::AcqRel);
    }

    /// Something has come without being a request.
    pub(super) fn heard(&self, peer: &Peer) {
        peer.idle_since.store(self.now(), Ordering::Release);
    }
}

fn evict(open: &mut HashMap<u64, Arc<Peer>>, now: u64, newcomer: Option<&Group>, counters: &Counters) -> bool {
    let ranks: Vec<_> = open.values().map(|peer| (peer.rank(now), peer.group(), peer.number)).collect();
    let has_first = ranks.iter().any(|((rank, _), ..)| *rank == Rank::First);
    // Of those that never were good, their own number says who takes places; of others, all that they have.
    let counted = |rank: Rank| !has_first || rank == Rank::First;
    let mut sizes: HashMap<&Group, usize> = HashMap::new();
    for (.., group, _) in ranks.iter().filter(|((rank, _), ..)| counted(*rank)) {
        *sizes.entry(group).or_default() += 1;
    }
    let Some((largest, size)) = sizes.iter().max_by_key(|(_, size)| **size) else { return false };
    let has_more = *size > newcomer.and_then(|group| sizes.get(group)).copied().unwrap_or(0) + 1;
    let may_go = |rank: Rank, group: &Group| match rank {
        Rank::First => group == *largest,
        Rank::Idle => !has_first && (group == *largest || !has_more),
        Rank::Last => !has_first && group == *largest && has_more,
    };
    let candidates = ranks.iter().filter(|((rank, _), group, _)| may_go(*rank, group));
    let Some((.., number)) = candidates.min_by_key(|((rank, since), _, number)| (*rank, *since, *number)) else {
        return false;
    };
    let Some(peer) = open.remove(number) else { return false };
    peer.go.notify_one();
    counters.evicted.add(1);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Table {
        connections: Connections,
        counters: Counters,
    }

    impl Table {
        fn new(most: usize) -> Self {
            Self { connections: Connections::new(most), counters: Counters::default() }
        }

        fn enter(&self, now: u64, last: u8) -> Option<Arc<Peer>> {
            self.connections.enter_at(now, IpAddr::from([192, 0, 2, last]), false, &self.counters)
        }

        fn has(&self, peer: &Peer) -> bool {
            self.connections.open().contains_key(&peer.number)
        }
    }

    /// A kept connection of a drain, idle since then.
    fn good(table: &Table, now: u64, drain: &str) -> Arc<Peer> {
        let peer = table.enter(now, 1).unwrap();
        peer.is_of(drain);
        peer.was_good();
        peer
    }

    #[test]
    fn heads_without_bodies_put_no_good_sender_out() {
        let table = Table::new(20);
        let kept: Vec<_> = (0..5).map(|now| good(&table, now, "shop")).collect();
        for now in 100..1_000 {
            let bad = table.enter(now, 1).unwrap();
            bad.requests.store(1, Ordering::Release);
            assert!(table.has(&bad));
        }
        assert!(kept.iter().all(|peer| table.has(peer)), "idle ones are kept");
        // A new one of the same address has a while until its turn comes.
        let new = table.enter(1_000, 1).unwrap();
        for now in 1_001..1_014 {
            table.enter(now, 1).unwrap().requests.store(1, Ordering::Release);
        }
        assert!(table.has(&new));
        assert_eq!(table.connections.count(), 20);
    }

    #[test]
    fn a_tenant_with_credentials_takes_its_own_places() {
        let table = Table::new(10);
        let shop = good(&table, 0, "shop");
        for now in 1..50 {
            let peer = good(&table, now, "blog");
            peer.request_since.store(now, Ordering::Release);
            peer.requests.store(1, Ordering::Release);
            assert!(table.has(&shop));
        }
        // The newcomer gets in as well, though all of the others came just now.
        assert!(table.enter(50, 2).is_some() && table.has(&shop));
        let idle = good(&table, 60, "blog");
        assert!(table.has(&idle) && table.has(&shop));
    }

    #[test]
    fn who_has_most_gives_a_place_first() {
        let table = Table::new(6);
        let few = table.enter(0, 7).unwrap();
        let many: Vec<_> = (1..6).map(|now| table.enter(now, 8).unwrap()).collect();
        let new = table.enter(10, 9).unwrap();
        assert!(table.has(&few) && table.has(&new) && !table.has(&many[0]) && table.has(&many[1]));
    }

    #[test]
    fn there_is_no_place_when_everybody_is_at_work() {
        let table = Table::new(2);
        for drain in ["shop", "blog"] {
            let peer = good(&table, 0, drain);
            peer.requests.store(1, Ordering::Release);
        }
        assert!(table.enter(10, 3).is_none());
        assert!(table.enter(STUCK + 1, 3).is_some(), "a request that does not come along gives its place");
    }
}
