//! What the journal holds: deliveries, moves of the watermark, changes of the settings. Rows follow from these alone.

use crate::serve::frames;
use crate::serve::packing;
use crate::serve::plain::Plain;
use crate::serve::run::Run;
use crate::serve::settings::Settings;
use crate::serve::settings::change::Change;
use heroku_metrics::model::Timestamp;
use heroku_metrics::syslog::Frames;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// One step of the journal, under its number.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Counted from 1, without gaps, never used twice.
    pub(crate) seq: u64,
    pub(crate) event: Event,
}

#[derive(Debug)]
pub(crate) enum Event {
    Delivery(Record),
    /// What time it was: windows close by it.
    Tick(Timestamp),
    /// The wall clock has jumped, and nobody knows yet whether it is right. Deliveries behind this are counted when the
    /// next tick has told: each doubt is then a move of the watermark, to what time it turned out to have been.
    Doubt {
        /// By the clock that was believed.
        believed: Timestamp,
        /// What the wall clock said.
        wall: Timestamp,
    },
    /// What the configuration says. Older programs wrote what drains had said of themselves with it.
    Settings(Box<Settings>),
    /// What somebody changed while the program ran, and what drains say of themselves.
    Change {
        change: Box<Change>,
        /// The number that it gave, or that what it changed has.
        id: Option<u32>,
    },
    /// A drain lost its place: what it has is written, and it is known no more.
    Dropped {
        drain: Arc<str>,
        time: Timestamp,
    },
}

/// One delivery as it is kept. The app's name that its URL gave is in the settings before it.
#[derive(Debug)]
pub(crate) struct Record {
    /// Whose pipeline reads it; see [`drain_key`](crate::serve::intake::Access::drain_key).
    pub(crate) drain: Arc<str>,
    pub(crate) received: Timestamp,
    /// `Logplex-Msg-Count`, where it could be read.
    pub(crate) msg_count: Option<u64>,
    /// Who was at the other end of the connection. Older programs did not keep it.
    pub(crate) peer: Option<IpAddr>,
    pub(crate) layout: Layout,
    /// The ids of its events, which the journal gives with the commit.
    pub(crate) run: Run,
    pub(crate) body: Body,
}

impl Record {
    /// A delivery that is to be kept. Its events are counted here, so that whoever commits need not.
    pub(crate) fn new(drain: Arc<str>, received: Timestamp, body: Body) -> Self {
        Self::laid_out(Layout::Counted, drain, received, body)
    }

    /// The same, of a body that is to be read in this way.
    pub(crate) fn laid_out(layout: Layout, drain: Arc<str>, received: Timestamp, body: Body) -> Self {
        let run = Run::of(layout.frames(body.bytes()).count() as u64);
        Self { drain, received, msg_count: None, peer: None, layout, run, body }
    }
}

/// How a body is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Layout {
    /// Frames with their lengths in front; the dialect of each follows from its HOSTNAME.
    Counted,
    /// Lines of plain syslog, each as it was sent, with its length in front.
    Plain(Plain),
}

impl Layout {
    /// What a body holds: as many events as there are of these.
    pub(crate) fn frames(self, body: &[u8]) -> Frames<'_> {
        match self {
            Self::Counted => frames::of(body),
            Self::Plain(_) => frames::as_written(body),
        }
    }

    /// Whether it is of a drain, whose lines are counted. Others take no place of any.
    pub(crate) const fn is_counted(self) -> bool {
        matches!(self, Self::Counted)
    }
}

/// Bytes of a delivery, with the share of the budget that they take as long as they are in memory.
#[derive(Debug, Default)]
pub(crate) struct Body {
    bytes: Vec<u8>,
    _lease: Option<OwnedSemaphorePermit>,
    packed: Option<Box<Packed>>,
}

/// The bytes as they go to the disk.
#[derive(Debug)]
struct Packed {
    bytes: Vec<u8>,
    _lease: Option<OwnedSemaphorePermit>,
}

impl Body {
    pub(crate) const fn new(bytes: Vec<u8>, lease: Option<OwnedSemaphorePermit>) -> Self {
        Self { bytes, _lease: lease, packed: None }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Packs the bytes for the disk, where they are not yet. `lease` is for [`packing::room`] bytes, in units of `unit`;
    /// what is not needed of it goes back.
    pub(crate) fn pack(&mut self, lease: Option<(OwnedSemaphorePermit, usize)>) {
        if self.packed.is_some() {
            return;
        }
        if let Some(bytes) = packing::pack(&self.bytes) {
            let lease = lease.map(|(mut lease, unit)| {
                let spare = lease.num_permits().saturating_sub(bytes.capacity().div_ceil(unit));
                drop(lease.split(spare));
                lease
            });
            self.packed = Some(Box::new(Packed { bytes, _lease: lease }));
        }
    }

    /// What goes to the disk: the bytes, or what they were packed in.
    pub(crate) fn stored(&self) -> (&[u8], bool) {
        match &self.packed {
            Some(packed) => (&packed.bytes, true),
            None => (&self.bytes, false),
        }
    }

    /// What it takes of the memory.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.len() + self.packed.as_ref().map_or(0, |packed| packed.bytes.len())
    }

    /// It is on the disk: what it was packed in is of no more use.
    pub(crate) fn is_stored(&mut self) {
        self.packed = None;
    }
}

/// What a delivery is known by, so that a retry of it is not counted again: 128 bits over drain and id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct DeliveryKey(pub(crate) [u8; 16]);
