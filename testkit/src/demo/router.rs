//! Router lines in the shapes of three generations.

use super::{App, Line};
use crate::random::Random;

/// What a request was, whatever the router's generation.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) dyno: &'static str,
    pub(super) connect_ms: u64,
    pub(super) service_ms: u64,
    pub(super) status: u16,
    pub(super) bytes: u64,
}

struct Endpoint {
    weight: u64,
    method: &'static str,
    path: &'static str,
    median_ms: u64,
    bytes: (u64, u64),
    status: u16,
}

const fn endpoint(
    weight: u64,
    method: &'static str,
    path: &'static str,
    median_ms: u64,
    bytes: (u64, u64),
    status: u16,
) -> Endpoint {
    Endpoint { weight, method, path, median_ms, bytes, status }
}

const SHOP: &[Endpoint] = &[
    endpoint(46, "GET", "/products", 38, (11_000, 14_000), 200),
    endpoint(12, "GET", "/products/Green tea 250 g", 24, (7_800, 8_400), 200),
    endpoint(8, "GET", "/search?q=first flush&page=2", 95, (5_000, 19_000), 200),
    endpoint(7, "GET", "/assets/shop-4e1c.css", 3, (0, 0), 304),
    endpoint(7, "POST", "/cart/items", 52, (410, 460), 201),
    endpoint(5, "PUT", "/cart/items/3", 47, (410, 460), 200),
    endpoint(5, "POST", "/session", 210, (0, 40), 302),
    endpoint(4, "POST", "/orders", 340, (900, 1_100), 201),
    endpoint(4, "GET", "/favicon.png", 4, (1_210, 1_210), 404),
    endpoint(2, "DELETE", "/cart/items/3", 41, (0, 0), 204),
];

const DEPOT: &[Endpoint] = &[
    endpoint(60, "GET", "/api/stock/4711?fields=count,bin", 12, (180, 240), 200),
    endpoint(20, "POST", "/api/movements", 31, (90, 120), 201),
    endpoint(12, "GET", "/api/bins?zone=A%2F3&full", 64, (2_000, 9_000), 200),
    endpoint(8, "HEAD", "/health", 2, (0, 0), 200),
];

/// When the second dyno of `shop` serves nothing, in microseconds: killed for its memory, then booting.
const WEB_2_DOWN: core::ops::Range<u64> = 94_200_000..138_100_000;

const SHOP_DYNOS: &[&str] = &["web.1", "web.1", "web.1", "web.2", "web.2"];

/// An ordinary request to one of the two applications, at its usual speed.
pub(super) fn request(random: &mut Random, app: App) -> Request {
    let (endpoints, dynos) = match app {
        App::Shop => (SHOP, SHOP_DYNOS),
        App::Depot => (DEPOT, &["web.1"][..]),
    };
    let total: u64 = endpoints.iter().map(|endpoint| endpoint.weight).sum();
    let mut rest = random.below(total);
    let mut chosen = &endpoints[0];
    for endpoint in endpoints {
        chosen = endpoint;
        if rest < endpoint.weight {
            break;
        }
        rest -= endpoint.weight;
    }
    let failed = random.chance(12);
    Request {
        method: chosen.method,
        path: chosen.path.to_owned(),
        dyno: random.pick(dynos),
        connect_ms: if random.chance(850) { random.below(2) } else { random.between(2, 7) },
        service_ms: random.latency(chosen.median_ms),
        status: if failed { 500 } else { chosen.status },
        bytes: if failed { 1_635 } else { random.between(chosen.bytes.0, chosen.bytes.1) },
    }
}

/// Who asked: one address, or a proxy's list of two.
fn forwarded_for(random: &mut Random) -> String {
    match random.below(6) {
        0 => format!("198.51.100.{}, 203.0.113.{}", random.between(1, 254), random.between(1, 9)),
        1 => format!("2001:db8::{:x}", random.between(16, 0xffff)),
        _ => format!("192.0.2.{}", random.between(1, 254)),
    }
}

/// The line of a finished request, in the generation the application's router is of.
pub(super) fn served(random: &mut Random, app: App, at: u64) -> Line {
    let mut request = request(random, app);
    if app == App::Shop && WEB_2_DOWN.contains(&at) {
        request.dyno = "web.1";
    }
    line(app, at, finished(random, app, &request))
}

/// A router line from its text.
pub(super) fn line(app: App, at: u64, text: impl Into<Vec<u8>>) -> Line {
    Line::new(app, at, 158, "heroku", "router", text)
}

/// The text of a finished request.
pub(super) fn finished(random: &mut Random, app: App, request: &Request) -> String {
    let Request { method, path, dyno, connect_ms, service_ms, status, bytes } = request;
    let (id, fwd) = (random.uuid(), forwarded_for(random));
    let (host, tail) = match app {
        App::Shop => ("shop.example.com", router_2_tail(random)),
        App::Depot => ("depot.example.org", " protocol=https"),
    };
    format!(
        "at=info method={method} path=\"{path}\" host={host} request_id={id} fwd=\"{fwd}\" dyno={dyno} \
         connect={connect_ms}ms service={service_ms}ms status={status} bytes={bytes}{tail}"
    )
}

fn router_2_tail(random: &mut Random) -> &'static str {
    match random.below(8) {
        0 => " protocol=http1.1 tls=false",
        1 => " protocol=http1.1 tls=true tls_version=tls1.2",
        _ => " protocol=http2.0 tls=true tls_version=tls1.3",
    }
}

/// The layout in use until 2013: queue and wait, a path without quotes, no request id.
pub(super) fn of_2013(request: &Request) -> String {
    let Request { method, path, dyno, connect_ms, service_ms, status, bytes } = request;
    format!(
        "at=info method={method} path={path} host=depot.example.org fwd=203.0.113.77 dyno={dyno} queue=0 wait=0ms \
         connect={connect_ms}ms service={service_ms}ms status={status} bytes={bytes}"
    )
}

/// A failed request of `shop` (Router 2.0): what stands before `method=`, and what stands from `dyno=` to `bytes=`.
pub(super) fn shop_failure(random: &mut Random, head: &str, method: &str, path: &str, tail: &str) -> String {
    let (id, fwd) = (random.uuid(), forwarded_for(random));
    format!(
        "{head} method={method} path=\"{path}\" host=shop.example.com request_id={id} fwd=\"{fwd}\" {tail} \
         protocol=http1.1 tls=true tls_version=unknown"
    )
}

/// A failed request of `depot` (the older router, where what did not happen is empty).
pub(super) fn depot_failure(random: &mut Random, head: &str, method: &str, path: &str, tail: &str) -> String {
    let (id, fwd) = (random.uuid(), forwarded_for(random));
    format!(
        "{head} method={method} path=\"{path}\" host=depot.example.org request_id={id} fwd=\"{fwd}\" {tail} \
         protocol=https"
    )
}
