//! The known streams in a snapshot, and the union of two aggregators' streams.

use super::row::Seen;
use super::unplaced::TurnedAway;
use super::{InOrder, Places, Role, StreamId, Streams};
use crate::codec::{Reader, Writer};
use crate::config::AggregatorConfig;
use crate::stream_key::{Form, Key, columns, kind_byte, kind_of};
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

        let of_metric = || order.streams().chunk_by(|a, b| self.metric_id(*a) == self.metric_id(*b));
        out.count(of_metric().count());
        for group in of_metric() {
            let Some(metric) = group.first().and_then(|stream| self.metric_of(*stream)) else { continue };
            out.text(&metric.name);
            out.byte(kind_byte(metric.kind));
            out.text(&metric.unit);
            out.byte(metric.form.to_byte());
            out.count(group.len());
            for stream in group {
                let row = self.rows.get(stream.row);
                let Some((row, seen)) = row.and_then(|row| Some((row, row.seen(stream.column)?))) else { continue };
                out.count(places.get(&row.tags).copied().unwrap_or_default());
                out.byte(self.role(*stream).to_byte());
                out.signed(seen.last);
                out.time(seen.first);
                out.number(seen.observations);
            }
        }
        self.turned_away.encode(out);
    }

    /// Reads them.
    pub(crate) fn decode(input: &mut Reader<'_>, config: &AggregatorConfig) -> Option<Self> {
        let mut streams = Self { frontier: input.optional()?, ..Self::new(config) };
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
                let (last, first, observations) = (input.signed()?, input.time()?, input.number()?);
                if streams.find(&key).is_some() || streams.rows.is_full() {
                    return None;
                }
                let stream = streams.add(&key, Seen { last, first, observations, windows: 0 }, form, config);
                streams.set_role(stream, role);
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

    /// Takes the streams of another aggregator in; answers which stream of ours each of theirs is.
    ///
    /// Who has a place in one of them has it in both, even beyond the limit.
    pub(crate) fn merge(&mut self, other: &Self, config: &AggregatorConfig) -> Places<Option<StreamId>> {
        let mut ours_of = other.places(None);
        for theirs in other.iter() {
            let Some((key, form)) = other.key_and_form(theirs) else { continue };
            let Some(seen) = other.rows.get(theirs.row).and_then(|row| row.seen(theirs.column)) else { continue };
            // Windows are counted as they come.
            let ours = match self.look_up(&key) {
                Some(ours) => {
                    if let Some(row) = self.rows.get_mut(ours.row) {
                        row.change(ours.mask(), |known| {
                            known.last = known.last.max(seen.last);
                            known.first = known.first.min(seen.first);
                            known.observations = known.observations.saturating_add(seen.observations);
                        });
                    }
                    ours
                }
                None if self.rows.is_full() => continue,
                None => self.add(&key, Seen { windows: 0, ..seen }, form, config),
            };
            self.set_role(ours, self.role(ours).max(other.role(theirs)));
            ours_of.set(theirs, Some(ours));
        }
        self.frontier = self.frontier.max(other.frontier);
        let mut turned_away = std::mem::take(&mut self.turned_away);
        turned_away.merge(&other.turned_away, |key| self.hash_of(key));
        self.turned_away = turned_away;
        self.settle(config);
        ours_of
    }

    fn set_role(&mut self, stream: StreamId, role: Role) {
        if let Some(row) = self.rows.get_mut(stream.row) {
            let bit = |is_it| if is_it { stream.mask() } else { 0 };
            row.placed = row.placed & !stream.mask() | bit(role == Role::Placed);
            row.overflow = row.overflow & !stream.mask() | bit(role == Role::Overflow);
        }
    }

    /// Computes everything that follows from the roles of the streams.
    fn settle(&mut self, config: &AggregatorConfig) {
        self.count_places(config);
        self.overflow_used = 0;
        self.idle_queue.clear();
        for (id, row) in self.rows.iter() {
            self.overflow_used += row.overflow.count_ones();
            let last = columns(row.active()).filter_map(|column| row.seen(column)).map(|seen| seen.last).min();
            if let Some(last) = last {
                self.idle_queue.entry(last).or_default().push(id);
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
