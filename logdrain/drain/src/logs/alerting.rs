//! Lines for the rules of alerts: asked as they come, and found again when a window is told.

use super::lines::Line;
use super::senders::Sender;
use crate::alerts::told::{self, MOST_BYTES, MOST_LINES};
use crate::event::Record;
use crate::watching::Asked;
use alert_rules::LogRules;
use log_query::Fields;
use log_store::{Event, EventId, Order, Page, Query, Reader, Scope};
use std::time::{Duration, Instant};

/// Nobody waits longer for the lines of a window: what is not found by then is only counted.
const FOUND_WITHIN: Duration = Duration::from_secs(1);
/// The bits of an id below its milliseconds.
const BELOW: u32 = 20;

/// A line that the filters let through.
pub(super) fn ask(rules: &mut LogRules, (sender, program): (&Sender, &[u8]), record: &Record, line: &Line<'_>) {
    let mut fields = Fields::new(sender.system.as_bytes(), program, line.message);
    fields = line.severity.into_iter().fold(fields, Fields::with_severity);
    fields = line.facility.into_iter().fold(fields, Fields::with_facility);
    fields = record.peer.into_iter().fold(fields, Fields::with_source_ip);
    rules.event(line.id.get(), record.received, &fields);
}

/// The lines of a window, as far as they were kept.
pub(super) fn lines(reader: &Reader, asked: Asked<'_>) -> Vec<told::Line> {
    let (Some(first), Some(last)) = (asked.ids.first(), asked.ids.last()) else { return Vec::new() };
    let scope = Scope::account(asked.account);
    let scope = if asked.rule.systems.is_empty() { scope } else { scope.with_systems(&asked.rule.systems) };
    let page = Page::new()
        .with_after(EventId::new(first.saturating_sub(1)))
        .with_before(EventId::new(last.saturating_add(1)))
        .with_order(Order::Oldest)
        .with_limit(MOST_LINES)
        .with_bytes(MOST_BYTES);
    let began = Instant::now();
    let query = Query::parse(&asked.rule.query).into_query();
    let found = reader.view(&scope).search(&query, &page, &mut || began.elapsed() < FOUND_WITHIN);
    let events = found.events().iter().map(|event| event.as_event());
    events.filter(|event| asked.ids.binary_search(&event.id().get()).is_ok()).map(|event| line(&event)).collect()
}

fn line(event: &Event<'_>) -> told::Line {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let millis = i64::try_from(event.id().get() >> BELOW).unwrap_or(i64::MAX);
    told::Line {
        id: event.id().get(),
        received: millis.saturating_mul(1_000),
        generated: Some(event.generated()),
        source_ip: event.source_ip(),
        system: text(event.system()),
        program: text(event.program()),
        severity: event.severity(),
        facility: event.facility(),
        message: text(event.message()),
    }
}
