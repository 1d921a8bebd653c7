//! What needs no server: sign-ons, seals, what is kept.

use super::kept::Resource;
use super::resources::Resources;
use super::sso::judge;
use crate::resource::uuid;
use logdrain_drain::seal::KeyFile;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SALT: &str = "2f97bfa52ca102f8874716e2eb1d3b4920ad0be4";
const UUID: &str = "01234567-89ab-cdef-0123-456789abcdef";
const AT: i64 = 1_795_270_500;

fn scratch(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("logdrain-addon-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

fn key(dir: &Path) -> Arc<KeyFile> {
    Arc::new(KeyFile::new(Some(dir.join("key"))))
}

/// As Heroku's documentation has it: SHA-1 of `123:SALT:1267597772`, and of `1:SSO_SALT:1262304000`.
#[test]
fn tokens_are_what_herokus_examples_are() {
    use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
    let sha1 = |text: &str| logdrain_drain::seal::hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref());
    assert_eq!(sha1(&format!("123:{SALT}:1267597772")), "bb466eb1d6bc345d11072c3cd25c311f21be130d");
    assert_eq!(sha1("1:SSO_SALT:1262304000"), "b6010f6fbb850887a396c2bc0ab23974003008f6");
}

fn form(pairs: &[(&str, String)]) -> HashMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

fn tokens(at: i64) -> (String, String) {
    use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
    let one = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{UUID}:{SALT}:{at}").as_bytes());
    let user = digest(&SHA256, format!("{UUID}:{SALT}:{at}:user-1:a@example.com").as_bytes());
    (logdrain_drain::seal::hex(one.as_ref()), logdrain_drain::seal::hex(user.as_ref()))
}

#[test]
fn three_kinds_of_tokens_are_good_within_five_minutes() {
    let (resource, user) = tokens(AT);
    let id = || ("resource_id", UUID.to_owned());
    let time = || ("timestamp", AT.to_string());
    let who = |email: &str| [("user_id", "user-1".to_owned()), ("email", email.to_owned()), ("app", "shop".to_owned())];
    let scoped = |email: &str, extra: &[(&str, String)]| {
        let mut all = vec![id(), time(), ("user_scoped_resource_token", user.clone())];
        all.extend(who(email));
        all.extend_from_slice(extra);
        form(&all)
    };
    for now in [AT, AT - 300, AT + 300] {
        let good = judge(&scoped("a@example.com", &[]), SALT, now).unwrap();
        assert!(!good.is_read_only && good.uuid == UUID && good.app.as_deref() == Some("shop"));
        for kind in ["resource_token", "token"] {
            let alone = form(&[
                id(),
                time(),
                (kind, resource.clone()),
                ("email", "b@example.com".to_owned()),
                ("app", "x".to_owned()),
            ]);
            let good = judge(&alone, SALT, now).unwrap();
            assert!(good.is_read_only && good.app.is_none(), "{kind}: nothing that is said is believed");
        }
        let old = form(&[("id", UUID.to_owned()), time(), ("token", resource.clone())]);
        assert!(judge(&old, SALT, now).is_some());
    }
    for now in [AT - 301, AT + 301, i64::MIN, i64::MAX] {
        assert_eq!(judge(&scoped("a@example.com", &[]), SALT, now), None);
    }
    for wrong in [
        scoped("b@example.com", &[]),
        // A right one beside a wrong one does not help.
        scoped("b@example.com", &[("resource_token", resource.clone())]),
        form(&[id(), time()]),
        form(&[id(), time(), ("resource_token", String::new())]),
        form(&[id(), ("timestamp", (AT + 1).to_string()), ("resource_token", resource.clone())]),
        form(&[id(), ("timestamp", "x".to_owned()), ("resource_token", resource.clone())]),
        form(&[("resource_id", "../../etc".to_owned()), time(), ("resource_token", resource.clone())]),
        form(&[time(), ("resource_token", resource.clone())]),
        form(&[]),
    ] {
        assert_eq!(judge(&wrong, SALT, AT), None, "{wrong:?}");
    }
    assert_eq!(judge(&scoped("a@example.com", &[]), "another salt", AT), None);
}

#[test]
fn what_is_sealed_opens_with_its_key_for_its_resource_alone() {
    let dir = scratch("seal");
    let (one, other) = (KeyFile::new(Some(dir.join("one"))), KeyFile::new(Some(dir.join("other"))));
    let sealed = one.seal("a", "secret").unwrap();
    assert!(!sealed.contains("secret") && sealed != one.seal("a", "secret").unwrap());
    assert_eq!(one.unseal("a", &sealed).as_deref(), Some("secret"));
    assert_eq!(KeyFile::new(Some(dir.join("one"))).unseal("a", &sealed).as_deref(), Some("secret"));
    for (what, text) in [("b", sealed.as_str()), ("a", ""), ("a", "x"), ("a", &sealed[4..])] {
        assert_eq!(one.unseal(what, text), None);
    }
    assert_eq!(other.unseal("a", &sealed), None);
    std::fs::write(dir.join("none"), "nothing").unwrap();
    assert!(KeyFile::new(Some(dir.join("none"))).open().is_err() && KeyFile::new(None).seal("a", "x").is_err());
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_sign_on_is_good_once_also_after_a_restart() {
    let dir = scratch("once");
    let open = || Resources::open(&dir, key(&dir)).unwrap();
    let now = logdrain_drain::directory::now();
    let until = now + 300;
    let (user, resource) = ("u:1".to_owned(), "r:1".to_owned());
    let mut resources = open();
    assert!(resources.use_once(&[user.clone(), resource.clone()], until, now).unwrap());
    assert!(!resources.use_once(&[user.clone(), resource.clone()], until, now).unwrap());
    let mut resources = open();
    assert!(
        !resources.use_once(std::slice::from_ref(&resource), until, now).unwrap()
            && !resources.use_once(&[user], until, now).unwrap()
    );
    // Another one of that second is another user's.
    assert!(resources.use_once(&["u:2".to_owned(), resource], until, now).unwrap());
    // What is too old to be good is not remembered.
    assert!(resources.use_once(&["u:3".to_owned()], 7, now).unwrap());
    drop(resources);
    assert!(!std::fs::read_to_string(dir.join("addon/sign-ons")).unwrap().is_empty());
    open();
    assert!(!std::fs::read_to_string(dir.join("addon/sign-ons")).unwrap().contains("u:3"));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn what_was_answered_is_kept_for_a_day() {
    let dir = scratch("answers");
    let mut resources = Resources::open(&dir, key(&dir)).unwrap();
    let resource = |uuid: &str, provisioned: i64, gone: Option<i64>| Resource {
        uuid: uuid.to_owned(),
        name: "n".to_owned(),
        plan: "p".to_owned(),
        provisioned,
        gone,
        answer: Some("sealed".to_owned()),
        ..Resource::default()
    };
    let now = logdrain_drain::directory::now();
    resources.keep(resource("old", now - 90_000, None)).unwrap();
    resources.keep(resource("new", now, None)).unwrap();
    resources.keep(resource("gone", now, Some(now - 10))).unwrap();
    let due = |resources: &mut Resources| {
        let mut due: Vec<_> = resources.due(now).unwrap().into_iter().map(|resource| resource.uuid).collect();
        due.sort_unstable();
        due
    };
    assert_eq!(due(&mut resources), ["gone", "old"], "what is answered still, and waits for nothing, is left alone");
    resources.change("old", |resource| resource.answer = None).unwrap();
    resources.change("gone", |resource| resource.is_destroyed = true).unwrap();
    let mut resources = Resources::open(&dir, key(&dir)).unwrap();
    assert_eq!(due(&mut resources), [""; 0]);
    assert!(resources.get("old").unwrap().unwrap().answer.is_none());
    let found = |name: &str| resources.named(name).unwrap().map(|found| found.uuid);
    assert!(found("n").is_some_and(|uuid| uuid != "gone"), "one that is gone is not found by its name");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn ids_are_uuids() {
    assert_eq!(uuid("01234567-89AB-cdef-0123-456789abcdef").as_deref(), Some(UUID));
    for text in [
        "",
        "x",
        "0123456789ab-cdef-0123-456789abcdef-00",
        "01234567-89ab-cdef-0123-456789abcdeg",
        "../../../../../../../../../../etc/pa",
    ] {
        assert_eq!(uuid(text), None, "{text}");
    }
}

#[test]
fn a_plan_that_was_asked_for_again_is_not_taken_back_by_who_could_not_do_it_the_first_time() {
    let mut resource = Resource { plan: "small".to_owned(), ..Resource::default() };
    resource.ask("large", 7);
    resource.take_back(resource.asked);
    assert_eq!(
        (resource.plan.as_str(), resource.changed),
        ("small", Some(7)),
        "it is looked at which one the account has"
    );
    resource.ask("large", 8);
    let asked = resource.asked;
    // At another node, in the same second, which says that it is done.
    resource.ask("large", 8);
    resource.take_back(asked);
    assert_eq!(resource.plan, "large");
    resource.done(asked + 1, "large", 9);
    assert_eq!((resource.plan.as_str(), resource.changed, resource.sure.as_ref()), ("large", Some(9), None));
}

#[test]
fn of_plans_that_two_nodes_could_not_do_none_is_done_later() {
    let new = || Resource { plan: "small".to_owned(), ..Resource::default() };
    // Whichever of them finds out first.
    for second_first in [false, true] {
        let mut resource = new();
        resource.ask("large", 7);
        let first = resource.asked;
        resource.ask("large", 7);
        let second = resource.asked;
        for asked in if second_first { [second, first] } else { [first, second] } {
            resource.take_back(asked);
        }
        assert_eq!((resource.plan.as_str(), resource.sure.as_ref()), ("small", None), "{second_first}");
    }
    // One of them did it, and says so before the other one gives up, or behind that.
    let mut resource = new();
    resource.ask("large", 7);
    let first = resource.asked;
    resource.ask("huge", 7);
    resource.done(first, "large", 8);
    resource.take_back(resource.asked);
    assert_eq!(resource.plan, "large");
    // Who asked has died: whoever looks sees that the account has what was asked for last, and that holds from then on.
    let mut resource = new();
    resource.ask("large", 7);
    resource.seen(6);
    assert_eq!(resource.sure.as_deref(), Some("small"), "another time");
    resource.seen(7);
    resource.ask("huge", 9);
    resource.take_back(resource.asked);
    assert_eq!(resource.plan, "large");
}

#[test]
fn who_made_a_resource_with_a_plan_that_is_not_its_own_any_more_has_that_looked_at() {
    let new = || Resource { plan: "small".to_owned(), secrets: Some("sealed".to_owned()), ..Resource::default() };
    let mut resource = new();
    resource.made("small", 9);
    assert_eq!((resource.secrets, resource.changed), (None, None));
    let mut resource = new();
    resource.ask("large", 7);
    resource.changed = None;
    resource.made("small", 9);
    assert_eq!((resource.secrets.as_ref(), resource.changed, resource.due()), (None, Some(9), Some(0)));
    let mut resource = new();
    resource.ask("large", 7);
    resource.go(8);
    resource.made("small", 9);
    assert_eq!(resource.changed, None, "it is gone");
}
