//! Forms of pages: what they change, and for whom they change nothing.

use crate::harness::{Answer, request};
use crate::rights::{House, basic, form_urlencoded};

/// The token of the forms on a page, as somebody with these headers sees it.
fn token(house: &House, path: &str, headers: &[(&str, &str)]) -> String {
    let page = house.ask("GET", path, headers);
    assert_eq!(page.status, 200, "{path}: {page:?}");
    page.body.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

fn send(house: &House, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let headers: Vec<_> = headers.iter().copied().chain([kind]).collect();
    request(house.server.address, "POST", path, &headers, form_urlencoded(fields).as_bytes()).unwrap()
}

#[test]
fn forms_change_nothing_without_their_token_or_the_right_to() {
    let house = House::new("forms");
    let admin = house.token(&["--account", "shop"]);
    let ann = house.member("ann@example.com", &["--account", "shop", "--manage-members"]);
    let bob = house.member("bob@example.com", &["--account", "blog", "--manage-members"]);
    let rex = house.member("rex@example.com", &["--account", "shop", "--read-only"]);
    let own = token(&house, "/account/filters", &[("Cookie", &ann)]);
    let new = |token: &str| {
        vec![("form", token.to_owned()), ("do", "add".into()), ("text", "noise".into()), ("kind", "string".into())]
    };
    let try_it = |headers: &[(&str, &str)], token: &str, path: &str| {
        let fields = new(token);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        send(&house, path, headers, &fields).status
    };
    let (ann, bob, rex) = (("Cookie", ann.as_str()), ("Cookie", bob.as_str()), ("Cookie", rex.as_str()));
    let ops = basic("ops:ops-s3cret-12");
    let ops = ("Authorization", ops.as_str());
    let of_bob = token(&house, "/account/filters", &[bob]);
    let of_rex = token(&house, "/account/profile", &[rex]);
    let shop = "/account/filters";
    for (headers, token, path) in [
        (vec![ann], "", shop),
        (vec![ann], of_bob.as_str(), shop),
        (vec![ann, ("Origin", "https://evil.example")], own.as_str(), shop),
        (vec![ann, ("Origin", "null")], own.as_str(), shop),
        (
            vec![ann, ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")],
            own.as_str(),
            shop,
        ),
        // A password that the browser knows needs no token, and comes from our pages alone.
        (vec![ops, ("Origin", "https://evil.example")], "", "/account/filters?account=shop"),
        (vec![ops], "", "/account/filters?account=nobody"),
        (vec![bob], of_bob.as_str(), "/account/filters?account=shop"),
        (vec![rex], of_rex.as_str(), shop),
        (vec![], own.as_str(), shop),
    ] {
        let status = try_it(&headers, token, path);
        assert!(matches!(status, 303 | 401 | 403 | 404), "{headers:?} {path}: {status}");
        let known = house.ask("GET", "/api/v2/filters", &[("X-Papertrail-Token", &admin)]).body;
        assert!(known.contains("\"filters\":[]"), "{headers:?} {path}: {known}");
    }
    let done = try_it(&[ann, ("Origin", &format!("http://{}", house.server.address))], &own, shop);
    assert_eq!(done, 303);
    let known = house.ask("GET", "/api/v2/filters", &[("X-Papertrail-Token", &admin)]).body;
    assert!(known.contains("\"text\":\"noise\""), "{known}");
    // What is too long, or no form, is refused before it is read to its end.
    let long = "x".repeat(64 << 10);
    assert_eq!(send(&house, shop, &[ann], &[("form", &own), ("text", &long)]).status, 403);
    let json = [ann, ("Content-Type", "application/json")];
    assert_eq!(request(house.server.address, "POST", shop, &json, b"{}").unwrap().status, 403);
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn light_or_dark_is_chosen_and_one_comes_back() {
    let house = House::new("theme");
    let chosen = send(&house, "/theme", &[], &[("theme", "dark"), ("return", "/login?return=%2Fevents")]);
    assert_eq!(chosen.status, 303, "{chosen:?}");
    let chosen = send(&house, "/theme", &[], &[("theme", "dark"), ("return", "/events?q=a")]);
    let head = chosen.head.to_lowercase();
    assert!(head.contains("location: /events?q=a") && head.contains("set-cookie: logdrain-theme=dark;"), "{head}");
    let page = house.ask("GET", "/login", &[("Cookie", "logdrain-theme=dark")]);
    assert!(page.body.contains("data-theme=\"dark\""), "{page:?}");
    for (fields, headers) in [
        (vec![("theme", "\"><script>"), ("return", "//evil.example")], vec![]),
        (vec![("theme", "dark")], vec![("Origin", "https://evil.example")]),
    ] {
        let answer = send(&house, "/theme", &headers, &fields);
        assert!(
            !answer.head.contains("evil") && !answer.head.contains("=dark") && !answer.head.contains("script"),
            "{answer:?}"
        );
    }
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn files_of_pages_are_kept_for_good_and_pages_are_not() {
    let house = House::new("files");
    let page = house.ask("GET", "/login", &[]);
    let path =
        page.body.split("href=\"").find(|rest| rest.starts_with("/assets/app-")).unwrap().split('"').next().unwrap();
    let file = house.ask("GET", path, &[]);
    assert!(file.status == 200 && file.head.contains("immutable") && file.body.contains("--accent"), "{}", file.head);
    let tag = file.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    assert_eq!(house.ask("GET", path, &[("If-None-Match", tag)]).status, 304);
    assert_eq!(house.ask("GET", "/assets/app-0000.css", &[]).status, 404);
    assert_eq!(house.ask("GET", "/assets/..%2f..%2fconfig.toml", &[]).status, 404);
    let page = house.ask("GET", "/nothing", &[("Accept", "text/html")]);
    assert!(page.status == 404 && page.body.contains("No such page"), "{page:?}");
    for part in ["content-security-policy: default-src 'none'; script-src 'self'", "cache-control: no-store", "nosniff"]
    {
        assert!(page.head.contains(part), "{part}: {}", page.head);
    }
    // Compressed for who asks for it, and not if another site led there.
    let ops = basic("ops:ops-s3cret-12");
    let get = |more: &[(&str, &str)]| {
        let headers: Vec<_> = [("Authorization", ops.as_str()), ("Accept-Encoding", "gzip")]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        house.ask("GET", "/status", &headers).head.contains("content-encoding: gzip")
    };
    assert!(get(&[]) && get(&[("Sec-Fetch-Site", "same-origin")]));
    assert!(!get(&[("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]));
    assert_eq!(house.server.stop().0, Some(0));
}
