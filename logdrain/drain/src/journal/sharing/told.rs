//! What the writers of a node tell of themselves: to the other nodes, and to who looks at this one.

use crate::clock::steady;
use crate::journal::Progress;
use crate::journal::spool::Stand;
use heroku_metrics::model::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was promised of a clock that was further ahead, in microseconds, is of another time.
const ANOTHER_TIME: i64 = 5_000_000;

/// What the writer of one partition tells.
#[derive(Clone, Debug)]
pub struct Told {
    all: Arc<All>,
    /// Which of them it is.
    at: usize,
    own: Arc<Own>,
}

/// Those of all partitions, put together.
#[derive(Debug)]
struct All {
    progress: Arc<Progress>,
    has_spool: bool,
    stands: Mutex<Stands>,
}

#[derive(Debug)]
struct Stands {
    parts: Vec<Option<Stand>>,
    /// The database does not say who owns what.
    is_cut_off: bool,
}

#[derive(Debug, Default)]
struct Own {
    /// The database did not take what came last.
    is_failing: AtomicBool,
    /// How often what stands beside the events was written, as far as somebody has looked.
    version: AtomicI64,
    lacks: Mutex<Lacks>,
}

/// What of a partition's deliveries the journal lacks, by the writer's clock, in microseconds.
#[derive(Debug, Default)]
struct Lacks {
    /// How far that clock is ahead of the steady one; `None` before its first word.
    ahead: Option<i64>,
    /// When the oldest came that is on its way or waits.
    oldest: Option<i64>,
    /// What came before this is in the journal: others were told so, and it stays true.
    promised: i64,
}

impl Told {
    /// Of so many partitions, where there is a spool or not.
    pub fn all(progress: &Arc<Progress>, count: usize, has_spool: bool) -> Vec<Self> {
        let stands = Mutex::new(Stands { parts: vec![None; count], is_cut_off: false });
        let all = Arc::new(All { progress: progress.clone(), has_spool, stands });
        (0..count).map(|at| Self { all: all.clone(), at, own: Arc::default() }).collect()
    }

    /// Whether the database does not take what comes, as far as is known.
    pub fn is_failing(&self) -> bool {
        self.own.is_failing.load(Ordering::Acquire)
    }

    /// What came to this node before this time, in microseconds, is in the journal, and whatever it brings later came then or
    /// behind it; `None` before the writer's first word.
    pub fn safe(&self) -> Option<i64> {
        let mut lacks = self.lacks();
        let now = steady().saturating_add(lacks.ahead?);
        let safe = lacks.oldest.unwrap_or(now);
        lacks.promised = lacks.promised.max(safe);
        if lacks.promised.saturating_sub(safe) > ANOTHER_TIME {
            lacks.promised = safe;
        }
        Some(safe)
    }

    /// What stands beside the events was written so often: what other nodes have changed is read again then.
    pub fn see(&self, version: i64) {
        self.own.version.store(version, Ordering::Release);
    }

    pub(super) fn version(&self) -> i64 {
        self.own.version.load(Ordering::Acquire)
    }

    /// Gives deliveries the time at which they came, when this is the writer's: it is none that was promised to be past.
    pub(super) fn stamp(&self, now: Timestamp) -> Timestamp {
        let mut lacks = self.lacks();
        let now = now.unix_micros();
        let ahead = lacks.promised.saturating_sub(now);
        let time = if ahead <= ANOTHER_TIME { now.max(lacks.promised) } else { now };
        lacks.oldest = Some(lacks.oldest.map_or(time, |oldest| oldest.min(time)));
        Timestamp::from_unix_micros(time)
    }

    /// The oldest of those that the journal lacks now, when this is the writer's time.
    pub(super) fn lack(&self, oldest: Option<Timestamp>, now: Timestamp) {
        let mut lacks = self.lacks();
        lacks.ahead = Some(now.unix_micros().saturating_sub(steady()));
        lacks.oldest = oldest.map(Timestamp::unix_micros);
    }

    /// Whether the database does not take what comes.
    pub(super) fn fails(&self, is_failing: bool) {
        self.own.is_failing.store(is_failing, Ordering::Release);
    }

    /// How it stands with what is put aside.
    pub(super) fn tell(&self, stand: &Stand) {
        self.all.change(stand.lost, |stands| {
            if let Some(own) = stands.parts.get_mut(self.at) {
                *own = Some(*stand);
            }
        });
    }

    /// Whether this node has heard of the others, and they of it: told by who looks at them.
    pub fn cut_off(&self, is_cut_off: bool) {
        self.all.change(0, |stands| stands.is_cut_off = is_cut_off);
    }

    /// Whether this node has heard of nobody yet, and goes by what it knew before: the database is not asked for anything then,
    /// since nobody knows whether it is the right one.
    pub(super) fn remembers(&self) -> bool {
        self.all.progress.nodes.remembers.load(Ordering::Acquire)
    }

    /// The journal had no place for so many that had waited.
    pub(super) fn refused(&self, deliveries: u64) {
        self.all.progress.spooled.refused.fetch_add(deliveries, Ordering::AcqRel);
    }

    fn lacks(&self) -> MutexGuard<'_, Lacks> {
        self.own.lacks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    fn change(&self, lost: u64, change: impl FnOnce(&mut Stands)) {
        let mut stands = self.stands.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut stands);
        let Stands { parts, is_cut_off } = &*stands;
        let told = || parts.iter().flatten();
        // As long as one has room, some drains are taken.
        let is_full = told().all(|stand| stand.is_full);
        let all = Stand {
            deliveries: told().map(|stand| stand.deliveries).sum(),
            bytes: told().map(|stand| stand.bytes).sum(),
            oldest: told().filter_map(|stand| stand.oldest).min(),
            is_full,
            is_away: *is_cut_off || told().any(|stand| stand.is_away),
            lost,
        };
        if self.has_spool {
            self.progress.spooled.tell(&all);
        }
        let is_taken = |stand: &Stand| !stand.is_full || !(*is_cut_off || stand.is_away);
        let is_storing = if self.has_spool { told().any(is_taken) } else { told().all(is_taken) };
        self.progress.storing.store(is_storing, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_promised_to_be_past_stays_past() {
        let told = Told::all(&Arc::default(), 1, true).remove(0);
        assert_eq!(told.safe(), None);
        let now = |seconds: i64| Timestamp::from_unix_micros(steady() + 1_000_000_000 + seconds * 1_000_000);
        told.lack(None, now(0));
        let safe = told.safe().unwrap();
        // Its clock is put right by a second, back; what comes then is not behind what was promised.
        assert_eq!(told.stamp(now(-1)).unix_micros(), safe);
        let waits = told.safe().unwrap();
        assert_eq!(waits, safe, "it is on its way, and time stands still");
        told.lack(Some(Timestamp::from_unix_micros(safe)), now(30));
        assert_eq!((told.stamp(now(30)) > now(29), told.safe()), (true, Some(safe)));
        told.lack(None, now(40));
        assert!(told.safe().unwrap() > safe);
        // The clock of an hour ahead was wrong.
        told.lack(None, now(3_600));
        assert!(told.safe().is_some());
        assert!(told.stamp(now(50)) < now(60));
    }

    #[test]
    fn partitions_are_told_together() {
        let progress = Arc::<Progress>::default();
        let all = Told::all(&progress, 2, true);
        let stand = |deliveries, oldest: i64, is_full| Stand {
            deliveries,
            bytes: 10 * deliveries,
            oldest: Some(Timestamp::from_unix_micros(oldest)),
            is_full,
            is_away: true,
            lost: 1,
        };
        all[0].tell(&stand(2, 7, false));
        all[1].tell(&stand(3, 5, true));
        let spooled = &progress.spooled;
        let of = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::SeqCst);
        assert_eq!((of(&spooled.deliveries), of(&spooled.bytes), of(&spooled.lost)), (5, 50, 2));
        assert_eq!(spooled.oldest.load(Ordering::SeqCst), 5);
        let has_room = || !spooled.is_full.load(Ordering::SeqCst) && progress.storing.load(Ordering::SeqCst);
        assert!(has_room());
        all[0].tell(&stand(2, 7, true));
        assert!(spooled.is_full.load(Ordering::SeqCst) && !progress.storing.load(Ordering::SeqCst));
        let fine = Stand { deliveries: 0, bytes: 0, oldest: None, is_full: false, is_away: false, lost: 0 };
        all[1].tell(&fine);
        assert!(spooled.is_away.load(Ordering::SeqCst) && progress.storing.load(Ordering::SeqCst));
        all[0].tell(&fine);
        for is_cut_off in [true, false] {
            all[1].cut_off(is_cut_off);
            assert_eq!(spooled.is_away.load(Ordering::SeqCst), is_cut_off);
            assert!(progress.storing.load(Ordering::SeqCst));
        }
        let none = Told::all(&progress, 1, false);
        none[0].tell(&Stand { is_full: true, ..fine });
        assert!(progress.storing.load(Ordering::SeqCst));
        none[0].cut_off(true);
        assert!(!progress.storing.load(Ordering::SeqCst));
    }
}
