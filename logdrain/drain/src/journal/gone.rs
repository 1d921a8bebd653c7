//! Drains of accounts that are destroyed: what of them still comes, from the spool of a node that was away, is not kept.
//!
//! What an account has of its own is called after it, and so nobody else's. A drain of the configuration is taken out there
//! before its account is destroyed: whose it was is remembered until then.

use crate::drain_name::{DrainName, measurements_of, port_of};
use crate::event::Record;
use crate::settings::Settings;
use crate::settings::change::{Change, OF};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Accounts that are destroyed, and drains that are not configured any more: the oldest are forgotten beyond so many.
const MOST: usize = 1_024;

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Gone {
    /// Drains that the configuration had, and whose they were last.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    former: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    destroyed: Vec<Destroyed>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct Destroyed {
    #[serde(rename = "of")]
    account: String,
    /// When, in microseconds since 1970.
    at: i64,
    /// Drains of the configuration that were of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    drains: Vec<String>,
}

impl Gone {
    pub(super) fn is_empty(&self) -> bool {
        self.former.is_empty() && self.destroyed.is_empty()
    }

    /// The configuration says something else from now on; `None` if it takes no account's drain away, and gives none back.
    pub(super) fn configured(&self, before: &Settings, now: &Settings) -> Option<Self> {
        let of = |settings: &Settings, name: &str| settings.drains.get(name).map(|drain| drain.account.clone());
        let mut former = self.former.clone();
        for (name, drain) in &before.drains {
            if let Some(account) = drain.account.as_ref().filter(|_| of(now, name) != Some(drain.account.clone())) {
                former.insert(name.clone(), account.clone());
            }
        }
        former.retain(|name, account| of(now, name) != Some(Some(account.clone())));
        while former.len() > MOST {
            former.pop_first();
        }
        (former != self.former).then(|| Self { former, destroyed: self.destroyed.clone() })
    }

    pub(super) fn destroy(&mut self, account: &str, at: i64) {
        let drains = self.former.iter().filter(|(_, of)| *of == account).map(|(name, _)| name.clone()).collect();
        self.former.retain(|_, of| of != account);
        self.destroyed.push(Destroyed { account: account.to_owned(), at, drains });
        let surplus = self.destroyed.len().saturating_sub(MOST);
        self.destroyed.drain(..surplus);
    }

    /// Whether a change is of an account that was destroyed, or of its drain: it was asked for before, and comes late. One that
    /// makes the account again is none.
    pub(super) fn forbids(&self, change: &Change, settings: &Settings) -> bool {
        if let Change::App { drain, .. } = change {
            return is_nobodys(drain, settings);
        }
        let account = match change {
            Change::Account { .. } | Change::Purge { .. } | Change::Destroy { .. } => None,
            _ => change.account(),
        };
        let is_gone = |account: &str| self.destroyed.iter().any(|gone| gone.account == account);
        account.is_some_and(|account| is_gone(account) && !settings.has_account(account))
    }

    /// Whether a delivery is of an account that was destroyed after it came; or since, and there is none that is called so.
    pub(super) fn has(&self, record: &Record, settings: &Settings) -> bool {
        let key = &*record.drain;
        let name = DrainName::of(key).configured();
        let port = port_of(key).map(|(account, _)| account);
        let is_named = key.contains('/') && port.is_none();
        let own = || name.split_once(OF).filter(|_| is_named).map(|(account, _)| account);
        let account = measurements_of(key).or(port).or_else(own);
        self.destroyed.iter().any(|gone| {
            let came_before = record.received.unix_micros() <= gone.at;
            if is_named && gone.drains.iter().any(|drain| drain == name) {
                return came_before || settings.drain(name).is_none();
            }
            account == Some(&*gone.account) && (came_before || !settings.has_account(&gone.account))
        })
    }
}

/// Whether a drain is one that an account had of its own, and has no more.
pub(super) fn is_nobodys(key: &str, settings: &Settings) -> bool {
    if !key.contains('/') || port_of(key).is_some() || measurements_of(key).is_some() {
        return false;
    }
    let name = DrainName::of(key).configured();
    name.contains(OF) && settings.drain(name).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Body;
    use crate::settings::DrainSettings;
    use crate::settings::change::tests::settings;
    use heroku_metrics::model::Timestamp;

    fn record(key: &str, at: i64) -> Record {
        Record::new(key.into(), Timestamp::from_unix_micros(at), Body::new(Vec::new(), None))
    }

    fn of(account: &str) -> DrainSettings {
        DrainSettings { account: Some(account.to_owned()), ..DrainSettings::default() }
    }

    #[test]
    fn what_came_before_an_account_was_destroyed_is_not_kept_whatever_it_was_called() {
        let mut now = settings();
        now.drains.clear();
        let mut before = now.clone();
        before.drains.insert("web".to_owned(), of("shop"));
        before.drains.insert("blog".to_owned(), of("blog"));
        now.drains.insert("blog".to_owned(), of("blog"));
        let mut gone = Gone::default().configured(&before, &now).unwrap();
        assert_eq!(gone.configured(&now, &now), None, "once is enough");
        gone.destroy("shop", 1_000);
        let text = serde_json::to_string(&gone).unwrap();
        assert_eq!(serde_json::from_str::<Gone>(&text).unwrap(), gone);
        for key in ["web/d.1", "shop.drain/d.1", "measurements/shop", "/shop/routers"] {
            assert!(gone.has(&record(key, 1_000), &now), "{key}");
            assert!(gone.has(&record(key, 1_001), &now), "{key}: there is no such account");
        }
        for key in ["blog/d.1", "blog.drain/d.1", "measurements/blog", "/blog/routers", "web", "d.1", "shop"] {
            assert!(!gone.has(&record(key, 1_000), &now), "{key}");
        }
        // It is there again.
        now.drains.insert("web".to_owned(), of("shop"));
        for key in ["web/d.1", "shop.drain/d.1", "measurements/shop"] {
            assert!(gone.has(&record(key, 1_000), &now), "{key}");
            assert!(!gone.has(&record(key, 1_001), &now), "{key}");
        }
    }

    #[test]
    fn a_change_that_comes_late_makes_no_account_again() {
        let now = settings();
        let mut gone = Gone::default();
        gone.destroy("gone", 7);
        let takes = |account: &str| Change::TakesUnknown { account: account.to_owned(), takes: true };
        assert!(gone.forbids(&takes("gone"), &now) && !gone.forbids(&takes("new"), &now));
        assert!(!gone.forbids(&Change::Account { account: "gone".to_owned() }, &now));
        let mut again = now.clone();
        again.apply(&Change::Account { account: "gone".to_owned() }).unwrap();
        assert!(!gone.forbids(&takes("gone"), &again));
        let app = |drain: &str| Change::App { drain: drain.to_owned(), app: "a".to_owned(), instead: None };
        assert!(gone.forbids(&app("gone.drain/d.1"), &now) && !gone.forbids(&app("d.1"), &now));
    }

    #[test]
    fn a_drain_that_comes_back_is_its_accounts_again_and_few_are_remembered() {
        let mut with = settings();
        with.drains.clear();
        let without = with.clone();
        with.drains.insert("web".to_owned(), of("shop"));
        let gone = Gone::default().configured(&with, &without).unwrap();
        let mut again = gone.configured(&without, &with).unwrap();
        assert!(again.is_empty());
        for number in 0..2 * MOST {
            again.destroy(&format!("a{number}"), 7);
        }
        assert_eq!(again.destroyed.len(), MOST);
        assert!(again.has(&record("measurements/a2047", 7), &with));
        assert!(is_nobodys("shop.drain/d.1", &with) && !is_nobodys("web/d.1", &with) && !is_nobodys("d.1", &with));
    }
}
