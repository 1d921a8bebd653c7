//! Crates for syslog and logfmt, put together.

use super::{frames, line};
use crate::Visit;
use logfmt_zerocopy::Logfmt;
use std::borrow::Cow;
use syslog_loose::{ProcId, Variant};
use tpt_logfmt_parse::LogfmtParser;

/// One frame with `syslog_loose`: APP-NAME, PROCID and MSG. Dynos and add-ons have no number for a PROCID.
#[must_use]
pub fn loose(frame: &str) -> Option<(&str, &str, &str)> {
    let message = syslog_loose::parse_message_with_year_exact(frame, |_| 2026, Variant::RFC5424).ok()?;
    let proc_id = match message.procid {
        Some(ProcId::Name(name)) => name,
        _ => "",
    };
    Some((message.appname.unwrap_or_default(), proc_id, message.msg))
}

/// Frames, and those of the router among them, with `syslog_loose`.
#[must_use]
pub fn loose_headers(with_nil: &str) -> (u64, u64) {
    let (mut count, mut router) = (0, 0);
    for (app_name, proc_id, _) in frames(with_nil).filter_map(loose) {
        count += 1;
        router += u64::from(app_name == "heroku" && proc_id == "router");
    }
    (count, router)
}

/// Frames, and those of the router among them, with `syslog_rfc5424`.
#[must_use]
pub fn rfc5424_headers(with_nil: &str) -> (u64, u64) {
    let (mut count, mut router) = (0, 0);
    for message in frames(with_nil).flat_map(syslog_rfc5424::parse_message) {
        count += 1;
        let is_router =
            matches!(&message.procid, Some(syslog_rfc5424::message::ProcId::Name(name)) if name == "router");
        router += u64::from(is_router && message.appname.as_deref() == Some("heroku"));
    }
    (count, router)
}

/// All fields of all lines with `syslog_loose` and `logfmt-zerocopy`.
pub fn loose_zerocopy<V: Visit>(with_nil: &str, mut visit: V) -> V {
    let mut found = Vec::new();
    for header in frames(with_nil).filter_map(loose) {
        line(header, &mut found, |message, found| found.extend(message.logfmt()), &mut visit);
    }
    visit
}

/// All fields of all lines with `syslog_loose` and `tpt-logfmt-parse`.
pub fn loose_tpt<V: Visit>(with_nil: &str, mut visit: V) -> V {
    let mut found = Vec::new();
    for header in frames(with_nil).filter_map(loose) {
        line(header, &mut found, tpt, &mut visit);
    }
    visit
}

fn tpt<'a>(message: &'a str, found: &mut Vec<(&'a str, &'a str)>) {
    for (key, value) in LogfmtParser::new(message).flatten() {
        if let (Cow::Borrowed(key), Cow::Borrowed(value)) = (key, value) {
            found.push((key, value));
        }
    }
}

/// The sum of `service=` of messages with `logfmt-zerocopy`.
pub fn zerocopy_service<'a>(messages: impl Iterator<Item = &'a str>) -> f64 {
    let pairs = messages.flat_map(|message| message.logfmt()).filter(|(key, _)| *key == "service");
    pairs.filter_map(|(_, value)| super::milliseconds(value)).sum()
}

/// The sum of `service=` of messages with `tpt-logfmt-parse`.
pub fn tpt_service<'a>(messages: impl Iterator<Item = &'a str>) -> f64 {
    let pairs = messages.flat_map(LogfmtParser::new).flatten().filter(|(key, _)| key == "service");
    pairs.filter_map(|(_, value)| super::milliseconds(&value)).sum()
}
