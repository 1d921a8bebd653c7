//! The page of kept lines in a real browser: what lines say is shown and nothing of it runs, and it follows the newest
//! without moving what somebody reads.
//!
//! `LOGDRAIN_BROWSER=chromium cargo test -p logdrain --test serve page::` (any Chromium); without it there is nothing to run.

use crate::browser::Browser;
use crate::harness::{Delivery, Server, now_micros, scratch, time_of, wait_until};
use std::path::{Path, PathBuf};

/// Sends lines: severity, APP-NAME and PROCID, message.
fn send(server: &Server, id: &str, lines: &[(u8, &str, &str)]) {
    let mut body = Vec::new();
    for (severity, program, message) in lines {
        let time = time_of(now_micros());
        let line = format!("<{}>1 {time} host {program} - {message}\n", 184 + severity);
        body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    let sent = Delivery { id: id.to_owned(), token: "d.page".to_owned(), body };
    assert_eq!(sent.send(server.address).unwrap(), 204);
}

fn numbered(server: &Server, from: usize, to: usize) {
    let messages: Vec<String> = (from..to).map(|n| format!("line {n} of many, as long as lines are")).collect();
    let lines: Vec<_> = messages.iter().map(|message| (6, "app web.1", message.as_str())).collect();
    for (part, lines) in lines.chunks(200).enumerate() {
        send(server, &format!("{from}-{part}"), lines);
    }
}

fn start(name: &str) -> Option<(PathBuf, Server, Browser)> {
    let dir = scratch(name);
    let browser = Browser::start(&dir)?;
    let server = Server::start(&dir, &[]);
    wait_until("the store", || (server.get("/events").status == 200).then_some(()));
    Some((dir, server, browser))
}

fn page(server: &Server, query: &str) -> String {
    format!("http://{}/events{query}", server.address)
}

/// Waits until the newest line that is there is on the page as it is without scripts.
fn settle(server: &Server, text: &str) {
    wait_until("a line", || server.get("/events").body.contains(text).then_some(()));
}

const LAST: &str = "[...document.querySelectorAll('.l .m')].at(-1).textContent";

const HOSTILE: [(u8, &str, &str); 12] = [
    (3, "app web.1", "<script>document.title='owned'</script>"),
    (4, "app web.1", "<img src=x onerror=document.title='owned'>"),
    (6, "app web.1", "</span></div></main><svg onload=document.title='owned'>"),
    (6, "app web.1", "\" onmouseover=document.title='owned' x=\""),
    (6, "app web.1", "&lt;script&gt;&#60;script&#62; javascript:document.title='owned'"),
    (6, "<script>document.title='owned'</script> <img/src=x/onerror=document.title='owned'>", "in the program"),
    (6, "\"onfocus=document.title='owned'autofocus 'x'", "in the program, too"),
    (6, "app web.1", "\u{1b}[31mred \u{1b}[1mbold\u{1b}[0m \u{1b}[2J\u{1b}]0;owned\u{7} \u{9b}31m"),
    (6, "app web.1", "\u{202e}gnp.exe\u{2066} \u{200b}\u{feff} a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}b"),
    (
        6,
        "app web.1",
        "</style><style>*{display:none}</style><base href=//evil.example/><meta http-equiv=refresh content=0>",
    ),
    (6, "app web.1", "{{constructor.constructor('document.title=1')()}} ${document.title=1}"),
    (6, "app worker.1", "at=info key=value text=\"O'Hara & Söhne\" 日本 🚀"),
];

/// Nothing of what lines say has become anything but text.
fn is_harmless(browser: &mut Browser) {
    assert_eq!(browser.value("document.title"), "Events · logdrain");
    let made = "[...document.querySelectorAll('.log *')].filter(e => !/^(DIV|SPAN|A|I|P|H2|CODE|B|BUTTON|DL|DT|DD)$/.test(e.tagName)).length";
    assert_eq!(browser.value(made), 0);
    let acts = "[...document.querySelectorAll('main *')].filter(e => !e.matches('.blk') && [...e.attributes].some(a => /^on|^style$|^src$/.test(a.name))).length";
    assert_eq!(browser.value(acts), 0);
    assert_eq!(browser.value("[...document.links].filter(a => a.origin !== location.origin).length"), 0);
}

#[test]
fn hostile_lines_run_nothing_on_the_page_and_in_its_tail() {
    let Some((dir, server, mut browser)) = start("lines-hostile") else { return };
    send(&server, "1", &HOSTILE);
    settle(&server, "O'Hara &amp; Söhne");
    browser.look(1400, 900, "light");
    browser.go(&page(&server, "?q=%3Cscript%3E+OR+-%22%3Cimg%20src=x%20onerror=alert(1)%3E"));
    browser.until("document.querySelectorAll('.l').length === 12");
    is_harmless(&mut browser);
    let shown = "document.querySelector('.log').textContent.replace(/\\d\\d:\\d\\d:\\d\\d\\.\\d+/g, '')";
    browser.go(&page(&server, ""));
    let by_server = browser.value(shown);
    browser.until("document.querySelector('.live')?.textContent === 'Live'");
    // The same lines once more, by the tail this time: they look the same.
    send(&server, "2", &HOSTILE);
    browser.until("document.querySelectorAll('.l').length === 24");
    is_harmless(&mut browser);
    let same = "JSON.stringify([...document.querySelectorAll('.l')].map(l => l.innerHTML.replace(/\\d\\d:\\d\\d:\\d\\d\\.\\d+|(id=e?|#e)\\d+/g, '')).map((l, n, all) => l === all[n % 12]))";
    assert!(!browser.value(same).as_str().unwrap().contains("false"), "{by_server}");
    browser.picture(&dir.join("hostile.png"));
    assert_eq!(browser.listen(), [""; 0]);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn the_page_follows_the_newest_and_moves_nothing_that_is_read() {
    let Some((dir, server, mut browser)) = start("lines-live") else { return };
    numbered(&server, 0, 300);
    settle(&server, "line 299 ");
    browser.look(1400, 900, "light");
    browser.go(&page(&server, ""));
    browser.until("document.querySelector('.live')?.textContent === 'Live'");
    let at_end = "(l => l.scrollHeight - l.scrollTop - l.clientHeight < 24)(document.querySelector('.log'))";
    assert_eq!(browser.value(at_end), true, "it begins at the newest");
    numbered(&server, 300, 350);
    browser.until(&format!("{LAST}.startsWith('line 349 ')"));
    assert_eq!(browser.value(at_end), true, "it follows");
    // Somebody scrolls up: what he reads stays where it is, and what came is counted.
    browser.value("document.querySelector('.log').scrollTop -= 600");
    browser.until("document.querySelector('.live')?.textContent === 'Paused'");
    let place = "[...document.querySelectorAll('.l')].map(l => [l.id, l.getBoundingClientRect().top]).find(([, top]) => top > 200).join()";
    let before = browser.value(place);
    numbered(&server, 350, 400);
    browser.until("document.querySelector('.pill').textContent === '↓ 50 new lines'");
    assert_eq!(browser.value(place), before);
    browser.picture(&dir.join("paused.png"));
    browser.value("document.querySelector('.pill').click()");
    browser.until(at_end);
    browser.until("document.querySelector('.live')?.textContent === 'Live' && document.querySelector('.pill').hidden");
    // By the button it stays paused, also at the end.
    browser.value("document.querySelector('.live').click()");
    numbered(&server, 400, 410);
    browser.until("document.querySelector('.pill').textContent === '↓ 10 new lines'");
    browser.value("document.querySelector('.live').click()");
    browser.until(at_end);
    // More than waits here while nobody follows: there is a way to it, which skips none.
    browser.value("document.querySelector('.live').click()");
    numbered(&server, 410, 4_000);
    browser.until("/^↓ [23],\\d+ lines not yet shown$/.test(document.querySelector('.pill').textContent)");
    browser.until("document.querySelector('.live')?.textContent === 'Go live'");
    browser.value("document.querySelector('.pill').click()");
    let more = format!("document.querySelector('.log').scrollTop = 1e9, {LAST}.startsWith('line 3999 ')");
    browser.until(&more);
    browser.value("import(document.querySelector('script[src*=events]').src).then(all => { window.viewer = all }), 0");
    browser.until("!!window.viewer");
    let each = "(n => n.every((number, index) => number === n[0] + index) && n[0])(window.viewer.all().map(row => +(typeof row === 'string' ? JSON.parse(row).message.flat().join('') : row.querySelector('.m').textContent).split(' ')[1]))";
    assert_eq!(browser.value(each), 100, "each once, in order, from the first on that was there");
    browser.until(
        "document.querySelector('.log').scrollTop = 1e9, document.querySelector('.live')?.textContent === 'Live'",
    );
    numbered(&server, 4_000, 4_001);
    browser.until(&format!("{LAST}.startsWith('line 4000 ')"));
    assert_eq!(server.get("/events").status, 200);
    assert_eq!(browser.listen(), [""; 0]);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn the_page_finds_its_way_back_when_the_server_comes_again() {
    let Some((dir, server, mut browser)) = start("lines-again") else { return };
    numbered(&server, 0, 20);
    settle(&server, "line 19 ");
    browser.look(1400, 900, "light");
    browser.go(&page(&server, ""));
    browser.until("document.querySelector('.live')?.textContent === 'Live'");
    let address = server.address.to_string();
    server.kill();
    browser.until("document.querySelector('.live')?.textContent === 'Lost'");
    let server = Server::start(&dir, &["--listen", &address]);
    numbered(&server, 20, 40);
    browser.until(&format!("{LAST}.startsWith('line 39 ')"));
    let numbers = "JSON.stringify([...document.querySelectorAll('.l .m')].map(m => +m.textContent.split(' ')[1]))";
    let all = serde_json::to_string(&(0..40).collect::<Vec<_>>()).unwrap();
    assert_eq!(browser.value(numbers), all.as_str());
    browser.until("document.querySelector('.live')?.textContent === 'Live'");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn the_page_works_without_scripts_in_the_dark_and_on_a_phone() {
    let Some((dir, server, mut browser)) = start("lines-plain") else { return };
    pictures(&mut browser, &server, &dir, "empty", "");
    send(&server, "1", &HOSTILE);
    numbered(&server, 0, 700);
    settle(&server, "line 699 ");
    for (name, query) in [
        ("newest", ""),
        ("query", "?q=gnp+OR+(%22line+2%22+and+-99"),
        ("none", "?q=nothing+like+this"),
        ("time", "?time=1"),
    ] {
        pictures(&mut browser, &server, &dir, name, query);
    }
    browser.scripts(false);
    browser.look(390, 844, "light");
    browser.go(&page(&server, ""));
    browser.picture(&dir.join("no-scripts.png"));
    // The newest is in sight without anybody's help.
    let place = browser.call("Runtime.evaluate", serde_json::json!({
        "expression": "[...document.querySelectorAll('.l')].at(-1).getBoundingClientRect().bottom <= document.querySelector('.dock').getBoundingClientRect().top + 1",
        "returnByValue": true}));
    assert_eq!(place["result"]["value"], true);
    browser.scripts(true);
    assert_eq!(server.stop().0, Some(0));
}

fn pictures(browser: &mut Browser, server: &Server, dir: &Path, name: &str, query: &str) {
    for (width, height) in [(1400, 900), (390, 844)] {
        for scheme in ["light", "dark"] {
            browser.look(width, height, scheme);
            browser.go(&page(server, query));
            browser.until("!!document.querySelector('.live')?.textContent");
            let wide = "document.documentElement.scrollWidth <= innerWidth && document.querySelector('.log').scrollWidth <= document.querySelector('.log').clientWidth";
            assert_eq!(browser.value(wide), true, "{name} is wider than {width}");
            browser.picture(&dir.join(format!("{name}-{width}-{scheme}.png")));
        }
    }
}
