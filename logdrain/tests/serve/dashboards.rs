//! Dashboards as people and programs have them: charts of what was sent, those that they make and change by forms and by
//! the API, and links that open one thing alone.

use crate::harness::{Answer, Server, now_micros, request, scratch, time_of, wait_until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

const CONFIG: &str = "[watcher]\nuser = \"ops\"\npassword = \"ops-s3cret-12\"\n\
    [[drain]]\nname = \"web\"\nuser = \"web\"\npassword = \"web-s3cret-1\"\napp = \"shop\"\n\
    [[drain]]\nname = \"blog\"\nuser = \"blog\"\npassword = \"blog-s3cret-1\"\napp = \"blog\"\n\
    [[drain]]\nname = \"other\"\nuser = \"other\"\npassword = \"other-s3cret-1\"\naccount = \"other\"\napp = \"secret-app\"\n";

/// Requests of each drain that are sent: of shop, blog and the other account.
const SENT: [usize; 3] = [7, 5, 3];

pub(crate) struct House {
    pub(crate) dir: PathBuf,
    pub(crate) server: Server,
    pub(crate) admin: String,
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

/// Frames of router lines, and of a dyno and a database.
pub(crate) fn lines(requests: usize) -> Vec<u8> {
    let mut body = Vec::new();
    let mut add = |program: &str, text: &str| {
        let line = format!("<158>1 {} host {program} - {text}\n", time_of(now_micros()));
        body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    };
    for number in 0..requests {
        let (status, code) =
            if number == 0 { (503, "at=error code=H12 desc=\"Request timeout\" ") } else { (200, "at=info ") };
        add(
            "heroku router",
            &format!(
                "{code}method=GET path=\"/\" host=shop.example.com request_id=7b2e fwd=\"192.0.2.7\" dyno=web.{} \
                 connect=1ms service={}ms status={status} bytes=100",
                number % 2 + 1,
                20 + number
            ),
        );
    }
    add(
        "heroku web.1",
        "source=web.1 dyno=heroku.1.2 sample#memory_total=300.00MB sample#memory_rss=280.00MB sample#memory_quota=512.00MB",
    );
    add("heroku web.1", "source=web.1 dyno=heroku.1.2 sample#load_avg_1m=0.25");
    for database in ["DATABASE", "HEROKU_POSTGRESQL_RED"] {
        add(
            "app heroku-postgres",
            &format!(
                "source={database} addon=postgresql-a-1 sample#current_transaction=1000 sample#db_size=4026531bytes \
                 sample#tables=86 sample#active-connections=14 sample#waiting-connections=0 sample#load-avg-1m=0.5"
            ),
        );
    }
    body
}

pub(crate) fn send(server: &Server, pair: &str, id: &str, body: &[u8]) {
    let headers = [
        ("Authorization", basic(pair)),
        ("Logplex-Drain-Token", "d.1".to_owned()),
        ("Logplex-Frame-Id", id.to_owned()),
        ("Content-Type", "application/logplex-1".to_owned()),
    ];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(request(server.address, "POST", "/logs", &headers, body).unwrap().status, 204);
}

pub(crate) fn account(dir: &Path, arguments: &[&str]) -> String {
    let store = dir.join("store");
    let arguments = [&["account"], arguments, &["--store", store.to_str().unwrap()]].concat();
    let output = Command::new(env!("CARGO_BIN_EXE_logdrain")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl House {
    pub(crate) fn new(name: &str) -> Self {
        let dir = scratch(name);
        std::fs::write(dir.join("config.toml"), CONFIG).unwrap();
        let server = Server::start(&dir, &["--config", dir.join("config.toml").to_str().unwrap()]);
        let admin = account(&dir, &["token", "add"]);
        let house = Self { dir, server, admin };
        for (at, pair) in ["web:web-s3cret-1", "blog:blog-s3cret-1", "other:other-s3cret-1"].iter().enumerate() {
            send(&house.server, pair, &format!("f{at}"), &lines(SENT[at]));
        }
        wait_until("minutes of both apps", || {
            let csv = house.get("/charts/status/by-method.csv?range=30m");
            (csv.status == 200 && (sum(&csv.body) - (SENT[0] + SENT[1]) as f64).abs() < 0.5).then_some(())
        });
        house
    }

    pub(crate) fn ask(&self, token: &str, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let len = body.len().to_string();
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("Content-Type", "application/json")];
        headers.extend((!token.is_empty()).then_some(("Authorization", bearer.as_str())));
        headers.extend((method != "POST").then_some(("Content-Length", len.as_str())));
        request(self.server.address, method, path, &headers, body.as_bytes()).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(&self.admin, "GET", path, &Value::Null)
    }

    /// Sends a form as a page does.
    pub(crate) fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let escape = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
        let body: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
        let bearer = format!("Bearer {}", self.admin);
        let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Authorization", bearer.as_str())];
        request(self.server.address, "POST", path, &headers, body.join("&").as_bytes()).unwrap()
    }
}

/// Where an answer leads.
pub(crate) fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{answer:?}");
    let line = answer.head.lines().find(|line| line.to_lowercase().starts_with("location: ")).unwrap();
    line[10..].to_owned()
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

/// The sum of all values of a chart's file.
fn sum(csv: &str) -> f64 {
    csv.lines().skip(1).flat_map(|row| row.split(',').skip(2)).filter_map(|value| value.parse::<f64>().ok()).sum()
}

#[test]
fn the_five_show_what_was_sent_of_the_app_that_is_chosen() {
    let house = House::new("dashboards");
    for (name, title, parts) in [
        (
            "overview",
            "Overview",
            &["Availability", "Throughput", "Response time", "Requests by status", "quota 512", ">Highest</a>"][..],
        ),
        ("errors", "Error Metrics", &["H12", "Request timeout", "HTTP errors by dyno"]),
        ("status", "HTTP Status Codes", &["Top status codes", "503", "By service"]),
        ("postgres", "Postgres Metrics", &["DATABASE · postgresql-a-1", "HEROKU_POSTGRESQL_RED", "Cache hit rate"]),
        ("dynos", "Dyno Runtime", &["Memory total against quota", "web.1"]),
    ] {
        let page = house.get(&format!("/dashboards/{name}?range=1h"));
        assert_eq!(page.status, 200, "{page:?}");
        let head = page.head.to_lowercase();
        assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self'"), "{head}");
        assert!(
            page.body.contains(&format!("<h1>{title}</h1>")) && page.body.contains(&format!("<title>{title} ")),
            "{name}"
        );
        for part in parts {
            assert!(page.body.contains(part), "{name}: {part}: {}", page.body);
        }
        assert!(!page.body.contains("cannot be drawn") && !page.body.contains("secret-app"), "{name}: {}", page.body);
        assert!(!page.body.contains(" style=") && !page.body.contains("<script>"), "{name}");
    }
    let csv = |query: &str| house.get(&format!("/charts/status/by-method.csv?range=30m{query}"));
    assert_eq!(sum(&csv("").body), (SENT[0] + SENT[1]) as f64);
    assert_eq!(sum(&csv("&app_name=shop").body), SENT[0] as f64);
    assert_eq!(sum(&csv("&app_name=blog").body), SENT[1] as f64);
    assert_eq!(sum(&csv("&app_name=secret-app").body), 0.0, "of another account");
    let page = house.get("/dashboards/overview?app_name=shop&range=30m").body;
    assert!(
        page.contains("<option value=\"shop\" selected>shop</option>") && page.contains("value=\"blog\">blog<"),
        "{page}"
    );
    // What was asked for stays when somebody goes on.
    assert!(page.contains("/dashboards/errors?app_name=shop&amp;range=30m"), "{page}");
    let picture = house.get("/charts/overview/response-time.svg?range=30m");
    assert!(picture.body.starts_with("<svg") && picture.head.contains("image/svg+xml"), "{picture:?}");
    let one = house.get("/charts/postgres/connections.csv?range=30m&section=1");
    assert!(one.status == 200 && one.body.contains("active"), "{one:?}");
    for path in
        ["/dashboards/none", "/dashboards/0", "/dashboards/1000", "/charts/overview/none.csv", "/charts/overview/x.png"]
    {
        assert_eq!(house.get(path).status, 404, "{path}");
    }
    assert!(location(&house.get("/dashboards?range=1h")).ends_with("/dashboards/overview?range=1h"));
    assert_eq!(house.server.stop().0, Some(0));
}

/// The version that the forms of a page are for.
fn version(page: &Answer) -> String {
    let rest = page.body.split("name=\"version\" value=\"").nth(1).unwrap_or_else(|| panic!("{page:?}"));
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn a_dashboard_is_made_and_changed_by_forms_alone() {
    let house = House::new("dashboard-forms");
    let edit = location(&house.form("/dashboards", &[("do", "new"), ("title", "Checkout <b>"), ("whose", "account")]));
    assert_eq!(edit, "/dashboards/1/edit");
    let add = |title: &str, more: &[(&str, &str)]| {
        let page = house.get("/dashboards/1/charts/new");
        let version = version(&page);
        let fields = [&[("do", "save"), ("version", version.as_str()), ("title", title)], more].concat();
        location(&house.form("/dashboards/1/charts/new", &fields))
    };
    let share = [
        ("kind", "line"),
        ("s0_metric", "heroku.router.http.requests"),
        ("s0_function", "sum"),
        ("s0_tags", "status_category=5xx"),
        ("s0_scale", "100"),
        ("s0_operation", "divided_by"),
        ("s0_second", "heroku.router.http.requests"),
        ("s0_second_function", "sum"),
        ("unit", "%"),
        ("t0_value", "5"),
        ("t0_label", "too many"),
        ("t0_alarm", "above"),
    ];
    assert!(add("Share of 5xx", &share).ends_with("#at-share-of-5xx"));
    add(
        "By dyno",
        &[("kind", "bars"), ("s0_metric", "heroku.router.http.requests"), ("s0_function", "sum"), ("s0_group", "dyno")],
    );
    add("Requests", &[("kind", "number"), ("s0_metric", "heroku.router.http.requests"), ("s0_function", "sum")]);
    add(
        "Codes",
        &[
            ("kind", "table"),
            ("s0_metric", "heroku.router.http.requests"),
            ("s0_function", "sum"),
            ("s0_group", "status_code"),
            ("column_share", "1"),
        ],
    );
    let page = house.get("/dashboards/1?range=30m");
    for part in ["Checkout &lt;b&gt;", "Share of 5xx", "too many", "By dyno", "Requests", "Codes", "503"] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    assert!(!page.body.contains("Checkout <b>"));
    let csv = house.get("/charts/1/by-dyno.csv?range=30m").body;
    assert!(sum(&csv) == (SENT[0] + SENT[1]) as f64 && csv.contains("web.2"), "{csv}");
    let percent = house.get("/charts/1/share-of-5xx.csv?range=30m").body;
    // One of seven and one of five: two of twelve, if no minute ended in between.
    assert!((14.0..35.0).contains(&sum(&percent)), "{percent}");
    // A wrong field is said, and what was typed stays.
    let page = house.get("/dashboards/1/charts/codes");
    let wrong =
        [("do", "save"), ("version", &version(&page)), ("title", "Typed"), ("s0_metric", "m"), ("s0_tags", "nonsense")];
    let said = house.form("/dashboards/1/charts/codes", &wrong);
    assert!(
        said.status == 422 && said.body.contains("“nonsense”") && said.body.contains("value=\"Typed\""),
        "{said:?}"
    );
    let preview = [
        ("do", "preview"),
        ("version", "1"),
        ("title", "P"),
        ("s0_metric", "heroku.router.bytes"),
        ("s0_function", "sum"),
    ];
    let said = house.form("/dashboards/1/charts/new", &preview);
    assert!(said.status == 200 && said.body.contains("As it would be") && said.body.contains("Series 2"), "{said:?}");
    // Moved, copied, removed.
    let order = || {
        let told = json(&house.get("/dashboards/1/export"));
        told["charts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|chart| chart["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(order(), "share-of-5xx by-dyno requests codes");
    for (action, expected) in [
        ("up:requests", "share-of-5xx requests by-dyno codes"),
        ("down:share-of-5xx", "requests share-of-5xx by-dyno codes"),
        ("again:codes", "requests share-of-5xx by-dyno codes codes-2"),
        ("remove:codes", "requests share-of-5xx by-dyno codes-2"),
    ] {
        let version = version(&house.get("/dashboards/1/edit"));
        location(&house.form("/dashboards/1/edit", &[("do", action), ("version", &version)]));
        assert_eq!(order(), expected, "{action}");
    }
    // Who comes second with an old page changes nothing.
    let late = house.form("/dashboards/1/edit", &[("do", "remove:requests"), ("version", "1")]);
    assert!(late.status == 409 && order().starts_with("requests"), "{late:?}");
    // Out, and in again; a copy of another app.
    let exported = house.get("/dashboards/1/export");
    assert!(exported.head.contains("attachment"), "{exported:?}");
    let import = [("do", "import"), ("json", exported.body.as_str()), ("whose", "account")];
    assert_eq!(location(&house.form("/dashboards", &import)), "/dashboards/2/edit");
    assert_eq!(house.get("/dashboards/2/export").body, exported.body);
    let copy = [("do", "copy"), ("from", "overview"), ("app", "blog"), ("whose", "account")];
    assert_eq!(location(&house.form("/dashboards", &copy)), "/dashboards/3/edit");
    let page = house.get("/dashboards/3?range=30m").body;
    assert!(page.contains("Overview, blog") && page.contains("<option value=\"blog\" selected"), "{page}");
    let hostile = format!("{{\"title\":\"t\",\"charts\":[{}]}}", "{},".repeat(20_000));
    for text in
        ["", "{", "null", "{\"title\":\"\"}", "{\"title\":\"<script>\",\"charts\":[{\"title\":\"\\u001b\"}]}", &hostile]
    {
        let said = house.form("/dashboards", &[("do", "import"), ("json", text)]);
        assert!(said.status == 400 && !said.body.contains("<script>"), "{said:?}");
    }
    let version = version(&house.get("/dashboards/2/edit"));
    location(&house.form("/dashboards/2/edit", &[("do", "delete"), ("version", &version)]));
    assert_eq!(house.get("/dashboards/2").status, 404);
    // Those that everybody has stay as they are.
    assert_eq!(house.form("/dashboards/overview/edit", &[("do", "delete"), ("version", "1")]).status, 400);
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn a_shared_link_opens_that_and_nothing_else() {
    let house = House::new("shared");
    let made = |what: Value| {
        let answer = house.ask(&house.admin, "POST", "/api/v2/shares", &what);
        assert_eq!(answer.status, 201, "{answer:?}");
        let told = json(&answer);
        let link = told["link"].as_str().unwrap();
        (link.split("/shared/").nth(1).unwrap().to_owned(), told["id"].as_u64().unwrap())
    };
    let nobody = |path: &str| house.ask("", "GET", path, &Value::Null);
    let (board, board_id) = made(json!({"dashboard": "status", "app_name": "shop", "range": "30m", "name": "for Ann"}));
    let (chart, chart_id) =
        made(json!({"dashboard": "status", "chart": "by-method", "app_name": "shop", "range": "30m"}));
    assert!(board.len() == 22 && board != chart, "128 bits");
    let page = nobody(&format!("/shared/{board}"));
    assert!(page.status == 200 && page.body.contains("Top status codes") && page.body.contains("shop"), "{page:?}");
    let head = page.head.to_lowercase();
    assert!(head.contains("no-referrer") && head.contains("noindex") && head.contains("no-store"), "{head}");
    // No way on: no link leads anywhere but to its own files.
    for link in page.body.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(link.starts_with("/assets/") || link.starts_with(&format!("/shared/{board}/")), "{link}");
    }
    // Nothing that is asked for besides changes what is shown.
    let plain = nobody(&format!("/shared/{chart}/by-method.csv"));
    assert!(plain.status == 200 && sum(&plain.body) == SENT[0] as f64, "{plain:?}");
    for query in [
        "app_name=blog",
        "app_name=",
        "range=4w",
        "from=1000000000&to=2000000000",
        "metric=heroku.errors.http",
        "account=other",
        "section=1",
        "chart=by-service&board=overview&group_by=app_name",
    ] {
        let asked = nobody(&format!("/shared/{chart}/by-method.csv?{query}"));
        assert_eq!((asked.status, sum(&asked.body)), (200, SENT[0] as f64), "{query}");
        assert_eq!(asked.body.lines().count(), plain.body.lines().count(), "{query}: the same range");
        let page = nobody(&format!("/shared/{chart}?{query}"));
        assert!(page.status == 200 && !page.body.contains("blog") && !page.body.contains("secret-app"), "{query}");
    }
    // A chart is that chart: not the others of its dashboard, and no other path of the server.
    let page = nobody(&format!("/shared/{chart}")).body;
    assert!(page.contains("By method") && !page.contains("By service") && !page.contains("Top status codes"), "{page}");
    for path in [
        format!("/shared/{chart}/by-service.csv"),
        format!("/shared/{chart}/none.csv"),
        format!("/shared/{board}/availability.svg"),
        format!("/shared/{board}/by-method.json"),
        format!("/shared/{board}x"),
        format!("/shared/{}", &board[1..]),
        "/shared/x".to_owned(),
        format!("/shared/{board}/../../dashboards/overview"),
    ] {
        assert_eq!(nobody(&path).status, 404, "{path}");
    }
    let bearer = format!("Bearer {board}");
    let cookie = format!("logdrain={board}");
    for path in [
        "/dashboards/status",
        "/dashboards/overview",
        "/charts/status/by-method.csv",
        "/events",
        "/api/v2/dashboards",
        "/api/v2/series",
        "/api/v1/events/search",
        "/status",
        "/metrics",
    ] {
        let path = format!("{path}?name=x&link={board}");
        // Wrong tokens are answered later and later: it is tried as one where that matters most.
        let is_tried = path.starts_with("/dashboards/status") || path.starts_with("/api/v2/dashboards");
        let tries = [("Cookie", cookie.as_str()), ("Authorization", bearer.as_str())];
        for header in tries.into_iter().take(if is_tried { 2 } else { 1 }) {
            let answer = request(house.server.address, "GET", &path, &[header], b"").unwrap();
            assert!(matches!(answer.status, 401 | 403 | 429), "{path} {header:?}: {answer:?}");
        }
    }
    // It is in no file as it is, told to nobody again, and can be taken back.
    let listed = house.get("/api/v2/shares");
    assert!(listed.body.contains("for Ann") && !listed.body.contains(&board), "{listed:?}");
    let file = std::fs::read(house.dir.join("store/settings.db")).unwrap();
    assert!(!file.windows(board.len()).any(|part| part == board.as_bytes()));
    for (link, id) in [(&board, board_id), (&chart, chart_id)] {
        assert_eq!(house.ask(&house.admin, "DELETE", &format!("/api/v2/shares/{id}"), &Value::Null).status, 204);
        assert_eq!(nobody(&format!("/shared/{link}")).status, 404);
    }
    for what in [
        json!({"dashboard": "none"}),
        json!({"dashboard": "status", "chart": "none"}),
        json!({"dashboard": "status", "days": 0}),
        json!({"dashboard": "status", "days": 366}),
        json!({"dashboard": "status", "name": "x".repeat(300)}),
        json!({"dashboard": "status", "query": "x"}),
    ] {
        let answer = house.ask(&house.admin, "POST", "/api/v2/shares", &what);
        assert!(matches!(answer.status, 400 | 404), "{what}: {answer:?}");
    }
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn dashboards_have_an_api_under_the_same_rights() {
    let house = House::new("dashboards-api");
    let token = |arguments: &[&str]| account(&house.dir, &[&["token", "add"], arguments].concat());
    let (read, record, other) =
        (token(&["--kind", "read"]), token(&["--kind", "record"]), token(&["--account", "other"]));
    for email in ["ann@example.com", "bob@example.com"] {
        account(&house.dir, &["member", "add", email]);
    }
    let (ann, bob) = (token(&["--member", "ann@example.com"]), token(&["--member", "bob@example.com"]));
    let one = json!({"title": "Mine", "charts": [{"title": "A", "series": [{"metric": "heroku.router.bytes", "function": "sum"}]}]});
    let add = |who: &str, what: Value| house.ask(who, "POST", "/api/v2/dashboards", &what);
    let of_all = add(&house.admin, json!({"dashboard": one}));
    assert_eq!(of_all.status, 201, "{of_all:?}");
    let own = add(&ann, json!({"dashboard": one, "own": true, "title": "Ann's"}));
    assert_eq!(own.status, 201, "{own:?}");
    let id = |answer: &Answer| json(answer)["id"].as_u64().unwrap();
    let (of_all, own) = (id(&of_all), id(&own));
    let status = |who: &str, method: &str, id: u64, what: &Value| {
        house.ask(who, method, &format!("/api/v2/dashboards/{id}"), what).status
    };
    let put = json!({"dashboard": {"title": "Taken"}});
    // What is of the account is read by all who read; what is one's own, by him alone.
    for (who, sees_all, sees_own) in [
        (&house.admin, 200, 404),
        (&read, 200, 404),
        (&ann, 200, 200),
        (&bob, 200, 404),
        (&record, 403, 403),
        (&other, 404, 404),
    ] {
        assert_eq!(
            (status(who, "GET", of_all, &Value::Null), status(who, "GET", own, &Value::Null)),
            (sees_all, sees_own),
            "{who}"
        );
        let page = |id: u64| house.ask(who, "GET", &format!("/dashboards/{id}"), &Value::Null).status;
        assert_eq!((page(of_all), page(own)), (sees_all, sees_own), "{who}");
    }
    for (who, expected) in [(&read, [403, 404]), (&record, [403, 403]), (&other, [404, 404]), (&bob, [200, 404])] {
        let got = [status(who, "PUT", of_all, &put), status(who, "PUT", own, &put)];
        assert_eq!(got, expected, "{who}");
    }
    for who in [&read, &record, &other, &bob] {
        assert!(matches!(status(who, "DELETE", own, &Value::Null), 403 | 404), "{who}");
        let seen = house.ask(who, "GET", "/api/v2/dashboards", &Value::Null).body;
        assert!(!seen.contains("Ann's"), "{seen}");
    }
    for who in [&read, &record] {
        assert_eq!(add(who, json!({"copy": "overview"})).status, 403);
        assert_eq!(house.ask(who, "POST", "/api/v2/shares", &json!({"dashboard": "overview"})).status, 403);
    }
    // A version that is not there any more is not replaced.
    let stale = json!({"dashboard": one, "version": 1});
    assert_eq!(status(&house.admin, "PUT", of_all, &stale), 409);
    let now = json(&house.get(&format!("/api/v2/dashboards/{of_all}")));
    assert_eq!((now["version"].as_u64(), now["title"].as_str()), (Some(2), Some("Taken")));
    assert_eq!(status(&house.admin, "PUT", of_all, &json!({"dashboard": one, "version": 2})), 200);
    let shipped = json(&house.get("/api/v2/dashboards"));
    assert_eq!(shipped["shipped"].as_array().unwrap().len(), 5);
    let copy = add(&house.admin, json!({"copy": "dynos", "app": "blog"}));
    assert_eq!(json(&copy)["dashboard"]["app"], "blog");
    for what in [
        json!({}),
        json!({"dashboard": {"title": ""}}),
        json!({"copy": "none"}),
        json!({"dashboard": one, "evil": 1}),
        json!({"dashboard": one, "own": true}),
    ] {
        assert!(matches!(add(&house.admin, what.clone()).status, 400 | 404), "{what}");
    }
    // With a member goes what was his alone, and what he shared.
    let shared = house.ask(&ann, "POST", "/api/v2/shares", &json!({"dashboard": own.to_string()}));
    let link = json(&shared)["link"].as_str().unwrap().split("/shared/").nth(1).unwrap().to_owned();
    assert_eq!(house.ask("", "GET", &format!("/shared/{link}"), &Value::Null).status, 200);
    account(&house.dir, &["member", "remove", "ann@example.com"]);
    assert_eq!(house.ask("", "GET", &format!("/shared/{link}"), &Value::Null).status, 404);
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn a_plan_of_an_hour_shows_the_overview_of_that_hour() {
    let house = House::new("dashboards-plan");
    let made = house.ask(&house.admin, "POST", "/api/v2/dashboards", &json!({"copy": "overview"}));
    assert_eq!(made.status, 201, "{made:?}");
    let shared = house.ask(&house.admin, "POST", "/api/v2/shares", &json!({"dashboard": "errors"}));
    let link = json(&shared)["link"].as_str().unwrap().split("/shared/").nth(1).unwrap().to_owned();
    let plan = |name: Value| {
        let answer = house.ask(&house.admin, "PUT", "/api/v2/plan", &json!({"plan": name}));
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    plan("development".into());
    for path in
        ["/dashboards/errors", "/dashboards/1", "/dashboards/new", "/charts/errors/codes.csv", "/dashboards/1/export"]
    {
        let answer = house.get(path);
        assert!(answer.status == 403 && answer.body.contains("Overview alone"), "{path}: {answer:?}");
    }
    assert_eq!(house.ask("", "GET", &format!("/shared/{link}"), &Value::Null).status, 404);
    let page = house.get("/dashboards/overview?range=24h");
    assert!(page.status == 200 && page.body.contains("shows the last hour"), "{page:?}");
    assert!(!page.body.contains(">24h</a>") && !page.body.contains(">Errors</a>"), "{}", page.body);
    let told = json(&house.get("/api/v2/dashboards"));
    assert_eq!((told["shipped"].as_array().unwrap().len(), told["dashboards"].as_array().unwrap().len()), (1, 0));
    // What was hidden is there again.
    plan("gold".into());
    assert_eq!((house.get("/dashboards/errors").status, house.get("/dashboards/1").status), (200, 200));
    assert_eq!(house.ask("", "GET", &format!("/shared/{link}"), &Value::Null).status, 200);
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn a_member_of_one_group_sees_its_apps_alone() {
    let house = House::new("dashboards-group");
    let group = json!({"group": {"name": "web", "system_wildcard": "shop"}});
    let made = house.ask(&house.admin, "POST", "/api/v1/groups", &group);
    assert_eq!(made.status, 200, "{made:?}");
    account(&house.dir, &["member", "add", "gus@example.com", "--group", "web"]);
    let gus = account(&house.dir, &["token", "add", "--member", "gus@example.com"]);
    let get = |path: &str| house.ask(&gus, "GET", path, &Value::Null);
    let csv = get("/charts/status/by-method.csv?range=30m");
    assert_eq!(sum(&csv.body), SENT[0] as f64, "{csv:?}");
    assert_eq!(sum(&get("/charts/status/by-method.csv?range=30m&app_name=blog").body), 0.0);
    for name in ["overview", "errors", "status", "postgres", "dynos"] {
        let page = get(&format!("/dashboards/{name}?range=30m"));
        assert!(page.status == 200 && !page.body.contains("blog"), "{name}: {page:?}");
        assert!(!page.body.contains(">Share<"), "{name}");
    }
    // Dashboards of his own he has; those of all, and links for anybody, he cannot make.
    let add = |what: Value| house.ask(&gus, "POST", "/api/v2/dashboards", &what).status;
    assert_eq!((add(json!({"copy": "status"})), add(json!({"copy": "status", "own": true}))), (403, 201));
    assert_eq!(house.ask(&gus, "POST", "/api/v2/shares", &json!({"dashboard": "1"})).status, 403);
    let csv = get("/charts/1/by-method.csv?range=30m");
    assert_eq!(sum(&csv.body), SENT[0] as f64, "{csv:?}");
    assert_eq!(house.server.stop().0, Some(0));
}
