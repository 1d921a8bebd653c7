//! Who may send, and which pipeline reads what they send.

use super::guesses;
use crate::counters::Refused;
use crate::drain_name::{NO_TOKEN, is_token};
use crate::settings::Settings;
use crate::settings::digest::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use subtle::{Choice, ConstantTimeEq as _};

/// The credentials of all drains. Passwords are kept as digests, and never shown.
#[derive(Clone)]
pub struct Access {
    drains: Vec<Known>,
    /// Drains that accounts have of their own.
    own: Arc<Own>,
    /// Nobody comes in without credentials, whether or not there are any.
    is_closed: bool,
    /// Of `user:password` of who may look at the page and at `/metrics`.
    watcher: Option<[u8; 32]>,
}

#[derive(Clone)]
struct Known {
    name: String,
    /// Of `user:password`.
    digest: [u8; 32],
    /// Digests of the tokens that may come with it; any when there are none.
    tokens: Vec<[u8; 32]>,
}

/// There may be thousands of these: they are found by what was given, and then compared.
#[derive(Default)]
struct Own {
    drains: Vec<Known>,
    by_credentials: HashMap<[u8; 32], usize>,
    by_token: HashMap<[u8; 32], usize>,
}

impl Own {
    fn of(settings: &Settings) -> Self {
        let mut own = Self::default();
        for (name, drain) in settings.accounts.values().flat_map(|account| &account.drains) {
            let index = own.drains.len();
            own.by_credentials.insert(drain.credentials.0, index);
            let tokens: Vec<_> = drain.tokens.iter().map(|token| token.0).collect();
            own.by_token.extend(tokens.iter().map(|token| (*token, index)));
            own.drains.push(Known { name: name.clone(), digest: drain.credentials.0, tokens });
        }
        own
    }
}

impl Known {
    /// Whether this token is named. It is a password: each one is compared to its end.
    fn names(&self, token: &str) -> Choice {
        let digest: [u8; 32] = Sha256::digest(token).into();
        self.tokens.iter().fold(Choice::from(0), |found, own| found | own.ct_eq(&digest))
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.drains.iter().map(|known| &known.name)).finish()
    }
}

impl Access {
    /// Of the drains' names, users, passwords and tokens, and of the user and password of who may watch.
    pub fn new(
        drains: impl IntoIterator<Item = (String, String, String, Vec<String>)>,
        watcher: Option<(&str, &str)>,
    ) -> Self {
        let drains = drains
            .into_iter()
            .map(|(name, user, password, tokens)| Known {
                name,
                digest: digest(&user, &password),
                tokens: tokens.iter().map(|token| Sha256::digest(token).into()).collect(),
            })
            .collect();
        let watcher = watcher.map(|(user, password)| digest(user, password));
        Self { drains, own: Arc::default(), is_closed: false, watcher }
    }

    /// The same with the drains that accounts have of their own. A name of the configuration is the configuration's.
    pub fn with_accounts(&self, settings: &Settings) -> Self {
        Self { own: Arc::new(Own::of(settings)), ..self.clone() }
    }

    /// Nobody may send without credentials from now on, also when nobody has any.
    pub const fn close(&mut self) {
        self.is_closed = true;
    }

    /// Whether somebody was named to watch.
    pub const fn has_watcher(&self) -> bool {
        self.watcher.is_some()
    }

    /// Whether this is the user and the password of who watches.
    pub fn is_watcher(&self, pair: &[u8]) -> bool {
        let digest: [u8; 32] = Sha256::digest(pair).into();
        self.watcher.is_some_and(|watcher| watcher.ct_eq(&digest).into())
    }

    /// What changes when who watches does, and tells nothing of him.
    pub fn watcher_mark(&self) -> Option<[u8; 32]> {
        self.watcher.map(|watcher| {
            let mut mark = Sha256::new();
            mark.update(b"a session of who watches");
            mark.update(watcher);
            mark.finalize().into()
        })
    }

    /// Whether the page and `/metrics` are for everybody.
    pub fn is_readable(&self) -> bool {
        self.is_open() && self.watcher.is_none()
    }

    /// Whether anyone may send.
    pub fn is_open(&self) -> bool {
        self.drains.is_empty() && self.own.drains.is_empty() && !self.is_closed
    }

    /// The pipeline of a syslog drain, by the token that its frames carry. `None` when no drain is named by it.
    pub fn syslog_key(&self, token: Option<&str>) -> Option<Arc<str>> {
        let token = token.filter(|token| is_token(token))?;
        if self.is_open() {
            return Some(token.into());
        }
        let digest = Digest::of(token).0;
        let mut found = self.own.by_token.get(&digest).and_then(|index| self.own.drains.get(*index));
        for known in &self.drains {
            if bool::from(known.names(token)) {
                found = Some(known);
            }
        }
        Some(format!("{}/{token}", found?.name).into())
    }

    /// The pipeline of a delivery with these headers: `NAME/TOKEN`, or the token alone when anyone may send; `-` stands
    /// for a token that did not come, as from Private Spaces.
    ///
    /// What the credentials are compared with takes the same time whatever they are: a digest is compared with every
    /// known one, to its end.
    ///
    /// # Errors
    /// When the credentials are not good, or the token is one that they may not use, or none that Logplex would send.
    pub fn drain_key(&self, authorization: Option<&[u8]>, token: Option<&str>) -> Result<Arc<str>, Refused> {
        let token = token.unwrap_or(NO_TOKEN);
        if self.is_open() {
            return if is_token(token) { Ok(token.into()) } else { Err(Refused::Token) };
        }
        let given = authorization.and_then(basic).unwrap_or_default();
        let digest: [u8; 32] = Sha256::digest(&given).into();
        // A digest that was looked up says nothing of any other.
        let own = self.own.by_credentials.get(&digest).and_then(|index| self.own.drains.get(*index));
        let mut found = own.filter(|known| known.digest.ct_eq(&digest).into());
        for known in &self.drains {
            let is_it: Choice = known.digest.ct_eq(&digest);
            if bool::from(is_it) {
                found = Some(known);
            }
        }
        let known = found.ok_or(Refused::Credentials)?;
        if !is_token(token) {
            return Err(Refused::Token);
        }
        if known.tokens.is_empty() || bool::from(known.names(token)) {
            Ok(format!("{}/{token}", known.name).into())
        } else {
            Err(Refused::Credentials)
        }
    }
}

/// What these credentials are called where they must not be kept: all of them, and their user.
pub(super) fn called(authorization: Option<&[u8]>) -> (guesses::Digest, Option<guesses::Digest>) {
    let given = authorization.and_then(basic);
    let user = given.as_deref().and_then(|given| given.split(|byte| *byte == b':').next());
    (short(given.as_deref().unwrap_or_default()), user.map(short))
}

/// Under which credentials are known where they must not be kept.
pub(super) fn short(bytes: &[u8]) -> guesses::Digest {
    let mut digest = [0; 16];
    digest.copy_from_slice(&Sha256::digest(bytes)[..16]);
    digest
}

fn digest(user: &str, password: &str) -> [u8; 32] {
    Sha256::digest(format!("{user}:{password}")).into()
}

/// `Basic base64(user:password)` -> `user:password`; RFC 7617, 2.
pub fn basic(value: &[u8]) -> Option<Vec<u8>> {
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    STANDARD.decode(rest.trim_ascii()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::DrainSettings;
    use crate::settings::account::OwnDrain;
    use crate::settings::change::Change;

    fn access() -> Access {
        let drains = [
            ("shop".to_owned(), "shop".to_owned(), "s3cret".to_owned(), vec!["d.1".to_owned()]),
            ("blog".to_owned(), "blog".to_owned(), "other".to_owned(), vec![]),
        ];
        Access::new(drains, Some(("ops", "w4tch")))
    }

    fn header(pair: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(pair)).into_bytes()
    }

    #[test]
    fn each_drain_enters_with_its_own_credentials_alone() {
        let access = access();
        let key = |pair: &str, token| access.drain_key(Some(&header(pair)), token).ok().map(|key| key.to_string());
        assert_eq!(key("shop:s3cret", Some("d.1")).as_deref(), Some("shop/d.1"));
        assert_eq!(key("shop:s3cret", Some("d.2")), None, "a token of somebody else");
        assert_eq!(key("shop:s3cret", None), None, "tokens are named, and none came");
        assert_eq!(key("blog:other", None).as_deref(), Some("blog/-"));
        for wrong in ["shop:other", "blog:s3cret", "shop:", ":", "", "shop:s3cret ", "SHOP:s3cret", "shop"] {
            assert_eq!(key(wrong, Some("d.1")), None, "{wrong}");
        }
        for wrong in
            [&b""[..], b"Basic", b"Basic ", b"Bearer c2hvcDpzM2NyZXQ=", b"Basic ????", b"Basic c2hvcDpzM2NyZXQ"]
        {
            assert_eq!(access.drain_key(Some(wrong), Some("d.1")), Err(Refused::Credentials));
        }
        assert_eq!(access.drain_key(None, Some("d.1")), Err(Refused::Credentials));
        assert!(access.drain_key(Some(b"bAsIc c2hvcDpzM2NyZXQ="), Some("d.1")).is_ok(), "a scheme has no case");
    }

    #[test]
    fn anyone_may_send_where_no_drain_is_named() {
        let open = Access::new([], None);
        assert!(open.is_readable() && !open.is_watcher(b""));
        assert_eq!(open.syslog_key(Some("d.1")).as_deref(), Some("d.1"));
        assert_eq!(open.drain_key(None, Some("d.1")).as_deref(), Ok("d.1"));
        assert_eq!(open.drain_key(Some(b"Basic x"), None).as_deref(), Ok("-"));
    }

    #[test]
    fn a_syslog_drain_is_one_that_is_named() {
        let access = access();
        assert_eq!(access.syslog_key(Some("d.1")).as_deref(), Some("shop/d.1"));
        assert_eq!((access.syslog_key(Some("d.9")), access.syslog_key(None)), (None, None));
    }

    #[test]
    fn a_token_that_logplex_would_not_send_is_refused() {
        let (long, longest) = ("d".repeat(65), "d".repeat(64));
        let (open, access) = (Access::new([], None), access());
        for token in [long.as_str(), "", "shop/d.1", "d 1", "d.\u{e4}", "d.\n", "\u{1b}[2J"] {
            assert_eq!(open.drain_key(None, Some(token)), Err(Refused::Token), "{token:?}");
            assert_eq!(access.drain_key(Some(&header("blog:other")), Some(token)), Err(Refused::Token), "{token:?}");
            assert_eq!(access.drain_key(Some(&header("blog:no")), Some(token)), Err(Refused::Credentials), "{token:?}");
            assert_eq!(open.syslog_key(Some(token)), None, "{token:?}");
        }
        assert_eq!(open.drain_key(None, Some(&longest)).as_deref(), Ok(longest.as_str()));
        assert!(access.drain_key(Some(&header("blog:other")), Some("d.01234567-89ab-cdef-0123-456789abcdef")).is_ok());
    }

    #[test]
    fn who_watches_is_named() {
        let access = access();
        assert!(access.is_watcher(b"ops:w4tch"));
        assert!(!access.is_watcher(b"shop:s3cret") && !access.is_watcher(b"") && !access.is_readable());
        let unnamed = Access::new([("a".to_owned(), "a".to_owned(), "a".to_owned(), vec![])], None);
        assert!(!unnamed.is_readable() && !unnamed.is_watcher(b"a:a") && unnamed.watcher_mark().is_none());
    }

    #[test]
    fn a_drain_of_an_account_is_one_with_its_credentials_and_its_token() {
        let mut settings = crate::settings::change::tests::settings();
        let drain = |user: &str, token: &str| OwnDrain {
            read: DrainSettings::default(),
            credentials: Digest::of(format!("{user}:s3cret")),
            tokens: vec![Digest::of(token)],
        };
        let add = |name: &str, drain| Change::AddDrain { account: "acme".to_owned(), name: name.to_owned(), drain };
        settings.apply(&add("acme.one", drain("one", "d.11"))).unwrap();
        settings.apply(&add("acme.two", drain("two", "d.12"))).unwrap();
        // The configuration's own credentials stay its own.
        settings.apply(&add("acme.shop", drain("shop", "d.13"))).unwrap();
        for (access, is_open) in [(Access::new([], None), true), (access(), false)] {
            assert_eq!(access.is_open(), is_open);
            let access = access.with_accounts(&settings);
            let key = |pair: &str, token| access.drain_key(Some(&header(pair)), token).ok().map(|key| key.to_string());
            assert_eq!(key("one:s3cret", Some("d.11")).as_deref(), Some("acme.one/d.11"));
            assert_eq!(key("two:s3cret", Some("d.12")).as_deref(), Some("acme.two/d.12"));
            assert_eq!((key("one:s3cret", Some("d.12")), key("one:s3cret", None)), (None, None), "both must fit");
            assert_eq!((key("one:other", Some("d.11")), key("", Some("d.11"))), (None, None));
            assert_eq!(access.syslog_key(Some("d.12")).as_deref(), Some("acme.two/d.12"));
            assert!(!access.is_open() && access.drain_key(None, Some("d.11")) == Err(Refused::Credentials));
            let name = if is_open { "acme.shop/d.13" } else { "shop/d.1" };
            assert_eq!(key("shop:s3cret", name.split('/').next_back()).as_deref(), Some(name));
        }
        let mut closed = Access::new([], None);
        closed.close();
        assert!(!closed.is_open() && !closed.is_readable() && closed.drain_key(None, Some("d.1")).is_err());
    }

    #[test]
    fn no_secret_is_shown() {
        assert_eq!(format!("{:?}", access()), "[\"shop\", \"blog\"]");
    }
}
