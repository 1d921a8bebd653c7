//! Answers that last: they end when something else does. And bodies of what was passed on, which are read to their end.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::Handle;

/// How an answer ends before it is whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// Whoever reads it knows how to go on.
    InOrder,
    /// He must not take it for whole.
    Broken,
}

/// Whether somebody follows what comes, for as long as he likes.
pub(super) fn is_followed(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// A body that lasts no longer than until `end` comes back, which holds what the body needs.
pub(super) fn until(body: Body, end: impl Future<Output = End> + Send + 'static) -> Body {
    Body::new(Until { body, end: Some(Box::pin(end)) })
}

struct Until {
    body: Body,
    /// Gone when it has come.
    end: Option<Pin<Box<dyn Future<Output = End> + Send>>>,
}

impl HttpBody for Until {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        if let Poll::Ready(end) = end.as_mut().poll(context) {
            self.end = None;
            let broken = || Err(axum::Error::new(io::Error::from(io::ErrorKind::ConnectionAborted)));
            return Poll::Ready((end == End::Broken).then(broken));
        }
        let piece = Pin::new(&mut self.body).poll_frame(context);
        if matches!(piece, Poll::Ready(None | Some(Err(_)))) {
            self.end = None;
        }
        piece
    }

    fn is_end_stream(&self) -> bool {
        self.end.is_none() || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What is read of a body that nobody wants, and how long that may take.
const REST: usize = 16 << 20;
const REST_WITHIN: Duration = Duration::from_secs(5);

/// A body of which the rest is read and forgotten when whoever has it does not want it: a node that passes it on is answered before
/// it has sent all, and would lose the answer with the connection.
pub(super) fn to_the_end(body: Body) -> Body {
    Body::new(ToTheEnd(body))
}

struct ToTheEnd(Body);

impl HttpBody for ToTheEnd {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl Drop for ToTheEnd {
    fn drop(&mut self) {
        let mut body = std::mem::take(&mut self.0);
        if body.is_end_stream() {
            return;
        }
        // Where there is no runtime any more, nobody waits for an answer.
        let Ok(runtime) = Handle::try_current() else { return };
        let rest = async move {
            let mut read = 0;
            while read < REST {
                let Some(Ok(piece)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await else { break };
                read += piece.data_ref().map_or(0, Bytes::len);
            }
        };
        runtime.spawn(tokio::time::timeout(REST_WITHIN, rest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use std::future::{pending, ready};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn an_answer_ends_by_itself_or_with_what_it_needs() {
        let body = || Body::from("whole");
        assert_eq!(until(body(), pending()).collect().await.unwrap().to_bytes(), "whole");
        assert_eq!(until(body(), pending()).size_hint().exact(), Some(5));
        assert_eq!(until(body(), ready(End::InOrder)).collect().await.unwrap().to_bytes(), "");
        assert!(until(body(), ready(End::Broken)).collect().await.is_err());
    }

    /// Three pieces, which counts those that were read.
    struct Counted(Arc<AtomicUsize>, usize);

    impl HttpBody for Counted {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            let is_more = self.1 < 3;
            self.1 += usize::from(is_more);
            self.0.fetch_add(usize::from(is_more), Ordering::SeqCst);
            Poll::Ready(is_more.then(|| Ok(Frame::data(Bytes::from_static(b"piece")))))
        }
    }

    #[tokio::test]
    async fn what_nobody_wants_of_a_body_is_read_all_the_same() {
        let read = Arc::new(AtomicUsize::new(0));
        let body = || to_the_end(Body::new(Counted(read.clone(), 0)));
        assert_eq!(body().collect().await.unwrap().to_bytes(), "piecepiecepiece");
        drop(body());
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(read.load(Ordering::SeqCst), 6);
    }
}
