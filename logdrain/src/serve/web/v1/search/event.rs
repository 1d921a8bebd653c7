//! A page as JSON, written event by event.

use super::page::Page;
use super::systems::Systems;
use crate::json;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use log_store::Event;
use serde::Serialize;
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
    /// The event at hand, used again for each.
    line: Vec<u8>,
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
            line: Vec::new(),
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

    /// One event, its keys in the order that clients have seen ever. Most of a walk is this: nothing is allocated for it.
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
        let mut to = std::mem::take(&mut self.line);
        to.clear();
        to.extend_from_slice(b"{\"id\":\"");
        number(&mut to, event.id().get());
        to.extend_from_slice(b"\",\"source_ip\":");
        match event.source_ip() {
            Some(address) => write!(to, "\"{}\"", address.to_canonical())?,
            None => to.extend_from_slice(b"null"),
        }
        to.extend_from_slice(b",\"program\":");
        match self.null_program && event.program().is_empty() {
            true => to.extend_from_slice(b"null"),
            false => json::string(&mut to, &String::from_utf8_lossy(event.program())),
        }
        to.extend_from_slice(b",\"message\":");
        json::string(&mut to, &String::from_utf8_lossy(event.message()));
        for (key, text) in [
            (&b",\"received_at\":"[..], received_at),
            (b",\"generated_at\":", generated_at),
            (b",\"display_received_at\":", display_received_at),
        ] {
            to.extend_from_slice(key);
            json::string(&mut to, text);
        }
        to.extend_from_slice(b",\"source_id\":");
        number(&mut to, system.map_or(0, |system| u64::from(system.id)));
        to.extend_from_slice(b",\"source_name\":");
        json::string(&mut to, system.map_or("", |system| &system.shown));
        to.extend_from_slice(b",\"hostname\":");
        json::string(&mut to, system.map_or("", |system| &system.name));
        for (key, word) in [
            (&b",\"severity\":"[..], event.severity().and_then(severity)),
            (b",\"facility\":", event.facility().and_then(facility)),
        ] {
            to.extend_from_slice(key);
            match word {
                Some(word) => json::string(&mut to, word),
                None => to.extend_from_slice(b"null"),
            }
        }
        to.push(b'}');
        let written = out.write_all(&to);
        self.line = to;
        written
    }
}

/// Its digits.
fn number(to: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0' + (number % 10) as u8;
        }
        number /= 10;
        if number == 0 {
            break;
        }
    }
    to.extend_from_slice(digits.get(at..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use log_store::{EventBuf, EventId};
    use std::borrow::Cow;

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

    #[test]
    fn an_event_is_what_a_serializer_makes_of_it() {
        let mut texts: Vec<Vec<u8>> =
            ["", "plain", "a \"quote\" and \\", "tab\t\u{1b}[31m", "é 日本 🚀", "\u{202e}\u{85}\u{200d}", "\0\r\n"]
                .map(|text| text.as_bytes().to_vec())
                .into();
        texts.push(vec![0xff, b'a', 0xc3]);
        let systems = Systems::default();
        let page = Page {
            events: Vec::new(),
            min_id: 0,
            max_id: 0,
            min_time_at: 0,
            max_time_at: 0,
            reached_beginning: false,
            reached_end: false,
            reached_record_limit: false,
            reached_time_limit: false,
            is_partial: false,
        };
        for (index, text) in texts.iter().enumerate() {
            for null_program in [false, true] {
                let id = EventId::new((1_795_270_500_000 + index as u64) << 20 | (index as u64) << 8);
                let mut event = Event::new(id, "default", text).with_system(text).with_program(text);
                if index % 2 == 0 {
                    event = event.with_severity(index as u8).with_facility(19).with_source_ip([192, 0, 2, 7].into());
                }
                let event = event.with_generated(1_795_270_499_999_999);
                let kept: EventBuf = event.to_event_buf();
                let event = kept.as_event();
                let mut writer = Writer::new(&page, TimeZone::UTC, &systems).with_null_program(null_program);
                let mut own = Vec::new();
                writer.event(&mut own, &event).unwrap();
                let (received_at, shown) = writer.received.of(event.id().unix_micros());
                let told = Told {
                    id: &event.id().to_string(),
                    source_ip: event.source_ip(),
                    program: (!null_program || !text.is_empty()).then(|| String::from_utf8_lossy(text)),
                    message: String::from_utf8_lossy(text),
                    received_at,
                    generated_at: writer.generated.of(event.generated()).0,
                    display_received_at: shown,
                    source_id: 0,
                    source_name: "",
                    hostname: "",
                    severity: event.severity().and_then(severity),
                    facility: event.facility().and_then(facility),
                };
                let mut wanted = Vec::new();
                json::write(&mut wanted, &told).unwrap();
                assert_eq!(String::from_utf8_lossy(&own), String::from_utf8_lossy(&wanted));
            }
        }
        for value in [0, 9, 10, 12_345, u64::MAX] {
            let mut digits = Vec::new();
            number(&mut digits, value);
            assert_eq!(String::from_utf8(digits).unwrap(), value.to_string());
        }
    }
}
