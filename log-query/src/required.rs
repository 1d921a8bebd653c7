use crate::node::Entry;
use crate::query::Query;
use crate::term::Term;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::mem;

/// What every line that fits a query holds: by it an index tells where no such line can be.
///
/// It is a list of groups, and a line that fits has at least one term of each group. What a query excludes, and what it
/// asks of severity, facility and address, is not in it: those who index that walk the [tree](Query::root).
///
/// ```
/// use log_query::{Query, fold_into};
/// use std::collections::HashSet;
///
/// // An index of trigrams, over all texts of the lines of a block.
/// let mut folded = Vec::new();
/// fold_into(b"web01 nginx: GET /pay status=502\nweb01 nginx: GET /cart status=200", &mut folded);
/// let index: HashSet<&[u8]> = folded.windows(3).collect();
/// let may_hold = |piece: &[u8]| piece.windows(3).all(|trigram| index.contains(trigram));
///
/// let may_fit = |text: &str| Query::parse(text).query().required().allows(|term| may_hold(term.anchor()));
/// assert!(may_fit("nginx (status=502 OR timeout) -health"));
/// assert!(!may_fit("nginx (status=503 OR timeout) -health"));
/// ```
#[derive(Clone, Debug)]
pub struct Required<'q> {
    groups: Vec<Group<'q>>,
}

#[derive(Clone, Debug)]
struct Group<'q> {
    terms: Vec<&'q Term>,
    /// The length of the shortest anchor among them: how much an index may make of it.
    shortest: usize,
}

impl<'q> Required<'q> {
    /// The groups, each of at least one term. A line that fits holds, of each group, at least one
    /// [anchor](Term::anchor), none of which is empty, in one of the texts that its term looks in. No groups: nothing is known.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = &[&'q Term]> {
        self.groups.iter().map(|group| &group.terms[..])
    }

    /// Whether lines that fit may be where `may_hold` says of a term whether it may be there. If in doubt, `may_hold` has to
    /// say that it may.
    pub fn allows(&self, mut may_hold: impl FnMut(&'q Term) -> bool) -> bool {
        self.groups.iter().all(|group| group.terms.iter().any(|&term| may_hold(term)))
    }
}

impl Query {
    /// What every line that fits this query holds, for indexes. Linear in the query but for a factor of its logarithm.
    #[must_use]
    pub fn required(&self) -> Required<'_> {
        // Backwards, what is below a node was done before it, and is the top of the stack: each with its index.
        let mut done: Vec<(usize, Vec<Group<'_>>)> = Vec::new();
        for (at, entry) in self.entries().iter().enumerate().rev() {
            let mut below = Vec::new();
            while let Some((_, groups)) = done.pop_if(|(index, _)| *index <= at + entry.below()) {
                below.push(groups);
            }
            let groups = match entry {
                Entry::Term(term) if !term.anchor().is_empty() => {
                    vec![Group { terms: vec![&**term], shortest: term.anchor().len() }]
                }
                Entry::All(_) => together(below),
                // Of each alternative the group that tells most; if one has none, nothing is known.
                Entry::Any(_) => {
                    let best: Option<Vec<Group<'_>>> = below
                        .into_iter()
                        .map(|groups| {
                            groups.into_iter().max_by_key(|group| (group.shortest, Reverse(group.terms.len())))
                        })
                        .collect();
                    best.map(|groups| {
                        let shortest = groups.iter().map(|group| group.shortest).min().unwrap_or_default();
                        vec![Group { terms: together(groups.into_iter().map(|group| group.terms).collect()), shortest }]
                    })
                    .unwrap_or_default()
                }
                _ => Vec::new(),
            };
            done.push((at, groups));
        }
        Required { groups: done.pop().map(|(_, groups)| groups).unwrap_or_default() }
    }
}

/// All of these in one list. The longest, of equal ones the first, takes in the others, so that nothing is moved often,
/// however deep a tree is.
fn together<T>(mut lists: Vec<Vec<T>>) -> Vec<T> {
    let longest = (0..lists.len()).min_by_key(|&index| Reverse(lists.get(index).map_or(0, Vec::len)));
    let mut all = longest.and_then(|index| lists.get_mut(index)).map(mem::take).unwrap_or_default();
    all.extend(lists.into_iter().flatten());
    all
}
