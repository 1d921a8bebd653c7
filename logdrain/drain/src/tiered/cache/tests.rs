use super::*;
use crate::scratch::Scratch;
use crate::tiered::names::new_key;

const MANY: u64 = 64 << 20;

fn key() -> String {
    new_key(3, 17, 0).unwrap()
}

fn read(cache: &Cache, key: &str, number: u32, at: usize, len: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; len];
    cache.read(key, number, at, &mut out).then_some(out)
}

/// All files below, and what they take.
fn files(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            all.extend(files(&entry.path()))
        } else {
            all.push((entry.path(), entry.metadata().unwrap().len()))
        }
    }
    all
}

#[test]
fn what_is_kept_is_read_also_after_a_restart() {
    let dir = Scratch::new("pieces");
    let (one, other) = (key(), key());
    let cache = Cache::new(&dir, MANY).unwrap();
    assert_eq!(read(&cache, &one, 0, 0, 1), None);
    cache.insert(&one, 0, b"all of it");
    cache.insert(&one, 7, b"");
    for cache in [cache, Cache::new(&dir, MANY).unwrap()] {
        for (at, len) in [(0, 9), (4, 2), (9, 0), (0, 3)] {
            assert_eq!(read(&cache, &one, 0, at, len).unwrap(), b"all of it"[at..at + len]);
        }
        assert_eq!((read(&cache, &one, 7, 0, 0).unwrap(), cache.used()), (Vec::new(), 8_192));
        assert_eq!((read(&cache, &one, 1, 0, 1), read(&cache, &other, 0, 0, 1)), (None, None));
    }
    let cache = Cache::new(&dir, MANY).unwrap();
    cache.remove(&one);
    assert_eq!((read(&cache, &one, 0, 0, 1), cache.used(), files(&dir).len()), (None, 0, 0));
}

#[test]
fn what_was_read_last_stays_and_no_more_is_taken_than_may_be() {
    let dir = Scratch::new("oldest");
    let cache = Cache::new(&dir, 10 * 8_192).unwrap();
    let keys: Vec<_> = (0..20).map(|_| key()).collect();
    for key in &keys {
        cache.insert(key, 0, &[7; 5_000]);
        assert!(read(&cache, &keys[0], 0, 0, 5_000).is_some());
        assert!(files(&dir).iter().map(|(_, len)| size_of(*len)).sum::<u64>() <= 10 * 8_192);
    }
    let there: Vec<_> = (0..20).filter(|at| read(&cache, &keys[*at], 0, 0, 1).is_some()).collect();
    assert_eq!(there, [0, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    // One that was given less room has that.
    let less = Cache::new(&dir, 3 * 8_192).unwrap();
    assert_eq!((less.used(), files(&dir).len()), (3 * 8_192, 3));
    less.insert(&keys[1], 0, &[0; 30_000]);
    assert_eq!(read(&less, &keys[1], 0, 0, 1), None, "it is larger than all");
    assert!(less.takes(6_144) && !less.takes(6_145));
}

#[test]
fn a_piece_that_is_torn_is_not_believed() {
    for tear in ["short", "changed", "empty", "another", "long"] {
        let dir = Scratch::new("torn");
        let [one, other] = [key(), key()];
        let cache = Cache::new(&dir, MANY).unwrap();
        cache.insert(&one, 0, &[1; 5_000]);
        cache.insert(&other, 0, &[2; 5_000]);
        let path = cache.path(&one, 0);
        let mut bytes = fs::read(&path).unwrap();
        match tear {
            "short" => bytes.truncate(4_096),
            "empty" => bytes.clear(),
            "long" => bytes.push(0),
            "another" => bytes = fs::read(cache.path(&other, 0)).unwrap(),
            _ => bytes[4_999] = 0,
        }
        fs::write(&path, bytes).unwrap();
        // Also while it runs, whatever was read of it before.
        let cache = if tear == "changed" { cache } else { Cache::new(&dir, MANY).unwrap() };
        assert_eq!(read(&cache, &one, 0, 0, 10), None, "{tear}");
        assert!(!path.exists(), "{tear}: it is gone");
        assert_eq!(cache.used(), 8_192);
        cache.insert(&one, 0, &[1; 5_000]);
        assert_eq!(read(&cache, &one, 0, 4_990, 10).unwrap(), [1; 10]);
        // What the reader finds wrong he says.
        cache.forget(&one, 0);
        assert_eq!(read(&cache, &one, 0, 0, 10), None);
    }
}

#[test]
fn what_is_no_piece_is_left_alone() {
    let dir = Scratch::new("others");
    let key = key();
    let folder = dir.join(&key[key.len() - 2..]);
    fs::create_dir_all(&folder).unwrap();
    let name = key.replace('/', ".");
    let theirs = [
        dir.join("notes"),
        folder.join("x.piece"),
        folder.join(format!("{name}.x.piece")),
        folder.join("a.unfinished"),
    ];
    theirs.iter().for_each(|path| fs::write(path, "of somebody").unwrap());
    fs::create_dir(folder.join(format!("{name}.1.piece"))).unwrap();
    let half = folder.join(format!("{name}.2.piece.unfinished"));
    fs::write(&half, "half").unwrap();
    let cache = Cache::new(&dir, 8_192).unwrap();
    assert!(!half.exists() && cache.used() == 0);
    // A folder stands where a piece is to be.
    cache.insert(&key, 1, b"1");
    assert_eq!((read(&cache, &key, 1, 0, 1), cache.used()), (None, 0));
    (2..20).for_each(|number| cache.insert(&key, number, b"1"));
    assert_eq!(cache.used(), 8_192);
    assert!(theirs.iter().all(|path| fs::read(path).unwrap() == b"of somebody"));
}

#[test]
fn the_bound_holds_for_many_at_a_time() {
    let dir = Scratch::new("many");
    let cache = Cache::new(&dir, 16 * 8_192).unwrap();
    let keys: Vec<_> = (0..40).map(|_| key()).collect();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (cache, keys) = (&cache, &keys);
            scope.spawn(move || {
                for round in 0..300 {
                    let key = &keys[(round * 7 + thread * 3) % keys.len()];
                    let content = [key.as_bytes()[10]; 5_000];
                    match read(cache, key, 0, 100, 900) {
                        Some(found) => assert!(found == content[..900]),
                        None => cache.insert(key, 0, &content),
                    }
                    // A look at all files would count some that went with others that came.
                    assert!(cache.used() <= 16 * 8_192);
                    if round % 97 == 0 {
                        cache.remove(key);
                    }
                }
            });
        }
    });
    let taken: u64 = files(&dir).iter().map(|(_, len)| size_of(*len)).sum();
    assert!(taken <= cache.used() && cache.used() <= 16 * 8_192, "{taken} of {}", cache.used());
}
