//! One who follows the newest lines: what he asks for, where he is, and what he is told next.

use super::address::Follow;
use super::find::{marks, scope};
use super::line::{LINE, Line, TOLD, Told};
use super::text::Marks;
use super::zone::Zone;
use hyper::body::Bytes;
use log_store::{Damage, EventId, Order, Page, Query, Reached, Reader, Scope};
use logdrain_terms::json;
use std::io::Write as _;

/// When this much is there to be sent, it is sent.
const ENOUGH: usize = 32 << 10;
/// The most bytes that are sent at a time: what was not enough, and one more event.
pub(super) const AT_A_TIME: usize = ENOUGH + if TOLD > LINE { TOLD } else { LINE } + 256;
/// Events that are looked for at a time.
const EVENTS: usize = 256;

/// Where one is, and what he looks for.
#[derive(Debug)]
pub(super) struct Following {
    reader: Reader,
    scope: Scope,
    query: Query,
    marks: Marks,
    zone: Zone,
    is_for_page: bool,
    /// Nothing up to here is told again.
    place: EventId,
    /// The place that he knows of.
    told: EventId,
}

/// What a step came to.
#[derive(Debug)]
pub(super) struct Step {
    /// To be sent; may be empty.
    pub(super) bytes: Vec<u8>,
    /// Whether there is more to be looked at already.
    pub(super) is_more: bool,
    /// Whether it ended because its time was over: its query takes long, or it has far to go.
    pub(super) is_slow: bool,
    /// Whether lines cannot be read now that can be later: nothing was told, and the place is what it was.
    pub(super) is_stuck: bool,
}

impl Following {
    /// Begins behind the id that is asked for, or with what comes next.
    pub(super) fn new(reader: &Reader, follow: Follow) -> Self {
        let query = Query::parse(&follow.ask.query).into_query();
        // Whoever has seen nothing begins with what nobody has seen.
        let place = follow.after.unwrap_or_else(|| reader.newest(&follow.ask.account));
        Self {
            scope: scope(&follow.ask),
            marks: marks(&query),
            query,
            zone: follow.ask.zone,
            is_for_page: follow.is_for_page,
            place,
            told: EventId::MIN,
            reader: reader.clone(),
        }
    }

    /// Looks on from its place for as long as `goes_on` says so, or until there is enough to be sent.
    pub(super) fn step(&mut self, goes_on: &mut dyn FnMut() -> bool) -> Step {
        let mut bytes = Vec::new();
        let page = Page::new().with_after(self.place).with_order(Order::Oldest).with_limit(EVENTS).with_bytes(ENOUGH);
        let found = self.reader.view(&self.scope).search(&self.query, &page, goes_on);
        if found.examined().damage().iter().any(Damage::is_passing) {
            // What comes behind them waits: nobody shall miss lines because their place was away for a moment.
            return Step { bytes, is_more: true, is_slow: true, is_stuck: true };
        }
        let damaged = found.examined().damage().len();
        if damaged > 0 {
            // Lines that were there are not among these, and nobody shall think that there were none.
            let _ = write!(bytes, "event: incomplete\ndata: {damaged}\n\n");
        }
        for event in found.events() {
            let event = event.as_event();
            // Writing to memory does not fail.
            let _ = write!(bytes, "id: {}\ndata: ", event.id());
            let _ = if self.is_for_page {
                json::write(&mut bytes, &Line::of(&event, &self.marks, &self.zone, false))
            } else {
                json::write(&mut bytes, &Told(&event))
            };
            bytes.extend_from_slice(b"\n\n");
            self.place = event.id();
            self.told = event.id();
            if bytes.len() >= ENOUGH {
                // The others are looked for again: the place has not passed them.
                return Step { bytes, is_more: true, is_slow: false, is_stuck: false };
            }
        }
        // Everything below was looked at, whether it matched or not.
        if let Some(last) = found.examined().before().get().checked_sub(1) {
            self.place = self.place.max(EventId::new(last));
        }
        let reached = found.examined().reached();
        let is_slow = reached == Reached::Budget;
        Step { bytes, is_more: reached != Reached::End, is_slow, is_stuck: false }
    }

    /// What is sent when there was nothing to send for a while: that the connection is alive, and the place, so that
    /// whoever comes again does not begin with what he knows of.
    pub(super) fn alive(&mut self) -> Bytes {
        if self.told == self.place {
            return Bytes::from_static(b": nothing new\n\n");
        }
        self.told = self.place;
        Bytes::from(format!("event: place\nid: {}\ndata:\n\n", self.place))
    }
}
