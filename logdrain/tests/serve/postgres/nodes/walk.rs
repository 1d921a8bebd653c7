//! A walk over every path and every link of a node that is not home: what there is not yet is what is told, and nothing leads to it.

use super::cluster::{OPERATOR, account};
use super::pages::{Person, three};
use super::people::set_password;
use crate::browser::Browser;
use crate::harness::{Answer, request, scratch, wait_until};
use crate::page_looks::{Eye, TWO};
use crate::rights::{PATHS, forms};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use testkit::postgres::Postgres;

/// Asks once more when it is told to come again: on a busy machine a home moves now and then.
fn ask(at: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    wait_until(path, || {
        let answer = request(at, "GET", path, &[headers, &[("Accept", "text/html")]].concat(), b"").ok()?;
        (answer.status != 503).then_some(answer)
    })
}

/// The paths of this server that a page leads to, with what they ask for.
fn links(page: &str) -> impl Iterator<Item = String> + '_ {
    let all = page.split("href=\"").skip(1).chain(page.split("src=\"").skip(1));
    all.filter_map(|rest| rest.split('"').next())
        .filter(|link| link.starts_with('/') && !link.starts_with("//"))
        .map(|link| link.split('#').next().unwrap_or_default().replace("&amp;", "&"))
}

/// Follows all links from these pages on; answers how many there were.
fn crawl(at: SocketAddr, headers: &[(&str, &str)], begin: &[&str]) -> usize {
    let mut known = BTreeSet::new();
    let mut next: Vec<String> = begin.iter().map(|path| (*path).to_owned()).collect();
    while let Some(link) = next.pop() {
        let path = link.split('?').next().unwrap_or_default().to_owned();
        // One that lasts, one that ends the session, and of each page one form.
        if ["/api/v2/tail", "/logout"].contains(&path.as_str()) || !known.insert(path) {
            continue;
        }
        let page = ask(at, &link, headers);
        // Charts lead to metrics that nobody has told of yet.
        let is_there = page.status < 400 || page.status == 404 && link.starts_with("/explore/");
        assert!(is_there, "{link}: {page:?}");
        next.extend(links(&page.body));
    }
    known.len()
}

#[test]
fn a_node_that_is_not_home_has_all_that_there_is_and_leads_to_nothing_else() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-walk");
    let three = three(&dir, &postgres, "2s");
    let acme = Person { three: &three, account: account(0) };
    let home = three.home(&acme.account).unwrap();
    let (b, c) = ((home + 1) % 3, (home + 2) % 3);
    let at = three.cluster.nodes[b].address().unwrap();
    acme.send_until(c, "q.walk", 9, || acme.page(b, "/explore").contains("queue.depth").then_some(()));
    acme.send_until(c, "q.walk", 9, || acme.page(b, "/events").contains("q.walk").then_some(()));
    acme.api(b, ("POST", "dashboards"), &json!({ "copy": "overview", "title": "Own" }), 201);
    acme.api(c, ("POST", "alerts"), &json!({ "template": "h12" }), 201);

    let more = ["/api/v2/account", "/api/v2/account/destroy", "/api/v2/bucket", "/nowhere/at/all"].map(str::to_owned);
    let known = PATHS.iter().filter(|path| **path != "/api/v2/tail").flat_map(|path| forms(path));
    for path in known.chain(more) {
        let mark = if path.contains('?') { '&' } else { '?' };
        let answer = ask(at, &format!("{path}{mark}account={}", acme.account), &[OPERATOR]);
        assert!(answer.status < 500, "{path}: {answer:?}");
        assert!(path != "/nowhere/at/all" || answer.status == 404, "{answer:?}");
    }

    // What is of no account's home is done by any node.
    acme.api(b, ("POST", "accounts"), &json!({ "name": "newcomer" }), 201);
    wait_until("an account that all know", || {
        let knows = |node| acme.api(node, ("GET", "accounts"), &Value::Null, 200).to_string().contains("newcomer");
        (0..3).all(knows).then_some(())
    });

    let operated = format!("/status?account={}", acme.account);
    let of_operator = crawl(at, &[OPERATOR], &[&operated]);
    let made = ["member", "add", "ann@example.com", "--manage-members", "--change-plans", "--account", &acme.account];
    let made = crate::dashboards::account(three.cluster.nodes[c].dir(), &made);
    let link = made.lines().find(|line| line.contains("/invite/")).unwrap();
    let cookie = set_password(&three.cluster.nodes[c], link);
    let of_member = crawl(at, &[("Cookie", &cookie)], &["/events"]);
    println!("{of_operator} paths were led to for the operator, {of_member} for a member");
    assert!(of_operator > 20 && of_member > 20);

    let Some(mut browser) = Browser::start(&dir) else { return };
    let eye = Eye::new(&dir);
    let (name, value) = cookie.split_once('=').unwrap();
    browser.call("Network.enable", json!({}));
    browser.call("Network.setCookie", json!({ "name": name, "value": value, "url": format!("http://{at}/") }));
    for (path, name) in [
        ("/events", "events"),
        ("/alerts", "alerts"),
        ("/dashboards", "dashboards"),
        ("/explore", "explore"),
        ("/account/plan", "plan"),
    ] {
        eye.look(&mut browser, &format!("http://{at}{path}"), &format!("node-{name}"), &TWO);
    }
}
