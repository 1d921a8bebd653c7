//! Which rules a line may be for: the texts that all of them ask for are looked for in one pass.
//!
//! Of what a query [requires](log_query::Query::required), each group of anchors becomes a bit of its rule. A line that has an
//! anchor of each group makes the rule a candidate, which its own query is asked about; all others are out without a look. The
//! line is folded once, as `system LF program: message`, so that an anchor across program and message is found, too. An
//! anchor that lies across the line end makes a candidate in vain, and costs only time.

use super::window::Watch;
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use log_query::{Fields, fold_into};
use std::collections::BTreeMap;

/// Of an anchor so many bytes are looked for; they are in the line if all of it is.
const LONGEST: usize = 32;
/// A single letter is in nearly every line.
const SHORTEST: usize = 2;
/// A group with more alternatives tells little.
const MOST_TERMS: usize = 64;
/// As many groups of a rule are looked for, those first that tell most.
const MOST_GROUPS: usize = 8;
/// Bytes of all anchors; rules beyond are asked about every line.
const MOST_BYTES: usize = 1024 * 1024;
/// Up to so many bytes the automaton has a table of all its steps, which is the fastest, and the largest.
const TABLE_BYTES: usize = 16 * 1024;

pub(super) struct Needles {
    automaton: Option<AhoCorasick>,
    /// Of each needle, the rules whose groups it is in.
    of: Vec<Vec<(u32, u8)>>,
    /// Of each rule, the groups that a line must have; 0 of those that are always asked.
    wanted: Vec<u8>,
    always: Vec<u32>,
    /// Used again for each line.
    folded: Vec<u8>,
    /// The line in which a needle was seen last.
    seen: Vec<u64>,
    line: u64,
    found: Vec<u8>,
    touched: Vec<u32>,
}

impl Needles {
    pub(super) fn new(watches: &[Watch]) -> Self {
        let mut numbers: BTreeMap<Box<[u8]>, usize> = BTreeMap::new();
        let (mut of, mut wanted, mut always) = (Vec::<Vec<(u32, u8)>>::new(), vec![0; watches.len()], Vec::new());
        let mut bytes = 0;
        for (index, watch) in watches.iter().enumerate() {
            let rule = u32::try_from(index).unwrap_or(u32::MAX);
            let required = watch.is.query().required();
            let mut groups: Vec<(usize, Vec<&[u8]>)> = required
                .groups()
                .filter(|terms| terms.len() <= MOST_TERMS)
                .filter_map(|terms| {
                    let anchors: Vec<&[u8]> = terms
                        .iter()
                        .map(|term| term.anchor())
                        .map(|anchor| anchor.get(..LONGEST).unwrap_or(anchor))
                        .collect();
                    let shortest = anchors.iter().map(|anchor| anchor.len()).min()?;
                    (shortest >= SHORTEST).then_some((shortest, anchors))
                })
                .collect();
            groups.sort_by(|(left, _), (right, _)| right.cmp(left));
            groups.truncate(MOST_GROUPS);
            bytes += groups.iter().flat_map(|(_, anchors)| anchors).map(|anchor| anchor.len()).sum::<usize>();
            if groups.is_empty() || bytes > MOST_BYTES {
                always.push(rule);
                continue;
            }
            for (group, (_, anchors)) in groups.iter().enumerate() {
                let bit = 1 << group;
                if let Some(wanted) = wanted.get_mut(index) {
                    *wanted |= bit;
                }
                for anchor in anchors {
                    let number = *numbers.entry((*anchor).into()).or_insert_with(|| {
                        of.push(Vec::new());
                        of.len() - 1
                    });
                    if let Some(rules) = of.get_mut(number) {
                        rules.push((rule, bit));
                    }
                }
            }
        }
        let mut needles = vec![&[][..]; numbers.len()];
        for (needle, number) in &numbers {
            if let Some(place) = needles.get_mut(*number) {
                *place = needle;
            }
        }
        let table = needles.iter().map(|needle| needle.len()).sum::<usize>() <= TABLE_BYTES;
        let kind = if table { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).kind(Some(kind)).build(&needles).ok();
        if automaton.is_none() {
            always = (0..u32::try_from(watches.len()).unwrap_or(u32::MAX)).collect();
        }
        Self {
            automaton,
            seen: vec![0; of.len()],
            of,
            found: vec![0; wanted.len()],
            wanted,
            always,
            folded: Vec::new(),
            line: 0,
            touched: Vec::new(),
        }
    }

    /// Hands over the index of each rule that a line may be for.
    pub(super) fn candidates(&mut self, fields: &Fields<'_>, mut candidate: impl FnMut(usize)) {
        self.always.iter().for_each(|rule| candidate(*rule as usize));
        let Some(automaton) = self.automaton.as_ref().filter(|_| !self.of.is_empty()) else { return };
        self.folded.clear();
        fold_into(fields.system(), &mut self.folded);
        self.folded.push(b'\n');
        fold_into(fields.program(), &mut self.folded);
        self.folded.extend_from_slice(b": ");
        fold_into(fields.message(), &mut self.folded);
        self.line += 1;
        for hit in automaton.find_overlapping_iter(&self.folded) {
            let needle = hit.pattern().as_usize();
            match self.seen.get_mut(needle) {
                Some(line) if *line != self.line => *line = self.line,
                _ => continue,
            }
            for &(rule, bit) in self.of.get(needle).map(Vec::as_slice).unwrap_or_default() {
                if let Some(found) = self.found.get_mut(rule as usize) {
                    if *found == 0 {
                        self.touched.push(rule);
                    }
                    *found |= bit;
                }
            }
        }
        for rule in self.touched.drain(..) {
            let rule = rule as usize;
            let found = self.found.get_mut(rule).map(core::mem::take);
            if found.is_some() && found == self.wanted.get(rule).copied() {
                candidate(rule);
            }
        }
    }
}
