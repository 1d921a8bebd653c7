//! The thread by which objects go that are in no row any more.

use super::names::parts_of;
use super::shared::Shared;
use crate::fail_point;
use crate::journal::Segments as _;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two lines of the log about a bucket that lets nothing go.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Lets go what is to go, until the end.
pub(super) fn serve(shared: &Arc<Shared>) {
    let mut said: Option<Instant> = None;
    while let Some(keys) = shared.registry.next_to_go() {
        for (key, is_sure) in keys {
            if shared.registry.has_ended() {
                return;
            }
            let Err(error) = remove(shared, &key, is_sure) else { continue };
            if said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
                said = Some(Instant::now());
                tracing::warn!("{error}: objects that nobody needs any more stay until that is over");
            }
            shared.registry.later(&key);
            shared.registry.rest();
            break;
        }
    }
}

fn remove(shared: &Shared, key: &str, is_sure: bool) -> io::Result<()> {
    if !is_sure {
        let is_named = match parts_of(key) {
            Some((part, ..)) => shared.catalog.named(part, None, &[key])?.0.contains(key),
            None => true,
        };
        if is_named {
            shared.registry.went(key);
        } else {
            // Somebody may have read the key before it went.
            shared.registry.is_sure(key);
        }
        return Ok(());
    }
    // What can be had from the disk is had by nobody any more, also while the bucket is away.
    shared.forget(key);
    match shared.objects.remove(key) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fail_point("file-gone");
    shared.registry.went(key);
    Ok(())
}
