//! A page as JSON, written event by event.

use super::page::Page;
use super::systems::Systems;
use crate::json;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use log_store::Event;
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, Write};

/// Severities and facilities as this API names them.
const SEVERITIES: [&str; 8] = ["Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Info", "Debug"];
const FACILITIES: [&str; 24] = [
    "Kern", "User", "Mail", "Daemon", "Auth", "Syslog", "Lpr", "News", "Uucp", "Cron", "Authpriv", "Ftp", "Ntp",
    "Audit", "Alert", "Clock", "Local0", "Local1", "Local2", "Local3", "Local4", "Local5", "Local6", "Local7",
];

/// `Info` of 6.
pub(crate) fn severity(number: u8) -> Option<&'static str> {
    SEVERITIES.get(usize::from(number)).copied()
}

/// `Local3` of 19.
pub(crate) fn facility(number: u8) -> Option<&'static str> {
    FACILITIES.get(usize::from(number)).copied()
}

/// A time as events have it, in the zone of whoever asks.
#[derive(Clone, Debug)]
struct Times {
    zone: TimeZone,
    /// The second that was written last, and its two texts: many events come in one.
    last: (i64, String, String),
}

impl Times {
    fn new(zone: TimeZone) -> Self {
        Self { zone, last: (i64::MIN, String::new(), String::new()) }
    }

    /// `2026-11-28T21:08:03+00:00`, and `Nov 28 21:08:03`.
    fn of(&mut self, unix_micros: i64) -> (&str, &str) {
        let second = unix_micros.div_euclid(1_000_000);
        if self.last.0 != second {
            // What no calendar holds is its last second.
            let time =
                Timestamp::from_second(second).unwrap_or(if second < 0 { Timestamp::MIN } else { Timestamp::MAX });
            let there = time.to_zoned_datetime(self.zone.clone());
            self.last = (
                second,
                there.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
                there.strftime("%b %d %H:%M:%S").to_string(),
            );
        }
        (&self.last.1, &self.last.2)
    }

    fn iso(&mut self, unix_micros: i64) -> String {
        self.of(unix_micros).0.to_owned()
    }

    /// `2026-11-28T21:08:03.123456+00:00`
    fn with_fraction(&mut self, unix_micros: i64) -> String {
        let (second, zone) = self.of(unix_micros).0.split_at_checked(19).unwrap_or_default();
        format!("{second}.{:06}{zone}", unix_micros.rem_euclid(1_000_000))
    }
}

#[derive(Serialize)]
struct Told<'a> {
    id: &'a str,
    source_ip: Option<std::net::IpAddr>,
    program: Option<Cow<'a, str>>,
    message: Cow<'a, str>,
    received_at: &'a str,
    generated_at: &'a str,
    display_received_at: &'a str,
    source_id: u32,
    source_name: &'a str,
    hostname: &'a str,
    severity: Option<&'static str>,
    facility: Option<&'static str>,
}

#[derive(Serialize)]
struct Around<'a> {
    min_id: &'a str,
    max_id: &'a str,
    #[serde(skip_serializing_if = "is_not")]
    reached_beginning: bool,
    #[serde(skip_serializing_if = "is_not")]
    reached_end: bool,
    #[serde(skip_serializing_if = "is_not")]
    reached_record_limit: bool,
    #[serde(skip_serializing_if = "is_not")]
    reached_time_limit: bool,
    #[serde(skip_serializing_if = "is_not")]
    partial_results: bool,
    min_time_at: String,
    max_time_at: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
const fn is_not(flag: &bool) -> bool {
    !*flag
}

/// Writes a page.
pub(super) struct Writer<'a> {
    page: &'a Page,
    received: Times,
    generated: Times,
    systems: &'a Systems,
    null_program: bool,
    has_fractions: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn new(page: &'a Page, zone: TimeZone, systems: &'a Systems) -> Self {
        Self {
            page,
            received: Times::new(zone.clone()),
            generated: Times::new(zone),
            systems,
            null_program: false,
            has_fractions: false,
        }
    }

    /// What has no program has `null` for one.
    pub(super) const fn with_null_program(mut self, null_program: bool) -> Self {
        self.null_program = null_program;
        self
    }

    /// Both times of an event have all their digits.
    pub(super) const fn with_fractions(mut self, has_fractions: bool) -> Self {
        self.has_fractions = has_fractions;
        self
    }

    /// # Errors
    /// Those of `out`.
    pub(super) fn write(&mut self, out: &mut impl Write) -> io::Result<()> {
        let page = self.page;
        out.write_all(b"{\"events\":[")?;
        for (number, event) in page.events.iter().enumerate() {
            if number > 0 {
                out.write_all(b",")?;
            }
            self.event(out, &event.as_event())?;
        }
        out.write_all(b"],")?;
        let around = Around {
            min_id: &page.min_id.to_string(),
            max_id: &page.max_id.to_string(),
            reached_beginning: page.reached_beginning,
            reached_end: page.reached_end,
            reached_record_limit: page.reached_record_limit,
            reached_time_limit: page.reached_time_limit,
            partial_results: page.is_partial,
            min_time_at: self.received.iso(page.min_time_at),
            max_time_at: self.received.iso(page.max_time_at),
        };
        let mut rest = Vec::new();
        json::write(&mut rest, &around)?;
        // The events stand in the same object.
        out.write_all(rest.get(1..).unwrap_or_default())
    }

    fn event(&mut self, out: &mut impl Write, event: &Event<'_>) -> io::Result<()> {
        let system = self.systems.get(event.system());
        let (received, generated) = (event.id().unix_micros(), event.generated());
        let exact = self
            .has_fractions
            .then(|| (self.received.with_fraction(received), self.generated.with_fraction(generated)));
        let (mut received_at, display_received_at) = self.received.of(received);
        let mut generated_at = self.generated.of(generated).0;
        if let Some((received, generated)) = &exact {
            (received_at, generated_at) = (received, generated);
        }
        let told = Told {
            id: &event.id().to_string(),
            source_ip: event.source_ip().map(|address| address.to_canonical()),
            program: (!self.null_program || !event.program().is_empty())
                .then(|| String::from_utf8_lossy(event.program())),
            message: String::from_utf8_lossy(event.message()),
            received_at,
            generated_at,
            display_received_at,
            source_id: system.map_or(0, |system| system.id),
            source_name: system.map_or("", |system| &system.shown),
            hostname: system.map_or("", |system| &system.name),
            severity: event.severity().and_then(severity),
            facility: event.facility().and_then(facility),
        };
        json::write(out, &told)
    }
}
