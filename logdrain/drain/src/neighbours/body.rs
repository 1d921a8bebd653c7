//! The body of an answer on its way: a piece at a time, and nothing of it is kept. When it has ended its connection is free for
//! another request; when whoever reads it goes, its connection ends, and the other node hears of that.

use super::{Neighbour, Open};
use axum::body::Body;
use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Who was silent for so long in the middle of an answer is waited for no more: who asked may ask again.
const BORNE: Duration = Duration::from_secs(2);

struct Passed {
    body: Incoming,
    neighbour: Arc<Neighbour>,
    /// Taken when the body has ended, and gone when it broke off.
    open: Option<Open>,
    silence: Pin<Box<dyn Future<Output = ()> + Send>>,
}

pub(super) fn passed(neighbour: Arc<Neighbour>, open: Open, body: Incoming) -> Body {
    if body.is_end_stream() {
        neighbour.give_back(open);
        return Body::empty();
    }
    let watched = neighbour.clone();
    let silence = Box::pin(async move { watched.silence(BORNE).await });
    Body::new(Passed { body, neighbour, open: Some(open), silence })
}

impl Passed {
    fn give_back(&mut self) {
        if let Some(open) = self.open.take() {
            self.neighbour.give_back(open);
        }
    }
}

impl hyper::body::Body for Passed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.open.is_none() {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(piece))) => {
                self.neighbour.vital.heard();
                // Whoever knows how long it is asks for no end.
                if self.body.is_end_stream() {
                    self.give_back();
                }
                Poll::Ready(Some(Ok(piece)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.open = None;
                Poll::Ready(Some(Err(io::Error::other(error))))
            }
            Poll::Ready(None) => {
                self.give_back();
                Poll::Ready(None)
            }
            Poll::Pending => {
                ready!(self.silence.as_mut().poll(context));
                self.open = None;
                Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
