//! Releases, starts and ends of dynos, and what the drain lost.

use super::apps::{Release, What};
use super::{Origin, Scene};
use heroku_metrics::model::Timestamp;
use logplex::random::Random;

/// Minutes after which a dyno is restarted in any case.
const CYCLE: i64 = 24 * 60;

pub(super) fn write(scene: &mut Scene) {
    for release in scene.app.releases {
        if scene.is(release.before_end) {
            releases(scene, release);
        } else if scene.is(release.before_end - 1) {
            restarts(scene, "State changed from up to starting");
        }
    }
    let app = scene.app;
    for dyno in app.web.iter().chain(app.workers) {
        if age(scene, dyno) == 0 && !app.releases.iter().any(|release| scene.is(release.before_end - 1)) {
            let at = scene.at(31);
            scene.write(at, Origin::dyno(dyno), "Cycling");
            restart(scene, dyno, at + 40_000, "State changed from up to starting");
        }
    }
    if scene.leak > 0.6 && scene.before_end % 9 == 0 {
        crash(scene);
    }
    if scene.slow > 0.9 && scene.before_end % 5 == 0 {
        let lost = scene.random.between(12, 340);
        let since = Timestamp::from_unix_seconds(scene.minute + 21).to_string().replace('Z', "+00:00");
        let text = format!("Error L10 (output buffer overflow): {lost} messages dropped since {since}.");
        let at = scene.at(50);
        scene.write(at, Origin { pri: 172, app_name: "heroku", proc_id: "logplex" }, text);
    }
}

fn releases(scene: &mut Scene, release: &Release) {
    let Release { version, what, by, .. } = release;
    let at = scene.at(4);
    match what {
        What::Deploy(commit) => {
            scene.write(at, Origin::api(), format!("Build started by user {by}"));
            scene.write(at + 21_000_000, Origin::api(), format!("Deploy {commit} by user {by}"));
        }
        What::Rollback(to) => scene.write(at + 21_000_000, Origin::api(), format!("Rollback to v{to} by user {by}")),
        What::Config(name) => {
            scene.write(at + 21_000_000, Origin::api(), format!("Set {name} config vars by user {by}"))
        }
    }
    scene.write(at + 21_300_000, Origin::api(), format!("Release v{version} created by user {by}"));
}

fn restarts(scene: &mut Scene, change: &str) {
    let app = scene.app;
    for (index, dyno) in app.web.iter().chain(app.workers).enumerate() {
        let at = scene.at(2 + 3 * index as i64);
        restart(scene, dyno, at, change);
    }
}

fn restart(scene: &mut Scene, dyno: &'static str, at: i64, change: &str) {
    let from = Origin::dyno(dyno);
    let command = if dyno.starts_with("web") { "bundle exec puma -C config/puma.rb" } else { "bundle exec rake jobs" };
    scene.write(at, from, change);
    scene.write(at + 300_000, from, "Stopping all processes with SIGTERM");
    scene.write(at + 1_100_000, from, "Process exited with status 143");
    scene.write(at + 2_000_000, from, format!("Starting process with command `{command}`"));
    scene.write(at + 9_000_000, from, "State changed from starting to up");
}

fn crash(scene: &mut Scene) {
    let dyno = scene.random.pick(scene.app.web);
    let from = Origin::dyno(dyno);
    let at = scene.at(40);
    scene.write(at, from.severe(3), "Stopping process with SIGKILL");
    scene.write(at + 600_000, from.severe(3), "Process exited with status 137");
    scene.write(at + 700_000, from.severe(3), "State changed from up to crashed");
    scene.write(at + 2_000_000, from, "State changed from crashed to starting");
    scene.write(at + 11_000_000, from, "State changed from starting to up");
}

/// How many minutes a dyno runs: since the last release, or since it was cycled.
pub(super) fn age(scene: &Scene, dyno: &str) -> i64 {
    let phase = dyno.bytes().fold(scene.app.seed as i64, |sum, byte| sum * 31 + i64::from(byte)).rem_euclid(CYCLE);
    let minute = scene.minute.div_euclid(60);
    let since_cycle = (minute + phase).rem_euclid(CYCLE);
    let started = scene.app.releases.iter().map(|release| release.before_end - 1 - scene.before_end);
    started.filter(|age| *age >= 0).fold(since_cycle, i64::min)
}

/// `heroku.418206553.<uuid>`, another one after each start.
pub(super) fn dyno_id(scene: &Scene, dyno: &str) -> String {
    let started = scene.minute.div_euclid(60) - age(scene, dyno);
    let seed = dyno.bytes().fold(scene.app.seed, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    format!("heroku.{}.{}", scene.app.number, Random::new(seed ^ (started as u64) << 20).uuid())
}
