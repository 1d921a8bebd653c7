//! Which partitions a node takes and lets go: each looks at all, and none asks another.
//!
//! A node has its share, which is as many as each would have. It takes what is free up to that at once; what is beyond it only
//! when it has been free for a while, so that a node which has less can be faster. Who has more than its share, since one came
//! that has less, lets one go at a time.
//!
//! What a node could not count or write it leaves to others for a while, also when it has less than its share then. Others have
//! more than theirs meanwhile, and are slow to let it go again: to whom they would is who cannot count it.

use logdrain_drain::journal::{PartView, View};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What lay free for so long is taken by whoever sees it.
const LONG_FREE: Duration = Duration::from_millis(700);
/// What nobody takes for so long is tried again by who could not count it.
const UNWANTED: Duration = Duration::from_secs(5);
/// Who took what nobody wanted lets nothing go for so long,
const KEPT: Duration = Duration::from_secs(2);
/// twice as long with each time it happens again within a while,
const AGAIN_WITHIN: Duration = Duration::from_secs(300);
/// and no longer than that.
const KEPT_MOST: Duration = Duration::from_secs(32);

/// What a node does about its partitions, by their numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Decision {
    /// It has them no more: another one took them.
    pub(super) lost: Vec<u8>,
    pub(super) claim: Vec<u8>,
    pub(super) let_go: Option<u8>,
    /// What it claims is more than its share.
    pub(super) is_beyond: bool,
}

/// For how long a node keeps what is more than its share, because nobody else took it.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    last: Option<Instant>,
    span: Duration,
}

impl Keeping {
    /// It had to take what nobody wanted.
    pub(super) fn note(&mut self, now: Instant) {
        let is_again = self.last.is_some_and(|last| now.saturating_duration_since(last) < AGAIN_WITHIN);
        self.span = if is_again { self.span.saturating_mul(2).min(KEPT_MOST) } else { KEPT };
        self.last = Some(now);
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.last.is_none_or(|last| now.saturating_duration_since(last) >= self.span)
    }
}

/// Decides by what a node sees. `held` is what it has: number -> epoch; `shunned` is what it could not count a while ago.
pub(super) fn decide(view: &View, node: &str, held: &BTreeMap<u8, i64>, shunned: &BTreeSet<u8>) -> Decision {
    let mut decision = Decision::default();
    let share = view.parts.len().div_ceil(view.live().max(1));
    let is_lost = |of: &&PartView| held.get(&of.part.number()).is_some_and(|epoch| of.epoch != *epoch);
    decision.lost.extend(view.parts.iter().filter(is_lost).map(|of| of.part.number()));
    let mut own = held.len() - decision.lost.len();
    for of in view.parts.iter().filter(|of| !held.contains_key(&of.part.number())) {
        if shunned.contains(&of.part.number()) && of.free.is_none_or(|free| free < UNWANTED) {
            continue;
        }
        // What it had before it was started again nobody else may take yet.
        let is_ours = of.owner == node;
        let is_free = of.free.is_some_and(|free| own < share || free >= LONG_FREE);
        if is_free || (is_ours && own < share) {
            decision.claim.push(of.part.number());
            own += 1;
            decision.is_beyond |= own > share;
        }
    }
    if own > share && decision.claim.is_empty() {
        decision.let_go = held.keys().rfind(|number| !decision.lost.contains(number)).copied();
    }
    decision
}

#[cfg(test)]
mod tests {
    use super::*;
    use logdrain_drain::journal::NodeView;
    use logdrain_drain::parts::Parts;

    /// Partitions as (owner, epoch, free for so many milliseconds).
    fn view(nodes: &[&str], parts: &[(&str, i64, Option<u64>)]) -> View {
        let node = |name: &&str| NodeView {
            node: (*name).to_owned(),
            name: (*name).to_owned(),
            version: String::new(),
            age: Duration::ZERO,
            silent: name.starts_with('-').then_some(Duration::ZERO),
            spooled: 0,
            oldest: None,
            url: String::new(),
        };
        let all = Parts::new(u16::try_from(parts.len()).unwrap()).unwrap();
        let parts = all.each().zip(parts).map(|(part, (owner, epoch, free))| PartView {
            part,
            head: 0,
            emitted: 0,
            epoch: *epoch,
            owner: (*owner).to_owned(),
            name: String::new(),
            version: 0,
            free: free.map(Duration::from_millis),
        });
        View { nodes: nodes.iter().map(node).collect(), parts: parts.collect(), now: 0 }
    }

    fn asked(nodes: &[&str], parts: &[(&str, i64, Option<u64>)], held: &[(u8, i64)]) -> (Vec<u8>, Vec<u8>, Option<u8>) {
        let held = held.iter().copied().collect();
        let Decision { lost, claim, let_go, .. } = decide(&view(nodes, parts), "a", &held, &BTreeSet::new());
        (lost, claim, let_go)
    }

    #[test]
    fn what_a_node_could_not_count_it_leaves_to_others_and_they_keep_it() {
        let own = |free| ("a", 3, free);
        let claimed = |free, shunned: &[u8]| {
            let seen = view(&["a", "b"], &[own(free), ("b", 4, None)]);
            decide(&seen, "a", &BTreeMap::new(), &shunned.iter().copied().collect()).claim
        };
        for free in [None, Some(0), Some(4_999)] {
            assert_eq!(claimed(free, &[0]), [0; 0], "{free:?}");
            assert_eq!(claimed(free, &[1]), [0], "{free:?}");
        }
        assert_eq!(claimed(Some(5_000), &[0]), [0], "nobody wants it");
        let seen = view(&["a", "b"], &[own(None), ("b", 4, Some(700))]);
        let taken = decide(&seen, "a", &BTreeMap::from([(0, 3)]), &BTreeSet::new());
        assert!(taken.is_beyond && taken.claim == [1], "{taken:?}");
        let seen = view(&["a", "b"], &[own(None), ("b", 4, None)]);
        assert!(!decide(&seen, "a", &BTreeMap::new(), &BTreeSet::new()).is_beyond, "it is its share");
    }

    #[test]
    fn what_nobody_else_took_is_kept_longer_each_time() {
        let (mut keeping, mut now) = (Keeping::default(), Instant::now());
        assert!(keeping.is_over(now));
        for span in [2, 4, 8, 16, 32, 32].map(Duration::from_secs) {
            keeping.note(now);
            assert!(!keeping.is_over(now + span - Duration::from_millis(1)), "{span:?}");
            assert!(keeping.is_over(now + span), "{span:?}");
            now += span;
        }
        now += AGAIN_WITHIN;
        keeping.note(now);
        assert!(keeping.is_over(now + KEPT));
    }

    #[test]
    fn a_node_takes_its_share_at_once_and_what_is_beyond_it_later() {
        let free = ("", 0, Some(100));
        let old = ("", 0, Some(700));
        assert_eq!(asked(&["a"], &[free; 4], &[]), (vec![], vec![0, 1, 2, 3], None));
        assert_eq!(asked(&["a", "b"], &[free; 5], &[]), (vec![], vec![0, 1, 2], None));
        assert_eq!(asked(&["a", "b", "-c"], &[free; 5], &[]), (vec![], vec![0, 1, 2], None), "one of them is gone");
        assert_eq!(asked(&["a", "b"], &[old; 3], &[]), (vec![], vec![0, 1, 2], None));
        let theirs = ("b", 7, None);
        assert_eq!(asked(&["a", "b"], &[theirs, theirs, free, free], &[]), (vec![], vec![2, 3], None));
    }

    #[test]
    fn what_another_one_took_is_lost_and_what_is_too_much_goes_one_by_one() {
        let (mine, theirs) = (("a", 3, None), ("b", 4, None));
        assert_eq!(asked(&["a", "b"], &[mine, theirs], &[(0, 3), (1, 3)]), (vec![1], vec![], None));
        assert_eq!(asked(&["a", "b"], &[mine; 4], &[(0, 3), (1, 3), (2, 3), (3, 3)]), (vec![], vec![], Some(3)));
        assert_eq!(asked(&["a", "b"], &[mine, mine, theirs, theirs], &[(0, 3), (1, 3)]), (vec![], vec![], None));
        // Its own lease of before it was started again.
        assert_eq!(asked(&["a", "b"], &[mine, theirs], &[]), (vec![], vec![0], None));
        // A lease that ended while nobody looked is renewed with the next look, unless another one took it.
        assert_eq!(asked(&["a"], &[("a", 3, Some(9_000))], &[(0, 3)]), (vec![], vec![], None));
    }
}
