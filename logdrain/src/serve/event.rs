//! What the journal holds: deliveries, moves of the watermark, changes of the settings. Rows follow from these alone.

use crate::serve::settings::Settings;
use heroku_metrics::model::Timestamp;
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
    Settings(Box<Settings>),
    /// A drain lost its place: what it has is written, and it is known no more.
    Dropped {
        drain: Arc<str>,
        time: Timestamp,
    },
}

/// One delivery as it is kept.
#[derive(Debug)]
pub(crate) struct Record {
    /// Whose pipeline reads it; see [`drain_key`](crate::serve::intake::Access::drain_key).
    pub(crate) drain: Arc<str>,
    pub(crate) received: Timestamp,
    /// `Logplex-Msg-Count`, where it could be read.
    pub(crate) msg_count: Option<u64>,
    pub(crate) body: Body,
}

/// Bytes of a delivery, with the share of the budget that they take as long as they are in memory.
#[derive(Debug, Default)]
pub(crate) struct Body {
    bytes: Vec<u8>,
    _lease: Option<OwnedSemaphorePermit>,
}

impl Body {
    pub(crate) const fn new(bytes: Vec<u8>, lease: Option<OwnedSemaphorePermit>) -> Self {
        Self { bytes, _lease: lease }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What a delivery is known by, so that a retry of it is not counted again: 128 bits over drain and id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct DeliveryKey(pub(crate) [u8; 16]);
