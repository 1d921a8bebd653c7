//! Archives that go: those older than an account keeps them, and the oldest when there is no room.

use super::board::{Archive, Board};
use crate::logs::Copies;
use crate::settings::purge::Purge;
use log_store::{AccountReport, EventId};
use std::collections::BTreeMap;
use std::io;

impl Copies for Board {
    fn waits_from(&self, account: &str) -> Option<EventId> {
        Self::waits_from(self, account)
    }

    fn bytes(&self) -> u64 {
        Self::bytes(self)
    }

    fn make_room(&self, bytes: u64, lines: &[AccountReport], share: &dyn Fn(&str) -> u64) {
        match self.let_oldest_go(bytes, lines, share) {
            Ok(gone) => {
                for (account, (archives, bytes)) in gone {
                    tracing::warn!(
                        account = &*account,
                        archives,
                        bytes,
                        "logs_limit is reached: the oldest archives were let go"
                    );
                }
            }
            Err(error) => tracing::error!(%error, "logs_limit is reached, and archives cannot be let go"),
        }
    }

    fn purge(&self, account: &str, purge: &Purge) -> io::Result<u64> {
        Self::purge(self, account, purge)
    }
}

/// How many archives of an account went, and their bytes.
type Gone = BTreeMap<Box<str>, (u64, u64)>;

impl Board {
    /// Lets archives go until so many bytes are free, the oldest of the account that is furthest above its share, again and
    /// again. An archive of an hour whose lines are kept still stays: then it is the lines' turn, which are as old.
    fn let_oldest_go(&self, bytes: u64, lines: &[AccountReport], share: &dyn Fn(&str) -> u64) -> io::Result<Gone> {
        let lines: BTreeMap<&str, &AccountReport> = lines.iter().map(|account| (account.name(), account)).collect();
        // How far each is above its share, and its oldest archive if no line of it is as old.
        let mut accounts = BTreeMap::new();
        let look = |account: &str| {
            let (held, lines) = (self.held(account), lines.get(account));
            let above = (held.bytes + lines.map_or(0, |lines| lines.bytes())).checked_sub(share(account))?;
            let line = lines.and_then(|lines| lines.oldest());
            let is_older = |archive: &Archive| line.is_none_or(|line| EventId::at(archive.hour.end()) <= line);
            held.oldest.filter(is_older).filter(|_| above > 0).map(|_| above)
        };
        for account in self.accounts() {
            if let Some(above) = look(&account) {
                accounts.insert(account, above);
            }
        }
        let (mut gone, mut left) = (Gone::new(), bytes);
        while left > 0 {
            let furthest = accounts.iter().max_by_key(|(_, above)| **above);
            let Some(account) = furthest.map(|(account, _)| account.clone()) else { break };
            if let Some(archive) = self.remove_oldest(&account)? {
                left = left.saturating_sub(archive.bytes);
                let (archives, bytes) = gone.entry(account.clone()).or_default();
                *archives += 1;
                *bytes += archive.bytes;
                self.show(|shown| shown.removed += 1);
            }
            match look(&account) {
                Some(above) => accounts.insert(account, above),
                None => accounts.remove(&account),
            };
        }
        Ok(gone)
    }

    /// Lets the archives of an account go that ended before a time, in microseconds since 1970. Says how many.
    pub(super) fn expire(&self, account: &str, before: i64) -> io::Result<u64> {
        let mut gone = 0;
        while self.held(account).oldest.is_some_and(|oldest| oldest.hour.end() <= before) {
            if self.remove_oldest(account)?.is_none() {
                break;
            }
            gone += 1;
        }
        self.show(|shown| shown.expired += gone);
        Ok(gone)
    }
}
