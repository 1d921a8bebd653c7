//! A connection whose other side has to read: one that is sent an answer and does not take it is cut off, so that it
//! holds neither its place nor its answer for long.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// How long the other side may keep us waiting; it earns time by what it reads.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// A reader that is slower than this loses patience with every byte.
const SLOWEST: u32 = 16 * 1024;

/// A connection with a limit on the time that writing may wait.
#[derive(Debug)]
pub(super) struct Paced {
    stream: TcpStream,
    /// Time that is left to wait for the other side.
    left: Duration,
    most: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Paced {
    pub(super) const fn new(stream: TcpStream, most: Duration) -> Self {
        Self { stream, left: most, most, waiting: None }
    }

    /// Whether the other side has said that nothing more will come, read or not.
    pub(super) fn is_hung_up(&self) -> bool {
        let ready = std::pin::pin!(self.stream.ready(Interest::READABLE));
        match ready.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(ready)) => ready.is_read_closed(),
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        }
    }

    fn paced<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            if let Some((since, _)) = self.waiting.take() {
                self.left = self.left.saturating_sub(since.elapsed());
            }
            return outcome;
        }
        let left = self.left;
        let (_, over) = self.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(left))));
        ready!(over.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn earn(&mut self, outcome: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(len)) = outcome {
            let earned = Duration::from_secs(1).saturating_mul(u32::try_from(*len).unwrap_or(u32::MAX)) / SLOWEST;
            self.left = (self.left + earned).min(self.most);
        }
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        let outcome = self.paced(context, outcome);
        self.earn(&outcome);
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        let outcome = self.paced(context, outcome);
        self.earn(&outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.paced(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.paced(context, outcome)
    }
}
