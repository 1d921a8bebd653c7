//! What the applications print: metrics of their own, text, JSON, colours, and now and then something hostile.

use super::{Origin, Scene, drift};

const MARKETS: &[&str] = &["de", "fr", "nl", "pl"];
const JOBS: &[&str] = &["digest_mail", "stock_sync", "invoice_pdf"];
const ENDPOINTS: &[&str] = &["stock", "movements", "bins"];
/// More streams than a chart has room for.
const CUSTOMERS: u64 = 40;

pub(super) fn write(scene: &mut Scene) {
    match scene.app.name {
        "shop" => shop(scene),
        "depot" => depot(scene),
        _ => blog(scene),
    }
}

/// How often something happens in this minute.
fn times(scene: &Scene, at_most: f64) -> u64 {
    (at_most * scene.busy * (1.0 - 0.6 * scene.slow)).round() as u64
}

fn shop(scene: &mut Scene) {
    for _ in 0..times(scene, 7.0) {
        let (at, market) = (scene.moment(), scene.random.pick(MARKETS));
        let took = scene.random.latency(190 + (2_100.0 * scene.slow) as u64);
        let dyno = scene.random.pick(scene.app.web);
        let text = format!("order placed count#shop.orders=1 measure#shop.checkout.time={took}ms tag#market={market}");
        scene.write(at, Origin::app(dyno), text);
        let cents = scene.random.between(490, 18_900);
        let text = format!("sample#shop.basket.value={}.{:02} tag#market={market}", cents / 100, cents % 100);
        scene.write(at + 900, Origin::app(dyno), text);
    }
    for _ in 0..times(scene, 12.0) {
        let at = scene.moment();
        let took = scene.random.latency(9 + (160.0 * scene.slow) as u64);
        let table = scene.random.pick(&["products", "orders", "carts"]);
        let dyno = scene.random.pick(scene.app.web);
        scene.write(at, Origin::app(dyno), format!("measure#db.query={took}ms tag#table={table} done"));
    }
    for (index, job) in JOBS.iter().enumerate() {
        let dyno = scene.random.pick(scene.app.workers);
        let depth = (9.0 * scene.busy + 6.0 * drift(scene.minute, 1_500.0, index as u64) + 120.0 * scene.slow).max(0.0);
        let at = scene.at(7 + 3 * index as i64);
        scene.write(at, Origin::app(dyno), format!("sample#queue.depth={depth:.0} tag#queue={job}"));
        let (at, took) = (scene.moment(), scene.random.latency(430));
        let text = format!("[worker] {job} finished in {took} ms measure#jobs.time={took}ms tag#job={job} ok");
        scene.write(at, Origin::app(dyno), text);
    }
    let cache = 41.0 + 3.0 * drift(scene.minute, 4_000.0, 5);
    let at = scene.at(44);
    scene.write(at, Origin::app("worker.1"), format!("sample#cache.size={cache:.1}MB"));
    text(scene, 9.0);
    if scene.slow > 0.2 {
        for _ in 0..(9.0 * scene.slow) as u64 {
            let (at, dyno) = (scene.moment(), scene.random.pick(scene.app.web));
            let error = "ERROR ActiveRecord::StatementTimeout: PG::QueryCanceled: ERROR: canceling statement due to \
                         statement timeout";
            scene.write(at, Origin::app(dyno).severe(3), error);
            scene.write(at + 400, Origin::app(dyno), "  app/models/order.rb:114:in `total_by_market'");
        }
    }
    if scene.minute.div_euclid(60) % 11 == 0 {
        hostile(scene);
    }
}

fn depot(scene: &mut Scene) {
    for _ in 0..times(scene, 16.0) {
        let (at, dyno) = (scene.moment(), scene.random.pick(scene.app.web));
        // A few customers ask most.
        let customer = scene.random.below(CUSTOMERS).min(scene.random.below(CUSTOMERS)) + 1;
        let (endpoint, took) = (scene.random.pick(ENDPOINTS), scene.random.latency(14 + customer));
        let text = format!(
            "level=info msg=\"call\" count#api.calls=1 measure#api.time={took}ms tag#customer=customer-{customer:02} \
             tag#endpoint={endpoint}"
        );
        scene.write(at, Origin::app(dyno), text);
    }
    let backlog = (46.0 * scene.busy + 9.0 * drift(scene.minute, 2_000.0, 8)).max(0.0);
    let at = scene.at(12);
    let text =
        format!("sample#depot.backlog={backlog:.0} sample#depot.pickers={:.0} tag#zone=A", 3.0 + 6.0 * scene.busy);
    scene.write(at, Origin::app("web.1"), text);
    let at = scene.at(1);
    scene.write(at, Origin::app("clock.1"), "tick count#clock.ticks=1 source=clock");
    for _ in 0..times(scene, 6.0) {
        let (at, bin) = (scene.moment(), scene.random.below(500));
        let dyno = scene.random.pick(scene.app.web);
        scene.write(at, Origin::app(dyno), format!("level=info msg=\"bin scanned\" bin=A-{bin:03} user="));
    }
    if scene.random.chance(120) {
        let at = scene.moment();
        let bin = scene.random.below(500);
        scene.write(
            at,
            Origin::app("web.2").severe(4),
            format!("level=warn msg=\"bin A-{bin:03} is empty\" bin=A-{bin:03}"),
        );
    }
}

fn blog(scene: &mut Scene) {
    for _ in 0..times(scene, 3.0) {
        let (at, post, took) = (scene.moment(), scene.random.between(1, 60), scene.random.latency(12));
        let text =
            format!("{{\"level\":\"info\",\"event\":\"render\",\"post\":{post},\"took_ms\":{took},\"cache\":\"hit\"}}");
        scene.write(at, Origin::app("web.1"), text);
    }
    let at = scene.at(30);
    let readers = (14.0 * scene.busy + 3.0 * drift(scene.minute, 1_800.0, 9)).max(0.0);
    scene.write(at, Origin::app("web.1"), format!("sample#blog.readers={readers:.0}"));
}

/// Lines without a metric, as frameworks print them.
fn text(scene: &mut Scene, at_most: f64) {
    for turn in 0..times(scene, at_most) {
        let (at, took) = (scene.moment(), scene.random.latency(38));
        let dyno = scene.random.pick(scene.app.web);
        let id = scene.random.uuid();
        let text = match turn % 5 {
            0 => format!("[{id}] Started GET \"/products\" for 192.0.2.{}", scene.random.between(1, 254)),
            1 => format!(
                "[{id}] \u{1b}[1m\u{1b}[36mProduct Load ({took}.0ms)\u{1b}[0m  \u{1b}[1m\u{1b}[34mSELECT\u{1b}[0m * FROM products"
            ),
            2 => format!(
                "{{\"level\":\"info\",\"event\":\"cart\",\"items\":{},\"took_ms\":{took},\"request_id\":\"{id}\"}}",
                scene.random.between(1, 9)
            ),
            3 => format!(
                "[{id}] Completed 200 OK in {took}ms (Views: {}.4ms | ActiveRecord: {}.1ms)",
                took / 2,
                took / 3
            ),
            _ => format!("[{id}] \u{1b}[33mDEPRECATION WARNING\u{1b}[0m: use `market_code` instead of `market`"),
        };
        scene.write(at, Origin::app(dyno), text);
    }
}

/// What somebody writes who wants a page to do what it should not.
fn hostile(scene: &mut Scene) {
    let at = scene.moment();
    let message: Vec<u8> = match scene.random.below(8) {
        0 => b"GET /search?q=<script>alert(document.cookie)</script> by \"><img src=x onerror=alert(1)>".to_vec(),
        1 => b"user=</pre></svg><svg onload=alert(2)> logged in count#demo.logins=1 tag#user=</title><b>".to_vec(),
        2 => "\u{202e}gnp.eciovni\u{202c} \u{200b}opened by \u{2066}admin\u{2069}".into(),
        3 => b"\x1b]0;owned\x07\x1b[2J\x1b[31munterminated colour, then a bell \x07 and a backspace \x08\x08\x08"
            .to_vec(),
        4 => b"menu of the caf\xe9 imported \xff\xfe\x00 three odd bytes".to_vec(),
        5 => format!("a long line: {}", "na".repeat(4_000)).into_bytes(),
        6 => "Traceback of job 93117:\n  File \"jobs/digest.py\", line 40\nKeyError: 'to'".into(),
        _ => {
            "measure#javascript:alert(3)=12ms sample#demo.odd{name}=1 count#demo.logins=1 tag#user=%3Cscript%3E".into()
        }
    };
    let dyno = scene.random.pick(scene.app.web);
    scene.write(at, Origin::app(dyno), message);
}
