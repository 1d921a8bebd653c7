//! How streams come to have a past, grow idle and are forgotten.
//!
//! A stream gives its place up when it was not seen for some windows, and goes when no window holds values of it any more. A
//! row goes with its last stream, a metric with its last stream and a tag set with its last row.

use super::find::hash_row;
use super::order::{by_metric, by_tags};
use super::{NONE, StreamId, Streams};
use crate::stream_key::{Mask, columns, tag_bytes};

impl Streams {
    /// Whether a window lies beyond all that were seen.
    #[inline]
    pub(crate) fn is_beyond(&self, window: i64) -> bool {
        self.frontier.is_none_or(|frontier| frontier < window)
    }

    /// Takes note of a new greatest window: streams that were not seen for long give up their places.
    ///
    /// The staged observations are in their cells, so that a stream without cells is one that nothing refers to.
    #[cold]
    pub(crate) fn reach(&mut self, window: i64, idle_after: u32) {
        self.frontier = self.frontier.max(Some(window));
        let idle_below = window.saturating_sub(i64::from(idle_after));
        self.turned_away.forget_below(idle_below);
        while let Some(queued) = self.idle_queue.first_entry() {
            if *queued.key() >= idle_below {
                break;
            }
            let mut ids: Vec<u32> = queued.remove().iter().collect();
            // A row may have come here from two places.
            ids.sort_unstable();
            ids.dedup();
            ids.into_iter().for_each(|id| self.make_idle(id, idle_below));
        }
    }

    /// Takes the places of those streams of a row back that were not seen since.
    fn make_idle(&mut self, id: u32, idle_below: i64) {
        let Some(row) = self.rows.get_mut(id) else { return };
        let is_seen = |column: &u8| row.seen(*column).is_some_and(|seen| seen.last >= idle_below);
        let stays = columns(row.active()).filter(is_seen).fold(0, |mask: Mask, column| mask | 1 << column);
        let (overflow, placed) = (row.overflow & !stays, row.placed & !stays);
        row.overflow &= stays;
        row.placed &= stays;
        let next = columns(stays).filter_map(|column| row.seen(column)).map(|seen| seen.last).min();
        if let Some(next) = next {
            self.idle_queue.entry(next).or_default().push(id);
        }
        self.overflow_used -= overflow.count_ones();
        for column in columns(placed) {
            self.places_used -= self.metric_of(StreamId { row: id, column }).map_or(0, |metric| u64::from(metric.cost));
        }
        self.forget_unused(id, overflow | placed);
    }

    /// A window holds values of some columns of a row, and did not before.
    pub(crate) fn hold(&mut self, id: u32, mask: Mask, window: i64, new_cell: Option<(u32, u32)>) {
        let Some(row) = self.rows.get_mut(id) else { return };
        row.change(mask, |seen| {
            seen.last = seen.last.max(window);
            seen.windows = seen.windows.saturating_add(1);
        });
        if let Some((cell, serial)) = new_cell {
            row.remember(cell, serial);
        }
    }

    /// The row remembers its cell, if this is one of its two newest windows.
    pub(crate) fn remember(&mut self, id: u32, cell: u32, serial: u32) {
        if let Some(row) = self.rows.get_mut(id) {
            row.remember(cell, serial);
        }
    }

    /// No row remembers any cell: the windows get other serial numbers.
    pub(crate) fn forget_cells(&mut self) {
        self.rows.values_mut().for_each(|row| row.cells = Default::default());
    }

    /// A window that held values of these columns is gone.
    pub(crate) fn release(&mut self, id: u32, mask: Mask) {
        let Some(row) = self.rows.get_mut(id) else { return };
        row.change(mask, |seen| seen.windows = seen.windows.saturating_sub(1));
        let idle = mask & !row.active();
        if idle != 0 {
            self.forget_unused(id, idle);
        }
    }

    /// Forgets those of these idle streams of a row that no window holds values of.
    fn forget_unused(&mut self, id: u32, mask: Mask) {
        for column in columns(mask) {
            let seen = self.rows.get(id).and_then(|row| row.seen(column));
            if seen.is_some_and(|seen| seen.windows == 0) {
                self.remove(StreamId { row: id, column });
            }
        }
    }

    fn remove(&mut self, stream: StreamId) {
        let Some(metric) = self.metric_id(stream) else { return };
        self.len -= 1;
        self.remove_metric_user(metric);
        let Some(row) = self.rows.get_mut(stream.row) else { return };
        row.remove(stream.column);
        if row.open != 0 {
            return;
        }
        let (family, tags) = (row.family, row.tags);
        self.rows.remove(stream.row);
        if self.tags.get(tags).is_some_and(|tags| tags.first != stream.row) {
            self.more_rows.remove(hash_row(family, self.tags.hash(tags)), stream.row);
        }
        if self.tags.drop_user(tags) == 0 {
            self.tag_order.remove(tags, by_tags(&self.tags));
            if let Some(tags) = self.tags.remove(tags) {
                self.text_bytes -= tag_bytes(&tags.set);
            }
        } else if let Some(tags) = self.tags.get_mut(tags)
            && tags.first == stream.row
        {
            tags.first = NONE;
        }
    }

    fn remove_metric_user(&mut self, id: u32) {
        if self.metrics.drop_user(id) > 0 {
            return;
        }
        self.metric_order.remove(id, by_metric(&self.metrics));
        if let Some(metric) = self.metrics.remove(id) {
            self.text_bytes -= metric.name.len() + metric.unit.len();
            if let Ok(family) = metric.family.which()
                && let Some(place) =
                    self.families.get_mut(family).and_then(|of| of.ids.get_mut(usize::from(metric.column)))
            {
                *place = None;
            }
        }
    }

    /// Forgets idle streams that no window refers to.
    pub(crate) fn sweep(&mut self) {
        let idle: Vec<(u32, Mask)> = self.rows.iter().map(|(id, row)| (id, row.open & !row.active())).collect();
        idle.into_iter().filter(|(_, mask)| *mask != 0).for_each(|(id, mask)| self.forget_unused(id, mask));
    }
}
