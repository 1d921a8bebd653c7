//! What rows depend on besides the log lines. Every change is an event of the journal, so that a replay of the journal
//! reads each delivery as it was read the first time.

pub mod account;
pub mod change;
pub mod digest;
pub mod purge;

use crate::drain_name::{DEFAULT_ACCOUNT, DrainName, measurements_of};
use crate::frames;
use crate::parts::Parts;
use account::Account;
use heroku_metrics::aggregator::{AggregatorConfig, LatePolicy};
use heroku_metrics::syslog::Dialect;
use heroku_metrics::{ExtractorConfig, NativeSet, PipelineConfig, Plan, SeenDeliveries};
use logdrain_terms::reading::Reading;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settings {
    pub window_ms: u64,
    pub lateness_ms: u64,
    pub horizon_ms: u64,
    pub extended: bool,
    pub websockets: bool,
    /// Missing in stores of older programs.
    #[serde(default)]
    pub reading: Reading,
    pub limits: DrainLimits,
    /// By the name of the drain in the configuration.
    pub drains: BTreeMap<String, DrainSettings>,
    /// What a drain calls its app in its URL, by its key in the journal. Missing in stores of older programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub apps: BTreeMap<String, String>,
    /// Those of which something was said, by name. Missing in stores of older programs, as the next is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<String, Arc<Account>>,
    /// The number that the next group, search or filter gets, if it is above the first: none is given twice.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub next_id: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// Tokens of one configured drain that may say a name of an app at a time.
pub const APPS_OF_ONE: usize = 8;

/// Tokens of all drains that may, where there are so many places for drains.
pub fn apps(drains: usize) -> usize {
    drains.saturating_mul(2).max(APPS_OF_ONE)
}

/// What of the memory one drain may take, and the rules of alerts of all accounts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DrainLimits {
    pub streams: u32,
    pub key_bytes: usize,
    pub window_bytes: usize,
    /// What rules of alerts remember. Missing in stores of older programs, which did not bound it.
    #[serde(default = "alert_bytes")]
    pub alert_bytes: usize,
}

/// What rules of alerts remember unless the configuration says something else.
pub const ALERT_BYTES: usize = 256 << 20;

const fn alert_bytes() -> usize {
    ALERT_BYTES
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DrainSettings {
    /// The `app_name` tag of native metrics.
    pub app: Option<String>,
    pub plan: Option<Plan>,
    /// How many drains it may be at a time, each with a token of its own; one when it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub places: Option<u32>,
    /// The account that its lines are kept for; `default` when it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

impl DrainSettings {
    pub fn places(&self) -> usize {
        self.places.map_or(1, |places| usize::try_from(places).unwrap_or(usize::MAX))
    }
}

impl DrainLimits {
    /// The limits with which a pipeline stays below so many bytes; `None` when that is too little for any.
    pub fn within(octets: usize) -> Option<Self> {
        // Windows take the larger part; a stream that is known has some 200 bytes of key and place.
        let mut share = octets;
        while share > 1 << 20 {
            let limits = Self {
                streams: u32::try_from(share / 2_000).unwrap_or(u32::MAX),
                key_bytes: share / 8,
                window_bytes: share / 2,
                alert_bytes: ALERT_BYTES,
            };
            if limits.apply(PipelineConfig::new()).max_memory() <= octets {
                return Some(limits);
            }
            share -= share / 16;
        }
        None
    }

    /// The same, and so much for rules of alerts.
    #[must_use]
    pub const fn with_alerts(mut self, bytes: usize) -> Self {
        self.alert_bytes = bytes;
        self
    }

    fn aggregator(self) -> AggregatorConfig {
        AggregatorConfig::new()
            .with_max_streams(self.streams)
            .with_max_key_bytes(self.key_bytes)
            .with_max_window_bytes(self.window_bytes)
    }

    fn apply(self, config: PipelineConfig) -> PipelineConfig {
        config.with_aggregator(self.aggregator()).with_seen_deliveries(SeenDeliveries::new(0, 0))
    }
}

impl Settings {
    pub const fn window(&self) -> Duration {
        Duration::from_millis(self.window_ms)
    }

    pub const fn lateness(&self) -> Duration {
        Duration::from_millis(self.lateness_ms)
    }

    /// Whether a drain is read as by the other settings.
    pub fn is_same_for(&self, other: &Self, drain: &str) -> bool {
        fn common(settings: &Settings) -> impl PartialEq {
            let Settings { window_ms, lateness_ms, horizon_ms, extended, websockets, reading, limits, .. } = settings;
            (*window_ms, *lateness_ms, *horizon_ms, *extended, *websockets, *reading, limits.with_alerts(0))
        }
        let name = DrainName::of(drain).configured();
        common(self) == common(other)
            && self.drain(name) == other.drain(name)
            && self.app(drain) == other.app(drain)
            && self.plan(drain) == other.plan(drain)
    }

    /// The account that a drain's lines are kept for, and whose plan it has.
    pub fn account_of<'a>(&'a self, drain: &'a str) -> &'a str {
        if let Some(account) = measurements_of(drain) {
            return account;
        }
        let name = DrainName::of(drain).configured();
        let Some(own) = self.drain(name) else {
            // What an account had of its own is called after it: its last windows close when it is taken away.
            let of = if drain.contains('/') { name.split_once(change::OF).map(|(of, _)| of) } else { None };
            return of.filter(|of| self.accounts.contains_key(*of)).unwrap_or(DEFAULT_ACCOUNT);
        };
        own.account.as_deref().unwrap_or(DEFAULT_ACCOUNT)
    }

    /// Whether anybody named an account: itself, or a drain that is of it.
    pub fn has_account(&self, name: &str) -> bool {
        let is_configured = || self.drains.values().any(|drain| drain.account.as_deref() == Some(name));
        name == DEFAULT_ACCOUNT || self.accounts.contains_key(name) || is_configured()
    }

    /// What a drain's pipeline may have: the plan that the configuration gives it, or else its account's.
    fn plan(&self, drain: &str) -> Option<&Plan> {
        let own = self.drain(DrainName::of(drain).configured()).and_then(|own| own.plan.as_ref());
        own.or_else(|| self.account(self.account_of(drain)).plan.as_ref().map(|plan| &plan.metrics))
    }

    /// Takes over what the configuration says. What accounts and drains have said of themselves stays.
    pub fn configure(&mut self, configuration: &Self) {
        let before = std::mem::replace(self, configuration.clone());
        // Older programs wrote all that they knew with each change.
        if self.apps.is_empty() {
            self.apps = before.apps;
        }
        (self.accounts, self.next_id) = (before.accounts, before.next_id);
    }

    /// Those of all partitions of a journal, each of which knows what the accounts that it holds have said; what the
    /// configuration says is that of the first.
    pub fn joined(parts: Parts, all: &[Arc<Self>]) -> Option<Self> {
        let mut joined = Self::clone(all.first()?);
        for (part, own) in parts.each().zip(all).skip(1) {
            joined.accounts.retain(|account, _| parts.of(account) != part);
            let of_part = own.accounts.iter().filter(|(account, _)| parts.of(account) == part);
            joined.accounts.extend(of_part.map(|(name, account)| (name.clone(), account.clone())));
            joined.apps.extend(own.apps.iter().map(|(drain, app)| (drain.clone(), app.clone())));
            joined.next_id = joined.next_id.max(own.next_id);
        }
        Some(joined)
    }

    /// What the configuration says of them.
    pub fn configuration(&self) -> Self {
        Self { apps: BTreeMap::new(), accounts: BTreeMap::new(), next_id: 0, ..self.clone() }
    }

    /// The app's name in the configuration.
    pub fn configured_app(&self, drain: &str) -> Option<&str> {
        self.drain(DrainName::of(drain).configured())?.app.as_deref()
    }

    /// The app's name in the configuration, or else in the drain's URL.
    pub fn app(&self, drain: &str) -> Option<&str> {
        self.configured_app(drain).or_else(|| self.apps.get(drain).map(String::as_str))
    }

    /// How a drain is read. Its key begins with its name in the configuration.
    ///
    /// The pipeline remembers no ids of deliveries: the journal holds each delivery once.
    pub fn pipeline(&self, drain: &str) -> PipelineConfig {
        let set = if self.extended { NativeSet::Extended } else { NativeSet::Standard };
        let extractor = ExtractorConfig::new().with_native_set(set).with_websocket_latency(self.websockets);
        let extractor = self.reading.apply(extractor);
        let extractor = match self.app(drain) {
            Some(app) => extractor.with_app_name(app),
            None => extractor,
        };
        let aggregator = self
            .limits
            .aggregator()
            .with_window(self.window())
            .with_allowed_lateness(self.lateness())
            .with_late_policy(LatePolicy::Revise { horizon: Duration::from_millis(self.horizon_ms) });
        let config = PipelineConfig::new()
            .with_extractor(extractor)
            .with_aggregator(aggregator)
            .with_dialect(Dialect::ByHostname)
            .with_limits(frames::limits())
            .with_seen_deliveries(SeenDeliveries::new(0, 0));
        match self.plan(drain) {
            Some(plan) => config.with_plan(plan.clone()),
            None => config,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_keep_a_pipeline_below_what_it_may_take() {
        for octets in [32 << 20, 256 << 20, 1 << 30] {
            let limits = DrainLimits::within(octets).unwrap();
            let bound = limits.apply(PipelineConfig::new()).max_memory();
            assert!(bound <= octets && bound > octets / 3, "{octets}: {limits:?} is bounded by {bound}");
        }
        assert_eq!(DrainLimits::within(1000), None);
    }

    #[test]
    fn settings_survive_the_journal() {
        let settings = Settings {
            apps: BTreeMap::from([("d.1".to_owned(), "shop".to_owned())]),
            accounts: BTreeMap::new(),
            next_id: 0,
            window_ms: 60_000,
            lateness_ms: 60_000,
            horizon_ms: 3_600_000,
            extended: true,
            websockets: true,
            reading: serde_json::from_str(r#"{"families":["release"],"dyno_identity":"type","one_off":false}"#)
                .unwrap(),
            limits: DrainLimits::within(64 << 20).unwrap(),
            drains: BTreeMap::from([(
                "shop".to_owned(),
                DrainSettings {
                    app: Some("shop".to_owned()),
                    plan: Some(Plan::gold()),
                    places: Some(2),
                    account: Some("shop".to_owned()),
                },
            )]),
        };
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
    }

    /// As a program without families wrote them to its journal.
    #[test]
    fn settings_of_an_older_store_are_read_with_defaults() {
        let text = r#"{"window_ms":60000,"lateness_ms":60000,"horizon_ms":3600000,"extended":false,"websockets":true,
            "limits":{"streams":1000,"key_bytes":100000,"window_bytes":4000000},
            "drains":{"shop":{"app":"shop","plan":null}}}"#;
        let settings: Settings = serde_json::from_str(text).unwrap();
        assert_eq!(settings.reading, Reading::default());
        assert_eq!(settings.drains["shop"].app.as_deref(), Some("shop"));
    }

    #[test]
    fn the_name_in_the_configuration_goes_before_that_in_the_url() {
        let named = DrainSettings { app: Some("configured".to_owned()), ..DrainSettings::default() };
        let settings = Settings {
            accounts: BTreeMap::new(),
            next_id: 0,
            window_ms: 60_000,
            lateness_ms: 60_000,
            horizon_ms: 3_600_000,
            extended: false,
            websockets: true,
            reading: Reading::default(),
            limits: DrainLimits::within(64 << 20).unwrap(),
            drains: BTreeMap::from([("shop".to_owned(), named), ("blog".to_owned(), DrainSettings::default())]),
            apps: BTreeMap::from(["shop/d.1", "blog/d.2"].map(|key| (key.to_owned(), "called".to_owned()))),
        };
        assert_eq!(settings.app("shop/d.1"), Some("configured"));
        assert_eq!((settings.app("blog/d.2"), settings.app("blog/d.3")), (Some("called"), None));
        let other = Settings { apps: BTreeMap::new(), ..settings.clone() };
        assert!(settings.is_same_for(&other, "shop/d.1") && settings.is_same_for(&other, "blog/d.3"));
        assert!(!settings.is_same_for(&other, "blog/d.2"));
        // A store of an older program says nothing of it.
        let text = serde_json::to_string(&other).unwrap();
        assert!(!text.contains("apps") && serde_json::from_str::<Settings>(&text).unwrap() == other);
    }
}
