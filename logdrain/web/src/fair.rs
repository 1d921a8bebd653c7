//! What all accounts share, and none of them can have alone.
//!
//! [`Places`] are for what is over soon: an account has all but some of them, and who wants more waits for its own. [`Seats`]
//! are for what goes on for as long as somebody wants, or comes as slowly as he sends: when there is none left, who has most
//! gives up his oldest one for an account that has less.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Places, or units of memory, of which one account has so many at most.
#[derive(Debug)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    of_one: usize,
    of: Mutex<HashMap<Arc<str>, Weak<Semaphore>>>,
}

/// Some of them, until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    all: OwnedSemaphorePermit,
    own: OwnedSemaphorePermit,
}

impl Places {
    pub(crate) fn new(all: usize, of_one: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), of_one, of: Mutex::default() }
    }

    /// Takes so many for an account; `None` when there are not so many for it in time.
    ///
    /// Those of one account wait among themselves at first, so that no more of them stand in front of others than it may have.
    pub(crate) async fn take(&self, account: &str, count: u32, patience: Duration) -> Option<Place> {
        let own = self.of(account);
        let both = async {
            let own = own.acquire_many_owned(count).await.ok()?;
            Some(Place { own, all: self.all.clone().acquire_many_owned(count).await.ok()? })
        };
        tokio::time::timeout(patience, both).await.ok()?
    }

    fn of(&self, account: &str) -> Arc<Semaphore> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = of.get(account).and_then(Weak::upgrade) {
            return own;
        }
        // Those that nobody uses are forgotten when the next one comes.
        of.retain(|_, own| own.strong_count() > 0);
        let own = Arc::new(Semaphore::new(self.of_one));
        of.insert(account.into(), Arc::downgrade(&own));
        own
    }
}

impl Place {
    /// Gives so many back.
    pub(crate) fn give_back(&mut self, count: usize) {
        drop((self.all.split(count), self.own.split(count)));
    }
}

/// Seats of which nobody is sure for as long as others have less.
#[derive(Debug)]
pub(crate) struct Seats {
    free: Arc<Semaphore>,
    of_one: usize,
    /// After so long one may have to go for anybody who has none.
    sure_for: Option<Duration>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    /// In the order in which they came.
    all: BTreeMap<u64, Sitting>,
}

#[derive(Debug)]
struct Sitting {
    account: Arc<str>,
    /// Who waits for one has none to give.
    may_go: bool,
    since: Instant,
    go: Arc<Notify>,
}

/// A seat, until this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    number: u64,
    go: Arc<Notify>,
    permit: Option<OwnedSemaphorePermit>,
}

/// How long somebody waits for who has to go.
const LEAVING: Duration = Duration::from_secs(1);

impl Seats {
    /// So many, of which one account has no more than it may.
    pub(crate) fn new(count: usize, of_one: usize, sure_for: Option<Duration>) -> Arc<Self> {
        Arc::new(Self { free: Arc::new(Semaphore::new(count)), of_one, sure_for, taken: Mutex::default() })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat for an account; `None` when all are taken, and nobody has more than it.
    pub(crate) async fn take(self: &Arc<Self>, account: &str) -> Option<Seat> {
        let mut seat = self.enter(account)?;
        if seat.permit.is_none() {
            let permit = tokio::time::timeout(LEAVING, self.free.clone().acquire_owned()).await.ok()?.ok()?;
            seat.permit = Some(permit);
            if let Some(sitting) = self.taken().all.get_mut(&seat.number) {
                (sitting.may_go, sitting.since) = (true, Instant::now());
            }
        }
        Some(seat)
    }

    /// Takes a free one, or has somebody go who has more.
    fn enter(self: &Arc<Self>, account: &str) -> Option<Seat> {
        let mut taken = self.taken();
        let of = |account: &str| taken.all.values().filter(|other| *other.account == *account).count();
        let own = of(account);
        if own >= self.of_one {
            return None;
        }
        let permit = self.free.clone().try_acquire_owned().ok();
        if permit.is_none() {
            let can_give = taken.all.iter().filter(|(_, other)| other.may_go && of(&other.account) > own + 1);
            // The oldest of who has most.
            let oldest = can_give.max_by_key(|(number, other)| (of(&other.account), std::cmp::Reverse(**number)));
            // A hundred accounts with one each have no more right to them for that.
            let is_late = |other: &Sitting| self.sure_for.is_some_and(|sure| other.since.elapsed() > sure);
            let late = || taken.all.iter().find(|(_, other)| own == 0 && other.may_go && is_late(other));
            let number = oldest.or_else(late).map(|(number, _)| *number)?;
            taken.all.remove(&number)?.go.notify_one();
        }
        let (number, go) = (taken.next, Arc::new(Notify::new()));
        taken.next += 1;
        let since = Instant::now();
        let sitting = Sitting { account: account.into(), may_go: permit.is_some(), since, go: go.clone() };
        taken.all.insert(number, sitting);
        drop(taken);
        Some(Seat { seats: self.clone(), number, go, permit })
    }
}

impl Seat {
    /// It is sure from now on.
    pub(crate) fn stays(&mut self) {
        if let Some(sitting) = self.seats.taken().all.get_mut(&self.number) {
            sitting.may_go = false;
        }
    }

    /// Comes back when somebody else has to have it. Whoever has it ends then.
    pub(crate) async fn has_to_go(&self) {
        self.go.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().all.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    fn run(work: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    }

    #[test]
    fn an_account_has_its_part_and_leaves_the_rest_to_others() {
        run(async {
            let places = Places::new(8, 6);
            let mut all = places.take("a", 4, SOON).await.unwrap();
            let more = places.take("a", 2, SOON).await.unwrap();
            assert!(places.take("a", 1, SOON).await.is_none());
            let other = places.take("b", 2, SOON).await.unwrap();
            assert!(places.take("b", 1, SOON).await.is_none(), "there is none");
            all.give_back(3);
            assert!(places.take("b", 3, SOON).await.is_some() && places.take("a", 3, SOON).await.is_some());
            drop((all, more, other));
            assert!(places.take("c", 6, SOON).await.is_some());
            assert_eq!(places.of.lock().unwrap().len(), 1, "who has gone is forgotten");
        });
    }

    #[test]
    fn who_waits_for_its_own_keeps_no_other_waiting() {
        run(async {
            let places = Arc::new(Places::new(2, 1));
            let first = places.take("a", 1, SOON).await.unwrap();
            let second = tokio::spawn({
                let places = places.clone();
                async move { places.take("a", 1, Duration::from_secs(60)).await }
            });
            tokio::task::yield_now().await;
            assert!(places.take("b", 1, SOON).await.is_some());
            drop(first);
            assert!(second.await.unwrap().is_some());
        });
    }

    #[test]
    fn who_has_most_gives_its_oldest_one_to_who_has_less() {
        run(async {
            let seats = Seats::new(4, 4, None);
            let mut of_a = Vec::new();
            for _ in 0..4 {
                of_a.push(seats.take("a").await.unwrap());
            }
            assert!(seats.take("a").await.is_none(), "it has all");
            for left in [3, 2] {
                let (oldest, come) = (of_a.remove(0), seats.take("b"));
                let leaves = async {
                    oldest.has_to_go().await;
                    drop(oldest);
                };
                let (come, ()) = tokio::join!(come, leaves);
                std::mem::forget(come.unwrap());
                assert_eq!(of_a.len(), left);
            }
            assert!(seats.take("b").await.is_none(), "both have two");
            // One that does not go in time is not waited for.
            assert!(seats.take("c").await.is_none());
            assert_eq!(seats.taken().all.len(), 3, "who waited in vain has gone");
            of_a.remove(0);
            assert!(seats.take("c").await.is_some());
        });
    }

    #[test]
    fn who_is_late_goes_for_anybody() {
        run(async {
            let seats = Seats::new(2, 2, Some(SOON));
            let (first, mut second) = (seats.take("a").await.unwrap(), seats.take("b").await.unwrap());
            assert!(seats.take("c").await.is_none(), "each has one, and not for long");
            second.stays();
            tokio::time::sleep(2 * SOON).await;
            let leaves = async {
                first.has_to_go().await;
                drop(first);
            };
            let (third, ()) = tokio::join!(seats.take("c"), leaves);
            assert!(third.is_some());
            tokio::time::sleep(2 * SOON).await;
            assert!(seats.take("c").await.is_none(), "who has one already waits for a free one");
        });
    }
}
