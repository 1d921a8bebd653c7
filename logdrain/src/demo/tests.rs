use super::*;
use heroku_metrics::model::DataPointBuf;
use heroku_metrics::syslog::Delivery;
use heroku_metrics::{Pipeline, PipelineConfig};
use std::collections::BTreeSet;

/// 2026-03-14T12:00:00Z
const NOON: i64 = 1_773_489_600;

fn body(story: Story, app: &'static App, before_end: std::ops::RangeInclusive<i64>) -> Vec<u8> {
    let (mut body, mut stamp) = (Vec::new(), Stamp::default());
    for minute in before_end.rev() {
        for line in story.lines(app, story.end() - minute * MINUTE) {
            frame(&mut body, &line, &mut stamp);
        }
    }
    body
}

fn text(story: Story, app: &'static App, before_end: std::ops::RangeInclusive<i64>) -> String {
    String::from_utf8_lossy(&body(story, app, before_end)).into_owned()
}

#[test]
fn a_minute_is_the_same_for_who_asks_again_and_its_lines_lie_in_it_in_order() {
    let story = Story::new(NOON + 34);
    for app in APPS {
        for minute in [-3, 0, 1, 40, 95, 1_540, 4_320] {
            let start = story.end() - minute * MINUTE;
            let (one, other) = (story.lines(app, start), story.lines(app, start));
            assert!(!one.is_empty() && one.is_sorted_by_key(|line| line.at), "{} {minute}", app.name);
            assert!(one.iter().map(|line| &line.message).eq(other.iter().map(|line| &line.message)));
            let first = one.first().map(|line| line.at);
            assert!(first.is_some_and(|at| at >= start * 1_000_000));
            // What follows from something may come a little later.
            assert!(one.last().is_some_and(|line| line.at < (start + 90) * 1_000_000), "{:?}", one.last());
        }
    }
}

#[test]
fn there_is_something_of_everything() {
    let story = Story::new(NOON);
    let [shop, depot, blog] = APPS else { panic!("three apps") };
    let lately = text(story, shop, 0..=100);
    for part in [
        "code=H12",
        "code=H27",
        "status=500",
        "sample#memory_rss=",
        "sample#load_avg_1m=",
        "source=DATABASE addon=postgresql-amber-20417",
        "source=HEROKU_POSTGRESQL_OLIVE",
        "sample#follower-lag-commits=",
        "Release v216 created by user ",
        "State changed from starting to up",
        "StatementTimeout",
        "Error L10 (output buffer overflow)",
        "count#shop.orders=1",
        "measure#db.query=",
        "sample#queue.depth=",
        "\u{1b}[36m",
    ] {
        assert!(lately.contains(part), "{part}");
    }
    let leak = text(story, shop, LEAK.to - 2..=LEAK.from + 5);
    for part in
        ["Error R14", "code=H10", "code=H13", "Release v213", "Rollback to v212", "State changed from up to crashed"]
    {
        assert!(leak.contains(part), "{part}");
    }
    let depots = text(story, depot, 0..=60);
    assert!(depots.contains("source=DATABASE addon=postgresql-slate-88310") && depots.contains("customer-01"));
    assert!(text(story, blog, 0..=60).contains("blog.readers"));
    let hostile = text(story, shop, 0..=400);
    assert!(
        ["onerror=", "\u{202e}", "\x1b]0;owned", "\u{fffd}"].iter().filter(|part| hostile.contains(**part)).count() > 2
    );
}

#[test]
fn a_day_has_its_wave() {
    let story = Story::new(NOON);
    let lines = |hours_before_noon: i64| -> usize {
        (0..10).map(|minute| story.lines(&APPS[0], NOON - hours_before_noon * HOUR - minute * MINUTE).len()).sum()
    };
    let (night, day) = (lines(8), lines(20));
    assert!(day > night * 3 / 2, "{night} {day}");
}

/// Every line is read as what it is meant to be.
#[test]
fn the_pipeline_makes_minutes_of_it() {
    let story = Story::new(NOON);
    let mut names = BTreeSet::new();
    for app in APPS {
        let mut pipeline = Pipeline::new(PipelineConfig::new()).unwrap();
        let body = body(story, app, 0..=59);
        pipeline.ingest(&Delivery::new(&body));
        let mut minutes: Vec<DataPointBuf> = Vec::new();
        pipeline.finish(&mut minutes).unwrap();
        names.extend(minutes.iter().map(|minute| minute.as_point().name().to_owned()));
    }
    for name in [
        "heroku.router.http.requests",
        "heroku.router.service.response_time",
        "heroku.errors.http",
        "heroku.dyno.mem.rss",
        "heroku.dyno.load.load1",
        "heroku.postgres.db.connections_active",
        "shop.checkout.time",
        "api.calls",
        "depot.backlog",
        "blog.readers",
    ] {
        assert!(names.contains(name), "{name}: {names:?}");
    }
}
