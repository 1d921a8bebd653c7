//! The events of a page: copied out of what is kept into one piece of memory, in which senders that come again stand once.

use log_store::{Event, EventId};
use std::net::IpAddr;
use std::ops::Range;

/// What an event takes beside its text.
const AN_EVENT: usize = size_of::<Line>() + size_of::<Sender>();

#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    text: Vec<u8>,
    senders: Vec<Sender>,
    lines: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Line {
    id: EventId,
    generated: i64,
    sender: usize,
    message: Range<usize>,
}

#[derive(Clone, Debug)]
struct Sender {
    system: Range<usize>,
    program: Range<usize>,
    source_ip: Option<IpAddr>,
    severity: Option<u8>,
    facility: Option<u8>,
}

impl Lines {
    pub(super) fn push(&mut self, event: &Event<'_>) {
        if !self.is_of_last(event) {
            let (system, program) = (self.copy(event.system()), self.copy(event.program()));
            self.senders.push(Sender {
                system,
                program,
                source_ip: event.source_ip(),
                severity: event.severity(),
                facility: event.facility(),
            });
        }
        let message = self.copy(event.message());
        let sender = self.senders.len() - 1;
        self.lines.push(Line { id: event.id(), generated: event.generated(), sender, message });
    }

    /// Nothing is in it, and its memory stays.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.senders.clear();
        self.lines.clear();
    }

    /// What it takes of memory, used or not.
    pub(super) const fn capacity(&self) -> usize {
        self.text.capacity() + self.senders.capacity() * size_of::<Sender>() + self.lines.capacity() * size_of::<Line>()
    }

    /// About what is in it.
    pub(super) const fn bytes(&self) -> usize {
        self.text.len() + self.lines.len() * AN_EVENT
    }

    pub(super) const fn len(&self) -> usize {
        self.lines.len()
    }

    #[cfg(test)]
    pub(super) const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn first_id(&self) -> Option<EventId> {
        self.lines.first().map(|line| line.id)
    }

    pub(super) fn last_id(&self) -> Option<EventId> {
        self.lines.last().map(|line| line.id)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = Event<'_>> {
        self.lines.iter().map(|line| self.event(line))
    }

    pub(super) fn reverse(&mut self) {
        self.lines.reverse();
    }

    pub(super) fn keep_first(&mut self, count: usize) {
        self.lines.truncate(count);
    }

    pub(super) fn keep_last(&mut self, count: usize) {
        self.lines.drain(..self.lines.len().saturating_sub(count));
    }

    fn event(&self, line: &Line) -> Event<'_> {
        let text = |range: &Range<usize>| self.text.get(range.clone()).unwrap_or_default();
        // Whose page it is, nobody asks it.
        let event = Event::new(line.id, "", text(&line.message)).with_generated(line.generated);
        let Some(sender) = self.senders.get(line.sender) else { return event };
        let event = event.with_system(text(&sender.system)).with_program(text(&sender.program));
        let event = sender.severity.map_or(event, |severity| event.with_severity(severity));
        let event = sender.facility.map_or(event, |facility| event.with_facility(facility));
        sender.source_ip.map_or(event, |address| event.with_source_ip(address))
    }

    fn is_of_last(&self, event: &Event<'_>) -> bool {
        self.senders.last().is_some_and(|last| {
            self.text.get(last.program.clone()) == Some(event.program())
                && self.text.get(last.system.clone()) == Some(event.system())
                && last.source_ip == event.source_ip()
                && last.severity == event.severity()
                && last.facility == event.facility()
        })
    }

    fn copy(&mut self, text: &[u8]) -> Range<usize> {
        let start = self.text.len();
        self.text.extend_from_slice(text);
        start..self.text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_as_they_went_in() {
        let id = |n: u64| EventId::new(n << 20);
        let plain = Event::new(id(1), "", b"one");
        let full = Event::new(id(2), "", b"two").with_system(b"shop").with_program(b"app/web.1").with_generated(7);
        let full = full.with_severity(3).with_facility(19).with_source_ip([192, 0, 2, 7].into());
        let events = [
            plain,
            full,
            Event::new(id(3), "", b"").with_system(b"shop"),
            full.with_severity(4),
            full,
            full,
            full.with_source_ip([192, 0, 2, 8].into()),
        ];
        let mut lines = Lines::default();
        events.iter().for_each(|event| lines.push(event));
        assert!(lines.iter().eq(events) && lines.len() == events.len());
        assert_eq!(lines.senders.len(), 6, "one that comes again stands once");
        assert!(lines.bytes() >= lines.text.len() + 7 * size_of::<Line>());
        lines.reverse();
        lines.keep_first(6);
        assert!(lines.iter().rev().eq(events[1..].iter().copied()));
        lines.keep_last(1);
        assert_eq!((lines.first_id(), lines.last_id()), (Some(id(2)), Some(id(2))));
    }
}
