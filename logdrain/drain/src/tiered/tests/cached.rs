//! The cache, from the side of who reads.

use super::*;
use std::sync::Barrier;

#[test]
fn a_piece_that_many_want_is_asked_for_once() {
    let Some(house) = House::start("once") else { return };
    let (tier, other) = (house.tier(), house.node("other", LARGE, ENOUGH));
    let files = house.own(&tier, 0);
    let bytes = many(1, 3 * PIECE);
    files.put("a", &house.file("from", &bytes), b"").unwrap();
    let file = other.files(files.part(), files.epoch() - 1).open("a").unwrap();
    let together = Barrier::new(24);
    std::thread::scope(|scope| {
        for thread in 0..24_usize {
            let (file, bytes, together) = (&file, &bytes, &together);
            scope.spawn(move || {
                let at = thread % 3 * PIECE + 100 * thread;
                let mut out = vec![0; 1_000];
                together.wait();
                file.read_exact_at(&mut out, at as u64).unwrap();
                assert!(out == bytes[at..at + 1_000]);
            });
        }
    });
    assert_eq!(other.shared().fetching.requests(), 3);
}

#[test]
fn the_cache_takes_no_more_than_it_may_however_many_read() {
    let Some(house) = House::start("bound") else { return };
    let bound = 5 * PIECE as u64;
    let (tier, other) = (house.node("cache", bound, ENOUGH), house.node("other", bound, ENOUGH));
    let files = house.own(&tier, 0);
    let all: Vec<_> = (0..4).map(|seed| many(seed, 2 * PIECE + 11)).collect();
    for (at, bytes) in all.iter().enumerate() {
        files.put(&format!("logs/{at}/x"), &house.file("from", bytes), b"").unwrap();
    }
    let elsewhere = other.files(files.part(), files.epoch() - 1);
    std::thread::scope(|scope| {
        for thread in 0..12_usize {
            let (files, all, other) = (elsewhere.clone(), &all, &other);
            scope.spawn(move || {
                for round in 0..25 {
                    let of = (thread + round) % all.len();
                    let at = (thread * 7_919 + round * 104_729) % (2 * PIECE);
                    let mut out = vec![0; 900];
                    files.open(&format!("logs/{of}/x")).unwrap().read_exact_at(&mut out, at as u64).unwrap();
                    assert!(out == all[of][at..at + 900]);
                    assert!(other.shared().cache.used() <= bound);
                }
            });
        }
    });
    for (tier, name) in [(&tier, "cache"), (&other, "other")] {
        assert!(taken(&house.dir.join(name)) <= tier.shared().cache.used() && tier.shared().cache.used() <= bound);
    }
}

#[test]
fn what_is_torn_in_the_cache_is_read_from_the_bucket() {
    let Some(house) = House::start("torn") else { return };
    let bytes = many(1, 2 * PIECE + 5);
    let files_of = |tier: &Tier| tier.files(parts().each().next().unwrap(), 1);
    let tier = house.tier();
    house.own(&tier, 0).put("a", &house.file("from", &bytes), b"").unwrap();
    drop(tier);
    for folder in std::fs::read_dir(house.dir.join("cache")).unwrap() {
        for piece in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = piece.unwrap().path();
            let mut content = std::fs::read(&path).unwrap();
            *content.last_mut().unwrap() ^= 1;
            std::fs::write(&path, content).unwrap();
        }
    }
    let tier = house.tier();
    assert!(read(&files_of(&tier), "a").unwrap() == bytes);
    assert_eq!(tier.shared().fetching.requests(), 3);
    // One that tears later is found by who reads, and he says so.
    let file = files_of(&tier).open("a").unwrap();
    file.doubt(PIECE as u64 + 1..PIECE as u64 + 2);
    let mut all = vec![0; bytes.len()];
    file.read_exact_at(&mut all, 0).unwrap();
    assert!(all == bytes);
    assert_eq!(tier.shared().fetching.requests(), 4);
    file.doubt(0..u64::MAX);
    file.doubt(u64::MAX - 1..u64::MAX);
    assert_eq!(taken(&house.dir.join("cache")), 0);
}

#[test]
fn a_disk_that_takes_nothing_is_done_without() {
    let Some(house) = House::start("disk") else { return };
    let dir = house.dir.join("cache");
    std::fs::create_dir(&dir).unwrap();
    // Where folders of pieces are to be there are files.
    (0..=u8::MAX).for_each(|folder| std::fs::write(dir.join(format!("{folder:02x}")), "").unwrap());
    let tier = house.tier();
    let files = house.own(&tier, 0);
    let bytes = many(1, 9 * PIECE);
    files.put("a", &house.file("from", &bytes), b"").unwrap();
    for _ in 0..2 {
        assert!(read(&files, "a").unwrap() == bytes);
    }
    // In small bites: each piece was held until others came.
    let file = files.open("a").unwrap();
    let before = tier.shared().fetching.requests();
    let mut all = vec![0; bytes.len()];
    (0..).step_by(10_000).zip(all.chunks_mut(10_000)).for_each(|(at, out)| file.read_exact_at(out, at).unwrap());
    assert!(all == bytes && tier.shared().fetching.requests() - before <= 9);
    assert_eq!(tier.shared().cache.used(), 0);
}
