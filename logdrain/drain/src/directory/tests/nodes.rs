//! The directory as several nodes have it, in a PostgreSQL.

use super::*;
use crate::journal::Members;
use crate::parts::{Parts, Split};
use crate::sql::Address;
use std::time::{Duration, Instant};
use testkit::postgres::Postgres;

struct Nodes {
    postgres: Postgres,
    address: Address,
    one: Arc<Directory>,
    other: Arc<Directory>,
}

impl Nodes {
    fn start(name: &str) -> Option<Self> {
        let postgres = Postgres::start()?;
        let address = Address::parse(&postgres.url(), None).unwrap();
        let parts = (Parts::new(2).unwrap(), Split::ByDrain);
        drop(Members::join(&address, &folder(name), parts, Duration::from_secs(2), None).unwrap());
        let node = |name: String| {
            let directory = Directory::of_nodes(&folder(&name));
            assert!(directory.asks(), "nobody knows whether there is somebody");
            directory.open_on(Db::of_journal(&address, "logdrain").unwrap()).unwrap();
            assert!(!directory.asks());
            directory
        };
        let (one, other) = (node(format!("{name}-1")), node(format!("{name}-2")));
        Some(Self { postgres, address, one, other })
    }
}

fn bucket() -> Bucket {
    Bucket {
        endpoint: None,
        region: "eu".to_owned(),
        name: "old".to_owned(),
        prefix: String::new(),
        key_id: "AKIA".to_owned(),
        secret: "sealed".to_owned(),
    }
}

#[test]
fn resources_that_wait_for_long_hold_up_none_that_is_due_beside_them() {
    let Some(Nodes { postgres, one, .. }) = Nodes::start("due") else { return };
    let many = "INSERT INTO logdrain.addon (uuid, name, due, value) \
                SELECT to_char(number, 'FM0000'), '', number % 2 * 1000, 'of ' || number FROM generate_series(0, 4999) AS number";
    postgres.sql(many);
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let some = one.resources_due(999, &after).unwrap();
        let Some((last, _)) = some.last() else { break };
        assert!(some.len() <= usize::try_from(DUE).unwrap());
        after.clone_from(last);
        all.extend(some);
    }
    assert_eq!(all.len(), 2_500);
    assert!(
        all.iter()
            .zip(0..)
            .all(|((uuid, value), number)| uuid.parse() == Ok(number * 2) && *value == format!("of {}", number * 2))
    );
}

#[test]
fn what_one_node_changes_the_other_knows() {
    let Some(Nodes { postgres: _postgres, one, other, .. }) = Nodes::start("follow") else { return };
    let ann = add(&one, "shop", "ann@example.com");
    let link = one.new_link(ann.id).unwrap();
    assert!(other.linked(link.reveal()).is_none() && other.follow().unwrap() && !other.follow().unwrap());
    assert!(other.asks() && other.linked(link.reveal()).is_some());
    // Where the link came from does not matter, and it is good once.
    other.set_password_by(link.reveal(), PASSWORD).unwrap();
    let again = one.set_password_by(link.reveal(), PASSWORD);
    assert!(matches!(again, Err(DirectoryError::NotFound(_))), "{again:?}");
    one.follow().unwrap();
    assert!(one.check_password("ann@example.com", PASSWORD).is_some());
    let cookie = one.begin_session("shop", Whose::Member(ann.id)).unwrap();
    let (token, issued) = one.issue_token("shop", Some(ann.id), Kind::Admin, "").unwrap();
    let (share, _) = one.new_share(share("shop", Some(ann.id), 3_600)).unwrap();
    one.set_bucket("shop", bucket()).unwrap();
    let web = one.add_system("shop", "web", SystemFacts::default()).unwrap();
    other.follow().unwrap();
    assert!(other.session(cookie.reveal()).is_some() && other.token(token.reveal()).is_some());
    assert!(other.share(share.reveal()).is_some() && other.bucket("shop").is_some());
    assert_eq!(other.system_called("shop", "web").map(|system| system.id), Some(web.id));

    // A password that was right is not remembered longer than it is one.
    assert!(other.check_password("ann@example.com", PASSWORD).is_some());
    let link = one.new_link(ann.id).unwrap();
    one.set_password_by(link.reveal(), "another battery").unwrap();
    other.follow().unwrap();
    assert!(other.remembered("ann@example.com", PASSWORD).is_none());
    assert!(other.check_password("ann@example.com", PASSWORD).is_none());
    assert!(other.session(cookie.reveal()).is_none(), "sessions of the old one are over");

    let cookie = other.begin_session("shop", Whose::Member(ann.id)).unwrap();
    other.remove_token("shop", issued.id).unwrap();
    one.follow().unwrap();
    assert!(one.token(token.reveal()).is_none() && one.session(cookie.reveal()).is_some());
    one.remove_member(ann.id).unwrap();
    other.follow().unwrap();
    assert!(other.member(ann.id).is_none() && other.session(cookie.reveal()).is_none());
    assert!(other.share(share.reveal()).is_none() && !other.asks());
    one.end_account("shop").unwrap();
    other.follow().unwrap();
    assert!(other.bucket("shop").is_none() && other.systems_of("shop").is_empty());
}

#[test]
fn two_nodes_at_once_give_no_number_twice_and_add_nobody_twice() {
    let Some(Nodes { postgres: _postgres, one, other, .. }) = Nodes::start("at-once") else { return };
    let work = |directory: &Directory, own: &str| {
        let mut added = 0;
        let mut numbers = Vec::new();
        for number in 0..40 {
            let (account, email) = ("shop".to_owned(), format!("m{number}@example.com"));
            match directory.add_member(NewMember { account, email, rights: Rights::default() }) {
                Ok(member) => {
                    added += 1;
                    numbers.push(member.id);
                }
                Err(DirectoryError::Taken(_)) => {}
                Err(error) => panic!("{error}"),
            }
            let same = directory.system_id("shop", &format!("s{number}")).unwrap();
            directory.heard(&[("shop", format!("{own}{number}"), 1 << 20)]).unwrap();
            numbers.push(same);
        }
        (added, numbers)
    };
    let ((first, of_one), (second, of_other)) = std::thread::scope(|scope| {
        let other = scope.spawn(|| work(&other, "other"));
        (work(&one, "one"), other.join().unwrap())
    });
    assert_eq!(first + second, 40);
    for directory in [&one, &other] {
        directory.follow().unwrap();
        assert_eq!((directory.members("shop").len(), directory.systems_of("shop").len()), (40, 120));
        for number in 0..40 {
            let id = directory.system_called("shop", &format!("s{number}")).unwrap().id;
            assert!(of_one.contains(&id) && of_other.contains(&id));
        }
        let mut numbers: Vec<_> = directory.systems_of("shop").iter().map(|system| system.id).collect();
        numbers.dedup();
        assert_eq!(numbers.len(), 120);
    }
    assert_eq!(one.members("shop"), other.members("shop"));
}

#[test]
fn a_system_that_two_nodes_make_is_made_once_and_what_the_first_one_said_of_it_stands() {
    let Some(Nodes { postgres: _postgres, one, other, .. }) = Nodes::start("systems") else { return };
    let called =
        |description: &str| SystemFacts { description: Some(description.to_owned()), ..SystemFacts::default() };
    let made = one.add_system("shop", "web", called("the first")).unwrap();
    // It has not heard of that yet.
    let again = other.add_system("shop", "web", called("the second"));
    assert!(matches!(again, Err(DirectoryError::Taken(_))), "{again:?}");
    other.follow().unwrap();
    assert_eq!(other.system("shop", made.id).unwrap().facts, called("the first"));
    // One that was only heard is nobody's yet.
    one.heard(&[("shop", "db", 7)]).unwrap();
    let heard = one.system_called("shop", "db").unwrap().id;
    let named = other.add_system("shop", "db", called("the database")).unwrap();
    assert_eq!((named.id, named.last_event), (heard, Some(7)));
}

#[test]
fn a_database_that_hangs_is_waited_for_by_one_and_not_for_long() {
    let Some(Nodes { postgres, one, .. }) = Nodes::start("hangs") else { return };
    let id = one.add_dashboard("shop", None, "Own", "{}").unwrap();
    postgres.pause(true);
    let closed = |error: DirectoryError| matches!(error, DirectoryError::Closed(_));
    assert!(one.dashboard("shop", None, id).is_err_and(closed));
    // What was asked first is not answered yet: nobody waits behind it, however many come.
    let began = Instant::now();
    for _ in 0..100 {
        assert!(one.dashboards("shop", None).is_err_and(closed));
        assert!(one.channels("shop").is_err_and(closed));
        assert!(one.add_dashboard("shop", None, "Other", "{}").is_err_and(closed));
    }
    println!("300 were told so in {:?}", began.elapsed());
    postgres.pause(false);
    let until = Instant::now() + Duration::from_secs(60);
    let found = loop {
        match one.dashboards("shop", None) {
            Ok(found) => break found,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(found.iter().any(|head| head.id == id && head.title == "Own"), "{found:?}");
}

#[test]
fn while_the_database_is_away_who_is_known_comes_in_and_nothing_is_opened() {
    let Some(Nodes { mut postgres, address, one, .. }) = Nodes::start("away") else { return };
    let (token, _) = one.issue_token("shop", None, Kind::Admin, "").unwrap();
    postgres.stop();
    assert!(one.token(token.reveal()).is_some() && one.asks());
    let refused = one.issue_token("shop", None, Kind::Admin, "").unwrap_err();
    assert!(matches!(refused, DirectoryError::Closed(_)), "{refused}");
    assert!(one.follow().is_err() && one.token(token.reveal()).is_some());
    let late = Directory::of_nodes(&folder("away-late"));
    assert!(late.open_on(Db::of_journal(&address, "logdrain").unwrap()).is_err());
    assert!(late.asks() && !late.is_open() && late.token(token.reveal()).is_none());
    postgres.start_again();
    let began = Instant::now();
    while late.open_on(Db::of_journal(&address, "logdrain").unwrap()).is_err() {
        assert!(began.elapsed() < Duration::from_secs(30));
    }
    assert!(late.token(token.reveal()).is_some());
    while one.issue_token("shop", None, Kind::Admin, "").is_err() {
        assert!(began.elapsed() < Duration::from_secs(30));
    }
    assert!(late.follow().unwrap());
    assert_eq!(late.tokens("shop").len(), 2);
}

#[test]
fn who_is_not_known_is_looked_for_at_once_and_ten_times_a_second_at_most() {
    let Some(Nodes { mut postgres, address, one, other }) = Nodes::start("looks") else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let connect = move || Db::of_journal(&address, "logdrain");
    runtime.spawn(crate::people::follow(one.clone(), connect));
    for _ in 0..5 {
        let (token, _) = other.issue_token("shop", None, Kind::Admin, "").unwrap();
        assert!(one.token(token.reveal()).is_some() || runtime.block_on(one.look()));
        assert!(one.token(token.reveal()).is_some());
    }
    let (before, began) = (one.begin_look(), Instant::now());
    while began.elapsed() < Duration::from_secs(1) {
        runtime.block_on(async {
            let mut all = tokio::task::JoinSet::new();
            for _ in 0..50 {
                let one = one.clone();
                all.spawn(async move { one.look().await });
            }
            assert!(all.join_all().await.iter().all(|looked| *looked));
        });
    }
    let looks = one.begin_look() - before;
    let most = u64::try_from(began.elapsed().as_millis() / 100).unwrap() + 2;
    assert!((4..=most).contains(&looks), "{looks} of {most}");
    // Whoever is not answered waits for a second, and the next one not at all.
    postgres.stop();
    runtime.block_on(one.look());
    let began = Instant::now();
    while runtime.block_on(one.look()) {
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    let began = Instant::now();
    assert!(!runtime.block_on(one.look()) && began.elapsed() < Duration::from_millis(900));
}

#[test]
fn what_is_over_goes_by_the_clock_of_the_database_and_not_what_another_node_has_seen_since() {
    let Some(Nodes { postgres, one, other, .. }) = Nodes::start("over") else { return };
    let ann = add(&one, "shop", "ann@example.com");
    let cookies: Vec<_> = (0..2).map(|_| one.begin_session("shop", Whose::Member(ann.id)).unwrap()).collect();
    let (share, _) = one.new_share(share("shop", None, 3_600)).unwrap();
    postgres.sql("UPDATE logdrain.sessions SET seen = seen - 8 * 86400; UPDATE logdrain.shares SET ends = ends - 7200");
    other.follow().unwrap();
    assert!(other.session(cookies[0].reveal()).is_none() && other.share(share.reveal()).is_none());
    postgres.sql(&format!(
        "UPDATE logdrain.sessions SET seen = seen + 8 * 86400 WHERE digest = '{}'",
        secrets::digest_of(cookies[1].reveal()).hex()
    ));
    other.forget_ended_of_nodes().unwrap();
    let left = "SELECT (SELECT count(*) FROM logdrain.sessions), (SELECT count(*) FROM logdrain.shares)";
    assert_eq!(postgres.sql(left), "1|0");
    other.follow().unwrap();
    assert!(other.session(cookies[1].reveal()).is_some());
}

#[test]
fn what_was_noted_is_kept_whichever_node_noted_it() {
    let Some(Nodes { postgres, one, other, .. }) = Nodes::start("noted") else { return };
    one.heard(&[("shop", "web", 7_u64 << 20)]).unwrap();
    other.follow().unwrap();
    let last = |directory: &Directory| directory.system_called("shop", "web").and_then(|system| system.last_event);
    one.heard(&[("shop", "web", 9_u64 << 20)]).unwrap();
    other.heard(&[("shop", "web", 8_u64 << 20)]).unwrap();
    one.save(false).unwrap();
    other.save(false).unwrap();
    assert_eq!(postgres.sql("SELECT last_event FROM logdrain.systems"), (9 << 20).to_string());
    // Another node's word does not take away what is only in memory.
    one.heard(&[("shop", "web", 10_u64 << 20)]).unwrap();
    other.add_system("shop", "worker", SystemFacts::default()).unwrap();
    one.follow().unwrap();
    assert_eq!((last(&one), one.systems_of("shop").len()), (Some(10 << 20), 2));
    one.save(true).unwrap();
    other.follow().unwrap();
    assert_eq!(last(&other), Some(10 << 20));
}
