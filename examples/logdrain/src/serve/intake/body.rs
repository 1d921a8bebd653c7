//! A body, read within its limits: octets, memory, time.

use super::{Intake, UNIT};
use crate::serve::counters::Refused;
use crate::serve::event::Body;
use flate2::read::MultiGzDecoder;
use hyper::body::Body as HttpBody;
use std::io::Read as _;
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
pub(super) struct Room<'a> {
    intake: &'a Intake,
    bytes: Vec<u8>,
    lease: Option<OwnedSemaphorePermit>,
}

impl<'a> Room<'a> {
    pub(super) const fn new(intake: &'a Intake) -> Self {
        Self { intake, bytes: Vec::new(), lease: None }
    }

    /// Makes room for `more` octets behind what is there.
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
pub(super) async fn read<B>(body: B, intake: &Intake, deadline: Instant) -> Result<Body, Refused>
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
/// # Errors
/// When it becomes too large, or when there is no memory for it.
pub(super) async fn gunzip(body: Body, intake: &Arc<Intake>) -> Result<Body, Refused> {
    let intake = intake.clone();
    let work = move || {
        let mut room = Room::new(&intake);
        let mut from = MultiGzDecoder::new(body.bytes());
        let mut chunk = [0; 16 * 1024];
        loop {
            match from.read(&mut chunk) {
                Ok(0) => return Ok(room.into_body()),
                Ok(len) => room.extend(&chunk[..len])?,
                Err(_) => break,
            }
        }
        drop(room);
        Ok(body)
    };
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Refused::SlowBody))
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
