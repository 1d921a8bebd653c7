//! What happens in the three minutes: steady traffic; in the second minute `web.2` of `shop` runs out of memory, is
//! killed, and comes back in the third.

use super::router::{self, Request};
use super::{App, Clock, End, Line, app, platform};
use crate::random::Random;

const SEED: u64 = 0x5eed_2026_0314;
const SECOND: u64 = 1_000_000;
const END_OF_LOG: u64 = 180 * SECOND;

/// All lines, in the order of their arrival, which is a little out of the order of time, as in real drains.
pub(super) fn lines() -> Vec<Line> {
    let mut random = Random::new(SEED);
    let mut lines = Vec::new();
    requests(&mut random, &mut lines);
    failed_requests(&mut random, &mut lines);
    dynos(&mut random, &mut lines);
    data_services(&mut random, &mut lines);
    losses(&mut lines);
    operations(&mut lines);
    applications(&mut random, &mut lines);
    // Routers are many machines, so their lines arrive in some disorder; those of one dyno come in order.
    let delay = |random: &mut Random, line: &Line| if line.proc_id == "router" { random.below(SECOND / 4) } else { 0 };
    let mut arrivals: Vec<(u64, Line)> =
        lines.into_iter().map(|line| (line.at + delay(&mut random, &line), line)).collect();
    arrivals.sort_by_key(|(arrival, _)| *arrival);
    arrivals.into_iter().map(|(_, line)| line).collect()
}

/// The moment of the `index`th of `count` events that are spread over the log, with some disorder.
fn spread(random: &mut Random, index: u64, count: u64) -> u64 {
    let step = END_OF_LOG / count;
    (index * step + random.below(step)).min(END_OF_LOG - SECOND / 2)
}

fn requests(random: &mut Random, lines: &mut Vec<Line>) {
    for index in 0..150 {
        let at = spread(random, index, 150);
        lines.push(router::served(random, App::Shop, at));
    }
    for index in 0..54 {
        let at = spread(random, index, 54);
        lines.push(router::served(random, App::Depot, at));
    }
    for index in 0..5 {
        let at = spread(random, index, 5);
        let request = Request {
            method: "GET",
            path: "/labels?bin=A-100&copies=2&note=\"fragile\"".to_owned(),
            dyno: "web.1",
            connect_ms: 1,
            service_ms: random.latency(18),
            status: 200,
            bytes: 13,
        };
        lines.push(router::line(App::Depot, at, router::of_2013(&request)));
    }
    // The socket of a web page: one request, and a life of minutes that is no latency.
    for (at, service_ms) in [(71 * SECOND, 61_904), (169 * SECOND, 148_377)] {
        let request = Request {
            method: "GET",
            path: "/cable".to_owned(),
            dyno: "web.1",
            connect_ms: 0,
            service_ms,
            status: 101,
            bytes: 2_214,
        };
        let text = router::finished(random, App::Shop, &request);
        lines.push(router::line(App::Shop, at, text));
    }
    // A decoded path may hold the quote that was sent as %22.
    let request = Request {
        method: "GET",
        path: "/search/pot 5\"round".to_owned(),
        dyno: "web.1",
        connect_ms: 0,
        service_ms: 88,
        status: 200,
        bytes: 6_022,
    };
    let text = router::finished(random, App::Shop, &request);
    lines.push(router::line(App::Shop, 33 * SECOND, text));
}

/// `dyno=` to `bytes=` where no dyno was reached, as Router 2.0 and the older router write it.
const UNREACHED: &str = "dyno= connect=0ms service=0ms status=503 bytes=596";
const UNREACHED_OLD: &str = "dyno= connect= service= status=503 bytes=";

fn failed_requests(random: &mut Random, lines: &mut Vec<Line>) {
    let shop: &[(u64, &str, &str, &str, &str)] = &[
        (
            41,
            "at=error code=H12 desc=\"Request timeout\"",
            "POST",
            "/orders",
            "dyno=web.2 connect=0ms service=30000ms status=503 bytes=567",
        ),
        (
            74,
            "at=error code=H12 desc=\"Request timeout\"",
            "GET",
            "/search?q=oolong",
            "dyno=web.2 connect=1ms service=30001ms status=503 bytes=567",
        ),
        (
            88,
            "at=error code=H12 desc=\"Request timeout\"",
            "POST",
            "/orders",
            "dyno=web.2 connect=0ms service=30000ms status=503 bytes=567",
        ),
        (
            98,
            "at=error code=H13 desc=\"Connection closed without response\"",
            "GET",
            "/products",
            "dyno=web.2 connect=0ms service=8213ms status=503 bytes=567",
        ),
        (
            97,
            "sock=backend at=error code=H18 desc=\"Server Request Interrupted\"",
            "POST",
            "/cart/items",
            "dyno=web.2 connect=0ms service=3140ms status=200 bytes=0",
        ),
        (
            52,
            "sock=client at=warning code=H27 desc=\"Client Request Interrupted\"",
            "GET",
            "/products",
            "dyno=web.1 connect=0ms service=2711ms status=499 bytes=0",
        ),
        (
            90,
            "sock=client at=warning code=H27 desc=\"Client Request Interrupted\"",
            "GET",
            "/search?q=oolong",
            "dyno=web.2 connect=1ms service=11408ms status=499 bytes=0",
        ),
        (101, "at=error code=H10 desc=\"App crashed\"", "GET", "/products", UNREACHED),
        (103, "at=error code=H10 desc=\"App crashed\"", "POST", "/cart/items", UNREACHED),
        (106, "at=error code=H10 desc=\"App crashed\"", "GET", "/products", UNREACHED),
        (
            110,
            "at=error code=H21 desc=\"Backend connection refused\"",
            "GET",
            "/products",
            "dyno=web.2 connect=1ms service= status=503 bytes=567",
        ),
        (
            133,
            "at=warning code=H28 desc=\"Client Connection Idle\"",
            "POST",
            "/uploads",
            "dyno=web.1 connect=1ms service=55190ms status=499 bytes=18",
        ),
        (172, "at=info code=H80 desc=\"Maintenance mode\"", "GET", "/products", UNREACHED),
        (174, "at=info code=H80 desc=\"Maintenance mode\"", "GET", "/cart", UNREACHED),
    ];
    for (second, head, method, path, tail) in shop {
        let text = router::shop_failure(random, head, method, path, tail);
        lines.push(router::line(App::Shop, second * SECOND + random.below(SECOND / 2), text));
    }
    let depot: &[(u64, &str, &str, &str, &str)] = &[
        (
            19,
            "at=error code=H19 desc=\"Backend connection timeout\"",
            "GET",
            "/api/bins",
            "dyno=web.1 connect=5001ms service= status=503 bytes=",
        ),
        (
            64,
            "at=error code=H25 desc=\"HTTP restriction: oversized header\"",
            "GET",
            "/api/stock/4711",
            "dyno=web.1 connect=0 service=1 status=502 bytes=537",
        ),
        (
            115,
            "at=error code=H26 desc=\"Request Error\" cause=\"bad header\"",
            "POST",
            "/api/movements",
            "dyno= connect= service= status=400 bytes=",
        ),
        (118, "at=error code=H20 desc=\"App boot timeout\"", "GET", "/api/bins", UNREACHED_OLD),
        (150, "at=info code=H81 desc=\"Blank app\"", "GET", "/", UNREACHED_OLD),
    ];
    for (second, head, method, path, tail) in depot {
        let text = router::depot_failure(random, head, method, path, tail);
        lines.push(router::line(App::Depot, second * SECOND + random.below(SECOND / 2), text));
    }
    // How errors were told before October 2012; a relay still writes it so.
    let old = "Error H12 (Request timeout) -> GET depot.example.org/export/all dyno=web.1 queue= wait= service=30000ms \
               status=503 bytes=0";
    lines.push(router::line(App::Depot, 128 * SECOND, old).clock(Clock::Unknown));
}

fn dynos(random: &mut Random, lines: &mut Vec<Line>) {
    let mut shop_web_1 = platform::Dyno::new(random, App::Shop, "web.1", 331, 512);
    let mut shop_web_2 = platform::Dyno::new(random, App::Shop, "web.2", 448, 512).leaking(2_900);
    let mut worker = platform::Dyno::new(random, App::Shop, "worker.1", 612, 1_024);
    let mut depot_web = platform::Dyno::new(random, App::Depot, "web.1", 204, 512);
    for round in 0..9 {
        let at = round * 20 * SECOND;
        lines.extend(shop_web_1.report(random, at + 3 * SECOND + 118_204));
        lines.extend(worker.report(random, at + 8 * SECOND + 640_015));
        lines.extend(depot_web.report(random, at + 14 * SECOND + 301_000));
        // Killed in the fifth round; a new instance, with a new id, reports from the eighth.
        if round < 5 {
            lines.extend(shop_web_2.report(random, at + 11 * SECOND + 909_460));
        } else if round == 7 {
            shop_web_2 = platform::Dyno::new(random, App::Shop, "web.2", 187, 512);
        }
        if round >= 7 {
            lines.extend(shop_web_2.report(random, at + 11 * SECOND + 909_460));
        }
        if round == 3 || round == 4 {
            let hint = shop_web_2.memory_hint();
            lines.push(platform::dyno_manager(App::Shop, at + 12 * SECOND + 4_001, "web.2", hint));
            let error = "Error R14 (Memory quota exceeded)";
            lines.push(platform::dyno_manager(App::Shop, at + 12 * SECOND + 9_377, "web.2", error));
        }
    }
    let shop: &[(u64, &str, &str)] = &[
        (94_200, "web.2", "Process running mem=1031M(201.4%)"),
        (94_206, "web.2", "Error R15 (Memory quota vastly exceeded)"),
        (94_240, "web.2", "Stopping process with SIGKILL"),
        (96_800, "web.2", "Process exited with status 137"),
        (96_912, "web.2", "State changed from up to crashed"),
        (107_000, "web.2", "State changed from crashed to starting"),
        (112_500, "web.2", "Starting process with command `bin/shop serve --port 21733`"),
        (138_100, "web.2", "State changed from starting to up"),
        (141_000, "worker.1", "Stopping all processes with SIGTERM"),
        (171_000, "worker.1", "Error R12 (Exit timeout) -> Process failed to exit within 30 seconds of SIGTERM"),
        (171_020, "worker.1", "Stopping process with SIGKILL"),
    ];
    for (millis, dyno, text) in shop {
        lines.push(platform::dyno_manager(App::Shop, millis * 1_000 + random.below(900), dyno, *text));
    }
    let boot = "Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch";
    lines.push(platform::dyno_manager(App::Depot, 117 * SECOND + 4_410, "web.2", boot));
    lines.push(platform::dyno_manager(
        App::Depot,
        117 * SECOND + 90_100,
        "web.2",
        "State changed from starting to crashed",
    ));
    // A dyno that has just started has no averages of five and fifteen minutes yet.
    let young = "source=run.5120 dyno=heroku.310774421.0b7d35f4-1f6e-4ad2-8c05-6a0f2b9d77e3 sample#load_avg_1m=0.31";
    lines.push(platform::dyno_manager(App::Shop, 99 * SECOND, "run.5120", young).clock(Clock::Zulu));
}

fn data_services(random: &mut Random, lines: &mut Vec<Line>) {
    for minute in 0..3 {
        let at = minute * 60 * SECOND;
        lines.push(platform::postgres_long(random, at + 18 * SECOND));
        lines.push(platform::postgres_follower(random, at + 21 * SECOND));
        lines.push(platform::redis(random, at + 44 * SECOND));
        lines.push(platform::pgbouncer(random, at + 39 * SECOND));
        if minute != 1 {
            lines.push(platform::postgres_short(random, at + 25 * SECOND));
        }
    }
    for (second, text) in [
        (
            47,
            "[COBALT] [7-1]  sql_error_code = 00000 time_ms = \"2026-03-14 09:26:47.210 UTC\" pid=\"88120\" LOG:  duration: 1204.551 ms  statement:",
        ),
        (47, "[COBALT] [7-2] \tSELECT count(*)"),
        (47, "[COBALT] [7-3] \tFROM orders WHERE placed_at > now() - interval '1 day'"),
        (92, "[COBALT] [8-1]  sql_error_code = 57014 ERROR:  canceling statement due to user request"),
    ] {
        lines.push(platform::postgres_server(second * SECOND, text));
    }
}

fn losses(lines: &mut Vec<Line>) {
    lines.push(platform::logplex(
        App::Shop,
        61 * SECOND,
        "Error L10 (output buffer overflow): 12 messages dropped since 2026-03-14T09:26:58+00:00.",
    ));
    lines.push(platform::logplex(
        App::Shop,
        122 * SECOND,
        "Error L10 (output buffer overflow): drain 'd.41c7e2aa-90d5-4b0e-8e33-57f1d2c0b698' dropped 3 messages since \
         2026-03-14T09:27:59.140022+00:00.",
    ));
    lines.push(platform::logplex(
        App::Depot,
        124 * SECOND,
        "Error L10 (output buffer overflow): 1 messages dropped since 2026-03-14T09:28:01.77+00:00.",
    ));
    lines.push(platform::logplex(
        App::Shop,
        126 * SECOND,
        "L11 (Tail buffer overflow) -> This tail session dropped 64 messages since 2026-03-14T09:27:31+00:00",
    ));
    lines.push(platform::log_shuttle(
        App::Shop,
        131 * SECOND + 402_118,
        "Error L12: 27 messages dropped since 2026-03-14T09:28:09.402118+00:00.",
    ));
    lines.push(platform::log_shuttle(
        App::Depot,
        132 * SECOND + 77_000,
        "Error L13: 5 messages lost since 2026-03-14T09:28:10.077+00:00.",
    ));
}

fn operations(lines: &mut Vec<Line>) {
    for (second, text) in [
        (5, "Deploy 9c41f07b by user ops@shop.example.com"),
        (6, "Release v214 created by user ops@shop.example.com"),
        (140, "Scaled to web@2:Standard-1X worker@1:Standard-2X by user ops@shop.example.com"),
        (170, "Maintenance mode enabled by user ops@shop.example.com"),
    ] {
        lines.push(platform::api(App::Shop, second * SECOND + 11_000, text));
    }
}

fn applications(random: &mut Random, lines: &mut Vec<Line>) {
    for turn in 0..84 {
        let at = spread(random, turn, 84);
        lines.push(app::custom(random, turn, at));
    }
    for turn in 0..45 {
        let at = spread(random, turn, 45);
        lines.push(app::text(random, turn, at));
    }
    let special = [app::custom_edges(), app::custom_refused(), app::traps()].concat();
    let count = special.len() as u64;
    for (index, mut line) in special.into_iter().enumerate() {
        line.at = spread(random, index as u64, count);
        line.clock = if index % 7 == 3 { Clock::East } else { line.clock };
        lines.push(line);
    }
    let split = "a".repeat(1_000);
    lines.push(Line::new(App::Shop, 55 * SECOND, 190, "app", "worker.1", split).end(End::Glued));
}
