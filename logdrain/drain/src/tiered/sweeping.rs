//! The thread that looks for what was left: objects that no row names, and pieces of such objects.

use super::connections::is_fenced;
use super::names::{number_of, parts_of};
use super::owners::Due;
use super::shared::Shared;
use crate::parts::Part;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks; and when one failed.
const EVERY: Duration = Duration::from_secs(3_600);
const AGAIN: Duration = Duration::from_secs(60);
/// Keys that are asked for in one go.
const TOGETHER: usize = 1_000;

/// Sweeps what is due, until the end.
pub(super) fn serve(shared: &Arc<Shared>) {
    while let Some(due) = shared.owners.next() {
        let done = match due {
            Due::Sweep(part, epoch) => sweep(shared, part, epoch),
            Due::Tidy => tidy(shared),
        };
        let next = match done {
            Ok(0) => Some(EVERY),
            Ok(objects) => {
                if let Due::Sweep(part, _) = due {
                    tracing::info!(part = part.number(), objects, "objects that no file has go from the bucket");
                }
                Some(EVERY)
            }
            Err(error) if is_fenced(&error) => None,
            Err(error) => {
                tracing::warn!("{error}: what was left in the bucket stays there until that is over");
                Some(AGAIN)
            }
        };
        shared.owners.again(due, next);
    }
}

/// Lets objects of a partition go that no row names, of the own epoch and of those before. Answers how many.
///
/// The order matters. An object that is listed was put before. If its key is among those that are coming when these are asked
/// for next, its row may come still: it stays. If not, its row was written before that, or never will be: who put it has come
/// to an end, or is of an earlier epoch, and changes nothing any more. So the catalog, which is read last, has all rows
/// that are wanted; and a row that went meanwhile has let its object go. The other way round an object whose row was
/// written between the two looks would be taken for one that was left.
///
/// Objects of later epochs are somebody else's: of who took the partition meanwhile, or, when an older database was
/// put back, of one that is not there any more. So are those with a number that this database has not given yet: it is a copy,
/// or was put back, and the other one may be in use.
pub(super) fn sweep(shared: &Shared, part: Part, epoch: i64) -> io::Result<usize> {
    let under = format!("p{}/", part.number());
    let (mut page, mut found, mut others) = (None, 0, 0);
    loop {
        let (names, next) = shared.objects.page(&under, page, shared.page)?;
        let coming = shared.registry.all_coming();
        let is_old = |key: &str| parts_of(key).is_some_and(|(of, at, _)| of == part.number() && at <= epoch);
        let keys: Vec<&str> =
            names.iter().map(String::as_str).filter(|key| is_old(key) && !coming.contains(*key)).collect();
        if !keys.is_empty() {
            let (named, puts) = shared.catalog.named(part.number(), Some((part, epoch)), &keys)?;
            let is_ours = |key: &&str| number_of(key).is_some_and(|number| number <= puts);
            let left: Vec<&str> = keys.into_iter().filter(|key| !named.contains(*key)).collect();
            others += left.iter().filter(|key| !is_ours(key)).count();
            for key in left.into_iter().filter(is_ours) {
                if !shared.registry.let_go_in_time(key) {
                    return Err(io::Error::other("the bucket lets objects go too slowly"));
                }
                found += 1;
            }
        }
        match next {
            Some(next) if !shared.registry.has_ended() => page = Some(next),
            _ => break,
        }
    }
    if others > 0 {
        tracing::warn!(
            part = part.number(),
            objects = others,
            "objects of this journal that its database knows nothing of: a copy of the database had them put there; they stay"
        );
    }
    Ok(found)
}

/// Removes pieces of objects that no row names: another node owns the partition and let them go, or this one was killed before it
/// did. Answers of how many objects. As above, the catalog is read last.
pub(super) fn tidy(shared: &Shared) -> io::Result<usize> {
    let (keys, coming) = (shared.cache.keys(), shared.registry.all_coming());
    let keys: Vec<&str> = keys.iter().map(|key| &**key).filter(|key| !coming.contains(*key)).collect();
    let mut found = 0;
    for keys in keys.chunks(TOGETHER) {
        let named = shared.catalog.named_anywhere(keys)?;
        for key in keys.iter().filter(|key| !named.contains(**key)) {
            // Whoever has it open would ask the bucket for it, and that has it no more, perhaps.
            if !shared.registry.is_open(key) {
                shared.forget(key);
                found += 1;
            }
        }
    }
    Ok(found)
}
