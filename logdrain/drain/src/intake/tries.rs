//! Credentials that are tried on pages and APIs, by the same book as those of deliveries: wrong ones are counted, told of, and
//! answered later and later; right ones never wait.

use super::Intake;
use super::connections::Peer;
use super::credentials::short;
use crate::counters::Refused;
use std::time::Duration;

impl Intake {
    /// Whether this peer is listened to now, with these credentials.
    pub fn may_try(&self, peer: &Peer, credentials: &[u8]) -> bool {
        let may = self.guesses.may_try(peer.address, &short(credentials));
        if !may {
            self.counters.refuse(Refused::Guessing);
        }
        may
    }

    /// How long what takes much work is to wait before it is done: not at all, unless this peer was wrong again and again, and
    /// was never right with these credentials.
    pub fn pause(&self, peer: &Peer, credentials: &[u8]) -> Duration {
        self.guesses.pause(peer.address, &short(credentials))
    }

    /// They were good.
    pub fn was_good(&self, peer: &Peer, credentials: &[u8]) {
        self.guesses.good(peer.address, &short(credentials));
        peer.was_good();
    }

    /// They were wrong: comes back when that may be said. `account` is who it was said to be.
    pub async fn was_wrong(&self, peer: &Peer, account: Option<&[u8]>) {
        self.refuse_credentials(peer.address);
        let wait = self.guesses.wrong(peer.address, account.map(short));
        tokio::time::sleep(wait.time).await;
    }

    /// Nobody was let in, for none came.
    pub fn has_none(&self, peer: &Peer) {
        self.refuse_credentials(peer.address);
    }

    /// A page in a browser was not let in.
    pub fn refuse_browser(&self, peer: &Peer) {
        self.counters.refuse(Refused::Browser);
        self.from_browser.add(Some(peer.address), None);
    }
}
