//! What is put, read, put over and removed, and by whom.

use super::super::names::NAME;
use super::super::{Content, Put, is_fenced};
use super::*;
use std::io::{ErrorKind, Read as _};

#[test]
fn what_is_put_is_read_from_any_place_on_any_node() {
    let Some(house) = House::start("put") else { return };
    let (tier, other) = (house.tier(), house.node("other", LARGE, ENOUGH));
    let files = house.own(&tier, 0);
    // Of an owner before: one of the same epoch would be the same one, and would sweep.
    let elsewhere = other.files(files.part(), files.epoch() - 1);
    let lens = [0, 1, 1_000, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 17, 9 * PIECE + 5];
    for (seed, len) in (0..).zip(lens) {
        let (name, bytes) = (format!("of/{len}"), many(seed, len));
        files.put(&name, &house.file("from", &bytes), &[7; 3]).unwrap();
        for (files, is_own) in [(&files, true), (&elsewhere, false)] {
            let file = files.open(&name).unwrap();
            assert_eq!(file.len(), len as u64);
            for at in [0, 1, 999, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, len.saturating_sub(1), len] {
                for wanted in [0, 1, 100, PIECE, 2 * PIECE + 3, len] {
                    let mut out = vec![0; wanted];
                    let is_read = file.read_exact_at(&mut out, at as u64);
                    match bytes.get(at..).and_then(|rest| rest.get(..wanted)) {
                        Some(expected) => assert!(is_read.is_ok() && out == expected, "{wanted} at {at} of {len}"),
                        None => assert_eq!(is_read.unwrap_err().kind(), ErrorKind::UnexpectedEof),
                    }
                }
                let mut rest = Vec::new();
                file.reader(at as u64..u64::MAX).read_to_end(&mut rest).unwrap();
                assert!(rest == bytes.get(at..).unwrap_or_default());
            }
            let mut some = Vec::new();
            file.reader(10..20).read_to_end(&mut some).unwrap();
            assert!(some == bytes[10.min(len)..20.min(len)]);
            let requests = [&tier, &other].map(|tier| tier.shared().fetching.requests());
            assert!(requests[0] == 0, "what it put it has, {is_own}");
        }
        let tags = [&files, &elsewhere].map(|files| files.open(&name).unwrap().tag().to_owned());
        assert_eq!(tags[0], tags[1]);
        if len <= usize::try_from(Files::WHOLE).unwrap() {
            assert!(read(&files, &name).unwrap() == bytes);
        }
    }
    let pieces: usize = lens.iter().map(|len| len.div_ceil(PIECE)).sum();
    assert_eq!(other.shared().fetching.requests(), pieces as u64, "each piece once");
    let listed = files.list("").unwrap();
    assert_eq!(listed.len(), lens.len());
    for one in &listed {
        assert_eq!((one.name.clone(), one.about.as_slice()), (format!("of/{}", one.len), [7; 3].as_slice()));
        let now = house.number("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
        assert!((now - 120_000_000..=now).contains(&one.written));
        assert_eq!(one.written, files.open(&one.name).unwrap().written());
    }
    let all: usize = lens.iter().sum();
    assert_eq!(files.bytes_of_all().unwrap(), [(0, all as u64)].into());
    house.assert_whole();
    // What a node keeps outlives it.
    drop((elsewhere, other));
    let again = house.node("other", LARGE, ENOUGH);
    let elsewhere = again.files(files.part(), files.epoch() - 1);
    listed.iter().for_each(|one| assert!(read(&elsewhere, &one.name) == read(&files, &one.name)));
    assert_eq!(again.shared().fetching.requests(), 0);
}

#[test]
fn small_ones_lie_in_the_database_and_several_change_in_one_step() {
    let Some(house) = House::start("small") else { return };
    let tier = house.tier();
    let (files, neighbour) = (house.own(&tier, 0), house.own(&tier, 1));
    assert_eq!((read(&files, "a"), files.open("a").unwrap_err().kind()), (None, ErrorKind::NotFound));
    files.write("a", b"one").unwrap();
    files.write("empty", b"").unwrap();
    files.write("a", b"another").unwrap();
    let opened = files.open("a").unwrap();
    neighbour.write("a", &vec![9; Files::SMALL]).unwrap();
    let path = house.file("from", b"of a file");
    let put = |name, content| Put { name, content, about: b"note" };
    let puts = [put("b", Content::File(&path)), put("c \\\"{},é'", Content::Bytes(b"c"))];
    files.change(&puts, &["a", "none", "c \\\"{},é'"]).unwrap();
    let names = |files: &Files, under| files.list(under).unwrap().into_iter().map(|one| one.name).collect::<Vec<_>>();
    assert_eq!(names(&files, ""), ["b", "c \\\"{},é'", "empty"]);
    assert_eq!(read(&files, "b").unwrap(), b"of a file");
    assert_eq!(read(&files, "c \\\"{},é'").unwrap(), b"c");
    assert_eq!((read(&files, "a"), read(&files, "empty").unwrap()), (None, Vec::new()));
    let mut out = [0; 7];
    opened.read_exact_at(&mut out, 0).unwrap();
    assert_eq!(&out, b"another", "it was opened before");
    assert_eq!(files.bytes_of_all().unwrap(), [(0, 10), (1, Files::SMALL as u64)].into());
    // So many are open at a time, and no more.
    let all: Vec<_> = (0..20).map(|_| neighbour.open("a")).collect();
    assert_eq!(all.iter().filter(|opened| opened.is_ok()).count(), 7);
    drop(all);
    neighbour.open("a").unwrap();
    files.write("b", b"small now").unwrap();
    until_idle(&tier);
    house.assert_whole();
    assert_eq!(house.keys(), [""; 0]);
    // What is wrong is told, and changes nothing.
    let long = "a".repeat(NAME + 1);
    let large = vec![0; Files::ABOUT + 1];
    let five: Vec<_> =
        ["1", "2", "3", "4", "5"].into_iter().map(|name| put(name, Content::Bytes(&large[..Files::SMALL]))).collect();
    for wrong in [
        files.write(&long, b""),
        files.write("../x", b""),
        files.write("x", &large[..Files::SMALL + 1]),
        files.change(&[put("x", Content::Bytes(b"")), put("x", Content::Bytes(b""))], &[]),
        files.change(&[Put { name: "x", content: Content::Bytes(b""), about: &large }], &[]),
        files.change(&five, &[]),
        files.change(&[], &vec!["x"; Files::NAMES + 1]),
        files.remove(&["x", "/"]),
    ] {
        assert_eq!(wrong.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(files.put("x", &house.dir.join("none"), b"").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(names(&files, ""), ["b", "c \\\"{},é'", "empty"]);
    files.remove(&vec!["b"; 3 * Files::NAMES]).unwrap();
    assert_eq!(names(&files, ""), ["c \\\"{},é'", "empty"]);
}

#[test]
fn whoever_reads_a_file_reads_it_to_its_end_and_who_begins_later_finds_the_new_one() {
    let Some(house) = House::start("over") else { return };
    let tier = house.node("cache", 0, ENOUGH);
    let files = house.own(&tier, 0);
    let [old, new] = [1, 2].map(|seed| many(seed, 3 * PIECE));
    files.put("a", &house.file("from", &old), b"").unwrap();
    files.put("gone", &house.file("from", &old), b"").unwrap();
    let (before, gone) = (files.open("a").unwrap(), files.open("gone").unwrap());
    let keys = house.keys();
    files.put("a", &house.file("from", &new), b"").unwrap();
    files.remove(&["gone"]).unwrap();
    assert!(read(&files, "a").unwrap() == new && read(&files, "gone").is_none());
    assert_ne!(files.open("a").unwrap().tag(), before.tag());
    for file in [&before, &gone.clone()] {
        let mut all = Vec::new();
        file.reader(0..u64::MAX).read_to_end(&mut all).unwrap();
        assert!(all == old);
    }
    assert!(keys.iter().all(|key| house.keys().contains(key)), "they are open");
    drop((before, gone));
    until_idle(&tier);
    assert!(!keys.iter().any(|key| house.keys().contains(key)));
    house.assert_whole();
}

#[test]
fn readers_through_changes_find_one_or_the_other_and_never_nothing() {
    let Some(house) = House::start("through") else { return };
    let tier = house.node("cache", 4 * PIECE as u64, ENOUGH);
    let files = house.own(&tier, 0);
    let contents: Vec<_> = (0..6).map(|seed| many(seed, PIECE + 7)).collect();
    let paths: Vec<_> = (0..).zip(&contents).map(|(at, bytes)| house.file(&format!("from-{at}"), bytes)).collect();
    files.put("a", &paths[0], b"").unwrap();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (files, contents, is_over) = (files.clone(), &contents, &is_over);
            scope.spawn(move || {
                while !is_over.load(std::sync::atomic::Ordering::Acquire) {
                    let file = files.open("a").unwrap();
                    let mut all = vec![0; PIECE + 7];
                    file.read_exact_at(&mut all, 0).unwrap();
                    assert!(contents.contains(&all));
                }
            });
        }
        for round in 1..30 {
            files.put("a", &paths[round % paths.len()], b"").unwrap();
        }
        is_over.store(true, std::sync::atomic::Ordering::Release);
    });
    until_idle(&tier);
    house.assert_whole();
}

#[test]
fn an_owner_of_an_earlier_epoch_changes_nothing_and_what_it_put_goes() {
    let Some(house) = House::start("zombie") else { return };
    let (tier, other) = (house.tier(), house.node("other", LARGE, ENOUGH));
    let before = house.own(&tier, 0);
    let path = house.file("from", b"of the one before");
    before.put("a", &path, b"").unwrap();
    before.check().unwrap();
    let files = house.own(&other, 0);
    files.put("b", &house.file("new", b"of the new one"), b"").unwrap();
    for outcome in [
        before.put("a", &path, b""),
        before.put("b", &path, b""),
        before.write("c", b"c"),
        before.remove(&["a", "b"]),
        before.change(&[Put { name: "d", content: Content::File(&path), about: b"" }], &["a"]),
        before.check(),
        before.list("").map(drop),
    ] {
        let error = outcome.unwrap_err();
        assert!(is_fenced(&error), "{error}");
    }
    assert_eq!(files.list("").unwrap().into_iter().map(|one| one.name).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(read(&files, "a").unwrap(), b"of the one before");
    assert_eq!(read(&before, "b").unwrap(), b"of the new one", "it may look");
    until_idle(&tier);
    house.assert_whole();
}

#[test]
fn a_hundred_thousand_names_are_listed_in_pages() {
    let Some(house) = House::start("names") else { return };
    let files = house.own(&house.tier(), 0);
    house.postgres.sql(
        "INSERT INTO logdrain.files_of (p) VALUES (0), (1);
         INSERT INTO logdrain.files (p, name, key, len, written, about)
            SELECT 0, 'logs/' || n % 10 || '/' || n, 'k' || n, 1, 0, decode(repeat('00', (n % 7)::int), 'hex')
            FROM generate_series(1, 100000) AS n;
         INSERT INTO logdrain.files (p, name, len, written, about, content) SELECT 1, 'x' || n, 0, 0, '', '' FROM generate_series(1, 10) AS n",
    );
    let all = files.list("").unwrap();
    assert!(all.len() == 100_000 && all.windows(2).all(|two| two[0].name < two[1].name));
    assert!(
        all.iter()
            .all(|one| one.about.len() as u64 == one.name.rsplit('/').next().unwrap().parse::<u64>().unwrap() % 7)
    );
    let some: Vec<_> = all.iter().filter(|one| one.name.starts_with("logs/3/99")).cloned().collect();
    assert_eq!(files.list("logs/3/99").unwrap(), some);
    assert_eq!(
        files.list("logs/3/99913").unwrap(),
        some.into_iter().filter(|one| one.name == "logs/3/99913").collect::<Vec<_>>()
    );
    assert!(files.list("logs/30").unwrap().is_empty());
    assert_eq!(files.bytes_of_all().unwrap(), [(0, 100_000), (1, 0)].into());
    // Notes that are large come a few at a time.
    const NOTE: usize = 256 << 10;
    for number in 0..40 {
        let (name, about) = (format!("notes/{number:02}"), vec![number; NOTE]);
        files.change(&[Put { name: &name, content: Content::Bytes(b""), about: &about }], &[]).unwrap();
    }
    let notes = files.list("notes/").unwrap();
    assert!(notes.len() == 40 && (0..).zip(&notes).all(|(at, one)| one.about == vec![at; NOTE]));
}

#[test]
fn while_the_database_is_away_nothing_changes_and_then_it_goes_on() {
    let Some(mut house) = House::start("database") else { return };
    let tier = house.tier();
    let files = house.own(&tier, 0);
    let path = house.file("from", b"all of it");
    files.put("a", &path, b"").unwrap();
    let opened = files.open("a").unwrap();
    house.postgres.stop();
    for outcome in
        [files.put("a", &path, b""), files.write("b", b""), files.open("a").map(drop), files.list("").map(drop)]
    {
        let error = outcome.unwrap_err();
        assert!(error.kind() == ErrorKind::Other && !is_fenced(&error), "{error}");
    }
    opened.read_exact_at(&mut [0; 9], 0).unwrap();
    house.postgres.start_again();
    until("it is written", || files.write("b", b"b").is_ok());
    files.put("a", &path, b"").unwrap();
    drop(opened);
    until_idle(&tier);
    house.assert_whole();
    // A step that hangs is given up, and whether it was done is looked at before anything goes.
    files.put("c", &path, b"").unwrap();
    house.postgres.pause(true);
    let began = Instant::now();
    assert!(files.put("c", &path, b"").is_err());
    assert!(began.elapsed() < ENOUGH, "{:?}", began.elapsed());
    house.postgres.pause(false);
    until("it is put", || files.put("c", &path, b"").is_ok());
    until_idle(&tier);
    house.assert_whole();
    assert_eq!(read(&files, "c").unwrap(), b"all of it");
}
