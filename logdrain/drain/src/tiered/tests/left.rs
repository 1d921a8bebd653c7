//! What is left behind, and what is not.

use super::super::names::new_key;
use super::super::sweeping::{sweep, tidy};
use super::*;

impl House {
    /// An object that somebody put there.
    fn object(&self, key: &str) {
        let path = format!("/files/of/tests/files/{}/{key}", self.journal);
        assert!(self.s3.ask("PUT", &path, b"left").starts_with(b"HTTP/1.1 200"));
    }
}

#[test]
fn objects_that_no_row_names_go_if_they_are_of_this_epoch_or_of_one_before() {
    let Some(house) = House::start("left") else { return };
    let tier = house.tier();
    (0..4).for_each(|_| assert!(house.take(0) > 0));
    let path = house.file("from", b"all of it");
    let before = house.own(&tier, 0);
    before.put("before", &path, b"").unwrap();
    let left = [1, 3, 5, 6].map(|epoch| new_key(0, epoch, 0).unwrap());
    let others = [
        new_key(0, 7, 0).unwrap(),
        new_key(1, 1, 0).unwrap(),
        // Of a copy of this database, which went on.
        new_key(0, 3, 1_000).unwrap(),
        "p0/e1/notes".to_owned(),
        "p0/e01/x".to_owned(),
        "x".to_owned(),
    ];
    left.iter().chain(&others).for_each(|key| house.object(key));
    let in_bucket =
        |path: &str| assert!(house.s3.ask("PUT", &format!("/files/{path}"), b"").starts_with(b"HTTP/1.1 200"));
    let other_journal = format!("of/tests/files/other/{}", left[0]);
    let snapshot = "of/tests/p0/00000000000000000020.snapshot";
    [&*other_journal, snapshot].into_iter().for_each(in_bucket);
    // Whoever takes the partition sweeps at once.
    let files = house.own(&tier, 0);
    assert_eq!(files.epoch(), 6);
    files.put("own", &path, b"").unwrap();
    let own = [other_journal.clone(), snapshot.to_owned()];
    let there = || house.s3.keys("files").into_iter().filter(|key| !own.contains(key)).count();
    until("what was left is gone", || there() == 2 + others.len());
    assert_eq!(house.s3.keys("files").len(), there() + 2);
    assert_eq!(
        (read(&files, "before").unwrap(), read(&files, "own").unwrap()),
        (b"all of it".to_vec(), b"all of it".to_vec())
    );
    until_idle(&tier);
    assert_eq!(sweep(tier.shared(), files.part(), files.epoch()).unwrap(), 0);
    // One that is on its way stays, and so does what is open.
    let coming = new_key(0, 6, 0).unwrap();
    house.object(&coming);
    let on_its_way = tier.shared().registry.coming(&coming);
    assert_eq!(sweep(tier.shared(), files.part(), 6).unwrap(), 0);
    drop(on_its_way);
    assert_eq!(sweep(tier.shared(), files.part(), 6).unwrap(), 1);
    let opened = files.open("own").unwrap();
    house.postgres.sql("DELETE FROM logdrain.files WHERE name = 'own'");
    assert!(sweep(tier.shared(), files.part(), 6).unwrap() >= 1);
    until("the other one goes", || there() == 2 + others.len());
    opened.read_exact_at(&mut [0; 9], 0).unwrap();
    drop(opened);
    until_idle(&tier);
    assert_eq!(there(), 1 + others.len());
    // Whoever is owner no more finds out.
    house.take(0);
    house.object(&coming);
    assert!(super::super::is_fenced(&sweep(tier.shared(), files.part(), 6).unwrap_err()));
}

#[test]
fn of_a_change_nobody_heard_of_the_object_goes_that_no_row_has() {
    let Some(house) = House::start("unheard") else { return };
    let tier = house.tier();
    let files = house.own(&tier, 0);
    files.put("a", &house.file("from", b"all of it"), b"").unwrap();
    until("it was swept", || tier.shared().registry.is_idle());
    let (named, left) = (house.keys().remove(0), new_key(0, files.epoch(), 0).unwrap());
    house.object(&left);
    tier.shared().registry.let_go([&*named, &*left], false);
    until_idle(&tier);
    assert_eq!(house.keys(), [&*named]);
    assert_eq!(read(&files, "a").unwrap(), b"all of it");
}

#[test]
fn more_than_a_page_of_objects_is_swept() {
    let Some(house) = House::start("pages") else { return };
    let tier = house.tier();
    let epoch = house.take(0);
    (0..30).for_each(|_| house.object(&new_key(0, epoch, 0).unwrap()));
    let files = tier.files(parts().each().next().unwrap(), epoch);
    files.put("a", &house.file("from", b"all of it"), b"").unwrap();
    until("all but one go", || house.keys().len() == 1);
    assert_eq!(read(&files, "a").unwrap(), b"all of it");
}

#[test]
fn pieces_of_what_another_node_removed_leave_the_cache() {
    let Some(house) = House::start("pieces") else { return };
    let (tier, other) = (house.tier(), house.node("other", LARGE, ENOUGH));
    let files = house.own(&tier, 0);
    for name in ["a", "b", "c"] {
        files.put(name, &house.file("from", b"all of it"), b"").unwrap();
    }
    let used = tier.shared().cache.used();
    let owner = house.own(&other, 0);
    owner.remove(&["a", "b"]).unwrap();
    let coming = tier.shared().registry.coming(&new_key(0, 1, 0).unwrap());
    assert_eq!((tidy(tier.shared()).unwrap(), tier.shared().cache.used()), (2, used / 3));
    drop(coming);
    assert_eq!(read(&owner, "c").unwrap(), b"all of it");
    // A node that was killed before it could does so when it starts.
    house.postgres.sql("DELETE FROM logdrain.files");
    drop((files, tier));
    let again = house.tier();
    until("they are gone", || again.shared().cache.used() == 0);
    assert_eq!(taken(&house.dir.join("cache")), 0);
}

#[test]
fn threads_end_with_the_tier() {
    let Some(house) = House::start("threads") else { return };
    let tier = house.tier();
    let files = house.own(&tier, 0);
    files.write("a", b"all of it").unwrap();
    let (opened, shared) = (files.open("a").unwrap(), std::sync::Arc::downgrade(tier.shared()));
    drop((tier, files));
    opened.read_exact_at(&mut [0; 9], 0).unwrap();
    drop(opened);
    until("they end", || shared.strong_count() == 0);
}
