//! The thread that keeps lines: reads the journal in order, appends, publishes, seals, and says what the journal may give
//! back.

use super::alerting;
use super::board::{Board, Books, Gone, Shown};
use super::filters::Rulebook;
use super::keeper::{Copies, Keeper, Keeping};
use super::lines::{Lines, What};
use super::place::Place;
use super::retention;
use super::senders::{Sender, Senders};
use super::state::State;
use super::tally::Tallies;
use super::trouble::Troubles;
use crate::drain_name::DEFAULT_ACCOUNT;
use crate::event::{Entry, Event, Record};
use crate::fail_point;
use crate::journal::{Events, Progress, Step, StoreError};
use crate::settings::Settings;
use crate::settings::change::Change;
use crate::watching::{LineRules, Owed};
use log_store::EventId;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

const LOOK_AROUND: Duration = Duration::from_millis(200);
/// Between two looks after the store while much is read.
const TURN: Duration = Duration::from_millis(100);
/// Between two looks for what is too old.
const LET_GO_EVERY: Duration = Duration::from_secs(5);
/// Between two states that are written though nothing was sealed.
const STATE_EVERY: Duration = Duration::from_secs(30);
/// Where it stands is written in one part of so many of the thread's time, however slow the disk is.
const STATE_SHARE: u32 = 5;
/// Between two looks that are put up.
const SHOWN_EVERY: Duration = Duration::from_millis(500);
/// What is read on when the program is to end.
const READ_AT_THE_END: Duration = Duration::from_secs(3);
/// Systems that are told between two looks.
const HEARD: usize = 10_000;
/// Damaged deliveries that are told one by one.
const NAMED: u64 = 20;

#[derive(Debug)]
pub struct Consumer {
    pub(super) place: Place,
    pub(super) keeping: Keeping,
    /// Given to the keeper when it is opened.
    pub(super) copies: Arc<dyn Copies>,
    /// `None` while its disk does not let it be opened.
    pub(super) keeper: Option<Keeper>,
    /// Where it stands, as long as there is no keeper that knows better.
    pub(super) start: State,
    pub(super) entries: Receiver<Arc<Vec<Entry>>>,
    pub(super) reader: Box<dyn Events>,
    pub(super) progress: Arc<Progress>,
    pub(super) board: Board,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) senders: Senders,
    /// The last event of the journal that is in.
    pub(super) position: u64,
    /// How many events of the delivery behind it are in.
    pub(super) part: u64,
    /// What the state that was written last says.
    pub(super) written: (u64, Gone),
    pub(super) times: Times,
    pub(super) troubles: Troubles,
    pub(super) rulebook: Rulebook,
    /// The rules of alerts on lines.
    pub(super) alerts: LineRules,
    pub(super) program: Vec<u8>,
    /// For the filters, used again for each line.
    pub(super) joined: Vec<u8>,
    /// The last event of each system that nobody was told of.
    pub(super) heard: HashMap<(Arc<str>, Arc<str>), u64>,
    pub(super) asked: Option<Instant>,
}

/// What it begins with.
#[derive(Debug)]
pub struct Start {
    /// Where the lines lie.
    pub place: Place,
    pub keeping: Keeping,
    /// Who makes copies of the lines.
    pub copies: Arc<dyn Copies>,
    /// What rules on lines tell.
    pub owed: Owed,
    /// Those that hold where nothing else is known.
    pub settings: Settings,
    pub reader: Box<dyn Events>,
    pub entries: Receiver<Arc<Vec<Entry>>>,
}

/// When things were done last.
#[derive(Debug)]
pub(super) struct Times {
    looked: Instant,
    let_go: Option<Instant>,
    written: Instant,
    /// How long the state is good enough from then on, and how long it took to be written.
    wait: Duration,
    took: Duration,
    shown: Option<Instant>,
}

impl Times {
    fn new() -> Self {
        let (now, took) = (Instant::now(), Duration::ZERO);
        Self { looked: now, let_go: None, written: now, wait: STATE_EVERY, took, shown: None }
    }
}

impl Consumer {
    /// Opens the store beside a journal.
    pub fn new(start: Start, progress: Arc<Progress>, board: Board, stop: Arc<AtomicBool>) -> Self {
        let Start { place, keeping, copies, owed, settings, reader, entries } = start;
        let head = progress.head.load(Ordering::Acquire);
        let none = State {
            position: 0,
            settings,
            books: Books::default(),
            gone: Gone::default(),
            tallies: Tallies::default(),
        };
        let start = place.state(head).unwrap_or(none);
        progress.kept_behind.store(start.position, Ordering::Release);
        let alerts = LineRules::open(place.dir(), owed, (start.position, &start.settings), head);
        let mut consumer = Self {
            place,
            keeping,
            copies,
            keeper: None,
            entries,
            reader,
            progress,
            board,
            stop,
            senders: Senders::new(Arc::new(start.settings.clone())),
            position: start.position,
            part: 0,
            written: (start.position, start.gone),
            start,
            times: Times::new(),
            troubles: Troubles::none(),
            rulebook: Rulebook::default(),
            alerts,
            program: Vec::new(),
            joined: Vec::new(),
            heard: HashMap::new(),
            asked: None,
        };
        consumer.name_accounts();
        consumer.open();
        consumer
    }

    /// Opens the store, if it is not open. Ids go on above all that is in it.
    fn open(&mut self) {
        if self.keeper.is_some() || !self.troubles.disk.may_try() {
            return;
        }
        match Keeper::open(&self.place, self.keeping.clone(), self.start.clone()) {
            Ok(keeper) => self.use_keeper(keeper),
            Err(error) => self.troubles.disk.note(error.to_string()),
        }
    }

    pub(super) fn use_keeper(&mut self, mut keeper: Keeper) {
        keeper.set_copies(self.copies.clone());
        keeper.set_share(share(self.senders.settings()));
        // Before anybody reads.
        if let Some(now) = self.progress.time.believed() {
            keeper.hide(now, self.senders.settings());
        }
        self.progress.taken_id.fetch_max(keeper.last_id(), Ordering::AcqRel);
        self.board.open(keeper.reader());
        self.keeper = Some(keeper);
        self.troubles.disk.over();
    }

    /// Runs until the writer has gone, and leaves everything in files.
    pub fn run(mut self) {
        loop {
            match self.entries.recv_timeout(LOOK_AROUND) {
                Ok(entries) => {
                    if let Some(first) = entries.first() {
                        self.read_up_to(first.seq - 1);
                    }
                    for entry in entries.iter() {
                        // What has to wait is read from the disk later.
                        if !self.take(entry) {
                            break;
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.read_up_to(self.progress.head.load(Ordering::Acquire)),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.look_after();
        }
        self.read_up_to(self.progress.head.load(Ordering::Acquire));
        self.end();
    }

    /// Everything goes into files, so that the next start has nothing to read again.
    fn end(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            loop {
                match keeper.seal(None, true) {
                    Ok(true) => fail_point("segment"),
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(%error, "lines are left in the journal: the next start reads them again");
                        break;
                    }
                }
            }
        }
        self.write_state();
        self.show();
    }

    fn read_up_to(&mut self, last: u64) {
        while self.position < last {
            if self.stop.load(Ordering::Acquire)
                && self.asked.get_or_insert_with(Instant::now).elapsed() > READ_AT_THE_END
            {
                return;
            }
            let seq = self.position + 1;
            match self.reader.read(seq) {
                Ok(Step::Event(entry)) => {
                    self.troubles.reading.over();
                    if !self.take(&entry) {
                        return;
                    }
                }
                Ok(Step::Damaged { seq, why }) => self.pass_over(seq, &why),
                Ok(Step::Missing) => match self.reader.next_after(seq) {
                    // Given back long ago, before lines were kept; or lost, and counting has said so.
                    Ok(next) => {
                        self.position = next.map_or(last, |next| next - 1).min(last).max(seq);
                        self.alerts.pass(self.position, true);
                    }
                    Err(error) => return self.unread(&error),
                },
                Err(error) => return self.unread(&error),
            }
            if self.times.looked.elapsed() > TURN {
                self.look_after();
            }
        }
    }

    /// The journal cannot be read now. When it is damaged, whoever counts ends the program.
    fn unread(&mut self, error: &StoreError) {
        self.troubles.reading.note(error.to_string());
    }

    fn pass_over(&mut self, seq: u64, why: &str) {
        (self.position, self.part) = (seq, 0);
        self.alerts.pass(seq, true);
        let Some(keeper) = &mut self.keeper else { return };
        keeper.books().damaged_deliveries += 1;
        if keeper.books().damaged_deliveries <= NAMED {
            tracing::error!(seq, why, "the lines of an event of the journal are lost: it is damaged");
        }
    }

    /// Takes an event in, once. `false` when it has to wait.
    fn take(&mut self, entry: &Entry) -> bool {
        if entry.seq <= self.position {
            return true;
        }
        if entry.seq > self.position + 1 || self.alerts.must_wait() {
            return false;
        }
        let removal = match &entry.event {
            Event::Change { change, .. } => change.removal(),
            _ => None,
        };
        if let Some((account, purge)) = &removal
            && !self.purge(entry.seq, account, purge)
        {
            return false;
        }
        match &entry.event {
            Event::Delivery(record) if record.run.is_given() && !self.deliver(entry.seq, record) => return false,
            Event::Settings(settings) => self.follow(|known| known.configure(settings)),
            Event::Change { change, id } if !matches!(**change, Change::Purge { .. }) => self.follow(|known| {
                // Whoever counts says so when it does not fit what is left of the journal.
                let _ = known.replay(change, *id);
            }),
            _ => {}
        }
        (self.position, self.part) = (entry.seq, 0);
        self.ask_rules(entry);
        if removal.is_some() {
            self.write_state_now();
        }
        true
    }

    /// What is no line of a delivery, for the rules of alerts.
    fn ask_rules(&mut self, entry: &Entry) {
        let seq = entry.seq;
        match &entry.event {
            Event::Delivery(record) if record.run.is_given() => self.alerts.delivered(seq, record.run.last()),
            Event::Tick(time) => {
                let reader = self.keeper.as_ref().map(Keeper::reader);
                self.alerts.tick(seq, *time, |asked| {
                    reader.as_ref().map(|reader| alerting::lines(reader, asked)).unwrap_or_default()
                });
            }
            Event::NotTaken { from, until } => self.alerts.not_taken(seq, *from, *until),
            Event::Settings(_) => self.alerts.configure(seq, self.senders.settings()),
            Event::Change { change, .. } => self.alerts.follow(seq, change, self.senders.settings()),
            _ => self.alerts.pass(seq, false),
        }
    }

    /// Goes by other settings from here on.
    fn follow(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut next = Settings::clone(self.senders.settings());
        change(&mut next);
        if let Some(keeper) = &mut self.keeper {
            keeper.set_share(share(&next));
        }
        self.senders.follow(Arc::new(next));
        self.name_accounts();
    }

    /// `false` when its disk does not take it, and nothing else is in danger for that.
    fn deliver(&mut self, seq: u64, record: &Record) -> bool {
        self.open();
        // With a journal that is full it is lines or numbers.
        let must_go_on = self.progress.full.load(Ordering::Acquire);
        let mut is_stuck = self.troubles.is_blocked && !self.troubles.disk.may_try();
        let Some(keeper) = &mut self.keeper else {
            if must_go_on {
                self.start.books.events += record.run.events;
                self.start.books.no_room += record.run.events;
                self.alerts.pass(seq, true);
                self.progress.kept_behind.store(seq, Ordering::Release);
            }
            return must_go_on;
        };
        if is_stuck && !must_go_on {
            return false;
        }
        let sender = self.senders.of(&record.drain);
        let rules = self.rulebook.of(self.senders.settings(), &sender.account);
        // Of plain syslog, whoever was named last: mostly it is the next one's, too.
        let mut named: Option<(Sender, EventId)> = None;
        let mut alerts = self.alerts.of(seq, &sender.account);
        let mut lines = Lines::of(record);
        lines.skip(self.part);
        while let Some(line) = lines.next(&mut self.program) {
            if line.what == What::Purged {
                keeper.pass_purged();
                self.part += 1;
                continue;
            }
            let sender = match line.host {
                None => &sender,
                Some(host) => {
                    if named.as_ref().is_none_or(|(named, _)| !named.is_named(host)) {
                        let other = sender.of_line(host, record.peer, self.senders.settings());
                        let before = named.replace((other, line.id));
                        before.into_iter().for_each(|(named, id)| hear(&mut self.heard, &named, id));
                    }
                    let of_line = named.as_mut().map(|(named, id)| {
                        *id = line.id;
                        &*named
                    });
                    of_line.unwrap_or(&sender)
                }
            };
            let from = (&*self.program, record.peer);
            let mut passed = keeper.take((sender, &rules), from, &line, &mut self.joined, is_stuck);
            if let Err(error) = &passed {
                self.troubles.disk.note(error.to_string());
                self.troubles.is_blocked = true;
                is_stuck = true;
                if !must_go_on {
                    return false;
                }
                // It is in the books, but nowhere else: that cannot fail.
                passed = keeper.take((sender, &rules), from, &line, &mut self.joined, is_stuck);
            }
            if let (Some(alerts), Ok(true)) = (&mut alerts, passed) {
                alerting::ask(alerts, (sender, &self.program), record, &line);
            }
            self.part += 1;
        }
        match named {
            Some((named, id)) => hear(&mut self.heard, &named, id),
            None if record.run.events > 0 => hear(&mut self.heard, &sender, EventId::new(record.run.last())),
            None => {}
        }
        if record.run.events > 0 {
            keeper.mark(seq, record.run.last(), record.body.bytes().len() as u64, self.senders.settings());
        }
        if is_stuck {
            // Nothing of what waits in memory holds the journal any more.
            keeper.give_up();
            self.progress.kept_behind.store(seq, Ordering::Release);
        } else {
            self.troubles.is_blocked = false;
        }
        true
    }

    /// Seals, lets go, writes where it stands, puts up what there is to see: each when it is due.
    fn look_after(&mut self) {
        self.times.looked = Instant::now();
        self.alerts.keep();
        self.open();
        if let (Some(keeper), Some(now)) = (&mut self.keeper, self.progress.time.believed()) {
            keeper.hide(now, self.senders.settings());
        }
        if self.troubles.disk.may_try() {
            self.seal();
        }
        if self.times.let_go.is_none_or(|at| at.elapsed() > LET_GO_EVERY) {
            self.times.let_go = Some(Instant::now());
            let settings = self.senders.settings().clone();
            let now = self.progress.time.may_delete().then(|| self.progress.time.believed()).flatten();
            if self.keeper.as_mut().is_some_and(|keeper| keeper.let_go(now, &settings)) {
                self.write_state();
            }
            if let (Some(keeper), Some(now)) = (&mut self.keeper, self.progress.time.believed())
                && let Err(error) = keeper.merge(now)
            {
                self.troubles.disk.note(error.to_string());
            }
        }
        if self.times.written.elapsed() >= self.times.wait {
            self.write_state();
        }
        if self.times.shown.is_none_or(|at| at.elapsed() > SHOWN_EVERY) {
            self.show();
        }
    }

    fn seal(&mut self) {
        let is_full = self.progress.full.load(Ordering::Acquire);
        let now = self.progress.time.believed();
        let Some(keeper) = &mut self.keeper else { return };
        // A disk that failed is tried with what there is.
        let all = is_full || self.troubles.disk.why.is_some();
        match keeper.seal(now, all) {
            Ok(false) => self.troubles.disk.over(),
            Ok(true) => {
                fail_point("segment");
                self.times.let_go = None;
                self.times.wait = self.times.took * (STATE_SHARE - 1);
            }
            Err(error) => return self.troubles.disk.note(error.to_string()),
        }
        // A journal that is full waits for the state, also when there is nothing left to seal.
        if is_full {
            self.write_state();
        }
    }

    /// Says where a start may begin, and then lets the journal give back what is before that.
    fn write_state(&mut self) {
        // What is counted of a delivery that is in by half belongs to no position.
        let position = if self.part == 0 { self.position } else { 0 };
        let settings = self.senders.settings().clone();
        // Rules are never behind the lines: what a start reads again, they have seen.
        let Some(keeper) = &mut self.keeper else { return };
        (self.times.written, self.times.wait) = (Instant::now(), STATE_EVERY);
        if let Err(why) = self.alerts.write() {
            return self.troubles.state.note(why);
        }
        let state = keeper.safe(position, &settings);
        if (state.position, state.gone) == self.written {
            return;
        }
        match self.place.set_state(state) {
            Ok(()) => {
                fail_point("state");
                self.written = (state.position, state.gone);
                self.troubles.state.over();
                self.times.took = self.times.written.elapsed();
                self.progress.kept_behind.fetch_max(state.position, Ordering::AcqRel);
            }
            Err(error) => self.troubles.state.note(error.to_string()),
        }
    }

    /// Whether the disk may be tried now.
    pub(super) fn may_purge(&mut self) -> bool {
        self.open();
        self.keeper.is_some() && self.troubles.disk.may_try()
    }

    pub(super) fn note_disk(&mut self, why: String) {
        self.troubles.disk.note(why);
    }

    /// Writes where it stands; says whether the disk has it.
    pub(super) fn write_state_now(&mut self) -> bool {
        self.write_state();
        self.troubles.state.why.is_none()
    }

    fn show(&mut self) {
        self.times.shown = Some(Instant::now());
        let shown = match &self.keeper {
            Some(keeper) => keeper.shown(self.position),
            None => {
                Shown { books: self.start.books, gone: self.start.gone, position: self.position, ..Shown::default() }
            }
        };
        self.board.show(Shown { trouble: self.troubles.why(), ..shown });
        let tallies = self.keeper.as_ref().map_or(&self.start.tallies, |keeper| keeper.tallies());
        self.board.count(tallies.clone(), self.senders.settings().clone());
        if !self.heard.is_empty() {
            self.board.hear(self.heard.drain());
        }
    }

    fn name_accounts(&self) {
        let settings = self.senders.settings();
        let named = settings.drains.values().filter_map(|drain| drain.account.clone());
        let made = settings.accounts.keys().cloned();
        self.board.name(named.chain(made).chain([DEFAULT_ACCOUNT.to_owned()]).collect());
    }
}

/// What each account may keep when others need room.
fn share(settings: &Settings) -> Box<dyn Fn(&str) -> u64 + Send> {
    let shares =
        settings.accounts.iter().map(|(name, account)| (name.clone(), retention::share(account.plan.as_ref())));
    let shares: HashMap<String, u64> = shares.filter(|&(_, share)| share > 0).collect();
    Box::new(move |account| shares.get(account).copied().unwrap_or(0))
}

/// Something came from a system, and is to be told when somebody asks.
fn hear(heard: &mut HashMap<(Arc<str>, Arc<str>), u64>, sender: &Sender, id: EventId) {
    if sender.is_taken && heard.len() < HEARD {
        heard.insert((sender.account.clone(), sender.system.clone()), id.get());
    }
}
