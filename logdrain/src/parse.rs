//! `logdrain parse`: every frame as one JSON line.

use crate::args::ParseArgs;
use crate::input::{self, Items, RenderedLine};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use heroku_metrics::logfmt::{self, Directive};
use heroku_metrics::model::{Observation, Record, Unit};
use heroku_metrics::router::{PlatformError, RouterLine};
use heroku_metrics::syslog::{Dialect, Frame, FrameError, FramingError, RawFrame};
use heroku_metrics::{Class, Extractor, LineRefusal, LineVisitor, Source};
use log_archive::{Row, facility_number, severity_number};
use logdrain_terms::failure::{Failure, Status};
use logdrain_terms::number;
use serde_json::{Map, Value, json};
use std::io::{BufWriter, Stdout, Write};

pub(crate) fn run(args: &ParseArgs) -> Result<Status, Failure> {
    let mut printer = Printer {
        out: BufWriter::new(std::io::stdout()),
        extractor: Extractor::new(args.input.extractor()),
        dialect: args.input.dialect(),
        pairs: args.pairs,
        bad: false,
    };
    let mut status = Status::Done;
    for path in &args.input.files {
        if input::read(path, &args.input, false, &mut printer)?.is_bad() {
            status = Status::BadInput;
        }
    }
    printer.out.flush()?;
    if args.input.strict && printer.bad {
        status = Status::BadInput;
    }
    Ok(status)
}

/// How many bytes of a line that could not be read are shown.
const SHOWN: usize = 200;

struct Printer {
    out: BufWriter<Stdout>,
    extractor: Extractor,
    dialect: Dialect,
    pairs: bool,
    bad: bool,
}

impl Items for Printer {
    fn frame(&mut self, raw: RawFrame<'_>) -> Result<(), Failure> {
        let parsed = raw.parse(self.dialect);
        let message_at = parsed.as_ref().map_or(0, |frame| raw.message_offset() + frame.message_offset() as u64);
        let row = self.parsed(parsed, (raw.offset(), message_at, raw.bytes().len()), None);
        self.print(&row.into())
    }

    fn lost_framing(&mut self, error: &FramingError) -> Result<(), Failure> {
        self.bad = true;
        let what = json!({
            "kind": error.kind().as_str(), "message": error.to_string(), "at": error.offset(), "skipped": error.skipped(),
        });
        self.print(&json!({"offset": error.start(), "framing_error": what}))
    }

    fn line(&mut self, line: RenderedLine<'_>) -> Result<(), Failure> {
        let row = self.text(line);
        self.print(&row.into())
    }

    fn row(&mut self, row: &Row<'_>, line: RenderedLine<'_>) -> Result<(), Failure> {
        let mut printed = self.text(line);
        // What the row does not say is not on the line either.
        let is_prioritised =
            facility_number(row.facility_name()).is_some() && severity_number(row.severity_name()).is_some();
        if let Some(Value::Object(header)) = printed.get_mut("header").filter(|_| !is_prioritised) {
            header.retain(|key, _| !matches!(key.as_str(), "pri" | "facility" | "severity" | "version"));
        }
        if row.id() > 0 {
            let received = jiff::Timestamp::from_microsecond(row.received_at()).ok();
            let archive = json!({
                "id": row.id().to_string(), "received_at": received.map(|time| time.to_string()),
                "source_id": row.source_id(), "source_name": text(row.source_name()), "source_ip": text(row.source_ip()),
            });
            printed.insert("archive".into(), archive);
        }
        self.print(&printed.into())
    }

    fn left_out(&mut self, _: u64, is_bad: bool) {
        self.bad |= is_bad;
    }

    fn separators(&mut self, _: u64) {}

    fn pause(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}

impl Printer {
    fn print(&mut self, value: &Value) -> Result<(), Failure> {
        Ok(logdrain_terms::json::line(&mut self.out, value)?)
    }

    fn text(&mut self, line: RenderedLine<'_>) -> Map<String, Value> {
        // The frame of a row is another text than the line: a place in it is none in the input.
        let is_row = line.message_at.is_some();
        let parsed = if is_row { line.parsed } else { line.parsed.map_err(|error| error.shifted(line.offset)) };
        let of_frame = parsed.as_ref().map_or(0, |frame| line.offset + frame.message_offset() as u64);
        let message_at = line.message_at.unwrap_or(of_frame);
        self.parsed(parsed, (line.offset, message_at, line.bytes.len()), Some((line.number, line.bytes)))
    }

    /// `line`: its number and bytes, where the input is text. `offset` and `len` of the frame, and where its message
    /// begins, in the input.
    fn parsed(
        &mut self,
        parsed: Result<Frame<'_>, FrameError>,
        (offset, message_at, len): (u64, u64, usize),
        line: Option<(u64, &[u8])>,
    ) -> Map<String, Value> {
        let mut row = Map::new();
        row.insert("offset".into(), offset.into());
        row.insert("len".into(), len.into());
        match parsed {
            Ok(frame) => self.describe(&frame, message_at, &mut row),
            Err(error) => {
                self.bad = true;
                let mut what =
                    json!({"kind": error.kind().as_str(), "message": error.to_string(), "at": error.offset()});
                // In a text, a number is what an editor goes to.
                if let Some((number, bytes)) = line {
                    what["line"] = number.into();
                    what["text"] = text(&bytes[..bytes.len().min(SHOWN)]);
                }
                row.insert("frame_error".into(), what);
            }
        }
        row
    }

    fn describe(&mut self, frame: &Frame<'_>, message_at: u64, row: &mut Map<String, Value>) {
        row.insert("header".into(), header(frame));
        let message = frame.message();
        match std::str::from_utf8(message) {
            Ok(text) => row.insert("msg".into(), text.into()),
            Err(_) => row.insert("msg_b64".into(), STANDARD.encode(message).into()),
        };
        let mut found = Found { message, line_start: message_at, ..Found::default() };
        let line = self.extractor.read(frame, &mut found);
        row.insert("class".into(), line.class().as_str().into());
        if self.pairs {
            row.insert("pairs".into(), pairs(Source::of_frame(frame), &mut found));
        }
        if let Some(router) = line.router() {
            row.insert("router".into(), router_fields(router));
        }
        if let Some(error) = line.error() {
            row.insert("error".into(), platform_error(error));
        }
        let tags = own_tags(frame, line.class());
        for (key, value) in [
            ("tags", Value::from(tags)),
            ("observations", found.observations.into()),
            ("refused", found.refused.into()),
        ] {
            let empty = value.as_array().map_or_else(|| value.as_object().is_some_and(Map::is_empty), Vec::is_empty);
            if !empty {
                row.insert(key.into(), value);
            }
        }
    }
}

/// What the extractor found in one line.
#[derive(Default)]
struct Found<'a> {
    message: &'a [u8],
    line_start: u64,
    observations: Vec<Value>,
    refused: Vec<Value>,
}

impl Found<'_> {
    fn refuse(&mut self, kind: &str, text: &[u8], offset: usize) {
        let text = String::from_utf8_lossy(text);
        self.refused.push(json!({"kind": kind, "text": text, "offset": self.line_start + offset as u64}));
    }
}

impl Found<'_> {
    fn observe(&mut self, observation: &Observation<'_>) {
        let mut row = Map::new();
        row.insert("kind".into(), observation.kind().as_str().into());
        row.insert("name".into(), observation.name().into());
        row.insert("value".into(), number::json(observation.value().number()));
        if observation.value().unit() != Unit::NONE {
            row.insert("unit".into(), observation.value().unit().as_str().into());
        }
        let tags: Map<_, _> = observation.tags().iter().map(|(key, value)| (key.into(), value.into())).collect();
        row.insert("tags".into(), tags.into());
        self.observations.push(row.into());
    }
}

impl LineVisitor for Found<'_> {
    fn record(&mut self, record: &Record<'_>) {
        record.observations().for_each(|observation| self.observe(&observation));
    }

    fn refusal(&mut self, refusal: &LineRefusal) {
        self.refuse(refusal.reason().as_str(), refusal.text(self.message), refusal.offset());
    }
}

fn header(frame: &Frame<'_>) -> Value {
    let mut row = Map::new();
    // A line of `heroku logs` text has no PRI, VERSION, HOSTNAME or MSGID, and so neither do its keys stand here.
    if let Some(pri) = frame.pri() {
        row.insert("pri".into(), pri.value().into());
        row.insert("facility".into(), pri.facility().into());
        row.insert("severity".into(), pri.severity().into());
        row.insert("version".into(), frame.version().into());
    }
    row.insert("timestamp".into(), frame.timestamp_text().into());
    row.insert("unix_us".into(), frame.timestamp().map(|time| time.unix_micros()).into());
    if frame.pri().is_some() {
        row.insert("hostname".into(), frame.hostname().into());
    }
    row.insert("app_name".into(), frame.app_name().into());
    row.insert("proc_id".into(), frame.proc_id().into());
    if frame.pri().is_some() {
        row.insert("msg_id".into(), frame.msg_id().into());
        row.insert("structured_data".into(), frame.structured_data().map(|data| data.as_str()).into());
    }
    row.into()
}

fn text(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into()
}

/// All pairs of the line, quotes undone; a quote that the line's end closes is a refusal too. Words alone are keys without a
/// value in an app's logfmt; the platform's sentences are text.
fn pairs(source: Source, found: &mut Found<'_>) -> Value {
    let message = found.message;
    let mut all = Vec::new();
    let is_apps = matches!(source, Source::App | Source::Sender);
    if !is_apps && logfmt::pairs(message).all(|pair| pair.value().is_none()) {
        return all.into();
    }
    for pair in logfmt::pairs(message) {
        all.push(json!([text(pair.key()), pair.unescaped().map(|value| text(&value))]));
        let custom = [&b"count#"[..], b"measure#", b"sample#", b"tag#"].iter().any(|word| pair.key().starts_with(word));
        if !pair.is_terminated() && !custom {
            found.refuse("unterminated_quote", &message[pair.offset()..], pair.offset());
        }
    }
    all.into()
}

/// The line's own keys, times as `_ms`; `null` where a key stood without a value, or with one that was refused.
fn router_fields(router: &RouterLine<'_>) -> Value {
    let mut row = Map::new();
    for field in router.fields() {
        let Some(raw) = field.value() else { continue };
        let name = String::from_utf8_lossy(field.name());
        let number = |value: Option<f64>| value.map_or(Value::Null, number::json);
        let (key, value) = match &*name {
            "connect" => ("connect_ms".into(), number(router.connect_ms())),
            "service" => ("service_ms".into(), number(router.service_ms())),
            "wait" => ("wait_ms".into(), number(router.wait_ms())),
            "queue" => (name.clone(), router.queue().into()),
            "status" => (name.clone(), router.status().into()),
            "bytes" => (name.clone(), router.bytes().into()),
            "tls" => (name.clone(), router.tls().into()),
            _ if raw.is_empty() && !field.is_quoted() => (name.clone(), Value::Null),
            _ => (name.clone(), field.unescaped().map(|value| text(&value)).into()),
        };
        // The first of a repeated key stands.
        row.entry(key).or_insert(value);
    }
    row.into()
}

fn platform_error(error: &PlatformError<'_>) -> Value {
    let mut row = Map::new();
    row.insert("code".into(), error.code().as_str().into());
    for (key, value) in [
        ("description", error.description().map(Value::from)),
        ("detail", error.detail().map(Value::from)),
        ("count", error.count().map(Value::from)),
        ("since", error.since().map(Value::from)),
        ("drain", error.drain().map(Value::from)),
    ] {
        if let Some(value) = value {
            row.insert(key.into(), value);
        }
    }
    row.into()
}

/// The tags that stand on the line, as written; the first of a repeated key.
fn own_tags(frame: &Frame<'_>, class: Class) -> Map<String, Value> {
    let mut tags = Map::new();
    match class {
        Class::Custom => {
            for directive in logfmt::directives(frame.message()) {
                if let Ok(Directive::Tag(tag)) = directive {
                    tags.entry(tag.key()).or_insert_with(|| tag.value().into());
                }
            }
        }
        Class::Runtime
        | Class::Postgres
        | Class::Redis
        | Class::PgBouncer
        | Class::UnreadRuntime
        | Class::UnreadDatabase
        | Class::OneOff => {
            for pair in logfmt::pairs(frame.message()) {
                if let (b"source" | b"dyno" | b"addon", Some(value)) = (pair.key(), pair.value()) {
                    tags.entry(String::from_utf8_lossy(pair.key())).or_insert_with(|| text(value));
                }
            }
        }
        _ => {}
    }
    tags
}
