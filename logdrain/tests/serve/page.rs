//! The status page in a real browser: what logs say is shown, and nothing of it runs.
//!
//! `LOGDRAIN_BROWSER=chromium cargo test -p logdrain --test serve page::` (any Chromium); without it there is nothing to run.

use crate::harness::{Delivery, Server, body, now_micros, scratch, time_of, wait_until};
use std::process::Command;

#[test]
fn a_browser_shows_the_page_and_runs_nothing() {
    let Ok(browser) = std::env::var("LOGDRAIN_BROWSER") else {
        println!("LOGDRAIN_BROWSER names no browser: not run");
        return;
    };
    let dir = scratch("browser");
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
    let profile = dir.join("profile");
    let run = |what: &[&str]| {
        let output = Command::new(&browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--window-size=1100,1400", "--virtual-time-budget=3000"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .args(what)
            .arg(format!("http://{}/status", server.address))
            .output()
            .unwrap_or_else(|error| panic!("{browser}: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let dom = run(&["--dump-dom"]);
    assert!(dom.contains("<title>logdrain</title>") && !dom.contains("<title>owned"), "{dom}");
    for tag in ["<script", "<img", "<svg onload", "<iframe"] {
        assert!(!dom.contains(tag), "{tag} became an element: {dom}");
    }
    // Links lead to the page itself.
    let links = dom.matches("<a ").count();
    assert_eq!(dom.matches("<a href=\"?").count() + dom.matches("<a href=\"#").count(), links);
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
    assert_eq!(dom.matches("<section class=\"drain\">").count(), attacks.len() + 1);
    assert!(dom.contains("<b id=\"state\">ready</b>") && dom.matches("<polyline").count() > attacks.len());
    assert!(dom.contains("heroku.router.service.response_time") && dom.contains("Streams that cost most"));
    for (name, size, scheme) in [
        ("wide", "1400,1600", "light"),
        ("wide-dark", "1400,1600", "dark"),
        ("narrow", "500,2400", "light"),
        ("narrow-dark", "500,2400", "dark"),
    ] {
        let picture = dir.join(format!("page-{name}.png"));
        let dark = if scheme == "dark" {
            "--blink-settings=preferredColorScheme=0"
        } else {
            "--blink-settings=preferredColorScheme=1"
        };
        run(&[&format!("--screenshot={}", picture.display()), &format!("--window-size={size}"), dark]);
        assert!(std::fs::metadata(picture).unwrap().len() > 10_000);
    }
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
    assert!(page.contains("http-equiv=refresh") && !page.contains("<h2>Drains</h2>"), "{page}");
    let link =
        page.split("<a href=\"").find(|rest| rest.contains("▾ Books")).unwrap().split(['"', '#']).next().unwrap();
    for _ in 0..2 {
        let page = server.get(&format!("/status{link}")).body;
        assert!(page.contains("▸ Books") && !page.contains("class=books"), "{page}");
    }
    let still = server.get("/status?still").body;
    assert!(!still.contains("http-equiv=refresh") && still.contains("class=books"), "{still}");
    (1..12).for_each(send);
    let index = wait_until("the index", || {
        Some(server.get("/status").body).filter(|page| page.matches("href=\"?drain=").count() == 12)
    });
    assert!(!index.contains("<section class=drain>") && index.contains("<h2>Drains</h2>"), "{index}");
    let link = index.split("href=\"").find(|rest| rest.starts_with("?drain=")).unwrap().split('"').next().unwrap();
    assert_eq!(server.get(&format!("/status{link}")).body.matches("<section class=drain>").count(), 1);
    for nonsense in ["/status?drain=x&shut=%00.%3Cscript%3E", "/status?", "/status?drain=d00000000&still=1"] {
        let page = server.get(nonsense).body;
        assert!(page.contains("<h2>Drains</h2>") && !page.contains("<script"), "{page}");
    }
    assert_eq!(server.stop().0, Some(0));
}
