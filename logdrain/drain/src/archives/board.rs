//! What there is of archives, for those who list and download them, and for those who let lines go.

#[cfg(all(feature = "s3", feature = "postgres"))]
use super::catalog::Catalog;
use super::fence;
use super::folder::Folder;
use super::shelf::{Archive, Opened, Shelf};
#[cfg(all(feature = "s3", feature = "postgres"))]
use crate::tiered::Files;
use log_archive::Period;
use log_store::EventId;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shared by all who ask. Lists are read from where archives lie when they are asked for: a year of a thousand accounts is
/// millions of hours.
#[derive(Clone, Debug, Default)]
pub struct Board {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    /// Whoever writes an hour, the first time or again.
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// None as long as the archives are of another node.
    shelf: Option<Arc<dyn Shelf>>,
    /// How often it came to be another one.
    generation: u64,
    /// Which hours are done is known; and so is which lines wait.
    is_looked: bool,
    knows_waiting: bool,
    accounts: BTreeMap<Box<str>, Held>,
    bytes: u64,
    /// Accounts whose lines wait for their archive, and from where on.
    waiting: BTreeMap<Box<str>, EventId>,
    /// Accounts of which an hour was written again.
    rewritten: BTreeSet<Box<str>>,
    shown: Shown,
}

/// What an account has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Held {
    pub(super) bytes: u64,
    /// The end of the newest hour, in microseconds since 1970: what was before it is archived, or had no lines.
    pub(super) done: i64,
    /// The oldest hour, where it is known.
    pub(super) oldest: Option<Archive>,
}

/// Sums since the start, and how it goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Shown {
    pub written: u64,
    pub lines: u64,
    /// Let go for their age, and for room.
    pub expired: u64,
    pub removed: u64,
    /// Why none can be written now.
    pub trouble: Option<String>,
}

impl Board {
    /// Of the archives below a store.
    pub fn new(store: &Path) -> Self {
        let state = State { shelf: Some(Arc::new(Folder::new(store))), knows_waiting: true, ..State::default() };
        Self { inner: Arc::new(Inner { state: Mutex::new(state), turn: Mutex::default() }) }
    }

    /// Takes the archives of a partition for its owner at an epoch: none of those before him changes anything there any more.
    /// `place` is the partition's, where nodes share it.
    ///
    /// # Errors
    /// When it cannot be read or written now, or another node has taken the partition over.
    pub fn take_over(&self, place: &Path, epoch: i64) -> io::Result<()> {
        self.begin(Some(Arc::new(Folder::of_owner(place, fence::take(place, epoch)?))));
        Ok(())
    }

    /// The same where nodes share no folder: of archives that are files in a bucket. Their owner writes an hour in a folder below
    /// `dir` first, which is the partition's on the node's own disk.
    ///
    /// # Errors
    /// When nothing can be written there. What is the database's or the bucket's is told to who asks for it.
    #[cfg(all(feature = "s3", feature = "postgres"))]
    pub fn take_over_files(&self, files: Files, dir: &Path) -> io::Result<()> {
        self.begin(Some(Arc::new(Catalog::new(files, dir)?)));
        Ok(())
    }

    /// They are another node's.
    pub fn clear(&self) {
        self.begin(None);
    }

    /// Whose they are now knows nothing of them.
    fn begin(&self, shelf: Option<Arc<dyn Shelf>>) {
        let mut state = self.state();
        let (generation, shown) = (state.generation + 1, std::mem::take(&mut state.shown));
        *state = State { shelf, generation, shown: Shown { trouble: None, ..shown }, ..State::default() };
    }

    /// Looks at which hours are done, and removes what a writer that was killed left behind. An hour that is done gets no
    /// line any more, so this is to be known before any delivery is taken.
    pub fn look(&self) -> io::Result<()> {
        let shelf = self.shelf()?;
        let all =
            shelf.look()?.into_iter().map(|(account, done)| (account, Held { done, ..Held::default() })).collect();
        shelf.check()?;
        let mut state = self.state();
        (state.accounts, state.bytes, state.is_looked) = (all, 0, true);
        Ok(())
    }

    /// Whether it was looked.
    pub(super) fn is_looked(&self) -> bool {
        self.state().is_looked
    }

    /// No line gets an id at or below this one any more.
    pub fn taken_id(&self) -> u64 {
        let done = self.state().accounts.values().map(|held| held.done).max();
        done.and_then(|done| EventId::at(done).get().checked_sub(1)).unwrap_or(0)
    }

    /// The hours of an account that are there, oldest first. With many it takes a while.
    pub fn list(&self, account: &str) -> io::Result<Vec<Archive>> {
        self.list_from(account, i64::MIN)
    }

    /// Those that end behind a time, in microseconds since 1970.
    pub(super) fn list_from(&self, account: &str, time: i64) -> io::Result<Vec<Archive>> {
        self.within(account, &(time..i64::MAX))
    }

    fn within(&self, account: &str, time: &Range<i64>) -> io::Result<Vec<Archive>> {
        // Somebody may ask for any name.
        if !log_store::is_account_name(account) {
            return Ok(Vec::new());
        }
        self.shelf()?.hours(account, time, usize::MAX)
    }

    /// An hour was written again.
    pub(super) fn rewritten(&self, account: &str) {
        self.state().rewritten.insert(account.into());
    }

    /// Whether one was since this was asked last.
    pub(super) fn was_rewritten(&self, account: &str) -> bool {
        self.state().rewritten.remove(account)
    }

    /// The hours of a period that are there, oldest first: of a day all of them, of an hour that one.
    pub fn hours(&self, account: &str, period: Period) -> io::Result<Vec<Archive>> {
        self.within(account, &(period.start()..period.end()))
    }

    /// Opens an hour that was found.
    ///
    /// # Errors
    /// When it is gone, or another one stands in its place.
    pub fn open_hour(&self, account: &str, archive: Archive) -> io::Result<Opened> {
        let opened = self.shelf()?.open(account, archive.hour)?;
        if opened.archive() != archive {
            return Err(io::Error::other(format!("the archive of {} was written again meanwhile", archive.hour)));
        }
        Ok(opened)
    }

    /// Bytes of all archives, as far as they have been looked through since the start.
    pub fn bytes(&self) -> u64 {
        self.state().bytes
    }

    pub fn shown(&self) -> Shown {
        self.state().shown.clone()
    }

    /// From which id on the lines of an account wait for their archive; `None` if they do not.
    pub fn waits_from(&self, account: &str) -> Option<EventId> {
        let state = self.state();
        // Before anybody has looked, all of them may.
        let unknown = (!state.knows_waiting).then_some(EventId::new(0));
        unknown.or_else(|| state.waiting.get(account).copied())
    }

    pub(super) fn wait_from(&self, waiting: BTreeMap<Box<str>, EventId>) {
        let mut state = self.state();
        (state.waiting, state.knows_waiting) = (waiting, true);
    }

    pub(super) fn shelf(&self) -> io::Result<Arc<dyn Shelf>> {
        self.state().shelf.clone().ok_or_else(|| io::Error::other("archives of a partition that another node has"))
    }

    /// Another number is another owner's: what was known of them may be so no more.
    pub(super) fn generation(&self) -> u64 {
        self.state().generation
    }

    pub(super) fn held(&self, account: &str) -> Held {
        self.state().accounts.get(account).copied().unwrap_or_default()
    }

    pub(super) fn accounts(&self) -> Vec<Box<str>> {
        self.state().accounts.keys().cloned().collect()
    }

    pub(super) fn show(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.state().shown);
    }

    /// Adds up what an account has.
    pub(super) fn add_up(&self, account: &str) -> io::Result<()> {
        let (bytes, oldest) = self.shelf()?.held(account)?;
        let mut state = self.state();
        let held = state.accounts.entry(account.into()).or_default();
        let before = std::mem::replace(&mut held.bytes, bytes);
        held.oldest = oldest;
        state.bytes = state.bytes + bytes - before;
        Ok(())
    }

    /// An hour was written.
    pub(super) fn wrote(&self, account: &str, archive: Archive, lines: u64) {
        let mut state = self.state();
        let held = state.accounts.entry(account.into()).or_default();
        held.bytes += archive.bytes;
        held.done = held.done.max(archive.hour.end());
        held.oldest = Some(held.oldest.filter(|oldest| oldest.hour < archive.hour).unwrap_or(archive));
        // Whoever lets lines go asks at any moment: what is archived waits no more.
        let done = EventId::at(held.done);
        if let Some(from) = state.waiting.get_mut(account) {
            *from = done.max(*from);
        }
        state.bytes += archive.bytes;
        state.shown.written += 1;
        state.shown.lines += lines;
    }

    /// Removes hours of an account, the oldest first, of which `next` is the one behind.
    pub(super) fn remove(&self, account: &str, hours: &[Archive], next: Option<Archive>) -> io::Result<()> {
        let names: Vec<Period> = hours.iter().map(|archive| archive.hour).collect();
        if let Err(error) = self.shelf()?.remove(account, &names) {
            // Some of them went, perhaps. If that is not to be known now either, it is when it is tried again.
            let _ = self.add_up(account);
            return Err(error);
        }
        let bytes = hours.iter().map(|archive| archive.bytes).sum();
        let mut state = self.state();
        if let Some(held) = state.accounts.get_mut(account) {
            held.oldest = next;
            held.bytes = held.bytes.saturating_sub(bytes);
        }
        state.bytes = state.bytes.saturating_sub(bytes);
        Ok(())
    }

    /// Held while an hour is written, from the look at the lines to the name of its file.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.inner.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What tells these hours of an account from what will stand in their place when one of them is written again or goes: their
/// names, lengths and times.
pub fn tag(account: &str, hours: &[Archive]) -> String {
    let mut digest = Sha256::new_with_prefix(account);
    for Archive { hour, bytes, written } in hours {
        digest.update(format!("/{hour} {bytes} {written}"));
    }
    digest.finalize().iter().take(16).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
