//! The thread that writes with a spool, and a journal in memory that is away, slow, or loses its answers when it is told to.

use super::memory::Writing;
use super::*;
use crate::event::Layout;
use crate::plain::Plain;

/// How a journal does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Does {
    Fine,
    /// It says no at once.
    Away,
    /// It does what it is asked, and says no.
    Loses,
    /// It takes so many milliseconds.
    Slow(u64),
}

/// What tells it, and how often it was asked to write something.
pub(super) type Mood = Arc<(Mutex<Does>, AtomicU64)>;

/// A partition of this mood, if there is one.
pub(super) fn moody(inner: Writing, mood: Option<&Mood>) -> Box<dyn Partition> {
    match mood {
        Some(mood) => Box::new(Moody { inner, mood: mood.clone() }),
        None => Box::new(inner),
    }
}

pub(super) fn spool(dir: &std::path::Path) -> Spool {
    let owner = Owner { journal: "of this test".to_owned(), place: "memory".to_owned() };
    Spool::open(dir, owner, 64 << 20, Duration::from_secs(2), 16).unwrap()
}

#[derive(Debug)]
struct Moody {
    inner: Writing,
    mood: Mood,
}

impl Moody {
    fn does(&self) -> Result<(), StoreError> {
        let does = *self.mood.0.lock().unwrap();
        match does {
            Does::Away => return Err(StoreError::NoAnswer),
            Does::Slow(millis) => std::thread::sleep(Duration::from_millis(millis)),
            Does::Fine | Does::Loses => {}
        }
        Ok(())
    }
}

impl Partition for Moody {
    fn position(&self) -> u64 {
        self.inner.position()
    }

    fn settings(&self) -> Option<&Arc<Settings>> {
        self.inner.settings()
    }

    fn emitted(&self) -> Result<u64, StoreError> {
        self.inner.emitted()
    }

    fn endings(&self) -> Vec<Ending> {
        self.inner.endings()
    }

    fn skip_to(&mut self, position: u64) -> Result<(), StoreError> {
        self.inner.skip_to(position)
    }

    fn listed(&self) -> Vec<Listed> {
        self.inner.listed()
    }

    fn pass_id(&mut self, id: u64) {
        self.inner.pass_id(id);
    }

    fn append(&mut self, offers: Vec<Offer>, emitted: u64, old: &mut Old) -> Result<Vec<Kept>, StoreError> {
        self.mood.1.fetch_add(1, Ordering::SeqCst);
        self.does()?;
        let kept = self.inner.append(offers, emitted, old)?;
        if *self.mood.0.lock().unwrap() == Does::Loses { Err(StoreError::NoAnswer) } else { Ok(kept) }
    }

    fn recall(&mut self) -> Result<(), StoreError> {
        self.does()?;
        self.inner.recall()
    }

    fn give_back(&mut self, old: &mut Old) -> Result<(), StoreError> {
        self.does()?;
        self.inner.give_back(old)
    }

    fn check_place(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn purge_some(&mut self, behind: u64, erase: &Erase, endings: &Endings) -> Result<bool, StoreError> {
        self.inner.purge_some(behind, erase, endings)
    }

    fn purge_aside(&mut self, dir: &std::path::Path, now: Timestamp) -> Result<(), StoreError> {
        self.inner.purge_aside(dir, now)
    }

    fn shrink(&self, _: Leisure) -> Result<(), StoreError> {
        Ok(())
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        self.does()
    }
}

impl Trial {
    fn with_spool(name: &str) -> Self {
        Self::moody(name, true)
    }

    fn moody(name: &str, has_spool: bool) -> Self {
        let mut trial = Self::made(name, KeptIn::Memory(Memory::default()));
        trial.has_spool = has_spool;
        trial.mood = Some(Arc::new((Mutex::new(Does::Fine), AtomicU64::new(0))));
        trial.start();
        trial
    }

    fn is(&self, does: Does) {
        *self.mood.as_ref().unwrap().0.lock().unwrap() = does;
    }

    fn waiting(&self) -> u64 {
        self.progress.spooled.deliveries.load(Ordering::SeqCst)
    }

    /// Until nothing waits.
    fn wait_for_spool(&self) {
        for _ in 0..1_000 {
            if self.waiting() == 0 && !self.progress.spooled.is_away.load(Ordering::SeqCst) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{} deliveries wait", self.waiting());
    }

    /// Ticks and deliveries of the journal, in order: the time of each, and whether it is a tick.
    fn times(&self) -> Vec<(i64, bool)> {
        let reader = self.reading();
        let events =
            (1..=self.progress.head.load(Ordering::SeqCst)).filter_map(|seq| match reader.read(seq).unwrap() {
                Step::Event(Entry { event, .. }) => Some(event),
                _ => None,
            });
        let time = |event| match event {
            Event::Tick(time) => Some((time.unix_micros(), true)),
            Event::Delivery(record) => Some((record.received.unix_micros(), false)),
            _ => None,
        };
        events.filter_map(time).collect()
    }
}

#[test]
fn no_tick_passes_a_delivery_that_waits_and_each_keeps_its_time() {
    let mut trial = Trial::with_spool("spool-ticks");
    trial.load(&["d.a", "d.b"], 30, 0);
    trial.is(Does::Away);
    trial.load(&["d.a", "d.b"], 400, 0);
    assert!(trial.waiting() >= 799, "{}", trial.waiting());
    assert!(trial.progress.trouble().is_none());
    // Nobody runs in circles meanwhile.
    let asked = || trial.mood.as_ref().unwrap().1.load(Ordering::SeqCst);
    let before = asked();
    std::thread::sleep(Duration::from_secs(1));
    assert!(asked() - before <= 5, "asked {} times in a second", asked() - before);
    trial.is(Does::Fine);
    trial.wait_for_spool();
    trial.load(&["d.a", "d.b"], 70, 0);
    let times = trial.times();
    let mut tick = i64::MIN;
    for (time, is_tick) in &times {
        assert!(*time >= tick, "one of {time} behind a tick of {tick}");
        tick = if *is_tick { *time } else { tick };
    }
    let of_deliveries: Vec<i64> = times.iter().filter(|(_, is_tick)| !is_tick).map(|(time, _)| *time).collect();
    let sent: Vec<i64> = (1..=500).flat_map(|second| [(NOON + second) * 1_000_000; 2]).collect();
    assert_eq!(of_deliveries, sent);
    // Minutes were closed as if there had been no outage.
    assert!(times.iter().filter(|(_, is_tick)| *is_tick).count() >= 8, "{times:?}");
    trial.assert_right();
}

#[test]
fn without_a_spool_nobody_runs_in_circles_either() {
    let mut trial = Trial::moody("spool-none", false);
    trial.load(&["d.a"], 5, 0);
    trial.is(Does::Away);
    // Windows are over, and nothing can say so.
    trial.pass(600);
    let asked = || trial.mood.as_ref().unwrap().1.load(Ordering::SeqCst);
    let before = asked();
    std::thread::sleep(Duration::from_secs(1));
    let times = asked() - before;
    assert!((1..=30).contains(&times), "asked {times} times in a second");
    trial.is(Does::Fine);
    trial.load(&["d.a"], 5, 0);
    trial.stop();
    assert!(trial.times().iter().any(|(_, is_tick)| *is_tick));
}

#[test]
fn what_was_done_and_not_answered_is_done_once_with_an_id_and_without() {
    let mut trial = Trial::with_spool("spool-lost");
    trial.load(&["d.a"], 5, 0);
    trial.is(Does::Loses);
    trial.load(&["d.a"], 1, 0);
    let line = |key| {
        let record = Record::laid_out(
            Layout::Plain(Plain::of_code(1).unwrap()),
            "port/office".into(),
            Timestamp::from_unix_micros(0),
            Body::new(b"7 <13>one".to_vec(), None),
        );
        trial.deliver(key, Box::new(record))
    };
    assert_eq!((line(None), line(Some(DeliveryKey([7; 16])))), (Answer::Kept, Answer::Kept));
    assert_eq!(line(Some(DeliveryKey([7; 16]))), Answer::Duplicate);
    std::thread::sleep(Duration::from_millis(600));
    assert!(trial.waiting() > 0);
    trial.is(Does::Fine);
    trial.wait_for_spool();
    assert_eq!(trial.times().iter().filter(|(_, is_tick)| !is_tick).count(), 8);
    trial.stop();
}

#[test]
fn what_is_slow_is_waited_for_longer_and_what_waits_is_there_after_a_restart() {
    let mut trial = Trial::with_spool("spool-slow");
    trial.load(&["d.a"], 2, 0);
    trial.is(Does::Slow(1_600));
    trial.load(&["d.a"], 1, 0);
    assert_eq!(trial.waiting(), 1, "not answered within a second");
    // All that is asked is slow now, and that is known when it has been asked once.
    for _ in 0..2 {
        trial.wait_for_spool();
        trial.load(&["d.a"], 1, 0);
    }
    trial.wait_for_spool();
    trial.load(&["d.a"], 2, 0);
    assert_eq!(trial.waiting(), 0, "the next ones are waited for");
    trial.is(Does::Away);
    trial.load(&["d.a"], 3, 0);
    trial.stop();
    trial.start();
    trial.load(&["d.a"], 3, 0);
    assert!(trial.waiting() >= 6 - 1);
    trial.is(Does::Fine);
    trial.wait_for_spool();
    trial.assert_right();
}
