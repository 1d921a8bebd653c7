//! The journal in a real PostgreSQL, which each test starts for itself: `LOGDRAIN_POSTGRES=/usr/lib/postgresql/15/bin cargo test
//! -p logdrain --test serve postgres::`; without it there is nothing to run.

mod claims;
#[cfg(target_os = "linux")]
mod clocks;
mod cuts;
mod encrypted;
#[cfg(target_os = "linux")]
mod nodes;
mod purged;
mod relay;
mod standby;

use crate::crash::{Dice, Senders, kills};
use crate::harness::{Delivery, Server, body, scratch, truth, wait_for_rows, wait_until};
use crate::logdrain;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;
use testkit::postgres::{PASSWORD, Postgres};

fn config(dir: &Path, journal: &str) -> String {
    let path = dir.join("config.toml");
    fs::write(
        &path,
        format!("journal = \"{journal}\"\nsnapshot_every = \"150ms\"\nanswer_within = \"2s\"\nspool = false\n"),
    )
    .unwrap();
    path.to_str().unwrap().to_owned()
}

pub(crate) fn delivery(number: u64) -> Delivery {
    Delivery { id: format!("{number:032X}"), token: "d.shop".to_owned(), body: body(number, 20) }
}

/// Sends until it is taken, as Logplex does.
pub(crate) fn deliver(server: &Server, sent: &Delivery) {
    wait_until("a delivery that is taken", || (sent.send(server.address).ok()? == 204).then_some(()));
}

/// Numbers are dense, whatever failed: what is kept is all between its first and its last, and `head` is the last.
fn assert_no_gaps(postgres: &Postgres) {
    let gaps = "SELECT (SELECT max(seq) - min(seq) + 1 - count(*) FROM logdrain.log) + head - (SELECT max(seq) FROM logdrain.log)
        FROM logdrain.part";
    assert_eq!(postgres.sql(gaps), "0");
}

#[test]
fn killed_at_any_moment_and_without_its_database_for_a_while_it_counts_everything_once() {
    let Some(mut postgres) = Postgres::start() else { return };
    let dir = scratch("postgres-crash");
    let config = config(&dir, &postgres.url());
    let arguments = ["--config", &config];
    let mut server = Server::start(&dir, &arguments);
    let shared = Senders::new(server.address.port());
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let (shared, mut dice) = (shared.clone(), Dice(number + 1));
            std::thread::spawn(move || shared.run(|| u64::from(dice.below(4) == 0)))
        })
        .collect();
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for round in 0..kills(6) {
        std::thread::sleep(Duration::from_millis(20 + dice.below(600)));
        if round % 2 == 0 {
            server.kill();
            server = Server::start(&dir, &arguments);
            shared.port.store(server.address.port(), Ordering::SeqCst);
        } else {
            // In the middle of commits: whether they are there is found out when it is back.
            postgres.stop();
            std::thread::sleep(Duration::from_millis(dice.below(600)));
            postgres.start_again();
        }
    }
    shared.enough.store(true, Ordering::SeqCst);
    for thread in threads {
        thread.join().unwrap();
    }
    wait_for_rows(&dir.join("rows.jsonl"), &shared.truth(&dir));
    assert_no_gaps(&postgres);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains(PASSWORD));
}

#[test]
fn while_the_database_is_away_deliveries_are_answered_with_503_and_are_taken_again_when_it_is_back() {
    let Some(mut postgres) = Postgres::start() else { return };
    let dir = scratch("postgres-away");
    let config = config(&dir, &postgres.url());
    postgres.stop();
    // It is not there yet.
    let server = Server::start_closed(&dir, &["--config", &config]);
    // A delivery is the same one when it comes again: nobody knows which of them was kept.
    let sent = [delivery(0), delivery(1), delivery(2)];
    assert_eq!(sent[0].send(server.address).unwrap(), 503);
    postgres.start_again();
    deliver(&server, &sent[0]);
    // It ends.
    postgres.stop();
    assert_eq!(sent[1].send(server.address).unwrap(), 503);
    postgres.start_again();
    deliver(&server, &sent[1]);
    // It is there and does not answer.
    postgres.pause(true);
    assert_eq!(sent[2].send(server.address).unwrap(), 503);
    postgres.pause(false);
    deliver(&server, &sent[2]);
    let all = sent.into_iter().flat_map(|sent| sent.body).collect();
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.shop", all)]));
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains(PASSWORD), "{log}");
}

#[test]
fn one_server_writes_at_a_time_and_one_that_was_stopped_meanwhile_writes_nothing_any_more() {
    let Some(postgres) = Postgres::start() else { return };
    let (dir, other) = (scratch("postgres-first"), scratch("postgres-second"));
    let [config, config_of_other] = [&dir, &other].map(|dir| config(dir, &postgres.url()));
    let first = Server::start(&dir, &["--config", &config]);
    deliver(&first, &delivery(1));
    let (code, log) = Server::try_start(&other, &["--config", &config_of_other]).map(Server::stop).unwrap_err();
    assert!(log.contains("another logdrain writes this journal (") && log.contains("postgres-first"), "{log}");
    assert!(code == Some(2) && !log.contains(PASSWORD), "{code:?}: {log}");
    // Nothing is heard of the first one, and its lease ends.
    first.signal("STOP");
    let second = Server::start(&other, &["--config", &config_of_other]);
    deliver(&second, &delivery(2));
    let epoch = postgres.sql("SELECT epoch FROM logdrain.part");
    first.signal("CONT");
    let late = delivery(3);
    assert_ne!(late.send(first.address).ok(), Some(204), "it is not its journal any more");
    wait_until("its end", || first.log().contains("a thread has ended").then_some(()));
    let (code, log) = first.stop();
    assert!(code != Some(0) && log.contains("another logdrain writes this journal now"), "{code:?}: {log}");
    assert_eq!(postgres.sql("SELECT epoch FROM logdrain.part"), epoch, "the second one was not disturbed");
    deliver(&second, &late);
    assert_eq!(postgres.sql("SELECT count(*) FROM logdrain.ids"), "3");
    assert_eq!(second.stop().0, Some(0));
    // Who ended in good order is not waited for, and everything is known.
    let again = Server::start(&other, &["--config", &config_of_other]);
    deliver(&again, &late);
    assert_eq!(postgres.sql("SELECT count(*) FROM logdrain.ids"), "3");
    assert_eq!(again.stop().0, Some(0));
}

#[test]
fn what_is_wrong_with_a_journal_is_said_and_its_password_is_not() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("postgres-wrong");
    let at = format!("127.0.0.1:{}", postgres.port());
    let wrong_password = postgres.url().replace(PASSWORD, "wr0ng-s3cret");
    for (journal, wanted) in [
        (wrong_password.as_str(), "password authentication failed"),
        (&format!("postgres://postgres:{PASSWORD}@{at}/nothing"), "database \"nothing\" does not exist"),
        (&format!("postgres://postgres:{PASSWORD}@{at}"), "journal: names no database"),
        (&format!("mysql://postgres:{PASSWORD}@{at}/a"), "journal: begins with postgres://"),
    ] {
        let config = config(&dir, journal);
        let (code, log) = Server::try_start(&dir, &["--config", &config]).map(Server::stop).unwrap_err();
        assert!(code == Some(2) && log.contains(wanted), "{journal}: {code:?}: {log}");
        assert!(!log.contains("s3cret"), "{log}");
    }
    // A folder is of one journal.
    let file = scratch("postgres-file");
    assert_eq!(Server::start(&file, &[]).stop().0, Some(0));
    let with = config(&file, &postgres.url());
    let (_, log) = Server::try_start(&file, &["--config", &with]).map(Server::stop).unwrap_err();
    assert!(log.contains("holds a journal of its own"), "{log}");
    let password = dir.join("password");
    fs::write(&password, PASSWORD).unwrap();
    let with = dir.join("config.toml");
    fs::write(
        &with,
        format!("journal = \"postgres://postgres@{at}/postgres\"\njournal_password_file = \"password\"\n"),
    )
    .unwrap();
    let server = Server::start(&dir, &["--config", with.to_str().unwrap()]);
    deliver(&server, &delivery(1));
    let store = dir.join("store");
    let store = store.to_str().unwrap();
    let listed = logdrain(&["drains", "list", "--store", store], b"");
    assert!(String::from_utf8_lossy(&listed.stdout).contains("heard"), "{listed:?}");
    assert_eq!(server.stop().0, Some(0));
    let (_, log) = Server::try_start(&dir, &[]).map(Server::stop).unwrap_err();
    assert!(log.contains("its journal is in PostgreSQL"), "{log}");
    let listed = logdrain(&["drains", "list", "--store", store], b"");
    assert!(String::from_utf8_lossy(&listed.stderr).contains("its server alone writes"), "{listed:?}");
    let looked = logdrain(&["doctor", store], b"");
    assert!(
        String::from_utf8_lossy(&looked.stdout).contains("is in PostgreSQL, and is not looked at here"),
        "{looked:?}"
    );
    assert!(looked.status.success(), "{looked:?}");
}
