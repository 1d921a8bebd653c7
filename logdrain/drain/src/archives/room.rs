//! Archives that go: those older than an account keeps them, and the oldest when there is no room.

use super::board::{Board, Held};
use super::shelf::{Archive, Shelf};
use crate::logs::Copies;
use crate::settings::purge::Purge;
use log_store::{AccountReport, EventId};
use std::collections::{BTreeMap, VecDeque};
use std::io;

/// Hours that go for their age in one step.
const AT_A_TIME: usize = 256;
/// Hours that are looked for at a time when there is no room.
const AHEAD: usize = 24;

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
        let shelf = self.shelf()?;
        // How far each is above its share, and its oldest archive if no line of it is as old.
        let above = |account: &str, bytes: u64, oldest: Option<&Archive>| {
            let lines = lines.get(account);
            let above = (bytes + lines.map_or(0, |lines| lines.bytes())).checked_sub(share(account))?;
            let line = lines.and_then(|lines| lines.oldest());
            let is_older = |archive: &Archive| line.is_none_or(|line| EventId::at(archive.hour.end()) <= line);
            oldest.filter(|archive| is_older(archive)).filter(|_| above > 0).map(|_| above)
        };
        let mut accounts = BTreeMap::new();
        for account in self.accounts() {
            let held = self.held(&account);
            if let Some(above) = above(&account, held.bytes, held.oldest.as_ref()) {
                accounts.insert(account, (above, Going::new(held)));
            }
        }
        // First it is seen who lets go what, and then each does so in one step.
        let (mut all, mut left) = (Vec::new(), bytes);
        while left > 0 {
            let furthest = accounts.iter().max_by_key(|(_, (above, _))| *above).map(|(account, _)| account.clone());
            let Some(account) = furthest else { break };
            let Some((is_above, going)) = accounts.get_mut(&account) else { break };
            left = left.saturating_sub(going.next(&*shelf, &account)?);
            match above(&account, going.bytes, going.oldest.front()) {
                Some(above) => *is_above = above,
                None => all.extend(accounts.remove(&account).map(|(_, going)| (account, going))),
            }
        }
        all.extend(accounts.into_iter().map(|(account, (_, going))| (account, going)));
        let (mut gone, mut failed) = (Gone::new(), None);
        for (account, going) in all.into_iter().filter(|(_, going)| !going.hours.is_empty()) {
            match self.remove(&account, &going.hours, going.oldest.front().copied()) {
                Ok(()) => {
                    let archives = going.hours.len() as u64;
                    self.show(|shown| shown.removed += archives);
                    gone.insert(account, (archives, going.hours.iter().map(|archive| archive.bytes).sum()));
                }
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
        failed.map_or(Ok(gone), Err)
    }

    /// Lets the archives of an account go that ended before a time, in microseconds since 1970. Says how many.
    pub(super) fn expire(&self, account: &str, before: i64) -> io::Result<u64> {
        let mut gone = 0;
        while self.held(account).oldest.is_some_and(|oldest| oldest.hour.end() <= before) {
            let shelf = self.shelf()?;
            let mut hours = shelf.hours(account, &(i64::MIN..before), AT_A_TIME)?;
            hours.retain(|archive| archive.hour.end() <= before);
            let from = hours.last().map_or(i64::MIN, |last| last.hour.end());
            let next = shelf.hours(account, &(from..i64::MAX), 1)?.first().copied();
            // With none, what was known to be the oldest went meanwhile.
            self.remove(account, &hours, next)?;
            gone += hours.len() as u64;
        }
        self.show(|shown| shown.expired += gone);
        Ok(gone)
    }
}

/// What an account lets go.
struct Going {
    bytes: u64,
    /// Those that are the oldest, as many as were looked for. None is behind them if there are none.
    oldest: VecDeque<Archive>,
    hours: Vec<Archive>,
}

impl Going {
    fn new(held: Held) -> Self {
        Self { bytes: held.bytes, oldest: held.oldest.into_iter().collect(), hours: Vec::new() }
    }

    /// One more goes, the oldest that is left. Answers its bytes.
    fn next(&mut self, shelf: &dyn Shelf, account: &str) -> io::Result<u64> {
        let Some(archive) = self.oldest.pop_front() else { return Ok(0) };
        if self.oldest.is_empty() {
            self.oldest = shelf.hours(account, &(archive.hour.end()..i64::MAX), AHEAD)?.into();
        }
        self.bytes = self.bytes.saturating_sub(archive.bytes);
        self.hours.push(archive);
        Ok(archive.bytes)
    }
}
