//! The one writer of a folder.

mod keeping;
mod merging;
mod opening;
mod purging;
mod room;
mod sealing;

pub use purging::Purged;
pub use room::{Removed, Room};

use crate::chunk::Chunk;
use crate::error::{StoreError, StoreErrorKind};
use crate::event::{Event, EventId};
use crate::folder::is_account_name;
use crate::lock::Lock;
use crate::options::Options;
use crate::place::Place;
use crate::reader::Reader;
use crate::report::AccountReport;
use crate::sealed::Sealed;
use crate::segment::{Damage, LONGEST_MESSAGE, Segment};
use crate::state::{Account, AccountState, Shared};
use keeping::Going;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// What an append may make the head grow by, beside the message: lists and text grow by doubling, to a megabyte of text.
const GROWTH: usize = 5 << 19;

/// The one writer of a folder of logs: takes events, writes them to files, and lets them go.
///
/// Events are in memory first, in the *head*: `append` puts them there, and [`publish`](Self::publish) lets readers see them.
/// Sealing writes them to files of some ten megabytes that never change. The head does not outlive the process: an embedder
/// with a journal appends again what was not sealed ([`Store::oldest_unsealed`]; what is sealed is passed over), one without
/// calls [`Store::flush`] for what must not be lost.
///
/// The store has no thread and no clock: call [`Store::seal_due`] and [`Store::merge_due`] now and then.
///
/// ```
/// use log_store::{Event, EventId, Options, Page, Query, Scope, Store};
///
/// # let folder = std::env::temp_dir().join(format!("log-store-doc-store-{}", std::process::id()));
/// let mut store = Store::open(&folder, Options::new())?;
/// let first = EventId::at(1_700_000_000_000_000);
/// store.append(&Event::new(first, "shop", b"GET /cart 500").with_program(b"nginx"))?;
/// store.append(&Event::new(first.next(), "shop", b"GET / 200").with_program(b"nginx"))?;
/// store.publish(first.next());
///
/// let query = Query::parse("nginx \"cart 5\"");
/// let view = store.reader().view(&Scope::account("shop"));
/// let found = view.search(query.query(), &Page::new(), &mut || true);
/// assert_eq!(found.events()[0].as_event().message(), b"GET /cart 500");
///
/// store.flush()?;
/// assert_eq!(store.oldest_unsealed(), None);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Store {
    place: Place,
    options: Options,
    _lock: Lock,
    shared: Arc<Shared>,
    heads: Vec<Head>,
    by_name: BTreeMap<Arc<str>, usize>,
    /// Whose event came last: the next one is often of the same.
    last_head: usize,
    head_memory: usize,
    /// The highest id of this process's appends.
    appended: Option<u64>,
    passed_over: u64,
    /// Files, and of how many accounts they hold something that counts.
    files: BTreeMap<u64, Held>,
    damage: Vec<Damage>,
    /// Files that are not merged: something in them cannot be read, or they are too much for one file.
    stuck: BTreeSet<u64>,
    /// Files that are let go, and that views may hold.
    going: Vec<Going>,
    /// Files under whose name others may lie by now.
    unsure: BTreeSet<u64>,
}

/// An account's events that are in no file yet. The chunks themselves are in the state that readers see.
#[derive(Debug)]
struct Head {
    account: Arc<Account>,
    open: Option<Arc<Chunk>>,
    first: Option<u64>,
    sealed_through: Option<u64>,
    events: u64,
    text: usize,
    memory: usize,
}

#[derive(Debug)]
struct Held {
    sealed: Arc<Sealed>,
    accounts: usize,
    last_id: u64,
    /// Accounts of which it may hold lines that do not count, and that a purge takes out all the same.
    stale: Vec<usize>,
}

impl Held {
    fn new(sealed: &Arc<Sealed>, segment: &Segment) -> Self {
        Self { sealed: Arc::clone(sealed), accounts: 0, last_id: segment.last_id(), stale: Vec::new() }
    }
}

impl Store {
    /// Takes an event. Its id must be above that of the event before, and above what was published.
    ///
    /// An event whose account is sealed up to this id or beyond is passed over and counted ([`Store::passed_over`]): after a
    /// restart an embedder may append again from where it likes. When the memory for the head is full, files are written
    /// first. No part of the event is kept when there is an error.
    ///
    /// # Errors
    /// `Order`, `Account`, `Accounts` and `Length` for an event that cannot be taken; `Io` if the head is full and cannot be
    /// written.
    pub fn append(&mut self, event: &Event<'_>) -> Result<(), StoreError> {
        if event.message().len() > LONGEST_MESSAGE {
            return Err(StoreError::new(StoreErrorKind::Length, "a message is longer than 1 MiB: cut it"));
        }
        let at = self.head(event.account())?;
        let id = event.id().get();
        if self.heads[at].sealed_through.is_some_and(|through| id <= through) {
            self.passed_over += 1;
            return Ok(());
        }
        if self.appended.is_some_and(|last| id <= last) || id < self.shared.visible() {
            return Err(StoreError::new(StoreErrorKind::Order, format!("the id {id} is not above the last one")));
        }
        while self.head_memory + GROWTH + event.message().len() > self.options.head_bytes() {
            if !self.seal_for_room()? {
                break;
            }
        }
        let head = &mut self.heads[at];
        let grown = match head.open.as_ref().and_then(|chunk| chunk.append(event)) {
            Some(grown) => grown,
            None => {
                let chunk = Arc::new(Chunk::new(event.id()));
                // An empty chunk takes any message.
                let grown = size_of::<Chunk>() + chunk.append(event).unwrap_or(0);
                let mut state = AccountState::clone(&head.account.state());
                state.chunks.push(Arc::clone(&chunk));
                head.account.swap(state);
                head.open = Some(chunk);
                grown
            }
        };
        head.first.get_or_insert(id);
        head.events += 1;
        head.text += event.message().len() + 1;
        head.memory += grown;
        self.head_memory += grown;
        self.appended = Some(id);
        Ok(())
    }

    /// Lets readers see all events up to this id, it included. No event at or below it may follow.
    pub fn publish(&mut self, watermark: EventId) {
        self.shared.publish(watermark.get() + 1);
    }

    /// A reader, for other threads: as many as you like.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::beside(Arc::clone(&self.shared))
    }

    /// The lowest id that is in no file: what an embedder with a journal must not give back yet.
    #[must_use]
    pub fn oldest_unsealed(&self) -> Option<EventId> {
        self.heads.iter().filter_map(|head| head.first).min().map(EventId::new)
    }

    /// Up to which id an account's events are in files.
    #[must_use]
    pub fn sealed_through(&self, account: &str) -> Option<EventId> {
        let &at = self.by_name.get(account)?;
        self.heads[at].sealed_through.map(EventId::new)
    }

    /// The highest id that is in a file or was appended: an embedder that counts by itself goes on above it.
    #[must_use]
    pub fn last_id(&self) -> Option<EventId> {
        let sealed = self.heads.iter().filter_map(|head| head.sealed_through).max();
        sealed.max(self.appended).map(EventId::new)
    }

    /// How many events were passed over because they were sealed before, since the store was opened.
    #[must_use]
    pub const fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// What each account has, by name.
    #[must_use]
    pub fn accounts(&self) -> Vec<AccountReport> {
        let of = |account: Arc<Account>| AccountReport::of(account.name(), &account.state());
        self.shared.accounts().into_iter().map(of).collect()
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|held| held.sealed.file_len()).sum()
    }

    /// How many files there are.
    #[must_use]
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// Files that could not be opened when the store was. They stay where they are, and searches say what they lack.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// The account's head, a new one if it has none.
    fn head(&mut self, account: &str) -> Result<usize, StoreError> {
        if let Some(head) = self.heads.get(self.last_head)
            && **head.account.name() == *account
        {
            return Ok(self.last_head);
        }
        let at = match self.by_name.get(account) {
            Some(&at) => at,
            None => {
                if !is_account_name(account) {
                    let said = "an account's name is 1 to 63 of a-z, 0-9 and -, and not `shared`";
                    return Err(StoreError::new(StoreErrorKind::Account, said));
                }
                if self.heads.len() >= self.options.accounts() {
                    let said = format!("there are {} accounts already: allow more", self.heads.len());
                    return Err(StoreError::new(StoreErrorKind::Accounts, said));
                }
                self.add(account, AccountState::default(), None)
            }
        };
        self.last_head = at;
        Ok(at)
    }

    fn add(&mut self, name: &str, state: AccountState, sealed_through: Option<u64>) -> usize {
        let account = self.shared.add(Account::new(name.into(), state));
        self.by_name.insert(Arc::clone(account.name()), self.heads.len());
        self.heads.push(Head { account, open: None, first: None, sealed_through, events: 0, text: 0, memory: 0 });
        self.heads.len() - 1
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("root", &self.place.root())
            .field("accounts", &self.heads.len())
            .field("files", &self.files.len())
            .field("head_memory", &self.head_memory)
            .finish_non_exhaustive()
    }
}
