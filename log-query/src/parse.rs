//! From text to a tree, in one pass.
//!
//! ```text
//! query     = any
//! any       = all *( "OR" all )
//! all       = unary *( [ "AND" ] unary )            ; in the brackets of an attribute, two without an operator mean OR
//! unary     = *( "NOT" / "-" ) primary              ; one "-", directly before it
//! primary   = "(" any ")" / attribute / phrase / word
//! attribute = key ":" [ "-" ] ( "(" any ")" / phrase / word )
//! ```

mod scan;
mod tree;

use crate::names;
use crate::node::{Entry, IpPrefix};
use crate::note::{Note, NoteKind};
use crate::query::Query;
use crate::term::{Term, Within};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;
use scan::{Dash, Key, Scan, Word};
use tree::{Tree, all, any, flat, not};

/// How deep brackets may stand within each other.
const MAX_DEPTH: usize = 512;

/// A query, and what was assumed to read it.
///
/// ```
/// use log_query::Query;
///
/// let parsed = Query::parse("(timeout OR refused severity:fatal");
/// assert_eq!(parsed.query().to_string(), r#"timeout OR refused "severity:fatal""#);
/// let notes: Vec<_> = parsed.notes().iter().map(|note| note.to_string()).collect();
/// assert_eq!(notes, [
///     "bracket at byte 0 closed at the end: no bracket closes it",
///     "operators at byte 1 read so: AND, also unwritten, binds tighter than OR; brackets change that",
///     "attribute at byte 20 read as text: it has no such value",
/// ]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    query: Query,
    notes: Vec<Note>,
}

impl Parsed {
    /// The query.
    #[must_use]
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// The query alone.
    #[must_use]
    pub fn into_query(self) -> Query {
        self.query
    }

    /// What was assumed, in the order of the text.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}

impl Query {
    /// Reads a query. Any text is one; what was closed, dropped, read as text or read in one of two ways is noted.
    /// Linear in the text.
    #[must_use]
    pub fn parse(text: &str) -> Parsed {
        let mut parser = Parser {
            scan: Scan::new(text),
            open: vec![Group::new(0, None, false, false)],
            depth: 0,
            notes: Vec::new(),
        };
        parser.run();
        let tree = parser.end();
        let mut notes = parser.notes;
        if tree.is_none() && matches!(text.trim(), "*" | "\"\"" | "''") {
            // Everything is what it asks for.
            notes.clear();
        }
        notes.sort_by_key(|note| note.range().start);
        Parsed { query: tree.map_or_else(Query::default, |tree| Query::new(flat(tree))), notes }
    }
}

struct Parser<'t> {
    scan: Scan<'t>,
    /// Brackets that are open, outermost first; the first is the whole query.
    open: Vec<Group>,
    /// How deep they are, as brackets of a printed query.
    depth: usize,
    notes: Vec<Note>,
}

/// What was read of the inside of a bracket.
struct Group {
    from: usize,
    /// Of which attribute this is the value.
    key: Option<Key>,
    /// Two terms without an operator mean OR.
    either: bool,
    negated: bool,
    /// Alternatives in front of the last OR.
    any: Vec<Tree>,
    /// Since the last OR: terms joined by AND, written or meant. Where OR is meant, each run of written ANDs is one.
    runs: Vec<Vec<Tree>>,
    /// An operator that waits for its right side.
    operator: Option<(Operator, Range<usize>)>,
    /// `NOT` that waits for its term, and whether there are an odd number of them.
    not: Option<(bool, Range<usize>)>,
    /// Terms were joined by AND.
    and: bool,
    /// Terms were joined by OR.
    or: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    And,
    Or,
}

impl Group {
    fn new(from: usize, key: Option<Key>, either: bool, negated: bool) -> Self {
        let (any, runs) = (Vec::new(), Vec::new());
        Self { from, key, either, negated, any, runs, operator: None, not: None, and: false, or: false }
    }

    /// How many brackets it may take to print it: `(a b -c)` of an attribute is `((a OR b) -c)`.
    fn depth(either: bool) -> usize {
        if either { 2 } else { 1 }
    }

    fn push(&mut self, tree: Tree) {
        let tree = match self.not.take() {
            Some((true, _)) => not(tree),
            _ => tree,
        };
        let operator = self.operator.take().map(|(operator, _)| operator);
        if operator == Some(Operator::Or) {
            self.close_runs();
        }
        match self.runs.last_mut() {
            Some(run) if operator == Some(Operator::And) || !self.either => run.push(tree),
            _ => self.runs.push(vec![tree]),
        }
    }

    /// Makes one alternative of the runs: of several, one of those that say what shall be there, and none of those that say
    /// what shall not.
    fn close_runs(&mut self) {
        let runs = mem::take(&mut self.runs);
        self.and |= runs.iter().any(|run| run.len() > 1);
        let (there, mut shall): (Vec<Tree>, Vec<Tree>) =
            runs.into_iter().filter_map(all).partition(|tree| !matches!(tree, Tree::Not(_)));
        self.and |= !there.is_empty() && !shall.is_empty();
        self.or |= there.len() > 1 || !self.any.is_empty();
        if let Some(there) = any(there) {
            shall.insert(0, there);
        }
        self.any.extend(all(shall));
    }
}

impl<'t> Parser<'t> {
    fn run(&mut self) {
        while let Some(letter) = self.scan.next_letter() {
            let at = self.scan.at();
            if letter == ')' && !self.scan.is_deep() {
                self.scan.skip(1);
                self.close(at);
            } else if let Some(word) = self.scan.operator() {
                let range = at..self.scan.at();
                match word {
                    "AND" => self.operator(Operator::And, range),
                    "OR" => self.operator(Operator::Or, range),
                    _ => self.not(range),
                }
            } else {
                self.primary();
            }
        }
    }

    fn note(&mut self, kind: NoteKind, range: Range<usize>) {
        self.notes.push(Note::new(kind, range));
    }

    /// Hands out the innermost open group. There is always one.
    fn group(&mut self) -> Option<&mut Group> {
        self.open.last_mut()
    }

    fn operator(&mut self, operator: Operator, range: Range<usize>) {
        self.drop_not();
        match self.group() {
            Some(group) if group.operator.is_none() && !group.runs.is_empty() => {
                group.operator = Some((operator, range))
            }
            // Nothing is on its left, or another operator, which stands.
            _ => self.note(NoteKind::OperatorDropped, range),
        }
    }

    fn not(&mut self, range: Range<usize>) {
        if let Some(group) = self.group() {
            let odd = group.not.take().is_some_and(|(odd, _)| odd);
            group.not = Some((!odd, range));
        }
    }

    /// What `NOT` stood before is not there.
    fn drop_not(&mut self) {
        if let Some((_, range)) = self.group().and_then(|group| group.not.take()) {
            self.note(NoteKind::OperatorDropped, range);
        }
    }

    fn push(&mut self, tree: Tree) {
        if let Some(group) = self.group() {
            group.push(tree);
        }
    }

    fn drop_term(&mut self, kind: NoteKind, range: Range<usize>) {
        self.note(kind, range);
        self.drop_not();
    }

    /// A closing bracket at `at`, which was passed.
    fn close(&mut self, at: usize) {
        if self.open.len() > 1 { self.close_group(at, at + 1) } else { self.note(NoteKind::BracketDropped, at..at + 1) }
    }

    /// Closes a bracket whose inside goes up to `to`.
    fn close_group(&mut self, to: usize, behind: usize) {
        let Some((tree, group)) = self.end_group(to) else { return };
        match tree {
            Some(tree) => self.push(if group.negated { not(tree) } else { tree }),
            None => self.drop_term(NoteKind::EmptyDropped, group.from..behind),
        }
    }

    fn end(&mut self) -> Option<Tree> {
        let end = self.scan.at();
        while self.open.len() > 1 {
            if let Some(from) = self.group().map(|group| group.from) {
                self.note(NoteKind::BracketClosed, from..end);
            }
            self.close_group(end, end);
        }
        self.end_group(end).and_then(|(tree, _)| tree)
    }

    /// Takes the innermost group, whose inside goes up to `to`, and the tree of its inside.
    fn end_group(&mut self, to: usize) -> Option<(Option<Tree>, Group)> {
        self.drop_not();
        if let Some((_, range)) = self.group().and_then(|group| group.operator.take()) {
            self.note(NoteKind::OperatorDropped, range);
        }
        let mut group = self.open.pop()?;
        group.close_runs();
        let (from, depth) = if self.open.is_empty() { (0, 0) } else { (group.from + 1, Group::depth(group.either)) };
        self.depth -= depth;
        if group.and && group.or {
            self.note(NoteKind::Precedence, self.scan.without_blanks(from..to));
        }
        Some((any(mem::take(&mut group.any)), group))
    }

    /// One term, or the beginning of a bracket.
    fn primary(&mut self) {
        let from = self.scan.at();
        let (mut key, mut either) = self.group().map_or((None, false), |group| (group.key, group.either));
        let (mut typed, mut negated) = (None, false);
        let mut dash_is_text = self.dash(&mut negated);
        if !dash_is_text {
            match self.scan.key() {
                Word::Plain => {}
                Word::Unknown(range) => self.note(NoteKind::KeyText, range),
                Word::Alone(range) => self.note(NoteKind::ColonText, range),
                Word::Key(known, name) => {
                    (key, either, typed) = (Some(known), true, Some(name));
                    dash_is_text = self.dash(&mut negated);
                }
            }
        }
        let at = self.scan.at();
        if !dash_is_text && self.scan.starts_with('(') && self.depth + Group::depth(either) <= MAX_DEPTH {
            self.depth += Group::depth(either);
            self.scan.skip(1);
            return self.open.push(Group::new(at, key, either, negated));
        }
        let phrase = if dash_is_text { None } else { self.scan.phrase() };
        let is_word = phrase.is_none();
        let text = match phrase {
            Some((text, closed)) => {
                if !closed {
                    self.note(NoteKind::QuoteClosed, at..self.scan.at());
                }
                Cow::Owned(text)
            }
            None => Cow::Borrowed(self.word(dash_is_text)),
        };
        let range = from..self.scan.at();
        if is_word && text == "*" {
            return self.drop_term(NoteKind::StarDropped, range);
        }
        if is_word && typed.is_none() && !negated && ["and", "or", "not"].contains(&&*text) {
            self.note(NoteKind::OperatorText, range.clone());
        }
        match self.leaf(key, typed, &text, range.clone()) {
            Some(leaf) => self.push(if negated { not(Tree::Leaf(leaf)) } else { Tree::Leaf(leaf) }),
            None => self.drop_term(NoteKind::EmptyDropped, range),
        }
    }

    /// Takes a dash that excludes what follows. Whether there is one that is text.
    fn dash(&mut self, negated: &mut bool) -> bool {
        let dash = self.scan.dash();
        *negated ^= dash == Dash::Excludes;
        dash == Dash::Text
    }

    fn word(&mut self, dash_is_text: bool) -> &'t str {
        let from = self.scan.at();
        let full = self.depth + self.open.last().map_or(1, |group| Group::depth(group.either)) > MAX_DEPTH;
        let (text, deep) = self.scan.word(full);
        let range = from..self.scan.at();
        if dash_is_text {
            self.note(NoteKind::DashText, range.clone());
        }
        if deep {
            self.note(NoteKind::DepthText, range);
        }
        text
    }

    /// `None` if there is nothing to look for.
    fn leaf(&mut self, key: Option<Key>, typed: Option<&str>, text: &str, range: Range<usize>) -> Option<Entry> {
        let within = match key {
            None => Within::All,
            Some(Key::System) => Within::System,
            Some(Key::Program) => Within::Program,
            Some(Key::Message) => Within::Message,
            Some(_) if text.is_empty() => return None,
            Some(key @ (Key::Severity | Key::Facility | Key::SourceIp)) => {
                let entry = match key {
                    Key::Severity => names::severity(text).map(Entry::Severity),
                    Key::Facility => names::facility(text).map(Entry::Facility),
                    _ => IpPrefix::new(text).map(Entry::SourceIp),
                };
                if entry.is_some() {
                    return entry;
                }
                self.note(NoteKind::ValueText, range);
                let whole = typed.map_or(Cow::Borrowed(text), |name| Cow::Owned(format!("{name}:{text}")));
                return Term::new(&whole, Within::All).map(Box::new).map(Entry::Term);
            }
        };
        Term::new(text, within).map(Box::new).map(Entry::Term)
    }
}
