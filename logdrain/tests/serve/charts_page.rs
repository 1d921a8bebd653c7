//! Charts in a browser: pointed at, told by keys, zoomed by dragging, and the way from them to their lines.

use crate::browser::Browser;
use crate::dashboards::lines;
use crate::harness::{Server, request, scratch, wait_until};
use serde_json::json;

/// A chart in sight, and its step that has something.
struct Chart {
    left: f64,
    middle: f64,
    width: f64,
    at: f64,
    steps: f64,
}

impl Chart {
    /// The errors of a page that is there, as `figure` and `plot` of its scripts.
    fn of(browser: &mut Browser) -> Self {
        browser.until(
            "window.figure = [...document.querySelectorAll('figure.chart[data-lines]')]\
             .find(figure => figure.querySelector('path.br[data-v]')), !!window.figure",
        );
        browser.value("window.plot = figure.querySelector('svg.plot'), figure.scrollIntoView({block: 'center'})");
        let found = browser.value(
            "((box, values) => [box.left, box.top + box.height / 2, box.width, values.findIndex(value => value > 0), values.length])\
             (plot.getBoundingClientRect(), figure.querySelector('path[data-v]').dataset.v.split(' ').map(Number))",
        );
        let [left, middle, width, at, steps]: [f64; 5] = serde_json::from_value(found).unwrap();
        assert!(at > 4.0, "{at} of {steps}");
        Self { left, middle, width, at, steps }
    }

    /// Moves the pointer to a step, and does with its button what `kind` says; Shift is 8.
    fn mouse(&self, browser: &mut Browser, kind: &str, step: f64, modifiers: u32) {
        let x = self.left + self.width * (step + 0.5) / self.steps;
        let button = if kind == "mouseMoved" && modifiers == 0 { "none" } else { "left" };
        let place =
            json!({"type": kind, "x": x, "y": self.middle, "button": button, "clickCount": 1, "modifiers": modifiers});
        browser.call("Input.dispatchMouseEvent", place);
    }

    fn drag(&self, browser: &mut Browser, modifiers: u32) {
        self.mouse(browser, "mouseMoved", self.at - 4.0, 0);
        self.mouse(browser, "mousePressed", self.at - 4.0, modifiers);
        self.mouse(browser, "mouseMoved", self.at, modifiers);
        self.mouse(browser, "mouseReleased", self.at, modifiers);
    }
}

#[test]
fn a_chart_is_pointed_at_and_leads_to_its_lines() {
    let dir = scratch("charts-page");
    let Some(mut browser) = Browser::start(&dir) else { return };
    let server = Server::start(&dir, &[]);
    let headers =
        [("Logplex-Drain-Token", "d.1"), ("Logplex-Frame-Id", "f1"), ("Content-Type", "application/logplex-1")];
    assert_eq!(request(server.address, "POST", "/logs", &headers, &lines(7)).unwrap().status, 204);
    wait_until("the error in a chart", || {
        server.get("/charts/errors/http-errors.csv?range=30m").body.contains("H12").then_some(())
    });
    browser.look(1400, 1000, "light");
    let page = format!("http://{}/dashboards/errors?range=30m", server.address);

    // A crosshair on every chart, a tip on the one that is pointed at.
    browser.go(&page);
    let chart = Chart::of(&mut browser);
    chart.mouse(&mut browser, "mouseMoved", chart.at, 0);
    browser.until("!figure.querySelector('.tip').hidden && figure.querySelector('.tip').innerText.includes('H12')");
    assert_eq!(browser.value("document.querySelectorAll('.tip:not([hidden])').length"), 1);
    assert!(browser.value("document.querySelectorAll('.cross.on').length").as_u64().unwrap() > 1);

    // A line is switched off, and on again.
    let button = "figure.querySelector('.legend button')";
    browser.value(&format!("{button}.click()"));
    assert_eq!(browser.value(&format!("{button}.getAttribute('aria-pressed')")), "false");
    assert_eq!(browser.value("getComputedStyle(figure.querySelector('path[data-k=\"0\"]')).display"), "none");
    browser.value(&format!("{button}.click()"));
    assert_eq!(browser.value("getComputedStyle(figure.querySelector('path[data-k=\"0\"]')).display"), "inline");

    // By keys, told to whoever does not see it.
    browser.value("plot.focus()");
    for kind in ["keyDown", "keyUp"] {
        let key = json!({"type": kind, "key": "Home", "code": "Home", "windowsVirtualKeyCode": 36});
        browser.call("Input.dispatchKeyEvent", key);
    }
    browser.until("figure.querySelector('.said').textContent !== ''");

    // What is dragged over is zoomed into.
    let from = format!("String(Number(figure.dataset.start) + {} * Number(figure.dataset.step))", chart.at - 4.0);
    let from = browser.value(&from);
    chart.drag(&mut browser, 0);
    browser.until("location.search.includes('from=')");
    let zoomed = browser.value("Object.fromEntries(new URLSearchParams(location.search))");
    assert_eq!(zoomed["from"], from, "{zoomed}");
    assert!(zoomed["range"].is_null() && browser.value("location.pathname") == "/dashboards/errors", "{zoomed}");

    // A click keeps the tip, with the way to the lines of this moment.
    browser.go(&page);
    let chart = Chart::of(&mut browser);
    for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
        chart.mouse(&mut browser, kind, chart.at, 0);
    }
    browser.until("figure.querySelector('.tip a') !== null");
    browser.value("figure.querySelector('.tip a').click()");
    browser.until("location.pathname === '/events' && !!document.body && document.body.innerText.includes('code=H12')");
    assert_eq!(browser.value("new URLSearchParams(location.search).has('time')"), true);

    // With Shift, the lines of the stretch that was dragged over.
    browser.go(&page);
    let chart = Chart::of(&mut browser);
    chart.drag(&mut browser, 8);
    browser.until("location.pathname === '/events' && !!document.body && document.body.innerText.includes('code=H12')");
    let asked = browser.value("Object.fromEntries(new URLSearchParams(location.search))");
    assert!(asked["from"].is_string() && asked["to"].is_string() && asked["q"].is_string(), "{asked}");
    drop(browser);
    assert_eq!(server.stop().0, Some(0));
}
