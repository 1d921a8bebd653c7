#[cfg(feature = "postgres")]
mod nodes;

use super::*;
use std::fs;

fn folder(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("logdrain-directory-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn open(dir: &Path) -> Arc<Directory> {
    let directory = Directory::new(dir);
    directory.open().unwrap();
    directory
}

fn add(directory: &Directory, account: &str, email: &str) -> Arc<Member> {
    let new = NewMember { account: account.to_owned(), email: email.to_owned(), rights: Rights::all() };
    directory.add_member(new).unwrap()
}

const PASSWORD: &str = "correct horse battery";

#[test]
fn what_was_said_is_there_after_a_restart() {
    let dir = folder("restart");
    let directory = open(&dir);
    assert!(!directory.asks());
    let ann = add(&directory, "shop", " Ann@Example.com ");
    assert_eq!((ann.email.as_str(), ann.has_password()), ("ann@example.com", false));
    let rights = Rights { read_only: true, groups: Access::Some(vec![1_000, 1_002]), ..Rights::default() };
    directory.set_rights(ann.id, rights.clone()).unwrap();
    directory.set_zone(ann.id, Some("Europe/Berlin".to_owned())).unwrap();
    let link = directory.new_link(ann.id).unwrap();
    directory.set_password_by(link.reveal(), PASSWORD).unwrap();
    let (token, _) = directory.issue_token("shop", Some(ann.id), Kind::Read, "laptop").unwrap();
    let (own, _) = directory.issue_token("shop", None, Kind::Admin, "").unwrap();
    let cookie = directory.begin_session("shop", Whose::Member(ann.id)).unwrap();
    let web = directory.system_id("shop", "web").unwrap();
    directory.heard(&[("shop", "web", 7 << 20), ("shop", "worker", 8 << 20), ("blog", "web", 9 << 20)]).unwrap();
    directory.close();
    assert!(matches!(directory.system_id("shop", "new"), Err(DirectoryError::Closed(_))));

    let directory = open(&dir);
    assert!(directory.asks());
    let again = directory.member_called("shop", "ANN@example.com").unwrap();
    assert_eq!((&again.rights, again.zone.as_deref(), again.has_password()), (&rights, Some("Europe/Berlin"), true));
    assert_eq!(directory.check_password("ann@example.com", PASSWORD).map(|member| member.id), Some(ann.id));
    let (_, found) = directory.token(token.reveal()).unwrap();
    assert_eq!((found.member, found.kind, found.name.as_str()), (Some(ann.id), Kind::Read, "laptop"));
    assert!(token.reveal().starts_with("ldr_") && token.reveal().starts_with(&found.shown));
    assert_eq!(directory.token(own.reveal()).unwrap().1.member, None);
    assert_eq!(directory.session(cookie.reveal()).unwrap().1.whose, Whose::Member(ann.id));
    assert_eq!(directory.system_id("shop", "web"), Ok(web));
    assert_eq!(directory.system("shop", web).unwrap().last_event, Some(7 << 20));
    assert_eq!(directory.systems_of("shop").len(), 2);
    assert!(directory.system("blog", web).is_none(), "another account's number");
}

#[test]
fn a_member_goes_with_all_that_is_his() {
    let dir = folder("member");
    let directory = open(&dir);
    let (ann, bob) = (add(&directory, "shop", "ann@example.com"), add(&directory, "shop", "bob@example.com"));
    let taken = NewMember { account: "shop".to_owned(), email: "ANN@example.com".to_owned(), rights: Rights::all() };
    assert!(matches!(directory.add_member(taken), Err(DirectoryError::Taken(_))));
    let (token, _) = directory.issue_token("shop", Some(ann.id), Kind::Admin, "").unwrap();
    let (bobs, listed) = directory.issue_token("shop", Some(bob.id), Kind::Record, "").unwrap();
    let cookie = directory.begin_session("shop", Whose::Member(ann.id)).unwrap();
    let link = directory.new_link(ann.id).unwrap();
    directory.remove_member(ann.id).unwrap();
    assert!(directory.token(token.reveal()).is_none() && directory.session(cookie.reveal()).is_none());
    assert!(directory.linked(link.reveal()).is_none() && directory.set_password_by(link.reveal(), PASSWORD).is_err());
    assert!(directory.remove_token("blog", listed.id).is_err(), "another account's token");
    assert!(directory.token(bobs.reveal()).is_some() && directory.asks());
    // Somebody of the same address is somebody new.
    let again = add(&directory, "shop", "ann@example.com");
    assert!(again.id > bob.id);
    for member in [again.id, bob.id] {
        directory.remove_member(member).unwrap();
    }
    assert!(!directory.asks() && !dir.join("settings.asks").exists());
    let directory = open(&dir);
    assert!(!directory.asks() && directory.token(bobs.reveal()).is_none());
}

#[test]
fn a_link_is_good_once_and_ends_sessions() {
    let directory = open(&folder("link"));
    let ann = add(&directory, "shop", "ann@example.com");
    let first = directory.new_link(ann.id).unwrap();
    let link = directory.new_link(ann.id).unwrap();
    assert!(directory.linked(first.reveal()).is_none(), "a newer one is there");
    assert!(matches!(directory.set_password_by(link.reveal(), "too short"), Err(DirectoryError::Invalid(_))));
    let cookie = directory.begin_session("shop", Whose::Member(ann.id)).unwrap();
    assert!(directory.linked(link.reveal()).is_some());
    directory.set_password_by(link.reveal(), PASSWORD).unwrap();
    assert!(directory.session(cookie.reveal()).is_none());
    assert!(matches!(directory.set_password_by(link.reveal(), "another long one"), Err(DirectoryError::NotFound(_))));
    assert!(directory.check_password("ann@example.com", PASSWORD).is_some());
    assert!(directory.remembered("ann@example.com", PASSWORD).is_some());
    assert!(directory.remembered("ann@example.com", "correct horse batterz").is_none());
    directory.set_password_by(directory.new_link(ann.id).unwrap().reveal(), "another long one").unwrap();
    assert!(directory.remembered("ann@example.com", PASSWORD).is_none(), "it was changed");
    assert!(directory.check_password("ann@example.com", PASSWORD).is_none());
}

#[test]
fn one_address_is_somebody_of_its_own_in_each_account() {
    let directory = open(&folder("accounts"));
    let (shop, blog) = (add(&directory, "shop", "ann@example.com"), add(&directory, "blog", "ann@example.com"));
    for (member, password) in [(&shop, "the password of shop"), (&blog, "the password of blog")] {
        directory.set_password_by(directory.new_link(member.id).unwrap().reveal(), password).unwrap();
    }
    let check = |name: &str, password: &str| directory.check_password(name, password).map(|member| member.id);
    assert_eq!(check("ann@example.com", "the password of blog"), Some(blog.id));
    assert_eq!(check("shop/ann@example.com", "the password of shop"), Some(shop.id));
    assert_eq!(check("shop/ann@example.com", "the password of blog"), None);
    assert_eq!(check("nobody@example.com", "the password of blog"), None);
    directory.end_account("shop").unwrap();
    assert_eq!(directory.members_called("ann@example.com").len(), 1);
    assert!(directory.asks());
}

#[test]
fn a_file_that_is_damaged_or_gone_opens_nothing() {
    let dir = folder("damage");
    let directory = open(&dir);
    let ann = add(&directory, "shop", "ann@example.com");
    let (token, _) = directory.issue_token("shop", Some(ann.id), Kind::Admin, "").unwrap();
    directory.close();
    drop(directory);
    let whole = fs::read(path(&dir)).unwrap();
    let mut newer = whole.clone();
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    let mut foreign = whole.clone();
    foreign[68..72].copy_from_slice(&1_u32.to_be_bytes());
    let mut torn = whole.clone();
    let middle = torn.len() / 2;
    torn[middle - 3_000..middle + 3_000].fill(0xa5);
    for (bytes, said) in [
        (&whole[..whole.len() / 2], "damaged"),
        (&torn, "damaged"),
        (
            b"not a database, and long enough to be looked at ........................................................",
            "damaged",
        ),
        (&newer, "newer"),
        (&foreign, "no file of ours"),
    ] {
        fs::write(path(&dir), bytes).unwrap();
        let directory = Directory::new(&dir);
        let error = directory.open().unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("settings.db"), "{error}");
        assert!(directory.asks() && directory.token(token.reveal()).is_none());
        assert!(directory.closed().unwrap().contains(said));
        assert!(directory.heard(&[("shop", "web", 1)]).is_err() && directory.save(true).is_err());
    }
    // Gone or emptied: it is a new one, and still nobody comes in who did not before.
    for empty in [false, true] {
        fs::remove_file(path(&dir)).unwrap();
        if empty {
            fs::write(path(&dir), b"").unwrap();
        }
        let directory = open(&dir);
        assert!(directory.asks() && directory.token(token.reveal()).is_none());
        assert!(directory.closed().is_none());
    }
    fs::write(path(&dir), &whole).unwrap();
    assert!(open(&dir).token(token.reveal()).is_some());
}

#[cfg(unix)]
#[test]
fn its_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = folder("private");
    fs::write(path(&dir), b"").unwrap();
    fs::set_permissions(path(&dir), fs::Permissions::from_mode(0o644)).unwrap();
    let directory = open(&dir);
    add(&directory, "shop", "ann@example.com");
    for entry in fs::read_dir(&dir).unwrap().flatten() {
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
}

#[test]
fn no_secret_is_in_the_file_or_in_what_is_shown() {
    let dir = folder("secrets");
    let directory = open(&dir);
    let ann = add(&directory, "shop", "ann@example.com");
    let link = directory.new_link(ann.id).unwrap();
    let cookie = directory.begin_session("shop", Whose::Member(ann.id)).unwrap();
    let (token, listed) = directory.issue_token("shop", Some(ann.id), Kind::Admin, "").unwrap();
    directory.set_password_by(directory.new_link(ann.id).unwrap().reveal(), PASSWORD).unwrap();
    let all: Vec<u8> =
        fs::read_dir(&dir).unwrap().flatten().flat_map(|entry| fs::read(entry.path()).unwrap()).collect();
    for secret in [link.reveal(), cookie.reveal(), token.reveal(), PASSWORD] {
        assert!(!all.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}");
        assert!(!format!("{token:?} {listed:?} {directory:?} {link:?}").contains(secret));
    }
}

#[test]
fn text_of_others_is_text() {
    let directory = open(&folder("text"));
    let ann = add(&directory, "shop", "ann@example.com");
    let hostile =
        ["'; DROP TABLE members; --", "\" OR 1=1 --", "a\u{202e}b", "%_*", "$1 ?1 :a", "ann@example.com' OR ''='"];
    for text in hostile {
        assert!(directory.system_id("shop", text).is_ok());
        assert!(
            directory.token(text).is_none() && directory.linked(text).is_none() && directory.session(text).is_none()
        );
        assert!(directory.check_password(text, text).is_none() && directory.member_called("shop", text).is_none());
        assert!(directory.issue_token("shop", Some(ann.id), Kind::Read, text).is_ok());
        let used = [Used { system: text.to_owned(), program: text.to_owned(), events: 1, bytes: 2 }];
        directory.put_usage("shop", "2026-11-28", &used).unwrap();
        assert_eq!(
            directory.usage("shop", "2026-11-01", "2026-11-30").unwrap(),
            [("2026-11-28".to_owned(), used[0].clone())]
        );
        assert!(directory.usage("shop", text, text).unwrap().is_empty());
        let new = NewMember { account: "shop".to_owned(), email: text.to_owned(), rights: Rights::all() };
        assert!(matches!(directory.add_member(new), Err(DirectoryError::Invalid(_))), "{text}");
    }
    for text in ["a\r\nSet-Cookie: x", "a\0b", "\u{1b}[2J"] {
        assert!(directory.issue_token("shop", Some(ann.id), Kind::Read, text).is_err());
        assert!(directory.add_system("shop", text, SystemFacts::default()).is_err());
        let new = NewMember { account: "shop".to_owned(), email: format!("{text}@example.com"), rights: Rights::all() };
        assert!(directory.add_member(new).is_err());
    }
    // What is not seen makes one address look like another.
    for text in
        ["ann\u{200b}@example.com", "\u{202e}nna@example.com", "ann@example.com\u{feff}", "a\u{e0041}@example.com"]
    {
        let new = NewMember { account: "shop".to_owned(), email: text.to_owned(), rights: Rights::all() };
        assert!(matches!(directory.add_member(new), Err(DirectoryError::Invalid(_))), "{text:?}");
    }
    assert_eq!(directory.members("shop").len(), 1);
    assert_eq!(directory.systems_of("shop").len(), hostile.len());
}

#[test]
fn names_that_are_made_up_take_only_so_much() {
    let directory = open(&folder("names"));
    let kept = directory.add_system("shop", "kept", SystemFacts::default()).unwrap();
    let quiet = directory.system_id("blog", "web").unwrap();
    for round in 0..8_u64 {
        let names: Vec<_> = (0..1_000).map(|n| ("shop", format!("{round}-{n}-{}", "x".repeat(240)), round)).collect();
        directory.heard(&names).unwrap();
    }
    let systems = directory.systems_of("shop");
    assert!((4_000..=5_000).contains(&systems.len()), "{}", systems.len());
    assert!(systems.contains(&kept) && directory.system("blog", quiet).is_some());
    assert!(systems.iter().any(|system| system.name.starts_with("7-999-")), "the newest are there");
    assert!(directory.systems().bytes() <= systems::MOST);
    let ids: std::collections::HashSet<_> = systems.iter().map(|system| system.id).collect();
    assert_eq!(ids.len(), systems.len());
}

#[test]
fn a_system_has_what_was_said_of_it() {
    let directory = open(&folder("systems"));
    let id = directory.system_id("shop", "d.1").unwrap();
    let facts = SystemFacts { shown: Some("web".to_owned()), auto_delete: true, ..SystemFacts::default() };
    assert_eq!(directory.set_system("shop", id, facts.clone()).unwrap().shown(), "web");
    assert_eq!(directory.system_called("shop", "web").unwrap().id, id);
    assert_eq!(directory.system_called("shop", "d.1").unwrap().facts, facts);
    assert!(matches!(directory.set_system("blog", id, facts), Err(DirectoryError::NotFound(_))));
    assert!(matches!(directory.add_system("shop", "d.1", SystemFacts::default()), Err(DirectoryError::Taken(_))));
    assert!(directory.remove_system("blog", id).is_err());
    directory.remove_system("shop", id).unwrap();
    assert!(directory.system_id("shop", "d.1").unwrap() > id, "numbers are given once");
}

#[test]
fn one_has_only_so_many_sessions() {
    let directory = open(&folder("sessions"));
    let ann = add(&directory, "shop", "ann@example.com");
    let other = directory.begin_session("shop", Whose::Account { read_only: true }).unwrap();
    let all: Vec<_> = (0..60).map(|_| directory.begin_session("shop", Whose::Member(ann.id)).unwrap()).collect();
    let alive = all.iter().filter(|cookie| directory.session(cookie.reveal()).is_some()).count();
    assert_eq!(alive, 50);
    assert!(directory.session(other.reveal()).is_some());
    directory.end_session(all[59].reveal()).unwrap();
    assert!(directory.session(all[59].reveal()).is_none());
}

fn share(account: &str, member: Option<u32>, ends: i64) -> Share {
    Share {
        id: 0,
        account: account.to_owned(),
        member,
        name: "for the team".to_owned(),
        board: "overview".to_owned(),
        chart: None,
        wanted: "app_name=shop".to_owned(),
        created: 0,
        ends: now() + ends,
    }
}

#[test]
fn a_shared_link_is_kept_as_a_digest_and_ends() {
    let dir = folder("shares");
    let directory = open(&dir);
    let ann = add(&directory, "shop", "ann@example.com");
    let (secret, made) = directory.new_share(share("shop", Some(ann.id), 86_400)).unwrap();
    let (short, _) = directory.new_share(share("shop", None, 1)).unwrap();
    assert_eq!(secret.reveal().len(), 22, "128 bits");
    assert_eq!(directory.share(secret.reveal()), Some(made.clone()));
    for ends in [0, -1, 400 * 86_400] {
        assert!(matches!(directory.new_share(share("shop", None, ends)), Err(DirectoryError::Invalid(_))), "{ends}");
    }
    let long = Share { name: "x".repeat(256), ..share("shop", None, 60) };
    assert!(matches!(directory.new_share(long), Err(DirectoryError::Invalid(_))));
    assert!(matches!(directory.remove_share("blog", made.id), Err(DirectoryError::NotFound(_))), "another account's");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert_eq!(directory.share(short.reveal()), None, "it has ended");
    assert_eq!(directory.shares("shop").len(), 1);
    directory.close();
    let directory = open(&dir);
    assert_eq!(directory.share(secret.reveal()), Some(made.clone()));
    let file = fs::read(path(&dir)).unwrap();
    assert!(!file.windows(22).any(|part| part == secret.reveal().as_bytes()));
    for _ in 1..100 {
        directory.new_share(share("shop", None, 60)).unwrap();
    }
    assert!(matches!(directory.new_share(share("shop", None, 60)), Err(DirectoryError::TooMany(_))));
    directory.remove_member(ann.id).unwrap();
    assert_eq!(directory.share(secret.reveal()), None, "it goes with who made it");
    directory.end_account("shop").unwrap();
    assert_eq!(directory.shares("shop"), []);
}

#[test]
fn dashboards_are_seen_by_the_account_or_by_one_and_changed_by_who_read_them_last() {
    let dir = folder("dashboards");
    let directory = open(&dir);
    let (ann, bob) = (add(&directory, "shop", "ann@example.com"), add(&directory, "shop", "bob@example.com"));
    let all = directory.add_dashboard("shop", None, "Shop", "{}").unwrap();
    let own = directory.add_dashboard("shop", Some(ann.id), "Ann's", "{\"a\":1}").unwrap();
    let titles = |member: Option<u32>| -> Vec<String> {
        directory.dashboards("shop", member).unwrap().into_iter().map(|head| head.title).collect()
    };
    assert_eq!(
        (titles(None), titles(Some(ann.id)), titles(Some(bob.id))),
        (vec!["Shop".to_owned()], vec!["Ann's".to_owned(), "Shop".to_owned()], vec!["Shop".to_owned()])
    );
    assert!(directory.dashboard("shop", Some(bob.id), own).is_err() && directory.dashboard("blog", None, all).is_err());
    let (head, body) = directory.dashboard("shop", Some(ann.id), own).unwrap();
    assert_eq!((body.as_str(), head.version), ("{\"a\":1}", 1));
    assert_eq!(directory.set_dashboard("shop", &head, "Mine", "{}"), Ok(2));
    assert!(matches!(directory.set_dashboard("shop", &head, "Late", "{}"), Err(DirectoryError::Taken(_))));
    assert!(matches!(directory.set_dashboard("blog", &head, "Taken", "{}"), Err(DirectoryError::Taken(_))));
    let (secret, _) = directory.new_share(Share { board: all.to_string(), ..share("shop", None, 60) }).unwrap();
    assert!(directory.remove_dashboard("blog", all).is_err() && directory.share(secret.reveal()).is_some());
    directory.remove_dashboard("shop", all).unwrap();
    assert_eq!(directory.share(secret.reveal()), None, "a link to nothing");
    for _ in 1..100 {
        directory.add_dashboard("shop", None, "x", "{}").unwrap();
    }
    assert!(matches!(directory.add_dashboard("shop", None, "x", "{}"), Err(DirectoryError::TooMany(_))));
    directory.remove_member(ann.id).unwrap();
    assert!(directory.dashboard("shop", Some(ann.id), own).is_err());
    directory.end_account("shop").unwrap();
    assert_eq!(titles(None), [""; 0]);
}

#[test]
fn channels_are_of_their_account_and_go_with_it() {
    let dir = folder("channels");
    let directory = open(&dir);
    let channel = |name: &str| Channel {
        id: 0,
        name: name.to_owned(),
        kind: "slack".to_owned(),
        shown: "https://hooks.example.com".to_owned(),
        settings: "sealed".to_owned(),
        created: 0,
    };
    let id = directory.add_channel("shop", &channel("ops")).unwrap();
    assert!(directory.channel("blog", id).is_err(), "of another account");
    assert!(directory.set_channel("blog", &Channel { id, ..channel("mine") }).is_err());
    assert!(directory.remove_channel("blog", id).is_err());
    directory.set_channel("shop", &Channel { id, ..channel("Ops") }).unwrap();
    directory.close();
    let directory = open(&dir);
    let all = directory.channels("shop").unwrap();
    assert_eq!((all.len(), all[0].name.as_str(), all[0].settings.as_str()), (1, "Ops", "sealed"));
    for number in 1..50 {
        directory.add_channel("shop", &channel(&format!("{number}"))).unwrap();
    }
    assert!(matches!(directory.add_channel("shop", &channel("x")), Err(DirectoryError::TooMany(_))));
    directory.remove_channel("shop", id).unwrap();
    assert!(directory.channel("shop", id).is_err());
    let next = directory.add_channel("shop", &channel("x")).unwrap();
    assert!(next > id, "a number is never given again");
    assert!(directory.ask_recipient("shop", "bob@example.com").unwrap().is_some());
    assert!(directory.ask_recipient("shop", "no address").is_err());
    directory.end_account("shop").unwrap();
    assert_eq!(directory.channels("shop").unwrap(), []);
    assert_eq!(directory.recipients("shop").unwrap(), []);
}

#[test]
fn mail_goes_to_members_and_to_who_has_said_so_by_a_link_that_is_good_once() {
    let directory = open(&folder("recipients"));
    let ann = add(&directory, "shop", "ann@example.com");
    assert!(directory.may_get_mail("shop", "Ann@Example.com").unwrap());
    assert_eq!(directory.ask_recipient("shop", "ann@example.com").unwrap(), None, "a member is not asked");
    assert!(!directory.may_get_mail("blog", "ann@example.com").unwrap(), "she is none there");
    let link = directory.ask_recipient("shop", " Bob@Example.com").unwrap().unwrap();
    assert!(!directory.may_get_mail("shop", "bob@example.com").unwrap());
    assert_eq!(directory.ask_recipient("shop", "bob@example.com").unwrap(), None, "not twice in an hour");
    assert!(directory.ask_recipient("blog", "bob@example.com").unwrap().is_some(), "another account asks by itself");
    let asked = directory.asked_recipient(link.reveal()).unwrap().unwrap();
    assert_eq!((asked.account.as_str(), asked.address.as_str(), asked.confirmed), ("shop", "bob@example.com", None));
    assert_eq!(directory.asked_recipient("nonsense").unwrap(), None);
    assert!(directory.confirm_recipient("nonsense").is_err());
    assert!(directory.confirm_recipient(link.reveal()).unwrap().confirmed.is_some());
    assert!(directory.confirm_recipient(link.reveal()).is_err());
    assert!(directory.may_get_mail("shop", "bob@example.com").unwrap());
    assert!(!directory.may_get_mail("blog", "bob@example.com").unwrap());
    assert_eq!(directory.ask_recipient("shop", "bob@example.com").unwrap(), None, "he has said so");
    directory.refuse_recipient("shop", "Bob@example.com").unwrap();
    assert!(!directory.may_get_mail("shop", "bob@example.com").unwrap());
    assert_eq!(directory.ask_recipient("shop", "bob@example.com").unwrap(), None, "nor is he asked again");
    directory.remove_member(ann.id).unwrap();
    assert!(!directory.may_get_mail("shop", "ann@example.com").unwrap(), "who leaves gets no more");
    for number in 1..200 {
        assert!(directory.ask_recipient("shop", &format!("x{number}@example.com")).unwrap().is_some());
    }
    assert!(matches!(directory.ask_recipient("shop", "x@example.com"), Err(DirectoryError::TooMany(_))));
}

#[test]
fn an_account_that_takes_what_it_gets_leaves_others_some() {
    let dir = folder("parts");
    let directory = open(&dir);
    let first = add(&directory, "shop", "ann@example.com");
    directory.close();
    {
        // As 9,000 requests would have made them.
        let db = rusqlite::Connection::open(path(&dir)).unwrap();
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) INSERT INTO members \
                   (id, account, email, read_only, manage_members, change_plans, purge, groups_allowed, created) \
                   SELECT i, 'a' || (i / 900), i || '@example.com', 0, 0, 0, 0, '*', 0 FROM n";
        db.execute(sql, []).unwrap();
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 5999) INSERT INTO systems \
                   (id, account, name, description, auto_delete, is_made, last_event) \
                   SELECT i, 'a' || (i / 1000), 's' || i, printf('%01000d', i), 0, 1, 0 FROM n";
        db.execute(sql, []).unwrap();
    }
    let directory = open(&dir);
    assert!(first.id < 1_000);
    let new = |account: &str, email: &str| NewMember {
        account: account.to_owned(),
        email: email.to_owned(),
        rights: Rights::default(),
    };
    let refused = directory.add_member(new("a5", "x@example.com")).unwrap_err();
    assert!(refused.to_string().contains("all accounts together"), "{refused}");
    for number in 0..150 {
        directory.add_member(new("shop", &format!("m{number}@example.com"))).unwrap();
    }
    // Systems that were made do not go for others, so that there is only so much of them.
    let facts = || SystemFacts { description: Some("x".repeat(1_000)), ..SystemFacts::default() };
    assert!(matches!(directory.add_system("a2", "another", facts()), Err(DirectoryError::TooMany(_))));
    let small = directory.add_system("shop", "small", SystemFacts::default()).unwrap();
    directory.set_system("shop", small.id, facts()).unwrap();
    let known = directory.system_called("a2", "s2000").unwrap();
    let longer = SystemFacts { hostname: Some("h".repeat(200)), ..facts() };
    assert!(matches!(directory.set_system("a2", known.id, longer), Err(DirectoryError::TooMany(_))));
    directory.set_system("a2", known.id, facts()).unwrap();
    directory.heard(&[("i", "i.1", 7_u64 << 20)]).unwrap();
    assert!(directory.system_called("i", "i.1").is_some());
}

#[test]
fn sessions_of_one_account_do_not_put_those_of_others_out() {
    let dir = folder("sessions-of-all");
    let directory = open(&dir);
    let ann = add(&directory, "shop", "ann@example.com");
    let cookie = directory.begin_session("shop", Whose::Member(ann.id)).unwrap();
    directory.close();
    {
        let db = rusqlite::Connection::open(path(&dir)).unwrap();
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 19999) INSERT INTO sessions \
                   (digest, account, member, whose, seen, ends) \
                   SELECT printf('%064x', i), 'greedy', NULL, 'account', $1, $1 + 1000000 FROM n";
        db.execute(sql, [now() + 1]).unwrap();
    }
    let directory = open(&dir);
    assert!(directory.session(cookie.reveal()).is_some());
    directory.begin_session("greedy", Whose::Account { read_only: true }).unwrap();
    assert!(directory.session(cookie.reveal()).is_some(), "it is the longest idle of all, and not of who has most");
}

#[test]
fn what_is_over_opens_nothing_and_is_deleted_when_somebody_says_so() {
    let dir = folder("ended");
    let directory = open(&dir);
    let ann = add(&directory, "shop", "ann@example.com");
    let (link, cookie) = (directory.new_link(ann.id).unwrap(), directory.begin_session("shop", Whose::Member(ann.id)));
    let (cookie, (secret, _)) = (cookie.unwrap(), directory.new_share(share("shop", None, 86_400)).unwrap());
    directory.close();
    // As if all of it had been made long ago, which a clock that is years ahead says of everything.
    {
        let db = rusqlite::Connection::open(path(&dir)).unwrap();
        db.execute_batch(
            "UPDATE links SET ends = ends - 100000000; UPDATE shares SET ends = ends - 100000000;
             UPDATE sessions SET ends = ends - 100000000, seen = seen - 100000000",
        )
        .unwrap();
    }
    let directory = open(&dir);
    assert!(directory.linked(link.reveal()).is_none() && directory.share(secret.reveal()).is_none());
    assert!(directory.session(cookie.reveal()).is_none());
    // Others come meanwhile.
    directory.begin_session("shop", Whose::Member(ann.id)).unwrap();
    directory.new_share(share("shop", None, 86_400)).unwrap();
    directory.close();
    let count = |table: &str| -> i64 {
        let db = rusqlite::Connection::open(path(&dir)).unwrap();
        db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    let all = || ["links", "shares", "sessions"].map(count);
    assert_eq!(all(), [1, 2, 2], "it is there until a clock that is trusted says otherwise");
    let directory = open(&dir);
    directory.forget_ended(now() - 200_000_000).unwrap();
    assert_eq!(all(), [1, 2, 2]);
    directory.forget_ended(now()).unwrap();
    assert_eq!((all(), directory.shares("shop").len()), ([0, 1, 1], 1));
}
