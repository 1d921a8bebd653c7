//! One line as it is kept, and its number.

use std::fmt;
use std::net::IpAddr;

/// Bits of an id below its milliseconds.
const BELOW_MILLIS: u32 = 20;
/// Ids have 63 bits, so that they fit into a signed number of 64.
const MAX: u64 = i64::MAX as u64;
/// Severity and facility of a line that names none.
const NONE: u8 = u8::MAX;

/// The number of an event: its time and its rank in that millisecond.
///
/// 63 bits: `milliseconds since 1970 << 20 | counter << 8 | partition`. So ids sort by time, a point in time is a bound on ids,
/// and 256 writers can count without talking to each other. An embedder gives the ids; within a store they must rise.
///
/// ```
/// use log_store::EventId;
///
/// let id = EventId::at(1_700_000_000_123_456);
/// assert_eq!(id.unix_micros(), 1_700_000_000_123_000);
/// assert_eq!(id.next().get(), id.get() + 256); // the next of the same partition
/// assert!(EventId::at(1_700_000_000_124_000) > id.next());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EventId(u64);

impl EventId {
    /// Below every event.
    pub const MIN: Self = Self(0);
    /// Above every event.
    pub const MAX: Self = Self(MAX);
    /// From one id to the next of the same partition.
    pub const STEP: u64 = 1 << 8;

    /// The id with this number. What does not fit into 63 bits is [`EventId::MAX`].
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(if number > MAX { MAX } else { number })
    }

    /// The lowest id of the millisecond that holds this time, in microseconds since 1970: a bound for ranges of time, and the
    /// first id that partition 0 may give then. Times before 1970 give [`EventId::MIN`], those behind the year 2248
    /// [`EventId::MAX`].
    #[must_use]
    pub const fn at(unix_micros: i64) -> Self {
        if unix_micros < 0 {
            return Self::MIN;
        }
        let millis = unix_micros as u64 / 1_000;
        if millis > MAX >> BELOW_MILLIS { Self::MAX } else { Self(millis << BELOW_MILLIS) }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Its time in microseconds since 1970, whole milliseconds.
    #[must_use]
    pub const fn unix_micros(self) -> i64 {
        ((self.0 >> BELOW_MILLIS) * 1_000) as i64
    }

    /// Which writer gave it.
    #[must_use]
    pub const fn partition(self) -> u8 {
        self.0 as u8
    }

    /// The next id of the same partition. Never above [`EventId::MAX`].
    #[must_use]
    pub const fn next(self) -> Self {
        Self::new(self.0.saturating_add(Self::STEP))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({})", self.0)
    }
}

/// One line with what is known about it, borrowed.
///
/// Texts are bytes as they came: a line may hold anything, NUL and broken UTF-8 too.
///
/// ```
/// use log_store::{Event, EventId};
///
/// let event = Event::new(EventId::at(1_700_000_000_000_000), "shop", b"GET /cart 500")
///     .with_system(b"web-1")
///     .with_program(b"nginx")
///     .with_severity(3);
/// assert_eq!(event.program(), b"nginx");
/// assert_eq!(event.generated(), event.id().unix_micros()); // until with_generated says otherwise
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    id: EventId,
    generated: i64,
    account: &'a str,
    system: &'a [u8],
    program: &'a [u8],
    message: &'a [u8],
    source_ip: Option<IpAddr>,
    severity: u8,
    facility: u8,
}

impl<'a> Event<'a> {
    /// A line of an account. It has no system, program, severity, facility or address yet, and was generated when its id says.
    #[must_use]
    pub const fn new(id: EventId, account: &'a str, message: &'a [u8]) -> Self {
        let generated = id.unix_micros();
        Self {
            id,
            generated,
            account,
            system: &[],
            program: &[],
            message,
            source_ip: None,
            severity: NONE,
            facility: NONE,
        }
    }

    /// Who sent it, as a host's name. At most 255 bytes are kept.
    #[must_use]
    pub const fn with_system(mut self, system: &'a [u8]) -> Self {
        self.system = system;
        self
    }

    /// What wrote it, such as `nginx` or `app/web.1`. At most 255 bytes are kept.
    #[must_use]
    pub const fn with_program(mut self, program: &'a [u8]) -> Self {
        self.program = program;
        self
    }

    /// Syslog's severity: 0 (emergency) to 7 (debug). A larger number is none.
    #[must_use]
    pub const fn with_severity(mut self, severity: u8) -> Self {
        self.severity = if severity <= 7 { severity } else { NONE };
        self
    }

    /// Syslog's facility: 0 (kernel) to 23 (local7). A larger number is none.
    #[must_use]
    pub const fn with_facility(mut self, facility: u8) -> Self {
        self.facility = if facility <= 23 { facility } else { NONE };
        self
    }

    /// When the sender says that it was written, in microseconds since 1970.
    #[must_use]
    pub const fn with_generated(mut self, unix_micros: i64) -> Self {
        self.generated = unix_micros;
        self
    }

    /// The address that it came from.
    #[must_use]
    pub const fn with_source_ip(mut self, source_ip: IpAddr) -> Self {
        self.source_ip = Some(source_ip);
        self
    }

    /// Its number.
    #[must_use]
    pub const fn id(&self) -> EventId {
        self.id
    }

    /// When it was written, in microseconds since 1970, as its sender says.
    #[must_use]
    pub const fn generated(&self) -> i64 {
        self.generated
    }

    /// Whose line it is.
    #[must_use]
    pub const fn account(&self) -> &'a str {
        self.account
    }

    /// Who sent it; empty if that is not known.
    #[must_use]
    pub const fn system(&self) -> &'a [u8] {
        self.system
    }

    /// What wrote it; empty if that is not known.
    #[must_use]
    pub const fn program(&self) -> &'a [u8] {
        self.program
    }

    /// The line itself, without its end.
    #[must_use]
    pub const fn message(&self) -> &'a [u8] {
        self.message
    }

    /// Syslog's severity, 0 to 7.
    #[must_use]
    pub const fn severity(&self) -> Option<u8> {
        if self.severity == NONE { None } else { Some(self.severity) }
    }

    /// Syslog's facility, 0 to 23.
    #[must_use]
    pub const fn facility(&self) -> Option<u8> {
        if self.facility == NONE { None } else { Some(self.facility) }
    }

    /// The address that it came from.
    #[must_use]
    pub const fn source_ip(&self) -> Option<IpAddr> {
        self.source_ip
    }

    /// A copy that borrows nothing.
    #[must_use]
    pub fn to_event_buf(&self) -> EventBuf {
        let parts = [self.account.as_bytes(), self.system, self.program];
        let mut text = Vec::with_capacity(parts.iter().map(|part| part.len()).sum::<usize>() + self.message.len());
        let ends = parts.map(|part| {
            text.extend_from_slice(part);
            text.len()
        });
        text.extend_from_slice(self.message);
        EventBuf {
            id: self.id,
            generated: self.generated,
            text: text.into_boxed_slice(),
            ends,
            source_ip: self.source_ip,
            severity: self.severity,
            facility: self.facility,
        }
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("id", &self.id.0)
            .field("generated", &self.generated)
            .field("account", &self.account)
            .field("system", &String::from_utf8_lossy(self.system))
            .field("program", &String::from_utf8_lossy(self.program))
            .field("severity", &self.severity())
            .field("facility", &self.facility())
            .field("source_ip", &self.source_ip)
            .field("message", &String::from_utf8_lossy(self.message))
            .finish()
    }
}

/// An [`Event`] that owns its bytes: one buffer and where each text ends in it.
///
/// ```
/// use log_store::{Event, EventId};
///
/// let kept = Event::new(EventId::new(256), "shop", b"started").to_event_buf();
/// assert_eq!(kept.as_event().message(), b"started");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct EventBuf {
    id: EventId,
    generated: i64,
    text: Box<[u8]>,
    /// Ends of account, system and program in `text`; the message is the rest.
    ends: [usize; 3],
    source_ip: Option<IpAddr>,
    severity: u8,
    facility: u8,
}

impl EventBuf {
    /// The event, borrowed. Costs nothing but a look at the account's few bytes.
    #[must_use]
    pub fn as_event(&self) -> Event<'_> {
        let [account, system, program] = self.ends;
        Event {
            id: self.id,
            generated: self.generated,
            // It was a `str` when it was copied here, so it is one now.
            account: std::str::from_utf8(&self.text[..account]).unwrap_or_default(),
            system: &self.text[account..system],
            program: &self.text[system..program],
            message: &self.text[program..],
            source_ip: self.source_ip,
            severity: self.severity,
            facility: self.facility,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn id(&self) -> EventId {
        self.id
    }
}

impl fmt::Debug for EventBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_event().fmt(f)
    }
}
