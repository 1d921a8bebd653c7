//! Who has a place, and who found none.

use super::{Role, StreamId, Streams};
use crate::config::AggregatorConfig;
use crate::explain::{Explanation, Standing, StreamReport};
use crate::stream_key::{Mask, columns};
use std::collections::BTreeMap;

impl Streams {
    /// `staged` are the rows of what is not folded, with the columns that have a value.
    pub(crate) fn explain<'a>(
        &'a self,
        staged: impl Iterator<Item = (u32, Mask)>,
        config: &'a AggregatorConfig,
    ) -> Explanation<'a> {
        let quota = config.quota();
        let mut more: BTreeMap<(u32, Mask), u64> = BTreeMap::new();
        staged.for_each(|row| *more.entry(row).or_default() += 1);
        let mut staged = self.places(0_u64);
        for ((row, mask), count) in more {
            for column in columns(mask) {
                let stream = StreamId { row, column };
                staged.set(stream, staged.get(stream).unwrap_or_default() + count);
            }
        }
        let known = self.iter().filter_map(|stream| {
            let (key, _) = self.key_and_form(stream)?;
            let seen = self.rows.get(stream.row)?.seen(stream.column)?;
            let cost = self.metric_of(stream)?.cost;
            let standing = match self.role(stream) {
                Role::Placed if quota.is_some() && cost == 0 => Standing::Exempt,
                Role::Placed => Standing::Admitted,
                Role::Overflow => Standing::Overflow,
                Role::Idle => Standing::Idle,
            };
            let taken = if standing == Standing::Admitted { cost } else { 0 };
            let observations = seen.observations.saturating_add(staged.get(stream).unwrap_or_default());
            Some(StreamReport::new(key, standing, taken, seen.first, observations))
        });
        let mut rows: Vec<_> = known.chain(self.turned_away.reports(config)).collect();
        rows.sort_unstable_by(StreamReport::in_order);
        Explanation::new(rows, self.places_used, quota, self.turned_away.unlisted())
    }
}
