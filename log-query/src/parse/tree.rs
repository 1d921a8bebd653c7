//! The tree while it grows, and how it is laid flat.

use crate::node::Entry;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::{IntoIter, Vec};

pub(super) enum Tree {
    /// Of two or more.
    All(Vec<Tree>),
    /// The same.
    Any(Vec<Tree>),
    /// Never of a `Not`.
    Not(Box<Tree>),
    Leaf(Entry),
}

/// `None` for none, and one alone is itself.
pub(super) fn all(mut trees: Vec<Tree>) -> Option<Tree> {
    if trees.len() > 1 { Some(Tree::All(trees)) } else { trees.pop() }
}

/// The same.
pub(super) fn any(mut trees: Vec<Tree>) -> Option<Tree> {
    if trees.len() > 1 { Some(Tree::Any(trees)) } else { trees.pop() }
}

pub(super) fn not(tree: Tree) -> Tree {
    match tree {
        Tree::Not(within) => *within,
        tree => Tree::Not(Box::new(tree)),
    }
}

/// The entries of a tree. What is all of all, or any of any, is one. A tree is deep: it is taken apart without recursion,
/// and nothing is left of it to be dropped with any.
pub(super) fn flat(tree: Tree) -> Vec<Entry> {
    /// Nodes that are left of one that was begun. Those of a node that was taken into the one above have no entry.
    struct Begun {
        at: Option<usize>,
        any: Option<bool>,
        left: IntoIter<Tree>,
    }
    let mut entries: Vec<Entry> = Vec::new();
    let mut begun = vec![Begun { at: None, any: None, left: vec![tree].into_iter() }];
    while let Some(last) = begun.last_mut() {
        let within = last.any;
        let (entry, any, below) = match last.left.next() {
            None => {
                let end = entries.len();
                if let Some(at) = last.at
                    && let Some(Entry::All(below) | Entry::Any(below) | Entry::Not(below)) = entries.get_mut(at)
                {
                    *below = end - at - 1;
                }
                begun.pop();
                continue;
            }
            Some(Tree::Leaf(leaf)) => {
                entries.push(leaf);
                continue;
            }
            Some(Tree::All(below)) => (Entry::All(0), Some(false), below),
            Some(Tree::Any(below)) => (Entry::Any(0), Some(true), below),
            Some(Tree::Not(below)) => (Entry::Not(0), None, vec![*below]),
        };
        let at = (any.is_none() || any != within).then_some(entries.len());
        if at.is_some() {
            entries.push(entry);
        }
        begun.push(Begun { at, any, left: below.into_iter() });
    }
    entries
}
