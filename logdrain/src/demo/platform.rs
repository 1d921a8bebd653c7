//! What the platform measures: dynos every twenty seconds, and only once a minute long ago, which nobody looks at so closely;
//! databases about once a minute.

use super::apps::Database;
use super::{LEAK, Origin, Scene, drift, life};
use logplex::random::Random;

/// Between two reports of a dyno, in seconds.
const REPORT: i64 = 20;
/// So many minutes before the end is long ago.
const LONG_AGO: i64 = 6 * 60;

pub(super) fn write(scene: &mut Scene) {
    let app = scene.app;
    let reports = if scene.before_end > LONG_AGO { 1 } else { 60 / REPORT };
    for (index, dyno) in app.web.iter().chain(app.workers).enumerate() {
        for report in 0..reports {
            runtime(scene, dyno, index as u64, report * REPORT + index as i64);
        }
    }
    for (index, database) in app.databases.iter().enumerate() {
        postgres(scene, database, 18 + 4 * index as i64);
    }
}

/// The two lines of one report: load, and memory.
fn runtime(scene: &mut Scene, dyno: &'static str, index: u64, second: i64) {
    let app = scene.app;
    let now = scene.minute + second;
    let is_web = dyno.starts_with("web");
    let noise = |random: &mut Random, most: u64| random.below(most * 100) as f64 / 100.0;
    let work = if is_web { scene.busy } else { 0.35 + 0.2 * drift(now, 2_400.0, index) };
    let load = (0.9 * work + 0.12 * drift(now, 700.0, index) + 2.4 * scene.slow + 0.9 * scene.leak).max(0.02)
        + noise(&mut scene.random, 1) * 0.15;
    // Memory grows from one start of the dyno to the next.
    let age = life::age(scene, dyno);
    let grown = if is_web { 42.0 * (age as f64 / 1_440.0).min(1.0) } else { 9.0 };
    let leaked = leaked(scene, is_web, index);
    let rss = app.rss_mb * (if is_web { 1.0 } else { 0.72 })
        + grown
        + leaked
        + 7.0 * drift(now, 1_900.0, index + 3)
        + noise(&mut scene.random, 3);
    let (quota, cache) = (app.quota_mb, 3.2 + noise(&mut scene.random, 2));
    let swap = (rss - quota * 0.98).max(0.0);
    let pages = now.rem_euclid(10_000_000) as f64;
    let id = life::dyno_id(scene, dyno);
    let from = Origin::dyno(dyno);
    let at = scene.at(second);
    let load_line = format!(
        "source={dyno} dyno={id} sample#load_avg_1m={load:.2} sample#load_avg_5m={:.2} sample#load_avg_15m={:.2}",
        load * 0.86 + 0.02,
        load * 0.7 + 0.04
    );
    scene.write(at, from, load_line);
    let memory = format!(
        "source={dyno} dyno={id} sample#memory_total={:.2}MB sample#memory_rss={:.2}MB sample#memory_cache={cache:.2}MB \
         sample#memory_swap={swap:.2}MB sample#memory_pgpgin={:.0}pages sample#memory_pgpgout={:.0}pages \
         sample#memory_quota={quota:.2}MB",
        rss + cache,
        rss - swap,
        pages * 2.1 + 90_000.0,
        pages * 1.7 + 20_000.0,
    );
    scene.write(at + 210_000, from, memory);
    if rss > quota {
        let hint = format!("Process running mem={rss:.0}M({:.1}%)", rss / quota * 100.0);
        scene.write(at + 230_000, from, hint);
        if rss > quota * 1.9 {
            scene.write(at + 230_700, from.severe(3), "Error R15 (Memory quota vastly exceeded)");
        } else {
            scene.write(at + 230_700, from.severe(4), "Error R14 (Memory quota exceeded)");
        }
    }
}

/// Megabytes that the bad release has lost by now: every dyno is killed and begins again, each in its own time.
fn leaked(scene: &Scene, is_web: bool, index: u64) -> f64 {
    if !is_web || scene.leak == 0.0 {
        return 0.0;
    }
    let turn = 23 + 3 * index as i64;
    ((LEAK.from - scene.before_end) % turn) as f64 * 31.0
}

fn postgres(scene: &mut Scene, database: &Database, second: i64) {
    let (now, seed) = (scene.minute + second, database.seed);
    let minutes = (scene.before_end as f64).mul_add(-database.grows_a_minute, database.size);
    let size = (minutes / 8_192.0).round() * 8_192.0;
    let slow = if database.is_follower { 0.0 } else { scene.slow };
    let busy = scene.busy;
    let active = (database.connections * (0.45 + 0.5 * busy) + 2.0 * drift(now, 900.0, seed) + 40.0 * slow)
        .clamp(1.0, f64::from(database.most_connections))
        .round();
    let waiting = (17.0 * slow + if scene.random.chance(20) { 1.0 } else { 0.0 }).round();
    let hits = |random: &mut Random, base: f64| (base - 0.06 * slow - random.below(300) as f64 / 100_000.0).min(0.9999);
    let (index_hits, table_hits) = (hits(&mut scene.random, 0.9978), hits(&mut scene.random, 0.9921));
    let load = (0.25 * busy + 0.05 * drift(now, 600.0, seed) + 3.1 * slow).max(0.01);
    let read = 24.0 * busy + 900.0 * slow + scene.random.below(600) as f64 / 100.0;
    let write = 140.0 * busy + scene.random.below(3_000) as f64 / 100.0;
    let total = database.memory_kb;
    let free = total * (0.05 + 0.01 * drift(now, 5_000.0, seed));
    let cached = total * (0.82 - 0.02 * busy - 0.05 * slow);
    let transactions = 48_113_902.0 - scene.before_end as f64 * 940.0 + second as f64 * 15.0;
    let mut text = format!(
        "source={} addon={} sample#current_transaction={transactions:.0} sample#db_size={size:.0}bytes \
         sample#db-size-percentage-used={:.5} sample#tables={} sample#active-connections={active} \
         sample#waiting-connections={waiting} sample#max-connections={} sample#connections-percentage-used={:.5} \
         sample#index-cache-hit-rate={index_hits:.5} sample#table-cache-hit-rate={table_hits:.5} \
         sample#load-avg-1m={load:.3} sample#load-avg-5m={:.3} sample#load-avg-15m={:.3} sample#read-iops={read:.2} \
         sample#write-iops={write:.2} sample#max-iops=3000 sample#iops-percentage-used={:.5} \
         sample#tmp-disk-used=543600640 sample#tmp-disk-available=72435191808 sample#memory-total={total:.0}kB \
         sample#memory-free={free:.0}kB sample#memory-percentage-used={:.5} sample#memory-cached={cached:.0}kB \
         sample#memory-postgres={:.0}kB sample#wal-percentage-used={:.5}",
        database.source,
        database.addon,
        size / database.limit,
        database.tables,
        database.most_connections,
        active / f64::from(database.most_connections),
        load * 0.85,
        load * 0.7,
        (read + write) / 3_000.0,
        1.0 - free / total,
        total * (0.03 + 0.012 * busy),
        0.062 + 0.004 * drift(now, 3_000.0, seed),
    );
    if database.is_follower {
        text.push_str(&format!(" sample#follower-lag-commits={}", scene.random.below(14) + (90.0 * scene.slow) as u64));
    }
    let at = scene.at(second);
    scene.write(at, Origin::service("heroku-postgres"), text);
}
