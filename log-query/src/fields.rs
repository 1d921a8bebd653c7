use core::net::IpAddr;

/// A line in its parts: what a [`Query`](crate::Query) is asked about. Bytes as they came; nothing has to be UTF-8.
///
/// ```
/// use log_query::{Fields, Query};
///
/// let line = Fields::new(b"web01", b"nginx", b"GET /pay 502").with_severity(3).with_source_ip([192, 0, 2, 7].into());
/// assert!(Query::parse("program:nginx 502 severity:error ip:192.0.2.").query().matches(&line));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    pub(crate) system: &'a [u8],
    pub(crate) program: &'a [u8],
    pub(crate) message: &'a [u8],
    pub(crate) severity: Option<u8>,
    pub(crate) facility: Option<u8>,
    pub(crate) source_ip: Option<IpAddr>,
}

impl<'a> Fields<'a> {
    /// Who sent the line, which of their programs, and its text. What there is not, is empty.
    #[must_use]
    pub const fn new(system: &'a [u8], program: &'a [u8], message: &'a [u8]) -> Self {
        Self { system, program, message, severity: None, facility: None, source_ip: None }
    }

    /// With a severity of syslog, 0 (emergency) to 7 (debug). Without one, no `severity:` fits.
    #[must_use]
    pub const fn with_severity(mut self, severity: u8) -> Self {
        self.severity = Some(severity);
        self
    }

    /// With a facility of syslog, 0 (kern) to 23 (local7). Without one, no `facility:` fits.
    #[must_use]
    pub const fn with_facility(mut self, facility: u8) -> Self {
        self.facility = Some(facility);
        self
    }

    /// With the address that the line came from. Without one, no `ip:` fits.
    #[must_use]
    pub const fn with_source_ip(mut self, source_ip: IpAddr) -> Self {
        self.source_ip = Some(source_ip);
        self
    }

    /// Who sent it.
    #[must_use]
    pub const fn system(&self) -> &'a [u8] {
        self.system
    }

    /// Which of their programs.
    #[must_use]
    pub const fn program(&self) -> &'a [u8] {
        self.program
    }

    /// Its text.
    #[must_use]
    pub const fn message(&self) -> &'a [u8] {
        self.message
    }
}
