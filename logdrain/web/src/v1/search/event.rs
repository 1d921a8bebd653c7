//! A page as JSON, written event by event.

use super::page::Page;
use super::systems::{Named, Systems};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use log_store::Event;
use logdrain_terms::json;
use serde::Serialize;
use std::io;
use std::net::IpAddr;

/// Severities and facilities as this API names them.
const SEVERITIES: [&str; 8] = ["Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Info", "Debug"];
const FACILITIES: [&str; 24] = [
    "Kern", "User", "Mail", "Daemon", "Auth", "Syslog", "Lpr", "News", "Uucp", "Cron", "Authpriv", "Ftp", "Ntp",
    "Audit", "Alert", "Clock", "Local0", "Local1", "Local2", "Local3", "Local4", "Local5", "Local6", "Local7",
];

/// `Info` of 6.
pub(super) fn severity(number: u8) -> Option<&'static str> {
    SEVERITIES.get(usize::from(number)).copied()
}

/// `Local3` of 19.
pub(super) fn facility(number: u8) -> Option<&'static str> {
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

    /// Writes `"2026-11-28T21:08:03+00:00"`, or with its fraction `"2026-11-28T21:08:03.123456+00:00"`; and hands the other
    /// text out.
    fn write(&mut self, to: &mut Vec<u8>, unix_micros: i64, has_fraction: bool) -> &str {
        let (iso, shown) = self.of(unix_micros);
        to.push(b'"');
        match iso.split_at_checked(19).filter(|_| has_fraction) {
            Some((second, zone)) => {
                to.extend_from_slice(second.as_bytes());
                // Behind its 1, a million and the fraction are the six digits of it.
                let from = to.len();
                number(to, 1_000_000 + unix_micros.rem_euclid(1_000_000).unsigned_abs());
                if let Some(one) = to.get_mut(from) {
                    *one = b'.';
                }
                to.extend_from_slice(zone.as_bytes());
            }
            None => to.extend_from_slice(iso.as_bytes()),
        }
        to.push(b'"');
        shown
    }
}

/// What events of one sender have alike, as it stands in each of them.
#[derive(Debug, Default)]
struct Alike {
    system: Vec<u8>,
    program: Vec<u8>,
    severity: Option<u8>,
    facility: Option<u8>,
    source_ip: Option<IpAddr>,
    /// From the address to the beginning of the message, and from the name of the system to the end: nothing before the
    /// first event.
    before: Vec<u8>,
    behind: Vec<u8>,
}

impl Alike {
    fn is_of(&self, event: &Event<'_>) -> bool {
        !self.before.is_empty()
            && self.program == event.program()
            && self.system == event.system()
            && self.source_ip == event.source_ip()
            && self.severity == event.severity()
            && self.facility == event.facility()
    }

    fn learn(&mut self, event: &Event<'_>, system: Option<&Named>, null_program: bool) {
        event.system().clone_into(&mut self.system);
        event.program().clone_into(&mut self.program);
        (self.severity, self.facility) = (event.severity(), event.facility());
        self.source_ip = event.source_ip();
        let to = &mut self.before;
        to.clear();
        to.extend_from_slice(b"\",\"source_ip\":");
        match event.source_ip() {
            Some(address) => json::string(to, address.to_canonical().to_string().as_bytes()),
            None => to.extend_from_slice(b"null"),
        }
        to.extend_from_slice(b",\"program\":");
        match null_program && event.program().is_empty() {
            true => to.extend_from_slice(b"null"),
            false => json::string(to, event.program()),
        }
        to.extend_from_slice(b",\"message\":");
        let to = &mut self.behind;
        to.clear();
        to.extend_from_slice(b",\"source_id\":");
        number(to, system.map_or(0, |system| u64::from(system.id)));
        for (key, text) in [
            (&b",\"source_name\":"[..], system.map_or("", |system| &system.shown)),
            (b",\"hostname\":", system.map_or("", |system| &system.name)),
        ] {
            to.extend_from_slice(key);
            json::string(to, text.as_bytes());
        }
        for (key, word) in [
            (&b",\"severity\":"[..], event.severity().and_then(severity)),
            (b",\"facility\":", event.facility().and_then(facility)),
        ] {
            to.extend_from_slice(key);
            match word {
                Some(word) => json::string(to, word.as_bytes()),
                None => to.extend_from_slice(b"null"),
            }
        }
        to.push(b'}');
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
    /// The sender of the last event: many come from one.
    alike: Alike,
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
            alike: Alike::default(),
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

    /// Writes it behind what is there. Behind each event `full` may take what was written so far.
    ///
    /// # Errors
    /// Those of `full`.
    pub(super) fn write(
        &mut self,
        to: &mut Vec<u8>,
        mut full: impl FnMut(&mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        let page = self.page;
        to.extend_from_slice(b"{\"events\":[");
        for (number, event) in page.events.iter().enumerate() {
            if number > 0 {
                to.push(b',');
            }
            self.event(to, &event);
            full(to)?;
        }
        to.extend_from_slice(b"],");
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
        to.extend_from_slice(rest.get(1..).unwrap_or_default());
        full(to)
    }

    /// One event, its keys in the order that clients have seen ever. Most of a walk is this: nothing is allocated for it, and
    /// what it has in common with the one before is copied.
    fn event(&mut self, to: &mut Vec<u8>, event: &Event<'_>) {
        if !self.alike.is_of(event) {
            self.alike.learn(event, self.systems.get(event.system()), self.null_program);
        }
        to.extend_from_slice(b"{\"id\":\"");
        number(to, event.id().get());
        to.extend_from_slice(&self.alike.before);
        json::string(to, event.message());
        to.extend_from_slice(b",\"received_at\":");
        let shown = self.received.write(to, event.id().unix_micros(), self.has_fractions);
        to.extend_from_slice(b",\"generated_at\":");
        self.generated.write(to, event.generated(), self.has_fractions);
        to.extend_from_slice(b",\"display_received_at\":\"");
        to.extend_from_slice(shown.as_bytes());
        to.push(b'"');
        to.extend_from_slice(&self.alike.behind);
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
    use crate::v1::lines::Lines;
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
            events: Lines::default(),
            min_id: 0,
            max_id: 0,
            min_time_at: 0,
            max_time_at: 0,
            reached_beginning: false,
            reached_end: false,
            reached_record_limit: false,
            reached_time_limit: false,
            is_partial: false,
            is_away: false,
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
                writer.event(&mut own, &event);
                // Again, as one of the same sender.
                let first = std::mem::take(&mut own);
                writer.event(&mut own, &event);
                assert_eq!(first, own);
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
