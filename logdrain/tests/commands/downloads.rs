//! `logdrain archive`: against a server that breaks off, says wrong lengths, and has nothing.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use testkit::program::errors;

const LIST: &str = r#"[{"start":"2026-11-28T20:00:00Z","end":"2026-11-28T21:00:00Z","filename":"2026-11-28-20.tsv.gz","filesize":"3000"},
{"start":"2026-11-28T21:00:00Z","end":"2026-11-28T22:00:00Z","filename":"2026-11-28-21.tsv.gz","filesize":3000},
{"start":"2026-11-28T23:00:00Z","end":"2026-11-29T00:00:00Z","filename":"2026-11-28-23.tsv.gz","filesize":"3000"},
{"start":"2026-11-28T22:00:00Z","end":"2026-11-28T23:00:00Z","filename":"../../\u001b[2Jpasswd"}]"#;

/// What the server of these tests does with a download.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Ranges are known; the first answer of each archive ends early.
    Breaks,
    /// Ranges are not known; the first answer ends early.
    BreaksWithoutRanges,
    /// As the first, and each answer is of another archive of that name: lines are purged meanwhile, an hour of a day goes.
    Changes,
    /// Says no length.
    Endless,
}

/// Bytes of an archive, which nobody unpacks here.
fn archive(name: &str) -> Vec<u8> {
    name.bytes().cycle().take(3_000).collect()
}

/// The server, and the requests that it got.
fn serve(way: Way) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let of_asked = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer(stream, way, &of_asked);
        }
    });
    (address, asked)
}

fn answer(mut stream: TcpStream, way: Way, asked: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return,
        }
    }
    let request = String::from_utf8(request).unwrap().to_ascii_lowercase();
    let path = request.split(' ').nth(1).unwrap().to_owned();
    let again = asked.lock().unwrap().iter().any(|earlier: &String| earlier.contains(&path));
    asked.lock().unwrap().push(request.clone());
    let mut send = |head: &str, body: &[u8]| {
        let _ = stream.write_all(format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes());
        let _ = stream.write_all(body);
    };
    let whole = match path.split('?').next().unwrap().strip_prefix("/api/v1/archives") {
        Some(".json") => return send(&format!("200 OK\r\nContent-Length: {}", LIST.len()), LIST.as_bytes()),
        Some("/2026-11-28-22/download") | None => {
            return send("404 Not Found\r\nContent-Length: 16", b"{\"message\":\"no\"}");
        }
        Some(path) => archive(path.trim_matches('/').split('/').next().unwrap()),
    };
    let range = request.split("range: bytes=").nth(1).and_then(|rest| rest.split('-').next()?.parse::<usize>().ok());
    let end = if again { whole.len() } else { 1_000 };
    let tag = format!("\"tag-{}\"", if way == Way::Changes && again { "new" } else { "old" });
    let (range, whole) = match request.split("if-range: ").nth(1) {
        Some(of) if way == Way::Changes && !of.starts_with(&tag) => (None, archive("another")),
        _ => (range, whole),
    };
    match (way, range) {
        (Way::Endless, _) => send("200 OK", &whole),
        (Way::Breaks, Some(from)) if from > whole.len() => {
            send("416 Range Not Satisfiable\r\nContent-Length: 0", b"");
        }
        (Way::Breaks, Some(from)) => {
            let (rest, len) = (&whole[from..], whole.len());
            let head = format!(
                "206 Partial Content\r\nETag: {tag}\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{len}",
                rest.len(),
                len - 1
            );
            send(&head, rest);
        }
        _ => send(&format!("200 OK\r\nETag: {tag}\r\nContent-Length: {}", whole.len()), &whole[..end]),
    }
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn logdrain(address: SocketAddr, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_logdrain"))
        .args(arguments)
        .env("LOGDRAIN_URL", format!("http://{address}"))
        .env("LOGDRAIN_TOKEN", "s3cr3t")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn a_download_that_breaks_off_is_gone_on_with() {
    for (way, from) in [(Way::Breaks, Some("range: bytes=1000-")), (Way::BreaksWithoutRanges, None)] {
        let (address, asked) = serve(way);
        let folder = scratch("downloads");
        let into = folder.to_str().unwrap();
        let output = logdrain(address, &["archive", "get", "--hour", "2026-11-28-20", "-o", into]);
        assert!(output.status.success(), "{}", errors(&output));
        assert_eq!(fs::read(folder.join("2026-11-28-20.tsv.gz")).unwrap(), archive("2026-11-28-20"));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left");
        let requests = asked.lock().unwrap().clone();
        assert!(requests.iter().all(|request| request.contains("x-papertrail-token: s3cr3t")));
        assert!(from.is_none_or(|from| requests[1].contains(from)), "{requests:?}");
        assert!(!errors(&output).contains("s3cr3t"));

        // Again: it is there. One of another length is another.
        let output = logdrain(address, &["archive", "get", "--hour", "2026-11-28-20", "-o", into]);
        assert!(errors(&output).contains("is there already"), "{}", errors(&output));
        fs::write(folder.join("2026-11-28-20.tsv.gz"), "old").unwrap();
        fs::write(folder.join("2026-11-28-20.tsv.gz.part"), vec![b'x'; 5_000]).unwrap();
        fs::write(folder.join("2026-11-28-20.tsv.gz.part.tag"), "\"tag-old\"").unwrap();
        let output = logdrain(address, &["archive", "get", "--hour", "2026-11-28-20", "-o", into]);
        assert!(output.status.success(), "{}", errors(&output));
        assert_eq!(fs::read(folder.join("2026-11-28-20.tsv.gz")).unwrap(), archive("2026-11-28-20"));
    }
}

#[test]
fn a_download_is_not_gone_on_with_when_the_archive_is_another_one_now() {
    let (address, asked) = serve(Way::Changes);
    let folder = scratch("downloads-changed");
    let into = folder.to_str().unwrap();
    let output = logdrain(address, &["archive", "get", "--date", "2026-11-28", "-o", into]);
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(fs::read(folder.join("2026-11-28.tsv.gz")).unwrap(), archive("another"));
    let requests = asked.lock().unwrap().clone();
    assert!(
        requests[1].contains("range: bytes=1000-") && requests[1].contains("if-range: \"tag-old\""),
        "{requests:?}"
    );

    // What is there without a tag may be the beginning of anything.
    fs::remove_file(folder.join("2026-11-28.tsv.gz")).unwrap();
    fs::write(folder.join("2026-11-28.tsv.gz.part"), vec![b'x'; 1_000]).unwrap();
    let output = logdrain(address, &["archive", "get", "--date", "2026-11-28", "-o", into]);
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(fs::read(folder.join("2026-11-28.tsv.gz")).unwrap(), archive("2026-11-28"));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn a_range_of_hours_and_days_are_downloaded_and_what_is_not_there_is_said() {
    let (address, _) = serve(Way::Breaks);
    let folder = scratch("downloads-range");
    let into = folder.to_str().unwrap();
    let names = || {
        let mut names: Vec<String> =
            fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let range =
        ["archive", "get", "--min-time", "2026-11-28 20:30 UTC", "--max-time", "2026-11-28 22:59 UTC", "-o", into];
    let output = logdrain(address, &range);
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(names(), ["2026-11-28-20.tsv.gz", "2026-11-28-21.tsv.gz"]);
    let output = logdrain(address, &["archive", "get", "--date", "2026-11-28", "--hour", "2026-11-28-22", "-o", into]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("there is no archive of 2026-11-28-22"), "{}", errors(&output));
    assert_eq!(names(), ["2026-11-28-20.tsv.gz", "2026-11-28-21.tsv.gz", "2026-11-28.tsv.gz"]);
    let output = logdrain(address, &["archive", "get", "--min-time", "2026-11-29 05:00 UTC", "-o", into]);
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
}

#[test]
fn archives_are_listed_and_no_name_is_believed() {
    let (address, _) = serve(Way::Endless);
    let output = logdrain(address, &["archive", "list"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("2026-11-28-20.tsv.gz  "), "{text}");
    assert_eq!(text.lines().count(), 4);
    assert!(!text.contains('\u{1b}'));
    let output = logdrain(address, &["archive", "list", "-j"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&first["filename"], &first["filesize"]), (&"2026-11-28-20.tsv.gz".into(), &"3000".into()));
    let folder = scratch("downloads-endless");
    let output = logdrain(address, &["archive", "get", "--hour", "2026-11-28-20", "-o", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
    assert!(errors(&output).contains("an archive without its length"), "{}", errors(&output));
}
