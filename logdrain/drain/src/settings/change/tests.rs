use super::super::digest::Digest;
use super::*;
use crate::settings::DrainLimits;
use logdrain_terms::plan::LogPlan;
use std::collections::BTreeSet;

pub fn settings() -> Settings {
    Settings {
        accounts: BTreeMap::new(),
        next_id: 0,
        window_ms: 60_000,
        lateness_ms: 60_000,
        horizon_ms: 3_600_000,
        extended: false,
        websockets: true,
        reading: logdrain_terms::reading::Reading::default(),
        limits: DrainLimits::within(64 << 20).unwrap(),
        drains: BTreeMap::new(),
        apps: BTreeMap::new(),
    }
}

fn shop() -> String {
    "shop".to_owned()
}

fn group(name: &str) -> Group {
    Group { name: name.to_owned(), ..Group::default() }
}

fn search(name: &str, group: Option<u32>) -> Search {
    Search { name: name.to_owned(), query: "error".to_owned(), group }
}

fn filter(text: &str) -> Filter {
    Filter { name: "f".to_owned(), text: text.to_owned(), is_regex: false, is_on: true }
}

fn alert(name: &str, query: &str) -> Alert {
    let rules = crate::alerts::file::parse(&format!("[[log]]\nname = \"{name}\"\nquery = \"{query}\"\n")).unwrap();
    Alert { channels: BTreeSet::from([7]), ..Alert::new(rules[0].clone()) }
}

fn drain(app: &str) -> OwnDrain {
    let read =
        DrainSettings { app: Some(app.to_owned()), account: Some("other".to_owned()), ..DrainSettings::default() };
    OwnDrain { read, credentials: Digest::of("user:password"), tokens: vec![Digest::of("d.1")] }
}

/// Each kind of change, in an order in which all of them fit.
fn changes() -> Vec<Change> {
    let (account, name) = (shop(), "shop.addon".to_owned());
    let plan = Some(Plan { metrics: heroku_metrics::Plan::gold(), logs: LogPlan::default() });
    vec![
        Change::App { drain: "d.1".to_owned(), app: "a".to_owned(), instead: None },
        Change::App { drain: "d.2".to_owned(), app: "b".to_owned(), instead: Some("d.1".to_owned()) },
        Change::Account { account: account.clone() },
        Change::Plan { account: account.clone(), plan, at: 7 },
        Change::AddFilter { account: account.clone(), filter: filter("x") },
        Change::SetFilter { account: account.clone(), id: 1_000, filter: filter("y") },
        Change::AddGroup { account: account.clone(), group: group("web") },
        Change::SetGroup { account: account.clone(), id: 1_001, group: group("all") },
        Change::AddSearch { account: account.clone(), search: search("s", Some(1_001)) },
        Change::SetSearch { account: account.clone(), id: 1_002, search: search("t", Some(1_001)) },
        Change::RemoveGroup { account: account.clone(), id: 1_001 },
        Change::RemoveSearch { account: account.clone(), id: 1_002 },
        Change::RemoveFilter { account: account.clone(), id: 1_000 },
        Change::AddAlert { account: account.clone(), alert: alert("a", "H12") },
        Change::SetAlert { account: account.clone(), id: 1_003, alert: alert("b", "H13") },
        Change::MuteAlert { account: account.clone(), id: 1_003, until: Some(7) },
        Change::ClearAlert { account: account.clone(), id: 1_003 },
        Change::RemoveAlert { account: account.clone(), id: 1_003 },
        Change::TakesUnknown { account: account.clone(), takes: false },
        Change::Register { account: account.clone(), system: "db".to_owned() },
        Change::Unregister { account: account.clone(), system: "db".to_owned() },
        Change::AddDrain { account: account.clone(), name: name.clone(), drain: drain("blog") },
        Change::RemoveDrain { account, name },
    ]
}

#[test]
fn the_same_changes_make_the_same_settings_by_way_of_the_journal() {
    let (mut settings, mut again) = (settings(), settings());
    let (mut given, mut told) = (Vec::new(), Vec::new());
    for change in changes() {
        let text = serde_json::to_string(&change).unwrap();
        let read: Change = serde_json::from_str(&text).unwrap();
        assert_eq!(read, change, "{text}");
        let id = settings.apply(&change).unwrap_or_else(|unfit| panic!("{text}: {unfit}"));
        assert_eq!(again.replay(&read, id), Ok(id));
        given.extend(id);
        told.push((read, id));
        // As it is kept between two of them.
        again = serde_json::from_str(&serde_json::to_string(&again).unwrap()).unwrap();
        assert_eq!(again, settings);
    }
    // Whoever begins with what there was in the end has that in the end.
    for (change, id) in &told {
        let _ = again.replay(change, *id);
    }
    assert_eq!(again, settings);
    assert_eq!(
        given,
        [1_000, 1_000, 1_001, 1_001, 1_002, 1_002, 1_001, 1_002, 1_000, 1_003, 1_003, 1_003, 1_003, 1_003]
    );
    assert_eq!(settings.apps, BTreeMap::from([("d.2".to_owned(), "b".to_owned())]));
    let left = Account {
        plan: Some(Plan { metrics: heroku_metrics::Plan::gold(), logs: LogPlan::default() }),
        plan_since: 7,
        takes_unknown: false,
        ..Account::NONE
    };
    assert_eq!(*settings.account("shop"), left);
}

#[test]
fn what_is_kept_of_a_destroyed_account_says_nothing_and_makes_the_same_settings() {
    let own = Change::App { drain: "shop.addon/d.1".to_owned(), app: "own-app".to_owned(), instead: None };
    let others = Change::AddGroup { account: "blog".to_owned(), group: group("of-others") };
    let all: Vec<_> = changes().into_iter().chain([own, others]).collect();
    let destroy = Change::Destroy { account: shop(), at: 7, upto: 9 };
    let (mut before, mut after) = (settings(), settings());
    for change in &all {
        let id = before.apply(change).unwrap();
        let kept = change.of_destroyed(&settings(), "shop");
        let kept = kept.as_ref().unwrap_or(change);
        assert!(after.replay(kept, id).is_ok(), "{kept:?}");
        assert_eq!(kept.of_destroyed(&settings(), "shop").filter(|again| again != kept), None, "once is enough");
        let text = serde_json::to_string(kept).unwrap();
        let secrets = ["own-app", "\"f\"", "\"x\"", "\"y\"", "web", "all", "\"s\"", "\"t\"", "error", "db", "blog\","];
        let said = secrets.iter().find(|secret| text.contains(**secret));
        assert!(change.account() == Some("blog") || said.is_none(), "{text}");
    }
    before.apply(&destroy).unwrap();
    after.apply(&destroy).unwrap();
    assert_eq!((&before.accounts, &before.apps), (&after.accounts, &after.apps));
}

#[test]
fn a_number_is_never_given_twice_and_stays_below_what_clients_know() {
    let mut settings = settings();
    let add = Change::AddGroup { account: shop(), group: group("g") };
    let first = settings.apply(&add).unwrap().unwrap();
    settings.apply(&Change::RemoveGroup { account: shop(), id: first }).unwrap();
    let elsewhere = Change::AddSearch { account: "blog".to_owned(), search: search("s", None) };
    assert_eq!(settings.apply(&elsewhere), Ok(Some(first + 1)));
    settings.next_id = LAST_ID;
    let before = settings.clone();
    assert_eq!(settings.apply(&add).unwrap_err().kind, Misfit::TooMany);
    assert_eq!(settings, before);
}

#[test]
fn what_does_not_fit_changes_nothing_and_says_why() {
    let mut settings = settings();
    for change in &changes()[..10] {
        settings.apply(change).unwrap();
    }
    settings.apply(&Change::AddDrain { account: shop(), name: "shop.addon".to_owned(), drain: drain("a") }).unwrap();
    settings.apply(&Change::Register { account: shop(), system: "db".to_owned() }).unwrap();
    let before = settings.clone();
    let (long, longest) = ("n".repeat(NAME_BYTES + 1), "q".repeat(QUERY_BYTES + 1));
    let listing =
        |systems: &[&str]| Group { systems: systems.iter().map(|name| (*name).to_owned()).collect(), ..group("g") };
    let own = |name: &str| Change::AddDrain { account: shop(), name: name.to_owned(), drain: drain("a") };
    for (change, kind) in [
        (Change::Account { account: shop() }, Misfit::Taken),
        (Change::Account { account: "default".to_owned() }, Misfit::Taken),
        (Change::Account { account: "../up".to_owned() }, Misfit::Invalid),
        (Change::Account { account: "shared".to_owned() }, Misfit::Invalid),
        (Change::AddFilter { account: shop(), filter: filter("") }, Misfit::Invalid),
        (Change::AddFilter { account: shop(), filter: filter(&longest) }, Misfit::Invalid),
        (Change::SetFilter { account: shop(), id: 7, filter: filter("x") }, Misfit::NotFound),
        (Change::RemoveFilter { account: "blog".to_owned(), id: 1_000 }, Misfit::NotFound),
        (Change::AddGroup { account: shop(), group: group(" ") }, Misfit::Invalid),
        (Change::AddGroup { account: shop(), group: group(&long) }, Misfit::Invalid),
        (Change::AddGroup { account: shop(), group: group("a\r\nSet-Cookie: x") }, Misfit::Invalid),
        (Change::AddGroup { account: shop(), group: listing(&[""]) }, Misfit::Invalid),
        (
            Change::AddGroup { account: shop(), group: Group { wildcard: Some(longest.clone()), ..group("g") } },
            Misfit::Invalid,
        ),
        (Change::SetGroup { account: "blog".to_owned(), id: 1_001, group: group("g") }, Misfit::NotFound),
        (Change::RemoveGroup { account: shop(), id: 1_002 }, Misfit::NotFound),
        (Change::AddSearch { account: shop(), search: search("s", Some(1_002)) }, Misfit::Invalid),
        (Change::AddSearch { account: "blog".to_owned(), search: search("s", Some(1_001)) }, Misfit::Invalid),
        (
            Change::AddSearch { account: shop(), search: Search { query: longest, ..search("s", None) } },
            Misfit::Invalid,
        ),
        (Change::RemoveSearch { account: shop(), id: 1_001 }, Misfit::NotFound),
        (Change::Register { account: shop(), system: "db".to_owned() }, Misfit::Taken),
        (Change::Register { account: shop(), system: long }, Misfit::Invalid),
        (Change::Unregister { account: shop(), system: "web".to_owned() }, Misfit::NotFound),
        (own("shop.addon"), Misfit::Taken),
        (own("addon"), Misfit::Invalid),
        (own("blog.addon"), Misfit::Invalid),
        (own("shop."), Misfit::Invalid),
        (own("shop.a/b"), Misfit::Invalid),
        (Change::RemoveDrain { account: "blog".to_owned(), name: "shop.addon".to_owned() }, Misfit::NotFound),
    ] {
        let unfit = settings.apply(&change).expect_err(&format!("{change:?}"));
        assert_eq!(unfit.kind, kind, "{change:?}: {unfit}");
        assert!(!unfit.why.is_empty() && unfit.why.len() < 200, "{unfit}");
        assert_eq!(settings, before, "{change:?}");
    }
}

#[test]
fn lists_and_accounts_have_bounds() {
    let mut settings = settings();
    for number in 0..FILTERS {
        settings.apply(&Change::AddFilter { account: shop(), filter: filter(&format!("{number}")) }).unwrap();
    }
    let one_more = Change::AddFilter { account: shop(), filter: filter("x") };
    assert_eq!(settings.apply(&one_more).unwrap_err().kind, Misfit::TooMany);
    // Each within its own bound, and all together too much.
    let mut count = 0;
    let refused = loop {
        let mut search = search("s", None);
        search.query = "q".repeat(QUERY_BYTES);
        match settings.apply(&Change::AddSearch { account: shop(), search }) {
            Ok(_) => count += 1,
            Err(unfit) => break unfit,
        }
    };
    assert!(refused.kind == Misfit::TooMany && refused.why.contains("1024 kB"), "{refused}");
    assert!((100..=ACCOUNT_BYTES / QUERY_BYTES).contains(&count), "{count}");
    // What makes it less always fits.
    let (id, _) = settings.account("shop").searches.first_key_value().unwrap();
    settings.apply(&Change::RemoveSearch { account: shop(), id: *id }).unwrap();
    let written = serde_json::to_string(settings.account("shop")).unwrap().len();
    assert!(written < 2 * ACCOUNT_BYTES, "{written}");
}

#[test]
fn an_alert_is_refused_unless_it_can_be_asked_and_an_account_has_a_thousand() {
    let mut settings = settings();
    let fits = alert("a", "H12");
    let lines = |change: &dyn Fn(&mut crate::alerts::file::OfLines)| {
        let mut alert = fits.clone();
        if let crate::alerts::file::Rule::Lines(rule) = &mut alert.rule {
            change(rule);
        }
        alert
    };
    for (alert, kind, why) in [
        (lines(&|rule| rule.period = Some("5 minutes".to_owned())), Misfit::Invalid, "period = \"5 minutes\""),
        (lines(&|rule| rule.name = " ".to_owned()), Misfit::Invalid, "an alert's name"),
        (lines(&|rule| rule.query = "q".repeat(QUERY_BYTES + 1)), Misfit::Invalid, "8192 bytes"),
        (Alert { channels: (0..21).collect(), ..fits.clone() }, Misfit::TooMany, "20 channels"),
        (Alert { description: "d".repeat(QUERY_BYTES + 1), ..fits.clone() }, Misfit::Invalid, "description"),
    ] {
        let unfit = settings.apply(&Change::AddAlert { account: shop(), alert }).unwrap_err();
        assert!(unfit.kind == kind && unfit.why.contains(why), "{unfit}");
    }
    for change in [
        Change::MuteAlert { account: shop(), id: 7, until: None },
        Change::ClearAlert { account: shop(), id: 7 },
        Change::RemoveAlert { account: shop(), id: 7 },
    ] {
        assert_eq!(settings.apply(&change).unwrap_err().kind, Misfit::NotFound, "{change:?}");
    }
    for _ in 0..ALERTS {
        settings.apply(&Change::AddAlert { account: shop(), alert: fits.clone() }).unwrap();
    }
    let unfit = settings.apply(&Change::AddAlert { account: shop(), alert: fits }).unwrap_err();
    assert_eq!((unfit.kind, &*unfit.why), (Misfit::TooMany, "an account has 1000 alerts at most"));
    // Muted until a time, it speaks from then on.
    let (id, _) = settings.account("shop").alerts.first_key_value().unwrap();
    let id = *id;
    settings.apply(&Change::MuteAlert { account: shop(), id, until: Some(7) }).unwrap();
    let alert = &settings.account("shop").alerts[&id];
    assert_eq!([6, 7].map(|time| alert.speaks_at(time)), [false, true]);
}

/// Whoever looks for a hundred thousand words in each line holds up the lines of all others.
#[test]
fn the_alerts_of_an_account_look_for_so_many_words_together() {
    let mut settings = settings();
    let add = |alert: &Alert| Change::AddAlert { account: shop(), alert: alert.clone() };
    let many = alert("many", &"-zqx ".repeat(1_500));
    let ids: Vec<u32> = (0..3).map(|_| settings.apply(&add(&many)).unwrap().unwrap()).collect();
    let unfit = settings.apply(&add(&many)).unwrap_err();
    assert_eq!(
        (unfit.kind, &*unfit.why),
        (Misfit::TooMany, "the alerts of an account look for 5000 words at most together, and these are 6000")
    );
    let change = |id: u32, alert: &Alert| Change::SetAlert { account: shop(), id, alert: alert.clone() };
    settings.apply(&change(ids[0], &many)).unwrap();
    assert!(settings.apply(&change(ids[0], &alert("more", &"x)(".repeat(2_001)))).is_err());
    // What was made before there was such a bound is read as it was, and may only become less.
    let mut old = settings.clone();
    old.replay(&add(&many), None).unwrap();
    assert!(old.apply(&add(&alert("one", "word"))).is_err());
    old.apply(&change(ids[0], &alert("less", "word"))).unwrap();
    settings.apply(&Change::AddAlert { account: "blog".to_owned(), alert: many }).unwrap();
}

#[test]
fn a_drain_of_an_account_is_read_under_its_plan_unless_it_has_one() {
    let mut settings = settings();
    let limit = |settings: &Settings, drain: &str| settings.plan(drain).and_then(heroku_metrics::Plan::streams);
    let plan = |streams| {
        Some(Plan { metrics: heroku_metrics::Plan::new("p").with_streams(streams), logs: LogPlan::default() })
    };
    let of_file = |plan: Option<u32>, account: Option<&str>| DrainSettings {
        plan: plan.map(|streams| heroku_metrics::Plan::new("own").with_streams(streams)),
        account: account.map(str::to_owned),
        ..DrainSettings::default()
    };
    settings.drains.insert("named".to_owned(), of_file(Some(5), Some("shop")));
    settings.drains.insert("plain".to_owned(), of_file(None, Some("shop")));
    let before = settings.clone();
    let drains = ["named/d.1", "plain/d.1", "shop.addon/d.1", "d.1"];
    assert_eq!(drains.map(|drain| limit(&settings, drain)), [Some(5), None, None, None]);
    settings.apply(&Change::AddDrain { account: shop(), name: "shop.addon".to_owned(), drain: drain("blog") }).unwrap();
    settings.apply(&Change::Plan { account: shop(), plan: plan(100), at: 0 }).unwrap();
    assert_eq!(drains.map(|drain| limit(&settings, drain)), [Some(5), Some(100), Some(100), None]);
    assert_eq!(drains.map(|drain| settings.is_same_for(&before, drain)), [true, false, false, true]);
    settings.apply(&Change::Plan { account: "default".to_owned(), plan: plan(7), at: 0 }).unwrap();
    assert_eq!(limit(&settings, "d.1"), Some(7));
    assert_eq!((settings.app("shop.addon/d.1"), settings.account_of("shop.addon/d.1")), (Some("blog"), "shop"));
    let named: BTreeSet<&str> = settings.named_drains().map(|(name, _)| name).collect();
    assert_eq!(named, BTreeSet::from(["named", "plain", "shop.addon"]));
}

#[test]
fn a_configuration_that_is_read_again_takes_nothing_from_accounts() {
    let mut settings = settings();
    for change in changes() {
        settings.apply(&change).unwrap();
    }
    let (before, mut file) = (settings.clone(), self::settings());
    file.window_ms = 30_000;
    settings.configure(&file);
    assert_eq!(settings, Settings { window_ms: 30_000, ..before });
    assert_eq!(settings.configuration(), file);
    // An older program wrote all that it knew of apps each time.
    file.apps.insert("d.9".to_owned(), "other".to_owned());
    settings.configure(&file);
    assert_eq!(settings.apps, file.apps);
}

#[test]
fn an_account_is_destroyed_when_nobody_sends_to_it_any_more() {
    let mut settings = settings();
    let destroy = |account: &str| Change::Destroy { account: account.to_owned(), at: 7, upto: 9 };
    for change in changes().into_iter().take_while(|change| !matches!(change, Change::RemoveDrain { .. })) {
        settings.apply(&change).unwrap();
    }
    let name = "shop.addon".to_owned();
    let key = format!("{name}/d.1");
    settings.apply(&Change::App { drain: key.clone(), app: "a".to_owned(), instead: None }).unwrap();
    settings
        .drains
        .insert("office".to_owned(), DrainSettings { account: Some("office".to_owned()), ..DrainSettings::default() });
    // Whose a drain is: by its name while somebody names it, and by what it was called after that.
    for (key, account, is_of) in [
        (&*key, "shop", Some(true)),
        (&key, "other", Some(false)),
        ("office/d.2", "office", Some(true)),
        ("office/d.2", "shop", Some(false)),
        ("shop.gone/d.3", "shop", Some(true)),
        ("old/d.4", "shop", None),
        ("d.5", "default", Some(true)),
        ("d.5", "shop", Some(false)),
        ("/shop/port", "shop", Some(true)),
        ("/shop/port", "other", Some(false)),
    ] {
        assert_eq!(settings.is_of(key, account), is_of, "{key} {account}");
    }
    for (account, why) in [("default", "purge"), ("shop", "still sends"), ("office", "[[drain]] office"), ("A", "name")]
    {
        let before = settings.clone();
        let unfit = settings.apply(&destroy(account)).unwrap_err();
        assert!(unfit.kind == Misfit::Invalid && unfit.why.contains(why), "{account}: {unfit}");
        assert_eq!(settings, before);
    }
    settings.apply(&Change::RemoveDrain { account: shop(), name }).unwrap();
    assert!(!settings.apps.contains_key(&key), "what it called its app goes with it");
    // Its last windows close behind that, and go with the account.
    assert_eq!((settings.account_of(&key), settings.account_of("nobody.addon/d.1")), ("shop", "default"));
    assert_eq!(settings.account_of("shop.token"), "default", "a token is no name");
    settings.apply(&Change::App { drain: key.clone(), app: "a".to_owned(), instead: None }).unwrap();
    settings.apply(&destroy("shop")).unwrap();
    assert!(!settings.accounts.contains_key("shop") && !settings.apps.contains_key(&key));
    assert_eq!(settings.account_of(&key), "default");
    // Again is as once, and numbers go on.
    assert_eq!(settings.apply(&destroy("shop")), Ok(None));
    let made = settings.apply(&Change::AddFilter { account: shop(), filter: filter("x") });
    assert_eq!(made, Ok(Some(settings.next_id - 1)));
    assert!(settings.next_id > 1_003);
    let text = serde_json::to_string(&destroy("shop")).unwrap();
    assert_eq!(text, r#"{"destroy":{"account":"shop","at":7,"upto":9}}"#);
}
