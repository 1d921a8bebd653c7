//! Answers that last: they end when something else does.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

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

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use std::future::{pending, ready};

    #[tokio::test]
    async fn an_answer_ends_by_itself_or_with_what_it_needs() {
        let body = || Body::from("whole");
        assert_eq!(until(body(), pending()).collect().await.unwrap().to_bytes(), "whole");
        assert_eq!(until(body(), pending()).size_hint().exact(), Some(5));
        assert_eq!(until(body(), ready(End::InOrder)).collect().await.unwrap().to_bytes(), "");
        assert!(until(body(), ready(End::Broken)).collect().await.is_err());
    }
}
