//! The thread that writes archives.

use super::board::Board;
use super::closing::Closing;
use super::hour::{self, Hour, Outcome};
use super::shelf::Shelf;
use super::sources::Sources;
use crate::journal::Progress;
use crate::logs;
use log_archive::Period;
use log_store::{AccountReport, DamageKind, EventId, Order, Page, Query, Reader, Scope};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Behind the end of an hour, before it is written. Nothing of it comes later by a clock that is believed; this is for a
/// clock that is set a little.
const DELAY: i64 = 120 * 1_000_000;
const LOOK_AROUND: Duration = Duration::from_millis(200);
/// Between two looks for something to write.
const EVERY: Duration = Duration::from_secs(2);
/// Between two looks for what is too old.
const LET_GO_EVERY: Duration = Duration::from_secs(60);
/// The pause behind a failure doubles up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// So often what cannot be read is tried before it is left out.
const TRIES: u32 = 10;
/// It is told again after so long.
const TOLD_EVERY: Duration = Duration::from_secs(300);

/// What it takes of the memory: a page of lines, what it was read from, the packer.
pub const MEMORY: usize = 8 << 20;

/// What it works with.
#[derive(Debug)]
pub struct Writer {
    pub board: Board,
    pub logs: logs::Board,
    pub progress: Arc<Progress>,
    pub stop: Arc<AtomicBool>,
    pub sources: Box<dyn Sources>,
    pub closing: Box<dyn Closing>,
}

/// What could not be read, and how often that was tried.
#[derive(Debug, Default)]
struct Unread {
    tries: BTreeMap<Box<str>, u32>,
}

impl Writer {
    /// Runs until it is told to stop; what it is at is not finished then.
    pub fn run(mut self) {
        be_humble();
        let mut unread = Unread::default();
        let (mut looked, mut let_go) = (None::<Instant>, None::<Instant>);
        let (mut trouble, mut is_known) = (Trouble::default(), false);
        while !self.stop.load(Ordering::Acquire) {
            thread::sleep(LOOK_AROUND);
            if !trouble.may_try() {
                continue;
            }
            if !is_known {
                match self.look_through() {
                    Ok(()) => is_known = true,
                    Err(error) => {
                        trouble.note(&self.board, &format!("archives cannot be looked through: {error}"));
                        continue;
                    }
                }
            }
            if let_go.is_none_or(|at| at.elapsed() > LET_GO_EVERY) {
                let_go = Some(Instant::now());
                if let Err(error) = self.expire() {
                    trouble.note(&self.board, &format!("archives that are too old cannot be let go: {error}"));
                }
            }
            if looked.is_some_and(|at| at.elapsed() < EVERY) {
                continue;
            }
            match self.pass(&mut unread) {
                // There may be more to do at once.
                Ok(true) => looked = None,
                Ok(false) => {
                    looked = Some(Instant::now());
                    trouble.over(&self.board);
                }
                Err(why) => trouble.note(&self.board, &why),
            }
        }
    }

    /// Sees which hours are done, and adds up what there is, account by account.
    fn look_through(&self) -> std::io::Result<()> {
        if !self.board.is_looked() {
            self.board.look()?;
        }
        for account in self.board.accounts() {
            if self.stop.load(Ordering::Acquire) {
                break;
            }
            self.board.add_up(&account)?;
        }
        Ok(())
    }

    /// Writes the next hour of each account that has one. Says whether it wrote any.
    fn pass(&mut self, unread: &mut Unread) -> Result<bool, String> {
        let Some(reader) = self.logs.reader() else { return Ok(false) };
        // What a clock says that is in doubt is nothing to end an hour by.
        let Some(now) = self.progress.time.believed().filter(|_| !self.progress.time.is_in_doubt()) else {
            return Ok(false);
        };
        let over = Period::hour_of(now.saturating_sub(DELAY)).start();
        let accounts = reader.accounts().map_err(|error| error.to_string())?;
        let shelf = self.board.shelf().map_err(|error| error.to_string())?;
        let mut due = Vec::new();
        let mut waiting = BTreeMap::new();
        for account in &accounts {
            let Some(kept_for) = self.sources.kept_for(account.name()) else { continue };
            let from = self.from(account.name(), now, kept_for);
            waiting.insert(account.name().into(), EventId::at(from));
            if let Some(hour) = next(&reader, account, from, (&mut *unread, &*shelf))?.filter(|hour| hour.end() <= over)
            {
                due.push((account.name(), hour));
            }
        }
        self.board.wait_from(waiting);
        let Some(end) = due.iter().map(|(_, hour)| hour.end()).max() else { return Ok(false) };
        // With a line behind all hours that are over, none of them gets any: then one wait is for all. Without one, ids go no
        // further than they must.
        let is_behind = |account: &AccountReport| account.newest().is_some_and(|newest| newest >= EventId::at(over));
        let end = if accounts.iter().any(is_behind) { over } else { end };
        // All lines below are in what is kept, and none can come any more.
        let head = self.closing.close(EventId::at(end))?;
        if head.is_none_or(|head| self.logs.shown().position < head) {
            return Ok(false);
        }
        // What one account's cannot be written for holds up nobody else's.
        let mut failed = None;
        for (account, hour) in due {
            if self.stop.load(Ordering::Acquire) {
                break;
            }
            if let Err(why) = self.write(&reader, account, hour, unread) {
                failed.get_or_insert(why);
            }
        }
        failed.map_or(Ok(true), Err)
    }

    /// The time from which on an account's lines are to be archived: what is older was, or would be let go at once.
    fn from(&self, account: &str, now: i64, kept_for: Duration) -> i64 {
        let age = i64::try_from(kept_for.as_micros()).unwrap_or(i64::MAX);
        let oldest = match self.progress.time.may_delete() {
            true => Period::hour_of(now.saturating_sub(age)).start(),
            false => 0,
        };
        self.board.held(account).done.max(oldest)
    }

    fn write(&self, reader: &Reader, account: &str, hour: Period, unread: &mut Unread) -> Result<(), String> {
        let asked = Hour {
            reader,
            account,
            hour,
            system: &|account, system| self.sources.system(account, system),
            counted: self.sources.counted(account, hour.start()),
            damaged_files: self.logs.shown().damaged_files,
            waits: unread.waits(account),
            go_on: &mut || !self.stop.load(Ordering::Acquire),
        };
        let turn = self.board.turn();
        let outcome = self.board.shelf().and_then(|shelf| hour::write(&*shelf, asked));
        drop(turn);
        match outcome.map_err(|error| format!("the archive {hour} of {account} cannot be written: {error}"))? {
            Outcome::Written { archive, lines, missing } => {
                unread.over(account);
                self.board.wrote(account, archive, lines);
                let bytes = archive.bytes;
                match missing {
                    None => tracing::info!(account, %hour, lines, bytes, "an hour was archived"),
                    Some(missing) => tracing::warn!(
                        account, %hour, lines, bytes, missing, "an hour was archived without all its lines: see its books"
                    ),
                }
            }
            Outcome::Empty | Outcome::Stopped => {}
            Outcome::Unread(why) => {
                unread.note(account);
                return Err(format!("the archive {hour} of {account} waits for lines that cannot be read: {why}"));
            }
        }
        Ok(())
    }

    /// Lets go what is kept no longer, on a clock that may be trusted with it.
    fn expire(&self) -> std::io::Result<()> {
        let time = &self.progress.time;
        let Some(now) = time.believed().filter(|_| time.may_delete() && !time.is_in_doubt()) else { return Ok(()) };
        let mut failed = None;
        for account in self.board.accounts() {
            // Without a word for how long, they are there as long as there is room.
            let Some(kept_for) = self.sources.kept_for(&account) else { continue };
            if now < self.sources.goes_from(&account) {
                continue;
            }
            let before = now.saturating_sub(i64::try_from(kept_for.as_micros()).unwrap_or(i64::MAX));
            let gone = self.board.expire(&account, before).unwrap_or_else(|error| {
                failed.get_or_insert(error);
                0
            });
            if gone > 0 {
                tracing::info!(
                    account = &*account,
                    archives = gone,
                    "archives were let go: they are as old as they may get"
                );
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// The hour of the first line of an account from a time on.
fn next(
    reader: &Reader,
    account: &AccountReport,
    from: i64,
    (unread, shelf): (&mut Unread, &dyn Shelf),
) -> Result<Option<Period>, String> {
    if account.newest().is_none_or(|newest| newest < EventId::at(from)) {
        return Ok(None);
    }
    let mut page = Page::new().with_order(Order::Oldest).with_limit(1);
    if let Some(before) = EventId::at(from).get().checked_sub(1) {
        page = page.with_after(EventId::new(before));
    }
    let found =
        reader.view(&Scope::account(account.name()).with_hidden()).search(&Query::default(), &page, &mut || true);
    let mut unreadable = found.examined().damage().iter().filter(|damage| matches!(damage.kind(), DamageKind::Read(_)));
    if let Some(damage) = unreadable.find(|damage| unread.waits(account.name()) || shelf.passes(damage)) {
        unread.note(account.name());
        return Err(format!("archives of {} wait for lines that cannot be read: {damage}", account.name()));
    }
    Ok(found.events().first().map(|event| Period::hour_of(event.id().unix_micros())))
}

impl Unread {
    fn waits(&self, account: &str) -> bool {
        self.tries.get(account).is_none_or(|tries| *tries < TRIES)
    }

    fn note(&mut self, account: &str) {
        *self.tries.entry(account.into()).or_default() += 1;
    }

    fn over(&mut self, account: &str) {
        self.tries.remove(account);
    }
}

/// Something fails, and is tried again after a pause that grows.
#[derive(Debug, Default)]
struct Trouble {
    failed: u32,
    tried: Option<Instant>,
    told: Option<Instant>,
}

impl Trouble {
    fn note(&mut self, board: &Board, why: &str) {
        self.failed = self.failed.saturating_add(1);
        self.tried = Some(Instant::now());
        if self.told.is_none_or(|told| told.elapsed() > TOLD_EVERY) {
            self.told = Some(Instant::now());
            tracing::error!(%why, "archives are not written: what is kept waits for them, and it is tried again");
        }
        board.show(|shown| shown.trouble = Some(why.to_owned()));
    }

    fn over(&mut self, board: &Board) {
        if self.failed > 0 {
            *self = Self::default();
            tracing::info!("archives can be written again");
            board.show(|shown| shown.trouble = None);
        }
    }

    fn may_try(&self) -> bool {
        let pause = Duration::from_secs(1).saturating_mul(1 << self.failed.min(6)).min(LONGEST_PAUSE);
        self.tried.is_none_or(|tried| tried.elapsed() >= pause)
    }
}

/// Deliveries, rows and searches go first. On Linux this is of the thread alone.
fn be_humble() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 10) {
        tracing::warn!(%error, "archives are written with the priority of all else");
    }
}
