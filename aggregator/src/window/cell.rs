//! What a window keeps of one row.
//!
//! Most rows have but a few values in a minute, and there are many of them: what they cost is fetching their memory.
//! So a cell is one cache line of 64 bytes, and holds the values themselves while they are few; sums and percentiles are
//! worked out when it is written. A measure goes on with a list, as long as its sketch would do nothing but keep the values.
//! Only what has many values has a gauge and a sketch, apart from the cell. A row of several columns begins with its
//! records as they came, and goes on with a cell for each column; [`records`](super::records) has that part.

use super::batch::Batch;
use crate::gauge::{Gauge, Term, Total};
use crate::lists::values::{Numbers, Values};
use crate::row::State;
use crate::sketch::Sketch;
use crate::sketch::own::Keeps;
use crate::stream_key::{Form, Mask};

/// A cell, whose it is, and what was written of it.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Cell<S> {
    pub(super) owner: Owner,
    pub(super) body: Body<S>,
}

/// What the layout above is for.
const _: () = assert!(size_of::<Cell<crate::sketch::minute::MinuteSketch>>() == 64);

#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    /// The row; of one cell of several columns, the column.
    pub(super) row: u32,
    /// Twice the number of times that it was written, and one more when it changed since. Of a cell that holds records: the
    /// columns that were written.
    pub(super) written: u32,
}

#[derive(Clone, Debug)]
pub(super) enum Body<S> {
    Total(Total),
    Few {
        form: Form,
        count: u8,
        /// The index of the last value. Beside `count` and not in `Last`, whose alignment would make eight bytes of it: the
        /// cell would be two cache lines.
        latest: u8,
        last: Last,
        values: [f64; FEW],
    },
    /// Of a measure whose sketch keeps values.
    List {
        form: Form,
        latest: u8,
        last: Last,
        values: Values,
    },
    Gauge(Box<Gauge>),
    Distribution(Box<Distribution<S>>),
    /// Of a measure of which some values came as a sum of others: no sketch can tell its percentiles.
    Summed(Box<Gauge>),
    /// Of several columns: the values of a few records that have the same columns, record by record.
    Records {
        shape: Shape,
        count: u8,
        latest: u8,
        last: Last,
        values: [f64; FEW],
    },
    /// The same, of more records.
    RecordList {
        shape: Shape,
        latest: u8,
        last: Last,
        values: Values,
    },
    /// Of several columns, each of which goes its own way: their cells, in the order of the columns.
    Columns {
        mask: Mask,
        cells: Vec<Cell<S>>,
    },
}

/// The columns of records, and how many of them keep what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) mask: Mask,
    pub(super) gauges: u8,
    pub(super) distributions: u8,
}

/// So many values stand in the cell.
pub(super) const FEW: usize = 4;
/// The length of a list when it begins; it doubles, and ends at what the sketch keeps.
pub(super) const LIST: usize = 12;

/// When and where in the input the last of the values was; of records, where the first value of the last one was.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Last {
    pub(super) time: i64,
    pub(super) position: u64,
}

/// The values of a cell that keeps them.
#[derive(Clone, Copy)]
struct Kept<'a> {
    form: Form,
    values: Numbers<'a>,
    /// The index of the last value.
    latest: u8,
    last: Last,
}

#[derive(Clone, Debug)]
pub(super) struct Distribution<S> {
    pub(super) gauge: Gauge,
    pub(super) sketch: S,
}

impl Owner {
    pub(super) const fn new(row: u32, written: u32, changed: bool) -> Self {
        Self { row, written: written << 1 | changed as u32 }
    }

    pub(super) const fn is_changed(self) -> bool {
        self.written & 1 == 1
    }

    /// The revision that the next point is.
    pub(super) const fn revision(self) -> u32 {
        self.written >> 1
    }

    pub(super) const fn set_changed(&mut self) {
        self.written |= 1;
    }

    pub(super) const fn set_written(&mut self) {
        if self.is_changed() {
            self.written = self.written.saturating_add(1);
        }
    }

    /// Takes the last `set_written` back.
    pub(super) const fn set_unwritten(&mut self) {
        self.written = (self.written >> 1).saturating_sub(1) << 1 | 1;
    }
}

impl Last {
    pub(super) const fn term(self, value: f64) -> Term {
        Term { value, time: self.time, position: self.position }
    }
}

impl Kept<'_> {
    /// The last value; `None` when there are none.
    fn last(&self) -> Option<Term> {
        self.values.get(usize::from(self.latest)).map(|value| self.last.term(value))
    }

    fn gauge(&self) -> Gauge {
        Gauge::of(self.values.iter(), self.last())
    }
}

impl<S: Sketch> Distribution<S> {
    fn new(form: Form) -> Self {
        Self { gauge: Gauge::new(), sketch: sketch(form, core::iter::empty()) }
    }

    /// Octets on the heap, its own included.
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.sketch.heap_bytes()
    }
}

fn sketch<S: Sketch>(form: Form, values: impl Iterator<Item = f64>) -> S {
    let mut sketch = match form {
        Form::Distribution(precision) => S::with_precision(precision),
        Form::Total | Form::Gauge => S::default(),
    };
    values.for_each(|value| sketch.record(value));
    sketch
}

impl<S: Sketch> Cell<S> {
    /// An empty cell; it holds something as soon as it is seen.
    pub(super) fn new(row: u32, form: Form) -> Self {
        let body = match form {
            Form::Total => Body::Total(Total::default()),
            Form::Distribution(_) if S::most_kept() < FEW => Body::Distribution(Box::new(Distribution::new(form))),
            Form::Gauge | Form::Distribution(_) => {
                Body::Few { form, count: 0, latest: 0, last: Last::default(), values: [0.0; FEW] }
            }
        };
        Self { owner: Owner::new(row, 0, true), body }
    }

    pub(super) fn of_total(owner: Owner, total: Total) -> Self {
        Self { owner, body: Body::Total(total) }
    }

    pub(super) fn of_gauge(owner: Owner, gauge: Gauge) -> Self {
        Self { owner, body: Body::Gauge(Box::new(gauge)) }
    }

    pub(super) fn of_summed(owner: Owner, gauge: Gauge) -> Self {
        Self { owner, body: Body::Summed(Box::new(gauge)) }
    }

    /// With the values of the sketch where it has kept them, as they would have come in.
    pub(super) fn of_distribution(owner: Owner, form: Form, gauge: Gauge, sketch: S) -> Option<Self> {
        let kept = sketch.kept().filter(|kept| kept.len() as u64 == gauge.total.count && !kept.is_empty());
        let Some(kept) = kept.filter(|kept| kept.len() <= S::most_kept()) else {
            return Some(Self { owner, body: Body::Distribution(Box::new(Distribution { gauge, sketch })) });
        };
        let mut cell = Self::new(owner.row, form);
        kept.iter().for_each(|value| cell.add_value(*value));
        let at = kept.iter().position(|value| *value == gauge.last.value)?;
        if let Some((latest, last)) = cell.last_mut() {
            *latest = at as u8;
            *last = Last { time: gauge.last.time, position: gauge.last.position };
        }
        cell.owner = owner;
        Some(cell)
    }

    /// Of values that are kept, of which the one at `latest` came last. They are not more than a sketch keeps.
    pub(super) fn of_values(owner: Owner, form: Form, values: &[f64], latest: u8, last: Last) -> Self {
        let mut cell = Self::new(owner.row, form);
        cell.owner = owner;
        match form {
            Form::Total => {
                let mut total = Total::default();
                total.add_all(values.iter().copied());
                cell.body = Body::Total(total);
            }
            Form::Gauge if values.len() > FEW => {
                let last = values.get(usize::from(latest)).map(|value| last.term(*value));
                cell.body = Body::Gauge(Box::new(Gauge::of(values.iter().copied(), last)));
            }
            Form::Gauge | Form::Distribution(_) => {
                values.iter().for_each(|value| cell.add_value(*value));
                if let Some(place) = cell.last_mut() {
                    *place.0 = latest;
                    *place.1 = last;
                }
            }
        }
        cell.owner = owner;
        cell
    }

    /// Bytes besides the cell itself, by what it holds. A gauge always counts as if it stood apart: whether it once did
    /// is not seen from a snapshot.
    pub(super) fn bytes(&self) -> usize {
        match &self.body {
            Body::Total(_) => 0,
            Body::Few { form: Form::Gauge, .. } | Body::Gauge(_) | Body::Summed(_) => size_of::<Gauge>(),
            Body::Few { .. } => 0,
            // As if all of them were long.
            Body::List { values, .. } => values.room() * size_of::<f64>(),
            Body::Distribution(distribution) => distribution.bytes(),
            Body::Records { shape, count, .. } => shape.bytes::<S>(usize::from(*count)),
            Body::RecordList { shape, values, .. } => shape.bytes::<S>(values.len() / shape.columns()),
            Body::Columns { cells, .. } => cells.iter().map(Self::bytes).sum(),
        }
    }

    /// The most bytes that one term adds to those.
    pub(super) fn max_growth() -> usize {
        let list = S::most_kept().max(LIST) * size_of::<f64>();
        size_of::<Gauge>().max(size_of::<Distribution<S>>() + S::max_growth()).max(list)
    }

    /// Adds one column of a batch; answers by how much [`bytes`](Self::bytes) grew.
    #[inline]
    pub(super) fn add(&mut self, batch: &Batch<'_>, column: usize) -> isize {
        self.owner.set_changed();
        let (values, last) = (batch.column(column), batch.last(column));
        match &mut self.body {
            Body::Total(total) => total.add_all(values.iter().copied()),
            Body::Gauge(gauge) | Body::Summed(gauge) => gauge.add_all(values, &last),
            Body::Distribution(found) => {
                let before = found.sketch.heap_bytes();
                found.gauge.add_all(values, &last);
                values.iter().for_each(|value| found.sketch.record(*value));
                return found.sketch.heap_bytes() as isize - before as isize;
            }
            Body::Few { .. } | Body::List { .. } => return self.add_to_kept(batch, column),
            // They take records, and the cells of their columns take columns.
            Body::Records { .. } | Body::RecordList { .. } | Body::Columns { .. } => {}
        }
        0
    }

    /// Adds one column to a cell that keeps values, until it does so no longer.
    #[inline(never)]
    fn add_to_kept(&mut self, batch: &Batch<'_>, column: usize) -> isize {
        let bytes = self.bytes();
        let (values, term) = (batch.column(column), batch.last(column));
        if matches!(&self.body, Body::List { values: kept, .. } if kept.len() + values.len() > S::most_kept()) {
            self.set_apart();
        }
        let kept = self.kept();
        let before = kept.map_or(0, |kept| kept.values.len());
        // Told before they are there, so that none of them is taken for the last one meanwhile.
        if kept.is_some_and(|kept| kept.last().is_none_or(|last| last.is_before(&term)))
            && let Some((latest, last)) = self.last_mut()
        {
            *latest = (before + batch.latest) as u8;
            *last = Last { time: term.time, position: term.position };
        }
        match &mut self.body {
            Body::List { values: kept, .. } => {
                while kept.room() < before + values.len() {
                    kept.make_room((2 * kept.room()).min(S::most_kept()));
                }
                kept.extend(values.iter().copied());
            }
            // A few values go one by one into the cell, and so do those with which a list begins.
            _ => values.iter().for_each(|value| self.add_value(*value)),
        }
        if let Body::Gauge(gauge) | Body::Summed(gauge) = &mut self.body {
            gauge.come_to(&term);
        } else if let Body::Distribution(found) = &mut self.body {
            found.gauge.come_to(&term);
        }
        self.bytes() as isize - bytes as isize
    }

    /// Adds a value that is not looked at as the last one.
    fn add_value(&mut self, value: f64) {
        match &mut self.body {
            Body::Few { count, values, .. } if usize::from(*count) < FEW => {
                values[usize::from(*count)] = value;
                *count += 1;
            }
            Body::List { values, .. } if values.len() < values.room() && values.len() < S::most_kept() => {
                values.push(value);
            }
            Body::Gauge(gauge) => gauge.add_value(value),
            Body::Distribution(found) => {
                found.gauge.add_value(value);
                found.sketch.record(value);
            }
            Body::Few { .. } | Body::List { .. } => {
                self.grow();
                self.add_value(value);
            }
            _ => {}
        }
    }

    /// Makes room for one more value.
    #[cold]
    fn grow(&mut self) {
        match &mut self.body {
            Body::Few { form: form @ Form::Distribution(_), latest, last, values, .. } if S::most_kept() > FEW => {
                let mut list = Values::with_room(LIST.min(S::most_kept()));
                list.extend(values.iter().copied());
                self.body = Body::List { form: *form, latest: *latest, last: *last, values: list };
            }
            Body::List { values, .. } if values.len() < S::most_kept() => {
                values.make_room((2 * values.len()).min(S::most_kept()));
            }
            _ => self.set_apart(),
        }
    }

    /// Works out what was left for later: from here on there are a gauge and a sketch.
    fn set_apart(&mut self) {
        let Some(kept) = self.kept() else { return };
        let gauge = kept.gauge();
        self.body = match kept.form {
            Form::Distribution(_) => {
                let sketch = sketch(kept.form, kept.values.iter());
                Body::Distribution(Box::new(Distribution { gauge, sketch }))
            }
            Form::Gauge | Form::Total => Body::Gauge(Box::new(gauge)),
        };
    }

    /// The values, if the cell keeps them.
    fn kept(&self) -> Option<Kept<'_>> {
        match &self.body {
            Body::Few { form, count, latest, last, values } => {
                let values = values.get(..usize::from(*count))?;
                Some(Kept { form: *form, values: Numbers::Long(values), latest: *latest, last: *last })
            }
            Body::List { form, latest, last, values } => {
                Some(Kept { form: *form, values: values.numbers(), latest: *latest, last: *last })
            }
            _ => None,
        }
    }

    fn last_mut(&mut self) -> Option<(&mut u8, &mut Last)> {
        match &mut self.body {
            Body::Few { latest, last, .. } | Body::List { latest, last, .. } => Some((latest, last)),
            _ => None,
        }
    }

    pub(super) fn total(&self) -> Option<&Total> {
        match &self.body {
            Body::Total(total) => Some(total),
            _ => None,
        }
    }

    /// The gauge of a cell that has no percentiles, worked out if need be.
    pub(super) fn gauge(&self) -> Option<Gauge> {
        match &self.body {
            Body::Gauge(gauge) => Some(**gauge),
            Body::Few { form: Form::Gauge, .. } => self.kept().map(|kept| kept.gauge()),
            _ => None,
        }
    }

    /// Gauge and sketch of a distribution, worked out if need be.
    pub(super) fn with_distribution<T>(&self, look: impl FnOnce(&Gauge, &S) -> T) -> Option<T> {
        match &self.body {
            Body::Distribution(found) => Some(look(&found.gauge, &found.sketch)),
            Body::Few { .. } | Body::List { .. } => {
                let kept = self.kept().filter(|kept| matches!(kept.form, Form::Distribution(_)))?;
                Some(look(&kept.gauge(), &sketch(kept.form, kept.values.iter())))
            }
            _ => None,
        }
    }

    /// Counts its position in the input on from there.
    pub(super) fn move_on(&mut self, after: u64) {
        let position = match &mut self.body {
            Body::Total(_) => return,
            Body::Columns { cells, .. } => return cells.iter_mut().for_each(|cell| cell.move_on(after)),
            Body::Few { last, .. }
            | Body::List { last, .. }
            | Body::Records { last, .. }
            | Body::RecordList { last, .. } => &mut last.position,
            Body::Gauge(gauge) | Body::Summed(gauge) => &mut gauge.last.position,
            Body::Distribution(distribution) => &mut distribution.gauge.last.position,
        };
        *position = position.saturating_add(after);
    }

    /// Takes in what another cell of the same stream holds. Nothing is changed when the two are of different kinds.
    pub(super) fn merge(&mut self, other: &Self) {
        if let (Some(ours), Some(theirs)) = (self.kept(), other.kept()) {
            let most = if ours.form == Form::Gauge { FEW } else { S::most_kept() };
            if ours.values.len() + theirs.values.len() <= most {
                let before = ours.values.len() as u8;
                // Whose last value is the last of both is known now; where it stands, once theirs are behind ours.
                let is_theirs = theirs.last().is_some_and(|term| ours.last().is_none_or(|last| last.is_before(&term)));
                theirs.values.iter().for_each(|value| self.add_value(value));
                if is_theirs && let Some((latest, last)) = self.last_mut() {
                    (*latest, *last) = (before + theirs.latest, theirs.last);
                }
                return;
            }
        }
        self.set_apart();
        if other.summed().is_some() {
            self.give_up_sketch();
        }
        match &mut self.body {
            Body::Total(total) => {
                if let Some(theirs) = other.total() {
                    total.merge(theirs);
                }
            }
            Body::Gauge(gauge) => {
                if let Some(theirs) = other.gauge() {
                    gauge.merge(&theirs);
                }
            }
            Body::Summed(gauge) => {
                if let Some(theirs) = other.any_gauge() {
                    gauge.merge(&theirs);
                }
            }
            Body::Distribution(ours) => {
                other.with_distribution(|gauge, sketch| {
                    ours.gauge.merge(gauge);
                    ours.sketch.merge(sketch);
                });
            }
            _ => {}
        }
    }

    /// Takes in what others have summed.
    pub(super) fn add_summary(&mut self, summary: &Gauge) {
        self.owner.set_changed();
        self.set_apart();
        self.give_up_sketch();
        match &mut self.body {
            Body::Total(total) => total.merge(&summary.total),
            Body::Gauge(gauge) | Body::Summed(gauge) => gauge.merge(summary),
            _ => {}
        }
    }

    /// From here on no percentiles are told, whatever else comes.
    fn give_up_sketch(&mut self) {
        if let Body::Distribution(found) = &self.body {
            self.body = Body::Summed(Box::new(found.gauge));
        }
    }

    pub(super) fn summed(&self) -> Option<&Gauge> {
        match &self.body {
            Body::Summed(gauge) => Some(gauge),
            _ => None,
        }
    }

    /// The gauge of whatever has one, worked out if need be.
    pub(super) fn any_gauge(&self) -> Option<Gauge> {
        match &self.body {
            Body::Gauge(gauge) | Body::Summed(gauge) => Some(**gauge),
            Body::Distribution(found) => Some(found.gauge),
            Body::Few { .. } | Body::List { .. } => self.kept().map(|kept| kept.gauge()),
            _ => None,
        }
    }

    /// All that it holds, for a row.
    #[inline]
    pub(super) fn with_state<T>(&self, look: impl FnOnce(State<'_, S>) -> T) -> T {
        if let Some(kept) = self.kept() {
            let last = kept.last();
            return kept.values.with(|values| look(State::Values(values, last)));
        }
        look(match &self.body {
            Body::Total(total) => State::Total(total),
            Body::Gauge(gauge) => State::Gauge(gauge),
            Body::Summed(gauge) => State::Summed(gauge),
            Body::Distribution(found) => State::Distribution(&found.gauge, &found.sketch),
            _ => State::Values(&[], None),
        })
    }

    /// Reads a word of what stands apart from the cell, for nothing but that it is on its way when it is asked for again.
    #[inline]
    pub(super) fn touch(&self) -> u64 {
        match &self.body {
            Body::Total(_) | Body::Few { .. } | Body::Records { .. } => 0,
            Body::Columns { cells, .. } => cells.first().map_or(0, |cell| u64::from(cell.owner.written)),
            Body::List { values, .. } | Body::RecordList { values, .. } => {
                let last = values.len().checked_sub(1).and_then(|last| values.numbers().get(last));
                last.map_or(0, f64::to_bits)
            }
            Body::Gauge(gauge) | Body::Summed(gauge) => gauge.total.count,
            Body::Distribution(found) => found.gauge.total.count ^ found.sketch.heap_bytes() as u64,
        }
    }
}
