//! The file: its order, its bound, and what is left of it when it is damaged.

use super::*;
use crate::event::{Body, Record};

fn folder(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("logdrain-spool-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn owner(journal: &str) -> Owner {
    Owner { journal: journal.to_owned(), place: format!("postgres://{journal}.example.com/logs") }
}

fn open(dir: &Path, limit: u64) -> Spool {
    Spool::open(dir, owner("a"), limit, Duration::from_secs(1), 16).unwrap()
}

/// Bytes that do not become fewer.
fn delivery(number: u64, bytes: usize) -> Offer {
    let mut seed = number + 1;
    let noise = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as u8
    });
    let body = Body::new(noise.take(bytes).collect(), None);
    let record = Record::new("d.shop".into(), Timestamp::from_unix_micros(number as i64), body);
    let mut key = [0; 16];
    key[8..].copy_from_slice(&number.to_be_bytes());
    Offer { key: Some(DeliveryKey(key)), event: Event::Delivery(record) }
}

fn push(spool: &mut Spool, numbers: std::ops::Range<u64>, bytes: usize) -> Vec<Pushed> {
    let mut offers: Vec<_> = numbers.map(|number| delivery(number, bytes)).collect();
    spool.push(&mut offers).unwrap()
}

/// When those came that wait.
fn waiting(spool: &mut Spool) -> Vec<i64> {
    let all = spool.oldest_ones(10_000, usize::MAX).unwrap();
    let time = |offer: Offer| match offer.event {
        Event::Delivery(record) => {
            let sound = delivery(record.received.unix_micros() as u64, record.body.bytes().len());
            let Event::Delivery(sound) = sound.event else { return -1 };
            assert_eq!(record.body.bytes(), sound.body.bytes());
            record.received.unix_micros()
        }
        _ => -1,
    };
    all.into_iter().map(|(_, offer)| time(offer)).collect()
}

#[test]
fn deliveries_wait_in_order_once_each_and_go_from_the_oldest_on() {
    let dir = folder("order");
    let mut spool = open(&dir, 64 << 20);
    assert_eq!(push(&mut spool, 0..3, 100), [Pushed::In(1), Pushed::In(2), Pushed::In(3)]);
    assert_eq!(push(&mut spool, 2..4, 100), [Pushed::Before, Pushed::In(4)]);
    assert_eq!(waiting(&mut spool), [0, 1, 2, 3]);
    // In pieces, but at least one.
    assert_eq!(spool.oldest_ones(10, 250).unwrap().len(), 2);
    assert_eq!(spool.oldest_ones(10, 1).unwrap().len(), 1);
    assert_eq!(spool.oldest_ones(3, 10_000).unwrap().len(), 3);
    spool.remove(2).unwrap();
    assert_eq!((spool.len(), spool.bytes()), (2, 200));
    assert_eq!(spool.oldest(), Some(Timestamp::from_unix_micros(2)));
    drop(spool);
    let mut spool = open(&dir, 64 << 20);
    assert_eq!((spool.len(), spool.bytes(), waiting(&mut spool)), (2, 200, vec![2, 3]));
    spool.remove(4).unwrap();
    assert_eq!((spool.len(), spool.oldest()), (0, None));
    drop(spool);
    // A number is not given twice.
    assert_eq!(push(&mut open(&dir, 64 << 20), 9..10, 10), [Pushed::In(5)]);
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn it_has_a_bound_takes_again_when_a_tenth_is_free_and_gives_its_room_back() {
    let dir = folder("bound");
    let mut spool = open(&dir, 2 << 20);
    let mut number = 0;
    while push(&mut spool, number..number + 1, 50_000) != [Pushed::NoRoom] {
        number += 1;
    }
    assert!((30..42).contains(&number) && spool.is_full(), "{number}");
    assert!(fs::metadata(Spool::path(&dir)).unwrap().len() <= 2 << 20);
    spool.remove(1).unwrap();
    assert_eq!(push(&mut spool, 100..101, 10), [Pushed::NoRoom], "a tenth is to be free");
    spool.remove(10).unwrap();
    assert_eq!(push(&mut spool, 100..101, 10), [Pushed::In(number + 1)]);
    spool.remove(number + 1).unwrap();
    assert!(fs::metadata(Spool::path(&dir)).unwrap().len() < 64 << 10, "it is empty");
    assert_eq!(push(&mut spool, 200..201, 10), [Pushed::In(number + 2)]);
    drop(spool);
    // Without a limit nothing comes in, and what is there goes out.
    let mut spool = open(&dir, 0);
    assert_eq!(push(&mut spool, 300..301, 10), [Pushed::NoRoom]);
    assert_eq!(waiting(&mut spool), [200]);
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn one_of_another_journal_is_refused_until_nothing_waits_in_it() {
    let dir = folder("owner");
    let mut spool = open(&dir, 64 << 20);
    push(&mut spool, 0..2, 10);
    drop(spool);
    let of_other = || Spool::open(&dir, owner("b"), 64 << 20, Duration::from_secs(1), 16);
    let error = of_other().unwrap_err();
    assert!(error.is_final() && !error.is_damage());
    assert!(
        error.to_string().contains("holds 2 deliveries that wait for the journal at postgres://a.example.com/logs"),
        "{error}"
    );
    open(&dir, 64 << 20).remove(2).unwrap();
    assert!(of_other().unwrap().is_empty());
    assert!(Spool::open(&dir, owner("a"), 64 << 20, Duration::from_secs(1), 16).unwrap().is_empty());
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn damage_costs_what_is_damaged_and_the_file_is_set_aside() {
    for (name, harm) in [
        ("head", (|bytes: &mut Vec<u8>| bytes[..40].fill(0x5a)) as fn(&mut Vec<u8>)),
        ("row", |bytes| {
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
        }),
        ("page", |bytes| bytes[4_096 * 20..4_096 * 21].fill(0)),
        ("cut", |bytes| bytes.truncate(bytes.len() / 2)),
    ] {
        let dir = folder(name);
        let mut spool = open(&dir, 64 << 20);
        push(&mut spool, 0..100, 3_000);
        // These are in the journal, and what they were is on free pages still.
        spool.remove(40).unwrap();
        push(&mut spool, 100..101, 3_000);
        drop(spool);
        let file = Spool::path(&dir);
        let mut bytes = fs::read(&file).unwrap();
        harm(&mut bytes);
        fs::write(&file, bytes).unwrap();
        let mut spool = open(&dir, 64 << 20);
        let left = waiting(&mut spool);
        assert!(left.is_sorted() && left.iter().all(|number| *number >= 40), "{name}: {left:?}");
        assert_eq!(left.len() as u64 + spool.lost(), 61, "{name}");
        assert!(left.len() >= if name == "cut" { 5 } else { 55 }, "{name}: {left:?}");
        let aside = fs::read_dir(&dir).unwrap().flatten();
        let aside = aside.filter(|entry| entry.file_name().to_string_lossy().starts_with("spool.damaged-"));
        assert_eq!(aside.count(), usize::from(spool.lost() > 0 || name == "head"), "{name}");
        // It is as good as any then.
        push(&mut spool, 200..202, 10);
        drop(spool);
        let mut spool = open(&dir, 64 << 20);
        assert_eq!((waiting(&mut spool).len(), spool.lost()), (left.len() + 2, 0), "{name}");
        fs::remove_dir_all(dir).unwrap();
    }
}

#[test]
fn one_that_is_taken_away_while_it_is_used_takes_nothing_that_would_be_lost() {
    let dir = folder("gone");
    let mut spool = open(&dir, 64 << 20);
    push(&mut spool, 0..2, 10);
    fs::remove_file(Spool::path(&dir)).unwrap();
    assert!(spool.push(&mut [delivery(5, 10)]).is_err());
    assert_eq!(push(&mut spool, 6..7, 10), [Pushed::In(1)]);
    assert_eq!((waiting(&mut spool), spool.lost()), (vec![6], 2));
    fs::remove_dir_all(dir).unwrap();
}
