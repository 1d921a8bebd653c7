//! A clock that jumps, put to the whole server; and stores of earlier versions. The first needs `faketime` (a package of
//! most distributions), which shifts the wall clock that the server reads and not its steady one.

use crate::harness::{Delivery, Rows, Server, body, rows_of, scratch, truth, wait_for_rows, wait_until, written};
use std::path::Path;
use std::process::Command;

fn delivery(number: u64) -> Delivery {
    Delivery { id: format!("{number:032X}"), token: "d.shop".to_owned(), body: body(number, 20) }
}

/// A server whose wall clock is so many seconds off: what the file says, from now on.
fn shifted(dir: &Path, clock: &Path) -> Option<Server> {
    shifted_with(dir, clock, &[])
}

/// The same, with arguments.
pub(crate) fn shifted_with(dir: &Path, clock: &Path, arguments: &[&str]) -> Option<Server> {
    let Ok(preloaded) = Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]).output() else {
        println!("faketime is not installed here: not run (journal/tests.rs has the same without it)");
        return None;
    };
    let library = format!("LD_PRELOAD={}", String::from_utf8(preloaded.stdout).unwrap().trim());
    let file = format!("FAKETIME_TIMESTAMP_FILE={}", clock.display());
    let under = ["env", &library, &file, "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"];
    Some(Server::start_under(&under, dir, arguments))
}

#[test]
#[cfg(target_os = "linux")]
fn a_start_with_a_clock_two_years_ahead_costs_nobody_his_links() {
    let dir = scratch("clock-links");
    let clock = dir.join("clock");
    std::fs::write(&clock, "+730d").unwrap();
    let server = Server::start(&dir, &[]);
    let body = br#"{"dashboard":"overview","days":30}"#;
    let kind = [("Content-Type", "application/json")];
    let made = crate::harness::request(server.address, "POST", "/api/v2/shares", &kind, body).unwrap();
    assert_eq!(made.status, 201, "{made:?}");
    let link = made.body.split("/shared/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let opened = |server: &Server| server.get(&format!("/shared/{link}")).status;
    assert_eq!(opened(&server), 200);
    server.stop();
    let Some(server) = shifted(&dir, &clock) else { return };
    assert_eq!(opened(&server), 404, "it has ended, says the clock");
    server.stop();
    let server = Server::start(&dir, &[]);
    assert_eq!(opened(&server), 200);
    server.stop();
}

#[test]
#[cfg(target_os = "linux")]
fn a_clock_two_years_ahead_for_three_seconds_makes_no_row_wrong() {
    let dir = scratch("clock-jumps");
    let clock = dir.join("clock");
    std::fs::write(&clock, "+0").unwrap();
    let Some(server) = shifted(&dir, &clock) else { return };
    let mut all = Vec::new();
    let mut number = 0;
    let mut load = |seconds: u64| {
        for _ in 0..seconds * 5 {
            number += 1;
            let sent = delivery(number);
            assert_eq!(sent.send(server.address).unwrap(), 204);
            all.extend(sent.body);
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
    };
    load(2);
    std::fs::write(&clock, "+730d").unwrap();
    load(3);
    assert!(server.get("/metrics").body.contains("\nlogdrain_clock_doubt 1\n"), "{}", server.get("/metrics").body);
    std::fs::write(&clock, "+0").unwrap();
    load(2);
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.shop", all)]));
    let page = server.get("/metrics").body;
    assert!(page.contains("\nlogdrain_logs_gone_total{why=\"expired\"} 0\n"), "{page}");
    assert!(page.contains("\nlogdrain_clock_doubt 0\n"), "{page}");
    let age = page.lines().find_map(|line| line.strip_prefix("logdrain_watermark_age_seconds ")).unwrap();
    assert!(age.parse::<f64>().unwrap() < 30.0, "{age}");
    assert_eq!(server.get("/readyz").status, 200);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0));
    assert!(log.contains("the clock has jumped") && log.contains("the clock agrees again"), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
    assert_ids_in_step(&dir, 7 * 5 * 20);
}

/// So many lines are kept, and their ids are of the last minutes by the true clock.
fn assert_ids_in_step(dir: &Path, lines: usize) {
    let kept = crate::lines::kept(dir);
    assert_eq!(kept.len(), lines);
    let now = crate::harness::now_micros() / 1_000;
    for id in kept.keys() {
        assert!(now.abs_diff(id >> 20) < 300_000, "{} is not {now}", id >> 20);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_clock_that_is_an_hour_behind_at_the_start_and_then_again_deletes_no_line() {
    let dir = scratch("clock-lines");
    let clock = dir.join("clock");
    std::fs::write(&clock, "+0").unwrap();
    let Some(mut server) = shifted(&dir, &clock) else { return };
    let mut number = 0;
    let mut load = |server: &Server| {
        for _ in 0..5 {
            number += 1;
            assert_eq!(delivery(number).send(server.address).unwrap(), 204);
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    };
    load(&server);
    for shift in ["-1h", "+0"] {
        // While it runs, and at the next start.
        std::fs::write(&clock, shift).unwrap();
        load(&server);
        assert!(server.get("/metrics").body.contains("\nlogdrain_logs_gone_total{why=\"expired\"} 0\n"));
        assert_eq!(server.stop().0, Some(0));
        let Some(next) = shifted(&dir, &clock) else { return };
        server = next;
        load(&server);
    }
    assert_eq!(server.stop().0, Some(0));
    assert_ids_in_step(&dir, 5 * 5 * 20);
}

#[test]
#[cfg(target_os = "linux")]
fn started_a_day_after_its_last_tick_the_server_refuses_no_value() {
    let dir = scratch("clock-a-day-later");
    let clock = dir.join("clock");
    std::fs::write(&clock, "-26h").unwrap();
    let Some(server) = shifted(&dir, &clock) else { return };
    wait_until("a tick", || server.get("/metrics").body.contains("logdrain_watermark_age_seconds").then_some(()));
    assert_eq!(server.stop().0, Some(0));
    let server = Server::start(&dir, &[]);
    let mut all = Vec::new();
    for number in 1..40 {
        let sent = delivery(number);
        assert_eq!(sent.send(server.address).unwrap(), 204);
        all.extend(sent.body);
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.shop", all)]));
    let (code, log) = server.stop();
    assert_eq!(code, Some(0));
    assert!(log.contains("the clock has jumped") && log.contains("the clock's jump is believed"), "{log}");
}

/// Each store in `testdata/stores` was written by the version that it is named after, from four deliveries of two drains.
#[test]
fn a_store_of_each_earlier_version_is_read() {
    let stores = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/stores");
    for store in std::fs::read_dir(stores).unwrap().map(|entry| entry.unwrap().path()) {
        if !store.is_dir() {
            continue;
        }
        let dir = scratch("old-store");
        std::fs::create_dir_all(dir.join("store/snapshots")).unwrap();
        for from in [store.clone(), store.join("snapshots")] {
            for file in std::fs::read_dir(&from).unwrap().map(|entry| entry.unwrap().path()) {
                if let Some(name) = file.file_name().unwrap().to_str().unwrap().strip_suffix(".gz") {
                    let to = dir.join("store").join(from.strip_prefix(&store).unwrap()).join(name);
                    let unpacked = Command::new("gzip").arg("-dc").arg(&file).output().unwrap();
                    assert!(unpacked.status.success());
                    std::fs::write(to, unpacked.stdout).unwrap();
                }
            }
        }
        // By drain; those of measurements stand under the name that they have.
        let expected: Rows = ["d.shop", "d.blog", "measurements"]
            .into_iter()
            .filter_map(|drain| Some((drain, std::fs::read_to_string(store.join(format!("{drain}.jsonl"))).ok()?)))
            .flat_map(|(drain, rows)| {
                let rows = rows_of(drain, &rows);
                let name = if drain == "measurements" { Some("measurements/default") } else { None };
                let named = move |given: String| name.map_or(given, ToOwned::to_owned);
                rows.into_iter().map(move |((drain, key), row)| ((named(drain), key), row))
            })
            .collect();
        let server = Server::start(&dir, &["--window", "60s", "--lateness", "60s", "--believe-clock"]);
        wait_for_rows(&dir.join("rows.jsonl"), &expected);
        let (code, log) = server.stop();
        assert_eq!(code, Some(0), "{log}");
        assert!(!log.contains("ERROR") && !log.contains("damaged"), "{log}");
        assert_eq!(written(&dir.join("rows.jsonl")), expected);
        assert!(
            expected.keys().any(|(drain, _)| drain == "measurements/default") == store.ends_with("0.1.0-measurements")
        );
    }
}
