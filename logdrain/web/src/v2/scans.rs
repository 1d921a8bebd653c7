//! Questions that look through many lines: patterns, lines around one, and what a filter would have dropped.

use super::problem::Problem;
use crate::events::Told;
use heroku_metrics::model::Timestamp;
use log_store::{Damage, Event, EventBuf, EventId, Neighbours, Order, Page, Patterns, Query, Reached, View};
use logdrain_drain::logs::AROUND;
use serde_json::{Value, json};
use std::collections::HashMap;

/// What patterns take at the most: those that are counted, and again as they are told.
pub(super) const PATTERNS: usize = 32 << 20;
/// Lines that are held at a time.
const LINES: usize = 2_000;
const BYTES: usize = 2 << 20;
/// Programs of a preview.
const PROGRAMS: usize = 1_000;
/// The most bytes of lines on each side of one, as they are told.
const SIDE: usize = 640 << 10;

/// Which lines are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    /// Microseconds since 1970; the second one is not in it.
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Span {
    pub(super) fn page(self) -> Page {
        let page = Page::new().with_before(EventId::at(self.to));
        match EventId::at(self.from).get().checked_sub(1) {
            Some(after) => page.with_after(EventId::new(after)),
            None => page,
        }
    }
}

/// A time as `/api/v2` writes it.
pub(super) fn told(unix_micros: i64) -> String {
    Timestamp::from_unix_micros(unix_micros).to_string()
}

/// Lines that are alike.
pub(super) fn patterns(
    view: &View,
    query: &Query,
    span: Span,
    limit: usize,
    goes_on: &mut dyn FnMut() -> bool,
) -> Value {
    let mut found = Patterns::new();
    let examined = view.patterns(query, &span.page(), &mut found, goes_on);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let patterns: Vec<_> = found.top(limit).iter().map(|pattern| {
        json!({ "program": text(pattern.program()), "text": text(pattern.text()), "lines": pattern.count(), "bytes": pattern.bytes() })
    }).collect();
    let programs: Vec<_> = found
        .programs(limit)
        .iter()
        .map(
            |pattern| json!({ "program": text(pattern.program()), "lines": pattern.count(), "bytes": pattern.bytes() }),
        )
        .collect();
    json!({
        "lines": found.lines(),
        "bytes": found.bytes(),
        "at_least": found.is_at_least(),
        "complete": examined.reached() == Reached::End && examined.damage().is_empty(),
        "from": told(span.from),
        "to": told(span.to),
        "patterns": patterns,
        "programs": programs,
    })
}

/// The lines around one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around {
    pub(super) id: EventId,
    pub(super) before: usize,
    pub(super) after: usize,
    pub(super) of: Neighbours,
    /// Nothing below it is seen.
    pub(super) floor: EventId,
}

pub(super) fn not_there() -> Problem {
    Problem::nothing("there is no such line, or not any more, or not for whoever asks")
}

/// What a line counts of a day's volume.
fn size(event: &Event<'_>) -> u64 {
    (event.message().len() + event.system().len() + event.program().len()) as u64 + AROUND
}

/// Writes the lines around one as JSON.
pub(super) fn context(view: &View, around: Around, goes_on: &mut dyn FnMut() -> bool) -> Result<Vec<u8>, Problem> {
    let Around { id, before, after, of, floor } = around;
    let found = view.context(id, before, after, of, goes_on);
    if found.event().events().is_empty() {
        if found.event().examined().damage().iter().any(Damage::is_passing) {
            return Err(Problem::later("this line cannot be read just now"));
        }
        return Err(not_there());
    }
    let is_hidden = |event: &&EventBuf| event.id() < floor;
    let hidden = found.before().events().iter().take_while(is_hidden).count();
    let mut is_whole = [found.before(), found.event(), found.after()]
        .iter()
        .all(|part| part.examined().reached() != Reached::Budget && part.examined().damage().is_empty());
    // The nearest ones first, as far as there is room.
    let mut nearest = |events: &mut dyn Iterator<Item = &EventBuf>| {
        let (mut texts, mut len) = (Vec::new(), 0);
        for event in events {
            let mut text = Vec::new();
            is_whole &= logdrain_terms::json::write(&mut text, &Told(&event.as_event())).is_ok();
            len += text.len();
            if len > SIDE {
                is_whole = false;
                break;
            }
            texts.push(text);
        }
        texts
    };
    let mut texts = nearest(&mut found.before().events().iter().skip(hidden).rev());
    texts.reverse();
    texts.extend(nearest(&mut found.event().events().iter()));
    texts.extend(nearest(&mut found.after().events().iter()));
    let mut text = b"{\"events\":[".to_vec();
    for (index, event) in texts.iter().enumerate() {
        text.extend_from_slice(if index == 0 { b"" } else { b"," });
        text.extend_from_slice(event);
    }
    text.extend_from_slice(format!("],\"complete\":{is_whole}}}").as_bytes());
    Ok(text)
}

#[derive(Clone, Copy, Default)]
struct Volume {
    lines: u64,
    bytes: u64,
    dropped_lines: u64,
    dropped_bytes: u64,
}

/// What would have been dropped of the lines that there are, by program.
pub(super) fn preview(
    view: &View,
    span: Span,
    mut drops: impl FnMut(&Event<'_>) -> bool,
    goes_on: &mut dyn FnMut() -> bool,
) -> Value {
    let mut page = span.page().with_order(Order::Oldest).with_limit(LINES).with_bytes(BYTES);
    let (mut all, mut programs, mut is_whole) = (Volume::default(), HashMap::<Vec<u8>, Volume>::new(), true);
    loop {
        let found = view.search(&Query::default(), &page, goes_on);
        for event in found.events().iter().map(|event| event.as_event()) {
            let has_room = programs.len() < PROGRAMS;
            let mut other = Volume::default();
            let of_program = match programs.get_mut(event.program()) {
                Some(known) => known,
                None if has_room => programs.entry(event.program().to_owned()).or_default(),
                None => {
                    is_whole = false;
                    &mut other
                }
            };
            let (bytes, drops) = (size(&event), drops(&event));
            for volume in [of_program, &mut all] {
                volume.lines += 1;
                volume.bytes += bytes;
                volume.dropped_lines += u64::from(drops);
                volume.dropped_bytes += if drops { bytes } else { 0 };
            }
        }
        is_whole &= found.examined().damage().is_empty();
        match found.examined().reached() {
            Reached::Limit if !found.events().is_empty() => page = found.newer(&page),
            Reached::End => break,
            _ => {
                is_whole = false;
                break;
            }
        }
    }
    let mut programs: Vec<_> = programs.into_iter().collect();
    programs.sort_by(|(a_name, a), (b_name, b)| {
        (b.dropped_lines, b.lines).cmp(&(a.dropped_lines, a.lines)).then_with(|| a_name.cmp(b_name))
    });
    let programs: Vec<_> = programs
        .iter()
        .map(|(program, volume)| {
            json!({
                "program": String::from_utf8_lossy(program),
                "lines": volume.lines,
                "dropped_lines": volume.dropped_lines,
                "dropped_bytes": volume.dropped_bytes,
            })
        })
        .collect();
    json!({
        "from": told(span.from),
        "to": told(span.to),
        "lines": all.lines,
        "bytes": all.bytes,
        "dropped_lines": all.dropped_lines,
        "dropped_bytes": all.dropped_bytes,
        "programs": programs,
        "complete": is_whole,
    })
}
