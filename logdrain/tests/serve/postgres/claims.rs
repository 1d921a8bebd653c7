//! Two nodes that send what is kept together: who has lost an account sends nothing of it any more, and what one has on its way the
//! other one waits for.

use crate::harness::{scratch, wait_until};
use crate::outbox::{Does, Receiver, told};
use logdrain_drain::alerts::channel::sending::Sender;
use logdrain_drain::alerts::channel::{Links, Settings};
use logdrain_drain::alerts::outbox::{self, Outbox};
use logdrain_drain::clock::Ahead;
use logdrain_drain::directory::Directory;
use logdrain_drain::door::{Allowed, Outbound};
use logdrain_drain::journal::{Address, Members, Waiting};
use logdrain_drain::parts::{Part, Parts, Split};
use logdrain_drain::seal::KeyFile;
use logdrain_drain::sql::Db;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use testkit::postgres::Postgres;
use tokio::runtime::Runtime;

/// What both have.
struct House {
    dir: PathBuf,
    postgres: Postgres,
    directory: Arc<Directory>,
    key: Arc<KeyFile>,
    channel: u32,
    receiver: Receiver,
}

/// One that sends.
struct Node {
    outbox: Arc<Outbox>,
    members: Members,
    runtime: Runtime,
}

fn outbound() -> Outbound {
    Outbound::new(vec![Allowed::parse("127.0.0.1").unwrap()])
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

impl House {
    fn start(name: &str, does: impl IntoIterator<Item = Does>) -> Option<Self> {
        let postgres = Postgres::start()?;
        let dir = scratch(name);
        let (directory, key) = (Directory::new(&dir), Arc::new(KeyFile::new(Some(dir.join("logdrain.key")))));
        directory.open().unwrap();
        let receiver = Receiver::start(does);
        let keeping =
            Sender::new(Outbox::new(&dir), directory.clone(), key.clone(), outbound(), None, Links::default());
        let hook = Settings::Json { url: receiver.url(), secret: None };
        let (channel, _) = runtime().block_on(keeping.keep_channel("shop", None, "ops", hook)).unwrap();
        Some(Self { dir, postgres, directory, key, channel, receiver })
    }

    /// A node that has no partition yet. Links that it sends begin with its name.
    fn node(&self, name: &str) -> Node {
        let dir: &Path = &self.dir.join(name);
        std::fs::create_dir_all(dir).unwrap();
        let address = Address::parse(&self.postgres.url(), None).unwrap();
        let parts = Parts::new(3).unwrap();
        let mut members =
            Members::join(&address, dir, (parts, Split::ByAccount), Duration::from_secs(2), None).unwrap();
        let clock = Ahead::default();
        clock.tell(members.renew(&[], &Waiting::default()).unwrap().now);
        let outbox = Outbox::new(dir);
        let known = outbox::Node { name: members.node().to_owned(), parts, clock };
        outbox.join(Db::of_journal(&address, "logdrain").unwrap(), known);
        let links = Links(format!("https://{name}.example.com"));
        let sender = Sender::new(outbox.clone(), self.directory.clone(), self.key.clone(), outbound(), None, links);
        let runtime = runtime();
        runtime.spawn(sender.run());
        Node { outbox, members, runtime }
    }

    /// Its owner is not heard of any more, and another one takes what it had.
    fn take(&self, node: &mut Node) -> Vec<(Part, i64)> {
        self.postgres.sql("UPDATE logdrain.leases SET until = clock_timestamp()");
        let view = node.members.renew(&[], &Waiting::default()).unwrap();
        view.parts.iter().map(|of| (of.part, node.members.claim(of).unwrap().unwrap())).collect()
    }

    /// The same, which it knows.
    fn move_to(&self, node: &mut Node) {
        let owned = self.take(node);
        node.outbox.own(owned.into_iter());
    }

    fn keep(&self, node: &Node, numbers: impl Iterator<Item = u64>) {
        let all: Vec<_> = numbers.map(|number| told("shop", 1, number, &[self.channel])).collect();
        node.outbox.keep(&all).unwrap();
    }

    fn wait_until_sent(&self) {
        let waiting = "SELECT count(*) FROM logdrain.deliveries WHERE state <> 1";
        wait_until("messages that were sent", || (self.postgres.sql(waiting) == "0").then_some(()));
    }
}

#[test]
fn who_takes_over_waits_for_what_is_on_its_way() {
    let Some(house) = House::start("claims-waited", [Does::After(4_000)]) else { return };
    let (mut one, mut two) = (house.node("one"), house.node("two"));
    house.move_to(&mut one);
    house.keep(&one, 1..4);
    wait_until("a request", || (house.receiver.came().len() == 1).then_some(()));
    house.move_to(&mut two);
    // It learns it a moment later, with its next look.
    one.outbox.own(std::iter::empty());
    house.wait_until_sent();
    let came = house.receiver.came();
    let from = |at: usize| came[at].body.contains("https://one.example.com");
    assert_eq!(came.len(), 3, "each once");
    assert_eq!([from(0), from(1), from(2)], [true, false, false]);
}

#[test]
fn who_has_lost_an_account_and_does_not_know_it_sends_nothing_of_it() {
    let Some(house) = House::start("claims-lost", []) else { return };
    let (mut one, mut two) = (house.node("one"), house.node("two"));
    house.move_to(&mut one);
    house.keep(&one, 1..2);
    house.wait_until_sent();
    let owned = house.take(&mut two);
    house.keep(&two, 2..10);
    // It looks once a second, and would have sent them by then.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(house.receiver.came().len(), 1);
    two.outbox.own(owned.into_iter());
    house.wait_until_sent();
    let came = house.receiver.came();
    assert_eq!(came.len(), 9, "each once");
    assert!(came[1..].iter().all(|came| came.body.contains("https://two.example.com")));
}

#[test]
fn what_was_on_its_way_when_its_node_died_is_sent_once_more_under_the_same_id() {
    let Some(house) = House::start("claims-died", [Does::After(3_000)]) else { return };
    let (mut one, mut two) = (house.node("one"), house.node("two"));
    house.move_to(&mut one);
    house.keep(&one, 1..3);
    wait_until("a request", || (house.receiver.came().len() == 1).then_some(()));
    one.runtime.shutdown_background();
    house.move_to(&mut two);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(house.receiver.came().len(), 1, "it may arrive still");
    house.postgres.sql("UPDATE logdrain.deliveries SET claimed_until = claimed_until - 30000");
    house.wait_until_sent();
    let ids: Vec<String> = house.receiver.came().iter().map(crate::outbox::Came::id).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
}
