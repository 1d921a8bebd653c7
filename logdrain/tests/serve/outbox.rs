//! Alerts on their way: real receivers that do what receivers do, kills between keeping and sending, and mail.

#[cfg(feature = "mail")]
mod mail;

use crate::crash::{Dice, kills};
use crate::harness::{
    Answer, Delivery, PATIENCE, Server, body, now_micros, request, scratch, time_of, wait_until, wait_within,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use logdrain_drain::alerts::channel::sending::Sender;
use logdrain_drain::alerts::channel::{Links, Settings};
use logdrain_drain::alerts::outbox::{Head, Outbox, State};
use logdrain_drain::alerts::told::{Facts, Kind, Line, LogFacts, Told, id};
use logdrain_drain::directory::Directory;
use logdrain_drain::door::{Allowed, Outbound};
use logdrain_drain::seal::KeyFile;
use ring::hmac;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

pub(crate) const CONFIG: &str = "outbound_allow = [\"127.0.0.1\"]\nurl = \"https://logs.example.com\"\n\
    [watcher]\nuser = \"ops\"\npassword = \"ops-s3cret-12\"\n";

/// What a receiver does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    Answer(u16),
    Redirect(String),
    /// Longer than it is waited for.
    Late,
    Cut,
    /// It reads nothing of it, and holds the connection.
    NeverReads,
    /// After so many milliseconds.
    After(u64),
    /// With `Retry-After` of so many seconds: as a number, or as a time.
    Busy(u16, u64),
    BusyUntil(u16, i64),
}

/// One request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    at: Instant,
    head: String,
    pub(crate) body: String,
}

impl Came {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn id(&self) -> String {
        self.header("webhook-id").unwrap_or_default().to_owned()
    }
}

/// A receiver: it does one thing after the other, and then answers 200.
#[derive(Clone)]
pub(crate) struct Receiver {
    at: SocketAddr,
    came: Arc<Mutex<Vec<Came>>>,
    does: Arc<Mutex<VecDeque<Does>>>,
}

impl Receiver {
    pub(crate) fn start(does: impl IntoIterator<Item = Does>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let receiver = Self { at, came: Arc::default(), does: Arc::new(Mutex::new(does.into_iter().collect())) };
        let own = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let own = own.clone();
                std::thread::spawn(move || own.take(stream));
            }
        });
        receiver
    }

    fn take(&self, mut stream: TcpStream) -> io::Result<()> {
        let does = self.does.lock().unwrap().pop_front().unwrap_or(Does::Answer(200));
        match does {
            Does::Cut => return stream.shutdown(Shutdown::Both),
            Does::NeverReads => {
                std::thread::sleep(Duration::from_secs(30));
                return Ok(());
            }
            _ => {}
        }
        let came = read(&mut stream)?;
        self.came.lock().unwrap().push(came);
        match does {
            Does::Redirect(to) => write!(stream, "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"),
            Does::Late => {
                std::thread::sleep(Duration::from_secs(8));
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            }
            Does::After(millis) => {
                std::thread::sleep(Duration::from_millis(millis));
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            }
            Does::Busy(status, wait) => {
                write!(stream, "HTTP/1.1 {status} x\r\nRetry-After: {wait}\r\nContent-Length: 0\r\n\r\n")
            }
            Does::BusyUntil(status, wait) => {
                let until = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(wait);
                let until = until.strftime("%a, %d %b %Y %H:%M:%S GMT");
                write!(stream, "HTTP/1.1 {status} x\r\nRetry-After: {until}\r\nContent-Length: 0\r\n\r\n")
            }
            Does::Answer(status) => write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: 4\r\n\r\nsaid"),
            Does::Cut | Does::NeverReads => Ok(()),
        }
    }

    pub(crate) fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.at)
    }
}

fn read(stream: &mut TcpStream) -> io::Result<Came> {
    let mut all = Vec::new();
    let mut chunk = [0; 16 << 10];
    loop {
        let text = String::from_utf8_lossy(&all);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let came = Came { at: Instant::now(), head: head.to_owned(), body: body.to_owned() };
            let len = came.header("content-length").and_then(|len| len.parse().ok()).unwrap_or(0);
            if came.body.len() >= len {
                return Ok(came);
            }
        }
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            len => all.extend_from_slice(&chunk[..len]),
        }
    }
}

/// A store in which something waits, before there is a server.
pub(crate) struct House {
    pub(crate) dir: PathBuf,
    pub(crate) config: String,
    outbox: Arc<Outbox>,
    directory: Arc<Directory>,
    sender: Sender,
    runtime: Runtime,
}

impl House {
    pub(crate) fn new(name: &str, config: &str) -> Self {
        let dir = scratch(name);
        let file = dir.join("logdrain.toml");
        std::fs::write(&file, config).unwrap();
        let store = dir.join("store");
        std::fs::create_dir_all(&store).unwrap();
        let (outbox, directory) = (Outbox::new(&store), Directory::new(&store));
        outbox.open().unwrap();
        directory.open().unwrap();
        let outbound = Outbound::new(vec![Allowed::parse("127.0.0.1").unwrap()]);
        let key = Arc::new(KeyFile::new(Some(dir.join("logdrain.key"))));
        let sender = Sender::new(outbox.clone(), directory.clone(), key, outbound, None, Links::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { dir, config: file.to_str().unwrap().to_owned(), outbox, directory, sender, runtime }
    }

    fn channel(&self, account: &str, settings: Settings) -> u32 {
        self.runtime.block_on(self.sender.keep_channel(account, None, "ops", settings)).unwrap().0
    }

    pub(crate) fn hook(&self, account: &str, receiver: &Receiver) -> u32 {
        let secret = Some("a-secret-of-the-hook".to_owned());
        self.channel(account, Settings::Webhook { url: receiver.url(), secret })
    }

    fn start(&self) -> Server {
        Server::start(&self.dir, &["--config", &self.config])
    }

    fn heads(&self, account: &str, alert: u32) -> Vec<Head> {
        self.outbox.heads(account, Some(alert), 1_000).unwrap()
    }

    /// How the only message of an alert stands with its only channel.
    fn state(&self, account: &str, alert: u32) -> (State, u32, String) {
        let delivery = self.heads(account, alert).remove(0).deliveries.remove(0);
        (delivery.state, delivery.tries, delivery.said)
    }
}

pub(crate) fn told(account: &str, alert: u32, number: u64, channels: &[u32]) -> Told {
    let line = Line {
        id: 7_711_561_783_320_576 + number,
        received: 1_795_270_500_000_000,
        system: "shop-eu".to_owned(),
        program: "heroku/router".to_owned(),
        severity: Some(6),
        facility: Some(19),
        message: format!("at=error code=H12 number={number} of-{account}"),
        ..Line::default()
    };
    let facts = LogFacts {
        query: "H12".to_owned(),
        frequency: "1 minute".to_owned(),
        min_id: number,
        max_id: number + 1,
        count: 1,
        lines: vec![line],
        ..LogFacts::default()
    };
    Told {
        id: id(account, alert, &[&number.to_string()]),
        account: account.to_owned(),
        alert,
        name: "Timeouts".to_owned(),
        kind: Kind::Fired,
        at: 1_795_270_560_000_000,
        channels: channels.to_vec(),
        is_muted: false,
        description: String::new(),
        runbook: None,
        zone: None,
        why: "1 line in 1 minute".to_owned(),
        facts: Facts::Log(facts),
    }
}

/// What the operator asks of the second API, which says yes.
fn ask(server: &Server, path: &str, body: &Value) -> Value {
    let by = format!("Basic {}", STANDARD.encode("ops:ops-s3cret-12"));
    let headers = [("Authorization", by.as_str()), ("Content-Type", "application/json")];
    let answer = request(server.address, "POST", path, &headers, body.to_string().as_bytes()).unwrap();
    assert_eq!(answer.status, 201, "{path} {body}: {answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

/// Lines come each second until something is there.
fn sending<T>(server: &Server, line: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let mut number = 0;
    wait_until(line, || {
        let frame = format!("<190>1 {} host app web.1 - {line}\n", time_of(now_micros()));
        let body = format!("{} {frame}", frame.len()).into_bytes();
        let delivery = Delivery { id: format!("{line}-{number}"), token: "d.shop".to_owned(), body };
        assert_eq!(delivery.send(server.address).unwrap(), 204);
        number += 1;
        std::thread::sleep(Duration::from_millis(200));
        look()
    })
}

#[test]
fn a_rule_made_over_the_api_fires_on_lines_that_come_and_says_so_and_when_it_is_over() {
    let house = House::new("outbox-fires", CONFIG);
    let receiver = Receiver::start([]);
    let server = Server::start(&house.dir, &["--config", &house.config, "--window", "1s", "--lateness", "0s"]);
    let hook = json!({ "name": "Hook", "kind": "json", "url": receiver.url() });
    let channel = ask(&server, "/api/v2/channels", &hook)["id"].clone();
    let rule = json!({ "name": "Orders", "when": [{ "metric": "shop.orders", "function": "max", "above": 5 }] });
    let made = ask(&server, "/api/v2/alerts", &json!({ "metric": rule, "channels": [channel] }));
    let came = |count: usize| {
        let came = receiver.came();
        (came.len() >= count).then(|| serde_json::from_str::<Value>(&came[count - 1].body).unwrap())
    };
    sending(&server, "sample#shop.orders=3", || {
        let text = std::fs::read_to_string(house.dir.join("rows.jsonl")).unwrap_or_default();
        text.contains("shop.orders").then_some(())
    });
    assert!(receiver.came().is_empty(), "three is not above five");
    let fired = sending(&server, "sample#shop.orders=7", || came(1));
    assert_eq!((&fired["kind"], &fired["alert"]["id"]), (&json!("fired"), &made["id"]), "{fired}");
    let stands = |state: &str| {
        wait_until(state, || {
            let by = format!("Basic {}", STANDARD.encode("ops:ops-s3cret-12"));
            let path = format!("/api/v2/alerts/{}", made["id"]);
            let answer = request(server.address, "GET", &path, &[("Authorization", by.as_str())], b"").unwrap();
            let alert: Value = serde_json::from_str(&answer.body).unwrap();
            (alert["state"] == state).then(|| alert["since"].as_str().unwrap().to_owned())
        })
    };
    let since = stands("firing");
    let over = sending(&server, "sample#shop.orders=2", || came(2));
    assert!(stands("ok") > since, "it is what it is now, and not what it told last");
    assert_eq!((&over["kind"], &over["incident"]), (&json!("resolved"), &fired["incident"]), "{over}");
    assert!(receiver.came()[0].id() != receiver.came()[1].id(), "each has an id of its own");
    assert_eq!(server.stop().0, Some(0));
}

fn metrics(server: &Server) -> String {
    let by = format!("Basic {}", STANDARD.encode("ops:ops-s3cret-12"));
    request(server.address, "GET", "/metrics", &[("Authorization", &by)], b"").unwrap().body
}

fn number(page: &str, name: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name}: {page}")).parse().unwrap()
}

#[test]
fn a_receiver_that_says_how_long_it_is_busy_gets_nothing_before_and_holds_up_nobody() {
    let house = House::new("outbox-busy", CONFIG);
    // Our own pause would be two seconds; a time has no parts of a second.
    let busy = [("shop", vec![Does::Busy(429, 5)], 5), ("blog", vec![Does::BusyUntil(503, 6)], 5)];
    let (mut receivers, mut free) = (Vec::new(), Vec::new());
    for (account, does, _) in &busy {
        let (receiver, other) = (Receiver::start(does.clone()), Receiver::start([]));
        let (channel, of_other) = (house.hook(account, &receiver), house.hook(account, &other));
        // The second one of the same channel is of another alert: it waits as well.
        house.outbox.keep(&[told(account, 1, 1, &[channel]), told(account, 2, 2, &[channel])]).unwrap();
        house.outbox.keep(&[told(account, 3, 3, &[of_other])]).unwrap();
        receivers.push(receiver);
        free.push(other);
    }
    let server = house.start();
    for (other, receiver) in free.iter().zip(&receivers) {
        wait_until("what goes elsewhere", || (!other.came().is_empty()).then_some(()));
        assert!(receiver.came().len() <= 1, "it did not wait for the busy one");
    }
    for (receiver, (account, _, wait)) in receivers.iter().zip(&busy) {
        let came = wait_until("all of it", || Some(receiver.came()).filter(|came| came.len() >= 3));
        for later in &came[1..] {
            let after = later.at - came[0].at;
            assert!(after >= Duration::from_secs(*wait), "{account}: again after {after:?}");
        }
        let sent = || [1, 2].into_iter().all(|alert| house.state(account, alert).0 == State::Sent);
        wait_until("both to be noted", || sent().then_some(()));
        assert_eq!(came.iter().map(Came::id).collect::<BTreeSet<_>>().len(), 2, "with its one id");
    }
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn alerts_arrive_though_receivers_fail_and_what_is_refused_says_why() {
    let house = House::new("outbox-receivers", CONFIG);
    let elsewhere = Receiver::start([]);
    // Three accounts, so that nobody waits for the slow ones of another.
    let cases = [
        ("shop", 1, vec![Does::Answer(500), Does::Answer(503)]),
        ("shop", 2, vec![Does::Late]),
        ("shop", 3, vec![Does::Cut, Does::Cut]),
        ("blog", 4, vec![Does::Answer(404)]),
        ("blog", 5, vec![Does::Redirect(elsewhere.url())]),
        ("blog", 6, vec![Does::NeverReads]),
        ("office", 7, vec![]),
    ];
    let mut receivers = BTreeMap::new();
    for (account, alert, does) in cases {
        let receiver = Receiver::start(does);
        let channel = house.hook(account, &receiver);
        house.outbox.keep(&[told(account, alert, 1, &[channel])]).unwrap();
        receivers.insert(alert, receiver);
    }
    // One that nobody listens at, one that is gone, one that is muted.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = house.channel("office", Settings::Webhook { url: format!("http://{closed}/"), secret: None });
    house.outbox.keep(&[told("office", 8, 1, &[closed])]).unwrap();
    house.outbox.keep(&[told("office", 9, 1, &[999])]).unwrap();
    let muted = house.hook("office", &receivers[&7]);
    house.outbox.keep(&[Told { is_muted: true, ..told("office", 10, 1, &[muted]) }]).unwrap();
    let began = Instant::now();
    let server = house.start();
    for (account, alert, state, tries, said) in [
        ("shop", 1, State::Sent, 3, ""),
        ("shop", 2, State::Sent, 2, ""),
        ("shop", 3, State::Sent, 3, ""),
        ("blog", 4, State::Refused, 1, "answers 404: said"),
        ("blog", 5, State::Refused, 1, "redirect"),
        ("blog", 6, State::Sent, 2, ""),
        ("office", 7, State::Sent, 1, ""),
        ("office", 9, State::Refused, 1, "no such channel"),
    ] {
        let found = wait_until(&format!("alert {alert}"), || {
            let found = house.state(account, alert);
            (found.0 != State::Waiting).then_some(found)
        });
        assert!(found.0 == state && found.1 == tries && found.2.contains(said), "{alert}: {found:?}");
    }
    println!("all of it took {:?}", began.elapsed());
    let waits = wait_until("a try", || Some(house.state("office", 8)).filter(|(_, tries, _)| *tries > 0));
    assert!(waits.0 == State::Waiting && waits.2.contains("cannot be connected"), "{waits:?}");
    assert!(elsewhere.came().is_empty(), "no redirect is followed");
    assert!(house.heads("office", 10)[0].is_muted);
    assert_eq!(receivers[&7].came().len(), 1, "what is muted is not sent");
    // What came is what the shape says, signed, and the same each time.
    let came = receivers[&1].came();
    assert_eq!(came.len(), 3);
    assert_eq!(came[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(came.iter().all(|one| one.id() == id("shop", 1, &["1"]) && one.body == came[0].body), "{came:?}");
    let signed = format!("{}.{}.{}", came[0].id(), came[0].header("webhook-timestamp").unwrap(), came[0].body);
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"a-secret-of-the-hook");
    let wanted = format!("v1,{}", STANDARD.encode(hmac::sign(&key, signed.as_bytes())));
    assert_eq!(came[0].header("webhook-signature"), Some(wanted.as_str()));
    let (_, payload) = form_urlencoded::parse(came[0].body.as_bytes()).next().unwrap();
    let payload: Value = serde_json::from_str(&payload).unwrap();
    assert_eq!(payload["saved_search"]["html_search_url"], "https://logs.example.com/alerts/1");
    assert_eq!(payload["events"][0]["source_name"], "shop-eu");
    // The numbers, and what `doctor` says.
    let page = metrics(&server);
    assert_eq!(number(&page, "logdrain_alerts_sent_total"), 5.0, "{page}");
    assert_eq!(number(&page, "logdrain_alerts_failed_total"), 3.0);
    assert_eq!(number(&page, "logdrain_alerts_waiting"), 1.0);
    assert!(number(&page, "logdrain_alerts_oldest_seconds") < 600.0);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("a-secret-of-the-hook"));
    let doctor = Command::new(env!("CARGO_BIN_EXE_logdrain"))
        .args(["doctor", house.dir.join("store").to_str().unwrap()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(said.contains("alerts     10 are kept, 1 deliveries wait"), "{said}");
}

#[test]
fn killed_at_any_moment_each_alert_arrives_with_its_one_id_and_in_its_order() {
    let house = House::new("outbox-kills", CONFIG);
    let receivers = [Receiver::start(vec![Does::After(30); 10_000]), Receiver::start(vec![Does::After(30); 10_000])];
    let channels: Vec<u32> = receivers.iter().map(|receiver| house.hook("shop", receiver)).collect();
    let all: Vec<Told> = (0..60)
        .flat_map(|number| (1..=2).map(move |alert| (alert, number)))
        .map(|(alert, number)| told("shop", alert, number, &channels))
        .collect();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut kept = all.chunks(12);
    let mut server = None;
    let mut count = 0;
    for _ in 0..kills(6) {
        // Killed between keeping and sending, and between sending and noting it.
        if let Some(some) = kept.next() {
            house.outbox.keep(some).unwrap();
            house.outbox.keep(some).unwrap();
        }
        let started = house.start();
        std::thread::sleep(Duration::from_millis(dice.below(700)));
        started.kill();
        count += 1;
    }
    kept.for_each(|some| house.outbox.keep(some).unwrap());
    server.replace(house.start());
    let wanted: BTreeSet<String> = all.iter().map(|told| told.id.clone()).collect();
    // Each of the 240 is noted by itself, and a transaction waits for the disk five times.
    wait_within(PATIENCE * 4, "the end", || {
        // A server that notes one delivery after the other on a slow disk may keep another program out for seconds.
        let heads = house.outbox.heads("shop", None, 1_000).ok()?;
        let is_over = |head: &Head| head.deliveries.iter().all(|one| one.state == State::Sent);
        heads.iter().all(is_over).then_some(())
    });
    for receiver in &receivers {
        let came: Vec<String> = receiver.came().iter().map(Came::id).collect();
        println!("{} messages came {} times over {count} kills", wanted.len(), came.len());
        assert_eq!(came.iter().cloned().collect::<BTreeSet<_>>(), wanted, "each of them, and nothing else");
        for alert in 1..=2 {
            let own: Vec<&Told> = all.iter().filter(|told| told.alert == alert).collect();
            let firsts: Vec<usize> =
                own.iter().map(|told| came.iter().position(|id| *id == told.id).unwrap()).collect();
            assert!(firsts.is_sorted(), "in the order in which they were kept");
        }
    }
    let (code, log) = server.unwrap().stop();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn nothing_is_left_of_the_alerts_of_an_account_that_is_destroyed() {
    let house = House::new("outbox-destroy", CONFIG);
    let receiver = Receiver::start(vec![Does::Answer(500); 1_000]);
    let server = house.start();
    let ops = format!("Basic {}", STANDARD.encode("ops:ops-s3cret-12"));
    let post = |path: &str, body: &Value| -> Answer {
        let headers = [("Authorization", ops.as_str()), ("Content-Type", "application/json")];
        request(server.address, "POST", path, &headers, body.to_string().as_bytes()).unwrap()
    };
    for account in ["shop", "blog"] {
        assert_eq!(post("/api/v2/accounts", &json!({ "name": account })).status, 201);
        let channel = house.hook(account, &receiver);
        house.outbox.keep(&[told(account, 1, 1, &[channel])]).unwrap();
    }
    assert_eq!(post("/api/v2/account/destroy?account=shop", &json!({"name": "shop"})).status, 200);
    wait_until("the end of it", || {
        let is_gone = house.outbox.heads("shop", None, 10).unwrap().is_empty();
        (is_gone && house.directory.channels("shop").unwrap().is_empty()).then_some(())
    });
    assert_eq!(house.outbox.heads("blog", None, 10).unwrap().len(), 1);
    assert_eq!(house.directory.channels("blog").unwrap().len(), 1);
    let holds = |text: &str| {
        let file = std::fs::read(house.dir.join("store/outbox.db")).unwrap();
        file.windows(text.len()).any(|part| part == text.as_bytes())
    };
    let shop = id("shop", 1, &["1"]);
    wait_until("the file", || (!holds(&shop)).then_some(()));
    assert!(holds(&id("blog", 1, &["1"])));
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn whoever_is_no_member_says_by_a_link_that_he_wants_mail_and_a_look_at_it_says_nothing() {
    let house = House::new("outbox-recipients", CONFIG);
    let link = house.directory.ask_recipient("shop", "bob@example.com").unwrap().expect("he is no member");
    let server = house.start();
    let path = format!("/recipients/{}", link.reveal());
    let page = server.get(&path);
    assert!(page.status == 200 && page.body.contains("bob@example.com"), "{page:?}");
    assert!(!house.directory.may_get_mail("shop", "bob@example.com").unwrap(), "a look says nothing");
    let cookie = page.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next()).unwrap();
    let form = page.body.split("name=\"form\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let post = |form: &str| {
        let headers = [("Cookie", cookie), ("Content-Type", "application/x-www-form-urlencoded")];
        request(server.address, "POST", &path, &headers, format!("form={form}").as_bytes()).unwrap()
    };
    assert_eq!(post("forged").status, 400);
    assert!(!house.directory.may_get_mail("shop", "bob@example.com").unwrap());
    let said = post(form);
    assert!(said.status == 200 && said.body.contains("from now on"), "{said:?}");
    assert!(house.directory.may_get_mail("shop", "Bob@Example.com").unwrap());
    assert!(!house.directory.may_get_mail("blog", "bob@example.com").unwrap(), "of that account alone");
    assert_eq!(server.get(&path).status, 404, "it is good once");
    house.directory.forget_recipient("shop", "bob@example.com").unwrap();
    assert!(!house.directory.may_get_mail("shop", "bob@example.com").unwrap());
}

#[cfg(unix)]
#[test]
fn lines_that_are_purged_go_out_of_alerts_too() {
    let house = House::new("outbox-purge", CONFIG);
    let server = house.start();
    // Muted, so that they stay here to be looked at.
    let muted = |number: u64| Told { is_muted: true, ..told("default", 1, number, &[]) };
    house.outbox.keep(&[muted(1), muted(2)]).unwrap();
    // A purge is of what came before it.
    let sent = Delivery { id: "1".repeat(32), token: "d.1".to_owned(), body: body(1, 1) };
    assert_eq!(sent.send(server.address).unwrap(), 204);
    let purge = json!({"query": "\"number=1 of-default\" program:heroku/router", "systems": ["shop-*"]});
    crate::changes::change(&house.dir, &json!({"purge": {"account": "default", "purge": purge, "at": 0}}));
    let lines = |number: u64| match house.outbox.told("default", &muted(number).id).unwrap().unwrap().facts {
        Facts::Log(facts) => (facts.count, facts.lines.len()),
        _ => panic!("of lines"),
    };
    wait_until("the purge", || (lines(1) == (1, 0)).then_some(()));
    assert_eq!(lines(2), (1, 1), "of others nothing goes");
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
}
