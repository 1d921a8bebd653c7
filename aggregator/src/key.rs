//! The streams that are known: each name, unit and tag set once, and a number for each combination.

mod state;

pub(crate) use state::{kind_byte, kind_of};

use crate::config::Distribution;
use crate::explain::{Explanation, Standing, StreamReport};
use crate::intern::Interned;
use crate::turned_away::TurnedAway;
use crate::{AggregatorConfig, Precision, Refusal};
use core::cmp::Ordering;
use core::hash::{BuildHasher, Hash};
use foldhash::fast::RandomState;
use metric_model::{Kind, Observation, TagSet, Timestamp, Unit};
use std::collections::BTreeMap;

/// All known streams. A stream is name, kind, unit and tags.
///
/// The hash is keyed afresh for each table, so that no one can choose tags that collide; nothing that is written
/// depends on it, nor on the ids.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    seed: RandomState,
    /// Tells this table from any other, for memos that went astray. Never 0.
    table: u64,
    metrics: Interned<Metric>,
    tags: Interned<TagSet>,
    /// Their users are the windows that hold a cell of theirs.
    streams: Interned<Stream>,
    order: Order,
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
    /// How often a stream was removed, so that its number may mean another now.
    removals: u64,
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
    /// Of the table it is a number in; 0 when nothing is remembered.
    table: u64,
    removals: u64,
    stream: u32,
}

impl StreamMemo {
    /// Nothing remembered.
    ///
    /// ```
    /// assert_eq!(minute_aggregator::StreamMemo::new(), minute_aggregator::StreamMemo::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { table: 0, removals: 0, stream: 0 }
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

#[derive(Clone, Debug)]
struct Stream {
    metric: u32,
    tags: u32,
    role: Role,
    /// The greatest window in which it was seen.
    last: i64,
    first_seen: Timestamp,
    observations: u64,
    /// Whether it stands in the order of output.
    sorted: bool,
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

/// What a stream keeps in a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    Total,
    Gauge,
    Distribution(Precision),
}

/// Where an observation goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admitted {
    pub(crate) stream: u32,
    pub(crate) folded: bool,
}

/// The parts of a stream's key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Key<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit<'a>,
    pub(crate) tags: &'a TagSet,
}

impl<'a> Key<'a> {
    pub(crate) fn of(seen: &Observation<'a>) -> Self {
        Self { name: seen.name(), kind: seen.kind(), unit: seen.value().unit(), tags: seen.tags() }
    }

    /// What it counts towards the octets of all keys: its text, and where each tag ends.
    pub(crate) fn bytes(&self) -> usize {
        self.name.len() + self.unit.as_str().len() + tag_bytes(self.tags)
    }

    pub(crate) fn text_len(&self) -> usize {
        self.name.len() + self.unit.as_str().len() + self.tags.text_len()
    }
}

impl Default for Streams {
    fn default() -> Self {
        let seed = RandomState::default();
        Self {
            table: seed.hash_one("table") | 1,
            seed,
            metrics: Interned::default(),
            tags: Interned::default(),
            streams: Interned::default(),
            order: Order::default(),
            text_bytes: 0,
            overflow_tags: TagSet::from_iter([("overflow", "true")]),
            places_used: 0,
            overflow_used: 0,
            frontier: None,
            idle_queue: BTreeMap::new(),
            turned_away: TurnedAway::default(),
            removals: 0,
        }
    }
}

impl Streams {
    pub(crate) fn len(&self) -> usize {
        self.streams.len()
    }

    /// Where an observation in this window goes; a stream is opened when it is new and there is room.
    #[inline]
    pub(crate) fn resolve(
        &mut self,
        seen: &Observation<'_>,
        window: i64,
        config: &AggregatorConfig,
    ) -> Result<Admitted, Refusal> {
        let key = Key::of(seen);
        let hash = self.hash(key);
        if let Some(stream) = self.find(hash, &key)
            && self.touch(stream, window)
        {
            return Ok(Admitted { stream, folded: false });
        }
        self.admit(hash, &key, seen.time(), window, config)
    }

    /// As [`resolve`](Self::resolve), but looks into `memo` first, and keeps a stream that has its place there.
    #[inline]
    pub(crate) fn resolve_again(
        &mut self,
        seen: &Observation<'_>,
        memo: &mut StreamMemo,
        window: i64,
        config: &AggregatorConfig,
    ) -> Result<Admitted, Refusal> {
        if memo.table == self.table && memo.removals == self.removals && self.touch(memo.stream, window) {
            return Ok(Admitted { stream: memo.stream, folded: false });
        }
        let admitted = self.resolve(seen, window, config)?;
        if !admitted.folded {
            *memo = StreamMemo { table: self.table, removals: self.removals, stream: admitted.stream };
        }
        Ok(admitted)
    }

    fn find(&self, hash: u32, key: &Key<'_>) -> Option<u32> {
        self.streams.find(hash, |stream| {
            self.metrics.get(stream.metric).is_some_and(|metric| metric.is(key.name, key.kind, key.unit))
                && self.tags.get(stream.tags) == Some(key.tags)
        })
    }

    /// Counts an observation for a stream that is not idle.
    fn touch(&mut self, stream: u32, window: i64) -> bool {
        match self.streams.get_mut(stream) {
            Some(stream) if stream.role != Role::Idle => {
                stream.observations = stream.observations.saturating_add(1);
                stream.last = stream.last.max(window);
                true
            }
            _ => false,
        }
    }

    /// The decision about a stream that has no place: it gets one, or is folded, or refused.
    #[cold]
    fn admit(
        &mut self,
        hash: u32,
        key: &Key<'_>,
        time: Timestamp,
        window: i64,
        config: &AggregatorConfig,
    ) -> Result<Admitted, Refusal> {
        if key.text_len() > config.key_limit() as usize {
            return Err(Refusal::KeyTooLong);
        }
        let Some(quota) = config.stream_quota() else {
            let stream = self.open(hash, key, Role::Placed, time, window, config)?;
            return Ok(Admitted { stream, folded: false });
        };
        let cost = config.cost_of(key.name, key.kind);
        let free = u64::from(quota.limit()).saturating_sub(self.places_used);
        if cost == 0 || u64::from(cost) <= free {
            let stream = self.open(hash, key, Role::Placed, time, window, config)?;
            return Ok(Admitted { stream, folded: false });
        }
        let folded = self.fold(key, time, window, config);
        let of_key = self.hash(*key);
        self.turned_away.enter(of_key, key, time, window, folded.is_ok());
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
        let hash = self.hash(overflow);
        if let Some(stream) = self.find(hash, &overflow)
            && self.touch(stream, window)
        {
            return Ok(Admitted { stream, folded: true });
        }
        if self.overflow_used >= config.stream_quota().map_or(0, |quota| quota.overflow_limit()) {
            return Err(Refusal::OverQuota);
        }
        let stream = self.open(hash, &overflow, Role::Overflow, time, window, config)?;
        Ok(Admitted { stream, folded: true })
    }

    /// Makes a stream, or gives an idle one its role back.
    fn open(
        &mut self,
        hash: u32,
        key: &Key<'_>,
        role: Role,
        time: Timestamp,
        window: i64,
        config: &AggregatorConfig,
    ) -> Result<u32, Refusal> {
        let id = match self.find(hash, key) {
            Some(id) => id,
            None if !self.has_room(key, config) => return Err(Refusal::TooManyStreams),
            None => self.add(hash, key, time, config.form_of(key.name, key.kind), config),
        };
        if let Some(stream) = self.streams.get_mut(id) {
            stream.role = role;
            stream.last = stream.last.max(window);
            stream.observations = stream.observations.saturating_add(1);
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
        self.len() < config.stream_limit() as usize && bytes <= config.key_byte_limit() && !self.streams.is_full()
    }

    fn add(&mut self, hash: u32, key: &Key<'_>, time: Timestamp, form: Form, config: &AggregatorConfig) -> u32 {
        let of_metric = self.hash((key.name, key.kind, key.unit));
        let metric =
            self.metrics.find(of_metric, |metric| metric.is(key.name, key.kind, key.unit)).unwrap_or_else(|| {
                self.text_bytes += key.name.len() + key.unit.as_str().len();
                self.metrics.add(of_metric, Metric::new(key, form, config))
            });
        let of_tags = self.hash(key.tags);
        let tags = self.tags.find(of_tags, |tags| tags == key.tags).unwrap_or_else(|| {
            self.text_bytes += tag_bytes(key.tags);
            self.tags.add(of_tags, key.tags.clone())
        });
        self.metrics.add_user(metric);
        self.tags.add_user(tags);
        let (role, last) = (Role::Idle, i64::MIN);
        let stream = Stream { metric, tags, role, last, first_seen: time, observations: 0, sorted: false };
        let id = self.streams.add(hash, stream);
        self.order.new.push(id);
        id
    }

    fn hash(&self, key: impl Hash) -> u32 {
        let hash = self.seed.hash_one(&key);
        (hash ^ (hash >> 32)) as u32
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
                if self.streams.users(id) == 0 {
                    self.remove(id);
                }
            }
        }
    }

    /// A window holds a cell of the stream.
    pub(crate) fn hold(&mut self, id: u32) {
        self.streams.add_user(id);
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
        self.removals += 1;
        self.order.removed = true;
        if self.metrics.drop_user(stream.metric) == 0
            && let Some(metric) = self.metrics.remove(stream.metric)
        {
            self.text_bytes -= metric.name.len() + metric.unit.len();
        }
        if self.tags.drop_user(stream.tags) == 0
            && let Some(tags) = self.tags.remove(stream.tags)
        {
            self.text_bytes -= tag_bytes(&tags);
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

    /// The streams in the order of output, as of the last [`sort`](Self::sort).
    pub(crate) fn id_at(&self, rank: usize) -> Option<u32> {
        self.order.sorted.get(rank).copied()
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

    fn key_of(&self, stream: &Stream) -> Option<Key<'_>> {
        let metric = self.metrics.get(stream.metric)?;
        let tags = self.tags.get(stream.tags)?;
        Some(Key { name: &metric.name, kind: metric.kind, unit: Unit::new(&metric.unit), tags })
    }

    /// Brings the order of output up to date.
    pub(crate) fn sort(&mut self) {
        let mut order = std::mem::take(&mut self.order);
        order.update(self);
        self.order = order;
    }

    /// The place of a stream in the order of output, as of the last [`sort`](Self::sort).
    pub(crate) fn rank(&self, id: u32) -> u32 {
        self.order.ranks.get(id as usize).copied().unwrap_or(u32::MAX)
    }

    pub(crate) fn explain<'a>(&'a self, config: &'a AggregatorConfig) -> Explanation<'a> {
        let quota = config.stream_quota();
        let known = self.streams.iter().filter_map(|(_, stream)| {
            let key = self.key_of(stream)?;
            let cost = self.metrics.get(stream.metric)?.cost;
            let standing = match stream.role {
                Role::Placed if quota.is_some() && cost == 0 => Standing::Exempt,
                Role::Placed => Standing::Admitted,
                Role::Overflow => Standing::Overflow,
                Role::Idle => Standing::Idle,
            };
            let taken = if standing == Standing::Admitted { cost } else { 0 };
            Some(StreamReport::new(key, standing, taken, stream.first_seen, stream.observations))
        });
        let mut rows: Vec<_> = known.chain(self.turned_away.reports(config)).collect();
        rows.sort_unstable_by(StreamReport::in_order);
        Explanation::new(rows, self.places_used, quota, self.turned_away.unlisted())
    }

    /// Octets in use, at most.
    pub(crate) fn bytes(&self) -> usize {
        self.text_bytes + self.len() * BYTES_A_STREAM + self.turned_away.bytes()
    }

    /// The most octets that a configuration allows.
    pub(crate) fn max_bytes(config: &AggregatorConfig) -> usize {
        let streams = (config.stream_limit() as usize).saturating_add(8).saturating_mul(BYTES_A_STREAM);
        streams.saturating_add(config.key_byte_limit()).saturating_add(TurnedAway::MAX_BYTES)
    }
}

/// Octets that a stream takes at most besides its text, with a metric and a tag set of its own: in lists that have
/// twice their length in reserve, and three times that while they grow; in the order of output, while that is sorted;
/// and in the queue of the idle, alone in a node.
const BYTES_A_STREAM: usize = Interned::<Metric>::BYTES_AN_ITEM
    + Interned::<TagSet>::BYTES_AN_ITEM
    + Interned::<Stream>::BYTES_AN_ITEM
    + 40
    + 160;

/// The text of a tag set, and where each tag ends.
fn tag_bytes(tags: &TagSet) -> usize {
    tags.text_len() + 8 * tags.len()
}

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

/// The order of output: by name, kind, unit, tags. Kept from one window to the next, since streams mostly stay.
#[derive(Clone, Default, Debug)]
struct Order {
    sorted: Vec<u32>,
    /// The place of each stream in `sorted`.
    ranks: Vec<u32>,
    /// Streams that came since; an id may stand here twice, when it was given again.
    new: Vec<u32>,
    /// Whether streams went since.
    removed: bool,
}

impl Order {
    fn update(&mut self, streams: &mut Streams) {
        if !self.removed && self.new.is_empty() {
            return;
        }
        if self.removed {
            // An id that was given again is a new stream, which is not marked.
            self.sorted.retain(|id| streams.streams.get(*id).is_some_and(|stream| stream.sorted));
            self.removed = false;
        }
        self.new.sort_unstable();
        self.new.dedup();
        for id in self.new.drain(..) {
            match streams.streams.get_mut(id) {
                Some(stream) if !stream.sorted => stream.sorted = true,
                _ => continue,
            }
            self.sorted.push(id);
        }
        // A stable sort finds the part that is in order already, and merges.
        self.sorted.sort_by(|a, b| compare(streams, *a, *b));
        self.ranks.clear();
        self.ranks.resize(streams.streams.id_bound(), u32::MAX);
        for (rank, id) in (0..).zip(&self.sorted) {
            if let Some(place) = self.ranks.get_mut(*id as usize) {
                *place = rank;
            }
        }
    }
}

fn compare(streams: &Streams, a: u32, b: u32) -> Ordering {
    match (streams.streams.get(a), streams.streams.get(b)) {
        (Some(a), Some(b)) if a.metric == b.metric => streams.tags.get(a.tags).cmp(&streams.tags.get(b.tags)),
        _ => streams.key(a).cmp(&streams.key(b)),
    }
}
