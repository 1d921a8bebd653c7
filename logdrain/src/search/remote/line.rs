//! A line as a server tells it, in the shape of either API.

use crate::search::around::Kept;
use crate::search::event::Event;
use jiff::Timestamp;
use log_archive::{facility_number, severity_number};
use log_store::EventId;
use serde::{Deserialize, Deserializer};
use std::net::IpAddr;

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Line {
    #[serde(deserialize_with = "id")]
    id: u64,
    #[serde(default, deserialize_with = "time")]
    generated_at: Option<i64>,
    #[serde(default)]
    source_ip: Option<IpAddr>,
    #[serde(alias = "source_name", default)]
    system: String,
    #[serde(default)]
    program: Option<String>,
    #[serde(default)]
    severity: Option<Level>,
    #[serde(default)]
    facility: Option<Level>,
    #[serde(default)]
    message: String,
}

/// A severity or a facility: `Info` in one API, 6 in the other.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Level {
    Number(u8),
    Name(String),
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| serde::de::Error::custom("an id is a number"))
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| text.parse::<Timestamp>().ok()).map(Timestamp::as_microsecond))
}

impl Line {
    pub(super) fn system(&self) -> &[u8] {
        self.system.as_bytes()
    }

    /// About how much it takes.
    pub(super) fn size(&self) -> usize {
        200 + self.message.len()
    }
}

impl Kept for Line {
    fn id(&self) -> u64 {
        self.id
    }

    fn event(&self) -> Event<'_> {
        let number = |level: &Option<Level>, of: fn(&[u8]) -> Option<u8>| match level {
            Some(Level::Number(number)) => Some(*number),
            Some(Level::Name(name)) => of(name.as_bytes()),
            None => None,
        };
        Event {
            id: Some(self.id),
            // The id is the time of its arrival, and a number besides; texts of times may lack what is below a second.
            received: Some(EventId::new(self.id).unix_micros()),
            generated: self.generated_at,
            source_ip: self.source_ip,
            system: self.system.as_bytes(),
            program: self.program.as_deref().unwrap_or_default().as_bytes(),
            severity: number(&self.severity, severity_number),
            facility: number(&self.facility, facility_number),
            message: self.message.as_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_apis_tell_the_same_line() {
        let id = (1_795_904_098_123_u64 << 20) | 512;
        let classic = serde_json::json!({
            "id": id.to_string(), "source_ip": "192.0.2.7", "program": "app/web.1", "message": "hi",
            "received_at": "2026-11-28T22:14:58+00:00", "generated_at": "2026-11-28T22:14:57+00:00",
            "display_received_at": "Nov 28 22:14:58", "source_id": 7, "source_name": "shop", "hostname": "shop",
            "severity": "Info", "facility": "Local3",
        });
        let ours = serde_json::json!({
            "id": id.to_string(), "source_ip": "192.0.2.7", "program": "app/web.1", "message": "hi",
            "received_at": "2026-11-28T22:14:58.123000Z", "generated_at": "2026-11-28T22:14:57.000000Z",
            "system": "shop", "severity": 6, "facility": 19,
        });
        for told in [classic, ours] {
            let line: Line = serde_json::from_value(told).unwrap();
            let event = line.event();
            assert_eq!((event.received, event.generated), (Some(1_795_904_098_123_000), Some(1_795_904_097_000_000)));
            assert_eq!((event.system, event.program, event.message), (&b"shop"[..], &b"app/web.1"[..], &b"hi"[..]));
            assert_eq!((event.severity, event.facility), (Some(6), Some(19)));
        }
        let bare: Line =
            serde_json::from_str(r#"{"id":"7","program":null,"severity":null,"generated_at":"soon"}"#).unwrap();
        assert_eq!((bare.event().program, bare.event().severity, bare.event().generated), (&b""[..], None, None));
        assert!(serde_json::from_str::<Line>(r#"{"id":"seven"}"#).is_err());
    }
}
