use crate::boundary::{Behind, Repair, repair, stands};
use crate::deframe::{Deframed, Limits, Resume, cut_short, deframe, fast_line, length_off, resume};
use crate::dialect::Dialect;
use crate::error::{FrameError, FramingError};
use crate::frame::Frame;
use crate::mark::Verdict;
use crate::resync::{Search, search};
use core::iter::FusedIterator;

/// What a reader does behind an unusable length.
///
/// ```
/// use heroku_syslog::{Frames, Recovery};
///
/// let body = b"16 <1>1 - - - - - -\noops16 <1>1 - - - - - -";
/// assert_eq!(Frames::new(body).filter(Result::is_ok).count(), 2);
/// assert_eq!(Frames::new(body).with_recovery(Recovery::Stop).filter(Result::is_ok).count(), 1);
///
/// // The length is one too small: its sender counted characters. Under `Stop` it is believed.
/// let body = "56 <190>1 2024-02-03T04:05:06Z host app web.1 - é count#a=1\n";
/// let read = |recovery| Frames::new(body.as_bytes()).with_recovery(recovery).next().unwrap().unwrap();
/// assert!(read(Recovery::Resync).is_repaired() && read(Recovery::Resync).bytes().ends_with(b"count#a=1\n"));
/// assert!(read(Recovery::Stop).bytes().ends_with(b"count#a="));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub enum Recovery {
    /// The walk ends: no later boundary is certain. All the rest is skipped. A length that can be read is believed.
    Stop,
    /// Go on at the next *start*, MSG-LEN SP `<`PRIVAL`>` VERSION SP, whose declared length ends at the end of input or
    /// at another start, with at most one LF or CRLF between. What lies in front of it is skipped.
    ///
    /// A frame over [`max_frame`](Limits::with_max_frame) but not over [`max_skip`](Limits::with_max_skip) is passed over to its end without a search.
    /// When a length that was read turns out to be too large, the search begins behind it.
    ///
    /// A length is not believed when what stands behind its frame speaks against it: neither a frame that ends well in its
    /// turn, nor a line end, nor the end of input. Such a frame is a [`LengthOff`](crate::FramingErrorKind::LengthOff) error
    /// and gives no values. If it is plain to see, it is *repaired* instead: it begins a line (or the input), its PRI and
    /// VERSION go on with a date and time, and its line is closed by the end of input, an empty line or another start. The
    /// search takes such a beginning too, whatever its length says. See [`RawFrame::is_repaired`].
    #[default]
    Resync,
}

/// The bytes of one frame, not looked at yet, and where they stand in the body.
///
/// ```
/// use heroku_syslog::{Dialect, Frames};
///
/// let body = b"53 <45>1 2024-02-03T04:05:06Z host heroku web.1 - is up\n";
/// let raw = Frames::new(body).next().unwrap()?;
/// assert_eq!((raw.offset(), raw.wire_len(), raw.message_offset(), raw.bytes().len()), (0, 56, 3, 53));
/// assert_eq!(raw.parse(Dialect::Logplex)?.message(), b"is up");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawFrame<'a> {
    bytes: &'a [u8],
    offset: u64,
    /// [`REPAIRED`] is one bit of it: a field of its own would cost each frame.
    wire_len: u64,
}

const REPAIRED: u64 = 1 << 63;

impl<'a> RawFrame<'a> {
    /// A frame of `used` bytes, of which `bytes` are the last.
    pub(crate) const fn new(bytes: &'a [u8], offset: u64, used: usize) -> Self {
        Self { bytes, offset, wire_len: used as u64 }
    }

    pub(crate) const fn repaired(mut self) -> Self {
        self.wire_len |= REPAIRED;
        self
    }

    /// The offset of MSG-LEN's first digit, from the start of the body or stream.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes of the frame as it stands in the body: MSG-LEN, SP and message.
    #[must_use]
    pub const fn wire_len(&self) -> u64 {
        self.wire_len & !REPAIRED
    }

    /// SYSLOG-MSG: as many bytes as MSG-LEN declares, a line end included; of a repaired frame, its line.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether MSG-LEN was off by a little, so that the frame was read to the end of its line instead. Only under
    /// [`Recovery::Resync`].
    ///
    /// ```
    /// # use heroku_syslog::Frames;
    /// let body = b"40 <45>1 2024-02-03T04:05:06Z host heroku web.1 - is up\n16 <1>1 - - - - - -";
    /// let raw = Frames::new(body).next().unwrap()?;
    /// assert!(raw.is_repaired());
    /// assert_eq!((raw.wire_len(), raw.bytes().len()), (56, 53));
    /// # Ok::<(), heroku_syslog::FramingError>(())
    /// ```
    #[must_use]
    pub const fn is_repaired(&self) -> bool {
        self.wire_len & REPAIRED != 0
    }

    /// The offset of [`bytes`](Self::bytes), from the start of the body or stream.
    #[must_use]
    pub const fn message_offset(&self) -> u64 {
        self.offset + (self.wire_len() - self.bytes.len() as u64)
    }

    /// Reads the frame. It takes the view, which is `Copy`, by value.
    ///
    /// # Errors
    /// As [`Frame::parse`], with offsets counted from the start of the body or stream.
    ///
    /// ```
    /// use heroku_syslog::{Dialect, Frames};
    /// let raw = Frames::new(b"8 <999>1 -").next().unwrap().unwrap();
    /// assert_eq!(raw.parse(Dialect::Logplex).unwrap_err().to_string(), "value out of range in PRI at byte 3");
    /// ```
    #[inline(always)]
    pub fn parse(self, dialect: Dialect) -> Result<Frame<'a>, FrameError> {
        Frame::parse(self.bytes, dialect).map_err(|error| error.shifted(self.message_offset()))
    }
}

/// Splits a whole body into frames, in order, without copying. Never panics; linear in the body.
///
/// `body` is MSG-LEN SP SYSLOG-MSG repeated (RFC 6587, 3.4.1; Logplex HTTPS drains): any bytes, untrusted. LF and CRLF
/// between frames, in front of the first and behind the last are skipped and counted.
///
/// At the end every byte is accounted for: the [`wire_len`](RawFrame::wire_len) of all frames,
/// [`separators`](Self::separators) and [`skipped`](Self::skipped) add up to the length of the body.
///
/// ```
/// use heroku_syslog::{Dialect, Frames};
///
/// let body = b"53 <45>1 2024-02-03T04:05:06Z host heroku web.1 - is up\n16 <1>1 - - - - - -";
/// let mut frames = Frames::new(body);
/// let mut bytes = 0;
/// for raw in &mut frames {
///     let raw = raw?;
///     bytes += raw.wire_len();
///     let frame = raw.parse(Dialect::Logplex)?;
///     assert!(frame.message() == b"is up" || frame.message() == b"-");
/// }
/// assert_eq!(bytes + frames.separators() + frames.skipped(), body.len() as u64);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    body: &'a [u8],
    /// The end of `body` that is left. Kept as bytes and not as an offset, so that each frame is looked up with one check.
    rest: &'a [u8],
    limits: Limits,
    recovery: Recovery,
    separators: u64,
    skipped: u64,
}

impl<'a> Frames<'a> {
    /// The frames of `body`, with the limits of [`Limits::new`] and [`Recovery::Resync`].
    #[must_use]
    pub const fn new(body: &'a [u8]) -> Self {
        Self { body, rest: body, limits: Limits::new(), recovery: Recovery::Resync, separators: 0, skipped: 0 }
    }

    /// With other limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// With another behaviour behind an unusable length.
    ///
    /// ```
    /// use heroku_syslog::{Frames, Recovery};
    /// let mut frames = Frames::new(b"?16 <1>1 - - - - - -").with_recovery(Recovery::Stop);
    /// assert!(frames.next().unwrap().is_err());
    /// assert!(frames.next().is_none());
    /// ```
    #[must_use]
    pub const fn with_recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }

    /// The bytes of LF and CRLF between frames passed so far.
    #[must_use]
    pub const fn separators(&self) -> u64 {
        self.separators
    }

    /// The bytes passed over because of framing errors so far: the sum of [`FramingError::skipped`].
    ///
    /// ```
    /// let mut frames = heroku_syslog::Frames::new(b"2 ab\n?");
    /// assert_eq!(frames.by_ref().count(), 2);
    /// assert_eq!(frames.skipped(), 1);
    /// ```
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How far the body is read: the offset at which the next item is looked for.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.at() as u64
    }

    const fn at(&self) -> usize {
        self.body.len() - self.rest.len()
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<RawFrame<'a>, FramingError>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        // What nearly all frames are, and all of them stand.
        if let Some((bytes, behind)) = fast_line(self.rest, self.limits) {
            let raw = RawFrame::new(bytes, self.offset(), self.rest.len() - behind.len());
            self.rest = behind;
            return Some(Ok(raw));
        }
        // The rest works on a copy, so that the offset of the next frame, which all else waits for, can stay in a register.
        let (item, walk) = self.clone().plain_item();
        // Limits are not handed back: so the compiler sees that they do not change.
        (self.rest, self.separators, self.skipped) = (walk.rest, walk.separators, walk.skipped);
        item
    }
}

impl<'a> Frames<'a> {
    /// The next item, whatever it is, and where the walk stands behind it.
    #[cold]
    #[inline(never)]
    fn plain_item(mut self) -> (Option<Result<RawFrame<'a>, FramingError>>, Self) {
        loop {
            let rest = self.rest;
            let error = match deframe(rest, self.limits) {
                Ok(Deframed::Message { bytes, used }) => {
                    if self.recovery == Recovery::Stop
                        || stands(rest, used, self.limits, Behind::Nothing) == Verdict::Yes
                    {
                        let raw = RawFrame::new(bytes, self.offset(), used);
                        self.rest = &rest[used..];
                        return (Some(Ok(raw)), self);
                    }
                    length_off(bytes.len(), used)
                }
                Ok(Deframed::Separator { used }) => {
                    self.rest = &rest[used..];
                    self.separators += used as u64;
                    continue;
                }
                Ok(Deframed::NeedMore { .. }) if rest.is_empty() => return (None, self),
                Ok(Deframed::NeedMore { .. }) => cut_short(rest),
                Err(error) => error,
            };
            let item = match self.repaired(rest) {
                Some(raw) => Ok(raw),
                None => Err(self.lost(error, rest)),
            };
            return (Some(item), self);
        }
    }

    /// The frame that `rest` begins with, if it is plain to see though its length is off.
    fn repaired(&mut self, rest: &'a [u8]) -> Option<RawFrame<'a>> {
        if self.recovery == Recovery::Stop || !begins_line(self.body, self.at()) {
            return None;
        }
        let Repair::Line { head, used } = repair(rest, &mut 0, self.limits, Behind::Nothing) else { return None };
        let raw = RawFrame::new(&rest[head..used], self.offset(), used).repaired();
        self.rest = &rest[used..];
        Some(raw)
    }

    /// Passes over what cannot be read, and completes the error about it.
    fn lost(&mut self, error: FramingError, rest: &'a [u8]) -> FramingError {
        let passed = match self.recovery {
            Recovery::Stop => rest.len(),
            Recovery::Resync => match resume(rest, self.limits) {
                Resume::Pass(bytes) => usize::try_from(bytes).map_or(rest.len(), |bytes| bytes.min(rest.len())),
                Resume::Search(from) => {
                    match search(&rest[from..], begins_line(self.body, self.at() + from), self.limits, true) {
                        Search::Found(at) => from + at,
                        Search::Undecided(_) | Search::Nowhere => rest.len(),
                    }
                }
            },
        };
        let error = error.shifted(self.offset()).with_skipped(passed as u64);
        self.rest = &rest[passed..];
        self.skipped += passed as u64;
        error
    }
}

/// Whether `at` is the start of the body or stands behind LF.
fn begins_line(body: &[u8], at: usize) -> bool {
    body[..at].last().is_none_or(|byte| *byte == b'\n')
}

impl FusedIterator for Frames<'_> {}
