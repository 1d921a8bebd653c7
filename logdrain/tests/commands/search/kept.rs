//! `--in`: the lines that `serve` keeps are searched as a file is.

use super::{frame, scratch, search, text};
use crate::logdrain;
use serde_json::Value;
use std::path::PathBuf;
use testkit::program::errors;

/// A store of an account with 5,000 lines, a second apart from 2026-03-14T09:00:00Z on; every 100th says `needle`.
fn store(name: &str, accounts: &[&str]) -> (PathBuf, Vec<log_store::EventBuf>) {
    let folder = scratch(name);
    let _ = std::fs::remove_dir_all(&folder);
    let mut store = log_store::Store::open(folder.join("logs"), log_store::Options::new()).unwrap();
    let mut events = Vec::new();
    for n in 0..5_000_u64 {
        let micros = 1_773_478_800_000_000 + i64::try_from(n).unwrap() * 1_000_000;
        let message = if n % 100 == 7 { format!("line {n} with a needle") } else { format!("line {n}") };
        let mut id = log_store::EventId::at(micros);
        for account in accounts {
            let program = format!("app/web.{}", n % 3);
            id = id.next();
            let event = log_store::Event::new(id, account, message.as_bytes())
                .with_system(if n % 2 == 0 { b"shop" } else { b"depot" })
                .with_program(program.as_bytes())
                .with_severity(6)
                .with_generated(micros - 250_000);
            store.append(&event).unwrap();
            events.push(event.to_event_buf());
        }
    }
    store.publish(log_store::EventId::at(1_900_000_000_000_000));
    store.flush().unwrap();
    (folder, events)
}

#[test]
fn the_folder_of_a_store_is_searched_as_a_file_is() {
    let (folder, events) = store("search-store", &["default"]);
    // The same lines as a body.
    let body: String = events
        .iter()
        .map(|event| {
            let event = event.as_event();
            let time = heroku_metrics::model::Timestamp::from_unix_micros(event.id().unix_micros());
            let [system, program, message] =
                [event.system(), event.program(), event.message()].map(|text| std::str::from_utf8(text).unwrap());
            let program = program.replace('/', " ");
            frame(&format!("<190>1 {time} {system} {program} - {message}"))
        })
        .collect();
    let dir = folder.to_str().unwrap();
    for arguments in [
        &["needle"][..],
        &[],
        &["-n", "3", "needle"],
        &["-n", "2500"],
        &["-C", "2", "needle"],
        &["-A", "60", "-B", "50", "needle"],
        &["-C", "3", "-n", "2", "needle"],
        &["-C", "1", "line 10"],
        &["-C", "18446744073709551615", "line 4321"],
        &["-s", "DEP*", "--", "-needle"],
        &["--min-time", "2026-03-14 09:10", "--max-time", "2026-03-14 09:20:59", "program:web.1"],
        &["--count", "needle"],
        &["--count"],
        &["--count", "--min-time", "2026-03-14 10:00:30"],
        &["--patterns", "-j"],
    ] {
        let kept = search(&[&["--in", dir], arguments].concat(), b"");
        let plain = search(arguments, body.as_bytes());
        assert_eq!(kept.status.code(), plain.status.code(), "{arguments:?}: {}", errors(&kept));
        assert_eq!(text(&kept), text(&plain), "{arguments:?}");
    }
    let row: Value = serde_json::from_str(&text(&logdrain(&["search", "-j", "-n", "1", "--in", dir], b""))).unwrap();
    let last = events.last().unwrap().as_event();
    assert_eq!(row["id"], last.id().get().to_string());
    assert_eq!(row["received_at"], "2026-03-14T10:23:19.000000Z");
    assert_eq!(row["generated_at"], "2026-03-14T10:23:18.750000Z");
    // The folder of the segments itself will do.
    let logs = folder.join("logs");
    assert_eq!(text(&search(&["--in", logs.to_str().unwrap(), "--count"], b"")), "5000\n");
}

#[test]
fn of_several_accounts_one_must_be_named() {
    let (folder, _) = store("search-accounts", &["a", "b"]);
    let dir = folder.to_str().unwrap();
    let none = search(&["--in", dir], b"");
    assert_eq!(none.status.code(), Some(2));
    assert!(errors(&none).contains("has several accounts; say which: --account a, b"), "{}", errors(&none));
    assert_eq!(text(&search(&["--in", dir, "--account", "b", "--count", "needle"], b"")), "50\n");
    let wrong = search(&["--in", dir, "--account", "c"], b"");
    assert!(errors(&wrong).contains("has no account `c`; there are a, b"), "{}", errors(&wrong));
    let empty = scratch("search-no-store");
    let empty = search(&["--in", empty.to_str().unwrap()], b"");
    assert_eq!(empty.status.code(), Some(2));
    assert!(errors(&empty).contains("is a folder without kept lines"), "{}", errors(&empty));
}

#[test]
fn damage_of_a_store_is_named_and_the_rest_is_found() {
    let (folder, _) = store("search-damage", &["default"]);
    let segment = std::fs::read_dir(folder.join("logs/default/0")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 4;
    bytes[middle] ^= 0x55;
    std::fs::write(&segment, bytes).unwrap();
    let output = search(&["--in", folder.to_str().unwrap(), "needle"], b"");
    assert_eq!(output.status.code(), Some(1), "the answer is not whole");
    assert!(errors(&output).contains("its lines are missing"), "{}", errors(&output));
}
