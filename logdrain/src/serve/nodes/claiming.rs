//! Which partitions a node takes and lets go: each looks at all, and none asks another.
//!
//! A node has its share, which is as many as each would have. It takes what is free up to that at once; what is beyond it only
//! when it has been free for a while, so that a node which has less can be faster. Who has more than its share, since one came
//! that has less, lets one go at a time.

use logdrain_drain::journal::{PartView, View};
use std::collections::BTreeMap;
use std::time::Duration;

/// What lay free for so long is taken by whoever sees it.
const LONG_FREE: Duration = Duration::from_millis(700);

/// What a node does about its partitions, by their numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Decision {
    /// It has them no more: another one took them.
    pub(super) lost: Vec<u8>,
    pub(super) claim: Vec<u8>,
    pub(super) let_go: Option<u8>,
}

/// Decides by what a node sees. `held` is what it has: number -> epoch.
pub(super) fn decide(view: &View, node: &str, held: &BTreeMap<u8, i64>) -> Decision {
    let mut decision = Decision::default();
    let share = view.parts.len().div_ceil(view.live().max(1));
    let is_lost = |of: &&PartView| held.get(&of.part.number()).is_some_and(|epoch| of.epoch != *epoch);
    decision.lost.extend(view.parts.iter().filter(is_lost).map(|of| of.part.number()));
    let mut own = held.len() - decision.lost.len();
    for of in view.parts.iter().filter(|of| !held.contains_key(&of.part.number())) {
        // What it had before it was started again nobody else may take yet.
        let is_ours = of.owner == node;
        let is_free = of.free.is_some_and(|free| own < share || free >= LONG_FREE);
        if is_free || (is_ours && own < share) {
            decision.claim.push(of.part.number());
            own += 1;
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
        };
        let all = Parts::new(u16::try_from(parts.len()).unwrap()).unwrap();
        let parts = all.each().zip(parts).map(|(part, (owner, epoch, free))| PartView {
            part,
            head: 0,
            emitted: 0,
            epoch: *epoch,
            owner: (*owner).to_owned(),
            name: String::new(),
            free: free.map(Duration::from_millis),
        });
        View { nodes: nodes.iter().map(node).collect(), parts: parts.collect(), now: 0 }
    }

    fn asked(nodes: &[&str], parts: &[(&str, i64, Option<u64>)], held: &[(u8, i64)]) -> (Vec<u8>, Vec<u8>, Option<u8>) {
        let Decision { lost, claim, let_go } = decide(&view(nodes, parts), "a", &held.iter().copied().collect());
        (lost, claim, let_go)
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
