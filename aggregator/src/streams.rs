//! The streams that are known: each name, unit and tag set once, and a row for each tag set in each family of metrics.
//!
//! A stream is a column of a row. Metrics that come together are one family, so that what a line says is found by one
//! look-up; a metric that is in none is a family of its own, with one column. Who asks by name, kind, unit and tags meets
//! the same stream as who brings the whole line: each metric has one home.

mod find;
mod life;
mod order;
mod reports;
mod row;
mod state;
mod unplaced;

pub(crate) use order::{InOrder, Places};
pub(crate) use row::Spot;

use crate::config::{AggregatorConfig, Distribution};
use crate::lists::intern::Interned;
use crate::lists::numbered::Numbered;
use crate::lists::runs::Runs;
use crate::lists::sorted::Sorted;
use crate::lists::table::{self, Table};
use crate::outcome::Refusal;
use crate::stream_key::{Form, Forms, Key, Mask, columns, tag_bytes};
use find::Recent;
use foldhash::fast::RandomState;
use metric_model::{Kind, TagSet, Timestamp, Unit};
use order::{by_metric, by_tags};
use row::{FamilyId, Row, Seen};
use std::collections::BTreeMap;
use unplaced::TurnedAway;

/// All known streams. A stream is name, kind, unit and tags.
///
/// The hash is keyed afresh for each table, so that no one can choose tags that collide; nothing that is written
/// depends on it, nor on the ids.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    seed: RandomState,
    /// Their users are the streams.
    metrics: Interned<Metric>,
    families: Vec<Family>,
    /// Their users are the rows.
    tags: Interned<Tags>,
    rows: Numbered<Row>,
    /// Those that are not the first of their tag set, by [hash](find::hash_row).
    more_rows: Table,
    /// How many streams there are.
    len: usize,
    metric_order: Sorted,
    tag_order: Sorted,
    text_bytes: usize,
    /// `overflow=true`, ready to be looked up.
    overflow_tags: TagSet,
    places_used: u64,
    overflow_used: u32,
    /// The greatest window that was seen.
    frontier: Option<i64>,
    /// Each row with a stream that is not idle, by a window before which none of these was seen last; looked at again when
    /// that is long ago.
    idle_queue: BTreeMap<i64, Runs>,
    turned_away: TurnedAway,
    /// What was looked up last, as guesses.
    recent: Recent,
}

#[derive(Clone, Debug)]
struct Metric {
    name: Box<str>,
    kind: Kind,
    unit: Box<str>,
    form: Form,
    /// Places that each of its streams takes.
    cost: u32,
    /// The family that it is a column of.
    family: FamilyId,
    column: u8,
}

/// A family of the configuration.
#[derive(Clone, Debug)]
struct Family {
    metrics: &'static [metric_model::Metric<'static>],
    /// The ids of those that are known.
    ids: Vec<Option<u32>>,
    /// What those keep.
    forms: Forms,
    /// The columns that are counts.
    counts: Mask,
}

/// A tag set that is known.
#[derive(Clone, Debug)]
struct Tags {
    set: TagSet,
    /// The row that was the first to have it, if that still is.
    first: u32,
}

/// No row.
const NONE: u32 = u32::MAX;

/// What a stream is to the quota; of two aggregators, the greater one holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Role {
    /// It gave its place up; windows may still hold cells of it.
    Idle,
    /// It takes what found no place.
    Overflow,
    /// It has its place, or needs none.
    Placed,
}

/// A stream by its numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct StreamId {
    pub(crate) row: u32,
    pub(crate) column: u8,
}

/// Where an observation goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admitted {
    pub(crate) stream: StreamId,
    pub(crate) folded: bool,
}

impl StreamId {
    pub(crate) const fn mask(self) -> Mask {
        1 << self.column
    }
}

impl Streams {
    pub(crate) fn new(config: &AggregatorConfig) -> Self {
        let family = |metrics: &&'static [metric_model::Metric<'static>]| Family {
            metrics,
            ids: vec![None; metrics.len()],
            forms: Forms::default(),
            counts: (0..)
                .zip(*metrics)
                .filter(|(_, metric)| metric.kind() == Kind::Count)
                .fold(0, |mask, (column, _): (u8, _)| mask | 1 << column),
        };
        Self {
            seed: RandomState::default(),
            metrics: Interned::default(),
            families: config.families().iter().map(family).collect(),
            tags: Interned::default(),
            rows: Numbered::default(),
            more_rows: Table::default(),
            len: 0,
            metric_order: Sorted::default(),
            tag_order: Sorted::default(),
            text_bytes: 0,
            overflow_tags: TagSet::from_iter([("overflow", "true")]),
            places_used: 0,
            overflow_used: 0,
            frontier: None,
            idle_queue: BTreeMap::new(),
            turned_away: TurnedAway::default(),
            recent: Recent::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// One more than the greatest id of a row.
    pub(crate) fn row_bound(&self) -> usize {
        self.rows.id_bound()
    }

    /// What the columns of a row keep, and where its cell in a window is.
    #[inline]
    pub(crate) fn spot(&self, row: u32, serial: u32) -> Option<(Forms, Spot)> {
        Some((self.forms(row)?, self.rows.get(row)?.spot(serial)))
    }

    /// What the columns of a row keep.
    #[inline]
    pub(crate) fn forms(&self, row: u32) -> Option<Forms> {
        Some(match self.rows.get(row)?.family.which() {
            Ok(family) => self.families.get(family)?.forms,
            Err(metric) => Forms::alone(self.metrics.get(metric)?.form),
        })
    }

    /// Counts observations, so many of each of these columns.
    #[inline]
    pub(crate) fn count(&mut self, row: u32, mask: Mask, count: u64) {
        if let Some(row) = self.rows.get_mut(row) {
            row.change(mask, |seen| seen.observations = seen.observations.saturating_add(count));
        }
    }

    /// The decision about a stream that has no place: it gets one, or is folded, or refused.
    #[cold]
    fn admit(
        &mut self,
        known: Option<StreamId>,
        key: &Key<'_>,
        time: Timestamp,
        window: i64,
        config: &AggregatorConfig,
    ) -> Result<Admitted, Refusal> {
        if key.text_len() > config.max_key_len() as usize {
            return Err(Refusal::KeyTooLong);
        }
        let Some(quota) = config.quota() else {
            let stream = self.open(known, key, Role::Placed, time, window, config)?;
            return Ok(Admitted { stream, folded: false });
        };
        let cost = config.cost_of(key.name, key.kind);
        let free = u64::from(quota.limit()).saturating_sub(self.places_used);
        if cost == 0 || u64::from(cost) <= free {
            let stream = self.open(known, key, Role::Placed, time, window, config)?;
            return Ok(Admitted { stream, folded: false });
        }
        let folded = self.fold(key, time, window, config);
        self.turned_away.enter(self.hash_of(key), key, time, window, folded.is_ok());
        folded
    }

    fn fold(
        &mut self,
        key: &Key<'_>,
        time: Timestamp,
        window: i64,
        config: &AggregatorConfig,
    ) -> Result<Admitted, Refusal> {
        let tags = self.overflow_tags.clone();
        let overflow = Key { tags: &tags, ..*key };
        let known = self.find(&overflow);
        if let Some(stream) = known
            && self.is_active(stream)
        {
            return Ok(Admitted { stream, folded: true });
        }
        if self.overflow_used >= config.quota().map_or(0, |quota| quota.overflow_streams()) {
            return Err(Refusal::OverQuota);
        }
        let stream = self.open(known, &overflow, Role::Overflow, time, window, config)?;
        Ok(Admitted { stream, folded: true })
    }

    /// Makes a stream, or gives an idle one its role back.
    fn open(
        &mut self,
        known: Option<StreamId>,
        key: &Key<'_>,
        role: Role,
        time: Timestamp,
        window: i64,
        config: &AggregatorConfig,
    ) -> Result<StreamId, Refusal> {
        let stream = match known {
            Some(stream) => stream,
            None if !self.has_room(key, config) => return Err(Refusal::TooManyStreams),
            None => {
                let seen = Seen { last: window, ..Seen::new(time) };
                self.add(key, seen, config.form_of(key.name, key.kind), config)
            }
        };
        self.give_place(stream, role, window);
        Ok(stream)
    }

    /// Gives an idle stream its role, seen in this window.
    fn give_place(&mut self, stream: StreamId, role: Role, window: i64) {
        let cost = self.metric_of(stream).map_or(0, |metric| u64::from(metric.cost));
        let Some(row) = self.rows.get_mut(stream.row) else { return };
        let last = row.seen(stream.column).map_or(window, |seen| seen.last.max(window));
        if row.seen(stream.column).is_some_and(|seen| seen.last < window) {
            row.change(stream.mask(), |seen| seen.last = window);
        }
        let others = columns(row.active()).filter_map(|column| row.seen(column)).map(|seen| seen.last).min();
        // One that is queued for an earlier window is looked at then, and this stream with it.
        if others.is_none_or(|others| last < others) {
            self.idle_queue.entry(last).or_default().push(stream.row);
        }
        match role {
            Role::Overflow => {
                row.overflow |= stream.mask();
                self.overflow_used += 1;
            }
            Role::Placed | Role::Idle => {
                row.placed |= stream.mask();
                self.places_used += cost;
            }
        }
    }

    /// Gives streams of a row that have none their places, seen in this window.
    fn give_places(&mut self, id: u32, mask: Mask, cost: u64, window: i64) {
        let Some(row) = self.rows.get_mut(id) else { return };
        let known = columns(row.active()).filter_map(|column| row.seen(column)).map(|seen| seen.last).min();
        if mask & !row.open == 0 && columns(mask).any(|column| row.seen(column).is_some_and(|seen| seen.last < window))
        {
            row.change(mask, |seen| seen.last = seen.last.max(window));
        }
        // None of them was seen before this window, so that they are looked at in time.
        if known.is_none_or(|known| window < known) {
            self.idle_queue.entry(window).or_default().push(id);
        }
        row.placed |= mask;
        self.places_used += cost;
    }

    /// Whether a stream can be added, taking its text as new.
    fn has_room(&self, key: &Key<'_>, config: &AggregatorConfig) -> bool {
        let bytes = self.text_bytes.saturating_add(key.bytes());
        self.len < config.max_streams() as usize && bytes <= config.max_key_bytes() && !self.rows.is_full()
    }

    /// Adds a stream that is not known; it is idle.
    fn add(&mut self, key: &Key<'_>, seen: Seen, form: Form, config: &AggregatorConfig) -> StreamId {
        let metric = self.metric_for(key, form, config);
        let (family, column) =
            self.metrics.get(metric).map_or((FamilyId::alone(metric), 0), |known| (known.family, known.column));
        let of_tags = self.hash_tags(key.tags);
        let tags = self.find_tags(of_tags, key.tags).unwrap_or_else(|| self.add_tags(key.tags, of_tags));
        let row = self.row_of(family, tags, of_tags).unwrap_or_else(|| self.add_row(family, tags, of_tags));
        let stream = StreamId { row, column };
        self.add_to_row(stream, metric, seen);
        stream
    }

    /// Makes columns of a row streams whose metrics are known; they are idle.
    fn add_columns(&mut self, family: usize, id: u32, mask: Mask, seen: Seen) {
        let Self { families, metrics, rows, .. } = self;
        let (Some(family), Some(row)) = (families.get(family), rows.get_mut(id)) else { return };
        let ids = columns(mask).filter_map(|column| *family.ids.get(usize::from(column))?);
        ids.for_each(|metric| metrics.add_user(metric));
        self.len += mask.count_ones() as usize;
        row.add(mask, seen);
    }

    /// Makes a column of a row a stream; it is idle.
    fn add_to_row(&mut self, stream: StreamId, metric: u32, seen: Seen) {
        self.metrics.add_user(metric);
        self.len += 1;
        if let Some(row) = self.rows.get_mut(stream.row) {
            row.add(stream.mask(), seen);
        }
    }

    /// The id of a metric, which is known from here on.
    fn metric_for(&mut self, key: &Key<'_>, form: Form, config: &AggregatorConfig) -> u32 {
        let hash = self.hash_metric(key);
        if let Some(id) = self.find_metric(hash, key) {
            return id;
        }
        self.text_bytes += key.name.len() + key.unit.as_str().len();
        let id = self.metrics.add(hash, Metric::new(key, form, config));
        self.metric_order.insert(id, by_metric(&self.metrics));
        let is_it = |known: &metric_model::Metric<'_>| {
            (known.name(), known.kind(), known.unit()) == (key.name, key.kind, key.unit)
        };
        let mut home = (FamilyId::alone(id), 0);
        for (index, family) in self.families.iter_mut().enumerate() {
            if let Some(column) = family.metrics.iter().position(is_it) {
                home = (FamilyId::declared(index), column as u8);
                family.forms.set(column as u8, form);
                if let Some(place) = family.ids.get_mut(column) {
                    *place = Some(id);
                }
            }
        }
        if let Some(metric) = self.metrics.get_mut(id) {
            (metric.family, metric.column) = home;
        }
        id
    }

    /// Adds a tag set that is not known.
    fn add_tags(&mut self, tags: &TagSet, hash: u32) -> u32 {
        self.text_bytes += tag_bytes(tags);
        let id = self.tags.add(hash, Tags { set: tags.clone(), first: NONE });
        self.tag_order.insert(id, by_tags(&self.tags));
        id
    }

    fn add_row(&mut self, family: FamilyId, tags: u32, of_tags: u32) -> u32 {
        self.tags.add_user(tags);
        let id = self.rows.add(Row::new(family, tags));
        match self.tags.get_mut(tags) {
            // Its tag set leads to it: most tag sets have one row.
            Some(of_row) if of_row.first == NONE => of_row.first = id,
            _ => self.more_rows.insert(find::hash_row(family, of_tags), id),
        }
        id
    }

    /// Counts all places again, after the quota has changed. Nobody loses a place that was given.
    pub(crate) fn recount(&mut self, config: &AggregatorConfig) {
        self.count_places(config);
        self.turned_away.clear();
    }

    fn count_places(&mut self, config: &AggregatorConfig) {
        for metric in self.metrics.values_mut() {
            metric.cost = config.cost_of(&metric.name, metric.kind);
        }
        let placed =
            self.rows.iter().flat_map(|(row, of)| columns(of.placed).map(move |column| StreamId { row, column }));
        self.places_used =
            placed.filter_map(|stream| self.metric_of(stream)).map(|metric| u64::from(metric.cost)).sum();
    }

    fn metric_id(&self, stream: StreamId) -> Option<u32> {
        match self.rows.get(stream.row)?.family.which() {
            Ok(family) => *self.families.get(family)?.ids.get(usize::from(stream.column))?,
            Err(metric) => Some(metric),
        }
    }

    #[inline]
    fn metric_of(&self, stream: StreamId) -> Option<&Metric> {
        self.metrics.get(self.metric_id(stream)?)
    }

    pub(crate) fn form(&self, stream: StreamId) -> Option<Form> {
        Some(self.metric_of(stream)?.form)
    }

    /// The tags of a row.
    pub(crate) fn tags(&self, row: u32) -> Option<&TagSet> {
        Some(&self.tags.get(self.rows.get(row)?.tags)?.set)
    }

    /// The key, and what the stream keeps in a window.
    #[inline]
    pub(crate) fn key_and_form(&self, stream: StreamId) -> Option<(Key<'_>, Form)> {
        let metric = self.metric_of(stream)?;
        let tags = self.tags(stream.row)?;
        Some((Key { name: &metric.name, kind: metric.kind, unit: Unit::new(&metric.unit), tags }, metric.form))
    }

    /// Every stream.
    fn iter(&self) -> impl Iterator<Item = StreamId> {
        self.rows.iter().flat_map(|(row, of)| columns(of.open).map(move |column| StreamId { row, column }))
    }

    fn role(&self, stream: StreamId) -> Role {
        match self.rows.get(stream.row) {
            Some(row) if row.placed & stream.mask() != 0 => Role::Placed,
            Some(row) if row.overflow & stream.mask() != 0 => Role::Overflow,
            _ => Role::Idle,
        }
    }

    /// Bytes in use, at most.
    pub(crate) fn bytes(&self) -> usize {
        self.text_bytes + self.len * BYTES_A_STREAM + self.turned_away.bytes() + self.recent.bytes()
    }

    /// The most bytes that a configuration allows.
    pub(crate) fn max_bytes(config: &AggregatorConfig) -> usize {
        let streams = (config.max_streams() as usize).saturating_add(8).saturating_mul(BYTES_A_STREAM);
        streams
            .saturating_add(config.max_key_bytes())
            .saturating_add(TurnedAway::MAX_BYTES + Recent::max_bytes(config.max_streams() as usize))
    }
}

/// Bytes that a stream takes at most besides its text, with a metric, a tag set and a row of its own: in lists that have
/// twice their length in reserve, and three times that while they grow; in the order of output; and in the queue of the
/// idle, alone in a node. What a column needs that has a past of its own is covered by the row that it shares.
const BYTES_A_STREAM: usize = Interned::<Metric>::BYTES_AN_ITEM
    + Interned::<Tags>::BYTES_AN_ITEM
    + Numbered::<Row>::BYTES_AN_ITEM
    + table::BYTES_AN_ID
    + 2 * Sorted::BYTES_AN_ID
    + 160;

const _: () = assert!(Row::APART_BYTES <= Numbered::<Row>::BYTES_AN_ITEM / 2);

impl Metric {
    fn new(key: &Key<'_>, form: Form, config: &AggregatorConfig) -> Self {
        Self {
            name: key.name.into(),
            kind: key.kind,
            unit: key.unit.as_str().into(),
            form,
            cost: config.cost_of(key.name, key.kind),
            family: FamilyId::alone(0),
            column: 0,
        }
    }

    pub(crate) fn key(&self) -> (&str, Kind, Unit<'_>) {
        (&self.name, self.kind, Unit::new(&self.unit))
    }

    fn is(&self, name: &str, kind: Kind, unit: Unit<'_>) -> bool {
        self.kind == kind && *self.name == *name && *self.unit == *unit.as_str()
    }
}

impl AggregatorConfig {
    /// What the streams of a metric keep.
    fn form_of(&self, name: &str, kind: Kind) -> Form {
        match (kind, self.distribution_of(name)) {
            (Kind::Count, _) => Form::Total,
            (Kind::Measure, Distribution::Sketch(precision)) => Form::Distribution(precision),
            (Kind::Measure | Kind::Sample, _) => Form::Gauge,
        }
    }
}
