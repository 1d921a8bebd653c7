//! What a line says, one value at a time: `key=value` pairs, or the object of JSON that it is, and what is known of it
//! besides its text. Each value can be searched for, and left out.

use super::alarm::word;
use super::query::term;
use super::text::LogText;
use super::zone::Zone;
use heroku_metrics::logfmt;
use log_store::Event;
use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use serde_json::Value;

/// The most values, and what one and all of them may take of a page.
const MOST: usize = 100;
const VALUE: usize = 2_000;
const ALL: usize = 48 << 10;
/// The longest key.
const KEY: usize = 100;
/// The longest text that a value is searched for by.
const TERM: usize = 300;
/// How deep objects are opened.
const DEPTH: usize = 6;

/// A value under its name.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) key: LogText,
    pub(super) value: LogText,
    /// What finds lines that say the same.
    pub(super) term: Option<String>,
}

/// What a line says.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) all: Vec<Field>,
    /// Finds the lines of the same request.
    pub(super) request: Option<String>,
    taken: usize,
}

impl Fields {
    pub(super) fn of(event: &Event<'_>, zone: &Zone) -> Self {
        let mut fields = Self::default();
        let message = String::from_utf8_lossy(event.message());
        match object(&message) {
            Some(object) => fields.object("", &object, &message, 0),
            None => fields.pairs(event.message()),
        }
        let text = |bytes| String::from_utf8_lossy(bytes);
        fields.add("system", event.system(), Some(format!("sender:{}", term(&text(event.system())))));
        fields.add("program", event.program(), Some(format!("program:{}", term(&text(event.program())))));
        if let Some(severity) = event.severity() {
            fields.add("severity", word(severity).as_bytes(), Some(format!("severity:{severity}")));
        }
        fields.add("received", zone.whole(event.id().unix_micros()).as_bytes(), None);
        fields.add("generated", zone.whole(event.generated()).as_bytes(), None);
        if let Some(ip) = event.source_ip() {
            fields.add("address", ip.to_string().as_bytes(), Some(format!("ip:{ip}")));
        }
        fields
    }

    fn add(&mut self, key: &str, value: &[u8], term: Option<String>) {
        if self.all.len() >= MOST || self.taken >= ALL || value.is_empty() {
            return;
        }
        let (key, value) = (LogText::plain(key.as_bytes(), KEY), LogText::plain(value, VALUE));
        self.taken += value.text().len() + key.text().len() + 64;
        self.all.push(Field { key, value, term: term.filter(|term| term.len() <= TERM) });
    }

    fn pairs(&mut self, message: &[u8]) {
        for pair in logfmt::pairs(message) {
            let is_key = |key: &[u8]| {
                !key.is_empty()
                    && key.len() <= KEY
                    && key.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.#-@/".contains(byte))
            };
            let (Some(value), true) = (pair.unescaped(), is_key(pair.key())) else { continue };
            // As it stands in the line, so that it is found there.
            let own = message.get(pair.range()).map(String::from_utf8_lossy);
            let key = String::from_utf8_lossy(pair.key());
            self.note_request(&key, &String::from_utf8_lossy(&value));
            self.add(&key, &value, own.map(|own| term(&own)));
        }
    }

    fn object(&mut self, path: &str, value: &Value, message: &str, depth: usize) {
        let Value::Object(object) = value else { return };
        for (key, value) in object {
            if self.all.len() >= MOST || self.taken >= ALL {
                return;
            }
            let name = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let text = match value {
                Value::Object(inner) if !inner.is_empty() && depth < DEPTH && name.len() <= KEY => {
                    self.object(&name, value, message, depth + 1);
                    continue;
                }
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            self.note_request(key, &text);
            let quoted = Value::String(key.clone()).to_string();
            let own = ["", " "].map(|blank| format!("{quoted}:{blank}{value}"));
            let own = own.into_iter().find(|own| own.len() <= TERM && message.contains(own.as_str()));
            self.add(&name, text.as_bytes(), Some(term(own.as_deref().unwrap_or(&text))));
        }
    }

    /// The lines of a request have its number in common, whatever else they say.
    fn note_request(&mut self, key: &str, value: &str) {
        let is_request = ["request_id", "requestId", "request-id", "req_id"].contains(&key);
        if is_request && (8..=TERM).contains(&value.len()) && self.request.is_none() {
            self.request = Some(term(value));
        }
    }
}

/// The object that a line is, or that it ends with.
fn object(message: &str) -> Option<Value> {
    let at = message.find('{')?;
    let before = message.get(..at)?;
    // What has pairs in front of it is no object with a word before it.
    if before.contains('=') {
        return None;
    }
    serde_json::from_str::<Value>(message.get(at..)?.trim_end())
        .ok()
        .filter(|value| value.as_object().is_some_and(|all| !all.is_empty()))
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_struct("Field", 3)?;
        all.serialize_field("key", &self.key)?;
        all.serialize_field("value", &self.value)?;
        all.serialize_field("term", &self.term)?;
        all.end()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_struct("Fields", 2)?;
        all.serialize_field("fields", &self.all)?;
        all.serialize_field("request", &self.request)?;
        all.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log_store::{EventId, Query};

    fn fields(message: &str) -> Vec<(String, String, Option<String>)> {
        let event = Event::new(EventId::at(1_700_000_000_000_000), "default", message.as_bytes())
            .with_system(b"shop")
            .with_program(b"heroku/router")
            .with_severity(6);
        let fields = Fields::of(&event, &Zone::utc());
        for term in fields.all.iter().filter_map(|field| field.term.as_ref()) {
            let seen = log_query::Fields::new(b"shop", b"heroku/router", message.as_bytes()).with_severity(6);
            assert!(Query::parse(term).query().matches(&seen), "{message}: {term}");
        }
        let text = |text: &LogText| text.text().into_owned();
        fields.all.iter().map(|field| (text(&field.key), text(&field.value), field.term.clone())).collect()
    }

    #[test]
    fn pairs_are_told_and_found_again() {
        let all = fields("at=error code=H12 desc=\"Request timeout\" path=\"/a?q=\\\"x\\\"\" word fwd=");
        let of = |key: &str| {
            all.iter().find(|(name, ..)| name == key).map(|(_, value, term)| (value.as_str(), term.as_deref()))
        };
        assert_eq!(of("code"), Some(("H12", Some("code=H12"))));
        assert_eq!(of("desc"), Some(("Request timeout", Some("\"desc=\\\"Request timeout\\\"\""))));
        assert_eq!(of("path").unwrap().0, "/a?q=\"x\"");
        assert_eq!((of("word"), of("fwd")), (None, None));
        assert_eq!(of("system"), Some(("shop", Some("sender:shop"))));
        assert_eq!(of("program"), Some(("heroku/router", Some("program:heroku/router"))));
        assert_eq!(of("severity"), Some(("info", Some("severity:6"))));
        assert_eq!(of("received"), Some(("2023-11-14T22:13:20+00:00", None)));
    }

    #[test]
    fn objects_are_opened() {
        let all = fields(r#"INFO {"user": "ann \"x\"", "order":{"id":88121,"items":[1,2]},"ok":true,"none":null}"#);
        let told: Vec<_> = all.iter().map(|(key, value, _)| (key.as_str(), value.as_str())).take(5).collect();
        assert_eq!(
            told,
            [("user", "ann \"x\""), ("order.id", "88121"), ("order.items", "[1,2]"), ("ok", "true"), ("none", "null")]
        );
        assert_eq!(all[1].2.as_deref(), Some("\"\\\"id\\\":88121\""));
        assert!(fields("{not json} a=b").iter().any(|(key, ..)| key == "a"));
    }

    #[test]
    fn no_line_has_too_many() {
        let pairs: String = (0..5_000).map(|n| format!("key{n}=value ")).collect();
        let deep = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
        let wide: String = format!(
            "{{{}\"z\":1}}",
            (0..5_000).map(|n| format!("\"k{n}\":\"{}\",", "\u{202e}".repeat(999))).collect::<String>()
        );
        for line in [pairs, deep, wide, format!("a={}", "<\0".repeat(300_000))] {
            let event = Event::new(EventId::MAX, "default", line.as_bytes());
            let mut json = Vec::new();
            logdrain_terms::json::write(&mut json, &Fields::of(&event, &Zone::utc())).unwrap();
            assert!(json.len() < 256 << 10, "{}", json.len());
        }
    }
}
