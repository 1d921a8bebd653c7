//! What people and programs send to be read: forms and JSON, in memory that is counted.
//!
//! Whoever sends takes a seat before anything of it is read, so that slow ones hold no more than that: when all are taken,
//! one of the account that has most is told to come again. What came keeps its seat until it is done with.

use super::fair::{Seat, Seats};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Body as _;
use logdrain_drain::intake::{Intake, UNIT};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// Bodies at a time, and those of one account.
const AT_A_TIME: usize = 16;
const OF_ONE: usize = 12;
/// One that comes more slowly than this may have to go.
const SURE_FOR: Duration = Duration::from_secs(1);
/// The most bytes of one.
pub(crate) const LONGEST: usize = 256 << 10;
/// As it came, and as it is read.
const ROOM: usize = (2 * LONGEST).next_multiple_of(UNIT);
/// What all of them take.
pub const MOST: usize = AT_A_TIME * ROOM;

/// Who may send now.
#[derive(Debug)]
pub(crate) struct Bodies(Arc<Seats>);

/// One that is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    bytes: Bytes,
    _held: Option<Arc<(OwnedSemaphorePermit, Seat)>>,
}

/// Why there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unread {
    TooLong,
    Slow,
    Busy,
}

/// What is said of a body that is packed.
pub(crate) const CODED: &str = "a body is read as it is, without a Content-Encoding";

/// Whether a body is packed. None of these is unpacked: the longest are short.
pub(crate) fn is_coded(headers: &HeaderMap) -> bool {
    let all = headers.get_all(header::CONTENT_ENCODING).iter();
    all.into_iter().any(|coding| !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}

impl Bodies {
    pub(crate) fn new() -> Self {
        Self(Seats::new(AT_A_TIME, OF_ONE, Some(SURE_FOR)))
    }

    /// Reads a body that is sent to an account.
    pub(crate) async fn read(
        &self,
        intake: &Intake,
        account: &str,
        body: Body,
        (longest, patience): (usize, Duration),
    ) -> Result<Sent, Unread> {
        if body.is_end_stream() {
            return Ok(Sent::default());
        }
        let mut seat = self.0.take(account).await.ok_or(Unread::Busy)?;
        let memory = intake.lease(ROOM).ok_or(Unread::Busy)?;
        let all = tokio::time::timeout(patience, Limited::new(body, longest.min(LONGEST)).collect());
        let all = tokio::select! {
            all = all => all.map_err(|_| Unread::Slow)?.map_err(|_| Unread::TooLong)?,
            () = seat.has_to_go() => return Err(Unread::Busy),
        };
        seat.stays();
        Ok(Sent { bytes: all.to_bytes(), _held: Some(Arc::new((memory, seat))) })
    }
}

impl From<Bytes> for Sent {
    /// One that is in memory already.
    fn from(bytes: Bytes) -> Self {
        Self { bytes, _held: None }
    }
}

impl Deref for Sent {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}
