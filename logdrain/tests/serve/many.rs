//! Somebody who has many of everything still sees and changes them.

use crate::harness::{Answer, request};
use crate::rights::{House, change};
use serde_json::{Value, json};

fn page(house: &House, token: &str, path: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    house.ask("GET", path, &[("Authorization", &bearer), ("Accept", "text/html")])
}

fn post(house: &House, token: &str, path: &str, body: &Value) -> Value {
    let headers = [("X-Papertrail-Token", token)];
    let answer = request(house.server.address, "POST", path, &headers, body.to_string().as_bytes()).unwrap();
    assert_eq!(answer.status, 201, "{path}: {answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn members_searches_and_groups_of_a_large_account_are_on_its_pages() {
    let house = House::new("many-groups");
    let token = house.token(&["--account", "shop"]);
    for number in 0..400 {
        let (name, wide) = (format!("group-{number:03}"), "*".to_owned() + &"x".repeat(number % 7 * 300));
        let group = json!({ "add_group": { "account": "shop", "group": { "name": name, "wildcard": wide } } });
        let told = change(&house, &group.to_string());
        assert!(told.contains("\"changed\":"), "{told}");
        let search = json!({ "add_search": { "account": "shop", "search": { "name": format!("search-{number:03}"), "query": "x".repeat(500) } } });
        let told = change(&house, &search.to_string());
        assert!(told.contains("\"changed\":"), "{told}");
    }
    for number in 0..60 {
        post(&house, &token, "/api/v2/members", &json!({ "email": format!("m{number:02}@example.com") }));
    }
    let members = page(&house, &token, "/account/members");
    assert_eq!(members.status, 200, "{}", members.head);
    assert!(members.body.contains("m00@example.com") && members.body.contains("more: find them"));
    let found = page(&house, &token, "/account/members?q=m59");
    assert!(found.status == 200 && found.body.contains("m59@example.com"), "{}", found.head);
    assert!(found.body.contains("name=\"group\"") && found.body.contains("group-399"), "each group can be chosen");
    let searches = page(&house, &token, "/account/searches");
    assert_eq!(searches.status, 200, "{}", searches.head);
    assert!(searches.body.contains("search-000") && searches.body.contains("group-000"));
    assert!(searches.body.contains("/edit\">Change</a>"), "a search is changed on a page of its own");
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn alerts_are_listed_however_long_they_are() {
    let house = House::new("many-alerts");
    let token = house.token(&["--account", "shop"]);
    let values: Vec<String> = (0..4).map(|number| format!("{number}{}", "x".repeat(200))).collect();
    let tags: serde_json::Map<_, _> = (0..50).map(|number| (format!("k{number}"), json!(values))).collect();
    let mut ids = Vec::new();
    for number in 0..12 {
        let rule =
            json!({ "name": format!("alert-{number:02}"), "when": [{ "metric": "m", "above": 1.0, "tags": tags }] });
        let made = post(&house, &token, "/api/v2/alerts", &json!({ "metric": rule }));
        ids.push(made["id"].as_u64().unwrap());
    }
    let headers = [("X-Papertrail-Token", token.as_str())];
    let (mut listed, mut pages) = (Vec::new(), 0);
    loop {
        let after = listed.last().copied().unwrap_or(0);
        let answer = house.ask("GET", &format!("/api/v2/alerts?limit=7&after={after}"), &headers);
        assert_eq!(answer.status, 200, "{}", answer.head);
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        let alerts = told["alerts"].as_array().unwrap();
        assert!(alerts.iter().all(|alert| alert["metric"]["when"][0]["tags"]["k49"][0] == *values[0]));
        listed.extend(alerts.iter().map(|alert| alert["id"].as_u64().unwrap()));
        pages += 1;
        if told["more"] == false {
            break;
        }
    }
    assert!(listed == ids && pages == 2, "{pages}: {listed:?}");
    let brief = house.ask("GET", "/api/v2/alerts?brief=true&limit=11", &headers);
    let brief: Value = serde_json::from_str(&brief.body).unwrap();
    let alerts = brief["alerts"].as_array().unwrap();
    assert!(alerts.len() == 11 && brief["more"] == true);
    assert!(alerts.iter().all(|alert| alert.get("metric").is_none() && alert["says"].as_str().unwrap().len() < 400));
    for wrong in ["limit=0", "limit=1001", "after=-1", "after=x"] {
        assert_eq!(house.ask("GET", &format!("/api/v2/alerts?{wrong}"), &headers).status, 400, "{wrong}");
    }
    let shown = page(&house, &token, "/alerts");
    assert_eq!(shown.status, 200, "{}", shown.head);
    assert!(shown.body.contains("alert-00") && shown.body.contains("alert-11") && !shown.body.contains("More alerts"));
    assert_eq!(house.server.stop().0, Some(0));
}
