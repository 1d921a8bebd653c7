//! `logdrain send` against the library: what it says is in its deliveries is what is found in them.

use crate::receiver::{self, Receiver, Reply};
use examples::hyper_service;
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{self, ServerConfig};

const SCENARIOS: [&str; 12] = [
    "glued",
    "changed-retry",
    "bare",
    "wrong-count",
    "oversize",
    "invalid-utf8",
    "slow-body",
    "chunked",
    "gzip",
    "time-out",
    "dropped",
    "repeat",
];

/// A folder of its own for each test.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("send").join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn logdrain(folder: &Path, line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_logdrain")).args(line.split_whitespace()).current_dir(folder).output().unwrap()
}

/// Sends, keeps the truth in `truth.jsonl`, and returns the summary and the exit status.
fn send(folder: &Path, line: &str) -> (Value, i32) {
    let output = logdrain(folder, &format!("send --summary json --truth truth.jsonl {line}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    let summary = serde_json::from_str(&errors).unwrap_or_else(|_| panic!("{line}: {errors}"));
    (summary, output.status.code().unwrap())
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

/// Equal bytes; of unequal ones the first lines that differ.
fn assert_rows(got: &str, truth: &str, what: &str) {
    assert!(!truth.is_empty(), "{what}: no truth");
    let differ = got.lines().zip(truth.lines()).find(|(got, truth)| got != truth);
    assert!(got == truth, "{what}: {} rows for {}: {differ:#?}", got.lines().count(), truth.lines().count());
}

/// The rows of the one drain there was.
fn only(receiver: &Receiver) -> String {
    let rows = receiver.rows();
    assert_eq!(rows.len(), 1, "{:?}", rows.keys());
    rows.into_values().next().unwrap()
}

#[test]
fn files_hold_what_the_truth_says() {
    let folder = scratch("files");
    for scenario in SCENARIOS.iter().chain([&"all"]) {
        for dialect in ["logplex", "rfc5424"] {
            let line = format!("--write body --lines 12000 --scenario {scenario} --dialect {dialect}");
            assert_eq!(send(&folder, &line).1, 0);
            for read_as in [dialect, "auto"] {
                let line = format!("replay --format jsonl --ledger none --dialect {read_as} body");
                let rows = String::from_utf8(logdrain(&folder, &line).stdout).unwrap();
                assert_rows(&rows, &read(&folder, "truth.jsonl"), &format!("{scenario}, {dialect} as {read_as}"));
            }
        }
    }
}

#[test]
fn the_app_is_a_tag_of_native_metrics() {
    let folder = scratch("app");
    send(&folder, "--write body --lines 3000 --app shop");
    let rows = logdrain(&folder, "replay --format jsonl --ledger none --app shop body").stdout;
    assert_rows(&String::from_utf8(rows).unwrap(), &read(&folder, "truth.jsonl"), "--app");
    let of = |name| read(&folder, "truth.jsonl").lines().filter(|row| row.contains(name)).count();
    assert!(of("app_name") > 1_000 && of("app_name") < of("window"));
}

#[test]
fn equal_seeds_give_equal_octets() {
    let folder = scratch("seeds");
    let of = |line: &str| {
        send(&folder, &format!("--write body --lines 5000 --scenario all {line}"));
        (fs::read(folder.join("body")).unwrap(), read(&folder, "truth.jsonl"))
    };
    let first = of("");
    assert!(of("--seed 1") == first);
    let other = of("--seed 2");
    assert!(other.0 != first.0 && other.1 != first.1);
}

#[test]
fn each_scenario_is_counted_right() {
    for scenario in SCENARIOS.iter().chain([&"all"]) {
        let folder = scratch(scenario);
        let receiver = Receiver::new(|_, seen| match seen.header("authorization") {
            Some("Basic aGVyb2t1OnNlY3JldA==") => Reply::Take,
            _ => Reply::Refuse(401),
        });
        let url = receiver.url().replace("://", "://heroku:secret@");
        let (summary, status) = send(&folder, &format!("--to {url} --lines 10000 --scenario {scenario}"));
        assert_eq!((status, &summary["exact"]), (0, &Value::Bool(true)), "{scenario}: {summary}");
        assert_rows(&only(&receiver), &read(&folder, "truth.jsonl"), scenario);

        // The scenario took place.
        let requests = receiver.requests();
        let any = |is: fn(&receiver::Seen) -> bool| requests.iter().any(is);
        let took_place = match *scenario {
            "glued" => any(|seen| seen.body.windows(11).any(|part| part == b" logplex - ")),
            "changed-retry" => requests.windows(2).any(|pair| {
                pair[0].header("logplex-frame-id") == pair[1].header("logplex-frame-id") && pair[0].body != pair[1].body
            }),
            "bare" => {
                any(|seen| seen.header("x-request-id").is_some())
                    && any(|seen| seen.header("x-request-id").is_none())
                    && !any(|seen| seen.header("logplex-frame-id").or(seen.header("logplex-drain-token")).is_some())
            }
            "wrong-count" => {
                any(|seen| seen.header("logplex-msg-count").is_none())
                    || any(|seen| seen.header("logplex-msg-count") == Some("many"))
            }
            "oversize" => any(|seen| seen.body.windows(66_000).any(|part| part.iter().all(|byte| *byte == b'x'))),
            "invalid-utf8" => any(|seen| std::str::from_utf8(&seen.body).is_err()),
            "chunked" => any(|seen| seen.header("transfer-encoding") == Some("chunked")),
            "gzip" => requests.iter().all(|seen| seen.header("content-encoding") == Some("gzip")),
            "time-out" => summary["retries"].as_u64() > Some(2),
            "dropped" => {
                summary["dropped"]["lines"].as_u64() > Some(300) && summary["statuses"]["401"].as_u64() > Some(2)
            }
            "repeat" => summary["repeated"].as_u64() > Some(30),
            // Its pieces do not show in what was received.
            "slow-body" => summary["answer_ms"]["max"].as_f64() > Some(50.0),
            _ => true,
        };
        assert!(took_place, "{scenario}: {summary}");
    }
}

/// A receiver that counts whatever comes is told from a right one.
#[test]
fn a_receiver_that_counts_twice_is_caught() {
    for scenario in ["changed-retry", "time-out", "repeat"] {
        let folder = scratch("caught");
        let receiver = Receiver::taking();
        send(&folder, &format!("--to {} --lines 5000 --scenario {scenario}", receiver.url()));
        let truth = read(&folder, "truth.jsonl");
        assert_rows(&only(&receiver), &truth, scenario);
        let bodies: Vec<u8> = receiver.requests().into_iter().flat_map(|seen| seen.body).collect();
        fs::write(folder.join("bodies"), bodies).unwrap();
        let twice = logdrain(&folder, "replay --format jsonl --ledger none bodies").stdout;
        assert!(twice != truth.as_bytes(), "{scenario}");
    }
}

/// An interrupted run ends with the truth about what was sent until then.
#[test]
fn an_interrupt_ends_the_run_in_order() {
    let folder = scratch("interrupt");
    let receiver = Receiver::taking();
    let line = format!("send --to {} --truth truth.jsonl --lines 1000000 --rate 2000", receiver.url());
    let child = Command::new(env!("CARGO_BIN_EXE_logdrain"))
        .args(line.split_whitespace())
        .current_dir(&folder)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while receiver.requests().is_empty() {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_rows(&only(&receiver), &read(&folder, "truth.jsonl"), "interrupted");
}

#[test]
fn temporary_failures_are_tried_again_and_counted_once() {
    let folder = scratch("temporary");
    let receiver = Receiver::new(|number, _| match number % 7 {
        1 => Reply::Refuse(503),
        2 => Reply::TakeInSilence,
        4 => Reply::Refuse(429),
        5 => Reply::Silence,
        6 => Reply::Refuse(302),
        _ => Reply::Take,
    });
    let line = format!("--to {} --lines 6000 --batch 300 --timeout 150ms --tries 5", receiver.url());
    let (summary, status) = send(&folder, &line);
    assert_eq!((status, &summary["acknowledged"]["lines"]), (0, &Value::from(6_000)), "{summary}");
    assert!(summary["timeouts"].as_u64() > Some(2) && summary["retries"].as_u64() > Some(8), "{summary}");
    assert_rows(&only(&receiver), &read(&folder, "truth.jsonl"), "temporary failures");
}

#[test]
fn what_a_4xx_refuses_is_lost_and_the_next_delivery_tells() {
    let folder = scratch("refused");
    let receiver = Receiver::new(|number, _| match number {
        2 => Reply::Refuse(413),
        3 => Reply::Refuse(400),
        9 => Reply::Refuse(404),
        _ => Reply::Take,
    });
    let (summary, status) = send(&folder, &format!("--to {} --lines 1000 --batch 100", receiver.url()));
    assert_eq!(status, 0);
    assert_eq!((&summary["dropped"]["lines"], &summary["untold"]), (&Value::from(300), &Value::from(100)), "{summary}");
    assert_rows(&only(&receiver), &read(&folder, "truth.jsonl"), "4xx");
    let bodies: Vec<String> =
        receiver.requests().iter().map(|seen| String::from_utf8_lossy(&seen.body).into_owned()).collect();
    let tells = |number: usize, lost: &str| {
        let head = bodies[number].split_once(" host heroku logplex - ").map(|(_, rest)| rest);
        head.is_some_and(|rest| {
            rest.starts_with(&format!("Error L10 (output buffer overflow): {lost} messages dropped since "))
        })
    };
    assert!(!bodies[2].contains("Error L10") && tells(3, "100") && tells(4, "200") && !bodies[5].contains("Error L10"));
    // Counted with the L10 frame in front, and the frame ends without a line end.
    assert_eq!(receiver.requests()[4].header("logplex-msg-count"), Some("101"));
    let end = bodies[4].split_once("+00:00.").unwrap().1;
    assert!(end.starts_with(|next: char| next.is_ascii_digit()), "{}", &end[..40]);
}

#[test]
fn an_outcome_that_cannot_be_known_is_said() {
    let folder = scratch("unknown");
    for reply in [Reply::Silence, Reply::TakeInSilence] {
        let receiver = Receiver::new(move |number, _| if number < 2 { reply } else { Reply::Take });
        let line = format!("--to {} --lines 500 --batch 100 --timeout 100ms --tries 2", receiver.url());
        let (summary, status) = send(&folder, &line);
        assert_eq!((status, &summary["exact"]), (1, &Value::Bool(false)));
        assert_eq!((&summary["unknown"]["lines"], &summary["acknowledged"]["lines"]), (&100.into(), &400.into()));
    }
    // Refused for certain, to the end: lost, and that is known.
    let receiver = Receiver::new(|number, _| if number < 2 { Reply::Refuse(503) } else { Reply::Take });
    let (summary, status) = send(&folder, &format!("--to {} --lines 500 --batch 100 --tries 2", receiver.url()));
    assert_eq!((status, &summary["dropped"]["lines"]), (0, &Value::from(100)), "{summary}");
    assert_rows(&only(&receiver), &read(&folder, "truth.jsonl"), "given up");
}

#[test]
fn the_documented_receiver_counts_right() {
    let folder = scratch("hyper_service");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/logs", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    let drains = hyper_service::Drains::default();
    let served = Arc::clone(&drains);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            hyper_service::serve(tokio::net::TcpListener::from_std(listener).unwrap(), served).await;
        });
    });
    // It does without gzip, and without headers it knows no retry.
    let scenarios = SCENARIOS.iter().filter(|name| !["gzip", "bare"].contains(name)).copied();
    let scenarios = scenarios.collect::<Vec<_>>().join(",");
    let (summary, status) = send(&folder, &format!("--to {url} --app shop --lines 12000 --scenario {scenarios}"));
    assert_eq!(status, 0, "{summary}");
    let mut drains = drains.lock().unwrap();
    assert_eq!(drains.len(), 1);
    let rows: String = drains.values_mut().map(|drain| receiver::finished(&mut drain.pipeline)).collect();
    assert_rows(&rows, &read(&folder, "truth.jsonl"), "hyper_service");
}

#[test]
fn a_receiver_that_is_away_is_waited_for() {
    let folder = scratch("away");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let line = format!("send --to http://{address}/logs");
    let refused = logdrain(&folder, &line);
    let errors = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && errors.contains("nothing answers there"), "{errors}");

    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        let decide = |number, _: &receiver::Seen| if number < 3 { Reply::Refuse(503) } else { Reply::Take };
        Receiver::on(TcpListener::bind(address).unwrap(), decide, |_| None)
    });
    let (summary, status) = send(&folder, &format!("--to http://{address}/logs --lines 1000 --until-acknowledged 60s"));
    assert_eq!(status, 0, "{summary}");
    assert!(summary["not_connected"].as_u64() > Some(0) && summary["statuses"]["503"] == 3, "{summary}");
    assert_rows(&only(&late.join().unwrap()), &read(&folder, "truth.jsonl"), "late receiver");
}

#[test]
fn several_drains_have_a_truth_each() {
    let folder = scratch("drains");
    let app = |token: &str| token.strip_prefix("d.").map(|number| format!("shop-{number}"));
    let receiver = Receiver::on(TcpListener::bind("127.0.0.1:0").unwrap(), |_, _| Reply::Take, app);
    let line = "--lines 7001 --token d.1 --token d.2 --app shop --connections 3 --scenario repeat";
    let (summary, status) = send(&folder, &format!("--to {} {line}", receiver.url()));
    assert_eq!((status, &summary["acknowledged"]["lines"]), (0, &Value::from(7_001)));
    assert_eq!(summary["drains"][1], serde_json::json!({"token": "d.2", "app": "shop-2"}));
    let rows = receiver.rows();
    assert_rows(&rows["d.1"], &read(&folder, "truth.1.jsonl"), "first drain");
    assert_rows(&rows["d.2"], &read(&folder, "truth.2.jsonl"), "second drain");
    assert!(rows["d.1"].replace("shop-1", "shop-2") != rows["d.2"]);
}

#[test]
fn a_rate_makes_small_deliveries() {
    let folder = scratch("rate");
    let receiver = Receiver::taking();
    let (_, status) = send(&folder, &format!("--to {} --lines 300 --rate 400", receiver.url()));
    let counts: Vec<_> =
        receiver.requests().iter().map(|seen| seen.header("logplex-msg-count").unwrap().to_owned()).collect();
    assert_eq!((status, counts), (0, vec!["100".to_owned(); 3]));
    assert_rows(&only(&receiver), &read(&folder, "truth.jsonl"), "--rate");
}

/// The request as Logplex writes it, read from the wire.
#[test]
fn the_request_is_that_of_logplex() {
    let folder = scratch("request");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://heroku:p%3Aq@{}/logs?drain=1", listener.local_addr().unwrap());
    let heads = std::thread::spawn(move || {
        let mut heads = Vec::new();
        while heads.len() < 2 {
            let (stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(&stream).lines();
            let head: Vec<String> = lines.by_ref().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
            // The one that looks whether anybody listens says nothing.
            if !head.is_empty() {
                let status = if heads.is_empty() { 500 } else { 200 };
                write!(&stream, "HTTP/1.1 {status} Done\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
                heads.push(head);
            }
        }
        heads
    });
    let (_, status) = send(&folder, &format!("--to {url} --lines 1 --token d.5ca1ab1e"));
    let heads = heads.join().unwrap();
    assert_eq!((status, heads.len()), (0, 2), "{heads:?}");
    assert_eq!(heads[0], heads[1], "a retry is the same request");
    assert_eq!(heads[0][0], "POST /logs?drain=1 HTTP/1.1");
    for line in [
        "Authorization: Basic aGVyb2t1OnA6cQ==",
        "Content-Type: application/logplex-1",
        "Logplex-Msg-Count: 1",
        "Logplex-Drain-Token: d.5ca1ab1e",
        "User-Agent: Logplex/v49",
    ] {
        assert!(heads[0].iter().any(|known| known == line), "{line}: {heads:?}");
    }
    let id = heads[0].iter().find_map(|line| line.strip_prefix("Logplex-Frame-Id: ")).unwrap();
    assert!(id.len() == 32 && id.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F')), "{id}");
}

/// A receiver with a certificate of its own: an answer to one request comes back through TLS.
#[test]
fn https_trusts_what_it_is_told_to_trust() {
    let folder = scratch("https");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.join("ca.pem"), made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            let mut lines = BufReader::new(&mut stream).lines().map_while(Result::ok);
            if lines.any(|line| line.is_empty()) {
                let answer = b"HTTP/1.1 204 Stored\r\nConnection: close\r\n\r\n";
                stream.write_all(answer).and_then(|()| stream.flush()).unwrap();
            }
        }
    });
    let (summary, status) = send(&folder, &format!("--to https://localhost:{port}/logs --ca ca.pem --lines 1"));
    assert_eq!((status, &summary["statuses"]["204"]), (0, &Value::from(1)), "{summary}");
    // Another host's name is not in the certificate.
    let wrong = logdrain(&folder, &format!("send --to https://127.0.0.1:{port}/logs --ca ca.pem --lines 1"));
    let errors = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(wrong.status.code() == Some(2) && errors.contains("certificate"), "{errors}");
}

#[test]
fn the_examples_of_the_help_run() {
    let folder = scratch("help");
    let help = String::from_utf8(logdrain(&folder, "send --help").stdout).unwrap();
    let receiver = Receiver::taking();
    let mut run = 0;
    for line in help.lines().filter_map(|line| line.strip_prefix("  logdrain ")) {
        let line = line.replace("127.0.0.1:8514", receiver.url().split('/').nth(2).unwrap());
        match line.split_once(" | diff - ") {
            None => {
                let output = logdrain(&folder, &line);
                assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
            }
            Some((replay, truth)) => {
                let rows = String::from_utf8(logdrain(&folder, replay).stdout).unwrap();
                assert_rows(&rows, &read(&folder, truth), &line);
            }
        }
        run += 1;
    }
    assert_eq!(run, 4);
    for name in SCENARIOS {
        assert!(help.contains(&format!("\n  {name} ")), "{name}");
    }
    assert!(
        String::from_utf8(logdrain(&folder, "send --scenario list").stdout).unwrap().lines().count() > SCENARIOS.len()
    );
}

#[test]
fn contradictions_say_what_to_do() {
    let folder = scratch("usage");
    for (line, part) in [
        ("send --lines 5", "--to URL or --write FILE"),
        ("send --write - --truth -", "name one"),
        ("send --write nowhere/body", "nowhere/body: the folder nowhere does not exist"),
        ("send --write body --token d.1 --token d.2", "one drain"),
        ("send --to http://127.0.0.1:1/ --token d\u{e9}", "visible ASCII"),
        ("send --to http://127.0.0.1:1/ --write body", "cannot be used with"),
    ] {
        let output = logdrain(&folder, line);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && errors.contains(part), "{line}: {errors}");
    }
}
