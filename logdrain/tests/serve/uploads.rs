//! Archives that go to a bucket, by a real S3 server: `LOGDRAIN_S3=PYTHON cargo test -p logdrain --test serve
//! uploads::`, with a Python that has what `tests/clients/s3-requirements.txt` names (`.ci/run s3` makes one); without it
//! there is nothing to run.

use crate::archives::rows;
use crate::harness::{Answer, Server, request, scratch, wait_until};
use crate::settings_api::{By, ask, read};
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testkit::s3::S3;

const CONFIG: &str = "outbound_allow = [\"127.0.0.1\"]\n[watcher]\nuser = \"ops\"\npassword = \"ops-s3cret-12\"\n";
pub(crate) const BUCKET: &str = "logs-of-shop";

/// An object of the bucket, as it lies there.
pub(crate) fn object(s3: &S3, key: &str, dir: &Path) -> PathBuf {
    let all = s3.ask("GET", &format!("/{BUCKET}/{key}"), b"");
    let body = all.windows(4).position(|part| part == b"\r\n\r\n").unwrap() + 4;
    let file = dir.join("object.tsv.gz");
    fs::write(&file, &all[body..]).unwrap();
    file
}

/// What stands between: it hands bytes on, or does something else with the next requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    /// The server gets the request, and its answer is lost.
    Lost,
    /// 503, as S3 says that one is to slow down.
    Busy,
    /// The connection ends at once.
    Cut,
}

#[derive(Clone, Default)]
pub(crate) struct Between {
    /// Of the next connections, the next one at the end.
    faults: Arc<Mutex<Vec<Option<Fault>>>>,
    pub(crate) came: Arc<AtomicUsize>,
}

impl Between {
    pub(crate) fn start(&self, to: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let between = self.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let between = between.clone();
                std::thread::spawn(move || between.hand_on(client, to));
            }
        });
        at
    }

    fn hand_on(&self, mut client: TcpStream, to: SocketAddr) -> io::Result<()> {
        self.came.fetch_add(1, Ordering::SeqCst);
        let fault = self.faults.lock().unwrap().pop().flatten();
        match fault {
            Some(Fault::Cut) => return client.shutdown(Shutdown::Both),
            Some(Fault::Busy) => {
                // Whoever sends is heard to the end, or he finds the connection reset.
                client.set_read_timeout(Some(Duration::from_millis(300)))?;
                let _ = io::copy(&mut client, &mut io::sink());
                let body = "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>";
                return write!(client, "HTTP/1.1 503 Slow Down\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            }
            Some(Fault::Lost) | None => {}
        }
        let mut server = TcpStream::connect(to)?;
        let (mut from, mut on) = (client.try_clone()?, server.try_clone()?);
        std::thread::spawn(move || {
            let _ = io::copy(&mut from, &mut on);
            on.shutdown(Shutdown::Write)
        });
        if fault == Some(Fault::Lost) {
            // It has done what it was asked for when it begins to answer.
            let _ = server.read(&mut [0; 16]);
            return client.shutdown(Shutdown::Both);
        }
        io::copy(&mut server, &mut client)?;
        client.shutdown(Shutdown::Both)
    }
}

/// An hour of last year, with so many lines.
fn archive(dir: &Path, account: &str, hour: &str, lines: usize) {
    let folder = dir.join(format!("store/archives/{account}/dt={}", &hour[..10]));
    fs::create_dir_all(&folder).unwrap();
    let mut zip = GzEncoder::new(Vec::new(), flate2::Compression::none());
    for line in 0..lines {
        let time = format!("{}T{}:26:53Z", &hour[..10], &hour[11..]);
        let text = "x".repeat(200);
        writeln!(zip, "{}\t{time}\t{time}\t1\tshop\t192.0.2.7\tUser\tInfo\tapp/web.1\tline {line} {text}", line + 7)
            .unwrap();
    }
    fs::write(folder.join(format!("{hour}.tsv.gz")), zip.finish().unwrap()).unwrap();
}

fn start(dir: &Path, text: &str) -> Server {
    let path = dir.join("config.toml");
    fs::write(&path, text).unwrap();
    Server::start(dir, &["--config", path.to_str().unwrap()])
}

fn operator(server: &Server, method: &str, path: &str, body: Option<Value>) -> Answer {
    ask(server, By::Operator, method, path, body.as_ref())
}

pub(crate) fn bucket(at: SocketAddr, secret: &str) -> Value {
    json!({
        "endpoint": format!("http://{at}"), "region": "eu-central-1", "bucket": BUCKET, "key_id": "AKIATESTS",
        "secret_key": secret,
    })
}

fn set(server: &Server, at: SocketAddr) {
    let answer = operator(server, "PUT", "/api/v2/bucket", Some(bucket(at, "s3cret-of-bucket")));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.body.contains("s3cret"), "{answer:?}");
}

/// hour -> state.
fn states(server: &Server) -> Vec<(String, String)> {
    let told = read(&operator(server, "GET", "/api/v2/archives", None));
    let text = |value: &Value| value.as_str().unwrap_or("null").to_owned();
    told["archives"].as_array().unwrap().iter().map(|one| (text(&one["hour"]), text(&one["upload"]))).collect()
}

fn wait_for_all(server: &Server) {
    wait_until("uploads", || states(server).iter().all(|(_, state)| state == "uploaded").then_some(()));
}

const HOURS: [&str; 4] = ["2025-03-14-08", "2025-03-14-09", "2025-03-14-23", "2025-03-15-00"];

fn key(hour: &str) -> String {
    format!("papertrail/logs/default/dt={}/{hour}.tsv.gz", &hour[..10])
}

#[test]
fn archives_are_in_the_bucket_byte_by_byte_and_no_secret_is_anywhere() {
    let Some(s3) = S3::start(BUCKET) else { return };
    let dir = scratch("uploads");
    for hour in HOURS {
        archive(&dir, "default", hour, 50);
    }
    archive(&dir, "other", HOURS[0], 50);
    // More than one part.
    archive(&dir, "default", "2025-03-15-01", 90_000);
    let server = start(&dir, CONFIG);
    assert!(states(&server).iter().all(|(_, state)| state == "null"), "there is no bucket");
    set(&server, s3.at);
    let tested = read(&operator(&server, "POST", "/api/v2/bucket/test", None));
    assert_eq!(tested, json!({"ok": true, "why": null}));
    wait_for_all(&server);
    let all: Vec<&str> = HOURS.iter().copied().chain(["2025-03-15-01"]).collect();
    assert_eq!(s3.keys(BUCKET), all.iter().map(|hour| key(hour)).collect::<Vec<_>>(), "those, and no other account's");
    for hour in all {
        let own = fs::read(dir.join(format!("store/archives/default/dt={}/{hour}.tsv.gz", &hour[..10]))).unwrap();
        let there = object(&s3, &key(hour), &dir);
        assert!(fs::read(&there).unwrap() == own, "{hour}");
        assert!(!rows(&there).is_empty());
    }
    let shown = operator(&server, "GET", "/api/v2/bucket", None).body;
    assert!(shown.contains(BUCKET) && !shown.contains("s3cret"), "{shown}");
    // The same keys elsewhere are not sent there.
    let mut moved = bucket(s3.at, "");
    moved.as_object_mut().unwrap().remove("secret_key");
    assert_eq!(operator(&server, "PUT", "/api/v2/bucket", Some(moved.clone())).status, 200);
    moved["endpoint"] = json!("http://127.0.0.1:1");
    assert_eq!(operator(&server, "PUT", "/api/v2/bucket", Some(moved)).status, 400);
    let (code, log) = server.stop();
    assert!(code == Some(0) && !log.contains("ERROR") && !log.contains("s3cret-of-bucket"), "{log}");
    let settings = fs::read(dir.join("store/settings.db")).unwrap();
    assert!(!settings.windows(16).any(|part| part == b"s3cret-of-bucket"), "it is sealed");
    assert!(dir.join("logdrain.key").exists(), "beside the configuration");
}

#[test]
fn what_fails_is_told_and_tried_again_and_each_archive_is_there_once() {
    let Some(s3) = S3::start(BUCKET) else { return };
    let dir = scratch("uploads-faults");
    for hour in HOURS {
        archive(&dir, "default", hour, 50);
    }
    archive(&dir, "default", "2025-03-15-01", 90_000);
    let between = Between::default();
    let at = between.start(s3.at);
    // Between them archives get there, so that no pause grows for long; the last four are of the one in parts.
    let (busy, lost, cut) = (Some(Fault::Busy), Some(Fault::Lost), Some(Fault::Cut));
    let mut faults = vec![busy, None, lost, None, cut, None, None, None, None, lost, None, busy, None, cut];
    faults.reverse();
    *between.faults.lock().unwrap() = faults;
    let server = start(&dir, CONFIG);
    set(&server, at);
    let failed = wait_until("a failure", || states(&server).into_iter().find(|(_, state)| state == "failed"));
    assert_eq!(failed.0, HOURS[0], "the oldest goes first");
    let told = read(&operator(&server, "GET", "/api/v2/bucket", None));
    assert!(told["trouble"].is_string(), "{told}");
    wait_until_long("uploads", || states(&server).iter().all(|(_, state)| state == "uploaded").then_some(()));
    assert!(between.faults.lock().unwrap().is_empty());
    assert_eq!(s3.keys(BUCKET).len(), HOURS.len() + 1);
    for hour in HOURS.iter().chain(&["2025-03-15-01"]) {
        let own = fs::read(dir.join(format!("store/archives/default/dt={}/{hour}.tsv.gz", &hour[..10]))).unwrap();
        assert!(fs::read(object(&s3, &key(hour), &dir)).unwrap() == own, "{hour}");
    }
    let left = String::from_utf8(s3.ask("GET", &format!("/{BUCKET}?uploads"), b"")).unwrap();
    assert!(!left.contains("<UploadId>"), "no part is left: {left}");
    assert_eq!(read(&operator(&server, "GET", "/api/v2/bucket", None))["trouble"], Value::Null);
    assert_eq!(server.stop().0, Some(0));
}

fn wait_until_long<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    panic!("waited in vain for {what}");
}

#[test]
fn what_was_on_its_way_when_the_server_was_killed_goes_on_and_what_is_there_is_not_sent_again() {
    let Some(s3) = S3::start(BUCKET) else { return };
    let dir = scratch("uploads-crash");
    for day in 10..30 {
        archive(&dir, "default", &format!("2025-03-{day}-07"), 2_000);
    }
    let between = Between::default();
    let at = between.start(s3.at);
    let mut server = start(&dir, CONFIG);
    set(&server, at);
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(1_300));
        server.kill();
        server = start(&dir, CONFIG);
    }
    wait_for_all(&server);
    assert_eq!(s3.keys(BUCKET).len(), 20);
    let came = between.came.load(Ordering::SeqCst);
    assert!(came <= 20 + 3, "{came} requests for 20 archives and three kills");
    server.kill();
    server = start(&dir, CONFIG);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(between.came.load(Ordering::SeqCst), came, "nothing is sent again");
    // What a purge writes again goes there again, and what is purged is gone from it.
    let purged =
        read(&operator(&server, "POST", "/api/v2/purge", Some(json!({"query": "\"line 7 x\"", "dry_run": false}))));
    assert_eq!(purged["dry_run"], json!(false));
    wait_until_long("the bucket", || {
        let there = rows(&object(&s3, "papertrail/logs/default/dt=2025-03-10/2025-03-10-07.tsv.gz", &dir));
        (there.len() == 1_999).then_some(())
    });
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn wrong_buckets_keys_and_places_are_told_and_nothing_inside_is_asked() {
    let Some(s3) = S3::start(BUCKET) else { return };
    let dir = scratch("uploads-wrong");
    archive(&dir, "default", HOURS[0], 5);
    let server = start(&dir, CONFIG);
    let mut other = bucket(s3.at, "s3cret-of-bucket");
    other["bucket"] = json!("no-such-bucket");
    assert_eq!(operator(&server, "PUT", "/api/v2/bucket", Some(other)).status, 200);
    let tested = read(&operator(&server, "POST", "/api/v2/bucket/test", None));
    assert!(tested["ok"] == json!(false) && tested["why"].as_str().unwrap().contains("NoSuchBucket"), "{tested}");
    let waits = wait_until("the failure", || states(&server).pop().filter(|(_, state)| state == "failed"));
    assert_eq!(waits.0, HOURS[0]);
    // Keys that the server does not know.
    assert!(s3.ask("POST", "/moto-api/reset-auth", b"0").starts_with(b"HTTP/1.1 200"));
    set(&server, s3.at);
    let tested = read(&operator(&server, "POST", "/api/v2/bucket/test", None));
    assert!(tested["ok"] == json!(false) && tested["why"].as_str().unwrap().contains("InvalidAccessKeyId"), "{tested}");
    assert!(!tested.to_string().contains("s3cret"), "{tested}");
    assert!(s3.ask("POST", "/moto-api/reset-auth", b"1000000").starts_with(b"HTTP/1.1 200"));
    set(&server, s3.at);
    wait_for_all(&server);
    assert_eq!(operator(&server, "DELETE", "/api/v2/bucket", None).status, 204);
    assert_eq!(operator(&server, "DELETE", "/api/v2/bucket", None).status, 404);
    assert_eq!(operator(&server, "POST", "/api/v2/bucket/test", None).status, 404);
    assert_eq!(s3.keys(BUCKET).len(), 1, "what is there stays");
    for (key, value) in [
        ("endpoint", "http://10.0.0.1:9000"),
        ("endpoint", "https://169.254.169.254"),
        ("endpoint", "https://[::1]:9000"),
        ("endpoint", "ftp://s3.example.com"),
        ("bucket", "../etc"),
        ("region", "eu.example.com/"),
        ("prefix", "../.."),
        ("key_id", "a b"),
        ("secret_key", "a\nb"),
    ] {
        let mut wrong = bucket(s3.at, "s3cret-of-bucket");
        wrong[key] = json!(value);
        let answer = operator(&server, "PUT", "/api/v2/bucket", Some(wrong));
        assert_eq!(answer.status, 400, "{key} {value}: {answer:?}");
    }
    // A name that leads inside is found out when it is asked.
    let mut inside = bucket(s3.at, "s3cret-of-bucket");
    inside["endpoint"] = json!("https://localhost:9000");
    assert_eq!(operator(&server, "PUT", "/api/v2/bucket", Some(inside)).status, 200);
    assert_eq!(server.stop().0, Some(0));
    let server = start(&dir, &CONFIG.replace("outbound_allow = [\"127.0.0.1\"]\n", ""));
    let tested = read(&operator(&server, "POST", "/api/v2/bucket/test", None));
    assert!(tested["why"].as_str().unwrap().contains("outbound_allow"), "{tested}");
    assert_eq!(server.stop().0, Some(0));
    let _ = request(s3.at, "GET", "/", &[], b"");
}
