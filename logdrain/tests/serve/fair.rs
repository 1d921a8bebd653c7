//! What all accounts share: none of them keeps the others out of it, however many it asks for and however slow it is.

use crate::harness::{read_answer, request, wait_until};
use crate::rights::House;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Sends what it is given, and leaves the connection open.
fn begin(address: SocketAddr, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn follow(house: &House, token: &str) -> (u16, BufReader<TcpStream>) {
    let head = format!("GET /api/v2/tail?q=nothing HTTP/1.0\r\nHost: x\r\nX-Papertrail-Token: {token}\r\n\r\n");
    let mut stream = BufReader::new(begin(house.server.address, &head));
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    (line.split(' ').nth(1).unwrap().parse().unwrap(), stream)
}

#[test]
fn who_follows_with_many_gives_places_to_who_follows_with_few() {
    let house = House::new("fair-tails");
    let (shop, blog) = (house.token(&["--account", "shop"]), house.token(&["--account", "blog", "--kind", "read"]));
    let mut of_blog = Vec::new();
    let refused = loop {
        match follow(&house, &blog) {
            (200, tail) => of_blog.push(tail),
            (status, _) => break status,
        }
    };
    assert_eq!((refused, of_blog.len()), (503, 32));
    let (status, _of_shop) = follow(&house, &shop);
    assert_eq!(status, 200, "there is always one for who has less");
    // The oldest one of who has most ended for that, and no other.
    let mut rest = Vec::new();
    of_blog.remove(0).read_to_end(&mut rest).unwrap();
    for tail in &mut of_blog {
        tail.get_ref().set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut rest = Vec::new();
        assert!(tail.read_to_end(&mut rest).is_err(), "it goes on");
    }
    assert_eq!(follow(&house, &blog).0, 503, "and it cannot have it back");
    drop(of_blog);
    wait_until("places", || (follow(&house, &blog).0 == 200).then_some(()));
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn bodies_that_do_not_come_keep_nobody_else_waiting() {
    let house = House::new("fair-bodies");
    let (shop, blog) = (house.token(&["--account", "shop"]), house.token(&["--account", "blog"]));
    let by_shop = [("X-Papertrail-Token", shop.as_str())];
    let slow = |path: &str, kind: &str, len: usize| {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Papertrail-Token: {blog}\r\nAuthorization: Bearer {blog}\r\n\
             Content-Type: {kind}\r\nContent-Length: {len}\r\n\r\nx"
        );
        begin(house.server.address, &head)
    };
    const FORM: &str = "application/x-www-form-urlencoded";
    for (path, kind, len) in [
        ("/api/v2/filters", "application/json", 60_000),
        ("/dashboards", FORM, 250_000),
        ("/account/filters", FORM, 30_000),
    ] {
        let mut all: Vec<_> = (0..40).map(|_| slow(path, kind, len)).collect();
        for _ in 0..3 {
            let answer = house.ask("GET", "/api/v2/plan", &by_shop);
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            let (method, body) = ("POST", br#"{"text":"x"}"#);
            let answer = request(house.server.address, method, "/api/v2/filters", &by_shop, body).unwrap();
            assert_eq!(answer.status, 201, "{path}: {answer:?}");
        }
        // Those that have no seat are told so at once, the others when their time is over.
        let answers: Vec<_> = all.iter_mut().map(|stream| read_answer(stream).unwrap().status).collect();
        assert_eq!(answers.iter().filter(|status| **status == 503).count(), 28, "{path}: {answers:?}");
    }
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn channels_are_tried_some_times_and_not_as_fast_as_one_can_ask() {
    let house = House::with("fair-trials", "outbound_allow = [\"127.0.0.1\"]\n");
    let token = house.token(&["--account", "shop"]);
    let headers = [("X-Papertrail-Token", token.as_str())];
    let post = |path: &str, body: &str| {
        let length = body.len().to_string();
        let headers = [headers[0], ("Content-Length", length.as_str())];
        request(house.server.address, "POST", path, &headers, body.as_bytes()).unwrap()
    };
    // Nobody listens there: what counts is what was taken.
    let made = post("/api/v2/channels", "{\"name\":\"Hook\",\"kind\":\"json\",\"url\":\"http://127.0.0.1:9/\"}");
    assert_eq!(made.status, 201, "{made:?}");
    let id = serde_json::from_str::<serde_json::Value>(&made.body).unwrap()["id"].to_string();
    let answers: Vec<_> = (0..60).map(|_| post(&format!("/api/v2/channels/{id}/test"), "")).collect();
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(answers[..10].iter().all(|answer| answer.status == 200) && refused.len() > 10, "{answers:?}");
    assert!(
        refused
            .iter()
            .all(|answer| answer.head.to_lowercase().contains("retry-after") && answer.body.contains("come again"))
    );
    assert_eq!(house.server.stop().0, Some(0));
}

#[cfg(feature = "s3")]
#[test]
fn a_bucket_that_does_not_answer_keeps_nobody_else_waiting() {
    let house = House::with("fair-bucket", "outbound_allow = [\"127.0.0.1\"]\n");
    let (shop, blog) = (house.token(&["--account", "shop"]), house.token(&["--account", "blog"]));
    let hangs = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bucket = format!(
        "{{\"endpoint\":\"http://{}\",\"bucket\":\"logs\",\"key_id\":\"AKIA\",\"secret_key\":\"secret\"}}",
        hangs.local_addr().unwrap()
    );
    let by = |token| [("X-Papertrail-Token", token)];
    let length = bucket.len().to_string();
    let headers = [by(blog.as_str())[0], ("Content-Length", length.as_str())];
    let set = request(house.server.address, "PUT", "/api/v2/bucket", &headers, bucket.as_bytes()).unwrap();
    assert_eq!(set.status, 200, "{set:?}");
    let head = format!(
        "POST /api/v2/bucket/test HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Papertrail-Token: {blog}\r\nContent-Length: 0\r\n\r\n"
    );
    let mut tries: Vec<_> = (0..6).map(|_| begin(house.server.address, &head)).collect();
    // Somebody is asked, and answers nothing.
    let _asked = hangs.accept().unwrap();
    for _ in 0..6 {
        let answer = house.ask("GET", "/api/v2/plan", &by(&shop));
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let answers: Vec<_> = tries.iter_mut().map(|stream| read_answer(stream).unwrap()).collect();
    let told = |status: u16, text: &str| {
        answers.iter().filter(|answer| answer.status == status && answer.body.contains(text)).count()
    };
    assert_eq!((told(200, "no answer came within"), told(503, "come again")), (1, 5), "{answers:?}");
    assert_eq!(house.server.stop().0, Some(0));
}
