//! Who has a place, and who found none.

use super::{Role, Streams};
use crate::config::AggregatorConfig;
use crate::explain::{Explanation, Standing, StreamReport};

impl Streams {
    /// `staged` are the streams of observations that are not folded.
    pub(crate) fn explain<'a>(
        &'a self,
        staged: impl Iterator<Item = u32>,
        config: &'a AggregatorConfig,
    ) -> Explanation<'a> {
        let quota = config.quota();
        let mut more = vec![0_u64; self.streams.id_bound()];
        staged.for_each(|id| {
            if let Some(count) = more.get_mut(id as usize) {
                *count += 1;
            }
        });
        let known = self.streams.iter().filter_map(|(id, stream)| {
            let key = self.key_of(stream)?;
            let cost = self.metrics.get(stream.metric)?.cost;
            let standing = match stream.role {
                Role::Placed if quota.is_some() && cost == 0 => Standing::Exempt,
                Role::Placed => Standing::Admitted,
                Role::Overflow => Standing::Overflow,
                Role::Idle => Standing::Idle,
            };
            let taken = if standing == Standing::Admitted { cost } else { 0 };
            let observations = stream.observations.saturating_add(more.get(id as usize).copied().unwrap_or_default());
            Some(StreamReport::new(key, standing, taken, stream.first_seen, observations))
        });
        let mut rows: Vec<_> = known.chain(self.turned_away.reports(config)).collect();
        rows.sort_unstable_by(StreamReport::in_order);
        Explanation::new(rows, self.places_used, quota, self.turned_away.unlisted())
    }
}
