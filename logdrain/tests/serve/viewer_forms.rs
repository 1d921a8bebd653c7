//! Saved searches by forms, links that people keep, and hostile text in every field of the page at `/events`.

use crate::harness::{Server, now_micros, request, scratch, time_of, wait_until};
use crate::viewer::{READY, TEXTS, form, is_quiet, key, led_to, page, send, settle, some, start};

#[test]
fn a_search_is_saved_replaced_run_and_removed() {
    let Some((dir, server, mut browser)) = start("viewer-save") else { return };
    some(&server);
    browser.go(&page(&server, "?q=H12"));
    browser.until(READY);
    key(&mut browser, "s");
    assert_eq!(browser.value("document.activeElement.name"), "name");
    browser.picture(&dir.join("save.png"));
    browser.value(
        "document.activeElement.value = 'Timeouts <b>&', document.querySelector('.save form').requestSubmit(), 0",
    );
    let at = led_to(&mut browser, "search=");
    let id = at.split("search=").nth(1).unwrap().to_owned();
    assert_eq!(browser.value("document.querySelector('.side .saved a[aria-current]').innerText"), "Timeouts <b>&");
    assert_eq!(browser.value("document.querySelector('.save .used') !== null"), true, "one is in use");
    assert_eq!(browser.value(&format!("{TEXTS}.length")), 4);
    // The same question typed by hand is the same search, another one is not.
    browser.go(&page(&server, "?q=H12"));
    browser.until(READY);
    assert_eq!(browser.value("document.querySelector('.side .saved a[aria-current]') !== null"), true);
    browser.go(&page(&server, "?q=H13"));
    browser.until(READY);
    assert_eq!(browser.value("document.querySelector('.side .saved a[aria-current]')"), serde_json::Value::Null);
    // In its place.
    browser.value(&format!("document.querySelector('.save [name=name]').value = 'Others', document.querySelector('.save [name=replace]').value = '{id}', document.querySelector('.save form').requestSubmit(), 0"));
    assert_eq!(led_to(&mut browser, "search="), format!("/events?search={id}"));
    assert_eq!(browser.value("document.querySelector('#ask [name=q]').value"), "H13");
    assert_eq!(
        browser.value("[...document.querySelectorAll('.side .saved .t')].map(t => t.innerText).join()"),
        "Others"
    );
    // Changed and removed on its own page; addresses of it land there.
    browser.go(&format!("http://{}/searches/{id}/edit", server.address));
    browser
        .value("document.querySelector('[name=q]').value = 'n=7', document.querySelector('.named').requestSubmit(), 0");
    led_to(&mut browser, "search=");
    assert_eq!(browser.value(&format!("{TEXTS}.length")), 1);
    let answer = server.get(&format!("/searches/{id}?centered_on_id=7"));
    assert!(
        answer.status == 302 && answer.head.contains(&format!("/events?search={id}&centered_on_id=7")),
        "{answer:?}"
    );
    browser.go(&format!("http://{}/searches/{id}/edit", server.address));
    browser.until("document.querySelector('form[action$=delete]') !== null");
    browser.value("document.querySelector('form[action$=delete]').requestSubmit(), 0");
    browser.until(&format!("location.pathname === '/events' && {READY}"));
    assert_eq!(browser.value("document.querySelectorAll('.side .saved').length"), 0);
    is_quiet(&mut browser);
    // Nothing is changed for a page of another server, whatever the browser would send.
    for headers in [
        &[("Origin", "https://evil.example")][..],
        &[("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")],
        &[("Sec-Fetch-Site", "same-site")],
    ] {
        let answer = form(&server, "/searches", headers, "name=evil&q=x");
        assert_eq!(answer.status, 403, "{headers:?}: {answer:?}");
    }
    assert_eq!(form(&server, "/searches", &[], "name=&q=x").status, 400);
    assert_eq!(form(&server, "/searches", &[], &format!("name=a&q={}", "a".repeat(9_000))).status, 400);
    assert_eq!(form(&server, "/searches", &[], &format!("name=a&q={}", "a".repeat(90_000))).status, 400);
    assert_eq!(form(&server, "/searches/1234/delete", &[], "").status, 404);
    assert!(!server.get("/events").body.contains("evil"));
    assert_eq!(server.stop().0, Some(0));
}

/// Text that would act if it became anything but text.
const HOSTILE: &str = "<img/src=x/onerror=window.ran=1>\"onfocus=window.ran=1'<script>window.ran=1</script>";

#[test]
fn hostile_text_in_every_field_runs_nothing() {
    let Some((dir, server, mut browser)) = start("viewer-hostile") else { return };
    let escaped: String = HOSTILE.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for n in 0..3 {
        let message = format!("{HOSTILE}={HOSTILE} k=\"{HOSTILE}\" \u{202e}x\u{1b}[31m{{\"{HOSTILE}\":1}} {n}");
        send(
            &server,
            "shop",
            &format!("h{n}"),
            &[
                (3, &format!("{} web.1", HOSTILE.replace(' ', "")), &message),
                (6, "app web.1", &format!("{{\"a\":\"{}\"}}", HOSTILE.replace('"', "\\\""))),
            ],
        );
        let line = format!("<190>1 {} host app web.1 - of a hostile system {n}\n", time_of(now_micros()));
        let body = format!("{} {line}", line.len());
        let headers = [("Logplex-Drain-Token", "d.hostile")];
        let answer =
            request(server.address, "POST", &format!("/logs?app={escaped}"), &headers, body.as_bytes()).unwrap();
        assert!(matches!(answer.status, 204 | 400), "{answer:?}");
    }
    settle(&server, "web.1");
    assert_eq!(form(&server, "/searches", &[], &format!("name={escaped}&q={escaped}")).status, 303);
    assert_eq!(form(&server, "/searches", &[], &format!("name=two+{escaped}&q=web")).status, 303);
    let newest = server.get("/events").body;
    let id = newest.split("id=\"e").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let addresses = [
        String::new(),
        format!("?q={escaped}"),
        format!(
            "?q=%22{escaped}+OR+(&tz={escaped}&time={escaped}&from={escaped}&range={escaped}&wrap={escaped}&in={escaped}"
        ),
        format!("?system={escaped}"),
        format!("?q=web&centered_on_id={id}"),
        format!("?r={id}-{id}&q=web"),
        format!("?search=1000&{escaped}={escaped}"),
    ];
    for address in &addresses {
        browser.go(&page(&server, address));
        browser.until(READY);
        key(&mut browser, "j");
        key(&mut browser, "Enter");
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert_eq!(browser.value("typeof window.ran"), "undefined", "{address}");
        let made = "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => /^on|^src$/.test(a.name)) && e.tagName !== 'SCRIPT').length";
        assert_eq!(browser.value(made), 0, "{address}");
        assert_eq!(browser.value("document.querySelectorAll('script').length"), 1, "{address}");
        assert_eq!(browser.value("[...document.links].filter(a => a.origin !== location.origin).length"), 0);
    }
    // Values, a menu, a choice and marked words, of the line itself.
    browser.value("document.querySelectorAll('.l').forEach(l => l.querySelector('.act').click()), 0");
    browser.go(&format!("http://{}/searches/1000/edit", server.address));
    assert_eq!(browser.value("typeof window.ran + document.querySelectorAll('img').length"), "undefined0");
    assert_eq!(browser.value("document.querySelector('[name=name]').value"), HOSTILE);
    browser.picture(&dir.join("edit.png"));
    // The policy was never asked: nothing tried to run.
    is_quiet(&mut browser);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn deliveries_of_old_links_land_where_they_should() {
    let dir = scratch("viewer-links");
    let server = Server::start(&dir, &[]);
    wait_until("the store", || (server.get("/events").status == 200).then_some(()));
    some(&server);
    let newest = server.get("/events?q=H12").body;
    let id = newest.split("id=\"e").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let seconds = id.parse::<u64>().unwrap() >> 20;
    for address in [
        format!("/events?centered_on_id={id}"),
        format!("/events?focus={id}"),
        format!("/events?selected={id}-{id}"),
        format!("/events?r={id}-{id}"),
        format!("/systems/shop/events?centered_on_id={id}"),
        format!("/groups/1/events?q=program%3Aheroku&centered_on_id={id}"),
    ] {
        let answer = server.get(&address);
        let page = match answer.head.lines().find_map(|line| line.strip_prefix("location: ")) {
            Some(to) => server.get(to).body,
            None => answer.body,
        };
        let here = page.split("<div class=\"l ").find(|line| line.contains(&format!("id=\"e{id}\""))).unwrap();
        assert!(here.split('"').next().unwrap().contains("here"), "{address}: {here}");
    }
    for address in [format!("/events?focus={}", seconds / 1_000), format!("/events?time={}", seconds / 1_000)] {
        let page = server.get(&address).body;
        assert!(page.contains(&format!("id=\"e{id}\"")) && page.contains("from-top"), "{address}");
    }
    for (address, status) in [
        ("/systems/nobody/events", 302),
        ("/searches/1234", 302),
        ("/searches/1234/edit", 404),
        ("/events/text?r=x", 400),
        ("/events/line?id=7", 404),
        ("/events/context?of=program&id=7", 404),
        ("/events/context?of=program", 400),
    ] {
        assert_eq!(server.get(address).status, status, "{address}");
    }
    assert_eq!(server.get("/events?search=1234").status, 404);
    // Programs read the same lines.
    let lines = server.get("/events/lines?q=H12").body;
    assert_eq!(lines.lines().count(), 5, "{lines}");
    let counts: serde_json::Value = serde_json::from_str(&server.get("/events/counts?range=10m&q=H12").body).unwrap();
    assert_eq!((&counts["total"], &counts["partial"]), (&4.into(), &false.into()));
    let newer: serde_json::Value = serde_json::from_str(&server.get("/events/counts?min_id=0&q=blog").body).unwrap();
    assert_eq!(newer["lines"], 40);
    assert_eq!(server.stop().0, Some(0));
}
