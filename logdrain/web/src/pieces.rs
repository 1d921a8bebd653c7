//! Answers that are long go out in pieces, so that nothing makes a second copy of all of them.

use axum::body::Body;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What is handed on at a time.
const PIECE: usize = 16 * 1024;

/// A text, with what it holds until it is sent.
pub(super) struct Held<T> {
    text: Vec<u8>,
    _until_sent: T,
}

impl<T> AsRef<[u8]> for Held<T> {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

impl<T: Send + 'static> Held<T> {
    /// The text, which gives what is held for it, its memory and its place, back when its last byte is sent.
    pub(super) fn bytes(text: Vec<u8>, until_sent: T) -> Bytes {
        Bytes::from_owner(Self { text, _until_sent: until_sent })
    }
}

/// Goes out piece by piece. All pieces share the memory of the whole.
struct Pieces(Bytes);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let rest = &mut self.0;
        Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest.split_to(rest.len().min(PIECE))))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

/// A text as the body of an answer.
pub(super) fn in_pieces(text: Bytes) -> Body {
    Body::new(Pieces(text))
}
