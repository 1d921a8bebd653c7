//! A body, read within its limits: bytes, memory, time.

use super::{Intake, UNIT};
use crate::counters::Refused;
use crate::event::Body;
use flate2::bufread::GzDecoder;
use hyper::body::Body as HttpBody;
use std::io::{self, BufRead as _, Read as _};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

/// What a body begins with; it grows by doubling.
const FIRST: usize = 8 * UNIT;
/// What is read on of a body that was refused, and for how long.
const PASSED_OVER: usize = 1 << 20;
const PASSED_WITHIN: Duration = Duration::from_millis(300);

/// A buffer that may not grow beyond a length, nor beyond what the budget has left.
pub(super) struct Room {
    intake: Arc<Intake>,
    bytes: Vec<u8>,
    lease: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(super) fn new(intake: &Arc<Intake>) -> Self {
        Self { intake: intake.clone(), bytes: Vec::new(), lease: None }
    }

    /// Makes room for `more` bytes behind what is there.
    pub(super) fn reserve(&mut self, more: usize) -> Result<(), Refused> {
        let needed = self.bytes.len().saturating_add(more);
        let limit = self.intake.limits.body;
        if needed > limit {
            return Err(Refused::TooLarge);
        }
        if needed <= self.bytes.capacity() {
            return Ok(());
        }
        // While it grows there are two of it: the new one is paid for before the old one goes.
        let capacity = needed.max(self.bytes.capacity() * 2).max(FIRST).min(limit).next_multiple_of(UNIT);
        let units = u32::try_from(capacity / UNIT).map_err(|_| Refused::TooLarge)?;
        let lease = self.intake.budget.clone().try_acquire_many_owned(units).map_err(|_| Refused::Memory)?;
        let mut grown = Vec::with_capacity(capacity);
        grown.extend_from_slice(&self.bytes);
        self.bytes = grown;
        self.lease = Some(lease);
        Ok(())
    }

    pub(super) fn extend(&mut self, octets: &[u8]) -> Result<(), Refused> {
        self.reserve(octets.len())?;
        self.bytes.extend_from_slice(octets);
        Ok(())
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn into_body(self) -> Body {
        Body::new(self.bytes, self.lease)
    }
}

/// Reads a body to its end.
///
/// # Errors
/// When it is too large, does not come in time or breaks off, or when there is no memory for it.
pub(super) async fn read<B>(body: B, intake: &Arc<Intake>, deadline: Instant) -> Result<Body, Refused>
where
    B: HttpBody,
    B::Data: AsRef<[u8]>,
{
    let mut room = Room::new(intake);
    let announced = body.size_hint().exact();
    if announced.is_some_and(|octets| octets > intake.limits.body as u64) {
        pass_over(body).await;
        return Err(Refused::TooLarge);
    }
    let mut body = pin!(body);
    loop {
        let next = std::future::poll_fn(|context| Pin::as_mut(&mut body).poll_frame(context));
        match timeout_at(deadline, next).await {
            Ok(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    let octets = data.as_ref();
                    // The length that was announced is believed once a first part has come, and no further than that.
                    if let (true, Some(all)) = (room.bytes.is_empty(), announced) {
                        let all = usize::try_from(all).unwrap_or(usize::MAX);
                        room.reserve(all.min(octets.len().saturating_mul(16)).max(octets.len()))?;
                    }
                    room.extend(octets)?;
                }
            }
            Ok(None) => return Ok(room.into_body()),
            Ok(Some(Err(_))) | Err(_) => return Err(Refused::SlowBody),
        }
    }
}

/// Undoes gzip. What is no gzip, or breaks off, is kept as it came: a batch must not be refused for its content, since
/// Logplex would drop it; the pipeline's books say what could not be read.
///
/// It is done in turns, each a short one: who sends what takes long to undo waits for others between them.
///
/// # Errors
/// When it becomes too large, is not done in time, has more members than any sender makes, or when there is no memory
/// for it.
pub(super) async fn gunzip(body: Body, intake: &Arc<Intake>, deadline: Instant) -> Result<Body, Refused> {
    let Ok(_place) = intake.unzip_queue.try_acquire() else { return Err(Refused::Queue) };
    let mut turn = Box::new(Unzip::new(body, intake));
    loop {
        let Ok(Ok(permit)) = timeout_at(deadline, intake.unzipping.acquire()).await else {
            return Err(Refused::SlowBody);
        };
        let done = tokio::task::spawn_blocking(move || turn.go_on()).await;
        drop(permit);
        match done {
            Ok(Turn::Done(outcome)) => return outcome,
            Ok(Turn::More(next)) if Instant::now() < deadline => turn = next,
            Ok(Turn::More(_)) | Err(_) => return Err(Refused::SlowBody),
        }
    }
}

/// How long a turn takes.
const TURN: Duration = Duration::from_millis(10);
/// What is read between two looks at the clock.
const SLICE: usize = 16 * 1024;
/// Members of a body. Logplex makes one.
const MEMBERS: usize = 16;
/// Bodies that are undone at a time, turn by turn.
pub(super) const UNZIP_QUEUE: usize = 256;
/// Turns that are taken at a time, on threads of their own.
pub(super) const UNZIP_TURNS: usize = 3;

/// A body that is being undone.
struct Unzip {
    from: Option<GzDecoder<Sliced>>,
    body: Arc<Body>,
    room: Room,
    members: usize,
}

enum Turn {
    More(Box<Unzip>),
    Done(Result<Body, Refused>),
}

impl Unzip {
    fn new(body: Body, intake: &Arc<Intake>) -> Self {
        let body = Arc::new(body);
        let from = GzDecoder::new(Sliced { body: body.clone(), at: 0, until: std::time::Instant::now() });
        Self { from: Some(from), body, room: Room::new(intake), members: 1 }
    }

    fn go_on(mut self) -> Turn {
        let until = std::time::Instant::now() + TURN;
        let Some(mut from) = self.from.take() else { return Turn::Done(Err(Refused::SlowBody)) };
        from.get_mut().until = until;
        let mut chunk = [0; SLICE];
        loop {
            match from.read(&mut chunk) {
                Ok(0) => {
                    let rest = from.into_inner();
                    if rest.is_empty() {
                        return Turn::Done(Ok(self.room.into_body()));
                    }
                    self.members += 1;
                    if self.members > MEMBERS {
                        return Turn::Done(Err(Refused::TooLarge));
                    }
                    from = GzDecoder::new(rest);
                }
                Ok(len) => {
                    if let Err(why) = self.room.extend(&chunk[..len]) {
                        return Turn::Done(Err(why));
                    }
                }
                // The time of this turn is over.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.from = Some(from);
                    return Turn::More(Box::new(self));
                }
                Err(_) => break,
            }
            if std::time::Instant::now() >= until {
                self.from = Some(from);
                return Turn::More(Box::new(self));
            }
        }
        drop(from);
        // Nobody else has it by now.
        Turn::Done(Arc::into_inner(self.body).ok_or(Refused::SlowBody))
    }
}

/// A body in slices, and no more of them than there is time for.
struct Sliced {
    body: Arc<Body>,
    at: usize,
    until: std::time::Instant,
}

impl Sliced {
    fn is_empty(&self) -> bool {
        self.at >= self.body.bytes().len()
    }
}

impl io::Read for Sliced {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = self.fill_buf()?.read(into)?;
        self.consume(len);
        Ok(len)
    }
}

impl io::BufRead for Sliced {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let rest = self.body.bytes().get(self.at..).unwrap_or_default();
        if !rest.is_empty() && std::time::Instant::now() >= self.until {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(&rest[..rest.len().min(SLICE)])
    }

    fn consume(&mut self, len: usize) {
        self.at += len;
    }
}

/// Reads on for a moment what is still to come of a body that was refused: a sender that is answered while it writes may
/// see a broken connection instead of the answer.
pub(super) async fn pass_over<B: HttpBody>(body: B)
where
    B::Data: AsRef<[u8]>,
{
    let mut body = pin!(body);
    let mut left = PASSED_OVER;
    let deadline = Instant::now() + PASSED_WITHIN;
    while left > 0 {
        let next = std::future::poll_fn(|context| Pin::as_mut(&mut body).poll_frame(context));
        match timeout_at(deadline, next).await {
            Ok(Some(Ok(frame))) => {
                left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.as_ref().len().max(1)))
            }
            _ => return,
        }
    }
}
