//! Readers: beside the writer in its process, or apart from it.

use crate::error::StoreError;
use crate::event::EventId;
use crate::folder;
use crate::options::Options;
use crate::scope::Scope;
use crate::sealed::{Cache, OfAccount, Part};
use crate::state::{AccountState, Shared};
use crate::store::AccountReport;
use crate::store::opening::{arrange, read};
use crate::tail::Tail;
use crate::view::View;
use log_query::Query;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

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

/// Where views come from.
#[derive(Clone)]
pub(crate) enum Source {
    Beside(Arc<Shared>),
    Apart(Arc<Apart>),
}

/// A folder that another process may be writing.
pub(crate) struct Apart {
    root: PathBuf,
    partition: u8,
    cache: Cache,
    /// What each file was found to hold, so that a view does not open them all again.
    known: Mutex<HashMap<PathBuf, Known>>,
}

/// What a file holds; no account if it cannot be opened.
type Found = (Option<Box<str>>, Part);

struct Known {
    length: u64,
    modified: Option<SystemTime>,
    parts: Vec<OfAccount>,
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
        let apart = Apart {
            root: root.as_ref().to_owned(),
            partition: options.partition(),
            cache: Cache::new(options.cache_bytes()),
            known: Mutex::default(),
        };
        folder::accounts(&apart.root)?;
        Ok(Self { source: Source::Apart(Arc::new(apart)) })
    }

    /// One consistent state of what a scope allows. An account that is not there has no events.
    #[must_use]
    pub fn view(&self, scope: &Scope) -> View {
        let name = scope.account_name();
        let (state, to) = match &self.source {
            Source::Beside(shared) => {
                // First how far one may see, then the account: whatever lies below was appended before it was published.
                let visible = shared.visible();
                let state = shared.account(name).map(|account| account.state()).unwrap_or_default();
                let to = visible.max(state.found_to);
                (state, to)
            }
            Source::Apart(_) => {
                let state = self.source.look(name).unwrap_or_default();
                let to = state.found_to;
                (state, to)
            }
        };
        View::new(scope.clone(), self.source.clone(), state, to)
    }

    /// A cursor that follows what fits a query, from behind an id; [`Reader::newest`] gives the one to follow only what comes.
    #[must_use]
    pub fn tail(&self, scope: &Scope, query: &Query, after: EventId) -> Tail {
        Tail::new(self.clone(), scope.clone(), query.clone(), after)
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
                    folder::accounts(&apart.root)?.into_iter().map(Into::into).collect();
                names.extend(apart.parts(folder::SHARED)?.into_iter().filter_map(|(name, _)| name));
                let states = names.into_iter().map(|name| apart.state(&name).map(|state| (name, state)));
                let all: Result<Vec<_>, _> = states.collect();
                let all = all?.into_iter().filter(|(_, state)| !state.parts.is_empty());
                Ok(all.map(|(name, state)| AccountReport::of(&name, &state)).collect())
            }
        }
    }
}

impl Source {
    pub(crate) fn cache(&self) -> &Cache {
        match self {
            Self::Beside(shared) => &shared.cache,
            Self::Apart(apart) => &apart.cache,
        }
    }

    /// Whether another process may take files away.
    pub(crate) const fn is_apart(&self) -> bool {
        matches!(self, Self::Apart(_))
    }

    /// An account as it is on the disk now. `None` beside the writer, where views hold what they see, and if the folder cannot
    /// be read.
    pub(crate) fn look(&self, account: &str) -> Option<Arc<AccountState>> {
        match self {
            Self::Beside(_) => None,
            Self::Apart(apart) => apart.state(account).ok().map(Arc::new),
        }
    }
}

impl Apart {
    fn state(&self, account: &str) -> Result<AccountState, StoreError> {
        // A name that is none could lead out of the folder.
        if !folder::is_account_name(account) {
            return Ok(AccountState::default());
        }
        // Shared files first: when they are split meanwhile, what was in them is then found in the account's own folder, or in
        // both, which is put in order below.
        let mut parts = self.parts(folder::SHARED)?;
        parts.extend(self.parts(account)?);
        // A file of several accounts that cannot be opened may hold lines of this one.
        let own = parts.into_iter().filter(|(name, _)| name.as_deref().is_none_or(|name| name == account));
        let (parts, _) = arrange(own.map(|(_, part)| part).collect());
        let found_to = parts.iter().map(|part| part.last + 1).max().unwrap_or(0);
        Ok(AccountState { parts: parts.into(), found_to, ..AccountState::default() })
    }

    /// What the files of a folder hold, of which accounts; no account for a file that cannot be opened.
    fn parts(&self, name: &str) -> Result<Vec<Found>, StoreError> {
        let folder = folder::of_account(&self.root, name, self.partition);
        let mut found = Vec::new();
        let named = folder::segments(&folder)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|path, _| path.parent() != Some(&folder) || named.iter().any(|named| named.path == *path));
        for named in named {
            let Ok(meta) = named.path.metadata() else { continue };
            let modified = meta.modified().ok();
            match known.get(&named.path) {
                Some(known) if known.length == meta.len() && known.modified == modified => {
                    found.extend(known.parts.iter().map(|(name, part)| (Some(name.clone()), part.clone())));
                }
                _ => match read(&named, &self.cache) {
                    Ok(parts) => {
                        found.extend(parts.iter().map(|(name, part)| (Some(name.clone()), part.clone())));
                        known.insert(named.path, Known { length: meta.len(), modified, parts });
                    }
                    Err((part, _)) => found.push((None, part)),
                },
            }
        }
        Ok(found)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Beside(_) => f.write_str("Reader(beside its store)"),
            Source::Apart(apart) => write!(f, "Reader({})", apart.root.display()),
        }
    }
}
