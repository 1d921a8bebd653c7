//! A bucket that hangs, and one that is not there.

use super::*;
use std::io;
use std::sync::Barrier;

const PATIENCE: Duration = Duration::from_millis(700);
/// One that begins at the end of the time has its own, and this machine may have more to do.
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn a_bucket_that_hangs_holds_nobody_for_long_and_then_it_goes_on() {
    let Some(house) = House::start("hangs") else { return };
    let (tier, other) = (house.node("cache", LARGE, PATIENCE), house.node("other", LARGE, PATIENCE));
    let files = house.own(&tier, 0);
    let bytes = many(1, 2 * PIECE);
    let path = house.file("from", &bytes);
    let large = house.file("large", &many(2, 20 * PIECE));
    let retry = |what: &dyn Fn() -> io::Result<()>| until("it goes on", || what().is_ok());
    for name in ["a", "b", "c"] {
        retry(&|| files.put(name, &path, b""));
    }
    until_idle(&tier);
    let elsewhere = other.files(files.part(), files.epoch() - 1);
    let opened = elsewhere.open("a").unwrap();
    house.s3.pause(true);
    let began = Instant::now();
    let error = opened.read_exact_at(&mut [0; 10], 0).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
    assert!(error.to_string().starts_with("s3://files/of/tests/files/") && began.elapsed() < LIMIT, "{error}");
    // All others are told at once; and of many who come when it may answer again one waits.
    let waited: Vec<_> = {
        let together = Barrier::new(30);
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..30)
                .map(|thread| {
                    let (elsewhere, together) = (&elsewhere, &together);
                    scope.spawn(move || {
                        let file = elsewhere.open(["b", "c"][thread % 2]).unwrap();
                        together.wait();
                        let began = Instant::now();
                        assert!(file.read_exact_at(&mut [0; 10], 0).is_err());
                        began.elapsed()
                    })
                })
                .collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        })
    };
    assert!(waited.iter().all(|waited| *waited < LIMIT), "{waited:?}");
    assert!(other.shared().fetching.requests() <= 3, "{}", other.shared().fetching.requests());
    // What is in the cache is read, rows are changed, and what goes from the catalog is gone.
    assert!(read(&files, "a").unwrap() == bytes);
    files.write("small", b"small").unwrap();
    files.remove(&["b"]).unwrap();
    assert!(read(&files, "b").is_none());
    for path in [&path, &large] {
        let began = Instant::now();
        assert_eq!(files.put("d", path, b"").unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
    }
    // Nobody waits who drops a file.
    let began = Instant::now();
    drop((opened, elsewhere.open("a").unwrap()));
    assert!(began.elapsed() < LIMIT);
    house.s3.pause(false);
    retry(&|| elsewhere.read("c").map(|found| assert!(found.unwrap() == bytes)));
    retry(&|| files.put("d", &path, b""));
    until_idle(&tier);
    // What came there only now nobody waits for: it is swept.
    super::super::sweeping::sweep(tier.shared(), files.part(), files.epoch()).unwrap();
    until_idle(&tier);
    house.assert_whole();
    assert!(read(&files, "d").unwrap() == bytes);
}

#[test]
fn an_object_that_is_not_there_is_not_found_and_one_that_is_shorter_is_damaged() {
    let Some(house) = House::start("lost") else { return };
    let tier = house.node("cache", 0, ENOUGH);
    let files = house.own(&tier, 0);
    files.put("a", &house.file("from", &many(1, 3 * PIECE)), b"").unwrap();
    let file = files.open("a").unwrap();
    let path = format!("/files/of/tests/files/{}/{}", house.journal, house.keys()[0]);
    house.s3.ask("PUT", &path, &[7; 100]);
    for at in [0, PIECE as u64] {
        let error = file.read_exact_at(&mut [0; 10], at).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
    }
    house.s3.ask("DELETE", &path, b"");
    assert_eq!(file.read_exact_at(&mut [0; 10], 0).unwrap_err().kind(), io::ErrorKind::NotFound);
    files.put("b", &house.file("from", b"all of it"), b"").unwrap();
    assert_eq!(read(&files, "b").unwrap(), b"all of it", "others are there");
}

#[test]
fn what_a_bucket_refuses_is_told_without_keys() {
    let Some(house) = House::start("refuses") else { return };
    let tier = house.node("cache", 0, ENOUGH);
    let files = house.own(&tier, 0);
    let path = house.file("from", b"all of it");
    files.put("a", &path, b"").unwrap();
    assert!(house.s3.ask("POST", "/moto-api/reset-auth", b"0").starts_with(b"HTTP/1.1 200"));
    for error in [files.put("b", &path, b"").unwrap_err(), files.read("a").unwrap_err()] {
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
        assert!(
            error.to_string().contains("check AWS_ACCESS_KEY_ID") && !error.to_string().contains("s3cret"),
            "{error}"
        );
    }
    assert!(!format!("{tier:?}{files:?}").contains("s3cret"));
}

#[test]
fn a_folder_is_no_bucket() {
    let dir = Scratch::new("folder");
    let place = SnapshotPlace::parse(dir.to_str().unwrap(), &|_| None).unwrap();
    let address = Address::parse("postgres://logdrain@localhost/logdrain", None).unwrap();
    let error = Tier::new(&address, &place, "journal", &dir.join("cache"), LARGE).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    let bucket = super::place("127.0.0.1:9");
    let wrong = Tier::new(&address, &bucket, "../journal", &dir.join("cache"), LARGE).unwrap_err();
    assert_eq!(wrong.kind(), io::ErrorKind::InvalidInput, "{wrong}");
}
