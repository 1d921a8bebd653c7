//! Whose lines a drain's are: the account that they are kept for, and the system that they are shown under.

use super::lines::{Host, NAME_BYTES};
use crate::drain_name::{self, DEFAULT_ACCOUNT, DrainName};
use crate::settings::Settings;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Drains that are remembered at a time; with more of them all are looked up again.
const KNOWN: usize = 4_096;

/// Who a drain is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Sender {
    pub(super) account: Arc<str>,
    pub(super) system: Arc<str>,
    /// Whether the account takes its lines: somebody registered it or named its drain, or all are taken.
    pub(super) is_taken: bool,
}

/// Drains that were heard, under the settings that hold.
#[derive(Debug)]
pub(super) struct Senders {
    settings: Arc<Settings>,
    known: HashMap<Arc<str>, Sender>,
}

impl Senders {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self { settings, known: HashMap::new() }
    }

    pub(super) fn follow(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
        self.known.clear();
    }

    pub(super) const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    pub(super) fn of(&mut self, drain: &Arc<str>) -> Sender {
        if let Some(sender) = self.known.get(drain) {
            return sender.clone();
        }
        if self.known.len() >= KNOWN {
            self.known.clear();
        }
        let sender = sender(&self.settings, drain);
        self.known.insert(drain.clone(), sender.clone());
        sender
    }
}

impl Sender {
    /// Whether it is who a line names.
    pub(super) fn is_named(&self, host: Host<'_>) -> bool {
        matches!(host, Host::Named(name) if *name == *self.system)
    }

    /// Whoever a line of plain syslog names, or the address that it came from.
    pub(super) fn of_line(&self, host: Host<'_>, peer: Option<IpAddr>, settings: &Settings) -> Self {
        let system: Arc<str> = match (host, peer) {
            (Host::Named(host), _) => host.into(),
            (Host::Peer, Some(peer)) => peer.to_canonical().to_string().into(),
            (Host::Peer, None) => return self.clone(),
        };
        let is_taken = settings.account(&self.account).takes(&system);
        Self { account: self.account.clone(), system, is_taken }
    }
}

/// The system that a drain's lines are shown under.
pub fn system(settings: &Settings, drain: &str) -> Arc<str> {
    sender(settings, drain).system
}

/// The system is the app, else the name of the `[[drain]]`, else what stands for the token.
fn sender(settings: &Settings, drain: &str) -> Sender {
    if let Some((account, port)) = drain_name::port_of(drain) {
        return Sender { account: account.into(), system: port.into(), is_taken: true };
    }
    if let Some(account) = drain_name::measurements_of(drain) {
        return Sender { account: account.into(), system: drain.into(), is_taken: true };
    }
    let name = DrainName::of(drain);
    let own = settings.drain(name.configured());
    let account = own.and_then(|own| own.account.as_deref()).unwrap_or(DEFAULT_ACCOUNT);
    let mut system = match (settings.app(drain), own) {
        (Some(app), _) => app.to_owned(),
        (None, Some(_)) => name.configured().to_owned(),
        (None, None) => name.shown().to_string(),
    };
    while system.len() > NAME_BYTES {
        system.pop();
    }
    let is_taken = own.is_some() || settings.account(account).takes(&system);
    Sender { account: account.into(), system: system.into(), is_taken }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::tests::settings;
    use crate::settings::DrainSettings;
    use crate::settings::account::Account;

    #[test]
    fn a_system_is_the_app_or_the_drain_or_what_stands_for_its_token() {
        let mut all = settings();
        let of = |app: Option<&str>, account: Option<&str>| DrainSettings {
            app: app.map(str::to_owned),
            account: account.map(str::to_owned),
            ..DrainSettings::default()
        };
        all.drains.insert("shop".to_owned(), of(Some("shop-eu"), Some("acme")));
        all.drains.insert("blog".to_owned(), of(None, None));
        all.apps.insert("abc".to_owned(), "called".to_owned());
        let mut senders = Senders::new(Arc::new(all));
        let mut of = |drain: &str| {
            let Sender { account, system, .. } = senders.of(&drain.into());
            (account.to_string(), system.to_string())
        };
        let pair = |account: &str, system: &str| (account.to_owned(), system.to_owned());
        assert_eq!(of("shop/d.1"), pair("acme", "shop-eu"));
        assert_eq!(of("blog/d.2"), pair("default", "blog"));
        assert_eq!(of("abc"), pair("default", "called"));
        // Nothing of a token is shown.
        assert_eq!(of("abd"), pair("default", "drain-a52d159f"));
        assert_eq!(of("-"), pair("default", "-"));
    }

    #[test]
    fn where_unknown_systems_are_not_taken_those_are_that_have_a_name_or_were_registered() {
        let mut all = settings();
        all.drains.insert("blog".to_owned(), DrainSettings::default());
        let registered = std::collections::BTreeSet::from(["drain-a52d159f".to_owned()]);
        let strict = Account { takes_unknown: false, registered, ..Account::NONE };
        all.accounts.insert("default".to_owned(), Arc::new(strict));
        let mut senders = Senders::new(Arc::new(all));
        let mut is_taken = |drain: &str| senders.of(&drain.into()).is_taken;
        assert!(is_taken("blog/d.2") && is_taken("abd") && !is_taken("abc"));
    }
}
