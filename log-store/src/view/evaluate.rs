//! Which lines of a block or chunk fit a query.

use super::facts::{FITS, Facts, SPANS, SenderRef, splits};
use super::plan::{Kind, Leaf, Needle, Plan};
use crate::segment::{Bitmap, Damage};
use log_query::fold_into;
use std::net::IpAddr;

/// Lines of one account: a block or a chunk. The text may be on the disk until it is asked for.
pub(crate) trait Lines {
    /// Who sent each line: numbers of a dictionary.
    fn senders(&self) -> &[u32];
    /// What such a number means.
    fn sender(&self, number: u32) -> SenderRef<'_>;
    fn source(&self, line: usize) -> Option<IpAddr>;
    /// Sees to it that the text is there.
    fn load(&mut self) -> Result<(), Damage>;
    /// The text, a byte 0 behind each message, and where those stand. Empty before it was loaded.
    fn text(&self) -> (&[u8], &[u32]);
    /// Gives the text away in exchange for another buffer, if nobody needs it as it is. Then there is none any more.
    fn give(&mut self, buffer: &mut Vec<u8>) -> bool;
    /// Whether the text may hold this at all, by an index; `front` bytes of it are elsewhere.
    fn may_hold(&mut self, leaf: usize, needle: &Needle<'_>, front: usize) -> bool;
}

/// What of a query is known of all lines together: none fits, some may, all do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    None,
    Some,
    All,
}

/// Buffers, used from block to block.
#[derive(Debug, Default)]
pub(crate) struct Evaluator {
    pub(crate) facts: Facts,
    /// Of each node, for the lines at hand.
    verdicts: Vec<Verdict>,
    folded: Folded,
}

/// The text at hand as it is searched: folded, without colour codes, a byte 0 behind each message.
#[derive(Debug, Default)]
struct Folded {
    text: Vec<u8>,
    ends: Vec<u32>,
    there: bool,
    /// It is the lines' own text, in lower case: without a code it differs in nothing else.
    given: bool,
}

impl Folded {
    fn make(&mut self, lines: &mut dyn Lines) {
        self.ends.clear();
        self.there = true;
        let (text, ends) = lines.text();
        let coloured = memchr::memchr(0x1b, text).is_some();
        self.ends.extend_from_slice(ends);
        self.given = !coloured && lines.give(&mut self.text);
        if self.given {
            self.text.make_ascii_lowercase();
            return;
        }
        let (text, ends) = lines.text();
        self.ends.clear();
        self.text.clear();
        if !coloured {
            // Without colours every byte stays where it is: one pass over the whole block.
            self.text.extend_from_slice(text);
            self.text.make_ascii_lowercase();
            self.ends.extend_from_slice(ends);
            return;
        }
        // Lines between coloured ones stay together: only a line that holds an ESC is taken apart.
        let (mut line, mut start) = (0, 0);
        for esc in memchr::memchr_iter(0x1b, text) {
            if esc < start {
                continue;
            }
            let coloured = line + ends[line..].partition_point(|&end| (end as usize) < esc);
            let Some(&end) = ends.get(coloured) else { break };
            let begin = coloured.checked_sub(1).map_or(0, |before| ends[before] as usize + 1);
            self.together(&text[start..begin], start, &ends[line..coloured]);
            fold_into(&text[begin..end as usize], &mut self.text);
            self.ends.push(self.text.len() as u32);
            self.text.push(0);
            (line, start) = (coloured + 1, end as usize + 1);
        }
        self.together(text.get(start..).unwrap_or_default(), start, &ends[line..]);
    }

    /// Adds lines without an ESC, which stood at `start`.
    fn together(&mut self, text: &[u8], start: usize, ends: &[u32]) {
        let at = self.text.len();
        self.text.extend_from_slice(text);
        self.text[at..].make_ascii_lowercase();
        self.ends.extend(ends.iter().map(|&end| (end as usize - start + at) as u32));
    }

    fn line(&self, line: usize) -> &[u8] {
        &self.text[self.start(line)..self.ends[line] as usize]
    }

    fn start(&self, line: usize) -> usize {
        line.checked_sub(1).map_or(0, |before| self.ends[before] as usize + 1)
    }
}

impl Evaluator {
    /// For another dictionary.
    pub(crate) fn begin(&mut self, plan: &Plan<'_>, senders: usize) {
        self.facts.begin(plan, senders);
    }

    /// What all senders of the dictionary decide together, which is worth it for more than one block.
    pub(crate) fn learn(&mut self, plan: &Plan<'_>, names: &[u8]) {
        self.facts.learn(plan, names);
    }

    /// What the dictionary and the index say of lines whose senders are these. Remembered for [`Evaluator::lines`].
    pub(crate) fn verdict(&mut self, plan: &Plan<'_>, distinct: &[u32], lines: &mut dyn Lines) -> Verdict {
        self.folded.there = false;
        self.verdicts.clear();
        self.verdicts.resize(plan.ops.len(), Verdict::Some);
        // From the last node to the first: what is below a node stands behind it.
        for at in (0..plan.ops.len()).rev() {
            let op = plan.ops[at];
            self.verdicts[at] = match op.kind {
                Kind::Leaf(leaf) => self.of_leaf(plan, leaf, distinct, lines),
                Kind::Not => match self.verdicts[at + 1] {
                    Verdict::None => Verdict::All,
                    Verdict::Some => Verdict::Some,
                    Verdict::All => Verdict::None,
                },
                Kind::All | Kind::Any => {
                    // All begins as all, and one with none makes it none; Any is the same the other way round.
                    let (same, other) = match op.kind {
                        Kind::All => (Verdict::All, Verdict::None),
                        _ => (Verdict::None, Verdict::All),
                    };
                    let mut verdict = same;
                    let mut child = at + 1;
                    while child <= at + op.below {
                        if self.verdicts[child] == other {
                            verdict = other;
                            break;
                        }
                        if self.verdicts[child] == Verdict::Some {
                            verdict = Verdict::Some;
                        }
                        child += 1 + plan.ops[child].below;
                    }
                    verdict
                }
            };
        }
        self.verdicts.first().copied().unwrap_or(Verdict::All)
    }

    fn of_leaf(&mut self, plan: &Plan<'_>, leaf: usize, distinct: &[u32], lines: &mut dyn Lines) -> Verdict {
        if let Leaf::Term(needle) = &plan.leaves[leaf]
            && self.facts.is_quiet(leaf)
        {
            let may_hold = needle.term.in_message() && lines.may_hold(leaf, needle, 0);
            return if may_hold { Verdict::Some } else { Verdict::None };
        }
        let (mut fits, mut spans) = (0, false);
        for &number in distinct {
            let fact = self.facts.of(plan, leaf, number, lines.sender(number));
            fits += usize::from(fact & FITS != 0);
            spans |= fact & SPANS != 0;
        }
        match (&plan.leaves[leaf], fits) {
            (Leaf::SourceIp(_), _) => Verdict::Some,
            (_, fits) if fits == distinct.len() => Verdict::All,
            (Leaf::Term(needle), 0) => {
                if needle.term.in_message() && lines.may_hold(leaf, needle, 0)
                    || spans && self.may_span(plan, leaf, needle, distinct, lines)
                {
                    Verdict::Some
                } else {
                    Verdict::None
                }
            }
            (_, 0) => Verdict::None,
            _ => Verdict::Some,
        }
    }

    /// Whether a line may begin with the rest of a needle whose front ends `program: `: the index is asked for the rest only.
    fn may_span(
        &mut self,
        plan: &Plan<'_>,
        leaf: usize,
        needle: &Needle<'_>,
        distinct: &[u32],
        lines: &mut dyn Lines,
    ) -> bool {
        if !needle.term.is_exact() {
            return true;
        }
        let mut fronts = Vec::new();
        for &number in distinct {
            if self.facts.of(plan, leaf, number, lines.sender(number)) & SPANS == 0 {
                continue;
            }
            fronts.extend(splits(needle, self.facts.prefix(lines.sender(number).program)));
        }
        fronts.sort_unstable();
        fronts.dedup();
        fronts.into_iter().any(|front| lines.may_hold(leaf, needle, front))
    }

    /// Which of the lines in `within` fit. [`Evaluator::verdict`] comes first.
    pub(crate) fn lines(&mut self, plan: &Plan<'_>, within: Bitmap, lines: &mut dyn Lines) -> Result<Bitmap, Damage> {
        // A stack of our own: nodes that were begun, each with the lines that its next child is asked about.
        let mut begun: Vec<Begun> = Vec::new();
        let (mut at, mut within) = (0, within);
        'visit: loop {
            let op = plan.ops[at];
            let mut answer = match (self.verdicts[at], op.kind) {
                _ if within.is_empty() => within,
                (Verdict::None, _) => {
                    within.clear_all();
                    within
                }
                (Verdict::All, _) => within,
                (Verdict::Some, Kind::Leaf(leaf)) => self.leaf(plan, leaf, within, lines)?,
                (Verdict::Some, _) => {
                    let found = Bitmap::none(within.len());
                    begun.push(Begun { at, next: at + 1, within: within.clone(), found });
                    at += 1;
                    continue 'visit;
                }
            };
            // The answer goes to the node above, until one has a child that is still to be asked.
            loop {
                let Some(mut above) = begun.pop() else { return Ok(answer) };
                let op = plan.ops[above.at];
                above.next += 1 + plan.ops[above.next].below;
                let more = above.next <= above.at + op.below;
                match op.kind {
                    Kind::Not => {
                        above.within.and_not(&answer);
                        answer = above.within;
                    }
                    Kind::All => {
                        // Only lines that fit all so far are asked about the next.
                        if more && !answer.is_empty() {
                            above.within = answer;
                            (at, within) = (above.next, above.within.clone());
                            begun.push(above);
                            continue 'visit;
                        }
                    }
                    Kind::Any => {
                        above.found.or(&answer);
                        above.within.and_not(&answer);
                        if more && !above.within.is_empty() {
                            (at, within) = (above.next, above.within.clone());
                            begun.push(above);
                            continue 'visit;
                        }
                        answer = above.found;
                    }
                    Kind::Leaf(_) => {}
                }
            }
        }
    }

    fn leaf(&mut self, plan: &Plan<'_>, leaf: usize, within: Bitmap, lines: &mut dyn Lines) -> Result<Bitmap, Damage> {
        let mut found = Bitmap::none(within.len());
        let mut spanning = false;
        let mut rest = within;
        match &plan.leaves[leaf] {
            Leaf::SourceIp(prefix) => {
                for line in rest.iter() {
                    if lines.source(line).is_some_and(|address| prefix.fits(address)) {
                        found.set(line);
                    }
                }
                return Ok(found);
            }
            _ if self.facts.is_quiet(leaf) => {}
            _ => {
                for line in rest.iter() {
                    let number = lines.senders()[line];
                    let fact = self.facts.of(plan, leaf, number, lines.sender(number));
                    if fact & FITS != 0 {
                        found.set(line);
                    }
                    spanning |= fact & (SPANS | FITS) == SPANS;
                }
                rest.and_not(&found);
            }
        }
        let Leaf::Term(needle) = &plan.leaves[leaf] else { return Ok(found) };
        if rest.is_empty() || !needle.term.in_message() {
            return Ok(found);
        }
        let in_message = lines.may_hold(leaf, needle, 0);
        if !in_message && !spanning {
            return Ok(found);
        }
        lines.load()?;
        if !self.folded.there {
            self.folded.make(lines);
        }
        if in_message {
            self.in_messages(needle, &rest, &mut found);
        }
        if spanning {
            rest.and_not(&found);
            for line in rest.iter() {
                let number = lines.senders()[line];
                let sender = lines.sender(number);
                if self.facts.of(plan, leaf, number, sender) & SPANS == 0 {
                    continue;
                }
                let fits = match needle.term.is_exact() {
                    true => {
                        let message = self.folded.line(line);
                        let prefix = self.facts.prefix(sender.program);
                        splits(needle, prefix).any(|front| message.starts_with(&needle.bytes[front..]))
                    }
                    false if self.folded.given => needle.term.spans(sender.program, self.folded.line(line)),
                    false => {
                        let (text, ends) = lines.text();
                        let start = line.checked_sub(1).map_or(0, |before| ends[before] as usize + 1);
                        needle.term.spans(sender.program, &text[start..ends[line] as usize])
                    }
                };
                if fits {
                    found.set(line);
                }
            }
        }
        Ok(found)
    }

    /// Adds the lines of `within` whose message holds the needle.
    fn in_messages(&self, needle: &Needle<'_>, within: &Bitmap, found: &mut Bitmap) {
        let folded = &self.folded;
        let exact = needle.term.is_exact();
        // A few lines are searched one by one; many, or a needle that may be anywhere, in one go over the whole text.
        if needle.bytes.is_empty() || within.count() * 8 < folded.ends.len() {
            for line in within.iter() {
                let text = folded.line(line);
                if needle.finder.find(text).is_some() && (exact || needle.term.found_in(text)) {
                    found.set(line);
                }
            }
            return;
        }
        let (mut at, mut line) = (0, 0);
        while let Some(hit) = folded.text.get(at..).and_then(|rest| needle.finder.find(rest)) {
            let hit = at + hit;
            line += folded.ends[line..].partition_point(|&end| (end as usize) < hit);
            let Some(&end) = folded.ends.get(line) else { return };
            // A needle with a byte 0 may lie across two messages: then it is in neither.
            if hit + needle.bytes.len() > end as usize {
                at = hit + 1;
                continue;
            }
            if within.get(line) && (exact || needle.term.found_in(folded.line(line))) {
                found.set(line);
            }
            // One hit a line is enough.
            at = end as usize + 1;
            line += 1;
            if line >= folded.ends.len() {
                return;
            }
        }
    }
}

/// A node with children that is being worked out.
struct Begun {
    at: usize,
    /// The child that was asked last.
    next: usize,
    within: Bitmap,
    found: Bitmap,
}
