//! The status page in a real browser: what logs say is shown, and nothing of it runs.
//!
//! `LOGDRAIN_BROWSER=chromium cargo test -p logdrain --test serve page::` (any Chromium); without it there is nothing to run.

use crate::browser::Browser;
use crate::harness::{Delivery, Server, body, now_micros, scratch, time_of, wait_until};

#[test]
fn a_browser_shows_the_page_and_runs_nothing() {
    let dir = scratch("browser");
    let Some(mut browser) = Browser::start(&dir) else { return };
    let server = Server::start(&dir, &[]);
    let attacks = [
        "<script>document.title='owned'</script>",
        "<img src=x onerror=document.title='owned'>",
        "</td></table></pre><svg onload=document.title='owned'>",
        "\" onmouseover=document.title='owned' x=\"",
        "&lt;script&gt;&#60;script&#62;",
        "javascript:document.title='owned'",
        "</title><title>owned",
    ];
    for (number, attack) in attacks.iter().enumerate() {
        let quoted = attack.replace('"', "\\\"");
        let line = format!(
            "<190>1 {} host app web.1 - measure#db.query=7ms count#orders=1 tag#who=\"{quoted}\"\n",
            time_of(now_micros())
        );
        let token = format!("d.{number}");
        let body = format!("{} {line}", line.len()).into_bytes();
        assert_eq!(Delivery { id: number.to_string(), token, body }.send(server.address).unwrap(), 204);
    }
    let usual = Delivery { id: "u".to_owned(), token: "d.shop".to_owned(), body: body(1, 400) };
    assert_eq!(usual.send(server.address).unwrap(), 204);
    wait_until("closed windows of all drains", || {
        let page = server.get("/status").body;
        let of_all = |text: &str| page.matches(text).count() == attacks.len() + 1;
        (of_all("Last closed window") && of_all("Streams that cost most")).then_some(())
    });
    browser.look(1400, 1600, "light");
    browser.go(&format!("http://{}/status", server.address));
    assert_eq!(browser.value("document.title"), "Status · logdrain");
    let made = "[...document.querySelectorAll('main *')].filter(e => /^(SCRIPT|IMG|IFRAME|STYLE|LINK|OBJECT)$/.test(e.tagName)).length";
    assert_eq!(browser.value(made), 0);
    let acts = "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => /^on|^style$/.test(a.name))).length";
    assert_eq!(browser.value(acts), 0);
    let leads = "[...document.querySelectorAll('main a')].filter(a => !/^[?#]/.test(a.getAttribute('href'))).length";
    assert_eq!(browser.value(leads), 0, "links lead to the page itself");
    let dom = browser.value("document.documentElement.outerHTML").as_str().unwrap().to_owned();
    for heading in ["drain", "last delivery", "last windows", "metric", "tags"] {
        assert!(dom.contains(&format!("<th>{heading}</th>")), "{heading}: {dom}");
    }
    for health in
        ["disk free", "rows behind the journal", "last snapshot", "late values", "watermark", "memory", "journal"]
    {
        assert!(dom.contains(&format!("<span>{health}</span>")), "{health}: {dom}");
    }
    assert!(dom.contains(concat!("version ", env!("CARGO_PKG_VERSION"), ", up ")), "{dom}");
    assert!(dom.contains("&lt;img src=x onerror=document.title='owned'&gt;"), "it is there as text: {dom}");
    assert_eq!(dom.matches("<section class=\"card drain\">").count(), attacks.len() + 1);
    assert!(dom.contains("<b id=\"state\">ready</b>") && dom.matches("<polyline").count() > attacks.len());
    assert!(dom.contains("heroku.router.service.response_time") && dom.contains("Streams that cost most"));
    for (name, width, height, scheme) in [
        ("wide", 1400, 1600, "light"),
        ("wide-dark", 1400, 1600, "dark"),
        ("narrow", 390, 844, "light"),
        ("narrow-dark", 390, 844, "dark"),
    ] {
        browser.look(width, height, scheme);
        browser.go(&format!("http://{}/status?still", server.address));
        browser.picture(&dir.join(format!("page-{name}.png")));
        browser.until(&format!("document.documentElement.scrollWidth <= {width}"));
    }
    // The policy lets nothing run, and nothing tried to.
    assert_eq!(browser.listen(), [""; 0]);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn what_was_closed_on_the_page_stays_closed_and_many_drains_have_an_index() {
    let dir = scratch("page-index");
    let server = Server::start(&dir, &[]);
    let send = |number: usize| {
        let sent = Delivery { id: "1".to_owned(), token: format!("d.{number}"), body: body(number as u64, 8) };
        assert_eq!(sent.send(server.address).unwrap(), 204);
    };
    send(0);
    let page = wait_until("the books", || Some(server.get("/status").body).filter(|page| page.contains("▾ Books")));
    assert!(page.contains("http-equiv=\"refresh\"") && !page.contains("<h2>Drains</h2>"), "{page}");
    let link =
        page.split("<a href=\"").find(|rest| rest.contains("▾ Books")).unwrap().split(['"', '#']).next().unwrap();
    for _ in 0..2 {
        let page = server.get(&format!("/status{link}")).body;
        assert!(page.contains("▸ Books") && !page.contains("class=\"books\""), "{page}");
    }
    let still = server.get("/status?still").body;
    assert!(!still.contains("http-equiv=\"refresh\"") && still.contains("class=\"books\""), "{still}");
    (1..12).for_each(send);
    let index = wait_until("the index", || {
        Some(server.get("/status").body).filter(|page| page.matches("href=\"?drain=").count() == 12)
    });
    assert!(!index.contains("<section class=\"card drain\">") && index.contains("<h2>Drains</h2>"), "{index}");
    let link = index.split("href=\"").find(|rest| rest.starts_with("?drain=")).unwrap().split('"').next().unwrap();
    assert_eq!(server.get(&format!("/status{link}")).body.matches("<section class=\"card drain\">").count(), 1);
    for nonsense in ["/status?drain=x&shut=%00.%3Cscript%3E", "/status?", "/status?drain=d00000000&still=1"] {
        let page = server.get(nonsense).body;
        assert!(page.contains("<h2>Drains</h2>") && !page.contains("<script"), "{page}");
    }
    assert_eq!(server.stop().0, Some(0));
}
