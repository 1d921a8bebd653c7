//! Memory for the answers of the API, shared between accounts.
//!
//! An answer is in memory until whoever asked has read it, and he may read slowly. So no account may hold all of it.

use crate::serve::intake::{Intake, UNIT};
use axum::body::Body;
use hyper::body::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedSemaphorePermit;

/// What one search takes at most: the lines that it finds but for the last one, what it reads, and the answer.
pub(super) const FOUND: usize = 4 << 20;
const READING: usize = 8 << 20;
pub(super) const WRITTEN: usize = 8 << 20;
pub(super) const SEARCH: usize = FOUND + READING + WRITTEN;

/// The most bytes of all.
pub(crate) const MOST: usize = 4 * SEARCH;
/// The most bytes of one account: some are left for others.
const OF_ONE: usize = MOST / 4 * 3;

#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// What each account holds.
    held: Mutex<HashMap<Arc<str>, usize>>,
}

/// What one answer holds.
#[derive(Debug)]
pub(super) struct Share {
    memory: Arc<Memory>,
    account: Arc<str>,
    bytes: usize,
    permit: OwnedSemaphorePermit,
}

impl Memory {
    /// Takes so many bytes for an account; `None` when there are not so many for it now.
    pub(super) fn take(self: &Arc<Self>, intake: &Intake, account: &Arc<str>, bytes: usize) -> Option<Share> {
        let bytes = bytes.next_multiple_of(UNIT);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = held.values().sum();
        let own = held.get(account).copied().unwrap_or(0);
        if all + bytes > MOST || own + bytes > OF_ONE {
            return None;
        }
        let permit = intake.lease(bytes)?;
        held.insert(account.clone(), own + bytes);
        Some(Share { memory: self.clone(), account: account.clone(), bytes, permit })
    }
}

impl Share {
    /// Gives back what is above so many bytes.
    pub(super) fn shrink(&mut self, to: usize) {
        let to = to.next_multiple_of(UNIT);
        let Some(less) = self.bytes.checked_sub(to) else { return };
        drop(self.permit.split(less / UNIT));
        self.bytes = to;
        self.give_back(less);
    }

    fn give_back(&self, bytes: usize) {
        let mut held = self.memory.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = held.get_mut(&self.account) {
            *own = own.saturating_sub(bytes);
            if *own == 0 {
                held.remove(&self.account);
            }
        }
    }

    /// A text as the body of an answer, which gives its memory back when its last byte is sent.
    pub(super) fn body(mut self, text: Vec<u8>) -> Body {
        self.shrink(text.capacity());
        crate::serve::web::pieces::in_pieces(Bytes::from_owner(Held { text, _share: self }))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

struct Held {
    text: Vec<u8>,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}
