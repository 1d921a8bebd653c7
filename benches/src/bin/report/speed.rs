//! Rows P1 to P6 and F2 to F4: lines and the whole pipeline, each beside its limit and peers.

use crate::Options;
use crate::print::Goal;
use family_benches::timing::{Case, Figure, measure};
use family_benches::{Fields, Table, cold, hop, hot, ours, peers, with_nil};
use std::hint::black_box;
use std::time::Duration;

const MEBIBYTE: usize = 1 << 20;

/// The ratio to the scan of a contender; infinite when it was not run, so that no goal is met by absence.
fn scan(figures: &[Figure], row: &str, name: &str) -> f64 {
    find(figures, row, name).map_or(f64::INFINITY, |figure| figure.scan)
}

fn find<'f>(figures: &'f [Figure], row: &str, name: &str) -> Option<&'f Figure> {
    figures.iter().find(|figure| figure.row == row && figure.name == name)
}

/// How many times the family's time a peer takes, both in scans of the same round.
fn times(figures: &[Figure], row: &str, ours: &str, peer: &str) -> Option<f64> {
    Some(find(figures, row, peer)?.scan / find(figures, row, ours)?.scan)
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|error| error.to_string())
}

/// Headers and fields of lines: P1 to P6.
pub(crate) fn lines(options: &Options, all: &mut Vec<Figure>, goals: &mut Vec<Goal>) -> Result<(), String> {
    if !options.wants(&["P1", "P2", "P3", "P4", "P5", "P6"]) {
        return Ok(());
    }
    let (body, truth) = (hot().body(), hot().truth());
    let longer = with_nil(body);
    let (plain, nil) = (text(body)?, text(&longer)?);
    let patterns = peers::Patterns::new().map_err(|error| error.to_string())?;
    let count = truth.lines;
    let heads = (truth.lines, truth.router_lines);
    let expected = peers::nom_lines(plain, Fields::default());
    let mut extractor = ours::extractor();
    let seen = ours::observations(&mut extractor, body);
    let kind = |head: &[u8]| cold().frames_with(head, MEBIBYTE);
    let (router, postgres) = (kind(b" heroku router - "), kind(b" app heroku-postgres - "));
    let runtime: Vec<u8> = kind(b" heroku web.");
    let (of_router, of_postgres, of_runtime) = (hop(&router), hop(&postgres), hop(&runtime));
    let by_nom = |body| Ok::<_, String>(peers::nom_lines(text(body)?, Fields::default()));
    let (in_router, in_postgres, in_runtime) = (by_nom(&router)?, by_nom(&postgres)?, by_nom(&runtime)?);
    let located = ours::router_fields(&router);
    let mut target = vec![0; body.len()];

    let mut cases = vec![
        Case::new("P1", "heroku-syslog", body, count, || ours::headers(black_box(body)) == heads),
        Case::new("P1", "limit: octet-count hop", body, count, || hop(black_box(body)) == count),
        Case::new("P1", "limit: memcpy", body, count, || {
            target.copy_from_slice(black_box(body));
            black_box(&target).len() == body.len()
        }),
        Case::new("P1", "nom", body, count, || peers::nom_headers(black_box(plain)) == heads),
        Case::new("P1", "syslog_loose", &longer, count, || peers::loose_headers(black_box(nil)) == heads),
        Case::new("P1", "syslog_rfc5424", &longer, count, || peers::rfc5424_headers(black_box(nil)) == heads),
        Case::new("P1", "regex", body, count, || patterns.headers(black_box(plain)) == heads),
        Case::new("P2", "heroku-router + logfmt-metrics", body, count, || ours::fields(black_box(body)) == expected),
        Case::new("P2", "heroku-metrics Extractor: names, tags, units", body, count, || {
            ours::observations(&mut extractor, black_box(body)) == seen
        }),
        Case::new("P2", "nom", body, count, || peers::nom_lines(black_box(plain), Fields::default()) == expected),
        Case::new("P2", "syslog_loose + logfmt-zerocopy", &longer, count, || {
            peers::loose_zerocopy(black_box(nil), Fields::default()) == expected
        }),
        Case::new("P2", "syslog_loose + tpt-logfmt-parse", &longer, count, || {
            peers::loose_tpt(black_box(nil), Fields::default()) == expected
        }),
        Case::new("P2", "regex", body, count, || patterns.lines(black_box(plain), Fields::default()) == expected),
        Case::new("P3", "router lines, what is needed", &router, of_router, || {
            ours::fields(black_box(&router)) == in_router
        }),
        Case::new("P3", "router lines, all fields", &router, of_router, || {
            ours::router_fields(black_box(&router)) == located
        }),
        Case::new("P3", "nom", &router, of_router, || by_nom(black_box(&router)) == Ok(in_router)),
        Case::new("P4", "Postgres lines", &postgres, of_postgres, || ours::fields(black_box(&postgres)) == in_postgres),
        Case::new("P4", "Postgres lines, nom", &postgres, of_postgres, || {
            by_nom(black_box(&postgres)) == Ok(in_postgres)
        }),
        Case::new("P4", "dyno runtime lines", &runtime, of_runtime, || ours::fields(black_box(&runtime)) == in_runtime),
        Case::new("P4", "dyno runtime lines, nom", &runtime, of_runtime, || {
            by_nom(black_box(&runtime)) == Ok(in_runtime)
        }),
    ];
    #[cfg(feature = "vrl")]
    let (mut parse_syslog, mut parse_logfmt) =
        (peers::Vector::new().ok_or("VRL does not compile")?, peers::Vector::new().ok_or("VRL does not compile")?);
    #[cfg(feature = "vrl")]
    if options.vrl {
        let expected = expected.without_sums();
        cases.push(Case::new("P1", "VRL parse_syslog", &longer, count, move || {
            parse_syslog.headers(black_box(nil)) == heads
        }));
        cases.push(Case::new("P2", "Vector-like: split, chrono, VRL parse_logfmt", body, count, move || {
            parse_logfmt.lines(black_box(plain), Fields::default()).without_sums() == expected
        }));
    }
    let mut figures = measure(&mut cases, options.rounds, options.slice)?;
    figures.sort_by_key(|figure| figure.row); // stable: the order within a row stays

    let ours = "heroku-router + logfmt-metrics";
    for (row, what, contender, must, aim) in [
        ("P1", "frames + header + dispatch", "heroku-syslog", 1.6, 1.2),
        ("P2", "typed fields of all metric lines", ours, 11.0, 6.0),
        ("P3", "router lines: what the aggregator needs", "router lines, what is needed", 6.5, 4.2),
        ("P3", "router lines: all fields located", "router lines, all fields", 9.0, 7.0),
        ("P4", "Postgres lines, 19 samples", "Postgres lines", 18.0, 8.0),
        ("P4", "dyno runtime lines, 3 to 7 samples", "dyno runtime lines", 14.0, 8.0),
    ] {
        goals.push(Goal::at_most(row, what, scan(&figures, row, contender), "x hot scan", must, aim));
    }
    if let Some(times) = times(&figures, "P2", ours, "Vector-like: split, chrono, VRL parse_logfmt") {
        goals.push(Goal::at_least("P5", "fields against the Vector-like path", times, "times", 80.0, 160.0));
    }
    let peers = ["nom", "syslog_loose + logfmt-zerocopy", "syslog_loose + tpt-logfmt-parse"];
    let best = peers.iter().filter_map(|peer| times(&figures, "P2", ours, peer)).fold(f64::INFINITY, f64::min);
    goals.push(Goal::at_least("P6", "fields against the best hand-assembled Rust", best, "times", 7.0, 12.0));
    all.extend(figures);
    Ok(())
}

/// Bytes to percentiles: F2 to F4.
pub(crate) fn whole(options: &Options, all: &mut Vec<Figure>, goals: &mut Vec<Goal>) -> Result<(), String> {
    if !options.wants(&["F2", "F3", "F4"]) {
        return Ok(());
    }
    let (body, lines) = (hot().body(), hot().truth().lines);
    let longer = with_nil(body);
    let (plain, nil) = (text(body)?, text(&longer)?);
    let mut warm = ours::Whole::new();
    let receipt = warm.ingest(body);
    let mut table = Table::default();
    let mut visited = 0;
    let mut cases = vec![
        Case::new("F2", "heroku-metrics, warm, 1 MiB", body, lines, || warm.ingest(black_box(body)) == receipt),
        Case::new("F2", "nom + map + hdrhistogram, warm, 1 MiB", body, lines, || {
            table = peers::nom_lines(black_box(plain), std::mem::take(&mut table));
            visited += 1;
            visited > 0
        }),
    ];
    let mut figures = measure(&mut cases, options.rounds, options.slice)?;
    drop(cases);
    if table.finish().requests != hot().truth().router_lines * visited {
        return Err("F2: the map has another number of requests".to_owned());
    }
    drop((table, nil));

    let (body, lines) = (cold().body(), cold().truth().lines);
    let longer = with_nil(body);
    let (plain, nil) = (text(body)?, text(&longer)?);
    let expected = peers::nom_lines(plain, Table::default()).finish();
    let mut streams = 0;
    let mut cases = vec![
        Case::new("F3", "heroku-metrics, from empty to percentiles", body, lines, || {
            let mut whole = ours::Whole::new();
            let balances = whole.ingest(black_box(body)).balances();
            streams = whole.pipeline().aggregator().streams();
            whole.finish() == expected && balances
        }),
        Case::new("F3", "nom + map + hdrhistogram", body, lines, || {
            peers::nom_lines(black_box(plain), Table::default()).finish() == expected
        }),
        Case::new("F3", "syslog_loose + logfmt-zerocopy + the same", &longer, lines, || {
            peers::loose_zerocopy(black_box(nil), Table::default()).finish() == expected
        }),
    ];
    #[cfg(feature = "vrl")]
    let mut vector = peers::Vector::new().ok_or("VRL does not compile")?;
    #[cfg(feature = "vrl")]
    if options.vrl {
        cases.push(Case::new("F3", "Vector-like + the same", body, lines, move || {
            // Its times of lines without a dyno are wrong, see `Fields::without_sums`.
            vector.lines(black_box(plain), Table::default()).finish().requests == expected.requests
        }));
    }
    let rounds = if options.long { options.rounds } else { options.rounds.min(5) };
    figures.extend(measure(&mut cases, rounds, Duration::ZERO)?);
    drop(cases);

    let ours = "heroku-metrics, from empty to percentiles";
    let warm = scan(&figures, "F2", "heroku-metrics, warm, 1 MiB");
    goals.push(Goal::at_most("F2", "whole pipeline, warm, hot", warm, "x hot scan", 19.0, 12.0));
    let best = find(&figures, "F3", ours).map_or(f64::INFINITY, |figure| figure.best_scan);
    let what = format!("from empty to percentiles, {streams} streams");
    goals.push(Goal::at_most("F3", what, best, "x cold scan, best", 15.0, 8.0));
    if let Some(times) = times(&figures, "F3", ours, "nom + map + hdrhistogram") {
        goals.push(Goal::at_least("F4", "F3 against nom + map + hdrhistogram", times, "times", 5.0, 12.0));
    }
    if let Some(times) = times(&figures, "F3", ours, "Vector-like + the same") {
        goals.push(Goal::at_least("F4", "F3 against Vector-like + the same", times, "times", 60.0, 100.0));
    }
    all.extend(figures);
    Ok(())
}
