//! The known streams in a snapshot, and the union of two aggregators' streams.

use super::unplaced::TurnedAway;
use super::{InOrder, Role, Stream, Streams};
use crate::codec::{Reader, Writer};
use crate::config::AggregatorConfig;
use crate::stream_key::{Form, Key, kind_byte, kind_of};
use metric_model::{TagSet, Unit};
use std::collections::BTreeMap;

impl Streams {
    /// Writes them in the order of output: equal states are equal bytes.
    pub(crate) fn encode(&self, order: &InOrder, out: &mut Writer) {
        out.optional(self.frontier);
        let mut tag_sets: Vec<(&TagSet, u32)> = self.tags.iter().map(|(id, tags)| (&tags.set, id)).collect();
        tag_sets.sort_unstable();
        let places: BTreeMap<u32, usize> = tag_sets.iter().enumerate().map(|(place, (_, id))| (*id, place)).collect();
        out.count(tag_sets.len());
        tag_sets.iter().for_each(|(tags, _)| out.tags(tags));

        let streams = order.ids().iter().filter_map(|id| self.streams.get(*id));
        let streams: Vec<&Stream> = streams.collect();
        let of_metric = || streams.chunk_by(|a, b| a.metric == b.metric);
        out.count(of_metric().count());
        for group in of_metric() {
            let Some(metric) = group.first().and_then(|stream| self.metrics.get(stream.metric)) else { continue };
            out.text(&metric.name);
            out.byte(kind_byte(metric.kind));
            out.text(&metric.unit);
            out.byte(metric.form.to_byte());
            out.count(group.len());
            for stream in group {
                out.count(places.get(&stream.tags).copied().unwrap_or_default());
                out.byte(stream.role.to_byte());
                out.signed(stream.last);
                out.time(stream.first_seen);
                out.number(stream.observations);
            }
        }
        self.turned_away.encode(out);
    }

    /// Reads them; their ids are their places in the order they were written.
    pub(crate) fn decode(input: &mut Reader<'_>, config: &AggregatorConfig) -> Option<Self> {
        let mut streams = Self { frontier: input.optional()?, ..Self::default() };
        let tag_sets: Vec<TagSet> = (0..input.count()?).map(|_| input.tags()).collect::<Option<_>>()?;
        for _ in 0..input.count()? {
            let name = input.text()?;
            let kind = kind_of(input.byte()?)?;
            let unit = Unit::new(input.text()?);
            let form = Form::from_byte(input.byte()?).filter(|form| form.fits(kind))?;
            let metric = Key { name, kind, unit, tags: &TagSet::new() };
            if streams.find_metric(streams.hash_metric(&metric), &metric).is_some() {
                return None;
            }
            for _ in 0..input.count()? {
                let tags = tag_sets.get(usize::try_from(input.number()?).ok()?)?;
                let key = Key { name, kind, unit, tags };
                let role = Role::from_byte(input.byte()?)?;
                let (last, first_seen, observations) = (input.signed()?, input.time()?, input.number()?);
                if streams.find(&key).is_some() || streams.streams.is_full() {
                    return None;
                }
                let id = streams.add(&key, first_seen, form, config);
                let stream = streams.streams.get_mut(id)?;
                (stream.role, stream.last, stream.observations) = (role, last, observations);
            }
        }
        streams.turned_away = TurnedAway::decode(input, |key| streams.hash_of(key))?;
        streams.settle(config);
        Some(streams)
    }
}

impl Streams {
    /// Whether both know a metric of which they keep different things, so that their cells cannot be added up.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        other.metrics.iter().any(|(_, theirs)| {
            let (name, kind, unit) = theirs.key();
            let key = Key { name, kind, unit, tags: &TagSet::new() };
            let ours = self.find_metric(self.hash_metric(&key), &key);
            ours.and_then(|id| self.metrics.get(id)).is_some_and(|ours| ours.form != theirs.form)
        })
    }

    /// Takes the streams of another aggregator in; answers our id for each of theirs.
    ///
    /// Who has a place in one of them has it in both, even beyond the limit.
    pub(crate) fn merge(&mut self, other: &Self, config: &AggregatorConfig) -> Vec<Option<u32>> {
        let mut ids = vec![None; other.streams.id_bound()];
        for (id, theirs) in other.streams.iter() {
            let Some((key, form)) = other.key_of(theirs).zip(other.form(id)) else { continue };
            let ours = match self.look_up(&key) {
                Some(ours) => ours,
                None if self.streams.is_full() => continue,
                None => self.add(&key, theirs.first_seen, form, config),
            };
            if let Some(stream) = self.streams.get_mut(ours) {
                stream.role = stream.role.max(theirs.role);
                stream.last = stream.last.max(theirs.last);
                stream.first_seen = stream.first_seen.min(theirs.first_seen);
                stream.observations = stream.observations.saturating_add(theirs.observations);
            }
            if let Some(place) = ids.get_mut(id as usize) {
                *place = Some(ours);
            }
        }
        self.frontier = self.frontier.max(other.frontier);
        let mut turned_away = std::mem::take(&mut self.turned_away);
        turned_away.merge(&other.turned_away, |key| self.hash_of(key));
        self.turned_away = turned_away;
        self.settle(config);
        ids
    }

    /// Computes everything that follows from the roles of the streams.
    fn settle(&mut self, config: &AggregatorConfig) {
        self.count_places(config);
        self.overflow_used = 0;
        self.idle_queue.clear();
        for (id, stream) in self.streams.iter() {
            if stream.role == Role::Overflow {
                self.overflow_used += 1;
            }
            if stream.role != Role::Idle {
                self.idle_queue.entry(stream.last).or_default().push(id);
            }
        }
    }
}

impl Role {
    fn to_byte(self) -> u8 {
        match self {
            Self::Idle => 0,
            Self::Overflow => 1,
            Self::Placed => 2,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Idle, Self::Overflow, Self::Placed].get(usize::from(byte)).copied()
    }
}
