//! The places of drains: who has one, and whose goes when another needs it.
//!
//! Every `[[drain]]` of the configuration has its own ones, one unless it asks for more, and nobody else's deliveries
//! take them. When a token comes that is new to it, as after a drain was removed and added again, the token that is
//! silent longest gives way: its open windows are written, and it is refused until they are past being revised, so that
//! no window is ever counted by two pipelines. Where anyone may send, a drain gives way that has been silent for some
//! windows. Each of that is an event of the journal, and the pipelines follow it.

use super::Listed;
use super::failure::StoreError;
use crate::drain_name::{DEFAULT_ACCOUNT, DrainName};
use crate::parts::Part;
use crate::settings::change::{Misfit, Unfit};
use crate::settings::{APPS_OF_ONE, DrainSettings, Settings, apps};
use heroku_metrics::model::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Drains of one `[[drain]]` that may have lost their place lately; with more of them, new ones are refused.
const ENDED: usize = 64;
/// How far beyond the believed time a line may be and still counts.
const FUTURE: Duration = Duration::from_secs(300);
/// Silence that is no pause between two deliveries.
const PAUSE: Duration = Duration::from_secs(60);

/// A time that the next tick tells.
const UNKNOWN: Timestamp = Timestamp::from_unix_micros(i64::MAX);

/// Who has a place, and by which rules.
#[derive(Debug, Default)]
pub(super) struct Places {
    most: usize,
    /// The partition whose places these are, where each account is in one as a whole: other drains that are named have theirs elsewhere.
    pub(super) accounts_of: Option<Part>,
    /// How many each name of the configuration has.
    own: BTreeMap<String, usize>,
    /// How long a drain is silent before it gives way to another one where anyone may send.
    silence: Duration,
    /// How long after its last delivery a drain has windows that can be revised.
    memory: Duration,
    /// When each drain was heard last.
    heard: HashMap<Arc<str>, Timestamp>,
    /// Drains that lost their place, and until when they are refused.
    ended: BTreeMap<Arc<str>, Timestamp>,
    /// The first and the last time that was told.
    since: Option<Timestamp>,
    time: Option<Timestamp>,
    /// The clock is in doubt: what was heard meanwhile may turn out to have come later.
    is_in_doubt: bool,
}

/// What becomes of a drain that is new.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// There is a place.
    Free,
    /// There is one when this drain gives its own up.
    InsteadOf(Arc<str>),
    Full,
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Those of one partition, where each account is in one as a whole.
    pub(super) fn of_accounts(self, part: Option<Part>) -> Self {
        Self { accounts_of: part, ..self }
    }

    /// Drains that are named and may have places here.
    fn named<'a>(&self, settings: &'a Settings) -> impl Iterator<Item = (&'a str, &'a DrainSettings)> + use<'a> {
        let part = self.accounts_of;
        settings.named_drains().filter(move |(_, drain)| {
            part.is_none_or(|part| part.all().of(drain.account.as_deref().unwrap_or(DEFAULT_ACCOUNT)) == part)
        })
    }

    /// Goes by these settings from now on.
    pub(super) fn follow(&mut self, settings: &Settings) {
        self.own = self.named(settings).map(|(name, drain)| (name.to_owned(), drain.places())).collect();
        let closing = settings.window() * 2 + settings.lateness();
        self.silence = closing + PAUSE;
        self.memory = closing + Duration::from_millis(settings.horizon_ms) + FUTURE;
    }

    /// Whether one more drain may say what its app is called.
    pub(super) fn room_for_app(&self, settings: &Settings, drain: &str) -> bool {
        let configured = |drain| DrainName::of(drain).configured();
        let of_one = settings.apps.keys().filter(|other| configured(other) == configured(drain)).count();
        of_one < APPS_OF_ONE && settings.apps.len() < apps(self.most)
    }

    /// Whether a drain that is to be named can have so many places: all that are named have theirs.
    pub(super) fn room_for(&self, settings: &Settings, places: usize) -> Result<(), Unfit> {
        let named: usize = self.named(settings).map(|(_, drain)| drain.places()).sum();
        if named.saturating_add(places) <= self.most {
            return Ok(());
        }
        Err(Unfit::new(
            Misfit::TooMany,
            format!("there is no place for another drain: max_drains is {}, and {named} have one", self.most),
        ))
    }

    /// What time it is: refusals end by it.
    pub(super) fn tick(&mut self, time: Timestamp) {
        self.since.get_or_insert(time);
        self.time = self.time.max(Some(time));
        if std::mem::take(&mut self.is_in_doubt) {
            self.since = self.since.max(Some(time));
            self.heard.values_mut().for_each(|heard| *heard = time.max(*heard));
        }
        for until in self.ended.values_mut().filter(|until| **until == UNKNOWN) {
            *until = time.later(self.memory);
        }
        self.ended.retain(|_, until| *until > time);
    }

    /// Nobody knows what time it is, until the next tick.
    pub(super) fn doubt(&mut self) {
        self.is_in_doubt = true;
    }

    pub(super) fn hear(&mut self, drain: &Arc<str>, time: Timestamp) {
        self.since.get_or_insert(time);
        self.heard.insert(drain.clone(), time);
    }

    /// When a drain was heard last; since the start, if not since then.
    fn last(&self, drain: &str) -> Option<Timestamp> {
        self.heard.get(drain).copied().or(self.since)
    }

    pub(super) fn heard(&self, drain: &str) -> Option<Timestamp> {
        self.heard.get(drain).copied()
    }

    /// Drains that lost their place and are refused still.
    pub(super) const fn ended(&self) -> &BTreeMap<Arc<str>, Timestamp> {
        &self.ended
    }

    /// Those as a text to be kept.
    pub(super) fn ended_text(&self) -> Result<String, StoreError> {
        let ended: BTreeMap<&str, i64> =
            self.ended.iter().map(|(drain, until)| (&**drain, until.unix_micros())).collect();
        serde_json::to_string(&ended).map_err(|error| StoreError::Settings(error.to_string()))
    }

    /// What the journal knew of drains that lost their place.
    pub(super) fn set_ended(&mut self, text: Option<&str>) {
        let ended: BTreeMap<String, i64> = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let ended = ended.into_iter();
        self.ended = ended.map(|(drain, until)| (drain.into(), Timestamp::from_unix_micros(until))).collect();
    }

    /// What another one knew of its drains.
    pub(super) fn know(&mut self, listed: &[Listed]) {
        for Listed { drain, heard, refused_until } in listed {
            match (refused_until, heard) {
                (Some(until), _) => drop(self.ended.insert(drain.clone(), *until)),
                (None, Some(heard)) => self.hear(drain, *heard),
                (None, None) => {}
            }
        }
    }

    /// Whether a new drain may have a place beside `drains`, which are those that have one.
    pub(super) fn for_new<'a>(
        &self,
        drain: &str,
        now: Timestamp,
        drains: impl Iterator<Item = &'a Arc<str>> + Clone,
    ) -> Verdict {
        if self.ended.contains_key(drain) {
            return Verdict::Full;
        }
        let used = drains.clone().count();
        let count = |name: &str| drains.clone().filter(|other| name_of(other) == Some(name)).count();
        let allowed = |name: &str| self.own.get(name).copied();
        let oldest = |is_it: &dyn Fn(&str) -> bool| {
            let candidates = drains.clone().filter(|other| is_it(other));
            candidates.min_by_key(|other| (self.last(other), Arc::clone(other))).cloned()
        };
        let instead = |found: Option<Arc<str>>| found.map_or(Verdict::Full, Verdict::InsteadOf);
        let Some((name, own)) = name_of(drain).and_then(|name| Some((name, allowed(name)?))) else {
            let kept: usize = self.own.iter().map(|(name, own)| own.saturating_sub(count(name))).sum();
            if used + kept < self.most {
                return Verdict::Free;
            }
            let before = now.earlier(self.silence);
            return instead(oldest(&|other| {
                let is_own = name_of(other).is_some_and(|name| allowed(name).is_some());
                !is_own && self.last(other).is_some_and(|last| last <= before)
            }));
        };
        if count(name) >= own {
            let ended = self.ended.keys().filter(|other| name_of(other) == Some(name)).count();
            return if ended >= ENDED { Verdict::Full } else { instead(oldest(&|other| name_of(other) == Some(name))) };
        }
        if used < self.most {
            return Verdict::Free;
        }
        // The place is taken by a drain that the configuration does not name, or not so often.
        instead(oldest(&|other| {
            let own = name_of(other).and_then(|name| Some((name, allowed(name)?)));
            own.is_none_or(|(name, own)| count(name) > own)
        }))
    }

    /// Takes a drain's place away. It is refused until none of its windows could be revised any more.
    pub(super) fn end(&mut self, drain: &Arc<str>, now: Timestamp) {
        let until = match self.is_in_doubt {
            true => UNKNOWN,
            false => self.last(drain).map_or(now, |last| last.min(now)).later(self.memory),
        };
        self.heard.remove(drain);
        if self.time.is_none_or(|time| until > time) {
            self.ended.insert(drain.clone(), until);
        }
    }
}

/// The name that a drain has in the configuration; `None` when it is a token alone.
fn name_of(drain: &str) -> Option<&str> {
    drain.contains('/').then(|| DrainName::of(drain).configured())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::Parts;
    use crate::settings::DrainLimits;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_800_000_000 + second)
    }

    /// Places as the journal keeps them.
    struct Kept {
        places: Places,
        drains: Vec<Arc<str>>,
        now: i64,
    }

    impl Kept {
        fn new(most: usize, own: &[(&str, u32)]) -> Self {
            let mut kept = Self { places: Places::new(most), drains: Vec::new(), now: 0 };
            kept.configure(own);
            kept.places.tick(at(0));
            kept
        }

        fn configure(&mut self, own: &[(&str, u32)]) {
            let drains = own.iter().map(|(name, places)| {
                ((*name).to_owned(), DrainSettings { places: Some(*places), ..DrainSettings::default() })
            });
            self.places.follow(&Settings {
                apps: BTreeMap::new(),
                accounts: BTreeMap::new(),
                next_id: 0,
                window_ms: 60_000,
                lateness_ms: 60_000,
                horizon_ms: 3_600_000,
                extended: false,
                reading: Default::default(),
                websockets: true,
                limits: DrainLimits::within(64 << 20).unwrap(),
                drains: drains.collect(),
            });
        }

        fn wait(&mut self, seconds: i64) {
            self.now += seconds;
            self.places.tick(at(self.now));
        }

        /// Whether a delivery is taken; a second later than the one before.
        fn send(&mut self, drain: &str) -> bool {
            self.now += 1;
            if !self.places.is_in_doubt {
                self.places.tick(at(self.now));
            }
            let now = at(self.now);
            let drain: Arc<str> = drain.into();
            if !self.drains.contains(&drain) {
                match self.places.for_new(&drain, now, self.drains.iter()) {
                    Verdict::Free => {}
                    Verdict::InsteadOf(other) => {
                        self.drains.retain(|known| *known != other);
                        self.places.end(&other, now);
                    }
                    Verdict::Full => return false,
                }
                self.drains.push(drain.clone());
                assert!(self.drains.len() <= self.places.most, "{:?}", self.drains);
            }
            self.places.hear(&drain, now);
            true
        }
    }

    #[test]
    fn drains_of_accounts_that_are_elsewhere_keep_no_places_here() {
        let parts = Parts::new(8).unwrap();
        let own = parts.of(DEFAULT_ACCOUNT);
        let foreign = ["acme", "blog", "shop"].map(|account| parts.of(account)).into_iter().find(|part| *part != own);
        for (part, is_taken) in [(Some(own), false), (foreign, true)] {
            let mut kept = Kept::new(4, &[]);
            kept.places = Places::new(4).of_accounts(part);
            kept.configure(&[("shop", 4)]);
            assert_eq!(kept.send("measurements/acme"), is_taken, "{part:?}");
        }
    }

    #[test]
    fn one_tenant_with_made_up_tokens_keeps_no_other_out() {
        let mut kept = Kept::new(16, &[("blog", 1), ("shop", 1)]);
        for number in 0..1_000 {
            let taken = kept.send(&format!("blog/d.{number}"));
            assert_eq!(taken, number <= ENDED as i32, "{number}");
        }
        assert!(kept.send("shop/d.own"));
        assert!(kept.places.ended.len() <= ENDED, "what is remembered is bounded, too");
    }

    #[test]
    fn a_drain_that_is_removed_and_added_again_has_a_place_each_time() {
        let mut kept = Kept::new(2, &[("blog", 1), ("shop", 1)]);
        assert!(kept.send("blog/d.1"));
        for number in 0..40 {
            assert!(kept.send(&format!("shop/d.{number}")), "{number}");
            assert!(kept.send("blog/d.1"));
        }
        // The one before is refused until its windows are past their horizon, and may come back then.
        assert!(!kept.send("shop/d.38"));
        kept.wait(3_600 + 900);
        assert!(kept.send("shop/d.38"));
    }

    #[test]
    fn a_drain_that_asks_for_places_has_so_many_at_a_time() {
        let mut kept = Kept::new(4, &[("apps", 3), ("shop", 1)]);
        for _ in 0..3 {
            assert!(["apps/d.1", "apps/d.2", "apps/d.3", "shop/d.1"].iter().all(|drain| kept.send(drain)));
        }
        kept.send("apps/d.1");
        assert!(kept.send("apps/d.4") && !kept.send("apps/d.2"), "the one that was silent longest gave way");
        assert!(kept.send("apps/d.1") && kept.send("apps/d.3") && kept.send("shop/d.1"));
    }

    #[test]
    fn drains_of_before_credentials_give_way_to_those_that_the_configuration_names() {
        let mut kept = Kept::new(2, &[]);
        assert!(kept.send("d.1") && kept.send("d.2"));
        kept.configure(&[("blog", 1), ("shop", 1)]);
        assert!(kept.send("shop/d.1") && kept.send("blog/d.2"));
        assert!(!kept.send("gone/d.1"), "what is named has the places that there are");
        // And the other way round, when the names change.
        kept.configure(&[("blog", 1), ("store", 1)]);
        assert!(kept.send("store/d.1") && kept.send("blog/d.2"));
    }

    #[test]
    fn who_loses_a_place_while_the_clock_is_in_doubt_is_refused_from_when_it_is_known() {
        let mut kept = Kept::new(2, &[("shop", 1)]);
        assert!(kept.send("shop/d.1"));
        kept.places.doubt();
        assert!(kept.send("shop/d.2") && kept.send("shop/d.3") && !kept.send("shop/d.1"));
        kept.wait(7_200);
        assert!(!kept.send("shop/d.1"));
        assert!(kept.send("shop/d.4") && !kept.send("shop/d.3"), "d.3 was heard in doubt: nobody knows when");
        kept.wait(3_600 + 900);
        assert!(kept.send("shop/d.1"));
    }

    #[test]
    fn where_anyone_may_send_a_silent_drain_gives_way() {
        let mut kept = Kept::new(2, &[]);
        assert!(kept.send("d.1") && kept.send("d.2") && !kept.send("d.3"));
        for _ in 0..10 {
            kept.wait(60);
            kept.send("d.2");
        }
        assert!(kept.send("d.3"), "d.1 was silent");
        assert!(kept.send("d.2") && !kept.send("d.1"));
    }
}
