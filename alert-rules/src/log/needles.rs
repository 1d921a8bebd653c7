//! Which rules a line is for: the texts that all of them ask for are looked for in one pass.
//!
//! Of what a query [requires](log_query::Query::required), each group of anchors becomes a bit of its rule. A line that lacks an
//! anchor of a group is not for the rule. The line is folded once, as `system LF program: message`, so that an anchor across
//! program and message is found, too.
//!
//! The other terms of a query are looked for in the same pass, so that of a rule whose groups are all there, or that has none,
//! such as `-healthz -"GET /ping"`, the answer is known from what was found, and of one of which nothing was found, it is always
//! the same. What is not found as a whole is searched only if its anchor is there.
//!
//! There is room for so many letters. The groups of all rules come first; a rule whose other terms find no room is asked about
//! each line that has its groups, and one without room for its groups about each line.

use super::line::{Asked, LONGEST, Leaf, Line, Needle, places, question};
use super::walk::{BITS, Walk};
use super::window::Watch;
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use core::ops::Range;
use log_query::{Fields, Node};
use std::collections::BTreeMap;

/// A single letter is in nearly every line.
const SHORTEST: usize = 2;
/// A group with more alternatives tells little.
const MOST_TERMS: usize = 64;
/// As many groups of a rule are looked for, those first that tell most.
const MOST_GROUPS: usize = 8;
/// So few leaves of a rule whose groups are all there are asked one after the other.
const FEW: usize = 16;
/// Letters of all rules.
const MOST_LETTERS: usize = 1024 * 1024;
/// Up to so many bytes the automaton has a table of all its steps, which is the fastest, and the largest.
const TABLE_BYTES: usize = 16 * 1024;
/// The room that a step takes, in letters, and what it asks if it is no needle: of an attribute, of a term, and
/// for how many bytes of the term one more.
const STEP: usize = 1;
const ATTRIBUTE: usize = 6;
const TERM: usize = 12;
const TERM_BYTES: usize = 2;

pub(super) struct Needles {
    automaton: Option<AhoCorasick>,
    /// Of each needle, whom it is for.
    of: Vec<Marks>,
    /// There are needles that are looked for where letters have one case.
    has_cased: bool,
    rules: Vec<Rule>,
    /// Rules whose query has to be asked about each line.
    always: Vec<u32>,
    /// Rules that a line fits of which nothing is found.
    usual: Vec<u32>,
    /// Rules whose answer is not known if nothing is found.
    each: Vec<u32>,
    /// Leaves that may fit a line, of all rules.
    bits: Vec<u64>,
    /// Those that may fit whatever is found.
    fixed: Vec<u64>,
    line: Line,
    /// Rules of which something was found. Used again for each line.
    touched: Vec<u32>,
    made: Made,
}

/// What it was made within, so that another room is known to change nothing.
#[derive(Clone, Copy)]
struct Made {
    /// Letters that there was room for, and how many of them were taken.
    room: usize,
    taken: usize,
    /// Some rule found no room.
    is_short: bool,
    /// Bytes of all needles, and whether the automaton is a table.
    bytes: usize,
    is_table: bool,
}

/// Whom a needle is for.
struct Marks {
    marks: Vec<Mark>,
    /// It is looked for where letters have one case.
    is_cased: bool,
}

/// Of a needle that is found, what that says to a rule.
struct Mark {
    rule: u32,
    /// The word of bits, which may be none.
    word: usize,
    leaves: u64,
    groups: u8,
}

const NO_WORD: usize = usize::MAX;

#[derive(Default)]
struct Rule {
    /// The groups that a line must have.
    wanted: u8,
    found: u8,
    is_touched: bool,
    walk: Option<Walk<Leaf>>,
    /// The words of bits, none of a rule with groups and few leaves.
    words: Range<usize>,
}

impl Needles {
    /// Looks for no more than so many letters at once.
    pub(super) fn new(watches: &[Watch], letters: usize) -> Self {
        let room = MOST_LETTERS.min(letters);
        let mut making = Making { room, ..Making::default() };
        for watch in watches {
            making.groups(watch);
        }
        // Those come first that are asked about each line if there is no room for them.
        for is_grouped in [false, true] {
            for (index, watch) in watches.iter().enumerate() {
                if making.is_grouped(index) == is_grouped {
                    making.walk(index, watch);
                }
            }
        }
        making.of.iter_mut().for_each(|of| join(&mut of.marks));
        let mut needles = vec![&[][..]; making.of.len()];
        for ((_, needle), number) in &making.numbers {
            if let Some(place) = needles.get_mut(*number) {
                *place = needle;
            }
        }
        let bytes = needles.iter().map(|needle| needle.len()).sum();
        let is_table = is_table(bytes, letters);
        let made = Made { room, taken: room - making.room, is_short: making.is_short, bytes, is_table };
        let kind = if is_table { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).kind(Some(kind)).build(&needles).ok();
        if automaton.is_none() {
            making = Making { rules: watches.iter().map(|_| Rule::default()).collect(), ..Making::default() };
        }
        let Making { of, rules, fixed, questions, .. } = making;
        let (mut always, mut usual, mut each) = (Vec::new(), Vec::new(), Vec::new());
        for (number, rule) in (0..).zip(&rules).filter(|(_, rule)| rule.wanted == 0) {
            match &rule.walk {
                None => always.push(number),
                Some(_) if fixed.get(rule.words.clone()).is_some_and(|words| words.iter().any(|word| *word != 0)) => {
                    each.push(number);
                }
                Some(walk) if walk.usual() => usual.push(number),
                Some(_) => {}
            }
        }
        let line = Line { seen: vec![(0, 0); of.len()], asked: questions, ..Line::default() };
        let bits = fixed.clone();
        let has_cased = of.iter().any(|of| of.is_cased);
        Self { automaton, of, has_cased, rules, always, usual, each, bits, fixed, line, touched: Vec::new(), made }
    }

    /// Whether it would be the same with room for so many letters.
    pub(super) fn is_same_within(&self, letters: usize) -> bool {
        let Made { room, taken, is_short, bytes, is_table: was_table } = self.made;
        let new = MOST_LETTERS.min(letters);
        (new == room || !is_short && taken <= new) && is_table(bytes, letters) == was_table
    }

    /// Hands over the index of each rule that a line may be for, and whether its query is known to fit.
    pub(super) fn candidates(&mut self, fields: &Fields<'_>, mut candidate: impl FnMut(usize, bool)) {
        let Self { rules, bits, line, touched, .. } = self;
        self.always.iter().for_each(|rule| candidate(*rule as usize, false));
        let automaton = self.automaton.as_ref().filter(|_| !self.of.is_empty());
        if automaton.is_some() || !self.each.is_empty() {
            line.take(fields, self.has_cased);
        }
        let Line { folded, cased, seen, number: this, .. } = line;
        let texts = [(&*folded, false), (&*cased, true)];
        let hits = automaton.iter().flat_map(|automaton| {
            let texts = texts.iter().filter(|(text, _)| !text.bytes.is_empty());
            texts.flat_map(|text| automaton.find_overlapping_iter(&text.0.bytes).map(move |hit| (text, hit)))
        });
        for ((text, is_cased), hit) in hits {
            let Some(of) = self.of.get(hit.pattern().as_usize()).filter(|of| of.is_cased == *is_cased) else {
                continue;
            };
            let place = text.ends.place(hit.start(), hit.end());
            match seen.get_mut(hit.pattern().as_usize()) {
                Some((number, places)) if number == this => {
                    *places |= place;
                    continue;
                }
                Some(seen) if place != 0 => *seen = (*this, place),
                _ => continue,
            }
            for mark in &of.marks {
                let Some(rule) = rules.get_mut(mark.rule as usize) else { continue };
                if !rule.is_touched {
                    rule.is_touched = true;
                    touched.push(mark.rule);
                }
                rule.found |= mark.groups;
                if let Some(bits) = bits.get_mut(mark.word) {
                    *bits |= mark.leaves;
                }
            }
        }
        let is_touched = |rule: u32| rules.get(rule as usize).is_none_or(|rule| rule.is_touched);
        self.usual.iter().filter(|rule| !is_touched(**rule)).for_each(|rule| candidate(*rule as usize, true));
        let untouched = self.each.iter().filter(|rule| !is_touched(**rule));
        touched.extend(untouched);
        for number in touched.drain(..) {
            let number = number as usize;
            let Some(rule) = rules.get_mut(number) else { continue };
            rule.is_touched = false;
            let has_groups = core::mem::take(&mut rule.found) == rule.wanted;
            let Some(walk) = &rule.walk else {
                if has_groups {
                    candidate(number, false);
                }
                continue;
            };
            if rule.words.is_empty() {
                if has_groups && walk.answer(|leaf| line.fits(*leaf, fields)) {
                    candidate(number, true);
                }
                continue;
            }
            let Some(bits) = bits.get_mut(rule.words.clone()) else { continue };
            if has_groups && walk.answer_of(bits, |leaf| line.fits(*leaf, fields)) {
                candidate(number, true);
            }
            if let Some(fixed) = self.fixed.get(rule.words.clone()) {
                bits.copy_from_slice(fixed);
            }
        }
    }
}

/// What is looked for, as it is put together.
#[derive(Default)]
struct Making {
    /// Letters that there is room for.
    room: usize,
    /// Something found none.
    is_short: bool,
    numbers: BTreeMap<(bool, Box<[u8]>), usize>,
    of: Vec<Marks>,
    rules: Vec<Rule>,
    fixed: Vec<u64>,
    names: BTreeMap<String, usize>,
    questions: Vec<Asked>,
}

impl Making {
    /// Takes up what the next rule requires, as far as it tells much.
    fn groups(&mut self, watch: &Watch) {
        let number = u32::try_from(self.rules.len()).unwrap_or(u32::MAX);
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
        let letters = groups.iter().flat_map(|(_, anchors)| anchors).map(|anchor| anchor.len()).sum();
        let mut rule = Rule::default();
        let room = self.room.checked_sub(letters);
        self.is_short |= room.is_none();
        if let Some(room) = room {
            self.room = room;
            for (group, (_, anchors)) in groups.iter().enumerate() {
                let groups = 1 << group;
                rule.wanted |= groups;
                for anchor in anchors {
                    let needle = self.needle(anchor, false);
                    self.mark(needle, Mark { rule: number, word: NO_WORD, leaves: 0, groups });
                }
            }
        }
        self.rules.push(rule);
    }

    fn is_grouped(&self, index: usize) -> bool {
        self.rules.get(index).is_some_and(|rule| rule.wanted != 0)
    }

    /// Takes up all terms of a rule, if there is room for them.
    fn walk(&mut self, index: usize, watch: &Watch) {
        let walk = Walk::new(watch.is.query().root());
        let letters = walk.leaves().map(|leaf| letters(*leaf)).sum::<usize>();
        let Some(room) = self.room.checked_sub(letters) else {
            self.is_short = true;
            return;
        };
        let rule = u32::try_from(index).unwrap_or(u32::MAX);
        let (first, count) = (self.fixed.len(), walk.leaves().count());
        let has_bits = count > FEW || !self.is_grouped(index);
        let words = first..first + if has_bits { count.div_ceil(BITS) } else { 0 };
        self.fixed.resize(words.end, 0);
        let walk = walk.map(|at, leaf| {
            let (word, leaves) = (first + at / BITS, 1 << (at % BITS));
            let needle = Needle::of(leaf);
            let found = (!needle.bytes.is_empty()).then(|| self.needle(&needle.bytes, needle.is_cased));
            match found {
                _ if !has_bits => {}
                Some(found) => self.mark(found, Mark { rule, word, leaves, groups: 0 }),
                None => {
                    if let Some(fixed) = self.fixed.get_mut(word) {
                        *fixed |= leaves;
                    }
                }
            }
            match (leaf, found) {
                (Node::Term(term), Some(found)) if needle.is_whole => Some(Leaf::Found(found, places(term))),
                _ => self.question(leaf).map(|question| Leaf::Asked(question, found)),
            }
        });
        if let (Some(walk), Some(rule)) = (walk, self.rules.get_mut(index)) {
            self.room = room;
            (rule.walk, rule.words) = (Some(walk), words);
        }
    }

    /// The number of a needle.
    fn needle(&mut self, bytes: &[u8], is_cased: bool) -> usize {
        let next = self.of.len();
        let number = *self.numbers.entry((is_cased, bytes.into())).or_insert(next);
        if number == next {
            self.of.push(Marks { marks: Vec::new(), is_cased });
        }
        number
    }

    /// Whom a needle is for, besides the others.
    fn mark(&mut self, needle: usize, mark: Mark) {
        if let Some(Marks { marks, .. }) = self.of.get_mut(needle) {
            match marks.last_mut() {
                Some(last) if last.rule == mark.rule && last.word == mark.word => {
                    last.leaves |= mark.leaves;
                    last.groups |= mark.groups;
                }
                _ => marks.push(mark),
            }
        }
    }

    /// The number of a question.
    fn question(&mut self, leaf: Node<'_>) -> Option<usize> {
        let (name, question) = question(leaf)?;
        let next = self.questions.len();
        let number = *self.names.entry(name).or_insert(next);
        if number == next {
            self.questions.push(Asked::new(question));
        }
        Some(number)
    }
}

/// Whether an automaton of so many bytes is a table, which has up to 256 steps for each letter.
fn is_table(bytes: usize, letters: usize) -> bool {
    bytes <= TABLE_BYTES.min(letters / 16)
}

/// Makes one mark of those that say something to the same rule, where that can be.
fn join(marks: &mut Vec<Mark>) {
    marks.sort_by_key(|mark| (mark.rule, mark.word));
    marks.dedup_by(|next, last| {
        let same = last.rule == next.rule && (last.word == next.word || next.word == NO_WORD);
        if same {
            last.leaves |= next.leaves;
            last.groups |= next.groups;
        }
        same
    });
}

/// The room that a leaf takes.
fn letters(leaf: Node<'_>) -> usize {
    let Node::Term(term) = leaf else { return STEP + ATTRIBUTE };
    let needle = Needle::of(leaf);
    STEP + needle.bytes.len() + if needle.is_whole { 0 } else { TERM + term.folded().len() / TERM_BYTES }
}
