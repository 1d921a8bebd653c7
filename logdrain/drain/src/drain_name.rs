//! How a drain is called wherever people and other programs look: in rows and their ids, in `/metrics`, on the page, in
//! `doctor` and in the log.
//!
//! The journal knows a drain by its key: `NAME/TOKEN`, or the token alone where anyone may send. A token is a password:
//! who knows it can write lines of that drain. So it is never shown. What stands for it is the beginning of its digest,
//! the same one each time, so that two tokens under one name are told apart and can be looked for.

use sha2::{Digest, Sha256};
use std::fmt;

/// The longest drain token that is taken. Logplex's own have 38 bytes.
const LONGEST_TOKEN: usize = 64;

/// Stands for a token that did not come, as from Private Spaces.
pub const NO_TOKEN: &str = "-";

/// Whether it may be a drain token. Every row and every pipeline is under its name, so it is short, and without a slash
/// it is not taken for a name and a token.
pub fn is_token(token: &str) -> bool {
    (1..=LONGEST_TOKEN).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
}

/// The account of drains that name none.
pub const DEFAULT_ACCOUNT: &str = "default";

/// What the journal knows a plain syslog port by: `/ACCOUNT/NAME`. No drain's key begins with a slash. Its lines are of the
/// account that the port had when they came.
pub fn port_key(account: &str, name: &str) -> String {
    format!("/{account}/{name}")
}

/// The account and the name of a port; `None` for a drain.
pub fn port_of(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix('/')?.split_once('/')
}

/// What the keys of measurements begin with. No `[[drain]]` is called so.
pub const MEASUREMENTS: &str = "measurements";

/// What the journal knows the measurements by that programs send for an account: `measurements/ACCOUNT`.
pub fn measurements_key(account: &str) -> String {
    format!("{MEASUREMENTS}/{account}")
}

/// The account of measurements; `None` for a drain, also for one that an older configuration called `measurements`: the
/// tokens of Logplex are no names of accounts.
pub fn measurements_of(key: &str) -> Option<&str> {
    let account = key.strip_prefix(MEASUREMENTS)?.strip_prefix('/')?;
    log_store::is_account_name(account).then_some(account)
}

/// A drain, by the key that the journal knows it by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DrainName<'a> {
    /// In the configuration.
    name: Option<&'a str>,
    token: &'a str,
}

impl<'a> DrainName<'a> {
    /// Of the journal's key. A port is called by its name, which is no secret.
    pub fn of(key: &'a str) -> Self {
        if let Some((_, name)) = port_of(key) {
            return Self { name: Some(name), token: NO_TOKEN };
        }
        // Nothing of it is secret.
        if measurements_of(key).is_some() {
            return Self { name: Some(key), token: NO_TOKEN };
        }
        match key.split_once('/') {
            Some((name, token)) => Self { name: Some(name), token },
            None => Self { name: None, token: key },
        }
    }

    /// The name in the configuration; where there is none, the token.
    pub fn configured(self) -> &'a str {
        self.name.unwrap_or(self.token)
    }

    /// What may be shown: `shop/drain-0f3a52c1`, `drain-0f3a52c1` where anyone may send, and `shop` or `-` when no token
    /// came.
    pub fn shown(self) -> Shown<'a> {
        Shown(self)
    }
}

/// A drain's name, as it is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown<'a>(DrainName<'a>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DrainName { name, token } = self.0;
        if let Some(name) = name {
            f.write_str(name)?;
            if token == NO_TOKEN {
                return Ok(());
            }
            f.write_str("/")?;
        } else if token == NO_TOKEN {
            return f.write_str(NO_TOKEN);
        }
        f.write_str("drain-")?;
        Sha256::digest(token).iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown_and_always_called_the_same() {
        let shown = |key: &str| DrainName::of(key).shown().to_string();
        // The digest of "abc" is known from FIPS 180-2.
        assert_eq!(shown("abc"), "drain-ba7816bf");
        assert_eq!(shown("shop/abc"), "shop/drain-ba7816bf");
        assert_eq!((shown("shop/-"), shown("-")), ("shop".to_owned(), "-".to_owned()));
        assert_ne!(shown("shop/d.1"), shown("shop/d.2"));
        // A slash in a token, which an older version took, brings nothing of it to light.
        assert!(!shown("shop/a/secret").contains("secret"));
    }

    #[test]
    fn a_port_is_known_by_its_account_and_its_name() {
        let key = port_key("acme", "office");
        assert_eq!(
            (port_of(&key), DrainName::of(&key).shown().to_string()),
            (Some(("acme", "office")), "office".into())
        );
        for drain in ["shop/d.1", "d.1", "-", "shop/-"] {
            assert_eq!(port_of(drain), None);
        }
    }

    #[test]
    fn measurements_are_known_by_their_account_and_no_drain_is_taken_for_them() {
        let key = measurements_key("acme");
        assert_eq!((measurements_of(&key), DrainName::of(&key).shown().to_string()), (Some("acme"), key.clone()));
        for drain in ["measurements/d.01234567-89ab-cdef", "measurements/", "measurements", "shop/d.1", "/acme/office"]
        {
            assert_eq!(measurements_of(drain), None, "{drain}");
        }
    }

    #[test]
    fn the_name_in_the_configuration_is_what_settings_go_by() {
        assert_eq!(DrainName::of("shop/d.1").configured(), "shop");
        assert_eq!(DrainName::of("d.1").configured(), "d.1");
    }
}
