//! Regular expressions with named captures.

use super::{frames, line};
use crate::{Router, Visit};
use regex::{Captures, Regex};

/// The compiled expressions.
#[derive(Debug)]
pub struct Patterns {
    header: Regex,
    router: Regex,
    pair: Regex,
}

impl Patterns {
    /// Compiles them.
    ///
    /// # Errors
    /// None: they are written here.
    pub fn new() -> Result<Self, regex::Error> {
        Ok(Self {
            header: Regex::new(
                r"(?s)^<(?<pri>\d{1,3})>1 (?<time>\S+) (?<host>\S+) (?<app>\S+) (?<proc>\S+) - (?<msg>.*)",
            )?,
            router: Regex::new(
                r#"^at=(?<at>\w+) (?:code=(?<code>\w+) desc="(?<desc>[^"]*)" )?method=(?<method>\w+) path="(?<path>[^"]*)" host=(?<host>\S+) request_id=(?<id>\S+) fwd="(?<fwd>[^"]*)" dyno=(?<dyno>\S*) connect=(?:(?<connect>\d+)ms)? service=(?:(?<service>\d+)ms)? status=(?<status>\d+) bytes=(?<bytes>\d*)"#,
            )?,
            pair: Regex::new(r"(?:^|\s)(?<key>[^\s=]+)=(?<value>\S*)")?,
        })
    }

    /// Frames, and those of the router among them.
    #[must_use]
    pub fn headers(&self, body: &str) -> (u64, u64) {
        let (mut count, mut router) = (0, 0);
        for captures in frames(body).filter_map(|frame| self.header.captures(frame)) {
            count += 1;
            router += u64::from(text(&captures, "app") == "heroku" && text(&captures, "proc") == "router");
        }
        (count, router)
    }

    /// All fields of all lines.
    pub fn lines<V: Visit>(&self, body: &str, mut visit: V) -> V {
        let mut found = Vec::new();
        for captures in frames(body).filter_map(|frame| self.header.captures(frame)) {
            let (app_name, proc_id, message) =
                (text(&captures, "app"), text(&captures, "proc"), text(&captures, "msg"));
            if let ("heroku", "router") = (app_name, proc_id) {
                visit.frame();
                if let Some(captures) = self.router.captures(message) {
                    visit.router(&router(&captures));
                }
            } else {
                line((app_name, proc_id, message), &mut found, |message, found| self.pairs(message, found), &mut visit);
            }
        }
        visit
    }

    fn pairs<'a>(&self, message: &'a str, found: &mut Vec<(&'a str, &'a str)>) {
        let pairs = self.pair.captures_iter(message);
        found.extend(pairs.map(|captures| (text(&captures, "key"), text(&captures, "value"))));
    }
}

fn router<'a>(captures: &Captures<'a>) -> Router<'a> {
    Router {
        method: text(captures, "method"),
        dyno: text(captures, "dyno"),
        status: text(captures, "status").parse().unwrap_or_default(),
        connect: text(captures, "connect").parse().ok(),
        service: text(captures, "service").parse().ok(),
        bytes: text(captures, "bytes").parse().ok(),
        failed: captures.name("code").is_some(),
    }
}

fn text<'a>(captures: &Captures<'a>, name: &str) -> &'a str {
    captures.name(name).map(|found| found.as_str()).unwrap_or_default()
}
