//! The streams that are known: each name, unit and tag set once, and a number for each combination.

mod find;
mod order;
mod reports;
mod state;
mod unplaced;

use find::{Recent, together};
pub(crate) use order::InOrder;
use order::{by_metric, by_tags};
use unplaced::TurnedAway;

use crate::config::AggregatorConfig;
use crate::config::Distribution;
use crate::lists::intern::Interned;
use crate::lists::sorted::Sorted;
use crate::outcome::Refusal;
use crate::stream_key::{Form, Key, tag_bytes};
use core::hash::BuildHasher;
use foldhash::fast::RandomState;
use metric_model::{Kind, TagSet, Timestamp, Unit};
use std::collections::BTreeMap;

/// All known streams. A stream is name, kind, unit and tags.
///
/// The hash is keyed afresh for each table, so that no one can choose tags that collide; nothing that is written
/// depends on it, nor on the ids.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    seed: RandomState,
    /// The upper half tells these streams from those of any other aggregator, for memos that went astray; it is never
    /// 0. The lower half counts how often streams gave up their places: while it stays, no stream has lost its own.
    stamp: u64,
    metrics: Interned<Metric>,
    tags: Interned<Tags>,
    /// Their users are the windows that hold a cell of theirs.
    streams: Interned<Stream>,
    metric_order: Sorted,
    tag_order: Sorted,
    text_bytes: usize,
    /// `overflow=true`, ready to be looked up.
    overflow_tags: TagSet,
    places_used: u64,
    overflow_used: u32,
    /// The greatest window that was seen.
    frontier: Option<i64>,
    /// Each stream that is not idle, by a window in which it was seen; looked at again when that is long ago.
    idle_queue: BTreeMap<i64, Vec<u32>>,
    turned_away: TurnedAway,
    /// How many streams there have been, around the end of the number.
    created: u32,
    /// What was looked up last.
    recent: Recent,
}

/// A place where a caller remembers the stream of an observation, for
/// [`Aggregator::observe_again`](crate::Aggregator::observe_again).
///
/// ```
/// use minute_aggregator::StreamMemo;
/// let nothing_yet = StreamMemo::new();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StreamMemo {
    /// That of the streams when it was filled; 0 when nothing is remembered.
    stamp: u64,
    id: u32,
    /// Tells the stream from others that have had its id.
    serial: u32,
}

impl StreamMemo {
    /// Nothing remembered.
    ///
    /// ```
    /// assert_eq!(minute_aggregator::StreamMemo::new(), minute_aggregator::StreamMemo::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { stamp: 0, id: 0, serial: 0 }
    }

    /// The stream, where [`Streams::recall`] found it to be one still.
    #[inline]
    pub(crate) const fn id(&self) -> u32 {
        self.id
    }
}

#[derive(Clone, Debug)]
struct Metric {
    name: Box<str>,
    kind: Kind,
    unit: Box<str>,
    form: Form,
    /// Places that each of its streams takes.
    cost: u32,
}

/// A tag set that is known.
#[derive(Clone, Debug)]
struct Tags {
    set: TagSet,
    /// The stream that was the first to have it, if that still is.
    first: u32,
}

#[derive(Clone, Debug)]
struct Stream {
    metric: u32,
    tags: u32,
    role: Role,
    /// The greatest window in which it was seen.
    last: i64,
    first_seen: Timestamp,
    /// Those that are folded.
    observations: u64,
    /// Tells it from others that have had its id.
    serial: u32,
    /// Its cells in the two newest windows that have one.
    cells: [CellOf; 2],
}

/// The cell of a stream in the window of a serial number; 0 is that of no window.
#[derive(Clone, Copy, Default, Debug)]
struct CellOf {
    serial: u32,
    cell: u32,
}

/// Where a stream's cell is in a window.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    At(u32),
    /// It has none yet.
    New,
    /// The window has to be asked.
    Unknown,
}

impl Place {
    pub(crate) fn known(self) -> Option<u32> {
        match self {
            Self::At(at) => Some(at),
            Self::New | Self::Unknown => None,
        }
    }
}

impl Stream {
    /// The two newest windows are remembered, so that a newer one than the first has no cell of the stream, and neither has
    /// one between the two. Only of older ones nothing is known.
    #[inline]
    fn place(&self, serial: u32) -> Place {
        for known in self.cells {
            if serial == known.serial {
                return Place::At(known.cell);
            }
            if serial > known.serial {
                return Place::New;
            }
        }
        Place::Unknown
    }
}

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

/// Where an observation goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admitted {
    pub(crate) stream: u32,
    pub(crate) folded: bool,
}

impl Default for Streams {
    fn default() -> Self {
        let seed = RandomState::default();
        Self {
            stamp: seed.hash_one("stamp") << 32 | 1 << 63,
            seed,
            metrics: Interned::default(),
            tags: Interned::default(),
            streams: Interned::default(),
            metric_order: Sorted::default(),
            tag_order: Sorted::default(),
            text_bytes: 0,
            overflow_tags: TagSet::from_iter([("overflow", "true")]),
            places_used: 0,
            overflow_used: 0,
            frontier: None,
            idle_queue: BTreeMap::new(),
            turned_away: TurnedAway::default(),
            created: 0,
            recent: Recent::default(),
        }
    }
}

impl Streams {
    pub(crate) fn len(&self) -> usize {
        self.streams.len()
    }

    /// One more than the greatest id.
    pub(crate) fn id_bound(&self) -> usize {
        self.streams.id_bound()
    }

    /// Counts observations of a stream in a window; answers what it keeps there, and where.
    #[inline]
    pub(crate) fn enter(&mut self, id: u32, count: u64, serial: u32) -> Option<(Form, Place)> {
        let stream = self.streams.get_mut(id)?;
        stream.observations = stream.observations.saturating_add(count);
        let place = stream.place(serial);
        Some((self.metrics.get(stream.metric)?.form, place))
    }

    /// What a stream keeps in a window, and where.
    pub(crate) fn place(&self, id: u32, serial: u32) -> Option<(Form, Place)> {
        let stream = self.streams.get(id)?;
        Some((self.metrics.get(stream.metric)?.form, stream.place(serial)))
    }

    /// The stream was seen in a window. Only the first time there tells anything.
    pub(crate) fn see(&mut self, id: u32, window: i64) {
        if let Some(stream) = self.streams.get_mut(id) {
            stream.last = stream.last.max(window);
        }
    }

    /// The decision about a stream that has no place: it gets one, or is folded, or refused.
    #[cold]
    fn admit(
        &mut self,
        known: Option<u32>,
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
            && self.has_place(stream)
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
        known: Option<u32>,
        key: &Key<'_>,
        role: Role,
        time: Timestamp,
        window: i64,
        config: &AggregatorConfig,
    ) -> Result<u32, Refusal> {
        let id = match known {
            Some(id) => id,
            None if !self.has_room(key, config) => return Err(Refusal::TooManyStreams),
            None => self.add(key, time, config.form_of(key.name, key.kind), config),
        };
        if let Some(stream) = self.streams.get_mut(id) {
            stream.role = role;
            stream.last = stream.last.max(window);
            self.idle_queue.entry(stream.last).or_default().push(id);
            match role {
                Role::Overflow => self.overflow_used += 1,
                _ => self.places_used += self.metrics.get(stream.metric).map_or(0, |metric| u64::from(metric.cost)),
            }
        }
        Ok(id)
    }

    /// Whether a stream can be added, taking its text as new.
    fn has_room(&self, key: &Key<'_>, config: &AggregatorConfig) -> bool {
        let bytes = self.text_bytes.saturating_add(key.bytes());
        self.len() < config.max_streams() as usize && bytes <= config.max_key_bytes() && !self.streams.is_full()
    }

    fn add(&mut self, key: &Key<'_>, time: Timestamp, form: Form, config: &AggregatorConfig) -> u32 {
        let (of_metric, of_tags) = (self.hash_metric(key), self.hash_tags(key.tags));
        let metric = self.find_metric(of_metric, key).unwrap_or_else(|| {
            self.text_bytes += key.name.len() + key.unit.as_str().len();
            let id = self.metrics.add(of_metric, Metric::new(key, form, config));
            self.metric_order.insert(id, by_metric(&self.metrics));
            id
        });
        let known = self.find_tags(of_tags, key.tags);
        let tags = known.unwrap_or_else(|| {
            self.text_bytes += tag_bytes(key.tags);
            let id = self.tags.add(of_tags, Tags { set: key.tags.clone(), first: u32::MAX });
            self.tag_order.insert(id, by_tags(&self.tags));
            id
        });
        self.metrics.add_user(metric);
        self.tags.add_user(tags);
        self.created = self.created.wrapping_add(1);
        let stream = Stream {
            metric,
            tags,
            role: Role::Idle,
            last: i64::MIN,
            first_seen: time,
            observations: 0,
            serial: self.created,
            cells: [CellOf::default(); 2],
        };
        let id = self.streams.add(together(of_metric, of_tags), stream);
        if known.is_none()
            && let Some(tags) = self.tags.get_mut(tags)
        {
            tags.first = id;
        }
        id
    }

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
            for id in queued.remove() {
                let Some(stream) = self.streams.get_mut(id) else { continue };
                if stream.last >= idle_below {
                    self.idle_queue.entry(stream.last).or_default().push(id);
                    continue;
                }
                match stream.role {
                    Role::Overflow => self.overflow_used -= 1,
                    _ => {
                        let cost = self.metrics.get(stream.metric).map_or(0, |metric| u64::from(metric.cost));
                        self.places_used -= cost;
                    }
                }
                stream.role = Role::Idle;
                self.stamp = self.stamp & !u64::from(u32::MAX) | u64::from((self.stamp as u32).wrapping_add(1));
                if self.streams.users(id) == 0 {
                    self.remove(id);
                }
            }
        }
    }

    /// A window holds a cell of the stream, and did not before.
    pub(crate) fn hold(&mut self, id: u32, cell: u32, serial: u32) {
        self.remember(id, cell, serial);
        self.streams.add_user(id);
    }

    /// The stream remembers its cell, if this is one of its two newest windows.
    pub(crate) fn remember(&mut self, id: u32, cell: u32, serial: u32) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        let [newest, other] = stream.cells;
        let new = CellOf { serial, cell };
        if serial > newest.serial {
            stream.cells = [new, newest];
        } else if serial > other.serial {
            stream.cells = [newest, new];
        }
    }

    /// No stream remembers any cell: the windows get other serial numbers.
    pub(crate) fn forget_cells(&mut self) {
        self.streams.values_mut().for_each(|stream| stream.cells = [CellOf::default(); 2]);
    }

    /// A window that held a cell of the stream is gone.
    pub(crate) fn release(&mut self, id: u32) {
        let idle = self.streams.get(id).is_some_and(|stream| stream.role == Role::Idle);
        if self.streams.drop_user(id) == 0 && idle {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: u32) {
        let Some(stream) = self.streams.remove(id) else { return };
        if self.metrics.drop_user(stream.metric) == 0 {
            self.metric_order.remove(stream.metric, by_metric(&self.metrics));
        }
        if self.metrics.users(stream.metric) == 0
            && let Some(metric) = self.metrics.remove(stream.metric)
        {
            self.text_bytes -= metric.name.len() + metric.unit.len();
        }
        if self.tags.drop_user(stream.tags) == 0 {
            self.tag_order.remove(stream.tags, by_tags(&self.tags));
        }
        if self.tags.users(stream.tags) == 0
            && let Some(tags) = self.tags.remove(stream.tags)
        {
            self.text_bytes -= tag_bytes(&tags.set);
        }
    }

    /// Counts all places anew, after the quota has changed. Nobody loses a place that was given.
    pub(crate) fn recount(&mut self, config: &AggregatorConfig) {
        self.count_places(config);
        self.turned_away.clear();
    }

    fn count_places(&mut self, config: &AggregatorConfig) {
        for metric in self.metrics.values_mut() {
            metric.cost = config.cost_of(&metric.name, metric.kind);
        }
        let placed = self.streams.iter().filter(|(_, stream)| stream.role == Role::Placed);
        let costs = placed.filter_map(|(_, stream)| self.metrics.get(stream.metric));
        self.places_used = costs.map(|metric| u64::from(metric.cost)).sum();
    }

    /// Forgets idle streams that no window refers to.
    pub(crate) fn sweep(&mut self) {
        let unused = |(id, stream): &(u32, &Stream)| stream.role == Role::Idle && self.streams.users(*id) == 0;
        let ids: Vec<u32> = self.streams.iter().filter(unused).map(|(id, _)| id).collect();
        ids.into_iter().for_each(|id| self.remove(id));
    }

    pub(crate) fn form(&self, id: u32) -> Option<Form> {
        let stream = self.streams.get(id)?;
        Some(self.metrics.get(stream.metric)?.form)
    }

    pub(crate) fn key(&self, id: u32) -> Option<Key<'_>> {
        self.key_of(self.streams.get(id)?)
    }

    /// The key, and what the stream keeps in a window.
    #[inline]
    pub(crate) fn key_and_form(&self, id: u32) -> Option<(Key<'_>, Form)> {
        let stream = self.streams.get(id)?;
        Some((self.key_of(stream)?, self.metrics.get(stream.metric)?.form))
    }

    fn key_of(&self, stream: &Stream) -> Option<Key<'_>> {
        let metric = self.metrics.get(stream.metric)?;
        let tags = &self.tags.get(stream.tags)?.set;
        Some(Key { name: &metric.name, kind: metric.kind, unit: Unit::new(&metric.unit), tags })
    }

    /// Octets in use, at most.
    pub(crate) fn bytes(&self) -> usize {
        self.text_bytes + self.len() * BYTES_A_STREAM + self.turned_away.bytes()
    }

    /// The most octets that a configuration allows.
    pub(crate) fn max_bytes(config: &AggregatorConfig) -> usize {
        let streams = (config.max_streams() as usize).saturating_add(8).saturating_mul(BYTES_A_STREAM);
        streams.saturating_add(config.max_key_bytes()).saturating_add(TurnedAway::MAX_BYTES)
    }
}

/// Octets that a stream takes at most besides its text, with a metric and a tag set of its own: in lists that have
/// twice their length in reserve, and three times that while they grow; in the order of output; and in the queue of the
/// idle, alone in a node.
const BYTES_A_STREAM: usize = Interned::<Metric>::BYTES_AN_ITEM
    + Interned::<Tags>::BYTES_AN_ITEM
    + Interned::<Stream>::BYTES_AN_ITEM
    + 2 * Sorted::BYTES_AN_ID
    + 160;

impl Metric {
    fn new(key: &Key<'_>, form: Form, config: &AggregatorConfig) -> Self {
        Self {
            name: key.name.into(),
            kind: key.kind,
            unit: key.unit.as_str().into(),
            form,
            cost: config.cost_of(key.name, key.kind),
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
