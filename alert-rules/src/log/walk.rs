//! A query as steps over what was found of a line: nothing is searched that is known, and what was not found costs nothing.
//!
//! Leaves stand in the order in which they are asked, each with the step that follows if it fits and if it fails. A leaf whose
//! text the line does not hold fails; so from any step on, and with nothing more found, the steps that follow are known, and so
//! is their end. They make a tree, in which a leaf that was found is come by if it is above the step that one is at. So an
//! answer costs a little for each leaf that was found, and nothing for the others.

use log_query::{Node, Nodes};

/// Leaves of one word of bits.
pub(super) const BITS: usize = 64;
/// Steps that there never are: the line fits, or does not.
const FITS: usize = usize::MAX;
const FAILS: usize = usize::MAX - 1;

/// The steps of a query.
pub(super) struct Walk<L> {
    steps: Box<[Step<L>]>,
    /// Steps with a smaller number end with a fit, if nothing more is found.
    fits: usize,
}

struct Step<L> {
    leaf: L,
    fits: usize,
    fails: usize,
    /// In the tree of steps that follow when nothing is found: those below a step have the numbers behind its own.
    number: usize,
    /// With itself.
    below: usize,
}

/// Nodes that are left, of one node.
struct Open<'q> {
    left: Vec<Node<'q>>,
    any: bool,
    fits: usize,
    fails: usize,
    /// The next one is the last that is asked.
    is_last: bool,
}

impl<'q> Open<'q> {
    /// Attributes are asked before texts.
    fn new(nodes: Nodes<'q>, any: bool, fits: usize, fails: usize) -> Self {
        let is_text = |node: &Node<'_>| !matches!(node, Node::Severity(_) | Node::Facility(_) | Node::SourceIp(_));
        let mut left: Vec<Node<'q>> = nodes.collect();
        left.sort_by_key(is_text);
        Self { left, any, fits, fails, is_last: true }
    }
}

impl<'q> Walk<Node<'q>> {
    /// Of a query, its leaves as they stand there. Without recursion, whatever its depth.
    pub(super) fn new(root: Node<'q>) -> Self {
        // Backwards, so that what follows a node is there before it.
        let mut steps = Vec::new();
        let mut last = FITS;
        let mut open = vec![Open { left: vec![root], any: false, fits: FITS, fails: FAILS, is_last: true }];
        while let Some(node) = open.last_mut() {
            let Some(mut next) = node.left.pop() else {
                open.pop();
                continue;
            };
            let (mut fits, mut fails) = match (core::mem::replace(&mut node.is_last, false), node.any) {
                (true, _) => (node.fits, node.fails),
                (false, true) => (node.fits, last),
                (false, false) => (last, node.fails),
            };
            while let Node::Not(negated) = next {
                next = negated.node();
                core::mem::swap(&mut fits, &mut fails);
            }
            match next {
                Node::All(nodes) => open.push(Open::new(nodes, false, fits, fails)),
                Node::Any(nodes) => open.push(Open::new(nodes, true, fits, fails)),
                leaf => {
                    last = steps.len();
                    steps.push(Step { leaf, fits, fails, number: 0, below: 1 });
                }
            }
        }
        steps.reverse();
        let count = steps.len();
        for step in &mut steps {
            for target in [&mut step.fits, &mut step.fails] {
                if *target < count {
                    *target = count - 1 - *target;
                }
            }
        }
        Self { fits: number(&mut steps), steps: steps.into() }
    }
}

impl<L> Walk<L> {
    /// The same with other leaves, if all have one.
    pub(super) fn map<M>(self, mut leaf: impl FnMut(usize, L) -> Option<M>) -> Option<Walk<M>> {
        let steps = self.steps.into_iter().enumerate().map(|(bit, step)| {
            let Step { fits, fails, number, below, .. } = step;
            Some(Step { leaf: leaf(bit, step.leaf)?, fits, fails, number, below })
        });
        Some(Walk { steps: steps.collect::<Option<_>>()?, fits: self.fits })
    }

    /// All leaves, in the order of their bits.
    pub(super) fn leaves(&self) -> impl Iterator<Item = &L> {
        self.steps.iter().map(|step| &step.leaf)
    }

    /// The answer if nothing is found.
    pub(super) fn usual(&self) -> bool {
        self.ends(0)
    }

    /// The answer; `fits` asks a leaf.
    pub(super) fn answer(&self, mut fits: impl FnMut(&L) -> bool) -> bool {
        let mut at = 0;
        // Steps only lead forward.
        while let Some(step) = self.steps.get(at) {
            at = if fits(&step.leaf) { step.fits } else { step.fails };
        }
        at != FAILS
    }

    /// The answer if the leaves with these bits may fit and no others.
    pub(super) fn answer_of(&self, found: &[u64], mut fits: impl FnMut(&L) -> bool) -> bool {
        let (mut at, mut from) = (0, 0);
        while let Some(next) = next_bit(found, from) {
            let (Some(step), Some(here)) = (self.steps.get(next), self.steps.get(at)) else { break };
            from = next + 1;
            if !(step.number..step.number + step.below).contains(&here.number) {
                continue;
            }
            match if fits(&step.leaf) { step.fits } else { step.fails } {
                FITS => return true,
                FAILS => return false,
                // Steps only lead forward.
                target => (at, from) = (target, target),
            }
        }
        self.ends(at)
    }

    /// Where the steps from here on lead to if nothing is found. Without steps, everything fits.
    fn ends(&self, at: usize) -> bool {
        self.steps.get(at).is_none_or(|step| step.number < self.fits)
    }
}

/// Numbers the steps, and answers how many of them end with a fit if nothing is found.
fn number<L>(steps: &mut [Step<L>]) -> usize {
    let mut fit = 0;
    // What leads to a step stands in front of it.
    for at in 0..steps.len() {
        let Some(Step { fails, below, .. }) = steps.get(at) else { continue };
        let (fails, below) = (*fails, *below);
        match steps.get_mut(fails) {
            Some(target) => target.below += below,
            None if fails == FITS => fit += below,
            None => {}
        }
    }
    let (mut next_fit, mut next_fail) = (0, fit);
    // Of each step, the next number below it.
    let mut next = vec![0; steps.len()];
    for at in (0..steps.len()).rev() {
        let Some(step) = steps.get_mut(at) else { continue };
        let place = match step.fails {
            FITS => &mut next_fit,
            FAILS => &mut next_fail,
            target => match next.get_mut(target) {
                Some(place) => place,
                None => continue,
            },
        };
        step.number = *place;
        *place += step.below;
        let first = step.number + 1;
        if let Some(next) = next.get_mut(at) {
            *next = first;
        }
    }
    fit
}

/// The first bit from here on.
fn next_bit(bits: &[u64], from: usize) -> Option<usize> {
    let mut word = from / BITS;
    let mut left = bits.get(word)? & (u64::MAX << (from % BITS));
    while left == 0 {
        word += 1;
        left = *bits.get(word)?;
    }
    Some(word * BITS + left.trailing_zeros() as usize)
}
