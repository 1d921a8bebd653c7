//! The lines, and the table of goals.

use crate::ACCOUNT;
use heroku_syslog::{Dialect, Frames};
use log_store::{Event, EventId, Store};
use memchr::memmem;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use testkit::traffic::Traffic;

/// A line in so many says that a database cannot be reached.
const BAD: usize = 1_000;

/// Lines of a large application, as events.
pub(crate) struct Rows {
    body: Vec<u8>,
    pub(crate) events: Vec<Row>,
    /// What is behind the bytes that the generator wrote.
    added: Vec<u8>,
    pub(crate) raw: usize,
    pub(crate) text: usize,
    /// A request id that one line in the middle has.
    pub(crate) unique: String,
}

/// One of them: where its parts lie in the body.
pub(crate) struct Row {
    id: u64,
    generated: i64,
    app: Range<u32>,
    process: Range<u32>,
    message: Range<u32>,
    /// The message lies in what was added.
    is_added: bool,
    severity: u8,
    facility: u8,
    /// Where the frame ends in the body.
    end: u32,
}

impl Row {
    pub(crate) const fn id(&self) -> EventId {
        EventId::new(self.id)
    }
}

impl Rows {
    pub(crate) fn generate(bytes: usize) -> Result<Self, String> {
        if bytes > u32::MAX as usize {
            return Err("--bytes: at most 3g".to_owned());
        }
        let body = Traffic::new(7).bytes(bytes).scale(75).generate().body().to_vec();
        let (mut events, mut added, mut text, mut last) = (Vec::new(), Vec::new(), 0, 0);
        let mut unique = String::new();
        for raw in Frames::new(&body) {
            let raw = raw.map_err(|error| error.to_string())?;
            let frame = raw.parse(Dialect::Logplex).map_err(|error| error.to_string())?;
            let within = |part: &[u8]| {
                let start = part.as_ptr().addr().saturating_sub(body.as_ptr().addr());
                if part.is_empty() { 0..0 } else { start as u32..(start + part.len()) as u32 }
            };
            let generated = frame.timestamp().map_or(0, |time| time.unix_micros());
            let id = (last + 256).max(EventId::at(generated).get());
            last = id;
            let trimmed = frame.message().trim_ascii_end();
            let mut message = within(trimmed);
            let number = events.len();
            let is_bad = number % BAD == BAD / 2;
            let is_zebra = number == 7_777;
            if is_bad || is_zebra {
                let start = added.len() as u32;
                added.extend_from_slice(trimmed);
                added.extend_from_slice(if is_zebra { b" Zebra Crossing" } else { b" PG::ConnectionBad" });
                message = start..added.len() as u32;
            }
            text += message.len();
            if raw.offset() as usize > bytes / 2
                && unique.is_empty()
                && let Some(at) = memmem::find(trimmed, b"request_id=")
            {
                unique = String::from_utf8_lossy(&trimmed[at + 11..at + 47]).into_owned();
            }
            let pri = frame.pri().ok_or("a frame without PRI")?;
            events.push(Row {
                id,
                generated,
                app: within(frame.app_name().unwrap_or_default().as_bytes()),
                process: within(frame.proc_id().unwrap_or_default().as_bytes()),
                message,
                is_added: is_bad || is_zebra,
                severity: pri.severity(),
                facility: pri.facility(),
                end: within(raw.bytes()).end,
            });
        }
        Ok(Self { raw: body.len(), body, events, added, text, unique })
    }

    /// The first so many bytes of them.
    pub(crate) fn first(&self, bytes: usize) -> Self {
        let bytes = bytes.min(self.body.len());
        let body = self.body[..bytes].to_vec();
        let count = self.events.partition_point(|row| row.end as usize <= bytes);
        let mut rows =
            Self { raw: bytes, body, events: Vec::new(), added: self.added.clone(), text: 0, unique: String::new() };
        for row in &self.events[..count] {
            rows.text += row.message.len();
            let Row { id, generated, severity, facility, is_added, end, .. } = *row;
            let (app, process, message) = (row.app.clone(), row.process.clone(), row.message.clone());
            rows.events.push(Row { id, generated, app, process, message, is_added, severity, facility, end });
        }
        if let Some(row) = rows.events.iter().skip(count / 2).find(|row| rows.is_request(row)) {
            let message = rows.message(row);
            let at = memmem::find(message, b"request_id=").unwrap_or(0) + 11;
            rows.unique = String::from_utf8_lossy(&message[at..at + 36]).into_owned();
        }
        rows
    }

    fn is_request(&self, row: &Row) -> bool {
        memmem::find(self.message(row), b"request_id=").is_some()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn message(&self, row: &Row) -> &[u8] {
        let of = if row.is_added { &self.added } else { &self.body };
        &of[row.message.start as usize..row.message.end as usize]
    }

    pub(crate) fn program(&self, row: &Row, program: &mut Vec<u8>) {
        program.clear();
        program.extend_from_slice(&self.body[row.app.start as usize..row.app.end as usize]);
        program.push(b'/');
        program.extend_from_slice(&self.body[row.process.start as usize..row.process.end as usize]);
    }

    pub(crate) fn append(&self, store: &mut Store, rows: &[Row]) -> Result<(), String> {
        let mut program = Vec::new();
        for row in rows {
            self.program(row, &mut program);
            let event = Event::new(row.id(), ACCOUNT, self.message(row))
                .with_system(b"shop")
                .with_program(&program)
                .with_severity(row.severity)
                .with_facility(row.facility)
                .with_generated(row.generated)
                .with_source_ip(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)));
            store.append(&event).map_err(|error| error.to_string())?;
        }
        if let Some(last) = rows.last() {
            store.publish(last.id());
        }
        Ok(())
    }

    /// How many lines hold a text, by a plain walk over all of them. Words between blanks must all be there.
    pub(crate) fn truth(&self, query: &str) -> u64 {
        let query = query.to_lowercase();
        let finders: Vec<_> = query.split(' ').map(|word| memmem::Finder::new(word.as_bytes())).collect();
        let (mut folded, mut program) = (Vec::new(), Vec::new());
        let mut count = 0;
        for row in &self.events {
            folded.clear();
            folded.extend_from_slice(self.message(row));
            folded.make_ascii_lowercase();
            self.program(row, &mut program);
            count += u64::from(
                finders.iter().all(|finder| finder.find(&folded).is_some() || finder.find(&program).is_some()),
            );
        }
        count
    }
}

/// A figure with what is asked of it.
pub(crate) struct Goal {
    row: &'static str,
    what: String,
    measured: f64,
    must: f64,
    aim: Option<f64>,
    more_is_better: bool,
}

impl Goal {
    /// Less is better; a time, for reading.
    pub(crate) fn at_most(row: &'static str, what: impl Into<String>, measured: f64, must: f64, aim: f64) -> Self {
        Self { row, what: what.into(), measured, must, aim: Some(aim), more_is_better: false }
    }

    /// More is better; a time, for reading.
    pub(crate) fn at_least(row: &'static str, what: impl Into<String>, measured: f64, must: f64, aim: f64) -> Self {
        Self { more_is_better: true, ..Self::at_most(row, what, measured, must, aim) }
    }

    /// A count that the same input always gives: more than this is a failure.
    pub(crate) fn bound(row: &'static str, what: impl Into<String>, measured: f64, must: f64) -> Self {
        Self { row, what: what.into(), measured, must, aim: None, more_is_better: false }
    }

    pub(crate) fn broken(&self) -> Option<String> {
        let broken = self.aim.is_none() && self.measured > self.must;
        broken.then(|| {
            format!("{} {}: {} instead of at most {}", self.row, self.what, short(self.measured), short(self.must))
        })
    }

    fn standing(&self) -> &'static str {
        let meets = |goal: f64| if self.more_is_better { self.measured >= goal } else { self.measured <= goal };
        match (self.aim.is_some_and(meets), meets(self.must)) {
            (true, _) => "aim",
            (false, true) => "must",
            (false, false) => "NO",
        }
    }
}

fn short(number: f64) -> String {
    match number {
        0.0 => "0".to_owned(),
        n if n >= 100.0 => format!("{n:.0}"),
        n if n >= 1.0 => format!("{n:.2}"),
        n if n >= 0.01 => format!("{n:.3}"),
        n => format!("{n:.5}"),
    }
}

pub(crate) fn print(goals: &[Goal], markdown: bool) {
    if markdown {
        println!("| | figure | measured | must | aim | |\n|---|---|---:|---:|---:|---|");
    }
    for goal in goals {
        let aim = goal.aim.map_or_else(String::new, short);
        let (measured, must, standing) = (short(goal.measured), short(goal.must), goal.standing());
        match markdown {
            true => println!("| {} | {} | {measured} | {must} | {aim} | {standing} |", goal.row, goal.what),
            false => println!("{:4} {:80} {measured:>9} {must:>9} {aim:>9} {standing}", goal.row, goal.what),
        }
    }
}
