//! Taking single events out, for good.

use super::Store;
use super::merging::Copy;
use crate::error::{StoreError, StoreErrorKind};
use crate::event::{Event, EventId};
use crate::page::Page;
use crate::scope::Scope;
use crate::sealed::Part;
use crate::segment::{Scratch, SegmentWriter, parse_file_name};
use log_query::{Fields, Query};
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// What [`Store::purge`] took out.
///
/// ```
/// # use log_store::{Event, EventId, Options, Query, Scope, Store};
/// # let folder = std::env::temp_dir().join(format!("log-store-doc-purged-{}", std::process::id()));
/// # let mut store = Store::open(&folder, Options::new())?;
/// # store.append(&Event::new(EventId::new(256), "shop", b"card 4111"))?;
/// # store.append(&Event::new(EventId::new(512), "shop", b"other"))?;
/// # store.publish(EventId::new(512));
/// let card = Query::parse("4111");
/// let purged = store.purge(&Scope::account("shop"), card.query(), EventId::new(0)..EventId::MAX)?;
/// assert_eq!((purged.events(), purged.unread().len()), (1, 0));
/// assert_eq!(store.accounts()[0].events(), 1);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Purged {
    events: u64,
    files: u64,
    unread: Vec<PathBuf>,
}

impl Purged {
    /// How many events.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Files that were written again, or removed.
    #[must_use]
    pub const fn files(&self) -> u64 {
        self.files
    }

    /// Files that are damaged: what they hold cannot be told, and they are as they were.
    #[must_use]
    pub fn unread(&self) -> &[PathBuf] {
        &self.unread
    }
}

impl Store {
    /// Takes the events of a range that a scope allows and a query finds out of the store: when this returns, no file holds
    /// them. Everything in the head is sealed first. Files are written again one after the other, each beside and then under
    /// the name that it had, so that a crash leaves each as it was or without them, and the same call goes on where it ended.
    ///
    /// Views that began before go on to see what they saw.
    ///
    /// # Errors
    /// `Io` if a file cannot be written; then some files may hold them still, and others not. Call it again.
    pub fn purge(&mut self, scope: &Scope, query: &Query, ids: Range<EventId>) -> Result<Purged, StoreError> {
        self.flush()?;
        // What is left of files that are no more may hold them, too, and would be found again.
        let at = self.by_name.get(scope.account_name()).copied();
        let mut purged = Purged { unread: self.settle(at)?, ..Purged::default() };
        let Some(at) = at else { return Ok(purged) };
        let parts = Arc::clone(&self.heads[at].account.state().parts);
        let is_in = |part: &&Part| part.first < ids.end.get() && part.last >= ids.start.get();
        for part in parts.iter().filter(is_in) {
            let path = part.sealed.path();
            let taken = match part.broken {
                true => Err(None),
                false => self.purge_part(at, part, scope, query, &ids).map_err(Some),
            };
            match taken {
                Ok(0) => {}
                Ok(events) => (purged.events, purged.files) = (purged.events + events, purged.files + 1),
                Err(Some(error)) if error.kind() != StoreErrorKind::Damage => return Err(error),
                Err(_) if purged.unread.iter().any(|unread| unread == path) => {}
                Err(_) => purged.unread.push(path.to_owned()),
            }
        }
        Ok(purged)
    }

    /// Answers how many events it was.
    fn purge_part(
        &mut self,
        at: usize,
        part: &Part,
        scope: &Scope,
        query: &Query,
        ids: &Range<EventId>,
    ) -> Result<u64, StoreError> {
        // Most files hold none: their index tells.
        let before = EventId::new(ids.end.get().min(part.last.saturating_add(1)));
        let page = Page::new().with_before(before).with_limit(1);
        let page = match ids.start.get().max(part.first).checked_sub(1) {
            Some(after) => page.with_after(EventId::new(after)),
            None => page,
        };
        let view = self.reader().view(&scope.clone().with_hidden());
        // What is below the floor is not found, and is in the file all the same.
        if part.last < view.before().get() && part.first >= self.heads[at].account.state().floor {
            let found = view.search(query, &page, &mut || true);
            if found.events().is_empty() && found.examined().damage().is_empty() {
                return Ok(0);
            }
        }
        drop(view);
        let path = part.sealed.path().to_owned();
        let broken = |error: io::Error| StoreError::io(&path, "write a segment again", &error);
        let of = path.parent().and_then(|folder| folder.parent()?.file_name()?.to_str()).map(str::to_owned);
        let (Some(folder), Some(range)) =
            (of, path.file_name().and_then(|name| name.to_str()).and_then(parse_file_name))
        else {
            return Ok(0);
        };
        // The new file takes its name. Views that hold this one keep it open.
        let segment = self.pinned(part)?;
        let mut writer = SegmentWriter::create(&self.place.writing(&folder)?).map_err(broken)?;
        let mut scratch = Scratch::new().map_err(broken)?;
        let mut copy = Copy::into(&mut writer, &self.place);
        let mut events = 0;
        let mut output = Vec::new();
        for &other in self.by_name.values() {
            let account = &self.heads[other].account;
            let state = account.state();
            let Some(own) = state.parts.iter().find(|own| own.sealed.number() == part.sealed.number()) else {
                continue;
            };
            let mut keep = |event: &Event<'_>| {
                let goes = other == at && ids.contains(&event.id()) && is_found(event, scope, query);
                events += u64::from(goes);
                !goes
            };
            let mut chunk = None;
            // What is below a floor counts until its file goes, and so it stays.
            copy.part(account.name(), own, 0, &segment, &mut scratch, &mut chunk, &mut keep)?;
            copy.chunk(account.name(), chunk.take()).map_err(broken)?;
            output.push((other, vec![own.clone()]));
        }
        if events == 0 {
            return Ok(0);
        }
        let segment = match writer.blocks() {
            0 => {
                // At once, and not when the last view that holds it ends: what a crash left would be found again.
                drop(writer);
                self.place.remove(&path).map_err(broken)?;
                part.sealed.fate().is_gone();
                None
            }
            _ => {
                let whole = writer.whole(Some(range)).map_err(broken)?;
                Some(self.keep(&folder, whole, "write a segment again")?)
            }
        };
        self.swap(&output, segment.as_ref());
        Ok(events)
    }
}

fn is_found(event: &Event<'_>, scope: &Scope, query: &Query) -> bool {
    let mut fields = Fields::new(event.system(), event.program(), event.message());
    fields = event.severity().into_iter().fold(fields, Fields::with_severity);
    fields = event.facility().into_iter().fold(fields, Fields::with_facility);
    fields = event.source_ip().into_iter().fold(fields, Fields::with_source_ip);
    scope.allows(event.account(), event.system()) && query.matches(&fields)
}
