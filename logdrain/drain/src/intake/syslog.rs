//! Syslog over TCP: octet-counted frames in the RFC 5424 dialect, with the drain token as HOSTNAME (RFC 6587, 3.4.1).
//!
//! Such a drain has no credentials, no ids and no answers. A token is believed when the configuration names it (or when
//! anyone may send); TLS is what keeps others out. Frames are gathered for a moment and kept as a delivery; what a
//! connection held when either side fails is lost or sent twice, as the protocol has it. When the journal cannot take
//! more, the connection is not read, and the sender waits.
//!
//! Memory: a frame that is still coming counts against a part of the budget that is for such frames, and frames that were
//! gathered against the rest. Whoever must wait for memory hands on first what it has gathered, and waits while the sender
//! is there. Memory for what is still coming is had by others whose ends may never come: it is waited for as long as an answer
//! may take. A frame that is whole waits for as long as a connection may be idle: what it waits for is given back by the
//! journal, however slow its disk is, and the journal waits for no frame. Then it gives up with everything it holds. What a
//! sender waits for us does not count as its own delay.

use super::body::Room;
use super::connections::Peer;
use super::recorded::{self, Known};
use super::{Intake, Stream, UNIT};
use crate::counters::Refused;
use crate::drain_name::DrainName;
use crate::event::Layout;
use crate::journal::{Answer, Message};
use heroku_metrics::syslog::{Dialect, Frame, FrameReader, Limits, RawFrame, Recovery};
use std::sync::Arc;
use std::sync::mpsc::TrySendError;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use tokio::time::{Instant, sleep, timeout_at};

/// How long frames are gathered.
pub(super) const GATHERED: Duration = Duration::from_millis(200);
/// And how many bytes of them.
pub(super) const ENOUGH: usize = 64 * 1024;
/// Between two looks whether there is memory, or a place in the queue.
const AGAIN: Duration = Duration::from_millis(50);
/// What a sender that has gone is still waited for.
const GRACE: Duration = Duration::from_millis(200);
pub(super) const CHUNK: usize = 16 * 1024;
/// Up to so many bytes a reader takes one unit; then what short frames take, and what the longest do: the frame, the one behind
/// its start, and a chunk.
const FIRST: usize = UNIT / 2;
const SHORT: usize = 2 * CHUNK;
const LONG: usize = 64 * 1024 + 2 * CHUNK;

/// It is over: memory did not come, or the sender or the server went.
pub(super) struct Over;

/// Reads one connection to its end.
pub(super) async fn connection(
    stream: impl Stream,
    intake: &Arc<Intake>,
    peer: &Peer,
    mut stop: watch::Receiver<bool>,
) {
    let mut sender = Sender::new(stream, intake, peer, stop.clone());
    let mut coming = Coming::new();
    let mut chunk = [0; CHUNK];
    let mut held: Option<Held> = None;
    loop {
        let due = held.as_ref().map(|held| held.since + GATHERED);
        let soon = coming.since.map(|_| Instant::now() + GATHERED);
        let due = due.into_iter().chain(soon).min().unwrap_or_else(|| Instant::now() + intake.limits.idle);
        let read = tokio::select! {
            read = timeout_at(due, sender.stream.read(&mut chunk)) => read,
            _ = stop.wait_for(|stop| *stop) => Ok(Ok(0)),
        };
        let came = Instant::now();
        match read {
            Ok(Ok(len)) if len > 0 => {
                intake.connections.heard(peer);
                if !coming.make_room(len, &mut held, &mut sender).await {
                    return intake.counters.refuse(Refused::Memory);
                }
                coming.reader.push(&chunk[..len]);
                // All that was there: a frame on a quiet connection does not wait for what comes behind it.
                if len < CHUNK {
                    coming.reader.flush();
                }
            }
            Ok(_) => coming.reader.finish(),
            Err(_) if held.is_none() && coming.since.is_none() => return,
            Err(_) => coming.reader.flush(),
        }
        let is_over = matches!(read, Ok(Ok(0) | Err(_)));
        while let Some(item) = coming.reader.next_frame() {
            match item {
                Ok(raw) => {
                    coming.since = None;
                    if enter(raw, &mut held, &mut sender).await.is_err() {
                        // What came with it is lost with it.
                        let rest = std::iter::from_fn(|| coming.reader.next_frame().map(|item| item.is_ok()));
                        return (0..=rest.filter(|is_frame| *is_frame).count())
                            .for_each(|_| intake.counters.refuse(Refused::Memory));
                    }
                }
                Err(error) => intake.counters.syslog_skipped.add(error.skipped()),
            }
        }
        coming.settle(came);
        let is_due = |held: &Held| is_over || held.room.len() >= ENOUGH || held.since.elapsed() >= GATHERED;
        let is_late = !is_over && coming.is_late(came, intake.limits.answer_within);
        if let Some(full) = held.take_if(|held| is_late || is_due(held)) {
            full.keep(&mut sender).await;
        }
        if is_late {
            intake.counters.refuse(Refused::SlowBody);
        }
        if is_over || is_late {
            return;
        }
        coming.pass_over(came.elapsed());
    }
}

/// The other side, and what there is to watch while waiting.
pub(super) struct Sender<'a, S> {
    pub(super) stream: S,
    pub(super) intake: &'a Arc<Intake>,
    pub(super) peer: &'a Peer,
    stop: watch::Receiver<bool>,
    /// When it was seen to have gone.
    gone: Option<Instant>,
}

impl<'a, S: Stream> Sender<'a, S> {
    pub(super) const fn new(stream: S, intake: &'a Arc<Intake>, peer: &'a Peer, stop: watch::Receiver<bool>) -> Self {
        Self { stream, intake, peer, stop, gone: None }
    }

    /// Waits a moment; `false` when it is no use to wait on, or until then.
    async fn waits(&mut self, until: Instant) -> bool {
        sleep(AGAIN).await;
        let now = Instant::now();
        if self.stream.is_hung_up() {
            self.gone.get_or_insert(now);
        }
        now < until && !self.has_left(GRACE) && !*self.stop.borrow() && !self.intake.is_closed()
    }

    fn has_left(&self, grace: Duration) -> bool {
        self.gone.is_some_and(|gone| gone.elapsed() >= grace)
    }

    pub(super) fn patience(&self) -> Instant {
        Instant::now() + self.intake.limits.answer_within
    }

    /// Of who waits for the journal alone.
    fn long_patience(&self) -> Instant {
        Instant::now() + self.intake.limits.idle
    }
}

/// What has come of frames that are not there as a whole.
struct Coming {
    reader: FrameReader,
    lease: Option<OwnedSemaphorePermit>,
    /// Since when the end of a frame has been waited for.
    since: Option<Instant>,
}

impl Coming {
    fn new() -> Self {
        Self { reader: FrameReader::new(Limits::new(), Recovery::Resync), lease: None, since: None }
    }

    fn is_late(&self, now: Instant, within: Duration) -> bool {
        self.since.is_some_and(|since| now.saturating_duration_since(since) >= within)
    }

    /// So long nothing was read: the rest may be there since.
    fn pass_over(&mut self, time: Duration) {
        self.since = self.since.map(|since| since + time);
    }

    /// Makes room for so many bytes behind those that are there; `false` when there is none.
    async fn make_room<S: Stream>(&mut self, len: usize, held: &mut Option<Held>, sender: &mut Sender<'_, S>) -> bool {
        // Its buffer grows to no more than twice of it.
        let needed = match self.reader.buffered() + len {
            all if all <= FIRST => UNIT,
            all if all <= SHORT => SHORT,
            _ => LONG,
        };
        make_room(&mut self.lease, needed, held, sender).await
    }

    /// Gives back what is not needed any more.
    fn settle(&mut self, came: Instant) {
        if self.reader.buffered() > 0 {
            self.since.get_or_insert(came);
        } else if self.reader.pending_error().is_none() {
            *self = Self::new();
        } else {
            self.since = None;
        }
    }
}

/// Makes room for so many bytes of what is still coming; `false` when there is none.
///
/// Up to a [`UNIT`] it is of the memory for beginnings, of which each connection can have one. What is more takes its place as
/// a whole.
pub(super) async fn make_room<S: Stream>(
    own: &mut Option<OwnedSemaphorePermit>,
    needed: usize,
    held: &mut Option<Held>,
    sender: &mut Sender<'_, S>,
) -> bool {
    let has = own.as_ref().map_or(0, |lease| lease.num_permits() * UNIT);
    if needed <= has {
        return true;
    }
    let memory = if needed <= UNIT { &sender.intake.beginnings } else { &sender.intake.frames }.clone();
    let more = if has <= UNIT { needed } else { needed - has };
    let units = u32::try_from(more.div_ceil(UNIT)).unwrap_or(u32::MAX);
    let until = sender.patience();
    loop {
        if let Ok(lease) = memory.clone().try_acquire_many_owned(units) {
            match own {
                Some(own) if has > UNIT => own.merge(lease),
                _ => *own = Some(lease),
            }
            return true;
        }
        match held.take() {
            Some(full) => full.keep(sender).await,
            None if sender.waits(until).await => {}
            None => return false,
        }
    }
}

/// Frames of one drain.
pub(super) struct Held {
    drain: Arc<str>,
    layout: Layout,
    pub(super) room: Room,
    pub(super) since: Instant,
}

async fn enter<S: Stream>(raw: RawFrame<'_>, held: &mut Option<Held>, sender: &mut Sender<'_, S>) -> Result<(), Over> {
    let intake = sender.intake;
    let frame = Frame::parse(raw.bytes(), Dialect::Rfc5424);
    let token = frame.ok().and_then(|frame| frame.hostname());
    let access = intake.access();
    let Some(drain) = access.syslog_key(token) else {
        intake.refuse_credentials(sender.peer.address);
        return Ok(());
    };
    if !access.is_open() {
        sender.peer.is_of(DrainName::of(&drain).configured());
    }
    gather(raw.bytes(), &drain, Layout::Counted, held, sender).await
}

/// Puts a frame to those that were gathered, which are kept when they are of another drain, or when there is no room.
pub(super) async fn gather<S: Stream>(
    frame: &[u8],
    drain: &Arc<str>,
    layout: Layout,
    held: &mut Option<Held>,
    sender: &mut Sender<'_, S>,
) -> Result<(), Over> {
    let intake = sender.intake;
    if let Some(other) = held.take_if(|held| held.drain != *drain || held.layout != layout) {
        other.keep(sender).await;
    }
    let length = format!("{} ", frame.len());
    let until = sender.long_patience();
    loop {
        let own = held.get_or_insert_with(|| Held::new(drain.clone(), layout, intake));
        match own.room.reserve(length.len() + frame.len()) {
            Ok(()) => {
                let _ = own.room.extend(length.as_bytes());
                let _ = own.room.extend(frame);
                return Ok(());
            }
            // Nothing waits while it holds something that others may be waiting for.
            Err(_) if own.room.len() > 0 => {
                if let Some(full) = held.take() {
                    full.keep(sender).await;
                }
            }
            Err(Refused::TooLarge) => {
                *held = None;
                intake.counters.refuse(Refused::TooLarge);
                return Ok(());
            }
            Err(_) => {
                *held = None;
                if !sender.waits(until).await {
                    return Err(Over);
                }
            }
        }
    }
}

impl Held {
    fn new(drain: Arc<str>, layout: Layout, intake: &Arc<Intake>) -> Self {
        Self { drain, layout, room: Room::new(intake), since: Instant::now() }
    }

    /// Hands it to the journal, and again until there is room in the queue, as long as the sender is there.
    pub(super) async fn keep<S: Stream>(self, sender: &mut Sender<'_, S>) {
        let intake = sender.intake;
        let bytes = self.room.len() as u64;
        let drain = self.drain.clone();
        let known = Known { drain: self.drain, msg_count: None, peer: sender.peer.address, layout: self.layout };
        let record = match recorded::record(intake, known, self.room.into_body(), sender.patience()).await {
            Ok(record) => record,
            Err(why) => return intake.counters.refuse(why),
        };
        let (answer, answered) = oneshot::channel();
        let mut message = Message::Delivery { key: None, record, answer };
        let patience = sender.patience();
        loop {
            let why = match intake.queue_of(&drain) {
                None => Refused::CannotStore,
                Some(queue) => match queue.try_send(message) {
                    Ok(()) => break,
                    Err(TrySendError::Disconnected(_)) => return intake.counters.refuse(Refused::Stopping),
                    Err(TrySendError::Full(back)) => {
                        message = back;
                        Refused::Queue
                    }
                },
            };
            sleep(AGAIN).await;
            if sender.stream.is_hung_up() {
                sender.gone.get_or_insert_with(Instant::now);
            }
            // What a sender left behind is kept a while, since nobody will send it again.
            let is_left = sender.gone.is_some() && Instant::now() >= patience;
            if is_left || intake.is_closed() {
                return intake.counters.refuse(why);
            }
        }
        match answered.await {
            Ok(Answer::Kept | Answer::Duplicate) => {
                sender.peer.was_good();
                intake.counters.kept.add(1);
                intake.counters.octets.add(bytes);
            }
            // There is nobody to be told.
            Ok(Answer::CannotStore) => intake.counters.refuse(Refused::CannotStore),
            Ok(Answer::TooManyDrains | Answer::Unknown) => intake.counters.refuse(Refused::TooManyDrains),
            Err(_) => intake.counters.refuse(Refused::Stopping),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::Access;
    use crate::limits::IntakeLimits;
    use std::net::{IpAddr, Ipv4Addr};
    use tokio::io::{DuplexStream, duplex};
    use tokio::sync::Semaphore;

    impl Stream for DuplexStream {
        fn is_hung_up(&self) -> bool {
            false
        }
    }

    const SHORT_TIME: Duration = Duration::from_millis(50);
    const LONG_TIME: Duration = Duration::from_secs(3_600);

    fn intake(answer_within: Duration, idle: Duration) -> Arc<Intake> {
        let settings = r#"{"window_ms":60000,"lateness_ms":60000,"horizon_ms":3600000,"extended":false,"websockets":true,
            "limits":{"streams":1000,"key_bytes":100000,"window_bytes":4000000},"drains":{}}"#;
        let limits = IntakeLimits {
            body: 1 << 20,
            bodies: 4 << 20,
            frames: 1 << 20,
            answers: 1 << 20,
            connections: 10,
            drains: 10,
            drain: 1 << 20,
            answer_within,
            idle,
        };
        let (access, settings) = (Access::new([], None), serde_json::from_str(settings).unwrap());
        Arc::new(Intake::new(limits, access, None, settings, Arc::default(), Arc::default(), Arc::default()))
    }

    fn all(memory: &Arc<Semaphore>) -> OwnedSemaphorePermit {
        memory.clone().try_acquire_many_owned(u32::try_from(memory.available_permits()).unwrap()).unwrap()
    }

    /// Whether a frame is gathered, when memory for it is given back behind `wait`.
    async fn is_gathered(intake: &Arc<Intake>, wait: Duration) -> bool {
        let taken = all(&intake.budget);
        let peer = intake.connections.enter(IpAddr::V4(Ipv4Addr::LOCALHOST), true, &intake.counters).unwrap();
        let ((stream, _other), (_stop, stopped)) = (duplex(64), watch::channel(false));
        let mut sender = Sender::new(stream, intake, &peer, stopped);
        let (mut held, drain) = (None, "shop/d.1".into());
        let given_back = async {
            sleep(wait).await;
            assert_eq!(intake.budget.available_permits(), 0, "who waits takes nothing");
            drop(taken);
        };
        let gathered = gather(b"<13>1 - d.1 app web.1 - - whole", &drain, Layout::Counted, &mut held, &mut sender);
        let (gathered, ()) = tokio::join!(gathered, given_back);
        assert_eq!(held.is_some(), gathered.is_ok());
        gathered.is_ok()
    }

    /// A journal on a slow disk gives memory back late.
    #[tokio::test]
    async fn a_frame_that_is_whole_waits_for_memory_as_long_as_a_connection_may_be_idle() {
        assert!(is_gathered(&intake(SHORT_TIME, LONG_TIME), SHORT_TIME * 8).await);
        assert!(!is_gathered(&intake(LONG_TIME, SHORT_TIME), SHORT_TIME * 8).await);
    }

    /// Who has it may send no end of it, and nobody gives it back for long.
    #[tokio::test]
    async fn memory_for_what_is_still_coming_is_not_waited_for_longer_than_an_answer_may_take() {
        let intake = intake(SHORT_TIME, LONG_TIME);
        let peer = intake.connections.enter(IpAddr::V4(Ipv4Addr::LOCALHOST), true, &intake.counters).unwrap();
        let ((stream, _other), (_stop, stopped)) = (duplex(64), watch::channel(false));
        let mut sender = Sender::new(stream, &intake, &peer, stopped);
        let _taken = all(&intake.frames);
        assert!(!make_room(&mut None, LONG, &mut None, &mut sender).await);
    }

    #[test]
    fn what_a_sender_waits_for_us_is_not_its_own_delay() {
        let (began, mut coming) = (Instant::now(), Coming::new());
        coming.reader.push(b"40 <13>1 - d.1 app");
        coming.settle(began);
        assert!(coming.is_late(began + SHORT_TIME, SHORT_TIME));
        coming.pass_over(SHORT_TIME);
        assert!(!coming.is_late(began + SHORT_TIME, SHORT_TIME) && coming.is_late(began + SHORT_TIME * 2, SHORT_TIME));
    }
}
