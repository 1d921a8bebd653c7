//! Two series of one metric and the same tags, step by step.

use std::collections::BTreeMap;
use std::ops::AddAssign;

/// Values that differ by less are the same number, written and read.
const SAME: f64 = 1e-9;

/// How many steps are how.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Counts {
    pub(super) equal: u64,
    pub(super) within: u64,
    pub(super) different: u64,
    /// Exported, and not here.
    pub(super) missing: u64,
    /// Here, and not exported.
    pub(super) extra: u64,
}

impl Counts {
    pub(super) const fn differs(&self) -> bool {
        self.different + self.missing + self.extra > 0
    }

    pub(super) const fn compared(&self) -> u64 {
        self.equal + self.within + self.different + self.missing + self.extra
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.equal += other.equal;
        self.within += other.within;
        self.different += other.different;
        self.missing += other.missing;
        self.extra += other.extra;
    }
}

/// A step in which both say something else, or one says nothing: its time, what was exported, what is here.
pub(super) type Difference = (i64, Option<f64>, Option<f64>);

/// Sets one beside the other. Answers the first differences, so many at the most.
pub(super) fn beside(
    exported: &BTreeMap<i64, f64>,
    here: &BTreeMap<i64, f64>,
    tolerance: f64,
    most: usize,
) -> (Counts, Vec<Difference>) {
    let mut counts = Counts::default();
    let mut differences = Vec::new();
    for (time, there) in exported {
        let found = here.get(time).copied();
        let apart = found.map(|found| (found - there).abs() / found.abs().max(there.abs()).max(f64::MIN_POSITIVE));
        match apart {
            None => counts.missing += 1,
            Some(apart) if apart <= SAME => counts.equal += 1,
            Some(apart) if apart <= tolerance => counts.within += 1,
            Some(_) => counts.different += 1,
        }
        if apart.is_none_or(|apart| apart > tolerance.max(SAME)) {
            differences.push((*time, Some(*there), found));
        }
    }
    for (time, found) in here.iter().filter(|(time, _)| !exported.contains_key(time)) {
        counts.extra += 1;
        differences.push((*time, None, Some(*found)));
    }
    differences.sort_by_key(|(time, ..)| *time);
    differences.truncate(most);
    (counts, differences)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_counted_as_what_it_is() {
        let exported = BTreeMap::from([(0, 1.0), (60, 100.0), (120, 100.0), (180, 0.0), (240, 5.0), (300, -1.0)]);
        let here = BTreeMap::from([(0, 1.0 + 1e-12), (60, 100.9), (120, 102.0), (180, 0.0), (300, 1.0), (360, 7.0)]);
        let (counts, differences) = beside(&exported, &here, 0.01, 10);
        assert_eq!(counts, Counts { equal: 2, within: 1, different: 2, missing: 1, extra: 1 });
        assert_eq!(
            differences,
            [
                (120, Some(100.0), Some(102.0)),
                (240, Some(5.0), None),
                (300, Some(-1.0), Some(1.0)),
                (360, None, Some(7.0))
            ]
        );
        assert_eq!(beside(&exported, &here, 0.01, 1).1.len(), 1);
        assert!(!beside(&exported, &exported, 0.0, 1).0.differs() && counts.differs());
    }
}
