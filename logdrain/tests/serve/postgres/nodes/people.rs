//! Members, passwords, tokens and sessions: whichever node somebody comes to, he is the same there.

use super::cluster::{Cluster, Node};
use super::passing::Three;
use crate::dashboards::account;
use crate::harness::{Answer, request, scratch, wait_until};
use base64::Engine as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use testkit::postgres::Postgres;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

const PASSWORD: &str = "correct horse battery";
/// The time that is told within which who was removed is out everywhere; a busy machine takes longer.
const OUT_WITHIN: Duration = Duration::from_secs(10);

fn ask(node: &Node, method: &str, path: &str, token: &str, body: &str) -> Answer {
    let token = format!("Bearer {token}");
    let headers = [("Authorization", token.as_str()), ("Content-Type", "application/json")];
    request(node.address().unwrap(), method, path, &headers, body.as_bytes()).unwrap()
}

fn status(node: &Node, token: &str) -> u16 {
    ask(node, "GET", "/api/v2/members", token, "").status
}

fn with_password(node: &Node, password: &str) -> u16 {
    let pair = format!("ann@example.com:{password}");
    let value = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    request(node.address().unwrap(), "GET", "/api/v2/members", &[("Authorization", &value)], b"").unwrap().status
}

/// The first one that is set.
fn cookie(answer: &Answer) -> String {
    let set = answer.head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("set-cookie").then_some(value)
    });
    set.unwrap_or_else(|| panic!("{}", answer.head)).split(';').next().unwrap().to_owned()
}

/// Sets a password by a one-time link, as a browser does, and answers the cookie of the session that begins by it.
pub(super) fn set_password(node: &Node, link: &str) -> String {
    let path = &link[link.find("/invite/").unwrap()..];
    let address = node.address().unwrap();
    let page = request(address, "GET", path, &[], b"").unwrap();
    assert_eq!(page.status, 200, "{}", page.body);
    let cookie = cookie(&page);
    let form = page.body.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let body = format!("form={form}&password={}", PASSWORD.replace(' ', "+"));
    let headers = [("Cookie", cookie.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
    let done = request(address, "POST", path, &headers, body.as_bytes()).unwrap();
    assert_eq!(done.status, 303, "{}", done.body);
    self::cookie(&done)
}

fn operate(dir: &Path, arguments: &[&str]) -> String {
    account(dir, &[arguments, &["--account", "shop"]].concat())
}

#[test]
fn who_is_added_on_one_node_is_known_on_the_next_request_to_another() {
    let Some(mut postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-people");
    let url = postgres.url();
    let cluster = Cluster::new(&dir, [&url, &url, &url]);
    let [a, b, c] = &cluster.nodes[..] else { unreachable!() };
    assert!(a.start(&[]) && b.start(&[]));

    // The first one is made at the operator's door, and is known without any waiting.
    let (store, token) =
        (dir.join("a"), |extra: &[&str]| operate(&dir.join("a"), &[&["token", "add"], extra].concat()));
    let admin = token(&[]);
    // Before there was anybody, nobody had to sign in here.
    wait_until("who is nobody is let in nowhere", || (status(b, "lda_nobody") != 200).then_some(()));
    assert_eq!((status(b, &admin), status(a, &admin)), (200, 200));
    let more = token(&[]);
    assert_eq!((status(b, &more), status(a, &more)), (200, 200));
    let link = operate(&store, &["member", "add", "ann@example.com", "--manage-members"]);
    let link = link.lines().find(|line| line.contains("/invite/")).unwrap();
    let cookie = set_password(b, link);
    let profile = |node: &Node| {
        let headers = [("Cookie", cookie.as_str())];
        request(node.address().unwrap(), "GET", "/account/profile", &headers, b"").unwrap().status
    };
    assert_eq!((profile(a), profile(b)), (200, 200));
    assert_eq!((with_password(a, PASSWORD), with_password(b, PASSWORD)), (200, 200));
    assert_ne!(with_password(a, "wrong horse battery"), 200);

    // Whoever is removed on one is out on the other, also when the one is killed at once.
    let all: serde_json::Value = serde_json::from_str(&ask(a, "GET", "/api/v2/members", &admin, "").body).unwrap();
    let new = |name: &str| format!(r#"{{"kind":"read","name":"{name}","member":{}}}"#, all["members"][0]["id"]);
    let made = ask(a, "POST", "/api/v2/tokens", &admin, &new("x"));
    assert_eq!(made.status, 201, "{}", made.body);
    let made: serde_json::Value = serde_json::from_str(&made.body).unwrap();
    let (id, own) = (made["id"].to_string(), made["token"].as_str().unwrap().to_owned());
    assert_eq!(status(b, &own), 200);
    assert_eq!(ask(a, "DELETE", &format!("/api/v2/tokens/{id}"), &admin, "").status, 204);
    a.kill();
    let began = Instant::now();
    wait_until("the token is good nowhere", || (status(b, &own) != 200).then_some(()));
    println!("out after {:?}", began.elapsed());
    assert!(began.elapsed() < OUT_WITHIN);
    assert_eq!((status(b, &admin), profile(b)), (200, 200));
    assert!(a.start(&[]));
    wait_until("it knows them", || (status(a, &admin) == 200 && profile(a) == 200).then_some(()));

    // While the database is away who is known comes in, and nothing is changed; a node that starts then opens nothing.
    postgres.stop();
    assert_eq!((status(a, &admin), status(b, &admin), profile(b)), (200, 200, 200));
    assert_eq!(ask(b, "POST", "/api/v2/tokens", &admin, &new("y")).status, 503);
    assert_ne!(status(b, "lda_nobody"), 200);
    postgres.start_again();
    wait_until("changes are taken again", || {
        (ask(b, "POST", "/api/v2/tokens", &admin, &new("y")).status == 201).then_some(())
    });
    assert!(c.start(&[]));
    wait_until("a new node knows them, too", || (status(c, &admin) == 200).then_some(()));
    cluster.stop();
}

/// What somebody at one of the addresses of this machine is answered who comes with a name and password.
async fn try_pair(from: u8, at: SocketAddr, pair: String) -> std::io::Result<u16> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, from], 0)))?;
    let mut stream = socket.connect(at).await?;
    let pair = base64::engine::general_purpose::STANDARD.encode(pair);
    let head = format!(
        "GET /api/v2/usage?account=acme-0 HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {pair}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await?;
    Ok(std::str::from_utf8(&answer[9..]).unwrap().parse().unwrap())
}

/// Fills up with wrong ones what may wait of an address, and answers what the right one is told then; `None` if it was not full
/// all the time.
async fn right_among_wrong(from: u8, at: SocketAddr) -> Option<u16> {
    let guess = |number: u32| try_pair(from, at, format!("ops:wrong-{number}"));
    let guesses: Vec<_> = (0..160).map(|number| tokio::spawn(guess(number))).collect();
    let right = try_pair(from, at, "ops:secret".to_owned());
    let (first, last) = (guess(1_000), guess(1_001));
    // All of them have asked by then, on most machines; else it is done again from another address.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let told = [first.await, right.await, last.await].map(Result::ok);
    guesses.iter().for_each(|guess| guess.abort());
    (told[0] == Some(429) && told[2] == Some(429)).then_some(told[1]?)
}

#[test]
fn who_guesses_is_not_told_the_right_one_by_being_passed_on() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-guesses");
    let three = Three::start_as(&dir, &postgres, |node| node);
    let home = wait_until("a home", || three.home("acme-0"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (number, node) in three.cluster.nodes.iter().enumerate() {
        // An address that was right once may go on.
        let mut addresses = (2 + 80 * u8::try_from(number).unwrap())..;
        let at = node.address().unwrap();
        let told = wait_until("an address of which as many wait as may", || {
            runtime.block_on(right_among_wrong(addresses.next().unwrap(), at))
        });
        assert_eq!(told, 429, "at node {number}, and {home} is home");
    }
}
