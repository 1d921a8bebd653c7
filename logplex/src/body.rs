//! A request's body, at the pace that a scenario asks for.

use crate::scenario::Pace;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::convert::Infallible;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// So many bytes come one by one, the rest in so many pieces.
const SINGLY: usize = 24;
const PIECES: usize = 8;
const PAUSE: Duration = Duration::from_millis(3);

/// Bytes that leave at their own pace.
#[derive(Debug)]
pub(crate) struct Paced {
    rest: Bytes,
    len: usize,
    pace: Pace,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    pub(crate) fn new(body: Bytes, pace: Pace) -> Self {
        Self { len: body.len(), rest: body, pace, pause: None }
    }

    /// What leaves next, without a pause before it.
    fn piece(&self) -> usize {
        let left = self.rest.len();
        match self.pace {
            Pace::Whole => left,
            Pace::Half => left.saturating_sub(self.len / 2),
            Pace::Slow | Pace::Chunked if self.len - left < SINGLY => 1,
            Pace::Slow | Pace::Chunked => (self.len / PIECES + 1).min(left),
        }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if let Some(pause) = &mut this.pause {
            ready!(pause.as_mut().poll(cx));
            this.pause = None;
        }
        if this.rest.is_empty() {
            return Poll::Ready(None);
        }
        let piece = this.piece();
        if piece == 0 {
            // Half of it is out, and nothing more will come: the sender hangs up.
            return Poll::Pending;
        }
        let octets = this.rest.split_to(piece);
        if this.pace == Pace::Slow {
            this.pause = Some(Box::pin(sleep(PAUSE)));
        }
        Poll::Ready(Some(Ok(Frame::data(octets))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match self.pace {
            Pace::Chunked => SizeHint::default(),
            _ => SizeHint::with_exact(self.rest.len() as u64),
        }
    }
}
