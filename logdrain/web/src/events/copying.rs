//! Lines as they came, to be copied: as text, or as an event of JSON each.

use super::address::Ask;
use super::find::{BYTES, below, scope};
use super::line::Told;
use crate::turns::Budget;
use log_store::{Event, EventId, Order, Page, Query, Reached, Reader};
use logdrain_terms::json;
use std::io::Write as _;

/// The most lines of an answer.
const LINES: usize = 10_000;
/// Lines that are held at a time.
const AT_A_TIME: usize = 500;

/// How lines are copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Text,
    Json,
}

/// The lines from one id to another, both among them, as far as there is room and time. What is missing is said at the end.
pub(super) fn copy(
    reader: &Reader,
    ask: &Ask,
    (first, last): (EventId, EventId),
    form: Form,
    budget: &Budget,
) -> Vec<u8> {
    let query = Query::parse(&ask.query).into_query();
    let view = reader.view(&scope(ask));
    let page =
        Page::new().with_order(Order::Oldest).with_before(EventId::new(last.get().saturating_add(1))).with_bytes(BYTES);
    let mut page = page.with_after(below(first)).with_limit(AT_A_TIME);
    let (mut text, mut count) = (Vec::new(), 0);
    let is_whole = loop {
        let found = view.search(&query, &page, &mut || budget.goes_on());
        for event in found.events() {
            line(&mut text, &event.as_event(), ask, form);
        }
        count += found.events().len();
        let examined = found.examined();
        match examined.reached() {
            _ if !examined.damage().is_empty() => break false,
            Reached::End => break true,
            Reached::Limit if count < LINES && text.len() < BYTES => page = found.newer(&page),
            _ => break false,
        }
    };
    if !is_whole {
        // Writing to memory does not fail.
        let _ = match form {
            Form::Text => {
                writeln!(text, "… these are not all: more than fits one answer, or part of it cannot be read")
            }
            Form::Json => writeln!(text, "{{\"incomplete\":true}}"),
        };
    }
    text
}

fn line(text: &mut Vec<u8>, event: &Event<'_>, ask: &Ask, form: Form) {
    match form {
        Form::Text => {
            let (day, time) = ask.zone.day_and_time(event.id().unix_micros());
            let _ = write!(text, "{day} {time} ");
            text.extend_from_slice(event.system());
            text.push(b' ');
            text.extend_from_slice(event.program());
            text.extend_from_slice(b": ");
            text.extend_from_slice(event.message());
            text.push(b'\n');
        }
        Form::Json => {
            let _ = json::line(text, &Told(event));
        }
    }
}
