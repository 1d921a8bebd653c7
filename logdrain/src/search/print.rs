//! A line that was found, as text or as JSON.

use crate::args::look::Colour;
use crate::search::event::{Event, facility_name, severity_name};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use logdrain_terms::escape;
use logdrain_terms::json;
use serde::Serialize;
use std::io::{self, Write};
use std::net::IpAddr;

/// How lines are written.
#[derive(Debug)]
pub(crate) struct Printer {
    shape: Shape,
    times: Times,
}

#[derive(Debug)]
enum Shape {
    /// `Nov 21 14:14:58 system program: message`
    Text { colour: Colour },
    /// With the zone that was asked for, else in UTC.
    Json { zone: Option<TimeZone> },
}

/// Stands for what a line does not say.
const NONE: &[u8] = b"-";
/// As papertrail-cli has them: cyan, yellow, green, magenta, red.
const COLOURS: [&str; 5] = ["36", "33", "32", "35", "31"];

impl Printer {
    /// Lines of text, times in this zone; coloured or [`Colour::Off`].
    pub(crate) fn text(zone: TimeZone, colour: Colour) -> Self {
        Self { shape: Shape::Text { colour }, times: Times { zone, second: None, text: String::new() } }
    }

    /// Lines of JSON.
    pub(crate) fn json(zone: Option<TimeZone>) -> Self {
        let times = Times { zone: TimeZone::UTC, second: None, text: String::new() };
        Self { shape: Shape::Json { zone }, times }
    }

    /// Whether lines that stand apart in the log are told apart.
    pub(crate) const fn marks_gaps(&self) -> bool {
        matches!(self.shape, Shape::Text { .. })
    }

    /// Writes a line, which is one of the lines around what was found unless it `is_found`.
    ///
    /// # Errors
    /// Those of `out`.
    pub(crate) fn write(&mut self, out: &mut impl Write, event: &Event<'_>, is_found: bool) -> io::Result<()> {
        match &self.shape {
            Shape::Json { zone } => row(out, event, is_found, zone.as_ref()),
            Shape::Text { colour } => {
                let colour = *colour;
                let by = match colour {
                    Colour::Off => None,
                    Colour::Program | Colour::All => Some(event.program),
                    Colour::System => Some(event.system),
                };
                if let Some(name) = by {
                    write!(out, "\x1b[{}m", COLOURS[digest(name) % COLOURS.len()])?;
                }
                match event.received.or(event.generated) {
                    Some(time) => out.write_all(self.times.text(time).as_bytes())?,
                    None => out.write_all(NONE)?,
                }
                out.write_all(b" ")?;
                name(out, event.system)?;
                out.write_all(b" ")?;
                name(out, event.program)?;
                out.write_all(b":")?;
                if by.is_some() && colour != Colour::All {
                    out.write_all(b"\x1b[0m")?;
                }
                out.write_all(b" ")?;
                escape::write_line(out, event.message)?;
                out.write_all(if colour == Colour::All { b"\x1b[0m\n" } else { b"\n" })
            }
        }
    }
}

/// A name has no tabs: columns are told apart by blanks.
fn name(out: &mut impl Write, name: &[u8]) -> io::Result<()> {
    if name.is_empty() {
        out.write_all(NONE)
    } else if name.iter().all(u8::is_ascii_graphic) {
        out.write_all(name)
    } else {
        write!(out, "{}", escape::Escaped(&String::from_utf8_lossy(name)))
    }
}

/// FNV-1a: the same colour in each run.
fn digest(name: &[u8]) -> usize {
    let digest = name.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    // Its low bits alone would give web.1, web.2, … all colours in turn, and so they should.
    digest as usize
}

/// `Nov 21 14:14:58`: most lines have the second of the line before.
#[derive(Debug)]
struct Times {
    zone: TimeZone,
    second: Option<i64>,
    text: String,
}

impl Times {
    fn text(&mut self, unix_micros: i64) -> &str {
        let second = unix_micros.div_euclid(1_000_000);
        if self.second != Some(second) {
            self.second = Some(second);
            self.text.clear();
            match Timestamp::from_second(second) {
                Ok(time) => {
                    self.text = time.to_zoned_datetime(self.zone.clone()).strftime("%b %d %H:%M:%S").to_string()
                }
                Err(_) => self.text.push('-'),
            }
        }
        &self.text
    }
}

/// A line as JSON. What is not known is left out, but for the four that scripts ask for.
#[derive(Serialize)]
struct Row<'a> {
    /// A string: numbers of JSON end at 2^53 in many readers.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received_at: Option<String>,
    generated_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip: Option<IpAddr>,
    system: Option<&'a str>,
    program: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    facility: Option<&'static str>,
    message: &'a str,
    /// Every byte of a message that is no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_base64: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    context: bool,
}

fn row(out: &mut impl Write, event: &Event<'_>, is_found: bool, zone: Option<&TimeZone>) -> io::Result<()> {
    let [system, program, message] = [event.system, event.program, event.message].map(String::from_utf8_lossy);
    let row = Row {
        id: event.id.map(|id| id.to_string()),
        received_at: event.received.and_then(|time| moment(time, zone)),
        generated_at: event.generated.and_then(|time| moment(time, zone)),
        source_ip: event.source_ip,
        system: Some(&*system).filter(|name| !name.is_empty()),
        program: Some(&*program).filter(|name| !name.is_empty()),
        severity: event.severity.and_then(severity_name),
        facility: event.facility.and_then(facility_name),
        message: &message,
        message_base64: std::str::from_utf8(event.message).is_err().then(|| STANDARD.encode(event.message)),
        context: !is_found,
    };
    json::line(out, &row)
}

/// RFC 3339, microseconds.
fn moment(unix_micros: i64, zone: Option<&TimeZone>) -> Option<String> {
    let time = Timestamp::from_microsecond(unix_micros).ok()?;
    Some(match zone {
        None => time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        Some(zone) => time.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string(),
    })
}
