//! What a purge does to the events that are kept, some of them at a time, whatever keeps them.

use super::endings::Endings;
use super::failure::StoreError;
use super::purges::{Erase, Pending, Purges};
use crate::event::{Body, Entry, Event};
use crate::settings::Settings;
use crate::settings::change::Change;
use heroku_metrics::model::Timestamp;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Bytes of bodies that are looked through at a time: answers wait for that long.
const AT_ONCE: usize = 1 << 20;
/// What was set aside stays for so long.
const ASIDE: Duration = Duration::from_secs(86_400);

/// Looks at events that are kept and writes them again, in one step.
pub(super) trait Rewrites {
    /// An event that is there and sound.
    fn read(&mut self, seq: u64) -> Result<Option<Entry>, StoreError>;
    /// The number of the next delivery, or change of settings.
    fn next_to_look_at(&mut self, behind: u64, before: u64) -> Result<Option<u64>, StoreError>;
    fn replace(&mut self, seq: u64, event: &Event) -> Result<(), StoreError>;
}

/// The first purge for which there is something to do now: everybody has what is up to `behind`. One that waits for others
/// than the journal, however long, lets those behind it pass.
pub(super) fn due(purges: &Purges, behind: u64, endings: &Endings) -> Option<usize> {
    let is_due =
        |pending: &Pending| pending.seq <= behind && (pending.done < pending.seq || !endings.is_waiting(pending.seq));
    purges.pending.iter().position(is_due)
}

/// Does some of what the purge that is `due` left to do. Answers what there is to do then. An account that is destroyed is
/// done with when it has no `endings` any more.
pub(super) fn some(
    purges: &Purges,
    due: usize,
    settings: Option<&Settings>,
    step: &mut impl Rewrites,
    erase: &Erase,
    endings: &Endings,
) -> Result<Purges, StoreError> {
    let mut next = purges.clone();
    let Some(pending) = purges.pending.get(due) else { return Ok(next) };
    let change = match step.read(pending.seq)? {
        Some(Entry { event: Event::Change { change, id }, .. }) => Some((change, id)),
        _ => None,
    };
    let removal = change.as_ref().and_then(|(change, id)| {
        let (account, purge) = change.removal()?;
        (!purge.is_done).then(|| (account.to_owned(), purge.into_owned(), change.at(), *id))
    });
    // Without it all that was before it is given back, too.
    let mut done = if removal.is_none() { pending.seq } else { pending.done };
    if let (Some((account, purge, at, id)), Some(settings)) = (removal, settings) {
        let mut bytes = 0;
        while done < pending.seq && bytes < AT_ONCE {
            let Some(seq) = step.next_to_look_at(done, pending.seq)? else {
                done = pending.seq;
                break;
            };
            done = seq;
            match step.read(seq)? {
                Some(Entry { event: Event::Delivery(mut record), .. }) => {
                    bytes += record.body.bytes().len().max(1 << 10);
                    if let Some(body) = (erase.0)(settings, &account, &purge, &record) {
                        record.body = Body::new(body, None);
                        record.body.pack(None);
                        step.replace(seq, &Event::Delivery(record))?;
                    }
                }
                Some(Entry { event: Event::Change { change, id }, .. }) if purge.is_all => {
                    bytes += 1 << 10;
                    if let Some(change) = change.of_destroyed(settings, &account).map(Box::new) {
                        step.replace(seq, &Event::Change { change, id })?;
                    }
                }
                // What is damaged cannot be told, and is nothing that anybody reads.
                _ => {}
            }
        }
        // What a purge looked for is not kept either; whoever destroys an account names it alone.
        if done >= pending.seq && !purge.is_all {
            let change = Box::new(Change::Purge { account, purge: purge.done(), at });
            step.replace(pending.seq, &Event::Change { change, id })?;
        }
    }
    if done >= pending.seq && !endings.is_waiting(pending.seq) {
        next.pending.remove(due);
    } else if let Some(pending) = next.pending.get_mut(due) {
        pending.done = done;
    }
    Ok(next)
}

/// Removes journals that were set aside in a folder before a purge of more than a day ago; `None` if there is nothing to be
/// noted.
pub(super) fn remove_aside(purges: &Purges, dir: &Path, now: Timestamp) -> Option<Purges> {
    let before = now.earlier(ASIDE).unix_micros();
    if purges.aside.first().is_none_or(|at| *at > before) {
        return None;
    }
    for path in fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if ["journal.damaged-", "spool.damaged-"].iter().any(|set_aside| name.starts_with(set_aside))
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!(path = %path.display(), %error, "a journal that was set aside before a purge cannot be removed");
            return None;
        }
    }
    let mut next = purges.clone();
    next.aside.retain(|at| *at > before);
    Some(next)
}
