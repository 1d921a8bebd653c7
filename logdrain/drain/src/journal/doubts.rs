//! What time it turned out to have been while the clock was in doubt.
//!
//! ```text
//! ... tick | doubt, deliveries, doubt, deliveries, doubt, tick | deliveries, tick ...
//!            10:00              10:01              10:02  12:02
//! ```
//!
//! The tick that ends a doubt comes right behind the last sign of it, and the two are of one moment: so each sign was two
//! hours later than was believed then, and is a move of the watermark to 12:00 and 12:01. Deliveries behind it are read
//! as they would have been had the clock been right.

use super::failure::StoreError;
use super::seam::{Events, Step};
use crate::event::{Entry, Event};
use heroku_metrics::model::Timestamp;

/// Looks for the ends of doubts, and remembers how far it looked.
#[derive(Debug, Default)]
pub struct Doubts {
    /// Looked through up to here.
    seen: u64,
    /// What was believed at the last doubt on the way.
    believed: i64,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug)]
struct End {
    tick: u64,
    time: i64,
    /// What was believed at the last doubt before it.
    believed: i64,
}

impl Doubts {
    /// What time it was at a doubt; `None` while that is not known.
    pub fn time_of(
        &mut self,
        events: &dyn Events,
        seq: u64,
        believed: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let believed = believed.unix_micros();
        if self.end.is_none_or(|end| end.tick <= seq) {
            if self.end.take().is_some() || self.seen < seq {
                self.seen = seq;
                self.believed = believed;
            }
            match self.look(events) {
                // The way to its end is damaged: then it is what was believed.
                Err(error) if error.is_damage() => return Ok(Some(Timestamp::from_unix_micros(believed))),
                looked => looked?,
            }
        }
        Ok(self.end.map(|end| {
            let before = end.believed.saturating_sub(believed).max(0);
            Timestamp::from_unix_micros(end.time.saturating_sub(before))
        }))
    }

    fn look(&mut self, events: &dyn Events) -> Result<(), StoreError> {
        while let Some(seq) = events.next_time_after(self.seen)? {
            match events.read(seq)? {
                Step::Event(Entry { event: Event::Tick(time), .. }) => {
                    self.end = Some(End { tick: seq, time: time.unix_micros(), believed: self.believed });
                    return Ok(());
                }
                Step::Event(Entry { event: Event::Doubt { believed, .. }, .. }) => {
                    self.believed = believed.unix_micros();
                }
                _ => {}
            }
            self.seen = seq;
        }
        Ok(())
    }
}
