//! A way to the database that stops, is cut and is long: everybody is answered, nothing is lost, and nothing is there twice.

use super::relay::{Relay, Way};
use super::{assert_no_gaps, config, deliver, delivery};
use crate::crash::{Dice, Senders};
use crate::harness::{Delivery, Server, scratch, truth, wait_for_rows, wait_until};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use testkit::postgres::{PASSWORD, Postgres};

/// A connection is given up after 4 s at most; the rest is for a busy machine.
const GIVEN_UP: Duration = Duration::from_secs(15);

/// A server, and a way to its database.
fn server(postgres: &Postgres, dir: &Path) -> (Server, Relay) {
    let relay = Relay::to(postgres.port());
    (Server::start(dir, &["--config", &config(dir, &over(postgres, &relay))]), relay)
}

fn over(postgres: &Postgres, relay: &Relay) -> String {
    postgres.url().replace(&format!(":{}/", postgres.port()), &format!(":{}/", relay.port))
}

/// How many deliveries stand in the journal.
fn kept(postgres: &Postgres) -> usize {
    postgres.sql("SELECT count(*) FROM logdrain.ids").parse().unwrap()
}

#[test]
fn under_senders_the_way_stops_is_cut_and_is_slow_and_everything_counts_once() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("postgres-cuts");
    let (server, relay) = server(&postgres, &dir);
    let shared = Senders::new(server.address.port());
    let threads: Vec<_> = (0..3)
        .map(|number| {
            let (shared, mut dice) = (shared.clone(), Dice(number + 1));
            std::thread::spawn(move || shared.run(|| u64::from(dice.below(8) == 0)))
        })
        .collect();
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let taken = || shared.acknowledged.lock().unwrap().len();
    for round in 0..9 {
        std::thread::sleep(Duration::from_millis(dice.below(200)));
        match round {
            0 => relay.cut(),
            1 => relay.stop(Way::FromDatabase),
            2 => relay.delay(Duration::from_millis(100)),
            3 => relay.stop(Way::ToDatabase),
            4 => relay.delay(Duration::ZERO),
            5 => relay.refuse(),
            6 => {
                relay.stop_all(Way::FromDatabase);
                relay.stop_all(Way::ToDatabase);
            }
            // For a moment, and then on where it stopped.
            7 => relay.stop_all(Way::FromDatabase),
            _ => relay.stop_all(Way::ToDatabase),
        }
        std::thread::sleep(Duration::from_millis(dice.below(400)));
        match round {
            0..=6 => relay.open(),
            _ => relay.resume(),
        }
        // Nobody touches the server, and it takes deliveries again.
        let (began, before) = (Instant::now(), taken());
        wait_until("deliveries that are taken", || (taken() > before + 3).then_some(()));
        assert!(began.elapsed() < GIVEN_UP, "{round}: {:?}", began.elapsed());
        println!("round {round}: deliveries are taken again after {:?}", began.elapsed());
    }
    shared.enough.store(true, Ordering::SeqCst);
    for thread in threads {
        thread.join().unwrap();
    }
    wait_for_rows(&dir.join("rows.jsonl"), &shared.truth(&dir));
    assert_no_gaps(&postgres);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains(PASSWORD), "{log}");
}

#[test]
fn a_commit_whose_answer_is_lost_is_answered_with_503_and_is_there_once() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("postgres-unanswered");
    let (server, relay) = server(&postgres, &dir);
    let mut sent = vec![delivery(0)];
    deliver(&server, &sent[0]);
    let count = || kept(&postgres);
    // One statement when the drain is known, and several when it is new; the last one is in the middle of those.
    for (token, behind, is_there, is_cut) in [
        ("d.shop", "d.shop", true, false),
        ("d.shop", "d.shop", true, true),
        ("d.blog", "COMMIT", true, false),
        ("d.office", "d.office", false, false),
    ] {
        let mut one = delivery(sent.len() as u64);
        token.clone_into(&mut one.token);
        relay.stop_behind(behind);
        let (address, offered, began) = (server.address, one.clone(), Instant::now());
        let sender = std::thread::spawn(move || offered.send(address).unwrap());
        wait_until("the statement", || relay.has_stopped().then_some(()));
        if is_there {
            wait_until("the commit", || (count() == sent.len() + 1).then_some(()));
        }
        if is_cut {
            relay.cut();
        }
        assert_eq!(sender.join().unwrap(), 503, "{behind}: nobody knows what became of it");
        deliver(&server, &one);
        assert!(began.elapsed() < GIVEN_UP, "{behind}: {:?}", began.elapsed());
        println!("behind {behind}, cut: {is_cut}: taken after {:?}", began.elapsed());
        sent.push(one);
        assert_eq!(count(), sent.len());
    }
    assert_no_gaps(&postgres);
    let of = |token: &str| sent.iter().filter(|one| one.token == token).flat_map(|one| one.body.clone()).collect();
    let expected = truth(&dir, ["d.shop", "d.blog", "d.office"].map(|token| (token, of(token))));
    wait_for_rows(&dir.join("rows.jsonl"), &expected);
    let (code, log) = server.stop();
    assert!(code == Some(0) && log.contains("the database does not answer"), "{code:?}: {log}");
}

#[test]
fn over_a_way_of_400_ms_there_and_back_deliveries_are_taken_once() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("postgres-far");
    let relay = Relay::to(postgres.port());
    relay.delay(Duration::from_millis(200));
    let url = postgres.url().replace(&format!(":{}/", postgres.port()), &format!(":{}/", relay.port));
    let server = Server::start(&dir, &["--config", &config(&dir, &url)]);
    let sent: Vec<_> = (0..12).map(delivery).collect();
    std::thread::scope(|scope| {
        for sent in sent.chunks(3) {
            let server = &server;
            scope.spawn(move || sent.iter().for_each(|sent| deliver(server, sent)));
        }
    });
    assert_eq!(kept(&postgres), 12);
    assert_no_gaps(&postgres);
    let all = sent.into_iter().flat_map(|sent| sent.body).collect();
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.shop", all)]));
    assert_eq!(server.stop().0, Some(0));
}

/// Nothing is asked before a delivery is written, unless its id may be there: an answer takes its way there and back once.
#[test]
fn an_answer_takes_its_way_there_and_back_once() {
    const WAY: Duration = Duration::from_millis(150);
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("postgres-once");
    let (server, relay) = server(&postgres, &dir);
    let sent: Vec<_> = (0..18).map(delivery).collect();
    deliver(&server, &sent[0]);
    relay.delay(WAY);
    let took = |number: usize| {
        let began = Instant::now();
        assert_eq!(sent[number].send(server.address).unwrap(), 204);
        began.elapsed()
    };
    // A tick, or a chore, may be on its way, and is waited for.
    let fastest = (1..16).map(&took).min().unwrap();
    println!("there and back in {:?}: answered after {fastest:?}", 2 * WAY);
    assert!(fastest >= 2 * WAY && fastest < 4 * WAY, "{fastest:?}");
    // One that comes again is asked for, and taken once; and so is what comes with it.
    std::thread::scope(|scope| {
        for number in [3, 16, 3, 17, 0] {
            let took = &took;
            scope.spawn(move || assert!(took(number) >= 2 * WAY));
        }
    });
    assert_eq!(kept(&postgres), 18);
    assert_no_gaps(&postgres);
    let all = sent.iter().flat_map(|sent| sent.body.clone()).collect();
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.shop", all)]));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_large_delivery_comes_over_a_narrow_way_also_of_a_drain_that_is_new() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("postgres-narrow");
    let (server, relay) = server(&postgres, &dir);
    deliver(&server, &delivery(0));
    // It takes longer than a connection that does not answer is given.
    relay.narrow(700);
    let mut dice = Dice(7);
    let mut body = Vec::new();
    while body.len() < 6_500_000 {
        // Of 16 letters, so that half of it is left when it is packed.
        let noise: String = (0..500).map(|_| format!("{:02x}", dice.below(1 << 40) & 0xff)).collect();
        let line = format!("<190>1 2026-03-14T09:26:53Z host app web.1 - {noise}");
        body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    for token in ["d.shop", "d.blog"] {
        let large = Delivery { id: format!("{token:0>32}"), token: token.to_owned(), body: body.clone() };
        deliver(&server, &large);
    }
    assert_eq!(kept(&postgres), 3);
    let packed = postgres.sql("SELECT max(octet_length(body)) FROM logdrain.log").parse::<usize>().unwrap();
    assert!(packed > 2_900_000, "{packed} would be through in time");
    // Who reads them back has that time as well.
    server.kill();
    std::fs::remove_dir_all(dir.join("store/snapshots")).unwrap();
    let server = Server::start(&dir, &["--config", &config(&dir, &over(&postgres, &relay))]);
    wait_until("all that is in the journal", || {
        server.log().contains("the journal has been read to its end").then_some(())
    });
    let (code, log) = server.stop();
    assert!(code == Some(0) && !log.contains("does not answer"), "{code:?}: {log}");
}
