//! Ids go by the clock of the database. It needs `faketime`, as [`clock`](crate::clock) does.

use super::{config, deliver, delivery};
use crate::clock::shifted_with;
use crate::harness::{now_micros, scratch};
use testkit::postgres::Postgres;

/// The ids of all deliveries in the order of the journal, the first and the last of each.
fn ids(postgres: &Postgres) -> Vec<(u64, u64)> {
    let rows =
        postgres.sql("SELECT base_id, base_id + 256 * (lines - 1) FROM logdrain.log WHERE kind = 0 ORDER BY seq");
    let of = |text: &str| text.parse().unwrap();
    rows.lines().map(|row| row.split_once('|').unwrap()).map(|(first, last)| (of(first), of(last))).collect()
}

#[test]
fn of_nodes_whose_clocks_are_hours_apart_each_takes_over_and_ids_rise_with_the_time() {
    let Some(postgres) = Postgres::start() else { return };
    let began = now_micros() / 1_000;
    let clock = scratch("postgres-clock").join("clock");
    let mut number = 0;
    for (round, shift) in ["+0", "-1h", "+1h", "-1h", "+3d"].into_iter().enumerate() {
        std::fs::write(&clock, shift).unwrap();
        // Each in a folder of its own, so that nothing but the database tells it anything.
        let dir = scratch(&format!("postgres-clock-{round}"));
        let config = config(&dir, &postgres.url());
        let Some(node) = shifted_with(&dir, &clock, &["--config", &config]) else { return };
        for _ in 0..5 {
            number += 1;
            deliver(&node, &delivery(number));
        }
        // Its clock is set back while it runs.
        if shift == "+1h" {
            std::fs::write(&clock, "-1h").unwrap();
            number += 1;
            deliver(&node, &delivery(number));
        }
        // The next one waits for the lease to end, or need not wait.
        if round % 2 == 0 {
            let (code, log) = node.stop();
            assert_eq!(code, Some(0), "{log}");
        } else {
            node.kill();
        }
    }
    let (ids, ended) = (ids(&postgres), now_micros() / 1_000);
    assert_eq!(ids.len(), 26);
    assert!(ids.is_sorted_by(|before, after| before.0 <= before.1 && before.1 < after.0), "{ids:?}");
    for (first, last) in ids {
        assert!(began <= first >> 20 && last >> 20 <= ended, "{} is not in {began}..{ended}", first >> 20);
    }
}
