//! The spool, from the operator's side, with a real PostgreSQL that goes away: `LOGDRAIN_POSTGRES=/usr/lib/postgresql/15/bin
//! cargo test -p logdrain --test serve spool::`; without it there is nothing to run.
//! `LOGDRAIN_OUTAGE_SECONDS=120` is the long form.

use crate::crash::Senders;
use crate::harness::{Delivery, Server, body, scratch, truth, wait_for_rows, wait_until, wait_within};
use crate::logdrain;
use crate::postgres::{deliver, delivery};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use testkit::postgres::Postgres;

fn config(dir: &Path, journal: &str, more: &str) -> String {
    let path = dir.join("config.toml");
    fs::write(&path, format!("journal = \"{journal}\"\nsnapshot_every = \"150ms\"\nanswer_within = \"4s\"\n{more}"))
        .unwrap();
    path.to_str().unwrap().to_owned()
}

fn metric(server: &Server, name: &str) -> Option<f64> {
    let text = server.get("/metrics").body;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

fn spooled(server: &Server) -> f64 {
    metric(server, "logdrain_spooled_deliveries").unwrap()
}

/// Until nothing waits and the database takes what comes.
fn wait_for_the_end(server: &Server, patience: Duration) {
    wait_within(patience, "an empty spool", || {
        (spooled(server) == 0.0 && server.get("/readyz").body == "ready\n").then_some(())
    });
}

/// Values that came too late, of all drains.
fn late(server: &Server) -> f64 {
    let text = server.get("/metrics").body;
    let of_ledger = text.lines().filter(|line| line.starts_with("logdrain_ledger_total{"));
    let late = of_ledger.filter(|line| line.contains("entry=\"late\""));
    late.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

fn rows_of(dir: &Path, sent: &[Delivery]) -> crate::harness::Rows {
    truth(dir, [("d.shop", sent.iter().flat_map(|sent| sent.body.clone()).collect())])
}

fn file(dir: &Path) -> PathBuf {
    dir.join("store").join("spool.db")
}

/// The promise: a database that is away for a while costs nobody an answer and no line, and no line is late.
#[test]
fn while_the_database_is_away_everything_is_taken_and_nothing_is_late() {
    let Some(mut postgres) = Postgres::start() else { return };
    let outage = std::env::var("LOGDRAIN_OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    let outage = Duration::from_secs(outage);
    let dir = scratch("spool-away");
    let config = config(&dir, &postgres.url(), "");
    // Whatever passed the oldest one would find it late.
    let server = Server::start(&dir, &["--config", &config, "--lateness", "3s"]);
    let shared = Senders::new(server.address.port());
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let shared = shared.clone();
            std::thread::spawn(move || {
                shared.run(|| {
                    std::thread::sleep(Duration::from_millis(20));
                    0
                })
            })
        })
        .collect();
    std::thread::sleep(Duration::from_secs(1));
    postgres.stop();
    wait_until("deliveries in the spool", || (spooled(&server) > 0.0).then_some(()));
    let ready = server.get("/readyz");
    assert!(ready.status == 200 && ready.body.contains("wait for it in the spool"), "{ready:?}");
    assert!(server.get("/status").body.contains("spool"));
    // What changes is no delivery.
    let store = dir.join("store");
    let changed = logdrain(&["drains", "drop", "d.shop", "--store", store.to_str().unwrap()], b"");
    assert!(!changed.status.success(), "{changed:?}");
    std::thread::sleep(outage);
    assert!(metric(&server, "logdrain_spooled_age_seconds").unwrap() > outage.as_secs_f64() / 2.0);
    assert!(metric(&server, "logdrain_spooled_bytes").unwrap() > 0.0);
    let waiting = spooled(&server);
    postgres.start_again();
    let began = Instant::now();
    wait_for_the_end(&server, outage / 2);
    let took = began.elapsed();
    std::thread::sleep(Duration::from_secs(1));
    shared.enough.store(true, Ordering::SeqCst);
    for thread in threads {
        thread.join().unwrap();
    }
    println!("{outage:?} away: {waiting} deliveries waited, and were offered within {took:?}");
    assert_eq!(shared.refused.load(Ordering::SeqCst), 0, "{}", server.log());
    wait_for_rows(&dir.join("rows.jsonl"), &shared.truth(&dir));
    assert_eq!(late(&server), 0.0);
    assert!(fs::metadata(file(&dir)).unwrap().len() <= 1 << 20, "room was not given back");
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(log.matches("the database does not take what comes").count(), 1, "{log}");
    assert_eq!(log.matches("all that waited in the spool").count(), 1, "{log}");
}

/// In doubt, in the spool, and of long ago: an id decides.
#[test]
fn what_is_sent_again_is_counted_once_wherever_the_first_one_is() {
    let Some(mut postgres) = Postgres::start() else { return };
    let dir = scratch("spool-once");
    let config = config(&dir, &postgres.url(), "");
    let server = Server::start(&dir, &["--config", &config]);
    let sent: Vec<_> = (0..6).map(delivery).collect();
    deliver(&server, &sent[0]);
    // It is there and does not answer: nobody knows what became of this one.
    postgres.pause(true);
    assert_eq!(sent[1].send(server.address).unwrap(), 204);
    assert_eq!(sent[1].send(server.address).unwrap(), 204);
    postgres.pause(false);
    wait_for_the_end(&server, Duration::from_secs(30));
    postgres.stop();
    // It is known there for long, and here it is not.
    for sent in [&sent[0], &sent[1], &sent[2], &sent[2], &sent[3], &sent[0]] {
        assert_eq!(sent.send(server.address).unwrap(), 204);
    }
    assert_eq!(spooled(&server), 4.0, "one waits once");
    postgres.start_again();
    wait_for_the_end(&server, Duration::from_secs(30));
    deliver(&server, &sent[3]);
    assert_eq!(postgres.sql("SELECT count(*) FROM logdrain.ids"), "4");
    // Its step is cut off in the middle.
    let lose = "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2.5); RETURN NULL; END $$;
        CREATE TRIGGER lose AFTER INSERT ON logdrain.ids FOR EACH STATEMENT EXECUTE FUNCTION lose()";
    postgres.sql(lose);
    assert_eq!(sent[4].send(server.address).unwrap(), 204);
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%logdrain.append%' AND pid <> pg_backend_pid()";
    postgres.sql(cut);
    postgres.sql("DROP TRIGGER lose ON logdrain.ids");
    wait_for_the_end(&server, Duration::from_secs(30));
    deliver(&server, &sent[4]);
    deliver(&server, &sent[5]);
    assert_eq!(postgres.sql("SELECT count(*) FROM logdrain.ids"), "6");
    wait_for_rows(&dir.join("rows.jsonl"), &rows_of(&dir, &sent));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_database_that_comes_and_goes_and_a_server_that_is_killed_make_nothing_double() {
    let Some(mut postgres) = Postgres::start() else { return };
    let dir = scratch("spool-killed");
    let config = config(&dir, &postgres.url(), "");
    let arguments = ["--config", &config];
    let server = Server::start(&dir, &arguments);
    let mut sent: Vec<_> = (0..40).map(delivery).collect();
    deliver(&server, &sent[0]);
    postgres.stop();
    for sent in &sent[1..] {
        assert_eq!(sent.send(server.address).unwrap(), 204);
    }
    assert_eq!(spooled(&server), 39.0);
    server.kill();
    // What it was started for is not there: nothing is taken, and nothing is lost.
    let server = Server::start_closed(&dir, &arguments);
    assert_eq!(sent[1].send(server.address).unwrap(), 503);
    server.kill();
    postgres.start_again();
    let server = Server::start(&dir, &arguments);
    for sent in &sent {
        deliver(&server, sent);
    }
    wait_for_the_end(&server, Duration::from_secs(30));
    // It flaps.
    let mut number = sent.len() as u64;
    for round in 0..3 {
        if round == 1 {
            postgres.pause(true)
        } else {
            postgres.stop()
        }
        let until = Instant::now() + Duration::from_millis(1_200);
        while Instant::now() < until {
            sent.push(delivery(number));
            number += 1;
            assert_eq!(sent.last().unwrap().send(server.address).unwrap(), 204);
            std::thread::sleep(Duration::from_millis(10));
        }
        if round == 1 {
            postgres.pause(false)
        } else {
            postgres.start_again()
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    wait_for_the_end(&server, Duration::from_secs(30));
    wait_for_rows(&dir.join("rows.jsonl"), &rows_of(&dir, &sent));
    assert_eq!(postgres.sql("SELECT count(*) FROM logdrain.ids"), sent.len().to_string());
    let gaps = "SELECT (SELECT max(seq) - min(seq) + 1 - count(*) FROM logdrain.log) + head - (SELECT max(seq) FROM logdrain.log)
        FROM logdrain.part";
    assert_eq!(postgres.sql(gaps), "0");
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.matches("the database does not take what comes").count() <= 2, "{log}");
}

#[test]
fn a_damaged_spool_loses_what_is_damaged_and_one_of_another_journal_is_refused() {
    let Some(mut postgres) = Postgres::start() else { return };
    postgres.sql("CREATE DATABASE other");
    let (dir, other) = (scratch("spool-damaged"), scratch("spool-other"));
    let with = config(&dir, &postgres.url(), "");
    let of_other = config(&other, &format!("{}other", postgres.url().strip_suffix("postgres").unwrap()), "");
    let arguments = ["--config", &with];
    let server = Server::start(&dir, &arguments);
    assert_eq!(Server::start(&other, &["--config", &of_other]).stop().0, Some(0));
    postgres.stop();
    let sent: Vec<_> = (0..30).map(|number| Delivery { body: body(number, 300), ..delivery(number) }).collect();
    for sent in &sent {
        assert_eq!(sent.send(server.address).unwrap(), 204);
    }
    server.kill();
    fs::copy(file(&dir), file(&other)).unwrap();
    // A byte of each of some pages in the middle.
    let mut bytes = fs::read(file(&dir)).unwrap();
    let middle = bytes.len() / 8_192;
    for page in middle..middle + 6 {
        bytes[page * 4_096 + 1_000] ^= 0x55;
    }
    fs::write(file(&dir), bytes).unwrap();
    postgres.start_again();
    let (code, log) = Server::try_start(&other, &["--config", &of_other]).map(Server::stop).unwrap_err();
    assert!(
        code == Some(2) && log.contains("holds 30 deliveries that wait for the journal at postgres://127.0.0.1:"),
        "{log}"
    );
    let server = Server::start(&dir, &arguments);
    wait_for_the_end(&server, Duration::from_secs(30));
    let there: usize = postgres.sql("SELECT count(*) FROM logdrain.ids").parse().unwrap();
    let lost = metric(&server, "logdrain_spool_lost_total").unwrap();
    assert!((1.0..=7.0).contains(&lost) && there as f64 == 30.0 - lost, "{there} and {lost}");
    let is_aside = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("spool.damaged-");
    assert_eq!(fs::read_dir(dir.join("store")).unwrap().flatten().filter(is_aside).count(), 1);
    assert!(server.log().contains("the spool was damaged"), "{}", server.log());
    // Who has them sends them again.
    for sent in &sent {
        deliver(&server, sent);
    }
    wait_for_rows(&dir.join("rows.jsonl"), &rows_of(&dir, &sent));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_spool_that_is_full_and_none_at_all_answer_with_503() {
    let Some(mut postgres) = Postgres::start() else { return };
    let dir = scratch("spool-full");
    let with = config(&dir, &postgres.url(), "spool_limit = \"1MB\"\nmax_drains = 2\n");
    let server = Server::start(&dir, &["--config", &with]);
    let mut sent = vec![delivery(0)];
    deliver(&server, &sent[0]);
    postgres.stop();
    // Nobody would take a third drain.
    let of = |number, token: &str| Delivery { token: token.to_owned(), ..delivery(number) };
    assert_eq!(of(1, "d.blog").send(server.address).unwrap(), 204);
    assert_eq!(of(2, "d.more").send(server.address).unwrap(), 503);
    let mut number = 100;
    let refused = loop {
        let next = Delivery { body: body(number, 2_000), ..delivery(number) };
        // A busy disk may be too slow for one.
        if wait_until("an answer", || match next.send(server.address).unwrap() {
            204 => Some(true),
            status => (status == 503 && server.get("/readyz").status == 503).then_some(false),
        }) {
            sent.push(next);
        } else {
            break next;
        }
        number += 1;
        assert!(number < 400);
    };
    assert!(sent.len() > 5, "{}", sent.len());
    let ready = server.get("/readyz");
    assert!(ready.body.contains("the spool is full"), "{ready:?}");
    assert!(fs::metadata(file(&dir)).unwrap().len() <= 1 << 20);
    postgres.start_again();
    deliver(&server, &refused);
    sent.push(refused);
    wait_for_the_end(&server, Duration::from_secs(30));
    let shop: Vec<u8> = sent.iter().flat_map(|sent| sent.body.clone()).collect();
    let rows = truth(&dir, [("d.shop", shop)]);
    let is_there = |written: &crate::harness::Rows| rows.iter().all(|(key, row)| written.get(key) == Some(row));
    wait_until("the rows", || is_there(&crate::harness::written(&dir.join("rows.jsonl"))).then_some(()));
    assert_eq!(server.stop().0, Some(0));
    // Without one it is as it was before there were any.
    let with = config(&dir, &postgres.url(), "spool = false\n");
    let server = Server::start(&dir, &["--config", &with]);
    deliver(&server, &delivery(1_000));
    postgres.stop();
    assert_eq!(delivery(1_001).send(server.address).unwrap(), 503);
    assert_eq!(server.get("/readyz").status, 503);
    postgres.start_again();
    deliver(&server, &delivery(1_001));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_database_that_is_slow_is_waited_for_and_not_passed_by_for_ever() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("spool-slow");
    let with = config(&dir, &postgres.url(), "");
    fs::write(&with, fs::read_to_string(&with).unwrap().replace("\"4s\"", "\"6s\"")).unwrap();
    let server = Server::start(&dir, &["--config", &with, "--window", "60s"]);
    let mut sent = vec![delivery(0)];
    deliver(&server, &sent[0]);
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.7); RETURN NULL; END $$;
        CREATE TRIGGER slow AFTER INSERT ON logdrain.ids FOR EACH STATEMENT EXECUTE FUNCTION slow()";
    postgres.sql(slow);
    sent.push(delivery(1));
    deliver(&server, &sent[1]);
    assert_eq!(spooled(&server), 1.0, "a second is enough for the first");
    wait_for_the_end(&server, Duration::from_secs(30));
    for number in 2..4 {
        sent.push(delivery(number));
        deliver(&server, sent.last().unwrap());
        assert_eq!(spooled(&server), 0.0, "{}", server.log());
        // It is there when it is answered.
        assert_eq!(postgres.sql("SELECT count(*) FROM logdrain.ids"), (number + 1).to_string());
    }
    assert_eq!(server.stop().0, Some(0));
}
