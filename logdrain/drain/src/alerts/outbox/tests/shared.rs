//! What nodes keep together, in a PostgreSQL.

use super::*;
use crate::clock::Ahead;
use crate::journal::{Address, Members, Waiting};
use crate::parts::{Parts, Split};
use std::sync::Barrier;
use std::time::Duration;
use testkit::postgres::Postgres;

/// One node that owns all partitions, and who takes them from it.
pub(crate) struct Nodes {
    pub(crate) postgres: Postgres,
    address: Address,
    dir: Scratch,
}

fn parts() -> Parts {
    Parts::new(3).unwrap()
}

impl Nodes {
    pub(crate) fn start(name: &str) -> Option<Self> {
        let postgres = Postgres::start()?;
        let address = Address::parse(&postgres.url(), None).unwrap();
        let nodes = Self { postgres, address, dir: scratch(&format!("{name}-nodes")) };
        drop(nodes.members("one"));
        Some(nodes)
    }

    fn members(&self, node: &str) -> Members {
        let dir = self.dir.join(node);
        std::fs::create_dir_all(&dir).unwrap();
        Members::join(&self.address, &dir, (parts(), Split::ByAccount), Duration::from_secs(2), None).unwrap()
    }

    pub(crate) fn database(&self) -> Db {
        Db::of_journal(&self.address, "logdrain").unwrap()
    }

    /// As a node opens it that owns what it can take.
    pub(crate) fn opened(&self, node: &str, room: (i64, i64)) -> Arc<Outbox> {
        let outbox = Outbox::with_room(&self.dir, room);
        let clock = Ahead::default();
        let mut members = self.members(node);
        let view = members.renew(&[], &Waiting::default()).unwrap();
        clock.tell(view.now);
        outbox.join(self.database(), Node { name: members.node().to_owned(), parts: parts(), clock });
        let owned: Vec<(Part, i64)> =
            view.parts.iter().filter_map(|of| Some((of.part, members.claim(of).unwrap()?))).collect();
        outbox.own(owned.into_iter());
        outbox
    }

    /// Nobody may keep what it has any more.
    pub(crate) fn end_leases(&self) {
        self.postgres.sql("UPDATE logdrain.leases SET until = clock_timestamp()");
    }

    /// Who tells for an account now.
    pub(crate) fn teller(&self, account: &str) -> Teller {
        let part = parts().of(account);
        let epoch = self.postgres.sql(&format!("SELECT epoch FROM logdrain.leases WHERE p = {}", part.number()));
        Teller { part, epoch: epoch.parse().unwrap() }
    }
}

const ROOM: (i64, i64) = (OF_ACCOUNT, OF_ALL);

#[test]
fn who_tells_for_a_partition_that_another_node_has_keeps_nothing() {
    let Some(nodes) = Nodes::start("fenced") else { return };
    let one = nodes.opened("one", ROOM);
    let teller = nodes.teller("shop");
    one.keep_of(Some(teller), &[told(1, 1, &[5])]).unwrap();
    nodes.end_leases();
    let two = nodes.opened("two", ROOM);
    let error = one.keep_of(Some(teller), &[told(1, 2, &[5])]).unwrap_err();
    assert!(error.to_string().contains("another node"), "{error}");
    // The new owner tells again what the other one has told, and goes on.
    let teller = nodes.teller("shop");
    two.keep_of(Some(teller), &[told(1, 1, &[5]), told(1, 3, &[5])]).unwrap();
    assert_eq!(numbers(&two), [(1, 5, 1)]);
    two.sent(&next(&two)[0]).unwrap();
    assert_eq!(numbers(&two), [(1, 5, 3)]);
    assert_eq!(two.heads("shop", None, 10).unwrap().len(), 2);
}

#[test]
fn a_node_that_wakes_up_sends_nothing_and_what_is_on_its_way_is_waited_for() {
    let Some(nodes) = Nodes::start("claimed") else { return };
    let one = nodes.opened("one", ROOM);
    one.keep(&[told(1, 1, &[5]), told(2, 2, &[6])]).unwrap();
    let [first, second] = &next(&one)[..] else { panic!("two wait") };
    assert!(one.claim(first).unwrap() && one.claim(first).unwrap(), "it is the same node");
    nodes.end_leases();
    let two = nodes.opened("two", ROOM);
    // It does not know yet that it is not the owner any more.
    assert!(one.claim(second).is_err());
    assert!(!two.claim(first).unwrap(), "it may be arriving");
    assert!(two.claim(second).unwrap());
    one.later(second, "it was asleep").unwrap_err();
    one.refused(second, "it was asleep").unwrap_err();
    // Now it knows.
    one.own(std::iter::empty());
    assert_eq!(one.waiting().unwrap(), []);
    assert!(!one.claim(second).unwrap());
    assert_eq!(one.counts().waiting.load(Ordering::Relaxed), 0);
    // It has arrived, whoever says so.
    one.sent(first).unwrap();
    assert_eq!(numbers(&two), [(2, 6, 2)]);
    // What nobody says any more is sent again when its time is over.
    two.keep(&[told(3, 3, &[7])]).unwrap();
    let third = &next(&two)[1];
    assert!(two.claim(third).unwrap());
    nodes.end_leases();
    let one = nodes.opened("one", ROOM);
    assert!(!one.claim(third).unwrap());
    nodes.postgres.sql("UPDATE logdrain.deliveries SET claimed_until = claimed_until - 31000");
    assert!(one.claim(third).unwrap());
    one.later(third, "answers 503").unwrap();
    nodes.end_leases();
    let two = nodes.opened("two", ROOM);
    assert!(two.claim(third).unwrap(), "it is on its way no more");
    // A claim of another time holds nobody up.
    nodes.postgres.sql("UPDATE logdrain.deliveries SET claimed_by = 'three', claimed_until = claimed_until + 3600000");
    assert!(two.claim(third).unwrap());
}

#[test]
fn whoever_keeps_at_once_keeps_each_message_once_and_within_the_bounds() {
    let Some(nodes) = Nodes::start("at-once") else { return };
    let one = nodes.opened("one", ROOM);
    let (barrier, threads) = (Barrier::new(4), 4);
    let of = |account: &str, number: u64| Told {
        account: account.to_owned(),
        id: format!("{account}-{number}"),
        ..told(1, number, &[5])
    };
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (nodes, barrier) = (&nodes, &barrier);
            let of = &of;
            scope.spawn(move || {
                // Nobody's home, which is no matter to who keeps.
                let outbox = Outbox::with_room(&nodes.dir, ROOM);
                outbox.join(nodes.database(), Node { name: String::new(), parts: parts(), clock: Ahead::default() });
                barrier.wait();
                // In another order each: whoever locks two accounts waits for nobody who waits for him.
                let accounts = if thread % 2 == 0 { ["blog", "shop"] } else { ["shop", "blog"] };
                for number in 0..40 {
                    let some = accounts.map(|account| of(account, number));
                    while outbox.keep(&some).is_err() {}
                }
            });
        }
    });
    let count = |sql: &str| nodes.postgres.sql(sql);
    assert_eq!(count("SELECT count(*), count(DISTINCT seq), count(DISTINCT id) FROM logdrain.told"), "80|80|80");
    let wrong = "SELECT count(*) FROM logdrain.held WHERE bytes <> (SELECT sum(bytes) FROM logdrain.told
        WHERE told.account = held.account AND body IS NOT NULL)";
    assert_eq!(count(wrong), "0");
    // Its numbers rise with what it tells.
    let back = "SELECT count(*) FROM (SELECT substring(id FROM '[0-9]+')::int
        <= lag(substring(id FROM '[0-9]+')::int) OVER (PARTITION BY account ORDER BY seq) AS is_back FROM logdrain.told) AS all_of
        WHERE is_back";
    assert_eq!(count(back), "0");
    assert_eq!(one.waiting().unwrap().len(), 2);
    assert_eq!(one.counts().waiting.load(Ordering::Relaxed), 80);
}

#[test]
fn all_nodes_together_take_no_more_than_their_room_and_what_was_sent_goes_first() {
    let Some(nodes) = Nodes::start("together") else { return };
    let outbox = nodes.opened("one", (OF_ACCOUNT, 12 << 20));
    let of = |account: &str, number: u64, channels: &[u32]| Told {
        account: account.to_owned(),
        id: format!("{account}-{number}"),
        ..large(1, number, channels)
    };
    for number in 0..5 {
        outbox.keep(&[of("blog", number, &[])]).unwrap();
    }
    let whole = |account: &str| outbox.heads(account, None, 100).unwrap().iter().filter(|head| head.is_whole).count();
    assert_eq!(whole("blog"), 5);
    for number in 0..9 {
        outbox.keep(&[of("shop", number, &[5])]).unwrap();
    }
    let no_room = outbox.counts().no_room.load(Ordering::Relaxed) as usize;
    assert_eq!((whole("blog"), whole("shop") + no_room), (0, 9));
    assert!((1..5).contains(&no_room), "{no_room}");
    let held = nodes.postgres.sql("SELECT sum(bytes) FROM logdrain.told");
    assert!(held.parse::<i64>().unwrap() <= 12 << 20, "{held}");
    assert_eq!(nodes.postgres.sql("SELECT sum(bytes) FROM logdrain.held"), held);
}

#[test]
fn a_database_that_is_away_keeps_nothing_and_takes_it_when_it_is_back() {
    let Some(mut nodes) = Nodes::start("away") else { return };
    let outbox = nodes.opened("one", ROOM);
    outbox.keep(&[told(1, 1, &[5])]).unwrap();
    let sending = next(&outbox).remove(0);
    nodes.postgres.stop();
    outbox.keep(&[told(1, 2, &[5])]).unwrap_err();
    outbox.claim(&sending).unwrap_err();
    outbox.waiting().unwrap_err();
    nodes.postgres.start_again();
    let teller = nodes.teller("shop");
    let until = std::time::Instant::now() + Duration::from_secs(30);
    while let Err(error) = outbox.keep_of(Some(teller), &[told(1, 2, &[5])]) {
        assert!(std::time::Instant::now() < until, "{error}");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(outbox.claim(&sending).unwrap());
    outbox.sent(&sending).unwrap();
    assert_eq!(numbers(&outbox), [(1, 5, 2)]);
}
