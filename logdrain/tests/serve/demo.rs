//! `serve --demo`: a folder of its own with made lines that everything can be looked at with.

use crate::harness::{Server, now_micros, scratch, wait_until};
use crate::logdrain;
use std::path::Path;

/// Two hours of made lines.
const DEMO: &[&str] = &["--demo=2h", "--window", "60s", "--lateness", "60s"];

fn search(server: &Server, query: &str) -> serde_json::Value {
    let answer = server.get(&format!("/api/v1/events/search.json?limit=1000&q={query}"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

fn count(server: &Server, query: &str) -> usize {
    search(server, query)["events"].as_array().unwrap().len()
}

#[test]
fn the_past_is_there_and_lines_go_on_coming() {
    let dir = scratch("demo");
    let server = Server::start(&dir, DEMO);
    wait_until("the end of the journal", || (server.get("/readyz").status == 200).then_some(()));
    wait_until("the lines", || (count(&server, "program:heroku/router") == 1000).then_some(()));
    for query in [
        "program:app/api%20Release%20v216",
        "code=H12",
        "StatementTimeout",
        "heroku-postgres%20postgresql-slate-88310",
        "program:heroku/worker.1%20memory_rss",
        "count%23shop.orders",
    ] {
        wait_until(query, || (count(&server, query) > 0).then_some(()));
    }
    // Of each app, and of long ago.
    let long_ago = now_micros() / 1_000_000 - 100 * 60;
    wait_until("lines of long ago", || (count(&server, &format!("dyno&max_time={long_ago}")) > 100).then_some(()));
    for system in ["shop", "depot", "blog"] {
        assert!(count(&server, &format!("sender:{system}")) > 50, "{system}");
    }
    // What was said of the account is there, too: groups, saved searches.
    let searches = server.get("/api/v1/searches.json").body;
    assert!(searches.contains("Errors of the router"), "{searches}");
    assert!(server.get("/api/v1/groups.json").body.contains("Everything public"));
    // Rules were asked of all of it.
    let told = || server.get("/api/v2/alerts/history").body.contains("Request timeouts");
    wait_until("an alert", || told().then_some(()));
    let kept = || {
        let metrics = server.get("/metrics").body;
        let line =
            metrics.lines().find(|line| line.starts_with("logdrain_deliveries_total{outcome=\"kept\"}"))?.to_owned();
        line.rsplit(' ').next()?.parse::<f64>().ok()
    };
    let before = wait_until("a delivery of now", || kept().filter(|kept| *kept >= 2.0));
    wait_until("one more", || kept().filter(|kept| *kept > before));
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
    let doctor = logdrain(&["doctor", dir.join("store").to_str().unwrap()], b"");
    assert!(doctor.status.success(), "{}", String::from_utf8_lossy(&doctor.stdout));
    // Its own folder it takes again, and begins anew.
    let server = Server::start(&dir, DEMO);
    wait_until("the lines", || (count(&server, "program:heroku/router") == 1000).then_some(()));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn no_other_folder_is_filled_and_nobody_else_reads_it() {
    let dir = scratch("demo-refused");
    let store = dir.join("store");
    // A store of a server is not its own.
    assert_eq!(Server::start(&dir, &[]).stop().0, Some(0));
    let journal = std::fs::metadata(store.join("journal.db")).unwrap().len();
    let refused = |arguments: &[&str], why: &str| {
        let (code, log) = Server::try_start(&dir, arguments).err().expect(why);
        assert!(code == Some(2) && log.contains(why), "{code:?}: {log}");
    };
    refused(DEMO, "--demo empties its folder at each start, and this one holds something else");
    assert_eq!(std::fs::metadata(store.join("journal.db")).unwrap().len(), journal);
    refused(&[DEMO, &["--listen", "0.0.0.0:0"]].concat(), "--demo lets everybody read");
    refused(&["--demo=5m", "--window", "60s", "--lateness", "60s"], "an hour of lines at least (1h)");
    refused(&["--demo", "--config", "x.toml"], "cannot be used with");
    let file = dir.join("file");
    std::fs::write(&file, "x").unwrap();
    let is_there = |path: &Path| std::fs::read_to_string(path).unwrap() == "x";
    refused(&[DEMO, &["--store", file.to_str().unwrap()]].concat(), "cannot be filled");
    assert!(is_there(&file));
}
