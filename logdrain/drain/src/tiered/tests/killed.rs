//! A node that is killed in the middle of a change: this program, started again.

use super::*;
use std::process::Command;

const NODE: &str = "LOGDRAIN_TESTS_FILES";
const OWN: &str = "tiered::tests::killed::a_node_that_is_killed_at_any_step_loses_nothing_and_leaves_nothing_behind";

/// What the node does that is killed.
fn change(said: &str) {
    let [url, s3, journal, dir, epoch] = said.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let (address, dir) = (Address::parse(url, None).unwrap(), Path::new(dir));
    let tier = Tier::new(&address, &place(s3), journal, &dir.join("cache"), LARGE).unwrap();
    let files = tier.files(parts().each().next().unwrap(), epoch.parse().unwrap());
    files.put("a", &dir.join("new"), b"").unwrap();
    files.remove(&["b"]).unwrap();
    files.write("done", b"done").unwrap();
    until_idle(&tier);
    std::process::exit(7);
}

#[test]
fn a_node_that_is_killed_at_any_step_loses_nothing_and_leaves_nothing_behind() {
    if let Ok(said) = std::env::var(NODE) {
        change(&said);
    }
    let Some(house) = House::start("killed") else { return };
    let [old, new, kept] = [1, 2, 3].map(|seed| many(seed, PIECE + 9));
    house.file("new", &new);
    let mut seen = Vec::new();
    for point in [
        "file-object:1",
        "file-row:1",
        "file-gone:1",
        "file-object:2",
        "file-row:2",
        "file-gone:2",
        "file-row:3",
        "never:1",
    ] {
        let tier = house.tier();
        let files = house.own(&tier, 0);
        for (name, bytes) in [("a", &old), ("b", &kept), ("c", &kept)] {
            files.put(name, &house.file("from", bytes), b"").unwrap();
        }
        files.remove(&["done"]).unwrap();
        until_idle(&tier);
        drop((files, tier));
        let (url, at, dir, epoch) = (house.postgres.url(), house.s3.at, house.dir.display(), house.take(0));
        let ended = Command::new(std::env::current_exe().unwrap())
            .args([OWN, "--exact", "--nocapture"])
            .env(NODE, format!("{url} {at} {} {dir} {epoch}", house.journal))
            .env("LOGDRAIN_DIES_AFTER", point)
            .output()
            .unwrap();
        assert_eq!(ended.status.code(), if point == "never:1" { Some(7) } else { None }, "{point}: {ended:?}");
        let tier = house.tier();
        let files = house.own(&tier, 0);
        let a = read(&files, "a").unwrap();
        assert!(a == old || a == new, "{point}");
        assert!(read(&files, "b").is_none_or(|b| b == kept) && read(&files, "c").unwrap() == kept, "{point}");
        seen.push((a == new, read(&files, "b").is_none(), read(&files, "done").is_some()));
        super::super::sweeping::sweep(tier.shared(), files.part(), files.epoch()).unwrap();
        super::super::sweeping::tidy(tier.shared()).unwrap();
        until_idle(&tier);
        house.assert_whole();
        // What was purged is not on the disk either.
        let named = house.postgres.sql("SELECT key FROM logdrain.files");
        let cached = tier.shared().cache.keys();
        assert!(cached.iter().all(|key| named.lines().any(|named| *named == **key)), "{point}");
    }
    let done = |upto| (0 < upto, 1 < upto, 2 < upto);
    // Objects go while others change: what is done by then is not the same each time.
    assert_eq!([seen[0], seen[1], seen[3], seen[4]], [done(0), done(1), done(1), done(2)]);
    assert!(seen[2].0 && seen[5].1, "{seen:?}");
    assert_eq!([seen[6], seen[7]], [done(3), done(3)]);
}
