//! What reading costs: `cargo test --release ... tiered::tests::measured -- --nocapture`.

use super::*;

#[test]
fn reading_an_object_cold_and_warm_beside_a_file() {
    const LEN: usize = 10_000_000;
    const BLOCK: usize = 100_000;
    let Some(house) = House::start("measured") else { return };
    let (tier, other) = (house.tier(), house.node("other", LARGE, ENOUGH));
    let files = house.own(&tier, 0);
    let bytes = many(1, LEN);
    let path = house.file("from", &bytes);
    let began = Instant::now();
    files.put("a", &path, b"").unwrap();
    let put = began.elapsed();
    let elsewhere = other.files(files.part(), files.epoch() - 1);
    let began = Instant::now();
    (0..100).for_each(|_| drop(elsewhere.open("a").unwrap()));
    let opened = began.elapsed() / 100;
    let file = elsewhere.open("a").unwrap();
    let mut all = vec![0; LEN];
    let mut read = |what: &str, one: &mut dyn FnMut(&mut [u8], u64)| {
        let before = other.shared().fetching.requests();
        let began = Instant::now();
        (0..).step_by(BLOCK).zip(all.chunks_mut(BLOCK)).for_each(|(at, out)| one(out, at));
        let took = began.elapsed();
        assert!(all == bytes, "{what}");
        let requests = other.shared().fetching.requests() - before;
        println!("{what}: {took:.1?} for {LEN} bytes in blocks of {BLOCK}, {requests} requests");
        requests
    };
    assert_eq!(read("cold", &mut |out, at| file.read_exact_at(out, at).unwrap()), 10);
    assert_eq!(read("warm", &mut |out, at| file.read_exact_at(out, at).unwrap()), 0);
    drop(file);
    let again = house.node("other", LARGE, ENOUGH).files(files.part(), files.epoch() - 1).open("a").unwrap();
    assert_eq!(read("warm, after a restart", &mut |out, at| again.read_exact_at(out, at).unwrap()), 0);
    assert_eq!(read("warm, once more", &mut |out, at| again.read_exact_at(out, at).unwrap()), 0);
    let plain = std::fs::File::open(&path).unwrap();
    read("a file", &mut |out, at| std::os::unix::fs::FileExt::read_exact_at(&plain, out, at).unwrap());
    println!("put: {put:.1?}; opened: {opened:.1?}");
}
