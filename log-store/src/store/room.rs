//! Letting events go: by age, and for room.

use super::Store;
use crate::event::EventId;
use crate::sealed::Part;
use crate::state::AccountState;

/// What was let go.
///
/// ```
/// # use log_store::{Event, EventId, Options, Store};
/// # let folder = std::env::temp_dir().join(format!("log-store-doc-removed-{}", std::process::id()));
/// # let mut store = Store::open(&folder, Options::new())?;
/// # store.append(&Event::new(EventId::new(256), "shop", b"one"))?;
/// # store.flush()?;
/// let removed = store.expire("shop", EventId::new(512));
/// assert_eq!(removed.events(), 1);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Removed {
    events: u64,
    bytes: u64,
}

impl Removed {
    /// How many events.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Bytes that they took on the disk.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    fn add(&mut self, part: &Part) {
        self.events += part.lines;
        self.bytes += part.bytes;
    }
}

/// What was let go for room, and of whom.
///
/// ```
/// # use log_store::{Event, EventId, Options, Store};
/// # let folder = std::env::temp_dir().join(format!("log-store-doc-room-{}", std::process::id()));
/// # let mut store = Store::open(&folder, Options::new())?;
/// # store.append(&Event::new(EventId::new(256), "shop", b"one"))?;
/// # store.flush()?;
/// let room = store.make_room(0, |_account| 0);
/// assert_eq!(room.removed()[0].0.as_ref(), "shop");
/// assert!(room.is_enough());
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Room {
    removed: Vec<(Box<str>, Removed)>,
    enough: bool,
}

impl Room {
    /// What each account lost, by name; accounts that lost nothing are left out.
    #[must_use]
    pub fn removed(&self) -> &[(Box<str>, Removed)] {
        &self.removed
    }

    /// Whether the files are within the limit now. If not, every account is within its share, and there is no room for new
    /// events.
    #[must_use]
    pub const fn is_enough(&self) -> bool {
        self.enough
    }
}

impl Store {
    /// Lets the events of an account below an id go: they are gone for every view that begins from now on, and files that
    /// hold nothing else are removed. What is still in the head is not counted as let go before it is sealed.
    ///
    /// After a restart call it again: the bound itself is nowhere on the disk.
    pub fn expire(&mut self, account: &str, before: EventId) -> Removed {
        let mut removed = Removed::default();
        let Some(&at) = self.by_name.get(account) else { return removed };
        let state = self.heads[at].account.state();
        if before.get() <= state.floor {
            return removed;
        }
        let (gone, parts): (Vec<Part>, Vec<Part>) =
            state.parts.iter().cloned().partition(|part| part.last < before.get());
        let (chunks, floor) = (state.chunks.clone(), before.get());
        self.heads[at].account.swap(AccountState { parts: parts.into(), chunks, floor, ..*state });
        drop(state);
        for part in gone {
            removed.add(&part);
            self.let_go(at, &part);
        }
        removed
    }

    /// Hides the events of an account below an id, for every view that begins from now on and whose scope is not
    /// [`with_hidden`](crate::Scope::with_hidden). They stay where they are, and a lower id shows them again.
    ///
    /// After a restart call it again before anybody reads: the bound itself is nowhere on the disk.
    ///
    /// ```
    /// # use log_store::{Event, EventId, Options, Page, Query, Scope, Store};
    /// # let folder = std::env::temp_dir().join(format!("log-store-doc-hide-{}", std::process::id()));
    /// # let mut store = Store::open(&folder, Options::new())?;
    /// for id in [256, 512] {
    ///     store.append(&Event::new(EventId::new(id), "shop", b"done"))?;
    /// }
    /// store.publish(EventId::new(512));
    /// let seen = |store: &Store, scope: &Scope| {
    ///     store.reader().view(scope).search(&Query::default(), &Page::new(), &mut || true).events().len()
    /// };
    /// let scope = Scope::account("shop");
    /// store.hide("shop", EventId::new(512));
    /// assert_eq!((seen(&store, &scope), seen(&store, &scope.clone().with_hidden())), (1, 2));
    /// store.hide("shop", EventId::MIN);
    /// assert_eq!(seen(&store, &scope), 2);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn hide(&mut self, account: &str, before: EventId) {
        let Some(&at) = self.by_name.get(account) else { return };
        let state = self.heads[at].account.state();
        if before.get() != state.hidden {
            let next = AccountState { hidden: before.get(), ..AccountState::clone(&state) };
            self.heads[at].account.swap(next);
        }
    }

    /// Lets events go until all files together have at most `limit` bytes: the account that is furthest above its share loses
    /// its oldest file, again and again. An account within its share loses nothing. `share` says how many bytes each account
    /// has; if it says 0 for all, the largest account loses.
    pub fn make_room(&mut self, limit: u64, share: impl Fn(&str) -> u64) -> Room {
        let mut removed = vec![Removed::default(); self.heads.len()];
        let mut used: Vec<u64> = self.heads.iter().map(|head| bytes(&head.account.state())).collect();
        let shares: Vec<u64> = self.heads.iter().map(|head| share(head.account.name())).collect();
        while self.bytes() > limit {
            let above = |at: usize| used[at].checked_sub(shares[at]).filter(|&above| above > 0);
            // Equally far above: the one with the older events.
            let furthest = (0..self.heads.len()).filter_map(|at| Some((above(at)?, at))).max_by_key(|&(above, at)| {
                (above, std::cmp::Reverse(self.heads[at].account.state().parts.first().map(|part| part.first)))
            });
            let Some((_, at)) = furthest else { break };
            let state = self.heads[at].account.state();
            let Some((oldest, rest)) = state.parts.split_first() else { break };
            let (oldest, parts, chunks) = (oldest.clone(), rest.into(), state.chunks.clone());
            // Nothing that was in the file is seen again, also if other accounts keep it on the disk for a while.
            let floor = state.floor.max(oldest.last + 1);
            self.heads[at].account.swap(AccountState { parts, chunks, floor, ..*state });
            drop(state);
            used[at] -= oldest.bytes.min(used[at]);
            removed[at].add(&oldest);
            self.let_go(at, &oldest);
            // Others have lines in that file: it is written again without these. If that cannot be, there is no room.
            let number = oldest.sealed.number();
            if self.files.contains_key(&number) && (self.stuck.contains(&number) || self.merge(&[number]).is_err()) {
                break;
            }
        }
        let mut all: Vec<(Box<str>, Removed)> = Vec::new();
        for (&at, removed) in self.by_name.values().map(|at| (at, removed[*at])) {
            if removed != Removed::default() {
                all.push((self.heads[at].account.name().as_ref().into(), removed));
            }
        }
        Room { removed: all, enough: self.bytes() <= limit }
    }
}

fn bytes(state: &AccountState) -> u64 {
    state.parts.iter().map(|part| part.bytes).sum()
}
