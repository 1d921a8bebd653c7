//! Segments and snapshots in a bucket of a real S3 server, and of ones that hang or fail: `LOGDRAIN_S3=PYTHON cargo test
//! -p logdrain-drain --features s3 --lib objects::`, with a Python that has what `logdrain/tests/clients/s3-requirements.txt`
//! names (`.ci/run s3` makes one); without it only those run that need none.

use super::super::objects::{Bucket, Objects};
use super::super::{Segments, SnapshotPlace, Snapshots as _};
use super::snapshot_place::keys;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use testkit::s3::S3;

const ENOUGH: Duration = Duration::from_secs(60);

fn has_parts(s3: &S3) -> bool {
    let listed = String::from_utf8(s3.ask("GET", "/snapshots?uploads", b"")).unwrap();
    assert!(listed.starts_with("HTTP/1.1 200"), "{listed}");
    listed.contains("<UploadId>")
}

/// What stands before a server: it hands bytes on, or does something else with the next connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    /// 503, as S3 says that one is to slow down.
    Busy,
    /// The server gets the request, and its answer is lost.
    Lost,
}

#[derive(Clone)]
struct Between {
    /// Of the next connections, the next one at the end.
    faults: Arc<Mutex<Vec<Option<Fault>>>>,
    came: Arc<AtomicUsize>,
}

impl Between {
    fn start(to: SocketAddr, faults: &[Option<Fault>]) -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let faults = Arc::new(Mutex::new(faults.iter().rev().copied().collect()));
        let between = Self { faults, came: Arc::default() };
        let own = between.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let own = own.clone();
                std::thread::spawn(move || own.hand_on(client, to));
            }
        });
        (between, at)
    }

    fn hand_on(&self, mut client: TcpStream, to: SocketAddr) -> io::Result<()> {
        self.came.fetch_add(1, Ordering::SeqCst);
        let fault = self.faults.lock().unwrap().pop().flatten();
        if fault == Some(Fault::Busy) {
            // Whoever sends is heard to the end, or he finds the connection reset.
            client.set_read_timeout(Some(Duration::from_millis(300)))?;
            let _ = io::copy(&mut client, &mut io::sink());
            let body = "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>";
            return write!(client, "HTTP/1.1 503 Slow Down\r\nContent-Length: {}\r\n\r\n{body}", body.len());
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

fn text(at: SocketAddr) -> String {
    format!("s3://snapshots/of/tests?region=eu-central-1&endpoint=http://{at}")
}

fn objects(at: SocketAddr, patience: Duration) -> Objects {
    Bucket::parse(text(at).strip_prefix("s3://").unwrap(), &keys).unwrap().objects("p3", patience).unwrap()
}

fn put(segments: &dyn Segments, name: &str, bytes: &[u8]) -> io::Result<()> {
    // As snapshots are written: in pieces that fit into nothing, and some that are large.
    segments.put(name, &mut |out| {
        let mut out = io::BufWriter::new(out);
        let (small, large) = bytes.split_at(bytes.len() / 3);
        small.chunks(777).try_for_each(|piece| out.write_all(piece))?;
        out.write_all(large)?;
        out.flush()
    })
}

fn read((len, mut from): (u64, Box<dyn Read + '_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, len);
    bytes
}

/// Bytes of which no two parts are the same.
fn many(len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 8);
    for number in 0..(len as u64).div_ceil(8) {
        bytes.extend(number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

#[test]
fn servers_that_share_a_bucket_find_each_others_snapshots_by_partition() {
    let Some(s3) = S3::start("snapshots") else { return };
    let [one, other] = [(); 2].map(|()| SnapshotPlace::parse(&text(s3.at), &keys).unwrap());
    assert_eq!((one.to_string().as_str(), one.is_plain()), ("s3://snapshots/of/tests/", false));
    let writes = one.partition(3).unwrap();
    let keep = |position: u64| writes.put(position, &mut |out| write!(out, "as of {position}")).unwrap();
    assert_eq!([keep(9), keep(100), keep(20)], [0, 9, 20]);
    for place in [&one, &other] {
        let found = place.partition(3).unwrap();
        assert_eq!(found.positions().unwrap(), [100, 20]);
        assert_eq!(read(found.get(100).unwrap()), b"as of 100");
        assert_eq!(found.get(9).map(drop).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(place.partition(4).unwrap().positions().unwrap().is_empty());
    }
    assert_eq!(writes.place(20), "s3://snapshots/of/tests/p3/00000000000000000020.snapshot");
    other.partition(3).unwrap().set_aside(100).unwrap();
    assert_eq!(writes.positions().unwrap(), [20]);
    assert!(s3.ask("GET", "/snapshots/of/tests/p3/00000000000000000100.damaged", b"").ends_with(b"as of 100"));
}

#[test]
fn a_segment_of_a_bucket_is_there_whole_or_not_at_all_however_large_it_is() {
    let Some(s3) = S3::start("snapshots") else { return };
    let objects = objects(s3.at, ENOUGH);
    assert!(objects.names().unwrap().is_empty());
    let part = 8 << 20;
    for (name, len) in
        [("empty", 0), ("small", 1_000), ("one", part), ("more", part + 1), ("two", 2 * part), ("large", 20_000_000)]
    {
        let bytes = many(len);
        for _ in 0..2 {
            put(&objects, name, &bytes).unwrap();
            assert!(read(objects.get(name).unwrap()) == bytes, "{name}");
        }
        objects.remove(name).unwrap();
        assert_eq!(objects.get(name).map(drop).unwrap_err().kind(), io::ErrorKind::NotFound, "{name}");
    }
    let cut_off = objects.put("half", &mut |out| {
        out.write_all(&many(20_000_000))?;
        Err(io::Error::other("there is no more"))
    });
    assert_eq!(cut_off.unwrap_err().to_string(), "there is no more");
    assert!(objects.get("half").is_err() && objects.names().unwrap().is_empty() && !has_parts(&s3));
    // A folder of a folder, and what consoles make of one, are nobody's names.
    for path in ["of/tests/p3/deeper/name", "of/tests/p3/", "of/tests/p33/name", "of/tests/name"] {
        assert!(s3.ask("PUT", &format!("/snapshots/{path}"), b"").starts_with(b"HTTP/1.1 200"));
    }
    put(&objects, "7.snapshot", b"all of it").unwrap();
    put(&objects, "8.snapshot", b"all of it").unwrap();
    objects.set_aside("7.snapshot").unwrap();
    let mut names = objects.names().unwrap();
    names.sort();
    assert_eq!(names, ["7.damaged", "8.snapshot"]);
    assert_eq!(objects.set_aside("7.snapshot").unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn what_was_put_again_while_it_was_read_is_not_taken_for_one_with_what_was_read_before() {
    let Some(s3) = S3::start("snapshots") else { return };
    let objects = objects(s3.at, ENOUGH);
    put(&objects, "a", &many(20_000_000)).unwrap();
    let (_, mut from) = objects.get("a").unwrap();
    from.read_exact(&mut [0; 100]).unwrap();
    put(&objects, "a", &vec![7; 20_000_000]).unwrap();
    let error = from.read_to_end(&mut Vec::new()).unwrap_err();
    // Whoever reads takes an end that comes too soon for damage, and this is none.
    assert_ne!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert!(error.to_string().starts_with("s3://snapshots/of/tests/p3/a: "), "{error}");
}

#[test]
fn a_bucket_that_fails_for_a_moment_or_whose_answers_are_lost_is_asked_again() {
    let Some(s3) = S3::start("snapshots") else { return };
    let (busy, lost) = (Some(Fault::Busy), Some(Fault::Lost));
    // Begin, three parts, complete; get in three pieces; then a small one, the list, and the end of both.
    let faults = [busy, None, lost, None, busy, None, None, lost, None, busy, None, lost, None, None, lost, None];
    let (between, at) = Between::start(s3.at, &faults);
    let objects = objects(at, ENOUGH);
    let bytes = many(20_000_000);
    put(&objects, "large", &bytes).unwrap();
    assert!(read(objects.get("large").unwrap()) == bytes);
    put(&objects, "small", b"all of it").unwrap();
    assert_eq!(objects.names().unwrap().len(), 2);
    objects.set_aside("small").unwrap();
    objects.remove("large").unwrap();
    assert_eq!(objects.names().unwrap(), ["small.damaged"]);
    assert!(between.faults.lock().unwrap().is_empty(), "all of them happened");
    assert!(!has_parts(&s3));
}

#[test]
fn wrong_keys_and_a_bucket_that_is_not_there_are_told() {
    let Some(s3) = S3::start("snapshots") else { return };
    let own = objects(s3.at, ENOUGH);
    put(&own, "a", b"all of it").unwrap();
    let elsewhere = text(s3.at).replace("s3://snapshots", "none-such");
    let elsewhere = Bucket::parse(&elsewhere, &keys).unwrap().objects("p3", ENOUGH).unwrap();
    let outcomes = |segments: &dyn Segments| {
        [
            put(segments, "a", b"all of it"),
            put(segments, "a", &many(20_000_000)),
            segments.get("a").map(drop),
            segments.names().map(drop),
            segments.set_aside("a"),
            segments.remove("a"),
        ]
    };
    for outcome in outcomes(&elsewhere) {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Other, "{error}");
        let said = error.to_string();
        assert!(said.starts_with("s3://none-such/of/tests/p3/"), "{said}");
        assert!(said.contains("NoSuchBucket") && said.ends_with("make the bucket, or name another one"), "{said}");
    }
    assert!(s3.ask("POST", "/moto-api/reset-auth", b"0").starts_with(b"HTTP/1.1 200"));
    for outcome in outcomes(&own) {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
        let said = error.to_string();
        assert!(said.starts_with("s3://snapshots/of/tests/p3/") && said.contains("InvalidAccessKeyId"), "{said}");
        assert!(said.contains("check AWS_ACCESS_KEY_ID") && !said.contains("s3cret"), "{said}");
    }
    assert!(!format!("{own:?}").contains("s3cret"));
}

#[test]
fn a_bucket_that_hangs_or_is_not_there_holds_nobody_for_long() {
    // It is connected to, and nobody ever answers.
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let patience = Duration::from_millis(400);
    let all = many(20_000_000);
    for (at, kind) in [(hangs.local_addr().unwrap(), io::ErrorKind::TimedOut), (gone, io::ErrorKind::Other)] {
        let objects = objects(at, patience);
        let ways: [&dyn Fn() -> io::Result<()>; 6] = [
            &|| put(&objects, "a", b"all of it"),
            &|| put(&objects, "a", &all),
            &|| objects.get("a").map(drop),
            &|| objects.names().map(drop),
            &|| objects.set_aside("a"),
            &|| objects.remove("a"),
        ];
        for way in ways {
            let began = Instant::now();
            let error = way().unwrap_err();
            // One that begins at the end of the time has its own; and this machine may have more to do.
            let limit = 2 * patience + Duration::from_secs(5);
            assert!(began.elapsed() < limit, "{kind:?} after {:?}", began.elapsed());
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().starts_with("s3://snapshots/of/tests/p3/"), "{error}");
        }
    }
}

#[test]
fn a_bucket_that_hangs_in_the_midst_is_no_damage_and_holds_nobody_for_long() {
    let Some(s3) = S3::start("snapshots") else { return };
    put(&objects(s3.at, ENOUGH), "large", &many(20_000_000)).unwrap();
    // One connection is handed on, and those behind it find nobody.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (at, to) = (listener.local_addr().unwrap(), s3.at);
    std::thread::spawn(move || {
        let handing = Between { faults: Arc::default(), came: Arc::default() };
        let (client, _) = listener.accept().unwrap();
        drop(handing.hand_on(client, to));
        std::thread::sleep(ENOUGH);
        drop(listener);
    });
    let objects = objects(at, Duration::from_secs(3));
    let (len, mut from) = objects.get("large").unwrap();
    assert_eq!(len, 20_000_000);
    let mut bytes = Vec::new();
    let began = Instant::now();
    let error = from.read_to_end(&mut bytes).unwrap_err();
    assert_eq!((error.kind(), bytes.len()), (io::ErrorKind::TimedOut, 8 << 20));
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn a_task_may_drop_what_threads_asked() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let objects = objects(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap(), ENOUGH);
    runtime.block_on(async move { drop(objects) });
}

#[test]
fn what_is_said_of_a_bucket_is_read_and_what_is_wrong_is_told() {
    let read = |text: &str| SnapshotPlace::parse(text, &keys);
    for (text, shown) in [
        ("s3://snapshots?region=eu-central-1", "s3://snapshots/"),
        ("s3://snapshots/?region=eu-central-1", "s3://snapshots/"),
        ("s3://snapshots/a/b-c/?region=eu-central-1", "s3://snapshots/a/b-c/"),
        ("s3://snapshots/a?region=auto&endpoint=https%3A%2F%2Fs3.example.com%3A9000", "s3://snapshots/a/"),
        ("s3://snapshots/a?endpoint=https://[2001:db8::7]:9000/&region=x", "s3://snapshots/a/"),
    ] {
        let place = read(text).unwrap();
        assert_eq!((place.to_string().as_str(), place.is_plain()), (shown, false), "{text}");
        assert!(!format!("{place:?}").contains("s3cret"));
        assert!(place.partition(0).is_ok(), "{text}: nobody is asked");
    }
    for (endpoint, is_plain) in [
        ("http://s3.internal", true),
        ("http://192.0.2.7:9000", true),
        ("http://[::1]:9000", false),
        ("http://localhost", false),
    ] {
        assert_eq!(read(&format!("s3://snapshots/a?region=x&endpoint={endpoint}")).unwrap().is_plain(), is_plain);
    }
    for (text, said) in [
        ("s3://", "names its bucket"),
        ("s3:///prefix?region=x", "names its bucket"),
        ("s3://Snapshots/a?region=x", "names its bucket"),
        ("s3://AKIA:s3cret@snapshots/a?region=x", "holds no keys"),
        ("s3://snapshots//a?region=x", "has a prefix"),
        ("s3://snapshots/../a?region=x", "has a prefix"),
        ("s3://snapshots/a b?region=x", "has a prefix"),
        ("s3://snapshots/a", "has no region"),
        ("s3://snapshots/a?region=", "has a region that is none"),
        ("s3://snapshots/a?region=x&region=y", "has region twice"),
        ("s3://snapshots/a?region=x&secret=s3cret", "has an option that is none"),
        ("s3://snapshots/a?region=x&endpoint=s3.example.com", "has an endpoint that is none"),
        ("s3://snapshots/a?region=x&endpoint=https://u:s3cret@s3.example.com", "has an endpoint that is none"),
        ("s3://snapshots/a?region=x&endpoint=https://s3.example.com/path", "has an endpoint with a path"),
    ] {
        let why = read(text).unwrap_err();
        assert!(why.starts_with(said) && !why.contains("s3cret"), "{text}: {why}");
    }
}

#[test]
fn what_a_bucket_needs_besides_is_in_the_environment() {
    let text = "s3://snapshots/a?endpoint=https://s3.example.com";
    let with = |also: &'static [(&str, &str)]| {
        SnapshotPlace::parse(text, &move |name: &str| {
            also.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    };
    assert!(with(&[]).unwrap_err().starts_with("has no region"));
    assert!(with(&[("AWS_REGION", "x")]).unwrap_err().starts_with("is a bucket, and AWS_ACCESS_KEY_ID is not set"));
    let id = &[("AWS_DEFAULT_REGION", "x"), ("AWS_ACCESS_KEY_ID", "AKIATESTS")];
    assert!(with(id).unwrap_err().starts_with("is a bucket, and AWS_SECRET_ACCESS_KEY is not set"));
    let both = &[("AWS_REGION", "x"), ("AWS_ACCESS_KEY_ID", "AKIATESTS"), ("AWS_SECRET_ACCESS_KEY", "s3cret")];
    assert!(with(both).is_ok());
    let unclean = &[("AWS_REGION", "x"), ("AWS_ACCESS_KEY_ID", "A\r\nB"), ("AWS_SECRET_ACCESS_KEY", "s3cret")];
    assert!(with(unclean).unwrap_err().contains("AWS_ACCESS_KEY_ID or AWS_SESSION_TOKEN holds"));
}
