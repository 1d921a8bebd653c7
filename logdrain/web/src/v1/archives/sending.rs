//! Files on their way to who asked: a piece at a time, to so many at once, and not for ever to who does not read.

use crate::fair::{self, Places};
use axum::body::Body;
use hyper::body::{Body as HttpBody, Bytes, Frame};
use logdrain_drain::archives::{Archive, Board, Opened};
use logdrain_drain::intake::Intake;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, mpsc};

/// Downloads at a time, of all and of one account.
const ALL: usize = 32;
const OF_ONE: usize = 4;
/// Who waits for a place beside them, of all and of one account, and how long. Some clients ask for ten at once and take no for
/// an answer never.
const WAITING: usize = 64;
const WAITING_OF_ONE: usize = 12;
const PATIENCE: Duration = Duration::from_secs(30);
/// Lists at a time: each reads a folder for each day, or asks a database.
const LISTS: usize = 2;
/// What is read at a time; one piece is on its way while the next is made.
const PIECE: usize = 64 << 10;
const MEMORY: usize = 3 * PIECE;
/// A piece that nobody takes for so long is the last.
const STALLED: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(in super::super) struct Downloads {
    places: Places,
    waiting: Places,
    lists: Semaphore,
}

impl Default for Downloads {
    fn default() -> Self {
        Self {
            places: Places::new(ALL, OF_ONE),
            waiting: Places::new(WAITING, WAITING_OF_ONE),
            lists: Semaphore::new(LISTS),
        }
    }
}

/// What a download holds until its last byte is sent.
pub(super) struct Place {
    _place: fair::Place,
    _memory: OwnedSemaphorePermit,
}

impl Downloads {
    /// A turn to list what there is.
    pub(super) async fn list(&self, account: &str) -> Option<SemaphorePermit<'_>> {
        let _waiting = self.waiting.take(account, 1, Duration::ZERO).await?;
        tokio::time::timeout(PATIENCE, self.lists.acquire()).await.ok()?.ok()
    }

    /// A place to send from; `None` when there is none in time. Nobody waits with memory in hand.
    pub(super) async fn place(&self, intake: &Intake, account: &Arc<str>) -> Option<Place> {
        let place = self.turn(account).await?;
        let memory = intake.lease(MEMORY)?;
        Some(Place { _place: place, _memory: memory })
    }

    async fn turn(&self, account: &str) -> Option<fair::Place> {
        let _waiting = self.waiting.take(account, 1, Duration::ZERO).await?;
        self.places.take(account, 1, PATIENCE).await
    }
}

impl Place {
    /// The hours, one behind the other: these bytes of all of them.
    pub(super) fn send(self, account: Arc<str>, board: Board, hours: Vec<Archive>, bytes: Range<u64>) -> Body {
        let (pieces, sent) = mpsc::channel(1);
        let held = Arc::new(self);
        let Range { start, end } = bytes;
        let reading = Reading { board, account, hours, at: 0, open: None, skipped: start, left: end - start };
        tokio::spawn(feed(reading, pieces, held.clone()));
        Body::new(Pieces { sent, _held: held })
    }
}

/// The files, read from the first to the last.
struct Reading {
    board: Board,
    account: Arc<str>,
    hours: Vec<Archive>,
    at: usize,
    /// The hour at hand, and how many bytes of it are still to come.
    open: Option<(Opened, u64)>,
    /// Bytes that are passed over before the first that is sent, and bytes that are to be sent.
    skipped: u64,
    left: u64,
}

impl Reading {
    /// The next piece; `None` behind the last. The length was told: a file that is another one now ends it.
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let Some(archive) = self.hours.get(self.at).filter(|_| self.left > 0) else { return Ok(None) };
            if self.open.is_none() && self.skipped >= archive.bytes {
                (self.skipped, self.at) = (self.skipped - archive.bytes, self.at + 1);
                continue;
            }
            let (file, left) = match &mut self.open {
                Some(open) => open,
                none => {
                    let mut file = self.board.open_hour(&self.account, *archive)?;
                    let skipped = std::mem::take(&mut self.skipped);
                    file.seek(SeekFrom::Start(skipped))?;
                    none.insert((file, archive.bytes - skipped))
                }
            };
            if *left == 0 {
                (self.at, self.open) = (self.at + 1, None);
                continue;
            }
            let len = usize::try_from((*left).min(self.left)).map_or(PIECE, |left| left.min(PIECE));
            let mut piece = vec![0; len];
            file.read_exact(&mut piece)?;
            *left -= len as u64;
            self.left -= len as u64;
            return Ok(Some(piece.into()));
        }
    }
}

/// Reads on for as long as somebody takes what was read.
async fn feed(mut reading: Reading, pieces: mpsc::Sender<io::Result<Bytes>>, _held: Arc<Place>) {
    loop {
        // When nobody reads, what was told of the length does not come, and the connection ends for that.
        let Ok(Ok(room)) = tokio::time::timeout(STALLED, pieces.reserve()).await else { return };
        let read = tokio::task::spawn_blocking(move || {
            let piece = reading.next();
            (reading, piece)
        });
        match read.await {
            Ok((next, Ok(Some(piece)))) => {
                room.send(Ok(piece));
                reading = next;
            }
            Ok((_, Ok(None))) => return,
            Ok((_, Err(error))) => {
                tracing::warn!(%error, "an archive cannot be read to its end");
                room.send(Err(error));
                return;
            }
            Err(_) => return room.send(Err(io::ErrorKind::Other.into())),
        }
    }
}

/// What somebody is sent.
struct Pieces {
    sent: mpsc::Receiver<io::Result<Bytes>>,
    _held: Arc<Place>,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.sent.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::Waker;

    /// What a future says when it is asked once.
    fn once<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn who_asks_for_a_hundred_at_once_takes_nobody_elses_turn() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        // Waiting has an end, which takes a clock.
        let _inside = runtime.enter();
        let downloads = Downloads::default();
        let mut taken = Vec::new();
        let mut waiting: Vec<_> = (0..100).map(|_| Box::pin(downloads.turn("loud"))).collect();
        waiting.retain_mut(|turn| match once(turn.as_mut()) {
            Poll::Ready(turn) => {
                taken.extend(turn);
                false
            }
            Poll::Pending => true,
        });
        assert_eq!(taken.len(), OF_ONE);
        assert!(matches!(once(pin!(downloads.turn("quiet"))), Poll::Ready(Some(_))));
        assert!(matches!(once(pin!(downloads.list("quiet"))), Poll::Ready(Some(_))));
        // What is given back goes to who waits.
        taken.clear();
        assert!(matches!(once(waiting[0].as_mut()), Poll::Ready(Some(_))));
    }
}
