//! Which signals a point belongs to: found once for each stream, and then remembered.
//!
//! The memory may be thrown away at any time. It is when rules change, and when signals are forgotten.

use super::identity::{Identity, write_key};
use super::watching::{Room, Watching};
use crate::codec::Writer;
use metric_model::DataPoint;
use std::collections::HashMap;
use std::sync::Arc;

/// So many names are remembered; those beyond are looked up each time.
const MOST_NAMES: usize = 10_000;

/// A signal: the index of its rule, of the condition and of the place there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) rule: u32,
    pub(super) condition: u32,
    pub(super) signal: u32,
}

#[derive(Default, Debug)]
pub(super) struct Index {
    streams: HashMap<Box<[u8]>, Box<[Place]>>,
    /// The conditions that a name concerns, by rule and condition.
    names: HashMap<Box<str>, Arc<[(u32, u32)]>>,
    key: Writer,
}

impl Index {
    pub(super) fn clear(&mut self) {
        self.streams.clear();
        self.names.clear();
    }

    /// The places of a point's stream; those that are not there yet are made in the window `at`, while `room` lasts.
    pub(super) fn places(
        &mut self,
        (drain, point): (&str, &DataPoint<'_>),
        at: i64,
        rules: &mut [Watching],
        room: &mut Room,
    ) -> Box<[Place]> {
        let Some(conditions) = self.conditions(point.name(), rules) else { return Box::default() };
        let mut places = Vec::new();
        let mut who = None;
        for &(rule, condition) in conditions.iter() {
            let Some(watching) = rules.get_mut(rule as usize) else { continue };
            if !watching.selects(condition, drain, point) {
                continue;
            }
            let who = who.get_or_insert_with(|| {
                Arc::new(Identity {
                    drain: drain.into(),
                    metric: point.name().into(),
                    kind: point.kind(),
                    unit: point.unit().as_str().into(),
                    tags: point.tags().clone(),
                })
            });
            match watching.signal(condition, self.key.as_bytes(), who, at, room) {
                Some(signal) => places.push(Place { rule, condition, signal }),
                None => room.refused += 1,
            }
        }
        let places: Box<[Place]> = places.into();
        if self.streams.len() < room.most {
            self.streams.insert(self.key.as_bytes().into(), places.clone());
        }
        places
    }

    /// The places of a stream that was met before.
    pub(super) fn known(&mut self, drain: &str, point: &DataPoint<'_>) -> Option<&[Place]> {
        self.key.clear();
        write_key(&mut self.key, drain, point);
        self.streams.get(self.key.as_bytes()).map(|places| &**places)
    }

    fn conditions(&mut self, name: &str, rules: &[Watching]) -> Option<Arc<[(u32, u32)]>> {
        if let Some(known) = self.names.get(name) {
            return (!known.is_empty()).then(|| known.clone());
        }
        let of_rule = |(rule, watching): (usize, &Watching)| {
            let rule = u32::try_from(rule).unwrap_or(u32::MAX);
            watching.concerned(name).map(move |condition| (rule, condition)).collect::<Vec<_>>()
        };
        let found: Arc<[(u32, u32)]> = rules.iter().enumerate().flat_map(of_rule).collect();
        if self.names.len() < MOST_NAMES {
            self.names.insert(name.into(), found.clone());
        }
        (!found.is_empty()).then_some(found)
    }
}
