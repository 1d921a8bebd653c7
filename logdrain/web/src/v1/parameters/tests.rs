use super::*;

fn of_query(query: &str) -> Ask {
    Ask::new(Method::Read, "/events/search.json", query).unwrap()
}

fn of_json(query: &str, body: &str) -> Ask {
    of_query(query).with_body(Some("application/json"), body.as_bytes()).unwrap()
}

#[test]
fn paths_with_and_without_json_are_the_same() {
    for (path, pieces) in [
        ("/systems.json", &["systems"][..]),
        ("/systems", &["systems"]),
        ("/systems/", &["systems"]),
        ("/systems/my%20app%2F1.json", &["systems", "my app/1"]),
        ("/systems/a+b&c=d/join.json", &["systems", "a+b&c=d", "join"]),
        ("/archives/2026-11-28-07/download", &["archives", "2026-11-28-07", "download"]),
        ("//a//b/", &["a", "b"]),
        ("/%ff%00", &["\u{fffd}\0"]),
        ("", &[]),
    ] {
        assert_eq!(Ask::new(Method::Read, path, "format=json").unwrap().path(), pieces, "{path}");
    }
}

#[test]
fn duplicates_trailing_signs_and_empty_values_mean_what_clients_mean() {
    let ask = of_query("cli_version=0.11.2&q=a&limit=5&q=b+%2B&system_id=&cli_version=0.11.2&&group_id");
    assert_eq!((ask.text("q"), ask.number("limit")), (Some("b +"), Ok(Some(5))));
    assert_eq!((ask.text("system_id"), ask.said("system_id"), ask.said("group_id")), (None, Some(""), Some("")));
    assert_eq!((ask.text("x"), ask.said("x")), (None, None));
    // An empty one behind another counts, too: the last one wins.
    assert_eq!(of_query("q=a&q=").text("q"), None);
    assert_eq!(of_query("q=%ff%00%e2%82").text("q"), Some("\u{fffd}\0\u{fffd}"));
}

#[test]
fn keys_are_nested_escaped_listed_or_left_open() {
    for query in ["group[name]=x", "group%5Bname%5D=x", "group[name=x", "group%5Bname=x", "group[name]z=x"] {
        assert_eq!(of_query(query).nested("group", "name"), Some("x"), "{query}");
    }
    let ask = of_query("user[group_ids][]=1&user[group_ids][]=2&group_ids[]=3&a[]=&b=4");
    assert_eq!(ask.list_nested("user", "group_ids"), Some(vec!["1", "2"]));
    assert_eq!((ask.list("group_ids"), ask.list("a"), ask.list("b")), (Some(vec!["3"]), Some(vec![]), Some(vec!["4"])));
    assert_eq!(ask.list("c"), None);
    // What is no list replaces one, and the other way round.
    assert_eq!(of_query("a[]=1&a=2").list("a"), Some(vec!["2"]));
    assert_eq!(of_query("a=1&a[]=2&a[]=3").list("a"), Some(vec!["2", "3"]));
    assert_eq!(of_query("a[b][c][d][e]=1&a[b][c][d]=2").text("a[b][c][d]"), Some("2"));
}

#[test]
fn the_body_counts_over_the_query_and_every_method_has_one() {
    for method in [Method::Read, Method::Create, Method::Change, Method::Remove] {
        let ask = Ask::new(method, "/groups", "name=q&other=q").unwrap();
        let form = ask.clone().with_body(Some("application/x-www-form-urlencoded; charset=utf-8"), b"name=b&").unwrap();
        assert_eq!((form.text("name"), form.text("other")), (Some("b"), Some("q")));
        let json = ask.clone().with_body(Some("application/json"), br#"{"name":"b","list":[1,"2"]}"#).unwrap();
        assert_eq!((json.text("name"), json.text("other")), (Some("b"), Some("q")));
        assert_eq!(json.list("list"), Some(vec!["1", "2"]));
        // Nothing, or blanks, under any type; JSON under none or a wrong one.
        for kind in [None, Some("application/json"), Some("text/plain"), Some("")] {
            assert_eq!(ask.clone().with_body(kind, b" \r\n").unwrap(), ask);
            assert_eq!(ask.clone().with_body(kind, br#" {"name":"b"}"#).unwrap().text("name"), Some("b"));
        }
        assert_eq!(ask.clone().with_body(None, b"name=b").unwrap().text("name"), Some("b"));
    }
}

#[test]
fn json_is_read_as_the_form_that_says_the_same() {
    let ask = of_json(
        "q=query",
        r#"{"group_id":31,"q":"*","min_time":"1700000000","max_time":1700000000.5,"big":18446744073709551616,
            "system":{"name":"a","ip_address":null,"auto_delete":true,"syslog":{"hostname":"h"}},
            "user":{"group_ids":[],"email":"a@example.com"},"none":null,
            "q2":1,"q2":2,"deep":{"a":{"b":{"c":{"d":[{"e":[[1]]}]}}}},"odd":[{"a":1},[2],3]}"#,
    );
    assert_eq!((ask.text("q"), ask.number("group_id")), (Some("*"), Ok(Some(31))));
    assert_eq!(ask.time("min_time"), Ok(Some(1_700_000_000_000_000)));
    assert_eq!(ask.time("max_time"), Ok(Some(1_700_000_000_500_000)));
    assert_eq!((ask.nested("system", "name"), ask.said_nested("system", "ip_address")), (Some("a"), Some("")));
    assert_eq!(ask.flag_nested("system", "auto_delete"), Ok(Some(true)));
    assert_eq!(ask.text("system[syslog][hostname]"), Some("h"));
    assert_eq!((ask.list_nested("user", "group_ids"), ask.said("none")), (Some(vec![]), Some("")));
    assert_eq!((ask.text("q2"), ask.list("odd")), (Some("2"), Some(vec!["3"])));
    assert!(ask.number("big").is_err());
    for wrong in ["[1]", "\"x\"", "7", "{", "{\"a\":}", "{}x", "{\"a\":\"\\ud800\"}"] {
        let read = of_query("").with_body(Some("application/json"), wrong.as_bytes());
        assert!(read.unwrap_err().0.starts_with("the body is no JSON"), "{wrong}");
    }
    assert_eq!(of_json("", "null"), of_query(""));
}

#[test]
fn numbers_come_as_text_and_as_floats() {
    let ask =
        of_query("a=7&b=7.0&c=%207%20&d=9223372036854775807&e=9223372036854775808&f=-1&g=1e3&h=7.5&i=&j=x&k=.0&l=%2B1");
    for key in ["a", "b", "c"] {
        assert_eq!(ask.number(key), Ok(Some(7)), "{key}");
    }
    assert_eq!((ask.number("d"), ask.number("i")), (Ok(Some(i64::MAX as u64)), Ok(None)));
    for key in ["e", "f", "g", "h", "j", "k", "l"] {
        assert!(ask.number(key).unwrap_err().0.starts_with(key), "{key}");
    }
    let ask =
        of_query("a=1700000000&b=1700000000.25&c=-5&d=1e300&e=99999999999999999999&f=nan&g=inf&h=now&i=&j=1.7e9&k=--");
    assert_eq!(ask.time("a"), Ok(Some(1_700_000_000_000_000)));
    assert_eq!(ask.time("b"), Ok(Some(1_700_000_000_250_000)));
    assert_eq!((ask.time("c"), ask.time("i"), ask.time("j")), (Ok(Some(0)), Ok(None), Ok(Some(1_700_000_000_000_000))));
    assert_eq!((ask.time("d"), ask.time("e")), (Ok(Some(i64::MAX)), Ok(Some(i64::MAX))));
    for key in ["f", "g", "h", "k"] {
        assert!(ask.time(key).is_err(), "{key}");
    }
    let ask = of_query("a=true&b=False&c=1&d=maybe&e=");
    assert_eq!((ask.flag("a"), ask.flag("b"), ask.flag("c")), (Ok(Some(true)), Ok(Some(false)), Ok(Some(true))));
    assert!(ask.flag("d").is_err() && ask.flag("e") == Ok(None));
}

#[test]
fn there_is_a_bound_to_everything() {
    let many = "a[]=1&".repeat(VALUES);
    assert_eq!(of_query(&many).list("a").unwrap().len(), VALUES);
    assert!(Ask::new(Method::Read, "/x", &format!("{many}b=1")).is_err());
    let json = format!("{{\"a\":[{}1]}}", "1,".repeat(VALUES));
    assert!(of_query("").with_body(None, json.as_bytes()).unwrap_err().0.contains("more than"));
    let long = format!("{}=1&a=2", "k".repeat(KEY + 1));
    assert_eq!(of_query(&long), of_query("a=2"));
    for deep in ["[", "{\"a\":", "{\"a\":["] {
        let body = deep.repeat(20_000);
        assert!(of_query("").with_body(None, body.as_bytes()).is_err());
    }
    let open = "[".repeat(10_000);
    assert_eq!(of_query(&format!("a{open}=1")), of_query(""));
}

#[test]
fn what_one_form_says_another_says_the_same() {
    // Any bytes: it answers, and what was read can be read again.
    let mut seed = 7_u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let parts: [&[u8]; 22] = [
        b"a", b"b", b"[", b"]", b"[]", b"=", b"&", b"%", b"%5B", b"%5d", b"+", b"\xff", b"{", b"}", b"\"", b":", b",",
        b"null", b"1", b".5", b"\\u00", b" ",
    ];
    for round in 0..20_000 {
        let text: Vec<u8> = (0..next() % 24).flat_map(|_| parts[(next() % 22) as usize].to_vec()).collect();
        let lossy = String::from_utf8_lossy(&text);
        let ask = Ask::new(Method::Create, &lossy, &lossy).unwrap();
        for kind in [None, Some("application/json"), Some("application/x-www-form-urlencoded")] {
            let Ok(whole) = ask.clone().with_body(kind, &text) else { continue };
            let again: Vec<String> = whole
                .given
                .iter()
                .flat_map(|(key, given)| given.values.iter().map(move |value| (key, given.is_list, value)))
                .map(|(key, is_list, value)| {
                    let key = if is_list { format!("{key}[]") } else { key.clone() };
                    form_urlencoded::Serializer::new(String::new()).append_pair(&key, value).finish()
                })
                .collect();
            let again = Ask::new(Method::Create, &lossy, &again.join("&")).unwrap();
            assert_eq!(again, whole, "round {round}: {lossy}");
        }
    }
}
