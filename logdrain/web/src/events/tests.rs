//! Pages and tails over a store of their own.

mod asked;

use super::address::{Ask, At, Follow};
use super::following::{AT_A_TIME, Following};
use super::page;
use super::shown::{Edge, Shown};
use super::side::Side;
use super::*;
use crate::turns::{Budget, Turns};
use axum::body::Body;
use http_body_util::BodyExt as _;
use log_store::{Event, EventId, Options, Store};
use logdrain_drain::counters::Counters;
use logdrain_drain::intake::Access;
use logdrain_drain::journal::Progress;
use logdrain_drain::limits::IntakeLimits;
use logdrain_drain::logs::Boards;
use logdrain_drain::parts::Part;
use logdrain_drain::settings::{DrainLimits, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

const START: i64 = 1_700_000_000_000_000;
const LONG: Duration = Duration::from_secs(60);

/// A store with its folder.
struct Kept {
    store: Store,
    dir: PathBuf,
    next: EventId,
}

impl Kept {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("logdrain-events-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        Self { store: Store::open(&dir, Options::new()).unwrap(), dir, next: EventId::at(START) }
    }

    /// Adds a line, not yet to be seen.
    fn add(&mut self, program: &str, severity: u8, message: &[u8]) -> EventId {
        let id = self.next;
        let event = Event::new(id, "default", message).with_system(b"shop").with_program(program.as_bytes());
        self.store.append(&event.with_severity(severity)).unwrap();
        // Ten lines a second.
        self.next = EventId::at(id.unix_micros() + 100_000);
        id
    }

    fn publish(&mut self) {
        let last = EventId::new(self.next.get() - 1);
        self.store.publish(last);
    }

    fn lines(&mut self, count: usize) -> Vec<EventId> {
        let lines = (0..count).map(|n| self.add("app/web.1", 6, format!("line {n}").as_bytes())).collect();
        self.publish();
        lines
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn drain() -> String {
    "http://127.0.0.1:8514/logs".to_owned()
}

fn ask(query: &str) -> Ask {
    Ask::of_page(query, TimeZone::UTC).unwrap()
}

fn found(kept: &Kept, query: &str) -> Shown {
    find::find(&kept.store.reader(), ask(query), &Budget::of(LONG))
}

fn html(shown: &Shown) -> String {
    page::html(shown, &Side::default(), &drain()).into_string()
}

fn sums(shown: &Shown) -> Vec<u64> {
    shown.counts.as_ref().unwrap().bars.iter().map(|bar| bar.iter().sum()).collect()
}

fn ids(shown: &Shown) -> Vec<EventId> {
    shown.lines.iter().map(|line| line.id).collect()
}

#[test]
fn pages_older_and_newer_show_each_line_once() {
    let mut kept = Kept::new("pages");
    let all = kept.lines(1_234);
    for query in ["", "q=line", "q=%22line+1%22"] {
        let expect: Vec<EventId> = match query {
            "q=%22line+1%22" => {
                let has_one = |n: &usize| format!("line {n}").starts_with("line 1");
                (0..all.len()).filter(has_one).map(|n| all[n]).collect()
            }
            _ => all.clone(),
        };
        let mut shown = found(&kept, query);
        assert_eq!(shown.live, Some(EventId::new(kept.next.get() - 1)));
        let mut seen = ids(&shown);
        while let Edge::More(at) = shown.above {
            shown = found(&kept, shown.ask.at(at).to_string().split_once('?').unwrap().1);
            seen.splice(0..0, ids(&shown));
        }
        assert!(seen == expect, "older: {} of {}", seen.len(), expect.len());
        shown = found(&kept, &format!("{query}&min_id=0"));
        let mut seen = ids(&shown);
        while let Edge::More(at) = shown.below {
            assert_eq!(shown.live, None);
            shown = found(&kept, shown.ask.at(at).to_string().split_once('?').unwrap().1);
            seen.extend(ids(&shown));
        }
        assert!(seen == expect && shown.live.is_some(), "newer: {} of {}", seen.len(), expect.len());
    }
    // A place in time, and a line with what is around it.
    let second = all[500].unix_micros() / 1_000_000;
    let shown = found(&kept, &format!("time={second}"));
    assert_eq!((shown.lines[0].id, shown.lines.len()), (all[500], LINES));
    assert_eq!(shown.above, Edge::More(At::Before(EventId::at(second * 1_000_000))));
    let shown = found(&kept, &format!("centered_on_id={}", all[600]));
    assert_eq!(ids(&shown), all[501..701]);
    let page = html(&shown);
    assert!(page.contains(&format!("<div class=\"l p2 here\" id=\"e{}\"", all[600])), "{page}");
    assert!(page.contains(&format!("min_id={}\"", all[700])) && page.contains(&format!("max_id={}\"", all[501])));
    assert!(!page.contains("data-after"), "it does not follow from the middle");
}

#[test]
fn counts_are_those_of_the_hour_of_the_lines() {
    let mut kept = Kept::new("counts");
    kept.lines(1_234);
    let newest = found(&kept, "");
    assert!(!newest.counts.as_ref().unwrap().is_partial);
    assert_eq!(sums(&newest).iter().sum::<u64>(), 1_234);
    // From 22:13:20 on, ten a second.
    assert_eq!(sums(&newest)[57..], [400, 600, 234]);
    assert_eq!(sums(&found(&kept, &format!("time={}", START / 1_000_000)))[..4], [400, 600, 234, 0]);
    assert_eq!(sums(&found(&kept, "q=%22line+1234%22")).iter().sum::<u64>(), 0);
    // A range is counted whole, however few of its lines are shown, in bars as long as it takes.
    let day = START / 1_000_000 - 80_000;
    let ranged = found(&kept, &format!("from={day}&to={}", day + 86_400));
    let counts = ranged.counts.as_ref().unwrap();
    assert_eq!((counts.step, counts.total(), ranged.lines.len()), (900, 1_234, LINES));
    let second = START / 1_000_000 + 10;
    let short = found(&kept, &format!("from={second}&to={}", second + 20));
    assert_eq!((short.counts.as_ref().unwrap().step, sums(&short)[..20].to_vec()), (1, vec![10; 20]));
    assert_eq!((short.lines.len(), short.live), (200, None));
    // Errors and warnings are told apart.
    kept.add("app/web.1", 3, b"it broke");
    kept.add("app/web.1", 4, b"it may break");
    kept.add("heroku/router", 6, b"at=error code=H12");
    kept.publish();
    let bar = found(&kept, "").counts.unwrap().bars[59];
    assert_eq!(bar, [234, 1, 2]);
    assert_eq!(found(&kept, "q=broke+OR+break").counts.unwrap().bars[59], [0, 1, 1]);
}

#[test]
fn a_search_whose_time_is_over_says_how_far_it_looked_and_goes_on_from_there() {
    let mut kept = Kept::new("budget");
    kept.lines(100);
    let none = Budget::of(Duration::ZERO);
    let shown = find::find(&kept.store.reader(), ask("q=absent"), &none);
    assert!(matches!(shown.above, Edge::Stopped(At::Before(_), _)) && shown.lines.is_empty());
    let page = html(&shown);
    assert!(page.contains("Nothing found yet") && page.contains("Go on"), "{page}");
    assert!(!page.contains("No line matches"));
}

#[test]
fn empty_pages_say_what_and_what_next() {
    let mut kept = Kept::new("empty");
    let page = page::html(&found(&kept, ""), &Side::default(), "https://USER:PASSWORD@drain.example.com<b>/logs");
    let page = page.into_string();
    assert!(page.contains("No line yet") && page.contains("@drain.example.com&lt;b&gt;/logs -a APP"), "{page}");
    assert!(page.contains("data-tail=\"/api/v2/tail?form=page") && page.contains("data-after=\""), "{page}");
    kept.lines(3);
    let page = html(&found(&kept, "q=absent+OR+(never"));
    assert!(page.contains("No line matches") && page.contains("Without the query"), "{page}");
    assert!(page.contains("bracket at character 11 closed at the end"), "{page}");
    let page = html(&found(&kept, "time=1"));
    assert!(page.contains("line 0"), "{page}");
    let page = html(&found(&kept, "max_id=1"));
    assert!(page.contains("No line here") && page.contains("The newest lines"), "{page}");
    assert!(html(&found(&kept, "time=noonish")).contains("Time: "));
}

#[test]
fn damaged_blocks_are_told_of_on_the_page_and_in_the_tail() {
    let mut kept = Kept::new("damage");
    for n in 0..3_000_u32 {
        // Not to be packed away.
        let noise: String = (0..20).map(|k| format!("{:08x}", (n * 20 + k).wrapping_mul(2_654_435_761))).collect();
        kept.add("app/web.1", 6, format!("line {n} {noise}").as_bytes());
    }
    kept.publish();
    kept.store.flush().unwrap();
    let whole = found(&kept, "q=line&min_id=0");
    assert_eq!((whole.damaged, whole.lines.len()), (0, LINES));
    let file = std::fs::read_dir(kept.dir.join("default/0")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[1_000] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let page = html(&found(&kept, "q=line&min_id=0"));
    assert!(page.contains("1 damaged block not searched"), "{page}");
    let mut following = Following::new(&kept.store.reader(), Follow::of("q=line&after=0", None).unwrap());
    let step = following.step(&mut || true);
    assert!(
        step.bytes.starts_with(b"event: incomplete\ndata: 1\n\nid: "),
        "{:?}",
        String::from_utf8_lossy(&step.bytes)
    );
}

#[test]
fn each_account_sees_its_own_lines_alone() {
    let mut kept = Kept::new("accounts");
    kept.lines(3);
    let id = kept.next;
    kept.store.append(&Event::new(id, "other", b"a secret of another account")).unwrap();
    kept.next = EventId::at(id.unix_micros() + 100_000);
    kept.publish();
    let own = html(&found(&kept, ""));
    assert!(own.contains("line 2") && !own.contains("secret"), "{own}");
    for query in ["min_id=0", "q=secret", &format!("centered_on_id={id}"), "time=1"] {
        assert!(!html(&found(&kept, query)).contains("of another account"), "{query}");
    }
    let other = found(&kept, "account=other&q=secret");
    assert_eq!(ids(&other), [id]);
    let page = html(&other);
    assert!(
        !page.contains("line 2") && page.contains("/events?q=secret&amp;account=other&amp;centered_on_id="),
        "{page}"
    );
    assert!(page.contains("data-tail=\"/api/v2/tail?form=page&amp;q=secret&amp;account=other\""), "{page}");
    assert!(found(&kept, "account=nobody").is_empty);
}

#[test]
fn a_page_is_bounded_whatever_lines_and_queries_hold() {
    let mut kept = Kept::new("bounded");
    let pieces = ["<script>alert(1)</script>", "\"'><img src=x>", "\0", "\u{202e}", "\u{1b}[31ma\u{1b}[32mb", "&"];
    for n in 0..2 * LINES {
        let piece = pieces[n % pieces.len()];
        kept.add(&piece.repeat(100), (n % 9) as u8, piece.repeat(2_000).as_bytes());
    }
    kept.publish();
    let queries = ["%3Cscript%3E".repeat(600), "%22".repeat(8_000), "%E9%9B%AA+-a:".repeat(700), "(".repeat(8_192)];
    for query in queries.iter().map(String::as_str).chain(["", "a"]) {
        let page = html(&found(&kept, &format!("q={query}&account=default")));
        assert!(page.len() <= PAGE, "{} bytes", page.len());
        assert_eq!(page.matches("<script").count(), 0);
        assert!(!page.contains("<img"));
    }
    let middle = found(&kept, "").lines[0].id;
    let page = html(&found(&kept, &format!("centered_on_id={middle}")));
    assert!(page.len() <= PAGE && !page.contains("<script"), "{} bytes", page.len());
}

fn intake() -> Arc<Intake> {
    let limits = IntakeLimits {
        body: 1 << 20,
        bodies: 4 << 20,
        frames: 0,
        answers: MOST,
        connections: 10,
        drains: 1,
        drain: 32 << 20,
        answer_within: Duration::from_secs(4),
        idle: LONG,
    };
    let settings = Settings {
        apps: BTreeMap::new(),
        accounts: BTreeMap::new(),
        next_id: 0,
        window_ms: 60_000,
        lateness_ms: 60_000,
        horizon_ms: 3_600_000,
        extended: false,
        websockets: true,
        reading: logdrain_terms::reading::Reading::default(),
        limits: DrainLimits::within(32 << 20).unwrap(),
        drains: BTreeMap::new(),
    };
    let ready = Arc::new(AtomicBool::new(true));
    let (progress, counters) = (Arc::new(Progress::default()), Arc::new(Counters::default()));
    Arc::new(Intake::new(limits, Access::new([], None), None, settings, progress, counters, ready))
}

/// What follows, and the means to stop it.
struct Running {
    intake: Arc<Intake>,
    events: Arc<Events>,
    stop: watch::Sender<bool>,
}

impl Running {
    fn over(kept: &Kept) -> Self {
        let (stop, stops) = watch::channel(false);
        let logs = Boards::default();
        logs.of(Part::WHOLE).open(kept.store.reader());
        Self { intake: intake(), events: Events::new(stops, Arc::new(Turns::new()), logs), stop }
    }

    async fn begin(&self, query: &str) -> Option<Client> {
        self.begin_of("a", query).await
    }

    async fn begin_of(&self, account: &str, query: &str) -> Option<Client> {
        let reader = self.events.logs.reader(account).unwrap();
        let (intake, access) = (self.intake.clone(), self.intake.access());
        let still = Box::new(move || Arc::ptr_eq(&access, &intake.access()));
        let follow = Follow::of(query, None).unwrap();
        let body = tail::begin(&self.intake, (&self.events, account), reader, follow, still).await?;
        Some(Client { body, text: String::new(), seen: Vec::new(), place: None })
    }
}

/// One who reads a tail as a browser does.
struct Client {
    body: Body,
    text: String,
    seen: Vec<(EventId, serde_json::Value)>,
    /// The last id, of whatever event.
    place: Option<EventId>,
}

impl Client {
    /// Reads one piece. `None` at the end.
    async fn read(&mut self) -> Option<()> {
        let piece =
            tokio::time::timeout(LONG, self.body.frame()).await.expect("a piece")?.unwrap().into_data().unwrap();
        assert!(piece.len() <= AT_A_TIME, "{}", piece.len());
        self.text.push_str(std::str::from_utf8(&piece).unwrap());
        while let Some((event, rest)) = self.text.split_once("\n\n") {
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
            if let Some(id) = field("id: ") {
                self.place = Some(EventId::new(id.parse().unwrap()));
            }
            if let Some(data) = field("data: ") {
                self.seen.push((self.place.unwrap(), serde_json::from_str(data).unwrap()));
            }
            self.text = rest.to_owned();
        }
        Some(())
    }

    async fn until(&mut self, count: usize) -> &[(EventId, serde_json::Value)] {
        while self.seen.len() < count {
            self.read().await.expect("no end");
        }
        &self.seen
    }

    fn ids(&self) -> Vec<EventId> {
        self.seen.iter().map(|(id, _)| *id).collect()
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test);
}

#[test]
fn a_tail_says_each_line_once_in_order_also_to_one_who_comes_again() {
    run(async {
        let mut kept = Kept::new("tail");
        let first = kept.lines(300);
        let running = Running::over(&kept);
        let mut new = running.begin("").await.unwrap();
        let mut some = running.begin(&format!("after={}&q=%22line+1%22", first[9])).await.unwrap();
        new.read().await.unwrap();
        assert_eq!(new.place, Some(EventId::new(kept.next.get() - 1)), "it says where it begins");
        let mut all = first.clone();
        for _ in 0..20 {
            all.extend(kept.lines(100));
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
        assert_eq!(new.until(2_000).await[0].1["message"], "line 0");
        assert_eq!(new.ids(), all[300..]);
        let is_one = |n: usize| n == 1 || (10..20).contains(&n) || (100..200).contains(&n);
        let expect: Vec<EventId> =
            (10..all.len()).filter(|n| is_one(if *n < 300 { *n } else { (n - 300) % 100 })).map(|n| all[n]).collect();
        some.until(100).await;
        // He goes, and comes again with the last id that he saw.
        let mut seen = some.ids();
        let (last, missing) = (*seen.last().unwrap(), expect.len() - seen.len());
        drop(some);
        let mut again = running.begin(&format!("after={last}&q=%22line+1%22")).await.unwrap();
        again.until(missing).await;
        seen.extend(again.ids());
        assert_eq!(seen, expect);
    });
}

#[test]
fn a_place_is_told_when_nothing_fits_and_lines_not_yet_published_wait() {
    run(async {
        let mut kept = Kept::new("waiting");
        let running = Running::over(&kept);
        let mut client = running.begin("form=page").await.unwrap();
        client.read().await.unwrap();
        kept.add("app/web.1", 3, b"\x1b[31mred");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(client.seen.is_empty());
        kept.publish();
        let (_, line) = &client.until(1).await[0];
        assert_eq!((&line["class"], &line["word"]), (&"err p2".into(), &"error".into()));
        assert_eq!(line["message"], serde_json::json!([["a31", "red"]]));
        let mut following =
            Following::new(&kept.store.reader(), Follow::of(&format!("q=absent&after={}", START), None).unwrap());
        let step = following.step(&mut || true);
        assert!(step.bytes.is_empty() && !step.is_more);
        let told = String::from_utf8(following.alive().to_vec()).unwrap();
        assert_eq!(told, format!("event: place\nid: {}\ndata:\n\n", kept.next.get() - 1));
        assert_eq!(following.alive(), ": nothing new\n\n");
    });
}

#[test]
fn one_who_does_not_read_keeps_nobody_waiting_and_holds_little() {
    run(async {
        let mut kept = Kept::new("slow");
        let running = Running::over(&kept);
        let free = running.intake.lease(MOST - tail::MOST).is_some();
        assert!(free);
        let mut idle = running.begin("").await.unwrap();
        let mut healthy = running.begin("").await.unwrap();
        healthy.read().await.unwrap();
        let text = "x".repeat(5_000);
        let mut last = EventId::MIN;
        for round in 0..20 {
            for _ in 0..100 {
                last = kept.add("app/web.1", 6, text.as_bytes());
            }
            kept.publish();
            let began = Instant::now();
            healthy.until(100 * (round + 1)).await;
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        }
        // It has ten megabytes to read, and what is made for it is a piece or two; they follow one by one, without a gap.
        idle.until(2_000).await;
        assert_eq!((idle.ids(), idle.place), (healthy.ids(), Some(last)));
    });
}

#[test]
fn as_many_follow_as_may_and_a_place_that_is_left_is_free() {
    run(async {
        let mut kept = Kept::new("places");
        let running = Running::over(&kept);
        let mut all = Vec::new();
        while let Some(client) = running.begin("").await {
            all.push(client);
        }
        assert_eq!(all.len(), 32);
        let before = kept.lines(5);
        for client in &mut all {
            client.until(5).await;
            assert_eq!(client.ids(), before);
        }
        all.truncate(31);
        let began = Instant::now();
        while running.begin("").await.is_none() {
            assert!(began.elapsed() < LONG, "no place came free");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // They all end when the server does.
        running.stop.send(true).unwrap();
        for client in &mut all {
            while client.read().await.is_some() {}
        }
    });
}

#[test]
fn a_tail_ends_when_who_may_see_lines_is_changed() {
    run(async {
        let mut kept = Kept::new("access");
        let running = Running::over(&kept);
        let mut client = running.begin("").await.unwrap();
        client.read().await.unwrap();
        kept.lines(1);
        client.until(1).await;
        running.intake.set_access(Access::new([], Some(("ops", "another"))));
        kept.lines(1);
        while client.read().await.is_some() {}
        assert!(client.seen.len() <= 2);
        // Nothing was skipped: it goes on behind what it saw, with the right password.
        kept.lines(3);
        let missing = 5 - client.seen.len();
        let mut again = running.begin(&format!("after={}", client.place.unwrap())).await.unwrap();
        again.until(missing).await;
        assert_eq!(again.seen.len(), missing);
    });
}

#[test]
fn a_tail_that_is_far_behind_catches_up_while_others_are_served_at_once() {
    run(async {
        let mut kept = Kept::new("behind");
        let lines: BTreeSet<EventId> = kept.lines(200_000).into_iter().collect();
        let running = Running::over(&kept);
        let mut far = running.begin("after=0&q=%22line+777%22").await.unwrap();
        let mut everything = running.begin("after=0").await.unwrap();
        let mut new = running.begin("").await.unwrap();
        new.read().await.unwrap();
        let began = Instant::now();
        kept.lines(1);
        new.until(1).await;
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        far.until(111).await;
        everything.until(lines.len() + 1).await;
        assert!(everything.ids().windows(2).all(|pair| pair[0] < pair[1]) && lines.contains(&everything.seen[0].0));
    });
}
