//! What the journal holds: deliveries, moves of the watermark, changes of the settings. Rows follow from these alone.

use crate::frames;
use crate::packing;
use crate::plain::Plain;
use crate::run::Run;
use crate::settings::Settings;
use crate::settings::change::Change;
use heroku_metrics::model::Timestamp;
use heroku_metrics::syslog::Frames;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// One step of the journal, under its number.
#[derive(Debug)]
pub struct Entry {
    /// Counted from 1, without gaps, never used twice.
    pub seq: u64,
    pub event: Event,
}

impl Entry {
    /// What tells it from the event that another history of the journal has under its number. A purge leaves it as it is.
    pub fn mark(&self) -> u32 {
        let (kind, at) = match &self.event {
            Event::Delivery(record) => (1_u8, record.received.unix_micros()),
            Event::Tick(time) => (2, time.unix_micros()),
            Event::Doubt { believed, .. } => (3, believed.unix_micros()),
            Event::NotTaken { until, .. } => (4, until.unix_micros()),
            Event::Dropped { time, .. } => (5, time.unix_micros()),
            Event::Settings(_) => (6, 0),
            Event::Change { id, .. } => (7, id.map_or(0, i64::from)),
        };
        let mut mark = crc32fast::Hasher::new();
        mark.update(&[kind]);
        mark.update(&self.seq.to_le_bytes());
        mark.update(&at.to_le_bytes());
        mark.finalize()
    }
}

#[derive(Debug)]
pub enum Event {
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
    /// Between these times nobody took deliveries: the program did not run, or its disk did not work. What was sent then
    /// is not known, and not nothing.
    NotTaken {
        from: Timestamp,
        until: Timestamp,
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
pub struct Record {
    /// Whose pipeline reads it; see [`drain_key`](crate::intake::Access::drain_key).
    pub drain: Arc<str>,
    pub received: Timestamp,
    /// `Logplex-Msg-Count`, where it could be read.
    pub msg_count: Option<u64>,
    /// Who was at the other end of the connection. Older programs did not keep it.
    pub peer: Option<IpAddr>,
    pub layout: Layout,
    /// The ids of its events, which the journal gives with the commit.
    pub run: Run,
    pub body: Body,
}

impl Record {
    /// A delivery that is to be kept. Its events are counted here, so that whoever commits need not.
    pub fn new(drain: Arc<str>, received: Timestamp, body: Body) -> Self {
        Self::laid_out(Layout::Counted, drain, received, body)
    }

    /// The same, of a body that is to be read in this way.
    pub fn laid_out(layout: Layout, drain: Arc<str>, received: Timestamp, body: Body) -> Self {
        let run = Run::of(layout.frames(body.bytes()).count() as u64);
        Self { drain, received, msg_count: None, peer: None, layout, run, body }
    }
}

/// How a body is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// Frames with their lengths in front; the dialect of each follows from its HOSTNAME.
    Counted,
    /// Lines of plain syslog, each as it was sent, with its length in front.
    Plain(Plain),
    /// No lines at all: what programs measured themselves, as [`measured`](crate::measured) writes it.
    Measured,
}

impl Layout {
    /// What a body holds: as many events as there are of these.
    pub fn frames(self, body: &[u8]) -> Frames<'_> {
        match self {
            Self::Counted => frames::of(body),
            Self::Plain(_) => frames::as_written(body),
            Self::Measured => frames::of(b""),
        }
    }

    /// Whether it is of a drain, whose lines are counted.
    pub const fn is_counted(self) -> bool {
        matches!(self, Self::Counted)
    }

    /// Whether there is a pipeline for it, which takes a place.
    pub const fn has_place(self) -> bool {
        matches!(self, Self::Counted | Self::Measured)
    }
}

/// Bytes of a delivery, with the share of the budget that they take as long as they are in memory.
#[derive(Debug, Default)]
pub struct Body {
    plain: Arc<Held>,
    /// The bytes as they go to the disk.
    packed: Option<Arc<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    _lease: Option<OwnedSemaphorePermit>,
}

impl Body {
    pub fn new(bytes: Vec<u8>, lease: Option<OwnedSemaphorePermit>) -> Self {
        Self { plain: Arc::new(Held { bytes, _lease: lease }), packed: None }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.plain.bytes
    }

    /// The same bytes for somebody else, once in memory.
    pub(crate) fn share(&self) -> Self {
        Self { plain: self.plain.clone(), packed: self.packed.clone() }
    }

    /// Packs the bytes for the disk, where they are not yet. `lease` is for [`packing::room`] bytes, in units of `unit`;
    /// what is not needed of it goes back.
    pub fn pack(&mut self, lease: Option<(OwnedSemaphorePermit, usize)>) {
        if self.packed.is_some() {
            return;
        }
        if let Some(bytes) = packing::pack(self.bytes()) {
            let lease = lease.map(|(mut lease, unit)| {
                let spare = lease.num_permits().saturating_sub(bytes.capacity().div_ceil(unit));
                drop(lease.split(spare));
                lease
            });
            self.packed = Some(Arc::new(Held { bytes, _lease: lease }));
        }
    }

    /// What goes to the disk: the bytes, or what they were packed in.
    pub fn stored(&self) -> (&[u8], bool) {
        match &self.packed {
            Some(packed) => (&packed.bytes, true),
            None => (self.bytes(), false),
        }
    }

    /// What it takes of the memory.
    pub fn memory(&self) -> usize {
        self.bytes().len() + self.packed.as_ref().map_or(0, |packed| packed.bytes.len())
    }

    /// It is on the disk: what it was packed in is of no more use.
    pub fn is_stored(&mut self) {
        self.packed = None;
    }
}

/// What a delivery is known by, so that a retry of it is not counted again: 128 bits over drain and id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DeliveryKey(pub [u8; 16]);
