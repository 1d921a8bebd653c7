//! Dashboards in a real browser, as people use them: an app is chosen, a dashboard is made and changed by the keyboard alone,
//! and what names say is text.

use crate::browser::Browser;
use crate::dashboards::lines;
use crate::harness::{Server, request, scratch, wait_until};
use serde_json::json;
use std::path::Path;

fn send(server: &Server, app: &str, requests: usize) {
    let headers = [("Content-Type", "application/logplex-1"), ("Logplex-Drain-Token", app), ("Logplex-Frame-Id", app)];
    let sent = request(server.address, "POST", &format!("/logs?app={app}"), &headers, &lines(requests));
    assert_eq!(sent.unwrap().status, 204);
}

fn start(dir: &Path) -> Option<(Browser, Server)> {
    let browser = Browser::start(dir)?;
    let server = Server::start(dir, &[]);
    send(&server, "shop", 6);
    send(&server, "blog", 4);
    wait_until("both apps", || {
        let csv = server.get("/charts/status/by-service.csv?range=30m").body;
        (csv.contains("shop") && csv.contains("blog")).then_some(())
    });
    Some((browser, server))
}

/// Puts the focus on what a selector finds, as the tabulator would.
fn focus(browser: &mut Browser, selector: &str) {
    browser.until(&format!("!!document.querySelector({selector:?})"));
    browser.value(&format!("document.querySelector({selector:?}).focus()"));
}

/// Presses a key where the focus is.
fn press(browser: &mut Browser, key: &str) {
    let (code, text) = match key {
        "Enter" => (13, "\r"),
        "ArrowDown" => (40, ""),
        key => panic!("{key}"),
    };
    for kind in ["keyDown", "keyUp"] {
        let mut event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
        if kind == "keyDown" && !text.is_empty() {
            event["text"] = text.into();
        }
        browser.call("Input.dispatchKeyEvent", event);
    }
}

/// Types where the focus is.
fn write(browser: &mut Browser, text: &str) {
    browser.call("Input.insertText", json!({"text": text}));
}

#[test]
fn an_app_is_chosen_by_the_keyboard_and_the_charts_are_its_own() {
    let dir = scratch("dashboards-page");
    let Some((mut browser, server)) = start(&dir) else { return };
    browser.go(&format!("http://{}/dashboards/status?range=30m", server.address));
    let names = "[...document.querySelectorAll('#by-service .legend span')].map(e => e.textContent).join(' ')";
    assert_eq!(browser.value(names), "blog shop");
    focus(&mut browser, "select[name=app_name]");
    press(&mut browser, "ArrowDown");
    press(&mut browser, "ArrowDown");
    focus(&mut browser, "header form[role=search] button");
    press(&mut browser, "Enter");
    browser.until("location.search.includes('app_name=shop')");
    assert_eq!(browser.value(names), "shop");
    assert_eq!(browser.value("document.querySelector('select[name=app_name]').value"), "shop");
    // It stays chosen on the way to another dashboard.
    focus(&mut browser, ".tabs a[href*='/dashboards/errors']");
    press(&mut browser, "Enter");
    browser.until("location.pathname === '/dashboards/errors' && location.search.includes('app_name=shop')");
    assert!(browser.value("document.querySelector('main').textContent").as_str().unwrap().contains("H12"));
    for (width, scheme) in [(1_400, "light"), (390, "dark")] {
        browser.look(width, 1_200, scheme);
        for name in ["overview", "errors", "status", "postgres", "dynos"] {
            browser.go(&format!("http://{}/dashboards/{name}?range=30m", server.address));
            assert_eq!(browser.value("document.documentElement.scrollWidth <= innerWidth"), true, "{name} at {width}");
            browser.picture(&dir.join(format!("{name}-{width}-{scheme}.png")));
        }
    }
    assert_ne!(browser.value("document.title"), "owned");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_dashboard_is_made_and_changed_by_the_keyboard_alone() {
    const HOSTILE: &str = "<img src=x onerror=\"document.title='owned'\">";
    let dir = scratch("dashboards-keys");
    let Some((mut browser, server)) = start(&dir) else { return };
    browser.look(1_400, 1_200, "light");
    browser.go(&format!("http://{}/dashboards/overview", server.address));
    focus(&mut browser, ".tabs a[href='/dashboards/new']");
    press(&mut browser, "Enter");
    browser.until("location.pathname === '/dashboards/new'");
    // The first field has the focus.
    browser.until("document.activeElement.name === 'title'");
    write(&mut browser, &format!("Checkout {HOSTILE}"));
    press(&mut browser, "Enter");
    browser.until("location.pathname.endsWith('/edit')");
    assert_eq!(browser.value("document.querySelector('[name=title]').value"), format!("Checkout {HOSTILE}"));
    for (title, metric) in [("Requests", "heroku.router.http.requests"), (HOSTILE, "heroku.router.bytes")] {
        focus(&mut browser, "a.primary[href$='/charts/new']");
        press(&mut browser, "Enter");
        browser.until("location.pathname.endsWith('/charts/new')");
        browser.until("document.activeElement.name === 'title'");
        write(&mut browser, title);
        focus(&mut browser, "[name=s0_metric]");
        write(&mut browser, metric);
        focus(&mut browser, "[name=s0_function]");
        press(&mut browser, "ArrowDown");
        assert_eq!(browser.value("document.activeElement.value"), "sum");
        focus(&mut browser, "button[value=save]");
        press(&mut browser, "Enter");
        browser.until("location.pathname.endsWith('/edit')");
    }
    let order = "[...document.querySelectorAll('ol.charts b')].map(e => e.textContent).join('|')";
    assert_eq!(browser.value(order), format!("Requests|{HOSTILE}"));
    focus(&mut browser, "ol.charts li:last-child button[value^='up:']");
    let order_now = format!("{order} !== {:?}", format!("Requests|{HOSTILE}"));
    press(&mut browser, "Enter");
    browser.until(&order_now);
    assert_eq!(browser.value(order), format!("{HOSTILE}|Requests"));
    browser.go(&format!("http://{}/dashboards/1?range=30m", server.address));
    assert_eq!(browser.value("document.querySelectorAll('main img, main script').length"), 0);
    assert_eq!(browser.value("document.querySelector('h1').textContent"), format!("Checkout {HOSTILE}"));
    assert_eq!(browser.value("document.querySelectorAll('figure.chart svg.plot').length"), 2);
    assert_ne!(browser.value("document.title"), "owned");
    assert_eq!(server.stop().0, Some(0));
}
