//! Who is home of each partition: the node that owns it, and answers what is asked about the accounts in it.
//!
//! Who looks at the other nodes tells it here; who answers requests looks here. What it says may be some moments old: the one
//! who is asked knows by himself whether he is it.

use crate::parts::{Part, Parts};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::watch;

/// Who is home of each partition, as this node sees it.
#[derive(Debug)]
pub struct Homes {
    parts: Parts,
    known: watch::Sender<Vec<Home>>,
    /// Until when nobody else can have taken what is this node's own.
    sure: Mutex<Option<Instant>>,
}

/// The home of a partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Home {
    /// How often it was taken: another number is another owner, or the same one that began again.
    pub epoch: i64,
    pub at: At,
}

/// Where it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum At {
    /// Nowhere yet: it is free, or nobody knows how its owner is reached.
    #[default]
    Nowhere,
    /// Here, as far as this node knows.
    Here,
    /// At another node, by its address.
    There(Arc<str>),
}

impl Homes {
    pub fn new(parts: Parts) -> Arc<Self> {
        let known = vec![Home::default(); usize::from(parts.count())];
        Arc::new(Self { parts, known: watch::Sender::new(known), sure: Mutex::default() })
    }

    /// The partition of an account.
    pub fn part(&self, account: &str) -> Part {
        self.parts.of(account)
    }

    /// Says how it stands, partition by partition, and until when what is this node's own is so for certain.
    pub fn tell(&self, homes: Vec<Home>, sure: Instant) {
        *self.sure.lock().unwrap_or_else(PoisonError::into_inner) = Some(sure);
        self.known.send_if_modified(|known| {
            let is_new = *known != homes;
            *known = homes;
            is_new
        });
    }

    /// The home of a partition. What has been this node's own, and may be another's by now, is nowhere.
    pub fn of(&self, part: Part) -> Home {
        let home = self.last(part);
        if home.at == At::Here && !self.is_sure() { Home { at: At::Nowhere, ..home } } else { home }
    }

    /// The home that a partition had when the database was heard last, whoever may have it by now.
    pub fn last(&self, part: Part) -> Home {
        self.known.borrow().get(usize::from(part.number())).cloned().unwrap_or_default()
    }

    /// The other nodes that are home of something, as far as this one knows.
    pub fn others(&self) -> Vec<Arc<str>> {
        let known = self.known.borrow();
        let urls = known.iter().filter_map(|home| if let At::There(url) = &home.at { Some(url.clone()) } else { None });
        urls.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    fn sure(&self) -> Option<Instant> {
        *self.sure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_sure(&self) -> bool {
        self.sure().is_some_and(|sure| Instant::now() < sure)
    }

    /// Comes back when the home of a partition is another one than it was at this epoch.
    pub async fn moved(&self, part: Part, epoch: i64) {
        let mut known = self.known.subscribe();
        let is_other = |known: &Vec<Home>| known.get(usize::from(part.number())).is_none_or(|home| home.epoch != epoch);
        // It ends with whoever tells, which lives as long as this.
        let _ = known.wait_for(is_other).await;
    }

    /// The same for what is this node's own: also when others may have taken it unseen.
    pub async fn left(&self, part: Part, epoch: i64) {
        let doubted = async {
            while let Some(sure) = self.sure().filter(|sure| Instant::now() < *sure) {
                tokio::time::sleep_until(sure.into()).await;
            }
        };
        tokio::select! {
            () = self.moved(part, epoch) => (),
            () = doubted => (),
        }
    }

    /// Comes back when something has changed since, of any partition.
    pub fn changes(&self) -> watch::Receiver<Vec<Home>> {
        self.known.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn home(epoch: i64, at: At) -> Home {
        Home { epoch, at }
    }

    #[test]
    fn what_was_ours_and_may_be_anothers_by_now_is_nowhere() {
        let homes = Homes::new(Parts::new(2).unwrap());
        let [first, second] = [0, 1].map(|at| homes.parts.each().nth(at).unwrap());
        assert_eq!(homes.of(first), Home::default(), "nobody has told anything");
        let there = At::There("https://10.0.0.2:8514".into());
        let told = vec![home(3, At::Here), home(4, there.clone())];
        homes.tell(told.clone(), Instant::now() + Duration::from_secs(60));
        assert_eq!((homes.of(first).at, homes.of(second).at), (At::Here, there.clone()));
        homes.tell(told, Instant::now());
        assert_eq!((homes.of(first), homes.of(second).at), (home(3, At::Nowhere), there));
        assert_eq!((homes.last(first), homes.others()), (home(3, At::Here), vec!["https://10.0.0.2:8514".into()]));
    }

    #[tokio::test]
    async fn who_waits_for_another_home_hears_of_it_and_of_nothing_else() {
        let homes = Homes::new(Parts::new(2).unwrap());
        let part = homes.parts.each().next().unwrap();
        let soon = Duration::from_millis(50);
        let long = Instant::now() + Duration::from_secs(60);
        let tell = |first: i64, second: i64| vec![home(first, At::Here), home(second, At::Nowhere)];
        homes.tell(tell(3, 1), long);
        let mut changes = homes.changes();
        homes.tell(tell(3, 2), long);
        assert!(changes.changed().await.is_ok());
        assert!(tokio::time::timeout(soon, homes.moved(part, 3)).await.is_err());
        assert!(tokio::time::timeout(soon, homes.left(part, 3)).await.is_err());
        homes.tell(tell(4, 2), long);
        homes.moved(part, 3).await;
        // Nobody said anything for as long as a lease lasts.
        homes.tell(tell(4, 2), Instant::now() + soon);
        homes.left(part, 4).await;
        assert!(tokio::time::timeout(soon, homes.moved(part, 4)).await.is_err());
    }
}
