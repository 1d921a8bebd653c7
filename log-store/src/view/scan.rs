//! The walk over files and head, from either end.

use super::View;
use super::evaluate::{Evaluator, Lines, Verdict};
use super::facts::SenderRef;
use super::plan::{Needle, Plan};
use crate::chunk::{Chunk, ChunkLines};
use crate::event::{Event, EventId};
use crate::page::{Examined, Order, Reached};
use crate::sealed::Part;
use crate::segment::{Bitmap, Columns, Damage, DamageKind, Scratch, Segment, Sender, push_name};
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

/// Files may vanish beside a reader that has another process's store open: how often it looks for what came in their place.
const LOOKS: usize = 32;

/// Who is told of what fits.
pub(crate) trait Visitor {
    /// Whether events need their message.
    const MESSAGES: bool;
    /// All lines of a block fit: so many a minute. Says whether that was enough to know; if not, the lines come one by one.
    fn minutes(&mut self, _: &[(u32, u32)]) -> bool {
        false
    }
    /// A line that fits. Says whether to go on.
    fn event(&mut self, event: &Event<'_>) -> bool;
}

/// Which senders count, beside what the scope allows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Same<'a> {
    pub(crate) system: Option<&'a [u8]>,
    pub(crate) program: Option<&'a [u8]>,
}

impl Same<'_> {
    const fn is_none(self) -> bool {
        self.system.is_none() && self.program.is_none()
    }
}

/// A walk: what is asked, and the buffers, which are used from block to block.
pub(crate) struct Scan<'v, 'q> {
    view: &'v View,
    plan: &'v Plan<'q>,
    same: Same<'v>,
    order: Order,
    examined: Examined,
    evaluator: Evaluator,
    columns: Columns,
    text: Vec<u8>,
    scratch: Option<Scratch>,
}

/// A step of the walk: on, or why not.
type Step = ControlFlow<Stop>;

enum Stop {
    Reached(Reached),
    /// The file is gone: another process put others in its place, or let it go.
    Gone,
}

impl<'v, 'q> Scan<'v, 'q> {
    pub(crate) fn new(view: &'v View, plan: &'v Plan<'q>, same: Same<'v>, order: Order) -> Self {
        Self {
            view,
            plan,
            same,
            order,
            examined: Examined::new(0, 0),
            evaluator: Evaluator::default(),
            columns: Columns::default(),
            text: Vec::new(),
            scratch: None,
        }
    }

    /// Walks over the ids from `from` on and below `to`.
    pub(crate) fn run<V: Visitor>(
        mut self,
        from: u64,
        to: u64,
        go_on: &mut dyn FnMut() -> bool,
        visitor: &mut V,
    ) -> Examined {
        // Asked for more than may be seen, the answer says how far it looked: what comes later is in none of it.
        let to = to.min(self.view.to).max(from);
        let mut state = Arc::clone(&self.view.state);
        let hidden = if self.view.scope.sees_hidden() { 0 } else { state.hidden };
        let from_kept = from.max(state.floor).max(hidden).min(to);
        self.examined = match self.order {
            Order::Newest => Examined::new(to, to),
            Order::Oldest => Examined::new(from, from),
        };
        self.view.unread.iter().for_each(|damage| self.examined.damaged(damage.clone()));
        let mut looks = 0;
        let reached = loop {
            let (from, to) = match self.order {
                Order::Newest => (from_kept, self.examined.from),
                Order::Oldest => (from_kept.max(self.examined.to), to),
            };
            match self.walk(&state.parts, &state.chunks, from, to, go_on, visitor) {
                Step::Continue(()) => break Reached::End,
                Step::Break(Stop::Reached(reached)) => break reached,
                Step::Break(Stop::Gone) => {
                    looks += 1;
                    match self.view.look_again() {
                        Some(newer) if looks <= LOOKS => state = newer,
                        _ => break Reached::Budget,
                    }
                }
            }
        };
        if reached == Reached::End {
            match self.order {
                Order::Newest => self.examined.from = from,
                Order::Oldest => self.examined.to = to,
            }
        }
        self.examined.reached = reached;
        self.examined
    }

    fn walk<V: Visitor>(
        &mut self,
        parts: &[Part],
        chunks: &[Arc<Chunk>],
        from: u64,
        to: u64,
        go_on: &mut dyn FnMut() -> bool,
        visitor: &mut V,
    ) -> Step {
        if from >= to {
            return Step::Continue(());
        }
        let parts = parts.iter().filter(|part| part.first < to && part.last >= from);
        let chunks = chunks.iter().filter(|chunk| chunk.first_id() < to);
        match self.order {
            Order::Newest => {
                for chunk in chunks.rev() {
                    self.chunk(chunk, from, to, go_on, visitor)?;
                }
                for part in parts.rev() {
                    self.part(part, from, to, go_on, visitor)?;
                }
            }
            Order::Oldest => {
                for part in parts {
                    self.part(part, from, to, go_on, visitor)?;
                }
                for chunk in chunks {
                    self.chunk(chunk, from, to, go_on, visitor)?;
                }
            }
        }
        Step::Continue(())
    }

    fn chunk<V: Visitor>(
        &mut self,
        chunk: &Chunk,
        from: u64,
        to: u64,
        go_on: &mut dyn FnMut() -> bool,
        visitor: &mut V,
    ) -> Step {
        if !go_on() {
            return Step::Break(Stop::Reached(Reached::Budget));
        }
        let lines = chunk.read();
        let range = lines.within(from, to);
        if range.is_empty() {
            return Step::Continue(());
        }
        let base = lines.start(range.start);
        let mut ends = Vec::new();
        ends.extend(lines.ends[range.clone()].iter().map(|&end| end - base as u32));
        let text = &lines.text[base..base + ends.last().map_or(0, |&end| end as usize + 1)];
        let mut piece = Piece { lines: &lines, range: range.clone(), text, ends };
        let mut there = vec![false; lines.names.len()];
        lines.senders[range.clone()].iter().for_each(|&sender| there[sender as usize] = true);
        let distinct: Vec<u32> = (0..).zip(&there).filter(|(_, there)| **there).map(|(number, _)| number).collect();
        let allowed = |sender: u32| allowed(self.view, self.same, piece.sender(sender));
        let seen: Vec<u32> = distinct.iter().copied().filter(|&sender| allowed(sender)).collect();
        self.evaluator.begin(self.plan, lines.names.len());
        if range.len() > lines.names.len() {
            let mut names = Vec::new();
            lines.names.iter().for_each(|name| push_name(&name.system, &name.program, &mut names));
            self.evaluator.learn(self.plan, &names);
        }
        if !seen.is_empty() && self.evaluator.verdict(self.plan, &seen, &mut piece) != Verdict::None {
            let mut within = Bitmap::all(range.len());
            if seen.len() < distinct.len() {
                for (line, sender) in lines.senders[range.clone()].iter().enumerate() {
                    if seen.binary_search(sender).is_err() {
                        within.clear(line);
                    }
                }
            }
            // A chunk has its text, so this cannot fail.
            let Ok(found) = self.evaluator.lines(self.plan, within, &mut piece) else { return Step::Continue(()) };
            let event = |line: usize| {
                let sender = piece.sender(piece.senders()[line]);
                let message = piece.message(line);
                event(
                    self.view,
                    lines.ids[range.start + line],
                    lines.generated[range.start + line],
                    sender,
                    piece.source(line),
                    message,
                )
            };
            if let Some(last) = visit(self.order, &found, event, visitor) {
                self.reached(last);
                return Step::Break(Stop::Reached(Reached::Limit));
            }
        }
        self.passed(lines.ids[range.start], lines.ids[range.end - 1]);
        Step::Continue(())
    }

    fn part<V: Visitor>(
        &mut self,
        part: &Part,
        from: u64,
        to: u64,
        go_on: &mut dyn FnMut() -> bool,
        visitor: &mut V,
    ) -> Step {
        if !go_on() {
            return Step::Break(Stop::Reached(Reached::Budget));
        }
        let (from, to) = (from.max(part.first), to.min(part.last.saturating_add(1)));
        let segment = match self.view.open(part) {
            Ok(segment) => segment,
            Err(damage) if damage.kind() == DamageKind::Read(io::ErrorKind::NotFound) && self.view.can_look_again() => {
                return Step::Break(Stop::Gone);
            }
            Err(damage) => {
                self.examined.damaged(damage);
                self.passed(from, to - 1);
                return Step::Continue(());
            }
        };
        if self.scratch.is_none() {
            // Only memory can be lacking here: say how far it went, as if the caller had.
            let Ok(scratch) = Scratch::new() else { return Step::Break(Stop::Reached(Reached::Budget)) };
            self.scratch = Some(scratch);
        }
        let name = self.view.scope.account_name();
        let Some(account) = segment.accounts().iter().find(|account| account.name() == name) else {
            // A file of this name, but not the one that was there: its account went elsewhere in a merge.
            return if self.view.can_look_again() { Step::Break(Stop::Gone) } else { Step::Continue(()) };
        };
        let all = account.blocks();
        let blocks = &segment.blocks()[all.clone()];
        let first = all.start + blocks.partition_point(|block| block.last_id() < from);
        let last = all.start + blocks.partition_point(|block| block.first_id() < to);
        self.evaluator.begin(self.plan, segment.senders().len());
        // Who may be seen, where that is not everybody.
        let all = self.view.scope.allows_all_systems() && self.same.is_none();
        let mut allowed: Option<Vec<Option<bool>>> = (!all).then(|| vec![None; segment.senders().len()]);
        let mut index = Index { blocks: first..last, asked: BTreeMap::new() };
        let mut step = Step::Continue(());
        let (mut numbers, mut walked) = (first..last, 0);
        while let Some(number) = match self.order {
            Order::Newest => numbers.next_back(),
            Order::Oldest => numbers.next(),
        } {
            if !go_on() {
                step = Step::Break(Stop::Reached(Reached::Budget));
                break;
            }
            self.examined.blocks += 1;
            walked += 1;
            // From the second block on it is worth to know what all senders have in common.
            if walked == 2 {
                self.evaluator.learn(self.plan, segment.names());
            }
            match self.block(&segment, number, from, to, &mut index, &mut allowed, visitor) {
                Ok(None) => {
                    let block = &segment.blocks()[number];
                    self.passed(block.first_id().max(from), block.last_id().min(to - 1));
                }
                Ok(Some(last)) => {
                    self.reached(last);
                    step = Step::Break(Stop::Reached(Reached::Limit));
                    break;
                }
                Err(damage) => {
                    let block = &segment.blocks()[number];
                    self.passed(block.first_id().max(from), block.last_id().min(to - 1));
                    self.examined.damaged(damage);
                }
            }
        }
        step
    }

    /// One block: the last event if the visitor has enough.
    #[expect(clippy::too_many_arguments, reason = "one step of the walk, with all it walks with")]
    fn block<V: Visitor>(
        &mut self,
        segment: &Segment,
        number: usize,
        from: u64,
        to: u64,
        index: &mut Index,
        allowed: &mut Option<Vec<Option<bool>>>,
        visitor: &mut V,
    ) -> Result<Option<u64>, Damage> {
        let Some(scratch) = &mut self.scratch else { return Ok(None) };
        let entry = &segment.blocks()[number];
        let is_restricted = allowed.is_some();
        let mut may_see = |sender: u32| match allowed.as_mut().map(|allowed| allowed.get_mut(sender as usize)) {
            None => true,
            Some(Some(known)) => {
                *known.get_or_insert_with(|| self::allowed(self.view, self.same, sender_of(segment, sender)))
            }
            Some(None) => false,
        };
        let some: Vec<u32>;
        let seen = match is_restricted {
            false => entry.senders(),
            true => {
                some = entry.senders().iter().copied().filter(|&sender| may_see(sender)).collect();
                &some
            }
        };
        let whole = entry.first_id() >= from && entry.last_id() < to;
        let mut block = Block {
            segment,
            number,
            index,
            columns: &mut self.columns,
            text: &mut self.text,
            scratch,
            loaded: false,
            read: false,
            may_give: !V::MESSAGES,
        };
        block.text.clear();
        let verdict = match seen.is_empty() {
            true => Verdict::None,
            false => self.evaluator.verdict(self.plan, seen, &mut block),
        };
        let result = (|| {
            if verdict == Verdict::None {
                return Ok(None);
            }
            let all = verdict == Verdict::All && whole && seen.len() == entry.senders().len();
            if all && visitor.minutes(entry.minutes()) {
                return Ok(None);
            }
            block.read_columns()?;
            let lines = block.columns.lines();
            let mut within = Bitmap::all(lines);
            if !whole {
                let ids = block.columns.ids();
                (0..ids.partition_point(|&id| id < from)).for_each(|line| within.clear(line));
                (ids.partition_point(|&id| id < to)..lines).for_each(|line| within.clear(line));
            }
            if seen.len() < entry.senders().len() {
                for (line, &sender) in block.columns.senders().iter().enumerate() {
                    if !may_see(sender) {
                        within.clear(line);
                    }
                }
            }
            let found = self.evaluator.lines(self.plan, within, &mut block)?;
            if found.is_empty() {
                return Ok(None);
            }
            if V::MESSAGES {
                block.load()?;
            }
            let columns = &*block.columns;
            let event = |line: usize| {
                let sender = sender_of(segment, columns.senders()[line]);
                let message = block.text.get(columns.message(line)).unwrap_or_default();
                event(self.view, columns.ids()[line], columns.generated()[line], sender, columns.source(line), message)
            };
            Ok(visit(self.order, &found, event, visitor))
        })();
        let read = block.read;
        self.examined.blocks_read += u64::from(read);
        result
    }

    /// All events from `first` to `last` were looked at.
    fn passed(&mut self, first: u64, last: u64) {
        match self.order {
            Order::Newest => self.examined.from = self.examined.from.min(first),
            Order::Oldest => self.examined.to = self.examined.to.max(last + 1),
        }
    }

    /// The walk ended with this event.
    fn reached(&mut self, id: u64) {
        self.passed(id, id);
    }
}

/// Tells of each line that fits, from the right end. The id of the last one if that was enough.
fn visit<'a, V: Visitor>(
    order: Order,
    found: &Bitmap,
    event: impl Fn(usize) -> Event<'a>,
    visitor: &mut V,
) -> Option<u64> {
    let mut told = |line: usize| {
        let event = event(line);
        if visitor.event(&event) { None } else { Some(event.id().get()) }
    };
    match order {
        Order::Newest => found.iter().rev().find_map(&mut told),
        Order::Oldest => found.iter().find_map(&mut told),
    }
}

fn event<'a>(
    view: &'a View,
    id: u64,
    generated: i64,
    sender: SenderRef<'a>,
    source: Option<IpAddr>,
    message: &'a [u8],
) -> Event<'a> {
    let event = Event::new(EventId::new(id), view.scope.account_name(), message)
        .with_generated(generated)
        .with_system(sender.system)
        .with_program(sender.program)
        .with_severity(sender.severity)
        .with_facility(sender.facility);
    match source {
        Some(source) => event.with_source_ip(source),
        None => event,
    }
}

fn allowed(view: &View, same: Same<'_>, sender: SenderRef<'_>) -> bool {
    view.scope.allows_system(sender.system)
        && same.system.is_none_or(|system| system == sender.system)
        && same.program.is_none_or(|program| program == sender.program)
}

fn sender_of(segment: &Segment, number: u32) -> SenderRef<'_> {
    // Columns and blocks were held against the dictionary when they were read, so there is one.
    let none = SenderRef { system: &[], program: &[], severity: u8::MAX, facility: u8::MAX };
    segment.senders().get(number as usize).map_or(none, sender_ref)
}

fn sender_ref(sender: &Sender) -> SenderRef<'_> {
    SenderRef {
        system: sender.system(),
        program: sender.program(),
        severity: sender.severity(),
        facility: sender.facility(),
    }
}

/// What the index of a segment said of the blocks at hand, for each text that was asked about: asked once a segment.
struct Index {
    blocks: Range<usize>,
    /// By leaf, and how much of its front is elsewhere.
    asked: BTreeMap<(usize, usize), Bitmap>,
}

/// A block of a segment, read as far as it must be.
struct Block<'a> {
    segment: &'a Segment,
    number: usize,
    index: &'a mut Index,
    columns: &'a mut Columns,
    text: &'a mut Vec<u8>,
    scratch: &'a mut Scratch,
    loaded: bool,
    read: bool,
    /// Nobody asks for messages as they are.
    may_give: bool,
}

impl Block<'_> {
    fn read_columns(&mut self) -> Result<(), Damage> {
        self.read = true;
        self.segment.columns(self.number, self.scratch, self.columns)
    }
}

impl Lines for Block<'_> {
    fn senders(&self) -> &[u32] {
        self.columns.senders()
    }

    fn sender(&self, number: u32) -> SenderRef<'_> {
        sender_of(self.segment, number)
    }

    fn source(&self, line: usize) -> Option<IpAddr> {
        self.columns.source(line)
    }

    fn load(&mut self) -> Result<(), Damage> {
        if self.loaded {
            return Ok(());
        }
        self.read = true;
        self.segment.text(self.number, self.scratch, self.text)?;
        self.loaded = true;
        Ok(())
    }

    fn text(&self) -> (&[u8], &[u32]) {
        (self.text, self.columns.ends())
    }

    fn give(&mut self, buffer: &mut Vec<u8>) -> bool {
        if self.may_give {
            std::mem::swap(self.text, buffer);
            self.text.clear();
        }
        self.may_give
    }

    fn may_hold(&mut self, leaf: usize, needle: &Needle<'_>, front: usize) -> bool {
        let segment = self.segment;
        let blocks = self.index.blocks.clone();
        let found = self.index.asked.entry((leaf, front)).or_insert_with(|| {
            let mut within = Bitmap::none(segment.blocks().len());
            blocks.for_each(|block| within.set(block));
            // Damage there lets more blocks through, and none less: `check` names it.
            let _ = segment.candidates(&needle.bytes[front..], &mut within);
            within
        });
        found.get(self.number)
    }
}

/// Lines of a chunk that lie in a range: its text is there, and there is no index.
struct Piece<'a> {
    lines: &'a ChunkLines,
    range: Range<usize>,
    text: &'a [u8],
    ends: Vec<u32>,
}

impl Piece<'_> {
    fn message(&self, line: usize) -> &[u8] {
        let start = line.checked_sub(1).map_or(0, |before| self.ends[before] as usize + 1);
        &self.text[start..self.ends[line] as usize]
    }
}

impl Lines for Piece<'_> {
    fn senders(&self) -> &[u32] {
        &self.lines.senders[self.range.clone()]
    }

    fn sender(&self, number: u32) -> SenderRef<'_> {
        let name = &self.lines.names[number as usize];
        SenderRef { system: &name.system, program: &name.program, severity: name.severity, facility: name.facility }
    }

    fn source(&self, line: usize) -> Option<IpAddr> {
        self.lines.sources[self.range.start + line]
    }

    fn load(&mut self) -> Result<(), Damage> {
        Ok(())
    }

    fn text(&self) -> (&[u8], &[u32]) {
        (self.text, &self.ends)
    }

    fn give(&mut self, _: &mut Vec<u8>) -> bool {
        false
    }

    fn may_hold(&mut self, _: usize, _: &Needle<'_>, _: usize) -> bool {
        true
    }
}
