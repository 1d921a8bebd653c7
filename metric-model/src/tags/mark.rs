//! What tells the contents of a tag set from all others without looking at them.

/// A number that is given to one state of one set, and to clones of it.
///
/// Two sets of one mark are equal. Of sets with different marks nothing is said: the same tags may have come together
/// twice. Numbers show in no output and in no order.
#[derive(Default)]
pub(super) struct Mark(u64);

/// Numbers are taken in runs of so many, so that few changes of a set reach for what all threads share.
const RUN: u64 = 1 << 10;

/// The set may go on with the next numbers of the run; of a clone's mark the original may.
const IS_OWN: u64 = 1 << 63;

impl Mark {
    /// Another number, for contents that are no longer those of any clone.
    #[inline]
    pub(super) fn renew(&mut self) {
        let next = (self.0 & !IS_OWN).wrapping_add(1);
        self.0 = if self.0 & IS_OWN != 0 && !next.is_multiple_of(RUN) { next | IS_OWN } else { Self::next_run() };
    }

    #[inline]
    pub(super) const fn is(&self, other: &Self) -> bool {
        (self.0 ^ other.0) & !IS_OWN == 0 && self.0 != 0
    }

    /// The first number of a run that no other set has. There is no 0, which stands for no number: after 2^53 runs, or where
    /// the processor cannot count in one step, all sets go without, and are compared by what they hold.
    #[cold]
    fn next_run() -> u64 {
        #[cfg(target_has_atomic = "64")]
        {
            use core::sync::atomic::{AtomicU64, Ordering};

            static RUNS: AtomicU64 = AtomicU64::new(1);
            // Whose number comes first makes no difference.
            let run = RUNS.fetch_add(1, Ordering::Relaxed);
            if run < IS_OWN / RUN {
                return (run * RUN) | IS_OWN;
            }
            // It may be counted on here for as long as it took to come to this.
            RUNS.store(IS_OWN / RUN, Ordering::Relaxed);
        }
        0
    }
}

impl Clone for Mark {
    #[inline]
    fn clone(&self) -> Self {
        Self(self.0 & !IS_OWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn no_two_states_have_one_mark() {
        let mut marks: Vec<Mark> = Vec::new();
        for _ in 0..3 {
            let mut mark = Mark::default();
            for nth in 0..2 * RUN + 7 {
                mark.renew();
                marks.push(mark.clone());
                // A clone that changes leaves the run to the original.
                if nth % 100 == 0 {
                    let mut clone = mark.clone();
                    clone.renew();
                    marks.push(clone.clone());
                }
            }
        }
        let mut numbers: Vec<u64> = marks.iter().map(|mark| mark.0 & !IS_OWN).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), marks.len());
        assert!(!numbers.contains(&0));
    }

    #[test]
    fn no_mark_is_none() {
        let none = Mark::default();
        assert!(!none.is(&Mark::default()) && !Mark(7).is(&none));
        assert!(Mark(7).is(&Mark(7 | IS_OWN)) && Mark(7 | IS_OWN).is(&Mark(7)) && !Mark(7).is(&Mark(8)));
    }
}
