//! Writing a window, a few points at a time.

use super::OpenWindow;
use crate::row::{Row, RowSink, State};
use crate::sketch::Sketch;
use crate::stream_key::columns;
use crate::streams::{StreamId, Streams};

/// How far the writing of a window has come.
///
/// First all streams that changed are gathered, with their ranks in the order of output. That list is then sorted from
/// the front, only as far as the next points need it, so that no step takes long.
#[derive(Debug)]
pub(crate) struct Writing {
    /// The number of the window.
    pub(crate) number: i64,
    due: Vec<Due>,
    /// The cells that are looked at, of those that there were in the beginning.
    gathered: usize,
    cells: usize,
    /// How many of `due` have been written.
    written: usize,
    /// Where the sorted parts of the rest end, nearest last: all before such a place come before all behind it.
    ends: Vec<usize>,
    /// The due before this one are in order.
    sorted: usize,
}

/// A stream that is to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    rank: u64,
    cell: u32,
    column: u8,
}

/// How many of `due` are sorted at a time.
const PART: usize = 1_024;

/// How many cells are asked for before the first of them is written.
const AHEAD: usize = 16;

/// How many cells are looked at for what writing a point costs.
const GATHERED_A_POINT: usize = 8;

impl Writing {
    /// Whether cells are still being gathered, by the order of output as it was when that began.
    pub(crate) fn is_gathering(&self) -> bool {
        self.gathered < self.cells
    }

    /// Puts the next part in order, by halving what is left until a part is small.
    fn sort_next(&mut self) {
        let mut end = self.ends.last().copied().unwrap_or(self.due.len());
        if end <= self.sorted {
            self.ends.pop();
            end = self.ends.last().copied().unwrap_or(self.due.len());
        }
        while end - self.sorted > PART {
            let middle = (end - self.sorted) / 2;
            let Some(rest) = self.due.get_mut(self.sorted..end) else { return };
            rest.select_nth_unstable_by_key(middle, |due| due.rank);
            end = self.sorted + middle;
            self.ends.push(end);
        }
        if let Some(part) = self.due.get_mut(self.sorted..end) {
            part.sort_unstable_by_key(|due| due.rank);
        }
        self.sorted = end;
    }
}

impl<S: Sketch> OpenWindow<S> {
    /// Begins to write what changed since the last time. What changes from here on is written the next time, unless it
    /// is still to be written now.
    pub(crate) fn start_writing(&mut self, number: i64) -> Writing {
        self.changed = false;
        let cells = self.cells.len();
        let due = Vec::with_capacity(self.columns);
        Writing { number, due, gathered: 0, cells, written: 0, ends: Vec::new(), sorted: 0 }
    }

    /// Writes the next points in the order of output. Answers how much it did, gathering included; less than asked only
    /// when all are written. When the sink refuses a point, nothing counts as written.
    ///
    /// The streams are in order.
    pub(crate) fn write_some<K: RowSink<S>>(
        &mut self,
        writing: &mut Writing,
        most: usize,
        streams: &Streams,
        sink: &mut K,
    ) -> Result<usize, K::Error> {
        let mut done = self.gather(writing, most.saturating_mul(GATHERED_A_POINT), streams).div_ceil(GATHERED_A_POINT);
        while !writing.is_gathering() && done < most && writing.written < writing.due.len() {
            if writing.written == writing.sorted {
                writing.sort_next();
            }
            let end = writing.sorted.min(writing.written + (most - done).min(AHEAD));
            let next = writing.due.get(writing.written..end).unwrap_or_default();
            core::hint::black_box(next.iter().fold(0, |word, due| word ^ self.touch_due(*due, streams)));
            for place in writing.written..end {
                let Some(due) = writing.due.get(place).copied() else { break };
                if let Err(error) = self.write_cell(due, streams, sink) {
                    self.unwrite(writing);
                    return Err(error);
                }
                writing.written += 1;
                done += 1;
            }
        }
        Ok(done)
    }

    /// Scans up to `most` cells for changes; returns how many it scanned.
    fn gather(&self, writing: &mut Writing, most: usize, streams: &Streams) -> usize {
        let begin = writing.gathered;
        let end = writing.cells.min(begin.saturating_add(most));
        for at in begin..end {
            let Some(cell) = self.cells.get(at) else { break };
            writing.due.extend(columns(cell.changed()).map(|column| {
                let stream = StreamId { row: cell.owner.row, column };
                Due { rank: streams.rank(stream), cell: at as u32, column }
            }));
        }
        writing.gathered = end;
        end - begin
    }

    /// Reads a word of all that a point is made of, so that its memory is on its way.
    #[inline]
    fn touch_due(&self, due: Due, streams: &Streams) -> u64 {
        let Some(cell) = self.cells.get(due.cell as usize) else { return 0 };
        cell.touch() ^ streams.tags(cell.owner.row).map_or(0, |tags| tags.text_len() as u64)
    }

    fn write_cell<K: RowSink<S>>(&mut self, due: Due, streams: &Streams, sink: &mut K) -> Result<(), K::Error> {
        let Some(cell) = self.cells.get_mut(due.cell as usize) else { return Ok(()) };
        let stream = StreamId { row: cell.owner.row, column: due.column };
        if let Some((key, form)) = streams.key_and_form(stream) {
            let (window, revision) = (self.window, cell.revision(due.column));
            let write = |state: State<'_, S>| sink.row(&Row::new(window, key, form, revision, state));
            cell.look_at(due.column, form, write).transpose()?;
        }
        cell.set_written(due.column, true);
        Ok(())
    }

    /// Shows every cell as a row, as it is, in no order.
    pub(crate) fn each<K: RowSink<S>>(&self, streams: &Streams, sink: &mut K) -> Result<(), K::Error> {
        for cell in self.cells.iter() {
            for column in columns(cell.mask()) {
                let stream = StreamId { row: cell.owner.row, column };
                let Some((key, form)) = streams.key_and_form(stream) else { continue };
                let (window, revision) = (self.window, cell.revision(column));
                let show = |state: State<'_, S>| sink.row(&Row::new(window, key, form, revision, state));
                cell.look_at(column, form, show).transpose()?;
            }
        }
        Ok(())
    }

    /// Has everything written again that was written so far.
    fn unwrite(&mut self, writing: &Writing) {
        self.changed = true;
        for due in writing.due.iter().take(writing.written) {
            if let Some(cell) = self.cells.get_mut(due.cell as usize) {
                cell.set_written(due.column, false);
            }
        }
    }

    /// Leaves the rest of a writing to the next one.
    pub(crate) fn stop_writing(&mut self) {
        self.changed = true;
    }
}
