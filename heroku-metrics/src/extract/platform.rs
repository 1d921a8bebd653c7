//! Lines of the dyno manager, the API and the log system: samples, R codes and L codes, what dynos go through, releases.

use super::Reader;
use super::config::DynoIdentity;
use super::out::Out;
use super::samples::{RUNTIME, SampleTags};
use super::visitor::LineVisitor;
use crate::classify::Class;
use crate::line::{Found, Line};
use crate::native::families::Families;
use crate::native::{self, Native};
use crate::refusal::{Part, Why};
use heroku_router::{Code, CodeClass, PlatformError};
use logfmt_metrics::Samples;
use metric_model::{TagSet, Unit, Value};

impl Reader {
    pub(super) fn dyno<'a, V: LineVisitor>(
        &mut self,
        line: &'a [u8],
        tokens: Samples<'a>,
        proc_id: Option<&'a str>,
        out: &mut Out<'_, V>,
    ) -> Line<'a> {
        if self.config.one_off_dynos || !proc_id.is_some_and(is_one_off) {
            return self.any_dyno(line, tokens, proc_id, out);
        }
        let read = self.any_dyno(
            line,
            tokens,
            proc_id,
            &mut Out { line, time: out.time, is_piece: out.is_piece, codes: None, visitor: &mut () },
        );
        match read.class() {
            Class::Runtime | Class::PlatformError | Class::DynoEvent => {
                Line { class: Class::OneOff, ignored_samples: 0, ..read }
            }
            _ => read,
        }
    }

    fn any_dyno<'a, V: LineVisitor>(
        &mut self,
        line: &'a [u8],
        tokens: Samples<'a>,
        proc_id: Option<&'a str>,
        out: &mut Out<'_, V>,
    ) -> Line<'a> {
        if line.starts_with(b"Error ") {
            let Some(error) = PlatformError::parse(line).filter(|error| error.code().class() == CodeClass::Runtime)
            else {
                return Line::of(Class::UnreadError);
            };
            self.error(&error, &native::RUNTIME_ERRORS, 1.0, out);
            if self.config.families.holds(Families::DYNO_ERRORS) && !error.is_cut() {
                self.dyno_tags(proc_id);
                self.tags.insert("code", error.code().as_str());
                self.event(&native::DYNO_CODES, 1.0, out);
            }
            return Line { found: Found::Error(error), ..Line::of(Class::PlatformError) };
        }
        if !self.config.families.is_empty()
            && let Some(class) = self.dyno_event(line, proc_id, out)
        {
            return Line::of(class);
        }
        // It quotes the command, which is the app's and may hold anything.
        if line.starts_with(b"Starting process ") {
            return Line::of(Class::Text);
        }
        let identity = self.config.dyno_identity;
        let place = |found: &SampleTags<'a>| {
            let source = found.source.or(proc_id.map(str::as_bytes));
            match identity {
                DynoIdentity::Instance => [source, found.dyno],
                DynoIdentity::Logical => [source, source],
                DynoIdentity::Type => [source.map(dyno_type), source.map(dyno_type)],
            }
        };
        let read = self.samples(line, tokens, &RUNTIME, place, out);
        if read.class() == Class::UnreadRuntime && !is_like_samples(line) { Line::of(Class::Text) } else { read }
    }

    /// What a dyno went through, where it was asked for; `None` for any other line.
    fn dyno_event<V: LineVisitor>(
        &mut self,
        line: &[u8],
        proc_id: Option<&str>,
        out: &mut Out<'_, V>,
    ) -> Option<Class> {
        let families = self.config.families;
        let asked = |family, start: &str| {
            let rest = if families.holds(family) { line.strip_prefix(start.as_bytes()) } else { None };
            rest.map(|rest| std::str::from_utf8(rest).unwrap_or_default().trim_ascii_end())
        };
        if let Some(rest) = asked(Families::DYNO_STATE, "State changed from ") {
            let is_state = |text: &str| {
                (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            };
            let Some((from, to)) = rest.split_once(" to ").filter(|(from, to)| is_state(from) && is_state(to)) else {
                return Some(Class::UnreadRuntime);
            };
            self.dyno_tags(proc_id);
            self.tags.insert("from", from);
            self.tags.insert("to", to);
            self.event(&native::STATE_CHANGES, 1.0, out);
            return Some(Class::DynoEvent);
        }
        if let Some(rest) = asked(Families::DYNO_EXIT, "Process exited") {
            let status = rest.strip_prefix(" with status ");
            let is_status = |text: &str| text.len() <= 3 && text.parse::<u8>().is_ok();
            if status.is_some_and(|status| !is_status(status)) || (status.is_none() && !rest.is_empty()) {
                return Some(Class::UnreadRuntime);
            }
            self.dyno_tags(proc_id);
            if let Some(status) = status {
                self.tags.insert("status", status);
            }
            self.event(&native::EXITS, 1.0, out);
            return Some(Class::DynoEvent);
        }
        if let Some(rest) = asked(Families::MEM_PROCESS, "Process running mem=") {
            let Some(bytes) = memory(rest) else { return Some(Class::UnreadRuntime) };
            self.dyno_tags(proc_id);
            self.event(&native::PROCESS, bytes, out);
            return Some(Class::DynoEvent);
        }
        None
    }

    /// A line of the platform's API. A process of the app has a number behind its type, so that none is called `api`.
    pub(super) fn api<'a, V: LineVisitor>(&mut self, line: &'a [u8], out: &mut Out<'_, V>) -> Line<'a> {
        if !self.config.families.holds(Families::RELEASE) || !is_release(line) {
            return Line::of(Class::Text);
        }
        self.config.fill(&mut self.tags);
        self.event(&native::RELEASES, 1.0, out);
        Line::of(Class::Release)
    }

    /// Makes the tags those of a dyno that is known by its PROCID alone.
    fn dyno_tags(&mut self, proc_id: Option<&str>) {
        self.config.fill(&mut self.tags);
        let Some(name) = proc_id else { return };
        let name = if self.config.dyno_identity == DynoIdentity::Type { type_of(name) } else { name };
        self.tags.insert("dyno", name);
        self.tags.insert("source", name);
    }

    /// One value of the tags at hand.
    fn event<V: LineVisitor>(&self, metric: &Native, number: f64, out: &mut Out<'_, V>) {
        out.single(&metric.metric(), number, &self.tags);
    }

    /// An error that the platform tells of the app as a whole.
    fn error<V: LineVisitor>(&mut self, error: &PlatformError<'_>, metric: &Native, number: f64, out: &mut Out<'_, V>) {
        if error.is_cut() {
            return out.refuse(Why::Cut, Part::Value, (0, out.line.len()));
        }
        self.config.fill(&mut self.tags);
        self.tags.insert("code", error.code().as_str());
        insert_description(&mut self.tags, error.code(), error.description());
        self.event(metric, number, out);
    }

    /// An L code; `None` for any other code.
    pub(super) fn logging<'a, V: LineVisitor>(&mut self, line: &'a [u8], out: &mut Out<'_, V>) -> Option<Line<'a>> {
        let error = PlatformError::parse(line).filter(|error| error.code().class() == CodeClass::Logging)?;
        // L14, L15 and L20 tell no number; the event itself is then the one message it is about.
        let affected = error.count().unwrap_or(1) as f64;
        self.error(&error, &native::LOGGING, affected, out);
        let is_lost = (10..=13).contains(&error.code().number());
        let lost_upstream = error.count().filter(|_| is_lost).unwrap_or(0);
        Some(Line { found: Found::Error(error), lost_upstream, ..Line::of(Class::LogplexError) })
    }

    /// log-shuttle says other things besides, which are no errors.
    pub(super) fn shuttle<'a, V: LineVisitor>(&mut self, line: &'a [u8], out: &mut Out<'_, V>) -> Line<'a> {
        let unread = if line.starts_with(b"Error ") { Class::UnreadError } else { Class::Text };
        self.logging(line, out).unwrap_or(Line::of(unread))
    }
}

/// The description on the line, else the title of the table.
pub(super) fn insert_description(tags: &mut TagSet, code: Code, on_the_line: Option<&str>) {
    if let Some(text) = on_the_line.filter(|text| !text.is_empty()).or(code.title()) {
        tags.insert("code_description", text);
    }
}

/// Whether a line of a dyno that holds no sample we know looks as if it held some: it begins with a pair, as no sentence
/// does, or there is a `sample#` on it. In 2013 it was `source=web.1 measure=load_avg_1m val=0.10`.
fn is_like_samples(line: &[u8]) -> bool {
    let first = line.split(|byte| *byte <= b' ').next().unwrap_or_default();
    first.iter().position(|byte| *byte == b'=').is_some_and(|place| place > 0)
        || line.windows(7).any(|window| window == b"sample#")
}

/// `Release v83 created by user@example.com`
fn is_release(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"Release v") else { return false };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && rest.get(digits..).is_some_and(|rest| rest.starts_with(b" created by "))
}

/// `1038M(202.8%)` in bytes. Its M is the MB of the other lines.
fn memory(text: &str) -> Option<f64> {
    let written = text.split_once('(').map_or(text, |(written, _)| written);
    let value = logfmt_metrics::number(written.trim_ascii_end().as_bytes()).ok()?;
    let unit = match value.unit().as_str() {
        "K" => "kB",
        "M" => "MB",
        "G" => "GB",
        "B" | "bytes" | "kB" | "KB" | "MB" | "GB" => value.unit().as_str(),
        _ => return None,
    };
    let regular = Value::new(value.number(), Unit::new(unit)).regular();
    (regular.unit() == Unit::BYTES && regular.number().is_finite() && regular.number() >= 0.0)
        .then_some(regular.number())
}

/// Whether a dyno runs one command and goes: `run.1234`.
fn is_one_off(name: &str) -> bool {
    ["run", "release", "scheduler", "oneoff"].contains(&type_of(name))
}

/// `web` of `web.1`; a name without a number is its own type.
fn type_of(name: &str) -> &str {
    std::str::from_utf8(dyno_type(name.as_bytes())).unwrap_or(name)
}

/// `web` of `web.1`; a name without a number is its own type.
pub(super) fn dyno_type(name: &[u8]) -> &[u8] {
    let Some(dot) = name.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0) else { return name };
    let (kind, number) = name.split_at(dot);
    if number.len() > 1 && number[1..].iter().all(u8::is_ascii_digit) { kind } else { name }
}
