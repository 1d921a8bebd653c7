//! Measurements on their way to the journal. Who may send them, and how their body is to be read, is known above: here are the
//! bounds that all bodies have, and the queue.

use super::connections::Peer;
use super::http::{is_gzip, key_by};
use super::recorded::{self, Known};
use super::{Intake, body};
use crate::counters::Refused;
use crate::drain_name::measurements_key;
use crate::event::{Body, Layout};
use crate::journal::{Answer, Message};
use crate::measured::{Measured, written};
use axum::http::HeaderMap;
use hyper::body::Body as HttpBody;
use std::sync::Arc;
use std::sync::mpsc::TrySendError;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// The most bytes of a body, before and after gzip. Clients send 300 or 500 measurements at a time, of some hundred bytes.
pub const MEASURED_BODY: usize = 1 << 20;

/// By what a request is known that is sent again.
#[derive(Clone, Copy, Debug)]
pub enum Retry<'a> {
    /// The sender gave it a name of its own.
    Id(&'a [u8]),
    /// The body says of each measurement when it was: the same body is the same measurements.
    Body(&'a [u8]),
    /// It cannot be told from another one that says the same.
    Unknown,
}

impl Intake {
    /// Reads a body of measurements within the limits of time and memory.
    ///
    /// # Errors
    /// When it is too large, does not come in time, or there is no memory for it.
    pub async fn measured_body<B>(self: &Arc<Self>, headers: &HeaderMap, from: B) -> Result<Body, Refused>
    where
        B: HttpBody,
        B::Data: AsRef<[u8]>,
    {
        let deadline = Instant::now() + self.limits.answer_within / 2;
        let announced = from.size_hint().exact();
        if announced.is_some_and(|bytes| bytes > MEASURED_BODY as u64) {
            body::pass_over(from).await;
            return Err(Refused::TooLarge);
        }
        let mut read = body::read(from, self, deadline).await?;
        if is_gzip(headers) && read.bytes().len() <= MEASURED_BODY {
            read = body::gunzip(read, self, deadline).await?;
        }
        if read.bytes().len() > MEASURED_BODY { Err(Refused::TooLarge) } else { Ok(read) }
    }

    /// Puts measurements of an account into the journal; comes back when they are on the disk.
    ///
    /// # Errors
    /// When that cannot be now.
    pub async fn keep_measured(
        self: &Arc<Self>,
        peer: &Peer,
        account: &str,
        all: &[Measured],
        retry: Retry<'_>,
    ) -> Result<Answer, Refused> {
        let deadline = Instant::now() + self.limits.answer_within / 2;
        let drain: Arc<str> = measurements_key(account).into();
        let queue = self.queue_of(&drain).ok_or(Refused::CannotStore)?;
        let key = match retry {
            Retry::Id(id) => Some(key_by(&drain, b'i', id)),
            Retry::Body(bytes) => Some(key_by(&drain, b'b', bytes)),
            Retry::Unknown => None,
        };
        let mut room = body::Room::new(self);
        room.extend(&written(all))?;
        let known = Known { drain, msg_count: None, peer: peer.address, layout: Layout::Measured };
        let record = recorded::record(self, known, room.into_body(), deadline).await?;
        let bytes = record.body.bytes().len() as u64;
        let (answer, answered) = oneshot::channel();
        queue.try_send(Message::Delivery { key, record, answer }).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Queue,
            TrySendError::Disconnected(_) => Refused::Stopping,
        })?;
        drop(queue);
        match timeout_at(deadline, answered).await {
            Ok(Ok(answer @ (Answer::Kept | Answer::Duplicate))) => {
                match answer {
                    Answer::Kept => {
                        self.counters.measured.add(all.len() as u64);
                        self.counters.octets.add(bytes);
                    }
                    _ => self.counters.measured_again.add(all.len() as u64),
                }
                Ok(answer)
            }
            Ok(Ok(Answer::CannotStore)) => Err(Refused::CannotStore),
            Ok(Ok(Answer::TooManyDrains | Answer::Unknown)) => Err(Refused::TooManyDrains),
            Ok(Err(_)) => Err(Refused::Stopping),
            Err(_) => Err(Refused::SlowStore),
        }
    }
}
