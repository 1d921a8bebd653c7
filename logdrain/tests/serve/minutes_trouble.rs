//! A disk that is full under the file of minutes: deliveries are taken, rows go on, and the minutes follow.

use crate::harness::{Delivery, Server, body, scratch, truth, wait_for_rows, wait_until};
use crate::lines::number;
use crate::lines_trouble::Mounted;
use crate::minutes::wait_for_minutes;
use std::fs;

#[test]
fn minutes_that_find_no_room_follow_later() {
    let dir = scratch("minutes-full");
    let (store, disk) = (dir.join("store"), dir.join("disk"));
    fs::create_dir_all(&store).unwrap();
    fs::create_dir_all(&disk).unwrap();
    let Some(mounted) = Mounted::at(&disk, "512k") else { return };
    // The minutes alone lie on a disk of their own.
    std::os::unix::fs::symlink(disk.join("minutes.db"), store.join("minutes.db")).unwrap();
    let server = Server::start(&dir, &[]);
    let is_failing = |server: &Server| number(server, "logdrain_minutes_failing") == 1.0;
    let mut bodies = Vec::new();
    let mut send = |server: &Server| {
        let number = bodies.len() as u64;
        let sent = Delivery { id: format!("{number:032X}"), token: "d.shop".to_owned(), body: body(number, 200) };
        assert_eq!(sent.send(server.address).unwrap(), 204, "deliveries do not wait for minutes");
        bodies.push(sent.body);
    };
    wait_until("a full disk", || {
        send(&server);
        is_failing(&server).then_some(())
    });
    assert!(server.log().contains("minutes cannot be written"), "{}", server.log());
    send(&server);
    assert_eq!((server.get("/readyz").status, server.get("/dashboards/overview").status), (200, 200));
    mounted.resize("64m");
    wait_until("room", || (!is_failing(&server)).then_some(()));
    send(&server);
    let expected = truth(&dir, [("d.shop", bodies.concat())]);
    wait_for_rows(&dir.join("rows.jsonl"), &expected);
    wait_for_minutes(server.address, &expected);
    assert_eq!(server.stop().0, Some(0));
    drop(mounted);
}
