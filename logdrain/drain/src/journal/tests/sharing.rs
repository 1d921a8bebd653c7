//! A partition that several nodes write to, in a PostgreSQL.

use super::*;
use crate::journal::postgres::{Moved, Owning, SharedPartition};
use crate::journal::window_clock::WindowClock;
use crate::parts::{Parts, Split};
use std::path::Path;
use testkit::postgres::Postgres;

const LEASE: Duration = Duration::from_secs(2);

/// Two nodes on one partition, if there is a PostgreSQL.
struct Two {
    postgres: Postgres,
    address: Address,
    one: SharedPartition,
    other: SharedPartition,
}

fn parts() -> Parts {
    Parts::new(3).unwrap()
}

fn scratch(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("logdrain-sharing-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

fn join(address: &Address, dir: &Path) -> Result<Members, StoreError> {
    Members::join(address, dir, (parts(), Split::ByDrain), LEASE, None)
}

impl Two {
    fn start(name: &str, most: usize) -> Option<Self> {
        let postgres = Postgres::start()?;
        let address = Address::parse(&postgres.url(), None).unwrap();
        drop(join(&address, &scratch(name)).unwrap());
        let part = parts().each().nth(1).unwrap();
        let node = || SharedPartition::new(&address, (part, Split::ByDrain), most).unwrap();
        let (mut one, other) = (node(), node());
        one.append(vec![Offer { key: None, event: Event::Settings(Box::new(settings())) }]).unwrap();
        Some(Self { one, other, address, postgres })
    }

    fn sql(&self, text: &str) -> String {
        self.postgres.sql(text).trim().to_owned()
    }
}

fn delivery(drain: &str, key: u8, time: i64) -> Offer {
    let body = Body::new(b"12 <190>1 - a b".to_vec(), None);
    let mut record = Record::new(drain.into(), Timestamp::from_unix_micros(time), body);
    record.run.events = 2;
    Offer { key: Some(DeliveryKey([key; 16])), event: Event::Delivery(record) }
}

fn now() -> i64 {
    super::super::now().unix_micros()
}

fn nothing() -> Old {
    Old { behind: 0, before: Timestamp::from_unix_micros(i64::MIN), ids: false, rows: 0, given: 0 }
}

/// Nodes have told for long.
const LONG_SINCE: &str = "UPDATE logdrain.nodes SET since = since - interval '1 minute'";

/// The owner moves the watermark.
fn tick(shared: &mut SharedPartition, epoch: i64, time: i64) -> Result<Moved, StoreError> {
    let windows = WindowClock::new(&settings(), None);
    let owning = Owning { epoch, emitted: 0, old: nothing(), windows, oldest: None };
    shared.own(vec![Event::Tick(Timestamp::from_unix_micros(time))], owning)
}

/// The number and the first id of what is new.
fn given(kept: &[Kept]) -> Vec<Option<(u64, u64)>> {
    let given = kept.iter().map(|kept| match kept {
        Kept::New(Entry { seq, event: Event::Delivery(record) }) => Some((*seq, record.run.base)),
        _ => None,
    });
    given.collect()
}

#[test]
fn two_nodes_write_one_run_of_numbers_and_ids_and_take_each_delivery_once() {
    let Some(mut two) = Two::start("turns", 16) else { return };
    let mut all = Vec::new();
    for turn in 0..6_u8 {
        // A drain that one of them has brought has a place with the other one, too.
        let offers = || vec![delivery(&format!("d.{}", turn / 2), turn, now()), delivery("d.x", 100 + turn, now())];
        let (first, then) = if turn % 2 == 0 { (&mut two.one, &mut two.other) } else { (&mut two.other, &mut two.one) };
        all.extend(given(&first.append(offers()).unwrap()));
        let again = then.append(offers()).unwrap();
        assert!(matches!(again[..], [Kept::Duplicate, Kept::Duplicate]), "{again:?}");
    }
    let all: Vec<(u64, u64)> = all.into_iter().flatten().collect();
    assert_eq!(all.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (2..=13).collect::<Vec<_>>());
    assert!(all.windows(2).all(|two| two[0].1 + 256 < two[1].1 && two[1].1 % 256 == 1), "{all:?}");
    assert_eq!(two.sql("SELECT count(*), max(seq) FROM logdrain.log WHERE p = 1"), "13|13");
    assert_eq!(two.sql("SELECT count(*), count(DISTINCT drain) FROM logdrain.drains WHERE p = 1"), "4|4");
    two.one.look().unwrap();
    assert_eq!((two.one.position(), two.one.settings()), (13, two.other.settings()));
}

#[test]
fn who_owns_a_partition_moves_its_watermark_and_nobody_else_nor_beyond_the_clock() {
    let Some(mut two) = Two::start("owner", 16) else { return };
    let dir = scratch("owner-2");
    let mut members = join(&two.address, &dir).unwrap();
    members.renew(&[], &Waiting::default()).unwrap();
    two.sql(LONG_SINCE);
    let view = members.renew(&[], &Waiting::default()).unwrap();
    assert_eq!((view.live(), view.parts.len()), (1, 3));
    let epoch = members.claim(&view.parts[1]).unwrap().unwrap();
    assert_eq!(members.claim(&view.parts[1]).unwrap(), None, "an epoch is given once");
    let tick = |shared: &mut SharedPartition, epoch: i64, time: i64| {
        tick(shared, epoch, time).map(|moved| moved.entries.len())
    };
    let time = view.now;
    assert_eq!(tick(&mut two.one, epoch, time).unwrap(), 1);
    assert_eq!(tick(&mut two.one, epoch, time).unwrap(), 0, "it is there");
    assert_eq!(tick(&mut two.one, epoch, time - 1).unwrap(), 0, "nor does it go back");
    assert_eq!(tick(&mut two.one, epoch, time + 3_600_000_000).unwrap(), 0, "and it is of a time that has come");
    let error = tick(&mut two.other, epoch - 1, time + 1).unwrap_err();
    assert!(error.is_taken_over(), "{error}");
    // Whoever is refused has changed nothing, and may deliver on.
    assert_eq!(given(&two.other.append(vec![delivery("d.1", 1, now())]).unwrap())[0].unwrap().0, 3);
    assert_eq!(tick(&mut two.one, epoch, time + 1).unwrap(), 1);
    assert_eq!(two.sql("SELECT ticked, head FROM logdrain.part WHERE p = 1"), format!("{}|4", time + 1));

    // Another node gets it when the lease is over, or when it is let go.
    let mut next = join(&two.address, &scratch("owner-3")).unwrap();
    let view = next.renew(&[], &Waiting::default()).unwrap();
    assert_eq!((view.live(), view.parts[1].free, view.parts[1].owner.as_str()), (2, None, members.node()));
    assert_eq!(next.claim(&view.parts[1]).unwrap(), None);
    members.release(view.parts[1].part, epoch).unwrap();
    let view = next.renew(&[], &Waiting::default()).unwrap();
    assert!(view.parts[1].free.is_some());
    assert_eq!(next.claim(&view.parts[1]).unwrap(), Some(epoch + 1));
    assert!(tick(&mut two.one, epoch, time + 2).unwrap_err().is_taken_over());
    // What the first one renews then is not its own any more.
    let held = [(view.parts[1].part, epoch)];
    std::thread::sleep(LEASE);
    assert!(members.renew(&held, &Waiting::default()).unwrap().parts[1].free.is_some());
    // Started again on its folder, it is the node that it was.
    let node = members.node().to_owned();
    drop(members);
    assert_eq!(join(&two.address, &dir).unwrap().node(), node);
}

#[test]
fn who_is_stopped_in_the_middle_of_a_step_holds_up_the_others_for_a_second() {
    let Some(mut two) = Two::start("silent", 16) else { return };
    two.other.append(vec![delivery("d.1", 1, now())]).unwrap();
    // What a node has done that was stopped then.
    let held = std::thread::scope(|scope| {
        let url = two.postgres.url();
        let silent = scope.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
                tokio::spawn(connection);
                let lock = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 1000;
                    SELECT * FROM logdrain.part WHERE p = 1 FOR UPDATE";
                client.batch_execute(lock).await.unwrap();
                tokio::time::sleep(Duration::from_secs(3)).await;
                client.batch_execute("COMMIT").await.is_err()
            })
        });
        while two.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'") == "0" {
            std::thread::sleep(Duration::from_millis(10));
        }
        let began = Instant::now();
        assert_eq!(given(&two.one.append(vec![delivery("d.1", 2, now())]).unwrap()).len(), 1);
        assert!(silent.join().unwrap(), "who was silent has lost his step");
        began.elapsed()
    });
    assert!(held < Duration::from_secs(4), "{held:?}");
}

#[test]
fn a_drain_gives_way_that_no_node_has_heard() {
    let Some(mut two) = Two::start("places", 2) else { return };
    let hour = 3_600_000_000;
    let start = now() - 2 * hour;
    // The first node hears one of them long ago, and the other node hears that one since.
    two.one.append(vec![delivery("d.1", 1, start), delivery("d.2", 2, start + 1)]).unwrap();
    two.other.append(vec![delivery("d.1", 3, now())]).unwrap();
    let kept = two.one.append(vec![delivery("d.3", 4, now())]).unwrap();
    let [Kept::NewInstead { dropped, .. }] = &kept[..] else { panic!("{kept:?}") };
    assert!(matches!(&dropped.event, Event::Dropped { drain, .. } if &**drain == "d.2"), "{dropped:?}");
    // Both know of it.
    let kept = two.other.append(vec![delivery("d.2", 5, now()), delivery("d.3", 6, now())]).unwrap();
    assert!(matches!(kept[..], [Kept::TooManyDrains, Kept::New(_)]), "{kept:?}");
}

#[test]
fn a_journal_keeps_its_number_of_partitions_and_is_not_a_single_servers() {
    let Some(two) = Two::start("made", 2) else { return };
    let wrong = Members::join(&two.address, &scratch("made-2"), (Parts::new(4).unwrap(), Split::ByDrain), LEASE, None)
        .unwrap_err();
    assert!(wrong.is_final() && wrong.to_string().contains("partitions = 3"), "{wrong}");
    let alone = open_database(&two.address, &scratch("made-3"), 16).unwrap_err();
    assert!(alone.is_final() && alone.to_string().contains("[cluster]"), "{alone}");
    assert_eq!(view_of(&two.address).unwrap().parts.len(), 3);

    let Some(single) = Postgres::start() else { return };
    let address = Address::parse(&single.url(), None).unwrap();
    assert!(view_of(&address).unwrap_err().to_string().contains("no journal that nodes share"));
    drop(open_database(&address, &scratch("made-4"), 16).unwrap());
    let node = join(&address, &scratch("made-5")).unwrap_err();
    assert!(node.is_final() && node.to_string().contains("single server"), "{node}");
}

#[test]
fn a_copy_of_a_nodes_folder_is_no_second_node() {
    let Some(two) = Two::start("twin", 2) else { return };
    let dir = scratch("twin-2");
    let mut node = join(&two.address, &dir).unwrap();
    node.renew(&[], &Waiting::default()).unwrap();
    // Started again behind a kill, it is told no more from there, and begins.
    let mut again = join(&two.address, &dir).unwrap();
    again.renew(&[], &Waiting::default()).unwrap();
    let copy = scratch("twin-3");
    std::fs::copy(dir.join("journal.postgres"), copy.join("journal.postgres")).unwrap();
    let (end, ended) = mpsc::channel::<()>();
    let living = std::thread::spawn(move || {
        while ended.recv_timeout(Duration::from_millis(200)) == Err(mpsc::RecvTimeoutError::Timeout) {
            again.renew(&[], &Waiting::default()).unwrap();
        }
        again
    });
    let error = join(&two.address, &copy).unwrap_err();
    assert!(error.is_final() && error.to_string().contains("copy of this one's folder"), "{error}");
    drop(end);
    let mut again = living.join().unwrap();
    // Where both run all the same, each finds it out. The first word of another one may be the last one of a process that is gone.
    let mut other = join(&two.address, &copy).unwrap();
    other.renew(&[], &Waiting::default()).unwrap();
    for node in [&mut again, &mut other] {
        node.renew(&[], &Waiting::default()).unwrap();
    }
    for node in [&mut again, &mut other] {
        assert!(node.renew(&[], &Waiting::default()).unwrap_err().is_taken_over());
    }
}

#[test]
fn no_tick_passes_what_a_living_node_has_in_its_spool_and_none_comes_before_all_could_tell() {
    let Some(mut two) = Two::start("held", 16) else { return };
    let (mut owner, mut other) =
        (join(&two.address, &scratch("held-2")).unwrap(), join(&two.address, &scratch("held-3")).unwrap());
    let of = |safe: Option<i64>| Waiting { safe: vec![None, safe, None], spooled: 3 };
    let view = owner.renew(&[], &of(None)).unwrap();
    let epoch = owner.claim(&view.parts[1]).unwrap().unwrap();
    let held = [(view.parts[1].part, epoch)];
    let ticked = |two: &mut Two, time| tick(&mut two.one, epoch, time).unwrap();
    // The first one that has heard of the database does not know what others have.
    assert!(ticked(&mut two, view.now).is_held);
    two.sql(LONG_SINCE);
    assert!(!ticked(&mut two, view.now).is_held);
    let now = other.renew(&[], &of(Some(view.now + 1))).unwrap().now;
    owner.renew(&held, &of(None)).unwrap();
    // As far as that is due, and not further.
    let moved = ticked(&mut two, now);
    let [Entry { event: Event::Tick(time), .. }] = &moved.entries[..] else { panic!("{moved:?}") };
    assert_eq!(time.unix_micros(), view.now + 1);
    assert!(ticked(&mut two, now).is_held);
    let text = two.sql("SELECT count(*) FROM logdrain.log WHERE p = 1 AND kind = 1");
    assert_eq!(text, "2", "what is held leaves nothing");
    // What it has of other partitions, and what this node has itself.
    other.renew(&[], &Waiting { safe: vec![Some(1), None, Some(1)], spooled: 2 }).unwrap();
    let windows = WindowClock::new(&settings(), None);
    let oldest = Some(Timestamp::from_unix_micros(view.now));
    let events = vec![Event::Tick(Timestamp::from_unix_micros(now))];
    let owning = Owning { epoch, emitted: 0, old: nothing(), windows, oldest };
    assert!(two.one.own(events, owning).unwrap().is_held);
    assert!(!ticked(&mut two, now).is_held);
    // A node that is cut off holds nobody up.
    let now = other.renew(&[], &of(Some(now + 1))).unwrap().now;
    assert_eq!(two.sql("SELECT count(*) FROM logdrain.nodes WHERE spooled = 3"), "2");
    let began = Instant::now();
    let is_there = |entry: &Entry| matches!(&entry.event, Event::Tick(time) if time.unix_micros() == now);
    while !ticked(&mut two, now).entries.iter().any(is_there) {
        owner.renew(&held, &of(None)).unwrap();
        assert!(began.elapsed() < 3 * LEASE);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(began.elapsed() > LEASE / 2);
}

#[test]
fn what_is_far_ahead_of_the_watermark_waits_for_it() {
    let Some(mut two) = Two::start("early", 16) else { return };
    let mut owner = join(&two.address, &scratch("early-2")).unwrap();
    let view = owner.renew(&[], &Waiting::default()).unwrap();
    let epoch = owner.claim(&view.parts[1]).unwrap().unwrap();
    two.sql(LONG_SINCE);
    let (second, start) = (1_000_000, view.now - 1_000_000_000);
    // Without a watermark nothing is ahead of it.
    assert_eq!(given(&two.other.append(vec![delivery("d.1", 1, start)]).unwrap()).len(), 1);
    assert_eq!(tick(&mut two.one, epoch, start).unwrap().entries.len(), 1);
    let offers = || {
        vec![
            delivery("d.1", 2, start + 119 * second),
            delivery("d.1", 3, start + 121 * second),
            delivery("d.1", 4, start),
        ]
    };
    let kept = two.other.append(offers()).unwrap();
    assert!(matches!(kept[..], [Kept::New(_), Kept::Early, Kept::Early]), "in their order: {kept:?}");
    assert_eq!(tick(&mut two.one, epoch, start + second).unwrap().entries.len(), 1);
    let kept = two.other.append(offers()).unwrap();
    assert!(matches!(kept[..], [Kept::Duplicate, Kept::New(_), Kept::New(_)]), "{kept:?}");
    // While the clock is in doubt, its signs stand for the watermark.
    let sign = Event::Doubt {
        believed: Timestamp::from_unix_micros(start + 60 * second),
        wall: Timestamp::from_unix_micros(0),
    };
    let windows = WindowClock::new(&settings(), None);
    let owning = Owning { epoch, emitted: 0, old: nothing(), windows, oldest: None };
    assert_eq!(two.one.own(vec![sign], owning).unwrap().entries.len(), 1);
    let kept = two.other.append(vec![delivery("d.1", 5, start + 180 * second)]).unwrap();
    assert!(matches!(kept[..], [Kept::New(_)]), "{kept:?}");
}
