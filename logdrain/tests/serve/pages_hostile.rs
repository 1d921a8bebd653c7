//! What lines and people say on the viewer, on dashboards and in the explorer: all of it is text, whatever it looks like.

use crate::browser::Browser;
use crate::harness::{Server, now_micros, request, scratch, time_of, wait_until};
use crate::page_looks::is_harmless;
use crate::viewer::form;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// What would show that something ran: as one word, for names; in all of its forms, for texts.
const WORD: &str = "<img/src=x/onerror=window.owned=1><script>window.owned=1</script>";
const TEXT: &str =
    "<img src=x onerror=window.owned=1>\"'><svg onload=window.owned=1></text></title></style>\u{202e}{{owned}}";

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Lines that say it wherever a line can say something.
fn lines() -> Vec<u8> {
    let texts = [
        ("app web.1", format!("count#hostile.orders=1 tag#who=\"{}\" source={WORD}", TEXT.replace('"', "'"))),
        ("app web.1", format!("measure#hostile.took=7ms tag#{}=x", "<b>owned</b>")),
        ("app web.1", format!("count#{WORD}=1 measure#hostile.{WORD}=2ms")),
        ("app web.1", TEXT.to_owned()),
        (
            "heroku router",
            format!(
                "at=error code={WORD} desc=\"{}\" method={WORD} path=\"{WORD}\" host={WORD} dyno={WORD} connect=1ms \
                 service=20ms status=503 bytes=1",
                TEXT.replace('"', "'")
            ),
        ),
        (
            "heroku router",
            format!(
                "at=info method={WORD} path=\"/\" host={WORD} dyno={WORD} connect=1ms service=20ms status=200 bytes=1"
            ),
        ),
        (
            "heroku web.1",
            format!(
                "source={WORD} dyno=heroku.1 sample#memory_total=300MB sample#memory_rss=280MB sample#load_avg_1m=0.5"
            ),
        ),
        (
            "app heroku-postgres",
            format!(
                "source={WORD} addon={WORD} sample#db_size=4026531bytes sample#active-connections=14 sample#tables=3"
            ),
        ),
        ("app api", format!("Release v7 created by user {WORD}")),
        ("app api", format!("Deploy {WORD} by user {WORD}")),
        ("heroku web.1", "State changed from up to crashed".to_owned()),
    ];
    let mut body = Vec::new();
    for (program, text) in texts {
        let line = format!("<190>1 {} host {program} - {text}\n", time_of(now_micros()));
        body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    body
}

#[test]
fn hostile_text_on_the_viewer_dashboards_and_the_explorer_runs_nothing() {
    let dir = scratch("pages-hostile");
    let Some(mut browser) = Browser::start(&dir) else { return };
    let server = Server::start(&dir, &[]);
    // Also as the name of an app, if such a one is taken at all.
    for (id, app) in [("1", "shop".to_owned()), ("2", escaped(WORD)), ("3", escaped("a<b>owned</b>"))] {
        let headers = [("Logplex-Drain-Token", &*format!("d.{id}")), ("Logplex-Frame-Id", &*format!("hostile{id}"))]
            .map(|(name, value)| (name, value.to_owned()));
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let answer = request(server.address, "POST", &format!("/logs?app={app}"), &headers, &lines()).unwrap();
        assert!(answer.status == 204 || id != "1" && answer.status == 400, "{answer:?}");
    }
    wait_until("minutes", || {
        let answer = server.get("/explore/hostile.orders?range=30m&group_by=*");
        (answer.status == 200 && answer.body.contains("&lt;svg onload")).then_some(())
    });

    // What people say: of a dashboard and all that is in it, of a metric, of a search.
    let series = |label: &str| json!({"metric": "hostile.orders", "function": "sum", "group_by": ["who"], "tags": [format!("who!={WORD}")], "label": label});
    let charts: Vec<_> = ["line", "stacked", "bars", "number", "table", "heading"]
        .into_iter()
        .map(|kind| {
            json!({
                "title": WORD, "kind": kind, "unit": "<i>owned</i>", "note": TEXT, "empty": format!("`{TEXT}`"), "lines": format!("{WORD} {{who}}"),
                "thresholds": [{"value": 1, "label": WORD, "alarm": "above"}],
                "series": if kind == "heading" { json!([]) } else { json!([series(WORD)]) },
            })
        })
        .collect();
    let board = json!({"title": format!("x {WORD}"), "charts": charts}).to_string();
    // What turns text around is refused there.
    let board = board.replace('\u{202e}', "");
    let imported = form(&server, "/dashboards", &[], &format!("do=import&whose=account&json={}", escaped(&board)));
    assert_eq!(imported.status, 303, "{imported:?}");
    let text = escaped(TEXT);
    let told = format!("do=facts&period=0&unit={}&summary=&colour=&description={text}", escaped("<i>owned</i>"));
    assert_eq!(form(&server, "/explore/hostile.orders", &[], &told).status, 303);
    let kept = format!("do=keep&board=1&title={}", escaped(WORD));
    let kept = form(&server, "/explore/hostile.orders?group_by=who", &[], &kept);
    assert_eq!(kept.status, 303, "{kept:?}");
    assert_eq!(form(&server, "/searches", &[], &format!("name={}&q={}", escaped(WORD), escaped(WORD))).status, 303);
    let shared = request(
        server.address,
        "POST",
        "/api/v2/shares",
        &[("Content-Type", "application/json")],
        json!({"dashboard": "1", "name": WORD, "range": "30m"}).to_string().as_bytes(),
    );
    let shared = shared.unwrap();
    assert_eq!(shared.status, 201, "{shared:?}");
    let shared: serde_json::Value = serde_json::from_str(&shared.body).unwrap();
    let shared = shared["link"].as_str().unwrap().split("/shared/").nth(1).unwrap().to_owned();

    let word = escaped(WORD);
    let mut pages: Vec<String> = vec![
        "/events".into(),
        "/events?q=who&tz=UTC".into(),
        "/searches/1000/edit".into(),
        "/dashboards/1".into(),
        "/dashboards/1/edit".into(),
        "/dashboards/1/share".into(),
        "/dashboards/1/charts/new".into(),
        "/dashboards/new".into(),
        format!("/shared/{shared}"),
        "/explore".into(),
        "/explore?q=hostile".into(),
        "/explore/hostile.orders?range=30m".into(),
        "/explore/hostile.orders?range=30m&group_by=*".into(),
        "/explore/hostile.took?range=30m&group_by=*&kind=bars".into(),
        "/explore/heroku.errors.http?range=30m&group_by=*".into(),
        "/explore/heroku.router.http.requests?range=30m&group_by=dyno".into(),
    ];
    pages.extend(
        ["overview", "errors", "status", "postgres", "dynos"].map(|name| format!("/dashboards/{name}?range=30m")),
    );
    // And what stands in addresses.
    for path in
        ["/events", "/dashboards/overview", "/dashboards/1", "/explore", "/explore/hostile.orders", "/dashboards/new"]
    {
        pages.push(format!(
            "{path}?q={text}&app_name={text}&range={word}&from={word}&to={word}&every={word}&time={text}&tz={word}&copy={word}\
             &summary={word}&kind={word}&group_by={word}&tag[{word}]={text}&not[who]={word}&tag={text}&account={word}&{word}={text}"
        ));
        pages.push(format!(
            "{path}?q={text}&app_name={text}&group_by={word}&tag[{word}]={text}&not[who]={word}&tag={text}&time={word}"
        ));
    }
    pages.extend([
        format!("/explore/{word}"),
        format!("/dashboards/{word}"),
        format!("/systems/{word}/events"),
        format!("/shared/{word}"),
    ]);
    browser.look(1400, 1000, "light");
    browser.listen();
    for page in &pages {
        browser.go(&format!("http://{}{page}", server.address));
        // What opens shows what it hides.
        browser.value("document.querySelectorAll('details').forEach(one => one.open = true)");
        is_harmless(&mut browser, page);
    }
    // Under the pointer and by keys, where scripts put names together.
    let mut pointed = 0;
    for page in ["/dashboards/1", "/dashboards/errors?range=30m", "/explore/hostile.orders?range=30m&group_by=*"] {
        browser.go(&format!("http://{}{page}", server.address));
        for nth in 0..3 {
            let there = format!("!!(window.plot = document.querySelectorAll('figure.chart svg.plot')[{nth}])");
            if browser.value(&there) == false {
                continue;
            }
            pointed += 1;
            browser.value("window.plot.scrollIntoView({ block: 'center' }), window.plot.focus(), 0");
            let place = browser.value(
                "(box => [box.left + box.width / 2, box.top + box.height / 2])(window.plot.getBoundingClientRect())",
            );
            let place = |at: usize| place[at].as_f64().unwrap() as i64;
            browser.point(None, (place(0), place(1)));
            browser.value("['End', 'ArrowLeft', 'Home'].forEach(key => window.plot.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true })))");
            assert_eq!(
                browser.value("[window.owned, document.querySelectorAll('img, main script, iframe').length].join()"),
                ",0",
                "{page}"
            );
        }
    }
    assert!(pointed > 0, "no chart was there to be pointed at");
    browser.go(&format!("http://{}/explore", server.address));
    browser.until("document.querySelector('#names')?.getAttribute('role') === 'combobox'");
    browser.click("#names");
    browser.press("hostile");
    browser.until("document.querySelectorAll('#found li').length > 1");
    is_harmless(&mut browser, "names that are found");
    // Nothing even tried: the policy had nothing to say. Pages that are not there answered so.
    let answered = |said: &&String| {
        ["404", "403", "400", "422"].iter().any(|status| said.contains(&format!("status of {status}")))
    };
    let said: Vec<&String> = browser.listen().iter().filter(|said| !answered(said)).collect();
    assert!(said.is_empty(), "{said:?}");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn names_turn_no_text_around_but_in_the_fields_in_which_they_are_changed() {
    let dir = scratch("pages-turned");
    let server = Server::start(&dir, &[]);
    let made = |path: &str, body: serde_json::Value| {
        let kind = [("Content-Type", "application/json")];
        let answer = request(server.address, "POST", path, &kind, body.to_string().as_bytes()).unwrap();
        assert!(matches!(answer.status, 200 | 201), "{path}: {answer:?}");
    };
    wait_until("the store", || (server.get("/readyz").status == 200).then_some(()));
    made("/api/v1/groups.json", json!({ "group": { "name": "group\u{202e}", "system_wildcard": "a\u{202e}*" } }));
    made("/api/v1/searches.json", json!({ "search": { "name": "search\u{202e}", "query": "x" } }));
    made("/api/v2/filters", json!({ "name": "filter\u{202e}", "text": "x" }));
    made("/api/v2/shares", json!({ "dashboard": "overview", "name": "share\u{202e}" }));
    assert_eq!(server.stop().0, Some(0));
    // Members are shown to who may manage them, as the operator may.
    let config = dir.join("logdrain.toml");
    std::fs::write(&config, "[watcher]\nuser = \"ops\"\npassword = \"ops-s3cret-12\"\n").unwrap();
    let server = Server::start(&dir, &["--config", config.to_str().unwrap()]);
    let authorization = format!("Basic {}", STANDARD.encode("ops:ops-s3cret-12"));
    // Outside of what is typed.
    let turned = |path: &str| {
        let path = format!("{path}?account=default");
        let page = request(server.address, "GET", &path, &[("Authorization", &authorization)], b"").unwrap();
        assert_eq!(page.status, 200, "{path}: {page:?}");
        assert!(page.body.contains("\\u{202e}"), "{path}: nothing of it is shown: {}", page.body);
        page.body.replace("\u{202e}\" required", "").replace("\u{202e}*\"", "").matches('\u{202e}').count()
    };
    for path in ["/account/members", "/account/searches", "/account/filters", "/dashboards/overview/share", "/events"] {
        assert_eq!(turned(path), 0, "{path}");
    }
}
