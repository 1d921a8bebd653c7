//! Archives that a server writes: over kills, and of what its journal held.

use crate::harness::{Delivery, PATIENCE, Server, body, now_micros, scratch, wait_until, wait_within};
use crate::lines::{config, kept};
use flate2::read::MultiGzDecoder;
use log_archive::Period;
use log_store::{Event, EventId, Options, Store};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const HOUR: i64 = 3_600_000_000;

/// The files below the archives of an account that end so.
fn files(dir: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for day in fs::read_dir(dir.join("store/archives/default")).into_iter().flatten().flatten() {
        for file in fs::read_dir(day.path()).into_iter().flatten().flatten() {
            if file.file_name().to_string_lossy().ends_with(end) {
                found.push(file.path());
            }
        }
    }
    found.sort();
    found
}

/// The ids of an archive and the programs and messages of its rows. The file is whole, and no line stands in it twice.
pub(crate) fn rows(path: &Path) -> Vec<(u64, String, String)> {
    let mut reader = log_archive::Reader::new(BufReader::new(MultiGzDecoder::new(File::open(path).unwrap())));
    let (mut rows, mut ids) = (Vec::new(), BTreeSet::new());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    while let Some(row) = reader.read().unwrap() {
        assert!(ids.insert(row.id()), "{} stands twice in {}", row.id(), path.display());
        rows.push((row.id(), text(row.program()), text(row.message())));
    }
    assert!(!reader.counts().is_cut() && reader.counts().refused() == 0);
    rows
}

fn now() -> i64 {
    i64::try_from(now_micros()).unwrap()
}

#[test]
fn killed_at_any_moment_an_hour_is_archived_with_all_its_lines_once() {
    let dir = scratch("archives-crash");
    let hour = Period::hour_of(now() - 2 * HOUR);
    let mut store = Store::open(dir.join("store/logs"), Options::new()).unwrap();
    let mut ids = Vec::new();
    for line in 0..400_000_i64 {
        let text = format!("GET /cart/{line} status=200 request_id={:016x}", line.wrapping_mul(0x1e37_79b9_7f4a_7c15));
        let id = EventId::at(hour.start() + line * 8_000);
        store.append(&Event::new(id, "default", text.as_bytes()).with_system(b"shop")).unwrap();
        store.publish(id);
        ids.push(id.get());
    }
    store.flush().unwrap();
    drop(store);
    let config = config(&dir, "archives = true\n");
    let mut kills = 0;
    while kills < 5 && files(&dir, ".tsv.gz").is_empty() {
        let server = Server::start(&dir, &["--config", &config]);
        // What a server left that was killed is not there any more.
        assert_eq!(files(&dir, ".unfinished"), Vec::<PathBuf>::new());
        wait_until("an archive on its way", || {
            (!files(&dir, ".unfinished").is_empty() || !files(&dir, ".tsv.gz").is_empty()).then_some(())
        });
        std::thread::sleep(Duration::from_millis(kills * 17));
        server.kill();
        kills += 1;
        for archive in files(&dir, ".tsv.gz") {
            assert_eq!(rows(&archive).len(), ids.len(), "an archive that is there is whole");
        }
    }
    assert!(kills > 1, "nothing was killed on its way");
    let server = Server::start(&dir, &["--config", &config]);
    // Of 400,000 lines, by a program without optimisation, on a machine that others use.
    let archive = wait_within(PATIENCE * 4, "the archive", || files(&dir, ".tsv.gz").pop());
    assert!(archive.ends_with(format!("dt={}/{}", hour.day(), hour.file_name())), "{}", archive.display());
    let found: Vec<u64> = rows(&archive).into_iter().map(|(id, ..)| id).collect();
    assert_eq!(found, ids);
    assert_eq!(files(&dir, ".unfinished"), Vec::<PathBuf>::new());
    assert_eq!(files(&dir, ".books.json").len(), 1);
    // From now on no line gets an id of that hour.
    let sent = Delivery { id: "1".to_owned(), token: "d.shop".to_owned(), body: body(1, 3) };
    assert_eq!(sent.send(server.address).unwrap(), 204);
    assert_eq!(server.stop().0, Some(0));
    let kept = kept(&dir);
    assert_eq!(kept.range(EventId::at(hour.end()).get()..).count(), 3);
}

/// A request and its answer, byte for byte.
fn fetch(server: &Server, method: &str, path: &str) -> (u16, String, Vec<u8>) {
    fetch_with(server, method, path, "")
}

fn fetch_with(server: &Server, method: &str, path: &str, headers: &str) -> (u16, String, Vec<u8>) {
    fetch_at(server.address, method, path, headers)
}

/// The same, of whoever listens there.
pub(crate) fn fetch_at(host: SocketAddr, method: &str, path: &str, headers: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: gzip\r\n{headers}Connection: close\r\n\r\n"
    )
    .unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let end = all.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(all[..end].to_vec()).unwrap().to_ascii_lowercase();
    (head[9..12].parse().unwrap(), head, all[end + 4..].to_vec())
}

#[test]
fn archives_are_listed_and_downloaded_by_the_hour_and_by_the_day() {
    let dir = scratch("archives-api");
    // Two hours of a day that is over, with one between them that has no line.
    let day = Period::hour_of(now() - 26 * HOUR).day();
    let hours: Vec<Period> =
        day.hours().filter(|hour| [7, 9].contains(&((hour.start() - day.start()) / HOUR))).collect();
    let mut store = Store::open(dir.join("store/logs"), Options::new()).unwrap();
    for hour in &hours {
        for line in 0..3_000 {
            let (id, text) = (EventId::at(hour.start() + line * 1_000_000), format!("line {line}"));
            store.append(&Event::new(id, "default", text.as_bytes()).with_system(b"shop")).unwrap();
            store.publish(id);
        }
    }
    store.flush().unwrap();
    drop(store);
    let server = Server::start(&dir, &["--config", &config(&dir, "archives = true\n")]);
    assert_eq!(fetch(&server, "GET", "/api/v1/archives.json").2, b"[]");
    wait_until("the archives", || (files(&dir, ".tsv.gz").len() == 2).then_some(()));
    wait_until("their names", || (files(&dir, ".unfinished").is_empty()).then_some(()));

    for path in ["/api/v1/archives.json", "/api/v1/archives"] {
        let (status, _, body) = fetch(&server, "GET", path);
        let listed: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let text = |at: usize, key: &str| listed[at][key].as_str().unwrap().to_owned();
        assert_eq!((status, listed.as_array().unwrap().len()), (200, 2));
        assert_eq!((text(0, "filename"), text(1, "filename")), (hours[0].file_name(), hours[1].file_name()));
        assert_eq!(
            (text(0, "duration_formatted").as_str(), text(0, "start").ends_with("T07:00:00Z")),
            ("1 hour", true)
        );
        let link = listed[0]["_links"]["download"]["href"].as_str().unwrap();
        assert_eq!(link, format!("http://{}/api/v1/archives/{}/download", server.address, hours[0]));
    }
    let (mut together, of) = (Vec::new(), |path: String| fetch(&server, "GET", &path));
    for hour in &hours {
        let (status, head, body) = of(format!("/api/v1/archives/{hour}/download"));
        assert_eq!(status, 200);
        assert!(head.contains("content-type: application/gzip") && !head.contains("content-encoding"), "{head}");
        assert!(head.contains(&format!("content-length: {}", body.len())) && head.contains("x-rate-limit-"), "{head}");
        assert_eq!(body, fs::read(dir.join(format!("store/archives/default/dt={day}/{}", hour.file_name()))).unwrap());
        together.extend(body);
    }
    let (status, head, body) = of(format!("/api/v1/archives/{day}/download"));
    assert_eq!((status, body == together), (200, true));
    assert!(head.contains(&format!("content-length: {}", together.len())), "{head}");
    let mut text = String::new();
    MultiGzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 6_000);
    let (status, head, body) = fetch(&server, "HEAD", &format!("/api/v1/archives/{day}/download"));
    assert_eq!((status, body.len()), (200, 0));
    assert!(head.contains(&format!("content-length: {}", together.len())), "{head}");

    // Parts of it, over the end of a file, too.
    let path = format!("/api/v1/archives/{day}/download");
    let first = fs::metadata(files(&dir, ".tsv.gz").first().unwrap()).unwrap().len() as usize;
    let all = together.len();
    for (range, part) in [
        ("0-", 0..all),
        ("0-9", 0..10),
        (&format!("{}-{}", first - 5, first + 4), first - 5..first + 5),
        (&format!("{first}-"), first..all),
        (&format!("{}-", first + 7), first + 7..all),
        ("-17", all - 17..all),
    ] {
        let (status, head, body) = fetch_with(&server, "GET", &path, &format!("Range: bytes={range}\r\n"));
        assert_eq!((status, body == together[part.clone()]), (206, true), "{range}: {head}");
        let told = format!("content-range: bytes {}-{}/{all}", part.start, part.end - 1);
        assert!(head.contains(&told) && head.contains(&format!("content-length: {}", part.len())), "{range}: {head}");
    }
    let (status, head, _) = fetch_with(&server, "GET", &path, &format!("Range: bytes={all}-\r\n"));
    assert!(status == 416 && head.contains(&format!("content-range: bytes */{all}")), "{head}");
    assert_eq!(fetch_with(&server, "GET", &path, "Range: lines=1-2\r\n").0, 200);
    // A part of this archive, and not of one that was written again since, or that stands elsewhere.
    let tag_of = |path: &str| {
        let (_, head, _) = fetch(&server, "GET", path);
        head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned()
    };
    let tag = tag_of(&path);
    assert!(tag.starts_with('"') && tag == tag_of(&path), "{tag}");
    for (of, status) in [(tag.as_str(), 206), ("\"another\"", 200), ("Sun, 29 Nov 2026 08:49:37 GMT", 200)] {
        let asked = format!("Range: bytes=10-\r\nIf-Range: {of}\r\n");
        assert_eq!(fetch_with(&server, "GET", &path, &asked).0, status, "{of}");
    }
    let written = fs::File::options().append(true).open(files(&dir, ".tsv.gz").first().unwrap()).unwrap();
    let modified = written.metadata().unwrap().modified().unwrap();
    written.set_modified(modified + std::time::Duration::from_secs(1)).unwrap();
    assert_ne!(tag_of(&path), tag, "of the same length, and written again");
    let tag = tag_of(&path);
    // The command goes on with what was there in part, and has the same bytes.
    let folder = dir.join("got");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{day}.tsv.gz.part")), &together[..first + 3]).unwrap();
    fs::write(folder.join(format!("{day}.tsv.gz.part.tag")), tag).unwrap();
    let address = server.address.to_string();
    for (how, period) in [("--date", day.to_string()), ("--hour", hours[0].to_string())] {
        let got = Command::new(env!("CARGO_BIN_EXE_logdrain"))
            .args(["archive", "get", how, &period, "--server", &address, "--output", folder.to_str().unwrap()])
            .env("LOGDRAIN_TOKEN", "any")
            .output()
            .unwrap();
        assert!(got.status.success(), "{}", String::from_utf8_lossy(&got.stderr));
    }
    assert!(fs::read(folder.join(day.file_name())).unwrap() == together);
    assert!(fs::read(folder.join(hours[0].file_name())).unwrap() == together[..first]);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no part is left");

    // Ten at once, as some clients ask.
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| assert_eq!(fetch(&server, "GET", &format!("/api/v1/archives/{day}/download")).2, together));
        }
    });
    let empty = day.hours().nth(8).unwrap();
    let none =
        ["2011-02-25", "2011-02-25-07", "2026-02-30", "..%2f..%2fjournal.db", "%00", "x", "2011-02-25-07.tsv.gz"];
    for period in none.iter().map(|period| (*period).to_owned()).chain([empty.to_string()]) {
        let (status, _, body) = of(format!("/api/v1/archives/{period}/download"));
        assert_eq!(status, 404, "{period}");
        assert!(body.starts_with(b"{\"message\":\"there is no"), "{period}");
    }
    for (method, path) in [("POST", "/api/v1/archives"), ("DELETE", "/api/v1/archives"), ("GET", "/api/v1/archives/a")]
    {
        assert_eq!(fetch(&server, method, path).0, 404, "{method} {path}");
    }
}

#[test]
fn without_a_word_nothing_is_archived() {
    let dir = scratch("archives-off");
    let id = EventId::at(now() - 3 * HOUR);
    let mut store = Store::open(dir.join("store/logs"), Options::new()).unwrap();
    store.append(&Event::new(id, "default", b"one")).unwrap();
    store.publish(id);
    store.flush().unwrap();
    drop(store);
    let server = Server::start(&dir, &[]);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(server.stop().0, Some(0));
    assert!(!dir.join("store/archives").exists());
}

/// So many lines of a drain, a tenth of a second apart by the sender's clock.
fn lines_at(micros: i64, drain: u64, lines: u64) -> Vec<u8> {
    let mut body = Vec::new();
    for line in 0..lines {
        let time = crate::harness::time_of(u64::try_from(micros).unwrap() + line * 100_000);
        let seed = drain * 7 + line;
        let text = match line % 3 {
            0 => format!(
                "<158>1 {time} host heroku router - at=info method=GET path=\"/{seed}\" host=shop.example.com \
                 request_id=7b2e fwd=\"192.0.2.7\" dyno=web.1 connect=1ms service={}ms status=200 bytes=12\n",
                seed * 37 % 997
            ),
            1 => format!("<190>1 {time} host app web.1 - measure#db.query={}ms source=db.1\n", seed * 31 % 311),
            _ => format!("<190>1 {time} host app web.1 - count#orders={}\n", seed % 5 + 1),
        };
        body.extend_from_slice(format!("{} {text}", text.len()).as_bytes());
    }
    body
}

#[test]
#[cfg(target_os = "linux")]
fn an_audit_of_an_archive_finds_no_difference_and_one_that_is_made() {
    let dir = scratch("archives-audit");
    let clock = dir.join("clock");
    // Half past some hour that is over: of an hour alone, the first and the last ten minutes are not compared.
    let hour = Period::hour_of(now() - 3 * HOUR);
    let ahead = (hour.start() + HOUR / 2 - now()) / 1_000_000;
    fs::write(&clock, format!("{ahead}")).unwrap();
    let Some(server) = crate::clock::shifted_with(&dir, &clock, &["--config", &config(&dir, "archives = true\n")])
    else {
        return;
    };
    let mut lines = 0;
    for round in 0..20 {
        for drain in 1..=2 {
            let body = lines_at(now() + ahead * 1_000_000, drain, 10);
            let sent = Delivery { id: format!("{round}-{drain}"), token: format!("d.{drain}"), body };
            assert_eq!(sent.send(server.address).unwrap(), 204);
            lines += 10;
        }
        std::thread::sleep(Duration::from_millis(150));
    }
    let rows = dir.join("rows.jsonl");
    let mut last = (0, Instant::now());
    wait_until("the rows", || {
        let len = fs::metadata(&rows).map_or(0, |file| file.len());
        if len != last.0 {
            last = (len, Instant::now());
        }
        (len > 0 && last.1.elapsed() > Duration::from_secs(4)).then_some(())
    });
    // Its lines are in the journal alone, and by the true clock their hour is long over.
    server.kill();
    let server = Server::start(&dir, &["--config", dir.join("config.toml").to_str().unwrap(), "--believe-clock"]);
    let archive = wait_until("the archive", || files(&dir, ".tsv.gz").pop());
    assert!(archive.ends_with(hour.file_name()), "{}", archive.display());
    assert_eq!(self::rows(&archive).len(), lines);
    let daily = dir.join(hour.day().file_name());
    fs::write(&daily, fetch(&server, "GET", &format!("/api/v1/archives/{}/download", hour.day())).2).unwrap();
    drop(server);

    let audit_of = |archive: &Path, rows: &Path| {
        let output = Command::new(env!("CARGO_BIN_EXE_logdrain"))
            .args(["audit", "--window", "1s"])
            .args([archive, rows])
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr))
    };
    let audit = |rows: &Path| audit_of(&archive, rows);
    // A day, as it is downloaded.
    let (code, said) = audit_of(&daily, &rows);
    assert!(code == Some(0) && said.contains("no difference"), "{said}");
    let (code, said) = audit(&rows);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("no difference") && said.contains(&hour.to_string()), "{said}");
    // A count that is one too high is found.
    let text = fs::read_to_string(&rows).unwrap();
    let at = text.rfind("\"name\":\"orders\"").unwrap();
    let (before, row) = text.split_at(at);
    let (front, behind) = row.split_once("\"sum\":").unwrap();
    let (sum, rest) = behind.split_once(',').unwrap();
    let wrong = dir.join("wrong.jsonl");
    fs::write(&wrong, format!("{before}{front}\"sum\":{},{rest}", sum.parse::<u64>().unwrap() + 1)).unwrap();
    let (code, said) = audit(&wrong);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("1 differ") && said.contains("orders"), "{said}");
    // An hour with a loss is told, and not compared.
    let books = archive.with_file_name(format!("{hour}.books.json"));
    let text = fs::read_to_string(&books).unwrap();
    let lost = text.replace("\"no_room\":0", "\"no_room\":5");
    assert_ne!(text, lost);
    fs::write(&books, lost).unwrap();
    let (code, said) = audit(&rows);
    assert_eq!(code, Some(1));
    assert!(said.contains("5 of its lines are missing") && said.contains("nothing was compared"), "{said}");
}
