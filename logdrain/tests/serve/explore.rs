//! The explorer: metrics found by name, drawn by their tags, told of, and kept as charts.

use crate::dashboards::{House, account, location, send};
use crate::harness::{Answer, now_micros, request, time_of, wait_until};
use serde_json::Value;

const REQUESTS: &str = "/explore/heroku.router.http.requests";

fn page(house: &House, path: &str) -> String {
    let answer = house.get(path);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    assert!(!answer.body.contains(" style=") && !answer.body.contains("<script>"), "{path}");
    answer.body
}

fn frames(lines: impl Iterator<Item = String>) -> Vec<u8> {
    let mut body = Vec::new();
    for text in lines {
        let line = format!("<190>1 {} host app web.1 - {text}\n", time_of(now_micros()));
        body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    body
}

fn form(house: &House, token: &str, path: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Authorization", bearer.as_str())];
    request(house.server.address, "POST", path, &headers, body.as_bytes()).unwrap()
}

#[test]
fn a_metric_is_found_and_drawn_by_its_tags() {
    let house = House::new("explore");
    let all = page(&house, "/explore");
    assert!(all.contains(&format!("href=\"{REQUESTS}\"")) && all.contains("heroku.dyno.mem"), "{all}");
    let some = page(&house, "/explore?q=router+BYTES");
    assert!(some.contains("heroku.router.bytes") && !some.contains("http.requests"), "{some}");
    let pattern = page(&house, "/explore?q=heroku.*.rss");
    assert!(pattern.contains("heroku.dyno.mem.rss") && !pattern.contains("mem.total"), "{pattern}");
    let none = page(&house, "/explore?q=%3Cb%3Ezzz");
    assert!(none.contains("No metric fits") && none.contains("&lt;b&gt;zzz") && !none.contains("<b>zzz"), "{none}");

    // Counts are added up unless something else is asked for.
    let drawn = page(&house, &format!("{REQUESTS}?range=30m"));
    assert!(
        drawn.contains("<option value=\"sum\" selected>") && drawn.contains("<h1>heroku.router.http.requests"),
        "{drawn}"
    );
    for tag in ["status_category", "dyno", "app_name"] {
        assert!(drawn.contains(&format!("<option value=\"{tag}\">{tag}</option>")), "{tag}: {drawn}");
    }
    assert!(!drawn.contains("secret-app"), "of another account");
    let apart = page(&house, &format!("{REQUESTS}?range=30m&group_by=dyno"));
    assert!(apart.contains("dyno=web.1") && apart.contains("dyno=web.2"), "{apart}");
    let one = page(&house, &format!("{REQUESTS}?range=30m&group_by=dyno&tag[dyno]=web.1"));
    assert!(one.contains("dyno=web.1") && !one.contains("dyno=web.2") && one.contains("dyno is web.1"), "{one}");
    let not = page(&house, &format!("{REQUESTS}?range=30m&group_by=*&not[dyno]=web.1&summary=p95&kind=bars"));
    assert!(not.contains("dyno=web.2") && !not.contains("dyno=web.1 ") && not.contains("dyno is not web.1"), "{not}");
    // What is asked for stays when somebody goes on.
    assert!(not.contains("range=1h") && not.contains("summary=p95&amp;kind=bars&amp;group_by=*"), "{not}");
    let nothing = page(&house, &format!("{REQUESTS}?tag[dyno]=web.9"));
    assert!(nothing.contains("There is no value of it in this range with these tags"), "{nothing}");
    for path in ["/explore/none", "/explore/heroku.router.http.requests%20", "/explore/%2E%2E%2F", "/explore/%3Cb%3E"] {
        let answer = house.get(path);
        assert!(answer.status == 404 && !answer.body.contains("<b>"), "{path}: {answer:?}");
    }
    let stranger = house.ask("", "GET", REQUESTS, &Value::Null);
    assert!(matches!(stranger.status, 303 | 401) && !stranger.body.contains("dyno"), "{stranger:?}");
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn what_an_account_says_of_a_metric_is_kept_and_a_chart_is_kept_in_a_dashboard() {
    let house = House::new("explore-keep");
    let told = [
        ("do", "facts"),
        ("period", "300"),
        ("unit", "requests"),
        ("summary", "max"),
        ("colour", "s4"),
        ("description", "What <b>came</b>\nin all"),
    ];
    assert_eq!(location(&house.form(&format!("{REQUESTS}?summary=sum"), &told)), REQUESTS);
    let drawn = page(&house, &format!("{REQUESTS}?range=30m"));
    for part in [
        "What &lt;b&gt;came&lt;/b&gt;\nin all",
        "every 5 minutes",
        "<option value=\"max\" selected>",
        "data-step=\"300\"",
        "sw s4",
    ] {
        assert!(drawn.contains(part), "{part}: {drawn}");
    }
    for wrong in
        [("period", "7"), ("colour", "red"), ("summary", "evil"), ("unit", "a unit that is far too long for it")]
    {
        let fields: Vec<_> = told.iter().map(|field| if field.0 == wrong.0 { wrong } else { *field }).collect();
        assert_eq!(house.form(REQUESTS, &fields).status, 400, "{wrong:?}");
    }
    assert_eq!(house.form("/explore/none", &told).status, 404);
    let same = page(&house, &format!("{REQUESTS}?range=30m"));
    assert!(
        same.contains("every 5 minutes") && same.contains("value=\"requests\""),
        "nothing changed by what was refused"
    );

    let kept = location(&house.form(
        &format!("{REQUESTS}?group_by=dyno&tag[dyno]=web.*"),
        &[("do", "keep"), ("board", "new"), ("title", "By dyno")],
    ));
    assert_eq!(kept, "/dashboards/1");
    let again =
        house.form(&format!("{REQUESTS}?kind=bars&group_by=*"), &[("do", "keep"), ("board", "1"), ("title", "Apart")]);
    assert_eq!(location(&again), kept);
    let board: Value = serde_json::from_str(&house.get("/dashboards/1/export").body).unwrap();
    let charts = board["charts"].as_array().unwrap();
    assert_eq!(
        (charts.len(), charts[0]["title"].as_str(), charts[1]["kind"].as_str()),
        (2, Some("By dyno"), Some("bars")),
        "{board}"
    );
    let source = &charts[0]["series"][0];
    assert_eq!((source["function"].as_str(), source["tags"][0].as_str()), (Some("max"), Some("dyno=web.*")), "{board}");
    assert!(charts[1]["series"][0]["group_by"].as_array().unwrap().len() > 3, "all tags: {board}");
    assert!(page(&house, "/dashboards/1?range=30m").contains("By dyno"));
    // What is said of a metric holds on every chart that does not say another itself.
    let json = r#"{"title":"Plain","charts":[{"title":"All","series":[{"metric":"heroku.router.http.requests","function":"sum"}]}]}"#;
    let plain = location(&house.form("/dashboards", &[("do", "import"), ("json", json), ("whose", "account")]));
    let drawn = page(&house, &format!("{}?range=30m", plain.trim_end_matches("/edit")));
    for part in ["data-step=\"300\"", "data-unit=\"requests\"", "sw s4"] {
        assert!(drawn.contains(part), "{part}: {drawn}");
    }
    let shipped = house.form(REQUESTS, &[("do", "keep"), ("board", "overview"), ("title", "x")]);
    assert_eq!(shipped.status, 403, "{shipped:?}");

    // Who only reads sees it, and changes nothing.
    let read = &account(&house.dir, &["token", "add", "--kind", "read"]);
    let seen = house.ask(read, "GET", REQUESTS, &Value::Null);
    assert!(
        seen.status == 200 && !seen.body.contains("Keep as chart") && seen.body.contains("What &lt;b&gt;came"),
        "{seen:?}"
    );
    for body in ["do=keep&board=new&title=x", "do=keep&board=1&title=x", "do=facts&period=0"] {
        let answer = form(&house, read, REQUESTS, body);
        assert!(matches!(answer.status, 400 | 403), "{body}: {answer:?}");
    }
    let board_now: Value = serde_json::from_str(&house.get("/dashboards/1/export").body).unwrap();
    assert_eq!(board_now, board);
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn hostile_tags_are_text_and_ten_thousand_streams_are_answered_within_a_bound() {
    let house = House::new("explore-many");
    let hostile = ["<script>alert(1)</script>", "\"><img/src=x/onerror=alert(2)>", "a\u{202e}b", "javascript:alert(3)"];
    let lines = hostile.iter().map(|value| format!("count#hostile.tags=1 tag#who={value}"));
    send(&house.server, "web:web-s3cret-1", "hostile", &frames(lines));
    for part in 0..10 {
        let lines =
            (0..1_000).map(|number| format!("measure#many.streams={number}ms tag#user=u{}", part * 1_000 + number));
        send(&house.server, "web:web-s3cret-1", &format!("many{part}"), &frames(lines));
    }
    let drawn = wait_until("all streams", || {
        let answer = house.get("/explore/many.streams?range=30m&group_by=user");
        answer.body.contains("there are 9975 more").then_some(answer.body)
    });
    assert!(drawn.len() < 300_000, "{}", drawn.len());
    let together = page(&house, "/explore/many.streams?range=30m");
    assert!(together.contains("and 9990 more") || together.contains("are not listed"), "{together}");
    let tags = page(&house, "/explore/hostile.tags?range=30m&group_by=who");
    for part in ["<script>alert", "<img", "\u{202e}", "href=\"javascript:"] {
        assert!(!tags.contains(part), "{part}: {tags}");
    }
    assert!(tags.contains("who"), "{tags}");
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn a_member_of_one_group_explores_the_metrics_of_his_systems_alone() {
    let house = House::new("explore-group");
    let told = [("web:web-s3cret-1", "shop"), ("blog:blog-s3cret-1", "blog")];
    for (pair, app) in told {
        let lines = [format!("count#only.{app}=1 tag#page={app}"), format!("count#of.both=1 tag#app={app}")];
        send(&house.server, pair, &format!("only-{app}"), &frames(lines.into_iter()));
    }
    wait_until("both metrics", || {
        let names = house.get("/explore?q=only").body;
        let both = house.get("/explore/of.both?range=30m&group_by=app").body;
        (names.contains("/explore/only.blog") && both.contains("app=shop") && both.contains("app=blog")).then_some(())
    });
    let group = serde_json::json!({"group": {"name": "web", "system_wildcard": "shop"}});
    assert_eq!(house.ask(&house.admin, "POST", "/api/v1/groups", &group).status, 200);
    account(&house.dir, &["member", "add", "gus@example.com", "--group", "web"]);
    let gus = account(&house.dir, &["token", "add", "--member", "gus@example.com"]);
    let get = |path: &str| house.ask(&gus, "GET", path, &Value::Null);
    let names = get("/explore?q=only");
    assert!(names.status == 200 && names.body.contains("/explore/only.shop"), "{names:?}");
    assert!(!names.body.contains("only.blog"), "{names:?}");
    for path in ["/explore/only.blog", "/explore/only.blog?group_by=*"] {
        let answer = get(path);
        assert!(answer.status == 404 && !answer.body.contains("page=blog"), "{path}: {answer:?}");
    }
    // Of what both tell he sees what his tells: streams, values of tags, files.
    for query in ["group_by=app", "group_by=*", "tag[app]=blog", "tag=app!=shop", ""] {
        let page = get(&format!("/explore/of.both?range=30m&{query}"));
        let tags = page.body.split("aria-label=\"Tags\"").nth(1).unwrap_or_default();
        assert!(
            page.status == 200 && !page.body.contains("app=blog<") && !tags.contains(">blog<"),
            "{query}: {page:?}"
        );
    }
    for end in ["csv", "svg"] {
        let file = get(&format!("/explore/of.both/chart.{end}?range=30m&group_by=app"));
        assert!(file.status == 200 && file.body.contains("shop") && !file.body.contains("blog"), "{end}: {file:?}");
        assert_eq!(get(&format!("/explore/only.blog/chart.{end}?range=30m")).status, 404, "{end}");
    }
    let kept = form(&house, &gus, "/explore/only.blog", "do=keep&board=own&title=x");
    assert_eq!(kept.status, 404, "{kept:?}");
    assert_eq!(house.server.stop().0, Some(0));
}
