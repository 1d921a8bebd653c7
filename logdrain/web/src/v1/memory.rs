//! Memory for the answers of the API, shared between accounts.
//!
//! An answer is in memory until whoever asked has read it, and he may read slowly. So no account may hold all of it.
//!
//! Memory that was never written to costs more than what is written into it: the system hands it out zeroed, a page at a
//! time. So what one search has used the next one uses again.

use super::lines::Lines;
use axum::body::Body;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use logdrain_drain::intake::{Intake, UNIT};
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::OwnedSemaphorePermit;

/// What one search takes at most: the lines that it finds but for the last one, what it reads, and the answer.
pub(super) const FOUND: usize = 4 << 20;
const READING: usize = 8 << 20;
pub(super) const WRITTEN: usize = 8 << 20;
pub(super) const SEARCH: usize = FOUND + READING + WRITTEN;

/// Answers are written in pieces of so many bytes, or of one more event.
pub(super) const PIECE: usize = 64 << 10;
/// What is handed on at a time.
const HANDED_ON: usize = 16 << 10;
/// Pieces that are kept for the next search.
const PIECES: usize = WRITTEN / PIECE;
/// What is kept for it at most: pieces, and room for the lines that it finds.
const SPARE: usize = WRITTEN + FOUND;

/// The most bytes of all searches,
const ALL: usize = 4 * SEARCH;
/// with what none has just now.
pub const MOST: usize = ALL + SPARE;
/// The most bytes of one account: some are left for others.
const OF_ONE: usize = ALL / 4 * 3;

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// What each account holds.
    held: Mutex<HashMap<Arc<str>, usize>>,
    spare: Mutex<Spare>,
}

#[derive(Debug, Default)]
struct Spare {
    pieces: Vec<Vec<u8>>,
    lines: Option<Lines>,
    /// Nothing is kept without it.
    permit: Option<OwnedSemaphorePermit>,
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
        if all + bytes > ALL || own + bytes > OF_ONE {
            return None;
        }
        let permit = intake.lease(bytes)?;
        held.insert(account.clone(), own + bytes);
        let mut spare = self.spare();
        spare.permit = spare.permit.take().or_else(|| intake.lease(SPARE));
        drop(spare);
        Some(Share { memory: self.clone(), account: account.clone(), bytes, permit })
    }

    fn spare(&self) -> MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep_piece(&self, mut piece: Vec<u8>) {
        let mut spare = self.spare();
        // One that had to grow is not as long as is counted.
        if spare.permit.is_some() && spare.pieces.len() < PIECES && piece.capacity() == PIECE {
            piece.clear();
            spare.pieces.push(piece);
        }
    }
}

impl Share {
    /// Room for the lines that a search finds.
    pub(super) fn lines(&self) -> Lines {
        self.memory.spare().lines.take().unwrap_or_default()
    }

    /// They are written.
    pub(super) fn keep_lines(&self, mut lines: Lines) {
        lines.clear();
        let mut spare = self.memory.spare();
        if spare.permit.is_some() && lines.capacity() <= FOUND {
            spare.lines = Some(lines);
        }
    }

    /// A piece to write on in.
    pub(super) fn piece(&self) -> Vec<u8> {
        self.memory.spare().pieces.pop().unwrap_or_else(|| Vec::with_capacity(PIECE))
    }

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

    /// Pieces as the body of an answer: the memory of all is given back when the last byte is sent.
    pub(super) fn body(mut self, pieces: Vec<Vec<u8>>) -> Body {
        self.shrink(pieces.iter().map(Vec::capacity).sum());
        let left = pieces.iter().map(Vec::len).sum();
        let share = Arc::new(self);
        let pieces = pieces.into_iter().map(|text| Bytes::from_owner(Held { text, share: share.clone() })).collect();
        Body::new(Pieces { pieces, left })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

struct Held {
    text: Vec<u8>,
    share: Arc<Share>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.share.memory.keep_piece(mem::take(&mut self.text));
    }
}

struct Pieces {
    pieces: VecDeque<Bytes>,
    left: usize,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        while this.pieces.front().is_some_and(Bytes::is_empty) {
            this.pieces.pop_front();
        }
        let Some(first) = this.pieces.front_mut() else { return Poll::Ready(None) };
        let data = first.split_to(first.len().min(HANDED_ON));
        this.left -= data.len();
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}
