//! From a body to what the journal keeps of it: its events counted, its bytes packed. That is done here, by whoever brings
//! the body, so that the thread that commits does nothing but commit.

use super::{Intake, UNIT};
use crate::counters::Refused;
use crate::event::{Body, Layout, Record};
use crate::journal;
use crate::packing;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// What is packed in less than a millisecond is packed at once; longer bodies go to a thread that may take its time, so that
/// others are read meanwhile.
const AT_ONCE: usize = 256 * 1024;

/// What is known of a delivery besides its bytes.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) drain: Arc<str>,
    pub(super) msg_count: Option<u64>,
    pub(super) peer: IpAddr,
    pub(super) layout: Layout,
}

/// Makes the record of a delivery.
///
/// # Errors
/// When no thread is free for it in time, or the server stops.
pub(super) async fn record(
    intake: &Intake,
    known: Known,
    body: Body,
    deadline: Instant,
) -> Result<Box<Record>, Refused> {
    let len = body.bytes().len();
    // Packing takes memory besides. If there is none, nobody is refused for that: the bytes are kept as they are.
    let units = u32::try_from(packing::room(len).div_ceil(UNIT)).unwrap_or(u32::MAX);
    let lease = intake.budget.clone().try_acquire_many_owned(units).ok();
    let made = move || {
        let mut record = Record {
            msg_count: known.msg_count,
            peer: Some(known.peer.to_canonical()),
            ..Record::laid_out(known.layout, known.drain, journal::now(), body)
        };
        if let Some(lease) = lease {
            record.body.pack(Some((lease, UNIT)));
        }
        Box::new(record)
    };
    if len <= AT_ONCE {
        return Ok(made());
    }
    match timeout_at(deadline, tokio::task::spawn_blocking(made)).await {
        Ok(Ok(record)) => Ok(record),
        Ok(Err(_)) => Err(Refused::Stopping),
        Err(_) => Err(Refused::Queue),
    }
}
