//! What the router says of each request.

use super::apps::Endpoint;
use super::{Origin, Scene};
use std::fmt::Write as _;

pub(super) fn write(scene: &mut Scene) {
    let count = (scene.app.requests * scene.busy).round() as u64;
    for _ in 0..count {
        let at = scene.moment();
        request(scene, at);
    }
    // A crawler from time to time, for half a minute: what asks most is not what the shop is for.
    if scene.minute.rem_euclid(97 * 60) < 60 {
        for _ in 0..25 {
            let second = scene.random.between(20, 49) as i64;
            let at = scene.at(second);
            request(scene, at);
        }
    }
}

fn request(scene: &mut Scene, at: i64) {
    let endpoint = endpoint(scene);
    let dyno = scene.random.pick(scene.app.web);
    let fate = fate(scene, endpoint, dyno);
    let path = match endpoint.path.split_once("{}") {
        Some((before, behind)) => format!("{before}{}{behind}", scene.random.between(1, 4_000)),
        None => endpoint.path.to_owned(),
    };
    let (id, fwd) = (scene.random.uuid(), forwarded_for(scene));
    let tail = match scene.random.below(8) {
        0 => " protocol=http1.1 tls=false",
        1 => " protocol=http1.1 tls=true tls_version=tls1.2",
        _ => " protocol=http2.0 tls=true tls_version=tls1.3",
    };
    let Fate { head, dyno, connect_ms, service_ms, status, bytes } = fate;
    let (method, host) = (endpoint.method, scene.app.host);
    let mut text = String::with_capacity(320);
    // A text takes all.
    let _ = write!(
        text,
        "{head} method={method} path=\"{path}\" host={host} request_id={id} fwd=\"{fwd}\" dyno={dyno} \
         connect={connect_ms}ms service={service_ms}ms status={status} bytes={bytes}{tail}"
    );
    scene.write(at, Origin::router(), text);
}

fn endpoint(scene: &mut Scene) -> &'static Endpoint {
    let all = scene.app.endpoints;
    let mut rest = scene.random.below(all.iter().map(|endpoint| endpoint.weight).sum());
    let chosen = all.iter().find(|endpoint| {
        let is = rest < endpoint.weight;
        rest = rest.saturating_sub(endpoint.weight);
        is
    });
    chosen.unwrap_or(&all[0])
}

/// What becomes of a request.
struct Fate {
    head: &'static str,
    dyno: &'static str,
    connect_ms: u64,
    service_ms: u64,
    status: u16,
    bytes: u64,
}

/// Out of a thousand, as bad as things are.
fn chance(scene: &mut Scene, per_mille: f64) -> bool {
    scene.random.chance(per_mille.max(0.0) as u64)
}

fn fate(scene: &mut Scene, endpoint: &Endpoint, dyno: &'static str) -> Fate {
    let slow = if endpoint.asks_database { scene.slow } else { 0.0 };
    let (leak, wait) = (scene.leak, scene.random.below(40));
    let connect_ms = if scene.random.chance(850) { scene.random.below(2) } else { scene.random.between(2, 8) };
    let failed = |head, status| Fate { head, dyno, connect_ms, service_ms: 0, status, bytes: 0 };
    if chance(scene, 170.0 * slow + 60.0 * leak) {
        let timeout = failed("at=error code=H12 desc=\"Request timeout\"", 503);
        return Fate { service_ms: 30_000 + wait, bytes: 567, ..timeout };
    }
    if chance(scene, 110.0 * (leak - 0.3)) {
        return Fate { dyno: "", connect_ms: 0, ..failed("at=error code=H10 desc=\"App crashed\"", 503) };
    }
    if chance(scene, 40.0 * leak) {
        let closed = failed("at=error code=H13 desc=\"Connection closed without response\"", 503);
        return Fate { service_ms: scene.random.between(900, 9_000), ..closed };
    }
    if chance(scene, 1.0 + 30.0 * slow) {
        let left = failed("sock=client at=warning code=H27 desc=\"Client Request Interrupted\"", 499);
        return Fate { service_ms: scene.random.between(1_500, 12_000), ..left };
    }
    let median = endpoint.median_ms as f64 * (1.0 + 0.5 * scene.busy + 11.0 * slow + 2.5 * leak);
    let service_ms = scene.random.latency(median.round() as u64);
    if chance(scene, 3.0 + 25.0 * slow + 50.0 * leak) {
        return Fate { service_ms, bytes: 1_635, ..failed("at=info", 500) };
    }
    let bytes = scene.random.between(endpoint.bytes.0, endpoint.bytes.1);
    Fate { service_ms, bytes, ..failed("at=info", endpoint.status) }
}

/// Who asked: one address, or a proxy's list of two.
fn forwarded_for(scene: &mut Scene) -> String {
    let random = &mut scene.random;
    match random.below(6) {
        0 => format!("198.51.100.{}, 203.0.113.{}", random.between(1, 254), random.between(1, 9)),
        1 => format!("2001:db8::{:x}", random.between(16, 0xffff)),
        _ => format!("192.0.2.{}", random.between(1, 254)),
    }
}
