//! Readers: beside the writer in its process, or apart from it.

use crate::error::StoreError;
use crate::event::EventId;
use crate::folder;
use crate::options::Options;
use crate::report::AccountReport;
use crate::scope::Scope;
use crate::source::{Apart, Source};
use crate::state::Shared;
use crate::view::View;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Where readers get their views from: cheap to clone, for any number of threads.
///
/// [`Store::reader`](crate::Store::reader) gives one that sees all that is published. [`Reader::open`] makes one for a folder
/// that another process may be writing: it sees what is in files.
///
/// ```no_run
/// use log_store::{Options, Page, Query, Reader, Scope};
///
/// let reader = Reader::open("/var/lib/logs", &Options::new())?;
/// for account in reader.accounts()? {
///     let view = reader.view(&Scope::account(account.name()));
///     let query = Query::parse("timeout");
///     println!("{}", view.search(query.query(), &Page::new(), &mut || true).events().len());
/// }
/// # Ok::<(), log_store::StoreError>(())
/// ```
#[derive(Clone)]
pub struct Reader {
    source: Source,
}

impl Reader {
    pub(crate) fn beside(shared: Arc<Shared>) -> Self {
        Self { source: Source::Beside(shared) }
    }

    /// A reader of a folder, which need not be there yet. It changes nothing, and needs no lock. Of the options, the partition
    /// and the bytes of the cache count.
    ///
    /// # Errors
    /// `Io` if there is something that is no folder, or that may not be read.
    pub fn open(root: impl AsRef<Path>, options: &Options) -> Result<Self, StoreError> {
        let apart = Apart::new(root.as_ref(), options.partition(), options.cache_bytes());
        folder::accounts(apart.root())?;
        Ok(Self { source: Source::Apart(Arc::new(apart)) })
    }

    /// One consistent state of what a scope allows. An account that is not there has no events.
    #[must_use]
    pub fn view(&self, scope: &Scope) -> View {
        let name = scope.account_name();
        let mut unread = None;
        let (state, to) = match &self.source {
            Source::Beside(shared) => {
                // First how far one may see, then the account: whatever lies below was appended before it was published.
                let visible = shared.visible();
                let state = shared.account(name).map(|account| account.state()).unwrap_or_default();
                let to = visible.max(state.found_to);
                (state, to)
            }
            Source::Apart(_) => {
                // What cannot be listed is not nothing: every answer of the view says what it lacks.
                let state = match self.source.look(name) {
                    Some(Ok(state)) => state,
                    Some(Err(damage)) => {
                        unread = Some(damage);
                        Arc::default()
                    }
                    None => Arc::default(),
                };
                let to = state.found_to;
                (state, to)
            }
        };
        View::new(scope.clone(), self.source.clone(), state, to, unread)
    }

    /// The highest id of an account that may be seen by now, or one above it: nothing that comes later is at or below it.
    #[must_use]
    pub fn newest(&self, account: &str) -> EventId {
        EventId::new(self.view(&Scope::account(account)).before().get().saturating_sub(1))
    }

    /// Waits until there is more to see than up to this id, or for so long. Answers up to where may be seen now. A reader apart
    /// from the writer is not told of anything: it waits for the whole time.
    pub fn wait(&self, seen: EventId, timeout: Duration) -> EventId {
        match &self.source {
            Source::Beside(shared) => EventId::new(shared.wait(seen.get() + 1, timeout).saturating_sub(1)),
            Source::Apart(_) => {
                thread::park_timeout(timeout);
                EventId::MAX
            }
        }
    }

    /// What each account has, by name.
    ///
    /// # Errors
    /// `Io` if the folder cannot be listed.
    pub fn accounts(&self) -> Result<Vec<AccountReport>, StoreError> {
        match &self.source {
            Source::Beside(shared) => {
                let accounts = shared.accounts();
                Ok(accounts.iter().map(|account| AccountReport::of(account.name(), &account.state())).collect())
            }
            Source::Apart(apart) => {
                let mut names: BTreeSet<Box<str>> =
                    folder::accounts(apart.root())?.into_iter().map(Into::into).collect();
                names.extend(apart.parts(folder::SHARED)?.into_iter().filter_map(|(name, _)| name));
                let states = names.into_iter().map(|name| apart.state(&name).map(|state| (name, state)));
                let all: Result<Vec<_>, _> = states.collect();
                let all = all?.into_iter().filter(|(_, state)| !state.parts.is_empty());
                Ok(all.map(|(name, state)| AccountReport::of(&name, &state)).collect())
            }
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Beside(_) => f.write_str("Reader(beside its store)"),
            Source::Apart(apart) => write!(f, "Reader({})", apart.root().display()),
        }
    }
}
