//! Two servers of PostgreSQL, of which the second one follows at each commit, and takes over when the first one dies; and one that comes back
//! as it was before.

use super::{assert_no_gaps, config, deliver, delivery};
use crate::crash::{Dice, Senders};
use crate::harness::{Server, scratch, truth, wait_for_rows, wait_until};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use testkit::postgres::{PASSWORD, Postgres};

#[test]
fn a_standby_that_is_promoted_has_all_that_was_acknowledged_and_is_found_without_a_restart() {
    let Some(mut primary) = Postgres::start() else { return };
    let standby = primary.standby();
    let dir = scratch("postgres-standby");
    let ports = [&primary, &standby].map(Postgres::port);
    let hosts = ports.map(|port| format!("127.0.0.1:{port}")).join(",");
    let config = config(&dir, &format!("postgres://postgres:{PASSWORD}@{hosts}/postgres"));
    let server = Server::start(&dir, &["--config", &config]);
    let shared = Senders::new(server.address.port());
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let (shared, mut dice) = (shared.clone(), Dice(number + 1));
            std::thread::spawn(move || shared.run(|| u64::from(dice.below(4) == 0)))
        })
        .collect();
    let taken = || shared.acknowledged.lock().unwrap().len();
    wait_until("deliveries", || (taken() > 50).then_some(()));
    primary.kill();
    // Nobody leads for a while: a standby alone takes nothing.
    std::thread::sleep(Duration::from_millis(700));
    let before = taken();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(taken(), before, "there is nobody who could keep it");
    standby.promote();
    let began = Instant::now();
    wait_until("deliveries again", || (taken() > before + 50).then_some(()));
    println!("{before} deliveries before, and 50 more {:?} after the promotion", began.elapsed());
    shared.enough.store(true, Ordering::SeqCst);
    for thread in threads {
        thread.join().unwrap();
    }
    wait_for_rows(&dir.join("rows.jsonl"), &shared.truth(&dir));
    assert_no_gaps(&standby);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("has lost the end") && !log.contains(PASSWORD), "{log}");
}

#[test]
fn a_database_that_comes_back_older_is_gone_on_with_and_no_number_or_id_is_given_twice() {
    let Some(mut postgres) = Postgres::start() else { return };
    let dir = scratch("postgres-older");
    let config = config(&dir, &postgres.url());
    let server = Server::start(&dir, &["--config", &config]);
    let sent: Vec<_> = (0..15).map(delivery).collect();
    let last = "SELECT seq, base_id + 256 * (lines - 1) FROM logdrain.log WHERE kind = 0 ORDER BY seq DESC LIMIT 1";
    for sent in &sent[..5] {
        deliver(&server, sent);
    }
    postgres.stop();
    postgres.back_up();
    postgres.start_again();
    for sent in &sent[5..10] {
        deliver(&server, sent);
    }
    let numbers = |row: &str| row.split('|').map(|number| number.parse::<u64>().unwrap()).collect::<Vec<_>>();
    let before = numbers(&postgres.sql(last));
    // What is gone was counted before: all ten deliveries, of 20 lines each.
    wait_until("what was taken is counted", || {
        server.get("/metrics").body.contains("stage=\"frames\",entry=\"in\"} 200\n").then_some(())
    });
    postgres.stop();
    postgres.restore();
    postgres.start_again();
    for sent in &sent[10..] {
        deliver(&server, sent);
    }
    let behind = "SELECT seq, base_id FROM logdrain.log WHERE kind = 0 ORDER BY seq DESC LIMIT 1 OFFSET 4";
    let after = numbers(&postgres.sql(behind));
    assert!(after[0] > before[0] && after[1] > before[1], "{before:?}, {after:?}");
    let all = sent.into_iter().flat_map(|sent| sent.body).collect();
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.shop", all)]));
    let (code, log) = server.stop();
    assert!(code == Some(0) && log.contains("the database has lost the end of the journal"), "{code:?}: {log}");
}
