//! Who comes in, and who does not: signing in and out, guesses, stored tokens, pages of another origin.

use super::{House, PASSWORD, WORDS, basic, cookie, form_urlencoded, run, start};
use crate::browser::Browser;
use crate::harness::{Server, request, scratch, wait_until};
use std::time::{Duration, Instant};

#[test]
fn signing_in_and_out_leads_back_and_rotates_the_session() {
    let house = House::new("sign-in");
    let first = house.member("ann@example.com", &["--account", "shop"]);
    // A browser that may sign in is led there, and back.
    let away = house.ask("GET", "/events?q=marmalade", &[("Accept", "text/html,*/*")]);
    assert!(away.status == 303 && away.head.contains("/login?return=%2Fevents%3Fq%3Dmarmalade"), "{away:?}");
    assert_eq!(house.ask("GET", "/events", &[]).status, 401, "a program is not");
    let (form, token) = house.load("/login?return=%2Fevents%3Fq%3Dmarmalade");
    let cookies = format!("{form}; {first}");
    let fields = [
        ("form", token.as_str()),
        ("name", "Ann@Example.com"),
        ("password", PASSWORD),
        ("return", "/events?q=marmalade"),
    ];
    let entered = house.form("/login", &cookies, &fields);
    assert!(entered.status == 303 && entered.head.contains("/events?q=marmalade"), "{entered:?}");
    let head = entered.head.to_lowercase();
    assert!(head.contains("httponly") && head.contains("samesite=lax") && head.contains("no-store"), "{head}");
    let second = cookie(&entered, "logdrain").unwrap();
    assert_ne!(first, second);
    assert_eq!(house.ask("GET", "/events", &[("Cookie", &first)]).status, 401, "the old one is over");
    let page = house.ask("GET", "/events?q=marmalade", &[("Cookie", &second)]);
    assert!(page.status == 200 && page.body.contains(WORDS[0]), "{page:?}");
    // Without the form's token, with another's, or from elsewhere, nothing is done.
    let (other_form, other_token) = house.load("/login");
    for (cookies, token) in [
        ("", token.as_str()),
        (form.as_str(), ""),
        (form.as_str(), other_token.as_str()),
        (other_form.as_str(), token.as_str()),
    ] {
        let fields = [("form", token), ("name", "ann@example.com"), ("password", PASSWORD)];
        let answer = house.form("/login", cookies, &fields);
        assert!(answer.status == 400 && cookie(&answer, "logdrain").is_none(), "{answer:?}");
    }
    let body = form_urlencoded(&fields);
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        let headers =
            [("Content-Type", "application/x-www-form-urlencoded"), ("Cookie", form.as_str()), ("Origin", origin)];
        let answer = request(house.server.address, "POST", "/login", &headers, body.as_bytes()).unwrap();
        assert!(answer.status == 400 && cookie(&answer, "logdrain").is_none(), "{origin}: {answer:?}");
    }
    // Ends by the form of the session alone.
    assert_eq!(house.form("/logout", &second, &[("form", token.as_str())]).status, 400);
    assert_eq!(house.ask("GET", "/events", &[("Cookie", &second)]).status, 200);
    // Hostile text in every field, and nothing of it comes back as anything but text.
    for text in ["\"><script>alert(1)</script>", "x\r\nSet-Cookie: a=b", "' OR 1=1 --", "\u{0}", "ann@example.com' --"]
    {
        let (form, token) = house.load("/login");
        let fields = [("form", token.as_str()), ("name", text), ("password", text), ("return", text)];
        let answer = house.form("/login", &form, &fields);
        assert_eq!(answer.status, 422, "{text:?}: {answer:?}");
        assert!(!answer.body.contains("<script>") && !answer.head.contains("a=b"), "{answer:?}");
    }
    let page = house.ask("GET", "/login", &[]);
    let head = page.head.to_lowercase();
    assert!(
        head.contains("default-src 'none'")
            && head.contains("frame-ancestors 'none'")
            && !page.body.contains("<script"),
        "{page:?}"
    );
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn ten_thousand_guesses_let_nobody_in_and_the_owner_still_gets_in() {
    let house = House::new("guessing");
    let token = house.token(&["--account", "shop"]);
    house.member("ann@example.com", &["--account", "shop"]);
    let address = house.server.address;
    let right = basic(&format!("ann@example.com:{PASSWORD}"));
    // Once before, as of an owner whose programs run: then his are known from there.
    for headers in [[("Authorization", right.as_str())], [("X-Papertrail-Token", token.as_str())]] {
        assert_eq!(request(address, "GET", "/api/v1/events/search", &headers, b"").unwrap().status, 200);
    }
    #[cfg(target_os = "linux")]
    let before = house.server.memory();
    let began = Instant::now();
    let next = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let guessers: Vec<_> = (0..100)
        .map(|_| {
            let next = next.clone();
            std::thread::spawn(move || {
                let mut statuses = [0_u32; 3];
                loop {
                    let guess = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if guess >= 10_000 {
                        return statuses;
                    }
                    let (name, value) = match guess % 2 {
                        0 => ("X-Papertrail-Token", format!("lda_{guess:040x}")),
                        _ => ("Authorization", basic(&format!("ann@example.com:guess number {guess}"))),
                    };
                    let answer = request(address, "GET", "/api/v1/events/search", &[(name, &value)], b"");
                    match answer.map(|answer| answer.status) {
                        Ok(401) => statuses[0] += 1,
                        Ok(429 | 503) => statuses[1] += 1,
                        // A connection that had to go.
                        Err(_) => statuses[2] += 1,
                        Ok(status) => panic!("{status}"),
                    }
                }
            })
        })
        .collect();
    // The owner, from the same address.
    let mut slowest = Duration::ZERO;
    let mut tried = 0;
    while guessers.iter().any(|guesser| !guesser.is_finished()) {
        for headers in [[("Authorization", right.as_str())], [("X-Papertrail-Token", token.as_str())]] {
            let asked = Instant::now();
            let answer = request(address, "GET", "/api/v1/events/search", &headers, b"").unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
            slowest = slowest.max(asked.elapsed());
            tried += 1;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    let mut all = [0; 3];
    for guesser in guessers {
        let statuses = guesser.join().unwrap();
        for (sum, count) in all.iter_mut().zip(statuses) {
            *sum += count;
        }
    }
    let took = began.elapsed();
    println!("{all:?} in {took:?}; the owner asked {tried} times, at most {slowest:?} each");
    assert_eq!(all.iter().sum::<u32>(), 10_000);
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    #[cfg(target_os = "linux")]
    assert!(house.server.memory() < before + (160 << 20), "{before}, then {}", house.server.memory());
    let (code, log) = house.server.stop();
    assert_eq!(code, Some(0));
    // Once a minute, however long all of it took.
    let told = log.matches("wrong credentials").count() as u64;
    assert!((1..=2 + took.as_secs() / 60).contains(&told), "{told} in {took:?}: {log}");
}

#[test]
fn a_stored_token_ends_open_reading_and_a_lost_file_does_not_bring_it_back() {
    let dir = scratch("opened");
    let server = start(&dir, "");
    assert_eq!(server.get("/metrics").status, 200);
    let (is_done, token) = run(&dir, &["token", "add", "--kind", "read"]);
    assert!(is_done && token.starts_with("ldr_"), "{token}");
    for path in ["/metrics", "/", "/status", "/events", "/api/v1/events/search"] {
        assert_eq!(server.get(path).status, 401, "{path}");
    }
    let known = |server: &Server| {
        request(server.address, "GET", "/api/v1/events/search", &[("X-Papertrail-Token", &token)], b"").unwrap().status
    };
    wait_until("the lines", || (known(&server) == 200).then_some(()));
    assert_eq!(server.stop().0, Some(0));
    // Without a server, on the store itself.
    let (is_done, listed) = run(&dir, &["token", "list"]);
    assert!(is_done && listed.contains("read  ldr_") && !listed.contains(&token), "{listed}");
    let file = dir.join("store/settings.db");
    let whole = std::fs::read(&file).unwrap();
    for damage in [Some(&b"damaged, and longer than a head of a file would be ............................................................"[..]), None] {
        match damage {
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let server = start(&dir, "");
        assert!(matches!(server.get("/metrics").status, 401 | 503));
        assert!(matches!(known(&server), 401 | 503));
        let sent = crate::harness::Delivery { id: format!("{damage:?}").len().to_string(), token: "d.1".to_owned(), body: crate::harness::body(1, 4) };
        assert_eq!(sent.send(server.address).unwrap(), 204, "deliveries are taken");
        let (code, log) = server.stop();
        assert!(code == Some(0) && log.contains("settings.db"), "{log}");
    }
    std::fs::write(&file, whole).unwrap();
    let server = start(&dir, "");
    wait_until("the lines", || (known(&server) == 200).then_some(()));
    // And when the last one goes, it is as it was.
    let (is_done, said) = run(&dir, &["token", "remove", listed.split_whitespace().next().unwrap()]);
    assert!(is_done, "{said}");
    assert_eq!(server.get("/metrics").status, 200);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn page_of_another_origin_reads_nothing_of_an_open_server() {
    let dir = scratch("other-origin");
    let Some(mut browser) = Browser::start(&dir) else { return };
    let server = start(&dir, "");
    wait_until("the store", || (server.get("/events").status == 200).then_some(()));
    let evil = start(&scratch("evil-origin"), "");
    // A page of another server on this machine: another port is another origin.
    browser.go(&format!("http://localhost:{}/healthz", evil.address.port()));
    let port = server.address.port();
    browser.value("window.read = []; window.left = 0");
    for path in ["/", "/status", "/metrics", "/events", "/api/v1/events/search", "/api/v1/systems", "/api/v2/tail"] {
        for host in ["127.0.0.1", "localhost"] {
            for options in ["{}", "{mode:'no-cors'}", "{headers:{'X-Papertrail-Token':'x'}}", "{credentials:'include'}"]
            {
                browser.value(&format!(
                    "left++; fetch('http://{host}:{port}{path}', {options}).then(r => r.text()).then(t => t && read.push('{path} ' + t.slice(0, 80))).catch(() => 0).finally(() => left--)"
                ));
            }
        }
    }
    browser.until("left === 0");
    assert_eq!(browser.value("read.join('\\n')"), "");
    assert_eq!((server.stop().0, evil.stop().0), (Some(0), Some(0)));
}
