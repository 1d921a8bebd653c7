//! Archives of nodes on their way to a bucket: by whoever is home of the account. It needs an S3 server, as
//! [`uploads`](crate::uploads) does.

use super::archives::{DELIVERIES, HOURS, NEEDLE, PATIENCE, archived, change, fill, home, postgres};
use super::cluster::{Cluster, account};
use crate::archives::rows;
use crate::harness::{scratch, wait_within};
use crate::uploads::{BUCKET, Between, bucket, object};
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;
use testkit::s3::S3;

#[test]
fn whoever_takes_over_uploads_what_is_not_there_yet_and_what_is_purged_once_more() {
    let Some(s3) = S3::start(BUCKET) else { return };
    let Some(postgres) = postgres() else { return };
    let dir = scratch("nodes-uploads");
    let (shared, url) = (dir.join("shared"), postgres.url());
    // Each node has a file of its configuration, and all have one key.
    let text = format!("archives = true\noutbound_allow = [\"127.0.0.1\"]\nkey_file = {:?}\n", dir.join("all.key"));
    let cluster = Cluster::new(&dir, [&url; 3]).with_lines().patient().with(&text);
    fill(&cluster, &postgres, DELIVERIES);
    assert!(cluster.start(&[]));
    let first = account(0);
    let own = || archived(&shared).into_iter().filter(|((of, _), _)| *of == first).map(|(_, path)| path);
    wait_within(PATIENCE, "its hours", || (own().count() as i64 == HOURS).then_some(()));
    let between = Between::default();
    change(&cluster, "PUT", "/api/v2/bucket", &first, &bucket(between.start(s3.at), "s3cret-of-bucket"));
    let key = |path: &PathBuf| {
        let day = path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        format!("papertrail/logs/{first}/{day}/{}", path.file_name().unwrap().to_str().unwrap())
    };
    let are_there = || {
        let keys = s3.keys(BUCKET);
        let is_there = |path: PathBuf| {
            keys.contains(&key(&path)) && fs::read(object(&s3, &key(&path), &dir)).unwrap() == fs::read(path).unwrap()
        };
        own().all(is_there).then_some(())
    };
    wait_within(PATIENCE, "its hours in the bucket", are_there);
    let marks = || own().filter(|path| path.with_extension("").with_extension("uploaded.json").exists()).count();
    wait_within(PATIENCE, "that they are there", || (marks() as i64 == HOURS).then_some(()));
    // Who takes over knows that they are there, and sends none again.
    let came = between.came.load(Ordering::SeqCst);
    let gone = home(&cluster, &postgres, &first).unwrap();
    cluster.nodes[gone].kill();
    let next = || home(&cluster, &postgres, &first).filter(|home| *home != gone);
    wait_within(PATIENCE, "another home", next);
    wait_within(PATIENCE, "another home that knows its archives", || {
        let address = cluster.nodes[next()?].address()?;
        let path = format!("/api/v2/archives?account={first}");
        let told = crate::harness::request(address, "GET", &path, &[super::cluster::OPERATOR], b"").ok()?;
        (told.body.matches("\"upload\":\"uploaded\"").count() as i64 == HOURS).then_some(())
    });
    // Some looks for what is due.
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(between.came.load(Ordering::SeqCst), came, "what is there was sent again");
    change(&cluster, "POST", "/api/v2/purge", &first, &json!({"query": NEEDLE, "dry_run": false}));
    wait_within(PATIENCE, "the end of what is purged", || {
        let is_purged = |path: PathBuf| {
            let there = rows(&object(&s3, &key(&path), &dir));
            !there.is_empty() && there.iter().all(|(_, _, message)| !message.contains(NEEDLE))
        };
        own().all(is_purged).then_some(())
    });
    wait_within(PATIENCE, "its hours in the bucket", are_there);
}
