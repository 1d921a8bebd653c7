//! The way of Vector: its logplex source's splitting, chrono for the time, VRL's `parse_logfmt` for the rest.

use super::{line, metrics};
use crate::Visit;
use chrono::DateTime;
use std::collections::BTreeMap;
use vrl::compiler::runtime::Runtime;
use vrl::compiler::state::RuntimeState;
use vrl::compiler::{Program, TargetValue, TimeZone, compile};
use vrl::value::{Secrets, Value};

/// Compiled programs.
pub struct Vector {
    logfmt: Program,
    syslog: Program,
    runtime: Runtime,
}

impl std::fmt::Debug for Vector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vector").finish_non_exhaustive()
    }
}

impl Vector {
    /// Compiles the programs; nothing when this version of VRL does not take them.
    #[must_use]
    pub fn new() -> Option<Self> {
        let functions = vrl::stdlib::all();
        let program = |source| compile(source, &functions).ok().map(|compiled| compiled.program);
        Some(Self {
            logfmt: program(". = parse_logfmt!(.message)")?,
            syslog: program(". = parse_syslog!(.message)")?,
            runtime: Runtime::new(RuntimeState::default()),
        })
    }

    fn run(&mut self, syslog: bool, text: &str) -> Option<Value> {
        let fields = BTreeMap::from([("message".into(), Value::from(text))]);
        let mut target = TargetValue {
            value: Value::Object(fields),
            metadata: Value::Object(BTreeMap::new()),
            secrets: Secrets::default(),
        };
        let program = if syslog { &self.syslog } else { &self.logfmt };
        let answer = self.runtime.resolve(&mut target, program, &TimeZone::default()).ok();
        self.runtime.clear();
        answer
    }

    /// Frames, and those of the router among them, with `parse_syslog`.
    pub fn headers(&mut self, with_nil: &str) -> (u64, u64) {
        let (mut count, mut router) = (0, 0);
        for frame in super::frames(with_nil) {
            let Some(Value::Object(fields)) = self.run(true, frame) else { continue };
            let is = |key: &str, text: &str| fields.get(key).is_some_and(|value| *value == Value::from(text));
            count += 1;
            router += u64::from(is("appname", "heroku") && is("procid", "router"));
        }
        (count, router)
    }

    /// All fields of all lines: split at spaces, time by chrono, pairs by `parse_logfmt`.
    pub fn lines<V: Visit>(&mut self, body: &str, mut visit: V) -> V {
        for frame in super::frames(body) {
            let mut words = frame.splitn(7, ' ');
            let (Some(_), Some(time), Some(_), Some(app_name), Some(proc_id), Some(_), Some(message)) =
                (words.next(), words.next(), words.next(), words.next(), words.next(), words.next(), words.next())
            else {
                continue;
            };
            if DateTime::parse_from_rfc3339(time).is_err() {
                continue;
            }
            self.line((app_name, proc_id, message), &mut visit);
        }
        visit
    }

    fn line<V: Visit>(&mut self, header: (&str, &str, &str), visit: &mut V) {
        let is_read = matches!(super::Kind::of(header.0, header.1, header.2), k if k != super::Kind::Other && k != super::Kind::Platform);
        if !is_read {
            return line(header, &mut Vec::new(), |_, _| (), visit);
        }
        visit.frame();
        let Some(Value::Object(fields)) = self.run(false, header.2.trim_end()) else { return };
        let pairs: Vec<(&str, &str)> = fields
            .iter()
            .map(|(key, value)| {
                let text = value.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok());
                (key.as_str(), text.unwrap_or_default())
            })
            .collect();
        if (header.0, header.1) == ("heroku", "router") {
            visit.router(&super::router(&pairs));
        } else {
            metrics(&pairs, visit);
        }
    }
}
