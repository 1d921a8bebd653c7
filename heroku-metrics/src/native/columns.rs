//! The native metrics as columns of records: which of them come together, in the order of the line.
//!
//! The lists are statics: an aggregator knows a family by where its list lies.

use super::life::SHARE;
use super::pgbouncer::PGBOUNCER;
use super::postgres::POSTGRES;
use super::redis::REDIS;
use super::router::ROUTER;
use super::runtime::RUNTIME;
use super::{Family, Native};
use metric_model::Metric;

/// The most columns of a record. A family of more has several lists.
pub(crate) const COLUMNS: usize = 16;

/// One list of columns.
pub(crate) type Columns = &'static [Metric<'static>];

pub(crate) static ROUTER_COLUMNS: [Metric<'static>; 4] = columns(&ROUTER, 0);
pub(crate) static RUNTIME_COLUMNS: [Columns; 1] = [&OF_DYNOS];
pub(crate) static POSTGRES_COLUMNS: [Columns; 2] = [&OF_DATABASES, &MORE_OF_DATABASES];
pub(crate) static REDIS_COLUMNS: [Columns; 2] = [&OF_STORES, &MORE_OF_STORES];
pub(crate) static PGBOUNCER_COLUMNS: [Columns; 1] = [&OF_POOLS];

/// Where the share of the quota stands, behind all that a line of a dyno tells: it is computed of that and has its tags.
pub(crate) const SHARE_COLUMN: usize = RUNTIME.metrics().len();

static OF_DYNOS: [Metric<'static>; SHARE_COLUMN + 1] = {
    let mut all = [SHARE.metric(); SHARE_COLUMN + 1];
    let (told, _) = all.split_at_mut(SHARE_COLUMN);
    let lines: [Metric<'static>; SHARE_COLUMN] = columns(&RUNTIME, 0);
    told.copy_from_slice(&lines);
    all
};
static OF_DATABASES: [Metric<'static>; COLUMNS] = columns(&POSTGRES, 0);
static MORE_OF_DATABASES: [Metric<'static>; POSTGRES.metrics().len() - COLUMNS] = columns(&POSTGRES, COLUMNS);
static OF_STORES: [Metric<'static>; COLUMNS] = columns(&REDIS, 0);
static MORE_OF_STORES: [Metric<'static>; REDIS.metrics().len() - COLUMNS] = columns(&REDIS, COLUMNS);
static OF_POOLS: [Metric<'static>; PGBOUNCER.metrics().len()] = columns(&PGBOUNCER, 0);

/// All lists; a metric stands in one of them at most.
pub(crate) fn all() -> impl Iterator<Item = Columns> {
    let samples = [&RUNTIME_COLUMNS[..], &POSTGRES_COLUMNS, &REDIS_COLUMNS, &PGBOUNCER_COLUMNS];
    std::iter::once(&ROUTER_COLUMNS[..]).chain(samples.into_iter().flatten().copied())
}

/// So many metrics of a family, from this one on.
const fn columns<const N: usize>(family: &Family, from: usize) -> [Metric<'static>; N] {
    let mut all = [family.metrics[from].metric(); N];
    let mut nth = 1;
    while nth < N {
        all[nth] = family.metrics[from + nth].metric();
        nth += 1;
    }
    all
}

impl Native {
    /// Its name, kind and unit.
    pub(crate) const fn metric(&self) -> Metric<'static> {
        Metric::new(self.kind, self.name, self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native;

    /// Column by column in the order of the table, so that a metric's index there leads to its column.
    #[test]
    fn lists_are_their_tables() {
        for (family, lists) in [
            (native::ROUTER, &[&ROUTER_COLUMNS[..]][..]),
            (native::RUNTIME, &RUNTIME_COLUMNS),
            (native::POSTGRES, &POSTGRES_COLUMNS),
            (native::REDIS, &REDIS_COLUMNS),
            (native::PGBOUNCER, &PGBOUNCER_COLUMNS),
        ] {
            let (last, others) = lists.split_last().unwrap();
            assert!(last.len() <= COLUMNS && others.iter().all(|list| list.len() == COLUMNS));
            let share = (family.title() == native::RUNTIME.title()).then_some(&SHARE);
            let told: Vec<_> = family.metrics().iter().chain(share).map(Native::metric).collect();
            assert_eq!(lists.concat(), told);
        }
    }
}
