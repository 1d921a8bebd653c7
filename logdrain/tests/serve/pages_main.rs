//! The main pages, filled by the demo: how they look, whether everybody can use them, and what they take on the wire.
//!
//! With `LOGDRAIN_PICTURES` the pictures of the eight main pages lie there, at 1400 px light and at 390 px dark.

use crate::browser::Browser;
use crate::harness::{PATIENCE, Server, request, scratch, wait_until, wait_within};
use crate::page_looks::{Eye, TWO};
use crate::viewer::form;
use flate2::read::GzDecoder;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

/// The eight, by the names of their pictures.
const MAIN: [(&str, &str); 8] = [
    ("events", "/events"),
    ("overview", "/dashboards/overview"),
    ("errors", "/dashboards/errors"),
    ("explorer", "/explore"),
    ("metric", "/explore/heroku.router.service.response_time?group_by=dyno&summary=p95"),
    ("plan", "/account/plan"),
    ("archives", "/archives"),
    ("status", "/status?still=1"),
];

/// What else there is of the viewer, of dashboards, of the explorer and of alerts.
const MORE: [(&str, &str); 20] = [
    ("events-found", "/events?q=H12&wrap=0"),
    ("events-wrong", "/events?q=(H12+AND"),
    ("events-none", "/events?q=nothing+like+this"),
    ("search-edit", "/searches/1000/edit"),
    ("codes", "/dashboards/status"),
    ("postgres", "/dashboards/postgres"),
    ("dynos", "/dashboards/dynos"),
    ("dashboard", "/dashboards/1"),
    ("dashboard-new", "/dashboards/new"),
    ("dashboard-edit", "/dashboards/1/edit"),
    ("dashboard-share", "/dashboards/1/share"),
    ("chart-new", "/dashboards/1/charts/new"),
    ("chart-edit", "/dashboards/1/charts/response-time"),
    ("dashboard-none", "/dashboards/none"),
    ("explorer-found", "/explore?q=router"),
    ("alerts", "/alerts"),
    ("alert-new", "/alerts/new?q=H12"),
    ("alert-channels", "/alerts/channels"),
    ("alert-history", "/alerts/history"),
    ("explorer-none", "/explore?q=nothing+like+this"),
];

/// A server with so much of the demo, once all of it is counted.
fn demo(dir: &Path, hours: &str) -> Server {
    let server = Server::start(dir, &[&format!("--demo={hours}"), "--window", "60s", "--lateness", "60s"]);
    wait_within(5 * PATIENCE, "the end of the journal", || (server.get("/readyz").status == 200).then_some(()));
    let csv = "/charts/overview/requests-by-status.csv?range=1h";
    wait_until("the minutes", || (server.get(csv).body.lines().count() > 10).then_some(()));
    server
}

#[test]
fn the_main_pages_look_right_and_can_be_used_by_whoever_cannot_see_them() {
    let dir = scratch("pages-main");
    let Some(mut browser) = Browser::start(&dir) else { return };
    let server = demo(&dir, "7h");
    let eye = Eye::new(&dir);
    for (name, path) in MAIN {
        eye.look(&mut browser, &format!("http://{}{path}", server.address), name, &TWO);
    }
    assert_eq!(browser.listen(), [""; 0]);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn pages_about_the_main_ones_can_be_used_by_whoever_cannot_see_them() {
    let dir = scratch("pages-more");
    let Some(mut browser) = Browser::start(&dir) else { return };
    // The demo is for looking: what somebody made is on a server of his own.
    let server = Server::start(&dir, &[]);
    for (app, id) in [("shop", "f1"), ("blog", "f2")] {
        let headers = [("Logplex-Drain-Token", app), ("Logplex-Frame-Id", id)];
        let lines = crate::dashboards::lines(9);
        assert_eq!(request(server.address, "POST", &format!("/logs?app={app}"), &headers, &lines).unwrap().status, 204);
    }
    wait_until("both apps", || {
        let csv = server.get("/charts/status/by-service.csv?range=30m").body;
        (csv.contains("shop") && csv.contains("blog")).then_some(())
    });
    let kept = [("/dashboards", "do=copy&from=overview&app=&whose=account"), ("/searches", "name=Timeouts&q=H12")];
    for (path, fields) in kept {
        assert_eq!(form(&server, path, &[], fields).status, 303, "{path}");
    }
    let eye = Eye::new(&dir);
    for (name, path) in MORE {
        eye.look(&mut browser, &format!("http://{}{path}", server.address), name, &TWO);
    }
    assert_eq!(server.stop().0, Some(0));
}

/// A page as it comes for a browser: its bytes on the wire, and the page.
fn packed(server: &Server, path: &str) -> (usize, String) {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAccept-Encoding: gzip\r\n", server.address);
    write!(stream, "{head}Connection: close\r\n\r\n").unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let end = all.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
    assert!(head.starts_with("http/1.1 200") && head.contains("content-encoding: gzip"), "{path}: {head}");
    assert!(head.contains(&format!("content-length: {}", all.len() - end)), "{path}: {head}");
    let mut page = String::new();
    GzDecoder::new(&all[end..]).read_to_string(&mut page).unwrap();
    (all.len(), page)
}

#[test]
fn the_five_dashboards_of_the_demo_are_small_on_the_wire() {
    const MOST: usize = 60_000;
    let dir = scratch("pages-wire");
    // As much as a dashboard shows unless somebody asks for more.
    let server = demo(&dir, "6h");
    for name in ["overview", "errors", "status", "postgres", "dynos"] {
        for range in ["", "?range=24h"] {
            let (bytes, page) = packed(&server, &format!("/dashboards/{name}{range}"));
            println!("{name}{range}: {bytes} bytes on the wire, {} as it is", page.len());
            let drawn = page.matches("<svg class=\"plot\"").count();
            assert!(
                drawn >= 4 && !page.contains("cannot be drawn") && !page.contains("took all the time"),
                "{name}: {drawn}"
            );
            assert!(bytes <= MOST, "{name}{range}: {bytes} bytes");
        }
    }
    assert_eq!(server.stop().0, Some(0));
}
