//! `logdrain serve` as its senders and its operator meet it.

use crate::harness::{
    self, Delivery, Server, body, raw, request, scratch, shown, truth, wait_for_rows, wait_until, written,
};
use std::io::Write as _;

fn delivery(id: &str, token: &str, body: Vec<u8>) -> Delivery {
    Delivery { id: id.to_owned(), token: token.to_owned(), body }
}

#[test]
fn rows_are_those_of_replay_for_each_drain() {
    let dir = scratch("rows");
    let server = Server::start(&dir, &[]);
    let (one, two) = (body(1, 200), body(2, 100));
    assert_eq!(delivery("1", "d.one", one.clone()).send(server.address).unwrap(), 204);
    assert_eq!(delivery("1", "d.two", two.clone()).send(server.address).unwrap(), 204);
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.one", one), ("d.two", two)]));
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_delivery_counts_once_also_after_a_restart() {
    let dir = scratch("once");
    let body = body(1, 40);
    let sent = delivery("9C2F", "d.one", body.clone());
    let server = Server::start(&dir, &[]);
    for _ in 0..3 {
        assert_eq!(sent.send(server.address).unwrap(), 204);
    }
    assert_eq!(server.stop().0, Some(0));
    let server = Server::start(&dir, &[]);
    // Between two tries Logplex may have put an L10 frame in front: the id decides.
    let changed = Delivery { body: [b"junk ".to_vec(), body.clone()].concat(), ..sent.clone() };
    assert_eq!(changed.send(server.address).unwrap(), 204);
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.one", body)]));
    drop(server);
}

/// What the documentation says of deliveries that nobody gave an id.
#[test]
fn equal_bodies_without_an_id_are_one_delivery_and_request_ids_make_them_two() {
    let dir = scratch("without-id");
    let server = Server::start(&dir, &[]);
    let (same, other) = (body(1, 10), body(2, 10));
    let post = |headers: &[(&str, &str)], body: &[u8]| {
        assert_eq!(request(server.address, "POST", "/logs", headers, body).unwrap().status, 204);
    };
    let counted = || {
        let text = server.get("/metrics").body;
        ["kept", "duplicate"].map(|outcome| {
            let series = format!("logdrain_deliveries_total{{outcome=\"{outcome}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&series)?.parse::<u32>().ok()).unwrap()
        })
    };
    for body in [&same, &same, &other, &same] {
        post(&[], body);
    }
    assert_eq!(counted(), [2, 2]);
    // A proxy that names each request makes two of a batch and its retry.
    for id in ["r1", "r2", "r2"] {
        post(&[("X-Request-Id", id)], &same);
    }
    assert_eq!(counted(), [4, 3]);
}

#[test]
fn a_start_behind_a_kill_writes_what_was_owed() {
    let dir = scratch("owed");
    let body = body(1, 40);
    let server = Server::start(&dir, &[]);
    assert_eq!(delivery("1", "d.one", body.clone()).send(server.address).unwrap(), 204);
    server.kill();
    let server = Server::start(&dir, &[]);
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.one", body)]));
    let before = written(&dir.join("rows.jsonl"));
    assert_eq!(server.stop().0, Some(0));
    let server = Server::start(&dir, &[]);
    wait_until("readiness", || (server.get("/readyz").status == 200).then_some(()));
    assert_eq!(server.stop().0, Some(0));
    assert_eq!(written(&dir.join("rows.jsonl")), before);
}

#[test]
fn what_is_no_delivery_is_answered_as_http_says() {
    let dir = scratch("http");
    let config = dir.join("config.toml");
    std::fs::write(&config, "body_limit = \"100kB\"\nmemory = \"1MB\"\nanswer_within = \"2s\"\n").unwrap();
    let server = Server::start(&dir, &["--config", config.to_str().unwrap()]);
    let status = |method, path, headers: &[(&str, &str)], body: &[u8]| {
        request(server.address, method, path, headers, body).unwrap().status
    };
    for path in ["/healthz", "/metrics", "/status"] {
        assert_eq!(status("GET", path, &[], b""), 200, "{path}");
    }
    wait_until("readiness", || (status("GET", "/readyz", &[], b"") == 200).then_some(()));
    assert_eq!(status("GET", "/logs", &[], b""), 405);
    assert_eq!(status("PUT", "/logs", &[], b""), 405);
    // A slash too many is forgiven, since Logplex drops whatever is answered with 404.
    for path in ["/logs/", "//logs"] {
        assert_eq!(status("POST", path, &[], b""), 204, "{path}");
    }
    for path in ["/log", "/logs/../logs", "/%6cogs", "/LOGS", "/..", "/metrics/x"] {
        assert_eq!(status("POST", path, &[], b""), 404, "{path}");
    }
    // Whatever is in it, a body is taken: a 4xx would make Logplex drop the batch.
    let gzip = |octets: &[u8]| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(octets).unwrap();
        out.finish().unwrap()
    };
    let zipped = gzip(&body(7, 20));
    for (headers, body) in [
        (&[][..], &b""[..]),
        (&[], b"\0\xff no frame at all"),
        (&[("Logplex-Msg-Count", "many")], b"5 junk\n"),
        (&[("Logplex-Frame-Id", "")], b"99999999999999999999999 <"),
        (&[("Content-Encoding", "gzip")], b"this is no gzip"),
        (&[("Content-Encoding", "gzip")], &zipped[..zipped.len() / 2]),
        (&[("Content-Encoding", "zstd")], b"who knows"),
        (&[("Content-Encoding", "gzip")], &zipped),
        (&[("Content-Type", "text/html")], &vec![b'x'; 100 * 1024]),
    ] {
        assert_eq!(status("POST", "/logs", headers, body), 204, "{headers:?}");
    }
    assert_eq!(status("POST", "/logs", &[], &vec![b'x'; 100 * 1024 + 1]), 413);
    assert_eq!(status("POST", "/logs", &[("Content-Encoding", "gzip")], &gzip(&vec![b'x'; 10 << 20])), 413);
    // A body that never ends is not waited for, and its sender is told to come again.
    let slow = raw(server.address, b"POST /logs HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").unwrap();
    assert_eq!(slow.status, 503);
    assert!(slow.head.contains("retry-after: 1") && slow.head.contains("connection: close"), "{}", slow.head);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn metrics_tell_the_books_and_the_last_window() {
    let dir = scratch("metrics");
    let server = Server::start(&dir, &[]);
    assert_eq!(server.get("/metrics").status, 200);
    let sent = delivery("1", "d.one", body(1, 40));
    assert_eq!((sent.send(server.address).unwrap(), sent.send(server.address).unwrap()), (204, 204));
    let text = wait_until("a closed window", || {
        Some(server.get("/metrics").body)
            .filter(|text| text.contains("logdrain_window{") && text.contains("stage=\"frames\""))
    });
    let value = |sample: &str| {
        let line = text.lines().find(|line| line.strip_prefix(sample).is_some_and(|rest| rest.starts_with(' ')));
        line.unwrap_or_else(|| panic!("no {sample} in {text}")).rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert_eq!(value("logdrain_deliveries_total{outcome=\"kept\"}"), 1.0);
    assert_eq!(value("logdrain_deliveries_total{outcome=\"duplicate\"}"), 1.0);
    assert_eq!(
        value(&format!("logdrain_ledger_total{{drain=\"{}\",stage=\"frames\",entry=\"in\"}}", shown("d.one"))),
        40.0
    );
    assert_eq!(value("logdrain_answer_seconds_count"), 2.0);
    assert_eq!(value("logdrain_ready"), 1.0);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, number) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("logdrain_") && number.parse::<f64>().is_ok(), "{line}");
    }
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn one_store_is_served_once() {
    let dir = scratch("lock");
    let server = Server::start(&dir, &[]);
    let (code, log) = Server::try_start(&dir, &[]).err().unwrap();
    assert_eq!(code, Some(2));
    assert!(log.contains("another logdrain serves this store"), "{log}");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_public_address_needs_credentials_and_a_word() {
    let dir = scratch("public");
    let (code, log) = Server::try_start(&dir, &["--listen", "0.0.0.0:0"]).err().unwrap();
    assert_eq!(code, Some(2));
    assert!(log.contains("credentials ([[drain]]) and TLS ([tls]) are missing") && log.contains("--insecure"), "{log}");
    assert!(!dir.join("store").exists(), "nothing was made");
}

#[test]
fn credentials_decide_whose_pipeline_counts() {
    let dir = scratch("credentials");
    let config = dir.join("config.toml");
    std::fs::write(dir.join("password"), "tr1cky\n").unwrap();
    std::fs::write(
        &config,
        r#"
[[drain]]
name = "shop"
user = "shop"
password = "s3cret"
tokens = ["d.1"]
app = "shop"

[[drain]]
name = "blog"
user = "blog"
password_file = "password"
"#,
    )
    .unwrap();
    let server = Server::start(&dir, &["--config", config.to_str().unwrap()]);
    let body = body(3, 8);
    let send = |credentials: Option<&str>, token: &str| {
        use base64::Engine as _;
        let basic = credentials.map(|pair| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)));
        let mut headers = vec![("Logplex-Frame-Id", "1"), ("Logplex-Drain-Token", token)];
        headers.extend(basic.as_deref().map(|basic| ("Authorization", basic)));
        request(server.address, "POST", "/logs", &headers, &body).unwrap()
    };
    for (credentials, token) in
        [(None, "d.1"), (Some("shop:tr1cky"), "d.1"), (Some("shop:s3cret"), "d.2"), (Some("nobody:"), "d.1")]
    {
        let refused = send(credentials, token);
        assert_eq!(refused.status, 401, "{credentials:?}");
        assert!(refused.head.contains("www-authenticate: Basic"), "{}", refused.head);
    }
    assert_eq!((server.get("/status").status, server.get("/metrics").status), (401, 401), "nobody was named to watch");
    assert_eq!(send(Some("shop:s3cret"), "d.1").status, 204);
    assert_eq!(send(Some("blog:tr1cky"), "d.9").status, 204);
    wait_until("rows of both", || {
        let rows = written(&dir.join("rows.jsonl"));
        let of = |drain: &str| {
            rows.iter().filter(|((of, _), _)| of == drain).map(|(_, row)| row.clone()).collect::<Vec<_>>()
        };
        let (shop, blog) = (of(&shown("shop/d.1")), of(&shown("blog/d.9")));
        let tagged = |rows: &[String]| rows.iter().any(|row| row.contains("\"app_name\":\"shop\""));
        (!shop.is_empty() && shop.len() == blog.len() && tagged(&shop) && !tagged(&blog)).then_some(())
    });
    let (code, log) = server.stop();
    assert_eq!(code, Some(0));
    assert!(!log.contains("s3cret") && !log.contains("tr1cky"), "{log}");
}

#[test]
fn the_page_shows_log_text_as_text() {
    let dir = scratch("page");
    let server = Server::start(&dir, &[]);
    assert!(server.get("/status").body.contains("No drain has sent anything yet."));
    let hostile = "<script>alert(1)</script>\u{1b}]0;owned\u{7}";
    let line = format!(
        "<190>1 {} host app web.1 - measure#db.query=7ms tag#who=\"{hostile}\"\n",
        harness::time_of(harness::now_micros())
    );
    let body = format!("{} {line}", line.len()).into_bytes();
    assert_eq!(delivery("1", "d.one", body).send(server.address).unwrap(), 204);
    let page =
        wait_until("a closed window", || Some(server.get("/status")).filter(|page| page.body.contains("Last closed")));
    assert!(page.body.contains(&shown("d.one")) && page.body.contains("db.query"), "{}", page.body);
    assert!(page.body.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{}", page.body);
    assert!(!page.body.contains("<script") && !page.body.contains('\u{1b}') && !page.body.contains('\u{7}'));
    assert!(page.head.contains("content-security-policy: default-src 'none'"), "{}", page.head);
    assert_eq!(server.stop().0, Some(0));
}

/// What of a delivery is on the disk when it was answered: who sent it, and ids for its events, which rise.
#[test]
fn a_delivery_is_kept_with_its_sender_and_the_ids_of_its_events() {
    let dir = scratch("kept");
    let server = Server::start(&dir, &[]);
    let mut long = harness::body(1, 3_000);
    // One frame that cannot be read, and a stretch that is none.
    long.extend_from_slice(b"8 <999>1 -\nthis is no frame");
    for (id, body) in [("1", harness::body(2, 3)), ("2", long), ("3", Vec::new()), ("4", harness::body(3, 1))] {
        assert_eq!(delivery(id, "d.one", body).send(server.address).unwrap(), 204);
    }
    let before = harness::now_micros() / 1_000;
    server.kill();
    let db = rusqlite::Connection::open(dir.join("store/journal.db")).unwrap();
    let mut kept =
        db.prepare("SELECT peer, layout, events, base, at, raw FROM journal WHERE kind = 0 ORDER BY seq").unwrap();
    let kept = kept.query_map([], |row| {
        let numbers: [i64; 4] = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
        Ok((row.get::<_, Vec<u8>>(0)?, numbers, row.get::<_, Option<i64>>(5)?))
    });
    let kept: Vec<_> = kept.unwrap().collect::<Result<_, _>>().unwrap();
    let events: Vec<_> = kept.iter().map(|(_, [_, events, ..], _)| *events).collect();
    assert_eq!(events, [3, 3_002, 0, 1]);
    let mut last = 0;
    for (peer, [layout, events, base, at], _) in &kept {
        assert_eq!((&peer[..], *layout), (&[127, 0, 0, 1][..], 0));
        assert!(*base > last && base & 0xff == 0, "{kept:?}");
        assert!((base >> 20).abs_diff(at / 1_000) < 1_000 && (base >> 20) as u64 <= before + 1_000, "{kept:?}");
        last = base + 256 * (events - 1);
    }
    assert!(kept[1].2.is_some(), "a long one is packed");
}
