use crate::fields::Fields;
use crate::node::{Entry, Node, Nodes};
use alloc::vec;
use alloc::vec::Vec;

/// A query that was read: the empty one fits every line.
///
/// `Display` prints a query that parses to the same tree.
///
/// ```
/// use log_query::{Fields, Query};
///
/// let parsed = Query::parse(r#"program:nginx ("status=50" OR timeout) -"/health""#);
/// let query = parsed.query();
/// assert!(query.matches(&Fields::new(b"web01", b"nginx", b"GET /pay status=502")));
/// assert!(!query.matches(&Fields::new(b"web01", b"nginx", b"GET /health status=502")));
/// assert_eq!(Query::parse(&query.to_string()).query(), query);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Query {
    entries: Vec<Entry>,
    steps: Vec<Step>,
}

/// A leaf of the tree, and which step comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    entry: usize,
    fits: usize,
    fails: usize,
}

/// Steps that there never are: the line fits, or does not.
const FITS: usize = usize::MAX;
const FAILS: usize = usize::MAX - 1;

impl Query {
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        let steps = steps(&entries);
        Self { entries, steps }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether it fits every line, for nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether a line fits. Allocates nothing; linear in the line for each term, whatever is in it.
    #[must_use]
    pub fn matches(&self, fields: &Fields<'_>) -> bool {
        let mut coloured = None;
        let mut at = 0;
        // Steps only lead forward, so each is taken once at most.
        while let Some(step) = self.steps.get(at) {
            let fits = match self.entries.get(step.entry) {
                Some(Entry::Term(term)) => term.fits(fields, &mut coloured),
                Some(Entry::Severity(severity)) => fields.severity == Some(*severity),
                Some(Entry::Facility(facility)) => fields.facility == Some(*facility),
                Some(Entry::SourceIp(prefix)) => fields.source_ip.is_some_and(|address| prefix.fits(address)),
                _ => true,
            };
            at = if fits { step.fits } else { step.fails };
        }
        at != FAILS
    }

    /// The tree, for evaluators of other kinds.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        // There is always one.
        Nodes::new(&self.entries).next().unwrap_or(Node::All(Nodes::new(&[])))
    }
}

/// The query that fits every line.
impl Default for Query {
    fn default() -> Self {
        Self::new(vec![Entry::All(0)])
    }
}

/// The leaves in the order in which they are asked, each with the step that follows: a tree is walked without a stack, and
/// what cannot change the answer is stepped over. Of the nodes below a node, attributes are asked before texts are searched.
fn steps(entries: &[Entry]) -> Vec<Step> {
    // How many leaves stand in front of each entry, so that a subtree knows how many it has.
    let mut leaves = Vec::with_capacity(entries.len() + 1);
    let mut count = 0;
    for entry in entries {
        leaves.push(count);
        count += usize::from(entry.is_leaf());
    }
    leaves.push(count);
    let end = |at: usize| at + 1 + entries.get(at).map_or(0, Entry::below);
    let size = |at: usize| leaves.get(end(at)).zip(leaves.get(at)).map_or(0, |(behind, before)| behind - before);

    let mut steps = vec![Step { entry: 0, fits: FITS, fails: FAILS }; count];
    let mut children = Vec::new();
    // Nodes that are left, each with its first step and where it leads to. A node is taken once, so this is linear.
    let mut left = vec![(0, 0, FITS, FAILS)];
    while let Some((at, first, fits, fails)) = left.pop() {
        let any = match entries.get(at) {
            Some(Entry::All(_)) => false,
            Some(Entry::Any(_)) => true,
            Some(Entry::Not(_)) => {
                left.push((at + 1, first, fails, fits));
                continue;
            }
            _ => {
                if let Some(step) = steps.get_mut(first) {
                    *step = Step { entry: at, fits, fails };
                }
                continue;
            }
        };
        children.clear();
        let below =
            || core::iter::successors(Some(at + 1), |&child| Some(end(child))).take_while(|&child| child < end(at));
        let cheap = |&child: &usize| {
            matches!(entries.get(child), Some(Entry::Severity(_) | Entry::Facility(_) | Entry::SourceIp(_)))
        };
        children.extend(below().filter(cheap));
        children.extend(below().filter(|child| !cheap(child)));
        let mut first = first;
        for (index, &child) in children.iter().enumerate() {
            let next = first + size(child);
            let last = index + 1 == children.len();
            left.push(match (last, any) {
                (true, _) => (child, first, fits, fails),
                (false, false) => (child, first, next, fails),
                (false, true) => (child, first, fits, next),
            });
            first = next;
        }
    }
    steps
}
