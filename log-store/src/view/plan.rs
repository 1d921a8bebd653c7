//! A query made ready for evaluation by block: flat, so that no depth of brackets costs stack, and the cheap parts first.

use log_query::{IpPrefix, Node, Query, Term};
use memchr::memmem::Finder;

/// A query's tree in prefix order: a node, then all that is below it.
#[derive(Debug)]
pub(crate) struct Plan<'q> {
    pub(crate) ops: Vec<Op>,
    pub(crate) leaves: Vec<Leaf<'q>>,
}

/// A node and how many nodes there are below it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Op {
    pub(crate) kind: Kind,
    pub(crate) below: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    All,
    Any,
    Not,
    /// An index into the leaves.
    Leaf(usize),
}

#[derive(Debug)]
pub(crate) enum Leaf<'q> {
    Term(Box<Needle<'q>>),
    Severity(u8),
    Facility(u8),
    SourceIp(&'q IpPrefix),
}

/// A term and the bytes to look for in folded text.
#[derive(Debug)]
pub(crate) struct Needle<'q> {
    pub(crate) term: &'q Term,
    /// All of the term if that is the whole truth, else the longest piece that every match holds; then a line that has it is
    /// asked again. May be empty.
    pub(crate) bytes: &'q [u8],
    pub(crate) finder: Finder<'q>,
}

impl<'q> Plan<'q> {
    pub(crate) fn new(query: &'q Query) -> Self {
        let mut plan = Self { ops: Vec::new(), leaves: Vec::new() };
        // Nodes that are left to be written, in order; `None` ends the node that was begun at that index.
        let mut left: Vec<Step<'q>> = vec![Step::Begin(query.root())];
        while let Some(step) = left.pop() {
            match step {
                Step::End(at) => plan.ops[at].below = plan.ops.len() - at - 1,
                Step::Begin(node) => {
                    let (kind, mut children) = match node {
                        Node::All(nodes) => (Kind::All, nodes.collect::<Vec<_>>()),
                        Node::Any(nodes) => (Kind::Any, nodes.collect()),
                        Node::Not(negated) => (Kind::Not, vec![negated.node()]),
                        leaf => {
                            plan.leaf(leaf);
                            continue;
                        }
                    };
                    if kind != Kind::Not && children.len() == 1 {
                        // One of one is that one.
                        left.extend(children.pop().map(Step::Begin));
                        continue;
                    }
                    children.sort_by_key(cost);
                    left.push(Step::End(plan.ops.len()));
                    plan.ops.push(Op { kind, below: 0 });
                    left.extend(children.into_iter().rev().map(Step::Begin));
                }
            }
        }
        plan
    }

    fn leaf(&mut self, node: Node<'q>) {
        let leaf = match node {
            Node::Term(term) => {
                let bytes = if term.is_exact() { term.folded() } else { term.anchor() };
                Leaf::Term(Box::new(Needle { term, bytes, finder: Finder::new(bytes) }))
            }
            Node::Severity(severity) => Leaf::Severity(severity),
            Node::Facility(facility) => Leaf::Facility(facility),
            Node::SourceIp(prefix) => Leaf::SourceIp(prefix),
            // A kind of node that this crate does not know would be a line too many or too few: versions of the two crates
            // fit each other, and the tests hold every kind against the plain evaluator.
            _ => return,
        };
        self.ops.push(Op { kind: Kind::Leaf(self.leaves.len()), below: 0 });
        self.leaves.push(leaf);
    }
}

enum Step<'q> {
    Begin(Node<'q>),
    End(usize),
}

/// What is asked first: what the columns know, then long texts, which are rare, then short ones, then what has several parts.
fn cost(node: &Node<'_>) -> usize {
    match node {
        Node::Severity(_) | Node::Facility(_) => 0,
        Node::SourceIp(_) => 1,
        Node::Term(term) => 2 + (1_000_usize).saturating_sub(term.folded().len()),
        _ => 2_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_flat_and_asks_the_cheap_first() {
        let parsed = log_query::Query::parse("ab (longer OR -severity:error) facility:cron");
        let plan = Plan::new(parsed.query());
        let kinds: Vec<_> = plan.ops.iter().map(|op| (op.kind, op.below)).collect();
        assert_eq!(
            kinds,
            [
                (Kind::All, 6),
                (Kind::Leaf(0), 0),
                (Kind::Leaf(1), 0),
                (Kind::Any, 3),
                (Kind::Leaf(2), 0),
                (Kind::Not, 1),
                (Kind::Leaf(3), 0),
            ]
        );
        assert!(matches!(plan.leaves[0], Leaf::Facility(_)));
        assert_eq!(Plan::new(&Query::default()).ops.len(), 1);
    }
}
