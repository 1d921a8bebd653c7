//! What the senders of a segment or chunk decide of a query, before any line is looked at.

use super::plan::{Leaf, Needle, Plan};
use log_query::fold_into;
use memchr::memmem;

/// A sender as the dictionaries of segments and chunks have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SenderRef<'a> {
    pub(crate) system: &'a [u8],
    pub(crate) program: &'a [u8],
    /// 255 if there is none.
    pub(crate) severity: u8,
    pub(crate) facility: u8,
}

/// It is known what a sender decides.
const KNOWN: u8 = 1;
/// All its lines fit the leaf.
pub(crate) const FITS: u8 = 2;
/// A line fits if it goes on in the right way from the end of `program: `.
pub(crate) const SPANS: u8 = 4;

/// Bytes of memory for what is remembered, a query and segment. A query of thousands of terms over thousands of senders is
/// worked out again and again instead.
const MOST: usize = 1 << 20;

/// Bytes that are searched, all leaves together, to learn which of them no sender has to do with.
const MOST_SEARCHED: usize = 4 << 20;

/// What is remembered of the senders of one dictionary, for each leaf.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    senders: usize,
    /// By leaf, then sender. Leaves beyond the bound have none.
    known: Vec<u8>,
    /// Leaves that no sender of the dictionary has to do with. Empty until that was worked out.
    quiet: Vec<bool>,
    system: Vec<u8>,
    program: Vec<u8>,
}

impl Facts {
    /// Forgets all: for another dictionary.
    pub(crate) fn begin(&mut self, plan: &Plan<'_>, senders: usize) {
        self.senders = senders;
        self.quiet.clear();
        self.known.clear();
        let leaves = (MOST / senders.max(1)).min(plan.leaves.len());
        self.known.resize(leaves * senders, 0);
    }

    /// Works out which leaves no sender has to do with: one search of all names together instead of one a sender and block.
    /// Names are as [`push_name`](crate::segment::push_name) makes them. Not for many terms and many senders, which only
    /// hostile queries meet.
    pub(crate) fn learn(&mut self, plan: &Plan<'_>, names: &[u8]) {
        self.quiet.clear();
        if names.len().saturating_mul(plan.leaves.len()) > MOST_SEARCHED {
            return;
        }
        self.quiet.extend(plan.leaves.iter().map(|leaf| match leaf {
            Leaf::Term(needle) if needle.term.in_system() || needle.term.in_program() => {
                // What lies across begins with the blank behind a program, or holds the colon and the blank.
                let spans = needle.bytes.starts_with(b" ") || memmem::find(needle.bytes, b": ").is_some();
                let may_span = needle.term.in_joined() && (spans || !needle.term.is_exact());
                !may_span && needle.finder.find(names).is_none()
            }
            Leaf::Term(_) => true,
            Leaf::Severity(_) | Leaf::Facility(_) | Leaf::SourceIp(_) => false,
        }));
    }

    /// Whether it is known that no sender has to do with a leaf.
    pub(crate) fn is_quiet(&self, leaf: usize) -> bool {
        self.quiet.get(leaf) == Some(&true)
    }

    /// What a sender decides of a leaf: [`FITS`], [`SPANS`], both or neither.
    pub(crate) fn of(&mut self, plan: &Plan<'_>, leaf: usize, number: u32, sender: SenderRef<'_>) -> u8 {
        let at = leaf * self.senders + number as usize;
        if let Some(&fact) = self.known.get(at)
            && fact & KNOWN != 0
            && (number as usize) < self.senders
        {
            return fact;
        }
        let fact = KNOWN | self.work_out(&plan.leaves[leaf], sender);
        if (number as usize) < self.senders
            && let Some(known) = self.known.get_mut(at)
        {
            *known = fact;
        }
        fact
    }

    fn work_out(&mut self, leaf: &Leaf<'_>, sender: SenderRef<'_>) -> u8 {
        let fits = |fits: bool| if fits { FITS } else { 0 };
        match leaf {
            Leaf::Severity(severity) => fits(*severity == sender.severity),
            Leaf::Facility(facility) => fits(*facility == sender.facility),
            // Not the sender's: an address is a line's.
            Leaf::SourceIp(_) => 0,
            Leaf::Term(needle) => {
                let term = needle.term;
                if !(term.in_system() || term.in_program()) {
                    return 0;
                }
                self.system.clear();
                fold_into(sender.system, &mut self.system);
                self.program.clear();
                fold_into(sender.program, &mut self.program);
                if term.in_system() && term.found_in(&self.system) || term.in_program() && term.found_in(&self.program)
                {
                    return FITS;
                }
                if !term.in_joined() || sender.program.is_empty() {
                    return 0;
                }
                if term.spans(sender.program, b"") {
                    return FITS;
                }
                self.program.extend_from_slice(b": ");
                let spans = match term.is_exact() {
                    true => splits(needle, &self.program).next().is_some(),
                    // What every match holds may be in the program, across, or in the message; only the last is no span.
                    false => {
                        needle.bytes.is_empty()
                            || needle.finder.find(&self.program).is_some()
                            || splits(needle, &self.program).next().is_some()
                    }
                };
                if spans { SPANS } else { 0 }
            }
        }
    }

    /// The program of a sender as a line's text begins with it, `program: ` folded: to be used with [`splits`].
    pub(crate) fn prefix(&mut self, program: &[u8]) -> &[u8] {
        self.program.clear();
        fold_into(program, &mut self.program);
        self.program.extend_from_slice(b": ");
        &self.program
    }
}

/// Where a needle may be cut so that the front ends `prefix` and the rest begins a message: the length of each front.
pub(crate) fn splits<'a>(needle: &'a Needle<'_>, prefix: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let bytes = needle.bytes;
    (1..bytes.len().min(prefix.len() + 1)).filter(move |&front| prefix.ends_with(&bytes[..front]))
}
