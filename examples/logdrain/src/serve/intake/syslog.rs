//! Syslog over TCP: octet-counted frames in the RFC 5424 dialect, with the drain token as HOSTNAME (RFC 6587, 3.4.1).
//!
//! Such a drain has no credentials, no ids and no answers. A token is believed when the configuration names it (or when
//! anyone may send); TLS is what keeps others out. Frames are gathered for a moment and kept as a delivery; what a
//! connection held when either side fails is lost or sent twice, as the protocol has it. When the journal cannot take
//! more, the connection is not read, and the sender waits.

use super::body::Room;
use super::{Intake, Stream};
use crate::serve::counters::Refused;
use crate::serve::event::Record;
use crate::serve::journal::{self, Answer, Message};
use heroku_metrics::syslog::{Dialect, Frame, FrameReader, Limits, RawFrame, Recovery};
use std::sync::Arc;
use std::sync::mpsc::TrySendError;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, timeout_at};

/// How long frames are gathered.
const GATHERED: Duration = Duration::from_millis(200);
/// And how many octets of them.
const ENOUGH: usize = 64 * 1024;
const AGAIN: Duration = Duration::from_millis(50);
const CHUNK: usize = 16 * 1024;

/// Reads one connection to its end.
pub(super) async fn connection(
    mut stream: impl Stream,
    intake: &Arc<Intake>,
    heard: impl Fn(),
    mut stop: watch::Receiver<bool>,
) {
    let mut reader = FrameReader::new(Limits::new(), Recovery::Resync);
    let mut chunk = [0; CHUNK];
    let mut held: Option<Held<'_>> = None;
    loop {
        let due = held.as_ref().map_or_else(|| Instant::now() + intake.limits.idle, |held| held.since + GATHERED);
        let read = tokio::select! {
            read = timeout_at(due, stream.read(&mut chunk)) => read,
            _ = stop.wait_for(|stop| *stop) => Ok(Ok(0)),
        };
        match read {
            Ok(Ok(len)) if len > 0 => {
                heard();
                reader.push(&chunk[..len]);
                // All that was there: a frame on a quiet connection does not wait for what comes behind it.
                if len < CHUNK {
                    reader.flush();
                }
            }
            Ok(_) => reader.finish(),
            Err(_) if held.is_none() => return,
            Err(_) => {}
        }
        let is_over = matches!(read, Ok(Ok(0) | Err(_)));
        while let Some(item) = reader.next_frame() {
            match item {
                Ok(raw) => enter(raw, &mut held, intake).await,
                Err(error) => intake.counters.syslog_skipped.add(error.skipped()),
            }
        }
        let is_due = |held: &Held<'_>| is_over || held.room.len() >= ENOUGH || held.since.elapsed() >= GATHERED;
        if let Some(full) = held.take_if(|held| is_due(held)) {
            full.keep(intake).await;
        }
        if is_over {
            return;
        }
    }
}

/// Frames of one drain.
struct Held<'a> {
    drain: Arc<str>,
    room: Room<'a>,
    since: Instant,
}

async fn enter<'a>(raw: RawFrame<'_>, held: &mut Option<Held<'a>>, intake: &'a Arc<Intake>) {
    let frame = Frame::parse(raw.bytes(), Dialect::Rfc5424);
    let token = frame.ok().and_then(|frame| frame.hostname());
    let Some(drain) = intake.access().syslog_key(token) else {
        intake.counters.refuse(Refused::Credentials);
        return;
    };
    if let Some(other) = held.take_if(|held| held.drain != drain) {
        other.keep(intake).await;
    }
    let held = held.get_or_insert_with(|| Held { drain, room: Room::new(intake), since: Instant::now() });
    let length = format!("{} ", raw.bytes().len());
    // With no memory for it now, the sender waits; a frame is far below what a body may have.
    while held.room.reserve(length.len() + raw.bytes().len()).is_err() {
        sleep(AGAIN).await;
        if intake.is_closed() {
            return;
        }
    }
    let _ = held.room.extend(length.as_bytes());
    let _ = held.room.extend(raw.bytes());
}

impl Held<'_> {
    /// Hands it to the journal, and again until the disk has it or the server ends.
    async fn keep(self, intake: &Arc<Intake>) {
        let octets = self.room.len() as u64;
        let record =
            Record { drain: self.drain, received: journal::now(), msg_count: None, body: self.room.into_body() };
        let (answer, mut answered) = oneshot::channel();
        let mut message = Message::Delivery { key: None, record, answer };
        loop {
            let Some(queue) = intake.queue() else {
                sleep(AGAIN).await;
                if intake.is_closed() {
                    return;
                }
                continue;
            };
            match queue.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) => message = back,
                Err(TrySendError::Disconnected(_)) => return,
            }
            drop(queue);
            sleep(AGAIN).await;
        }
        match (&mut answered).await {
            Ok(Answer::Kept | Answer::Duplicate) => {
                intake.counters.kept.add(1);
                intake.counters.octets.add(octets);
            }
            // There is nobody to be told.
            Ok(Answer::CannotStore) => intake.counters.refuse(Refused::CannotStore),
            Ok(Answer::TooManyDrains) => intake.counters.refuse(Refused::TooManyDrains),
            Err(_) => intake.counters.refuse(Refused::Stopping),
        }
    }
}
