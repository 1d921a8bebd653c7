use crate::boundary::{Behind, Repair, repair, stands};
use crate::deframe::{Deframed, Limits, Resume, cut_short, deframe, length_off, resume};
use crate::error::FramingError;
use crate::frames::{RawFrame, Recovery};
use crate::mark::Verdict;
use crate::resync::{Search, search};
use alloc::vec::Vec;

/// Splits a stream of bytes into frames as they arrive, for TCP and for bodies in pieces.
///
/// Give it what was received with [`push`](Self::push), then take frames with [`next_frame`](Self::next_frame) until
/// it answers `None`, and at the end of the stream call [`finish`](Self::finish). However the stream is cut, the items,
/// offsets and counts are those of [`Frames`](crate::Frames) over the whole of it.
///
/// Under [`Recovery::Resync`] a frame is handed out when what stands behind it is known, as its length is not believed
/// otherwise: of a frame that ends in LF one byte more, of another the next frame. On a connection that may be silent for
/// long, call [`flush`](Self::flush) when nothing more is at hand.
///
/// What is held is bounded: when frames are taken after each push, at most one frame of [`max_frame`](Limits::with_max_frame) bytes,
/// its length, the header of the one behind it (to tell whether framing was found again), and the last push; of frames
/// that do not end in LF up to three. An oversize frame, and bytes that are skipped, are not held. Each byte is moved a
/// bounded number of times.
///
/// At any moment the [`wire_len`](RawFrame::wire_len) of all frames so far, [`separators`](Self::separators),
/// [`skipped`](Self::skipped) and [`buffered`](Self::buffered) add up to the bytes pushed.
///
/// ```
/// use heroku_syslog::{Dialect, FrameReader, Limits, Recovery};
///
/// let mut reader = FrameReader::new(Limits::new(), Recovery::Stop);
/// let mut messages = Vec::new();
/// for received in ["5", "3 <45>1 2024-02-03T04:05:06Z host her", "oku web.1 - is up\n16 <1>1 - - "] {
///     reader.push(received.as_bytes());
///     while let Some(raw) = reader.next_frame() {
///         messages.push(raw?.parse(Dialect::Logplex)?.message().to_vec());
///     }
/// }
/// assert_eq!((messages, reader.buffered()), (vec![b"is up".to_vec()], 12));
/// reader.finish();
/// assert_eq!(
///     reader.next_frame().unwrap().unwrap_err().to_string(),
///     "frame truncated at byte 56: it declares 16 octets, 9 are there",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FrameReader {
    limits: Limits,
    recovery: Recovery,
    buf: Vec<u8>,
    /// How much of `buf` is read.
    at: usize,
    /// The offset of `buf`'s first byte in the stream.
    base: u64,
    state: State,
    behind: Behind,
    /// Whether LF stands in front of what is not read yet, or nothing does.
    after_line: bool,
    /// How much of the line of a frame that does not stand is known to hold no LF.
    searched: usize,
    separators: u64,
    skipped: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Reading,
    /// Inside of a frame that is too long.
    Passing {
        error: FramingError,
        left: u64,
    },
    /// Behind an unusable length.
    Searching {
        error: FramingError,
    },
    /// Behind an unusable length, for good; the error is told at the end, when all that it costs is known.
    Stopped {
        error: Option<FramingError>,
    },
}

/// A frame in the buffer.
struct Found {
    start: usize,
    used: usize,
    len: usize,
    repaired: bool,
}

impl FrameReader {
    /// A reader at the start of a stream. It allocates nothing yet.
    #[must_use]
    pub const fn new(limits: Limits, recovery: Recovery) -> Self {
        Self {
            limits,
            recovery,
            buf: Vec::new(),
            at: 0,
            base: 0,
            state: State::Reading,
            behind: Behind::More,
            after_line: true,
            searched: 0,
            separators: 0,
            skipped: 0,
        }
    }

    /// Takes what came next. Behind [`finish`](Self::finish) it does nothing.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.ended() {
            return;
        }
        self.behind = Behind::More;
        let mut bytes = bytes;
        if self.buffered() == 0 {
            self.base += self.at as u64;
            self.at = 0;
            self.buf.clear();
            // What is to be skipped anyway need not be held.
            let passed = match &mut self.state {
                State::Passing { left, .. } => {
                    let passed = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    *left -= passed as u64;
                    passed
                }
                State::Stopped { .. } => bytes.len(),
                State::Reading | State::Searching { .. } => 0,
            };
            if let Some(last) = bytes[..passed].last() {
                self.after_line = *last == b'\n';
            }
            bytes = &bytes[passed..];
            self.base += passed as u64;
            self.skipped += passed as u64;
        } else if self.at > self.buf.len() / 2 {
            // Fewer bytes are moved than were read since the last time.
            self.buf.drain(..self.at);
            self.base += self.at as u64;
            self.at = 0;
        }
        self.buf.extend_from_slice(bytes);
    }

    /// The next frame or framing error; `None` when more bytes are needed or, behind [`finish`](Self::finish), at the
    /// end.
    ///
    /// An error is told when it is known what it costs, so later than it is met: behind the frame that is too long, where
    /// the next frame was found, or at the end. [`pending_error`](Self::pending_error) tells it before.
    ///
    /// # Errors
    /// As [`Frames`](crate::Frames); offsets count from the start of the stream.
    ///
    /// ```
    /// # use heroku_syslog::{FrameReader, Limits, Recovery};
    /// let mut reader = FrameReader::new(Limits::new(), Recovery::Stop);
    /// reader.push(b"2 ab2 c");
    /// assert_eq!(reader.next_frame().unwrap()?.bytes(), b"ab");
    /// assert!(reader.next_frame().is_none());
    /// # Ok::<(), heroku_syslog::FramingError>(())
    /// ```
    pub fn next_frame(&mut self) -> Option<Result<RawFrame<'_>, FramingError>> {
        Some(match self.advance()? {
            Ok(Found { start, used, len, repaired }) => {
                let end = start + used;
                let offset = self.base + start as u64;
                let raw = RawFrame::new(&self.buf[end - len..end], offset, used);
                Ok(if repaired { raw.repaired() } else { raw })
            }
            Err(error) => Err(error),
        })
    }

    /// No more bytes will come: [`next_frame`](Self::next_frame) gives what is left, and then `None` for good.
    ///
    /// ```
    /// # use heroku_syslog::{FrameReader, Limits, Recovery};
    /// let mut reader = FrameReader::new(Limits::new(), Recovery::Stop);
    /// reader.push(b"2 a");
    /// assert!(reader.next_frame().is_none());
    /// reader.finish();
    /// assert!(reader.next_frame().unwrap().is_err());
    /// ```
    pub fn finish(&mut self) {
        self.behind = Behind::Nothing;
    }

    /// Nothing more is at hand now: [`next_frame`](Self::next_frame) judges by what is there, until the next
    /// [`push`](Self::push). It gives a frame behind which nothing stands yet, or the beginning of another.
    ///
    /// Call it when reading would block. A stream that is cut at awkward points may so make the reader believe a length
    /// that the next bytes would have spoken against; all else is as without it.
    ///
    /// ```
    /// # use heroku_syslog::{FrameReader, Limits, Recovery};
    /// let mut reader = FrameReader::new(Limits::new(), Recovery::Resync);
    /// reader.push(b"16 <1>1 - - - - - -");
    /// assert!(reader.next_frame().is_none(), "what comes behind it?");
    /// reader.flush();
    /// assert!(reader.next_frame().unwrap().is_ok());
    /// ```
    pub fn flush(&mut self) {
        if !self.ended() {
            self.behind = Behind::Quiet;
        }
    }

    fn ended(&self) -> bool {
        self.behind == Behind::Nothing
    }

    /// A framing error that was met and not told yet, with what it has cost so far. Under [`Recovery::Stop`] this is the
    /// moment to hang up: nothing more will be read.
    ///
    /// ```
    /// # use heroku_syslog::{FrameReader, Limits, Recovery};
    /// let mut reader = FrameReader::new(Limits::new(), Recovery::Stop);
    /// reader.push(b"2!ab");
    /// assert!(reader.next_frame().is_none());
    /// assert_eq!(reader.pending_error().map(|error| error.offset()), Some(1));
    /// ```
    #[must_use]
    pub fn pending_error(&self) -> Option<FramingError> {
        match self.state {
            State::Reading | State::Stopped { error: None } => None,
            State::Passing { error, .. } | State::Searching { error } | State::Stopped { error: Some(error) } => {
                Some(self.complete(error))
            }
        }
    }

    /// The bytes of LF and CRLF between frames passed so far.
    #[must_use]
    pub const fn separators(&self) -> u64 {
        self.separators
    }

    /// The bytes passed over because of framing errors so far, of [`pending_error`](Self::pending_error) too.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How far the stream is read: the bytes pushed, without those [`buffered`](Self::buffered).
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// The bytes that were pushed and not read yet.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buf.len() - self.at
    }

    /// Reads to the next item.
    fn advance(&mut self) -> Option<Result<Found, FramingError>> {
        loop {
            let rest = &self.buf[self.at..];
            match self.state {
                State::Reading => {
                    let error = match deframe(rest, self.limits) {
                        Ok(Deframed::Message { bytes, used }) => {
                            let len = bytes.len();
                            match self.stands(rest, used) {
                                Verdict::Yes => {
                                    let found = Found { start: self.at, used, len, repaired: false };
                                    self.take(used);
                                    return Some(Ok(found));
                                }
                                Verdict::Open => return None,
                                Verdict::No => length_off(len, used),
                            }
                        }
                        Ok(Deframed::Separator { used }) => {
                            self.take(used);
                            self.separators += used as u64;
                            continue;
                        }
                        Ok(Deframed::NeedMore { .. }) if !self.ended() || rest.is_empty() => return None,
                        Ok(Deframed::NeedMore { .. }) => cut_short(rest),
                        Err(error) => error,
                    };
                    match self.repair() {
                        Repair::Line { head, used } => {
                            let found = Found { start: self.at, used, len: used - head, repaired: true };
                            self.take(used);
                            return Some(Ok(found));
                        }
                        Repair::Open => return None,
                        Repair::No => self.lost(error),
                    }
                }
                State::Passing { error, left } => {
                    let passed = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                    self.skip(passed);
                    let left = left - passed as u64;
                    if left > 0 && !self.ended() {
                        self.state = State::Passing { error, left };
                        return None;
                    }
                    self.state = State::Reading;
                    return Some(Err(self.complete(error)));
                }
                State::Searching { error } => {
                    match search(rest, self.after_line, self.limits, self.ended()) {
                        Search::Found(at) => self.skip(at),
                        Search::Undecided(at) => {
                            self.skip(at);
                            return None;
                        }
                        Search::Nowhere => self.skip(rest.len()),
                    }
                    self.state = State::Reading;
                    return Some(Err(self.complete(error)));
                }
                State::Stopped { error } => {
                    self.skip(rest.len());
                    if !self.ended() {
                        return None;
                    }
                    self.state = State::Stopped { error: None };
                    return error.map(|error| Err(self.complete(error)));
                }
            }
        }
    }

    /// Whether the frame of `used` bytes that `rest` begins with stands.
    fn stands(&self, rest: &[u8], used: usize) -> Verdict {
        match self.recovery {
            Recovery::Stop => Verdict::Yes,
            Recovery::Resync => stands(rest, used, self.limits, self.behind),
        }
    }

    #[cold]
    fn repair(&mut self) -> Repair {
        if self.recovery == Recovery::Stop || !self.after_line {
            return Repair::No;
        }
        repair(&self.buf[self.at..], &mut self.searched, self.limits, self.behind)
    }

    #[cold]
    fn lost(&mut self, error: FramingError) {
        let error = error.shifted(self.offset());
        self.state = match self.recovery {
            Recovery::Stop => State::Stopped { error: Some(error) },
            Recovery::Resync => match resume(&self.buf[self.at..], self.limits) {
                Resume::Pass(left) => State::Passing { error, left },
                Resume::Search(from) => {
                    self.skip(from);
                    State::Searching { error }
                }
            },
        };
    }

    fn skip(&mut self, bytes: usize) {
        self.take(bytes);
        self.skipped += bytes as u64;
    }

    fn take(&mut self, bytes: usize) {
        if let Some(last) = self.buf[self.at..self.at + bytes].last() {
            self.after_line = *last == b'\n';
            self.searched = 0;
        }
        self.at += bytes;
    }

    /// The error with all bytes from its start to here as its cost.
    fn complete(&self, error: FramingError) -> FramingError {
        error.with_skipped(self.offset().saturating_sub(error.start()))
    }
}
