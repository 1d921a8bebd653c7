//! The pages of an account and of its members, in a real browser: everything is done by clicks and keys, nothing that
//! somebody wrote runs, and whoever cannot see finds his way.
//!
//! `LOGDRAIN_BROWSER=chromium cargo test -p logdrain --test serve page` runs these; `LOGDRAIN_AXE` names `axe.min.js` of
//! axe-core, and `LOGDRAIN_PICTURES` a folder for pictures.

use crate::browser::{Browser, key};
use crate::harness::{Server, now_micros, scratch, time_of, wait_until};
use crate::page_looks::{self, Eye, is_harmless};
use std::path::PathBuf;
use std::process::Command;

const CONFIG: &str = "[watcher]\nuser = \"ops\"\npassword = \"ops-s3cret-12\"\n\
    [[drain]]\nname = \"shop-web\"\nuser = \"shop\"\npassword = \"shop-s3cret-1\"\naccount = \"shop\"\napp = \"shop-web\"\n";
const PASSWORD: &str = "correct horse battery";
/// What would show that something ran.
const OWNED: &str = "<img src=x onerror=window.owned=1><script>window.owned=1</script>\"'>";

struct House {
    dir: PathBuf,
    server: Server,
    browser: Browser,
}

impl House {
    fn new(name: &str) -> Option<Self> {
        let dir = scratch(name);
        let browser = Browser::start(&dir)?;
        std::fs::write(dir.join("config.toml"), CONFIG).unwrap();
        let server = Server::start(&dir, &["--config", dir.join("config.toml").to_str().unwrap()]);
        Some(Self { dir, server, browser })
    }

    fn account(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_logdrain"))
            .arg("account")
            .args(arguments)
            .args(["--store", self.dir.join("store").to_str().unwrap()])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn go(&mut self, path: &str) {
        let address = format!("http://{}{path}", self.server.address);
        self.browser.go(&address);
    }

    /// Sends lines as the drain of `shop` does.
    fn send(&self, id: &str, lines: &[(&str, &str)]) {
        use base64::Engine as _;
        let mut body = Vec::new();
        for (program, message) in lines {
            let line = format!("<190>1 {} host {program} - {message}\n", time_of(now_micros()));
            body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
        }
        let pair = base64::engine::general_purpose::STANDARD.encode("shop:shop-s3cret-1");
        let headers =
            [("Authorization", &*format!("Basic {pair}")), ("Logplex-Drain-Token", "d.1"), ("Logplex-Frame-Id", id)];
        let sent = crate::harness::request(self.server.address, "POST", "/logs", &headers, &body).unwrap();
        assert_eq!(sent.status, 204);
    }

    /// Invites a member, who sets his password and is in.
    fn enter(&mut self, email: &str) {
        let link = self.account(&["member", "add", email, "--account", "shop", "--manage-members", "--change-plans"]);
        self.browser.go(&link);
        self.browser.fill("input[name=password]", PASSWORD);
        self.browser.follow("button.first");
        self.browser.until("!location.pathname.startsWith('/invite')");
    }

    /// Waits until a page that begins so is there; what `/` leads to is one, too.
    fn until_path(&mut self, path: &str) {
        self.browser.until(&format!("location.pathname.startsWith({path:?})"));
    }

    fn says(&mut self, text: &str) {
        self.browser.until(&format!("document.body.innerText.includes({text:?})"));
    }
}

#[test]
fn one_signs_in_comes_back_to_the_page_and_leaves() {
    let Some(mut house) = House::new("page-sign-in") else { return };
    house.enter("ann@example.com");
    // A new account is told how its first line comes, and sees that it came.
    house.go("/");
    house.until_path("/account/destinations");
    house.says("Waiting for the first line");
    house.says("heroku drains:add https://USER:PASSWORD@");
    house.send("1", &[("app web.1", "the very first line")]);
    house.says("The first line that is kept came");
    house.go("/");
    house.until_path("/events");
    house.go("/account/profile");
    house.browser.follow("form.out button");
    house.until_path("/login");
    // Who asks for a page signs in, and has it.
    house.go("/account/filters");
    house.until_path("/login");
    house.browser.fill("input[name=name]", "ann@example.com");
    house.browser.fill("input[name=password]", "wrong as can be");
    house.browser.follow("button.first");
    house.says("do not belong together");
    house.browser.fill("input[name=password]", PASSWORD);
    house.browser.press(key::ENTER);
    house.until_path("/account/filters");
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn page_forms_do_what_the_api_does_without_scripts() {
    let Some(mut house) = House::new("page-forms") else { return };
    house.enter("ann@example.com");
    let lines: Vec<(&str, String)> = (0..40).map(|n| ("app web.1", format!("GET /health took {n} ms"))).collect();
    let lines: Vec<(&str, &str)> = lines.iter().map(|(program, line)| (*program, line.as_str())).collect();
    house.send("1", &lines);
    house.send("2", &[("app worker.1", "a job that somebody wants to read")]);

    house.go("/account/profile");
    assert_eq!(house.browser.value("document.scripts.length"), 0, "there is none to do without");
    house.browser.fill("input[name=zone]", "europe/paris");
    house.browser.follow("button[value=zone]");
    house.says("Times are shown in that zone");
    house.says("Paris, UTC+");
    house.browser.fill("input[name=zone]", "Mars/Olympus");
    house.browser.follow("button[value=zone]");
    house.says("There is no such zone");
    house.browser.fill("input[name=name]", "my program");
    house.browser.follow("button[value=add-token]");
    house.says("It is shown once");
    let token = house.browser.value("document.querySelector('.once code').textContent");
    let token = token.as_str().unwrap().to_owned();
    let asked = [("X-Papertrail-Token", token.as_str())];
    let plan = |house: &House, path: &str| {
        crate::harness::request(house.server.address, "GET", path, &asked, b"").unwrap().body
    };
    assert!(plan(&house, "/api/v2/plan").contains("\"plan\":null"));

    // A filter is tried first, and added then.
    house.go("/account/filters");
    wait_until("kept lines", || plan(&house, "/api/v2/usage").contains("\"events\":41").then_some(()));
    house.browser.fill("input[name=text]", "/health");
    house.browser.follow("button[value=preview]");
    house.says("40 of 41 lines of the last hour");
    house.browser.follow(".once button[value=add]");
    house.says("The filter is on");
    assert!(plan(&house, "/api/v2/filters").contains("\"text\":\"/health\""));
    house.browser.follow("button[value=turn]");
    house.says("The filter is changed");
    assert!(plan(&house, "/api/v2/filters").contains("\"on\":false"));
    house.browser.follow("button[value=remove]");
    house.says("The filter is gone");
    house.browser.fill("input[name=text]", "(");
    house.browser.value("document.querySelector('select[name=kind]').value = 'regex'");
    house.browser.follow("button[value=preview]");
    house.browser.until("!!document.querySelector('[role=alert]')");

    house.go("/account/plan");
    house.says("Today by system and program");
    house.browser.value("document.querySelector('select[name=plan]').value = 'choklad'");
    house.browser.follow("button[value=try]");
    house.says("Lines older than 2 days are hidden at once");
    assert!(plan(&house, "/api/v2/plan").contains("\"plan\":null"), "it was only tried");
    house.browser.follow("button[value=change]");
    house.says("The plan is changed");
    assert!(plan(&house, "/api/v2/plan").contains("choklad"));

    house.go("/account/searches");
    house.browser.fill("section:last-of-type input[name='group[name]']", "production");
    house.browser.fill("section:last-of-type input[name='group[system_wildcard]']", "shop-*");
    house.browser.follow("button[value=add-group]");
    house.says("The group is there");
    // It can be changed from beside the lines.
    house.go("/events");
    house.browser.until("!!document.querySelector('.side .edit[href*=\"/account/searches\"]')");
    house.browser.value("document.querySelector('.side .edit[href*=\"/account/searches\"]').click()");
    house.until_path("/account/searches");
    house.browser.until("document.querySelector(location.hash)?.innerText.includes('production')");
    house.browser.fill("input[name='search[name]']", "jobs");
    house.browser.fill("input[name='search[query]']", "program:worker");
    house.browser.follow("button[value=add-search]");
    house.says("The search is saved");
    house.browser.follow("h3 a");
    house.until_path("/events");
    house.says("a job that somebody wants to read");
    assert!(house.browser.value("document.body.innerText.includes('GET /health')") == false);

    house.go("/account/patterns");
    house.says("GET /health took");
    house.browser.fill("input[name=q]", "somebody");
    house.browser.follow("button[type=submit]:not(.icon, .ghost)");
    // That line was there before, too: the next page is gone to when this one has come.
    house.browser.until("location.search.includes('somebody')");
    house.says("a job that somebody wants to read");

    house.go("/account/members");
    house.browser.fill("input[name=email]", "bob@example.com");
    house.browser.follow("button[value=add]");
    house.says("Send this link to bob@example.com");
    // What was wrong was answered as such, and nothing else was said.
    let answered = |said: &&String| said.contains("status of 422") || said.contains("status of 400");
    let said: Vec<&String> = house.browser.listen().iter().filter(|said| !answered(said)).collect();
    assert!(said.is_empty(), "{said:?}");
    assert_eq!(house.server.stop().0, Some(0));
}

/// Every page of this part, as a member sees it.
const PAGES: [&str; 9] = [
    "/account/profile",
    "/account/members",
    "/account/plan",
    "/account/destinations",
    "/account/searches",
    "/account/filters",
    "/account/patterns",
    "/archives",
    "/nothing-here",
];

#[test]
fn page_texts_of_others_run_nothing_anywhere() {
    let Some(mut house) = House::new("page-hostile") else { return };
    house.enter("ann@example.com");
    house.send("1", &[("app web.1", OWNED), (&format!("{} web.1", OWNED.replace(' ', "_")), "in the program")]);
    house.go("/account/searches");
    house.browser.fill("section:last-of-type input[name='group[name]']", OWNED);
    house.browser.fill("section:last-of-type input[name='group[system_wildcard]']", OWNED);
    house.browser.follow("button[value=add-group]");
    house.browser.fill("input[name='search[name]']", OWNED);
    house.browser.fill("input[name='search[query]']", OWNED);
    house.browser.follow("button[value=add-search]");
    house.says("<img src=x onerror");
    house.go("/account/filters");
    house.browser.fill("input[name=text]", OWNED);
    house.browser.fill("input[name=name]", OWNED);
    house.browser.follow("button[value=preview]");
    house.browser.follow(".once button[value=add]");
    house.says("<img src=x onerror");
    house.go("/account/profile");
    house.browser.fill("input[name=name]", OWNED);
    house.browser.follow("button[value=add-token]");
    wait_until("lines", || {
        house.go("/account/patterns");
        (house.browser.value("document.body.innerText.includes('in the program')") == true).then_some(())
    });
    house.browser.listen();
    let quoted = form_urlencoded::byte_serialize(OWNED.as_bytes()).collect::<String>();
    let mut pages: Vec<String> = PAGES.iter().map(|page| (*page).to_owned()).collect();
    pages.extend(PAGES.iter().map(|page| format!("{page}?q={quoted}&done={quoted}&from={quoted}")));
    pages.push(format!("/login?return=/{quoted}"));
    for page in &pages {
        house.go(page);
        is_harmless(&mut house.browser, page);
    }
    // Nothing even tried: the policy had nothing to say.
    let said: Vec<&String> = house.browser.listen().iter().filter(|said| !said.contains("404")).collect();
    assert!(said.is_empty(), "{said:?}");
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn pages_can_be_used_by_whoever_cannot_see_them() {
    let Some(mut house) = House::new("page-axe") else { return };
    let eye = Eye::new(&house.dir);
    let look = |house: &mut House, page: &str| {
        let name = page.trim_start_matches('/').replace(['/', '?', '='], "-");
        eye.look(&mut house.browser, &format!("http://{}{page}", house.server.address), &name, &page_looks::ALL);
    };
    look(&mut house, "/login");
    house.enter("ann@example.com");
    look(&mut house, "/account/destinations?still=1");
    let lines: Vec<(String, String)> = (0..300)
        .map(|n| {
            (
                format!("app web.{}", n % 4),
                format!("GET /orders/{n} took {} ms for client 198.51.100.{}", n * 7 % 90, n % 250),
            )
        })
        .collect();
    let lines: Vec<(&str, &str)> = lines.iter().map(|(program, line)| (program.as_str(), line.as_str())).collect();
    house.send("1", &lines);
    for (part, field, text, button) in [
        ("searches", "section:last-of-type input[name='group[name]']", "production", "add-group"),
        ("searches", "input[name='search[name]']", "Slow orders", "add-search"),
        ("profile", "input[name=name]", "deploy script", "add-token"),
    ] {
        house.go(&format!("/account/{part}"));
        house.browser.fill(field, text);
        house.browser.follow(&format!("button[value={button}]"));
    }
    house.go("/account/filters");
    house.browser.fill("input[name=text]", "client 198.51.100.7");
    house.browser.follow("button[value=preview]");
    house.browser.follow(".once button[value=add]");
    house.go("/account/plan");
    house.browser.value("document.querySelector('select[name=plan]').value = 'volmar'");
    house.browser.follow("button[value=try]");
    house.browser.follow("button[value=change]");
    for page in PAGES {
        look(&mut house, page);
    }
    // And the operator's.
    house.go("/account/profile");
    house.browser.follow("form.out button");
    house.browser.fill("input[name=name]", "ops");
    house.browser.fill("input[name=password]", "ops-s3cret-12");
    house.browser.follow("button.first");
    house.browser.until("!location.pathname.startsWith('/login')");
    for page in ["/status?still=1", "/account/plan?account=shop"] {
        look(&mut house, page);
    }
    assert_eq!(house.server.stop().0, Some(0));
}
