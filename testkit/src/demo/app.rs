//! Lines that the applications print themselves: text, JSON, and custom metrics in the shapes people write them.

use super::{App, Line};
use crate::random::Random;

/// A line of a dyno of `shop`.
fn shop(at: u64, dyno: &str, text: impl Into<Vec<u8>>) -> Line {
    Line::new(App::Shop, at, 190, "app", dyno, text)
}

/// A line of a dyno of `depot`.
fn depot(at: u64, dyno: &str, text: impl Into<Vec<u8>>) -> Line {
    Line::new(App::Depot, at, 190, "app", dyno, text)
}

const MARKETS: &[&str] = &["de", "fr", "nl"];
const JOBS: &[&str] = &["digest_mail", "stock_sync", "invoice_pdf"];
const ENDPOINTS: &[&str] = &["stock", "movements", "bins"];

/// A line that carries metrics, one of the shapes in turn.
pub(super) fn custom(random: &mut Random, turn: u64, at: u64) -> Line {
    let market = random.pick(MARKETS);
    let job = random.pick(JOBS);
    let endpoint = random.pick(ENDPOINTS);
    let query = random.latency(9);
    match turn % 14 {
        0 => shop(at, "web.1", format!("count#shop.orders=1 tag#market={market}")),
        1 => shop(at, "web.2", format!("tag#market={market} measure#shop.checkout.time={}ms", random.latency(180))),
        2 => shop(at, "web.1", format!("query=products#index measure#db.query={query}ms tag#db=primary done")),
        3 => shop(at, "web.1", format!("measure#db.query={}.{:03}s tag#db=primary", query / 1_000, query % 1_000)),
        4 => {
            let took = random.latency(420);
            let text = format!("[worker] {job} finished in {took} ms measure#jobs.time={took}ms tag#job={job} ok");
            shop(at, "worker.1", text)
        }
        5 => shop(at, "worker.1", format!("sample#queue.depth={} tag#queue={job}", random.below(40))),
        6 => shop(at, "worker.1", format!("sample#cache.size={}.{}MB", random.between(38, 44), random.below(10))),
        7 => shop(at, "worker.1", format!("sample#cache.size={}kB", random.between(39_000, 44_000))),
        8 => depot(at, "web.1", format!("count#api.calls=1 tag#endpoint={endpoint} tag#customer_id=4711")),
        9 => depot(
            at,
            "web.1",
            format!("source=eu-west count#api.calls={} tag#endpoint={endpoint}", random.between(2, 9)),
        ),
        10 => {
            let text = format!(
                "request=\"GET /api/stock/4711?q=count#quoted=1 HTTP/1.1\" measure#nginx.service=0.{:03}s status_code=200",
                random.latency(14).min(999)
            );
            depot(at, "web.1", text)
        }
        11 => depot(
            at,
            "web.1",
            format!(
                "count#depot.lines={} measure#depot.pick.time={}ms sample#depot.backlog={} tag#zone=A",
                random.between(1, 12),
                random.latency(75),
                random.between(30, 60)
            ),
        ),
        12 => shop(at, "web.2", format!("count#shop.visits=1 tag#plan=\"small business\" tag#market={market}")),
        _ => shop(at, "web.1", format!("tag#source=nightly count#shop.visits={} checked", random.between(1, 5))),
    }
}

/// Values at the edges of what a metric may be; each of them counts.
pub(super) fn custom_edges() -> Vec<Line> {
    let at = 0;
    vec![
        shop(at, "worker.1", "sample#cellar.temperature=-3.5C"),
        shop(at, "worker.1", "measure#export.rows=1.2e4 tag#format=csv"),
        shop(at, "worker.1", "count#export.bytes=2.5e3bytes count#export.files=+3"),
        shop(at, "worker.1", "sample#disk.used=71.25% tag#mount=/srv/data"),
        shop(at, "web.1", "sample#crates.left=17crates"),
        shop(at, "web.1", "measure#gc.pause=870us measure#gc.pause=1ms"),
        shop(at, "web.2", "count#shop.orders=0 tag#market=de tag#market=fr"),
        depot(at, "web.1", "\tcount#tabbed.words=1\ttag#by=tab"),
        depot(at, "clock.1", "tick count#clock.ticks=1 source=clock"),
        depot(at, "clock.1", "sample#archive.size=1.5GB tag#bucket=\"the \\\"cold\\\" one\""),
    ]
}

/// Lines of which at least one metric or tag must be refused.
pub(super) fn custom_refused() -> Vec<Line> {
    let at = 0;
    vec![
        shop(at, "web.1", "measure#shop.checkout.time=ms"),
        shop(at, "web.1", "count#shop.refunds=-1"),
        shop(at, "web.1", "count#shop.refunds"),
        shop(at, "web.1", "sample#shop.ratio=NaN"),
        shop(at, "web.2", "measure#shop.search.time=12ms, then more"),
        shop(at, "web.2", "count#shop.huge=1e999"),
        shop(at, "worker.1", "count#heroku.router.http.requests=1000"),
        shop(at, "worker.1", "count#bad{name}=1 count#good.name=1"),
        depot(at, "web.1", "tag#= count#depot.scans=1"),
        depot(at, "web.1", format!("count#{}=1", "n".repeat(256))),
        depot(at, "web.1", format!("tag#note={} count#depot.scans=1", "long".repeat(64))),
    ]
}

/// An ordinary line without a metric.
pub(super) fn text(random: &mut Random, turn: u64, at: u64) -> Line {
    let took = random.latency(38);
    match turn % 9 {
        0 => shop(
            at,
            "web.1",
            format!("[{}] Started GET \"/products\" for 192.0.2.{}", random.uuid(), random.between(1, 254)),
        ),
        1 => shop(at, "web.1", format!("[http] 200 GET /products {took}.{}ms", random.below(10))),
        2 => shop(
            at,
            "web.2",
            format!("{{\"level\":\"info\",\"event\":\"cart\",\"items\":{},\"took_ms\":{took}}}", random.between(1, 9)),
        ),
        3 => {
            shop(at, "web.2", format!("\u{1b}[1m\u{1b}[36mProduct Load ({took}.0ms)\u{1b}[0m  SELECT * FROM products"))
        }
        4 => shop(at, "worker.1", format!("picked job {} from queue stock_sync", random.between(90_000, 99_000))),
        5 => depot(at, "web.1", format!("method=GET path=/api/stock/4711 status=200 service={took}ms dyno=web.1")),
        6 => depot(at, "web.1", format!("level=info msg=\"bin scanned\" bin=A-{:03} user=", random.below(500))),
        7 => depot(at, "web.1", format!("- - bin A-{:03} is empty", random.below(500))),
        _ => depot(at, "clock.1", "no schedule due"),
    }
}

/// Lines that trip readers which split at the wrong place or look at the wrong thing.
pub(super) fn traps() -> Vec<Line> {
    let at = 0;
    vec![
        shop(at, "web.1", ""),
        depot(at, "web.1", ""),
        shop(at, "web.1", "carriage return at the end").end(super::End::CrLf),
        shop(at, "web.2", b"menu of the caf\xe9 imported".to_vec()),
        shop(at, "web.2", b"\xff\xfe\x00 three odd octets, then count#after.garbage=1".to_vec()),
        shop(at, "worker.1", "Traceback of job 93117:\n  File \"jobs/digest.py\", line 40\nKeyError: 'to'"),
        shop(at, "worker.1", "[digest source=\"mail\"] looks like structured data and is text"),
        shop(at, "worker.1", "- a dash at the front is text here"),
        shop(at, "web.1", "Error R14 (Memory quota exceeded)"),
        shop(
            at,
            "web.1",
            "at=info method=GET path=\"/fake\" host=h dyno=web.9 connect=1ms service=99999ms status=500 bytes=1",
        ),
        shop(at, "web.1", "source=web.9 dyno=heroku.1.x sample#load_avg_1m=99.00"),
        shop(
            at,
            "web.2",
            "after yesterday's R14 and H12 we doubled the dynos, see https://shop.example.com/wiki?x#count#a=1",
        ),
        shop(at, "web.2", "83 <40>1 2026-03-14T09:27:00+00:00 host app web.3 - a frame inside a frame"),
        depot(at, "web.1", "Grüße aus dem Lager: 4 Paletten à 80 kg, fertig ✓"),
        depot(at, "clock.1", "sync \u{8}\u{8}\u{8}\u{8} 10% \u{8}\u{8}\u{8}\u{8} 20% building"),
        depot(at, "clock.1", "key=\"never closed and count#swallowed=1"),
        depot(at, "web.1", "x".repeat(4_000)),
    ]
}
