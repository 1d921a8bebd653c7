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
        assert!(directory.heard(&[("shop", "web", 1)]).is_err() && directory.save().is_err());
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
