//! Which deliveries were counted already: a drain delivers at least once, we count once.

use heroku_syslog::{Delivery, DeliveryId};
use std::collections::{BTreeMap, VecDeque};

/// The ids of the deliveries that were counted, drain by drain.
///
/// A delivery is known by its `Logplex-Frame-Id`, which is the same on every retry of a batch; where that is missing, as
/// from Private Spaces, by `X-Request-Id`; where both are, by a fingerprint of the body. Never by the body when there is
/// an id: between two tries Logplex may prepend an L10 frame, and the body is another.
///
/// Of each drain token the last ids are kept, 4,096 unless configured: a retry comes before any newer batch of its
/// sender, so a number suffices and no clock is needed. Each takes 16 bytes, as a fingerprint of 128 bits; all drains
/// together stay below a cap, and the drain that holds most gives way first.
///
/// ```
/// use heroku_metrics::{SeenDeliveries, syslog::Delivery};
///
/// let mut seen = SeenDeliveries::new(4_096, 1 << 20);
/// let first = Delivery::new(b"...").with_header("Logplex-Drain-Token", b"d.1").with_header("Logplex-Frame-Id", b"9C2F");
/// let retry = Delivery::new(b"L10 and ...").with_header("Logplex-Drain-Token", b"d.1").with_header("Logplex-Frame-Id", b"9C2F");
/// assert!(seen.insert(&first));
/// assert!(!seen.insert(&retry));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeenDeliveries {
    most: usize,
    cap: usize,
    drains: BTreeMap<String, VecDeque<u128>>,
    bytes: usize,
}

/// What a drain costs besides its ids: its entry in the map, in nodes that may be half empty, and its first few ids.
const DRAIN_BYTES: usize = 192;
const ID_BYTES: usize = 16;

impl SeenDeliveries {
    /// Remembers up to `ids_per_drain` ids of each drain and takes at most `max_bytes` for all; 0 ids remembers nothing.
    ///
    /// ```
    /// use heroku_metrics::{SeenDeliveries, syslog::Delivery};
    /// let mut none = SeenDeliveries::new(0, 0);
    /// assert!(none.insert(&Delivery::new(b"...")) && none.insert(&Delivery::new(b"...")));
    /// ```
    #[must_use]
    pub const fn new(ids_per_drain: usize, max_bytes: usize) -> Self {
        Self { most: ids_per_drain, cap: max_bytes, drains: BTreeMap::new(), bytes: 0 }
    }

    /// Whether the delivery was counted before, without remembering it.
    #[cfg(test)]
    fn contains(&self, delivery: &Delivery<'_>) -> bool {
        let ids = self.drains.get(delivery.drain_token().unwrap_or_default());
        ids.is_some_and(|ids| ids.contains(&id_of(delivery)))
    }

    /// Remembers the delivery; `false` when it was there already. A drain's ids are looked through one by one: 64 KiB at
    /// the most, a few microseconds.
    ///
    /// ```
    /// use heroku_metrics::{SeenDeliveries, syslog::Delivery};
    /// let mut seen = SeenDeliveries::new(1, 1 << 20);
    /// let delivery = |id: &'static str| Delivery::new(b"...").with_header("Logplex-Frame-Id", id.as_bytes());
    /// assert!(seen.insert(&delivery("a")) && seen.insert(&delivery("b")));
    /// assert!(seen.insert(&delivery("a")), "forgotten: only the last one is kept here");
    /// ```
    pub fn insert(&mut self, delivery: &Delivery<'_>) -> bool {
        if self.most == 0 {
            return true;
        }
        let token = delivery.drain_token().unwrap_or_default();
        self.enter(token, id_of(delivery))
    }

    /// Bytes it takes, as far as they grow with what is remembered.
    #[cfg(test)]
    const fn memory(&self) -> usize {
        self.bytes
    }

    /// The most bytes it ever takes: lists that grow have up to twice the room they need, and while they move once more.
    pub(crate) const fn max_memory(&self) -> usize {
        self.cap.saturating_mul(3)
    }

    fn enter(&mut self, token: &str, id: u128) -> bool {
        if !self.drains.contains_key(token) {
            self.bytes += DRAIN_BYTES + token.len();
            self.drains.insert(token.to_owned(), VecDeque::new());
        }
        let Some(ids) = self.drains.get_mut(token) else { return true };
        if ids.contains(&id) {
            return false;
        }
        if ids.len() == self.most {
            ids.pop_front();
        } else {
            self.bytes += ID_BYTES;
        }
        ids.push_back(id);
        while self.bytes > self.cap && self.make_room(token) {}
        true
    }

    /// Forgets the older half of the drain that holds most ids; of drains with one id each, any but the newest comer.
    fn make_room(&mut self, newest: &str) -> bool {
        let most = self.drains.iter().max_by_key(|(token, ids)| (ids.len(), token.as_str() != newest));
        let Some(token) = most.map(|(token, _)| token.clone()) else { return false };
        if let Some(ids) = self.drains.get_mut(&token) {
            let gone = ids.len().div_ceil(2);
            ids.drain(..gone);
            self.bytes -= gone * ID_BYTES;
            if ids.is_empty() {
                self.drains.remove(&token);
                self.bytes -= DRAIN_BYTES + token.len();
            }
        }
        true
    }

    /// The drains and their ids, oldest first, for a snapshot.
    pub(crate) fn drains(&self) -> impl ExactSizeIterator<Item = (&str, &VecDeque<u128>)> {
        self.drains.iter().map(|(token, ids)| (token.as_str(), ids))
    }

    /// Takes back an id that a snapshot held.
    pub(crate) fn restore(&mut self, token: &str, id: u128) {
        if self.most > 0 {
            self.enter(token, id);
        }
    }
}

/// The id in 128 bits. What it was made from is a part of it, so that a body cannot pass for an id.
fn id_of(delivery: &Delivery<'_>) -> u128 {
    match delivery.id() {
        Some(DeliveryId::Frame(id)) => fingerprint(b'f', id.as_bytes()),
        Some(DeliveryId::Request(id)) => fingerprint(b'r', id.as_bytes()),
        _ => fingerprint(b'b', delivery.body()),
    }
}

/// FNV-1a in 128 bits, over words of eight bytes; written out here because snapshots hold it, so that it must never
/// change. The length is mixed in last: words are filled up with zeros.
fn fingerprint(kind: u8, bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mix = |hash: u128, word: u64| {
        let mixed = (hash ^ u128::from(word)).wrapping_mul(PRIME);
        mixed ^ (mixed >> 67)
    };
    let mut words = bytes.chunks_exact(8);
    let mut hash = mix(OFFSET, u64::from(kind));
    for word in &mut words {
        hash = mix(hash, word.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }
    let rest = words.remainder().iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    mix(mix(hash, rest), bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery<'a>(token: &'a str, id: &'a str) -> Delivery<'a> {
        Delivery::new(b"")
            .with_header("Logplex-Drain-Token", token.as_bytes())
            .with_header("Logplex-Frame-Id", id.as_bytes())
    }

    #[test]
    fn ids_of_drains_do_not_meet() {
        let mut seen = SeenDeliveries::new(10, 1 << 20);
        assert!(seen.insert(&delivery("d.1", "a")));
        assert!(seen.insert(&delivery("d.2", "a")));
        assert!(!seen.insert(&delivery("d.2", "a")));
    }

    #[test]
    fn an_id_a_request_and_a_body_of_one_text_are_three() {
        let mut seen = SeenDeliveries::new(10, 1 << 20);
        assert!(seen.insert(&Delivery::new(b"x")));
        assert!(seen.insert(&Delivery::new(b"other").with_header("Logplex-Frame-Id", b"x")));
        assert!(seen.insert(&Delivery::new(b"other").with_header("X-Request-Id", b"x")));
        assert!(!seen.insert(&Delivery::new(b"x")));
    }

    #[test]
    fn the_last_ids_are_kept() {
        let mut seen = SeenDeliveries::new(100, 1 << 20);
        let ids: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
        for id in &ids {
            assert!(seen.insert(&delivery("d", id)));
        }
        for (index, id) in ids.iter().enumerate() {
            assert_eq!(seen.contains(&delivery("d", id)), index >= 900, "{id}");
        }
    }

    #[test]
    fn memory_stays_below_the_cap_whoever_sends() {
        let cap = 10_000;
        let mut seen = SeenDeliveries::new(4_096, cap);
        for n in 0_u32..5_000 {
            let (token, id) = (format!("d.{}", n % 1_500), n.to_string());
            seen.insert(&delivery(&token, &id));
            let counted: usize =
                seen.drains.iter().map(|(token, ids)| DRAIN_BYTES + token.len() + ids.len() * ID_BYTES).sum();
            assert_eq!(seen.memory(), counted);
            assert!(seen.memory() <= cap, "{n}: {}", seen.memory());
        }
        assert!(!seen.insert(&delivery("d.499", "4999")), "the newest is still known");
    }

    #[test]
    fn fingerprints_do_not_change() {
        // They are written into snapshots: a different value here is a new snapshot version.
        let id = fingerprint(b'f', b"9C2F4E7A1B3D5F60718293A4B5C6D7E8");
        assert_eq!(id, 241_108_573_590_239_073_290_421_485_218_884_308_131);
    }

    #[test]
    fn every_byte_counts() {
        let mut known = std::collections::BTreeSet::new();
        let text = vec![0_u8; 40];
        for len in 0..text.len() {
            assert!(known.insert(fingerprint(b'b', &text[..len])), "zeros of {len}");
        }
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.clone();
                changed[at] ^= 1 << bit;
                assert!(known.insert(fingerprint(b'b', &changed)), "{at} {bit}");
            }
        }
    }
}
