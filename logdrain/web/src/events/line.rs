//! A line as the page shows it and as the tail says it.

use super::alarm::{Alarm, word};
use super::text::{LogText, Marks};
use super::zone::Zone;
use heroku_metrics::model::Timestamp;
use log_store::{Event, EventId};
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

/// What a message may take of the page; the rest of it is on a page of its own.
const MESSAGE: usize = 3_000;
/// What the one line that was asked for may take.
const WHOLE: usize = 200_000;
/// What a system and a program may take.
const NAME: usize = 600;
/// The most bytes of a page for one line: its texts, names once more as titles, and what stands around them.
pub(super) const LINE: usize = MESSAGE + 4 * NAME + 3_000;
/// The same for the line that was asked for.
pub(super) const WHOLE_LINE: usize = WHOLE + LINE;

/// A line, ready to be shown.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) id: EventId,
    /// The day on which it came, and the time of that day: `2026-11-28`, `21:08:03.114`.
    pub(super) day: String,
    pub(super) time: String,
    pub(super) system: LogText,
    pub(super) program: LogText,
    pub(super) message: LogText,
    alarm: Option<Alarm>,
    severity: Option<u8>,
    hue: Option<&'static str>,
}

impl Line {
    /// What is shown of an event. Its message is shown whole, or nearly so, if it `is_whole`.
    pub(super) fn of(event: &Event<'_>, marks: &Marks, zone: &Zone, is_whole: bool) -> Self {
        let (day, time) = zone.day_and_time(event.id().unix_micros());
        Self {
            id: event.id(),
            day,
            time,
            system: LogText::plain(event.system(), NAME),
            program: LogText::new(event.program(), marks, NAME),
            message: LogText::new(event.message(), marks, if is_whole { WHOLE } else { MESSAGE }),
            alarm: Alarm::of(event),
            severity: event.severity(),
            hue: hue(event.program()),
        }
    }

    /// Its classes in the style sheet.
    pub(super) fn class(&self) -> String {
        let alarm = self.alarm.map(Alarm::class);
        [alarm, self.hue].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// The word for what marks it.
    pub(super) fn word(&self) -> Option<&'static str> {
        match (self.alarm?, self.severity) {
            (_, Some(severity @ 0..=4)) => Some(word(severity)),
            (Alarm::Error, _) => Some("error"),
            (Alarm::Warning, _) => Some("warning"),
        }
    }
}

/// The colour of a program: those of Heroku have their own, and dynos of one kind have the same.
fn hue(program: &[u8]) -> Option<&'static str> {
    const HUES: [Option<&str>; 7] = [None, Some("p1"), Some("p2"), Some("p3"), Some("p4"), Some("p5"), Some("p6")];
    let kind = program.split(|byte| *byte == b'.').next().unwrap_or_default();
    let number = match kind {
        b"heroku/router" => 0,
        b"app/worker" => 1,
        b"app/web" => 2,
        b"app/heroku-postgres" => 4,
        kind if kind.starts_with(b"heroku/") => 3,
        kind => kind.iter().fold(7, |sum: usize, byte| (sum * 31 + usize::from(*byte)) % 9_973) % HUES.len(),
    };
    HUES.get(number).copied().flatten()
}

/// The same as the page, for the script of it. It looks for the id and the day at the front.
impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_struct("Line", 9)?;
        all.serialize_field("id", &self.id.to_string())?;
        all.serialize_field("day", &self.day)?;
        all.serialize_field("time", &self.time)?;
        let class = self.class();
        if !class.is_empty() {
            all.serialize_field("class", &class)?;
        }
        if let Some(word) = self.word() {
            all.serialize_field("word", word)?;
        }
        all.serialize_field("system", &self.system.text())?;
        all.serialize_field("program", &self.program)?;
        all.serialize_field("message", &self.message)?;
        if self.message.is_cut() {
            all.serialize_field("cut", &true)?;
        }
        all.end()
    }
}

/// An event as programs read it, one line of JSON.
///
/// Ids are text, for they do not fit into the numbers of scripts. A message is cut where its JSON would be longer than
/// [`JSON`], and then says how many bytes it has.
#[derive(Debug)]
pub(crate) struct Told<'a>(pub(crate) &'a Event<'a>);

/// The most bytes of a message in JSON.
pub(super) const JSON: usize = 64 << 10;
/// The most bytes of an event in JSON: its message, its names (six bytes for a byte at worst), and what is around them.
pub(super) const TOLD: usize = JSON + 2 * 6 * 255 + 1_024;

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.0;
        let text = |bytes| String::from_utf8_lossy(bytes);
        let (message, is_cut) = within(event.message(), JSON);
        let mut all = serializer.serialize_struct("Event", 10)?;
        all.serialize_field("id", &event.id().to_string())?;
        all.serialize_field("received_at", &Timestamp::from_unix_micros(event.id().unix_micros()).to_string())?;
        all.serialize_field("generated_at", &Timestamp::from_unix_micros(event.generated()).to_string())?;
        all.serialize_field("source_ip", &event.source_ip())?;
        all.serialize_field("system", &text(event.system()))?;
        all.serialize_field("program", &text(event.program()))?;
        all.serialize_field("severity", &event.severity())?;
        all.serialize_field("facility", &event.facility())?;
        all.serialize_field("message", &message)?;
        if is_cut {
            all.serialize_field("message_bytes", &event.message().len())?;
        }
        all.end()
    }
}

/// As much of a text as takes at most `limit` bytes in JSON, and whether that is not all.
fn within(bytes: &[u8], limit: usize) -> (String, bool) {
    let head = bytes.get(..limit).unwrap_or(bytes);
    let mut text = String::from_utf8_lossy(head).into_owned();
    let mut taken = 0;
    let end = text.char_indices().find(|(_, c)| {
        taken += match c {
            '"' | '\\' => 2,
            // Controls and what is hidden are written by their numbers, above U+FFFF by two.
            c if c.is_ascii_graphic() || *c == ' ' => 1,
            c if c.len_utf8() < 4 => 6,
            _ => 12,
        };
        taken > limit
    });
    match end.map(|(at, _)| at) {
        Some(at) => {
            text.truncate(at);
            (text, true)
        }
        None => (text, head.len() < bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maud::Render as _;

    fn hostile() -> Vec<Vec<u8>> {
        let pieces = ["\0", "\u{202e}", "\"", "\\", "<", "\u{e0001}", "\u{1b}[31ma\u{1b}[1mb", "a", "\u{1f680}"];
        let mut all: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.repeat(100_000).into_bytes()).collect();
        all.push(vec![0xff; 200_000]);
        all
    }

    #[test]
    fn a_line_is_bounded_as_it_is_shown_and_as_it_is_said() {
        for text in hostile() {
            let name = &text[..255];
            let event =
                Event::new(EventId::MAX, "default", &text).with_system(name).with_program(name).with_severity(0);
            let mut told = Vec::new();
            logdrain_terms::json::write(&mut told, &Told(&event)).unwrap();
            assert!(told.len() <= TOLD, "{}: {:?}", told.len(), &text[..8]);
            let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
            assert_eq!(told["message_bytes"], text.len());
            let line = Line::of(&event, &Marks::new(["a".to_owned()]), &Zone::utc(), false);
            let mut json = Vec::new();
            logdrain_terms::json::write(&mut json, &line).unwrap();
            assert!(json.len() <= LINE, "{}: {:?}", json.len(), &text[..8]);
            assert!(line.message.is_cut() && line.message.render().into_string().len() <= MESSAGE + 100);
            let whole = Line::of(&event, &Marks::default(), &Zone::utc(), true);
            assert!(whole.message.render().into_string().len() <= WHOLE + 100);
        }
    }

    #[test]
    fn an_event_is_said_as_it_is() {
        let event = Event::new(EventId::at(1_700_000_000_123_000), "default", "é \"q\" \u{1b}[31m".as_bytes())
            .with_system(b"shop")
            .with_program(b"app/web.1")
            .with_severity(3)
            .with_facility(16)
            .with_generated(1_700_000_000_000_001)
            .with_source_ip([192, 0, 2, 7].into());
        assert_eq!(
            serde_json::to_value(Told(&event)).unwrap(),
            serde_json::json!({
                "id": event.id().to_string(), "received_at": "2023-11-14T22:13:20.123000Z",
                "generated_at": "2023-11-14T22:13:20.000001Z", "source_ip": "192.0.2.7", "system": "shop",
                "program": "app/web.1", "severity": 3, "facility": 16, "message": "é \"q\" \u{1b}[31m"
            })
        );
    }

    #[test]
    fn the_script_finds_the_id_and_the_day_at_the_front() {
        let event = Event::new(EventId::at(1_700_000_000_123_000), "default", b"at=error").with_system(b"shop");
        let shown = |event: &Event<'_>| {
            let mut json = Vec::new();
            logdrain_terms::json::write(&mut json, &Line::of(event, &Marks::default(), &Zone::utc(), false)).unwrap();
            String::from_utf8(json).unwrap()
        };
        let router = event.with_program(b"heroku/router").with_severity(6);
        let id = event.id();
        assert_eq!(
            shown(&router),
            format!(
                "{{\"id\":\"{id}\",\"day\":\"2023-11-14\",\"time\":\"22:13:20.123\",\"class\":\"err\",\
                 \"word\":\"error\",\"system\":\"shop\",\"program\":[\"heroku/router\"],\
                 \"message\":[[\"k\",\"at=\"],[\"sx\",\"error\"]]}}"
            )
        );
        let hues = [&b"app/web.1"[..], b"app/web.2", b"app/worker.1", b"heroku/web.1", b"nginx"].map(hue);
        assert_eq!(hues[..4], [Some("p2"), Some("p2"), Some("p1"), Some("p3")]);
    }
}
