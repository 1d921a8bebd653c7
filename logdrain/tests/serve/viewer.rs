//! What people do with lines on the page at `/events`, in a real browser. See [`lines_page`](crate::lines_page) for how it is
//! run.

use crate::browser::Browser;
use crate::harness::{Answer, PATIENCE, Server, now_micros, request, scratch, time_of, wait_until};
use std::path::PathBuf;
use std::time::Instant;

/// Sends lines of one app: severity, APP-NAME and PROCID, message.
pub(crate) fn send(server: &Server, app: &str, id: &str, lines: &[(u8, &str, &str)]) {
    let mut body = Vec::new();
    for (severity, program, message) in lines {
        let line = format!("<{}>1 {} host {program} - {message}\n", 184 + severity, time_of(now_micros()));
        body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    let headers = [("Logplex-Drain-Token", format!("d.{app}")), ("Logplex-Frame-Id", format!("{app}-{id}"))];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = request(server.address, "POST", &format!("/logs?app={app}"), &headers, &body).unwrap();
    assert_eq!(answer.status, 204, "{answer:?}");
}

const ROUTER: &str =
    "at=info method=GET path=\"/a\" host=shop.example.com request_id=8d2c41f0-47f6 dyno=web.2 status=200";
const FAILED: &str =
    "at=error code=H12 desc=\"Request timeout\" method=GET path=\"/b\" request_id=5be1c7d2-9a0e dyno=web.2 status=503";

/// Two apps, in turn; each line says its number.
pub(crate) fn some(server: &Server) {
    for n in 0..40 {
        let said = format!("{} n={n}", if n % 10 == 7 { FAILED } else { ROUTER });
        send(
            server,
            "shop",
            &n.to_string(),
            &[(6, "heroku router", &said), (6, "app web.2", &format!("rendered  {n} in \u{1b}[33m5ms\u{1b}[0m"))],
        );
        send(server, "blog", &n.to_string(), &[(6, "app web.1", &format!("blog {n}"))]);
    }
    settle(server, "blog 39");
}

pub(crate) fn settle(server: &Server, text: &str) {
    wait_until("a line", || server.get("/events").body.contains(text).then_some(()));
}

pub(crate) fn start(name: &str) -> Option<(PathBuf, Server, Browser)> {
    let dir = scratch(name);
    let mut browser = Browser::start(&dir)?;
    let server = Server::start(&dir, &[]);
    wait_until("the store", || (server.get("/events").status == 200).then_some(()));
    browser.look(1400, 900, "light");
    Some((dir, server, browser))
}

pub(crate) fn page(server: &Server, query: &str) -> String {
    format!("http://{}/events{query}", server.address)
}

/// The page's script has begun, and knows of what is on the page.
pub(crate) const READY: &str = "document.querySelector('.log.js') && document.querySelector('button.live') !== null";
pub(crate) const TEXTS: &str = "[...document.querySelectorAll('.l .m')].map(m => m.textContent)";

pub(crate) fn key(browser: &mut Browser, key: &str) {
    browser.value(&format!("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{ key: {key:?}, bubbles: true, cancelable: true }})), 0"));
}

/// Where the browser went after a step.
pub(crate) fn led_to(browser: &mut Browser, part: &str) -> String {
    browser.until(&format!("location.href.includes({part:?}) && {READY}"));
    browser.value("location.pathname + location.search").as_str().unwrap().to_owned()
}

pub(crate) fn is_quiet(browser: &mut Browser) {
    assert_eq!(browser.listen(), [""; 0]);
}

#[test]
fn one_searches_and_is_told_how_it_was_read() {
    let Some((dir, server, mut browser)) = start("viewer-search") else { return };
    some(&server);
    browser.go(&page(&server, ""));
    browser.until(READY);
    key(&mut browser, "/");
    assert_eq!(browser.value("document.activeElement.name"), "q");
    browser.value("document.activeElement.value = 'H12 -\"n=17\"', document.querySelector('#ask').requestSubmit(), 0");
    assert_eq!(led_to(&mut browser, "q="), "/events?q=H12+-%22n%3D17%22");
    assert_eq!(browser.value(&format!("{TEXTS}.length")), 3);
    assert_eq!(browser.value("[...document.querySelectorAll('.mk')].every(m => m.textContent === 'H12')"), true);
    assert_eq!(browser.value("document.querySelectorAll('.l.err > i').length"), 3, "they are marked as errors");
    // What is wrong is said, and at which character; what could be read was searched for.
    browser.go(&page(&server, "?q=%C3%A9+OR+(H12+AND"));
    browser.until(READY);
    let notes = browser.value("document.querySelector('.words').innerText");
    let notes = notes.as_str().unwrap();
    assert!(
        notes.contains("bracket at character 6 closed at the end") && notes.contains("operator at character"),
        "{notes}"
    );
    assert_eq!(browser.value(&format!("{TEXTS}.length")), 4);
    browser.picture(&dir.join("wrong-query.png"));
    // Nothing at all: what was looked at, and the way on.
    browser.go(&page(&server, "?q=nothing+like+this"));
    browser.until("document.querySelector('.quiet')?.innerText.includes('No line matches')");
    browser.value("document.querySelector('.quiet a').click()");
    led_to(&mut browser, "/events");
    // Choosing a system is enough.
    browser.value("(s => { s.value = [...s.options].find(o => o.text.startsWith('blog')).value; s.dispatchEvent(new Event('change')) })(document.querySelector('.grp'))");
    led_to(&mut browser, "in=s");
    assert_eq!(browser.value("[...document.querySelectorAll('.l .sy')].every(s => s.textContent === 'blog')"), true);
    assert_eq!(
        browser.value(
            "document.querySelector('.side a[aria-current][title*=sending]').innerText.trim().startsWith('blog')"
        ),
        true
    );
    is_quiet(&mut browser);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn one_seeks_a_time_in_words_and_in_his_zone() {
    let Some((_, server, mut browser)) = start("viewer-seek") else { return };
    some(&server);
    browser.go(&page(&server, ""));
    browser.until(READY);
    key(&mut browser, "t");
    browser.value("document.activeElement.value = '3 hours ago', document.querySelector('#ask').requestSubmit(), 0");
    led_to(&mut browser, "time=3+hours+ago");
    assert_eq!(browser.value(&format!("{TEXTS}[0].includes('n=0')")), true);
    browser.until("document.querySelector('.live')?.textContent === 'Paused'");
    browser.go(&page(&server, "?time=noonish"));
    browser.until("document.querySelector('.words')?.innerText.includes('`noonish` is not understood as a time')");
    // Each time is told in the zone of the address, on the page and by what follows.
    let hour = "document.querySelector('.l .ts').textContent.slice(0, 2)";
    browser.go(&page(&server, "?min_id=0"));
    browser.until(READY);
    let utc: i64 = browser.value(hour).as_str().unwrap().parse().unwrap();
    browser.go(&page(&server, "?min_id=0&tz=%2B05:00"));
    browser.until(READY);
    let there: i64 = browser.value(hour).as_str().unwrap().parse().unwrap();
    assert_eq!((there - utc).rem_euclid(24), 5);
    browser.until("document.querySelector('.live')?.textContent !== ''");
    send(&server, "shop", "zone", &[(6, "app web.2", "told later")]);
    browser.until(&format!("{TEXTS}.at(-1) === 'told later'"));
    let last = "[...document.querySelectorAll('.l .ts')].at(-1).textContent.slice(0, 2)";
    let later: i64 = browser.value(last).as_str().unwrap().parse().unwrap();
    assert!((later - there).rem_euclid(24) <= 1, "{later} {there}");
    // The oldest, by a key; older ones come by themselves.
    browser.go(&page(&server, ""));
    browser.until(READY);
    key(&mut browser, "g");
    led_to(&mut browser, "min_id=0");
    browser.until("document.querySelector('.edge.above')?.textContent === 'This is the oldest line that is kept.'");
    is_quiet(&mut browser);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn older_lines_come_above_and_nothing_that_is_read_moves() {
    let Some((_, server, mut browser)) = start("viewer-older") else { return };
    for part in 0..10 {
        let lines: Vec<String> =
            (0..150).map(|n| format!("line {} {}", part * 150 + n, "word ".repeat(n % 40))).collect();
        let lines: Vec<_> = lines.iter().map(|line| (6, "app web.1", line.as_str())).collect();
        send(&server, "shop", &part.to_string(), &lines);
    }
    settle(&server, "line 1499 ");
    browser.go(&page(&server, ""));
    browser.until(READY);
    browser.until("document.querySelector('.live')?.textContent === 'Live'");
    browser.value("window.moved = 0, window.read = null, 0");
    // Up, step by step: what is in sight moves by the step alone, while lines come above it and below.
    let step = "(log => { const top = log.getBoundingClientRect().top, seen = [...document.querySelectorAll('.l')].find(l => l.getBoundingClientRect().top > top + 200); \
                 window.read = seen.id; window.at = seen.getBoundingClientRect().top; return true })(document.querySelector('.log'))";
    for round in 0..8 {
        browser.value("document.querySelector('.log').scrollTop -= 900");
        browser.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))), 0");
        std::thread::sleep(std::time::Duration::from_millis(300));
        browser.value(step);
        send(&server, "shop", &format!("new-{round}"), &[(6, "app web.1", "a new line")]);
        browser.value("document.querySelector('.log').dispatchEvent(new Event('scroll')), 0");
        std::thread::sleep(std::time::Duration::from_millis(700));
        let moved =
            browser.value("Math.abs(document.getElementById(window.read).getBoundingClientRect().top - window.at)");
        assert!(moved.as_f64().unwrap() < 0.5, "it moved by {moved}");
    }
    browser.until("document.querySelector('.log').scrollTop = 0, document.querySelector('.edge.above')?.textContent === 'This is the oldest line that is kept.'");
    browser.until(&format!("{TEXTS}[0].startsWith('line 0 ')"));
    is_quiet(&mut browser);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn one_looks_at_what_stands_around_a_line_and_at_its_values() {
    let Some((dir, server, mut browser)) = start("viewer-context") else { return };
    some(&server);
    browser.go(&page(&server, "?q=n%3D17"));
    browser.until(READY);
    let id = browser.value("document.querySelector('.l').id.slice(1)").as_str().unwrap().to_owned();
    browser.value("document.querySelector('.l .pg').click()");
    let at = led_to(&mut browser, "centered_on_id");
    assert_eq!(at, format!("/events?q=program%3Aheroku%2Frouter&system=shop&centered_on_id={id}"));
    assert_eq!(browser.value("document.querySelector('.l.here').id"), format!("e{id}"));
    assert_eq!(browser.value(&format!("{TEXTS}.length")), 40);
    // The query is kept where somebody says so.
    browser.go(&page(&server, "?q=n%3D17"));
    browser.until(READY);
    browser.value("document.querySelector('.l .sy').dispatchEvent(new MouseEvent('click', { altKey: true, bubbles: true, cancelable: true }))");
    assert_eq!(led_to(&mut browser, "centered_on_id"), format!("/events?q=n%3D17&system=shop&centered_on_id={id}"));
    // Values: of the line that the address names, and of any other by a key.
    browser.until("document.querySelector('.det') !== null");
    browser.picture(&dir.join("values.png"));
    let value = |name: &str| {
        format!(
            "[...document.querySelectorAll('.det dl div')].find(d => d.querySelector('dt').textContent === {name:?})"
        )
    };
    assert_eq!(browser.value(&format!("{}.querySelector('dd').textContent", value("desc"))), "Request timeout");
    browser.value(&format!("{}.querySelector('.pm a').click()", value("code")));
    let at = led_to(&mut browser, "code%3DH12");
    assert_eq!(at, format!("/events?q=n%3D17+code%3DH12&system=shop&centered_on_id={id}"));
    browser.go(&page(&server, "?q=H12"));
    browser.until(READY);
    key(&mut browser, "n");
    key(&mut browser, "Enter");
    browser.until("document.querySelector('.det') !== null");
    browser.value(&format!("{}.querySelectorAll('.pm a')[1].click()", value("n")));
    let at = led_to(&mut browser, "-n%3D");
    assert!(at.starts_with("/events?q=H12+-n%3D"), "{at}");
    // Words that somebody marks.
    browser.go(&page(&server, ""));
    browser.until(READY);
    // What is marked goes when its block is drawn again, as it may be just after the page has come.
    browser.until("(m => { const r = document.createRange(); r.selectNodeContents(m); getSelection().removeAllRanges(); getSelection().addRange(r); m.dispatchEvent(new Event('pointerup', { bubbles: true })) })([...document.querySelectorAll('.l .m')].find(m => m.textContent === 'blog 39')), !document.querySelector('.find').hidden");
    browser.value("[...document.querySelectorAll('.find a')].at(-1).click()");
    led_to(&mut browser, "-%22blog");
    assert_eq!(browser.value(&format!("{TEXTS}.some(text => text === 'blog 39')")), false);
    is_quiet(&mut browser);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn chosen_lines_are_a_link_and_are_copied_as_they_came() {
    let Some((dir, server, mut browser)) = start("viewer-choose") else { return };
    some(&server);
    browser.go(&page(&server, "?q=rendered"));
    browser.until(READY);
    let click = |browser: &mut Browser, index: i32| {
        browser.value(&format!("[...document.querySelectorAll('.l')].at({index}).querySelector('.m').dispatchEvent(new MouseEvent('click', {{ shiftKey: true, bubbles: true, cancelable: true }}))"));
    };
    click(&mut browser, -5);
    click(&mut browser, -3);
    assert_eq!(browser.value("document.querySelectorAll('.l.sel').length"), 3);
    browser.picture(&dir.join("chosen.png"));
    let address = browser.value("location.href").as_str().unwrap().to_owned();
    assert!(address.contains("r=") && address.contains("q=rendered"), "{address}");
    browser.value("navigator.clipboard.writeText = text => { window.copied = text; return Promise.resolve() }, 0");
    key(&mut browser, "Y");
    browser.until("!!window.copied");
    let copied = browser.value("window.copied").as_str().unwrap().to_owned();
    let lines: Vec<&str> = copied.lines().collect();
    assert_eq!(lines.len(), 3, "{copied}");
    assert!(lines[0].ends_with(" shop app/web.2: rendered  35 in \u{1b}[33m5ms\u{1b}[0m"), "{copied:?}");
    browser.value("window.copied = '', document.querySelector('.chosen .json').click()");
    browser.until("window.copied.includes('\"program\":\"app/web.2\"')");
    assert_eq!(browser.value("window.copied.trim().split('\\n').map(JSON.parse).length"), 3);
    // Somebody else opens the link.
    browser.go(&address);
    browser.until(READY);
    assert_eq!(
        browser.value("[...document.querySelectorAll('.l.sel .m')].map(m => m.textContent).join()"),
        "rendered  35 in 5ms,rendered  36 in 5ms,rendered  37 in 5ms"
    );
    key(&mut browser, "Escape");
    browser.until("document.querySelectorAll('.l.sel').length === 0 && !location.href.includes('r=')");
    // By keys.
    key(&mut browser, "k");
    key(&mut browser, "x");
    key(&mut browser, "k");
    assert_eq!(browser.value("document.querySelectorAll('.l.sel').length"), 2);
    // What the browser itself copies of two lines are two lines, with their time and their blanks.
    let own = browser.value("(([a, b]) => { const r = document.createRange(); r.setStartBefore(a); r.setEndAfter(b); getSelection().removeAllRanges(); getSelection().addRange(r); return getSelection().toString() })([...document.querySelectorAll('.l')].slice(0, 2))");
    let own: Vec<&str> = own.as_str().unwrap().trim_end().lines().collect();
    assert_eq!(own.len(), 2, "{own:?}");
    assert!(own[0].contains(" shop app/web.2 rendered  0 in 5ms") && own[0].as_bytes()[2] == b':', "{own:?}");
    is_quiet(&mut browser);
    assert_eq!(server.stop().0, Some(0));
}

/// Sends a form; without headers as a page of ours does.
pub(crate) fn form(server: &Server, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    let own = [("Sec-Fetch-Site", "same-origin")];
    let headers = if headers.is_empty() { &own[..] } else { headers };
    request(server.address, "POST", path, &[&kind, headers].concat(), body.as_bytes()).unwrap()
}

#[test]
fn counts_are_dragged_over_for_a_range_of_time() {
    let Some((dir, server, mut browser)) = start("viewer-range") else { return };
    some(&server);
    browser.go(&page(&server, ""));
    browser.until(READY);
    let said = browser.value("document.querySelector('.sum .said').innerText");
    assert!(said.as_str().unwrap().starts_with("120 lines, "), "{said}");
    assert_eq!(browser.value("document.querySelector('.sum .failed').innerText"), "4 errors");
    assert_eq!(browser.value("document.querySelectorAll('.bar.c5').length > 0"), true);
    // Each bar says what it is, and goes on to when the page has counted again.
    let said = "(svg => svg.getAttribute('role') === 'group' && [...svg.querySelectorAll('a')].every(a => /^\\d\\d:\\d\\d: \\d/.test(a.querySelector('title')?.textContent)))(document.querySelector('svg.bars'))";
    assert_eq!(browser.value(said), true);
    browser.value("document.querySelector('svg.bars').isFirst = true");
    browser.until("!document.querySelector('svg.bars').isFirst");
    assert_eq!(browser.value(said), true);
    let drag = "(svg => { const box = svg.getBoundingClientRect(), at = (type, share, on) => on.dispatchEvent(new PointerEvent(type, { clientX: box.left + share * box.width, clientY: box.top + 20, button: 0, bubbles: true })); \
                at('pointerdown', 0.9, svg); at('pointermove', 0.95, window); at('pointerup', 1, window) })(document.querySelector('svg.bars'))";
    // The last move counts where the button is let go.
    let drag = drag
        .replace("at('pointermove', 0.95, window)", "at('pointermove', 0.95, window); at('pointermove', 1, window)");
    browser.value(&drag);
    let at = led_to(&mut browser, "from=");
    assert!(at.contains("&to="), "{at}");
    assert_eq!(browser.value(&format!("{TEXTS}.length")), 120);
    assert_eq!(browser.value("document.querySelector('.words .info').innerText.startsWith('From ')"), true);
    browser.picture(&dir.join("range.png"));
    key(&mut browser, "[");
    browser.until(&format!("location.href !== {:?} && {READY}", format!("http://{}{at}", server.address)));
    assert_eq!(browser.value(&format!("{TEXTS}.length")), 0, "nothing came before");
    key(&mut browser, "]");
    browser.until(&format!("{TEXTS}.length === 120"));
    // The same in words, for programs that build links.
    browser.go(&page(&server, "?range=10m&q=blog"));
    browser.until(READY);
    assert_eq!(browser.value("document.querySelector('.sum .said b').innerText"), "40");
    is_quiet(&mut browser);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn keys_are_listed_and_can_be_switched_off() {
    let Some((dir, server, mut browser)) = start("viewer-keys") else { return };
    some(&server);
    browser.go(&page(&server, ""));
    browser.until(READY);
    key(&mut browser, "?");
    assert_eq!(browser.value("document.querySelector('#help').open"), true);
    browser.picture(&dir.join("help.png"));
    browser.value("document.querySelector('.single input').click(), document.querySelector('#help').close()");
    let wrapped = "document.querySelector('.log').classList.contains('nowrap')";
    key(&mut browser, "w");
    assert_eq!(browser.value(wrapped), false);
    browser.value("document.querySelector('.single input').click()");
    key(&mut browser, "w");
    assert_eq!(browser.value(wrapped), true);
    assert_eq!(browser.value("location.search"), "?wrap=0");
    browser.go(&page(&server, "?wrap=0"));
    browser.until(READY);
    assert_eq!(browser.value(wrapped), true);
    key(&mut browser, " ");
    browser.until("document.querySelector('.live')?.textContent === 'Paused'");
    key(&mut browser, "G");
    browser.until("document.querySelector('.live')?.textContent === 'Live'");
    key(&mut browser, "N");
    assert_eq!(browser.value("document.querySelector('.l.cur .m').textContent.includes('n=37')"), true);
    key(&mut browser, "N");
    assert_eq!(browser.value("document.querySelector('.l.cur .m').textContent.includes('n=27')"), true);
    browser.value("document.querySelector('.l.cur .act').click()");
    browser.picture(&dir.join("menu.png"));
    assert_eq!(browser.value("document.querySelectorAll('[role=menuitem]').length"), 6);
    is_quiet(&mut browser);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn two_hundred_thousand_lines_stay_light() {
    let Some((_, server, mut browser)) = start("viewer-many") else { return };
    some(&server);
    browser.go(&page(&server, ""));
    browser.until(READY);
    browser.value("import(document.querySelector('script[src*=events]').src).then(all => { window.viewer = all }), 0");
    browser.until("!!window.viewer");
    // Real lines, as the server says them, again and again under ids of their own.
    browser.value("fetch('/events/lines?').then(a => a.text()).then(text => { window.real = text.split('\\n').slice(1, -1); window.next = 8000000000000000000n; window.more = count => { const rows = []; for (let n = 0; n < count; n++) { const row = window.real[n % window.real.length]; rows.push(row.replace(/\"id\":\"\\d+\"/, `\"id\":\"${window.next += 256n}\"`)) } window.viewer.append(rows) } }), 0");
    browser.until("!!window.more");
    let scroll = "new Promise(done => { const log = document.querySelector('.log'), times = []; log.scrollTop = log.scrollHeight / 2; let left = 60; \
         const step = () => { const began = performance.now(); log.scrollTop += left % 20 < 10 ? 900 : -900; log.getBoundingClientRect(); requestAnimationFrame(() => { times.push(performance.now() - began); if (--left) step(); else done(times.slice(10).reduce((a, b) => a + b) / (times.length - 10)) }) }; step() }).then(mean => { window.mean = mean })";
    let mean = |browser: &mut Browser| {
        browser.value(&format!("window.mean = 0, {scroll}, 0"));
        browser.until("window.mean > 0");
        browser.value("window.mean").as_f64().unwrap()
    };
    browser.value("window.more(900), 0");
    let few = mean(&mut browser);
    let began = Instant::now();
    for _ in 0..200 {
        browser.value("window.more(1000), 0");
    }
    let took = began.elapsed();
    browser.call("HeapProfiler.collectGarbage", serde_json::json!({}));
    let usage = browser.call("Runtime.getHeapUsage", serde_json::json!({}));
    let heap = usage["usedSize"].as_f64().unwrap() / f64::from(1 << 20);
    let many = mean(&mut browser);
    let stats = browser.value("(s => [s.total, s.elements])(window.viewer.stats())");
    println!(
        "200,000 lines: {took:?} to add, {stats} lines and elements, heap {heap:.0} MB, a scroll step {many:.1} ms, of 1,000 lines {few:.1} ms"
    );
    assert!(stats[0].as_u64().unwrap() >= 200_000, "{stats}");
    assert!(stats[1].as_u64().unwrap() <= 15_000, "{stats}");
    assert!(heap <= 250.0, "{heap} MB");
    assert!(many <= 2.0 * few.max(8.0), "{many} ms, and {few} ms of 1,000 lines");
    assert!(took < PATIENCE);
    // And the line that is read stays where it is while more come.
    browser.value("(seen => { window.read = seen.id; window.at = seen.getBoundingClientRect().top })([...document.querySelectorAll('.l')].find(l => l.getBoundingClientRect().top > 300)), 0");
    browser.value("window.more(500), 0");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(browser.value("document.getElementById(window.read).getBoundingClientRect().top - window.at"), 0);
    is_quiet(&mut browser);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn the_viewer_looks_right_in_the_dark_and_on_a_phone() {
    let Some((dir, server, mut browser)) = start("viewer-looks") else { return };
    some(&server);
    for body in ["name=Checkout+timeouts&q=H12", "name=Slow+requests&q=service"] {
        let answer = form(&server, "/searches", &[], body);
        assert_eq!(answer.status, 303, "{answer:?}");
    }
    let newest = server.get("/events?q=H12").body;
    let id = newest.split("id=\"e").nth(2).unwrap().split('"').next().unwrap().to_owned();
    let around = format!("?q=timeout+OR+web.2&centered_on_id={id}");
    for (name, query) in
        [("newest", ""), ("search", "?search=1000"), ("line", around.as_str()), ("none", "?q=nothing+(")]
    {
        for (width, height) in [(1400, 900), (390, 844)] {
            for scheme in ["light", "dark"] {
                browser.look(width, height, scheme);
                browser.go(&page(&server, query));
                browser.until(READY);
                let wide = "document.documentElement.scrollWidth <= innerWidth && document.querySelector('.log').scrollWidth <= document.querySelector('.log').clientWidth";
                assert_eq!(browser.value(wide), true, "{name} is wider than {width}");
                browser.picture(&dir.join(format!("{name}-{width}-{scheme}.png")));
            }
        }
    }
    // On a phone the list of groups and systems is below, and all that is there can be reached.
    assert_eq!(browser.value("getComputedStyle(document.querySelector('.side')).display"), "none");
    assert_eq!(browser.value("document.querySelector('.grp').getBoundingClientRect().width > 100"), true);
    is_quiet(&mut browser);
    assert_eq!(server.stop().0, Some(0));
}
