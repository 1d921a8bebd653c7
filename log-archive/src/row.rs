use crate::time::{MOST_OFFSET, printable};
use std::fmt;

/// One row of an archive: a log line and what is known of it, in ten columns. Borrows its texts, which may be any bytes.
///
/// Times are microseconds since 1970, UTC. An archive says years with four digits, so times before the year 0 and behind
/// the year 9999 become the first and the last one that it can say, and offsets of a day or more become a minute less than
/// a day.
///
/// ```
/// use log_archive::{Row, Writer, facility_name, severity_name};
///
/// let row = Row::new(1_234_567_890, 1_795_904_099_000_000, b"GET /cart 500")
///     .with_generated_at(1_795_904_098_123_456, -4 * 60)
///     .with_source_id(42)
///     .with_source_name(b"web-1")
///     .with_source_ip(b"192.0.2.7")
///     .with_facility_name(facility_name(19).unwrap_or_default().as_bytes())
///     .with_severity_name(severity_name(6).unwrap_or_default().as_bytes())
///     .with_program(b"nginx");
///
/// let mut writer = Writer::new(Vec::new());
/// writer.write(&row)?;
/// assert_eq!(
///     writer.into_inner(),
///     b"1234567890\t2026-11-28T18:14:58.123456-04:00\t2026-11-28T22:14:59Z\t42\tweb-1\t192.0.2.7\tLocal3\tInfo\tnginx\tGET /cart 500\n",
/// );
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    id: u64,
    generated_at: i64,
    offset_minutes: i16,
    received_at: i64,
    source_id: u64,
    source_name: &'a [u8],
    source_ip: &'a [u8],
    facility_name: &'a [u8],
    severity_name: &'a [u8],
    program: &'a [u8],
    message: &'a [u8],
}

impl<'a> Row<'a> {
    /// A row with nothing but its id, the time when it came in and the line itself. It was generated when it was received,
    /// its source is number 0, its other columns are empty.
    #[must_use]
    pub fn new(id: u64, received_at: i64, message: &'a [u8]) -> Self {
        let received_at = printable(received_at, 0);
        Self {
            id,
            generated_at: received_at,
            offset_minutes: 0,
            received_at,
            source_id: 0,
            source_name: b"",
            source_ip: b"",
            facility_name: b"",
            severity_name: b"",
            program: b"",
            message,
        }
    }

    /// With the time that its sender gave it, and how many minutes the sender's clock is ahead of UTC.
    #[must_use]
    pub fn with_generated_at(mut self, generated_at: i64, offset_minutes: i16) -> Self {
        self.offset_minutes = offset_minutes.clamp(-MOST_OFFSET, MOST_OFFSET);
        self.generated_at = printable(generated_at, self.offset_minutes);
        self
    }

    /// With the number of who sent it.
    #[must_use]
    pub const fn with_source_id(mut self, source_id: u64) -> Self {
        self.source_id = source_id;
        self
    }

    /// With the name of who sent it.
    #[must_use]
    pub const fn with_source_name(mut self, source_name: &'a [u8]) -> Self {
        self.source_name = source_name;
        self
    }

    /// With the address it came from, as text.
    #[must_use]
    pub const fn with_source_ip(mut self, source_ip: &'a [u8]) -> Self {
        self.source_ip = source_ip;
        self
    }

    /// With the name of its facility, see [`facility_name`](crate::facility_name()).
    #[must_use]
    pub const fn with_facility_name(mut self, facility_name: &'a [u8]) -> Self {
        self.facility_name = facility_name;
        self
    }

    /// With the name of its severity, see [`severity_name`](crate::severity_name()).
    #[must_use]
    pub const fn with_severity_name(mut self, severity_name: &'a [u8]) -> Self {
        self.severity_name = severity_name;
        self
    }

    /// With what wrote it.
    #[must_use]
    pub const fn with_program(mut self, program: &'a [u8]) -> Self {
        self.program = program;
        self
    }

    /// Column 1: the number of the line; later lines have higher ones.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Column 2: when it was written, as its sender says.
    #[must_use]
    pub const fn generated_at(&self) -> i64 {
        self.generated_at
    }

    /// Column 2: how many minutes the sender's clock is ahead of UTC.
    #[must_use]
    pub const fn offset_minutes(&self) -> i16 {
        self.offset_minutes
    }

    /// Column 3: when it came in.
    #[must_use]
    pub const fn received_at(&self) -> i64 {
        self.received_at
    }

    /// Column 4: the number of who sent it.
    #[must_use]
    pub const fn source_id(&self) -> u64 {
        self.source_id
    }

    /// Column 5: the name of who sent it.
    #[must_use]
    pub const fn source_name(&self) -> &'a [u8] {
        self.source_name
    }

    /// Column 6: the address it came from, as text.
    #[must_use]
    pub const fn source_ip(&self) -> &'a [u8] {
        self.source_ip
    }

    /// Column 7: the name of its facility, which [`facility_number`](crate::facility_number) reads.
    #[must_use]
    pub const fn facility_name(&self) -> &'a [u8] {
        self.facility_name
    }

    /// Column 8: the name of its severity, which [`severity_number`](crate::severity_number) reads.
    #[must_use]
    pub const fn severity_name(&self) -> &'a [u8] {
        self.severity_name
    }

    /// Column 9: what wrote it.
    #[must_use]
    pub const fn program(&self) -> &'a [u8] {
        self.program
    }

    /// Column 10: the line itself.
    #[must_use]
    pub const fn message(&self) -> &'a [u8] {
        self.message
    }
}

impl fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = f.debug_struct("Row");
        parts
            .field("id", &self.id)
            .field("generated_at", &self.generated_at)
            .field("offset_minutes", &self.offset_minutes);
        parts.field("received_at", &self.received_at).field("source_id", &self.source_id);
        for (name, text) in [
            ("source_name", self.source_name),
            ("source_ip", self.source_ip),
            ("facility_name", self.facility_name),
            ("severity_name", self.severity_name),
            ("program", self.program),
            ("message", self.message),
        ] {
            parts.field(name, &String::from_utf8_lossy(text));
        }
        parts.finish()
    }
}
